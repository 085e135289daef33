"""Numbers in the prose: each stands in an output of the notebook, or in its code.

A coarse net: it does not know which number a sentence means. But a notebook that was executed
again, with other results, and whose readings still quote the old ones, does not get through it.
"""

import ast
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[1]
# a number with decimals, or with a power of ten, and no part of a version
DECIMAL = re.compile(r"(?<![\w.])(?:\d+\.\d+(?:e[-+]\d+)?|\d+e[-+]\d+)(?![\d.]*\.\d)")
NO_RESULT = re.compile(r"[Ss]ections? \d+\.\d+|^#+ .*$|`[^`]*`", re.MULTILINE)

# not the lab's own results; each with where it comes from
ELSEWHERE = {
    *("69.76", "71.35", "69.03", "65.74", "83.08", "83.26", "0.18"),  # the report that came first
    *("86.5", "92.4"),  # Dai and Le, 2015
    *("0.693", "0.73"),  # ln 2, and the logistic function at 1
    *("3.11", "3.12", "3.13"),  # versions of Python
    *("18.4",),  # millions of words in the full profile's stream
}


def words_of(output):
    """Return an output of a cell as plain text."""
    if output.output_type == "stream":
        return output.text
    data = output.get("data", {})
    return words_of_page(data.get("text/html", "")) + " " + data.get("text/plain", "")


def words_of_page(html):
    """Return the text of an HTML page, without tags and styles."""
    return re.sub(r"<[^>]+>", " ", re.sub(r"<style.*?</style>", " ", html, flags=re.DOTALL))


def shown_by(source, namespace):
    """Run the source of a cell, and return what its last line would show, as plain text."""
    *before, last = ast.parse(source).body
    exec(compile(ast.Module(before, []), "cell", "exec"), namespace)
    if not isinstance(last, ast.Expr):
        exec(compile(ast.Module([last], []), "cell", "exec"), namespace)
        return ""
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), namespace)
    return words_of_page(value._repr_html_()) if hasattr(value, "_repr_html_") else repr(value)


def plain(number):
    """Return 1.4e-02 as 0.014, and any other number as it is."""
    mantissa, _, power = number.partition("e")
    digits = len(mantissa.partition(".")[2])
    return f"{float(number):.{digits - int(power)}f}" if power else number


@pytest.fixture(scope="module")
def known(notebook):
    """All decimals that the notebook computes, prints or sets."""
    texts = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            texts += [cell.source, *map(words_of, cell.outputs)]
    found = {plain(number) for text in texts for number in DECIMAL.findall(text)}
    return found | ELSEWHERE


def test_numbers_of_the_readings_stand_in_an_output(notebook, known):
    unknown, reading = {}, False
    for cell in notebook.cells:
        if cell.cell_type != "markdown" or cell.source.startswith("**Sources.**"):
            continue
        reading = reading or cell.source.startswith("## 6")
        numbers = DECIMAL.findall(NO_RESULT.sub("", cell.source)) if reading else []
        if stray := set(numbers) - known:
            unknown[cell.source[:40]] = stray
    assert not unknown


def test_numbers_of_the_readme_are_those_of_the_notebook(known):
    first = (ROOT / "README.md").read_text(encoding="utf-8").split("## Working with it")[0]
    folder = ROOT / "data" / "reference" / "README.md"
    second = folder.read_text(encoding="utf-8").split("## What came out")[1]
    assert not set(DECIMAL.findall(NO_RESULT.sub("", first + second))) - known


def test_stored_results_in_the_notebook_are_those_of_the_files(
    notebook, lesson, tmp_path, monkeypatch
):
    """What the cells that compute nothing show is what they make of `data/reference/` now."""
    monkeypatch.setenv("LAB2_OUT", str(tmp_path))
    namespace, numbers = dict(vars(lesson)), 0
    for cell in notebook.cells:
        if cell.cell_type == "code" and "stored-results" in cell.metadata.get("tags", []):
            now = set(DECIMAL.findall(shown_by(cell.source, namespace)))
            stored = {n for output in cell.outputs for n in DECIMAL.findall(words_of(output))}
            assert now <= stored, f"{cell.id}: execute the notebook again"
            numbers += len(now)
    plt.close("all")
    assert numbers > 100
