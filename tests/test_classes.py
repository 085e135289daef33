"""Who handed in what: each entry of a folder is one row, and whose it is, its name alone tells.

Classes are generated, as teachers find them: names with dates in them, platforms' names, copies,
archives in archives, entries of any other kind. No student's code is run.
"""

import contextlib
import itertools
import json
import os
import random
import re
import shutil
import subprocess
import time
from collections import Counter
from pathlib import PurePosixPath
from typing import NamedTuple

import pytest
from helpers import Link, hand_in_of, write, zipped

from grading import key, marking, people, submissions
from grading.graded import digits_of, flags_of, place_of
from grading.intake import entries, owners, reports
from grading.marking import Result
from grading.submissions import find
from lab.base import files
from lab.base.source import parse
from lab.config import LabError
from lab.exercises import answer_cells
from tools.teachers import grade

FIRST = ["anna", "ben", "cleo", "dan", "eve", "finn", "gita", "hugo", "ida", "jan"]
LAST = ["adler", "brandt", "costa", "dietz", "ebert", "fuchs", "graf"]
CHINESE = ["王小明", "李伟", "张丽", "陈静", "刘洋", "赵敏", "孙悦", "周杰", "吴磊", "郑爽"]
DATED = (
    "lab2_2025_11_{0}", "lab2_11_2025_{0}", "{0} 2025-11-30", "{0}_2025_11_lab2", "20251130_{0}",
    "{0}_30_11_2025", "lab2 ({1})", "group_3_{1}_{0}", "{1}", "{0}-{1}", "hw_{1}_2_{0}",
    "v1.{1} {0}",
)  # fmt: skip
JUNK = ("__MACOSX/._lab2.ipynb", "._lab2.ipynb", ".DS_Store", ".ipynb_checkpoints/x.ipynb")


def cell(name, source, kind="code"):
    return {"cell_type": kind, "metadata": {"exercise": {"id": name}}, "source": source}


def notebook(name, number, answer="a", extra="", further=False):
    """A notebook, as small as one can be: who it is by, and one answer."""
    if further:
        cells = [cell("reading-sizes", f"My answer {answer}.", "markdown")]
    else:
        about = cell("about-you", f"student = {{'name': {name!r}, 'number': {number!r}}}")
        cells = [about, cell("confound", f"answer_confound = {answer!r}")]
    return json.dumps({"cells": cells, "nbformat": 4, "metadata": {"extra": extra}}).encode()


def in_blocks(short, size, long):
    """Blocks of seeds, of which those after the short ones are marked long."""
    later = (range(i, i + 10 * size) for i in range(1_000, 1_000 + long, 10 * size))
    return [
        *(range(i, i + size) for i in range(0, short, size)),
        *(pytest.param(seeds, marks=pytest.mark.long) for seeds in later),
    ]


def each(seeds, check, folder):
    for seed in seeds:
        (folder / str(seed)).mkdir()
        check(folder / str(seed), seed)
        shutil.rmtree(folder / str(seed))


class Person(NamedTuple):
    """A student of a generated class, and what must come of the hand-in."""

    student: str
    number: str
    files: dict  # path in the folder -> content
    typed: tuple  # name and number that the notebook says
    hand_ins: int = 1  # notebooks of the lab, of which one counts
    listed: str = ""  # the name in the class list, where the platform has another form of it

    @property
    def entries(self):
        return {path.partition("/")[0] for path in self.files}


ODD = (
    (".ipynb", b""), (".ipynb", b"{"), ("/", b""), (".rar", b"x"), (".pdf", b"%PDF"),
    (".zip", zipped({})), (".zip", b"PK"), ("/._lab2.ipynb", b"x"), (".ipynb/", b""),
    ("/.ipynb_checkpoints/lab2.ipynb", b"{}"), ("/readme.txt", b"hello"), (".json", b"[1]"),
    (".ipynb", Link(b"nowhere")), (".ipynb", Link(b".")), ("/lab2.ipynb", Link(b"lab2.ipynb")),
)  # fmt: skip
LINKS = {"self.ipynb": Link(b"self.ipynb"), "ring.ipynb": Link(b"ring.zip"),
         "ring.zip": Link(b"ring.ipynb"), "gone": Link(b"nowhere"), "up": Link(b"..")}  # fmt: skip


