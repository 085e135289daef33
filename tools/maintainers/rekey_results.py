"""Gives stored runs the names of code that computes the same, so that none is trained again.

    python tools/maintainers/rekey_results.py COMMIT [--prove] [--near DIFFERENCE]

Stored runs are known by their code. When that is written anew and computes the same bits, this
program proves it on short runs, one of each cell and kind, with the code of COMMIT and with the
code that stands here; then it gives the runs in data/reference their new names. No other word of
these files changes. --prove stops after the proof. With --near, arrays may differ by so much of
their length (Euclidean): where sums are taken in another order, say.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import math
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import torch

ROOT = Path(__file__).resolve().parents[2]
WORDS = 40  # of a small vocabulary

CELLS = ("RNN", "LSTM", "GRU")
STARTS = {"pretrained", "pretrained_back"}  # settings that are names of runs
# of a curve, what is the same on all machines
COLUMNS = ("epoch", "tokens", "train_loss", "train_accuracy", "valid_loss", "valid_accuracy")
KINDS = {  # what the stored runs differ in
    "classifier": {},
    "two layers": {"num_layers": 2, "hidden_dim": 8},
    "own recipe": {"recurrent_init": "orthogonal", "decay": True},
    "two directions": {"bidirectional": True},
    "pooled": {"readout": "pooled"},
    "dropout": {"embedding_dropout": 0.5, "dropout": 0.3, "readout": "pooled"},
    "frozen": {"vectors": "frozen"},
    "random": {"vectors": "random"},
    "first words": {"keep": "start"},
    "few labels": {"labelled": 20},
}

# ── 1. Short runs, with the code of any commit ──────────────────────────────────────────────────


def open_lab(tree: Path) -> SimpleNamespace:
    """Return what the short runs need of the lab in a folder; this process imports its modules."""
    sys.path.insert(0, str(tree))
    import utils
    from lab.base import machine
    from lab.datasets import token_stream
    from lab.experiments import run, settings
    from lab.notebooks import trainers

    machine.prepare_torch()
    return SimpleNamespace(
        utils=utils, token_stream=token_stream, Settings=settings.Settings,
        RunRecord=run.RunRecord, training_of=trainers.training_of,
    )  # fmt: skip


def small_data(lab: SimpleNamespace) -> tuple[Any, Any]:
    """Return random reviews and a random stream of words, with vectors for both."""
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(WORDS, 6)).astype(np.float32)
    vectors[:2] = 0
    splits = []
    for count in (96, 40, 40):
        lengths = generator.integers(1, 13, count)
        tokens = generator.integers(2, WORDS, lengths.sum()).astype(np.int32)
        starts = np.concatenate([[0], np.cumsum(lengths)])
        labels = np.resize([0, 1], count).astype(np.float32)
        splits.append(lab.utils.EncodedReviews(tokens, starts, labels))
    stream, heard = (generator.integers(1, WORDS, count) for count in (1500, 300))
    return (
        lab.utils.LabData(*splits, vectors),
        lab.token_stream.LanguageData(stream, heard, vectors, 900, parts=2),
    )


def short_runs(tree: Path, out: Path) -> None:
    """Train the short runs with the lab in a folder; write their numbers, and its digests."""
    lab = open_lab(tree)
    reviews, stream = small_data(lab)
    numbers = {"data": np.array(reviews.fingerprint), "stream": np.array(stream.fingerprint)}
    codes: set[str] = set()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for cell in CELLS:
            reader = train(lab, folder, f"{cell} LM", cell, stream, {})
            numbers |= numbers_of(reader, f"{cell}, language model")
            codes.add(reader.sources["code"])
            for kind, changes in (KINDS | started(reader.name)).items():
                run = train(lab, folder, f"{cell} {kind}", cell, reviews, changes)
                numbers |= numbers_of(run, f"{cell}, {kind}")
                codes.add(run.sources["code"])
    np.savez(out, codes=sorted(codes), **numbers)


def started(reader: str) -> dict[str, dict[str, str]]:
    """Return the kinds of runs that start from a language model."""
    reading = {"pretrained": reader, "readout": "pooled"}
    both = reading | {"pretrained_back": reader}
    return {"transfer": {"pretrained": reader}, "reading": reading, "two readers": both}


def train(
    lab: SimpleNamespace, folder: Path, name: str, cell: str, data: Any, changes: dict[str, Any]
) -> Any:
    """Train one short run, and return its record. 160 units: small ones take another product."""
    base = {"network": name, "cell": cell, "hidden_dim": 160, "num_layers": 1, "seed": 1}
    base |= {"learning_rate": 0.01, "epochs": 2, "batch_size": 16, "max_length": 10}
    settings = lab.Settings(**base | changes)
    training = lab.training_of(settings)
    record = lab.RunRecord(settings, data.fingerprint, training.code.of(settings), folder)
    training.train(settings, data, record, torch.device("cpu"))
    return record


def numbers_of(record: Any, run: str) -> dict[str, np.ndarray]:
    """Return all numbers of a run that do not depend on time and place: run, what -> numbers."""
    rows = [[row.get(column, 0.0) for column in COLUMNS] for row in record.curve]
    numbers = {"curve": np.array(rows, dtype=float)}
    weights = torch.load(record.folder / "best.pt", weights_only=True)
    numbers |= {name: weight.numpy() for name, weight in weights.items()}
    if (record.folder / "test.npz").exists():
        with np.load(record.folder / "test.npz", allow_pickle=False) as arrays:
            numbers["probability"] = arrays["probability"]
    return {f"{run}: {name}": values for name, values in numbers.items()}


# ── 2. The proof ────────────────────────────────────────────────────────────────────────────────


def compare(commit: str) -> tuple[dict[str, float], list[str]]:
    """Return how far short runs with the code that stands here are from those of a commit.

    What -> the difference, as `difference` has it; only what is not the same. And the digests of
    the commit's code. Raises SystemExit if the commit is not in this repository, or
    a run fails.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        unpack(commit, folder / "then")
        then, now = (numbers_in(tree, folder / "out.npz") for tree in (folder / "then", ROOT))
    codes = then.pop("codes").tolist()
    far = {name: difference(values, now.get(name)) for name, values in then.items()}
    return {name: value for name, value in far.items() if value}, codes


