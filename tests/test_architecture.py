"""The rooms of the project: who imports whom, where variables are read, how long things are."""

import ast
import re
from statistics import median

import pytest
from helpers import ROOT, imports_of

ROOMS = [p for room in ("lab", "grading", "tools") for p in sorted((ROOT / room).rglob("*.py"))]
CODE = [ROOT / "utils.py", ROOT / "doctor.py", ROOT / "conftest.py", *ROOMS]


@pytest.mark.parametrize(
    "file, above",
    [
        ("doctor.py", r"lab\.(?!config|environment|symptoms|base\.messages)|utils"),
        ("utils.py", r"lab\.(notebooks|analysis|exercises)"),
    ],
)
def test_what_stands_at_the_top_imports_only_from_rooms_below_it(file, above):
    """The contract of import-linter is of packages."""
    modules = imports_of(ROOT / file)
    assert modules and not [name for name in modules if re.match(above, name)]


def test_config_can_be_read_by_the_pythons_that_the_doctor_explains():
    for name in ("__init__", "config", "environment", "symptoms", "base/__init__", "base/messages"):
        text = (ROOT / "lab" / f"{name}.py").read_text(encoding="utf-8")
        ast.parse(text, feature_version=(3, 8))
        assert not re.search(r"isinstance\([^()]*\|", text) and "functools.cache" not in text


def test_rooms_are_small_and_say_what_is_in_them():
    for folder in {path.parent for path in ROOMS}:
        modules = [path for path in folder.glob("*.py") if path.stem != "__init__"]
        assert len(modules) <= 9, folder
        head = folder / "__init__.py"
        if folder.parts[len(ROOT.parts)] != "tools" and folder.name != "lab":
            text = ast.get_docstring(ast.parse(head.read_text(encoding="utf-8")))
            named = set(re.findall(r"^ {4}(\w+) ", text, re.MULTILINE))
            assert {path.stem for path in modules} <= named, folder
    assert all(len(path.read_text("utf-8").splitlines()) <= 500 for path in CODE)


def test_variables_are_read_in_one_room():
    reading = re.compile(r"environ(\.get)?[\[(]\s*f?[\"']LAB2_|getenv\([\"']LAB2_")
    assert {p.stem for p in CODE if reading.search(p.read_text("utf-8"))} == {"config"}


def test_nothing_asks_for_the_name_of_a_profile(notebook):
    texts = [path.read_text(encoding="utf-8") for path in CODE if path.stem != "config"]
    texts += [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    for text in texts:
        assert not re.search(r"profile\.name\s*(==|!=|in\b)|\[\s*profile\.name\s*\]", text)


def test_functions_are_short():
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in CODE]
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, kinds)]
    lengths = [node.end_lineno - node.lineno + 1 for node in functions]
    assert max(lengths) <= 45 and median(lengths) <= 10


def test_the_lessons_helpers_are_no_more_than_the_lesson_calls(notebook):
    text = (ROOT / "utils.py").read_text(encoding="utf-8")
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    used = set(re.findall(r"\butils\.(\w+)", code))
    for node in ast.parse(text).body:  # called by a cell, or by what is called by one
        name = getattr(node, "name", None)
        if name and name not in used:
            assert len(re.findall(rf"\b{name}\b", text)) > 1, name
