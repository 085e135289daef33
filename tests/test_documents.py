"""Document vectors: a line that has read reviews without labels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import sparse

import utils
from lab import config
from lab.datasets import imdb
from lab.models.documents import UNLABELLED, DocumentVectors, ReadMore


def made_reviews(count: int, seed: int) -> tuple[list[list[int]], np.ndarray]:
    """Return reviews of two kinds: each has some words of its kind, and many of neither."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, count)
    reviews = [
        np.concatenate([generator.integers(0, 60, 8), 100 + 60 * y + generator.integers(0, 60, 4)])
        for y in labels
    ]
    return [generator.permutation(review).tolist() for review in reviews], labels


@pytest.fixture(scope="module")
def read_more() -> ReadMore:
    reviews, labels = made_reviews(600, seed=0)
    known = np.where(np.arange(600) < 40, labels, UNLABELLED)
    return ReadMore(size=20).fit(reviews, known)


def test_reviews_without_labels_help(read_more):
    reviews, labels = made_reviews(600, seed=0)
    asked, answers = made_reviews(500, seed=1)
    few = ReadMore(size=20).fit(reviews[:40], labels[:40])
    assert few.score(asked, answers) < 0.8 and read_more.score(asked, answers) > 0.95


def test_a_review_is_judged_for_itself(read_more):
    """Neither the company nor the order of the reviews changes what is said of one."""
    asked, _ = made_reviews(100, seed=2)
    together = read_more.decision_function(asked)
    alone = np.concatenate([read_more.decision_function([review]) for review in asked])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    order = np.random.default_rng(0).permutation(100)
    moved = read_more.decision_function([asked[i] for i in order])
    np.testing.assert_allclose(together[order], moved, atol=1e-4)


def test_labels_play_no_part_in_the_vectors():
    counts = sparse.csr_matrix(np.random.default_rng(0).integers(0, 2, (80, 40)))
    one, other = (
        DocumentVectors(10).fit(counts, y).transform(counts) for y in (None, counts[:, 0])
    )
    np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("review", [[], [10**6]])
def test_a_review_of_unknown_words_has_an_answer(read_more, review):
    [[no, yes]] = read_more.predict_proba([review])
    assert no + yes == pytest.approx(1) and np.isfinite(yes)


def test_unlabelled_reviews_are_of_no_film_and_text_that_is_held_out(monkeypatch):
    corpus = utils.load_corpus(config.get_profile("tiny"))
    packaged = imdb.read_packaged().set_index("text")["group"]
    chosen: list[str] = []
    monkeypatch.setattr(utils, "tokenize_all", lambda texts, cache: chosen.extend(texts))
    monkeypatch.setattr(utils, "encode", lambda *arguments: None)
    utils.unlabelled_reviews(corpus, 10**6)
    held_out = corpus.reviews[corpus.reviews["split"] != "train"]
    assert len(chosen) > 20_000 and len(chosen) == len(set(chosen))
    assert not set(chosen) & set(corpus.reviews["text"])
    films = packaged.groupby(level=0).agg(set)[chosen]
    assert not set().union(*films) & set(held_out["group"])
    del chosen[:]
    utils.unlabelled_reviews(corpus, 50)
    assert len(chosen) == 50


def test_own_texts_have_none_without_labels():
    corpus = utils.load_corpus(config.get_profile("tiny"))
    own = corpus.reviews.copy()
    own.attrs = corpus.reviews.attrs | {"own": True}
    assert len(utils.unlabelled_reviews(dataclasses.replace(corpus, reviews=own), 100)) == 0
