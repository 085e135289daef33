"""Turn an executed notebook into a PDF, with packages from pip alone.

    python tools/students/report.py [NOTEBOOK] [PDF] [--author NAME] [--no-code]

The way is notebook -> Markdown -> Typst (by pandoc) -> PDF (by typst): no LaTeX, no browser. Where
that way is barred, a page in HTML is written instead, and it is said why. Nothing is executed.

A figure's caption is the comment `#| fig-cap: ...` at the top of its cell, as Quarto has it, or for
a picture in the text the line in italics below it. The comment lines are not printed.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import sys
import tempfile
import unicodedata
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from nbformat.v4.rwbase import rejoin_lines

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the lab, from any folder

from lab import config
from lab.base import files, messages
from lab.base.messages import Message, _, reason
from lab.config import ROOT, LabError
from lab.exercises import answer_cells
from tools.students import blocks, outputs, pictures

CELL_OPTION = re.compile(r"^#\| *([\w-]+): *(.*)\n?", re.M)
DATA_ADDRESS = re.compile(r"data:(image/[\w.+-]+);base64,([A-Za-z0-9+/=]{200,})")
OUTPUT = {  # what each kind of output has
    "stream": {"name": "stdout", "text": ""},
    "error": {"ename": "", "evalue": "", "traceback": []},
}
SHOW: dict[str, Any] = {"data": {}, "metadata": {}}
SHOWN = 200  # letters of an error's first line
PLAIN = set(map(chr, range(0x180)))  # signs that each font has
NO_FONT = re.compile('the text `"(.*?)"` could not be displayed')
FONTS = """("Libertinus Serif", "Noto Serif CJK SC", "Noto Sans CJK SC", "Microsoft YaHei",
  "PingFang SC")"""
STYLE = r"""
#set document(title: TITLE, author: AUTHOR)
#set page(paper: "a4", margin: (x: 18mm, y: 20mm), numbering: "1 / 1")
#let chinese = LANGUAGE == "zh"  // all of its text is sans, Latin words too: one size fits them
#set text(size: 10.5pt, lang: LANGUAGE, font: FONTS)
#set text(size: 10pt, region: "cn", font: FONTS.slice(2)) if chinese
#set par(justify: true)
#show raw: set text(size: 7.7pt, font: (
  "DejaVu Sans Mono", "Noto Sans Mono CJK SC", "Microsoft YaHei"))
#show raw.where(block: true): it => block(
  fill: if it.lang == "python" { luma(245) } else { white },
  stroke: (left: if it.lang == "python" { 2pt + blue.lighten(50%) } else { 1pt + luma(200) }),
  inset: (x: 6pt, y: 5pt), width: 100%, breakable: true, it)
#show raw.where(block: false): box
#show raw.where(block: false): set text(size: 8.5pt) if chinese
#let bold = ("Noto Sans CJK JP",)  // the one that has it; its signs are those of the language
#show strong: set text(font: bold) if chinese
#show heading: set text(font: bold) if chinese
// Chinese has no italics: words have dots below, one a character; sentences stand as they are
#let under-dots = (thickness: 1.5pt, cap: "round", dash: (array: (0pt, 1em), phase: 0.5em))
#let only-han(body) = body.has("text") and body.text.match(regex("^\\p{Han}{1,12}$")) != none
#show emph: it => if not chinese { it } else if only-han(it.body) {
  underline(stroke: under-dots, offset: 0.28em, evade: false, it.body) } else { it.body }
