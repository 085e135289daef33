"""How far two readers of the same texts agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from grading.graded import Graded
from lab.exercises.catalogue import ASKED

FEWEST = 5  # texts that two have read, for a kappa to say anything


class Agreement(NamedTuple):
    """Two readings of each of some texts: how often they say the same."""

    exercise: str
    count: int  # pairs of readings
    same: float  # share of them with the same points
    kappa: float | None  # Cohen's, with quadratic weights; None where it says nothing
    apart: float  # mean difference, in points


def of(everybody: Sequence[Graded]) -> list[Agreement]:
    """Return the agreement on each exercise of which a text was read twice."""
    pairs: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for one in everybody:
        texts: defaultdict[tuple[str, str], dict[str, float]] = defaultdict(dict)
        for row in one.readings if not one.partner else ():
            if row.points is not None:
                texts[row.exercise, row.text][row.reader] = row.points
        for (exercise, _), readers in texts.items():
            pairs[exercise] += combinations([readers[name] for name in sorted(readers)], 2)
    return [_agreement(name, pairs[name]) for name in ASKED if pairs[name]]


def _agreement(exercise: str, pairs: Sequence[tuple[float, float]]) -> Agreement:
    same = sum(first == second for first, second in pairs) / len(pairs)
    apart = sum(abs(first - second) for first, second in pairs) / len(pairs)
    return Agreement(exercise, len(pairs), same, _kappa(exercise, pairs), apart)


def _kappa(exercise: str, pairs: Sequence[tuple[float, float]]) -> float | None:
    """Return Cohen's kappa over half points, where a difference counts by its square."""
    halves = [[round(2 * points) for points in ones] for ones in zip(*pairs, strict=True)]
    if len(pairs) < FEWEST or len({*halves[0], *halves[1]}) < 2:
        return None
    from sklearn.metrics import cohen_kappa_score  # a second to import, and seldom needed

    steps = range(2 * ASKED[exercise].points + 1)
    return float(cohen_kappa_score(*halves, labels=[*steps], weights="quadratic"))
