"""Causal attention, as layers that stand where nn.GRU stands: what they carry on is all they read.

The state of a recurrent layer has one size; here it is a cache with the keys and values of every
word, so that it grows with the text.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Cache = tuple[Tensor, Tensor]  # keys and values of what was read, (layers, B, heads, T, d) each


class Block(nn.Module):
    """Attention to the words so far, then two layers on each word; both are added to what came."""

    def __init__(self, units: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(units), nn.LayerNorm(units)
        self.project, self.gather = nn.Linear(units, 3 * units), nn.Linear(units, units)
        self.think = nn.Sequential(nn.Linear(units, 2 * units), nn.GELU(),
                                   nn.Linear(2 * units, units))  # fmt: skip

    def forward(self, x: Tensor, past: Cache | None, bias: Tensor) -> tuple[Tensor, Cache]:
        """x (B, T, H), past keys and values (B, heads, P, d), bias (heads, T, P + T) -> x, both."""
        q, k, v = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)  # (B, T, H) -> (B, heads, T, d)
            for part in self.project(self.before(x)).chunk(3, dim=2)
        )
        if past is not None:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
        read = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        x = x + self.gather(read.transpose(1, 2).flatten(2))
        return x + self.think(self.between(x)), (k, v)


class CausalAttention(nn.Module):
    """A causal transformer (Vaswani et al., 2017) in the place of a recurrent layer.

    Where a word stands is told by distance alone: a head subtracts a multiple of it from its scores
    (Press, Smith and Lewis, ICLR 2022), so no place is one that training has not seen.
    """

    heads = 4
    window = 0  # words of the cache that are kept; 0: all

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 2) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.enter, self.leave = nn.Linear(input_size, hidden_size), nn.LayerNorm(hidden_size)
        self.blocks = nn.ModuleList(Block(hidden_size, self.heads) for _ in range(num_layers))

    def forward(self, x: Tensor, state: Cache | None = None) -> tuple[Tensor, Cache]:
        """x (T, B, E), what was read or None -> states (T, B, H) of the top, what is read now."""
        past = 0 if state is None else state[0].shape[3]
        x, caches = self.enter(x).transpose(0, 1), []  # (B, T, H)
        bias = distances(len(x[0]), past, self.heads).to(x)
        for place, block in enumerate(self.blocks):
            of_block = None if state is None else (state[0][place], state[1][place])
            x, cache = block(x, of_block, bias)
            caches.append(cache)
        keys, values = (torch.stack(parts)[..., -self.window :, :] for parts in zip(*caches))
        return self.leave(x).transpose(0, 1), (keys, values)


def distances(steps: int, past: int, heads: int) -> Tensor:
    """Return what is added to the scores of `steps` words (heads, steps, past + steps).

    It falls with the distance, in each head by another slope; words that come later get -inf.
    """
    back = torch.arange(steps)[:, None] + past - torch.arange(past + steps)  # (T, P + T)
    slopes = 2.0 ** -torch.arange(1, 8 * heads, 8, dtype=torch.float32).div(heads)  # from near 1
    return torch.where(back < 0, -torch.inf, -slopes[:, None, None] * back)


class Windowed(CausalAttention):
    """Attention that carries the last 80 words on: for texts that are read in pieces."""

    window = 80
