"""All that a student is told is said in their language, whatever they handed in."""

import html
import re
import sys

import forms
import hostile
import pytest
import test_classes
from helpers import filled, hand_in_of, in_brackets, outside, write, zipped
from hypothesis import given, settings
from hypothesis import strategies as st
from test_never_stops import ODD

from grading import gradebook, graded, key, marking, submissions
from grading.graded import Graded, Late, Override, Reading, digest_of
from grading.intake import entries
from grading.pages import feedback, rubric, summary
from grading.sandbox import program
from grading.sandbox.trials import Sandbox
from lab.base.messages import Message, _
from lab.exercises import answer_cells
from lab.exercises.catalogue import ASKED, LAB

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux")
ENDS = (  # hostile answers that come to their end at once
    "exit", "os._exit", "exit when the cell is executed", "recursion", "no Python", "no function",
    "another name", "other arguments", "a generator", "an error without words", "lists in lists",
    "not a number", "interrupts",
)  # fmt: skip
CELL = hostile.CELL
MORE = {  # and others, of which the wall says something
    "a module of the lab's": "import utils\n" + CELL + "return utils.read()",
    "an error at once": "1 / 0",
    "a kind of numbers": CELL + "return x.to(torch.complex128)",
    "a value of its own": CELL + "return type('Own', (), {})()",
    "two cells' magics": "%matplotlib inline\n!ls\n" + CELL + "return x",
}


@pytest.fixture(scope="module")
def results(lab, keys, solved):
    """Results of hand-ins of all kinds, as they are kept: wrong, odd, hostile, not to be read."""
    asked = [name for name in forms.WRONG if name in solved and name in LAB]
    every = [{n: forms.wrong(solved[n], n)[0][0] for n in asked}]
    every += [{"rnn-cell": hostile.EVIL[kind]} for kind in ENDS]
    every += [{"rnn-cell": source} for source in MORE.values()]
    every += [odd for odd in ODD.values() if {*odd} & {"weights", "guess-gates", "confound"}]
    books = [filled(lab, sources) for sources in (*every, {}, solved)]
    books += [in_disorder(filled(lab, solved), change) for change in ({"edition": "x1"}, {})]
    with pytest.MonkeyPatch.context() as patch, Sandbox("none") as sandbox:
        patch.setattr(program, "SECONDS", 1)
        made = [marking.mark(hand_in_of(one), keys, next(iter(keys)), sandbox) for one in books]
    assert {one.status for one in made} == {"review"}  # there was no wall
    return made


def in_disorder(notebook, edition):
    """Return a notebook with an answer twice, one below its cell, one of another type, one gone."""
    found = {n: ones[0].place for n, ones in answer_cells.find(notebook["cells"]).items()}
    cells = notebook["cells"]
    gone = cells[found["weights"]]
    cells[found["traps"]]["cell_type"] = "code"
    twice = cells[found["confound"]] | {"source": "# Exercise confound\nanswer_confound = 'q'"}
    below = {"cell_type": "code", "source": cells[found["rnn-cell"]]["source"].split("\n", 1)[1]}
    cells[found["rnn-cell"]]["source"] = "# Exercise rnn-cell"
    cells.insert(found["rnn-cell"] + 1, below)
    kept = [cell for cell in cells if cell is not gone]
    return notebook | {"cells": [*kept, twice], "metadata": {"lab2": edition}}


def kept(result, folder):
    graded.keep(folder / "a.json", result, "x")
    return graded.kept(folder / "a.json")


def told(one):
    """Return what stands in no brackets of a student's page, in its forms; the name is taken out.

    HTML: what a reader sees of it.
    """
    page = feedback.in_html(one).partition("<body>")[2]
    seen = html.unescape(re.sub(r"<[^>]+>", " ", page))
    row = html.unescape(gradebook.comment(one).replace("<br>", " "))
    markdown = re.sub(r"\\(.)", r"\1", feedback.in_markdown(one))
    return [re.sub(r"[#*\s]|" + one.student, "", outside(text)) for text in (seen, row, markdown)]


def test_results_are_the_same_after_they_were_kept(results, tmp_path, monkeypatch):
    for result in results:
        assert kept(result, tmp_path) == result
    in_brackets(monkeypatch)
    for result in results:
        pair = [Graded("a", "Ann", "a", one, {}) for one in (result, kept(result, tmp_path))]
        assert feedback.in_markdown(pair[0]) == feedback.in_markdown(pair[1])


