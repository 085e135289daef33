"""Migrate a student's work from an older edition of the lab into a new one.

    python migrate.py OLD

in the new edition's folder; OLD is the old folder, or one old notebook. Answers go into the new
lab2.ipynb and the notebooks of further/; of each the copy before that is kept, as lab2.before.ipynb
say, and next time as lab2.before.2.ipynb. Cells of the student's own go in front of the answer that
came after them, if all is there that they need. Finished runs come along, so that nothing is
trained again whose training did not change. What stays behind is named. The old folder stays as it
is.
"""

from __future__ import annotations

import builtins
import contextlib
import copy
import json
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the lab, from any folder

from lab import config
from lab.base import files
from lab.base.messages import Message, _, reason
from lab.config import LabError
from lab.exercises import answer_cells
from lab.exercises.catalogue import ASKED
from lab.notebooks import loader

NOTEBOOK = "lab2.ipynb"
LAST = ("state.pt", "result.json")  # what says that a run has begun, and that it is finished

Cell = dict[str, Any]


def migrate_notebook(old: Path, new: Path) -> list[Message]:
    """Put the answers of an old notebook into a new one; return what was done, in sentences.

    An answer that stands in the new notebook already is not overwritten. Raises LabError if one of
    the two cannot be read, or the new one cannot be written.
    """
    content, before = answer_cells.read(new), answer_cells.read(old)
    cells = content["cells"]
    untouched = copy.deepcopy(cells)
    own = own_cells(before, cells)
    count, messages = insert_answers(old, before["cells"], new, cells)
    messages += changed_questions(before, content)
    left = insert_own_cells(own, cells)
    if cells != untouched:
        copy_whole(new, _unused_name(new))
        text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        files.write_atomically(new, text.encode("utf-8"))
    if inserted := len(own) - len(left):
        messages.append(
            _("Cells of your own taken over, before the next answer: {number}.", number=inserted)
        )
    if left:
        lines = [answer_cells.source_of(cell).strip().split("\n")[0][:50] for cell in left]
        messages.append(
            _(
                "Cells of your own not taken over: {number}: {lines}. See {notebook}.",
                number=len(left),
                lines=[*map(repr, lines)],
                notebook=old,
            )
        )
    if changed := _changed(before["cells"], cells):
        messages.append(
            _(
                "Not taken over into {notebook}, as they hold no answer, but different: {cells}.",
                notebook=new.name,
                cells=changed,
            )
        )
    return [
        _("{number} answers taken over into {notebook}.", number=count, notebook=new),
        *messages,
    ]


def _unused_name(notebook: Path) -> Path:
    """Return where a copy of a notebook is kept, so that no earlier copy is overwritten."""
    numbers = ("", *(f".{count}" for count in range(2, 1000)))
    names = (notebook.with_name(f"{notebook.stem}.before{number}.ipynb") for number in numbers)
    return next(path for path in names if not path.exists())


# ── Answers ─────────────────────────────────────────────────────────────────────────────────────


def insert_answers(
    old: Path, before: list[Cell], new: Path, cells: list[Cell]
) -> tuple[int, list[Message]]:
    """Put old answers into the new cells; return how many, and what else there is to say."""
    own, count, messages, stays = answer_cells.find(cells), 0, [], []
    for name, one in answer_cells.nonempty(before).items():
        exercise = ASKED[name]
        if name not in own:
            messages.append(
                _("{name}: is no longer asked in {notebook}. The answer stays in {old}.",
                  name=name, notebook=new.name, old=old)
            )  # fmt: skip
            continue
        empty = own[name][0]
        if not answer_cells.is_empty(empty.source, exercise, empty.question):
            stays.append(name)
            continue
        filled = answer_cells.fill(empty.source, one.source, exercise, one.question)
        if filled != empty.source:
            cells[empty.place]["source"] = filled.splitlines(keepends=True)
        if pictures := before[one.place].get("attachments"):
            cells[empty.place]["attachments"] = pictures
        if exercise.kind != "text" and (line := answer_cells.unreadable(one.source)):
            messages.append(
                _(
                    "{name}: Python cannot read your old answer (line {line} of its cell). It "
                    "stands in the new cell as comments; mend it there.",
                    name=name,
                    line=line,
                )
            )
            continue
        count += 1
        if answer_cells.asks_for_another(empty.source, one.source, exercise, one.question):
            messages.append(
                _(
                    "{name}: asks for something else now. Your old answer is there; look at it.",
                    name=name,
                )
            )
    if stays:
        messages.append(_("Answered here already, and left as they are: {names}.", names=stays))
    return count, messages


