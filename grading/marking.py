"""One submission becomes points, and a line for each that is lost.

The student's functions are called behind the wall, with inputs drawn here; what they return is
compared here with what the lab's own version gives. So nothing that a student writes can say that
it is right.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from grading import similarity
from grading.answers import checks, said
from grading.answers.cells import Notebook, as_python
from grading.answers.reaches import forbidden_names, reaches
from grading.key import Key, Right
from grading.sandbox import protocol
from grading.sandbox.trials import Answers, Reply, Sandbox, opened
from grading.submissions import Submission, whole_of
from lab.base.messages import ENGLISH, _
from lab.exercises import answer_cells, signs
from lab.exercises.answer_cells import Answer, source_of
from lab.exercises.catalogue import ASKED, LAB, in_range, letter
from lab.exercises.harness import Attempt
from lab.exercises.judge import judge
from lab.exercises.tasks import TASKS

FAILED = "could not be graded:"  # before what was raised
FINITE = (-sys.float_info.max, sys.float_info.max)
MEANT = ("number", "choice", "guess", "about")  # answers whose meaning is certain
READ_AS_MEANT = _(
    "{name}: line {line} was read as it is meant, with {wanted} for {signs}; Python does not read "
    "it so"
)
OTHER_KEYBOARD = "a sign of another keyboard"  # a group of wrong answers
SEED = 7919  # of the inputs where no course has drawn one; see `answers.seed`


class Mark(NamedTuple):
    """What an answer got."""

    points: float | None  # None where a person has to read its text
    most: int
    lines: tuple[str, ...] = ()  # what is wrong, a message for each call
    group: str = ""  # by what wrong answers are put together
    text: str = ""
    value: str = ""  # the letter or prediction that was given, as a page shows it


@dataclasses.dataclass
class Result:
    """What came of a submission."""

    status: str  # graded, review (a person should look), unreadable, missing
    marks: dict[str, Mark]
    flags: list[str]  # messages, which the student is told too; plain ones: the teacher alone
    student: dict[str, str]
    edition: str
    seconds: float
    sha256: str
    forms: dict[str, str] = dataclasses.field(default_factory=dict)  # see `similarity`
    language: str = ENGLISH
    challenge: float | None = None  # per cent, as the student says
    checks: dict[str, str] = dataclasses.field(default_factory=dict)  # see `checks`

    @property
    def failed(self) -> bool:
        """Whether it is the grader that could not go on; once more it might."""
        return any(flag.startswith(FAILED) for flag in self.flags)


def mark(
    submission: Submission,
    keys: dict[str, Key],
    present: str,
    wall: str | Sandbox,
    seed: int = SEED,
    before: Result | None = None,
) -> Result:
    """Return the points of a submission; whatever it holds, it is one row, and nothing is raised.

    Flags of what lies in it are its own, and not repeated. keys: by edition; present: that of the
    lab as it is; wall: its name, or programs behind one; seed: of the inputs, see `answers.seed`;
    before: what it had, of which exercises stay whose check is the same
    """
    try:
        with opened(wall) as sandbox:
            return _mark(submission, keys, present, sandbox, seed, before)
    except Exception as error:  # RecursionError, MemoryError, ValueError of a huge number, ...
        flags = [_("could not be graded: {error}", error=_in_words(error))]
        return Result("unreadable", {}, flags, {}, "", 0.0, submission.sha256)


def _in_words(error: Exception) -> str:
    """Return an error on one line that any file can hold."""
    text = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return text.encode("utf-8", "replace").decode("utf-8")


def _mark(
    submission: Submission, keys: dict[str, Key], present: str, sandbox: Sandbox, seed: int,
    old: Result | None,
) -> Result:  # fmt: skip
    start = time.monotonic()
    flags = [_("graded without a wall")] if sandbox.wall == "none" else []
    cells, edition, language, problem = whole_of(submission)
    if cells is None:
        flags.insert(0, problem)
        return Result("unreadable", {}, flags, {}, "", 0.0, submission.sha256)
    if edition not in keys:
        known = edition or _("unknown")
        flags.append(_("edition {edition}: graded by the present key", edition=known))
    key, notebook = keys.get(edition, keys[present]), Notebook(cells)
    chosen = {
        name: _chosen(name, ones, key[name], notebook, flags)
        for name, ones in answer_cells.find(cells).items()
        if name in key
    }
    gone = [name for name in key if name in LAB and name not in chosen]
    flags += [_("{name}: its cell is gone", name=name) for name in gone]
    sources = {name: _in_python(name, one.source, flags) for name, one in chosen.items()}
    before = functools.cache(lambda name: notebook.needed(name, chosen[name].place, sources[name]))
    digests = checks.digests(key)
    same = (
        {n: m for n, m in old.marks.items() if old.checks.get(n) == digests.get(n)} if old else {}
    )
    left = {name: right for name, right in key.items() if name not in same}
    marks, ended = marks_of(sources, left, sandbox, seed, before)
    marks = {name: one for name in key if (one := same.get(name) or marks.get(name))}
    flags += ended
    if old:  # what was said of a call that is not made again
        said_before = [flag for flag in old.flags if flag.partition(":")[0] in same]
        flags += [flag for flag in said_before if flag not in flags]
    flags += _reached(sources, before)
    flags += _said_more(cells, marks)
    about = answer_cells.value_of(sources.get("about-you", ""), "student")
    about = about if isinstance(about, dict) else {}
    student = {k: _shown(about.get(k) or "", str) for k in ("name", "number")}
    forms, seconds = forms_of(sources, key), time.monotonic() - start
    return Result(
        "review" if flags else "graded", marks, flags, student, edition, seconds,
        submission.sha256, forms, language, _challenge(cells), digests,
    )  # fmt: skip


def _in_python(name: str, source: str, flags: list[str]) -> str:
    """Return the source of an answer's cell as Jupyter would run it."""
    if ASKED[name].kind == "text":
        return source
    python = as_python(source)
    if python.dropped:
        flags.append(_("{name}: left out: {parts}", name=name, parts=python.dropped))
    typed, exercise = python.source, ASKED[name]
    if exercise.kind in MEANT:
        typed = signs.meant(typed, numbers=exercise.kind != "choice" and exercise.key is not str)
    if typed != python.source:
        flags.append(signs.slip(python.source).told(READ_AS_MEANT, name=name))
    return typed


