"""The mark is what `check` said: hand-ins of many forms, in a kernel and in the grader.

Each hand-in is generated: a right or a wrong form of every answer, written as students write: with
magics, indented, with prompts, with helpers and imports in cells of their own, in halves of a cell,
with names that look like the lab's. It is run cell by cell in IPython's shell, as far as a student
wrote it, and marked by the grader with the same inputs.
"""

import ast
import copy
import random
import textwrap

import forms
import helpers
import pytest

from grading import marking
from grading.sandbox import program
from grading.sandbox import trials as trials_of_answers
from lab.exercises import answer_cells, catalogue
from lab.exercises.catalogue import ASKED, LAB
from lab.exercises.help import trials

VALUES = [name for name, e in LAB.items() if e.kind in ("number", "choice", "guess")]
CODE = [name for name, e in LAB.items() if e.kind == "code"]

# ── What students write ─────────────────────────────────────────────────────────────────────────
# Each returns the cells above the answer's, the answer's cell, and those below it, before its check


def as_it_is(source, rng):
    return [], source, []


def with_a_magic_cell(source, rng):
    return [], f"{rng.choice(['%%time', '%%capture', '%%capture out'])}\n{source}", []


def with_magic_lines(source, rng):
    lines = ["!echo hello", "%pwd", "here = !pwd", "where = %pwd", "torch.tanh?", "%time made = 1"]
    head, body = source.split("\n", 1)
    return [], "\n".join([head, *rng.sample(lines, 2), body]), []


def indented(source, rng):
    return [], textwrap.indent(source, rng.choice(["  ", "    ", "\t"])), []


def with_prompts(source, rng):
    first, more = rng.choice([(">>> ", "... "), ("In [7]: ", "   ...: ")])
    return [], "\n".join([first + source.replace("\n", f"\n{more}")]), []


def with_what_a_notebook_has(source, rng):
    lines = ['display("trying")', 'get_ipython().run_line_magic("pwd", "")', 'asked = input("?")']
    return [], f"{source}\n{rng.choice(lines)}", []


def with_names_of_others(source, rng):
    body = (
        f"gru = lstm = rnn = given = solutions = {rng.randrange(9)}\nnn.LSTMCell(3, 4)\nimport sys"
    )
    called = "\nseen = [nn.GRU, nn.LSTM(2, 3), torch.lstm_cell, F.binary_cross_entropy]"
    inside = "\n    gru = lstm = given = solutions = len(text_of)\n"
    head, function = source.split("\n", 1)
    first, rest = _parts(function)
    return [], f"{head}\n{body}{called}\ntext_of = 'x'\n{first}{inside}{rest}", []


def with_a_helper(source, rng):
    """The work is done by a function of the student's own, which stands in another cell."""
    head, function = source.split("\n", 1)
    (node,) = [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)]
    helper = function.replace(f"def {node.name}(", "def my_own_work(", 1)
    helper = helper.replace(f"{node.name}(", "my_own_work(")
    names = ", ".join(a.arg for a in node.args.args)
    answer = f"{head}\ndef {node.name}({ast.unparse(node.args)}):\n    return my_own_work({names})"
    return ([helper], answer, []) if rng.random() < 0.5 else ([], answer, [helper])


def with_an_import(source, rng):
    head, function = source.split("\n", 1)
    return (
        ["import torch as pt\nfrom functools import *"],
        f"{head}\n{_through(function, 'pt.')}",
        [],
    )


def with_a_table_of_names(source, rng):
    """The names of modules stand in a table, which a loop fills, and in a class."""
    head, function = source.split("\n", 1)
    table = "kept = {}\nfor name in ('tanh', 'sigmoid'):\n    kept[name] = name\nkept['t'] = torch"
    more = "class Mine:\n    there = kept['t']\n\n\nmine = Mine()"
    return [table, more], f"{head}\n{_through(function, 'mine.there.')}", []


def in_two_halves(source, rng):
    """The cell is split: what stands above the function stays with the heading, or moves away."""
    head, function = source.split("\n", 1)
    if rng.random() < 0.5:
        return [], f"{head}\nimport torch as pt", [_through(function, "pt.")]
    return ["import torch as pt"], f"{head}\n{_through(function, 'pt.')}", ["tried = 1"]


def with_names_of_the_first_cell(source, rng):
    head, function = source.split("\n", 1)
    first, rest = _parts(function)
    inside = "\n    padding = utils.PADDING_INDEX + len(utils.UNKNOWN) + len(pd.Index([1]))\n"
    return [], f"{head}\nfrom lab.base import files\n{first}{inside}{rest}", []


def tried_below(source, rng):
    (node,) = [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)]
    call = f"try:\n    out = {node.name}()\nexcept TypeError:\n    out = None\nprint({node.name})"
    return ([], f"{source}\n{call}", []) if rng.random() < 0.5 else ([], source, [call])


def decorated(source, rng):
    head, function = source.split("\n", 1)
    own = "import functools\ndef timed(f):\n    @functools.wraps(f)\n    def run(*a, **k):\n"
    own += "        return f(*a, **k)\n    return run"
    return [own], f"{head}\n@timed\n{function}", []


WAYS = (
    as_it_is, with_a_magic_cell, with_magic_lines, indented, with_prompts, with_what_a_notebook_has,
    with_names_of_others, with_a_helper, with_an_import, with_a_table_of_names, in_two_halves,
    with_names_of_the_first_cell, tried_below, decorated,
)  # fmt: skip


def _through(function, module):
    """Return a function that takes PyTorch's functions from another name."""
    first, rest = _parts(function)
    return first + rest.replace("torch.", module)


def _parts(function):
    """Return a function's first line, and what follows."""
    first, rest = function.split("\n", 1)
    return first, f"\n{rest}"


