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
    plural,
    points_of,
    readings_of,
    score_of,
    told_of,
)
from grading.marking import Mark
from grading.pages import rendering, rubric
from lab.base import i18n
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
    say = functools.partial(i18n.sentence, language=one.result.language)
    title = ("#", one.student)
    flags = [("*", say(flag)) for flag in told_of(one)]
    if score_of(one) is None:
        return [[title], [("", say("Not graded:")), *flags]]
    score = [("", say(f"{number(final_of(one))} of {MOST} points so far."))]
    if one.late:
        late = f"{plural(one.late.days, 'day')} late, points taken off: {number(penalty_of(one))}."
        score.append(("", say(late)))
    if late := override_of(one, "late"):
        less = f"Taken for lateness, set by your teacher: {number(late.points)} ({late.reason})"
        score.append(("", say(less)))
    told, right, waiting = [[title], [*score, *flags]], [], []
    for name, mark in one.result.marks.items():
        points, lines = points_of(one, name), [*_lines(one, name, mark)]
        if points == mark.most:
            right.append(name)
        if points is None and not lines:
            waiting.append(name)
        elif points is None or points < mark.most or lines:
            got = "to be read" if points is None else f"{number(points)} of {mark.most} points"
            told.append([("##", f"{name}: {say(got)}"), *(("*", say(line)) for line in lines)])
    read = [[("", say(f"Still to be read: {', '.join(waiting)}."))]] if waiting else []
    return [*told, *read, [("", say(f"Right: {', '.join(right) or 'nothing yet'}."))]]


def _lines(one: Graded, name: str, mark: Mark) -> Iterator[str]:
    """Yield what is said of an exercise: by a person who set its points, by checks, by readers.

    A person's points stand in the place of what checks and criteria say. Where readers disagree,
    nothing of theirs is told.
    """
    override, read = override_of(one, name), readings_of(one, name)
    if override:
        yield f"Points set by your teacher: {override.reason}"
    else:
        yield from mark.lines
        yield from (f"Hint: {step}" for step in hints.of(name).hints[-1:] if mark.lines)
    if len({reading.points for reading in read} - {None}) > 1:
        return
    yield from (f"Comment: {reading.comment}" for reading in read if reading.comment.strip())
    if not override and name in one.by_hand:
        yield from _reasons(name, mark.most, one.by_hand[name], read)


def _reasons(name: str, most: float, points: float, read: Sequence[Reading]) -> Iterator[str]:
    """Yield which criteria of the rubric a text has points for, and which not if some are lost."""
    letters = next((one.criteria for one in read if one.criteria), "").split("+")
    criteria = _rubric().of(name).criteria
    total = sum(one.points for one in criteria if one.letter in letters)
    given = "Given for: " if points >= total else "Given in part for: "
    lost = "Not given for: " if points <= total else "Not given, or in part, for: "
    for one in criteria:
        if one.letter in letters or points < most:
            yield (given if one.letter in letters else lost) + one.plain


@functools.cache
def _rubric() -> rubric.Rubric:
    return rubric.read()
