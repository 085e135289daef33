"""Whatever a student has written is an answer, and comes along into another edition."""

import errno
import json
import math
import shutil
import sys

import pytest
from helpers import NOTEBOOK, folder_with

from lab.config import LabError
from lab.exercises import answer_cells
from lab.exercises.catalogue import ASKED, LAB, empty_guess, heading
from tools.students import migrate, my_report

HEADING = "**Answer traps · 2 points · 3 minutes**"
QUESTION = "*What does it show? (Two sentences.)*"
ITALICS = "*Is it learnt? No: it is known by heart.*"


def cell_of(name, body, check=False):
    """The source of an answer's cell."""
    lines = [heading(name, ASKED[name]), body]
    return "\n".join([*lines, f'check("{name}")'] if check else lines)


def stub_of(name):
    """The source of a cell of code without an answer."""
    exercise = ASKED[name]
    if exercise.kind == "code":
        raises = 'raise NotImplementedError("not written yet")'
        return cell_of(name, f'def {exercise.name}(x):\n    """Docstring."""\n    {raises}')
    empty = empty_guess(exercise.key) if exercise.kind == "guess" else "None"
    return cell_of(name, f"{exercise.name} = {empty}", exercise.kind != "guess")


def run(source):
    """Run a cell as a notebook would; return its names, and which checks it has called."""
    checks, scope = [], {"math": math}
    exec(source, scope | {"check": checks.append}, scope)
    return scope, checks


# ── what counts as written ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (f"{HEADING}\nIt fits.", "It fits."),
        (f"{HEADING} It fits.", "It fits."),
        (f"{HEADING}\n\n{QUESTION}\nIt *fits.*", "It *fits.*"),
        (f"{HEADING}\n{QUESTION}\n\n*It fits.*", "*It fits.*"),
        ("*It fits,* I think.", "*It fits,* I think."),
        ("**Answer is: yes.**\n\nIt fits.", "**Answer is: yes.**\n\nIt fits."),
        (f"{HEADING}\n\n{QUESTION}\n\n*Write here.*", ""),
        (HEADING, ""),
    ],
)
def test_a_text_is_all_that_stands_below_heading_and_question(cell, text):
    assert answer_cells.text_of(cell) == text
    assert answer_cells.text_of(cell, QUESTION) == text
    assert answer_cells.is_empty(cell, LAB["traps"]) == (not text)


def test_where_the_question_is_known_nothing_else_is_taken_for_it():
    assert answer_cells.text_of(f"{HEADING}\n\n{ITALICS}", QUESTION) == ITALICS
    assert answer_cells.text_of(f"{HEADING}\n\n{QUESTION}\n\n{ITALICS}", QUESTION) == ITALICS
    assert answer_cells.text_of(f"{HEADING}\n\n*Explain.* It fits.", "*Explain.*") == "It fits."


def test_the_students_edition_knows_the_question_of_each_text(edition, solved):
    found = {}
    for place in [place for place in edition if place.endswith(".ipynb")]:
        found |= answer_cells.find(json.loads(edition[place])["cells"])
    for name, (one,) in found.items():
        if ASKED[name].kind == "text":
            head = solved[name].splitlines()[0]
            assert one.source == f"{head}\n\n{one.question}\n\n*Write here.*"
        else:
            assert one.question == ""


WRITTEN = {
    "open-gate": [
        'def open_gate(layer, amount):\n    """D."""\n    layer.bias.data.chunk(4)[1].add_(amount)',
        "def open_gate(layer, amount):\n    raise ValueError",
    ],
    "rnn-cell": [
        "rnn_cell = lambda *a: a[0]",
        "def rnn_cel(x):\n    return x",
        "def helper(x):\n    return x\n\ndef rnn_cell(x):\n    raise NotImplementedError",
    ],
    "guess-linear": [
        "guess_linear = 0",
        "guess_linear, other = 70, 80",
        "guess_linear = 60\nguess_linear += 10",
        "guess_linaer = 70",
    ],
    "guess-six": [
        f'guess_six = {empty_guess(LAB["guess-six"].key)}\nguess_six["RNN-256"] = 70',
        "guess_six = {}\nguess_six.update(GRU=70)",
        "guess_six = {}\nfor name in NETWORKS:\n    guess_six[name] = 70",
    ],
    "detach": ['answer_detach = "b"', 'if True:\n    answer_detach = "b"', "answer_detach = ("],
}
EMPTY = {
    "open-gate": [
        "",
        "def open_gate(layer, amount):\n    pass",
        'def open_gate(layer, amount):\n    """D."""\n    raise NotImplementedError',
        "def open_gate(layer, amount):\n    ...\n\ncheck('open-gate')",
    ],
    "guess-linear": ["", "guess_linear = None", "guess_linear: float", "guess_linear = ..."],
    "guess-six": ["guess_six = {}", 'guess_six = {"RNN-256": None, "GRU-256": ""}\nguess_six'],
    "detach": ["answer_detach = None\ncheck('split')", 'answer_detach = ""'],
}


