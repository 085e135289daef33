"""Result files: results.csv, curves.csv, predictions, stored results; written and read here alone.

    results.csv, curves.csv   a row a run, a row a run and epoch; a prefix tells lists apart
    <name>.npz                what several networks said of each test review
    data/reference/<profile>  the stored results of the lab; see data/reference/README.md

Who uses it: the notebook and the program `tools/reference.py`. Imports `runs.py`, `files.py`,
`config.py`, and `words.py`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from filelock import FileLock
from numpy.typing import NDArray
from scipy import special

from lab import config, files, words
from lab.config import LabError
from lab.runs import RunRecord

# ── 1. Results and curves ───────────────────────────────────────────────────────────────────────


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
    """Read results.csv and curves.csv. Raises LabError if they are missing or unreadable.

    Language models have no test reviews: such a gap must not make the others' counts floats.
    """
    folder = folder or config.output_folder()
    names = (f"{prefix}results.csv", f"{prefix}curves.csv")
    try:
        return tuple(pd.read_csv(folder / name, dtype={"test_reviews": "Int64"}) for name in names)
    except (OSError, ValueError) as error:
        raise LabError(
            f"No results to show in {folder}: {error}. Run the cells above first."
        ) from error


# ── 2. Predictions ──────────────────────────────────────────────────────────────────────────────


class TestSplit(Protocol):
    """What predictions need to know of the reviews that were judged (see utils.EncodedReviews)."""

    starts: NDArray[np.int64]
    labels: NDArray[np.float32]


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
    records: Sequence[RunRecord], test: TestSplit, file: str, names: Sequence[str] | None = None
) -> None:
    """Write the test probabilities of finished runs, packed, to <file>.npz in the output folder.

    names: what each run is called, by default its network; runs of one name become rows of one
    table (seeds, reviews)
    """
    names = [record.settings.network for record in records] if names is None else names
    stacks: dict[str, list[NDArray[np.float16]]] = {}
    for name, record in zip(names, records, strict=True):
        packed = _packed(record)
        if packed is None:
            raise LabError(
                f"Run {record.name} has no predictions. Delete its folder, {record.folder}, and "
                "run the cell that trains it again."
            )
        stacks.setdefault(name, []).append(packed)
    _save(config.output_folder() / f"{file}.npz", {n: np.stack(s) for n, s in stacks.items()}, test)


def read_predictions(name: str, folder: Path | None = None) -> Predictions:
    """Read what `export_predictions` wrote. Raises LabError if it is missing or damaged."""
    folder = folder or config.output_folder()
    stored = files.load_arrays(folder / f"{name}.npz")
    if stored is None:
        raise LabError(f"No usable {name}.npz in {folder}. Run the cells above first.")
    labels, lengths = stored.pop("labels"), stored.pop("lengths")
    return _unpack(stored, labels, lengths)


def _packed(record: RunRecord) -> NDArray[np.float16] | None:
    """Return what a finished run said of the test reviews (reviews,); None if it said nothing."""
    stored = files.load_arrays(record.folder / "test.npz")
    return None if stored is None else pack_probability(stored["probability"])


def _save(path: Path, packed: dict[str, NDArray[np.float16]], test: TestSplit) -> None:
    lengths = np.diff(test.starts).astype(np.int32)
    files.save_arrays(path, **packed, labels=test.labels.astype(np.int8), lengths=lengths)


def _unpack(
    packed: dict[str, NDArray[Any]], labels: NDArray[Any], lengths: NDArray[Any]
) -> Predictions:
    probability = {name: special.expit(rows.astype(np.float32)) for name, rows in packed.items()}
    return Predictions(probability, labels.astype(np.float32), lengths.astype(np.int64))


# ── 3. Stored results: data/reference ───────────────────────────────────────────────────────────

# the lists of runs that are stored, in the order of the files; a ladder's runs have a rung
REFERENCE_LISTS = (
    *("default", "tuning", "tuned", "matched", "ladder"),
    *("language", "transfer", "readers", "past", "best"),
)


def reference_folder(profile: str = "full") -> Path:
    """Return the folder of a profile's stored results."""
    return config.ROOT / "data" / "reference" / profile


def load_reference(name: str, profile: str = "full") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return results and curves of a stored list, in its order, and say that they are stored.

    Results have the column `rung` ("" outside of ladders). Raises LabError if nothing is stored.
    """
    results, curves = find_reference(name, profile)
    if results.empty:
        raise LabError(
            f"No stored runs of the list {name!r} in {reference_folder(profile)}. "
            f"Make them: LAB2_PROFILE={profile} python tools/reference.py {name}"
        )
    words.tell(
        f"Stored results, not computed here: {len(results)} runs. See data/reference/{profile}."
    )
    return results, curves


def find_reference(name: str, profile: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return results and curves of a stored list, empty where there are none."""
    lists = reference_lists(profile)
    wanted = lists.loc[lists["list"] == name, ["run", "rung"]]
    results, curves = all_reference(profile)
    return wanted.merge(results, on="run"), wanted[["run"]].merge(curves, on="run")


