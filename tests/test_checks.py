"""The checks of the exercises: right answers pass, mistakes do not and are told, nothing breaks."""

import ast
import contextlib
import dataclasses
import functools
import io
import math
import random
import re
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import forms
import mutants
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import utils
from lab.base import files
from lab.base.messages import Message
from lab.datasets import token_stream
from lab.exercises import answer_cells, catalogue, harness, judge, solutions
from lab.exercises import check as check_module
from lab.exercises.catalogue import ASKED, LAB
from lab.exercises.help import hints
from lab.exercises.tasks import TASKS

CODE = [name for name, exercise in ASKED.items() if exercise.kind == "code"]
QUESTIONS = [name for name, exercise in ASKED.items() if exercise.kind in ("choice", "number")]
GUESSES = [name for name, exercise in ASKED.items() if exercise.kind == "guess"]
POINTS_LOST = 1e-9  # fewer points than this are none


@pytest.fixture(scope="module")
def names():
    """The names of a notebook in which every answer is right."""
    return mutants.solved_names()


@contextlib.contextmanager
def answered(names, source):
    """Let a cell with an answer have been run, inside of this block."""
    before = dict(names)
    exec(source, names)
    try:
        yield
    finally:
        names.clear()
        names.update(before)


@pytest.fixture
def nothing_named(monkeypatch):
    """Let no usual mistake be looked for, which takes most of the time of a check."""
    monkeypatch.setattr(judge, "_known_mistake", lambda *a: "")
    monkeypatch.setattr(judge, "_remark", lambda *a: "")


def points(name, function, seed=0):
    task = TASKS[name]
    attempts = judge.try_function(function, task, seed)
    return judge.judge(task, attempts, seed, ASKED[name].name).points(ASKED[name])


def printed(source, scope):
    """Return what a cell prints that is run with some names. A warning is an error."""
    scope |= {"check": check_module.check, "guess": check_module.guess}
    with contextlib.redirect_stdout(io.StringIO()) as out, warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(source, scope)
    return out.getvalue()


def check(name, **answers):
    """Return what `check` prints where a notebook holds some names."""
    return printed(f"check({name!r})", answers)


def check_code(name, function, trace=False):
    """Return the points that `check` gives a function, and what it prints."""
    scope = {ASKED[name].name: function}
    text = printed(f"check({name!r}, {trace})", scope)
    return scope[check_module.MARKS][name], text


# ── The list of exercises and the notebook ──────────────────────────────────────────────────────


def test_every_exercise_has_one_cell_with_its_heading(notebook):
    def answers(*notebooks):
        cells = [cell for n in notebooks for cell in n.cells if "exercise" in cell.metadata]
        return [(cell.metadata["exercise"]["id"], cell) for cell in cells]

    assert sorted(name for name, _ in answers(notebook)) == sorted(LAB)
    marked = answers(*mutants.notebooks())
    assert sorted(name for name, _ in marked) == sorted(ASKED)
    for name, cell in marked:
        assert cell.source.splitlines()[0] == catalogue.heading(name, ASKED[name])
        assert cell.cell_type == ("markdown" if ASKED[name].kind == "text" else "code"), name


def test_points_add_up_and_most_are_marked_by_machine():
    assert sum(exercise.points for exercise in LAB.values()) == 100
    assert sum(exercise.points for exercise in LAB.values() if exercise.by_machine) >= 60
    assert set(TASKS) == set(CODE)


@pytest.mark.parametrize("name", CODE)
def test_a_cell_of_code_defines_its_function_and_nothing_else(solved, name):
    (function,) = ast.parse(solved[name]).body
    assert isinstance(function, ast.FunctionDef) and function.name == ASKED[name].name
    assert ast.get_docstring(function)


@pytest.mark.parametrize("name", [*QUESTIONS, *GUESSES, "about-you"])
def test_a_cell_of_a_question_gives_its_name_a_value(solved, name):
    first, *rest = ast.parse(solved[name]).body
    assert isinstance(first, ast.Assign) and first.targets[0].id == ASKED[name].name
    assert [ast.unparse(line) for line in rest] == [f"check('{name}')"] * (name != "about-you")


