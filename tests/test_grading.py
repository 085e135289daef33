"""Grading: what students write gets the points that it earns, and does nothing else.

Each hostile hand-in is graded behind both walls. Where a system lacks one, its tests are skipped
with that reason; with BOTH_WALLS=1, as `.ci/run` says, they are red instead.
"""

import contextlib
import csv
import ctypes
import dataclasses
import functools
import io
import json
import os
import re
import shutil
import socket
import sys

import numpy as np
import psutil
import pytest
import torch
from helpers import ROOT, filled, hand_in_of, write, zipped
from hostile import BEYOND, CELL, EVIL, hostile_cell

from grading import graded, marking, self_test, submissions
from grading.intake import entries
from grading.pages import feedback, summary
from grading.sandbox import program, protocol
from grading.sandbox.trials import Sandbox
from lab.config import LabError
from lab.exercises import answer_cells
from lab.exercises.catalogue import LAB
from tools.teachers import grade

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux")


@pytest.fixture(scope="module", params=("bwrap", "landlock"))
def wall(request):
    if os.environ.get("BOTH_WALLS") != "1" and not program.stands(request.param):
        pytest.skip(f"this system has no {request.param}")
    return request.param


SANDBOXES = {}


def sandbox_of(wall):
    """Return programs behind a wall that serve many tests, for it takes seconds to start one."""
    kind = wall, program.SECONDS
    SANDBOXES[kind] = SANDBOXES.get(kind) or Sandbox(wall)
    return SANDBOXES[kind]


@pytest.fixture(scope="module", autouse=True)
def programs():
    """Those whose parent has died become children of this process: none is overlooked."""
    foster = functools.partial(ctypes.CDLL(None).prctl, 36)  # PR_SET_CHILD_SUBREAPER
    assert foster(1, 0, 0, 0) == 0
    yield
    foster(0, 0, 0, 0)
    while SANDBOXES:
        SANDBOXES.popitem()[1].close()


def about(name, number):
    return f"# Answer about-you\nstudent = {{'name': {name!r}, 'number': {number!r}}}"


def marked(notebook, keys, wall="landlock"):
    return marking.mark(hand_in_of(notebook), keys, next(iter(keys)), sandbox_of(wall))


def points(result, name):
    return result.marks[name].points


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, 2.5, "text", [1, (2.0, None)], {"a": [1], "b": ()},
        torch.randn(3, 4), torch.tensor(2), torch.tensor([True, False]), torch.zeros(0, 3),
        torch.tensor([1, 2], dtype=torch.int64), np.arange(6.0).reshape(2, 3), np.float32(0.1),
    ],
)  # fmt: skip
def test_a_value_arrives_as_it_was(value):
    copy = protocol.decode(json.loads(json.dumps(protocol.encode(value))))
    kind = np.ndarray if isinstance(value, np.generic) else type(value)
    assert type(copy) is kind and (np.array_equal(copy, value) or copy == value)
    assert getattr(copy, "shape", ()) == getattr(value, "shape", ())


@pytest.mark.parametrize(
    "content",
    [
        {"tensor": {"kind": "float32", "shape": [10**9], "bytes": ""}},
        {"tensor": {"kind": "float32", "shape": [-1], "bytes": "AAAA"}},
        {"tensor": {"kind": "object", "shape": [1], "bytes": "AAAAAAAA"}},
        {"tensor": {"kind": "float32", "shape": [2], "bytes": "AAAA"}},
        {"tensor": {"kind": "float32", "shape": "x", "bytes": "AAAA"}},
        {"tensor": 3}, {"other": "Liar"}, {"two": 1, "things": 2}, [1], {"dict": [[1, 2]]},
        {"list": "abc"}, {"list": [{"list": [{"list": [{"list": [{"list": [{"list": [
            {"list": [{"list": []}]}]}]}]}]}]}]},
    ],
)  # fmt: skip
def test_what_is_no_plain_value_is_refused(content):
    with pytest.raises(protocol.Unclear):
        protocol.decode(content)


