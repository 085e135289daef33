"""What an answer reaches for beyond its question: a teacher is told, and no point is taken for it.

A wall keeps the machine safe; that a right value was come by honestly it cannot say. It reads the
source alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from lab.base.source import FUNCTIONS, chain, parse
from lab.exercises.answer_cells import UNREADABLE
from lab.exercises.tasks import TASKS

MODULES = (
    "builtins", "concurrent", "ctypes", "dis", "faulthandler", "gc", "importlib", "inspect", "io",
    "marshal", "multiprocessing", "os", "pathlib", "pickle", "runpy", "shutil", "signal", "socket",
    "subprocess", "sys", "threading", "traceback", "types", "weakref",
)  # fmt: skip
CALLS = (
    "__import__", "breakpoint", "compile", "delattr", "eval", "exec", "globals", "locals", "open",
    "setattr", "vars",
)  # fmt: skip
PACKAGES = ("torch", "F", "nn", "np", "math", "utils")
HARMLESS = ("__init__", "__name__", "__class__", "__doc__", "__call__", "__len__")
INSIDE = ("_C", "_VF", "ops", "jit", "compile", "utils")  # of torch: ways past its functions


def reaches(source: str) -> list[str]:
    """Return what a source names that can look at, or change, more than an answer is given."""
    try:
        nodes = [*ast.walk(parse(source))]
    except UNREADABLE:
        return []
    return sorted({found for node in nodes for found in _found(node)})


def _found(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names):
            roots = [one.name.partition(".")[0] for one in names]
            yield from (root for root in roots if root in MODULES)
        case ast.ImportFrom(str(module), names):
            root, _, rest = module.partition(".")
            inner = [rest.partition(".")[0]] if rest else [one.name for one in names]
            if root in MODULES:
                yield root
            yield from (f"torch.{one}" for one in inner if root == "torch" and one in INSIDE)
        case ast.Call(ast.Name(name)) if name in CALLS:
            yield name
        case ast.Call(ast.Name("getattr"), [first, *_]) if chain(first)[0] in PACKAGES:
            yield f"getattr({chain(first)[0]}, ...)"
        case ast.Attribute(ast.Name("torch"), name) if name in INSIDE:
            yield f"torch.{name}"
        case ast.Attribute(_, name):
            inside = name.startswith(("__", "f_", "tb_")) and name not in HARMLESS
            if inside or name in MODULES:
                yield name


def forbidden_names(source: str, name: str) -> str:
    """Return what a source's functions name that would be an answer itself; "" if nothing.

    It counts where calls cannot be seen; else what is called does, as in `judge`. A variable of the
    student's own that is called so is none, nor is what stands beside the functions.
    """
    try:
        nodes = [*ast.walk(parse(source))]
    except UNREADABLE:
        return ""
    inside = [n for f in nodes if isinstance(f, FUNCTIONS) for n in ast.walk(f)]
    named = {n.attr for n in inside if isinstance(n, ast.Attribute)}
    named |= {n.name for n in inside if isinstance(n, ast.alias)}
    return min(filter(TASKS[name].forbids, named), default="")
