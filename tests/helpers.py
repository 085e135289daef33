"""What several test files need: records of small runs, hand-ins, notebooks that are executed."""

import ast
import contextlib
import copy
import io
import json
import os
import re
import stat
import types
import zipfile
from pathlib import Path

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient

from grading.submissions import Submission
from lab.base import files, machine, messages
from lab.base.hashing import CodeHash
from lab.exercises import answer_cells
from lab.experiments.run import Checkpoint, RunRecord
from tools.teachers import student_edition

ROOT = Path(__file__).parents[1]
NOTEBOOK = "lab2.ipynb"
CODE = CodeHash("code")  # where the code of a training is not what is tested


class Killed(BaseException):
    """Stands for a process that is gone at once."""


def imports_of(path, **options):
    """Return what a file of Python imports, as dotted names."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"), **options)))
    modules = [(n, "") for n in nodes if isinstance(n, ast.Import)]
    modules += [(n, f"{n.module}.") for n in nodes if isinstance(n, ast.ImportFrom)]
    return [module + alias.name for node, module in modules for alias in node.names]


def record_of(settings, data, folder):
    return RunRecord(settings, data.fingerprint, CODE.of(settings), folder)


def trained(lesson, settings, data, folder):
    """Return the record of a small run that is finished."""
    record = record_of(settings, data, folder)
    lesson.train_run(settings, data, record, torch.device("cpu"))
    return record


def outcome(record):
    """Return everything a run leaves that must not depend on how it came about."""
    timing = ("seconds", "tokens_per_second")
    curve = [{k: v for k, v in row.items() if k not in timing} for row in record.curve]
    weights = torch.load(record.folder / "best.pt", weights_only=True)
    probability = files.load_arrays(record.folder / "test.npz")["probability"]
    return curve, {k: v.tolist() for k, v in weights.items()}, probability.tolist()


def stopped_after(epochs, train, data, record, device):
    """Train until so many epochs are saved, and stop there as a killed process does."""
    save = Checkpoint.save_epoch

    def save_and_die(self, model, optimizer, curve):
        save(self, model, optimizer, curve)
        if len(curve) == epochs:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "save_epoch", save_and_die)
        with pytest.raises(Killed):
            train(record.settings, data, record, device)


def forget_the_gpu():
    """Undo what `machine.prepare_torch` has set for all of a process with a GPU."""
    torch.nn.modules.module._global_forward_pre_hooks.clear()
    torch.nn.modules.module._global_forward_hooks.clear()
    machine._spare_the_adaptive_softmax.cache_clear()
    torch.use_deterministic_algorithms(False)


class Kernel:
    """IPython's shell in this process, with names of its own."""

    def __init__(self, folder):
        module = types.ModuleType("a_notebook")
        self.names, own = module.__dict__, str(folder)
        self.shell = InteractiveShell(user_module=module, user_ns=self.names, ipython_dir=own)

    def run(self, source):
        """Run a cell; return what it prints."""
        with contextlib.redirect_stdout(io.StringIO()) as out:
            self.shell.run_cell(source, store_history=True)
        return out.getvalue()

    def close(self):
        self.shell.history_manager.end_session()


def execute(notebook, folder=ROOT):
    """Run all cells of a notebook in a folder of the lab, as a reader would; return what came."""
    options = {"kernel_name": "python3", "resources": {"metadata": {"path": str(folder)}}}
    return NotebookClient(copy.deepcopy(notebook), timeout=600, **options).execute()


def said(notebook):
    """Return all that the cells of a notebook have printed."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.text for output in outputs if output.output_type == "stream")


def filled(notebook, sources):
    """Return a student's notebook, as JSON, with some answers in it: name -> source of the cell."""
    notebook = copy.deepcopy(notebook)
    for name, ones in answer_cells.find(notebook["cells"]).items():
        if name in sources:
            notebook["cells"][ones[0].place]["source"] = sources[name]
    return notebook


def folder_with(edition, folder, **sources):
    """Write a student's folder, with some answers in its notebooks; return the first notebook."""
    student_edition.write(folder, edition)
    for path in (folder / NOTEBOOK, *(folder / "further").glob("*.ipynb")):
        notebook = filled(json.loads(path.read_text(encoding="utf-8")), sources)
        path.write_text(json.dumps(notebook), encoding="utf-8")
    return folder / NOTEBOOK


def hand_in_of(notebook):
    """Return a hand-in: of a notebook as JSON, or of bytes of any kind."""
    content = notebook if isinstance(notebook, bytes) else json.dumps(notebook).encode()
    return Submission("anna", "", "anna.ipynb", content, 0.0)


class Link(bytes):
    """Where a link leads, in the place of a file's content."""


def zipped(files, letters="utf-8"):
    """An archive; letters: in which its names are, without saying so where it is GBK."""

    class Info(zipfile.ZipInfo):
        def _encodeFilenameFlags(self):
            return self.filename.encode("gbk"), self.flag_bits & ~0x800

    kind, content = Info if letters == "gbk" else zipfile.ZipInfo, io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, inside in files.items():
            info = kind(name)
            info.external_attr = (stat.S_IFLNK if isinstance(inside, Link) else 0) << 16
            archive.writestr(info, inside, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def write(folder, files):
    """Write files and links; a name that ends in a slash is an empty folder. Return the folder."""
    for name, content in files.items():
        path = folder / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            path.symlink_to(os.fsdecode(content))
        elif not name.endswith("/"):
            path.write_bytes(content)
    return folder


def in_brackets(monkeypatch):
    """Let the reader's language be one in which each of our texts stands in «brackets»."""
    monkeypatch.setenv("LAB2_LANGUAGE", "en")  # what names another is put back afterwards
    monkeypatch.setattr(messages, "catalogue", lambda language: "«{}»".format)


def outside(text):
    """Return what of a text stands in no «brackets», nested ones taken out together."""
    while text != (text := re.sub("«[^«»]*»", " ", text)):
        pass
    return text.strip()
