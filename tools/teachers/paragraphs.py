"""What is translated, as Babel's extractors find it; translations/*.cfg say in which files.

document  paragraphs of pages and notebooks; in cells of code comments, docstrings, what is shown
data      titles of exercises, hints, criteria of the rubric
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
import tomllib
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

from babel.messages.extract import extract_python

from grading.pages import rubric
from lab.exercises import answer_cells
from lab.exercises.catalogue import ASKED

Found = Iterator[tuple[int, None, str, list[str]]]  # place of the cell, -, text, id of the cell

FORMULA = re.compile(r"\$\$.+?\$\$|\$[^$]+\$", re.DOTALL)
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
LINK = re.compile(r"\]\(([^)]+)\)")
TAG = re.compile(r"</?[a-z]+[^>]*>")
SLOT = re.compile(r"\{[^{}]*\}")
NOT_WORDS = (FORMULA, CODE, LINK, TAG, SLOT)  # in this order: a formula has braces, too
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
WORD = re.compile(r"\b[A-Za-z]{2,}\b")
PROSE = re.compile(r"[A-Za-z]{3,} [A-Za-z]{2,}|\b(?:and|are)\b")  # no line of code
SHOWS = re.compile(r"print|rename|\w+Error")  # calls whose arguments a reader sees
LITERAL = re.compile(r"""([rbfRBF]*)(\"{3}|'{3}|"|')((?:\\.|(?!\2).)*)\2""", re.DOTALL)


class Piece(NamedTuple):
    """A text, where it begins and ends in a source, and how a translation of it is written."""

    start: int
    end: int
    text: str
    written: Callable[[str], str] = str


def pieces(source: str, code: bool) -> list[Piece]:
    """Return what a reader reads in a page or in a cell of code, in order."""
    found = _in_code(source) if code else _in_text(source)
    return sorted(piece for piece in found if _has_words(piece.text))


def put(source: str, code: bool, said: Callable[[str], str]) -> str:
    """Return a source with its texts said otherwise."""
    for piece in reversed(pieces(source, code)):
        if (text := said(piece.text)) != piece.text:
            source = source[: piece.start] + piece.written(text) + source[piece.end :]
    return source


def _has_words(text: str) -> bool:
    for kind in NOT_WORDS:
        text = kind.sub("", text)
    return bool(WORD.search(text)) and not text.startswith("noqa")


def _in_text(source: str) -> Iterator[Piece]:
    """Yield paragraphs: what is between blank lines, but a fence or a formula is whole."""
    parts = re.split(r"(\n(?:[ \t]*\n)+)", source)
    whole = parts[:1]
    for gap, part in zip(parts[1::2], parts[2::2], strict=True):
        if any(whole[-1].count(mark) % 2 for mark in ("```", "$$")):
            whole[-1] += gap + part
        else:
            whole += [gap, part]
    end = 0
    for part in whole:
        end += len(part)
        text = re.sub(r"^\s*(?:#+ )?", "", part)  # a heading stays one
        yield Piece(end - len(text), end - len(text) + len(text.rstrip()), text.rstrip())


def _in_code(source: str) -> Iterator[Piece]:
    plain = answer_cells.COMMAND.sub(r"\1pass", source) if re.match(r"\s*%", source) else source
    lines = plain.splitlines(keepends=True)
    for token in tokenize.generate_tokens(io.StringIO(plain).readline):
        if token.type == tokenize.COMMENT:
            end = len("".join(lines[: token.start[0] - 1])) + token.end[1]
            text = re.sub(r"^#\|? ?(?:fig-cap: )?", "", token.string)
            yield Piece(end - len(text), end, text)
    tree = ast.parse(plain)
    for node in [*docstrings(tree), *shown(tree)]:
        before = lines[node.lineno - 1].encode()[: node.col_offset].decode()  # `ast` counts bytes
        start = len("".join(lines[: node.lineno - 1])) + len(before)
        text = ast.get_source_segment(plain, node)
        parts = LITERAL.findall(text)
        form = (max(part[0] for part in parts), parts[0][1], before)
        said = "".join(part[2] for part in parts)
        yield Piece(start, start + len(text), said, lambda said, form=form: _literal(said, *form))


def docstrings(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield the docstrings of a cell, as nodes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            yield node.body[0].value


def shown(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield the literals that a reader sees: printed, in errors, new names of a table's rows."""
    for call in ast.walk(tree):
        name = getattr(call, "func", None)
        if SHOWS.fullmatch(getattr(name, "id", getattr(name, "attr", ""))):
            waiting = [*call.args, *(keyword.value for keyword in call.keywords)]
            for node in waiting:  # it grows
                if isinstance(node, ast.Dict):
                    waiting += node.values
                elif isinstance(getattr(node, "value", None), str) or hasattr(node, "values"):
                    yield node


def _literal(text: str, prefix: str, quote: str, before: str) -> str:
    """Return a text as a literal; a long one as several, a sentence each, as `ruff` has it."""
    whole = len(quote) == 3 or len(before) + 2 * len(text) < 100
    parts = [text] if whole else re.findall(r"[^。]+(?:。）?)?", text)
    marks = [prefix if whole or SLOT.search(part) else prefix.strip("fF") for part in parts]
    return f"\n{before}".join(f"{m}{quote}{part}{quote}" for m, part in zip(marks, parts))


def document(file: IO[bytes], *_: Any, **options: Any) -> Found:
    """Yield the paragraphs of a notebook or a page."""
    source = file.read().decode("utf-8")
    page = {"cells": [{"cell_type": "markdown", "id": "", "source": source}]}
    cells = json.loads(source) if file.name.endswith(".ipynb") else page
    for place, cell in enumerate(cells["cells"], 1):
        for piece in pieces(answer_cells.source_of(cell), cell["cell_type"] == "code"):
            yield place, None, piece.text, [cell["id"]]


def data(file: IO[bytes], keywords: Any, tags: Any, options: Any) -> Found:
    """Yield texts that are data."""
    content = file.read()
    if file.name.endswith(".toml"):
        helps = tomllib.loads(content.decode("utf-8")).values()
        lines = [line for one in helps for line in one.get("example", "").split("\n")]
        lines += [one.get("how", "") for one in helps]
        texts = [hint for one in helps for hint in one.get("hints", ())]
        texts += [line for line in lines if PROSE.search(line)]
    elif file.name.endswith(".md"):
        entries = rubric.parse(content.decode("utf-8")).entries.values()
        texts = [criterion.plain for entry in entries for criterion in entry.criteria]
    else:
        yield from extract_python(io.BytesIO(content), keywords, tags, options)
        texts = [exercise.title for exercise in ASKED.values()]
    yield from ((1, None, text, []) for text in dict.fromkeys(texts) if text)
