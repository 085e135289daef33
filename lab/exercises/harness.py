"""How the function of an exercise is called: with models made of plain data; plain data come back.

Inputs and results are tensors, numbers, texts, and lists of them, so that a call can be made in one
process and what came of it be judged in another. No answer is known here: this room can be open to
a student's code.

    attempt    one call, whatever comes of it: a value, or an error in words
    play_...   what is done with the function of an exercise that needs more than a call
"""

from __future__ import annotations

import re
import threading
import traceback
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Function = Callable[..., Any]

# One step of each cell, as PyTorch has it: (x, state, w_ih, w_hh, b_ih, b_hh) -> new state.
CELLS: dict[str, Function] = {
    "RNN": torch.rnn_tanh_cell,
    "LSTM": torch.lstm_cell,
    "GRU": torch.gru_cell,
}

STUB = re.compile(r"Exercise ([a-z0-9-]+): not written yet")  # what an unwritten function raises
# random numbers and filters of warnings are the process's, and the grader has many threads
ONE_AT_A_TIME = threading.RLock()
CHANGED = "it changes what it is given, as += or x[0] = 1 can do; make something new instead"

# ── 1. Calling a function ───────────────────────────────────────────────────────────────────────


class Attempt(NamedTuple):
    """What came of one call: a value, or an error in words; and the names of what it used."""

    value: Any = None
    error: str = ""
    used: frozenset[str] = frozenset()


class _Calls(TorchFunctionMode):
    """Notes the names of all functions of PyTorch that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))


def attempt(
    play: Function,
    function: Function,
    arguments: tuple[Any, ...],
    untouched: tuple[Any, ...],
    seed: int = 0,
) -> Attempt:
    """Call a function with the arguments of a case, and return what came of it.

    play: makes the call; untouched: the same arguments once more, which are not handed out; seed:
    of PyTorch's random numbers meanwhile; afterwards those of the caller stand where they stood
    """
    calls = _Calls()
    with ONE_AT_A_TIME, torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what they warn, the comparison tells
        torch.default_generator.manual_seed(seed)  # not those of the GPUs
        try:
            with calls, torch.enable_grad():  # and a mode that is set inside ends here
                value = play(function, *arguments)
            error = "" if _equal(arguments, untouched) else CHANGED
            return Attempt(value, error, frozenset(calls.names))
        except Unfit as unfit:
            return Attempt(error=str(unfit), used=frozenset(calls.names))
        except (Exception, SystemExit) as error:  # whatever is raised is told, in one line
            return Attempt(error=_told(error, function), used=frozenset(calls.names))


def _equal(some: Any, others: Any) -> bool:
    """Say whether arguments of a case are the same: tensors, arrays, numbers, lists of them."""
    if isinstance(some, tuple | list):
        return len(some) == len(others) and all(map(_equal, some, others))
    if hasattr(some, "shape"):
        return torch.equal(torch.as_tensor(some), torch.as_tensor(others))
    return bool(some == others)


def _told(error: BaseException, function: Callable[..., Any]) -> str:
    """Return an error in one line, with the line of the student's function where it arose.

    Where no more happened than that an unwritten function was called: which one.
    """
    code = getattr(function, "__code__", None)
    own = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code is code]
    where = f" in line {own[-1] - code.co_firstlineno + 1} of the function" if own else ""
    try:
        said = " ".join(str(error).split())[:200] or "(no message)"
    except Exception:  # an error of the student's own, that cannot even be told
        said = "(no message)"
    if isinstance(error, NotImplementedError) and (stub := STUB.fullmatch(said)):
        return unwritten(stub[1])
    return f"{type(error).__name__}{where}: {said}"


def unwritten(name: str) -> str:
    """Return in words that a call has come to an exercise that is not written yet."""
    return f"it calls {name}, which is not written yet"


class Unfit(Exception):
    """What a student's function returned cannot be used further; says in words why."""


NOTHING = "nothing came back; is there a return?"


def kind(value: Any) -> str:
    """Return what a value is, in words."""
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}" if value.ndim else "a tensor of one number"
    return f"a value of type {type(value).__name__}"


