"""What students have handed in: found in any folder or archive, read as it is, never changed.

A submission is a notebook, a folder, or an archive with a notebook in it, as students and learning
platforms pack them. Nothing is unpacked to the disk and no link is followed.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lab.base import i18n
from lab.exercises import answer_cells
from lab.exercises.catalogue import ASKED

LARGEST = 100 << 20  # bytes of a notebook
MEMBERS = 2_000  # files in an archive
MOODLE = re.compile(r"^(?P<name>.+?)_(?P<number>\d+)_assignsubmission_[a-z]+_?")
CANVAS = re.compile(r"^(?P<name>[^_]+)_(?:LATE_)?(?P<number>\d+)_\d+_")
NOT_READ = (".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz")  # archives of other kinds
SKIPPED = {".ipynb_checkpoints", "__MACOSX", "__pycache__", ".venv", "venv", ".git"}


class Submission(NamedTuple):
    """One submission: by whom, as its file names tell, and the notebook in it.

    student: a name;  number: of the learning platform, or ""
    file:    where it lies in the folder of submissions
    content: the notebook's bytes; None where there is none
    time:    seconds, of the notebook's last change
    problem: why there is nothing to read; "" if there is
    flags:   what a person should know
    """

    student: str
    number: str
    file: str
    content: bytes | None
    time: float
    problem: str = ""
    flags: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """The digest of the notebook: what is graded once is known by it."""
        return hashlib.sha256(self.content or b"").hexdigest()


class NotebookFile(NamedTuple):
    """A notebook in a submission, or why it cannot be read."""

    file: str
    content: bytes | None
    time: float
    problem: str = ""


def find(place: Path) -> list[Submission]:
    """Return the submissions in a folder, or in an archive of a learning platform, by name."""
    if place.is_file():
        content = place.read_bytes()
        groups: dict[str, list[NotebookFile]] = {entry: [] for entry in _entries(content)}
        for one in _in_archive(content, ""):
            groups.setdefault(one.file.partition("/")[0], []).append(one)
        return [_submission(name, notebooks) for name, notebooks in sorted(groups.items())]
    entries = sorted(path for path in place.iterdir() if not path.name.startswith("."))
    kinds = (".ipynb", ".zip", *NOT_READ)
    return [
        _submission(path.name, list(_notebooks(path, path.name)))
        for path in entries
        if path.is_dir() or path.is_symlink() or path.suffix.lower() in kinds
    ]


def _submission(entry: str, notebooks: list[NotebookFile]) -> Submission:
    """Return the submission of an entry, with the notebook that has most answers."""
    student, number = who(entry)
    if not notebooks:
        return Submission(student, number, entry, None, 0.0, "there is no notebook in it")
    best = max(notebooks, key=lambda one: (_answers_in(one), one.time))
    flags = (f"{len(notebooks)} notebooks; taken is {best.file}",) if len(notebooks) > 1 else ()
    return Submission(student, number, *best, flags)


def _answers_in(one: NotebookFile) -> int:
    """Return how many answers were written in a notebook; -1 where it is none."""
    cells = notebook_of(one.content).cells
    if cells is None:
        return -1
    return sum(
        any(not answer_cells.is_empty(cell.source, ASKED[name], cell.question) for cell in ones)
        for name, ones in answer_cells.find(cells).items()
    )


def who(entry: str) -> tuple[str, str]:
    """Return name and number that the name of a file or folder tells, as platforms make them."""
    name = unicodedata.normalize("NFC", entry)
    name = re.sub(r"\.(ipynb|zip|rar|7z|tgz|tar(\.\w+)?)$", "", name, flags=re.IGNORECASE)
    if match := MOODLE.match(name) or CANVAS.match(name):
        return match["name"].strip(), match["number"]
    return name.strip() or "without a name", ""


def _notebooks(path: Path, name: str) -> Iterator[NotebookFile]:
    """Yield the notebooks in a file, folder or archive. Links are named, and not followed."""
    try:
        if path.is_symlink():
            yield NotebookFile(name, None, 0.0, "it is a link, which is not followed")
        elif path.is_dir():
            for inner in sorted(path.iterdir()):
                if inner.name not in SKIPPED and not inner.name.startswith("."):
                    yield from _notebooks(inner, f"{name}/{inner.name}")
        elif path.suffix.lower() == ".ipynb" and path.is_file():
            state = path.stat()
            large = f"it has {state.st_size >> 20} MB" if state.st_size > LARGEST else ""
            yield NotebookFile(name, None if large else path.read_bytes(), state.st_mtime, large)
        elif path.suffix.lower() == ".zip" and path.is_file():
            yield from _in_archive(path.read_bytes(), name)
        elif path.suffix.lower() in NOT_READ and path.is_file():
            yield _not_read(name, path.stat().st_mtime)
    except OSError as error:
        yield NotebookFile(name, None, 0.0, f"it cannot be read: {error.strerror}")


def _not_read(name: str, time: float) -> NotebookFile:
    return NotebookFile(name, None, time, "an archive of a kind that is not read; ask for a .zip")


# what a damaged or unusual ZIP file can raise; RuntimeError: also NotImplementedError
UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, RuntimeError,
              ValueError)  # fmt: skip


def _entries(content: bytes) -> list[str]:
    """Return the first part of each path in an archive: the submissions of a class."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            firsts = (m.filename.partition("/")[0] for m in archive.infolist()[:MEMBERS])
            return [f for f in dict.fromkeys(firsts) if f not in SKIPPED and f[:1] not in ("", ".")]
    except UNREADABLE:
        return []  # `_in_archive` says why


