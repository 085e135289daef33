"""The student's edition: no answer is in it, and nothing that a student writes stops the lab."""

import ast
import copy
import json
import os
import re
import subprocess
import sys
import zipfile
from collections import Counter
from importlib import metadata

import nbformat
import pandas as pd
import pypdf
import pytest
from helpers import NOTEBOOK, ROOT, execute, folder_with, imports_of, in_brackets, outside, said

import doctor
from grading import key
from grading.sandbox import program
from lab import config
from lab.config import LabError
from lab.exercises import answer_cells
from lab.exercises.catalogue import ASKED, LAB
from lab.exercises.help import hints
from lab.exercises.tasks import TASKS
from lab.experiments import reference
from lab.notebooks import loader
from tools.students import migrate, my_report
from tools.teachers import student_edition


def cells_of(edition, place=NOTEBOOK):
    return json.loads(edition[place])["cells"]


# ── nothing of the answers ──────────────────────────────────────────────────────────────────────


class _Anonymous(ast.NodeTransformer):
    """Replaces names by numbers, in the order in which they come."""

    def __init__(self):
        self.known = {}

    def _number(self, name):
        return f"n{self.known.setdefault(name, len(self.known))}"

    def visit_Name(self, node):
        return ast.Name(self._number(node.id), ast.Load())

    def visit_arg(self, node):
        return ast.arg(self._number(node.arg))


def form(*nodes):
    """Return what statements or an expression are, apart from names and layout."""
    anonymous = _Anonymous()
    return [ast.dump(anonymous.visit(copy.deepcopy(node))) for node in nodes]


def body_of(source, name):
    """Return the statements of a function without its docstring."""
    functions = [n for n in ast.parse(source).body if getattr(n, "name", "") == name]
    return functions[0].body[1:]


@pytest.fixture(scope="module")
def trees(edition):
    """All code of the edition: where it stands -> its tree."""
    code = {place: content for place, content in edition.items() if place.endswith(".py")}
    for place in [place for place in edition if place.endswith(".ipynb")]:
        for cell in cells_of(edition, place):
            if cell["cell_type"] == "code":
                code[f"{place}, {cell['id']}"] = answer_cells.source_of(cell)
    return {place: ast.parse(content) for place, content in code.items()}


def size(*nodes):
    """Return of how many nodes statements or an expression consist."""
    return sum(1 for node in nodes for _ in ast.walk(node))


def occurrences(body, tree):
    """Say whether statements, or the expression of a single return, stand somewhere in a tree."""
    alone = body[0].value if len(body) == 1 and isinstance(body[0], ast.Return) else None
    for node in ast.walk(tree):
        if type(node) is type(alone) and size(node) == size(alone) and form(node) == form(alone):
            return True
        for statements in (getattr(node, part, None) for part in ("body", "orelse", "finalbody")):
            for start in range(len(statements) if isinstance(statements, list) else 0):
                some = statements[start : start + len(body)]
                if list(map(type, some)) == list(map(type, body)) and form(*some) == form(*body):
                    return True
    return False


CODE = [name for name, exercise in LAB.items() if exercise.kind == "code"]
CHECKED = sum(one.points for one in LAB.values() if one.kind in ("code", "guess"))  # by `check`


@pytest.mark.parametrize("name", [name for name, e in ASKED.items() if e.kind == "code"])
def test_no_solution_stands_in_the_students_folder(trees, solved, name):
    body = body_of(solved[name], ASKED[name].name)
    assert occurrences(body, ast.parse(solved[name]))  # the search finds what is there
    assert [place for place, tree in trees.items() if occurrences(body, tree)] == []


def test_no_text_number_or_letter_of_the_solved_notebook_is_handed_out(edition, solved):
    everything = "\n".join(
        content.decode("utf-8") for place, content in edition.items() if not place.endswith(".npz")
    )
    for name, source in solved.items():
        exercise = ASKED[name]
        if exercise.kind == "text":
            for sentence in re.split(r"(?<=[.?!])\s", answer_cells.text_of(source)):
                assert len(sentence) < 20 or sentence not in everything, (name, sentence)
        elif exercise.kind in ("number", "choice"):
            line = next(x for x in source.splitlines() if x.startswith(exercise.name))
            assert line not in everything, name


def test_a_notebook_is_handed_out_without_outputs_and_hints_for_programs(edition):
    for place in edition:
        assert not re.search(r"__pycache__|\.pyc|\.git|checkpoint|tests?/|build/", place)
        if place.endswith(".ipynb"):
            for cell in cells_of(edition, place):
                assert not cell.get("outputs") and not cell.get("execution_count")
                assert set(cell["metadata"]) <= {"exercise", "tags"}


def test_the_edition_speaks_of_no_program_and_page_that_is_not_in_it(edition):
    """But for the announcement of the official test, which nobody changes any more."""
    texts = {
        p: c.decode() for p, c in edition.items() if p.endswith((".md", ".txt", ".py", ".ipynb"))
    }
    del texts["data/reference/official/README.md"]
    page = re.compile(r"\b(?:tools|lab|course|tests|grading)/[\w/.-]+\.(?:py|md|po|ipynb)\b")
    for place, text in texts.items():
        assert set(page.findall(text)) <= set(edition), place
        assert not re.search(r"`make [a-z]+|^make [a-z]+$", text, re.MULTILINE), place


