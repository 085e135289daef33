"""How the grader reads an answer's cell: as Jupyter runs it, with what it needs of other cells."""

import copy
import math

import pytest
import torch
from helpers import filled, hand_in_of

from grading import marking
from grading.answers import cells, reaches, said, seed
from grading.sandbox import program, trials
from lab.base.messages import Message, languages, say
from lab.config import LabError
from lab.exercises import answer_cells, check, harness, judge
from lab.exercises.catalogue import ASKED
from lab.exercises.tasks import TASKS

CELL = "def rnn_cell(x, h, w_ih, w_hh, b_ih, b_hh):\n    "
RIGHT = CELL + "return torch.tanh(x @ w_ih.T + b_ih + h @ w_hh.T + b_hh)"


@pytest.fixture(scope="module")
def sandbox():
    with trials.opened("none") as programs:
        yield programs


def own_cell(source, outputs=()):
    return {"cell_type": "code", "metadata": {}, "outputs": [*outputs], "source": source}


def marked(lab, keys, sandbox, sources, above=(), below=()):
    """Mark a notebook with some answers; cells of one's own stand above and below rnn-cell."""
    notebook = filled(lab, sources)
    place = answer_cells.find(notebook["cells"])["rnn-cell"][0].place
    notebook["cells"][place + 1 : place + 1] = map(own_cell, below)
    notebook["cells"][place:place] = map(own_cell, above)
    return marking.mark(hand_in_of(notebook), keys, next(iter(keys)), sandbox)


# ── A cell in Python ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("source", "python", "dropped"),
    [
        ("x = 1\ny = 10 % 3", "x = 1\ny = 10 % 3", ()),
        ("text = '''\n%time\n!ls'''", "text = '''\n%time\n!ls'''", ()),
        ("%%time\nx = 1", "\nx = 1", ("%%time",)),
        ("%%bash\nrm -r x", "\n", ("%%bash",)),
        ("%time x = 1\ny = 2", "x = 1\ny = 2", ("%time",)),
        ("    x = 1\n    y = 2", "x = 1\ny = 2", ()),
        (">>> x = 1\n>>> if x:\n...     y = 2", "x = 1\nif x:\n    y = 2", ()),
        ("In [3]: x = 1", "x = 1", ()),
        ("def f(:\n  !", "def f(:\n  !", ()),
    ],
)
def test_a_cell_is_read_as_jupyter_reads_it(source, python, dropped):
    made = cells.as_python(source)
    assert (made.source.rstrip("\n") or "\n", made.dropped) == (python, dropped)


def test_what_a_magic_runs_is_looked_at_too(lab, keys, sandbox):
    """A magic line is no hole: what is forbidden is looked for in what runs."""
    hidden = "# Exercise rnn-cell\n%time import sys\n" + CELL + "return sys and nn.RNNCell"
    result = marked(lab, keys, sandbox, {"rnn-cell": "%%time\n" + hidden})
    assert result.marks["rnn-cell"].lines == ("It uses RNNCell: write it yourself.",)
    assert "rnn-cell: it reaches for sys" in result.flags
    assert "rnn-cell: left out: %%time, %time" in result.flags


# ── What it needs of other cells ────────────────────────────────────────────────────────────────


def needed(name, sources):
    """Return what the last of some cells needs of the others."""
    notebook = cells.Notebook([own_cell(source) for source in sources])
    return notebook.needed(name, len(sources) - 1, sources[-1])


def test_what_defines_is_carried_and_nothing_else():
    trained = "for _ in range(3):\n    loss = f()\n    loss.backward()"
    plotted = "plt.plot(range(3))"
    cell = "def rnn_cell(x):\n    return helper(x) + loss"
    helper = (
        "import torch as pt\nSIZE = 3\nunused = 4\ndef helper(x):\n    return pt.tanh(x * SIZE)"
    )
    assert needed("rnn-cell", [trained, plotted, helper, "print(SIZE)", cell]) == [
        "import torch as pt",
        "SIZE = 3",
        "def helper(x):\n    return pt.tanh(x * SIZE)",
    ]


def test_of_several_definitions_the_last_above_the_check_counts():
    def used(check):
        ones = ["h = 1", "def f():\n    return h", "h = 2", check, "h = 3"]
        return cells.Notebook([*map(own_cell, ones)]).needed("rnn-cell", 1, ones[1])

    assert used("check('rnn-cell')") == ["h = 1", "h = 2"]
    assert used('check( "rnn-cell", trace=True)') == ["h = 1", "h = 2"]
    assert used("pass") == ["h = 1"]


def test_what_is_needed_and_takes_too_long_is_left_out(lab, keys, monkeypatch):
    monkeypatch.setattr(program, "SECONDS", 1)
    endless = "slow = 1\nif slow:\n    slow = [n for n in iter(int, 1)]"
    sources = {"rnn-cell": RIGHT.replace("torch.tanh", "(torch.tanh if True else slow)")}
    result = marked(lab, keys, "none", sources, above=[endless])
    assert result.marks["rnn-cell"].points == 3


def test_a_cell_of_ones_own_counts_where_the_check_saw_it(lab, keys, sandbox):
    result = marked(lab, keys, sandbox, {"rnn-cell": "# Exercise rnn-cell"}, below=[RIGHT])
    assert result.marks["rnn-cell"].points == 3
    assert any("own below defines rnn_cell" in flag for flag in result.flags)
    wrong = CELL + "return x"
    result = marked(lab, keys, sandbox, {"rnn-cell": RIGHT}, below=["check('rnn-cell')", wrong])
    assert result.marks["rnn-cell"].points == 3


