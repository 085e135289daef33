"""Digests of data and code: what makes a run the same run.

A stored run is found again by its settings, its data and its code. The hash of the code is of all
that a training refers to in the lab and the notebook: functions, classes, tables, constants. It
ignores comments, docstrings, annotations, layout, the version of Python, and names of our own
things: a function, class, table or constant counts by what it is, a local variable by its place.
(Names of attributes, methods and keywords count, for nothing says whose they are.)

Of a table from which only `TABLE[settings.name]` is taken, the entry counts that a run takes: one
entry more, such as a cell of one's own, leaves the other runs what they were. Methods of objects
that a training is handed are not seen, so training code calls functions.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import hashlib
import inspect
import pkgutil
import re
import sys
import types
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lab.base import source
from lab.base.messages import Message, _
from lab.config import LabError

# ── 1. Digests ──────────────────────────────────────────────────────────────────────────────────


def digest(*parts: Any) -> str:
    """Return 16 hexadecimal digits that stand for `parts`: other parts, other digits (SHA-256).

    An array counts by its bytes, anything else as text.
    """
    hasher = hashlib.sha256()
    for part in parts:
        if hasattr(part, "tobytes"):
            data = part.tobytes()
        else:
            text = part if isinstance(part, str) else str(part)  # a message in English
            data = text.encode("utf-8", "surrogatepass")
        hasher.update(len(data).to_bytes(8, "little") + data)
    return hasher.hexdigest()[:16]


@dataclasses.dataclass(frozen=True)
class CodeHash:
    """What tells the code of a training from others: the digest of all that every run uses, and

    choices:  for each setting that picks from a table: what it may be -> digest of that entry
    reads:    the settings that it looks at; None: not known
    imported: what it uses of modules, as "module:name", which other processes import anew; and the
              digest of all these together
    """

    digest: str
    choices: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    reads: frozenset[str] | None = None
    imported: tuple[str, ...] = ()
    imported_digest: str = ""

    def of(self, settings: Any) -> str:
        """Return the digest of the code that a run with these settings uses."""
        picked = [
            entries.get(str(getattr(settings, name)), "missing")
            for name, entries in sorted(self.choices.items())
        ]
        return digest(self.digest, *picked) if picked else self.digest

    def check_imports(self) -> None:
        """Raise LabError if this process has imported other code than the one that was hashed."""
        if self.imported and _digest_of(self.imported) != self.imported_digest:
            raise source.has_changed(_("The lab's code"))


def hash_code(*definitions: Any) -> CodeHash:
    """Return the hash of functions and classes, whose first parameter is the settings of a run.

    Raises LabError where a file has changed since it was imported, where the source of a cell is
    gone, and where the code reads a global object whose content cannot be told from others.
    """
    functions = [one for one in map(_bare, definitions) if isinstance(one, types.FunctionType)]
    parameters = [list(inspect.signature(function).parameters) for function in functions]
    walk = _Walk({name for names in parameters for name in names[:1]})
    walk.others |= {name for names in parameters for name in names[1:]}
    whole = walk.digest_of({getattr(d, "__qualname__", "?"): d for d in definitions})
    choices: dict[str, dict[str, str]] = {}
    for setting, table in walk.choices:  # grows where an entry picks from another table
        known = choices.setdefault(setting, {})
        for key, entry in table.items():
            inner = _Walk(whole=walk).digest_of({repr(key): entry})
            known[str(key)] = digest(known.get(str(key), ""), inner)
    imported = tuple(walk.imported)
    return CodeHash(whole, choices, frozenset(walk.reads), imported, _digest_of(imported))


def _digest_of(imported: Sequence[str]) -> str:
    """Return the digest of things, "module:name", as this process has imported them."""
    return _Walk().digest_of({name: pkgutil.resolve_name(name) for name in imported})


# ── 2. Following references ─────────────────────────────────────────────────────────────────────

PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...), range, slice, Path)


class _Walk:
    """Collects what stands for definitions and values; a thing of ours is written down once."""

    def __init__(self, settings: Iterable[str] = (), whole: _Walk | None = None) -> None:
        """settings: names of variables that hold settings; whole: the walk of all the code."""
        self.settings: set[str] = whole.settings if whole else {"settings", *settings}
        self.others: set[str] = whole.others if whole else {"self"}  # variables that hold none
        self.reads: set[str] = whole.reads if whole else set()  # that may be settings
        self.choices: list[tuple[str, dict[Any, Any]]] = whole.choices if whole else []
        self.imported: dict[str, None] = whole.imported if whole else {}
        self.things: list[Any] = []  # of ours; the place is the number
        self.numbers: dict[int, int] = {}  # id of a thing -> its number

    def refer(self, value: Any, name: str) -> str:
        """Return what stands for a value where it is referred to; `name` is for errors."""
        value = _bare(value)
        if isinstance(value, types.FunctionType | type) and _is_ours(value):
            if id(value) not in self.numbers:
                self.numbers[id(value)] = len(self.things)
                self.things.append(value)
                self.note(value.__module__, value.__qualname__)
            return f"#{self.numbers[id(value)]}"
        if isinstance(value, types.ModuleType):
            return f"module {value.__name__}"
        if callable(value) and hasattr(value, "__name__"):
            where = getattr(value, "__module__", None) or type(value).__name__
            return f"{where}.{getattr(value, '__qualname__', value.__name__)}"
        return f"{type(value).__qualname__}({self._content(value, name)})"

    def digest_of(self, things: dict[str, Any]) -> str:
        """Return the digest of things, by their names for errors, and of what they refer to."""
        parts = [self.refer(value, name) for name, value in things.items()]
        for thing in self.things:  # grows meanwhile
            parts.append(self._class(thing) if isinstance(thing, type) else self._function(thing))
        return digest(*parts)

    def note(self, module: str, path: str) -> None:
        """Note what other processes will import, by its name."""
        if path.isidentifier() and module in sys.modules and source.is_ours(sys.modules[module]):
            self.imported[f"{module}:{path}"] = None

    def _content(self, value: Any, name: str) -> str:
        """Return what tells the content of a value that is no definition from others."""
        if isinstance(value, PLAIN) or type(value).__module__ == "torch":
            return repr(value.tolist() if hasattr(value, "tolist") else value)
        if isinstance(value, dict):
            return self._content(list(value.items()), name)
        if isinstance(value, tuple | list):
            return ", ".join(self.refer(entry, name) for entry in value)
        if isinstance(value, re.Pattern):
            return repr((value.pattern, value.flags))
        raise LabError(
            _(
                "The code of the training reads {name}, a {kind}, whose content cannot be told "
                "from others. Hand it to the function as an argument.",
                name=name,
                kind=type(value).__name__,
            )
        )

    def _class(self, kind: type) -> str:
        """Return what a class defines itself, and its bases."""
        parts = [self.refer(base, base.__qualname__) for base in kind.__bases__]
        if issubclass(kind, BaseException):
            return f"class {parts}"  # what is said when something is wrong changes no number
        for name, value in sorted(vars(kind).items()):
            member = _bare(value)
            if isinstance(member, types.FunctionType):
                wanted = not _is_generated(member)
            else:
                wanted = not name.startswith("__") and _counts(name, member)
            if wanted:
                parts.append(f"{name}={self.refer(member, f'{kind.__qualname__}.{name}')}")
        return f"class {parts}"

    def _function(self, function: types.FunctionType) -> str:
        """Return a function's own code, without names, and its defaults."""
        text = _Writer(self, function).write(source.definition_of(function))
        defaults = (function.__defaults__, function.__kwdefaults__)
        return f"{text} {[self.refer(values, function.__qualname__) for values in defaults]}"


