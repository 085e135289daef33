"""The folder that a student's program may write to: is it too full, and how it is emptied.

Both sides use it. What lies there may be as deep, as long and as closed as a file system allows, so
nothing here descends by recursion, and no path is longer than a name.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

if __package__:
    from grading.sandbox import faults
else:  # behind the wall
    import faults

MOST_FILES = 1_000
MOST_BYTES = 64 << 20
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def fault(folder: str) -> str:
    """Return in words what is too much in a folder, or cannot be looked at; "" if nothing is."""
    count = size = 0
    try:
        for entry in _entries(folder):
            count, size = count + 1, size + entry.stat(follow_symlinks=False).st_size
            if count > MOST_FILES or size > MOST_BYTES:
                return faults.FILES
    except FileNotFoundError:  # it has just been removed
        return ""
    except OSError:
        return faults.FOLDER
    return ""


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)


def empty(folder: str) -> None:
    """Remove all that lies in a folder. Raises OSError if something there cannot be removed."""
    here, depth = os.open(folder, FOLDER), 0
    try:
        while True:
            inner = _remove_all_but_a_folder(here)
            if not inner and not depth:
                return
            there = os.open(inner or "..", FOLDER, dir_fd=here)
            os.close(here)
            here, depth = there, depth + (1 if inner else -1)
    finally:
        os.close(here)


def _remove_all_but_a_folder(here: int) -> str:
    """Remove what can be removed at once from an open folder; return a folder that is not empty."""
    for name in os.listdir(here):
        if not stat.S_ISDIR(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=here)
            continue
        try:
            os.rmdir(name, dir_fd=here)
        except OSError:
            os.chmod(name, 0o700, dir_fd=here)
            return name
    return ""
