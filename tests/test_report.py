"""The report: from any notebook, whatever became of it, to a file that can be handed in."""

import base64
import contextlib
import functools
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pypdf
import pytest
import typst
from helpers import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.analysis import widget
from lab.base import files
from lab.config import LabError
from tools.students import my_report, outputs, report

new_output = nbformat.v4.new_output

# What students and this lab write; each must compile, and none may be left as TeX in the page.
TEX = r"""
h_t = \tanh\left(W_{ih}\, x_t + b_{ih} + W_{hh}\, h_{t-1} + b_{hh}\right)
i_t = \sigma(W_{ii} x_t + b_{ii} + W_{hi} h_{t-1} + b_{hi})
h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}
\ell(a, y) = -\,y \ln \sigma(a) - (1 - y) \ln\left(1 - \sigma(a)\right)
\partial L / \partial h_t
\prod_{t} p(w_t \mid w_1, \dots, w_{t-1})
\sqrt{H} \quad \sqrt[3]{x}
\mathbb{R}^{H \times E}
\mathrm{softmax}(z)_i = \frac{e^{z_i}}{\sum_j e^{z_j}}
\text{loss} = -\frac{1}{n} \sum_t \ln p
\hat{y} = \bar{x} + \tilde{z}
\lVert g \rVert_2 \le 1
\begin{aligned} a &= b \\ c &= d \end{aligned}
\begin{pmatrix} a & b \\ c & d \end{pmatrix}
f(x) = \begin{cases} x & x > 0 \\ 0 & \text{else} \end{cases}
\max_i x_i \quad \arg\max_j y_j
\alpha \beta \gamma \delta \epsilon \lambda \mu \pi \rho \tau \phi \omega
x \in \{0, 1\}
W^\top W = I
50\,\%
\overline{x} \quad \underline{y}
\left[\frac{a}{b}\right]
\binom{n}{k}
p \sim \mathcal{N}(0, \sigma^2)
""".strip().splitlines()


@functools.cache
def drawn(kind="png", width=400, height=300):
    """Return a picture, as a file holds it."""
    figure = plt.figure(figsize=(width / 100, height / 100), dpi=100)
    figure.add_subplot().plot([0, 1])
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=100, format=kind)
    plt.close(figure)
    return buffer.getvalue()


def png(width=400, height=300):
    """Return a picture, as a cell's output holds it."""
    return base64.b64encode(drawn("png", width, height)).decode()


def code(source, *outputs, run=True):
    return nbformat.v4.new_code_cell(
        source, outputs=list(outputs), execution_count=1 if run else None
    )


def figure_output(width=400):
    return new_output("display_data", data={"image/png": png(width), "text/plain": "<Figure size>"})


def write(folder, *cells):
    """Write a notebook of Markdown (strings) and code cells; return its path."""
    cells = [nbformat.v4.new_markdown_cell(c) if isinstance(c, str) else c for c in cells]
    path = folder / "in.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def text_of(pdf):
    text = " ".join(page.extract_text() for page in pypdf.PdfReader(pdf).pages)
    return " ".join(text.replace("\xa0", " ").split())


def pages(notebook):
    """Return the pages of a notebook's report as arrays of grey values, (height, width) each."""
    build = notebook.parent / "pages"
    build.mkdir()
    block = report.TitleBlock("A. Student", "today")
    content = report.read_notebook(notebook)
    source = report.write_typst(content, notebook.parent, build, True, block)
    typst.compile(str(source), output=str(build / "{p}.png"), root=str(build), ppi=50)
    order = sorted(build.glob("[0-9]*.png"), key=lambda p: int(p.stem))
    return [plt.imread(path)[:, :, :3].mean(axis=2) for path in order]


def test_report_shows_what_a_reader_of_the_notebook_sees(tmp_path):
    cell = code(
        "x = 1  # shown",
        new_output("stream", name="stdout", text="a bar 10%\rdone\n\x1b[31mred\x1b[0m"),
        new_output("stream", name="stderr", text="never shown"),
        new_output("display_data", data={"text/plain": "<Figure size 640x480>"}),
        new_output("display_data", data={"text/html": "<table><tr><td>number</td></tr></table>"}),
    )
    path = write(tmp_path, r"# Title @ home" "\n\n" r"$c_t = f_t \odot c_{t-1}$", cell)
    pdf = report.convert(path, tmp_path / "deep" / "out.pdf", block=report.TitleBlock("Ann #1"))
    text = text_of(pdf)
    for shown in ("Title @ home", "Ann #1", "x = 1", "done", "red", "number", "1 / 2", "Contents"):
        assert shown in text
    for hidden in ("never shown", "a bar", "\x1b", "<Figure"):
        assert hidden not in text
    without = text_of(report.convert(path, tmp_path / "b.pdf", show_code=False))
    assert "x = 1" not in without and "done" in without


