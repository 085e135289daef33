"""Other languages: never out of date, and the same in everything but words."""

import ast
import copy
import dataclasses
import json
import re
from collections import Counter

import autocorrect_py as autocorrect
import forms
import matplotlib.pyplot as plt
import mutants
import nbformat
import pandas as pd
import pytest
from helpers import ROOT
from pypdf import PdfReader

from grading import key, marking
from grading.graded import Graded, Late, Override, Reading, digest_of
from grading.intake.entries import CUT, DAMAGED, OTHER
from grading.pages import feedback
from grading.submissions import Submission
from lab.analysis import style
from lab.base import i18n
from lab.config import LabError
from lab.exercises import answer_cells, check, judge
from lab.exercises.catalogue import ASKED, LAB
from lab.exercises.help import hints
from lab.exercises.tasks import TASKS
from tools.students import report
from tools.teachers import student_edition, translate

LANGUAGES = [one for one in i18n.languages() if one != i18n.ENGLISH]
every_language = pytest.mark.parametrize("language", LANGUAGES)
ENGLISH_WORDS = re.compile(r"[a-z]{3,} [a-z]{2,} [a-z]{2,}")  # three in a row: a sentence
CHINESE = re.compile(r"[\u4e00-\u9fff]")
FORMULA = re.compile(r"\$\$.+?\$\$|\$[^$]+\$", re.DOTALL)
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
LINK = re.compile(r"\]\(([^)]+)\)")
TAG = re.compile(r"</?[a-z]+[^>]*>")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@pytest.fixture
def chinese(monkeypatch):
    monkeypatch.setenv("LAB2_LANGUAGE", "zh")


@pytest.fixture(scope="module")
def english():
    return answer_cells.read(ROOT / "lab2.ipynb")


@pytest.fixture
def changed(english):
    notebook = copy.deepcopy(english)
    cell = next(cell for cell in notebook["cells"] if cell["id"] == "intro")
    cell["source"] = source(cell) + " And more."
    return notebook


def cells_of(language):
    return answer_cells.read(translate.path_of(language))["cells"]


def source(cell):
    return answer_cells.source_of(cell)


# ── 1. Never out of date ────────────────────────────────────────────────────────────────────────


@every_language
def test_every_text_of_the_lab_is_known_to_the_translations(english, language):
    """Red: the English text of these cells is new, or was changed: run `translate.py LANGUAGE`."""
    assert translate.not_taken_in(english, translate.catalogue(language)) == []
    with i18n.file_of(language).open("rb") as file:
        known = {entry.id for entry in translate.read_po(file)}
    assert set(translate.open_words(language)) <= known


@pytest.mark.long
@every_language
def test_before_a_release_every_text_has_its_translation(english, language):
    assert translate.missing(english, translate.catalogue(language)) == []
    assert translate.open_words(language) == []


@every_language
def test_the_notebook_is_made_of_the_english_one_and_its_translations(english, language):
    """Red: `translate.py LANGUAGE` was not run, or somebody edited what it makes."""
    made = translate.translated(english, translate.catalogue(language), language)
    stored = {cell["id"]: cell for cell in cells_of(language)}
    assert [cell["id"] for cell in made["cells"]] == list(stored)
    differ = [c["id"] for c in made["cells"] if source(c) != source(stored[c["id"]])]
    assert differ == []
    again = translate.with_outputs(made, {"cells": list(stored.values())}, english)
    for cell in again["cells"]:  # made once more, it is as executed as it was
        for part in ("outputs", "execution_count"):
            assert cell.get(part) == stored[cell["id"]].get(part), cell["id"]


@every_language
def test_a_changed_text_stands_in_english_and_is_named(changed, language):
    known = translate.catalogue(language)
    made = {c["id"]: source(c) for c in translate.translated(changed, known, language)["cells"]}
    assert made["intro"].endswith(f" And more.\n\n*{i18n.say(translate.OPEN, language)}*")
    assert "intro" in translate.missing(changed, known)


