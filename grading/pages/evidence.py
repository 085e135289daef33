"""What a text speaks of: predictions, figure and output of the student's own notebook.

They are found by the section in which the text stands, so that moved, copied and added cells do no
harm. Nothing is run, and only pictures of the kind that the lab draws are taken.
"""

from __future__ import annotations

import base64
import contextlib
import re
from typing import Any, NamedTuple

from grading.graded import TEXTS
from lab.exercises import answer_cells
from lab.exercises.catalogue import ASKED

SECTION = re.compile(r"^##\s", re.MULTILINE)
BEYOND = {"conclusion": ("reading-recipes", "reading-differences")}  # figures of other sections
PNG = b"\x89PNG\r\n\x1a\n"
LARGEST = 4 << 20  # bytes of a picture
MOST = 4  # pictures for a text
LONGEST = 4_000  # characters of an output
Cell = dict[str, Any]


class Evidence(NamedTuple):
    """What stands beside a text."""

    predictions: tuple[tuple[str, str], ...] = ()  # (what was to be guessed, as it was written)
    pictures: tuple[bytes, ...] = ()  # PNG
    output: str = ""


class Section(NamedTuple):
    """The part of a notebook that ends with an answer."""

    cells: list[Cell]
    answers: dict[str, str]  # exercise -> its source, of those within


def of(cells: list[Cell]) -> dict[str, Evidence]:
    """Return the evidence for each text and each free code of a notebook."""
    found = answer_cells.find(cells)
    places = sorted(one.place for ones in found.values() for one in ones)
    sections = {}
    for name in filter(TEXTS.get, found):
        end = found[name][-1].place
        if ASKED[name].kind == "free":  # code may go on in other cells, up to the next answer
            end = next((place for place in places if place > end), len(cells)) - 1
        sections[name] = _section(cells, found, end)
    return {name: _evidence(name, sections) for name in sections}


def _section(cells: list[Cell], found: dict[str, list[answer_cells.Answer]], end: int) -> Section:
    """Return the cells from the heading of a section to an answer in it."""
    titles = [i for i, cell in enumerate(cells[:end]) if cell.get("cell_type") == "markdown"]
    starts = (i for i in reversed(titles) if SECTION.search(answer_cells.source_of(cells[i])))
    start = next(starts, 0)
    answers = {
        name: one.source for name, ones in found.items() for one in ones if start <= one.place < end
    }
    return Section(cells[start : end + 1], answers)


def _evidence(name: str, sections: dict[str, Section]) -> Evidence:
    section = sections[name]
    predictions = tuple(
        (ASKED[one].title, _as_written(one, source))
        for one, source in section.answers.items()
        if ASKED[one].kind == "guess"
    )
    others = [sections[one] for one in BEYOND.get(name, ()) if one in sections]
    spoken_of = [_spoken_of(one) for one in others or [section]]
    pictures = [picture for cell in spoken_of for picture in _pictures(cell)]
    return Evidence(predictions, tuple(pictures[:MOST]), _output(spoken_of[-1]))


def _as_written(name: str, source: str) -> str:
    """Return a prediction: its value, or the source of what has to be computed."""
    value = answer_cells.value_of(source, ASKED[name].name)
    try:
        if isinstance(value, dict):
            return ", ".join(f"{key} {part}" for key, part in value.items())[:200]
        return "none" if value is None else str(value)[:200]
    except (ValueError, RecursionError):  # a number with too many digits
        return "cannot be shown"


def _spoken_of(section: Section) -> Cell:
    """Return the last cell with a picture; where there is none, the last with an output."""
    code = [cell for cell in section.cells if cell.get("cell_type") == "code"]
    drawn = [cell for cell in code if _pictures(cell)]
    checked = {name for name in section.answers if ASKED[name].by_machine}
    said = [c for c in code if _output(c) and not checked & answer_cells.find([c]).keys()]
    return (drawn or said or [{}])[-1]


def _outputs(cell: Cell) -> list[tuple[Cell, Cell]]:
    """Return the outputs of a cell, and the data of each."""
    outputs = cell.get("outputs")
    ones = [one for one in outputs if isinstance(one, dict)] if isinstance(outputs, list) else []
    data = [one.get("data") for one in ones]
    return [(one, d if isinstance(d, dict) else {}) for one, d in zip(ones, data, strict=True)]


def _pictures(cell: Cell) -> list[bytes]:
    """Return the pictures that a cell has drawn, as files."""
    found = []
    for _, data in _outputs(cell):
        text = _text(data.get("image/png"))
        if 0 < len(text) <= LARGEST * 4 // 3:
            with contextlib.suppress(ValueError):
                found.append(base64.b64decode(text))
    return [content for content in found if content.startswith(PNG)]


def _output(cell: Cell) -> str:
    """Return what a cell has shown as text: what it printed, its tables, its error."""
    texts = []
    for output, data in _outputs(cell):
        if "text/html" in data or output.get("output_type") == "execute_result":
            texts.append(_text(data.get("text/plain")))
        elif output.get("output_type") == "stream":
            texts.append(_text(output.get("text")))
        elif output.get("output_type") == "error":
            texts.append(f"{output.get('ename', '')}: {output.get('evalue', '')}")
    text = "\n\n".join(filter(None, (one.strip("\n") for one in texts)))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\n[...]"


def _text(value: Any) -> str:
    """Return a text that a notebook holds as one or as a list of lines; "" of all else."""
    lines = value if isinstance(value, list) else [value]
    return "".join(line for line in lines if isinstance(line, str))
