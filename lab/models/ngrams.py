"""Language models that count words, the ones that a network has to beat.

They count how often each word stands in the text (unigrams), and which words follow which two
(trigrams with Kneser-Ney smoothing). They are judged on the same text as the networks, but for a
few tokens at its ends.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.base.messages import _
from lab.datasets.token_stream import LanguageData


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
        known = total > 0
        share = np.maximum(count - self.discount, 0) + self.discount * kinds * lower
        return np.where(known, share / np.where(known, total, 1), lower)


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
        _("unigrams"): -np.log(unigrams[data.valid[2:]]).mean(),
        _("Kneser-Ney trigrams"): -np.log(trigrams.probabilities(data.valid)).mean(),
    }
    table = pd.DataFrame({"model": nats.keys(), "nats": nats.values()})
    return table.assign(perplexity=np.exp(table["nats"]))
