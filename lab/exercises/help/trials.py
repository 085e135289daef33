"""A student's function, tried with the inputs of its exercise; and what helps to find a mistake.

judged       what comes of all inputs, and a word on the screen if that takes long
arguments    what a function is called with
traceback    where in the student's own lines an error arose
"""

from __future__ import annotations

import contextlib
import linecache
import threading
import traceback as python_traceback
from collections.abc import Callable, Iterator
from typing import Any

import torch

from lab.base.messages import Message, _
from lab.exercises import harness, judge
from lab.exercises.catalogue import ASKED
from lab.exercises.harness import Attempt
from lab.exercises.judge import Judgement
from lab.exercises.tasks import TASKS
from lab.exercises.tasks.task import Example, Task

SEED = 0  # of the inputs; the grader draws others
PATIENCE = 15.0  # seconds until a check says that it still runs


def judged(name: str, function: Callable[..., Any]) -> tuple[list[Attempt], Judgement]:
    """Return what came of each input, and what is right of it."""
    task = TASKS[name]
    with _told_that_it_runs(name):
        attempts = judge.try_function(function, task, SEED)
    return attempts, judge.judge(task, attempts, SEED, ASKED[name].name)


@contextlib.contextmanager
def _told_that_it_runs(name: str) -> Iterator[None]:
    """Say so if what is done meanwhile takes long."""
    text = _(
        "{name}: it still runs. If a loop has no end, stop it with the square button.", name=name
    )
    timer = threading.Timer(PATIENCE, print, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


# ── The inputs of one example, and the error that it raises ─────────────────────────────────────


def example(task: Task, place: int) -> Example:
    """Return an example of a task, made anew: whoever gets it may change it."""
    return task.make_inputs(torch.Generator().manual_seed(SEED))[place]


class _HandedOver(Exception):
    """Carries the arguments of a call to where they are wanted."""


class _LastCall:
    """Stands where a student's function would: the lab's own version, but for the last call."""

    def __init__(self, solution: Callable[..., Any], calls: int = 0) -> None:
        self.solution, self.left = solution, calls

    def __call__(self, *arguments: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            raise _HandedOver(arguments)
        return self.solution(*arguments)


@torch.enable_grad()
def arguments(task: Task, place: int) -> tuple[Any, ...]:
    """Return with what a function is called for an example: a model, say, and not its weights.

    Of several calls it is the last one; the lab's own version has made the others.
    """
    count = _LastCall(task.solution)
    task.run(count, *example(task, place).arguments)
    try:
        task.run(_LastCall(task.solution, -count.left), *example(task, place).arguments)
    except _HandedOver as handed_over:
        return handed_over.args[0]
    raise AssertionError("the last call was not made")


def traceback(
    function: Callable[..., Any], task: Task, place: int, scope: dict[str, Any]
) -> list[Message | str]:
    """Return the lines of the traceback that a function raises for an example; [] if it does not.

    scope: of the notebook; only what was written there is shown, and what Python says
    """
    caught: list[BaseException] = []

    def run(*everything: Any) -> Any:
        try:
            return task.run(*everything)
        except (Exception, SystemExit) as error:
            caught.append(error)
            raise

    inputs, untouched = (example(task, place).arguments for again in range(2))
    harness.attempt(run, function, inputs, untouched, SEED)
    if not caught or isinstance(caught[0], harness.Unusable):
        return []
    frames = [*python_traceback.walk_tb(caught[0].__traceback__)]
    own = [(frame, line) for frame, line in frames if frame.f_globals is scope][-8:]
    lines = [
        _("line {n} of its cell, in {function}: {line}",
          n=number, function=frame.f_code.co_name, line=_line(frame, number))
        for frame, number in own
    ]  # fmt: skip
    return [*lines, "".join(python_traceback.format_exception_only(caught[0])).strip()]


def _line(frame: Any, number: int) -> str:
    """Return a line of source, as far as Python still has it."""
    return linecache.getline(frame.f_code.co_filename, number, frame.f_globals).strip()