def all_reference(profile: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return all stored results and curves of a profile, empty where there are none.

    Raises LabError if there is something that cannot be read.
    """
    where = reference_folder(profile)
    if not any((where / f"{name}.csv").exists() for name in ("results", "curves")):
        nothing = pd.DataFrame({"run": pd.Series(dtype=str)})
        return nothing, nothing
    try:
        return load_results(where)
    except LabError as error:
        raise LabError(f"{_damaged(where)} ({error.__cause__})") from error


def _damaged(path: Path) -> str:
    """Return what to do about a stored file that cannot be read."""
    return f"{path}: stored results are damaged. Get them again: git checkout {path}"


def reference_lists(profile: str) -> pd.DataFrame:
    """Return which stored runs belong to which list: a row a run of a list, with its rung.

    Empty where there are none. Raises LabError if runs are stored and their lists are not.
    """
    path = reference_folder(profile) / "lists.csv"
    if not path.exists() and all_reference(profile)[0].empty:
        return pd.DataFrame(columns=["list", "rung", "run"])
    try:
        return pd.read_csv(path, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise LabError(f"{_damaged(path)} ({error})") from error


def reference_predictions(results: pd.DataFrame, profile: str = "full") -> Predictions:
    """Return what the runs in `results` said of the test reviews, for each network by seed."""
    packed = files.load_arrays(reference_folder(profile) / "predictions.npz")
    if packed is None:
        raise LabError(_damaged(reference_folder(profile) / "predictions.npz"))
    if missing := set(results["run"]) - set(packed):
        raise LabError(f"predictions.npz in {reference_folder(profile)} lacks {min(missing)}.")
    runs = results.sort_values("seed", kind="stable").groupby("network", sort=False)["run"]
    rows = {network: np.stack([packed[run] for run in names]) for network, names in runs}
    return _unpack(rows, packed["labels"], packed["lengths"])


def reference_recipes(profile: str = "full") -> dict[str, pd.DataFrame]:
    """Return the stored results of the networks under both recipes: name of the recipe -> runs."""
    lists = {"default recipe": "default", "own learning rate": "tuned"}
    return {recipe: find_reference(name, profile)[0] for recipe, name in lists.items()}


def reference_baselines(profile: str = "full") -> pd.DataFrame:
    """Return the stored accuracies of the lines to beat, by their names."""
    return files.read_table("baselines", reference_folder(profile)).set_index("line")


def reference_counting(profile: str = "full") -> pd.Series:
    """Return the stored perplexities of the models that count, by their names."""
    return files.read_table("counting", reference_folder(profile)).set_index("model")["perplexity"]


def reference_gradients(kind: str, profile: str = "full") -> pd.DataFrame:
    """Return the stored bands of gradients of one kind, such as "trained"."""
    stored = files.read_table("gradients", reference_folder(profile))
    return stored[stored["kind"] == kind]


def reference_lines(profile: str = "full") -> Predictions:
    """Return what the linear models that read whole reviews said of the test reviews.

    Each line has one row: (1, reviews). Raises LabError if it is missing or damaged.
    """
    return read_predictions("lines", reference_folder(profile))


def store_lines(probability: dict[str, NDArray[Any]], test: TestSplit, profile: str) -> None:
    """Store what linear models said of the test reviews: line -> probabilities (reviews,)."""
    packed = {line: pack_probability(p)[None] for line, p in probability.items()}  # (1, reviews)
    _save(reference_folder(profile) / "lines.npz", packed, test)


def store_reference(
    name: str,
    runs: dict[str, str],
    finished: Sequence[RunRecord],
    test: TestSplit,
    profile: str,
) -> None:
    """Put finished runs of a list beside those already stored; what no list names any more goes.

    runs: all runs of the list, finished or not: name -> rung. A run counts as stored when it
    stands in results.csv, which is therefore written last.
    Raises LabError, and writes nothing, if what is stored cannot be read.
    """
    where = reference_folder(profile)
    where.mkdir(parents=True, exist_ok=True)
    with FileLock(config.output_folder() / "reference.lock"):
        tables = all_reference(profile)
        lists = _with_list(name, runs, profile)
        order = {run: place for place, run in enumerate(dict.fromkeys(lists["run"]))}
        if finished:
            with tempfile.TemporaryDirectory() as folder:
                made = export_results(finished, Path(folder))
            tables = [
                new if old.empty else pd.concat([old[~old["run"].isin(new["run"])], new])
                for old, new in zip(tables, made, strict=True)
            ]
        _store_predictions(finished, order, test, where)
        files.write_table("lists", lists, where)
        for kind, table in (("curves", tables[1]), ("results", tables[0])):
            if not table.empty:
                table = table[table["run"].isin(order)]
                table = table.sort_values("run", key=lambda runs: runs.map(order), kind="stable")
                files.write_table(kind, table, where, digits=None)


def _with_list(name: str, runs: dict[str, str], profile: str) -> pd.DataFrame:
    """Return lists.csv with the runs of a list in place of those it had."""
    made = pd.DataFrame({"list": name, "rung": list(runs.values()), "run": list(runs)})
    old = reference_lists(profile)
    made = pd.concat([old[old["list"] != name], made])
    place = {each: i for i, each in enumerate(REFERENCE_LISTS)}
    return made.sort_values("list", key=lambda names: names.map(place), kind="stable")


def _store_predictions(
    finished: Sequence[RunRecord], wanted: Collection[str], test: TestSplit, where: Path
) -> None:
    """Put the test predictions of finished classifiers beside those already stored."""
    path = where / "predictions.npz"
    stored = files.load_arrays(path) if path.exists() else {}
    if stored is None:
        raise LabError(_damaged(path))
    packed = {run: row for run, row in stored.items() if run in wanted}
    made = {record.name: _packed(record) for record in finished}
    packed |= {run: row for run, row in made.items() if row is not None}  # a language model's
    _save(path, packed, test)
