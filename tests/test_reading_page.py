"""Pages for who reads texts: whole texts beside what they speak of, and nothing in them runs.

How they behave in a browser is tested in tests/stress/reading.py, which `make browser` runs.
"""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
import reading_class
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading_class import READ

from grading.graded import Reading, digest_of
from grading.marking import Mark
from grading.pages import evidence, reading, rendering, rubric
from grading.submissions import notebook_of
from lab.exercises import answer_cells
from lab.exercises.catalogue import LAB


class Page(HTMLParser):
    """What a browser sees of a page: its tags, and the text in each kind of them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.open = [], {}, []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)
        self.texts.setdefault(tag, []).append("")

    def handle_data(self, data):
        if self.open:
            self.texts[self.open[-1]][-1] += data

    def handle_endtag(self, tag):
        if tag in self.open:
            del self.open[len(self.open) - 1 - self.open[::-1].index(tag) :]

    def of(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def written(folder, everybody, hand_ins):
    """Write the pages of a class, and return those of the exercises."""
    reading.write(everybody, hand_ins, folder, "a course")
    pages = {path.stem: path.read_text("utf-8") for path in (folder / "reading").glob("*.html")}
    return {name: Page(text) for name, text in pages.items()}


@pytest.fixture(scope="module")
def of_four(tmp_path_factory):
    """A class of four, all hostile, and its pages."""
    folder = tmp_path_factory.mktemp("four")
    everybody, hand_ins = reading_class.make(4, hostile=1)
    return folder, everybody, hand_ins, written(folder, everybody, hand_ins)


def test_the_criteria_of_each_text_add_up_to_its_points():
    guide = rubric.read()
    assert set(guide.entries) == set(READ)
    for name, entry in guide.entries.items():
        assert sum(one.points for one in entry.criteria) == LAB[name].points, name
        letters = [one.letter for one in entry.criteria]
        assert letters == sorted(set(letters)) and "**Good.**" in entry.examples
        assert "`a`" not in entry.examples and not re.search(r"\s$|^\s", entry.examples)


def test_a_criterion_may_go_over_lines_and_have_half_a_point():
    text = (
        "# R\n\nall\n\n## `traps` · 2\n\n* `a` · 0.5 · One,\n  two.\n* `b` · 1.5 · Three.\n\nend\n"
    )
    guide = rubric.parse(text)
    assert guide.rules == "all" and guide.of("traps").examples == "end"
    assert guide.of("traps").criteria == (("a", 0.5, "One, two."), ("b", 1.5, "Three."))
    assert guide.of("conclusion") == ((), "")


def test_a_page_shows_each_text_with_its_criteria_predictions_and_own_figures(of_four):
    folder, everybody, _, pages = of_four
    assert set(pages) == {*READ, "index"}
    for name in READ:
        page, boxes = pages[name], len(rubric.read().of(name).criteria)
        articles = page.of("article")
        assert {one["data-student"] for one in articles} == {one.who for one in everybody}
        ticks = [one for one in page.of("input") if one.get("type") == "checkbox"]
        assert len(ticks) == 4 * boxes + 2  # two of the page itself
        assert "**" not in "".join(page.texts["details"] + page.texts["label"])
        pictures = [one["src"] for one in page.of("img")]
        assert all((folder / "reading" / one).exists() for one in pictures)
        drawn = {"experiment": 0, "experiment-reading": 0, "conclusion": 2}.get(name, 1)
        assert len(set(pictures)) == len(pictures) == 4 * drawn, name
        assert all(one["loading"] == "lazy" for one in page.of("img"))
    said = "".join(pages["reading-recipes"].texts["p"])
    assert "RNN-256 70.0, RNN-1024 80.0" in said and "guess-perplexity" not in said


def test_nothing_of_a_student_runs_or_is_fetched(of_four):
    for name, page in of_four[3].items():
        data, code = page.texts["script"]
        assert [one.get("type") for one in page.of("script")] == ["application/json", None]
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        (policy,) = [one["content"] for one in page.of("meta") if "content" in one][:1]
        assert policy.startswith(f"default-src 'none'; script-src 'sha256-{digest}';"), name
        assert "http" not in policy and "unsafe-inline" not in policy.partition("style-src")[0]
        assert json.loads(data)["course"] == "a course"
        attributes = [key for _, attrs in page.tags for key in attrs]
        assert not [key for key in attributes if key.startswith("on")]
        linked = [attrs.get("src") or attrs.get("href") or "" for _, attrs in page.tags]
        assert not [link for link in linked if ":" in link]


ANY = st.text(st.characters(codec=None), min_size=1, max_size=300)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=ANY, comment=ANY, name=ANY)
def test_any_text_is_shown_whole_and_as_text(tmp_path_factory, text, comment, name):
    folder = tmp_path_factory.mktemp("any")
    (one,), _ = reading_class.make(1)
    one.result.marks.clear()
    one.result.marks["traps"] = Mark(None, 2, text=text * 40)  # far more than fits into view
    row = Reading(one.who, "traps", digest_of(text * 40), 1.0, "a", comment, "Ann", "2026-01-01")
    page = written(folder, [one._replace(readings=(row,), student=name)], {})["traps"]
    assert len(page.of("article")) == 1 and len(page.of("script")) == 2
    shown = rendering.clean(text * 40)
    assert page.texts["pre"][0].strip() == shown.strip()
    assert json.loads(page.texts["script"][0])["rows"][0]["comment"] == comment


def test_names_stand_nowhere_but_where_the_switch_shows_them(of_four):
    _, everybody, _, pages = of_four
    for page in pages.values():
        for tag, texts in page.texts.items():
            named = [one for one in everybody if one.student in "".join(texts)]
            assert not named or tag == "span"
    codes = [[text.split()[0] for text in pages[name].texts["h2"]] for name in READ]
    assert all(ones == codes[0] == sorted(codes[0]) for ones in codes)


def test_a_second_writing_leaves_what_is_there_and_removes_who_is_gone(tmp_path):
    everybody, hand_ins = reading_class.make(3)
    written(tmp_path, everybody, hand_ins)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    pages = written(tmp_path, everybody[1:], hand_ins)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    assert after.items() < before.items() and len(after) == len(before) * 2 // 3
    assert len(pages["traps"].of("article")) == 2


def cells_of(place=0):
    _, hand_ins = reading_class.make(place + 1)
    return notebook_of(hand_ins[f"student_{place}"].content).cells


def test_evidence_is_found_by_the_section_whatever_else_happened_to_cells():
    cells = cells_of()
    whole = evidence.of(cells)
    added = [cell for one in cells for cell in (one, {"cell_type": "code", "source": "x = 1"})]
    bare = [{**cell, "metadata": {}} for cell in cells]
    for others in (added, bare):
        found = evidence.of(others)
        for name in set(READ) - {"experiment-reading"}:
            assert found[name] == whole[name], name
    place = answer_cells.find(cells)["reading-recall"][0].place
    gone = [cell for cell in cells[:place] if not cell.get("outputs")] + cells[place:]
    assert evidence.of(gone)["reading-recall"].pictures == ()


def test_an_experiment_may_go_on_in_cells_below_it():
    def code(name, **more):
        text = [{"output_type": "stream", "text": f"of {name}"}]
        return {"cell_type": "code", "source": f"# Answer {name}", "outputs": text} | more

    below = [code("x", source="print(1)"), code("y", source="print(2)")]
    text = {"cell_type": "markdown", "source": "**Answer experiment-reading · 3 points**\n\nIt is."}
    title = {"cell_type": "markdown", "source": "## 10 Your report"}
    cells = [code("before"), title, code("experiment"), *below, text, code("after")]
    assert evidence.of(cells)["experiment"].output == "of y"
    assert evidence.of(cells[:3])["experiment"].output == "of experiment"
    assert evidence.of([*cells[:2], text])["experiment-reading"].output == ""


LEAF = (
    st.none() | st.integers() | st.text(max_size=5) | st.just("iVBORw0KGgo=") | st.just("text/html")
)
THING = st.recursive(LEAF, lambda x: st.lists(x, max_size=3) | st.dictionaries(
    st.sampled_from(["data", "text", "image/png", "text/plain", "text/html", "output_type"]), x,
), max_leaves=8)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(THING, max_size=4) | THING, THING)
def test_no_output_stops_the_page(outputs, source):
    cells = [
        {"cell_type": "markdown", "source": "## 5"},
        {"cell_type": "code", "source": source, "outputs": outputs},
        {"cell_type": "markdown", "source": "**Answer traps · 2 points**\n\nIt is."},
    ]
    found = evidence.of(cells)["traps"]
    assert all(one.startswith(evidence.PNG) for one in found.pictures)
