"""The rooms of the project: who imports whom, what a module says of itself, how long things are."""

import ast
import re
from pathlib import Path
from statistics import median

import pytest

import lab

ROOT = Path(__file__).parents[1]
LAB = sorted(path for path in (ROOT / "lab").glob("*.py") if path.stem != "__init__")
TOOLS = sorted((ROOT / "tools").rglob("*.py"))
GRADING = sorted(path for path in (ROOT / "grading").rglob("*.py") if path.stem != "__init__")
CODE = [ROOT / "utils.py", ROOT / "doctor.py", ROOT / "conftest.py", *LAB, *GRADING, *TOOLS]


def imported(path):
    """Return what of the project a file imports: lab/x.py as x, others by their names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "lab":
            found |= {f"lab.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
    rooms = {name.removeprefix("lab.") for name in found if name.startswith("lab.")}
    return rooms | ({"utils", "doctor", "tools", "tests", "helpers", "conftest"} & found)


def functions(path):
    """Yield name and number of lines of each function of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{path.name}: {node.name}", node.end_lineno - node.lineno + 1


def test_every_room_imports_what_the_map_says_and_no_more():
    assert {path.stem: imported(path) for path in LAB} == {k: set(v) for k, v in lab.MAP.items()}


def test_arrows_of_the_map_run_one_way():
    """A room can be built when all that it imports stands: in the end every room stands."""
    standing = set()
    while ready := {r for r in lab.MAP if r not in standing and set(lab.MAP[r]) <= standing}:
        standing |= ready
    assert standing == set(lab.MAP)


def test_grading_imports_of_the_lab_no_training():
    allowed = {"answers", "cases", "checks", "config", "exercises", "files", "plays", "words"}
    assert all(imported(path) - {"tools"} <= allowed for path in GRADING)


def test_the_lesson_stands_above_the_machinery_and_the_programs_above_both():
    assert imported(ROOT / "utils.py") <= set(lab.MAP) - {"lesson", "sweep", "results", "figures"}
    assert imported(ROOT / "doctor.py") == {"config"}
    for path in TOOLS:
        assert imported(path) <= {*lab.MAP, "utils", "doctor", "tools"}, path.name


def test_config_can_be_read_by_the_pythons_that_the_doctor_explains():
    for name in ("__init__", "config"):
        text = (ROOT / "lab" / f"{name}.py").read_text(encoding="utf-8")
        ast.parse(text, feature_version=(3, 8))


@pytest.mark.parametrize("path", [*LAB, *TOOLS, ROOT / "utils.py"], ids=lambda path: path.name)
def test_a_head_says_what_is_in_it_who_uses_it_and_what_it_may_import(path):
    head = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert re.match(r"\S.{20,}", head)
    if path.parent.name == "lab":
        said = head[head.index("Who uses it") :]
        named = set(re.findall(r"`(\w+)\.py`", said.partition("mports")[2]))
        assert named == set(lab.MAP[path.stem]), path.name


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.name)
def test_nothing_comes_from_the_tests_and_variables_are_read_in_one_room(path):
    assert not imported(path) & {"tests", "helpers"}
    text = path.read_text(encoding="utf-8")
    if path != ROOT / "lab" / "config.py":
        assert not re.search(r"environ(\.get)?[\[(]\s*f?[\"']LAB2_|getenv\([\"']LAB2_", text)


def test_nothing_asks_for_the_name_of_a_profile(notebook):
    texts = [path.read_text(encoding="utf-8") for path in CODE if path.stem != "config"]
    texts += [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    for text in texts:
        assert not re.search(r"profile\.name\s*(==|!=|in\b)|\[\s*profile\.name\s*\]", text)


def test_functions_are_short():
    lengths = dict(pair for path in CODE for pair in functions(path))
    assert [name for name, length in lengths.items() if length > 45] == []
    assert median(lengths.values()) <= 10


def test_the_lessons_helpers_are_no_more_than_the_lesson_calls(notebook):
    path = ROOT / "utils.py"
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 600
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    used = set(re.findall(r"\butils\.(\w+)", code))
    for node in ast.parse(text).body:  # called by a cell, or by what is called by one
        name = getattr(node, "name", None)
        if name and name not in used:
            assert len(re.findall(rf"\b{name}\b", text)) > 1, name
