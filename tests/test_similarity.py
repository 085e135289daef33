"""Answers that are alike: near copies, rings and published answers are listed, honest ones are not.

Classes are generated: an honest student takes one of the right forms of `forms.py` for each
exercise, and edits it a little; a copy is another's answer, renamed and edited.
"""

import ast
import functools
import json
import random

import forms
import mutants
import pytest
from helpers import ROOT, filled, write

from grading import likeness, similarity
from lab.config import LabError
from lab.exercises import answer_cells
from lab.exercises.catalogue import ASKED

SOLVED = {name: source for name, source in mutants.solved_cells().items() if name in ASKED}
TEXTS = [name for name in SOLVED if ASKED[name].kind == "text"]


@functools.cache
def form(name, source):
    return similarity.form(source, ASKED[name].kind)


def text_of(name):
    source = SOLVED[name]
    return answer_cells.text_of(source, answer_cells.question_of(source))


OWN = {name: form(name, text_of(name) if name in TEXTS else SOLVED[name]) for name in SOLVED}
GIVEN = {
    name: form(name, answer_cells.stub(SOLVED[name], name, ASKED[name])) for name in forms.RIGHT
}


class _Edit(ast.NodeTransformer):
    """Changes one place of an answer, in one of four ways that change nothing that it does."""

    def __init__(self, way, place):
        self.way, self.left = way, place

    def _here(self, way):
        self.left -= way == self.way
        return way == self.way and self.left == -1

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if isinstance(node.op, ast.Add | ast.Mult) and self._here("exchange"):
            node.left, node.right = node.right, node.left
        return node

    def visit_Return(self, node):
        if node.value is None or not self._here("name the result"):
            return self.generic_visit(node)
        result = ast.Name("result", ast.Store())
        return [ast.Assign([result], node.value), ast.Return(ast.Name("result", ast.Load()))]

    def visit_Assign(self, node):
        call = ast.Call(ast.Name("print", ast.Load()), [ast.Constant("here")], [])
        return [node, ast.Expr(call)] if self._here("print") else self.generic_visit(node)

    def visit_Attribute(self, node):
        self.generic_visit(node)
        if node.attr in ("T", "mT") and self._here("t()"):
            return ast.Call(ast.Attribute(node.value, "t", ast.Load()), [], [])
        return node


def edited(source, generator, count):
    if not count:
        return source
    tree = ast.parse(source)
    for way in generator.choices(("exchange", "name the result", "print", "t()"), k=count):
        tree = ast.fix_missing_locations(_Edit(way, generator.randrange(3)).visit(tree))
    return ast.unparse(tree)


def renamed(source, generator):
    """The same with other names for what it names itself."""
    tree = ast.parse(source)
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    own = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    other = {name: f"{name}_{generator.randrange(99)}" for name in own}
    for node in names:
        node.id = other.get(node.id, node.id)
    return ast.unparse(tree)


def honest_class(count, generator):
    """Sources of a class, student by exercise; no form of an exercise is quite unusual."""
    students = [{} for _ in range(count)]
    for name in forms.RIGHT:
        ones = [SOLVED[name], *forms.right(SOLVED[name], name)]
        weights = [generator.uniform(1, 3) for _ in ones]
        for student in students:
            (source,) = generator.choices(ones, weights)
            student[name] = edited(source, generator, generator.choice((0, 0, 0, 1)))
    return students


def copied(student, generator):
    return {
        name: renamed(edited(source, generator, generator.randrange(3)), generator)
        for name, source in student.items()
    }


def found(students, earlier=()):
    named = ({name: form(name, s) for name, s in one.items()} for one in students)
    ones = {f"s{i}": forms for i, forms in enumerate(named)}
    old = {f"old{i}": {n: form(n, s) for n, s in one.items()} for i, one in enumerate(earlier)}
    return similarity.find(ones, OWN, GIVEN, old)


@pytest.mark.parametrize("name", forms.RIGHT)
def test_right_forms_of_an_exercise_are_different_answers(name):
    ones = [form(name, source) for source in forms.right(SOLVED[name], name)]
    judged = similarity._judge(ones, [OWN[name], GIVEN[name]])
    assert not judged.alike.any()


@pytest.mark.parametrize("name", forms.RIGHT)
def test_a_form_renamed_and_edited_is_the_same_answer(name):
    generator = random.Random(5)
    for source in forms.right(SOLVED[name], name):
        one = form(name, source)
        copy = form(name, renamed(edited(source, generator, 1), generator))
        judged = similarity._judge([one, copy], [OWN[name], GIVEN[name]])
        size = len(similarity._shingles(one))
        unusual = set(similarity._shingles(one)) - set(similarity._shingles(OWN[name]))
        assert judged.alike[0, 1] or size == 0 or len(unusual) < 20, source


@pytest.mark.parametrize("name", forms.RIGHT)
def test_docstrings_are_no_part_of_an_answer_and_statements_are(name):
    def begun(source, line):
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                node.body[: ast.get_docstring(node) is not None] = ast.parse(line).body
        return form(name, ast.unparse(tree))

    for source in forms.right(SOLVED[name], name):
        if one := form(name, source):
            assert begun(source, "'What it does.'") == one
            assert begun(source, "first = 7.5")[17:] not in ("", one[17:])


@pytest.mark.parametrize("count", [5, 40])
def test_an_honest_class_is_not_listed(count):
    assert found(honest_class(count, random.Random(count))) == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_many_honest_classes_are_not_listed(seed):
    generator = random.Random(seed)
    ones = found(honest_class(generator.choice((20, 60, 150)), generator))
    # one of the forms is the lab's own: who draws it for half of the answers is rightly listed
    assert [one for one in ones if one.kind != "published"] == []


