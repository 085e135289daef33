"""The three cells. Mistakes are PyTorch's cells with other arguments, where these are enough."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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


def _cell_inputs(cell: str, generator: Generator) -> list[Example]:
    examples = []
    for reviews, inputs, units in SIZES:
        x = torch.randn(reviews, inputs, generator=generator)
        h, c = (torch.randn(reviews, units, generator=generator) for _ in range(2))
        state = (h, c) if cell == "LSTM" else h
        label = f"{reviews} review{'s' * (reviews > 1)}, E = {inputs}, H = {units}"
        weights = random_weights(generator, cell, inputs, units)
        examples.append(Example(label, (x, state, *weights)))
    return examples


def _same(value: Any) -> Any:
    return value


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


def _terms_left_out(cell: str) -> dict[str, Function]:
    """Return what any cell can lack: a bias, the word, the state."""
    return {
        "the cell without its second bias, b_hh": _with(cell, b_hh=torch.zeros_like),
        "the cell without its biases":
            _with(cell, b_ih=torch.zeros_like, b_hh=torch.zeros_like),
        "the cell with b_ih twice, and without b_hh": lambda *a: CELLS[cell](*a[:-1], a[-2]),
        "the cell without the old state, W_hh h": _with(cell, w_hh=torch.zeros_like),
    }  # fmt: skip


def _plain(squash: Callable[[Tensor], Tensor]) -> Function:
    """Return a plain RNN with another function than tanh."""
    return lambda x, h, w_ih, w_hh, b_ih, b_hh: squash(F.linear(x, w_ih, b_ih + b_hh) + h @ w_hh.T)


RNN_CELL = Task(
    partial(_cell_inputs, "RNN"),
    CELLS["RNN"],
    _terms_left_out("RNN")
    | {
        "the cell without tanh": _plain(_same),
        "the cell with sigma instead of tanh": _plain(torch.sigmoid),
        "the cell with h @ w_hh, where w_hh must be transposed": _with("RNN", w_hh=lambda w: w.T),
    },
    forbidden=RECURRENT,
)


def _lstm_result(change: Callable[[Tensor, Tensor], Any]) -> Function:
    """Return an LSTM whose new h and c are changed before they are returned."""
    return lambda *arguments: change(*CELLS["LSTM"](*arguments))


def _shows_the_old(x: Tensor, state: Any, *weights: Tensor) -> Any:
    """An LSTM whose h looks at the c of the step before."""
    h, c = CELLS["LSTM"](x, state, *weights)
    return h / c.tanh() * state[1].tanh(), c


LSTM_CELL = Task(
    partial(_cell_inputs, "LSTM"),
    CELLS["LSTM"],
    _terms_left_out("LSTM")
    | {
        "the cell with the gates f and i exchanged":
            _with_blocks("LSTM", lambda i, f, g, o: (f, i, g, o)),
        "the cell with g and o exchanged": _with_blocks("LSTM", lambda i, f, g, o: (i, f, o, g)),
        "the cell with h = o * c, without tanh": _lstm_result(lambda h, c: (h / c.tanh() * c, c)),
        "the cell with tanh(c) as its new c": _lstm_result(lambda h, c: (h, c.tanh())),
        "the cell with h from the old c: h needs the new one": _shows_the_old,
        "the cell with h and c exchanged at the start: the state is (h, c)":
            _with("LSTM", state=lambda s: (s[1], s[0])),
        "the cell with h and c exchanged at the end": _lstm_result(lambda h, c: (c, h)),
        "h alone: an LSTM returns the pair (h, c)": _lstm_result(lambda h, c: h),
    },
    forbidden=RECURRENT,
    parts=("the new h", "the new c"),
)  # fmt: skip


def _gru(change: Function, x: Tensor, h: Tensor, *weights: Tensor) -> Tensor:
    """A GRU with another sum in its proposal n.

    change: of r, W_in x + b_in, the function W_hn (...) + b_hn, and h
    """
    w_ih, w_hh, b_ih, b_hh = (w.split(2 * h.shape[1]) for w in weights)
    gates = F.linear(x, w_ih[0], b_ih[0]) + F.linear(h, w_hh[0], b_hh[0])
    r, z = gates.sigmoid().chunk(2, dim=1)
    word, of = F.linear(x, w_ih[1], b_ih[1]), partial(F.linear, weight=w_hh[1], bias=b_hh[1])
    return torch.lerp(change(r, word, of, h).tanh(), h, z)


GRU_CELL = Task(
    partial(_cell_inputs, "GRU"),
    CELLS["GRU"],
    _terms_left_out("GRU")
    | {
        "the cell with z and 1 - z exchanged": _with_blocks("GRU", lambda r, z, n: (r, -z, n)),
        "the cell with the gates r and z exchanged": _with_blocks("GRU", lambda r, z, n: (z, r, n)),
        "the cell with r applied before the matrix: W_hn (r * h)":
            partial(_gru, lambda r, word, of, h: word + of(r * h)),
        "the cell with r around the word's part too: r * (W_in x + W_hn h)":
            partial(_gru, lambda r, word, of, h: r * (word + of(h))),
        "the cell with b_hn outside of r: r meets W_hn h + b_hn":
            partial(_gru, lambda r, word, of, h: word + r * (of(h) - of(0 * h)) + of(0 * h)),
        "the cell without its reset gate": partial(_gru, lambda r, word, of, h: word + of(h)),
    },
    forbidden=RECURRENT,
)  # fmt: skip