class Maker:
    """Makes the students of one class."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.names = [f"{a} {b}" for a in FIRST for b in LAST]
        self.random.shuffle(self.names)
        self.numbers = itertools.count(self.random.randint(1, 9000), self.random.choice((1, 7)))
        self.made = []

    def typed(self, name):
        """What is typed: mostly the truth, else another's, or nothing."""
        other = self.random.choice(self.made).typed if self.made else ("", "")
        return self.random.choice([(name, f"s{next(self.numbers)}")] * 4 + [("", ""), other])

    def content(self, typed):
        """A notebook; now and then an unchanged copy of another's."""
        contents = [c for one in self.made for c in one.files.values() if c.startswith(b"{")]
        if contents and self.random.random() < 0.1:
            return self.random.choice(contents)
        return notebook(*typed, extra=str(self.random.random()))

    def packed(self, content, depth=1):
        """An archive with a notebook in it, or an archive with one."""
        inner = self.random.choice(("lab2.ipynb", "lab2/lab2.ipynb", "实验/lab2.ipynb"))
        files = {inner: content}
        if any(one.hand_ins for one in self.made) and self.random.random() < 0.3:
            files = self.under_anothers_name(content)
        packed = zipped(files, self.random.choice(("utf-8", "gbk")))
        if depth < 3 and self.random.random() < 0.3:
            return zipped({"lab2.zip": self.packed(content, depth + 1)})
        return packed

    def under_anothers_name(self, content):
        """What a student packs under a platform's name of another: several, if there is one."""
        others = sorted({entry for one in self.made if one.number for entry in one.entries})
        strangers = [f"Eve_{next(self.numbers)}_assignsubmission_file_" for _ in range(20)]
        files = {f"{self.random.choice([*others, strangers[0]])}/lab2.ipynb": content}
        return files | dict.fromkeys((f"{name}/x.pdf" for name in strangers if others), b"%PDF")

    def plain(self):
        """By the name of an entry alone."""
        r, (first, *_) = self.random, (name := self.names.pop()).split()
        number, typed = next(self.numbers), self.typed(name)
        stem = r.choice(
            (name, r.choice(CHINESE) + first, *(d.format(first, number) for d in DATED))
        )
        numbers = [one.number for one in self.made if one.number]
        stem = r.choice(numbers) if numbers and r.random() < 0.3 else stem  # of a platform
        stem = f"{stem} {number}" if stem in {one.student for one in self.made} else stem
        content, ending = self.content(typed), r.choice((".ipynb", ".IPYNB", ".ipynb.txt", ".json"))
        files = r.choice((
            {stem + ending: content}, {f"{stem}/lab2.ipynb": content},
            {f"{stem}/a/b/lab2.ipynb.txt": content}, {f"{stem}.zip": self.packed(content)},
            {f"{stem}.ipynb/lab2.ipynb": content}, {f"{stem}/lab2.zip": self.packed(content)},
            {f"{stem}.ipynb": content, f"{stem}.pdf": b"%PDF"},
            {f"{stem}/lab2.ipynb": content, f"{stem}/report.pdf": b"%PDF"},
        ))  # fmt: skip
        return Person(stem, "", files, typed)

    def odd(self):
        """Nothing that can be graded; a row all the same."""
        stem = f"{self.names.pop()} {next(self.numbers)}"
        ending, content = self.random.choice(ODD)
        return Person(stem, "", {stem + ending: content}, ("", ""), 0)

    def moodle(self, name=""):
        """As Moodle packs it: in folders or flat, in several languages."""
        r, name = self.random, name or self.names.pop().title()
        number, typed = str(next(self.numbers)), self.typed(name)
        shown = r.choice((name, name, f"Teilnehmer_in {number}", f"参与者 {number}"))
        start = f"{shown}_{number}_assignsubmission_file_"
        files = r.choice((
            {f"{start}/lab2.ipynb": self.content(typed)},
            {f"{start}lab2.ipynb": self.content(typed), f"{start}report.pdf": b"%PDF"},
            {f"{start}/lab2.zip": self.packed(self.content(typed))},
            {f"{start}/lab2.ipynb": self.content(typed),
             f"{shown}_{number}_assignsubmission_onlinetext_/onlinetext.html": b"<p>"},
        ))  # fmt: skip
        return Person(shown, number, files, typed)

    def canvas(self):
        """As Canvas packs it: flat, several files and hand-ins of one student."""
        r, name = self.random, self.names.pop()
        short = "".join(name.split()[:: r.choice((1, -1))])
        number, typed = str(next(self.numbers)), self.typed(name)
        start = f"{short}_{r.choice(('', 'LATE_'))}{number}"
        files, hand_ins = {"lab2.ipynb": notebook(*typed, extra=number)}, r.choice((1, 1, 2))
        if hand_ins == 2:
            files["lab2-1.ipynb"] = notebook(*typed, "b", number)
        if r.random() < 0.5:
            files["report.pdf"] = b"%PDF"
        if r.random() < 0.3:
            files["gradients.ipynb"] = notebook("", "", further=True)
        files = {f"{start}_{next(self.numbers)}_{name}": files[name] for name in files}
        return Person(short, number, files, typed, hand_ins, name.title())

    def twin(self):
        """The same name once more: in another form, or with another number of the platform."""
        plain = [one for one in self.made if not one.number and one.hand_ins == 1]
        named = [one for one in self.made if one.number and " " in one.student]
        one = self.random.choice(plain + named or [self.plain()])
        if one.number:
            return self.moodle(one.student)
        taken = {entry for other in self.made for entry in other.entries}
        forms = f"{one.student}.ipynb", f"{one.student}/lab2.ipynb"
        free = [path for path in forms if path.partition("/")[0] not in taken]
        if not free or f"{one.student}.pdf" in taken:  # whose would that be?
            return self.odd()
        files = {free[0]: notebook(*one.typed, extra="twin")}
        return Person(one.student, "", files, one.typed)

    def whole(self):
        """The students of a class."""
        kinds = (self.plain, self.plain, self.odd, self.moodle, self.canvas, self.twin)
        for _ in range(self.random.choice((0, 1, 4, 9))):
            self.made.append(self.random.choice(kinds)())
        return self.made


def rows_of(found, roster=None):
    """The rows of a class, as if it had been graded: what was typed is what the notebook says."""
    named = dict(zip(people.unique_names(found), found, strict=True))
    assert len(named) == len(found)
    results = {name: result_of(one) for name, one in named.items()}
    return people.rows_of_a_class(named, results, roster)


