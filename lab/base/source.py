"""Source code as a hash sees it: found again for what runs, and what its names mean.

A function's source is what, compiled, gives the instructions that run. So a file that was changed
since it was imported is noticed, and so is a cell that was run again.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import dis
import functools
import linecache
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lab import config, environment
from lab.base.messages import _
from lab.config import LabError

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
FAR = 10**6  # no file has so many lines
LONGEST = 200_000  # characters of a source
_ONE_AT_A_TIME = threading.Lock()


def parse(text: str) -> ast.Module:
    """Return the syntax tree of a source, as ast.parse does, for one thread at a time.

    Python 3.11 counts the depth of all threads' trees together (python/cpython issue 106905). A
    tree takes some 500 bytes a character: raises SyntaxError for more than LONGEST characters.
    """
    if len(text) > LONGEST:
        raise SyntaxError(f"a source of more than {LONGEST:,} characters is not read")
    with _ONE_AT_A_TIME:
        return ast.parse(text)


def without_docstrings(tree: ast.Module) -> ast.Module:
    """Return a tree in which no function and no class says what it does; the same tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def definition_of(function: types.FunctionType) -> ast.AST:
    """Return a function's syntax tree. Raises LabError if its source is gone or has changed."""
    code = function.__code__
    linecache.checkcache(code.co_filename)
    text = "".join(linecache.getlines(code.co_filename, function.__globals__))
    if not text:
        raise LabError(
            _(
                "Python no longer finds the source of the notebook's classes and functions, which "
                "tells stored runs of this code from others. Restart the kernel and run all cells; "
                "runs that have ended are not repeated."
            )
        )
    with contextlib.suppress(SyntaxError):  # a file in the middle of a change
        for candidate, node in _functions_in(text):
            same_name = candidate.co_qualname == code.co_qualname
            if same_name and _instructions(candidate) == _instructions(code):
                return node
    raise has_changed(Path(code.co_filename).name)


def has_changed(what: str) -> LabError:
    """Return what to raise where code is not any more what was imported."""
    return LabError(
        _(
            "{what} has changed since it was imported, so that what runs is not what stands there. "
            "Restart the kernel and run all cells; runs that have ended are not repeated.",
            what=what,
        )
    )


@functools.lru_cache(64)
def _functions_in(text: str) -> list[tuple[types.CodeType, ast.AST]]:
    """Return the functions of a source, compiled, each with its syntax tree."""
    tree = parse(text)
    codes = list(_nested(compile(tree, "source", "exec", dont_inherit=True)))
    nodes = [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]
    for number, node in enumerate(nodes, FAR):
        for first in (node, *getattr(node, "decorator_list", ())):
            first.lineno = first.end_lineno = number  # a line of its own, by which it is found
    marked = list(_nested(compile(tree, "source", "exec", dont_inherit=True)))
    if len(codes) < len(marked):  # Python 3.12 makes one code of two equal lambdas on a line
        codes = marked
    pairs = zip(codes, (code.co_firstlineno - FAR for code in marked), strict=True)
    return [(code, nodes[number]) for code, number in pairs if number >= 0]


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _nested(constant)


def _instructions(code: types.CodeType) -> list[Any]:
    """Return what a function does, instruction by instruction; its docstring is no part of that."""
    steps = [step for step in dis.get_instructions(code) if step.opname != "EXTENDED_ARG"]
    return [(step.opname, _argument(step.argval)) for step in steps]


def _argument(value: Any) -> Any:
    if isinstance(value, types.CodeType):
        return _instructions(value)
    return repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value)


def chain(node: ast.AST) -> tuple[str | None, list[str]]:
    """Return name and attributes of an expression: utils.POOL is ("utils", ["POOL"]).

    The name is None if the expression is anything else.
    """
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.insert(0, node.attr)
        node = node.value
    return (node.id, attributes) if isinstance(node, ast.Name) else (None, attributes)


@functools.lru_cache(256)
def local_names(function: types.FunctionType) -> frozenset[str]:
    """Return the local names of a function and the functions inside of it."""
    codes = [function.__code__, *_nested(function.__code__)]
    names = {name for code in codes for name in (*code.co_varnames, *code.co_cellvars)}
    return frozenset(names | {function.__code__.co_name}) - _global_names(function.__code__)


def _global_names(code: types.CodeType) -> set[str]:
    """Return the global names that a function and the functions inside of it read."""
    reads = ("LOAD_GLOBAL", "LOAD_NAME")
    used = {step.argval for step in dis.get_instructions(code) if step.opname in reads}
    return used.union(*map(_global_names, _nested(code)))


class Meaning(NamedTuple):
    """What a global name means."""

    value: Any
    module: str  # where it is defined
    name: str
    attributes: list[str]  # that are left


def meaning_of(function: types.FunctionType, node: ast.AST) -> Meaning | None:
    """Return what a name with attributes means in a function; None if it is local, or nothing.

    It is followed through our own modules: utils.POOL is what POOL is in utils.
    """
    name, attributes = chain(node)
    if name is None or name in local_names(function):
        return None
    free = function.__code__.co_freevars
    if name in free:  # of the function around it
        return Meaning(function.__closure__[free.index(name)].cell_contents, "", name, attributes)
    scope = function.__globals__ if name in function.__globals__ else vars(builtins)
    if name not in scope:
        return None
    value, module = scope[name], scope["__name__"]
    while isinstance(value, types.ModuleType) and is_ours(value) and attributes:
        module, name = value.__name__, attributes[0]
        value, attributes = getattr(value, name, None), attributes[1:]
    return Meaning(value, module, name, attributes)


def is_ours(module: types.ModuleType) -> bool:
    """Say whether a module is one of the lab's, and not of a package."""
    file = getattr(module, "__file__", None)
    return bool(file) and in_folder(file)


@functools.cache
def in_folder(file: str) -> bool:
    """Say whether a file is one of the lab's, and not of an environment in its folder."""
    path = Path(file).resolve()
    if path.parent == environment.cells_folder().resolve():
        return True
    parts = path.parts[len(config.ROOT.parts) :]
    installed = any(part.startswith((".", "python3")) or part == "site-packages" for part in parts)
    return path.is_relative_to(config.ROOT) and not installed
