"""Bring the lab's notebooks, pages and messages into another language.

    .venv/bin/python tools/teachers/translate.py LANGUAGE

takes the English texts into two catalogues of gettext, which Poedit and Weblate open: in
`translations/LANGUAGE/LC_MESSAGES/` `lab.po` has what code shows, `documents.po` the files that
`translations/documents.cfg` names. Then it compiles lab.mo and writes the files, such as
lab2.LANGUAGE.ipynb. A text that has changed is *fuzzy*, and stands in English until somebody has
looked at its translation; it is named. A translation whose numbers, placeholders, code, links or
formulas are not those of the English is refused.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the lab, from any folder

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import denormalize, normalize, read_po, write_po

from lab.base import files
from lab.base.messages import _, say
from lab.base.source import without_docstrings
from lab.config import LabError, ends_in_a_sentence
from lab.exercises import answer_cells
from tools.teachers import diagrams, paragraphs

LAB, DOCUMENTS = "lab", "documents"
LANGUAGE_CELL = 'from lab import config\n\nconfig.name_language("{language}")'
IN_EDITION = "further/"  # made with the student's edition, and nowhere kept
OPEN = _("(This text has no translation yet.)")
REFUSED = (
    "The notebooks were not written. Numbers, placeholders, code, links or formulas differ in:"
)
NO_DATE = datetime(2026, 1, 1, tzinfo=UTC)  # the same texts give the same file
NOT_SAID = re.compile(r'(?m)^(?:#.*|"(?:POT|PO-R|Report|Last-T|Language-T|Generated).*)\n')


def path_of(language: str, domain: str) -> Path:
    """Return the file of a catalogue; domain: LAB or DOCUMENTS."""
    return ROOT / "translations" / language / "LC_MESSAGES" / f"{domain}.po"


def extracted(domain: str) -> Catalog:
    """Return the present English texts, and where each stands: "file:cell"."""
    template = Catalog()
    with (ROOT / "translations" / f"{domain}.cfg").open(encoding="utf-8") as file:
        mapping = parse_mapping_cfg(file)
    for name, _line, text, cell, _context in extract_from_dir(ROOT, *mapping, {"_": None}):
        template.add(text, "", locations=[(":".join([name, *filter(None, cell)]), 0)])
    return template


def stored(language: str, domain: str) -> Catalog:
    """Return the translations as they are stored; of a new language none."""
    path = path_of(language, domain)
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file)


def updated(language: str, domain: str) -> Catalog:
    """Return the translations with the present English texts taken in; nothing is written.

    Of a text that has changed, the older translation stays, fuzzy, beside the older English.
    """
    known = stored(language, domain)
    earlier = {one.id: _previous(one) for one in known}
    known.update(extracted(domain))
    known.creation_date = known.revision_date = NO_DATE
    known.project, known.version, known.header_comment, known.fuzzy = "lab2", "1", "", False
    for message in known:
        message.flags &= {"fuzzy"}  # "79.5 % of them" is no format
        if message.fuzzy:  # as long as nobody has looked at it
            message.previous_id = message.previous_id or earlier[message.id]
    return known


def _previous(message: Message) -> list[str]:
    """Return the older English of a fuzzy text, which Babel writes but reads as a comment."""
    lines = [one[1:].strip() for one in message.user_comments if one[0] == "|"]
    message.user_comments = [one for one in message.user_comments if one[0] != "|"]
    return [denormalize("\n".join(lines).removeprefix("msgid "))] if lines else []


def as_po(known: Catalog) -> bytes:
    """Return a catalogue as people edit it."""
    buffer = io.BytesIO()
    write_po(buffer, known, width=100, ignore_obsolete=True, include_lineno=False)
    head, blank, text = buffer.getvalue().decode("utf-8").partition("\n\n")
    for one in known:  # Babel would break the lines of the older English
        if one.fuzzy and one.previous_id:
            entry = f"msgid {normalize(one.id, width=100)}\n"
            older = f"msgid {normalize(one.previous_id[0], width=100)}".replace("\n", "\n#| ")
            text = text.replace(f"#, fuzzy\n{entry}", f"#, fuzzy\n#| {older}\n{entry}")
    return (NOT_SAID.sub("", f"{head}\n") + blank[1:] + text).encode()


def as_mo(known: Catalog) -> bytes:
    """Return what gettext reads at run time: what is translated."""
    buffer, whole = io.BytesIO(), Catalog(locale=known.locale_identifier, charset="utf-8")
    whole.creation_date = whole.revision_date = NO_DATE
    for english, text in strings(known).items():
        whole.add(english, text)
    write_mo(buffer, whole)
    return buffer.getvalue()


def strings(known: Catalog) -> dict[str, str]:
    """Return English text -> translation, of those that are translated and not fuzzy."""
    return {one.id: one.string for one in known if one.id and one.string and not one.fuzzy}


def named(known: Catalog, text: str) -> str:
    """Return where a text stands, and its first words."""
    return f"{known[text].locations[0][0]}: {' '.join(text.split())[:60]}"


def differing(known: Catalog) -> Iterator[str]:
    """Yield the English texts whose translation has other facts."""
    return (english for english, text in strings(known).items() if facts(text) != facts(english))


def facts(text: str) -> list[Counter[str]]:
    """Return what a translation must not change: formulas, code, links, tags, slots, numbers."""
    found = []
    for kind in (*paragraphs.NOT_WORDS, paragraphs.NUMBER):
        found.append(Counter(re.sub(r"# .*", "#", part) for part in kind.findall(text)))
        text = kind.sub("", text)
        text = re.sub(r"([\d.]+) million", lambda m: f"{float(m[1]) * 1e6:.0f}", text)
        text = re.sub(r"([\d.]+) ?万", lambda m: f"{float(m[1]) * 1e4:.0f}", text)
    return found


def page(source: str, known: dict[str, str], language: str, code: bool = False) -> str:
    """Return a page, or the source of a cell, in a language; what is open in English."""
    open_ = not code and any(one.text not in known for one in paragraphs.pieces(source, code))
    text = paragraphs.put(source, code, lambda english: known.get(english, english))
    text = text if code else diagrams.addressed(text, language)
    return f"{text.rstrip()}\n\n*{say(OPEN, language)}*" if open_ else text


def translated(notebook: dict[str, Any], known: dict[str, str], language: str) -> dict[str, Any]:
    """Return a notebook in a language, without outputs."""
    cells, nothing = [], {"outputs": [], "execution_count": None}
    for cell in notebook["cells"]:
        code = cell["cell_type"] == "code"
        text = page(answer_cells.source_of(cell), known, language, code)
        empty = nothing if code else {}
        cells.append(cell | empty | {"source": text.splitlines(keepends=True)})
    # the first cell of code finds the lab's folder; whatever the lab says comes after it
    place = 1 + next(i for i, cell in enumerate(cells) if cell["cell_type"] == "code")
    source = LANGUAGE_CELL.format(language=language).splitlines(keepends=True)
    new = {"cell_type": "code", "id": "reader-language", "metadata": {}, "source": source}
    cells.insert(place, new | nothing)
    metadata = notebook["metadata"] | {"lab2": {"language": language}}
    return notebook | {"cells": cells, "metadata": metadata}


def with_outputs(notebook: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook executed as an older one was, where the code is the same."""
    kept, cells = {cell["id"]: cell for cell in old["cells"] if "outputs" in cell}, []
    for cell in notebook["cells"]:
        was = kept.get(cell["id"])
        if was and "outputs" in cell and _code(was) == _code(cell):
            cell = cell | {part: was[part] for part in ("outputs", "execution_count")}
        cells.append(cell)
    widgets = {k: v for k, v in old["metadata"].items() if k == "widgets"}
    return notebook | {"cells": cells, "metadata": notebook["metadata"] | widgets}


