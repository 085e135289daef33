"""Answers as they stand in a notebook's file: found, read, taken out, put in. Nothing is run.

A cell holds an answer if its metadata say so, or, where these are lost (a copied cell, another
editor), if its first line does, or else its id. A notebook is read as JSON and nothing more, so
that whatever a tool has done to the rest of it does not matter.

Who uses it: the programs in `tools`. Imports `config.py` and `exercises.py`, and the standard
library alone.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from lab.config import LabError
from lab.exercises import ASKED, Exercise, empty_guess

EMPTY_TEXT = "*Write here.*"
HEADING = re.compile(r"\s*(?:#+|\*\*)\s*(?:Exercise|Question|Prediction|Answer) ([a-z0-9-]+)\b")


class Answer(NamedTuple):
    """A cell with an answer: what is in it, where it stands, and by what it was found."""

    source: str
    kind: str  # "code" or "markdown", as the cell is now
    place: int
    found_by: str  # "metadata", "first line" or "id"


def read(path: Path) -> dict[str, Any]:
    """Return a notebook as JSON. Raises LabError, in a sentence, if it is none."""
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise LabError(f"There is no {path}.") from None
    except (OSError, ValueError) as error:
        raise LabError(f"{path} cannot be read as a notebook: {error}.") from None
    if not isinstance(content, dict) or not isinstance(content.get("cells"), list):
        raise LabError(f"{path} is no notebook of format 4: it has no list of cells.")
    return content


def source_of(cell: dict[str, Any]) -> str:
    """Return the source of a cell, which a file holds as a text or as a list of lines."""
    source = cell.get("source", "")
    text = source if isinstance(source, str) else "".join(map(str, source))
    return text.replace("\r\n", "\n")


def find(cells: list[dict[str, Any]]) -> dict[str, list[Answer]]:
    """Return the answers of some cells: id of the exercise -> its cells, mostly one."""
    found: dict[str, list[Answer]] = {}
    for place, cell in enumerate(cells):
        if not isinstance(cell, dict):
            continue
        source = source_of(cell)
        name, by = _name_of(cell, source)
        if name in ASKED:
            kind = "markdown" if cell.get("cell_type") == "markdown" else "code"
            found.setdefault(name, []).append(Answer(source, kind, place, by))
    for name, ones in found.items():  # an id says little: it is the last resort
        found[name] = [one for one in ones if one.found_by != "id"] or ones
    return found


def _name_of(cell: dict[str, Any], source: str) -> tuple[str, str]:
    """Return the exercise that a cell answers, and by what that is known."""
    metadata = cell.get("metadata")
    exercise = metadata.get("exercise") if isinstance(metadata, dict) else None
    if isinstance(exercise, dict) and isinstance(exercise.get("id"), str):
        return exercise["id"], "metadata"
    if heading := HEADING.match(source):
        return heading[1], "first line"
    return str(cell.get("id", "")), "id"


# ── What is in an answer ────────────────────────────────────────────────────────────────────────


def is_empty(answer: str, exercise: Exercise) -> bool:
    """Say whether nothing has been written yet where an answer's cell asks for it."""
    if exercise.kind == "text":
        return not text_of(answer)
    try:
        body = ast.parse(answer).body
    except SyntaxError:
        return False  # something was written
    if exercise.kind == "free":
        return not body
    if exercise.kind == "code":
        functions = [n for n in body if getattr(n, "name", "") == exercise.name]
        return not functions or all(map(_is_stub, functions))
    if not any(isinstance(node, ast.Assign) for node in body):
        return True
    value = value_of(answer, exercise.name)
    return value is None or (isinstance(value, dict) and not any(map(_filled, value.values())))


def _filled(value: Any) -> bool:
    return value not in (None, "")


def _is_stub(function: ast.AST) -> bool:
    """Say whether a function does nothing but say that it is not written yet."""
    rest = [n for n in getattr(function, "body", []) if not isinstance(n, ast.Expr)]
    return all(isinstance(n, ast.Raise | ast.Pass) for n in rest)


def text_of(answer: str) -> str:
    """Return what was written below the heading and the question of a text's cell."""
    paragraphs = re.split(r"\n\s*\n", answer.strip())
    if paragraphs and HEADING.match(paragraphs[0]):
        paragraphs.pop(0)
    if paragraphs and re.fullmatch(r"\*[^*].*\*", paragraphs[0].strip(), re.DOTALL):
        paragraphs.pop(0)  # the question
    return "\n\n".join(paragraphs).replace(EMPTY_TEXT, "").strip()


