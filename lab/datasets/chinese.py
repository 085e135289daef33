"""Texts without blanks between their words: told from others; Chinese ones are cut by jieba."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import import_module, metadata
from pathlib import Path

from lab import config
from lab.base.messages import _
from lab.config import LabError

NAME = "rjieba"  # jieba in Rust: 5 MB, no other package; most readers do without
PACKAGE = f"{NAME}==0.2.2"
MISSING = _(
    "LAB2_TOKENS=zh needs a package. Install it with: pip install {package}", package=PACKAGE
)
UNSPACED = "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]"


def words(text: str) -> list[str]:
    """Return the lower-cased words and signs of a Chinese text. Raises LabError as `version`."""
    try:
        jieba = import_module(NAME)
    except ModuleNotFoundError:
        raise LabError(MISSING) from None
    return [word.lower() for word in jieba.cut(text) if word.strip()]


def version() -> str:
    """Return name and version of what cuts Chinese. Raises LabError if it is not installed."""
    try:
        return f"{NAME} {metadata.version(NAME)}"
    except metadata.PackageNotFoundError:
        raise LabError(MISSING) from None


def refuse_uncut(path: Path, texts: Iterable[str]) -> None:
    """Raise LabError if there are no blanks between words, and nothing is there to cut them."""
    if config.tokens() == "zh" and version():
        return
    sample = "\n".join(texts)[:100_000]
    letters = len(re.findall(UNSPACED, sample))
    gaps = len(re.findall(f"{UNSPACED} (?={UNSPACED})", sample))
    if 3 * letters < len(re.findall(r"\w", sample)) or 10 * gaps > letters:
        return
    hanzi = len(re.findall("[\u3400-\u9fff]", sample))
    remedy = _("Put blanks between their words.")
    if hanzi > 0.9 * letters:
        remedy = _(
            "For Chinese set LAB2_TOKENS=zh (which needs: pip install {package}).", package=PACKAGE
        )
    raise LabError(
        _(
            "The texts of {path} have no blanks between words, and the lab's rules for words are "
            "English ones. {remedy} GloVe knows English words only: the others begin with random "
            "vectors.",
            path=path,
            remedy=remedy,
        )
    )
