"""Digests of data and code: other data or other code, another run.

A stored run is found again by its settings, its data and its code. The digest of the code

* ignores comments, docstrings, formatting, the version of Python, and `given.beside`, which says on
  which device a tensor must lie;
* follows whatever a function or class refers to by name, inside of the lab and of the notebook:
  helpers, base classes, constants, tables. Methods of objects that it is handed are not seen, so
  training code calls functions;
* counts a table from which only `TABLE[settings.name]` is taken by the entry that a run takes: one
  entry more, such as a cell of one's own, leaves the other runs what they were;
* is of the code that runs: where a file has changed since it was imported, it is refused.

Who uses it: the notebook, `runs.py` and `sweep.py`; `utils.py` for its caches. Imports `source.py`,
`config.py`, and the standard library alone.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import functools
import hashlib
import importlib.util
import inspect
import re
import sys
import types
from pathlib import Path
from typing import Any

from lab import config, source
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
            data = str(part).encode("utf-8", "surrogatepass")
        hasher.update(len(data).to_bytes(8, "little") + data)
    return hasher.hexdigest()[:16]


@dataclasses.dataclass(frozen=True)
class Code:
    """What tells the code of a training from others.

    digest:  of all that every run uses
    choices: for each setting that picks from a table: what it may be -> digest of that entry
    files:   of the lab, in which that code stands -> digest of their code
    reads:   the settings that it looks at; None: not known
    """

    digest: str
    choices: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    files: dict[str, str] = dataclasses.field(default_factory=dict)
    reads: frozenset[str] | None = None

    def of(self, settings: Any) -> str:
        """Return the digest of the code that a run with these settings uses."""
        picked = [
            entries.get(str(getattr(settings, name)), "missing")
            for name, entries in sorted(self.choices.items())
        ]
        return digest(self.digest, *picked) if picked else self.digest

    def check_files(self) -> None:
        """Raise LabError if a file of this code is now another: a worker must not train with it."""
        for file, known in self.files.items():
            if _file_digest(config.ROOT / file) != known:
                raise source.has_changed(file)


def of(*definitions: Any) -> Code:
    """Return the code of functions and classes, with all that they refer to in the lab.

    Raises LabError where a file has changed since it was imported, where the source of a cell is
    gone, and where the code reads a global object whose content cannot be told.
    """
    walk = _Walk()
    for definition in definitions:
        walk.visit(definition, getattr(definition, "__qualname__", "?"))
    choices: dict[str, dict[str, str]] = {}
    for (name, table), entries in walk.choices.items():
        for key, value in entries.items():
            one = _Walk(tables_whole=True)
            one.visit(value, f"{table}[{key!r}]")
            known = choices.setdefault(name, {})
            known[str(key)] = digest(known.get(str(key), ""), *one.parts)
            walk.files |= one.files
            walk.reads |= one.reads
    files = {file: _file_digest(config.ROOT / file) for file in sorted(walk.files)}
    return Code(digest(*walk.parts), choices, files, frozenset(walk.reads))


# ── 2. Following references ─────────────────────────────────────────────────────────────────────

PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...), range, slice, Path)
CALLABLES = (types.FunctionType, types.BuiltinFunctionType, type, types.MethodDescriptorType)


class _Walk:
    """Visits definitions and values, and collects what stands for them, in order."""

    def __init__(self, tables_whole: bool = False) -> None:
        """tables_whole: count all entries of a table, even where a setting picks one."""
        self.tables_whole = tables_whole
        self.parts: list[str] = []
        self.choices: dict[tuple[str, str], dict[Any, Any]] = {}
        self.files: set[str] = set()
        self.reads: set[str] = set()  # x, where the code says settings.x
        self.seen: list[Any] = []  # kept alive, so that no two have the same id

    def visit(self, value: Any, name: str) -> None:
        """Collect what stands for a value; `name` is what it is called, for errors."""
        value = _bare(value)
        if isinstance(value, types.FunctionType | type) and _is_ours(value):
            if any(value is one for one in self.seen):
                self.parts.append(f"again {value.__qualname__}")
                return
            self.seen.append(value)
            follow = self._class if isinstance(value, type) else self._function
            follow(value)
        elif isinstance(value, types.ModuleType):
            self.parts.append(f"module {value.__name__}")
        elif callable(value) and (isinstance(value, CALLABLES) or hasattr(value, "__name__")):
            where = getattr(value, "__module__", None) or type(value).__name__
            self.parts.append(f"{where}.{getattr(value, '__qualname__', value.__name__)}")
        else:
            self._data(value, name)

    def _data(self, value: Any, name: str) -> None:
        """Collect what stands for a value that is no definition: its type and its content."""
        self.parts.append(type(value).__qualname__)
        if isinstance(value, PLAIN) or type(value).__module__ == "torch":
            text = value.tolist() if hasattr(value, "tolist") else value
            self.parts.append(repr(text))
        elif isinstance(value, dict | types.MappingProxyType):
            for key, entry in value.items():
                self.visit(key, name)
                self.visit(entry, f"{name}[{key!r}]")
        elif isinstance(value, tuple | list):
            for entry in value:
                self.visit(entry, name)
        elif isinstance(value, set | frozenset):
            self.parts += sorted(map(repr, value))
        elif hasattr(value, "tobytes"):
            self.parts.append(digest(str(value.dtype), value.shape, value))
        elif isinstance(value, re.Pattern):
            self.parts.append(repr((value.pattern, value.flags)))
        elif isinstance(value, functools.partial):
            self.visit((value.func, value.args, value.keywords), name)
        elif dataclasses.is_dataclass(value):
            self.visit(type(value), name)
            self.visit({f.name: getattr(value, f.name) for f in dataclasses.fields(value)}, name)
        else:
            raise LabError(
                f"The code of the training reads {name}, a {type(value).__name__}, whose content "
                "cannot be told from others. Hand it to the function as an argument."
            )

    def _class(self, kind: type) -> None:
        """Collect what a class defines itself, and its bases."""
        self.parts.append(f"class {kind.__qualname__}")
        for base in kind.__bases__:
            self.visit(base, base.__qualname__)
        if issubclass(kind, BaseException):
            return  # what is said when something is wrong changes no number
        for name, value in vars(kind).items():
            for member in _members(value):
                if isinstance(member, types.FunctionType):
                    if not _is_generated(member):
                        self.visit(member, f"{kind.__qualname__}.{name}")
                elif not name.startswith("__") and _counts(name, member):
                    self.parts.append(name)
                    self.visit(member, f"{kind.__qualname__}.{name}")

    def _function(self, function: types.FunctionType) -> None:
        """Collect a function's own code, and what it refers to."""
        node = source.definition_of(function)
        self._add_file(function.__globals__)
        self.parts.append(source.canonical(node))
        self.reads |= {
            read.attr
            for read in ast.walk(node)
            if isinstance(read, ast.Attribute)
            and isinstance(read.value, ast.Name)
            and read.value.id == "settings"
        }
        name = function.__qualname__
        self.visit(function.__defaults__, name)
        self.visit(function.__kwdefaults__, name)
        for cell in function.__closure__ or ():
            try:
                self.visit(cell.cell_contents, name)
            except ValueError:  # a name that has no value yet
                self.parts.append("empty")
        used = source.global_names(function.__code__)
        for decorator in getattr(node, "decorator_list", []):
            used |= {n.id for n in ast.walk(decorator) if isinstance(n, ast.Name)}
        picked = set() if self.tables_whole else self._choices(node, function.__globals__, used)
        for chain in source.references(node, used - picked):
            self._reference(function.__globals__, chain)

    def _choices(self, node: ast.AST, scope: dict[str, Any], used: set[str]) -> set[str]:
        """Return the tables that are read as TABLE[settings.name] alone, and note them."""
        reads = [n for n in ast.walk(node) if isinstance(n, ast.Subscript)]
        picks = [
            (read.value.id, read.slice.attr)
            for read in reads
            if isinstance(read.value, ast.Name)
            and isinstance(read.slice, ast.Attribute)
            and isinstance(read.slice.value, ast.Name)
            and read.slice.value.id == "settings"
        ]
        names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]
        tables = [table for table, _ in picks]
        alone = {t for t in tables if t in used and names.count(t) == tables.count(t)}
        alone = {t for t in alone if isinstance(scope.get(t), dict)}
        for table, setting in picks:
            if table in alone:
                self._add_file(scope)
                self.choices[setting, table] = scope[table]
        return alone

    def _reference(self, scope: dict[str, Any], chain: tuple[str, ...]) -> None:
        """Collect what `chain`, such as ("utils", "make_batches"), means in a scope."""
        name, *attributes = chain
        if name not in scope:
            if not hasattr(builtins, name):
                self.parts.append(f"{name} is not defined")
            return
        value = scope[name]
        while isinstance(value, types.ModuleType) and _in_project(value) and attributes:
            scope, name = vars(value), attributes.pop(0)
            value = getattr(value, name, None)
        self.parts.append(name)
        if not isinstance(value, types.ModuleType | types.FunctionType | type):
            self._check_constant(scope, name, value)
        self.visit(value, name)

    def _check_constant(self, scope: dict[str, Any], name: str, value: Any) -> None:
        """Raise LabError if a constant of a module is not what its file says now."""
        module = sys.modules.get(scope.get("__name__", ""))
        if module is None or vars(module) is not scope or not _in_project(module):
            return  # a notebook's
        self._add_file(scope)
        if getattr(module.__spec__, "_initializing", False):
            return  # it is just being imported
        file = module.__file__
        now = getattr(_afresh(module.__name__, file, source.text_of(file)), name, None)
        if _told(now, name) != _told(value, name):
            raise source.has_changed(_relative(file))

    def _add_file(self, scope: dict[str, Any]) -> None:
        file = scope.get("__file__")
        if file and scope.get("__name__") != "__main__" and _in_folder(file):
            self.files.add(_relative(file))


