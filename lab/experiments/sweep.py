"""Many runs: a list of them on the cores, a GPU or a cluster, with one progress bar for all.

Settings -> sweep -> the notebook's training, with a RunRecord -> results.csv, curves.csv
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import joblib
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

from lab import config
from lab.base import files, hashing, machine
from lab.base.hashing import CodeHash
from lab.base.messages import Message, _, clauses
from lab.config import LabError
from lab.experiments import cluster
from lab.experiments.run import RunRecord
from lab.experiments.settings import Settings

TrainRun = Callable[[Settings, Any, RunRecord, torch.device], None]
Outcome = tuple[Message | None, str]  # why a run failed, if it did; what it printed
KEPT = _(
    "Finished runs with the same settings, by other code, are kept: {count}. If you changed a line "
    "that trains, put it back to use them again."
)
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}  # blocks of H rows in the weights of a cell


def sweep(
    run_list: Sequence[Settings],
    train_run: TrainRun,
    data: Any,
    code: CodeHash,
    folder: Path | None = None,
    workers: int | None = None,
) -> list[RunRecord]:
    """Carry out a run list, several runs at a time, and return their records in its order.

    On a CPU each worker is a process of its own with one thread: two such processes do more than
    one process with two threads, and the numbers do not depend on how many there are. A GPU takes
    the runs one after another. With a Dask cluster (see `cluster.py`) its workers take them; they
    must see `folder`. Finished runs are not repeated, interrupted ones continue.

    train_run: the notebook's function that trains one network and finishes its record
    data:      what it reads; their `fingerprint` is 16 digits that change with them
    code:      what `hashing.hash_code` says of it; asked again here, for a cell of the notebook may
               have been changed since
    workers:   processes on this machine, by default one per core

    Raises LabError before anything starts if an entry is impossible or named twice, and at the end
    if runs failed or the sweep was stopped: what was finished by then stays.
    """
    if code.reads is not None:  # hash_code has made it
        code = hashing.hash_code(train_run)
    check_run_list(run_list, code)
    records = records_of(run_list, data, code, folder)
    # the longest runs start first, so that no worker is left alone with one at the end
    waiting = sorted((r for r in records if r.result is None), key=_work, reverse=True)
    if others := sum(record.has_other_code() for record in waiting):
        print(_(KEPT, count=others))
    workers = workers or machine.available_cores()
    try:
        with cluster.dask_client() as client, _progress_bar(waiting, len(records)):
            outcomes = _run_jobs(waiting, (train_run, data, code), workers, client)
    except KeyboardInterrupt:
        raise LabError(
            _("Stopped. Finished runs and whole epochs are kept; run the cell again to go on.")
        ) from None
    _report(outcomes)
    return records


def records_of(
    run_list: Sequence[Settings], data: Any, code: CodeHash, folder: Path | None = None
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
                raise LabError(
                    _(
                        "Run list, entry {network!r}: no {setting} {value}, only {choices}.",
                        network=entry.network,
                        setting=name,
                        value=repr(value),
                        choices=list(known),
                    )
                )
        if code.reads is not None and (unread := entry.options() - code.reads):
            raise LabError(
                _(
                    "Run list, entry {network!r}: this training does not look at {settings}. Take "
                    "one that does; see the further notebooks.",
                    network=entry.network,
                    settings=sorted(unread),
                )
            )
        if count > 1:
            raise LabError(
                _(
                    "The run list names {network}, seed {seed}, {count} times.",
                    network=entry.network,
                    seed=entry.seed,
                    count=count,
                )
            )


def _report(outcomes: Sequence[Outcome]) -> None:
    """Print what the runs printed; raise LabError, naming them, if some failed."""
    failures, outputs = zip(*outcomes) if outcomes else ((), ())
    print(*outputs, sep="", end="")
    if failures := [failure for failure in failures if failure]:
        raise LabError(
            _(
                "{failures}. The other runs are finished. More in failure.txt of each run.",
                failures=clauses(failures),
            )
        )


def _run_jobs(
    waiting: Sequence[RunRecord],
    what: tuple[TrainRun, Any, CodeHash],
    workers: int,
    client: Any,
) -> list[Outcome]:
    """Carry out the runs, several at a time, and return their outcomes.

    When the system kills a worker (most often for its memory), joblib stops them all. The runs not
    yet finished then go on one by one, each in a process of its own, so that the one that is killed
    again can be named and the others finish. Dask does the like by itself.
    """
    if client is None and machine.pick_device().type != "cpu":
        workers = 1
    workers = min(workers, len(waiting)) or 1
    elsewhere = client is not None or workers > 1
    jobs = [joblib.delayed(_carry_out)(*what, elsewhere, record) for record in waiting]
    if client is not None:
        with joblib.parallel_config(backend="dask", client=client):
            return joblib.Parallel(n_jobs=-1)(jobs)
    try:
        return machine.in_parallel(jobs, workers)
    except TerminatedWorkerError:
        pairs = zip(waiting, jobs, strict=True)
        return [_alone(record, job) for record, job in pairs if record.result is None]


def _alone(record: RunRecord, job: Any) -> Outcome:
    """Carry out one run in a process of its own, and return its outcome."""
    try:
        # two workers for one job: with n_jobs=1 joblib would use this very process
        return machine.in_parallel([job], 2)[0]
    except TerminatedWorkerError:
        return _failure(record, _("its process was killed, perhaps for its memory")), ""


def _work(record: RunRecord) -> float:
    """Return a number that grows with the time a run takes: reviews by size of the products."""
    settings = record.settings
    reviews = settings.epochs * (settings.labelled or 10_000)
    gates = GATES.get(settings.cell, 1)
    return reviews * gates * settings.num_layers * settings.hidden_dim**2


def _carry_out(
    train_run: TrainRun, data: Any, code: CodeHash, elsewhere: bool, record: RunRecord
) -> Outcome:
    """Train one run, unless another process has done it meanwhile; return what came of it.

    Elsewhere, in a worker, nobody would see what it prints: then it is kept for the outcome. A
    worker ends with the process that started it, and refuses code that has changed on the disk
    since that one imported it.
    """
    output = io.StringIO()
    try:
        with (
            contextlib.redirect_stdout(output) if elsewhere else contextlib.nullcontext(),
            record.lock(),
        ):
            device = machine.prepare_torch()
            if elsewhere:
                _end_with_parent()
                code.check_imports()
            if record.result is None:
                train_run(record.settings, data, record, device)
        return None, output.getvalue()
    except Exception as error:  # whatever it is, the other runs go on, and the record keeps it
        details = "".join(traceback.format_exception(error))
        reason = error if str(error) else type(error).__name__
        return _failure(record, reason, details), output.getvalue()


def _failure(record: RunRecord, reason: Exception | str, details: str = "") -> Message:
    """Write down why a run stopped, and return it in one line."""
    said = _(
        "{run} stopped in epoch {epoch}: {reason}",
        run=record.name,
        epoch=len(record.curve) + 1,
        reason=reason,
    )
    with contextlib.suppress(LabError):  # the disk may be full: then the line must do
        content = f"{said}\n\n{details}".encode("utf-8", "replace")
        files.write_atomically(record.folder / "failure.txt", content)
    return said


@functools.cache  # once in a process
def _end_with_parent() -> None:
    """End this process from now on as soon as the one that started it is gone.

    A killed kernel would otherwise leave workers that train for hours, seen by nobody. An end at
    any moment costs a record no more than its current epoch. (On Windows a process keeps the number
    of its parent, and so goes on.)
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _progress_bar(records: Sequence[RunRecord], count: int) -> Iterator[None]:
    """Show, while the body runs, how many epochs are done and where each running network is.

    records: of the runs that are not finished, of `count`. What was done before gives no speed.

    What the workers have done is read from their records: each second in a notebook or a terminal,
    each minute where it goes to a file. At the end the bar is gone; in a notebook, where nothing
    else that the cell printed may be wiped away with it, a line takes its place.
    """
    show = _display()
    every = 1.0 if show or sys.stderr.isatty() else 60.0
    done = threading.Event()
    options = {
        "unit": str(_("epoch")),
        "leave": False,
        "file": io.StringIO() if show else sys.stderr,
    }
    total = sum(record.settings.epochs for record in records)
    bar = tqdm(total=total, initial=_epochs(records), **options)

    def watch() -> None:
        while not done.wait(every):
            bar.n = max(bar.initial, _epochs(records))  # a damaged run starts anew
            bar.set_postfix_str(" · ".join(str(_progress(r)) for r in records if is_running(r)))
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
            left = sum(record.result is None for record in records)
            show(str(_("{done} of {all} runs finished", done=count - left, all=count)))