def test_imports_of_the_lab_stop_nobody_and_give_nothing(lab, keys, sandbox):
    imports = "import utils\nfrom lab.exercises import solutions\nfrom lab import config\n"
    result = marked(lab, keys, sandbox, {"rnn-cell": imports + RIGHT})
    assert result.marks["rnn-cell"].points == 3
    call = CELL + "return solutions.rnn_cell(x, h, w_ih, w_hh, b_ih, b_hh)"
    result = marked(lab, keys, sandbox, {"rnn-cell": imports + call})
    assert result.marks["rnn-cell"].points == 0


# ── What is flagged ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import sys", ["sys"]), ("from os import path", ["os"]), ("import os.path", ["os"]),
        ("with torch._C.DisableTorchFunction(): pass", ["torch._C"]),
        ("from torch import _VF", ["torch._VF"]), ("torch.os", ["os"]), ("exec('x')", ["exec"]),
        ("getattr(torch, 'rnn_' + 'x')", ["getattr(torch, ...)"]), ("frame.f_back", ["f_back"]),
        ("f.__globals__", ["__globals__"]), ("np.ctypeslib.ctypes", ["ctypes"]),
        ("import gc, ctypes", ["ctypes", "gc"]),
        ("import math\nimport numpy as np\ngru = lstm = 3\nx.mean().item()", []),
        ("class A:\n    def __init__(self):\n        super().__init__()", []),
    ],
)  # fmt: skip
def test_what_reaches_beyond_its_question_is_named(source, found):
    assert reaches.reaches(source) == found


def printed(said, language="en"):
    """Return the output of a check, as it stands in a notebook of a language."""
    return {"output_type": "stream", "text": [say(said, language), "\n"]}


def right(name, points, most=3):
    return Message(check.RIGHT, name=name, points=points, most=most, inputs=3)


@pytest.mark.parametrize("language", languages())
def test_what_check_had_said_is_read_in_each_language(language):
    told = {
        "rnn-cell": (right("rnn-cell", 3), 3),
        "perplexity": (Message(check.NOT_YET, name="perplexity", points=0.5, most=2), 0.5),
        "guess-linear": (Message(check.RECORDED, name="guess-linear"), 1),
        "weights": (check.examine("weights", {"answer_weights": 12}, ASKED["weights"])[1][0], None),
        "unroll": (right("unroll", 99), 3),
        "unknown": (right("unknown", 3), None),
    }
    outputs = [printed(text, language) for text, _ in told.values()]
    wanted = {name: points for name, (_, points) in told.items() if points is not None}
    assert said.points([own_cell("", outputs[:3]), own_cell("", outputs[3:])]) == wanted
    odd = [None, 3, {"text": 5}, {"text": "x" * 1000 + ": right, 3 of 3 points"}, {"data": {}}]
    assert said.points([own_cell("", odd), {"outputs": 3}, {}]) == {}


def test_where_check_said_more_a_flag_says_so(lab, keys, sandbox):
    notebook = copy.deepcopy(lab)
    told = printed(right("rnn-cell", 3))
    notebook["cells"].append(own_cell("check('rnn-cell')", [told]))
    result = marked(notebook, keys, sandbox, {"rnn-cell": CELL + "return x"})
    assert "rnn-cell: check had said 3 of 3 points, not 0" in result.flags
    result = marked(notebook, keys, sandbox, {"rnn-cell": RIGHT})
    assert not [flag for flag in result.flags if "check" in flag]


# ── The seed, shares, what is seen of calls ─────────────────────────────────────────────────────


def test_a_course_has_one_seed(tmp_path):
    first = seed.of_course(tmp_path / "grades")
    assert first == seed.of_course(tmp_path / "grades")
    others = {seed.of_course(tmp_path / str(n)) for n in range(5)}
    assert len(others) == 5
    for broken in ("", "{}", '{"seed": "1"}', '{"seed": -1}', "[]", '{"seed": true}'):
        (tmp_path / "seed.json").write_text(broken)
        with pytest.raises(LabError, match="no seed as the grader wrote it"):
            seed.of_course(tmp_path)


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.near])
def test_one_mistake_leaves_its_share_and_no_constant_has_it(name):
    task, points = TASKS[name], ASKED[name].points
    for label in list(task.near)[:: 1 + len(task.near) // 6]:
        attempts = judge.try_function(task.known_mistakes[label], task, 5)
        attempts = [one._replace(used=frozenset()) for one in attempts]
        reached = judge.judge(task, attempts, 5).points(ASKED[name])
        assert points / 4 < math.ceil(100 * points * task.near[label]) / 100 and reached < points
        assert reached >= points * task.near[label], label
    for value in (0.0, torch.zeros(4, 8), (torch.zeros(4, 8), torch.zeros(4, 8))):
        attempts = judge.try_function(lambda *_, value=value: value, task, 5)
        assert judge.judge(task, attempts, 5).points(ASKED[name]) < points / 4


def hides_by_profile(*arguments):
    import sys

    sys.setprofile(None)
    return torch.rnn_tanh_cell(*arguments)


def hides_in_a_thread(*arguments):
    import threading

    found = []
    thread = threading.Thread(target=lambda: found.append(torch.rnn_tanh_cell(*arguments)))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.parametrize("function", [hides_by_profile, hides_in_a_thread])
def test_calls_are_seen_where_they_are_hidden(function):
    task = TASKS["rnn-cell"]
    judgement = judge.judge(task, judge.try_function(function, task, 0), 0, "rnn_cell")
    assert not any(judgement.right)
    words = "switches off" if function is hides_by_profile else "calls torch's rnn_tanh_cell"
    assert words in judgement.messages[0]
    assert harness.attempt(harness.call, lambda x: x, (1,), (1,)).used.isdisjoint([harness.UNSEEN])