def _in_archive(content: bytes, name: str, depth: int = 0) -> Iterator[NotebookFile]:
    """Yield the notebooks in an archive, and in archives in it, as far as each is small enough."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.infolist()[:MEMBERS]:
                parts = member.filename.split("/")
                path, kind = "/".join(filter(None, (name, *parts))), Path(parts[-1]).suffix.lower()
                if SKIPPED.intersection(parts) or kind not in (".ipynb", ".zip", *NOT_READ):
                    continue
                one = _not_read(path, 0.0) if kind in NOT_READ else _member(archive, member, path)
                if kind == ".zip" and one.content is not None and depth == 0:
                    yield from _in_archive(one.content, path, depth + 1)
                elif kind != ".zip" or one.problem:
                    yield one
    except UNREADABLE as error:
        yield NotebookFile(name, None, 0.0, f"the archive cannot be read: {error}")


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> NotebookFile:
    if (member.external_attr >> 16) & 0o170000 == 0o120000:
        return NotebookFile(name, None, 0.0, "it is a link, which is not followed")
    if member.flag_bits & 1:
        return NotebookFile(name, None, 0.0, "the archive asks for a password")
    try:
        with archive.open(member) as stream:
            content = stream.read(LARGEST + 1)  # what it claims to be large does not matter
    except UNREADABLE as error:
        return NotebookFile(name, None, 0.0, f"it cannot be unpacked: {error}")
    large = f"it has more than {LARGEST >> 20} MB" if len(content) > LARGEST else ""
    year, month, day, hour, minute, second = member.date_time
    days = (year * 12 + month) * 31 + day  # in the order of time, which is all that is asked
    time = float(((days * 24 + hour) * 60 + minute) * 60 + second)
    return NotebookFile(name, None if large else content, time, large)


# ── A notebook as it is ─────────────────────────────────────────────────────────────────────────


class Notebook(NamedTuple):
    """A notebook as it was handed in; cells: None if it is none."""

    cells: list[dict[str, Any]] | None = None
    edition: str = ""
    language: str = i18n.ENGLISH


def notebook_of(content: bytes | None) -> Notebook:
    """Return a notebook in any state.

    Format 3 is read too. A cell that is no cell is left out.
    """
    if content is None:
        return Notebook()
    try:
        notebook = json.loads(content)  # UTF-8 or UTF-16, with or without a mark of it
        cells = notebook["cells"] if "cells" in notebook else _of_format_3(notebook)
        if not isinstance(cells, list):
            return Notebook()
        metadata = notebook.get("metadata")
        lab = metadata.get("lab2") if isinstance(metadata, dict) else None
        lab = lab if isinstance(lab, dict) else {}
        edition, language = lab.get("edition"), lab.get("language")
        return Notebook(
            [cell for cell in cells if isinstance(cell, dict)],
            edition if isinstance(edition, str) else "",
            language if language in i18n.languages() else i18n.ENGLISH,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, MemoryError):
        return Notebook()


def _of_format_3(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the cells of the older format, where code is an `input` on a worksheet."""
    cells = [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]
    cells = [cell for cell in cells if isinstance(cell, dict)]
    return [{**cell, "source": cell.get("source", cell.get("input", ""))} for cell in cells]
