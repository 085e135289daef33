"""What the lab stands on where an exercise asks the student to write it.

Each function here does what an exercise of the notebook asks for, in another formulation: the cells
that follow an exercise use these, so that a wrong answer costs that exercise and nothing else. The
checks compare the student's answers with them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy import stats
from torch import Tensor, nn

from lab.exercises.harness import CELLS as CELLS

SMALLEST = 1e-30  # a length that stands for zero

# ── Session 1 ───────────────────────────────────────────────────────────────────────────────────


def average_vectors(text: Tensor, text_length: Tensor, vectors: Tensor) -> Tensor:
    """Return the mean vector (B, E) of the words of each review of a batch.

    text: (T, B) word numbers, filled up at the end; text_length: (B,); vectors: (words, E)
    """
    reviews = [text[:length, b] for b, length in enumerate(text_length.tolist())]
    starts = torch.tensor([0, *itertools.accumulate(map(len, reviews))][:-1])
    return F.embedding_bag(torch.cat(reviews), vectors, starts, mode="mean")


def unroll(cell: Callable[..., Any], x: Tensor, state: Any, weights: Sequence[Tensor]) -> Tensor:
    """Return the hidden state (T, B, H) of a cell after each step of x (T, B, E)."""
    steps = itertools.accumulate(x, lambda old, step: cell(step, old, *weights), initial=state)
    return torch.stack([new[0] if isinstance(new, tuple) else new for new in steps][1:])


def beside(x: Tensor, other: Tensor) -> Tensor:
    """Return x on the device of another tensor; x itself if it is there.

    A digest of code does not count it: see `source.py`.
    """
    return x.to(other.device)


def last_state(states: Tensor, length: Tensor) -> Tensor:
    """Of states (T, B, H), return the one after the last word of each review: (B, H)."""
    return torch.take_along_dim(states, beside(length - 1, states).view(1, -1, 1), dim=0).squeeze(0)


def binary_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean binary cross-entropy (nats) of logits (B,) and labels (B,), 0 or 1."""
    return F.binary_cross_entropy_with_logits(logits, labels)


def descend(model: nn.Module, loss: Tensor, optimizer: Any, clip_norm: float = 1.0) -> None:
    """Change the weights of a model once, by the gradient of a loss.

    A gradient longer than `clip_norm` is shortened to it (Pascanu et al., ICML 2013).
    """
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = gradient  # None where the loss does not need the weight
    norm = nn.utils.get_total_norm([g for g in gradients if g is not None])
    nn.utils.clip_grads_with_norm_(weights, clip_norm, norm)
    optimizer.step()


