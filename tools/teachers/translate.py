"""Make a notebook in another language from the English one and its translations.

    python tools/teachers/translate.py LANGUAGE            writes lab2.LANGUAGE.ipynb
    python tools/teachers/translate.py LANGUAGE --extract  takes new English texts into the file

`translations/LANGUAGE/lab2.po` has an entry for each text cell, comment and docstring, under the id
of its cell, keyed by the English text itself (the format of gettext: Poedit and Weblate open it). A
text that has changed since finds no entry, and nothing is written: the cell is named instead.

Code is the same in both. One cell is added, which says the language; outputs are those of the
notebook that stands there already, as long as their cell's code is the same.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import sys
import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the lab, from any folder

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from lab.base import files, i18n
from lab.config import LabError, ends_in_a_sentence
from lab.exercises import answer_cells

NAME = "lab2"
LANGUAGE_CELL = """from lab import config
from lab.base import i18n

config.name_language("{language}")
print = i18n.tell"""


class Piece(NamedTuple):
    """A comment or docstring: where it begins and ends (line, character), and what it says."""

    start: tuple[int, int]
    end: tuple[int, int]
    text: str
    docstring: bool


def pieces(source: str) -> list[Piece]:
    """Return the comments and docstrings of a cell, in order."""
    plain = (
        answer_cells.COMMAND.sub(r"\1pass", source) if source.lstrip().startswith("%") else source
    )
    found = [
        Piece(token.start, token.end, token.string, False)
        for token in tokenize.generate_tokens(io.StringIO(plain).readline)
        if token.type == tokenize.COMMENT
    ]
    lines = plain.encode().split(b"\n")  # `ast` counts bytes

    def place(line: int, column: int) -> tuple[int, int]:
        return line, len(lines[line - 1][:column].decode())

    for node in ast.walk(ast.parse(plain)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            text = node.body[0].value
            start = place(text.lineno, text.col_offset)
            end = place(text.end_lineno, text.end_col_offset)
            found.append(Piece(start, end, ast.get_docstring(node, clean=False), True))
    return sorted(found)


def texts(cell: dict[str, Any]) -> list[str]:
    """Return what a reader reads in a cell: its text, or its comments and docstrings."""
    source = answer_cells.source_of(cell)
    return [source] if cell["cell_type"] == "markdown" else [p.text for p in pieces(source)]


def put(source: str, said: Callable[[str], str]) -> str:
    """Return a cell of code with its comments and docstrings said otherwise."""
    lines = source.split("\n")
    for piece in reversed(pieces(source)):
        (first, left), (last, right) = piece.start, piece.end
        new = f'"""{said(piece.text)}"""' if piece.docstring else said(piece.text)
        new = lines[first - 1][:left] + new + lines[last - 1][right:]
        lines[first - 1 : last] = new.split("\n")
    return "\n".join(lines)


def catalogue(language: str) -> Catalog:
    """Return the translations of the notebook. Raises LabError if there are none."""
    path = i18n.file_of(language, NAME)
    if not path.exists():
        raise LabError(f"There is no {path.relative_to(ROOT)}. Begin with --extract.")
    with path.open("rb") as file:
        return read_po(file, locale=language)


def missing(notebook: dict[str, Any], known: Catalog) -> list[str]:
    """Return the ids of cells with a text that has no translation: it is new, or has changed."""
    return [
        cell["id"]
        for cell in notebook["cells"]
        if not all(_string(known, cell["id"], text) for text in texts(cell))
    ]


def _string(known: Catalog, cell: str, text: str) -> str:
    entry = known.get(text, context=cell)
    return str(entry.string) if entry and not entry.fuzzy else ""


def translated(notebook: dict[str, Any], known: Catalog, language: str) -> dict[str, Any]:
    """Return the notebook in a language, without outputs. Raises LabError if a text has none."""
    if gone := missing(notebook, known):
        raise LabError(
            f"These cells of {NAME}.ipynb have no translation into {language!r}, or have changed "
            f"since: {', '.join(gone)}. Run tools/teachers/translate.py {language} --extract "
            "and fill them."
        )
    cells = []
    for cell in notebook["cells"]:
        source = answer_cells.source_of(cell)

        def said(text: str, name: str = cell["id"]) -> str:
            return _string(known, name, text)

        text = said(source) if cell["cell_type"] == "markdown" else put(source, said)
        cells.append({**cell, "source": text.splitlines(keepends=True)})
    # the first cell of code finds the lab's folder; whatever the lab says comes after it
    place = 1 + next(i for i, cell in enumerate(cells) if cell["cell_type"] == "code")
    source = LANGUAGE_CELL.format(language=language).splitlines(keepends=True)
    language_cell = {"cell_type": "code", "id": "reader-language", "metadata": {}, "source": source}
    cells.insert(place, language_cell)
    for cell in cells:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    metadata = {**notebook["metadata"], "lab2": {"language": language}}
    return {**notebook, "cells": cells, "metadata": metadata}


def with_outputs(notebook: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
    """Return a notebook executed as an older one was, where the code is the same."""
    kept = {cell["id"]: cell for cell in (old or {}).get("cells", ()) if "outputs" in cell}
    cells = []
    for cell in notebook["cells"]:
        before = kept.get(cell["id"])
        if before and _code(before) == _code(cell):
            cell = cell | {k: before[k] for k in ("outputs", "execution_count")}
        cells.append(cell)
    return {**notebook, "cells": cells}


def _code(cell: dict[str, Any]) -> str:
    """Return a cell's code without comments and docstrings."""
    return put(answer_cells.source_of(cell), lambda text: "#" if text.startswith("#") else "")


def path_of(language: str) -> Path:
    """Return the file of the notebook in a language."""
    return ROOT / i18n.lesson(language)


def make(language: str) -> Path:
    """Write the notebook in a language; return its path. Raises LabError if a text is missing."""
    path = path_of(language)
    notebook = translated(answer_cells.read(ROOT / f"{NAME}.ipynb"), catalogue(language), language)
    notebook = with_outputs(notebook, answer_cells.read(path) if path.exists() else None)
    text = json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True)
    files.write_atomically(path, f"{text}\n".encode())
    return path


def extract(language: str) -> int:
    """Take the present English texts into the translations' file; return how many are open.

    Translations of texts that have not changed stay. Of a text that has, the older translation is
    taken over and marked `fuzzy`, for a person to look at.
    """
    path = i18n.file_of(language, NAME)
    known = catalogue(language) if path.exists() else Catalog(locale=language)
    template = Catalog(project="lab2")
    for cell in answer_cells.read(ROOT / f"{NAME}.ipynb")["cells"]:
        for text in texts(cell):
            template.add(text, context=cell["id"])
    known.update(template)
    write(known, path)
    return sum(not entry.string or entry.fuzzy for entry in known if entry.id)


def write(known: Catalog, path: Path) -> None:
    """Write translations; no dates, so that the same texts give the same file."""
    buffer = io.BytesIO()
    write_po(buffer, known, width=100, omit_header=True, ignore_obsolete=True)
    files.write_atomically(path, HEADER.encode() + buffer.getvalue())


HEADER = """msgid ""
msgstr ""
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


@ends_in_a_sentence()
def main() -> None:
    """Read the command line, and write the notebook or the translations' file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("language")
    parser.add_argument("--extract", action="store_true", help="take in new English texts")
    options = parser.parse_args()
    if options.extract:
        print(f"{extract(options.language)} texts are to be translated.")
    else:
        print(f"Wrote {make(options.language)}. Execute it, if code has changed.")


if __name__ == "__main__":
    main()
