"""Cells in a real kernel: progress, a stop, and a restart in the middle of the lab."""

import copy

import nbformat
import pytest
from helpers import ROOT, execute, said
from IPython.core.interactiveshell import InteractiveShell

from lab.config import LabError
from lab.exercises import answer_cells
from lab.exercises.catalogue import ASKED
from lab.notebooks import session


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Let kernels run in the smallest profile, and write to a folder of their own."""
    monkeypatch.setenv("LAB2_PROFILE", "tiny")
    monkeypatch.setenv("LAB2_OUT", str(tmp_path / "out"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


SWEEPING = """
from lab.base import machine
from lab.base.hashing import CodeHash
from lab.experiments import sweep
from lab.experiments.settings import Settings
machine.prepare_torch()

class Data:
    fingerprint = "data"

def talking(settings, data, record, device):
    print("a run speaks")

print("before the sweep")
run_list = [Settings("R", "RNN", 8, 1, 0.1, seed, 1, 8, 8) for seed in (0, 1)]
records = sweep.sweep(run_list, talking, Data(), CodeHash("code"), workers=1)
"""


def test_the_progress_bar_wipes_nothing_away(tiny):
    """What was printed before a sweep, and by runs in the kernel's own process, stays."""
    done = execute(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(SWEEPING)]))
    assert said(done) == "before the sweep\n" + 2 * "a run speaks\n"
    shown = [o.data["text/plain"] for o in done.cells[0].outputs if "data" in o]
    assert shown == ["0 of 2 runs finished"]


STOPPED = """
from lab.notebooks.session import begin
begin()

def training():
    raise KeyboardInterrupt

training()
"""


def test_a_cell_that_is_stopped_says_one_line(tiny):
    cell = nbformat.v4.new_code_cell(STOPPED, metadata={"tags": ["raises-exception"]})
    (output,) = execute(nbformat.v4.new_notebook(cells=[cell])).cells[0].outputs
    assert output.output_type == "error"
    assert output.traceback == [f"LabError: {session.STOPPED}"]


RESUME = "from lab.notebooks.session import resume\n\nresume()"
HELPER = "def twice(x):\n    return 2 * x"
AFTERWARDS = """
from lab.notebooks import lesson
run = run_lists.default_list(profile, OF_EACH_CELL)[0]
same = code_hash.of(run) == lesson.code_hash.of(run)
print(same, train_run.__module__, len(data.vectors) == len(vocab))
print(rnn_cell(1), guess_linear, _marks["rnn-cell"] < 1, _marks["lstm-cell"] > 1)
print("few" in globals(), "language_records" in globals())
before = data
resume()
print(data is before)
"""


def test_after_a_restart_one_cell_brings_back_what_the_second_session_needs(
    notebook, tiny, monkeypatch
):
    """Data, definitions and answers, also wrong ones and what they need; and nothing is trained."""
    lab = copy.deepcopy(notebook.cells)
    lab = [cell for cell in lab if not session.HEAD.search(cell.source)]
    answers = answer_cells.find(lab)
    lab[answers["rnn-cell"][0].place].source = "def rnn_cell(x):\n    return twice(x)"
    lab[answers["guess-perplexity"][0].place].source = "guess_perplexity = {"
    lab[answers["weights"][0].place].source = "# Question weights\nanswer_weights = None"
    lab[answers["unroll"][0].place].source += "\nimport sys\nsys.exit()"
    section = next(i for i, cell in enumerate(lab) if cell.id == "memory")
    answers_above = answer_cells.find(lab[:section])
    lab.insert(section, nbformat.v4.new_code_cell(RESUME))
    edition = {"cells": [cell.id for cell in lab]}
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(HELPER), *lab], metadata={"lab2": edition}
    )
    nbformat.write(notebook, tiny / "mine.ipynb")
    monkeypatch.setenv("JPY_SESSION_NAME", str(tiny / "mine.ipynb"))
    later = [lab[section], nbformat.v4.new_code_cell(AFTERWARDS)]
    lines = said(execute(nbformat.v4.new_notebook(cells=later))).splitlines()
    assert lines.pop(0).startswith("One moment: ")
    in_code = [name for name in answers_above if ASKED[name].kind != "text"]
    written = len(in_code) - 3  # one is empty, and two are lost
    assert lines[0].startswith("Back: ") and lines[0].endswith(f"lab, {written} written answers.")
    assert lines[1] == "Not back, for they stop at an error: unroll, guess-perplexity."
    below = [ASKED[name] for name in answer_cells.find(lab[section:])]
    count = sum(exercise.by_machine for exercise in below)
    assert lines[2:5] == [
        "Go on below.",
        "Run section 7 before 8, 9, 10.",
        f"check() does not count {count} answers that are written below until you run their cells "
        "again: sections 6, 7, 8, 9.",
    ]
    assert lines[5:] == ["True __main__ True", "2 60.0 True True", "False False", "True"]


def test_a_notebook_without_the_cell_is_told_so(tmp_path, monkeypatch):
    nbformat.write(nbformat.v4.new_notebook(cells=[]), tmp_path / "other.ipynb")
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "other.ipynb"))
    monkeypatch.setattr(session, "get_ipython", InteractiveShell)
    with pytest.raises(LabError, match=r"^other\.ipynb has no cell with resume\(\)"):
        session.resume()
