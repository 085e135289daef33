"""The same run list on a Dask cluster: here two worker processes of a scheduler on this machine."""

import dataclasses
import os
import signal
import threading
import time

import pytest
from distributed import Client, LocalCluster
from test_training import outcome

import experiment
import utils


@pytest.fixture
def cluster():
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        yield cluster


@pytest.fixture
def run_list(settings):
    return [settings(cell, epochs=40, patience=40) for cell in ("RNN", "LSTM", "GRU")]


def test_cluster_gives_the_same_numbers_even_if_a_worker_is_killed(
    lab, data, run_list, tmp_path, cluster, monkeypatch
):
    here = experiment.sweep(run_list, lab.train_run, data, "code", tmp_path / "here", workers=1)
    folder = tmp_path / "there"
    monkeypatch.setenv("LAB2_DASK", cluster.scheduler_address)
    with Client(cluster) as client:
        victim = next(iter(client.run(os.getpid).values()))
    killed = threading.Event()

    def kill_when_it_trains():
        while len(list(folder.glob("*/state.pt"))) < 2:
            time.sleep(0.01)
        os.kill(victim, signal.SIGKILL)
        killed.set()

    threading.Thread(target=kill_when_it_trains, daemon=True).start()
    there = experiment.sweep(run_list, lab.train_run, data, "code", folder)
    assert killed.is_set()
    assert [outcome(record) for record in there] == [outcome(record) for record in here]
    again = experiment.sweep(run_list, lab.train_run, data, "code", folder)
    assert [record.result for record in again] == [record.result for record in there]


def test_the_client_of_the_notebook_is_used(lab, data, run_list, tmp_path, cluster):
    pids = tmp_path / "pids"
    pids.mkdir()

    def telling(settings, data, record, device):
        (pids / str(os.getpid())).touch()
        lab.train_run(settings, data, record, device)

    with Client(cluster) as client:
        workers = {str(pid) for pid in client.run(os.getpid).values()}
        experiment.sweep(run_list, telling, data, "code", tmp_path / "runs")
    assert {path.name for path in pids.iterdir()} <= workers


def test_failing_run_on_the_cluster_is_named(lab, data, run_list, tmp_path, cluster):
    def failing(settings, data, record, device):
        if settings.cell == "LSTM":
            raise FloatingPointError("the loss is nan at step 3")
        lab.train_run(settings, data, record, device)

    with Client(cluster), pytest.raises(utils.LabError, match=r"lstm.*the loss is nan at step 3"):
        experiment.sweep(run_list, failing, data, "code", tmp_path)


def test_workers_with_several_threads_are_refused(lab, data, run_list, tmp_path):
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster),
        pytest.raises(utils.LabError, match="--nthreads 1"),
    ):
        experiment.sweep(run_list, lab.train_run, data, "code", tmp_path)


def test_scheduler_that_does_not_answer_is_named(lab, data, run_list, tmp_path, monkeypatch):
    monkeypatch.setenv("LAB2_DASK", "tcp://127.0.0.1:1")
    short = dataclasses.replace(run_list[0], epochs=1)
    with pytest.raises(utils.LabError, match=r"No Dask scheduler answers at .*127\.0\.0\.1:1"):
        experiment.sweep([short], lab.train_run, data, "code", tmp_path)
