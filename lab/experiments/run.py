"""One run: how it is found again, and the state from which it goes on after a stop."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor, nn

from lab.base import files, hashing, machine
from lab.base.messages import _
from lab.config import LabError
from lab.experiments.settings import Settings

Curve = list[dict[str, float]]  # a row an epoch


def best_epoch(curve: Curve) -> int:
    """Return which epoch (from 1) has the lowest validation loss, the first of equals."""
    losses = [row["valid_loss"] for row in curve]
    return losses.index(min(losses)) + 1


class RunRecord:
    """Identity and folder of one run. The folder is never left half-written.

    settings.json  what was asked for, with the digests of data and code
    state.pt       weights, optimizer and curve after the last whole epoch, while running
    best.pt        weights of the epoch with the lowest validation loss
    curve.csv      one row per epoch
    test.npz       test probabilities, one per review
    result.json    the outcome, written last: a run with this file is finished
    failure.txt    why the run stopped, if it did; the next sweep tries it again

    A run is found again by the settings that differ from their defaults, by its data and by its
    code (see `hashing.py`). Versions and machine are recorded, and no part of that.
    """

    def __init__(self, settings: Settings, data: str, code: str, folder: Path) -> None:
        """`data` and `code` are digests, `folder` is where all runs live."""
        self.settings = settings
        self.sources = {"data": data, "code": code}
        identity = json.dumps({**settings.changed(), **self.sources}, sort_keys=True)
        slug = re.sub(r"[^a-z0-9]+", "-", settings.network.lower()).strip("-")
        self.name = f"{slug}-seed{settings.seed}-{hashing.digest(identity)[:8]}"
        self.folder = folder / self.name

    def __repr__(self) -> str:
        """In a notebook: what it is a run of, and what came out."""
        chosen, result = self.settings, self.result or {}
        rate = f"learning rate {chosen.learning_rate:g}"
        came = f"{len(self.curve)} of {chosen.epochs} epochs so far"
        if "test_accuracy" in result:
            came = f"{100 * result['test_accuracy']:.1f} % of the test reviews right"
        elif "perplexity" in result:
            came = f"perplexity {result['perplexity']:.1f}"
        return f"<{chosen.network}, seed {chosen.seed}, {rate}: {came}>"

    @property
    def checkpoint(self) -> Checkpoint:
        """The state of the run after its last whole epoch, and the weights of its best."""
        return Checkpoint(self)

    @property
    def asked(self) -> dict[str, Any]:
        """All settings, and the digests of data and code."""
        return {**dataclasses.asdict(self.settings), **self.sources}

    def lock(self) -> FileLock:
        """Return a lock that one process at a time can hold; others wait for it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / "lock")

    def clear(self) -> None:
        """Forget the run, so that it starts anew. Whoever calls this holds the lock."""
        for path in self.folder.glob("[!.]*.*"):  # not the lock, nor what is being written
            path.unlink()

    @property
    def curve(self) -> Curve:
        """One row per whole epoch so far."""
        try:
            return pd.read_csv(self.folder / "curve.csv").to_dict("records")
        except (OSError, ValueError):
            return []

    def save_curve(self, curve: Curve) -> None:
        """Write a row for each whole epoch."""
        text = pd.DataFrame(curve).to_csv(index=False)
        files.write_atomically(self.folder / "curve.csv", text.encode("utf-8"))

    @property
    def result(self) -> dict[str, Any] | None:
        """The outcome of a finished run; None without one, or if it or the curve is damaged."""
        try:
            result = json.loads((self.folder / "result.json").read_text(encoding="utf-8"))
            check = result.pop("check")
            return result if check == self._check(result) else None
        except (OSError, ValueError, AttributeError, KeyError):
            return None

    def has_other_code(self) -> bool:
        """Say whether a finished run differs from this one in nothing but its code."""
        asked = self.asked | {"code": ""}
        for path in self.folder.parent.glob(f"{self.name.rpartition('-')[0]}-*/result.json"):
            try:
                other = json.loads((path.parent / "settings.json").read_text(encoding="utf-8"))
                same = {**other, "code": ""}.items() <= asked.items()  # an old one has fewer
            except (OSError, ValueError, TypeError):
                continue
            if same and path.parent != self.folder:
                return True
        return False

    def _check(self, result: dict[str, Any]) -> str:
        """Return digits that change with any change of the outcome or the curve."""
        curve = (self.folder / "curve.csv").read_bytes()
        text = json.dumps(result, sort_keys=True)
        return hashing.digest(text, hashlib.sha256(curve).hexdigest())

    def finish(
        self, model: nn.Module, curve: Curve, outcome: dict[str, float], **arrays: NDArray[Any]
    ) -> None:
        """Write the outcome, and arrays to test.npz if there are any; now the run is finished.

        To the outcome come the losses of the best epoch, time, and the circumstances of the run.
        """
        self.save_curve(curve)  # a kill after the last epoch may have come between state and curve
        if arrays:
            files.save_arrays(self.folder / "test.npz", **arrays)
        seconds = sum(row["seconds"] for row in curve)
        best = best_epoch(curve)
        result = {
            "best_epoch": best,
            "parameters": sum(p.numel() for p in model.parameters()),
            **{k: v for k, v in curve[best - 1].items() if k.startswith(("train_", "valid_"))},
            **outcome,
            "seconds": seconds,
            "tokens_per_second": sum(row["tokens"] for row in curve) / seconds,
            "device": machine.name_of(next(model.parameters()).device),
            **machine.circumstances(),
        }
        result["check"] = self._check(result)
        content = json.dumps(result, indent=1).encode("utf-8")
        files.write_atomically(self.folder / "result.json", content)
        (self.folder / "state.pt").unlink(missing_ok=True)


