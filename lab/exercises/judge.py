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

from lab.base.messages import Message, _, languages, recognizer
from lab.exercises import answer_cells, harness
from lab.exercises.catalogue import Exercise
from lab.exercises.harness import NOTHING, Attempt, kind
from lab.exercises.tasks.task import Example, Task

STOPPED = _("it had not come to an end when you stopped it; is there a loop without end?")
CUT = _("detach, no_grad, .data, .item() or torch.tensor cut it off.")
ANOTHER = _(
    "is a part of it cut off (by detach, no_grad, .data or .item()), or does it go back too far?"
)
BOTH = _("torch.where computes both sides, and 0 times infinity is nan.")
NOT_FINITE = _("what came back is not finite (nan or inf).")
RELATED = {  # how a wrong value is related to the right one -> what to say
    "turned": _("What comes back is right, but its sign is turned."),
    "opposite": _("What comes back is right, but it stands in the opposite order."),
    "first": _("What comes back is right, but the first is one too many."),
    "last": _("What comes back is right, but the last is missing."),
    "axes": _("What comes back is right, but its axes are exchanged."),
    "shape": _("What comes back is right, but its shape is another."),
}
LABS_OWN = re.compile(  # but for the finder of modules, which Python calls at any import
    r"lab\.(?:analysis|exercises\.solutions|models|notebooks)\.(?!__init__)(?:\w+\.)*(\w+)$"
)

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
    """What is wrong with each example, in a sentence, "" if nothing; and what else to say.

    All are messages.
    """

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
        _Case(example, one, right, _error(one) or _fault(task, example, one.value, right))
        for example, one, right in zip(examples, attempts, expected, strict=True)
    ]
    faults = [case.fault and _tried(case.example, case.fault) for case in cases]
    if not any(faults):
        return Judgement(faults, [])
    if mistake := _known_mistake(task, cases, seed):
        said = Message(task.equals, mistake=mistake)
        return Judgement(faults, [said], task.near.get(mistake, 0.0))
    remark = _remark(task, cases)
    return Judgement(faults, [remark] if remark else [])


def _tried(example: Example, fault: str) -> Message:
    return _("Tried with {input}: {fault}", input=example.label, fault=fault)


def _error(attempt: Attempt) -> str:
    """Return the error of an attempt in words; of an unwritten function, which one it is."""
    stub = unwritten(attempt)
    return _("it calls {name}, which is not written yet.", name=stub) if stub else attempt.error


def unwritten(attempt: Attempt) -> str:
    """Return the exercise whose unwritten function an attempt has come to; "" if it has to none."""
    for language in languages():
        said = recognizer(answer_cells.UNWRITTEN, language)
        if found := said.fullmatch(_raised(attempt).partition("NotImplementedError: ")[2]):
            return found["name"]
    return ""


def _raised(attempt: Attempt) -> str:
    """Return the error that an attempt raised, in Python's words; "" if it raised none."""
    raised = getattr(attempt.error, "values", {}).get("error")
    return raised if isinstance(raised, str) else ""


def _no_answer(
    task: Task, attempts: Sequence[Attempt], examples: Sequence[Example], name: str
) -> str:
    """Return in words what takes all points, whatever came back; "" if nothing does."""
    used = frozenset().union(*(attempt.used for attempt in attempts))
    own = {found[1] for n in used if (found := LABS_OWN.match(n))}
    if name in own:
        return _("{name} calls the lab's own version. Write yours.", name=name)
    if own:
        return _("{name} calls the lab's own {used}. Write yours.", name=name, used=min(own))
    if harness.UNSEEN in used:
        return _(
            "{name} switches off what watches its calls: leave sys.setprofile alone.", name=name
        )
    if banned := [n for n in used if task.forbids(n)]:
        shown = min(banned, key=lambda n: ("." in n, n))
        return Message(task.refused, name=name, used=shown, instead=task.instead)
    for example, attempt in zip(examples, attempts, strict=True):
        if attempt.error == STOPPED:
            return _tried(example, STOPPED)
    return ""


def _known_mistake(task: Task, cases: list[_Case], seed: int) -> str:
    """Return which of the known mistakes gives what came back; "" if none does."""
    deep = all(_right_numbers(task, case) for case in cases)  # then it is one of the gradients
    for label, function in task.known_mistakes.items():
        others = _attempts(function, task, seed)
        if all(_alike(task, case, other, deep) for case, other in zip(cases, others, strict=True)):
            return label
    return ""


def _remark(task: Task, cases: list[_Case]) -> str:
    """Return in words what else is seen in what came back; "" if nothing is."""
    wrong = [case for case in cases if case.fault]
    if all(case.example.trap and not _right_numbers(task, case) for case in wrong):
        return wrong[0].example.trap
    if any(_right_numbers(task, case) or case.attempt.error for case in wrong):
        return ""
    relations = {
        _relation(_numbers(task, case.attempt.value), _numbers(task, case.right)) for case in wrong
    }
    return relations.pop() if len(relations) == 1 else ""


