"""What the lab's rooms show is said whole in the reader's language: errors, figures, tables."""

import ast
import json
import re
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from helpers import ROOT, outside
from IPython.core.interactiveshell import InteractiveShell

import utils
from lab import config
from lab.analysis import (
    costs,
    figures,
    findings,
    recall,
    statistics,
    style,
    tables,
    widget,
)
from lab.base import encodings, files, foreign, messages
from lab.base.messages import Message, _, clauses
from lab.config import LabError
from lab.datasets import token_stream, user_file
from lab.experiments import reference, results, run_lists, sweep


@pytest.fixture
def mock(monkeypatch):
    """A language in which each template stands between « and »; separators stay."""
    bracket = partial(re.sub, r"(?s)^(?=.*\w)(.*)$", r"«\1»")
    monkeypatch.setattr(messages, "catalogue", lambda language: bracket)
    monkeypatch.setenv("LAB2_LANGUAGE", "zh")


def has_words(text):
    return re.search(r"[A-Za-z]{2,} +[A-Za-z]{2,}", text) is not None


# ── 1. Errors ───────────────────────────────────────────────────────────────────────────────────


def code_of_the_rooms():
    rooms = ("lab", "tools/students", "course/student")
    paths = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    for path in (*paths, ROOT / "utils.py"):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def unmarked_errors(tree):
    """Return the lines where LabError is made of anything but a marked text, or a constant one."""
    marked = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and is_marked(node.value)
        for target in node.targets
    }
    ends = [node for node in ast.walk(tree) if isinstance(node, ast.Raise | ast.Return)]
    things = [node.exc if isinstance(node, ast.Raise) else node.value for node in ends]
    calls = [
        thing
        for thing in things
        if isinstance(thing, ast.Call)
        and ast.unparse(thing.func) in ("LabError", "config.LabError")
    ]
    return [
        node.lineno
        for node in calls
        if not (is_marked(node.args[0]) or getattr(node.args[0], "id", "") in marked)
    ]


def is_marked(node):
    is_call = isinstance(node, ast.Call) and ast.unparse(node.func) == "_"
    return is_call and isinstance(node.args[0], ast.Constant)


def test_every_error_is_a_marked_text():
    found = {path.name: unmarked_errors(tree) for path, tree in code_of_the_rooms()}
    del found["messages.py"]  # where a language is not there, what that is said in
    assert {name: lines for name, lines in found.items() if lines} == {}
    for plain in ('"no"', 'f"no {x}"', "_(text)", "TEXT", '_("a") + "b"', 'str(_("a"))'):
        assert unmarked_errors(ast.parse(f"TEXT = 'a'\nraise LabError({plain})")) == [2], plain


def hidden(tree):
    """Return the functions that call `_`, and give this name another value."""
    return [
        function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        and any(ast.unparse(n.func) == "_" for n in ast.walk(function) if isinstance(n, ast.Call))
        and "_" in stored(function)
    ]


def stored(function):
    """Return the names that a function gives values, but for those of comprehensions."""
    inner = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)
    names, waiting = set(), [function]
    for node in waiting:  # it grows
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        waiting += [one for one in ast.iter_child_nodes(node) if not isinstance(one, inner)]
    return names


def test_no_function_hides_what_marks_a_message():
    for path in ROOT.glob("[!.]*/**/*.py"):
        assert hidden(ast.parse(path.read_text(encoding="utf-8"))) == [], path
    assert hidden(ast.parse("def f():\n for _, x in []: return _('a')")) == ["f"]
    assert hidden(ast.parse("def f():\n return _('a', x=[1 for _ in []])")) == []


def rows(count, names=("good", "bad"), head="text,label"):
    return head + "".join(f"\nfilm number {i},{names[i % len(names)]}" for i in range(count))


