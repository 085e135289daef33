"""Points in the place of others, a machine's or a person's: overrides.csv, written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from grading.graded import MOST, Graded, Override
from grading.records import tables
from lab.config import LabError
from lab.exercises.catalogue import ASKED

LATE = "late"  # the points that are taken for lateness, as if it were an exercise


def read(path: Path) -> list[Override]:
    """Return the rows of a table of overrides. Raises LabError for the first that is not whole."""
    return [_override(row) for row in tables.read(path, Override._fields)]


def _override(row: tables.Row) -> Override:
    name = row["exercise"]
    if name != LATE and not (name in ASKED and ASKED[name].points):
        raise row.wrong(f"there is no exercise {name!r} with points")
    for head in ("student", "reason", "who"):
        if not row[head]:
            raise row.wrong(f"the column {head!r} is empty")
    points = tables.points(row, MOST if name == LATE else ASKED[name].points)
    return Override(row["student"], name, points, row["reason"], row["who"], tables.moment(row))


def by_who(
    overrides: Sequence[Override], everybody: Sequence[Graded]
) -> dict[str, dict[str, Override]]:
    """Return overrides by whose points they change, and exercise; of two the later counts.

    Who is nobody's name here keeps theirs under that name. Raises LabError if several may be
    meant, or no time tells which of two counts.
    """
    known, found = tables.named(everybody), {}
    for one in overrides:
        row = tables.the_one(one.student, known, "overrides.csv")
        of = found.setdefault(row.who if row else one.student, {})
        other = of.setdefault(one.exercise, one)
        if one.points != other.points and not (one.when and other.when and one.when != other.when):
            raise LabError(
                f"overrides.csv gives {one.student!r} two numbers of points for {one.exercise}. "
                "Write into `when` which is later, or take one away."
            )
        of[one.exercise] = max(other, one, key=lambda row: tables.instant(row.when))
    return found
