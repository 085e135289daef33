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

from grading.graded import TEXTS, Graded, digest_of
from grading.intake import reports
from grading.pages import evidence, leftovers, rendering, rubric
from grading.pages.evidence import Evidence
from grading.submissions import Submission, whole_of
from lab.base import files
from lab.exercises.catalogue import ASKED

FOLDER = "reading"
SCRIPT = "reading.js"


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
    folder, guide = where / FOLDER, rubric.read()
    found: dict[str, list[Text]] = {}
    for one in everybody:
        hand_in = hand_ins.get(one.name)
        report = _report(hand_in, place) if hand_in and place else b""
        for text in _texts_of(one, hand_in, report, course, folder):
            found.setdefault(text.exercise, []).append(text)
    texts = {n: sorted(found[n], key=lambda text: text.code) for n in ASKED if n in found}
    known = _known(everybody, texts, course)
    shared = {"script": SCRIPT, "rules": guide.rules, "known": known}
    names = ["", *texts, ""]
    pages = {
        f"{name}.html": rendering.page(
            "reading", f"{name}: {ASKED[name].title}", name=name, exercise=ASKED[name],
            texts=texts[name], around=(before, after), entry=guide.of(name), **shared,
        )
        for before, name, after in zip(names, texts, names[2:], strict=False)
    }  # fmt: skip
    exercises = [(name, ASKED[name], len(several)) for name, several in texts.items()]
    pages["index.html"] = rendering.page("reading_index", "To read", exercises=exercises, **shared)
    for name, page in pages.items():
        files.write_atomically(folder / name, page.encode("utf-8"))
    beside = (file for ones in texts.values() for t in ones for file in (*t.pictures, t.report))
    leftovers.remove(where, FOLDER, {*pages, *filter(None, beside)})


def _texts_of(
    one: Graded, hand_in: Submission | None, report: bytes, course: str, folder: Path
) -> Iterator[Text]:
    """Yield the texts of a hand-in; write their pictures and the report."""
    marks = {name: m for name, m in one.result.marks.items() if m.text and name in TEXTS}
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
    rows = [reading for one in everybody if not one.partner for reading in one.readings]
    given = ["" if row.points is None else f"{row.points:g}" for row in rows]
    content: dict[str, Any] = {
        "course": course,
        "most": {name: ASKED[name].points for name in texts},
        "texts": {n: [[text.who, text.digest] for text in ones] for n, ones in texts.items()},
        "settled": [[one.who, o.exercise] for one in everybody for o in one.overrides],
        "rows": [row._asdict() | {"points": p} for row, p in zip(rows, given, strict=True)],
    }
    return json.dumps(content).replace("<", "\\u003c")
