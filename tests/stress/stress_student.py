"""Long test of the student's edition: Run All with each single answer wrong, one after another."""

import copy

import nbformat
import pytest
from helpers import NOTEBOOK, ROOT, execute, said
from test_student import outputs_of, wrongly

from lab.exercises import answer_cells
from lab.exercises.catalogue import LAB
from tools.teachers import student_edition


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A student's folder, and another for what its runs leave."""
    folder = tmp_path_factory.mktemp("student")
    student_edition.write(folder / "student", student_edition.contents())
    variables = {"LAB2_PROFILE": "tiny", "LAB2_OUT": str(folder / "out")}
    variables["LAB2_DATA"] = str(ROOT / "data")  # for its caches
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield folder / "student"


@pytest.fixture(scope="module")
def right(place):
    """The solved notebook, executed; and its answers."""
    notebook = nbformat.read(ROOT / NOTEBOOK, as_version=4)
    return execute(notebook), answer_cells.find(notebook.cells)


@pytest.mark.parametrize("name", LAB)
def test_one_wrong_answer_stops_nothing_and_costs_no_other(place, right, name, monkeypatch):
    monkeypatch.setenv("LAB2_PROFILE", "tiny")
    monkeypatch.setenv("LAB2_OUT", str(place.parent / "out"))
    monkeypatch.setenv("LAB2_DATA", str(ROOT / "data"))
    solved, found = right
    notebook = copy.deepcopy(nbformat.read(ROOT / NOTEBOOK, as_version=4))
    notebook.cells[found[name][0].place].source = wrongly(found[name][0].source, name)
    done = execute(notebook, place)
    ours, theirs = outputs_of(done), outputs_of(solved)
    assert [cell for cell in ours if ours[cell] != theirs[cell]] == []
    lost = LAB[name].points if LAB[name].kind in ("code", "guess") else 0
    assert f"] {61 - lost} of 61 points" in said(done)
