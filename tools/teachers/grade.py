"""Grade what students have handed in.

    .venv/bin/python tools/teachers/grade.py SUBMISSIONS [OPTIONS]; --help names them

SUBMISSIONS is a folder, or an archive from a learning platform. Results go to grades/, where `make
clean` does not touch them; course/grading.md says what they are.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm.contrib.concurrent import thread_map

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the lab, from any folder

import torch

from grading import gradebook, graded, key, likeness, marking, people, self_test, submissions
from grading.answers import checks, seed
from grading.graded import plural
from grading.intake import entries
from grading.pages import handback, writing
from grading.records import decided, history, readings, statistics
from grading.sandbox import program
from grading.sandbox.trials import Sandbox
from grading.similarity import Forms
from lab.base import files, foreign, machine
from lab.base.messages import _, languages
from lab.config import LabError, ends_in_a_sentence
from tools.teachers import student_edition

GRADES = ROOT / "grades"
WRITTEN = ("feedback", "reading", "kept", "previous")  # folders in the folder of grades
AMONG = (
    "Grades in {where} would lie among the hand-ins of {folder}, and be taken for some. Name "
    "another folder with --out, which is outside of it or has only grades in it."
)
NO_WALL = (
    "This system has no wall to run students' code behind. On Debian and Ubuntu install bubblewrap "
    "(apt install bubblewrap libseccomp2); other Linux needs libseccomp, and a kernel from 5.13 "
    "on, with Landlock. On Windows grade inside of WSL2, on macOS in a virtual machine with Linux. "
    "With --unsafe their code runs with your rights, and may delete your files."
)


class Options(NamedTuple):
    """How a class is graded, beyond what is usual."""

    only: Collection[str] = ()  # grade these, and take all others as they were
    roster: Path | None = None  # a class list
    book: gradebook.Book | None = None  # to be filled in
    due: str = ""  # this and `late` as `records.late.rule` reads them
    late: str = ""
    editions: Sequence[str] = ()  # earlier ones, whose hand-ins have their own keys
    earlier: Sequence[Path] = ()  # folders of earlier years, to compare answers with


def grade(
    folder: Path, where: Path, wall: str, options: Options | None = None
) -> list[graded.Graded]:
    """Grade submissions, and write tables and pages; return what came of each.

    Raises LabError if there are no submissions, the wall fails its test, or a table is not as it
    must.
    """
    options = options or Options()
    ones = _handed_in(folder, where)
    given = decided.read(where, options.due, options.late)  # faults are said before the work
    if options.roster:
        _say_encoding(options.roster, people.class_list(options.roster))
    if options.book:
        _say_encoding(options.book.path, options.book.table)
    old = {n: forms for path in options.earlier for n, forms in likeness.earlier(path).items()}
    named = dict(zip(people.unique_names(ones), ones, strict=True))
    chosen, once_more = _chosen(named, {*options.only}), bool(options.only)
    results = _results(named, chosen, once_more, _keys(options.editions), wall, where)
    rows = people.rows_of_a_class(named, results, options.roster)
    return _finish(rows, named, given, options.book, old, folder, chosen)


def _handed_in(folder: Path, where: Path) -> list[submissions.Submission]:
    """Return what was handed in: the teacher's tables and the folder of grades are not.

    Raises LabError if there is no notebook, or the folder of grades lies where hand-ins do.
    """
    if not folder.exists():
        raise LabError(f"There is no {folder}. Name the folder with what was handed in.")
    if folder.is_file() and not zipfile.is_zipfile(folder) and folder.suffix.lower() != ".zip":
        raise LabError(f"{folder} is no folder and no .zip. Name the folder with the hand-ins.")
    _refuse_among(folder, where)
    found = submissions.find(folder)
    left = [one for one in found if _is_teachers(one, folder, where)]
    inside = [one for one in left if _lies_in(where, one, folder)]
    if any(one.content for one in inside) and not (where / "kept").is_dir():
        raise LabError(AMONG.format(where=where, folder=folder))
    ones = [one for one in found if one not in left]
    if all(one.problem in (entries.NONE, entries.OTHER) for one in ones):
        raise LabError(f"There is no notebook in {folder}. Name the folder with the hand-ins.")
    if left:
        names = ", ".join(name for one in left for name in one.entries)
        print(f"No hand-ins, and left out: {names}.")
    return ones


def _refuse_among(folder: Path, where: Path) -> None:
    """Raise LabError if what is written would lie among the hand-ins, and be taken for some."""
    hand_ins, grades = (Path(os.path.realpath(path)) for path in (folder, where))
    inside = grades.is_relative_to(hand_ins) and len(grades.relative_to(hand_ins).parts) != 1
    if inside or any(hand_ins.is_relative_to(grades / name) for name in WRITTEN):
        raise LabError(AMONG.format(where=where, folder=folder))


def _is_teachers(one: submissions.Submission, folder: Path, where: Path) -> bool:
    """Say whether an entry of a folder is a table beside the hand-ins, or the folder of grades."""
    if _lies_in(where, one, folder):
        return True
    is_table = Path(one.file).suffix.lower() in (".csv", ".tsv") and one.entries == (one.file,)
    return is_table and one.problem == entries.OTHER and not one.number


def _lies_in(where: Path, one: submissions.Submission, folder: Path) -> bool:
    """Say whether a hand-in is the folder of grades, or lies in it."""
    places = {place for entry in one.entries for place in (entry, entry.partition("/")[0])}
    grades = os.path.realpath(where)  # which does not mind a link that leads to itself
    return any(os.path.realpath(folder / place) == grades for place in places)


def _say_encoding(path: Path, table: foreign.Table) -> None:
    """Say it if a table of others is read as what a western Excel writes: others look alike."""
    if table.encoding == "cp1252":
        print(f"{path} is not in UTF-8, and is read as cp1252: look whether the names are right.")


def _results(
    named: dict[str, submissions.Submission], chosen: set[str], once_more: bool,
    keys: tuple[dict[str, key.Key], str], wall: str, where: Path,
) -> dict[str, marking.Result]:  # fmt: skip
    """Return the results of all hand-ins: of those that are meant as they are, of others as kept.

    once_more: they are graded although they are kept. keys: by edition; the present one
    """
    drawn = seed.of_course(where)
    grader = graded.digest(wall, drawn)
    places = {name: graded.place_of(where, one.who) for name, one in named.items()}
    fresh = {name: (named[name].sha256, grader) for name in chosen}
    results = {name: graded.kept(path, *fresh.get(name, ())) for name, path in places.items()}
    now = {edition: checks.digests(one) for edition, one in keys[0].items()}
    same = {
        name for name, one in results.items()
        if one and (not one.marks or one.checks == now.get(one.edition, now[keys[1]]))
    }  # fmt: skip
    waiting = chosen if once_more else chosen - same
    cores = machine.available_cores()
    with Sandbox(wall, cores) as sandbox:
        self_test.check_wall(sandbox, keys[0][keys[1]])

        def mark(name: str) -> None:
            before = None if once_more else results[name]
            result = marking.mark(named[name], *keys, sandbox, drawn, before)
            if not result.failed:  # a second call tries that again
                graded.keep(places[name], result, grader)
            results[name] = result

        in_order = [name for name in named if name in waiting]
        thread_map(mark, in_order, max_workers=cores, desc="Grading", unit="hand-in")
    for name, one in named.items():  # what was never graded, and is not asked for this time
        never = marking.Result("review", {}, [_("not graded yet")], {}, "", 0.0, one.sha256)
        results[name] = results[name] or never
    if stale := sum(results[name].sha256 != one.sha256 for name, one in named.items()):
        have, keep = ("has", "keeps its") if stale == 1 else ("have", "keep their")
        others = plural(stale, "other hand-in")
        print(f"{others} {have} changed since, and {keep} points until all are graded.")
    return results


def _chosen(named: dict[str, submissions.Submission], only: set[str]) -> set[str]:
    """Return the names of the hand-ins that are meant. Raises LabError if one is nobody's."""
    known = {name: {name, one.student, one.who} for name, one in named.items()}
    if strangers := only.difference(*known.values()):
        ones = ", ".join(map(repr, sorted(strangers)))
        more = f" and {len(named) - 10} more" if len(named) > 10 else ""
        there = ", ".join([*named][:10])
        raise LabError(f"No hand-in is called {ones}. There are: {there}{more}.")
    return {name for name in named if not only or known[name] & only}


