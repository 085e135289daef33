"""What goes back to students, and what a teacher is told of a class."""

import html
import io
import json
import re
import zipfile

import pytest
import reading_class
from helpers import write, zipped
from hypothesis import example, given, settings
from hypothesis import strategies as st

from grading import submissions
from grading.graded import Graded, Late, Override, Reading, digest_of, table
from grading.intake import reports
from grading.intake.entries import CUT, DAMAGED
from grading.marking import Mark, Result
from grading.pages import feedback, handback, reading, rubric, summary, writing
from grading.records import agreement
from lab.base.messages import Message, _, say
from lab.config import LabError
from lab.exercises.catalogue import ASKED, FURTHER

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\n# [a](b) `c` **d** | $e$\x1b\ud800"


def graded(name="a", student="Ann", number="", file="a.ipynb", **marks):
    result = Result("graded", marks, [], {}, "", 0.0, "")
    return Graded(name, student, file, result, {}, number, number or name)


def members(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert {one.external_attr >> 16 for one in archive.infolist()} <= {0o644}
        return {name: archive.read(name) for name in archive.namelist()}


# ── Feedback ────────────────────────────────────────────────────────────────────────────────────


def test_a_student_is_told_what_persons_wrote_and_changed():
    text = "My text."
    rows = [
        Reading("a", "traps", digest_of(text), 1.5, "a", "Why?", "Ann"),
        Reading("a", "traps", digest_of("another text"), 0.0, "", "Of an older text.", "Ann"),
    ]
    one = graded(traps=Mark(None, 2, text=text), weights=Mark(0, 2, ("No.",), "1"))
    one = one._replace(by_hand={"traps": 1.5}, readings=tuple(rows))
    one = one._replace(overrides=(Override("a", "weights", 2, "the key was wrong", "Zoe"),))
    told = feedback.in_markdown(one)
    assert "## traps: 1.5 of 2 points\n* Comment: Why?" in told and "older text" not in told
    assert "## weights: 2 of 2 points\n* Points set by your teacher: the key was wrong" in told
    assert "3.5 of 100 points" in told and "Right: weights" in told


CRITERIA = {one.letter: one for one in rubric.read().of("conclusion").criteria}


@settings(max_examples=60, deadline=None)
@given(st.sets(st.sampled_from([*CRITERIA])), st.sampled_from([-0.5, 0, 0.5]), st.booleans())
def test_points_for_a_text_come_with_the_criteria_they_are_for(ticked, more, agreed):
    points = sum(CRITERIA[letter].points for letter in ticked) + more
    rows = [
        Reading("a", "conclusion", digest_of("x"), points, "+".join(sorted(ticked)), "", "Ann"),
        Reading("a", "conclusion", digest_of("x"), points if agreed else 9, "", "Why?", "Bo"),
    ]
    one = graded(conclusion=Mark(None, 5, text="x"))._replace(readings=tuple(rows))
    if agreed:
        one = one._replace(by_hand={"conclusion": points})
    said = [text for section in feedback.sections(one) for _, text in section]
    got = "Given in part for: " if more < 0 else "Given for: "
    not_got = "Not given, or in part, for: " if more > 0 else "Not given for: "
    expected = [
        (got if letter in ticked else not_got) + one.text
        for letter, one in CRITERIA.items()
        if letter in ticked or points < 5
    ]
    assert [text for text in said if "iven" in text] == (expected if agreed else [])
    assert ("Comment: Why?" in said) == agreed  # two who differ tell nothing before it is settled


def test_a_criterion_is_told_in_its_translation():
    for name, entry in rubric.read().entries.items():
        for one in entry.criteria:
            for head in ("Given for: {what}", "Not given, or in part, for: {what}"):
                said = say(Message(head, what=Message(one.plain)), "zh")
                assert not re.search("[a-z]{3} [a-z]|Given|given", said), (name, one.letter)


def test_a_teachers_points_stand_in_the_place_of_what_the_machine_found():
    one = graded(perplexity=Mark(0, 3, ("Tried with 1: no.",), "no"))
    assert "Tried with 1" in feedback.in_markdown(one) and "Hint:" in feedback.in_markdown(one)
    changes = [
        Override("a", "perplexity", 2, "the call was unfair", "Zoe"),
        Override("a", "late", 1.5, "the train was late", "Zoe"),
    ]
    for late in (None, Late(2, 20)):
        told = feedback.in_markdown(one._replace(overrides=tuple(changes), late=late))
        assert "the call was unfair" in told and "Tried" not in told and "Hint" not in told
        assert "set by your teacher: 1.5 (the train was late)" in told


def test_flags_for_the_teacher_stand_in_the_table_and_not_on_the_students_page():
    for_teachers = [
        "rnn-cell: check had said 3 of 3 points, not 0",
        "rnn-cell: a crash; tried once more, alone",
        "rnn-cell: it reaches for sys",
        "pair with 8, who gets the same points",
        "pair with 8: both handed in, each has their own points",
        "pair with Bo: b, who handed in for both",
    ]
    for_both = [_("rnn-cell: 2 cells, the last one counts"), _("traps: its cell is gone")]
    one = graded(weights=Mark(2, 2))
    one.result.flags += for_teachers + for_both
    told = [text for section in feedback.sections(one) for _mark, text in section]
    assert [flag for flag in for_teachers + for_both if flag in told] == for_both
    assert all(flag in table([one]) for flag in for_teachers + for_both)


def test_columns_of_further_notebooks_stand_where_anybody_has_one():
    name = next(name for name in FURTHER if ASKED[name].points)
    assert name not in table([graded()]).splitlines()[0].split(",")
    assert name in table([graded(), graded(**{name: Mark(1, 1)})]).splitlines()[0].split(",")


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=40))
@example(EVIL)
def test_nothing_that_anybody_wrote_starts_anything_in_feedback(words):
    row = Reading("a", "traps", digest_of("x"), 1.0, "", words, "Ann")
    marks = {"traps": Mark(None, 2, text="x"), "weights": Mark(0, 2, (words,), "w")}
    one = graded(student=words, **marks)._replace(readings=(row,))
    page = feedback.in_html(one)
    assert "default-src 'none'; script-src 'none';" in html.unescape(page)
    tags = set(re.findall(r"<(\w+)", page.partition("<body>")[2]))
    assert tags <= {"h1", "h2", "p", "ul", "li"}
    for line in feedback.in_markdown(one).splitlines():
        assert line.count("<") == line.count(r"\<") and line.count("`") == line.count(r"\`")


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_notebook_that_is_cut_off_anywhere_is_called_damaged(data):
    """To the student: what was handed in is the lab, and only a part of it has arrived."""
    cells = [{"source": 'é \\ "x" 中', "n": [-1.5, True, False, None]}] * 2
    notebook = {"cells": cells, "metadata": {"a": {}}, "nbformat": 4}
    ascii_only, indent = data.draw(st.booleans()), data.draw(st.sampled_from([None, 1]))
    whole = json.dumps(notebook, indent=indent, ensure_ascii=ascii_only).encode()
    assert submissions.notebook_of(whole + b"\n").cells == cells
    part = whole[: data.draw(st.integers(10, len(whole) - 1))]
    assert submissions.notebook_of(part).problem == CUT
    at = data.draw(st.integers(10, len(whole) // 2))
    damaged = submissions.notebook_of(whole[:at] + b"\x00\xff\x00" + whole[at:])
    assert damaged.problem == DAMAGED and damaged.cells is None
    result = Result("unreadable", {}, [CUT], {}, "", 0.0, "")
    assert CUT in [
        text for part in feedback.sections(graded()._replace(result=result)) for _, text in part
    ]


# ── Back to the platform ────────────────────────────────────────────────────────────────────────


def test_moodle_gets_a_folder_for_each_number():
    ones = [
        graded("a", "Ann_Mary O'Neil", "11"), graded("b", "张伟", "12"), graded("c", "Cy/x", "13"),
        graded("d", "Dan"), graded("e", "E", "14"), graded("f", "E", "14"),
    ]  # fmt: skip
    content, left = handback.archive([*ones, graded("", "Zoe")], "moodle")
    assert left == ["d", "e", "f"]  # without a number, or with that of another
    assert [*members(content)] == [
        "Ann Mary O Neil_11_assignsubmission_file_/feedback.html",
        "张伟_12_assignsubmission_file_/feedback.html",
        "Cy x_13_assignsubmission_file_/feedback.html",
    ]
    for name, page in members(content).items():  # as Moodle takes the name apart
        folder, _, file = name.partition("/")
        assert folder.split("_")[1:] == [folder.split("_")[1], "assignsubmission", "file", ""]
        assert file == "feedback.html" and page.startswith(b"<!doctype html>")
    assert handback.archive(ones, "moodle")[0] == handback.archive(ones, "moodle")[0]


def test_canvas_gets_its_own_names_and_what_they_promise():
    files = ("annsmith_11_901_lab2.ipynb", "bo_LATE_12_902_lab2-1.zip", "cy_13_903_lab2.ipynb.txt")
    ones = [graded(f"s{i}", file=f"{file}/lab2.ipynb") for i, file in enumerate(files)]
    content, left = handback.archive([*ones, graded("d", file="lab2.ipynb")], "canvas")
    assert left == ["d"]
    notebook, archive, text = members(content).values()
    assert [*members(content)] == [*files]
    (cell,) = json.loads(notebook)["cells"]
    assert cell["cell_type"] == "markdown" and cell["source"].startswith("# Ann")
    assert members(archive)["feedback.html"].startswith(b"<!doctype html>")
    assert text.startswith(b"# Ann")


@pytest.mark.parametrize("around", ["", "sub/", "hw_2_2025_all/", "all/sub/"])
def test_canvas_gets_its_own_names_wherever_the_class_lies(tmp_path, around):
    named = "doeanna_11_901_lab2.ipynb", "roeben_12_902_lab2.ipynb", "o2neil_13_903_lab2.ipynb"
    files = dict.fromkeys(named, b'{"cells": []}')
    within = io.BytesIO()
    with zipfile.ZipFile(within, "w") as archive:  # what is in it decides nothing
        archive.writestr("roeben_12_904_lab2.ipynb", b'{"cells": []}')
    files |= {"zenzoe_14_905_lab2.zip": within.getvalue(), "zoe.zip": within.getvalue()}
    for name, content in files.items():
        (tmp_path / around).mkdir(parents=True, exist_ok=True)
        (tmp_path / around / name).write_bytes(content)
    found = submissions.find(tmp_path)
    ones = [graded(f"s{i}", one.student, one.number, one.file) for i, one in enumerate(found)]
    ones = [one._replace(who=sub.who) for one, sub in zip(ones, found, strict=True)]
    content, left = handback.archive(ones, "canvas")
    assert sorted(members(content)) == sorted(files.keys() - {"zoe.zip"})
    assert left == [one.name for one in ones if one.student == "zoe"]


@pytest.mark.parametrize("platform", handback.PLATFORMS)
def test_feedback_of_a_plain_folder_cannot_go_back(platform):
    with pytest.raises(LabError, match=f"as {platform.capitalize()} names it"):
        handback.archive([graded(file="ann/lab2.ipynb")], platform)


# ── Reports ─────────────────────────────────────────────────────────────────────────────────────


def test_a_report_is_found_in_folders_and_archives_and_nowhere_else(tmp_path):
    pdf, notebook, folder = b"%PDF-1.7 of ", b'{"cells": []}', tmp_path / "class"
    files = {
        "ann/lab2.ipynb": notebook, "ann/report.pdf": pdf + b"ann",
        "bo.zip": zipped({"x/lab2.ipynb": notebook, "x/report.pdf": pdf + b"bo"}),
        "cy.zip": zipped({"in.zip": zipped({"lab2.ipynb": notebook, "a.pdf": pdf + b"cy"})}),
        "di/lab2.ipynb": notebook, "di/report.pdf": b"<script>no PDF</script>",
        "ed/lab2.ipynb": notebook,
    }  # fmt: skip
    write(folder, files)
    (folder / "ed" / "report.pdf").symlink_to(folder / "ann" / "report.pdf")
    (tmp_path / "class.zip").write_bytes(zipped(files))
    for place in (folder, tmp_path / "class.zip"):
        found = {one.student: reading._report(one, place) for one in submissions.find(place)}
        assert found == {"ann": pdf + b"ann", "bo": pdf + b"bo", "cy": pdf + b"cy",
                         "di": b"", "ed": b""}  # fmt: skip
    for file in ("../class.zip", "ann", "bo.zip", "bo.zip/none.pdf", "", "ann/../../class.zip"):
        assert reports.read(folder, file) is None


def test_an_override_settles_what_readers_gave(tmp_path):
    everybody, hand_ins = reading_class.make(2)
    change = Override(everybody[1].who, "traps", 1, "between the two", "Zoe")
    reading.write(
        [everybody[0], everybody[1]._replace(overrides=(change,))], hand_ins, tmp_path, "c"
    )
    page = (tmp_path / "reading" / "traps.html").read_text("utf-8")
    known = json.loads(re.search(r'id="known">(.*?)</script>', page, re.DOTALL)[1])
    assert known["settled"] == [[everybody[1].who, "traps"]]


def test_reports_lie_beside_the_pages_under_names_that_tell_nothing(tmp_path):
    everybody, hand_ins = reading_class.make(2)
    for name, one in hand_ins.items():
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "report.pdf").write_bytes(b"%PDF " + name.encode())
        report = submissions.File(f"{name}/report.pdf")
        hand_ins[name] = one._replace(others=(report,))
    reading.write(everybody, hand_ins, tmp_path, "c", tmp_path / "in")
    pdfs = [path.name for path in tmp_path.glob("reading/reports/*.pdf")]
    page = (tmp_path / "reading" / "traps.html").read_text("utf-8")
    assert len(pdfs) == 2 and all(f'href="reports/{name}"' in page for name in pdfs)
    assert "student_0" not in page


# ── What a teacher is told ──────────────────────────────────────────────────────────────────────


def twice(points, exercise="conclusion"):
    """A class whose texts two have read."""
    for i, both in enumerate(points):
        rows = [
            Reading(str(i), exercise, "0" * 12, value, "", "", reader)
            for reader, value in zip(("Ann", "Bo"), both, strict=True)
        ]
        yield graded(f"s{i}", f"S{i}", str(i))._replace(readings=tuple(rows))


def test_agreement_is_that_of_the_textbook():
    """Weighted kappa by its definition: 1 - observed / expected squared differences."""
    points = [(0, 0.5), (1, 1), (2, 2), (3, 2.5), (5, 5), (4, 4), (2.5, 3.5)]
    (one,) = agreement.of([*twice(points)])
    expected = sum((a - b) ** 2 for a, _ in points for _, b in points) / len(points) ** 2
    observed = sum((a - b) ** 2 for a, b in points) / len(points)
    assert one.kappa == pytest.approx(1 - observed / expected)
    assert (one.count, one.same, one.apart) == (7, 4 / 7, pytest.approx(2 / 7))
    (same,) = agreement.of([*twice([(3, 3)] * 9)])
    assert (same.same, same.kappa) == (1, None)  # all alike: a kappa says nothing
    assert agreement.of([graded()]) == []
    assert agreement.of([*twice(points[:1])])[0].kappa is None


def test_the_summary_shows_what_there_is_and_flags_of_one_kind_together():
    everybody, _ = reading_class.make(12, seed=3)
    everybody += twice([(1, 1), (2, 3)])
    for i, one in enumerate(everybody[:6]):
        one.result.flags.append(f"lstm-cell: {i + 2} cells, the last one counts")
        one.result.marks["guess-linear"] = Mark(1, 1, value=repr(50.0 + i))
        one.result.marks["doubt"] = Mark(0, 1, (), "a", value="'a'")
    everybody[0] = everybody[0]._replace(student=EVIL, notes=(EVIL,))
    page = summary.in_html(everybody, [])
    assert "… cells, the last one counts" in page and page.count("cells, the last") == 7
    assert 'class="spark"' in page and "a: 6" in page and "How far readers agree" in page
    assert "discrimination" in page and "<script" not in page and "<img" not in page
    assert "Nowhere: no hand-in has a flag." in summary.in_html(everybody[8:10], [])


def test_feedback_of_who_is_gone_is_removed_and_nothing_else(tmp_path):
    everybody, hand_ins = reading_class.make(2)
    (tmp_path / "feedback").mkdir()
    own = {"mine.txt", "of-last-year.md", "old.html"}
    for name in own:
        (tmp_path / "feedback" / name).write_text("a teacher's own")
    writing.write(everybody, tmp_path, hand_ins)
    writing.write(everybody[:1], tmp_path, hand_ins)
    left = {path.name for path in (tmp_path / "feedback").iterdir()}
    assert left == {"student_0.md", "student_0.html", *own}
