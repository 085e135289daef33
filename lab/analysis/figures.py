"""All plots of the lab, of every chapter, and the one look that they share.

Each is drawn from tables and arrays that runs have left; nothing here knows a network. Beside them
stands the coloured text, which shows a review in the colours of what a network believes.
"""

from __future__ import annotations

import contextlib
import html
import io
import math
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray
from scipy import special

from lab import config
from lab.base import files, i18n

# Colour-blind safe (Okabe and Ito 2008); the dashes tell the networks apart in grey print too.
NETWORK_STYLE = {
    "RNN-256": ("#56B4E9", (0, (1, 1))),
    "RNN-256 x 2": ("#0072B2", (0, (3, 1, 1, 1))),
    "RNN-512": ("#999999", (0, (5, 2))),
    "RNN-1024": ("#333333", (0, (5, 1, 1, 1, 1, 1))),
    "LSTM-256": ("#D55E00", "solid"),
    "GRU-256": ("#009E73", (0, (7, 1.5))),
}


CHINESE_FONTS = ("Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", "Droid Sans Fallback")


def use_theme() -> None:
    """Set the one look of all figures: white, quiet grid, text legible on printed A4."""
    import seaborn as sns  # takes a second, and is needed here alone

    sns.set_theme(context="notebook", style="whitegrid", font_scale=0.95)
    plt.rcParams.update({"figure.dpi": 100, "savefig.dpi": 150, "lines.linewidth": 2.2})
    if config.language() != i18n.ENGLISH:
        plt.rcParams["font.family"] = ["sans-serif", *_other_fonts()]
        i18n.show_tables()


def _other_fonts() -> list[str]:
    """Return the fonts of this system that have Chinese characters, the installed one first."""
    with contextlib.suppress(ImportError):
        from noto_cjk_sans_otc import FONT_PATH

        font_manager.fontManager.addfont(FONT_PATH)
    known = set(font_manager.get_font_names())
    return [name for name in CHINESE_FONTS if name in known]


def say(figure: Figure) -> Figure:
    """Put all texts of a figure into the reader's language; return it."""
    for text in figure.findobj(Text):
        text.set_text(i18n.say(text.get_text()))
    return figure


def save_figure(figure: Figure, name: str) -> None:
    """Show a figure, described in words for who cannot see it, and save it.

    It goes to `figures/<name>.png` in the output folder. The description is the alternative text of
    the picture in the notebook's file and in pages made of it.
    """
    buffer, figure = io.BytesIO(), say(figure)
    figure.savefig(buffer, format="png", metadata={"Description": describe(figure)})
    files.write_atomically(config.output_folder() / "figures" / f"{name}.png", buffer.getvalue())
    display(figure, metadata={"image/png": {"alt": describe(figure)}})
    plt.close(figure)


def describe(figure: Figure) -> str:
    """Return in words what the panels of a figure show: titles, axes, and what is drawn."""
    panels = []
    for axis in figure.axes:
        ways = map(i18n.say, ("from left to right", "upwards"))
        axes = dict(zip(ways, (axis.get_xlabel(), axis.get_ylabel()), strict=True))
        said = [axis.get_title(), *(f"{way}, {label}" for way, label in axes.items() if label)]
        names = [n for n in axis.get_legend_handles_labels()[1] if not n.startswith("_")]
        names = list(map(i18n.say, dict.fromkeys(names)))
        said += [i18n.say(f"drawn are {', '.join(names)}")] if names else []
        panels.append("; ".join(filter(None, said)))
    count = f"A figure with {len(panels)} panel{'s' * (len(panels) != 1)}"
    return ". ".join([i18n.say(count), *filter(None, panels)]) + "."


OTHER_STYLE = ("#CC79A7", "solid")  # of a network that is none of the six: rose


GUESS = {"marker": "*", "markersize": 13, "markeredgecolor": "black", "markeredgewidth": 0.8}


def _mark_guesses(
    axis: Axes, x: float, guesses: dict[str, float] | None, apart: float = 0.0, what: str = ""
) -> None:
    """Mark what the reader predicted for some networks, each by a star in its colour; None: no.

    apart: how far one star is from the next, so that equal predictions are seen; what: of what
    """
    for place, (name, value) in enumerate((guesses or {}).items()):
        colour = _style(name if name in NETWORK_STYLE else f"{name}-256")["color"]
        axis.plot(x - apart * place, value, linestyle="", color=colour, zorder=5, **GUESS)
    if guesses:
        label = f"predicted{what}"
        axis.plot([], [], linestyle="", color="white", label=label, **GUESS)


