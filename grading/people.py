"""Who handed in what: a name for each submission, a row for each, who is missing.

Whose a submission is, the platform or the name of its entry tells. What students have typed never
joins two of them, and never takes a row from anybody: where it contradicts, a flag says so.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from grading.graded import Graded, Listed, digits_of
from grading.marking import Result
from grading.records import tables
from grading.submissions import Submission
from lab.base import foreign
from lab.config import LabError

FIRST = ("first name", "firstname", "given name", "vorname", "名")
LAST = ("last name", "lastname", "surname", "family name", "nachname", "姓")
FULL = ("full name", "name", "student", "vollständiger name", "姓名", "全名", "学生")
NUMBERS = ("id", "user id", "canvas id", "moodle id")  # columns with the platform's own number
WORDS = 6  # of a name, each of which a platform may put first
LONGEST = 80  # bytes of a name, so that a file may be called so


def unique_names(submissions: Sequence[Submission]) -> list[str]:
    """Return a name for each submission that can name a file, each once.

    It depends on the submission alone, whatever others are there: anna for anna.ipynb, anna_ for a
    folder anna, anna-4711 with a platform's number, and else anna- with digits of `who`. Raises
    LabError if two have the same digits, by which results are kept, too.
    """
    known: dict[str, Submission] = {}
    for one in submissions:
        other = known.setdefault(digits_of(one.who), one)
        if other is not one:
            raise LabError(
                f"The names {other.who!r} and {one.who!r} cannot be told apart by their digests. "
                "Rename one of these two hand-ins."
            )
    names = [_file_name(one) for one in submissions]
    taken = Counter(name.casefold() for name in names)
    return [
        name if taken[name.casefold()] == 1 else f"{name}-{digits_of(one.who)}"
        for name, one in zip(names, submissions, strict=True)
    ]


def _file_name(one: Submission) -> str:
    raw = re.sub(r"[^\w-]+", "_", one.student).strip("_").encode("utf-8", "ignore")[:LONGEST]
    name = raw.decode("utf-8", "ignore") or "nobody"
    if one.number and one.who == one.number and len(one.number) <= 20:
        return f"{name}-{one.number}"
    plain = {f"{name}.ipynb": name, name: f"{name}_", f"{name}/": f"{name}_"}
    if one.who in plain and not re.search(r"-[0-9a-f]+$", name):
        return plain[one.who]
    return f"{name}-{digits_of(one.who)}"


def rows_of_a_class(
    submissions: Mapping[str, Submission], results: Mapping[str, Result], roster: Path | None = None
) -> list[Graded]:
    """Return a row for each submission, and one for each line of a class list that is missing.

    roster: a class list. Raises LabError if it cannot be read.
    """
    rows, notes = [], defaultdict(list)
    for name, one in submissions.items():
        flags = [*dict.fromkeys([*one.flags, *results[name].flags])]
        result = dataclasses.replace(results[name], flags=flags)
        rows.append(Graded(name, one.student, one.file, result, {}, one.number, one.who))
    for what, key_of in {
        "are of one name": lambda one: _same(one.student),
        "have this number of the platform": lambda one: one.number,
        "give this student number": lambda one: _typed(one, "number"),
        "are the same, byte for byte": lambda one: (
            submissions[one.name].content and submissions[one.name].sha256
        ),
    }.items():
        _note_shared(rows, key_of, what, notes)
    _note_what_is_anothers(rows, notes)
    if len(rows) == 1 and "/" in rows[0].file and submissions[rows[0].name].flags:
        what = "the only hand-in: if a whole class lies in it, grade that folder (unpacked) itself"
        notes[rows[0].name].append(what)
    rows, missing = _listed(rows, roster, notes) if roster else (rows, [])
    for one in rows:
        if (notes[one.name] or one.result.flags) and one.result.status == "graded":
            one.result.status = "review"
    return [*(one._replace(notes=tuple(notes[one.name])) for one in rows), *missing]


Notes = defaultdict[str, list[str]]  # name of a row -> what the teacher alone is told of it


def _note_shared(
    rows: Sequence[Graded], key_of: Callable[[Graded], str | bytes | None], what: str, notes: Notes
) -> None:
    """Note which rows have a key in common, and name the files of some of them; "" is no key."""
    groups = defaultdict(list)
    for one in rows:
        if key := key_of(one):
            groups[key].append(one)
    for ones in groups.values():
        for one in ones if len(ones) > 1 else []:
            others = ", ".join([other.file[:100] for other in ones[:6] if other is not one][:5])
            more = f" and {len(ones) - 6} more" if len(ones) > 6 else ""
            notes[one.name].append(f"{len(ones)} hand-ins {what}: also {others}{more}")


def _typed(one: Graded, what: str) -> str:
    """Return what a student has typed as name or number; "" without a digit in the number."""
    text = one.result.student.get(what, "")
    return _same(text) if what == "name" or re.search(r"\d", text) else ""


def _is_of(one: Graded) -> set[str]:
    """Return by what the platform, or the name of its entry, calls the one whose a row is."""
    return {_same(one.student), _same(one.number), _same(one.who)} - {""}


def _note_what_is_anothers(rows: Sequence[Graded], notes: Notes) -> None:
    """Note who has typed the name or number of another row."""
    owners: dict[str, Graded] = {}
    for one in rows:
        for key in _is_of(one):
            owners.setdefault(key, one)
    for one, what in itertools.product(rows, ("name", "number")):
        key = _typed(one, what)
        if key in owners and key not in _is_of(one):
            typed = one.result.student[what][:50]
            file = owners[key].file
            notes[one.name].append(f"the {what} that is typed, {typed!r}, is of {file}")


# ── The class list ──────────────────────────────────────────────────────────────────────────────


def class_list(path: Path) -> foreign.Table:
    """Return a class list, perhaps as a western Excel saves it. Raises LabError if it is none."""
    return foreign.read(path, "class list", is_western=True)


def _listed(
    rows: Sequence[Graded], roster: Path, notes: Notes
) -> tuple[list[Graded], list[Graded]]:
    """Return the rows with their lines of a class list; and a row for each line that is missing.

    Lines of one name are missing if there are more of them than hand-ins of that name. What was
    typed counts where platform and files tell nothing, and a note says so.
    """
    head, *lines = class_list(roster).rows
    lines = [line for line in lines if any(line)]
    told = [", ".join(filter(None, line)) for line in lines]
    cells = [Listed(_name(head, line), tuple(line)) for line in lines]
    names = _places(_keys_of(line) for line in lines)
    numbers = _places(_numbers_of(head, line) for line in lines)
    found = []
    for one in rows:
        its, note = _lines_of(one, cells, names, numbers)
        found.append(its)
        notes[one.name] += [note] if note else []
    present = {line for its in found if len(its) == 1 for line in its}
    as_many = Counter(frozenset(its - present) for its in found if len(its) > 1)
    here = present.union(*(its for its, count in as_many.items() if count >= len(its)))
    place = {key: min(its) for key, its in names.items() if len(its) == 1}
    for one, its in zip(rows, found, strict=True):
        hints = {_typed(one, what) for what in ("name", "number")} & place.keys()
        for line in {place[key] for key in hints} - present if len(its) != 1 else ():
            what = f"in the class list only by what was typed: {told[line][:100]}"
            notes[one.name].append(what)
            here.add(line)
    known = [
        one._replace(listed=cells[min(its)]) if len(its) == 1 else one
        for one, its in zip(rows, found, strict=True)
    ]
    return known, [_nothing(told[i], cells[i]) for i in range(len(lines)) if i not in here]


Places = Mapping[str, set[int]]  # what lines of a class list are called -> which they are


def _places(keys: Iterable[set[str]]) -> Places:
    places = defaultdict(set)
    for i, key in ((i, key) for i, of_line in enumerate(keys) for key in of_line):
        places[key].add(i)
    return places


def _lines_of(
    one: Graded, cells: Sequence[Listed], names: Places, numbers: Places
) -> tuple[set[int], str]:
    """Return which lines may be a row's, by its name, else by its number; and what is to be noted.

    A column called ID may number the lines of the list, and nothing of the platform.
    """
    called = {_same(one.student)} | ({_same(one.who)} if one.who != one.number else set())
    by_name = {line for key in called for line in names.get(key, ())}
    by_number = numbers.get(one.number, set())
    if not by_number or by_name & by_number:
        return by_name & by_number or by_name, ""
    line = cells[min(by_number)]
    text = ", ".join(filter(None, line.cells))[:100]
    if by_name:
        return by_name, f"the class list has the platform's number in another line: {text}"
    is_sure = tables.platforms_number(line) == one.number
    return by_number, "" if is_sure else f"in the class list only by the platform's number: {text}"


def _nothing(text: str, line: Listed) -> Graded:
    result = Result("missing", {}, ["nothing handed in"], {}, "", 0.0, "")
    return Graded("", text, "", result, {}, who=text, listed=line)


def _name(head: Sequence[str], line: Sequence[str]) -> str:
    """Return a student's name in a line of a class list, as its heads or its words tell."""
    named = {name.strip().casefold(): cell.strip() for name, cell in zip(head, line)}
    first, last, full = (
        next((cell for name, cell in named.items() if name in known and cell), "")
        for known in (FIRST, LAST, FULL)
    )
    if first and (last or full):  # German lists have "Name", "Vorname"
        return f"{first} {last or full}"
    words = [i for i, cell in enumerate(line) if re.fullmatch(r"[^\d@]*[^\W\d_][^\d@]*", cell)]
    two = words[1:2] == [words[0] + 1] if words else False
    single = two and not any(" " in line[i].strip() for i in words[:2])
    guess = " ".join(line[i].strip() for i in words[: 2 if single else 1])
    return full or guess or ", ".join(filter(None, line))


def _keys_of(line: Sequence[str]) -> set[str]:
    """Return in which forms the platforms may write a name that a line of a class list says.

    Canvas makes doejane of "Doe, Jane", which a list may call "Jane Doe".
    """
    forms = set()
    for words in (_words(text) for text in Listed("", tuple(line)).ways()):
        turned = ([*words[i:], *words[:i]] for i in range(min(len(words), WORDS)))
        forms |= {"".join(ones) for ones in (*turned, sorted(words))}
    return forms - {""}


def _numbers_of(head: Sequence[str], line: Sequence[str]) -> set[str]:
    """Return the platform's numbers in a line: in columns of that name, or as "Participant 7"."""
    named = {cell.strip() for name, cell in zip(head, line) if name.strip().casefold() in NUMBERS}
    return (named | {tables.platforms_number(Listed("", tuple(line)))}) - {""}


def _words(text: str) -> list[str]:
    text = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\W_]+", " ", text).split()


def _same(text: str) -> str:
    """Return what is the same however a name is written: its words, without order and case."""
    return "".join(sorted(_words(text)))