def test_cells_of_a_table_are_shown_as_they_are(tmp_path):
    shown = ["+ two directions", "- 3", "= heading", "/ term", "1. first", "# hash", "*star*", "#x"]
    rows = "".join(f"<tr><td>{text}</td><td>1</td></tr>" for text in shown)
    output = new_output("display_data", data={"text/html": f"<table>{rows}</table>"})
    path = write(tmp_path, "# T", code("table", output))
    text = text_of(report.convert(path, tmp_path / "out.pdf", show_code=False))
    for each in shown:
        assert each.replace("-", "\u2212") in text or each in text


@pytest.mark.parametrize("rows, pages", [(15, 1), (90, 3)])
def test_a_short_table_stays_on_one_page(tmp_path, rows, pages):
    """It begins below the middle of a page; a long one goes on over the pages."""
    cells = "".join(f"<tr><td>row{i}</td></tr>" for i in range(rows))
    output = new_output("display_data", data={"text/html": f"<table>{cells}</table>"})
    filler = "# T\n\n" + "\n\n".join(["A paragraph."] * 34)
    pdf = report.convert(write(tmp_path, filler, code("table", output)), tmp_path / "out.pdf")
    texts = [page.extract_text() for page in pypdf.PdfReader(pdf).pages]
    assert sum("row" in text for text in texts) == pages


def test_coloured_words_keep_their_ground(tmp_path):
    beliefs = {"LSTM-256": np.array([0.5, 0.99, 0.01])}
    coloured = widget.ColouredText(["so", "<b>", "#bad*"], beliefs)
    output = new_output("display_data", data={"text/html": coloured._repr_html_()})
    path = write(tmp_path, "# T", code("x", output))
    text = text_of(report.convert(path, tmp_path / "out.pdf"))
    assert "so <b> #bad*" in text and "LSTM-256" in text
    source = report.write_typst(
        report.read_notebook(path), tmp_path, tmp_path, False, report.TitleBlock()
    ).read_text()
    assert "fill: rgb(0, 114, 178, 98%)" in source and "fill: rgb(230, 120, 0, 98%)" in source


def test_figures_are_all_there_numbered_with_their_captions(tmp_path):
    (tmp_path / "drawn.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="72pt" height="36pt">'
        '<rect width="72" height="36"/></svg>'
    )
    source = "#| fig-cap: Loss of [all] cells.\nplot()"
    cells = [code(source, figure_output(width)) for width in (400, 500)]
    path = write(
        tmp_path, "# T", "![alternative](drawn.svg)\n\n*The cell, drawn.*\n\nMore.", *cells
    )
    pdf = report.convert(path, tmp_path / "out.pdf")
    text = text_of(pdf)
    assert "Figure 1: The cell, drawn." in text and "alternative" not in text
    assert "Figure 2: Loss of [all] cells." in text and "Figure 3: Loss of" in text
    assert "fig-cap" not in text and text.count("The cell, drawn.") == 1
    assert sum(len(page.images) for page in pypdf.PdfReader(pdf).pages) == 2  # the third is lines


def shown(folder, data):
    """Return the text of the report on one output, and how many figures it has."""
    cell = code("#| fig-cap: Drawn.\nx", new_output("display_data", data=data))
    pdf = report.convert(write(folder, "# T", cell), folder / "out.pdf", show_code=False)
    assert pdf.suffix == ".pdf"
    text = text_of(pdf)
    return text, text.count("Figure ")


@pytest.mark.parametrize("kind", ["jpeg", "svg+xml", "gif", "webp"])
def test_pictures_of_other_kinds_are_shown(tmp_path, kind):
    content = drawn(kind.removesuffix("+xml"))
    data = content.decode() if kind == "svg+xml" else base64.b64encode(content).decode()
    text, figures = shown(tmp_path, {f"image/{kind}": data, "text/plain": "<Figure size>"})
    assert "Figure 1: Drawn." in text and figures == 1 and "<Figure" not in text
    images = sum(len(page.images) for page in pypdf.PdfReader(tmp_path / "out.pdf").pages)
    assert images == (kind != "svg+xml")  # which is lines
    output = new_output("display_data", data={f"image/{kind}": data})
    assert "{width=40%}" in outputs.output_markdown(output, tmp_path)  # 400 of 1,000 points


