"""Pages for a person who reads texts: one an exercise, with fields for points, and their index.

What is typed is kept by the browser at once, under course, student, exercise and the digest of the
text; Save writes it as points_read.csv. Pictures and reports lie beside the pages as files, which
the browser loads when they come into view. Nothing on a page tells who a student is unless the
reader asks for names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from grading.graded import Graded, digest_of
from grading.pages import evidence, rendering, rubric
from grading.pages.evidence import Evidence
from grading.submissions import Submission, notebook_of
from lab.base import files
from lab.exercises.catalogue import ASKED

FOLDER = "reading"
SCRIPT = "reading.js"
KINDS = ("text", "free")  # of exercises that a person reads


class Text(NamedTuple):
    """A text that a person reads, and what stands beside it."""

    student: str
    who: str
    exercise: str
    code: str  # stands for the student
    content: str
    digest: str
    predictions: Sequence[tuple[str, str]] = ()
    pictures: Sequence[str] = ()  # files beside the page
    output: str = ""
    report: str = ""  # file beside the page


def write(
    everybody: Sequence[Graded], hand_ins: Mapping[str, Submission], where: Path, course: str
) -> None:
    """Write the pages, and pictures and reports beside them; what is no longer shown is removed.

    hand_ins: name -> what was handed in, where figures are taken from. course: known to the browser
    """
    folder, written = where / FOLDER, set()
    texts: dict[str, list[Text]] = {}
    for one in everybody:
        for text in _texts_of(one, hand_ins.get(one.name), course, folder, written):
            texts.setdefault(text.exercise, []).append(text)
    names = [name for name in ASKED if name in texts]
    known, guide = _known(everybody, texts, course), rubric.read()
    for place, name in enumerate(names):
        around = [names[i] if 0 <= i < len(names) else "" for i in (place - 1, place + 1)]
        page = _page(name, texts[name], around, known, guide)
        written.add(_written(folder / f"{name}.html", page.encode("utf-8")))
    index = rendering.page(
        "reading_index", "To read", script=SCRIPT, rules=guide.rules, known=known,
        exercises=[(name, ASKED[name], len(texts[name])) for name in names],
    )  # fmt: skip
    written.add(_written(folder / "index.html", index.encode("utf-8")))
    for path in [*folder.iterdir(), *folder.glob("*/*")]:
        if path.is_file() and path not in written:
            path.unlink()


def _written(path: Path, content: bytes) -> Path:
    """Write a file, and return its path."""
    files.write_atomically(path, content)
    return path


def _page(
    name: str, texts: Sequence[Text], around: Sequence[str], known: str, guide: rubric.Rubric
) -> str:
    entry = guide.of(name)
    return rendering.page(
        "reading", f"{name}: {ASKED[name].title}", script=SCRIPT, name=name, exercise=ASKED[name],
        texts=sorted(texts, key=lambda text: text.code), around=around, known=known, entry=entry,
        rules=guide.rules,
    )  # fmt: skip


def _texts_of(
    one: Graded, hand_in: Submission | None, course: str, folder: Path, written: set[Path]
) -> Iterator[Text]:
    """Yield the texts of a hand-in; write their pictures and the report."""
    marks = {n: m for n, m in one.result.marks.items() if m.text and ASKED[n].kind in KINDS}
    if not marks or one.partner:  # the text is read where it was handed in
        return
    beside = evidence.of(notebook_of(hand_in.content).cells or []) if hand_in else {}
    who = one.who or one.name
    code = hashlib.sha256(f"{course}/{who}".encode("utf-8", "replace")).hexdigest()[:5]
    for name, mark in marks.items():
        found = beside.get(name, Evidence())
        pictures = [_beside(folder, "figures", content, "png") for content in found.pictures]
        written.update(folder / picture for picture in pictures)
        yield Text(
            one.student, who, name, code, mark.text, digest_of(mark.text),
            found.predictions, pictures, found.output,
        )  # fmt: skip


def _beside(folder: Path, kind: str, content: bytes, ending: str) -> str:
    """Write a file beside the pages, once, and return where it lies: its name tells nothing."""
    file = f"{kind}/{hashlib.sha256(content).hexdigest()[:20]}.{ending}"
    if not (folder / file).exists():
        files.write_atomically(folder / file, content)
    return file


def _known(everybody: Sequence[Graded], texts: Mapping[str, Sequence[Text]], course: str) -> str:
    """Return what the script must know, as JSON: texts, most points, and what was given so far."""
    rows = [reading._asdict() for one in everybody if not one.partner for reading in one.readings]
    content: dict[str, Any] = {
        "course": course,
        "most": {name: ASKED[name].points for name in texts},
        "texts": {
            name: [[text.who, text.digest] for text in sorted(several, key=lambda one: one.code)]
            for name, several in texts.items()
        },
        "rows": [{key: _as_text(value) for key, value in row.items()} for row in rows],
    }
    return json.dumps(content).replace("<", "\\u003c")


def _as_text(value: object) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