@pytest.mark.parametrize(
    ("name", "body"), [(n, b) for n, bodies in WRITTEN.items() for b in bodies]
)
def test_code_that_a_student_wrote_is_an_answer(name, body):
    assert not answer_cells.is_empty(cell_of(name, body), ASKED[name])


@pytest.mark.parametrize(("name", "body"), [(n, b) for n, bodies in EMPTY.items() for b in bodies])
def test_code_in_which_nothing_was_written_is_none(name, body):
    assert answer_cells.is_empty(cell_of(name, body), ASKED[name])


DEEP = "(" * 5000 + ")" * 5000
LONG = "+".join(["1"] * 20_000)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("guess: float = 70", 70),
        ("mine = guess = 70", 70),
        ('guess = {"a": None}\nguess["a"] = 70', {"a": 70}),
        ('guess = {"a": 1}\nother["a"] = 2', {"a": 1}),
        ("guess = {}\nguess[a.NAME] = 2 * x", {"a.NAME": "2 * x"}),
        ("guess = 1\nguess: float", 1),
        ("guess = 1\nguess += x", "guess += x"),
        ("guess = 1\ndef f():\n    guess = 2", 1),
        ("guess = {{1}}", "{{1}}"),
        ("guess = {[1]: 2}", "{[1]: 2}"),
        ("%time pass\nguess = 1\n!ls\nguess?", 1),
        ("guess = 1 +", None),
        ("guess = '\0'", None),
        ("other = 1", None),
        (f"guess = {DEEP}", None),
        (f"guess = {LONG}", None),
    ],
)
def test_a_value_is_read_however_it_is_given_and_whatever_it_is(body, value):
    assert answer_cells.value_of(body, "guess") == value


@pytest.mark.parametrize("value", ["{{1}}", "9" * 4000, "{[1]: 2}", "1e999", DEEP])
def test_no_prediction_keeps_the_report_from_being_made(edition, tmp_path, value):
    path = folder_with(edition, tmp_path / "student", **{"guess-linear": f"guess_linear = {value}"})
    assert "predicted" in my_report.predictions(my_report.Work(path), tmp_path)


def test_the_report_has_an_answer_that_took_the_place_of_the_question(edition, tmp_path):
    mine = {"traps": f"{HEADING}\n\n{ITALICS}", "conclusion": "No heading at all."}
    work = my_report.Work(folder_with(edition, tmp_path / "student", **mine))
    for name, text in zip(mine, (ITALICS, "No heading at all.")):
        assert name not in work.missing and work.text(name)["source"] == text


# ── into a new cell ─────────────────────────────────────────────────────────────────────────────

NUMBERS = {
    "weights": [
        "k = math.log(1e-6) / math.log(1 / math.sqrt(3))\nanswer_weights = k",
        "import math as m\nanswer_weights: float = m.log(1)",
        "answer_weights = (\n    25  # é\n)",
    ],
    "detach": ['x = 1; answer_detach = "b"', 'x = """é\n  b"""; answer_detach = x[-1]'],
    "guess-gates": ['half = 50\nguess_gates = {"0.50": half, "0.73": half, "0.95": 100}'],
    "guess-six": [f'{stub_of("guess-six")}\nguess_six["RNN-256"] = 70'],
}


@pytest.mark.parametrize(
    ("name", "body"), [(n, b) for n, bodies in NUMBERS.items() for b in bodies]
)
@pytest.mark.parametrize("join", ["\n", "; ", " ;"])
def test_all_lines_of_a_number_a_choice_or_a_guess_come_along(name, body, join):
    exercise, called = ASKED[name], f'check("{name}")'
    old = cell_of(name, f"{body}{join}{called}" if LAB[name].kind != "guess" else body)
    filled = answer_cells.fill(stub_of(name), old, exercise)
    assert filled.splitlines()[0] == heading(name, exercise)
    assert filled.count(heading(name, exercise)) == 1
    (new, checks), (before, _) = run(filled), run(old)
    assert new[exercise.name] == before[exercise.name]
    assert checks == ([] if exercise.kind == "guess" else [name])


