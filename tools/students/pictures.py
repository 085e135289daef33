"""The pictures of a notebook: found where a text names them, in a form that Typst can draw.

A picture may lie in a file, in the notebook itself (an attachment, as Jupyter pastes it) or in its
own address (`data:...`, as Colab pastes it). None of them stops a report: `find` and `read` return
None, and `replace_bad` puts a line in the place of what only Typst cannot draw.
"""

from __future__ import annotations

import base64
import contextlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, unquote_to_bytes

from lab.config import ROOT

KINDS = {"PNG": "png", "JPEG": "jpg", "GIF": "gif", "WEBP": "webp"}  # what Typst draws as it is
SVG_WIDTH = re.compile(rb'<svg[^>]*?\swidth="([\d.]+)(pt|px)?"')
SHOWN = 60  # letters of a name; an address may hold a whole picture


class Picture(NamedTuple):
    """A picture as a file holds it, the ending of this file, and its width in inches."""

    content: bytes
    ending: str
    inches: float

    def write(self, build: Path) -> tuple[str, int]:
        """Write it into a folder; return the name of the file and its width, % of the page's."""
        name = f"picture-{len(list(build.iterdir()))}.{self.ending}"
        (build / name).write_bytes(self.content)
        return name, max(1, min(100, round(10 * self.inches)))


def find(address: str, attachments: dict[str, Any], folder: Path) -> bytes | None:
    """Return the picture that a text names; None if there is none.

    attachments: of the text's cell, name -> {kind: data}; folder: where the notebook lies.
    """
    if address.startswith("data:"):
        kind, _, data = address.removeprefix("data:").partition(",")
        content = unquote_to_bytes(data)
        return decoded(content) if kind.endswith(";base64") else content
    names = [address, unquote(address), unquote(address).replace("\\", "/")]
    for name in names:
        held = attachments.get(name.removeprefix("attachment:"))
        if isinstance(held, dict) and held:
            return bytes_of(*next(iter(held.items())))
    for name in names:
        for place in (folder, ROOT):
            with contextlib.suppress(OSError, ValueError):  # a name that no file can have
                if (place / name).is_file():
                    return (place / name).read_bytes()
    return None


def bytes_of(kind: str, data: Any) -> bytes:
    """Return a picture that a notebook holds: an SVG may be text, the others are in base64."""
    text = "".join(map(str, data)) if isinstance(data, list) else str(data)
    return text.encode() if "svg" in kind and "<" in text else decoded(text.encode())


def decoded(data: bytes) -> bytes:
    """Return what stands in base64; b"" if it cannot be read."""
    try:
        return base64.b64decode(data)
    except ValueError:
        return b""


def read(content: bytes) -> Picture | None:
    """Return a picture as Typst draws it; None if nobody can read it.

    An SVG says its width itself, others have 100 points an inch.
    """
    from PIL import Image

    if content.lstrip()[:1] == b"<" and b"<svg" in content:
        width = SVG_WIDTH.search(content)
        return Picture(content, "svg", svg_inches(width) if width else 10.0)
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            inches, ending = image.width / 100, KINDS.get(image.format or "")
            if ending:
                return Picture(content, ending, inches)
            buffer = io.BytesIO()
            image.convert("RGBA").save(buffer, "PNG")
    except Exception:  # Pillow raises all kinds of errors where a file is cut or spoilt
        return None
    return Picture(buffer.getvalue(), "png", inches)


def svg_inches(width: re.Match[bytes]) -> float:
    """Return the width that an SVG gives itself."""
    return float(width[1]) / (72 if width[2] == b"pt" else 100)


def replace_bad(source: Path, line: Callable[[str], str]) -> bool:
    """Put lines in the place of those pictures that Typst cannot draw; say if there were any.

    source: the report in Typst, beside its pictures; line: file of a picture -> Typst.
    """
    import typst

    text = before = source.read_text(encoding="utf-8")
    for file in source.parent.glob("picture-*"):
        try:
            typst.compile(f'#image("{file.name}")'.encode(), root=str(source.parent))
        except typst.TypstError:
            drawn = re.compile(rf'image\("{re.escape(file.name)}"[^)]*\)')
            text = drawn.sub(lambda _, name=file.name: f"[{line(name)}]", text)
    source.write_text(text, encoding="utf-8")
    return text != before
