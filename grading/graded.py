"""A graded class as data: each one's points, results that are kept, the table grades.csv.

Points of a person are kept apart from those of the machine, which never writes over them.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from grading.answers import checks
from grading.marking import Mark, Result
from grading.sandbox import protocol
from lab.base import files, hashing
from lab.base.messages import Message, _
from lab.exercises.catalogue import ASKED, FURTHER, LAB

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
SHOWN = 2_000  # characters of a student's text that a page shows
FORMULA = ("=", "+", "-", "@", "\t", "\r")
TEXTS = {n: e.points for n, e in ASKED.items() if e.kind in ("text", "free")}  # a person reads
ASKED_BY_HAND = [name for name in LAB if name in TEXTS]
MOST = sum(e.points for e in LAB.values())


class Reading(NamedTuple):
    """What a person gave a text: a row of points_read.csv."""

    student: str  # as `Graded.who`
    exercise: str
    text: str  # `digest_of` the text that was read
    points: float | None  # None: a comment alone
    criteria: str = ""  # those that are met, joined with "+"
    comment: str = ""
    reader: str = ""
    when: str = ""  # ISO time


class Override(NamedTuple):
    """Points that a person put in the place of whatever there was: a row of overrides.csv."""

    student: str  # as `Graded.who`
    exercise: str  # or "late": the points that are taken for lateness
    points: float
    reason: str
    who: str
    when: str = ""  # ISO time


class Late(NamedTuple):
    """What coming late costs."""

    days: int  # begun
    penalty: float  # points; infinite: all
    source: str = ""  # what tells the time


class Listed(NamedTuple):
    """A line of the class list."""

    name: str
    cells: tuple[str, ...]

    def ways(self) -> list[str]:
        """Return what the line may be called by: a cell, or two neighbours in either order."""
        pairs = itertools.pairwise(self.cells)
        names = [*self.cells, *(" ".join(one) for two in pairs for one in (two, two[::-1]))]
        return [name for name in names if name.strip()]


class Graded(NamedTuple):
    """A submission with its outcome."""

    name: str  # unique, and fit to name a file; "" of whom a class list names and nothing came
    student: str
    file: str
    result: Result
    by_hand: dict[str, float]  # points that a person gave the present texts: exercise -> points
    number: str = ""  # of the learning platform
    who: str = ""  # whose it is, whatever others hand in; points of a person go by it
    readings: tuple[Reading, ...] = ()  # all, those of earlier texts too
    overrides: tuple[Override, ...] = ()
    late: Late | None = None
    partner: str = ""  # whose hand-in it is, of a pair
    time: str = ""  # ISO time of the hand-in, as far as it is known
    notes: tuple[str, ...] = ()  # flags for the teacher alone: of others, of readers, of tables
    listed: Listed | None = None  # their line of the class list, if one alone is theirs


def digest_of(text: str) -> str:
    """Return the twelve hexadecimal digits by which a text that was read is known again."""
    content = text.strip().encode("utf-8", "surrogatepass")
    return hashlib.sha256(content).hexdigest()[:12]


def override_of(graded: Graded, exercise: str) -> Override | None:
    """Return what a person put in the place of an exercise's points; None if nothing."""
    return next((one for one in graded.overrides if one.exercise == exercise), None)


def readings_of(graded: Graded, exercise: str) -> list[Reading]:
    """Return what persons gave the text of an exercise that was handed in last."""
    mark = graded.result.marks.get(exercise)
    text = digest_of(mark.text) if mark and mark.points is None else None
    return [one for one in graded.readings if (one.exercise, one.text) == (exercise, text)]


def points_of(graded: Graded, exercise: str) -> float | None:
    """Return the points of an answer; None where a person has still to read it."""
    if override := override_of(graded, exercise):
        return override.points
    mark = graded.result.marks.get(exercise)
    if mark and mark.points is None:
        return graded.by_hand.get(exercise)
    return mark and mark.points


def score_of(graded: Graded) -> float | None:
    """Return the points of the lab's hundred so far; None of what could not be read."""
    if not graded.result.marks and not graded.overrides:
        return None
    return sum(points_of(graded, name) or 0 for name in LAB)


def penalty_of(graded: Graded) -> float:
    """Return the points that are taken for lateness, never more than there are."""
    override = override_of(graded, "late")
    penalty = override.points if override else graded.late.penalty if graded.late else 0.0
    return min(penalty, score_of(graded) or 0.0)


def final_of(graded: Graded) -> float | None:
    """Return the score less what is taken for lateness; None of what could not be read."""
    score = score_of(graded)
    return None if score is None else score - penalty_of(graded)


