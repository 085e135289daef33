"""Reads the reader's own texts: a CSV, TSV or JSONL file with a text and one of two labels a row.

`LAB2_REVIEWS=file.csv` lets the whole notebook run on it. `LAB2_TEXT` and `LAB2_LABEL` name the
columns where they are not found by their names, and `LAB2_ENCODING` an encoding other than UTF-8.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lab import config
from lab.config import LabError, Profile

TEXT_NAMES = ("text", "review", "content", "sentence", "comment", "body", "message")
LABEL_NAMES = ("label", "sentiment", "class", "target", "category", "polarity", "y")
# labels that tell which class is the positive one; others are numbered in their order, as stars are
POSITIVE = {"1", "pos", "positive", "good", "true", "yes", "t", "y"}
LEAST = 100  # texts; with fewer there is nothing to learn from and nothing to judge by
SHOWN = 5  # bad rows that are shown; all are counted


class Row(NamedTuple):
    """A row and the line of the file where it ends; fields is None if it cannot be read."""

    line: int
    fields: dict[str, str] | None
    problem: str = ""


def read_own(path: Path) -> pd.DataFrame:
    """Return the texts of a file as `utils.load_reviews` wants them: text, label, group, half.

    Rows without a text or label, or that cannot be read, are left out, counted and shown with their
    line numbers. Exact copies are left out later, as with all reviews.
    Raises LabError for a file that is missing, in another encoding, without columns that fit,
    without exactly two labels, or with too few rows that can be read.
    """
    rows = list(read_rows(path))
    names = Counter(name for row in rows if row.fields for name in row.fields)
    text = find_column(path, list(names), "LAB2_TEXT", config.text_column(), TEXT_NAMES)
    label = find_column(path, list(names), "LAB2_LABEL", config.label_column(), LABEL_NAMES)
    rows = [check_row(row, text, label) for row in rows]
    good = [row for row in rows if row.fields]
    report_bad_rows(path, [row for row in rows if not row.fields])
    if len(good) < LEAST:
        raise LabError(
            f"{path} has {len(good):,} rows that can be read; at least {LEAST} are needed."
        )
    number = number_labels(path, [row.fields[label] for row in good])
    reviews = pd.DataFrame(
        {
            "text": [row.fields[text] for row in good],
            "label": [number[row.fields[label]] for row in good],
            "group": [f"line-{row.line:08d}" for row in good],
            "half": "train",
        }
    )
    classes = ", ".join(
        f"{(reviews['label'] == value).sum():,} {name!r} ({value})"
        for name, value in number.items()
    )
    reviews.attrs["source"] = f"your own, {path.name}, columns {text!r} and {label!r}: {classes}"
    return reviews


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a CSV, TSV or JSONL file, those that cannot be read among them."""
    suffix = path.suffix.lower()
    readers = {".csv": read_csv, ".tsv": read_csv, ".jsonl": read_jsonl, ".ndjson": read_jsonl}
    if suffix not in readers:
        raise LabError(f"{path} is no .csv, .tsv or .jsonl file. Save it as one of these.")
    encoding = config.text_encoding()
    try:
        content = path.read_bytes().decode(encoding)
    except OSError as error:
        raise LabError(f"{path} cannot be read: {error.strerror}.") from None
    except LookupError:
        raise LabError(f"LAB2_ENCODING={encoding}: there is no such encoding.") from None
    except UnicodeDecodeError as error:
        raise LabError(wrong_encoding(path, error)) from None
    if not content.strip():
        raise LabError(f"{path} is empty. It needs a row for each text, and at least {LEAST} rows.")
    return readers[suffix](path, content)


def wrong_encoding(path: Path, error: UnicodeDecodeError) -> str:
    """Return what to say of a file in another encoding than the one expected."""
    line = error.object[: error.start].count(b"\n") + 1
    start = error.object[:2]
    guess = "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "cp1252"
    byte = error.object[error.start]
    return (
        f"{path} is not in {error.encoding}: line {line} has the byte 0x{byte:02x}. If it is in "
        f"{guess}, set LAB2_ENCODING={guess}; or save it as UTF-8."
    )


class Record(NamedTuple):
    """A record of a CSV file, from line to line; fields is what is wrong if it cannot be read."""

    begins: int
    ends: int
    fields: list[str] | str


def read_csv(path: Path, content: str) -> Iterator[Row]:
    """Yield the rows of a CSV or TSV file with a line of column names.

    Raises LabError if there is no row below these, and if a quotation mark that is never closed
    swallows the lines after it.
    """
    csv.field_size_limit(10**7)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else guess_delimiter(content)
    records = list(read_records(content, delimiter))
    unclosed = is_unclosed(content, delimiter, records[-1])
    if unclosed and records[-1].ends > records[-1].begins:
        lost = records[-1].ends - records[-1].begins
        raise LabError(
            f"{path}, line {records[-1].begins}: a quotation mark is opened and never closed, so "
            f"that {lost:,} more lines are read as one text. Close it, or write it twice."
        )
    if len(records) < 2:
        raise LabError(f"{path} has a line of column names and no row below it.")
    names = [name.strip() for name in records[0].fields]
    for record in records[1:-1] if unclosed else records[1:]:
        if isinstance(record.fields, str):
            yield Row(record.ends, None, record.fields)
        elif len(record.fields) != len(names):
            yield Row(record.ends, None, f"{len(record.fields)} fields instead of {len(names)}")
        else:
            yield Row(record.ends, dict(zip(names, record.fields, strict=True)))
    if unclosed:
        yield Row(records[-1].ends, None, "a quotation mark is never closed")


