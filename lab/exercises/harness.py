"""How the function of an exercise is called: with models made of plain data; plain data come back.

Inputs and results are tensors, numbers, texts, and lists of them, so that a call can be made in one
process and what came of it be judged in another. No answer is known here: this room can be open to
a student's code.

    attempt    one call, whatever comes of it: a value, or an error in words
    call       with the arguments as they are
    learn      with arguments that learn; what comes back is the value and its gradients
    run_...    what is done with the function of an exercise that needs more than these
"""

from __future__ import annotations

import functools
import inspect
import operator
import re
import sys
import threading
import traceback
import warnings
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

if __package__:
    from lab.base.messages import Message, _
    from lab.exercises import small_models
    from lab.exercises.errors import IN_WORDS
else:  # behind the grader's wall, where all files lie side by side
    import small_models
    from errors import IN_WORDS
    from messages import Message, _

Function = Callable[..., Any]

# One step of each cell, as PyTorch has it: (x, state, w_ih, w_hh, b_ih, b_hh) -> new state.
CELLS = {"RNN": torch.rnn_tanh_cell, "LSTM": torch.lstm_cell, "GRU": torch.gru_cell}

# random numbers and filters of warnings are the process's, and the grader has many threads
ONE_AT_A_TIME = threading.RLock()
NOTHING = _("nothing came back; is there a return?")
CHANGED = _("it changes what it is given, as += or x[0] = 1 can do; make something new instead.")
BACKWARD = _(
    "it calls backward itself; leave that to the training step, and return what is asked for."
)
FROZEN = _("it leaves weights with requires_grad False, and these would not learn any more.")
EVAL = _("it leaves the model in the mode eval, in which dropout does nothing: see model.train().")
GONE = _("no weight can learn from the loss any more: keep its graph, with retain_graph=True.")
THROUGH = _("it can learn: a gradient goes back through it. The shift is a constant.")
MOST_CALLS, MANY = 400, "400 calls"  # of PyTorch in one call: then this stands among the names
UNSEEN = "what watches its calls"  # stands among the names that an answer has used; see _Calls
LAB = Path(__file__).parents[1]  # not so behind the grader's wall, where nothing of it is
READY_MADE = re.compile(r"torch/(optim/\w+|nn/modules/(?:loss|rnn))\.py$")

# ── 1. Calling a function ───────────────────────────────────────────────────────────────────────


class Attempt(NamedTuple):
    """What came of one call: a value, or an error in words; and the names of what it used.

    error: a sentence that goes on after a colon; "" if there is none
    """

    value: Any = None
    error: str = ""
    used: frozenset[str] = frozenset()


class _Calls(TorchFunctionMode):
    """A function that notes, while it runs, the names of what is called that could be its answer.

    These are functions of PyTorch, its losses, recurrent layers and optimizers, and code of the
    lab's: whoever calls them, in any thread, and whatever they are called there. A function that
    switches this off has used UNSEEN, unless it stops at a recursion too deep: there Python does
    so itself. One that calls PyTorch MOST_CALLS times has used MANY.
    """

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function
        self.names: set[str] = set()
        self.count = 0
        self.watching = False

    def __call__(self, *arguments: Any) -> Any:
        free = sys.getprofile() is None  # a profiler at work is left there
        of_threads = threading.getprofile()
        too_deep = False
        try:
            with self:
                if free:
                    self.watching = True
                    threading.setprofile(self._look)
                    sys.setprofile(self._look)
                value = self.function(*arguments)
        except RecursionError:
            too_deep = True
            raise
        finally:
            if free:
                unseen = sys.getprofile() != self._look and not too_deep
                self.names |= {UNSEEN} if unseen else set()
                sys.setprofile(None)
                threading.setprofile(of_threads)
                self.watching = False
        return here(value)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        self.names |= {getattr(func, "__name__", ""), *[MANY][: self.count >= MOST_CALLS]}
        return func(*args, **(kwargs or {}))

    def _look(self, frame: FrameType, event: str, argument: Any) -> None:
        if not self.watching:
            sys.setprofile(None)  # of a thread that goes on
        elif event == "c_call":
            self.names.add(getattr(argument, "__name__", ""))
        elif event == "call" and (place := _place(frame.f_code.co_filename)):
            self.names.add(place + f".{frame.f_code.co_name}" * place.startswith("lab."))


@functools.cache
def _place(file: str) -> str:
    """Return what a module is called that may hold an answer, the lab's or PyTorch's; else ""."""
    path = Path(file)
    if LAB.name == "lab" and LAB in path.parents and file != __file__:
        return ".".join(["lab", *path.relative_to(LAB).with_suffix("").parts])
    found = READY_MADE.search(path.as_posix())
    return found[1].replace("/", ".") if found else ""


