"""Draws the lab's diagrams of cells and networks, the SVG files in `figures/`:

    python tools/maintainers/draw_figures.py

All share one style and the symbols of the notebook's equations. Each drawing brings its own white
paper, so that it can be read on a dark page too; letters are outlines, so that it looks the same
everywhere.

Time runs from left to right. A yellow box is a learnt layer (weights, then a squashing function), a
circle works unit by unit, a line carries a vector of H numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

FOLDER = Path(__file__).resolve().parents[2] / "figures"

INK, QUIET = "#333333", "#D5D5D5"
LAYER, UNITWISE = "#F8E5A3", "#CFE6F5"
STATE, MEMORY = "#0072B2", "#D55E00"  # lines of h and of c, from the figures' palette
PADDING = "#EDEDED"

Point = tuple[float, float]


class Drawing:
    """White paper, `width` by `height` units of half an inch, and a few kinds of marks on it."""

    def __init__(self, width: float, height: float, left: float = 0) -> None:
        self.figure = plt.figure(figsize=(width / 2, height / 2))
        limits = {"xlim": (left, left + width), "ylim": (0, height)}
        self.axes = self.figure.add_axes((0, 0, 1, 1), **limits)
        self.axes.set_axis_off()

    def text(self, x: float, y: float, words: str, size: float = 13, **style: object) -> None:
        """Write words centred on a point; style as for `Axes.text`."""
        style = {"ha": "center", "va": "center", "color": INK} | style
        self.axes.text(x, y, words, fontsize=size, **style)

    def layer(
        self, x: float, y: float, words: str, width: float = 1.1, height: float = 0.7
    ) -> None:
        """Draw a learnt layer around a point."""
        corner = (x - width / 2 + 0.1, y - height / 2 + 0.1)
        box = FancyBboxPatch(
            corner, width - 0.2, height - 0.2, boxstyle="round,pad=0.1", fc=LAYER, ec=INK, lw=1.2
        )
        self.axes.add_patch(box)
        self.text(x, y, words)

    def unitwise(self, x: float, y: float, sign: str, size: float = 14) -> None:
        """Draw an operation unit by unit: a circle with its sign."""
        self.axes.add_patch(Circle((x, y), 0.32, fc=UNITWISE, ec=INK, lw=1.2, zorder=3))
        self.text(x, y, sign, size=size, zorder=4)

    def line(self, *points: Point, colour: str = INK, arrow: bool = True) -> None:
        """Draw a line through points, with an arrow at its end."""
        x, y = zip(*points, strict=True)
        self.axes.plot(x, y, color=colour, lw=1.8, solid_joinstyle="round", zorder=1)
        if arrow:
            style = "-|>,head_length=0.45,head_width=0.22"
            head = {"arrowstyle": style, "color": colour, "lw": 1.8, "shrinkA": 0, "shrinkB": 0}
            self.axes.annotate("", points[-1], points[-2], arrowprops=head, zorder=2)

    def dot(self, x: float, y: float, colour: str = INK) -> None:
        """Mark a point where a line branches."""
        self.axes.plot(x, y, "o", color=colour, markersize=5, zorder=2)

    def frame(self, x: float, y: float, width: float, height: float) -> None:
        """Draw the border of a cell."""
        box = FancyBboxPatch(
            (x, y), width, height, "round,pad=0.15", fc="#FAFAFA", ec="#AAAAAA", lw=1.2, zorder=0
        )
        self.axes.add_patch(box)

    def save(self, name: str) -> None:
        """Write the drawing as <name>.svg."""
        options = {"svg.hashsalt": name, "svg.fonttype": "path"}  # the same bytes every time
        with plt.rc_context(options):
            self.figure.savefig(FOLDER / f"{name}.svg", facecolor="white", metadata={"Date": None})
        plt.close(self.figure)


# ── The plain RNN ───────────────────────────────────────────────────────────────────────────────


def unrolled() -> Drawing:
    """One cell with a loop, and the same cell unrolled over a review's words."""
    sheet = Drawing(17.4, 5.2)
    sheet.layer(2, 2.8, r"$\tanh$", width=1.7, height=1.1)
    sheet.line((2, 0.9), (2, 2.25))
    sheet.text(2, 0.55, "$x_t$")
    sheet.line(
        (2.85, 2.8), (3.6, 2.8), (3.6, 4.2), (0.5, 4.2), (0.5, 2.8), (1.15, 2.8), colour=STATE
    )
    sheet.text(2, 4.6, "$h_t$ becomes $h_{t-1}$", size=11, color=STATE)
    sheet.text(4.6, 2.8, "=", size=22)
    places = [6.4, 8.9, 11.95]
    words = [("$x_1$", "a"), ("$x_2$", "wonderful"), ("$x_T$", "film")]
    for x, (symbol, word) in zip(places, words, strict=True):
        sheet.layer(x, 2.8, r"$\tanh$", width=1.5, height=1.1)
        sheet.line((x, 1.2), (x, 2.25))
        sheet.text(x, 0.85, symbol)
        sheet.text(x, 0.4, f"“{word}”", size=10, style="italic")
    for left, right, symbol in ((5.0, 5.65, "$h_0$"), (7.15, 8.15, "$h_1$")):
        sheet.line((left, 2.8), (right, 2.8), colour=STATE)
        sheet.text((left + right) / 2 - 0.05, 3.15, symbol, color=STATE, size=12)
    sheet.line((9.65, 2.8), (10.1, 2.8), colour=STATE, arrow=False)
    sheet.text(10.4, 2.83, r"$\cdots$", size=15, color=STATE)
    sheet.line((10.7, 2.8), (11.2, 2.8), colour=STATE)
    sheet.line((12.7, 2.8), (13.7, 2.8), colour=STATE)
    sheet.text(13.2, 3.15, "$h_T$", color=STATE, size=12)
    sheet.layer(14.75, 2.8, r"linear, $\sigma$", width=2.1, height=1.1)
    sheet.line((15.8, 2.8), (16.5, 2.8))
    sheet.text(16.9, 2.8, "$p$", size=14)
    sheet.text(8.9, 4.2, "the same $W_{ih}$, $W_{hh}$, $b_{ih}$, $b_{hh}$ at every word", size=11)
    return sheet


