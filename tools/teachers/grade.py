"""Grade what students have handed in.

    python tools/grade.py SUBMISSIONS [--roster FILE] [--gradebook FILE [--column NAME]]
                          [--only NAME] [--workers N] [--unsafe]

SUBMISSIONS is a folder, or an archive from a learning platform; nothing is written there. Results
go to build/grades: grades.csv, feedback/, summary.html, to_read.html. What is graded already is
not graded again unless the hand-in, a check, the edition or the grader has changed. Points that a
person gives in to_read.html are taken in from points_read.csv beside grades.csv. A table of marks
from Moodle or Canvas is filled in as gradebook.csv there.

Imports the room `grading`, and, of `lab`: `answers.py`, `config.py`, `files.py`, `machine.py` and
`words.py`; and `student.py` beside it, for the numbers of the present editions.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import re
import socket
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the lab, from any folder

import torch

from grading import gradebook, handins, key, marking, pages, sandbox
from grading.handins import Handin
from lab import answers, files, machine, words
from lab.config import LabError
from tools import student

GRADES = ROOT / "build" / "grades"
NO_WALL = (
    "This system has no wall to run students' code behind. On Debian and Ubuntu install bubblewrap "
    "(apt install bubblewrap); other Linux needs a kernel from 5.13 on, with Landlock. On Windows "
    "grade inside of WSL2, on macOS in a virtual machine with Linux. With --unsafe their code runs "
    "with your rights, and may delete your files."
)


def grade(
    submissions: Path, where: Path = GRADES, only: str = "", workers: int | None = None,
    wall: str = "", roster: Path | None = None,
) -> list[pages.Graded]:  # fmt: skip
    """Grade a folder of submissions, and write the pages; return what came of each hand-in.

    Raises LabError if the folder is not there, or the wall fails its test.
    """
    found = _found(submissions)
    present = student.edition_of(student.contents())
    keys = _keys(found)
    check_wall(wall, keys, present)
    grader = digest(keys, wall)
    names = unique_names(found)
    chosen = [(n, h) for n, h in zip(names, found, strict=True) if only in ("", n, h.student)]
    if only and not chosen:
        raise LabError(f"No hand-in is called {only!r}. There are: {', '.join(names[:10])}.")
    results = {n: pages.kept(_place(where, n), _sha256(h), grader) for n, h in zip(names, found)}
    waiting = [(n, h) for n, h in chosen if results[n] is None or only]
    with ThreadPoolExecutor(workers or machine.available_cores()) as pool:
        jobs = {pool.submit(marking.mark, h, keys, present, wall): n for n, h in waiting}
        for job in tqdm(as_completed(jobs), total=len(jobs), desc="Grading", unit="hand-in"):
            name = jobs[job]
            results[name] = job.result()
            pages.keep(_place(where, name), results[name], grader)
    graded = _together(names, found, results, where, roster)
    write(graded, where)
    return graded


def _found(submissions: Path) -> list[Handin]:
    if not submissions.exists():
        raise LabError(f"There is no {submissions}. Name the folder with what was handed in.")
    found = handins.find(submissions)
    if not found:
        raise LabError(f"{submissions} holds no notebooks, folders or archives.")
    return found


def _keys(found: Sequence[Handin]) -> dict[str, key.Key]:
    """Return the keys of the present editions and of those that hand-ins name."""
    editions = {one: student.edition_of(student.contents(one)) for one in words.languages()}
    keys = {edition: key.present(one) for one, edition in editions.items()}
    for one in found:
        edition = handins.notebook_of(one.content).edition
        if edition not in keys and (old := key.of_edition(edition)):
            keys[edition] = old
    return keys


def digest(keys: dict[str, key.Key], wall: str) -> str:
    """Return digits that change with any check, key or line of the grader."""
    sources = [*sorted((ROOT / "grading").glob("*.py")), ROOT / "lab" / "cases.py"]
    sources += [
        ROOT / "lab" / f"{m}.py" for m in ("plays", "given", "checks", "answers", "exercises")
    ]
    content = b"".join(path.read_bytes() for path in sources)
    return hashlib.sha256(content + repr((keys, wall)).encode()).hexdigest()[:16]


def _sha256(handin: Handin) -> str:
    return hashlib.sha256(handin.content or b"").hexdigest()


def _place(where: Path, name: str) -> Path:
    return where / "kept" / f"{name}.json"


def unique_names(found: Sequence[Handin]) -> list[str]:
    """Return a name for each hand-in that can name a file, each once."""
    taken: dict[str, int] = {}
    names = []
    for one in found:
        name = re.sub(r"[^\w-]+", "_", one.student).strip("_")[:60] or "nobody"
        taken[name.casefold()] = taken.get(name.casefold(), 0) + 1
        number = taken[name.casefold()]
        names.append(name if number == 1 else f"{name}-{number}")
    return names


def _together(
    names: Sequence[str], found: Sequence[Handin], results: dict[str, marking.Result | None],
    where: Path, roster: Path | None,
) -> list[pages.Graded]:  # fmt: skip
    """Return all results; of several hand-ins by one student the last one counts, flagged."""
    read = pages.points_read(where / "points_read.csv")
    made, last = {}, {}
    for name, one in zip(names, found, strict=True):
        if (result := results[name]) is None:
            continue  # not asked for this time, and never graded
        person = one.number or _typed(result) or one.student
        given = read.get(name, {})
        made[name] = (one, pages.Graded(name, one.student, one.file, result, given, one.number))
        last.setdefault(person.casefold(), []).append((one.time, name))
    for several in last.values():
        *older, (_, newest) = sorted(several)
        if older:
            flag = f"{len(several)} hand-ins by one student; the last one counts"
            made[newest][1].result.flags.append(flag)
            for _, name in older:
                del made[name]
    graded = [one for _, one in made.values()]
    for several in _sharing_a_number(graded):
        for one in several:
            one.result.flags.append(f"{len(several)} hand-ins give this student number")
    return [*graded, *_missing(graded, [h for h, _ in made.values()], roster)]


def _typed(result: marking.Result) -> str:
    """Return number and name as a student has written them; "" without digits in the number."""
    number, name = (result.student.get(key, "") for key in ("number", "name"))
    return f"{_same(number)} {_same(name)}" if re.search(r"\d", number) else ""


def _sharing_a_number(graded: Sequence[pages.Graded]) -> list[list[pages.Graded]]:
    """Return the hand-ins of different people, as it seems, that give one student number."""
    groups: dict[str, list[pages.Graded]] = {}
    for one in graded:
        if one.result and _typed(one.result):
            groups.setdefault(_same(one.result.student["number"]), []).append(one)
    return [several for several in groups.values() if len(several) > 1]


def _missing(
    graded: Sequence[pages.Graded], found: Sequence[Handin], roster: Path | None
) -> list[pages.Graded]:
    """Return a row for each line of a class list by whom nothing was handed in."""
    if roster is None:
        return []
    there = set()
    for one, handin in zip(graded, found, strict=True):
        told = one.result.student if one.result else {}
        there |= {_same(x) for x in (handin.student, handin.number, *told.values())} - {""}
    try:
        rows = list(csv.reader(io.StringIO(roster.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabError(f"The class list {roster} cannot be read: {error}.") from error
    absent = [row for row in rows[1:] if any(row) and not there & {_same(cell) for cell in row}]
    return [pages.Graded("", ", ".join(filter(None, row)), "", None, {}) for row in absent]


def _same(text: str) -> str:
    return "".join(sorted(re.sub(r"[\W_]+", " ", text).casefold().split()))


def write(graded: Sequence[pages.Graded], where: Path) -> None:
    """Write the table and the pages."""
    rubric = (ROOT / "course" / "rubric.md").read_text(encoding="utf-8")
    solved = {name: ones[0].source for name, ones in _solved().items()}
    own = marking.forms_of(solved, key.present())
    made = {
        "grades.csv": pages.grades(graded),
        "summary.html": pages.summary(graded, own),
        "to_read.html": pages.to_read(graded, rubric),
    }
    for one in graded:
        if one.name:
            text = pages.feedback(one)
            made |= {
                f"feedback/{one.name}.md": text,
                f"feedback/{one.name}.html": pages.as_page(text, one.language),
            }
    for name, text in made.items():
        files.write_atomically(where / name, text.encode("utf-8", "replace"))


def _solved() -> dict[str, list[answers.Answer]]:
    return answers.find(answers.read(ROOT / "lab2.ipynb")["cells"])


# ── The test of the wall ────────────────────────────────────────────────────────────────────────

MALICIOUS = """
import os
def rnn_cell(x, h, w_ih, w_hh, b_ih, b_hh):
    found = []
    for path in PATHS:
        try:
            open(path, "ab").close()
            found.append(path)
        except OSError:
            pass
    try:
        import socket
        socket.create_connection(("127.0.0.1", PORT), timeout=1).close()
        found.append("network")
    except OSError:
        pass
    return x.new_full((1, len(found)), 7.0)