def attempt(
    run: Function, function: Function, arguments: Any, untouched: Any, seed: int = 0
) -> Attempt:
    """Call a function with the arguments of an example, and return what came of it.

    run: makes the call; untouched: the same arguments once more, which are not handed out; seed:
    of PyTorch's random numbers meanwhile; afterwards those of the caller stand where they stood
    """
    calls = _Calls(function)
    with ONE_AT_A_TIME, torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what they warn, the comparison tells
        torch.default_generator.manual_seed(seed)  # not those of the GPUs
        try:
            with torch.enable_grad():  # and a mode that is set inside ends here
                value = run(calls, *arguments)
            error = "" if _equal(arguments, untouched) else CHANGED
            return Attempt(value, error, frozenset(calls.names))
        except (Exception, SystemExit) as error:  # whatever is raised becomes one line
            return Attempt(error=_message(error, function), used=frozenset(calls.names))


def _equal(some: Any, others: Any) -> bool:
    """Say whether arguments are the same: tensors, arrays, numbers, lists of them."""
    if isinstance(some, tuple | list):
        return len(some) == len(others) and all(map(_equal, some, others))
    if hasattr(some, "shape"):
        return torch.equal(torch.as_tensor(some), torch.as_tensor(others))
    return bool(some == others)


def _message(error: BaseException, function: Callable[..., Any]) -> Message:
    """Return an error in a sentence, with the line of the function where it arose.

    Python's own words stay as they are, on one line.
    """
    if isinstance(error, Unusable):
        return error.args[0]
    code = _code(function)
    own = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code is code]
    try:
        text = " ".join(str(error).split())[:200].rstrip(".")
    except Exception:  # an error of the student's own, that cannot even be shown
        text = ""
    meant = next((words for piece, words in IN_WORDS.items() if piece in text), None)
    if meant and not own:  # it arose in what came back, when gradients were asked
        return meant
    if meant:
        text = re.split(r"[.] |: [[]| [(]or", text)[0]
    raised = type(error).__name__ + (f": {text}" if text else "")
    if not own:
        return _("it stops with {error}.", error=raised)
    last = own[0] if isinstance(error, RecursionError) else own[-1]  # the deepest is any line
    line = last - code.co_firstlineno + 1
    if meant:
        return _(
            "line {line} of the function stops with {error}. {meant}",
            line=line, error=raised, meant=meant,
        )  # fmt: skip
    return _("line {line} of the function stops with {error}.", line=line, error=raised)


def _code(function: Any) -> Any:
    """Return the code of a function below its decorators, as torch.no_grad() is one; else None."""
    try:
        return inspect.unwrap(function).__code__
    except Exception:  # it is an object of another kind, perhaps of the student's own
        return None


class Unusable(Exception):
    """What a student's function returned cannot be used further; has the sentence that says why."""


def here(value: Any) -> Any:
    """Return what may have been computed on a GPU with all its tensors on the CPU.

    Raises Unusable for tensors without numbers, as those on the device meta are.
    """
    if isinstance(value, tuple | list):
        brought = [*map(here, value)]
        same = all(map(operator.is_, brought, value))
        return value if same else brought if isinstance(value, list) else tuple(brought)
    if not isinstance(value, Tensor) or value.device.type == "cpu":
        return value
    if value.is_meta:
        where = str(value.device)
        raise Unusable(
            _("it lies on {device}, expected is cpu: leave it where x is.", device=where)
        )
    return value.cpu()


def kind(value: Any) -> Message:
    """Return what a value is, in words."""
    name = type(value).__name__
    if isinstance(value, tuple | list):
        return _("a {type} of {count}", type=name, count=len(value))
    if isinstance(value, Tensor) and not value.ndim:
        return _("a tensor of one number")
    if isinstance(value, Tensor):
        return _("a tensor of shape {shape}", shape=str(tuple(value.shape)))
    if hasattr(value, "shape") and hasattr(value, "ndim"):
        return _("an array of shape {shape}", shape=str(tuple(value.shape)))
    return _("a value of type {type}", type=name)


def call(function: Function, *arguments: Any) -> Any:
    """Return what a function gives for some arguments."""
    return function(*arguments)


def learn(function: Function, *arguments: Any) -> tuple[Any, list[Tensor | None]]:
    """Return what a function gives for arguments that learn, and the gradient by each of them.

    It is the gradient of the sum of all numbers that came back, each with a weight of its own;
    None where no gradient arrives.
    """
    leaves = [tensor.requires_grad_() for tensor in floats(arguments)]
    value = function(*arguments)
    return value, _gradients(value, leaves)


