"""What the exercises that ask for code are tried with: inputs, right answers, the usual wrong ones.

A task draws its inputs from a seed, calls the student's function with them, and compares what comes
with what the lab's own version gives (`given.py`). Inputs are plain data, and what comes back is
too, so that the call can be made in one process and the comparison in another.

Wrong answers are the lab's version with one thing changed: a term left out, two gates exchanged.
Where a student's function equals one of them, that can be said.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from scipy import stats
from torch import Generator, Tensor, nn

from lab.exercises import harness, solutions
from lab.exercises.harness import Function, Piece


class Case(NamedTuple):
    """One call of a student's function: what is special about it, in words, and its arguments."""

    said: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Task:
    """How an exercise is tried.

    draw:      from a generator, the cases
    right:     the lab's version
    wrong:     what is wrong, in words -> a function that is wrong in this way
    play:      calls a function with the arguments of a case; one of `plays.py`
    forbidden: names of PyTorch's functions that would be the answer -> what to write instead
    parts:     what to call the parts of what `play` returns, where these are several
    """

    draw: Callable[[Generator], list[Case]]
    right: Function
    wrong: Mapping[str, Function] = field(default_factory=dict)
    play: Function = harness.call
    forbidden: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[str, ...] = ()


EQUATIONS = "write the equations"
RECURRENT = dict.fromkeys(
    ("rnn_tanh_cell", "rnn_relu_cell", "lstm_cell", "gru_cell", "rnn_tanh", "lstm", "gru"),
    EQUATIONS,
)

# ── The cells ───────────────────────────────────────────────────────────────────────────────────

SIZES = ((4, 5, 8), (1, 3, 2), (6, 7, 7))  # reviews B, length E of a word vector, units H


def _weights(draw: Generator, blocks: int, inputs: int, units: int) -> tuple[Tensor, ...]:
    """Return w_ih (gH, E), w_hh (gH, H), b_ih and b_hh (gH,) of a layer with g blocks."""
    shapes = ((inputs,), (units,), (), ())
    return tuple(torch.randn(blocks * units, *shape, generator=draw) for shape in shapes)


def _cell_cases(cell: str, blocks: int) -> Callable[[Generator], list[Case]]:
    def draw(generator: Generator) -> list[Case]:
        cases = []
        for reviews, inputs, units in SIZES:
            x = torch.randn(reviews, inputs, generator=generator)
            h, c = (torch.randn(reviews, units, generator=generator) for _ in range(2))
            state = (h, c) if cell == "LSTM" else h
            said = f"{reviews} review{'s' * (reviews > 1)}, E = {inputs}, H = {units}"
            weights = _weights(generator, blocks, inputs, units)
            cases.append(Case(said, (x, state, *weights)))
        return cases

    return draw


def _with(
    cell: str, x: float = 1, state: Callable[[Any], Any] | None = None, **weights: Any
) -> Function:
    """Return a cell of PyTorch with changed arguments; of weights: name -> what becomes of it."""

    def changed(x_t: Tensor, old: Any, *given_weights: Tensor) -> Any:
        names = ("w_ih", "w_hh", "b_ih", "b_hh")
        news = [weights.get(n, _same)(w) for n, w in zip(names, given_weights, strict=True)]
        return solutions.CELLS[cell](x * x_t, state(old) if state else old, *news)

    return changed


def _same(value: Any) -> Any:
    return value


def _none(value: Any) -> Any:
    return 0 * value


def _in_order(*order: int) -> dict[str, Callable[[Tensor], Tensor]]:
    """Return what puts the blocks of all weights in another order."""

    def reorder(weight: Tensor) -> Tensor:
        blocks = weight.chunk(len(order))
        return torch.cat([blocks[i] for i in order])

    return dict.fromkeys(("w_ih", "w_hh", "b_ih", "b_hh"), reorder)


def _signs(*signs: int) -> dict[str, Callable[[Tensor], Tensor]]:
    """Return what multiplies the blocks of all weights: of sigma(a), -1 makes 1 - sigma(a)."""

    def sign(weight: Tensor) -> Tensor:
        blocks = weight.chunk(len(signs))
        return torch.cat([s * block for s, block in zip(signs, blocks, strict=True)])

    return dict.fromkeys(("w_ih", "w_hh", "b_ih", "b_hh"), sign)


def _sigma_for_tanh(cell: str, blocks: int, block: int) -> Function:
    """Return a cell with sigma where one of its blocks has tanh, as the mean of two calls.

    sigma(a) = (tanh(a / 2) + 1) / 2, and tanh of a large number is 1.
    """
    halved = _signs(*(0.5 if b == block else 1 for b in range(blocks)))
    gone = _signs(*(b != block for b in range(blocks)))

    def one(b_ih: Tensor) -> Tensor:
        bias = gone["b_ih"](b_ih)
        bias.chunk(blocks)[block].fill_(99.0)
        return bias

    first, second = _with(cell, **halved), _with(cell, **{**gone, "b_ih": one})

    def changed(*arguments: Any) -> Any:
        if cell != "LSTM":
            return (first(*arguments) + second(*arguments)) / 2
        (_, one), (_, other) = first(*arguments), second(*arguments)
        return _shown(arguments, (one + other) / 2)

    return changed


def _shown(arguments: Any, c: Tensor) -> tuple[Tensor, Tensor]:
    """Return the h and c of an LSTM that has come to another c."""
    h, right = solutions.CELLS["LSTM"](*arguments)
    return h / right.tanh() * c.tanh(), c


def _terms_left_out(cell: str) -> dict[str, Function]:
    """Return what any cell can lack: a bias, the word, the state."""
    return {
        "the cell without its second bias, b_hh": _with(cell, b_hh=_none),
        "the cell without its first bias, b_ih": _with(cell, b_ih=_none),
        "the cell without its biases": _with(cell, b_ih=_none, b_hh=_none),
        "the cell with b_ih twice, and without b_hh": lambda *a: solutions.CELLS[cell](
            *a[:-1], a[-2]
        ),
        "the cell without the word, W_ih x": _with(cell, w_ih=_none),
        "the cell without the old state, W_hh h": _with(cell, w_hh=_none),
    }


def _plain(squash: Callable[[Tensor], Tensor]) -> Function:
    """Return a plain RNN with another function than tanh."""
    return lambda x, h, w_ih, w_hh, b_ih, b_hh: squash(F.linear(x, w_ih, b_ih + b_hh) + h @ w_hh.T)