def _style(network: str) -> dict[str, Any]:
    """Return colour and dashes of a network; one that is not of the six is drawn in rose."""
    colour, dashes = NETWORK_STYLE.get(network, OTHER_STYLE)
    return {"color": colour, "linestyle": dashes}


def plot_curves(
    curves: dict[str, pd.DataFrame], quantity: str, guessed: dict[str, float] | None = None
) -> Figure:
    """Draw `quantity` (accuracy or loss) over epochs: training left, validation right.

    curves: where the runs were made -> a row a run and epoch; one row of panels each. One line per
    run, in the style of its network: where runs of a network part, it shows.
    guessed: network -> what the reader predicted for the end, marked in the first row
    """
    figure, axes = plt.subplots(
        len(curves), 2, figsize=(10, 2.8 * len(curves)), sharey=True, layout="constrained",
        squeeze=False,
    )  # fmt: skip
    for row, (where, table) in zip(axes, curves.items(), strict=True):
        for axis, (part, title) in zip(row, {"train": "training", "valid": "validation"}.items()):
            _draw_curves(axis, table, f"{part}_{quantity}")
            axis.set(title=f"{where}: {title}")
        row[0].set_ylabel("accuracy (%)" if quantity == "accuracy" else "loss (nats per review)")
    epochs = next(iter(curves.values()))["epoch"].max()
    _mark_guesses(axes[0, 1], epochs, guessed, apart=0.05 * epochs, what=" (test)")
    handles, labels = axes[0, 1].get_legend_handles_labels()
    columns = len(labels) if len(labels) < 8 else 4
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
    return figure


def _draw_curves(axis: Axes, curves: pd.DataFrame, column: str) -> None:
    """Draw a column over epochs, a line a run, with the level of chance."""
    accuracy = column.endswith("accuracy")
    named: set[str] = set()
    for (network, _), rows in curves.groupby(["network", "seed"], sort=False):
        style = _style(network) | {"marker": "o", "markersize": 4}
        values = (100 if accuracy else 1) * rows[column]
        axis.plot(rows["epoch"], values, label=None if network in named else network, **style)
        named.add(network)
    _chance_level(axis, 50.0 if accuracy else math.log(2))
    axis.set(xlabel="epoch", xticks=sorted(curves["epoch"].unique()))


def plot_perplexity(
    runs: dict[str, tuple[pd.DataFrame, pd.Series]], guessed: dict[str, float] | None = None
) -> Figure:
    """Draw the validation perplexity of language models over the words they have read.

    runs: where they were made -> their curves, and the perplexities of models that count
    guessed: cell -> what the reader predicted for the end, marked in the first panel
    """
    figure, axes = plt.subplots(
        1, len(runs), figsize=(5.2 * len(runs), 3.5), layout="constrained", squeeze=False
    )
    for axis, (where, (curves, counting)) in zip(axes[0], runs.items(), strict=True):
        for network, rows in curves.groupby("network", sort=False):
            style = _style(network.removesuffix(" LM")) | {"markersize": 4}
            for number, (_, one) in enumerate(rows.groupby("run", sort=False)):
                label = network if number == 0 else None
                read = one["tokens"].cumsum() / 1e6
                axis.plot(read, np.exp(one["valid_loss"]), "o", label=label, **style)
        for (name, value), dashes in zip(counting.items(), ("-", "--"), strict=False):
            axis.axhline(value, color="black", linewidth=0.9, linestyle=dashes, label=name)
        axis.set(title=where, xlabel="words read (millions)", yscale="log")
        axis.yaxis.set_major_formatter("{x:,.0f}")
        axis.yaxis.set_minor_formatter("{x:,.0f}")
        if axis is axes[0, 0]:
            _mark_guesses(axis, read.iloc[-1], guessed)
        axis.legend(fontsize=8)
    axes[0, 0].set_ylabel("perplexity")
    return figure


