"""Gradescope: the archive that it is given, and what comes back, in a folder laid out like its own.

The container itself, its image and its kernel, are not here.
"""

import io
import itertools
import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest
from helpers import filled

from grading import graded
from grading.marking import Mark, Result
from lab.exercises import answer_cells
from lab.exercises.catalogue import LAB
from tools.teachers import gradescope

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux")
EVIL = """# Exercise rnn-cell
from pathlib import Path
def rnn_cell(x, h, w_ih, w_hh, b_ih, b_hh):
    root, ways = Path(ROOT), 0
    for name in ("lab2.ipynb", "gradescope.json", "run_autograder", "course/keys/KEY.json"):
        try:
            ways += len((root / "source" / name).read_bytes()) > 0
        except OSError:
            pass
    for name in ("results/results.json", "submission/planted", "source/planted"):
        try:
            ways += (root / name).write_bytes(b"{}") > 0
        except OSError:
            pass
    return x.new_full((1, 70 + ways), 7.0)
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("gradescope") / "gradescope.zip"
    gradescope.build(path, path.parent)
    return path.read_bytes()


@pytest.fixture
def container(archive, tmp_path):
    """A folder as Gradescope's image has it, /autograder with another name."""
    for name in ("source", "submission", "results"):
        (tmp_path / name).mkdir()
    with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
        zipped.extractall(tmp_path / "source")
    shutil.copy(tmp_path / "source" / "run_autograder", tmp_path)
    (tmp_path / "run_autograder").chmod(0o755)
    return tmp_path


def run_autograder(container):
    """Run it as Gradescope does; return its results, None without, and what it has printed."""
    variables = {"PATH": os.environ["PATH"], "PYTHON": sys.executable}
    done = subprocess.run(
        [container / "run_autograder"], cwd=container, env=variables, capture_output=True, text=True
    )
    path = container / "results" / "results.json"
    said = done.stdout + done.stderr
    assert (done.returncode == 0) == path.exists(), said
    return json.loads(path.read_text()) if path.exists() else None, said


def test_a_hand_in_is_graded_and_its_code_reaches_nothing(container, lab, solved):
    (key,) = list((container / "source" / "course" / "keys").glob("*.json"))[:1]
    evil = EVIL.replace("KEY", key.stem).replace("Path(ROOT)", f"Path({str(container)!r})")
    few = ("last-state", "perplexity", "detach", "traps")
    answers = {name: solved[name] for name in few} | {"rnn-cell": evil}
    notebook = filled(lab, answers)
    (container / "submission" / "my lab (2).ipynb").write_text(json.dumps(notebook))
    (container / "submission" / "report.pdf").write_bytes(b"%PDF")
    (container / "submission" / "link").symlink_to("/etc/passwd")
    given, said = run_autograder(container)
    tests = {one["name"]: one for one in given["tests"]}
    assert set(tests) - {"flags"} == {name for name, e in LAB.items() if e.kind != "about"}
    full = {name: tests[name]["score"] for name in ("last-state", "perplexity", "detach")}
    assert full == {"last-state": 3, "perplexity": 2, "detach": 1} and given["score"] == 6
    assert tests["rnn-cell"]["score"] == 0
    assert "(1, 70)" in tests["rnn-cell"]["output"], tests["rnn-cell"]
    assert "score" not in tests["traps"] and tests["traps"]["output"] == "to be read"
    assert tests["traps"]["visibility"] == "visible"
    assert tests["unroll"]["output"] and tests["unroll"]["max_score"] == 3
    assert sorted(p.name for p in (container / "submission").iterdir()) == [
        "link", "my lab (2).ipynb", "report.pdf"
    ]  # fmt: skip
    assert not (container / "source" / "planted").exists() and said.startswith("review")


NAMES = ("report.pdf", "lab2.ipynb", "Anna Doe_12_assignsubmission_file_lab2.ipynb", "list.csv",
         "roeben_13_501_lab2.ipynb", "Ben Roe_13_assignsubmission_file_/lab2.ipynb")  # fmt: skip


def test_a_hand_in_is_one_whatever_its_files_are_called(tmp_path):
    for i, names in enumerate(n for k in range(1, 4) for n in itertools.combinations(NAMES, k)):
        for name in names:
            path = tmp_path / str(i) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b'{"cells": []}')
        one = gradescope.hand_in(tmp_path / str(i))
        assert (one.content is not None) == any(".ipynb" in name for name in names), names


def test_without_a_wall_nobody_has_a_zero(container, monkeypatch):
    monkeypatch.setattr(gradescope, "ROOT", container / "source")
    monkeypatch.setattr(gradescope.program, "find_wall", lambda: "")
    with pytest.raises(gradescope.LabError, match="nothing was graded"):
        gradescope.run(container)
    assert not list((container / "results").iterdir())


def test_the_archive_holds_no_answers_but_that_of_the_self_test(archive, solved, keys):
    with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
        content = {name: zipped.read(name) for name in zipped.namelist()}
        modes = {one.filename: one.external_attr >> 16 for one in zipped.infolist()}
    assert modes["setup.sh"] & 0o111 and modes["run_autograder"] & 0o111
    assert list(answer_cells.find(json.loads(content["lab2.ipynb"])["cells"])) == ["rnn-cell"]
    assert not [name for name in content if name.startswith(("tests/", "further/", "data/"))]
    everything = b"\n".join(content.values()).decode("utf-8", "replace")
    for name, exercise in LAB.items():
        if name != "rnn-cell" and exercise.kind in ("code", "text", "free"):
            assert solved[name].partition("\n")[2] not in everything, name
    present = json.loads(content["gradescope.json"])["present"]
    assert present == next(iter(keys))
    assert len([name for name in content if name.startswith("course/keys/")]) == 2


def test_the_scripts_are_read_by_bash(archive):
    for script in (gradescope.SETUP, gradescope.RUN):
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def result_of(marks, status="graded", flags=(), language="en"):
    return Result(status, marks, list(flags), {}, "x", 1.0, "0" * 64, {}, language)


def test_what_is_shown_is_plain_and_any_reader_of_json_takes_it():
    evil = "<script>alert(1)</script>\x1b[2J\ud800 **x**"
    marks = {
        "rnn-cell": Mark(1.5, 3, (evil,), evil),
        "traps": Mark(None, 2, text=evil),
        "adam": Mark(6, 6),
    }
    given = gradescope.results(result_of(marks, flags=[evil]), "after_due_date")
    text = json.dumps(given)
    assert "\\ud800" not in text and "\\u001b" not in text
    tests = {one["name"]: one for one in given["tests"]}
    assert {one.get("output_format", "text") for one in tests.values()} == {"text"}
    assert tests["rnn-cell"]["visibility"] == "after_due_date"
    assert tests["flags"]["visibility"] == "hidden" and "score" not in tests["flags"]
    assert given["score"] == 1.5 and "score" not in tests["adam"]  # not of the hundred
    assert tests["adam"]["output"] == "6 of 6 points"
    assert sum(one.get("score", 0) for one in given["tests"]) == given["score"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_cannot_be_read_says_why_in_the_students_language(language):
    given = gradescope.results(result_of({}, "unreadable", ["it is no notebook"], language), "x")
    assert given["score"] == 0 and given["output"].isascii() == (language == "en")
    tests = {one["name"]: one for one in given["tests"]}
    assert list(tests) == ["flags"]
    assert graded.MOST == 100
