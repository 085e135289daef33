"""The project as a whole: pins, notebook hygiene, settings, environment check, report."""

import ast
import re
import subprocess
import sys
from collections import Counter
from importlib import metadata

import nbformat
import pytest
import yaml
from helpers import ROOT, imports_of
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import doctor
import utils
from grading.sandbox.program import BEHIND
from lab import config
from lab.base import machine
from lab.config import LabError
from lab.exercises.catalogue import ELECTIVES, FURTHER, LAB
from tools.teachers import translate

LISTS = ("requirements.txt", "requirements-develop.txt", "requirements-cluster.txt")
FOLDERS = ("lab", "grading", "tools", "tests")


def constraints():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_conda_and_pip_route_install_the_same():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip_pins = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert pip_pins == constraints()


def test_every_package_is_held_with_one_version_a_system():
    names = Counter()
    for line in constraints():
        requirement = Requirement(line)  # raises if it is none
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), line
        if requirement.marker is None or requirement.marker.evaluate():
            names[canonicalize_name(requirement.name)] += 1
    assert set(names.values()) == {1}


def test_every_pin_and_all_that_the_lab_needs_here_are_held():
    """Whatever is installed because the lab asks for it, and what that asks for, has a line."""
    held = {canonicalize_name(Requirement(line).name): Requirement(line) for line in constraints()}
    waiting = [
        Requirement(f"{name}=={version}")
        for file in LISTS
        for name, version in doctor.read_pins(ROOT / file).items()
    ]
    seen = set()
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        key = (name, frozenset(wanted.extras))
        if key in seen or doctor.installed(name) is None:  # a CPU build of torch needs no CUDA
            continue
        seen.add(key)
        assert name in held, f"{name} floats: run make constraints"
        for text in metadata.requires(name) or []:
            needed = Requirement(text)
            extras = [{"extra": extra} for extra in wanted.extras] or [{"extra": ""}]
            if needed.marker is None or any(needed.marker.evaluate(extra) for extra in extras):
                waiting.append(needed)
    assert len(seen) > 100


GROUP = """
import pytest

@pytest.mark.xdist_group("dear")
@pytest.mark.parametrize("number", range(6))
def test_one_of_a_group(number, worker_id):
    with open("workers.txt", "a") as file:
        print(worker_id, file=file)
"""


def test_tests_that_share_what_is_dear_run_in_one_process(tmp_path):
    """With versions that do not fit each other the marks are passed over, and nothing fails."""
    (tmp_path / "test_group.py").write_text(GROUP, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    workers = (tmp_path / "workers.txt").read_text(encoding="utf-8").split()
    assert len(workers) == 6 and len(set(workers)) == 1


def test_every_import_is_pinned():
    pins = {name.lower() for file in LISTS for name in doctor.read_pins(ROOT / file)}
    package_of = metadata.packages_distributions()
    tops = ("", "tests", "tests/benchmarks")
    ours = {path.stem for folder in tops for path in (ROOT / folder).glob("*.py")}
    ours |= {*FOLDERS, *(file.stem for file in BEHIND)}
    files = [*ROOT.glob("*.py"), *(ROOT / "tests").glob("*.py")]
    files += [path for f in ("lab", "grading", "tools") for path in (ROOT / f).rglob("*.py")]
    for file in files:
        tops = {name.split(".")[0] for name in imports_of(file)}
        for top in tops - ours - sys.stdlib_module_names:
            owners = {name.lower() for name in package_of[top]}
            assert owners & pins, f"{file.name} imports {top}, which no pin installs"


NOTEBOOKS = [ROOT / "lab2.ipynb", *sorted((ROOT / "further").glob("*.ipynb"))]
in_every_language = pytest.mark.parametrize(
    "path", [*NOTEBOOKS, *ROOT.glob("lab2.*.ipynb")], ids=lambda path: path.stem
)
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path):
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


def texts_wait(language):
    """Say whether a text has no translation yet, as when a teacher has changed a question."""
    known = translate.updated(language, translate.DOCUMENTS)
    return any(one.id and one.id not in translate.strings(known) for one in known)


