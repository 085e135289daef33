"""A hand-in's answers, tried behind a wall, by programs that serve one hand-in after another."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from grading.sandbox import faults
from grading.sandbox.program import Program, cell

MOST_ENDED = 2  # calls of an answer; the others are not tried any more
Reply = dict[str, Any]  # also a question; see `child.py`


class Sandbox:
    """Programs behind a wall, at most so many at once; each serves hand-in after hand-in."""

    def __init__(self, wall: str, programs: int = 1) -> None:
        """wall: "bwrap", "landlock" or "none". A program starts when it is first needed."""
        self.wall, self.programs = wall, programs
        self._idle: list[Program] = []
        self._places, self._turn = threading.Semaphore(programs), threading.Lock()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def take(self) -> Program:
        """Return a program that has begun with a hand-in. Raises Dead if it does not start."""
        program = self._idle.pop() if self._idle else Program(self.wall)
        program.begin()
        return program

    def give_back(self, program: Program) -> None:
        """Take back a program after a hand-in; the next begins with nothing of it."""
        if program.is_alive() and program.finish():
            self._idle.append(program)
        else:
            program.close()

    @contextlib.contextmanager
    def turn(self, alone: bool) -> Iterator[None]:
        """Wait until something can be tried: beside others, or while nothing else is."""
        places = self.programs if alone else 1
        with self._turn:  # of two who want all places, none takes half
            for _ in range(places):
                self._places.acquire()
        try:
            yield
        finally:
            for _ in range(places):
                self._places.release()

    def close(self) -> None:
        """End all programs that wait."""
        while self._idle:
            self._idle.pop().close()


@contextlib.contextmanager
def opened(wall: str | Sandbox) -> Iterator[Sandbox]:
    """Give a sandbox as it is, and stay with it; of a wall's name make one, and close it."""
    if isinstance(wall, Sandbox):
        yield wall
    else:
        with Sandbox(wall) as sandbox:
            yield sandbox


class Answers:
    """The answers of a hand-in, tried one by one. Use it as a context; then read `flags`."""

    def __init__(
        self,
        sandbox: Sandbox,
        sources: dict[str, str],
        before: Callable[[str], list[str]],
        seed: int,
    ) -> None:
        """sources: exercise -> source of its cell, in Python; seed: of the inputs;

        before: exercise -> the statements of other cells that its cell needs
        """
        self.sandbox, self.sources, self.before, self.seed = sandbox, sources, before, seed
        self.flags: list[str] = []  # what was ended, for a person to look at
        self._program: Program | None = None

    def __enter__(self) -> Answers:
        return self

    def __exit__(self, *error: object) -> None:
        if self._program is not None:
            self.sandbox.give_back(self._program)

    def try_out(self, name: str, questions: list[Reply]) -> tuple[str, list[Reply]]:
        """Execute an answer's cell, and before it what it needs of others, and ask.

        Returns what is wrong with the cell itself, "" if nothing, and an answer for each question.
        Where a call is ended, it is tried once more alone, and then the others are. Raises Dead if
        no program starts.
        """
        before = self.before(name)
        fault, replies, ended, tries = "", [], 0, 0
        while len(replies) < len(questions) and ended < MOST_ENDED:
            first = cell(name, self.sources[name], before)
            some, why = self._ask([first, *questions[len(replies) :]], alone=tries == 1)
            tries += bool(why) or tries == 1
            fault = some[0].get("error") or "" if some else why
            replies += some[1:]
            if why and tries == 1:
                self.flags.append(f"{name}: {why}; tried once more, alone")
            elif why and before and not some:  # what it needs takes too long
                before = []
            elif why:
                replies.append({"error": faults.ended(why)})
                ended += 1 if some else MOST_ENDED
        replies += [{"error": faults.NOT_TRIED}] * (len(questions) - len(replies))
        return fault, replies

    def _ask(self, questions: list[Reply], alone: bool) -> tuple[list[Reply], str]:
        """Ask in a copy of its own; return the replies, and why they end before the questions."""
        with self.sandbox.turn(alone):
            if self._program and not self._program.is_alive():
                self.sandbox.give_back(self._program)
                self._program = None
            if not self._program:
                self._program = self.sandbox.take()
            return self._program.try_out(questions)
