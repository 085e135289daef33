"""The official test: announced before it was opened, and held to what was announced."""

import tarfile

import pandas as pd
import pytest

from lab import config
from lab.config import LabError
from lab.experiments import reference
from tools import official

WHERE = reference.folder_of("official")


def as_text(table):
    return table.fillna("").astype(str)


def test_neither_runs_nor_code_have_changed_since_the_announcement():
    """No choice can follow from what the test says."""
    announced = as_text(pd.read_csv(WHERE / "runs.csv"))
    pd.testing.assert_frame_equal(as_text(official.announced()), announced)


def test_what_is_stored_was_announced():
    announced = as_text(pd.read_csv(WHERE / "runs.csv"))
    stored = reference.run_table("official").merge(reference.all_runs("official")[0])
    network_of = dict(zip(stored["run"], stored.get("network", []), strict=True))
    for start in ("pretrained", "pretrained_back"):  # announced by their networks
        stored[start] = stored.get(start, pd.Series(dtype=str)).map(network_of)
    rows = announced.to_dict("records")
    for row in as_text(stored.reindex(columns=announced.columns)).to_dict("records"):
        assert row in rows


def test_each_run_is_announced_with_the_code_that_will_train_it():
    runs = official.announced()
    assert runs.groupby("list").size().to_dict() == {
        "default": 30, "tuned": 30, "readers": 2, "best": 3
    }  # fmt: skip
    stored = reference.find("tuned", "full")[0].set_index(["network", "seed"])
    tuned = runs[runs["list"] == "tuned"].set_index(["network", "seed"])
    shared = tuned.index.intersection(stored.index)
    assert len(shared) >= 12 and (tuned.loc[shared, "code"] == stored.loc[shared, "code"]).all()
    assert (tuned.loc[shared, "learning_rate"] == stored.loc[shared, "learning_rate"]).all()
    assert set(runs["max_length"]) == {config.PROFILES["full"].max_length, 40}


def archive_of(folder, file):
    with tarfile.open(file, "w:xz") as tar:
        tar.add(folder, "aclImdb")
    return file


def test_copies_are_found_in_the_archive(official_folder, tmp_path, monkeypatch):
    train = official_folder / "train"
    (train / "pos" / "7_9.txt").write_bytes((official_folder / "test/neg/3_2.txt").read_bytes())
    (train / "unsup").mkdir()
    (train / "unsup" / "10_0.txt").write_bytes((official_folder / "test/pos/4_9.txt").read_bytes())
    (train / "unsup" / "9_0.txt").write_text("of nobody's")
    archive = archive_of(official_folder, tmp_path / "test.tar.xz")
    monkeypatch.setattr(official, "FILES", 240)
    texts = official.test_texts(archive)
    assert len(texts) == 240 and not any(text.startswith("train") for text in texts)
    copies = official.copies_of(texts, official_folder.parent)
    assert copies.values.tolist() == [["pos", "7_9.txt"], ["unsup", "10_0.txt"]]


def test_an_archive_that_is_not_whole_is_refused(official_folder, tmp_path):
    archive = archive_of(official_folder, tmp_path / "test.tar.xz")
    with pytest.raises(LabError, match=r"holds 240 test reviews, expected 25,000"):
        official.test_texts(archive)
    archive.write_bytes(archive.read_bytes()[:500])
    with pytest.raises(LabError, match=r"test\.tar\.xz cannot be read"):
        official.test_texts(archive)


@pytest.fixture
def official_folder(official):
    """A tiny folder in the official layout, with both halves."""
    return official()
