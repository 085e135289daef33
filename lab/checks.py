"""What a student calls: `check` after an answer, `guess` where a figure shows a prediction.

A check says in words what it called and what came back, what was expected, and which usual mistake
the function equals; never a traceback. It stops nothing: what follows in the notebook stands on the
lab's own code (`given.py`), whatever the student's does.

    attempts    calls a function with a task's inputs; it may fail, or return anything
    judge       compares what came back with what the lab's own version gives
    check       both, and says what came of it

Who uses it: the notebooks. Imports `cases.py`, `plays.py`, `exercises.py`, `config.py`,
`files.py` and `words.py`.
"""

from __future__ import annotations

import contextlib
import difflib
import reprlib
import sys
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, FrameType
from typing import Any, NamedTuple

import pandas as pd
import torch

from lab import config, files, words
from lab.cases import TASKS, Case, Task
from lab.exercises import ASKED, LAB, PERCENT, Exercise, group_of, in_range, letters, plain
from lab.plays import NOTHING, Attempt, attempt, kind, unwritten

OWN = "the lab's own version"
STARTED = "not started yet"
STOPPED = "it had not come to an end when you stopped it; is there a loop without end?"
LARGEST = sys.float_info.max
MARKS = "_marks"  # where the points of a notebook are kept, among its own names
OUTCOMES = "predictions"  # the table of guesses and what came of them

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


# ── 3. What a student calls ─────────────────────────────────────────────────────────────────────


def check(name: str = "") -> None:
    """Try the answer that the notebook's names hold now, and print what came of it.

    Without a name: the points of all answers so far, and what is still open.
    """
    scope = sys._getframe(1).f_globals
    marks = scope.setdefault(MARKS, {})
    if isinstance(name, str) and name == "":
        read = sum(e.points for e in LAB.values() if not e.by_machine)
        rest = f"A person reads texts and the experiment: {read} points."
        words.tell("\n".join([*_still_open(marks), progress(marks), rest]))
    elif not isinstance(name, str) or name not in ASKED:
        near = difflib.get_close_matches(name, ASKED, 1) if isinstance(name, str) else []
        meant = f" Do you mean {near[0]!r}?" if near else ""
        words.tell(f"There is no exercise {_shown(name)}.{meant}")
    else:
        try:
            marks[name], lines = examine(name, scope, ASKED[name])
        except Exception as error:  # an object that cannot even be looked at
            what = f"{ASKED[name].name} cannot be checked ({type(error).__name__})"
            marks[name], lines = 0, [f"{name}: {what}."]
        words.tell("\n".join([*lines, progress(marks, group_of(name))]))


def _shown(value: Any) -> str:
    """Return a value in one short line, whatever it is."""
    return " ".join(reprlib.repr(value).split())


def _still_open(marks: dict[str, float | None]) -> list[str]:
    """Return a line that names the answers that have not all their points; none if all have."""
    asked = [name for name, e in LAB.items() if e.by_machine]
    left = [n for n in asked if marks.get(n, 0) is not None and marks.get(n, 0) < LAB[n].points]
    return [f"Still open: {', '.join(left)}."] if left else []


def examine(name: str, scope: dict[str, Any], exercise: Exercise) -> tuple[float | None, list[str]]:
    """Return the points of an answer (None: recorded, and marked later), and what to say of it."""
    if not exercise.name:
        return None, [f"{name}: your teacher reads it; there is nothing to check."]
    if exercise.name not in scope:
        return 0, [f"{name}: {exercise.name} is not there. Run the cell above."]
    answer = scope[exercise.name]
    shown = _shown(answer)
    if exercise.kind == "code":
        return _examine_code(name, answer, exercise)
    if answer is None or answer is ...:
        return 0, [f"{name}: {STARTED}."]
    if exercise.kind == "choice" and not (
        isinstance(answer, str) and answer in list(letters(exercise))
    ):
        options = ", ".join(f'"{letter}"' for letter in letters(exercise))
        return 0, [f"{name}: {shown} is no answer. Choose one of {options}."]
    if exercise.kind == "number" and not in_range(answer, (-LARGEST, LARGEST)):
        return 0, [f"{name}: {shown} is no number{_without_comma(answer)}."]
    if exercise.kind == "guess":
        made = in_range(answer, exercise.key)
        return (exercise.points, [f"{name}: recorded."]) if made else (0, [_no_guess(name, answer)])
    return None, [f"{name}: recorded ({plain(answer)}). Your teacher will mark it."]


