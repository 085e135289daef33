"""All that is said of an answer is in the reader's language, but for names and Python's words.

In the language of these tests a sentence of the lab's has no words: only its slots are left,
between guillemets. So whatever word stands in an output is a name, or Python's, or was forgotten.
"""

import ast
import contextlib
import functools
import inspect
import io
import re

import forms
import mutants
import pytest
import torch
from helpers import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.base import messages
from lab.base.messages import Message, say
from lab.exercises import check as check_module
from lab.exercises import judge
from lab.exercises.catalogue import ASKED, LAB
from lab.exercises.help import hints
from lab.exercises.tasks import TASKS

CHINESE = re.compile(r"[\u4e00-\u9fff]")
ENGLISH_WORDS = re.compile(r"[a-z]{3,} [a-z]{2,} [a-z]{2,}")  # three in a row: a sentence
SLOT = re.compile(r"\{\w+[^{}]*\}")
PYTHONS = re.compile(  # an error, as Python says it; a name in code
    r"\b\w+(?:Error|Exit)\b(?:: [^|»\n]*)?|\w*[a-z][_.]\w[\w.]*"
)
WORD = re.compile(r"[a-z]{3,}", re.IGNORECASE)


@pytest.fixture
def wordless(monkeypatch):
    """Let every sentence be said without its words."""
    monkeypatch.setattr(messages, "catalogue", lambda _: in_no_words)


def in_no_words(text):
    known = text in templates() or any(text in help.hints for help in hints.everything().values())
    return f"«{'|'.join(SLOT.findall(text))}»" if known else text


@functools.cache
def templates():
    """Return what is marked as a message in the code of the lab; a catalogue has nothing else."""
    trees = [ast.parse(path.read_text("utf-8")) for path in (ROOT / "lab").rglob("*.py")]
    calls = [n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Call) and n.args]
    marked = [n.args[0] for n in calls if getattr(n.func, "id", "") == "_"]
    return {one.value for one in marked if isinstance(one, ast.Constant)}


def words_in(text, *known):
    """Return the words of a text that are neither Python's nor stand in what is known."""
    known = {word for one in (*known, *NAMES) for word in WORD.findall(one)}
    return sorted({*WORD.findall(PYTHONS.sub("", text))} - known)


def names_of(name, function=None):
    """Return the names that belong to an exercise, and those of a function's arguments."""
    learns = TASKS[name].learns if name in TASKS else ()
    own = inspect.signature(function).parameters if function else ()
    return name, ASKED[name].name, *learns, *own


# types, cells of PyTorch's, models of the harness, letters of a form; what an LSTM is called
NAMES = (
    "tuple", "list", "int", "float", "dict", "str", "NoneType", "object", "rnn_tanh_cell",
    "lstm_cell", "gru_cell", "RNN", "LSTM", "GRU", "SmallModel", "SmallReader", "SmallClassifier",
    "Counter", "Batch", "Piece", "SGD", "choose", "True", "False", "array", "Tensor", "nan", "inf",
    "meta", "logits, loss", "loss, state", "softmax", "None",
)  # fmt: skip


def outside(text):
    """Return what of a text stands in no pair of guillemets."""
    depth, left = 0, []
    for letter in text:
        depth += (letter == "«") - (letter == "»")
        left.append(letter if depth == 0 and letter != "»" else "")
    return "".join(left).strip()


def printed(call, *arguments, scope=(), **options):
    """Return what `check`, `hint` or `case` prints where a notebook holds some names."""
    scope = dict(scope) | {"call": call, "given": arguments, "options": options}
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec("call(*given, **options)", scope)
    return out.getvalue()


def assert_wordless(text, *known):
    assert text and not outside(PYTHONS.sub("", text)), text
    assert words_in(text, *known) == [], text


def raises(*arguments):
    raise ValueError("no words of ours")


def reads_nothing(*arguments):
    return arguments[0].nothing


def changes_its_input(*arguments):
    for one in arguments:
        if isinstance(one, torch.Tensor) and one.is_floating_point():
            with torch.no_grad():
                one += 1
    return torch.zeros(1)


