"""What a student calls: `check` after an answer, `hint` and `case` on the way to it, and `guess`
where a figure shows a prediction.

A check says in words what it called and what it returned, what was expected, and which known
mistake the function equals; a traceback only if it is asked for. It stops nothing: what follows in
the notebook stands on the lab's own code (`solutions.py`), whatever the student's does.
"""

from __future__ import annotations

import difflib
import inspect
import re
import reprlib
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from lab import config
from lab.base import files
from lab.base.messages import Message, _
from lab.exercises import answer_cells, catalogue, signs
from lab.exercises.catalogue import ASKED, LAB, Exercise, beside, in_range, letter, plain
from lab.exercises.harness import kind
from lab.exercises.help import hints, trials
from lab.exercises.judge import STOPPED, unwritten
from lab.exercises.tasks import TASKS

# what the grader and the report read again, as templates
RIGHT = _("{name}: right, {points:.3g} of {most} points (tried with {inputs} inputs).")
NOT_YET = _("{name}: not yet, {points:.3g} of {most} points.")
RECORDED = _("{name}: recorded.")
NOT_STARTED = _("{name}: not started yet. If you have written it, run its cell again.")
STILL_THERE = _("{name}: the line `raise NotImplementedError` is still there: delete it.")
UNREADABLE = _(
    "{name}: Python cannot read line {line} of its cell. Mend it, and run the cell again."
)
SLIP = _(
    "{name}: Python cannot read line {line} of its cell: it has {signs} where {wanted} is meant. "
    "Type the signs of code with the keyboard set to English, and run the cell again."
)
OTHER_NAME = _("{name}: its cell defines {given}, and the name must be {wanted}.")
NOT_THERE = _("{name}: {wanted} is not there. Run the cell above.")
NO_FUNCTION = _("{name}: {wanted} is {what}, and should be a function.")
ELSEWHERE = _("{name}: checks work on the CPU; run torch.set_default_device('cpu') first.")
MARKS = "_marks"  # where the points of a notebook are kept, among its own names
TAKEN = "_hints"  # and how many hints of each exercise were taken
OUTCOMES = "predictions"  # the table of guesses and what came of them
RECORD = "hints"  # the table of the hints that were taken


def check(name: str = "", trace: bool = False) -> None:
    """Try the answer that the notebook's names hold now, and print what came of it.

    Without a name: the points of the notebook's answers so far, and what is still open.
    trace: print also where in the answer an error arose
    """
    scope = sys._getframe(1).f_globals
    marks = scope.setdefault(MARKS, {})
    if isinstance(name, str) and name == "":
        group = beside(next(iter(marks), ""))  # of a further notebook, once one was checked there
        read = sum(e.points for e in group.values() if not e.by_machine)
        rest = _("A person reads texts and the experiment: {points} points.", points=read)
        _print([*_still_open(marks, group), progress(marks, group), rest, *_hints_taken()])
    elif _is_asked(name):
        try:
            marks[name], lines = examine(name, scope, ASKED[name], trace)
        except Exception as error:  # an object that cannot even be looked at
            said = _(
                "{name}: {answer} cannot be checked ({error}).",
                name=name, answer=ASKED[name].name, error=type(error).__name__,
            )  # fmt: skip
            marks[name], lines = 0, [said]
        _print([*lines, progress(marks, beside(name))])


def _print(lines: Sequence[Message]) -> None:
    """Print some messages, a line each."""
    print(*lines, sep="\n")


def _is_asked(name: Any) -> bool:
    """Say whether there is an exercise of a name, which may be anything; if not, print so."""
    if isinstance(name, str) and name in ASKED:
        return True
    near = difflib.get_close_matches(name, ASKED, 1) if isinstance(name, str) else []
    if near:
        print(
            _("There is no exercise {name}. Do you mean {near!r}?", name=_shown(name), near=near[0])
        )
    else:
        print(_("There is no exercise {name}.", name=_shown(name)))
    return False