def plot_recall(
    told: pd.DataFrame, trained: int, guessed: dict[str, float] | None = None
) -> Figure:
    """Draw the share of right answers of the recall task over the length asked.

    told: network (RNN, LSTM, GRU), length, share; trained: the length at the end of training;
    guessed: network -> what the reader predicted for the last length (%)
    """
    figure, axis = plt.subplots(figsize=(7, 3.3), layout="constrained")
    for network, rows in told.groupby("network", sort=False):
        style = _style(f"{network}-256") | {"marker": "o", "markersize": 5, "label": network}
        axis.plot(rows["length"], 100 * rows["share"], **style)
    _chance_level(axis, 12.5)
    axis.axvline(trained, color="black", linestyle=":", linewidth=1.2, label="trained to here")
    _mark_guesses(axis, told["length"].max(), guessed)
    axis.set(xlabel="tokens in a text", ylabel="right answers (%)", ylim=(-4, 104))
    axis.legend(loc="best", fontsize=9)
    return figure


def plot_gate_starts(learnt: pd.DataFrame, guessed: dict[str, float] | None = None) -> Figure:
    """Draw how LSTMs learn a task whose forget gates started differently.

    learnt: gate (what was added to the gate's bias), update, share of right answers
    guessed: f at the start, as text -> what the reader predicted for the end (%)
    """
    figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
    shades = plt.get_cmap("viridis")(np.linspace(0.75, 0, learnt["gate"].nunique()))
    dashes = (":", "--", "-")
    for (gate, rows), shade, dash in zip(learnt.groupby("gate"), shades, dashes, strict=False):
        start = special.expit(gate)
        axis.plot(
            rows["update"], 100 * rows["share"], dash, color=shade, label=f"f near {start:.2f}"
        )
        if guessed is not None:
            place = (learnt["update"].max(), guessed[f"{start:.2f}"])
            axis.plot(*place, linestyle="", color=shade, zorder=5, **GUESS)
    if guessed is not None:
        axis.plot([], [], linestyle="", color="white", label="predicted", **GUESS)
    _chance_level(axis, 12.5)
    axis.set(xlabel="update", ylabel="right answers (%), running mean", ylim=(-4, 104))
    axis.legend(title="forget gate at the start", fontsize=9)
    return figure


def _chance_level(axis: Axes, level: float) -> None:
    """Draw a line across that guessing would reach; the legend names it."""
    axis.axhline(level, color="black", linewidth=0.9, label="chance level", zorder=1)


def plot_carried(carried: dict[str, NDArray[Any]], trained: int) -> Figure:
    """Draw what networks carry for each first token, over the steps; one panel a network.

    carried: network -> a number for each first token and step (kinds, T)
    """
    figure, axes = plt.subplots(
        1, len(carried), figsize=(5.2 * len(carried), 3.3), layout="constrained", squeeze=False
    )
    for axis, (network, positions) in zip(axes[0], carried.items(), strict=True):
        shades = plt.get_cmap("viridis")(np.linspace(0, 0.95, len(positions)))
        order = np.argsort(positions[:, trained - 1])
        for shade, row in zip(shades, positions[order], strict=True):
            axis.plot(np.arange(1, len(row) + 1), row, color=shade, linewidth=1.4)
        axis.axvline(trained, color="black", linestyle=":", linewidth=1.2, label="trained to here")
        axis.set(title=network, xlabel="tokens read")
        axis.legend(loc="lower left", fontsize=8)
    axes[0, 0].set_ylabel("carried, along one direction")
    return figure


def plot_surprise(words: Sequence[str], surprises: dict[str, NDArray[Any]]) -> Figure:
    """Draw how surprised language models are by each word of a text, as a perplexity.

    surprises: network -> nats for each word (T,)
    """
    figure, axis = plt.subplots(figsize=(10, 3.8), layout="constrained")
    place = np.arange(len(words))
    for (network, nats), marker in zip(surprises.items(), "osD^v", strict=False):
        style = _style(network.removesuffix(" LM")) | {"marker": marker, "markersize": 5}
        axis.plot(place, np.exp(nats), label=network, linewidth=1.4, **style)
    axis.set_yscale("log", subs=[2, 5])
    axis.set(ylabel="perplexity of the word", xlim=(-0.5, len(words) - 0.5))
    axis.set_xticks(place, [word.replace("$", r"\$") for word in words], rotation=45, ha="right")
    axis.yaxis.set_major_formatter("{x:,.0f}")
    axis.yaxis.set_minor_formatter("{x:,.0f}")
    axis.legend(fontsize=9)
    return figure