def test_what_stands_behind_a_check_comes_along_and_a_name_that_is_spelt_wrongly_is_kept():
    filled = answer_cells.fill(
        stub_of("detach"),
        cell_of("detach", 'check("detach"); x = "é"\nanswer_detch = x'),
        LAB["detach"],
    )
    scope, checks = run(filled)
    assert scope["answer_detach"] is None and scope["answer_detch"] == "é" and checks == ["detach"]


@pytest.mark.parametrize("name", ["guess-gates", "detach", "rnn-cell"])
def test_what_python_cannot_read_is_kept_as_comments(name):
    old = cell_of(name, f'{ASKED[name].name} = {{"0.50": 12.5,\n    "0.73": 50', True)
    filled = answer_cells.fill(stub_of(name), old, ASKED[name])
    assert filled.startswith(stub_of(name)) and answer_cells.is_empty(filled, ASKED[name])
    for line in old.splitlines()[1:]:
        assert f"\n# {line}" in filled
    assert answer_cells.fill(filled, old, ASKED[name]) == filled  # nothing is doubled


def test_an_answer_is_put_where_heading_or_place_are_gone():
    stub = stub_of("rnn-cell").split("\n", 1)[1]
    assert answer_cells.fill(stub, "rnn_cell = len", LAB["rnn-cell"]) == "rnn_cell = len"
    assert answer_cells.fill(HEADING, "It fits.", LAB["traps"]) == f"{HEADING}\n\nIt fits."


@pytest.mark.parametrize(
    ("name", "old", "another"),
    [
        ("rnn-cell", "def rnn_cell(x):\n    return x", False),
        ("rnn-cell", "def rnn_cell(x, h):\n    return x", True),
        ("rnn-cell", "rnn_cell = lambda x: x", False),
        ("rnn-cell", "def rnn_cell(x, h:\n    return x", False),
        ("traps", f"{QUESTION}\n\nIt fits.", False),
        ("traps", "*What else? (Two sentences.)*\nIt fits.", True),
        ("traps", "It fits.\n\n*Really.*", False),
    ],
)
def test_an_answer_to_another_question_is_told(name, old, another):
    text = f"{HEADING}\n\n{QUESTION}\n\n*Write here.*"
    stub = stub_of(name) if LAB[name].kind == "code" else text
    assert answer_cells.asks_for_another(stub, old, LAB[name]) == another


# ── into a new edition ──────────────────────────────────────────────────────────────────────────


def sources(path):
    return [answer_cells.source_of(cell) for cell in answer_cells.read(path)["cells"]]


def test_a_cell_whose_source_is_no_text_stops_nothing():
    assert answer_cells.find([{"source": 5}, {"source": None}, {"source": [1, 2]}]) == {}


def add(path, before, *added):
    """Put cells in front of the one with an id: sources of code, or cells."""
    notebook = answer_cells.read(path)
    place = next(i for i, cell in enumerate(notebook["cells"]) if cell["id"] == before)
    notebook["cells"][place:place] = [
        {"cell_type": "code", "id": f"{place}-{i}", "metadata": {}, "outputs": [], "source": one}
        if isinstance(one, str)
        else one
        for i, one in enumerate(added)
    ]
    path.write_text(json.dumps(notebook), encoding="utf-8")


@pytest.fixture
def old(edition, tmp_path):
    return lambda **mine: folder_with(edition, tmp_path / "old" / "student", **mine).parent


@pytest.fixture
def new(edition, tmp_path, monkeypatch):
    """A new folder, into which the program takes over."""
    folder = folder_with(edition, tmp_path / "new" / "student").parent
    monkeypatch.setattr(migrate, "ROOT", folder)
    monkeypatch.setenv("LAB2_DATA", str(folder / "data"))
    return folder


def called_with(path, monkeypatch, capsys):
    """Call the program; return its exit status and what it has printed."""
    monkeypatch.setattr(sys, "argv", ["migrate.py", str(path)])
    status = migrate.main()
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_names_that_a_cell_gives_and_needs():
    cell = (
        "import a.b, c as d\nfrom e import f\n@g\ndef h(i=j):\n    k = l\n    return m(k)\n"
        "class N(O):\n    p = q\nr = [s for s in t if u]\nfor v in w: x += 1\n%time pass"
    )
    given, needed = answer_cells.names(cell)
    assert given - {"s"} == set("adfhNrvx")  # from 3.12 on, s of a comprehension counts too
    assert needed == set("gjOqtuw")
    assert answer_cells.names("def f(x:") == (set(), set())


