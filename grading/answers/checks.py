"""What an exercise is graded by, as digits: they change with its own check, and with no other.

A kept result has the digits of each of its exercises, so that a corrected check regrades one
exercise of a class. The check is read, not run: its definition, and whatever of `lab.exercises` it
names, directly or through others. Comments, docstrings and layout do not count.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.base import hashing
from lab.base.source import without_docstrings
from lab.exercises.catalogue import ASKED

ROOM = "lab.exercises"
COMMON = tuple(
    f"{ROOM}.{one}"
    for one in ("harness", "small_models", "errors", "judge", "answer_cells", "signs")
)
CATALOGUE = [("lab.exercises.catalogue", name) for name in ("in_range", "letter", "plain")]
TASKS = [f"lab.exercises.tasks.{one}" for one in
         ("analysis", "cells", "electives", "language", "sequences", "training")]  # fmt: skip
Name = tuple[str, str]  # module, name in it


def digests(key: Mapping[str, Sequence[Any]]) -> dict[str, str]:
    """Return the digits of each exercise of a key, but for what all share: see `of_all`."""
    return {
        name: hashing.digest(_of_task(name), *right, repr(ASKED[name]))
        for name, right in key.items()
    }


def of_all() -> str:
    """Return the digits of what marks every exercise: the grader, the wall, what judges a call."""
    here = Path(__file__).parents[1]
    ours = [here / f"{name}.py" for name in ("marking", "similarity", "submissions")]
    ours += [*(here / "answers").glob("*.py"), *(here / "sandbox").glob("*.py")]
    sources = [path.read_bytes() for path in sorted(ours)]
    return hashing.digest(*sources, *map(source_of, COMMON), _closure(CATALOGUE))


def _of_task(exercise: str) -> str:
    """Return the code of an exercise's task and of all that it uses; "" for one without."""
    if ASKED[exercise].kind != "code":
        return ""
    name = exercise.upper().replace("-", "_")
    return _closure([(module, name) for module in TASKS if name in _definitions(module)])


def _closure(names: Iterable[Name]) -> str:
    """Return the code of some definitions and of those of `lab.exercises` that they name."""
    seen: set[Name] = set()
    waiting = [*names]
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting += _named(*one)
    return "\n".join(ast.unparse(_definitions(module)[name]) for module, name in sorted(seen))


def _named(module: str, name: str) -> Iterator[Name]:
    """Yield the definitions that a definition names."""
    known, imported = _definitions(module), _imports(module)
    for node in ast.walk(known[name]):
        if isinstance(node, ast.Name) and node.id in known:
            yield module, node.id
        elif isinstance(node, ast.Name) and node.id in imported:
            other, what = imported[node.id].rpartition(".")[::2]
            if other not in COMMON and _is_ours(other) and what in _definitions(other):
                yield other, what
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            other = imported.get(node.value.id, "")
            if other not in COMMON and _is_ours(other) and node.attr in _definitions(other):
                yield other, node.attr


def _is_ours(module: str) -> bool:
    return module.startswith(f"{ROOM}.") and importlib.util.find_spec(module) is not None


def source_of(module: str) -> str:
    """Return the source of a module."""
    return Path(importlib.util.find_spec(module).origin).read_text(encoding="utf-8")


@functools.cache
def _tree(module: str) -> ast.Module:
    return without_docstrings(ast.parse(source_of(module)))


@functools.cache
def _definitions(module: str) -> dict[str, ast.stmt]:
    """Return what a module defines at its top: name -> statement."""
    found: dict[str, ast.stmt] = {}
    for node in _tree(module).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign):
            names = [n for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)]
            found |= {one.id: node for one in names}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = node
    return found


@functools.cache
def _imports(module: str) -> dict[str, str]:
    """Return what a module imports: name -> dotted name."""
    found = {}
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.ImportFrom):
            found |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    return found
