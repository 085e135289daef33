"""A file of a hand-in that is no notebook, read where it lies: in a folder, or in archives."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import BinaryIO

from grading.intake.entries import ARCHIVES, UNREADABLE, members

LARGEST = 30 << 20  # bytes of a report
PDF = b"%PDF"


def read(place: Path, file: str) -> bytes | None:
    """Return a report as PDF; None where there is none, or it is too large to be one.

    place: the folder or archive of the hand-ins. file: where it lies in it, as `find` has it
    """
    try:
        path, parts = place, file.split("/")
        while path.is_dir() and parts:
            path = path / parts.pop(0)
        inside = path.resolve().is_relative_to(place.resolve())  # no link leads elsewhere
        if not (inside and path.is_file()):
            return None
        with path.open("rb") as stream:
            content = _in_archive(stream, parts, ARCHIVES) if parts else stream.read(LARGEST + 1)
    except UNREADABLE:
        return None
    return content if content and content.startswith(PDF) and len(content) <= LARGEST else None


def _in_archive(stream: BinaryIO, parts: list[str], depth: int) -> bytes | None:
    """Return a file in an archive, or in an archive in it, so many deep."""
    with zipfile.ZipFile(stream) as archive:
        found = {"/".join(path): member for path, member in members(archive)}
        for end in range(1, len(parts) + 1):
            if member := found.get("/".join(parts[:end])):
                with archive.open(member) as stream:
                    content = stream.read(LARGEST + 1)
                if end == len(parts):
                    return content
                return _in_archive(io.BytesIO(content), parts[end:], depth - 1) if depth else None
    return None