@pytest.mark.parametrize(
    ("template", "values"),
    [
        ("{x:999999999}", {"x": "a"}), ("{x:.999999999f}", {"x": 1.5}),  # a gigabyte of blanks
        ("{x.__class__}", {"x": "a"}), ("{x[0]}", {"x": "a"}), ("{x:{x}}", {"x": "9"}),
        ("{y}", {"x": "a"}), ("{0}", {"x": "a"}), ("{x:d}", {"x": "a"}), ("{x} {", {"x": "9"}),
        (3, {}), ("a", [1]),
    ],
)  # fmt: skip
def test_what_could_do_more_than_say_its_values_is_no_message(template, values):
    words = {"message": template, "values": values}
    assert protocol.from_line(json.dumps({"id": "a", "error": words}).encode(), "a") is None


@pytest.mark.parametrize("words", [
    {"message": "{x}" * 900, "values": {"x": "a" * 4000}}, "a" * 9999, ["a" * 9999], 10**3000,
    {"message": "{x}" * 900, "values": {"x": {"message": "{x}" * 900, "values": {"x": "a" * 99}}}},
])  # fmt: skip
def test_what_is_said_through_the_wall_is_never_long(words):
    answer = protocol.from_line(json.dumps({"id": "a", "error": words}).encode(), "a")
    assert type(answer["error"]) is str and len(answer["error"]) == protocol.LONGEST


def test_a_fault_comes_through_the_wall_as_a_message(wall):
    trial = [program.cell("x", "\n1 / 0"), {"do": "value", "name": "x"}]
    with contextlib.closing(program.Program(wall)) as behind:
        behind.begin()
        (first, second), _ = behind.try_out(trial)
    said = first["error"]
    assert said == "ZeroDivisionError in line 2 of the cell: division by zero"
    assert said.values == {"error": "ZeroDivisionError", "line": 2, "text": "division by zero"}
    assert second["error"].template == "{name} is not defined."


def test_the_solved_lab_has_all_points_that_a_machine_gives(lab, solved, keys, wall):
    result = marked(filled(lab, solved), keys, wall)
    lost = {n: m for n, m in result.marks.items() if n in LAB and m.points not in (None, m.most)}
    assert lost == {} and result.status == "graded" and result.flags == []
    assert sum(m.points or 0 for n, m in result.marks.items() if n in LAB) == sum(
        e.points for e in LAB.values() if e.by_machine
    )
    assert {n for n, m in result.marks.items() if m.points is None} == set(graded.ASKED_BY_HAND)


def test_an_untouched_notebook_has_none(lab, keys):
    assert {m.points for m in marked(lab, keys).marks.values()} == {0}


def test_each_point_that_is_lost_has_a_line(lab, solved, keys):
    wrong = {
        "rnn-cell": solved["rnn-cell"].replace("torch.tanh", "torch.sigmoid"),
        "perplexity": "# Exercise perplexity\ndef perplexity(log_probability):\n    return 8.0",
        "confound": '# Question confound\nanswer_confound = "a"',
        "weights": "# Question weights\nanswer_weights = 12",
        "guess-linear": "# Prediction guess-linear\nguess_linear = 400",
    }
    result = marked(filled(lab, solved | wrong), keys)
    assert points(result, "rnn-cell") == 0 and 0 < points(result, "perplexity") < 2
    lines = {name: " ".join(result.marks[name].lines) for name in wrong}
    assert "4 reviews, E = 5, H = 8" in lines["rnn-cell"] and "expected is" in lines["rnn-cell"]
    assert "sigma instead of tanh" in lines["rnn-cell"]
    assert "8 came back, expected is" in lines["perplexity"]
    assert lines["confound"] == "answer_confound = 'a' is not the right letter."
    assert "12" in lines["weights"] and "400" in lines["guess-linear"]


