"""What is right in an edition of the lab: the questions' answers, and what each exercise is worth.

The key of the present edition is read from the solved notebooks. `make student` keeps the key of
each edition that it makes in course/keys, so that a notebook of an older one is graded by its own.
What is asked in code is tried as the lab has it now.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lab.base import files, messages
from lab.base.messages import ENGLISH
from lab.config import ROOT, LabError
from lab.exercises import answer_cells
from lab.exercises.catalogue import ASKED, ELECTIVES

FOLDER = ROOT / "course" / "keys"
FURTHER = [f"further/{name}.ipynb" for name in ELECTIVES]


class Right(NamedTuple):
    """What is right for an exercise, and what it is worth."""

    points: int
    answer: Any  # a letter or a number; None where a function is tried, or a person reads
    stub: str  # the source of the cell as students get it


Key = dict[str, Right]


def present(language: str = ENGLISH, solved: Iterable[dict[str, Any]] | None = None) -> Key:
    """Return the key of the lab as it is, in a language.

    solved: its notebooks in this language, by default the files, of which the electives are English
    """
    key, say = {}, functools.partial(messages.say, language=language)
    names = (messages.lesson(language), *FURTHER)
    for notebook in solved or [answer_cells.read(ROOT / name) for name in names]:
        for exercise, ones in answer_cells.find(notebook["cells"]).items():
            entry, source = ASKED[exercise], ones[0].source
            is_value = entry.kind in ("number", "choice")
            right = answer_cells.value_of(source, entry.name) if is_value else None
            if entry.kind == "number" and isinstance(right, str):  # a formula of the solved lab
                right = eval(right, {"math": math})
            stub = answer_cells.stub(source, exercise, entry, say)
            key[exercise] = Right(entry.points, right, stub)
    return key


def solved() -> dict[str, str]:
    """Return the answers of the solved lab: exercise -> source of its cell."""
    cells = answer_cells.read(ROOT / "lab2.ipynb")["cells"]
    return {name: ones[0].source for name, ones in answer_cells.find(cells).items()}


def as_json(key: Key) -> bytes:
    """Return a key as the file of an edition holds it."""
    return json.dumps(key, indent=1, sort_keys=True).encode("utf-8")


def store(edition: str, key: Key) -> Path:
    """Keep the key of an edition; return its file."""
    path = FOLDER / f"{edition}.json"
    files.write_atomically(path, as_json(key))
    return path


def stored() -> dict[str, Key]:
    """Return the keys of all editions that are kept here, by edition."""
    texts = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.json"))}
    return {
        edition: {name: Right(*parts) for name, parts in json.loads(text).items()}
        for edition, text in texts.items()
    }


def earlier(editions: Sequence[str]) -> dict[str, Key]:
    """Return the keys of earlier editions that a teacher names. Raises LabError if one is unknown.

    No hand-in names its own: with last year's edition go last year's answers.
    """
    known = stored() if editions else {}
    for edition in editions:
        if edition not in known:
            has = ", ".join(known) or "none"
            raise LabError(f"{FOLDER} has no key of an edition {edition!r}; it has: {has}.")
    return {edition: known[edition] for edition in editions}