def _shown(value: Any) -> str:
    """Return a value in one short line, whatever it is."""
    return " ".join(reprlib.repr(value).split())


def _still_open(marks: dict[str, float | None], group: dict[str, Exercise]) -> list[Message]:
    """Return a line that names the answers that have not all their points; none if all have."""
    asked = [name for name, e in group.items() if e.by_machine]
    left = [n for n in asked if marks.get(n, 0) is not None and marks.get(n, 0) < group[n].points]
    return [_("Still open: {names}.", names=left)] if left else []


def examine(
    name: str, scope: dict[str, Any], exercise: Exercise, trace: bool = False
) -> tuple[float | None, list[Message]]:
    """Return the points of an answer (None: recorded, and marked later), and what to say of it."""
    if not exercise.name:
        return 0, [_("{name}: your teacher reads it; there is nothing to check.", name=name)]
    if slip := signs.slip(_last_run(name, scope)):  # whatever an earlier run has left
        return 0, [slip.told(SLIP, name=name)]
    if exercise.name not in scope:
        missing = Message(NOT_THERE, name=name, wanted=exercise.name)
        return 0, [_fault_of_cell(name, scope) or missing]
    answer = scope[exercise.name]
    if exercise.kind == "code":
        return _examine_code(name, scope, exercise, trace)
    if answer is None or answer is ...:
        return 0, [Message(NOT_STARTED, name=name)]
    if exercise.kind == "choice":
        answer = letter(answer)
        if not (isinstance(answer, str) and answer in [*exercise.key]):
            return 0, [_no_choice(name, answer, exercise)]
    if exercise.kind == "number" and not in_range(answer, catalogue.ANY_NUMBER):
        return 0, [_no_number(name, answer)]
    if exercise.kind == "guess":
        good, said = _look_at_guess(name, answer, scope)
        if good:
            return exercise.points, [Message(RECORDED, name=name), *said]
        return 0, said or [Message(NOT_STARTED, name=name)]
    value = f"{plain(answer)}"
    return None, [
        _("{name}: recorded ({value}). Your teacher will mark it.", name=name, value=value)
    ]


def _no_choice(name: str, answer: Any, exercise: Exercise) -> Message:
    return _(
        "{name}: {value} is no answer. Choose one of {letters}.",
        name=name, value=_shown(answer), letters=[f'"{one}"' for one in exercise.key],
    )  # fmt: skip


def _no_number(name: str, answer: Any) -> Message:
    if meant := _with_point(answer):
        return _(
            "{name}: {value} is no number; write a point, not a comma: {meant}.",
            name=name, value=_shown(answer), meant=meant,
        )  # fmt: skip
    return _("{name}: {value} is no number.", name=name, value=_shown(answer))


def _with_point(value: Any) -> str:
    """Return a number that stands there with a comma, a pair to Python, with a point; else ""."""
    match value:
        case (int(whole), int(rest)) if isinstance(value, tuple) and rest >= 0:
            return f"{whole}.{rest}"
    return ""


# ── Code ────────────────────────────────────────────────────────────────────────────────────────


def _examine_code(
    name: str, scope: dict[str, Any], exercise: Exercise, trace: bool
) -> tuple[float, list[Message]]:
    """Try a student's function."""
    function, most = scope[exercise.name], exercise.points
    if not callable(function):
        what = kind(function)
        return 0, [Message(NO_FUNCTION, name=name, wanted=exercise.name, what=what)]
    if _is_elsewhere():
        return 0, [Message(ELSEWHERE, name=name)]
    attempts, judgement = trials.judged(name, function)
    if any(unwritten(attempt) == name for attempt in attempts):
        return 0, [_why_unwritten(name, function, scope)]
    points = judgement.points(exercise)
    if all(judgement.right):
        return points, [Message(RIGHT, name=name, points=most, most=most, inputs=len(attempts))]
    more = judgement.messages
    if trace and not any(attempt.error == STOPPED for attempt in attempts):
        place = judgement.right.index(False)
        more += trials.traceback(function, TASKS[name], place, scope) or [_("No error was raised.")]
    more.append(_('hint("{name}") gives a hint, case("{name}") returns these inputs.', name=name))
    indented = [Message("  {line}", line=line) for line in more]
    return points, [Message(NOT_YET, name=name, points=points, most=most), *indented]