def changed_questions(before: Cell, after: Cell) -> list[Message]:
    """Say of which numbers, choices and predictions that were answered the question has changed.

    before, after: notebooks; in two languages all texts differ, and nothing is said
    """
    languages = {answer_cells.edition_of(one).get("language", "") for one in (before, after)}
    if len(languages) > 1:
        return []
    given = answer_cells.edition_of(before).get("cells")  # a text of the reader's asks nothing
    cells = [cell for cell in before["cells"] if not given or cell.get("id") in given]
    old, new = map(answer_cells.questions, (cells, after["cells"]))
    answered = answer_cells.nonempty(before["cells"])
    return [
        _(
            "{name}: the question has changed, {where!r}. Your old answer is there; look at it.",
            name=name,
            where=where,
        )
        for name, (where, text) in new.items()
        if name in answered and old.get(name, ("", text))[1] != text
    ]


# ── Other cells ─────────────────────────────────────────────────────────────────────────────────


def own_cells(before: Cell, new: list[Cell]) -> list[tuple[Cell, str]]:
    """Return the cells that a student has made, each with the answer that comes after it.

    No answer ("") where that is not sure: if the old notebook does not tell which cells its edition
    had, and for a second cell with one answer, of which the last was taken.
    """
    cells, edition = before["cells"], answer_cells.edition_of(before).get("cells")
    edition = edition if isinstance(edition, list) else []  # the ids when it was given out
    ids, sources = {cell.get("id") for cell in new}, {answer_cells.source_of(cell) for cell in new}
    at = {one.place: (name, one) for name, ones in answer_cells.find(cells).items() for one in ones}
    answers = answer_cells.nonempty(cells).values()
    own, after = [], ""
    for place, cell in reversed(list(enumerate(cells))):
        source, known = answer_cells.source_of(cell), cell.get("id")
        if place in at:
            after, one = at[place]
            if one not in answers and not answer_cells.is_empty(source, ASKED[after], one.question):
                own.append((cell, ""))
        elif source.strip() and known not in ids and source not in sources:
            asks = answer_cells.exercise_metadata(cell)  # for what no edition knows any more
            if asks or known not in edition:
                own.append((cell, after if known and edition and not asks else ""))
    return own[::-1]


def insert_own_cells(own: list[tuple[Cell, str]], cells: list[Cell]) -> list[Cell]:
    """Put a student's cells in front of the answers after them; return those that must stay."""
    known = {*dir(builtins), "display", "get_ipython"}
    at = {ones[0].place: name for name, ones in answer_cells.find(cells).items()}
    left, result = [one[0] for one in own], []
    for place, cell in enumerate(cells):
        for one in [one for one, after in own if after == at.get(place)]:
            if _runs(one, known):
                result.append(_bare(one))
                left.remove(one)
                known |= answer_cells.names(answer_cells.source_of(one))[0]
        result.append(cell)
        known |= answer_cells.names(answer_cells.source_of(cell))[0]
    cells[:] = result
    return left


def _runs(cell: Cell, known: set[str]) -> bool:
    """Say whether a cell will not stop a notebook in which some names are known."""
    if cell.get("cell_type") != "code":
        return True
    source = answer_cells.source_of(cell)
    if any("ename" in output for output in cell.get("outputs") or []):
        return False
    return not answer_cells.unreadable(source) and answer_cells.names(source)[1] <= known


def _bare(cell: Cell) -> Cell:
    """Return a cell without outputs and tags."""
    kept = {k: v for k, v in cell.items() if k in ("cell_type", "id", "source", "attachments")}
    code = {"execution_count": None, "outputs": []} if cell.get("cell_type") == "code" else {}
    return {**kept, "metadata": {}, **code}


def _changed(old: list[Cell], new: list[Cell]) -> list[str]:
    """Return the ids of cells of code without an answer whose source is not the same in both."""
    before, after = map(_plain_code, (old, new))
    return [str(i) for i, source in before.items() if after.get(i, source) != source]


def _plain_code(cells: list[Cell]) -> dict[str, str]:
    """Return the cells of code without an answer: id -> source."""
    code = [cell for cell in cells if cell.get("cell_type") == "code"]
    return {c.get("id"): answer_cells.source_of(c) for c in code if not answer_cells.find([c])}


# ── Runs ────────────────────────────────────────────────────────────────────────────────────────


