"""Is a student's function right? It is called with a task's inputs, and what returns is compared.

try_function    calls a function with a task's inputs; it may fail, or return anything
judge           compares what it returned with what the lab's own version returns
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, FrameType
from typing import Any, NamedTuple

import torch

from lab.exercises import harness
from lab.exercises.catalogue import Exercise
from lab.exercises.harness import NOTHING, Attempt, kind
from lab.exercises.tasks.task import Example, Task

OWN = "the lab's own version"
STOPPED = "it had not come to an end when you stopped it; is there a loop without end?"

# ── 1. Calling a student's function ─────────────────────────────────────────────────────────────


def try_function(function: Callable[..., Any], task: Task, seed: int) -> list[Attempt]:
    """Call a function with each of the task's examples, and return what came of each.

    If it comes to call the lab's own version, that is noted as what was used. Where a call is
    stopped by hand, the others are not made: a loop without end would begin once more.
    """
    attempts: list[Attempt] = []
    with _watching(task.solution) as own, contextlib.suppress(KeyboardInterrupt):
        for attempt in _attempts(function, task, seed):
            attempts.append(attempt)
    attempts += [Attempt(error=STOPPED)] * (len(_examples(task, seed)) - len(attempts))
    return [a._replace(used=a.used | own) for a in attempts]


def _attempts(function: Callable[..., Any], task: Task, seed: int) -> Iterator[Attempt]:
    for example, untouched in zip(_examples(task, seed), _examples(task, seed), strict=True):
        yield harness.attempt(task.run, function, example.arguments, untouched.arguments, seed)


def _examples(task: Task, seed: int) -> list[Example]:
    return task.make_inputs(torch.Generator().manual_seed(seed))


@contextlib.contextmanager
def _watching(function: Callable[..., Any]) -> Iterator[set[str]]:
    """Note in a set that a function runs meanwhile, under whatever name, and whoever calls it."""
    place, seen = _place(getattr(function, "__code__", None)), set()

    def look(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and _place(frame.f_code) == place:
            seen.add(OWN)

    if place and sys.getprofile() is None:  # a profiler at work is left there
        sys.setprofile(look)
    try:
        yield seen
    finally:
        if sys.getprofile() is look:
            sys.setprofile(None)


def _place(code: CodeType | None) -> tuple[str, str] | None:
    """Return where code stands: its function and its file, whichever module has loaded it."""
    return code and (code.co_name, code.co_filename)


# ── 2. Judging what came back ───────────────────────────────────────────────────────────────────


class Judgement(NamedTuple):
    """What is wrong with each example, in a sentence, "" if nothing; and what else to say."""

    faults: list[str]
    remarks: list[str]

    @property
    def right(self) -> list[bool]:
        """Which examples are right."""
        return [not fault for fault in self.faults]

    @property
    def messages(self) -> list[str]:
        """The first fault, and the remarks."""
        first = [fault for fault in self.faults if fault][:1]
        return list(dict.fromkeys([*first, *self.remarks]))

    def points(self, exercise: Exercise) -> float:
        """Return the points reached: of each example its share."""
        return exercise.points * sum(self.right) / len(self.right)


def judge(task: Task, attempts: Sequence[Attempt], seed: int, name: str = "it") -> Judgement:
    """Compare attempts with what the lab's own version gives for the same examples."""
    examples = _examples(task, seed)
    if reason := _no_answer(task, attempts, examples, name):
        return Judgement([reason] * len(attempts), [reason])
    faults = []
    expected = _attempts(task.solution, task, seed)
    for example, attempt, right in zip(examples, attempts, expected, strict=True):
        fault = attempt.error or difference(attempt.value, right.value, task.parts)
        faults.append(fault and _sentence(f"Tried with {example.label}: {fault}"))
    mistake = any(faults) and _known_mistake(task, attempts, seed)
    return Judgement(faults, [_sentence(f"What comes back equals {mistake}")] if mistake else [])


def _no_answer(
    task: Task, attempts: Sequence[Attempt], examples: Sequence[Example], name: str
) -> str:
    """Return in words what takes all points, whatever came back; "" if nothing does."""
    used = frozenset().union(*(attempt.used for attempt in attempts))
    if OWN in used:
        return f"{name} calls {OWN}. Write yours."
    if banned := sorted(used & set(task.forbidden)):
        return f"{name} calls torch's {banned[0]}: {task.forbidden[banned[0]]} instead."
    for example, attempt in zip(examples, attempts, strict=True):
        if attempt.error == STOPPED:
            return f"Tried with {example.label}: {STOPPED}"
    return ""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _known_mistake(task: Task, attempts: Sequence[Attempt], seed: int) -> str:
    """Return, in words, the mistake that gives what came back with every example; "" if none."""
    for label, function in task.known_mistakes.items():
        pairs = zip(attempts, _attempts(function, task, seed), strict=True)
        if all(not a.error and not b.error and not difference(a.value, b.value) for a, b in pairs):
            return label
    return ""


def difference(value: Any, expected: Any, parts: Sequence[str] = ()) -> str:
    """Return in words how a value differs from what was expected; "" if it does not.

    parts: what to call the parts of a tuple
    """
    if value is None and expected is not None:
        return NOTHING
    unlike = f"{kind(value)} came back, expected is {kind(expected)}"
    if isinstance(expected, tuple | list):
        if not isinstance(value, tuple | list) or len(value) != len(expected):
            return unlike
        names = parts or [f"part {i}" for i in range(1, len(expected) + 1)]
        faults = map(difference, value, expected)
        return next((f"for {n}, {fault}" for n, fault in zip(names, faults) if fault), "")
    if isinstance(expected, torch.Tensor) and isinstance(value, tuple | list):
        return unlike
    try:
        got, right = (torch.as_tensor(x).detach() for x in (value, expected))
        if got.is_complex():
            return "complex numbers came back; is it the root of a negative one?"
        return _difference_in_numbers(got.double(), right.double())
    except Exception:  # whatever came back, and is no number
        return unlike


def _difference_in_numbers(got: torch.Tensor, right: torch.Tensor) -> str:
    if got.shape != right.shape:
        forms = [f"shape {tuple(x.shape)}" if x.ndim else "one number" for x in (got, right)]
        return f"{forms[0]} came back, expected is {forms[1]}"
    far = ~torch.isclose(got, right, rtol=1e-4, atol=1e-5, equal_nan=True)
    if not far.any():
        return ""
    if not got.isfinite().all():
        return "what came back is not finite (nan or inf)"
    place = far.nonzero()[0].tolist()
    digits = 6 if got.numel() == 1 else 4
    one, other = _distinct(got[tuple(place)].item(), right[tuple(place)].item(), digits)
    if got.numel() == 1:
        return f"{one} came back, expected is {other}"
    return (
        f"{int(far.sum())} of {got.numel()} numbers are wrong; the first of them, at {place}, is "
        f"{one}, expected is {other}"
    )


def _distinct(one: float, other: float, digits: int) -> tuple[str, str]:
    """Return two numbers with so many digits, or as many as it takes to see them differ."""
    while f"{one:.{digits}g}" == f"{other:.{digits}g}" and digits < 12:
        digits += 1
    return f"{one:.{digits}g}", f"{other:.{digits}g}"
