"""What a task consists of, and what the tasks of several chapters need."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from lab.exercises import harness
from lab.exercises.harness import Function

BLOCKS = {"RNN": 1, "GRU": 3, "LSTM": 4}  # of H rows each, in the weights of a cell


class Example(NamedTuple):
    """The arguments of one call of a student's function, and in words what is special about it."""

    label: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Task:
    """How an exercise is tried.

    make_inputs:    from a generator, the examples
    solution:       the lab's version
    known_mistakes: what is wrong, in words -> a function that is wrong in this way
    run:            calls a function with the arguments of an example; one of `harness.py`
    forbidden:      names of PyTorch's functions that would be the answer -> what to write instead
    parts:          what to call the parts of what `run` returns, where these are several
    """

    make_inputs: Callable[[Generator], list[Example]]
    solution: Function
    known_mistakes: Mapping[str, Function] = field(default_factory=dict)
    run: Function = harness.call
    forbidden: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[str, ...] = ()


def random_weights(generator: Generator, cell: str, inputs: int, units: int) -> tuple[Tensor, ...]:
    """Return w_ih (gH, E), w_hh (gH, H), b_ih and b_hh (gH,) of a layer with g blocks."""
    shapes = ((inputs,), (units,), (), ())
    return tuple(torch.randn(BLOCKS[cell] * units, *s, generator=generator) for s in shapes)


def all_states(cell: Function, x: Tensor, state: Any, weights: Any) -> list[Any]:
    """Return the first state, and the whole one that a cell returns at each step of x (T, B, E)."""
    return list(itertools.accumulate(x, lambda s, step: cell(step, s, *weights), initial=state))
