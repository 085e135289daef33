"""What stood in the tables before, whose points changed since, and the way back.

Each grading that changes a table leaves the earlier ones in previous/TIME. `undo` brings them
back, and leaves those that it replaces in previous/undone-TIME.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from grading.graded import Graded, as_csv, harmless, number, penalty_of, points_of
from grading.records.decided import DEADLINE, KEPT, READ, TIMES, stored
from lab.base import files, foreign
from lab.config import LabError

STATE = "kept/points.json"
CHANGES = "changes.csv"
TABLES = ("grades.csv", "gradebook.csv", "statistics.csv", READ, KEPT, STATE, DEADLINE, TIMES)
HEAD = ("when", "student", "exercise", "before", "after", "why")
State = dict[str, dict[str, Any]]  # who -> sha256, points, overrides, penalty


def _now() -> str:
    return datetime.now().strftime("%Y-%m-%dT%H-%M-%S.%f")


def _contents(where: Path) -> dict[str, bytes]:
    return {name: (where / name).read_bytes() for name in TABLES if (where / name).is_file()}


@contextlib.contextmanager
def kept_before(where: Path) -> Iterator[None]:
    """Keep the tables as they stand, for what is written within; nothing if that is the same."""
    before, place = _contents(where), where / "previous" / _now()
    for name, content in before.items():
        files.write_atomically(place / name, content)
    try:
        yield
    finally:
        if before == _contents(where):
            shutil.rmtree(place, ignore_errors=True)


def undo(where: Path) -> str:
    """Bring the tables of the grading before back; return its time. Raises LabError if none is.

    Points that persons gave are again those that were known then.
    """
    previous = where / "previous"
    found = sorted(p.name for p in previous.glob("[0-9]*") if p.is_dir())
    if not found:
        raise LabError(f"There is nothing before in {previous}.")
    old, aside = previous / found[-1], previous / f"undone-{_now()}"
    for name, content in _contents(where).items():
        files.write_atomically(aside / name, content)
    before = _contents(old)
    if KEPT in before:  # what was found beside it, when that grading began, was not in it yet
        before[READ] = before[KEPT]
    for name in TABLES:
        if name in before:
            files.write_atomically(where / name, before[name])
        elif name != READ:
            (where / name).unlink(missing_ok=True)
    _log(where, [(_now()[:19], "", "", "", "", f"undone: back to before {found[-1]}")])
    files.replace(old, aside / "brought_back")
    return found[-1]


def changed(where: Path, everybody: Sequence[Graded]) -> list[tuple[str, ...]]:
    """Write into changes.csv whose points are others than at the last grading; return these rows.

    Why: resubmission, override, read (a person's points), late, or regrade.
    """
    old: State = stored(where / STATE) or {}
    new = {one.who: _state(one) for one in everybody if one.who and one.name}
    time = datetime.now().isoformat(timespec="seconds")
    both = [(who, old[who], state) for who, state in new.items() if who in old]
    rows = [(time, who, *row) for who, *states in both for row in _differences(*states)]
    if rows:
        _log(where, rows)
    content = json.dumps(old | new, indent=0, sort_keys=True).encode()
    files.write_atomically(where / STATE, content)
    return rows


def _state(one: Graded) -> dict[str, Any]:
    names = {*one.result.marks, *(o.exercise for o in one.overrides)} - {"late"}
    return {
        "sha256": one.result.sha256,
        "points": {name: points_of(one, name) for name in sorted(names)},
        "by_hand": sorted(n for n, m in one.result.marks.items() if m.points is None),
        "overrides": {o.exercise: [o.points, o.reason, o.who, o.when] for o in one.overrides},
        "late": penalty_of(one),
    }


def _differences(old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield (exercise, before, after, why) where points differ."""
    before = {**old["points"], "late": old["late"]}
    after = {**new["points"], "late": new["late"]}
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) == after.get(name):
            continue
        why = "late" if name == "late" else "read" if name in new["by_hand"] else "regrade"
        if old["overrides"].get(name) != new["overrides"].get(name):
            why = "override"
            if name in new["overrides"]:
                why += f": {new['overrides'][name][1]} ({new['overrides'][name][2]})"
        elif old["sha256"] != new["sha256"]:
            why = "resubmission"
        yield name, number(before.get(name)), number(after.get(name)), why


def _log(where: Path, rows: Sequence[Sequence[str]]) -> None:
    path = where / CHANGES
    known = foreign.read(path, "log of changes").rows if path.exists() else [HEAD]
    table = as_csv([*known, *([harmless(cell) for cell in row] for row in rows)])
    files.write_atomically(path, table.encode("utf-8", "replace"))
