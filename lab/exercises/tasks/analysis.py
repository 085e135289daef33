"""Looking into networks: gates, gradients by step, McNemar's test, beliefs word by word."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Generator, Tensor, nn

from lab.base.messages import _
from lab.exercises import harness
from lab.exercises.harness import Function
from lab.exercises.solutions import (
    beliefs,
    chain_rule,
    gradient_by_step,
    mcnemar,
    open_gate,
    unroll,
)
from lab.exercises.tasks.task import Example, Task, all_states, random_weights


def _gate_inputs(generator: Generator) -> list[Example]:
    examples = []
    for e, h, amount in ((3, 4, 3.0), (2, 5, 1.0)):
        label = _(
            "an LSTM with E = {e}, H = {h}, open_gate(layer, {amount:g})", e=e, h=h, amount=amount
        )
        examples.append(Example(label, (random_weights(generator, "LSTM", e, h), amount)))
    return examples


ALL_GATES = [0, 1, 2, 3]


def _opens(blocks: list[int], layer: nn.LSTM, amount: float) -> None:
    """Open other gates."""
    with torch.no_grad():
        for block in blocks:
            layer.bias_ih_l0.chunk(4)[block].add_(amount)


def _sets(blocks: list[int], layer: nn.LSTM, amount: float) -> None:
    with torch.no_grad():
        for block in blocks:
            layer.bias_ih_l0.chunk(4)[block].fill_(amount)


OPEN_GATE = Task(
    _gate_inputs,
    open_gate,
    {
        _("an amount added to the input gates, i"): partial(_opens, [0]),
        _("an amount added to the proposal, g"): partial(_opens, [2]),
        _("an amount added to the output gates, o"): partial(_opens, [3]),
        _("an amount added to all four gates"): partial(_opens, ALL_GATES),
        _("an amount added to all four gates, in both biases"): partial(_opens, 2 * ALL_GATES),
        _("an amount added twice: to both biases"): partial(_opens, [1, 1]),
        _("a bias that is set to the amount: it must be added"): partial(_sets, [1]),
        _("a whole bias that is set to the amount: it must be added, and to the forget gates "
          "alone"): partial(_sets, ALL_GATES),
        _("no change: look whether it is done in place, and whether H is layer.hidden_size"):
            partial(_opens, []),
    },
    harness.run_gate,
    parts=(_("the sum of both biases afterwards"), _("the new weight_ih_l0"),
           _("the new weight_hh_l0")),
    equals=_("What it does equals {mistake}."),
)  # fmt: skip


def _gradient_inputs(generator: Generator) -> list[Example]:
    examples = []
    for cell, what, steps in (("RNN", _("plain RNN"), 6), ("GRU", "GRU", 4)):
        x = torch.randn(steps, 2, 3, generator=generator)
        h = torch.randn(2, 4, generator=generator)
        label = _("{steps} steps of a {cell}, 2 reviews, H = 4", steps=steps, cell=what)
        examples.append(Example(label, (cell, x, h, random_weights(generator, cell, 3, 4))))
    return examples


def _by_step(
    change: Function, cell: Function, x: Tensor, h: Tensor, weights: Any, axes: Any = (1, 2)
) -> Tensor:
    """Return lengths of gradients by step.

    change: the state before the first step and those after each -> of what, by what
    axes:   of (T, B, H), along which a length is taken
    """
    first = h.clone().requires_grad_()
    of, states = change(all_states(cell, x, first, weights))
    return torch.stack(torch.autograd.grad(of, states)).norm(dim=axes)


_of_each_review = partial(_by_step, lambda states: (states[-1].sum(), states[1:]), axes=2)


def _of_copies(cell: Function, x: Tensor, h: Tensor, weights: Any) -> Tensor:
    """Return the lengths for a stacked copy of the states, on which no later state hangs."""
    lengths = torch.zeros(len(x))
    lengths[-1] = math.sqrt(h.numel())
    return lengths


def _sums_by_step(cell: Function, x: Tensor, h: Tensor, weights: Any) -> Tensor:
    states = all_states(cell, x, h.requires_grad_(), weights)[1:]
    return torch.stack([g.abs().sum() for g in torch.autograd.grad(states[-1].sum(), states)])


GRADIENT_BY_STEP = Task(
    _gradient_inputs,
    gradient_by_step,
    {
        _("0 but for the last step: a stacked copy, on which no later state hangs; keep the states "
          "of the loop"): _of_copies,
        _("the lengths for the sum of all states, not of the last"):
            partial(_by_step, lambda states: (sum(s.sum() for s in states[1:]), states[1:])),
        _("the lengths for the state before each step"):
            partial(_by_step, lambda states: (states[-1].sum(), states[:-1])),
        _("a length for each review: one number a step is wanted, of all B x H"):
            _of_each_review,
        _("the mean of the reviews' lengths: one length a step is wanted, of all B x H"):
            lambda *a: _of_each_review(*a).mean(1),
        _("the sum of the reviews' lengths: one length a step is wanted, of all B x H"):
            lambda *a: _of_each_review(*a).sum(1),
        _("sums of the gradient's numbers: its length is wanted"): _sums_by_step,
        _("the squares of the lengths"): lambda *a: gradient_by_step(*a) ** 2,
        _("the lengths of the states, not of their gradients"):
            lambda *a: unroll(*a).norm(dim=(1, 2)),
    },
    harness.run_gradient,
)  # fmt: skip


def _chain_inputs(generator: Generator) -> list[Example]:
    drawn = torch.randn(2, 5, generator=generator).double().tolist()
    return [
        Example(_("w, h0, x1, x2, y = {numbers}", numbers=[f"{n:.2g}" for n in five]), tuple(five))
        for five in ([0.5, 0.0, 1.0, 0.0, 1.0], *drawn)
    ]


def _by_hand(part: Function) -> Function:
    """Return what a function makes of both states, both slopes, the error, and the arguments."""

    def answer(w: float, h0: float, x1: float, x2: float, y: float) -> float:
        h1 = math.tanh(w * h0 + x1)
        h2 = math.tanh(w * h1 + x2)
        return part(h1, 1 - h1**2, 1 - h2**2, h2 - y, w, h0)

    return answer


CHAIN_RULE = Task(
    _chain_inputs,
    chain_rule,
    {
        _("the part of the second step alone: w was used in the first step, too"):
            _by_hand(lambda h1, s1, s2, e, w, h0: e * s2 * h1),
        _("both parts without the slopes of tanh, 1 - h^2"):
            _by_hand(lambda h1, s1, s2, e, w, h0: e * (h1 + w * h0)),
        _("both parts, the first without its own slope, 1 - h1^2"):
            _by_hand(lambda h1, s1, s2, e, w, h0: e * s2 * (h1 + w * h0)),
        _("both parts, the first without the w that lies on its way"):
            _by_hand(lambda h1, s1, s2, e, w, h0: e * s2 * (h1 + s1 * h0)),
        _("the gradient by h1, not by w"): _by_hand(lambda h1, s1, s2, e, w, h0: e * s2 * w),
        _("the gradient of (h2 - y)^2: half of it is wanted"):
            _by_hand(lambda h1, s1, s2, e, w, h0: 2 * e * s2 * (h1 + w * s1 * h0)),
    },
    harness.run_numbers,
    forbidden=r"backward|^grad$|autograd",
    instead=_("write the chain rule instead."),
)  # fmt: skip


def _mcnemar_inputs(generator: Generator) -> list[Example]:
    first, second = ((torch.rand(60, generator=generator) < s).numpy() for s in (0.8, 0.6))
    kinds = (180, 140, 50, 30)  # one is right, the other, both, none
    many = [np.repeat(right, kinds) > 0 for right in ([1, 0, 1, 0], [0, 1, 1, 0])]
    return [
        Example(_("60 reviews, two networks that differ"), (first, second)),
        Example(_("the same two, the other way round"), (second, first)),
        Example(_("a network and itself"), (first, first)),
        Example(_("400 reviews, of which the two differ on 320"), tuple(many)),
    ]


def _overflowing(first: Any, second: Any) -> float:
    """A p-value whose 2**n is no more than 64 bits can hold."""
    return mcnemar(first, second) if (first != second).sum() < 63 else 1.0


_below = partial(stats.binom.cdf, p=0.5)  # (k, n): how probable k or fewer of n are


def _tail(count: Function, first: Any, second: Any) -> float:
    """Return a p-value from how many only the first has right, only the second, and all reviews."""
    only_first, only_second = (first & ~second).sum(), (second & ~first).sum()
    return count(int(only_first), int(only_second), len(first))


def _k_of_one(which: str, k: Function) -> dict[str, Function]:
    """Return the mistakes with a k that is not the smaller of two; k: (a, b) -> that k."""
    mistakes: dict[str, Function] = {
        _("a p whose k is always the {which} network's: k is the smaller of two numbers",
          which=which): lambda a, b, all: min(1.0, 2 * _below(k(a, b), a + b)),
        _("a p that can be above 1, and whose k is always the {which} network's: k is the smaller "
          "of two numbers", which=which): lambda a, b, all: 2 * _below(k(a, b), a + b),
        _("a one-sided p, and whose k is always the {which} network's: k is the smaller of two "
          "numbers", which=which): lambda a, b, all: _below(k(a, b), a + b),
    }  # fmt: skip
    return {label: partial(_tail, count) for label, count in mistakes.items()}


def _chi_square(less: int, first: Any, second: Any) -> float:
    a, b = (first & ~second).sum(), (second & ~first).sum()
    return stats.chi2.sf((abs(a - b) - less) ** 2 / np.float64(a + b), 1)


MCNEMAR = Task(
    _mcnemar_inputs,
    mcnemar,
    {
        _("the one-sided p: both directions count"):
            partial(_tail, lambda a, b, _: _below(min(a, b), a + b)),
        _("the mid-p: here the probability of k itself counts in full"): partial(
            _tail, lambda a, b, _: 2 * _below(min(a, b), a + b) - stats.binom.pmf(a, a + b, 0.5)
        ),
        _("the p of k or more: k or fewer is meant, and k is the smaller of two"):
            partial(_tail, lambda a, b, _: 2 * _below(max(a, b), a + b)),
        _("the p of k alone: fewer than k count as well"):
            partial(_tail, lambda a, b, _: stats.binom.pmf(a, a + b, 0.5)),
        _("the p of an approximation by chi-square"): partial(_chi_square, 0),
        _("the p of an approximation by chi-square, with its correction"): partial(_chi_square, 1),
        _("a p that can be above 1"):
            partial(_tail, lambda a, b, _: 2 * _below(min(a, b), a + b)),
        _("the p of fewer than k: k itself belongs to the sum"):
            partial(_tail, lambda a, b, _: min(1.0, 2 * _below(min(a, b) - 1, a + b))),
        _("the p of all reviews: only those count on which the two differ"):
            partial(_tail, lambda a, b, reviews: min(1.0, 2 * _below(min(a, b), reviews))),
        **_k_of_one(_("first"), lambda a, b: a),
        **_k_of_one(_("second"), lambda a, b: b),
        _("1 where many reviews differ: n is an integer of NumPy, and two to its power overflows; "
          "write int(n)"): _overflowing,
    },
)  # fmt: skip


def _belief_inputs(generator: Generator) -> list[Example]:
    examples = []
    for words in (5, 1):
        text = torch.randint(0, 6, (words,), generator=generator)
        vectors, out, bias = (torch.randn(*s, generator=generator) for s in ((6, 3), (4,), (1,)))
        one = words == 1
        label = _("a review of 1 word") if one else _("a review of {words} words", words=words)
        weights = random_weights(generator, "GRU", 3, 4)
        examples.append(Example(label, (vectors, weights, out, bias, text)))
    return examples


def _logits(model: Any, words: Tensor) -> Tensor:
    states, _ = model.recurrent(model.embedding(words[:, None]))  # (T, 1, H)
    return model.linear(states).flatten().detach()  # (T, 1, 1) -> (T,)


BELIEFS = Task(
    _belief_inputs,
    beliefs,
    {
        _("the logits: their sigma is wanted"): _logits,
        _("0 or 1: probabilities are wanted"): lambda *a: beliefs(*a).round(),
        _("the last belief alone: one after each word is wanted"): lambda *a: beliefs(*a)[-1:],
        _("the first belief alone: the review is to be one column, words[:, None]"):
            lambda *a: beliefs(*a)[:1],
        _("the beliefs in bad, 1 - p"): lambda *a: 1 - beliefs(*a),
        _("the beliefs as a column (T, 1)"): lambda *a: beliefs(*a)[:, None],
        _("beliefs of single words, without those before"):
            lambda model, words: torch.cat([beliefs(model, word[None]) for word in words]),
    },
    harness.run_beliefs,
)  # fmt: skip
