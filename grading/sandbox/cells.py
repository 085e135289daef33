"""Behind the wall: how the source of a cell is executed, and which names it finds.

It finds what a notebook has: what the lab's first cell imports, what IPython gives to every cell,
and `utils` and `lab` as modules in which nothing is but constants, so that an import stops nobody.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

if __package__:
    from grading.sandbox import faults
else:  # behind the wall
    import faults

FIRST = "import math, numpy as np, torch, torch.nn.functional as F; from torch import nn"


def names() -> dict[str, Any]:
    """Return the names that a notebook's answers may use, as its first cell imports them."""
    if not any(isinstance(one, _OfTheLab) for one in sys.meta_path):
        sys.meta_path.append(_OfTheLab())
    shell, nothing = _Shell(), ("check", "guess", "hint", "case", "yours", "display")
    space = {"__name__": "__main__", "In": [""], "Out": {}, "_": "", "__": "", "___": ""}
    space |= {"get_ipython": lambda: shell, "input": lambda *_: ""}
    space |= dict.fromkeys(nothing, lambda *_, **__: None)
    exec(FIRST, space)
    return space


def execute(question: dict[str, Any], space: dict[str, Any]) -> None:
    """Execute a cell, and before it what it needs of other cells, of which each may fail.

    question: name and source of the cell; before: sources of statements
    """
    for source in question.get("before", ()):
        try:
            exec(compile(source, "another cell", "exec"), space)
        except Exception:  # as in a notebook: what needs it will say so
            continue
    exec(compile(question["source"], question["name"], "exec"), space)


class _Shell:
    """Stands where IPython's shell would: whatever is asked of it does nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: [] if name == "getoutput" else None


class _Absent(ModuleType):
    """A module of the lab's, or what is taken from it: it is there, and can do nothing."""

    __path__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Absent(f"{self.__name__}.{name}")

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError(faults.absent(self.__name__))


class _OfTheLab(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the lab's modules where their files are not, after all others have looked."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return how a module is imported; None if it is not one of the lab's."""
        if name.partition(".")[0] not in ("lab", "utils") or name.endswith(".solutions"):
            return None  # whoever looks for the answers' own file does not find it
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Return the module."""
        return _Absent(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Leave it as it is."""