def _reached(sources: Mapping[str, str], before: Callable[[str], list[str]]) -> list[str]:
    """Return a flag for each answer that reaches for more than its question needs."""
    found = {
        name: reaches("\n".join([*before(name), source]))
        for name, source in sources.items()
        if ASKED[name].by_machine
    }
    return [f"{name}: it reaches for {', '.join(ones)}" for name, ones in found.items() if ones]


def _said_more(cells: Sequence[dict[str, Any]], marks: Mapping[str, Mark]) -> list[str]:
    """Return a flag for each answer to which `check` had given more points, as its output says."""
    return [
        f"{name}: check had said {told:g} of {marks[name].most} points, not {reached:g}"
        for name, told in said.points(cells).items()
        if name in marks and (reached := marks[name].points) is not None and told > reached + 0.01
    ]


def _shown(value: Any, form: Callable[[Any], str] = repr) -> str:
    """Return a value in a hundred characters at most."""
    try:
        return form(value)[:100]
    except ValueError:  # a number of more digits than Python writes
        return "a number of thousands of digits"


def _challenge(cells: list[dict[str, Any]]) -> float | None:
    """Return the accuracy (%) that a notebook's last `challenge_accuracy = ...` says; else None."""
    sources = map(source_of, cells)
    values = [answer_cells.value_of(source, "challenge_accuracy") for source in sources]
    said = [value for value in values if type(value) in (int, float) and 0 <= value <= 100]
    return None if not said else float(said[-1] if said[-1] > 1 else 100 * said[-1])


def forms_of(sources: dict[str, str], key: Key) -> dict[str, str]:
    """Return the form of each answer that a student wrote in words of their own."""
    return {
        name: similarity.form(text, ASKED[name].kind)
        for name, source in sources.items()
        if ASKED[name].kind in ("code", "free", "text")
        and (text := written(name, source, key[name]))
    }