def difference(one: np.ndarray, other: np.ndarray | None) -> float:
    """Return the length of the difference of two arrays, in parts of the first's; 0: the same."""
    if other is not None and np.array_equal(one, other):
        return 0.0
    if other is None or one.shape != other.shape or one.dtype.kind == "U":
        return math.inf
    return float(np.linalg.norm(one - other) / np.linalg.norm(one))


def unpack(commit: str, folder: Path) -> None:
    """Put the files of a commit into a new folder."""
    command = ["git", "-C", str(ROOT), "archive", commit]
    archive = subprocess.run(command, capture_output=True)
    if archive.returncode:
        raise SystemExit(f"No commit {commit} in {ROOT}: {archive.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")


def numbers_in(tree: Path, out: Path) -> dict[str, np.ndarray]:
    """Return the numbers of the lab's short runs in a folder, made by a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--short-runs", str(tree), str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"The short runs of {tree} failed: {done.stderr[-2000:]}")
    with np.load(out, allow_pickle=False) as numbers:
        return dict(numbers)


# ── 3. New names ────────────────────────────────────────────────────────────────────────────────


def rekey(folder: Path, known: list[str]) -> int:
    """Give the runs stored in a folder the names of the code that stands here; return how many.

    known: digests of the code that has been proved to be the same. Raises SystemExit, before
    anything is changed, if a stored run is of other code.
    """
    table = read(folder / "results.csv")
    refuse_others(folder, known)
    names: dict[str, str] = {}
    made_by: dict[str, str] = {}
    for row in sorted(table.to_dict("records"), key=lambda row: row["pretrained"] != ""):
        names[row["run"]], made_by[row["run"]] = new_name(row, names)
    codes = dict(zip(table["code"], table["run"].map(made_by), strict=True))  # before -> now
    table["code"] = table["run"].map(made_by)
    for column in STARTS.intersection(table):
        table[column] = table[column].map(lambda name: names.get(name, name))
    table["run"] = table["run"].map(names)
    write(folder / "results.csv", table)
    for name in ("curves.csv", "lists.csv"):
        other = read(folder / name)
        other = other[other["run"].isin(names)]  # a list may name a run that was never made
        write(folder / name, other.assign(run=other["run"].map(names)))
    rename_predictions(folder / "predictions.npz", names)
    if (folder / "runs.csv").exists():  # what was announced is made by the same code
        announced = read(folder / "runs.csv")
        write(folder / "runs.csv", announced.assign(code=announced["code"].replace(codes)))
    return sum(old != new for old, new in names.items())


def refuse_others(folder: Path, known: list[str]) -> None:
    """Raise SystemExit if a stored run is of code that has not been proved to be the same."""
    if others := set(read(folder / "results.csv")["code"]) - set(known):
        raise SystemExit(f"{folder}: stored runs of code {', '.join(others)}, which is another.")


def new_name(row: dict[str, str], names: dict[str, str]) -> tuple[str, str]:
    """Return the name and the code of a stored run as they are now; names: those known already."""
    from lab.experiments.run import RunRecord
    from lab.experiments.settings import Settings
    from lab.notebooks import trainers

    # a setting that is newer than the file stands at its default
    known = [field.name for field in dataclasses.fields(Settings) if field.name in row]
    texts = {name: row[name] for name in known}
    texts |= {name: names.get(row[name], row[name]) for name in STARTS if name in row}
    settings = Settings(**{name: typed(name, text) for name, text in texts.items()})
    code = trainers.training_of(settings).code.of(settings)
    return RunRecord(settings, row["data"], code, ROOT).name, code


def typed(name: str, text: str) -> Any:
    """Return a setting from its text in a file of results."""
    from lab.experiments.settings import Settings

    kind = next(f.type for f in dataclasses.fields(Settings) if f.name == name)
    return {"int": int, "float": float, "str": str, "bool": "True".__eq__}[kind](text)


def read(path: Path) -> pd.DataFrame:
    """Read a table as texts. Raises SystemExit if writing it would change its other words."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if table.to_csv(index=False).encode("utf-8") != path.read_bytes():
        raise SystemExit(f"{path} cannot be written as it was read. Nothing is changed.")
    return table


