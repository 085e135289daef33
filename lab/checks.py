"""What a student calls: `check` after an answer, `guess` where a figure shows a prediction.

A check says in words what it called and what came back, what was expected, and which usual mistake
the function equals; never a traceback. It stops nothing: what follows in the notebook stands on the
lab's own code (`given.py`), whatever the student's does.

    attempts    calls a function with a task's inputs; it may fail, or return anything
    judge       compares what came back with what the lab's own version gives
    check       both, and says what came of it

Who uses it: the notebooks. Imports `cases.py`, `exercises.py`, `config.py` and `files.py`.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch.overrides import TorchFunctionMode

from lab import config, files
from lab.cases import TASKS, Task
from lab.exercises import LAB, Exercise, in_range, letters

STARTED = "not started yet"
MARKS = "_marks"  # where the points of a notebook are kept, among its own names
OUTCOMES = "predictions"  # the table of guesses and what came of them

# ── 1. Calling a student's function ─────────────────────────────────────────────────────────────


class Attempt(NamedTuple):
    """What came of one call: a value, or an error in words; and what of PyTorch it used."""

    value: Any = None
    error: str = ""
    used: frozenset[str] = frozenset()


class _Calls(TorchFunctionMode):
    """Notes the names of all functions of PyTorch that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))


def attempts(function: Callable[..., Any], task: Task, seed: int) -> list[Attempt]:
    """Call a function with each of the task's cases, and return what came of each.

    The random numbers of the program that calls stay what they were.
    """
    done = []
    for case in task.draw(torch.Generator().manual_seed(seed)):
        calls = _Calls()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                with calls:
                    value = task.play(function, *case.arguments)
                done.append(Attempt(value, used=frozenset(calls.names)))
            except NotImplementedError:
                done.append(Attempt(error=STARTED))
            except Exception as error:  # whatever a student's code raises is told, in one line
                done.append(Attempt(error=_told(error, function)))
    return done


def _told(error: Exception, function: Callable[..., Any]) -> str:
    """Return an error in one line, with the line of the student's function where it arose."""
    code = getattr(function, "__code__", None)
    frames = traceback.extract_tb(error.__traceback__)
    own = [f.lineno for f in frames if code is not None and f.filename == code.co_filename]
    where = f" in line {own[-1] - code.co_firstlineno + 1} of the function" if own else ""
    said = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}{where}: {said}"


# ── 2. Judging what came back ───────────────────────────────────────────────────────────────────


class Judgement(NamedTuple):
    """Which cases are right, and what there is to say of those that are not."""

    right: list[bool]
    said: list[str]

    def points(self, exercise: Exercise) -> float:
        """Return the points reached: of each case its share."""
        return exercise.points * sum(self.right) / len(self.right)


def judge(task: Task, done: Sequence[Attempt], seed: int, name: str = "it") -> Judgement:
    """Compare attempts with what the lab's own version gives for the same cases."""
    expected = [one.value for one in attempts(task.right, task, seed)]
    if banned := sorted({name for one in done for name in one.used} & set(task.forbidden)):
        what = f"{name} calls torch's {banned[0]}: {task.forbidden[banned[0]]} instead."
        return Judgement([False] * len(done), [what])
    faults = [one.error or difference(one.value, e) for one, e in zip(done, expected, strict=True)]
    right = [not fault for fault in faults]
    if all(right):
        return Judgement(right, [])
    cases = task.draw(torch.Generator().manual_seed(seed))
    first = right.index(False)
    said = [f"Tried with {cases[first].said}: {faults[first]}."]
    if mistake := _known_mistake(task, done, seed):
        said.append(f"What comes back equals {mistake}.")
    return Judgement(right, said)


def _known_mistake(task: Task, done: Sequence[Attempt], seed: int) -> str:
    """Return, in words, the usual mistake that gives what came back in every case; "" if none."""
    for said, wrong in task.wrong.items():
        made = attempts(wrong, task, seed)
        same = [
            not a.error and not b.error and not difference(a.value, b.value)
            for a, b in zip(done, made, strict=True)
        ]
        if all(same):
            return said
    return ""


def difference(value: Any, expected: Any) -> str:
    """Return in words how a value differs from what was expected; "" if it does not."""
    if value is None and expected is not None:
        return "nothing came back; is there a return?"
    if isinstance(expected, tuple | list):
        if not isinstance(value, tuple | list) or len(value) != len(expected):
            return f"{_kind(value)} came back, expected is {_kind(expected)}"
        parts = [difference(v, e) for v, e in zip(value, expected, strict=True)]
        return next((f"part {i}: {p}" for i, p in enumerate(parts, 1) if p), "")
    if expected is None:
        return "" if value is None else f"{_kind(value)} came back, expected is None"
    try:
        got, right = (torch.as_tensor(x).detach().double() for x in (value, expected))
    except (TypeError, ValueError, RuntimeError):
        return f"{_kind(value)} came back, expected is {_kind(expected)}"
    if got.shape != right.shape:
        return f"shape {tuple(got.shape)} came back, expected is {tuple(right.shape)}"
    if torch.allclose(got, right, rtol=1e-4, atol=1e-5):
        return ""
    if not got.isfinite().all():
        return "what came back is not finite (nan or inf)"
    if got.numel() == 1:
        return f"{got.item():.6g} came back, expected is {right.item():.6g}"
    return f"the numbers that came back are up to {(got - right).abs().max().item():.2g} away"


