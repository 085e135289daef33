"""Text as one stream of tokens, which a language model reads.

All reviews stand one after another, in an order fixed by the seed. The index of padding, which no
text has, marks where a review ends.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lab.base import hashing
from lab.base.messages import _
from lab.config import LabError

PADDING_INDEX = 1  # of the vocabulary: no word
LEAST, LEAST_VALID = 1300, 130  # words of a stream: 32 columns of 40, and of some words
END = PADDING_INDEX  # marks the end of a review in a stream


class Reviews(Protocol):
    """Reviews as word indices, with their labels (see utils.EncodedReviews)."""

    tokens: NDArray[np.int32]
    starts: NDArray[np.int64]
    labels: NDArray[np.float32]


def make_stream(reviews: Reviews, seed: int | None = None) -> NDArray[np.int64]:
    """Return the reviews as one stream of word indices (tokens,), END after each.

    With a seed they come in an order of their own, else in that of the split.
    """
    order = np.arange(len(reviews.starts) - 1)
    if seed is not None:
        order = np.random.default_rng(seed).permutation(order)
    texts = [reviews.tokens[reviews.starts[i] : reviews.starts[i + 1]] for i in order]
    end = np.array([END], dtype=np.int64)
    return np.concatenate([part for text in texts for part in (text, end)]).astype(np.int64)


def repeat(stream: NDArray[np.int64], least: int) -> NDArray[np.int64]:
    """Return a stream as often as needed until it has at least so many words; mostly once."""
    return np.tile(stream, -(-least // len(stream)))


class StreamBatch(NamedTuple):
    """A piece of every column of a stream: text (T, B) int64, and the words that follow (T, B)."""

    text: Tensor
    target: Tensor


def stream_batches(
    stream: NDArray[np.int64], batch_size: int, steps: int, device: torch.device | str = "cpu"
) -> Iterator[StreamBatch]:
    """Cut a stream into `batch_size` equal columns and yield them `steps` words at a time.

    Each batch goes on where the one before stopped, so that the network's state can be carried
    over. The last batch may be shorter; fewer than `batch_size` words at the end of the stream are
    left out. Raises LabError if the stream has less than two words a column.
    """
    length = (len(stream) - 1) // batch_size
    if length < 1:
        raise LabError(
            _(
                "{words:,} words are too few for {columns} columns of text.",
                words=len(stream),
                columns=batch_size,
            )
        )
    text = stream[: length * batch_size].reshape(batch_size, length).T  # (length, columns)
    target = stream[1 : length * batch_size + 1].reshape(batch_size, length).T
    for start in range(0, length, steps):
        yield StreamBatch(
            *(
                torch.from_numpy(np.ascontiguousarray(part[start : start + steps])).to(device)
                for part in (text, target)
            )
        )


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
        return hashing.digest(self.train, self.valid, self.vectors, self.characters, self.parts)


def part_of(data: LanguageData, epoch: int) -> NDArray[np.int64]:
    """Return the piece of the training stream that an epoch (from 1) reads."""
    return np.array_split(data.train, data.parts)[(epoch - 1) % data.parts]


def reverse(data: LanguageData) -> LanguageData:
    """Return the same text from its end to its start, for a network that reads backwards."""
    train, valid = (np.ascontiguousarray(stream[::-1]) for stream in (data.train, data.valid))
    return dataclasses.replace(data, train=train, valid=valid)
