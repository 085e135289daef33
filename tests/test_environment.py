"""The lab among folders and variables that people have: names that are no ASCII, barred folders."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest
from helpers import ROOT

from lab import config, environment

NAME = "深度 学习 (lab) & 'x'"
WORK = """
import numpy as np, utils
from lab.experiments.settings import Settings
from lab.experiments.sweep import sweep
from lab.notebooks import lesson

if __name__ == "__main__":
    texts = [f"a dull film, number {i}" for i in range(1500)]
    words = utils.tokenize_all(texts).words
    one = utils.EncodedReviews(
        np.full(40, 2, np.int32), np.arange(41), np.arange(40, dtype=np.float32) % 2)
    data = utils.LabData(one, one, one, np.ones((3, 4), np.float32))
    base = {"hidden_dim": 4, "num_layers": 1, "learning_rate": 0.1, "epochs": 1, "batch_size": 8}
    base["max_length"] = 3
    runs = [Settings(network=f"{c}-4", cell=c, seed=0, **base) for c in ("RNN", "GRU")]
    records = sweep(runs, lesson.train_run, data, lesson.code_hash, workers=2)
    print(len(words), *(record.result is not None for record in records))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A lab in a folder of such a name, whose cells are a module in `build` already."""
    place = tmp_path_factory.mktemp("people") / NAME
    place.mkdir()
    for name in ("lab", "further"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("utils.py", "lab2.ipynb"):
        shutil.copy(ROOT / name, place)
    return place


def run(place, **variables):
    script = place / "work.py"
    script.write_text(WORK, encoding="utf-8")
    usual = {n: v for n, v in os.environ.items() if not n.startswith(("LAB2_", "JOBLIB"))}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=place, capture_output=True, text=True,
        encoding="utf-8", env=usual | {"PYTHONIOENCODING": "utf-8"} | variables,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_a_name_that_is_no_ascii_stops_nothing(copy, tmp_path):
    """Home, temporary folder, project, data: all have such a name, as on Windows in Chinese.

    JOBLIB_TEMP_FOLDER stands for the temporary folder there; on Linux joblib prefers /dev/shm.
    """
    folders = {}
    for name in ("HOME", "TMPDIR", "JOBLIB_TEMP_FOLDER", "LAB2_DATA", "LAB2_OUT"):
        folders[name] = str(tmp_path / f"{NAME} {name}")
        Path(folders[name]).mkdir()
    assert "1505 True True" in run(copy, **folders)


@pytest.mark.parametrize("asked, told", [("plain", None), ("有", "another"), ("", None)])
def test_joblib_is_told_a_folder_only_where_it_must_be(monkeypatch, tmp_path, asked, told):
    monkeypatch.delenv("JOBLIB_TEMP_FOLDER", raising=False)
    if asked:
        monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path / asked))
    possible, folder = environment.workers_folder()
    assert possible and (folder is None) == (told is None) and (folder or "").isascii()


def test_without_any_folder_one_process_works(monkeypatch, tmp_path):
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path / "有"))
    monkeypatch.setattr(environment, "_writable", lambda folder: False)
    assert environment.workers_folder() == (False, None)


@pytest.mark.skipif(os.name == "nt", reason="rights of folders are of another kind there")
def test_what_cannot_be_written_goes_below_the_output_folder(monkeypatch, tmp_path):
    """Kaggle's /kaggle/input, a class's shared folder: caches and cells go elsewhere."""
    data, out = tmp_path / "data", tmp_path / "out"
    (data / "cache").mkdir(parents=True)
    monkeypatch.setenv("LAB2_OUT", str(out))
    assert environment.cache_folder(data) == data / "cache"
    barred = {str(data), str(data / "cache"), str(config.ROOT), str(config.ROOT / "build")}
    access = os.access
    monkeypatch.setattr(os, "access", lambda p, m: str(p) not in barred and access(p, m))
    assert environment.cache_folder(data) == out / "cache"
    shutil.rmtree(data / "cache")
    assert environment.cache_folder(data) == out / "cache"
    assert environment.cells_folder() == out / "build"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounts need root")
def test_a_lab_on_a_disk_that_cannot_be_written(copy, tmp_path):
    """Project and data read-only, as mounted: two processes train, and all is in the output."""
    (tmp_path / "out").mkdir()
    (copy / "work.py").write_text(WORK, "utf-8")
    inside = f"""
        mount --bind "$LAB" "$LAB" && mount -o remount,bind,ro "$LAB" || exit 77
        cd "$LAB" && exec "{sys.executable}" -B work.py"""
    usual = {n: v for n, v in os.environ.items() if not n.startswith("LAB2_")}
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", inside], capture_output=True, text=True,
        env=usual | {"LAB": str(copy), "LAB2_OUT": str(tmp_path / "out")},
    )  # fmt: skip
    if done.returncode == 77:
        pytest.skip("this system lets nobody mount")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "True True" in done.stdout and (tmp_path / "out/build/lab2_cells.py").exists()


@pytest.mark.parametrize("around", ["{}", "{} ", " {} ", '"{}"', "'{}'", '" {} "'])
@pytest.mark.parametrize("value", ["course", ""])
def test_quotes_and_blanks_around_a_variable_are_no_part_of_it(monkeypatch, around, value):
    monkeypatch.setenv("LAB2_PROFILE", around.format(value))
    assert config.get_profile().name == (value or "quick")


def test_figures_are_shown_whatever_matplotlib_was_told(monkeypatch, tmp_path):
    """MPLBACKEND as servers set it, and a matplotlibrc that asks for LaTeX."""
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\n")
    for name, value in {
        "MPLBACKEND": "Agg",
        "MATPLOTLIBRC": tmp_path,
        "LAB2_OUT": tmp_path,
    }.items():
        monkeypatch.setenv(name, str(value))
    cells = [
        "from lab.notebooks import session; session.begin()",
        "import matplotlib.pyplot as plt; plt.plot([0, 1]); plt.show()",
        "from lab.analysis import style\nstyle.save_figure(plt.subplots()[0], 'mine')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, cells)])
    nbclient.execute(notebook, cwd=str(ROOT), kernel_name="python3")
    shown = [
        [key for one in cell.outputs for key in one.get("data", ())] for cell in notebook.cells
    ]
    assert "image/png" in shown[1] and "image/png" in shown[2]
