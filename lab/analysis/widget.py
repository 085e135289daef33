"""A text box that shows, while one types, what networks believe after each word."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
from numpy.typing import NDArray

from lab.analysis import figures

ReadAloud = Callable[[str], tuple[Sequence[str], dict[str, NDArray[Any]]]]


class LiveReview(widgets.VBox):
    """A text box, the text in the colours of what networks believe, and their curves."""

    def __init__(self, read_aloud: ReadAloud, text: str) -> None:
        """read_aloud: text -> its tokens, and network -> belief after each of them (T,)."""
        self.read_aloud = read_aloud
        self.text = widgets.Textarea(value=text, layout=widgets.Layout(width="95%", height="5em"))
        self.colours = widgets.HTML()
        self.curves = widgets.Image(format="png", layout=widgets.Layout(max_width="900px"))
        super().__init__([self.text, self.colours, self.curves])
        self.text.observe(lambda _: self.show(), names="value")
        self.show()

    def show(self) -> None:
        """Let the networks read the text that stands in the box, and show what they believe."""
        tokens, beliefs = self.read_aloud(self.text.value)
        self.colours.value = figures.ColouredText(tokens, beliefs)._repr_html_()
        figure, picture = figures.say(figures.plot_beliefs(tokens, beliefs)), io.BytesIO()
        figure.savefig(picture, format="png", dpi=100)
        plt.close(figure)
        self.curves.value = picture.getvalue()
