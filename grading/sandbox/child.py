"""Runs behind the wall: executes a student's answers, and sends back what their functions return.

It knows no answer. Whatever runs here can be forged by what the student wrote; so the grader, which
starts it, takes values from here and nothing else.

    python -I child.py WALL SECONDS MEGABYTES USER FOLDER

Three kinds of process:
    the loader  loads PyTorch, once. It sees nothing of a hand-in: a byte in its input, and it makes
    a hand-in   a copy of itself, which reads trials, a line of JSON each, until an empty one. For
                each it makes a copy of itself, watches it, ends it, and empties the folder
    a trial     answers some questions, a line each, which the hand-in hands on at once. It alone
                executes what a student wrote, and has even fewer rights

So no hand-in finds another's files, memory or processes, and no answer another's. A question is to
    execute a cell's name and source, and what it needs of others: nothing, or an error
    call    a function's name, how it is called, its arguments: what came of it
    value   a variable's name: its value

It imports what lies beside it behind the wall, and only when the rights are gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import resource
import select
import signal
import struct
import sys
import time
import traceback
from pathlib import Path
from typing import Any, NamedTuple

HERE = str(Path(__file__).resolve().parent)
KEEP_CAPABILITIES, DUMPABLE, DIE_WITH_PARENT = 8, 4, 1  # of prctl
READ_ANYTHING = 1 << 2  # CAP_DAC_READ_SEARCH
VERSION_OF_CAPABILITIES = 0x20080522
LONGEST = 8 << 20  # bytes of one answer
THREADS = 64
LOOK = 0.05  # seconds between two looks at a trial
PATIENCE = 12  # times the seconds that a question may compute: so long it may take by the clock


class Limits(NamedTuple):
    """What a trial runs with."""

    wall: str
    seconds: int  # of computing, and of waiting, for one question
    megabytes: int  # beside what PyTorch has
    folder: str  # the one that it may write to


def main() -> None:
    """Take rights away, load what answers need, and make a copy for each hand-in."""
    wall, *numbers, folder = sys.argv[1:]
    seconds, megabytes, user = map(int, numbers)
    limits = Limits(wall, seconds, megabytes, folder)
    sys.path.insert(0, HERE)
    if user:
        become(user, READ_ANYTHING if wall == "landlock" else 0)
    if wall == "bwrap":
        die_with_parent()  # another user's program is not bubblewrap's to end
    if wall != "none":
        import calls

        ctypes.CDLL(None).prctl(DUMPABLE, 0, 0, 0, 0)  # nobody looks into its memory
        calls.load_library()
    close_files(limits, ["/proc"])
    space = load()
    import protocol
    import scratch

    while True:
        os.write(1, protocol.to_line({"id": "ready"}))
        if not os.read(0, 1):
            return
        hand_in = os.fork()
        if hand_in == 0:
            die_with_parent()
            serve(limits, space)
            os._exit(0)
        os.waitpid(hand_in, 0)
        scratch.empty(folder)


def become(user: int, kept: int) -> None:
    """Give up root's rights, but for those in `kept`.

    With Landlock that is the one to read, which it bounds: Python may lie in a folder of root's.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    failed = libc.prctl(KEEP_CAPABILITIES, int(kept > 0), 0, 0, 0)
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    head = struct.pack("Ii", VERSION_OF_CAPABILITIES, 0)
    if failed or libc.capset(head, struct.pack("6I", kept, kept, 0, 0, 0, 0)):
        raise OSError(ctypes.get_errno(), "cannot give up root's rights")


def die_with_parent() -> None:
    """End this process when the one ends that made it."""
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)


def close_files(limits: Limits, also: list[str]) -> None:
    """Where Landlock is the wall, close all files but Python's, those in `also`, and the folder."""
    if limits.wall == "landlock":
        import landlock

        landlock.close_files(limits.folder, [HERE, sys.prefix, sys.base_prefix, *also])


def load() -> dict[str, Any]:
    """Load what answers need; return the names that a notebook's first cell gives them."""
    import cells
    import harness  # noqa: F401, here once, and not in each copy
    import torch

    torch.set_num_threads(1)
    torch.optim.SGD([torch.zeros(1, requires_grad=True)])  # the first one loads for a second
    space = cells.names()
    gc.collect()
    gc.freeze()  # copies share what is never looked at again
    return space


# ── 1. A hand-in ────────────────────────────────────────────────────────────────────────────────


def serve(limits: Limits, space: dict[str, Any]) -> None:
    """Try what the input asks for, until an empty trial; each in a copy of this process."""
    import protocol
    import scratch

    for line in sys.stdin.buffer:
        trial = json.loads(line)
        if not trial:
            return
        reading, writing = os.pipe()
        copy = os.fork()
        if copy == 0:
            os.close(reading)
            try_out(trial, writing, space, limits)
        os.close(writing)
        if why := hand_on(reading, trial, Watch(copy, limits)):
            os.write(1, protocol.to_line({"id": trial["id"], "dead": why}))
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(copy, signal.SIGKILL)
        os.waitpid(copy, 0)
        scratch.empty(limits.folder)


