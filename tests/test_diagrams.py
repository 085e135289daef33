"""The diagrams in `figures/` are edited by hand: they stay readable, and have letters."""

import re
from xml.etree import ElementTree

import pytest
from helpers import ROOT

from lab.exercises import answer_cells

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
