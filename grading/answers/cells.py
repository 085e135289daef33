"""Cells as Jupyter runs them: in Python, and with what they need of the notebook's other cells.

    as_python    the source of a cell without magics, shell commands, prompts, indentation
    Notebook     finds in other cells what defines the names that an answer needs

Nothing is run here.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import functools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lab.base.source import parse
from lab.config import ROOT
from lab.exercises import answer_cells, signs

PROMPT = re.compile(r"\s*In \[\d+\]: ")
RUN_IN_PLACE = ("time", "timeit", "capture", "prun")  # magics of cells whose text is Python
LONGEST = 100_000  # characters of a cell that is read for anything but its answer
MOST = 1_000_000  # characters of all cells that are read for what they define
BASE = frozenset(  # what answers may use without a cell of the notebook; see sandbox/cells.py
    ("math", "np", "torch", "F", "nn", "check", "guess", "hint", "case", "yours", "display",
     "get_ipython", "input", "__name__", *dir(builtins))
)  # fmt: skip
WORK = ("backward", "step", "fit")  # methods: what calls them trains, and is not run for a name
BLOCKS = (ast.If, ast.Try, ast.With, ast.For)
DEFINITIONS = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign)


class Python(NamedTuple):
    """A cell in Python, and what only a notebook understands: what was left out of it."""

    source: str
    dropped: tuple[str, ...] = ()


# ── 1. One cell ─────────────────────────────────────────────────────────────────────────────────


def as_python(source: str) -> Python:
    """Return a cell as Jupyter would run it, each line where it stood.

    What neither Python nor Jupyter can read is returned as it is.
    """
    if len(source) > LONGEST or (signs.is_python(source) and not PROMPT.match(source)):
        return Python(source)
    from IPython.core.inputtransformer2 import TransformerManager  # it takes a moment

    blank = len(source) - len(source.lstrip("\n"))
    try:
        text = "\n" * blank + TransformerManager().transform_cell(source.lstrip("\n"))
        magics = _magics(parse(text))
    except Exception:  # IPython reads it with a tokenizer, which may raise many things
        return Python(source)
    return _without(text, magics)


def _magics(tree: ast.Module) -> list[tuple[ast.Call, list[str]]]:
    """Return the calls that stand for what only a notebook understands, with their texts."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(ast.Attribute(ast.Call(ast.Name("get_ipython"))), arguments):
                parts = [str(a.value) for a in arguments if isinstance(a, ast.Constant)]
                found.append((node, [node.func.attr, *parts]))
    return found


def _without(text: str, magics: list[tuple[ast.Call, list[str]]]) -> Python:
    """Return a cell whose magics do nothing, but that what they time runs."""
    lines, dropped = text.split("\n"), []
    for node, parts in magics:
        match parts:
            case ["run_cell_magic", name, line, body]:
                inner = as_python(body) if name in RUN_IN_PLACE else Python("")
                blank = "\n" * node.lineno  # the line of the magic itself
                return Python(blank + inner.source, (f"%%{name} {line}".strip(), *inner.dropped))
            case ["run_line_magic", "time", line] if signs.is_python(line):
                row = lines[node.lineno - 1]
                lines[node.lineno - 1] = row[: node.col_offset] + line + row[node.end_col_offset :]
                dropped.append("%time")
            case ["run_line_magic", name, line]:
                dropped.append(f"%{name} {line}".strip())
            case [_, *rest]:
                dropped.append(f"!{' '.join(rest)}")
    return Python("\n".join(lines), tuple(one[:60] for one in dropped))


# ── 2. What an answer needs of other cells ──────────────────────────────────────────────────────


class _Piece(NamedTuple):
    """A statement of a cell: where it stands, the names that it gives and those that it needs."""

    place: int  # of the cell
    row: int
    source: str
    gives: frozenset[str]
    needs: frozenset[str]


