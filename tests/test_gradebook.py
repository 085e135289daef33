"""Tables: points of a person are never lost and never move; gradebooks come back as they are."""

import contextlib
import csv
import io
import itertools
import json
import math
import os
import random
import re
import subprocess
import zipfile
from datetime import datetime, timedelta

import pytest
from helpers import ROOT

from grading import gradebook, graded, marking, self_test
from grading.graded import digest_of
from grading.intake.entries import CUT
from grading.marking import FAILED, Mark, Result
from grading.pages import handback, summary, writing
from grading.records import decided, history, late, overrides, readings, statistics
from grading.records.decided import READ
from grading.sandbox import program
from lab.config import LabError
from lab.exercises.catalogue import LAB
from tools.teachers import grade

TEXTS = {"conclusion": 5, "traps": 2, "reading-recall": 4}  # exercise -> its points
assert all(LAB[name].points == most for name, most in TEXTS.items())
HEAD = ",".join(readings.HEAD)


def result_of(content):
    """A ready result of a hand-in that says its own texts, machine points and typed name."""
    told = json.loads(content)
    marks = {"rnn-cell": Mark(told.get("machine", 3), 3), "confound": Mark(1, 1, value="'b'")}
    for name, most in TEXTS.items():
        text = told["texts"].get(name, "")
        marks[name] = Mark(None, most, text=text) if text else Mark(0, most, (), "empty")
    return marks, told.get("student", {})


@pytest.fixture(autouse=True)
def ready(monkeypatch):
    """Nothing is executed: hand-ins say their results."""

    def mark(one, *_):
        marks, student = result_of(one.content)
        return Result("graded", marks, [], student, "e", 1.0, one.sha256)

    monkeypatch.setattr(marking, "mark", mark)
    monkeypatch.setattr(self_test, "check_wall", lambda *_: None)
    monkeypatch.setattr(grade, "Sandbox", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(grade, "_keys", lambda _: ({"e": {}}, "e"))


@pytest.fixture
def quick_pages(monkeypatch):
    """No pages but the table itself."""

    def write(everybody, where, *_, **__):
        where.mkdir(parents=True, exist_ok=True)
        (where / "grades.csv").write_text(graded.table(everybody), encoding="utf-8")

    monkeypatch.setattr(writing, "write", write)


def hand_in(folder, name, **told):
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"cells": [], "texts": {}, **told})
    (folder / f"{name}.ipynb").write_text(content, encoding="utf-8")


def rows_of(where, name="grades.csv"):
    with (where / name).open(encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file)]


def graded_rows(folder, where, *only, **options):
    """Grade, and return the rows of grades.csv by the beginning of `who`."""
    grade.grade(folder, where, "none", grade.Options(only, **options))
    return {row["who"].removesuffix(".ipynb"): row for row in rows_of(where)}


def write_points(path, ones):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([readings.HEAD, *ones])


# ── Points for texts ────────────────────────────────────────────────────────────────────────────


def moodle(number):
    return f"Li Wei_{number}_assignsubmission_file_lab2"


def number_of(name):
    return name.split("_")[1] if "assignsubmission" in name else ""


class Course:
    """A class of which it is known what each reader gave which text, whatever the grader says."""

    def __init__(self, place, seed):
        self.dice, self.folder, self.where = random.Random(seed), place / "in", place / "grades"
        self.names, self.texts = {}, {}  # by who: their file; exercise -> text
        self.seen = {}  # the texts that were graded last
        self.given = {}  # (who, exercise, text) -> reader -> points
        self.laid = {}  # files that are not the grader's -> their content
        self.clock = datetime(2026, 12, 1)
        for name in ("=mei", "'=mei", "12_anna_34", "tom", "tom-2", moodle(77)):
            self.enter(name)

    def enter(self, name):
        words = ("", "=1+1", "same words", f'"{name}",\n; x', "ß 文字", "again")
        texts = {exercise: self.dice.choice(words) for exercise in TEXTS}
        self.names[number_of(name) or f"{name}.ipynb"] = name
        self.texts[number_of(name) or f"{name}.ipynb"] = texts
        hand_in(self.folder, name, texts=texts)

    def step(self):
        options = (self.resubmit, self.newcomer, self.read, self.read, self.grade, self.only)
        self.dice.choice((*options, self.lay))()

    def lay(self):
        """Somebody puts a file of their own into the folder of grades."""
        kinds = ["paper.pdf", "notes.txt", "of-last-year.md", "page.html", "x.png", "list.csv"]
        read_there = ("", "reading")  # where points_read.csv is one of the tables
        folder = self.dice.choice((*read_there, "reading/week1", "feedback", "feedback/x", "mine"))
        path = self.where / folder / self.dice.choice(kinds + [READ] * (folder not in read_there))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.dice.randbytes(9))
        self.laid[path] = path.read_bytes()

    def resubmit(self):
        self.enter(self.names[self.dice.choice([*self.texts])])

    def newcomer(self):
        count = len(self.texts)
        signs, rest = "aAbt=+-@", ("nna", "om", "", "-2")
        plain = self.dice.choice(signs) + self.dice.choice(rest) + str(count)
        self.enter(self.dice.choice((plain, moodle(90 - count))))

    def read(self):
        """A reader gives points to some texts that were graded, and saves a file of these alone."""
        reader, ones = self.dice.choice(("ada", "ben, b.")), []
        for who in self.dice.sample([*self.seen], min(2, len(self.seen))):
            for exercise, text in self.seen[who].items():
                if text.strip():
                    self.clock += timedelta(minutes=1)
                    points = self.dice.randint(0, 2 * TEXTS[exercise]) / 2
                    self.given.setdefault((who, exercise, digest_of(text)), {})[reader] = points
                    ones.append((who, exercise, digest_of(text), points, "a+b", "so, \"so\"\n=x",
                                 reader, self.clock.isoformat()))  # fmt: skip
        if ones and (ones[0][0] in self.seen):
            name = self.dice.choice(("", "reading/")) + self.dice.choice(
                (READ, "points_read (1).csv", "points_read_x.csv")
            )
            ones = [[graded.guarded(str(cell)) for cell in row] for row in ones]  # as the page does
            write_points(self.where / name, ones)
            if name != READ:
                self.laid[self.where / name] = (self.where / name).read_bytes()
            self.grade()  # before another file takes this one's name

    def grade(self):
        rows = graded_rows(self.folder, self.where)
        self.seen = {who: {**texts} for who, texts in self.texts.items()}
        self.check(rows)

    def only(self):
        who = self.dice.choice([*self.texts])
        before = {r["who"]: r for r in rows_of(self.where)} if self.seen else {}
        rows = graded_rows(self.folder, self.where, who)
        self.seen[who] = {**self.texts[who]}
        self.check(rows)
        for row in rows_of(self.where):
            if row["who"] not in map(graded.harmless, self.seen):
                assert "not graded yet" in row["flags"] and row["score"] == ""
            elif row["who"] != graded.harmless(who):
                old = before[row["who"]] | {"flags": "", "status": ""}  # which speak of others, too
                assert row | {"flags": "", "status": ""} == old

    def check(self, rows):
        assert len(rows) == len(self.texts)
        assert {path: path.read_bytes() for path in self.laid} == self.laid
        for who, texts in self.seen.items():
            row = rows[graded.harmless(who).removesuffix(".ipynb")]
            for exercise, text in texts.items():
                values = {*self.given.get((who, exercise, digest_of(text)), {}).values()}
                expected = (
                    "0" if not text.strip() else f"{values.pop():g}" if len(values) == 1 else ""
                )
                assert row[exercise] == expected, (who, exercise)
                assert (f"{exercise}: the readers disagree" in row["flags"]) == (len(values) > 1)
                earlier = {of[2] for of in self.given if of[:2] == (who, exercise)}
                said = f"{exercise}: " in row["flags"] and "to an earlier text" in row["flags"]
                assert said or not earlier or digest_of(text) in earlier
        for path in {*self.where.rglob("*.csv")} - self.laid.keys():
            with path.open(encoding="utf-8", newline="") as file:
                cells = [cell for row in csv.reader(file) for cell in row]
            formulas = [cell for cell in cells if cell.startswith(graded.FORMULA)]
            assert not [cell for cell in formulas if not re.fullmatch(r"-[\d.]+", cell)], path
        kept = readings.read(self.where / READ)
        known = {(r.student, r.exercise, r.text): {} for r in kept}
        for r in kept:
            known[r.student, r.exercise, r.text][r.reader] = r.points
        assert known == self.given


