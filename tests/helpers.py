"""What several test files need: records of small runs, and what of a run must not change."""

import torch

from lab import files
from lab.fingerprint import Code
from lab.runs import RunRecord

CODE = Code("code")  # where the code of a training is not what is tested


class Killed(BaseException):
    """Stands for a process that is gone at once."""


def record_of(settings, data, folder):
    """Return the record of a small run."""
    return RunRecord(settings, data.fingerprint, CODE.of(settings), folder)


def outcome(record):
    """Return everything a run leaves that must not depend on how it came about."""
    timing = ("seconds", "tokens_per_second")
    curve = [{k: v for k, v in row.items() if k not in timing} for row in record.curve]
    weights = torch.load(record.folder / "best.pt", weights_only=True)
    probability = files.load_arrays(record.folder / "test.npz")["probability"]
    return curve, {k: v.tolist() for k, v in weights.items()}, probability.tolist()
