"""Gives stored runs the names of code that computes the same, so that none is trained again.

    python tools/maintainers/rekey_results.py COMMIT [--near DIFFERENCE]

Stored runs are known by their code. When that is written anew and computes the same bits, this
program proves it on short runs, one of each cell and kind, with the code of COMMIT and with the
code that stands here; then it gives the runs in data/reference their new names. No other word of
these files changes. With --near, arrays may differ by so much of their length (Euclidean): where
sums are taken in another order, say.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import utils
from lab import config
from lab.base import files, machine
from lab.experiments import reference
from lab.experiments.run import RunRecord
from lab.experiments.settings import Settings
from lab.notebooks import trainers

STARTS = ("pretrained", "pretrained_back")  # settings that are names of runs
KINDS = {  # what the stored runs differ in; LM: the language model of the same cell
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
    "transfer": {"pretrained": "LM"},
    "reading": {"pretrained": "LM", "readout": "pooled"},
    "two readers": {"pretrained": "LM", "pretrained_back": "LM", "readout": "pooled"},
    "shifts": {"adversarial": 0.5, "readout": "pooled"},
    "random shifts": {"random_shift": 0.5, "readout": "pooled"},
}

# ── 1. Short runs ───────────────────────────────────────────────────────────────────────────────


def short_runs(out: str) -> None:
    """Train the short runs with the code that stands here; write their numbers, and its digests."""
    machine.prepare_torch()
    profile = config.PROFILES["tiny"]
    corpus = utils.load_corpus(profile)
    reviews, stream = corpus.data, utils.language_data(profile, corpus)
    records = []
    with tempfile.TemporaryDirectory() as folder:
        for cell in ("RNN", "LSTM", "GRU"):
            reader = train(Path(folder), f"{cell} LM", cell, stream, {})
            records.append(reader)
            for kind, changes in KINDS.items():
                started = {name: reader.name for name in STARTS if name in changes}
                run = train(Path(folder), f"{cell} {kind}", cell, reviews, changes | started)
                records.append(run)
        numbers = {name: array for run in records for name, array in numbers_of(run).items()}
    np.savez(out, codes=sorted({record.sources["code"] for record in records}), **numbers)


def train(folder: Path, name: str, cell: str, data: Any, changes: dict[str, Any]) -> RunRecord:
    """Train one short run, and return its record. 160 units: small ones take another product."""
    base = {"network": name, "cell": cell, "hidden_dim": 160, "num_layers": 1, "seed": 1}
    base |= {"learning_rate": 0.01, "epochs": 2, "batch_size": 16, "max_length": 60}
    settings = Settings(**base | changes)
    training = trainers.training_of(settings)
    record = RunRecord(settings, data.fingerprint, training.code.of(settings), folder)
    training.train(settings, data, record, torch.device("cpu"))
    return record


def numbers_of(record: RunRecord) -> dict[str, np.ndarray]:
    """Return all numbers of a run that do not depend on time and place: run, what -> numbers."""
    curve = pd.DataFrame(record.curve).drop(columns=["seconds", "tokens_per_second"])
    weights = torch.load(record.folder / "best.pt", weights_only=True)
    numbers = {name: weight.numpy() for name, weight in weights.items()}
    numbers |= files.load_arrays(record.folder / "test.npz") or {}  # not of a language model
    numbers["curve"] = curve.to_numpy(dtype=float)
    return {f"{record.settings.network}: {name}": values for name, values in numbers.items()}


# ── 2. The proof ────────────────────────────────────────────────────────────────────────────────


def compare(commit: str) -> tuple[dict[str, float], list[str]]:
    """Return how far short runs with the code that stands here are from those of a commit.

    What -> the difference, as `difference` has it; only what is not the same. And the digests of
    the commit's code. Raises SystemExit if the commit is not in this repository, or a run fails.
    """
    with tempfile.TemporaryDirectory() as name:
        archive, tree = Path(name, "commit.tar"), Path(name, "tree")
        command = ["git", "-C", str(ROOT), "archive", f"--output={archive}", commit]
        if subprocess.run(command).returncode:
            raise SystemExit(f"No commit {commit} in {ROOT}.")
        shutil.unpack_archive(archive, tree, filter="data")
        shutil.copy(__file__, tree / "tools" / "maintainers")  # the same runs, with that code
        then, now = (numbers_in(folder, Path(name, "out.npz")) for folder in (tree, ROOT))
    codes = then.pop("codes").tolist()
    far = {name: difference(values, now.get(name)) for name, values in then.items()}
    return {name: value for name, value in far.items() if value}, codes


def numbers_in(tree: Path, out: Path) -> dict[str, np.ndarray]:
    """Return the numbers of the short runs of the lab in a folder, made by its own process."""
    code = f"from tools.maintainers import rekey_results; rekey_results.short_runs({str(out)!r})"
    command = [sys.executable, "-c", code]
    if subprocess.run(command, cwd=tree, stdout=subprocess.DEVNULL).returncode:
        raise SystemExit(f"The short runs of {tree} failed.")
    with np.load(out) as numbers:
        return dict(numbers)


def difference(one: np.ndarray, other: np.ndarray | None) -> float:
    """Return the length of the difference of two arrays, in parts of the first's; 0: the same."""
    if np.array_equal(one, other):
        return 0.0
    if other is None or one.shape != other.shape:
        return math.inf
    return float(np.linalg.norm(one - other) / np.linalg.norm(one))


