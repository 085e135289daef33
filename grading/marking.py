"""One submission becomes points, and a line for each that is lost.

The student's functions are called behind the wall, with inputs drawn here; what they return is
compared here with what the lab's own version gives. So nothing that a student writes can say that
it is right.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import re
import sys
import time
from typing import Any, NamedTuple

import torch

from grading import similarity
from grading.key import Key, Right
from grading.sandbox import protocol
from grading.sandbox.program import Dead, Program, cell
from grading.submissions import Submission, notebook_of
from lab.base import i18n
from lab.base.source import parse
from lab.exercises import answer_cells
from lab.exercises.catalogue import ASKED, LAB, in_range, letter
from lab.exercises.harness import Attempt
from lab.exercises.judge import judge
from lab.exercises.tasks import TASKS

FINITE = (-sys.float_info.max, sys.float_info.max)
SEED = 7919  # of the inputs; the notebook's own checks draw others
DIED = "the call was ended:"
Reply = dict[str, Any]  # also a question; see `sandbox/child.py`


class Mark(NamedTuple):
    """What an answer got."""

    points: float | None  # None where a person has to read its text
    most: int
    lines: tuple[str, ...] = ()  # what is wrong, a line for each call
    group: str = ""  # by what wrong answers are put together
    text: str = ""
    value: str = ""  # the letter or prediction that was given, as a page shows it


@dataclasses.dataclass
class Result:
    """What came of a submission."""

    status: str  # graded, review (a person should look), unreadable, missing
    marks: dict[str, Mark]
    flags: list[str]
    student: dict[str, str]
    edition: str
    seconds: float
    sha256: str
    forms: dict[str, str] = dataclasses.field(default_factory=dict)  # see `similarity`
    language: str = i18n.ENGLISH
    challenge: float | None = None  # per cent, as the student says


@dataclasses.dataclass
class Answers:
    """The answers of a notebook, tried one by one behind a wall."""

    wall: str
    sources: dict[str, str]  # exercise -> source of its cell
    program: Program | None = None

    def try_out(self, name: str, questions: list[Reply]) -> tuple[str, list[Reply]]:
        """Execute an answer's cell and those that it names, and ask.

        Returns what is wrong with the cell itself, "" if nothing, and an answer for each question.
        """
        cells = [cell(one, self.sources[one]) for one in self._needed(name)]
        try:
            if self.program is None:
                self.program = Program(self.wall)
            replies = self.program.try_out([*cells, *questions])
        except Dead as dead:
            self.program, replies = None, [{"dead": str(dead)}]
        fault = next((str(one["error"]) for one in replies[: len(cells)] if "error" in one), "")
        answers = replies[len(cells) :]
        if why := replies[-1].get("dead"):
            fault = fault if answers else why
            answers = [*answers[:-1], {"error": f"{DIED} {why}"}]
            answers += [{"error": f"{DIED} not tried"}] * (len(questions) - len(answers))
        return fault[: protocol.LONGEST], answers

    def _needed(self, name: str) -> list[str]:
        """Return an exercise and those whose names its answer uses, in the notebook's order."""
        needed, waiting = set(), [name]
        while waiting:
            one = waiting.pop()
            needed.add(one)
            used = set(re.findall(r"\w+", self.sources[one]))
            waiting += [n for n in self.sources if ASKED[n].name in used and n not in needed]
        return [one for one in self.sources if one in needed]

    def close(self) -> None:
        """End the program."""
        if self.program is not None:
            self.program.close()


def mark(submission: Submission, keys: dict[str, Key], present: str, wall: str) -> Result:
    """Return the points of a submission. keys: by edition; present: that of the lab as it is."""
    start = time.monotonic()
    flags = [*submission.flags, *(["graded without a wall"] if wall == "none" else [])]
    cells, edition, language = notebook_of(submission.content)
    if cells is None:
        flags.insert(0, submission.problem or "it is no notebook")
        return Result("unreadable", {}, flags, {}, "", 0.0, submission.sha256)
    if edition not in keys:
        flags.append(f"edition {edition or 'unknown'}: graded by the present key")
    key = keys.get(edition, keys[present])
    sources = {
        name: _chosen(name, ones, key[name], flags)
        for name, ones in answer_cells.find(cells).items()
        if name in key
    }
    flags += [f"{name}: its cell is gone" for name in key if name in LAB and name not in sources]
    marks = marks_of(sources, key, wall)
    about = answer_cells.value_of(sources.get("about-you", ""), "student")
    about = about if isinstance(about, dict) else {}
    student = {k: str(about.get(k) or "")[:100] for k in ("name", "number")}
    forms, seconds = forms_of(sources, key), time.monotonic() - start
    return Result(
        "review" if flags else "graded", marks, flags, student, edition, seconds,
        submission.sha256, forms, language, _challenge(cells),
    )  # fmt: skip


def _challenge(cells: list[dict[str, Any]]) -> float | None:
    """Return the accuracy (%) that a notebook's last `challenge_accuracy = ...` says; else None."""
    sources = map(answer_cells.source_of, cells)
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


def _chosen(name: str, ones: list[answer_cells.Answer], right: Right, flags: list[str]) -> str:
    """Return the source that counts of cells with one answer: the last that is not empty."""
    filled = [one for one in ones if written(name, one.source, right)]
    if len({one.source for one in filled}) > 1:
        flags.append(f"{name}: {len(filled)} cells, the last one counts")
    chosen = (filled or ones)[-1]
    if chosen.kind != ("markdown" if ASKED[name].kind == "text" else "code"):
        flags.append(f"{name}: the type of its cell was changed")
    return chosen.source


