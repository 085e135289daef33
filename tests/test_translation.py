"""Other languages: never out of date, and the same in everything but words."""

import ast
import dataclasses
import functools
import io
import json
import os
import re
import shutil
import subprocess
import tokenize
from collections import Counter

import autocorrect_py as autocorrect
import matplotlib.pyplot as plt
import pytest
from babel.messages.frontend import CommandLineInterface
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from helpers import ROOT, filled, hand_in_of

from grading import key, marking
from grading.graded import Graded, Late, Override, Reading, digest_of
from grading.intake.entries import CUT, DAMAGED, OTHER
from grading.pages import feedback
from lab.analysis import style
from lab.base.messages import ENGLISH, catalogue, languages, lesson, say
from lab.config import LabError
from lab.exercises import answer_cells
from lab.exercises.catalogue import ASKED, LAB
from lab.exercises.help import hints, names
from tools.teachers import paragraphs, student_edition, translate

LANGUAGES = [one for one in languages() if one != ENGLISH]
every_language = pytest.mark.parametrize("language", LANGUAGES)
every_domain = pytest.mark.parametrize("domain", [translate.LAB, translate.DOCUMENTS])
ENGLISH_WORDS = re.compile(r"[a-z]{3,} [a-z]{2,} [a-z]{2,}")  # three in a row: a sentence
CHINESE = re.compile(r"[\u4e00-\u9fff]")
FORMULA, CODE, LINK = paragraphs.FORMULA, paragraphs.CODE, paragraphs.LINK
NUMBER, SLOT = paragraphs.NUMBER, paragraphs.SLOT


@pytest.fixture
def chinese(monkeypatch):
    monkeypatch.setenv("LAB2_LANGUAGE", "zh")


def cells_of(language):
    return answer_cells.read(ROOT / lesson(language))["cells"]


def source(cell):
    return answer_cells.source_of(cell)


@functools.cache
def known_of(language, domain=translate.DOCUMENTS):
    return translate.updated(language, domain)


def documents(language):
    """Return the files that are read in a language, by their English names, and the others."""
    known = known_of(language)
    places = [known[text].locations[0][0] for text in translate.strings(known)]
    paths = [ROOT / name for name in dict.fromkeys(name.partition(":")[0] for name in places)]
    return {path: path.with_name(f"{path.stem}.{language}{path.suffix}") for path in paths}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Return a folder with just what is translated; the tool works there."""
    for path in [*documents("zh"), *(ROOT / "translations").rglob("*.*"), ROOT / "lab2.zh.ipynb"]:
        place = tmp_path / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    monkeypatch.setattr(translate, "ROOT", tmp_path)
    monkeypatch.setattr("lab.base.messages.FOLDER", tmp_path / "translations")
    yield tmp_path
    catalogue.cache_clear()


# ── 1. Never out of date ────────────────────────────────────────────────────────────────────────


@every_language
def test_every_text_of_the_documents_is_in_the_catalogue(language):
    """Red: the English text was changed: run `tools/teachers/translate.py LANGUAGE`."""
    stored = translate.path_of(language, translate.DOCUMENTS).read_bytes()
    assert translate.as_po(known_of(language)).decode() == stored.decode()


@pytest.mark.long
@every_domain
@every_language
def test_before_a_release_every_text_has_its_translation(language, domain):
    known = known_of(language, domain)
    assert [one.id for one in known if one.id and one.id not in translate.strings(known)] == []


@every_language
def test_the_documents_are_made_of_the_english_ones_and_their_translations(language):
    """Red: `translate.py LANGUAGE` was not run, or somebody edited what it makes."""
    known = translate.strings(known_of(language))
    for english, path in documents(language).items():
        if english.is_relative_to(ROOT / translate.IN_EDITION):
            continue
        if english.suffix != ".ipynb":
            text = translate.page(english.read_text(encoding="utf-8").rstrip(), known, language)
            assert path.read_text(encoding="utf-8") == f"{text}\n", path.name
            continue
        stored = answer_cells.read(path)
        made = translate.translated(answer_cells.read(english), known, language)
        assert [c["id"] for c in made["cells"]] == [c["id"] for c in stored["cells"]]
        for cell, other in zip(made["cells"], stored["cells"], strict=True):
            assert source(cell) == source(other), cell["id"]
        again = translate.with_outputs(made, stored)["cells"]
        assert [c.get("outputs") for c in again] == [c.get("outputs") for c in stored["cells"]]


@every_language
def test_what_gettext_reads_is_what_people_edit(language):
    path = translate.path_of(language, translate.LAB)
    with path.open("rb") as po, path.with_suffix(".mo").open("rb") as mo:
        whole, read = translate.strings(read_po(po)), read_mo(mo)
    assert {one.id: one.string for one in read if one.id} == whole


@every_domain
@every_language
def test_other_programs_can_read_the_catalogue(language, domain):
    assert [errors for _, errors in known_of(language, domain).check()] == []
    if msgfmt := shutil.which("msgfmt"):
        path = translate.path_of(language, domain)
        subprocess.run([msgfmt, "-c", "-o", os.devnull, str(path)], check=True)


@every_domain
def test_babel_alone_finds_the_same(domain, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    pot, mapping = tmp_path / "a.pot", f"translations/{domain}.cfg"
    CommandLineInterface().run(["pybabel", "-q", "extract", "-F", mapping, "-o", str(pot), "."])
    with pot.open("rb") as file:
        found = {one.id for one in read_po(file)}
    assert found == {one.id for one in translate.extracted(domain)} and len(found) > 20


@every_language
def test_the_lab_knows_its_own_cells_in_each_language(language):
    """Else a cell of the lab that is run again is said to overwrite the lab's names."""
    first = {
        cell["id"]: names._first_line(source(cell))
        for cell in cells_of(ENGLISH)
        if cell["cell_type"] == "code"
    }
    for cell in cells_of(language):
        if cell["id"] in first:
            assert names._first_line(source(cell)) == first[cell["id"]], cell["id"]


