"""Two students, one hand-in: pairs.csv, two columns, each with whose it is (`Graded.who`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from grading.graded import Graded
from grading.records import tables
from lab.base import foreign
from lab.config import LabError


class Pair(NamedTuple):
    """Two students, and in which line of pairs.csv they stand."""

    line: int
    names: tuple[str, str]


def read(path: Path) -> list[Pair]:
    """Return the pairs, in pairs.csv's order; a first line of heads is one of them, too.

    Raises LabError if a row has not two names, or one name stands in two pairs.
    """
    if not path.exists():
        return []
    pairs, seen = [], set()
    table = foreign.read(path, "table")
    for record, cells in zip(table.records, table.rows, strict=True):
        names = [cell.strip() for cell in cells if cell.strip()]
        if names and (len(names) != 2 or names[0] == names[1] or seen & {*names}):
            why = "names somebody of another pair" if seen & {*names} else "must name two students"
            raise LabError(
                f"{path.name}, line {record.first} {why}; mend it first, for nothing was graded."
            )
        seen |= {*names}
        pairs += [Pair(record.first, (names[0], names[1]))] if names else []
    return pairs


def applied(everybody: Sequence[Graded], pairs: Sequence[Pair]) -> tuple[list[Graded], list[str]]:
    """Return the rows, with one for each partner who handed in nothing; and what to tell.

    If both handed in, each keeps their own, flagged. Raises LabError if a name may be several, or
    the partner of a hand-in is nobody whom hand-ins or the class list name.
    """
    rows, notes = [*everybody], []
    for i, (line, pair) in enumerate(pairs):
        known, places = tables.named(rows), {id(one): at for at, one in enumerate(rows)}
        ones = [tables.the_one(name, known, "pairs.csv") for name in pair]
        there = [one is not None and one.result.status != "missing" for one in ones]
        if all(there):
            for one, other in (ones, ones[::-1]):
                said = f"pair with {other.who}: both handed in, each has their own points"
                rows[places[id(one)]] = _noted(one, said)
        elif any(there):
            place = there.index(True)
            one, partner, who = ones[place], ones[1 - place], pair[1 - place]
            if partner is None:
                raise LabError(
                    f"pairs.csv, line {line}: neither a hand-in nor the class list names {who!r}. "
                    "Write who it is as the class list does, and name that with --roster."
                )
            taken = {row.name for row in rows}
            rows[places[id(partner)]] = _partner(one, who, partner, taken)
            rows[places[id(one)]] = _noted(one, f"pair with {who}, who gets the same points")
        elif i or any(ones):  # which a line of heads is not
            names = f"neither {pair[0]} nor {pair[1]}"
            notes.append(f"pairs.csv, line {line}: {names} handed in anything.")
    return rows, notes


def _partner(one: Graded, who: str, missing: Graded, taken: set[str]) -> Graded:
    """Return the row of who handed in with another; missing: the row that they had."""
    name = stem = re.sub(r"[^\w-]+", "_", who).strip("_")[:60] or "partner"
    while name in taken:
        name = f"{stem}-with-{one.name}" if name == stem else f"{name}-2"
    return one._replace(
        name=name, student=missing.listed.name, who=who, partner=one.who, listed=missing.listed,
        number=tables.platforms_number(missing.listed),
        notes=(f"pair with {one.who}, who handed in for both",),
    )  # fmt: skip


def _noted(one: Graded, note: str) -> Graded:
    return one._replace(notes=(*one.notes, note))