def _is_elsewhere() -> bool:
    """Say whether the notebook makes its tensors on a GPU, say, where no input of a check is."""
    return torch.get_default_device().type != "cpu"


def _why_unwritten(name: str, function: Any, scope: dict[str, Any]) -> Message:
    """Return in words why a function still raises what its stub does."""
    if fault := _fault_of_cell(name, scope):
        return fault
    sources = (_last_run(name, scope), _source_of(function))
    empty = all(answer_cells.is_empty(source, ASKED[name]) for source in sources)
    return Message(NOT_STARTED if empty else STILL_THERE, name=name)


def _fault_of_cell(name: str, scope: dict[str, Any]) -> Message | None:
    """Return in words why an answer's cell, as it was last run, has not given its name."""
    source, wanted = _last_run(name, scope), ASKED[name].name
    if line := answer_cells.unreadable(source):
        return Message(UNREADABLE, name=name, line=line)
    given = answer_cells.names(source)[0]
    if given and wanted not in given:
        (nearest,) = difflib.get_close_matches(wanted, given, 1, cutoff=0)
        return Message(OTHER_NAME, name=name, given=nearest, wanted=wanted)
    return None


def _last_run(name: str, scope: dict[str, Any]) -> str:
    """Return the source of an answer's cell as it was last run in this kernel; "" if it was not."""
    history = scope.get("_ih")  # IPython's
    for source in reversed(history if isinstance(history, list) else []):
        heading = answer_cells.HEADING.match(str(source))
        if heading and heading[1] == name:
            return str(source)
    return ""


def _source_of(function: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):  # of what was not written in a cell
        return ""


# ── Help ────────────────────────────────────────────────────────────────────────────────────────


def hint(name: str) -> None:
    """Print the first hint to an exercise; called again, the next one."""
    if not _is_asked(name):
        return
    if not (steps := hints.of(name).hints):
        print(_("{name}: there is no hint.", name=name))
        return
    taken = sys._getframe(1).f_globals.setdefault(TAKEN, {})
    taken[name] = number = min(taken.get(name, 0) + 1, len(steps))
    step = Message(steps[number - 1])  # a text of the catalogue
    print(_("{name}, hint {n} of {all}: {hint}", name=name, n=number, all=len(steps), hint=step))
    if config.hints_are_recorded():
        kept = _read(RECORD, ["id", "hints"])
        most = max([number, *kept.loc[kept["id"] == name, "hints"]])  # also of another day
        _keep(RECORD, name, pd.DataFrame({"id": [name], "hints": [most]}))


def _hints_taken() -> list[Message]:
    """Return a line that names the hints that were taken; none if they are not recorded."""
    if not config.hints_are_recorded():
        return []
    kept = _read(RECORD, ["id", "hints"])
    each = [f"{name} ({number})" for name, number in zip(kept["id"], kept["hints"], strict=True)]
    return [_("Hints taken: {hints}.", hints=each) if each else _("Hints taken: none.")]