def test_a_student_installs_what_the_edition_imports_and_nothing_for_tests(edition):
    pins = {name.lower() for name in doctor.read_pins(ROOT / "requirements.txt")}
    assert not pins & {"pytest", "ruff", "hypothesis", "pyseccomp"}
    package_of = metadata.packages_distributions()
    ours = {"doctor", "lab", "utils", "tools", *(path.stem for path in program.BEHIND)}
    for place in [p for p in edition if p.endswith(".py") and (ROOT / p).exists()]:
        for name in {name.split(".")[0] for name in imports_of(ROOT / place)}:
            if name not in ours | sys.stdlib_module_names | {"distributed"}:  # where there is Dask
                assert {one.lower() for one in package_of[name]} & pins, (place, name)


def test_the_archive_holds_the_folder_and_is_the_same_when_made_again(edition, tmp_path):
    digests = []
    for folder, content in (("first", edition), ("second", student_edition.contents())):
        archive = student_edition.write(tmp_path / folder / "student", content)
        digests.append(archive.read_bytes())
        with zipfile.ZipFile(archive) as zipped:
            for name in zipped.namelist():
                top, _, place = name.partition("/")
                assert top == f"lab2-{student_edition.edition_of(edition)[:6]}"
                assert (tmp_path / folder / "student" / place).read_bytes() == zipped.read(name)
    assert digests[0] == digests[1]


def test_an_answer_whose_metadata_are_lost_is_not_handed_out(monkeypatch):
    """It is found by its first line; and a cell that is missing or there twice is told."""
    read = student_edition.answer_cells.read

    def bare(path):
        notebook = read(path)
        for cell in notebook["cells"]:
            cell["metadata"].pop("exercise", None)
        return notebook

    monkeypatch.setattr(student_edition.answer_cells, "read", bare)
    assert "torch.tanh(x @ w_ih.T" not in student_edition.contents()[NOTEBOOK].decode("utf-8")

    def twice(path):
        notebook = read(path)
        copies = [c for c in notebook["cells"] if c["metadata"].get("exercise") == {"id": "doubt"}]
        return {**notebook, "cells": notebook["cells"] + copies}

    monkeypatch.setattr(student_edition.answer_cells, "read", twice)
    with pytest.raises(LabError, match="have 2 cells for doubt; there must be one"):
        student_edition.contents()


