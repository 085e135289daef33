"""What the cells of a notebook have put out, as Markdown: printed text, tables, pictures."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

from lab.base.messages import Message, _
from tools.students import pictures

COLOUR_CODE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
IMAGE_TAG = re.compile(r"""<img\s[^>]*?src=(?:"([^"]+)"|'([^']+)')[^>]*>""")
BARE_EQUATION = re.compile(
    r"^\\begin\{(align|gather|equation)(\*?)\}.*?^\\end\{\1\2\}", re.M | re.S
)
# kinds of pictures, the best first
PICTURES = [f"image/{kind}" for kind in ("png", "svg+xml", "jpeg", "gif", "webp", "bmp")]
WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_NAME = re.compile(r"(\w+)\(")  # as Python shows one, with all that it holds
# What a cell shows only as <Figure size ...> or <Axes: ...> is shown as a picture already.
OBJECT_NAME = re.compile(r"^\[?<(Figure|Axes|matplotlib|IPython|pandas)")
# a word on a coloured ground in a table, as widget.ColouredText writes it
COLOURED = re.compile(r"<span style='background:rgba\(([\d.,]+)\)[^>]*>(.*?)</span>", re.DOTALL)
COLOUR, WORD, END = "\ue000", "\ue001", "\ue002"  # for private use: no text has them
# what would be a list or a heading in Typst where a table's cell begins with it
LIST_SIGN = re.compile(r"(?<=\[)([-+=/]|\d+\.)(?=[ ~])")
TABLE_ROW = re.compile(r"<tr\b.*?</tr>", re.DOTALL)
TABLE_CELL = re.compile(r"<t[hd]\b.*?</t[hd]>", re.DOTALL)
TABLE_HEAD = re.compile(r"<thead.*?</thead>", re.DOTALL)
EMPTY_CELL = re.compile(r"<th[^>]*>\s*</th>")
COLUMNS = 12  # of a table, so that it stays on the page
ROWS_TOGETHER = 20  # a table of so many rows stays on one page
UNBROKEN = re.compile(r"\S{80}(?=\S)")  # without a place to break, a line would leave the page

LINES, LINE_LENGTH = 120, 2000  # of an output that is printed; what is longer is cut


def equations_marked(text: str) -> str:
    """Return a text with dollars around its LaTeX environments, as pandoc wants them."""
    return BARE_EQUATION.sub(lambda found: f"$$\n{found[0]}\n$$", text)


def picture_markdown(content: bytes, build: Path, caption: str) -> str:
    """Return the Markdown of a picture, as wide as its own size asks for; a line if it is bad."""
    picture = pictures.read(content)
    if not picture:
        return f"\n\n{bad_picture(caption)}\n\n"
    name, width = picture.write(build)
    text = caption.replace("[", r"\[").replace("]", r"\]")
    return f"\n\n![{text}]({name}){{width={width}%}}\n\n"


def output_markdown(output: nbformat.NotebookNode, build: Path, caption: str = "") -> str:
    """Return the Markdown of one output: text as text, tables as tables, figures as pictures.

    An output that can be shown in no form is mentioned.
    """
    if output.output_type == "stream":
        return fence(output.text) if output.name == "stdout" else ""
    if output.output_type == "error":
        return fence(f"{output.ename}: {output.evalue}")
    data = output.data
    if kind := next((kind for kind in PICTURES if kind in data), None):
        return picture_markdown(pictures.bytes_of(kind, data[kind]), build, caption)
    if "text/markdown" in data:
        return f"\n\n{data['text/markdown']}\n\n"
    if "<table" in data.get("text/html", ""):
        return table_markdown(data["text/html"])
    text = data.get("text/plain", "")
    held = [a or b for a, b in IMAGE_TAG.findall(data.get("text/html", ""))]
    if held := [pictures.find(one, {}, build) for one in held if one.startswith("data:")]:
        return "".join(picture_markdown(one or b"", build, caption) for one in held)
    if WIDGET in data and (name := WIDGET_NAME.match(text)):
        named = _("(A widget, to be used in the notebook: {name})", name=name[1])
        return f"\n\n{named}\n\n"
    return other_markdown(data) if OBJECT_NAME.match(text) or not text else fence(text)


