"""Averages of word vectors, unrolling, the last state."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lab.base.messages import _
from lab.exercises import harness
from lab.exercises.harness import Function
from lab.exercises.solutions import average_vectors, detached, last_state, unroll
from lab.exercises.tasks.task import Example, Task, all_states, random_weights


def _average_inputs(generator: Generator) -> list[Example]:
    vectors = torch.randn(9, 4, generator=generator)
    text = torch.randint(2, 9, (5, 3), generator=generator)
    short = text.clone()
    short[2:, 1] = short[4:, 2] = 1
    short[1, 0] = 0
    other = torch.randint(2, 9, (7, 2), generator=generator)
    other[1:, 0] = 1
    label = _("lengths 5, 2, 4, filled with <pad>, one word <unk>")
    return [
        Example(_("three reviews of 5 words"), (text, torch.tensor([5, 5, 5]), vectors)),
        Example(label, (short, torch.tensor([5, 2, 4]), vectors)),
        Example(_("two reviews, of 1 and 7 words"), (other, torch.tensor([1, 7]), vectors[:, :3])),
    ]


def _average_of_block(text: Tensor, length: Tensor, vectors: Tensor) -> Tensor:
    return F.embedding(text, vectors).mean(0)


def _average_of_known(text: Tensor, length: Tensor, vectors: Tensor) -> Tensor:
    known = (text > 1)[:, :, None]  # (T, B, 1)
    return (F.embedding(text, vectors) * known).sum(0) / known.sum(0)


def _average_of_beginning(less: int, text: Tensor, length: Tensor, vectors: Tensor) -> Tensor:
    """The sum without the last word, divided by the length, or by one less."""
    inside = torch.arange(len(text))[:, None] < length - 1  # (T, B)
    return (F.embedding(text, vectors) * inside[:, :, None]).sum(0) / (length - less)[:, None]


AVERAGE_VECTORS = Task(
    _average_inputs,
    average_vectors,
    {
        _("the mean over the whole block, with its padding"): _average_of_block,
        _("the mean of the known words: <unk> is a word and counts"): _average_of_known,
        _("the sum of the vectors, not their mean"):
            lambda t, n, v: average_vectors(t, n, v) * n[:, None],
        _("the sum without the padding, divided by T"):
            lambda t, n, v: average_vectors(t, n, v) * n[:, None] / len(t),
        _("the sum with the padding, divided by the length"):
            lambda t, n, v: _average_of_block(t, n, v) * len(t) / n[:, None],
        _("the mean without each review's last word"): partial(_average_of_beginning, 0),
        _("the mean of the words before the last one"): partial(_average_of_beginning, 1),
        _("the mean along a row: a review is a column of text"): lambda t, n, v: torch.stack(
            [v[t[b, :length]].mean(0) for b, length in enumerate(n)]
        ),
    },
    harness.learn,
    learns=("text", "text_length", "vectors"),
)  # fmt: skip


def _unroll_inputs(generator: Generator) -> list[Example]:
    examples = []
    for what, cell, steps, reviews, units in (
        (_("an RNN"), "RNN", 5, 2, 4),
        (_("an LSTM"), "LSTM", 4, 3, 2),
        (_("a GRU"), "GRU", 7, 2, 3),
    ):
        x = torch.randn(steps, reviews, 3, generator=generator)  # (T, B, E)
        h, c = (torch.randn(reviews, units, generator=generator) for _ in range(2))
        state = (h, c) if cell == "LSTM" else h
        label = _(
            "{steps} steps, {reviews} reviews, H = {h}, given the cell of {cell}",
            steps=steps, reviews=reviews, h=units, cell=what,
        )  # fmt: skip
        examples.append(Example(label, (cell, x, state, random_weights(generator, cell, 3, units))))
    return examples


def _forgetful(cell: Function, x: Tensor, state: Any, weights: Any) -> Tensor:
    """Unroll without handing the new state on."""
    return torch.cat([unroll(cell, step[None], state, weights) for step in x])


def _memories(*arguments: Any) -> Tensor:
    """Unroll, and keep an LSTM's c."""
    return torch.stack([s[1] if isinstance(s, tuple) else s for s in all_states(*arguments)[1:]])