def _chosen(
    name: str, ones: list[Answer], right: Right, notebook: Notebook, flags: list[str]
) -> Answer:
    """Return what counts of cells with one answer: the last that gives its name, or has a text."""
    filled = [one for one in ones if written(name, one.source, right)]
    if wanted := ASKED[name].name:
        giving = [one for one in filled if wanted in answer_cells.names(signs.meant(one.source))[0]]
        filled = giving or filled
    if len({one.source for one in filled}) > 1:
        flags.append(_("{name}: {count} cells, the last one counts", name=name, count=len(filled)))
    chosen = (filled or ones)[-1]
    if wanted and (place := _own_cell(name, chosen, bool(filled), notebook)) is not None:
        flags.append(
            _("{name}: a cell of the student's own below defines {answer}, and counts",
              name=name, answer=wanted)
        )  # fmt: skip
        return chosen._replace(source=source_of(notebook.cells[place]), kind="code", place=place)
    if chosen.kind != ("markdown" if ASKED[name].kind == "text" else "code"):
        flags.append(_("{name}: the type of its cell was changed", name=name))
    return chosen


def _own_cell(name: str, chosen: Answer, filled: bool, notebook: Notebook) -> int | None:
    """Return the place of the student's own cell that counts in the place of an answer's, or None.

    It is the last one between that and its check that gives the answer's name. Where there is no
    check, one counts if the answer's own cell is empty.
    """
    checked = notebook.checked(name, chosen.place)
    if checked is None and filled:
        return None
    last = len(notebook.cells) if checked is None else checked
    below = [p for p in notebook.defining(ASKED[name].name) if chosen.place < p <= last]
    return below[-1] if below else None


def written(name: str, source: str, right: Right) -> str:
    """Return what was written in an answer's cell, a text without its question; "" if nothing."""
    question = answer_cells.question_of(right.stub)
    if answer_cells.is_empty(source, ASKED[name], question):
        return ""
    return answer_cells.text_of(source, question) if ASKED[name].kind == "text" else source


def marks_of(
    sources: dict[str, str],
    key: Key,
    sandbox: Sandbox,
    seed: int = SEED,
    before: Callable[[str], list[str]] | None = None,
) -> tuple[dict[str, Mark], list[str]]:
    """Return the mark of each exercise of a key, and in words which calls were ended.

    sources: exercise -> source of its cell, in Python; before: exercise -> the statements of other
    cells that its cell needs, by default of other answers
    """
    executed = {
        name: source
        for name, source in sources.items()
        if name in key and ASKED[name].by_machine and written(name, source, key[name])
    }
    before = before or _among(executed)
    with Answers(sandbox, executed, before, seed) as running:
        marks = {
            name: _mark_of(name, sources.get(name), right, running)
            for name, right in key.items()
            if (name in LAB or name in sources) and ASKED[name].kind != "about"
        }
    return marks, running.flags


def _among(sources: dict[str, str]) -> Callable[[str], list[str]]:
    """Return what tells of each answer which statements of other answers it needs."""
    notebook = Notebook([{"source": source} for source in sources.values()])
    return lambda name: notebook.needed(name, [*sources].index(name), sources[name])


def _mark_of(name: str, source: str | None, right: Right, running: Answers) -> Mark:
    if source is None:
        return Mark(0, right.points, (_("Its cell is not there."),), "no cell")
    text = written(name, source, right)
    if not text:
        return Mark(0, right.points, (_("Nothing was written."),), "empty")
    if ASKED[name].kind in ("text", "free"):
        return Mark(None, right.points, text=text)
    if ASKED[name].kind == "code":
        return _mark_of_code(name, source, right.points, running)
    return _mark_of_value(name, source, right, running)