def test_of_whatever_is_handed_in_all_is_said_in_the_students_language(results, monkeypatch):
    in_brackets(monkeypatch)
    flags = set()
    for result in results:
        one = Graded("a", "Ann", "a.ipynb", result, {})
        assert told(one) == [""] * 3, result.flags
        assert "«" not in graded.table([one]) + summary.in_html([one])  # a teacher's are English
        flags |= {flag.template for flag in result.flags if isinstance(flag, Message)}
    assert len(flags) >= 7


def test_what_was_not_read_is_said_in_the_students_language(tmp_path, monkeypatch):
    """Folders, archives, files of every kind that is no notebook, or not one alone."""
    for name, most in {"MEMBERS": 300, "BYTES": 300_000}.items():
        monkeypatch.setattr(entries, name, most)
    lab = test_classes.notebook("ann", "1", "c")
    large = test_classes.notebook("", "", "x" * 80_000)
    locked = bytearray(zipped({"lab2.ipynb": lab}))
    for head, place in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        locked[locked.index(head) + place] |= 1
    lots = {f"lots/{i}.ipynb": lab + b" " * i for i in range(40)}
    write(tmp_path, lots | {
        "good.ipynb": lab, "cut.ipynb": lab[:-30], "damaged.ipynb": lab[:50] + b"\0" + lab[50:],
        "empty.ipynb": b"", "text.txt": b"x", "other.rar": b"x", "archive.zip": b"PK no archive",
        "deep.zip": test_classes.nested(lab, 6), "locked.zip": bytes(locked), "none/a.pdf": b"x",
        "sum.zip": zipped({f"{i}.ipynb": large for i in range(9)}),
        "many.zip": zipped({f"{i}.txt": b"" for i in range(999)}),
        "two/a.ipynb": lab, "two/b.ipynb": lab + b" ", "two/c.rar": b"x", "two/d.rar": b"x",
        "doe_5_10_a.ipynb": lab, "doe_5_11_b.ipynb": lab + b" ",
    })  # fmt: skip
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "good.ipynb")
    found = submissions.find(tmp_path)
    keys = {"": key.present()}
    made = [(one, marking.mark(one, keys, "", "none")) for one in found if not one.flags]
    made += [(one, marking.Result("review", {}, [*one.flags], {}, "", 0.0, "")) for one in found]
    in_brackets(monkeypatch)
    said = set()
    for one, result in made:
        assert told(Graded("a", "Ann", one.file, result, {})) == [""] * 3, result.flags
        said |= {flag.template for flag in result.flags}
    assert len(said) >= 14, said


CRITERIA = [one.letter for one in rubric.read().of("conclusion").criteria]
WORDS = st.text("ab .:", max_size=9)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_of_whatever_persons_decide_all_is_said_in_the_students_language(data):
    draw = data.draw
    marks = {
        name: marking.Mark(None, entry.points, text="x")
        if entry.kind in ("text", "free")
        else marking.Mark(0, entry.points, (_("No, {what}.", what=draw(WORDS)),), "no")
        for name, entry in ASKED.items()
        if entry.points and draw(st.booleans())
    }
    changes = [
        Override("a", name, draw(st.sampled_from([0, 0.5, 1])), draw(WORDS), "Zoe")
        for name in [*marks, "late"]
        if draw(st.booleans())
    ]
    read = [
        Reading("a", name, digest_of("x"), draw(st.sampled_from([None, 0, 0.5, 1])),
                "+".join(draw(st.sets(st.sampled_from(CRITERIA)))), draw(WORDS), draw(WORDS))
        for name in marks for _again in range(draw(st.integers(0, 2)))
    ]  # fmt: skip
    result = marking.Result("graded", marks, ["for the teacher alone"], {}, "", 0.0, "")
    by_hand = {one.exercise: one.points for one in read if one.points is not None}
    late = draw(st.sampled_from([None, Late(1, 2), Late(3, 2)]))
    one = Graded("a", "Ann", "a", result, by_hand, readings=tuple(read), late=late)
    with pytest.MonkeyPatch.context() as patch:
        in_brackets(patch)
        assert told(one._replace(overrides=tuple(changes))) == [""] * 3
