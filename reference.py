"""Stored results of the lab: `data/reference/<profile>`. Reads them, and makes them.

    python reference.py [LIST ...] [--workers N]

makes the named lists, by default all, in the profile that LAB2_PROFILE names, on the data that the
notebook XX
results.csv      a row a run: settings, result, circumstances
curves.csv       a row a run and epoch
lists.csv        which runs belong to which list; a ladder's have a rung
predictions.npz  what each run said of each test review, as `utils.pack_probability` packs it
baselines.csv, gradients.csv, jacobians.csv, counting.csv   tables of the sections 3, 7 and 9
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torchtext.vocab import Vocab

import experiment
import language
import science
import utils

ROOT = Path(__file__).parent
RUN_LISTS = ("report", "tuning", "fair", "seeds", "ladder", "language", "transfer")
TABLES = ("baselines", "gradients", "counting")
EVERYTHING = ("baselines", "report", "gradients", *RUN_LISTS[1:5], "counting", *RUN_LISTS[5:])

# ── 1. Reading ──────────────────────────────────────────────────────────────────────────────────


def folder(profile: str = "full") -> Path:
    """Return the folder of a profile's stored results."""
    return ROOT / "data" / "reference" / profile


def load(name: str, profile: str = "full") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return results and curves of a stored list, in its order, and say that they are stored.

    Results have the column `rung` ("" outside of ladders). Raises LabError if nothing is stored.
    """
    results, curves = stored(name, profile)
    if results.empty:
        raise utils.LabError(
            f"No stored runs of the list {name!r} in {folder(profile)}. "
            f"Make them: LAB2_PROFILE={profile} python reference.py {name}"
        )
    made = {
        name: ", ".join(dict.fromkeys(results[name].astype(object).fillna("unknown").astype(str)))
        for name in ("data", "commit", "torch", "device")
    }
    said = ", ".join(f"{name} {values}" for name, values in made.items())
    print(f"Stored results, not computed here: {len(results)} runs, {said}. See data/reference.")
    return results, curves


def stored(name: str, profile: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return results and curves of a stored list, empty where there are none."""
    try:
        lists = pd.read_csv(folder(profile) / "lists.csv", keep_default_na=False)
        results, curves = utils.load_results(folder(profile))
    except (OSError, utils.LabError):
        return pd.DataFrame({"run": []}), pd.DataFrame({"run": []})
    wanted = lists.loc[lists["list"] == name, ["run", "rung"]]
    return wanted.merge(results, on="run"), wanted[["run"]].merge(curves, on="run")


def predictions(results: pd.DataFrame, profile: str = "full") -> utils.Predictions:
    """Return what the runs in `results` said of the test reviews, for each network by seed."""
    packed = utils.load_arrays(folder(profile) / "predictions.npz")
    if packed is None:
        raise utils.LabError(f"No usable predictions.npz in {folder(profile)}.")
    runs = results.sort_values("seed", kind="stable").groupby("network", sort=False)["run"]
    return utils.Predictions.unpack(
        {network: np.stack([packed[run] for run in names]) for network, names in runs},
        packed["labels"],
        packed["lengths"],
    )


