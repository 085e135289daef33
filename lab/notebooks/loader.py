"""Turns a notebook into a module: what its cells tagged `define` define, and nothing else of it.

The cells are written, one after another, into `build/<notebook>_cells.py` (below the output folder
where the lab's own cannot be written), and that file is what runs: a traceback names its lines, a
debugger stops there, and other processes import the same.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from lab import environment
from lab.base import files
from lab.base.messages import _
from lab.config import LabError
from lab.exercises import answer_cells


def write_cells(notebook: Path) -> Path:
    """Write the cells that define things as a Python file, if it is not there; return its path."""
    text = cells_text(notebook)
    file = environment.cells_folder() / f"{notebook.stem}_cells.py"
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        files.write_atomically(file, text.encode("utf-8"))
    return file


def renamed(notebook: Path) -> Path:
    """Return a notebook; where it is not there, the only one beside it that is of an edition."""
    try:
        paths = [] if notebook.exists() else sorted(notebook.parent.glob("*.ipynb"))
    except PermissionError:  # who reads it says so
        return notebook
    others = []
    for path in paths:
        with contextlib.suppress(LabError):
            if ".before" not in path.suffixes and answer_cells.edition_of(answer_cells.read(path)):
                others.append(path)
    return others[0] if len(others) == 1 else notebook


def cells_text(notebook: Path) -> str:
    """Return the source of all cells tagged `define`, each below a line that says which it is."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        sources = [
            (number, "".join(cell["source"]))
            for number, cell in enumerate(cells)
            if "define" in cell["metadata"].get("tags", [])
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(
            _("{path} cannot be read as a notebook: {error}.", path=notebook.name, error=error)
        ) from error
    head = f"# The cells of {notebook.name} that define things. Not edited by hand.\n"
    parts = [f"# %% cell {number}\n{source}\n" for number, source in sources]
    return "\n\n".join([head, *parts])