def test_numbers_may_be_computed(lab, solved, keys):
    [key_of_year] = keys.values()
    right = {name: key_of_year[name].answer for name in ("weights", "choose-rate")}
    computed = {
        "weights": "# Question weights\nH = 256\n"
        f"answer_weights = H * H + {right['weights'] - 256**2}",
        "choose-rate": "# Question choose-rate\n"
        f"answer_choose_rate = math.sqrt({right['choose-rate']} ** 2)",
        "guess-gates": '# Prediction guess-gates\nhalf = 50\n'
        'guess_gates = {"0.50": half, "0.73": half, "0.95": 99}',
    }  # fmt: skip
    result = marked(filled(lab, solved | computed), keys, "none")
    assert {name: points(result, name) for name in computed} == {
        "weights": 2,
        "choose-rate": 1,
        "guess-gates": 1,
    }
    assert points(result, "rnn-cell") == 3 and result.flags == ["graded without a wall"]


SLOW = 1  # seconds for a question here: each loop takes all of it
FIRST, SECOND = ("bwrap", "landlock") if shutil.which("bwrap") else ("landlock", "bwrap")


@pytest.fixture
def target(tmp_path_factory):
    """Things that a hostile answer should not reach, and a port that hears if it does."""
    folder = tmp_path_factory.mktemp("target")
    folder.chmod(0o777)
    (folder / "secret.txt").write_text("secret")
    (folder / "secret.txt").chmod(0o666)
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as file,
    ):
        udp.bind(tcp.getsockname())
        file.bind(str(folder / "socket"))
        (folder / "socket").chmod(0o777)
        file.listen()
        yield folder, tcp.getsockname()[1]
        for one, hear in ((tcp, tcp.accept), (file, file.accept), (udp, lambda: udp.recv(10))):
            one.settimeout(0.05)
            with pytest.raises(TimeoutError):
                hear()
    assert (folder / "secret.txt").read_text() == "secret" and len([*folder.iterdir()]) == 2
    assert not list((ROOT / "tests").glob("planted*"))


def alive(parent=None):
    """Return the programs that a process, by default this one, has left running below it."""
    there = set()
    for one in psutil.Process(parent).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            if one.status() != psutil.STATUS_ZOMBIE:
                there.add(one)
    return there


# each kind behind one wall; behind the other what reaches beyond its program; the rest is long
ATTACKS = [
    *(pytest.param(FIRST, kind) for kind in EVIL),
    *(pytest.param(SECOND, kind) for kind in BEYOND),
    *(pytest.param(SECOND, kind, marks=pytest.mark.long) for kind in EVIL if kind not in BEYOND),
]
FEW = {"rnn-cell": 0, "last-state": 3, "perplexity": 2, "detach": 1, "guess-linear": 1}


@pytest.fixture
def attack(lab, solved, keys, target, monkeypatch):
    """Mark a hostile answer beside some that are right: it loses its own points alone."""
    monkeypatch.setattr(program, "SECONDS", SLOW)

    def attack(kind, wall):
        sources = {name: solved[name] for name in FEW} | {"rnn-cell": hostile_cell(kind, *target)}
        result = marked(filled(lab, sources), keys, wall)
        assert {name: points(result, name) for name in FEW} == FEW
        assert result.marks["rnn-cell"].lines

    return attack


@pytest.mark.parametrize("wall, kind", ATTACKS, indirect=["wall"])
def test_a_hostile_answer_costs_its_own_points_and_nothing_else(attack, kind, wall):
    sandbox = sandbox_of(wall)
    sandbox.give_back(sandbox.take())  # its program runs before others are counted, and stays
    others = alive()
    attack(kind, wall)
    assert not psutil.wait_procs(alive() - others, timeout=10)[1]


@pytest.mark.parametrize("kind", ["programs", "a signal to the grader"])
def test_a_submission_leaves_nothing(attack, monkeypatch, tmp_path, kind, wall):
    """Outside of these tests the programs end with the class."""
    monkeypatch.setattr(program.tempfile, "tempdir", str(tmp_path))
    others = alive()
    with Sandbox(wall) as sandbox:
        monkeypatch.setitem(SANDBOXES, (wall, SLOW), sandbox)
        attack(kind, wall)
    assert not psutil.wait_procs(alive() - others, timeout=10)[1] and not list(tmp_path.iterdir())


def as_format_3(cell):
    kept = {name: value for name, value in cell.items() if name not in ("source", "id")}
    return kept | {"source" if cell["cell_type"] == "markdown" else "input": cell["source"]}


