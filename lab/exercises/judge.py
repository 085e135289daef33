"""Is a student's function right? It is called with a task's inputs, and what returns is compared.

try_function    calls a function with a task's inputs; it may fail, or return anything
judge           compares what it returned with what the lab's own version returns
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch

from lab.exercises import harness
from lab.exercises.catalogue import Exercise
from lab.exercises.harness import NOTHING, Attempt, kind
from lab.exercises.tasks.task import Example, Task

STOPPED = "it had not come to an end when you stopped it; is there a loop without end?"
CUT = "detach, no_grad, .data, .item() or torch.tensor cut it off"
ANOTHER = (
    "is a part of it cut off (by detach, no_grad, .data or .item()), or does it go back too far?"
)
BOTH = "torch.where computes both sides, and 0 times infinity is nan"
NOT_FINITE = "what came back is not finite (nan or inf)"
LABS_OWN = re.compile(  # but for the finder of modules, which Python calls at any import
    r"lab\.(?:analysis|exercises\.solutions|models|notebooks)\.(?!__init__)(?:\w+\.)*(\w+)$"
)
ERROR = re.compile(r"(?<=Error)\b")  # where the kind of an error ends

# ── 1. Calling a student's function ─────────────────────────────────────────────────────────────


def try_function(function: Callable[..., Any], task: Task, seed: int) -> list[Attempt]:
    """Call a function with each of the task's examples, and return what came of each.

    Where a call is stopped by hand, the others are not made: a loop without end would begin again.
    """
    attempts: list[Attempt] = []
    with contextlib.suppress(KeyboardInterrupt):
        for attempt in _attempts(function, task, seed):
            attempts.append(attempt)
    return attempts + [Attempt(error=STOPPED)] * (len(_examples(task, seed)) - len(attempts))


def _attempts(function: Callable[..., Any], task: Task, seed: int) -> Iterator[Attempt]:
    for example, untouched in zip(_examples(task, seed), _examples(task, seed), strict=True):
        yield harness.attempt(task.run, function, example.arguments, untouched.arguments, seed)


def _examples(task: Task, seed: int) -> list[Example]:
    return task.make_inputs(torch.Generator().manual_seed(seed))


# ── 2. Judging what came back ───────────────────────────────────────────────────────────────────


class Judgement(NamedTuple):
    """What is wrong with each example, in a sentence, "" if nothing; and what else to say."""

    faults: list[str]
    remarks: list[str]
    least: float = 0.0  # the share of the points that is reached whatever the examples say

    @property
    def right(self) -> list[bool]:
        """Which examples are right."""
        return [not fault for fault in self.faults]

    @property
    def messages(self) -> list[str]:
        """The first fault, and the remarks."""
        first = [fault for fault in self.faults if fault][:1]
        return list(dict.fromkeys([*first, *self.remarks]))

    @property
    def share(self) -> float:
        """The share of the points reached: that of the examples that are right, or `least`."""
        return max(sum(self.right) / len(self.right), self.least)

    def points(self, exercise: Exercise) -> float:
        """Return the points reached."""
        return exercise.points * self.share


class _Case(NamedTuple):
    """An example, what came of it, what is right, and in words what is wrong."""

    example: Example
    attempt: Attempt
    right: Any
    fault: str


def judge(task: Task, attempts: Sequence[Attempt], seed: int, name: str = "it") -> Judgement:
    """Compare attempts with what the lab's own version gives for the same examples."""
    examples = _examples(task, seed)
    if reason := _no_answer(task, attempts, examples, name):
        return Judgement([reason] * len(attempts), [reason])
    expected = [attempt.value for attempt in _attempts(task.solution, task, seed)]
    cases = [
        _Case(example, one, right, one.error or _fault(task, example, one.value, right))
        for example, one, right in zip(examples, attempts, expected, strict=True)
    ]
    remark = _remark(task, cases, seed) if any(case.fault for case in cases) else ""
    tried = [case.fault and f"Tried with {case.example.label}: {case.fault}" for case in cases]
    least = task.near.get(remark.removeprefix(task.equals), 0.0)
    return Judgement([*map(_sentence, tried)], [_sentence(remark)] if remark else [], least)


def _no_answer(
    task: Task, attempts: Sequence[Attempt], examples: Sequence[Example], name: str
) -> str:
    """Return in words what takes all points, whatever came back; "" if nothing does."""
    used = frozenset().union(*(attempt.used for attempt in attempts))
    own = {found[1] for n in used if (found := LABS_OWN.match(n))}
    if own:
        return f"{name} calls the lab's own {'version' if name in own else min(own)}. Write yours."
    if harness.UNSEEN in used:
        return f"{name} switches off {harness.UNSEEN}: leave sys.setprofile alone."
    if banned := [n for n in used if task.forbids(n)]:
        shown = min(banned, key=lambda n: ("." in n, n))
        return f"{name} calls torch's {shown}: {task.instead} instead."
    for example, attempt in zip(examples, attempts, strict=True):
        if attempt.error == STOPPED:
            return f"Tried with {example.label}: {STOPPED}"
    return ""


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", "?", "!")) else f"{text}."


