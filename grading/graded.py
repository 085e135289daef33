"""A graded class as data: each one's points, results that are kept, the table grades.csv.

    Graded           a submission with its result, and with the points that a person gave
    keep, kept       results on the disk, so that nothing is graded twice
    points_by_hand   what a person gave on the page to_read.html
    table            grades.csv

Points of a person are kept apart from those of the machine, which never writes over them.
"""

from __future__ import annotations

import csv
import hashlib
import inspect
import io
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from grading.key import Key
from grading.marking import Mark, Result
from lab.base import files, i18n
from lab.config import LabError
from lab.exercises.catalogue import ASKED, FURTHER, LAB, Exercise

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
SHOWN = 2_000  # characters of a student's text that a page shows
FORMULA = ("=", "+", "-", "@", "\t", "\r")
ASKED_BY_HAND = [name for name, e in LAB.items() if e.kind in ("text", "free")]
MOST = sum(e.points for e in LAB.values())


class Graded(NamedTuple):
    """A submission with its outcome.

    name:    unique, and fit to name a file;  number: of the learning platform, or ""
    result:  None of whom a class list names and nothing was handed in
    by_hand: points that a person gave: exercise -> points
    """

    name: str
    student: str
    file: str
    result: Result | None
    by_hand: dict[str, float]
    number: str = ""

    @property
    def language(self) -> str:
        """The language of the notebook, in which its author is answered."""
        return self.result.language if self.result else i18n.ENGLISH

    @property
    def problems(self) -> list[str]:
        """What a person should know of it."""
        return self.result.flags if self.result else ["nothing handed in"]


def points_of(graded: Graded, exercise: str) -> float | None:
    """Return the points of an answer; None where a person has still to read it."""
    mark = graded.result.marks.get(exercise) if graded.result else None
    if mark is None:
        return None
    return graded.by_hand.get(exercise) if mark.points is None else mark.points


def score_of(graded: Graded) -> float | None:
    """Return the points of the lab's hundred so far; None of what could not be read."""
    if graded.result is None or graded.result.status == "unreadable":
        return None
    return sum(points_of(graded, name) or 0 for name in LAB)


def still_to_read(graded: Graded) -> list[str]:
    """Return a line that says how many points a person has still to give; none if all are given."""
    marks = graded.result.marks if graded.result else {}
    points = sum(mark.most for name, mark in marks.items() if name in LAB
                 and points_of(graded, name) is None)  # fmt: skip
    return [f"{points} points are still to be read"] if points else []


def plain(text: str) -> str:
    """Return a text without control characters, cut to what a page shows."""
    text = CONTROL.sub("", text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} [...]"


# ── The table ───────────────────────────────────────────────────────────────────────────────────


def table(everybody: Sequence[Graded]) -> str:
    """Return grades.csv: a row a submission, a column an exercise.

    Points that a person has still to give are empty, as is everything of an unreadable file.
    """
    exercises = [name for name in (*LAB, *FURTHER) if ASKED[name].points]
    head = ["student", "file", "status", "score", "max", "percent", *exercises]
    rows = [[*head, "flags", "seconds", "sha256", "edition"]]
    for one in everybody:
        score, result = score_of(one), one.result
        points = [number(points_of(one, name)) for name in exercises]
        percent = "" if score is None else f"{100 * score / MOST:.1f}"
        row = [one.student, one.file, result.status if result else "missing"]
        row += [number(score), MOST, percent, *points]
        flags = "; ".join([*(result.flags if result else []), *still_to_read(one)])
        end = [f"{result.seconds:.1f}", result.sha256, result.edition] if result else ["", "", ""]
        rows.append([*row, flags, *end])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[_harmless(x) for x in row] for row in rows])
    return text.getvalue()


def number(points: float | None) -> str:
    """Return points as a page shows them; "" for none."""
    return "" if points is None else f"{points:.4g}"


def _harmless(value: object) -> str:
    """Return a cell that no spreadsheet takes for a formula, on one line."""
    text = " ".join(plain(str(value)).split())
    return f"'{text}" if text.startswith(FORMULA) else text


# ── Points that a person gave ───────────────────────────────────────────────────────────────────


def points_by_hand(path: Path) -> dict[str, dict[str, float]]:
    """Return the points that a person gave: name of the submission -> exercise -> points.

    Raises LabError if a program for tables has saved them in another form.
    """
    points: defaultdict[str, dict[str, float]] = defaultdict(dict)
    if not path.exists():
        return points
    try:
        rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")))
        as_saved = rows.fieldnames == ["name", "exercise", "points"]
    except (UnicodeDecodeError, csv.Error):
        as_saved = False
    if not as_saved:
        raise LabError(
            f"{path} is not as to_read.html saves it: UTF-8, and name,exercise,points with commas. "
            "Save it so, or press Save in to_read.html again."
        )
    for row in rows:
        try:
            name, exercise, value = row["name"], row["exercise"], float(row["points"])
        except (TypeError, ValueError):
            continue  # a row that somebody has half written
        if exercise in ASKED_BY_HAND and 0 <= value <= LAB[exercise].points:
            points[name][exercise] = value
    return points


# ── Results that are kept ───────────────────────────────────────────────────────────────────────


def digest(keys: dict[str, Key], wall: str) -> str:
    """Return digits that change with any check, key or line of the grader and of the exercises."""
    folders = Path(__file__).parent, Path(inspect.getfile(Exercise)).parent
    sources = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    content = b"".join(path.read_bytes() for path in sources)
    return hashlib.sha256(content + repr((keys, wall)).encode()).hexdigest()[:16]


def keep(path: Path, result: Result, grader: str) -> None:
    """Keep a result, with the digits of the grader that made it."""
    content = {**vars(result), "marks": {n: m._asdict() for n, m in result.marks.items()}}
    text = json.dumps({"grader": grader, "result": content}, indent=1)
    files.write_atomically(path, text.encode("utf-8", "surrogatepass"))


def kept(path: Path, sha256: str, grader: str) -> Result | None:
    """Return a kept result; None if there is none of this submission by this grader."""
    try:
        content = json.loads(path.read_bytes().decode("utf-8", "surrogatepass"))
        result = content["result"]
        if content["grader"] != grader or result["sha256"] != sha256:
            return None
        marks = {n: Mark(**{**m, "lines": tuple(m["lines"])}) for n, m in result["marks"].items()}
        return Result(**{**result, "marks": marks})
    except (OSError, ValueError, KeyError, TypeError):
        return None