# ── 2. What becomes of a change ─────────────────────────────────────────────────────────────────


def changed(folder, text):
    """Let a text of the lab's notebook have one more word; return its new form."""
    path = folder / "lab2.ipynb"
    notebook = answer_cells.read(path)
    for cell in notebook["cells"]:
        code = cell["cell_type"] == "code"
        cell["source"] = paragraphs.put(source(cell), code, lambda t: t + " now" * (t == text))
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return f"{text} now"


def text_that_starts(start):
    """Return a text of the lab's notebook."""
    whole = [m.id for m in known_of("zh") if m.id and m.locations[0][0].startswith("lab2.ipynb")]
    return next(text for text in whole if text.startswith(start))


KINDS = ("3.2 ", "At each step", "| | |", "Exercise unroll", "What six networks", "Apply a cell")


def fuzzy_in(known):
    return {one.id for one in known if one.id and one.fuzzy}


def test_a_changed_word_makes_just_this_text_fuzzy(checkout):
    """A heading, a paragraph, a table, comments, a docstring, and what is printed."""
    before = (checkout / "lab2.ipynb").read_bytes()
    for text in map(text_that_starts, (*KINDS, "shape (T, B)")):
        (checkout / "lab2.ipynb").write_bytes(before)
        new = changed(checkout, text)
        known = translate.updated("zh", translate.DOCUMENTS)
        assert fuzzy_in(known) - fuzzy_in(known_of("zh")) == {new}
        assert known[new].previous_id == [text] and new not in translate.strings(known)


@pytest.mark.parametrize(("start", "cell"), [("3.2 ", "rnn"), ("| | |", "intro")])
def test_what_is_fuzzy_stands_in_english_and_is_named(checkout, start, cell):
    before = translate.bring("zh")[1]
    new = changed(checkout, text_that_starts(start))
    written, open_ = translate.bring("zh")
    (place,) = {*open_} - {*before}
    assert place == f"lab2.ipynb:{cell}: {' '.join(new.split())[:60]}"
    cells = answer_cells.read(checkout / "lab2.zh.ipynb")["cells"]
    made = {one["id"]: source(one) for one in cells}
    assert checkout / "lab2.zh.ipynb" in written and new in made[cell]
    assert made[cell].endswith(f"\n\n*{say(translate.OPEN, 'zh')}*")
    assert ENGLISH_WORDS.search(made["lstm"]) is None  # the others stay translated
    po = translate.path_of("zh", translate.DOCUMENTS).read_bytes()
    translate.bring("zh")  # once more changes nothing, and the older English stays
    assert translate.path_of("zh", translate.DOCUMENTS).read_bytes() == po and b"\n#| msgid" in po


