"""Folders and archives: the files of each entry of a class's folder, read as they are.

Nothing is unpacked to the disk and no link is followed. What one entry may unpack to is bounded;
whatever goes wrong in it is a problem of its own, and nobody else's.
"""

from __future__ import annotations

import functools
import io
import itertools
import lzma
import mmap
import os
import re
import stat
import struct
import time
import unicodedata
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, NamedTuple

from lab.base.messages import _
from lab.config import LabError

LARGEST = 50 << 20  # bytes of a file that is read
BYTES = 200 << 20  # that the files of one entry may have, unpacked
FILES = 1_000  # notebooks and archives of one entry
MEMBERS = 200_000  # files of any kind in one entry
LOOKS = 2_000  # files that may be notebooks in one entry, by what they are called
DEEPEST = 40  # folders in folders
ARCHIVES = 3  # archives in archives

OF_OTHER_KIND = _("an archive of a kind that is not read; ask for a .zip")
NONE = _("there is no notebook in it")
OTHER = _("it is no notebook")  # a file of another kind
DAMAGED = _("the file is damaged: hand it in again")
CUT = _("the file is damaged (it ends in the middle): hand it in again")
LINK = _("it is a link, which is not followed")
EMPTY = _("it is empty")
TOO_MUCH = _(
    "more than {size} MB or {files:,} files, unpacked: the rest is not read",
    size=BYTES >> 20, files=FILES,
)  # fmt: skip
TOO_DEEP = _(
    "folders more than {deepest} deep, or archives more than {archives}: it is not read",
    deepest=DEEPEST, archives=ARCHIVES,
)  # fmt: skip
TOO_MANY = _("more than {files:,} files: it is not read", files=MEMBERS)
SKIPPED = {".ipynb_checkpoints", "__MACOSX", "__pycache__", ".venv", "venv", ".git", ".DS_Store",
           "Thumbs.db", "desktop.ini"}  # fmt: skip
NOTEBOOK = re.compile(r"\.ipynb(?:\W|$)", re.IGNORECASE)  # browsers and copies add to it
NO_NOTEBOOK = (".pdf", ".html", ".htm", ".py", ".png", ".jpg")  # as in lab2.ipynb.pdf
MAY_BE_ONE = (".json", ".txt", "")
NOT_READ = (".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz")  # archives of other kinds


class File(NamedTuple):
    """A file of a hand-in: a notebook with its content, or why there is none."""

    file: str  # where it lies in the folder of submissions
    content: bytes | None = None
    time: float = 0.0  # seconds, of its last change
    problem: str = ""


# what a damaged or unusual ZIP file can raise; RuntimeError: also NotImplementedError
UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, RuntimeError,
              ValueError, MemoryError, struct.error, KeyError, IndexError)  # fmt: skip


class Budget:
    """How much of an entry may still be read."""

    def __init__(self) -> None:
        self.bytes, self.files, self.members, self.looks = BYTES, FILES, MEMBERS, LOOKS

    def read(self, stream: BinaryIO) -> tuple[bytes | None, str]:
        """Return the content of a file; None, and why, if there is none or it is too large."""
        most = min(LARGEST, self.bytes)
        if self.files <= 0 or most <= 0:
            return None, TOO_MUCH
        content = stream.read(most + 1)  # what it claims to be large does not matter
        self.files, self.bytes = self.files - 1, self.bytes - len(content)
        if len(content) > most:
            whole = _("it has more than {size} MB", size=LARGEST >> 20)
            return None, whole if most == LARGEST else TOO_MUCH
        return (content, "") if content else (None, EMPTY)


def _is_skipped(name: str) -> bool:
    return name in SKIPPED or name.startswith("._")


def of(place: Path) -> dict[str, list[File]]:
    """Return the files of each entry of a folder or an archive: name of the entry -> its files.

    What a system keeps there for itself is no entry. Raises LabError if it cannot be read.
    """
    found = _of_archive(place) if place.is_file() else _of_folder(place)
    return {
        entry: files
        for entry, files in found.items()
        if not entry.startswith(".") or any(one.problem not in (NONE, OTHER) for one in files)
    }