def only_with_ids(cell):
    source = answer_cells.source_of(cell)
    source = source.partition("\n")[2] if answer_cells.HEADING.match(source) else cell["source"]
    return cell | {"metadata": {}, "source": source}


HUGE = {"output_type": "stream", "name": "stdout", "text": "x" * 20_000_000}
HUGE_CELL = {"cell_type": "code", "metadata": {}, "source": "print()", "outputs": [HUGE]}
ODD_CELLS = [None, 3, {}, {"cell_type": "code"}, {"source": 5, "metadata": 7}]
STILL_READ = {
    "format 3": lambda n: {
        "metadata": n["metadata"], "worksheets": [{"cells": [*map(as_format_3, n["cells"])]}]
    },
    "a byte order mark": lambda n: b"\xef\xbb\xbf" + json.dumps(n).encode(),
    "UTF-16": lambda n: json.dumps(n).encode("utf-16"),
    "lines as on Windows": lambda n: json.dumps(n).replace("\\n", "\\r\\n").encode(),
    "another kernel": lambda n: n | {"metadata": n["metadata"] | {"kernelspec": {"name": "julia"}}},
    "reordered": lambda n: n | {"cells": n["cells"][::-1]},
    "without metadata": lambda n: n | {"cells": [cell | {"metadata": {}} for cell in n["cells"]]},
    "without metadata and first lines": lambda n: n | {"cells": [*map(only_with_ids, n["cells"])]},
    "with other checks": lambda n: json.dumps(n).replace('"check(', '"check = print #').encode(),
    "huge outputs": lambda n: n | {"cells": [HUGE_CELL, *n["cells"]]},
    "odd cells": lambda n: n | {"cells": [*n["cells"], *ODD_CELLS]},
}  # fmt: skip


@pytest.mark.parametrize("kind", STILL_READ)
def test_a_notebook_in_any_state_is_graded(lab, solved, keys, kind):
    few = {name: solved[name] for name in ("rnn-cell", "last-state", "detach", "traps")}
    notebook = STILL_READ[kind](filled(lab, few))
    result = marked(notebook, keys)
    assert [points(result, name) for name in ("rnn-cell", "last-state", "detach")] == [3, 3, 1]
    assert result.marks["traps"].points is None


def test_what_a_person_should_look_at_is_flagged(lab, solved, keys):
    notebook = filled(lab, {name: solved[name] for name in ("rnn-cell", "confound", "last-state")})
    cells = notebook["cells"]
    place = answer_cells.find(cells)["rnn-cell"][0].place
    other = {**cells[place], "source": EVIL["another name"]}
    cells.insert(place + 1, {**other, "source": f"# Exercise rnn-cell\n{CELL}return x"})
    del cells[answer_cells.find(cells)["confound"][0].place]
    cells[answer_cells.find(cells)["last-state"][0].place]["cell_type"] = "markdown"
    result = marked(notebook, keys)
    flags = " ".join(result.flags)
    assert result.status == "review" and "last-state: the type of its cell was changed" in flags
    assert (
        "rnn-cell: 2 cells, the last one counts" in flags and "confound: its cell is gone" in flags
    )
    assert [points(result, name) for name in ("rnn-cell", "last-state", "confound")] == [0, 3, 0]


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\x01\x02", b"{", b"[]", b'{"cells": 3}', b'{"cells": {}}', b"no", b"\xff\xfe\x00",
     b"[" * 200_000, b'{"nbformat": 4}', b"\x89PNG\r\n"],
)  # fmt: skip
def test_what_cannot_be_read_has_no_points_and_not_zero(keys, content):
    result = marked(content, keys)
    one = graded.Graded("x", "x", "x.ipynb", result, {})
    row = next(csv.DictReader(io.StringIO(graded.table([one]))))
    assert [row[name] for name in ("status", "score", "percent")] == ["unreadable", "", ""]