def _code(cell: dict[str, Any]) -> str:
    """Return what stands for a cell's code, without comments, docstrings and layout."""
    source = answer_cells.COMMAND.sub(r"\1pass", answer_cells.source_of(cell))
    return ast.dump(without_docstrings(ast.parse(source)))


def make(source: Path, known: dict[str, str], language: str) -> Path:
    """Write a notebook or a page in a language, beside the English one; return its path."""
    path = source.with_name(f"{source.stem}.{language}{source.suffix}")
    if source.suffix == ".ipynb":
        notebook = translated(answer_cells.read(source), known, language)
        notebook = with_outputs(notebook, answer_cells.read(path)) if path.exists() else notebook
        text = json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True)
    else:
        text = page(source.read_text(encoding="utf-8").rstrip(), known, language)
    files.write_atomically(path, f"{text}\n".encode())
    return path


def bring(language: str) -> tuple[list[Path], list[str]]:
    """Do what this tool does; return the documents that it wrote, and what is open.

    Raises LabError where facts differ: then nothing but the catalogues is written. A document of
    which nothing is translated is left out.
    """
    lab, texts = updated(language, LAB), updated(language, DOCUMENTS)
    place = path_of(language, LAB)
    place.parent.mkdir(parents=True, exist_ok=True)
    files.write_atomically(place, as_po(lab))
    files.write_atomically(path_of(language, DOCUMENTS), as_po(texts))
    if wrong := [named(known, text) for known in (lab, texts) for text in differing(known)]:
        raise LabError("\n".join([REFUSED, *wrong]))
    files.write_atomically(place.with_suffix(".mo"), as_mo(lab))
    whole = strings(texts)
    names = [name.partition(":")[0] for text in whole for name, _line in texts[text].locations]
    kept = [name for name in dict.fromkeys(names) if not name.startswith(IN_EDITION)]
    written = [make(ROOT / name, whole, language) for name in kept]
    written += diagrams.make(ROOT / "figures", language)
    open_ = [(one, m.id) for one in (lab, texts) for m in one if m.id not in strings(one) and m.id]
    return written, [named(*pair) for pair in open_]


@ends_in_a_sentence()
def main() -> None:
    """Read the command line; say what was written, and what is open."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("language")
    written, left = bring(parser.parse_args().language)
    print("Wrote", *(str(path.relative_to(ROOT)) for path in written))
    print(
        "All is translated." if not left else "Not translated, and in English:", *left, sep="\n  "
    )
    print("Execute notebooks whose code has changed.")


if __name__ == "__main__":
    main()
