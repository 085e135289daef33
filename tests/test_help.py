"""Help on the way to an answer: hints, examples, cases, tracebacks, names that were overwritten."""

import ast
import math
import random
import re
import threading
import types

import forms
import IPython
import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from helpers import ROOT, Kernel
from torch import nn

from grading import key, marking
from lab.base.messages import Message
from lab.config import LabError
from lab.exercises import answer_cells, judge, solutions
from lab.exercises import check as check_module
from lab.exercises.catalogue import ASKED, LAB
from lab.exercises.help import hints, names, own, trials
from lab.exercises.help.hints import example_lines
from lab.exercises.tasks import TASKS

CODE = [name for name, exercise in ASKED.items() if exercise.kind == "code"]


@pytest.fixture
def notebook_kernel(tmp_path_factory, monkeypatch):
    kernel = Kernel(tmp_path_factory.mktemp("ipython"))
    monkeypatch.setattr(IPython, "get_ipython", lambda: kernel.shell)
    kernel.run(
        "import math, torch\nimport torch.nn.functional as F\nfrom torch import nn\n"
        "from lab.exercises.check import case, check, guess, hint"
    )
    yield kernel
    kernel.close()


@pytest.fixture(scope="module")
def stubs(solved):
    return {name: answer_cells.stub(solved[name], name, ASKED[name]) for name in CODE}


# ── Examples and hints ──────────────────────────────────────────────────────────────────────────


def tensors(value):
    """Return lists as tensors, also in a tuple; other values as they are."""
    if isinstance(value, tuple):
        return tuple(map(tensors, value))
    return torch.tensor(value) if isinstance(value, list) else value


def floats(value):
    if isinstance(value, tuple):
        return tuple(map(floats, value))
    return value.float() if isinstance(value, torch.Tensor) else value


def called(name):
    """Return what the lab's own version gives for the call of an example."""
    lists = {"adam": lambda value: value, "mcnemar": np.array}.get(name, tensors)
    counts = ("text", "text_length", "length")  # whole numbers; all others are floats

    def function(*arguments, **named):
        values = [floats(lists(value)) for value in arguments]
        named = {n: lists(v) if n in counts else floats(lists(v)) for n, v in named.items()}
        if name == "gradient-by-step":
            named["h"].requires_grad_()
        if name.endswith("-cell"):  # PyTorch's, whose arguments have other names
            return TASKS[name].solution(*named.values())
        return TASKS[name].solution(*values, **named)

    return eval(hints.of(name).example, {ASKED[name].name: function, "math": math})


def numbers(name):
    """Return the numbers and lists that an example names in words."""
    return [ast.literal_eval(x) for x in re.findall(r"\[[-\d., \[\]]+\]|(?<!\w)-?[\d.]+", name)]


def stepped(given):
    weights, gradient, clip_norm, rate = numbers(given)
    model = nn.Linear(2, 1, bias=False)
    model.weight.data = torch.tensor([weights]).float()
    loss = (model.weight * torch.tensor([gradient])).sum()
    solutions.descend(model, loss, torch.optim.SGD(model.parameters(), lr=rate), clip_norm)
    return model.weight[0]


def lost(given):
    ln_p, new = numbers(given)
    model = types.SimpleNamespace(
        log_probability=lambda *a: (torch.tensor(ln_p).float(), torch.tensor(new))
    )
    return solutions.piece_loss(model, types.SimpleNamespace(text=None, target=None), None)


def averaged(given):
    first, second, *sizes = numbers(given)

    class Known(nn.Linear):
        """A model with logits of which the loss is known, where all labels are 1."""

        def forward(self, loss, labels):
            return 0 * self.weight.sum() - torch.full_like(labels, loss).expm1().log()

    model, batches = Known(1, 1), []
    for loss, size in zip((first, second), sizes, strict=True):
        label = torch.ones(int(size))
        batches.append(types.SimpleNamespace(text=loss, text_length=label, label=label))
    return solutions.train_once(model, batches, torch.optim.SGD(model.parameters(), lr=0.1))


