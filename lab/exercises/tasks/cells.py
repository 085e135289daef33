"""The three cells. Mistakes are PyTorch's cells with other arguments: no equation stands here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lab.exercises.harness import CELLS, Function
from lab.exercises.tasks.task import BLOCKS, Example, Task, random_weights

SIZES = ((4, 5, 8), (1, 3, 2), (6, 7, 7))  # reviews B, length E of a word vector, units H
WEIGHTS = ("w_ih", "w_hh", "b_ih", "b_hh")
RECURRENT = dict.fromkeys(
    ("rnn_tanh_cell", "rnn_relu_cell", "lstm_cell", "gru_cell", "rnn_tanh", "lstm", "gru"),
    "write the equations",
)


def _cell_inputs(cell: str) -> Callable[[Generator], list[Example]]:
    def make_inputs(generator: Generator) -> list[Example]:
        examples = []
        for reviews, inputs, units in SIZES:
            x = torch.randn(reviews, inputs, generator=generator)
            h, c = (torch.randn(reviews, units, generator=generator) for _ in range(2))
            state = (h, c) if cell == "LSTM" else h
            label = f"{reviews} review{'s' * (reviews > 1)}, E = {inputs}, H = {units}"
            weights = random_weights(generator, cell, inputs, units)
            examples.append(Example(label, (x, state, *weights)))
        return examples

    return make_inputs


def _same(value: Any) -> Any:
    return value


def _none(value: Any) -> Any:
    return 0 * value


def _with(cell: str, state: Callable[[Any], Any] = _same, **changes: Any) -> Function:
    """Return a cell whose arguments are changed; changes: name of a weight -> what changes it."""

    def changed(x: Tensor, old: Any, *weights: Tensor) -> Any:
        new = [changes.get(n, _same)(w) for n, w in zip(WEIGHTS, weights, strict=True)]
        return CELLS[cell](x, state(old), *new)

    return changed


def _with_blocks(cell: str, change: Callable[..., tuple[Tensor, ...]]) -> Function:
    """Return a cell whose weights have other blocks; of sigma(a), -a makes 1 - sigma(a)."""

    def changed(weight: Tensor) -> Tensor:
        return torch.cat(change(*weight.chunk(BLOCKS[cell])))

    return _with(cell, **dict.fromkeys(WEIGHTS, changed))


def _saturated(cell: str, block: int) -> Function:
    """Return a cell one of whose blocks always adds up to about 99: sigma and tanh of it are 1."""

    def changed(x: Tensor, state: Any, *weights: Tensor) -> Any:
        new = [weight.clone() for weight in weights]
        for weight, value in zip(new, (0.0, 0.0, 99.0, 0.0), strict=True):
            weight.chunk(BLOCKS[cell])[block].fill_(value)
        return CELLS[cell](x, state, *new)

    return changed


def _sigma_for_tanh(cell: str) -> Function:
    """Return a cell with sigma where its third block has tanh, as the mean of two calls.

    sigma(a) = (tanh(a / 2) + 1) / 2
    """
    halved = _with_blocks(cell, lambda a, b, third, *rest: (a, b, third / 2, *rest))
    saturated = _saturated(cell, 2)

    def changed(*arguments: Any) -> Any:
        if cell != "LSTM":
            return (halved(*arguments) + saturated(*arguments)) / 2
        return _with_c(arguments, (halved(*arguments)[1] + saturated(*arguments)[1]) / 2)

    return changed


def _terms_left_out(cell: str) -> dict[str, Function]:
    """Return what any cell can lack: a bias, the word, the state."""
    return {
        "the cell without its second bias, b_hh": _with(cell, b_hh=_none),
        "the cell without its first bias, b_ih": _with(cell, b_ih=_none),
        "the cell without its biases": _with(cell, b_ih=_none, b_hh=_none),
        "the cell with b_ih twice, and without b_hh": lambda *a: CELLS[cell](*a[:-1], a[-2]),
        "the cell without the word, W_ih x": _with(cell, w_ih=_none),
        "the cell without the old state, W_hh h": _with(cell, w_hh=_none),
    }


def _plain(squash: Callable[[Tensor], Tensor]) -> Function:
    """Return a plain RNN with another function than tanh."""
    return lambda x, h, w_ih, w_hh, b_ih, b_hh: squash(F.linear(x, w_ih, b_ih + b_hh) + h @ w_hh.T)


RNN_CELL = Task(
    _cell_inputs("RNN"),
    CELLS["RNN"],
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
    return lambda *arguments: change(*CELLS["LSTM"](*arguments))


def _with_c(arguments: Any, c: Tensor) -> tuple[Tensor, Tensor]:
    """Return the h and c of an LSTM that has come to another c."""
    h, right = CELLS["LSTM"](*arguments)
    return h / right.tanh() * c.tanh(), c


def _unsquashed(x: Tensor, state: Any, *weights: Tensor) -> Any:
    """An LSTM whose f is used without sigma."""
    w_ih, w_hh, b_ih, b_hh = (w.chunk(4)[1] for w in weights)
    f = F.linear(x, w_ih, b_ih) + F.linear(state[0], w_hh, b_hh)
    _, c = CELLS["LSTM"](x, state, *weights)
    return _with_c((x, state, *weights), c + (f - f.sigmoid()) * state[1])


def _shows_the_old(x: Tensor, state: Any, *weights: Tensor) -> Any:
    """An LSTM whose h looks at the c of the step before."""
    h, c = CELLS["LSTM"](x, state, *weights)
    return h / c.tanh() * state[1].tanh(), c


LSTM_CELL = Task(
    _cell_inputs("LSTM"),
    CELLS["LSTM"],
    _terms_left_out("LSTM")
    | {
        "the cell with the gates f and i exchanged":
            _with_blocks("LSTM", lambda i, f, g, o: (f, i, g, o)),
        "the cell with g and o exchanged": _with_blocks("LSTM", lambda i, f, g, o: (i, f, o, g)),
        "the cell with its blocks in the order f, i, o, g":
            _with_blocks("LSTM", lambda i, f, g, o: (f, i, o, g)),
        "the cell with 1 - f in the place of f":
            _with_blocks("LSTM", lambda i, f, g, o: (i, -f, g, o)),
        "the cell without sigma around f": _unsquashed,
        "the cell without its old cell state": _with("LSTM", state=lambda s: (s[0], 0 * s[1])),
        "the cell with h = o * c, without tanh": _lstm_result(lambda h, c: (h / c.tanh() * c, c)),
        "the cell with tanh(c) as its new c": _lstm_result(lambda h, c: (h, c.tanh())),
        "the cell with h from the old c: h needs the new one": _shows_the_old,
        "the cell with sigma instead of tanh for g": _sigma_for_tanh("LSTM"),
        "the cell with h and c exchanged at the start: the state is (h, c)":
            _with("LSTM", state=lambda s: (s[1], s[0])),
        "the cell with h and c exchanged at the end": _lstm_result(lambda h, c: (c, h)),
        "h alone: an LSTM returns the pair (h, c)": _lstm_result(lambda h, c: h),
    },
    forbidden=RECURRENT,
    parts=("the new h", "the new c"),
)  # fmt: skip


def _gates(x: Tensor, h: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gates r and z of a GRU."""
    w_ih, w_hh, b_ih, b_hh = (w[: 2 * h.shape[1]] for w in weights)
    return (F.linear(x, w_ih, b_ih) + F.linear(h, w_hh, b_hh)).sigmoid().chunk(2, dim=1)


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
    return CELLS["GRU"](x, h, w_ih, w_hh, b_ih, b_hh)


def _old_state_forgotten(x: Tensor, h: Tensor, *weights: Tensor) -> Tensor:
    return CELLS["GRU"](x, h, *weights) - _gates(x, h, *weights)[1] * h


GRU_CELL = Task(
    _cell_inputs("GRU"),
    CELLS["GRU"],
    _terms_left_out("GRU")
    | {
        "the cell with z and 1 - z exchanged": _with_blocks("GRU", lambda r, z, n: (r, -z, n)),
        "the cell with the gates r and z exchanged": _with_blocks("GRU", lambda r, z, n: (z, r, n)),
        "the cell with r applied before the matrix: W_hn (r * h)": _reset_before,
        "the cell with r around the word's part too: r * (W_in x + W_hn h)": _reset_all,
        "the cell with b_hn outside of r: r meets W_hn h + b_hn": _bias_outside,
        "the cell without its reset gate": _saturated("GRU", 0),
        "the cell without z * h at its end": _old_state_forgotten,
        "the cell with sigma instead of tanh for n": _sigma_for_tanh("GRU"),
    },
    forbidden=RECURRENT,
)  # fmt: skip
