"""The model that an audit cross-validates when the user names none: sensible for the kind of data, quick on two cores."""

from __future__ import annotations

from typing import Any

from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import labelproof
from labelproof.data.dataset import Dataset


def default_model(dataset: Dataset, *, seed: int = 0) -> Any:
    """A fresh scikit-learn classifier for a `Dataset`.

    ========  ==========================================================================
    kind      model
    ========  ==========================================================================
    table     skrub's table vectorizer and gradient boosting
    text      TF-IDF of words and pairs of words, logistic regression
    images    a small convolutional network
    cells     standardised expression, logistic regression
    arrays    standardised features, logistic regression; the network where items are pictures
    ========  ==========================================================================
    """
    if dataset.kind == "table":
        import skrub

        return skrub.tabular_pipeline(HistGradientBoostingClassifier(learning_rate=0.06, max_iter=120, random_state=seed))
    if dataset.kind == "text":
        words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b|\?")
        return make_pipeline(words, LogisticRegression(C=5.0, max_iter=1000))
    if getattr(dataset.x, "ndim", 2) > 2:
        return labelproof.NoisyLabelClassifier("cross-entropy", epochs=14, seed=seed)  # a neighbour, by its public name
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
