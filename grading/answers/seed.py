"""The seed of the inputs that answers are tried with: drawn once for each course.

The notebook's own checks draw others, which every student can read. So nobody can hand in a table
of outputs; and all hand-ins of a course, and each one graded again, are tried with the same.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from lab.base import files
from lab.config import LabError

MOST = 2**31


def of_course(folder: Path) -> int:
    """Return the seed that a folder of grades keeps; draw it if there is none yet.

    Raises LabError if the file cannot be read: another seed could give other points.
    """
    path = folder / "seed.json"
    if not path.exists():
        content = json.dumps({"seed": secrets.randbelow(MOST)}) + "\n"
        folder.mkdir(parents=True, exist_ok=True)
        files.write_atomically(path, content.encode("utf-8"))
    try:
        seed = json.loads(path.read_text("utf-8"))["seed"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        seed = None
    if type(seed) is not int or not 0 <= seed < MOST:
        raise LabError(
            f"{path} holds no seed as the grader wrote it. Bring it back from a copy; without it, "
            "delete it, and grade the whole class anew."
        )
    return seed
