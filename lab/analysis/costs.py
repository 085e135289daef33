"""What reading costs: scans on the clock, one more word after a short or a long text.

And what it costs in loss where the vectors that are read are shifted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from lab.analysis import style
from lab.base.messages import _, say

Job = Callable[[], Any]
ELEMENT = 4  # bytes of a number in 32 bits


def fastest(jobs: Mapping[Any, Job], rounds: int = 3) -> dict[Any, float]:
    """Return the least milliseconds of each job; all jobs of a round come before the next round.

    So what else the machine does falls on all of them alike.
    """
    times: dict[Any, float] = {}
    for _round in range(rounds):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            _wait()
            spent = 1000 * (time.perf_counter() - start)
            times[name] = min(spent, times.get(name, spent))
    return times


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def scan_times(
    scans: Mapping[str, Callable[[Tensor, Tensor], Tensor]],
    lengths: Iterable[int],
    shape: tuple[int, int],
    layers: Mapping[str, nn.Module],
    device: torch.device | None = None,
    rounds: int = 3,
) -> pd.DataFrame:
    """Return the milliseconds of each scan, there and back, a row a length.

    shape: (B, H) of a state; layers: what is timed beside them, matrices and all, on words
    (T, B, 50); device: by default the CPU
    """
    rows = {}
    layers = {name: layer.to(device) for name, layer in layers.items()}
    for length in lengths:
        jobs = scan_jobs(scans, layers, (length, *shape), device)
        rows[length] = fastest(jobs, rounds)
    return pd.DataFrame(rows).T.rename_axis("words")


def scan_jobs(
    scans: Mapping[str, Callable[[Tensor, Tensor], Tensor]],
    layers: Mapping[str, nn.Module],
    shape: tuple[int, int, int],
    device: torch.device | None = None,
) -> dict[str, Job]:
    """Return what reads texts there and back: scans of a and b (T, B, H), layers of words."""
    a, b = (torch.rand(*shape, device=device, requires_grad=True) for _one in range(2))
    words = torch.randn(*shape[:2], 50, device=device)
    jobs = {name: _there_and_back(scan, a, b) for name, scan in scans.items()}
    beside = {name: partial(_states, layer) for name, layer in layers.items()}
    return jobs | {name: _there_and_back(reads, words) for name, reads in beside.items()}


def _states(layer: nn.Module, words: Tensor) -> Tensor:
    return layer(words)[0]


def _there_and_back(function: Callable[..., Tensor], *arguments: Tensor) -> Job:
    return lambda: function(*arguments).sum().backward()


@torch.no_grad()
def word_costs(
    layers: Mapping[str, nn.Module], lengths: Iterable[int], rounds: int = 20
) -> pd.DataFrame:
    """Return what the next word costs each layer after texts of some lengths.

    layers: network -> a layer that takes words (T, B, 50) and a state. Columns: network, length,
    milliseconds, bytes carried, and multiplications in millions: each weight of a matrix takes part
    in one, and attention multiplies with each key and each value besides.
    """
    rows = []
    for length in lengths:
        states = {name: layer(torch.randn(length, 1, 50))[1] for name, layer in layers.items()}
        word = torch.randn(1, 1, 50)
        jobs = {name: partial(layer, word, states[name]) for name, layer in layers.items()}
        for name, milliseconds in fastest(jobs, rounds).items():
            parts = states[name] if isinstance(states[name], tuple) else (states[name],)
            carried = sum(part.numel() for part in parts)
            weights = sum(w.numel() for w in layers[name].parameters() if w.dim() > 1)
            read = carried if hasattr(layers[name], "blocks") else 0  # each key, each value: once
            row = (name, length, milliseconds, ELEMENT * carried, (weights + read) / 1e6)
            rows.append(row)
    columns = ["network", "length", "milliseconds", "bytes", "multiplications"]
    return pd.DataFrame(rows, columns=columns)


def training_costs(
    layers: Mapping[str, nn.Module], lengths: Iterable[int], reviews: int = 4, rounds: int = 2
) -> pd.DataFrame:
    """Return the microseconds of a word in training, there and back: network, length, time."""
    rows = []
    for length in lengths:
        words = torch.randn(length, reviews, 50)
        jobs = {n: _there_and_back(partial(_states, layer), words) for n, layer in layers.items()}
        for name, milliseconds in fastest(jobs, rounds).items():
            rows.append((name, length, 1000 * milliseconds / words[..., 0].numel()))
    return pd.DataFrame(rows, columns=["network", "length", "microseconds"])


COSTS = {  # column -> what it is called in a figure
    "microseconds": _("a word in training (µs)"),
    "milliseconds": _("the next word (ms)"),
    "bytes": _("carried on (bytes)"),
    "multiplications": _("multiplications (millions)"),
}


def plot_costs(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Plot costs over the length of the text, one panel a column of COSTS, a line a network.

    tables: column -> a table with network, length and this column
    """
    figure, panels = style.panels({COSTS[column]: column for column in tables}, 3.4, 3.1)
    for axis, column in panels:
        for network, rows in tables[column].groupby("network", sort=False):
            look = style.network_style(network) | {"marker": "o", "markersize": 4}
            axis.plot(rows["length"], rows[column], label=network, **look)
        axis.set(xscale="log", yscale="log", xlabel=_("words so far"))
    style.legend_below(figure, figure.axes[0], ncols=4, fontsize=9)
    return figure