def _mark_of_value(name: str, source: str, right: Right, running: Answers) -> Mark:
    """Mark a letter, a number or a guess. What must be computed is computed behind the wall."""
    if slip := signs.slip(source):  # and what is meant is not certain
        return Mark(0, right.points, (slip.told(),), OTHER_KEYBOARD)
    exercise = ASKED[name]
    value = answer_cells.value_of(source, exercise.name)
    if answer_cells.is_computed(source, exercise.name):
        computed, fault = _computed(name, running)
        if fault and exercise.key is not str:  # a word is one, wherever it came from
            line = _("{name}: {fault}", name=exercise.name, fault=fault)
            return Mark(0, right.points, (line,), "no value")
        value = value if fault else computed
    if hasattr(value, "numel") or hasattr(value, "size"):
        value = value.item() if getattr(value, "ndim", 1) == 0 else None
    shown = _shown(value)
    said = {"name": exercise.name, "value": shown}
    if exercise.kind == "guess":
        good = in_range(value, exercise.key)
        line = _("{name} = {value} is no prediction in the range that is asked for.", **said)
    elif exercise.kind == "choice":
        chosen = letter(value)
        known = isinstance(chosen, str) and chosen in list(exercise.key)
        good = known and chosen == right.answer
        line = _("{name} = {value} is none of the letters.", **said)
        line = _("{name} = {value} is not the right letter.", **said) if known else line
    else:
        number = in_range(value, FINITE)
        good = number and abs(value - right.answer) <= exercise.near + 1e-9
        line = _("{name} = {value} is no number.", **said)
        line = _("{name} = {value} is not the number.", **said) if number else line
    given = shown if exercise.kind in ("choice", "guess") else ""
    if good:
        return Mark(right.points, right.points, value=given)
    return Mark(0, right.points, (line,), group=shown, value=given)


def _computed(name: str, running: Answers) -> tuple[Any, str]:
    """Return the value that the name of an answer has when its cell has been run, or why not."""
    fault, (reply,) = running.try_out(name, [{"do": "value", "name": ASKED[name].name}])
    if fault := fault or reply.get("error") or "":
        return None, fault
    try:
        return protocol.decode(reply.get("value")), ""
    except protocol.Unclear as unclear:
        return None, unclear.args[0]


def _mark_of_code(name: str, source: str, points: int, running: Answers) -> Mark:
    """Call a function with each example, and compare what comes back."""
    if slip := signs.slip(source):
        return Mark(0, points, (slip.told(),), OTHER_KEYBOARD)
    function, task, seed = ASKED[name].name, TASKS[name], running.seed
    whole = "\n".join([*running.before(name), source])
    if reaches(whole) and (banned := forbidden_names(whole, name)):  # calls may be hidden
        line = _("It uses {used}: write it yourself.", used=banned)
        return Mark(0, points, (line,), f"uses {banned}")
    examples = task.make_inputs(torch.Generator().manual_seed(seed))
    question = {"do": "call", "name": function, "run": task.run.__name__, "seed": seed}
    questions = [{**question, "arguments": protocol.encode(one.arguments)} for one in examples]
    fault, replies = running.try_out(name, questions)
    lines = [_("When its cell is executed: {fault}", fault=fault)] if fault else []
    judgement = judge(task, [*map(_attempt, replies)], seed, function)
    if all(judgement.right):
        return Mark(points, points)
    lines += [fault for fault in judgement.faults if fault] + judgement.remarks
    reached, good = round(points * judgement.share, 2), sum(judgement.right)
    if reached and good:
        lines.append(
            _("Right with {good} of {all} inputs: {points:g} of {most} points.",
              good=good, all=len(examples), points=reached, most=points)
        )  # fmt: skip
    elif reached:
        lines.append(
            _("Right but for this usual mistake: {points:g} of {most} points.",
              points=reached, most=points)
        )  # fmt: skip
    # wrong answers are put together by the mistake, or by what came back
    group = (judgement.remarks or [judgement.messages[0].partition(": ")[2]])[0][:200]
    return Mark(reached, points, tuple(dict.fromkeys(lines)), group)


def _attempt(reply: Reply) -> Attempt:
    """Return what came of one call, as the student's side tells it."""
    error, used = reply.get("error") or "", reply.get("used")
    used = used[:1000] if isinstance(used, list) else []
    used = frozenset(one for one in used if isinstance(one, str))
    try:
        return Attempt(None if error else protocol.decode(reply.get("value")), error, used)
    except protocol.Unclear as unclear:
        return Attempt(error=unclear.args[0])
