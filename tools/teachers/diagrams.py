"""The diagrams in another language: those of `figures/` with their words translated.

    make       writes figures/LANGUAGE/*.svg
    addressed  a text whose links lead there

They are drawn once, in English. A new word in a diagram is named in WORDS; what is not there stands
for itself in every language: symbols, code, the words of the reviews.
"""

from __future__ import annotations

import re
from pathlib import Path

from lab.base import files
from lab.base.messages import _, say

WORDS = (
    _("A block of three reviews, a column each, with padding and text_length"),
    _("The GRU cell"),
    _("A network of one recurrent layer beside a network of two"),
    _("LSTM, first stage: the forget gate on the line of the cell state"),
    _("LSTM, second stage: input gate and proposal, added to the cell state"),
    _("LSTM, third stage: the output gate; the cell is whole"),
    _("The plain RNN: one cell with a loop, and the same cell unrolled over the words of a review"),
    *(_("reviews, a column each"), _("words,"), _("time goes"), _("down")),  # behind B and T
    *(_("cell"), _("linear,")),
    *(_("becomes"), _("the same"), _("at every word")),  # between symbols
)
TEXT = re.compile(r"<(text|title)\b.*?</\1>", re.DOTALL)
RUN = re.compile(r"(?<=>)(\s*)([^<>]*[^<>\s])(\s*)(?=<)")  # between two tags
FULL_WIDTH = tuple("，。：；")  # no blank stands behind these


def translated(svg: str, language: str) -> str:
    """Return a diagram with its words in a language, and all else as it is."""
    known = {str.__str__(word): say(word, language) for word in WORDS}

    def said(run: re.Match[str]) -> str:
        text = known.get(run[2], run[2])
        return run[1] + text + ("" if text.endswith(FULL_WIDTH) else run[3])

    return TEXT.sub(lambda text: RUN.sub(said, text[0]), svg)


def make(folder: Path, language: str) -> list[Path]:
    """Write all diagrams of a folder in a language, below it; return their paths."""
    paths = []
    for path in sorted(folder.glob("*.svg")):
        paths.append(path.parent / language / path.name)
        svg = translated(path.read_text(encoding="utf-8"), language)
        files.write_atomically(paths[-1], svg.encode("utf-8"))
    return paths


def addressed(text: str, language: str) -> str:
    """Return a text in Markdown whose links to diagrams lead to those in a language."""
    return re.sub(r"(?<=\]\(figures/)(?=[\w-]+\.svg\))", f"{language}/", text)
