"""Tables that a person writes beside grades.csv: read strictly, a sentence for each fault."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from grading.graded import Graded, Listed, harmless
from lab.base import foreign
from lab.config import LabError

NUMBER = re.compile(r"\d+(\.\d+)?")
PARTICIPANT = re.compile(r"(?:Participant |Teilnehmer/in ?|参与者 ?)(\d+)")  # Moodle's identifier
WHOSE = ("student", "name")  # columns in which blanks count


class Row(dict[str, str]):
    """Cells by their heads, and where they stand, for messages."""

    where: str

    def wrong(self, why: str) -> LabError:
        """Return the error that says where it is, and why it is refused."""
        return LabError(f"{self.where}: {why}; mend it first, for nothing was graded.")


def read(path: Path, *heads: Sequence[str], name: str = "") -> list[Row]:
    """Return the rows of a table, none if there is no such file.

    heads: those that it may have. name: what messages call it, by default as the file. Raises
    LabError if the heads are others, or a row has not as many cells.
    """
    if not path.exists():
        return []
    table, name = foreign.read(path, "table", names={*itertools.chain(*heads)}), name or path.name
    head, *lines = table.rows
    head = [cell.strip() for cell in head]
    while head and not head[-1]:
        head.pop()
    if not any(sorted(head) == sorted(known) for known in heads):
        raise LabError(
            f"{name} must begin with the line {' or '.join(','.join(h) for h in heads)}, and "
            f"begins with {','.join(head)[:200]}. Put that line there, or save the table again "
            "where it comes from."
        )
    rows = []
    for record, cells in zip(table.records[1:], lines, strict=True):
        while len(cells) > len(head) and not cells[-1].strip():
            cells.pop()
        if not any(cell.strip() for cell in cells):
            continue
        row = Row()
        row.where = f"{name}, line {record.first}"
        if len(cells) != len(head):
            raise row.wrong(
                f"it has {len(cells)} cells, and must have {len(head)} (a cell with a comma needs "
                "quotes around it, and points are written like 2.5)"
            )
        named = zip(head, cells, strict=True)
        row.update((column, cell if column in WHOSE else cell.strip()) for column, cell in named)
        rows.append(row)
    if table.is_cut:
        raise rows[-1].wrong("it is cut off within quotation marks")
    return rows


def points(row: Row, most: float) -> float:
    """Return the points of a row. Raises LabError if they are no number from 0 to most."""
    text = row["points"]
    if not NUMBER.fullmatch(text) or len(text) > 20 or float(text) > most:
        raise row.wrong(f"{text!r} are no points from 0 to {most:g}, written like 2.5")
    return float(text)


def moment(row: Row) -> str:
    """Return the ISO time of a row, "" if there is none. Raises LabError if it is another."""
    when = row.get("when", "")
    try:
        instant(when)
    except (ValueError, OverflowError, OSError):
        raise row.wrong(f"{when!r} is no time like 2026-12-01T18:30") from None
    return when


def instant(text: str) -> float:
    """Return the seconds of an ISO time, local if it names no zone; of none, before all."""
    return datetime.fromisoformat(text).timestamp() if text else float("-inf")


def named(everybody: Iterable[Graded]) -> dict[str, list[Graded]]:
    """Return who may be meant by a name: by `who`, which nobody shares, or else by other names."""
    everybody = list(everybody)
    found: dict[str, list[Graded]] = {}
    for one in everybody:
        listed = [way.strip() for way in one.listed.ways()] if one.listed else []
        listed += [one.listed.name, platforms_number(one.listed)] if one.listed else []
        shown = harmless(one.who)  # as grades.csv has it
        for name in {one.name, one.student, one.number, shown, *listed} - {""}:
            found.setdefault(name, []).append(one)
    return found | {one.who: [one] for one in everybody if one.who}


def platforms_number(line: Listed) -> str:
    """Return the number of Moodle in a line of a class list; "" if it has none: others are not."""
    found = (PARTICIPANT.fullmatch(cell.strip()) for cell in line.cells)
    return next((match[1] for match in found if match), "")


def the_one(name: str, known: Mapping[str, Sequence[Graded]], file: str) -> Graded | None:
    """Return who is meant by a name, None if nobody is here. Raises LabError if several may be.

    known: see `named`. file: where the name stands
    """
    fitting = known.get(name, ())
    if len(fitting) > 1:
        who = ", ".join(f"{row.who} ({row.file})" for row in fitting)
        raise LabError(f"{file}: {name!r} may be {who}. Write the one you mean.")
    return fitting[0] if fitting else None
