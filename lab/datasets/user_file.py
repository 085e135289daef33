"""Reads the reader's own texts: a CSV, TSV or JSONL file with a text and its label in each row.

`LAB2_REVIEWS=file.csv` lets the whole notebook run on it. `LAB2_TEXT` and `LAB2_LABEL` name the
columns where they are not found by their names, or give their places (1, 2, ...); `LAB2_ENCODING`
an encoding that cannot be told; `LAB2_POSITIVE` and `LAB2_NEGATIVE` which of many labels count.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import pandas as pd

from lab import config
from lab.base import encodings, foreign
from lab.base.messages import Message, _, clauses
from lab.config import LabError, Profile
from lab.datasets import chinese, labels
from lab.datasets.labels import LEAST

TEXT_NAMES = ("text", "review", "content", "sentence", "comment", "body", "message", "tweet",
              "评论", "内容", "文本")  # fmt: skip
LABEL_NAMES = ("label", "sentiment", "class", "target", "category", "polarity", "y", "rating",
               "score", "标签", "情感")  # fmt: skip
USUAL = {*TEXT_NAMES, *LABEL_NAMES}
SHOWN = 5  # bad rows that are shown; all are counted

Row = dict[str, str] | Message  # the fields by their columns, or what is wrong


def read_own(path: Path) -> pd.DataFrame:
    """Return the texts of a file as `utils.load_reviews` wants them: text, label, group, half.

    Rows without a text or label, or that cannot be read, are left out, counted and shown with their
    line numbers; so are copies, but for the first, and texts that stand under both labels. Raises
    LabError for a file that is missing, in another encoding, without columns that fit, without
    labels that make two, with too few texts, of all or of a label, or with texts that the lab's
    rules cannot cut into words.
    """
    rows = read_rows(path)  # by the line where they end
    problems = {line: row for line, row in rows.items() if isinstance(row, Message)}
    good = [line for line in rows if line not in problems]
    table = pd.DataFrame([rows[line] for line in good], index=good, dtype=object).fillna("")
    table = table.map(lambda field: field.replace("\0", " ").strip())
    text = find_column(path, table, "TEXT", TEXT_NAMES)
    label = find_column(path, table, "LABEL", LABEL_NAMES)
    for line in table.index[(table[text] == "") | (table[label] == "")]:
        missing = [name for name in (text, label) if not table.loc[line, name]]
        problems[line] = _("no {column}", column=missing[0])
        if len(missing) == 2:
            problems[line] = _("no {text} and no {label}", text=text, label=label)
    report_bad_rows(path, problems)
    table = table.drop(index=[line for line in good if line in problems])
    number = labels.number_labels(path, table[label])
    others = table[~table[label].isin(number)]
    table = table.drop(index=others.index)
    table = table.drop(index=report_repeats(path, table[text], table[label].map(number)))
    labels.refuse_few(path, table[label], number)
    counts = pd.concat([table[label], others[label]]).value_counts()
    source = _source_of(path, text, label, counts, number)
    chinese.refuse_uncut(path, table[text])
    groups = [f"line-{line:08d}" for line in table.index]
    columns = {"text": list(table[text]), "label": list(table[label].map(number)), "group": groups}
    reviews = pd.DataFrame({**columns, "half": "train"})
    reviews.attrs["source"] = source
    return reviews


def _source_of(
    path: Path, text: str, label: str, counts: pd.Series, number: dict[str, int]
) -> Message:
    """Return where texts come from, in words: file, columns, and which labels are which class."""
    named = {name: f"{count:,} {name!r}" for name, count in counts.items()}
    values = {"file": path.name, "text": text, "label": label}
    values["classes"] = [f"{named[name]} ({number[name]})" for name in number if name in named]
    if others := [named[name] for name in named if name not in number]:
        return _(
            "your own, {file}, columns {text!r} and {label!r}: {classes}; left out: {others}",
            others=others,
            **values,
        )
    return _("your own, {file}, columns {text!r} and {label!r}: {classes}", **values)


def read_rows(path: Path) -> dict[int, Row]:
    """Return the rows of a CSV, TSV, JSON or JSONL file by the line where each ends.

    Raises LabError if the file cannot be read.
    """
    suffix = path.suffix.lower()
    encoding = config.variable("ENCODING") or ""
    if suffix in (".jsonl", ".ndjson", ".json"):
        text = encodings.read_text(path, _("file"), encoding, "LAB2_ENCODING")[0]
        if text.strip():
            return read_json(text)
        raise LabError(
            _(
                "{path} is empty. It needs a row for each text, and at least {least}.",
                path=path,
                least=LEAST,
            )
        )
    if suffix not in (".csv", ".tsv"):
        raise LabError(
            _("{path} is no .csv, .tsv or .jsonl file. Save it as one of these.", path=path)
        )
    chosen = {config.variable("TEXT"), config.variable("LABEL")} - {None}
    table = foreign.read(path, _("file"), encoding, "LAB2_ENCODING", USUAL | chosen)
    names, first = [name.strip() for name in table.rows[0]], 1
    known = sum(name in chosen or name.lower() in USUAL for name in names)
    columns = zip(names, itertools.zip_longest(*table.rows[1:], fillvalue=""))
    if known < 2 and any(name and name in below for name, below in columns):  # it is no name
        names, first = [str(place + 1) for place in range(len(names))], 0
    if len(table.rows) <= first:
        raise LabError(_("{path} has a line of column names and no row below it.", path=path))
    found: dict[int, Row] = {}
    for fields, record in zip(table.rows[first:], table.records[first:]):
        wrong = _("{count} fields instead of {names}", count=len(fields), names=len(names))
        found[record.last] = dict(zip(names, fields)) if len(fields) == len(names) else wrong
    if table.is_cut:
        found[table.records[-1].last] = _("a quotation mark is never closed")
    return found


def read_json(text: str) -> dict[int, Row]:
    """Return the rows of a JSON array, by their places, or of JSON lines, by these."""
    try:
        whole = json.loads(text) if text.lstrip().startswith("[") else None
    except (ValueError, RecursionError):
        whole = None
    if whole:
        return {place: fields_of(row) for place, row in enumerate(whole, 1)}
    rows: dict[int, Row] = {}
    for line, one in enumerate(text.split("\n"), 1):
        if one.strip():
            try:
                rows[line] = fields_of(json.loads(one))
            except (ValueError, RecursionError) as error:
                rows[line] = _("no JSON ({error})", error=str(error)[:60])
    return rows


def fields_of(row: object) -> Row:
    """Return the fields of a JSON object, as texts; half of a pair of surrogates becomes a sign."""
    if not isinstance(row, dict):
        return _("no JSON object")
    texts = {name: "" if value is None else str(value) for name, value in row.items()}
    return {
        name: text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        for name, text in texts.items()
    }


def find_column(path: Path, table: pd.DataFrame, variable: str, usual: tuple[str, ...]) -> str:
    """Return the column that the reader wants, by its name or place, or else one with a usual name.

    variable: with which they can choose it. Raises LabError if no row can be read, or none fits.
    """
    names, choice = list(table), config.variable(variable)
    if not names:
        raise LabError(
            _(
                "{path} has no row that can be read; at least {least} are needed.",
                path=path,
                least=LEAST,
            )
        )
    by_place = {str(place): name for place, name in enumerate(names, 1)}
    by_name = {name.lower(): name for name in reversed(names)}
    wanted = (choice,) if choice else usual
    found = [n for n in wanted if n in names] or [by_name[n] for n in wanted if n in by_name]
    found = found or [by_place[n] for n in wanted if n in by_place]
    if found:
        return found[0]
    if names == list(by_place):
        text = max(names, key=lambda name: table[name].str.len().mean())
        label = min(names, key=lambda name: (table[name].nunique() < 2, table[name].nunique()))
        raise LabError(
            _(
                "{path} has no line of names: its first line is data. Add one, or say which "
                "columns to take by their places, as LAB2_TEXT={text} and LAB2_LABEL={label}.",
                path=path,
                text=text,
                label=label,
            )
        )
    raise _no_column(path, names, f"LAB2_{variable}", choice)


def _no_column(path: Path, names: list[str], variable: str, choice: str | None) -> LabError:
    """Return what to raise where the wanted column is none of those that there are."""
    problem = _("None has a usual name.")
    if choice:
        problem = _("{variable}={choice} is none of them.", variable=variable, choice=choice)
    return LabError(
        _(
            "{path} has the columns {names}. {problem} Set {variable} to the name of the right "
            "one, or to its place (1, 2, ...).",
            path=path,
            names=[" ".join(name.split()) for name in names],
            problem=problem,
            variable=variable,
        )
    )


def report_bad_rows(path: Path, problems: dict[int, Message]) -> None:
    """Print how many rows were left out, and the first of them; problems: by line."""
    if problems:
        shown = [
            _("line {line}: {problem}", line=line, problem=problem)
            for line, problem in sorted(problems.items())[:SHOWN]
        ]
        if len(problems) > SHOWN:
            shown.append(_("and {count:,} more", count=len(problems) - SHOWN))
        values = {"file": path.name, "count": len(problems), "rows": clauses(shown)}
        print(_("{file}: {count:,} rows left out ({rows})", **values))


def report_repeats(path: Path, texts: pd.Series, numbers: pd.Series) -> list[int]:
    """Return the lines of copies, but for the first, and of texts under both labels; count them.

    A copy in another split would be known before it is judged, and no network can tell what it is
    if it stands under both.
    """
    both = numbers.groupby(texts).transform("nunique") == 2
    copies = texts.duplicated() & ~both
    for rows, problem in (
        (both, _("their texts stand under both labels")),
        (copies, _("copies of texts above them")),
    ):
        if rows.any():
            values = {"file": path.name, "count": int(rows.sum()), "rows": problem}
            print(_("{file}: {count:,} rows left out ({rows})", **values))
    return [*texts.index[both | copies]]


def fit_profile(profile: Profile, rows: int) -> Profile:
    """Return a profile whose validation and test splits are no more than 15 % of the rows each."""
    most = max(1, rows * 15 // 100)
    valid, test = min(profile.valid, most), min(profile.test, most)
    return dataclasses.replace(profile, valid=valid, test=test)