def test_a_folder_of_something_else_is_left_alone(edition, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(LabError, match="is no student's edition"):
        student_edition.write(tmp_path, edition)
    assert (tmp_path / "thesis.txt").exists()


def test_a_folder_with_work_in_it_is_renamed_and_not_removed(edition, tmp_path, capsys):
    folder = tmp_path / "student"
    student_edition.write(folder, edition)
    student_edition.write(folder, edition)
    assert not (tmp_path / "student-1").exists()
    (folder / "data" / "runs").mkdir()
    (folder / "data" / "runs" / "mine.csv").write_text("work")
    student_edition.write(folder, edition)
    assert (tmp_path / "student-1" / "data" / "runs" / "mine.csv").exists()
    notebook = nbformat.read(folder / NOTEBOOK, as_version=4)
    cell = next(c for c in notebook.cells if c.metadata.get("exercise") == {"id": "detach"})
    cell.source = cell.source.replace("None", '"a"')
    nbformat.write(notebook, folder / NOTEBOOK)
    student_edition.write(folder, edition)
    assert '\\"a\\"' in (tmp_path / "student-2" / NOTEBOOK).read_text(encoding="utf-8")
    assert "is now" in capsys.readouterr().out


# ── stubs ───────────────────────────────────────────────────────────────────────────────────────


def test_a_stub_keeps_heading_signature_docstring_and_checks_and_is_empty(edition, solved):
    found = {}
    for place in [place for place in edition if place.endswith(".ipynb")]:
        found |= answer_cells.find(cells_of(edition, place))
    assert set(found) == set(ASKED) == set(solved)
    for name, (one,) in found.items():
        exercise = ASKED[name]
        assert one.source.splitlines()[0] == solved[name].splitlines()[0]
        assert answer_cells.is_empty(one.source, exercise), name
        assert not answer_cells.is_empty(solved[name], exercise), name
        assert ('check("' in one.source) == ('check("' in solved[name])
        if exercise.kind == "code":
            stub, full = (ast.parse(s).body[0] for s in (one.source, solved[name]))
            assert ast.unparse(stub.args) == ast.unparse(full.args)
            assert ast.get_docstring(stub) == ast.get_docstring(full)
            assert hints.of(name).result in one.source
            assert not [hint for hint in hints.of(name).hints if hint in one.source]


@pytest.mark.parametrize("place", [NOTEBOOK, *key.FURTHER])
def test_later_cells_do_not_use_what_a_student_writes(edition, place):
    """Only checks, guesses and the cell itself read an answer, so a wrong one stays where it is."""
    cells = [cell for cell in cells_of(edition, place) if cell["cell_type"] == "code"]
    names = {ASKED[name].name: name for name in answer_cells.find(cells) if ASKED[name].name}
    for cell in cells:
        own = cell["metadata"].get("exercise", {}).get("id")
        tree = ast.parse(answer_cells.source_of(cell))
        found = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        bound = {node.id for node in found if isinstance(node.ctx, ast.Store)}
        bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        read = {node.id for node in found} - bound
        assert {names[name] for name in read & set(names)} <= {own}, cell["id"]


# ── Run All ─────────────────────────────────────────────────────────────────────────────────────

WRONG = {"number": '"many"', "choice": '"z"', "guess": "[1, 2, 3]", "about": "3"}


def wrongly(source, name):
    """Return an answer's cell with a wrong answer in it."""
    exercise = LAB[name]
    empty = answer_cells.stub(source, name, exercise)
    if exercise.kind == "text":
        return empty.replace(answer_cells.EMPTY_TEXT, "No idea.")
    if exercise.kind == "free":
        return source.splitlines()[0] + "\nx = 1"
    if exercise.kind == "code":
        wrong = f"def {exercise.name}(*arguments, **options):\n    return torch.ones(2, 2)"
        return source.splitlines()[0] + "\n" + wrong
    return answer_cells.fill(empty, f"{exercise.name} = {WRONG[exercise.kind]}", exercise)


WHOSE = re.compile(r"(?m)^[a-z-]+: (?:yours|the lab's version, until .*)\n")  # `yours` says it


def outputs_of(notebook):
    """Return what cells show that do not show an answer: id -> outputs."""
    kept = {}
    for cell in notebook.cells:
        asks = "guess(" in cell.source or "check(" in cell.source
        if cell.cell_type == "code" and "exercise" not in cell.metadata and not asks:
            printed = "".join(o.text for o in cell.outputs if o.output_type == "stream")
            printed = WHOSE.sub("", printed)
            shown = [printed, *(dict(o.data) for o in cell.outputs if "data" in o)]
            if not cell.source.startswith("widget."):  # a widget's number
                kept[cell.id] = shown
    return kept


one_process = pytest.mark.xdist_group("notebooks")  # these tests look at the same three runs


@pytest.fixture(scope="module")
def runs(edition, solved, tmp_path_factory):
    """The solved notebook, the untouched student's one and one with all answers wrong, executed.

    But for the first cell: the doctor takes long, and does not look at answers.
    """
    folder = tmp_path_factory.mktemp("student")
    student = folder / "student"
    student_edition.write(student, edition)
    variables = {"LAB2_PROFILE": "tiny", "LAB2_OUT": str(folder / "out")}
    variables["LAB2_DATA"] = str(ROOT / "data")  # for its caches
    variables["LOKY_MAX_CPU_COUNT"] = "1"  # the other tests want a core, too
    untouched = nbformat.read(student / NOTEBOOK, as_version=4)
    wrong = copy.deepcopy(untouched)
    for cell in wrong.cells:
        if name := cell.metadata.get("exercise", {}).get("id"):
            cell.source = wrongly(solved[name], name)
    notebooks = {"solved": (nbformat.read(ROOT / NOTEBOOK, as_version=4), ROOT)}
    notebooks |= {"untouched": (untouched, student), "wrong": (wrong, student)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        done = {"folder": folder, "variables": variables}
        for name, (notebook, where) in notebooks.items():
            notebook.cells = [cell for cell in notebook.cells if cell.id != "doctor"]
            done[name] = execute(notebook, where)
            done[f"trained by {name}"] = trained_in(folder / "out" / "runs")
        return done


def trained_in(folder):
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("*/result.json")}


@one_process
def test_run_all_on_an_untouched_notebook_ends_without_an_error_and_no_points(runs):
    text = said(runs["untouched"])
    for name in CODE:
        given = "not yet, 0 of" if hints.of(name).handed_out else "not started yet."
        assert f"{name}: {given}" in text
    assert not re.search(r"\] [1-9]", text)  # the bar of points


@one_process
def test_run_all_with_every_answer_wrong_ends_without_an_error(runs):
    text = said(runs["wrong"])
    for name in CODE:
        assert f"{name}: not yet, 0 of" in text
    assert "answer_detach" not in text and "'z' is no answer" in text


@one_process
def test_run_all_on_the_solved_notebook_gives_all_points(runs):
    text = said(runs["solved"])
    for name in CODE:
        assert f"{name}: right, {LAB[name].points} of {LAB[name].points} points" in text
    assert f"] {CHECKED} of {CHECKED} points; 5 recorded" in text and "Still open" not in text


@one_process
@pytest.mark.parametrize("name", ["untouched", "wrong"])
def test_what_does_not_show_an_answer_is_the_same_as_in_the_solved_run(runs, name):
    ours, solved_ones = (outputs_of(runs[one]) for one in (name, "solved"))
    assert set(ours) == set(solved_ones)
    assert [cell for cell in ours if ours[cell] != solved_ones[cell]] == []


@one_process
def test_nothing_was_trained_again_for_a_wrong_answer(runs):
    """All three notebooks have found the same runs: no answer is part of the code that trains."""
    assert len(runs["trained by solved"]) > 10
    for name in ("untouched", "wrong"):
        assert runs[f"trained by {name}"] == runs["trained by solved"]


@one_process
@pytest.mark.long
@pytest.mark.parametrize("name", LAB)
def test_one_wrong_answer_stops_nothing_and_costs_no_other(runs, solved, name, monkeypatch):
    for variable, value in runs["variables"].items():
        monkeypatch.setenv(variable, value)
    notebook = copy.deepcopy(runs["solved"])
    cell = next(c for c in notebook.cells if c.metadata.get("exercise") == {"id": name})
    cell.source = wrongly(solved[name], name)
    done = execute(notebook, runs["folder"] / "student")
    ours, theirs = outputs_of(done), outputs_of(runs["solved"])
    assert [cell for cell in ours if ours[cell] != theirs[cell]] == []
    lost = LAB[name].points if LAB[name].kind in ("code", "guess") else 0
    assert f"] {CHECKED - lost} of {CHECKED} points" in said(done)


# ── the student's own report ────────────────────────────────────────────────────────────────────


def report_of(runs, notebook, name):
    """Make a report in the student's folder with the command that a student types; its pages."""
    folder = runs["folder"] / "student"
    nbformat.write(notebook, folder / f"{name}.ipynb")
    command = [sys.executable, "report.py", f"{name}.ipynb", f"{name}.pdf"]
    variables = os.environ | {"LAB2_OUT": str(runs["folder"] / "out")}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [page.extract_text() for page in pypdf.PdfReader(folder / f"{name}.pdf").pages], done


@one_process
def test_a_report_has_answers_predictions_figures_and_runs_and_nothing_of_our_prose(runs, solved):
    pages, _ = report_of(runs, runs["solved"], "solved")
    text = " ".join(" ".join(pages).split())
    assert 4 <= len(pages) <= 8
    assert "The solved lab" in pages[0] and "Still empty: nothing" in text
    assert "56 of 56 points" in pages[0]
    for name, exercise in LAB.items():
        if exercise.kind == "text":
            assert " ".join(answer_cells.text_of(solved[name]).split())[:40] in text, name
    for cell in runs["solved"].cells:
        if cell.cell_type == "markdown" and "exercise" not in cell.metadata:
            for sentence in re.split(r"(?<=[.?!])\s", " ".join(cell.source.split())):
                assert len(sentence) < 40 or sentence not in text


@one_process
def test_a_report_of_an_untouched_notebook_says_what_is_empty_on_page_one(runs):
    pages, done = report_of(runs, runs["untouched"], "untouched")
    empty = re.sub(r"\s", "", pages[0])  # a name may be broken at its hyphen
    for name in LAB:
        assert name in empty and name in done.stdout
    assert "0of56points" in empty


@one_process
def test_a_report_of_a_notebook_that_stopped_half_way_is_of_what_there_is(runs):
    notebook = copy.deepcopy(runs["solved"])
    place = next(i for i, cell in enumerate(notebook.cells) if cell.id == "tuned-sweep")
    notebook.cells[place].outputs = [
        nbformat.v4.new_output("error", ename="KeyboardInterrupt", evalue="", traceback=[])
    ]
    for cell in notebook.cells[place + 1 :]:
        if cell.cell_type == "code":
            cell.outputs = []
    pages, _ = report_of(runs, notebook, "stopped")
    text = " ".join(" ".join(pages).split())
    assert "Figure not there: Test accuracy under both recipes." in text
    assert "Figure not there: Accuracy of six networks" not in text
    stop = "The notebook stopped in section 7.2 A learning rate of its own: KeyboardInterrupt."
    assert stop in " ".join(pages[0].split())


@pytest.mark.parametrize("content", [None, b"", b"{}", b"no notebook", b'{"cells": 3}'])
def test_what_is_no_notebook_is_refused_in_a_sentence(tmp_path, content, monkeypatch):
    path = tmp_path / "lab2.ipynb"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(sys, "argv", ["report.py", str(path), str(tmp_path / "report.pdf")])
    with pytest.raises(SystemExit, match=r"^[^\n]+$"):
        my_report.main()


def runs_of(profile, lists):
    """Stored runs that look as if some lists had been made in a profile."""
    stored = reference.find("default", "quick")[0].head(2)
    sizes = config.PROFILES[profile]
    sized = {size: getattr(sizes, size) for size in ("epochs", "max_length", "batch_size")}
    return {name: stored.assign(**sized) for name in lists}


def write_lists(folder, lists):
    for name, table in lists.items():
        table.to_csv(folder / f"{name}_results.csv", index=False)
    return my_report.all_runs(folder)


def test_a_report_says_which_list_is_of_which_profile(tmp_path):
    runs = write_lists(tmp_path, runs_of("quick", ["default", "tuned", "seeds"]))
    assert my_report.profile_of(runs) == "quick: 5,000 reviews of 80 words"
    runs = write_lists(tmp_path, runs_of("course", ["default"]))
    assert my_report.profile_of(runs) == "default recipe: course; own learning rate: quick"
    runs = write_lists(tmp_path, runs_of("course", ["tuned", "seeds"]))
    assert my_report.profile_of(runs).startswith("course: all reviews of ")
    assert my_report.profile_of(write_lists(tmp_path, runs_of("full", ["default"]))) == (
        "default recipe: full; own learning rate: course"
    )


def test_tables_of_the_student_s_own_stop_no_report(tmp_path):
    lists = runs_of("quick", ["default", "ladder_first", "my"])
    lists["my"] = lists["my"].drop(columns=["test_accuracy"])
    lists["my"] = lists["my"].assign(code="0012345600123456", data="12345678e9012345")
    lists["notes"] = pd.DataFrame({"rate": [0.1], "accuracy": [0.7]})
    runs = write_lists(tmp_path, lists)
    assert sorted(set(runs["list"])) == ["default recipe", "further notebooks", "my experiment"]
    assert my_report.run_table(runs).count("| – |") == 2  # a result that is not there
    assert my_report.run_table(runs).count("| 123456 | 001234 |") == 2  # digits, and no number
    (tmp_path / "predictions.csv").write_text("name,value\nlinear,60\n")
    work = my_report.Work(ROOT / NOTEBOOK)
    assert "| predicted | came out |" in my_report.predictions(work, tmp_path)


def test_a_report_takes_the_cell_that_is_filled_and_forgives_jupyter_s_magics(tmp_path):
    notebook = answer_cells.read(ROOT / NOTEBOOK)
    place = answer_cells.find(notebook["cells"])["rnn-cell"][0].place
    cell = notebook["cells"][place]
    empty = answer_cells.stub(answer_cells.source_of(cell), "rnn-cell", LAB["rnn-cell"])
    notebook["cells"].insert(place + 1, {**cell, "source": empty})
    last = answer_cells.find(notebook["cells"])["experiment"][0].place
    notebook["cells"][last]["source"] = "# Answer experiment\n%timeit 1\n!ls"
    path = tmp_path / NOTEBOOK
    path.write_text(json.dumps(notebook), encoding="utf-8")
    work = my_report.Work(path)
    assert "rnn-cell" not in work.missing and work.stopped == work.twice == []


def changed(tmp_path, **sources):
    """Write the solved notebook with other sources of some answers; return its work."""
    notebook = answer_cells.read(ROOT / NOTEBOOK)
    for exercise, source in sources.items():
        place = answer_cells.find(notebook["cells"])[exercise.replace("_", "-")][0].place
        notebook["cells"][place]["source"] = source
    (tmp_path / NOTEBOOK).write_text(json.dumps(notebook), encoding="utf-8")
    return my_report.Work(tmp_path / NOTEBOOK)


def test_answers_that_were_spoilt_after_the_last_run_are_all_named_and_have_no_points(tmp_path):
    before = changed(tmp_path).checked()
    work = changed(tmp_path, rnn_cell="def rnn_cell(:", gru_cell="def gru_cell(x)\n  1")
    assert [re.search(r"answer ([a-z-]+) cannot", line)[1] for line in work.stopped] == [
        *("rnn-cell", "gru-cell"),
    ]
    assert work.checked() == before | {"rnn-cell": 0, "gru-cell": 0} != before


def test_an_answer_that_stands_twice_is_told(tmp_path):
    notebook = answer_cells.read(ROOT / NOTEBOOK)
    place = answer_cells.find(notebook["cells"])["doubt"][0].place
    notebook["cells"].append(notebook["cells"][place])
    (tmp_path / NOTEBOOK).write_text(json.dumps(notebook), encoding="utf-8")
    text = my_report.overview(my_report.Work(tmp_path / NOTEBOOK), pd.DataFrame(), tmp_path)
    assert text.endswith("* Written in more than one cell, of which the last counts: doubt")


def test_a_picture_that_was_pasted_into_a_text_is_in_the_report(tmp_path):
    notebook = answer_cells.read(ROOT / NOTEBOOK)
    cell = notebook["cells"][answer_cells.find(notebook["cells"])["traps"][0].place]
    cell["source"] = "**Answer traps**\n\n*What? (Two sentences.)*\n\n![a](attachment:a.png)"
    cell["attachments"] = {"a.png": {"image/png": "AAAA"}}
    (tmp_path / NOTEBOOK).write_text(json.dumps(notebook), encoding="utf-8")
    text = my_report.Work(tmp_path / NOTEBOOK).text("traps")
    assert text.source == "![a](attachment:a.png)" and text.attachments == cell["attachments"]


def test_what_the_language_models_wrote_is_quoted(tmp_path):
    notebook = answer_cells.read(ROOT / NOTEBOOK)
    cell = next(cell for cell in notebook["cells"] if cell.get("id") == "writing")
    text = "GRU: this *film* is\n\nLSTM: # great <br>\n"
    cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": text}]
    (tmp_path / NOTEBOOK).write_text(json.dumps(notebook), encoding="utf-8")
    quoted = "> GRU: this \\*film\\* is\n\n> LSTM: \\# great \\<br\\>"
    assert my_report.written(my_report.Work(tmp_path / NOTEBOOK)) == quoted


@pytest.mark.parametrize(
    ("guesses", "made"),
    [
        ({"guess-linear": "guess_linear = 70", "guess-word": "guess_word = 'good'"}, 2),
        ({"guess-linear": "guess_linear = 7 * 10"}, 1),
        ({"guess-items": "guess_items = 40, 90, 95", "guess-linear": "guess_linear = [70]"}, 0),
        ({"guess-mixed": "guess_mixed = {'RNN': 50, 'LSTM': 90}"}, 0),
        ({"guess-word": "guess_word = 'very good'"}, 0),
    ],
)
def test_a_prediction_counts_in_the_report_as_check_counts_it(tmp_path, edition, guesses, made):
    work = my_report.Work(folder_with(edition, tmp_path / "student", **guesses))
    lines = my_report.overview(work, pd.DataFrame(), tmp_path).splitlines()
    assert f"* Predictions made: {made} of 10" in lines
    unclear = (
        []
        if made
        else [f"* No prediction, as it is written: {', '.join(n for n in LAB if n in guesses)}"]
    )
    assert [line for line in lines if "as it is written" in line] == unclear


def test_hints_are_told_where_they_are_recorded(tmp_path, edition):
    work = my_report.Work(folder_with(edition, tmp_path / "student"))
    assert "Hints" not in my_report.overview(work, pd.DataFrame(), tmp_path)
    (tmp_path / "hints.csv").write_text("id,hints\nunroll,2\ngru-cell,1\n")
    told = my_report.overview(work, pd.DataFrame(), tmp_path)
    assert "* Hints taken: unroll (2), gru-cell (1)." in told.splitlines()


def test_figures_and_tables_of_the_report_are_those_of_the_lab():
    code = "\n".join(
        answer_cells.source_of(cell) for cell in answer_cells.read(ROOT / NOTEBOOK)["cells"]
    )
    assert {*my_report.FIGURES, *my_report.TABLES} <= set(LAB)
    for figure in [name for figures in my_report.FIGURES.values() for name in figures]:
        assert re.search(rf'"{figure}"\s*\)', code), figure
    assert all(table in code for table in my_report.TABLES.values())


def test_the_runs_of_an_experiment_stand_beside_it(tmp_path):
    runs = write_lists(tmp_path, runs_of("quick", ["default", "my"]))
    table = my_report.experiment(changed(tmp_path), runs)[-2].source
    assert table.count("my experiment") == 2 and "default recipe" not in table
    assert not any("|" in cell.source for cell in my_report.experiment(changed(tmp_path), runs[:0]))


def test_a_notebook_with_another_name_is_found(tmp_path, monkeypatch, edition):
    folder = tmp_path / "student"
    student_edition.write(folder, edition)
    (folder / NOTEBOOK).rename(folder / "lab2-ada.ipynb")
    assert loader.renamed(folder / NOTEBOOK).name == "lab2-ada.ipynb"
    monkeypatch.setattr(migrate, "ROOT", folder)
    assert migrate.pairs_of(folder)[0] == (folder / "lab2-ada.ipynb",) * 2
    (folder / "notes.ipynb").write_text('{"cells": []}')
    (folder / "lab2.before.ipynb").write_text((folder / "lab2-ada.ipynb").read_text("utf-8"))
    assert loader.renamed(folder / NOTEBOOK).name == "lab2-ada.ipynb"
    (folder / "copy.ipynb").write_text((folder / "lab2-ada.ipynb").read_text("utf-8"))
    assert loader.renamed(folder / NOTEBOOK) == folder / NOTEBOOK  # nobody knows which


@pytest.mark.parametrize("program", ["report.py", "migrate.py"])
def test_the_system_s_python_is_told_which_one_to_take(tmp_path, edition, program):
    student_edition.write(tmp_path / "student", edition)
    bare = [sys.executable, "-S", program, "x"]  # without packages
    done = subprocess.run(bare, cwd=tmp_path / "student", capture_output=True, text=True)
    assert done.returncode == 1 and ".venv/bin/python " + program in done.stderr
    assert "Traceback" not in done.stderr


def words_outside(text, known):
    """Return the words of a text that stand in no brackets and are none of those known."""
    known = set(re.findall(r"[^\W\d_]+", " ".join(known)))
    return [word for word in re.findall(r"[^\W\d_]{2,}", outside(text)) if word not in known]


@pytest.mark.parametrize("much", [True, False])
def test_all_words_of_a_report_are_messages(tmp_path, monkeypatch, capsys, much):
    """much: of a notebook with runs, notes and figures; else of one that came nowhere."""
    in_brackets(monkeypatch)
    monkeypatch.setenv("LAB2_OUT", str(tmp_path))
    notebook = answer_cells.read(ROOT / NOTEBOOK)
    known = [*LAB, "KeyboardInterrupt", "Figure", "wonderful"]  # an error, Typst, a prediction
    for cell in notebook["cells"]:  # what it shows is not the report's
        if cell["cell_type"] == "code":
            cell["outputs"] = [o for o in cell["outputs"] if much and "image/png" in str(o)]
    for name, (one, *_) in answer_cells.find(notebook["cells"]).items():
        if LAB[name].kind in ("text", "free", "about"):
            text = "1" if LAB[name].kind == "free" else "*1?*\n\n12345." if much else ""
            head = answer_cells.source_of(notebook["cells"][one.place]).split("\n")[0]
            notebook["cells"][one.place]["source"] = f"{head}\n\n{text}"
    if much:
        lists = ["language", "default", "tuned", "ways", "my"]
        runs = write_lists(tmp_path, runs_of("quick", lists))
        (tmp_path / "hints.csv").write_text("id,hints\nunroll,2\ngru-cell,1\n")
        known += [str(value) for value in runs.drop(columns="list").to_numpy().ravel()]
        known += [part[:6] for part in known]
        stop = nbformat.v4.new_output("error", ename="KeyboardInterrupt")
        notebook["cells"][-1] = nbformat.v4.new_code_cell("x", outputs=[stop])
        notebook["cells"] += [copy.deepcopy(notebook["cells"][one.place])]
    (tmp_path / NOTEBOOK).write_text(json.dumps(notebook), encoding="utf-8")
    pdf = tmp_path / "1.pdf"
    monkeypatch.setattr(sys, "argv", ["report.py", str(tmp_path / NOTEBOOK), str(pdf)])
    my_report.main()
    printed = "".join(capsys.readouterr())
    assert printed.count("\n") == (1 if much else 2) and words_outside(printed, LAB) == []
    text = "\n".join(page.extract_text() for page in pypdf.PdfReader(pdf).pages)
    assert text.count("«") > 40 and words_outside(text, known) == []


STUDENTS = [ROOT / "tools" / "students", ROOT / "course" / "student"]
PROGRAMS = sorted(path for folder in STUDENTS for path in folder.glob("*.py"))
NO_MESSAGES = {"STYLE", "CONTENTS", "FONTS", "FORMAT"}  # Typst


def is_no_text(node):
    """Say whether a node of code is a docstring, a message, a pattern, or one of NO_MESSAGES."""
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in ("_", "re.compile")
    if isinstance(node, ast.Assign):
        return getattr(node.targets[0], "id", "") in NO_MESSAGES
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_all_that_a_student_s_programs_say_is_a_message(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {id(n) for top in ast.walk(tree) if is_no_text(top) for n in ast.walk(top)}
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in skipped]
    texts = [n.value for n in nodes if isinstance(n.value, str) and "#" not in n.value]
    assert [text for text in texts if re.search(r"[A-Za-z]{2,}[,.:;]? [a-z]{2,}", text)] == []


# ── a corrected edition ─────────────────────────────────────────────────────────────────────────


def test_answers_are_taken_over_into_a_corrected_edition(edition, solved, tmp_path):
    mine = {name: solved[name] for name in LAB if LAB[name].kind != "free"}
    mine["rnn-cell"] = solved["rnn-cell"].replace("x, h,", "x, old, h,")
    old = folder_with(edition, tmp_path / "old" / "student", **mine)
    new = folder_with(edition, tmp_path / "new" / "student")
    done = migrate.migrate_notebook(old, new)
    found = answer_cells.find(answer_cells.read(new)["cells"])
    for name, source in mine.items():
        assert found[name][0].source == source, name
    assert done[0].startswith(f"{len(mine)} answers") and "rnn-cell: asks for something" in done[1]
    assert (new.parent / "lab2.before.ipynb").exists()
    again = migrate.migrate_notebook(old, new)
    assert again[0].startswith("0 answers") and "Answered here already" in again[1]


ABOVE = [name for name, e in LAB.items() if e.kind in answer_cells.ASKED_ABOVE]


@pytest.mark.parametrize("name", ABOVE)
def test_a_changed_question_is_named_and_no_other(edition, solved, name):
    old, new = (json.loads(edition[NOTEBOOK]) for _ in range(2))
    for one, (answer,) in answer_cells.find(old["cells"]).items():
        old["cells"][answer.place]["source"] = solved[one]
    assert migrate.changed_questions(old, new) == []
    place = answer_cells.find(new["cells"])[name][0].place
    texts = [cell for cell in new["cells"][:place] if cell["cell_type"] == "markdown"]
    texts[-1]["source"] = ["Another sentence.\n", "\n", *texts[-1]["source"], " Or another?"]
    (line,) = migrate.changed_questions(old, new)
    assert line.startswith(f"{name}: the question has changed")
    new["metadata"]["lab2"]["language"] = "zh"  # where each text is another
    assert migrate.changed_questions(old, new) == []


@pytest.mark.parametrize("name", ["", "empty", "notes.ipynb"])
def test_taking_over_says_in_a_sentence_what_is_wrong(tmp_path, monkeypatch, capsys, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.ipynb").write_text("no notebook")
    monkeypatch.setattr(sys, "argv", ["migrate.py", *([str(tmp_path / name)] if name else [])])
    assert migrate.main() == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


# ── the teacher's folder ────────────────────────────────────────────────────────────────────────


def test_the_errors_that_the_teacher_reads_of_are_those_that_checks_know():
    """Second column of the tables: what a check says, in italics."""
    name, phrases = "", 0
    for line in (ROOT / "course" / "usual-errors.md").read_text(encoding="utf-8").splitlines():
        name = found[1] if (found := re.match(r"\*\*`([a-z-]+)`\*\*", line)) else name
        if line.startswith("## "):
            name = ""
        if name and line.startswith("|"):
            said = line.replace(r"\*", "×").split("|")[2]
            for phrase in re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", said):
                assert phrase.replace("×", "*") in TASKS[name].known_mistakes, (name, phrase)
                phrases += 1
    assert phrases > 25


def test_every_exercise_has_its_place_in_the_teachers_folder():
    texts = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "course").glob("*.md")}
    for name, exercise in LAB.items():
        assert f"`{name}`" in texts["lesson-plan.md"] or exercise.kind == "about", name
        assert f"`{name}`" in texts["outcomes.md"] or exercise.kind == "about", name
        if exercise.kind in ("text", "free"):
            assert f"`{name}`" in texts["rubric.md"], name
    measured = re.findall(r"^\| \d+ \|([^|]+)\|", texts["outcomes.md"], re.MULTILINE)
    assert set(re.findall(r"`([a-z-]+)`", " ".join(measured))) <= set(LAB)
    for path in (ROOT / "course").glob("*.md"):
        for link in re.findall(r"\]\(([^)#]+)\)", texts[path.name]):
            assert link.startswith("http") or (path.parent / link).exists(), (path.name, link)


