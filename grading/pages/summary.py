"""What a teacher wants to know of a class: points, hard exercises, mistakes, whom to look at."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from grading.graded import ASKED_BY_HAND, Graded, number, penalty_of, plural, score_of
from grading.pages import rendering
from grading.records import agreement, statistics
from grading.similarity import Alike
from lab.exercises.catalogue import ASKED

BINS = 12  # of a histogram of predictions
MANY = 8  # names in a cell


def in_html(everybody: Sequence[Graded], alike: Sequence[Alike] = ()) -> str:
    """Return summary.html. alike: whose answers are, as `similarity.find` has it."""
    own = [one for one in everybody if one.name and not one.partner]  # a pair is one hand-in
    ones = [one for one in own if score_of(one) is not None]
    numbers = statistics.of(everybody)
    return rendering.page(
        "summary", "Summary", heading=_heading(everybody, own), states=_states(own, ones),
        scores=_distribution([score_of(one) for one in ones]), exercises=_hardest(numbers, ones),
        mistakes=_mistakes(ones), challenge=_ranking(ones), late=_late(ones),
        histograms=[*_histograms(numbers)],
        letters=[(one.exercise, _letters(one.letters)) for one in numbers if one.letters],
        agreement=[_agreed(one) for one in agreement.of(everybody)],
        kinds=_kinds(everybody),
        flagged=[(o.student, o.file, "; ".join(_flags(o))) for o in everybody if _flags(o)],
        alike=[
            (one.kind, ", ".join(one.who), len(one.exercises), ", ".join(one.exercises))
            for one in alike
        ],
    )  # fmt: skip


def _heading(everybody: Sequence[Graded], own: Sequence[Graded]) -> str:
    """Return how many rows of grades.csv are what."""
    partners = sum(bool(one.partner) for one in everybody)
    pairs = f", {plural(partners, 'partner')} of a pair" if partners else ""
    missing = len(everybody) - len(own) - partners
    return f"{plural(len(everybody), 'row')}: {len(own)} handed in{pairs}, {missing} missing"


def _states(own: Sequence[Graded], ones: Sequence[Graded]) -> str:
    """Return what became of the hand-ins: graded is what has points."""
    look = sum(one.result.status == "review" for one in ones)
    flagged = f" ({look} of them with the status review)" if look else ""
    return f"{plural(len(own), 'hand-in')}: {len(ones)} graded{flagged}, {len(own) - len(ones)} not"


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


def _late(ones: Sequence[Graded]) -> list[tuple[str, int, str, str]]:
    """Return who was late: by how many days, what it costs, by which time."""
    late = sorted((o for o in ones if o.late), key=lambda one: (-one.late.days, one.student))
    return [(one.student, one.late.days, number(penalty_of(one)), one.time) for one in late]


def _hardest(
    numbers: Sequence[statistics.Exercise], ones: Sequence[Graded]
) -> list[tuple[str, str, int, int, int, str]]:
    """Return a row for each exercise, those with the smallest share of points first."""
    rows = []
    for one in numbers:
        read = one.exercise not in ASKED_BY_HAND or any(one.exercise in x.by_hand for x in ones)
        if one.share is not None and ASKED[one.exercise].kind != "guess" and read:
            item = "" if one.discrimination is None else f"{one.discrimination:z.2f}"
            counts = (one.right, one.empty, one.count)
            rows.append((one.share, one.exercise, f"{100 * one.share:.0f} %", *counts, item))
    return [row for _, *row in sorted(rows)]


def _histograms(
    numbers: Sequence[statistics.Exercise],
) -> Iterator[tuple[str, str, int, str, list[float], str, str]]:
    """Yield how predicted numbers are spread: count, lowest, heights of bars, highest, median.

    A wide range is divided by its logarithm.
    """
    for one in numbers:
        for part, values in one.predictions.items():
            wide = values[0] > 0 and values[-1] > 100 * values[0]
            counts, _ = np.histogram(np.log(values) if wide else values, bins=BINS)
            bars = [100 * float(count) / max(counts) for count in counts]
            low, middle, high = (number(x) for x in (values[0], np.median(values), values[-1]))
            yield one.exercise, part, len(values), low, bars, high, middle


def _letters(letters: dict[str, int]) -> str:
    return ", ".join(f"{letter}: {count}" for letter, count in letters.items())


def _mistakes(ones: Sequence[Graded]) -> list[tuple[str, int, str, str]]:
    """Return the commonest wrong answers of each exercise, by what they are or return."""
    who: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for one in ones:
        for name, mark in one.result.marks.items():
            if mark.group not in ("", "empty") and mark.points < mark.most:
                who[name, mark.group].append(one.student)
    fewest = 2 if len(ones) >= 10 else 1  # students, for a mistake to be one of a class
    rows, count = [], Counter()
    for (name, group), students in sorted(who.items(), key=lambda item: -len(item[1])):
        count[name] += 1
        if count[name] <= 5 and len(students) >= fewest:
            rows.append((name, len(students), group, _some(students)))
    return rows


def _some(students: Iterable[str]) -> str:
    """Return names, the first of many."""
    names = sorted(students)
    return ", ".join(names[:MANY]) + (f" and {len(names) - MANY} more" if names[MANY:] else "")


def _agreed(one: agreement.Agreement) -> tuple[str, int, str, str, str]:
    kappa = "" if one.kappa is None else f"{one.kappa:.2f}"
    return one.exercise, one.count, f"{100 * one.same:.0f} %", kappa, f"{one.apart:.2f}"


def _flags(one: Graded) -> list[str]:
    return [*one.result.flags, *one.notes]


def _kinds(everybody: Sequence[Graded]) -> list[tuple[str, int, str]]:
    """Return flags of one kind together: they differ in exercise, numbers and names alone."""
    who: defaultdict[str, dict[str, str]] = defaultdict(dict)  # kind -> hand-in -> student
    for one in everybody:
        for flag in _flags(one):
            who[_kind(flag)].setdefault(one.partner or one.who, one.student)
    rows = sorted(who.items(), key=lambda item: (-len(item[1]), item[0]))
    return [(kind, len(students), _some(students.values())) for kind, students in rows]


def _kind(flag: str) -> str:
    """Return what a flag has in common with others: without exercise, numbers, what is quoted."""
    head, colon, rest = flag.partition(": ")
    text = rest if head in ASKED else head if colon else flag
    return re.sub(r"'[^']*'|\S*\d\S*", "…", text)
