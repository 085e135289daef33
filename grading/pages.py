"""What a teacher and students get: grades.csv, feedback, a summary, and what a person must read.

Pages in HTML are whole in themselves: no network, no script of others. Whatever a student wrote is
escaped and cut.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from grading import similar
from grading.marking import SHOWN, Mark, Result
from lab.base import files, i18n
from lab.config import LabError
from lab.exercises.catalogue import ASKED, FURTHER, LAB

STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}td,th{border:1px solid #999;padding:.2rem .6rem;text-align:left}
td.n{text-align:right}pre{background:#f3f3f3;padding:.6rem;white-space:pre-wrap;overflow-wrap:anywhere}
.answer{border-left:3px solid #999;padding-left:1rem;margin:1rem 0}.bar{background:#667}
input{width:4rem}button{font-size:1rem;padding:.4rem 1rem}"""
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
ASKED_BY_HAND = [name for name, e in LAB.items() if e.kind in ("text", "free")]


class Graded(NamedTuple):
    """A hand-in with its outcome.

    name:   unique, and fit to name a file;  number: of the learning platform, or ""
    result: None of whom a class list names and nothing was handed in
    read:   points that a person gave: exercise -> points
    """

    name: str
    student: str
    file: str
    result: Result | None
    read: dict[str, float]
    number: str = ""

    @property
    def language(self) -> str:
        """The language of the notebook, in which its author is answered."""
        return self.result.language if self.result else i18n.ENGLISH


def points_of(graded: Graded, exercise: str) -> float | None:
    """Return the points of an answer; None where a person has still to read it."""
    mark = graded.result.marks.get(exercise) if graded.result else None
    if mark is None:
        return None
    return graded.read.get(exercise) if mark.points is None else mark.points


def score_of(graded: Graded) -> float | None:
    """Return the points of the lab's hundred so far; None of what could not be read."""
    if graded.result is None or graded.result.status == "unreadable":
        return None
    return sum(points_of(graded, name) or 0 for name in LAB)


# ── The table ───────────────────────────────────────────────────────────────────────────────────


def grades(everybody: Sequence[Graded]) -> str:
    """Return grades.csv: a row a hand-in, a column an exercise.

    Points that a person has still to give are empty, as is everything of an unreadable file.
    """
    exercises = [name for name in (*LAB, *FURTHER) if ASKED[name].points]
    head = ["student", "file", "status", "score", "max", "percent", *exercises]
    rows = [[*head, "flags", "seconds", "sha256", "edition"]]
    most = sum(e.points for e in LAB.values())
    for one in everybody:
        score, result = score_of(one), one.result
        points = [_number(points_of(one, name)) for name in exercises]
        percent = "" if score is None else f"{100 * score / most:.1f}"
        row = [one.student, one.file, result.status if result else "missing"]
        row += [_number(score), most, percent, *points]
        flags = "; ".join([*(result.flags if result else []), *_unread(one)])
        end = [f"{result.seconds:.1f}", result.sha256, result.edition] if result else ["", "", ""]
        rows.append([*row, flags, *end])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[_harmless(x) for x in row] for row in rows])
    return text.getvalue()


def _unread(one: Graded) -> list[str]:
    if one.result is None:
        return []
    open_points = sum(
        mark.most for name, mark in one.result.marks.items() if mark.points is None
        and name not in one.read and name in LAB
    )  # fmt: skip
    return [f"{open_points} points are still to be read"] if open_points else []


def _number(points: float | None) -> str:
    return "" if points is None else f"{points:.4g}"


def _harmless(value: object) -> str:
    """Return a cell that no spreadsheet takes for a formula, on one line."""
    text = " ".join(plain(str(value)).split())
    return f"'{text}" if text.startswith(FORMULA) else text


def plain(text: str) -> str:
    """Return a text without control characters, cut to what a page shows."""
    text = CONTROL.sub("", text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} [...]"


# ── Feedback ────────────────────────────────────────────────────────────────────────────────────


def feedback(one: Graded) -> str:
    """Return what a student is told, in Markdown: each exercise, its points, why some are lost."""

    def said(text: str) -> str:
        return _in_line(i18n.sentence(text, one.language))

    lines = [f"# {_in_line(one.student)}", ""]
    if one.result is None or one.result.status == "unreadable":
        flags = one.result.flags if one.result else ["nothing was handed in"]
        return (
            "\n".join([*lines, said("Not graded:"), *(f"* {said(flag)}" for flag in flags)]) + "\n"
        )
    most = sum(e.points for e in LAB.values())
    lines.append(said(f"{_number(score_of(one))} of {most} points so far."))
    lines += [f"* {said(flag)}" for flag in (*one.result.flags, *_unread(one))]
    for name, mark in one.result.marks.items():
        points = points_of(one, name)
        if points is None or points < mark.most:
            got = "to be read" if points is None else f"{_number(points)} of {mark.most} points"
            lines += ["", f"## {name}: {said(got)}", *(f"* {said(line)}" for line in mark.lines)]
            if mark.lines and ASKED[name].hint:
                lines.append(f"* {said(f'Hint: {ASKED[name].hint}')}")
    right = [n for n, m in one.result.marks.items() if points_of(one, n) == m.most]
    lines += ["", said(f"Right: {', '.join(right) or 'nothing yet'}.")]
    return "\n".join(lines) + "\n"