RNN_CELL = Task(
    _cell_cases("RNN", 1),
    solutions.CELLS["RNN"],
    _terms_left_out("RNN")
    | {
        "the cell without tanh": _plain(_same),
        "the cell with sigma instead of tanh": _plain(torch.sigmoid),
        "the cell with relu instead of tanh": _plain(torch.relu),
        "the cell with h @ w_hh, where w_hh must be transposed": _with("RNN", w_hh=lambda w: w.T),
    },
    forbidden=RECURRENT,
)


def _lstm_result(change: Callable[[Tensor, Tensor], Any]) -> Function:
    """Return an LSTM whose new h and c are changed before they are returned."""
    return lambda *arguments: change(*solutions.CELLS["LSTM"](*arguments))


def _squashed_twice(x: Tensor, state: Any, *weights: Tensor) -> Any:
    """An LSTM that returns tanh(c) for c."""
    h, c = solutions.CELLS["LSTM"](x, state, *weights)
    return h, c.tanh()


def _unsquashed(x: Tensor, state: Any, *weights: Tensor) -> Any:
    """An LSTM whose f is used without sigma."""
    w_ih, w_hh, b_ih, b_hh = (w.chunk(4)[1] for w in weights)
    f = F.linear(x, w_ih, b_ih) + F.linear(state[0], w_hh, b_hh)
    _, c = solutions.CELLS["LSTM"](x, state, *weights)
    return _shown((x, state, *weights), c + (f - f.sigmoid()) * state[1])


def _shows_the_old(x: Tensor, state: Any, *weights: Tensor) -> Any:
    """An LSTM whose h looks at the c of the step before."""
    _, c = solutions.CELLS["LSTM"](x, state, *weights)
    return _shown((x, state, *weights), state[1])[0], c


def _output_unsquashed(x: Tensor, state: Any, *weights: Tensor) -> Any:
    """An LSTM whose h is o times c, without tanh."""
    h, c = solutions.CELLS["LSTM"](x, state, *weights)
    return h / c.tanh() * c, c


LSTM_CELL = Task(
    _cell_cases("LSTM", 4),
    solutions.CELLS["LSTM"],
    _terms_left_out("LSTM")
    | {
        "the cell with the gates f and i exchanged": _with("LSTM", **_in_order(1, 0, 2, 3)),
        "the cell with g and o exchanged": _with("LSTM", **_in_order(0, 1, 3, 2)),
        "the cell with its blocks in the order f, i, o, g": _with("LSTM", **_in_order(1, 0, 3, 2)),
        "the cell with 1 - f in the place of f": _with("LSTM", **_signs(1, -1, 1, 1)),
        "the cell without sigma around f": _unsquashed,
        "the cell without its old cell state": _with("LSTM", state=lambda s: (s[0], 0 * s[1])),
        "the cell with h = o * c, without tanh": _output_unsquashed,
        "the cell with tanh(c) as its new c": _squashed_twice,
        "the cell with h from the old c: h needs the new one": _shows_the_old,
        "the cell with sigma instead of tanh for g": _sigma_for_tanh("LSTM", 4, 2),
        "the cell with h and c exchanged at the start: the state is (h, c)": _with(
            "LSTM", state=lambda s: (s[1], s[0])
        ),
        "the cell with h and c exchanged at the end": _lstm_result(lambda h, c: (c, h)),
        "h alone: an LSTM returns the pair (h, c)": _lstm_result(lambda h, c: h),
    },
    forbidden=RECURRENT,
    parts=("the new h", "the new c"),
)


def _reset_before(x: Tensor, h: Tensor, *weights: Tensor) -> Tensor:
    """A GRU whose reset gate shortens the state before the matrix, not what comes out of it."""
    w_in, w_hn, b_in, b_hn = (w.chunk(3)[2] for w in weights)
    r, z = _gates(x, h, *weights)
    proposal = (F.linear(x, w_in, b_in) + F.linear(r * h, w_hn, b_hn)).tanh()
    return torch.lerp(proposal, h, z)


def _reset_all(x: Tensor, h: Tensor, *weights: Tensor) -> Tensor:
    """A GRU whose reset gate shortens the word's part of the proposal too."""
    w_in, w_hn, b_in, b_hn = (w.chunk(3)[2] for w in weights)
    r, z = _gates(x, h, *weights)
    return torch.lerp((r * (F.linear(x, w_in, b_in) + F.linear(h, w_hn, b_hn))).tanh(), h, z)


def _bias_outside(x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, *biases: Tensor) -> Tensor:
    """A GRU whose bias b_hn does not meet the reset gate: it could as well be part of b_in."""
    b_ih, b_hh = (b.clone() for b in biases)
    b_ih.chunk(3)[2].add_(b_hh.chunk(3)[2])
    b_hh.chunk(3)[2].zero_()
    return solutions.CELLS["GRU"](x, h, w_ih, w_hh, b_ih, b_hh)


def _without_reset(x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, *biases: Tensor) -> Tensor:
    """A GRU whose reset gate is open."""
    b_ih = biases[0].clone()
    b_ih.chunk(3)[0].fill_(99.0)
    gone = _signs(0, 1, 1)["w_ih"]
    return solutions.CELLS["GRU"](x, h, gone(w_ih), gone(w_hh), b_ih, biases[1])


def _old_state_forgotten(x: Tensor, h: Tensor, *weights: Tensor) -> Tensor:
    return solutions.CELLS["GRU"](x, h, *weights) - _gates(x, h, *weights)[1] * h