def test_every_answer_is_checked_and_every_guess_is_shown():
    """After its cell, and once."""
    seen, checked, guessed = [], [], []
    for cell in [cell for n in mutants.notebooks() for cell in n.cells]:
        seen += [cell.metadata["exercise"]["id"]] if "exercise" in cell.metadata else []
        if cell.cell_type == "code":
            checked += re.findall(r'^check\("(.+?)"\)', cell.source, re.M)
            guessed += [f"guess-{n}" for n in re.findall(r"\bguess\([\"'](.+?)[\"'],", cell.source)]
            assert {*checked, *guessed} <= set(seen)
    assert sorted(checked) == sorted(CODE + QUESTIONS + GUESSES)
    assert sorted(guessed) == sorted(GUESSES)


# ── Right answers and mistakes ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", CODE)
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, 5))]
)
def test_the_solved_answer_gets_all_points(names, name, seed):
    assert points(name, names[ASKED[name].name], seed) == ASKED[name].points
    score, text = check_code(name, names[ASKED[name].name])
    assert score == ASKED[name].points and f"{name}: right, {score:g} of {score:g} points" in text


def test_there_are_right_and_wrong_forms_of_every_exercise():
    """And of at least 60 % of the wrong ones a check says in words what the mistake is."""
    assert list(forms.RIGHT) == list(forms.WRONG) == CODE
    for table in (forms.RIGHT, forms.WRONG):
        assert all(len(set(ones)) == len(ones) >= 5 for ones in table.values())
    named = [bool(words) for ones in forms.WRONG.values() for words, *_ in ones]
    assert sum(named) / len(named) >= 0.6


@pytest.mark.parametrize("name", CODE)
def test_each_right_form_gets_all_points(names, solved, name):
    for source in forms.right(solved[name], name):
        with answered(names, source):
            score, lines = check_module.examine(name, names, ASKED[name])
            again = points(name, names[ASKED[name].name], seed=1)
        assert score == again == ASKED[name].points, (source, lines)


@pytest.mark.parametrize("name", CODE)
def test_each_wrong_form_loses_points_and_is_told_in_words(names, solved, name):
    for source, words in forms.wrong(solved[name], name):
        with answered(names, source):
            score, (head, *lines) = check_module.examine(name, names, ASKED[name])
        assert score < ASKED[name].points, source
        assert head == f"{name}: not yet, {score:.3g} of {ASKED[name].points} points.", source
        assert words in " ".join(lines), (source, lines)


def test_batches_have_the_fields_of_the_notebooks_own():
    assert harness.Batch._fields == utils.Batch._fields
    assert harness.Piece._fields == token_stream.StreamBatch._fields


def shaken(value):
    """Return inputs with the last bits of their numbers changed."""
    if isinstance(value, tuple | list):
        return type(value)(map(shaken, value))
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value * (1 + 1e-6 * torch.linspace(-1, 1, value.numel()).view(value.shape))
    return value


@pytest.mark.parametrize("name", CODE)
def test_no_case_asks_for_more_digits_than_there_are(name):
    """Inputs that differ by some roundings lead to what passes for the same."""
    task = TASKS[name]

    def inputs(generator):
        return [e._replace(arguments=shaken(e.arguments)) for e in task.make_inputs(generator)]

    for seed in range(20):
        near = judge.try_function(
            task.solution, dataclasses.replace(task, make_inputs=inputs), seed
        )
        judgement = judge.judge(task, [a._replace(used=frozenset()) for a in near], seed)
        assert all(judgement.right), (seed, judgement.messages)


@pytest.mark.parametrize("name", CODE)
def test_each_change_without_thought_loses_points(names, solved, name, nothing_named):
    lines = ast.unparse(ast.parse(solved[name])).splitlines()
    right = []
    for source in mutants.automatic(solved[name]):
        with answered(names, source):
            if check_module.examine(name, names, ASKED[name])[0] == ASKED[name].points:
                right += [line.strip() for line in source.splitlines() if line not in lines]
    known = mutants.SURVIVORS.get(name, {})
    assert sorted(right) == sorted(ast.unparse(ast.parse(line)) for line in known)


@pytest.mark.parametrize("name", CODE)
def test_each_usual_mistake_is_told_by_its_name(name):
    task = TASKS[name]
    for label, mistake in task.known_mistakes.items():
        attempts = [a._replace(used=frozenset()) for a in judge.try_function(mistake, task, 0)]
        assert not all(attempt.error for attempt in attempts), label
        judgement = judge.judge(task, attempts, 0)
        assert not all(judgement.right) and label in " ".join(judgement.messages), label