def _in_line(text: str) -> str:
    """Return a text for a line of Markdown, where it can start nothing."""
    return re.sub(r"([\\`*_{}\[\]<>#|!])", r"\\\1", " ".join(plain(text).split()))


def page(title: str, body: str, language: str = i18n.ENGLISH) -> str:
    """Return a whole page in HTML; the body is HTML already."""
    return (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        f"<title>{escaped(title)}</title><style>{STYLE}</style><body>{body}</body></html>\n"
    )


def escaped(text: str) -> str:
    """Return a text as HTML, cut, without control characters."""
    return html.escape(plain(text))


def as_page(markdown: str, language: str = i18n.ENGLISH) -> str:
    """Return feedback in Markdown as a page."""
    parts, title = [], ""
    for line in markdown.splitlines():
        text = html.escape(re.sub(r"\\([\\`*_{}\[\]<>#|!])", r"\1", line.lstrip("#* ")))
        if line.startswith("# "):
            title = line[2:]
            parts.append(f"<h1>{text}</h1>")
        elif line.startswith("## "):
            parts.append(f"<h2>{text}</h2>")
        elif line.startswith("* "):
            parts.append(f"<p>• {text}</p>")
        elif line:
            parts.append(f"<p>{text}</p>")
    return page(title, "\n".join(parts), language)


# ── What the class did ──────────────────────────────────────────────────────────────────────────


def summary(everybody: Sequence[Graded], own: dict[str, str]) -> str:
    """Return summary.html: scores, hardest exercises, commonest wrong answers, same ones, flags.

    own: exercise -> the form of the lab's own answer
    """
    graded = [one for one in everybody if score_of(one) is not None]
    parts = [f"<h1>{len(everybody)} hand-ins, {len(graded)} graded</h1>"]
    parts += [_distribution([score_of(one) for one in graded]), _hardest(graded), _mistakes(graded)]
    flagged = [one for one in everybody if one.result is None or one.result.flags]
    rows = [
        (one.student, one.file, "; ".join(one.result.flags) if one.result else "nothing handed in")
        for one in flagged
    ]
    parts.append("<h2>Where a person should look</h2>" + _table(("student", "file", "why"), rows))
    parts.append(_alike(graded, own))
    return page("Summary", "\n".join(parts))


