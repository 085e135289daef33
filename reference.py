"""Make `data/reference`: results of whole run lists, for the notebook to show and not to compute.

    python reference.py LIST ... [--workers N]

LIST is one or more of tuning, report, fair, ladder, seeds: the notebook's own run lists, in the
profile that LAB2_PROFILE names, on the data that the notebook would find. A run that stands in
`data/reference` already, with the same settings, data and code, is not repeated. Whatever is
finished is written there after each few runs, so that a stop loses little; what is in between is
kept in the output folder and goes on from there.

Files: <list>_<profile>_results.csv (a row a run) and <list>_<profile>_curves.csv (a row a run and
epoch).
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd

import utils

ROOT = Path(__file__).parent
sys.path.append(str(ROOT / "tests"))  # where the cells tagged `define` are run for the tests too
from notebook_cells import definitions  # noqa: E402

LISTS = ("tuning", "report", "fair", "ladder", "seeds")


def load_data(profile: utils.Profile) -> utils.LabData:
    """Return the data as section 2 of the notebook makes them."""
    reviews = utils.load_reviews(profile)
    texts = utils.tokenize_all(reviews["text"].tolist(), cache=utils.data_folder() / "cache")
    splits, labels = (reviews[column].to_numpy() for column in ("split", "label"))
    vocab = utils.build_vocab(texts, splits == "train")
    encoded = (
        utils.encode(texts, labels, splits == name, vocab) for name in ("train", "valid", "test")
    )
    return utils.LabData(*encoded, utils.load_vectors(vocab).matrix)


def run_list(
    name: str, lab: dict[str, Any], profile: utils.Profile, word_dim: int
) -> dict[utils.Settings, str]:
    """Return the runs of a list, each with its rung ("" outside of the ladder)."""
    if name == "report":
        return dict.fromkeys(lab["report_list"](profile), "")
    if name == "tuning":
        return dict.fromkeys(lab["tuning_list"](profile, word_dim), "")
    tuning = read(f"tuning_{profile.name}_")[0]
    if tuning.empty:
        raise utils.LabError("No tuning runs yet. Make them first: python reference.py tuning")
    if name == "fair":
        return dict.fromkeys(lab["fair_list"](profile, word_dim, tuning), "")
    if name == "seeds":
        seeds = lab["seed_list"](profile, word_dim, tuning, list(lab["SIX"]), range(5))
        return dict.fromkeys(seeds, "")
    rungs = [
        lab["ladder"](profile, network, lab["own_step"](tuning, network)).items()
        for network in ("RNN-256", "GRU-256")
    ]
    return {settings: rung for rung, settings in itertools.chain(*rungs)}


def read(prefix: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the stored results and curves, empty where there are none yet."""
    folder = utils.reference_folder()
    if not (folder / f"{prefix}results.csv").exists():
        return pd.DataFrame({"run": []}), pd.DataFrame({"run": []})
    return utils.load_results(folder, prefix)


def store(records: Sequence[utils.RunRecord], rungs: Sequence[str], prefix: str) -> None:
    """Put finished runs beside those already stored, in the order of the list.

    Stored runs that the list does not name, of older code or other settings, are left out.
    """
    old = read(prefix)
    more = {"rung": list(rungs)} if any(rungs) else {}
    utils.export_results(records, prefix=prefix, **more)
    new = utils.load_results(prefix=prefix) if any(r.result for r in records) else read("none")
    for kind, before, made in zip(("results", "curves"), old, new, strict=True):
        table = pd.concat([before[~before["run"].isin(made["run"])], made])
        order = {record.name: place for place, record in enumerate(records)}
        table = table[table["run"].isin(order)]
        table = table.sort_values("run", key=lambda runs: runs.map(order), kind="stable")
        content = table.to_csv(index=False).encode("utf-8")
        utils.write_atomically(utils.reference_folder() / f"{prefix}{kind}.csv", content)


def make(name: str, lab: dict[str, Any], data: utils.LabData, workers: int | None) -> None:
    """Carry out what is missing of a list, a few runs at a time."""
    profile = utils.get_profile()
    prefix = f"{name}_{profile.name}_"
    runs = run_list(name, lab, profile, data.vectors.shape[1])
    folder = utils.output_folder() / "runs"
    records = [utils.RunRecord(entry, data.fingerprint, lab["code"], folder) for entry in runs]
    stored = set(read(prefix)[0]["run"])
    waiting = [record.settings for record in records if record.name not in stored]
    print(f"{name}, {profile.name}: {len(waiting)} of {len(runs)} runs to do")
    size = 3 * (workers or utils.available_cores())
    for first in range(0, len(waiting), size):
        piece = waiting[first : first + size]
        utils.sweep(piece, lab["train_run"], data, lab["code"], workers=workers)
        store(records, list(runs.values()), prefix)


def main() -> None:
    """Read the command line, and make the lists that it names."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("lists", nargs="+", choices=LISTS, metavar="LIST")
    parser.add_argument("--workers", type=int, help="processes; by default one per core")
    options = parser.parse_args()
    try:
        utils.prepare_torch()
        lab = definitions(nbformat.read(ROOT / "lab2.ipynb", as_version=4))
        data = load_data(utils.get_profile())
        for name in options.lists:
            make(name, lab, data, options.workers)
    except utils.LabError as error:
        raise SystemExit(f"{error}") from None


if __name__ == "__main__":
    main()
