"""What a teacher wants to know of a class: points, hard exercises, mistakes, whom to look at."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from grading.graded import ASKED_BY_HAND, Graded, points_of, score_of
from grading.pages import rendering
from grading.similarity import Alike
from lab.exercises.catalogue import LAB


def in_html(everybody: Sequence[Graded], alike: Sequence[Alike] = ()) -> str:
    """Return summary.html. alike: whose answers are, as `similarity.find` has it."""
    ones = [one for one in everybody if score_of(one) is not None]
    flagged = [(one.student, one.file, [*one.result.flags, *one.notes]) for one in everybody]
    return rendering.page(
        "summary", "Summary", everybody=everybody, graded=ones,
        scores=_distribution([score_of(one) for one in ones]),
        exercises=_hardest(ones), mistakes=_mistakes(ones), challenge=_ranking(ones),
        flagged=[(*whose, "; ".join(flags)) for *whose, flags in flagged if flags],
        alike=[
            (one.kind, ", ".join(one.who), len(one.exercises), ", ".join(one.exercises))
            for one in alike
        ],
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
