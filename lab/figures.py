"""All plots of the lab, of every chapter, and the one look that they share.

Each is drawn from tables and arrays that runs have left; nothing here knows a network. Beside them
stands the coloured text, which shows a review in the colours of what a network believes.

Who uses it: the notebook. Imports `config.py` and `files.py`.
"""

from __future__ import annotations

import html
import io
import math
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lab import config, files

# Colour-blind safe (Okabe and Ito 2008); the dashes tell the networks apart in grey print too.
NETWORK_STYLE = {
    "RNN-256": ("#56B4E9", (0, (1, 1))),
    "RNN-256 x 2": ("#0072B2", (0, (3, 1, 1, 1))),
    "RNN-512": ("#999999", (0, (5, 2))),
    "RNN-1024": ("#333333", (0, (5, 1, 1, 1, 1, 1))),
    "LSTM-256": ("#D55E00", "solid"),
    "GRU-256": ("#009E73", "solid"),
}


def use_theme() -> None:
    """Set the one look of all figures: white, quiet grid, text legible on printed A4."""
    import seaborn as sns  # takes a second, and is needed here alone

    sns.set_theme(context="notebook", style="whitegrid", font_scale=0.95)
    plt.rcParams.update({"figure.dpi": 100, "savefig.dpi": 150, "lines.linewidth": 2.2})


