"""The training loop, the run records and the sweep: exact, repeatable, resumable."""

import dataclasses
import errno
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import CODE, ROOT, Killed, forget_the_gpu, outcome, record_of, stopped_after, trained

import utils
from lab.base import files, machine
from lab.config import LabError
from lab.experiments import loop
from lab.experiments import sweep as sweep_module
from lab.experiments.run import Checkpoint, RunRecord
from lab.experiments.sweep import is_running, sweep
from lab.notebooks import lesson as lesson_module

needs_posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals, and no fork")


def test_evaluate_weighs_reviews_not_batches_and_keeps_their_order(lesson, data, settings):
    model = lesson.build_model(settings(), data.vectors)
    whole = lesson.evaluate(model, utils.make_batches(data.test, 40, 10))
    parts = lesson.evaluate(model, utils.make_batches(data.test, 7, 10))  # the last has 5
    assert parts.loss == pytest.approx(whole.loss, abs=1e-6)
    assert parts.accuracy == whole.accuracy
    np.testing.assert_allclose(parts.probability, whole.probability, atol=1e-6)
    labels = torch.tensor(data.test.labels)
    probability = torch.tensor(whole.probability)
    assert whole.loss == pytest.approx(F.binary_cross_entropy(probability, labels).item(), abs=1e-5)
    assert whole.accuracy == ((probability > 0.5) == (labels > 0.5)).double().mean().item()


def test_train_epoch_reports_means_over_reviews(lesson, data, settings):
    model = lesson.build_model(settings(), data.vectors)
    still = torch.optim.SGD(model.parameters(), lr=0.0)  # weights stay: training sees what
    batches = list(utils.make_batches(data.train, 36, 10, seed=0))  # evaluation sees
    row = lesson.train_epoch(model, batches, still, 1.0)
    check = lesson.evaluate(model, batches)
    assert row["train_loss"] == pytest.approx(check.loss, abs=1e-6)
    assert row["train_accuracy"] == pytest.approx(check.accuracy)
    assert row["tokens"] == sum(min(n, 10) for n in np.diff(data.train.starts))