COURSES = [*range(6), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(6, 206))]


@pytest.mark.parametrize("seed", COURSES)
def test_no_point_that_a_person_gave_is_lost_or_moves(tmp_path, seed, quick_pages):
    course = Course(tmp_path, seed)
    for _ in range(14):
        course.step()
    course.grade()


@pytest.mark.parametrize("seed", range(2))
def test_nor_a_file_that_is_not_the_graders(tmp_path, seed):
    course = Course(tmp_path, seed)
    for _ in range(4):
        course.lay()
        course.step()
    course.grade()


def test_the_old_head_is_read_where_a_name_is_one_students(tmp_path, quick_pages):
    folder, where = tmp_path / "in", tmp_path / "grades"
    for name in ("anna", "ben"):
        hand_in(folder, name, texts={"traps": f"by {name}", "conclusion": "x"})
    write_points(where / "points_read.csv", [])
    (where / "points_read.csv").write_text("name,exercise,points\nanna,traps,1.5\n")
    rows = graded_rows(folder, where)
    assert (rows["anna"]["traps"], rows["ben"]["traps"]) == ("1.5", "")
    (kept,) = readings.read(where / "points_read.csv")  # and from now on it is tied to its text
    assert kept.student == "anna.ipynb" and kept.text == digest_of("by anna")
    hand_in(folder, "anna", texts={"traps": "another"})
    rows = graded_rows(folder, where)
    assert rows["anna"]["traps"] == ""
    assert "traps: 1.5 points were given to an earlier text" in rows["anna"]["flags"]
    hand_in(folder, "anna", texts={"traps": " by anna "})
    assert graded_rows(folder, where)["anna"]["traps"] == "1.5"
    (where / "points_read.csv").write_text("name,exercise,points\nzoe,traps,1\n")
    with pytest.raises(LabError, match=r"'zoe' names 0 hand-ins"):
        graded_rows(folder, where)


GOOD = ["anna.ipynb", "traps", "0123456789ab", "1.5", "", "", "ada", "2026-12-01T10:00"]
BAD = {
    3: ["2,5", "-1", "2.5", "6", "nan", "inf", "1e0", "", "x", "½", "+1", "0x1", "1" * 5000],
    2: ["", "0123456789a", "1.23457E+11", "0123456789AB", "../x"],
    1: ["", "rnn-cell", "about-you", "no such"],
    0: [""],
    7: ["yesterday", "2026-13-01", "1"],
}


@pytest.mark.parametrize(("place", "value"), [(p, v) for p, ones in BAD.items() for v in ones])
def test_a_row_that_is_not_whole_is_refused_with_its_line(tmp_path, place, value):
    row = [*GOOD[:place], value, *GOOD[place + 1 :]]
    write_points(tmp_path / "points_read.csv", [GOOD, row, GOOD])
    with pytest.raises(
        LabError,
        match=r"^points_read\.csv, line 3: [^;]*; mend it first, for nothing was graded\.$",
    ):
        decided.read(tmp_path)


def test_a_row_cut_anywhere_is_refused_or_the_same(tmp_path):
    """So is a decimal comma without quotes, which makes two cells of one."""
    path = tmp_path / "points_read.csv"
    lines = f"{HEAD}\n{','.join(GOOD)}\n"
    for row in (",".join(GOOD[:n]) for n in range(1, 8)):
        path.write_text(f"{lines}{row}\n")
        with pytest.raises(LabError, match="line 3: it has"):
            readings.read(path)
    path.write_text(lines + ",".join(GOOD).replace("1.5", "1,5"))
    with pytest.raises(LabError, match=r"line 3: it has 9 cells.*like 2\.5"):
        readings.read(path)
    path.write_text("student;exercise\n")
    with pytest.raises(LabError, match="must begin with the line student,exercise,text"):
        readings.read(path)


def test_a_file_cut_anywhere_gives_no_other_points(tmp_path):
    """As a download that was broken off: rows are missing then, or it is refused."""
    path, ones = tmp_path / "x.csv", []
    for name, points, comment in (("anna.ipynb", 1.5, 'so "so",\nwell'), ("7", 2.0, "好, 2.5")):
        reading = readings.Reading(name, "traps", digest_of(name), points, "a+b", comment, "ada")
        ones.append(reading._replace(when="2026-12-01T10:00:00.000Z"))
    content, refused = readings.table(ones).encode(), 0
    for end in range(1, len(content)):
        path.write_bytes(content[:end])
        try:
            assert {one[:4] for one in readings.read(path)} <= {one[:4] for one in ones}, end
        except LabError:
            refused += 1
    assert refused > len(content) / 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", ",;\t")
def test_points_come_back_as_any_program_saves_them(tmp_path, encoding, delimiter):
    odd = [
        'a "b" \\" c',
        "zwei\nZeilen, und; mehr\t.",
        "=1+1",
        "好",
        " x ",
        "'",
        "\\",
        "#",
        "sep=;",
    ]
    given = [readings.Reading(f"m{i} é,;", "traps", f"{i:012x}", i / 8, comment=text.strip(),
             reader="a") for i, text in enumerate(odd)]  # fmt: skip
    given[0] = given[0]._replace(points=None)
    text = readings.table(given)
    if delimiter != ",":
        rows = csv.reader(io.StringIO(text))
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
        text = out.getvalue()
    (tmp_path / "x.csv").write_bytes(text.encode(encoding))
    assert readings.read(tmp_path / "x.csv") == given