def result_of(one):
    about = answer_cells.find(submissions.whole_of(one).cells or []).get("about-you")
    typed = answer_cells.value_of(about[-1].source, "student") if about else None
    typed = {k: str(v) for k, v in typed.items()} if isinstance(typed, dict) else {}
    return Result("graded", {}, [], typed, "", 0.0, one.sha256)


def lay_out(folder, students, maker):
    """Write a class as a folder or an archive, with what systems leave there; return its place."""
    files = {path: content for one in students for path, content in one.files.items()}
    if any(one.number for one in students) and maker.random.random() < 0.3:
        around = maker.random.choice(("lab2/", "all/lab2/"))
        files = {f"{around}{path}": content for path, content in files.items()}
        files[maker.random.choice(("", around)) + "list.csv"] = b"number,name"
    files |= dict.fromkeys(maker.random.sample(JUNK, 2), b"x")
    if maker.random.random() < 0.5 and students:
        letters = maker.random.choice(("utf-8", "gbk"))
        (folder / "all.zip").write_bytes(zipped(files, letters))
        return folder / "all.zip"
    (folder / "class").mkdir()
    return write(folder / "class", files)


def last_of(path):
    return path.rpartition("/")[2]


def check_class(folder, seed):
    maker = Maker(seed)
    students = maker.whole()
    place = lay_out(folder, students, maker)
    found = [one for one in find(place) if not grade._is_teachers(one, folder, folder / "grades")]
    if any(one.content for one in found):
        assert grade._handed_in(place, folder / "grades") == found
    by_entries = {frozenset(map(last_of, one.entries)): one for one in found}
    assert set(by_entries) == {frozenset(one.entries) for one in students}
    assert len(found) == len(students) and len({one.who for one in found}) == len(found)
    for one in students:
        row = by_entries[frozenset(one.entries)]
        assert (row.student, row.number) == (one.student, one.number)
        named = {f"{entry}/" if entry.isdigit() else entry for entry in one.entries}
        inside = "/" in row.who.strip("/") and last_of(row.who) in one.entries  # of a folder
        assert row.who == one.number or (not one.number and (row.who in named or inside))
        assert row.content is None or one.hand_ins == 0 or row.content.startswith(b"{")
        assert (row.content is not None) == (one.hand_ins > 0) or not one.number
        assert one.hand_ins < 2 or "2 hand-ins by one student" in row.flags[0]
        assert row.content is None or one.hand_ins > 1 or not row.flags
    names = people.unique_names(found)
    assert [people.unique_names([one])[0] for one in found] == names  # whoever else is there
    assert max((len(name.encode()) for name in names), default=0) < 120
    lines = [one for one in students if one.number and re.search("[a-z]{4}", one.student)]
    check_rows(found, students, lines, maker, folder)


def words_of(name):
    return "".join(sorted(re.sub(r"[\W_]", " ", name.lower()).split()))


def check_rows(found, students, lines, maker, folder):
    """A row each, what is shared is flagged, and nobody is both present and missing."""
    absent = [maker.names.pop().title() for _ in range(3)]
    stems = {one.student for one in students}  # a number there is a name
    rows = [one.number for one in students if one.number and one.number not in stems]
    rows += [f"r{i}" for i in range(9 + len(stems))]
    maker.random.shuffle(rows)  # numbers of rows, some of which are the platform's of another
    names = [*(one.listed or one.student for one in lines), *absent]
    listed = [(rows.pop(), f"x{i}", name) for i, name in enumerate(names)]
    roster = folder / "roster.csv"
    roster.write_text("\n".join(",".join(map(str, one)) for one in [("n", "id", "name"), *listed]))
    rows = rows_of(found, roster)
    handed_in, missing = rows[: len(found)], rows[len(found) :]
    assert [one.who for one in handed_in] == [one.who for one in found]
    assert [one.result.status for one in missing] == ["missing"] * len(missing)
    assert [one.student for one in missing] == [", ".join(map(str, x)) for x in listed[-3:]]
    shared = Counter(words_of(one.student) for one in found)
    copies = Counter(one.sha256 for one in found if one.content)
    for one, sub in zip(handed_in, found, strict=True):
        flags = "; ".join(flags_of(one))
        is_shared = shared[words_of(one.student)] > 1
        assert ("are of one name" in flags) == is_shared
        assert ("byte for byte" in flags) == (copies[sub.sha256] > 1)
        assert one.result.status == ("review" if flags else "graded")


@pytest.mark.parametrize("seeds", in_blocks(300, 50, 10_000), ids=str)
def test_each_entry_of_a_class_is_one_row(tmp_path, seeds):
    each(seeds, check_class, tmp_path)


# ── Single kinds ────────────────────────────────────────────────────────────────────────────────

