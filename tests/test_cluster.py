"""The same run list on a Dask cluster: here two worker processes of a scheduler on this machine."""

import dataclasses
import os
import signal
import threading
import time

import pytest
from helpers import CODE, outcome

from lab.config import LabError
from lab.experiments import cluster as cluster_of_the_lab
from lab.experiments.sweep import sweep

pytest.importorskip("distributed", reason="Dask is not installed: requirements-cluster.txt")

from distributed import Client, LocalCluster

pytestmark = pytest.mark.xdist_group("cluster")  # one cluster, not one for each process of pytest


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        yield cluster


@pytest.fixture
def run_list(settings):
    return [settings(cell, epochs=40, patience=40) for cell in ("RNN", "LSTM", "GRU")]


def test_the_client_of_the_notebook_is_used(lesson, data, run_list, tmp_path, cluster):
    pids = tmp_path / "pids"
    pids.mkdir()

    def telling(settings, data, record, device):
        (pids / str(os.getpid())).touch()
        lesson.train_run(settings, data, record, device)

    with Client(cluster) as client:
        workers = {str(pid) for pid in client.run(os.getpid).values()}
        sweep(run_list, telling, data, CODE, tmp_path / "runs")
    assert {path.name for path in pids.iterdir()} <= workers


def test_failing_run_on_the_cluster_is_named(lesson, data, run_list, tmp_path, cluster):
    def failing(settings, data, record, device):
        if settings.cell == "LSTM":
            raise FloatingPointError("the loss is nan at step 3")
        lesson.train_run(settings, data, record, device)

    with Client(cluster), pytest.raises(LabError, match=r"lstm.*the loss is nan at step 3"):
        sweep(run_list, failing, data, CODE, tmp_path)


def test_workers_with_several_threads_are_refused(lesson, data, run_list, tmp_path):
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        ) as cluster,
        Client(cluster),
        pytest.raises(LabError, match="--nthreads 1"),
    ):
        sweep(run_list, lesson.train_run, data, CODE, tmp_path)


def test_scheduler_that_does_not_answer_is_named(lesson, data, run_list, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_of_the_lab, "PATIENCE", 1.0)
    monkeypatch.setenv("LAB2_DASK", "tcp://127.0.0.1:1")
    short = dataclasses.replace(run_list[0], epochs=1)
    with pytest.raises(LabError, match=r"No Dask scheduler answers at .*127\.0\.0\.1:1"):
        sweep([short], lesson.train_run, data, CODE, tmp_path)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_cluster_gives_the_same_numbers_even_if_a_worker_is_killed(
    lesson, data, run_list, tmp_path, cluster, monkeypatch
):
    here = sweep(run_list, lesson.train_run, data, CODE, tmp_path / "here", workers=1)
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
    there = sweep(run_list, lesson.train_run, data, CODE, folder)
    assert killed.is_set()
    assert [outcome(record) for record in there] == [outcome(record) for record in here]
    again = sweep(run_list, lesson.train_run, data, CODE, folder)
    assert [record.result for record in again] == [record.result for record in there]