REACHED = (_("validation accuracy (%)"), _("perplexity"))  # what is raced for


def plot_race(curves: dict[str, pd.DataFrame]) -> Figure:
    """Plot what networks reach (of REACHED) over the seconds of training, and over the words read.

    curves: what is reached -> a row a run and epoch, with network, run, seconds, tokens and value
    """
    figure, axes = style.grid(len(curves), 2, 5.0, 3.0, sharey="row")
    for row, (reached, table) in zip(axes, curves.items(), strict=True):
        row[0].set(ylabel=say(reached), xlabel=_("seconds of training"))
        row[1].set_xlabel(_("words read (millions)"))
        for network, rows in table.groupby("network", sort=False):
            look = style.network_style(network.removesuffix(" LM")) | {"marker": "o"}
            for _run, run in rows.groupby("run", sort=False):
                spent = run["seconds"].cumsum(), run["tokens"].cumsum() / 1e6
                for axis, x in zip(row, spent, strict=True):
                    label = style.label_once(axis, network.removesuffix(" LM"))
                    axis.plot(x, run["value"], label=label, markersize=4, **look)
    style.legend_below(figure, axes[0, 0], ncols=6, fontsize=8)
    return figure


# ── Shifts of the vectors read ───────────────────────────────────────────────────────────────────

SHIFT_STYLE = {  # of a direction, and of a training with shifts in it
    _("random"): {"color": "#0072B2", "linestyle": (0, (1, 1))},
    _("worst"): {"color": "#D55E00", "linestyle": "solid"},
}
TRAINING_STYLE = {
    _("without"): {"color": "#333333", "linestyle": (0, (5, 2))},
    _("without, 3 x the epochs"): {"color": "#999999", "linestyle": (0, (3, 1, 1, 1))},
    "random": SHIFT_STYLE["random"],
    _("adversarial"): SHIFT_STYLE["worst"],
    _("virtual"): {"color": "#009E73", "linestyle": (0, (7, 1.5))},
}


def plot_along(
    losses: dict[str, pd.DataFrame], guessed: dict[str, float] | None = None, at: float = 1.0
) -> Figure:
    """Plot the loss over the length of a shift: along the worst direction and along random ones.

    losses: how a network was trained -> direction (random, worst), number, length, loss; a panel
    each. guessed: direction -> the loss after a shift of length `at`, times the loss without, of
    the first network
    """
    figure, panels = style.panels(losses, 3.2, 3.2, _("loss (nats per review)"), sharey=True)
    for axis, table in panels:
        for direction, rows in table.groupby("direction", sort=False):
            for _number, line in rows.groupby("number"):
                label = style.label_once(axis, direction)
                look = SHIFT_STYLE[direction] | {"linewidth": 2.2 if direction == "worst" else 1.0}
                axis.plot(line["length"], line["loss"], label=label, **look)
        axis.set_yscale("log", subs=[2, 5])
        axis.set_xlabel(_("length of the shift"))
        axis.yaxis.set(major_formatter="{x:g}", minor_formatter="{x:g}")
    first, table = panels[0]
    if guessed is not None:
        before = table.loc[table["length"] == 0, "loss"].iloc[0]
        marks = [(at, before * guessed[d], SHIFT_STYLE[d]["color"]) for d in guessed]
        style.mark_guesses(first, marks)
    style.legend_below(figure, first, ncols=4, fontsize=9)
    return figure


def plot_validation(curves: pd.DataFrame) -> Figure:
    """Plot the validation loss over epochs and over seconds, a line a training; a star at the best.

    curves: a row a run and epoch, with training, run, epoch, seconds and valid_loss
    """
    figure, axes = style.grid(1, 2, 5.0, 3.4, sharey=True)
    over = curves.assign(spent=curves.groupby("run")["seconds"].cumsum())
    for axis, column in zip(axes[0], ("epoch", "spent"), strict=True):
        _plot_trainings(axis, over, column)
        axis.xaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].set(xlabel=_("epoch"), ylabel=_("validation loss (nats per review)"))
    axes[0, 1].set_xlabel(_("seconds of training"))
    style.legend_below(figure, axes[0, 0], ncols=5, fontsize=9)
    return figure


def _plot_trainings(axis: Axes, curves: pd.DataFrame, column: str) -> None:
    for training, rows in curves.groupby("training", sort=False):
        look = TRAINING_STYLE[training]
        axis.plot(rows[column], rows["valid_loss"], label=say(training), **look)
        best = rows.loc[rows["valid_loss"].idxmin()]
        axis.plot(best[column], best["valid_loss"], "*", color=look["color"], markersize=13)