"""


def check_wall(wall: str, keys: dict[str, key.Key], present: str) -> None:
    """Grade a right, a wrong and a malicious answer. Raises LabError if one gets other points."""
    right = _solved()["rnn-cell"][0].source
    asked = {"rnn-cell": keys[present]["rnn-cell"]}
    with tempfile.NamedTemporaryFile() as secret, socket.create_server(("127.0.0.1", 0)) as server:
        Path(secret.name).chmod(0o666)
        paths, port = [secret.name, str(ROOT / "lab2.ipynb")], server.getsockname()[1]
        evil = f"# Exercise rnn-cell\nPATHS, PORT = {paths!r}, {port}\n{MALICIOUS}"
        wrong = right.replace("torch.tanh", "torch.sigmoid")
        points = {}
        for kind, source in {"right": right, "wrong": wrong, "malicious": evil}.items():
            marks = marking.marks_of({"rnn-cell": source}, asked, wall)
            points[kind] = (marks["rnn-cell"].points, " ".join(marks["rnn-cell"].lines))
        broken = "expected" in points["malicious"][1] and "(1, 0)" not in points["malicious"][1]
    most = asked["rnn-cell"].points
    if points["right"][0] != most or points["wrong"][0] != 0:
        raise LabError(
            f"The test of the grader failed: the right answer got {points['right'][0]:g} of {most} "
            f"points, a wrong one {points['wrong'][0]:g}. {points['right'][1]} Nothing was graded."
        )
    if broken and wall != "none":
        raise LabError(
            f"The wall ({wall}) lets through: {points['malicious'][1]} Nothing was graded."
        )


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
        wall = sandbox.find_wall() or ("none" if options.unsafe else "")
        if not wall:
            raise LabError(NO_WALL)
        graded = grade(
            options.submissions, GRADES, options.only, options.workers, wall, options.roster
        )
        if options.gradebook:
            text, done = gradebook.filled(options.gradebook, graded, options.column)
            files.write_atomically(GRADES / "gradebook.csv", text.encode("utf-8"))
            print(f"{done} rows of {GRADES / 'gradebook.csv'} have points.")
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"{len(graded)} rows in {GRADES / 'grades.csv'}; see summary.html and to_read.html there."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