def _gates(x: Tensor, h: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gates r and z of a GRU."""
    w_ih, w_hh, b_ih, b_hh = (w[: 2 * h.shape[1]] for w in weights)
    return (F.linear(x, w_ih, b_ih) + F.linear(h, w_hh, b_hh)).sigmoid().chunk(2, dim=1)


GRU_CELL = Task(
    _cell_cases("GRU", 3),
    solutions.CELLS["GRU"],
    _terms_left_out("GRU")
    | {
        "the cell with z and 1 - z exchanged": _with("GRU", **_signs(1, -1, 1)),
        "the cell with the gates r and z exchanged": _with("GRU", **_in_order(1, 0, 2)),
        "the cell with r applied before the matrix: W_hn (r * h)": _reset_before,
        "the cell with r around the word's part too: r * (W_in x + W_hn h)": _reset_all,
        "the cell with b_hn outside of r: r meets W_hn h + b_hn": _bias_outside,
        "the cell without its reset gate": _without_reset,
        "the cell without z * h at its end": _old_state_forgotten,
        "the cell with sigma instead of tanh for n": _sigma_for_tanh("GRU", 3, 2),
    },
    forbidden=RECURRENT,
)

# ── Unrolling, the last state, averages ─────────────────────────────────────────────────────────


def _unroll_cases(draw: Generator) -> list[Case]:
    cases = []
    for article, cell, blocks in (("an", "RNN", 1), ("an", "LSTM", 4), ("a", "GRU", 3)):
        x = torch.randn(5, 2, 3, generator=draw)  # (T, B, E)
        h = torch.randn(2, 4, generator=draw)
        state = (h, torch.randn(2, 4, generator=draw)) if cell == "LSTM" else h
        said = f"5 steps, 2 reviews, H = 4, given the cell of {article} {cell}"
        cases.append(Case(said, (cell, x, state, _weights(draw, blocks, 3, 4))))
    return cases


def _forgetful(cell: Function, x: Tensor, state: Any, weights: Any) -> Tensor:
    """Unroll without handing the new state on."""
    return torch.cat([solutions.unroll(cell, step[None], state, weights) for step in x])


def _noted(cell: Function, x: Tensor, state: Any, weights: Any) -> list[Any]:
    """Return the whole states that a cell has returned."""
    states: list[Any] = []

    def noting(*arguments: Any) -> Any:
        states.append(cell(*arguments))
        return states[-1]

    solutions.unroll(noting, x, state, weights)
    return states


def _memories(*arguments: Any) -> Tensor:
    """Unroll, and keep an LSTM's c."""
    return torch.stack([s[1] if isinstance(s, tuple) else s for s in _noted(*arguments)])


def _first_of_each(*arguments: Any) -> Tensor:
    """Unroll, and keep state[0], be it an LSTM's h or the first review's state."""
    return torch.stack([state[0] for state in _noted(*arguments)])


def _one_late(cell: Function, x: Tensor, state: Any, weights: Any) -> Tensor:
    """Unroll, and keep the state before each step."""
    first = state[0] if isinstance(state, tuple) else state
    return torch.cat([first[None], solutions.unroll(cell, x, state, weights)[:-1]])


def _cut_off(cell: Function, x: Tensor, state: Any, weights: Any) -> Tensor:
    """Unroll with states that are detached before each step."""

    def detaching(x_t: Tensor, old: Any, *w: Any) -> Any:
        old = tuple(s.detach() for s in old) if isinstance(old, tuple) else old.detach()
        return cell(x_t, old, *w)

    return solutions.unroll(detaching, x, state, weights)


UNROLL = Task(
    _unroll_cases,
    solutions.unroll,
    {
        "an unrolling in which each step starts from the first state": _forgetful,
        "the last state alone: all states are wanted": lambda *a: solutions.unroll(*a)[-1],
        "the first step alone: is the return inside of the loop?": lambda *a: solutions.unroll(*a)[
            :1
        ],
        "the states before each step, not after it": _one_late,
        "an unrolling that keeps an LSTM's c: its h is state[0]": _memories,
        "an unrolling that keeps state[0] of all cells, or of all batches of two: that is for an "
        "LSTM alone, whose state is a tuple": _first_of_each,
        "the states in one block (T * B, H): torch.stack keeps the steps apart": lambda *a: (
            solutions.unroll(*a).flatten(0, 1)
        ),
        "the states from the end to the start": lambda *a: solutions.unroll(*a).flip(0),
        "an unrolling that reads the words from the end": lambda cell, x, *a: solutions.unroll(
            cell, x.flip(0), *a
        ),
        "the states with reviews first, (B, T, H)": lambda *a: solutions.unroll(*a).transpose(0, 1),
        "the right states, through which no gradient goes back: is the old state detached?": (
            _cut_off
        ),
    },
    harness.play_unroll,
    parts=("the states", "the gradient of the last state with respect to x"),
)


def _last_state_cases(draw: Generator) -> list[Case]:
    states = torch.randn(6, 3, 4, generator=draw)
    lengths = (
        ("no padding", [6, 6, 6]),
        ("padding", [6, 2, 4]),
        ("one review of one word", [3, 1, 5]),
    )
    return [
        Case(f"states (6, 3, 4) and lengths {length} ({said})", (states, torch.tensor(length)))
        for said, length in lengths
    ]


LAST_STATE = Task(
    _last_state_cases,
    solutions.last_state,
    {
        "the state at the end of the block, after the padding": lambda s, length: s[-1],
        "the state one word after the last": lambda s, length: solutions.last_state(
            torch.cat([s, s[-1:]]), length + 1
        ),
        "the state one word before the last": lambda s, length: solutions.last_state(
            s.roll(1, dims=0), length
        ),
        "the state at the end of the longest review": lambda s, length: s[length.max() - 1],
        "the state counted from the end, -length": lambda s, length: solutions.last_state(
            s.flip(0), length
        ),
        "states of the first review alone": lambda s, length: s[length - 1, 0],
        "the first state": lambda s, length: s[0],
        "all three lengths for every review: (B, B, H)": lambda s, length: s[length - 1],
    },
)


def _average_cases(draw: Generator) -> list[Case]:
    vectors = torch.randn(9, 4, generator=draw)
    text = torch.randint(2, 9, (5, 3), generator=draw)
    cases = [Case("three reviews of 5 words", (text, torch.tensor([5, 5, 5]), vectors))]
    short = text.clone()
    short[2:, 1] = short[4:, 2] = 1
    short[1, 0] = 0
    said = "lengths 5, 2, 4, filled with <pad>, one word <unk>"
    cases.append(Case(said, (short, torch.tensor([5, 2, 4]), vectors)))
    return cases


def _average_of_block(text: Tensor, text_length: Tensor, vectors: Tensor) -> Tensor:
    return F.embedding(text, vectors).mean(0)


def _average_of_known(text: Tensor, text_length: Tensor, vectors: Tensor) -> Tensor:
    known = (text > 1)[:, :, None]  # (T, B, 1)
    return (F.embedding(text, vectors) * known).sum(0) / known.sum(0)


AVERAGE = Task(
    _average_cases,
    solutions.average_vectors,
    {
        "the mean over the whole block, with its padding": _average_of_block,
        "the mean of the known words: <unk> is a word and counts": _average_of_known,
        "the sum of the vectors, not their mean": lambda t, n, v: (
            solutions.average_vectors(t, n, v) * n[:, None]
        ),
        "the sum without the padding, divided by T": lambda t, n, v: (
            solutions.average_vectors(t, n, v) * n[:, None] / len(t)
        ),
        "the mean with one word too many: the first <pad>": lambda t, n, v: (
            solutions.average_vectors(t, (n + 1).clamp(max=len(t)), v)
            * ((n + 1).clamp(max=len(t)) / n)[:, None]
        ),
        "the sum with the padding, divided by the length": lambda t, n, v: (
            _average_of_block(t, n, v) * len(t) / n[:, None]
        ),
    },
)

COUNT_WEIGHTS = Task(
    lambda draw: [
        Case(f"count_weights({g}, {e}, {h})", (g, e, h))
        for g, e, h in ((1, 50, 256), (4, 50, 256), (3, 7, 5))
    ],
    solutions.count_weights,
    {
        "a count with one bias for each unit, where PyTorch has two": lambda g, e, h: (
            solutions.count_weights(g, e, h) - g * h
        ),
        "a count without biases": lambda g, e, h: solutions.count_weights(g, e, h) - 2 * g * h,
        "a count of one block alone": lambda g, e, h: solutions.count_weights(1, e, h),
        "a count in which W_hh and the biases are there only once": lambda g, e, h: (
            solutions.count_weights(1, e, h) + (g - 1) * h * e
        ),
        "a count with the biases of one block alone": lambda g, e, h: (
            solutions.count_weights(g, e, h) - 2 * (g - 1) * h
        ),
        "a count with E and H exchanged": lambda g, e, h: solutions.count_weights(g, h, e),
        "a count without W_hh": lambda g, e, h: solutions.count_weights(g, e, h) - g * h * h,
    },
)

# ── Loss, training step, means ──────────────────────────────────────────────────────────────────


def _loss_cases(draw: Generator) -> list[Case]:
    logits = 2 * torch.randn(6, generator=draw)
    labels = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0, 0.0])
    large = torch.tensor([200.0, -200.0, 150.0])
    return [
        Case("six logits and labels", (logits, labels)),
        Case("logits 0 (it knows nothing)", (torch.zeros(4), torch.tensor([0.0, 1.0, 1.0, 0.0]))),
        Case("logits of 200 and -200", (large, torch.tensor([1.0, 0.0, 0.0]))),
    ]


