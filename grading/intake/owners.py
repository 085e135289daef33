"""Whose an entry of a class's folder is, as its name tells, and nothing that is in it.

Where a name only looks like a platform's, it gives no number, so that no two students become one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from grading.intake.entries import DEEPEST, NONE, OTHER, File

LONGEST = 300  # characters of a student's name
ENDINGS = re.compile(r"(?:\.(?:ipynb|zip|rar|7z|tgz|tar|gz|bz2|xz|txt|json|pdf|html?))+$", re.I)
MOODLE = re.compile(r"(?P<name>.+?)_(?P<number>[0-9]+)_assignsubmission_[a-z]+(?:_|$)")
CANVAS = re.compile(r"(?P<name>[^_0-9]+)_(?P<late>LATE_)?(?P<number>[0-9]+)_(?P<file>[0-9]+)_.")
NO_NAMES = re.compile(  # in front of numbers, they are a file's name, and no student's
    r"(?:my)?(?:lab|home ?work|hw|assignment|exercise|project|group|team|week|part|task|day|"
    r"submission|version|copy|final|report|notebook|solution|rnn|lstm|gru|nlp|class|course|date)s?"
)
YEAR, DAY = "(?:19|20)[0-9]{2}", "(?:0?[1-9]|[12][0-9]|3[01])"
DATE = re.compile(f"(?:{YEAR}_{DAY}|{DAY}_{YEAR}|{DAY}_{DAY}_{YEAR}|{YEAR}[01][0-9][0-3][0-9])_")


class Owner(NamedTuple):
    """Whose an entry is, as its name tells."""

    student: str
    number: str = ""  # of the learning platform
    late: bool = False
    order: int = 0  # a platform numbers files as they come


def of(entries: Sequence[str]) -> dict[str, Owner]:
    """Return whose each entry is. What only looks like a platform's name gives no number."""
    names = {entry: unicodedata.normalize("NFC", entry.rpartition("/")[2]) for entry in entries}
    canvas = {entry: match for entry, name in names.items() if (match := _canvas(name))}
    files = Counter(match["file"] for match in canvas.values())
    owners = {}
    for entry, name in names.items():
        if match := MOODLE.match(name):
            owners[entry] = Owner(_cut(match["name"]), match["number"])
        elif (match := canvas.get(entry)) and files[match["file"]] == 1:  # each has its own there
            order = int(match["file"][:18])
            owners[entry] = Owner(match["name"], match["number"], bool(match["late"]), order)
        else:
            name = _cut(name)
            owners[entry] = Owner(ENDINGS.sub("", name).strip() or name)
    return owners


def _cut(name: str) -> str:
    return name[:LONGEST].strip() or "without a name"


def _canvas(name: str) -> re.Match[str] | None:
    match = CANVAS.match(name)
    if not match or match["name"] != match["name"].lower() or NO_NAMES.fullmatch(match["name"]):
        return None
    return None if DATE.match(re.sub(r"\W", "_", f"{name[match.start('number') :]}_")) else match


def group_of(entry: str, found: dict[str, list[File]], owners: dict[str, Owner]) -> tuple[str, str]:
    """Return what the entries of one hand-in have in common: a platform's number, with one name.

    A file beside a notebook of the same name, such as anna.pdf, belongs to it.
    """
    owner = owners[entry]
    if owner.number:
        return owner.number, owner.student
    path = PurePosixPath(entry)
    if path.suffix and [(one.file, one.problem) for one in found[entry]] == [(entry, OTHER)]:
        beside = [str(path.with_suffix(end)) for end in ("", ".ipynb", ".ipynb.txt", ".zip")]
        same = [other for other in beside if other in found and not owners[other].number]
        if len(same) == 1:
            return "", same[0]
    return "", entry


def without_wrapping(found: dict[str, list[File]]) -> dict[str, list[File]]:
    """Return the entries, where a folder or archive around a platform's entries is none itself.

    It is one around them if more students lie in it, by the platform's numbers, than hand-ins
    beside it, and no entry beside it has such a number: what a student packs decides nothing there.
    """
    if any(owner.number for owner in of([*found]).values()):
        return found
    hand_ins = {entry for entry, ones in found.items() if {o.problem for o in ones} - {NONE, OTHER}}
    entries: dict[str, list[File]] = {}
    for entry, files in found.items():
        depth, students = _inside(files)
        depth = depth if students > len(hand_ins - {entry}) else 0
        for one in files:
            parts = one.file.split("/")
            if len(parts) > depth or one.problem != NONE:  # else it is what lies around them
                entries.setdefault("/".join(parts[: depth + 1]), []).append(one)
    return entries


def _inside(files: list[File]) -> tuple[int, int]:
    """Return how deep in an entry there is more than one, and how many students have numbers."""
    paths = [one.file.split("/") for one in files]
    for depth in range(1, DEEPEST):
        names = {path[depth] for path in paths if len(path) > depth}
        numbers = {owner.number for owner in of([*names]).values()} - {""}
        if numbers or len(names) != 1:
            break
    return depth, len(numbers)