def test_no_case_is_right_by_chance(names):
    """What does nothing, and what returns its first argument, gets no points at all."""
    for name in CODE:
        assert points(name, lambda *a: a[0]) < POINTS_LOST, name
        assert points(name, lambda *a: 0.0) < POINTS_LOST, name


# ── What a student's function may be ────────────────────────────────────────────────────────────


def stub(solved, name):
    """Return a cell as the student's edition has it."""
    return answer_cells.stub(solved[name], name, ASKED[name])


def not_started(name):
    return Message(check_module.NOT_STARTED, name=name)


@pytest.mark.parametrize("name", CODE)
def test_a_stub_is_not_started(names, solved, name):
    said = "as it was handed out" if hints.of(name).handed_out else not_started(name)
    with answered(names, stub(solved, name)):
        score, lines = check_module.examine(name, names, ASKED[name])
    assert score == 0 and said in " ".join(lines)


def test_a_function_that_calls_another_stub_was_started(names, solved):
    calls = "def rnn_cell(*arguments):\n    return gru_cell(*arguments)"
    with answered(names, f"{stub(solved, 'gru-cell')}\n\n\n{calls}"):
        score, text = check_code("rnn-cell", names["rnn_cell"])
    head, tried, *_ = text.splitlines()
    assert score == 0 and head == "rnn-cell: not yet, 0 of 3 points."
    assert tried.endswith(": it calls gru-cell, which is not written yet.")


def raises_what_is_not_implemented(*arguments):
    raise NotImplementedError("Exercise rnn-cell: I gave up")


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda *a: torch.tensor([1, 2]).softmax(0), "line 1 of the function stops with NotImpl"),
        (raises_what_is_not_implemented, "NotImplementedError: Exercise rnn-cell: I gave up."),
    ],
)
def test_what_pytorch_has_not_implemented_was_started(function, words):
    score, text = check_code("rnn-cell", function)
    assert score == 0 and words in text and not_started("rnn-cell") not in text


@pytest.mark.parametrize("name", CODE)
def test_an_answer_that_is_not_there_is_told(name):
    function = ASKED[name].name
    assert check(name).startswith(f"{name}: {function} is not there. Run the cell above.\n[---")
    for what, is_a in ((5, "value of type int"), ([1], "list of 1"), (None, "of type NoneType")):
        score, text = check_code(name, what)
        assert score == 0 and f"{function} is a" in text and f"{is_a}, and should be a fun" in text


def raises(*arguments):
    raise ValueError("not\nhere")


@pytest.mark.parametrize("name", CODE)
def test_what_comes_back_is_told(name):
    nothing = "no change" if name == "open-gate" else "nothing came back; is there a return"
    for function, words in {
        lambda *a: None: nothing,
        raises: "line 2 of the function stops with ValueError: not here.\n",
        lambda: 1: "it stops with TypeError: ",
        lambda *a: sys.exit(): "line 1 of the function stops with SystemExit.\n",
    }.items():
        score, text = check_code(name, function)
        assert score == 0 and words in text and f'hint("{name}")' in text, text
        assert text.startswith(f"{name}: not yet, 0 of {ASKED[name].points} points.\n  Tried with ")


RECURSIONS = {  # a body of a function that calls itself without end -> the line that is told
    "return {name}(*a)": 2,
    "b = a\n    return [{name}(*b), {name}(*a)]": 3,
    "return torch.stack([{name}(*a) for _ in range(2)])": 2,
    "def again(n):\n        return again(n + 1)\n\n    return again(0)": 5,
    "class Mine:\n        def __getattr__(self, name):\n            return self.other\n\n"
    "    return Mine().value": 6,
    "return sorted([2, 1], key=lambda n: {name}(*a))": 2,
}
CAUGHT = "try:\n        {name}(*a)\n    except RecursionError:\n        return a[0]"


@pytest.mark.parametrize("name", CODE)
def test_a_recursion_without_end_is_told_with_its_line(name, nothing_named):
    function = ASKED[name].name
    for body, line in {**RECURSIONS, CAUGHT: 0}.items():
        source = f"def {function}(*a):\n    {body.format(name=function)}"
        exec(source, scope := {"torch": torch})
        score, (_head, said, *_) = check_module.examine(name, scope, ASKED[name])
        told = f"line {line} of the function stops with RecursionError: " if line else "switches o"
        assert score == 0 and told in said, (body, said)
        assert sys.getprofile() is None


def timed(function):
    @functools.wraps(function)
    def run(*arguments):
        value = function(*arguments)
        return value

    return run


