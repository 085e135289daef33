"""course/each-year.md, followed to the letter in a copy of the project, and the pages' commands."""

import ast
import json
import re
import shlex
import shutil
import subprocess
import sys

import pytest
from helpers import ROOT

from lab.exercises import answer_cells

PAGES = sorted((ROOT / "course").glob("*.md"))
COPIED = (
    *("lab2.ipynb", "lab2.zh.ipynb", "further", "lab", "grading", "tools", "translations"),
    *("figures", "course", "utils.py", "doctor.py", "LICENSE", "requirements.txt", "data"),
    *("requirements-develop.txt", "requirements-cluster.txt", "constraints.txt", "tests"),
    *("conftest.py", "README.md", "README.zh.md", "Makefile", ".importlinter", "ruff.toml"),
    "environment.yml",
)
HINT = "A GRU has three sets: count the first one, matrix by matrix, then its two biases."


@pytest.fixture
def copy(tmp_path):
    """The project's files, in a folder where they may be changed."""
    ignored = shutil.ignore_patterns("__pycache__", "runs", "*.part", ".pytest_cache", "reviews*")
    for name in COPIED:
        place = ROOT / name
        if place.is_dir():
            shutil.copytree(place, tmp_path / name, ignore=ignored)
        elif place.exists():
            shutil.copy(place, tmp_path / name)
    return tmp_path


def next_year(folder):
    """Another number, letter and hint, and outputs as the executed notebook would have them.

    It says of no text what it is now: a teacher who follows the page changes just these.
    """
    path = folder / "lab2.ipynb"
    notebook = answer_cells.read(path)
    cells = {cell["id"]: cell for cell in notebook["cells"]}

    def change(name, old, new):
        source, count = re.subn(old, new, answer_cells.source_of(cells[name]))
        assert count == 1, name
        cells[name]["source"] = source.splitlines(keepends=True)

    change("layers", r"\*\*Question\.\*\* .*", "**Question.** And `nn.GRU(50, 256)`, how many?")
    change(
        "weights", "answer_weights = .*", "answer_weights = 3 * (50 * 256 + 256 * 256 + 2 * 256)"
    )
    change("language-model", r"\* a\) ", "* a) (One of the four.) ")
    change("detach", "answer_detach = .*", 'answer_detach = "a"')
    for name, old, new in (("weights", r"\d{4,}", "236544"), ("detach", r"\([a-z]\)", "(a)")):
        output = cells[name]["outputs"][0]
        text, count = re.subn(old, new, "".join(output["text"]))
        assert count == 1, name
        output["text"] = text.splitlines(keepends=True)
    path.write_text(json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    hints = folder / "lab" / "exercises" / "help" / "hints.toml"
    text = hints.read_text(encoding="utf-8")
    new, count = re.subn(r"(?s)(\[weights\]\nhints = \[\n).*?\n\]", rf'\1  "{HINT}",\n]', text)
    assert count == 1
    hints.write_text(new, encoding="utf-8")


def python(folder, *arguments):
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


STATE = """
import json
from grading import key
from lab.exercises import answer_cells
from lab.exercises.help import hints
from tools.teachers import student_edition
keys = {language: key.present(language) for language in ("en", "zh")}
zh = json.loads(student_edition.contents("zh")["lab2.ipynb"])
text = {c["id"]: answer_cells.source_of(c) for c in zh["cells"]}["layers"]
print(json.dumps([
    [keys[one][name].answer for one in keys for name in ("weights", "detach")],
    hints.of("weights").hints, text[-200:],
    student_edition.edition_of(student_edition.contents()),
]))
"""


def test_another_number_letter_and_hint_are_the_same_in_both_languages(copy):
    next_year(copy)
    said = python(copy, "tools/teachers/translate.py", "zh")
    for place in ("lab2.ipynb:layers", "lab2.ipynb:language-model"):
        assert f"\n  {place}: " in said
    assert f"\n  lab/exercises/help/hints.toml: {HINT[:40]}" in said
    answers, hints, text, edition = json.loads(python(copy, "-c", STATE))
    assert answers == [236544, "a"] * 2 and hints == [HINT]
    assert "And `nn.GRU(50, 256)`, how many?" in text and "还没有中文译文" in text
    again = python(copy, "tools/teachers/translate.py", "zh")  # once more changes nothing
    assert again == said and len(edition) == 12


@pytest.mark.long
def test_an_english_teacher_has_no_red_test(copy):
    next_year(copy)
    python(copy, "tools/teachers/translate.py", "zh")
    tests = ("translation", "project", "help", "readings", "text", "each_year")
    marked = ("signs", "regrading", "grading")
    files = [f"tests/test_{name}.py" for name in (*tests, *marked)]
    python(copy, "-m", "pytest", "-q", "-m", "not long", "-p", "no:cacheprovider", *files)


# ── Commands ────────────────────────────────────────────────────────────────────────────────────


def commands():
    """Yield (page, command) of each command in the pages that calls Python or make."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = re.findall(r"(?s)```\w*\n(.*?)```", text)
        spans = re.findall(r"`([^`]+)`", re.sub(r"(?s)```.*?```", "", text))
        lines = [line.partition("#")[0] for block in blocks for line in block.splitlines()]
        for one in (*lines, *spans):
            one = " ".join(one.split())
            if re.match(r"(\S*/)?(python\d?|pytest|jupyter|papermill)\b|make ", one):
                yield page.name, one


AS_A_STUDENT = ("python doctor.py", "python report.py")  # which need no packages, or say it


def test_commands_in_the_pages_call_the_labs_own_python():
    found = [*commands()]
    assert len(found) > 15
    others = [
        (page, one)
        for page, one in found
        if not one.startswith((".venv/bin/", "make ")) and one not in AS_A_STUDENT
    ]
    assert others == []


def test_what_the_pages_call_exists_and_has_these_options():
    rules = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    for page, one in commands():
        words = shlex.split(one)
        if words[0] == "make":
            target = next((word for word in words[1:] if "=" not in word), "run")
            assert target in rules, (page, one)
        elif words[0].endswith("python") and words[1].endswith(".py"):
            program = next((p for f in (ROOT, ROOT / "course" / "student")
                            if (p := f / words[1]).is_file()), None)  # fmt: skip
            assert program, (page, one)
            known = {
                node.value
                for node in ast.walk(ast.parse(program.read_text(encoding="utf-8")))
                if isinstance(node, ast.Constant) and str(node.value).startswith("--")
            }
            assert {word for word in words[2:] if word.startswith("--")} <= known | {"--help"}, (
                page,
                one,
            )
