"""Loss, update, a loop with errors."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, nn

from lab.base.messages import _
from lab.exercises import harness, solutions
from lab.exercises.harness import Function
from lab.exercises.solutions import binary_loss, train_once, training_step
from lab.exercises.tasks.task import Example, Task


def _loss_inputs(generator: Generator) -> list[Example]:
    logits = 2 * torch.randn(6, generator=generator)
    labels = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0, 0.0])
    near_zero = torch.tensor([0.01, -0.01, 0.02, -0.03])  # at 0 itself a right formula may bend
    sure = torch.tensor([200.0, -200.0, 150.0, -150.0, 150.0])
    return [
        Example(_("six logits and labels"), (logits, labels)),
        Example(
            _("logits near 0 (it knows nothing)"),
            (near_zero, torch.tensor([0.0, 1.0, 1.0, 0.0])),
        ),
        Example(
            _("logits of 200 and 150"),
            (sure, torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0])),
            trap=SURE,
        ),
    ]


SURE = _(
    "Here sigma(a) is rounded to 0 or 1, or exp(a) is infinite. A sure and wrong answer must cost "
    "150 here (30 is the mean of five): with an epsilon or a clamp no loss is larger than 18 or "
    "so. Find ln sigma(a) in one go."
)

BINARY_LOSS = Task(
    _loss_inputs,
    binary_loss,
    {
        _("the sum of the losses, not their mean"): lambda a, y: binary_loss(a, y) * len(a),
        _("each review's loss: one number, their mean, is wanted"):
            lambda a, y: F.binary_cross_entropy_with_logits(a, y, reduction="none"),
        _("the loss with its sign turned"): lambda a, y: -binary_loss(a, y),
        _("the loss of sigma(a) in the place of a: sigma is taken twice"):
            lambda a, y: binary_loss(a.sigmoid(), y),
        _("the loss in bits: ln is the natural logarithm"):
            lambda a, y: binary_loss(a, y) / math.log(2),
        _("the loss of the good reviews alone"): lambda a, y: (F.softplus(-a) * y).mean(),
        _("the loss of the bad reviews alone"): lambda a, y: (F.softplus(a) * (1 - y)).mean(),
        _("ln sigma(a) in both terms: the second takes -a, for 1 - sigma(a) is sigma(-a)"):
            lambda a, y: F.softplus(-a).mean() + 0 * y.sum(),
        _("1 - ln sigma(a) in the second term: wanted is ln(1 - sigma(a))"):
            lambda a, y: (y * F.softplus(-a) - (1 - y) * (1 + F.softplus(-a))).mean(),
        _("the squared error of sigma(a)"): lambda a, y: (y - a.sigmoid()).square().mean(),
        _("ln of the logits: ln of their sigma is wanted"):
            lambda a, y: -(y * a.log() + (1 - y) * (1 - a).log()).mean(),
        _("the loss with its labels exchanged"): lambda a, y: binary_loss(a, 1 - y),
    },
    harness.run_loss,
    learns=("logits",),
    forbidden=r"(?i)[.\w]loss|cross_entropy|kl_div",
    instead=_("write the formula instead."),
)  # fmt: skip


def _step_inputs(generator: Generator) -> list[Example]:
    vectors, weight = (torch.randn(*s, generator=generator) for s in ((6, 4), (4,)))
    draw = partial(torch.randint, generator=generator)
    batches = [
        (draw(0, 6, (3, n)), torch.full((n,), 3), draw(0, 2, (n,)).float()) for n in (5, 4, 7)
    ]
    first, label = batches[:1], _("one update of a small model: 6 vectors, 4 weights")
    steep = (100 * vectors, weight / 100)  # the same logits, and none is rounded to a sure one
    return [
        Example(label, (vectors, weight, first, 10.0, 0.5)),
        Example(_("three updates, one after the other"), (vectors, weight, batches, 10.0, 0.3)),
        Example(_("a gradient longer than clip_norm"), (*steep, first, 0.1, 0.2)),
    ]


def _accumulating(model: nn.Module, batch: Any, optimizer: Any, clip_norm: float) -> Any:
    """A step that does not empty the gradient of the step before."""
    before = [w.grad for w in model.parameters()]
    logits, loss = _only_loss(model, batch)
    now = torch.autograd.grad(loss, list(model.parameters()))
    for weight, old, new in zip(model.parameters(), before, now, strict=True):
        weight.grad = new if old is None else old + new
    nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    optimizer.step()
    return logits, loss


def _descends(other_loss: Function, model: nn.Module, batch: Any, *rest: Any) -> Any:
    """A step down another loss, of logits and labels."""
    logits = model(batch.text, batch.text_length)
    loss = other_loss(logits, batch.label)
    solutions.descend(model, loss, *rest)
    return logits, loss


def _clamps(model: nn.Module, batch: Any, optimizer: Any, clip_norm: float) -> Any:
    """A step that clips each number of the gradient by itself."""
    for weight in model.parameters():
        weight.register_hook(lambda gradient: gradient.clamp(-clip_norm, clip_norm))
    return training_step(model, batch, optimizer, math.inf)


def _only_loss(model: nn.Module, batch: Any, *_: Any) -> Any:
    logits = model(batch.text, batch.text_length)
    return logits, binary_loss(logits, batch.label)


TRAINING_STEP = Task(
    _step_inputs,
    training_step,
    {
        _("a step that does not empty the gradient first (zero_grad)"): _accumulating,
        _("a step without clipping: clip_grad_norm_ stands after backward, and before step"):
            lambda m, b, o, clip: training_step(m, b, o, math.inf),
        _("a step that clips at 1, whatever clip_norm says"):
            lambda m, b, o, clip: training_step(m, b, o, 1.0),
        _("a step that clips each number by itself, not the gradient's length"): _clamps,
        _("a step down the loss of sigma(logits): sigma is taken twice"):
            partial(_descends, lambda a, y: binary_loss(a.sigmoid(), y)),
        _("a step down the sum of the losses, not their mean"):
            partial(_descends, lambda a, y: binary_loss(a, y) * len(a)),
        _("a step down the squared error of sigma(logits)"):
            partial(_descends, lambda a, y: F.mse_loss(a.sigmoid(), y)),
        _("a step that takes good reviews for bad ones"):
            partial(_descends, lambda a, y: binary_loss(a, 1 - y)),
        _("the right step, with loss and logits exchanged"): lambda *a: training_step(*a)[::-1],
        _("no step: the weights stay as they were (zero_grad, then backward, then step)"):
            _only_loss,
    },
    harness.run_step,
    parts=(_("the vectors afterwards"), _("the weights afterwards"), _("the logits"),
           _("the loss")),
)  # fmt: skip


def _bug_inputs(generator: Generator) -> list[Example]:
    vectors, weight = (torch.randn(*s, generator=generator) for s in ((6, 4), (4,)))
    draw = partial(torch.randint, generator=generator)
    batches = [(draw(0, 6, (5, n)), draw(1, 6, (n,)), draw(0, 2, (n,)).float()) for n in (6, 6, 2)]
    return [
        Example(_("three batches, the last of them small"), (vectors, weight, batches, 0.5)),
        Example(_("two batches"), (vectors, weight, batches[1:], 0.3)),
        Example(_("one batch"), (vectors, weight, batches[:1], 0.5)),
    ]


def _loop(model: nn.Module, batches: Any, optimizer: Any, *errors: str) -> float:
    """The loop of the exercise with some errors; "sum": a batch's mean loss is counted once."""
    losses, sizes = [], []
    for batch in batches:
        length = batch.text_length
        length = torch.full_like(length, len(batch.text)) if "padding" in errors else length
        loss = binary_loss(model(batch.text, length), batch.label)
        if "kept" not in errors:
            optimizer.zero_grad()
        loss.backward()
        if "clipping" in errors:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if "no step" not in errors:
            optimizer.step()
        losses.append(loss.item())
        sizes.append(1 if "mean" in errors else len(batch.label))
    weights = [1] * len(sizes) if "sum" in errors else sizes
    return sum(a * b for a, b in zip(losses, weights, strict=True)) / sum(sizes)


