"""`make_reference.py` and its files: stored as runs finish, found again, never edited by hand."""

import dataclasses
import sys

import numpy as np
import pandas as pd
import pytest
from helpers import ROOT

import utils
from lab import config
from lab.analysis import tables
from lab.base import files, hashing
from lab.base.hashing import CodeHash
from lab.config import LabError
from lab.datasets import token_stream
from lab.experiments import reference
from tools.maintainers import make_reference, rekey_results, rule_tables


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Let the stored results and the output folder be elsewhere."""
    monkeypatch.setattr(reference, "folder_of", lambda profile="full": tmp_path / profile)
    monkeypatch.setenv("LAB2_OUT", str(tmp_path / "out"))
    return reference.folder_of("full")


@pytest.fixture
def maker(data, folder):
    """A maker with small data."""
    corpus = utils.Corpus(None, None, None, None, data)
    return make_reference.Maker(config.PROFILES["full"], corpus, workers=1)


@pytest.fixture
def small_lists(maker, settings, monkeypatch):
    """Give the lists few and small runs; one run is in two lists, and one is a variant's."""
    four = [settings(cell, seed=seed, epochs=1) for seed in (0, 1) for cell in ("RNN", "GRU")]
    runs = {
        "default": dict.fromkeys([*four, settings("LSTM", epochs=1)], ""),
        "ladder": {four[0]: "below", settings("RNN", readout="pooled", epochs=1): "above"},
    }
    monkeypatch.setattr(make_reference.Maker, "runs", lambda self, name: runs[name])
    return runs


def test_runs_from_outside_of_git_can_be_read(maker, folder, small_lists, capsys):
    maker.make("default")
    file = folder / "results.csv"
    pd.read_csv(file).assign(commit=np.nan).to_csv(file, index=False)
    assert len(reference.load("default")[0]) == 5
    assert "not computed here: 5 runs. See data/reference/full." in capsys.readouterr().out


def test_what_stands_there_is_not_repeated(maker, folder, small_lists, capsys, monkeypatch):
    maker.make("default")
    stored = pd.read_csv(folder / "results.csv")
    assert len(stored) == 5 and "5 of 5 runs to do" in capsys.readouterr().out
    assert stored["hidden_dim"].dtype == stored["best_epoch"].dtype == int  # 8, not 8.0
    whole = (folder / "curves.csv").read_bytes()
    stored[stored["cell"] != "LSTM"].to_csv(folder / "results.csv", index=False)
    maker.make("default")  # found in the output folder
    assert (folder / "curves.csv").read_bytes() == whole
    stored[stored["cell"] != "LSTM"].to_csv(folder / "results.csv", index=False)
    monkeypatch.setenv("LAB2_OUT", str(folder / "another"))
    capsys.readouterr()
    maker.make("default")
    assert "1 of 5 runs to do" in capsys.readouterr().out
    again = pd.read_csv(folder / "results.csv")
    assert again["run"].tolist() == stored["run"].tolist()  # in the order of the list
    assert again["finished"][0] == stored["finished"][0]


def test_what_was_finished_before_a_failure_is_stored(
    maker, folder, small_lists, lesson, monkeypatch
):
    train = lesson.train_run

    def fails_on_lstm(settings, *rest):
        if settings.cell == "LSTM":
            raise FloatingPointError("the loss is nan at step 3")
        train(settings, *rest)

    monkeypatch.setattr(lesson, "train_run", fails_on_lstm)
    monkeypatch.setattr(lesson, "code_hash", hashing.hash_code(fails_on_lstm))
    with pytest.raises(LabError, match="nan at step 3"):
        maker.make("default")
    assert set(pd.read_csv(folder / "results.csv")["cell"]) == {"RNN", "GRU"}


def test_a_run_of_two_lists_is_stored_once_and_found_in_both(maker, folder, small_lists, capsys):
    maker.make("default")
    maker.make("ladder")
    assert "1 of 2 runs to do" in capsys.readouterr().out
    assert len(pd.read_csv(folder / "results.csv")) == 6
    ladder, curves = reference.load("ladder")
    assert ladder["rung"].tolist() == ["below", "above"] and len(curves) == 2
    default, _ = reference.load("default")
    assert default["run"][0] == ladder["run"][0] and (default["rung"] == "").all()
    assert "Stored results, not computed here: 5 runs" in capsys.readouterr().out