@in_every_language
def test_a_notebook_was_run_once_from_top_to_bottom(path):
    """While texts wait for their translation, a few translated cells may wait for their run."""
    code = code_cells(path)
    counts = [cell.execution_count for cell in code]
    changed = [cell for cell in code if cell.execution_count is None]
    waits = changed and path not in NOTEBOOKS and texts_wait(path.suffixes[0].strip("."))
    assert len(changed) <= (len(code) // 10 if waits else 0)
    assert all(count in (None, i) for i, count in enumerate(counts, 1))
    assert not any(cell.outputs for cell in changed)
    for cell in code:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"


@every_notebook
def test_a_notebook_runs_anywhere(path):
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata.kernelspec.name == "python3"
    assert not any("execution" in cell.metadata for cell in notebook.cells)  # times of a machine
    text = nbformat.writes(notebook)
    assert not re.search(r"(/(home|root|tmp|Users)/|C:\\\\)", text)


@every_notebook
def test_a_notebook_says_why_an_output_is_not_compared(path):
    code = code_cells(path)
    ignored = [c for c in code if "nbval-ignore-output" in c.metadata.get("tags", [])]
    for cell in code:
        reason = cell.metadata.get("differs")
        assert (cell in ignored) == (reason in ("rounding", "machine", "widget")), cell.id
        assert reason in (None, "data", "rounding", "machine", "widget"), cell.id
    shown = [cell for cell in code if cell.outputs]
    assert len(code) - len(ignored) >= len(code) / 3
    assert len([cell for cell in shown if cell not in ignored]) >= len(shown) / 4


@every_notebook
def test_a_notebook_can_be_worked_in(path):
    """Its cells fit on a screen, and an elective is done in an evening."""
    assert all(len(cell.source.splitlines()) <= 25 for cell in code_cells(path))
    assert len(nbformat.read(path, as_version=4).cells) <= (170 if path.stem == "lab2" else 61)


def test_the_minutes_of_the_sections_add_up_to_two_sessions(notebook):
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    heads = [text for text in prose if re.match(r"## \d+ ", text)]
    minutes = [int(re.search(r"\*(\d+) minutes", text)[1]) for text in heads]
    assert [sum(minutes[:5]), sum(minutes[5:])] == [130, 115]
    assert "130 minutes" in prose[0] and "115 minutes" in prose[0]
    writing, section = dict.fromkeys(range(11), 0), 0
    for cell in notebook.cells:
        if head := re.match(r"## (\d+) ", cell.source):
            section = int(head[1])
        if exercise := cell.metadata.get("exercise"):
            asked = LAB[exercise["id"]]
            writing[section] += 0 if asked.home else asked.minutes
    assert all(writing[place] < total for place, total in enumerate(minutes, 1)), writing


@pytest.mark.parametrize("name", ["parallel", "past"])
def test_the_title_of_an_elective_has_the_minutes_of_its_exercises(name):
    title = nbformat.read(ROOT / "further" / f"{name}.ipynb", as_version=4).cells[0].source
    [minutes] = re.findall(r"(\d+) of them for the exercises", title)
    assert int(minutes) == sum(e.minutes for e in ELECTIVES[name].values() if not e.home)


@pytest.mark.parametrize(
    "page, count, points",
    [
        ("README.md", "six notebooks", "{} points"),
        ("zh/README.md", "六个笔记本", "另有 {} 分"),
    ],
)
def test_a_student_is_told_of_all_electives_and_their_points(page, count, points):
    text = (ROOT / "course" / "student" / page).read_text(encoding="utf-8")
    assert len(ELECTIVES) == len([*ROOT.glob("further/*.ipynb")]) == 6 and count in text
    assert points.format(sum(e.points for e in FURTHER.values())) in text


@every_notebook
def test_figures_say_what_they_show(path):
    for cell in code_cells(path):
        if "save_figure" in cell.source or "figures.plot_" in cell.source:
            assert re.match(r"#\| fig-cap: [A-Z].{20,}\.\n", cell.source), cell.id


@every_notebook
def test_a_picture_has_an_alternative_text(path):
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                assert output.metadata["image/png"]["alt"].startswith("A figure with "), cell.id
        if cell.cell_type == "markdown":
            assert "![](" not in cell.source, cell.id


def test_importing_the_helpers_changes_nothing():
    code = (
        "import torch, random, numpy, os; before = (torch.get_num_threads(), random.getstate(),"
        " torch.initial_seed(), sorted(os.listdir()));"
        "import utils; from lab.analysis import figures; from lab.base import hashing;"
        "from lab.datasets import token_stream; from lab.experiments import results, sweep;"
        "after = (torch.get_num_threads(), random.getstate(),"
        " torch.initial_seed(), sorted(os.listdir())); assert before == after"
    )
    subprocess.run([sys.executable, "-B", "-c", code], cwd=ROOT, check=True)


def test_unknown_profile_lists_the_known(monkeypatch):
    monkeypatch.setenv("LAB2_PROFILE", "ful")
    with pytest.raises(LabError, match=r"'ful'.*quick, course, full"):
        config.get_profile()


@in_every_language
def test_what_a_notebook_imports_exists_and_keeps_its_name(path):
    """A cell that gives a module's name to something else stops the cells that come after it."""
    body = [node for cell in code_cells(path) for node in ast.parse(cell.source).body]
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    scope = {}
    exec(compile(ast.Module(imports, []), path, "exec"), scope)
    assert len(scope) > 5
    others = [node for node in body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    names = [node for tree in others for node in ast.walk(tree) if isinstance(node, ast.Name)]
    assert not {node.id for node in names if isinstance(node.ctx, ast.Store)} & set(scope)


def test_folders_follow_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("LAB2_OUT", raising=False)
    monkeypatch.delenv("LAB2_DATA", raising=False)
    assert config.data_folder() == config.output_folder() == ROOT / "data"
    monkeypatch.setenv("LAB2_DATA", str(tmp_path))
    assert config.data_folder() == config.output_folder() == tmp_path
    monkeypatch.setenv("LAB2_OUT", str(tmp_path / "out"))
    assert config.output_folder() == tmp_path / "out"


def test_a_relative_folder_is_the_same_one_for_the_further_notebooks(monkeypatch, tmp_path):
    monkeypatch.setenv("LAB2_OUT", "tests")
    for folder in (ROOT, ROOT / "further"):
        monkeypatch.chdir(folder)
        assert config.output_folder().resolve() == ROOT / "tests"
    monkeypatch.setenv("LAB2_DATA", "not there yet")
    assert config.data_folder() == ROOT / "not there yet"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").mkdir()
    assert config.output_folder().resolve() == tmp_path / "tests"  # where one works comes first


def test_a_tilde_is_the_readers_own_folder(monkeypatch, tmp_path):
    """Also where no shell replaces it: in a file of settings, or in %env of a notebook."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("LAB2_DATA", "~/not there yet")
    assert config.data_folder() == tmp_path / "not there yet"


def test_an_error_of_the_lab_is_one_line_in_jupyter():
    assert LabError("what, where, what to do")._render_traceback_() == [
        "LabError: what, where, what to do"
    ]


def test_the_question_bank_counts_its_questions():
    bank = (ROOT / "course" / "question-bank.md").read_text(encoding="utf-8")
    numbers = [int(number) for number in re.findall(r"^\*\*(\d+) · ", bank, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    readme = (ROOT / "course" / "README.md").read_text(encoding="utf-8")
    assert f"{len(numbers)} questions" in bank and f"{len(numbers)} questions" in readme


def test_subnormal_numbers_are_rounded_to_zero_and_one_thread_computes():
    utils.torch.set_num_threads(2)
    machine.prepare_torch()
    assert (utils.torch.tensor([1e-30]) * 1e-10).item() == 0.0
    assert utils.torch.get_num_threads() == 1
