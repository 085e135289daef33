"""Points for texts: points_read.csv, as the reading pages save it.

A row is tied to a student and to the digest of the very text that was read. So points cannot move
to another student or to another text, and a text that was changed is to be read again.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from grading.graded import (
    TEXTS,
    Graded,
    Reading,
    as_csv,
    digest_of,
    guarded,
    number,
    override_of,
    readings_of,
    unguarded,
)
from grading.records import tables
from lab.config import LabError

HEAD = Reading._fields
OLD_HEAD = ("name", "exercise", "points")  # of earlier pages; it names no text
DIGEST = re.compile(r"[0-9a-f]{12}")


def read(path: Path, name: str = "") -> list[Reading]:
    """Return the rows of a table of points. Raises LabError for the first that is not whole.

    Rows under the old head have no text: see `tied`. name: what messages call the table
    """
    return [_reading(row) for row in tables.read(path, HEAD, OLD_HEAD, name=name)]


def _reading(row: tables.Row) -> Reading:
    exercise, text = row["exercise"], row.get("text", "")
    if exercise not in TEXTS:
        raise row.wrong(f"there is no text {exercise!r} to read")
    if "text" in row and not DIGEST.fullmatch(text):
        raise row.wrong(
            f"{text!r} are not the 12 digits of a text (perhaps a program for tables changed "
            "them, so save it again where it comes from)"
        )
    student = row["student"] if "student" in row else row["name"]
    if not student:
        raise row.wrong("it names no student")
    rest = {name: unguarded(row.get(name, "")) for name in ("criteria", "comment", "reader")}
    bare = not row["points"] and (rest["comment"] or rest["criteria"])
    points = None if bare else tables.points(row, TEXTS[exercise])
    return Reading(unguarded(student), exercise, text, points, **rest, when=tables.moment(row))


def tied(readings: Iterable[Reading], everybody: Sequence[Graded], path: Path) -> list[Reading]:
    """Return readings with student and text; those of the old head get the text that is there.

    Raises LabError if a name of the old head is nobody's, or that of several.
    """
    ones, whole = tables.named(everybody), []
    for reading in readings:
        if not reading.text:
            fitting = ones.get(reading.student, [])
            marks = [one.result.marks.get(reading.exercise) for one in fitting]
            if len(fitting) != 1 or not marks[0] or marks[0].points is not None:
                why = "has no such text" if len(fitting) == 1 else f"names {len(fitting)} hand-ins"
                raise LabError(
                    f"{path.name}: {reading.student!r} {why} ({reading.exercise}). Give these "
                    "points on the reading pages instead, and take the row away."
                )
            reading = reading._replace(student=fitting[0].who, text=digest_of(marks[0].text))
        whole.append(reading)
    return whole


def merged(kept: Iterable[Reading], found: Iterable[Reading]) -> list[Reading]:
    """Return all readings, each once; one reader's later row about a text replaces the earlier.

    kept: those of the last grading; what was found stands before them, unless it is older. Rows of
    two readers stay side by side, and so do rows of one between which no time decides.
    """
    groups: defaultdict[tuple[str, ...], list[list[Reading]]] = defaultdict(lambda: [[], []])
    for place, ones in enumerate((kept, found)):
        for one in ones:
            groups[one.student, one.exercise, one.text, one.reader][place].append(one)
    result = []
    for (*_, reader), (old, new) in groups.items():
        last = max((tables.instant(one.when) for one in new if one.when), default=math.inf)
        ones = [*new, *(one for one in old if tables.instant(one.when) > last)] or old
        if reader and all(one.when for one in ones):
            last = max(tables.instant(one.when) for one in ones)
            ones = [one for one in ones if tables.instant(one.when) == last]
        result += dict.fromkeys(ones)
    return result


def table(readings: Iterable[Reading]) -> str:
    """Return points_read.csv."""
    ones = sorted(readings, key=lambda one: (one.exercise, one.student, one.text, one.reader))
    points = ["" if one.points is None else f"{one.points:.10g}" for one in ones]
    rows = [[*one[:3], value, *one[4:]] for one, value in zip(ones, points, strict=True)]
    return as_csv([HEAD, *([guarded(cell) for cell in row] for row in rows)])


def counted(one: Graded) -> tuple[dict[str, float], list[str]]:
    """Return the points that count of a row's readings, by exercise, and what a person must know.

    Where readers disagree nothing counts until somebody decides.
    """
    points, flags = {}, []
    for name in dict.fromkeys(reading.exercise for reading in one.readings):
        if override_of(one, name):
            continue
        mark = one.result.marks.get(name)
        ones = [r for r in one.readings if r.exercise == name and r.points is not None]
        present = [r for r in readings_of(one, name) if r.points is not None]
        values = {r.points for r in present}
        if len(values) > 1:
            said = ", ".join(f"{number(r.points)} by {r.reader or 'nobody named'}" for r in present)
            flags.append(f"{name}: the readers disagree: {said}")
        elif values and max(values) > mark.most:
            flags.append(f"{name}: {number(max(values))} points were given, of {mark.most}")
        elif values:
            points[name] = values.pop()
        elif ones:
            flags.append(f"{name}: {number(ones[-1].points)} points were given to an earlier text")
    return points, flags