def _first_of_each(*arguments: Any) -> Tensor:
    """Unroll, and keep state[0], be it an LSTM's h or the first review's state."""
    return torch.stack([state[0] for state in all_states(*arguments)[1:]])


def _one_late(*arguments: Any) -> Tensor:
    """Unroll, and keep the state before each step."""
    states = all_states(*arguments)[:-1]
    return torch.stack([s[0] if isinstance(s, tuple) else s for s in states])


def _cut_off(cell: Function, *arguments: Any) -> Tensor:
    """Unroll with states that are detached before each step."""
    return unroll(lambda x_t, old, *w: cell(x_t, detached(old), *w), *arguments)


UNROLL = Task(
    _unroll_inputs,
    unroll,
    {
        _("an unrolling in which each step starts from the first state"): _forgetful,
        _("the last state alone: all states are wanted"): lambda *a: unroll(*a)[-1],
        _("the first step alone: look whether the return stands inside of the loop"):
            lambda *a: unroll(*a)[:1],
        _("the states before each step, not after it"): _one_late,
        _("an unrolling that keeps an LSTM's c: its h is state[0]"): _memories,
        _("an unrolling for a state of one tensor: an LSTM's is a pair (h, c); hand the pair on, "
          "and keep its h"): lambda *a: torch.stack(all_states(*a)[1:]),
        _("an unrolling that takes state[0] of every cell, or of every pair of reviews: an LSTM's "
          "state alone is a tuple; test for that"): _first_of_each,
        _("the states in one block (T * B, H): torch.stack keeps the steps apart"):
            lambda *a: unroll(*a).flatten(0, 1),
        _("the states of reviews read from their end"):
            lambda cell, x, *a: unroll(cell, x.flip(0), *a),
        _("the states with reviews first, (B, T, H)"): lambda *a: unroll(*a).transpose(0, 1),
        _("the right states, through which no gradient goes back: look whether the old state is "
          "detached"):
            _cut_off,
    },
    harness.run_unroll,
    learns=("cell", "x", "state", "weights"),
    forbidden=r"^(rnn_tanh|lstm|gru)$|modules\.rnn",
    instead=_("call the cell in a loop instead."),
)  # fmt: skip


def _last_state_inputs(generator: Generator) -> list[Example]:
    examples = []
    for what, length, shape in (
        (_("no padding"), [6, 6, 6], (6, 3, 4)),
        (_("padding"), [6, 2, 4], (6, 3, 4)),
        (_("one review of one word"), [3, 1, 5, 2], (7, 4, 2)),
    ):
        states = torch.randn(shape, generator=generator)
        label = _(
            "states {shape} and lengths {lengths} ({what})",
            shape=str(shape), lengths=str(length), what=what,
        )  # fmt: skip
        examples.append(Example(label, (states, torch.tensor(length))))
    return examples


LAST_STATE = Task(
    _last_state_inputs,
    last_state,
    {
        _("the state at the end of the block, after the padding"): lambda s, n: s[-1],
        _("the state one word after the last: lengths count from 1, places from 0"):
            lambda s, n: s[n, torch.arange(len(n))],
        _("the state one word before the last"): lambda s, n: last_state(s.roll(1, dims=0), n),
        _("the state counted from the end, -length"): lambda s, n: last_state(s.flip(0), n),
        _("states of the first review alone"): lambda s, n: s[n - 1, 0],
        _("the first state"): lambda s, n: s[0],
        _("all three lengths for every review: (B, B, H)"): lambda s, n: s[n - 1],
        _("the mean of the states"): lambda s, n: s.mean(0),
        _("the sum of all states, divided by the length"): lambda s, n: s.sum(0) / n[:, None],
    },
    harness.learn,
    learns=("states", "length"),
)  # fmt: skip
