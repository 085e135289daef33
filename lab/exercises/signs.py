"""Signs of Chinese keyboards where Python wants others: found, told, and read as they are meant.

A cell with “a” in the place of "a", or with a full-width comma, is none that Python can read. What
stands in texts and comments is nobody's business: there such signs are right.
"""

from __future__ import annotations

import re
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
LONGEST = 100_000  # characters of a cell that is looked through
A_SPACE, NOTHING = _("a space"), _("nothing")


class Sign(NamedTuple):
    """A sign that Python does not know: where it stands, and what is typed instead."""

    line: int
    sign: str
    wanted: str  # "": nothing


class Slip(NamedTuple):
    """The signs of the first line of a cell that has any."""

    line: int
    signs: list[str]
    wanted: list[str]

    def told(self) -> Message:
        """Return in a sentence which signs, in which line, and what is typed instead."""
        return _(
            "Python cannot read line {line} of the cell: it has {signs} where {wanted} is meant. "
            "Type the signs of code with the keyboard set to English, and run the cell again.",
            line=self.line, signs=" ".join(self.signs), wanted=self._said(),
        )  # fmt: skip

    def read_as(self, name: str) -> Message:
        """Return in words that an answer was read as it is meant. name: of the exercise"""
        return _(
            "{name}: read as it is meant: {signs} in line {line} as {wanted}",
            name=name, line=self.line, signs=" ".join(self.signs), wanted=self._said(),
        )  # fmt: skip

    def _said(self) -> str | list[Message]:
        names = {" ": A_SPACE, "": NOTHING}
        if names.keys().isdisjoint(self.wanted):
            return " ".join(self.wanted)
        return [names.get(one, Message("{sign}", sign=one)) for one in self.wanted]


def slip(source: str) -> Slip | None:
    """Return what is wrong with a cell that Python cannot read for such signs; else None."""
    if len(source) > LONGEST or _is_read(source):
        return None
    found = [one for one in _read(source) if isinstance(one, Sign)]
    signs = {one.sign: one.wanted for one in found if one.line == found[0].line}
    return Slip(found[0].line, [*map(_named, signs)], [*signs.values()]) if found else None


def meant(source: str) -> str:
    """Return a cell with the signs that are meant, where Python can read it then; else as it is."""
    if slip(source) is None:
        return source
    typed = "".join(one.wanted if isinstance(one, Sign) else one for one in _read(source))
    return typed if _is_read(typed) else source


def _read(source: str) -> Iterator[str | Sign]:
    """Yield the pieces of a source, and signs in the place of those that Python does not know."""
    line = 1
    for found in KNOWN.finditer(source):
        kind, piece = found.lastgroup, found[0]
        if kind == "quoted":
            mark = DOUBLE[0] if piece[0] in DOUBLE else SINGLE[0]
            yield from (Sign(line, one, mark) if one != mark else one for one in piece[0])
            yield piece[1:-1]
            yield from (Sign(line, one, mark) if one != mark else one for one in piece[-1])
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


def _named(sign: str) -> str:
    return sign if sign.strip() else f"U+{ord(sign):04X}"


def _is_read(source: str) -> bool:
    try:
        parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