class Checkpoint:
    """What a run needs to go on after an interruption, with the same numbers as without one."""

    def __init__(self, record: RunRecord) -> None:
        self.record = record
        self.folder = record.folder

    def resume(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> Curve:
        """Restore model and optimizer after the last whole epoch; return the curve so far.

        A new run returns an empty list. So does one with a damaged file: it says so and starts
        anew, for a curve without its weights is worth nothing.
        """
        curve: Curve = []
        # best.pt too: the epochs to come may not beat the best one
        loaded = {file: files.load_tensors(self.folder / file) for file in ("state.pt", "best.pt")}
        damaged = [file for file, content in loaded.items() if content is None]
        remains = [file for file in ("state.pt", "result.json") if (self.folder / file).exists()]
        if not damaged:
            state = loaded["state.pt"]
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            curve = state["curve"]
        elif remains or self.record.curve:
            print(
                _(
                    "{files} of run {run}: missing or damaged; the run starts anew.",
                    files=damaged,
                    run=self.record.name,
                )
            )
            self.record.clear()
        asked = json.dumps(self.record.asked, indent=1).encode("utf-8")
        files.write_atomically(self.folder / "settings.json", asked)
        (self.folder / "failure.txt").unlink(missing_ok=True)
        return curve

    def save_epoch(self, model: nn.Module, optimizer: torch.optim.Optimizer, curve: Curve) -> None:
        """Write the state after an epoch; keep its weights if its validation loss is the best.

        Raises FloatingPointError, before anything is written, if a loss is not finite.
        """
        last = curve[-1]
        if not math.isfinite(last["train_loss"] + last["valid_loss"]):
            raise FloatingPointError(_("the loss is not finite in epoch {epoch}", epoch=len(curve)))
        if best_epoch(curve) == len(curve):
            self._save("best.pt", model.state_dict())
        # NumPy's numbers would be refused when the file is read: it is read without pickle
        plain = [{k: getattr(v, "item", lambda v=v: v)() for k, v in row.items()} for row in curve]
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "curve": plain}
        self._save("state.pt", state)
        self.record.save_curve(curve)

    def _save(self, file: str, content: dict[str, Any]) -> None:
        buffer = io.BytesIO()
        torch.save(content, buffer)
        files.write_atomically(self.folder / file, buffer.getvalue())

    def load_best(self, model: nn.Module) -> nn.Module:
        """Load the weights of the best epoch into `model`, and return it.

        Raises LabError if they are missing or damaged.
        """
        model.load_state_dict(self.weights_of(self.record.name))
        return model

    def weights_of(self, name: str) -> dict[str, Tensor]:
        """Return the best weights of a run in the same folder, by its name.

        Raises LabError if they are missing or damaged, or those of another run that is under way:
        what starts from them would be stored as started from the finished one.
        """
        folder = self.folder.parent / name
        under_way = (folder / "state.pt").exists() and not (folder / "result.json").exists()
        if under_way and name != self.record.name:
            raise LabError(
                _(
                    "Run {run} is not finished, and others start from it. Run the cell that "
                    "trains it again: it goes on where it was.",
                    run=name,
                )
            )
        weights = files.load_tensors(folder / "best.pt")
        if weights is None:
            raise LabError(
                _(
                    "Run {run} has no usable weights. Delete its folder, {folder}, and run the "
                    "cell that trains it again.",
                    run=name,
                    folder=folder,
                )
            )
        return weights
