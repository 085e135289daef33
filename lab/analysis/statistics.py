"""Seeds, 95 % intervals and tests: which differences between networks the runs support.

Everything here works on numbers that runs have left behind: right and wrong answers, probabilities,
norms of gradients. What is measured inside of a network is measured in the notebook.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats
from sklearn.metrics import brier_score_loss


def accuracy_interval(accuracy: float, reviews: int) -> tuple[float, float]:
    """Return the 95 % interval of an accuracy measured on `reviews` reviews.

    Wilson's score interval (Wilson 1927), from scipy. It speaks of the choice of test reviews
    alone, not of the seed.
    """
    test = stats.binomtest(round(accuracy * reviews), reviews)
    interval = test.proportion_ci(confidence_level=0.95, method="wilson")
    return interval.low, interval.high


COLLAPSED = 0.6  # a run that ends below this accuracy has not learnt the task


def seed_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return one row per network: how its test accuracy (in %) varies over the seeds.

    results: a row a run, with network, seed and test_accuracy (0 to 1). The standard deviation is
    the sample's (n - 1), and missing where there is one run; collapsed counts runs below COLLAPSED.
    """
    accuracy = 100 * results["test_accuracy"]
    groups = accuracy.groupby(results["network"], sort=False)
    table = groups.agg(runs="size", mean="mean", sd="std", median="median", min="min", max="max")
    table["collapsed"] = groups.apply(lambda values: int((values < 100 * COLLAPSED).sum()))
    return table


class Difference(NamedTuple):
    """The difference of two mean accuracies: how sure it is, and what could have been seen."""

    mean: float
    low: float
    high: float
    detectable: float  # a true difference of this size is supported in four of five experiments
    p: float  # the probability of so large a difference, were the two networks equally good


class Summary(NamedTuple):
    """What the answers of a network's runs say of it.

    accuracy: (seeds,) of each run
    by_review: (reviews,) the share of the runs that were right on a review
    noise: how much `by_review` varies because the runs were few, in the mean of the reviews
    """

    accuracy: NDArray[np.float64]
    by_review: NDArray[np.float64]
    noise: float

    @classmethod
    def of(cls, right: NDArray[Any]) -> Summary:
        """Return the summary of (seeds, reviews): was the answer right?"""
        by_review, several = right.mean(0), max(len(right) - 1, 1)
        noise = (by_review * (1 - by_review)).mean() / several
        return cls(right.mean(1), by_review, noise)

    @property
    def variance(self) -> float:
        """The sample variance of the accuracy over seeds; 0 for a single run."""
        return self.accuracy.var(ddof=1) if len(self.accuracy) > 1 else 0.0

    @property
    def smallest_variance(self) -> float:
        """The variance of a run's accuracy if its answers varied, each by itself, and no more."""
        runs, reviews = len(self.accuracy), len(self.by_review)
        return self.noise * runs / reviews if runs > 1 else 0.0


def difference(first: NDArray[Any], second: NDArray[Any]) -> Difference:
    """Compare two networks by what their runs answered to the same reviews.

    first, second: (seeds, reviews) whether each answer was right

    Welch's t-test on the accuracies of the runs, with one part more in the standard error: other
    reviews might have been drawn. The degrees of freedom are Satterthwaite's; the reviews are so
    many that their part counts as known. Seeds are not paired: a number in common does not make two
    runs alike. A few runs agree now and then by luck: no variance over seeds counts as less than
    the answers alone would make. Of a single run nothing is known but what it answered: its spread
    counts as zero.
    Raises ValueError if the two did not answer the same number of reviews.
    """
    if first.ndim != 2 or first.shape[1:] != second.shape[1:]:
        shapes = f"{first.shape}, {second.shape}"
        raise ValueError(f"two arrays (seeds, reviews) with the same reviews, not {shapes}")
    both = Summary.of(first), Summary.of(second)
    return _difference(both, both)