def written(name: str, source: str, right: Right) -> str:
    """Return what was written in an answer's cell, a text without its question; "" if nothing."""
    question = answer_cells.question_of(right.stub)
    if answer_cells.is_empty(source, ASKED[name], question):
        return ""
    return answer_cells.text_of(source, question) if ASKED[name].kind == "text" else source


def marks_of(sources: dict[str, str], key: Key, wall: str) -> dict[str, Mark]:
    """Return the mark of each exercise of a key; sources: exercise -> source of its cell."""
    executed = {
        name: source
        for name, source in sources.items()
        if ASKED[name].kind in ("code", "number", "guess") and written(name, source, key[name])
    }
    with contextlib.closing(Answers(wall, executed)) as running:
        return {
            name: _mark_of(name, sources.get(name), right, running)
            for name, right in key.items()
            if (name in LAB or name in sources) and ASKED[name].kind != "about"
        }


def _mark_of(name: str, source: str | None, right: Right, running: Answers) -> Mark:
    if source is None:
        return Mark(0, right.points, ("Its cell is not there.",), "no cell")
    text = written(name, source, right)
    if not text:
        return Mark(0, right.points, ("Nothing was written.",), "empty")
    if ASKED[name].kind in ("text", "free"):
        return Mark(None, right.points, text=text)
    if ASKED[name].kind == "code":
        return _mark_of_code(name, source, right.points, running)
    return _mark_of_value(name, source, right, running)


def _mark_of_value(name: str, source: str, right: Right, running: Answers) -> Mark:
    """Mark a letter, a number or a guess. What must be computed is computed behind the wall."""
    exercise = ASKED[name]
    value = answer_cells.value_of(source, exercise.name)
    computed = isinstance(value, str | dict) and exercise.kind in ("number", "guess")
    if computed and exercise.key is not str:
        fault, (reply,) = running.try_out(name, [{"do": "value", "name": exercise.name}])
        try:
            value = protocol.decode(reply.get("value"))
        except protocol.Unclear as unclear:
            fault = str(unclear)
        if fault := fault or reply.get("error", ""):
            return Mark(0, right.points, (f"{exercise.name}: {fault}.",), "no value")
    if hasattr(value, "numel") or hasattr(value, "size"):
        value = value.item() if getattr(value, "ndim", 1) == 0 else None
    shown = repr(value)[:100]
    if exercise.kind == "guess":
        good = in_range(value, exercise.key)
        what = "is no prediction in the range that is asked for"
    elif exercise.kind == "choice":
        chosen = letter(value)
        known = isinstance(chosen, str) and chosen in list(exercise.key)
        good = known and chosen == right.answer
        what = "is not the right letter" if known else "is none of the letters"
    else:
        number = in_range(value, FINITE)
        good = number and abs(value - right.answer) <= exercise.near + 1e-9
        what = "is not the number" if number else "is no number"
    value = shown if exercise.kind in ("choice", "guess") else ""
    if good:
        return Mark(right.points, right.points, value=value)
    lines = (f"{exercise.name} = {shown} {what}.",)
    return Mark(0, right.points, lines, group=shown, value=value)


def _mark_of_code(name: str, source: str, points: int, running: Answers) -> Mark:
    """Call a function with each example, and compare what comes back."""
    function, task = ASKED[name].name, TASKS[name]
    if banned := forbidden_names(source, name):
        return Mark(0, points, (f"It uses {banned}: write it yourself.",), f"uses {banned}")
    examples = task.make_inputs(torch.Generator().manual_seed(SEED))
    question = {"do": "call", "name": function, "run": task.run.__name__, "seed": SEED}
    questions = [{**question, "arguments": protocol.encode(one.arguments)} for one in examples]
    fault, replies = running.try_out(name, questions)
    lines = [f"When its cell is executed: {fault}."] if fault else []
    judgement = judge(task, [*map(_attempt, replies)], SEED, function)
    if all(judgement.right):
        return Mark(points, points)
    share = sum(judgement.right) / len(examples)
    lines += [fault for fault in judgement.faults if fault] + judgement.remarks
    # wrong answers are put together by the mistake, or by what came back
    group = (judgement.remarks or [judgement.messages[0].partition(": ")[2]])[0][:200]
    return Mark(round(points * share, 2), points, tuple(dict.fromkeys(lines)), group)


def _attempt(reply: Reply) -> Attempt:
    """Return what came of one call, as the student's side tells it."""
    error, used = str(reply.get("error") or "")[: protocol.LONGEST], reply.get("used")
    used = used[:1000] if isinstance(used, list) else []
    used = frozenset(one for one in used if isinstance(one, str))
    try:
        return Attempt(None if error else protocol.decode(reply.get("value")), error, used)
    except protocol.Unclear as unclear:
        return Attempt(error=str(unclear))


def forbidden_names(source: str, name: str) -> str:
    """Return what an answer names that would be the answer itself, or the lab's own; "" if nothing.

    It reads the source alone. Who hides a name gets past it; what they return is right then, and
    the page shows the source.
    """
    try:
        nodes = [*ast.walk(parse(source))]
    except answer_cells.UNREADABLE:
        return ""
    variables = [n for n in nodes if isinstance(n, ast.Name)]
    own = {n.id for n in variables if isinstance(n.ctx, ast.Store)}
    imported = {n.name for n in nodes if isinstance(n, ast.alias)}
    modules = imported | {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}
    modules = {module.partition(".")[0] for module in modules}
    named = imported | {n.attr for n in nodes if isinstance(n, ast.Attribute)}
    if "solutions" in (named | {n.id for n in variables}) - own or "lab" in modules:
        return "the lab's own version"
    return min(filter(TASKS[name].forbids, named), default="")