def _distribution(scores: Sequence[float]) -> str:
    counts = Counter(min(int(score // 10), 9) for score in scores)
    most = max(counts.values(), default=1)
    rows = "".join(
        f"<tr><td>{10 * i}–{10 * i + (9 if i < 9 else 10)}</td><td class=n>{counts[i]}</td>"
        f'<td><div class=bar style="width:{20 * counts[i] / most:.1f}rem">&nbsp;</div></td></tr>'
        for i in range(10)
    )
    return f"<h2>Points</h2><table>{rows}</table>"


def _hardest(graded: Sequence[Graded]) -> str:
    """Return a table of the exercises, those with the smallest share of points first."""
    rows = []
    for name, exercise in LAB.items():
        got = [points for one in graded if (points := points_of(one, name)) is not None]
        unread = name in ASKED_BY_HAND and not any(name in one.read for one in graded)
        if got and exercise.points and exercise.kind != "guess" and not unread:
            full = sum(points >= exercise.points for points in got)
            empty = sum(one.result.marks[name].came == "empty" for one in graded
                        if name in one.result.marks)  # fmt: skip
            rows.append((sum(got) / len(got) / exercise.points, name, full, empty, len(got)))
    cells = [
        (n, f"{100 * share:.0f} %", full, empty, of) for share, n, full, empty, of in sorted(rows)
    ]
    head = ("exercise", "share of its points", "right", "empty", "of")
    return "<h2>Exercises, the hardest first</h2>" + _table(head, cells)


def _mistakes(graded: Sequence[Graded]) -> str:
    """Return the commonest wrong answers of each exercise, by what they are or return."""
    found: dict[str, defaultdict[str, list[str]]] = {}
    for one in graded:
        for name, mark in one.result.marks.items():
            if (
                mark.points is not None
                and mark.points < mark.most
                and mark.came not in ("", "empty")
            ):
                found.setdefault(name, defaultdict(list))[mark.came].append(one.student)
    rows = [
        (name, len(who), came, ", ".join(sorted(who)[:8]))
        for name, groups in found.items()
        for came, who in sorted(groups.items(), key=lambda group: -len(group[1]))[:5]
    ]
    rows.sort(key=lambda row: -row[1])
    head = ("exercise", "how many", "what they are, or return", "who")
    return "<h2>The commonest wrong answers</h2>" + _table(head, rows)


def _alike(graded: Sequence[Graded], own: dict[str, str]) -> str:
    """Return a table of who share answers that the rest of the class has not."""
    found = similar.groups({one.name: one.result.forms for one in graded}, own)
    rows = [(", ".join(names), len(shared), ", ".join(shared)) for names, shared in found]
    said = (
        "Nothing but names, comments and layout tells these apart, and few others have them. That "
        "is a reason to look, and none to judge: two people may have worked together."
    )
    table = _table(("hand-ins", "how many", "answers"), rows)
    return f"<h2>Answers that are the same</h2><p>{said}</p>{table}"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["".join(f"<th>{escaped(str(cell))}</th>" for cell in head)]
    lines += ["".join(f"<td>{escaped(str(cell))}</td>" for cell in row) for row in rows]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


# ── What a person reads ─────────────────────────────────────────────────────────────────────────

SAVE = """<script>
function save() {
  const rows = [["name", "exercise", "points"]];
  for (const field of document.querySelectorAll("input"))
    if (field.value !== "") rows.push([field.dataset.name, field.dataset.exercise, field.value]);
  const cell = x => '"' + String(x).replaceAll('"', '""') + '"';
  const text = rows.map(row => row.map(cell).join(",")).join("\\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text + "\\n"], {type: "text/csv"}));
  link.download = "points_read.csv";
  link.click();
}
</script>"""


def to_read(everybody: Sequence[Graded], rubric: str) -> str:
    """Return to_read.html: all students' texts, exercise by exercise, with fields for points."""
    parts = [SAVE, "<h1>To read</h1>", "<p>Write points, press <i>Save</i>, put the file "
             "<code>points_read.csv</code> beside grades.csv, and grade once more.</p>"
             "<button onclick=save()>Save</button>"]  # fmt: skip
    parts.append(f"<details><summary>Rubric</summary><pre>{html.escape(rubric)}</pre></details>")
    for name in ASKED_BY_HAND:
        exercise = LAB[name]
        parts.append(f"<h2>{name}: {escaped(exercise.title)} ({exercise.points} points)</h2>")
        for one in everybody:
            mark = one.result.marks.get(name) if one.result else None
            if mark is not None and mark.points is None:
                parts.append(_to_read(one, name, mark))
    return page("To read", "\n".join([*parts, "<button onclick=save()>Save</button>"]))


def _to_read(one: Graded, name: str, mark: Mark) -> str:
    given = one.read.get(name)
    value = "" if given is None else f' value="{given:.4g}"'
    return (
        f"<div class=answer><b>{escaped(one.student)}</b> <input type=number min=0 "
        f'max={mark.most} step=0.5 data-name="{html.escape(one.name)}" data-exercise="{name}"'
        f"{value}> of {mark.most}<pre>{escaped(mark.text)}</pre></div>"
    )


def points_read(path: Path) -> dict[str, dict[str, float]]:
    """Return the points that a person gave: name of the hand-in -> exercise -> points.

    Raises LabError if a program for tables has saved them in another form.
    """
    given: defaultdict[str, dict[str, float]] = defaultdict(dict)
    if not path.exists():
        return given
    try:
        rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")))
        form = rows.fieldnames == ["name", "exercise", "points"]
    except (UnicodeDecodeError, csv.Error):
        form = False
    if not form:
        raise LabError(
            f"{path} is not as to_read.html saves it: UTF-8, and name,exercise,points with commas. "
            "Save it so, or press Save in to_read.html again."
        )
    for row in rows:
        try:
            name, exercise, points = row["name"], row["exercise"], float(row["points"])
            if exercise in ASKED_BY_HAND and 0 <= points <= LAB[exercise].points:
                given[name][exercise] = points
        except (KeyError, TypeError, ValueError):
            continue  # a row that somebody has half written
    return given


# ── Results that are kept ───────────────────────────────────────────────────────────────────────


def keep(path: Path, result: Result, grader: str) -> None:
    """Keep a result, with the digits of the grader that made it."""
    content = {**vars(result), "marks": {n: m._asdict() for n, m in result.marks.items()}}
    text = json.dumps({"grader": grader, "result": content}, indent=1)
    files.write_atomically(path, text.encode("utf-8", "surrogatepass"))


def kept(path: Path, sha256: str, grader: str) -> Result | None:
    """Return a kept result; None if there is none of this hand-in by this grader."""
    try:
        content = json.loads(path.read_bytes().decode("utf-8", "surrogatepass"))
        if content["grader"] != grader or content["result"]["sha256"] != sha256:
            return None
        made = content["result"]
        marks = {
            name: Mark(**{**mark, "lines": tuple(mark["lines"])})
            for name, mark in made["marks"].items()
        }
        return Result(**{**made, "marks": marks})
    except (OSError, ValueError, KeyError, TypeError):
        return None