def case(name: str) -> tuple[Any, ...] | None:
    """Return the arguments of the first call that an answer fails, of the first if it fails none.

    They are made anew each time. Where an example calls a function several times, they are those of
    its last call.
    """
    if not _is_asked(name):
        return None
    if name not in TASKS:
        print(_("{name}: it asks for no function.", name=name))
        return None
    if _is_elsewhere():
        print(Message(ELSEWHERE, name=name))
        return None
    function, task = sys._getframe(1).f_globals.get(ASKED[name].name), TASKS[name]
    right = trials.judged(name, function)[1].right if callable(function) else [False]
    place = 0 if all(right) else right.index(False)
    label = trials.example(task, place).label
    expected = task.solution(*trials.arguments(task, place))
    arguments = trials.arguments(task, place)
    said = {"name": name, "input": label, "arguments": _named(arguments, function)}
    wanted = ASKED[name].name
    if expected is None:
        said["then"] = _(
            "{function} changes what it is given, and returns nothing.", function=wanted
        )
    else:
        result = _in_short(expected, numbers=4)
        said["then"] = _("{function} should return {result}.", function=wanted, result=result)
    if all(right):
        print(_("{name} is right. Tried with {input}. case returns {arguments}. {then}", **said))
    else:
        print(
            _(
                "{name} is not right yet. Tried with {input}. case returns {arguments}. {then}",
                **said,
            )
        )
    return arguments


def _named(arguments: tuple[Any, ...], function: Any) -> str:
    """Return arguments in short, each with the name that a function has for it."""
    shown = [_in_short(argument) for argument in arguments]
    try:
        names = [*inspect.signature(function).parameters]
    except (TypeError, ValueError):  # it is none, or does not tell
        names = []
    if len(names) >= len(shown):
        shown = [f"{name} {text}" for name, text in zip(names, shown, strict=False)]
    return ", ".join(shown)


def _in_short(value: Any, numbers: int = 0) -> str:
    """Return an argument or a result as a part of a line.

    numbers: how many of a tensor, or an array, are shown; else its shape
    """
    if isinstance(value, torch.Tensor | np.ndarray):
        some = torch.as_tensor(value).detach().flatten().tolist()
        more = ", ..." if len(some) > numbers else ""
        first = ", ".join(f"{number:.4g}" for number in some[:numbers])
        return f"{tuple(value.shape)}" + (f" [{first}{more}]" if numbers else "")
    if isinstance(value, tuple | list) and not all(isinstance(part, int) for part in value):
        return f"({', '.join(_in_short(part, numbers) for part in value)})"
    if callable(value) or type(value).__module__.startswith(("lab.", "torch.")):
        return getattr(value, "__name__", type(value).__name__).lstrip("_")
    return f"{value:.6g}" if isinstance(value, float) else _shown(value)


# ── Points and predictions ──────────────────────────────────────────────────────────────────────


def progress(marks: dict[str, float | None], group: dict[str, Exercise] = LAB) -> Message:
    """Return a bar of the points reached so far, of those that a check can give in a group."""
    reached = sum(points for name, points in marks.items() if points and name in group)
    total = sum(e.points for e in group.values() if e.kind in ("code", "guess"))
    recorded = sum(points is None for name, points in marks.items() if name in group)
    filled = int(20 * reached / max(total, 1))  # a notebook may ask for texts alone
    bar = "#" * filled + "-" * (20 - filled)
    said = {"bar": bar, "points": reached, "most": total}
    if recorded:
        return _(
            "[{bar}] {points:.3g} of {most} points; {recorded} recorded", **said, recorded=recorded
        )
    return _("[{bar}] {points:.3g} of {most} points", **said)


def guess(name: str, outcome: Any = None) -> Any:
    """Return the guess that the notebook's names hold, None if there is none that can be drawn.

    name:    as the notebook's variable has it: "six" for guess_six
    outcome: what came of it, of the same form; kept beside the guess for the student's report.
    """
    scope = sys._getframe(1).f_globals
    name = f"guess-{name}"
    exercise = ASKED[name]
    value = plain(scope.get(exercise.name))
    is_guess, said = _look_at_guess(name, value, scope)
    scope.setdefault(MARKS, {})[name] = exercise.points if is_guess else 0
    if outcome is not None:
        _keep_guess(name, value if is_guess else None, outcome)
    if said:
        _print(said)
    return value if is_guess else None


