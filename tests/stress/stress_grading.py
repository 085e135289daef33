"""Long test of the grader: a class of 200, of whom 30 are hostile; prints what it took.

pytest tests/stress/stress_grading.py -s
"""

import itertools
import json
import os
import random
import resource
import statistics
import time
from pathlib import Path

import forms
import pytest
from helpers import filled, write
from hostile import EVIL, hostile_cell
from test_grading import grade_and_read

from grading import key
from grading.sandbox import program
from lab.exercises.catalogue import LAB
from tools.teachers import student_edition

HONEST, WRONG, HOSTILE = 140, 30, 30
LOOPS = [kind for kind in EVIL if "loop" in kind or "sleep" in kind or "thread" in kind]


def hand_ins(solved):
    """Yield (name, notebook) of a class: right or partly right, wrong, hostile."""
    edition = json.loads(student_edition.contents()["lab2.ipynb"])
    dice = random.Random(0)
    names = [name for name in forms.WRONG if name in LAB]
    wrong = {name: [one for one, _ in forms.wrong(solved[name], name)] for name in names}
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


def computed():
    """Return the seconds that this process and those that it started have computed."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def run(folder, where, wall):
    """Grade a folder; return the rows, and in words what it took."""
    start, before = time.monotonic(), computed()
    rows = grade_and_read(folder, where, wall)
    took, cost = time.monotonic() - start, computed() - before
    return rows, (
        f"{took:.0f} s (load {os.getloadavg()[0]:.0f}), {cost:.0f} s of computing, "
        f"{cost / len(rows):.2f} s each"
    )


@pytest.mark.parametrize("wall", ["bwrap", "landlock"])
def test_a_class_of_two_hundred(tmp_path, wall):
    if not program.stands(wall):
        pytest.skip(f"this system has no {wall}")
    everybody, honest = tmp_path / "everybody", tmp_path / "honest"
    for name, notebook in hand_ins(key.solved()):
        file = {f"{name}.ipynb": json.dumps(notebook).encode()}
        write(everybody, file)
        if not name.startswith("hostile"):
            write(honest, file)
    for where in (tmp_path / "one", tmp_path / "two"):  # what is half right depends on the inputs
        where.mkdir()
        (where / "seed.json").write_text('{"seed": 5}')
    rows, cost = run(everybody, tmp_path / "two", wall)
    print(f"\n{len(rows)} hand-ins {cost}")
    calm, calm_cost = run(honest, tmp_path / "one", wall)
    points = [name for name in LAB if LAB[name].points]
    for name, row in calm.items():
        assert [rows[name][p] for p in points] == [row[p] for p in points], name
    hostile = [(r["rnn-cell"], r["last-state"]) for n, r in rows.items() if n[:7] == "hostile"]
    assert set(hostile) == {("0", "3")}
    took = sorted(float(row["seconds"]) for row in calm.values())
    print(
        f"without the hostile {calm_cost}; an honest one "
        f"{statistics.median(took):.1f} s (median), {took[-1]:.1f} s (longest)"
    )
