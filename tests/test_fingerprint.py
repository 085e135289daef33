"""What makes a run the same run: settings that were changed, data, and the code that runs."""

import ast
import dataclasses
import importlib.util
import itertools
import json
import platform
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from helpers import CODE, record_of

import utils
from lab import config, fingerprint, given, runs, source, training
from lab.config import LabError
from lab.sweep import sweep

ROOT = Path(__file__).parents[1]
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
    return fingerprint.of(module.train).digest


# ── what changes nothing ────────────────────────────────────────────────────────────────────────


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


def test_a_class_attribute_without_a_name_of_its_own_is_the_same_in_two_kernels(tmp_path):
    (tmp_path / "training.py").write_text(TRAINING)
    script = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(tmp_path)!r}];"
        "from pathlib import Path; from lab import config, fingerprint;"
        f"config.ROOT = Path({str(tmp_path)!r});"
        "import training; print(fingerprint.of(training.train).digest)"
    )
    said = {
        subprocess.run(
            [sys.executable, "-B", "-c", script], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(said) == 1


SYNTAX = '''
@decorator(1, key="value")
def f(a, /, b: int = 2, *rest, c=None, **more) -> dict[str, int]:
    """Docstring."""
    if (n := len(rest)) > 1_000 and not a:
        return {**more, f"{a!r:>{n}} {b=} {{}}": [x async for x in c], "t" "wo": ...}
    match a:
        case {"k": [1, *others]} | None:
            yield from (lambda x, y=1e-3: x @ y)(*others, b"\\x00", 1j)
    with open(a) as x, b:
        raise ValueError from None
'''


def test_the_digits_are_those_of_every_python():
    """Written down once: Python 3.11, 3.12 and 3.13 gave them."""
    assert fingerprint.digest(source.canonical(ast.parse(SYNTAX))) == "86ef1c381d440503"


def test_other_pythons_on_this_machine_give_the_same_digits():
    script = (
        f"import ast, sys; sys.path.insert(0, {str(ROOT)!r});"
        "from lab.config import ROOT; from lab.fingerprint import digest;"
        "from lab.source import canonical;"
        "files = sorted(ROOT.glob('lab/*.py')) + [ROOT / 'utils.py'];"
        "print([digest(canonical(ast.parse(file.read_text('utf-8')))) for file in files])"
    )
    said = {}
    for python in (sys.executable, "python3.11", "python3.12", "python3.13"):
        try:
            done = subprocess.run([python, "-c", script], capture_output=True, text=True)
        except FileNotFoundError:
            continue
        if done.returncode == 0:
            said[python] = done.stdout
    assert sys.executable in said and len(set(said.values())) == 1


def test_a_device_is_no_part_of_the_identity():
    """last_state says where the lengths must be; without that it computes the same."""
    states, length = torch.zeros(2, 3, 4), torch.tensor([1, 2, 2])
    assert given.beside(length, states) is length
    text = source.text_of(given.__file__)
    shown = ast.unparse(source.definition_of(given.last_state))
    assert "(length - 1).view(1, -1, 1)" in shown and "beside" not in shown
    assert "beside(length - 1, states)" in text


def test_another_function_of_that_name_counts(load):
    def of(name):
        other = TRAINING.replace("helper(self", f"{name}(self").replace("def helper", f"def {name}")
        return fingerprint.of(load(other).train).digest

    assert of("beside") != of("helper")


def test_versions_are_recorded_and_are_no_part_of_the_identity(
    lesson, data, settings, tmp_path, cpu, monkeypatch
):
    record = record_of(settings(epochs=1), data, tmp_path)
    lesson.train_run(record.settings, data, record, cpu)
    assert record.result["torch"] == torch.__version__
    assert record.result["python"] == platform.python_version()
    code = fingerprint.of(lesson.train_run)
    monkeypatch.setattr(torch, "__version__", "9.9.9")
    monkeypatch.setattr(platform, "python_version", lambda: "3.99.0")
    assert record_of(record.settings, data, tmp_path).result is not None  # found again
    assert fingerprint.of(lesson.train_run) == code


def test_a_new_setting_at_its_default_renames_nothing(data, settings, tmp_path):
    @dataclasses.dataclass(frozen=True)
    class More(runs.Settings):
        noise: float = runs.setting(runs.SHARE, 0.0)

    old = settings()
    same, other = (More(**dataclasses.asdict(old), noise=noise) for noise in (0.0, 0.1))
    assert record_of(same, data, tmp_path).name == record_of(old, data, tmp_path).name
    assert record_of(other, data, tmp_path).name != record_of(old, data, tmp_path).name


def test_a_new_setting_needs_a_rule():
    assert all("rule" in field.metadata for field in dataclasses.fields(runs.Settings))
    with pytest.raises(LabError, match="decay is 1, not True or False"):
        runs.Settings("R", "RNN", 8, 1, 0.1, 0, 1, 8, 8, decay=1).check()


# ── what makes another run ──────────────────────────────────────────────────────────────────────


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


def test_changed_code_in_another_module_gives_other_digits(load):
    first, second = load("LEVEL = 1\n"), load("LEVEL = 2\n")
    texts = [
        f"import {m.__name__} as other\ndef train(x):\n    return other.LEVEL\n"
        for m in (first, second)
    ]
    assert digits(load(texts[0])) != digits(load(texts[1]))


def test_a_closure_counts(load):
    module = load(
        "def make(n):\n    def train(x):\n        return x + n\n    return train\n"
        "one, two = make(1), make(2)\n"
    )
    one, two, again = (fingerprint.of(f) for f in (module.one, module.two, module.make(1)))
    assert one == again != two


CHOOSING = """
CELLS = {"RNN": lambda: 1, "GRU": lambda: 2}

def train(settings):
    return CELLS[settings.cell]()
"""


def test_a_table_counts_by_the_entry_that_a_run_takes(load, settings):
    rnn, gru = settings("RNN"), settings("GRU")
    code = fingerprint.of(load(CHOOSING).train)
    more = fingerprint.of(load(CHOOSING.replace("2}", '2, "Leaky": lambda: 3}')).train)
    other = fingerprint.of(load(CHOOSING.replace("lambda: 2", "lambda: 4")).train)
    assert code.of(rnn) == more.of(rnn) == other.of(rnn)
    assert code.of(gru) == more.of(gru) != other.of(gru)


def test_a_table_that_is_read_otherwise_too_counts_whole(load, settings):
    whole = CHOOSING + "\ndef others():\n    return len(CELLS)\n"
    whole = whole.replace("()\n\ndef", "() + others()\n\ndef")
    code = fingerprint.of(load(whole).train)
    more = fingerprint.of(load(whole.replace("2}", '2, "Leaky": lambda: 3}')).train)
    assert code.of(settings("RNN")) != more.of(settings("RNN"))


def test_a_global_object_that_nobody_can_tell_from_others_is_refused(load):
    with pytest.raises(LabError, match=r"reads frame, a DataFrame.*Hand it to the function"):
        digits(load("import pandas\nframe = pandas.DataFrame()\ndef train(): return frame\n"))


# ── the code that runs ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "old, new",
    [("return scale * x", "return scale + x"), ("SIZE = 3", "SIZE = 4"), ("return 1", "retur 1")],
)
def test_a_module_that_changed_after_its_import_is_refused_in_one_sentence(load, old, new):
    module = load(TRAINING)
    before = digits(module)
    file = Path(module.__file__)
    file.write_text(TRAINING.replace(old, new))
    with pytest.raises(LabError, match=rf"{file.name} has changed since it was imported.*Restart"):
        fingerprint.of(module.train)
    file.write_text(TRAINING)
    assert digits(module) == before


def test_a_module_whose_comments_changed_after_its_import_is_not_refused(load):
    module = load(TRAINING)
    before = digits(module)
    text = TRAINING.replace("# the mean", "# the average").replace('"""Train."""', '"""Learn."""')
    Path(module.__file__).write_text("# new\n\n" + text)
    assert digits(module) == before


def test_source_that_is_gone_is_said_in_a_sentence():
    namespace = {"__name__": "__main__"}
    exec(compile("def gone(): pass", "<cell that is gone>", "exec"), namespace)
    with pytest.raises(LabError, match="Restart the kernel"):
        fingerprint.of(namespace["gone"])


def test_a_worker_refuses_code_that_changed_since_the_sweep_began(data, settings, tmp_path):
    def train(settings, data, record, device):
        raise AssertionError("it must not come to this")

    code = dataclasses.replace(CODE, files={"utils.py": "other digits"})
    with pytest.raises(LabError, match=r"utils\.py has changed since it was imported"):
        sweep([settings("RNN"), settings("GRU")], train, data, code, tmp_path, workers=2)


def test_the_notebooks_training_is_followed_to_the_end(lesson):
    assert set(lesson.code.files) == {
        *("build/lab2_cells.py", "lab/given.py", "lab/recurrent.py", "lab/runs.py"),
        *("lab/training.py", "utils.py"),
    }
    assert set(lesson.code.choices["cell"]) == {"RNN", "LSTM", "GRU"}
    assert lesson.code != lesson.language_code


@pytest.mark.parametrize(
    "owner, name, value",
    [
        (utils, "POOL", 3),
        (utils, "_bucket", lambda *_: []),
        (training, "falling_rate", lambda *_: []),
    ],
)
def test_what_was_changed_in_a_kernel_alone_is_refused_or_seen(
    lesson, monkeypatch, owner, name, value
):
    before = fingerprint.of(lesson.train_run)
    monkeypatch.setattr(owner, name, value)
    try:
        assert fingerprint.of(lesson.train_run) != before
    except LabError as error:
        assert "has changed since it was imported" in str(error)


def test_what_was_asked_for_is_written_in_full(data, settings, tmp_path):
    record = record_of(settings(), data, tmp_path)
    asked = json.loads(json.dumps(record.asked))
    assert asked == {**dataclasses.asdict(settings()), "data": data.fingerprint, "code": "code"}
    assert "clip_norm" not in settings().changed() and "learning_rate" in settings().changed()


def test_a_setting_that_a_training_does_not_look_at_is_refused(lesson, recipes, data, tmp_path):
    """It would be another run than its settings say."""
    pooled = runs.Settings("R", "RNN", 8, 1, 0.1, 0, 1, 8, 8, readout="pooled")
    with pytest.raises(LabError, match="does not look at readout"):
        sweep([pooled], lesson.train_run, data, lesson.code, tmp_path, workers=1)
    code = recipes.variant_code
    assert sweep([pooled], recipes.train_variant, data, code, tmp_path, workers=1)[0].result