def _remark(task: Task, cases: list[_Case], seed: int) -> str:
    """Return in words what kind of mistake it is that gives what came back; "" if none is seen."""
    deep = all(_right_numbers(task, case) for case in cases)  # then it is one of the gradients
    for label, function in task.known_mistakes.items():
        others = _attempts(function, task, seed)
        if all(_alike(task, case, other, deep) for case, other in zip(cases, others, strict=True)):
            return task.equals + label
    wrong = [case for case in cases if case.fault]
    if all(case.example.trap and not _right_numbers(task, case) for case in wrong):
        return wrong[0].example.trap
    if any(_right_numbers(task, case) or case.attempt.error for case in wrong):
        return ""
    relations = {
        _relation(_numbers(task, case.attempt.value), _numbers(task, case.right)) for case in wrong
    }
    relation = relations.pop() if len(relations) == 1 else ""
    return relation and f"What comes back is right, but {relation}"


def _right_numbers(task: Task, case: _Case) -> bool:
    return not (
        case.attempt.error or _fault(task, case.example, case.attempt.value, case.right, False)
    )


def _alike(task: Task, case: _Case, other: Attempt, deep: bool) -> bool:
    """Say whether an attempt is as good as what a known mistake gives, be it an error."""
    if case.attempt.error or other.error:
        kinds = {ERROR.split(one.error)[0] for one in (case.attempt, other)}
        return len(kinds) == 1 or kinds == {"", "OverflowError"}  # Python's, where torch has inf
    return not _fault(task, case.example, case.attempt.value, other.value, deep)


def _relation(got: Any, right: Any) -> str:
    """Return in words how a wrong value is related to the right one; "" if nothing is seen."""
    if isinstance(got, tuple | list):
        return ""
    try:
        got, right = (torch.as_tensor(x).detach() for x in (got, right))
        if got.is_complex():
            return ""
        got, right = got.double(), right.double()
        orders = itertools.permutations(range(right.ndim)) if right.ndim < 5 else []
        others = {
            "its sign is turned": [-right],
            "it stands in the opposite order": [right.flip(0)] if right.ndim else [],
            "the first is one too many": [got] if got.ndim and _same(got[1:], right) else [],
            "the last is missing": [got] if right.ndim and _same(got, right[:-1]) else [],
            "its axes are exchanged": [right.permute(order) for order in orders][1:],
            "its shape is another": [right.view(got.shape)] if right.numel() == got.numel() else [],
        }
        for words, candidates in others.items():
            for other in candidates:
                if _same(got, other):
                    return words
        factor = (got * right).sum() / right.square().sum()
        if right.numel() > 1 and factor and _same(got, factor * right):
            return f"each number is {factor:.4g} times as large"
    except Exception:  # whatever came back, and is no number
        return ""
    return ""


def _same(some: torch.Tensor, others: torch.Tensor) -> bool:
    return not _difference_in_numbers(some, others)


def _numbers(task: Task, value: Any) -> Any:
    """Return what came back without its gradients."""
    return value[0] if task.learns and isinstance(value, tuple | list) and value else value


def _fault(task: Task, example: Example, value: Any, right: Any, deep: bool = True) -> str:
    """Return in words what is wrong with what came back; "" if nothing is.

    deep: look at the gradients too, where these belong to it
    """
    if not task.learns:
        return difference(value, right, task.parts)
    match value:
        case (numbers, [*ways]) if len(ways) == len(right[1]):
            fault = difference(numbers, right[0], task.parts)
            return fault or (_fault_of_gradients(task, example, ways, right[1]) if deep else "")
    return f"{kind(value)} came back"  # from a program that lies


def _fault_of_gradients(task: Task, example: Example, got: Any, right: Any) -> str:
    """Return in words what is wrong with gradients where the numbers are right."""
    ways = [*zip(task.leaves(example), got, right, strict=True)]
    ways = [way for way in ways if way[2] is not None and way[2].any()]
    if lost := [name for name, one, _ in ways if one is None]:
        where = "" if len(lost) == len(ways) else f" to {', '.join(lost)}"
        return f"the numbers are right, but no gradient goes back{where}: {CUT}"
    for name, one, other in ways:
        if fault := difference(one, other):
            if fault == NOT_FINITE:
                return f"the numbers are right, but the gradient for {name} is nan or inf: {BOTH}"
            return f"the numbers are right, but the gradient for {name} is another: {ANOTHER}"
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
        got, right = (harness.here(torch.as_tensor(x)).detach() for x in (value, expected))
        if got.is_complex():
            return "complex numbers came back; is it the root of a negative one?"
        return _difference_in_numbers(got.double(), right.double())
    except harness.Unusable as reason:
        return str(reason)
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
        return NOT_FINITE
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
