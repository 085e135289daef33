"""Hints in steps, and a worked example for each function: what `hints.toml` has of an exercise.

A hint is shown when it is asked for, and the next one when it is asked for again. An example stands
in the student's stub; a test compares it with what the lab's own version gives.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lab.base.messages import _


class Help(NamedTuple):
    """What helps with an exercise; the file says what each part is."""

    hints: tuple[str, ...] = ()
    example: str = ""
    result: str = ""
    how: str = ""
    handed_out: str = ""


@functools.cache
def everything() -> dict[str, Help]:
    """Return what there is for each exercise, by its id."""
    text = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    return {name: Help(**entry) for name, entry in tomllib.loads(text).items()}


def of(name: str) -> Help:
    """Return what there is for an exercise, which may be nothing."""
    return everything().get(name, Help())


def example_lines(name: str, say: Callable[[str], str]) -> list[str]:
    """Return an exercise's example as lines. say: puts words into the language of an edition."""
    example = of(name)
    how = "\n".join(map(say, example.how.split("\n")))
    outcome = f"-> {example.result}" + (f"  ({how})" if how else "")
    lines = [*map(say, example.example.split("\n")), outcome]
    head = say(_("Example (lists stand for tensors and arrays):"))
    return [head, *(f"  {line}" for line in lines)]