def test_only_what_was_placed_is_counted_and_the_rest_is_named(old, new, solved):
    mine = {
        "detach": solved["detach"],
        "guess-gates": cell_of("guess-gates", 'guess_gates = {"a": 1'),
    }
    done = migrate.migrate_notebook(old(**mine) / NOTEBOOK, new / NOTEBOOK)
    assert done[0].startswith("1 answers") and len(done) == 2
    assert done[1].startswith("guess-gates: Python cannot read") and "line 2 " in done[1]
    assert '# guess_gates = {"a": 1' in "\n".join(sources(new / NOTEBOOK))
    for cell in answer_cells.read(new / NOTEBOOK)["cells"]:
        assert cell["cell_type"] == "markdown" or not answer_cells.unreadable(
            answer_cells.source_of(cell)
        )


def test_the_notebook_of_before_each_time_is_kept(old, new, solved):
    untouched = (new / NOTEBOOK).read_text(encoding="utf-8")
    migrate.migrate_notebook(old(detach=solved["detach"]) / NOTEBOOK, new / NOTEBOOK)
    once = (new / NOTEBOOK).read_text(encoding="utf-8")
    shutil.rmtree(new.parents[1] / "old")
    migrate.migrate_notebook(old(weights=solved["weights"]) / NOTEBOOK, new / NOTEBOOK)
    kept = {path.name: path.read_text(encoding="utf-8") for path in new.glob("*.before*")}
    assert kept == {"lab2.before.ipynb": untouched, "lab2.before.2.ipynb": once}


def test_empty_answers_are_not_told_and_pictures_come_along(old, new, monkeypatch):
    folder = old()
    notebook = answer_cells.read(folder / NOTEBOOK)
    (one,) = answer_cells.find(notebook["cells"])["traps"]
    notebook["cells"][one.place] |= {
        "source": "![](attachment:a.png)",
        "attachments": {"a.png": {}},
    }
    (folder / NOTEBOOK).write_text(json.dumps(notebook), encoding="utf-8")
    notebook = answer_cells.read(new / NOTEBOOK)
    del notebook["cells"][answer_cells.find(notebook["cells"])["detach"][0].place]
    (new / NOTEBOOK).write_text(json.dumps(notebook), encoding="utf-8")
    assert len(migrate.migrate_notebook(folder / NOTEBOOK, new / NOTEBOOK)) == 1
    cell = next(c for c in answer_cells.read(new / NOTEBOOK)["cells"] if c["id"] == "traps")
    assert cell["attachments"] == {"a.png": {}}


def test_own_cells_stand_before_the_answer_that_they_stood_before(old, new):
    folder = old(weights=cell_of("weights", "answer_weights = steps(3)", True))
    first, second = "def twice(x):\n    return 2 * x", "def steps(x):\n    return twice(x)"
    text = {"cell_type": "markdown", "id": "mine", "metadata": {}, "source": "Mine."}
    add(folder / NOTEBOOK, "weights", second, first, text)
    done = migrate.migrate_notebook(folder / NOTEBOOK, new / NOTEBOOK)
    assert done[1:] == ["Cells of your own taken over, before the next answer: 3."]
    made = sources(new / NOTEBOOK)
    place = made.index(second)
    assert made[place : place + 3] == [second, first, "Mine."]
    assert "answer_weights = steps(3)" in made[place + 3]
    migrate.migrate_notebook(folder / NOTEBOOK, new / NOTEBOOK)
    assert sources(new / NOTEBOOK) == made  # a second time, nothing is doubled


