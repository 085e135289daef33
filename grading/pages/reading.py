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
from grading.intake import reports
from grading.pages import evidence, rendering, rubric
from grading.pages.evidence import Evidence
from grading.submissions import Submission, whole_of
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
    everybody: Sequence[Graded], hand_ins: Mapping[str, Submission], where: Path, course: str,
    place: Path | None = None,
) -> None:  # fmt: skip
    """Write the pages, and pictures and reports beside them; what is no longer shown is removed.

    hand_ins: name -> what was handed in, where figures are taken from. course: known to the
    browser. place: the folder or archive of the hand-ins, where reports are taken from
    """
    folder, written = where / FOLDER, set()
    texts: dict[str, list[Text]] = {}
    for one in everybody:
        hand_in = hand_ins.get(one.name)
        report = _report(hand_in, place) if hand_in and place else b""
        for text in _texts_of(one, hand_in, report, course, folder):
            texts.setdefault(text.exercise, []).append(text)
            written.update(folder / file for file in (*text.pictures, text.report) if file)
    names = [name for name in ASKED if name in texts]
    known, guide = _known(everybody, texts, course), rubric.read()
    for i, name in enumerate(names):
        around = [*(names[i - 1 : i] or [""]), *(names[i + 1 : i + 2] or [""])]
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
    one: Graded, hand_in: Submission | None, report: bytes, course: str, folder: Path
) -> Iterator[Text]:
    """Yield the texts of a hand-in; write their pictures and the report."""
    marks = {n: m for n, m in one.result.marks.items() if m.text and ASKED[n].kind in KINDS}
    if not marks or one.partner:  # the text is read where it was handed in
        return
    beside = _evidence(hand_in) if hand_in else {}
    link = _beside(folder, "reports", report, "pdf") if report else ""
    who = one.who or one.name
    code = hashlib.sha256(f"{course}/{who}".encode("utf-8", "replace")).hexdigest()[:5]
    for name, mark in marks.items():
        found = beside.get(name, Evidence())
        pictures = [_beside(folder, "figures", content, "png") for content in found.pictures]
        yield Text(
            one.student, who, name, code, mark.text, digest_of(mark.text),
            found.predictions, pictures, found.output, link,
        )  # fmt: skip


def _evidence(hand_in: Submission) -> dict[str, Evidence]:
    """Return what stands beside each text of a hand-in; nothing if it cannot be found."""
    try:
        return evidence.of(whole_of(hand_in).cells or [])
    except Exception:  # whatever is in it, the texts are to be read
        return {}


def _report(hand_in: Submission, place: Path) -> bytes:
    """Return the report that was handed in beside a notebook; the one called so before others."""
    found = [one.file for one in hand_in.others if one.content is None]
    for file in sorted(found, key=lambda file: ("report" not in file.rpartition("/")[2], file)):
        if content := reports.read(place, file):
            return content
    return b""


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