LEFT_OUT = {"ctx", "kind", "type_comment", "type_ignores", "annotation", "returns", "type_params"}
BINDING = {"arg", "name", "asname", "rest"}  # fields that hold the name of a variable


class _Writer:
    """Writes the syntax tree of a function as text, without names of our own things."""

    def __init__(self, walk: _Walk, function: types.FunctionType) -> None:
        self.walk, self.function = walk, function
        self.local = source.local_names(function)
        self.variables: dict[str, str] = {}

    def write(self, node: Any) -> str:
        """Return a part of the tree as text."""
        if isinstance(node, list):
            return "[" + ", ".join(self.write(one) for one in node if not _is_text(one)) + "]"
        if not isinstance(node, ast.AST):
            return f"{type(node).__name__} {node!r}"
        if isinstance(node, ast.Name | ast.Attribute) and (text := self._global(node)):
            return text
        if isinstance(node, ast.Name):
            return self._variable(node.id)
        if isinstance(node, ast.Attribute):
            self._note_read(node)
        if isinstance(node, ast.Subscript) and (text := self._choice(node)):
            return text
        if isinstance(node, ast.Call) and self._is_message(node):
            node = _spelled_out(node)
        if isinstance(node, ast.JoinedStr):  # Python 3.12 adds empty texts to f-strings
            return f"JoinedStr{self.write([v for v in node.values if v.value != ''])}"
        fields = [
            f"{field}={self._field(node, field, value)}"
            for field, value in ast.iter_fields(node)
            if field not in LEFT_OUT and value is not None and value != []
        ]  # newer Pythons have fields that older ones lack
        return f"{type(node).__name__}({', '.join(fields)})"

    def _field(self, node: ast.AST, field: str, value: Any) -> str:
        """Return a field of a node; where it is the name of a variable, the variable's place."""
        is_alias = isinstance(node, ast.alias) and field == "name"  # of a package
        if field in BINDING and not is_alias and not isinstance(node, ast.keyword):
            return self._variable(value)
        return self.write(value)

    def _variable(self, name: str) -> str:
        """Return a local variable by its place: the first that appears is v0."""
        if name not in self.local:
            return "itself"  # the name of the function
        return self.variables.setdefault(name, f"v{len(self.variables)}")

    def _global(self, node: ast.AST) -> str:
        """Return what stands for a global name and its attributes; "" if the name is local."""
        meaning = source.meaning_of(self.function, node)
        if meaning is None:
            return ""
        if meaning.module == "builtins":
            return ".".join(["builtins", meaning.name, *meaning.attributes])
        if isinstance(meaning.value, types.ModuleType):  # of a package
            return ".".join([meaning.value.__name__, *meaning.attributes])
        if not isinstance(meaning.value, types.FunctionType | type):
            self.walk.note(meaning.module, meaning.name)
        return ".".join([self.walk.refer(meaning.value, meaning.name), *meaning.attributes])

    def _choice(self, node: ast.Subscript) -> str:
        """Return what stands for TABLE[settings.name], and note the choice; "" if it is none."""
        holder, attributes = source.chain(node.slice)
        table = source.meaning_of(self.function, node.value)
        if holder not in self.walk.settings or len(attributes) != 1 or not table:
            return ""
        if table.attributes or not isinstance(table.value, dict):
            return ""
        self.walk.choices.append((attributes[0], table.value))
        self.walk.reads.add(attributes[0])
        self.walk.note(table.module, table.name)
        return f"choice by {attributes[0]}"

    def _is_message(self, node: ast.Call) -> bool:
        """Say whether a call marks a text as a message, with a name for each value."""
        meaning = source.meaning_of(self.function, node.func)
        is_plain = node.args and isinstance(node.args[0], ast.Constant)
        named = is_plain and all(one.arg for one in node.keywords)
        return named and meaning is not None and meaning.value is Message

    def _note_read(self, node: ast.Attribute) -> None:
        """Note an attribute of a variable that may hold settings: rather too many than too few."""
        name, attributes = source.chain(node)
        of_record = attributes[-2:-1] == ["settings"]
        if of_record or (len(attributes) == 1 and name and name not in self.walk.others):
            self.walk.reads.add(attributes[-1])