def test_own_cells_that_could_stop_the_notebook_or_have_no_place_are_named(old, new):
    folder = old()
    failed = {"cell_type": "code", "id": "x", "metadata": {}, "source": "1 / 0"}
    failed["outputs"] = [{"output_type": "error", "ename": "ZeroDivisionError"}]
    gone = {"cell_type": "code", "id": "gone", "metadata": {"exercise": {"id": "gone"}}}
    gone["source"] = "# Exercise gone\nx = 1"
    add(folder / NOTEBOOK, "weights", "print(not_here)", "def f(x:", failed, gone)
    add(folder / NOTEBOOK, "unroll", "answer_weights2 = h")  # a name inside of a function above
    notebook = answer_cells.read(folder / NOTEBOOK)
    notebook["cells"].append({"cell_type": "code", "id": "z", "metadata": {}, "source": "last = 1"})
    notebook["metadata"]["lab2"]["cells"].append("gone")
    (folder / NOTEBOOK).write_text(json.dumps(notebook), encoding="utf-8")
    before = sources(new / NOTEBOOK)
    (said,) = migrate.migrate_notebook(folder / NOTEBOOK, new / NOTEBOOK)[1:]
    assert said.startswith("Cells of your own not taken over: 6: 'answer_weights2 = h', 'print(")
    for line in ("def f(x:", "1 / 0", "# Exercise gone", "last = 1", str(folder)):
        assert line in said
    assert sources(new / NOTEBOOK) == before


def test_where_the_old_edition_is_not_known_other_cells_are_only_named(old, new):
    folder = old()
    add(folder / NOTEBOOK, "weights", "mine = 1")
    notebook = answer_cells.read(folder / NOTEBOOK)
    next(cell for cell in notebook["cells"] if cell["id"] == "tokenize")["source"] = "changed = 1"
    notebook["metadata"] = {}
    (folder / NOTEBOOK).write_text(json.dumps(notebook), encoding="utf-8")
    said, changed = migrate.migrate_notebook(folder / NOTEBOOK, new / NOTEBOOK)[1:]
    assert said.startswith("Cells of your own not taken over: 1: 'mine = 1'.")
    assert changed.endswith("different: tokenize.")


def test_a_cell_that_the_new_edition_has_dropped_is_not_the_students(old, new):
    notebook = answer_cells.read(new / NOTEBOOK)
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] != "tokenize"]
    (new / NOTEBOOK).write_text(json.dumps(notebook), encoding="utf-8")
    assert len(migrate.migrate_notebook(old() / NOTEBOOK, new / NOTEBOOK)) == 1


def test_of_two_cells_with_one_answer_the_other_is_named(old, new, solved):
    folder = old(detach=solved["detach"])
    cell = {"cell_type": "code", "id": "y", "metadata": {"exercise": {"id": "detach"}}}
    add(folder / NOTEBOOK, "detach", cell | {"source": "reason = 'titles'\nanswer_detach = 'a'"})
    done = migrate.migrate_notebook(folder / NOTEBOOK, new / NOTEBOOK)
    assert done[0].startswith("1 answers") and "own not taken over: 1: \"reason = 't" in done[1]
    assert solved["detach"] in sources(new / NOTEBOOK)


def test_answers_in_further_come_along(old, new, solved, monkeypatch, capsys):
    folder = old(**{name: solved[name] for name in ("detach", "weight-gradient", "adam")})
    for name in ("mine.ipynb", "mine.before.ipynb"):
        shutil.copy(folder / NOTEBOOK, folder / "further" / name)
    (folder / "data" / "runs" / "gru").mkdir(parents=True)
    (folder / "data" / "runs" / "gru" / "state.pt").write_text("weights")
    status, out, err = called_with(folder, monkeypatch, capsys)
    assert status == 0 and not err
    assert solved["weight-gradient"] in sources(new / "further" / "gradients.ipynb")
    assert solved["adam"] in sources(new / "further" / "recipes.ipynb")
    assert (new / "further" / "recipes.before.ipynb").exists()
    assert out.count("1 answers taken over") == 3 and "transfer" not in out
    assert "mine.ipynb is no notebook of this edition" in out and ".before" not in out
    assert "1 files of finished runs" in out
    again = called_with(folder, monkeypatch, capsys)
    assert again[0] == 0 and "recipes.before" not in again[1]


def test_a_single_notebook_goes_into_its_own(old, new, solved, monkeypatch, capsys):
    folder = old(**{name: solved[name] for name in ("detach", "weight-gradient")})
    (folder / "data" / "results.csv").write_text("a table")
    status, out, err = called_with(folder / "further" / "gradients.ipynb", monkeypatch, capsys)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"1 answers taken over into {new / 'further' / 'gradients.ipynb'}.",
        "1 files of finished runs copied.",
    ]
    assert solved["detach"] not in sources(new / NOTEBOOK)
    (folder / NOTEBOOK).rename(folder / "Anna.ipynb")
    assert called_with(folder / "Anna.ipynb", monkeypatch, capsys)[0] == 0
    assert solved["detach"] in sources(new / NOTEBOOK)