def _of_folder(folder: Path) -> dict[str, list[File]]:
    found: dict[str, list[File]] = {}
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise LabError(f"The folder {folder} cannot be read: {error.strerror}.") from None
    for path in paths:
        entry = _readable(path.name)
        while entry in found:  # another one, in other letters
            entry += "~"
        if not _is_skipped(path.name):
            found[entry] = _all_of(entry, _in_folder(path, entry, Budget()))
    return found


def _of_archive(place: Path) -> dict[str, list[File]]:
    groups = defaultdict(list)
    try:
        with zipfile.ZipFile(place) as archive:
            for parts, member in members(archive):
                if not _is_skipped(parts[0]):
                    groups[parts[0]].append((parts, member))
            return {
                entry: _all_of(entry, _of_members(archive, ones, Budget(), 0))
                for entry, ones in groups.items()
            }
    except UNREADABLE as error:
        raise LabError(f"The archive {place} cannot be read: {error}.") from None


def _all_of(entry: str, files: Iterator[File]) -> list[File]:
    """Return the files of an entry; whatever reading them raises is one of its problems."""
    found = []
    try:
        for one in files:
            found.append(one)
    except Exception as error:
        what = f"{type(error).__name__}: {error}"[:200]
        found.append(File(entry, problem=_("could not be graded: {error}", error=what)))
    return found


def _in_folder(path: Path, name: str, budget: Budget) -> Iterator[File]:
    """Yield the files in a folder, an archive, or a file alone."""
    waiting = [(path, name)]
    while waiting:
        path, name = waiting.pop()
        try:
            state = path.lstat()
            if not stat.S_ISDIR(state.st_mode):
                yield from _at(path, name, state, budget)
                continue
            too_deep = name.count("/") >= DEEPEST
            inner = [] if too_deep else sorted(path.iterdir(), reverse=True)
        except OSError as error:
            yield File(name, problem=_("it cannot be read: {error}", error=error.strerror))
            continue
        budget.members -= len(inner)
        many = budget.members < 0
        yield File(name, problem=TOO_DEEP if too_deep else TOO_MANY if many else NONE)
        if not many:
            waiting += [
                (one, f"{name}/{_readable(one.name)}")
                for one in inner
                if not one.name.startswith(".") and not _is_skipped(one.name)
            ]


def _at(path: Path, name: str, state: os.stat_result, budget: Budget) -> Iterator[File]:
    """Yield the file at a path, or those in it. Links are named, and not followed."""
    if stat.S_ISLNK(state.st_mode):
        yield File(name, problem=LINK)
    elif not stat.S_ISREG(state.st_mode):
        yield File(name, problem=_("it is neither a file nor a folder"))
    else:
        yield from _of_file(lambda: path.open("rb"), name, state.st_mtime, budget, 0)


def _kind(name: str) -> str:
    """Return what a file is by its name: notebook, archive, other archive, perhaps or ""."""
    name = name.rpartition("/")[2]
    ending = PurePosixPath(name).suffix.lower()
    if ending == ".zip":
        return "archive"
    if ending in NOT_READ:
        return "other archive"
    if NOTEBOOK.search(name):
        return "" if ending in NO_NOTEBOOK else "notebook"
    return "perhaps" if ending in MAY_BE_ONE else ""


def _of_file(
    opened: Callable[[], IO[bytes]], name: str, seconds: float, budget: Budget, depth: int
) -> Iterator[File]:
    """Yield a file, or the files in it if it is an archive; it is opened only if it may count."""
    kind = _kind(name)
    if not kind:
        yield File(name, None, seconds, OTHER)
        return
    with opened() as stream:
        if kind == "perhaps":
            budget.looks -= 1
            kind = "notebook" if budget.looks >= 0 and looks_like_one(stream.peek(4096)) else ""
        if kind == "archive":
            yield from _in_archive(stream, name, budget, depth)
        elif kind == "notebook":
            content, problem = budget.read(stream)
            yield File(name, content, seconds, problem)
        else:
            yield File(name, None, seconds, OF_OTHER_KIND if kind else OTHER)


def looks_like_one(start: bytes) -> bool:
    """Say whether a file begins as a notebook does, whatever it is called."""
    start = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    word = re.search(rb'"(?:cells|nbformat|worksheets)"', start[:4096])
    return start.startswith(b"{") and bool(word)


