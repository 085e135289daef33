"""Findings: what the lab says of networks, as numbers that any run can be held against.

What a reader's machine computes differs a little from the stored results that the lab quotes, and
from seed to seed it differs more. So each finding is a claim with a number and a bound, and a table
says in how many of the stored runs it holds.

To add one, add an entry to FINDINGS and its number to one of the functions below it; then
`python tools/maintainers/make_reference.py findings`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import pandas as pd

from lab.base import files
from lab.base.messages import Message, _
from lab.config import LabError, Profile
from lab.experiments import reference
from lab.models import baselines

GATED = ("LSTM-256", "GRU-256")


class Finding(NamedTuple):
    """A claim, its bound in words, and from what number on, or up to which, it holds."""

    claim: Message
    words: Message
    least: float = -math.inf
    most: float = math.inf

    def holds(self, value: float) -> bool:
        """Say whether it holds for a number."""
        return self.least <= value <= self.most

    @property
    def bound(self) -> Message:
        """The bound in words, with its number."""
        return _(self.words, number=self.least if self.most == math.inf else self.most)


# the bounds of claims, in words
BELOW = _("at least {number:g} % below")
RIGHT = _("at least {number:g} % right")
RIGHT_AT_MOST = _("at most {number:g} % right")
MORE = _("at least {number:g} points more")
POINTS = _("at least {number:g} points")
BEHIND = _("at most {number:g} points behind")
POINTS_AT_MOST = _("at most {number:g} points")

FINDINGS = {
    "lm-unigrams": Finding(_("Every language model is better than unigrams"), BELOW, least=0),
    "lm-gated": Finding(_("LSTM and GRU predict better than the plain RNN"), BELOW, least=0),
    "lm-trigrams": Finding(_("LSTM and GRU pass the trigrams"), BELOW, least=0),
    "recall-keep": Finding(
        _("Recall, one length at a time: LSTM and GRU tell the first token at every length"),
        RIGHT,
        least=80,
    ),
    "recall-turn": Finding(
        _(
            "Recall, one length at a time: the plain RNN does not tell it at half its length or "
            "less"
        ),
        RIGHT_AT_MOST,
        most=50,
    ),
    "recall-probe": Finding(
        _("Yet a linear layer of its own reads it there in the plain RNN's state"), RIGHT, least=80
    ),
    "recall-mixed": Finding(
        _("Recall, lengths mixed: all three cells tell it at every length"), RIGHT, least=90
    ),
    "recall-items": Finding(
        _("Recall of four tokens: LSTM and GRU tell more of them than the plain RNN"),
        MORE,
        least=30,
    ),
    "recall-gate": Finding(
        _("Recall of 50 at once, 300 updates: the open forget gate learns more than the half-open"),
        MORE,
        least=50,
    ),
    "default-gated": Finding(
        _("Default recipe: LSTM and GRU lead every plain RNN"), POINTS, least=0
    ),
    "default-size": Finding(
        _("Default recipe: the RNN-1024 is far behind the RNN-256"), POINTS, least=5
    ),
    "own-rate": Finding(_("A learning rate of its own rescues the RNN-1024"), POINTS, least=5),
    "own-gru": Finding(_("A learning rate of its own gains the GRU something"), POINTS, least=0),
    "own-size": Finding(_("Own learning rates: the RNN-1024 is near the RNN-256"), BEHIND, most=5),
    "own-layers": Finding(
        _("Own learning rates: a second layer gains little"), POINTS_AT_MOST, most=3
    ),
    "own-gated": Finding(
        _("Own learning rates: LSTM and GRU lead every plain RNN"), POINTS, least=0
    ),
    "own-average": Finding(
        _("Own learning rates: LSTM and GRU pass the average of the vectors"), POINTS, least=0
    ),
    "linear-first": Finding(
        _("The weighted pairs of words keep up with the best of the six"), BEHIND, most=2
    ),
}

ELECTIVE = {  # of further/parallel; the tables of the lab do without them
    "layers-one": Finding(
        _("One layer whose gate sees the word alone does not tell the first of 50 tokens"),
        RIGHT_AT_MOST,
        most=30,
    ),
    "layers-two": Finding(_("Two such layers tell it at every length"), RIGHT, least=95),
    "clock-away": Finding(
        _("Without the time, the second layer does not tell the first of 100"),
        RIGHT_AT_MOST,
        most=30,
    ),
    "clock-moved": Finding(
        _("Where the time begins anew, that token is told more often than the first"),
        MORE,
        least=10,
    ),
    "parity-state": Finding(_("Parity of 200 bits: RNN and LSTM tell it"), RIGHT, least=95),
    "parity-none": Finding(
        _("Parity of 100 bits: minGRU, of one layer or two, and attention guess"),
        RIGHT_AT_MOST,
        most=65,
    ),
    "parity-signed": Finding(
        _("Parity of 100 bits: a minGRU whose units may change sign tells it"), RIGHT, least=90
    ),
}

# ── 1. The numbers ──────────────────────────────────────────────────────────────────────────────


def measure_language(perplexity: pd.Series, counting: pd.Series) -> dict[str, float]:
    """Return the numbers of the findings on language models.

    perplexity: by cell; counting: by the name of a model that counts
    """
    gated = perplexity.drop("RNN").max()
    return {  # by how many per cent one is below the other
        "lm-unigrams": 100 * (1 - perplexity.max() / counting["unigrams"]),
        "lm-gated": 100 * (1 - gated / perplexity["RNN"]),
        "lm-trigrams": 100 * (1 - gated / counting["Kneser-Ney trigrams"]),
    }


def measure_recall(
    by_length: pd.DataFrame, by_gate: pd.DataFrame, longest: int
) -> dict[str, float]:
    """Return the numbers of the findings on the recall task.

    by_length: network, keep (tokens to be told), mixed (were lengths mixed in training?), length
    asked, share of right answers, and what a probe reads in the state (NaN where none was fitted);
    by_gate: gate (the start), update, share; longest: the length that training ends with
    """
    first = by_length.drop_duplicates(["keep", "mixed", "network", "length"])  # of several rates
    keys = {"index": "length", "columns": ["keep", "mixed", "network"]}
    shares, probes = (100 * first.pivot(**keys, values=name) for name in ("share", "probe"))
    one, mixed, four = shares[1, False], shares[1, True], shares[4, True].loc[longest]
    half = one.index <= longest / 2
    at_the_end = 100 * by_gate.groupby("gate")["share"].last()
    cells = ["RNN", "LSTM", "GRU"]
    return {
        "recall-keep": one[["LSTM", "GRU"]].min().min(),
        "recall-turn": one.loc[half, "RNN"].max(),
        "recall-probe": probes[1, False].loc[half, "RNN"].min(),
        "recall-mixed": mixed[cells].min().min(),
        "recall-items": four[["LSTM", "GRU"]].min() - four["RNN"],
        "recall-gate": at_the_end["0.95"] - at_the_end["0.50"],
    }


def measure_without_state(
    layers: pd.DataFrame, clocks: pd.DataFrame, parity: pd.DataFrame
) -> dict[str, float]:
    """Return the numbers of the findings on gates that see the word alone.

    layers: network, mixed, length, share; clocks: mixed, clock, and the share told of the first
    token and of the one "there", where the time begins; parity: network, length, share. Of each,
    the first of several ways counts.
    """
    told = 100 * layers[layers["mixed"]].pivot(index="length", columns="network", values="share")
    clock = 100 * clocks[clocks["mixed"]].set_index("clock")[["first", "there"]]
    moved = clock.dropna()
    first = parity.drop_duplicates(["network", "length"])
    right = 100 * first.pivot(index="length", columns="network", values="share")
    return {
        "layers-one": told.loc[50, "minGRU"],
        "layers-two": told["minGRU x 2"].min(),
        "clock-away": clock.loc["taken away", "first"],
        "clock-moved": (moved["there"] - moved["first"]).min(),
        "parity-state": right.loc[200, ["RNN", "LSTM"]].min(),
        "parity-none": right.loc[100, ["minGRU", "minGRU x 2", "attention"]].max(),
        "parity-signed": right.loc[100, "minGRU, signed"],
    }


def measure_networks(
    default: pd.DataFrame, tuned: pd.DataFrame, baseline_accuracy: pd.DataFrame
) -> dict[str, float]:
    """Return the numbers of the findings on the six networks.

    default, tuned: a row a network, with network and test_accuracy; baseline_accuracy: as from
    `baselines.baseline_table`, indexed by the baselines; the first column is of the networks' words
    """
    same, own = (100 * t.set_index("network")["test_accuracy"] for t in (default, tuned))
    baseline = 100 * baseline_accuracy.iloc[:, 0]
    return {
        "default-gated": _lead(same),
        "default-size": same["RNN-256"] - same["RNN-1024"],
        "own-rate": own["RNN-1024"] - same["RNN-1024"],
        "own-gru": own["GRU-256"] - same["GRU-256"],
        "own-size": own["RNN-256"] - own["RNN-1024"],
        "own-layers": own["RNN-256 x 2"] - own["RNN-256"],
        "own-gated": _lead(own),
        "own-average": own[list(GATED)].min() - baseline[baselines.AVERAGE],
        "linear-first": max(same.max(), own.max()) - baseline[baselines.WEIGHTED],
    }


def _lead(accuracy: pd.Series) -> float:
    """Return by how much the lower of the gated cells leads the highest plain RNN."""
    plain = accuracy[accuracy.index.str.startswith("RNN")]
    return accuracy[list(GATED)].min() - plain.max()


# ── 2. The tables ───────────────────────────────────────────────────────────────────────────────


def reference_values(profile: str) -> pd.DataFrame:
    """Return the stored numbers of a profile: finding, seed, value; empty if there are none."""
    try:
        return files.read_table("findings", reference.folder_of(profile))
    except LabError:
        return pd.DataFrame({"finding": [], "seed": [], "value": []})


def full_size_values() -> pd.DataFrame:
    """Return the stored numbers of the full size, of the official test where it has any."""
    official, film_split = reference_values("official"), reference_values("full")
    others = film_split[~film_split["finding"].isin(official["finding"])]
    return pd.concat([official, others], ignore_index=True)


def table(profile: Profile, values: dict[str, float]) -> pd.DataFrame:
    """Return findings with the reader's number, those of other seeds and of the full size.

    values: finding -> number, as from the functions above
    """
    known = FINDINGS | ELECTIVE
    same_size, full_size = reference_values(profile.name), full_size_values()
    rows = {
        str(known[name].claim): {
            "if": str(known[name].bound),
            "here": round(value, 1) + 0.0,  # no -0.0
            "other seeds, same size": _spread(same_size, name),
            "holds in": _count(same_size, name),
            "full size": _spread(full_size, name),
            "in this run": str(
                _("holds here") if known[name].holds(value) else _("not in this run")
            ),
        }
        for name, value in values.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("claim")


def closing_table() -> pd.DataFrame:
    """Return all findings, and whether they hold in the quick profile, at full size, or in both.

    One holds in a profile if it does in at least nine of ten of its seeds.
    """
    profiles = {"quick": reference_values("quick"), "full": full_size_values()}
    rows = {}
    for name, finding in FINDINGS.items():
        row = {profile: _count(numbers, name) for profile, numbers in profiles.items()}
        shares = {p: _values(n, name).map(finding.holds).mean() for p, n in profiles.items()}
        holds = {profile: share >= 0.9 for profile, share in shares.items() if row[profile]}
        rows[str(finding.claim)] = row | {"": _verdict(holds)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("claim")


def _verdict(holds: dict[str, bool]) -> str:
    """Return in words in which profiles a finding holds."""
    if not holds:
        return str(_("not measured"))
    if len(set(holds.values())) == 2:
        return str(_("depends on size"))
    if len(holds) == 2:
        return str(_("holds in both") if all(holds.values()) else _("fails in both"))
    return str(_("holds") if all(holds.values()) else _("fails"))


def _values(numbers: pd.DataFrame, name: str) -> pd.Series:
    return numbers.loc[numbers["finding"] == name, "value"]


def _spread(numbers: pd.DataFrame, name: str) -> str:
    """Return the median of a finding's stored numbers, and their range."""
    values = _values(numbers, name)
    if values.empty:
        return ""
    if len(values) == 1:
        return str(_("{value:z.1f} (one run)", value=values.item()))
    return str(
        _(
            "{median:z.1f} ({low:z.1f} to {high:z.1f})",
            median=values.median(),
            low=values.min(),
            high=values.max(),
        )
    )


def _count(numbers: pd.DataFrame, name: str) -> str:
    """Return in how many of the stored runs a finding holds."""
    values = _values(numbers, name)
    held = values.map((FINDINGS | ELECTIVE)[name].holds).sum()
    return str(_("{held} of {all}", held=held, all=len(values))) if len(values) else ""