ENTRY = {  # name of an entry -> student and number
    "lab2_2025_11_jane.ipynb": ("lab2_2025_11_jane", ""),
    "lab2_2_1_jane.ipynb": ("lab2_2_1_jane", ""),
    "homework_2_1_jane.ipynb": ("homework_2_1_jane", ""),
    "jane_2025_11_lab2.ipynb": ("jane_2025_11_lab2", ""),
    "jane_20251130_1_lab2.ipynb": ("jane_20251130_1_lab2", ""),
    "Jane_12_34_lab2.ipynb": ("Jane_12_34_lab2", ""),
    "doejane_101_9101_lab2.ipynb": ("doejane", "101"),
    "doejane_LATE_101_9101_lab2.ipynb.txt": ("doejane", "101"),
    "王小明_7_8_lab2.ipynb": ("王小明", "7"),
    "Jane Doe_4711_assignsubmission_file_": ("Jane Doe", "4711"),
    "Jane_Ann Doe_4711_assignsubmission_file_lab2.ipynb": ("Jane_Ann Doe", "4711"),
    "Teilnehmer_in 12_4711_assignsubmission_file_": ("Teilnehmer_in 12", "4711"),
    "Group A-Jane_4711_assignsubmission_onlinetext_": ("Group A-Jane", "4711"),
    "Ann_1_assignsubmission_file_Ben_2_assignsubmission_file_x.ipynb": ("Ann", "1"),
    "20231234.ipynb": ("20231234", ""),
    "lab2 (3).ipynb.txt": ("lab2 (3)", ""),
    ".ipynb": (".ipynb", ""),
}


@pytest.mark.parametrize("entry", ENTRY)
def test_whose_an_entry_is_its_name_tells(tmp_path, entry):
    path = entry if PurePosixPath(entry).suffix else f"{entry}/lab2.ipynb"
    (one,) = find(write(tmp_path, {path: notebook("", "")}))
    assert (one.student, one.number) == ENTRY[entry] and one.content
    assert one.who == (one.number or entry)


ESSAYS = [f"essay_{i}_7_{name}.ipynb" for i, name in enumerate("abc")]
SAME, MOODLE = ([f"{name}_{i}_assignsubmission_file_" for name, i in ones] for ones in
                ([("A", 7), ("B", 7)], [("A", 1), ("B", 2)]))  # fmt: skip
SEVERAL = {  # what lies in a folder -> whose hand-ins these are, and the platform's numbers
    "Canvas numbers each file: no two have one number": (
        dict.fromkeys(ESSAYS, b"{}"), [(name, "") for name in ESSAYS]),
    "one number with two names is two students": (
        {f"{name}/x.ipynb": b"{}" for name in SAME}, [(name, "7") for name in SAME]),
    "a platform's archive may lie in a folder": (
        {"all.zip": zipped({f"{name}/x.ipynb": b"{}" for name in MOODLE}), "n.ipynb": b"{}"},
        [("1", "1"), ("2", "2"), ("n.ipynb", "")]),
}  # fmt: skip


@pytest.mark.parametrize("kind", SEVERAL)
def test_whose_several_entries_are(tmp_path, kind):
    files, whose = SEVERAL[kind]
    found = find(write(tmp_path, files))
    assert [(one.who, one.number) for one in found] == whose
    numbers = Counter(number for _, number in whose if number)
    for one in rows_of(found):
        shared = f"{numbers[one.number]} hand-ins have this number of the platform"
        assert any(shared in note for note in one.notes) == (numbers[one.number] > 1)


def told_in(flags):
    """How many notebooks flags tell of, by name or as one of so many more."""
    text = "; ".join(flags)
    return text.count(".ipynb") + sum(map(int, re.findall(r"(\d+) more", text)))


@pytest.mark.parametrize("around", ["lab2/", "all.zip", "all/lab2/"])
@pytest.mark.parametrize("count", [1, 2, 10, 11, 40])
def test_a_class_without_a_platforms_names_in_one_folder_says_so(tmp_path, around, count):
    """It looks like the folder of one student, who may hand in several notebooks."""
    files = {f"s{i:02}.ipynb": notebook(f"s{i}", str(i)) for i in range(count)}
    files = {around: zipped(files)} if "." in around else {around + n: files[n] for n in files}
    (row,) = rows_of(find(write(tmp_path, files)))
    assert row.result.status == ("review" if count > 1 else "graded")
    assert ("if a whole class lies in it" in "".join(row.notes)) == (count > 1)
    assert told_in(row.result.flags) == (count if count > 1 else 0)
    (tmp_path / "another.ipynb").write_bytes(b"{}")
    assert not any("a whole class" in note for one in rows_of(find(tmp_path)) for note in one.notes)


def test_a_report_beside_the_lab_is_no_second_hand_in(tmp_path):
    files = {}
    for name, number in (("doejane", 101), ("roemax", 102)):
        files[f"{name}_{number}_9{number}_lab2.ipynb"] = notebook(name, str(number))
        files[f"{name}_LATE_{number}_8{number}_report.pdf"] = b"%PDF-1.4"
    (tmp_path / "all.zip").write_bytes(zipped(files))
    found = find(tmp_path / "all.zip")
    assert [(one.student, one.number, one.flags) for one in found] == [
        ("doejane", "101", ()), ("roemax", "102", ())
    ]  # fmt: skip
    assert [one.others[0].file for one in found] == [n for n in sorted(files) if ".pdf" in n]
    folder = write(tmp_path / "folder", files)
    assert [one.late for one in find(folder)] == [False, False]  # the report is late


def test_a_report_is_found_whatever_letters_its_archive_has(tmp_path):
    inner = zipped({"实验/lab2.ipynb": notebook("", ""), "实验/报告.pdf": b"%PDF 1"}, "gbk")
    write(tmp_path, {"ann.zip": inner, "ben/in.zip": zipped({"李.zip": inner}, "gbk")})
    (tmp_path / "all.zip").write_bytes(zipped({"cleo/李.zip": inner}, "gbk"))
    for place in (tmp_path, tmp_path / "all.zip"):
        for one in find(place):
            assert [reports.read(place, other.file) for other in one.others] == [b"%PDF 1"]


