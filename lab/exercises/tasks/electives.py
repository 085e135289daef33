"""The exercises of the further notebooks."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from lab.base.messages import _
from lab.exercises import harness, small_models
from lab.exercises.harness import Function
from lab.exercises.solutions import (
    adam_updates,
    join_steps,
    perturbation,
    scan,
    surprise_of,
    weight_gradient,
)
from lab.exercises.tasks.task import Example, Task, random_weights


def _by_hand_inputs(generator: Generator) -> list[Example]:
    examples = []
    for steps, reviews, units in ((5, 3, 4), (3, 2, 5)):
        h, e = (torch.rand(steps, reviews, units, generator=generator) * 2 - 1 for _ in range(2))
        w_hh = torch.randn(units, units, generator=generator)
        label = _(
            "{steps} steps, {reviews} reviews, H = {h}", steps=steps, reviews=reviews, h=units
        )
        examples.append(Example(label, (h, w_hh, e)))
    return examples


def _by_hand(change: Function, h: Tensor, w_hh: Tensor, e: Tensor) -> Tensor:
    """Return a sum over steps; change: h, dL/dh -> what of each step meets which state."""
    deltas, states = change(h, small_models.backward_states(h, w_hh, e))
    return torch.einsum("tbi,tbj->ij", deltas, states)


WEIGHT_GRADIENT = Task(
    _by_hand_inputs,
    weight_gradient,
    {
        _("the gradient without what comes back from later steps"):
            lambda h, w, e: weight_gradient(h, 0 * w, e),
        _("a gradient with dL/dh_t in the place of delta_t: the slope 1 - h_t^2 is missing"):
            partial(_by_hand, lambda h, dh: (dh[1:], h[:-1])),
        _("a gradient whose delta_t meets h_t, not the state before"):
            partial(_by_hand, lambda h, dh: ((1 - h**2) * dh, h)),
        _("a gradient whose delta_t meets h_t: the state before it is h[t - 1]"):
            partial(_by_hand, lambda h, dh: ((1 - h[1:] ** 2) * dh[1:], h[1:])),
        _("a gradient whose states are right, and whose delta is that of the step before"):
            partial(_by_hand, lambda h, dh: ((1 - h[:-1] ** 2) * dh[:-1], h[:-1])),
        _("the gradient transposed: rows are of delta_t, columns of the state before"):
            lambda *a: weight_gradient(*a).T,
        _("the gradient with W_hh transposed on the way back"):
            lambda h, w, e: weight_gradient(h, w.T, e),
    },
    harness.run_by_hand,
)  # fmt: skip


def _adam(
    gradients: list[float], slow: float = 0.9, slower: float = 0.999, root: float = 0.5,
    first: float = 1.0,
) -> Tensor:  # fmt: skip
    """Updates of Adam; first: the number of the first step, inf for no correction."""
    m = v = 0.0
    updates = []
    for step, g in enumerate(gradients):
        m, v = slow * m + (1 - slow) * g, slower * v + (1 - slower) * g * g
        corrections = [1 - rate ** (first + step) or math.nan for rate in (slow, slower)]
        updates.append(m / corrections[0] / (v / corrections[1]) ** root)
    return torch.tensor(updates)


def _adam_inputs(generator: Generator) -> list[Example]:
    drawn = torch.randn(12, generator=generator).tolist()
    return [
        Example(_("five gradients of 2"), ([2.0] * 5,)),
        Example(_("gradients 1, 1, 100, 1, 1"), ([1.0, 1.0, 100.0, 1.0, 1.0],)),
        Example(_("twelve gradients of both signs"), (drawn,)),
    ]


ADAM = Task(
    _adam_inputs,
    adam_updates,
    {
        _("updates without a correction of m and v for their start at zero"):
            lambda g: _adam(g, first=math.inf),
        _("the change of the weight in learning rates; wanted is its opposite"):
            lambda g: -adam_updates(g),
        _("the change of the weight; wanted is -(change) / (learning rate)"):
            lambda g: -0.001 * adam_updates(g),
        _("a way in the weight's own unit: it is wanted in learning rates"):
            lambda g: 0.001 * adam_updates(g),
        _("the sign of the gradient: m and v do not remember"): lambda g: torch.tensor(g).sign(),
        _("updates without the root of v"): lambda g: _adam(g, root=1.0),
        _("updates with the two rates exchanged"): lambda g: _adam(g, 0.999, 0.9),
        _("updates corrected as if steps were counted from 0"): lambda g: _adam(g, first=0),
        _("updates corrected as if the first step were the second"): lambda g: _adam(g, first=2),
        _("the last update alone"): lambda g: adam_updates(g)[-1],
    },
    harness.run_numbers,
    forbidden=r"(?i)adam|optim\.",
    instead=_("write its equations instead."),
)  # fmt: skip


def _surprise_inputs(generator: Generator) -> list[Example]:
    examples = []
    for sizes in ((4, 3), (1, 1)):
        text, read = (torch.randint(0, 6, (n,), generator=generator).tolist() for n in sizes)
        vectors = torch.randn(6, 3, generator=generator)
        weights = random_weights(generator, "GRU", 3, 3)
        label = _("words {text}, read after {read}", text=str(text), read=str(read))
        examples.append(Example(label, (weights, vectors, text, read)))
    return examples


def _reads(texts: Function, handed: bool, model: Any, words: list[int], before: list[int]) -> Any:
    """The surprise of each word after another text; handed: is the state handed on?"""
    state, nats = None, []
    for word, text in zip(words, texts(words, before), strict=True):
        ln_p, new = model.next_word(torch.tensor(text)[:, None], state)
        state = new if handed else None
        nats.append(-ln_p[word].item())
    return torch.tensor(nats)


SURPRISE_OF = Task(
    _surprise_inputs,
    surprise_of,
    {
        _("the perplexity of each word: ln p with its sign turned is wanted"):
            lambda *a: torch.as_tensor(surprise_of(*a)).exp(),
        _("ln p: a sign is missing"): lambda *a: -surprise_of(*a),
        _("the surprise of a word that has just been read: ask before it is fed"): partial(
            _reads, lambda words, before: [[*before, words[0]], *([w] for w in words[1:])], True
        ),
        _("the surprise of a reader that forgets: hand the state on"): partial(
            _reads, lambda words, before: [before, *([w] for w in words[:-1])], False
        ),
        _("the surprise of words that are not fed back"):
            partial(_reads, lambda words, before: [before] * len(words), False),
        _("the surprise of words that are not fed back: `before` is read again and again"):
            partial(_reads, lambda words, before: [before] * len(words), True),
    },
    harness.run_surprise,
)  # fmt: skip


Step = tuple[Tensor, Tensor]


def _join_inputs(generator: Generator) -> list[Example]:
    def step(*shape: int) -> Step:
        return torch.rand(*shape, generator=generator), torch.randn(*shape, generator=generator)

    return [
        Example(_("steps of one unit"), (step(1), step(1))),
        Example(_("steps of 4 reviews, H = 3"), (step(4, 3), step(4, 3))),
        Example(_("six steps at once, each with another"), (step(6, 2, 3), step(6, 2, 3))),
    ]


JOIN_STEPS = Task(
    _join_inputs,
    join_steps,
    {
        _("the two steps in the other order: the first is done first"):
            lambda first, second: join_steps(second, first),
        _("a step that adds both b: what the first adds is multiplied by the second too"):
            lambda first, second: (first[0] * second[0], first[1] + second[1]),
        _("a step whose first b is multiplied by its own a"):
            lambda first, second: (first[0] * second[0], first[0] * first[1] + second[1]),
        _("a step that adds what the second adds, and nothing of the first"):
            lambda first, second: (first[0] * second[0], second[1]),
        _("a step with the sum of both a: a state is multiplied by one, then by the other"):
            lambda first, second: (first[0] + second[0], join_steps(first, second)[1]),
        _("a step that multiplies by the second a alone"):
            lambda first, second: (second[0], join_steps(first, second)[1]),
        _("b and a: wanted is a, then b"): lambda *steps: join_steps(*steps)[::-1],
        _("b alone: wanted are a and b"): lambda *steps: join_steps(*steps)[1],
    },
    parts=("a", "b"),
)  # fmt: skip


def _scan_inputs(generator: Generator) -> list[Example]:
    examples = []
    for steps, shape in ((5, (2, 3)), (8, (1,)), (1, (2,)), (200, (2, 2))):
        a, b = (torch.randn(steps, *shape, generator=generator) for _number in range(2))
        label = _("{steps} steps, states of shape {shape}", steps=steps, shape=str(shape))
        if steps == 1:
            label = _("one step, states of shape {shape}", shape=str(shape))
        examples.append(Example(label, (a.clamp(-1, 1), b)))
    return examples


def _rounds(a: Tensor, b: Tensor, distances: Any, new: bool = False, fixed: bool = False) -> Tensor:
    """Rounds at some distances; new: b is joined by the new a; fixed: a stays as it is."""
    for k in distances:
        joined = a if fixed else torch.cat([a[:k], a[k:] * a[:-k]])
        used = joined if new else a
        a, b = joined, torch.cat([b[:k], used[k:] * b[:-k] + b[k:]])
    return b


def _doubled(a: Tensor, less: int = 0) -> list[int]:
    return [2**n for n in range((len(a) - 1).bit_length() - less)]


SCAN = Task(
    _scan_inputs,
    scan,
    {
        _("states that know too few steps: rounds go on while the distance is below T"):
            lambda a, b: _rounds(a, b, _doubled(a, 1)),
        _("states of int(log2 T) rounds: where T is no power of two, one is missing"):
            lambda a, b: _rounds(a, b, [2**n for n in range(int(math.log2(len(a))))]),
        _("states after one round: the distance doubles in each"):
            lambda a, b: _rounds(a, b, [1][: len(a) - 1]),
        _("states of rounds at the distance 1 alone: it doubles in each"):
            lambda a, b: _rounds(a, b, [1] * len(_doubled(a))),
        _("states whose b is joined by the new a: use the old one, and change a last"):
            lambda a, b: _rounds(a, b, _doubled(a), new=True),
        _("states whose a is never joined"): lambda a, b: _rounds(a, b, _doubled(a), fixed=True),
        _("the states before each step, not after it"):
            lambda a, b: torch.cat([torch.zeros_like(b[:1]), scan(a, b)[:-1]]),
        _("the products of a: wanted are the states"): lambda a, b: torch.cumprod(a, 0),
        _("sums of b, as if each a were 1"): lambda a, b: torch.cumsum(b, 0),
        _("the last state alone"): lambda a, b: scan(a, b)[-1],
    },
    forbidden=rf"^(unbind|__iter__|__array__|numpy|tolist|item|{harness.MANY})$",
    instead=_("join whole rows, in rounds."),
    refused=_("{name} goes through the steps one by one: {instead}"),
)  # fmt: skip


def _perturbation_inputs(generator: Generator) -> list[Example]:
    examples = []
    for lengths, sizes, epsilon in (((5, 3, 4), (4, 3), 1.0), ((2, 6), (3, 2), 0.1)):
        read = torch.randn(max(lengths), len(lengths), sizes[0], generator=generator)
        weights = (
            torch.randn(*sizes, generator=generator),
            torch.randn(sizes[1:], generator=generator),
        )
        labels = torch.arange(len(lengths)).remainder(2).float()
        label = _(
            "{reviews} reviews of up to {steps} words, E = {e}, epsilon = {epsilon}",
            reviews=len(lengths), steps=max(lengths), e=sizes[0], epsilon=epsilon,
        )  # fmt: skip
        arguments = (read, torch.tensor(lengths), weights, labels, epsilon)
        examples.append(Example(label, arguments))
    return examples


def _scaled(scale: Function, loss: Tensor, shift: Tensor, epsilon: float) -> Tensor:
    """A shift along the gradient; scale: the gradient -> by what it is divided."""
    (gradient,) = torch.autograd.grad(loss, shift, retain_graph=True)
    return epsilon * gradient / scale(gradient)


def _length(gradient: Tensor, dims: Any, power: float = 0.5) -> Tensor:
    return gradient.square().sum(dims, keepdim=True).clamp(min=1e-30) ** power


PERTURBATION = Task(
    _perturbation_inputs,
    perturbation,
    {
        _("a shift along the gradient, but against its sign: the loss shall rise"):
            lambda *a: -perturbation(*a),
        _("epsilon times the gradient: divide by its length"):
            partial(_scaled, lambda g: 1.0),
        _("a shift of length epsilon for the whole batch: each review has its own"):
            partial(_scaled, lambda g: _length(g, (0, 1, 2))),
        _("a shift of length epsilon for each word: it is the review's, all words together"):
            partial(_scaled, lambda g: _length(g, 2)),
        _("a shift of length epsilon for each dimension of the vectors, over all words"):
            partial(_scaled, lambda g: _length(g, 0)),
        _("a shift of length epsilon for each step, over all reviews: the axes are (T, B, E)"):
            partial(_scaled, lambda g: _length(g, (1, 2))),
        _("a gradient that is divided by the square of its length: the root is missing"):
            partial(_scaled, lambda g: _length(g, (0, 2), 1.0)),
        _("a gradient that is divided by the sum of its absolute values, not by its length"):
            partial(_scaled, lambda g: g.abs().sum((0, 2), keepdim=True)),
        _("the gradient's direction: its length is 1, and not epsilon"):
            lambda loss, shift, epsilon: perturbation(loss, shift, 1.0),
        _("epsilon times the sign of the gradient, so that each number moves as far"):
            lambda *a: a[2] * perturbation(*a).sign(),
    },
    harness.run_perturbation,
)  # fmt: skip
