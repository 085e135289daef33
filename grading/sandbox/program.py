"""A student's program behind a wall: started, asked, watched, ended.

The wall keeps a program from reading more than Python and its packages, from writing outside of a
folder of its own, from the network, from other programs; limits and a watchdog keep it from taking
more memory, time and processes than it is given. Its answers are values, and may be lies. It needs
Linux (on Windows, WSL2); macOS has neither wall.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
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

from grading.sandbox import protocol
from lab.exercises import harness

HERE = Path(__file__).resolve().parent
BEHIND = (  # these files lie behind the wall, side by side
    *(HERE / name for name in ("child.py", "cells.py", "protocol.py", "landlock.py")),
    Path(harness.__file__),
)
VARIABLES = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1",
             "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # fmt: skip
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
    if wall == "bwrap" and not shutil.which(wall):
        return False
    try:
        with contextlib.closing(Program(wall)) as program:
            replies = program.try_out([cell("x", "x = 1"), {"do": "value", "name": "x"}])
    except (Dead, OSError):
        return False
    return replies[-1].get("value") == 1


def cell(name: str, source: str, before: Sequence[str] = ()) -> dict[str, Any]:
    """Return the question that executes a cell; before: statements of others that it needs."""
    return {"do": "execute", "name": name, "source": source, "before": list(before)}


class Program:
    """One process behind a wall: "bwrap", "landlock", or "none", which keeps nothing out."""

    def __init__(self, wall: str) -> None:
        """Start the process, and wait until it can be asked. Raises Dead if it does not start."""
        self.folder = Path(tempfile.mkdtemp(prefix="grade-"))
        self.readable = self.folder / "grader"
        self.work = self.folder / "work"
        for folder in (self.readable, self.work):
            folder.mkdir()
        for file in BEHIND:
            shutil.copy(file, self.readable)
        self.folder.chmod(0o755)
        if os.geteuid() == 0 and wall != "none":
            os.chown(self.work, NOBODY, NOBODY)
        pipe = subprocess.PIPE
        command = self._command(wall)
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, cwd=self.work,
            env=VARIABLES | {"HOME": HOME if wall == "bwrap" else str(self.work)},
            start_new_session=True,
        )  # fmt: skip
        self.buffer = b""
        self._wait("ready", START)

    def _command(self, wall: str) -> list[str]:
        child = [sys.executable, "-I", "-B"]
        arguments = [wall, str(SECONDS), str(MEGABYTES)]
        if wall != "bwrap":
            return [*child, str(self.readable / "child.py"), *arguments, str(self.work)]
        root = ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        return [
            *("bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
            *("--unshare-cgroup-try", "--die-with-parent", "--new-session"),
            *(root if os.geteuid() == 0 else ["--unshare-user"]),
            *("--size", str(64 << 20), "--tmpfs", "/tmp"),  # before what may lie in it
            *_bindings(self.readable),
            *("--proc", "/proc", "--dev", "/dev"),
            *("--perms", "0777", "--size", str(64 << 20), "--tmpfs", HOME, "--chdir", HOME),
            *("--", *child, "/grader/child.py", *arguments, HOME),
        ]

    def try_out(self, questions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Ask, and return what came of each question; what there is to ask, `child.py` says.

        Where the copy that does this dies, the last of what is returned says why, as `dead`.
        Raises Dead if the program itself dies.
        """
        name = secrets.token_hex(8)
        with contextlib.suppress(OSError):  # if it has ended, that is seen below
            self.process.stdin.write(protocol.to_line({"id": name, "questions": list(questions)}))
            self.process.stdin.flush()
        replies: list[dict[str, Any]] = []
        while len(replies) < len(questions) and not (replies and "dead" in replies[-1]):
            replies.append(self._wait(name, 2 * SECONDS + 10))  # the program itself ends its copy
        return replies

    def _wait(self, name: str, seconds: float) -> dict[str, Any]:
        deadline, output, fault = time.monotonic() + seconds, self.process.stdout.fileno(), ""
        while not fault:
            while b"\n" in self.buffer:
                line, _, self.buffer = self.buffer.partition(b"\n")
                if (answer := protocol.from_line(line, name)) is not None:
                    return answer
            fault = self._fault() if time.monotonic() < deadline else "the program does not answer"
            if select.select([output], [], [], 0.1)[0]:
                chunk = os.read(output, 1 << 20)
                self.buffer += chunk
                fault = fault if chunk else "it ended the program"
        self.close()
        raise Dead(fault)

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

    def close(self) -> None:
        """End the process and all that it started, wait until they are gone, remove its folder."""
        family: list[psutil.Process] = []
        with contextlib.suppress(psutil.Error):
            family = psutil.Process(self.process.pid).children(recursive=True)
        for one in family:
            with contextlib.suppress(psutil.Error):
                one.kill()
        psutil.wait_procs(family, timeout=5)  # while their parent lives, which tidies up after them
        with contextlib.suppress(OSError), self.process:  # waits for it, and closes its pipes
            os.killpg(self.process.pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


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