def test_a_further_notebook_counts_beside_the_lab_whatever_is_newer(tmp_path):
    further, lab = notebook("", "", "x", further=True), notebook("jane", "1", "c")
    for order in ((1, 2), (2, 1)):
        folder = tmp_path / str(order[0])
        names = [f"doejane_101_9{place}_{place}.ipynb" for place in order]
        write(folder, dict(zip(names, (lab, further), strict=True)))
        write(folder, {"roe/lab2.ipynb": lab, "roe/further/x.ipynb": further, "roe/notes.txt": b""})
        for one in find(folder):
            assert one.content == lab and [other.content for other in one.others] == [further]
            cells = submissions.whole_of(one).cells
            assert {*answer_cells.find(cells)} == {"about-you", "confound", "reading-sizes"}
            assert not one.flags and one.sha256 != one._replace(others=()).sha256
            marks = marking.mark(one, {"": key.present()}, "", "none").marks
            assert marks["reading-sizes"].text == "My answer x." and marks["confound"].most == 1


def test_of_many_notebooks_some_are_looked_into_and_none_is_passed_over(tmp_path):
    """To look into a thousand notebooks, each as large as may be, would take minutes."""
    empty, lab = notebook("", "", ""), notebook("ann", "1", "c")
    files = {f"ann/{i:03}.ipynb": empty for i in range(40)} | {"ann/005.ipynb": lab}
    (one,) = find(write(tmp_path, files))
    assert one.content == lab and one.flags[0].startswith("30 notebooks; taken is ann/005.ipynb")
    assert one.flags[1:] == ("not taken: ann/030.ipynb and 9 more (no answers were found in it)",)


@pytest.mark.parametrize("name", ["{:03}.ipynb", "{:03} Lab2.ipynb"])
def test_the_lab_is_found_at_any_place_among_many_notebooks(tmp_path, name):
    """Others are notebooks of the student's own, or empty copies that are not called so."""
    lab, empty = notebook("ann", "1", "c"), notebook("", "", "")
    for place in range(42):
        folder = tmp_path / str(place)
        other = b'{"cells": []}' if place % 2 or "Lab2" not in name else empty
        files = {f"ann/{name.format(place)}": lab}  # the oldest
        files |= {f"ann/{i:03}.ipynb": other for i in range(42) if i != place}
        (one,) = find(write(folder, files))
        assert one.content == lab, place
        assert told_in(one.flags) in (41, 42), one.flags  # perhaps with the one that is taken


def test_the_last_hand_in_with_an_answer_counts(tmp_path):
    contents = [notebook("", "", answer) for answer in ("", "a", "b", "")]
    files = {f"doe_5_{i}_lab2.ipynb": content for i, content in enumerate(contents, 10)}
    (tmp_path / "all.zip").write_bytes(zipped(files))  # in which all are of one time
    (one,) = find(tmp_path / "all.zip")
    assert one.content == contents[2] and len(one.entries) == 4
    assert "4 hand-ins by one student; the last one counts: doe_5_12_lab2.ipynb" in one.flags[0]
    assert all(f"doe_5_{i}_" in one.flags[0] for i in (10, 11, 13))


def test_names_that_are_alike_stay_apart_whoever_else_is_there(tmp_path):
    content = notebook("", "")
    files = {"anna/x.ipynb": content, "anna.ipynb": content, "anna-2.ipynb": content,
             "an na.ipynb": content, "an_na.ipynb": content, "Anna.ipynb": content,
             "anna.zip": zipped({"x.ipynb": content}), "anna-4711.ipynb": content,
             "anna_4711_1_x.ipynb": content, f"{'😀' * 59}.ipynb": content}  # fmt: skip
    found = find(write(tmp_path, files))
    names = dict(zip([one.who for one in found], people.unique_names(found), strict=True))
    assert len({name.casefold() for name in names.values()}) == len(files) == len(names)
    for one in found:
        if one.who not in ("anna.ipynb", "Anna.ipynb"):  # which some systems cannot tell apart
            assert people.unique_names([one]) == [names[one.who]]


@pytest.mark.parametrize("digits", [1, 2, 16])
def test_names_are_unique_or_a_sentence_says_which_are_not(tmp_path, monkeypatch, digits):
    monkeypatch.setattr(people, "digits_of", lambda who: digits_of(who)[:digits])
    draw, refused = random.Random(digits), 0
    for count in range(2, 40):
        whose = {"anna#({}~k.ipynb", "anna#,}};k.ipynb", "4711", "4711/", " 4711", "4711 "}
        whose |= {f"anna{''.join(draw.choices('#({}~,;', k=4))}k.ipynb" for _ in range(count)}
        found = [submissions.Submission("anna k", "", one, b"", 0.0, who=one) for one in whose]
        assert len({place_of(tmp_path, who) for who in whose}) == len(whose)
        if len({digits_of(who)[:digits] for who in whose}) < len(whose):
            refused += 1
            with pytest.raises(LabError, match=r"^The names '.*' and '.*' cannot be told apart"):
                people.unique_names(found)
        else:
            assert len({*people.unique_names(found)}) == len(whose)
    assert (refused > 0) == (digits < 16)


