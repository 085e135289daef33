"""All that persons decided about a class, put on its rows."""

from __future__ import annotations

import dataclasses
import json
from collections import ChainMap, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from grading.graded import Graded, Override, Reading, plural
from grading.records import late, overrides, pairs, readings
from grading.submissions import Submission

READ = "points_read.csv"
KEPT = "kept/points_read.csv"  # what of it is known; nothing is taken out of it
DEADLINE = "kept/deadline.json"  # as it was said last: [due, penalty]
TIMES = "kept/times.json"  # who -> [ISO time, digest of the hand-in, and the rest of a `Time`]
BY_TABLE, BY_FILE = "the platform's table", "its file's time"


class Decided(NamedTuple):
    """What stands in the tables of a folder of grades."""

    where: Path
    kept: list[Reading]
    found: list[Reading]
    overrides: list[Override]
    pairs: list[pairs.Pair]
    deadline: tuple[str, str]  # as the command line says it, now or before
    rule: late.Rule | None  # what the deadline means


def read(where: Path, due: str = "", penalty: str = "") -> Decided:
    """Return what persons decided, of a folder of grades. Raises LabError for what is not whole.

    Points are read from points_read.csv and from every other points_read*.csv, as of assistants,
    beside it or beside the reading pages. A deadline holds until another is said, or due is "none".
    """
    if not due and not penalty:
        due, penalty = stored(where / DEADLINE) or ("", "")
    deadline = ("", "") if due == "none" else (due, penalty)
    rule = late.rule(*deadline)
    places = "points_read*.csv", "reading/points_read*.csv"
    files = [path for place in places for path in sorted(where.glob(place))]
    return Decided(
        where,
        readings.read(where / KEPT),
        [one for path in files for one in readings.read(path, str(path.relative_to(where)))],
        overrides.read(where / "overrides.csv"),
        pairs.read(where / "pairs.csv"),
        deadline,
        rule,
    )


def stored(path: Path) -> Any:
    """Return what a file of ours holds; None if there is none, or it is damaged."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


class Time(NamedTuple):
    """When something was handed in."""

    when: datetime | None = None
    source: str = ""
    late: bool | None = None  # what the platform itself says


def times(
    where: Path, rows: Sequence[Graded], hand_ins: Mapping[str, Submission],
    told: Mapping[str, datetime], only: Collection[str],
) -> dict[str, Time]:  # fmt: skip
    """Return when each hand-in came, by `who`: by the platform's table, or else by its file.

    What the table told of the same file counts on. told: what it tells now, by `who`. only: names
    of those that are graded; of all others the time that is kept counts, for their points do too.
    Where the platform marks some as late in their names, all others are not.
    """
    known, found = stored(where / TIMES) or {}, {}
    ones = {one.who: (one, hand_ins[one.name]) for one in rows if one.name}
    marks = any(hand_in.late for _, hand_in in ones.values() if hand_in.number)
    for who, (row, hand_in) in ones.items():
        says = hand_in.late if marks and hand_in.number else None
        found[who] = Time(late.moment(hand_in.time), BY_FILE, says)
        when, digest, source, says = (*known.get(who, ("", "")), BY_TABLE, None)[:4]
        if digest == row.result.sha256 and (source == BY_TABLE or row.name not in only):
            found[who] = Time(datetime.fromisoformat(when) if when else None, source, says)
        if who in told and (hand_in.sha256 == row.result.sha256 or row.name in only):
            found[who] = Time(told[who], BY_TABLE)
    return found


def times_as_json(times: Mapping[str, Time], rows: Sequence[Graded]) -> str:
    """Return times.json: the time of each hand-in, with the digest of what was graded."""
    digests = {one.who: one.result.sha256 for one in rows if one.name}
    texts = {who: one.when.isoformat() if one.when else "" for who, one in times.items()}
    return json.dumps({who: [texts[who], digests[who], *one[1:]] for who, one in times.items()})


def applied(
    everybody: Sequence[Graded], given: Decided, times: Mapping[str, Time]
) -> tuple[list[Graded], list[Reading], list[str]]:
    """Return the rows with what was decided, all points of persons, and what to tell the teacher.

    times: by `who`
    """
    tied = readings.tied(given.found, everybody, given.where / READ)
    points = readings.merged(given.kept, tied)
    rows, notes = pairs.applied(everybody, given.pairs)
    read: defaultdict[str, list[Reading]] = defaultdict(list)
    for one in points:
        read[one.student].append(one)
    changed = overrides.by_who(given.overrides, rows)
    done = []
    for one in rows:
        if one.name:
            whose = (one.who, one.partner) if one.partner else (one.who,)
            one = one._replace(
                readings=tuple(row for who in whose for row in read.get(who, ())),
                overrides=tuple(ChainMap(*(changed.get(who, {}) for who in whose)).values()),
            )
            one = _in_time(one, given.rule, times.get(whose[-1], Time()))
        done.append(one)
    present = {name for one in rows for name in (one.who, one.partner)}
    for what, ones in (("points_read.csv", read), ("overrides.csv", changed)):
        if strangers := sorted(ones.keys() - present):
            notes.append(f"{what} names who is not here: {', '.join(strangers[:10])}. They stay.")
    return done, points, notes


def _in_time(one: Graded, rule: late.Rule | None, time: Time) -> Graded:
    """Return a row with its time, the points that count, and what the teacher must know of both."""
    points, flags = readings.counted(one)
    judged = rule and late.judged(rule, *time)
    if judged:
        flags.append(f"{plural(judged.days, 'day')} late by {judged.source}")
    if rule and not time.when and one.result.marks:
        flags.append("when it was handed in is not known")
    when = time.when.isoformat(timespec="minutes") if time.when else ""
    return noted(one._replace(by_hand=points, late=judged, time=when), flags)


def noted(one: Graded, flags: Sequence[str]) -> Graded:
    """Return a row with more flags for the teacher, who should look at it then."""
    if flags and one.result.status == "graded":
        one = one._replace(result=dataclasses.replace(one.result, status="review"))
    return one._replace(notes=(*one.notes, *flags))