#show table: set text(size: 8.5pt)
#show table: set par(justify: false)
#show table: set align(left)
#set table(inset: 4pt, stroke: none)
#show figure.where(kind: image): set block(breakable: false, above: 1.4em, below: 1.6em)
#show figure.where(kind: table): set block(breakable: true)
#show figure.caption: set text(size: 9pt)
#show link: set text(fill: blue.darken(20%))
#show heading.where(level: 1): set block(above: 1.8em, below: 1em)
#show heading.where(level: 2): set block(above: 1.5em)
#let horizontalrule = line(length: 100%, stroke: .5pt)
#align(center)[
  #text(size: 22pt, strong(TITLE))
  #if AUTHOR != "" [#v(2mm) #text(size: 12pt)[#AUTHOR]]
  #v(1mm)
  #DATE
]
#v(4mm)
#NOTICE
"""
CONTENTS = r"""
#show outline.entry: set text(size: 9.5pt)
#show outline.entry: set block(above: 0.55em)
#outline(title: CONTENTS, depth: 2, indent: 1.2em)
#pagebreak()
#show figure.where(kind: image): set figure(placement: auto)  // the text goes on beside it
"""


class TitleBlock(NamedTuple):
    """What stands above the report; contents: with a list of its sections?"""

    author: str = ""
    date: str = ""
    contents: bool = True


def convert(
    notebook: Path, pdf: Path, show_code: bool = True, block: TitleBlock | None = None
) -> Path:
    """Write a notebook with its stored outputs to `pdf`; return what was written.

    If no PDF can be made, that is a page in HTML of the same name, and the reason is printed.
    Raises LabError if there is no notebook, or the file cannot be written: the old PDF is open in
    another program, say.
    """
    content = read_notebook(notebook)
    config.name_language(language_of(content))
    return write(content, notebook.parent, pdf, show_code, block or TitleBlock())


def write(
    content: nbformat.NotebookNode, folder: Path, pdf: Path, show_code: bool, block: TitleBlock
) -> Path:
    """Write the content of a notebook as `convert` does. folder: where its pictures lie."""
    try:
        import typst  # here and below, so that a missing tool ends in a page, not in a traceback

        with tempfile.TemporaryDirectory() as name:
            source = write_typst(content, folder, Path(name), show_code, block)
            try:
                document = typst.compile(str(source), root=name, font_paths=own_fonts())
            except typst.TypstError:
                if not pictures.replace_bad(source, bad_picture):
                    raise
                document = typst.compile(str(source), root=name, font_paths=own_fonts())
            files.write_atomically(pdf, document, elsewhere())
            warn_of_signs(source.read_text(encoding="utf-8"))
    except LabError:
        raise
    except Exception as error:  # whatever is wrong with the tools, the reader gets a file
        page = pdf.with_suffix(".html")
        write_page(content, folder, page, show_code)
        why = str(error).strip().splitlines() or [type(error).__name__]
        print(_("No PDF: {reason}", reason=why[0][:SHOWN]), file=sys.stderr)
        advice = _(
            "For the PDF, install what requirements.txt names and try again. Until then, open the "
            "page in a browser and print it."
        )
        print(advice, file=sys.stderr)
        return page
    return pdf


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """Read a notebook. Raises LabError if there is none, or it may not be read."""
    try:
        path.open("rb").close()
    except FileNotFoundError as error:
        text = _("There is no {path}. Run the notebook first, and save it.", path=path)
        raise LabError(text) from error
    except OSError as error:
        text = _("{path} cannot be read: {error}.", path=path, error=reason(error))
        raise LabError(text) from error
    try:
        return tidied(answer_cells.read(path))
    except LabError as error:
        raise LabError(_("{path} is not a notebook.", path=path)) from error


def tidied(content: dict[str, Any]) -> nbformat.NotebookNode:
    """Return a notebook whose cells have all that nbformat expects, and texts in one piece.

    Halves of signs, which no file can hold, become question marks.
    """
    content = json.loads(json.dumps(content, ensure_ascii=False).encode("utf-8", "replace"))
    cells = []
    for cell in content["cells"]:
        metadata = cell.get("metadata")
        tidy = {"id": str(cell.get("id", "")), "source": answer_cells.source_of(cell)}
        tidy |= {
            "cell_type": "markdown",
            "metadata": metadata if isinstance(metadata, dict) else {},
        }
        if isinstance(held := cell.get("attachments"), dict):
            tidy["attachments"] = {k: one for k, one in held.items() if isinstance(one, dict)}
        if cell.get("cell_type") == "code":
            found = [o for o in cell.get("outputs") or [] if isinstance(o, dict)]
            found = [OUTPUT.get(o["output_type"], SHOW) | o for o in found if "output_type" in o]
            tidy |= {"cell_type": "code", "outputs": found}
            tidy["execution_count"] = cell.get("execution_count")
        cells.append(tidy)
    metadata = content.get("metadata")
    notebook = {"cells": cells, "metadata": metadata if isinstance(metadata, dict) else {}}
    return rejoin_lines(nbformat.from_dict(notebook | {"nbformat": 4, "nbformat_minor": 5}))


def language_of(content: dict[str, Any]) -> str:
    """Return the language of a notebook, as its metadata tell."""
    language = answer_cells.edition_of(content).get("language")
    return language if language in messages.languages() else messages.ENGLISH


def own_fonts() -> list[str]:
    """Return the folders of the fonts that are installed with the lab."""
    import noto_cjk_sans_jp_bold
    import noto_cjk_sans_otc

    return [str(Path(str(m.FONT_PATH)).parent) for m in (noto_cjk_sans_otc, noto_cjk_sans_jp_bold)]


def write_typst(
    content: nbformat.NotebookNode, folder: Path, build: Path, show_code: bool, block: TitleBlock
) -> Path:
    """Write the report as Typst, with its pictures, into the folder `build`; return its path."""
    import pypandoc

    cells = [cell for cell in content.cells if cell.cell_type in ("markdown", "code")]
    tree = blocks.read([cell_markdown(cell, build, show_code) for cell in cells], build)
    title = blocks.title(tree) or _("Report")
    finder = blocks.Finder([cell.get("attachments", {}) for cell in cells], folder, build)
    tree["blocks"] = finder.finished(tree["blocks"])
    options = ["--wrap=none", "--columns=10000", "--shift-heading-level-by=-1"]
    body = pypandoc.convert_text(json.dumps(tree), "typst", "json", extra_args=options)
    names = {"TITLE": title, "AUTHOR": block.author, "DATE": block.date}
    names |= {"LANGUAGE": config.language(), "CONTENTS": _("Contents")}
    head = "".join(f"#let {word} = {typst_string(text)}\n" for word, text in names.items())
    head += f"#let FONTS = {FONTS}\n"
    head += f"#let NOTICE = [{notice(content) if block.contents else ''}]\n"
    style = STYLE + (CONTENTS if block.contents else "")
    source = build / "report.typ"
    source.write_text(head + style + body, encoding="utf-8")
    return source


def write_page(content: nbformat.NotebookNode, folder: Path, page: Path, show_code: bool) -> None:
    """Write one page in HTML with all its pictures inside."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(embed_images=True, exclude_input=not show_code)
    where = next((f for f in (folder, ROOT) if (f / "figures").is_dir()), folder)
    html = exporter.from_notebook_node(content, {"metadata": {"path": str(where)}})[0]
    files.write_atomically(page, html.encode("utf-8"), elsewhere())