def test_predictions_are_those_of_the_runs(maker, folder, small_lists):
    maker.make("default")
    table, _ = reference.load("default")
    classifiers = table[table["cell"] != "LSTM"]
    said = reference.predictions(classifiers)
    shapes = {name: rows.shape for name, rows in said.probability.items()}
    assert shapes == {"RNN-8": (2, 40), "GRU-8": (2, 40)}
    assert np.array_equal(said.labels, maker.corpus.data.test.labels)
    for name, runs in classifiers.groupby("network"):
        accuracy = said.correct[name].mean(axis=1)
        assert np.allclose(accuracy, runs.sort_values("seed")["test_accuracy"])


def test_counts_stay_whole_beside_language_models(maker, folder, small_lists):
    """These have no test reviews, and pandas makes a column with a gap one of floats."""
    maker.make("default")
    table = pd.read_csv(folder / "results.csv")
    model = table.iloc[:1].assign(run="a language model", test_reviews=None, perplexity=100.0)
    pd.concat([table, model]).to_csv(folder / "results.csv", index=False)
    found, _ = reference.find("default", "full")
    assert pd.api.types.is_integer_dtype(found["test_reviews"])
    assert found["test_reviews"].tolist() == table["test_reviews"].tolist() == [40] * 5
    assert len(tables.ablation_table(found)) == 5  # its intervals need whole counts
    maker.make("default")
    assert ",40.0," not in (folder / "results.csv").read_text()


def test_stored_runs_of_other_code_are_dropped_only_if_that_is_meant(
    maker, folder, small_lists, lesson, monkeypatch
):
    maker.make("default")
    before = (folder / "results.csv").read_bytes()
    monkeypatch.setattr(lesson, "code_hash", CodeHash("other code"))
    with pytest.raises(LabError, match="5 stored runs of the list 'default' are of other settings"):
        maker.make("default")
    assert (folder / "results.csv").read_bytes() == before
    maker.replace = True
    maker.make("default")
    assert pd.read_csv(folder / "results.csv")["code"].tolist() == ["other code"] * 5
    assert len(np.load(folder / "predictions.npz").files) == 5 + 2