def test_a_picture_in_two_kinds_is_shown_once(tmp_path):
    _, figures = shown(tmp_path, {"image/svg+xml": drawn("svg").decode(), "image/png": png()})
    assert figures == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"application/x_y*z": "a"}, "(An output of a kind that cannot be printed: application/x_"),
        (
            {"application/x+json": {"a": [1]}, "text/html": "<script>1</script>"},
            "x+json, text/html)",
        ),
        ({"text/html": "<iframe src='nowhere'></iframe>"}, "cannot be printed: text/html)"),
        ({"text/html": "<b>Nine</b> #words", "text/plain": "<IPython.X>"}, "Nine #words"),
        ({"text/latex": r"$\displaystyle \alpha$", "text/plain": "<IPython.X>"}, "𝛼"),
        ({"text/latex": "\\begin{align}\n\\beta\n\\end{align}"}, "𝛽"),
        ({"application/x": "a", "text/plain": "Box(3)"}, "Box(3)"),
    ],
)
def test_an_output_is_shown_in_some_form_or_mentioned(tmp_path, data, said):
    text, figures = shown(tmp_path, data)
    assert said in text and figures == 0 and "<IPython" not in text and "begin" not in text
    assert ("cannot be printed" in text) == ("application/x" in said or "text/html" in said)


@pytest.mark.parametrize("text", ["", "<Figure size 640x480>", "[<matplotlib.lines.Line2D>]"])
def test_what_is_only_a_name_is_left_out(tmp_path, text):
    data = {"text/plain": text} if text else {}
    output = new_output("display_data", data=data)
    assert outputs.output_markdown(output, tmp_path) == ""


def test_missing_pictures_are_said_and_attached_ones_shown(tmp_path):
    cell = nbformat.v4.new_markdown_cell("![there](attachment:a.png)\n\n![](nowhere/b.png)")
    cell.attachments = {"a.png": {"image/png": png()}}
    pdf = report.convert(write(tmp_path, "# T", cell), tmp_path / "out.pdf")
    assert "(Picture not found: nowhere/b.png)" in text_of(pdf)
    assert sum(len(page.images) for page in pypdf.PdfReader(pdf).pages) == 1


@pytest.mark.parametrize("name", ["my pic.png", "my%20pic.png", "größe.png"])
def test_a_picture_is_found_whatever_is_in_its_name(tmp_path, name):
    """Jupyter writes a blank as %20; a name may also have a % of its own."""
    (tmp_path / name).write_bytes(drawn())
    text = f"# T\n\n![]({quote(name) if ' ' in name else name})"
    pdf = report.convert(write(tmp_path, text), tmp_path / "out.pdf")
    assert "not found" not in text_of(pdf)
    assert sum(len(page.images) for page in pypdf.PdfReader(pdf).pages) == 1


def test_formulas_compile(tmp_path):
    inline = " ".join(f"${tex}$" for tex in TEX)
    display = "\n\n".join(f"$$\n{tex}\n$$" for tex in TEX)
    bare = "\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}"
    pdf = report.convert(write(tmp_path, "# T", inline, display, bare), tmp_path / "out.pdf")
    assert pdf.suffix == ".pdf"
    text = text_of(pdf)
    assert "\\" not in text and "$" not in text and "begin" not in text


def test_nothing_runs_off_the_page(tmp_path):
    wide = "|" + "|".join(f"column {i}" for i in range(12)) + "|\n" + "|---" * 12 + "|\n"
    wide += "|" + "|".join("some words to break" for _ in range(12)) + "|"
    frame = "<table><tr>" + "".join(f"<th>a long name {i}</th>" for i in range(12)) + "</tr>"
    frame += "<tr>" + "<td>0.123456</td>" * 12 + "</tr></table>"
    cells = [
        code("x = " + "long_name + " * 40, new_output("stream", name="stdout", text="word " * 400)),
        code("y", new_output("stream", name="stdout", text="x" * 3000)),
        code("z", new_output("display_data", data={"text/html": frame})),
        code(
            "#| fig-cap: Wide.\nw", new_output("display_data", data={"image/png": png(2400, 300)})
        ),
    ]
    for page in pages(write(tmp_path, "# T", wide, *cells)):
        margin = round(10 / 210 * page.shape[1])  # 10 mm of white are left at both sides
        assert page[:, :margin].min() > 0.99 and page[:, -margin:].min() > 0.99