def floats(values: Iterable[Any]) -> Iterator[Tensor]:
    """Yield the tensors of floating numbers among some values, and in tuples and lists of these."""
    for value in values:
        for one in value if isinstance(value, tuple | list) else [value]:
            if isinstance(one, Tensor) and one.is_floating_point():
                yield one


def _gradients(value: Any, leaves: list[Tensor]) -> list[Tensor | None]:
    if any(leaf.grad is not None for leaf in leaves):
        raise Unusable(BACKWARD)
    _check_learning(leaves)
    parts = [part for part in floats([value]) if part.requires_grad]
    if not parts:
        return [None] * len(leaves)
    total = sum((p * torch.arange(p.numel()).cos().view(p.shape)).sum() for p in parts)
    return list(torch.autograd.grad(total, leaves, allow_unused=True))


def _check_learning(weights: Iterable[Tensor], model: nn.Module | None = None) -> None:
    """Raise Unusable where weights, or a model, are not left as training needs them."""
    if not all(weight.requires_grad for weight in weights):
        raise Unusable(FROZEN)
    if model is not None and not model.training:
        raise Unusable(EVAL)


def _pair(value: Any, names: str) -> Any:
    """Return what should be a pair. Raises Unusable if it is none."""
    if value is None:
        raise Unusable(NOTHING)
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise Unusable(
            _("{got} came back, expected is the pair ({names}).", got=kind(value), names=names)
        )
    return value