# ── 3. The same in everything but words ─────────────────────────────────────────────────────────


def code_of(cell):
    """Return a cell's code without what is translated."""
    tree = ast.parse(source(cell))
    for node in [*paragraphs.docstrings(tree), *paragraphs.shown(tree)]:
        if isinstance(node, ast.JoinedStr):
            slots = [ast.dump(one) for one in node.values if isinstance(one, ast.FormattedValue)]
            node.values = [ast.Constant(one) for one in sorted(slots)]
        else:
            node.value = ""
    return ast.dump(tree)


@every_language
def test_code_is_the_same(language):
    theirs = {cell["id"]: cell for cell in cells_of(language)}
    for cell in cells_of(ENGLISH):
        if cell["cell_type"] == "code":
            other = theirs[cell["id"]]
            assert code_of(cell) == code_of(other), cell["id"]
            if "define" in cell["metadata"].get("tags", ()):  # what tells a run from others
                assert translate._code(cell) == translate._code(other), cell["id"]
    assert len(theirs) == len(cells_of(ENGLISH)) + 1  # the cell that says the language


@every_domain
@every_language
def test_numbers_formulas_code_and_links_are_the_same(language, domain):
    assert [*translate.differing(known_of(language, domain))] == []


def damaged(text):
    """Yield a translation with one of its facts changed, for each kind of facts that it has."""
    for kind, new in ((FORMULA, "$q^9$"), (CODE, "`q9`"), (LINK, "](q9)"), (SLOT, "{q9}")):
        if found := kind.search(text):
            yield text[: found.start()] + new + text[found.end() :]
    bare = SLOT.sub("", CODE.sub("", FORMULA.sub("", LINK.sub("", text))))
    for number in NUMBER.findall(bare)[:1]:
        yield re.sub(rf"(?<![\d.,]){re.escape(number)}(?![\d.,]*\d)", f"{number}7", text)


@every_language
def test_no_changed_fact_passes(language):
    tried = 0
    for english, text in translate.strings(known_of(language)).items():
        for wrong in damaged(text):
            assert wrong == text or translate.facts(wrong) != translate.facts(english), wrong
            tried += 1
    assert tried > 200


def test_a_stale_number_is_refused_and_nothing_is_written(checkout):
    path, notebook = translate.path_of("zh", translate.DOCUMENTS), checkout / "lab2.zh.ipynb"
    text, before = path.read_text(encoding="utf-8"), notebook.read_bytes()
    path.write_text(text.replace("79.5%", "79.6%"), encoding="utf-8")
    with pytest.raises(LabError, match=r"lab2\.ipynb:lines-reading: In the reference the average"):
        translate.bring("zh")
    assert notebook.read_bytes() == before


# ── 4. A third language ─────────────────────────────────────────────────────────────────────────

NOT_TEXT = re.compile(r"«[^»]*»|```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$", re.DOTALL)
NAMES = {  # of lines and columns: they stay as code has them, figures and tables say them
    *("RNN, lengths mixed", "RNN, one length at a time", "LSTM, one length at a time"),
    *("default recipe", "own learning rate", "lengths mixed", "one length at a time"),
    *("tokens in a review", "updates until 100 tokens were learnt", "matrix times"),
}
# what networks read, and the name of who solved the lab
SAMPLES = ("film", "I don't know why", "Not bad at all", "Great cast", "The solved lab")