def _right_numbers(task: Task, case: _Case) -> bool:
    return not (
        case.attempt.error or _fault(task, case.example, case.attempt.value, case.right, False)
    )


def _alike(task: Task, case: _Case, other: Attempt, deep: bool) -> bool:
    """Say whether an attempt is as good as what a known mistake gives, be it an error."""
    if case.attempt.error or other.error:
        kinds = {(_raised(one) or one.error).partition(":")[0] for one in (case.attempt, other)}
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
            "turned": [-right],
            "opposite": [right.flip(0)] if right.ndim else [],
            "first": [got] if got.ndim and _same(got[1:], right) else [],
            "last": [got] if right.ndim and _same(got, right[:-1]) else [],
            "axes": [right.permute(order) for order in orders][1:],
            "shape": [right.view(got.shape)] if right.numel() == got.numel() else [],
        }
        for relation, candidates in others.items():
            if any(_same(got, other) for other in candidates):
                return RELATED[relation]
        factor = (got * right).sum() / right.square().sum()
        if right.numel() > 1 and factor and factor.isfinite() and _same(got, factor * right):
            return _(
                "What comes back is right, but each number is {factor:.4g} times as large.",
                factor=factor.item(),
            )
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
    return _("{got} came back.", got=kind(value))  # from a program that lies


def _fault_of_gradients(task: Task, example: Example, got: Any, right: Any) -> str:
    """Return in words what is wrong with gradients where the numbers are right."""
    ways = [*zip(task.leaves(example), got, right, strict=True)]
    ways = [way for way in ways if way[2] is not None and way[2].any()]
    lost = [name for name, one, _right in ways if one is None]
    if lost and len(lost) == len(ways):
        return _("the numbers are right, but no gradient goes back: {why}", why=CUT)
    if lost:
        return _(
            "the numbers are right, but no gradient goes back to {names}: {why}",
            names=lost, why=CUT,
        )  # fmt: skip
    for name, one, other in ways:
        fault = difference(one, other)
        if fault == NOT_FINITE:
            return _(
                "the numbers are right, but the gradient for {name} is nan or inf: {why}",
                name=name, why=BOTH,
            )  # fmt: skip
        if fault:
            return _(
                "the numbers are right, but the gradient for {name} is another: {why}",
                name=name, why=ANOTHER,
            )  # fmt: skip
    return ""


def difference(value: Any, expected: Any, parts: Sequence[str] = ()) -> str:
    """Return in words how a value differs from what was expected; "" if it does not.

    parts: what to call the parts of a tuple
    """
    if value is None and expected is not None:
        return NOTHING
    unlike = _came_back(kind(value), kind(expected))
    if isinstance(expected, tuple | list):
        if not isinstance(value, tuple | list) or len(value) != len(expected):
            return unlike
        names = parts or [_("part {number}", number=i) for i in range(1, len(expected) + 1)]
        for name, fault in zip(names, map(difference, value, expected)):
            if fault:
                return _("for {part}, {fault}", part=name, fault=fault)
        return ""
    if isinstance(expected, torch.Tensor) and isinstance(value, tuple | list):
        return unlike
    try:
        got, right = (harness.here(torch.as_tensor(x)).detach() for x in (value, expected))
        if got.is_complex():
            return _("complex numbers came back; is it the root of a negative one?")
        return _difference_in_numbers(got.double(), right.double())
    except harness.Unusable as reason:
        return reason.args[0]
    except Exception:  # whatever came back, and is no number
        return unlike


def _came_back(got: str, wanted: str) -> Message:
    return _("{got} came back, expected is {wanted}.", got=got, wanted=wanted)


def _shape(of: torch.Tensor) -> Message:
    return _("shape {shape}", shape=str(tuple(of.shape))) if of.ndim else _("one number")


def _difference_in_numbers(got: torch.Tensor, right: torch.Tensor) -> str:
    if got.shape != right.shape:
        return _came_back(_shape(got), _shape(right))
    far = ~torch.isclose(got, right, rtol=1e-4, atol=1e-5, equal_nan=True)
    if not far.any():
        return ""
    if not got.isfinite().all():
        return NOT_FINITE
    place = far.nonzero()[0].tolist()
    digits = 6 if got.numel() == 1 else 4
    one, other = _distinct(got[tuple(place)].item(), right[tuple(place)].item(), digits)
    if got.numel() == 1:
        return _came_back(one, other)
    return _(
        "{wrong} of {all} numbers are wrong; the first of them, at {place}, is {got}, expected is "
        "{wanted}.",
        wrong=int(far.sum()), all=got.numel(), place=str(place), got=one, wanted=other,
    )  # fmt: skip


def _distinct(one: float, other: float, digits: int) -> tuple[str, str]:
    """Return two numbers with so many digits, or as many as it takes to see them differ."""
    while f"{one:.{digits}g}" == f"{other:.{digits}g}" and digits < 12:
        digits += 1
    return f"{one:.{digits}g}", f"{other:.{digits}g}"
