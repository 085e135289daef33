"""Runs of the lab: what one is, the record it leaves, and many of them spread over the cores.

A run is one network trained with one choice of settings. Its record is a folder that is written as
the run goes on, so that whatever is interrupted can continue:

    Settings -> sweep -> the notebook's training, with a RunRecord -> results.csv, curves.csv

Contents, with the section of the notebook that uses each part
    1. Records    settings, fingerprints, one folder a run                     (5)
    2. Sweeps     a run list on processes, a GPU or a cluster                  (6)
    3. Results    from records to the files that tables and figures read       (6)

Importing this module changes nothing: no thread count, no seed, no folder.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import hashlib
import inspect
import io
import json
import math
import os
import platform
import re
import subprocess
import sys
import textwrap
import threading
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import joblib
import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from joblib.externals.loky.process_executor import TerminatedWorkerError
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

import utils

# ── 1. Records ──────────────────────────────────────────────────────────────────────────────────


CHOICES = {
    "recurrent_init": ("default", "orthogonal"),
    "readout": ("last", "pooled"),
    "vectors": ("tuned", "frozen", "random"),
    "keep": ("end", "start"),
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that is chosen about one run. A changed setting is a different run."""

    network: str  # its name in tables and figures
    cell: str  # name of a model class: RNN, LSTM or GRU
    hidden_dim: int
    num_layers: int
    learning_rate: float
    seed: int
    epochs: int  # at most
    batch_size: int
    max_length: int  # tokens
    clip_norm: float = 1.0  # largest norm of the gradient of all weights together
    bidirectional: bool = False
    decay: bool = False  # the learning rate falls to zero, in a line over all epochs
    patience: int = 2  # stop after so many epochs without a lower validation loss
    recurrent_init: str = "default"  # PyTorch's, or orthogonal
    readout: str = "last"  # the last state, or pooled: mean, maximum and last
    embedding_dropout: float = 0.0  # of the word vectors' values
    dropout: float = 0.0  # of what the output layer reads
    vectors: str = "tuned"  # pretrained and trained on; or frozen; or random
    keep: str = "end"  # which max_length tokens of a long review: its start or its end
    labelled: int = 0  # train on so many reviews only; 0: on all
    pretrained: str = ""  # name of the language-model run to start from

    def check(self) -> None:
        """Raise LabError, naming the entry and the setting, if no run can have these settings."""
        counts = ("hidden_dim", "num_layers", "epochs", "batch_size", "max_length", "patience")
        problems = [
            f"{name} is {getattr(self, name)!r}, not a whole number of at least 1"
            for name in counts
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1
        ]
        problems += [
            f"{name} is {getattr(self, name)!r}, not a number above 0"
            for name in ("learning_rate", "clip_norm")
            if not 0 < getattr(self, name) < math.inf
        ]
        problems += [
            f"{name} is {getattr(self, name)!r}, not a number from 0 to below 1"
            for name in ("embedding_dropout", "dropout")
            if not 0 <= getattr(self, name) < 1
        ]
        problems += [
            f"{name} is {getattr(self, name)!r}, not one of {', '.join(known)}"
            for name, known in CHOICES.items()
            if getattr(self, name) not in known
        ]
        if not isinstance(self.labelled, int) or self.labelled < 0:
            problems.append(f"labelled is {self.labelled!r}, not a whole number of at least 0")
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            problems.append(f"seed is {self.seed!r}, not a whole number from 0 to 4,294,967,295")
        if problems:
            raise utils.LabError(f"Run list, entry {self.network!r}: {'; '.join(problems)}.")


def source_fingerprint(*definitions: Callable[..., Any]) -> str:
    """Return digits that change when the code of a class or function does, comments apart.

    Raises LabError if Python does not find the code any more.
    """
    try:
        sources = [source for definition in definitions for source in _sources(definition)]
    except OSError as error:  # Python keeps the source of a cell in memory, and may let go of it
        raise utils.LabError(
            "Python no longer finds the source of the notebook's classes and functions, which "
            "tells stored runs of this code from others. Restart the kernel and run all cells; "
            "runs that have ended are not repeated."
        ) from error
    return utils.digest(*(ast.dump(ast.parse(textwrap.dedent(source))) for source in sources))


