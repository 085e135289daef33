"""What students have handed in: found in any folder or archive, read as it is, never changed.

Each entry of the folder is a hand-in, and none is passed over. Whose it is, its name tells, and
nothing that is in it. Nothing is unpacked to the disk, no link is followed, and what one entry may
unpack to is bounded; whatever goes wrong in it is its own problem and nobody else's.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from grading.intake import entries, owners
from grading.intake.entries import CUT, DAMAGED, NONE, OTHER, File
from grading.intake.owners import Owner
from lab.base.messages import ENGLISH, Message, _, languages
from lab.exercises import answer_cells
from lab.exercises.catalogue import ASKED, LAB

PARTS = 5_000_000  # entries in a notebook's JSON
CELLS, CODE = 10_000, 1_000_000  # of a notebook; characters in its cells of code
NOTEBOOKS = 30  # of one hand-in that are looked into
TOO_LONG = _(
    "it has more than {cells:,} cells, or {code:,} characters of code: it is not read",
    cells=CELLS, code=CODE,
)  # fmt: skip


class Submission(NamedTuple):
    """One submission: by whom, as its entry's name tells, and the notebook in it."""

    student: str
    number: str  # of the learning platform, or ""
    file: str  # where it lies in the folder of submissions
    content: bytes | None  # None where there is no notebook
    time: float  # seconds, of the notebook's last change
    problem: str = ""  # why there is nothing to read
    flags: tuple[str, ...] = ()  # what a person should know
    who: str = ""  # whose it is: the platform's number, or the entry's name; of digits alone: 12/
    others: tuple[File, ...] = ()  # further notebooks, with their content, and reports as PDF
    late: bool = False  # as Canvas says
    entries: tuple[str, ...] = ()  # the names in the folder that are this hand-in

    @property
    def sha256(self) -> str:
        """The digest of the notebooks: what is graded once is known by it."""
        contents = [self.content or b"", *(one.content for one in self.others if one.content)]
        digests = [hashlib.sha256(one).digest() for one in contents]
        return (digests[0] if not digests[1:] else hashlib.sha256(b"".join(digests)).digest()).hex()


def find(place: Path) -> list[Submission]:
    """Return the submissions in a folder, or in an archive of a learning platform, by name.

    Raises LabError if the folder or archive cannot be read.
    """
    return of_entries(owners.without_wrapping(entries.of(place)))


def of_entries(found: dict[str, list[File]]) -> list[Submission]:
    """Return the submissions that some entries are, by name."""
    whose = owners.of([*found])
    groups: defaultdict[tuple[str, str], dict[str, list[File]]] = defaultdict(dict)
    for entry in sorted(found):
        groups[owners.group_of(entry, found, whose)][entry] = found[entry]
    names = Counter(number for number, _ in groups)  # how many names a number has
    submissions = []
    for (number, name), ones in groups.items():
        entry = min(ones) if number else name
        entry = f"{entry}/" if entry.isdigit() else entry  # which might be another's number
        who = number if number and names[number] == 1 else entry
        submissions.append(_submission(who, ones, whose))
    return submissions


# ── What counts of it ───────────────────────────────────────────────────────────────────────────


class Read(NamedTuple):
    """A notebook of a hand-in, with what decides whether it counts."""

    file: File
    entry: int  # place of its entry among those of the student, in time
    exercises: frozenset[str] = frozenset()
    answers: int = 0

    @property
    def is_lab(self) -> bool:
        """Is it the lab, and not a further notebook or one of the student's own?"""
        return bool(self.exercises & LAB.keys())

    @property
    def rank(self) -> tuple[bool, bool, int, int, float, str]:
        """The greatest counts: the lab, with answers, handed in last, with most answers."""
        one = self.file
        return self.is_lab, self.answers > 0, self.entry, self.answers, one.time, one.file


def _submission(who: str, found: dict[str, list[File]], whose: dict[str, Owner]) -> Submission:
    """Return the submission that one or several entries of a student are."""
    ordered = sorted(found, key=lambda entry: (_time(found[entry]), whose[entry].order, entry))
    files = [(one, place) for place, entry in enumerate(ordered) for one in found[entry]]
    told = [one for one, _ in files if one.problem not in ("", NONE, OTHER)]
    reports = [one for one, _ in files if one.problem == OTHER and one.file[-4:].lower() == ".pdf"]
    notebooks = [pair for pair in files if pair[0].content is not None]
    if not notebooks:
        first = (told or [files[0][0]])[0]
        problem = first.problem if told or first.file in found else NONE
        best, flags, further = Read(first._replace(problem=problem), -1), (), []
    else:
        notebooks.sort(key=_first)
        count = NOTEBOOKS if len(notebooks) > 1 else 0  # one alone counts without a look
        read = [_read(*one) for one in notebooks[:count]]
        read += [Read(*one) for one in notebooks[count:]]
        best = max(read, key=lambda one: one.rank)
        chosen = [best, *_further(read, best)]
        flags = (*_flags(read, chosen), *_problems(told))
        further = [one.file for one in chosen[1:]]
    owner = whose[ordered[best.entry]]
    return Submission(
        owner.student, owner.number, *best.file, flags, who, (*further, *reports), owner.late,
        tuple(sorted(found)),
    )  # fmt: skip


def _time(files: list[File]) -> float:
    return max((one.time for one in files if one.content is not None), default=0.0)