def _told(value: Any, name: str) -> list[str]:
    """Return what stands for a value alone."""
    walk = _Walk()
    walk.visit(value, name)
    return walk.parts


def _bare(value: Any) -> Any:
    """Return what stands inside a decorator's wrapping, such as torch.no_grad's."""
    if isinstance(value, types.MethodType):
        return _bare(value.__func__)
    return inspect.unwrap(value) if callable(value) else value


def _members(value: Any) -> list[Any]:
    """Return the functions of a property, staticmethod or the like; else the value itself."""
    if isinstance(value, property):
        return [f for f in (value.fget, value.fset, value.fdel) if f is not None]
    if isinstance(value, functools.cached_property):
        return [value.func]
    return [_bare(getattr(value, "__func__", value))]


def _counts(name: str, value: Any) -> bool:
    """Say whether an attribute of a class is its own; metaclasses put private objects there."""
    if not name.startswith("_"):
        return not inspect.isdatadescriptor(value)
    return isinstance(value, (*PLAIN, tuple)) or (isinstance(value, type) and _is_ours(value))


def _is_ours(definition: Any) -> bool:
    """Say whether a function or class is of the lab or of a notebook, and not of a package."""
    module = sys.modules.get(definition.__module__ or "")
    return definition.__module__ == "__main__" or (module is not None and _in_project(module))


