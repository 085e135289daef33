"""Which hand-ins of a class are alike, or like those of earlier years, or like the solved lab."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from grading import graded, key, marking, similarity, submissions
from grading.graded import Graded
from grading.similarity import Alike, Forms
from lab.base.messages import languages
from lab.config import LabError
from lab.exercises import answer_cells
from lab.exercises.catalogue import ASKED


def of_a_class(everybody: Sequence[Graded], earlier: Mapping[str, Forms]) -> list[Alike]:
    """Return what `similarity.find` has of a class; earlier: name of a hand-in -> its forms."""
    forms = {one.name: one.result.forms for one in everybody if one.result.forms}
    present = key.present()
    own = marking.forms_of(key.solved(), present)
    given = {name: similarity.form(one.stub, ASKED[name].kind) for name, one in present.items()}
    return similarity.find(forms, own, given, earlier)


def earlier(folder: Path) -> dict[str, Forms]:
    """Return the forms of earlier hand-ins, by name: of results that were kept, or of a folder.

    Raises LabError if there are none.
    """
    if not folder.exists():
        raise LabError(f"There is no {folder}. Name a folder of old hand-ins, or of old grades.")
    found = _kept(folder) if (folder / "kept").is_dir() else _handed_in(folder)
    if not found:
        raise LabError(f"{folder} holds neither hand-ins nor results that were kept.")
    return {f"{folder.name}: {name}": forms for name, forms in found.items()}


def _kept(folder: Path) -> dict[str, Forms]:
    """Return the forms in a folder of grades."""
    names = {}
    if (folder / "grades.csv").is_file():
        with (folder / "grades.csv").open(encoding="utf-8", newline="") as file:
            names = {row.get("sha256"): row.get("student") for row in csv.DictReader(file)}
    results = {path.stem: graded.kept(path) for path in sorted((folder / "kept").glob("*.json"))}
    return {names.get(r.sha256) or stem: r.forms for stem, r in results.items() if r and r.forms}


def _handed_in(folder: Path) -> dict[str, Forms]:
    """Return the forms of the hand-ins in a folder; its questions may have been others."""
    keys = {language: key.present(language) for language in languages()}
    found = {}
    for one in submissions.find(folder):
        notebook = submissions.whole_of(one)
        answers = answer_cells.nonempty(notebook.cells or [])
        right = keys[notebook.language]
        sources = {name: a.source for name, a in answers.items() if name in right}
        if forms := marking.forms_of(sources, right):
            found[one.file] = forms
    return found


def table(alike: Sequence[Alike]) -> str:
    """Return alike.csv: a row for each group."""
    rows = [(one.kind, "; ".join(one.who), "; ".join(one.exercises)) for one in alike]
    head = ("what", "hand_ins", "answers")
    return graded.as_csv([head, *(tuple(map(graded.harmless, row)) for row in rows)])
