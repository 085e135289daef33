"""Which labels of the reader's own texts are 0 and which are 1."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pandas as pd

from lab import config
from lab.base.messages import _
from lab.config import LabError

# labels that tell what they are; of two others the first is 0, as the fewer of two stars
POSITIVE = {"1", "pos", "positive", "good", "true", "yes", "t", "y", "fresh",
            "正面", "好评", "积极"}  # fmt: skip
NEGATIVE = {"0", "-1", "neg", "negative", "bad", "false", "no", "f", "n", "rotten",
            "负面", "差评", "消极"}  # fmt: skip
NEUTRAL = {"neutral", "neu", "mixed", "中性", "中评"}
STARS = re.compile(r"(\d+(?:\.\d+)?) ?(?:stars?|星|分|/ ?\d+|out of \d+.*)", re.IGNORECASE)
SCALE = 11  # different numbers at most that are stars or points
LEAST = 100  # texts that differ; with fewer there is nothing to learn from and nothing to judge by
LEAST_OF_A_LABEL = 20  # texts that differ, or training reviews would have too few of it


def number_labels(path: Path, labels: pd.Series) -> dict[str, int]:
    """Return which labels are 0 and which are 1; rows with others are left out.

    Raises LabError if it is not clear which make two, or for too few rows.
    """
    counts = labels.value_counts()
    number = two_of(list(counts.index)) if len(labels) >= LEAST else dict.fromkeys(counts.index, 0)
    rows = int(counts[list(number)].sum())
    if rows < LEAST:
        raise LabError(
            _(
                "{path} has {rows:,} rows that can be read; at least {least} are needed.",
                path=path,
                rows=rows,
                least=LEAST,
            )
        )
    if set(number.values()) != {0, 1}:
        raise LabError(
            _(
                "{path} has {count} labels ({commonest}); the lab tells two apart. Set "
                "LAB2_POSITIVE to those that are 1, with commas between them, and LAB2_NEGATIVE "
                "to those that are 0.",
                path=path,
                count=len(counts),
                commonest=[f"{name!r} {count:,}" for name, count in counts[:6].items()],
            )
        )
    return number


def refuse_few(path: Path, labels: pd.Series, number: dict[str, int]) -> None:
    """Raise LabError for too few texts, of all or of one of two labels; each text stands once."""
    if len(labels) < LEAST:
        raise LabError(
            _(
                "{path} has {count:,} texts that differ and have one label each; at least {least} "
                "are needed.",
                path=path,
                count=len(labels),
                least=LEAST,
            )
        )
    for value in (0, 1):
        names = [name for name in number if number[name] == value]
        count = int(labels.isin(names).sum())
        if count < LEAST_OF_A_LABEL:
            raise LabError(
                _(
                    "{path} has {count} different texts with the label {names}; at least {least} "
                    "of each label are needed.",
                    path=path,
                    count=count,
                    names=list(map(repr, names)),
                    least=LEAST_OF_A_LABEL,
                )
            )


def two_of(labels: list[str]) -> dict[str, int]:
    """Return which labels are 0 and which are 1, as far as that can be told.

    The reader's word counts first. Of two, known words tell, or their order. Of more, known words
    do, or the place on a scale, as of stars: 40 % from below are 0, 40 % from above are 1.
    """
    positive, negative = (config.variables(name) for name in ("POSITIVE", "NEGATIVE"))
    if positive or negative:
        ones = {n: 1 for n in labels if n in positive or not (positive or n in negative)}
        return {n: 0 for n in labels if n in negative or not (negative or n in ones)} | ones
    words = {label: label.lower() for label in labels}
    if len(labels) == 2:
        first, second = sorted(labels, key=number_of)
        if number_of(second)[0] == math.inf and (
            words[first] in POSITIVE or words[second] in NEGATIVE
        ):
            first, second = second, first
        return {first: 0, second: 1}
    scale = sorted(labels, key=number_of)
    low, high = (number_of(scale[place])[0] for place in (0, -1))
    if len(labels) <= SCALE and high < math.inf:
        places = {label: (number_of(label)[0] - low) / (high - low or 1) for label in scale}
        return {label: int(p > 0.5) for label, p in places.items() if abs(p - 0.5) >= 0.1}
    if set(words.values()) <= POSITIVE | NEGATIVE | NEUTRAL:
        return {n: int(words[n] in POSITIVE) for n in sorted(labels) if words[n] not in NEUTRAL}
    return dict.fromkeys(labels, 0)


def number_of(label: str) -> tuple[float, str]:
    """Return what labels are sorted by: numbers and stars by size, then words by the alphabet."""
    stars = STARS.fullmatch(label)
    try:
        number = float(stars[1] if stars else label.count("★") or label.count("⭐") or label)
    except ValueError:
        number = math.inf
    return (number if math.isfinite(number) else math.inf), label