CHANGES = {  # what is done to a right answer
    "nothing at all": lambda right: lambda *a: None,
    "raises": lambda right: raises,
    "reads": lambda right: reads_nothing,
    "takes too little": lambda right: lambda: 1,
    "changes": lambda right: changes_its_input,
    "a text": lambda right: lambda *a: "text",
    "a pair": lambda right: lambda *a: (right(*a), 0),
    "too much": lambda right: lambda *a: [right(*a)] * 4,
    "twice": lambda right: lambda *a: each(right(*a), lambda t: 2 * t),
    "turned": lambda right: lambda *a: each(right(*a), lambda t: -t),
    "nan": lambda right: lambda *a: each(right(*a), lambda t: t * float("nan")),
    "complex": lambda right: lambda *a: each(right(*a), lambda t: t * 1j),
    "cut off": lambda right: lambda *a: each(right(*a), torch.Tensor.detach),
    "flat": lambda right: lambda *a: each(right(*a), torch.Tensor.flatten),
    "shifted": lambda right: lambda *a: each(right(*a), lambda t: t + torch.arange(t.numel())[-1]),
    "elsewhere": lambda right: lambda *a: torch.zeros(2, device="meta"),
    "borrowed": lambda right: lambda *a: (torch.softmax(torch.ones(2), 0), right(*a))[1],
}


def each(value, change):
    """Change each tensor of a result."""
    if isinstance(value, tuple):
        return tuple(each(part, change) for part in value)
    return change(value) if isinstance(value, torch.Tensor) else value


@pytest.mark.parametrize("name", TASKS)
def test_all_that_a_task_can_say_is_said(wordless, name):
    task = TASKS[name]
    examples = task.make_inputs(torch.Generator().manual_seed(1))
    said = [Message(task.equals, mistake=label) for label in task.known_mistakes]
    said += [part for one in examples for part in (one.label, one.trap) if part]
    said += [*task.parts, *filter(None, [task.instead])]
    assert len(said) > len(examples)
    for one in said:
        assert isinstance(one, Message) or not WORD.search(one), one
        assert words_in(say(one), *names_of(name)) == [], one


@settings(max_examples=6, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("name", TASKS)
def test_what_is_said_of_generated_answers_has_no_word_left(name, data):
    task = TASKS[name]
    mistakes = {label: lambda _, one=wrong: one for label, wrong in task.known_mistakes.items()}
    wrong = data.draw(st.sampled_from([*CHANGES, *mistakes]), "what is wrong")
    function = (CHANGES | mistakes)[wrong](task.solution)
    scope, names = {ASKED[name].name: function}, names_of(name, function)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(messages, "catalogue", lambda _: in_no_words)
        if wrong in mistakes:  # which are of the lab's own functions
            patch.setattr(judge, "_no_answer", lambda *_: "")
        assert_wordless(printed(check_module.check, name, scope=scope, trace=True), *names)
        assert_wordless(printed(check_module.case, name, scope=scope), *names)


@pytest.mark.parametrize("name", ASKED)
def test_whatever_is_asked_for_in_vain_has_no_word_left(wordless, name):
    names, exercise = names_of(name), ASKED[name]
    for taken in range(len(hints.of(name).hints) + 1):
        scope = {check_module.TAKEN: {name: taken}}
        assert_wordless(printed(check_module.hint, name, scope=scope), *names)
    values = [
        None,
        "e",
        "1.5",
        (1, 5),
        (5, 1),
        1e9,
        0.5,
        12,
        [1],
        {"x": 1},
        "a text",
        torch.ones(2),
    ]
    if isinstance(exercise.key, dict):
        values += [dict.fromkeys(exercise.key, one) for one in (None, "x", 0.5, 40)]
    for value in values if exercise.name else ():
        text = printed(check_module.check, name, scope={exercise.name: value, "my_review": "an x"})
        assert_wordless(text, *names, repr(value), f"{exercise.key}")
    for wrong in (name, f"{name}x", "tea", 5):
        for call in (check_module.check, check_module.case):
            assert_wordless(printed(call, wrong), *names, f"{wrong}")
    assert_wordless(printed(check_module.check), *LAB)


# ── In Chinese ──────────────────────────────────────────────────────────────────────────────────


def test_all_that_the_checks_say_is_said_in_chinese(monkeypatch, solved):
    """What Python says of an error stays as it is."""
    monkeypatch.setenv("LAB2_LANGUAGE", "zh")
    monkeypatch.setattr(judge, "_known_mistake", lambda *_: "")  # it takes most of the time
    said, names = [], mutants.solved_names()
    for name in forms.WRONG:
        for source, _ in forms.wrong(solved[name], name):
            scope = dict(names)
            exec(source, scope)
            said += check_module.examine(name, scope, ASKED[name])[1]
    for task in TASKS.values():
        said += [Message(task.equals, mistake=label) for label in task.known_mistakes]
    shown = [PYTHONS.sub("", say(line)) for line in said]
    assert [one for one in shown if not CHINESE.search(one) or ENGLISH_WORDS.search(one)] == []