def _with(*errors: str) -> Function:
    return lambda model, batches, optimizer: _loop(model, batches, optimizer, *errors)


LOOPS = {
    _("the loop as it was handed out: it has three errors"): _with("padding", "kept", "mean"),
    _("a loop with two of the three errors: look at what a batch leaves behind for the next one, "
      "and at what is divided by what"): _with("kept", "mean"),
    _("a loop with two of the three errors: look at what the model is told of padding, and at "
      "what is divided by what"): _with("padding", "mean"),
    _("a loop with two of the three errors: look at what the model is told of padding, and at "
      "what a batch leaves behind for the next one"): _with("padding", "kept"),
    _("a loop with one error left: padding is read as if it were words"): _with("padding"),
    _("a loop with one error left: the gradients of earlier batches are still there"):
        _with("kept"),
    _("a loop with one error left: a mean over batches, of which the last may be small"):
        _with("mean"),
    _("a loop whose sum has each batch once, and is divided by all reviews"): _with("sum"),
    _("a loop without step, or with the gradient emptied before it"): _with("no step"),
    _("a loop with clipping: it was to have none"): _with("clipping"),
}  # fmt: skip

FIND_BUG = Task(
    _bug_inputs,
    train_once,
    LOOPS,
    harness.run_training,
    parts=(_("the vectors afterwards"), _("the weights afterwards"), _("the mean loss")),
    near={
        label: found / 3
        for label in LOOPS
        for found, words in ((1, "two of the three errors"), (2, "one error left"))
        if words in label
    },
)
