"""Fixtures: the notebook's own definitions, and small data that look like the real ones."""

import dataclasses
import importlib
import json
import os

import mutants
import nbformat
import numpy as np
import pretended_gpu
import pytest
import torch
from helpers import ROOT, forget_the_gpu

import utils
from grading import key
from lab import config
from lab.base import machine
from lab.datasets import imdb, token_stream
from lab.experiments.settings import Settings
from tools.teachers import student_edition


@pytest.fixture(scope="session")
def notebook():
    return nbformat.read(ROOT / "lab2.ipynb", as_version=4)


def definitions(name):
    """Return a fixture: the definitions of a notebook, as a module."""

    @pytest.fixture(scope="session", name=name)
    def module():
        return importlib.import_module(f"lab.notebooks.{name}")

    return module


lesson, recipes = definitions("lesson"), definitions("recipes")
transfer, gradients = definitions("transfer"), definitions("gradients")
parallel, past = definitions("parallel"), definitions("past")


@pytest.fixture(scope="session")
def edition():
    """The files of the student's edition: path -> content."""
    return student_edition.contents()


@pytest.fixture(scope="session")
def lab(edition):
    """The student's notebook, as JSON."""
    return json.loads(edition["lab2.ipynb"])


@pytest.fixture(scope="session")
def keys(lab):
    """The present key, by the edition that it is of."""
    return {lab["metadata"]["lab2"]["edition"]: key.present()}


@pytest.fixture(scope="session")
def solved():
    """The answers of the solved notebooks: id -> source."""
    return mutants.solved_cells()


@pytest.fixture(autouse=True, scope="session")
def cpu_alone():
    """On a machine with a GPU the tests, and the processes that they start, use the CPU too.

    There one process trains after another, and adds in another order. Tests of devices unset it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB2_DEVICE", "cpu")
        yield


@pytest.fixture(autouse=True)
def no_settings_of_the_reader(monkeypatch, cpu_alone):
    """Whatever LAB2_* variables the reader has set, the tests do not see them."""
    for name in [name for name in os.environ if name.startswith("LAB2_")]:
        if name != "LAB2_DEVICE":
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def torch_as_in_the_lab():
    machine.prepare_torch()


def encoded(count, words, seed, longest=12):
    """Random reviews whose label is whether word 2 stands in them."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, longest + 1, count)
    tokens = generator.integers(3, words, lengths.sum()).astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    labels = generator.integers(0, 2, count).astype(np.float32)
    tokens[starts[1:][labels == 1] - 1] = 2
    return utils.EncodedReviews(tokens, starts, labels)


@pytest.fixture
def data():
    vectors = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
    vectors[:2] = 0
    return utils.LabData(encoded(96, 30, 1), encoded(40, 30, 2), encoded(40, 30, 3), vectors)


@pytest.fixture
def settings():
    """Make settings of a small run."""

    def make(cell="GRU", seed=0, epochs=3, **changes):
        base = {"network": f"{cell}-8", "cell": cell, "hidden_dim": 8, "num_layers": 1}
        run = {"learning_rate": 0.02, "seed": seed, "epochs": epochs, "batch_size": 16}
        return Settings(**{**base, **run, "max_length": 10, **changes})

    return make


@pytest.fixture
def language_data(data):
    streams = (token_stream.make_stream(data.train, 0), token_stream.make_stream(data.valid))
    return token_stream.LanguageData(*streams, data.vectors, characters=1000, parts=2)


@pytest.fixture
def language_settings(settings):
    def make(cell="GRU", **changes):
        return settings(cell, **{"epochs": 6, "max_length": 5, "batch_size": 4, **changes})

    return make


@pytest.fixture
def official(tmp_path):
    """Make a tiny folder in the official layout and return its `aclImdb`."""

    def make(films=40, halves=("train", "test"), per_film=3):
        for half in halves:
            for name in imdb.LABELS:
                folder = tmp_path / "aclImdb" / half / name
                folder.mkdir(parents=True)
                count = films * per_film
                titles = [f"tt{half == 'test':d}{i // per_film:06d}" for i in range(count)]
                urls = "".join(f"http://www.imdb.com/title/{t}/usercomments\n" for t in titles)
                (folder.parent / f"urls_{name}.txt").write_text(urls)
                for i in range(count):
                    text = f"{half} {name} number {i}<br /><br />of film {titles[i]}"
                    (folder / f"{i}_{9 if name == 'pos' else 2}.txt").write_text(text)
        return tmp_path / "aclImdb"

    return make


@pytest.fixture
def small_profile():
    tiny = config.get_profile("tiny")
    return dataclasses.replace(tiny, train=None, valid=30, test=30, max_length=10, epochs=2)


@pytest.fixture
def a_gpu(monkeypatch):
    """A pretended GPU, before anybody has chosen it."""
    monkeypatch.delenv("LAB2_DEVICE")
    monkeypatch.setattr(torch.backends.cudnn, "is_acceptable", lambda tensor: False)
    with pretended_gpu.pretend():
        yield torch.device("cuda")
    forget_the_gpu()


@pytest.fixture
def cpu():
    return torch.device("cpu")
