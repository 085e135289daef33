"""When a hand-in came, by the platform's clock, and what coming late costs."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from typing import NamedTuple

import pandas as pd

from grading.graded import Late
from lab.config import LabError

RULE = re.compile(r"(\d+(?:\.\d+)?)(?: points?)? per day(?:, (\d+) days?)?")
CHINESE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日.*?(上午|下午|)\s*(\d{1,2}):(\d{2})")
WRITTEN = re.compile(r"\d{4}-\d\d-\d\d.\d\d:\d\d.*|(?=.*[A-Za-z]{3}).*\b\d{4}\b.*\d:\d\d.*")
GRACE = timedelta(minutes=1)  # platforms tell minutes: 23:59 is in time until it is over
OLDEST = datetime(1990, 1, 1)  # archives without a time say 1980


class Rule(NamedTuple):
    """Until when it is in time, and what each day begun after that costs."""

    due: datetime  # local time, as all here
    per_day: float = 0.0  # points
    days: int | None = None  # for so many; after that the hand-in has no points


def rule(due: str, late: str) -> Rule | None:
    """Return the rule of a deadline and a penalty like "10 per day, 3 days"; None without both.

    Raises LabError if one is written otherwise.
    """
    if not due:
        if late:
            raise LabError("--late needs --due: until when is it in time? As 2026-12-01T23:59.")
        return None
    try:
        until = _local(datetime.fromisoformat(due))
    except ValueError:
        raise LabError(f"--due {due!r} is no time. Write it like 2026-12-01T23:59.") from None
    if not late:
        return Rule(until)
    if not (found := RULE.fullmatch(" ".join(late.split()))):
        raise LabError(f'--late {late!r} is not understood. Write it like "10 per day, 3 days".')
    return Rule(until, float(found[1]), int(found[2]) if found[2] else None)


def _local(moment: datetime) -> datetime:
    return moment.astimezone().replace(tzinfo=None) if moment.tzinfo else moment


def read(text: str) -> datetime | None:
    """Return a time as Moodle writes it in English or Chinese, or ISO; None for any other text."""
    text = text.strip()
    try:
        if found := CHINESE.search(text):
            *day, half, hour, minute = found.groups()
            hour = int(hour) % 12 + 12 * (half == "下午") if half else hour
            return datetime(*map(int, (*day, hour, minute)))
        return _local(pd.to_datetime(text).to_pydatetime()) if WRITTEN.fullmatch(text) else None
    except (ValueError, OverflowError):
        return None


def moment(seconds: float) -> datetime | None:
    """Return the local time of a file's seconds; None of a file that tells none."""
    try:
        found = datetime.fromtimestamp(seconds)
    except (ValueError, OverflowError, OSError):
        return None
    return found if found > OLDEST else None


def judged(
    by: Rule, when: datetime | None, source: str = "", said: bool | None = None
) -> Late | None:
    """Return what a hand-in's time costs; None if it is in time, or nobody can tell.

    said: whether the platform itself says that it is late; None if it does not tell
    """
    over = when - by.due if when else timedelta(0)
    if said is False or (over < GRACE and not said):
        return None
    days = max(1, math.ceil(over / timedelta(days=1) - GRACE / timedelta(days=1)))
    allowed = by.days is None or days <= by.days
    return Late(days, by.per_day * days if allowed else math.inf, source)