FILES = {  # what is wrong with a reader's file -> its name, its content
    "empty": ("a.csv", ""),
    "nothing below the head": ("a.csv", "text,label\n"),
    "few rows": ("a.csv", rows(40)),
    "few texts of a label": ("a.csv", rows(120, ("good",)) + "\na,bad"),
    "three labels": ("a.csv", rows(150, ("a", "b", "c"))),
    "other columns": ("a.csv", rows(150, head="what,which")),
    "no line of names": ("a.csv", rows(150, head="a film,good")),
    "an open mark": ("a.csv", rows(60) + '\n"open,good' + rows(60, head="")),
    "another kind": ("a.xlsx", rows(150)),
    "no JSON": ("a.jsonl", "no\n" * 150),
    "nothing at all": ("a.jsonl", " "),
    "no blanks between words": ("a.csv", rows(150).replace("film number", "这部电影很好看")),
    "another encoding": ("a.csv", rows(150).replace("film", "fílm").encode("cp1252")),
    "GB18030": ("a.csv", rows(150).replace("film", "这部电影很好看我们都喜欢").encode("gb18030")),
}


@pytest.mark.parametrize("wrong", FILES)
def test_what_is_wrong_with_a_file_is_said_whole(mock, wrong, tmp_path):
    name, content = FILES[wrong]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    with pytest.raises(LabError) as error:
        user_file.read_own(path)
    assert re.fullmatch("(?s)«.*»", str(error.value)) and not outside(str(error.value))
    assert isinstance(error.value.args[0], Message)