def test_the_teacher_reads_of_the_points_that_the_exercises_have():
    readme, rubric, grading = (
        " ".join((ROOT / "course" / f"{page}.md").read_text(encoding="utf-8").split())
        for page in ("README", "rubric", "grading")
    )
    points, count = Counter(), Counter(exercise.kind for exercise in LAB.values())
    for exercise in LAB.values():
        points[exercise.kind] += exercise.points
    code, by_reader = points["code"], points["text"] + points["free"]
    said = f"{code} for code ({count['code']} functions), {points['number']} for numbers, "
    said += f"{points['choice']} for choices, {points['guess']} for predictions"
    assert said in readme and points.total() == 100
    assert f"these {100 - by_reader}." in readme and f"The other {by_reader}" in readme
    assert rubric.startswith(f"# Rubric: the {by_reader} points")
    assert f"marks {100 - by_reader} of the 100 points" in grading
    read = {n: e.points for n, e in LAB.items() if e.kind in ("text", "free")}
    given = {name: int(n) for name, n in re.findall(r"## `([a-z-]+)` · (\d+)", rubric)}
    assert given == read


def test_a_report_says_where_the_notebook_stopped_and_of_which_profile_it_is(tmp_path):
    notebook = answer_cells.read(ROOT / NOTEBOOK)
    place = next(i for i, cell in enumerate(notebook["cells"]) if cell["id"] == "tuned-sweep")
    said = "There is no run of the GRU. Run the cell above."
    error = {"output_type": "error", "ename": "LabError", "evalue": said, "traceback": []}
    notebook["cells"][place]["outputs"] = [error]
    (tmp_path / NOTEBOOK).write_text(json.dumps(notebook), encoding="utf-8")
    work = my_report.Work(tmp_path / NOTEBOOK)
    stop = f"The notebook stopped in section 7.2 A learning rate of its own: {said}"
    assert work.stopped == [stop]
    text = my_report.overview(work, pd.DataFrame(), tmp_path)  # nothing of section 7 is finished
    assert "* Profile: quick: 5,000 reviews of 80 words" in text.splitlines()


def test_numbers_of_a_prediction_have_one_form_and_what_was_not_asked_is_left_out(tmp_path):
    table = pd.DataFrame({
        "id": ["guess-recall", "guess-recall", "guess-recall", "guess-pairs"],
        "part": ["RNN", "LSTM", "another", ""],
        "outcome": [12.52, 99.4, 3.0, 29.0],
    })  # fmt: skip
    table.to_csv(tmp_path / "predictions.csv", index=False)
    work = changed(tmp_path, guess_recall="guess_recall = {'RNN': 20, 'LSTM': 100}")
    rows = my_report.predictions(work, tmp_path)
    assert "RNN | 20.0 | 12.5 |" in rows and "LSTM | 100.0 | 99.4 |" in rows
    assert "another" not in rows


def test_rates_are_written_without_exponents(tmp_path):
    runs = write_lists(tmp_path, runs_of("quick", ["default"]))
    table = my_report.run_table(runs.assign(learning_rate=[3e-5, 1e-4]))
    assert "| 0.00003 |" in table and "| 0.0001 |" in table