def test_no_cell_of_points_is_a_formula_and_all_come_back(tmp_path):
    whose = ["".join(signs) for signs in itertools.product("'=+-@\ta", repeat=4)]
    given = [
        readings.Reading(who, "traps", "0" * 12, 1.0, comment=f"{who}.", reader=f"{who}.")
        for who in whose
    ]
    (tmp_path / "x.csv").write_text(readings.table(given), encoding="utf-8")
    cells = [cell for row in csv.reader(io.StringIO(readings.table(given))) for cell in row]
    assert not [cell for cell in cells if cell.startswith(graded.FORMULA)]
    assert sorted(readings.read(tmp_path / "x.csv")) == sorted(given)


def test_readers_are_merged_and_a_conflict_is_said(tmp_path, quick_pages):
    folder, where = tmp_path / "in", tmp_path / "grades"
    hand_in(folder, "anna", texts={"traps": "t", "conclusion": "c", "reading-recall": "r"})

    def row(exercise, text, points, reader, when="2026-12-01T10:00Z"):
        return ["anna.ipynb", exercise, digest_of(text), points, "", "", reader, when]

    ada = [("traps", "t", 1), ("conclusion", "c", 4), ("reading-recall", "r", 2)]
    write_points(where / "points_read_ada.csv", [row(*one, "ada") for one in ada])
    ben = [row("traps", "t", 1, "ben"), row("conclusion", "c", 3, "ben", "2026-12-02")]
    ben += [row("reading-recall", "r", 3, "ada", "2026-12-01T11:00Z")]
    write_points(where / "points_read_ben.csv", ben)
    anna = graded_rows(folder, where)["anna"]
    assert (anna["traps"], anna["conclusion"], anna["reading-recall"]) == ("1", "", "3")
    assert "conclusion: the readers disagree: 4 by ada, 3 by ben" in anna["flags"]
    assert anna["status"] == "review"
    assert len(readings.read(where / "points_read.csv")) == 5
    (where / "overrides.csv").write_text(
        "student,exercise,points,reason,who,when\nanna.ipynb,conclusion,3.5,both were there,cleo,\n"
    )
    anna = graded_rows(folder, where)["anna"]
    assert anna["conclusion"] == "3.5" and "disagree" not in anna["flags"]
    assert anna["overrides"] == "conclusion: 3.5 (both were there; cleo)"


# ── Platforms' tables ───────────────────────────────────────────────────────────────────────────


def row(name, student, number="", points=3, flags=(), typed=None, **more):
    marks = {"rnn-cell": Mark(points, 3, ("expected <b>", "got\ud800 \x1b"), "g")}
    result = Result("graded", marks, [*flags], typed or {}, "e", 1.0, "sha")
    return graded.Graded(name, student, f"{name}.ipynb", result, {}, number, name, **more)


def filled(path, everybody, *args):
    book = gradebook.read(path, *args)
    matched, flags = gradebook.match(book, everybody)
    content, count = gradebook.fill(book, matched)
    return content, count, flags


HEADS = {
    "English": ["Identifier", "Full name", "Email address", "Grade", "Feedback comments"],
    "German": ["ID", "Vollständiger Name", "E-Mail-Adresse", "Bewertung", "Feedback als Kommentar"],
    "Chinese": ["标识符", "全名", "电子邮件地址", "成绩", "反馈评论"],
    "Russian": ["Идентификатор", "Полное имя", "Почта", "Оценка", "Комментарий"],
}
PARTICIPANT = {"English": "Participant ", "German": "Teilnehmer/in", "Chinese": "参与者",
               "Russian": "Участник "}  # fmt: skip