def test_an_older_edition_is_graded_by_its_own_key(lab, solved, keys):
    old = dict(next(iter(keys.values())))
    old["confound"] = old["confound"]._replace(answer="a")
    notebook = filled(lab, {"confound": '# Question confound\nanswer_confound = "a"'})
    notebook["metadata"]["lab2"]["edition"] = "0123456789ab"
    assert points(marked(notebook, {**keys, "0123456789ab": old}, "none"), "confound") == 1
    assert points(marked(notebook, keys), "confound") == 0


def by_student(place):
    return {one.student: one for one in submissions.find(place)}


def test_hand_ins_are_found_however_they_are_packed(tmp_path, lab, solved):
    good = json.dumps(filled(lab, {"confound": solved["confound"]})).encode()
    empty = json.dumps(lab).encode()
    files = {
        "doejane_12345_678_lab2.ipynb": good,
        "roelate_LATE_99_100_lab2-1.ipynb": good,
        "Max Muster_4711_assignsubmission_file_/lab2.ipynb": good,
        "two/lab2.ipynb": good,
        "two/lab2-Copy1.ipynb": empty,
        "two/older.zip": zipped({"lab2.ipynb": good}),
        "two/.ipynb_checkpoints/lab2-checkpoint.ipynb": empty,
        "王小明.zip": zipped({"lab2-1/lab2.ipynb": good, "../../evil.ipynb": empty}),
        "report.pdf": b"%PDF",
        "no notebook/readme.txt": b"",
        "=cmd|' /C calc'!A0.ipynb": good,
    }
    write(tmp_path, files)
    (tmp_path / "link.ipynb").symlink_to("/etc/passwd")
    ones = by_student(tmp_path)
    assert [ones[n].number for n in ("doejane", "roelate", "Max Muster")] == ["12345", "99", "4711"]
    assert ones["two"].file == "two/lab2.ipynb" and "3 notebooks" in ones["two"].flags[0]
    assert ones["王小明"].content == good and not list(tmp_path.parent.rglob("evil*"))
    assert ones["no notebook"].content is None and ones["link"].content is None
    assert "not followed" in ones["link"].problem and ones["report"].problem == "it is no notebook"


def test_an_archive_that_is_none_or_a_bomb_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(entries, "LARGEST", 1 << 20)
    bomb, cut = zipped({"lab2.ipynb": b"0" * (50 << 20)}), zipped({"lab2.ipynb": b"{}"})[:30]
    write(tmp_path, {"bomb.zip": bomb, "cut.zip": cut, "large.ipynb": b" " * (2 << 20)})
    ones = by_student(tmp_path)
    assert "more than 1 MB" in ones["bomb"].problem and "cannot be read" in ones["cut"].problem
    assert "more than 1 MB" in ones["large"].problem


def test_nothing_in_a_platforms_archive_is_passed_over(tmp_path, lab):
    content = json.dumps(lab).encode()
    files = {
        "A B_1_assignsubmission_file_/lab2.ipynb": content,
        "C D_2_assignsubmission_file_/lab2.zip": zipped({"lab2/lab2.ipynb": content}),
        "E F_3_assignsubmission_file_/report.pdf": b"%PDF",
        "G H_4_assignsubmission_file_/lab2.rar": b"Rar!",
        "I J_5_assignsubmission_file_/lab2.zip": zipped({}),
        "__MACOSX/x": b"",
    }
    write(tmp_path, {"all.zip": zipped(files)})
    write(tmp_path / "class", files | {"doe_1_2_lab2.tar.gz": b""})
    archive, folder = by_student(tmp_path / "all.zip"), by_student(tmp_path / "class")
    numbers = {name: one.number for name, one in archive.items()}
    assert numbers == {"A B": "1", "C D": "2", "E F": "3", "G H": "4", "I J": "5"}
    assert folder["doe"].number == "1"
    for ones in (archive, folder):
        assert ones["C D"].content == content and ones["C D"].file.endswith("lab2/lab2.ipynb")
        assert ones["E F"].problem == ones["I J"].problem == "there is no notebook in it"
        assert ones["G H"].problem == "an archive of a kind that is not read; ask for a .zip"


