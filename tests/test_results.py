"""Tables and figures: drawn from the exported files alone."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from helpers import CODE

from lab.analysis import figures, recall, statistics, style, tables
from lab.base import files
from lab.config import LabError
from lab.experiments import reference, results
from lab.experiments.run import RunRecord
from lab.experiments.sweep import sweep
from lab.models import baselines


@pytest.fixture
def exported(lesson, data, settings, tmp_path):
    run_list = [settings("RNN", epochs=2, network="RNN-256"), settings("GRU", epochs=3)]
    records = sweep(run_list, lesson.train_run, data, CODE, tmp_path / "runs", workers=1)
    results.export_results(records, tmp_path)
    return tmp_path, records


def test_export_has_a_row_a_run_and_a_row_an_epoch(exported):
    folder, records = exported
    table, curves = results.load_results(folder)
    assert table["run"].tolist() == [record.name for record in records]
    assert curves.groupby("run", sort=False).size().tolist() == [2, 3]
    expected = {"network", "seed", "best_epoch", "parameters", "test_loss", "test_accuracy"}
    assert expected | {"data", "code", "torch", "device"} <= set(table.columns)
    expected = {"train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "tokens_per_second"}
    assert expected | {"epoch", "seconds"} <= set(curves.columns)
    assert table["test_accuracy"][0] == records[0].result["test_accuracy"]


def test_unfinished_runs_are_left_out(exported, data, settings, tmp_path):
    _, records = exported
    waiting = RunRecord(settings("LSTM"), data.fingerprint, "code", tmp_path / "runs")
    results.export_results([*records, waiting], tmp_path)
    assert len(results.load_results(tmp_path)[0]) == 2


@pytest.mark.parametrize(
    ("names", "expected"),
    [(None, ["RNN-256", "GRU-8"]), (["one", "two"],) * 2, (["one"] * 2, ["one"])],
)
def test_predictions_stand_under_the_names_of_their_runs(
    exported, data, tmp_path, monkeypatch, names, expected
):
    _, records = exported
    monkeypatch.setenv("LAB2_OUT", str(tmp_path))
    results.export_predictions(records, data.test, "said", names)
    said = results.read_predictions("said")
    assert list(said.probability) == expected
    right = np.concatenate(list(said.correct.values())).mean(axis=1)
    np.testing.assert_allclose(right, [record.result["test_accuracy"] for record in records])


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00"])
def test_missing_or_broken_results_say_what_to_do(tmp_path, content):
    if content is not None:
        (tmp_path / "results.csv").write_bytes(content)
    with pytest.raises(LabError, match="Run the cells above first"):
        results.load_results(tmp_path)


def test_what_is_no_number_is_read_as_it_was_written(tmp_path):
    names = {"run": "007", "network": "1", "data": "12e45", "code": "0123", "commit": "1234567e12"}
    table = pd.DataFrame([{**names, "seed": 0}])
    for name in ("results", "curves"):
        files.write_table(f"my_{name}", table, tmp_path, digits=None)
    for read in results.load_results(tmp_path, "my_"):
        assert read.iloc[0].to_dict() == names | {"seed": 0}


@pytest.mark.parametrize("name", ["labels", "lengths", "file", "path", "allow_pickle", "arr_0"])
def test_a_network_may_have_any_name(exported, data, tmp_path, monkeypatch, name):
    monkeypatch.setenv("LAB2_OUT", str(tmp_path))
    results.export_predictions(exported[1], data.test, "said", [name, "another"])
    assert list(results.read_predictions("said").probability) == [name, "another"]


def test_table_stands_beside_the_starting_report(exported):
    runs_here, _ = results.load_results(exported[0])
    stored = pd.DataFrame({"network": ["RNN-256"] * 2, "test_accuracy": [0.7, 0.8]})
    table = tables.comparison_table(runs_here, stored)
    assert table.loc["RNN-256", "reference: accuracy %"] == 75.0
    assert table.loc["RNN-256", "starting report: accuracy %"] == 69.76
    assert table.loc["RNN-256", "starting report: loss"] == 0.584
    assert math.isnan(table.loc["GRU-8", "starting report: loss"])
    assert len(tables.STARTING_REPORT) == 6


@pytest.mark.parametrize("guessed", [0.0, 60.0, None])
def test_a_prediction_stands_below_what_it_is_of_and_under_the_same_words(guessed):
    lines = ["always the commoner label", baselines.AVERAGE, baselines.PAIRS, baselines.WEIGHTED]
    accuracy = pd.DataFrame({"last 80 words": 0.7, "whole reviews": 0.8}, index=lines)
    table = tables.baseline_table(accuracy, accuracy, guessed)
    assert [line for line in table.index if line in lines] == lines
    if guessed is not None:
        row = table.iloc[list(table.index).index(baselines.AVERAGE) + 1]
        assert row.name == "predicted: average of the vectors"
        assert row.to_list() == [guessed, "", ""]
    assert len(table) == 4 + (guessed is not None)


@pytest.mark.parametrize("p, shown", [(0, "< 0.001"), (0.00099, "< 0.001"), (0.0011, "0.001")])
def test_a_small_p_is_not_shown_as_zero(p, shown):
    pair = {"points": -11.417, "low": -13.68, "high": -9.15, "detectable": 3.091, "p": p}
    table = tables.pairs_table(pd.DataFrame([pair | {"supported": "yes"}], index=["a − b"]))
    assert table.loc["a − b"].to_list() == [-11.4, -13.7, -9.2, 3.1, shown, "yes"]


def test_the_hours_of_a_step_count_its_language_models_and_no_other_step():
    models = pd.DataFrame({"run": ["forth", "back", "forth"], "seconds": [3600.0, 1800.0, 3600.0]})
    steps = pd.DataFrame({
        "rung": ["alone", "+ one", "+ two"], "pretrained": ["", "forth", "forth"],
        "pretrained_back": ["", "", "back"], "seconds": [360.0, 720.0, 1080.0],
        "valid_loss": [0.3, 0.25, 0.2], "valid_accuracy": 0.9, "test_accuracy": 0.8765,
    })  # fmt: skip
    for gap in ("", np.nan):  # a stored table has no empty texts
        table = tables.route_table(steps.replace("", gap), models)
        assert table["hours"].to_list() == [0.1, 1.2, 1.8]
    assert table.loc["+ two"].to_list() == [0.2, 90.0, 87.6, 1.8]
    assert table.index.name == "rung"


def test_runs_of_ones_own_are_a_small_table_and_each_shows_itself(exported):
    folder, records = exported
    runs, _ = results.load_results(folder)
    table = tables.run_table(runs)
    columns = ["seed", "learning rate", "epochs", "best epoch", "test accuracy %"]
    assert list(table) == [*columns, "95 % interval", "training, s"]
    assert list(table.index) == ["RNN-256", "GRU-8"]
    right = 100 * runs["test_accuracy"][1]
    assert table["test accuracy %"]["GRU-8"] == round(right, 1)
    shown = f"<GRU-8, seed 0, learning rate 0.02: {right:.1f} % of the test reviews right>"
    assert repr(records[1]) == shown
    (records[1].folder / "result.json").unlink()
    assert repr(records[1]) == "<GRU-8, seed 0, learning rate 0.02: 3 of 3 epochs so far>"
    stored, _ = reference.find("language", "quick")
    assert list(tables.run_table(stored))[-2:] == ["perplexity", "training, s"]


def test_interval():
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3 (Wilson): 81 of 263
    low, high = statistics.accuracy_interval(81 / 263, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


@pytest.mark.parametrize("quantity", ["accuracy", "loss"])
def test_figure_shows_what_the_file_says(exported, quantity):
    _, curves = results.load_results(exported[0])
    figure = figures.plot_curves({"here": curves}, quantity)
    scale = 100 if quantity == "accuracy" else 1
    for axis, part in zip(figure.axes, ("train", "valid")):
        drawn = {line.get_label(): line.get_ydata() for line in axis.lines}
        for network, rows in curves.groupby("network"):
            expected = scale * rows[f"{part}_{quantity}"]
            assert drawn[network] == pytest.approx(expected.to_numpy())
    plt.close(figure)


def test_figure_of_several_seeds_draws_each_run_and_names_it_once(exported):
    _, curves = results.load_results(exported[0])
    stopped = curves.assign(seed=1)[curves["epoch"] == 1]
    figure = figures.plot_curves({"here": pd.concat([curves, stopped])}, "loss")
    runs = [line for line in figure.axes[1].lines if line.get_marker() == "o"]  # not chance
    lengths = curves.groupby("run").size().tolist() + [1] * curves["run"].nunique()
    assert sorted(len(line.get_xdata()) for line in runs) == sorted(lengths)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == [*curves["network"].unique(), "chance level"]
    plt.close(figure)


def test_what_was_predicted_is_hidden_by_nothing_and_belongs_to_no_epoch(exported):
    _, curves = results.load_results(exported[0])
    figure = figures.plot_curves({"here": curves}, "accuracy", {"RNN-256": 60.0, "GRU-256": 80.0})
    stars = [line for line in figure.axes[1].lines if line.get_marker() == "*"]
    assert [min(line.get_xdata()) > curves["epoch"].max() for line in stars[:2]] == [True, True]
    rows = [(gate, u, 0.01 * u) for gate in ("0.50", "0.73", "0.95", "chrono") for u in (1, 99)]
    shares = pd.DataFrame(rows, columns=["gate", "update", "share"])
    for value in range(0, 101, 5):
        figure = recall.plot_gate_starts(shares, dict.fromkeys(("0.50", "0.73", "0.95"), value))
        figure.canvas.draw()
        (axis,) = figure.axes
        legend = axis.get_legend().get_window_extent()
        assert not legend.contains(*axis.transData.transform((99, value)))
        plt.close(figure)


def test_a_figure_is_described_in_words():
    figure, axis = plt.subplots()
    axis.plot([1, 2], label="GRU")
    axis.plot([2, 1], label="_not named")
    axis.set(title="here", xlabel="epoch", ylabel="loss")
    said = "here; from left to right, epoch; upwards, loss; drawn are GRU"
    assert style.describe(figure) == f"A figure with 1 panel. {said}."
    plt.close(figure)


def test_saved_figure_is_a_picture(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB2_OUT", str(tmp_path))
    figure, _ = plt.subplots()
    style.save_figure(figure, "empty")
    plt.close(figure)
    assert (tmp_path / "figures" / "empty.png").read_bytes().startswith(b"\x89PNG")
