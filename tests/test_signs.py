"""Signs of Chinese keyboards in answers: each in each cell, from the kernel to the points."""

import ast
import re

import pytest
from helpers import Kernel, filled, folder_with, hand_in_of

from grading import key, marking
from lab.exercises import answer_cells, check, signs
from lab.exercises.catalogue import ASKED, letter
from lab.notebooks import session
from tools.students import my_report

VALUES = [name for name, one in ASKED.items() if one.kind in marking.MEANT]
CODE = [name for name, one in ASKED.items() if one.kind in ("code", "free")]
QUOTED = r'(?<!")"([^"\n]*)"(?!")'
TEXTS = re.compile(r'("""[\s\S]*?"""|"[^"\n]*"|#[^\n]*)')


def typed(pattern, sign):
    """Return what types a sign in the place of another one, outside of texts and comments."""

    def type_it(source):
        heading, _, body = source.partition("\n")
        pieces = [body] if pattern == QUOTED else TEXTS.split(body)
        pieces[::2] = [re.sub(pattern, sign, piece) for piece in pieces[::2]]
        return f"{heading}\n{''.join(pieces)}"

    return type_it


KEYS = {
    "“”": typed(QUOTED, r"“\1”"),
    "””": typed(QUOTED, r"”\1”"),
    '“"': typed(QUOTED, r'“\1"'),
    '"”': typed(QUOTED, r'"\1”'),
    "‘’": typed(QUOTED, r"‘\1’"),
    "「」": typed(QUOTED, r"「\1」"),
    "＂": typed(QUOTED, r"＂\1＂"),
    "：": typed(":", "："),
    "，": typed(",", "，"),
    "、": typed(",", "、"),
    "（": typed(r"\(", "（"),
    "）": typed(r"\)", "）"),
    "＝": typed(" = ", "＝"),
    "｛": typed(r"\{", "｛"),
    "。": typed(r"(?<=\d)\.(?=\d)", "。"),
    "。 at the end": typed(r"(?m)(?<=[\w\"}])$", "。"),
    "－": typed("-", "－"),
    "digits": typed(r"(?<![\w\"])\d", lambda found: chr(ord(found[0]) + 0xFEE0)),
    "blank": typed(" = ", "\u3000=\u3000"),
    "comment": lambda source: "＃" + source[1:],
}