def hand_on(reading: int, trial: dict[str, Any], watch: Watch) -> str:
    """Hand on what a trial says, line by line, until it has said all; or return why it does not."""
    import faults
    import protocol

    rest, missing = b"", len(trial["questions"])
    while missing:
        line, newline, rest = rest.partition(b"\n")
        if newline:
            if "dead" in (protocol.from_line(line, trial["id"]) or {"dead": "it is none"}):
                return faults.FORGED
            write_all(line + b"\n")
            missing -= 1
            watch.begin()
            continue
        if len(line) > LONGEST:
            return faults.TOO_LARGE
        rest = line
        if select.select([reading], [], [], LOOK)[0]:
            if not (chunk := os.read(reading, 1 << 16)):
                return faults.ENDED
            rest += chunk
        if why := watch.fault():
            return why
    return ""


def write_all(content: bytes) -> None:
    """Write to the output, which takes as much at once as a pipe holds."""
    while content:
        content = content[os.write(1, content) :]


class Watch:
    """What a trial has taken since its last answer; the machine's other work does not count."""

    def __init__(self, trial: int, limits: Limits) -> None:
        self.trial, self.limits, self.looked = trial, limits, 0.0
        self.begin()

    def begin(self) -> None:
        """Count from here on."""
        self.start = self._taken()

    def _taken(self) -> tuple[float, float, float]:
        """Return seconds: of the clock, computed, and kept waiting for a processor."""
        computed = queued = 0.0
        with contextlib.suppress(OSError):  # it has ended
            computed = time.clock_gettime((~self.trial) << 3 | 2)  # of that process
            queued = int(self._read("schedstat").split()[1]) / 1e9
        return time.monotonic(), computed, queued

    def _read(self, what: str) -> str:
        return Path(f"/proc/{self.trial}/{what}").read_text()

    def fault(self) -> str:
        """Return in words what the trial takes too much of; "" if nothing."""
        if time.monotonic() - self.looked < LOOK:
            return ""
        import faults
        import scratch

        self.looked, most = time.monotonic(), self.limits.seconds
        passed, computed, queued = (
            now - then for now, then in zip(self._taken(), self.start, strict=True)
        )
        if computed > most:
            return faults.computed(most)
        if passed - computed - queued > most or passed > PATIENCE * most:
            return faults.waited(passed)
        with contextlib.suppress(OSError):
            threads = self._read("status").partition("Threads:")[2].split()
            if int(threads[0]) > THREADS:
                return faults.THREADS
        return scratch.fault(self.limits.folder)


# ── 2. A trial ──────────────────────────────────────────────────────────────────────────────────


def try_out(trial: dict[str, Any], writing: int, space: dict[str, Any], limits: Limits) -> None:
    """Answer the questions of a trial; in a copy, which ends here."""
    import protocol

    die_with_parent()
    limit(limits.megabytes)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)  # whatever is printed goes nowhere
    close_files(limits, [])
    if limits.wall != "none":
        import calls

        calls.close()
    with open(writing, "wb") as pipe:
        for question in trial["questions"]:
            try:
                reply = answer(question, space)
            except BaseException as error:  # an exit, an interrupt, a class of the student's own
                reply = {"error": describe(error, question["name"])}
            pipe.write(protocol.to_line({"id": trial["id"], **reply}))
            pipe.flush()
    os._exit(0)


def limit(megabytes: int) -> None:
    """Set what this process may use at most, beside what it has."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    # threads count for the whole user, who may run more programs than these
    everybody = int(Path("/proc/loadavg").read_text().split()[3].partition("/")[2])
    bounds = {
        resource.RLIMIT_AS: mapped + (megabytes << 20),
        resource.RLIMIT_NPROC: everybody + THREADS,
        resource.RLIMIT_FSIZE: 2 << 20,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in bounds.items():
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def answer(question: dict[str, Any], space: dict[str, Any]) -> dict[str, Any]:
    """Return what a question asks for."""
    import cells
    import faults
    import harness
    import protocol

    name = question["name"]
    if question["do"] == "execute":
        cells.execute(question, space)
        return {}
    if name not in space:
        return {"error": faults.undefined(name)}
    value = space[name]
    if question["do"] == "value":
        return {"value": protocol.encode(value)}
    if not callable(value):
        return {"error": faults.no_function(name, harness.kind(value))}
    arguments, untouched = (protocol.decode(question["arguments"]) for _ in range(2))
    run = getattr(harness, question["run"])
    call = harness.attempt(run, value, arguments, untouched, question["seed"])
    return {"value": protocol.encode(call.value), "error": call.error, "used": sorted(call.used)}


def describe(error: BaseException, name: str) -> str:
    """Return an error in one line, with the line of the cell where it arose."""
    import faults

    try:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame.lineno for frame in frames if frame.filename == name]
        kind, text = type(error).__name__[:100], faults.words_of(error)
        return faults.in_cell(kind, own[-1], text) if own else f"{kind}: {text}"
    except BaseException:  # an error of the student's own that cannot even be told
        return faults.WITHOUT_WORDS


if __name__ == "__main__":
    main()
