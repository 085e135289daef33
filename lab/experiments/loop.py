"""The frame of a training: epochs, early stopping, and a record that survives a kill.

What one epoch does is the lesson's, and stands in the notebook; here is only what would hide it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lab.base.messages import _
from lab.experiments.run import RunRecord, best_epoch
from lab.experiments.settings import Settings

Row = dict[str, Any]  # of a curve: what is measured in an epoch


def fit(
    settings: Settings,
    record: RunRecord,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    train: Callable[[int, int], Row],
    validate: Callable[[], Row],
) -> list[Row]:
    """Train from where the record stands to the end, and load the best epoch; return the curve.

    train(epoch, seed) goes once through the data, and returns a row with train_loss and tokens;
    validate() returns one with valid_loss. What is random in an epoch depends on its seed alone, so
    that a run that was interrupted goes on with the same numbers.
    """
    curve = record.checkpoint.resume(model, optimizer)
    for epoch in range(len(curve) + 1, settings.epochs + 1):
        if curve and len(curve) - best_epoch(curve) >= settings.patience:
            break  # early stopping: it has got no better for so long
        seed = 1000 * settings.seed + epoch
        torch.manual_seed(seed)
        start = time.perf_counter()
        row = {"epoch": epoch} | train(epoch, seed)
        seconds = time.perf_counter() - start
        row |= validate() | {"seconds": seconds, "tokens_per_second": row["tokens"] / seconds}
        curve.append(row)
        record.checkpoint.save_epoch(model, optimizer, curve)
    record.checkpoint.load_best(model)
    return curve


def load_networks(
    records: Sequence[RunRecord], build: Callable[[Settings, Any], nn.Module], vectors: Any
) -> dict[str, nn.Module]:
    """Return the networks of finished runs with their best weights: name of the network -> model.

    build(settings, vectors): makes the network of a run. Raises LabError if weights are missing.
    """
    return {
        record.settings.network: record.checkpoint.load_best(build(record.settings, vectors)).eval()
        for record in records
    }


def falling_rate(
    batches: Iterable[Any],
    optimizer: torch.optim.Optimizer,
    settings: Settings,
    epoch: int,
    count: int,
) -> Iterator[Any]:
    """Yield the batches of an epoch, while the learning rate falls in a line to zero over the run.

    Of several groups of weights, each falls from its own rate. count: how many things (reviews,
    say) an epoch has; a batch holds settings.batch_size of them.
    """
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])  # goes with the optimizer into the checkpoint
    updates = math.ceil(count / settings.batch_size)  # in an epoch
    for update, batch in enumerate(batches):
        done = (epoch - 1 + update / updates) / settings.epochs
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * (1 - done)
        yield batch


def check_finite(loss: Tensor, update: int) -> None:
    """Raise FloatingPointError, naming the update, if a loss is not a finite number."""
    if not loss.isfinite():
        raise FloatingPointError(
            _("the loss is {loss} at update {update}", loss=loss.item(), update=update)
        )