def _look_at_guess(name: str, value: Any, scope: dict[str, Any]) -> tuple[bool, list[Message]]:
    """Say whether a prediction is one, and return what there is to say of it, a line or none."""
    wanted = ASKED[name].key
    if not in_range(value, wanted):
        empty = all(part is None or part is ... for part in _parts(value))
        return False, [] if empty else [_no_guess(name, value)]
    if _is_share(value, wanted):
        share = _(
            "{name}: {value} is read in per cent. If a share was meant: 0.8 is 80.",
            name=name, value=_shown(value),
        )  # fmt: skip
        return True, [share]
    review = scope.get("my_review") if wanted is str else None  # the text that is judged
    if isinstance(review, str) and not _stands_in(value.strip(), review):
        value = _shown(value)
        return True, [_("{name}: {value} does not stand in my_review.", name=name, value=value)]
    return True, []


def _stands_in(word: str, text: str) -> bool:
    """Say whether a word, and not only a part of another one, stands in a text."""
    return bool(re.search(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])", text, re.IGNORECASE))


def _parts(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else [value]


def _is_share(value: Any, allowed: Any) -> bool:
    """Say whether a share seems to be written where per cent are asked: nothing above 1."""
    in_percent = all(bounds == catalogue.PERCENT for bounds in _parts(allowed))
    parts = _parts(value)
    return in_percent and (0 < max(parts) <= 1 or any(0 < part < 1 for part in parts))


def _no_guess(name: str, value: Any) -> Message:
    """Return in words what a guess should have been."""
    wanted, parts = ASKED[name].key, []
    if isinstance(wanted, dict):
        parts = [*wanted]
        if isinstance(value, dict) and set(value) == set(wanted):  # the first part that is wrong
            value = next(value[p] for p, bounds in wanted.items() if not in_range(value[p], bounds))
        wanted = next(iter(wanted.values()))
    said = {"name": name, "value": _shown(value), "asked": _asked_for(wanted, parts)}
    match value:
        case (int(low), int(high)) if wanted is not str and isinstance(value, tuple) and low < high:
            return _(
                "{name}: {value} is no prediction; one number is asked for, no range. {asked}",
                **said,
            )
    if meant := _with_point(value):
        return _(
            "{name}: {value} is no prediction; write a point, not a comma: {meant}. {asked}",
            **said, meant=meant,
        )  # fmt: skip
    return _("{name}: {value} is no prediction. {asked}", **said)


def _asked_for(wanted: Any, parts: list[str]) -> Message:
    """Return in words what a prediction is: a word, or a number, for each of some parts."""
    if wanted is str:
        return _("Write a word, as text.")
    low, high = wanted
    if parts:
        return _(
            "Write a number from {low:g} to {high:g} for each of {parts}.",
            low=low, high=high, parts=parts,
        )  # fmt: skip
    return _("Write a number from {low:g} to {high:g}.", low=low, high=high)


def _keep_guess(name: str, value: Any, outcome: Any) -> None:
    """Write a guess and its outcome into the table of predictions."""
    parts = dict(outcome) if hasattr(outcome, "items") else {"": outcome}
    guesses = value if isinstance(value, dict) else dict.fromkeys(parts, value)
    rows = [(name, part, guesses.get(part), result) for part, result in parts.items()]
    new = pd.DataFrame(rows, columns=["id", "part", "guess", "outcome"])
    _keep(OUTCOMES, name, new)


def _keep(table: str, name: str, new: pd.DataFrame) -> None:
    """Write the rows of an exercise into a table, in the place of those that it had."""
    old = _read(table, list(new))
    others = old[old["id"] != name]
    try:
        files.write_table(table, pd.concat([others, new]) if len(others) else new)
    except config.LabError as error:
        why = error.args[0]
        print(_("{name}: not kept for your report. {why}", name=name, why=why))


def _read(table: str, columns: list[str]) -> pd.DataFrame:
    """Return a table; an empty one if there is none, or one of another version of the lab."""
    try:
        old = files.read_table(table, config.output_folder())
    except config.LabError:
        old = pd.DataFrame(columns=columns)
    return old if list(old) == columns else pd.DataFrame(columns=columns)