START_STYLE = {  # where a classifier's weights come from: solid and filled, or dotted and hollow
    "pretrained": {"linestyle": "-"},
    "scratch": {"linestyle": ":", "markerfacecolor": "white"},
}


def plot_labels(transfer: dict[str, pd.DataFrame]) -> Figure:
    """Draw test accuracy over the number of labelled training reviews.

    transfer: where the runs were made -> a row a run, with network, labels, test_accuracy, and
    start ("scratch" or "pretrained"); a row of panels each, one panel a network
    """
    figure, panels = _panels_of_starts(transfer)
    for where, network, axis, rows in panels:
        colour = _style(network)["color"]
        for start, some in rows.groupby("start"):
            style = {"color": colour, "marker": "o", "markersize": 5} | START_STYLE[start]
            mean = 100 * some.groupby("labels")["test_accuracy"].mean()
            axis.plot(mean.index, mean, label=start, **style | {"marker": ""})
            axis.plot(some["labels"], 100 * some["test_accuracy"], **style | {"linestyle": ""})
        axis.axhline(50, color="black", linewidth=0.8)
        ticks = sorted(rows["labels"].unique())
        axis.set(title=f"{where}: {network}", xscale="log", xlabel="labelled training reviews")
        axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axis.minorticks_off()
        axis.margins(x=0.12)  # room for the numbers at both ends
        axis.legend(fontsize=8, handlelength=3)
    figure.supylabel("test accuracy (%)", fontsize=10)
    return figure


def plot_few_labels(lessons: dict[str, pd.DataFrame]) -> Figure:
    """Draw the validation loss over the updates of runs with few labels; a star at the best.

    lessons: where the runs were made -> a row a run and epoch, with run, network, start, update
    and valid_loss; a row of panels each, one panel a network
    """
    figure, panels = _panels_of_starts(lessons, sharey=False)
    for where, network, axis, rows in panels:
        colour = _style(network)["color"]
        for start, some in rows.groupby("start"):
            style = {"color": colour, "marker": "o", "markersize": 4} | START_STYLE[start]
            for number, (_, one) in enumerate(some.groupby("run")):
                label = start if number == 0 else None
                axis.plot(one["update"], one["valid_loss"], label=label, **style)
        best = rows.loc[rows.groupby("run")["valid_loss"].idxmin()]
        axis.plot(best["update"], best["valid_loss"], "k*", markersize=11, label="kept", zorder=4)
        axis.axhline(math.log(2), color="black", linewidth=0.8, label="chance level")
        low, high = axis.get_ylim()
        top = high + 0.3 * (high - low)  # room for the legend
        axis.set(title=f"{where}: {network}", xlabel="updates", ylim=(low, top))
        axis.legend(fontsize=8, handlelength=3, ncols=2, loc="upper left")
    figure.supylabel("validation loss (nats per review)", fontsize=10)
    return figure


def _panels_of_starts(
    tables: dict[str, pd.DataFrame], sharey: bool = True
) -> tuple[Figure, list[tuple[str, str, Axes, pd.DataFrame]]]:
    """Return a figure with a panel a table and network: where, network, panel, and its rows.

    A row a table, a column a network; where there is one network, the tables stand side by side.
    """
    networks = list(dict.fromkeys(name for t in tables.values() for name in t["network"]))
    parts = [(where, network) for where in tables for network in networks]
    columns = len(networks) if len(networks) > 1 else len(tables)
    size = (3.4 * columns, 3.3 * len(parts) / columns)
    figure, axes = plt.subplots(
        len(parts) // columns, columns, figsize=size, sharey=sharey, layout="constrained",
        squeeze=False,
    )  # fmt: skip
    panels = []
    for axis, (where, network) in zip(axes.flat, parts, strict=True):
        table = tables[where]
        panels.append((where, network, axis, table[table["network"] == network]))
    return figure, panels