def test_what_is_typed_gives_nobody_a_row_without_a_note(tmp_path):
    """A friend's number, and a stranger with Anna's name and number."""
    files = {"Anna A_1_assignsubmission_file_/x.ipynb": notebook("Anna A", "s1"),
             "Ben B_2_assignsubmission_file_/x.ipynb": notebook("Cleo C", "s3"),
             "zzz.ipynb": notebook("Anna A", "s1")}  # fmt: skip
    write(tmp_path, {"roster.csv": b"name,id\nAnna A,s1\nBen B,s2\nCleo C,s3\n"})
    found = find(write(tmp_path / "in", files))
    anna, ben, zzz, cleo = rows_of(found, tmp_path / "roster.csv")
    assert (cleo.student, cleo.result.status) == ("Cleo C, s3", "missing")
    assert any("2 hand-ins give this student number" in note for note in anna.notes)
    assert any("typed, 'Anna A', is of Anna A_1" in note for note in zzz.notes)
    assert not ben.notes and ben.result.student == {"name": "Cleo C", "number": "s3"}


def test_who_is_known_by_typing_alone_is_present_with_a_note(tmp_path):
    write(tmp_path, {"roster.csv": b"name,id\nAnna A,s1\nBen B,s2\n"})
    found = find(write(tmp_path / "in", {"lab2 (3).ipynb": notebook("Anna A", "s1")}))
    anna, ben = rows_of(found, tmp_path / "roster.csv")
    assert anna.notes == ("in the class list only by what was typed: Anna A, s1",)
    assert anna.result.status == "review" and ben.student == "Ben B, s2"


ZOE = "3, Zoe Zen"
LISTS = {  # a class list -> the line that Anna Doe's hand-in with the number 3 has, and the note
    "No.,Name\n1,Anna Doe\n2,Ben Roe\n3,Zoe Zen": ("1,Anna Doe", ""),
    "No.,Name\n1,Anna-Maria Doe\n2,Ben Roe\n3,Zoe Zen": ("", ""),
    "Group,Name\nGroup 1,Ben Roe\nGroup 3,Zoe Zen": ("", ""),
    "ID,Name\n1,Anna Doe\n3,Zoe Zen": ("1,Anna Doe", f"in another line: {ZOE}"),
    "ID,Name\n1,Anna-Maria Doe\n3,Zoe Zen": ("3,Zoe Zen", f"only by the platform's number: {ZOE}"),
    "Who,Name\nParticipant 3,A. Doe\nParticipant 1,Zoe Zen": ("Participant 3,A. Doe", ""),
    "Who,Name\nParticipant 3,Anna Doe\nParticipant 4,Anna Doe": ("Participant 3,Anna Doe", ""),
    "Name,Mail\nAnna Doe,a@x.org\nAnna Doe,b@x.org": ("", ""),  # which of them is missing?
}


@pytest.mark.parametrize("text", LISTS)
@pytest.mark.parametrize(
    "entry", ["Anna Doe_3_assignsubmission_file_x.ipynb", "doeanna_3_9_x.ipynb"]
)
def test_a_line_is_known_by_the_name_and_then_by_the_platforms_number(tmp_path, text, entry):
    line, note = LISTS[text]
    roster = tmp_path / "class.csv"
    roster.write_text(text.replace(",", ", ") if "Who" in text else text)
    one, *missing = rows_of(find(write(tmp_path / "in", {entry: notebook("", "")})), roster)
    listed = ",".join(cell.strip() for cell in one.listed.cells) if one.listed else ""
    assert listed == line and [note in told for told in one.notes] == [True] * bool(note)
    assert len(missing) == text.count("\n") - bool(line)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_lines_of_one_name_are_missing_if_they_are_more_than_the_hand_ins(tmp_path, count):
    """One of them is known by Moodle's number, whose hand-in is that of no other line."""
    roster = tmp_path / "class.csv"
    roster.write_text("Who,Name\n" + "".join(f"Participant {i},Li Wei\n" for i in (1, 22, 23)))
    names = [
        f"{n}_{i}_assignsubmission_file_x.ipynb" for i, n in enumerate(("Li Wei", "Wei Li"), 1)
    ]
    names = [*names, "weili_3_9_x.ipynb"][:count]
    files = {name: notebook("", "", extra=name) for name in names}
    missing = rows_of(find(write(tmp_path / "in", files)), roster)[count:]
    assert len(missing) == (0 if count == 3 else 2)


def test_three_thousand_entries_are_three_thousand_rows(tmp_path):
    files = {f"student {i}/lab2.ipynb": notebook(f"s {i}", f"n{i}", str(i)) for i in range(3000)}
    (tmp_path / "all.zip").write_bytes(zipped(files))
    assert len({one.student for one in rows_of(find(tmp_path / "all.zip"))}) == 3000


# ── What one hand-in may cost ───────────────────────────────────────────────────────────────────


def nested(content, depth):
    """A notebook in an archive in an archive ..."""
    for _ in range(depth):
        content = zipped({"lab2.zip" if content.startswith(b"PK") else "lab2.ipynb": content})
    return content


