"""The rubric of course/rubric.md as data: rules for all texts, criteria and examples of each."""

from __future__ import annotations

import re
from typing import NamedTuple

from lab.config import ROOT

EXERCISE = re.compile(r"^## `([a-z0-9-]+)` · ", re.MULTILINE)
CRITERION = re.compile(r"^\* `([a-z])` · ([\d.]+) · (.+(?:\n  .+)*)\n?", re.MULTILINE)


class Criterion(NamedTuple):
    """What has points of its own in an answer."""

    letter: str
    points: float
    text: str  # in Markdown

    @property
    def plain(self) -> str:
        """The text without Markdown's marks: by it a translation is found."""
        return re.sub(r"[*`]", "", self.text)


class Entry(NamedTuple):
    """What the rubric says of an exercise."""

    criteria: tuple[Criterion, ...] = ()
    examples: str = ""  # in Markdown


class Rubric(NamedTuple):
    """What holds for all texts, in Markdown; and for each exercise."""

    rules: str
    entries: dict[str, Entry]

    def of(self, exercise: str) -> Entry:
        """Return what it says of an exercise; an empty entry of one that it does not know."""
        return self.entries.get(exercise, Entry())


def read() -> Rubric:
    """Return the rubric of the course."""
    return parse((ROOT / "course" / "rubric.md").read_text(encoding="utf-8"))


def parse(text: str) -> Rubric:
    """Return a rubric. A criterion is a line "* `letter` · points · text" below its exercise."""
    rules, *parts = EXERCISE.split(text)
    return Rubric(
        rules.partition("\n")[2].strip(),
        {name: _entry(part) for name, part in zip(parts[::2], parts[1::2], strict=True)},
    )


def _entry(part: str) -> Entry:
    below = part.partition("\n")[2]
    criteria = (
        Criterion(letter, float(points), " ".join(words.split()))
        for letter, points, words in CRITERION.findall(below)
    )
    return Entry(tuple(criteria), CRITERION.sub("", below).strip())
