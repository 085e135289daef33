"""Answers that are alike: in several hand-ins, in earlier years', or as the lab has published them.

It says where to look, and no verdict. An answer counts by its shingles, runs of a few of its parts:
of code its syntax with all names of its own taken for one, so that renaming changes nothing and a
small edit little; of a text its words. What the lab itself has counts for nothing, and what many
wrote for little: two answers are alike if their *unusual* parts are.

    form    an answer as digits, which a kept result can hold
    find    which are alike, of a class and of the years before it
"""

from __future__ import annotations

import ast
import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from lab.base.hashing import digest
from lab.base.source import parse, without_docstrings
from lab.exercises.answer_cells import UNREADABLE

RUN, RUN_OF_CODE = 3, 4  # words, or parts of the syntax, in a shingle
WORD = re.compile(r"[\u3400-\u9fff]|\w+")  # a Chinese character is one
FEWEST, FEWEST_OF_CODE = 15, 30  # shingles of an answer; fewer say nothing
LIKE = 0.4  # share of the unusual shingles: right forms that differ have 0.22, small edits 0.45
FEWEST_SHARED = 8  # unusual shingles, to be called alike
DIFFER, AGAINST = 20, 4.0  # unusual shingles that differ, and what that says against copying, bits
MARGIN = 2.0  # bits
PUBLISHED = 3  # answers in code, and half of those written, as the lab has them to the letter

Forms = Mapping[str, str]  # exercise -> form of the answer


class Alike(NamedTuple):
    """Hand-ins that are alike, and in which exercises."""

    kind: str  # "alike"; "earlier": with an earlier year's; "published": with the lab's own answers
    who: tuple[str, ...]
    exercises: tuple[str, ...]


# ── One answer ──────────────────────────────────────────────────────────────────────────────────


def form(source: str, kind: str) -> str:
    """Return an answer as digits: what it is to the letter, and its shingles; "" if too short."""
    try:
        if kind == "text":
            parts = WORD.findall(source.casefold())
            whole, sign, run, fewest = " ".join(parts), ":", RUN, FEWEST
        else:
            tree = without_docstrings(parse(source))
            parts = [*_syntax(tree)]
            whole, sign, run, fewest = ast.unparse(tree), " ", RUN_OF_CODE, FEWEST_OF_CODE
    except UNREADABLE:
        return ""
    shingles = {" ".join(parts[i : i + run]) for i in range(len(parts) - run + 1)}
    if len(shingles) < fewest:
        return ""
    hashes = (hashlib.blake2b(one.encode(), digest_size=4).hexdigest() for one in shingles)
    return f"{digest(whole)}{sign}{''.join(sorted(hashes))}"