@pytest.mark.parametrize("name", CODE)
def test_a_line_is_counted_in_what_was_written(name, nothing_named):
    """Whatever decorators stand above the function."""
    rng, function = random.Random(name), ASKED[name].name
    for count in (0, 1, 1, 2, 3):
        above = rng.choices(["@torch.no_grad()", "@torch.enable_grad()", "@timed"], k=count)
        lines = [
            *above,
            f"def {function}(*a):",
            *["    b = 1"] * rng.randrange(9),
            "    raise ValueError",
        ]
        exec("\n".join(lines), scope := {"torch": torch, "timed": timed})
        _, (_head, said, *_) = check_module.examine(name, scope, ASKED[name])
        assert f"line {len(lines)} of the function stops with ValueError" in said, lines


def spoilt(value, by):
    """Return what came back with each of its numbers multiplied by one."""
    if isinstance(value, tuple | list):
        return type(value)(spoilt(part, by) for part in value)
    return None if value is None else value * by


@pytest.mark.parametrize("name", CODE)
def test_what_is_not_finite_is_no_multiple_of_what_is_right(names, name, monkeypatch):
    monkeypatch.setattr(judge, "_known_mistake", lambda *a: "")
    for by in (math.nan, math.inf, -math.inf):
        right = names[ASKED[name].name]
        _, text = check_code(name, lambda *a, right=right, by=by: spoilt(right(*a), by))
        assert "times as large" not in text, text


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.zeros(3, 2), "shape (3, 2) came back, expected is shape (4, 8)"),
        (torch.full((4, 8), math.nan), "not finite (nan or inf)"),
        (torch.zeros(4, 8, device="meta"), "it lies on meta, expected is cpu: leave it where x is"),
        ((torch.zeros(4, 8), torch.zeros(4, 8)), "a tuple of 2 came back, expected is a tensor of"),
        ([[0.0] * 8] * 4, "a list of 4 came back"),
        (np.zeros((4, 8)), "32 of 32 numbers are wrong; the first of them, at [0, 0], is 0, exp"),
        ({"h": 1}, "a value of type dict came back, expected is a tensor of shape (4, 8)"),
        (0.5, "one number came back, expected is shape (4, 8)"),
        (torch.zeros(4, 8, dtype=torch.complex64), "complex numbers came back; is it the root"),
        (torch.zeros(4, 8, requires_grad=True), "32 of 32 numbers are wrong; the first of them"),
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_form_is_told(value, words):
    score, text = check_code("rnn-cell", lambda *a: value)
    assert score == 0 and words in text


def test_a_value_near_the_right_one_is_right(names):
    right = names["rnn_cell"]
    assert points("rnn-cell", lambda *a: right(*a) + 1e-6) == 3
    assert points("rnn-cell", lambda *a: right(*a) + 1e-3) == 0
    assert points("rnn-cell", lambda *a: right(*a).double().requires_grad_()) == 3


def test_each_case_has_its_share(names):
    def of_one_review(x, *rest):
        return names["rnn_cell"](x, *rest) if len(x) == 1 else x

    def for_gru_alone(cell, *rest):
        return names["unroll"](cell, *rest) if "gru" in cell.__name__ else None

    assert points("rnn-cell", of_one_review) == 1
    assert points("unroll", for_gru_alone) == 1


def test_part_of_a_pair_has_a_name(names):
    def no_c(*arguments):
        h, c = names["lstm_cell"](*arguments)
        return h, 0 * c

    assert "for the new c, 32 of 32 numbers are wrong" in check_code("lstm-cell", no_c)[1]


@pytest.mark.parametrize("name", [name for name in CODE if hasattr(solutions, ASKED[name].name)])
def test_the_labs_own_version_of_each_exercise_gets_no_points(name):
    score, text = check_code(name, lambda *a: getattr(solutions, ASKED[name].name)(*a))
    assert (
        score == 0 and f"  {ASKED[name].name} calls the lab's own version. Write yours.\n" in text
    )
    assert sys.getprofile() is None


def test_a_profiler_at_work_is_left_there():
    def profiler(*event):
        return None

    sys.setprofile(profiler)
    try:
        for name, ready in (("lstm-cell", torch.lstm_cell), ("mcnemar", solutions.mcnemar)):
            score, text = check_code(name, ready)
            assert sys.getprofile() is profiler
            assert (score == 0 and "torch's lstm_cell: write" in text) == (name == "lstm-cell")
    finally:
        sys.setprofile(None)


