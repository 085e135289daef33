"""What a student is told: each exercise, its points, why some are lost, what a reader wrote."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence

from grading.graded import (
    MOST,
    Graded,
    Reading,
    final_of,
    number,
    override_of,
    penalty_of,
    plain,
    points_of,
    readings_of,
    score_of,
    told_of,
)
from grading.marking import Mark
from grading.pages import rendering, rubric
from lab.base.messages import Message, _, say
from lab.exercises.help import hints

Lines = list[tuple[str, str]]  # (what Markdown writes before a line, its text)


def in_markdown(one: Graded) -> str:
    """Return the feedback in Markdown, in which nothing that anybody wrote starts anything."""
    parts = (
        "\n".join(f"{mark} {_in_line(text)}".lstrip() for mark, text in lines)
        for lines in sections(one)
    )
    return rendering.clean("\n\n".join(parts) + "\n")


def in_html(one: Graded) -> str:
    """Return the feedback as a page, in which nothing runs."""
    return rendering.page("feedback", one.student, one.result.language, sections=sections(one))


def _in_line(text: str) -> str:
    """Return a text for a line of Markdown, where it can start nothing."""
    return re.sub(r"([\\`*_{}\[\]<>#|!$~&])", r"\\\1", " ".join(plain(text).split()))


def sections(one: Graded) -> list[Lines]:
    """Return the sections of the feedback, each a list of lines, in the student's language."""
    language = one.result.language
    return [
        [(mark, say(text, language) if isinstance(text, Message) else text) for mark, text in lines]
        for lines in _sections(one)
    ]


def _sections(one: Graded) -> list[Lines]:
    """Return them as messages; what somebody wrote, and what Python says, are plain texts."""
    title = ("#", one.student)
    flags = [("*", flag) for flag in told_of(one)]
    if score_of(one) is None:
        return [[title], [("", _("Not graded:")), *flags]]
    told, right, waiting = [[title], [*_score(one), *flags]], [], []
    for name, mark in one.result.marks.items():
        points, lines = points_of(one, name), [*_lines(one, name, mark)]
        if points == mark.most:
            right.append(name)
        if points is None and not lines:
            waiting.append(name)
        elif points is None or points < mark.most or lines:
            told.append([("##", _heading(name, points, mark)), *(("*", line) for line in lines)])
    read = [[("", _("Still to be read: {names}.", names=waiting))]] if waiting else []
    good = _("Right: {names}.", names=right) if right else _("Right: nothing yet.")
    return [*told, *read, [("", good)]]


def _score(one: Graded) -> Iterator[tuple[str, Message]]:
    """Yield the points, and what is taken of them."""
    yield "", _("{points} of {most} points so far.", points=number(final_of(one)), most=MOST)
    if one.late:
        taken = number(penalty_of(one))
        if one.late.days == 1:
            yield "", _("1 day late, points taken off: {points}.", points=taken)
        else:
            days = one.late.days
            yield "", _("{days} days late, points taken off: {points}.", days=days, points=taken)
    if late := override_of(one, "late"):
        yield "", _(
            "Taken for lateness, set by your teacher: {points} ({reason})",
            points=number(late.points), reason=late.reason,
        )  # fmt: skip


def _heading(name: str, points: float | None, mark: Mark) -> Message:
    if points is None:
        return _("{name}: to be read", name=name)
    return _("{name}: {points} of {most} points", name=name, points=number(points), most=mark.most)


def _lines(one: Graded, name: str, mark: Mark) -> Iterator[str]:
    """Yield what is said of an exercise: by a person who set its points, by checks, by readers.

    A person's points stand in the place of what checks and criteria say. Where readers disagree,
    nothing of theirs is told.
    """
    override, read = override_of(one, name), readings_of(one, name)
    if override:
        yield _("Points set by your teacher: {reason}", reason=override.reason)
    else:
        yield from mark.lines
        steps = hints.of(name).hints[-1:] if mark.lines else ()
        yield from (_("Hint: {hint}", hint=_(step)) for step in steps)
    if len({reading.points for reading in read} - {None}) > 1:
        return
    comments = (reading.comment for reading in read if reading.comment.strip())
    yield from (_("Comment: {comment}", comment=comment) for comment in comments)
    if not override and name in one.by_hand:
        yield from _reasons(name, mark.most, one.by_hand[name], read)


def _reasons(name: str, most: float, points: float, read: Sequence[Reading]) -> Iterator[Message]:
    """Yield which criteria of the rubric a text has points for, and which not if some are lost."""
    letters = next((one.criteria for one in read if one.criteria), "").split("+")
    criteria = _rubric().of(name).criteria
    total = sum(one.points for one in criteria if one.letter in letters)
    for one in criteria:
        what = _(one.plain)
        if one.letter in letters and points >= total:
            yield _("Given for: {what}", what=what)
        elif one.letter in letters:
            yield _("Given in part for: {what}", what=what)
        elif points < most and points <= total:
            yield _("Not given for: {what}", what=what)
        elif points < most:
            yield _("Not given, or in part, for: {what}", what=what)


@functools.cache
def _rubric() -> rubric.Rubric:
    return rubric.read()