class Notebook:
    """The code cells of a hand-in, as far as answers need what they define."""

    def __init__(self, cells: Sequence[dict[str, Any]]) -> None:
        self.cells = cells
        code = [place for place, cell in enumerate(cells) if cell.get("cell_type") != "markdown"]
        self._given_places = [place for place in code if _is_given(cells[place])]
        self._own_places = sorted({*code}.difference(self._given_places))

    def needed(self, name: str, place: int, source: str) -> list[str]:
        """Return the statements of other cells that an answer needs, in the notebook's order.

        name: of the exercise; place: of the answer's cell; source: its Python. What is defined
        above its check counts, as in a notebook that is run from top to bottom; what is not, is
        looked for below.
        """
        end, waiting = self.checked(name, place) or place, _outside(source)
        chosen: set[_Piece] = set()
        seen: set[str] = set()
        while waiting:
            one = waiting.pop()
            seen.add(one)
            for piece in self._pieces_of(one, place, end):
                chosen.add(piece)
                waiting |= piece.needs - seen
        found = [piece.source for piece in sorted(chosen)]
        return [_constants_of_utils(), *found] if "utils" in seen else found

    def defining(self, name: str) -> list[int]:
        """Return the places of the student's own cells, none of an answer, that give a name."""
        own = [p for p in self._own_places if not answer_cells.find([self.cells[p]])]
        return sorted({piece.place for piece in self._own if name in piece.gives}.intersection(own))

    def checked(self, name: str, place: int) -> int | None:
        """Return where an answer is checked, in its own cell or below it; None if nowhere."""
        call = re.compile(rf"(?m)^\s*check\(\s*[\"']{name}[\"']")
        below = range(place, len(self.cells))
        return next((p for p in below if call.search(answer_cells.source_of(self.cells[p]))), None)

    def _pieces_of(self, name: str, place: int, end: int) -> list[_Piece]:
        """Return the statements that give a name to the cell at a place; end: that of its check."""
        # what every notebook has, only a cell of the student's own changes
        pieces = self._own if name in BASE else [*self._own, *self._given]
        pieces = [
            one for one in pieces if one.place != place and not one.gives.isdisjoint((name, "*"))
        ]
        first = min((one.place for one in pieces), default=0)
        above = [one for one in pieces if one.place < end]
        return above or [one for one in pieces if one.place == first]

    @functools.cached_property
    def _own(self) -> list[_Piece]:
        return self._pieces_in(self._own_places, given=False)

    @functools.cached_property
    def _given(self) -> list[_Piece]:
        return self._pieces_in(self._given_places, given=True)

    def _pieces_in(self, places: Sequence[int], given: bool) -> list[_Piece]:
        """Return the statements of some cells that may be run for what they define."""
        pieces, read = [], 0
        for place in places:
            source = answer_cells.source_of(self.cells[place])
            if len(source) <= min(LONGEST, MOST - read):
                read += len(source)
                pieces += _pieces(place, source, given)
        return pieces


@functools.cache
def _given_ids() -> frozenset[str]:
    """Return the ids of the lab's cells that are no answers: students get them, as they are."""
    paths = [*ROOT.glob("lab2*.ipynb"), *ROOT.glob("further/*.ipynb")]
    cells = [cell for path in paths for cell in answer_cells.read(path)["cells"]]
    return frozenset(c["id"] for c in cells if not answer_cells.exercise_metadata(c))


def _is_given(cell: dict[str, Any]) -> bool:
    return cell.get("id") in _given_ids() if isinstance(cell.get("id"), str) else False


def _outside(source: str) -> set[str]:
    """Return the names that a cell needs from outside, some of which Python itself has."""
    return answer_cells.names(source, later=True)[1]


def _pieces(place: int, source: str, given: bool) -> Iterator[_Piece]:
    try:
        body = parse(as_python(source).source).body
    except answer_cells.UNREADABLE:
        return
    for row, node in enumerate(body):
        # a number of thousands of digits, or a tree that is too deep, cannot be written again
        with contextlib.suppress(*answer_cells.UNREADABLE):
            gives = _gives(node)
            if gives and _is_carried(node, given):
                text = ast.unparse(node)
                yield _Piece(place, row, text, frozenset(gives), frozenset(_outside(text)))


def _gives(node: ast.stmt) -> set[str]:
    """Return the names that a statement gives a value, or changes: an entry, an attribute."""
    changed = {
        target.id
        for part in ast.walk(node)
        if isinstance(part, ast.Subscript | ast.Attribute) and isinstance(part.ctx, ast.Store)
        and isinstance(target := part.value, ast.Name)
    }  # fmt: skip
    match node:
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(name)))):
            changed.add(name)  # names.append("x")
        case ast.FunctionDef() | ast.ClassDef():
            changed = set()  # what it changes when it is called
        case ast.ImportFrom(names=[ast.alias("*")]):
            return {"*"}
    return answer_cells.names(ast.unparse(node))[0] | changed - BASE


def _is_carried(node: ast.stmt, given: bool) -> bool:
    """Say whether a statement may be run for the names that it gives.

    given: of a cell that students get, and of which only what defines is taken
    """
    if isinstance(node, DEFINITIONS):
        return True
    calls = [part.func for part in ast.walk(node) if isinstance(part, ast.Call)]
    if given:
        return isinstance(node, ASSIGNMENTS) and not calls
    allowed = isinstance(node, (*ASSIGNMENTS, *BLOCKS, ast.Expr))
    return allowed and not any(getattr(function, "attr", "") in WORK for function in calls)


@functools.cache
def _constants_of_utils() -> str:
    """Return what gives `utils` its constants behind the wall, where its file does not lie."""
    values = _constants(ROOT / "utils.py")
    return "\n".join(["import utils", *(f"utils.{name} = {values[name]!r}" for name in values)])


def _constants(path: Path) -> dict[str, Any]:
    """Return the plain values that a file of Python gives names, or takes from the lab's files."""
    found: dict[str, Any] = {}
    for node in parse(path.read_text("utf-8")).body:
        match node:
            case ast.ImportFrom(str(module), names) if module.startswith("lab."):
                inner = ROOT.joinpath(*module.split(".")).with_suffix(".py")
                values = _constants(inner) if inner.is_file() else {}
                found |= {one.name: values[one.name] for one in names if one.name in values}
            case ast.Assign([target], value):
                names = [part.id for part in ast.walk(target) if isinstance(part, ast.Name)]
                try:
                    values = ast.literal_eval(value)
                except (TypeError, ValueError):
                    continue
                found |= dict(zip(names, values if len(names) > 1 else [values]))
    return found