# ── Nothing around a check is changed, and nothing breaks it ────────────────────────────────────


def seeds_anew(*arguments):
    torch.manual_seed(5)
    torch.set_grad_enabled(False)
    return torch.rand(3)


@pytest.mark.parametrize("name", CODE)
def test_random_numbers_go_on_as_they_were(names, name):
    for function in (names[ASKED[name].name], seeds_anew, raises, lambda *a: torch.randn(2)):
        torch.manual_seed(11)
        before = torch.get_rng_state()
        check_code(name, function)
        assert torch.equal(torch.get_rng_state(), before) and torch.is_grad_enabled()


@pytest.mark.parametrize("trace", [False, True])
def test_a_loop_without_end_is_stopped_once_and_told(names, trace):
    calls = []

    def endless_in_the_second_call(*arguments):
        calls.append(arguments)
        if len(calls) > 1:
            raise KeyboardInterrupt  # as the square button of Jupyter
        return names["rnn_cell"](*arguments)

    score, text = check_code("rnn-cell", endless_in_the_second_call, trace)
    head, tried, *_ = text.splitlines()
    assert score == 0 and len(calls) == 2 and sys.getprofile() is None
    assert head == "rnn-cell: not yet, 0 of 3 points."
    assert tried.startswith("  Tried with 1 review, E = 3, H = 2: it had not come to an end")


def test_a_check_that_is_stopped_itself_says_nothing_of_the_answer(names):
    def stopped(*arguments):
        raise KeyboardInterrupt

    attempts = judge.try_function(names["rnn_cell"], TASKS["rnn-cell"], 0)
    with pytest.raises(KeyboardInterrupt):
        judge.judge(dataclasses.replace(TASKS["rnn-cell"], solution=stopped), attempts, 0)


