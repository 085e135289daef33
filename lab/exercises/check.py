"""What a student calls: `check` after an answer, `guess` where a figure shows a prediction.

A check says in words what it called and what it returned, what was expected, and which known
mistake the function equals; never a traceback. It stops nothing: what follows in the notebook
stands on the lab's own code (`solutions.py`), whatever the student's does.
"""

from __future__ import annotations

import difflib
import reprlib
import sys
from typing import Any

import pandas as pd

from lab import config
from lab.base import files, i18n
from lab.exercises import catalogue, judge
from lab.exercises.catalogue import ASKED, FURTHER, LAB, Exercise, in_range, plain
from lab.exercises.harness import kind, unwritten
from lab.exercises.tasks import TASKS

NOT_STARTED = "not started yet"
MARKS = "_marks"  # where the points of a notebook are kept, among its own names
OUTCOMES = "predictions"  # the table of guesses and what came of them


def check(name: str = "") -> None:
    """Try the answer that the notebook's names hold now, and print what came of it.

    Without a name: the points of all answers so far, and what is still open.
    """
    scope = sys._getframe(1).f_globals
    marks = scope.setdefault(MARKS, {})
    if isinstance(name, str) and name == "":
        read = sum(e.points for e in LAB.values() if not e.by_machine)
        rest = f"A person reads texts and the experiment: {read} points."
        i18n.tell("\n".join([*_still_open(marks), progress(marks), rest]))
    elif not isinstance(name, str) or name not in ASKED:
        near = difflib.get_close_matches(name, ASKED, 1) if isinstance(name, str) else []
        meant = f" Do you mean {near[0]!r}?" if near else ""
        i18n.tell(f"There is no exercise {_shown(name)}.{meant}")
    else:
        try:
            marks[name], lines = examine(name, scope, ASKED[name])
        except Exception as error:  # an object that cannot even be looked at
            what = f"{ASKED[name].name} cannot be checked ({type(error).__name__})"
            marks[name], lines = 0, [f"{name}: {what}."]
        i18n.tell("\n".join([*lines, progress(marks, FURTHER if name in FURTHER else LAB)]))


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
        return 0, [f"{name}: {NOT_STARTED}."]
    if exercise.kind == "choice" and not (isinstance(answer, str) and answer in [*exercise.key]):
        quoted = ", ".join(f'"{letter}"' for letter in exercise.key)
        return 0, [f"{name}: {shown} is no answer. Choose one of {quoted}."]
    if exercise.kind == "number" and not in_range(answer, catalogue.ANY_NUMBER):
        return 0, [f"{name}: {shown} is no number{_without_comma(answer)}."]
    if exercise.kind == "guess":
        if not in_range(answer, exercise.key):
            return 0, [_no_guess(name, answer)]
        return exercise.points, [f"{name}: recorded."]
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
    attempts = judge.try_function(answer, task, seed)
    if any(attempt.error == unwritten(name) for attempt in attempts):
        return 0, [f"{name}: {NOT_STARTED}."]
    judgement = judge.judge(task, attempts, seed, exercise.name)
    points, most = judgement.points(exercise), exercise.points
    if all(judgement.right):
        inputs = f"tried with {len(attempts)} inputs"
        return points, [f"{name}: right, {most} of {most} points ({inputs})."]
    head = f"{name}: not yet, {points:.3g} of {most} points."
    return points, [head, *(f"  {m}" for m in judgement.messages), f"  Hint: {exercise.hint}"]


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
    is_guess = in_range(value, exercise.key)
    scope.setdefault(MARKS, {})[name] = exercise.points if is_guess else 0
    if outcome is not None:
        _keep(name, value if is_guess else None, outcome)
    if is_guess and _is_share(value, exercise.key):
        i18n.tell(f"{name}: {_shown(value)} is read in per cent. If a share was meant: 0.8 is 80.")
    elif not is_guess and any(part is not None for part in _parts(value)):
        i18n.tell(_no_guess(name, value))
    return value if is_guess else None


def _parts(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else [value]


def _is_share(value: Any, allowed: Any) -> bool:
    """Say whether a share seems to be written where per cent are asked: nothing above 1."""
    in_percent = all(bounds == catalogue.PERCENT for bounds in _parts(allowed))
    return in_percent and 0 < max(_parts(value)) <= 1


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
    rows = [(name, part, guesses.get(part), result) for part, result in parts.items()]
    new = pd.DataFrame(rows, columns=["id", "part", "guess", "outcome"])
    try:
        old = files.read_table(OUTCOMES, config.output_folder())
    except config.LabError:
        old = new[:0]
    same_columns = list(old) == list(new)  # else it is of another version of the lab
    others = old[old["id"] != name] if same_columns else new[:0]
    try:
        files.write_table(OUTCOMES, pd.concat([others, new]) if len(others) else new)
    except config.LabError as error:
        i18n.tell(f"{name}: not kept for your report. {error}")
