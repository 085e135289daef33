"""What students have handed in: found in any folder or archive, read as it is, never changed.

Nothing is unpacked to the disk and no link is followed.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import re
import time
import unicodedata
import zipfile
import zlib
from collections import defaultdict
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
OF_OTHER_KIND = "an archive of a kind that is not read; ask for a .zip"
NONE = "there is no notebook in it"
SKIPPED = {".ipynb_checkpoints", "__MACOSX", "__pycache__", ".venv", "venv", ".git"}


class Submission(NamedTuple):
    """One submission: by whom, as its file names tell, and the notebook in it."""

    student: str
    number: str  # of the learning platform, or ""
    file: str  # where it lies in the folder of submissions
    content: bytes | None  # None where there is no notebook
    time: float  # seconds, of the notebook's last change
    problem: str = ""  # why there is nothing to read
    flags: tuple[str, ...] = ()  # what a person should know

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
    found = _in_archive(place.read_bytes(), "") if place.is_file() else _in_folder(place, "")
    groups: defaultdict[str, list[NotebookFile]] = defaultdict(list)
    for one in found:
        groups[one.file.partition("/")[0]].append(one)
    return [_submission(name, files) for name, files in sorted(groups.items())]


def _submission(entry: str, files: list[NotebookFile]) -> Submission:
    """Return the submission of an entry, with the notebook that has most answers."""
    name = unicodedata.normalize("NFC", entry)
    name = re.sub(r"\.(ipynb|zip|rar|7z|tgz|tar(\.\w+)?)$", "", name, flags=re.IGNORECASE)
    match = MOODLE.match(name) or CANVAS.match(name)
    student, number = match.group("name", "number") if match else (name, "")
    student = student.strip() or "without a name"
    notebooks = [one for one in files if one.problem != NONE]
    if not notebooks:
        return Submission(student, number, entry, None, 0.0, NONE)
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


def _in_folder(folder: Path, name: str) -> Iterator[NotebookFile]:
    """Yield the notebooks in a folder."""
    for path in sorted(folder.iterdir()):
        if path.name not in SKIPPED and not path.name.startswith("."):
            yield from _notebooks(path, f"{name}/{path.name}" if name else path.name)


def _notebooks(path: Path, name: str) -> Iterator[NotebookFile]:
    """Yield the notebooks in a file, folder or archive. Links are named, and not followed."""
    try:
        if path.is_symlink():
            yield NotebookFile(name, None, 0.0, "it is a link, which is not followed")
        elif path.is_dir():
            yield NotebookFile(name, None, 0.0, NONE)  # which counts if nothing else is there
            yield from _in_folder(path, name)
        elif path.suffix.lower() == ".ipynb" and path.is_file():
            state = path.stat()
            large = f"it has {state.st_size >> 20} MB" if state.st_size > LARGEST else ""
            yield NotebookFile(name, None if large else path.read_bytes(), state.st_mtime, large)
        elif path.suffix.lower() == ".zip" and path.is_file():
            yield from _in_archive(path.read_bytes(), name)
        elif path.suffix.lower() in NOT_READ and path.is_file():
            yield NotebookFile(name, None, path.stat().st_mtime, OF_OTHER_KIND)
    except OSError as error:
        yield NotebookFile(name, None, 0.0, f"it cannot be read: {error.strerror}")


# what a damaged or unusual ZIP file can raise; RuntimeError: also NotImplementedError
UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, RuntimeError,
              ValueError)  # fmt: skip


def _in_archive(content: bytes, name: str, depth: int = 0) -> Iterator[NotebookFile]:
    """Yield the notebooks in an archive, and in archives in it, as far as each is small enough."""
    if name:
        yield NotebookFile(name, None, 0.0, NONE)  # which counts if nothing else is there
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.infolist()[:MEMBERS]:
                parts = member.filename.split("/")
                path, kind = "/".join(filter(None, (name, *parts))), Path(parts[-1]).suffix.lower()
                if SKIPPED.intersection(parts) or parts[-1].startswith("."):
                    continue
                one = _member(archive, member, path, kind)
                if kind == ".zip" and one.content is not None and depth == 0:
                    yield from _in_archive(one.content, path, depth + 1)
                elif one.problem or kind == ".ipynb":
                    yield one
    except UNREADABLE as error:
        yield NotebookFile(name, None, 0.0, f"the archive cannot be read: {error}")


def _member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, kind: str
) -> NotebookFile:
    if kind not in (".ipynb", ".zip"):
        return NotebookFile(name, None, 0.0, OF_OTHER_KIND if kind in NOT_READ else NONE)
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
    seconds = time.mktime((*member.date_time, 0, 0, -1))  # archives tell local time
    return NotebookFile(name, None if large else content, seconds, large)


class Notebook(NamedTuple):
    """A notebook as it was handed in; cells: None if it is none."""

    cells: list[dict[str, Any]] | None = None
    edition: str = ""
    language: str = i18n.ENGLISH


def notebook_of(content: bytes | None) -> Notebook:
    """Return a notebook in any state, of format 3 too. A cell that is no cell is left out."""
    try:
        notebook = json.loads(content)  # UTF-8 or UTF-16, with or without a mark of it
        if "cells" in notebook:
            cells = notebook["cells"]
        else:  # format 3, where code is an `input` on a worksheet
            cells = [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]
        if not isinstance(cells, list):
            return Notebook()
        metadata = notebook.get("metadata")
        lab = metadata.get("lab2") if isinstance(metadata, dict) else None
        lab = lab if isinstance(lab, dict) else {}
        edition, language = lab.get("edition"), lab.get("language")
        return Notebook(
            [{"source": c.get("input", ""), **c} for c in cells if isinstance(c, dict)],
            edition if isinstance(edition, str) else "",
            language if language in i18n.languages() else i18n.ENGLISH,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, MemoryError):
        return Notebook()