BINARY_LOSS = Task(
    _loss_cases,
    solutions.binary_loss,
    {
        "the sum of the losses, not their mean": lambda a, y: solutions.binary_loss(a, y) * len(a),
        "each review's loss: one number, their mean, is wanted": lambda a, y: (
            F.binary_cross_entropy_with_logits(a, y, reduction="none")
        ),
        "the loss with its sign turned": lambda a, y: -solutions.binary_loss(a, y),
        "the loss of sigma(a) in the place of a: sigma is taken twice": lambda a, y: (
            solutions.binary_loss(a.sigmoid(), y)
        ),
        "the loss in bits: ln is the natural logarithm": lambda a, y: (
            solutions.binary_loss(a, y) / math.log(2)
        ),
        "the loss with labels 0 and 1 exchanged": lambda a, y: solutions.binary_loss(a, 1 - y),
        "a loss with 1 - ln sigma(a) in the place of ln(1 - sigma(a))": lambda a, y: (
            -(y * F.logsigmoid(a) + (1 - y) * (1 - F.logsigmoid(a))).mean()
        ),
        "a loss whose second term has the wrong sign": lambda a, y: (
            F.softplus(-a) * y - F.softplus(a) * (1 - y)
        ).mean(),
        "the loss of the good reviews alone": lambda a, y: (F.softplus(-a) * y).mean(),
        "the loss of the bad reviews alone": lambda a, y: (F.softplus(a) * (1 - y)).mean(),
    },
    forbidden=dict.fromkeys(
        ("binary_cross_entropy_with_logits", "binary_cross_entropy", "soft_margin_loss"),
        "write the formula",
    ),
)


def _step_cases(draw: Generator) -> list[Case]:
    vectors, weight = torch.randn(6, 4, generator=draw), torch.randn(4, generator=draw)
    batches = [
        (
            torch.randint(0, 6, (3, 5), generator=draw),
            torch.full((5,), 3),
            torch.randint(0, 2, (5,), generator=draw).float(),
        )
        for _ in range(3)
    ]
    return [
        Case(
            "one update of a small model: 6 vectors, 4 weights",
            (vectors, weight, batches[:1], 10.0),
        ),
        Case("three updates, one after the other", (vectors, weight, batches, 10.0)),
        Case("a gradient longer than clip_norm", (20 * vectors, weight, batches[:1], 0.1)),
    ]


def _accumulating(model: nn.Module, batch: Any, optimizer: Any, clip_norm: float) -> Any:
    """A step that does not empty the gradient of the step before."""
    before = [w.grad for w in model.parameters()]
    logits = model(batch.text, batch.text_length)
    loss = solutions.binary_loss(logits, batch.label)
    now = torch.autograd.grad(loss, list(model.parameters()))
    for weight, old, new in zip(model.parameters(), before, now, strict=True):
        weight.grad = new if old is None else old + new
    nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    optimizer.step()
    return logits, loss


def _descends(change: Callable[[Tensor, Tensor], Tensor], shown: bool = True) -> Function:
    """Return a step down another loss: of logits and labels. shown: is it returned, too?"""

    def changed(model: nn.Module, batch: Any, optimizer: Any, clip_norm: float) -> Any:
        logits = model(batch.text, batch.text_length)
        loss = change(logits, batch.label)
        solutions.descend(model, loss, optimizer, clip_norm)
        return logits, loss if shown else solutions.binary_loss(logits, batch.label)

    return changed


def _clips_values(model: nn.Module, batch: Any, optimizer: Any, clip_norm: float) -> Any:
    """A step that clips each number of the gradient by itself."""
    for weight in model.parameters():
        weight.register_hook(lambda gradient: gradient.clamp(-clip_norm, clip_norm))
    return solutions.training_step(model, batch, optimizer, math.inf)


def _clips_each(model: nn.Module, batch: Any, optimizer: Any, clip_norm: float) -> Any:
    """A step that clips the gradient of each weight matrix by itself."""
    for weight in model.parameters():
        weight.register_hook(lambda g: g * (clip_norm / (g.norm() + 1e-6)).clamp(max=1))
    return solutions.training_step(model, batch, optimizer, math.inf)


def _looks_again(model: nn.Module, batch: Any, optimizer: Any, clip_norm: float) -> Any:
    """A step that returns what the changed weights give."""
    _, loss = solutions.training_step(model, batch, optimizer, clip_norm)
    return model(batch.text, batch.text_length), loss