def _sources(definition: Callable[..., Any]) -> Iterator[str]:
    """Yield the source of a function, or of what a class defines itself.

    Python 3.11 finds the source of a function made in a notebook, but not of a class.
    """
    if not isinstance(definition, type):
        yield inspect.getsource(definition)
        return
    yield repr(f"class {definition.__name__}{definition.__bases__}")
    for name, value in vars(definition).items():
        value = getattr(value, "fget", getattr(value, "__func__", value))  # property, staticmethod
        if inspect.isfunction(value):
            yield inspect.getsource(value)
        elif not name.startswith("__"):
            yield repr(f"{name} = {value!r}")


def load_tensors(path: Path) -> dict[str, Any] | None:
    """Read a file of `torch.save`; None if it is missing or damaged. No pickle is executed.

    torch.load does not look at the checksums that torch.save has written, so that a flipped bit in
    a weight would go unseen. They are those of any ZIP file, and are checked here.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return None
        return torch.load(path, weights_only=True, map_location="cpu")
    except utils.DAMAGE:
        return None


class RunRecord:
    """The folder of one run. It is written as the run goes on and never left half-written.

    settings.json  what was asked for, with the fingerprints of data and code
    state.pt       weights, optimizer and curve after the last whole epoch, while running
    best.pt        weights of the epoch with the lowest validation loss
    curve.csv      one row per epoch
    test.npz       test probabilities, one per review
    result.json    the outcome, written last: a run with this file is finished
    failure.txt    why the run stopped, if it did; the next sweep tries it again

    A run is found again by its settings, data and code together. Whoever starts it again after an
    interruption continues after the last whole epoch.
    """

    def __init__(self, settings: Settings, data: str, code: str, folder: Path) -> None:
        """`data` and `code` are fingerprints, `folder` is where all runs live."""
        self.settings = settings
        self.identity = {**dataclasses.asdict(settings), "data": data, "code": code}
        slug = re.sub(r"[^a-z0-9]+", "-", settings.network.lower()).strip("-")
        key = utils.digest(json.dumps(self.identity, sort_keys=True))[:8]
        self.name = f"{slug}-seed{settings.seed}-{key}"
        self.folder = folder / self.name

    def lock(self) -> FileLock:
        """Return a lock that one process at a time can hold; others wait for it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / "lock")

    def clear(self) -> None:
        """Forget the run, so that it starts anew."""
        files = ("result.json", "state.pt", "best.pt", "curve.csv", "test.npz", "failure.txt")
        for file in files:
            (self.folder / file).unlink(missing_ok=True)

    def fail(self, error: BaseException) -> str:
        """Write down why the run stopped, and return it in one line."""
        where = f"in epoch {len(self.curve) + 1}: {str(error) or type(error).__name__}"
        report = where + "\n\n" + "".join(traceback.format_exception(error))
        with contextlib.suppress(utils.LabError):  # the disk may be full: then the line must do
            utils.write_atomically(self.folder / "failure.txt", report.encode("utf-8", "replace"))
        return f"{self.name} stopped {where}"

    @property
    def result(self) -> dict[str, Any] | None:
        """The outcome of a finished run; None without one, or if it or the curve is damaged."""
        try:
            result = json.loads((self.folder / "result.json").read_text(encoding="utf-8"))
            check = result.pop("check")
            return result if check == self._check(result) else None
        except (OSError, ValueError, AttributeError, KeyError):
            return None

    def _check(self, result: dict[str, Any]) -> str:
        """Return digits that change with any change of the outcome or the curve."""
        curve = (self.folder / "curve.csv").read_bytes()
        return utils.digest(json.dumps(result, sort_keys=True), hashlib.sha256(curve).hexdigest())

    @property
    def running(self) -> bool:
        """True once a run has started, until it is finished or fails; after a kill too."""
        started = (self.folder / "settings.json").exists()
        return started and self.result is None and not (self.folder / "failure.txt").exists()

    @property
    def progress(self) -> str:
        """Where the run is, in a few words: network, epoch, last validation accuracy or loss."""
        curve, value = self.curve, ""
        with contextlib.suppress(LookupError, ValueError):  # no epoch yet, or a damaged file
            value = f" loss {curve[-1]['valid_loss']:.2f}"
            value = f" {curve[-1]['valid_accuracy']:.0%}"
        epoch = f"{min(len(curve) + 1, self.settings.epochs)}/{self.settings.epochs}"
        return f"{self.settings.network} epoch {epoch}{value}"

    @property
    def curve(self) -> list[dict[str, float]]:
        """One row per whole epoch so far."""
        try:
            return pd.read_csv(self.folder / "curve.csv").to_dict("records")
        except (OSError, ValueError):
            return []

    def resume(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> list[dict[str, float]]:
        """Restore model and optimizer after the last whole epoch; return the curve so far.

        A new run returns an empty list. So does one with a damaged file: it says so and starts
        anew, for a curve without its weights is worth nothing.
        """
        settings = json.dumps(self.identity, indent=1).encode("utf-8")
        utils.write_atomically(self.folder / "settings.json", settings)
        (self.folder / "failure.txt").unlink(missing_ok=True)
        if not (self.folder / "state.pt").exists():
            if self.curve or (self.folder / "result.json").exists():
                print(f"Run {self.name} has lost its state.pt or result.json; it starts anew.")
                self.clear()
            return []
        # best.pt too: the epochs to come may not beat the best one
        loaded = {file: load_tensors(self.folder / file) for file in ("state.pt", "best.pt")}
        if damaged := [file for file, content in loaded.items() if content is None]:
            print(f"{' and '.join(damaged)} of run {self.name}: damaged; the run starts anew.")
            self.clear()
            return []
        state = loaded["state.pt"]
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        return state["curve"]

    def save_epoch(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        curve: list[dict[str, float]],
    ) -> None:
        """Write the state after an epoch; keep its weights if its validation loss is the best.

        Raises FloatingPointError, before anything is written, if a loss is not finite.
        """
        last = curve[-1]
        if not math.isfinite(last["train_loss"] + last["valid_loss"]):
            raise FloatingPointError(f"the loss is not finite in epoch {len(curve)}")
        if utils.best_epoch(curve) == len(curve):
            self._save("best.pt", model.state_dict())
        # NumPy's numbers would be refused when the file is read: it is read without pickle
        plain = [{k: getattr(v, "item", lambda v=v: v)() for k, v in row.items()} for row in curve]
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "curve": plain}
        self._save("state.pt", state)
        self._save_curve(curve)

    def load_best(self, model: nn.Module) -> nn.Module:
        """Load the weights of the best epoch into `model`, and return it.

        Raises LabError if they are missing or damaged.
        """
        weights = load_tensors(self.folder / "best.pt")
        if weights is None:
            raise utils.LabError(f"Run {self.name} has no usable weights. Train it again.")
        model.load_state_dict(weights)
        return model

    def weights_of(self, name: str) -> dict[str, Tensor]:
        """Return the best weights of another run in the same folder, by its name.

        Raises LabError if they are missing or damaged.
        """
        weights = load_tensors(self.folder.parent / name / "best.pt")
        if weights is None:
            raise utils.LabError(
                f"{self.name} starts from the weights of {name}, which are missing or damaged. "
                "Train that run first."
            )
        return weights

    def finish(
        self,
        model: nn.Module,
        curve: list[dict[str, float]],
        outcome: dict[str, float],
        **arrays: NDArray[Any],
    ) -> None:
        """Write the outcome, and arrays to test.npz if there are any; now the run is finished.

        To the outcome come the losses of the best epoch, time, and the circumstances of the run.
        """
        self._save_curve(curve)  # a kill after the last epoch may have come between state and curve
        if arrays:
            utils.save_arrays(self.folder / "test.npz", **arrays)
        seconds = sum(row["seconds"] for row in curve)
        best = utils.best_epoch(curve)
        result = {
            "best_epoch": best,
            "parameters": sum(p.numel() for p in model.parameters()),
            **{k: v for k, v in curve[best - 1].items() if k.startswith(("train_", "valid_"))},
            **outcome,
            "seconds": seconds,
            "tokens_per_second": sum(row["tokens"] for row in curve) / seconds,
            "device": str(next(model.parameters()).device),
            **circumstances(),
        }
        result["check"] = self._check(result)
        utils.write_atomically(
            self.folder / "result.json", json.dumps(result, indent=1).encode("utf-8")
        )
        (self.folder / "state.pt").unlink(missing_ok=True)

    def _save_curve(self, curve: list[dict[str, float]]) -> None:
        text = pd.DataFrame(curve).to_csv(index=False)
        utils.write_atomically(self.folder / "curve.csv", text.encode("utf-8"))

    def _save(self, file: str, content: dict[str, Any]) -> None:
        buffer = io.BytesIO()
        torch.save(content, buffer)
        utils.write_atomically(self.folder / file, buffer.getvalue())