@every_language
def test_what_a_changed_cell_prints_is_said_in_the_language(english, language):
    notebook = copy.deepcopy(english)
    cell = next(cell for cell in notebook["cells"] if cell["id"] == "weights")
    cell["source"] = source(cell).replace("answer_weights = 4", "answer_weights = 3")
    cell["outputs"][0]["text"] = ["weights: recorded (236544). Your teacher will mark it.\n"]
    made = translate.translated(notebook, translate.catalogue(language), language)
    again = translate.with_outputs(made, {"cells": cells_of(language)}, notebook)
    (cell,) = [cell for cell in again["cells"] if cell["id"] == "weights"]
    (output,) = cell["outputs"]
    assert "236544" in output["text"][0] and CHINESE.search(output["text"][0])
    counts = [c["execution_count"] for c in again["cells"] if c["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))


@every_language
def test_no_translation_is_left_of_a_text_that_is_gone(english, language):
    there = {(cell["id"], text) for cell in english["cells"] for text in translate.texts(cell)}
    known = {(entry.context, entry.id) for entry in translate.catalogue(language) if entry.id}
    assert known - there == set()


def test_new_texts_are_taken_in_and_old_translations_stay(tmp_path, monkeypatch, changed):
    path = tmp_path / "lab2.po"
    path.write_bytes(i18n.file_of("zh", "lab2").read_bytes())
    monkeypatch.setattr(i18n, "file_of", lambda *_: path)
    monkeypatch.setattr(translate, "ROOT", tmp_path)
    monkeypatch.setattr(answer_cells, "read", lambda _: changed)
    left = translate.extract("zh")
    assert "intro" in translate.missing(changed, translate.catalogue("zh")) and left >= 1
    assert translate.not_taken_in(changed, translate.catalogue("zh")) == []
    before = path.read_bytes()
    translate.extract("zh")
    assert path.read_bytes() == before


# ── 2. The same in everything but words ─────────────────────────────────────────────────────────


def without_words(cell):
    """Return a cell's code without comments and docstrings."""
    return translate.put(source(cell), lambda text: "#" if text.startswith("#") else "")


@every_language
def test_code_is_the_same(english, language):
    ours = {cell["id"]: cell for cell in cells_of(language)}
    for cell in english["cells"]:
        if cell["cell_type"] == "code":
            assert without_words(cell) == without_words(ours[cell["id"]]), cell["id"]
    assert len(ours) == len(english["cells"]) + 1  # the cell that says the language


def facts(text, look_up=lambda code: code):
    """Return what a translation must not change: formulas, code, links, tags, numbers.

    look_up: of code, for the text may name heads of tables, which are shown translated
    """
    formulas = FORMULA.findall(text)
    rest = FORMULA.sub("", text)
    codes = [look_up(code.strip("`")) for code in CODE.findall(rest)]
    rest = CODE.sub("", rest)
    links, tags = LINK.findall(rest), TAG.findall(rest)
    rest = LINK.sub("", rest)
    rest = re.sub(r"([\d.]+) million", lambda m: f"{float(m[1]) * 1e6:.0f}", rest)
    rest = re.sub(r"([\d.]+) ?万", lambda m: f"{float(m[1]) * 1e4:.0f}", rest)
    heads = re.findall(r"(?m)^#+(?= )", rest)
    return [Counter(part) for part in (formulas, codes, links, tags, NUMBER.findall(rest), heads)]


@every_language
def test_numbers_formulas_code_and_links_are_the_same(english, language):
    differ = []
    for entry in translate.catalogue(language):
        theirs = {code.strip("`") for code in CODE.findall(entry.string)}

        def look_up(code, theirs=theirs):
            return code if code in theirs else i18n.say(code, language)

        if (
            entry.id
            and entry.string
            and not entry.fuzzy
            and facts(entry.string) != facts(entry.id, look_up)
        ):
            differ.append(entry.context)
    assert differ == []


# ── 3. The language ─────────────────────────────────────────────────────────────────────────────


def chinese_texts():
    """Yield (where, text) of everything that is written in Chinese."""
    for name in ("lab2", "words"):
        with i18n.file_of("zh", name).open("rb") as file:
            for entry in translate.read_po(file):
                if entry.id:
                    yield f"{name}: {entry.context or entry.id}", str(entry.string)
    for path in (ROOT / "README.zh.md", ROOT / "course" / "student" / "zh" / "README.md"):
        yield path.name, path.read_text(encoding="utf-8")


def test_punctuation_and_spaces_are_those_of_chinese():
    """By autocorrect: full-width punctuation in sentences, a space beside Latin words."""
    wrong = []
    for where, text in chinese_texts():
        plain = FORMULA.sub("$x$", text)
        for line in autocorrect.lint_for(plain, "md").lines:
            wrong.append((where, line.old, line.new))
    assert wrong == []


def test_every_text_is_chinese():
    """A sentence that was left in English has no Chinese character."""
    english = re.compile(r"[a-z]{3,} [a-z]{3,} [a-z]{3,}")
    left = [text for _, text in chinese_texts() if english.search(text)]
    assert [text for text in left if not CHINESE.search(text)] == []


# ── 4. What code shows ──────────────────────────────────────────────────────────────────────────


def messages():
    """Yield what the checks say of the mistakes, and the names of those that they know."""
    names = mutants.solved_names()
    for name, solved in mutants.solved_cells().items():
        for source, _ in forms.wrong(solved, name) if name in forms.WRONG else ():
            scope = dict(names)
            exec(source, scope)
            yield from check.examine(name, scope, ASKED[name])[1][:-1]  # then the hint
    for task in TASKS.values():
        for mistake in task.known_mistakes:
            yield judge._sentence(task.equals + mistake)


def test_all_that_the_checks_say_is_said_in_chinese(chinese, monkeypatch):
    """What Python says of an error stays as it is."""
    monkeypatch.setattr(judge, "_remark", lambda *_: "")  # it takes most of the time
    left = []
    for line in messages():
        shown = re.sub(r"(函数第 \d+ 行出错，).*", r"\1", i18n.say(line))
        if not CHINESE.search(shown) or ENGLISH_WORDS.search(shown):
            left.append(shown)
    assert left == []


@pytest.mark.parametrize("name", LAB)
def test_hints_titles_and_headings_are_said_in_chinese(chinese, name):
    for text in {*hints.of(name).hints, LAB[name].title} - set(translate.open_words("zh")):
        assert not text or CHINESE.search(i18n.say(text)), text


KEPT = re.compile(  # English that stays: names, models, what networks read and write
    r"RNN|LSTM|GRU|LM\b|GloVe|TF-IDF|NB|IMDB|Kneser|Ney|McNemar|Holm|PyTorch|Adam|softmax|tanh"
)


def test_tables_and_pictures_of_the_notebook_are_in_chinese():
    """Heads and names of lines of all tables, and the words that describe each picture."""
    shown = []
    for cell in cells_of("zh"):
        for output in cell.get("outputs", ()):
            alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
            shown += re.split(r"[.;,] ", alt)
            page = "".join(output.get("data", {}).get("text/html", ""))
            if cell["id"] not in ("my-review", "trap-table", "live"):  # reviews in English
                shown += re.findall(r"<th[^>]*>([^<]+)</th>", page)
    left = {text for text in shown if re.search(r"[a-z]{3,}", KEPT.sub("", text))
            and not CHINESE.search(text)}  # fmt: skip
    allowed = {"quick", "full", "options", "output", "h_n", "mean", "std", "count"}
    assert left <= allowed | {"train_accuracy"}


LABELS = {"title", "xlabel", "ylabel", "label"}
SETTERS = {"set_title", "set_xlabel", "set_ylabel", "supylabel", "supxlabel", "suptitle"}


def labels_of_figures():
    """Yield the labels that stand in the code of figures; a slot of an f-string is 7."""
    for value in values_of_labels():
        if isinstance(value, ast.JoinedStr):
            yield "".join(p.value if isinstance(p, ast.Constant) else "7" for p in value.values)
        elif isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value


def values_of_labels():
    """Yield what stands in the code for labels: keywords, entries of a dict, setters' arguments."""
    for module in ("figures", "style"):
        tree = ast.parse((ROOT / "lab" / "analysis" / f"{module}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield from (k.value for k in node.keywords if k.arg in LABELS)
                name, arguments = getattr(node.func, "attr", ""), node.args
                yield from arguments[:1] if name in SETTERS else arguments[3:4] * (name == "panels")
            elif isinstance(node, ast.Dict):
                pairs = zip(node.keys, node.values)
                yield from (value for key, value in pairs if getattr(key, "value", "") in LABELS)


def test_every_label_in_the_code_of_figures_has_its_chinese(chinese):
    shown = (label for label in labels_of_figures() if not label.startswith("_"))
    labels = {label for label in shown if re.search(r"[a-z]{3,}", label)} - {"kept"}  # in further/
    assert len(labels) > 20
    assert {label for label in labels if not CHINESE.search(i18n.say(label))} == set()


def test_a_pattern_looks_up_what_is_in_its_slots(monkeypatch):
    known = i18n.Catalogue(
        {"a cat": "猫", "done": "完"},
        tuple(i18n._pattern(e, t) for e, t in {"{0} sees {1}.": "{1}被{0}看见。",
                                                "{0#} of {1#}": "{1#}中{0#}"}.items()),
    )  # fmt: skip
    monkeypatch.setattr(i18n, "catalogue", lambda _: known)
    assert i18n.say("a cat sees a dog.") == "a dog被猫看见。"
    assert i18n.say("  done\n\na cat") == "  完\n\n猫"
    assert i18n.say("3 of 10") == "10中3" and i18n.say("one of them") == "one of them"
    assert i18n.recognizer("{0} sees {1}.").search("狗被猫看见。")["s0"] == "猫"


def test_english_is_what_it_was(capsys):
    table = pd.DataFrame({"accuracy %": [1.5]}, index=pd.Index(["here"], name="network"))
    assert i18n.say("Hint: look") == "Hint: look" and i18n.shown(table).equals(table)
    i18n.tell("a", 1, sep="-")
    assert capsys.readouterr().out == "a-1\n"


def test_a_table_is_shown_in_chinese(chinese):
    index = pd.MultiIndex.from_tuples([("here", 1), ("reference", 2)], names=["network", "epoch"])
    shown = i18n.shown(pd.DataFrame({"points": [1.5, 2.5], 3: ["not shown", "x"]}, index=index))
    assert CHINESE.search(" ".join(map(str, shown.columns))) and 3 in shown.columns
    assert all(CHINESE.search(name) for name in shown.index.names)
    assert CHINESE.search(shown.iloc[0, 1]) and shown.iloc[1, 1] == "x" and shown.iloc[1, 0] == 2.5


def test_an_unknown_language_is_one_sentence(monkeypatch):
    monkeypatch.setenv("LAB2_LANGUAGE", "xx")
    with pytest.raises(LabError, match=r"into 'xx'\. Set LAB2_LANGUAGE to one of: en, zh"):
        i18n.say("here")


def test_a_figure_has_chinese_letters_and_no_empty_boxes(chinese, recwarn):
    with plt.rc_context():
        style.use_theme()
        figure, axis = plt.subplots()
        axis.set(title="here", xlabel="epoch", ylabel="accuracy (%)")
        axis.plot([1, 2], label="reference")
        axis.legend()
        style.say(figure).canvas.draw()
        plt.close(figure)
    texts = [axis.get_title(), axis.get_xlabel(), axis.get_ylabel()]
    assert all(map(CHINESE.search, [*texts, axis.get_legend().get_texts()[0].get_text()]))
    assert [str(w.message) for w in recwarn if "missing from font" in str(w.message)] == []


def test_a_report_in_chinese_has_a_font_for_it(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB2_LANGUAGE", "en")  # what the report sets is put back afterwards
    cells = [nbformat.v4.new_markdown_cell("# 门控循环单元\n\n**更新门**决定保留多少旧状态。")]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"lab2": {"language": "zh"}})
    nbformat.write(notebook, tmp_path / "a.ipynb")
    report.convert(tmp_path / "a.ipynb", tmp_path / "a.pdf")
    page = PdfReader(tmp_path / "a.pdf").pages[0]
    fonts = page["/Resources"]["/Font"]
    names = " ".join(str(font.get_object()["/BaseFont"]) for font in fonts.values())
    assert "门控循环单元" in page.extract_text() and "目录" in page.extract_text()
    assert "CJK" in names


# ── 5. The student's edition ────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def translated():
    return student_edition.contents("zh")


def test_the_edition_in_chinese_has_no_answers_and_chinese_examples(translated):
    notebook = json.loads(translated["lab2.ipynb"])
    found = answer_cells.find(notebook["cells"])
    for name in LAB:
        (one,) = found[name]
        assert answer_cells.is_empty(one.source, ASKED[name], one.question), name
        if LAB[name].kind == "code":
            assert hints.of(name).result in one.source
            (head,) = re.findall(r"# 例.*", one.source)
            assert not ENGLISH_WORDS.search(head)
    assert notebook["metadata"]["lab2"]["language"] == "zh"
    assert "translations/zh/words.po" in translated and "循环" in translated["README.md"].decode()


def test_it_is_another_edition_and_graded_like_the_english_one(translated, edition):
    own = student_edition.edition_of(translated)
    assert own != student_edition.edition_of(edition)
    keys = {own: key.present("zh")}
    empty = Submission("li", "", "li.ipynb", translated["lab2.ipynb"], 0.0)
    result = marking.mark(empty, keys, own, "none")
    assert {m.points for m in result.marks.values()} == {0} and result.flags == [
        "graded without a wall"
    ]
    notebook = json.loads(translated["lab2.ipynb"])
    solved = {n: ones[0].source for n, ones in answer_cells.find(cells_of("zh")).items()}
    for name, ones in answer_cells.find(notebook["cells"]).items():
        notebook["cells"][ones[0].place]["source"] = solved[name]
    full = Submission("li", "", "li.ipynb", json.dumps(notebook).encode(), 0.0)
    marks = marking.mark(full, keys, own, "none").marks
    points = sum(exercise.points for exercise in LAB.values() if exercise.by_machine)
    assert sum(m.points or 0 for n, m in marks.items() if n in LAB) == points


def left_in_english(text):
    """Return the lines of feedback in English, but for those that have no translation yet."""
    lines = [re.sub(r"\\(.)", r"\1", line) for line in text.splitlines()]
    known = [one for one in lines if not any(t in one for t in translate.open_words("zh"))]
    return [line for line in known if ENGLISH_WORDS.search(line)]


def test_who_hands_in_chinese_is_answered_in_chinese(translated):
    wrong = {
        "average-vectors": "raise ValueError('x')\n",
        "rnn-cell": "def rnn_cell(x, h, w_ih, w_hh, b_ih, b_hh):\n    return x",
        "lstm-cell": "lstm_cell = torch.lstm_cell",
        "gru-cell": "def gru_cell(x, h, w_ih, w_hh, b_ih, b_hh):\n    import os; os._exit(1)",
        "perplexity": "def perplexity(log_probability):\n    return torch.exp(log_probability)",
        "unroll": "unroll = 3",
        "binary-loss": "def binary_loss(logits, labels):\n    return undefined",
        "detach": 'answer_detach = "z"',
        "doubt": 'answer_doubt = "a"',
        "weights": "answer_weights = -1",
        "guess-linear": "guess_linear = 400",
        "traps": "**回答 traps · 2 分**\n\n因为。",
    }
    notebook = json.loads(translated["lab2.ipynb"])
    cells = notebook["cells"]
    found = {name: ones[0].place for name, ones in answer_cells.find(cells).items()}
    for name, text in wrong.items():
        head = source(cells[found[name]]).split("\n")[0]
        cells[found[name]]["source"] = text if name == "traps" else f"{head}\n{text}"
    cells.append(cells[found["detach"]])
    del cells[found["beliefs"]]
    handed_in = Submission("li", "", "li.ipynb", json.dumps(notebook).encode(), 0.0)
    result = marking.mark(handed_in, {"x": key.present("zh")}, "x", "none")
    assert result.language == "zh"
    read = Reading("li", "traps", digest_of(result.marks["traps"].text), 1.5, comment="原因呢？")
    changed = Override("li", "weights", 1, "算式是对的", "王")
    li = Graded("li", "李", "li.ipynb", result, {}, "", "li", (read,), (changed,))
    li = li._replace(late=Late(2, 20, "Moodle"))
    text = feedback.in_markdown(li)
    assert "满分 100 分" in text and "提示：" in text and "教师批阅" in text
    assert "迟交 2 天" in text and "评语：原因呢？" in text and "算式是对的" in text
    assert left_in_english(text) == []
    assert 'lang="zh"' in feedback.in_html(li)
    for problem in (OTHER, CUT, DAMAGED, "the archive asks for a password"):
        broken = dataclasses.replace(result, status="unreadable", flags=[problem])
        assert left_in_english(feedback.in_markdown(li._replace(result=broken))) == []


def test_headings_without_metadata_are_found_in_both_languages():
    for cell in cells_of("zh"):
        if exercise := answer_cells.exercise_metadata(cell):
            bare = {**cell, "metadata": {}, "id": "x"}
            assert list(answer_cells.find([bare])) == [exercise["id"]]


@pytest.mark.parametrize(
    ("english", "chinese"),
    [("README.md", "README.zh.md"), ("course/student/README.md", "course/student/zh/README.md")],
)
def test_the_readmes_say_the_same_numbers(english, chinese):
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in (english, chinese)]
    plain = [LINK.sub("", CODE.sub("", text)) for text in texts]
    assert Counter(NUMBER.findall(plain[0])) == Counter(NUMBER.findall(plain[1]))