def plot_gradients(
    kinds: dict[str, pd.DataFrame], guessed: dict[str, float] | None = None, back: int = 20
) -> Figure:
    """Draw `bands` over the distance from the end, one panel a kind, one band a network.

    kinds: title -> the table of `bands` with the columns network and state (h, or an LSTM's c)
    guessed: cell -> the share that the reader predicted `back` words before the end, marked in the
    first panel
    """
    figure, axes = plt.subplots(
        1, len(kinds), figsize=(1 + 3.4 * len(kinds), 3.6), sharey=True, layout="constrained",
        squeeze=False,
    )  # fmt: skip
    for axis, (kind, table) in zip(axes[0], kinds.items(), strict=True):
        for (network, state), rows in table.groupby(["network", "state"], sort=False):
            style = _style(network)
            if state == "c":
                style["linestyle"] = "-."
            label = f"{network}, $c_t$" if state == "c" else network
            band = {"alpha": 0.15, "color": style["color"], "linewidth": 0}
            axis.fill_between(rows["distance"], rows["low"], rows["high"], **band)
            shown = rows[rows["median"] > 0]
            axis.plot(shown["distance"], shown["median"], label=label, **style)
        if axis is axes[0, 0]:
            _mark_guesses(axis, back, guessed)
        axis.set(title=kind, xlabel="words before the end", yscale="log", ylim=(1e-12, 1e2))
        axis.legend(fontsize=8, loc="lower left")
    axes[0, 0].set_ylabel("gradient, relative to the last word's")
    return figure


def plot_gap(curves: dict[str, pd.DataFrame]) -> Figure:
    """Draw training and validation accuracy of each run after its last epoch, and the gap between.

    curves: where the runs were made -> a row a run and epoch, one run a network; a panel each
    """
    last = {where: table.groupby("run", sort=False).last() for where, table in curves.items()}
    figure, axes = _panels_of_rows(last, max(map(len, last.values())) + 1)
    for axis, (where, table) in zip(axes, last.items(), strict=True):
        for row, run in enumerate(table.itertuples()):
            style = {"color": _style(run.network)["color"], "markersize": 7}
            train, valid = 100 * run.train_accuracy, 100 * run.valid_accuracy
            axis.plot([train, valid], [row, row], color=style["color"], linewidth=1.5)
            axis.plot(train, row, "o", markerfacecolor="white", **style)
            axis.plot(valid, row, "o", **style)
            place = {"xytext": (8, -3), "textcoords": "offset points", "fontsize": 9}
            axis.annotate(f"{train - valid:+.1f}", (max(train, valid), row), **place)
        axis.set(title=where, yticks=range(len(table)), yticklabels=table["network"])
        axis.set(xlabel="accuracy after the last epoch (%)", ylim=(len(table) - 0.5, -0.5))
        axis.margins(x=0.2)  # room for the last number
    _legend_below(figure, {"training": "white", "validation": "#333333"})
    return figure


def _legend_below(figure: Figure, fills: dict[str, str]) -> None:
    """Say below all panels what is drawn, and what points are: name -> colour of the inside."""
    for name, fill in fills.items():
        figure.axes[-1].plot([], [], "o", color="#333333", markerfacecolor=fill, label=name)
    handles = figure.axes[-1].get_legend_handles_labels()  # the last panel has all there is
    figure.legend(*handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)


def plot_seeds(runs: dict[str, pd.DataFrame], guessed: float | None = None) -> Figure:
    """Draw the test accuracy of each run, a row a network, with their mean and range.

    runs: where they were made -> a row a run, with network and test_accuracy; a panel each
    guessed: how many points the reader predicted between runs of a network, drawn in the first
    """
    figure, axes = _panels_of_rows(runs, max(t["network"].nunique() for t in runs.values()))
    for axis, (where, table) in zip(axes, runs.items(), strict=True):
        names = list(table["network"].unique())
        for row, name in enumerate(names):
            own = 100 * table.loc[table["network"] == name, "test_accuracy"]
            colour = _style(name)["color"]
            axis.plot([own.min(), own.max()], [row, row], color=colour, linewidth=1.5)
            axis.plot(own, [row] * len(own), "o", color=colour, markersize=4)
            axis.plot(own.mean(), row, "|", color=colour, markersize=18, markeredgewidth=3)
            if guessed is not None and axis is axes[0]:
                reach = [own.mean() - guessed / 2, own.mean() + guessed / 2]
                label = "predicted spread" if row == 0 else None
                axis.plot(reach, [row + 0.3] * 2, "k-", linewidth=1, marker="|", label=label)
        axis.set(title=where, yticks=range(len(names)), yticklabels=names)
        axis.set(xlabel="test accuracy (%)", ylim=(len(names) - 0.5, -0.5))
    if guessed is not None:
        figure.legend(loc="outside lower left", frameon=False, fontsize=9)
    return figure


