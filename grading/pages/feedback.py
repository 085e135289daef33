"""What a student is told: each exercise, its points, why some are lost, what a reader wrote."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from grading.graded import (
    MOST,
    Graded,
    digest_of,
    final_of,
    number,
    override_of,
    penalty_of,
    plain,
    points_of,
    score_of,
    told_of,
)
from grading.marking import Mark
from grading.pages import rendering
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
        late = f"{one.late.days} days late: {number(penalty_of(one))} points less."
        score.append(("", say(late)))
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
    """Yield what is said of an exercise: by a person who set its points, by checks, by readers."""
    if override := override_of(one, name):
        yield f"Points set by your teacher: {override.reason}"
    yield from mark.lines
    yield from (f"Hint: {step}" for step in hints.of(name).hints[-1:] if mark.lines)
    text = digest_of(mark.text)  # the text that was handed in last
    for reading in one.readings:
        if (reading.exercise, reading.text) == (name, text) and reading.comment.strip():
            yield f"Comment: {reading.comment}"