def other_markdown(data: dict[str, str]) -> str:
    """Return the Markdown of an output whose plain text is missing or no more than a name.

    Its formula, or the words of its HTML, or a line that says of what kind it is. If there is
    nothing but the name, that is nothing.
    """
    import pypandoc

    if "text/latex" in data:
        return f"\n\n{equations_marked(data['text/latex'])}\n\n"
    options = ["--wrap=none", "--sandbox"]  # sandbox: pandoc would fetch what a frame names
    words = pypandoc.convert_text(data.get("text/html", ""), "plain", "html", extra_args=options)
    if re.search(r"\w", words):
        return fence(words)
    kinds = ", ".join(kind for kind in data if kind != "text/plain")
    line = _("(An output of a kind that cannot be printed: {kinds})", kinds=kinds)
    return f"\n\n{line}\n\n" if kinds else ""


def table_markdown(html: str) -> str:
    """Return an HTML table, such as a data frame's, as a block of Typst inside of Markdown.

    Markdown itself has no cells that reach over several rows.
    """
    import pypandoc

    html = re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)
    html, note = narrowed(TABLE_HEAD.sub(in_one_row, html))
    html = COLOURED.sub(rf"{COLOUR}\1{WORD}\2{END}", html)
    table = pypandoc.convert_text(html, "typst", "html")
    table = LIST_SIGN.sub(r"\\\1", table)
    table = re.sub(f"{COLOUR}(.*?){WORD}(.*?){END}", highlighted, table, flags=re.DOTALL)
    if html.count("<tr") <= ROWS_TOGETHER:
        table = f"#block(breakable: false, width: 100%)[\n{table}\n]"
    return f"\n\n```{{=typst}}\n{table}\n```\n\n{note}\n\n"


def in_one_row(head: re.Match[str]) -> str:
    """Return the head of a table; the name of its index stands in one row with its columns'."""
    rows = [TABLE_CELL.findall(row) for row in TABLE_ROW.findall(head[0])]
    if len(rows) != 2 or len(rows[0]) != len(rows[1]) or "span=" in head[0]:
        return head[0]
    pairs = [[cell for cell in pair if not EMPTY_CELL.match(cell)] for pair in zip(*rows)]
    if any(len(pair) > 1 for pair in pairs):
        return head[0]
    return f"<thead><tr>{''.join(pair[0] if pair else '<th></th>' for pair in pairs)}</tr></thead>"


def narrowed(html: str) -> tuple[str, str]:
    """Return a table with as many columns as a page holds, and what to say of the others.

    A long name may break at its underscores.
    """
    most = max((len(TABLE_CELL.findall(row)) for row in TABLE_ROW.findall(html)), default=0)
    html = re.sub(r"(?<=\w)_(?=\w+</th>)", "_\u200b", html)
    if most <= COLUMNS or re.search(r"(col|row)span", html):
        return html, ""

    def cut(row: re.Match[str]) -> str:
        return f"<tr>{''.join(TABLE_CELL.findall(row[0])[:COLUMNS])}</tr>"

    return TABLE_ROW.sub(cut, html), str(_("(The first {number} columns.)", number=COLUMNS))


def highlighted(found: re.Match[str]) -> str:
    """Return a word of a table on its colour, as Typst; the colour is red, green, blue, alpha."""
    *rgb, alpha = found[1].split(",")
    colour = f"rgb({', '.join(rgb)}, {100 * float(alpha):.0f}%)"
    return f"#highlight(fill: {colour})[{found[2]}]"


def fence(text: str, language: str = "") -> str:
    """Return text as a code block, as a terminal would show it, fenced by enough backticks.

    An output, which has no language, is cut if it is very long.
    """
    text = COLOUR_CODE.sub("", text)
    lines = [line.rstrip("\r").split("\r")[-1] for line in text.rstrip().split("\n")]
    if not language:
        lines = [one[:LINE_LENGTH] + " ..." * (len(one) > LINE_LENGTH) for one in lines]
        if len(lines) > LINES:
            left_out = _("... ({number:,} lines left out) ...", number=len(lines) - LINES)
            lines = [*lines[: LINES // 2], str(left_out), *lines[-LINES // 2 :]]
    text = UNBROKEN.sub(lambda run: f"{run[0]}\u200b", "\n".join(lines))
    if not text.strip():
        return ""
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"\n\n{ticks}{language}\n{text}\n{ticks}\n\n"


def bad_picture(name: str) -> Message:
    """Return the line that stands for a picture that nobody can read."""
    return _("(Picture that cannot be read: {name})", name=name)
