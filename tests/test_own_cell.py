"""A cell of one's own: registered by one line, it is in every list, figure and table."""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import utils
from lab import config, figures, fingerprint, results, statistics, tables
from lab.language import LanguageData
from lab.sweep import sweep

LEAK = 0.3


def leaky_cell(x, h, w_ih, w_hh, b_ih, b_hh):
    """One step of a leaky RNN: most of the old state stays."""
    return (1 - LEAK) * h + LEAK * torch.tanh(x @ w_ih.T + b_ih + h @ w_hh.T + b_hh)


class LeakyLayer(nn.RNN):
    """The cell for all steps: x (T, B, E), h (1, B, H) or None -> states (T, B, H), the last."""

    def forward(self, x, h=None):
        h = x.new_zeros(x.shape[1], self.hidden_size) if h is None else h[0]
        states = []
        for x_t in x:
            h = leaky_cell(x_t, h, *self.all_weights[0])
            states.append(h)
        return torch.stack(states), h[None]


@pytest.fixture
def registered(lesson, monkeypatch):
    """The lesson with the leaky cell, for one test; and the code of the others before and after."""
    for name in ("CELLS", "STEPS", "LANGUAGE_STEPS", "SIX", "SCRATCH"):
        monkeypatch.setattr(lesson, name, dict(getattr(lesson, name)))
    monkeypatch.setattr(lesson, "OF_EACH_CELL", list(lesson.OF_EACH_CELL))

    class Leaky(lesson.RecurrentClassifier):
        recurrent_layer = LeakyLayer

    lesson.register_cell("Leaky", Leaky, scratch=leaky_cell)
    return lesson


@pytest.fixture
def small(data):
    """A profile as short as can be, and a text for the language model."""
    profile = dataclasses.replace(
        config.get_profile("tiny"), epochs=1, max_length=8, labelled=(20, 0), seeds=2
    )
    stream = np.random.default_rng(0).integers(1, 30, 700)
    return profile, LanguageData(stream[:500], stream[500:], data.vectors, 900, parts=2)


def of_the_cell(run_list):
    own = [run for run in run_list if run.cell == "Leaky"]
    assert own
    return own


def test_every_list_figure_and_table_has_it(registered, small, data, tmp_path, monkeypatch):
    monkeypatch.setenv("LAB2_OUT", str(tmp_path))
    lesson, (profile, stream) = registered, small
    tuning, _ = results.find_reference("tuning", "quick")  # which does not know it
    code = fingerprint.of(lesson.train_run)

    def train(run_list):
        return sweep(of_the_cell(run_list), lesson.train_run, data, code, workers=1)

    records = train(lesson.report_list(profile))
    results.export_results(records)
    six, curves = results.load_results()
    assert tables.comparison_table(six).index.tolist() == ["Leaky-256"]
    figures.plot_curves(curves, "accuracy")
    tuned = train(lesson.tuning_list(profile))
    results.export_results(tuned, prefix="tuning_")
    assert tables.tuning_table(results.load_results(prefix="tuning_")[0]).data.shape == (1, 3)
    train(lesson.fair_list(profile, 6, tuning))
    seeds = train(lesson.seed_list(profile, tuning, lesson.OF_EACH_CELL, range(profile.seeds)))
    results.export_predictions(seeds, data.test, "seeds")
    correct = results.read_predictions("seeds").correct
    assert statistics.accuracy_table(correct).loc["Leaky-256", "runs"] == 2
    ladder = lesson.ladder(profile, "Leaky-256", lesson.own_step(tuning, "Leaky-256"))
    assert len(train(list(ladder.values())[:2])) == 2
    models = lesson.models_to_follow(profile, data, records)
    table = lesson.gradient_table(models, lesson.long_reviews(data.valid, 6, count=5))
    figures.plot_gradients(table)
    assert set(table["network"]) == {"Leaky-256"} and (table["median"] > 0).all()
    assert lesson.inside(models["trained"]["Leaky-256"], "Leaky", torch.ones(4, 1).long())
    language = of_the_cell(lesson.language_list(profile))
    (reader,) = sweep(
        language, lesson.train_language, stream, fingerprint.of(lesson.train_language)
    )
    starts = dict.fromkeys(("RNN", "LSTM", "GRU"), "") | {"Leaky": reader.name}
    fair = lesson.seed_list(profile, tuning, lesson.OF_EACH_CELL, range(1))
    train(lesson.transfer_list(profile, fair, starts, data.train)[-2:])
    plt.close("all")


def test_the_runs_of_the_other_cells_stay_what_they_were(lesson, registered):
    code = fingerprint.of(registered.train_run)
    for run in registered.report_list(config.get_profile("tiny")):
        if run.cell != "Leaky":
            assert code.of(run) == lesson.code.of(run)
    assert isinstance(pd.Series(code.choices["cell"])["Leaky"], str)
    assert utils.PADDING_INDEX == 1
