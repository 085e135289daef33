"""Answers as they stand in a notebook's file: found, read, taken out, put in. Nothing is run.

A cell holds an answer if its metadata say so, or, where these are lost (a copied cell, another
editor), if its first line does, or else its id. A notebook is read as JSON and nothing more, so
that whatever a tool has done to the rest of it does not matter.
"""

from __future__ import annotations

import ast
import functools
import json
import math
import re
import symtable
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from lab.base.messages import Message, _, languages, say
from lab.base.source import parse
from lab.config import LabError
from lab.exercises import signs
from lab.exercises.catalogue import ASKED, Exercise, empty_guess
from lab.exercises.help import hints

EMPTY_TEXT = _("*Write here.*")
EMPTY_CODE = _("Your code here.")
OLDER = _("Your older answer, which Python cannot read:")
UNWRITTEN = _("Exercise {name}: not written yet")  # what a stub raises
KINDS = "Exercise|Question|Prediction|Answer|练习|问题|预测|回答"
HEADING = re.compile(rf"\s*(?:[#＃]+|\*\*)\s*(?:{KINDS}) ([a-z0-9-]+)\b")
HEADING_OF_A_TEXT = re.compile(r"\*\*[^*\n]+\*\*|[^\n]*")
# Time that grows with the square of a text's length stops a class: `*+` and `++` never go back.
ASKS = r"[?？]|sentences?\.\)|句话。）"
QUESTION = re.compile(rf"\*(?!\*)(?=[^*]*?(?:{ASKS}))[^*]*+\*(?!\*)(?=\s*(?:\n|$))")
ASKED_ABOVE = ("number", "choice", "guess")  # the others have their question in their own cell
QUESTION_ABOVE = re.compile(r"\*\*(?:Question|Prediction|问题|预测)[^*]{0,20}\*\*")
COMMAND = re.compile(
    r"(?m)^([ \t]*+)(?:[%!?].*|\S++(?<=\?))$"
)  # to the notebook: %time, !ls, name?
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)  # what `ast` raises


class Answer(NamedTuple):
    """A cell with an answer: what is in it, where it stands, and what says that it is one."""

    source: str
    kind: str  # "code" or "markdown", as the cell is now
    place: int
    clue: str  # "metadata", "first line" or "id"
    question: str = ""  # of a text, as the student's edition asked it; "": not known


def read(path: Path) -> dict[str, Any]:
    """Return a notebook as JSON. Raises LabError, in a sentence, if it is none."""
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise LabError(_("There is no {path}.", path=path)) from None
    except (OSError, ValueError) as error:
        raise LabError(
            _("{path} cannot be read as a notebook: {error}.", path=path, error=error)
        ) from None
    if not isinstance(content, dict) or not isinstance(content.get("cells"), list):
        raise LabError(_("{path} is no notebook of format 4: it has no list of cells.", path=path))
    content["cells"] = [cell for cell in content["cells"] if isinstance(cell, dict)]
    return content


def source_of(cell: dict[str, Any]) -> str:
    """Return the source of a cell, which a file holds as a text or as a list of lines."""
    source = cell.get("source", "")
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def find(cells: list[dict[str, Any]]) -> dict[str, list[Answer]]:
    """Return the answers of some cells: id of the exercise -> its cells, mostly one."""
    answers: dict[str, list[Answer]] = {}
    for place, cell in enumerate(cells):
        source = source_of(cell)
        name, clue = _name_of(cell, source)
        if name in ASKED:
            kind = "markdown" if cell.get("cell_type") == "markdown" else "code"
            question = str(exercise_metadata(cell).get("question", ""))
            answers.setdefault(name, []).append(Answer(source, kind, place, clue, question))
    for name, ones in answers.items():  # an id says little: it is the last resort
        answers[name] = [one for one in ones if one.clue != "id"] or ones
    return answers


def nonempty(cells: list[dict[str, Any]]) -> dict[str, Answer]:
    """Return the answers that are not empty; of several cells with one, the last."""
    return {
        name: one
        for name, ones in find(cells).items()
        for one in ones
        if not is_empty(one.source, ASKED[name], one.question)
    }


