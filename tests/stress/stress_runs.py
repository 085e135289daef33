"""Long tests of what must not be lost: `make stress`. Not collected by `make test`.

Two hundred kills across a sweep, a disk that is really full, a folder that cannot be written, a
clock that jumps, and every file of a record with bits flipped. And whole runs of the lab: on a
reader's own texts, and the full profile on a small folder in the official layout.
"""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import CODE, execute, outcome, record_of, said, stopped_after

from lab.base import files
from lab.config import LabError
from lab.datasets import imdb
from lab.experiments import sweep as sweeps
from tools.maintainers import rekey_results

KILLS = 200
WORDS = ["a", "story", "of", "two", "friends", "and", "their", "dog", "in", "the", "rain"]
VERDICTS = (["dull", "awful", "boring"], ["lovely", "superb", "moving"])
WITH_WORKERS = 12  # of them, in a sweep of two processes, which take seconds to start


@pytest.fixture
def sweep_runs(settings):
    return [settings(cell, epochs=8) for cell in ("RNN", "LSTM", "GRU")]


def sweep(lesson, runs, data, folder, workers=1):
    return sweeps.sweep(runs, lesson.train_run, data, CODE, folder, workers=workers)


def in_a_process(*job):
    """Start a sweep in a process of its own, and return it."""
    process = multiprocessing.get_context("fork").Process(target=sweep, args=job)
    process.start()
    return process


def test_two_hundred_kills_lose_nothing(lesson, data, sweep_runs, tmp_path):
    """SIGKILL, SIGTERM and SIGINT at random moments; each time all that is there can be read."""
    whole = sweep(lesson, sweep_runs, data, tmp_path / "whole")
    start = time.perf_counter()
    sweep(lesson, sweep_runs, data, tmp_path / "timed")
    duration = time.perf_counter() - start
    chance, kills, sweeps = np.random.default_rng(0), 0, 0
    while kills < KILLS:
        sweeps += 1
        folder = tmp_path / f"broken-{sweeps}"
        records = [record_of(run, data, folder) for run in sweep_runs]
        while not all(record.result for record in records):
            before = [len(record.curve) for record in records]
            workers = 2 if sweeps == 1 and kills < WITH_WORKERS else 1
            process = in_a_process(lesson, sweep_runs, data, folder, workers)
            wait = chance.uniform(0, 6) if workers == 2 else chance.uniform(0.02, 0.25) * duration
            process.join(wait)
            if process.is_alive():
                kills += 1
                number = chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
                os.kill(process.pid, number)
            process.join(30)
            process.kill()
            process.join()
            after = [len(record.curve) for record in records]
            assert all(b <= a for b, a in zip(before, after, strict=True)), "an epoch was lost"
            assert not any((r.folder / "failure.txt").exists() for r in records)
        assert [outcome(record) for record in records] == [outcome(record) for record in whole]
    print(f"{kills} kills across {sweeps} sweeps")


@pytest.mark.parametrize("file", ["state.pt", "best.pt", "curve.csv", "settings.json"])
def test_any_flipped_bit_in_a_broken_run(lesson, data, settings, tmp_path, cpu, file):
    """The run ends with the right numbers, whether it starts anew or goes on."""
    run = settings("GRU", epochs=2)
    whole = record_of(run, data, tmp_path / "whole")
    lesson.train_run(run, data, whole, cpu)
    broken = record_of(run, data, tmp_path / "broken")
    stopped_after(1, lesson.train_run, data, broken, cpu)
    shutil.copytree(broken.folder, tmp_path / "broken-copy")
    content = (broken.folder / file).read_bytes()
    for place in np.random.default_rng(0).integers(0, 8 * len(content), 60):
        shutil.rmtree(broken.folder)
        shutil.copytree(tmp_path / "broken-copy", broken.folder)
        (broken.folder / file).write_bytes(flipped(content, int(place)))
        assert isinstance(sweeps._progress(broken), str)
        lesson.train_run(run, data, broken, cpu)
        assert outcome(broken) == outcome(whole), place


@pytest.mark.parametrize("file", ["result.json", "curve.csv", "best.pt", "test.npz"])
def test_any_flipped_bit_in_a_finished_run(lesson, data, settings, tmp_path, cpu, file):
    """It is seen, or it changes nothing that is read."""
    run = settings("GRU", epochs=1)
    record = record_of(run, data, tmp_path)
    lesson.train_run(run, data, record, cpu)
    model = lesson.build_model(run, data.vectors)
    result, curve = record.result, record.curve
    weights = {k: v.clone() for k, v in record.checkpoint.load_best(model).state_dict().items()}
    probability = files.load_arrays(record.folder / "test.npz")["probability"]
    content = (record.folder / file).read_bytes()
    for place in np.random.default_rng(1).integers(0, 8 * len(content), 300):
        (record.folder / file).write_bytes(flipped(content, int(place)))
        if record.result is not None:
            assert (record.result, record.curve) == (result, curve)
        try:
            again = record.checkpoint.load_best(model).state_dict()
            assert all(again[name].equal(weights[name]) for name in weights)
        except LabError as error:
            assert "no usable weights" in str(error)
        arrays = files.load_arrays(record.folder / "test.npz")
        assert arrays is None or np.array_equal(arrays["probability"], probability)


