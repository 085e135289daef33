"""Result files: results.csv (a row a run), curves.csv (a row an epoch), predictions (NPZ)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from lab import config
from lab.base import files
from lab.base.messages import _
from lab.config import LabError
from lab.datasets.token_stream import Reviews
from lab.experiments.run import RunRecord

# columns that are no numbers, even where each digit is one, and counts: language models have none,
# and such a gap must not make the others floats
NAMES = ("run", "network", "data", "code", "commit")
TYPES = {**dict.fromkeys(NAMES, str), "test_reviews": "Int64"}

# split -> what a run's test.npz calls the probabilities of its reviews
PROBABILITY = {"test": "probability", "valid": "valid_probability"}


def export_results(
    records: Sequence[RunRecord], folder: Path | None = None, prefix: str = "", **columns: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write results.csv (a row a run) and curves.csv (a row a run and epoch); return both.

    Runs that are not finished are left out of both. All later tables and figures are drawn from
    these two files. The prefix tells the files of different run lists apart; columns are more
    columns of results.csv, with a value for each record.
    """
    results, curves = [], []
    for place, record in enumerate(records):
        if (result := record.result) is not None:
            more = {name: values[place] for name, values in columns.items()}
            results.append({"run": record.name, **more, **record.asked, **result})
            key = {"run": record.name, "network": record.settings.network}
            curves += [key | {"seed": record.settings.seed} | row for row in record.curve]
    for name, rows in (("results", results), ("curves", curves)):
        files.write_table(f"{prefix}{name}", pd.DataFrame(rows), folder, digits=None)
    return load_results(folder, prefix)


def load_results(folder: Path | None = None, prefix: str = "") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read results.csv and curves.csv. Raises LabError if they are missing or unreadable."""
    names = (f"{prefix}results", f"{prefix}curves")
    return tuple(files.read_table(name, folder, TYPES) for name in names)


NETWORK = "network "  # what a network's name begins with in the file: it may be called "labels"


class Predictions(NamedTuple):
    """What several networks, each trained with the same seeds, said of the same test reviews.

    probability: network -> probabilities of a good review (seeds, reviews)
    labels:      (reviews,) 0 or 1
    lengths:     (reviews,) tokens
    """

    probability: dict[str, NDArray[np.float32]]
    labels: NDArray[np.float32]
    lengths: NDArray[np.int64]

    @property
    def correct(self) -> dict[str, NDArray[np.bool_]]:
        """Network -> whether each answer was right (seeds, reviews)."""
        return {name: (p > 0.5) == (self.labels > 0.5) for name, p in self.probability.items()}


def pack_probability(probability: NDArray[Any]) -> NDArray[np.float16]:
    """Return probabilities as logits in half precision: a quarter of the room, and no class lost.

    A probability just above 0.5 would be rounded to it; its logit keeps its sign.
    """
    return special.logit(probability.astype(np.float64)).astype(np.float16)


def export_predictions(
    records: Sequence[RunRecord], test: Reviews, file: str, names: Sequence[str] | None = None
) -> None:
    """Write the test probabilities of finished runs, packed, to <file>.npz in the output folder.

    names: what each run is called, by default its network; runs of one name become rows of one
    table (seeds, reviews)
    """
    names = [record.settings.network for record in records] if names is None else names
    stacks: dict[str, list[NDArray[np.float16]]] = {}
    for name, record in zip(names, records, strict=True):
        packed = packed_predictions(record)
        if packed is None:
            raise LabError(
                _(
                    "Run {run} has no predictions. Delete its folder, {folder}, and run the cell "
                    "that trains it again.",
                    run=record.name,
                    folder=record.folder,
                )
            )
        stacks.setdefault(name, []).append(packed)
    packed = {NETWORK + name: np.stack(rows) for name, rows in stacks.items()}
    save_predictions(config.output_folder() / f"{file}.npz", packed, test)


def read_predictions(name: str, folder: Path | None = None) -> Predictions:
    """Read what `export_predictions` wrote. Raises LabError if it is missing or damaged."""
    folder = folder or config.output_folder()
    packed = files.load_arrays(folder / f"{name}.npz")
    if packed is None:
        raise LabError(
            _(
                "No usable {file} in {folder}. Run the cells above first.",
                file=f"{name}.npz",
                folder=folder,
            )
        )
    labels, lengths = packed.pop("labels"), packed.pop("lengths")
    packed = {name.removeprefix(NETWORK): rows for name, rows in packed.items()}
    return unpack_predictions(packed, labels, lengths)


def probability_of(record: RunRecord, split: str = "test") -> NDArray[np.float32] | None:
    """Return what a finished run said of a split's reviews (reviews,); None if it kept nothing."""
    arrays = files.load_arrays(record.folder / "test.npz") or {}
    return arrays.get(PROBABILITY[split])


def packed_predictions(record: RunRecord, split: str = "test") -> NDArray[np.float16] | None:
    """Return `probability_of` a run, packed."""
    probability = probability_of(record, split)
    return None if probability is None else pack_probability(probability)


def save_predictions(path: Path, packed: dict[str, NDArray[np.float16]], reviews: Reviews) -> None:
    """Write packed predictions, by name, with labels and lengths of the reviews."""
    lengths = np.diff(reviews.starts).astype(np.int32)
    files.save_arrays(path, **packed, labels=reviews.labels.astype(np.int8), lengths=lengths)


def unpack_predictions(
    packed: dict[str, NDArray[Any]], labels: NDArray[Any], lengths: NDArray[Any]
) -> Predictions:
    """Return predictions that were packed, by name."""
    probability = {name: special.expit(rows.astype(np.float32)) for name, rows in packed.items()}
    return Predictions(probability, labels.astype(np.float32), lengths.astype(np.int64))
