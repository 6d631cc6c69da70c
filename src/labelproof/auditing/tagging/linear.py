"""Multinomial logistic regression over hashed features of single tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

BUCKETS = 2**20
LEAST_FREQUENCY = 2  # tokens with a feature
REGULARISATION = 1.0  # scikit-learn's C
ITERATIONS = 60

Matrix = npt.NDArray[np.float64]


def hashed(features: Sequence[Any]) -> Any:
    """A sparse matrix with a row for each token of all sentences, without the columns of rare features."""
    from sklearn.feature_extraction import FeatureHasher

    tokens = (token for sentence in features for token in sentence)
    x = FeatureHasher(BUCKETS, input_type="string", alternate_sign=False).transform(tokens)
    return x[:, np.flatnonzero(np.bincount(x.indices, minlength=BUCKETS) >= LEAST_FREQUENCY)]


def linear_probs(train: Any, codes: npt.NDArray[np.int64], test: Any, k: int) -> Matrix:
    """Probability of each tag of the rows of ``test``, shape (tokens, k)."""
    from sklearn.linear_model import LogisticRegression

    probs = np.zeros((test.shape[0], k))
    present = np.unique(codes)
    if len(present) < 2:
        probs[:, present] = 1.0
        return probs
    model = LogisticRegression(C=REGULARISATION, max_iter=ITERATIONS, tol=1e-3).fit(train, codes)
    probs[:, model.classes_] = model.predict_proba(test)
    return probs
