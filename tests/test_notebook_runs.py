"""The notebook itself, in the profile `tiny`: as it stands, and on a reader's own texts."""

import copy
import os
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
STORY = ["a", "story", "of", "two", "friends", "and", "their", "dog", "in", "the", "rain"]
VERDICTS = (["dull", "awful", "boring"], ["lovely", "superb", "moving"])


def execute(notebook):
    """Run all cells of a notebook in the lab's folder, as a reader would; return what came."""
    notebook = copy.deepcopy(notebook)
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}
    )
    with client.setup_kernel():
        for number, cell in enumerate(notebook.cells):
            client.execute_cell(cell, number)
    return notebook


def said(notebook):
    """Return all that the cells of a notebook have printed."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.text for output in outputs if output.output_type == "stream")


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Let kernels run in the smallest profile, and write to a folder of their own."""
    monkeypatch.setenv("LAB2_PROFILE", "tiny")
    monkeypatch.setenv("LAB2_OUT", str(tmp_path / "out"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def test_the_notebook_runs_on_a_readers_own_texts(notebook, tiny, monkeypatch):
    chance = np.random.default_rng(0)
    lines = ["what they said\tverdict"]
    for number in range(260):
        story = " ".join(chance.choice(STORY, chance.integers(5, 60)))
        verdict = chance.choice(VERDICTS[number % 2])
        lines.append(f"{number} {story} {verdict}\t{('schlecht', 'gut')[number % 2]}")
    (tiny / "mine.tsv").write_text("\n".join([*lines, "one field only"]) + "\n")
    for name, value in {
        "REVIEWS": str(tiny / "mine.tsv"),
        "TEXT": "what they said",
        "LABEL": "verdict",
    }.items():
        monkeypatch.setenv(f"LAB2_{name}", value)
    done = execute(notebook)
    assert "mine.tsv: 1 rows left out (line 262: 1 fields instead of 2)" in said(done)
    assert "130 'gut' (0), 130 'schlecht' (1)" in said(done)
    assert (tiny / "out" / "results.csv").exists()
    assert not [o for cell in done.cells for o in cell.get("outputs", []) if "stderr" in str(o)]


SWEEPING = """
from lab import lesson, machine, runs, sweep
from lab.fingerprint import Code
machine.prepare_torch(1)

class Data:
    fingerprint = "data"

def talking(settings, data, record, device):
    print("a run speaks")

print("before the sweep")
run_list = [runs.Settings("R", "RNN", 8, 1, 0.1, seed, 1, 8, 8) for seed in (0, 1)]
records = sweep.sweep(run_list, talking, Data(), Code("code"), workers=1)
"""


def test_the_progress_bar_wipes_nothing_away(tiny):
    """What was printed before a sweep, and by runs in the kernel's own process, stays."""
    done = execute(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(SWEEPING)]))
    assert said(done) == "before the sweep\n" + 2 * "a run speaks\n"
    shown = [o.data["text/plain"] for o in done.cells[0].outputs if "data" in o]
    assert shown == ["0 of 2 runs finished"]
    assert os.environ["LAB2_PROFILE"] == "tiny"