def _kind(value: Any) -> str:
    """Return what a value is, in words."""
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return f"a value of type {type(value).__name__}"


# ── 3. What a student calls ─────────────────────────────────────────────────────────────────────


def check(name: str) -> None:
    """Try the answer that the notebook's names hold now, and print what came of it."""
    scope = sys._getframe(1).f_globals
    if name not in LAB:
        print(f"There is no exercise {name!r}.")
        return
    exercise = LAB[name]
    points, lines = examine(name, scope, exercise)
    marks = scope.setdefault(MARKS, {})
    marks[name] = points
    print("\n".join([*lines, progress(marks)]))


def examine(name: str, scope: dict[str, Any], exercise: Exercise) -> tuple[float | None, list[str]]:
    """Return the points of an answer (None: recorded, and marked later), and what to say of it."""
    if exercise.name not in scope:
        return 0, [f"{name}: {exercise.name} is not there. Run the cell above."]
    answer = scope[exercise.name]
    if exercise.kind == "code":
        return _examine_code(name, answer, exercise)
    if answer is None or answer is ...:
        return 0, [f"{name}: {STARTED}."]
    if exercise.kind == "choice" and answer not in list(letters(exercise)):
        options = ", ".join(f'"{letter}"' for letter in letters(exercise))
        return 0, [f"{name}: {answer!r} is no answer. Choose one of {options}."]
    if exercise.kind == "number" and not in_range(answer, (float("-inf"), float("inf"))):
        return 0, [f"{name}: {answer!r} is no number."]
    return None, [f"{name}: recorded ({answer}). Your teacher will mark it."]


def _examine_code(name: str, answer: Any, exercise: Exercise) -> tuple[float, list[str]]:
    """Try a student's function."""
    if not callable(answer):
        return 0, [f"{name}: {exercise.name} is {_kind(answer)}, and should be a function."]
    if "given" in getattr(getattr(answer, "__code__", None), "co_names", ()):
        return 0, [f"{name}: {exercise.name} calls the lab's own version. Write yours."]
    task, seed = TASKS[name], 0
    done = attempts(answer, task, seed)
    if any(one.error == STARTED for one in done):
        return 0, [f"{name}: {STARTED}."]
    judgement = judge(task, done, seed, exercise.name)
    points = judgement.points(exercise)
    tried = f"{len(done)} call{'s' * (len(done) > 1)}"
    if all(judgement.right):
        return points, [f"{name}: right, {exercise.points} of {exercise.points} points ({tried})."]
    head = f"{name}: not yet, {points:.3g} of {exercise.points} points."
    return points, [head, *(f"  {said}" for said in judgement.said), f"  Hint: {exercise.hint}"]


def progress(marks: dict[str, float | None]) -> str:
    """Return a bar of the points reached so far, of those that a check can give."""
    reached = sum(points for points in marks.values() if points)
    total = sum(e.points for e in LAB.values() if e.kind in ("code", "guess"))
    recorded = sum(points is None for points in marks.values())
    filled = int(20 * reached / total)
    bar = "#" * filled + "-" * (20 - filled)
    later = f"; {recorded} recorded" if recorded else ""
    return f"[{bar}] {reached:.3g} of {total} points{later}"


def guess(name: str, outcome: Any = None) -> Any:
    """Return the guess that the notebook's names hold, None if there is none that can be drawn.

    outcome: what came of it, of the same form; kept beside the guess for the student's report.
    """
    scope = sys._getframe(1).f_globals
    exercise = LAB[name]
    value = scope.get(exercise.name)
    made = in_range(value, exercise.key)
    scope.setdefault(MARKS, {})[name] = exercise.points if made else 0
    if outcome is not None:
        _keep(name, value if made else None, outcome)
    return value if made else None


def _keep(name: str, value: Any, outcome: Any) -> None:
    """Write a guess and its outcome into the table of predictions."""
    try:
        known = files.read_table(OUTCOMES, config.output_folder())
        known = known[known["id"] != name]
    except config.LabError:
        known = pd.DataFrame()
    parts = dict(outcome) if hasattr(outcome, "items") else {"": outcome}
    guesses = value if isinstance(value, dict) else dict.fromkeys(parts, value)
    rows = [(name, part, guesses.get(part), came) for part, came in parts.items()]
    new = pd.DataFrame(rows, columns=["id", "part", "guess", "outcome"])
    files.write_table(OUTCOMES, pd.concat([known, new]) if len(known) else new)
