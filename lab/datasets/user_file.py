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
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from lab import config
from lab.config import LabError, Profile

TEXT_NAMES = ("text", "review", "content", "sentence", "comment", "body", "message")
LABEL_NAMES = ("label", "sentiment", "class", "target", "category", "polarity", "y")
# labels that tell which class is the positive one; others are numbered in their order, as stars are
POSITIVE = {"1", "pos", "positive", "good", "true", "yes", "t", "y"}
LEAST = 100  # texts; with fewer there is nothing to learn from and nothing to judge by
LEAST_OF_A_LABEL = 20  # texts that differ, or training reviews would have too few of it
SHOWN = 5  # bad rows that are shown; all are counted
END = "end of the file"  # a last line, which a quotation mark that is never closed swallows

Row = dict[str, str] | str  # the fields by their columns, or what is wrong


def read_own(path: Path) -> pd.DataFrame:
    """Return the texts of a file as `utils.load_reviews` wants them: text, label, group, half.

    Rows without a text or label, or that cannot be read, are left out, counted and shown with their
    line numbers. Raises LabError for a file that is missing, in another encoding, without columns
    that fit, without exactly two labels, or with too few rows, of all or of a label.
    """
    rows = dict(read_rows(path))  # by the line where they end
    problems = {line: row for line, row in rows.items() if isinstance(row, str)}
    good = [line for line in rows if line not in problems]
    table = pd.DataFrame([rows[line] for line in good], index=good, dtype=object).fillna("")
    table = table.map(lambda field: field.replace("\0", " ").strip())
    names = list(table)
    text = find_column(path, names, "LAB2_TEXT", config.variable("TEXT"), TEXT_NAMES)
    label = find_column(path, names, "LAB2_LABEL", config.variable("LABEL"), LABEL_NAMES)
    for line in table.index[(table[text] == "") | (table[label] == "")]:
        missing = [name for name in (text, label) if not table.loc[line, name]]
        problems[line] = f"no {' and no '.join(missing)}"
    report_bad_rows(path, problems)
    table = table.drop(index=[line for line in good if line in problems])
    number = number_labels(path, table[text], table[label])
    groups = [f"line-{line:08d}" for line in table.index]
    columns = {"text": list(table[text]), "label": list(table[label].map(number)), "group": groups}
    counts = table[label].value_counts()
    classes = ", ".join(f"{counts[name]:,} {name!r} ({value})" for name, value in number.items())
    reviews = pd.DataFrame({**columns, "half": "train"})
    reviews.attrs["source"] = f"your own, {path.name}, columns {text!r} and {label!r}: {classes}"
    return reviews


