"""Loss, update, mean over reviews."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, nn

from lab.exercises import harness, solutions
from lab.exercises.harness import Function
from lab.exercises.solutions import binary_loss, training_step
from lab.exercises.tasks.task import Example, Task


def _loss_inputs(generator: Generator) -> list[Example]:
    logits = 2 * torch.randn(6, generator=generator)
    labels = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0, 0.0])
    large = torch.tensor([200.0, -200.0, 150.0])
    return [
        Example("six logits and labels", (logits, labels)),
        Example(
            "logits 0 (it knows nothing)", (torch.zeros(4), torch.tensor([0.0, 1.0, 1.0, 0.0]))
        ),
        Example("logits of 200 and -200", (large, torch.tensor([1.0, 0.0, 0.0]))),
    ]


BINARY_LOSS = Task(
    _loss_inputs,
    binary_loss,
    {
        "the sum of the losses, not their mean": lambda a, y: binary_loss(a, y) * len(a),
        "each review's loss: one number, their mean, is wanted":
            lambda a, y: F.binary_cross_entropy_with_logits(a, y, reduction="none"),
        "the loss with its sign turned": lambda a, y: -binary_loss(a, y),
        "the loss of sigma(a) in the place of a: sigma is taken twice":
            lambda a, y: binary_loss(a.sigmoid(), y),
        "the loss in bits: ln is the natural logarithm":
            lambda a, y: binary_loss(a, y) / math.log(2),
        "the loss of the good reviews alone": lambda a, y: (F.softplus(-a) * y).mean(),
    },
    forbidden=dict.fromkeys(
        ("binary_cross_entropy_with_logits", "binary_cross_entropy", "soft_margin_loss"),
        "write the formula",
    ),
)  # fmt: skip


def _step_inputs(generator: Generator) -> list[Example]:
    vectors, weight = (torch.randn(*s, generator=generator) for s in ((6, 4), (4,)))
    draw = partial(torch.randint, generator=generator)
    batches = [
        (draw(0, 6, (3, 5)), torch.full((5,), 3), draw(0, 2, (5,)).float()) for _ in range(3)
    ]
    first = batches[:1]
    return [
        Example(
            "one update of a small model: 6 vectors, 4 weights", (vectors, weight, first, 10.0)
        ),
        Example("three updates, one after the other", (vectors, weight, batches, 10.0)),
        Example("a gradient longer than clip_norm", (20 * vectors, weight, first, 0.1)),
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
        "a step that does not empty the gradient first (zero_grad)": _accumulating,
        "a step without clipping": lambda m, b, o, clip: training_step(m, b, o, math.inf),
        "a step that clips at 1, whatever clip_norm says":
            lambda m, b, o, clip: training_step(m, b, o, 1.0),
        "a step that clips each number by itself, not the gradient's length": _clamps,
        "a step down the loss of sigma(logits): sigma is taken twice":
            partial(_descends, lambda a, y: binary_loss(a.sigmoid(), y)),
        "a step down the sum of the losses, not their mean":
            partial(_descends, lambda a, y: binary_loss(a, y) * len(a)),
        "the right step, with loss and logits exchanged": lambda *a: training_step(*a)[::-1],
        "no step: the weights stay as they were (zero_grad, then backward, then step)": _only_loss,
    },
    harness.run_step,
    parts=("the vectors afterwards", "the weights afterwards", "the logits", "the loss"),
)  # fmt: skip