def _syntax(tree: ast.AST) -> Iterator[str]:
    """Yield the parts of code in order: kinds of syntax, names of others, constants."""
    nodes = [*ast.walk(tree)]
    own = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    own |= {n.arg for n in nodes if isinstance(n, ast.arg)}
    own |= {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.Name(name):
                yield "own" if name in own else name
                continue
            case ast.Constant(value):
                yield repr(value)
                continue
            case ast.FunctionDef(_, _, body):  # its name and arguments are asked for
                yield "def"
                children = body
            case ast.Attribute(value, name):
                yield name
                children = [value]
            case _:
                yield type(node).__name__
                children = [*ast.iter_child_nodes(node)]
        waiting += [n for n in reversed(children) if not isinstance(n, ast.expr_context)]


# ── A class ─────────────────────────────────────────────────────────────────────────────────────


def find(
    forms: Mapping[str, Forms],
    own: Forms,
    given: Forms | None = None,
    earlier: Mapping[str, Forms] | None = None,
) -> list[Alike]:
    """Return which hand-ins are alike, those with most in common first.

    forms: hand-in -> its forms;  own: those of the lab's answers;  given: of the empty cells;
    earlier: name of an earlier year's hand-in -> its forms
    """
    everybody = {**forms, **(earlier or {})}
    names = [*everybody]
    judged = {
        exercise: _judge(
            [one.get(exercise, "") for one in everybody.values()],
            [(known or {}).get(exercise, "") for known in (own, given)],
        )
        for exercise in sorted({name for one in everybody.values() for name in one})
    }
    total = [sum(several, np.zeros((len(names),) * 2)) for several in zip(*judged.values())]
    _, texts, bits = total if judged else np.zeros((3, 0, 0))
    # there are so many pairs that one has the first part by chance
    chance = math.log2(max(len(names), 2) ** 2 / 2) + MARGIN
    together = (texts > 0) | (bits >= chance)
    of_now = np.arange(len(names)) < len(forms)  # two of earlier years are nobody's business
    found = [*_published(forms, own)]
    for members, exercises in _groups(
        {name: one.alike & together & of_now[:, None] for name, one in judged.items()}
    ):
        kind = "alike" if max(members) < len(forms) else "earlier"
        who = tuple(names[i] for i in sorted(members))
        found.append(Alike(kind, who, tuple(exercises)))
    return sorted(found, key=lambda one: (-len(one.exercises), one.who))


class _Judged(NamedTuple):
    """Of each two answers to one exercise: matrices (hand-ins, hand-ins)."""

    alike: np.ndarray
    text: np.ndarray  # alike, and a text: that is worth a look whatever the other answers are
    bits: np.ndarray  # what it says for copying (> 0) or against it, as a logarithm of odds


def _judge(ones: Sequence[str], known: Sequence[str]) -> _Judged:
    """Compare some forms, "" for none, by what is not known."""
    is_text = any(one[16:17] == ":" for one in ones)
    sets = [_shingles(one) for one in ones]
    if not is_text:
        lab = np.concatenate([_shingles(one) for one in known])
        sets = [np.setdiff1d(one, lab) for one in sets]
    parts, columns = np.unique(np.concatenate(sets), return_inverse=True)
    size = np.array([len(one) for one in sets])
    ends = np.concatenate([[0], np.cumsum(size)])
    shape = (len(sets), max(len(parts), 1))
    has = sparse.csr_matrix((np.ones(len(columns)), columns, ends), shape=shape)
    shared = (has @ has.T).toarray()
    whole = size[:, None] + size - shared
    alike = (shared >= FEWEST_SHARED) & (shared >= LIKE * whole)
    np.fill_diagonal(alike, False)
    written = np.array([bool(one) for one in ones])
    several = 1 + alike.sum(axis=1)
    several = np.maximum(several[:, None], several)
    differ = written[:, None] & written & ~alike & (np.maximum(size[:, None], size) >= DIFFER)
    bits = np.where(alike, np.log2(max(written.sum(), 2) / several), -AGAINST * differ)
    return _Judged(alike, alike & is_text, bits)


def _shingles(one: str) -> np.ndarray:
    """Return the shingles of a form."""
    return np.frombuffer(bytes.fromhex(one[17:]), ">u4")


def _groups(edges: Mapping[str, np.ndarray]) -> list[tuple[set[int], list[str]]]:
    """Return who hang together, and in what; groups of which most are the same are one.

    edges: exercise -> whether two are to be listed, as a matrix
    """
    groups: list[tuple[set[int], list[str]]] = []
    for exercise, matrix in edges.items():
        count, part = csgraph.connected_components(sparse.csr_matrix(matrix), directed=False)
        sizes = np.bincount(part, minlength=count)
        for number in np.flatnonzero(sizes > 1):
            members = {*np.flatnonzero(part == number).tolist()}
            for others, exercises in groups:
                if 2 * len(members & others) > len(members | others):
                    others |= members
                    exercises.append(exercise)
                    break
            else:
                groups.append((members, [exercise]))
    return groups


def _published(forms: Mapping[str, Forms], own: Forms) -> Iterator[Alike]:
    """Yield who hands in the lab's own answers: texts that are alike, code to the letter."""
    for name, ones in forms.items():
        both = {e: (one, own.get(e, "")) for e, one in ones.items() if one}
        code = [e for e, (one, _) in both.items() if one[16] != ":"]
        texts = [e for e, pair in both.items() if e not in code and _overlap(*pair)]
        same = [e for e in code if both[e][0][:16] == both[e][1][:16]]
        copied = same if len(same) >= max(PUBLISHED, len(code) / 2) else []
        if texts or copied:
            yield Alike("published", (name,), tuple(sorted([*texts, *copied])))


def _overlap(one: str, other: str) -> bool:
    first, second = map(_shingles, (one, other))
    return len(np.intersect1d(first, second)) >= LIKE * len(np.union1d(first, second)) > 0
