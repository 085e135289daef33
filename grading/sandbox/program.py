"""A program behind a wall: started, asked, ended. `child.py` is what runs there.

The wall keeps a program from reading more than Python and its packages, from writing outside of a
folder of its own, from the network, from other programs; limits and a watchdog keep it from taking
more memory, time and threads than it is given. Its answers are values, and may be lies. It needs
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

from grading.sandbox import faults, protocol, scratch
from lab.base import messages
from lab.exercises import errors, harness, small_models

HERE = Path(__file__).resolve().parent
BEHIND = (  # these files lie behind the wall, side by side
    *(HERE / f"{name}.py" for name in ("child", "cells", "protocol", "scratch", "faults")),
    *(HERE / f"{name}.py" for name in ("landlock", "calls")),
    Path(harness.__file__),
    Path(small_models.__file__),
    Path(errors.__file__),
    Path(messages.__file__),
)
VARIABLES = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1",
             "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # fmt: skip
HOME = "/submission"  # the folder that a program may write to, as bubblewrap shows it
NOBODY = 65534  # user and group, as root's programs run where there are no others
USERS = 0x70000000  # from here on are users that no system gives to anybody
START = 120.0  # seconds until a program must be ready: PyTorch takes some on a busy machine
SECONDS = 5  # of computing, for one cell or question
MEGABYTES = 900
LONGEST = 9 << 20  # bytes of one answer


class Dead(Exception):
    """The program does not start, or has ended; its argument says in words why."""


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
            program.begin()
            replies, _ = program.try_out([cell("x", "x = 1"), {"do": "value", "name": "x"}])
    except (Dead, OSError):
        return False
    return replies[-1:] == [{"value": 1}]


def cell(name: str, source: str, before: Sequence[str] = ()) -> dict[str, Any]:
    """Return the question that executes a cell; before: statements of others that it needs."""
    return {"do": "execute", "name": name, "source": source, "before": list(before)}


class Program:
    """A process behind a wall: "bwrap", "landlock", or "none", which keeps nothing out.

    It loads PyTorch once, and serves one hand-in after another.
    """

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
        user = _user() if os.geteuid() == 0 and wall != "none" else 0
        if user:
            os.chown(self.work, user, user)
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            self._command(wall, user), stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL,
            cwd=self.work, env=VARIABLES | {"HOME": HOME if wall == "bwrap" else str(self.work)},
            start_new_session=True,
        )  # fmt: skip
        self.buffer = b""
        if not self._is_ready():
            raise Dead(faults.NOT_STARTED)

    def _command(self, wall: str, user: int) -> list[str]:
        child = [sys.executable, "-I", "-B"]
        arguments = [wall, str(SECONDS), str(MEGABYTES), str(user)]
        if wall != "bwrap":
            return [*child, str(self.readable / "child.py"), *arguments, str(self.work)]
        root = ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]  # until it is nobody
        return [
            *("bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
            *("--unshare-cgroup-try", "--die-with-parent", "--new-session", "--as-pid-1"),
            *("--cap-drop", "ALL"),
            *(root if user else ["--unshare-user"]),
            *("--tmpfs", "/tmp"),  # before what may lie in it
            *_bindings(self.readable),
            *("--proc", "/proc", "--dev", "/dev"),
            *("--perms", "0777", "--size", str(16 << 20), "--tmpfs", HOME, "--chdir", HOME),
            # nothing else can be written to, and keep what a hand-in leaves for the next
            *("--remount-ro", "/dev", "--remount-ro", "/tmp", "--remount-ro", "/"),
            *("--", *child, "/grader/child.py", *arguments, HOME),
        ]

    def is_alive(self) -> bool:
        """Say whether the process has not ended."""
        return self.process.poll() is None

    def begin(self) -> None:
        """Begin with a hand-in; what is tried from here on has a copy of its own."""
        self._write(b"+")

    def finish(self) -> bool:
        """End a hand-in; say whether the program can serve another."""
        self._write(protocol.to_line({}))
        return self._is_ready()

    def try_out(self, questions: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
        """Ask, and return what came of each question; what there is to ask, `child.py` says.

        Where the answers end before the questions, also in words why.
        """
        name = secrets.token_hex(8)
        self._write(protocol.to_line({"id": name, "questions": list(questions)}))
        replies: list[dict[str, Any]] = []
        while len(replies) < len(questions):
            try:
                reply = self._wait(name, START + 12 * SECONDS)  # it ends itself what takes long
            except Dead as dead:
                return replies, dead.args[0]
            if "dead" in reply:
                return replies, reply["dead"]
            replies.append(reply)
        return replies, ""

    def _write(self, content: bytes) -> None:
        with contextlib.suppress(OSError):  # if it has ended, that is seen where it should answer
            self.process.stdin.write(content)
            self.process.stdin.flush()

    def _is_ready(self) -> bool:
        try:
            return self._wait("ready", START) == {}
        except Dead:
            return False

    def _wait(self, name: str, seconds: float) -> dict[str, Any]:
        """Return the next message of a name. Raises Dead, and ends all, if none comes."""
        deadline, output = time.monotonic() + seconds, self.process.stdout.fileno()
        fault = ""
        while not fault:
            while b"\n" in self.buffer:
                line, _, self.buffer = self.buffer.partition(b"\n")
                if (answer := protocol.from_line(line, name)) is not None:
                    del answer["id"]
                    return answer
                if protocol.from_line(line, "ready") is not None:  # and no hand-in any more
                    fault = faults.ENDED
            if len(self.buffer) > LONGEST:
                fault = faults.TOO_LARGE
            elif time.monotonic() > deadline:
                fault = faults.SILENT
            elif not fault and select.select([output], [], [], 1)[0]:
                chunk = os.read(output, 1 << 20)
                self.buffer += chunk
                fault = "" if chunk else faults.ENDED
        self.close()
        raise Dead(fault)

    def close(self) -> None:
        """End the process and all that it started, wait until they are gone, remove its folder."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            self.process.stdin.close()  # if it waits for a hand-in, it ends by itself
            self.process.wait(1)
        with contextlib.suppress(OSError), self.process:  # waits for it, and closes its pipes
            if self.is_alive():
                os.killpg(self.process.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            scratch.empty(str(self.work))
        shutil.rmtree(self.folder, ignore_errors=True)


def _user() -> int:
    """Return a user for root's program that no other has, so that limits for users are its own."""
    map_of_users = Path("/proc/self/uid_map").read_text().split()
    return (
        USERS + secrets.randbelow(1 << 24) if map_of_users == ["0", "0", "4294967295"] else NOBODY
    )


def _bindings(grader: Path) -> list[str]:
    """Return what bubblewrap shows of this system: Python, its packages, the child's own files."""
    pythons = [Path(sys.prefix), Path(sys.base_prefix)]
    pythons += [path.resolve() for path in pythons]
    options = []
    system = [
        Path(path) for path in ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache")
    ]
    for path in dict.fromkeys([*system, *pythons]):
        if not path.exists():
            continue
        above = [str(one) for one in reversed(path.parents)][1:]  # from the top, without "/"
        options += [part for one in above for part in ("--perms", "0755", "--dir", one)]
        link = ["--symlink", str(path.readlink())] if path.is_symlink() else []
        options += [*(link or ["--ro-bind", str(path)]), str(path)]
    return [*options, "--ro-bind", str(grader), "/grader"]