def elsewhere() -> Message:
    """Return what to do where a report cannot be written: the program that runs is told a place."""
    return _(
        "Free some space, or name another place: {program} NOTEBOOK PDF.",
        program=Path(sys.argv[0]).name,
    )


# ── What stands on page one ─────────────────────────────────────────────────────────────────────


def notice(content: nbformat.NotebookNode) -> str:
    """Return a box, as Typst, that says if the notebook was not run to its end; else nothing."""
    code = [cell for cell in content.cells if cell.cell_type == "code"]
    run = [cell for cell in code if cell.get("execution_count")]
    text = _(
        "Only {run} of the {all} code cells of this notebook were run.",
        run=len(run),
        all=len(code),
    )
    if stop := stopped_at(content):
        text = _(
            "This notebook stopped at an error, in code cell {place}: {reason}",
            place=stop[0],
            reason=stop[2],
        )
    elif len(run) == len(code):
        return ""
    look = 'fill: rgb("#FCE8DC"), stroke: 1pt + rgb("#D55E00"), inset: 8pt, width: 100%'
    return f"#block({look})[#{typst_string(text)}]\n"


def stopped_at(content: nbformat.NotebookNode) -> tuple[int, str, str] | None:
    """Return where a notebook stopped: number of the code cell, its section, the reason in a line.

    What the lab itself raises is a sentence already; other errors are told with their names.
    """
    place, section = 0, ""
    for cell in content.cells:
        if cell.cell_type == "markdown":
            section = [section, *re.findall(r"(?m)^#{2,3} +(.+)$", cell.source)][-1].strip()
            continue
        place += 1
        for error in cell.get("outputs", []):
            if error.output_type == "error":
                said = outputs.COLOUR_CODE.sub("", str(error.evalue)).strip().splitlines()
                known = error.ename in ("LabError", "Stopped") and said
                parts = said[:1] if known else [error.ename, *said[:1]]
                return place, section, ": ".join(filter(None, parts))[:SHOWN]
    return None


