"""Make the autograder that Gradescope runs, and be it.

    .venv/bin/python tools/teachers/gradescope.py [--visibility WHEN] [--unsafe]

writes build/gradescope.zip, which is uploaded as it is. course/gradescope.md says how. In
Gradescope's container `setup.sh` installs, and for each hand-in `run_autograder` calls this file
with --run FOLDER: it grades what lies in FOLDER/submission, behind the wall, and writes
FOLDER/results/results.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the lab, from any folder

import torch

from grading import graded, key, marking, self_test, submissions
from grading.answers import seed
from grading.intake import entries
from grading.marking import Mark, Result
from grading.sandbox import program
from grading.submissions import Submission
from lab.base import files, messages
from lab.base.messages import _, say
from lab.config import LabError, ends_in_a_sentence
from lab.exercises import answer_cells
from lab.exercises.catalogue import LAB
from lab.exercises.help import hints

FILES = (  # what grading needs; the key of the edition and the answer of its self-test come apart
    *("grading/**/*.py", "lab/**/*.py", "lab/**/*.toml", "translations/*/LC_MESSAGES/lab.mo"),
    *("tools/install.py", "tools/teachers/gradescope.py", "doctor.py", "utils.py"),
    *("requirements.txt", "requirements-develop.txt", "constraints.txt", "LICENSE"),
)
OPTIONS = "gradescope.json"  # in the archive: which edition is the present one, and the options
WHEN = ("visible", "after_due_date", "after_published", "hidden")
NO_WALL = (
    "This container has no wall to run students' code behind, so nothing was graded. "
    "course/gradescope.md says what to do."
)

# $root is /autograder. setup.sh runs once, as root, when the image is built.
SETUP = """#!/usr/bin/env bash
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y bubblewrap python3 python3-venv
for python in python3.13 python3.12 python3.11 python3; do
  if "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; then
    break
  fi
done 2> /dev/null || true
if ! "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; then
  apt-get install -y python3.11 python3.11-venv
  python=python3.11
fi
"$python" -m venv "$root/venv"
cd "$root/source"
"$root/venv/bin/python" tools/install.py
"""
RUN = """#!/usr/bin/env bash
set -euo pipefail
root="$(cd "$(dirname "$0")" && pwd)"
chmod -R go= "$root/source"
exec "${PYTHON:-$root/venv/bin/python}" "$root/source/tools/teachers/gradescope.py" --run "$root"
"""


# ── The archive ─────────────────────────────────────────────────────────────────────────────────


def contents(visibility: str, unsafe: bool, drawn: int) -> dict[str, bytes]:
    """Return what the archive holds: path -> content; drawn: the seed of the course's inputs."""
    from tools.teachers import student_edition  # which the container does without

    paths = [path for pattern in FILES for path in sorted(ROOT.glob(pattern)) if path.is_file()]
    content = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in paths}
    present = ""
    for language in messages.languages():
        edition = student_edition.edition_of(student_edition.contents(language))
        content[f"course/keys/{edition}.json"] = key.as_json(student_edition.key_of(language))
        present = present or edition
    solved = answer_cells.read(ROOT / "lab2.ipynb")
    cells = [{**cell, "outputs": []} for cell in solved["cells"] if _is_of_the_test(cell)]
    content["lab2.ipynb"] = json.dumps({**solved, "cells": cells}).encode()
    options = {"present": present, "visibility": visibility, "unsafe": unsafe, "seed": drawn}
    content[OPTIONS] = json.dumps(options).encode()
    return content | {"setup.sh": SETUP.encode(), "run_autograder": RUN.encode()}


def _is_of_the_test(cell: dict[str, Any]) -> bool:
    """Say whether a cell holds the answer that the grader tries itself with."""
    return answer_cells.exercise_metadata(cell).get("id") == self_test.NAME


def build(path: Path, grades: Path, visibility: str = WHEN[0], unsafe: bool = False) -> None:
    """Write the archive; the same files make the same bytes. grades: which has the course's seed"""
    content = contents(visibility, unsafe, seed.of_course(grades))
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(content.items()):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 3
            entry.external_attr = (0o755 if name in ("setup.sh", "run_autograder") else 0o644) << 16
            archive.writestr(entry, data)