def test_a_damaged_member_costs_its_own_hand_in_alone(tmp_path, lab):
    content = json.dumps(lab).encode()
    whole = zipped({"ann/lab2.ipynb": content, "ben/lab2.ipynb": content})
    for place in range(60, 400, 5):  # into Ann's notebook
        (tmp_path / "all.zip").write_bytes(whole[:place] + b"\xff\xff" + whole[place + 2 :])
        ones = by_student(tmp_path / "all.zip")
        assert ones["ben"].content == content
        assert ones["ann"].content is None and "cannot be unpacked" in ones["ann"].problem


@pytest.fixture
def classroom(tmp_path, lab, solved):
    """A folder of hand-ins, and where grades go."""
    folder = tmp_path / "submissions"
    few = {name: solved[name] for name in ("rnn-cell", "confound", *graded.ASKED_BY_HAND)}
    answers = {
        "anna.ipynb": few | {"about-you": about("Anna", "1")},
        "anna_again.ipynb": {"about-you": about("Anna", "1")},
        "ben.ipynb": {"confound": '# Question confound\nanswer_confound = "b"'},
    }
    for i, (name, sources) in enumerate(answers.items()):
        write(folder, {name: json.dumps(filled(lab, sources)).encode()})
        os.utime(folder / name, (1000 + i, 1000 + i))
    (folder / "broken.ipynb").write_text("{")
    return folder, tmp_path / "grades"


def grade_and_read(folder, where, wall="none", roster=None):
    """Grade a folder, and return the rows of grades.csv by student."""
    grade.grade(folder, where, wall, grade.Options(roster=roster))
    text = (where / "grades.csv").read_text(encoding="utf-8")
    return {row["student"]: row for row in csv.DictReader(io.StringIO(text))}


def test_a_class_is_graded_and_nothing_is_written_to_its_hand_ins(classroom, tmp_path):
    folder, where = classroom
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*")}
    roster = tmp_path / "roster.csv"
    roster.write_text("number,name,mail\n1,Anna A,\n2,Ben,\n3,Zoe,\n", encoding="utf-8")
    rows = grade_and_read(folder, where, roster=roster)
    assert set(rows) == {"anna", "anna_again", "ben", "broken", "3, Zoe"}
    for name in ("anna", "anna_again"):  # what is typed joins nobody: whose they are is asked
        assert "2 hand-ins give this student number" in rows[name]["flags"]
    assert rows["ben"]["confound"] == "0" and rows["broken"]["score"] == ""
    assert rows["3, Zoe"]["status"] == "missing" and rows["3, Zoe"]["score"] == ""
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*")} == before
    assert r"answer\_confound = 'b'" in (where / "feedback" / "ben.md").read_text()
    summary = (where / "summary.html").read_text()
    assert "confound" in summary and "it is no notebook" in summary
    for page in where.rglob("*.html"):
        assert not re.search('https?://|src=(?!"figures/)', page.read_text())


def test_two_students_with_one_number_are_two(tmp_path, lab):
    """What students type is no key: nobody's row is dropped for it."""
    numbers = {"anna": "-", "ben": "-", "cleo": "7", "dan": "7"}
    for name, number in numbers.items():
        notebook = filled(lab, {"about-you": about(name, number)})
        write(tmp_path / "in", {f"{name}.ipynb": json.dumps(notebook).encode()})
    rows = grade_and_read(tmp_path / "in", tmp_path)
    assert set(rows) == {*numbers}
    for name in ("cleo", "dan"):
        assert "2 hand-ins give this student number" in rows[name]["flags"]
    assert "number" not in rows["anna"]["flags"]


def test_only_what_has_changed_is_graded_again(classroom, monkeypatch):
    folder, where = classroom
    grade.grade(folder, where, wall="none")
    seen, mark = [], marking.mark
    monkeypatch.setattr(marking, "mark", lambda *a: seen.append(a[0].student) or mark(*a))
    first = (where / "grades.csv").read_text()
    grade.grade(folder, where, wall="none")
    assert seen == [] and (where / "grades.csv").read_text() == first
    (folder / "ben.ipynb").write_bytes((folder / "ben.ipynb").read_bytes() + b" ")
    grade.grade(folder, where, wall="none")
    assert seen == ["ben"]
    grade.grade(folder, where, "none", grade.Options(["anna"]))
    assert seen == ["ben", "anna"]
    monkeypatch.setattr(graded, "digest", lambda *_: "another grader")
    grade.grade(folder, where, wall="none")
    assert sorted(seen[2:]) == ["anna", "anna_again", "ben", "broken"]
    with pytest.raises(LabError, match="No hand-in is called 'zoe'"):
        grade.grade(folder, where, "none", grade.Options(["zoe"]))


