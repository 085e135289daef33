"""Signs of Chinese keyboards where Python wants others: found, told, and read as they are meant.

A cell with “a” in the place of "a", or with a full-width comma, is none that Python can read. What
stands in texts and comments is nobody's business: there such signs are right.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from lab.base.messages import Message, _
from lab.base.source import parse

DOUBLE, SINGLE = '"“”„‟＂「」『』', "'‘’‚‛＇"  # marks of quotation, Python's own first
WANTED = {
    **{chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},  # full width
    **dict.fromkeys(DOUBLE[1:], '"'),
    **dict.fromkeys(SINGLE[1:], "'"),
    **dict(zip("，、：；【】〔〕《》", ",,:;[][]<>")),
    **dict.fromkeys("−–", "-"),
    **dict.fromkeys("\u3000\u00a0", " "),
}
STOP = "。"  # the point of a number, or nothing at all
KNOWN = re.compile(
    r'''(?P<text>"""[\s\S]*?"""|\'\'\'[\s\S]*?\'\'\'|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')'''
    r"|(?P<comment>[#＃][^\n]*)"
    rf"|(?P<quoted>[{DOUBLE}][^{DOUBLE}\n]*[{DOUBLE}]|[{SINGLE}][^{SINGLE}\n]*[{SINGLE}])"
    r"|(?P<sign>[\s\S])"
)
NUMBER = re.compile(r"\s*[-+]?(?:\d+(?:\.\d*)?|\.\d+)\s*")
KEY = re.compile(r"\s*[:：]")  # what stands before it is the name of an entry
LONGEST = 100_000  # characters of a cell that is looked through


class Sign(NamedTuple):
    """A sign that Python does not know: where it stands, and what is typed instead."""

    line: int
    sign: str
    wanted: str  # "": nothing


TOLD = _(
    "Python cannot read line {line} of the cell: it has {signs} where {wanted} is meant. "
    "Type the signs of code with the keyboard set to English, and run the cell again."
)


class Slip(NamedTuple):
    """The signs of the first line of a cell that has any: what there is to tell of them."""

    line: int
    signs: list[str]
    wanted: list[str]

    def told(self, template: str = TOLD, **others: str) -> Message:
        """Return in a sentence which signs, in which line, and what is typed instead."""
        signs = " ".join(sign if sign.strip() else f"U+{ord(sign):04X}" for sign in self.signs)
        names = {" ": _("a space"), "": _("nothing")}
        wanted: str | list[str] = " ".join(self.wanted)
        if not names.keys().isdisjoint(self.wanted):
            wanted = [names.get(one, one) for one in self.wanted]
        return Message(template, line=self.line, signs=signs, wanted=wanted, **others)


def slip(source: str) -> Slip | None:
    """Return what is wrong with a cell that Python cannot read for such signs; else None."""
    if len(source) > LONGEST or is_python(source):
        return None
    found = [one for one in _read(source) if isinstance(one, Sign)]
    signs = {one.sign: one.wanted for one in found if one.line == found[0].line}
    return Slip(found[0].line, [*signs], [*signs.values()]) if found else None


def meant(source: str, numbers: bool = False) -> str:
    """Return a cell with the signs that are meant, where Python can read it then; else as it is.

    numbers: between such marks of quotation a number is one, and no text
    """
    if slip(source) is None:
        return source
    pieces = _read(source, numbers)
    typed = "".join(one.wanted if isinstance(one, Sign) else one for one in pieces)
    return typed if is_python(typed) else source


def _read(source: str, numbers: bool = False) -> Iterator[str | Sign]:
    """Yield the pieces of a source, and signs in the place of those that Python does not know."""
    line = 1
    for found in KNOWN.finditer(source):
        kind, piece = found.lastgroup, found[0]
        if kind == "quoted":
            mark = DOUBLE[0] if piece[0] in DOUBLE else SINGLE[0]
            inner = unicodedata.normalize("NFKC", piece[1:-1].replace(STOP, "."))
            if numbers and NUMBER.fullmatch(inner) and not KEY.match(source, found.end()):
                yield inner
            else:
                yield mark if piece[0] == mark else Sign(line, piece[0], mark)
                yield piece[1:-1]
                yield mark if piece[-1] == mark else Sign(line, piece[-1], mark)
        elif kind == "comment" and piece[0] != "#":
            yield Sign(line, piece[0], "#")
            yield piece[1:]
        elif kind == "sign" and (wanted := _wanted(source, found.start())) is not None:
            yield Sign(line, piece, wanted)
        else:
            yield piece
        line += piece.count("\n")


def _wanted(source: str, place: int) -> str | None:
    """Return what is typed in the place of a sign; None if it is right, or nobody knows."""
    sign = source[place]
    if sign == STOP:
        return "." if re.match(r"\w", source[place + 1 : place + 2]) else ""
    wanted = WANTED.get(sign)
    return None if wanted and wanted.isalpha() else wanted  # Python reads letters of any width


def is_python(source: str) -> bool:
    """Say whether Python can read a source."""
    try:
        parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
