"""`reference.py`: runs are stored as they finish, found again, and never edited by hand."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import utils
from lab import config, files, tables
from lab.config import LabError
from tools import reference


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Let the stored results and the output folder be elsewhere."""
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    monkeypatch.setenv("LAB2_OUT", str(tmp_path / "out"))
    return reference.folder("quick")


@pytest.fixture
def shop(lesson, data, folder):
    """A workshop with small data."""
    return reference.Workshop(vars(lesson), config.PROFILES["quick"], None, None, data, workers=1)


@pytest.fixture
def small_plans(shop, settings, monkeypatch):
    """Give the lists few and small runs; one run is in two lists."""
    four = [settings(cell, seed=seed, epochs=1) for seed in (0, 1) for cell in ("RNN", "GRU")]
    runs = {
        "report": dict.fromkeys([*four, settings("LSTM", epochs=1)], ""),
        "ladder": {four[0]: "below", settings("RNN", seed=2, epochs=1): "above"},
    }

    def plan_of(name, shop):
        return reference.Plan(runs[name], shop.lab["train_run"], shop.data, shop.lab["code"])

    monkeypatch.setattr(reference, "plan_of", plan_of)
    return runs


def test_runs_from_outside_of_git_can_be_read(shop, folder, small_plans, capsys):
    reference.make("report", shop)
    results = folder / "results.csv"
    pd.read_csv(results).assign(commit=np.nan).to_csv(results, index=False)
    assert len(reference.load("report", shop.profile.name)[0])
    assert "commit unknown" in capsys.readouterr().out


def test_what_stands_there_is_not_repeated(shop, folder, small_plans, capsys, monkeypatch):
    reference.make("report", shop)
    results = pd.read_csv(folder / "results.csv")
    assert len(results) == 5 and "5 of 5 runs to do" in capsys.readouterr().out
    assert results["hidden_dim"].dtype == results["best_epoch"].dtype == int  # 8, not 8.0
    whole = (folder / "curves.csv").read_bytes()
    results[results["cell"] != "LSTM"].to_csv(folder / "results.csv", index=False)
    reference.make("report", shop, train=False)  # found in the output folder
    assert (folder / "curves.csv").read_bytes() == whole
    results[results["cell"] != "LSTM"].to_csv(folder / "results.csv", index=False)
    monkeypatch.setenv("LAB2_OUT", str(folder / "another"))
    capsys.readouterr()
    reference.make("report", shop)
    assert "1 of 5 runs to do" in capsys.readouterr().out
    again = pd.read_csv(folder / "results.csv")
    assert again["run"].tolist() == results["run"].tolist()  # in the order of the list
    assert again["finished"][0] == results["finished"][0]


def test_one_network_alone(shop, folder, small_plans):
    reference.make("report", shop, only="GRU-8")
    assert pd.read_csv(folder / "results.csv")["network"].tolist() == ["GRU-8"] * 2


def test_what_was_finished_before_a_failure_is_stored(shop, folder, small_plans):
    train = shop.lab["train_run"]

    def fails_on_lstm(settings, *rest):
        if settings.cell == "LSTM":
            raise FloatingPointError("the loss is nan at step 3")
        train(settings, *rest)

    shop.lab = shop.lab | {"train_run": fails_on_lstm}
    with pytest.raises(LabError, match="nan at step 3"):
        reference.make("report", shop)
    assert set(pd.read_csv(folder / "results.csv")["cell"]) == {"RNN", "GRU"}


def test_a_run_of_two_lists_is_stored_once_and_found_in_both(shop, folder, small_plans, capsys):
    reference.make("report", shop)
    reference.make("ladder", shop)
    assert "1 of 2 runs to do" in capsys.readouterr().out
    assert len(pd.read_csv(folder / "results.csv")) == 6
    ladder, curves = reference.load("ladder", "quick")
    assert ladder["rung"].tolist() == ["below", "above"] and len(curves) == 2
    report, _ = reference.load("report", "quick")
    assert report["run"][0] == ladder["run"][0] and (report["rung"] == "").all()
    assert "Stored results, not computed here: 5 runs" in capsys.readouterr().out


def test_predictions_are_those_of_the_runs(shop, folder, small_plans):
    reference.make("report", shop)
    results, _ = reference.load("report", "quick")
    said = reference.predictions(results[results["cell"] != "LSTM"], "quick")
    assert {name: rows.shape for name, rows in said.of.items()} == {
        "RNN-8": (2, 40),
        "GRU-8": (2, 40),
    }
    assert np.array_equal(said.labels, shop.data.test.labels)
    for name, runs in results[results["cell"] != "LSTM"].groupby("network"):
        accuracy = said.correct[name].mean(axis=1)
        assert np.allclose(accuracy, runs.sort_values("seed")["test_accuracy"])


def test_counts_stay_whole_beside_language_models(shop, folder, small_plans):
    """These have no test reviews, and pandas makes a column with a gap one of floats."""
    reference.make("report", shop)
    table = pd.read_csv(folder / "results.csv")
    model = table.iloc[:1].assign(run="a language model", test_reviews=None, perplexity=100.0)
    pd.concat([table, model]).to_csv(folder / "results.csv", index=False)
    results, _ = reference.stored("report", "quick")
    assert pd.api.types.is_integer_dtype(results["test_reviews"])
    assert results["test_reviews"].tolist() == table["test_reviews"].tolist() == [40] * 5
    assert len(tables.ladder_table(results)) == 5  # its intervals need whole counts
    reference.make("report", shop, train=False)
    assert ",40.0," not in (folder / "results.csv").read_text()


