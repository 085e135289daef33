"""Templates become pages that are whole in themselves: no network, no script of others.

Whatever is put into a page is escaped, and without control characters. A policy in each page's head
lets nothing run but the project's own script, which is known by its digest.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path
from typing import Any

import mistune
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from grading.graded import CONTROL
from lab.base.messages import ENGLISH

TEMPLATES = Path(__file__).parents[1] / "templates"


def page(
    template: str, title: str, language: str = ENGLISH, script: str = "", **values: Any
) -> str:
    """Return a page made from a template. script: a file of the templates that the page runs."""
    source = (TEMPLATES / script).read_text(encoding="utf-8") if script else ""
    values |= {"title": title, "language": language, "script": source, "policy": _policy(source)}
    return _environment().get_template(f"{template}.html.j2").render(values)


def clean(text: str) -> str:
    """Return a text that any file can hold: no control characters, no halves of characters."""
    return CONTROL.sub("", text).encode("utf-8", "replace").decode("utf-8")


@functools.cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        finalize=_shown, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters["markdown"] = _markdown
    made.filters["inline"] = lambda text: _markdown(text).removeprefix("<p>").removesuffix("</p>\n")
    return made


def _markdown(text: str) -> str:
    """Return Markdown of the project's own as HTML."""
    return str(mistune.create_markdown(escape=True)(text))


def _shown(value: Any) -> Any:
    """Return what a page shows of a value; what is HTML already stays as it is."""
    return value if hasattr(value, "__html__") else clean(str(value))


def _policy(script: str) -> str:
    """Return what a browser may do for a page: its own style, its script, pictures beside it."""
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    scripts = f"'sha256-{digest}'" if script else "'none'"
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; "
        "img-src 'self' file:; base-uri 'none'; form-action 'none'"
    )