def test_what_costs_too_much_is_a_problem_of_its_own(tmp_path, monkeypatch):
    for name, most in {"LARGEST": 9_000, "BYTES": 20_000, "FILES": 30, "MEMBERS": 300}.items():
        monkeypatch.setattr(entries, name, most)
    small, large = notebook("", ""), notebook("", "", "x" * 8_000)
    huge = notebook("", "", "x" * 1_000_000)
    texts, many = {f"{i}.txt": b"x" * 8_000 for i in range(20)}, "more than 200,000 files"
    kinds = {  # entry -> its files, and what is said of it
        "large.zip": (zipped(texts | {"lab2.ipynb": huge}), "more than 0 MB"),
        "sum.zip": (zipped({f"{i}.ipynb": large for i in range(9)}), "the rest is not read"),
        "many.zip": (zipped({f"{i}.ipynb": small for i in range(99)}), "the rest is not read"),
        "listed.zip": (zipped({f"{i}.txt": b"" for i in range(999)}), many),
        "spread.zip": (
            zipped({f"{i}.zip": zipped(dict.fromkeys("abcdefgh", b"")) for i in range(99)}),
            many,
        ),
        "deep.zip": (nested(small, 4), "archives more than 3"),
        "quine.zip": (zipped({"lab2.zip": nested(huge, 2)}), " "),
        "honest.zip": (nested(small, 3), ""),
        "folder/lab2.ipynb": (small, many),
    }
    write(tmp_path, {name: content for name, (content, _) in kinds.items()})
    write(tmp_path, {f"folder/{i}": b"" for i in range(400)})
    ones = {one.student: " ".join((one.problem, *one.flags)) for one in find(tmp_path)}
    for name, (_, says) in kinds.items():
        said = ones[name.split("/")[0].removesuffix(".zip")]
        assert says in said and bool(said) == bool(says)