def flipped(content, place):
    changed = bytearray(content)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


@pytest.fixture
def small_disk(tmp_path):
    """Mount a disk of 300 kB, where that is allowed; else limit the size of a file."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.fail("this test needs the right to mount a small disk; run it as root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_costs_the_current_epoch_at_most(lesson, data, settings, tmp_path, small_disk):
    run = settings("LSTM", epochs=3, hidden_dim=32)
    (whole,) = sweep(lesson, [run], data, tmp_path / "whole")
    filler = small_disk / "filler"
    filler.write_bytes(b"0" * 200_000)
    with pytest.raises(LabError, match="Free some space"):
        sweep(lesson, [run], data, small_disk)
    filler.unlink()
    shutil.rmtree(small_disk / "nothing", ignore_errors=True)
    (record,) = sweep(lesson, [run], data, small_disk)
    assert outcome(record) == outcome(whole)


def test_a_folder_that_cannot_be_written_is_said(lesson, data, settings, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises((LabError, OSError), match=r"(?i)read-only"):
        sweep(lesson, [settings()], data, small_disk / "runs")


def test_a_clock_that_jumps_changes_no_number(lesson, data, settings, tmp_path, monkeypatch):
    (whole,) = sweep(lesson, [settings()], data, tmp_path / "whole")
    clock = iter(np.random.default_rng(0).uniform(-1e9, 1e9, 100_000).tolist())
    monkeypatch.setattr(time, "time", lambda: next(clock))
    (record,) = sweep(lesson, [settings()], data, tmp_path / "jumps")
    assert outcome(record) == outcome(whole)


def test_own_texts_run_through_the_whole_notebook(notebook, tmp_path, monkeypatch):
    """The smallest TSV that is taken, with German labels and a bad row, in the profile `tiny`."""
    chance = np.random.default_rng(0)
    lines = ["what they said\tverdict"]
    for number in range(100):
        story = " ".join(chance.choice(WORDS, chance.integers(5, 60)))
        good = number % 5 == 0
        verdict = chance.choice(VERDICTS[good])
        lines.append(f"{number} {story} {verdict}\t{('schlecht', 'gut')[good]}")
    (tmp_path / "mine.tsv").write_text("\n".join([*lines, "one field only"]) + "\n")
    own = {"REVIEWS": str(tmp_path / "mine.tsv"), "TEXT": "what they said", "LABEL": "verdict"}
    for name, value in (own | {"PROFILE": "tiny", "OUT": str(tmp_path / "out")}).items():
        monkeypatch.setenv(f"LAB2_{name}", value)
    done = execute(notebook)
    assert "mine.tsv: 1 rows left out (line 102: 1 fields instead of 2)" in said(done)
    assert "20 'gut' (0), 80 'schlecht' (1)" in said(done)
    assert (tmp_path / "out" / "default_results.csv").exists()
    assert not [o for cell in done.cells for o in cell.get("outputs", []) if "stderr" in str(o)]


def write_official(folder, each):
    """Write reviews of a line in the official layout, four of a film."""
    chance = np.random.default_rng(0)
    for label, verdicts in zip(imdb.LABELS, VERDICTS, strict=True):
        (folder / label).mkdir(parents=True)
        films = [f"http://www.imdb.com/title/tt{i // 4:07d}/usercomments" for i in range(each)]
        (folder / f"urls_{label}.txt").write_text("\n".join(films) + "\n")
        for number in range(each):
            text = " ".join([*chance.choice(WORDS, 10), chance.choice(verdicts)])
            (folder / label / f"{number}_{9 if label == 'pos' else 2}.txt").write_text(text)


def test_the_full_profile_from_end_to_end(tmp_path):
    """All stored lists and then the lab, in a copy of the lab, on 7,800 reviews of a line each."""
    root = tmp_path / "lab"
    left = shutil.ignore_patterns(".git", ".venv", ".pytest_cache", "build", "runs", "cache")
    shutil.copytree(Path(__file__).parents[2], root, ignore=left)
    write_official(tmp_path / "aclImdb" / "train", each=3900)
    full = {"LAB2_PROFILE": "full", "LAB2_DATA": str(tmp_path), "LAB2_OUT": str(tmp_path / "out")}
    (tmp_path / "out").mkdir()
    command = [sys.executable, "tools/maintainers/make_reference.py", "--replace"]
    made = subprocess.run(command, cwd=root, env=os.environ | full, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr[-2000:]
    stored = pd.read_csv(root / "data" / "reference" / "full" / "results.csv")
    assert (
        stored["data"].nunique() == 3
    )  # classifiers', language models' forth and back; none of the old
    command = [sys.executable, "-m", "papermill", "--kernel", "python3", "--no-progress-bar"]
    command += ["--cwd", str(root), str(root / "lab2.ipynb"), str(tmp_path / "done.ipynb")]
    done = subprocess.run(command, env=os.environ | full, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    for name in ("accuracy", "loss", "gradients", "recall", "recipes", "language", "differences"):
        assert (tmp_path / "out" / "figures" / f"{name}.png").exists()


def test_the_code_computes_what_the_code_of_the_stored_runs_did():
    """Short runs of each cell and kind, with the code of then and of now: the same bits."""
    assert rekey_results.compare("503419f")[0] == {}