@pytest.mark.parametrize("columns", [12, 13, 46])
def test_a_table_of_runs_is_cut_where_the_page_ends(tmp_path, columns):
    """As a student shows the results of an experiment, all columns of them."""
    heads = "".join(f"<th>test_accuracy_{i}</th>" for i in range(columns))
    body = "<th>0</th>" + "<td>gru-64-seed0-0123abcd</td>" + "<td>0.12345</td>" * (columns - 2)
    html = f"<table><thead><tr>{heads}</tr></thead><tbody><tr>{body}</tr></tbody></table>"
    output = new_output("display_data", data={"text/html": html})
    path = write(tmp_path, "# T", code("t", output))
    (page,) = pages(path)[1:]
    margin = round(10 / 210 * page.shape[1])
    assert page[:, :margin].min() > 0.99 and page[:, -margin:].min() > 0.99
    text = text_of(report.convert(path, tmp_path / "out.pdf")).replace("\u200b", "")
    assert ("(The first 12 columns.)" in text) == (columns > 12)
    assert text.count("0.12345") == 10


def test_a_notebook_that_stopped_says_so_on_page_one(tmp_path):
    error = new_output("error", ename="LabError", evalue='no "data" in #here', traceback=[])
    path = write(tmp_path, "# T", code("1"), code("2", error), code("3", run=False))
    first = pypdf.PdfReader(report.convert(path, tmp_path / "out.pdf")).pages[0].extract_text()
    assert "stopped at an error, in code cell 2" in first and '"data" in #here' in first
    path = write(tmp_path, "# T", code("1"), code("3", run=False))
    first = pypdf.PdfReader(report.convert(path, tmp_path / "out.pdf")).pages[0].extract_text()
    assert "Only 1 of the 2 code cells" in first
    path = write(tmp_path, "# T", code("1"))
    assert "code cell" not in text_of(report.convert(path, tmp_path / "out.pdf"))


def test_an_output_of_five_megabytes_is_cut(tmp_path):
    many = new_output("stream", name="stdout", text="a line of output\n" * 300_000)
    long = new_output("stream", name="stdout", text="x" * 5_000_000)
    path = write(tmp_path, "# T", code("1", many), code("2", long))
    pdf = report.convert(path, tmp_path / "out.pdf")
    assert "(299,880 lines left out)" in text_of(pdf) and pdf.stat().st_size < 1_000_000


def test_chinese_is_shown(tmp_path):
    path = write(tmp_path, "# 循环神经网络", "输入 $h_t$ 。", code("print('好')"))
    pdf = report.convert(path, tmp_path / "out.pdf")
    assert "循环神经网络" in text_of(pdf)
    fonts = pypdf.PdfReader(pdf).pages[0]["/Resources"]["/Font"].values()
    assert any("NotoSansCJK" in font.get_object()["/BaseFont"] for font in fonts)


@pytest.mark.parametrize("tool", ["typst", "pypandoc", "noto_cjk_sans_otc"])
def test_without_a_tool_there_is_a_page(tmp_path, monkeypatch, capsys, tool):
    monkeypatch.setitem(sys.modules, tool, None)
    path = write(tmp_path, "# T", "![x](figures/gru.svg)", code("1", figure_output()))
    written = report.convert(path, tmp_path / "out.pdf")
    page = written.read_text(encoding="utf-8")
    assert written.suffix == ".html" and len(re.findall(r'<img[^>]*src="data:image', page)) == 2
    said = capsys.readouterr().err
    assert tool in said and "requirements.txt" in said and "Traceback" not in said


def test_a_formula_that_typst_cannot_read_does_not_cost_the_report(tmp_path, capsys):
    path = write(tmp_path, "# T", "```{=typst}\n#nonsense(\n```")
    assert report.convert(path, tmp_path / "out.pdf").exists()
    assert "No PDF" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"[1, 2]", b'{"a": 1}'])
def test_what_is_no_notebook_is_one_sentence(tmp_path, monkeypatch, content):
    (tmp_path / "none.ipynb").write_bytes(content)
    monkeypatch.setattr(sys, "argv", ["report.py", str(tmp_path / "none.ipynb")])
    with pytest.raises(SystemExit, match="is not a notebook"):
        report.main()


def test_the_program_runs_in_any_folder_and_says_which_notebook_is_missing(tmp_path):
    program = [sys.executable, ROOT / "tools" / "students" / "report.py", "none.ipynb"]
    run = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True)
    assert (
        run.returncode == 1
        and "Traceback" not in run.stderr
        and "Run the notebook first" in run.stderr
    )


