"""Files written whole or not at all, and read with their damage noticed.

Arrays (NPZ), tensors (torch) and tables (CSV). No pickle is ever executed.
"""

from __future__ import annotations

import contextlib
import glob
import io
import os
import pickle
import struct
import time
import uuid
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from lab import config
from lab.base.messages import Message, _, reason
from lab.config import LabError

PATIENCE = 3.0  # seconds that a file may be held by another program, as readers on Windows do
LEFT_BEHIND = 3600  # seconds after which the part of a file that nobody finished is swept away
ELSEWHERE = _("Free some space, or name another folder with LAB2_OUT or LAB2_DATA.")


def write_atomically(path: Path, content: bytes, remedy: Message = ELSEWHERE) -> None:
    """Write `content` to `path` so that a reader sees the old file or the new one, never a part.

    Folders are made where they are missing. Parts that killed processes have left of the same file
    are swept away. Raises LabError where the disk is full, the folder cannot be written, or a
    program has the file open; the old file stays.

    remedy: how the place is changed, in a sentence
    """
    temporary = path.parent / f".{path.name}-{uuid.uuid4().hex}.part"
    written = False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        written = True
        replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if written and isinstance(error, PermissionError):  # as of a table that Excel shows
            remedy = _("Close the program that has it open, and run this again.")
        raise LabError(
            _(
                "Cannot write {file} in {folder}: {error}. {remedy} What was there before is "
                "unchanged.",
                file=path.name or path,
                folder=path.parent,
                error=reason(error),
                remedy=remedy,
            )
        ) from error
    _sweep_parts(path)


def replace(source: Path, target: Path) -> None:
    """Move a file or folder to where another may stand.

    On Windows that fails while a virus scanner or another reader has it open: it is tried again for
    PATIENCE seconds. Raises PermissionError after that.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            source.replace(target)
            return
        except PermissionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _sweep_parts(path: Path) -> None:
    """Delete what processes that were killed in the middle of writing have left of a file."""
    for part in path.parent.glob(f".{glob.escape(path.name)}-*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > LEFT_BEHIND:
                part.unlink()


# what is raised for a file that is missing, cut short or overwritten; no more, or it hides faults
DAMAGE = (
    *(OSError, RuntimeError, ValueError, EOFError, KeyError, IndexError, OverflowError),
    *(pickle.UnpicklingError, zipfile.BadZipFile, struct.error, zlib.error),
)


def save_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    """Write named arrays to an NPZ file, atomically. Raises LabError as `write_atomically`."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomically(path, buffer.getvalue())


def load_arrays(path: Path) -> dict[str, NDArray[Any]] | None:
    """Read an NPZ file written by `save_arrays`; None if it is missing or damaged (said so).

    No pickle is ever loaded.
    """
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except DAMAGE:
        print(_("{file} is damaged.", file=path.name))
        return None


def load_tensors(path: Path) -> dict[str, Any] | None:
    """Read a file of `torch.save`; None if it is missing or damaged. No pickle is executed.

    torch.load does not look at the checksums that torch.save has written, so that a flipped bit in
    a weight would go unseen. They are those of any ZIP file, and are checked here.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return None
        return torch.load(path, weights_only=True, map_location="cpu")
    except DAMAGE:
        return None


def write_table(
    name: str, table: pd.DataFrame, folder: Path | None = None, digits: int | None = 6
) -> None:
    """Write <name>.csv, atomically, to the output folder or another. digits=None writes all."""
    content = table.to_csv(index=False, float_format=digits and f"%.{digits}g").encode("utf-8")
    write_atomically((folder or config.output_folder()) / f"{name}.csv", content)


def read_table(
    name: str, folder: Path | None = None, types: dict[str, Any] | None = None
) -> pd.DataFrame:
    """Read a table of `write_table`. Raises LabError if it is missing or unreadable.

    types: column -> its type, where that cannot be told from what stands in it
    """
    folder = folder or config.output_folder()
    try:
        return pd.read_csv(folder / f"{name}.csv", dtype=types)
    except (OSError, ValueError) as error:
        raise LabError(
            _(
                "No {file} in {folder}: {error}. Run the cells above first.",
                file=f"{name}.csv",
                folder=folder,
                error=error,
            )
        ) from error
