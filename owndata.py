"""Reads the reader's own texts: a CSV, TSV or JSONL file with a text and one of two labels a row.

`LAB2_REVIEWS=file.csv` lets the whole notebook run on it. `LAB2_TEXT` and `LAB2_LABEL` name the
columns where they are not found by their names, and `LAB2_ENCODING` an encoding other than UTF-8.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

import utils

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
    text = find_column(path, list(names), "LAB2_TEXT", TEXT_NAMES)
    label = find_column(path, list(names), "LAB2_LABEL", LABEL_NAMES)
    rows = [check_row(row, text, label) for row in rows]
    good = [row for row in rows if row.fields]
    report_bad_rows(path, [row for row in rows if not row.fields])
    if len(good) < LEAST:
        raise utils.LabError(
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
        raise utils.LabError(f"{path} is no .csv, .tsv or .jsonl file. Save it as one of these.")
    encoding = os.environ.get("LAB2_ENCODING") or "utf-8-sig"
    try:
        content = path.read_bytes().decode(encoding)
    except OSError as error:
        raise utils.LabError(f"{path} cannot be read: {error.strerror}.") from None
    except LookupError:
        raise utils.LabError(f"LAB2_ENCODING={encoding}: there is no such encoding.") from None
    except UnicodeDecodeError as error:
        raise utils.LabError(wrong_encoding(path, error)) from None
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


def read_csv(path: Path, content: str) -> Iterator[Row]:
    """Yield the rows of a CSV or TSV file with a line of column names."""
    csv.field_size_limit(10**7)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else guess_delimiter(content)
    reader = csv.reader(content.splitlines(keepends=True), delimiter=delimiter)
    names: list[str] = []
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(reader.line_num, None, str(error))
            continue
        if not fields:
            continue
        if not names:
            names = [name.strip() for name in fields]
        elif len(fields) != len(names):
            problem = f"{len(fields)} fields instead of {len(names)}"
            yield Row(reader.line_num, None, problem)
        else:
            yield Row(reader.line_num, dict(zip(names, fields, strict=True)))


def guess_delimiter(content: str) -> str:
    """Return what parts the columns in the first line: a comma, a semicolon or a tab."""
    first = content.split("\n", 1)[0]
    return max(",;\t", key=first.count)


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


def find_column(path: Path, names: list[str], variable: str, known: tuple[str, ...]) -> str:
    """Return the column that an environment variable names, or else one with a usual name."""
    wanted = os.environ.get(variable)
    if wanted in names:
        return wanted
    by_name = {name.lower(): name for name in reversed(names)}
    found = [by_name[name] for name in known if name in by_name]
    if wanted or not found:
        problem = f"{variable}={wanted} is none of them" if wanted else "none has a usual name"
        raise utils.LabError(
            f"{path} has the columns {', '.join(names) or '(none)'}; {problem}. Set {variable} to "
            "the name of the right one."
        )
    return found[0]


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
        raise utils.LabError(
            f"{path} has {len(counts)} labels ({commonest}); the lab tells two apart. Leave two."
        )
    first, second = sorted(counts)
    if first.lower() in POSITIVE and not (first.isdigit() and second.isdigit()):
        first, second = second, first
    return {first: 0, second: 1}


def fitting(profile: utils.Profile, rows: int) -> utils.Profile:
    """Return a profile whose validation and test splits are no more than 15 % of the rows each."""
    most = max(1, rows * 15 // 100)
    return dataclasses.replace(
        profile, valid=min(profile.valid, most), test=min(profile.test, most)
    )