PARTS = ["new", "a folder", "file.py", "x" * 300, "..", ".", "学 Ö", "held.pdf", "closed"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(PARTS), max_size=4),
    st.sampled_from(["report.pdf", "held.pdf", "file.py", "..", ".", "closed"]),
    st.booleans(),
    st.booleans(),
)
def test_a_report_is_written_where_it_shall_be_or_one_sentence_says_why_not(
    parts, name, nowhere, without_typst
):
    """Whatever the place is: below a file, in a closed folder, a folder itself."""
    with tempfile.TemporaryDirectory() as above, pytest.MonkeyPatch.context() as patch:
        folder = Path(above, *"abcdef")  # the steps up end below the temporary folder
        for one in ("a folder", "held.pdf", "closed"):
            (folder / one).mkdir(parents=True)
        (folder / "file.py").write_text("kept")
        notebook = write(folder, "# T")
        opened = Path.open

        def refuse(self, mode="r", *arguments, **named):
            if "x" in mode and "closed" in self.parts:
                raise PermissionError(13, "Permission denied")
            return opened(self, mode, *arguments, **named)

        patch.setattr(Path, "open", refuse)
        page = SimpleNamespace(from_notebook_node=lambda *_: ("<p>", {}))
        patch.setattr("nbconvert.HTMLExporter", lambda **_: page)
        patch.setattr(report, "write_typst", lambda *_: notebook)
        patch.setattr(typst, "compile", lambda *_, **__: b"%PDF")
        if without_typst:
            patch.setitem(sys.modules, "typst", None)
        target = Path("/proc/zz" if nowhere else folder, *parts, name)
        patch.setattr(sys, "argv", ["report.py", str(notebook), str(target)])
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                report.main()
        except SystemExit as end:
            assert re.fullmatch(
                r"Cannot write .+: .+\. .*another place: report\.py NOTEBOOK PDF\. .*", end.code
            )
            assert "LAB2" not in end.code
        else:
            written = target.with_suffix(".html") if without_typst else target
            assert written.is_file() and f"Wrote {written}." in said.getvalue()
            assert "closed" not in written.parent.parts
        if name != "file.py":
            assert (folder / "file.py").read_text() == "kept"


@pytest.mark.parametrize("program", [report, my_report])
def test_a_notebook_that_one_may_not_read_is_one_sentence(tmp_path, monkeypatch, program):
    path = write(tmp_path, "# T")

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(sys, "argv", ["report.py", str(path), str(tmp_path / "a.pdf")])
    for barred in (["open"], ["open", "stat"]):  # the file, and the folder that it lies in
        with monkeypatch.context() as patch:
            for one in barred:
                patch.setattr(Path, one, refused)
            with pytest.raises(SystemExit, match=r"in\.ipynb cannot be read.*Permission denied"):
                program.main()


def test_the_labs_own_report(notebook, tmp_path):
    pdf = report.convert(ROOT / "lab2.ipynb", tmp_path / "out.pdf", show_code=False)
    assert pdf.suffix == ".pdf"
    text = text_of(pdf)
    drawn = [c for c in notebook.cells if "image/png" in str(c.get("outputs", ""))]
    described = [c for c in drawn if c.source.startswith("#| fig-cap: ")]
    assert described == drawn  # each figure has its caption
    numbers = {int(number) for number in re.findall(r"Figure (\d+):", text)}
    pictures = sum(
        len(re.findall(r"!\[", c.source)) for c in notebook.cells if c.cell_type == "markdown"
    )
    assert numbers == set(range(1, len(drawn) + pictures + 1))
    assert "Picture not found" not in text and np.all([len(text) > 20_000])


def test_a_pdf_that_another_program_holds_open_is_told(tmp_path, monkeypatch):
    """As on Windows: the old file must not be handed in for the new one."""

    def held(source, target):
        raise PermissionError(13, "Permission denied")

    path, pdf = write(tmp_path, "# T"), tmp_path / "out.pdf"
    pdf.write_bytes(b"old")
    monkeypatch.setattr(files, "replace", held)
    with pytest.raises(LabError, match=r"Cannot write out\.pdf"):
        report.convert(path, pdf)
    assert pdf.read_bytes() == b"old" and not pdf.with_suffix(".html").exists()