def is_python(source):
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def slips(solved, names, keyboard):
    """Yield each answer, and itself with the signs of a keyboard where Python then stops."""
    for name in names:
        source = solved[name]
        if not is_python(other := KEYS[keyboard](source)):
            yield name, source, other


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A kernel in this process, as the first cells leave it; returns what runs a cell."""
    kernel = Kernel(tmp_path)
    monkeypatch.setattr(session, "get_ipython", lambda: kernel.shell)
    monkeypatch.setattr(session.names, "watch", lambda notebook: None)
    session.begin()
    kernel.run("from lab.exercises.check import check")
    yield kernel.run
    kernel.close()


@pytest.mark.parametrize("keyboard", KEYS)
def test_a_cell_stops_with_one_sentence_and_check_says_the_same(solved, kernel, keyboard):
    found = list(slips(solved, VALUES + CODE, keyboard))
    for name, _, other in found:
        said = kernel(other).strip()
        slip = signs.slip(other)
        assert said == f"LabError: {slip.told()}" and "\n" not in said
        line = other.split("\n")[slip.line - 1]
        assert all(sign in line for sign in slip.signs)
        if ASKED[name].name:
            first = kernel(f'check("{name}")').splitlines()[0]
            assert first == str(slip.told(check.SLIP, name=name))
    assert found or keyboard == "－"


CERTAIN = [keyboard for keyboard in KEYS if keyboard != '"”']  # a text ends where another begins


@pytest.mark.parametrize("keyboard", CERTAIN)
def test_a_value_is_read_as_it_is_meant(solved, keyboard):
    for name, source, other in slips(solved, VALUES, keyboard):
        read = ast.unparse(ast.parse(signs.meant(other)))
        assert read == ast.unparse(ast.parse(source)), name
        if wanted := ASKED[name].name:
            right = answer_cells.value_of(source, wanted)
            assert answer_cells.value_of(other, wanted) == right is not None


@pytest.fixture(scope="module")
def sheet(lab, keys):
    """Return what makes a hand-in of some answers, and grades it."""

    def graded(sources):
        one = hand_in_of(filled(lab, sources))
        return marking.mark(one, keys, next(iter(keys)), "landlock")

    return graded


SOON = ("“”", "‘’", "：", "，", "。", "digits")  # the others take long


@pytest.mark.parametrize(
    "keyboard", [pytest.param(k, marks=[pytest.mark.long] * (k not in SOON)) for k in CERTAIN]
)
def test_it_has_the_points_of_what_is_meant_with_a_note(sheet, solved, keyboard):
    found = {name: other for name, _, other in slips(solved, VALUES, keyboard)}
    plain, result = sheet({name: solved[name] for name in found}), sheet(found)
    assert result.marks == plain.marks and result.student == plain.student
    names = sorted(name for name in found if name in result.marks or name == "about-you")
    notes = [flag for flag in result.flags if flag not in plain.flags]
    assert sorted(str(note).partition(":")[0] for note in notes) == names
    assert all("was read as it is meant" in note for note in notes)


@pytest.mark.parametrize("keyboard", ["：", "，", "blank"])
def test_code_is_not_mended_and_its_line_names_the_sign(sheet, solved, keyboard):
    found = {n: other for n, _, other in slips(solved, CODE, keyboard) if ASKED[n].kind == "code"}
    result = sheet(found)
    for name, other in found.items():
        if name in result.marks:
            slip = signs.slip(other)
            assert result.marks[name].points == 0
            assert result.marks[name].lines == (slip.told(),)
            assert slip.signs[0].strip() in result.marks[name].lines[0]
    assert found


WIDE = str.maketrans("0123456789", "０１２３４５６７８９")


@pytest.mark.parametrize(
    ("name", "source", "points"),
    [
        ("weights", "answer_weights = “{right}”", 2),
        ("weights", "answer_weights ＝ ‘{wide}’。", 2),
        ("weights", "answer_weights = “about {right}”", 0),
        ("weights", "answer_weights = “”{right}““", 0),  # what is meant is not certain
        ("choose-rate", "answer_choose_rate = “{stop}”", 1),
        ("guess-linear", "guess_linear = “70”", 1),
        ("guess-gates", "guess_gates = {“0.50”： “50”， “0.73”：６０，“0.95”：“70”}", 1),
        ("detach", "answer_detach = “{right}”", 1),
        ("detach", "answer_detach = “（{right}）”", 1),
        ("guess-word", "guess_word = “great”", 1),
    ],
)
def test_what_is_certain_is_read(sheet, name, source, points):
    right = str(key.present()[name].answer)
    forms = {"right": right, "wide": right.translate(WIDE), "stop": right.replace(".", "。")}
    for form, typed_so in forms.items():
        source = source.replace(f"{{{form}}}", typed_so)
    source = f"# Question {name}\n{source}"
    assert sheet({name: source}).marks[name].points == points


@pytest.mark.parametrize("letters", ["b", "ｂ", "Ｂ", "（b）", "b。", "b）", " b："])
def test_a_letter_of_any_width_is_one(letters):
    assert letter(letters) == "b"


@pytest.mark.parametrize(
    "source",
    [
        'a = "“b”：，（）"',
        "# “b”：\na = 1",
        "'''\n，\n'''\nａ = 1",  # Python reads letters of any width
        "a = 'it’s'",
        "a = (1",  # something else is wrong
        "",
        "a = '" + "x" * 200_000,
    ],
)
def test_what_python_reads_or_something_else_stops_is_left_alone(source):
    assert signs.slip(source) is None and signs.meant(source) == source


def test_other_errors_of_syntax_are_shown_as_ever(kernel, tmp_path, monkeypatch):
    assert "SyntaxError" in kernel("a = (1") and "LabError" not in kernel("a = (1")
    assert "IndentationError" in kernel("if 1:\na = 2")
    (tmp_path / "others_module.py").write_text("a = “1”", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    for run in ("import others_module", "exec('a = “1”')"):
        said = re.sub(r"\x1b\[[\d;]*m", "", kernel(run))
        assert "SyntaxError: invalid character '“'" in said and run in said


def test_the_report_says_it_and_counts_the_prediction(edition, tmp_path):
    slips = {
        "guess-linear": "# Prediction guess-linear\nguess_linear＝７０",
        "rnn-cell": "# Exercise rnn-cell\ndef rnn_cell(x)：\n    return x",
    }
    work = my_report.Work(folder_with(edition, tmp_path / "student", **slips))
    wanted = [signs.slip(slips[name]).told(check.SLIP, name=name) for name in sorted(slips)]
    assert sorted(work.stopped)[:2] == wanted and work.is_guess("guess-linear")
    printed = "".join(f"{one}\n" for one in wanted)
    cell = next(cell for cell in work.notebook.cells if cell.cell_type == "code")
    cell.outputs = [{"output_type": "stream", "name": "stdout", "text": printed}]
    assert work.checked()["rnn-cell"] == 0
