"""A learning platform's own table of marks, with the lab's points filled in.

Moodle gives a "grading worksheet" (Identifier, Full name, Email address, Grade, Feedback comments),
Canvas a "gradebook" (Student, ID, SIS Login ID, Section, a column an assignment). Rows and columns
that are not ours stay as they are, to the byte, and so does the mark of whoever has none here.

A row belongs to a hand-in if the platform says so: by its number in the archive's names, else by
the name there. What students typed counts only for hand-ins without any number, and is flagged.
"""

from __future__ import annotations

import html
import itertools
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from grading.graded import Graded, final_of, plain
from grading.pages import feedback, rendering
from grading.records import late
from lab.base import foreign
from lab.config import LabError

NUMBERS = ("identifier", "id")  # the platform's own numbers
PEOPLE = {*NUMBERS, "full name", "first name", "last name", "surname", "email address", "email",
          "id number", "student", "sis user id", "sis login id", "username"}  # fmt: skip
GRADE, COMMENT, SUBMITTED = "Grade", "Feedback comments", "last modified (submission)"
CLOCK = re.compile(r"\b\d{4}\b.*?\b\d{1,2}[:.]\d\d\b")  # a year and a time of day
OURS = re.compile(r"lab ?2(?!\d)", re.IGNORECASE)
NUMBERED = re.compile(r"[^\d@]*?0*(\d+)\s*")  # "Participant 7", "参与者7", "7"


class Book(NamedTuple):
    """A platform's table, and what its columns are."""

    path: Path
    table: foreign.Table
    head: list[str]  # in lower case
    rows: list[list[str]]  # below the head, and as wide as that
    points: int  # the column that takes them
    comment: int  # -1: none
    people: list[int]  # columns that tell whose a row is


def read(path: Path, column: str = "", people: Collection[str] = (), comment: str = "") -> Book:
    """Return a platform's table.

    column: that takes the points; by default Moodle's "Grade", or the one that names this lab;
    people: those with numbers and names, by default those with English heads, else all; comment:
    that takes the feedback. Raises LabError if the table cannot be read, or has no such column.
    """
    table = foreign.read(path, "gradebook", names=PEOPLE, is_western=True)
    head = [name.strip() for name in table.rows[0]]
    ours = [name for name in head if OURS.search(name)]
    names = [column or GRADE] if column or GRADE in head else ours
    if len(names) != 1 or head.count(names[0]) != 1:
        raise LabError(
            f"Which column of {path} takes the points? Say --column NAME; there are: "
            f"{', '.join(head)}."
        )
    for name in filter(None, (*people, comment)):
        if name not in head:
            raise LabError(f"{path} has no column {name!r}; there are: {', '.join(head)}.")
    points = head.index(names[0])
    said = head.index(comment or COMMENT) if comment or COMMENT in head else -1
    known = [i for i, name in enumerate(head) if name in people]
    lower = [name.casefold() for name in head]
    known = known or [i for i, name in enumerate(lower) if name in PEOPLE]
    known = known or [i for i in range(len(head)) if i not in (points, said)]
    rows = [[*row, *[""] * (len(head) - len(row))] for row in table.rows[1:]]
    return Book(path, table, lower, rows, points, said, known)


def match(
    book: Book, everybody: Sequence[Graded]
) -> tuple[dict[int, Graded], dict[str, list[str]]]:
    """Return whose each row is, by its place in the table; and flags, by name of the hand-in.

    A hand-in has one row at most, and a row one hand-in; where several fit, none is taken.
    """
    ones = [one for one in everybody if one.name]
    numbers, names = _by_number(book, ones), _by_text(book, book.people)
    listed = _by_text(book, [i for i in book.people if book.head[i] not in NUMBERS])
    claims: defaultdict[int, tuple[list[Graded], list[Graded]]] = defaultdict(lambda: ([], []))
    flags = {}
    for one in ones:
        if one.name in numbers:
            claims[numbers[one.name]][0].append(one)
            continue
        found = {row for key in _keys(one.student) for row in names.get(key, ())}
        if one.listed and len(found) != 1 and not one.number:
            ways = {key for way in one.listed.ways() for key in _keys(way)}
            alone = [rows for key in ways if len(rows := listed.get(key, ())) == 1]
            found = set().union(*alone) or found
        places = found if one.number else found | _typed(one, names)
        if len(places) != 1:
            several = "several rows of it may be theirs" if places else "it has no row of theirs"
            flags[one.name] = [f"gradebook: {several}"]
            continue
        claims[places.pop()][1].append(one)
        if numbers or not one.number:
            how = "the name alone" if one.number or found else "what was typed"
            flags[one.name] = [f"gradebook: its row was found by {how}"]
    matched = {}
    for row, (sure, guessed) in claims.items():
        best = sure or guessed
        if len(best) == 1:
            matched[row] = best[0]
        others = [one for one in (*sure, *guessed) if one is not matched.get(row)]
        flags |= {one.name: ["gradebook: its row is that of another, too"] for one in others}
    return matched, flags