def training_step(
    model: nn.Module, batch: Any, optimizer: Any, clip_norm: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Change the weights once, by the gradient of a batch's mean loss; return logits and loss."""
    logits = model(batch.text, batch.text_length)
    loss = binary_loss(logits, batch.label)
    descend(model, loss, optimizer, clip_norm)
    return logits, loss


def train_once(model: Any, batches: Any, optimizer: Any) -> float:
    """Update a classifier once per batch, without clipping; return the mean loss of all reviews."""
    losses, sizes = [], []
    for batch in batches:
        losses.append(training_step(model, batch, optimizer, math.inf)[1].item())
        sizes.append(len(batch.label))
    return float(np.average(losses, weights=sizes))


def perplexity(log_probability: Tensor) -> float:
    """Return the perplexity of a text, from ln p of each of its words, of any shape."""
    return 2 ** -(log_probability.double() / math.log(2)).mean().item()


def piece_loss(model: Any, piece: Any, state: Any) -> tuple[Tensor, Any]:
    """Return the mean loss (nats) of a piece of a stream, and the state to go on with.

    model: has log_probability(text, target, state), as the notebook's LanguageModel; piece: with
    text and target (T, B); state: what the piece before returned, None at the start. No gradient
    goes back into the piece before.
    """
    ln_p, state = model.log_probability(piece.text, piece.target, state)
    return (-ln_p).mean(), detached(state)


def detached(state: Any) -> Any:
    """Return a state without its past, so that no gradient goes there; an LSTM's is a pair."""
    if isinstance(state, Tensor):
        return state.detach()
    return type(state)(map(Tensor.detach, state))


def sample_words(
    model: Any, choose: Callable[..., Tensor], words: Tensor, count: int, temperature: float = 1.0
) -> list[int]:
    """Return the numbers of so many words, drawn one after the other, that continue a text.

    model: its next_word(text (T, 1), state) returns ln p of every word, and the state; choose: ln p
    and a temperature -> the probabilities to draw from; words: (T,), the text so far
    """
    text, state, drawn = words[:, None], None, []
    for _ in range(count):
        log_probability, state = model.next_word(text, state)
        text = torch.multinomial(choose(log_probability, temperature), 1).view(1, 1)
        drawn.append(int(text))
    return drawn


def nucleus(log_probability: Tensor, temperature: float = 1.0, p: float = 0.9) -> Tensor:
    """Return the probabilities to draw from: only the likeliest words that together have p.

    log_probability: ln p of every word (words,) (Holtzman et al., ICLR 2020)
    """
    probability = (log_probability / temperature).softmax(0)
    ordered, words = torch.sort(probability, descending=True)
    count = int(torch.searchsorted(ordered.cumsum(0), p)) + 1  # the word that reaches p is in
    kept = torch.zeros_like(probability)
    kept[words[:count]] = ordered[:count]
    return kept / kept.sum()


# ── Session 2 ───────────────────────────────────────────────────────────────────────────────────


def chain_rule(w: float, h0: float, x1: float, x2: float, y: float) -> float:
    """Return dL/dw of h1 = tanh(w h0 + x1), h2 = tanh(w h1 + x2), L = (h2 - y)^2 / 2."""
    weight = torch.tensor(w, dtype=torch.float64, requires_grad=True)
    h2 = torch.tanh(weight * torch.tanh(weight * h0 + x1) + x2)
    return torch.autograd.grad((h2 - y) ** 2 / 2, weight)[0].item()


def gradient_by_step(
    cell: Callable[..., Tensor], x: Tensor, h: Tensor, weights: Sequence[Tensor]
) -> Tensor:
    """Return the length (T,) of the gradient of the last state's sum by the state of each step.

    x: (T, B, E); h: (B, H), the state before the first step
    """
    steps = itertools.accumulate(x, lambda old, step: cell(step, old, *weights), initial=h)
    states = list(steps)[1:]
    return torch.stack([g.norm() for g in torch.autograd.grad(states[-1].sum(), states)])


def weight_gradient(h: Tensor, w_hh: Tensor, e: Tensor) -> Tensor:
    """Return dL/dW_hh (H, H) of a plain RNN that began at zero; h, e (T, B, H).

    e: the gradient of the loss by each state as far as the state is read out, not handed on
    """
    gradient, dh = torch.zeros_like(w_hh), e[-1]
    for t in range(len(h) - 1, 0, -1):
        delta = dh - dh * h[t].square()
        gradient += torch.einsum("bi,bj->ij", delta, h[t - 1])
        dh = e[t - 1] + F.linear(delta, w_hh.T)
    return gradient


def adam_updates(gradients: Sequence[float]) -> Any:
    """Return how far Adam moves one weight against each of some gradients, in learning rates (n,).

    That is -(change of the weight) / (learning rate); at the first step the sign of the gradient.
    """
    rate, weight, moved = 0.001, nn.Parameter(torch.zeros(1, dtype=torch.float64)), []
    optimizer = torch.optim.Adam([weight], lr=rate)
    for gradient in gradients:
        before, weight.grad = weight.item(), torch.full_like(weight, float(gradient))
        optimizer.step()
        moved.append((before - weight.item()) / rate)
    return np.array(moved)


def join_steps(
    first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Return a and b of the one step h -> a h + b that does what two do, the first before."""
    shift = second[0] * first[1]
    return first[0] * second[0], shift + second[1]


def perturbation(loss: Tensor, shift: Tensor, epsilon: float) -> Tensor:
    """Return the shift (T, B, E) of length epsilon that raises each review's loss most.

    loss: of a batch; shift: what was added to the vectors read, and the loss depends on. The loss
    can still be learnt from afterwards; the shift that comes back is a constant.
    """
    (gradient,) = torch.autograd.grad(loss, shift, retain_graph=True)
    of_review = F.normalize(gradient.transpose(0, 1).flatten(1), eps=SMALLEST)  # (B, T E)
    return epsilon * of_review.unflatten(1, (len(shift), -1)).transpose(0, 1)


def scan(a: Tensor, b: Tensor) -> Tensor:
    """Return the states (T, ...) of h_t = a_t h_{t-1} + b_t from zero; a, b (T, ...)."""
    if len(a) == 1:
        return b
    pairs = scan(*join_steps((a[:-1:2], b[:-1:2]), (a[1::2], b[1::2])))  # states 2, 4, 6, ...
    states = b.clone()
    states[1::2] = pairs
    states[2::2] += a[2::2] * pairs[: len(a[2::2])]
    return states


def surprise_of(model: Any, words: Sequence[int], before: Sequence[int]) -> Any:
    """Return the surprise -ln p (nats) of each word (n,), read after a text `before`; numbers."""
    text, state, nats = torch.as_tensor(list(before))[:, None], None, []  # (k,) -> (k, 1)
    for word in words:
        expected, state = model.next_word(text, state)
        nats.append(F.nll_loss(expected[None], torch.tensor([word])).item())
        text = torch.full((1, 1), word)
    return np.array(nats)


def mcnemar(first: Any, second: Any) -> float:
    """Return the exact p-value that two classifiers err equally often on the same reviews.

    first, second: (reviews,) of bool, whether each was right (McNemar, Psychometrika 1947)
    """
    only_first, only_second = (first & ~second).sum(), (second & ~first).sum()
    differ = int(only_first + only_second)
    return stats.binomtest(int(only_first), differ).pvalue if differ else 1.0


def beliefs(model: Any, words: Tensor) -> Tensor:
    """Return what a classifier would say if the review (T,) ended after each of its words: (T,)."""
    with torch.no_grad():
        states, _ = model.recurrent(model.embedding(words).unsqueeze(1))  # (T,) -> (T, 1, H)
        return model.linear(states).flatten().sigmoid()


def open_gate(layer: nn.LSTM, amount: float) -> None:
    """Add an amount to the bias of the forget gates of an LSTM of one layer, in place."""
    with torch.no_grad():
        layer.bias_ih_l0.chunk(4)[1].add_(amount)  # the gates stand in the order i, f, g, o
