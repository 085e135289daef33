"""All that persons decided about a class, put on its rows."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from grading.graded import Graded, Override, Reading
from grading.records import late, overrides, pairs, readings

READ = "points_read.csv"
KEPT = "kept/points_read.csv"  # what of it is known; nothing is taken out of it


class Decided(NamedTuple):
    """What stands in the tables of a folder of grades."""

    where: Path
    kept: list[Reading]
    found: list[Reading]
    overrides: list[Override]
    pairs: list[pairs.Pair]
    rule: late.Rule | None


def read(where: Path, due: str = "", penalty: str = "") -> Decided:
    """Return what persons decided, of a folder of grades. Raises LabError for what is not whole.

    Points are read from points_read.csv and from every other points_read*.csv, as of assistants.
    """
    files = sorted(where.glob("points_read*.csv"))
    return Decided(
        where,
        readings.read(where / KEPT),
        [one for path in files for one in readings.read(path)],
        overrides.read(where / "overrides.csv"),
        pairs.read(where / "pairs.csv"),
        late.rule(due, penalty),
    )


class Time(NamedTuple):
    """When something was handed in."""

    when: datetime | None
    source: str
    late: bool | None = None  # what the platform itself says


def applied(
    everybody: Sequence[Graded], given: Decided, times: Mapping[str, Time]
) -> tuple[list[Graded], list[Reading], list[str]]:
    """Return the rows with what was decided, all points of persons, and what to tell the teacher.

    times: by `who`
    """
    tied = readings.tied(given.found, everybody, given.where / READ)
    points = readings.merged(given.kept, tied)
    rows, notes = pairs.applied(everybody, given.pairs)
    by_student: defaultdict[str, list[Reading]] = defaultdict(list)
    for one in points:
        by_student[one.student].append(one)
    changed = overrides.by_who(given.overrides, rows)
    done = []
    for one in rows:
        whose = [who for who in (one.who, one.partner) if who]
        own = {o.exercise: o for who in whose[::-1] for o in changed.get(who, ())}
        read = tuple(r for who in whose for r in by_student.get(who, ()))
        if one.name:
            time = times.get(one.partner or one.who, Time(None, ""))
            late_by = given.rule and late.judged(given.rule, *time)
            when = time.when.isoformat(timespec="minutes") if time.when else ""
            one = one._replace(
                readings=read, overrides=tuple(own.values()), late=late_by, time=when
            )
            done.append(_flagged(one, given.rule, time))
        else:
            done.append(one)
    present = {name for one in rows for name in (one.who, one.partner)}
    for what, ones in (("points_read.csv", by_student), ("overrides.csv", changed)):
        if strangers := sorted(ones.keys() - present):
            notes.append(f"{what} names who is not here: {', '.join(strangers[:10])}. They stay.")
    return done, points, notes


def _flagged(one: Graded, rule: late.Rule | None, time: Time) -> Graded:
    """Return a row with the points that count, and what the teacher must know of them."""
    points, flags = readings.counted(one)
    if one.late:
        flags.append(f"{one.late.days} days late by {one.late.source}")
    if rule and not time.when and one.result.marks:
        flags.append("when it was handed in is not known")
    return noted(one._replace(by_hand=points), flags)


def noted(one: Graded, flags: Sequence[str]) -> Graded:
    """Return a row with more flags for the teacher, who should look at it then."""
    if flags and one.result.status == "graded":
        one = one._replace(result=dataclasses.replace(one.result, status="review"))
    return one._replace(notes=(*one.notes, *flags))