def continued(given):
    words, count = re.search(r"words (\[\d+\]), count (\d+)", given).groups()
    model = types.SimpleNamespace(
        next_word=lambda text, state: (torch.eye(9)[text[-1, 0] + 1].log(), None)
    )
    text = torch.tensor(ast.literal_eval(words))
    return solutions.sample_words(model, lambda a, t: a.exp(), text, int(count))


def opened(given):
    bias, amount = numbers(given)
    layer = nn.LSTM(1, 1)
    layer.bias_ih_l0.data = torch.tensor(bias).float()
    solutions.open_gate(layer, amount)
    return layer.bias_ih_l0


def believed(given):
    logits = torch.tensor(numbers(given)).float()
    model = types.SimpleNamespace(
        embedding=lambda words: words, recurrent=lambda x: (x, None), linear=lambda states: states
    )
    return solutions.beliefs(model, logits)


def surprised(given):
    asked = iter(numbers(given))
    model = types.SimpleNamespace(
        next_word=lambda text, state: (torch.tensor([next(asked)]).log(), None)
    )
    return solutions.surprise_of(model, [0, 0], [0])


def shifted(given):
    epsilon, gradient = numbers(given)
    shift = torch.zeros(2, 1, 1, requires_grad=True)
    return solutions.perturbation((torch.tensor(gradient) * shift).sum(), shift, epsilon)


IN_WORDS = {
    "training-step": stepped, "piece-loss": lost, "open-gate": opened, "beliefs": believed,
    "surprise-of": surprised, "find-bug": averaged, "sample-words": continued,
    "perturbation": shifted,
}  # fmt: skip


def rounded(value):
    """Return numbers as an example shows them, with four digits behind the point."""
    if isinstance(value, tuple):
        return tuple(map(rounded, value))
    return np.round(torch.as_tensor(value).detach().double().numpy(), 4).tolist()


@pytest.mark.parametrize("name", CODE)
def test_an_example_is_what_the_labs_own_version_gives(name):
    value = IN_WORDS[name](hints.of(name).example) if name in IN_WORDS else called(name)
    assert rounded(value) == rounded(ast.literal_eval(hints.of(name).result))


def test_examples_and_hints_are_there_and_fit_a_line():
    assert [name for name, one in hints.everything().items() if one.example] == CODE
    asked = [name for name, e in ASKED.items() if e.kind in ("code", "number", "choice")]
    assert sorted(name for name, one in hints.everything().items() if one.hints) == sorted(asked)
    for name in CODE:
        assert 2 <= len(hints.of(name).hints) <= 3, name
        assert all(len(line) <= 94 for line in example_lines(name, lambda text: text)), name


def test_no_hint_is_the_answer(solved):
    """No statement of it stands in a hint, and nothing long of one."""
    for name in CODE:
        (function,) = ast.parse(solved[name]).body
        for node in [part for statement in function.body[1:] for part in ast.walk(statement)]:
            if isinstance(node, ast.stmt | ast.expr) and len(text := ast.unparse(node)) > 35:
                assert not any(text in hint for hint in hints.of(name).hints), (name, text)


def test_each_call_gives_the_next_hint_and_then_the_last_again(notebook_kernel):
    steps = hints.of("gru-cell").hints
    for number, step in [*enumerate(steps, 1), (len(steps), steps[-1])]:
        text = notebook_kernel.run('hint("gru-cell")')
        assert text == f"gru-cell, hint {number} of {len(steps)}: {step}\n"
    assert "hint 1 of" in notebook_kernel.run('hint("unroll")')
    assert notebook_kernel.run('hint("traps")') == "traps: there is no hint.\n"
    assert "Do you mean 'gru-cell'?" in notebook_kernel.run('hint("gru_cell")')
    assert "no exercise 3" in notebook_kernel.run("hint(3)")