def _is_generated(function: types.FunctionType) -> bool:
    """Say whether a method was written by a decorator or metaclass, as those of dataclasses are."""
    file = function.__code__.co_filename
    return file == "<string>" or (Path(file).is_file() and not _in_folder(file))


def _in_project(module: types.ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return bool(file) and _in_folder(file)


@functools.cache
def _in_folder(file: str) -> bool:
    """Say whether a file is one of the lab's, and not of an environment in its folder."""
    try:
        parts = Path(file).resolve().relative_to(config.ROOT).parts
    except ValueError:
        return False
    return not any(part.startswith((".", "python3")) or part == "site-packages" for part in parts)


def _relative(file: str) -> str:
    return Path(file).resolve().relative_to(config.ROOT).as_posix()


def _file_digest(path: Path) -> str:
    """Return the digest of a file's code, comments and docstrings apart; "" if it is no code."""
    try:
        return _text_digest(source.text_of(str(path)))
    except SyntaxError:
        return ""


@functools.lru_cache(64)
def _text_digest(text: str) -> str:
    return digest(source.canonical(ast.parse(text)))


@functools.lru_cache(16)
def _afresh(name: str, file: str, text: str) -> types.ModuleType:
    """Return a module made once more from its file, whose text is there as the key of the cache."""
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
