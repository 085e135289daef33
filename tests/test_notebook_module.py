"""The notebook's definitions as a module: a real file, real lines, the same in every process."""

import importlib
import inspect
import json
import sys
import traceback
from pathlib import Path

import joblib
import pytest
import torch
from helpers import ROOT

from lab import config, notebooks
from lab.config import LabError
from lab.notebooks import loader


def write(path, *cells):
    """Write a notebook of code cells: (source, is it tagged)."""
    cells = [
        {"cell_type": "code", "source": source, "metadata": {"tags": ["define"] * tagged}}
        for source, tagged in cells
    ]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    return path


def test_a_traceback_names_the_line_of_a_real_file(lesson):
    try:
        lesson.recalls("no model", 2, 3)
    except TypeError as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
    assert Path(last.filename) == ROOT / "build" / "lab2_cells.py"
    lines = Path(last.filename).read_text(encoding="utf-8").splitlines()
    assert lines[last.lineno - 1].strip() == last.line and "model(tokens)" in last.line


def test_classes_have_their_source_and_their_module(lesson):
    assert lesson.GRU.__module__ == "lab.notebooks.lesson"
    assert inspect.getsource(lesson.GRU).startswith("class GRU(")


def test_other_processes_get_the_same_functions(lesson):
    """By name and not by value, as on systems whose processes begin with nothing."""
    model = lesson.Recaller(torch.nn.GRU)
    jobs = [joblib.delayed(lesson.recalls)(model, 5, seed) for seed in (0, 1)]
    assert joblib.Parallel(n_jobs=2)(jobs)[1] == lesson.recalls(model, 5, 1)


def test_cells_that_are_not_tagged_are_left_out(tmp_path):
    path = write(
        tmp_path / "small.ipynb", ("x = 1", True), ("raise SystemExit", False), ("y = x", True)
    )
    text = loader.cells_text(path)
    assert "# %% cell 0\nx = 1\n" in text and "# %% cell 2\ny = x\n" in text
    assert "SystemExit" not in text


def test_a_changed_notebook_is_written_anew_and_an_unchanged_one_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "ROOT", tmp_path)
    file = loader.write_cells(write(tmp_path / "small.ipynb", ("x = 1", True)))
    before = file.stat().st_mtime_ns
    assert loader.write_cells(tmp_path / "small.ipynb").stat().st_mtime_ns == before
    write(tmp_path / "small.ipynb", ("x = 2", True))
    assert "x = 2" in loader.write_cells(tmp_path / "small.ipynb").read_text(encoding="utf-8")


def test_a_module_is_made_of_any_notebook(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setitem(notebooks.NOTEBOOKS, "small", "small.ipynb")
    write(tmp_path / "small.ipynb", ("def f(): return 7", True))
    module = importlib.import_module("lab.notebooks.small")
    monkeypatch.delitem(sys.modules, "lab.notebooks.small")
    assert module.f() == 7 and module.f.__module__ == "lab.notebooks.small"


@pytest.mark.parametrize("content", ["", "[1]", '{"cells": 3}'])
def test_what_is_no_notebook_is_said(tmp_path, content):
    path = tmp_path / "none.ipynb"
    path.write_text(content)
    with pytest.raises(LabError, match=r"none\.ipynb cannot be read as a notebook"):
        loader.cells_text(path)
