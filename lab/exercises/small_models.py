"""The small models that functions of exercises are tried with, made of the weights handed to them.

No answer is known here; this module lies behind the grader's wall too.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def layer_of(kind: type[nn.RNNBase], weights: tuple[Tensor, ...]) -> Any:
    """Return recurrent layers of PyTorch with these weights, four a layer."""
    layer = kind(weights[0].shape[1], weights[1].shape[1], num_layers=len(weights) // 4)
    layer.load_state_dict(dict(zip(layer.state_dict(), weights, strict=True)))
    return layer


class SmallModel(nn.Module):
    """A classifier so small that its gradient is known: mean of two vectors, a linear layer."""

    def __init__(self, vectors: Tensor, weight: Tensor) -> None:
        super().__init__()
        self.vectors = nn.Parameter(vectors.clone())
        self.weight = nn.Parameter(weight.clone())

    def forward(self, text: Tensor, text_length: Tensor) -> Tensor:
        mean = self.vectors[text].sum(0) / text_length[:, None]  # (T, B, E) -> (B, E)
        return mean @ self.weight


class SmallReader(nn.Module):
    """A language model of one recurrent layer, with the methods of the notebook's."""

    def __init__(self, cell: str, weights: tuple[Tensor, ...], vectors: Tensor) -> None:
        super().__init__()
        self.vectors = nn.Parameter(vectors.clone())
        self.recurrent = layer_of({"GRU": nn.GRU, "LSTM": nn.LSTM}[cell], weights)

    def log_probability(self, text: Tensor, target: Tensor, state: Any = None) -> Any:
        states, state = self.recurrent(self.vectors[text], state)
        scores = states @ self.vectors.T  # (T, B, H) -> (T, B, words), for H = E
        return scores.log_softmax(2).gather(2, target[:, :, None]).squeeze(2), state

    @torch.no_grad()
    def next_word(self, text: Tensor, state: Any = None) -> Any:
        states, state = self.recurrent(self.vectors[text], state)
        return (states[-1, 0] @ self.vectors.T).log_softmax(0), state


class SmallClassifier(nn.Module):
    """The notebook's RecurrentClassifier, with the weights that are handed to it."""

    def __init__(self, vectors: Tensor, weights: Any, out: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(vectors)
        self.recurrent = layer_of(nn.GRU, weights)
        self.linear = nn.Linear(len(out), 1)
        self.linear.load_state_dict({"weight": out[None], "bias": bias.view(1)})

    def forward(self, text: Tensor, text_length: Tensor) -> Tensor:
        embedded = self.embedding(text)  # (T, B) -> (T, B, E)
        packed = nn.utils.rnn.pack_padded_sequence(embedded, text_length, enforce_sorted=False)
        _, last = self.recurrent(packed)  # (1, B, H)
        return self.linear(last[0]).squeeze(1)  # (B, 1) -> (B,)

    @torch.no_grad()
    def predict(self, text: Tensor, text_length: Tensor) -> Tensor:
        return torch.sigmoid(self(text, text_length))


def backward_states(h: Tensor, w_hh: Tensor, e: Tensor) -> Tensor:
    """Return dL/dh_t, as the notebook has it above the exercise."""
    ways = [e[-1]]
    for t in range(len(h) - 1, 0, -1):
        ways.insert(0, e[t - 1] + F.linear(ways[0] - ways[0] * h[t].square(), w_hh.T))
    return torch.stack(ways)