def _finish(
    rows: list[graded.Graded], named: dict[str, submissions.Submission], given: decided.Decided,
    book: gradebook.Book | None, earlier: Mapping[str, Forms], folder: Path, chosen: set[str],
) -> list[graded.Graded]:  # fmt: skip
    """Put on rows what persons decided, and write all tables and pages; return the rows."""
    where = given.where
    told = gradebook.times(book, gradebook.match(book, rows)[0]) if book else {}
    times = decided.times(where, rows, named, told, chosen)
    everybody, points, notes = decided.applied(rows, given, times)
    if book:
        notes += _unread_times(book)
        matched, flags = gradebook.match(book, everybody)
        everybody = [decided.noted(one, flags.get(one.name, ())) for one in everybody]
    texts = dict.fromkeys((decided.KEPT, decided.READ), readings.table(points)) if points else {}
    texts |= {
        decided.DEADLINE: json.dumps(given.deadline),
        decided.TIMES: decided.times_as_json(times, rows),
    }
    texts["statistics.csv"] = statistics.table(statistics.of(everybody))
    with history.kept_before(where):
        for name, text in texts.items():
            files.write_atomically(where / name, text.encode("utf-8", "replace"))
        students = len({row[1] for row in history.changed(where, everybody)})
        writing.write(everybody, where, named, earlier, folder)
        if book:
            content, count = gradebook.fill(book, matched)
            files.write_atomically(where / "gradebook.csv", content)
            have = f"{plural(count, 'row')} of {where / 'gradebook.csv'}"
            notes.append(f"{have} {'has' if count == 1 else 'have'} points.")
            if lost := gradebook.without_row(matched, everybody):
                notes.append(f"Points, but no row in {book.path}: {'; '.join(lost)}.")
            notes += _not_read(everybody)
    if students:
        notes.append(f"Points of {plural(students, 'student')} have changed: changes.csv.")
    print(*notes, sep="\n", end="\n" if notes else "")
    return everybody


