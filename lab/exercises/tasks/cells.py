"""The three cells. Mistakes are PyTorch's cells with other arguments, where these are enough."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lab.base.messages import _
from lab.exercises import harness
from lab.exercises.harness import CELLS, Function
from lab.exercises.tasks.task import BLOCKS, Example, Task, random_weights

SIZES = ((4, 5, 8), (1, 3, 2), (6, 7, 7))  # reviews B, length E of a word vector, units H
NEAR = 0.5  # the share of an LSTM or a GRU in which one of many parts is wrong: no example is right
WEIGHTS = ("w_ih", "w_hh", "b_ih", "b_hh")


def _cell_inputs(cell: str, generator: Generator) -> list[Example]:
    examples = []
    for reviews, inputs, units in SIZES:
        x = torch.randn(reviews, inputs, generator=generator)
        h, c = (torch.randn(reviews, units, generator=generator) for _ in range(2))
        state = (h, c) if cell == "LSTM" else h
        label = _("1 review, E = {e}, H = {h}", e=inputs, h=units)
        if reviews > 1:
            label = _("{reviews} reviews, E = {e}, H = {h}", reviews=reviews, e=inputs, h=units)
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


def _in_other_orders(cell: str, right: str, *but: str) -> dict[str, Function]:
    """Return cells whose blocks are taken apart in the wrong order; but: not in these."""
    return {
        _("the cell with its gates in the order {order}: it is {right}",
          order=order, right=tuple(right)):
            _with_blocks(cell, lambda *b, order=order: tuple(b[order.index(n)] for n in right))
        for order in itertools.permutations(right) if "".join(order) not in (right, *but)
    }  # fmt: skip


def _task(
    cell: str, mistakes: dict[str, Function], parts: tuple[str, ...] = (), near: float = 0.0
) -> Task:
    """Return the task of a cell; near: the share of the points where one mistake is left."""
    known = _terms_left_out(cell) | mistakes
    return Task(
        partial(_cell_inputs, cell),
        CELLS[cell],
        known,
        harness.learn,
        parts=parts,
        learns=("x", "state" if cell == "LSTM" else "h", *WEIGHTS),
        forbidden=r"(?i)rnn|lstm|gru",
        instead=_("write the equations instead."),
        near=dict.fromkeys(known if near else (), near),
    )


def _terms_left_out(cell: str) -> dict[str, Function]:
    """Return what any cell can lack: a bias, the word, the state."""
    return {
        _("the cell without its second bias, b_hh"): _with(cell, b_hh=torch.zeros_like),
        _("the cell without its biases"):
            _with(cell, b_ih=torch.zeros_like, b_hh=torch.zeros_like),
        _("the cell with b_ih twice, and without b_hh"): lambda *a: CELLS[cell](*a[:-1], a[-2]),
        _("the cell without the old state, W_hh h"): _with(cell, w_hh=torch.zeros_like),
    }  # fmt: skip


def _plain(squash: Callable[[Tensor], Tensor]) -> Function:
    """Return a plain RNN with another function than tanh."""
    return lambda x, h, w_ih, w_hh, b_ih, b_hh: squash(F.linear(x, w_ih, b_ih + b_hh) + h @ w_hh.T)


def _squashed_apart(x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, *biases: Tensor) -> Tensor:
    return F.linear(x, w_ih, biases[0]).tanh() + F.linear(h, w_hh, biases[1]).tanh()


RNN_CELL = _task(
    "RNN",
    {
        _("the cell without tanh"): _plain(_same),
        _("the cell with relu instead of tanh"): _plain(torch.relu),
        _("the cell with sigma instead of tanh"): _plain(torch.sigmoid),
        _("the cell with h @ w_hh, where w_hh must be transposed"):
            _with("RNN", w_hh=lambda w: w.T),
        _("a sum of two tanh: it takes one tanh, around the whole sum"): _squashed_apart,
        _("the cell with tanh around the word's part alone"):
            lambda x, h, w_ih, w_hh, b_ih, b_hh:
                F.linear(x, w_ih, b_ih).tanh() + F.linear(h, w_hh, b_hh),
        _("the cell with its biases outside of tanh"):
            lambda x, h, w_ih, w_hh, *b: (x @ w_ih.T + h @ w_hh.T).tanh() + sum(b),
    },
)  # fmt: skip


def _lstm_result(change: Callable[[Tensor, Tensor], Any]) -> Function:
    """Return an LSTM whose new h and c are changed before they are returned."""
    return lambda *arguments: change(*CELLS["LSTM"](*arguments))


def _shows_the_old(x: Tensor, state: Any, *weights: Tensor) -> Any:
    """An LSTM whose h looks at the c of the step before."""
    h, c = CELLS["LSTM"](x, state, *weights)
    return h / c.tanh() * state[1].tanh(), c


def _lstm(x: Tensor, state: Any, *weights: Tensor, **around: Function) -> Any:
    """An LSTM with other functions around some of its blocks."""
    h, c = state
    w_ih, w_hh, b_ih, b_hh = weights
    blocks = (F.linear(x, w_ih, b_ih) + F.linear(h, w_hh, b_hh)).chunk(4, dim=1)
    squash = dict.fromkeys("ifo", torch.sigmoid) | {"g": torch.tanh} | around
    i, f, g, o = (squash[name](block) for name, block in zip("ifgo", blocks, strict=True))
    c = f * c + i * g
    return o * c.tanh(), c


LSTM_CELL = _task(
    "LSTM",
    {
        _("the cell with the gates f and i exchanged"):
            _with_blocks("LSTM", lambda i, f, g, o: (f, i, g, o)),
        _("the cell with g and o exchanged"):
            _with_blocks("LSTM", lambda i, f, g, o: (i, f, o, g)),
        **_in_other_orders("LSTM", "ifgo", "figo", "ifog"),
        _("the cell with sigma around everything: g is squashed by tanh"):
            partial(_lstm, g=torch.sigmoid),
        _("the cell without tanh around g"): partial(_lstm, g=_same),
        _("the cell without sigma around i"): partial(_lstm, i=_same),
        _("the cell without sigma around f"): partial(_lstm, f=_same),
        _("the cell without sigma around o"): partial(_lstm, o=_same),
        _("the cell without sigma: the three gates need it"):
            partial(_lstm, i=_same, f=_same, o=_same),
        _("the cell with tanh around its gates: these are sigma"):
            partial(_lstm, i=torch.tanh, f=torch.tanh, o=torch.tanh),
        _("the cell with f * h: what f keeps is c"): _with("LSTM", state=lambda s: (s[0], s[0])),
        _("the cell whose gates look at c: it is h"): _with("LSTM", state=lambda s: (s[1], s[1])),
        _("the cell with sigma and tanh around g: tanh alone"):
            partial(_lstm, g=lambda a: a.sigmoid().tanh()),
        _("the cell without what it remembers, f * c"): partial(_lstm, f=torch.zeros_like),
        _("the cell without what it writes, i * g"): partial(_lstm, g=torch.zeros_like),
        _("the cell without its output gate"): partial(_lstm, o=torch.ones_like),
        _("the cell with h = o * c, without tanh"):
            _lstm_result(lambda h, c: (h / c.tanh() * c, c)),
        _("the cell with tanh(c) as its new c"): _lstm_result(lambda h, c: (h, c.tanh())),
        _("the cell with h from the old c: h needs the new one"): _shows_the_old,
        _("the cell with h and c exchanged at the start: the state is (h, c)"):
            _with("LSTM", state=lambda s: (s[1], s[0])),
        _("the cell with h and c exchanged at the end"): _lstm_result(lambda h, c: (c, h)),
        _("h alone: an LSTM returns the pair (h, c)"): _lstm_result(lambda h, c: h),
    },
    parts=(_("the new h"), _("the new c")),
    near=NEAR,
)  # fmt: skip


def _usual(r: Tensor, z: Tensor, word: Tensor, of: Function, h: Tensor) -> Tensor:
    return word + r * of(h)


def _gru(
    x: Tensor,
    h: Tensor,
    *weights: Tensor,
    proposal: Function = _usual,
    kept: float = 1.0,
    **around: Function,
) -> Tensor:
    """A GRU with another sum in its proposal n, or with other functions around r, z, n.

    proposal: of r, z, W_in x + b_in, the function W_hn (...) + b_hn, and h; kept: a factor of z * h
    """
    w_ih, w_hh, b_ih, b_hh = (w.split(2 * h.shape[1]) for w in weights)
    squash = {"r": torch.sigmoid, "z": torch.sigmoid, "n": torch.tanh} | around
    gates = F.linear(x, w_ih[0], b_ih[0]) + F.linear(h, w_hh[0], b_hh[0])
    r, z = (squash[name](gate) for name, gate in zip("rz", gates.chunk(2, dim=1), strict=True))
    word, of = F.linear(x, w_ih[1], b_ih[1]), partial(F.linear, weight=w_hh[1], bias=b_hh[1])
    return torch.lerp(squash["n"](proposal(r, z, word, of, h)), kept * h, z)


GRU_CELL = _task(
    "GRU",
    {
        _("the cell with z and 1 - z exchanged"):
            _with_blocks("GRU", lambda r, z, n: (r, -z, n)),
        _("the cell with the gates r and z exchanged"):
            _with_blocks("GRU", lambda r, z, n: (z, r, n)),
        **_in_other_orders("GRU", "rzn", "zrn"),
        _("the cell without what it keeps, z * h"): partial(_gru, kept=0.0),
        _("the cell with z in the place of r"):
            partial(_gru, proposal=lambda r, z, word, of, h: word + z * of(h)),
        _("the cell with r applied before the matrix: W_hn (r * h)"):
            partial(_gru, proposal=lambda r, z, word, of, h: word + of(r * h)),
        _("the cell with r around the word's part too: r * (W_in x + W_hn h)"):
            partial(_gru, proposal=lambda r, z, word, of, h: r * (word + of(h))),
        _("the cell with r around the word's part alone: it meets the state's"):
            partial(_gru, proposal=lambda r, z, word, of, h: r * word + of(h)),
        _("the cell with r * h in n: it is r * (W_hn h + b_hn)"):
            partial(_gru, proposal=lambda r, z, word, of, h: word + r * h),
        _("the cell with b_hn outside of r: r meets W_hn h + b_hn"):
            partial(_gru, proposal=lambda r, z, word, of, h: word + of(0 * h).lerp(of(h), r)),
        _("the cell without its reset gate"):
            partial(_gru, proposal=lambda r, z, word, of, h: word + of(h)),
        _("the cell without sigma around r"): partial(_gru, r=_same),
        _("the cell without sigma around z"): partial(_gru, z=_same),
        _("the cell without sigma: both gates need it"): partial(_gru, r=_same, z=_same),
        _("the cell without tanh around n"): partial(_gru, n=_same),
        _("the cell with sigma around n: it is squashed by tanh"): partial(_gru, n=torch.sigmoid),
        _("the cell with tanh around its gates: these are sigma"):
            partial(_gru, r=torch.tanh, z=torch.tanh),
    },
    near=NEAR,
)  # fmt: skip