def flags_of(graded: Graded) -> list[str]:
    """Return what a teacher should know, and how many points are still to be given."""
    return [*graded.result.flags, *graded.notes, *_unread(graded)]


def told_of(graded: Graded) -> list[Message]:
    """Return those of the flags that the student is told, too: the messages among them."""
    flags = [*graded.result.flags, *_unread(graded)]
    return [flag for flag in flags if isinstance(flag, Message)]


def unread(graded: Graded) -> list[str]:
    """Return the exercises whose texts are still to be read, or to be decided."""
    marks = graded.result.marks
    return [n for n in LAB if n in marks and points_of(graded, n) is None]


def _unread(graded: Graded) -> list[Message]:
    points = sum(graded.result.marks[name].most for name in unread(graded))
    if points == 1:
        return [_("1 point is still to be read")]
    return [_("{points} points are still to be read", points=points)] if points else []


def plural(count: int, what: str) -> str:
    """Return how many there are of something, as "1 day" and "2 days"."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def plain(text: str) -> str:
    """Return a text without control characters, cut to what a page shows."""
    text = CONTROL.sub("", text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} [...]"


def table(everybody: Sequence[Graded]) -> str:
    """Return grades.csv: a row a submission, a column an exercise; what is not known is empty.

    Exercises of further notebooks have a column if anybody handed such a notebook in.
    """
    further = [n for n in FURTHER if any(n in one.result.marks for one in everybody)]
    exercises = [name for name in (*LAB, *further) if ASKED[name].points]
    head = ["student", "who", "number", "name_typed", "number_typed", "file", "status"]
    head += ["score", "max", "percent", "penalty", "final", *exercises, "flags", "overrides"]
    rows = [[*head, "handed_in", "seconds", "sha256", "edition"]]
    for one in everybody:
        score, result = score_of(one), one.result
        typed = [result.student.get(key, "") for key in ("name", "number")]
        row = [one.student, one.who, one.number, *typed, one.file, result.status]
        row += [number(score), MOST, "" if score is None else f"{100 * score / MOST:.1f}"]
        row += [number(penalty_of(one) or None), number(final_of(one))]
        row += [number(points_of(one, name)) for name in exercises]
        row += ["; ".join(flags_of(one)), "; ".join(map(override_line, one.overrides))]
        row += [one.time, f"{result.seconds:.1f}", result.sha256, result.edition]
        rows.append(row)
    return as_csv([[harmless(x) for x in row] for row in rows])


def override_line(override: Override) -> str:
    """Return an override as grades.csv shows it."""
    return f"{override.exercise}: {number(override.points)} ({override.reason}; {override.who})"


def number(points: float | None) -> str:
    """Return points as a page shows them; "" for none."""
    return "" if points is None else f"{points:.4g}"


def harmless(value: object) -> str:
    """Return a cell that no spreadsheet takes for a formula, on one line."""
    return guarded(" ".join(plain(str(value)).split()))


def guarded(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula; `unguarded` takes that back."""
    return f"'{text}" if text.lstrip("'").startswith(FORMULA) else text


def unguarded(cell: str) -> str:
    """Return the text of a cell, which may be guarded."""
    return cell[1:] if cell.startswith("'") and guarded(cell) != cell else cell


def as_csv(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as a table in CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def digest(wall: str, seed: int) -> str:
    """Return digits that change with the grader, the wall and the seed of inputs.

    Those of each exercise, which a result has as `checks`, change with its own check and key.
    """
    return hashing.digest(checks.of_all(), wall, seed)


def keep(path: Path, result: Result, grader: str) -> None:
    """Keep a result, with the digits of the grader that made it."""
    content = {"grader": grader, "result": protocol.as_data(vars(result))}
    text = json.dumps(content, indent=1)
    files.write_atomically(path, text.encode("utf-8", "surrogatepass"))


def kept(path: Path, sha256: str = "", grader: str = "") -> Result | None:
    """Return a kept result, by default any; None if there is none of this hand-in and grader."""
    try:
        content = json.loads(path.read_bytes().decode("utf-8", "surrogatepass"))
        result = protocol.from_data(content["result"])
        if (sha256, grader) not in (("", ""), (result["sha256"], content["grader"])):
            return None
        marks = {
            name: Mark(points, most, tuple(lines), *rest)
            for name, (points, most, lines, *rest) in result["marks"].items()
        }
        return Result(**{**result, "marks": marks})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def digits_of(who: str) -> str:
    """Return the hexadecimal digits that stand for whose a hand-in is in the names of files."""
    return hashlib.sha256(who.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def place_of(where: Path, who: str) -> Path:
    """Return where a hand-in's result is kept: no other hand-in can take its place."""
    return where / "kept" / f"{digits_of(who)}.json"