@pytest.mark.parametrize(("count", "ring"), [(20, 2), (150, 20)])
def test_a_ring_is_listed_as_one(count, ring):
    generator = random.Random(count)
    students = honest_class(count, generator)
    members = generator.sample(range(count), ring)
    for place in members[1:]:
        students[place] = copied(students[members[0]], generator)
    first, *others = [one for one in found(students) if one.kind == "alike"]
    assert set(first.who) == {f"s{i}" for i in members}
    assert len(first.exercises) >= 6
    # of 11,175 honest pairs one may agree in so much by chance
    assert len([one for one in others if not set(one.who) & set(first.who)]) <= 1


def test_a_copy_of_an_earlier_year_is_listed():
    generator = random.Random(7)
    students, old = honest_class(30, generator), honest_class(40, generator)
    students[4] = copied(old[9], generator)
    old[3] = copied(old[5], generator)  # which was theirs to find
    assert {(one.kind, one.who) for one in found(students, earlier=old)} == {
        ("earlier", ("s4", "old9"))
    }


@pytest.mark.parametrize("name", TEXTS)
def test_texts_that_differ_in_a_word_are_one_and_others_are_not(name):
    own, other = text_of(name), text_of(TEXTS[TEXTS.index(name) - 1])
    words = own.split()
    for place in range(0, len(words), 5):
        copy = " ".join([*words[:place], "otherwise", *words[place + 1 :]])
        ones = {"a": {name: form(name, own)}, "b": {name: form(name, copy)},
                "c": {name: form(name, other)}}  # fmt: skip
        assert similarity.find(ones, {}) == [similarity.Alike("alike", ("a", "b"), (name,))]
        # any number of them: no text is the usual way
        many = {f"s{i}": ones["a"] for i in range(12)} | {"b": ones["b"]}
        assert len(similarity.find(many, {})[0].who) == 13


def test_a_text_in_chinese_is_read_character_by_character():
    one = "长短期记忆网络的困惑度是一百九十八，门控循环单元是二百零二，普通的循环网络最高。"
    ones = {"a": one, "b": one.replace("最高", "最大"), "c": one[::-1]}
    named = {who: {"traps": similarity.form(text, "text")} for who, text in ones.items()}
    assert [one.who for one in similarity.find(named, {})] == [("a", "b")]


def test_the_published_solution_is_listed_as_such():
    commented = {n: f"# mine\n{s}" if n in forms.RIGHT else s for n, s in SOLVED.items()}
    sources = {n: text_of(n) if n in TEXTS else s for n, s in commented.items()}
    generator = random.Random(1)
    students = [*honest_class(20, generator), sources, {"traps": sources["traps"]}]
    published = [one for one in found(students) if one.kind == "published"]
    assert [one.who for one in published][:1] == [("s20",)]
    assert set(published[0].exercises) >= {n for n in (*forms.RIGHT, *TEXTS) if OWN[n]}
    assert similarity.Alike("published", ("s21",), ("traps",)) in published
    only = {name: renamed(source, generator) for name, source in SOLVED.items() if name in GIVEN}
    assert [one for one in found([only]) if one.kind == "published"] == []


@pytest.mark.parametrize("source", ["def f(:", "x = 1", "", "x\x00", "(" * 10_000])
def test_what_is_short_or_no_python_says_nothing(source):
    assert similarity.form(source, "code") == ""
    assert similarity.find({"a": {"adam": ""}, "b": {}}, {}) == []


def test_earlier_years_are_read_from_hand_ins_and_from_kept_results(tmp_path, lab):
    notebook = json.dumps(filled(lab, {"lstm-cell": SOLVED["lstm-cell"]})).encode()
    write(tmp_path / "2025", {"zoe/lab2.ipynb": notebook, "broken.ipynb": b"{"})
    old = likeness.earlier(tmp_path / "2025")
    assert list(old) == ["2025: zoe/lab2.ipynb"] and "lstm-cell" in old["2025: zoe/lab2.ipynb"]
    where = tmp_path / "grades 2024"
    result = {"status": "graded", "marks": {}, "flags": [], "student": {}, "edition": "",
              "seconds": 0.0, "sha256": "5" * 64, "forms": old["2025: zoe/lab2.ipynb"]}  # fmt: skip
    (where / "kept").mkdir(parents=True)
    (where / "kept" / "x.json").write_text(json.dumps({"grader": "g", "result": result}))
    (where / "kept" / "points.json").write_text("{}")
    (where / "grades.csv").write_text(f"student,sha256\nZoe,{'5' * 64}\n")
    kept = likeness.earlier(where)
    assert kept == {"grades 2024: Zoe": old["2025: zoe/lab2.ipynb"]}
    for name in ("none", "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(LabError, match=name):
            likeness.earlier(tmp_path / name)


def test_the_table_holds_no_formulas():
    text = likeness.table([similarity.Alike("alike", ("=cmd", "b"), ("adam",))])
    assert text == "what,hand_ins,answers\nalike,'=cmd; b,adam\n"


def test_the_rubric_has_no_two_examples_that_are_alike():
    rubric = (ROOT / "course" / "rubric.md").read_text(encoding="utf-8")
    examples = [part for part in rubric.split('"')[1::2] if len(part.split()) > 15]
    assert len(examples) > 10
    named = {str(i): {"traps": similarity.form(t, "text")} for i, t in enumerate(examples)}
    assert similarity.find(named, {}) == []