# ── The gated cells ─────────────────────────────────────────────────────────────────────────────


def lstm(stage: int) -> Drawing:
    """The LSTM cell, grown gate by gate: 1 forget, 2 write, 3 show."""
    sheet = Drawing(12.8, 7, left=-0.4)
    sheet.frame(1.6, 1.0, 8.8, 5.4)
    sheet.line((0.9, 5.6), (11.4, 5.6), colour=MEMORY)
    sheet.text(0.4, 5.6, "$c_{t-1}$", color=MEMORY)
    sheet.text(11.7, 5.6, "$c_t$", color=MEMORY)
    last = {1: 3.0, 2: 6.4, 3: 8.0}[stage]  # how far h reaches
    sheet.line((0.9, 1.5), (last, 1.5), colour=STATE, arrow=False)
    sheet.text(0.4, 1.5, "$h_{t-1}$", color=STATE)
    sheet.line((2.2, 0.6), (2.2, 1.5), arrow=False)
    sheet.dot(2.2, 1.5, STATE)
    sheet.text(2.2, 0.3, "$x_t$")
    gate(sheet, 3.0, r"$\sigma$", "$f_t$")
    sheet.line((3.0, 3.1), (3.0, 5.28))
    sheet.unitwise(3.0, 5.6, r"$\odot$")
    if stage >= 2:
        write(sheet)
    if stage == 3:
        show(sheet)
    return sheet


def gate(sheet: Drawing, x: float, function: str, symbol: str) -> None:
    """Draw one gate of an LSTM over the line of h."""
    sheet.line((x, 1.5), (x, 2.4))
    sheet.dot(x, 1.5, STATE)
    sheet.layer(x, 2.75, function)
    sheet.text(x - 0.38, 3.45, symbol, size=13)