def test_random_numbers_inside_are_the_same_each_time():
    numbers = []
    for _ in range(2):
        check_code("rnn-cell", lambda *a: numbers.append(torch.rand(1).item()))
        torch.rand(1)
    assert numbers[: len(numbers) // 2] == numbers[len(numbers) // 2 :] and len(set(numbers)) == 1


def test_calls_in_two_threads_leave_warnings_and_random_numbers_as_they_were():
    """As in the grader. Without a lock the second call would keep what the first has set."""
    second_began, first_ended = threading.Event(), threading.Event()
    filters, state = list(warnings.filters), torch.get_rng_state()

    def second():
        second_began.set()
        first_ended.wait(10)

    def first():
        pool.submit(harness.attempt, harness.call, second, (), ())
        second_began.wait(0.2)  # with the lock it cannot begin

    with ThreadPoolExecutor() as pool:
        harness.attempt(harness.call, first, (), ())
        first_ended.set()
    assert second_began.is_set()
    assert warnings.filters == filters and torch.equal(torch.get_rng_state(), state)


def test_an_error_is_told_with_the_line_of_the_function_itself():
    source = "def helper(x):\n    return x.nothing\n\n\ndef f(*a):\n    b = a\n    return helper(b)"
    scope = {}
    exec(compile(source, "cell", "exec"), scope)
    text = check_code("unroll", scope["f"])[1]
    assert "line 3 of the function stops with AttributeError: 'tuple'" in text


class Nasty:
    """Whatever is asked of it fails."""

    def __eq__(self, other):
        raise RuntimeError

    def __repr__(self):
        raise RuntimeError

    def __bool__(self):
        raise RuntimeError

    def __len__(self):
        raise RuntimeError

    def __array__(self, *a, **k):
        raise OSError

    __hash__ = None


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError


def yields(*arguments):
    yield from arguments


def raises_the_unspeakable(*arguments):
    raise Unspeakable


def endless(*arguments):
    return endless(*arguments)


VALUES = [
    Nasty(), Nasty, "text", "", math.nan, math.inf, 10**400, True, b"a", {}, {"a": 1}, set(),
    torch.ones(2, requires_grad=True), torch.tensor([]), torch.tensor(math.nan), [0] * 10**4,
    np.array(["a"]), np.float32(2), pd.Series([1.0]), [[1], [2, 3]], (None, None), ..., object(),
    [torch.ones(2), torch.ones(3)], torch.ones(2, device="meta"), iter([1]), (Nasty(), Nasty()),
]  # fmt: skip
FUNCTIONS = [
    Nasty, yields, raises_the_unspeakable, endless, int, nn.Linear(2, 2), torch.Tensor,
    type("Called", (), {"__call__": lambda self, *a: self})(), lambda *a, **k: (a, k),
    lambda *a: setattr(a[0], "bias_ih_l0", None), *[lambda *a, v=v: v for v in VALUES],
]  # fmt: skip


@pytest.mark.parametrize("name", [*CODE, *QUESTIONS, *GUESSES])
def test_whatever_the_answer_is_something_is_said_and_nothing_is_raised(name):
    one_number = ASKED[name].kind == "number" or isinstance(ASKED[name].key, tuple)
    for answer in [*VALUES, *(FUNCTIONS if name in CODE else FUNCTIONS[:3])]:
        if ASKED[name].kind == "number" and isinstance(answer, int):
            continue  # these are numbers
        if one_number and isinstance(answer, np.floating | pd.Series):
            continue  # so are these
        if ASKED[name].key is str and answer is VALUES[2]:
            continue  # this is a word
        score, text = check_code(name, answer)
        assert score is not None and score < ASKED[name].points, answer
        assert text.startswith(f"{name}: ") and "cannot be checked" not in text
        assert len(text) < 1000 and "Traceback" not in text


def test_a_warning_of_pytorch_is_not_shown(names, solved):
    source = solved["gradient-by-step"].replace("        h.retain_grad()\n", "")
    with answered(names, source):
        text = check_code("gradient-by-step", names["gradient_by_step"])[1]
    assert "no attribute 'norm'" in text


def test_what_is_no_exercise_is_told():
    assert check("rnn_cell") == "There is no exercise 'rnn_cell'. Do you mean 'rnn-cell'?\n"
    assert check("tea") == "There is no exercise 'tea'.\n"
    for name in ("conclusion", "experiment"):
        assert check(name).startswith(f"{name}: your teacher reads it")


def test_whatever_is_no_exercise_is_told_in_a_line():
    table = pd.DataFrame({"a": [1, 2]})
    others = [value for value in VALUES if not isinstance(value, str)]
    for value in [[1], check_module.check, None, np.array([1, 2]), np.array([]), table, *others]:
        text = printed("check(value)", {"value": value})
        assert re.fullmatch(r"There is no exercise .+\.\n", text), value


def test_progress_counts_what_checks_can_give(names):
    scope = {**names, check_module.MARKS: {}}
    for name in CODE + QUESTIONS:
        printed(f"check({name!r})", scope)
    for name in GUESSES:
        printed(f"guess({name.removeprefix('guess-')!r})", scope)
    total = sum(ASKED[name].points for name in CODE + GUESSES if name in LAB)
    bar = f"[{'#' * 20}] {total} of {total} points; {len(set(QUESTIONS) & set(LAB))} recorded"
    assert printed("check('rnn-cell')", scope).splitlines()[-1] == bar
    assert printed("check()", scope).splitlines()[:-1] == [bar]  # then what a person reads
    assert check("unroll", unroll=None).endswith(f"\n[{'-' * 20}] 0 of {total} points\n")


def test_without_a_name_check_says_what_is_still_open(names):
    scope = {}
    first, bar, read = printed("check()", scope).splitlines()
    assert read.endswith(": 28 points.")
    asked = [name for name, exercise in LAB.items() if exercise.by_machine]
    assert first == f"Still open: {', '.join(asked)}." and bar.endswith(" points")
    scope.update(rnn_cell=names["rnn_cell"], answer_detach="a", unroll=lambda *a: None)
    text = printed("check('rnn-cell')\ncheck('detach')\ncheck('unroll')\ncheck()", scope)
    open_now = [name for name in asked if name not in ("rnn-cell", "detach")]
    assert text.splitlines()[-3] == f"Still open: {', '.join(open_now)}."


# ── Choices and numbers ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_is_recorded_and_not_judged(name):
    exercise = ASKED[name]
    answers = exercise.key if exercise.kind == "choice" else (1.609, -3, 10**6)
    for answer in answers:
        text = check_code(name, answer)[1]
        assert text.startswith(f"{name}: recorded ({answer}). Your teacher will mark it.\n")
    assert check_code(name, answers[0])[0] is None


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_is_no_letter_or_number_is_told(name):
    for answer in (None, ...):
        assert check_code(name, answer) == (0, check_code(name, None)[1])
        assert check_code(name, answer)[1].startswith(not_started(name))
    if ASKED[name].kind == "choice":
        for answer in ("e", "ab", "", "b)c", 1, ["a"], "a, b"):
            score, text = check_code(name, answer)
            assert score == 0
            assert f'{answer!r} is no answer. Choose one of "a", "b", "c", "d".\n' in text
    else:
        for answer in ("25", "b", True, [3], math.nan, "three", 1j):
            score, text = check_code(name, answer)
            assert score == 0 and f"{name}: {answer!r} is no number." in text


@pytest.mark.parametrize("name", [name for name in QUESTIONS if ASKED[name].kind == "number"])
def test_a_number_may_be_computed(name):
    for three in (np.int64(3), np.float32(3), np.array([3]), torch.tensor(3), torch.tensor([[3]])):
        number = "3" if "int" in str(three.dtype) else "3.0"
        text = check_code(name, three)[1]
        assert text.startswith(f"{name}: recorded ({number}). Your teacher will mark it.\n")
    for other in (np.True_, torch.tensor(True), np.array([3, 3]), torch.ones(2), np.complex64(1)):
        score, text = check_code(name, other)
        assert score == 0 and " is no number.\n" in text


@pytest.mark.parametrize("name", [name for name in QUESTIONS if ASKED[name].kind == "number"])
def test_a_number_with_a_comma_is_told(name):
    for pair, point in (((1, 609), "1.609"), ((-3, 0), "-3.0")):
        score, text = check_code(name, pair)
        line = f"{name}: {pair} is no number; write a point, not a comma: {point}.\n"
        assert score == 0 and text.startswith(line)
    for other in ((1, 2, 3), (1, -2), (1.5, 2), [1, 609], ("1", "2"), (1,)):
        assert check_code(name, other)[1].startswith(f"{name}: {other!r} is no number.\n")


# ── Predictions ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def out(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB2_OUT", str(tmp_path))
    return tmp_path


def guess(name, value=None, outcome=None):
    """Return what `guess` returns, the points it gives, and what it prints."""
    scope = {"outcome": outcome, f"guess_{name}": value}
    text = printed(f"value = guess({name!r}, outcome)", scope)
    return scope["value"], scope[check_module.MARKS][f"guess-{name}"], text


def stored(folder):
    table = pd.read_csv(folder / "predictions.csv", keep_default_na=False)
    return [tuple(row) for row in table.itertuples(index=False)]


CELLS = {"RNN": 0.1, "LSTM": 0.2, "GRU": 0.3}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("linear", 60.0), ("linear", 0), ("linear", 100), ("word", "good"),
        ("recall", {"GRU": 0, "LSTM": 100, "RNN": 90}),
        ("perplexity", {"GRU": 1, "LSTM": 1e6, "RNN": 9}),
    ],
)  # fmt: skip
def test_a_guess_in_range_comes_back_and_has_its_point(name, value):
    assert guess(name, value) == (value, 1, "")