def test_hints_are_kept_only_if_the_teacher_says_so(notebook_kernel, tmp_path, monkeypatch):
    monkeypatch.setenv("LAB2_OUT", str(tmp_path))
    notebook_kernel.run('hint("unroll")')
    assert not [*tmp_path.iterdir()] and "Hints" not in notebook_kernel.run("check()")
    monkeypatch.setenv("LAB2_HINTS", "recorded")
    assert "Hints taken: none." in notebook_kernel.run("check()")
    notebook_kernel.run('hint("unroll"); hint("doubt")')
    notebook_kernel.run('_hints = {}\nhint("unroll")')  # another day
    assert "Hints taken: doubt (1), unroll (2)." in notebook_kernel.run("check()")
    assert len(pd.read_csv(tmp_path / "hints.csv")) == 2


# ── Not started, or not found? ──────────────────────────────────────────────────────────────────


def body(solved, name):
    return solved[name].split('"""', 2)[2].lstrip("\n")


def still_there(name):
    return Message(check_module.STILL_THERE, name=name)


@pytest.mark.parametrize("name", ["rnn-cell", "perplexity", "average-vectors"])
def test_who_has_left_the_stubs_line_is_told_so(notebook_kernel, solved, stubs, name):
    above = stubs[name].replace(
        "    raise", f"{body(solved, name)}\n    raise".replace("return", "x =")
    )
    for source in (f"{stubs[name]}\n{body(solved, name)}", above):
        notebook_kernel.run(source)
        text = notebook_kernel.run(f'check("{name}")')
        assert text.startswith(still_there(name)), source
        headless = source.split("\n", 1)[1]
        notebook_kernel.run(f"_ih.clear()\n{headless}")
        assert still_there(name) in notebook_kernel.run(f'check("{name}")')


def test_who_has_not_started_or_not_run_the_cell_is_told_both(notebook_kernel, stubs):
    for name in (name for name in CODE if not hints.of(name).handed_out):
        notebook_kernel.run(stubs[name])
        text = notebook_kernel.run(f'check("{name}")')
        assert text.startswith(f"{name}: not started yet. If you have written it, run its cell ag")


@pytest.mark.parametrize("before", ["the stub", "nothing"])
def test_another_name_and_what_python_cannot_read_are_told(notebook_kernel, solved, stubs, before):
    if before == "the stub":
        notebook_kernel.run(stubs["rnn-cell"])
    notebook_kernel.run(solved["rnn-cell"].replace("def rnn_cell", "def help(): 1\ndef rnncell"))
    text = notebook_kernel.run('check("rnn-cell")')
    assert text.startswith("rnn-cell: its cell defines rnncell, and the name must be rnn_cell.\n")
    notebook_kernel.run(solved["rnn-cell"].replace("b_hh)\n", "b_hh\n").rstrip(")"))
    text = notebook_kernel.run('check("rnn-cell")')
    assert text.startswith("rnn-cell: Python cannot read line 4 of its cell. Mend it, and run the")
    notebook_kernel.run('# Question doubt · 1 point\nanswer_dubt = "b"')
    assert "its cell defines answer_dubt, and" in notebook_kernel.run('check("doubt")')
    notebook_kernel.run(solved["rnn-cell"])
    assert "rnn-cell: right" in notebook_kernel.run('check("rnn-cell")')


# ── The inputs of a case, and the traceback ─────────────────────────────────────────────────────


@pytest.mark.parametrize("name", CODE)
def test_a_case_gives_what_a_function_takes(notebook_kernel, solved, name):
    function = ASKED[name].name
    text = notebook_kernel.run(f'arguments = case("{name}")')
    assert text.startswith(f"{name} is not right yet. Tried with ") and text.count("\n") == 1
    notebook_kernel.run("import numpy as np")
    notebook_kernel.run(solved[name])
    text = notebook_kernel.run(f'arguments = case("{name}")')
    assert text.startswith(f"{name} is right. Tried with ") and "case returns" in text
    assert f"{function} {'changes what' if name == 'open-gate' else 'should return'}" in text
    assert " at 0x" not in text and "object" not in text
    shown = notebook_kernel.run(f"result = {function}(*arguments)\nprint('done')")
    assert shown == "done\n"
    expected = TASKS[name].solution(*trials.arguments(TASKS[name], 0))
    result = notebook_kernel.names["result"]
    assert judge.difference(result, expected) == "" if expected is not None else result is None