def write(sheet: Drawing) -> None:
    """Draw what an LSTM writes into its cell state: i and g."""
    gate(sheet, 4.8, r"$\sigma$", "$i_t$")
    gate(sheet, 6.4, r"$\tanh$", "$g_t$")
    sheet.line((4.8, 3.1), (4.8, 4.2), (5.28, 4.2))
    sheet.line((6.4, 3.1), (6.4, 4.2), (5.92, 4.2))
    sheet.unitwise(5.6, 4.2, r"$\odot$")
    sheet.line((5.6, 4.52), (5.6, 5.28))
    sheet.unitwise(5.6, 5.6, "$+$")


def show(sheet: Drawing) -> None:
    """Draw what an LSTM shows of its cell state: o and the new h."""
    gate(sheet, 8.0, r"$\sigma$", "$o_t$")
    sheet.line((8.0, 3.1), (8.0, 3.6), (9.08, 3.6))
    sheet.dot(9.4, 5.6, MEMORY)
    sheet.line((9.4, 5.6), (9.4, 4.92), colour=MEMORY)
    sheet.unitwise(9.4, 4.6, r"$\tanh$", size=9)
    sheet.line((9.4, 4.28), (9.4, 3.92))
    sheet.unitwise(9.4, 3.6, r"$\odot$")
    sheet.line((9.4, 3.28), (9.4, 1.5), (11.4, 1.5), colour=STATE)
    sheet.text(11.7, 1.5, "$h_t$", color=STATE)


def gru() -> Drawing:
    """The GRU cell, as PyTorch computes it."""
    sheet = Drawing(12.8, 7, left=-0.4)
    sheet.frame(1.6, 1.0, 8.8, 5.4)
    sheet.line((0.9, 5.6), (11.4, 5.6), colour=STATE)
    sheet.text(0.4, 5.6, "$h_{t-1}$", color=STATE)
    sheet.text(11.7, 5.6, "$h_t$", color=STATE)
    sheet.dot(2.1, 5.6, STATE)
    sheet.line((2.1, 5.6), (2.1, 1.9), (7.2, 1.9), colour=STATE, arrow=False)
    sheet.line((2.6, 0.6), (2.6, 1.4), (7.6, 1.4), arrow=False)
    sheet.text(2.6, 0.3, "$x_t$")
    for x, symbol in ((3.2, "$r_t$"), (7.4, "$z_t$")):
        both_into(sheet, x)
        sheet.layer(x, 2.95, r"$\sigma$")
        sheet.text(x - 0.38, 3.62, symbol)
    return proposal(sheet)


def both_into(sheet: Drawing, x: float) -> None:
    """Lead the lines of h and of x into a gate of the GRU."""
    sheet.dot(x - 0.2, 1.9, STATE)
    sheet.line((x - 0.2, 1.9), (x - 0.2, 2.6), colour=STATE)
    sheet.dot(x + 0.2, 1.4)
    sheet.line((x + 0.2, 1.4), (x + 0.2, 2.6))


def proposal(sheet: Drawing) -> Drawing:
    """Draw the GRU's proposal n, and how z slides between it and the old state."""
    sheet.dot(4.6, 1.9, STATE)
    sheet.line((4.6, 1.9), (4.6, 2.6), colour=STATE)
    sheet.layer(4.6, 2.95, "$W_{hn}$")
    sheet.line((4.6, 3.3), (4.6, 3.88))
    sheet.line((3.2, 3.3), (3.2, 4.2), (4.28, 4.2))
    sheet.unitwise(4.6, 4.2, r"$\odot$")
    sheet.line((4.92, 4.2), (5.35, 4.2))
    sheet.layer(5.9, 4.2, r"$\tanh$")
    sheet.dot(5.9, 1.4)
    sheet.line((5.9, 1.4), (5.9, 3.85))
    sheet.text(6.72, 4.5, "$n_t$")
    sheet.line((6.45, 4.2), (8.78, 4.2))
    sheet.line((7.4, 3.3), (7.4, 5.28))
    sheet.unitwise(7.4, 5.6, r"$\odot$")
    sheet.dot(7.4, 3.6)
    sheet.line((7.4, 3.6), (9.1, 3.6), (9.1, 3.88))
    sheet.text(8.45, 3.24, "$1 - z_t$", size=11)
    sheet.unitwise(9.1, 4.2, r"$\odot$")
    sheet.line((9.1, 4.52), (9.1, 5.28))
    sheet.unitwise(9.1, 5.6, "$+$")
    return sheet