@pytest.mark.parametrize("seventy", [np.int64(70), np.array([70]), torch.tensor(70.0)])
def test_a_guess_may_be_computed_and_comes_back_as_a_plain_number(seventy, out):
    for name, value in (("linear", seventy), ("recall", dict.fromkeys(CELLS, seventy))):
        result, score, text = guess(name, value, 5.0 if name == "linear" else None)
        assert (score, text) == (1, "") and result == catalogue.plain(value)
        for number in result.values() if name == "recall" else [result]:
            assert number == 70 and type(number) in (int, float)
    assert stored(out) == [("guess-linear", "", 70.0, 5.0)]
    assert not guess("linear", np.True_)[1] and not guess("linear", 2 * seventy)[1]


def test_a_share_where_per_cent_are_asked_is_told_and_kept():
    value, _, text = guess("linear", 0.8)
    assert value == 0.8 and "0.8 is read in per cent. If a share was meant: 0.8 is 80." in text
    for value in ({"RNN": 0.3, "LSTM": 1, "GRU": 1}, {"RNN": 15, "LSTM": 0.9, "GRU": 90}):
        assert "per cent" in guess("recall", value)[2]
    for name, guessed in (
        ("linear", 80),
        ("recall", {"RNN": 0, "LSTM": 5, "GRU": 90}),
        ("perplexity", {"RNN": 1, "LSTM": 1, "GRU": 1}),
    ):
        assert "per cent" not in guess(name, guessed)[2]


