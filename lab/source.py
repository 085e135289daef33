"""Source code as a digest sees it: found again for what runs, without comments and layout.

A function's source is what, compiled, gives the instructions that run. So a file that was changed
since it was imported is noticed, and so is a cell that was run again. `beside(x, y)` of `given.py`,
which is x on the device of y, counts as x: a device changes no formula.

Who uses it: `fingerprint.py`. Imports `config.py`, and the standard library alone, so that other
Pythons can be asked for the same digits.
"""

from __future__ import annotations

import ast
import copy
import dis
import functools
import linecache
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.config import LabError


def canonical(node: Any) -> str:
    """Return what stands for a syntax tree: no comment, docstring, layout or version of Python."""
    if isinstance(node, list):
        return "[" + ", ".join(canonical(one) for one in node if not _is_text(one)) + "]"
    if not isinstance(node, ast.AST):
        return f"{type(node).__name__} {node!r}"
    if isinstance(node, ast.JoinedStr):  # Python 3.12 adds empty texts to f-strings
        return f"JoinedStr({', '.join(canonical(v) for v in node.values if not _is_empty(v))})"
    fields = [
        f"{name}={canonical(value)}"
        for name, value in ast.iter_fields(node)
        if name not in ("ctx", "kind", "type_comment", "type_ignores")
        and (value is not None and value != [])  # newer Pythons have fields that older ones lack
    ]
    return f"{type(node).__name__}({', '.join(fields)})"


def _is_text(node: Any) -> bool:
    """Say whether a statement is a bare text, as a docstring is."""
    value = getattr(node, "value", None) if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _is_empty(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == ""


def definition_of(function: types.FunctionType) -> ast.AST:
    """Return the syntax tree of a function. Raises LabError if its source is gone or has changed.

    Its source is what, compiled, gives the instructions that run. So a file that was changed since
    it was imported, and a method that a notebook has defined anew, are seen.
    """
    code = function.__code__
    text = text_of(code.co_filename, function.__globals__)
    if not text:
        raise LabError(
            "Python no longer finds the source of the notebook's classes and functions, which "
            "tells stored runs of this code from others. Restart the kernel and run all cells; "
            "runs that have ended are not repeated."
        )
    try:
        nodes, functions = _functions_in(text)
    except SyntaxError:  # a file in the middle of a change
        raise has_changed(Path(code.co_filename).name) from None
    running = _instructions(code)
    for candidate in functions:
        if candidate.co_qualname == code.co_qualname and _instructions(candidate) == running:
            node = _node_of(candidate, nodes[candidate.co_firstlineno, candidate.co_name])
            return _without_devices(node, function.__globals__)
    raise has_changed(Path(code.co_filename).name)


def _without_devices(node: ast.AST, scope: dict[str, Any]) -> ast.AST:
    """Return a definition with x where it says beside(x, y), if that is the lab's own `beside`."""
    if getattr(scope.get("beside"), "__module__", "") != "lab.given":
        return node
    return _WithoutDevices().visit(copy.deepcopy(node))


class _WithoutDevices(ast.NodeTransformer):
    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        is_beside = isinstance(node.func, ast.Name) and node.func.id == "beside"
        return node.args[0] if is_beside else node


def _node_of(code: types.CodeType, nodes: list[ast.AST]) -> ast.AST:
    """Return which of the definitions that begin in a line holds a compiled function's code."""
    places = [(line, column) for line, _, column, _ in code.co_positions() if column]
    for node in nodes:  # several lambdas may stand on a line
        first = (node.lineno, node.col_offset)
        last = (node.end_lineno, node.end_col_offset)
        if not places and len(nodes) > 1:  # Python 3.12 does not say where a constant stands
            alone = next(
                _nested(compile(ast.Expression(node), "source", "eval", dont_inherit=True))
            )
            if _instructions(alone) == _instructions(code):
                return node
        elif all(first <= place <= last for place in places):
            return node
    return nodes[0]


def _begins(node: ast.AST) -> tuple[int, str] | None:
    """Return in which line a function begins, its decorators included, and its name."""
    if isinstance(node, ast.Lambda):
        return node.lineno, "<lambda>"
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return min([node.lineno, *(d.lineno for d in node.decorator_list)]), node.name
    return None


def text_of(file: str, scope: dict[str, Any] | None = None) -> str:
    """Return the source of a file as it is now, or of a notebook's cell; "" if it is gone."""
    linecache.checkcache(file)
    return "".join(linecache.getlines(file, scope))


@functools.lru_cache(64)
def _functions_in(
    text: str,
) -> tuple[dict[tuple[int, str], list[ast.AST]], list[types.CodeType]]:
    """Return the functions of a source, by where they begin and their name; and all compiled."""
    tree = ast.parse(text)
    nodes: dict[tuple[int, str], list[ast.AST]] = {}
    for node in ast.walk(tree):
        if (begins := _begins(node)) is not None:
            nodes.setdefault(begins, []).append(node)
    return nodes, list(_nested(compile(text, "source", "exec", dont_inherit=True)))


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _nested(constant)


def _instructions(code: types.CodeType) -> list[Any]:
    """Return what a function does, instruction by instruction; its docstring is no part of that."""
    return [
        (step.opname, *_of_argument(step.argval))
        for step in dis.get_instructions(code)
        if step.opname != "EXTENDED_ARG"
    ]


def _of_argument(value: Any) -> tuple[Any, ...]:
    if isinstance(value, types.CodeType):
        return ("code", _instructions(value))
    if isinstance(value, frozenset):
        return ("set", sorted(map(repr, value)))
    return (type(value).__name__, repr(value))


def global_names(code: types.CodeType) -> set[str]:
    """Return the global names that a function and the functions inside of it read."""
    reads = ("LOAD_GLOBAL", "LOAD_NAME")
    used = {step.argval for step in dis.get_instructions(code) if step.opname in reads}
    return used.union(*map(global_names, _inner(code)))


def _inner(code: types.CodeType) -> list[types.CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]


def references(node: ast.AST, names: set[str]) -> list[tuple[str, ...]]:
    """Return how a function reads these global names: ("utils", "POOL") for utils.POOL. Sorted."""
    chains = set()
    for outer in ast.walk(node):
        attributes, inner = [], outer
        while isinstance(inner, ast.Attribute):
            attributes.insert(0, inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name) and inner.id in names:
            chains.add((inner.id, *attributes))
    whole = {
        chain
        for chain in chains
        if not any(c != chain and c[: len(chain)] == chain for c in chains)
    }
    return sorted(whole)


def has_changed(file: str) -> LabError:
    """Return what to raise where a file is not any more what was imported from it."""
    return LabError(
        f"{file} has changed since it was imported, so that what runs is not what stands there. "
        "Restart the kernel and run all cells; runs that have ended are not repeated."
    )