def _detached(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value


# ── 2. The exercises that need more than a call ─────────────────────────────────────────────────


def run_unroll(function: Function, cell: str, x: Tensor, state: Any, weights: Any) -> Any:
    """Return what unrolling one of PyTorch's cells gives, and its gradients."""
    return learn(function, CELLS[cell], x, state, weights)


def run_loss(function: Function, logits: Tensor, labels: Tensor) -> Any:
    """Return a loss, and its gradient with respect to the logits; labels do not learn."""
    return learn(lambda a: function(a, labels), logits)


# A batch of reviews and a piece of a stream, with the fields of the notebook's.
Batch = namedtuple("Batch", "text text_length label index")
Piece = namedtuple("Piece", "text target")


def _batch(text: Tensor, text_length: Tensor, label: Tensor) -> Batch:
    return Batch(text, text_length, label, torch.arange(len(label)).numpy())


def run_step(
    function: Function, vectors: Tensor, weight: Tensor, batches: Any, clip: float, rate: float
) -> Any:
    """Return all weights after some updates, and what the last call returned."""
    model = small_models.SmallModel(vectors, weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.5)
    for batch in batches:
        logits, loss = _pair(function(model, _batch(*batch), optimizer, clip), "logits, loss")
    _check_learning(model.parameters(), model)
    weights = (model.vectors.detach(), model.weight.detach())
    return *weights, _detached(logits), _detached(loss)


def run_training(
    function: Function, vectors: Tensor, weight: Tensor, batches: Any, rate: float
) -> Any:
    """Return all weights after a pass over some batches, and the mean loss that came back."""
    model = small_models.SmallModel(vectors, weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    loss = function(model, [_batch(*batch) for batch in batches], optimizer)
    if loss is None:
        raise Unusable(NOTHING)
    _check_learning(model.parameters(), model)
    return model.vectors.detach(), model.weight.detach(), _detached(loss)


class _Counter:
    """A language model whose next word is the last one plus the number of words read so far."""

    def __init__(self, words: int, sure: float) -> None:
        self.words, self.sure = words, sure  # sure: probability of that word; the rest, of the next

    def next_word(self, text: Tensor, state: int | None = None) -> tuple[Tensor, int]:
        if text.shape[1:] != (1,):
            raise Unusable(
                _("next_word is asked with {got}, expected is a text (T, 1).", got=kind(text))
            )
        count = (state or 0) + len(text)
        probability = torch.zeros(self.words)
        place = int(text[-1]) + count
        probability[place % self.words] = self.sure
        probability[(place + 1) % self.words] = 1 - self.sure
        return probability.log(), count


def choose(log_probability: Tensor, temperature: float = 1.0) -> Tensor:
    """Return the probabilities to draw from: of words with less than a tenth of the best, none.

    And each word has those of the word before it, so that nobody draws right who does not ask.
    """
    probability = torch.softmax(log_probability / temperature, dim=0)
    kept = torch.where(probability < probability.max() / 10, 0, probability).roll(1)
    return kept / kept.sum()


def run_sampling(
    function: Function, size: int, sure: float, words: Tensor, count: int, temperature: float
) -> Any:
    """Return the words with which a small language model continues a text.

    Where each has two that are as likely: the share of the second ones, to a half.
    """
    drawn = _one_by_one(function(_Counter(size, sure), choose, words, count, temperature))
    if sure != 0.5 or getattr(drawn, "shape", None) != (count,):
        return drawn
    drawn = 1.0 * torch.as_tensor(drawn)  # it may be an array, or of whole numbers
    before = torch.cat([words[-1:], drawn[:-1]])  # and as many words have been read
    seconds = (drawn - before - torch.arange(len(words), len(words) + count) - 1) % size
    return torch.round(2 * seconds.mean()) / 2


def run_pieces(function: Function, cell: str, weights: Any, vectors: Tensor, stream: Tensor) -> Any:
    """Return the losses of pieces, and the gradients of the last one."""
    model, state, losses = small_models.SmallReader(cell, weights, vectors), None, []
    for start in range(0, len(stream) - 1, 4):
        piece = Piece(stream[start : start + 4], stream[start + 1 : start + 5])
        loss, state = _pair(function(model, piece, state), "loss, state")
        if not isinstance(loss, Tensor) or loss.shape != ():
            raise Unusable(
                _("as loss, {got} came back, expected is a tensor of one number.", got=kind(loss))
            )
        losses.append(loss)
    _check_learning([], model)
    leaves = [*model.recurrent.parameters(), model.vectors]
    return torch.stack(losses), _gradients(losses[-1], leaves)


def run_gate(function: Function, weights: tuple[Tensor, ...], amount: float) -> Any:
    """Return the four blocks of the two biases' sum afterwards, and the other weights."""
    layer = small_models.layer_of(nn.LSTM, weights)
    function(layer, amount)
    _check_learning(layer.parameters())
    weights = (layer.bias_ih_l0 + layer.bias_hh_l0, layer.weight_ih_l0, layer.weight_hh_l0)
    return tuple(map(_detached, weights))


def run_gradient(function: Function, cell: str, x: Tensor, h: Tensor, weights: Any) -> Any:
    """Return the gradients by step, for weights that learn."""
    weights = tuple(weight.requires_grad_() for weight in weights)  # as those of a layer are
    return _one_by_one(function(CELLS[cell], x, h, weights))


def _one_by_one(value: Any) -> Any:
    """Return a list of single numbers as a tensor, and whatever else as it is."""
    try:
        many = isinstance(value, tuple | list)
        return torch.tensor([float(v) for v in value]) if many else _detached(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):  # no list of numbers
        return value


def run_beliefs(
    function: Function, vectors: Tensor, weights: Any, out: Tensor, bias: Tensor, text: Tensor
) -> Any:
    """Return what a small classifier believes after each word of a text."""
    return _one_by_one(function(small_models.SmallClassifier(vectors, weights, out, bias), text))


def run_by_hand(function: Function, h: Tensor, w_hh: Tensor, e: Tensor) -> Any:
    """Return a gradient by the weights, with the notebook's `backward_states` at hand."""
    scope = getattr(getattr(function, "function", function), "__globals__", {})
    scope.setdefault(
        "backward_states", small_models.backward_states
    )  # each check brings what it needs
    return function(h, w_hh, e)


def run_numbers(function: Function, *arguments: Any) -> Any:
    """Return what a function gives, which may be a list of numbers."""
    return _one_by_one(function(*arguments))


def run_surprise(function: Function, weights: Any, vectors: Tensor, text: Any, read: Any) -> Any:
    """Return the surprise of each word of a text for a small language model."""
    return _one_by_one(function(small_models.SmallReader("GRU", weights, vectors), text, read))


def run_perturbation(
    function: Function, read: Tensor, length: Tensor, weights: Any, labels: Tensor, epsilon: float
) -> Any:
    """Return the shift of vectors read (T, B, E), found from the loss of a small network.

    weights: (E, H) and (H,). Raises Unusable where the network cannot learn from the loss after it,
    or would learn through the shift.
    """
    first, second = (weight.requires_grad_() for weight in weights)
    shift = torch.zeros_like(read, requires_grad=True)
    inside = torch.arange(len(read))[:, None] < length  # (T, B)
    states = torch.tanh((read + shift) @ first) * inside[:, :, None]  # (T, B, H)
    loss = F.binary_cross_entropy_with_logits(states.sum(0).tanh() @ second, labels)
    found = function(loss, shift, epsilon)
    if first.grad is not None or shift.grad is not None:
        raise Unusable(BACKWARD)
    try:
        torch.autograd.grad(loss, [first, second])
    except RuntimeError:
        raise Unusable(GONE) from None
    if isinstance(found, Tensor) and found.requires_grad:
        raise Unusable(THROUGH)
    return found
