"""What networks believe after each word of a text: in colours, and while one types."""

from __future__ import annotations

import html
import io
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.analysis import figures
from lab.base.messages import _

Beliefs = dict[str, NDArray[Any]]  # network -> probability of a good review after each word (T,)
ReadText = Callable[[str], tuple[Sequence[str], Beliefs]]


class ColouredText:
    """A text whose words are coloured by what each network believes after reading them.

    In a notebook a line a network: blue where the review seems good so far, orange where it seems
    bad, white in between; the mouse over a word shows the number. Elsewhere a table in plain text.
    """

    def __init__(self, words: Sequence[str], beliefs: Beliefs) -> None:
        """beliefs: network -> probability of a good review after each word (T,)."""
        self.words, self.beliefs = words, beliefs

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:right;white-space:nowrap'>{html.escape(network)}</td>"
            f"<td style='text-align:right'>{belief[-1]:.2f}</td>"
            f"<td style='text-align:left'>{self._spans(belief)}</td></tr>"
            for network, belief in self.beliefs.items()
        )
        each = _("word by word (blue: good so far; orange: bad)")
        left = "style='text-align:left'"
        network, end = _("network"), _("end")
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
        table.insert(0, str(_("word")), list(self.words))
        return table.to_string(index=False)


class LiveReview(widgets.VBox):
    """A text box, the text in the colours of what networks believe, and their curves."""

    def __init__(self, read_text: ReadText, text: str) -> None:
        """read_text: text -> its tokens, and network -> belief after each of them (T,)."""
        self.read_text = read_text
        self.text = widgets.Textarea(value=text, layout=widgets.Layout(width="95%", height="5em"))
        self.colours = widgets.HTML()
        self.curves = widgets.Image(format="png", layout=widgets.Layout(max_width="900px"))
        super().__init__([self.text, self.colours, self.curves])
        self.text.observe(lambda change: self.show(), names="value")
        self.show()

    def show(self) -> None:
        """Let the networks read the text that stands in the box, and show what they believe."""
        tokens, beliefs = self.read_text(self.text.value)
        self.colours.value = ColouredText(tokens, beliefs)._repr_html_()
        figure, picture = figures.plot_beliefs(tokens, beliefs), io.BytesIO()
        figure.savefig(picture, format="png", dpi=100)
        plt.close(figure)
        self.curves.value = picture.getvalue()
