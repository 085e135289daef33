"""All pages of a class, and its table, written to a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from grading import graded, likeness
from grading.graded import Graded, digest_of
from grading.pages import feedback, leftovers, reading, summary
from grading.similarity import Forms
from grading.submissions import Submission
from lab.base import files


def write(
    everybody: Sequence[Graded], where: Path, hand_ins: Mapping[str, Submission],
    earlier: Mapping[str, Forms] | None = None, place: Path | None = None,
) -> None:  # fmt: skip
    """Write the table and the pages; feedback of who is gone is removed.

    hand_ins: name -> what was handed in. earlier: what `likeness.earlier` has. place: the folder
    or archive of the hand-ins
    """
    own = [one for one in everybody if not one.partner]  # of a pair it is compared once
    alike = likeness.of_a_class(own, earlier or {})
    texts = {
        "grades.csv": graded.table(everybody),
        "summary.html": summary.in_html(everybody, alike),
        "alike.csv": likeness.table(alike),
    }
    pages = {}
    for one in everybody:
        if one.name:
            pages[f"{one.name}.md"] = feedback.in_markdown(one)
            pages[f"{one.name}.html"] = feedback.in_html(one)
    for name, text in (texts | {f"feedback/{name}": page for name, page in pages.items()}).items():
        files.write_atomically(where / name, text.encode("utf-8", "replace"))
    leftovers.remove(where, "feedback", pages)
    reading.write(everybody, hand_ins, where, _course(where), place)


def _course(where: Path) -> str:
    """Return digits of a course that stay when its folder is moved: those of its seed."""
    seed = where / "seed.json"
    return digest_of(seed.read_text("utf-8") if seed.exists() else str(where.resolve()))
