"""Make a notebook in another language from the English one and its translations.

    .venv/bin/python tools/teachers/translate.py LANGUAGE

`translations/LANGUAGE/lab2.po` has an entry for each text cell, comment and docstring, under the id
of its cell, keyed by the English text itself (the format of gettext: Poedit and Weblate open it);
`words.po` has hints, examples, titles and the rubric's criteria. New and changed English texts are
taken into both, and lab2.LANGUAGE.ipynb is written. A text without a translation stands there in
English, with a line that says so, and its cell is named: who translates it runs this once more.

Code is the same in both. One cell is added, which says the language. Outputs are those of the
notebook that stands there already, as long as their cell's code is the same; lines that a changed
cell has printed in English are looked up.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import re
import sys
import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the lab, from any folder

from babel.messages.catalog import Catalog
from babel.messages.pofile import normalize, read_po, write_po

from grading.pages import rubric
from lab.base import files, i18n
from lab.config import LabError, ends_in_a_sentence
from lab.exercises import answer_cells
from lab.exercises.catalogue import ASKED
from lab.exercises.help import hints

NAME = "lab2"
LANGUAGE_CELL = """from lab import config
from lab.base import i18n

config.name_language("{language}")
print = i18n.tell"""
WORDS = re.compile(r"[A-Za-z]{3,} [A-Za-z]{2,}")  # more than a formula
OPEN = "(This text has no translation yet.)"


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
        raise LabError(f"There is no {path.relative_to(ROOT)}.")
    with path.open("rb") as file:
        return read_po(file, locale=language)


def missing(notebook: dict[str, Any], known: Catalog) -> list[str]:
    """Return the ids of cells with a text that has no translation: it is new, or has changed."""
    return [
        cell["id"]
        for cell in notebook["cells"]
        if not all(_string(known, cell["id"], text) for text in texts(cell))
    ]


def not_taken_in(notebook: dict[str, Any], known: Catalog) -> list[str]:
    """Return the ids of cells with a text that the file does not even have as open."""
    return [
        cell["id"]
        for cell in notebook["cells"]
        if not all(known.get(text, context=cell["id"]) for text in texts(cell))
    ]


def _string(known: Catalog, cell: str, text: str) -> str:
    entry = known.get(text, context=cell)
    return str(entry.string) if entry and not entry.fuzzy else ""


def translated(notebook: dict[str, Any], known: Catalog, language: str) -> dict[str, Any]:
    """Return the notebook in a language, without outputs; what has no translation in English."""
    note, cells = i18n.say(OPEN, language), []
    for cell in notebook["cells"]:
        source = answer_cells.source_of(cell)

        def said(text: str, name: str = cell["id"]) -> str:
            return _string(known, name, text) or text

        if cell["cell_type"] == "code":
            text = put(source, said)
        else:
            text = _string(known, cell["id"], source) or f"{source}\n\n*{note}*"
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


def with_outputs(
    notebook: dict[str, Any], old: dict[str, Any] | None, english: dict[str, Any]
) -> dict[str, Any]:
    """Return a notebook executed as an older one was, where the code is the same.

    Where it is not, and the English cell has only printed lines, these are its outputs.
    """
    kept, source = _outputs(old or {}), _outputs(english)
    cells = []
    for cell in notebook["cells"]:
        name = cell["id"]
        if name in kept and _code(kept[name]) == _code(cell):
            cell = cell | {k: kept[name][k] for k in ("outputs", "execution_count")}
        elif name in source and name in kept:
            said = [_said(one, notebook["metadata"]) for one in source[name]["outputs"]]
            count = kept[name]["execution_count"]
            cell |= {"outputs": said, "execution_count": count} if all(said) else {}
        cells.append(cell)
    widgets = {k: v for k, v in (old or {}).get("metadata", {}).items() if k == "widgets"}
    return {**notebook, "cells": cells, "metadata": {**notebook["metadata"], **widgets}}


def _outputs(notebook: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {cell["id"]: cell for cell in notebook.get("cells", ()) if "outputs" in cell}


def _said(output: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    """Return printed lines in the language of a notebook; {} of any other output."""
    if output["output_type"] != "stream":
        return {}
    lines = "".join(output["text"]).splitlines(keepends=True)
    language = metadata["lab2"]["language"]
    return output | {"text": [i18n.sentence(line, language) for line in lines]}


def _code(cell: dict[str, Any]) -> str:
    """Return a cell's code without comments and docstrings."""
    return put(answer_cells.source_of(cell), lambda text: "#" if text.startswith("#") else "")


def path_of(language: str) -> Path:
    """Return the file of the notebook in a language."""
    return ROOT / i18n.lesson(language)


def make(language: str) -> Path:
    """Write the notebook in a language; return its path."""
    path, english = path_of(language), answer_cells.read(ROOT / f"{NAME}.ipynb")
    notebook = translated(english, catalogue(language), language)
    old = answer_cells.read(path) if path.exists() else None
    text = json.dumps(
        with_outputs(notebook, old, english), ensure_ascii=False, indent=1, sort_keys=True
    )
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


def open_words(language: str) -> list[str]:
    """Return the hints, examples, titles and criteria, which code shows, without a translation."""
    found = [OPEN, *(exercise.title for exercise in ASKED.values())]
    for one in hints.everything().values():
        found += [*one.hints, *one.how.split("\n")]
    for entry in rubric.read().entries.values():
        found += [one.plain for one in entry.criteria]
    english = [text for text in dict.fromkeys(found) if WORDS.search(text)]
    return [text for text in english if i18n.say(text, language) == text]


def extract_words(language: str) -> list[str]:
    """Take what `open_words` returns into `words.po`, and return it."""
    path, found = i18n.file_of(language), open_words(language)
    with path.open("rb") as file:
        known = {entry.id for entry in read_po(file)}
    if new := [text for text in found if text not in known]:
        entries = "".join(f'\nmsgid {normalize(text)}\nmsgstr ""\n' for text in new)
        files.write_atomically(path, path.read_bytes().rstrip() + b"\n" + entries.encode())
    return found


HEADER = """msgid ""
msgstr ""
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


@ends_in_a_sentence()
def main() -> None:
    """Read the command line; take texts into the translations' files, and write the notebook."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("language")
    language = parser.parse_args().language
    extract(language)
    words = extract_words(language)
    print(f"Wrote {make(language)}. Execute it, if code has changed.")
    open_ = missing(answer_cells.read(ROOT / f"{NAME}.ipynb"), catalogue(language))
    for what, ones in (("These cells of the notebook", open_), ("These hints and titles", words)):
        if ones:
            print(f"{what} have no translation yet, and stand in English:", *ones, sep="\n  ")


if __name__ == "__main__":
    main()
