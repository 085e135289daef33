"""Tasks of memory: their figures, and what predictions about them are held to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lab.analysis import style
from lab.base.messages import _, say


def plot_recall(
    regimes: dict[str, pd.DataFrame], trained: int, guessed: dict[str, float] | None = None
) -> Figure:
    """Plot the share of right answers of the recall task over the length asked.

    regimes: how lengths were drawn in training -> network (RNN, LSTM, GRU), length, share
    trained: the length at the end of training
    """
    figure, panels = style.panels(regimes, 4.6, 3.2, _("right answers (%)"), sharey=True)
    for axis, shares in panels:
        for network, rows in shares.groupby("network", sort=False):
            look = style.network_style(f"{network}-256") | {"marker": "o", "markersize": 5}
            axis.plot(rows["length"], 100 * rows["share"], label=say(network), **look)
        axis.axhline(12.5, **style.CHANCE)
        axis.axvline(trained, **style.TRAINED)
        axis.set(xlabel=_("tokens in a text"), ylim=(-4, 104))
    first, longest = figure.axes[0], next(iter(regimes.values()))["length"].max()
    # the stars stand behind the last length, each by itself
    style.mark_network_guesses(first, 1.13 * longest, guessed, apart=0.04 * longest)
    style.legend_below(figure, first, ncols=6 if len(regimes) > 1 else 3, fontsize=9)
    return figure


def plot_items(
    shares: pd.DataFrame, length: int, budget: int, guessed: dict[str, float] | None = None
) -> Figure:
    """Plot how many first tokens networks can tell after `length`, and the updates it took.

    shares: network, keep (how many tokens are asked for), length, share, updates
    budget: the most updates that a network had
    """
    rows = shares[shares["length"] == length]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.2), layout="constrained")
    for network, table in rows.groupby("network", sort=False):
        look = style.network_style(f"{network}-256") | {"marker": "o", "markersize": 5}
        left.plot(table["keep"], 100 * table["share"], label=say(network), **look)
        right.plot(table["keep"], table["updates"], **look)
    left.axhline(12.5, **style.CHANCE)
    right.axhline(budget, color="grey", linestyle=":", label=_("the most there were"))
    most = rows["keep"].max()
    style.mark_network_guesses(left, 1.1 * most, guessed, apart=0.03 * most)
    left.set(ylabel=_("right answers at {length} tokens (%)", length=length), ylim=(-4, 104))
    right.set(ylabel=_("updates until {length} were learnt", length=length), ylim=(0, None))
    for axis in (left, right):
        axis.set(xlabel=_("tokens to keep"), xticks=sorted(rows["keep"].unique()))
        axis.legend(loc="best", fontsize=9)
    return figure


def plot_carried(positions: dict[str, NDArray[Any]], trained: int) -> Figure:
    """Plot what networks carry for each first token, over the steps; one panel a network.

    positions: network -> a number for each first token and step (kinds, T)
    """
    figure, panels = style.panels(positions, 5.2, 3.3, _("carried, along one direction"))
    for axis, rows in panels:
        shades = plt.get_cmap("viridis")(np.linspace(0, 0.95, len(rows)))
        order = np.argsort(rows[:, trained - 1])
        for colour, row in zip(shades, rows[order], strict=True):
            label = style.label_once(axis, _("a first token; dark to light: their order there"))
            axis.plot(np.arange(1, len(row) + 1), row, color=colour, linewidth=1.4, label=label)
        axis.axvline(trained, **style.TRAINED)
        axis.set_xlabel(_("tokens read"))
    style.legend_below(figure, figure.axes[0], ncols=2, fontsize=9)
    return figure


def plot_gate_starts(shares: pd.DataFrame, guessed: dict[str, float] | None = None) -> Figure:
    """Plot how LSTMs learn a task whose forget gates started differently.

    shares: gate (f at the start, as text, or what the start is called), update, share
    guessed: f at the start, as text -> % at the end
    """
    figure, axis = plt.subplots(figsize=(7, 3.4), layout="constrained")
    shades = plt.get_cmap("viridis")(np.linspace(0.75, 0, shares["gate"].nunique()))
    colours, starts = {}, shares.groupby("gate", sort=False)
    for (start, rows), colour, dashes in zip(starts, shades, (":", "--", "-", "-."), strict=True):
        colours[start], share = colour, 100 * rows["share"]
        axis.plot(rows["update"], share, dashes, color=colour, label=say(start))
    if guessed is not None:
        end = shares["update"].max()
        marks = [(end, guessed[start], c) for start, c in colours.items() if start in guessed]
        style.mark_guesses(axis, marks)
    axis.axhline(12.5, **style.CHANCE)
    axis.set(xlabel=_("update"), ylabel=_("right answers (%), running mean"), ylim=(-4, 104))
    # beside the panel: the stars stand at its right edge, anywhere from 0 to 100
    axis.legend(title=_("f at the start"), fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def plot_explosion(norms: dict[float, Any]) -> Figure:
    """Plot the norm of a gradient at each step, relative to the last one's.

    norms: what the matrix was multiplied by -> norms by step (T,)
    """
    figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
    shades = plt.get_cmap("viridis")(np.linspace(0.9, 0, len(norms)))
    for (factor, norm), colour in zip(norms.items(), shades, strict=True):
        relative = np.asarray(norm)[::-1] / norm[-1].item()
        axis.semilogy(relative, color=colour, label=f"{factor:g}")
    axis.set(xlabel=_("steps before the end"), ylabel=_("gradient, relative to the last"))
    axis.legend(title=_("matrix times"), fontsize=9)
    return figure


def first_component(means: NDArray[Any], step: int) -> NDArray[Any]:
    """Return positions along the direction in which several kinds lie farthest apart at a step.

    means: (kinds, T, H), what is carried after each step (from 1), in the mean of each kind.
    Returns (kinds, T); the direction is the first principal component of the means at the step.
    """
    centred = means - means.mean(0)
    direction = np.linalg.svd(centred[:, step - 1])[2][0]  # (H,)
    return centred @ direction


def accuracy_by_gate(shares: pd.DataFrame) -> dict[str, float]:
    """Return the share of right answers (%) at the end, by the forget gates' start.

    shares: gate (the start), update, share
    """
    return (100 * shares.groupby("gate")["share"].last()).to_dict()


SHARES = {  # of networks that remember or count: colour and dashes, as like the lab's as can be
    "minGRU": ("#CC79A7", (0, (1, 1))),
    "minGRU x 2": ("#CC79A7", "solid"),
    _("minGRU, first marked"): ("#999999", (0, (5, 2))),
    _("minGRU, signed"): ("#0072B2", (0, (3, 1, 1, 1))),
    _("attention"): ("#333333", (0, (3, 1, 1, 1))),
}


def plot_shares(
    shares: pd.DataFrame,
    chance: float,
    trained: int,
    guessed: dict[str, float] | None = None,
    guessed_at: int = 0,
) -> Figure:
    """Plot the share of right answers over the length asked, a line a network.

    shares: network, length, share; chance: % right by guessing; trained: the longest length of
    training; guessed: network -> what was predicted (%) at the length `guessed_at`
    """
    figure, axis = plt.subplots(figsize=(7.4, 3.4), layout="constrained")
    looks = {}
    for network, rows in shares.groupby("network", sort=False):
        colour, dashes = SHARES.get(network) or style.NETWORK_STYLE[f"{network}-256"]
        looks[network] = {"color": colour, "linestyle": dashes, "marker": "o", "markersize": 5}
        axis.plot(rows["length"], 100 * rows["share"], label=say(network), **looks[network])
    axis.axhline(chance, **style.CHANCE)
    axis.axvline(trained, **style.TRAINED)
    if guessed:
        marks = [(guessed_at, value, looks[name]["color"]) for name, value in guessed.items()]
        style.mark_guesses(axis, marks)
    axis.set(xlabel=_("tokens in a text"), ylabel=_("right answers (%)"), xscale="log")
    axis.set_ylim(-4, 104)
    axis.xaxis.set_major_formatter("{x:g}")
    axis.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


CLOCKS = (_("as it is"), _("taken away"))  # the time that a gate sees
BEGUN = "begun at step "  # or from where it begins


def show_clocks(clocks: pd.DataFrame) -> pd.DataFrame:
    """Return what is told by clock as a page shows it: per cent, the clocks in words.

    clocks: the shares "first" and "there" (0 to 1), by clock: of CLOCKS, or BEGUN and a step
    """
    heads = {"first": "the first is told (%)", "there": "the one where the time begins (%)"}
    told = (100 * clocks).round(1).rename(columns=heads)
    return told.rename_axis("the time").rename(index=_clock_in_words)


def _clock_in_words(clock: str) -> str:
    begun = clock.startswith(BEGUN)
    return str(_("begun at step {start}", start=clock.removeprefix(BEGUN))) if begun else say(clock)


def plot_clock(states: NDArray[Any], gate: NDArray[Any]) -> Figure:
    """Plot what a first layer holds step by step, and how far a second layer's gate opens.

    states: (T, B, H), of B texts. Left: how far the mean of all texts is from where it ends, and
    how far a text is from that mean. gate: (T, B, H); right: its mean
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.2), layout="constrained")
    steps, mean = np.arange(1, len(states) + 1), states.mean(1)
    apart = np.linalg.norm(states - mean[:, None], axis=2).mean(1)
    left.plot(
        steps, np.linalg.norm(mean - mean[-1], axis=1), label=_("time: the mean of all texts")
    )
    left.plot(steps, apart, "--", label=_("a text, from the mean"))
    left.set(ylabel=_("distance in the first layer's state"))
    left.legend(fontsize=9)
    right.semilogy(steps, gate.mean((1, 2)))
    right.set(ylabel=_("z of the second layer, mean"))
    for axis in (left, right):
        axis.set(xlabel=_("tokens read"), xscale="log")
    return figure
