"""Make a student's own report: their answers, predictions, figures and runs, as a PDF.

    python report.py [NOTEBOOK] [PDF]

in the student's folder, by default lab2.ipynb and report.pdf. Nothing is executed: figures are the
notebook's outputs, numbers the tables that its runs have left in the data folder. A notebook that
stopped half way gives the report of what there is, and page one says what is missing.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the lab, from any folder

import nbformat
import pandas as pd
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lab import config
from lab.base import files
from lab.base.messages import Message, _, recognizer, say
from lab.config import LabError
from lab.exercises import answer_cells, check, signs
from lab.exercises.catalogue import LAB, in_range
from lab.experiments.results import TYPES
from lab.notebooks import loader
from tools.students import outputs, report

FIGURES = {  # which figures a text reads: name of the file -> caption
    "reading-language": {"language": _("Perplexity of three language models.")},
    "reading-recall": {"recall": _("Recall of the first token.")},
    "reading-recipes": {"recipes": _("Test accuracy under both recipes.")},
    "reading-differences": {
        "seeds": _("Test accuracy of each seed."),
        "differences": _("Differences of pairs, with 95 % intervals."),
    },
    "traps": {"my_review": _("What the networks believe after each word of my review.")},
}
SIX = {  # which stand before the recipes
    "accuracy": _("Accuracy of six networks, one recipe."),
    "loss": _("Loss of the same runs."),
}
COMPARED = "tables.comparison_table("
TABLES = {"reading-differences": "tables.pairs_table(", "traps": "beliefs_of"}  # in which cell
LISTS = {  # tables of runs, as the notebook names them -> what they are called here
    "language": _("language model"),
    "default": _("default recipe"),
    "tuned": _("own learning rate"),
    "seeds": _("own learning rate"),
}
FURTHER = _("further notebooks")
EXPERIMENT = _("my experiment")  # any other table of runs
WRITE = r"\bmine\.sample_words\("  # what lets a language model write, in a cell's code
MARKS = re.compile(r"[\\`*_{}\[\]<>#|$^~@!&-]")  # what Markdown reads as more than a letter
NONE = _("(none)")
RUN_HEADS = (  # of a table of runs
    *(_("list"), _("network"), _("seed"), _("rate"), _("epochs"), _("words"), _("result")),
    *(_("data"), _("code")),
)
MOST, LONGEST = 12, 600  # of texts that were written; letters of one
RECIPES = (LISTS["default"], LISTS["tuned"])
SIZES = ("epochs", "max_length", "batch_size")  # by which a run's profile is known
MACHINE = ("system", "instructions", "device", "python", "torch")
# columns that a table of the lab's runs has
RECORDED = {"run", "network", "seed", "learning_rate", "data", "code", *SIZES, *MACHINE}
CHECKED = (check.RIGHT, check.NOT_YET)  # what a check prints: exercise, points
FAILED = (  # and where it could try nothing: no points
    check.NOT_STARTED, check.STILL_THERE, check.OTHER_NAME, check.UNREADABLE, check.NOT_THERE,
    check.NO_FUNCTION, check.SLIP,
)  # fmt: skip


class Work:
    """What a student has done, as far as the notebook and the data folder tell."""

    def __init__(self, path: Path) -> None:
        """Read a notebook. Raises LabError if it is none."""
        self.path, content = path, answer_cells.read(path)
        config.name_language(report.language_of(content))
        self.notebook = report.tidied(content)
        nonempty = answer_cells.nonempty(self.notebook.cells)
        found = answer_cells.find(self.notebook.cells)
        self.answers = {name: ones[-1] for name, ones in found.items()} | nonempty
        self.missing = [name for name in LAB if name not in nonempty]
        self.twice = [name for name, ones in found.items() if len(_filled(name, ones)) > 1]
        code = {name: answer for name, answer in self.answers.items() if answer.kind == "code"}
        lines = {name: answer_cells.unreadable(answer.source) for name, answer in code.items()}
        self.unreadable = {name: line for name, line in lines.items() if line}

    @property
    def stopped(self) -> list[Message]:
        """Which answers Python cannot read, and where the notebook stopped at an error."""
        lines = [
            slip.told(check.SLIP, name=name)
            if (slip := signs.slip(self.answers[name].source))
            else _(
                "The answer {name} cannot be read by Python (line {line}).", name=name, line=line
            )
            for name, line in self.unreadable.items()
        ]
        if stop := report.stopped_at(self.notebook):
            section, reason = stop[1], stop[2].rstrip(".。")
            lines.append(
                _(
                    "The notebook stopped in section {section}: {reason}.",
                    section=section,
                    reason=reason,
                )
            )
        return lines

    @property
    def student(self) -> dict[str, str]:
        """Name and number, as the student wrote them."""
        about = self.answers.get("about-you")
        value = answer_cells.value_of(about.source, "student") if about else None
        value = value if isinstance(value, dict) else {}
        return {key: str(value.get(key) or "") for key in ("name", "number")}

    @property
    def profile(self) -> str:
        """The profile that the notebook's first table names, else the one that is set, or ""."""
        tables = self.shown("text/plain", r"tables\.profile_table\(")
        heads = [str(table.data["text/plain"]).split()[:1] for table in tables]
        return next((head[0] for head in heads if head and head[0] in config.PROFILES), "") or (
            config.variable("PROFILE") or ""
        )

    def is_guess(self, name: str) -> bool:
        """Say whether a prediction is one, as far as can be told without running its cell."""
        value = answer_cells.value_of(self.answers[name].source, LAB[name].name)
        parts = value.values() if isinstance(value, dict) else [value]
        computed = LAB[name].key is not str and any(isinstance(part, str) for part in parts)
        return computed or in_range(value, LAB[name].key)

    def text(self, name: str) -> nbformat.NotebookNode:
        """Return the text of an answer, with its pictures; headings in it become lines in bold."""
        if name in self.missing:
            return new_markdown_cell(f"*{_('(nothing written)')}*")
        one = self.answers[name]
        text = answer_cells.text_of(one.source, one.question)
        pictures = self.notebook.cells[one.place].get("attachments", {})
        return new_markdown_cell(re.sub(r"(?m)^#+ +(.*)$", r"**\1**", text), attachments=pictures)

    def outputs(self, pattern: str = "") -> list[nbformat.NotebookNode]:
        """Return the outputs of the cells of code in which a pattern is found."""
        code = [cell for cell in self.notebook.cells if cell.cell_type == "code"]
        return [o for cell in code if re.search(pattern, cell.source) for o in cell.outputs]

    def shown(self, kind: str, pattern: str) -> list[nbformat.NotebookNode]:
        """Return the outputs of a kind that the cells with a pattern have shown."""
        shown = [output.get("data", {}) for output in self.outputs(pattern)]
        return [new_output("display_data", {kind: data[kind]}) for data in shown if kind in data]

    def checked(self) -> dict[str, float]:
        """Return the points of each exercise as its last check in the notebook told them.

        An answer that Python cannot read has been changed since.
        """
        printed = "\n".join(str(output.get("text", "")) for output in self.outputs())
        lines: list[tuple[int, str, str]] = []
        for sentence in (*CHECKED, *FAILED):
            for found in recognizer(sentence).finditer(printed):
                points = found.groupdict().get("points", "0")
                lines.append((found.start(), found["name"], points))
        known = {name: float(points) for place, name, points in sorted(lines) if name in LAB}
        return known | dict.fromkeys(known.keys() & self.unreadable.keys(), 0.0)


