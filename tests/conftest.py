"""Fixtures: the notebook's own definitions, and small data that look like the real ones."""

from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
import torch
from notebook_cells import definitions

import experiment
import utils

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def notebook():
    return nbformat.read(ROOT / "lab2.ipynb", as_version=4)


@pytest.fixture(scope="session")
def lab(notebook):
    """The notebook's own definitions."""
    return SimpleNamespace(**definitions(notebook))


@pytest.fixture(autouse=True)
def torch_as_in_the_lab():
    utils.prepare_torch(threads=1)


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
        return experiment.Settings(**{**base, **run, "max_length": 10, **changes})

    return make


@pytest.fixture
def official(tmp_path):
    """Make a tiny folder in the official layout and return its `aclImdb`."""

    def make(films=40, halves=("train", "test"), per_film=3):
        for half in halves:
            for name in utils.LABELS:
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
def tiny_profile():
    return utils.Profile("tiny", None, 30, 30, 10, 2, 8)


@pytest.fixture
def cpu():
    return torch.device("cpu")