# ── One hand-in ─────────────────────────────────────────────────────────────────────────────────


def run(root: Path) -> None:
    """Grade the hand-in in root/submission; write root/results/results.json.

    Raises LabError where no wall stands, or the grader fails its own test: then no file is
    written, nobody has a zero, and Gradescope shows the reason to the teacher alone.
    """
    options = json.loads((ROOT / OPTIONS).read_text(encoding="utf-8"))
    keys = key.stored()
    wall = program.find_wall() or ("none" if options["unsafe"] else "")
    if not wall:
        raise LabError(NO_WALL)
    self_test.check_wall(wall, keys[options["present"]])
    one = hand_in(root / "submission")
    result = marking.mark(one, keys, options["present"], wall, options["seed"])
    result.flags[:0] = one.flags
    text = json.dumps(results(result, options["visibility"]), indent=1)
    files.write_atomically(root / "results" / "results.json", text.encode("ascii"))
    print("\n".join([f"{result.status}, {result.seconds:.1f} s", *result.flags]))


def hand_in(folder: Path) -> Submission:
    """Return what lies in a folder as one hand-in, whatever its files are called."""
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(folder, Path(place) / "submission", symlinks=True)
        return submissions.of_entries(entries.of(Path(place)))[0]


def results(result: Result, visibility: str) -> dict[str, Any]:
    """Return results.json: a test for each exercise; those that a person reads have no score."""
    one = graded.Graded("submission", "", "", result, {})
    language, score = result.language, graded.score_of(one)
    flags = [_text(flag, language) for flag in graded.told_of(one)]
    if score is None:
        output = [_text(_("Not graded:"), language), *flags]
    else:
        values = {"points": graded.number(score), "most": graded.MOST}
        output = [_text(_("{points} of {most} points so far.", **values), language)]
    tests = [
        {"name": name, "visibility": visibility, "output_format": "text", **_test(name, mark, one)}
        for name, mark in result.marks.items()
    ]
    if result.flags:  # a hidden test without points, which the teacher alone sees
        tests.append({"name": "flags", "visibility": "hidden", "output": "\n".join(flags)})
    return {
        "score": score or 0,
        "output": "\n".join(output),
        "tests": tests,
        "extra_data": {"edition": result.edition, "sha256": result.sha256},
    }


def _test(name: str, mark: Mark, one: graded.Graded) -> dict[str, Any]:
    """Return what Gradescope shows of one answer."""
    lines = [_text(line, one.result.language) for line in _lines(name, mark)]
    if mark.points is None or name not in LAB:  # a further notebook's points are not of the hundred
        return {"output": "\n".join(lines)}
    return {"score": mark.points, "max_score": mark.most, "output": "\n".join(lines)}


def _lines(name: str, mark: Mark) -> Iterator[str]:
    """Yield what a student reads of one answer."""
    if mark.points is None:
        yield _("to be read")
        return
    if name not in LAB:
        yield _("{points} of {most} points", points=graded.number(mark.points), most=mark.most)
    yield from mark.lines
    if mark.lines:
        yield from (_("Hint: {step}", step=_(step)) for step in hints.of(name).hints[-1:])


def _text(line: str, language: str) -> str:
    """Return a line in the student's language that any reader of JSON takes."""
    text = graded.plain(say(line, language))
    return text.encode("utf-8", "replace").decode("utf-8")


@ends_in_a_sentence()
def main() -> None:
    """Read the command line: make the archive, or grade what lies in Gradescope's folder."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--visibility", choices=WHEN, default=WHEN[0], help="of tests to students")
    parser.add_argument("--unsafe", action="store_true", help="grade also where no wall stands")
    parser.add_argument("--run", type=Path, metavar="FOLDER", help="as the container calls it")
    options = parser.parse_args()
    if options.run:
        torch.set_num_threads(1)
        run(options.run.resolve())
        return
    path = ROOT / "build" / "gradescope.zip"
    build(path, ROOT / "grades", options.visibility, options.unsafe)
    print(f"Wrote {path} ({path.stat().st_size / 1e6:.1f} MB); see course/gradescope.md.")


if __name__ == "__main__":
    main()