def test_a_notebook_that_cannot_be_read_keeps_no_other_back(old, new, solved, monkeypatch, capsys):
    folder = old(detach=solved["detach"])
    (folder / "further" / "gradients.ipynb").write_text("no notebook")
    status, out, err = called_with(folder, monkeypatch, capsys)
    assert status == 1 and len(err.splitlines()) == 1 and "gradients.ipynb" in err
    assert "1 answers taken over" in out
    for own in (new, new / "further" / "recipes.ipynb"):
        status, _, err = called_with(own, monkeypatch, capsys)
        assert status == 1 and "own notebook. Name the older one." in err


def test_runs_go_where_the_lab_looks_for_them(old, new, monkeypatch, capsys, tmp_path):
    folder, output = old() / "data", tmp_path / "output"
    a_run(folder / "runs" / "gru", *FINISHED)
    for name in ("my_results.csv", "seeds.npz", "figures/six.png", "cache/a.npz", "glove.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    output.mkdir()
    (output / "seeds.npz").write_text("mine")
    monkeypatch.setenv("LAB2_OUT", str(output))
    assert called_with(folder.parent, monkeypatch, capsys)[0] == 0
    assert (output / "runs" / "gru" / "result.json").exists()
    assert (output / "seeds.npz").read_text() == "mine"  # nothing is overwritten
    there = {str(path.relative_to(output).as_posix()) for path in output.rglob("*.*")}
    assert there >= {"my_results.csv", "seeds.npz", "figures/six.png"}
    assert not there & {"cache/a.npz", "glove.txt"} and not (new / "data" / "runs").exists()
    assert (new / "data" / "cache" / "a.npz").exists() and (new / "data" / "glove.txt").exists()


# ── runs ────────────────────────────────────────────────────────────────────────────────────────

FINISHED = ("best.pt", "curve.csv", "result.json", "settings.json", "test.npz")


def a_run(folder, *names, text="of the old folder"):
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text(f"{name} {text}")
    return folder


def content(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
@pytest.mark.parametrize("after", range(5))
def test_copying_that_was_stopped_leaves_no_damage_and_goes_on(tmp_path, monkeypatch, stop, after):
    run = a_run(tmp_path / "old" / "runs" / "gru", *FINISHED)
    (run / "lock").touch()
    target = tmp_path / "new" / "runs" / "gru"
    copied, whole = [], shutil.copyfile

    def copy(source, where):
        if len(copied) == after:
            where.write_text(source.read_text()[:5])
            raise stop
        copied.append(whole(source, where))

    with monkeypatch.context() as patch, pytest.raises((KeyboardInterrupt, LabError)) as raised:
        patch.setattr(shutil, "copyfile", copy)
        migrate.copy_runs(tmp_path / "old", tmp_path / "new")
    if isinstance(stop, OSError):
        assert "No space left. Mend that" in str(raised.value) and "\n" not in str(raised.value)
        assert not list(target.glob(".*"))
    there = [path for path in target.iterdir() if path.suffix != ".part"]
    assert all(path.read_text() == (run / path.name).read_text() for path in there)
    assert not (target / "result.json").exists()
    migrate.copy_runs(tmp_path / "old", tmp_path / "new")
    assert {k: v for k, v in content(target).items() if not k.endswith(".part")} == {
        k: v for k, v in content(run).items() if k != "lock"
    }


@pytest.mark.parametrize(
    ("old_files", "new_files", "comes"),
    [
        (FINISHED, FINISHED, False),
        (FINISHED, ("best.pt", "state.pt"), True),
        (("best.pt", "state.pt"), ("best.pt", "state.pt"), False),
        (("best.pt", "state.pt"), FINISHED, False),
        (("best.pt", "state.pt"), ("best.pt", "curve.csv"), True),
    ],
)
def test_of_two_runs_the_one_that_has_come_further_stays(tmp_path, old_files, new_files, comes):
    """And never a mixture of both."""
    run = a_run(tmp_path / "old" / "runs" / "gru", *old_files)
    target = a_run(tmp_path / "new" / "runs" / "gru", *new_files, text="of ours")
    before = content(target)
    done = migrate.copy_runs(tmp_path / "old", tmp_path / "new")
    assert bool(done) == comes
    if not comes:
        assert content(target) == before
    else:
        assert content(run).items() <= content(target).items()
        assert not (target / "state.pt").exists() or "state.pt" in old_files
