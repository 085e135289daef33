"""Tables that other programs wrote (CSV, TSV), read as they are and written back in their own form.

What a file does not say is told from it: its encoding, what parts its columns, and whether its
quotation marks enclose fields or are signs of a text, as in TSV files of tweets.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lab.base import encodings
from lab.base.messages import _
from lab.config import LabError

SEPARATORS = "\t;|,"  # of two that fit as well the first is taken: texts hold commas, seldom these
NAMED = re.compile(r'"?sep=(.)"?[ \t]*\r?\n', re.IGNORECASE)  # the first line, as Excel has it
DOUBLED, ESCAPED, NONE = '""', '\\"', ""  # how a quotation mark stands inside of quoted fields
QUOTED = {
    DOUBLED: r' *+"[^"]*+(?:""[^"]*+)*+" *+',
    ESCAPED: r' *+"[^"\\]*+(?:\\.[^"\\]*+)*+" *+',
    NONE: r"(?!)",
}
SWALLOWED = 10  # lines in one field, each with as many columns as the table: no text has so many


class Record(NamedTuple):
    """A row as it stands in the file: its lines, blank lines before it, its fields, its end."""

    first: int
    last: int
    before: str
    raw: tuple[str, ...]
    end: str


@dataclasses.dataclass(frozen=True)
class Table:
    """The rows of a file, and how it was written.

    rows: the fields of each row, the head included, blank lines left out
    records: the same as they stand in the file
    tail: blank lines at its end
    is_cut: whether the last row is cut off inside of a quoted field
    """

    rows: list[list[str]]
    records: list[Record]
    encoding: str
    mark: bytes
    delimiter: str
    quotes: str
    tail: str
    is_cut: bool = False


def read(
    path: Path, what: str, encoding: str = "", option: str = "", names: Collection[str] = (),
    is_western: bool = False,
) -> Table:  # fmt: skip
    """Return the table in a file.

    what: it is, as "class list"; encoding: if it is known, else it is told from the file; option:
    by which the reader can name it: then they are asked, where it is told from the letters only;
    names: what columns may be called, in lower case; is_western: see `encodings.read_text`. Raises
    LabError if the file cannot be read, or a quotation mark swallows the rows after it.
    """
    text, encoding, mark = encodings.read_text(path, what, encoding, option, is_western)
    start = NAMED.match(text)
    delimiter = start[1] if start else _delimiter(text, names, path.suffix.lower() == ".tsv")
    place = start.end() if start else 0
    records, tail, quotes = _records(text, delimiter, place)
    if not records:
        raise LabError(_("The {what} {path} is empty.", what=what, path=path))
    rows = [[_value(raw, quotes) for raw in record.raw] for record in records]
    table = Table(rows, records, encoding, mark, delimiter, quotes, tail)
    is_cut = _refuse_open_marks(table, what, path)
    return dataclasses.replace(table, is_cut=is_cut)


def write(table: Table, rows: Sequence[Sequence[str]]) -> bytes:
    """Return rows in the form of a table that was read; what is unchanged stays to the byte.

    A sign that the encoding lacks becomes its number, as HTML has it (`&#29579;`).
    """
    old = [record.raw for record in table.records]
    fields = [raw for raws in old for raw in raws if raw.strip()]
    always = table.quotes != NONE and all(raw.lstrip(" ").startswith('"') for raw in fields)
    ends = next((record.end for record in table.records if record.end), "\n")
    parts = []
    nothing = Record(0, 0, "", (), ends)
    for i, row in enumerate(rows):
        record = table.records[i] if i < len(old) else nothing
        end = record.end or (ends if i < len(rows) - 1 else "")
        pairs = itertools.zip_longest(row, record.raw[: len(row)])
        raws = [_raw(table, value, raw, always) for value, raw in pairs]
        line = table.delimiter.join(raws) or '""'  # nothing at all would be a blank line
        parts += [record.before, line, end]
    text = "".join([*parts, table.tail])
    return table.mark + text.encode(table.encoding, "xmlcharrefreplace")


def _raw(table: Table, value: str, old: str | None, always: bool) -> str:
    """Return a field as the file has it; old: what stood there."""
    if old is not None and _value(old, table.quotes) == value:
        return old
    if table.quotes == NONE:
        return re.sub(rf"[\r\n{re.escape(table.delimiter)}]", " ", value)
    quoted = always or (old or "").lstrip(" ").startswith('"')
    if not quoted and not re.search(rf'["\r\n{re.escape(table.delimiter)}]|^ | $', value):
        return value
    if table.quotes == ESCAPED:
        value = value.replace("\\", "\\\\")
    return f'"{value.replace(chr(34), table.quotes)}"'


def _value(raw: str, quotes: str) -> str:
    """Return what a field says, without the quotation marks around it."""
    if quotes == NONE or not re.fullmatch(QUOTED[quotes], raw, re.DOTALL):
        return raw
    inside = raw.strip(" ")[1:-1]
    if quotes == DOUBLED:
        return inside.replace('""', '"')
    return re.sub(r'\\(["\\])', r"\1", inside)


def _parse(text: str, delimiter: str, quotes: str, place: int = 0) -> Iterator[Record]:
    """Yield the rows of a text; a last one without fields holds the blank lines at its end.

    A sign that only Python takes for the end of a line, as \\u2028, is a sign like others.
    """
    d = re.escape(delimiter)
    newline = "\n" if "\n" in text else "\r"
    plain = rf"[^{d}\r\n]*+(?:\r(?!\n)[^{d}\r\n]*+)*+" if newline == "\n" else rf"[^{d}\r]*+"
    end = rf"({d}|\r?\n|\Z)" if newline == "\n" else rf"({d}|\r|\Z)"
    field = re.compile(rf"((?:{QUOTED[quotes]})(?={end[1:-1]})|{plain}){end}", re.DOTALL)
    first = line = 1 + text.count("\n", 0, place)
    before, raws = text[:place], []
    for match in field.finditer(text, place):
        raw, last = match.groups()
        raws.append(raw)
        line += raw.count(newline)
        if last == delimiter:
            continue
        if raws != [""]:
            yield Record(first, line, before, tuple(raws), last)
            before = ""
        else:
            before += last
        line += bool(last)
        first, raws = line, []
        if not last:
            break
    if before:
        yield Record(line, line, before, (), "")


def _delimiter(text: str, names: Collection[str], is_tsv: bool) -> str:
    """Return what parts the columns: the sign by which most of the first rows fit the head.

    A comma inside of a text, or of a column's name, must not hide that semicolons part the columns.
    """

    def fit(delimiter: str, quotes: str) -> tuple[bool, int, float]:
        records = [*itertools.islice(_parse(text, delimiter, quotes), 200)]
        head, *rows = [record.raw for record in records if record.raw] or [()]
        known = sum(_value(name, DOUBLED).strip().lower() in names for name in head)
        fitting = sum(len(row) == len(head) for row in rows)
        fits = len(head) > 1 and 2 * fitting >= len(rows)
        clean = fitting - _open(records, quotes)
        return fits, known + (is_tsv and delimiter == "\t"), clean / max(len(rows), 1)

    forms = itertools.product(SEPARATORS, (DOUBLED, ESCAPED, NONE))
    best, form = max(((fit(*form), form) for form in forms), key=lambda pair: pair[0])
    return form[0] if best[0] else ","


def _records(text: str, delimiter: str, place: int) -> tuple[list[Record], str, str]:
    """Return the rows of a text, blank lines at its end, and how quotation marks are meant."""
    kinds = {DOUBLED: list(_parse(text, delimiter, DOUBLED, place))}
    if '"' in text[place:]:
        kinds[NONE] = list(_parse(text, delimiter, NONE, place))
    if '\\"' in text:
        kinds[ESCAPED] = list(_parse(text, delimiter, ESCAPED, place))
    fit = {quotes: _fit(records) for quotes, records in kinds.items()}
    among = [kind for kind in (DOUBLED, ESCAPED) if kind in kinds]
    quotes = max(among, key=lambda kind: (-_open(kinds[kind], kind), fit[kind]))
    if NONE in kinds:  # commas and semicolons: marks enclose, unless each line says otherwise
        each = fit[NONE] == sum(bool(record.raw) for record in kinds[NONE])
        more = fit[NONE] - fit[quotes] + (delimiter in "\t|")
        may_be = more > 0 and (each or delimiter in "\t|")
        quotes = NONE if may_be and not _encloses(kinds[quotes], quotes, delimiter) else quotes
    *records, last = kinds[quotes] or [Record(1, 1, "", (), "")]
    return ([*records, last], "", quotes) if last.raw else (records, last.before, quotes)


def _fit(records: Sequence[Record]) -> int:
    """Return how many more rows have as many fields as the first one than have not."""
    columns = len(records[0].raw) if records else 0
    return sum(1 if len(r.raw) == columns > 1 else -1 for r in records if r.raw)


def _open(records: Sequence[Record], quotes: str) -> int:
    """Return how many fields begin with a quotation mark that does not enclose them."""
    raws = (raw for record in records for raw in record.raw if raw.lstrip(" ").startswith('"'))
    return sum(not re.fullmatch(QUOTED[quotes], raw, re.DOTALL) for raw in raws)


def _encloses(records: Sequence[Record], quotes: str, delimiter: str) -> bool:
    """Say whether quotation marks enclose fields: all of a column, or some that need it."""
    rows = [record.raw for record in records[1:] if record.raw]
    if _open(records, quotes):
        return False
    columns = [[raw for raw in column if raw] for column in itertools.zip_longest(*rows)]
    if any(column and all(raw[0] == '"' for raw in column) for column in columns):
        return True
    enclosed = [raw for row in rows for raw in row if raw[:1] == '"']
    return any(quotes in r[1:-1] or (delimiter in r and "\n" not in r) for r in enclosed)


def _refuse_open_marks(table: Table, what: str, path: Path) -> bool:
    """Raise LabError if a quotation mark swallows rows; say whether the last row is cut off."""
    columns = len(table.records[0].raw)
    for record in table.records:
        if any(_is_open(raw, table.quotes) for raw in record.raw):
            if record is table.records[-1]:
                return True
            raise LabError(
                _(
                    "The {what} {path}, line {line}: a quotation mark is opened and never closed. "
                    "Close it, or write it twice.",
                    what=what,
                    path=path,
                    line=record.first,
                )
            )
        lines = table.delimiter.join(record.raw).split("\n")
        fields = {line.count(table.delimiter) + 1 for line in lines}
        if len(lines) >= SWALLOWED and fields == {columns} != {1}:
            raise LabError(
                _(
                    "The {what} {path}, line {line}: a quotation mark is opened, and the next one "
                    "stands in line {last}, so that these {count} lines are read as one row. "
                    "Write both twice.",
                    what=what,
                    path=path,
                    line=record.first,
                    last=record.last,
                    count=len(lines),
                )
            )
    return False


def _is_open(raw: str, quotes: str) -> bool:
    """Say whether a field begins with a quotation mark that has no other one."""
    raw = raw.lstrip(" ")
    marks = re.sub(r"\\.", "", raw) if quotes == ESCAPED else raw
    return raw.startswith('"') and quotes != NONE and marks.count('"') % 2 == 1