def _by_number(book: Book, ones: Sequence[Graded]) -> dict[str, int]:
    """Return rows by hand-in: by the platform's number, in the column in which most are found."""
    best: dict[str, int] = {}
    for column in [i for i in book.people if book.head[i] in NUMBERS] or book.people:
        places = defaultdict(list)
        for i, row in enumerate(book.rows, 1):
            cell = row[column].strip()
            found = NUMBERED.fullmatch(cell)
            places[found[1] if found else cell].append(i)
        rows = {o.name: places.get(o.number.lstrip("0") or "0", ()) for o in ones if o.number}
        sure = {name: found[0] for name, found in rows.items() if len(found) == 1}
        best = max(best, sure, key=len)
    return best


def _by_text(book: Book, columns: Sequence[int]) -> dict[str, set[int]]:
    """Return the rows by each way of writing what tells whose they are, first and last name too."""
    found = defaultdict(set)
    for i, row in enumerate(book.rows, 1):
        cells = [row[column] for column in columns]
        pairs = map(" ".join, itertools.pairwise(cells))
        for key in {key for text in (*cells, *pairs) for key in _keys(text)}:
            found[key].add(i)
    return found


def _typed(one: Graded, names: Mapping[str, set[int]]) -> set[int]:
    """Return the rows that fit a hand-in's file name with a number in it, or what was typed."""
    texts = [*one.result.student.values(), *re.findall(r"\d{3,}", one.student)]
    return {row for text in texts for key in _keys(text) for row in names.get(key, ())}


def _keys(text: str) -> set[str]:
    """Return how a name, number or address may be written elsewhere: in order, and in any.

    Canvas turns "Doe, Jane" into "doejane" in file names.
    """
    words = re.findall(r"\w+", text.casefold())
    return {"".join(words), " ".join(sorted(words))} - {""}


def without_row(matched: Mapping[int, Graded], everybody: Sequence[Graded]) -> list[str]:
    """Return who has points, and no row in the table that takes them."""
    filled = {one.name for one in matched.values()}
    return [o.student for o in everybody if final_of(o) is not None and o.name not in filled]


def unread_times(book: Book) -> list[str]:
    """Return what the table tells as times, and nothing here can read, as in other languages."""
    cells = (row[i] for row in book.rows for i in _told(book))
    return [cell for cell in cells if CLOCK.search(cell) and not late.read(cell)]


def _told(book: Book) -> list[int]:
    return [i for i in range(len(book.head)) if i not in (book.points, book.comment)]


def times(book: Book, matched: Mapping[int, Graded]) -> dict[str, datetime]:
    """Return when hand-ins came, as far as the table tells, by `who`."""
    columns = _told(book)
    told = [i for i in columns if book.head[i] == SUBMITTED] or [
        i for i in columns if any(late.read(row[i]) for row in book.rows)
    ]
    found = {one.who: late.read(book.rows[i - 1][told[0]]) for i, one in matched.items() if told}
    return {who: when for who, when in found.items() if when}


def fill(book: Book, matched: Mapping[int, Graded]) -> tuple[bytes, int]:
    """Return the table with points filled in, in its own form, and how many rows have got them.

    Raises LabError if none has.
    """
    rows, done = [[*row] for row in book.table.rows], 0
    commas = any(re.search(r"\d,\d", row[book.points]) for row in book.rows)
    comma = book.table.delimiter == ";" and commas
    for i, one in matched.items():
        final, row = final_of(one), rows[i]
        if final is None and (one.result.status != "unreadable" or one.result.failed):
            continue
        row += [""] * (max(book.points, book.comment) + 1 - len(row))
        if book.comment >= 0:  # whose file cannot be read is told why, and keeps the mark
            row[book.comment] = comment(one)
        if final is not None:
            row[book.points] = f"{final:.6g}".replace(".", "," if comma else ".")
            done += 1
    if not done:
        head = ", ".join(book.table.rows[0][i] for i in book.people)
        why = "no hand-in that has a row was graded" if matched else (
            f"no hand-in's number or name stands in the columns {head}; say --who NAME for those "
            "with the platform's numbers or with names"
        )  # fmt: skip
        raise LabError(f"No row of {book.path} has got points: {why}.")
    return foreign.write(book.table, rows), done


def comment(one: Graded) -> str:
    """Return a student's feedback in HTML that is nothing but text and `<br>`."""
    lines = [" ".join(plain(text).split()) for part in feedback.sections(one) for _, text in part]
    return rendering.clean("<br>".join(html.escape(line) for line in lines[1:] if line))