def copy_runs(old: Path, new: Path, output: Path | None = None) -> list[Message]:
    """Copy the finished runs, tables and figures of an old data folder that the new one lacks.

    output: the folder where the lab looks for these, if it is not the new data folder
    Raises LabError where a file cannot be copied; the next call goes on from there.
    """
    output = output or new
    runs = sorted(path for path in (old / "runs").glob("*") if path.is_dir())
    copied = sum(_copy_run(run, output / "runs" / run.name) for run in runs)
    for path in _kept(old.rglob("*")):
        place = path.relative_to(old)
        is_table = len(place.parts) == 1 and path.suffix in (".csv", ".npz")
        is_result = is_table or place.parts[0] in ("runs", "figures")
        target = (output if is_result else new) / place
        if path.parent not in runs and not target.exists():
            copy_whole(path, target)
            copied += 1
    return [_("{number} files of finished runs copied.", number=copied)] if copied else []


def _copy_run(run: Path, target: Path) -> int:
    """Copy the files of a run, all or none; return how many.

    Of two that are not finished, and of two that are, the new folder's own goes on. What says that
    a run is finished comes last, so that a copy that was stopped is made again.
    """
    own = _kept(run.iterdir())
    begun, finished = ((target / name).exists() for name in LAST)
    if finished or (begun and run / LAST[1] not in own):
        return 0
    (target / LAST[0]).unlink(missing_ok=True)
    for path in sorted(own, key=lambda path: path.name in LAST):
        copy_whole(path, target / path.name)
    return len(own)


def _kept(paths: Iterable[Path]) -> list[Path]:
    """Return those of some paths that are files, but for locks and parts of files."""
    kept = (path for path in paths if path.name != "lock" and path.suffix != ".part")
    return sorted(path for path in kept if path.is_file())


def copy_whole(path: Path, target: Path) -> None:
    """Copy a file so that the other is there whole or not at all. Raises LabError."""
    part = target.with_name(f".{target.name}-copy.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, part)
        files.replace(part, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise LabError(
            _(
                "Cannot copy {path} to {folder}: {reason}. Mend that, and run this again: it goes "
                "on from here.",
                path=path,
                folder=target.parent,
                reason=reason(error),
            )
        ) from error


# ── The command ─────────────────────────────────────────────────────────────────────────────────


def pairs_of(old: Path) -> list[tuple[Path, Path]]:
    """Return the notebooks of an old folder, each with the new one that it goes into.

    A single notebook goes into the one of its name, and else into lab2.ipynb.
    """
    electives = {path.name: path for path in _notebooks(ROOT / "further")}
    new = loader.renamed(ROOT / NOTEBOOK)
    if not old.is_dir():
        return [(old, electives.get(old.name, new))]
    there = [path for path in _notebooks(old / "further") if path.name in electives]
    first = loader.renamed(old / NOTEBOOK)
    return [(first, new), *((path, electives[path.name]) for path in there)]


def _notebooks(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.ipynb")) if ".before" not in path.suffixes]


def migrate_elective(old: Path, new: Path) -> list[Message]:
    """As `migrate_notebook`; of a notebook in which there was nothing to take, nothing is said."""
    messages = migrate_notebook(old, new)
    return messages[messages[0].startswith("0 ") :]


def stay_behind(old: Path) -> list[Message]:
    """Say which notebooks in an old folder's further/ this edition does not have."""
    known = {path.name for path in _notebooks(ROOT / "further")}
    return [
        _("{path} is no notebook of this edition. It stays there.", path=path)
        for path in _notebooks(old / "further")
        if path.name not in known
    ]


def main() -> int:
    """Read the command line, and migrate; return the exit status."""
    if len(sys.argv) != 2:
        print(_("Which folder? python migrate.py OLD-FOLDER"), file=sys.stderr)
        return 1
    old = Path(sys.argv[1])
    first, *others = pairs_of(old)
    if first[0].resolve() == first[1].resolve():
        own = _("{path} is this folder's own notebook. Name the older one.", path=first[0])
        print(own, file=sys.stderr)
        return 1
    inside = old if old.is_dir() else old.parent
    data = (inside.parent if inside.name == "further" else inside) / "data"
    return max(
        _carry_out(migrate_notebook, *first),
        *(_carry_out(migrate_elective, *pair) for pair in others),
        _carry_out(stay_behind, old),
        _carry_out(copy_runs, data, config.data_folder(), config.output_folder()),
    )


def _carry_out(step: Callable[..., list[Message]], *arguments: Path) -> int:
    """Print what a step says that it has done, or why it could not; return the exit status."""
    try:
        print("".join(f"{line}\n" for line in step(*arguments)), end="")
    except (LabError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