def _in_archive(stream: BinaryIO, name: str, budget: Budget, depth: int) -> Iterator[File]:
    """Yield the files in an archive, and in archives in it."""
    if depth >= ARCHIVES:
        yield File(name, problem=TOO_DEEP)
        return
    try:
        if isinstance(stream, zipfile.ZipExtFile):
            content, problem = budget.read(stream)
            stream = io.BytesIO(content or b"")
        elif os.fstat(stream.fileno()).st_size:
            content, problem = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ), ""
        else:
            content, problem = None, EMPTY
        problem = problem or _listed(content, budget)
        yield File(name, problem=problem or NONE)
        if not problem:
            with zipfile.ZipFile(stream) as archive:
                yield from _of_members(archive, members(archive, name), budget, depth + 1)
    except UNREADABLE as error:
        what = str(error)[:200]
        yield File(name, problem=_("the archive cannot be read: {error}", error=what))


def _listed(content: bytes | mmap.mmap, budget: Budget) -> str:
    """Return "" if an archive lists no more files than may be read; to list them takes memory."""
    heads = re.finditer(b"PK\x01\x02", content)
    budget.members -= sum(1 for _ in itertools.islice(heads, budget.members + 1))
    return TOO_MANY if budget.members < 0 else ""


Members = Iterable[tuple[list[str], zipfile.ZipInfo]]


def members(archive: zipfile.ZipFile, name: str = "") -> Members:
    """Yield the members of an archive, each with the parts of its path; name: of the archive."""
    for member in archive.infolist():
        path = member.filename
        if not (member.flag_bits & 0x800 or path.isascii()):  # it does not tell its letters
            path = _decoded(path.encode("cp437"), path)
        if member.create_system == 0:  # of Windows, where some programs write its own slashes
            path = path.replace("\\", "/")
        if parts := [part for part in path.split("/") if part not in ("", ".", "..")]:
            yield ([name] if name else []) + parts, member


def _of_members(
    archive: zipfile.ZipFile, ones: Members, budget: Budget, depth: int
) -> Iterator[File]:
    """Yield the files that some members of an archive are, or that are in them."""
    for parts, member in ones:
        hidden = [i for i, part in enumerate(parts) if (i and part[0] == ".") or _is_skipped(part)]
        name, seconds = "/".join(parts[: hidden[0] if hidden else None]), _seconds(member)
        if hidden or member.is_dir():
            yield File(name, problem=NONE)  # there is this folder
        elif len(parts) > DEEPEST:
            yield File("/".join([*parts[:DEEPEST], "..."]), problem=TOO_DEEP)
        elif stat.S_ISLNK(member.external_attr >> 16):
            yield File(name, problem=LINK)
        elif member.flag_bits & 1 and _kind(name):
            yield File(name, problem=_("the archive asks for a password"))
        else:
            try:
                opened = functools.partial(archive.open, member)
                yield from _of_file(opened, name, seconds, budget, depth)
            except UNREADABLE as error:
                what = str(error)[:200]
                yield File(name, problem=_("it cannot be unpacked: {error}", error=what))


def _seconds(member: zipfile.ZipInfo) -> float:
    try:
        return time.mktime((*member.date_time, 0, 0, -1))  # archives tell local time
    except (OverflowError, ValueError):
        return 0.0


def _chinese(raw: bytes) -> str:
    """Return a name in the letters that a Chinese Windows writes; "" if it is none."""
    try:
        text = raw.decode("gb18030")
    except UnicodeDecodeError:
        return ""
    others = [letter for letter in text if not letter.isascii()]
    usual = re.findall("[\u4e00-\u9fff]", text.encode("gb2312", "ignore").decode("gb2312"))
    return text if 2 * len(usual) >= len(others) else ""


def _readable(name: str) -> str:
    """Return the name of a file that is not in UTF-8 as it was meant."""
    raw = os.fsencode(name)
    return _decoded(raw, raw.decode("utf-8", "backslashreplace"))


def _decoded(raw: bytes, otherwise: str) -> str:
    """Return a name in UTF-8, or in Chinese letters of Windows, two of which can look like it."""
    chinese = _chinese(raw)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return chinese or otherwise
    letters = [letter for letter in text if not letter.isascii()]
    odd = any(unicodedata.category(letter) in ("Lm", "Mn", "Cn", "Sk") for letter in letters)
    return chinese if odd and chinese else text
