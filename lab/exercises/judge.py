"""Is a student's function right? It is called with a task's inputs, and what returns is compared.

attempts    calls a function with a task's inputs; it may fail, or return anything
judge       compares what it returned with what the lab's own version returns
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, FrameType
from typing import Any, NamedTuple

import torch

from lab.exercises.cases import Case, Task
from lab.exercises.catalogue import Exercise
from lab.exercises.harness import NOTHING, Attempt, attempt, kind

OWN = "the lab's own version"
STOPPED = "it had not come to an end when you stopped it; is there a loop without end?"

# ── 1. Calling a student's function ─────────────────────────────────────────────────────────────


def attempts(function: Callable[..., Any], task: Task, seed: int) -> list[Attempt]:
    """Call a function with each of the task's cases, and return what came of each.

    If it comes to call the lab's own version, that is noted as what was used. Where a call is
    stopped by hand, the others are not made: a loop without end would begin once more.
    """
    done, cases = [], len(_cases(task, seed))
    with _Watch(task.right) as own, contextlib.suppress(KeyboardInterrupt):
        for one in _tried(function, task, seed):
            done.append(one)
    done += [Attempt(error=STOPPED)] * (cases - len(done))
    return [one._replace(used=one.used | {OWN}) for one in done] if own.seen else done


def _tried(function: Callable[..., Any], task: Task, seed: int) -> Iterator[Attempt]:
    for case, untouched in zip(_cases(task, seed), _cases(task, seed), strict=True):
        yield attempt(task.play, function, case.arguments, untouched.arguments, seed)


def _cases(task: Task, seed: int) -> list[Case]:
    return task.draw(torch.Generator().manual_seed(seed))


class _Watch:
    """Sees whether a function runs meanwhile, under whatever name, and whoever calls it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.place = _place(getattr(function, "__code__", None))
        self.seen = False

    def __enter__(self) -> _Watch:
        if self.place and sys.getprofile() is None:  # a profiler at work is left there
            sys.setprofile(self._look)
        return self

    def __exit__(self, *_: Any) -> None:
        if sys.getprofile() == self._look:
            sys.setprofile(None)

    def _look(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and _place(frame.f_code) == self.place:
            self.seen = True


def _place(code: CodeType | None) -> tuple[str, str] | None:
    """Return where code stands: its function and its file, whichever module has loaded it."""
    return code and (code.co_name, code.co_filename)


# ── 2. Judging what came back ───────────────────────────────────────────────────────────────────


class Judgement(NamedTuple):
    """What is wrong in each case, in a sentence, "" if nothing; and what else there is to say."""

    faults: list[str]
    more: list[str]

    @property
    def right(self) -> list[bool]:
        """Which cases are right."""
        return [not fault for fault in self.faults]

    @property
    def said(self) -> list[str]:
        """The first fault, and what else there is to say."""
        first = [fault for fault in self.faults if fault][:1]
        return list(dict.fromkeys([*first, *self.more]))

    def points(self, exercise: Exercise) -> float:
        """Return the points reached: of each case its share."""
        return exercise.points * sum(self.right) / len(self.right)


def judge(task: Task, done: Sequence[Attempt], seed: int, name: str = "it") -> Judgement:
    """Compare attempts with what the lab's own version gives for the same cases."""
    cases = _cases(task, seed)
    if what := _no_answer(task, done, cases, name):
        return Judgement([what] * len(done), [what])
    expected = [one.value for one in _tried(task.right, task, seed)]
    faults = []
    for case, one, e in zip(cases, done, expected, strict=True):
        fault = one.error or difference(one.value, e, task.parts)
        faults.append(fault and _sentence(f"Tried with {case.said}: {fault}"))
    mistake = any(faults) and _known_mistake(task, done, seed)
    return Judgement(faults, [_sentence(f"What comes back equals {mistake}")] if mistake else [])


def _no_answer(task: Task, done: Sequence[Attempt], cases: Sequence[Case], name: str) -> str:
    """Return in words what takes all points, whatever came back; "" if nothing does."""
    used = frozenset().union(*(one.used for one in done))
    if OWN in used:
        return f"{name} calls {OWN}. Write yours."
    if banned := sorted(used & set(task.forbidden)):
        return f"{name} calls torch's {banned[0]}: {task.forbidden[banned[0]]} instead."
    stopped = [case.said for case, one in zip(cases, done, strict=True) if one.error == STOPPED]
    return f"Tried with {stopped[0]}: {STOPPED}" if stopped else ""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _known_mistake(task: Task, done: Sequence[Attempt], seed: int) -> str:
    """Return, in words, the usual mistake that gives what came back in every case; "" if none."""
    for said, wrong in task.wrong.items():
        made = _tried(wrong, task, seed)  # no further than to the first that differs
        if all(
            not a.error and not b.error and not difference(a.value, b.value)
            for a, b in zip(done, made, strict=True)
        ):
            return said
    return ""


def difference(value: Any, expected: Any, parts: Sequence[str] = ()) -> str:
    """Return in words how a value differs from what was expected; "" if it does not.

    parts: what to call the parts of a tuple
    """
    if value is None and expected is not None:
        return NOTHING
    if isinstance(expected, tuple | list):
        if not isinstance(value, tuple | list) or len(value) != len(expected):
            return f"{kind(value)} came back, expected is {kind(expected)}"
        names = parts or [f"part {i}" for i in range(1, len(expected) + 1)]
        for name, v, e in zip(names, value, expected, strict=True):
            if fault := difference(v, e):
                return f"for {name}, {fault}"
        return ""
    if isinstance(expected, torch.Tensor) and isinstance(value, tuple | list):
        return f"{kind(value)} came back, expected is {kind(expected)}"
    try:
        got, right = (torch.as_tensor(x).detach() for x in (value, expected))
        if got.is_complex():
            return "complex numbers came back; is it the root of a negative one?"
        return _difference_in_numbers(got.double(), right.double())
    except Exception:  # whatever came back, and is no number
        return f"{kind(value)} came back, expected is {kind(expected)}"


def _difference_in_numbers(got: torch.Tensor, right: torch.Tensor) -> str:
    if got.shape != right.shape:
        forms = [f"shape {tuple(x.shape)}" if x.ndim else "one number" for x in (got, right)]
        return f"{forms[0]} came back, expected is {forms[1]}"
    far = ~torch.isclose(got, right, rtol=1e-4, atol=1e-5, equal_nan=True)
    if not far.any():
        return ""
    if not got.isfinite().all():
        return "what came back is not finite (nan or inf)"
    if got.numel() == 1:
        one, other = _told_apart(got.item(), right.item(), 6)
        return f"{one} came back, expected is {other}"
    place = far.nonzero()[0].tolist()
    one, other = _told_apart(got[tuple(place)].item(), right[tuple(place)].item(), 4)
    return (
        f"{int(far.sum())} of {got.numel()} numbers are wrong; the first of them, at {place}, is "
        f"{one}, expected is {other}"
    )


def _told_apart(one: float, other: float, digits: int) -> tuple[str, str]:
    """Return two numbers with so many digits, or as many as it takes to see them differ."""
    while f"{one:.{digits}g}" == f"{other:.{digits}g}" and digits < 12:
        digits += 1
    return f"{one:.{digits}g}", f"{other:.{digits}g}"