def _sure(model: nn.Module, batch: Any, optimizer: Any, clip_norm: float) -> Any:
    """A step that returns probabilities for logits."""
    logits, loss = solutions.training_step(model, batch, optimizer, clip_norm)
    return logits.sigmoid(), loss


def _only_loss(model: nn.Module, batch: Any, optimizer: Any, clip_norm: float) -> Any:
    logits = model(batch.text, batch.text_length)
    return logits, solutions.binary_loss(logits, batch.label)


TRAINING_STEP = Task(
    _step_cases,
    solutions.training_step,
    {
        "a step that does not empty the gradient first (zero_grad)": _accumulating,
        "a step without clipping": lambda m, b, o, clip: solutions.training_step(m, b, o, math.inf),
        "a step that clips at 1, whatever clip_norm says": lambda m, b, o, clip: (
            solutions.training_step(m, b, o, 1.0)
        ),
        "a step that clips each number by itself, not the gradient's length": _clips_values,
        "a step that clips each weight matrix by itself, not all together": _clips_each,
        "the right step, with logits of the changed weights": _looks_again,
        "the right step, with probabilities where logits are wanted": _sure,
        "a step upwards: the loss has its sign turned": _descends(
            lambda a, y: -solutions.binary_loss(a, y), shown=False
        ),
        "a step down the loss of sigma(logits): sigma is taken twice": _descends(
            lambda a, y: solutions.binary_loss(a.sigmoid(), y)
        ),
        "a step down the sum of the losses, not their mean": _descends(
            lambda a, y: solutions.binary_loss(a, y) * len(a)
        ),
        "the right step, with loss and logits exchanged": lambda *a: solutions.training_step(*a)[
            ::-1
        ],
        "no step: the weights stay as they were (zero_grad, then backward, then step)": _only_loss,
    },
    harness.play_step,
    parts=("the vectors afterwards", "the weights afterwards", "the logits", "the loss"),
)


def _means_cases(draw: Generator) -> list[Case]:
    return [
        Case("three batches of 32", ([0.5, 0.25, 0.75], [32, 32, 32])),
        Case("batches of 32, 32 and 8", ([0.5, 0.25, 1.5], [32, 32, 8])),
        Case("batches of 1 and 99", ([2.0, 0.5], [1, 99])),
    ]


MEAN_OVER_REVIEWS = Task(
    _means_cases,
    solutions.mean_over_reviews,
    {
        "the mean of the means: small batches count too much": lambda m, n: sum(m) / len(m),
        "the sum over all reviews, not divided": lambda m, n: (
            solutions.mean_over_reviews(m, n) * sum(n)
        ),
        "the sum over all reviews, divided by the number of batches": lambda m, n: (
            solutions.mean_over_reviews(m, n) * sum(n) / len(n)
        ),
    },
)

# ── The language model ──────────────────────────────────────────────────────────────────────────


def _perplexity_cases(draw: Generator) -> list[Case]:
    return [
        Case("ten words, each with p = 1/8", (torch.full((10,), math.log(1 / 8)),)),
        Case("words with other probabilities", (torch.rand(7, generator=draw).log(),)),
        Case("a block (T, B) = (4, 3)", (torch.rand(4, 3, generator=draw).log(),)),
    ]


PERPLEXITY = Task(
    _perplexity_cases,
    solutions.perplexity,
    {
        "the mean of 1/p: first the mean of ln p, then exp": lambda a: (-a).exp().mean().item(),
        "1 / the mean of p: first the mean of ln p, then exp": lambda a: 1 / a.exp().mean().item(),
        "the loss: its exponential is wanted": lambda a: -a.mean().item(),
        "1 / perplexity: a sign is missing": lambda a: 1 / solutions.perplexity(a),
        "2 to the power of the loss: ln asks for e": lambda a: 2 ** -a.mean().item(),
        "the exponential of the summed loss by T: a block has T times B words": lambda a: (
            solutions.perplexity(a) ** (a.numel() / len(a))
        ),
        "the exponential of the summed loss, not of the mean": lambda a: (
            solutions.perplexity(a) ** a.numel()
        ),
    },
)


def _piece_cases(draw: Generator) -> list[Case]:
    cases = []
    for said, cell, blocks, pieces in (
        ("a GRU and one piece (no state yet)", "GRU", 3, 1),
        ("a GRU and two pieces", "GRU", 3, 2),
        ("an LSTM and two pieces (its state is a pair)", "LSTM", 4, 2),
    ):
        vectors = torch.randn(6, 3, generator=draw)
        stream = torch.randint(0, 6, (4 * pieces + 1, 2), generator=draw)
        cases.append(Case(said, (cell, _weights(draw, blocks, 3, 3), vectors, stream)))
    return cases


def _undetached(model: Any, piece: Any, state: Any) -> Any:
    ln_p, state = model.log_probability(piece.text, piece.target, state)
    return -ln_p.mean(), state


def _half_detached(half: int) -> Function:
    """Return the loss of a piece where of an LSTM's pair one half alone, or none, is detached."""

    def changed(model: Any, piece: Any, state: Any) -> Any:
        if isinstance(state, tuple):
            state = tuple(s.detach() if i == half else s for i, s in enumerate(state))
            return _undetached(model, piece, state)
        return _undetached(model, piece, state if state is None else state.detach())

    return changed


def _scaled(scale: Callable[[Any], float]) -> Function:
    """Return the loss of a piece, times something."""

    def changed(model: Any, piece: Any, state: Any) -> Any:
        loss, state = solutions.piece_loss(model, piece, state)
        return loss * scale(piece), state

    return changed


PIECE_LOSS = Task(
    _piece_cases,
    solutions.piece_loss,
    {
        "a loss whose gradient goes back into the piece before: nothing is detached": _undetached,
        "a loss whose gradient goes back along an LSTM's state: its pair is not detached": (
            _half_detached(2)
        ),
        "a loss whose gradient goes back along an LSTM's c: h alone is detached": _half_detached(0),
        "a loss whose gradient goes back along an LSTM's h: c alone is detached": _half_detached(1),
        "the loss with text and target exchanged": lambda m, p, s: solutions.piece_loss(
            m, Piece(p.target, p.text), s
        ),
        "the loss of a piece that starts from no state; is the new one returned?": lambda m, p, s: (
            solutions.piece_loss(m, p, None)
        ),
        "the loss with its sign turned": _scaled(lambda piece: -1),
        "the sum over the words, not their mean": _scaled(lambda piece: piece.target.numel()),
    },
    harness.play_pieces,
    parts=("the loss of each piece", "the gradient of the last piece's loss"),
)