@pytest.fixture
def bracketed(checkout):
    """Return the lab's notebook in a language in which every text is in brackets."""
    translate.bring("xx")
    assert not (checkout / "lab2.xx.ipynb").exists()  # nothing is translated yet
    for domain in (translate.LAB, translate.DOCUMENTS):
        known = translate.updated("xx", domain)
        for one in known:
            one.string = f"«{one.id}»" if one.id else one.string
        translate.path_of("xx", domain).write_bytes(translate.as_po(known))
    assert translate.bring("xx")[1] == []
    return answer_cells.read(checkout / "lab2.xx.ipynb")["cells"]


def test_a_third_language_leaves_no_text_in_english(bracketed):
    left = []
    for cell in bracketed:
        if cell["cell_type"] == "markdown":
            left += re.findall(r"[A-Za-z]{2,}", NOT_TEXT.sub("", source(cell)))
            continue
        for token in tokenize.generate_tokens(io.StringIO(source(cell)).readline):
            if token.type == tokenize.COMMENT and "noqa" not in token.string:
                rest = re.sub("fig-cap: ", "", NOT_TEXT.sub("", token.string))
                left += re.findall(r"\b[A-Za-z]{2,}\b", rest)
    assert left == []


def test_a_third_language_leaves_only_data_in_english_in_its_code(bracketed):
    found = set()
    for cell in bracketed:
        if cell["cell_type"] == "code":
            tree = ast.parse(source(cell))
            whole = [n for n in ast.walk(tree) if isinstance(n, ast.JoinedStr)]
            parts = {id(part) for one in whole for part in ast.walk(one)}
            nodes = [
                n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in parts
            ]
            texts = [str(n.value) for n in nodes] + [ast.unparse(one)[2:-1] for one in whole]
            found |= {t for t in texts if re.search(r"[a-z]{3,} [a-z]{2,}", SLOT.sub("", t))}
    left = {text for text in found if not re.fullmatch("«.*»", text, re.DOTALL)} - NAMES
    assert [text for text in left if not any(sample in text for sample in SAMPLES)] == []


# ── 5. The language ─────────────────────────────────────────────────────────────────────────────


def chinese_texts():
    """Yield (where, text) of everything that is written in Chinese."""
    for domain in (translate.LAB, translate.DOCUMENTS):
        for english, text in translate.strings(known_of("zh", domain)).items():
            yield f"{domain}: {english}", text
    for path in (ROOT / "README.zh.md", ROOT / "course" / "student" / "zh" / "README.md"):
        yield path.name, path.read_text(encoding="utf-8")


def test_punctuation_and_spaces_are_those_of_chinese():
    """By autocorrect: full-width punctuation in sentences, a space beside Latin words."""
    wrong = []
    for where, text in chinese_texts():
        plain = SLOT.sub("{x}", FORMULA.sub("$x$", text))
        for line in autocorrect.lint_for(plain, "md").lines:
            wrong.append((where, line.old, line.new))
    assert wrong == []


def test_every_text_is_chinese():
    """A sentence that was left in English has no Chinese character."""
    english = re.compile(r"[a-z]{3,} [a-z]{3,} [a-z]{3,}")
    left = [text for _, text in chinese_texts() if english.search(text)]
    assert [text for text in left if not CHINESE.search(text)] == []


# ── 6. What code shows ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", LAB)
def test_hints_and_titles_are_said_in_chinese(chinese, name):
    """Or they have none yet, which `translate.py` says, and the test before a release."""
    known = known_of("zh", translate.LAB)
    for text in filter(None, {*hints.of(name).hints, LAB[name].title}):
        assert text in known
        assert CHINESE.search(say(text)) or text not in translate.strings(known), text


KEPT = re.compile(  # English that stays: names, models, what networks read and write
    r"RNN|LSTM|GRU|LM\b|GloVe|TF-IDF|NB|IMDB|Kneser|Ney|McNemar|Holm|PyTorch|Adam|softmax|tanh"
)