def _filled(name: str, ones: list[answer_cells.Answer]) -> list[answer_cells.Answer]:
    """Return those cells of an answer in which something is written."""
    return [one for one in ones if not answer_cells.is_empty(one.source, LAB[name], one.question)]


# ── The pages ───────────────────────────────────────────────────────────────────────────────────


def pages(work: Work, folder: Path) -> nbformat.NotebookNode:
    """Return the report as a notebook of texts and pictures; folder: of the tables of runs."""
    runs = all_runs(folder)
    others = runs[runs["list"] != EXPERIMENT] if len(runs) else runs  # those stand beside it
    parts = [
        heading(1, _("Recurrent networks: my report")),
        new_markdown_cell(overview(work, runs, folder)),
        heading(2, _("Predictions, and what came of them")),
        new_markdown_cell(predictions(work, folder)),
        heading(2, _("What I see")),
    ]
    for name, exercise in LAB.items():
        if exercise.kind == "text" and name not in ("experiment-reading", "conclusion"):
            if name == "reading-recipes":
                parts.append(heading(3, _("Six networks, one recipe")))
                parts += [shown(work, figure, caption) for figure, caption in SIX.items()]
                parts += tables_of(work, COMPARED)
            parts.append(heading(3, exercise.title))
            parts += [shown(work, figure, c) for figure, c in FIGURES.get(name, {}).items()]
            if name in TABLES:
                parts += tables_of(work, TABLES[name])
            parts.append(work.text(name))
            if name == "reading-language" and (texts := written(work)):
                parts += [heading(3, _("What my language models wrote")), new_markdown_cell(texts)]
    parts += [heading(2, _("An experiment of my own")), *experiment(work, runs)]
    parts += [heading(2, LAB["conclusion"].title), work.text("conclusion")]
    parts += [heading(2, _("The runs behind this report")), new_markdown_cell(run_table(others))]
    parts.append(new_markdown_cell(machines(runs)))
    return new_notebook(cells=parts)