def save_figure(figure: Figure, name: str) -> None:
    """Save a figure as `figures/<name>.png` in the output folder."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    files.write_atomically(config.output_folder() / "figures" / f"{name}.png", buffer.getvalue())


OTHER_STYLE = ("#CC79A7", "solid")  # of a network that is none of the six: rose


def _style(network: str) -> dict[str, Any]:
    """Return colour and dashes of a network; one that is not of the six is drawn in rose."""
    colour, dashes = NETWORK_STYLE.get(network, OTHER_STYLE)
    return {"color": colour, "linestyle": dashes}


def label_ends(axis: Axes, gap: float = 11.0) -> None:
    """Write each line's label at the right edge, where the line ends, in its colour.

    Call it when the axis is complete. Labels of lines that end close together are moved apart to
    `gap` points, in the order of the ends.
    """
    figure = axis.figure
    figure.draw_without_rendering()  # before that an axis does not know its size
    lowest, highest = sorted(axis.get_ylim())
    ends = []
    for line in axis.get_lines():
        heights = np.asarray(line.get_ydata(), dtype=float)
        heights = heights[np.isfinite(heights)]
        if not line.get_label().startswith("_") and len(heights):
            ends.append((np.clip(heights[-1], lowest, highest), line))
    before = math.inf  # in points, from the bottom of the figure
    for end, line in sorted(ends, key=lambda pair: -pair[0]):
        height = 72 / figure.dpi * axis.transData.transform((1, end))[1]
        before = min(height, before - gap)
        place = {"xytext": (4, before - height), "textcoords": "offset points", "va": "center"}
        place |= {"xycoords": axis.get_yaxis_transform(), "annotation_clip": False}
        axis.annotate(line.get_label(), (1, end), color=line.get_color(), fontsize=9, **place)


def _lines_to_pass(axis: Axes, lines: dict[str, float]) -> None:
    """Draw what linear models reach as dotted lines across, named at the top left of each.

    Neighbours are named at different heights, above the first row, which is at 0.
    """
    for number, (name, value) in enumerate(lines.items()):
        axis.axvline(value, color="black", linewidth=0.8, linestyle=":")
        place = {"xytext": (-3, 0), "textcoords": "offset points", "fontsize": 8}
        axis.annotate(name, (value, (-0.5, -0.85)[number % 2]), ha="right", **place)


def plot_curves(curves: pd.DataFrame, quantity: str) -> Figure:
    """Draw `quantity` (accuracy or loss) over epochs: training left, validation right.

    One line per run, in the style of its network: where runs of a network part, it shows.
    """
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    scale, unit = (100, "%") if quantity == "accuracy" else (1, "nats per review")
    for axis, (part, title) in zip(axes, {"train": "Training", "valid": "Validation"}.items()):
        for (network, seed), rows in curves.groupby(["network", "seed"], sort=False):
            style = _style(network) | {"marker": "o", "markersize": 4}
            first = seed == curves.loc[curves["network"] == network, "seed"].iloc[0]
            values = scale * rows[f"{part}_{quantity}"]
            axis.plot(rows["epoch"], values, label=network if first else None, **style)
        chance = 50.0 if quantity == "accuracy" else math.log(2)
        axis.axhline(chance, color="black", linewidth=0.8)
        place = {"xytext": (0, 3), "textcoords": "offset points", "fontsize": 9, "ha": "right"}
        axis.annotate("a coin", (curves["epoch"].max(), chance), **place)
        axis.set(title=title, xlabel="epoch", xticks=sorted(curves["epoch"].unique()))
    axes[0].set_ylabel(f"{quantity} ({unit})")
    handles, labels = axes[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, handlelength=3)
    return figure


def plot_perplexity(curves: pd.DataFrame, baselines: dict[str, float]) -> Figure:
    """Draw the validation perplexity of language models over the words they have read."""
    figure, axis = plt.subplots(figsize=(8, 4), layout="constrained")
    for network, rows in curves.groupby("network", sort=False):
        style = _style(network.removesuffix(" LM")) | {"markersize": 4}
        for number, (_, one) in enumerate(rows.groupby("run", sort=False)):
            label = network if number == 0 else None
            read = one["tokens"].cumsum() / 1e6
            axis.plot(read, np.exp(one["valid_loss"]), "o", label=label, **style)
    for name, value in baselines.items():
        axis.axhline(value, color="black", linewidth=0.8, label=name)
    axis.set(xlabel="words read (millions)", ylabel="perplexity", yscale="log")
    axis.yaxis.set_major_formatter("{x:,.0f}")
    axis.yaxis.set_minor_formatter("{x:,.0f}")
    label_ends(axis)
    return figure


def plot_labels(transfer: pd.DataFrame) -> Figure:
    """Draw test accuracy over the number of labelled reviews, one panel a network.

    transfer: a row a run, with network, labels, test_accuracy, and start ("scratch" or what else)
    """
    networks = transfer["network"].unique()
    figure, axes = plt.subplots(
        1, len(networks), figsize=(10, 3.6), sharey=True, layout="constrained", squeeze=False
    )
    for axis, network in zip(axes[0], networks, strict=True):
        colour = _style(network)["color"]
        for start, rows in transfer[transfer["network"] == network].groupby("start"):
            mean = 100 * rows.groupby("labels")["test_accuracy"].mean()
            style = ":" if start == "scratch" else "-"
            axis.plot(mean.index, mean, style, color=colour, label=start)
            axis.plot(rows["labels"], 100 * rows["test_accuracy"], "o", color=colour, markersize=4)
        axis.axhline(50, color="black", linewidth=0.8)
        ticks = sorted(transfer["labels"].unique())
        axis.set(title=network, xscale="log", xlabel="labelled reviews")
        axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axis.minorticks_off()
        axis.legend(frameon=False, handlelength=3)
    axes[0, 0].set_ylabel("test accuracy (%)")
    return figure


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
    label_ends(axes[0, -1])
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
    ticks = next(iter(tables.values()))["tokens"].round(-1).astype(int)  # the same for all
    axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axis.minorticks_off()
    label_ends(axis)
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
        column[1].legend(frameon=False, ncols=max(1, len(gates)), loc="upper left", fontsize=8)
        column[1].set_ylim(0, 1)
        _show_evidence(column[2], reading["evidence"])
        column[2].set_xticks(step, words, rotation=90, fontsize=7)
    axes[0, 0].set_ylabel("probability of good")
    axes[1, 0].set_ylabel("gate, mean of all units")
    axes[2, 0].set_ylabel("units that weigh most")
    figure.colorbar(axes[2, -1].images[0], ax=axes[2, -1], label="added to the logit")
    return figure


def _show_evidence(axis: Axes, evidence: NDArray[Any]) -> None:
    """Draw units (rows) over words as colours, the same scale in every panel."""
    axis.grid(visible=False)
    axis.set_yticks([])
    axis.imshow(
        evidence.T, aspect="auto", cmap="RdBu", vmin=-0.2, vmax=0.2, interpolation="nearest"
    )


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