def _nucleus_cases(draw: Generator) -> list[Case]:
    def logs(*probabilities: float) -> Tensor:
        return torch.tensor(probabilities).log()

    return [
        Case("p = 0.7, of words with 0.45, 0.3, 0.2, 0.05", (logs(0.45, 0.3, 0.2, 0.05), 1.0, 0.7)),
        Case("the same in another order", (logs(0.05, 0.3, 0.2, 0.45), 1.0, 0.7)),
        Case("p = 0.3 (one word is enough)", (logs(0.12, 0.4, 0.28, 0.2), 1.0, 0.3)),
        Case("temperature 0.5, p = 0.7", (logs(0.1, 0.35, 0.25, 0.3), 0.5, 0.7)),
    ]


def _not_reaching(ln_p: Tensor, temperature: float, p: float) -> Tensor:
    """A nucleus that stops before the word that reaches p."""
    whole = solutions.nucleus(ln_p, temperature, p)
    least = torch.where(whole > 0, whole, torch.inf).argmin()
    whole[least] = 0
    return whole / whole.sum()


def _unscaled(ln_p: Tensor, temperature: float, p: float) -> Tensor:
    """A nucleus whose probabilities do not add up to 1 again."""
    whole = (ln_p / temperature).softmax(0)
    return whole * (solutions.nucleus(ln_p, temperature, p) > 0)


def _one_more(ln_p: Tensor, temperature: float, p: float) -> Tensor:
    """A nucleus with the word after the one that reaches p."""
    kept = solutions.nucleus(ln_p, temperature, p) > 0
    reached = float((ln_p / temperature).softmax(0)[kept].sum())
    return solutions.nucleus(ln_p, temperature, reached + 1e-3)


def _from_below(ln_p: Tensor, temperature: float, p: float) -> Tensor:
    """A nucleus of the unlikeliest words."""
    whole = (ln_p / temperature).softmax(0)
    before = (whole * (whole < whole[:, None])).sum(1)  # what the words below each have together
    return whole * (before < p) / (whole * (before < p)).sum()


def _cut(of: Tensor, p: float, weights: Tensor) -> Tensor:
    """Return weights, normalized, of the likeliest words that together have p of `of`."""
    ordered, words = of.sort(descending=True)
    keep = torch.zeros_like(of).scatter(0, words, (ordered.cumsum(0) - ordered < p).to(of.dtype))
    return weights * keep / (weights * keep).sum()


NUCLEUS = Task(
    _nucleus_cases,
    solutions.nucleus,
    {
        "a nucleus without the word that reaches p": _not_reaching,
        "a nucleus whose probabilities do not add up to 1 again": _unscaled,
        "a nucleus with one word too many": _one_more,
        "a nucleus of the unlikeliest words: sort from the likeliest down": _from_below,
        "a nucleus of the softmax of p, not of ln p": lambda a, t, p: solutions.nucleus(
            a.exp(), t, p
        ),
        "a nucleus that is cut before the temperature changes the probabilities": lambda a, t, p: (
            _cut(a.exp(), p, (a / t).exp())
        ),
        "a nucleus of numbers that do not add up to 1 before it is cut: softmax": lambda a, t, p: (
            _cut((a / t).exp(), p, (a / t).exp())
        ),
        "a nucleus without temperature": lambda a, t, p: solutions.nucleus(a, 1.0, p),
        "a nucleus that multiplies by the temperature": lambda a, t, p: solutions.nucleus(
            a, 1 / t, p
        ),
        "all words: none is forgotten": lambda a, t, p: (a / t).softmax(0),
        "the probabilities in order, not at the places of their words": lambda a, t, p: (
            solutions.nucleus(a, t, p).sort(descending=True).values
        ),
    },
)

# ── Session 2 ───────────────────────────────────────────────────────────────────────────────────


def _gate_cases(draw: Generator) -> list[Case]:
    return [
        Case(f"an LSTM with E = {e}, H = {h}, open_gate(layer, {amount:g})",
             (_weights(draw, 4, e, h), amount))
        for e, h, amount in ((3, 4, 3.0), (2, 5, 1.0))
    ]  # fmt: skip


def _opens(*blocks: int, times: float = 1, both: bool = False) -> Function:
    """Return what opens other gates, or by another amount."""

    def changed(layer: nn.LSTM, amount: float) -> None:
        with torch.no_grad():
            for bias in (layer.bias_ih_l0, layer.bias_hh_l0)[: 1 + both]:
                for block in blocks:
                    bias.chunk(4)[block].add_(times * amount)

    return changed


def _sets(layer: nn.LSTM, amount: float) -> None:
    with torch.no_grad():
        layer.bias_ih_l0.chunk(4)[1].fill_(amount)


OPEN_GATE = Task(
    _gate_cases,
    solutions.open_gate,
    {
        "an amount added to the input gates, i": _opens(0),
        "an amount added to the proposals, g": _opens(2),
        "an amount added to the output gates, o": _opens(3),
        "an amount added to all four blocks": _opens(0, 1, 2, 3),
        "an amount added twice: to both biases": _opens(1, both=True),
        "a bias that is set to the amount: it must be added": _sets,
        "an amount subtracted": _opens(1, times=-1),
        "no change: is it done in place, and is H layer.hidden_size?": _opens(),
    },
    harness.play_gate,
    parts=("the sum of both biases afterwards", "the new weight_ih_l0", "the new weight_hh_l0"),
)


def _gradient_cases(draw: Generator) -> list[Case]:
    cases = []
    for cell, blocks, steps in (("RNN", 1, 6), ("GRU", 3, 4)):
        x = torch.randn(steps, 2, 3, generator=draw)
        h = torch.randn(2, 4, generator=draw)
        said = f"{steps} steps of a {'plain RNN' if cell == 'RNN' else cell}, 2 reviews, H = 4"
        cases.append(Case(said, (cell, x, h, _weights(draw, blocks, 3, 4))))
    return cases


def _all_states(cell: Function, x: Tensor, h: Tensor, weights: Any) -> list[Tensor]:
    """Return the state before the first step and after each, each (B, H)."""
    first = h.clone().requires_grad_()
    return [first, *_noted(cell, x, first, weights)]


def _to_inputs(cell: Function, x: Tensor, h: Tensor, weights: Any) -> Tensor:
    """Return the lengths of the gradients with respect to the words."""
    words = x.clone().requires_grad_()
    last = _all_states(cell, words, h, weights)[-1]
    return torch.autograd.grad(last.sum(), words)[0].norm(dim=(1, 2))


