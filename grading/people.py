"""Who handed in what: a name for each submission, a row for each, who is missing.

Whose a submission is, the platform or the name of its entry tells. What students have typed never
joins two of them, and never takes a row from anybody: where it contradicts, a flag says so.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from grading.graded import Graded, rows_of
from grading.marking import Result
from grading.submissions import Submission

LONGEST = 80  # bytes of a name, so that a file may be called so


def unique_names(submissions: Sequence[Submission]) -> list[str]:
    """Return a name for each submission that can name a file, each once.

    It depends on the submission alone, whatever others are there: anna for anna.ipynb, anna_ for a
    folder anna, anna-4711 with a platform's number, and else anna- with digits of `who`.
    """
    names = [_file_name(one) for one in submissions]
    taken = Counter(name.casefold() for name in names)
    return [
        name if taken[name.casefold()] == 1 else f"{name}-{_digits(one)}"
        for name, one in zip(names, submissions, strict=True)
    ]


def _file_name(one: Submission) -> str:
    raw = re.sub(r"[^\w-]+", "_", one.student).strip("_").encode("utf-8", "ignore")[:LONGEST]
    name = raw.decode("utf-8", "ignore") or "nobody"
    if one.number and one.who == one.number and len(one.number) <= 20:
        return f"{name}-{one.number}"
    plain = {f"{name}.ipynb": name, name: f"{name}_", "": name}
    if one.who in plain and not re.search(r"-[0-9a-f]+$", name):
        return plain[one.who]
    return f"{name}-{_digits(one)}"


def _digits(one: Submission) -> str:
    return hashlib.sha256(one.who.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def rows_of_a_class(
    submissions: Mapping[str, Submission], results: Mapping[str, Result | None],
    by_hand: Mapping[str, dict[str, float]], roster: Path | None = None,
) -> list[Graded]:  # fmt: skip
    """Return a row for each submission, and one for each line of a class list that is missing.

    results: None for what was never graded, and not asked for this time;  roster: a class list.
    Raises LabError if it cannot be read.
    """
    rows, notes = [], defaultdict(list)
    for name, one in submissions.items():
        result = results[name] or Result("review", {}, ["not graded yet"], {}, "", 0.0, one.sha256)
        flags = [*dict.fromkeys([*one.flags, *result.flags])]
        result = dataclasses.replace(result, flags=flags)
        points = by_hand.get(name, {})
        rows.append(Graded(name, one.student, one.file, result, points, one.number, one.who))
    _note_shared(rows, [_same(one.student) for one in rows], "are of one name", notes)
    _note_shared(rows, [one.number for one in rows], "have this number of the platform", notes)
    _note_shared(rows, [_typed(one, "number") for one in rows], "give this student number", notes)
    _note_copies(rows, [*submissions.values()], notes)
    _note_what_is_anothers(rows, notes)
    missing = _missing(rows, roster, notes) if roster else []
    return [*(_noted(one, notes[one.name]) for one in rows), *missing]


Notes = defaultdict[str, list[str]]  # name of a row -> what the teacher alone is told of it


def _noted(one: Graded, notes: list[str]) -> Graded:
    if (notes or one.result.flags) and one.result.status == "graded":
        one.result.status = "review"
    return one._replace(notes=tuple(notes))


def _note_shared(rows: Sequence[Graded], keys: Sequence[str], what: str, notes: Notes) -> None:
    """Note which rows have a key in common; "" is none."""
    for key, ones in _by_key(rows, keys).items():
        for one in ones if key and len(ones) > 1 else []:
            notes[one.name].append(f"{len(ones)} hand-ins {what}: also {_others(ones, one)}")


def _note_copies(rows: Sequence[Graded], submissions: Sequence[Submission], notes: Notes) -> None:
    """Note which notebooks are the same, byte for byte."""
    digests = [one.sha256 if one.content else "" for one in submissions]
    for digest, ones in _by_key(rows, digests).items():
        for one in ones if digest and len(ones) > 1 else []:
            notes[one.name].append(f"is byte for byte the hand-in of {_others(ones, one)}")


def _by_key(rows: Sequence[Graded], keys: Sequence[str]) -> dict[str, list[Graded]]:
    found = defaultdict(list)
    for one, key in zip(rows, keys, strict=True):
        found[key].append(one)
    return found


def _others(ones: Sequence[Graded], but: Graded) -> str:
    """Return the files of rows, but for one of them; of many the first."""
    files = itertools.islice((one.file[:100] for one in ones if one is not but), 5)
    more = f" and {len(ones) - 6} more" if len(ones) > 6 else ""
    return ", ".join(files) + more


def _typed(one: Graded, what: str) -> str:
    """Return what a student has typed as name or number; "" without a digit in the number."""
    text = one.result.student.get(what, "")
    return _same(text) if what == "name" or re.search(r"\d", text) else ""


def _is_of(one: Graded) -> set[str]:
    """Return by what the platform, or the name of its entry, calls the one whose a row is."""
    return {_same(one.student), _same(one.number), _same(one.who)} - {""}


def _note_what_is_anothers(rows: Sequence[Graded], notes: Notes) -> None:
    """Note who has typed the name or number of another row."""
    owners = defaultdict(list)
    for one in rows:
        for key in _is_of(one):
            owners[key].append(one)
    for one in rows:
        for what in ("name", "number"):
            key = _typed(one, what)
            others = [] if key in _is_of(one) else owners.get(key, [])
            for other in others[:1]:
                typed = one.result.student[what][:50]
                notes[one.name].append(f"the {what} that is typed, {typed!r}, is of {other.file}")


# ── The class list ──────────────────────────────────────────────────────────────────────────────


def _missing(rows: Sequence[Graded], roster: Path, notes: Notes) -> list[Graded]:
    """Return a row for each line of a class list by whom nothing was handed in.

    A line is known by what no other line has. What was typed counts where platform and files tell
    nothing, and a note says so.
    """
    lines = [line for line in rows_of(roster, "class list")[1:] if any(line)]
    keys = [_keys_of(line) for line in lines]
    counts = Counter(key for of_line in keys for key in of_line)
    place = {key: i for i, of_line in enumerate(keys) for key in of_line if counts[key] == 1}
    found = [{place[key] for key in _is_of(one) & place.keys()} for one in rows]
    present, typed = set().union(*found), set()
    for one in (one for one, its_lines in zip(rows, found, strict=True) if not its_lines):
        hints = {_typed(one, what) for what in ("name", "number")} & place.keys()
        for line in {place[key] for key in hints} - present:
            text = ", ".join(filter(None, lines[line]))[:100]
            notes[one.name].append(f"in the class list only by what was typed: {text}")
            typed.add(line)
    present |= typed | _as_many(rows, keys, counts)
    return [_nothing(line) for i, line in enumerate(lines) if i not in present]


def _as_many(
    rows: Sequence[Graded], keys: Sequence[set[str]], counts: Mapping[str, int]
) -> set[int]:
    """Return the lines of one name that are no more than the hand-ins of this name."""
    handed_in = Counter(key for one in rows for key in _is_of(one))
    full = {key for key, count in counts.items() if 1 < count <= handed_in[key]}
    return {i for i, of_line in enumerate(keys) if of_line & full}


def _nothing(line: Sequence[str]) -> Graded:
    text = ", ".join(filter(None, line))
    result = Result("missing", {}, ["nothing handed in"], {}, "", 0.0, "")
    return Graded("", text, "", result, {}, who=text)


def _keys_of(line: Sequence[str]) -> set[str]:
    """Return in which forms the platforms may write what a line of a class list says.

    Canvas makes doejane of "Doe, Jane"; Moodle calls its number "Participant 7".
    """
    pairs = [pair for two in itertools.pairwise(line) for pair in (two, two[::-1])]
    names = [*line, *map(" ".join, pairs)]
    words = [_words(text) for text in names]
    forms = {form for ones in words for form in ("".join(ones), "".join(sorted(ones)))}
    numbers = {two[1] for two in words if len(two) == 2 and two[0].isalpha() and two[1].isdigit()}
    return (forms | numbers) - {""}


def _words(text: str) -> list[str]:
    text = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\W_]+", " ", text).split()


def _same(text: str) -> str:
    """Return what is the same however a name is written: its words, without order and case."""
    return "".join(sorted(_words(text)))
