"""Answers that are the same in several submissions: where to look, and no verdict.

Two answers are the same if nothing but names, comments, layout and docstrings tells them apart; two
texts, if their words are. What many wrote, what is short, and what the lab itself has is left out.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping

from lab.base.hashing import digest
from lab.base.source import parse
from lab.exercises.answer_cells import UNREADABLE

FEWEST = 40  # parts of the syntax, or words; less than that says nothing
COMMON = 0.1  # of the class: what more of them have is the usual way
AT_LEAST = 4  # submissions that must have it before it is called usual


def form(source: str, kind: str) -> str:
    """Return digits that two answers share when they say the same; "" for what says too little."""
    if kind == "text":
        words = source.casefold().split()
        return digest(" ".join(words)) if len(words) >= FEWEST else ""
    try:
        tree = _Renamed().visit(parse(source))
        return digest(ast.dump(tree)) if len([*ast.walk(tree)]) >= FEWEST else ""
    except UNREADABLE:
        return ""


class _Renamed(ast.NodeTransformer):
    """Calls every name by the place at which it came first, and drops docstrings."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}

    def _name(self, name: str) -> str:
        return self.known.setdefault(name, f"v{len(self.known)}")

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self._name(node.id), node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(self._name(node.arg))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name, node.returns = self._name(node.name), None
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        return self.generic_visit(node)


def groups(
    forms: Mapping[str, Mapping[str, str]], own: Mapping[str, str]
) -> list[tuple[list[str], list[str]]]:
    """Return who share answers that others have not, and which: (submissions, exercises).

    forms: submission -> exercise -> its form;  own: exercise -> the form of the lab's own answer
    """
    who: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for name, ones in forms.items():
        for exercise, one in ones.items():
            if one and one != own.get(exercise):
                who[exercise, one].add(name)
    usual = max(AT_LEAST, COMMON * len(forms))
    shared: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for (exercise, _), names in who.items():
        if 1 < len(names) < usual:
            shared[tuple(sorted(names))].append(exercise)
    pairs = [(list(names), sorted(exercises)) for names, exercises in shared.items()]
    return sorted(pairs, key=lambda group: (-len(group[1]), group[0]))
