"""Who handed in what: a name for each submission, one row for each person, who is missing.

    unique_names      what the files of each submission are called
    rows_of_a_class   all results, each person's last one, and those of whom nothing came

Whose a submission is, files and platforms tell, or else what the student wrote; neither is sure.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from grading.graded import Graded
from grading.marking import Result
from grading.submissions import Submission
from lab.config import LabError


def unique_names(submissions: Sequence[Submission]) -> list[str]:
    """Return a name for each submission that can name a file, each once."""
    taken: defaultdict[str, int] = defaultdict(int)
    names = []
    for one in submissions:
        name = re.sub(r"[^\w-]+", "_", one.student).strip("_")[:60] or "nobody"
        taken[name.casefold()] += 1
        count = taken[name.casefold()]
        names.append(name if count == 1 else f"{name}-{count}")
    return names


def rows_of_a_class(
    submissions: Mapping[str, Submission], results: Mapping[str, Result | None],
    by_hand: Mapping[str, dict[str, float]], roster: Path | None = None,
) -> list[Graded]:  # fmt: skip
    """Return all results; of several submissions by one student the last one counts, flagged.

    submissions, results, by_hand: by the name of the submission; without a result: not asked for
    this time, and never graded.  roster: a class list. Raises LabError if it cannot be read.
    """
    rows, by_person = {}, defaultdict(list)
    for name, one in submissions.items():
        if (result := results[name]) is not None:
            points = by_hand.get(name, {})
            rows[name] = Graded(name, one.student, one.file, result, points, one.number)
            person = one.number or _as_written(result) or one.student
            by_person[person.casefold()].append((one.time, name))
    for several in by_person.values():
        *older, (_, newest) = sorted(several)
        if older:
            flag = f"{len(several)} hand-ins by one student; the last one counts"
            rows[newest].result.flags.append(flag)
        for _, name in older:
            del rows[name]
    _flag_shared_numbers(rows.values())
    return [*rows.values(), *(_missing(rows.values(), roster) if roster else [])]


def _as_written(result: Result) -> str:
    """Return number and name as a student has written them; "" without digits in the number."""
    number, name = (result.student.get(key, "") for key in ("number", "name"))
    return f"{_same(number)} {_same(name)}" if re.search(r"\d", number) else ""


def _flag_shared_numbers(rows: Iterable[Graded]) -> None:
    """Flag the submissions of different people, as it seems, that give one student number."""
    groups: defaultdict[str, list[Result]] = defaultdict(list)
    for one in rows:
        if _as_written(one.result):
            groups[_same(one.result.student["number"])].append(one.result)
    for several in groups.values():
        for result in several if len(several) > 1 else ():
            result.flags.append(f"{len(several)} hand-ins give this student number")


def _missing(rows: Iterable[Graded], roster: Path) -> list[Graded]:
    """Return a row for each line of a class list by whom nothing was handed in."""
    present = set()
    for one in rows:
        texts = (one.student, one.number, *one.result.student.values())
        present |= {_same(text) for text in texts} - {""}
    try:
        lines = list(csv.reader(io.StringIO(roster.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabError(f"The class list {roster} cannot be read: {error}.") from error
    absent = [line for line in lines[1:] if any(line) and not present & {*map(_same, line)}]
    return [Graded("", ", ".join(filter(None, line)), "", None, {}) for line in absent]


def _same(text: str) -> str:
    """Return what is the same however a name is written: its words, without order and case."""
    return "".join(sorted(re.sub(r"[\W_]+", " ", text).casefold().split()))
