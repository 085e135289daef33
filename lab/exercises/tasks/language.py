"""The language model: perplexity, the loss of a piece, the nucleus."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lab.base.messages import _
from lab.exercises import harness
from lab.exercises.harness import Piece
from lab.exercises.solutions import nucleus, perplexity, piece_loss, sample_words
from lab.exercises.tasks.task import Example, Task, random_weights

LONG = _("A product of so many probabilities is rounded to 0: add up their logarithms.")


def _perplexity_inputs(generator: Generator) -> list[Example]:
    return [
        Example(_("ten words, each with p = 1/8"), (torch.full((10,), math.log(1 / 8)),)),
        Example(_("words with other probabilities"), (torch.rand(7, generator=generator).log(),)),
        Example(_("a block (T, B) = (4, 3)"), (torch.rand(4, 3, generator=generator).log(),)),
        Example(_("3,000 words"), (torch.randn(3000, generator=generator) - 5,), trap=LONG),
    ]


PERPLEXITY = Task(
    _perplexity_inputs,
    perplexity,
    {
        _("the mean of 1/p: first the mean of ln p, then exp"): lambda a: (-a).exp().mean().item(),
        _("the loss: its exponential is wanted"): lambda a: -a.mean().item(),
        _("1 / perplexity: a sign is missing"): lambda a: 1 / perplexity(a),
        _("2 to the power of the loss: with ln, the base is e"): lambda a: 2 ** -a.mean().item(),
        _("the exponential of the summed loss, not of the mean"):
            lambda a: (-a.double()).sum().exp().item(),
        _("the exponential of the loss of each column"): lambda a: (-a.mean(0)).exp(),
        _("the exponential of the sum divided by T: divide by the number of words"):
            lambda a: (-a.sum() / len(a)).exp(),
        _("1 / the mean of p: first the mean of ln p, then exp"):
            lambda a: 1 / a.exp().mean().item(),
    },
)  # fmt: skip


PAIR = _("An LSTM's state is a pair (h, c): detach each of the two, and at first there is None.")
LAYERS = _(
    "A GRU's state is one tensor, with a row for each layer: isinstance(state, tuple) says so."
)


def _piece_inputs(generator: Generator) -> list[Example]:
    examples = []
    for label, cell, pieces, layers, trap in (
        (_("a GRU and one piece (no state yet)"), "GRU", 1, 1, ""),
        (_("a GRU of two layers and two pieces"), "GRU", 2, 2, LAYERS),
        (_("an LSTM and three pieces (its state is a pair)"), "LSTM", 3, 1, PAIR),
    ):
        vectors = torch.randn(6, 3, generator=generator)
        stream = torch.randint(0, 6, (4 * pieces + 1, 1 + layers), generator=generator)
        weights = [w for _ in range(layers) for w in random_weights(generator, cell, 3, 3)]
        examples.append(Example(label, (cell, tuple(weights), vectors, stream), trap=trap))
    return examples


def _undetached(model: Any, piece: Any, state: Any) -> Any:
    ln_p, state = model.log_probability(piece.text, piece.target, state)
    return -ln_p.mean(), state


def _half_detached(half: int, model: Any, piece: Any, state: Any) -> Any:
    """The loss of a piece where of an LSTM's pair one half alone, or none, is detached."""
    if isinstance(state, tuple):
        state = tuple(s.detach() if i == half else s for i, s in enumerate(state))
    elif state is not None:
        state = state.detach()
    return _undetached(model, piece, state)


def _other_loss(change: Any, model: Any, piece: Any, state: Any) -> Any:
    """The loss of a piece with something done to it. change: (loss, target) -> loss"""
    loss, state = piece_loss(model, piece, state)
    return change(loss, piece.target), state


PIECE_LOSS = Task(
    _piece_inputs,
    piece_loss,
    {
        _("a loss whose gradient goes back into the piece before: nothing is detached"):
            _undetached,
        _("a loss whose gradient goes back along an LSTM's state: its pair is not detached"):
            partial(_half_detached, 2),
        _("a loss whose gradient goes back along an LSTM's c: h alone is detached"):
            partial(_half_detached, 0),
        _("a loss whose gradient goes back along an LSTM's h: c alone is detached"):
            partial(_half_detached, 1),
        _("the loss with text and target exchanged"):
            lambda m, p, s: piece_loss(m, Piece(p.target, p.text), s),
        _("the loss of a piece that starts from no state: look whether the new one is returned"):
            lambda m, p, s: piece_loss(m, p, None),
        _("the sum over the words, not their mean"):
            partial(_other_loss, lambda loss, target: loss * target.numel()),
        _("the sum over the words of a column: the mean over all words is wanted"):
            partial(_other_loss, lambda loss, target: loss * len(target)),
        _("the mean of ln p: the loss is its negative"): partial(_other_loss, lambda a, _: -a),
    },
    harness.run_pieces,
    learns=("cell", "weights", "vectors"),
)  # fmt: skip


EVEN = 61  # so many times the rounded 1 / 61 is less than 1
WHOLE = _(
    "Rounded, all probabilities together can be just below 1, and then no place reaches p: keep a "
    "word if those before it have less than p."
)


