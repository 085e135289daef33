"""What earlier gradings wrote beside what others put there: that alone is ever removed."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from grading.records.decided import stored
from lab.base import files

WRITTEN = "kept/pages.json"  # folder -> the files in it that the grader wrote


def remove(where: Path, folder: str, written: Collection[str]) -> None:
    """Remove what the grading before wrote into a folder, and this one did not.

    where: the folder of grades. written: paths in that folder, which are known from now on
    """
    known = stored(where / WRITTEN) or {}
    for name in {*known.get(folder, ())}.difference(written):
        (where / folder / name).unlink(missing_ok=True)
    content = json.dumps({**known, folder: sorted(written)}, indent=0)
    files.write_atomically(where / WRITTEN, content.encode())