def test_runs_of_other_code_are_replaced(shop, folder, small_plans):
    reference.make("report", shop)
    shop.lab = shop.lab | {"code": "other code"}
    reference.make("report", shop)
    results = pd.read_csv(folder / "results.csv")
    assert results["code"].tolist() == ["other code"] * 5
    assert len(np.load(folder / "predictions.npz").files) == 5 + 2


def test_a_list_that_needs_the_tuning_says_so(shop):
    with pytest.raises(LabError, match=r"python reference\.py tuning"):
        reference.plan_of("fair", shop)
    with pytest.raises(LabError, match=r"LAB2_PROFILE=quick python reference\.py fair"):
        reference.load("fair", "quick")


def test_every_list_can_be_made(shop, folder, monkeypatch):
    plans = {"tuning": reference.plan_of("tuning", shop)}
    table = [{"network": s.network, "learning_rate": s.learning_rate} for s in plans["tuning"].runs]
    tuning = pd.DataFrame(table).assign(valid_loss=0.5)
    monkeypatch.setattr(reference, "stored", lambda *_: (tuning, None))
    monkeypatch.setattr(reference.Workshop, "stream", shop.data)
    monkeypatch.setitem(shop.lab["LABELS"], "quick", (20, 0))
    for name in reference.RUN_LISTS:
        plans[name] = reference.plan_of(name, shop)
    assert {name: len(plan.runs) for name, plan in plans.items()} == {
        "report": 12,
        "tuning": 18,
        "fair": 7,
        "seeds": 30,
        "ladder": 28,  # the GRU's own step is the report's here: two rungs less
        "language": 3,
        "transfer": 12,
    }
    assert all(plans["ladder"].runs.values())
    starts = {run.pretrained for run in plans["transfer"].runs} - {""}
    assert starts == {record.name for record in shop.records(plans["language"])}


def test_tables_are_made(shop, folder):
    shop.profile = dataclasses.replace(shop.profile, max_length=6, epochs=1)
    valid = shop.data.valid  # 480 reviews, so that a hundred have six words
    lengths, tokens = np.tile(np.diff(valid.starts), 12), np.tile(valid.tokens, 12)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    many = utils.EncodedReviews(tokens, starts, np.tile(valid.labels, 12))
    shop.data = dataclasses.replace(shop.data, valid=many)
    reference.make_table("baselines", shop)
    assert files.read_table("baselines", folder).shape == (4, 3)
    reference.make_table("gradients", shop)
    gradients = files.read_table("gradients", folder)
    assert gradients.groupby(["kind", "network"]).size().tolist() == [6] * 12  # a row a distance
    assert len(files.read_table("jacobians", folder)) == 2 * 3 * 3


def test_the_official_test_half_gives_the_official_numbers(official, tmp_path, monkeypatch, capsys):
    """The same command, on a tiny folder in the official layout with its test half."""
    monkeypatch.setenv("LAB2_DATA", str(official(films=20).parent))
    monkeypatch.setenv("LAB2_OUT", str(tmp_path / "out"))
    monkeypatch.setenv("LAB2_PROFILE", "full")
    monkeypatch.setitem(config.PROFILES, "full", config.Profile("full", None, 20, 30, 12, 1, 16))
    monkeypatch.setattr(reference, "folder", lambda profile="full": tmp_path / profile)
    command = ["reference.py", "baselines", "report", "--only", "GRU-256", "--workers", "1"]
    monkeypatch.setattr(sys, "argv", command)
    reference.main()
    said = capsys.readouterr().out
    assert "official test half" in said and "120 test" in said
    results = pd.read_csv(tmp_path / "full" / "results.csv")
    assert results["test_reviews"].tolist() == [120, 120] and results["seed"].tolist() == [0, 1]
    assert len(files.read_table("baselines", tmp_path / "full")) == 4
    assert np.load(tmp_path / "full" / "predictions.npz")["labels"].shape == (120,)


def test_definitions_are_the_notebooks(lesson):
    made = reference.notebook_definitions()
    assert (made["code"], made["language_code"]) == (lesson.code, lesson.language_code)


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_stored_runs_were_made_by_the_code_that_stands_in_the_notebook(lesson, profile):
    results, _ = reference.load_all(config.get_profile(profile))
    assert len(results) and set(results["code"]) <= {lesson.code, lesson.language_code}


def test_the_readme_has_the_stored_table():
    readme = (Path(reference.__file__).parent / "README.md").read_text(encoding="utf-8")
    assert reference.summary() in readme


def test_numbers_quoted_of_stored_runs_are_the_stored_ones(notebook):
    accuracy = 100 * reference.stored("seeds", "full")[0].set_index("network")["test_accuracy"]
    rnn = accuracy["RNN-256"]
    assert len(rnn) == 5
    section = next(c.source for c in notebook.cells if c.get("id") == "64938fcb")
    readme = " ".join((Path(reference.__file__).parent / "README.md").read_text().split())
    assert f"{rnn.mean():.1f} % in the mean of five seeds" in section
    assert f"{rnn.min():.1f} to {rnn.max():.1f} %" in section
    assert f"five seeds lie between {rnn.min():.1f} and {rnn.max():.1f} %" in readme
    assert f"standard deviation of {rnn.std():.1f} points" in section
    assert (accuracy > 60).all() and "no seed collapsed" in section
    perplexity = reference.stored("language", "full")[0].set_index("cell")["perplexity"].to_dict()
    counting = files.read_table("counting", reference.folder()).set_index("model")["perplexity"]
    for model, value in (perplexity | counting.to_dict()).items():
        assert f"| {model} | {value:.1f} |" in readme