def call(function: Function, *arguments: Any) -> Any:
    """Return what a function gives for some arguments."""
    return function(*arguments)


def _pair(value: Any, names: str) -> Any:
    """Return what should be a pair. Raises Unfit if it is none."""
    if value is None:
        raise Unfit(NOTHING)
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise Unfit(f"{kind(value)} came back, expected is the pair ({names})")
    return value


def _detached(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value


# ── 2. The exercises that need more than a call ─────────────────────────────────────────────────


def play_unroll(function: Function, cell: str, x: Tensor, state: Any, weights: Any) -> Any:
    """Return what unrolling one of PyTorch's cells gives, and how its last state hangs on x."""
    words = x.clone().requires_grad_()
    states = function(CELLS[cell], words, state, weights)
    if not torch.equal(words, x):
        raise Unfit(CHANGED)
    return _detached(states), _gradient_of_last(states, words)


def _gradient_of_last(states: Any, words: Tensor) -> Tensor:
    """Return the gradient of the last state's sum with respect to x; zeros if there is none."""
    if not isinstance(states, Tensor) or not states.requires_grad or states.ndim == 0:
        return torch.zeros_like(words)
    (gradient,) = torch.autograd.grad(states[-1].sum(), words, allow_unused=True)
    return torch.zeros_like(words) if gradient is None else gradient


class _Batch(NamedTuple):
    """A batch as far as a training step looks at it."""

    text: Tensor
    text_length: Tensor
    label: Tensor


class _SmallModel(nn.Module):
    """A classifier so small that its gradient is known: mean of two vectors, a linear layer."""

    def __init__(self, vectors: Tensor, weight: Tensor) -> None:
        super().__init__()
        self.vectors = nn.Parameter(vectors.clone())
        self.weight = nn.Parameter(weight.clone())

    def forward(self, text: Tensor, text_length: Tensor) -> Tensor:
        mean = self.vectors[text].sum(0) / text_length[:, None]  # (T, B, E) -> (B, E)
        return mean @ self.weight


def play_step(
    function: Function, vectors: Tensor, weight: Tensor, batches: Any, clip: float
) -> Any:
    """Return all weights after some updates, and what the last call returned."""
    model = _SmallModel(vectors, weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for batch in batches:
        came = _pair(function(model, _Batch(*batch), optimizer, clip), "logits, loss")
    return model.vectors.detach(), model.weight.detach(), *map(_detached, came)


class _SmallReader(nn.Module):
    """A language model of one recurrent layer, with `log_probability` as the notebook's has it."""

    def __init__(self, cell: str, weights: tuple[Tensor, ...], vectors: Tensor) -> None:
        super().__init__()
        self.vectors = nn.Parameter(vectors.clone())
        self.recurrent = {"GRU": nn.GRU, "LSTM": nn.LSTM}[cell](vectors.shape[1], vectors.shape[1])
        for own, weight in zip(self.recurrent.parameters(), weights, strict=True):
            own.data.copy_(weight)

    def log_probability(self, text: Tensor, target: Tensor, state: Any = None) -> Any:
        states, state = self.recurrent(self.vectors[text], state)
        scores = states @ self.vectors.T  # (T, B, H) -> (T, B, words), for H = E
        return scores.log_softmax(2).gather(2, target[:, :, None]).squeeze(2), state


class Piece(NamedTuple):
    """A piece of a stream, as far as a loss looks at it."""

    text: Tensor
    target: Tensor


def play_pieces(
    function: Function, cell: str, weights: Any, vectors: Tensor, stream: Tensor
) -> Any:
    """Return the losses of pieces, and the gradient of the last one."""
    model, state, losses = _SmallReader(cell, weights, vectors), None, []
    for start in range(0, len(stream) - 1, 4):
        piece = Piece(stream[start : start + 4], stream[start + 1 : start + 5])
        loss, state = _pair(function(model, piece, state), "loss, state")
        if not isinstance(loss, Tensor) or loss.shape != ():
            raise Unfit(f"as loss, {kind(loss)} came back, expected is a tensor of one number")
        if not loss.requires_grad:
            raise Unfit("the loss has lost its gradient; is it detached?")
        losses.append(loss)
    gradients = torch.autograd.grad(losses[-1], list(model.parameters()))
    return torch.stack(losses).detach(), torch.cat([g.flatten() for g in gradients])


def play_gate(function: Function, weights: tuple[Tensor, ...], amount: float) -> Any:
    """Return the four blocks of the two biases' sum afterwards, and the other weights."""
    layer = nn.LSTM(weights[0].shape[1], weights[1].shape[1])
    for own, weight in zip(layer.parameters(), weights, strict=True):
        own.data.copy_(weight)
    function(layer, amount)
    matrices = (layer.weight_ih_l0.detach(), layer.weight_hh_l0.detach())
    return ((layer.bias_ih_l0 + layer.bias_hh_l0).detach(), *matrices)


def play_gradient(function: Function, cell: str, x: Tensor, h: Tensor, weights: Any) -> Any:
    """Return the gradients by step, for weights that learn."""
    learnt = tuple(weight.requires_grad_() for weight in weights)  # as those of a layer are
    return function(CELLS[cell], x, h, learnt)


class _SmallClassifier(nn.Module):
    """The notebook's RecurrentClassifier, with the weights that are handed to it."""

    def __init__(self, vectors: Tensor, weights: tuple[Tensor, ...], out: Tensor) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(vectors)
        self.recurrent = nn.GRU(vectors.shape[1], weights[1].shape[1])
        for own, weight in zip(self.recurrent.parameters(), weights, strict=True):
            own.data.copy_(weight)
        self.linear = nn.Linear(len(out), 1)
        self.linear.weight.data.copy_(out)

    def forward(self, text: Tensor, text_length: Tensor) -> Tensor:
        embedded = self.embedding(text)  # (T, B) -> (T, B, E)
        packed = nn.utils.rnn.pack_padded_sequence(embedded, text_length, enforce_sorted=False)
        _, last = self.recurrent(packed)  # (1, B, H)
        return self.linear(last[0]).squeeze(1)  # (B, 1) -> (B,)

    @torch.no_grad()
    def predict(self, text: Tensor, text_length: Tensor) -> Tensor:
        return torch.sigmoid(self(text, text_length))


def play_beliefs(
    function: Function, vectors: Tensor, weights: Any, out: Tensor, bias: Tensor, text: Tensor
) -> Any:
    """Return what a small classifier believes after each word of a text."""
    model = _SmallClassifier(vectors, weights, out)
    model.linear.bias.data.copy_(bias)
    return _detached(function(model, text))


def backward_states(h: Tensor, w_hh: Tensor, e: Tensor) -> Tensor:
    """Return dL/dh_t, as the notebook has it above the exercise."""
    ways = [e[-1]]
    for t in range(len(h) - 1, 0, -1):
        ways.insert(0, e[t - 1] + F.linear(ways[0] - ways[0] * h[t].square(), w_hh.T))
    return torch.stack(ways)


def play_by_hand(function: Function, h: Tensor, w_hh: Tensor, e: Tensor) -> Any:
    """Return a gradient by the weights, with the notebook's `backward_states` at hand."""
    scope = getattr(function, "__globals__", {})
    scope.setdefault("backward_states", backward_states)  # each check brings what it needs
    return function(h, w_hh, e)


class _SmallSpeaker(_SmallReader):
    """A language model that can be asked for the next word, as the notebook's LanguageModel."""

    @torch.no_grad()
    def next_word(self, text: Tensor, state: Any = None) -> Any:
        states, state = self.recurrent(self.vectors[text], state)
        return (states[-1, 0] @ self.vectors.T).log_softmax(0), state


def play_surprise(function: Function, weights: Any, vectors: Tensor, text: Any, read: Any) -> Any:
    """Return the surprise of each word of a text for a small language model."""
    return function(_SmallSpeaker("GRU", weights, vectors), text, read)


PLAYS = {
    play.__name__: play
    for play in (
        *(call, play_unroll, play_step, play_pieces, play_gate, play_gradient, play_beliefs),
        *(play_by_hand, play_surprise),
    )
}
