"""Many runs: a list of them on the cores, a GPU or a cluster, with one progress bar for all.

    Settings -> sweep -> the notebook's training, with a RunRecord -> results.csv, curves.csv

Importing this module changes nothing: no thread count, no seed, no folder.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import joblib
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

from lab import config
from lab.base import files, i18n, machine
from lab.base.hashing import CodeHash
from lab.config import LabError
from lab.experiments import cluster
from lab.experiments.run import RunRecord
from lab.experiments.settings import Settings


class RunData(Protocol):
    """Whatever a training reads, if it can say which data they are."""

    @property
    def fingerprint(self) -> str:
        """16 digits that change with the data."""


TrainRun = Callable[[Settings, Any, RunRecord, torch.device], None]
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}  # blocks of H rows in the weights of a cell


def sweep(
    run_list: Sequence[Settings],
    train_run: TrainRun,
    data: RunData,
    code: CodeHash,
    folder: Path | None = None,
    workers: int | None = None,
    overwrite: bool = False,
) -> list[RunRecord]:
    """Carry out a run list, several runs at a time, and return their records in its order.

    On a CPU each worker is a process of its own with one thread: two such processes do more than
    one process with two threads, and the numbers do not depend on how many there are. A GPU takes
    the runs one after another. With a Dask cluster (see `cluster.py`) its workers take them; they
    must see `folder`. Finished runs are not repeated, interrupted ones continue.

    train_run: the notebook's function that trains one network and finishes its record
    code:      what `hashing.hash_code` says of it
    workers:   processes on this machine, by default one per core
    overwrite: forget what earlier sweeps did

    Raises LabError before anything starts if an entry is impossible or named twice, and at the end
    if runs failed or the sweep was stopped: what was finished by then stays.
    """
    check_run_list(run_list, code)
    records = records_of(run_list, data, code, folder)
    if overwrite:
        for record in records:
            with record.lock():  # another process may be training it
                record.clear()
    # the longest runs start first, so that no worker is left alone with one at the end
    waiting = sorted((r for r in records if r.result is None), key=_work, reverse=True)
    workers = workers or machine.available_cores()
    try:
        with cluster.dask_client() as client, _progress_bar(records):
            outcomes = _run_jobs(waiting, (train_run, data, code), workers, client)
    except KeyboardInterrupt:
        raise LabError(
            "Stopped. Finished runs and whole epochs are kept; run the cell again to go on."
        ) from None
    _report(outcomes)
    return records


def records_of(
    run_list: Sequence[Settings], data: RunData, code: CodeHash, folder: Path | None = None
) -> list[RunRecord]:
    """Return the records of a run list, finished or not; by default in the output folder."""
    folder = (folder or config.output_folder() / "runs").absolute()
    return [RunRecord(run, data.fingerprint, code.of(run), folder) for run in run_list]


def check_run_list(run_list: Sequence[Settings], code: CodeHash) -> None:
    """Raise LabError, naming the entry, if one is impossible or stands twice.

    Impossible is also what the code has no entry for in a table, such as an unknown cell, and a
    setting that the code does not look at: the run would be another than its settings say.
    """
    for entry in run_list:
        entry.check()
    for entry, count in Counter(run_list).items():
        for name, known in code.choices.items():
            if (value := getattr(entry, name)) not in known:
                choices = ", ".join(known)
                raise LabError(
                    f"Run list, entry {entry.network!r}: no {name} {value!r}, only {choices}. "
                    "If it is registered, note the code again: "
                    "code_hash = hashing.hash_code(train_run)."
                )
        if code.reads is not None and (unread := entry.options() - code.reads):
            raise LabError(
                f"Run list, entry {entry.network!r}: this training does not look at "
                f"{', '.join(sorted(unread))}. Take one that does; see the further notebooks."
            )
        if count > 1:
            raise LabError(f"The run list names {entry.network}, seed {entry.seed}, {count} times.")


class _Outcome(NamedTuple):
    """What a worker has to say of a run."""

    failure: str | None  # one line, None if the run is finished
    output: str  # what the run printed; shown when all are done, in order


def _report(outcomes: Sequence[_Outcome]) -> None:
    """Print what the runs printed; raise LabError, naming them, if some failed."""
    for output in filter(None, (outcome.output for outcome in outcomes)):
        print(output, end="")
    failures = [outcome.failure for outcome in outcomes if outcome.failure]
    if failures:
        raise LabError(
            "; ".join(failures) + ". The other runs are finished. More in failure.txt of each run."
        )


def _run_jobs(
    waiting: Sequence[RunRecord],
    what: tuple[TrainRun, RunData, CodeHash],
    workers: int,
    client: Any,
) -> list[_Outcome]:
    """Carry out the runs, several at a time, and return their outcomes.

    When the system kills a worker (most often for its memory), joblib stops them all. The runs not
    yet finished then go on one by one, each in a process of its own, so that the one that is killed
    again can be named and the others finish. Dask does the like by itself.
    """
    device = None if client else machine.pick_device()  # a worker elsewhere looks for its own
    workers = min(workers, len(waiting)) if device is None or device.type == "cpu" else 1
    elsewhere = client is not None or workers > 1
    jobs = [joblib.delayed(_carry_out)(*what, device, elsewhere, record) for record in waiting]
    if client is not None:
        with joblib.parallel_config(backend="dask", client=client):
            return joblib.Parallel(n_jobs=-1)(jobs)
    try:
        return joblib.Parallel(n_jobs=workers or 1)(jobs)
    except TerminatedWorkerError:
        pairs = zip(waiting, jobs, strict=True)
        return [_alone(record, job) for record, job in pairs if record.result is None]


def _alone(record: RunRecord, job: Any) -> _Outcome:
    """Carry out one run in a process of its own, and return its outcome."""
    try:
        # two workers for one job: with n_jobs=1 joblib would use this very process
        return joblib.Parallel(n_jobs=2)([job])[0]
    except TerminatedWorkerError:
        why = "its process was killed, perhaps for its memory"
        _write_failure(record, f"{why}, in epoch {len(record.curve) + 1}")
        return _Outcome(f"{record.name}: {why}", "")


def _work(record: RunRecord) -> float:
    """Return a number that grows with the time a run takes: reviews by size of the products."""
    settings = record.settings
    reviews = settings.epochs * (settings.labelled or 10_000)
    gates = GATES.get(settings.cell, 1)
    return reviews * gates * settings.num_layers * settings.hidden_dim**2


# ── In a worker ─────────────────────────────────────────────────────────────────────────────────


def _carry_out(
    train_run: TrainRun,
    data: RunData,
    code: CodeHash,
    device: torch.device | None,
    elsewhere: bool,
    record: RunRecord,
) -> _Outcome:
    """Train one run, unless another process has done it meanwhile; return what came of it.

    Elsewhere, in a worker, nobody would see what it prints: then it is kept for the outcome. A
    worker ends with the process that started it, and refuses code that has changed on the disk
    since that one imported it.
    """
    threads, output = torch.get_num_threads(), io.StringIO()
    try:
        with (
            contextlib.redirect_stdout(output) if elsewhere else contextlib.nullcontext(),
            _ends_with_parent() if elsewhere else contextlib.nullcontext(),
            record.lock(),
        ):
            device = _make_ready(device)
            if elsewhere:
                code.check_imports()
            if record.result is None:
                train_run(record.settings, data, record, device)
        return _Outcome(None, output.getvalue())
    except Exception as error:  # whatever it is, the other runs go on, and the record keeps it
        return _Outcome(_failure(record, error), output.getvalue())
    finally:
        torch.set_num_threads(threads)


def _make_ready(device: torch.device | None) -> torch.device:
    """Make this process ready for one run, and return the device; None: look for one."""
    if device is None:
        return machine.prepare_torch(threads=1)
    if device.type == "cpu":
        torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    return device


def _failure(record: RunRecord, error: BaseException) -> str:
    """Write down why a run stopped, and return it in one line."""
    where = f"in epoch {len(record.curve) + 1}: {str(error) or type(error).__name__}"
    _write_failure(record, where + "\n\n" + "".join(traceback.format_exception(error)))
    return f"{record.name} stopped {where}"


def _write_failure(record: RunRecord, text: str) -> None:
    with contextlib.suppress(LabError):  # the disk may be full: then the line must do
        path = record.folder / "failure.txt"
        files.write_atomically(path, text.encode("utf-8", "replace"))


@contextlib.contextmanager
def _ends_with_parent(every: float = 1.0) -> Iterator[None]:
    """End this process, while the body runs, if the one that started it is gone.

    A killed kernel would otherwise leave workers that train for hours, seen by nobody. An end at
    any moment costs a record no more than its current epoch. (On Windows a process keeps the number
    of its parent, and so goes on.)
    """
    parent, done = os.getppid(), threading.Event()

    def watch() -> None:
        while not done.wait(every):
            if os.getppid() != parent:
                os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        done.set()


# ── Progress ────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def _progress_bar(records: Sequence[RunRecord]) -> Iterator[None]:
    """Show, while the body runs, how many epochs are done and where each running network is.

    What the workers have done is read from their records: each second in a notebook or a terminal,
    each minute where it goes to a file. At the end the bar is gone; in a notebook, where nothing
    else that the cell printed may be wiped away with it, a line takes its place.
    """
    show = _display() if _in_notebook() else None
    every = 1.0 if show or sys.stderr.isatty() else 60.0
    done = threading.Event()
    total = sum(record.settings.epochs for record in records)
    bar = tqdm(total=total, unit="epoch", leave=False, file=io.StringIO() if show else sys.stderr)

    def watch() -> None:
        while not done.wait(every):
            bar.n = sum(len(record.curve) for record in records)
            bar.set_postfix_str(" · ".join(_progress(r) for r in records if is_running(r)))
            if show:
                show(str(bar))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        bar.close()
        if show:
            finished = sum(record.result is not None for record in records)
            show(i18n.say(f"{finished} of {len(records)} runs finished"))


def _in_notebook() -> bool:
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None


def _display() -> Callable[[str], None]:
    """Return a function that shows a line in the notebook, in place of the one before."""
    handle = sys.modules["IPython"].display.DisplayHandle()
    handle.display({"text/plain": "..."}, raw=True)
    return lambda text: handle.update({"text/plain": text}, raw=True)


def is_running(record: RunRecord) -> bool:
    """Say whether a run has started, and neither finished nor failed; a killed one counts too."""
    started = (record.folder / "settings.json").exists()
    return started and record.result is None and not (record.folder / "failure.txt").exists()


def _progress(record: RunRecord) -> str:
    """Return where a run is, in a few words: network, epoch, last validation accuracy or loss."""
    curve, value = record.curve, ""
    with contextlib.suppress(LookupError, ValueError):  # no epoch yet, or a damaged file
        value = f" loss {curve[-1]['valid_loss']:.2f}"
        value = f" {curve[-1]['valid_accuracy']:.0%}"
    epochs = record.settings.epochs
    return f"{record.settings.network} epoch {min(len(curve) + 1, epochs)}/{epochs}{value}"
