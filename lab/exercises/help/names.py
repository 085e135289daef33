"""Names of the lab that a student's own cell gives another value: told at once, with the way back.

Later cells of the notebook need modules, functions and data by names such as `results` or `test`,
which are also good names for something of one's own.
"""

from __future__ import annotations

import builtins
import inspect
import re
import sys
from pathlib import Path
from typing import Any

from lab import config
from lab.base.messages import Message, _
from lab.exercises import answer_cells

WATCH = "_watch"  # where a notebook keeps its watch, among its own names
MEANT = {"code_hash", "mine"}  # section 10 asks students to give them anew
FIRST_LINE = re.compile(r"(?m)^(?!\s*(?:[#%!@]|$)).*$")  # of code, and no decorator


def watch(notebook: str = "lab2.ipynb") -> None:
    """Let the kernel say after each cell which of the notebook's names it has overwritten.

    The notebook calls it. Elsewhere, as in a process that trains, it does nothing.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None or WATCH in shell.user_ns:
        return
    scope = shell.user_ns
    try:
        scope[WATCH] = Watch(config.ROOT / notebook, scope)
    except config.LabError:  # it has another name: nothing to compare with
        return
    shell.events.register("post_run_cell", scope[WATCH].look)


class Watch:
    """The names that a notebook's cells need of each other, and the values that are right."""

    def __init__(self, notebook: Path, scope: dict[str, Any]) -> None:
        """Read a notebook. scope: its names while it runs. Raises LabError if it cannot be read."""
        cells = answer_cells.read(notebook)["cells"]
        answers = {one.place for ones in answer_cells.find(cells).values() for one in ones}
        sources = [
            answer_cells.source_of(cell)
            for place, cell in enumerate(cells)
            if cell.get("cell_type") == "code" and place not in answers
        ]
        read = [(_first_line(one), *answer_cells.names(one, later=True)) for one in sources]
        self.given = [
            (first, given) for first, given, _needed in read
        ]  # of each of the lab's cells
        self.needed = set().union(*(needed for *_given, needed in read))
        self.scope, self.told = scope, set()
        self.right = self._now()
        self.giver = {name: first for first, names in reversed(self.given) for name in names}

    def _now(self) -> dict[str, Any]:
        """Return the values that the needed names have now."""
        both = {**vars(builtins), **self.scope}
        return {name: both[name] for name in self.needed & both.keys()}

    def look(self, result: Any) -> None:
        """Say which names a cell has overwritten. result: what IPython has of the cell."""
        now, source = self._now(), result.info.raw_cell or ""
        if self._is_the_labs(source):
            given = answer_cells.names(source)[0]
            self.right |= {name: now[name] for name in given & now.keys()}
            self.giver |= dict.fromkeys(given, _first_line(source))
        wrong = {n for n in now.keys() & self.right.keys() if now[n] is not self.right[n]} - MEANT
        if new := sorted(wrong - self.told):
            print(*self._sentences(new), sep="\n")
        self.told = wrong

    def _is_the_labs(self, source: str) -> bool:
        """Say whether a cell is one of the lab's, perhaps with a change in it."""
        first, given = _first_line(source), answer_cells.names(source)[0]
        return any(first == line and own <= given for line, own in self.given)

    def _sentences(self, names: list[str]) -> list[Message]:
        """Return a line for all names that come back in the same way."""
        ways: dict[str, list[str]] = {}
        for name in names:
            ways.setdefault(self.giver.get(name, ""), []).append(name)
        return [self._sentence(some, first) for first, some in ways.items()]

    def _sentence(self, names: list[str], first: str) -> Message:
        """Return what is wrong, and how to go back. first: line of a cell; "": they are Python's"""
        overwritten = [_what(name, self.right[name]) for name in names]
        if first:
            return _(
                "You have overwritten {names}. Later cells need what was there: choose another "
                "name for yours, then run the cell again that begins with: {line}",
                names=overwritten, line=first,
            )  # fmt: skip
        return _(
            "You have overwritten {names}. Later cells need what was there: choose another name "
            "for yours, then run {command}",
            names=overwritten, command=f"`del {', '.join(names)}`",
        )  # fmt: skip


def _first_line(source: str) -> str:
    """Return the first line of code in a cell, without a comment, which may be translated."""
    found = FIRST_LINE.search(source)
    return found[0].partition("  #")[0].strip() if found else ""


def _what(name: str, value: Any) -> Message:
    """Return a name, and what the lab has under it in a word or two."""
    if inspect.ismodule(value):
        return _("`{name}` (a module)", name=name)
    if callable(value):
        return _("`{name}` (a function)", name=name)
    return _("`{name}` (a value of type {type})", name=name, type=type(value).__name__)
