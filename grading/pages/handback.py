"""Feedback as archives that learning platforms take back, and give to the students.

Moodle ("Upload multiple feedback files in a zip") goes by the number in a folder's name, which is
as in its own download. Canvas ("Re-upload submissions") goes by the numbers in a file's name, and
gives it to the student under the name of what was handed in. So there the feedback has the form
that this name promises: a notebook with a cell of text, or an archive with a page in it.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from grading.graded import Graded
from grading.pages import feedback
from lab.config import LabError

WHEN = (1980, 1, 1, 0, 0, 0)  # of what is in an archive: the same feedback makes the same archive
CANVAS = re.compile(r"[^/]*?_(?:LATE_)?(\d+)_(\d+)_[^/]+")
File = tuple[str, str | bytes]  # its path, and what is in it


def moodle(one: Graded) -> File | None:
    """Return path and content of a student's feedback; None of whom Moodle has given no number."""
    if not one.number:
        return None
    name = re.sub(r"[\W_]+", " ", one.student).strip() or "student"
    path = f"{name}_{one.number}_assignsubmission_file_/feedback.html"
    return path, feedback.in_html(one)


def canvas(one: Graded) -> File | None:
    """Return name and content of a student's feedback; None of what is not named as by Canvas.

    A partner's is not: the file is that of who handed in.
    """
    parts = one.file.split("/")  # the first may be a folder or archive of the whole class
    numbered = (match for match in map(CANVAS.fullmatch, parts) if match)
    own = next((match[0] for match in numbered if match[1] == one.number), "")
    name = own or parts[one.who.count("/")]  # without a number, `who` is the entry
    if one.partner or not CANVAS.fullmatch(name):
        return None
    ending = PurePosixPath(name).suffix.lower()
    if ending == ".zip":
        return name, _archive([("feedback.html", feedback.in_html(one))])
    text = feedback.in_markdown(one)
    return name, _notebook(text) if ending in (".ipynb", ".json") else text


PLATFORMS = {"moodle": moodle, "canvas": canvas}


def archive(everybody: Sequence[Graded], platform: str) -> tuple[bytes, list[str]]:
    """Return the archive for a platform, and the names of the rows that are not in it.

    Of two rows that the platform would take for one student neither is in it. Raises LabError if
    the names of the hand-ins are not the platform's.
    """
    made = {one.name: PLATFORMS[platform](one) for one in everybody if one.name}
    paths = Counter(file[0].casefold() for file in made.values() if file)
    chosen = {n: file for n, file in made.items() if file and paths[file[0].casefold()] == 1}
    if not chosen:
        raise LabError(
            f"No hand-in is named as {platform.capitalize()} names it, so that the feedback cannot "
            "go back. Grade the folder or archive as it was downloaded from there."
        )
    return _archive(chosen.values()), [name for name in made if name not in chosen]


def _archive(files: Iterable[File]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made:
        for path, one in files:
            info = zipfile.ZipInfo(path, WHEN)
            info.external_attr = 0o644 << 16  # or who unpacks it may not read it
            made.writestr(info, one, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def _notebook(text: str) -> str:
    """Return a notebook with one cell of text."""
    cell = {"cell_type": "markdown", "id": "feedback", "metadata": {}, "source": text}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
