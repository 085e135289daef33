"""Make the student's edition: the lab without its answers, and just the files that it needs.

    python tools/teachers/student_edition.py [FOLDER] [--edition LANGUAGE]

leaves build/student/, with the notebook at its top, and build/lab2-student.zip; both the same byte
for byte when they are made again. In another language they are build/student-zh/ and so on. What is
right in this edition goes to course/keys, for grading. What goes into it is the list FILES, and
nothing else: tests, the teacher's folder, outputs and stored notebooks hold answers too.

To change what a student gets, edit the solved notebooks, FILES, or the files in course/student.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the lab, from any folder

from grading import key
from lab.base import messages
from lab.base.messages import ENGLISH
from lab.config import LabError, ends_in_a_sentence
from lab.exercises import answer_cells
from lab.exercises.catalogue import ASKED
from tools.teachers import translate

# what stands in the student's folder as it stands here
FILES = (
    *("lab2.ipynb", *key.FURTHER),
    *("utils.py", "doctor.py", "lab/**/*.py", "lab/**/*.csv", "lab/**/*.toml"),
    *("tools/install.py", "tools/students/*.py", "tools/maintainers/make_reference.py"),
    *("figures/*.svg", "data/README.md", "data/reference/README.md"),
    *(f"data/reference/{profile}/*" for profile in ("course", "full", "official", "quick")),
    *("requirements.txt", "constraints.txt", "LICENSE"),
)
MOVED = {"course/student/*": ""}  # where it comes from -> the folder or file that it goes to
TRANSLATED = {  # in an edition in another language, before what is there in English
    "lab2.{language}.ipynb": "lab2.ipynb",
    "course/student/{language}/README.md": "README.md",
    "data/README.{language}.md": "data/README.md",
    "figures/{language}/*.svg": "figures/{language}/",
    "translations/{language}/LC_MESSAGES/lab.mo": "translations/{language}/LC_MESSAGES/",
}


def contents(language: str = ENGLISH) -> dict[str, bytes]:
    """Return the student's edition: path in its folder -> content.

    Raises LabError unless each exercise stands in it once, without its answer.
    """
    sources = _files(dict.fromkeys(FILES) | MOVED)
    if language != ENGLISH:
        named = [[text.format(language=language) for text in pair] for pair in TRANSLATED.items()]
        sources |= _files(dict(named))
    content = {place: path.read_bytes() for place, path in sources.items()}
    notebooks = solved(language)
    for place, notebook in notebooks.items():
        content[place] = student_notebook(notebook, "")
    everything = b"".join(place.encode() + content[place] for place in sorted(content))
    edition = hashlib.sha256(everything).hexdigest()[:12]
    for place, notebook in notebooks.items():
        content[place] = student_notebook(notebook, edition)
    check_stubs([json.loads(content[place])["cells"] for place in notebooks])
    return content


def solved(language: str = ENGLISH) -> dict[str, dict[str, Any]]:
    """Return the solved notebooks in a language: place in the student's folder -> notebook."""
    notebooks = {place: answer_cells.read(ROOT / place) for place in key.FURTHER}
    if language != ENGLISH:
        known = translate.strings(translate.stored(language, translate.DOCUMENTS))
        for place, notebook in notebooks.items():
            notebooks[place] = translate.translated(notebook, known, language)
    return {"lab2.ipynb": answer_cells.read(ROOT / messages.lesson(language)), **notebooks}


def key_of(language: str) -> key.Key:
    """Return what is right in the edition in a language."""
    return key.present(language, solved(language).values())


def _files(wanted: dict[str, str | None]) -> dict[str, Path]:
    """Return the files of some patterns: path in the student's folder -> where it comes from.

    wanted: pattern -> a file, or a folder with a slash at its end; None: where it stands here
    """
    sources = {}
    for pattern, target in wanted.items():
        paths = [path for path in sorted(ROOT.glob(pattern)) if path.is_file()]
        paths = [path for path in paths if not path.name.startswith(".")]  # of an editor or system
        if not paths:
            raise LabError(f"The student's edition needs {pattern}, and there is none.")
        for path in paths:
            place = path.relative_to(ROOT).as_posix() if target is None else target
            sources[place + path.name if not place or place.endswith("/") else place] = path
    return sources