def test_what_is_left_out_of_a_file_is_said_whole(mock, capsys, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(rows(150) + "\nno label,\n,good\n,\na,b,c\nx,y,z\nu,v,w\n")
    source = user_file.read_own(path).attrs["source"]
    said = capsys.readouterr().out.rstrip("\n")
    assert said.startswith("«") and not outside(said) and "6" in said
    assert not outside(str(source)) and str.__str__(source).startswith("your own, a.csv, columns")


PROVOKED = {
    "profile": lambda *_: config.get_profile("large"),
    "tokens": lambda patch, *_: (patch.setenv("LAB2_TOKENS", "fr"), config.tokens()),
    "device": lambda patch, *_: (patch.setenv("LAB2_DEVICE", "tpu"), config.device()),
    "table": lambda patch, folder, *_: files.read_table("none", folder),
    "file": lambda patch, folder, *more: foreign.read(folder / "none.csv", _("file")),
    "encoding": lambda patch, folder, *more: encodings.read_text(
        ROOT / "utils.py", _("file"), "utf9"
    ),
    "write": lambda patch, folder, *_: files.write_atomically(ROOT / "utils.py" / "a", b""),
    "predictions": lambda patch, folder, *_: results.read_predictions("none", folder),
    "stored": lambda *_: reference.load("none", "tiny"),
    "stream": lambda *_: next(token_stream.stream_batches(np.arange(3), 5, 2)),
    "matched": lambda *_: run_lists.matched_lstm(1, 1),
    "balanced": lambda patch, folder, data, settings: utils.sample_balanced(data.train, 500, 0),
    "settings": lambda patch, folder, data, settings: settings(hidden_dim=0, epochs=0).check(),
    "twice": lambda patch, folder, data, settings: sweep.check_run_list(
        [settings()] * 2, sweep.CodeHash("code")
    ),
    "failure": lambda patch, folder, data, settings: sweep._report([(_("a run stopped"), "")] * 2),
}


@pytest.mark.parametrize("name", PROVOKED)
def test_what_is_wrong_elsewhere_is_said_whole(mock, name, monkeypatch, tmp_path, data, settings):
    with pytest.raises(LabError) as error:
        PROVOKED[name](monkeypatch, tmp_path, data, settings)
    said = str(error.value)
    assert re.fullmatch("(?s)«.*»", said) and not outside(said)
    english = str.__str__(error.value.args[0])
    assert "«" not in english and "{" not in english


def test_an_error_is_a_value_as_what_it_was_raised_with(mock):
    inner = LabError(_("The disk of {name} is full.", name="x"))
    for error, said in ((inner, "«The disk of x is full.»"), (OSError("no room"), "no room")):
        message = _("It stopped: {error}", error=error)
        assert str(message) == f"«It stopped: {said}»"
        assert message == f"It stopped: {said.strip('«»')}"
    assert str(clauses([_("one"), _("two"), "3"])) == "«««one»; «two»»; 3»"
    assert clauses([_("one"), _("two"), "3"]) == "one; two; 3"


# ── 2. Figures ──────────────────────────────────────────────────────────────────────────────────


def curves_of(networks=("RNN-256", "LSTM-256")):
    table = [
        {"network": network, "seed": 0, "run": network, "epoch": epoch, "update": epoch,
         "tokens": 1e6, "train_accuracy": 0.6, "valid_accuracy": 0.7, "train_loss": 0.6,
         "valid_loss": 0.5, "start": start, "labels": 500, "test_accuracy": 0.7}
        for network in networks for start in ("scratch", "pretrained") for epoch in (1, 2)
    ]  # fmt: skip
    return pd.DataFrame(table)


def ablation():
    names = ["accuracy", "low", "high"]
    return pd.DataFrame([[70, 69, 71], [75, 73, 76]], ["a rung", "+ one more"], names)


def draw_all():
    """Yield each function of the lab that draws, with a figure of it."""
    curves, here = curves_of(), "where it is"
    share = np.linspace(0, 1, 6)
    guess = {"RNN": 60.0, "LSTM": 70.0}
    bands = statistics.bands(np.ones((4, 3)))
    gradients = pd.concat([bands.assign(network="LSTM-256", state=state) for state in "hc"])
    reading = {
        "belief": share, "gates": {"forget f": np.ones((6, 2))}, "units": np.arange(2),
        "evidence": np.ones((6, 2)),
    }  # fmt: skip
    answers = {"RNN-256": np.tile([True, False], (3, 20)), "GRU-256": np.ones((3, 40), bool)}
    lines = pd.DataFrame({"last words": [0.5, 0.7]}, index=["a line", "another line"])
    counting = pd.Series({"unigrams": 900.0, "Kneser-Ney trigrams": 500.0})
    by_length = statistics.accuracy_by_length(answers["RNN-256"], np.arange(40), parts=2)
    yield figures.plot_curves, ({here: curves}, "accuracy", guess)
    yield figures.plot_curves, ({here: curves}, "loss")
    yield figures.plot_perplexity, ({here: (curves, counting)}, guess)
    yield figures.plot_gap, ({here: curves},)
    yield figures.plot_gradients, ({here: gradients},)
    yield figures.plot_reading, (list("abcdef"), {"LSTM-256": reading})
    yield figures.plot_surprise, (list("abcdef"), {"LSTM-256 LM": share})
    yield figures.plot_beliefs, (list("abcdef"), {"LSTM-256": share}, "b")
    yield figures.plot_beliefs, (["word"] * 90, {"LSTM-256": np.resize(share, 90)})
    yield figures.plot_seeds, ({here: curves},)
    yield figures.plot_p_values, ({here: {"RNN-256": [0.01, 0.9]}}, {here: 50.0})
    yield figures.plot_differences, ({here: statistics.compare(answers)},)
    yield figures.plot_ablation, ({here: ({"RNN-256": ablation()}, {"a line": 75.0})},)
    recipes = {here: ({"one recipe": curves}, lines)}
    yield figures.plot_recipes, (recipes, {"RNN-256": (0.6, 0.7)}, 70.0, "RNN-256")
    yield figures.plot_labels, ({here: curves},)
    yield figures.plot_few_labels, ({here: curves},)
    reliable = statistics.reliability(np.repeat(share, 5), np.resize([0, 1], 30))
    yield figures.plot_reliability, ({here: {"GRU-256": reliable}},)
    yield figures.plot_lengths, ({here: {"GRU-256": by_length}},)
    yield from draw_recall(here, guess)
    yield from draw_costs(here, curves)


def draw_recall(here, guess):
    """Yield the same of the recall task and what belongs to it."""
    recalled = pd.DataFrame(
        [(n, 1, k, 0.5, 9) for n in guess for k in (5, 100)],
        columns=["network", "keep", "length", "share", "updates"],
    )
    gates = pd.DataFrame(
        [(g, u, 0.5) for g in ("0.50", "0.73", "0.95", "chrono") for u in (1, 2)],
        columns=["gate", "update", "share"],
    )
    yield recall.plot_recall, ({here: recalled}, 100, guess)
    yield recall.plot_items, (recalled, 100, 9, guess)
    yield recall.plot_carried, ({here: np.ones((3, 200))}, 100)
    yield recall.plot_gate_starts, (gates, {"0.50": 40.0})
    yield recall.plot_explosion, ({0.9: np.ones(4), 1.1: np.ones(4)},)
    shares = recalled.assign(network=recalled["network"].replace("RNN", "minGRU, first marked"))
    yield recall.plot_shares, (shares, 12.5, 100, {"LSTM": 60.0}, 50)
    yield recall.plot_clock, (np.ones((5, 3, 2)), np.ones((5, 3, 2)))


def draw_costs(here, curves):
    """Yield the same of what a training costs, and of what shifts do."""
    spent = curves.assign(seconds=1.0, tokens=10, value=0.5)
    yield costs.plot_race, (dict.fromkeys(costs.REACHED, spent),)
    cost = pd.DataFrame({"network": "GRU-256", "length": [8, 16]}).assign(
        **dict.fromkeys(costs.COSTS, 1.0)
    )
    yield costs.plot_costs, (dict.fromkeys(costs.COSTS, cost),)
    ways = pd.DataFrame({"direction": ["random", "worst"], "number": 0, "length": 0, "loss": 1.0})
    yield costs.plot_along, ({here: ways}, {"random": 1.0, "worst": 2.0})
    trainings = pd.concat([spent.assign(training=name) for name in costs.TRAINING_STYLE])
    yield costs.plot_validation, (trainings,)


def texts_of(figure):
    figure.canvas.draw()
    return [text.get_text() for text in figure.findobj(plt.Text) if text.get_text().strip()]


def test_every_text_of_every_figure_is_said_whole(mock):
    drawn = list(draw_all())
    plots = {
        f for room in (figures, recall, costs) for n, f in vars(room).items() if n[:5] == "plot_"
    }
    assert {function for function, arguments in drawn} == plots
    for function, arguments in drawn:
        figure = function(*arguments)
        texts = [*texts_of(figure), style.describe(figure)]
        assert any(has_words(text) for text in texts), function
        assert [text for text in texts if has_words(outside(text))] == [], function
        plt.close(figure)


def test_a_text_in_colours_is_said_in_the_readers_language(mock):
    text = widget.ColouredText(["a", "b"], {"GRU-256": np.array([0.2, 0.9])})
    heads = re.findall("<th[^>]*>(.*?)</th>", text._repr_html_())
    assert len(heads) == 3 and not any(map(outside, heads))
    assert "«word»" in repr(text)


# ── 3. Tables ───────────────────────────────────────────────────────────────────────────────────


def test_rows_and_cells_of_what_is_made_for_showing_are_said(mock):
    profile = config.get_profile("full")
    sizes = tables.profile_table(profile)
    assert not any(map(outside, sizes.index)) and sizes["full"].iloc[0] == "«all»"
    found = findings.table(profile, {"own-rate": 7.0, "recall-turn": 60.0})
    assert not any(map(outside, [*found.index, *found["if"], *found["in this run"]]))
    closing = findings.closing_table()
    assert not any(map(outside, [*closing.index, *closing[""]]))
    compared = statistics.compare({"A": np.ones((3, 40), bool), "B": np.zeros((3, 40), bool)})
    assert compared["supported"].tolist() == ["yes"]
    assert tables.pairs_table(compared)["supported"].tolist() == ["«yes»"]


def heads_in(page):
    heads = re.search(r"(?s)<thead>(.*?)</thead>", page)
    return re.findall(r"<th[^>]*>([^<]*)</th>", heads[1]) if heads else []


def test_every_head_of_the_lab_has_its_place_among_the_heads():
    cells = json.loads((ROOT / "lab2.ipynb").read_text(encoding="utf-8"))["cells"]
    outputs = [out.get("data", {}) for cell in cells for out in cell.get("outputs", [])]
    pages = ["".join(data.get("text/html", "")) for data in outputs]
    shown = {head for page in pages for head in heads_in(page) if re.search("[a-z]{2}", head)}
    assert len(shown) > 30 and shown - {*tables.HEADS, *config.PROFILES} == set()


KEYS = ["here", "points", "mine", "", 3, 2.5, None, ("here", 1), "not shown", "RNN-256", "好"]


def generated_tables():
    generator = np.random.default_rng(0)
    for number in range(60):
        columns, size = int(generator.integers(0, 6)), int(generator.integers(0, 5))
        names = [KEYS[i] for i in generator.integers(0, len(KEYS), columns)]
        cells = [[KEYS[i] for i in generator.integers(0, len(KEYS), columns)] for _ in range(size)]
        table = pd.DataFrame(cells, columns=pd.Index(names, dtype=object, tupleize_cols=False))
        if number % 3 == 0 and columns:
            levels = [["here", "b", 1], ["points", "low", "b"]]
            table.columns = pd.MultiIndex.from_product(levels, names=["network", "q"])[:columns]
        if number % 2:
            table.index.name = "claim"
        yield table


def test_heads_alone_are_shown_in_the_readers_language(mock):
    """Whatever stands in a table, and whatever its rows are called, is untouched."""
    changed = 0
    for table in generated_tables():
        before = table.copy()
        shown = tables.with_heads(table)
        pd.testing.assert_frame_equal(table, before)
        assert shown.shape == table.shape and list(shown.index) == list(table.index)
        assert shown.map(repr).to_numpy().tolist() == table.map(repr).to_numpy().tolist()
        for ours, theirs in zip(parts_of(shown), parts_of(table), strict=True):
            is_head = isinstance(theirs, str) and theirs in tables.HEADS
            assert ours == (f"«{theirs}»" if is_head else theirs)
        changed += shown is not table
    assert 20 < changed < 60


def parts_of(table):
    """Return every head of a table, and the names of its rows and columns."""
    heads = [part for level in range(table.columns.nlevels)
             for part in table.columns.get_level_values(level)]  # fmt: skip
    return [*heads, *table.columns.names, *table.index.names]


@pytest.mark.parametrize("language", ["en", "xx"])
def test_a_notebook_says_how_to_get_the_names(monkeypatch, request, language):
    if language != "en":
        request.getfixturevalue("mock")
    shell = InteractiveShell()
    tables.show_heads(shell)
    formatted = shell.display_formatter.format
    mine, ours = pd.DataFrame({"a": ["here"]}), pd.DataFrame({"here": ["points"]})
    for table, is_said in ((mine, False), (ours, language != "en")):
        page, plain = (formatted(table)[0][kind] for kind in ("text/html", "text/plain"))
        assert ("«here»" in page and "«here»" in plain) == is_said
        assert (str(tables.NAMES) in page and str(tables.NAMES) in plain) == is_said
        if not is_said:
            assert page == table._repr_html_() and plain == repr(table)
    assert list(ours) == ["here"] and "<td>points</td>" in formatted(ours)[0]["text/html"]


def test_a_long_table_costs_what_its_heads_cost(mock, monkeypatch):
    said = []
    monkeypatch.setattr(tables, "say", lambda head: said.append(head) or head.upper())
    table = pd.DataFrame({"here": ["points"] * 8000, "mine": range(8000)}, index=["low"] * 8000)
    shown = tables.with_heads(table)
    assert list(shown) == ["HERE", "mine"] and len(said) == 1
    assert np.shares_memory(shown["mine"].to_numpy(), table["mine"].to_numpy())