def _nucleus_inputs(generator: Generator) -> list[Example]:
    def logs(*probabilities: float) -> Tensor:
        return torch.tensor(probabilities).log()

    first, many = logs(0.45, 0.3, 0.2, 0.05), logs(*[1 / EVEN] * EVEN)
    return [
        Example(_("p = 0.7, of words with 0.45, 0.3, 0.2, 0.05"), (first, 1.0, 0.7)),
        Example(_("the same in another order"), (logs(0.05, 0.3, 0.2, 0.45), 1.0, 0.7)),
        Example(_("p = 0.3 (one word is enough)"), (logs(0.12, 0.4, 0.28, 0.2), 1.0, 0.3)),
        Example(_("temperature 0.5, p = 0.7"), (logs(0.1, 0.3, 0.2, 0.25, 0.15), 0.5, 0.7)),
        Example(_("p = 1.0, {words} words", words=EVEN), (many, 1.0, 1.0), trap=WHOLE),
    ]


def _kept(whole: Tensor, p: float, reached: float = 1.0) -> Tensor:
    """A nucleus of what need not add up to 1; reached: a share of a word that does not count."""
    ordered, words = whole.sort(descending=True)
    ordered = ordered * (ordered.cumsum(0) - reached * ordered < p)
    return torch.zeros_like(whole).scatter(0, words, ordered / ordered.sum())


def _unscaled(ln_p: Tensor, temperature: float, p: float) -> Tensor:
    """A nucleus whose probabilities do not add up to 1 again."""
    return (ln_p / temperature).softmax(0) * (nucleus(ln_p, temperature, p) > 0)


def _from_below(ln_p: Tensor, temperature: float, p: float) -> Tensor:
    """A nucleus of the unlikeliest words."""
    whole = (ln_p / temperature).softmax(0)
    before = (whole * (whole < whole[:, None])).sum(1)  # what the words below each have together
    return whole * (before < p) / (whole * (before < p)).sum()


NUCLEUS = Task(
    _nucleus_inputs,
    nucleus,
    {
        _("a nucleus without the word that reaches p"):
            lambda a, t, p: _kept((a / t).softmax(0), p, reached=0.0),
        _("a nucleus of exp(ln p / temperature), which does not add up to 1 as a softmax does"):
            lambda a, t, p: _kept((a / t).exp(), p),
        _("a nucleus whose probabilities do not add up to 1 again"): _unscaled,
        _("a nucleus of the unlikeliest words: sort from the likeliest down"): _from_below,
        _("a nucleus of the softmax of p, not of ln p"): lambda a, t, p: nucleus(a.exp(), t, p),
        _("a nucleus without temperature"): lambda a, t, p: nucleus(a, 1.0, p),
        _("a nucleus of p divided by the temperature: that is for ln p"):
            lambda a, t, p: _kept(a.exp() / t, p),
        _("a nucleus of ln p times the temperature: it is divided by it"):
            lambda a, t, p: nucleus(a * t**2, t, p),
        _("all words: none is forgotten"): lambda a, t, p: (a / t).softmax(0),
        _("the probabilities in order, not at the places of their words"):
            lambda a, t, p: nucleus(a, t, p).sort(descending=True).values,
    },
)  # fmt: skip


def _sampling_inputs(generator: Generator) -> list[Example]:
    sizes = (7, 11)
    texts = [
        torch.randint(0, n, (length,), generator=generator) for n, length in zip(sizes, (1, 4))
    ]
    return [
        Example(_("one word to go on from"), (7, 1.0, texts[0], 6, 1.0)),
        Example(_("a text of four words"), (11, 1.0, texts[1], 9, 1.0)),
        Example(_("a temperature of 0.05: the likelier of two words"),
            (11, 0.6, texts[1], 12, 0.05)),
        Example(_("200 draws of two words alike, and the share of the second"),
            (7, 0.5, texts[0], 200, 1.0)),
    ]  # fmt: skip


def _likeliest(log_probability: Tensor, temperature: float) -> Tensor:
    """A choice that leaves nothing to chance."""
    kept = harness.choose(log_probability, temperature)
    return F.one_hot(kept.argmax(), len(kept)).float()


class _Forgetful:
    """A model that is asked without its state."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def next_word(self, text: Tensor, state: Any = None) -> Any:
        return self.model.next_word(text)


SAMPLE_WORDS = Task(
    _sampling_inputs,
    sample_words,
    {
        _("words drawn without the state: hand on the second thing that next_word returns"):
            lambda model, *rest: sample_words(_Forgetful(model), *rest),
        _("words drawn without the temperature: hand it on to choose"):
            lambda model, choose, words, count, temperature:
                sample_words(model, choose, words, count),
        _("the likeliest word each time: draw one, with torch.multinomial"):
            lambda model, choose, *rest: sample_words(model, _likeliest, *rest),
        _("words drawn from ln p itself: draw from what choose returns"):
            lambda model, choose, *rest:
                sample_words(model, lambda a, t=1.0: (a / t).softmax(0), *rest),
        _("the text and what follows it: only the new words are wanted"):
            lambda model, choose, words, *rest:
                [*words.tolist(), *sample_words(model, choose, words, *rest)],
    },
    harness.run_sampling,
)  # fmt: skip
