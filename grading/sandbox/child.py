"""Runs behind the wall: executes a student's answers, and sends back what their functions return.

It knows no answer. Whatever runs here can be forged by what the student wrote; so the grader, which
starts it, takes values from here and nothing else.

    python -I child.py WALL SECONDS MEGABYTES FOLDER

reads trials from its input, a line of JSON each. For each it makes a copy of itself, which answers
some questions and dies; so no answer touches another, and PyTorch is loaded once. What the copy
says is handed on, a line for each question:
    execute a cell's name and source, and what it needs of others: nothing, or an error
    call    a function's name, how it is called, its arguments: what came of it
    value   a variable's name: its value

It imports what lies beside it behind the wall, and only when the rights are gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import struct
import sys
import traceback
from pathlib import Path
from typing import IO, Any

HERE = str(Path(__file__).resolve().parent)
NOBODY = 65534
KEEP_CAPABILITIES = 8  # of prctl
READ_ANYTHING = 1 << 2  # CAP_DAC_READ_SEARCH
VERSION_OF_CAPABILITIES = 0x20080522
LONGEST = 8 << 20  # bytes of one answer


def main() -> None:
    """Take rights away, load what answers need, and try them until the input ends."""
    wall, seconds, megabytes, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    sys.path.insert(0, HERE)
    if os.geteuid() == 0 and wall != "none":
        become_nobody(READ_ANYTHING if wall == "landlock" else 0)
    if wall == "landlock":
        import landlock

        landlock.close_files(folder, [HERE, sys.prefix, sys.base_prefix])
    limit(megabytes)
    serve(wall, seconds)


def become_nobody(kept: int) -> None:
    """Give up root's rights, but for those in `kept`.

    With Landlock that is the one to read, which it bounds: Python may lie in a folder of root's.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    failed = libc.prctl(KEEP_CAPABILITIES, int(kept > 0), 0, 0, 0)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    head = struct.pack("Ii", VERSION_OF_CAPABILITIES, 0)
    if failed or libc.capset(head, struct.pack("6I", kept, kept, 0, 0, 0, 0)):
        raise OSError(ctypes.get_errno(), "cannot give up root's rights")


def limit(megabytes: int) -> None:
    """Set what this process and its copies may use at most."""
    bounds = {
        resource.RLIMIT_DATA: megabytes << 20,
        resource.RLIMIT_AS: 4 * megabytes << 20,  # PyTorch maps more than it uses
        resource.RLIMIT_FSIZE: 16 << 20,
        resource.RLIMIT_NPROC: 256,
        resource.RLIMIT_NOFILE: 128,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in bounds.items():
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def serve(wall: str, seconds: int) -> None:
    """Try what the input asks for until it ends; each trial in a copy of this process."""
    import cells
    import harness  # noqa: F401, here once, and not in each copy
    import protocol
    import torch

    torch.set_num_threads(1)
    torch.optim.SGD([torch.zeros(1, requires_grad=True)])  # the first one loads for a second
    space, output = cells.names(), sys.stdout.buffer
    output.write(protocol.to_line({"id": "ready"}))
    output.flush()
    for line in sys.stdin.buffer:
        trial = json.loads(line)
        reading, writing = os.pipe()
        copy = os.fork()
        if copy == 0:
            os.close(reading)
            try_out(trial, writing, space, wall)
        os.close(writing)
        hand_on(reading, trial, seconds, output)
        end_all(copy, wall)


def hand_on(reading: int, trial: dict[str, Any], seconds: int, output: IO[bytes]) -> None:
    """Hand on what a copy says, until it has said all; or why it does not."""
    import protocol

    rest, why, missing = b"", "", len(trial["questions"])
    with open(reading, "rb", buffering=0) as pipe:
        while missing and not why:
            line, newline, rest = rest.partition(b"\n")
            if newline:
                missing -= 1
                if "dead" in (protocol.from_line(line, trial["id"]) or {"dead": "it is none"}):
                    why = "it wrote where only the lab writes"
                else:
                    output.write(line + b"\n")
            elif len(line) > LONGEST:
                why = "it returned too much"
            elif not select.select([pipe], [], [], seconds)[0]:
                why = f"it had not come to an end after {seconds} seconds"
            elif chunk := pipe.read(1 << 16):
                rest = line + chunk
            else:
                why = "it ended the program: an exit, a crash, or too much memory"
    if why:
        output.write(protocol.to_line({"id": trial["id"], "dead": why}))
    output.flush()


def end_all(copy: int, wall: str) -> None:
    """End a copy; behind bubblewrap also whatever it has started, for nothing else lives there."""
    with contextlib.suppress(ProcessLookupError):
        if wall == "bwrap":
            for _ in range(1000):  # until there is nobody left
                os.kill(-1, signal.SIGKILL)
        os.kill(copy, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def try_out(trial: dict[str, Any], writing: int, space: dict[str, Any], wall: str) -> None:
    """Answer the questions of a trial; in a copy, which ends here."""
    import protocol

    if wall == "landlock":
        import landlock

        landlock.close_calls()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)  # whatever is printed goes nowhere
    with open(writing, "wb") as pipe:
        for question in trial["questions"]:
            try:
                reply = answer(question, space)
            except BaseException as error:  # an exit, an interrupt, a class of the student's own
                reply = {"error": describe(error, question["name"])}
            pipe.write(protocol.to_line({"id": trial["id"], **reply}))
            pipe.flush()
    os._exit(0)


def answer(question: dict[str, Any], space: dict[str, Any]) -> dict[str, Any]:
    """Return what a question asks for."""
    import cells
    import harness
    import protocol

    name = question["name"]
    if question["do"] == "execute":
        cells.execute(question, space)
        return {}
    if name not in space:
        return {"error": f"{name} is not defined"}
    value = space[name]
    if question["do"] == "value":
        return {"value": protocol.encode(value)}
    if not callable(value):
        return {"error": f"{name} is {harness.kind(value)}, and should be a function"}
    arguments, untouched = (protocol.decode(question["arguments"]) for _ in range(2))
    run = getattr(harness, question["run"])
    call = harness.attempt(run, value, arguments, untouched, question["seed"])
    return {"value": protocol.encode(call.value), "error": call.error, "used": sorted(call.used)}


def describe(error: BaseException, name: str) -> str:
    """Return an error in one line, with the line of the cell where it arose."""
    try:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame.lineno for frame in frames if frame.filename == name]
        where = f" in line {own[-1]} of the cell" if own else ""
        return f"{type(error).__name__}{where}: {' '.join(str(error).split())[:200]}"
    except BaseException:  # an error of the student's own that cannot even be told
        return "an error without words"


if __name__ == "__main__":
    main()
