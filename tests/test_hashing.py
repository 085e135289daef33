"""What makes a run the same run: settings that were changed, data, and the code that runs."""

import dataclasses
import importlib.util
import itertools
import platform
import re
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from helpers import CODE, ROOT, record_of

import utils
from lab import config
from lab.base import hashing
from lab.base.source import parse
from lab.config import LabError
from lab.experiments import loop
from lab.experiments.settings import SHARE, Settings, setting
from lab.experiments.sweep import sweep

NAMES = (f"module_{number}" for number in itertools.count())

TRAINING = '''
"""A module of a lab."""
import functools

import torch

SIZE = 3
TABLE = {"mean": lambda x: x.mean(0), "last": lambda x: x[-1]}


def helper(x, scale=2.0):
    """Scale."""
    return scale * x


class Base:
    act = torch.relu

    def read(self, x):
        return self.act(x)


class Model(Base):
    @property
    def size(self):
        return 1

    @staticmethod
    def double(x):
        return 2 * x

    @torch.no_grad()
    def run(self, x):
        return helper(self.double(x)) + SIZE


def train(settings, x):
    """Train."""
    return Model().run(x) + TABLE["mean"](x)  # the mean
'''


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Import a text as a module of a lab that lies in a folder of its own; return the module."""
    monkeypatch.setattr(config, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def load_text(text):
        name = next(NAMES)
        file = tmp_path / f"{name}.py"
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, file)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load_text


def digits(module):
    return hashing.hash_code(module.train).digest


@pytest.mark.parametrize(
    "old, new",
    [
        ("  # the mean", ""),
        ('    """Train."""\n', ""),
        ('    """Scale."""', '    """Multiply by the scale, which is 2 by default."""'),
        ('"""A module of a lab."""', ""),
        ("return scale * x", "return (\n        scale\n        * x\n    )"),
        ('"mean"', "'mean'"),
        ("2.0", "2.00"),
    ],
)
def test_comments_docstrings_and_layout_change_nothing(load, old, new):
    assert old in TRAINING
    assert digits(load(TRAINING)) == digits(load(TRAINING.replace(old, new)))


@pytest.mark.parametrize(
    "plain, marked",
    [
        ('"there is no x"', '_("there is no x")'),
        ('f"{x.ndim:,} are too many"', '_("{count:,} are too many", count=x.ndim)'),
        ('f"{x!r} or {{}}, {SIZE}"', '_("{x!r} or {{}}, {size}", size=SIZE, x=x)'),
    ],
)
def test_a_text_that_is_marked_as_a_message_changes_nothing(load, plain, marked):
    def stops(said):
        refusal = f"    if x is None:\n        raise ValueError({said})\n"
        marks = "from lab.base.messages import _\nimport torch\n"
        text = TRAINING.replace("import torch\n", marks, 1)
        return text.replace('    """Train."""\n', refusal)

    before = digits(load(stops(plain)))
    assert digits(load(stops(marked))) == before != digits(load(TRAINING))


@pytest.mark.parametrize(
    "old, new",
    [
        ("helper", "scaled"),  # a function
        ("Model", "Network"),  # a class
        ("Base", "Reader"),
        ("TABLE", "READOUTS"),  # a table
        ("SIZE", "OFFSET"),  # a constant
        ("train(settings, x)", "train(settings, x: torch.Tensor) -> torch.Tensor"),
        ("(scale, x)", "(scale, y)"),  # what no code does
        ("scale * x", "scale * x"),
        ("lambda x: x.mean(0)", "lambda states: states.mean(0)"),  # a local variable
        ("settings", "chosen"),
        ("import torch\n", "import torch\nimport torch as t\n"),
    ],
)
def test_names_of_our_own_things_change_nothing(load, old, new):
    changed = re.sub(rf"(?<![\w.\"]){re.escape(old)}(?!\w)", lambda _: new, TRAINING)
    assert digits(load(TRAINING)) == digits(load(changed))


def test_a_local_variable_counts_by_its_place(load):
    text = (
        "def train(settings, x):\n    for {0} in range(3):\n        {1} = x * {0}\n    return {1}\n"
    )
    one, same, other = (load(text.format(*names)) for names in ("ab", "ba", "aa"))
    assert digits(one) == digits(same) != digits(other)


IMPORTS = {
    "by name": "from {m} import SIZE, helper\n",
    "by another name": "from {m} import SIZE as SIZE, helper as helper\n",
    "by its module": "import {m}\n",
    "by another name of its module": "import {m} as other\n",
}


@pytest.mark.parametrize("how", IMPORTS)
def test_a_thing_that_is_moved_and_imported_otherwise_changes_nothing(load, how):
    """Moved: a constant and a helper, to a module of their own."""
    start, end = TRAINING.index("def helper"), TRAINING.index("class Base")
    moved = TRAINING[start:end] + "\n\nSIZE = 3\n"
    module = load(moved).__name__
    left = TRAINING.replace(TRAINING[start:end], "").replace("SIZE = 3\n", "")
    text = left.replace("import torch\n", "import torch\n" + IMPORTS[how].format(m=module))
    if "module" in how:
        before = "other" if "another" in how else module
        text = text.replace("helper(self", f"{before}.helper(self").replace(
            "+ SIZE", f"+ {before}.SIZE"
        )
    assert digits(load(text)) == digits(load(TRAINING))


def in_a_kernel(text, function, folder, python=sys.executable):
    """Return the digits of a function in a process of its own; None if that Python is not there."""
    (folder / "training.py").write_text(text)
    script = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(folder)!r}];"
        "from pathlib import Path; from lab import config; from lab.base import hashing;"
        f"config.ROOT = Path({str(folder)!r});"
        f"import training; print(hashing.hash_code(training.{function}).digest)"
    )
    try:
        done = subprocess.run([python, "-B", "-c", script], capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def test_a_class_attribute_without_a_name_of_its_own_is_the_same_in_two_kernels(tmp_path):
    one, two = (in_a_kernel(TRAINING, "train", tmp_path) for _ in range(2))
    assert one == two is not None


SYNTAX = '''
decorator = lambda *a, **k: lambda function: function


@decorator(1, key="value")
async def f(a, /, b: int = 2, *rest, c=None, **more) -> dict[str, int]:
    """Docstring."""
    if (n := len(rest)) > 1_000 and not a:
        return {**more, f"{a!r:>{n}} {b=} {{}}": [x async for x in c], "t" "wo": ...}
    match a:
        case {"k": [1, *others], **more}:
            a = (lambda x, y=1e-3: x @ y)(*others, b"\\x00", 1j)
    with open(a) as x, b:
        raise ValueError from None
'''


def test_the_digits_are_those_of_every_python(tmp_path):
    """Written down once: Python 3.11, 3.12 and 3.13 gave them."""
    assert in_a_kernel(SYNTAX, "f", tmp_path) == "92a4cd327daac615"
    for python in ("python3.11", "python3.12", "python3.13"):
        assert in_a_kernel(SYNTAX, "f", tmp_path, python) in (None, "92a4cd327daac615")


def test_versions_are_recorded_and_are_no_part_of_the_identity(
    lesson, data, settings, tmp_path, cpu, monkeypatch
):
    record = record_of(settings(epochs=1), data, tmp_path)
    lesson.train_run(record.settings, data, record, cpu)
    assert record.result["torch"] == torch.__version__
    assert record.result["python"] == platform.python_version()
    code = hashing.hash_code(lesson.train_run)
    monkeypatch.setattr(torch, "__version__", "9.9.9")
    monkeypatch.setattr(platform, "python_version", lambda: "3.99.0")
    assert record_of(record.settings, data, tmp_path).result is not None  # found again
    assert hashing.hash_code(lesson.train_run) == code


def test_a_new_setting_at_its_default_renames_nothing(data, settings, tmp_path):
    @dataclasses.dataclass(frozen=True)
    class More(Settings):
        noise: float = setting(SHARE, 0.0)

    old = settings()
    same, other = (More(**dataclasses.asdict(old), noise=noise) for noise in (0.0, 0.1))
    assert record_of(same, data, tmp_path).name == record_of(old, data, tmp_path).name
    assert record_of(other, data, tmp_path).name != record_of(old, data, tmp_path).name


def test_a_new_setting_needs_a_rule():
    assert all("rule" in field.metadata for field in dataclasses.fields(Settings))
    with pytest.raises(LabError, match="decay is 1, not True or False"):
        Settings("R", "RNN", 8, 1, 0.1, 0, 1, 8, 8, decay=1).check()


@pytest.mark.parametrize(
    "old, new",
    [
        ('"mean": lambda x: x.mean(0)', '"mean": lambda x: x.sum(0)'),  # a changed table
        ('"last": lambda x: x[-1]}', '"first": lambda x: x[0]}'),  # one with another entry
        ("return scale * x", "return scale + x"),  # a helper that is only called
        ("scale=2.0", "scale=3.0"),  # the default of a called function
        ("SIZE = 3", "SIZE = 4"),  # a global constant
        ("act = torch.relu", "act = torch.tanh"),  # a class attribute
        ("return self.act(x)", "return self.act(-x)"),  # a base class
        ("return 1", "return 2"),  # a property
        ("return 2 * x", "return 3 * x"),  # a static method
        ("@torch.no_grad()\n    def run", "def run"),  # a decorator
        ("return Model().run(x) +", "return Model().run(x) -"),  # the function itself
    ],
)
def test_changed_code_gives_other_digits(load, old, new):
    assert old in TRAINING
    assert digits(load(TRAINING)) != digits(load(TRAINING.replace(old, new)))


def test_a_closure_counts(load):
    module = load(
        "def make(n):\n    def train(x):\n        return x + n\n    return train\n"
        "one, two = make(1), make(2)\n"
    )
    one, two, again = (hashing.hash_code(f) for f in (module.one, module.two, module.make(1)))
    assert one == again != two


CHOOSING = """
CELLS = {"RNN": lambda: 1, "GRU": lambda: 2}