# ── 3. New names ────────────────────────────────────────────────────────────────────────────────


def refuse_others(folder: Path, known: list[str]) -> None:
    """Raise SystemExit if a stored run is of other code that has not been proved to be the same."""
    rows = read(folder / "results.csv").to_dict("records")
    other = {row["code"] for row in rows if new_name(row)[1] != row["code"]}
    if others := other - set(known):
        raise SystemExit(f"{folder}: stored runs of code {', '.join(others)}, which is another.")


def rekey(folder: Path) -> int:
    """Give the runs stored in a folder the names of the code that stands here; return how many."""
    rows = read(folder / "results.csv").to_dict("records")
    names, codes = {}, {}  # before -> now
    for row in sorted(rows, key=lambda row: row["pretrained"]):  # "" first: others start from them
        old_name, old_code = row["run"], row["code"]
        row |= {start: names.get(row[start], row[start]) for start in STARTS if start in row}
        row["run"], row["code"] = new_name(row)
        names[old_name], codes[old_code] = row["run"], row["code"]
    files.write_table("results", pd.DataFrame(rows), folder, digits=None)
    for name in ("curves", "lists"):
        table = read(folder / f"{name}.csv")
        table = table[table["run"].isin(names)]  # a list may name a run that was never made
        files.write_table(name, table.assign(run=table["run"].map(names)), folder, digits=None)
    for file in reference.FILES.values():
        if said := files.load_arrays(folder / file):
            said = {names.get(name, name): rows for name, rows in said.items()}
            files.save_arrays(folder / file, **said)
    if (folder / "runs.csv").exists():  # what was announced is made by the same code
        runs = read(folder / "runs.csv")
        runs["code"] = runs["code"].replace(codes)
        files.write_table("runs", runs, folder, digits=None)
    return sum(old != new for old, new in names.items())


def new_name(row: dict[str, str]) -> tuple[str, str]:
    """Return the name and the code of a stored run as they are now; row: of texts."""
    kinds = {"int": int, "float": float, "str": str, "bool": "True".__eq__}
    # a setting that is newer than the file, or the row, stands at its default
    known = [field for field in dataclasses.fields(Settings) if row.get(field.name)]
    settings = Settings(**{field.name: kinds[field.type](row[field.name]) for field in known})
    code = trainers.training_of(settings).code.of(settings)
    return RunRecord(settings, row["data"], code, ROOT).name, code


def read(path: Path) -> pd.DataFrame:
    """Read a table as texts. Raises SystemExit if writing it would change its other words."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if table.to_csv(index=False).encode("utf-8") != path.read_bytes():
        raise SystemExit(f"{path} cannot be written as it was read. Nothing is changed.")
    return table


def main() -> None:
    """Prove that the code of a commit and this one are the same, and rename the stored runs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("commit", help="whose code made the stored runs")
    parser.add_argument("--near", type=float, default=0.0, help="how far numbers may differ")
    options = parser.parse_args()
    far, known = compare(options.commit)
    if too_far := {name: value for name, value in far.items() if value > options.near}:
        worst = ", ".join(f"{name} ({value:.1e})" for name, value in too_far.items())
        raise SystemExit(f"Other numbers than at {options.commit}: {worst}.")
    most = f"the same but for {max(far.values()):.1e}" if far else "the same, bit for bit"
    print(f"All short runs are {most}.")
    folders = sorted(file.parent for file in ROOT.glob("data/reference/*/results.csv"))
    for folder in folders:
        refuse_others(folder, known)  # before any of them is changed
    for folder in folders:
        print(f"{folder.name}: {rekey(folder)} runs have new names.")


if __name__ == "__main__":
    main()
