"""The language model's text as one stream, and the models that it has to beat, which count.

A language model reads one long stream: all reviews, one after another, in an order fixed by the
seed. The index of padding, which no text has, marks where a review ends.

The baselines count: how often each word stands in the text (unigrams), and which words follow which
two (trigrams with Kneser-Ney smoothing). They are judged on the same text as the networks, but for
a few tokens at its ends.

Who uses it: the notebook, and `utils.py`, which makes the streams of the reviews. Imports
`fingerprint.py` and `config.py`.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from lab import fingerprint
from lab.config import LabError

PADDING_INDEX = 1  # of the vocabulary: no word
END = PADDING_INDEX  # marks the end of a review in a stream


class Texts(Protocol):
    """What a stream is made of: texts as word indices (see utils.EncodedReviews)."""

    tokens: NDArray[np.int32]
    starts: NDArray[np.int64]


def make_stream(reviews: Texts, seed: int | None = None) -> NDArray[np.int64]:
    """Return the reviews as one stream of word indices (tokens,), END after each.

    With a seed they come in an order of their own, else in that of the split.
    """
    order = np.arange(len(reviews.starts) - 1)
    if seed is not None:
        order = np.random.default_rng(seed).permutation(order)
    pieces = [reviews.tokens[reviews.starts[i] : reviews.starts[i + 1]] for i in order]
    end = np.array([END], dtype=np.int64)
    return np.concatenate([part for piece in pieces for part in (piece, end)]).astype(np.int64)


class StreamBatch(NamedTuple):
    """A piece of every column of a stream: text (T, B) int64, and the words that follow (T, B)."""

    text: Tensor
    target: Tensor


def stream_batches(
    stream: NDArray[np.int64], columns: int, steps: int, device: torch.device | str = "cpu"
) -> Iterator[StreamBatch]:
    """Cut a stream into `columns` equal columns and yield them `steps` words at a time.

    Each batch goes on where the one before stopped, so that the network's state can be carried
    over. The last batch may be shorter; fewer than `columns` words at the end of the stream are
    left out. Raises LabError if the stream has less than two words a column.
    """
    length = (len(stream) - 1) // columns
    if length < 1:
        raise LabError(f"{len(stream):,} words are too few for {columns} columns of text.")
    text = stream[: length * columns].reshape(columns, length).T  # (length, columns)
    target = stream[1 : length * columns + 1].reshape(columns, length).T
    for start in range(0, length, steps):
        yield StreamBatch(
            *(
                torch.from_numpy(np.ascontiguousarray(part[start : start + steps])).to(device)
                for part in (text, target)
            )
        )


def unigram_probabilities(train: NDArray[np.int64], words: int) -> NDArray[np.float64]:
    """Return the share of each word in a stream (words,), every word counted once more."""
    counts = np.bincount(train, minlength=words) + 1
    return counts / counts.sum()


class KneserNey:
    """Interpolated Kneser-Ney trigrams (Kneser and Ney 1995; Chen and Goodman 1998, sec. 2.7).

    The trigrams seen in training give up a little of their count, D = n1 / (n1 + 2 n2) where n1 and
    n2 are how many were seen once and twice. What they give up goes to the words in proportion to a
    bigram model, which counts not how often a word was seen but after how many different words, and
    so on down to equal shares for all words.
    """

    def __init__(self, train: NDArray[np.int64], words: int, order: int = 3) -> None:
        """train (tokens,): a stream of word indices below `words`."""
        self.words = words
        self.levels: list[_Level] = []  # from the longest context to none
        grams = _grams(train, words, order)
        for length in range(order, 0, -1):
            grams, counts = np.unique(grams, return_counts=True)
            self.levels.append(_Level(grams, counts, words))
            grams = grams % words ** (length - 1)  # each kind once, without its first word

    def probabilities(self, stream: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the probability of each word that has enough words before it, (tokens - 2,)."""
        order = len(self.levels)
        grams = _grams(stream, self.words, order)
        result = np.full(len(grams), 1 / self.words)
        for length in range(1, order + 1):
            level = self.levels[order - length]
            result = level.interpolate(grams % self.words**length, result)
        return result


