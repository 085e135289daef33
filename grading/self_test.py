"""The test of the grader itself, before it grades anybody: does the wall hold, are points right?"""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

from grading import key, marking
from grading.sandbox.trials import Sandbox, opened
from lab.config import ROOT, LabError

NAME = "rnn-cell"
MALICIOUS = """
import contextlib, socket
def rnn_cell(x, h, w_ih, w_hh, b_ih, b_hh):
    ways = []
    for path in PATHS:
        with contextlib.suppress(OSError):
            open(path, "ab").close()
            ways.append(path)
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", PORT), timeout=1).close()
        ways.append("network")
    return x.new_full((1, len(ways)), 7.0)
"""


def check_wall(wall: str | Sandbox, present: key.Key) -> None:
    """Grade a right, a wrong and a malicious answer. Raises LabError if one gets other points.

    wall: its name, or programs behind one; present: the key of the lab as it is
    """
    with opened(wall) as sandbox:
        _check(sandbox, present)


def _check(sandbox: Sandbox, present: key.Key) -> None:
    def mark(source: str) -> marking.Mark:
        return marking.marks_of({NAME: source}, {NAME: present[NAME]}, sandbox)[0][NAME]

    solved, most = key.solved()[NAME], present[NAME].points
    right, wrong = mark(solved), mark(solved.replace("torch.tanh", "torch.sigmoid"))
    if right.points != most or wrong.points != 0:
        raise LabError(
            f"The test of the grader failed: the right answer got {right.points:g} of {most} "
            f"points, a wrong one {wrong.points:g}. {' '.join(right.lines)} Nothing was graded."
        )
    with tempfile.NamedTemporaryFile() as secret, socket.create_server(("127.0.0.1", 0)) as server:
        Path(secret.name).chmod(0o666)
        paths, port = [secret.name, str(ROOT / "lab2.ipynb")], server.getsockname()[1]
        evil = mark(f"# Exercise {NAME}\nPATHS, PORT = {paths!r}, {port}\n{MALICIOUS}")
    lines = " ".join(evil.lines)
    if "expected" in lines and "(1, 0)" not in lines and sandbox.wall != "none":
        raise LabError(f"The wall ({sandbox.wall}) lets through: {lines} Nothing was graded.")
