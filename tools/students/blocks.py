"""The texts of a notebook as pandoc's blocks, and what is changed in them for the page.

Pandoc reads each cell for itself, so that a sign that one leaves open spoils no other. Its tree
then names each picture, in whatever way it was written; here each gets its file, its width and its
caption: the picture's own, or the line in italics below it.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.base.messages import _
from tools.students import outputs, pictures

Node = dict[str, Any]
NONE: list[Any] = ["", [], []]  # no name, no classes, no attributes
FORMAT = (
    "markdown+tex_math_dollars-raw_tex-raw_html+lists_without_preceding_blankline"
    "-yaml_metadata_block-citations-smart-implicit_figures"
)
BREAKS = ("Space", "SoftBreak", "LineBreak")
LONG = 20  # characters of code that stands in a line, unbroken, and leaves gaps in others


def read(parts: list[str], build: Path) -> Node:
    """Return pandoc's tree of some texts in Markdown, each read for itself.

    Before the blocks of each stands a raw block `part` with its number.
    """
    import pypandoc

    for number, text in enumerate(parts):
        marked = f"```{{=part}}\n{number}\n```\n\n{text}\n"
        (build / f"{number}.md").write_text(marked, encoding="utf-8")
    names = [f"{number}.md" for number in range(len(parts))]  # short: a command has its limits
    # in lines so long, pandoc leaves the widths of a table's columns to Typst
    options = ["--file-scope", "--columns=10000", "-f", FORMAT, "-t", "json"]
    command = [pypandoc.get_pandoc_path(), *options, *names]
    done = subprocess.run(command, cwd=build, capture_output=True, check=True)
    return json.loads(done.stdout)


def title(tree: Node) -> str:
    """Return the text of the first heading of the highest level, and take it out of the tree."""
    for place, block in enumerate(tree["blocks"]):
        if block["t"] == "Header" and block["c"][0] == 1:
            del tree["blocks"][place]
            return words(block["c"][2]).strip()
    return ""


def words(node: Any) -> str:
    """Return the words below a node, without their form."""
    if isinstance(node, list):
        return "".join(map(words, node))
    if not isinstance(node, dict):
        return ""
    if node["t"] in BREAKS:
        return " "
    if node["t"] in ("Code", "Math"):
        return node["c"][1]
    return node["c"] if node["t"] == "Str" else words(node.get("c"))


class Finder:
    """What finds the pictures of each cell."""

    def __init__(self, attachments: list[dict[str, Any]], folder: Path, build: Path) -> None:
        """attachments: of each cell; folder: where the notebook lies; build: where to write."""
        self.attachments, self.folder, self.build = attachments, folder, build
        self.part = 0

    def finished(self, blocks: list[Node]) -> list[Node]:
        """Return the blocks of a document as they are printed."""
        made: list[Node] = []
        for block in blocks:
            if block["t"] == "RawBlock" and block["c"][0] == "part":
                self.part = int(block["c"][1])
                continue
            if block["t"] == "Header":  # the title is taken out; names of headings may stand twice
                block = {**block, "c": [max(2, block["c"][0]), NONE, block["c"][2]]}
            block = self.mended(block)
            made += list(_figures(block)) if block["t"] == "Para" else [block]
        return list(_ragged(_kept_together(_captioned(made))))

    def mended(self, node: Any) -> Any:
        """Return a node whose pictures are files, and whose links lead out of the document."""
        if isinstance(node, list):
            return [self.mended(each) for each in node]
        if not isinstance(node, dict):
            return node
        node = {key: self.mended(value) for key, value in node.items()}
        if node.get("t") == "Image":
            return self.picture(node)
        if node.get("t") == "Link" and node["c"][2][0][:1] in ("", "#"):  # it would lead nowhere
            return {"t": "Span", "c": [NONE, node["c"][1]]}
        return node

    def picture(self, image: Node) -> Node:
        """Return an image with its file and its width; a line of text if it cannot be had."""
        caption, address = image["c"][1], image["c"][2][0]
        if (self.build / address[:200]).is_file():  # the output of a cell
            return image
        content = pictures.find(address, self.attachments[self.part], self.folder)
        picture = pictures.read(content) if content is not None else None
        if picture is None:
            short = address[: pictures.SHOWN] + " ..." * (len(address) > pictures.SHOWN)
            gone = _("(Picture not found: {address})", address=short)
            said = gone if content is None else outputs.bad_picture(short)
            line = {"t": "Str", "c": str(said)}
            return {"t": "Span", "c": [NONE, [line, {"t": "Space"}, *caption]]}
        name, width = picture.write(self.build)
        return {"t": "Image", "c": [["", [], [["width", f"{width}%"]]], caption, [name, ""]]}


def _figures(block: Node) -> Iterator[Node]:
    """Yield a paragraph in parts: each of its pictures with a caption is a figure."""
    text: list[Node] = []
    for inline in [*block["c"], None]:
        if inline and not (inline["t"] == "Image" and inline["c"][1]):
            text.append(inline)
            continue
        while text and text[-1]["t"] in BREAKS:
            text.pop()
        while text and text[0]["t"] in BREAKS:
            text.pop(0)
        if text:
            yield {"t": "Para", "c": text}
        if inline:
            yield _figure(inline, inline["c"][1])
        text = []


def _figure(image: Node, caption: list[Node]) -> Node:
    caption = [None, [{"t": "Plain", "c": caption}]]
    return {"t": "Figure", "c": [NONE, caption, [{"t": "Plain", "c": [image]}]]}


def _image_of(block: Node) -> Node | None:
    """Return the only picture of a block, if it is all that the block has."""
    inlines = block["c"][2][0]["c"] if block["t"] == "Figure" else block.get("c")
    alone = block["t"] in ("Figure", "Para") and len(inlines) == 1
    return inlines[0] if alone and inlines[0]["t"] == "Image" else None


def _only(block: Node, form: str) -> bool:
    """Say whether a block is a paragraph all in bold (Strong), say, or in italics (Emph)."""
    return block["t"] == "Para" and [inline["t"] for inline in block["c"]] == [form]


def _captioned(blocks: list[Node]) -> Iterator[Node]:
    """Yield blocks: a line in italics below a picture is its caption."""
    waiting: Node | None = None
    for block in blocks:
        image = _image_of(waiting) if waiting else None
        if image and _only(block, "Emph"):
            waiting = _figure(image, block["c"][0]["c"])
            continue
        if waiting:
            yield waiting
        waiting = block
    if waiting:
        yield waiting


def _kept_together(blocks: Iterator[Node]) -> Iterator[Node]:
    """Yield blocks: a line in bold, and the question in italics below it, keep with the next."""
    above = False
    for block in blocks:
        above = _only(block, "Strong") or (above and _only(block, "Emph"))
        if above:
            yield {"t": "RawBlock", "c": ["typst", "#block(sticky: true)["]}
        yield block
        if above:
            yield {"t": "RawBlock", "c": ["typst", "]"]}


def _ragged(blocks: Iterator[Node]) -> Iterator[Node]:
    """Yield blocks: lines of a text with long code in it end where they end, not at the margin."""
    for block in blocks:
        if block["t"] in ("Para", "BulletList", "OrderedList") and _has_long_code(block):
            yield {"t": "RawBlock", "c": ["typst", "#[#set par(justify: false)"]}
            yield block
            yield {"t": "RawBlock", "c": ["typst", "]"]}
        else:
            yield block


def _has_long_code(node: Any) -> bool:
    if isinstance(node, dict):
        if node["t"] in ("Code", "CodeBlock"):
            return node["t"] == "Code" and len(node["c"][1]) >= LONG
        node = node.get("c")
    return isinstance(node, list) and any(map(_has_long_code, node))
