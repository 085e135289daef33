"""What a task consists of, and what the tasks of several chapters need."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from lab.base.messages import _
from lab.exercises import harness
from lab.exercises.harness import Function

BLOCKS = {"RNN": 1, "GRU": 3, "LSTM": 4}  # of H rows each, in the weights of a cell


class Example(NamedTuple):
    """The arguments of one call of a student's function, and in words what is special about it.

    label: a message that goes on after "Tried with"
    trap:  what to say where nothing but examples with a trap are wrong, in a sentence
    """

    label: str
    arguments: tuple[Any, ...]
    trap: str = ""


@dataclass(frozen=True)
class Task:
    """How an exercise is tried.

    make_inputs:    from a generator, the examples
    solution:       the lab's version
    known_mistakes: what is wrong, as a message without full stop -> a function that is wrong so
    run:            calls a function with the arguments of an example; one of `harness.py`
    parts:          what to call the parts of what `run` returns, where these are several
    learns:         what to call the arguments where `run` returns gradients too
    forbidden:      of what is called in PyTorch, a pattern of names that would be the answer
    instead:        what to do then, in a sentence that goes on after a colon
    refused:        what to say of it, with the function's name, what it used, and what to do
    near:           the share of the points that is left to some of the known mistakes
    equals:         the sentence that names a known mistake
    """

    make_inputs: Callable[[Generator], list[Example]]
    solution: Function
    known_mistakes: Mapping[str, Function] = field(default_factory=dict)
    run: Function = harness.call
    parts: tuple[str, ...] = ()
    learns: tuple[str, ...] = ()
    forbidden: str = ""
    instead: str = ""
    refused: str = _("{name} calls torch's {used}: {instead}")
    near: Mapping[str, float] = field(default_factory=dict)
    equals: str = _("What comes back equals {mistake}.")

    def forbids(self, name: str) -> bool:
        """Say whether what PyTorch has under a name would be the answer."""
        return bool(self.forbidden and re.search(self.forbidden, name))

    def leaves(self, example: Example) -> list[str]:
        """Return what to call each tensor that learns, in the order of its gradients."""
        names = []
        for name, argument in zip(self.learns, example.arguments, strict=False):
            count = len([*harness.floats([argument])])
            many = isinstance(argument, tuple)
            names += [f"{name}[{i}]" for i in range(count)] if many else [name] * count
        return names


def random_weights(generator: Generator, cell: str, inputs: int, units: int) -> tuple[Tensor, ...]:
    """Return w_ih (gH, E), w_hh (gH, H), b_ih and b_hh (gH,) of a layer with g blocks."""
    shapes = ((inputs,), (units,), (), ())
    return tuple(torch.randn(BLOCKS[cell] * units, *s, generator=generator) for s in shapes)


def all_states(cell: Function, x: Tensor, state: Any, weights: Any) -> list[Any]:
    """Return the first state, and the whole one that a cell returns at each step of x (T, B, E)."""
    return list(itertools.accumulate(x, lambda s, step: cell(step, s, *weights), initial=state))
