"""Reviews: sources, splits that share no film, and what is said when a folder is broken."""

import dataclasses
import shutil

import numpy as np
import pytest

import utils
from lab import config
from lab.config import LabError
from lab.datasets import imdb


def test_packaged_reviews_are_the_official_training_half():
    reviews = imdb.read_packaged()
    assert len(reviews) == 25_000
    assert reviews["label"].value_counts().to_dict() == {0: 12_500, 1: 12_500}
    assert reviews["group"].value_counts().agg(["size", "max"]).tolist() == [3456, 30]


@pytest.mark.parametrize(
    ("word", "film"),
    [
        *[("carlito", "tt0427038"), ("thunderbirds", "tt0167456"), ("dahmer", "tt0285728")],
        *[("ramones", "tt0079813"), ("gretchen", "tt0404802"), ("goldsworthy", "tt0307385")],
    ],
)
def test_a_packaged_review_is_of_the_film_that_it_names(word, film):
    """Three names among the negative reviews, three among the positive: each in one film alone."""
    reviews = imdb.read_packaged()
    named = reviews["text"].str.contains(word, case=False)
    of_the_film = reviews["group"] == film
    assert named[of_the_film].mean() > 0.85 and named[~of_the_film].sum() < 10


def test_packaged_splits_share_no_film_and_no_text(tmp_path):
    reviews = utils.load_reviews(config.PROFILES["quick"], tmp_path)
    assert reviews["split"].value_counts().to_dict() == {"train": 5000, "test": 2000, "valid": 1000}
    assert reviews.groupby("group")["split"].nunique().max() == 1
    assert reviews["text"].is_unique
    assert reviews.groupby("split")["label"].mean().min() > 0.47


def test_same_seed_same_split_other_seed_other_split(tmp_path, small_profile, official):
    folder = official(halves=["train"]).parent
    first, again, other = (utils.load_reviews(small_profile, folder, seed) for seed in (3, 3, 4))
    assert first.equals(again)
    assert not first.equals(other)


def test_the_whole_official_test_half_is_the_test(official, small_profile):
    """What is copied there from the training half, or from itself, stays; the rest goes."""
    folder = official()
    tested = (folder / "test" / "pos" / "0_9.txt").read_text()
    for copy in ("test/pos/5_9.txt", "train/pos/7_9.txt", "train/neg/8_2.txt"):
        (folder / copy).write_text(tested)
    (folder / "train" / "pos" / "9_9.txt").write_text("twice in training")
    (folder / "train" / "pos" / "10_9.txt").write_text("twice in training")
    reviews = utils.load_reviews(small_profile, folder.parent)
    learnt, test = (reviews[(reviews["split"] == "test") == part] for part in (False, True))
    assert len(test) == 240 and (test["text"] == tested).sum() == 2
    assert test["text"].str.startswith("test").all()
    assert not learnt["text"].str.startswith("test").any()
    assert tested not in set(learnt["text"]) and learnt["text"].is_unique
    assert (learnt["text"] == "twice in training").sum() <= 1


@pytest.mark.parametrize("name", config.PROFILES)
def test_a_profile_tests_on_the_official_half_or_on_the_film_split(name, official):
    """What is stored as `full` is the film split, also for those who have both halves."""
    sizes = {"train": None, "valid": 30, "test": 30}
    profile = dataclasses.replace(config.PROFILES[name], **sizes)
    folder = official()
    both = utils.load_reviews(profile, folder.parent)
    assert (both["split"] == "test").sum() == (30 if name == "full" else 240)
    shutil.rmtree(folder / "test")
    if not profile.official_test:
        carved = utils.load_reviews(profile, folder.parent)
        assert carved.equals(both) == (name == "full")


def test_the_official_profile_asks_for_the_official_test_half(official):
    profile = dataclasses.replace(config.PROFILES["official"], valid=30)
    folder = official(halves=["train"]).parent
    with pytest.raises(LabError, match=f"profile official needs aclImdb/test in {folder}"):
        utils.load_reviews(profile, folder)


def test_order_of_files_on_disk_does_not_matter(official, monkeypatch):
    folder = official(halves=["train"])
    once = imdb.read_official(folder)
    glob = utils.Path.glob
    monkeypatch.setattr(utils.Path, "glob", lambda self, p: list(glob(self, p))[::-1])
    assert imdb.read_official(folder).equals(once)
    assert once["text"][9].startswith("train neg number 9<br")


REVIEW = "pos/7_9.txt"


def make_a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda half: (half / REVIEW).unlink(), "train/pos holds 119 reviews, expected 120"),
        (lambda half: (half / "neg").rename(half / "x"), "neg holds 0 reviews, expected 120"),
        (lambda half: [f.unlink() for f in half.glob("urls_*")], "expected 12,500"),
        (lambda half: (half / REVIEW).write_bytes(b"caf\xe9"), r"7_9\.txt is not UTF-8 \(byte 3\)"),
        (lambda half: make_a_folder(half / REVIEW), r"7_9\.txt cannot be read"),
    ],
)
def test_a_broken_folder_is_named_with_what_is_wrong(official, damage, match):
    folder = official(halves=["train"])
    damage(folder / "train")
    with pytest.raises(LabError, match=match):
        imdb.read_official(folder)


def test_without_url_lists_the_films_are_those_of_the_package(tmp_path):
    packaged = imdb.read_packaged()
    for name, label in imdb.LABELS.items():
        (folder := tmp_path / "train" / name).mkdir(parents=True)
        texts = packaged.query("label == @label")["text"]
        for place, text in enumerate(texts):
            block, inside = divmod(place, 128)
            number = min(128 * (block + 1), len(texts)) - 1 - inside
            (folder / f"{number}_5.txt").write_bytes(text.encode())
    official = imdb.read_official(tmp_path)
    pairs = [set(zip(reviews["text"], reviews["group"])) for reviews in (official, packaged)]
    assert pairs[0] == pairs[1]


def test_too_few_reviews_for_a_split(official, small_profile):
    folder = official(films=3, halves=["train"]).parent
    with pytest.raises(LabError, match="No reviews left"):
        utils.load_reviews(dataclasses.replace(small_profile, test=100), folder)


def test_surplus_of_a_group_goes_to_no_other_split(official, small_profile, capsys):
    profile = dataclasses.replace(small_profile, test=31, valid=31, train=31)
    reviews = utils.load_reviews(profile, official(halves=["train"]).parent)
    assert np.unique(reviews["split"], return_counts=True)[1].tolist() == [31, 31, 31]
    assert "carved" in capsys.readouterr().out
    assert reviews.groupby("group")["split"].nunique().max() == 1