def _epochs(records: Sequence[RunRecord]) -> int:
    """Return how many epochs some runs have done so far."""
    return sum(len(record.curve) for record in records)


def _display() -> Callable[[str], None] | None:
    """Return what shows a line in place of the one before; None outside of a notebook."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if getattr(shell, "kernel", None) is None:
        return None
    handle = sys.modules["IPython"].display.DisplayHandle()
    handle.display({"text/plain": "..."}, raw=True)
    return lambda text: handle.update({"text/plain": text}, raw=True)


def is_running(record: RunRecord) -> bool:
    """Say whether a run has started, and neither finished nor failed; a killed one counts too."""
    started = (record.folder / "settings.json").exists()
    return started and record.result is None and not (record.folder / "failure.txt").exists()


def _progress(record: RunRecord) -> Message:
    """Return where a run is, in a few words: network, epoch, last validation accuracy or loss."""
    curve, epochs = record.curve, record.settings.epochs
    said = _(
        "{network} epoch {epoch}/{epochs}",
        network=record.settings.network,
        epoch=min(len(curve) + 1, epochs),
        epochs=epochs,
    )
    with contextlib.suppress(LookupError, ValueError):  # no epoch yet, or a damaged file
        loss = curve[-1]["valid_loss"]
        said = _("{place} loss {loss:.2f}", place=said, loss=loss)
        accuracy = 100 * curve[-1]["valid_accuracy"]
        said = _("{place} accuracy {percent:.0f} %", place=said.values["place"], percent=accuracy)
    return said