def test_tables_and_pictures_of_the_notebook_are_in_chinese():
    """Heads of all tables, and the words that describe each picture; lines have names of data."""
    shown = []
    for cell in cells_of("zh"):
        for output in cell.get("outputs", ()):
            alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
            shown += re.split(r"[.;,] ", alt)
            page = "".join(output.get("data", {}).get("text/html", ""))
            if cell["id"] not in ("my-review", "trap-table", "live"):  # reviews in English
                for heads in re.findall(r"<thead>(.+?)</thead>", page, re.DOTALL):
                    shown += re.findall(r"<th[^>]*>([^<]+)</th>", heads)
    left = {text for text in shown if re.search(r"[a-z]{3,}", KEPT.sub("", text))
            and not CHINESE.search(text)}  # fmt: skip
    allowed = {"quick", "full", "options", "output", "h_n", "mean", "std", "count"}
    assert left <= allowed | {"train_accuracy"}


def test_an_unknown_language_is_one_sentence(monkeypatch):
    monkeypatch.setenv("LAB2_LANGUAGE", "xx")
    with pytest.raises(LabError, match=r"into 'xx'\. Set LAB2_LANGUAGE to one of: en, zh"):
        say("here")


def test_a_figure_has_chinese_letters_and_no_empty_boxes(chinese, recwarn):
    with plt.rc_context():
        style.use_theme()
        figure, axis = plt.subplots()
        axis.set(title="本机结果", xlabel="轮次", ylabel="准确率（%）")
        axis.plot([1, 2], label="参考结果")
        axis.legend()
        figure.canvas.draw()
        plt.close(figure)
    texts = [axis.get_title(), axis.get_xlabel(), axis.get_ylabel()]
    assert all(map(CHINESE.search, [*texts, axis.get_legend().get_texts()[0].get_text()]))
    assert [str(w.message) for w in recwarn if "missing from font" in str(w.message)] == []


# ── 7. The student's edition ────────────────────────────────────────────────────────────────────


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
    assert "translations/zh/LC_MESSAGES/lab.mo" in translated
    assert "循环" in translated["README.md"].decode()


@pytest.mark.parametrize("place", key.FURTHER)
def test_the_electives_of_the_edition_are_in_chinese_and_ask_the_same(translated, place):
    cells, english = (
        json.loads(translated[place])["cells"],
        answer_cells.read(ROOT / place)["cells"],
    )
    assert [*answer_cells.find(cells)] == [*answer_cells.find(english)]
    theirs, known = {cell["id"]: cell for cell in cells}, translate.strings(known_of("zh"))
    assert config_language(theirs["reader-language"]) == "zh"
    for cell in english:
        if cell["cell_type"] == "markdown":
            texts = [piece.text for piece in paragraphs.pieces(source(cell), code=False)]
            if all(text in known for text in texts):
                assert CHINESE.search(source(theirs[cell["id"]])), cell["id"]
        elif "exercise" not in cell["metadata"]:
            assert code_of(cell) == code_of(theirs[cell["id"]]), cell["id"]


def config_language(cell):
    """Return the language that a cell names."""
    return re.search(r'name_language\("(\w+)"\)', source(cell))[1]


def test_it_is_another_edition_and_graded_like_the_english_one(translated, edition):
    own = student_edition.edition_of(translated)
    assert own != student_edition.edition_of(edition)
    keys = {own: key.present("zh")}
    result = marking.mark(hand_in_of(translated["lab2.ipynb"]), keys, own, "none")
    assert {m.points for m in result.marks.values()} == {0} and result.flags == [
        "graded without a wall"
    ]
    solved = {n: ones[0].source for n, ones in answer_cells.find(cells_of("zh")).items()}
    full = filled(json.loads(translated["lab2.ipynb"]), solved)
    marks = marking.mark(hand_in_of(full), keys, own, "none").marks
    points = sum(exercise.points for exercise in LAB.values() if exercise.by_machine)
    assert sum(m.points or 0 for n, m in marks.items() if n in LAB) == points


def left_in_english(text):
    """Return the lines of feedback in English."""
    lines = [re.sub(r"\\(.)", r"\1", line) for line in text.splitlines()]
    return [line for line in lines if ENGLISH_WORDS.search(line)]


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
    result = marking.mark(hand_in_of(notebook), {"x": key.present("zh")}, "x", "none")
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