def write(path: Path, table: pd.DataFrame) -> None:
    """Write a table of texts."""
    from lab.base import files

    files.write_atomically(path, table.to_csv(index=False).encode("utf-8"))


def rename_predictions(path: Path, names: dict[str, str]) -> None:
    """Give what runs said of the test reviews the new names of these runs."""
    from lab.base import files

    stored = files.load_arrays(path) or {}
    files.save_arrays(path, **{names.get(name, name): rows for name, rows in stored.items()})


def main() -> None:
    """Prove that the code of a commit and this one are the same, and rename the stored runs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("commit", nargs="?", help="whose code made the stored runs")
    parser.add_argument("--prove", action="store_true", help="rename nothing")
    parser.add_argument("--near", type=float, default=0.0, help="how far numbers may differ")
    parser.add_argument("--short-runs", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.short_runs:
        short_runs(*options.short_runs)
        return
    if not options.commit:
        parser.error("name the commit whose code made the stored runs")
    far, known = compare(options.commit)
    if too_far := {name: value for name, value in far.items() if value > options.near}:
        worst = ", ".join(f"{name} ({value:.1e})" for name, value in too_far.items())
        raise SystemExit(f"Other numbers than at {options.commit}: {worst}.")
    most = f"the same but for {max(far.values()):.1e}" if far else "the same, bit for bit"
    print(f"All short runs are {most}.")
    if not options.prove:
        sys.path.insert(0, str(ROOT))
        folders = [file.parent for file in (ROOT / "data" / "reference").glob("*/results.csv")]
        for folder in folders:
            refuse_others(folder, known)  # before any of them is changed
        for folder in sorted(folders):
            print(f"{folder.name}: {rekey(folder, known)} runs have new names.")


if __name__ == "__main__":
    main()
