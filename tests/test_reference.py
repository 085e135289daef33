"""`reference.py`: runs are stored as they finish, found again, and never edited by hand."""

import pandas as pd
import pytest

import reference
import utils


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Let `data/reference` and the output folder be elsewhere."""
    monkeypatch.setattr(utils, "reference_folder", lambda: tmp_path / "reference")
    monkeypatch.setenv("LAB2_OUT", str(tmp_path / "out"))
    return tmp_path / "reference"


@pytest.fixture
def notebook_lists(lab, settings, monkeypatch):
    """Give the lists five small runs."""
    runs = {settings(cell, seed=seed, epochs=1): "" for seed in (0, 1) for cell in ("RNN", "GRU")}
    runs[settings("LSTM", epochs=1)] = ""
    monkeypatch.setattr(reference, "run_list", lambda *_: dict(runs))
    return vars(lab) | {"code": "code"}, runs


def test_what_stands_there_is_not_repeated(data, folder, notebook_lists, capsys):
    lab, _ = notebook_lists
    reference.make("report", lab, data, workers=1)
    results = pd.read_csv(folder / "report_quick_results.csv")
    assert len(results) == 5 and "5 of 5 runs to do" in capsys.readouterr().out
    whole = (folder / "report_quick_curves.csv").read_bytes()
    results[results["cell"] != "LSTM"].to_csv(folder / "report_quick_results.csv", index=False)
    reference.make("report", lab, data, workers=1)
    assert "1 of 5 runs to do" in capsys.readouterr().out
    again = pd.read_csv(folder / "report_quick_results.csv")
    assert again["run"].tolist() == results["run"].tolist()  # in the order of the list
    assert (folder / "report_quick_curves.csv").read_bytes() == whole


def test_runs_of_other_code_are_replaced(data, folder, notebook_lists):
    lab, _ = notebook_lists
    reference.make("report", lab, data, workers=1)
    reference.make("report", lab | {"code": "other code"}, data, workers=1)
    results = pd.read_csv(folder / "report_quick_results.csv")
    assert results["code"].tolist() == ["other code"] * 5


def test_a_list_that_needs_the_tuning_says_so(lab, folder):
    with pytest.raises(utils.LabError, match=r"python reference\.py tuning"):
        reference.run_list("fair", vars(lab), utils.PROFILES["quick"], 50)


def test_every_list_can_be_made(lab, folder, data):
    profile = utils.PROFILES["quick"]
    lists = {"tuning": reference.run_list("tuning", vars(lab), profile, 50)}
    table = [
        {"network": s.network, "learning_rate": s.learning_rate, "valid_loss": 0.5}
        for s in lists["tuning"]
    ]
    folder.mkdir()
    for kind in ("results", "curves"):
        pd.DataFrame(table).to_csv(folder / f"tuning_quick_{kind}.csv", index=False)
    for name in reference.LISTS[1:]:
        lists[name] = reference.run_list(name, vars(lab), profile, 50)
    sizes = {name: len(runs) for name, runs in lists.items()}
    assert sizes == {"tuning": 21, "report": 6, "fair": 7, "ladder": 28, "seeds": 30}
    assert sum(bool(rung) for rung in lists["ladder"].values()) == 28