def read_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Yield the rows of a CSV, TSV or JSONL file, each with the line where it ends.

    Raises LabError if the file cannot be read.
    """
    suffix = path.suffix.lower()
    readers = {".csv": read_csv, ".tsv": read_csv, ".jsonl": read_jsonl, ".ndjson": read_jsonl}
    if suffix not in readers:
        raise LabError(f"{path} is no .csv, .tsv or .jsonl file. Save it as one of these.")
    encoding = config.variable("ENCODING") or "utf-8-sig"
    try:
        content = path.read_bytes().decode(encoding)
    except OSError as error:
        raise LabError(f"{path} cannot be read: {error.strerror}.") from None
    except LookupError:
        raise LabError(f"LAB2_ENCODING={encoding}: there is no such encoding.") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        guess = "utf-16" if error.object[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252"
        raise LabError(
            f"{path}, line {line}, is not in {error.encoding}. If it is in {guess}, set "
            f"LAB2_ENCODING={guess}; or save it as UTF-8."
        ) from None
    if not content.strip():
        raise LabError(f"{path} is empty. It needs a row for each text, and at least {LEAST} rows.")
    return readers[suffix](path, content)


def read_csv(path: Path, content: str) -> Iterator[tuple[int, Row]]:
    """Yield the rows of a CSV or TSV file with a line of column names.

    Raises LabError if there is no row below these, and if a quotation mark that is never closed
    swallows the lines after it.
    """
    csv.field_size_limit(10**7)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else guess_delimiter(content)
    records = list(read_records(content.rstrip("\r\n") + "\n" + END, delimiter))
    first, last, fields = records.pop()
    swallowed = last - first - 1 if fields != [END] else 0
    if swallowed:
        raise LabError(
            f"{path}, line {first}: a quotation mark is opened and never closed, so that "
            f"{swallowed:,} more lines are read as one text. Close it, or write it twice."
        )
    if fields != [END]:
        records.append((first, first, "a quotation mark is never closed"))
    if len(records) < 2:
        raise LabError(f"{path} has a line of column names and no row below it.")
    names = [name.strip() for name in records[0][2]]
    for _, line, fields in records[1:]:
        if isinstance(fields, list) and len(fields) != len(names):
            fields = f"{len(fields)} fields instead of {len(names)}"
        yield line, fields if isinstance(fields, str) else dict(zip(names, fields, strict=True))


def read_records(content: str, delimiter: str) -> Iterator[tuple[int, int, list[str] | str]]:
    """Yield the records of a CSV file that are not empty: first line, last line, fields.

    In place of the fields stands what is wrong, if a record cannot be read.
    """
    # not splitlines: a text may hold signs that Python, but no CSV file, takes for ends of lines
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter)
    while True:
        first = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fields = str(error)
        if fields:
            yield first, reader.line_num, fields


def guess_delimiter(content: str) -> str:
    """Return what parts the columns: the sign by which most of the first rows fit the names.

    A comma inside of a text, or of a column's name, must not hide that semicolons part the columns.
    """

    def fit(delimiter: str) -> tuple[bool, int, int]:
        records = itertools.islice(read_records(content, delimiter), 50)
        names, *rows = [fields for _, _, fields in records] or [[]]
        wanted = {config.variable("TEXT"), config.variable("LABEL"), *TEXT_NAMES, *LABEL_NAMES}
        known = sum(name.strip().lower() in wanted for name in names)
        fitting_rows = sum(len(fields) == len(names) > 1 for fields in rows)
        return 2 * fitting_rows > len(rows), known, fitting_rows

    return max(",;\t|", key=fit)


def read_jsonl(path: Path, content: str) -> Iterator[tuple[int, Row]]:
    """Yield the rows of a file with a JSON object a line."""
    for line, text in enumerate(content.split("\n"), 1):
        if text.strip():
            yield line, read_json(text)


def read_json(text: str) -> Row:
    """Return the fields of a JSON object, as texts."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        return f"no JSON ({str(error)[:60]})"
    if not isinstance(fields, dict):
        return "no JSON object"
    return {name: "" if value is None else str(value) for name, value in fields.items()}


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


def report_bad_rows(path: Path, problems: dict[int, str]) -> None:
    """Print how many rows were left out, and the first of them; problems: by line."""
    if problems:
        shown = "; ".join(f"line {n}: {problem}" for n, problem in sorted(problems.items())[:SHOWN])
        more = f"; and {len(problems) - SHOWN:,} more" if len(problems) > SHOWN else ""
        print(f"{path.name}: {len(problems):,} rows left out ({shown}{more})")


def number_labels(path: Path, texts: pd.Series, labels: pd.Series) -> dict[str, int]:
    """Return which label is 0 and which is 1.

    Raises LabError if there are not exactly two, or too few texts, of all or of one of them.
    """
    if len(labels) < LEAST:
        raise LabError(
            f"{path} has {len(labels):,} rows that can be read; at least {LEAST} are needed."
        )
    counts = labels.value_counts()
    if len(counts) != 2:
        commonest = ", ".join(f"{name!r} {count:,}" for name, count in counts[:6].items())
        raise LabError(
            f"{path} has {len(counts)} labels ({commonest}); the lab tells two apart. Leave two."
        )
    for name, count in texts.groupby(labels).nunique().items():
        if count < LEAST_OF_A_LABEL:
            raise LabError(
                f"{path} has {count} different texts with the label {name!r}; at least "
                f"{LEAST_OF_A_LABEL} of each label are needed."
            )
    first, second = sorted(counts.index, key=number_of)
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
