"""Grade what students have handed in.

    python tools/teachers/grade.py SUBMISSIONS [--roster FILE] [--gradebook FILE [--column NAME]]
                                   [--only NAME] [--out FOLDER] [--unsafe]

SUBMISSIONS is a folder, or an archive from a learning platform. Results go to grades/, where `make
clean` does not touch them; course/grading.md says what they are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm.contrib.concurrent import thread_map

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the lab, from any folder

import torch

from grading import gradebook, graded, key, marking, people, self_test, submissions
from grading.pages import writing
from grading.sandbox import program
from grading.submissions import Submission
from lab.base import files, i18n, machine
from lab.config import LabError, ends_in_a_sentence
from tools.teachers import student_edition

GRADES = ROOT / "grades"
NO_WALL = (
    "This system has no wall to run students' code behind. On Debian and Ubuntu install bubblewrap "
    "(apt install bubblewrap); other Linux needs a kernel from 5.13 on, with Landlock. On Windows "
    "grade inside of WSL2, on macOS in a virtual machine with Linux. With --unsafe their code runs "
    "with your rights, and may delete your files."
)


def grade(
    folder: Path, where: Path, wall: str, only: str = "", roster: Path | None = None
) -> list[graded.Graded]:
    """Grade submissions, and write the pages; return what came of each.

    Raises LabError if there are none, or the wall fails its test.
    """
    if not folder.exists():
        raise LabError(f"There is no {folder}. Name the folder with what was handed in.")
    ones = submissions.find(folder)
    if not ones:
        raise LabError(f"{folder} holds no notebooks, folders or archives.")
    keys, present = _keys(ones)
    self_test.check_wall(wall, keys[present])
    named = dict(zip(people.unique_names(ones), ones, strict=True))
    chosen = {name: one for name, one in named.items() if only in ("", name, one.student)}
    if not chosen:
        raise LabError(f"No hand-in is called {only!r}. There are: {', '.join([*named][:10])}.")
    grader = graded.digest(keys, wall)
    places = {name: where / "kept" / f"{name}.json" for name in named}
    results = {n: graded.kept(places[n], one.sha256, grader) for n, one in named.items()}

    def mark(name: str) -> None:
        results[name] = marking.mark(named[name], keys, present, wall)
        graded.keep(places[name], results[name], grader)

    waiting = [name for name in chosen if results[name] is None or only]
    cores = machine.available_cores()
    thread_map(mark, waiting, max_workers=cores, desc="Grading", unit="hand-in")
    by_hand = graded.points_by_hand(where / "points_read.csv")
    everybody = people.rows_of_a_class(named, results, by_hand, roster)
    writing.write(everybody, where, named)
    return everybody


def _keys(ones: Sequence[Submission]) -> tuple[dict[str, key.Key], str]:
    """Return the key of each edition, present or named by a submission; and the present English."""
    keys = {
        student_edition.edition_of(student_edition.contents(language)): key.present(language)
        for language in i18n.languages()
    }
    present = next(iter(keys))
    for one in ones:
        edition = submissions.notebook_of(one.content).edition
        if edition not in keys and (old := key.of_edition(edition)):
            keys[edition] = old
    return keys, present


@ends_in_a_sentence()
def main() -> None:
    """Read the command line, and grade."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("submissions", type=Path)
    parser.add_argument("--roster", type=Path, help="a class list in CSV, with a line of heads")
    parser.add_argument("--gradebook", type=Path, help="Moodle's or Canvas' table, to be filled in")
    parser.add_argument("--column", default="", help="of the gradebook, which takes the points")
    parser.add_argument("--only", default="", metavar="NAME", help="one hand-in, once more")
    parser.add_argument("--out", type=Path, default=GRADES, help="another folder, as for a group")
    parser.add_argument("--unsafe", action="store_true", help="without a wall, if there is none")
    options = parser.parse_args()
    torch.set_num_threads(1)
    wall = program.find_wall() or ("none" if options.unsafe else "")
    if not wall:
        raise LabError(NO_WALL)
    everybody = grade(options.submissions, options.out, wall, options.only, options.roster)
    if options.gradebook:
        text, count = gradebook.fill(options.gradebook, everybody, options.column)
        files.write_atomically(options.out / "gradebook.csv", text.encode("utf-8"))
        print(f"{count} rows of {options.out / 'gradebook.csv'} have points.")
    grades = options.out / "grades.csv"
    print(f"{len(everybody)} rows in {grades}; see summary.html and reading/index.html.")


if __name__ == "__main__":
    main()