def _by_step(change: Callable[[list[Tensor]], Any]) -> Function:
    """Return lengths of gradients by step; change: states -> of what, with respect to what."""

    def changed(*arguments: Any) -> Tensor:
        of, states = change(_all_states(*arguments))
        return torch.stack([g.norm() for g in torch.autograd.grad(of, states)])

    return changed


def _of_copies(cell: Function, x: Tensor, h: Tensor, weights: Any) -> Tensor:
    """Return the lengths for a stacked copy of the states, on which no later state hangs."""
    lengths = torch.zeros(len(x))
    lengths[-1] = math.sqrt(h.numel())
    return lengths


def _of_each_review(*arguments: Any) -> Tensor:
    """Return the lengths of each review's gradients (T, B)."""
    states = _all_states(*arguments)
    return torch.stack(torch.autograd.grad(states[-1].sum(), states[1:])).norm(dim=2)


GRADIENT_BY_STEP = Task(
    _gradient_cases,
    solutions.gradient_by_step,
    {
        "the lengths from the last step to the first": lambda *a: solutions.gradient_by_step(
            *a
        ).flip(0),
        "0 but for the last step: a stacked copy, on which no later state hangs; keep the states "
        "of the loop": _of_copies,
        "the lengths for the sum of all states, not of the last": _by_step(
            lambda states: (sum(s.sum() for s in states[1:]), states[1:])
        ),
        "the lengths for the state before each step": _by_step(
            lambda states: (states[-1].sum(), states[:-1])
        ),
        "a length for each review: one number a step is wanted, of all B x H": _of_each_review,
        "the lengths of the gradients by the words, not by the states": _to_inputs,
        "the lengths for the last state's mean, not its sum": lambda cell, x, h, w: (
            solutions.gradient_by_step(cell, x, h, w) / h.numel()
        ),
        "the squares of the lengths": lambda *a: solutions.gradient_by_step(*a) ** 2,
        "the lengths without the last step": lambda *a: solutions.gradient_by_step(*a)[:-1],
        "the lengths of the states, not of their gradients": lambda *a: solutions.unroll(*a).norm(
            dim=(1, 2)
        ),
    },
    harness.play_gradient,
)


def _mcnemar_cases(draw: Generator) -> list[Case]:
    first, second = (torch.rand(60, generator=draw) < share for share in (0.8, 0.6))
    return [
        Case("60 reviews, two networks that differ", (first.numpy(), second.numpy())),
        Case("the same two, the other way round", (second.numpy(), first.numpy())),
        Case("a network and itself", (first.numpy(), first.numpy())),
        Case("400 reviews, of which the two differ on 320", _of_400()),
    ]


def _of_400() -> tuple[Any, Any]:
    """Return two networks: one alone is right on 180 reviews, the other alone on 140."""
    kinds = torch.tensor([180, 140, 50, 30])
    firsts, seconds = torch.tensor([[1, 0, 1, 0], [0, 1, 1, 0]]).bool()
    return firsts.repeat_interleave(kinds).numpy(), seconds.repeat_interleave(kinds).numpy()


def _overflowing(first: Any, second: Any) -> float:
    """A p-value whose 2**n is no more than 64 bits can hold."""
    return solutions.mcnemar(first, second) if (first != second).sum() < 63 else 1.0


def _one_sided(first: Any, second: Any) -> float:
    p = solutions.mcnemar(first, second)
    return p / 2 if p < 1 else p


_below = stats.binom.cdf  # (k, n, 1/2): how probable k or fewer of n are


def _tail(count: Callable[[int, int, int], float]) -> Function:
    """Return a p-value from how many only the first has right, only the second, and all reviews."""

    def changed(first: Any, second: Any) -> float:
        only_first, only_second = (first & ~second).sum(), (second & ~first).sum()
        return count(int(only_first), int(only_second), len(first))

    return changed


MCNEMAR = Task(
    _mcnemar_cases,
    solutions.mcnemar,
    {
        "the one-sided p: both directions count": _one_sided,
        "a p that can be above 1": _tail(lambda a, b, _: 2 * _below(min(a, b), a + b, 0.5)),
        "the p of fewer than k: k itself belongs to the sum": _tail(
            lambda a, b, _: min(1.0, 2 * _below(min(a, b) - 1, a + b, 0.5))
        ),
        "the mid-p, which counts k by half": _tail(
            lambda a, b, _: _below(min(a, b), a + b, 0.5) + _below(min(a, b) - 1, a + b, 0.5)
        ),
        "the p of all reviews: only those count on which the two differ": _tail(
            lambda a, b, reviews: min(1.0, 2 * _below(min(a, b), reviews, 0.5))
        ),
        "a p whose k is always the first network's: k is the smaller of two numbers": _tail(
            lambda a, b, _: min(1.0, 2 * _below(a, a + b, 0.5))
        ),
        "1 where many reviews differ: n is an integer of NumPy, and two to its power overflows; "
        "write int(n)": _overflowing,
        "1, whatever comes in: is k the smaller of two numbers, and the sum divided by 2**n?": (
            lambda first, second: 1.0
        ),
        "1 - p": lambda first, second: 1 - solutions.mcnemar(first, second),
    },
)


def _belief_cases(draw: Generator) -> list[Case]:
    cases = []
    for words in (5, 1):
        text = torch.randint(0, 6, (words,), generator=draw)
        vectors, out = torch.randn(6, 3, generator=draw), torch.randn(4, generator=draw)
        bias = torch.randn(1, generator=draw)
        said = f"a review of {words} word{'s' * (words > 1)}"
        cases.append(Case(said, (vectors, _weights(draw, 3, 3, 4), out, bias, text)))
    return cases


BELIEFS = Task(
    _belief_cases,
    solutions.beliefs,
    {
        "the logits: their sigma is wanted": lambda *a: solutions.beliefs(*a).logit(),
        "the last belief alone": lambda *a: solutions.beliefs(*a)[-1],
        "the last belief alone: one after each word is wanted": lambda *a: solutions.beliefs(*a)[
            -1:
        ],
        "the first belief alone: is the review one column, words[:, None]?": lambda *a: (
            solutions.beliefs(*a)[:1]
        ),
        "the beliefs in bad, 1 - p": lambda *a: 1 - solutions.beliefs(*a),
        "the beliefs as a column (T, 1)": lambda *a: solutions.beliefs(*a)[:, None],
        "beliefs of single words, without those before": lambda model, words: torch.cat(
            [solutions.beliefs(model, word[None]) for word in words]
        ),
    },
    harness.play_beliefs,
)