def plot_differences(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the rows of `compare`: difference and interval in points; filled if it is supported.

    tables: where the runs were made -> the table; a panel each
    """
    figure, axes = _panels_of_rows(tables, max(map(len, tables.values())))
    for axis, (where, table) in zip(axes, tables.items(), strict=True):
        for row, (_, pair) in enumerate(table.iterrows()):
            axis.plot([pair["low"], pair["high"]], [row, row], color="#0072B2")
            fill = "#0072B2" if pair["supported"] == "yes" else "white"
            axis.plot(pair["points"], row, "o", color="#0072B2", markerfacecolor=fill)
        axis.axvline(0, color="black", linewidth=0.8)
        axis.locator_params(axis="x", nbins=6)  # else labels such as −12.5 touch
        axis.set(title=where, yticks=range(len(table)), yticklabels=table.index)
        axis.set(xlabel="points (95 % interval)", ylim=(len(table) - 0.5, -0.5))
    return figure


def _panels_of_rows(content: dict[str, Any], rows: int) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure with a panel for each entry, side by side, high enough for some rows."""
    size = (5.2 * len(content), 0.26 * rows + 1.3)
    figure, axes = plt.subplots(1, len(content), figsize=size, layout="constrained", squeeze=False)
    return figure, axes[0]


def plot_ladder(panels: dict[str, tuple[dict[str, pd.DataFrame], dict[str, float]]]) -> Figure:
    """Draw test accuracy (%) with its interval, one rung a row; a panel for each place.

    panels: where the runs were made -> the tables: network -> table, indexed by rung, with
    accuracy, low, high (%); and lines to pass: name of a baseline -> accuracy (%). The rows are
    those of the longest table. What has no "+" after the first row is a side step, drawn hollow.
    """
    indexes = [table.index for climbs, _ in panels.values() for table in climbs.values()]
    rungs = max(indexes, key=len)
    figure, axes = _panels_of_rows(panels, len(rungs) + 1)
    figure.set_figwidth(max(8, figure.get_figwidth()))
    for axis, (where, (climbs, lines)) in zip(axes, panels.items(), strict=True):
        for network, table in climbs.items():
            _draw_climb(axis, table, rungs, network, numbers=len(climbs) == 1)
        for (name, value), dashes in zip(lines.items(), (":", "--", "-."), strict=False):
            axis.axvline(value, color="black", linewidth=0.9, linestyle=dashes, label=name)
        axis.set(title=where, yticks=range(len(rungs)), yticklabels=rungs)
        axis.set(xlabel="test accuracy (%), 95 % interval", ylim=(len(rungs) - 0.5, -0.7))
        axis.tick_params(labelleft=axis is axes[0])
    _legend_below(figure, {})
    return figure


def _draw_climb(
    axis: Axes, table: pd.DataFrame, rungs: pd.Index, network: str, numbers: bool
) -> None:
    """Draw the rungs of one network, with their numbers or without."""
    rows, accuracy = rungs.get_indexer(table.index), table["accuracy"]
    marker = "s" if network.startswith("GRU") else "o"
    look = {"fmt": marker, "color": _style(network)["color"], "markersize": 7, "label": network}
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
    """Draw the test accuracy of each run, a row a network, one recipe below the other.

    recipes:  where the runs were made -> name of a recipe -> a row a run; and the lines to beat,
              as from `linear.baseline_table`. The last recipe is drawn filled
    reported: network -> loss and accuracy that somebody else found, drawn as crosses
    guessed:  what the reader predicted for `network` with the last recipe (%)
    """
    tables = [table for panel, _ in recipes.values() for table in panel.values()]
    networks = list(dict.fromkeys(name for table in tables for name in table["network"]))
    figure, axes = _panels_of_rows(recipes, 2 * len(networks))
    for axis, (where, (panel, lines)) in zip(axes, recipes.items(), strict=True):
        for place, (recipe, table) in enumerate(panel.items()):
            fill = {"markerfacecolor": "#0072B2" if place == len(panel) - 1 else "white"}
            rows = table["network"].map(networks.index) + 0.32 * (place - (len(panel) - 1) / 2)
            style = {"color": "#0072B2", "label": recipe, "markersize": 6} | fill
            axis.plot(100 * table["test_accuracy"], rows, "o", **style)
        known = {networks.index(n): 100 * r[1] for n, r in reported.items() if n in networks}
        axis.plot(known.values(), known.keys(), "x", color="black", label="starting report")
        for (name, value), dashes in zip(lines.iloc[1:, 0].items(), (":", "--", "-."), strict=True):
            axis.axvline(100 * value, color="black", linewidth=0.9, linestyle=dashes, label=name)
        axis.set(title=where, yticks=range(len(networks)), yticklabels=networks)
        axis.set(xlabel="test accuracy (%)", ylim=(len(networks) - 0.5, -0.5))
    if guessed is not None and network in networks:
        star = {"linestyle": "", "color": "white", "label": "predicted", "zorder": 5} | GUESS
        axes[0].plot(guessed, networks.index(network), **star)
    handles, labels = axes[0].get_legend_handles_labels()
    columns = 3 if len(recipes) > 1 else 2
    place = {"loc": "outside lower center", "ncols": columns}
    figure.legend(handles, labels, frameon=False, fontsize=9, **place)
    return figure


def _markers(panels: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return a marker for each network of some panels (where -> network -> anything)."""
    networks = dict.fromkeys(network for tables in panels.values() for network in tables)
    return {network: "osD^vP"[number % 6] for number, network in enumerate(networks)}


def plot_reliability(panels: dict[str, dict[str, pd.DataFrame]]) -> Figure:
    """Draw `reliability` of several networks: the share of good reviews over the probability.

    panels: where the runs were made -> network -> its table; a panel each
    """
    figure, axes = plt.subplots(
        1, len(panels), figsize=(4.8 * len(panels), 4.4), sharey=True, layout="constrained",
        squeeze=False,
    )  # fmt: skip
    markers = _markers(panels)
    for axis, (where, tables) in zip(axes[0], panels.items(), strict=True):
        axis.plot([0, 1], [0, 1], color="black", linewidth=0.8, label="calibrated")
        for network, table in tables.items():
            spread = [table["good"] - table["low"], table["high"] - table["good"]]
            style = _style(network) | {"marker": markers[network], "elinewidth": 0.8}
            axis.errorbar(table["probability"], table["good"], spread, label=network, **style)
        axis.set(title=where, xlabel="what the network says", xlim=(0, 1), ylim=(0, 1))
        axis.legend(handlelength=3, fontsize=9)
    axes[0, 0].set_ylabel("share of good reviews")
    return figure


def plot_lengths(panels: dict[str, dict[str, pd.DataFrame]]) -> Figure:
    """Draw `accuracy_by_length` of several networks over the median length of each part.

    panels: where the runs were made -> network -> its table; a panel each
    """
    figure, axes = plt.subplots(
        1, len(panels), figsize=(5.2 * len(panels), 3.8), layout="constrained", squeeze=False
    )
    markers = _markers(panels)
    for axis, (where, tables) in zip(axes[0], panels.items(), strict=True):
        for network, table in tables.items():
            style = _style(network)
            low, high = 100 * table["low"], 100 * table["high"]
            band = {"alpha": 0.15, "color": style["color"], "linewidth": 0}
            axis.fill_between(table["tokens"], low, high, **band)
            accuracy = 100 * table["accuracy"]
            axis.plot(table["tokens"], accuracy, markers[network], label=network, **style)
        axis.set(title=where, xlabel="tokens of a review", xscale="log")
        ticks = next(iter(tables.values()))["tokens"].round(-1).astype(int)  # the same for all
        axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axis.minorticks_off()
        axis.legend(handlelength=3, fontsize=9)
    axes[0, 0].set_ylabel("test accuracy (%)")
    return figure


def plot_reading(words: Sequence[str], readings: dict[str, dict[str, Any]]) -> Figure:
    """Draw what happens inside of networks while they read one review, a column a network.

    readings: network -> belief (T,); gates: name -> (T, H) values, the keeping one first; units
    (units,), which ones weigh most; and evidence (T, units), what each of them adds to the logit.
    Rows: belief; mean of the gates, and the middle half of all units; evidence; keeping gate.
    """
    figure, axes = plt.subplots(
        4, len(readings), figsize=(5.2 * len(readings), 9.5), sharex=True, layout="constrained",
        squeeze=False, height_ratios=(1, 1.2, 1.4, 1.4),
    )  # fmt: skip
    step = np.arange(len(words))
    for column, (network, reading) in zip(axes.T, readings.items(), strict=True):
        column[0].plot(step, reading["belief"], **_style(network))
        column[0].axhline(0.5, color="black", linewidth=0.8)
        column[0].set(title=network, ylim=(0, 1))
        _draw_gates(column[1], reading["gates"])
        largest = np.abs(reading["evidence"]).max()
        _show_units(column[2], reading["evidence"], "cividis", (-largest, largest))
        for name, values in list(reading["gates"].items())[:1]:
            _show_units(column[3], values[:, reading["units"]], "Greys_r", (0, 1))
            column[3].set_ylabel(f"the same units: {name}")
        column[3].set_xticks(step, words, rotation=90, fontsize=7)
    axes[0, 0].set_ylabel("probability of good")
    axes[1, 0].set_ylabel("gates of all units")
    axes[2, 0].set_ylabel("units: added to the logit")
    return figure


def _draw_gates(axis: Axes, gates: dict[str, NDArray[Any]]) -> None:
    """Draw the mean of each gate (T, H) over the words, and the middle half of its units."""
    for place, (name, values) in enumerate(gates.items()):
        shade, dashes = ("#D55E00", "#0072B2", "#333333")[place % 3], ("-", "--", ":")[place % 3]
        step, middle = np.arange(len(values)), np.quantile(values, [0.25, 0.75], axis=1)
        axis.fill_between(step, *middle, color=shade, alpha=0.15, linewidth=0)
        axis.plot(step, values.mean(1), dashes, color=shade, label=name)
    axis.set_ylim(0, 1.22)  # room for the legend
    axis.set_yticks([0, 0.5, 1])
    if gates:
        axis.legend(frameon=False, ncols=len(gates), loc="upper left", fontsize=8)


def _show_units(
    axis: Axes, values: NDArray[Any], colours: str, limits: tuple[float, float]
) -> None:
    """Draw values of units (T, units) over the words as colours, a row a unit, with their bar."""
    axis.grid(visible=False)
    axis.set_yticks([])
    scale = dict(zip(("vmin", "vmax"), limits, strict=True))
    image = axis.imshow(values.T, aspect="auto", cmap=colours, interpolation="nearest", **scale)
    axis.figure.colorbar(image, ax=axis, pad=0.02, aspect=15)


def plot_beliefs(
    words: Sequence[str], beliefs: dict[str, NDArray[Any]], guessed: str | None = None
) -> Figure:
    """Draw how the belief of each network moves while it reads: a line a network.

    beliefs: network -> probability of a good review after each word (T,). Up to 80 words stand at
    the axis; of more, their numbers.
    guessed: the word that the reader predicted to move them most
    """
    figure, axis = plt.subplots(figsize=(10, 3.1), layout="constrained")
    step = np.arange(1, len(words) + 1)
    for network, belief in beliefs.items():
        axis.plot(step, belief, **_style(network), label=network, marker="." * (len(words) == 1))
    for place in [
        s for s, word in zip(step, words, strict=True) if word == (guessed or "").lower()
    ]:
        axis.axvline(place, color="black", linestyle=":", linewidth=1.2, label="_predicted")
        axis.text(place, 0.02, " predicted", fontsize=8, rotation=90, ha="right", va="bottom")
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
        network, end, each = map(i18n.say, ("network", "end", "word by word"))
        left = "style='text-align:left'"
        head = f"<tr><th>{network}</th><th>{end}</th><th {left}>{each}</th></tr>"
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