def tables_of(work: Work, pattern: str) -> list[nbformat.NotebookNode]:
    """Return the tables that the cell with a pattern shows; of intervals, only the first."""
    tables = work.shown("text/html", re.escape(pattern))
    tables = tables[:1] if "pairs_table" in pattern else tables
    return [new_code_cell("", outputs=[table]) for table in tables]


def heading(level: int, text: str) -> nbformat.NotebookNode:
    """Return a heading in the language of the report."""
    return new_markdown_cell(f"{'#' * level} {say(text)}")


def shown(work: Work, name: str, caption: Message) -> nbformat.NotebookNode:
    """Return a figure of the student's notebook, or a line that says that there is none."""
    pictures = work.shown("image/png", rf'"{name}"\s*\)')  # of the cell that saves it
    if not pictures:
        gone = _("(Figure not there: {caption} Its cell was not run.)", caption=caption)
        return new_markdown_cell(f"*{gone}*")
    return new_code_cell(f"#| fig-cap: {caption}\n", outputs=pictures[:1])


def overview(work: Work, runs: pd.DataFrame, folder: Path) -> str:
    """Return what page one says: the profile, the points told by checks, what is empty."""
    checked = work.checked()
    code = {name: exercise for name, exercise in LAB.items() if exercise.kind == "code"}
    reached = sum(checked.get(name, 0) for name in code)
    guesses = [name for name, exercise in LAB.items() if exercise.kind == "guess"]
    unclear = [name for name in guesses if name not in work.missing and not work.is_guess(name)]
    made = len(guesses) - len(unclear) - len({*guesses} & {*work.missing})
    most, filled = sum(e.points for e in code.values()), len(LAB) - len(work.missing)
    lines = [
        _("Profile: {profile}", profile=profile_of(runs, work.profile)),
        _(
            "Exercises in code: {reached:.3g} of {most} points, as the notebook's last checks told",
            reached=reached,
            most=most,
        ),
        _("Predictions made: {number} of {all}", number=made, all=len(guesses)),
        _("Cells filled: {number} of {all}", number=filled, all=len(LAB)),
    ]
    less = [f"{n} ({checked[n]:.3g}/{e.points})" for n, e in code.items()
            if n in checked and checked[n] < e.points and n not in work.missing]  # fmt: skip
    if less:
        lines.append(_("Not yet right: {names}", names=less))
    if unclear:
        lines.append(_("No prediction, as it is written: {names}", names=unclear))
    lines.append(still_empty(work.missing) if work.missing else _("Still empty: nothing"))
    hints = kept("hints", ["id", "hints"], folder)  # there only where they are recorded
    if len(hints):
        each = [f"{name} ({number})" for name, number in hints.to_numpy()]
        lines.append(_("Hints taken: {each}.", each=each))
    if work.twice:
        lines.append(
            _("Written in more than one cell, of which the last counts: {names}", names=work.twice)
        )
    return "\n".join(
        [*(f"* **{line}**" for line in work.stopped), *(f"* {line}" for line in lines)]
    )


