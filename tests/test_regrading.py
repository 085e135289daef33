"""A corrected check regrades its own exercise, and no other."""

import csv
import json

import pytest
from helpers import filled, write

from grading import key, marking
from grading.answers import checks
from lab.exercises.catalogue import ASKED, LAB
from tools.teachers import grade

FEW = ("rnn-cell", "mcnemar", "detach", "weights", "guess-linear")
CHANGES = [  # module, old, new -> whose digits change
    ("lab.exercises.solutions", "def mcnemar(", "def mcnemar(other=0, *", {"mcnemar"}),
    ("lab.exercises.tasks.analysis", "def _", "# a comment\ndef _", set()),
    ("lab.exercises.tasks.task", "BLOCKS = {", 'BLOCKS = {"X": 2, ', None),  # of some cells
]


@pytest.fixture
def present():
    return key.present()


@pytest.fixture
def changed(monkeypatch):
    """Change the source of a module, as `checks` reads it."""
    read = checks.source_of

    def change(module, old, new):
        assert old in read(module)
        text = {module: read(module).replace(old, new)}
        monkeypatch.setattr(checks, "source_of", lambda name: text.get(name) or read(name))
        forget()

    yield change
    monkeypatch.undo()
    forget()


def letter_but(answer):
    """Another letter than the right one, whichever that is this year."""
    return "b" if answer == "a" else "a"


def forget():
    for one in (checks._tree, checks._definitions, checks._imports):
        one.cache_clear()


def test_every_exercise_in_code_has_its_task_in_its_digits(present):
    for name in present:
        assert bool(checks._of_task(name)) == (ASKED[name].kind == "code"), name
    code = [name for name in present if ASKED[name].kind == "code"]
    assert len({checks._of_task(name) for name in code}) == len(code) > 20


@pytest.mark.parametrize(("module", "old", "new", "whose"), CHANGES)
def test_digits_change_with_the_exercises_own_check(present, changed, module, old, new, whose):
    before, common = checks.digests(present), checks.of_all()
    changed(module, old, new)
    after = checks.digests(present)
    differ = {name for name in present if before[name] != after[name]}
    assert differ == whose if whose is not None else 0 < len(differ) < len(present)
    assert checks.of_all() == common


def test_digits_change_with_answer_points_and_stub(present):
    before = checks.digests(present)
    other = {"weights": {"answer": 1}, "detach": {"answer": letter_but(present["detach"].answer)},
             "rnn-cell": {"points": 2}, "traps": {"stub": "x"}}  # fmt: skip
    new = present | {name: present[name]._replace(**one) for name, one in other.items()}
    after = checks.digests(new)
    assert {name for name in present if before[name] != after[name]} == set(other)


def test_what_marks_all_changes_the_digits_of_all(changed):
    before = checks.of_all()
    changed("lab.exercises.judge", "def judge(", "def judge(other=0, *")
    assert checks.of_all() != before


@pytest.fixture
def classroom(tmp_path, lab, solved):
    for who, names in (("anna", FEW), ("ben", FEW[:3])):
        notebook = filled(lab, {name: solved[name] for name in names})
        write(tmp_path / "in", {f"{who}/lab2.ipynb": json.dumps(notebook).encode()})
    write(tmp_path / "in", {"broken.ipynb": b"{"})
    return tmp_path / "in", tmp_path / "grades"


def rows(where, name="grades.csv"):
    with (where / name).open(encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file)]


def test_a_corrected_check_regrades_one_exercise_and_says_whose_points_changed(
    classroom, monkeypatch, present
):
    folder, where = classroom
    grade.grade(folder, where, "none")
    before = {row["student"]: row for row in rows(where)}
    monkeypatch.setattr(grade.self_test, "check_wall", lambda *_: None)  # it marks, too
    tried, mark_of = [], marking._mark_of
    monkeypatch.setattr(marking, "_mark_of", lambda n, *a: tried.append(n) or mark_of(n, *a))
    grade.grade(folder, where, "none")
    assert tried == []
    other = present["detach"]._replace(answer=letter_but(present["detach"].answer))
    mended = present | {"detach": other}
    monkeypatch.setattr(key, "present", lambda *_: mended)
    grade.grade(folder, where, "none")
    assert tried == ["detach", "detach"]
    after = {row["student"]: row for row in rows(where)}
    for who in ("anna", "ben"):
        changed = {n for n in LAB if ASKED[n].points and before[who][n] != after[who][n]}
        assert changed == {"detach"} and after[who]["detach"] == "0"
        assert before[who]["flags"] == after[who]["flags"]
    said = {(row["student"], row["exercise"], row["why"]) for row in rows(where, "changes.csv")}
    assert said == {(who, "detach", "regrade") for who in ("anna", "ben")}