def questions(cells: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """Return what numbers, choices and predictions ask in a text above: id -> (beginning, whole).

    It begins with **Question.** or **Prediction.**, else it is the whole cell of text.
    """
    found, asked = {}, ""
    at = {one.place: name for name, ones in find(cells).items() for one in ones}
    for place, cell in enumerate(cells):
        name, source = at.get(place, ""), source_of(cell)
        if name and ASKED[name].kind in ASKED_ABOVE:
            words = asked.split()
            found[name] = " ".join(words[:12]), " ".join(words)
        elif not name and cell.get("cell_type") == "markdown":
            start = QUESTION_ABOVE.search(source)
            asked = source[start.start() :] if start else source
    return found


def edition_of(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return what a notebook says of the edition that it was given out in; {} if nothing."""
    return _metadata(notebook, "lab2")


def exercise_metadata(cell: dict[str, Any]) -> dict[str, Any]:
    """Return what the metadata of a cell say of the exercise that it answers; {} if nothing."""
    return _metadata(cell, "exercise")


def _metadata(holder: dict[str, Any], key: str) -> dict[str, Any]:
    metadata = holder.get("metadata")
    entry = metadata.get(key) if isinstance(metadata, dict) else None
    return entry if isinstance(entry, dict) else {}


def _name_of(cell: dict[str, Any], source: str) -> tuple[str, str]:
    """Return the exercise that a cell answers, and by what that is known."""
    if isinstance(name := exercise_metadata(cell).get("id"), str):
        return name, "metadata"
    if heading := HEADING.match(source):
        return heading[1], "first line"
    return str(cell.get("id", "")), "id"


# ── What is in an answer ────────────────────────────────────────────────────────────────────────


def is_empty(answer: str, exercise: Exercise, question: str = "") -> bool:
    """Say whether nothing has been written yet where an answer's cell asks for it.

    question: of a text, as for `text_of`
    """
    if exercise.kind == "text":
        return not text_of(answer, question)
    try:
        body = _statements(answer)
    except SyntaxError:
        return False  # something was written
    if exercise.kind == "free":
        return not body
    if exercise.kind == "code":
        return all(_is_idle(node, exercise.name) for node in body)
    if not any(_assigns(node, exercise.name) for node in body):
        return all(map(_is_idle, body))  # a name that is spelt wrongly is something, too
    value = value_of(answer, exercise.name)
    parts = value.values() if isinstance(value, dict) else [value]
    return all(part in (None, "", ...) for part in parts)


def _is_idle(node: ast.stmt, stub: str = "") -> bool:
    """Say whether a statement is no part of an answer: it does nothing, or calls a check.

    stub: name of a function that counts as nothing while there is nothing in it
    """
    match node:
        case ast.FunctionDef(name, _, body) if name == stub:
            return all(map(_is_idle, body)) or _is_handed_out(name, body)
        case ast.Raise(ast.Name("NotImplementedError") | ast.Call(ast.Name("NotImplementedError"))):
            return True
        case ast.Pass() | ast.Expr(ast.Constant() | ast.Call(ast.Name("check"))):
            return True
    return False


def _is_handed_out(name: str, body: list[ast.stmt]) -> bool:
    """Say whether a function still is what its stub has in the place of an answer."""
    source = "".join(hints.of(one).handed_out for one, e in ASKED.items() if e.name == name)
    if not source:
        return False
    given = parse(f"def {name}():\n{source}").body[0].body
    is_text = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    return ast.unparse(body[1:] if is_text else body) == ast.unparse(given)


def text_of(answer: str, question: str = "") -> str:
    """Return what was written below the heading and the question of a text's cell.

    question: as the edition asked it. Where that is not known, what the text asks at its beginning,
    in single asterisks, is taken for the question.
    """
    text = _below_heading(answer).removeprefix(question or question_of(answer))
    for empty in _empty_texts():
        text = text.replace(empty, "")
    return text.strip()


@functools.cache
def _empty_texts() -> list[str]:
    """Return what the editions have where nothing has been written."""
    return [say(EMPTY_TEXT, language) for language in languages()]


def question_of(answer: str) -> str:
    """Return what a text's cell asks at its beginning, in single asterisks; "" if nothing."""
    question = QUESTION.match(_below_heading(answer))
    return question[0] if question else ""


def _below_heading(answer: str) -> str:
    text = answer.strip()
    heading = HEADING.match(text)
    if heading and heading[1] in ASKED:
        text = text[HEADING_OF_A_TEXT.match(text).end() :]
    return text.strip()


def value_of(answer: str, name: str) -> Any:
    """Return the value that a cell gives a name; what must be computed first, as its source.

    A cell that only signs of another keyboard make unreadable is read as it is meant.
    """
    value = None
    try:
        for node in _statements(signs.meant(answer)):
            if _assigns(node, name):
                value = _value_after(node, name, value)
    except UNREADABLE:
        return None
    return value


def is_computed(answer: str, name: str) -> bool:
    """Say whether the value that a cell gives a name must be computed, and is no plain one."""
    computed = False
    try:
        for node in _statements(answer):
            if _assigns(node, name):
                whole = any(_is_name(target, name) for target in _targets(node))
                computed = (computed and not whole) or not (
                    _targets(node) and _is_plain(node.value)
                )
    except UNREADABLE:
        return False
    return computed


def _is_plain(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (TypeError, *UNREADABLE):
        return False
    return True


def _assigns(node: ast.stmt, name: str) -> bool:
    """Say whether a statement gives a name a value, or changes it: an entry, or by a method."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name == name
    called = getattr(node.value, "func", None) if isinstance(node, ast.Expr) else None
    if isinstance(called, ast.Attribute) and _is_name(called.value, name):
        return True
    return any(
        isinstance(getattr(part, "ctx", None), ast.Store)
        and (_is_name(part, name) or _is_name(getattr(part, "value", None), name))
        for part in ast.walk(node)
    )


def _value_after(node: ast.stmt, name: str, before: Any) -> Any:
    """Return the value of a name after a statement that gives it one; before: its value so far."""
    for target in _targets(node):
        if _is_name(target, name):
            return _literal(node.value)
        if isinstance(target, ast.Subscript) and _is_name(target.value, name):
            entries = before if isinstance(before, dict) else {}
            key = target.slice
            key = key.value if isinstance(key, ast.Constant) else ast.unparse(key)
            return entries | {key: _literal(node.value)}
    return before if isinstance(node, ast.AnnAssign) else ast.unparse(node)


def _targets(node: ast.stmt) -> list[ast.expr]:
    """Return to what a statement assigns; nothing if it is not just an assignment."""
    if isinstance(node, ast.AnnAssign) and node.value:
        return [node.target]
    return node.targets if isinstance(node, ast.Assign) else []


def _literal(node: ast.expr) -> Any:
    """Return the value of an expression without running it; of a formula its source."""
    if isinstance(node, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.keys):
        return {k.value: _literal(v) for k, v in zip(node.keys, node.values, strict=True)}
    try:
        value = ast.literal_eval(node)
    except (TypeError, *UNREADABLE):  # TypeError: of {{1}}
        return ast.unparse(node)
    is_long = isinstance(value, int) and value.bit_length() > 1024
    return math.inf if is_long else value  # Python writes no integer of 5,000 digits


def _is_name(node: ast.AST | None, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


# ── Code that is read and not run ───────────────────────────────────────────────────────────────


def unreadable(source: str) -> int:
    """Return the line at which Python cannot read a cell; 0 if it can."""
    try:
        _statements(source)
    except SyntaxError as error:
        return error.lineno or 1
    return 0


def names(source: str, later: bool = False) -> tuple[set[str], set[str]]:
    """Return the names that a cell gives to its notebook, and those that it needs when it is run.

    later: also those that its functions need, when they are called
    """
    try:
        tables = [symtable.symtable(ast.unparse(_statements(source)), "cell", "exec")]
    except UNREADABLE:
        return set(), set()
    own = {s.get_name() for s in tables[0].get_symbols() if s.is_assigned() or s.is_imported()}
    needed = {s.get_name() for s in tables[0].get_symbols() if s.is_referenced()}
    for table in tables:  # classes and comprehensions in it are run at once
        tables += [inner for inner in table.get_children() if later or _is_run_at_once(inner)]
        needed |= {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
    return own, needed - own


def _is_run_at_once(table: symtable.SymbolTable) -> bool:
    name = table.get_name()
    return table.get_type() == "class" or "comp" in name or "genexpr" in name


def _statements(source: str) -> list[ast.stmt]:
    """Return the statements of a cell. Raises SyntaxError if Python cannot read it.

    What a notebook alone understands, such as %time, counts as a statement that does nothing.
    """
    try:
        return parse(source).body
    except UNREADABLE as error:
        try:
            return parse(COMMAND.sub(r"\1pass", source)).body
        except UNREADABLE:
            raise SyntaxError(str(error), ("", getattr(error, "lineno", 1), 0, "")) from None


# ── Taking answers out, and putting them in ─────────────────────────────────────────────────────


def stub(
    answer: str,
    name: str,
    exercise: Exercise,
    say: Callable[[str], str] = str.__str__,
) -> str:
    """Return the source of an answer's cell without the answer: what a student finds there.

    say: puts what is added into the language of the edition, by default English
    """
    if exercise.kind == "text":
        heading, question = re.split(r"\n\s*\n", answer.strip(), maxsplit=2)[:2]
        return f"{heading}\n\n{question}\n\n{say(EMPTY_TEXT)}"
    lines = answer.splitlines()
    if exercise.kind == "free":
        return f"{lines[0]}\n# {say(EMPTY_CODE)}"
    if exercise.kind == "code":
        body = parse(answer).body
        function = next(n for n in body if getattr(n, "name", "") == exercise.name)
        signature = lines[function.lineno - 1 : function.body[0].end_lineno]  # with its docstring
        example = [f"    # {line}" for line in hints.example_lines(name, say)]
        error = f'    raise NotImplementedError("{say(Message(UNWRITTEN, name=name))}")'
        return "\n".join([lines[0], *signature, *example, hints.of(name).handed_out or error])
    node = _assignment(answer, exercise.name)
    empty = '{"name": "", "number": ""}' if exercise.kind == "about" else empty_guess(exercise.key)
    before, after = lines[: node.lineno - 1], lines[node.end_lineno :]
    return "\n".join([*before, f"{exercise.name} = {empty}", *after])


def fill(stub: str, answer: str, exercise: Exercise, question: str = "") -> str:
    """Return the source of an empty answer's cell with an answer from another edition's cell.

    Heading, question and calls of checks stay those of the new cell. What Python cannot read would
    stop the notebook: it comes below, as comments. question: of the old cell, as for `text_of`.
    """
    if exercise.kind == "text":
        empty = next((one for one in _empty_texts() if one in stub), "")
        text = text_of(answer, question) or empty
        return stub.replace(empty, text) if empty else f"{stub}\n\n{text}".rstrip()
    if unreadable(answer):
        own = [f"# {line}".rstrip() for line in _own_lines(answer, stub)]
        kept = "\n".join([f"# {OLDER}", *own])
        return stub if kept in stub else f"{stub.rstrip()}\n{kept}"
    lines = stub.split("\n")
    if exercise.kind in ("code", "free"):
        return "\n".join([*filter(HEADING.match, lines[:1]), *_own_lines(answer, stub)])
    for call in re.findall(r"(?m)^check\(.*\)$", stub):
        same = re.escape(call).replace('"', "[\"']")
        answer = re.sub(rf"(?m)(?<! ) *+; *+{same}|^{same}[ ;]*\n?", "", answer)
    own = _own_lines(answer, stub)
    new = _assignment(stub, exercise.name)
    first, last = (new.lineno - 1, new.end_lineno) if new else (1, 1)
    stays = [] if _assignment(answer, exercise.name) else lines[first:last]
    return "\n".join([*lines[:first], *stays, *own, *lines[last:]])


def _own_lines(answer: str, stub: str) -> list[str]:
    """Return the lines of an answer's cell without its heading."""
    name = heading[1] if (heading := HEADING.match(stub)) else ""
    lines = answer.strip("\n").split("\n")
    return [line for line in lines if not (heading := HEADING.match(line)) or heading[1] != name]


def asks_for_another(stub: str, answer: str, exercise: Exercise, question: str = "") -> bool:
    """Say whether an answer is to another question, or a function of other arguments.

    question: of the old cell, as for `text_of`. An answer that does not tell is to the same.
    """
    if exercise.kind == "text":
        new, old = question_of(stub), question or question_of(answer)
    else:
        new, old = _arguments(stub, exercise.name), _arguments(answer, exercise.name)
    return bool(new and old) and new != old


def _arguments(source: str, name: str) -> str:
    """Return the arguments of a function that a cell defines, in brackets; "" if it does not."""
    try:
        functions = [n for n in _statements(source) if isinstance(n, ast.FunctionDef)]
    except SyntaxError:
        return ""
    return "".join([f"({ast.unparse(f.args)})" for f in functions if f.name == name][-1:])


def _assignment(source: str, name: str) -> ast.Assign | ast.AnnAssign | None:
    """Return where a cell gives a name its value."""
    nodes = [n for n in _statements(source) if any(_is_name(t, name) for t in _targets(n))]
    return nodes[-1] if nodes else None
