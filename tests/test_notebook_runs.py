"""Cells in a real kernel: what the progress bar does to other outputs."""

import nbformat
import pytest
from helpers import ROOT, execute, said


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