def test_a_case_is_the_first_that_fails_and_is_made_anew(notebook_kernel, solved):
    forgets_the_pair = (
        "def unroll(cell, x, state, weights):\n    states = []\n    for x_t in x:\n"
        "        state = cell(x_t, state, *weights)\n        states.append(state)\n"
        "    return torch.stack(states)"
    )
    notebook_kernel.run(forgets_the_pair)
    text = notebook_kernel.run('cell, x, state, weights = case("unroll")')
    assert "given the cell of an LSTM. case returns cell lstm_cell, x (" in text
    notebook_kernel.run("x.zero_()")
    notebook_kernel.run('again = case("unroll")')
    assert notebook_kernel.names["again"][1].abs().sum() > 0
    assert isinstance(notebook_kernel.names["state"], tuple)


def test_of_several_calls_the_last_is_handed_over():
    _, _, optimizer, _ = trials.arguments(TASKS["training-step"], 1)
    gradients = [weight.grad for weight in optimizer.param_groups[0]["params"]]
    assert all(g is not None and g.abs().sum() > 0 for g in gradients)  # of the steps before
    *_, state = trials.arguments(TASKS["piece-loss"], 2)
    assert isinstance(state, tuple) and len(state) == 2


def test_a_question_has_no_case(notebook_kernel):
    assert notebook_kernel.run('case("doubt")').startswith("doubt: it asks for no function.")
    assert "There is no exercise" in notebook_kernel.run('case("tea")')


def test_a_traceback_is_of_the_students_own_lines(notebook_kernel):
    source = (
        "# Exercise rnn-cell\ndef mixed(x, w):\n    return x @ w  # no .T\n\n"
        "def rnn_cell(x, h, w_ih, *others):\n    a = mixed(x, w_ih)\n    return torch.tanh(a)"
    )
    notebook_kernel.run(source)
    assert "of its cell" not in notebook_kernel.run('check("rnn-cell")')
    text = notebook_kernel.run('check("rnn-cell", trace=True)')
    assert "\n  line 6 of its cell, in rnn_cell: a = mixed(x, w_ih)\n  line 3 of its cell" in text
    assert "in mixed: return x @ w  # no .T\n  RuntimeError: mat1 and mat2" in text
    assert "harness" not in text and "Traceback" not in text


def test_without_an_error_there_is_no_traceback(notebook_kernel, solved):
    notebook_kernel.run("def rnn_cell(*a):\n    return a[0]")
    assert "No error was raised" in notebook_kernel.run('check("rnn-cell", trace=True)')
    notebook_kernel.run("def rnn_cell(*a):\n    raise SystemExit")
    assert "in rnn_cell: raise SystemExit" in notebook_kernel.run('check("rnn-cell", trace=True)')
    notebook_kernel.run("def rnn_cell(*a):\n    return rnn_cell(*a)")
    assert notebook_kernel.run('check("rnn-cell", trace=True)').count("line 2 of its cell") <= 8
    notebook_kernel.run(solved["rnn-cell"])
    assert "right, 3 of 3" in notebook_kernel.run('check("rnn-cell", trace=True)')


# ── What takes long, and another device ─────────────────────────────────────────────────────────


def test_a_check_that_takes_long_says_so_meanwhile(notebook_kernel, monkeypatch):
    told = threading.Event()

    def print_and_note(text):
        print(text)
        told.set()

    monkeypatch.setattr(trials, "print", print_and_note, raising=False)
    monkeypatch.setattr(trials, "PATIENCE", 0.01)
    notebook_kernel.names["wait"] = lambda: told.wait(60)
    notebook_kernel.run("def perplexity(ln_p):\n    wait()\n    return 0.0")
    assert notebook_kernel.run('check("perplexity")').startswith("perplexity: it still runs. ")
    monkeypatch.setattr(trials, "PATIENCE", 3600.0)
    assert "still runs" not in notebook_kernel.run('check("perplexity")')
    timers = [one for one in threading.enumerate() if isinstance(one, threading.Timer)]
    assert all(timer.finished.is_set() for timer in timers)


