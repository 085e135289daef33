"""What makes a comparison of networks a science: seeds, intervals, tests, and their figures.

Everything here works on numbers that runs have left behind: right and wrong answers, probabilities,
norms of gradients. Nothing here knows a network; what is measured inside of one is measured in the
notebook, by cells that students read.

Contents, with the section of the notebook that uses each part
    1. Seeds and intervals     seed table, paired differences, McNemar, Holm     (8)
    2. What goes wrong where   calibration, length, confident errors             (8)
    3. Gradients through time  bands over reviews, half-life                     (7)
    4. Tables of experiments   recipes, ladder                                   (7, 8)
    5. Figures                 drawn from stored arrays and tables alone         (7, 8)

Importing this module changes nothing.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pandas.io.formats.style import Styler
from scipy import stats
from sklearn.metrics import brier_score_loss
from statsmodels.stats.multitest import multipletests

import utils

# ── 1. Seeds and intervals ──────────────────────────────────────────────────────────────────────

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
    """The difference of two mean accuracies, with its 95 % interval and what could be seen."""

    mean: float
    low: float
    high: float
    detectable: float  # a true difference of this size is found in four of five repetitions


def paired_difference(
    first: NDArray[Any], second: NDArray[Any], draws: int = 2000, seed: int = 0
) -> Difference:
    """Compare two networks that were trained with the same seeds and tested on the same reviews.

    first, second: (seeds, reviews) whether each answer was right

    Hierarchical bootstrap: each draw takes seeds with replacement, then reviews, the same for both
    networks. Two corrections keep the interval honest where seeds are few (the tests measure how
    often it holds the truth). The seeds' part of a draw is stretched by sqrt(n / (n - 1)) and by
    Student's t against the normal. And what a review does with one seed only is in the seeds' part
    already, so its share is taken out of the reviews' part: the plain bootstrap counts it three
    times (Owen, Annals of Applied Statistics 1, 2007). With one seed the interval speaks of the
    reviews alone.
    Raises ValueError if the two do not have the same shape.
    """
    if first.shape != second.shape or first.ndim != 2:
        shapes = f"{first.shape}, {second.shape}"
        raise ValueError(f"two arrays (seeds, reviews) of one shape, not {shapes}")
    difference = first.astype(float) - second.astype(float)
    seeds, reviews = difference.shape
    generator = np.random.default_rng(seed)
    # reviews with the same mean over the seeds are alike: draw how many there are of each kind
    kinds, sizes = np.unique(difference.mean(0), return_counts=True)
    counts = generator.multinomial(reviews, sizes / reviews, size=draws)  # (draws, kinds)
    of_reviews = counts @ kinds / reviews - difference.mean()  # (draws,)
    chosen = generator.integers(seeds, size=(draws, seeds))
    of_seeds = difference.mean(1)[chosen].mean(1) - difference.mean()
    drawn = difference.mean() + _shared(difference) * of_reviews + _stretch(seeds) * of_seeds
    low, high = np.quantile(drawn, [0.025, 0.975])
    # 80 % power at the 5 % level, two-sided
    detectable = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * drawn.std()
    return Difference(difference.mean(), low, high, detectable)


def _shared(difference: NDArray[Any]) -> float:
    """Return the part (0 to 1) of the spread over reviews that all seeds have in common.

    difference: (seeds, reviews). The variance over the seeds is noise of single answers; a mean
    over n seeds keeps one n-th of it.
    """
    seeds, _ = difference.shape
    total = difference.mean(0).var()
    if seeds == 1 or total == 0:
        return 1.0
    noise = difference.var(0, ddof=1).mean() / seeds
    return math.sqrt(max(0.0, 1 - noise / total))


def _stretch(seeds: int) -> float:
    """Return by how much the spread of so few seeds is widened."""
    if seeds == 1:
        return 1.0
    student = stats.t.ppf(0.975, seeds - 1) / stats.norm.ppf(0.975)
    return math.sqrt(seeds / (seeds - 1)) * student


def mcnemar(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Return the p-value that two classifiers err equally often on the same reviews.

    first, second: (reviews,) whether each answer was right. McNemar's test in its mid-p form:
    only the reviews on which they differ count, and each is a coin (Fagerland, Lydersen and Laake,
    BMC Medical Research Methodology 13, 2013, who find it better than the exact and chi-square
    forms).
    """
    only_first = int(np.sum(first & ~second))
    only_second = int(np.sum(second & ~first))
    coin = stats.binom(only_first + only_second, 0.5)
    fewer = min(only_first, only_second)
    return min(1.0, 2 * coin.cdf(fewer) - coin.pmf(fewer))