@pytest.mark.parametrize(
    "link",
    [
        "![p](@)",
        '![p](@ "a title")',
        "![p](<@>)",
        "![p][one]\n\n[one]: @",
        "![p][]\n\n[p]: <@> 'title'",
        "<img src='@' width=3>",
        '<img alt="x" src="@"/>',
        "* a list ![](@)\n* more",
        "words before\n![p](@)\nand behind",
        "[![p](@)](https://python.org)",
    ],
)
def test_a_picture_is_found_in_whatever_way_it_is_written(tmp_path, link):
    """In a file, pasted (an attachment), and in its own address, also one of 300 kB."""
    noise = np.random.default_rng(0).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    large = io.BytesIO()
    plt.imsave(large, noise, format="png")
    held = base64.b64encode(large.getvalue()).decode()
    assert len(held) > 300_000
    (tmp_path / "own.png").write_bytes(drawn())
    cells = ["# T"]
    for address in ("own.png", "attachment:a.png", f"data:image/png;base64,{held}"):
        cell = nbformat.v4.new_markdown_cell(link.replace("@", address))
        cell.attachments = {"a.png": {"image/png": png(300)}}
        cells.append(cell)
    pdf = report.convert(write(tmp_path, *cells), tmp_path / "out.pdf")
    assert pdf.suffix == ".pdf" and "Picture" not in text_of(pdf)
    assert sum(len(page.images) for page in pypdf.PdfReader(pdf).pages) == 3


BAD = {
    "cut.png": drawn()[:900],
    "none.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><g></svg>",
    "no.jpg": b"",
}


@pytest.mark.parametrize("name", BAD)
def test_a_picture_that_nobody_can_read_is_a_line_in_the_text(tmp_path, name, capsys):
    (tmp_path / name).write_bytes(BAD[name])
    (tmp_path / "good.png").write_bytes(drawn())
    held = base64.b64encode(BAD[name]).decode()
    kind = {"png": "image/png", "svg": "image/svg+xml", "jpg": "image/jpeg"}[name[-3:]]
    data = BAD[name].decode() if "svg" in kind else held
    cell = code("#| fig-cap: Mine.\nx", new_output("display_data", data={kind: data}))
    text = f"# T\n\nBefore.\n\n![p]({name})\n\n![good](good.png)\n\n![q](data:{kind};base64,{held})"
    pdf = report.convert(write(tmp_path, text, cell, "Behind."), tmp_path / "out.pdf")
    assert pdf.suffix == ".pdf" and capsys.readouterr().err == ""
    text = text_of(pdf)
    assert text.count("(Picture that cannot be read:") == 3 and "Before. " in text
    assert "Behind." in text and sum(len(page.images) for page in pypdf.PdfReader(pdf).pages) == 1


def test_signs_without_a_font_are_named_with_their_script(tmp_path, monkeypatch, capsys):
    compile_it = typst.compile
    only_ours = functools.partial(compile_it, ignore_system_fonts=True)
    monkeypatch.setattr(typst, "compile", only_ours)
    text = "# T\n\nαβγ привет 好 한국어 → ⇒ \u0e01\u0e02 \u0f40 \U0001f44d\U0001f3fd"
    report.convert(write(tmp_path, text), tmp_path / "out.pdf")
    said = capsys.readouterr().err
    assert "Thai: \u0e01 \u0e02" in said and "Tibetan: \u0f40" in said
    assert "emoji: \U0001f3fd \U0001f44d" in said
    assert not {*said} & {*"αβγприветた好한국어→"} and said.count("\n") == 1
    report.convert(write(tmp_path, "# T\n\nαβγ привет 好 한국어"), tmp_path / "out.pdf")
    assert capsys.readouterr().err == ""


