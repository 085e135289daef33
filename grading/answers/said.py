"""What `check` had said when the notebook was saved: it stands in the outputs of its cells.

It gives no points, for anybody can write it. Where it says more than the grade, a teacher looks.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lab.base.messages import languages, recognizer
from lab.exercises import check
from lab.exercises.catalogue import ASKED

TOLD = (check.RIGHT, check.NOT_YET, check.RECORDED)
LONGEST = 200  # characters of a line that can be one of these
MOST = 50_000  # characters of a cell's output that are read


def points(cells: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the most points that the stored outputs of a notebook's checks give each exercise."""
    best: dict[str, float] = {}
    for cell in cells:
        for line in _printed(cell):
            name, reached = _told(line)
            if name:
                best[name] = max(reached, best.get(name, 0))
    return best


def _printed(cell: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that a cell's outputs hold, as far as a check may have printed them."""
    outputs, left = cell.get("outputs"), MOST
    for output in outputs if isinstance(outputs, list) else ():
        text = output.get("text") if isinstance(output, dict) else None
        text = "".join(map(str, text)) if isinstance(text, list) else text
        if isinstance(text, str):
            yield from (line for line in text[:left].split("\n") if len(line) <= LONGEST)
            left = max(0, left - len(text))


def _told(line: str) -> tuple[str, float]:
    """Return the exercise that a line tells of, "" if none, and its points."""
    for found in filter(None, (pattern.fullmatch(line) for pattern in _patterns())):
        parts = found.groupdict()
        exercise = ASKED.get(parts["name"])
        if exercise and (exercise.kind == "guess" or "points" in parts):
            with contextlib.suppress(ValueError):  # it was no number
                told = float(parts.get("points", exercise.points))
                return parts["name"], min(told, exercise.points)
    return "", 0.0


@functools.cache
def _patterns() -> list[re.Pattern[str]]:
    """Return what these sentences look like in each language."""
    known = [recognizer(text, language) for language in languages() for text in TOLD]
    return list(dict.fromkeys(known))