# ── Electives ───────────────────────────────────────────────────────────────────────────────────


def _by_hand_cases(draw: Generator) -> list[Case]:
    cases = []
    for steps, reviews in ((5, 3), (3, 2)):
        h, e = (torch.rand(steps, reviews, 4, generator=draw) * 2 - 1 for _ in range(2))
        w_hh = torch.randn(4, 4, generator=draw)
        cases.append(Case(f"{steps} steps, {reviews} reviews, H = 4", (h, w_hh, e)))
    return cases


def _by_hand(change: Callable[..., Any]) -> Function:
    """Return a sum over steps; change: h, dL/dh -> what of each step meets which state."""

    def changed(h: Tensor, w_hh: Tensor, e: Tensor) -> Tensor:
        deltas, states = change(h, harness.backward_states(h, w_hh, e))
        return torch.einsum("tbi,tbj->ij", deltas, states)

    return changed


WEIGHT_GRADIENT = Task(
    _by_hand_cases,
    solutions.weight_gradient,
    {
        "the gradient without what comes back from later steps": lambda h, w, e: (
            solutions.weight_gradient(h, 0 * w, e)
        ),
        "a gradient with dL/dh_t in the place of delta_t: the slope 1 - h_t^2 is missing": _by_hand(
            lambda h, dh: (dh[1:], h[:-1])
        ),
        "a gradient whose delta_t meets h_t, not the state before": _by_hand(
            lambda h, dh: ((1 - h**2) * dh, h)
        ),
        "a gradient whose delta_t meets the state after: shifted the wrong way": _by_hand(
            lambda h, dh: (((1 - h**2) * dh)[:-1], h[1:])
        ),
        "the gradient transposed: rows are of delta_t, columns of the state before": (
            lambda h, w, e: solutions.weight_gradient(h, w, e).T
        ),
        "the gradient with W_hh transposed on the way back": lambda h, w, e: (
            solutions.weight_gradient(h, w.T, e)
        ),
        "the mean over the reviews: the sum is wanted": lambda h, w, e: (
            solutions.weight_gradient(h, w, e) / h.shape[1]
        ),
    },
    harness.play_by_hand,
)


def _uncorrected(gradients: list[float]) -> Tensor:
    """Updates of Adam whose m and v stay as small as they start."""
    steps = torch.arange(1, len(gradients) + 1, dtype=torch.float64)
    small = (1 - 0.9**steps) / (1 - 0.999**steps).sqrt()
    return torch.as_tensor(solutions.adam_updates(gradients)) * small


ADAM = Task(
    lambda draw: [
        Case("five gradients of 2", ([2.0] * 5,)),
        Case("gradients 1, 1, 100, 1, 1", ([1.0, 1.0, 100.0, 1.0, 1.0],)),
        Case("gradients of both signs", ([0.5, -2.0, 0.1, -0.1],)),
    ],
    solutions.adam_updates,
    {
        "updates without a correction of m and v for their start at zero": _uncorrected,
        "the change of the weight in learning rates; wanted is its opposite": lambda g: (
            -solutions.adam_updates(g)
        ),
        "the change of the weight; wanted is -(change) / (learning rate)": lambda g: (
            -0.001 * solutions.adam_updates(g)
        ),
        "a way in the weight's own unit: it is wanted in learning rates": lambda g: (
            0.001 * solutions.adam_updates(g)
        ),
        "the sign of the gradient: m and v do not remember": lambda g: torch.tensor(g).sign(),
    },
)


def _surprise_cases(draw: Generator) -> list[Case]:
    cases = []
    for words, before in ((4, 3), (1, 1)):
        text, read = (torch.randint(0, 6, (n,), generator=draw).tolist() for n in (words, before))
        vectors = torch.randn(6, 3, generator=draw)
        said = f"words {text}, read after {read}"
        cases.append(Case(said, (_weights(draw, 3, 3, 3), vectors, text, read)))
    return cases


def _asks_late(model: Any, words: list[int], before: list[int]) -> list[float]:
    """The surprise of each word once it has been read."""
    _, state = model.next_word(torch.tensor(before)[:, None])
    nats = []
    for word in words:
        ln_p, state = model.next_word(torch.tensor([[word]]), state)
        nats.append(-ln_p[word].item())
    return nats


def _forgets(model: Any, words: list[int], before: list[int]) -> list[float]:
    """The surprise of each word after the one before it alone."""
    texts = [before, *([word] for word in words[:-1])]
    pairs = zip(words, texts, strict=True)
    return [-model.next_word(torch.tensor(text)[:, None])[0][word].item() for word, text in pairs]


SURPRISE_OF = Task(
    _surprise_cases,
    solutions.surprise_of,
    {
        "the perplexity of each word: ln p with its sign turned is wanted": lambda *a: (
            torch.as_tensor(solutions.surprise_of(*a)).exp()
        ),
        "ln p: a sign is missing": lambda *a: -solutions.surprise_of(*a),
        "the surprise of a word that has just been read: ask before it is fed": _asks_late,
        "the surprise of a reader that forgets: hand the state on": _forgets,
        "the surprise of words that are not fed back": lambda model, words, before: torch.cat(
            [torch.as_tensor(solutions.surprise_of(model, [word], before)) for word in words]
        ),
        "the mean over the words: one number a word is wanted": lambda *a: solutions.surprise_of(
            *a
        ).mean(),
    },
    harness.play_surprise,
)

TASKS = {
    "average-vectors": AVERAGE,
    "rnn-cell": RNN_CELL,
    "unroll": UNROLL,
    "lstm-cell": LSTM_CELL,
    "gru-cell": GRU_CELL,
    "count-weights": COUNT_WEIGHTS,
    "last-state": LAST_STATE,
    "binary-loss": BINARY_LOSS,
    "training-step": TRAINING_STEP,
    "mean-over-reviews": MEAN_OVER_REVIEWS,
    "perplexity": PERPLEXITY,
    "piece-loss": PIECE_LOSS,
    "nucleus": NUCLEUS,
    "open-gate": OPEN_GATE,
    "gradient-by-step": GRADIENT_BY_STEP,
    "mcnemar": MCNEMAR,
    "beliefs": BELIEFS,
    "weight-gradient": WEIGHT_GRADIENT,
    "adam": ADAM,
    "surprise-of": SURPRISE_OF,
}
