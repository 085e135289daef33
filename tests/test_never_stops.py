"""Whatever one hand-in holds is one row: no other loses by it, and the table is written."""

import csv
import io
import json
import random
import sys

import pytest
from helpers import filled, hand_in_of
from test_grading import about

from grading import graded, marking
from grading.sandbox.program import Dead
from grading.sandbox.trials import Sandbox
from tools.teachers import grade

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux")


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox("none") as one:
        yield one


HUGE = "0x" + "f" * 5_000
ODD = {
    "a number of 5,000 digits": {"weights": f"answer_weights = {HUGE}"},
    "one that is computed": {"weights": "answer_weights = int('f' * 5_000, 16)"},
    "one in a prediction": {"guess-gates": f"guess_gates = {{'0.50': {HUGE}, '0.73': 1}}"},
    "one as a letter": {"confound": f"answer_confound = {HUGE}"},
    "one as a student's number": {"about-you": f"student = {{'name': 'A', 'number': {HUGE}}}"},
    "a name that is no text": {"about-you": "student = {'name': [[{}]], 'number': b'\\xff'}"},
    "half a letter": {"rnn-cell": "def rnn_cell(*a):\n    raise ValueError('\\ud800')"},
    "half a letter as it is": {"rnn-cell": "def rnn_cell(*a):\n    raise ValueError('\ud800')"},
    "half a letter as a value": {"confound": "answer_confound = '\\ud800'"},
    "a hundred thousand lines": {"rnn-cell": "1\n" * 100_001},
    "a thousand brackets": {"rnn-cell": "rnn_cell = " + "(" * 5_000 + ")" * 5_000},
    "a hundred thousand signs": {"rnn-cell": "rnn_cell = " + "-" * 100_000 + "1"},
    "signs that a tree takes": {"weights": "answer_weights = " + "-" * 900 + "1"},
    "a sum of thousands": {"weights": "answer_weights = " + "+".join(["1"] * 5_000)},
    "nulls": {"rnn-cell": "rnn_cell = 1\0", "weights": "answer_weights = 1\0"},
    "a power": {"weights": "answer_weights = 9 ** 9 ** 9 ** 9"},
    "not a number": {"weights": "answer_weights = float('nan')"},
    "a dictionary of many": {"guess-gates": f"guess_gates = {dict.fromkeys(range(9_000), 1)}"},
}


def marked(notebook, keys, wall):
    result = marking.mark(hand_in_of(notebook), keys, next(iter(keys)), wall)
    row = graded.table([graded.Graded("anna", "anna", "anna.ipynb", result, {})])
    row.encode("utf-8")
    assert len([*csv.reader(io.StringIO(row))]) == 2
    return result


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_answer_costs_no_other(lab, solved, keys, sandbox, kind):
    right = {name: solved[name] for name in ("last-state", "detach", "choose-rate")}
    heads = {name: solved[name].partition("\n")[0] for name in ODD[kind] if name in solved}
    odd = {name: f"{heads.get(name, '')}\n{text}" for name, text in ODD[kind].items()}
    result = marked(filled(lab, right | odd), keys, sandbox)
    assert not result.failed, result.flags
    assert [result.marks[name].points for name in right] == [3, 1, 1]
    assert not any(result.marks[name].points for name in odd if name in result.marks)


def test_an_edition_of_any_length_is_one(lab, keys, sandbox):
    notebook = filled(lab, {"about-you": about("A", "1")})
    for name in ("x" * 300, "../" * 100, "\0", 7, ["x"], None, "\ud800"):
        notebook["metadata"]["lab2"]["edition"] = name
        assert not marked(notebook, keys, sandbox).failed


def mutated(content, rng):
    """Return a notebook in which something was torn out, doubled, or put in."""
    pieces = [b"{", b"}", b'"', b"[" * 50, b"\\ud800", b"\xff", b"null", b"1e999", b"\\u0000", b""]
    for _ in range(rng.randint(1, 8)):
        start = rng.randrange(len(content))
        end = start + rng.choice((0, 1, 5, 500))
        middle = rng.choice((*pieces, content[start:end] * 2))
        content = content[:start] + middle + content[end:]
    return content


BLOCKS = [range(60), pytest.param(range(60, 3_000), marks=pytest.mark.long)]


@pytest.mark.parametrize("seeds", BLOCKS, ids=str)
def test_a_damaged_notebook_is_one_row(lab, solved, keys, sandbox, seeds):
    whole = filled(lab, {name: solved[name] for name in ("confound", "weights", "traps")})
    content = json.dumps(whole).encode()
    for seed in seeds:
        marked(mutated(content, random.Random(seed)), keys, sandbox)


RAISED = [RecursionError(), MemoryError(), ValueError("\ud800 \x1b[2J"), KeyError(3), Dead("gone")]


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_whatever_is_raised_becomes_a_row_and_a_second_call_goes_on(
    lab, solved, monkeypatch, tmp_path, error
):
    """One of three stops the grader wherever it may: the others are graded, and then it is."""
    for name in ("anna", "ben", "cleo"):
        notebook = filled(lab, {"confound": solved["confound"]})
        notebook["metadata"]["of"] = name
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{name}.ipynb").write_text(json.dumps(notebook))
    made, places = marking.Notebook, []

    def breaks(cells):
        places.append(len(places))
        if len(places) == 2:
            raise error
        return made(cells)

    monkeypatch.setattr(grade.self_test, "check_wall", lambda *_: None)
    with monkeypatch.context() as patch:
        patch.setattr(marking, "Notebook", breaks)
        first = grade.grade(tmp_path / "in", tmp_path / "out", "none")
    failed = [one for one in first if one.result.failed]
    assert len(first) == 3 and len(failed) == 1 and failed[0].result.status == "unreadable"
    assert failed[0].result.flags[0].startswith(f"could not be graded: {type(error).__name__}")
    assert "could not be graded" in (tmp_path / "out" / "grades.csv").read_text(encoding="utf-8")
    again = grade.grade(tmp_path / "in", tmp_path / "out", "none")
    assert [one.result.marks["confound"].points for one in again] == [1, 1, 1]