# ── Networks ────────────────────────────────────────────────────────────────────────────────────


def layers() -> Drawing:
    """A network of one recurrent layer beside a network of two."""
    sheet = Drawing(17.4, 6.6)
    for left, depth in ((1.0, 1), (9.6, 2)):
        columns = [left + 1.2 + 2.3 * step for step in range(3)]
        for level in range(depth):
            states(sheet, columns, 2.3 + 1.9 * level, level + 1 if depth > 1 else 0)
        for x, symbol in zip(columns, ("$x_1$", "$x_2$", "$x_3$"), strict=True):
            sheet.text(x, 0.6, symbol)
            sheet.line((x, 0.95), (x, 1.95))
            if depth == 2:
                sheet.line((x, 2.65), (x, 3.85), colour=STATE)
        top = 2.3 + 1.9 * (depth - 1)
        sheet.line((columns[-1], top + 0.35), (columns[-1], top + 1.2), colour=STATE)
        sheet.layer(columns[-1], top + 1.55, r"linear, $\sigma$", width=1.9)
        title = "num_layers=1" if depth == 1 else "num_layers=2"
        sheet.text(columns[0] + 0.2, top + 1.55, title, size=11, family="monospace")
    return sheet


def states(sheet: Drawing, columns: Sequence[float], y: float, layer: int) -> None:
    """Draw the cells of one layer over three words, and the states between them."""
    above = f"^{{({layer})}}" if layer else ""
    sheet.line((columns[0] - 1.3, y), (columns[0] - 0.6, y), colour=STATE)
    sheet.text(columns[0] - 1.45, y + 0.38, f"$h_0{above}$", size=11, color=STATE)
    for step, x in enumerate(columns, 1):
        sheet.layer(x, y, "cell", width=1.2)
        if step < len(columns):
            sheet.line((x + 0.6, y), (columns[step] - 0.6, y), colour=STATE)
            sheet.text(x + 1.1, y + 0.38, f"$h_{step}{above}$", size=11, color=STATE)
        else:
            sheet.text(x + 0.48, y + 0.75, f"$h_{step}{above}$", size=11, color=STATE)


def block() -> Drawing:
    """A block of three reviews, the last word of each marked, with padding and `text_length`."""
    reviews = [["a", "wonderful", "film", "."], ["dull", "."], ["not", "bad", "!"]]
    sheet = Drawing(10.4, 7)
    left, top, wide, high = 2.6, 5.4, 2.3, 0.85
    for row in range(4):
        sheet.text(left - 0.4, top - high * (row + 0.5), f"{row}", size=10)
        for column, review in enumerate(reviews):
            corner = (left + wide * column, top - high * (row + 1))
            real, last = row < len(review), row == len(review) - 1
            colour = "#BFDDF0" if last else "white" if real else PADDING
            sheet.axes.add_patch(Rectangle(corner, wide, high, fc=colour, ec=INK, lw=1))
            word = review[row] if real else "<pad>"
            middle = (corner[0] + wide / 2, corner[1] + high / 2)
            sheet.text(*middle, word, size=11, color=INK if real else "#888888")
    sheet.text(left + 1.5 * wide, top + 0.95, "$B$ reviews, a column each", size=12)
    for column in range(3):
        sheet.text(left + wide * (column + 0.5), top + 0.35, f"{column}", size=10)
    sheet.text(0.95, top - 2 * high, "$T$ words,\ntime goes\ndown", size=12)
    sheet.text(left, 1.25, "text_length = [4, 2, 3]", size=11, family="monospace", ha="left")
    return sheet


DRAWINGS: dict[str, Callable[[], Drawing]] = {
    "unrolled": unrolled,
    "lstm-1-forget": lambda: lstm(1),
    "lstm-2-write": lambda: lstm(2),
    "lstm-3-show": lambda: lstm(3),
    "gru": gru,
    "layers": layers,
    "block": block,
}


def main() -> None:
    """Write all drawings."""
    for name, draw in DRAWINGS.items():
        draw().save(name)


if __name__ == "__main__":
    main()