def bad_picture(name: str) -> str:
    """Return the line, as Typst, that stands for a picture that Typst cannot draw."""
    return f"#{typst_string(outputs.bad_picture(name))}"


def warn_of_signs(source: str) -> None:
    """Say which signs of a report in Typst no font here has: the page shows boxes for them."""
    import typst

    special = {sign for sign in source if unicodedata.category(sign)[0] in "LNPS"} - PLAIN
    words = " ".join(f"#{typst_string(sign)}" for sign in sorted(special))
    probe = f"#set text(font: {FONTS})\n{words}"
    try:  # a PDF of this kind may not have boxes
        typst.compile(probe.encode(), font_paths=own_fonts(), pdf_standards="a-2b")
    except typst.TypstError as error:
        found = set("".join(NO_FONT.findall(error.diagnostic))) & special
    else:
        return
    kinds: dict[str, str] = {}  # a script's name, or a message -> its signs
    for sign in sorted(found):
        name = unicodedata.name(sign, "").split(" ")[0].capitalize()
        letter = unicodedata.category(sign)[0] == "L"
        kind = name if letter else _("emoji") if sign >= "\U0001f000" else _("signs")
        kinds[kind] = kinds.get(kind, "") + sign
    named = "; ".join(f"{kind}: {' '.join(signs[:20])}" for kind, signs in kinds.items())
    if named:
        text = _(
            "No font here has these signs, and the PDF shows boxes for them. {signs}", signs=named
        )
        print(text, file=sys.stderr)


def typst_string(text: str) -> str:
    """Return a text, as it is shown, as a string of Typst, whatever is in it."""
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


# ── Cells as Markdown ───────────────────────────────────────────────────────────────────────────


def shorter(found: re.Match[str], held: dict[str, dict[str, str]]) -> str:
    """Return a short address for a picture that stands in its own; it goes to the attachments.

    Pandoc reads some texts many times over, and such an address may have megabytes.
    """
    name = f"pasted-{len(held)}"
    held[name] = {found[1]: found[2]}
    return f"attachment:{name}"


def cell_markdown(cell: nbformat.NotebookNode, build: Path, show_code: bool) -> str:
    """Return the Markdown of a cell; pictures among its outputs are written into `build`."""
    if cell.cell_type == "markdown":
        held = cell.setdefault("attachments", {})
        source = DATA_ADDRESS.sub(lambda found: shorter(found, held), cell.source)
        return outputs.equations_marked(outputs.IMAGE_TAG.sub(r"![](<\1\2>)", source))
    options = dict(CELL_OPTION.findall(cell.source))
    source = CELL_OPTION.sub("", cell.source)
    parts = [outputs.fence(source, "python")] if show_code and source.strip() else []
    parts += [outputs.output_markdown(o, build, options.get("fig-cap", "")) for o in cell.outputs]
    return "".join(parts)


@config.ends_in_a_sentence()
def main() -> None:
    """Read the command line and write the report."""
    parser = argparse.ArgumentParser(description=str(_("Turn an executed notebook into a PDF.")))
    parser.add_argument("notebook", nargs="?", type=Path, default=Path("build/lab2.ipynb"))
    parser.add_argument("pdf", nargs="?", type=Path, default=Path("build/report.pdf"))
    parser.add_argument("--author", default="", help=str(_("stands below the title")))
    parser.add_argument("--no-code", action="store_true", help=str(_("leave the code cells out")))
    arguments = parser.parse_args()
    # where the system's language is not known, Python keeps the bytes of a name
    author = os.fsencode(arguments.author).decode("utf-8", "replace")
    block = TitleBlock(author, datetime.date.today().isoformat())
    written = convert(arguments.notebook, arguments.pdf, not arguments.no_code, block)
    print(_("Wrote {file}.", file=written))


if __name__ == "__main__":
    main()
