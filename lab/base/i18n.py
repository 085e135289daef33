"""What code shows, in the reader's language: looked up where it is shown, and nowhere else.

The lab's code speaks English. Where LAB2_LANGUAGE names another language, the sentences, labels and
heads of tables that a reader sees are looked up in `translations/LANGUAGE/words.po` when they are
shown. So nothing that computes knows of languages, and no stored run changes its name.

An entry of the catalogue is a whole text, or a pattern: "Tried with {0}: {1}" fits what has these
words around any others, and these others are looked up in their turn; {0#} is a number. What has no
entry is shown as it is.

    say       one text;  sentence, with the spaces of the language
    tell      what `print` would show
    shown     a table;  `style.py` looks up the texts of figures
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lab import config

if TYPE_CHECKING:
    import pandas as pd

ENGLISH = "en"
AFTER_FULL_WIDTH = re.compile(r"(?<=[，。；：？！]) (?=\S)")
SLOT = re.compile(r"\{(\d#?)\}")
NUMBER, ANYTHING = r"([-−+]?\d[\d.,]*)", "(.+?)"


class Pattern(NamedTuple):
    """A text with slots: the English, what fits it, its slots in order, its translation."""

    english: str
    fits: re.Pattern[str]
    slots: tuple[str, ...]
    text: str

    def filled(self, parts: dict[str, str]) -> str:
        """Return the translation with its slots filled; parts: slot -> text."""
        return SLOT.sub(lambda slot: parts[slot[1]], self.text)


class Catalogue(NamedTuple):
    """Texts of one language: whole ones, and patterns, those with most words first."""

    whole: dict[str, str]
    patterns: tuple[Pattern, ...]


def file_of(language: str, name: str = "words") -> Path:
    """Return the file of translations into a language."""
    return config.ROOT / "translations" / language / f"{name}.po"


def lesson(language: str) -> str:
    """Return the name of the lab's notebook in a language."""
    return "lab2.ipynb" if language == ENGLISH else f"lab2.{language}.ipynb"


def languages() -> list[str]:
    """Return the languages that there are."""
    found = (config.ROOT / "translations").glob("*/words.po")
    return [ENGLISH, *sorted(path.parent.name for path in found)]


@functools.cache
def catalogue(language: str) -> Catalogue:
    """Return what there is in a language. Raises LabError if there is nothing."""
    if language == ENGLISH:
        return Catalogue({}, ())
    from babel.messages.pofile import read_po  # it takes a moment, and English does without

    path = file_of(language)
    try:
        with path.open("rb") as file:
            entries = {m.id: m.string for m in read_po(file) if m.id and m.string}
    except FileNotFoundError:
        known = ", ".join(languages())
        raise config.LabError(
            f"There is no translation into {language!r}. Set LAB2_LANGUAGE to one of: {known}."
        ) from None
    whole = {english: text for english, text in entries.items() if not SLOT.search(english)}
    slotted = sorted(entries.keys() - whole.keys(), key=lambda e: -len(SLOT.sub("", e)))
    return Catalogue(whole, tuple(_pattern(english, entries[english]) for english in slotted))


def _pattern(english: str, text: str) -> Pattern:
    parts = SLOT.split(english)  # words, slot, words, slot, ..., words
    parts[::2] = map(re.escape, parts[::2])
    slots = tuple(parts[1::2])
    parts[1::2] = [NUMBER if slot.endswith("#") else ANYTHING for slot in slots]
    return Pattern(english, re.compile("".join(parts), re.DOTALL), slots, text)


def say(text: str, language: str | None = None) -> str:
    """Return a text in a language, by default the reader's; each of its lines for itself."""
    known = catalogue(language or config.language())
    if not known.whole or not isinstance(text, str):
        return text
    return re.sub(r"\S(.*\S)?", lambda line: _text(line[0], known), text)


def _text(text: str, known: Catalogue) -> str:
    if text in known.whole:
        return known.whole[text]
    for pattern in known.patterns:
        if found := pattern.fits.fullmatch(text):
            parts = (_text(part, known) for part in found.groups())
            return pattern.filled(dict(zip(pattern.slots, parts, strict=True)))
    return text


def recognizer(english: str, language: str | None = None) -> re.Pattern[str]:
    """Return what a pattern's texts look like as they are shown; slot {1} is its group s1."""
    known = catalogue(language or config.language())
    texts = {pattern.english: pattern.text for pattern in known.patterns}
    parts = SLOT.split(texts.get(english, english))
    for i, part in enumerate(parts):
        parts[i] = f"(?P<s{part[0]}>.+?)" if i % 2 else re.escape(part)
    return re.compile(f"^{''.join(parts)}$", re.MULTILINE)


def sentence(text: str, language: str | None = None) -> str:
    """Return a text as `say` does, without a space where the language's marks have their own."""
    return AFTER_FULL_WIDTH.sub("", say(text, language))


def tell(*values: Any, **options: Any) -> None:
    """Print values as Python's `print` does, in the reader's language."""
    print(sentence(options.pop("sep", " ").join(map(str, values))), **options)


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with its heads and texts in the reader's language."""
    table = table.map(say)
    for axis in ("index", "columns"):
        labels = getattr(table, axis)
        names = [say(name) if isinstance(name, str) else name for name in labels.names]
        setattr(table, axis, _said(labels).set_names(names))
    return table


def _said(labels: pd.Index) -> pd.Index:
    import pandas as pd

    if isinstance(labels, pd.MultiIndex):
        return labels.set_levels([_said(level) for level in labels.levels])
    if pd.api.types.is_numeric_dtype(labels.dtype):
        return labels
    return pd.Index([say(label) for label in labels], dtype=object)


def show_tables() -> None:
    """Let the notebook show all tables in the reader's language; nothing in English."""
    if config.language() == ENGLISH:
        return
    import pandas as pd
    from IPython import get_ipython

    if shell := get_ipython():
        formatters = shell.display_formatter.formatters
        formatters["text/html"].for_type(pd.DataFrame, lambda t: shown(t)._repr_html_())
        formatters["text/plain"].for_type(pd.DataFrame, lambda t, p, _: p.text(repr(shown(t))))
