"""The student's own functions at work: `yours` gives those that are right, else the lab's.

Nothing that is kept depends on them: a stored run is trained by the lab's own code.
"""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from lab.base.messages import _
from lab.config import LabError
from lab.exercises import judge
from lab.exercises.catalogue import ASKED, in_range, plain
from lab.exercises.tasks import TASKS

Function = Callable[..., Any]

TEMPERATURES = (0.05, 100)  # divided by less, ln p can be too large for any way to a nucleus


def yours(*names: str) -> SimpleNamespace:
    """Return functions of the student's by their names in the notebook, and say whose they are.

    names: of exercises. Each function is tried as `check` tries it. Where it is not right yet, the
    lab's version stands in for it; so it does where yours comes to grief later.
    """
    scope, functions = sys._getframe(1).f_globals, {}
    for name in names:
        written, task = scope.get(ASKED[name].name), TASKS[name]
        right = callable(written) and _is_right(written, name)
        functions[ASKED[name].name] = _Yours(name, written if right else task.solution)
        if right:
            print(_("{name}: yours", name=name))
        else:
            print(_('{name}: the lab\'s version, until check("{name}") says right', name=name))
    return SimpleNamespace(**functions)


def _is_right(function: Function, name: str) -> bool:
    attempts = judge.try_function(function, TASKS[name], seed=0)
    return all(judge.judge(TASKS[name], attempts, 0, name).right)


class _Yours:
    """A student's function; the lab's from the moment at which it raises what that does not."""

    def __init__(self, name: str, function: Function) -> None:
        self.name, self.function = name, function

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if self.name == "nucleus":
            _check_temperature(*arguments[1:], named.get("temperature", 1.0))
        try:
            return self.function(*arguments, **named)
        except Exception as error:  # a training must not stop here
            solution = TASKS[self.name].solution
            value = solution(*arguments, **named)  # this raises where the arguments are to blame
            self.function = solution
            what = f"{type(error).__name__}: {error}"
            print(
                _(
                    "{name}: yours stopped ({error}). The lab's version goes on.",
                    name=self.name, error=what,
                )
            )  # fmt: skip
            return value


def _check_temperature(temperature: Any, *_others: Any) -> None:
    """Raise LabError for a temperature, which a reader may choose, with which nothing is drawn."""
    if not in_range(temperature, TEMPERATURES):
        low, high = TEMPERATURES
        raise LabError(
            _(
                "The temperature is {value}; it must be a number from {low:g} to {high:g}.",
                value=reprlib.repr(plain(temperature)), low=low, high=high,
            )
        )  # fmt: skip
