"""A student's program behind a wall: started, asked, watched, ended.

    find_wall   which wall this system has: "bwrap", "landlock", or "" for neither
    Program     one process behind it, which answers questions (see `child.py`)

The wall keeps a program from reading more than Python and its packages, from writing outside of a
folder of its own, from the network, from other programs; limits and a watchdog keep it from taking
more memory, time and processes than it is given. Its answers are values, and may be lies.

Linux alone. On Windows, WSL2 is Linux. macOS has neither wall.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from grading.sandbox import landlock, protocol
from lab.exercises import harness

HERE = Path(__file__).resolve().parent
BEHIND = {  # name behind the wall -> file
    **{name: HERE / name for name in ("child.py", "protocol.py", "landlock.py")},
    "harness.py": Path(harness.__file__),
}
HOME = "/submission"  # the folder that a program may write to, as bubblewrap shows it
NOBODY = 65534  # user and group, as root's submissions run
START = 60.0  # seconds until a program must be ready: PyTorch takes some on a busy machine
SECONDS = 5  # for one cell or question
MEGABYTES = 900
PROCESSES = 64
LONGEST = 8 << 20  # bytes of one answer


class Dead(Exception):
    """The program has ended, or was ended; says in words why."""


def find_wall() -> str:
    """Return which wall this system has: "bwrap", "landlock", or "" for neither."""
    if sys.platform == "linux":
        return next(filter(stands, ("bwrap", "landlock")), "")
    return ""


def stands(wall: str) -> bool:
    """Say whether a program can be asked behind a wall here."""
    available = {"bwrap": shutil.which("bwrap"), "landlock": landlock.version()}
    if not available[wall]:
        return False
    try:
        with Program(wall) as program:
            replies = program.try_out([("x", "x = 1")], [{"do": "value", "name": "x"}])
    except (Dead, OSError):
        return False
    return replies[-1].get("value") == 1


class Program:
    """One process behind a wall.

    wall: "bwrap", "landlock", or "none", which keeps nothing out
    """

    def __init__(self, wall: str) -> None:
        """Start the process, and wait until it can be asked. Raises Dead if it does not start."""
        self.folder = Path(tempfile.mkdtemp(prefix="grade-"))
        self.readable = self.folder / "grader"
        self.work = self.folder / "work"
        for folder in (self.readable, self.work):
            folder.mkdir()
        for name, file in BEHIND.items():
            shutil.copy(file, self.readable / name)
        self.folder.chmod(0o755)
        if os.geteuid() == 0 and wall != "none":
            os.chown(self.work, NOBODY, NOBODY)
        pipe = subprocess.PIPE
        command = self._command(wall)
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, cwd=self.work,
            env=_variables(str(self.work)), start_new_session=True,
        )  # fmt: skip
        self.buffer = b""
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        os.set_blocking(self.process.stdout.fileno(), False)
        self._wait("ready", START)

    def _command(self, wall: str) -> list[str]:
        child = [sys.executable, "-I", "-B"]
        arguments = [wall, str(SECONDS), str(MEGABYTES)]
        if wall != "bwrap":
            return [*child, str(self.readable / "child.py"), *arguments, str(self.work)]
        root = ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        return [
            *("bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
            *("--unshare-cgroup-try", "--die-with-parent", "--new-session", "--clearenv"),
            *(root if os.geteuid() == 0 else ["--unshare-user"]),
            *(part for pair in _variables(HOME).items() for part in ("--setenv", *pair)),
            *("--size", str(64 << 20), "--tmpfs", "/tmp"),  # before what may lie in it
            *_bindings(self.readable),
            *("--proc", "/proc", "--dev", "/dev"),
            *("--perms", "0777", "--size", str(64 << 20), "--tmpfs", HOME, "--chdir", HOME),
            *("--", *child, "/grader/child.py", *arguments, HOME),
        ]

    def try_out(
        self, cells: Sequence[tuple[str, str]], questions: Sequence[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Execute cells (name, source), and ask; return what came of each cell and question.

        Where the copy that does this dies, the last of what is returned says why, as `dead`.
        Raises Dead if the program itself dies.
        """
        name, wanted = secrets.token_hex(8), len(cells) + len(questions)
        trial = {"id": name, "cells": list(cells), "questions": list(questions)}
        try:
            self.process.stdin.write(protocol.to_line(trial))
            self.process.stdin.flush()
        except OSError:
            self.end()
            raise Dead("the program had ended") from None
        replies: list[dict[str, Any]] = []
        while len(replies) < wanted and not (replies and "dead" in replies[-1]):
            replies.append(self._wait(name, 2 * SECONDS + 10))  # the program itself ends its copy
        return replies

    def _wait(self, name: str, seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            while b"\n" in self.buffer:
                line, _, self.buffer = self.buffer.partition(b"\n")
                if (answer := _read(line, name)) is not None:
                    return answer
            for _ in self.selector.select(timeout=0.1):
                chunk = self.process.stdout.read(1 << 20)
                if chunk == b"":
                    self.end()
                    raise Dead("it ended the program")
                self.buffer += chunk or b""
            if fault := self._fault():
                self.end()
                raise Dead(fault)
        self.end()
        raise Dead("the program does not answer")

    def _fault(self) -> str:
        """Return what the program takes too much of; "" if nothing."""
        if len(self.buffer) > LONGEST:
            return "it returned too much"
        with contextlib.suppress(psutil.Error):
            top = psutil.Process(self.process.pid)
            family = [top, *top.children(recursive=True)]
            if len(family) > PROCESSES:
                return "it started too many programs"
            if sum(one.memory_info().rss for one in family) > (2 * MEGABYTES << 20):
                return "it took too much memory"
        return ""

    def end(self) -> None:
        """End the process and all that it started, wait until they are gone, remove its folder."""
        family: list[psutil.Process] = []
        with contextlib.suppress(psutil.Error):
            family = psutil.Process(self.process.pid).children(recursive=True)
        for one in family:
            with contextlib.suppress(psutil.Error):
                one.kill()
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        _await_end(family)
        self.selector.close()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def _await_end(family: Sequence[psutil.Process], seconds: float = 5.0) -> None:
    """Wait until some programs have ended; whoever inherits them may tidy up after them later."""
    deadline = time.monotonic() + seconds
    while any(map(_is_alive, family)) and time.monotonic() < deadline:
        time.sleep(0.005)


def _is_alive(one: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return one.is_running() and one.status() != psutil.STATUS_ZOMBIE
    return False


def _read(line: bytes, name: str) -> dict[str, Any] | None:
    """Return the answer to a question in a line of output; None if it is none."""
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) and answer.get("id") == name else None


def _variables(home: str) -> dict[str, str]:
    one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {"PATH": "/usr/bin:/bin", "HOME": home, "LANG": "C.UTF-8", **one}


def _bindings(grader: Path) -> list[str]:
    """Return what bubblewrap shows of this system: Python, its packages, the child's own files."""
    pythons = [Path(sys.prefix), Path(sys.base_prefix)]
    pythons += [path.resolve() for path in pythons]
    options = []
    system = [Path(path) for path in ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache")]
    for path in dict.fromkeys([*system, *pythons]):
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            above = [str(one) for one in reversed(path.parents)][1:]  # from the top, without "/"
            options += [part for one in above for part in ("--perms", "0755", "--dir", one)]
            options += ["--ro-bind", str(path), str(path)]
    return [*options, "--ro-bind", str(grader), "/grader"]
