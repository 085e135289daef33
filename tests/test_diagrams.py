"""The diagrams in `figures/` are edited by hand: they stay readable, and have letters."""

import re
from xml.etree import ElementTree

import pytest
from helpers import ROOT, in_brackets, outside

from lab.exercises import answer_cells
from tools.teachers import diagrams

SVG = "{http://www.w3.org/2000/svg}"
PATHS = sorted((ROOT / "figures").glob("*.svg"))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_diagram_has_a_title_letters_its_own_white_ground_and_a_size(path):
    drawing = ElementTree.parse(path).getroot()
    assert drawing.find(f"{SVG}title").text.strip()
    assert all("".join(text.itertext()).strip() for text in drawing.findall(f"{SVG}text"))
    ground = next(mark for mark in drawing if mark.tag == f"{SVG}rect")
    assert ground.attrib == {"width": "100%", "height": "100%", "fill": "white"}
    size = [drawing.get(side).removesuffix("pt") for side in ("width", "height")]
    assert drawing.get("viewBox").split() == ["0", "0", *size]


def test_each_diagram_is_shown_with_words_for_those_who_do_not_see_it():
    cells = answer_cells.read(ROOT / "lab2.ipynb")["cells"]
    text = "\n".join(answer_cells.source_of(cell) for cell in cells)
    shown = re.findall(r"!\[[^\]]{5,}\]\(figures/([\w-]+)\.svg\)", text)
    assert sorted(shown) == [path.stem for path in PATHS]


# the words of three reviews, code, symbols: the same in every language
NO_WORDS = {
    *("not", "dull", "wonderful", "bad", "film", "pad", "text_length", "num_layers"),
    *("tanh", "Whn", "Wih", "Whh", "bih", "bhh", "LSTM", "GRU", "RNN"),
}


def shown(svg):
    """Return what a diagram says, text by text, its title first."""
    drawing = ElementTree.fromstring(svg)
    texts = [drawing.find(f"{SVG}title"), *drawing.findall(f"{SVG}text")]
    return ["".join(text.itertext()) for text in texts]


def words(text):
    return [w for w in re.findall(r"[A-Za-z_]{3,}", text) if w not in NO_WORDS]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_word_of_a_diagram_is_translated(path, monkeypatch):
    english = path.read_text(encoding="utf-8")
    chinese = (path.parent / "zh" / path.name).read_text(encoding="utf-8")
    in_brackets(monkeypatch)
    said = [outside(text) for text in shown(diagrams.translated(english, "xx"))]
    assert [text for text in said if words(text)] == []
    assert [text for text in shown(chinese) if words(text)] == []
    for one, other in zip(shown(english), shown(chinese), strict=True):
        assert bool(words(one)) == bool(re.search("[\u4e00-\u9fff]", other)), one
    without = [re.sub(r">[^<]*<", "><", diagram) for diagram in (english, chinese)]
    assert without[0] == without[1]  # nothing but words


def test_links_lead_to_the_diagrams_of_a_language_and_no_others():
    text = "![a](figures/gru.svg) ![b](figures/recipes_full.png) [c](figures/zh/gru.svg) figures/"
    said = text.replace("(figures/gru", "(figures/zh/gru")
    assert diagrams.addressed(text, "zh") == said == diagrams.addressed(said, "zh")