# variables that hold a CPU to the instructions of an older one, so that more machines agree
CPU_LIMITS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS")


def circumstances() -> dict[str, str | int]:
    """Return what a later reader needs to know of the program and machine that finished a run.

    limits: which of CPU_LIMITS are set, and to what
    commit: the lab's version, with + if tracked files were changed since; "" without git.
    """
    return {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "limits": " ".join(f"{n}={os.environ[n]}" for n in CPU_LIMITS if n in os.environ),
        "commit": _commit(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _commit() -> str:
    """Return the commit that this file belongs to, or "" if it belongs to none or git fails."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--abbrev=12"]
    command += ["--exclude=*", "--dirty=+"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


# ── 2. Sweeps ───────────────────────────────────────────────────────────────────────────────────


def repeat(
    record: RunRecord, train_run: TrainRun, data: RunData, code: str, folder: Path
) -> pd.DataFrame:
    """Train a finished run once more, in `folder`, and compare: a row a number, stored and again.

    On the same machine, with the same versions, all differences are 0. Between kinds of CPU they
    are not: see the README. Raises LabError if data or code are not those of the run.
    """
    result = record.result
    if result is None:
        raise utils.LabError(f"Run {record.name} is not finished. Train it first.")
    for name, now in (("data", data.fingerprint), ("code", code)):
        if record.identity[name] != now:
            raise utils.LabError(
                f"Run {record.name} was made with other {name}; it cannot be repeated."
            )
    again = RunRecord(record.settings, data.fingerprint, code, folder)
    again.clear()
    train_run(record.settings, data, again, utils.pick_device())
    stored, new = (
        {k: v for k, v in r.items() if isinstance(v, int | float) and k not in TIMING}
        for r in (result, again.result)
    )
    table = pd.DataFrame({"stored": stored, "again": new})
    return table.assign(difference=table["again"] - table["stored"])


TIMING = ("seconds", "tokens_per_second", "threads")  # differ from one time to the next


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
    code: str,
    folder: Path | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    cells: Collection[str] = tuple(GATES),
) -> list[RunRecord]:
    """Carry out a run list, several runs at a time, and return their records in its order.

    On a CPU each worker is a process of its own with one thread: two such processes do more than
    one process with two threads, and the numbers do not depend on how many there are. A GPU takes
    the runs one after another. With a Dask cluster (see `dask_client`) its workers take them; they
    must see `folder`. Finished runs are not repeated, interrupted ones continue.

    train_run: the notebook's function that trains one network and finishes its record
    code:      fingerprint of the notebook's definitions; see `source_fingerprint`
    workers:   processes on this machine, by default one per core
    overwrite: forget what earlier sweeps did
    cells:     names that a run list may use

    Raises LabError before anything starts if an entry is impossible or named twice, and at the end
    if runs failed or the sweep was stopped: what was finished by then stays.
    """
    check_run_list(run_list, cells)
    folder = (folder or utils.output_folder() / "runs").absolute()
    records = [RunRecord(settings, data.fingerprint, code, folder) for settings in run_list]
    if overwrite:
        for record in records:
            record.clear()
    # the longest runs start first, so that no worker is left alone with one at the end
    waiting = sorted((r for r in records if r.result is None), key=_work, reverse=True)
    try:
        with dask_client() as client, _progress_bar(records):
            outcomes = _run_jobs(
                waiting, train_run, data, workers or utils.available_cores(), client
            )
    except KeyboardInterrupt:
        raise utils.LabError(
            "Stopped. Finished runs and whole epochs are kept; run the cell again to go on."
        ) from None
    _report(outcomes)
    return records


def check_run_list(run_list: Sequence[Settings], cells: Collection[str]) -> None:
    """Raise LabError, naming the entry, if one is impossible or stands twice."""
    for entry, count in Counter(run_list).items():
        entry.check()
        if entry.cell not in cells:
            known = ", ".join(cells)
            raise utils.LabError(
                f"Run list, entry {entry.network!r}: no cell {entry.cell!r}, only {known}."
            )
        if count > 1:
            raise utils.LabError(
                f"The run list names {entry.network}, seed {entry.seed}, {count} times."
            )


class _Outcome(NamedTuple):
    """What a worker has to say of a run."""

    failure: str | None  # one line, None if the run is finished
    said: str  # what the run printed; shown when all are done, in order


def _report(outcomes: Sequence[_Outcome]) -> None:
    """Print what the runs printed elsewhere; raise LabError, naming them, if some failed."""
    for said in filter(None, (outcome.said for outcome in outcomes)):
        print(said, end="")
    failures = [outcome.failure for outcome in outcomes if outcome.failure]
    if failures:
        raise utils.LabError(
            "; ".join(failures) + ". The other runs are finished. More in failure.txt of each run."
        )


def _run_jobs(
    waiting: Sequence[RunRecord], train_run: TrainRun, data: RunData, workers: int, client: Any
) -> list[_Outcome]:
    """Carry out the runs, several at a time, and return their outcomes.

    When the system kills a worker (most often for its memory), joblib stops them all. The runs not
    yet finished then go on one by one, each in a process of its own, so that the one that is killed
    again can be named and the others finish. Dask does the like by itself.
    """
    device = None if client else utils.pick_device()  # a worker elsewhere looks for its own
    workers = min(workers, len(waiting)) if device is None or device.type == "cpu" else 1
    elsewhere = client is not None or workers > 1
    run = joblib.delayed(_carry_out)
    jobs = [run(train_run, data, device, elsewhere, record) for record in waiting]
    if client is not None:
        with joblib.parallel_config(backend="dask", client=client):
            return joblib.Parallel(n_jobs=-1)(jobs)
    try:
        return joblib.Parallel(n_jobs=workers or 1)(jobs)
    except TerminatedWorkerError:
        outcomes = []
        for record, job in zip(waiting, jobs, strict=True):
            if record.result is None:
                try:
                    # two workers for one job: with n_jobs=1 joblib would use this very process
                    outcomes += joblib.Parallel(n_jobs=2)([job])
                except TerminatedWorkerError:
                    killed = f"{record.name}: its process was killed, perhaps for its memory"
                    outcomes.append(_Outcome(killed, ""))
        return outcomes


@contextlib.contextmanager
def dask_client() -> Iterator[Any]:
    """Give the client of the Dask cluster to use, or None for this machine alone.

    It is the client that the notebook has made, else one for the scheduler whose address is in
    LAB2_DASK, for as long as it is needed. The workers get the lab's modules; each must have one
    thread, because a training uses the process's random numbers. Raises LabError if no scheduler
    answers, or if a worker has several threads.
    """
    address = os.environ.get("LAB2_DASK")
    if not address and "distributed" not in sys.modules:
        yield None
        return
    try:
        import distributed
        from distributed.diagnostics.plugin import UploadFile
    except ImportError as error:
        raise utils.LabError(
            "LAB2_DASK is set, but Dask is not installed: pip install -r requirements-cluster.txt"
        ) from error
    with contextlib.ExitStack() as stack:
        try:
            client = distributed.default_client()
        except ValueError:  # the notebook has made none
            client = stack.enter_context(_connect(address)) if address else None
        if client is not None:
            if not client.scheduler_info()["workers"]:
                print("Waiting for the first worker of the Dask cluster ...")
            client.wait_for_workers(1)
            workers = client.scheduler_info(n_workers=-1)["workers"].values()
            if any(worker["nthreads"] != 1 for worker in workers):
                raise utils.LabError(
                    "A Dask worker has several threads. Start the workers with --nthreads 1."
                )
            for module in ("recurrent.py", "utils.py", "experiment.py", "language.py"):
                plugin = UploadFile(str(Path(__file__).with_name(module)))
                client.register_plugin(plugin, name=f"lab2-{module}")
        yield client


def _connect(address: str) -> Any:
    """Return a client for the Dask scheduler at `address`."""
    import distributed

    try:
        return distributed.Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise utils.LabError(
            f"No Dask scheduler answers at LAB2_DASK={address}: {_first_line(error)}. Start one "
            "there, or unset LAB2_DASK to train on this machine."
        ) from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0]


def _work(record: RunRecord) -> float:
    """Return a number that grows with the time a run takes: reviews by size of the products."""
    settings = record.settings
    reviews = settings.epochs * (settings.labelled or 10_000)
    gates = GATES.get(settings.cell, 1)
    return reviews * gates * settings.num_layers * settings.hidden_dim**2


def _carry_out(
    train_run: TrainRun,
    data: RunData,
    device: torch.device | None,
    elsewhere: bool,
    record: RunRecord,
) -> _Outcome:
    """Train one run, unless another process has done it meanwhile; return what came of it.

    Elsewhere, in a worker, nobody would see what it prints: then it is kept for the outcome. And
    the worker ends with the process that started it.
    """
    device = device or utils.pick_device()
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if device.type == "cpu" else threads)
    torch.set_flush_denormal(True)
    said = io.StringIO()
    try:
        with (
            contextlib.redirect_stdout(said) if elsewhere else contextlib.nullcontext(),
            _ends_with_parent() if elsewhere else contextlib.nullcontext(),
            record.lock(),
        ):
            if record.result is None:
                train_run(record.settings, data, record, device)
        return _Outcome(None, said.getvalue())
    except Exception as error:  # whatever it is, the other runs go on, and the record keeps it
        return _Outcome(record.fail(error), said.getvalue())
    finally:
        torch.set_num_threads(threads)


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


@contextlib.contextmanager
def _progress_bar(records: Sequence[RunRecord]) -> Iterator[None]:
    """Show, while the body runs, how many epochs are done and where each running network is.

    What the workers have done is read from their records, each second where somebody watches, and
    each minute where it goes to a file. The bar is gone at the end.
    """
    every = 1.0 if sys.stderr.isatty() or "IPython" in sys.modules else 60.0
    done = threading.Event()
    total = sum(record.settings.epochs for record in records)
    bar = tqdm(total=total, unit="epoch", leave=False)

    def watch() -> None:
        while not done.wait(every):
            bar.n = sum(len(record.curve) for record in records)
            bar.set_postfix_str(" · ".join(r.progress for r in records if r.running))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        bar.close()
        if "IPython" in sys.modules:  # no rest of the bar in the stored notebook
            sys.modules["IPython"].display.clear_output()


# ── 3. Results ──────────────────────────────────────────────────────────────────────────────────


def export_results(
    records: Sequence[RunRecord], folder: Path | None = None, prefix: str = "", **columns: list[str]
) -> Path:
    """Write results.csv (a row a run) and curves.csv (a row a run and epoch); return the folder.

    Runs that are not finished are left out of both. All later tables and figures are drawn from
    these two files. The prefix tells the files of different run lists apart; columns are more
    columns of results.csv, with a value for each record.
    """
    folder = folder or utils.output_folder()
    results, curves = [], []
    for place, record in enumerate(records):
        if (result := record.result) is not None:
            more = {name: values[place] for name, values in columns.items()}
            results.append({"run": record.name, **more, **record.identity, **result})
            key = {"run": record.name, "network": record.settings.network}
            curves += [key | {"seed": record.settings.seed} | row for row in record.curve]
    for name, rows in (("results.csv", results), ("curves.csv", curves)):
        utils.write_atomically(
            folder / f"{prefix}{name}", pd.DataFrame(rows).to_csv(index=False).encode("utf-8")
        )
    return folder


def export_predictions(
    records: Sequence[RunRecord],
    test: utils.EncodedReviews,
    file: str,
    names: Sequence[str] | None = None,
) -> None:
    """Write the test probabilities of finished runs, packed, to <file>.npz in the output folder.

    names: what each run is called, by default its network; runs of one name become rows of one
    table (seeds, reviews)
    """
    names = [record.settings.network for record in records] if names is None else names
    stacks: dict[str, list[NDArray[np.float16]]] = {}
    for name, record in zip(names, records, strict=True):
        stored = utils.load_arrays(record.folder / "test.npz")
        if stored is None:
            raise utils.LabError(f"Run {record.name} has no predictions. Train it again.")
        stacks.setdefault(name, []).append(utils.pack_probability(stored["probability"]))
    arrays = {name: np.stack(rows) for name, rows in stacks.items()}
    lengths = np.diff(test.starts).astype(np.int32)
    path = utils.output_folder() / f"{file}.npz"
    utils.save_arrays(path, labels=test.labels.astype(np.int8), lengths=lengths, **arrays)