def value_of(answer: str, name: str) -> Any:
    """Return the value that a cell gives a name; what must be computed first, as its source."""
    try:
        node = _assignment(answer, name)
        return None if node is None else _literal(node.value)
    except (RecursionError, MemoryError):
        return None


def _literal(node: ast.expr) -> Any:
    """Return the value of an expression without running it; of a formula its source."""
    if isinstance(node, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.keys):
        return {k.value: _literal(v) for k, v in zip(node.keys, node.values, strict=True)}
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


# ── Taking answers out ──────────────────────────────────────────────────────────────────────────


def stub(answer: str, name: str, exercise: Exercise) -> str:
    """Return the source of an answer's cell without the answer: what a student finds there."""
    if exercise.kind == "text":
        heading, question = re.split(r"\n\s*\n", answer.strip(), maxsplit=2)[:2]
        return f"{heading}\n\n{question}\n\n{EMPTY_TEXT}"
    lines = answer.splitlines()
    if exercise.kind == "free":
        return f"{lines[0]}\n# Your code here."
    if exercise.kind == "code":
        body = ast.parse(answer).body
        function = next(n for n in body if getattr(n, "name", "") == exercise.name)
        return "\n".join([lines[0], *_signature(lines, function), *_not_written(name, exercise)])
    node = _assignment(answer, exercise.name)
    empty = '{"name": "", "number": ""}' if exercise.kind == "about" else empty_guess(exercise.key)
    empty = empty if exercise.kind in ("about", "guess") else "None"
    before, after = lines[: node.lineno - 1], lines[node.end_lineno :]
    return "\n".join([*before, f"{exercise.name} = {empty}", *after])


def _signature(lines: list[str], function: ast.FunctionDef) -> list[str]:
    """Return the lines of a function down to its docstring."""
    return lines[function.lineno - 1 : function.body[0].end_lineno]


def _not_written(name: str, exercise: Exercise) -> list[str]:
    return [
        f"    # Hint: {exercise.hint}",
        f'    raise NotImplementedError("Exercise {name}: not written yet")',
    ]


# ── Putting answers in ──────────────────────────────────────────────────────────────────────────


def fill(stub: str, answer: str, exercise: Exercise) -> str:
    """Return the source of an empty answer's cell with an answer from another edition's cell.

    Heading, question and calls of checks stay those of the new cell.
    """
    if exercise.kind == "text":
        return stub.replace(EMPTY_TEXT, text_of(answer) or EMPTY_TEXT)
    lines, old = stub.splitlines(), answer.strip("\n").splitlines()
    if exercise.kind in ("code", "free"):
        first = 1 if old and HEADING.match(old[0]) else 0
        return "\n".join([lines[0], *old[first:]])
    new_value, old_value = (_assignment(text, exercise.name) for text in (stub, answer))
    if old_value is None or new_value is None:
        return stub
    value = old[old_value.lineno - 1 : old_value.end_lineno]
    return "\n".join([*lines[: new_value.lineno - 1], *value, *lines[new_value.end_lineno :]])


def asks_for_another(stub: str, answer: str, exercise: Exercise) -> bool:
    """Say whether an answer is to another question, or a function of other arguments."""
    if exercise.kind == "text":
        return _asked(stub) != _asked(answer)
    if exercise.kind != "code":
        return False
    return _arguments(stub, exercise.name) != _arguments(answer, exercise.name)


def _asked(text: str) -> str:
    """Return the question of a text's cell."""
    return "".join(re.split(r"\n\s*\n", text.strip(), maxsplit=2)[1:2]).strip()


def _arguments(source: str, name: str) -> str | None:
    try:
        functions = [n for n in ast.parse(source).body if getattr(n, "name", "") == name]
        return ast.unparse(functions[-1].args) if functions else None
    except (SyntaxError, AttributeError):
        return None


def _assignment(source: str, name: str) -> ast.Assign | None:
    """Return where a cell gives a name its value."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return None
    found = [n for n in body if isinstance(n, ast.Assign) and _is_name(n.targets[0], name)]
    return found[-1] if found else None