FORMS = [
    ("utf-8", ","), ("utf-8-sig", ";"), ("utf-16", "\t"), ("gb18030", ","), ("utf-8", "\t"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("language", "encoding", "delimiter"),
    [
        (language, *form)
        for language in HEADS
        for form in FORMS
        if form[0] != "gb18030" or language in ("English", "Chinese")
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
def test_a_worksheet_of_any_form_is_filled_in(
    tmp_path, language, encoding, delimiter, end, quoting
):
    """All that is not ours comes back to the byte."""
    head, prefix = HEADS[language], PARTICIPANT[language]
    people = [
        ("201", "王小明", "w@x.cn"),
        ("202", 'Jane "J" Doe', "j@x.org"),
        ("203", "李四; 五", ""),
    ]
    people += [(str(300 + i), f"张三{'丰' * i}", f"z{i}@x.cn") for i in range(5)]
    rows = [head, *([f"{prefix}{n}", name, mail, "", ""] for n, name, mail in people)]

    def written(rows):
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)
        return out.getvalue().encode(encoding)

    path = tmp_path / "book.csv"
    path.write_bytes(written(rows))
    ones = [row("a", "王小明", "201", 2.5), row("b", "other", "202", 0)]
    content, count, flags = filled(path, ones, head[3], (), head[4])
    assert count == 2 and not flags
    for i, one in enumerate(ones, 1):
        rows[i][3:] = [f"{one.result.marks['rnn-cell'].points:g}", gradebook.comment(one)]
    assert content.decode(encoding) == written(rows).decode(encoding)
    content, count, _ = filled(path, ones, head[3], (head[0],))
    assert count == 2
    with pytest.raises(LabError, match="no column 'Nummer'"):
        filled(path, ones, head[3], ("Nummer",))


def test_no_text_of_a_student_stops_or_scripts_a_table(tmp_path):
    path = tmp_path / "book.csv"
    book = "Identifier,Full name,Grade,Feedback comments\nParticipant 7,王小明,,\n"
    for encoding in ("utf-8", "utf-16", "gb18030"):
        path.write_bytes(book.encode(encoding))
        evil = "<img src=x onerror=alert(1)>\ud800\udfff\x00\u202e `*_[a](b) &lt; \U0001f600 好"
        one = row("a", "a", "7")
        one.result.marks["rnn-cell"] = Mark(0, 3, (evil, "\n\r\x85"), evil)
        content, count, _ = filled(path, [one])
        (found,) = csv.DictReader(io.StringIO(content.decode(encoding)))
        comment = found["Feedback comments"]
        assert count == 1 and "<img" not in comment and "\\" not in comment
        assert set(comment.replace("<br>", "")) & set("<>\x00\u202e\n\r") == set()
        assert "&lt;img src=x" in comment


def test_whose_file_is_damaged_is_told_so_in_the_row_and_keeps_the_mark(tmp_path):
    path = tmp_path / "book.csv"
    path.write_text("Identifier,Grade,Feedback comments\n1,,\n2,5,\n3,,\n", encoding="utf-8")
    ones = [row("a", "a", "1"), row("b", "b", "2"), row("c", "c", "3")]
    for one, why in zip(ones[1:], (CUT, f"{FAILED} MemoryError"), strict=True):
        one.result.marks.clear()
        one.result.flags.append(why)
        one.result.status = "unreadable"
    content, count, _ = filled(path, ones)
    _, damaged, failed = csv.DictReader(io.StringIO(content.decode()))
    assert count == 1 and damaged["Grade"] == "5" and CUT in damaged["Feedback comments"]
    assert not failed["Grade"] and not failed["Feedback comments"]  # it is the grader's fault


def test_a_row_is_theirs_by_what_the_platform_says(tmp_path):
    """Who types another's number fills nobody's row; who has none is found, and flagged."""
    path = tmp_path / "book.csv"
    path.write_text("Identifier,Full name,ID number,Grade\nParticipant 4711,Ann Lee,s1,\n"
                    "Participant 4712,Ben Orr,s2,\nParticipant 4713,Cy Fox,4712,\n"
                    "Participant 4714,Di Ray,s9999,\nParticipant 4715,Twin Poe,,\n"
                    "Participant 4716,Twin Poe,,\n")  # fmt: skip
    ones = [
        row("ben", "Ben Orr", "4712", 1, typed={"name": "Cy Fox", "number": "4713"}),
        row("ann", "Somebody", "4711", 2),
        row("di", "s9999_lab2", "", 3, typed={"name": "Di Ray", "number": ""}),
        row("twin", "Twin Poe", "", 3),
        row("mixed", "Ann Lee", "", 3, typed={"name": "Di Ray", "number": ""}),
        row("nobody", "x", "", 3),
        row("friend", "Eve", "9999", 3, typed={"name": "Di Ray", "number": "s9999"}),
    ]
    content, count, flags = filled(path, ones)
    grades = [one["Grade"] for one in csv.DictReader(io.StringIO(content.decode()))]
    assert grades == ["2", "1", "", "3", "", ""] and count == 3
    assert {name: said for name, (said,) in flags.items()} == {
        "di": "gradebook: its row was found by what was typed",
        "twin": "gradebook: several rows of it may be theirs",
        "mixed": "gradebook: several rows of it may be theirs",
        "nobody": "gradebook: it has no row of theirs",
        "friend": "gradebook: it has no row of theirs",
    }


def test_two_hand_ins_that_fit_one_row_fill_it_not(tmp_path):
    path = tmp_path / "book.csv"
    path.write_text("Student,ID,SIS Login ID,Section,Lab 2 (99),Final\n    Possible,,,,100,\n"
                    '"Doe, Jane",12,jd,A,,9\n"Zen, Zoe",13,zz,A,7,\n')  # fmt: skip
    ones = [row("a", "doejane", "", 2), row("b", "Jane Doe", "", 3)]
    ones += [row("c", "zenzoe", "13"), row("d", "Zoe Zen", "", 2)]
    content, count, flags = filled(path, ones)
    assert count == 1 and '"Doe, Jane",12,jd,A,,9' in content.decode()
    assert '"Zen, Zoe",13,zz,A,3,' in content.decode()
    assert {*flags} == {"a", "b", "d"} and "another, too" in flags["a"][0]
    content, count, flags = filled(path, ones[:1])
    assert count == 1 and "the name alone" in flags["a"][0]
    for ones in ([row("x", "nobody", "99")], []):
        with pytest.raises(LabError, match=r"No row of .* has got points: .*--who NAME"):
            filled(path, ones)
    with pytest.raises(LabError, match="Which column"):
        gradebook.read(path, "none such")


def test_a_class_list_of_any_form_says_who_is_missing(tmp_path, quick_pages):
    folder, roster = tmp_path / "in", tmp_path / "class.csv"
    hand_in(folder, "王小明", student={"name": "王小明", "number": "2026001"})
    for encoding, delimiter in FORMS:
        text = "number,name\n2026001,王小明\n109,张三丰在这里等大家\n".replace(",", delimiter)
        roster.write_bytes(text.encode(encoding))
        grade.grade(folder, tmp_path / "g", "none", grade.Options(roster=roster))
        rows = [r["student"] for r in rows_of(tmp_path / "g") if r["status"] == "missing"]
        assert len(rows) == 1 and "109" in rows[0], (encoding, delimiter)


# ── The way back, overrides, lateness, pairs, statistics ────────────────────────────────────────


def test_each_writing_keeps_what_was_there_and_undo_brings_it_back(tmp_path, quick_pages):
    folder, where = tmp_path / "in", tmp_path / "grades"
    book = tmp_path / "book.csv"
    book.write_text("Identifier,Full name,Grade\nParticipant 7,Ann,\n")
    texts, states, given = {"traps": "t", "conclusion": "c"}, [], []
    tables = ("grades.csv", "gradebook.csv", "points_read.csv", "statistics.csv")
    for i, (machine, points) in enumerate([(1, 0.5), (2, 0.5), (2, 1), (3, 2)]):
        hand_in(folder, "Ann_7_assignsubmission_file_lab2", texts=texts, machine=machine)
        given = [["7", "traps", digest_of("t"), points, "", "", "ada", f"2026-12-0{i + 1}"]]
        write_points(where / "points_read.csv", given)
        graded_rows(folder, where, book=gradebook.read(book))
        states.append({name: (where / name).read_bytes() for name in tables})
        graded_rows(folder, where, book=gradebook.read(book))  # changes nothing
        assert states[-1] == {name: (where / name).read_bytes() for name in tables}
    assert len([*(where / "previous").iterdir()]) == 4  # one: the points before any grading
    for state in states[-2::-1]:
        history.undo(where)
        assert state == {name: (where / name).read_bytes() for name in tables}
    history.undo(where)
    assert not (where / "grades.csv").exists() and readings.read(where / "points_read.csv")
    with pytest.raises(LabError, match="nothing before"):
        history.undo(where)
    kept = {path.read_bytes() for path in (where / "previous").rglob("grades.csv")}
    assert {state["grades.csv"] for state in states} <= kept  # an undone one is not lost either
    changes = rows_of(where, "changes.csv")
    why = [tuple(row[k] for k in ("exercise", "before", "after", "why")) for row in changes]
    assert why[:2] == [("rnn-cell", "1", "2", "resubmission"), ("traps", "0.5", "1", "read")]
    assert why[-1][3].startswith("undone")


def test_make_clean_touches_no_grades():
    command = ["make", "--dry-run", "--no-print-directory", "clean"]  # the tests run below a make
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    deleted = {part for line in said.stdout.splitlines() for part in line.split()[2:]}
    assert deleted == {"build", ".venv"} and grade.GRADES == ROOT / "grades"
    assert "/grades/" in (ROOT / ".gitignore").read_text().splitlines()


def test_groups_in_folders_of_their_own_do_not_meet(tmp_path, quick_pages):
    for group, points in (("a", 1), ("b", 2)):
        hand_in(tmp_path / group, "anna", texts={"traps": "same"})
        given = [["anna.ipynb", "traps", digest_of("same"), points, "", "", "", ""]]
        write_points(tmp_path / f"grades-{group}" / "points_read.csv", given)
    for _ in range(2):
        for group, points in (("a", "1"), ("b", "2")):
            rows = graded_rows(tmp_path / group, tmp_path / f"grades-{group}")
            assert rows["anna"]["traps"] == points


OVERRIDES = "student,exercise,points,reason,who,when\n"


def test_overrides_stand_before_all_and_are_logged(tmp_path, quick_pages):
    folder, where = tmp_path / "in", tmp_path / "grades"
    hand_in(folder, "anna", machine=0)
    hand_in(folder, "ben")
    before = graded_rows(folder, where)
    assert before["anna"]["score"] == "1"
    path = where / "overrides.csv"
    path.write_text(f"{OVERRIDES}anna,rnn-cell,1,half of it,ada,2026-12-01\n"
                    "anna.ipynb,rnn-cell,2.5,\"more than half, see mail\",ada,2026-12-02\n"
                    "gone,traps,1,r,ada,\n")  # fmt: skip
    for _ in range(2):
        rows = graded_rows(folder, where)
    assert (rows["anna"]["rnn-cell"], rows["anna"]["score"]) == ("2.5", "3.5")
    assert rows["anna"]["overrides"] == "rnn-cell: 2.5 (more than half, see mail; ada)"
    assert rows["ben"] == before["ben"]
    (change,) = rows_of(where, "changes.csv")
    assert [change[k] for k in ("student", "exercise", "before", "after", "why")] == [
        "anna.ipynb", "rnn-cell", "0", "2.5", "override: more than half, see mail (ada)",
    ]  # fmt: skip
    bad = ["anna,rnn-cell,3.5,r,a,", "anna,rnn-cell,1,,a,", "anna,rnn-cell,1,r,,", ",traps,1,r,a,",
           "anna,none,1,r,a,", 'anna,traps,"1,5",r,a,', "anna,traps,1,r", "anna,traps,-1,r,a,",
           "anna,about-you,0,r,a,", "anna,traps,1,r,a,soon"]  # fmt: skip
    for line in bad:
        path.write_text(f"{OVERRIDES}{line}\n")
        with pytest.raises(LabError, match=r"^overrides\.csv, line 2: "):
            graded_rows(folder, where)
    path.write_text(f"{OVERRIDES}anna,traps,1,r,a,\nanna.ipynb,traps,2,r,b,\n")
    with pytest.raises(LabError, match="two numbers of points for traps"):
        graded_rows(folder, where)


def test_an_ambiguous_name_in_a_table_is_asked_for():
    ones = [row("a", "Li Wei"), row("b", "Li Wei")]
    said = [overrides.Override("Li Wei", "traps", 1.0, "r", "a")]
    with pytest.raises(LabError, match=r"'Li Wei' may be a \(a\.ipynb\), b \(b\.ipynb\)"):
        overrides.by_who(said, ones)


WHEN = [
    ("Tuesday, 1 December 2026, 11:59 PM", 0),
    ("Wednesday, 2 December 2026, 12:00 AM", 1),
    ("2026年12月3日 星期四 00:10", 2),
    ("2026年12月3日 星期四 上午12:10", 2),
    ("2026-12-04 23:59", 3),
    ("Saturday, 5 December 2026, 12:01 AM", 4),
    ("-", 0),
    ("", 0),
    ("03/12/2026 10:00", 0),  # March or December?
]


@pytest.mark.parametrize(("text", "days"), WHEN)
def test_days_late_are_told_from_the_platforms_times(text, days):
    rule = late.rule("2026-12-01T23:59", "10 per day, 3 days")
    found = late.judged(rule, late.read(text))
    assert (found.days if found else 0) == days
    assert not found or found.penalty == (10 * days if days <= 3 else math.inf)


def test_a_rule_is_understood_or_refused():
    assert late.rule("", "") is None and late.rule("2026-12-01", "").per_day == 0
    assert late.rule("2026-12-01", "2.5 points per day").days is None
    for due, said in (("", "10 per day"), ("soon", ""), ("2026-12-01", "ten per day"),
                      ("2026-12-01", "10 per day, 3"), ("2026-12-01", "-1 per day")):  # fmt: skip
        with pytest.raises(LabError, match=r"Write it like|needs --due"):
            late.rule(due, said)
    rule = late.rule("2026-12-01T23:59", "10 per day")
    assert late.judged(rule, None) is None
    assert (
        late.judged(rule, None, said=True).days == 1
    )  # Canvas says LATE_, and nobody knows how much
    assert late.judged(rule, datetime(2026, 12, 9), said=False) is None


def test_lateness_is_a_column_of_its_own(tmp_path, quick_pages):
    folder, where, book = tmp_path / "in", tmp_path / "grades", tmp_path / "book.csv"
    times = {"1": "1 December 2026, 8:00 PM", "2": "2 December 2026, 8:00 PM", "3": "-",
             "4": "9 December 2026, 8:00 AM"}  # fmt: skip
    book.write_text("Identifier,Full name,Last modified (submission),Grade\n" + "".join(
        f'Participant {n},S{n},"Tuesday, {when}",\n' for n, when in times.items()))  # fmt: skip
    for n in times:
        hand_in(folder, f"S{n}_{n}_assignsubmission_file_lab2", machine=3)
    week = datetime(
        2026, 12, 7, 12
    ).timestamp()  # of a file; the platform's table says nothing of "3"
    os.utime(folder / "S3_3_assignsubmission_file_lab2.ipynb", (week, week))
    rule = {"due": "2026-12-01T23:59", "late": "1.5 per day, 3 days"}
    rows = graded_rows(folder, where, book=gradebook.read(book), **rule)
    told = {n: (rows[n]["score"], rows[n]["penalty"], rows[n]["final"]) for n in ("1", "2", "4")}
    assert told == {"1": ("4", "", "4"), "2": ("4", "1.5", "2.5"), "4": ("4", "4", "0")}
    assert "1 day late by the platform's table" in rows["2"]["flags"]
    assert "6 days late by its file's time" in rows["3"]["flags"]
    grades = [r["Grade"] for r in rows_of(where, "gradebook.csv")]
    assert grades == ["4", "2.5", "0", "0"]
    graded_rows(folder, where, "1")  # neither table nor deadline is named again
    again = {r["who"]: {**r, "flags": ""} for r in rows_of(where)}
    assert again == {name: {**r, "flags": ""} for name, r in rows.items()}
    hand_in(folder, "S2_2_assignsubmission_file_lab2", machine=2)
    os.utime(folder / "S2_2_assignsubmission_file_lab2.ipynb", (week, week))
    assert "6 days late by its file's time" in graded_rows(folder, where)["2"]["flags"]
    rows = graded_rows(folder, where, due="none")
    assert {r["final"] for r in rows.values()} == {"3", "4"}
    (where / "overrides.csv").write_text(f"{OVERRIDES}4,late,0,was ill,ada,\n")
    rows = graded_rows(folder, where, book=gradebook.read(book), **rule)
    assert (rows["4"]["penalty"], rows["4"]["final"]) == ("", "4")


@pytest.mark.parametrize("machine", [3, 2])  # the same again, or another
@pytest.mark.parametrize("by_table", [False, True])
def test_whose_hand_in_is_not_meant_keeps_the_time_that_was_kept(
    tmp_path, quick_pages, machine, by_table
):
    """Their points are those of what was graded; so is its time, whatever lies there by now."""
    folder, where, book = tmp_path / "in", tmp_path / "grades", tmp_path / "book.csv"
    names = {n: f"S{n}_{n}_assignsubmission_file_lab2" for n in "12"}
    rule = {"due": "2026-12-01T23:59", "late": "0.5 per day"}

    def come(n, day, machine=3):
        hand_in(folder, names[n], machine=machine)
        moment = datetime(2026, 12, day, 20).timestamp()
        os.utime(folder / f"{names[n]}.ipynb", (moment, moment))
        book.write_text("Identifier,Full name,Last modified (submission),Grade\n" + "".join(
            f'Participant {i},S{i},"{day} December 2026, 8:00 PM",\n' for i in names))  # fmt: skip

    def rows(*only):
        table = {"book": gradebook.read(book)} if by_table else {}
        found = graded_rows(folder, where, *only, **rule, **table)
        return {n: row | {"flags": ""} for n, row in found.items()}

    come("1", 2), come("2", 2)
    before = rows()["2"]
    come("2", 5, machine)
    if by_table and machine == 3:  # the platform knows when this very file came
        assert rows("1")["2"]["penalty"] == "2"
    else:
        assert before["penalty"] == "0.5" and rows("1")["2"] == rows("1")["2"] == before
    assert rows()["2"]["penalty"] == "2" == rows("1")["2"]["penalty"]


def test_both_of_a_pair_have_the_points(tmp_path, quick_pages):
    folder, where, roster = tmp_path / "in", tmp_path / "grades", tmp_path / "class.csv"
    for name in ("1_anna", "2_ben", "3_cleo"):
        hand_in(folder, name, texts={"traps": name})
    roster.write_text("number,name\n8,Zoe Zen\n9,Yan Yu\n")
    where.mkdir()
    (where / "pairs.csv").write_text("first;second\n1_anna;8\n2_ben;3_cleo\nx;y\n")
    write_points(where / "points_read.csv",
                 [["1_anna.ipynb", "traps", digest_of("1_anna"), 2, "", "", "", ""]])  # fmt: skip
    for _ in range(2):
        rows = graded_rows(folder, where, roster=roster)
    assert rows["8"]["score"] == rows["1_anna"]["score"] == "6" and rows["8"]["traps"] == "2"
    assert "who handed in for both" in rows["8"]["flags"] and "Zoe" in rows["8"]["student"]
    assert "pair with 8" in rows["1_anna"]["flags"]
    assert "both handed in" in rows["2_ben"]["flags"] and rows["2_ben"]["score"] == "4"
    missing = [r["student"] for r in rows_of(where) if r["status"] == "missing"]
    assert len(missing) == 1 and "Yan" in missing[0]
    for text in ("a;b\na;c\n", "a;a\n", "a;b\nc\n", "a;b;c\n"):
        (where / "pairs.csv").write_text(text)
        with pytest.raises(LabError, match=r"^pairs\.csv, line \d "):
            graded_rows(folder, where)


LISTS = {  # a class list -> what pairs.csv may call Zoe Zen
    "number,name,mail\n8,Zoe Zen,z@x.org\n": ["8", "Zoe Zen", "z@x.org"],
    "Vorname;Nachname;Matrikel\nZoe;Zen;8\n": ["Zoe Zen", "Zen Zoe", "8"],
    "Name;Vorname;Mail\nZen;Zoe;z@x.org\n": ["Zoe Zen", "Zen Zoe", "z@x.org"],
    "Surname,First name,ID number\nZen,Zoe,8\n": ["Zoe Zen", "8"],
    "Nr,Wer,Gruppe 1\n8,Zoe Zen,B\n": ["8", "Zoe Zen"],
    "Nr,Wer,Auch\n8,Zoe,Zen\n": ["8", "Zoe Zen"],
}
BOOKS = [
    "Identifier,Full name,Email address,Grade\nParticipant 11,Ann,a@x.org,\n"
    "Participant 12,Zoe Zen,z@x.org,\nParticipant 8,Bo,b@x.org,\n",
    'Student,ID,SIS Login ID,Lab 2\nAnn,11,aa,\n"Zen, Zoe",12,zz,\nBo,8,bb,\n',
]


@pytest.mark.parametrize("book", BOOKS)
@pytest.mark.parametrize(("text", "who"), [(text, n) for text, ones in LISTS.items() for n in ones])
def test_a_partner_is_found_by_whatever_the_class_list_says(
    tmp_path, capsys, quick_pages, book, text, who
):
    folder, where, roster = tmp_path / "in", tmp_path / "grades", tmp_path / "class.csv"
    hand_in(folder, "Ann_11_assignsubmission_file_lab2")
    hand_in(folder, "stranger")
    roster.write_text(text, encoding="utf-8")
    (tmp_path / "book.csv").write_text(book, encoding="utf-8")
    where.mkdir()
    (where / "pairs.csv").write_text(f"11,{who}\n", encoding="utf-8")
    given = gradebook.read(tmp_path / "book.csv")
    options = grade.Options(roster=roster, book=given)
    everybody = grade.grade(folder, where, "none", options)
    column = "Grade" if "Grade" in book else "Lab 2"
    points = [one[column] for one in rows_of(where, "gradebook.csv")]
    assert points == ["4", "4", ""]
    assert f"Points, but no row in {given.path}: stranger." in capsys.readouterr().out
    (zoe,) = [one for one in everybody if one.partner]
    assert (zoe.student, zoe.number) == ("Zoe Zen", "")
    content, left = handback.archive(everybody, "moodle")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["Ann_11_assignsubmission_file_/feedback.html"]
    assert left == ["stranger", zoe.name]


def test_a_partner_is_found_where_the_table_has_another_name(tmp_path):
    path = tmp_path / "book.csv"
    path.write_text("ID,Full name,Email,Grade\n8,Bo,b@x.org,\n12,Zoé,z@x.org,\n")
    line = graded.Listed("Zoe Zen", ("8", "Zoe Zen", "z@x.org"))
    content, count, _ = filled(path, [row("p", "Zoe Zen", listed=line, partner="a")])
    assert count == 1 and content.decode().endswith("z@x.org,3\n")


def test_a_partner_with_a_number_of_moodle_has_feedback_and_canvas_gives_it_to_who_handed_in(
    tmp_path, quick_pages
):
    folder, where, roster = tmp_path / "in", tmp_path / "grades", tmp_path / "class.csv"
    hand_in(folder, "Ann_11_assignsubmission_file_lab2")
    hand_in(folder, "leebo_21_31_lab2")
    roster.write_text("Identifier,Full name\nParticipant 12,Zoe Zen\nParticipant 22,Cy Fox\n")
    where.mkdir()
    (where / "pairs.csv").write_text("11,12\n21,Cy Fox\n")
    everybody = grade.grade(folder, where, "none", grade.Options(roster=roster))
    for platform, files in (("moodle", 4), ("canvas", 1)):
        content, left = handback.archive(everybody, platform)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert len(archive.namelist()) == files, (platform, left)


def test_a_name_of_pairs_that_nobody_has_makes_no_student(tmp_path, quick_pages):
    folder, where, roster = tmp_path / "in", tmp_path / "grades", tmp_path / "class.csv"
    hand_in(folder, "anna")
    roster.write_text("number,name\n8,Zoe Zen\n")
    where.mkdir()
    for text, line in (("anna,Zoe Zem\n", 1), ("a,b\n\nZoe Zem,anna\n", 3)):
        (where / "pairs.csv").write_text(text)
        with pytest.raises(LabError, match=rf"line {line}: neither .* names 'Zoe Zem'"):
            graded_rows(folder, where, roster=roster)
        assert not (where / "grades.csv").exists()
    (where / "pairs.csv").write_text("anna,Zoe Zen\n")
    with pytest.raises(LabError, match="with --roster"):
        graded_rows(folder, where)
    assert len(graded_rows(folder, where, roster=roster)) == 2


def test_statistics_are_those_of_the_class():
    dice = random.Random(1)
    ones = []
    for i in range(40):
        able = dice.random()
        marks = {
            "rnn-cell": Mark(3 if able > 0.5 else 0, 3, group="" if able > 0.5 else "zeros"),
            "unroll": Mark(round(3 * able, 2), 3, group="" if able == 1 else "=odd"),
            "detach": Mark(dice.randint(0, 1), 1, value=repr("abcd"[i % 4] if i else "x")),
            "guess-linear": Mark(1, 1, value=str(float(i))),
            "guess-recall": Mark(1, 1, value=repr({"RNN": i, "LSTM": 90, "GRU": 80})),
            "traps": Mark(None, 2, text="t") if i else Mark(0, 2, group="empty"),
        }
        result = Result("graded", marks, [], {}, "e", 1.0, "s")
        ones.append(graded.Graded(str(i), str(i), "f", result, {"traps": 1.0} if i > 30 else {}))
    found = {one.exercise: one for one in statistics.of(ones)}
    cell = found["rnn-cell"]
    assert cell.share == pytest.approx(cell.right / 40) and cell.times == 40 - cell.right
    assert cell.mistake == "zeros" and cell.discrimination > 0.5 > abs(
        found["detach"].discrimination
    )
    assert found["guess-linear"].discrimination is None
    assert found["traps"].count == 10 and found["traps"].empty == 1
    assert found["detach"].letters == {"a": 9, "b": 10, "c": 10, "d": 10, "other": 1}
    assert found["guess-linear"].predictions[""] == [float(i) for i in range(40)]
    assert {*found["guess-recall"].predictions} == {"RNN", "LSTM", "GRU"}
    table = {(r["exercise"], r["part"]): r
             for r in csv.DictReader(io.StringIO(statistics.table([*found.values()])))}  # fmt: skip
    assert table["guess-linear", ""]["median"] == table["guess-recall", "RNN"]["median"] == "19.5"
    assert table["unroll", ""]["mistake"] == "'=odd" and "a:9" in table["detach", ""]["letters"]
    assert statistics.of([]) == [] and statistics.table([]).count("\n") == 1


def test_points_that_go_out_before_all_is_read_are_said_to_be_so_far(tmp_path, capsys, quick_pages):
    folder, where, book = tmp_path / "in", tmp_path / "grades", tmp_path / "book.csv"
    numbers = [str(n) for n in range(11, 16)]
    for n in numbers:
        hand_in(folder, moodle(n), texts={"traps": n} if n != "15" else {})
    text = "Identifier,Grade\n" + "".join(f"Participant {n},\n" for n in numbers)
    book.write_text(text)
    read = gradebook.read(book)

    def given(n, points, reader):
        return [n, "traps", digest_of(n), points, "", "", reader, "2026-12-01T10:00"]

    rows = []
    for unread, apart, more in (
        (4, 0, []),
        (3, 0, [given("11", 1, "ada")]),
        (3, 1, [given("12", 1, "ada"), given("12", 2, "ben")]),
        (0, 0, [given(n, 1, "ada") for n in ("13", "14")]),
    ):
        rows += more
        write_points(where / "points_read.csv", rows)
        if not unread:
            (where / "overrides.csv").write_text(f"{OVERRIDES}12,traps,1,r,cleo,\n")
        graded_rows(folder, where, book=read)
        said = capsys.readouterr().out
        whole = f"{unread} of 5 hand-ins are not read to the end, {apart} in conflict: their points"
        assert (whole in said) == (unread > 0) and ("read to the end" in said) == (unread > 0)


UNREAD = {
    "Dienstag, 1. Dezember 2026, 20:00": True,
    "01.12.2026 20:00": True,
    "mardi 1 décembre 2026, 20:00": True,
    "Вторник, 1 декабря 2026, 20:00": True,
    "Tuesday, 1 December 2026, 8:00 PM": False,
    "2026年12月1日 星期二 20:00": False,
    "2026-12-01 20:00": False,
    "-": False,
    "": False,
}


@pytest.mark.parametrize(("text", "unread"), UNREAD.items())
def test_times_of_a_table_that_nobody_can_read_are_said_once(
    tmp_path, capsys, quick_pages, text, unread
):
    folder, where, book = tmp_path / "in", tmp_path / "grades", tmp_path / "book.csv"
    for n in (11, 12):
        hand_in(folder, moodle(n))
    book.write_text("ID,Zuletzt geändert (Abgabe),Grade\n" + "".join(
        f'Teilnehmer/in{n},"{text}",\n' for n in (11, 12)), encoding="utf-8")  # fmt: skip
    graded_rows(folder, where, book=gradebook.read(book), due="2026-12-01T23:59")
    said = capsys.readouterr().out
    what = f"2 times like {text!r} cannot be read; the time of the file counts instead."
    assert said.count(what) == unread and said.count("cannot be read") == unread


def test_the_summary_counts_hand_ins_and_a_pair_once(tmp_path):
    ones = [row("a", "Li Wei", "1", flags=["x"]), row("b", "Li Wei", "2", 1, flags=["x"])]
    ones[0].result.status = "review"
    both = row("c", "Bo", "3", 2, flags=["x"])
    nothing = Result("missing", {}, [], {}, "", 0.0, "")
    unread = Result("unreadable", {}, ["it is empty"], {}, "", 0.0, "")
    ones += [both, both._replace(name="d", who="d", student="Cy", partner="c")]
    ones[0].result.flags.append("y")
    ones[1].result.flags.append("y")
    ones += [graded.Graded("e", "E", "e.ipynb", unread, {}, "", "e")]
    ones += [graded.Graded("", "Z", "", nothing, {}, "", "z")]
    page = summary.in_html(ones)
    assert "<h1>6 rows: 4 handed in, 1 partner of a pair, 1 missing</h1>" in page
    assert "4 hand-ins: 3 graded (1 of them with the status review), 1 not." in page
    assert '<td>y</td><td class="n">2</td>' in page  # two students of one name are two hand-ins
    assert '<td>x</td><td class="n">3</td>' in page  # and a pair is one
    assert page.count('<td class="n">1</td>\n<td><div') + page.count(
        '<td class="n">3</td>\n<td><div') == 1  # fmt: skip


def test_control_c_ends_in_a_sentence_and_loses_nothing(tmp_path, monkeypatch, capsys, quick_pages):
    folder, where = tmp_path / "in", tmp_path / "grades"
    for name in ("anna", "ben", "cleo"):
        hand_in(folder, name)
    mark, done = marking.mark, []

    def interrupted(one, *rest):
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(one.student)
        return mark(one, *rest)

    monkeypatch.setattr(program, "find_wall", lambda: "none")
    monkeypatch.setattr(grade.machine, "available_cores", lambda: 1)
    monkeypatch.setattr("sys.argv", ["grade.py", str(folder), "--out", str(where)])
    monkeypatch.setattr(marking, "mark", interrupted)
    with pytest.raises(SystemExit) as ended:
        grade.main()
    said = "Stopped. What is graded is kept; the same command goes on.\n"
    assert ended.value.code == 130 and capsys.readouterr().err.endswith(said)
    again = []
    monkeypatch.setattr(marking, "mark", lambda one, *r: again.append(one.student) or mark(one, *r))
    grade.main()
    assert sorted(done + again) == ["anna", "ben", "cleo"] and len(rows_of(where)) == 3


def test_tables_and_grades_in_the_folder_are_no_hand_ins(tmp_path, capsys):
    folder = tmp_path / "in"
    where = folder / "grades"
    hand_in(folder, "anna")
    hand_in(where / "kept", "feedback")
    (folder / "Class List.CSV").write_text("name\nanna\n")
    (folder / "book.tsv").write_text("name\nanna\n")
    (folder / "anna.csv").write_text("her own")  # beside her notebook: it belongs to it
    (folder / "li_11_12_data.csv").write_text("of Canvas, which names who handed it in")
    hand_in(folder / "ben", "data.csv")
    for place, more in ((where, ["grades"]), (tmp_path / "grades", [])):
        ones = {one.who for one in grade._handed_in(folder, place)}
        assert ones == {"anna.ipynb", "ben", "11"} | ({"grades"} - {*more})
        names = ", ".join(["Class List.CSV", "book.tsv", *more])
        assert f"No hand-ins, and left out: {names}.\n" in capsys.readouterr().out


PLACES = {  # of the folder of grades, beside or in that of the hand-ins -> may it be there?
    "../grades": True, "grades": True, "..": True, "../in/grades": True, "../way/grades": True,
    ".": False, "../in": False, "../way": False, "anna": False, "anna/x": False, "x/grades": False,
    "ben.zip": False, "../reading/grades": True,
}  # fmt: skip


@pytest.mark.parametrize(("place", "may_be"), PLACES.items())
def test_grades_never_lie_where_hand_ins_do(tmp_path, quick_pages, place, may_be):
    folder = tmp_path / "in"
    for name in ("anna", "anna/reading", "cleo"):
        hand_in(folder / name, "lab2")
    with zipfile.ZipFile(folder / "ben.zip", "w") as archive:
        archive.write(folder / "cleo" / "lab2.ipynb", "lab2.ipynb")
    (tmp_path / "way").symlink_to(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for _ in range(2):
        if may_be:
            assert {*graded_rows(folder, folder / place)} == {"anna", "ben.zip", "cleo"}
        else:
            with pytest.raises(LabError, match=r"would lie among the hand-ins of .* with --out"):
                graded_rows(folder, folder / place)
            after = {path for path in folder.rglob("*") if path.is_file()}
            assert after == {*before}
        assert before == {path: path.read_bytes() for path in before}


@pytest.mark.parametrize("name", ["feedback", "reading", "kept", "previous", "reading/week1"])
def test_hand_ins_never_lie_where_pages_do(tmp_path, quick_pages, name):
    hand_in(tmp_path / name, "anna")
    with pytest.raises(LabError, match="would lie among the hand-ins"):
        graded_rows(tmp_path / name, tmp_path)


@pytest.mark.parametrize("names", [[], ["a.csv"], ["a.csv", "b.pdf"], ["notes.txt", "x/y.py"]])
def test_where_no_notebook_is_nothing_is_graded(tmp_path, names):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("a,b\n")
        if "/" not in name and not name.endswith(".zip"):
            with pytest.raises(LabError, match=r"is no folder and no \.zip\. Name the folder"):
                grade.grade(folder / name, tmp_path / "grades", "none")
    with pytest.raises(LabError, match=r"^There is no notebook in"):
        grade.grade(folder, tmp_path / "grades", "none")
    assert not (tmp_path / "grades").exists()


def test_tables_of_a_german_excel_are_read_and_come_back(tmp_path, capsys, quick_pages):
    folder, where = tmp_path / "in", tmp_path / "grades"
    roster, book = tmp_path / "class.csv", tmp_path / "book.csv"
    hand_in(folder, "Jörg Müßig")
    roster.write_bytes("Nr;Name\r\n1;Jörg Müßig\r\n2;Änne Groß\r\n".encode("cp1252"))
    head = "Nr;Vollständiger Name;Grade\r\n"
    book.write_bytes(f"{head}1;Jörg Müßig;\r\n2;Änne Groß;\r\n".encode("cp1252"))
    grade.grade(folder, where, "none", grade.Options(roster=roster, book=gradebook.read(book)))
    said = capsys.readouterr().out
    assert all(f"{path} is not in UTF-8, and is read as cp1252" in said for path in (roster, book))
    filled = (where / "gradebook.csv").read_bytes().decode("cp1252")
    assert filled == f"{head}1;Jörg Müßig;4\r\n2;Änne Groß;\r\n"
    assert "2, Änne Groß" in {r["student"] for r in rows_of(where)}
    (where / "overrides.csv").write_bytes(f"{OVERRIDES}x,traps,1,für,ä,\n".encode("cp1252"))
    with pytest.raises(LabError, match="is not in utf-8"):  # one's own texts stay strict
        grade.grade(folder, where, "none")


def test_the_program_grades_fills_and_goes_back(tmp_path, monkeypatch, capsys, quick_pages):
    """A table in which nobody is found costs no grades: it is said when they are written."""
    folder, where, book = tmp_path / "in", tmp_path / "grades", tmp_path / "book.csv"
    hand_in(folder, moodle(201), machine=1)

    def main(*options):
        monkeypatch.setattr("sys.argv", ["grade.py", *map(str, options), "--out", str(where)])
        grade.main()
        return capsys.readouterr().out

    monkeypatch.setattr(program, "find_wall", lambda: "none")
    book.write_bytes("标识符;成绩;反馈\r\n参与者9;;\r\n".encode("gb18030"))
    named = ("--gradebook", book, "--column", "成绩", "--comment", "反馈", "--who", "标识符")
    with pytest.raises(SystemExit, match=r"No row of .*book\.csv has got points: .*标识符"):
        main(folder, *named)
    assert rows_of(where)[0]["rnn-cell"] == "1" and not (where / "gradebook.csv").exists()
    book.write_bytes("标识符;成绩;反馈\r\n参与者201;;\r\n".encode("gb18030"))
    hand_in(folder, moodle(201), machine=3)
    said = main(folder, *named, "--due", "2026-12-01T12:00", "--late", "1 per day")
    assert "1 row of" in said and "Points of 1 student have changed: changes.csv." in said
    row = (where / "gradebook.csv").read_bytes().decode("gb18030").splitlines()[1]
    assert row.startswith("参与者201;") and "of 100 points so far.<br>" in row
    assert "as before the grading of 20" in main("--undo")
    assert rows_of(where)[0]["rnn-cell"] == "1" and not (where / "gradebook.csv").exists()
    with pytest.raises(SystemExit, match="2"):
        main()
    with pytest.raises(SystemExit, match="No hand-in is called 'x', 'y'"):
        main(folder, "--only", "x", "y", "201")