def test_a_guess_with_a_comma_is_told():
    text = "guess-linear: (79, 5) is no prediction; write a point, not a comma: 79.5. Write a num"
    assert guess("linear", (79, 5))[2].startswith(text)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("linear", 100.5, "a number from 0 to 100"),
        ("linear", "60", "a number from 0 to 100"),
        ("linear", True, "a number from 0 to 100"),
        ("linear", {"RNN": 5}, "a number from 0 to 100"),
        ("word", "  ", "a word, as text"),
        ("perplexity", {**CELLS, "GRU": 0}, "a number from 1 to 1e+06 for each of"),
        ("recall", {**CELLS, "GRU": None}, "a number from 0 to 100 for each of RNN, LSTM, GRU"),
        ("recall", {**CELLS, "GRU": 200}, "a number from 0 to 100 for each of RNN, LSTM, GRU"),
        ("recall", {**CELLS, "MLP": 0.5}, "a number from 0 to 100 for each of RNN, LSTM, GRU"),
    ],
)
def test_a_guess_out_of_range_is_none_and_is_told(name, value, wanted):
    result, score, text = guess(name, value)
    assert result is None and score == 0
    assert text.startswith(f"guess-{name}: ")
    assert f"is no prediction. Write {wanted}" in text and text.count("\n") == 1


@pytest.mark.parametrize("name", GUESSES)
def test_a_guess_that_is_not_made_is_none_without_a_word(name, out):
    empty = eval(catalogue.empty_guess(ASKED[name].key))
    assert guess(name.removeprefix("guess-"), empty, 5.0) == (None, 0, "")
    assert stored(out) == [(name, "", "", 5.0)]
    scope = {}
    printed(f"value = guess({name.removeprefix('guess-')!r})", scope)  # the name is not there
    assert scope["value"] is None


@pytest.mark.parametrize(
    "value", [*VALUES, {"RNN": Nasty()}, {Nasty: Nasty()}], ids=lambda v: type(v).__name__
)
def test_whatever_a_guess_is_nothing_is_raised(value, out):
    for name in ("linear", "six", "word"):
        result, score, text = guess(name, value, 3.0)
        assert (result, score) in ((None, 0), (catalogue.plain(value), 1)) and len(text) < 300


def test_guesses_and_outcomes_are_kept_once_each(out):
    for linear in (60.0, 70.0):  # run twice, with another guess
        guess("linear", linear, 79.8)
        guess("recall", CELLS, pd.Series({"RNN": 0.001, "LSTM": 0.5, "GRU": 0.25}))
        guess("word", "good", "awful")
        guess("rescued", None, np.float64(90.0))
        guess("rescued", 80.0, 90.0)
        guess("rescued", None, np.float64(90.0))
        guess("same", 3.0)  # nothing came yet
    expected = {
        ("guess-linear", "", "70.0", "79.8"),
        *(("guess-recall", cell, str(g), str(o))
          for (cell, g), o in zip(CELLS.items(), (0.001, 0.5, 0.25), strict=True)),
        ("guess-word", "", "good", "awful"),
        ("guess-rescued", "", "", "90.0"),
    }  # fmt: skip
    rows = stored(out)
    assert len(rows) == 6 and {tuple(map(str, row)) for row in rows} == expected


def test_an_old_or_damaged_table_of_predictions_stops_nothing(out):
    file = out / "predictions.csv"
    for content in (
        b"",
        b"\xff\xfe\x00",
        b"name,value\nlinear,60\n",
        b'id,part\n"x',
        b"1,2\n3,4,5\n",
    ):
        file.write_bytes(content)
        assert guess("linear", 60.0, 79.8)[:2] == (60.0, 1)
        assert stored(out) == [("guess-linear", "", 60.0, 79.8)]


def test_a_table_that_another_program_holds_stops_nothing_and_is_told(out, monkeypatch):
    """As on Windows, where Excel lets nobody replace the file that it shows."""
    guess("linear", 60.0, 79.8)

    def held(self, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", held)
    monkeypatch.setattr(files, "PATIENCE", 0.0)
    result, score, text = guess("linear", 70.0, 79.8)
    assert (result, score) == (70.0, 1) and text.count("\n") == 1
    assert text.startswith("guess-linear: not kept for your report. Cannot write predictions.csv")
    assert "Close the program that has it open" in text
    assert stored(out) == [("guess-linear", "", 60.0, 79.8)]
