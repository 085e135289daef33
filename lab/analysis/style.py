"""How figures look, what their panels share, and how they are kept.

All figures have one theme, and each network its colour and dashes in all of them. A figure is saved
as a picture, with a description in words for readers who cannot see it.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lab import config
from lab.base import files
from lab.base.messages import ENGLISH, _, clauses, say

# Colour-blind safe (Okabe and Ito 2008); the dashes tell the networks apart in grey print too.
NETWORK_STYLE = {
    "RNN-256": ("#56B4E9", (0, (1, 1))),
    "RNN-256 x 2": ("#0072B2", (0, (3, 1, 1, 1))),
    "RNN-512": ("#999999", (0, (5, 2))),
    "RNN-1024": ("#333333", (0, (5, 1, 1, 1, 1, 1))),
    "LSTM-256": ("#D55E00", "solid"),
    "GRU-256": ("#009E73", (0, (7, 1.5))),
}
ELECTIVE_STYLE = {  # of the networks of further/parallel, and the members of further/past
    "minGRU-256": ("#CC79A7", (0, (1, 1))),
    "minGRU-256 x 2": ("#CC79A7", "solid"),
    "attention-120 x 2": ("#333333", (0, (3, 1, 1, 1))),
    "networks": ("#009E73", (0, (7, 1.5))),
    "line": ("#999999", (0, (5, 2))),
    "together": ("#0072B2", "solid"),
}
OTHER_STYLE = ("#CC79A7", "solid")  # of any other network: rose
BLUE = "#0072B2"  # of points that belong to no network
# of what the reader predicted: a star
GUESS_STYLE = {"linestyle": "", "marker": "*", "markersize": 13, "markeredgecolor": "black"}
CHANCE = {"color": "black", "linewidth": 0.9, "label": _("chance level"), "zorder": 1}
TRAINED = {"color": "black", "linewidth": 1.2, "linestyle": ":", "label": _("trained to here")}
BAND = {"alpha": 0.15, "linewidth": 0}  # of what lies between two curves
START_STYLE = {  # where a classifier's weights come from: solid and filled, or dotted and hollow
    "pretrained": {"linestyle": "-"},
    "scratch": {"linestyle": ":", "markerfacecolor": "white"},
}

# what notebooks and stored results call what is drawn: such names are data, and said where they are
DRAWN = (
    *(_("here"), _("reference"), _("official test"), _("quick, stored"), _("default recipe")),
    *(_("own learning rate"), _("one length at a time"), _("lengths mixed")),
    *(_("RNN, one length at a time"), _("RNN, lengths mixed"), _("LSTM, one length at a time")),
    *(_("PyTorch's start"), _("orthogonal; LSTM: f at 0.73"), _("trained (reference)")),
    *(_("pretrained"), _("scratch"), _("last state"), _("both ways"), _("short way only")),
    *(_("forget f"), _("input i"), _("output o"), _("update z"), _("reset r"), _("chrono")),
    *(_("+ orthogonal start"), _("+ own learning rate"), _("+ falling rate")),
    *(_("+ pooled readout"), _("+ the default rate again"), _("+ embedding dropout 0.5")),
    *(_("+ output dropout 0.3"), _("+ two directions"), _("+ twice the epochs")),
    *(_("vectors frozen"), _("vectors random"), _("half as many words")),
    *(_("twice as many words"), _("the last state alone"), _("the first words, not the last")),
    *(_("networks"), _("together")),
)

# ── 1. Theme ────────────────────────────────────────────────────────────────────────────────────


def use_theme() -> None:
    """Set the one look of all figures: white, quiet grid, text legible on printed A4."""
    import seaborn as sns  # takes a second, and is needed here alone

    plt.rcdefaults()  # a matplotlibrc of the reader's may ask for LaTeX
    sns.set_theme(context="notebook", style="whitegrid", font_scale=0.95)
    plt.rcParams.update({"figure.dpi": 100, "savefig.dpi": 150, "lines.linewidth": 2.2})
    if config.language() != ENGLISH:
        from noto_cjk_sans_otc import FONT_PATH

        font_manager.fontManager.addfont(FONT_PATH)
        plt.rcParams["font.family"] = ["sans-serif", "Noto Sans CJK SC"]


def network_style(network: str) -> dict[str, Any]:
    """Return colour and dashes of a network; one that the lab does not know is drawn in rose."""
    colour, dashes = (NETWORK_STYLE | ELECTIVE_STYLE).get(network, OTHER_STYLE)
    return {"color": colour, "linestyle": dashes}


# ── 2. Saving ───────────────────────────────────────────────────────────────────────────────────


def save_figure(figure: Figure, name: str) -> None:
    """Show a figure, described in words for who cannot see it, and save it.

    It goes to `figures/<name>.png` in the output folder. The description is the alternative text of
    the picture in the notebook's file and in pages made of it.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Description": describe(figure)})
    files.write_atomically(config.output_folder() / "figures" / f"{name}.png", buffer.getvalue())
    display(figure, metadata={"image/png": {"alt": describe(figure)}})
    plt.close(figure)


def describe(figure: Figure) -> str:
    """Return in words what the panels of a figure show: titles, axes, and what is drawn."""
    text = _("A figure with {count} panels.", count=len(figure.axes))
    if len(figure.axes) == 1:
        text = _("A figure with 1 panel.")
    for axis in figure.axes:
        if parts := _parts_of(axis):
            text = _("{text} {panel}.", text=text, panel=clauses(parts))
    return str(text)


