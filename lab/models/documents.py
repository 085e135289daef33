"""A linear line that has read more: vectors of whole reviews, learnt from text without labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from lab.base.messages import _
from lab.datasets.token_stream import Reviews
from lab.models import baselines

UNLABELLED = -1  # in the place of a label, as in sklearn.semi_supervised


class DocumentVectors(TransformerMixin, BaseEstimator):
    """Turns what each review contains (reviews, things), 0 or 1, into vectors (reviews, size).

    No label is needed. A latent semantic analysis places the reviews (Deerwester et al., 1990):
    the singular vectors of their counts, each thing weighed by how rare it is. Then each word or
    pair gets the direction of the mean review that it stands in, with length 1: a rare one counts
    as much as a common one, as with the cosine of Thongtan and Phienthrakul (ACL 2019), who find
    such vectors by gradient descent. The vector of a review is the direction of the sum of its
    words and pairs, of length 1. It depends on no other review that is transformed with it.
    """

    def __init__(self, size: int = 300, seed: int = 0) -> None:
        self.size, self.seed = size, seed

    def fit(self, counts: Any, labels: NDArray[Any] | None = None) -> DocumentVectors:
        """Learn the vectors of the things; at most one dimension less than there are reviews."""
        counts = counts.astype(np.float32)
        rarity = np.log(counts.shape[0] / np.asarray(counts.sum(0)).ravel()).astype(np.float32)
        size = min(self.size, *(n - 1 for n in counts.shape))
        analysis = TruncatedSVD(size, n_iter=2, random_state=self.seed)
        places = analysis.fit_transform(normalize(counts @ sparse.diags(rarity)))
        places /= np.sqrt(analysis.singular_values_)
        places = normalize(places - places.mean(0))
        self.things_ = rarity[:, None] * normalize(counts.T @ places.astype(np.float32))
        self.mean_ = normalize(counts @ self.things_).mean(0)
        return self

    def transform(self, counts: Any) -> NDArray[np.float32]:
        """Return the vectors of reviews; of one without any known thing the same for all such."""
        return normalize(normalize(counts @ self.things_) - self.mean_)


class ReadMore(ClassifierMixin, BaseEstimator):
    """Logistic regression of document vectors; `fit` also reads reviews labelled UNLABELLED.

    Reviews are lists of word indices. Words and pairs count that stand in `least` reviews or more.
    """

    def __init__(self, size: int = 300, least: int = 3) -> None:
        self.size, self.least = size, least

    def fit(self, reviews: Sequence[Sequence[int]], labels: NDArray[Any]) -> ReadMore:
        """Learn vectors from all reviews, and the judge of them from those with a label, 0 or 1."""
        self.counter_ = CountVectorizer(
            analyzer=baselines.words_and_pairs, binary=True, min_df=self.least
        )
        counts = self.counter_.fit_transform(reviews)
        self.vectors_ = DocumentVectors(self.size).fit(counts)
        known = np.flatnonzero(labels != UNLABELLED)
        self.judge_ = LogisticRegression(C=self.size, max_iter=1000)  # of vectors of length 1
        self.judge_.fit(self.vectors_.transform(counts[known]), labels[known])
        self.classes_ = self.judge_.classes_
        return self

    def decision_function(self, reviews: Sequence[Sequence[int]]) -> NDArray[Any]:
        """Return the logit of label 1 for each review (reviews,)."""
        return self.judge_.decision_function(self._vectors(reviews))

    def predict(self, reviews: Sequence[Sequence[int]]) -> NDArray[Any]:
        """Return the likelier label of each review (reviews,)."""
        return self.judge_.predict(self._vectors(reviews))

    def predict_proba(self, reviews: Sequence[Sequence[int]]) -> NDArray[Any]:
        """Return the probability of each label (reviews, 2)."""
        return self.judge_.predict_proba(self._vectors(reviews))

    def _vectors(self, reviews: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        return self.vectors_.transform(self.counter_.transform(reviews))


# what the lines are called in tables
LABELLED, MORE, BOTH = (
    _("document vectors, labelled reviews only"),
    _("document vectors, unlabelled reviews too"),
    _("the same, and words and pairs, NB-weighted"),
)


def logits_of_lines(
    data: Any, unlabelled: Reviews, size: int = 300
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Return the logits of each line for whole reviews: split (valid, test) -> line -> (reviews,).

    The last line is the sum of two: its members count the same, so nothing is chosen. data:
    utils.LabData; unlabelled: from utils.unlabelled_reviews
    """
    train, labels = baselines.last_words(data.train, baselines.ALL), data.train.labels
    more = baselines.last_words(unlabelled, baselines.ALL)
    every_label = np.concatenate([labels, np.full(len(more), UNLABELLED)])
    pairs = baselines.linear_models(data.vectors)[baselines.WEIGHTED]
    lines = {
        baselines.WEIGHTED: pairs.fit(train, labels),
        LABELLED: ReadMore(size).fit(train, labels),
        MORE: ReadMore(size).fit(train + more, every_label),
    }
    logits = {}
    for split, reviews in (("valid", data.valid), ("test", data.test)):
        words = baselines.last_words(reviews, baselines.ALL)
        logits[split] = {name: line.decision_function(words) for name, line in lines.items()}
        logits[split][BOTH] = logits[split][MORE] + logits[split][baselines.WEIGHTED]
    return logits


def table_of_lines(data: Any, logits: dict[str, dict[str, NDArray[np.float64]]]) -> pd.DataFrame:
    """Return the share of right answers of each line: columns line, valid, test."""
    right = {
        split: {
            name: np.mean((a > 0) == (getattr(data, split).labels > 0.5)) for name, a in of.items()
        }
        for split, of in logits.items()
    }
    return pd.DataFrame(right).rename_axis("line").reset_index()