def check_stubs(notebooks: list[list[dict[str, Any]]]) -> None:
    """Raise LabError unless the cells of some notebooks ask for each exercise once, unanswered."""
    found = [answer_cells.find(cells) for cells in notebooks]
    for name, exercise in ASKED.items():
        ones = [one for cells in found for one in cells.get(name, [])]
        if len(ones) != 1:
            raise LabError(f"The notebooks have {len(ones)} cells for {name}; there must be one.")
        if not answer_cells.is_empty(ones[0].source, exercise, ones[0].question):
            raise LabError(f"The stub of {name} still holds an answer. Look at its cell.")


def edition_of(content: dict[str, bytes]) -> str:
    """Return the digits that tell this edition from others."""
    return json.loads(content["lab2.ipynb"])["metadata"]["lab2"]["edition"]


def student_notebook(notebook: dict[str, Any], edition: str) -> bytes:
    """Return a notebook without answers and outputs, as the bytes of its file."""
    language = notebook["metadata"].get("lab2", {}).get("language", ENGLISH)
    say = functools.partial(messages.say, language=language)
    names = {ones[0].place: name for name, ones in answer_cells.find(notebook["cells"]).items()}
    cells = [student_cell(cell, names.get(i, ""), say) for i, cell in enumerate(notebook["cells"])]
    lab = {"edition": edition, "cells": [cell["id"] for cell in cells]}  # others are the student's
    if language != ENGLISH:
        lab["language"] = language
    metadata = {"kernelspec": notebook["metadata"]["kernelspec"], "lab2": lab}
    content = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def student_cell(cell: dict[str, Any], name: str, say: Callable[[str], str]) -> dict[str, Any]:
    """Return a cell without its outputs, and without the answer if it holds one; name: of that."""
    source, metadata = answer_cells.source_of(cell), {}
    if "define" in cell["metadata"].get("tags", ()):
        metadata["tags"] = ["define"]
    if name:
        metadata["exercise"] = {"id": name}
        if ASKED[name].kind == "text":  # so that no answer is taken for the question
            metadata["exercise"] |= {"question": answer_cells.question_of(source)}
        source = answer_cells.stub(source, name, ASKED[name], say)
    copy = {"cell_type": cell["cell_type"], "id": cell["id"], "metadata": metadata}
    if cell["cell_type"] == "code":
        copy |= {"execution_count": None, "outputs": []}
    return copy | {"source": source.splitlines(keepends=True)}


def write(folder: Path, content: dict[str, bytes]) -> Path:
    """Write the folder afresh, and beside it the archive; return the archive's path.

    The archive's own folder has the edition in its name, so that a new edition that is unpacked
    beside an old one does not overwrite it. Raises LabError as `put_aside` does.
    """
    archive = folder.with_name(f"lab2-{folder.name}.zip")
    put_aside(folder, archive)
    for place, data in content.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(data)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as zipped:
        for place in sorted(content):
            name = f"lab2-{edition_of(content)[:6]}/{place}"
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            entry.create_system = 3  # the same on every system
            zipped.writestr(entry, content[place], compresslevel=9)
    return archive


def put_aside(folder: Path, archive: Path) -> None:
    """Remove an older edition that is as in its archive; rename one in which somebody has worked.

    Raises LabError if the folder holds something else.
    """
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / "lab2.ipynb").exists():
        raise LabError(f"{folder} is no student's edition. Name a new folder, or an empty one.")
    paths = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    if archive.exists():
        with zipfile.ZipFile(archive) as zipped:
            if found == {name.partition("/")[2]: zipped.read(name) for name in zipped.namelist()}:
                shutil.rmtree(folder)
                return
    number = 1
    while (old := folder.with_name(f"{folder.name}-{number}")).exists():
        number += 1
    folder.rename(old)
    print(f"{folder} holds work that is not of the edition. It is now {old}.")


@ends_in_a_sentence()
def main() -> None:
    """Make the student's edition in the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--edition", default=ENGLISH, metavar="LANGUAGE")
    options = parser.parse_args()
    other = f"-{options.edition}" if options.edition != ENGLISH else ""
    folder = (options.folder or ROOT / "build" / f"student{other}").resolve()
    content = contents(options.edition)
    archive = write(folder, content)
    key.store(edition_of(content), key_of(options.edition))
    size = archive.stat().st_size / 1e6
    print(f"Wrote {folder} ({len(content)} files) and {archive.name} ({size:.1f} MB).")


if __name__ == "__main__":
    main()
