"""Two students, one hand-in: pairs.csv, two columns, each with whose it is (`Graded.who`)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from grading.graded import Graded, rows_of
from grading.records import tables
from lab.config import LabError

Pair = tuple[str, str]


def read(path: Path) -> list[Pair]:
    """Return the pairs, in pairs.csv's order; a first line of heads is one of them, too.

    Raises LabError if a row has not two names, or one name stands in two pairs.
    """
    pairs, seen = [], set()
    for i, cells in enumerate(rows_of(path, "table") if path.exists() else [], 1):
        names = [cell.strip() for cell in cells if cell.strip()]
        if names and (len(names) != 2 or names[0] == names[1] or seen & {*names}):
            why = "names somebody of another pair" if seen & {*names} else "must name two students"
            raise LabError(f"{path.name}, line {i} {why}; mend it first, for nothing was graded.")
        seen |= {*names}
        pairs += [(names[0], names[1])] if names else []
    return pairs


def applied(everybody: Sequence[Graded], pairs: Sequence[Pair]) -> tuple[list[Graded], list[str]]:
    """Return the rows, with one for each partner who handed in nothing; and what to tell.

    If both handed in, each keeps their own, flagged. Raises LabError if a name may be several.
    """
    rows, notes = {id(one): one for one in everybody}, []
    for i, pair in enumerate(pairs):
        known = tables.named(rows.values())
        ones = [tables.the_one(name, known, "pairs.csv") for name in pair]
        there = [one is not None and one.result.status != "missing" for one in ones]
        if all(there):
            for one, other in (ones, ones[::-1]):
                said = "both handed in, each has their own points"
                one.result.flags.append(f"pair with {other.who}: {said}")
        elif any(there):
            place = there.index(True)
            one, partner, who = ones[place], ones[1 - place], pair[1 - place]
            one.result.flags.append(f"pair with {who}, who gets the same points")
            new = _partner(one, who, partner, {row.name for row in rows.values()})
            rows[id(partner or new)] = new
        elif i or any(ones):  # which a line of heads is not
            notes.append(f"pairs.csv: neither {pair[0]} nor {pair[1]} handed in anything.")
    return [*rows.values()], notes


def _partner(one: Graded, who: str, listed: Graded | None, taken: set[str]) -> Graded:
    """Return the row of who handed in with another; listed: their row as missing, if any."""
    name = stem = re.sub(r"[^\w-]+", "_", who).strip("_")[:60] or "partner"
    while name in taken:
        name = f"{stem}-with-{one.name}" if name == stem else f"{name}-2"
    flags = [*one.result.flags[:-1], f"pair with {one.who}, who handed in for both"]
    return one._replace(
        name=name, student=listed.student if listed else who, who=who, partner=one.who,
        number=who if who.isdigit() else "", result=dataclasses.replace(one.result, flags=flags),
    )  # fmt: skip