@pytest.mark.parametrize("file", ["results.csv", "curves.csv", "lists.csv", "predictions.npz"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_what_cannot_be_read_is_not_written_over(maker, folder, small_lists, file, damage):
    maker.make("default")
    if damage == "missing" and file != "predictions.npz":
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(b"")
    before = {path.name: path.read_bytes() for path in folder.glob("*.*")}
    with pytest.raises(LabError, match=r"damaged\. Get them again: git checkout"):
        maker.make("ladder")
    assert {path.name: path.read_bytes() for path in folder.glob("*.*")} == before


def test_in_a_folder_without_git_other_advice_is_given(folder, tmp_path, monkeypatch, capsys):
    folder.mkdir()
    (folder / "results.csv").write_bytes(b"")
    (folder / "predictions.npz").write_bytes(b"")
    monkeypatch.setattr(config, "ROOT", tmp_path)
    for read in (reference.all_runs, lambda name: reference.predictions(None, name)):
        with pytest.raises(LabError, match=r"Get them again: unpack the lab's archive once more"):
            read("full")
    assert capsys.readouterr().out == "predictions.npz is damaged.\n"  # nobody makes it anew


def test_a_stop_while_storing_loses_nothing(maker, folder, small_lists, monkeypatch):
    write = files.write_table

    def stop(name, table, where=None, **more):
        if where == folder and name == "curves":
            raise KeyboardInterrupt
        write(name, table, where, **more)

    monkeypatch.setattr(files, "write_table", stop)
    with pytest.raises(KeyboardInterrupt):
        maker.make("default")
    monkeypatch.setattr(files, "write_table", write)
    maker.make("default")
    table, _ = reference.load("default")
    assert len(table) == 5 and reference.predictions(table).correct["LSTM-8"].any()


def test_results_of_other_data_are_not_mixed(maker, small_lists):
    maker.make("default")
    maker.check_data()
    train = dataclasses.replace(maker.corpus.data.train, labels=1 - maker.corpus.data.train.labels)
    other = dataclasses.replace(maker.corpus.data, train=train)
    maker.corpus = dataclasses.replace(maker.corpus, data=other)
    with pytest.raises(LabError, match="of other reviews or vectors than those found here"):
        maker.check_data()
    maker.replace = True
    maker.check_data()


def test_of_an_announced_profile_nothing_else_is_made(maker, folder):
    assert maker.everything() == make_reference.EVERYTHING
    folder.mkdir()
    said = pd.DataFrame({"list": "default", "network": ["GRU-256", "RNN-256"], "seed": [0, 1]})
    files.write_table("runs", said, folder)
    maker = dataclasses.replace(maker)
    runs = maker.runs("default")
    assert {(run.network, run.seed) for run in runs} == {("GRU-256", 0), ("RNN-256", 1)}
    assert len(maker.all_runs("default")) > len(runs)
    assert maker.everything() == ("baselines", "default", "findings")
    with pytest.raises(LabError, match=r"'tuning' was not announced .* Announced: default"):
        maker.runs("tuning")


def test_a_list_that_needs_the_tuning_says_so(maker):
    with pytest.raises(LabError, match=r"python tools/maintainers/make_reference\.py tuning"):
        maker.runs("tuned")
    with pytest.raises(
        LabError, match=r"LAB2_PROFILE=full python tools/\w+/make_reference\.py tuned"
    ):
        reference.load("tuned")


STEP = "two readers, shifts of 5"


def test_every_list_can_be_made(maker, folder, monkeypatch):
    lists = {"tuning": maker.runs("tuning")}
    table = [{"network": s.network, "learning_rate": s.learning_rate} for s in lists["tuning"]]
    tuning = pd.DataFrame(table).assign(valid_loss=0.5)
    monkeypatch.setattr(reference, "find", lambda *_: (tuning, None))
    stream = token_stream.make_stream(maker.corpus.data.train)
    text = token_stream.LanguageData(stream, stream, maker.corpus.data.vectors, 100)
    monkeypatch.setattr(make_reference.Maker, "stream", text)
    maker.profile = dataclasses.replace(maker.profile, labelled=(20, 0))
    for name in reference.LISTS:
        lists[name] = maker.runs(name)
    assert all(lists.values()) and all(lists["ladder"].values())
    starts = {run.pretrained for run in lists["transfer"]} - {""}
    readers = maker.records([run for run in lists["language"] if run.seed == 0])
    assert starts == {record.name for record in readers}
    last = list(lists["past"])[-1]
    assert last in lists["best"] and lists["past"][last].startswith("+ ")
    needed = maker.starts_of(maker.records([last]))
    assert [run.network for run in needed] == ["GRU-512 LM", "GRU-512 back LM"]
    own = maker.records(list(lists["own_readers"]))
    for run in lists["adversarial"]:  # each seed starts from language models of its own
        theirs = {record.name for record in own if record.settings.seed == run.seed}
        assert {run.pretrained, run.pretrained_back} == theirs and len(theirs) == 2
    assert [lists["shifts"].get(run) for run in lists["adversarial"]] == [STEP, None, None]
    bare = [dataclasses.replace(run, adversarial=0.0) for run in lists["adversarial"]]
    assert list(lists["unshifted"]) == bare and bare[0] in lists["past"]
    assert maker.data_of(needed[1]).train.tolist() == stream[::-1].tolist()


def test_tables_are_made(maker, folder):
    maker.profile = dataclasses.replace(maker.profile, max_length=6, epochs=1)
    valid = maker.corpus.data.valid  # 480 reviews, so that a hundred have six words
    lengths, tokens = np.tile(np.diff(valid.starts), 12), np.tile(valid.tokens, 12)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    many = utils.EncodedReviews(tokens, starts, np.tile(valid.labels, 12))
    data = dataclasses.replace(maker.corpus.data, valid=many)
    maker.corpus = dataclasses.replace(maker.corpus, data=data)
    maker.make_table("baselines")
    baselines = files.read_table("baselines", folder)
    assert baselines.shape == (4, 3)
    right = {line: rows.mean() for line, rows in reference.baseline_predictions().correct.items()}
    whole = baselines.set_index("line")["whole reviews"].iloc[1:]  # not the commoner label
    assert right == pytest.approx(whole.to_dict(), abs=1e-4)
    maker.make_table("gradients")
    gradients = files.read_table("gradients", folder)
    sizes = gradients.groupby(["kind", "network", "state"]).size()
    assert sizes.tolist() == [6] * 8  # a row a distance; an LSTM has two states
    assert len(files.read_table("jacobians", folder)) == 2 * 3 * 3


@pytest.mark.parametrize("profile, tested", [("full", 30), ("official", 120)])
def test_a_list_is_of_the_film_split_or_of_the_official_test(
    profile, tested, official, tmp_path, monkeypatch, capsys
):
    """The same command, on a tiny folder in the official layout with its test half."""
    monkeypatch.setenv("LAB2_DATA", str(official(films=20).parent))
    monkeypatch.setenv("LAB2_OUT", str(tmp_path / "out"))
    monkeypatch.setenv("LAB2_PROFILE", profile)
    sizes = {"valid": 20, "test": 30, "max_length": 12, "epochs": 1, "batch_size": 16}
    sizes["stored_seeds"] = 2
    small = dataclasses.replace(config.PROFILES[profile], **sizes)
    monkeypatch.setitem(config.PROFILES, profile, small)
    monkeypatch.setattr(reference, "folder_of", lambda name=profile: tmp_path / name)
    command = ["make_reference.py", "baselines", "default", "--only", "GRU-256", "--workers", "1"]
    monkeypatch.setattr(sys, "argv", command)
    make_reference.main()
    said = capsys.readouterr().out
    assert ("official test half" in said) == (profile == "official") and f"{tested} test" in said
    table = pd.read_csv(tmp_path / profile / "results.csv")
    assert table["test_reviews"].tolist() == [tested] * 2 and table["seed"].tolist() == [0, 1]
    assert len(files.read_table("baselines", tmp_path / profile)) == 4
    assert np.load(tmp_path / profile / "predictions.npz")["labels"].shape == (tested,)


@pytest.mark.parametrize(
    "profile, least", [("quick", 100), ("course", 15), ("full", 90), ("official", 10)]
)
def test_stored_runs_were_made_by_the_code_that_stands_in_the_notebooks(profile, least):
    rows = rekey_results.read(reference.folder_of(profile) / "results.csv")
    for row in rows.to_dict("records"):
        assert rekey_results.new_name(row)[1] == row["code"], row["run"]
    assert len(rows) >= least


def test_stored_quick_runs_were_made_on_the_data_that_are_there_now(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB2_DATA", str(tmp_path))  # what is packaged, and not the reader's own
    table, _ = reference.all_runs("quick")
    corpus = utils.load_corpus(config.get_profile("quick"))
    read = utils.language_data(config.get_profile("quick"), corpus)
    assert set(table["data"]) == {corpus.data.fingerprint, read.fingerprint}


def test_the_readme_has_the_stored_table():
    readme = (ROOT / "data" / "reference" / "README.md").read_text(encoding="utf-8")
    assert make_reference.summary() in readme


def test_stored_runs_are_carried_over_to_new_code_and_no_number_changes(
    maker, folder, small_lists, capsys
):
    maker.make("default")
    before = {name: pd.read_csv(folder / name, dtype=str) for name in ("results.csv", "curves.csv")}
    renamed = {run: f"old-{run}" for run in before["results.csv"]["run"]}
    for name in ("results.csv", "curves.csv", "lists.csv"):
        table = pd.read_csv(folder / name, dtype=str, keep_default_na=False)
        table = table.assign(run=table["run"].map(renamed))
        table = table.assign(code="old code") if name == "results.csv" else table
        table.to_csv(folder / name, index=False)
    said = files.load_arrays(folder / "predictions.npz")
    said = {renamed.get(name, name): rows for name, rows in said.items()}
    files.save_arrays(folder / "predictions.npz", **said)
    files.write_table("runs", pd.DataFrame({"list": ["default"], "code": ["old code"]}), folder)
    with pytest.raises(SystemExit, match="stored runs of code old code, which is another"):
        rekey_results.refuse_others(folder, ["another code"])
    rekey_results.refuse_others(folder, ["old code"])
    assert rekey_results.rekey(folder) == 5
    for name, table in before.items():
        pd.testing.assert_frame_equal(pd.read_csv(folder / name, dtype=str), table)
    announced, stored = (set(pd.read_csv(folder / f)["code"]) for f in ("runs.csv", "results.csv"))
    assert announced <= stored
    (folder / "runs.csv").unlink()
    capsys.readouterr()
    maker.make("default")  # found again
    assert "0 of 5 runs to do" in capsys.readouterr().out
    assert len(reference.predictions(reference.load("default")[0]).correct) == 3


def test_the_simulation_goes_on_where_it_was_stopped(folder, monkeypatch):
    made = []

    def row(population, regime, count, seed):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(regime)
        return {"false": 0.05, "experiments": count}

    monkeypatch.setattr(rule_tables, "judged_reviews", lambda profile: None)
    monkeypatch.setattr(rule_tables, "rule_row", row)
    with pytest.raises(KeyboardInterrupt):
        rule_tables.make_rules("full", 10)
    assert len(files.read_table("rules", folder)) == 2
    first, made[:] = made[:], []
    with pytest.raises(KeyboardInterrupt):
        rule_tables.make_rules("full", 10)
    table = files.read_table("rules", folder, {"spread": str})
    regimes = table[["networks", "seeds", "reviews", "spread"]].itertuples(index=False, name=None)
    assert list(regimes) == first + made and len(set(first + made)) == 4