@pytest.fixture
def deep(tmp_path):
    """A folder with folders in it, deeper than a path can say and than `rmtree` can go."""
    (tmp_path / "in").mkdir()
    place = os.open(tmp_path / "in", os.O_RDONLY)
    for name in ["deep"] + ["d"] * 1_999:
        os.mkdir(name, dir_fd=place)
        inner = os.open(name, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    os.close(place)
    yield tmp_path / "in"
    subprocess.run(["rm", "-rf", tmp_path / "in"], check=True)


def test_folders_in_folders_end(deep):
    write(deep, {"ann.zip": zipped({"d/" * 1_999 + "lab2.ipynb": notebook("", "")})})
    for one in find(deep):
        assert "folders more than 40 deep" in one.problem and len(one.file) < 2_000


HUGE = "9" * 5_000
LITTLE = notebook("", "")
COSTLY = {
    "a number of 5,000 digits": LITTLE.replace(b'"nbformat": 4', f'"x": {HUGE}'.encode()),
    "such a number as an answer": notebook("", "", 1).replace(b"= 1", b"= 0x" + b"f" * 5_000),
    "such a number typed": notebook("", "1").replace(b"'1'", b"0x" + b"f" * 5_000),
    "an edition of 300 letters": LITTLE.replace(
        b'"extra"', b'"lab2": {"edition": "%s"}, "x"' % (b"a" * 300)
    ),
    "a million lines": LITTLE.replace(b"'a'", b"'a'" + b"\\n1" * 450_000),
    "brackets": LITTLE.replace(b"'a'", b"(" * 50_000),
    "minus signs": LITTLE.replace(b"'a'", b"-" * 50_000 + b"1"),
    "a long chain": LITTLE.replace(b"'a'", b"a" + b".b" * 20_000),
}  # fmt: skip


@pytest.mark.parametrize("kind", COSTLY)
def test_what_is_costly_to_read_is_read_or_said(tmp_path, kind):
    costly, lab = COSTLY[kind], notebook("", "", "b")
    assert costly != LITTLE
    files = {"ann/lab2.ipynb": lab, "ann/other.ipynb": costly, "ben.ipynb": costly}
    ann, ben = find(write(tmp_path, files))
    assert ann.content and ben.content and "2 notebooks" in ann.flags[0]
    whole = submissions.whole_of(ben)
    assert whole.cells and len(whole.edition) < 65 and whole.edition not in key.stored()
    for name, (one,) in answer_cells.find(whole.cells).items():
        value = answer_cells.value_of(one.source, answer_cells.ASKED[name].name)
        assert len(str(value)) < 100_000
        answer_cells.is_empty(one.source, answer_cells.ASKED[name])


def test_a_notebook_of_too_many_parts_says_so(monkeypatch):
    for content in (b"[" * 6_000_000, b'{"cells": [' + b"{}," * 12_000 + b"{}]}",
                    notebook("", "", "x" * 2_100_000)):  # fmt: skip
        whole = submissions.whole_of(hand_in_of(content))
        assert whole.cells is None and "it has more than" in whole.problem
    with pytest.raises(SyntaxError, match="more than 200,000 characters"):
        parse("1\n" * 200_000)


QUESTION = re.compile(r"\*(?!\*)[^*]*(?:[?？]|sentences?\.\)|句话。）)[^*]*\*(?!\*)(?=\s*(?:\n|$))")
COMMAND = re.compile(r"(?m)^([ \t]*)(?:[%!?].*|\S+\?+)$")


def test_what_is_found_in_a_text_is_the_same_in_time_that_grows_with_it():
    """The patterns say what their simple forms above say, whose time grows with the square."""
    draw = random.Random(7)
    for _ in range(20_000):
        text = "".join(
            draw.choices(("*", "?", "a", " ", "\n", "\t", "%", "!", "two sentences.)"), k=9)
        )
        old, new = QUESTION.match(text), answer_cells.QUESTION.match(text)
        assert (old and old[0]) == (new and new[0])
        assert COMMAND.sub(r"\1pass", text) == answer_cells.COMMAND.sub(r"\1pass", text)


SLOW = {
    "question": lambda n: answer_cells.question_of("*" + "?" * n),
    "sentences": lambda n: answer_cells.question_of("*" + "two sentences.)" * (n // 15)),
    "blanks": lambda n: answer_cells.question_of("*why?*" + " " * n + "x"),
    "command": lambda n: answer_cells.COMMAND.sub("", "a" + "?" * n + " x"),
    "indented": lambda n: answer_cells.COMMAND.sub("", " " * n + "x y"),
    "headings": lambda n: answer_cells.HEADING.match("#" * n + " Exercise"),
    "Moodle": lambda n: owners.MOODLE.match("a_1" * (n // 3)),
    "Canvas": lambda n: owners.of(["a_1_2_" + "1" * n, "a" * n + "_1_2_x"]),
    "endings": lambda n: owners.of([".zip" * (n // 4) + "x"]),
    "notebooks": lambda n: entries.NOTEBOOK.search(".ipynb" * (n // 6) + "x"),
}  # fmt: skip


@pytest.mark.parametrize("kind", SLOW)
def test_time_grows_with_the_length_of_a_text(kind):
    """Twenty times the length takes nearer to twenty times the time than to 400 times."""

    def seconds(length):
        start = time.process_time()
        SLOW[kind](length)
        return time.process_time() - start

    short, long = (min(seconds(length) for _ in range(5)) for length in (10_000, 200_000))
    assert long < 120 * max(short, 1e-4)


# ── Whatever else is in them ────────────────────────────────────────────────────────────────────


def changed(content, draw):
    """A file with a few of its bytes, or a part of it, other than they were."""
    content = bytearray(content)
    for _ in range(draw.randint(1, 8)):
        place = draw.randrange(len(content))
        if draw.random() < 0.2:
            del content[place : place + draw.randint(1, 40)]
        else:
            content[place : place + 1] = draw.randbytes(draw.choice((1, 1, 1, 4)))
        content = content or bytearray(b"x")
    return bytes(content)


def name_of_any_kind(draw):
    kinds = "abc", "._ -", "é王😀", "\n\t\x01", "\u202e\u200b", "\udcd6\udcd0", "=+@'\"<>&"
    letters = "".join(draw.choices("".join(kinds), k=draw.randint(1, 9)))
    return f"n{letters}{draw.choice(('.ipynb', '.zip', '.json', '', '.ipynb.txt', '.pdf'))}"


def fuzz(folder, seed):
    """A class of damaged files under any names: a row each, and nothing is raised."""
    draw, inner = random.Random(seed), nested(notebook("a", "1"), 2)
    whole = zipped(
        {"ann/lab2.ipynb": notebook("a", "1"), "ben/lab2.zip": inner, "李/x.ipynb": b"{}"}, "gbk"
    )
    sound = {"n.ipynb": notebook("a", "1"), "n.zip": whole, "n.json": notebook("王", "2", "?" * 99)}
    files = {
        name_of_any_kind(draw): changed(draw.choice([*sound.values()]), draw) for _ in range(6)
    }
    found = find(write(folder / "in", files | LINKS))
    assert grade._handed_in(folder / "in", folder / "grades") == found
    rows = rows_of(found)
    assert all(one.problem == entries.LINK for one in found if one.file in LINKS)
    assert len(rows) == len(found) == len({one.who for one in found})
    assert sum(len(one.entries) for one in found) == len(files | LINKS)  # a.pdf is of a.ipynb
    assert all(one.content or one.problem for one in found)
    for one in rows:
        " ".join((one.name, one.student, one.who, *flags_of(one))).encode("utf-8")
    (folder / "all.zip").write_bytes(changed(whole, draw))
    with contextlib.suppress(LabError):
        for one in find(folder / "all.zip"):
            submissions.whole_of(one)


@pytest.mark.parametrize("seeds", in_blocks(60, 60, 3_000), ids=str)
def test_files_of_any_content_and_name_are_rows(tmp_path, seeds):
    each(seeds, fuzz, tmp_path)


def test_an_earlier_edition_counts_only_if_the_teacher_names_it(tmp_path, monkeypatch):
    monkeypatch.setattr(key, "FOLDER", tmp_path)
    files.write_atomically(tmp_path / "0123456789ab.json", b'{"confound": [1, "a", ""]}')
    assert key.earlier(["0123456789ab"])["0123456789ab"]["confound"].answer == "a"
    assert key.earlier([]) == {} and "0123456789ab" not in grade._keys()[0]
    assert "0123456789ab" in grade._keys(["0123456789ab"])[0]
    for wrong in ("../0123456789ab", "a" * 300, "0123456789ac", ""):
        with pytest.raises(LabError, match="it has: 0123456789ab"):
            key.earlier([wrong])


def test_what_is_gone_is_flagged_no_more(tmp_path):
    """A kept result says nothing of files that lay beside the notebook when it was made."""
    lab = notebook("ann", "1")
    (one,) = find(write(tmp_path, {"ann/lab2.ipynb": lab, "ann/copy.ipynb": lab}))
    kept = marking.mark(one, {"": {}}, "", "none")
    (row,) = people.rows_of_a_class({"a": one}, {"a": kept})
    assert row.result.flags[0][:11] == "2 notebooks"
    (tmp_path / "ann" / "copy.ipynb").unlink()
    (one,) = find(tmp_path)
    (row,) = people.rows_of_a_class({"a": one}, {"a": kept})
    assert not [flag for flag in row.result.flags if "notebooks" in flag]
