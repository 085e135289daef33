"""Take a student's answers over from an older edition of the lab into a new one.

    python take_over.py OLD

in the new edition's folder; OLD is the old folder, or the old notebook. Answers go into the new
lab2.ipynb, whose copy before that is kept as lab2.before.ipynb, and finished runs come along, so
that nothing is trained again whose training did not change. The old folder stays as it is.

Imports `lab/answers.py`, `lab/config.py`, `lab/exercises.py` and `lab/files.py`.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the lab, from any folder

from lab import answers, config, files
from lab.config import LabError
from lab.exercises import ASKED

NOTEBOOK = "lab2.ipynb"


def take_over(old: Path, new: Path) -> list[str]:
    """Put the answers of an old notebook into a new one; return what was done, in sentences.

    An answer that stands in the new notebook already is not overwritten. Raises LabError if one of
    the two cannot be read.
    """
    content, before = answers.read(new), answers.read(old)
    found = answers.find(before["cells"])
    own = answers.find(content["cells"])
    taken, said, stays = 0, [], []
    for name, ones in own.items():
        exercise, empty = ASKED[name], ones[0]
        written = [
            one.source for one in found.pop(name, []) if not answers.is_empty(one.source, exercise)
        ]
        if not written:
            continue
        if not answers.is_empty(empty.source, exercise):
            stays.append(name)
            continue
        if answers.asks_for_another(empty.source, written[-1], exercise):
            said.append(
                f"{name}: asks for something else now. Your old answer is there; look at it."
            )
        filled = answers.fill(empty.source, written[-1], exercise)
        content["cells"][empty.place]["source"] = filled.splitlines(keepends=True)
        taken += 1
    if stays:
        said.append(f"Answered here already, and left as they are: {', '.join(stays)}.")
    said += [f"{name}: is no longer asked. The answer stays in {old}." for name in found]
    if taken:
        shutil.copyfile(new, new.with_name("lab2.before.ipynb"))
        text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        files.write_atomically(new, text.encode("utf-8"))
    if changed := _changed(before["cells"], content["cells"]):
        said.append(f"Not taken over, as they hold no answer, but different: {', '.join(changed)}.")
    return [f"{taken} answers taken over into {new}.", *said]


def _changed(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[str]:
    """Return the ids of cells of code without an answer whose source is not the same in both."""
    places = [
        {c.get("id"): answers.source_of(c) for c in cells if _is_given(c)} for cells in (old, new)
    ]
    return [str(i) for i, source in places[0].items() if places[1].get(i, source) != source]


def _is_given(cell: dict[str, Any]) -> bool:
    return cell.get("cell_type") == "code" and not answers.find([cell])


def take_runs(old: Path, new: Path) -> list[str]:
    """Copy the finished runs, tables and figures of an old data folder that the new one lacks."""
    copied = 0
    for path in sorted(old.rglob("*")) if old.is_dir() else []:
        target = new / path.relative_to(old)
        if path.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            copied += 1
    return [f"{copied} files of finished runs copied."] if copied else []


def main() -> int:
    """Read the command line, and take over; return the exit status."""
    if len(sys.argv) != 2:
        print("Which folder? python take_over.py OLD-FOLDER", file=sys.stderr)
        return 1
    old = Path(sys.argv[1])
    notebook = old / NOTEBOOK if old.is_dir() else old
    new = ROOT / NOTEBOOK
    if notebook.resolve() == new.resolve():
        print(f"{notebook} is this folder's own notebook. Name the older one.", file=sys.stderr)
        return 1
    try:
        said = take_over(notebook, new)
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    said += take_runs(notebook.parent / "data", config.data_folder())
    print("\n".join(said))
    return 0


if __name__ == "__main__":
    sys.exit(main())