def test_an_author_s_name_needs_no_language_of_the_system(tmp_path):
    program = [sys.executable, ROOT / "tools" / "students" / "report.py"]
    program += [write(tmp_path, "# T"), tmp_path / "学.pdf", "--author", "学生 Ö"]
    posix = {**os.environ, "LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    run = subprocess.run(program, env=posix, capture_output=True)
    assert run.returncode == 0 and "学生 Ö" in text_of(tmp_path / "学.pdf")


def test_an_error_is_short_on_the_terminal(tmp_path, monkeypatch, capsys):
    def fails(*arguments, **options):
        raise OSError("File name too long: " + "x" * 300_000)

    monkeypatch.setattr(typst, "compile", fails)
    written = report.convert(write(tmp_path, "# T"), tmp_path / "out.pdf")
    assert written.suffix == ".html" and len(capsys.readouterr().err) < 500


def test_a_widget_is_named_and_its_picture_shown(tmp_path):
    view = {outputs.WIDGET: {"model_id": "1"}, "text/plain": "LiveReview(children=(Text(), ))"}
    text, figures = shown(tmp_path, view)
    assert "LiveReview)" in text and "children" not in text and figures == 0
    page = {"text/html": f"<div><img src='data:image/png;base64,{png()}' width=3></div>"}
    assert shown(tmp_path, view | page)[1] == 1
    bar = {**view, "text/plain": " 50%|#####     | 5/10"}
    assert "5/10" in shown(tmp_path, bar)[0]


# Kinds of cells: what stands in one, with its own word W, and how many pictures it gives. The
# pictures lie beside the notebook (own.png), in the cell (attachment:a.png), or in the address.
TEXTS = {
    "W behind.": 0,
    "![W](own.png)": 1,
    '![](<own.png> "W") W': 1,
    "W ![x][r]\n\n[r]: attachment:a.png 'title'": 1,
    "[r]: nowhere.png\n\nW ![x][r]": 0,
    "* W\n* ![](attachment:a.png)": 1,
    "> W <img src='own.png'>": 1,
    "W ![x](data:image/png;base64,PNG)": 1,
    "W ![x](data:image/png;base64,AAAA)": 0,
    "W ![x](data:,no) ![](attachment:b.png) ![](https://nowhere/x.png)": 0,
    "W [a](#nowhere) [b]() [c](other.ipynb) [d](data:text/plain,x)": 0,
    "# W #hash": 0,
    "## W {#a}\n\n[a](#a)": 0,
    "W\n\n```python\nnever closed": 0,
    "```\nW <img src='own.png'> $x$": 1,
    "```\nW <img src='own.png'> $x$\n```": 0,
    "| a | W |\n|---|---|\n| $x | 2 |": 0,
    "W $\\frac{1$ \\begin{align} #let \\end": 0,
    "**W**\n\n*asked*\n\n*": 0,
    "W[^1] @someone <b>\n\n[^1]: note": 0,
    "W \ud800 \x00 \x1b \u200f \U0001f44d\U0001f3fd \u0e01": 0,
    "": 0,
}
SHOWN = {
    "none": 0,
    '{"output_type": "stream", "text": ["W", " \\u0000"]}': 0,
    '{"output_type": "stream", "name": "stdout"}': 0,
    '{"output_type": "error"}': 0,
    '{"output_type": "error", "ename": "W", "evalue": "``` #x", "traceback": []}': 0,
    '{"output_type": "display_data"}': 0,
    '{"output_type": "display_data", "data": {"image/png": "PNG"}}': 1,
    '{"output_type": "display_data", "data": {"image/png": ["PNG", "\\n"]}}': 1,
    '{"output_type": "display_data", "data": {"image/png": "AAAA"}}': 0,
    '{"output_type": "display_data", "data": {"image/svg+xml": "<svg W"}}': 0,
    '{"output_type": "display_data", "data": {"text/markdown": "W ```\\n![x](own.png)"}}': 1,
    '{"output_type": "display_data", "data": {"text/html": "<table><tr><td>W"}}': 0,
    '{"output_type": "display_data", "data": {"text/latex": "$W"}}': 0,
    '{"output_type": "update_display_data", "data": {"text/plain": "W"}}': 0,
}


@st.composite
def notebooks(draw):
    """Draw the cells of a notebook as JSON, the words in it, and the number of its pictures."""
    cells, words, count = [], [], 0
    for number in range(draw(st.integers(1, 12))):
        word, kind = f"word{number}end", draw(st.sampled_from([*TEXTS, *SHOWN]))
        held = kind.replace("W", word).replace("PNG", png(30))
        count += (TEXTS | SHOWN)[kind]
        words += [word] if "W" in kind and "<svg" not in kind else []
        if kind in TEXTS:
            pasted = {"a.png": {"image/png": png(30)}, "b.png": draw(st.sampled_from([{}, None]))}
            cells.append({"cell_type": "markdown", "source": held, "attachments": pasted})
        else:
            cell = {"cell_type": "code", "source": [f"x = '{word}'\n", "#| fig-cap: [a] *b"]}
            cells.append(cell if kind == "none" else cell | {"outputs": [json.loads(held)]})
            words.append(word)
    return cells, words, count


@settings(max_examples=20, deadline=None, derandomize=True)
@given(notebooks())
def test_there_is_always_a_pdf_with_each_text_and_each_good_picture(made):
    cells, words, count = made
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "own.png").write_bytes(drawn("png", 30))
        (folder / "in.ipynb").write_text(json.dumps({"cells": cells}))
        pdf = report.convert(folder / "in.ipynb", folder / "out.pdf")
        assert pdf.suffix == ".pdf"
        text = re.sub(r"[\s\u200b]", "", unicodedata.normalize("NFKC", text_of(pdf)))
        assert [word for word in words if word not in text] == []
        # one picture that stands in several places is one object of the file
        source = Path(tempfile.mkdtemp(dir=folder))
        content = report.read_notebook(folder / "in.ipynb")
        typ = report.write_typst(content, folder, source, True, report.TitleBlock())
        assert len(re.findall(r'image\("[^"]*\.png"', typ.read_text("utf-8"))) == count


