"""A cell of one's own: registered by one line, it is in every list, figure and table."""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import nn

import utils
from lab import config
from lab.analysis import figures, statistics, tables
from lab.base import hashing
from lab.datasets.token_stream import LanguageData
from lab.experiments import reference, results, run_lists
from lab.experiments.sweep import sweep
from lab.models.parallel import min_gru_cell

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
    for name in ("CELLS", "RATES", "LANGUAGE_RATES", "SIX", "OF_EACH_CELL", "SCRATCH"):
        monkeypatch.setattr(lesson, name, dict(getattr(lesson, name)))

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


def test_code_that_was_noted_before_the_cell_was_there_is_noted_again(
    lesson, registered, small, data, tmp_path, monkeypatch
):
    monkeypatch.setenv("LAB2_OUT", str(tmp_path))
    runs = run_lists.default_list(small[0], registered.SIX)
    (record,) = sweep(of_the_cell(runs), lesson.train_run, data, lesson.code_hash, workers=1)
    assert record.result and record.sources["code"] != lesson.code_hash.of(record.settings)


def of_the_cell(run_list):
    own = [run for run in run_list if run.cell == "Leaky"]
    assert own
    return own


def test_every_list_figure_and_table_has_it(registered, small, data, tmp_path, monkeypatch):
    monkeypatch.setenv("LAB2_OUT", str(tmp_path))
    lesson, (profile, _) = registered, small
    tuning, _ = reference.find("tuning", "quick")  # which does not know it
    code = hashing.hash_code(lesson.train_run)

    def train(run_list):
        return sweep(of_the_cell(run_list), lesson.train_run, data, code, workers=1)

    records = train(run_lists.default_list(profile, lesson.SIX))
    results.export_results(records)
    six, curves = results.load_results()
    assert tables.comparison_table(six, six).index.tolist() == ["Leaky-256"]
    figures.plot_curves({"here": curves}, "accuracy")
    tried = train(run_lists.tuning_list(profile, lesson.SIX, lesson.RATES))
    results.export_results(tried, prefix="tuning_")
    assert tables.tuning_table(results.load_results(prefix="tuning_")[0]).shape == (1, 3)
    rates = run_lists.choose_rates(tuning, lesson.SIX, lesson.RATES)
    assert rates["Leaky-256"] == 3e-4
    seeds = train(run_lists.tuned_list(profile, lesson.OF_EACH_CELL, rates, range(profile.seeds)))
    results.export_predictions(seeds, data.test, "seeds")
    correct = results.read_predictions("seeds").correct
    assert statistics.accuracy_table(correct).loc["Leaky-256", "runs"] == 2
    models = {"Leaky-256": records[0].checkpoint.load_best(lesson.build_model(
        records[0].settings, data.vectors))}  # fmt: skip
    table = lesson.gradient_table(models, utils.long_reviews(data.valid, 6, count=5))
    figures.plot_gradients({"trained": table})
    assert set(table["network"]) == {"Leaky-256"} and (table["median"] > 0).all()
    plt.close("all")


def test_the_further_notebooks_know_it_too(
    registered, small, data, tmp_path, recipes, transfer, gradients, monkeypatch
):
    monkeypatch.setenv("LAB2_OUT", str(tmp_path))
    lesson, (profile, stream) = registered, small
    monkeypatch.setattr(recipes, "CELLS", lesson.CELLS)
    steps = recipes.ablation_steps(profile, "Leaky-256", 3e-4)
    pooled = [steps["+ pooled readout"]]
    assert sweep(pooled, recipes.train_variant, data, hashing.hash_code(recipes.train_variant))
    models = {"Leaky-256": lesson.build_model(steps["default recipe"], data.vectors)}
    assert gradients.inside(models["Leaky-256"], "Leaky", torch.ones(4, 1).long())
    read = run_lists.language_list(profile, lesson.OF_EACH_CELL, lesson.LANGUAGE_RATES)
    train = lesson.train_language
    (reader,) = sweep(of_the_cell(read), train, stream, hashing.hash_code(train), workers=1)
    starts = dict.fromkeys(("RNN", "LSTM", "GRU"), "") | {"Leaky": reader.name}
    own = dict.fromkeys(lesson.OF_EACH_CELL, 1e-3)
    tuned = run_lists.tuned_list(profile, lesson.OF_EACH_CELL, own)
    pairs = transfer.transfer_list(profile, tuned, starts, data.train)
    train = transfer.train_transfer
    pair = sweep(of_the_cell(pairs)[-2:], train, data, hashing.hash_code(train), workers=1)
    assert len(pair) == 2


def test_a_cell_whose_gates_see_the_word_alone_is_taken_too(
    lesson, small, data, tmp_path, monkeypatch, parallel
):
    """Lists, figures and tables take minGRU, whose layer has no W_hh."""
    monkeypatch.setenv("LAB2_OUT", str(tmp_path))
    for name in ("CELLS", "RATES", "LANGUAGE_RATES", "SIX", "OF_EACH_CELL", "SCRATCH"):
        monkeypatch.setattr(lesson, name, dict(getattr(lesson, name)))
    lesson.register_cell("minGRU", parallel.MinGRU, scratch=min_gru_cell)
    runs = [run for run in run_lists.default_list(small[0], lesson.SIX) if run.cell == "minGRU"]
    code = hashing.hash_code(lesson.train_run)
    records = sweep(runs, lesson.train_run, data, code, workers=1)
    results.export_results(records)
    table, curves = results.load_results()
    assert tables.comparison_table(table, table).index.tolist() == ["minGRU-256"]
    figures.plot_curves({"here": curves}, "accuracy")
    model = records[0].checkpoint.load_best(lesson.build_model(runs[0], data.vectors))
    batch = utils.long_reviews(data.valid, 6, count=5)
    gradients = lesson.gradient_table({"minGRU-256": model}, batch)
    figures.plot_gradients({"trained": gradients})
    assert (gradients["median"] > 0).all()
    plt.close("all")


def test_the_runs_of_the_other_cells_stay_what_they_were(lesson, registered):
    code = hashing.hash_code(registered.train_run)
    for run in run_lists.default_list(config.get_profile("tiny"), registered.SIX):
        if run.cell != "Leaky":
            assert code.of(run) == lesson.code_hash.of(run)
    assert "Leaky" in code.choices["cell"]