def test_a_notebook_that_works_on_a_gpu_is_told_what_to_do(notebook_kernel, solved):
    notebook_kernel.run(solved["rnn-cell"])
    torch.set_default_device("meta")
    try:
        for call in ('check("rnn-cell")', 'case("rnn-cell")'):
            text = notebook_kernel.run(call)
            assert text.startswith("rnn-cell: checks work on the CPU; run torch.set_default_device")
    finally:
        torch.set_default_device(None)
    assert "rnn-cell: right" in notebook_kernel.run('check("rnn-cell")')


# ── Predictions and letters ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", [" B ", "b)", "(b)", "b.", "B:", "b"])
def test_a_letter_may_be_written_in_several_ways(notebook_kernel, text):
    notebook_kernel.names["answer_doubt"] = text
    assert notebook_kernel.run('check("doubt")').startswith("doubt: recorded (b). Your teacher")
    right = key.Right(1, "b", "")  # and so the grader reads it
    assert marking._mark_of_value("doubt", f"answer_doubt = {text!r}", right, None).points == 1


def test_a_prediction_is_checked_before_its_result_is_there(notebook_kernel):
    def said(name, value):
        notebook_kernel.names[ASKED[name].name] = value
        return notebook_kernel.run(f'check("{name}")').splitlines()[:-1]

    assert said("guess-linear", 80) == ["guess-linear: recorded."]
    for empty in (None, ..., {"RNN": None, "LSTM": None, "GRU": None}):
        assert said("guess-recall", empty)[0].startswith("guess-recall: not started yet.")
    assert "read in per cent" in said("guess-linear", 0.8)[1]
    assert "'85 %' is no prediction. Write a number from 0" in said("guess-linear", "85 %")[0]
    assert "one number is asked for, no range. Write" in said("guess-linear", (70, 80))[0]
    assert "not a comma: 79.5" in said("guess-linear", (79, 5))[0]
    wrong = {"RNN": 5, "LSTM": "50", "GRU": None}
    assert said("guess-recall", wrong)[0].startswith("guess-recall: '50' is no prediction. Write")


def test_a_word_is_one_of_the_review(notebook_kernel):
    assert "is no prediction. Write a word" in notebook_kernel.run(
        'guess_word = "very good"\ncheck("guess-word")'
    )
    notebook_kernel.run('my_review = "Nothing wonderful."')
    words = {"Wonderful": 2, "noTHing ": 2, "wonder": 3, "thing": 3, "amazing": 3}
    for word, lines in words.items():
        text = notebook_kernel.run(f'guess_word = "{word}"\ncheck("guess-word")')
        assert text.startswith("guess-word: recorded.\n") and text.count("\n") == lines
    assert "'amazing' does not stand in my_review." in text
    assert notebook_kernel.run('value = guess("word")').count("\n") == 1
    assert notebook_kernel.names["value"] == "amazing"


# ── The student's own functions at work ─────────────────────────────────────────────────────────


class Words:
    """A language model of fifty words."""

    def next_word(self, text, state=None):
        return torch.linspace(-3, 3, 50).log_softmax(0), None


def writing(nucleus, sampling):
    """Return the functions that `yours` gives, for an answer to each of the two exercises."""
    scope = {"np": np, "math": math, "torch": torch, "F": F, "nn": nn, "yours": own.yours}
    exec(f"{nucleus}\n{sampling}\nmine = yours('nucleus', 'sample-words')", scope)
    return scope["mine"]


NO_TEMPERATURES = (0, 0.0, -1, -0.7, 1e-40, 0.01, 1e9, math.nan, math.inf, -math.inf, "0.7", None,
                   True, [0.7], 1j, torch.tensor(0.0), torch.ones(2), np.float32(-1))  # fmt: skip
TEMPERATURES = (0.05, 0.7, 1, 2.5, 100, np.float32(0.7), torch.tensor(0.7))


