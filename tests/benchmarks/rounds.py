"""Measurements that noise cannot fool: variants in turn, several rounds, and who else was at work.

A single figure is worth little on a machine that others use too. So the variants of a comparison
are measured one after another, round after round (A B C, A B C, ...); a ratio is taken within a
round, where both sides had the same machine, and given as the median of the rounds with its range.
And the processor time that other programs took meanwhile is counted: above BUSY the figures are not
to be believed, and it is said.
"""

import os
import time

import pandas as pd
import psutil

ROUNDS, LONG_ROUNDS = 3, 5  # by default, and with --long
BUSY = 0.25  # cores that others may use before the figures are not to be believed


class Rounds:
    """What each variant gave in each round, and how many cores others used meanwhile."""

    def __init__(self, variants, rounds=ROUNDS):
        """Measure: each variant is a function that returns its figure, such as tokens a second."""
        rows, others = [], []
        for _ in range(rounds):
            start = _clock()
            rows.append({name: variant() for name, variant in variants.items()})
            others.append(cores_of_others(start, _clock()))
        self.table = pd.DataFrame(rows)  # (rounds, variants)
        self.others = float(pd.Series(others).median())

    @property
    def too_busy(self):
        """Did others use so much of the machine that these figures say little?"""
        return self.others > BUSY

    def figure(self, name):
        """Return the median of a variant."""
        return float(self.table[name].median())

    def ratio(self, first, second):
        """Return first / second within a round: median, lowest, highest."""
        return spread(self.table[first] / self.table[second])


def spread(rounds):
    """Return the median, the lowest and the highest of the rounds."""
    return float(rounds.median()), float(rounds.min()), float(rounds.max())


def _clock():
    """Return wall time, processor time of all programs, and of this one with its children."""
    everything = psutil.cpu_times()
    idle = everything.idle + getattr(everything, "iowait", 0.0)
    own = os.times()
    ours = own.user + own.system + own.children_user + own.children_system
    return time.perf_counter(), sum(_counted(everything)) - idle, ours


def _counted(times):
    """Return the fields of cpu_times without those that are in others already."""
    return [v for name, v in times._asdict().items() if name not in ("guest", "guest_nice")]


def cores_of_others(start, end):
    """Return how many cores other programs used between two moments, on average."""
    wall, everything, ours = (b - a for a, b in zip(start, end, strict=True))
    return max(0.0, (everything - ours) / wall)


def in_words(ratio):
    """Return a ratio as median and range: 1.92 (1.85 to 2.03)."""
    return "{:.2f} ({:.2f} to {:.2f})".format(*ratio)


def verdict(measured):
    """Return in a sentence whether the machine was free enough for the figures."""
    others = max(one.others for one in measured)
    said = f"Others used up to {others:.2f} cores meanwhile (median of the rounds)"
    if any(one.too_busy for one in measured):
        return f"NOT TO BE BELIEVED. {said}; {BUSY} is the limit. Stop them, and measure again."
    return f"{said}: the machine was free enough."