def test_points_that_a_person_gave_are_taken_in(classroom):
    folder, where = classroom
    (folder / "anna_again.ipynb").unlink()
    before = grade_and_read(folder, where)["anna"]
    page = (where / "reading" / "conclusion.html").read_text()
    assert 'data-exercise="conclusion"' in page and "Rubric" in page
    assert before["conclusion"] == "" and "points are still to be read" in before["flags"]
    (where / "points_read.csv").write_text('name,exercise,points\n"anna","conclusion","4.5"\n')
    after = grade_and_read(folder, where)["anna"]
    assert after["conclusion"] == "4.5" and after["traps"] == ""
    assert float(after["score"]) == float(before["score"]) + 4.5


SAID = {"0.7": 70.0, "88": 88.0, "best": None, "-1": None, "True": None, "0.7 # 70 %": 70.0}


@pytest.mark.parametrize("value", SAID)
def test_the_challenge_is_what_the_last_cell_says(lab, keys, value):
    notebook = filled(lab, {})
    for one in ("challenge_accuracy = 0.9", f"x = 1\nchallenge_accuracy = {value}"):
        notebook["cells"].append({"cell_type": "code", "source": one, "metadata": {}})
    assert marked(notebook, keys, "none").challenge == (SAID[value] or 90.0)


def test_the_summary_ranks_who_took_part_in_the_challenge(lab, keys):
    result = marked(filled(lab, {}), keys, "none")
    said = {"ada": 70.0, "ben": None, "cleo": 81.25}
    ones = [
        graded.Graded(name, name, name, dataclasses.replace(result, challenge=accuracy), {})
        for name, accuracy in said.items()
    ]
    page = summary.in_html(ones)
    assert page.index("81.2 %") < page.index("70.0 %") and "challenge" in page
    assert "challenge" not in summary.in_html(ones[1:2])


def test_a_table_holds_no_formulas_and_pages_no_code(lab, keys):
    evil = '=HYPERLINK("http://x")<script>alert(1)</script>\x1b[2J'
    text = f"**Answer traps · 2 points · 3 minutes**\n\n*What?*\n\n{evil}"
    notebook = filled(lab, {"about-you": about(evil, "-1"), "traps": text})
    result = marked(notebook, keys, "none")
    one = graded.Graded("evil", evil, evil, result, {})
    _, row = csv.reader(io.StringIO(graded.table([one])))
    assert not [cell for cell in row if cell.startswith(graded.FORMULA)]
    for page in (summary.in_html([one]), feedback.in_html(one)):
        assert "<script>alert" not in page and "\x1b" not in page


def test_a_grader_that_fails_its_own_test_grades_nothing(classroom, monkeypatch):
    folder, where = classroom
    evil = self_test.MALICIOUS.replace("(1, len(ways))", "(1, 2)")
    monkeypatch.setattr(self_test, "MALICIOUS", evil)
    with pytest.raises(LabError, match="The wall \\(landlock\\) lets through"):
        grade.grade(folder, where, wall="landlock")
    monkeypatch.setattr(
        program.Program, "try_out", lambda _, asked: ([{"error": "out of order"}] * len(asked), "")
    )
    with pytest.raises(LabError, match="the right answer got 0 of 3 points"):
        grade.grade(folder, where, wall="landlock")
    assert not (where / "grades.csv").exists()


def test_without_a_wall_there_is_one_sentence(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(program, "find_wall", lambda: "")
    monkeypatch.setattr(sys, "argv", ["grade.py", str(tmp_path)])
    with pytest.raises(SystemExit, match="install bubblewrap"):
        grade.main()