def test_the_name_of_an_index_stands_in_one_row_with_the_columns():
    frame = pd.DataFrame({"a": [1], "b": [2]}, index=pd.Index(["x"], name="claim"))
    head = outputs.TABLE_HEAD.sub(outputs.in_one_row, frame.to_html())
    assert head.count("<tr") == 2 and re.findall(r"<th>(\w+)</th>", head) == [*"", "claim", *"abx"]
    named = frame.rename_axis(columns="both").to_html()  # two names need two rows
    assert outputs.TABLE_HEAD.sub(outputs.in_one_row, named) == named


def test_code_of_a_hundred_signs_stands_in_one_line(tmp_path):
    line = "x = " + "ab + " * 19 + "c"
    assert len(line) == 100
    pdf = report.convert(write(tmp_path, "# T", code(line)), tmp_path / "out.pdf")
    assert line in "\n".join(p.extract_text() for p in pypdf.PdfReader(pdf).pages).split("\n")


@pytest.mark.parametrize("lines", range(36, 52, 3))
def test_a_heading_in_bold_keeps_with_its_text(tmp_path, lines):
    filler = "# T\n\n" + "\n\n".join(["A paragraph."] * lines)
    answer = "**Answer traps**\n\n*What is asked?*\n\nThe text."
    pdf = report.convert(write(tmp_path, filler, answer), tmp_path / "out.pdf")
    pages = [page.extract_text() for page in pypdf.PdfReader(pdf).pages]
    (page,) = [page for page in pages if "Answer traps" in page]
    assert "What is asked?" in page and "The text." in page


def fonts_of(pdf):
    fonts = [page["/Resources"].get("/Font", {}) for page in pypdf.PdfReader(pdf).pages]
    return {
        str(f.get_object()["/BaseFont"]).split("+")[-1] for each in fonts for f in each.values()
    }


def test_chinese_has_one_font_for_its_own_and_for_latin_words(tmp_path, monkeypatch):
    """And what is bold has one of its own."""
    monkeypatch.setenv("LAB2_LANGUAGE", "en")  # what the report sets is put back afterwards
    path = write(
        tmp_path, "# 门控 GRU\n\n*记忆元*和 LSTM，**更新门** gate，*Large* 2.5%。\n\n## 一 One"
    )
    english = report.convert(path, tmp_path / "en.pdf")
    assert any("Libertinus" in font for font in fonts_of(english))
    notebook = nbformat.read(path, 4)
    notebook.metadata["lab2"] = {"language": "zh"}
    nbformat.write(notebook, path)
    chinese = report.convert(path, tmp_path / "zh.pdf")
    fonts, text = fonts_of(chinese), text_of(chinese)
    assert {font.split("-")[0] for font in fonts} <= {"NotoSansCJKsc", "NotoSansCJKjp"}
    assert any(font.startswith("NotoSansCJKjp-Bold") for font in fonts)
    assert "记忆元和 LSTM" in text and "目录" in text  # with dots below, and still text


@pytest.mark.parametrize("height", [300, 500, 700])
def test_the_text_goes_on_where_a_figure_has_no_place(tmp_path, height):
    """The figure of a lab's report goes to the next page; the text behind it stays on this."""
    tall = new_output("display_data", data={"image/png": png(600, height)})
    above = ["## S\n\n" + "\n\n".join(f"Line {i}." for i in range(26))]
    below = [f"Behind {i}." for i in range(40)]
    path = write(tmp_path, "# T", *above, code("#| fig-cap: Tall.\nx", tall), *below)
    first = pages(path)[1]  # behind the contents
    rows = (first[: int(len(first) * 0.93)] < 0.9).any(axis=1).nonzero()[0]
    assert rows[-1] > 0.88 * len(first)


def test_a_text_with_long_code_is_not_stretched_to_the_margin(tmp_path):
    long, short = "`" + "c" * 30 + "`", "`c`"
    texts = [f"A {short} b.", f"A {long} b.", f"* A {long}", f"* A {short}", f"    {long}"]
    path = write(tmp_path, "# T", *texts)
    content, block = report.read_notebook(path), report.TitleBlock()
    source = report.write_typst(content, tmp_path, tmp_path, True, block).read_text("utf-8")
    ragged = re.findall(r"(?s)#\[#set par\(justify: false\)\n(.*?)\n\]\n", source)
    assert len(ragged) == 2 and all("c" * 30 in text for text in ragged)
