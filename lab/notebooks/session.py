"""What the notebook's kernel gets: a stop in one line, and back what a restart has taken away."""

from __future__ import annotations

import contextlib
import io
import linecache
import os
import re
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from IPython import get_ipython

from lab import config
from lab.analysis import style, tables
from lab.base.messages import Message, _
from lab.config import LabError
from lab.exercises import answer_cells, signs
from lab.exercises.catalogue import ASKED
from lab.exercises.help import names
from lab.notebooks import loader

SECTION = re.compile(r"(?m)^## (\d+) ")
HEAD = re.compile(r"(?m)^resume\(\)")  # of the cell from which one goes on
STOPPED = _("Stopped. Run the cell again; trainings that were finished before are not repeated.")


def begin(notebook: str = "lab2.ipynb") -> None:
    """Set the look of figures, and let a kernel speak to who works in it.

    A cell that the reader stops ends in a sentence, and not in a page of our code; so does one with
    signs that Python does not know. Where a name of the notebook's is overwritten, that is said at
    once.
    """
    shell = get_ipython()
    if getattr(shell, "kernel", None) and "inline" not in plt.get_backend():
        shell.enable_matplotlib("inline")  # MPLBACKEND=Agg, as on servers, would show no figure
    style.use_theme()
    if shell:
        tables.show_heads(shell)
        shell.set_custom_exc((KeyboardInterrupt, SyntaxError), _say_in_a_sentence)
        names.watch(notebook)


def _say_in_a_sentence(
    shell: Any, kind: Any, error: Any, trace: Any, tb_offset: Any = None
) -> None:
    """Show a stop, or a cell with signs of another keyboard; other errors of syntax as ever."""
    frames = traceback.extract_tb(trace)
    is_the_cell_s = any(frame.name == "ast_parse" for frame in frames)  # IPython reads it there
    if not isinstance(error, SyntaxError):
        shell.showtraceback((LabError, LabError(STOPPED), None))
    elif is_the_cell_s and (slip := signs.slip("".join(linecache.getlines(error.filename)))):
        shell.showtraceback((LabError, LabError(slip.told()), None))
    else:
        shell.showsyntaxerror(running_compiled_code=not is_the_cell_s)


def resume() -> None:
    """Bring back, after a restart, what the cells from the one that calls this on need.

    Run again are, of the cells above it, as the notebook's file has them: those that give the names
    which are needed, the answers, and their checks. They show nothing, and train nothing. Where all
    is there already, nothing happens. Of what stands below, it says what is to be run.
    """
    shell = get_ipython()
    path = _notebook(shell)
    notebook = answer_cells.read(path)
    cells = [cell for cell in notebook["cells"] if cell.get("cell_type") == "code"]
    sources = [shell.transform_cell(answer_cells.source_of(cell)) for cell in cells]
    here = next((place for place, source in enumerate(sources) if HEAD.search(source)), None)
    if here is None:
        raise LabError(
            _("{file} has no cell with resume(). Run all cells from the top.", file=path.name)
        )
    found = answer_cells.find(cells[:here])
    answers = {one.place: name for name, ones in found.items() for one in ones}
    edition = answer_cells.edition_of(notebook).get("cells")
    own = {i for i, cell in enumerate(cells) if edition and cell.get("id") not in edition}
    needed = _needed(sources, here, answers, own - set(answers))
    if all(name in shell.user_ns for names in needed.values() for name in names):
        return
    print(_("One moment: data, definitions and your answers are brought back."))
    lost = []
    for place, source in enumerate(sources[:here]):
        if place in needed:
            _run(shell, source)
        elif place in answers or source.startswith("check("):
            try:
                _run(shell, source)
            except (Exception, SystemExit):  # whatever an answer does, the lab goes on without it
                lost.append(answers.get(place, "check"))
    written = answer_cells.nonempty(cells[:here]).keys() - set(lost)
    print(
        _("Back: {cells} cells of the lab, {answers} written answers.",
          cells=len(needed), answers=len(written))
    )  # fmt: skip
    if lost:
        print(_("Not back, for they stop at an error: {names}.", names=lost))
    print(_("Go on below."), *_to_run(notebook["cells"], here, shell.user_ns), sep="\n")


def _to_run(cells: Sequence[dict[str, Any]], here: int, known: dict[str, Any]) -> list[Message]:
    """Return in lines which sections below the cell of code `here` are to be run, and why."""
    sections, sources, section = [], [], ""
    for cell in cells:
        source = answer_cells.source_of(cell)
        if cell.get("cell_type") == "code":
            sections.append(section)
            sources.append(source)
        elif found := SECTION.search(source):
            section = found[1]
    code = [cell for cell in cells if cell.get("cell_type") == "code"]
    below = {
        name: sections[one.place]
        for name, one in answer_cells.nonempty(code).items()
        if one.place > here and ASKED[name].by_machine and ASKED[name].name not in known
    }
    needs = _needs(sections[here + 1 :], sources[here + 1 :])
    lines = [
        _("Run section {one} before {others}.", one=one, others=others)
        for one, others in needs.items()
    ]
    if below:
        lines.append(
            _("check() does not count {answers} answers that are written below until you run their "
              "cells again: sections {sections}.",
              answers=len(below), sections=list(dict.fromkeys(below.values())))
        )  # fmt: skip
    return lines


def _needs(sections: Sequence[str], sources: Sequence[str]) -> dict[str, list[str]]:
    """Return which later sections need each section's names: section -> others."""
    giver: dict[str, str] = {}
    needs: dict[str, list[str]] = {}
    for section, source in zip(sections, sources, strict=True):
        gives, reads = answer_cells.names(source)
        for one in {giver.get(name, section) for name in reads} - {section}:
            if section not in needs.setdefault(one, []):
                needs[one].append(section)
        giver |= dict.fromkeys(gives, section)
    return needs


def _notebook(shell: Any) -> Path:
    """Return the notebook of this kernel, as VS Code or Jupyter tells; else the lab's own."""
    told = shell.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME", "")
    path = Path(told)
    return path if path.is_file() else loader.renamed(config.ROOT / "lab2.ipynb")


def _needed(
    sources: list[str], here: int, answers: dict[int, str], own: set[int]
) -> dict[int, set[str]]:
    """Return the cells before `here` that the others need: place -> the names that they give.

    own: the reader's cells, which answers may need; no other cell is run for the sake of an answer
    """
    known: set[str] = set()
    needed: set[str] = set()
    for source in sources[here:]:
        gives, reads = answer_cells.names(source, later=True)
        needed |= reads - known
        known |= gives
    by_answers, chosen = set(), {}
    for place in reversed(range(here)):
        gives, reads = answer_cells.names(sources[place], later=True)
        if place in answers:
            by_answers |= reads
        elif names := gives & (needed | by_answers if place in own else needed):
            chosen[place] = names
            needed = needed - gives | reads
    return chosen


def _run(shell: Any, source: str) -> None:
    """Run a cell's source in the notebook's names without a word; its source can be found again."""
    code = compile(source, shell.compile.cache(source), "exec")
    with contextlib.redirect_stdout(io.StringIO()):
        shell.ex(code)
