"""The stored results of the lab, `data/reference/<profile>`; see data/reference/README.md."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock
from numpy.typing import NDArray
from scipy import special

from lab import config
from lab.base import files
from lab.base.messages import _
from lab.config import LabError
from lab.datasets.token_stream import Reviews
from lab.experiments import results
from lab.experiments.run import RunRecord

# the lists of runs that are stored, in the order of the files; an ablation's runs have a rung
LISTS = (
    *("default", "tuning", "tuned", "matched", "ladder"),
    *("language", "language_tuned", "transfer", "readers", "past", "best"),
    *("shifts", "own_readers", "adversarial", "unshifted"),
    *("parallel_tuning", "parallel", "parallel_language"),
)
# what runs said of a split: of the test all classifiers, of validation those that keep it
FILES = {"test": "predictions.npz", "valid": "valid_predictions.npz"}


def folder_of(profile: str = "full") -> Path:
    """Return the folder of a profile's stored results."""
    return config.ROOT / "data" / "reference" / profile


def load(name: str, profile: str = "full") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return results and curves of a stored list, in its order, and say that they are stored.

    Results have the column `rung` ("" outside of ablations). Raises LabError if nothing is stored.
    """
    runs, curves = find(name, profile)
    if runs.empty:
        raise LabError(
            _(
                "No stored runs of the list {list!r} in {folder}. Make them: {command}",
                list=name,
                folder=folder_of(profile),
                command=f"LAB2_PROFILE={profile} python tools/maintainers/make_reference.py {name}",
            )
        )
    print(
        _(
            "Stored results, not computed here: {count} runs. See {folder}.",
            count=len(runs),
            folder=f"data/reference/{profile}",
        )
    )
    return runs, curves


def find(name: str, profile: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return results and curves of a stored list, empty where there are none."""
    lists = run_table(profile)
    rows = lists.loc[lists["list"] == name, ["run", "rung"]]
    runs, curves = all_runs(profile)
    return rows.merge(runs, on="run"), rows[["run"]].merge(curves, on="run")