def _without_comma(value: Any) -> str:
    """Return how to write a number that stands there with a comma, a pair to Python; else ""."""
    match value:
        case (int(whole), int(rest)) if isinstance(value, tuple) and rest >= 0:
            return f"; write a point, not a comma: {whole}.{rest}"
    return ""


def _examine_code(name: str, answer: Any, exercise: Exercise) -> tuple[float, list[str]]:
    """Try a student's function."""
    if not callable(answer):
        return 0, [f"{name}: {exercise.name} is {kind(answer)}, and should be a function."]
    task, seed = TASKS[name], 0
    done = attempts(answer, task, seed)
    if any(one.error == unwritten(name) for one in done):
        return 0, [f"{name}: {STARTED}."]
    judgement = judge(task, done, seed, exercise.name)
    points = judgement.points(exercise)
    tried = f"tried with {len(done)} inputs"
    if all(judgement.right):
        return points, [f"{name}: right, {exercise.points} of {exercise.points} points ({tried})."]
    head = f"{name}: not yet, {points:.3g} of {exercise.points} points."
    return points, [head, *(f"  {said}" for said in judgement.said), f"  Hint: {exercise.hint}"]


def progress(marks: dict[str, float | None], group: dict[str, Exercise] = LAB) -> str:
    """Return a bar of the points reached so far, of those that a check can give in a group."""
    reached = sum(points for name, points in marks.items() if points and name in group)
    total = sum(e.points for e in group.values() if e.kind in ("code", "guess"))
    recorded = sum(points is None for name, points in marks.items() if name in group)
    filled = int(20 * reached / total)
    bar = "#" * filled + "-" * (20 - filled)
    later = f"; {recorded} recorded" if recorded else ""
    return f"[{bar}] {reached:.3g} of {total} points{later}"


def guess(name: str, outcome: Any = None) -> Any:
    """Return the guess that the notebook's names hold, None if there is none that can be drawn.

    name:    as the notebook's variable has it: "six" for guess_six
    outcome: what came of it, of the same form; kept beside the guess for the student's report.
    """
    scope = sys._getframe(1).f_globals
    name = f"guess-{name}"
    exercise = LAB[name]
    value = plain(scope.get(exercise.name))
    made = in_range(value, exercise.key)
    scope.setdefault(MARKS, {})[name] = exercise.points if made else 0
    if outcome is not None:
        _keep(name, value if made else None, outcome)
    if not made and _begun(value):
        words.tell(_no_guess(name, value))
    elif made and _is_share(value, exercise.key):
        words.tell(f"{name}: {_shown(value)} is read in per cent. If a share was meant: 0.8 is 80.")
    return value if made else None


def _begun(value: Any) -> bool:
    """Say whether there is something of a guess."""
    if isinstance(value, dict):
        return any(part is not None for part in value.values())
    return value is not None


def _is_share(value: Any, allowed: Any) -> bool:
    """Say whether a share seems to be written where per cent are asked: nothing above 1."""
    parts = value.values() if isinstance(value, dict) else [value]
    asked = allowed.values() if isinstance(allowed, dict) else [allowed]
    return all(bounds == PERCENT for bounds in asked) and 0 < max(parts) <= 1


def _no_guess(name: str, value: Any) -> str:
    """Return in words what a guess should have been."""
    wanted, parts = LAB[name].key, ""
    if isinstance(wanted, dict):
        parts = f" for each of {', '.join(wanted)}"
        wanted = next(iter(wanted.values()))
    what = "a word, as text" if wanted is str else f"a number from {wanted[0]:g} to {wanted[1]:g}"
    return f"{name}: {_shown(value)} is no prediction{_without_comma(value)}. Write {what}{parts}."


def _keep(name: str, value: Any, outcome: Any) -> None:
    """Write a guess and its outcome into the table of predictions."""
    parts = dict(outcome) if hasattr(outcome, "items") else {"": outcome}
    guesses = value if isinstance(value, dict) else dict.fromkeys(parts, value)
    rows = [(name, part, guesses.get(part), came) for part, came in parts.items()]
    new = pd.DataFrame(rows, columns=["id", "part", "guess", "outcome"])
    try:
        known = files.read_table(OUTCOMES, config.output_folder())
    except config.LabError:
        known = new[:0]
    if list(known) != list(new):  # of another version of the lab
        known = new[:0]
    others = known[known["id"] != name]
    try:
        files.write_table(OUTCOMES, pd.concat([others, new]) if len(others) else new)
    except config.LabError as error:
        words.tell(f"{name}: not kept for your report. {error}")
