"""Who handed in what: a name for each submission, one row for each person, who is missing.

Whose a submission is, files and platforms tell, or else what the student wrote; neither is sure.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from grading.graded import Graded, rows_of
from grading.marking import Result
from grading.submissions import Submission


def unique_names(submissions: Sequence[Submission]) -> list[str]:
    """Return a name for each submission that can name a file, each once."""
    taken: Counter[str] = Counter()
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

    results: None for what was never graded, and not asked for this time;  roster: a class list.
    Raises LabError if it cannot be read.
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
        for _, name in older:
            del rows[name]
        if older:
            flag = f"{len(several)} hand-ins by one student; the last one counts"
            rows[newest].result.flags.append(flag)
    _flag_shared_numbers([one.result for one in rows.values()])
    return [*rows.values(), *(_missing(rows.values(), roster) if roster else [])]


def _as_written(result: Result) -> str:
    """Return number and name as a student has written them; "" without digits in the number."""
    number, name = (result.student.get(key, "") for key in ("number", "name"))
    return f"{_same(number)} {_same(name)}" if re.search(r"\d", number) else ""


def _flag_shared_numbers(results: Sequence[Result]) -> None:
    """Flag the submissions of different people, as it seems, that give one student number."""
    numbers = [_same(one.student["number"]) if _as_written(one) else "" for one in results]
    for result, number in zip(results, numbers, strict=True):
        if number and numbers.count(number) > 1:
            result.flags.append(f"{numbers.count(number)} hand-ins give this student number")


def _missing(rows: Iterable[Graded], roster: Path) -> list[Graded]:
    """Return a row for each line of a class list by whom nothing was handed in."""
    present = set()
    for one in rows:
        texts = (one.student, one.number, *one.result.student.values())
        present |= {_same(text) for text in texts} - {""}
    lines = rows_of(roster, "class list")[1:]
    absent = [line for line in lines if any(line) and not present & {*map(_same, line)}]
    nothing = Result("missing", {}, ["nothing handed in"], {}, "", 0.0, "")
    return [Graded("", ", ".join(filter(None, line)), "", nothing, {}) for line in absent]


def _same(text: str) -> str:
    """Return what is the same however a name is written: its words, without order and case."""
    return "".join(sorted(re.sub(r"[\W_]+", " ", text).casefold().split()))
