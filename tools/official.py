"""Announces the runs that will be tested on the official half, before anybody opens it.

    python tools/official.py ARCHIVE

ARCHIVE is the official archive with aclImdb/test in it. Its texts are compared, in memory, with
those of the training half and of the unlabelled reviews in the data folder; nothing else is done
with them. Two files are left in data/reference/official: runs.csv, a row a run, with its settings
and the digest of the code that will train it; and copies.csv, the reviews that will be left out
because a test review has the same text. `tests/test_official.py` holds later code to them.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
import tarfile
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the lab, from any folder

from lab import config
from lab.base import files
from lab.config import LabError
from lab.experiments import reference
from lab.notebooks import trainers, transfer
from tools.maintainers import make_reference

TEST_REVIEW = re.compile(r"aclImdb/test/(neg|pos)/\d+_\d+\.txt$")
FILES = 25_000  # reviews in the official test half


def announced() -> pd.DataFrame:
    """Return the announced runs: list, settings, code; a row a run.

    A run's name has digits of its data in it, which are not known before the test half is opened.
    So the language models that the best network starts from are told by their networks.
    """
    profile = config.get_profile("official")
    maker = make_reference.Maker(profile, corpus=None)
    readers = list(maker.all_runs("readers"))
    starts = {run.network: run.network for run in readers}
    best = transfer.best_list(profile, maker.own_rates["GRU-256"], starts)
    needed = {best[0].pretrained, best[0].pretrained_back}
    lists = {
        "default": list(maker.all_runs("default")),
        "tuned": list(maker.all_runs("tuned")),
        "readers": [run for run in readers if run.network in needed],
        "best": best,
    }
    rows = [
        {"list": name, **dataclasses.asdict(run), "code": trainers.training_of(run).code.of(run)}
        for name, runs in lists.items()
        for run in runs
    ]
    return pd.DataFrame(rows)


def test_texts(archive: Path) -> set[str]:
    """Return the texts of the official test half, read from its archive and written nowhere.

    Raises LabError if the archive cannot be read or has not all of them.
    """
    try:
        with tarfile.open(archive) as tar:
            members = (m for m in tar if TEST_REVIEW.search(m.name))
            texts = [tar.extractfile(m).read().decode("utf-8") for m in members]
    except (OSError, EOFError, tarfile.TarError, UnicodeDecodeError) as error:
        raise LabError(f"{archive} cannot be read: {error}") from error
    if len(texts) != FILES:
        raise LabError(f"{archive} holds {len(texts):,} test reviews, expected {FILES:,}.")
    return set(texts)


def copies_of(texts: set[str], folder: Path) -> pd.DataFrame:
    """Return the reviews in `folder/aclImdb/train` that have one of the texts: part, file."""
    train = folder / "aclImdb" / "train"
    rows = [
        (part, path.name)
        for part in ("neg", "pos", "unsup")
        for path in sorted((train / part).glob("*.txt"), key=_number)
        if path.read_bytes().decode("utf-8") in texts
    ]
    return pd.DataFrame(rows, columns=["part", "file"])


def _number(path: Path) -> int:
    return int(path.name.split("_")[0])


def main() -> None:
    """Read the command line, and write the announcement."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("archive", type=Path, metavar="ARCHIVE", help="with aclImdb/test in it")
    options = parser.parse_args()
    where = reference.folder_of("official")
    try:
        if reference.all_runs("official")[0]["run"].any():
            raise LabError(f"There are official runs already, in {where}. It is too late.")
        copies, runs = copies_of(test_texts(options.archive), config.data_folder()), announced()
        where.mkdir(parents=True, exist_ok=True)
        files.write_table("copies", copies, where)
        files.write_table("runs", runs, where, digits=None)
    except LabError as error:
        raise SystemExit(f"{error}") from None
    print(f"{len(runs)} runs announced; copies: {copies['part'].value_counts().to_dict()}")


if __name__ == "__main__":
    main()