def pairs_of_forms(solved):
    """Yield forms of the two answers, each form at least once; and once none at all."""
    ones = [forms.right(solved[name], name) for name in ("nucleus", "sample-words")]
    longest = max(map(len, ones))
    yield from zip(*((one * longest)[:longest] for one in ones), strict=True)
    yield "", ""


def test_a_temperature_with_which_nothing_is_drawn_is_told_in_a_sentence(solved, capsys):
    for nucleus, sampling in pairs_of_forms(solved):
        mine = writing(nucleus, sampling)
        said = capsys.readouterr().out
        assert said.count(": yours\n") == (2 if nucleus else 0), said
        for value in NO_TEMPERATURES:
            with pytest.raises(LabError, match=r"The temperature is .+; it must be a number from"):
                mine.sample_words(Words(), mine.nucleus, torch.tensor([3, 4]), 5, value)
        for value in TEMPERATURES:
            drawn = mine.sample_words(Words(), mine.nucleus, torch.tensor([3, 4]), 5, value)
            assert len(drawn) == 5
        assert capsys.readouterr().out == "", sampling


def comes_to_grief(right):
    """Return a right function with a switch, which makes it raise."""

    def function(*arguments):
        if function.broken:
            raise ValueError("no more")
        return right(*arguments)

    function.broken = False
    return function


@pytest.mark.parametrize("name", CODE)
def test_yours_is_said_to_have_stopped_only_where_the_labs_goes_on(name, capsys):
    function = comes_to_grief(TASKS[name].solution)
    mine, given = own._Yours(name, function), [trials.arguments(TASKS[name], 0) for _ in range(3)]
    function.broken = True
    with pytest.raises(Exception) as raised:  # whatever the lab's own raises
        mine(*[None for _ in given[0]])
    assert "no more" not in str(raised.value) and capsys.readouterr().out == ""
    function.broken = False
    mine(*given[0])
    assert capsys.readouterr().out == ""
    function.broken = True
    mine(*given[1])
    mine(*given[2])
    said = f"{name}: yours stopped (ValueError: no more). The lab's version goes on.\n"
    assert capsys.readouterr().out == said


# ── Names of the lab's ──────────────────────────────────────────────────────────────────────────


LAB_CELLS = answer_cells.read(ROOT / "lab2.ipynb")["cells"]


@pytest.fixture(scope="module")
def sources():
    """The code cells of the lab: id -> source."""
    return {c["id"]: answer_cells.source_of(c) for c in LAB_CELLS if c["cell_type"] == "code"}


@pytest.fixture
def watched(notebook_kernel, sources):
    """A kernel that has run the imports, and watches."""
    notebook_kernel.run("from lab.exercises.help.names import watch")
    notebook_kernel.run(f"{sources['imports']}\nwatch()")
    return notebook_kernel


WAY_BACK = "then run the cell again that begins with: import math\n"


def test_a_name_that_is_overwritten_is_told_once_with_the_way_back(watched, sources):
    text = watched.run("results = []")
    assert text.startswith("You have overwritten `results` (a module). Later cells need")
    assert text.endswith(WAY_BACK) and text.count("\n") == 1
    assert watched.run("x = 1") == watched.run("results.append(1)") == ""
    assert "overwritten" not in watched.run(sources["imports"])
    assert "overwritten `guess` (a function)" in watched.run("guess = 85")
    assert "`statistics` (a module)" in watched.run("import statistics")
    assert "`sweep` (a function)" in watched.run("def sweep(runs):\n    pass\n\n1 / 0")


def test_names_of_pythons_own_are_told_together(watched):
    text = watched.run("from numpy import *")
    (line,) = [one for one in text.splitlines() if "`min` (a function)" in one]
    assert re.search(r"then run `del abs, min, round`$", line)
    assert watched.run("del abs, min, round") == ""
    assert watched.run("a, b, model, my_results = 1, 2, 3, 4") == ""


def test_data_of_the_lab_are_told_with_the_cell_that_makes_them(watched, sources):
    first, *_ = sources["batch"].splitlines()
    names_of_data = "batch = 1\nT = 2"
    watched.run(f"{first.replace('list(', '[] and list(')}")  # a cell of the student's own
    watched.names["_watch"].right["batch"] = watched.names["batch"] = object()
    text = watched.run(names_of_data)
    assert "overwritten `batch` (a value of type object)" in text
    assert text.endswith(f"that begins with: {first}\n")