def read_records(content: str, delimiter: str) -> Iterator[Record]:
    """Yield the records of a CSV file that are not empty."""
    # not splitlines: a text may hold signs that Python, but no CSV file, takes for ends of lines
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter)
    while True:
        begins = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fields = str(error)
        if fields:
            yield Record(begins, reader.line_num, fields)


def is_unclosed(content: str, delimiter: str, last: Record) -> bool:
    """Say whether the last record of a CSV file ends inside of quotation marks."""
    lines = itertools.islice(io.StringIO(content, newline=""), last.begins - 1, None)
    try:
        return not list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "unexpected end" in str(error)


def guess_delimiter(content: str) -> str:
    """Return what parts the columns: the sign by which most of the first rows fit the names.

    A comma inside of a text, or of a column's name, must not hide that semicolons part the columns.
    """

    def fit(delimiter: str) -> tuple[bool, int, int]:
        records = itertools.islice(read_records(content, delimiter), 50)
        names, *rows = [record.fields for record in records] or [[]]
        wanted = {config.text_column(), config.label_column(), *TEXT_NAMES, *LABEL_NAMES}
        known = sum(name.strip().lower() in wanted for name in names)
        fitting_rows = sum(len(fields) == len(names) > 1 for fields in rows)
        return 2 * fitting_rows > len(rows), known, fitting_rows

    return max(",;\t|", key=fit)


def read_jsonl(path: Path, content: str) -> Iterator[Row]:
    """Yield the rows of a file with a JSON object a line."""
    for line, text in enumerate(content.split("\n"), 1):
        if not text.strip():
            continue
        try:
            fields = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            yield Row(line, None, f"no JSON ({str(error)[:60]})")
            continue
        if isinstance(fields, dict):
            yield Row(line, {str(k): "" if v is None else str(v) for k, v in fields.items()})
        else:
            yield Row(line, None, "no JSON object")


def find_column(
    path: Path, names: list[str], variable: str, choice: str | None, known: tuple[str, ...]
) -> str:
    """Return the column that the reader wants, or else one with a usual name.

    variable: where the reader can name it. Raises LabError if no row can be read, or none fits.
    """
    if not names:
        raise LabError(f"{path} has no row that can be read; at least {LEAST} are needed.")
    if choice in names:
        return choice
    by_name = {name.lower(): name for name in reversed(names)}
    columns = [by_name[name] for name in known if name in by_name]
    if choice or not columns:
        problem = f"{variable}={choice} is none of them" if choice else "none has a usual name"
        raise LabError(
            f"{path} has the columns {', '.join(' '.join(name.split()) for name in names)}; "
            f"{problem}. Set {variable} to the name of the right one."
        )
    return columns[0]


def check_row(row: Row, text: str, label: str) -> Row:
    """Return a row with its text and label stripped, or marked as bad if one is missing."""
    if row.fields is None:
        return row
    fields = {name: row.fields.get(name, "").replace("\0", " ").strip() for name in (text, label)}
    missing = [name for name, value in fields.items() if not value]
    if missing:
        return Row(row.line, None, f"no {' and no '.join(missing)}")
    return row._replace(fields=fields)


def report_bad_rows(path: Path, bad: list[Row]) -> None:
    """Print how many rows were left out, and the first of them."""
    if bad:
        shown = "; ".join(f"line {row.line}: {row.problem}" for row in bad[:SHOWN])
        more = f"; and {len(bad) - SHOWN:,} more" if len(bad) > SHOWN else ""
        print(f"{path.name}: {len(bad):,} rows left out ({shown}{more})")


def number_labels(path: Path, labels: list[str]) -> dict[str, int]:
    """Return which label is 0 and which is 1. Raises LabError if there are not exactly two."""
    counts = Counter(labels)
    if len(counts) != 2:
        commonest = ", ".join(f"{name!r} {count:,}" for name, count in counts.most_common(6))
        raise LabError(
            f"{path} has {len(counts)} labels ({commonest}); the lab tells two apart. Leave two."
        )
    first, second = sorted(counts, key=number_of)
    if first.lower() in POSITIVE and math.isinf(number_of(first)[0]):
        first, second = second, first
    return {first: 0, second: 1}


def number_of(label: str) -> tuple[float, str]:
    """Return what labels are sorted by: numbers by size, then other words by the alphabet."""
    try:
        number = float(label)
    except ValueError:
        number = math.inf
    return (number if math.isfinite(number) else math.inf), label


def fit_profile(profile: Profile, rows: int) -> Profile:
    """Return a profile whose validation and test splits are no more than 15 % of the rows each."""
    most = max(1, rows * 15 // 100)
    test = min(profile.test or most, most)
    return dataclasses.replace(profile, valid=min(profile.valid, most), test=test)
