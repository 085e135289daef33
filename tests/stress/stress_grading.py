"""Long test of the grader: a class of 200, of whom 30 are hostile; prints what it took.

pytest tests/stress/stress_grading.py -s
"""

import csv
import io
import itertools
import json
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil
from helpers import ROOT
from hostile import EVIL, hostile_cell
from mutants import mutants
from test_grading import filled

from grading import key
from lab.exercises.catalogue import LAB
from tools.teachers import student_edition

HONEST, WRONG, HOSTILE = 140, 30, 30
LOOPS = [kind for kind in EVIL if "loop" in kind or "sleep" in kind or "thread" in kind]


def hand_ins(solved):
    """Yield (name, notebook) of a class: right or partly right, wrong, hostile."""
    edition = json.loads(student_edition.contents()["lab2.ipynb"])
    dice = random.Random(0)
    wrong = {}
    for name, _, source in mutants():
        if name in LAB:
            wrong.setdefault(name, []).append(source)
    for i in range(HONEST):
        share = dice.choice((0.3, 0.6, 0.9, 1.0))
        some = {name: source for name, source in solved.items() if dice.random() < share}
        slips = dice.sample(sorted(some.keys() & wrong), min(2, len(some.keys() & wrong)))
        some |= {name: dice.choice(wrong[name]) for name in slips if share < 1}
        yield f"honest_{i:03d}", filled(edition, some)
    for i in range(WRONG):
        yield f"wrong_{i:03d}", filled(edition, {n: dice.choice(s) for n, s in wrong.items()})
    kinds = itertools.cycle([*LOOPS, *(kind for kind in EVIL if kind not in LOOPS)])
    for i, kind in zip(range(HOSTILE), kinds, strict=False):
        evil = {"rnn-cell": hostile_cell(kind, Path("/tmp/none"), 9)}
        yield f"hostile_{i:03d}", filled(edition, solved | evil)


def run(folder, where):
    """Grade a folder as a teacher does; return the rows, the seconds, and the largest child."""
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]);"
        "from tools.teachers import grade; grade.GRADES = Path(sys.argv[2]);"
        "sys.argv[1:] = sys.argv[3:]; sys.exit(grade.main())"
    )
    start, largest = time.monotonic(), 0
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(ROOT), str(where), str(folder)], stderr=subprocess.DEVNULL
    )
    while process.poll() is None:
        largest = max(largest, largest_below(process.pid))
        time.sleep(0.05)
    assert process.returncode == 0
    text = (where / "grades.csv").read_text(encoding="utf-8")
    rows = {row["student"]: row for row in csv.DictReader(io.StringIO(text))}
    return rows, time.monotonic() - start, largest


def largest_below(pid):
    """Return the bytes in memory of the largest program that a program has started."""
    sizes = [0]
    for one in psutil.Process(pid).children(recursive=True):
        try:
            sizes.append(one.memory_info().rss)
        except psutil.Error:
            continue
    return max(sizes)


def test_a_class_of_two_hundred(tmp_path):
    everybody, honest = tmp_path / "everybody", tmp_path / "honest"
    for folder in (everybody, honest):
        folder.mkdir()
    for name, notebook in hand_ins(key.solved()):
        (everybody / f"{name}.ipynb").write_text(json.dumps(notebook))
        if not name.startswith("hostile"):
            (honest / f"{name}.ipynb").write_text(json.dumps(notebook))
    rows, seconds, largest = run(everybody, tmp_path / "one")
    calm, calm_seconds, calm_largest = run(honest, tmp_path / "two")
    points = [name for name in LAB if LAB[name].points]
    for name, row in calm.items():
        assert {p: rows[name][p] for p in points} == {p: row[p] for p in points}, name
    assert {row["rnn-cell"] for name, row in rows.items() if name[:7] == "hostile"} == {"0"}
    assert {row["last-state"] for name, row in rows.items() if name[:7] == "hostile"} == {"3"}
    took = sorted(float(row["seconds"]) for row in calm.values())
    print(
        f"\n{len(rows)} hand-ins {seconds:.0f} s, largest program {largest / 1e6:.0f} MB; without "
        f"the hostile {calm_seconds:.0f} s, {calm_largest / 1e6:.0f} MB; an honest one "
        f"{statistics.median(took):.1f} s (median), {took[-1]:.1f} s (longest)"
    )
