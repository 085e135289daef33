"""The lines to beat: linear models of a review's words, that know little or nothing of order."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from lab import environment
from lab.base import files, hashing
from lab.base.messages import _
from lab.config import LabError
from lab.datasets.token_stream import Reviews

AVERAGE, PAIRS, WEIGHTED = (
    _("average of GloVe vectors"),
    _("words and pairs, TF-IDF"),
    _("words and pairs, NB-weighted"),
)
ALL = 10**6  # words: more than any review has


def baseline_probability(data: Any, length: int) -> dict[str, list[NDArray[np.float64]]]:
    """Return what each linear model says of the test reviews: line -> two arrays (reviews,).

    The first has read the last `length` words of each review, the second all. data: utils.LabData
    """
    return {
        name: [
            model.fit(last_words(data.train, keep), data.train.labels).predict_proba(
                last_words(data.test, keep)
            )[:, 1]
            for keep in (length, ALL)
        ]
        for name, model in linear_models(data.vectors).items()
    }


def cached_table(data: Any, length: int) -> pd.DataFrame:
    """Return `baseline_table`, or what it gave for the same data, length and code before."""
    code = Path(__file__).read_text(encoding="utf-8")
    key = hashing.digest(data.fingerprint, length, code, metadata.version("scikit-learn"))
    name = f"baselines-{key}"
    folder = environment.cache_folder()
    try:
        return files.read_table(name, folder)
    except LabError:
        files.write_table(name, baseline_table(data, length), folder, digits=None)
        return files.read_table(name, folder)


def baseline_table(
    data: Any, length: int, probability: dict[str, list[NDArray[np.float64]]] | None = None
) -> pd.DataFrame:
    """Return the test accuracy of each line to beat, on the last `length` words and on all.

    probability: from `baseline_probability`, where that is known already
    """
    labels = data.test.labels > 0.5
    commoner = np.mean(labels == (data.train.labels.mean() > 0.5))
    rows = [(_("always the commoner label"), commoner, commoner)]
    for name, both in (probability or baseline_probability(data, length)).items():
        rows.append((name, *(np.mean((p > 0.5) == labels) for p in both)))
    return pd.DataFrame(rows, columns=["line", f"last {length} words", "whole reviews"])


def linear_models(matrix: NDArray[np.float32]) -> dict[str, Pipeline]:
    """Return the linear models, untrained: name -> pipeline from lists of word indices.

    matrix: (words, E), the vectors that are averaged. The strengths of regularization, C, were
    chosen on validation reviews.
    """
    means = FunctionTransformer(average_vectors, kw_args={"matrix": matrix})
    pairs = {"analyzer": words_and_pairs, "min_df": 2}

    def logistic(strength: float) -> LogisticRegression:
        return LogisticRegression(C=strength, max_iter=1000)

    return {
        AVERAGE: make_pipeline(means, StandardScaler(), logistic(1)),
        PAIRS: make_pipeline(TfidfVectorizer(sublinear_tf=True, **pairs), logistic(10)),
        WEIGHTED: make_pipeline(
            CountVectorizer(binary=True, **pairs), LogCountRatio(), logistic(1)
        ),
    }


def last_words(reviews: Reviews, keep: int) -> list[list[int]]:
    """Return the last `keep` word indices of each review."""
    ends = zip(reviews.starts[:-1], reviews.starts[1:], strict=True)
    return [reviews.tokens[max(a, b - keep) : b].tolist() for a, b in ends]


def words_and_pairs(indices: Sequence[int]) -> list[tuple[int, ...]]:
    """Return the words of a review and its pairs of neighbours, as things to count."""
    return [(i,) for i in indices] + list(itertools.pairwise(indices))


def average_vectors(reviews: Sequence[Sequence[int]], matrix: NDArray[Any]) -> NDArray[Any]:
    """Return the mean word vector of each review: (reviews, E)."""
    return np.stack([matrix[indices].mean(0) for indices in reviews])


class LogCountRatio(TransformerMixin, BaseEstimator):
    """Weighs each count by how much commoner it is in good reviews than in bad ones.

    Wang and Manning, Baselines and Bigrams, ACL 2012.
    """

    def fit(self, counts: Any, labels: NDArray[Any]) -> LogCountRatio:
        """Learn the weights from counts (reviews, things) and labels (reviews,), 0 or 1."""
        good, bad = (1 + counts[labels == y].sum(0) for y in (1, 0))
        self.ratio_ = np.log(good / good.sum()) - np.log(bad / bad.sum())
        return self

    def transform(self, counts: Any) -> Any:
        """Return the counts, weighed."""
        return counts.multiply(self.ratio_).tocsr()