def _difference(
    both: tuple[Summary, Summary], networks: Sequence[Summary], pairs: int = 1
) -> Difference:
    """Compare two of some networks of one table; interval and p allow for its number of pairs."""
    spread = _pooled_variance(networks)
    variances = [s.variance for s in networks if len(s.accuracy) > 1]
    typical = np.median(variances) if len(variances) > 2 else 0.0
    mean = both[0].accuracy.mean() - both[1].accuracy.mean()
    runs = np.array([len(summary.accuracy) for summary in both])
    limits = np.array([max(s.smallest_variance, typical / 4) for s in both]) * (runs > 1)
    variance = np.maximum([s.variance for s in both], limits)
    reviews = _variance_over_reviews(*both)
    error, freedom = _standard_error(variance, runs, reviews)
    half = float(special.stdtrit(freedom, 1 - 0.025 / pairs) * error)
    p = float(2 * special.stdtr(freedom, -abs(mean) / error)) if error else float(mean == 0)
    low, high = max(-1.0, mean - half), min(1.0, mean + half)
    detectable = min(1.0, _detectable(spread, limits, runs, reviews, pairs))
    return Difference(mean, low, high, detectable, min(1.0, pairs * p))


def _pooled_variance(networks: Sequence[Summary]) -> float:
    """Return the variance over seeds that networks have in common: the weighted mean; 0 of none."""
    pairs = [(summary.variance, len(summary.accuracy) - 1) for summary in networks]
    freedom = sum(n for _, n in pairs)
    return sum(variance * n for variance, n in pairs) / freedom if freedom else 0.0


def _variance_over_reviews(first: Summary, second: Summary) -> float:
    """Return how much the difference of two networks varies with the choice of the reviews.

    They are compared review by review, so that what is hard for both cancels. What a review does
    with one run alone is in the variance over seeds already, and is taken out (Owen, Annals of
    Applied Statistics 1, 2007, on data with two random factors).
    """
    total = (first.by_review - second.by_review).var(ddof=1)
    noise = sum(s.noise for s in (first, second) if len(s.accuracy) > 1)
    return max(0.0, total - noise) / len(first.by_review)