def test_clipping_limits_the_update(lesson, data, settings):
    model = lesson.build_model(settings(), data.vectors)
    before = [p.clone() for p in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    lesson.train_epoch(model, list(utils.make_batches(data.train, 96, 10, 0)), optimizer, 0.01)
    moved = math.sqrt(sum(((a - b) ** 2).sum().item() for a, b in zip(model.parameters(), before)))
    assert 0 < moved <= 0.0101


@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_a_run_learns_and_is_repeatable(lesson, data, settings, tmp_path, cell):
    entry, other = settings(cell, epochs=8), settings(cell, epochs=8, seed=1)
    places = {"a": entry, "b": entry, "c": other}
    records = [trained(lesson, run, data, tmp_path / name) for name, run in places.items()]
    assert outcome(records[0]) == outcome(records[1]) != outcome(records[2])
    assert records[0].result["test_accuracy"] > 0.9  # one word decides, and it stands last


@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("killed_at", [1, 3, 5, 7, 9, 10])
def test_killed_run_continues_bit_for_bit(lesson, data, settings, tmp_path, cpu, cell, killed_at):
    """Killed at each kind of moment: between batches, and before and after each file."""
    whole = trained(lesson, settings(cell), data, tmp_path / "whole")
    broken = record_of(settings(cell), data, tmp_path / "broken")
    writes = 0

    def write_or_die(path, content, write=files.write_atomically):
        nonlocal writes
        writes += 1
        if writes == killed_at:
            raise Killed
        write(path, content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "write_atomically", write_or_die)
        with pytest.raises(Killed):
            lesson.train_run(broken.settings, data, broken, cpu)
    assert broken.result is None
    lesson.train_run(
        broken.settings, data, record_of(settings(cell), data, broken.folder.parent), cpu
    )
    assert outcome(broken) == outcome(whole)


def test_whole_epochs_are_not_repeated(lesson, data, settings, tmp_path, cpu, capsys, monkeypatch):
    """What the loop records must be readable: else a run would quietly start anew each time."""
    record, epochs, save = record_of(settings(epochs=4), data, tmp_path), [], Checkpoint.save_epoch
    stopped_after(2, lesson.train_run, data, record, cpu)

    def save_and_note(self, model, optimizer, curve):
        epochs.append(len(curve))
        save(self, model, optimizer, curve)

    monkeypatch.setattr(Checkpoint, "save_epoch", save_and_note)
    lesson.train_run(record.settings, data, record, cpu)
    assert epochs == [3, 4] and capsys.readouterr().out == ""


def test_damaged_weights_of_a_finished_run_are_an_error(lesson, data, settings, tmp_path, capsys):
    record = trained(lesson, settings(epochs=1), data, tmp_path)
    (record.folder / "best.pt").write_bytes(b"no weights")
    with pytest.raises(LabError, match=rf"no usable weights\. Delete its folder, {record.folder},"):
        record.checkpoint.load_best(lesson.build_model(record.settings, data.vectors))
    assert capsys.readouterr().out == "" and record.result is not None


def test_numbers_of_numpy_in_a_curve_can_be_read_again(lesson, data, settings, tmp_path):
    record = record_of(settings(), data, tmp_path)
    model = lesson.build_model(settings(), data.vectors)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = {"train_loss": np.float64(0.5), "valid_loss": np.float32(0.25)}
    record.checkpoint.save_epoch(model, optimizer, [{"epoch": 1, **losses}])
    curve = record.checkpoint.resume(model, optimizer)
    assert curve == [{"epoch": 1, "train_loss": 0.5, "valid_loss": 0.25}]


def test_best_epoch_has_the_lowest_validation_loss(lesson, data, settings, tmp_path):
    wrong = dataclasses.replace(data.valid, labels=1 - data.valid.labels)
    data = dataclasses.replace(data, valid=wrong)  # the better a network, the worse its loss here
    record = trained(lesson, settings(epochs=6), data, tmp_path)
    losses = [row["valid_loss"] for row in record.curve]
    best = record.result["best_epoch"]
    assert losses[best - 1] == min(losses) and best < 6
    model = record.checkpoint.load_best(lesson.build_model(record.settings, data.vectors))
    again = lesson.evaluate(model, utils.make_batches(data.valid, 64, 10))
    assert again.loss == pytest.approx(min(losses), abs=1e-6)


@pytest.mark.parametrize(
    "change",
    [{"hidden_dim": 9}, {"learning_rate": 0.01}, {"seed": 1}, {"max_length": 9}, {"epochs": 4}],
)
def test_changed_setting_is_another_run(data, settings, tmp_path, change):
    one = settings()
    assert record_of(one, data, tmp_path).name == record_of(one, data, tmp_path).name
    other = dataclasses.replace(one, **change)
    assert record_of(one, data, tmp_path).name != record_of(other, data, tmp_path).name


def test_changed_data_or_code_is_another_run(data, settings, tmp_path):
    labels = data.train.labels.copy()
    labels[0] = 1 - labels[0]
    train = dataclasses.replace(data.train, labels=labels)
    other = dataclasses.replace(data, train=train)
    assert other.fingerprint != data.fingerprint
    names = {
        RunRecord(settings(), d.fingerprint, code, tmp_path).name
        for d in (data, other)
        for code in ("code", "other code")
    }
    assert len(names) == 4


@pytest.mark.parametrize("file", ["state.pt", "best.pt"])
@pytest.mark.parametrize("damage", [None, 0, 4, 0.3, 0.7, 0.99, "nonsense"])
def test_damaged_record_starts_the_run_anew_and_says_so(
    lesson, data, settings, tmp_path, cpu, capsys, file, damage
):
    """Gone, cut short at several places, or overwritten: the outcome is the same."""
    wrong = dataclasses.replace(data.valid, labels=1 - data.valid.labels)
    data = dataclasses.replace(data, valid=wrong)  # the best epoch is the first: it must not go
    whole = trained(lesson, settings(), data, tmp_path / "whole")
    broken = record_of(settings(), data, tmp_path / "broken")
    stopped_after(2, lesson.train_run, data, broken, cpu)
    path = broken.folder / file
    content = path.read_bytes()
    if damage is None:
        path.unlink()
    elif damage == "nonsense":
        path.write_bytes(b"\x80\x02nonsense")
    else:
        path.write_bytes(content[: damage if damage in (0, 4) else int(damage * len(content))])
    capsys.readouterr()
    lesson.train_run(broken.settings, data, broken, cpu)
    assert outcome(broken) == outcome(whole)
    assert "starts anew" in capsys.readouterr().out


def test_result_cut_short_starts_the_run_anew(lesson, data, settings, tmp_path, cpu, capsys):
    record = trained(lesson, settings(), data, tmp_path)
    before = outcome(record)
    path = record.folder / "result.json"
    path.write_bytes(path.read_bytes()[:20])
    assert record.result is None
    lesson.train_run(record.settings, data, record, cpu)
    assert outcome(record) == before
    assert "starts anew" in capsys.readouterr().out


def test_failure_without_a_message_is_named_by_its_kind(data, settings, tmp_path):
    def failing(settings, data, record, device):
        raise MemoryError

    with pytest.raises(LabError, match=r"in epoch 1: MemoryError\. "):
        sweep([settings()], failing, data, CODE, tmp_path, workers=1)


def test_training_stops_early_also_when_continued(lesson, data, settings, tmp_path, cpu):
    wrong = dataclasses.replace(data.valid, labels=1 - data.valid.labels)
    data = dataclasses.replace(data, valid=wrong)  # the better a network, the worse its loss here
    whole, broken = (
        record_of(settings(epochs=30, patience=3), data, tmp_path / name) for name in "ab"
    )
    lesson.train_run(whole.settings, data, whole, cpu)
    epochs = len(whole.curve)
    assert epochs < 30 and whole.result["best_epoch"] == epochs - 3
    # killed when nothing but the test was left
    stopped_after(epochs, lesson.train_run, data, broken, cpu)
    lesson.train_run(broken.settings, data, broken, cpu)
    assert outcome(broken) == outcome(whole)


def test_training_stops_where_the_loss_is_not_finite(lesson, data, settings, tmp_path):
    """A network that explodes is named with epoch and step, and its record says it."""
    vectors = data.vectors.copy()
    vectors[2] = np.inf  # the word of the positive reviews
    exploding = dataclasses.replace(data, vectors=vectors)
    entry = settings("RNN")
    with pytest.raises(LabError, match=r"stopped in epoch 1: the loss is nan at update 1\."):
        sweep([entry], lesson.train_run, exploding, CODE, tmp_path, workers=1)
    record = record_of(entry, exploding, tmp_path)
    assert "the loss is nan at update 1" in (record.folder / "failure.txt").read_text()
    assert not is_running(record) and record.curve == []


def test_loss_that_is_not_finite_keeps_the_epoch_before(lesson, data, settings, tmp_path):
    record = record_of(settings(), data, tmp_path)
    model = lesson.build_model(record.settings, data.vectors)
    optimizer = torch.optim.Adam(model.parameters())
    row = {"epoch": 1, "train_loss": 0.6, "valid_loss": 0.6}
    record.checkpoint.resume(model, optimizer)
    record.checkpoint.save_epoch(model, optimizer, [row])
    with pytest.raises(FloatingPointError, match="epoch 2"):
        record.checkpoint.save_epoch(model, optimizer, [row, {**row, "valid_loss": math.nan}])
    assert record.checkpoint.resume(model, optimizer) == [row]


@pytest.fixture
def run_list(settings):
    return [settings(cell, epochs=2) for cell in ("RNN", "LSTM", "GRU")]


def test_one_or_two_workers_give_the_same_numbers(lesson, data, run_list, tmp_path):
    sweeps = [
        sweep(run_list, lesson.train_run, data, CODE, tmp_path / str(n), workers=n) for n in (1, 2)
    ]
    for one, two in zip(*sweeps):
        assert outcome(one) == outcome(two)


def test_finished_runs_are_not_repeated(lesson, data, run_list, tmp_path):
    trained = []

    def counting(settings, data, record, device):
        trained.append(settings.network)
        lesson.train_run(settings, data, record, device)

    for _ in range(2):
        records = sweep(run_list, counting, data, CODE, tmp_path, workers=1)
        assert len(trained) == 3
    assert [record.settings for record in records] == run_list


def shy_epoch(model, batches, optimizer, clip_norm=1.0):
    """Train as the lesson does, with a tenth of the clipping norm."""
    return _train_epoch(model, batches, optimizer, clip_norm / 10)


def doubled_loss(model, batches):
    loss, *others = _evaluate(model, batches)
    return utils.Evaluation(2 * loss, *others)


_train_epoch, _evaluate = lesson_module.train_epoch, lesson_module.evaluate
OTHER_STEP = {  # what a reader may change after code_hash was made: name -> the new one
    "train_epoch": shy_epoch,
    "evaluate": doubled_loss,
    "CELLS": {**lesson_module.CELLS, "GRU": lesson_module.LSTM},
}


@pytest.mark.parametrize("name", OTHER_STEP)
def test_a_line_that_was_changed_after_the_code_was_noted_trains_anew(
    lesson, data, settings, tmp_path, monkeypatch, capsys, name
):
    """Neither are old results shown for new code, nor are they lost when it is put back."""
    runs = [settings(seed=seed) for seed in (0, 1)]

    def outcomes():
        records = sweep(runs, lesson.train_run, data, lesson.code_hash, tmp_path, workers=1)
        return {r.name: r.result["valid_loss"] for r in records}, capsys.readouterr().out

    before, said = outcomes()
    assert "other code" not in said
    with monkeypatch.context() as patch:
        patch.setattr(lesson, name, OTHER_STEP[name])
        changed, said = outcomes()
    assert "by other code, are kept: 2." in said
    assert not set(before) & set(changed)
    assert not set(before.values()) & set(changed.values())
    assert outcomes() == (before, "")


def test_duplicate_in_the_run_list_is_refused(lesson, data, settings, tmp_path):
    with pytest.raises(LabError, match=r"GRU-8, seed 0, 2 times"):
        sweep([settings(), settings()], lesson.train_run, data, CODE, tmp_path)
    assert not list(tmp_path.iterdir())


def test_full_disk_stops_a_run_and_keeps_the_epoch_before(lesson, data, settings, tmp_path):
    whole = trained(lesson, settings(), data, tmp_path / "whole")
    broken = record_of(settings(), data, tmp_path)

    def no_space_after_an_epoch(descriptor, sync=os.fsync):
        if broken.curve:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files.os, "fsync", no_space_after_an_epoch)
        with pytest.raises(LabError, match=r"in epoch 2: Cannot write .*No space left"):
            sweep([settings()], lesson.train_run, data, CODE, tmp_path, workers=1)
    assert len(broken.curve) == 1
    sweep([settings()], lesson.train_run, data, CODE, tmp_path, workers=1)
    assert outcome(broken) == outcome(whole)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"hidden_dim": 0}, r"entry 'GRU-8': hidden_dim is 0, not a whole number of at least 1"),
        ({"num_layers": 1.5}, "num_layers is 1.5"),
        ({"epochs": -1}, "epochs is -1"),
        ({"batch_size": 0, "max_length": 0}, "batch_size is 0.*; max_length is 0"),
        ({"learning_rate": math.nan}, "learning_rate is nan, not a number above 0"),
        ({"learning_rate": "0.001"}, "learning_rate is '0.001', not a number above 0"),
        ({"learning_rate": None, "dropout": "0"}, "learning_rate is None.*; dropout is '0'"),
        ({"learning_rate": [0.001]}, r"learning_rate is \[0.001\], not a number above 0"),
        ({"clip_norm": 0.0}, "clip_norm is 0.0"),
        ({"seed": -1}, "seed is -1"),
        ({"patience": 0}, "patience is 0"),
        ({"network": "Elman", "cell": "CNN"}, "entry 'Elman': no cell 'CNN', only RNN, LSTM, GRU"),
    ],
)
def test_impossible_setting_is_refused(lesson, data, settings, tmp_path, wrong, message):
    run_list = [settings("RNN"), dataclasses.replace(settings(), **wrong)]
    with pytest.raises(LabError, match=message):
        sweep(run_list, lesson.train_run, data, lesson.code_hash, tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_workers_print_appears_after_the_runs(lesson, data, run_list, tmp_path, capfd):
    def talking(settings, data, record, device):
        print(f"{settings.cell} speaks")
        lesson.train_run(settings, data, record, device)

    sweep(run_list, talking, data, CODE, tmp_path, workers=2)
    said = [line for line in capfd.readouterr().out.splitlines() if "speaks" in line]
    assert sorted(said) == ["GRU speaks", "LSTM speaks", "RNN speaks"]


def test_a_failing_run_is_named_and_the_others_finish(lesson, data, run_list, tmp_path):
    def failing(settings, data, record, device):
        if settings.cell == "LSTM":
            raise FloatingPointError("the loss is not finite in epoch 1")
        lesson.train_run(settings, data, record, device)

    with pytest.raises(LabError, match=r"lstm-8-seed0-\w+ stopped in epoch 1: the loss is"):
        sweep(run_list, failing, data, CODE, tmp_path, workers=1)
    finished = [record_of(settings, data, tmp_path).result is not None for settings in run_list]
    assert finished == [True, False, True]


@needs_posix
def test_a_killed_worker_is_named_and_the_others_finish(lesson, data, run_list, tmp_path):
    def killed(settings, data, record, device):
        if settings.cell == "LSTM":
            os.kill(os.getpid(), signal.SIGKILL)
        lesson.train_run(settings, data, record, device)

    with pytest.raises(LabError, match=r"^lstm-8-seed0-\w+ stopped in epoch 1: its process"):
        sweep(run_list, killed, data, CODE, tmp_path, workers=2)
    (record,) = (record_of(s, data, tmp_path) for s in run_list if s.cell == "LSTM")
    assert "its process was killed" in (record.folder / "failure.txt").read_text()
    assert not is_running(record)
    finished = [record_of(settings, data, tmp_path).result is not None for settings in run_list]
    assert finished == [True, False, True]


def test_progress_counts_no_epoch_that_was_there_before(
    lesson, data, settings, tmp_path, cpu, monkeypatch
):
    """Two of six epochs are there, and another run is finished: no speed comes of these."""
    done, broken = settings(seed=1), settings(epochs=6)
    trained(lesson, done, data, tmp_path)
    stopped_after(2, lesson.train_run, data, record_of(broken, data, tmp_path), cpu)
    lines = []
    monkeypatch.setattr(sweep_module, "_display", lambda: lines.append)

    def slow(settings, data, record, device):
        time.sleep(1.2)  # the bar is drawn each second

    sweep([done, broken], slow, data, CODE, tmp_path, workers=1)
    assert "2/6" in lines[0] and "?epoch/s" in lines[0]
    assert lines[-1] == "1 of 2 runs finished"


@pytest.mark.parametrize(
    "share, cores", [("1", 1), ("3", 3), ("64", 8), ("0", 8), ("", 8), ("4,2", 8), (None, 8)]
)
def test_a_shared_machine_s_limit_of_threads_is_one_of_runs(monkeypatch, share, cores):
    monkeypatch.setattr(machine.joblib, "cpu_count", lambda only_physical_cores: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if share is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", share)
    assert machine.available_cores() == cores
    machine.prepare_torch()
    assert torch.get_num_threads() == 1


@needs_posix
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_workers_end_with_the_kernel(tmp_path, name):
    """Their parent is killed while two workers train, or stopped as by Jupyter's stop button."""
    script = f"""
import os, pathlib, time, sys
sys.path.insert(0, {str(ROOT)!r})
from lab.config import LabError
from lab.base.hashing import CodeHash
from lab.experiments.settings import Settings
from lab.experiments.sweep import sweep

def endless(settings, data, record, device):
    pathlib.Path({str(tmp_path)!r}, str(os.getpid())).touch()
    time.sleep(600)

class Data:
    fingerprint = "data"

runs = [Settings("R", "RNN", 8, 1, 0.1, seed, 1, 8, 8) for seed in (0, 1)]
try:
    folder = pathlib.Path({str(tmp_path / "runs")!r})
    sweep(runs, endless, Data(), CodeHash("code"), folder, workers=2)
except LabError as error:
    print(error)
"""
    command, pipe = [sys.executable, "-c", script], subprocess.PIPE
    kernel = subprocess.Popen(command, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 60
    while len(workers := [p.name for p in tmp_path.iterdir() if p.name.isdigit()]) < 2:
        assert time.monotonic() < deadline and kernel.poll() is None
        time.sleep(0.1)
    kernel.send_signal(getattr(signal, name))
    kernel.wait()
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            while time.monotonic() < deadline:
                os.kill(int(worker), 0)  # only asks
                time.sleep(0.1)
    said = kernel.communicate()[0]
    stopped = said.startswith("Stopped. Finished runs and whole epochs are kept")
    assert stopped == (name == "SIGINT")


def test_a_second_kernel_waits_and_does_not_train_again(lesson, data, settings, tmp_path):
    trained = []

    def slow(settings, data, record, device):
        trained.append(threading.get_ident())
        lesson.train_run(settings, data, record, device)

    def start():
        sweep([settings()], slow, data, CODE, tmp_path, workers=1)

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(trained) == 1


def test_settings_are_written_with_the_run(lesson, data, settings, tmp_path):
    record = trained(lesson, settings(), data, tmp_path)
    written = json.loads((record.folder / "settings.json").read_text())
    assert written == {**dataclasses.asdict(settings()), "data": data.fingerprint, "code": "code"}
    assert sorted(p.name for p in record.folder.iterdir()) == [
        "best.pt",
        *("curve.csv", "result.json", "settings.json", "test.npz"),
    ]


def test_a_record_keeps_the_limits_set_on_the_cpu(monkeypatch):
    for name in machine.CPU_LIMITS:
        monkeypatch.delenv(name, raising=False)
    assert machine.circumstances()["limits"] == ""
    monkeypatch.setenv("MKL_CBWR", "AVX2")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert machine.circumstances()["limits"] == "ONEDNN_MAX_CPU_ISA=AVX2 MKL_CBWR=AVX2"


def test_a_worker_with_a_gpu_computes_as_the_notebook_would(monkeypatch):
    """A worker of a cluster looks for its own device: it needs deterministic algorithms too.

    All but one layer of PyTorch, whose copies a GPU would then refuse.
    """
    monkeypatch.setattr(machine, "pick_device", lambda: torch.device("cuda"))
    chosen = []
    monkeypatch.setattr(
        torch.nn.functional,
        "log_softmax",  # the layer calls it
        lambda x, dim: chosen.append(torch.are_deterministic_algorithms_enabled()) or x,
    )
    layer, wrong = torch.nn.AdaptiveLogSoftmaxWithLoss(16, 9, [2, 5]), torch.tensor([9, 0])
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    try:
        device = machine.prepare_torch()
        assert device.type == "cuda" and torch.are_deterministic_algorithms_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
        machine.prepare_torch()  # again: nothing is done twice
        assert len(torch.nn.modules.module._global_forward_pre_hooks) == 1
        layer(torch.zeros(2, 16), torch.tensor([0, 7]))
        assert chosen and not any(chosen) and torch.are_deterministic_algorithms_enabled()
        with pytest.raises(RuntimeError, match=r"Target values should be in"):
            layer(torch.zeros(2, 16), wrong)
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        forget_the_gpu()


def test_each_group_of_weights_falls_from_its_own_rate_also_when_continued(settings):
    weights, rates = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)], (0.02, 0.002)
    entry = settings(epochs=2)  # 16 reviews a batch: two updates in an epoch
    seen, state = [], None
    for epoch in (1, 2):
        groups = [{"params": [weight], "lr": rate} for weight, rate in zip(weights, rates)]
        optimizer = torch.optim.SGD(groups)
        if state:
            optimizer.load_state_dict(state)
        for _ in loop.falling_rate(range(2), optimizer, entry, epoch, count=32):
            seen.append([group["lr"] for group in optimizer.param_groups])
        state = optimizer.state_dict()
    expected = [[rate * left for rate in rates] for left in (1, 0.75, 0.5, 0.25)]
    assert seen == [pytest.approx(row) for row in expected]


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_all_options_together_go_on_bit_for_bit(
    recipes, data, settings, tmp_path, cpu, cell, resumed
):
    """Whole or interrupted after the second epoch, with all that draws random numbers."""
    options = {"decay": True, "dropout": 0.3, "embedding_dropout": 0.5, "bidirectional": True}
    options |= {"readout": "pooled", "vectors": "frozen", "num_layers": 2}
    whole, other = (record_of(settings(cell, **options), data, tmp_path / n) for n in "ab")
    recipes.train_variant(whole.settings, data, whole, cpu)
    if resumed:
        stopped_after(2, recipes.train_variant, data, other, cpu)
    recipes.train_variant(other.settings, data, other, cpu)
    assert outcome(other) == outcome(whole)
    plain = record_of(settings(cell, num_layers=2, decay=True), data, tmp_path / "c")
    recipes.train_variant(plain.settings, data, plain, cpu)
    assert outcome(plain) != outcome(whole)  # the options do something
