"""Claims: what the lab says of networks, as numbers that any run can be held against.

A sentence of the lab quotes stored results. What a reader's machine computes differs a little, and
from seed to seed it differs more. So each claim is a number with a bound, computed in the same way
from the reader's run and from the stored ones, and a table says in how many of these it holds.

To add a claim, add an entry to CLAIMS and its number to one of the functions below it; then
`python tools/maintainers/make_reference.py claims`.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from lab.base import files
from lab.config import LabError, Profile
from lab.experiments import reference
from lab.models import baselines

GATED = ("LSTM-256", "GRU-256")


class Claim(NamedTuple):
    """A sentence, the unit of its number, and from what number on, or up to which, it holds."""

    sentence: str
    unit: str
    least: float | None = None
    most: float | None = None

    def holds(self, value: float) -> bool:
        """Say whether it holds for a number."""
        least = self.least is None or value >= self.least
        return least and (self.most is None or value <= self.most)

    @property
    def bound(self) -> str:
        """The bound in words."""
        if self.most is None:
            return f"at least {self.least:g} {self.unit}"
        return f"at most {self.most:g} {self.unit}"


CLAIMS = {
    "lm-unigrams": Claim("Every language model is better than unigrams", "% below", least=0),
    "lm-gated": Claim("LSTM and GRU predict better than the plain RNN", "% below", least=0),
    "lm-trigrams": Claim("LSTM and GRU pass the trigrams", "% below", least=0),
    "recall-keep": Claim(
        "Recall: LSTM and GRU tell the first token at every length asked", "% right", least=80
    ),
    "recall-turn": Claim(
        "Recall: the plain RNN cannot tell it at half its length or less", "% right", most=50
    ),
    "recall-gate": Claim(
        "Recall of 50 at once: the open forget gate learns more than the half-open",
        "points more",
        least=50,
    ),
    "default-gated": Claim("Default recipe: LSTM and GRU lead every plain RNN", "points", least=0),
    "default-size": Claim(
        "Default recipe: the RNN-1024 is far behind the RNN-256", "points", least=5
    ),
    "own-rate": Claim("A learning rate of its own rescues the RNN-1024", "points", least=5),
    "own-gru": Claim("A learning rate of its own gains the GRU something", "points", least=0.5),
    "own-size": Claim(
        "Own learning rates: the RNN-1024 is near the RNN-256", "points behind", most=5
    ),
    "own-layers": Claim("Own learning rates: a second layer gains little", "points", most=3),
    "own-gated": Claim("Own learning rates: LSTM and GRU lead every plain RNN", "points", least=0),
    "own-average": Claim(
        "Own learning rates: LSTM and GRU pass the average of the vectors", "points", least=0
    ),
    "linear-first": Claim("None of the six passes the weighted pairs of words", "points", most=0),
}

# ── 1. The numbers ──────────────────────────────────────────────────────────────────────────────


def of_language(perplexity: pd.Series, counting: pd.Series) -> dict[str, float]:
    """Return the numbers of the language models' claims.

    perplexity: by cell; counting: by the name of a model that counts
    """
    gated = perplexity.drop("RNN").max()
    return {
        "lm-unigrams": _below(perplexity.max(), counting["unigrams"]),
        "lm-gated": _below(gated, perplexity["RNN"]),
        "lm-trigrams": _below(gated, counting["Kneser-Ney trigrams"]),
    }


def _below(value: float, line: float) -> float:
    """Return by how many per cent a value is below a line."""
    return 100 * (1 - value / line)


def of_recall(told: pd.DataFrame, learnt: pd.DataFrame, longest: int) -> dict[str, float]:
    """Return the numbers of the recall task's claims.

    told: network, length asked, share of right answers; longest: the length that training ends
    with; learnt: gate (what was added to its bias), update, share
    """
    share = 100 * told.pivot_table("share", "length", "network")
    at_the_end = 100 * learnt.groupby("gate")["share"].last()
    return {
        "recall-keep": share[["LSTM", "GRU"]].min().min(),
        "recall-turn": share.loc[share.index <= longest / 2, "RNN"].max(),
        "recall-gate": at_the_end[3.0] - at_the_end[0.0],
    }


def of_networks(
    default: pd.DataFrame, tuned: pd.DataFrame, lines: pd.DataFrame
) -> dict[str, float]:
    """Return the numbers of the six networks' claims.

    default, tuned: a row a network, with network and test_accuracy; lines: as from
    `linear.baseline_table`, indexed by its lines; the first column is of the networks' words
    """
    same, own = (100 * t.set_index("network")["test_accuracy"] for t in (default, tuned))
    line = 100 * lines.iloc[:, 0]
    lead = {name: _lead(accuracy) for name, accuracy in (("same", same), ("own", own))}
    best = max(same.max(), own.max())
    return {
        "default-gated": lead["same"],
        "default-size": same["RNN-256"] - same["RNN-1024"],
        "own-rate": own["RNN-1024"] - same["RNN-1024"],
        "own-gru": own["GRU-256"] - same["GRU-256"],
        "own-size": own["RNN-256"] - own["RNN-1024"],
        "own-layers": own["RNN-256 x 2"] - own["RNN-256"],
        "own-gated": lead["own"],
        "own-average": own[list(GATED)].min() - line[baselines.AVERAGE],
        "linear-first": best - line[baselines.WEIGHTED],
    }


def _lead(accuracy: pd.Series) -> float:
    """Return by how much the lower of the gated cells leads the highest plain RNN."""
    plain = accuracy[accuracy.index.str.startswith("RNN")]
    return accuracy[list(GATED)].min() - plain.max()


# ── 2. The tables ───────────────────────────────────────────────────────────────────────────────


def stored(profile: str) -> pd.DataFrame:
    """Return the stored numbers of a profile: claim, seed, value; empty if there are none."""
    try:
        return files.read_table("claims", reference.folder_of(profile))
    except LabError:
        return pd.DataFrame({"claim": [], "seed": [], "value": []})


def full_size() -> pd.DataFrame:
    """Return the stored numbers of the full size, of the official test where it has any."""
    official, film_split = stored("official"), stored("full")
    others = film_split[~film_split["claim"].isin(official["claim"])]
    return pd.concat([official, others], ignore_index=True)


def table(profile: Profile, values: dict[str, float]) -> pd.DataFrame:
    """Return claims with the reader's number, those of other seeds and of the full size.

    values: claim -> number, as from the functions above
    """
    others, full = stored(profile.name), full_size()
    rows = []
    for name, value in values.items():
        claim = CLAIMS[name]
        row = {"claim": claim.sentence, "if": claim.bound, "here": round(value, 1)}
        row["other seeds, same size"] = _spread(others, name)
        row["holds in"] = _count(others, name)
        row["full size"] = _spread(full, name)
        rows.append(
            row | {"in this run": "holds here" if claim.holds(value) else "not in this run"}
        )
    return pd.DataFrame(rows).set_index("claim")


def closing_table() -> pd.DataFrame:
    """Return all claims, and whether they hold in the quick profile, at full size, or in both.

    A claim holds in a profile if it does in at least nine of ten of its seeds.
    """
    rows = []
    for name, claim in CLAIMS.items():
        row = {"claim": claim.sentence}
        said = {}
        for profile, numbers in {"quick": stored("quick"), "full": full_size()}.items():
            own = _of(numbers, name)
            if len(own):
                said[profile] = own.map(claim.holds).mean() >= 0.9
            row[profile] = _count(numbers, name)
        rows.append(row | {"": _verdict(said)})
    return pd.DataFrame(rows).set_index("claim")


def _verdict(said: dict[str, bool]) -> str:
    """Return in words in which profiles a claim holds."""
    if len(said) == 2:
        both = {(True, True): "holds in both", (False, False): "fails in both"}
        return both.get((said["quick"], said["full"]), "depends on size")
    if not said:
        return "not measured"
    return "holds" if all(said.values()) else "fails"


def _of(numbers: pd.DataFrame, name: str) -> pd.Series:
    return numbers.loc[numbers["claim"] == name, "value"]


def _spread(numbers: pd.DataFrame, name: str) -> str:
    """Return the median of a claim's stored numbers, and their range."""
    values = _of(numbers, name)
    if values.empty:
        return ""
    if len(values) == 1:
        return f"{values.item():.1f} (one run)"
    return f"{values.median():.1f} ({values.min():.1f} to {values.max():.1f})"


def _count(numbers: pd.DataFrame, name: str) -> str:
    """Return in how many of the stored runs a claim holds."""
    values = _of(numbers, name)
    return f"{values.map(CLAIMS[name].holds).sum()} of {len(values)}" if len(values) else ""