def _standard_error(
    variance: NDArray[Any], runs: NDArray[Any], reviews: float
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the standard error of a difference, and its degrees of freedom for Student's t.

    variance: (..., 2), of each network over its seeds; runs: (2,); reviews: their variance
    """
    parts = variance / runs
    total = parts.sum(-1) + reviews
    squared = (parts**2 / np.maximum(runs - 1, 1)).sum(-1)
    freedom = np.divide(total**2, squared, out=np.full_like(total, np.inf), where=squared > 0)
    return np.sqrt(total), freedom


def _detectable(
    spread: float, limits: NDArray[Any], runs: NDArray[Any], reviews: float, pairs: int
) -> float:
    """Return the true difference that is supported in four of five experiments like this one.

    Experiments are drawn in which the accuracy of both networks has the variance `spread` over
    seeds; a few runs show sometimes more of it, sometimes less.
    """
    generator, freedom = np.random.default_rng(0), np.maximum(runs - 1, 1)
    true = np.where(runs > 1, spread, 0.0)  # (2,)
    seen = np.maximum(true * generator.chisquare(freedom, (2000, 2)) / freedom, limits)
    error, freedom = _standard_error(seen, runs, reviews)
    off = _standard_error(true, runs, reviews)[0] * generator.normal(size=len(seen))
    return float(np.quantile(special.stdtrit(freedom, 1 - 0.025 / pairs) * error - off, 0.8))


def mcnemar(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Return the p-value that two classifiers err equally often on the same reviews.

    first, second: (reviews,) whether each answer was right. McNemar's test in its mid-p form:
    only the reviews on which they differ count, and each is a coin (Fagerland, Lydersen and Laake,
    BMC Medical Research Methodology 13, 2013, who find it better than the exact and chi-square
    forms).
    """
    only_one = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    coin, fewer = stats.binom(sum(only_one), 0.5), min(only_one)
    return min(1.0, 2 * coin.cdf(fewer) - coin.pmf(fewer))


def compare_seeds(correct: dict[str, NDArray[Any]]) -> dict[str, list[float]]:
    """Return McNemar's p between each two runs of the same network; correct: (seeds, reviews)."""
    return {
        name: [mcnemar(*pair) for pair in itertools.combinations(runs, 2)]
        for name, runs in correct.items()
    }


def mean_accuracy(right: NDArray[Any]) -> tuple[float, float, float]:
    """Return the mean accuracy of some runs, and its 95 % interval, of (seeds, reviews).

    Of one run or two the interval is of the reviews alone: two runs say too little of a third.
    """
    runs = right if len(right) > 2 else right.mean(0, keepdims=True)  # (seeds or 1, reviews)
    mean, low, high, *_ = difference(runs, np.zeros_like(runs[:1]))
    return mean, low, high


def accuracy_table(correct: dict[str, NDArray[Any]]) -> pd.DataFrame:
    """Return one row per network: runs, `mean_accuracy` (%) with its interval, min and max.

    correct: (seeds, reviews) for each network
    """
    rows = {}
    for name, right in correct.items():
        accuracy = right.mean(1)
        shares = *mean_accuracy(right), accuracy.min(), accuracy.max()
        rows[name] = (len(right), *(100 * share for share in shares))
    columns = ["runs", "mean", "low", "high", "min", "max"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns)


def median_seed(correct: NDArray[Any]) -> int:
    """Return the row of (seeds, reviews) with the median accuracy, the lower of two middles."""
    order = np.argsort(correct.mean(1), kind="stable")
    return int(order[(len(order) - 1) // 2])


def compare(
    correct: dict[str, NDArray[Any]], pairs: Sequence[tuple[str, str]] | None = None
) -> pd.DataFrame:
    """Return one row per pair of networks: the difference in points, and whether it is supported.

    correct: (seeds, reviews) for each network; pairs: by default all
    Interval and p are those of `difference`, made stricter by the number of pairs: were all
    networks equally good, one table of 20 would call any pair supported. For this no variance over
    seeds counts as less than a quarter of the networks' median, either: of many networks with three
    runs, some agree by luck (`rules.csv` in data/reference/official). A difference is supported
    if p is below 0.05, that is, if zero is outside the interval. `detectable` takes the spread over
    seeds that all networks have in common. A network with one run is said to have one: its interval
    knows nothing of the next run, and supports nothing about the network.
    """
    pairs = list(pairs or itertools.combinations(correct, 2))
    summaries = {name: Summary.of(right) for name, right in correct.items()}
    networks = list(summaries.values())
    rows = {}
    for a, b in pairs:
        both = summaries[a], summaries[b]
        *points, p = _difference(both, networks, len(pairs))
        found = "one run" if min(len(s.accuracy) for s in both) == 1 else "not shown"
        found = "yes" if found == "not shown" and p < 0.05 else found
        rows[f"{a} − {b}"] = (*(100 * value for value in points), p, found)
    columns = ["points", "low", "high", "detectable", "p", "supported"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns).rename_axis("pair")


def reliability(probability: NDArray[Any], label: NDArray[Any], bins: int = 10) -> pd.DataFrame:
    """Return how often reviews were good among those with a like probability.

    probability, label: (reviews,). One row per bin of equal width that holds reviews: their mean
    probability, the share of good ones with its 95 % interval (Wilson), and their number. A
    calibrated network has share = probability.
    """
    place = np.minimum((probability * bins).astype(int), bins - 1)
    frame = pd.DataFrame({"bin": place, "probability": probability, "good": label})
    table = frame.groupby("bin").agg(
        probability=("probability", "mean"), good=("good", "mean"), reviews=("good", "size")
    )
    return with_interval(table, "good")


def brier_score(probability: NDArray[Any], label: NDArray[Any]) -> float:
    """Return the mean squared distance of probability and truth; 0.25 for who always says 0.5."""
    return float(brier_score_loss(label, probability))


def accuracy_by_length(correct: NDArray[Any], length: NDArray[Any], parts: int = 5) -> pd.DataFrame:
    """Return `mean_accuracy` and its interval for reviews of like length, in parts of equal size.

    correct: (seeds, reviews), length: (reviews,) in tokens
    """
    part, rows = pd.qcut(length, parts, labels=False, duplicates="drop"), []
    for number in np.unique(part):
        inside = part == number
        shares = mean_accuracy(correct[:, inside])
        rows.append((np.median(length[inside]), *shares, inside.sum()))
    return pd.DataFrame(rows, columns=["tokens", "accuracy", "low", "high", "reviews"])


def with_interval(table: pd.DataFrame, share: str, count: str = "reviews") -> pd.DataFrame:
    """Return a table with the 95 % interval of a share, as columns low and high.

    share, count: the columns of the share (0 to 1), and of how many reviews it is
    """
    low, high = zip(*map(accuracy_interval, table[share], table[count]))
    return table.assign(low=low, high=high)


def confident_errors(
    probability: NDArray[Any], label: NDArray[Any], count: int = 20
) -> NDArray[np.int64]:
    """Return the positions of the wrong answers given with most confidence, the worst first."""
    distance = np.abs(probability - label)
    worst = np.argsort(-distance, kind="stable")[:count]
    return worst[distance[worst] > 0.5]


def bands(norms: NDArray[Any]) -> pd.DataFrame:
    """Return how norms of gradients change with the distance from the end, over reviews.

    norms: (T, B), of dL/dh_t for each word t of each review. Each review's are divided by its norm
    at the last word. One row per distance (0 is the last word): median, and the 10 % and 90 %
    quantiles. Reviews without a gradient at the last word are left out; if there are no others,
    nothing is known of any distance (NaN).
    """
    norms = norms[:, norms[-1] > 0]
    relative = (norms / norms[-1])[::-1]  # (T, B), row k is k words before the end
    if not relative.size:
        relative = np.full((len(norms), 1), np.nan)
    low, median, high = np.quantile(relative, [0.1, 0.5, 0.9], axis=1)
    distance = np.arange(len(relative))
    return pd.DataFrame({"distance": distance, "low": low, "median": median, "high": high})


def half_life(table: pd.DataFrame, reach: int = 50, smallest: float = 1e-30) -> float:
    """Return after how many tokens the median gradient of `bands` has halved; inf if it does not.

    A straight line through the logarithms over the first `reach` tokens, by least squares, as far
    as they are above `smallest`: below it 32-bit numbers end.
    """
    part = table[(table["distance"] <= reach) & (table["median"] > smallest)]
    if len(part) < 2:
        return 0.0
    slope = stats.linregress(part["distance"], np.log(part["median"])).slope
    return math.log(2) / -slope if slope < 0 else math.inf


def half_lives(gradients: pd.DataFrame) -> pd.DataFrame:
    """Return half-lives in tokens for a table of `bands`.

    gradients: with the columns kind, network and state; a row a kind, a column a network and state
    """
    keys = ["kind", "network", "state"]
    rows = [(*key, half_life(table)) for key, table in gradients.groupby(keys, sort=False)]
    table = pd.DataFrame(rows, columns=[*keys, "half"])
    return table.pivot_table("half", "kind", keys[1:], sort=False).round(1)


# ── What predictions are held to ────────────────────────────────────────────────────────────────


def most_moving_word(words: Sequence[str], beliefs: dict[str, NDArray[Any]]) -> str:
    """Return the word that moves the mean of several networks' beliefs most (from 0.5 at first).

    beliefs: network -> probability after each word (T,)
    """
    mean = np.mean(list(beliefs.values()), axis=0)
    return words[int(np.abs(np.diff(mean, prepend=0.5)).argmax())]