def _parts_of(axis: Axes) -> list[str]:
    """Return what there is to say of a panel: its title, its axes, and what is drawn."""
    parts = [axis.get_title()] if axis.get_title() else []
    if label := axis.get_xlabel():
        parts.append(_("from left to right, {label}", label=label))
    if label := axis.get_ylabel():
        parts.append(_("upwards, {label}", label=label))
    names = [name for name in axis.get_legend_handles_labels()[1] if not name.startswith("_")]
    if names:
        parts.append(_("drawn are {names}", names=list(dict.fromkeys(names))))
    return parts


# ── 3. Panels ───────────────────────────────────────────────────────────────────────────────────


def panels(
    content: dict[str, Any], width: float, height: float, ylabel: str = "", **options: Any
) -> tuple[Figure, list[tuple[Axes, Any]]]:
    """Return a figure of panels side by side, one an entry of `content`, titled, and the entries.

    width, height: of a panel, in inches; ylabel: of the first
    """
    figure, axes = grid(1, len(content), width, height, **options)
    for axis, title in zip(axes[0], content, strict=True):
        axis.set_title(say(title))
    axes[0, 0].set_ylabel(ylabel)
    return figure, list(zip(axes[0], content.values(), strict=True))


def panels_of_rows(content: dict[str, Any], rows: int) -> tuple[Figure, list[tuple[Axes, Any]]]:
    """Return `panels` that are high enough for some rows."""
    return panels(content, 5.2, 0.26 * rows + 1.3)


def grid(
    rows: int, columns: int, width: float, height: float, **options: Any
) -> tuple[Figure, NDArray[Any]]:
    """Return a figure with panels of `width` x `height` inches, (rows, columns) of them."""
    size = (width * columns, height * rows)
    return plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, **options)


def panels_of_networks(
    tables: dict[str, pd.DataFrame], sharey: bool = True
) -> tuple[Figure, list[tuple[Axes, pd.DataFrame]]]:
    """Return a figure with a panel a table (downwards) and network, and each panel with its rows.

    Where there is one network, the tables stand side by side.
    """
    networks = list(dict.fromkeys(name for t in tables.values() for name in t["network"]))
    parts = [(where, network) for where in tables for network in networks]
    columns = len(networks) if len(networks) > 1 else len(tables)
    figure, axes = grid(len(parts) // columns, columns, 3.4, 3.3, sharey=sharey)
    content = []
    for axis, (where, network) in zip(axes.flat, parts, strict=True):
        axis.set_title(_("{where}: {network}", where=_(where), network=_(network)))
        content.append((axis, tables[where][tables[where]["network"] == network]))
    return figure, content


def starts(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, dict[str, Any]]]:
    """Yield the rows of each start of one network, with how they are drawn."""
    for start, part in rows.groupby("start"):
        look = {"color": network_style(part["network"].iloc[0])["color"], "marker": "o"}
        yield start, part, look | START_STYLE[start]


def name_rows(axis: Axes, names: Sequence[str], top: float = -0.5) -> None:
    """Name the rows of a panel, the first at the top; `top`: where the panel ends above it."""
    said = list(map(say, names))
    axis.set(yticks=range(len(names)), yticklabels=said, ylim=(len(names) - 0.5, top))


def label_once(axis: Axes, name: str) -> str | None:
    """Return a name to show if nothing in the panel has it yet: a legend names nothing twice."""
    return None if say(name) in axis.get_legend_handles_labels()[1] else say(name)


def legend_below(figure: Figure, axis: Axes, **options: Any) -> None:
    """Say below all panels what is drawn in one of them."""
    handles = axis.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", frameon=False, **options)


# ── 4. Marks ────────────────────────────────────────────────────────────────────────────────────


def mark_baselines(axis: Axes, accuracy: dict[str, float]) -> None:
    """Draw a line upwards for each baseline: name -> accuracy (%)."""
    for (name, value), dashes in zip(accuracy.items(), itertools.cycle((":", "--", "-."))):
        axis.axvline(value, color="black", linewidth=0.9, linestyle=dashes, label=say(name))


def mark_guesses(
    axis: Axes, points: Iterable[tuple[float, float, Any]], label: str = _("predicted")
) -> None:
    """Mark what the reader predicted by stars (x, y, colour); the legend names them once."""
    for x, y, colour in points:
        axis.plot(x, y, color=colour, zorder=5, **GUESS_STYLE)
    axis.plot([], [], color="white", label=label, **GUESS_STYLE)


def mark_network_guesses(
    axis: Axes, x: float, guesses: dict[str, float] | None, apart: float = 0.0, **options: Any
) -> None:
    """Mark predictions for networks or cells, each in its colour; nothing if there are none.

    apart: how far one star is from the next, so that equal predictions are seen
    """
    points = []
    for place, (name, value) in enumerate((guesses or {}).items()):
        network = name if name in NETWORK_STYLE else f"{name}-256"
        points.append((x - apart * place, value, network_style(network)["color"]))
    if points:
        mark_guesses(axis, points, **options)


def markers(panels: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return a marker for each network of some panels (where -> network -> anything)."""
    networks = dict.fromkeys(network for tables in panels.values() for network in tables)
    return {network: "osD^vP"[number % 6] for number, network in enumerate(networks)}