def still_empty(names: list[str]) -> Message:
    """Return the line that names the exercises without an answer."""
    return _("Still empty: {names}", names=names)


def predictions(work: Work, folder: Path) -> str:
    """Return a table of predictions and outcomes."""
    table = kept("predictions", ["id", "part", "outcome"], folder).fillna({"part": ""})
    rows = [row("", _("predicted"), _("came out")), "|---|---|---|"]
    for name, exercise in LAB.items():
        if exercise.kind != "guess":
            continue
        answer = work.answers.get(name)
        value = answer_cells.value_of(answer.source, exercise.name) if answer else None
        if value is None and name not in work.missing:
            value = "?"  # something that Python cannot read
        outcome = table[table["id"] == name].set_index("part")["outcome"].to_dict()
        parts = value if isinstance(value, dict) else dict.fromkeys(outcome or [""], value)
        asked = [part for part in outcome or parts if parts.get(part) not in (None, "")]
        numbers = [_number(values.get(part)) for part in asked for values in (parts, outcome)]
        whole = all(number is None or number % 1 == 0 for number in numbers)
        for part in asked:
            label = _(exercise.title)
            if part:
                label = _("{title}: {part}", title=label, part=_(part))
            values = (_short(values.get(part), whole) for values in (parts, outcome))
            rows.append(row(label, *values))
    return "\n".join(rows) if len(rows) > 2 else f"*{NONE}*"


def kept(name: str, columns: list[str], folder: Path) -> pd.DataFrame:
    """Return a table that the notebook keeps; an empty one if it is not there, or another's."""
    try:
        return files.read_table(name, folder)[columns]
    except (LabError, KeyError):
        return pd.DataFrame(columns=columns)


def row(*cells: Any) -> str:
    """Return a row of a table; cells may be messages."""
    return f"| {' | '.join(map(str, cells))} |"


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _plain(value: float, places: int = 7) -> str:
    """Return a small number without an exponent."""
    return f"{value:.{places}f}".rstrip("0").rstrip(".")


def _short(value: Any, whole: bool) -> str:
    """Return a value for a cell of a table; numbers have one decimal, or none if all are whole."""
    number = _number(value)
    if number is not None:
        return f"{number:.3g}" if 0 < abs(number) < 1 else f"{number:,.{0 if whole else 1}f}"
    text = "" if value is None else " ".join(str(value).split())[:60]
    return text.replace("|", r"\|") or "–"


def written(work: Work) -> str:
    """Return what the cells that let a language model write have printed, as quotations."""
    printed = [o for o in work.outputs(WRITE) if o.get("name") == "stdout"]
    texts = re.split(r"\n\s*\n", "".join(str(output.get("text", "")) for output in printed))
    texts = [MARKS.sub(r"\\\g<0>", " ".join(text.split())) for text in texts if text.strip()]
    return "\n\n".join(f"> {text[:LONGEST]}" for text in texts[:MOST])


def experiment(work: Work, runs: pd.DataFrame) -> list[nbformat.NotebookNode]:
    """Return the student's own experiment: code, outputs, its runs, text."""
    parts = []
    if "experiment" not in work.missing:
        answer = work.answers["experiment"]
        made = work.notebook.cells[answer.place].get("outputs", [])
        code = "\n".join(answer.source.splitlines()[1:])
        parts.append(new_markdown_cell(outputs.fence(code, "python")))
        parts.append(new_code_cell("", outputs=made))
    if len(runs) and (runs["list"] == EXPERIMENT).any():
        parts.append(new_markdown_cell(run_table(runs[runs["list"] == EXPERIMENT])))
    return [*parts, work.text("experiment-reading")]


# ── The runs ────────────────────────────────────────────────────────────────────────────────────


