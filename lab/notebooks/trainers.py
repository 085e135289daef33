"""Which of the notebooks' trainings makes a run, and finds it again by its code."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lab.base.hashing import CodeHash
from lab.experiments.settings import Settings
from lab.notebooks import lesson, parallel, past, recipes, transfer


class Training(NamedTuple):
    """A function that trains a run, and what tells its code from others."""

    train: Callable[..., None]
    code: CodeHash


SHIFTED = {"adversarial", "virtual", "random_shift"}
STARTED = {"pretrained", "labelled"}
VARIED = {"bidirectional", "readout", "embedding_dropout", "dropout", "vectors", "keep"}


def training_of(settings: Settings) -> Training:
    """Return the training of a run with these settings."""
    if settings.cell in parallel.READERS:
        if settings.network.endswith(" LM"):
            return Training(parallel.train_reading, parallel.reading_code_hash)
        return Training(parallel.train_reader, parallel.reader_code_hash)
    if settings.network.endswith(" LM"):
        return Training(lesson.train_language, lesson.language_code_hash)
    if settings.options() & SHIFTED:
        return Training(past.train_shifted, past.shifted_code_hash)
    if settings.options() & STARTED:
        if settings.options() & (VARIED | {"pretrained_back"}):
            return Training(transfer.train_pretrained, transfer.pretrained_code_hash)
        return Training(transfer.train_transfer, transfer.transfer_code_hash)
    if settings.options() & VARIED:
        return Training(recipes.train_variant, recipes.variant_code_hash)
    return Training(lesson.train_run, lesson.code_hash)
