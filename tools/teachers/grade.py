"""Grade what students have handed in.

    python tools/teachers/grade.py SUBMISSIONS [--roster FILE] [--gradebook FILE [--column NAME]]
                                   [--only NAME] [--workers N] [--unsafe]

SUBMISSIONS is a folder, or an archive from a learning platform; nothing is written there. Results
go to build/grades: grades.csv, feedback/, summary.html, to_read.html. What is graded already is
not graded again unless the submission, a check, the edition or the grader has changed. Points that
a person gives in to_read.html are taken in from points_read.csv beside grades.csv. A table of marks
from Moodle or Canvas is filled in as gradebook.csv there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the lab, from any folder

import torch

from grading import gradebook, graded, key, marking, pages, people, self_test, submissions
from grading.sandbox import program
from grading.submissions import Submission
from lab.base import files, i18n, machine
from lab.config import LabError
from tools.teachers import student_edition

GRADES = ROOT / "build" / "grades"
NO_WALL = (
    "This system has no wall to run students' code behind. On Debian and Ubuntu install bubblewrap "
    "(apt install bubblewrap); other Linux needs a kernel from 5.13 on, with Landlock. On Windows "
    "grade inside of WSL2, on macOS in a virtual machine with Linux. With --unsafe their code runs "
    "with your rights, and may delete your files."
)


def grade(
    folder: Path, where: Path = GRADES, only: str = "", workers: int | None = None,
    wall: str = "", roster: Path | None = None,
) -> list[graded.Graded]:  # fmt: skip
    """Grade a folder of submissions, and write the pages; return what came of each submission.

    Raises LabError if the folder is not there, or the wall fails its test.
    """
    ones = _submissions(folder)
    editions = _editions()
    keys, present = _keys(editions, ones), editions[i18n.ENGLISH]
    self_test.check_wall(wall, keys[present])
    named = dict(zip(people.unique_names(ones), ones, strict=True))
    chosen = {name: one for name, one in named.items() if only in ("", name, one.student)}
    if not chosen:
        raise LabError(f"No hand-in is called {only!r}. There are: {', '.join([*named][:10])}.")
    grader = graded.digest(keys, wall)
    places = {name: where / "kept" / f"{name}.json" for name in named}
    results = {n: graded.kept(places[n], one.sha256, grader) for n, one in named.items()}
    with ThreadPoolExecutor(workers or machine.available_cores()) as pool:
        jobs = {
            pool.submit(marking.mark, one, keys, present, wall): name
            for name, one in chosen.items()
            if results[name] is None or only
        }
        for job in tqdm(as_completed(jobs), total=len(jobs), desc="Grading", unit="hand-in"):
            name = jobs[job]
            results[name] = job.result()
            graded.keep(places[name], results[name], grader)
    by_hand = graded.points_by_hand(where / "points_read.csv")
    everybody = people.rows_of_a_class(named, results, by_hand, roster)
    pages.write(everybody, where)
    return everybody


def _submissions(folder: Path) -> list[Submission]:
    if not folder.exists():
        raise LabError(f"There is no {folder}. Name the folder with what was handed in.")
    if ones := submissions.find(folder):
        return ones
    raise LabError(f"{folder} holds no notebooks, folders or archives.")


def _editions() -> dict[str, str]:
    """Return the digits of the present edition in each language."""
    contents = {one: student_edition.contents(one) for one in i18n.languages()}
    return {one: student_edition.edition_of(content) for one, content in contents.items()}


def _keys(editions: dict[str, str], ones: Sequence[Submission]) -> dict[str, key.Key]:
    """Return the keys of the present editions and of those that submissions name."""
    keys = {edition: key.present(language) for language, edition in editions.items()}
    for one in ones:
        edition = submissions.notebook_of(one.content).edition
        if edition not in keys and (old := key.of_edition(edition)):
            keys[edition] = old
    return keys


def main() -> int:
    """Read the command line, and grade."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("submissions", type=Path)
    parser.add_argument("--roster", type=Path, help="a class list in CSV, with a line of heads")
    parser.add_argument("--gradebook", type=Path, help="Moodle's or Canvas' table, to be filled in")
    parser.add_argument("--column", default="", help="of the gradebook, which takes the points")
    parser.add_argument("--only", default="", metavar="NAME", help="one hand-in, once more")
    parser.add_argument("--workers", type=int, help="at a time, by default one per core")
    parser.add_argument("--unsafe", action="store_true", help="without a wall, if there is none")
    options = parser.parse_args()
    torch.set_num_threads(1)
    try:
        wall = program.find_wall() or ("none" if options.unsafe else "")
        if not wall:
            raise LabError(NO_WALL)
        everybody = grade(
            options.submissions, GRADES, options.only, options.workers, wall, options.roster
        )
        if options.gradebook:
            text, count = gradebook.fill(options.gradebook, everybody, options.column)
            files.write_atomically(GRADES / "gradebook.csv", text.encode("utf-8"))
            print(f"{count} rows of {GRADES / 'gradebook.csv'} have points.")
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    table = GRADES / "grades.csv"
    print(f"{len(everybody)} rows in {table}; see summary.html and to_read.html there.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
