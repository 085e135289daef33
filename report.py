"""Turn an executed notebook into a PDF, with packages from pip alone.

    python report.py [NOTEBOOK] [PDF] [--no-code]

The way is notebook -> Markdown -> Typst (by pandoc) -> PDF (by typst): no LaTeX, no browser.
"""

from __future__ import annotations

import argparse
import base64
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pypandoc
import typst

COLOUR_CODE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
IMAGE_TAG = re.compile(r'<img\s+[^>]*?src="([^"]+)"[^>]*?/?>')
# What a cell shows only as <Figure size ...> or <Axes: ...> is shown as a picture already.
OBJECT_NAME = re.compile(r"^\[?<(Figure|Axes|matplotlib|IPython|pandas)")

MARKDOWN = (
    "markdown+tex_math_dollars-raw_tex+lists_without_preceding_blankline-implicit_figures"
    "-yaml_metadata_block-citations"
)
TABLE = "markdown-simple_tables-multiline_tables-grid_tables+pipe_tables"

STYLE = r"""
#set page(paper: "a4", margin: (x: 18mm, y: 18mm), numbering: "1 / 1")
#set text(size: 10.5pt, font: (
  "Libertinus Serif", "Noto Serif CJK SC", "Microsoft YaHei", "PingFang SC"))
#set image(width: 100%)
#show raw: set text(size: 8pt, font: (
  "DejaVu Sans Mono", "Noto Sans Mono CJK SC", "Microsoft YaHei"))
#show raw.where(block: true): it => block(
  fill: if it.lang == "python" { luma(245) } else { white },
  stroke: (left: if it.lang == "python" { 2pt + blue.lighten(50%) } else { 1pt + luma(200) }),
  inset: (x: 8pt, y: 5pt), width: 100%, breakable: true, it)
#show table: set text(size: 8.5pt)
#set table(inset: 4pt, stroke: none)
#show link: set text(fill: blue)
#show heading.where(level: 2): set block(above: 1.6em)
#let horizontalrule = line(length: 100%, stroke: .5pt)
"""


def convert(notebook: Path, pdf: Path, show_code: bool = True) -> None:
    """Write `notebook` with its stored outputs to `pdf`; nothing is executed.

    Raises FileNotFoundError for a missing notebook.
    """
    content = nbformat.read(notebook, as_version=4)
    pdf.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder)
        parts = list(markdown_parts(content, build, show_code))
        body = pypandoc.convert_text("".join(parts), "typst", MARKDOWN, extra_args=["--wrap=none"])
        source = build / "report.typ"
        source.write_text(STYLE + body, encoding="utf-8")
        typst.compile(str(source), output=str(pdf), root=str(build))


def markdown_parts(content: nbformat.NotebookNode, build: Path, show_code: bool) -> Iterator[str]:
    """Yield the Markdown of each cell; pictures are written into the folder `build`."""
    for number, cell in enumerate(content.cells):
        if cell.cell_type == "markdown":
            yield "\n\n" + IMAGE_TAG.sub(r"![](\1)", cell.source) + "\n\n"
        elif cell.cell_type == "code":
            if show_code and cell.source.strip():
                yield fence(cell.source, "python")
            for place, output in enumerate(cell.outputs):
                yield output_markdown(output, build, f"cell{number}-{place}")


def output_markdown(output: nbformat.NotebookNode, build: Path, name: str) -> str:
    """Return the Markdown of one output: text as text, tables as tables, figures as pictures."""
    if output.output_type == "stream":
        return fence(output.text) if output.name == "stdout" else ""
    if output.output_type == "error":
        return fence(f"{output.ename}: {output.evalue}")
    data = output.data
    if "image/png" in data:
        (build / f"{name}.png").write_bytes(base64.b64decode(data["image/png"]))
        return f"\n\n![]({name}.png)\n\n"
    if "text/markdown" in data:
        return f"\n\n{data['text/markdown']}\n\n"
    if "<table" in data.get("text/html", ""):
        return table_markdown(data["text/html"])
    text = data.get("text/plain", "")
    return "" if OBJECT_NAME.match(text) else fence(text)


def table_markdown(html: str) -> str:
    """Return an HTML table, such as a data frame's, as a Markdown table."""
    html = re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)
    table = pypandoc.convert_text(html, TABLE, "html", extra_args=["--columns=1000"])
    return f"\n\n{table}\n\n"


def fence(text: str, language: str = "") -> str:
    """Return text as a code block, as a terminal would show it, fenced by enough backticks."""
    text = COLOUR_CODE.sub("", text)
    text = "\n".join(line.rstrip("\r").split("\r")[-1] for line in text.split("\n")).rstrip()
    if not text:
        return ""
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"\n\n{ticks}{language}\n{text}\n{ticks}\n\n"


def main() -> int:
    """Read the command line and write the report; return the exit status."""
    parser = argparse.ArgumentParser(description="Turn an executed notebook into a PDF.")
    parser.add_argument("notebook", nargs="?", type=Path, default=Path("build/lab2.ipynb"))
    parser.add_argument("pdf", nargs="?", type=Path, default=Path("build/report.pdf"))
    parser.add_argument("--no-code", action="store_true", help="leave the code cells out")
    arguments = parser.parse_args()
    try:
        convert(arguments.notebook, arguments.pdf, show_code=not arguments.no_code)
    except FileNotFoundError:
        print(f"There is no {arguments.notebook}. Run it first: make run", file=sys.stderr)
        return 1
    except nbformat.reader.NotJSONError:
        print(f"{arguments.notebook} is not a notebook.", file=sys.stderr)
        return 1
    print(f"Wrote {arguments.pdf}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
