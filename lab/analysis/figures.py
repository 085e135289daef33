"""All plots of the lab, of every chapter. Each takes tables and arrays; none knows a network.

Most compare places where runs were made: `where -> table` gives a panel, or a row of them, each.
`guessed` is what the reader predicted, by network or cell; it is marked in the first panel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lab.analysis import style
from lab.analysis.style import BLUE
from lab.base.messages import _, say

# ── 1. While networks learn ─────────────────────────────────────────────────────────────────────


def plot_curves(
    curves: dict[str, pd.DataFrame], quantity: str, guessed: dict[str, float] | None = None
) -> Figure:
    """Plot `quantity` (accuracy or loss) over epochs: training left, validation right.

    curves: where -> a row a run and epoch; a line a run, so that it shows where they part
    """
    figure, axes = style.grid(len(curves), 2, 5, 2.8, sharey=True)
    for row, (where, table) in zip(axes, curves.items(), strict=True):
        for axis, part in zip(row, ("train", "valid")):
            _plot_curves(axis, table, f"{part}_{quantity}")
        row[0].set_title(_("{where}: training", where=_(where)))
        row[1].set_title(_("{where}: validation", where=_(where)))
        loss = quantity == "loss"
        row[0].set_ylabel(_("loss (nats per review)") if loss else _("accuracy (%)"))
    first, epochs = axes[0, 1], next(iter(curves.values()))["epoch"].max()
    if guessed:  # of the test, so they stand behind the last epoch
        style.mark_network_guesses(
            first, 1.35 * epochs, guessed, apart=0.05 * epochs, label=_("predicted (test)")
        )
        below = {"transform": first.get_xaxis_transform(), "ha": "center", "va": "top"}
        first.text(1.22 * epochs, -0.06, _("test"), **below)
    count = len(first.get_legend_handles_labels()[1])
    style.legend_below(figure, first, ncols=count if count < 8 else 4)
    return figure


def _plot_curves(axis: Axes, curves: pd.DataFrame, column: str) -> None:
    """Plot a column over epochs, a line a run, with the level of chance."""
    accuracy = column.endswith("accuracy")
    for (network, _seed), rows in curves.groupby(["network", "seed"], sort=False):
        look = style.network_style(network) | {"marker": "o", "markersize": 4}
        values = (100 if accuracy else 1) * rows[column]
        axis.plot(rows["epoch"], values, label=style.label_once(axis, network), **look)
    axis.axhline(50 if accuracy else math.log(2), **style.CHANCE)
    axis.set(xlabel=_("epoch"), xticks=sorted(curves["epoch"].unique()))


def plot_perplexity(
    runs: dict[str, tuple[pd.DataFrame, pd.Series]], guessed: dict[str, float] | None = None
) -> Figure:
    """Plot the validation perplexity of language models over the words they have read.

    runs: where -> their curves, and the perplexities of models that count
    """
    figure, panels = style.panels(runs, 5.2, 3.5, _("perplexity"))
    for axis, (curves, counting) in panels:
        for network, rows in curves.groupby("network", sort=False):
            look = style.network_style(network.removesuffix(" LM")) | {"markersize": 4}
            for _name, run in rows.groupby("run", sort=False):
                words, perplexity = run["tokens"].cumsum() / 1e6, np.exp(run["valid_loss"])
                axis.plot(words, perplexity, "o", label=style.label_once(axis, network), **look)
        for (name, value), dashes in zip(counting.items(), ("-", "--"), strict=False):
            axis.axhline(value, color="black", linewidth=0.9, linestyle=dashes, label=say(name))
        axis.set(xlabel=_("words read (millions)"), yscale="log")
        axis.yaxis.set(major_formatter="{x:,.0f}", minor_formatter="{x:,.0f}")
        if axis is figure.axes[0]:
            end = words.iloc[-1]  # the stars stand behind it
            style.mark_network_guesses(axis, 1.11 * end, guessed, apart=0.04 * end)
    count = 6 if len(runs) > 1 else 3
    style.legend_below(figure, figure.axes[0], ncols=count, fontsize=8)
    return figure


def plot_gap(curves: dict[str, pd.DataFrame]) -> Figure:
    """Plot training and validation accuracy of each run after its last epoch, and the gap between.

    curves: where -> a row a run and epoch, one run a network
    """
    last = {where: table.groupby("run", sort=False).last() for where, table in curves.items()}
    figure, panels = style.panels_of_rows(last, max(map(len, last.values())) + 1)
    for axis, table in panels:
        for row, run in enumerate(table.itertuples()):
            look = {"color": style.network_style(run.network)["color"], "markersize": 7}
            train, valid = 100 * run.train_accuracy, 100 * run.valid_accuracy
            axis.plot([train, valid], [row, row], color=look["color"], linewidth=1.5)
            axis.plot(train, row, "o", markerfacecolor="white", **look)
            axis.plot(valid, row, "o", **look)
            place = {"xytext": (8, -3), "textcoords": "offset points", "fontsize": 9}
            axis.annotate(f"{train - valid:+.1f}", (max(train, valid), row), **place)
        style.name_rows(axis, table["network"])
        axis.set_xlabel(_("accuracy after the last epoch (%)"))
        axis.margins(x=0.2)  # room for the last number
    for name, fill in ((_("training"), "white"), (_("validation"), "#333333")):
        axis.plot([], [], "o", color="#333333", markerfacecolor=fill, label=name)
    style.legend_below(figure, axis, ncols=4, fontsize=9)
    return figure


# ── 2. Inside of networks ───────────────────────────────────────────────────────────────────────


def plot_gradients(kinds: dict[str, pd.DataFrame]) -> Figure:
    """Plot `bands` over the distance from the end, one panel a kind, one band a network.

    kinds: title -> the table of `bands` with the columns network and state (h, or an LSTM's c)
    """
    width, ylabel = 3.4 + 1 / len(kinds), _("gradient, relative to the last word's")
    figure, panels = style.panels(kinds, width, 3.6, ylabel, sharey=True)
    for axis, table in panels:
        for (network, state), rows in table.groupby(["network", "state"], sort=False):
            look = style.network_style(network) | ({"linestyle": "-."} if state == "c" else {})
            label = f"{say(network)}, $c_t$" if state == "c" else say(network)
            band = {"color": look["color"]} | style.BAND
            axis.fill_between(rows["distance"], rows["low"], rows["high"], **band)
            positive = rows[rows["median"] > 0]
            axis.plot(positive["distance"], positive["median"], label=label, **look)
        axis.set(xlabel=_("words before the end"), yscale="log", ylim=(1e-12, 1e2))
        axis.legend(fontsize=8, loc="lower left")
    return figure


def plot_reading(words: Sequence[str], readings: dict[str, dict[str, Any]]) -> Figure:
    """Plot what happens inside of networks while they read one review, a column a network.

    readings: network -> belief (T,); gates: name -> (T, H) values, the keeping one first; units
    (units,), which ones weigh most; and evidence (T, units), what each of them adds to the logit.
    Rows: belief; mean of the gates, and the middle half of all units; evidence; keeping gate.
    """
    heights = (1, 1.2, 1.4, 1.4)
    figure, axes = style.grid(4, len(readings), 5.2, 2.375, sharex=True, height_ratios=heights)
    step = np.arange(len(words))
    for column, (network, reading) in zip(axes.T, readings.items(), strict=True):
        column[0].plot(step, reading["belief"], **style.network_style(network))
        column[0].axhline(0.5, color="black", linewidth=0.8)
        column[0].set(title=say(network), ylim=(0, 1))
        _plot_gates(column[1], reading["gates"])
        largest = np.abs(reading["evidence"]).max()
        _plot_units(column[2], reading["evidence"], "cividis", -largest, largest)
        for name, values in list(reading["gates"].items())[:1]:
            _plot_units(column[3], values[:, reading["units"]], "Greys_r", 0, 1)
            column[3].set_ylabel(_("the same units: {gate}", gate=_(name)))
        column[3].set_xticks(step, words, rotation=90, fontsize=7, parse_math=False)
    axes[0, 0].set_ylabel(_("probability of good"))
    axes[1, 0].set_ylabel(_("gates of all units"))
    axes[2, 0].set_ylabel(_("units: added to the logit"))
    return figure


def _plot_gates(axis: Axes, gates: dict[str, NDArray[Any]]) -> None:
    """Plot the mean of each gate (T, H) over the words, and the middle half of its units."""
    for place, (name, values) in enumerate(gates.items()):
        colour, dashes = ("#D55E00", BLUE, "#333333")[place % 3], ("-", "--", ":")[place % 3]
        step = np.arange(len(values))
        middle = np.quantile(values, [0.25, 0.75], axis=1)
        axis.fill_between(step, *middle, color=colour, **style.BAND)
        axis.plot(step, values.mean(1), dashes, color=colour, label=say(name))
    axis.set_ylim(0, 1.22)  # room for the legend
    axis.set_yticks([0, 0.5, 1])
    if gates:
        axis.legend(frameon=False, ncols=len(gates), loc="upper left", fontsize=8)


def _plot_units(axis: Axes, values: NDArray[Any], cmap: str, low: float, high: float) -> None:
    """Plot values of units (T, units) over the words as colours, a row a unit, with their bar."""
    axis.grid(visible=False)
    axis.set_yticks([])
    scale = {"cmap": cmap, "vmin": low, "vmax": high}
    image = axis.imshow(values.T, aspect="auto", interpolation="nearest", **scale)
    axis.figure.colorbar(image, ax=axis, pad=0.02, aspect=15)


# ── 3. A text, word by word ─────────────────────────────────────────────────────────────────────


def plot_surprise(words: Sequence[str], surprises: dict[str, NDArray[Any]]) -> Figure:
    """Plot how surprised language models are by each word of a text, as a perplexity.

    surprises: network -> nats for each word (T,)
    """
    figure, axis = plt.subplots(figsize=(10, 3.8), layout="constrained")
    place = np.arange(len(words))
    for (network, nats), marker in zip(surprises.items(), "osD^v"):
        look = style.network_style(network.removesuffix(" LM")) | {"marker": marker}
        axis.plot(place, np.exp(nats), label=say(network), linewidth=1.4, markersize=5, **look)
    axis.set_yscale("log", subs=[2, 5])
    axis.set(ylabel=_("perplexity of the word"), xlim=(-0.5, len(words) - 0.5))
    axis.set_xticks(place, words, rotation=45, ha="right", parse_math=False)
    axis.yaxis.set(major_formatter="{x:,.0f}", minor_formatter="{x:,.0f}")
    axis.legend(fontsize=9)
    return figure


def plot_beliefs(
    words: Sequence[str], beliefs: dict[str, NDArray[Any]], guessed: str | None = None
) -> Figure:
    """Plot how the belief of each network moves while it reads: a line a network.

    beliefs: network -> probability of a good review after each word (T,). Up to 80 words stand at
    the axis; of more, their numbers. guessed: the word that moves them most
    """
    figure, axis = plt.subplots(figsize=(10, 3.1), layout="constrained")
    step, marker = np.arange(1, len(words) + 1), "." if len(words) == 1 else ""
    for network, belief in beliefs.items():
        axis.plot(step, belief, label=say(network), marker=marker, **style.network_style(network))
    for place, word in enumerate(words, 1):
        if word == (guessed or "").lower():
            axis.axvline(place, color="black", linestyle=":", linewidth=1.2, label="_predicted")
            said = _("predicted")
            look = {"fontsize": 8, "rotation": 90, "ha": "right", "va": "bottom"}
            axis.text(place, 0.02, f" {said}", **look)
    axis.axhline(0.5, color="black", linewidth=0.8)
    axis.set(ylim=(0, 1), ylabel=_("probability of good"))
    if len(words) <= 80:
        axis.set_xticks(step, words, rotation=90, fontsize=8, parse_math=False)
    else:
        axis.set_xlabel(_("words read"))
    handles = axis.get_legend_handles_labels()
    look = {"ncols": len(beliefs), "fontsize": 8, "handlelength": 3, "frameon": False}
    figure.legend(*handles, loc="outside upper center", **look)
    return figure


# ── 4. Runs compared ────────────────────────────────────────────────────────────────────────────


def plot_seeds(runs: dict[str, pd.DataFrame]) -> Figure:
    """Plot the test accuracy of each run, a row a network, with their mean and range.

    runs: where -> a row a run, with network and test_accuracy
    """
    figure, panels = style.panels_of_rows(runs, max(t["network"].nunique() for t in runs.values()))
    for axis, table in panels:
        names = list(table["network"].unique())
        for row, name in enumerate(names):
            accuracy = 100 * table.loc[table["network"] == name, "test_accuracy"]
            mean, colour = accuracy.mean(), style.network_style(name)["color"]
            axis.plot([accuracy.min(), accuracy.max()], [row, row], color=colour, linewidth=1.5)
            axis.plot(accuracy, [row] * len(accuracy), "o", color=colour, markersize=4)
            axis.plot(mean, row, "|", color=colour, markersize=18, markeredgewidth=3)
        style.name_rows(axis, names)
        axis.set_xlabel(_("test accuracy (%)"))
    return figure


def plot_p_values(
    tests: dict[str, dict[str, list[float]]],
    guessed: dict[str, float | None] | None = None,
    smallest: float = 1e-9,
) -> Figure:
    """Plot p-values on a logarithmic axis, a row a network; those below `smallest` stand there.

    tests: title -> network -> p-values; guessed: title -> how many are below 0.05 (%), shown there
    """
    figure, panels = style.panels_of_rows(tests, max(map(len, tests.values())))
    for name, (axis, by_network) in zip(tests, panels, strict=True):
        everything = [p for values in by_network.values() for p in values]
        for row, (network, values) in enumerate(by_network.items()):
            look = {"color": style.network_style(network)["color"], "markersize": 5, "alpha": 0.7}
            axis.plot(np.maximum(values, smallest), [row] * len(values), "o", **look)
        axis.axvline(0.05, color="k", linewidth=1)
        below = sum(p < 0.05 for p in everything)
        title = _(
            "{name}: {below} of {all} ({share:.0f} %) below 0.05",
            name=_(name),
            below=below,
            all=len(everything),
            share=100 * below / len(everything),
        )
        if (prediction := (guessed or {}).get(name)) is not None:
            title = _("{title}\n★ predicted: {share:.3g} %", title=title, share=prediction)
        style.name_rows(axis, [*by_network])
        axis.set(xscale="log", xlabel=_("McNemar's p"), title=title)
    return figure


def plot_differences(tables: dict[str, pd.DataFrame]) -> Figure:
    """Plot the rows of `compare`: difference and interval in points; filled if it is supported."""
    figure, panels = style.panels_of_rows(tables, max(map(len, tables.values())))
    for axis, table in panels:
        for row, (_name, pair) in enumerate(table.iterrows()):
            axis.plot([pair["low"], pair["high"]], [row, row], color=BLUE)
            fill = BLUE if pair["supported"] == "yes" else "white"
            axis.plot(pair["points"], row, "o", color=BLUE, markerfacecolor=fill)
        axis.axvline(0, color="black", linewidth=0.8)
        low, high = axis.get_xlim()  # networks that agree on each review differ by nothing at all
        axis.set_xlim(min(low, -0.5), max(high, 0.5))
        axis.locator_params(axis="x", nbins=6)  # else labels such as −12.5 touch
        style.name_rows(axis, table.index)
        axis.set_xlabel(_("points (95 % interval)"))
    return figure


def plot_ablation(places: dict[str, tuple[dict[str, pd.DataFrame], dict[str, float]]]) -> Figure:
    """Plot test accuracy (%) with its interval, one step of an ablation a row.

    places: where -> network -> table, indexed by step, with accuracy, low, high (%); and lines to
    pass: name of a baseline -> accuracy (%). The rows are those of the longest table. What has no
    "+" after the first row is a side step, drawn hollow.
    """
    indexes = [table.index for tables, _ in places.values() for table in tables.values()]
    steps = max(indexes, key=len)
    figure, panels = style.panels_of_rows(places, len(steps) + 1)
    figure.set_figwidth(max(8, figure.get_figwidth()))
    for axis, (tables, baselines) in panels:
        for network, table in tables.items():
            _plot_steps(axis, table, steps, network, numbers=len(tables) == 1)
        style.mark_baselines(axis, baselines)
        style.name_rows(axis, steps, top=-0.7)
        axis.set_xlabel(_("test accuracy (%), 95 % interval"))
        axis.tick_params(labelleft=axis is figure.axes[0])
    style.legend_below(figure, axis, ncols=4, fontsize=9)  # the last panel has all there is
    return figure


def _plot_steps(
    axis: Axes, table: pd.DataFrame, steps: pd.Index, network: str, numbers: bool
) -> None:
    """Plot the steps of one network's ablation, with their numbers or without."""
    rows, accuracy = steps.get_indexer(table.index), table["accuracy"]
    marker = "s" if network.startswith("GRU") else "o"
    colour = style.network_style(network)["color"]
    look = {"fmt": marker, "color": colour, "markersize": 7, "label": say(network)}
    axis.errorbar(accuracy, rows, xerr=[accuracy - table["low"], table["high"] - accuracy], **look)
    aside = (rows > 0) & ~table.index.str.startswith("+")
    axis.plot(accuracy[aside], rows[aside], marker, color="white", markersize=4, zorder=4)
    for value, row in zip(accuracy, rows, strict=True):
        if numbers:
            place = {"xytext": (0, 5), "textcoords": "offset points", "fontsize": 8.5}
            axis.annotate(f"{value:.1f}", (value, row), ha="center", **place)


def plot_recipes(
    recipes: dict[str, tuple[dict[str, pd.DataFrame], pd.DataFrame]],
    reported: dict[str, Any],
    guessed: float | None = None,
    network: str = "RNN-1024",
) -> Figure:
    """Plot the test accuracy of each run, a row a network, one recipe below the other.

    recipes: where -> name of a recipe -> a row a run; and the accuracy of the baselines, as from
    `baselines.baseline_table`. The last recipe is drawn filled
    reported: network -> loss and accuracy that somebody else found, drawn as crosses
    guessed: % of `network` with the last recipe
    """
    tables = [table for by_recipe, _ in recipes.values() for table in by_recipe.values()]
    networks = list(dict.fromkeys(name for table in tables for name in table["network"]))
    figure, panels = style.panels_of_rows(recipes, 2 * len(networks))
    known = {networks.index(n): 100 * r[1] for n, r in reported.items() if n in networks}
    for axis, (by_recipe, baselines) in panels:
        last = len(by_recipe) - 1
        for place, (recipe, table) in enumerate(by_recipe.items()):
            fill = BLUE if place == last else "white"
            rows = table["network"].map(networks.index) + 0.32 * (place - last / 2)
            look = {"color": BLUE, "label": say(recipe), "markersize": 6, "markerfacecolor": fill}
            axis.plot(100 * table["test_accuracy"], rows, "o", **look)
        axis.plot(known.values(), known.keys(), "x", color="black", label=_("starting report"))
        style.mark_baselines(axis, 100 * baselines.iloc[1:, 0])
        style.name_rows(axis, networks)
        axis.set_xlabel(_("test accuracy (%)"))
    first = figure.axes[0]
    if guessed is not None and network in networks:
        style.mark_guesses(first, [(guessed, networks.index(network), "white")])
    style.legend_below(figure, first, ncols=3 if len(recipes) > 1 else 2, fontsize=9)
    return figure


def plot_labels(transfer: dict[str, pd.DataFrame]) -> Figure:
    """Plot test accuracy over the number of labelled training reviews.

    transfer: where -> a row a run, with network, labels, test_accuracy, and start ("scratch" or
    "pretrained"); one panel a network
    """
    figure, panels = style.panels_of_networks(transfer)
    for axis, rows in panels:
        for start, runs, look in style.starts(rows):
            mean = 100 * runs.groupby("labels")["test_accuracy"].mean()
            axis.plot(mean.index, mean, label=say(start), **look | {"marker": ""})
            points = look | {"linestyle": "", "markersize": 5}
            axis.plot(runs["labels"], 100 * runs["test_accuracy"], **points)
        axis.axhline(50, color="black", linewidth=0.8)
        axis.set(xscale="log", xlabel=_("labelled training reviews"))
        ticks = sorted(rows["labels"].unique())
        axis.set_xticks(ticks, map("{:,}".format, ticks))
        axis.minorticks_off()
        axis.margins(x=0.12)  # room for the numbers at both ends
        axis.legend(fontsize=8, handlelength=3)
    figure.supylabel(_("test accuracy (%)"), fontsize=10)
    return figure


def plot_few_labels(curves: dict[str, pd.DataFrame]) -> Figure:
    """Plot the validation loss over the updates of runs with few labels; a star at the best.

    curves: where -> a row a run and epoch, with run, network, start, update and valid_loss; one
    panel a network
    """
    figure, panels = style.panels_of_networks(curves, sharey=False)
    for axis, rows in panels:
        for start, runs, look in style.starts(rows):
            for _name, run in runs.groupby("run"):
                label = style.label_once(axis, start)
                axis.plot(run["update"], run["valid_loss"], label=label, markersize=4, **look)
        best = rows.loc[rows.groupby("run")["valid_loss"].idxmin()]
        axis.plot(
            best["update"], best["valid_loss"], "k*", markersize=11, label=_("kept"), zorder=4
        )
        axis.axhline(math.log(2), color="black", linewidth=0.8, label=_("chance level"))
        low, high = axis.get_ylim()
        axis.set(xlabel=_("updates"), ylim=(low, high + 0.3 * (high - low)))  # room for the legend
        axis.legend(fontsize=8, handlelength=3, ncols=2, loc="upper left")
    figure.supylabel(_("validation loss (nats per review)"), fontsize=10)
    return figure


def plot_reliability(tables: dict[str, dict[str, pd.DataFrame]]) -> Figure:
    """Plot `reliability`: where -> network -> its table."""
    figure, panels = style.panels(tables, 4.8, 4.4, _("share of good reviews"), sharey=True)
    markers = style.markers(tables)
    for axis, by_network in panels:
        axis.plot([0, 1], [0, 1], color="black", linewidth=0.8, label=_("calibrated"))
        for network, table in by_network.items():
            spread = [table["good"] - table["low"], table["high"] - table["good"]]
            look = style.network_style(network) | {"marker": markers[network], "elinewidth": 0.8}
            axis.errorbar(table["probability"], table["good"], spread, label=say(network), **look)
        axis.set(xlabel=_("what the network says"), xlim=(0, 1), ylim=(0, 1))
        axis.legend(handlelength=3, fontsize=9)
    return figure


def plot_lengths(tables: dict[str, dict[str, pd.DataFrame]]) -> Figure:
    """Plot `accuracy_by_length`, where -> network -> its table, over each part's median length."""
    figure, panels = style.panels(tables, 5.2, 3.8, _("test accuracy (%)"))
    markers = style.markers(tables)
    for axis, by_network in panels:
        for network, table in by_network.items():
            look, tokens = style.network_style(network), table["tokens"]
            low, high, colour = 100 * table["low"], 100 * table["high"], look["color"]
            axis.fill_between(tokens, low, high, color=colour, **style.BAND)
            axis.plot(tokens, 100 * table["accuracy"], markers[network], label=say(network), **look)
        axis.set(xlabel=_("tokens of a review"), xscale="log")
        ticks = tokens.round(-1).astype(int)  # they are the same for all
        axis.set_xticks(ticks, map("{:,}".format, ticks))
        axis.minorticks_off()
        axis.legend(handlelength=3, fontsize=9)
    return figure