def all_runs(profile: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return all stored results and curves of a profile, empty where there are none.

    Raises LabError if there is something that cannot be read.
    """
    where = folder_of(profile)
    if not any((where / f"{name}.csv").exists() for name in ("results", "curves")):
        nothing = pd.DataFrame({"run": pd.Series(dtype=str)})
        return nothing, nothing
    try:
        return results.load_results(where)
    except LabError as error:
        raise _damaged(where, error.__cause__) from error


def _damaged(path: Path, why: object = "") -> LabError:
    """Return what to raise of stored results that cannot be read."""
    remedy = _("unpack the lab's archive once more")
    if (config.ROOT / ".git").exists():  # not so in a student's folder
        remedy = f"git checkout {path}"
    return LabError(
        _(
            "{path}: stored results are damaged. Get them again: {remedy} ({reason})",
            path=path,
            remedy=remedy,
            reason=why or _("it cannot be read"),
        )
    )


def run_table(profile: str) -> pd.DataFrame:
    """Return which stored runs belong to which list: a row a run of a list, with its rung.

    Empty where there are none. Raises LabError if runs are stored and their lists are not.
    """
    path = folder_of(profile) / "lists.csv"
    if not path.exists() and all_runs(profile)[0].empty:
        return pd.DataFrame(columns=["list", "rung", "run"])
    try:
        return pd.read_csv(path, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error


def predictions(
    runs: pd.DataFrame, profile: str = "full", split: str = "test"
) -> results.Predictions:
    """Return what some runs said of the reviews of a split, for each network by seed."""
    path = folder_of(profile) / FILES[split]
    packed = files.load_arrays(path)
    if packed is None:
        raise _damaged(path)
    if missing := set(runs["run"]) - set(packed):
        raise LabError(
            _(
                "{file} in {folder} lacks {run}.",
                file=path.name,
                folder=folder_of(profile),
                run=min(missing),
            )
        )
    by_network = runs.sort_values("seed", kind="stable").groupby("network", sort=False)["run"]
    rows = {network: np.stack([packed[run] for run in names]) for network, names in by_network}
    return results.unpack_predictions(rows, packed["labels"], packed["lengths"])


def recipes(profile: str = "full") -> dict[str, pd.DataFrame]:
    """Return the stored results of the networks under both recipes: name of the recipe -> runs."""
    lists = {"default recipe": "default", "own learning rate": "tuned"}
    return {recipe: find(name, profile)[0] for recipe, name in lists.items()}


def baselines(profile: str = "full") -> pd.DataFrame:
    """Return the stored accuracies of the baselines, by their names."""
    return files.read_table("baselines", folder_of(profile)).set_index("line")


def counting(profile: str = "full") -> pd.Series:
    """Return the stored perplexities of the models that count, by their names."""
    return files.read_table("counting", folder_of(profile)).set_index("model")["perplexity"]


def gradients(kind: str, profile: str = "full") -> pd.DataFrame:
    """Return the stored bands of gradients of one kind, such as "trained"."""
    table = files.read_table("gradients", folder_of(profile))
    return table[table["kind"] == kind]


def baseline_predictions(profile: str = "full") -> results.Predictions:
    """Return what the linear models that read whole reviews said of the test: a row a model."""
    return results.read_predictions("lines", folder_of(profile))


def store_baseline_predictions(
    probability: dict[str, NDArray[Any]], test: Reviews, profile: str
) -> None:
    """Store what linear models said of the test reviews: name -> probabilities (reviews,)."""
    packed = {n: results.pack_probability(p)[None] for n, p in probability.items()}  # (1, reviews)
    results.save_predictions(folder_of(profile) / "lines.npz", packed, test)


def store_logits(name: str, logits: dict[str, dict[str, NDArray[Any]]], profile: str) -> None:
    """Store logits of several models, in half precision: split -> name -> (reviews,)."""
    arrays = {
        f"{split}: {model}": of_each.astype(np.float16)
        for split, of_models in logits.items()
        for model, of_each in of_models.items()
    }
    files.save_arrays(folder_of(profile) / f"{name}.npz", **arrays)


def logits(name: str, split: str, profile: str = "full") -> dict[str, NDArray[np.float32]]:
    """Return the stored logits of some models for the reviews of a split: name -> (reviews,)."""
    path = folder_of(profile) / f"{name}.npz"
    if (packed := files.load_arrays(path)) is None:
        raise _damaged(path)
    start = f"{split}: "
    return {
        key.removeprefix(start): row.astype(np.float32)
        for key, row in packed.items()
        if key.startswith(start)
    }


def line_predictions(profile: str = "full") -> results.Predictions:
    """Return what the linear models that have read more said of the test: name -> (1, reviews)."""
    of_models = logits("documents", "test", profile)
    probability = {name: special.expit(row)[None] for name, row in of_models.items()}
    return baseline_predictions(profile)._replace(probability=probability)


def store(
    name: str,
    runs: dict[str, str],
    finished: Sequence[RunRecord],
    reviews: dict[str, Reviews],
    profile: str,
) -> None:
    """Put finished runs of a list beside those already stored; what no list names any more goes.

    runs: all runs of the list, finished or not: name -> rung; reviews: by split. A run counts as
    stored when it stands in results.csv, which is therefore written last.
    Raises LabError, and writes nothing, if what is stored cannot be read.
    """
    where = folder_of(profile)
    where.mkdir(parents=True, exist_ok=True)
    with FileLock(config.output_folder() / "reference.lock"):
        tables = all_runs(profile)
        lists = _with_list(name, runs, profile)
        order = {run: place for place, run in enumerate(dict.fromkeys(lists["run"]))}
        if finished:
            with tempfile.TemporaryDirectory() as folder:
                new_tables = results.export_results(finished, Path(folder))
            tables = [
                new if old.empty else pd.concat([old[~old["run"].isin(new["run"])], new])
                for old, new in zip(tables, new_tables, strict=True)
            ]
        for split, of_split in reviews.items():
            _store_predictions(finished, order, split, of_split, where)
        files.write_table("lists", lists, where)
        for kind, table in (("curves", tables[1]), ("results", tables[0])):
            if not table.empty:
                table = table[table["run"].isin(order)]
                table = table.sort_values("run", key=lambda runs: runs.map(order), kind="stable")
                files.write_table(kind, table, where, digits=None)


def _with_list(name: str, runs: dict[str, str], profile: str) -> pd.DataFrame:
    """Return lists.csv with the runs of a list in place of those it had."""
    new = pd.DataFrame({"list": name, "rung": list(runs.values()), "run": list(runs)})
    old = run_table(profile)
    both = pd.concat([old[old["list"] != name], new])
    place = {each: i for i, each in enumerate(LISTS)}
    return both.sort_values("list", key=lambda names: names.map(place), kind="stable")


def _store_predictions(
    finished: Sequence[RunRecord],
    wanted: Collection[str],
    split: str,
    reviews: Reviews,
    where: Path,
) -> None:
    """Put what finished classifiers said of a split beside what is already stored."""
    path = where / FILES[split]
    stored = files.load_arrays(path) if path.exists() else {}
    if stored is None:
        raise _damaged(path)
    packed = {run: row for run, row in stored.items() if run in wanted}
    new = {record.name: results.packed_predictions(record, split) for record in finished}
    packed |= {run: row for run, row in new.items() if row is not None}  # a language model's
    if packed or split == "test":
        results.save_predictions(path, packed, reviews)