class _Level:
    """Counts of the n-grams of one length, coded as numbers to the base `words`."""

    def __init__(self, grams: NDArray[np.int64], counts: NDArray[np.int64], words: int) -> None:
        self.grams, self.counts, self.words = grams, counts, words
        once, twice = np.count_nonzero(counts == 1), np.count_nonzero(counts == 2)
        self.discount = once / (once + 2 * twice) if once else 0.0
        self.contexts, first = np.unique(grams // words, return_index=True)
        self.totals = np.add.reduceat(counts, first)
        self.kinds = np.diff([*first, len(grams)])  # different words seen after each context

    def interpolate(
        self, grams: NDArray[np.int64], lower: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the probability of the last word of each n-gram; `lower`: with one word less."""
        count = _look_up(self.grams, self.counts, grams)
        total = _look_up(self.contexts, self.totals, grams // self.words)
        kinds = _look_up(self.contexts, self.kinds, grams // self.words)
        seen = total > 0
        share = np.maximum(count - self.discount, 0) + self.discount * kinds * lower
        return np.where(seen, share / np.where(seen, total, 1), lower)


def _grams(stream: NDArray[np.int64], words: int, length: int) -> NDArray[np.int64]:
    """Return each run of `length` words as one number to the base `words`."""
    size = len(stream) - length + 1
    codes = np.zeros(size, dtype=np.int64)
    for i in range(length):
        codes = codes * words + stream[i : i + size]
    return codes


def _look_up(
    keys: NDArray[np.int64], values: NDArray[np.int64], wanted: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the value of each wanted key, 0 where it is missing; `keys` are sorted."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0)


def counting_table(data: LanguageData, words: int) -> pd.DataFrame:
    """Return how well two models that count predict a stream: nats per word, and perplexity.

    words: in the vocabulary
    """
    unigrams = unigram_probabilities(data.train, words)
    trigrams = KneserNey(data.train, words)
    nats = {
        "unigrams": -np.log(unigrams[data.valid[2:]]).mean(),
        "Kneser-Ney trigrams": -np.log(trigrams.probabilities(data.valid)).mean(),
    }
    table = pd.DataFrame({"model": nats.keys(), "nats": nats.values()})
    return table.assign(perplexity=np.exp(table["nats"]))


def bits_per_character(nats: float, tokens: int, characters: int) -> float:
    """Return the bits that a character costs, from the mean nats per token.

    It does not depend on how a text is cut into tokens, as perplexity does. But it counts only what
    is predicted: the letters of an unknown word, capitals and spaces come free, so that a smaller
    vocabulary looks better.
    """
    return nats * tokens / (math.log(2) * characters)


@dataclasses.dataclass(frozen=True)
class LanguageData:
    """What the training of a language model needs to know about the data.

    train, valid: streams of word indices (tokens,)
    vectors:      (words, dimension), where the embedding starts
    characters:   of the validation reviews
    parts:        into how many pieces the training stream is cut; the network reads one an epoch
    """

    train: NDArray[np.int64]
    valid: NDArray[np.int64]
    vectors: NDArray[np.float32]
    characters: int
    parts: int = 1

    @functools.cached_property
    def fingerprint(self) -> str:
        """16 digits that change with any word or vector."""
        return fingerprint.digest(self.train, self.valid, self.vectors, self.characters, self.parts)


def part_of(data: LanguageData, epoch: int) -> NDArray[np.int64]:
    """Return the piece of the training stream that an epoch (from 1) reads."""
    return np.array_split(data.train, data.parts)[(epoch - 1) % data.parts]


def backwards(data: LanguageData) -> LanguageData:
    """Return the same text from its end to its start, for a network that reads backwards."""
    train, valid = (np.ascontiguousarray(stream[::-1]) for stream in (data.train, data.valid))
    return dataclasses.replace(data, train=train, valid=valid)