def summary(profile: str = "full") -> str:
    """Return the table of the README in Markdown: accuracies under two recipes, lines to beat."""
    recipes = [_accuracies(lists, profile) for lists in (["report"], ["seeds", "fair"])]
    rows = [("network", "the report", "one recipe", "own recipe"), ("---",) * 4]
    for name in dict.fromkeys(name for recipe in recipes for name in recipe):
        reported = utils.STARTING_REPORT.get(name)
        cells = [f"{100 * reported[1]:.2f} %" if reported else ""]
        rows.append((name, *cells, *(recipe.get(name, "") for recipe in recipes)))
    lines = utils.read_table("baselines", folder(profile)).iloc[1:]  # not the commoner label
    rows += [
        (f"{line}, linear", "", f"{100 * share:.1f} %", "") for line, share, *_ in lines.values
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _accuracies(lists: list[str], profile: str) -> dict[str, str]:
    """Return network -> mean test accuracy and 95 % interval, in words, over the lists' runs."""
    runs = pd.concat([stored(name, profile)[0] for name in lists]).drop_duplicates("run")
    table = science.accuracy_table(predictions(runs, profile).correct)
    return {
        row.Index: f"{row.mean:.1f} % ({row.low:.1f} to {row.high:.1f})"
        + (f", {row.runs} seeds from {row.min:.1f} to {row.max:.1f}" if row.runs > 1 else "")
        for row in table.itertuples()
    }


# ── 2. Making ───────────────────────────────────────────────────────────────────────────────────


class Plan(NamedTuple):
    """A run list with all that `experiment.sweep` needs: runs are settings -> rung."""

    runs: dict[experiment.Settings, str]
    train: Callable[..., None]
    data: Any
    code: str


@dataclasses.dataclass
class Workshop:
    """The notebook's definitions, and the data as its sections 2 and 9 make them."""

    lab: dict[str, Any]
    profile: utils.Profile
    reviews: pd.DataFrame
    vocab: Vocab
    data: utils.LabData
    workers: int | None = None

    @functools.cached_property
    def stream(self) -> language.LanguageData:
        """The text of the language model."""
        return self.lab["language_stream"](self.profile, self.reviews, self.vocab, self.data)

    def records(self, plan: Plan) -> list[experiment.RunRecord]:
        """Return the records of a plan's runs, finished or not."""
        where = utils.output_folder() / "runs"
        return [
            experiment.RunRecord(run, plan.data.fingerprint, plan.code, where) for run in plan.runs
        ]

    def carry_out(self, plan: Plan) -> list[experiment.RunRecord]:
        """Train what is not finished of a plan, and return its records."""
        return experiment.sweep(
            list(plan.runs), plan.train, plan.data, plan.code, workers=self.workers
        )


def open_workshop(lab: dict[str, Any], profile: utils.Profile, workers: int | None) -> Workshop:
    """Load the data as section 2 of the notebook does."""
    reviews = utils.load_reviews(profile)
    texts = utils.tokenize_all(reviews["text"].tolist(), cache=utils.data_folder() / "cache")
    splits, labels = (reviews[column].to_numpy() for column in ("split", "label"))
    vocab = utils.build_vocab(texts, splits == "train")
    encoded = (
        utils.encode(texts, labels, splits == name, vocab) for name in ("train", "valid", "test")
    )
    data = utils.LabData(*encoded, utils.load_vectors(vocab).matrix)
    return Workshop(lab, profile, reviews, vocab, data, workers)


def plan_of(name: str, shop: Workshop) -> Plan:
    """Return the plan of a list. Raises LabError if it needs tuning runs, and there are none."""
    lab, profile = shop.lab, shop.profile
    if name == "language":
        runs = lab["language_list"](profile)
        return Plan(
            dict.fromkeys(runs, ""), lab["train_language"], shop.stream, lab["language_code"]
        )
    if name == "report":
        runs = [run for seed in range(2) for run in lab["report_list"](profile, seed)]
    elif name == "tuning":
        runs = lab["tuning_list"](profile)
    else:
        runs = tuned_runs(name, shop)
    runs = runs if isinstance(runs, dict) else dict.fromkeys(runs, "")
    return Plan(runs, lab["train_run"], shop.data, lab["code"])


def tuned_runs(
    name: str, shop: Workshop
) -> list[experiment.Settings] | dict[experiment.Settings, str]:
    """Return the runs of a list that takes its steps from the tuning runs.

    Seeds and ladders leave out networks whose tuning runs are not all there.
    """
    lab, profile = shop.lab, shop.profile
    tuning, _ = stored("tuning", profile.name)
    runs_of = tuning["network"].value_counts() if len(tuning) else {}
    tuned = [n for n, (cell, *_) in lab["SIX"].items() if runs_of.get(n) == len(lab["STEPS"][cell])]
    if name == "seeds" and tuned:
        return lab["seed_list"](profile, tuning, tuned, range(5))
    if name == "ladder" and tuned:
        return {
            run: rung
            for network in ("RNN-256", "GRU-256")
            if network in tuned
            for rung, run in lab["ladder"](
                profile, network, lab["own_step"](tuning, network)
            ).items()
        }
    if name == "transfer" and set(lab["OF_EACH_CELL"]) <= set(tuned):
        models = plan_of("language", shop)
        starts = {record.settings.cell: record.name for record in shop.records(models)}
        one_seed = lab["seed_list"](profile, tuning, lab["OF_EACH_CELL"], range(1))
        return lab["transfer_list"](profile, one_seed, starts, shop.data.train)
    if name == "fair" and len(tuned) == len(lab["SIX"]):
        return lab["fair_list"](profile, shop.data.vectors.shape[1], tuning)
    raise utils.LabError("No tuning runs yet. Make them first: python reference.py tuning")


def make(name: str, shop: Workshop, train: bool = True, only: str = "") -> None:
    """Store what is finished of a list, and carry out the rest, or of one network alone."""
    plan = plan_of(name, shop)
    done = set(load_all(shop.profile)[0]["run"])
    waiting = [record for record in shop.records(plan) if record.name not in done]
    store(name, plan, [record for record in waiting if record.result], shop)
    waiting = [r for r in waiting if not r.result and only in ("", r.settings.network)]
    print(f"{name}, {shop.profile.name}: {len(waiting)} of {len(plan.runs)} runs to do", flush=True)
    if not (train and waiting):
        return
    if name == "transfer":
        shop.carry_out(plan_of("language", shop))  # their weights are needed, and not stored
    try:
        runs = {record.settings: plan.runs[record.settings] for record in waiting}
        shop.carry_out(plan._replace(runs=runs))
    finally:
        store(name, plan, [record for record in waiting if record.result], shop)


def load_all(profile: utils.Profile) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return all stored results and curves of a profile, empty where there are none."""
    try:
        return utils.load_results(folder(profile.name))
    except utils.LabError:
        return pd.DataFrame({"run": []}), pd.DataFrame({"run": []})


def store(name: str, plan: Plan, finished: list[experiment.RunRecord], shop: Workshop) -> None:
    """Put finished runs beside those already stored; what no list names any more goes."""
    where = folder(shop.profile.name)
    where.mkdir(parents=True, exist_ok=True)
    lists = store_list(name, [record.name for record in shop.records(plan)], plan, where)
    order = {run: place for place, run in enumerate(dict.fromkeys(lists["run"]))}
    before = load_all(shop.profile)
    if finished:
        experiment.export_results(finished, prefix="reference_")
        made = utils.load_results(prefix="reference_")
        before = [
            new if old.empty else pd.concat([old[~old["run"].isin(new["run"])], new])
            for old, new in zip(before, made, strict=True)
        ]
    for kind, table in zip(("results", "curves"), before, strict=True):
        if not table.empty:
            table = table[table["run"].isin(order)]
            table = table.sort_values("run", key=lambda runs: runs.map(order), kind="stable")
            utils.write_table(kind, table, where, digits=None)
    store_predictions(finished, set(order), shop.data.test, where)


def store_list(name: str, runs: list[str], plan: Plan, where: Path) -> pd.DataFrame:
    """Write the runs of a list to lists.csv, in place of those it had; return the whole table."""
    made = pd.DataFrame({"list": name, "rung": list(plan.runs.values()), "run": runs})
    if (where / "lists.csv").exists():
        old = pd.read_csv(where / "lists.csv", keep_default_na=False)
        made = pd.concat([old[old["list"] != name], made])
    place = {each: i for i, each in enumerate(RUN_LISTS)}
    made = made.sort_values("list", key=lambda names: names.map(place), kind="stable")
    utils.write_table("lists", made, where)
    return made


def store_predictions(
    finished: list[experiment.RunRecord], wanted: set[str], test: utils.EncodedReviews, where: Path
) -> None:
    """Put the test predictions of finished classifiers beside those already stored."""
    packed: dict[str, NDArray[Any]] = utils.load_arrays(where / "predictions.npz") or {}
    packed = {run: row for run, row in packed.items() if run in wanted}
    for record in finished:
        arrays = utils.load_arrays(record.folder / "test.npz")
        if arrays is not None:  # a language model has none
            packed[record.name] = utils.pack_probability(arrays["probability"])
    lengths = np.diff(test.starts).astype(np.int32)
    path = where / "predictions.npz"
    utils.save_arrays(path, **packed, labels=test.labels.astype(np.int8), lengths=lengths)


def make_table(name: str, shop: Workshop) -> None:
    """Compute a table that is no list of runs, and store it."""
    lab, where = shop.lab, folder(shop.profile.name)
    if name == "baselines":
        tables = {name: lab["baseline_table"](shop.data, shop.profile.max_length)}
    elif name == "counting":
        tables = {name: lab["counting_table"](shop.stream, len(shop.vocab))}
    else:
        plan = plan_of("report", shop)
        cells = [run for run in plan.runs if run.seed == 0 and run.network in lab["OF_EACH_CELL"]]
        records = shop.carry_out(plan._replace(runs=dict.fromkeys(cells, "")))
        models = lab["models_to_follow"](shop.profile, shop.data, records)
        batch = lab["long_reviews"](shop.data.valid, shop.profile.max_length)
        two = {kind: models[kind] for kind in ("untrained", "trained")}
        tables = {
            "gradients": lab["gradient_table"](models, batch),
            "jacobians": lab["jacobian_table"](two, batch),
        }
    for table, content in tables.items():
        utils.write_table(table, content, where)
    print(f"{name}, {shop.profile.name}: made", flush=True)


def main() -> None:
    """Read the command line, and make the lists that it names."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("lists", nargs="*", metavar="LIST", help=", ".join(EVERYTHING))
    parser.add_argument("--workers", type=int, help="processes; by default one per core")
    parser.add_argument("--only", default="", metavar="NETWORK", help="the runs of one network")
    parser.add_argument("--table", action="store_true", help="print the table of the README")
    parser.add_argument("--collect", action="store_true", help="store what is finished, no more")
    options = parser.parse_args()
    if unknown := set(options.lists) - set(EVERYTHING):
        parser.error(f"no such list: {', '.join(unknown)}. Lists are {', '.join(EVERYTHING)}.")
    if options.table:
        print(summary(utils.get_profile().name))
        return
    try:
        utils.prepare_torch()
        shop = open_workshop(notebook_definitions(), utils.get_profile(), options.workers)
        for name in options.lists or EVERYTHING:
            if name not in TABLES:
                make(name, shop, not options.collect, options.only)
            elif not options.collect:
                make_table(name, shop)
    except utils.LabError as error:
        raise SystemExit(f"{error}") from None


def notebook_definitions() -> dict[str, Any]:
    """Return what the notebook's cells define."""
    import nbformat  # needed for making alone, as is the folder of the tests

    sys.path.append(str(ROOT / "tests"))
    from notebook_cells import definitions

    return definitions(nbformat.read(ROOT / "lab2.ipynb", as_version=4))


if __name__ == "__main__":
    main()
