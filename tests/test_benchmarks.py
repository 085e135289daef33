"""How the benchmarks measure: in turn, by medians, and with an eye on who else is at work."""

import itertools
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))

import rounds
import scans


@pytest.fixture
def clock(monkeypatch):
    """Let time pass as told: wall seconds, processor seconds of all, and of ours, a look."""

    def passes(*steps):
        moments = [(0.0, 0.0, 0.0)]
        for step in steps:
            moments.append(tuple(a + b for a, b in zip(moments[-1], step)))
        pairs = [moment for a, b in itertools.pairwise(moments) for moment in (a, b)]
        monkeypatch.setattr(rounds, "_clock", iter(pairs).__next__)

    return passes


def test_variants_are_measured_in_turn_and_compared_within_a_round(clock):
    clock(*[(10.0, 20.0, 20.0)] * 3)
    order, speed = [], iter([1.0, 2.0, 10.0, 30.0, 5.0, 20.0])  # the machine's speed drifts

    def variant(name):
        order.append(name)
        return next(speed)

    one = rounds.Rounds({"a": lambda: variant("a"), "b": lambda: variant("b")}, rounds=3)
    assert order == ["a", "b"] * 3
    assert one.ratio("b", "a") == (3.0, 2.0, 4.0)
    assert one.figure("a") == 5.0
    assert rounds.in_words(one.ratio("b", "a")) == "3.00 (2.00 to 4.00)"
    assert not one.too_busy and "free enough" in rounds.verdict([one])


def test_a_machine_that_others_use_is_not_believed(clock):
    clock((10.0, 20.0, 20.0), (10.0, 20.0, 12.0), (10.0, 20.0, 10.0))
    one = rounds.Rounds({"a": lambda: 1.0}, rounds=3)
    assert one.others == pytest.approx(0.8) and one.too_busy
    assert rounds.verdict([one]).startswith("NOT TO BE BELIEVED. Others used up to 0.80 cores")


def test_scans_are_measured_beside_a_gru_in_the_batch_sizes_of_the_lab():
    one = scans.measure(length=4, reviews=2, rounds=2)
    assert list(one.table) == [*scans.SCANS, "MinGRU", "GRU"] and (one.table > 0).all(axis=None)
    row = scans.row(one)
    assert len(row) == 5 and row["loop / GRU"] == rounds.in_words(one.ratio("loop", "GRU"))
    assert scans.batch_sizes() == [16, 32, 64]
