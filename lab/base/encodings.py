"""In which encoding a file is: told from it, named by who knows it, or asked."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

import charset_normalizer

from lab.base.messages import Message, _, reason
from lab.config import LabError

MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
WESTERN = {"cp1252", "iso8859-1", "iso8859-15", "mac-roman", "cp1250"}  # they read anything
SUGGESTED = ["gb18030", "big5", "shift_jis", "euc_kr", "cp1252", "cp1251", "cp1250", "koi8_r"]


def read_text(
    path: Path, what: str, encoding: str = "", option: str = "", is_western: bool = False
) -> tuple[str, str, bytes]:
    """Return the text of a file, its encoding, and the mark that it begins with.

    what: it is, as "class list"; encoding: if it is known, else it is told from the file; option:
    by which the reader can name it: then they are asked, where it is told from the letters only;
    is_western: whether what is not in UTF-8 may be in cp1252, as Excel saves tables in the west.
    Raises LabError if the file cannot be read.
    """
    told = {"what": what, "path": path}
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LabError(
            _("The {what} {path} cannot be read: {error}.", **told, error=reason(error))
        ) from None
    mark = next(filter(content.startswith, MARKS), b"")
    codec = MARKS.get(mark) or encoding or _without_mark(content)
    try:
        codec = codecs.lookup(codec).name.replace("utf-8-sig", "utf-8")
        codec += "-le" if codec in ("utf-16", "utf-32") else ""  # these would write a mark
        text = content[len(mark) :].decode(codec)
    except LookupError:
        values = {"option": option or "encoding", "codec": codec}
        raise LabError(_("{option}={codec}: there is no such encoding.", **values)) from None
    except UnicodeError as error:
        start = getattr(error, "start", 0)
    else:
        told["codec"] = codec
        if codec in WESTERN and _is_chinese(content):
            raise LabError(
                _("The {what} {path} is in gb18030, as it seems, not in {codec}.", **told)
            )
        return text, codec, mark
    guess = _guess(content) if codec == "utf-8" else ""
    if guess == "gb18030" and not option and not mark:
        return content.decode(guess), guess, b""
    if is_western and codec == "utf-8" and not mark and _is_western(content):
        return content.decode("cp1252"), "cp1252", b""
    line = content[len(mark) : len(mark) + start].count(b"\n") + 1
    told |= {"line": line, "codec": codec, "remedy": _remedy(guess, option)}
    raise LabError(_("The {what} {path}, line {line}, is not in {codec}. {remedy}", **told))


def _remedy(guess: str, option: str) -> Message:
    """Return what to do with a file that is not in the encoding that it should be in."""
    if guess and option:
        return _(
            "If it is in {guess}, set {option}={guess}; or save it as UTF-8.",
            guess=guess,
            option=option,
        )
    if guess:
        return _("It may be in {guess}. Save it as UTF-8.", guess=guess)
    return _("Save it as UTF-8.")


def _without_mark(content: bytes) -> str:
    """Return UTF-16 if every second byte of much is zero, else UTF-8."""
    zeros = [content[i:20_000:2].count(0) for i in (0, 1)]
    if len(content) % 2 or 8 * max(zeros) < min(len(content), 20_000) or min(zeros) > 0:
        return "utf-8"
    return "utf-16-be" if zeros[0] else "utf-16-le"


def _guess(content: bytes) -> str:
    """Return what encoding a file is likely in, if not in UTF-8."""
    if _is_chinese(content):
        return "gb18030"
    found = charset_normalizer.from_bytes(content, cp_isolation=SUGGESTED).best()
    names = found.could_be_from_charset if found else ["cp1252"]
    return "cp1252" if "cp1252" in names else names[0]


def _is_western(content: bytes) -> bool:
    """Say whether a file may be in cp1252: words of it have more plain letters than others.

    Cyrillic, Greek or Arabic letters would be words of accents alone, Asian ones signs in words.
    """
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        return False
    words = [word for word in re.findall(r"\w+", text) if len(word) > 1 and not word.isascii()]
    plain = all(2 * sum(map(str.isascii, word)) >= len(word) for word in words)
    others = {sign for sign in text if not sign.isascii() and not sign.isalpha()}
    return plain and others <= set("–—‘’“”„‚…€§°´·«»\u00a0")


def _is_chinese(content: bytes) -> bool:
    """Say whether a file is in GB18030: most of its signs are common Chinese ones there.

    Letters of other encodings make rare signs, or none; Korean ones have a part of the same codes.
    """
    try:
        text = content.decode("gb18030")
    except UnicodeDecodeError:
        return False
    codes = [sign.encode("gb18030") for sign in re.findall(r"[^\x00-\x7f]", text)[:50_000]]
    hanzi = [code[0] for code in codes if len(code) == 2 and code[0] >= 0xB0 and code[1] >= 0xA1]
    common = sum(first <= 0xD7 for first in hanzi)
    marks = sum(code[0] in (0xA1, 0xA3) and len(code) == 2 for code in codes)
    return any(first > 0xC8 for first in hanzi) and 10 * (common + marks) >= 7 * len(codes)
