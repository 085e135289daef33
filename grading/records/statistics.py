"""Each exercise in numbers, over a class: statistics.csv."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from grading.graded import Graded, as_csv, harmless, number, points_of, score_of
from lab.exercises.catalogue import ASKED, FURTHER, LAB, in_range, letter

FEWEST = 5  # hand-ins, for a correlation to say anything


class Exercise(NamedTuple):
    """An exercise over a class. What is not known is None or empty."""

    exercise: str
    most: int
    count: int  # hand-ins whose points are known
    share: float | None  # of its points
    right: int  # with all points
    empty: int  # with nothing written
    mistake: str  # the commonest
    times: int  # how often that
    discrimination: float | None  # correlation of its points with those of all other exercises
    predictions: dict[str, list[float]]  # what is asked for ("" if one number) -> sorted values
    letters: dict[str, int]


def of(everybody: Sequence[Graded]) -> list[Exercise]:
    """Return the statistics of each exercise that somebody answered or should have."""
    ones = [one for one in everybody if score_of(one) is not None and not one.partner]
    names = [n for n in (*LAB, *FURTHER) if any(n in one.result.marks for one in ones)]
    return [_exercise(name, ones) for name in names]


def _exercise(name: str, ones: Sequence[Graded]) -> Exercise:
    known = [(one, p) for one in ones if (p := points_of(one, name)) is not None]
    most, points = ASKED[name].points, [p for _, p in known]
    marks = [one.result.marks[name] for one in ones if name in one.result.marks]
    wrong = Counter(
        mark.group for mark in marks
        if mark.group not in ("", "empty") and mark.points is not None and mark.points < mark.most
    )  # fmt: skip
    mistake, times = max(wrong.items(), key=lambda item: (item[1], item[0]), default=("", 0))
    values = [mark.value for mark in marks if mark.value]
    return Exercise(
        name, most, len(known), sum(points) / len(points) / most if points and most else None,
        sum(p >= most for p in points), sum(mark.group == "empty" for mark in marks), mistake,
        times, _discrimination(name, known),
        _predictions(name, values) if ASKED[name].kind == "guess" else {},
        _letters(name, values) if ASKED[name].kind == "choice" else {},
    )  # fmt: skip


def _discrimination(name: str, known: Sequence[tuple[Graded, float]]) -> float | None:
    """Return the corrected item-total correlation; None where it says nothing."""
    points = np.array([p for _, p in known])
    others = np.array([score_of(one) - (p if name in LAB else 0) for one, p in known])
    if len(points) < FEWEST or np.ptp(points) == 0 or np.ptp(others) < 1e-9:
        return None
    return float(np.corrcoef(points, others)[0, 1])


def _value(text: str) -> object:
    """Return the value that was written; what must be computed stays a text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _predictions(name: str, values: Sequence[str]) -> dict[str, list[float]]:
    key, found = ASKED[name].key, defaultdict(list)
    for value in map(_value, values):
        if key is not str and in_range(value, key):  # a word has no place on an axis
            for part, x in (value if isinstance(value, dict) else {"": value}).items():
                found[str(part)].append(float(x))
    return {part: sorted(ones) for part, ones in found.items()}


def _letters(name: str, values: Sequence[str]) -> dict[str, int]:
    """Return how often each letter was chosen; what is no letter counts as "other"."""
    said = [letter(value) for value in map(_value, values)]
    return dict(sorted(Counter(x if x in [*ASKED[name].key] else "other" for x in said).items()))


def table(exercises: Sequence[Exercise]) -> str:
    """Return statistics.csv: a row an exercise, and one more for each part of a prediction."""
    head = ["exercise", "part", "points", "hand_ins", "share", "right", "empty", "mistake",
            "mistake_times", "discrimination", "lowest", "quartile_1", "median", "quartile_3",
            "highest", "letters"]  # fmt: skip
    rows = []
    for one in exercises:
        share = "" if one.share is None else f"{one.share:.3f}"
        item = "" if one.discrimination is None else f"{one.discrimination:.2f}"
        letters = " ".join(f"{name}:{count}" for name, count in one.letters.items())
        row = [one.most, one.count, share, one.right, one.empty, harmless(one.mistake), one.times,
               item]  # fmt: skip
        rows.append([one.exercise, "", *row, *_spread(one.predictions.get("", [])), letters])
        for part, values in one.predictions.items():
            if part:
                rows.append([one.exercise, harmless(part), *[""] * 8, *_spread(values), ""])
    return as_csv([head, *rows])


def _spread(values: Sequence[float]) -> list[str]:
    quartiles = np.percentile(values, (0, 25, 50, 75, 100)) if values else []
    return [number(float(x)) for x in quartiles] or [""] * 5