def value(name, right, rng):
    """Return the cells above a value's cell, and that cell."""
    wanted, exercise = right.answer, ASKED[name]
    if exercise.kind == "choice":
        letter = wanted if rng.random() < 0.7 else rng.choice("abcd")
        ways = [f"'{letter.upper()}'", f"' {letter} '", f"'({letter})'", f"'abcd'['abcd'.index("
                f"'{letter}')]", "chosen", "chosen.upper()", "MY['one']"]  # fmt: skip
        above = f"chosen = '{letter}'\nMY = dict(one=chosen)"
    elif exercise.kind == "number":
        number = wanted if rng.random() < 0.7 else wanted + 1
        ways = [f"{number!r}", f"np.float64({number!r})", f"torch.tensor({number!r}).item()",
                "found", "found * math.cos(0)", "of(found)"]  # fmt: skip
        above = f"found = {number!r}\ndef of(x):\n    return x + 0"
    elif exercise.key is str:
        ways, above = ["'fine'", "words[0]", "max(words)"], "words = ['fine', 'bad']"
    elif isinstance(exercise.key, dict):
        ways = [repr(dict.fromkeys(exercise.key, 40.0)), "dict.fromkeys(PARTS, half)"]
        above = f"half = 100 / 2\nPARTS = {[*exercise.key]!r}"
    else:
        ways, above = ["70", "half", "np.mean([half, half])", "400"], "half = 100 / 2"
    heading = catalogue.heading(name, exercise)
    return [above], f'{heading}\n{exercise.name} = {rng.choice(ways)}\ncheck("{name}")'


# ── A hand-in ───────────────────────────────────────────────────────────────────────────────────


def handed_in(lab, solved, keys, seed):
    """Return a notebook in which every answer has one of its forms, and how each was written."""
    rng, notebook, written = random.Random(seed), copy.deepcopy(lab), {}
    for name in [*CODE, *VALUES]:
        if name in CODE:
            right = rng.random() < 0.85
            ones = forms.right(solved[name], name)
            ones = ones if right else [source for source, _ in forms.wrong(solved[name], name)]
            way = rng.choice(WAYS)
            above, answer, below = way(rng.choice(ones), rng)
            written[name] = (way.__name__, right)
        else:
            above, answer = value(name, keys[name], rng)
            below, written[name] = [], ("value", None)
        place = answer_cells.find(notebook["cells"])[name][0].place
        notebook["cells"][place]["source"] = answer
        notebook["cells"][place + 1 : place + 1] = map(own_cell, below)
        notebook["cells"][place:place] = map(own_cell, above)
    return notebook, written


def own_cell(source):
    return {"cell_type": "code", "metadata": {}, "outputs": [], "source": source}


class Kernel(helpers.Kernel):
    """One in which the lab's first cell has been run."""

    def __init__(self, folder, first):
        super().__init__(folder)
        self.shell.set_hook("show_in_pager", lambda *a, **k: None)
        self.run(first)
        self.names["input"] = lambda *a: ""
        self.fresh = dict(self.names)

    def work_through(self, notebook, given):
        """Run what the student wrote, and the checks; leave in the cells what is printed.

        Returns the points of each check, and the names in the end.
        """
        self.names.clear()
        self.names.update(self.fresh)
        for cell in notebook["cells"]:
            source = answer_cells.source_of(cell)
            is_own = cell.get("id") not in given or "exercise" in cell["metadata"]
            if cell["cell_type"] == "code" and (is_own or source.startswith("check(")):
                cell["outputs"] = [{"output_type": "stream", "text": self.run(source)}]
        return dict(self.names.get("_marks", {})), self.names


@pytest.fixture(scope="module")
def kernel(tmp_path_factory, notebook):
    first = next(c.source for c in notebook.cells if "define" in c.metadata.get("tags", ()))
    kernel = Kernel(tmp_path_factory.mktemp("ipython"), first)
    yield kernel
    kernel.close()


@pytest.fixture(scope="module")
def sandbox():
    """Programs with time enough on a machine that is busy: how long one takes is not compared."""
    with pytest.MonkeyPatch.context() as patch, trials_of_answers.opened("none") as programs:
        patch.setattr(program, "SECONDS", 60)
        yield programs


def check_says(name, marks, names, right):
    """Return the points that an answer has in a kernel; the key says of letters and numbers."""
    kind = ASKED[name].kind
    if kind in ("code", "guess"):
        return marks.get(name, 0)
    got = names.get(ASKED[name].name)
    if kind == "choice":
        return right.points * (catalogue.letter(got) == right.answer)
    return right.points * (abs(float(got) - right.answer) <= ASKED[name].near + 1e-9)


def compare(lab, solved, kernel, keys, sandbox, seed):
    """Return what differs between the kernel and the grader, none if nothing does."""
    notebook, written = handed_in(lab, solved, keys, seed)
    marks, names = kernel.work_through(notebook, {cell["id"] for cell in lab["cells"]})
    result = marking.mark(helpers.hand_in_of(notebook), {"": keys}, "", sandbox, seed=trials.SEED)
    differ = []
    for name, (way, is_right) in written.items():
        grade, told = result.marks[name].points, check_says(name, marks, names, keys[name])
        flagged = any(flag.startswith(f"{name}: check had said") for flag in result.flags)
        lost = is_right and grade != keys[name].points
        if abs(grade - told) > 0.01 or lost or flagged:
            differ.append((name, way, is_right, grade, told, result.marks[name].lines, flagged))
    return differ


SEEDS = [*range(2), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 200))]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_mark_is_what_check_said(lab, solved, kernel, keys, sandbox, seed):
    (present,) = keys.values()
    assert compare(lab, solved, kernel, present, sandbox, seed) == []