def _spelled_out(call: ast.Call) -> ast.expr:
    """Return the f-string that a message says: `_("{n} words", n=len(x))` is f"{len(x)} words".

    So runs from before a text was marked, or whose text was, are found again.
    """
    template, values = call.args[0], {one.arg: one.value for one in call.keywords}
    if not values:
        return template
    text = source.parse(f"f{template.value!r}").body[0].value
    for slot in text.values:
        if isinstance(slot, ast.FormattedValue):
            slot.value = values[slot.value.id]
    return text


def _is_text(node: Any) -> bool:
    """Say whether a statement is a bare text, as a docstring is."""
    return isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)


def _bare(value: Any) -> Any:
    """Return the function inside of a method, property or decorator; else the value itself."""
    if isinstance(value, property):
        value = value.fget
    elif isinstance(value, functools.cached_property):
        value = value.func
    elif isinstance(value, types.MethodType | staticmethod | classmethod):
        value = value.__func__
    return inspect.unwrap(value) if callable(value) and not isinstance(value, type) else value


def _counts(name: str, value: Any) -> bool:
    """Say whether an attribute of a class is its own; metaclasses put private objects there."""
    if not name.startswith("_"):
        return not inspect.isdatadescriptor(value)
    return isinstance(value, (*PLAIN, tuple)) or (isinstance(value, type) and _is_ours(value))


def _is_ours(definition: Any) -> bool:
    """Say whether a function or class is of the lab or of a notebook, and not of a package."""
    module = sys.modules.get(definition.__module__ or "")
    return definition.__module__ == "__main__" or (module is not None and source.is_ours(module))


def _is_generated(function: types.FunctionType) -> bool:
    """Say whether a method was written by a decorator or metaclass, as those of dataclasses are."""
    file = function.__code__.co_filename
    return file == "<string>" or (Path(file).is_file() and not source.in_folder(file))
