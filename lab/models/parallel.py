"""Recurrences whose gates look at the word alone: h_t = a_t h_{t-1} + b_t, one unit at a time.

Such steps can be joined before any state is known, so that a text need not be read word by word.

    join      two steps as one
    loop      all states, step after step
    doubling  all states in about log2 T rounds
    chunks    all states, many pieces of the text side by side
    MinGRU    the GRU that remains, as a layer that stands where nn.GRU stands
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Step = tuple[Tensor, Tensor]  # a and b of h -> a h + b


def join(first: Step, second: Step) -> Step:
    """Return the one step that does what two do, one after the other."""
    (a, b), (c, d) = first, second
    return a * c, torch.addcmul(d, c, b)


def loop(a: Tensor, b: Tensor) -> Tensor:
    """Return the states after each step, from a state of zeros; all are (T, ...), T >= 1."""
    states = [b[0]]
    for a_t, b_t in zip(a[1:].unbind(), b[1:].unbind(), strict=True):
        states.append(torch.addcmul(b_t, a_t, states[-1]))
    return torch.stack(states)


def doubling(a: Tensor, b: Tensor) -> Tensor:
    """Return what `loop` returns, in about log2 T rounds, with k = 1, 2, 4, ...

    After the round with k, step t stands for steps t - 2k + 1 to t (Hillis and Steele, 1986).
    """
    k = 1
    while k < len(a):
        joined_a, joined_b = join((a[:-k], b[:-k]), (a[k:], b[k:]))
        a, b = torch.cat([a[:k], joined_a]), torch.cat([b[:k], joined_b])
        k *= 2
    return b


def chunks(a: Tensor, b: Tensor, size: int = 32) -> Tensor:
    """Return what `loop` returns; pieces of `size` steps are read side by side, then put together.

    The last piece is filled up with steps that change nothing.
    """
    steps, count = len(a), -(-len(a) // size)
    a, b = (
        torch.cat([x, x.new_full((count * size - steps, *x.shape[1:]), fill)])
        .unflatten(0, (count, size))
        .transpose(0, 1)  # (T, ...) -> (size, pieces, ...)
        for x, fill in ((a, 1.0), (b, 0.0))
    )
    alone, product = loop(a, b), torch.cumprod(a, 0)  # each piece from zero; what is kept of before
    ends = loop(product[-1], alone[-1])  # the state at the end of each piece
    before = torch.cat([torch.zeros_like(ends[:1]), ends[:-1]])
    return torch.addcmul(alone, product, before).transpose(0, 1).flatten(0, 1)[:steps]


def scan(a: Tensor, b: Tensor, state: Tensor | None = None) -> Tensor:
    """Return the states (T, ...) after each step, from a state (...), by default zeros.

    On a CPU by the loop, whose steps are nearly free there; on a GPU by doubling.
    """
    if state is not None:
        b = torch.cat([torch.addcmul(b[:1], a[:1], state), b[1:]])
    return doubling(a, b) if a.is_cuda else loop(a, b)


def min_gru_cell(x: Tensor, h: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return the new state (B, H) of a minGRU from a word (B, E) and the state before.

    weight: (2H, E), bias: (2H,): of the update gate z, then of the proposal
    """
    z, proposal = F.linear(x, weight, bias).chunk(2, dim=1)
    z = torch.sigmoid(z)
    return (1 - z) * h + z * proposal


class MinGRU(nn.Module):
    """Layers of minGRUs (Feng et al., 2024); each adds its states to those of the one below.

    The first layer reads words, and has nothing to add to. Gates start nearly closed: with z about
    sigmoid(-2) = 0.12 a unit keeps something for about eight words.
    """

    lowest = 0.0  # of what a unit may be multiplied by at a step; 1 is the highest

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        sizes = [input_size] + [hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(nn.Linear(size, 2 * hidden_size) for size in sizes)
        for layer in self.layers:
            nn.init.constant_(layer.bias[:hidden_size], -2.0)

    @property
    def all_weights(self) -> list[list[nn.Parameter]]:
        """The weights of each layer, in the order in which `min_gru_cell` takes them."""
        return [[layer.weight, layer.bias] for layer in self.layers]

    def gates(self, x: Tensor, layer: nn.Module) -> Step:
        """Return a and b (T, B, H) of all steps of x (T, B, E) at once."""
        z, proposal = layer(x).chunk(2, dim=2)
        z = torch.sigmoid(z)
        return 1 - (1 - self.lowest) * z, z * proposal

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x (T, B, E), state (layers, B, H) or None -> states (T, B, H) of the top, the last ones.

        With several layers, what the top returns is the sum of all layers' states.
        """
        last = []
        for place, h in enumerate(self.each_layer(x, state)):
            x = h if place == 0 else x + h
            last.append(h[-1])
        return x, torch.stack(last)

    def each_layer(self, x: Tensor, state: Tensor | None = None) -> Iterator[Tensor]:
        """Yield the states (T, B, H) of each layer, from the lowest; arguments as of `forward`."""
        for place, layer in enumerate(self.layers):
            h = scan(*self.gates(x, layer), None if state is None else state[place])
            yield h
            x = h if place == 0 else x + h


class SignedMinGRU(MinGRU):
    """A minGRU whose units may be multiplied by anything between -1 and 1 (Grazzi et al., 2024)."""

    lowest = -1.0
