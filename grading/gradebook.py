"""A learning platform's own table of marks, with the lab's points filled in.

Moodle gives a "grading worksheet" (Identifier, Full name, Email address, Grade, Feedback comments),
Canvas a "gradebook" (Student, ID, SIS Login ID, Section, a column an assignment). Rows and columns
that are not ours stay as they are, and so does the mark of whoever has none here.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from grading.graded import Graded, as_csv, rows_of, score_of
from grading.pages import feedback
from lab.config import LabError

PEOPLE = {"identifier", "full name", "email address", "id number", "student", "id", "sis user id",
          "sis login id", "username"}  # fmt: skip
MOODLE, COMMENT = "Grade", "Feedback comments"


def fill(path: Path, everybody: Sequence[Graded], column: str = "") -> tuple[str, int]:
    """Return the table with points filled in, as CSV, and how many rows have got them.

    column: by default Moodle's "Grade", or the one that names this lab. Raises LabError if the
    table cannot be read, or it is not clear which column takes the points.
    """
    rows = rows_of(path, "gradebook")
    head = rows[0] if rows else []
    place, comment = _column(head, column, path), head.index(COMMENT) if COMMENT in head else -1
    known = _by_person(everybody)
    people = [i for i, name in enumerate(head) if name.strip().casefold() in PEOPLE]
    done = 0
    for row in rows[1:]:
        row += [""] * (len(head) - len(row))
        keys = {key for i in people for key in _keys(row[i])} & known.keys()
        one, *others = {known[key].name: known[key] for key in keys}.values() or [None]
        if one and not others:  # of two that fit, neither is taken
            row[place] = f"{score_of(one):g}"
            if comment >= 0:
                row[comment] = "<br>".join(feedback.in_markdown(one).splitlines()[2:])
            done += 1
    return as_csv(rows), done


def _column(head: Sequence[str], column: str, path: Path) -> int:
    ours = [name for name in head if re.search(r"lab ?2", name, re.IGNORECASE)]
    names = [column or MOODLE] if column or MOODLE in head else ours
    if len(names) == 1 and names[0] in head:
        return head.index(names[0])
    raise LabError(
        f"Which column of {path} takes the points? Say --column NAME; there are: {', '.join(head)}."
    )


def _by_person(everybody: Sequence[Graded]) -> dict[str, Graded]:
    """Return submissions by all that tells whose they are; what two of them share is left out."""
    known: defaultdict[str, list[Graded]] = defaultdict(list)
    for one in everybody:
        if score_of(one) is not None:
            texts = (one.student, one.number, *one.result.student.values())
            for key in {key for text in texts for key in _keys(text)}:
                known[key].append(one)
    return {key: ones[0] for key, ones in known.items() if len(ones) == 1}


def _keys(text: str) -> set[str]:
    """Return in which forms a name or number may be written elsewhere.

    Canvas turns "Doe, Jane" into "doejane" in file names; Moodle calls its number "Participant 7".
    """
    words = re.findall(r"\w+", text.casefold())
    numbers = [word for word in words if word.isdigit()]
    return {"".join(words), " ".join(sorted(words)), *numbers} - {""}