def train(settings):
    return CELLS[settings.cell]()
"""


def test_a_table_counts_by_the_entry_that_a_run_takes(load, settings):
    rnn, gru = settings("RNN"), settings("GRU")
    code = hashing.hash_code(load(CHOOSING).train)
    more = hashing.hash_code(load(CHOOSING.replace("2}", '2, "Leaky": lambda: 3}')).train)
    other = hashing.hash_code(load(CHOOSING.replace("lambda: 2", "lambda: 4")).train)
    assert code.of(rnn) == more.of(rnn) == other.of(rnn)
    assert code.of(gru) == more.of(gru) != other.of(gru)


def test_a_table_that_is_read_otherwise_too_counts_whole(load, settings):
    whole = CHOOSING + "\ndef others():\n    return len(CELLS)\n"
    whole = whole.replace("()\n\ndef", "() + others()\n\ndef")
    code = hashing.hash_code(load(whole).train)
    more = hashing.hash_code(load(whole.replace("2}", '2, "Leaky": lambda: 3}')).train)
    assert code.of(settings("RNN")) != more.of(settings("RNN"))


def test_settings_are_seen_under_any_name(load):
    text = """
    class Model:
        def __init__(self, sizes, more, chosen):
            self.two_way = chosen.bidirectional

    MODELS = {"one": Model}

    def rate(of_run):
        return of_run.decay

    def train(s, data, record, device):
        return rate(of_run=s), MODELS[s.network](*data, s), data.dropout, record.settings.keep
    """
    reads = hashing.hash_code(load(text).train).reads
    assert reads == {"network", "decay", "bidirectional", "keep"}


def test_a_global_object_that_nobody_can_tell_from_others_is_refused(load):
    with pytest.raises(LabError, match=r"reads frame, a DataFrame.*Hand it to the function"):
        digits(load("import pandas\nframe = pandas.DataFrame()\ndef train(): return frame\n"))


@pytest.mark.parametrize(
    "old, new", [("return scale * x", "return scale + x"), ("return 1", "retur 1")]
)
def test_a_module_that_changed_after_its_import_is_refused_in_one_sentence(load, old, new):
    module = load(TRAINING)
    before = digits(module)
    file = Path(module.__file__)
    file.write_text(TRAINING.replace(old, new))
    with pytest.raises(LabError, match=rf"{file.name} has changed since it was imported.*Restart"):
        hashing.hash_code(module.train)
    file.write_text(TRAINING)
    assert digits(module) == before


def test_a_module_whose_comments_changed_after_its_import_is_not_refused(load):
    module = load(TRAINING)
    before = digits(module)
    text = TRAINING.replace("# the mean", "# the average").replace('"""Train."""', '"""Learn."""')
    Path(module.__file__).write_text("# new\n\n" + text)
    assert digits(module) == before


def test_several_threads_read_sources_at_once():
    """ast.parse itself fails here on Python 3.11: a collection lets another thread come between."""

    class Garbage:
        def __init__(self):
            self.cycle = self

        def __del__(self):
            time.sleep(0)  # the other thread's turn

    def read(source):
        [Garbage() for _ in range(500)]
        return len(parse(source).body)

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(read, [Path(config.__file__).read_text()] * 60))) == 1


def test_source_that_is_gone_is_said_in_a_sentence():
    namespace = {"__name__": "__main__"}
    exec(compile("def gone(): pass", "<cell that is gone>", "exec"), namespace)
    with pytest.raises(LabError, match="Restart the kernel"):
        hashing.hash_code(namespace["gone"])


def test_a_constant_that_changed_on_the_disk_is_refused_where_it_is_imported_anew(load):
    """The kernel trains with the old one, and says so; a worker would train with the new one."""
    module = load(TRAINING)
    code_hash = hashing.hash_code(module.train)
    code_hash.check_imports()
    module.SIZE = 4  # as a worker would have imported it
    with pytest.raises(LabError, match=r"The lab's code has changed since it was imported"):
        code_hash.check_imports()


def test_a_worker_refuses_code_that_changed_since_the_sweep_began(data, settings, tmp_path):
    def train(settings, data, record, device):
        raise AssertionError("it must not come to this")

    code = dataclasses.replace(CODE, imported=("utils:POOL",), imported_digest="other digits")
    with pytest.raises(LabError, match=r"The lab's code has changed since it was imported"):
        sweep([settings("RNN"), settings("GRU")], train, data, code, tmp_path, workers=2)


def test_the_notebooks_training_is_followed_to_the_end(lesson):
    modules = {name.partition(":")[0] for name in lesson.code_hash.imported}
    assert modules == {
        *("lab.notebooks.lesson", "lab.exercises.solutions", "lab.models.initialization"),
        *("lab.experiments.loop", "lab.experiments.run", "utils"),
    }
    assert set(lesson.code_hash.choices["cell"]) == {"RNN", "LSTM", "GRU"}
    assert lesson.code_hash != lesson.language_code_hash


@pytest.mark.parametrize(
    "owner, name, value",
    [(utils, "POOL", 3), (utils, "_bucket", lambda *_: []), (loop, "falling_rate", lambda *_: [])],
)
def test_what_was_changed_in_a_kernel_alone_is_refused_or_seen(
    lesson, monkeypatch, owner, name, value
):
    before = hashing.hash_code(lesson.train_run)
    monkeypatch.setattr(owner, name, value)
    try:
        assert hashing.hash_code(lesson.train_run) != before
    except LabError as error:
        assert "has changed since it was imported" in str(error)


def test_a_setting_that_a_training_does_not_look_at_is_refused(lesson, recipes, data, tmp_path):
    """It would be another run than its settings say."""
    pooled = Settings("R", "RNN", 8, 1, 0.1, 0, 1, 8, 8, readout="pooled")
    with pytest.raises(LabError, match="does not look at readout"):
        sweep([pooled], lesson.train_run, data, lesson.code_hash, tmp_path, workers=1)
    code = recipes.variant_code_hash
    assert sweep([pooled], recipes.train_variant, data, code, tmp_path, workers=1)[0].result
