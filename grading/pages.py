"""What a teacher and students get as pages: feedback, a summary, and what a person must read.

The pages stand in `templates`. They are whole in themselves: no network, no script of others.
Whatever is put into them is escaped, cut, and without control characters.
"""

from __future__ import annotations

import functools
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from grading import graded, key, marking, similarity
from grading.graded import ASKED_BY_HAND, MOST, Graded, number, plain, points_of, score_of
from lab.base import files, i18n
from lab.config import ROOT
from lab.exercises.catalogue import LAB
from lab.exercises.help import hints

Lines = list[tuple[str, str]]  # (what Markdown writes before a line, its text)


def write(everybody: Sequence[Graded], where: Path) -> None:
    """Write the table and the pages."""
    rubric = (ROOT / "course" / "rubric.md").read_text(encoding="utf-8")
    own = marking.forms_of(key.solved(), key.present())
    texts = {
        "grades.csv": graded.table(everybody),
        "summary.html": summary(everybody, own),
        "to_read.html": to_read(everybody, rubric),
    }
    for one in everybody:
        if one.name:
            texts[f"feedback/{one.name}.md"] = feedback(one)
            texts[f"feedback/{one.name}.html"] = feedback_page(one)
    for name, text in texts.items():
        files.write_atomically(where / name, text.encode("utf-8", "replace"))


def _shown(value: Any) -> Any:
    """Return what a page shows of a value; what is HTML already stays as it is."""
    return value if hasattr(value, "__html__") else plain(str(value))


TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True,
    undefined=StrictUndefined, finalize=_shown, trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip


def _page(name: str, title: str, language: str = i18n.ENGLISH, **values: Any) -> str:
    template = TEMPLATES.get_template(f"{name}.html.j2")
    return template.render(title=title, language=language, **values)


def feedback(one: Graded) -> str:
    """Return what a student is told, in Markdown: each exercise, its points, why some are lost."""
    sections = (
        "\n".join(f"{mark} {_in_line(text)}".lstrip() for mark, text in lines)
        for lines in _feedback(one)
    )
    return "\n\n".join(sections) + "\n"


def feedback_page(one: Graded) -> str:
    """Return the same as a page."""
    return _page("feedback", one.student, one.result.language, sections=_feedback(one))


def _feedback(one: Graded) -> list[Lines]:
    """Return the sections of what a student is told, in the student's language."""
    say = functools.partial(i18n.sentence, language=one.result.language)
    title = ("#", one.student)
    flags = [("*", say(flag)) for flag in graded.flags_of(one)]
    if score_of(one) is None:
        return [[title], [("", say("Not graded:")), *flags]]
    score = say(f"{number(score_of(one))} of {MOST} points so far.")
    sections, right = [[title], [("", score), *flags]], []
    for name, mark in one.result.marks.items():
        points = points_of(one, name)
        if points == mark.most:
            right.append(name)
        if points is None or points < mark.most:
            got = "to be read" if points is None else f"{number(points)} of {mark.most} points"
            hint = [f"Hint: {step}" for step in hints.of(name).hints[-1:] if mark.lines]
            lines = [("*", say(line)) for line in (*mark.lines, *hint)]
            sections.append([("##", f"{name}: {say(got)}"), *lines])
    return [*sections, [("", say(f"Right: {', '.join(right) or 'nothing yet'}."))]]


def _in_line(text: str) -> str:
    """Return a text for a line of Markdown, where it can start nothing."""
    return re.sub(r"([\\`*_{}\[\]<>#|!])", r"\\\1", " ".join(plain(text).split()))


def summary(everybody: Sequence[Graded], own: dict[str, str]) -> str:
    """Return summary.html. own: exercise -> the form of the lab's own answer."""
    ones = [one for one in everybody if score_of(one) is not None]
    groups = similarity.groups({one.name: one.result.forms for one in ones}, own)
    flagged = [one for one in everybody if one.result.flags]
    return _page(
        "summary", "Summary", everybody=everybody, graded=ones,
        scores=_distribution([score_of(one) for one in ones]),
        exercises=_hardest(ones), mistakes=_mistakes(ones), challenge=_ranking(ones),
        flagged=[(one.student, one.file, "; ".join(one.result.flags)) for one in flagged],
        alike=[(", ".join(names), len(shared), ", ".join(shared)) for names, shared in groups],
    )  # fmt: skip


def _distribution(scores: Sequence[float]) -> list[tuple[str, int, float]]:
    """Return for each ten points how many have them, and how long its bar is, in rem."""
    counts = Counter(min(int(score // 10), 9) for score in scores)
    longest = max(counts.values(), default=1)
    ends = [*range(9, 99, 10), 100]
    return [(f"{10 * i}–{end}", counts[i], 20 * counts[i] / longest) for i, end in enumerate(ends)]


def _ranking(ones: Sequence[Graded]) -> list[tuple[str, str]]:
    """Return who says what of the challenge, the best first."""
    said = [(one.result.challenge, one.student) for one in ones if one.result.challenge is not None]
    return [(student, f"{accuracy:.1f} %") for accuracy, student in sorted(said, reverse=True)]


def _hardest(ones: Sequence[Graded]) -> list[tuple[str, str, int, int, int]]:
    """Return a row for each exercise, those with the smallest share of points first."""
    rows = []
    for name, exercise in LAB.items():
        groups = [one.result.marks[name].group for one in ones if name in one.result.marks]
        points = [p for one in ones if (p := points_of(one, name)) is not None]
        read = name not in ASKED_BY_HAND or any(name in one.by_hand for one in ones)
        if points and exercise.points and exercise.kind != "guess" and read:
            share = sum(points) / len(points) / exercise.points
            full = sum(p >= exercise.points for p in points)
            rows.append((share, name, full, groups.count("empty"), len(points)))
    return [(name, f"{100 * share:.0f} %", *counts) for share, name, *counts in sorted(rows)]


def _mistakes(ones: Sequence[Graded]) -> list[tuple[str, int, str, str]]:
    """Return the commonest wrong answers of each exercise, by what they are or return."""
    who: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for one in ones:
        for name, mark in one.result.marks.items():
            if mark.group not in ("", "empty") and mark.points < mark.most:
                who[name, mark.group].append(one.student)
    rows, count = [], Counter()
    for (name, group), students in sorted(who.items(), key=lambda item: -len(item[1])):
        count[name] += 1
        if count[name] <= 5:
            rows.append((name, len(students), group, ", ".join(sorted(students)[:8])))
    return rows


def to_read(everybody: Sequence[Graded], rubric: str) -> str:
    """Return to_read.html: all students' texts, exercise by exercise, with fields for points."""
    exercises = []
    for name in ASKED_BY_HAND:
        marks = [(one, one.result.marks.get(name)) for one in everybody]
        texts = [(one, mark) for one, mark in marks if mark and mark.points is None]
        exercises.append((name, LAB[name], texts))
    return _page("to_read", "To read", rubric=rubric, exercises=exercises)