def _first(pair: tuple[File, int]) -> tuple[int, int]:
    """Return what the notebooks are sorted by that are looked into: likely labs, then the last."""
    one, entry = pair
    signs = b'"exercise"' in one.content, "lab2" in one.file.rpartition("/")[2].lower()
    return -sum(signs), -entry


def _read(one: File, entry: int) -> Read:
    """Return a notebook with the exercises in it, and how many of them have an answer."""
    try:
        found = answer_cells.find(notebook_of(one.content).cells or [])
        written = sum(
            any(not answer_cells.is_empty(cell.source, ASKED[n], cell.question) for cell in cells)
            for n, cells in found.items()
        )
    except Exception:  # whatever is in it: what comes of it is said where it is graded
        return Read(one, entry)
    return Read(one, entry, frozenset(found), written)


def _further(notebooks: list[Read], best: Read) -> list[Read]:
    """Return the further notebooks that are graded beside the lab: of each the best."""
    taken, chosen = set(best.exercises), []
    for one in sorted(notebooks, key=lambda one: one.rank, reverse=True):
        if one is not best and not one.is_lab and one.exercises - taken:
            chosen.append(one)
            taken |= one.exercises
    return chosen


def _flags(notebooks: list[Read], chosen: list[Read]) -> Iterator[Message]:
    """Yield which notebooks do not count, of several hand-ins or of one."""
    best = chosen[0]
    left = [one for one in notebooks if not any(one is other for other in chosen)]
    spare = [one for one in left if one.is_lab == best.is_lab]
    others = [_short(one.file.file) for one in spare[:10]]
    others += [_("{count} more", count=len(spare) - 10)] if spare[10:] else []
    names = {"taken": _short(best.file.file), "others": others}
    hand_ins = {one.entry for one in [best, *spare]}
    if len(hand_ins) > 1:
        yield _(
            "{count} hand-ins by one student; the last one counts: {taken}, not {others}",
            count=len(hand_ins), **names,
        )  # fmt: skip
    elif spare:
        yield _("{count} notebooks; taken is {taken}, not {others}", count=len(spare) + 1, **names)
    rest = [one.file for one in left if one.is_lab != best.is_lab]
    yield from _problems([one._replace(problem=_("no answers were found in it")) for one in rest])


def _problems(files: list[File]) -> Iterator[Message]:
    """Yield what could not be read beside the notebook, once for each reason."""
    for problem in dict.fromkeys(one.problem for one in files):
        names = [_short(one.file) for one in files if one.problem == problem]
        why = {"file": names[0], "count": len(names) - 1, "problem": problem}
        if len(names) == 1:
            yield _("not taken: {file} ({problem})", **why)
        else:
            yield _("not taken: {file} and {count} more ({problem})", **why)


def _short(name: str) -> str:
    return name if len(name) <= 100 else f"{name[:60]}...{name[-37:]}"


# ── What is in a notebook ───────────────────────────────────────────────────────────────────────


class Notebook(NamedTuple):
    """A notebook as it was handed in; cells: None if it is none."""

    cells: list[dict[str, Any]] | None = None
    edition: str = ""
    language: str = ENGLISH
    problem: str = OTHER


def whole_of(submission: Submission) -> Notebook:
    """Return a submission's notebook, and below its cells those of its further notebooks."""
    notebook = notebook_of(submission.content)
    if notebook.cells is None:
        return notebook._replace(problem=submission.problem or notebook.problem)
    for other in submission.others:
        if other.content is not None:
            notebook.cells.extend(notebook_of(other.content).cells or [])
    return notebook


def notebook_of(content: bytes | None) -> Notebook:
    """Return a notebook in any state, of format 3 too. A cell that is no cell is left out."""
    try:
        if sum(map(content.count, (b"[", b"{", b","))) > PARTS:
            return Notebook(
                problem=_("it has more than {most:,} entries: it is not read", most=PARTS)
            )
        notebook = json.loads(content, parse_int=float)  # UTF-8 or UTF-16; int: 4,300 digits
        if "cells" in notebook:
            cells = notebook["cells"]
        else:  # format 3, where code is an `input` on a worksheet
            cells = [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]
        if not isinstance(cells, list):
            return Notebook()
        cells = [{"source": c.get("input", ""), **c} for c in cells if isinstance(c, dict)]
        code = [answer_cells.source_of(c) for c in cells if c.get("cell_type") != "markdown"]
        if len(cells) > CELLS or sum(map(len, code)) > CODE:
            return Notebook(problem=TOO_LONG)
        metadata = notebook.get("metadata")
        lab = metadata.get("lab2") if isinstance(metadata, dict) else None
        lab = lab if isinstance(lab, dict) else {}
        edition, language = str(lab.get("edition", "")), lab.get("language")
        return Notebook(
            cells,
            edition if re.fullmatch("[0-9A-Za-z]{1,64}", edition) else "",
            language if language in languages() else ENGLISH,
        )
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        damaged = entries.looks_like_one(content[:4096])
        return Notebook(problem=(CUT if _is_cut(error) else DAMAGED) if damaged else OTHER)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, MemoryError):
        return Notebook()


def _is_cut(error: json.JSONDecodeError | UnicodeDecodeError) -> bool:
    """Say whether JSON is wrong because it ends too early."""
    if isinstance(error, UnicodeDecodeError):
        return error.reason == "unexpected end of data"
    rest = error.doc[error.pos :].strip()  # nothing, or a piece of "false" or of "\u00e4"
    return error.msg.startswith("Unterminated") or (len(rest) < 7 and not rest.endswith("}"))