def accuracy_table(correct: dict[str, NDArray[Any]]) -> pd.DataFrame:
    """Return one row per network: runs, their mean accuracy (%) with a 95 % interval, min and max.

    correct: (seeds, reviews) for each network. The interval is `paired_difference`'s from a network
    that is never right. Two runs say next to nothing about a third: Student's t for them is 12.7.
    So below three runs the interval speaks of the reviews alone, and min and max tell the rest.
    """
    rows = {}
    for name, right in correct.items():
        accuracy = 100 * right.mean(1)
        counted = right if len(right) > 2 else right.mean(0, keepdims=True)  # (seeds or 1, reviews)
        mean, low, high, _ = paired_difference(counted, np.zeros_like(counted))
        interval = 100 * mean, 100 * low, 100 * high
        rows[name] = (len(right), *interval, accuracy.min(), accuracy.max())
    columns = ["runs", "mean", "low", "high", "min", "max"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns)


def median_seed(correct: NDArray[Any]) -> int:
    """Return the row of (seeds, reviews) with the median accuracy, the lower of two middles."""
    order = np.argsort(correct.mean(1), kind="stable")
    return int(order[(len(order) - 1) // 2])


def compare(correct: dict[str, NDArray[Any]], pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Return one row per pair of networks: the difference in points, and whether it is real.

    correct: (seeds, reviews) for each network. The interval is `paired_difference`'s; p is
    McNemar's on the median seeds; Holm's correction keeps the chance of even one false finding in
    the whole table at 5 %. A difference counts as real if zero is outside the interval and the
    corrected p is below 0.05: neither the seeds nor the reviews explain it.
    """
    rows = []
    for a, b in pairs:
        difference = paired_difference(correct[a], correct[b])
        medians = [correct[name][median_seed(correct[name])] for name in (a, b)]
        rows.append((f"{a} − {b}", *(100 * value for value in difference), mcnemar(*medians)))
    columns = ["pair", "points", "low", "high", "detectable", "p"]
    table = pd.DataFrame(rows, columns=columns).set_index("pair")
    table["p (Holm)"] = multipletests(table["p"], method="holm")[1]
    outside = (table["low"] > 0) | (table["high"] < 0)
    table["real"] = np.where(outside & (table["p (Holm)"] < 0.05), "yes", "not shown")
    return table


# ── 2. What goes wrong where ────────────────────────────────────────────────────────────────────


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
    return _with_interval(table, "good")


def brier_score(probability: NDArray[Any], label: NDArray[Any]) -> float:
    """Return the mean squared distance of probability and truth; 0.25 for who always says 0.5."""
    return float(brier_score_loss(label, probability))


def accuracy_by_length(correct: NDArray[Any], length: NDArray[Any], parts: int = 5) -> pd.DataFrame:
    """Return accuracy and its 95 % interval for reviews of like length, in parts of equal size.

    correct: (seeds, reviews), length: (reviews,) in tokens. The interval is of the reviews: the
    mean over the seeds is taken as one network's accuracy.
    """
    frame = pd.DataFrame({"tokens": length, "accuracy": correct.mean(0)})
    part = pd.qcut(frame["tokens"], parts, duplicates="drop")
    table = frame.groupby(part, observed=True).agg(
        tokens=("tokens", "median"), accuracy=("accuracy", "mean"), reviews=("accuracy", "size")
    )
    return _with_interval(table, "accuracy").reset_index(drop=True)


def _with_interval(table: pd.DataFrame, share: str) -> pd.DataFrame:
    intervals = [
        utils.accuracy_interval(value, count)
        for value, count in zip(table[share], table["reviews"], strict=True)
    ]
    return table.assign(low=[low for low, _ in intervals], high=[high for _, high in intervals])


def confident_errors(
    probability: NDArray[Any], label: NDArray[Any], count: int = 20
) -> NDArray[np.int64]:
    """Return the positions of the wrong answers given with most confidence, the worst first."""
    distance = np.abs(probability - label)
    worst = np.argsort(-distance, kind="stable")[:count]
    return worst[distance[worst] > 0.5]


# ── 3. Gradients through time ───────────────────────────────────────────────────────────────────


def bands(norms: NDArray[Any]) -> pd.DataFrame:
    """Return how norms of gradients change with the distance from the end, over reviews.

    norms: (T, B), of dL/dh_t for each word t of each review. Each review's are divided by its norm
    at the last word. One row per distance (0 is the last word): median, and the 10 % and 90 %
    quantiles. Reviews without a gradient at the last word are left out.
    """
    norms = norms[:, norms[-1] > 0]
    relative = (norms / norms[-1])[::-1]  # (T, B), row k is k words before the end
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
    """Return half-lives in tokens, a row a kind, a column a network; for a table of `bands`."""
    rows = [
        (kind, network, half_life(table))
        for (kind, network), table in gradients.groupby(["kind", "network"], sort=False)
    ]
    table = pd.DataFrame(rows, columns=["kind", "network", "half"])
    return table.pivot_table("half", "kind", "network", sort=False).round(1)


# ── 4. Tables of experiments ────────────────────────────────────────────────────────────────────


def recipes_table(report: pd.DataFrame, fair: pd.DataFrame) -> pd.DataFrame:
    """Return one row per network: test accuracy (%) under the report's recipe and under its own.

    report, fair: results, a row a run; a network that stands in one of them only keeps a gap.
    """
    table = fair.set_index("network")[["parameters", "learning_rate", "best_epoch"]].rename(
        columns={"parameters": "weights", "learning_rate": "own step", "best_epoch": "best epoch"}
    )
    for name, results in (("report's recipe", report), ("own step and start", fair)):
        for kind in ("valid", "test"):
            accuracy = results.set_index("network")[f"{kind}_accuracy"]
            table[f"{kind} %, {name}"] = _percent(accuracy)
    return table


def _percent(share: pd.Series) -> pd.Series:
    """Return shares in % with one digit, rounded as a format does: 0.6755 is 67.5 everywhere."""
    return share.map(lambda value: float(f"{100 * value:.1f}"))


def tuning_table(tuning: pd.DataFrame) -> Styler:
    """Return the validation loss of tuning runs, a row a network, a column a step; the best bold.

    tuning: a row a run, with network, learning_rate, valid_loss
    """
    table = tuning.pivot_table("valid_loss", "network", "learning_rate", sort=False)
    table = table.rename(columns="{:g}".format)  # 3e-05, not 0.000030
    return table.style.format("{:.3f}", na_rep="").highlight_min(axis=1, props="font-weight: bold")


def show_comparison(table: pd.DataFrame) -> Styler:
    """Return the table of `compare` as a page shows it: points with one digit, p with two."""
    points = ["points", "low", "high", "detectable"]
    return table.style.format("{:.1f}", subset=points).format("{:.2g}", subset=["p", "p (Holm)"])


def ladder_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return one row per rung: accuracy (%) in training, validation and test, with its interval.

    results: a row a rung, with rung, train_accuracy, valid_accuracy, test_accuracy, test_reviews,
    best_epoch, seconds. All are of the best epoch, and in training dropout is on.
    """
    intervals = [
        utils.accuracy_interval(accuracy, count)
        for accuracy, count in zip(results["test_accuracy"], results["test_reviews"], strict=True)
    ]
    table = pd.DataFrame(
        {
            "training": _percent(results["train_accuracy"]).to_numpy(),
            "validation": _percent(results["valid_accuracy"]).to_numpy(),
            "accuracy": _percent(results["test_accuracy"]).to_numpy(),
            "low": [100 * low for low, _ in intervals],
            "high": [100 * high for _, high in intervals],
            "best epoch": results["best_epoch"].to_numpy(),
            "seconds": results["seconds"].round().astype(int).to_numpy(),
        },
        index=pd.Index(results["rung"], name="rung"),
    )
    return table.round(1)


# ── 5. Figures ──────────────────────────────────────────────────────────────────────────────────


def _style(network: str) -> dict[str, Any]:
    """Return colour and dashes of a network; one that is not of the six is drawn in rose."""
    colour, dashes = utils.NETWORK_STYLE.get(network, ("#CC79A7", "solid"))
    return {"color": colour, "linestyle": dashes}


def plot_gradients(gradients: pd.DataFrame) -> Figure:
    """Draw `bands` over the distance from the end, one panel a kind, one band a network.

    gradients: the table of `bands` with the columns kind and network
    """
    kinds = gradients["kind"].unique()
    figure, axes = plt.subplots(
        1,
        len(kinds),
        figsize=(1.5 + 3.2 * len(kinds), 3.8),
        sharey=True,
        layout="constrained",
        squeeze=False,
    )
    for axis, kind in zip(axes[0], kinds, strict=True):
        for network, table in gradients[gradients["kind"] == kind].groupby("network", sort=False):
            style = _style(network)
            shown = table[table["median"] > 0]
            band = {"alpha": 0.2, "color": style["color"], "linewidth": 0}
            axis.fill_between(table["distance"], table["low"], table["high"], **band)
            axis.plot(shown["distance"], shown["median"], label=network, **style)
        axis.set(title=kind, xlabel="words before the end", yscale="log", ylim=(1e-12, 1e2))
    axes[0, 0].set_ylabel("gradient, relative to the last word's")
    utils.label_ends(axes[0, -1])
    return figure


def plot_gap(curves: pd.DataFrame) -> Figure:
    """Draw training and validation accuracy of each run after its last epoch, and the gap between.

    curves: a row a run and epoch; the runs in the order of the rows, the first at the top
    """
    last = curves.groupby("run", sort=False).last()
    figure, axis = plt.subplots(figsize=(8, 0.45 * len(last) + 1.2), layout="constrained")
    for row, run in enumerate(last.itertuples()):
        colour = _style(run.network)["color"]
        train, valid = 100 * run.train_accuracy, 100 * run.valid_accuracy
        axis.plot([train, valid], [row, row], color=colour, linewidth=1.5)
        axis.plot(train, row, "o", color=colour, markerfacecolor="white")
        axis.plot(valid, row, "o", color=colour)
        place = {"xytext": (8, -3), "textcoords": "offset points", "fontsize": 9}
        axis.annotate(f"{train - valid:+.1f}", (max(train, valid), row), **place)
    label = "accuracy (%): hollow in training, filled in validation; gap in points"
    axis.set(yticks=range(len(last)), yticklabels=last["network"], xlabel=label)
    axis.set_ylim(len(last) - 0.5, -0.5)
    axis.margins(x=0.12)  # room for the last number
    return figure


def plot_points(results: pd.DataFrame, values: pd.Series, label: str) -> Figure:
    """Draw one value a run as points, a row a network, with their mean and range.

    results: a row a run, with network; values: one for each row; label: of their axis
    """
    names = list(results["network"].unique())
    figure, axis = plt.subplots(figsize=(8, 0.45 * len(names) + 1.2), layout="constrained")
    for row, name in enumerate(names):
        own = values[results["network"] == name]
        colour = _style(name)["color"]
        axis.plot([own.min(), own.max()], [row, row], color=colour, linewidth=1.5)
        axis.plot(own, [row] * len(own), "o", color=colour, markersize=4)
        axis.plot(own.mean(), row, "|", color=colour, markersize=18, markeredgewidth=3)
    axis.set(yticks=range(len(names)), yticklabels=names, xlabel=label)
    axis.set_ylim(len(names) - 0.5, -0.5)
    return figure


def plot_differences(table: pd.DataFrame) -> Figure:
    """Draw the rows of `compare`: difference and interval in points; filled where it is real."""
    figure, axis = plt.subplots(figsize=(8, 0.4 * len(table) + 1.2), layout="constrained")
    for row, (_, pair) in enumerate(table.iterrows()):
        axis.plot([pair["low"], pair["high"]], [row, row], color="#0072B2")
        fill = "#0072B2" if pair["real"] == "yes" else "white"
        axis.plot(pair["points"], row, "o", color="#0072B2", markerfacecolor=fill)
    axis.axvline(0, color="black", linewidth=0.8)
    label = "difference in test accuracy (points), 95 % interval"
    axis.set(yticks=range(len(table)), yticklabels=table.index, xlabel=label)
    axis.set_ylim(len(table) - 0.5, -0.5)
    return figure


def _lines_to_pass(axis: Axes, lines: dict[str, float]) -> None:
    """Draw what linear models reach as dotted lines across, named at the top left of each.

    Neighbours are named at different heights, above the first row, which is at 0.
    """
    for number, (name, value) in enumerate(lines.items()):
        axis.axvline(value, color="black", linewidth=0.8, linestyle=":")
        place = {"xytext": (-3, 0), "textcoords": "offset points", "fontsize": 8}
        axis.annotate(name, (value, (-0.5, -0.85)[number % 2]), ha="right", **place)


def plot_ladder(tables: dict[str, pd.DataFrame], lines: dict[str, float]) -> Figure:
    """Draw test accuracy (%) with its interval, one rung a row; `lines` are baselines to pass.

    tables: network -> its table, indexed by rung, with accuracy, low, high (%); the rows are those
    of the first. What has no "+" after the first row is a side step, and is drawn hollow.
    """
    rungs = next(iter(tables.values())).index
    figure, axis = plt.subplots(figsize=(8, 0.38 * len(rungs) + 1.4), layout="constrained")
    for network, table in tables.items():
        rows, accuracy = rungs.get_indexer(table.index), table["accuracy"]
        look = {"fmt": "o", "color": _style(network)["color"], "markersize": 6, "label": network}
        axis.errorbar(
            accuracy, rows, xerr=[accuracy - table["low"], table["high"] - accuracy], **look
        )
        aside = (rows > 0) & ~table.index.str.startswith("+")
        axis.plot(accuracy[aside], rows[aside], "o", color="white", markersize=3, zorder=4)
    if len(tables) > 1:
        axis.legend(loc="lower left")
    _lines_to_pass(axis, lines)
    label = "test accuracy (%), 95 % interval"
    axis.set(yticks=range(len(rungs)), yticklabels=rungs, xlabel=label)
    axis.set_ylim(len(rungs) - 0.5, -1.3)
    return figure


def plot_accuracies(
    tables: dict[str, pd.DataFrame], lines: dict[str, float], reported: dict[str, float]
) -> Figure:
    """Draw mean accuracies with their intervals, a row a network, one below another by recipe.

    Small dots are the lowest and the highest run of a network.

    tables:   what each recipe gave, a table of `accuracy_table`; the last one is drawn filled
    lines:    baselines to pass (%)
    reported: network -> accuracy (%) that somebody else found, drawn as crosses
    """
    names = list(dict.fromkeys(name for table in tables.values() for name in table.index))
    figure, axis = plt.subplots(figsize=(8, 0.62 * len(names) + 1.5), layout="constrained")
    for place, (recipe, table) in enumerate(tables.items()):
        rows = [names.index(name) + 0.3 * (place - (len(tables) - 1) / 2) for name in table.index]
        spread = [table["mean"] - table["low"], table["high"] - table["mean"]]
        last = place == len(tables) - 1
        fill = {"markerfacecolor": "#0072B2" if last else "white"}
        axis.errorbar(
            table["mean"], rows, xerr=spread, fmt="o", color="#0072B2", label=recipe, **fill
        )
        for end in ("min", "max"):
            single = table[end].where(table["runs"] > 1)
            axis.plot(single, rows, ".", color="#0072B2", markersize=4)
    known = {names.index(name): value for name, value in reported.items() if name in names}
    axis.plot(known.values(), known.keys(), "x", color="black", label="as reported")
    _lines_to_pass(axis, lines)
    axis.set(yticks=range(len(names)), yticklabels=names, xlabel="test accuracy (%), 95 % interval")
    axis.set_ylim(len(names) - 0.5, -1.3)
    figure.legend(loc="outside lower right", ncols=len(tables) + 1, frameon=False)
    return figure


def plot_reliability(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw `reliability` of several networks: the share of good reviews over the probability."""
    figure, axis = plt.subplots(figsize=(5, 4.4), layout="constrained")
    axis.plot([0, 1], [0, 1], color="black", linewidth=0.8)
    axis.annotate("calibrated", (0.3, 0.2), rotation=42, fontsize=9)
    for network, table in tables.items():
        style = _style(network)
        spread = [table["good"] - table["low"], table["high"] - table["good"]]
        axis.errorbar(
            table["probability"],
            table["good"],
            yerr=spread,
            label=network,
            elinewidth=0.8,
            marker="o",
            markersize=4,
            **style,
        )
    axis.set(xlabel="what the network says", ylabel="share of good reviews", xlim=(0, 1))
    axis.legend(frameon=False, handlelength=3)
    return figure


def plot_lengths(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw `accuracy_by_length` of several networks over the median length of each part."""
    figure, axis = plt.subplots(figsize=(7, 3.8), layout="constrained")
    for network, table in tables.items():
        style = _style(network)
        axis.fill_between(
            table["tokens"],
            100 * table["low"],
            100 * table["high"],
            alpha=0.15,
            color=style["color"],
            linewidth=0,
        )
        axis.plot(table["tokens"], 100 * table["accuracy"], "o", label=network, **style)
    axis.set(xlabel="tokens of a review", ylabel="test accuracy (%)", xscale="log")
    ticks = table["tokens"].round(-1).astype(int)
    axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axis.minorticks_off()
    utils.label_ends(axis)
    return figure


def plot_reading(words: Sequence[str], readings: dict[str, dict[str, NDArray[Any]]]) -> Figure:
    """Draw what happens inside of networks while they read one review, a column a network.

    readings: network -> belief (T,), gates: name -> (T, H) values, and evidence (T, units), what
    each of some units adds to the logit. Rows: belief, mean of the gates, evidence of the units.
    """
    figure, axes = plt.subplots(
        3,
        len(readings),
        figsize=(5.2 * len(readings), 7),
        sharex=True,
        sharey="row",
        layout="constrained",
        squeeze=False,
        height_ratios=(1, 1, 1.4),
    )
    step = np.arange(len(words))
    for column, (network, reading) in zip(axes.T, readings.items(), strict=True):
        column[0].plot(step, reading["belief"], **_style(network))
        column[0].axhline(0.5, color="black", linewidth=0.8)
        column[0].set(title=network, ylim=(0, 1))
        gates: dict[str, NDArray[Any]] = reading["gates"]
        for (name, values), dashes in zip(gates.items(), ("-", "--", ":"), strict=False):
            column[1].plot(step, values.mean(1), dashes, color="#333333", label=name)
        column[1].legend(frameon=False, ncols=len(gates), loc="upper left", fontsize=8)
        column[1].set_ylim(0, 1)
        image = _show_evidence(column[2], reading["evidence"])
        column[2].set_xticks(step, words, rotation=90, fontsize=7)
    axes[0, 0].set_ylabel("probability of good")
    axes[1, 0].set_ylabel("gate, mean of all units")
    axes[2, 0].set_ylabel("units that weigh most")
    figure.colorbar(image, ax=axes[2, -1], label="added to the logit")
    return figure


def _show_evidence(axis: Axes, evidence: NDArray[Any]) -> Any:
    """Draw units (rows) over words as colours, the same scale in every panel."""
    axis.grid(visible=False)
    axis.set_yticks([])
    return axis.imshow(
        evidence.T, aspect="auto", cmap="RdBu", vmin=-0.2, vmax=0.2, interpolation="nearest"
    )


class ColouredText:
    """A text whose words are coloured by what each network believes after reading them.

    In a notebook a line a network: blue where the review seems good so far, orange where it seems
    bad, white in between; the mouse over a word shows the number. Elsewhere a table in plain text.
    """

    def __init__(self, words: Sequence[str], beliefs: dict[str, NDArray[Any]]) -> None:
        """beliefs: network -> probability of a good review after each word (T,)."""
        self.words, self.beliefs = words, beliefs

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:right;white-space:nowrap'>{html.escape(network)}</td>"
            f"<td style='text-align:right'>{belief[-1]:.2f}</td>"
            f"<td style='text-align:left'>{self._spans(belief)}</td></tr>"
            for network, belief in self.beliefs.items()
        )
        head = "<tr><th>network</th><th>end</th><th style='text-align:left'>word by word</th></tr>"
        return f"<table>{head}{rows}</table>"

    def _spans(self, belief: NDArray[Any]) -> str:
        """Return the words as HTML, each on the colour of the belief after it."""
        spans = []
        for word, p in zip(self.words, belief, strict=True):
            red, green, blue = (0, 114, 178) if p > 0.5 else (230, 120, 0)
            colour = f"rgba({red},{green},{blue},{abs(2 * p - 1):.2f})"
            style = f"background:{colour};padding:0 2px"
            spans.append(f"<span style='{style}' title='{p:.2f}'>{html.escape(word)}</span>")
        return " ".join(spans)

    def __repr__(self) -> str:
        table = pd.DataFrame({name: np.round(b, 2) for name, b in self.beliefs.items()})
        table.insert(0, "word", list(self.words))
        return table.to_string(index=False)


def plot_beliefs(words: Sequence[str], beliefs: dict[str, NDArray[Any]]) -> Figure:
    """Draw how the belief of each network moves while it reads: a line a network.

    beliefs: network -> probability of a good review after each word (T,). Up to 80 words stand at
    the axis; of more, their numbers.
    """
    figure, axis = plt.subplots(figsize=(10, 4.2), layout="constrained")
    step = np.arange(1, len(words) + 1)
    for network, belief in beliefs.items():
        axis.plot(step, belief, **_style(network), label=network, marker="." * (len(words) == 1))
    axis.axhline(0.5, color="black", linewidth=0.8)
    axis.set(ylim=(0, 1), ylabel="probability of good")
    if len(words) <= 80:
        shown = [word.replace("$", r"\$") for word in words]  # or it would start a formula
        axis.set_xticks(step, shown, rotation=90, fontsize=8)
    else:
        axis.set_xlabel("words read")
    axis.legend(frameon=False, ncols=len(beliefs), fontsize=8, loc="upper center", handlelength=3)
    return figure