def _unread_times(book: gradebook.Book) -> list[str]:
    """Return what is said of times in a platform's table that nobody here can read."""
    if not (unread := gradebook.unread_times(book)):
        return []
    what = f"{plural(len(unread), 'time')} like {unread[0]!r}"
    return [f"{book.path}: {what} cannot be read; the time of the file counts instead."]


def _not_read(everybody: Sequence[graded.Graded]) -> list[str]:
    """Return what is said where points go out before all texts are read."""
    own = [one for one in everybody if one.result.marks and not one.partner]
    waiting = [one for one in own if graded.unread(one)]
    apart = sum(any("the readers disagree" in note for note in one.notes) for one in waiting)
    if not waiting:
        return []
    return [
        f"{len(waiting)} of {plural(len(own), 'hand-in')} are not read to the end, {apart} in "
        "conflict: their points are those so far."
    ]


def _give_back(everybody: list[graded.Graded], path: Path, platform: str) -> None:
    """Write the archive with feedback that a platform takes back. Raises LabError if it cannot."""
    content, left = handback.archive(everybody, platform)
    files.write_atomically(path, content)
    count = sum(bool(one.name) for one in everybody) - len(left)
    print(f"{path} has the feedback of {plural(count, 'student')}.")
    if left:
        print(f"Not in it, for the platform's number is missing or shared: {', '.join(left)}.")


def _keys(editions: Sequence[str] = ()) -> tuple[dict[str, key.Key], str]:
    """Return the key of each present edition, and of those named; and the present English one."""
    keys = {
        student_edition.edition_of(student_edition.contents(language)): key.present(language)
        for language in languages()
    }
    return key.earlier(editions) | keys, next(iter(keys))


def main() -> None:
    """Grade as the command line says; Ctrl-C ends it with a sentence, and loses nothing."""
    try:
        _main()
    except KeyboardInterrupt:
        print("\nStopped. What is graded is kept; the same command goes on.", file=sys.stderr)
        raise SystemExit(130) from None  # as a shell says of what Ctrl-C ended


@ends_in_a_sentence()
def _main() -> None:
    """Read the command line, and grade."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("submissions", type=Path, nargs="?")
    parser.add_argument("--roster", type=Path, help="a class list, with a line of heads")
    parser.add_argument("--gradebook", type=Path, help="Moodle's or Canvas' table, to be filled in")
    parser.add_argument("--column", default="", help="of the gradebook, which takes the points")
    parser.add_argument("--who", nargs="+", default=(), metavar="COLUMN",
                        help="of the gradebook: number and name of the students")  # fmt: skip
    parser.add_argument("--comment", default="", metavar="COLUMN",
                        help="of the gradebook, which takes the feedback")  # fmt: skip
    parser.add_argument("--due", default="", help="as 2026-12-01T23:59, local time; none: no more")
    parser.add_argument("--late", default="", help='as "10 per day, 3 days"')
    parser.add_argument("--earlier", nargs="+", type=Path, default=(), metavar="FOLDER",
                        help="old hand-ins, or old grades, to compare answers with")  # fmt: skip
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME", help="these once more")
    parser.add_argument("--out", type=Path, default=GRADES, help="another folder, as for a group")
    parser.add_argument("--feedback", choices=[*handback.PLATFORMS],
                        help="an archive with all feedback, for this platform")  # fmt: skip
    parser.add_argument("--undo", action="store_true", help="bring the tables before back")
    parser.add_argument("--edition", action="append", default=[], help="an earlier one that counts")
    parser.add_argument("--unsafe", action="store_true", help="without a wall, if there is none")
    options = parser.parse_args()
    if options.undo:
        print(f"The tables are again as before the grading of {history.undo(options.out)}.")
        return
    if not options.submissions:
        parser.error("which submissions?")
    torch.set_num_threads(1)
    wall = program.find_wall() or ("none" if options.unsafe else "")
    if not wall:
        raise LabError(NO_WALL)
    columns = options.column, options.who, options.comment
    book = gradebook.read(options.gradebook, *columns) if options.gradebook else None
    how = Options(
        options.only, options.roster, book, options.due, options.late, options.edition,
        options.earlier,
    )  # fmt: skip
    everybody = grade(options.submissions, options.out, wall, how)
    if options.feedback:
        _give_back(everybody, options.out / f"feedback_{options.feedback}.zip", options.feedback)
    grades = options.out / "grades.csv"
    print(f"{plural(len(everybody), 'row')} in {grades}; see summary.html and reading/index.html.")


if __name__ == "__main__":
    main()