def test_a_cell_of_the_labs_may_be_changed_and_run_again(watched, sources):
    changed = sources["imports"].replace("config.get_profile()", 'config.get_profile("tiny")')
    assert "overwritten" not in watched.run(f"%time x = 1\n# mine\n{changed}")
    assert watched.names["profile"].name == "tiny"
    assert "profile" in watched.run("profile = 3")
    watched.names["_watch"].right["code_hash"] = watched.names["code_hash"] = object()
    assert watched.run("code_hash = 1") == ""  # as section 10 asks for


def test_the_lines_that_section_10_suggests_overwrite_nothing(watched, sources):
    watched.names["_watch"].right["mine"] = watched.names["mine"] = object()  # of section 5.4
    text = " ".join(answer_cells.source_of(cell) for cell in LAB_CELLS)
    suggested = re.findall(r"\b(\w+) = run_lists\.(?:tuned|default)_list\(", text)
    assert {"mine", "one"} <= set(suggested)
    for name in suggested:
        assert watched.run(f"{name} = [1]\nrecords = [2]") == "", name


@pytest.mark.parametrize("seed", range(40))
def test_the_way_back_is_the_cell_that_was_run_last(notebook_kernel, sources, seed, capsys):
    """Of all that give the name, in whatever order a reader runs them."""
    rng, scope = random.Random(seed), notebook_kernel.names
    watch = names.Watch(ROOT / "lab2.ipynb", scope)
    answered = {one.place for ones in answer_cells.find(LAB_CELLS).values() for one in ones}
    labs = [answer_cells.source_of(cell) for place, cell in enumerate(LAB_CELLS)
            if cell["cell_type"] == "code" and place not in answered]  # fmt: skip
    givers = {}
    for source in labs:
        for name in (answer_cells.names(source)[0] & watch.needed) - names.MEANT:
            givers.setdefault(name, []).append(source)
    several = sorted(name for name, ones in givers.items() if len(ones) > 1)
    name = rng.choice(several)
    for source in rng.choices(givers[name], k=rng.randint(1, 4)):
        scope |= {given: object() for given in answer_cells.names(source)[0]}
        watch.look(types.SimpleNamespace(info=types.SimpleNamespace(raw_cell=source)))
    assert "overwritten" not in capsys.readouterr().out
    scope[name] = 5
    watch.look(types.SimpleNamespace(info=types.SimpleNamespace(raw_cell=f"{name} = 5")))
    (line,) = capsys.readouterr().out.splitlines()
    assert f"overwritten `{name}`" in line
    assert line.endswith(f"run the cell again that begins with: {names._first_line(source)}")


def test_no_answer_and_no_cell_of_the_lab_overwrites_a_name(notebook_kernel, sources, solved):
    """What students are to write, and the solved notebook, can give no warning."""
    watch = names.Watch(ROOT / "lab2.ipynb", notebook_kernel.names)
    for name in LAB:
        given, _ = answer_cells.names(solved[name])
        assert not given & watch.needed, name
    for source in set(sources.values()) - set(solved.values()):
        assert watch._is_the_labs(source), source
    assert {"results", "guess", "statistics", "train", "test", "data"} <= watch.needed


def test_outside_of_a_notebook_nothing_is_watched(monkeypatch):
    monkeypatch.setattr(IPython, "get_ipython", lambda: None)
    scope = {"watch": names.watch}
    exec("watch()", scope)
    assert names.WATCH not in scope


def test_a_notebook_of_another_name_is_not_watched_and_imports_again_watch_once(
    notebook_kernel, watched
):
    hooks = watched.shell.events.callbacks["post_run_cell"]
    before = len(hooks)
    watched.run("watch()")
    assert len(hooks) == before
    watched.names.pop(names.WATCH)
    assert watched.run('watch("another.ipynb")') == "" and len(hooks) == before