def all_runs(folder: Path) -> pd.DataFrame:
    """Return all runs of the notebook's lists, a row each, those of the data folder."""
    tables = []
    names = [path.name.removesuffix("_results.csv") for path in folder.glob("*_results.csv")]
    for name in [*LISTS, *sorted(set(names) - set(LISTS))]:
        try:
            table = files.read_table(f"{name}_results", folder, TYPES)
        except LabError:
            continue
        further = name.startswith(("ladder_", "ways", "transfer", "rates"))
        other = FURTHER if further else EXPERIMENT
        if set(table) >= RECORDED:  # a table of the student's own may have any form
            tables.append(table.assign(list=LISTS.get(name, other)))
    if not tables:
        return pd.DataFrame()
    return pd.concat(tables).drop_duplicates(["list", "run"], ignore_index=True)


def profile_of(runs: pd.DataFrame, named: str = "") -> str:
    """Return by which profile the lab's six networks were trained, in words.

    named: the profile that the notebook names, for a notebook that did not come so far
    """
    names: dict[str, list[str]] = {}
    profiles = reversed(config.PROFILES.values())  # of two with the same sizes, the first counts
    known = {tuple(getattr(p, size) for size in SIZES): p.name for p in profiles}
    for recipe in RECIPES if len(runs) else ():
        sizes = runs.loc[runs["list"] == recipe, list(SIZES)].itertuples(index=False, name=None)
        names[recipe] = sorted({known.get(size, _("another")) for size in sizes})
    found = sorted({name for each in names.values() for name in each}) or [named]
    if len(found) > 1:  # one list is newer than the other
        default, own = (each or ["–"] for each in names.values())
        return _("default recipe: {default}; own learning rate: {own}", default=default, own=own)
    if not (profile := config.PROFILES.get(found[0])):
        return found[0] or (_("only a part was run") if len(runs) else _("no run is finished"))
    sizes = {"profile": profile.name, "reviews": profile.train, "words": profile.max_length}
    if not profile.train:
        return _("{profile}: all reviews of {words} words", **sizes)
    return _("{profile}: {reviews:,} reviews of {words} words", **sizes)


def run_table(runs: pd.DataFrame) -> str:
    """Return a table of runs: settings, data, code, result."""
    rows = [row(*RUN_HEADS), "|" + "---|" * len(RUN_HEADS)]
    for run in runs.to_dict("records"):
        right, perplexity = run.get("test_accuracy"), run.get("perplexity")
        result = _("{share:.1f} %", share=100 * right) if pd.notna(right) else "–"
        if result == "–" and pd.notna(perplexity):
            result = _("perplexity {value:.1f}", value=perplexity)
        values = (say(run["list"]), run["network"], run["seed"], _plain(run["learning_rate"]))
        more = (run["epochs"], run["max_length"], result, run["data"][:6], run["code"][:6])
        rows.append(row(*values, *more))
    return "\n".join(rows) if len(runs) else f"*{NONE}*"


def machines(runs: pd.DataFrame) -> str:
    """Return on which machines runs were made; "" without runs."""
    if runs.empty:
        return ""
    where = runs[list(MACHINE)].drop_duplicates()
    machines = "; ".join(
        f"{row.system}, {row.instructions}, {row.device}, Python {row.python}, PyTorch {row.torch}"
        for row in where.itertuples()
    )
    return str(_("Machine: {machines}.", machines=machines))


@config.ends_in_a_sentence()
def main() -> None:
    """Read the command line and write the report."""
    parser = argparse.ArgumentParser(
        description=str(
            _("Make your own report: your answers, predictions, figures and runs, as a PDF.")
        )
    )
    parser.add_argument("notebook", nargs="?", type=Path, default=ROOT / "lab2.ipynb")
    parser.add_argument("pdf", nargs="?", type=Path, default=Path("report.pdf"))
    arguments = parser.parse_args()
    work = Work(loader.renamed(arguments.notebook))
    author = ", ".join(filter(None, work.student.values())) or _("(no name in the notebook)")
    block = report.TitleBlock(author, contents=False)
    content = pages(work, config.output_folder())
    made = report.write(content, work.path.parent, arguments.pdf, False, block)
    if work.missing:
        print(still_empty(work.missing))
    print(_("Wrote {file}. Hand it in with {notebook}.", file=made, notebook=work.path.name))


if __name__ == "__main__":
    main()
