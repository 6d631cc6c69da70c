"""The model that an audit cross-validates when the user names none: sensible for the kind of data, quick on two cores."""

from __future__ import annotations

import warnings
from typing import Any

from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from labelproof.auditing.centroids import CentroidClassifier
from labelproof.data.dataset import Dataset
from labelproof.data.words import vectorizer_for
from labelproof.errors import LabelproofWarning
from labelproof.validation import RandomState, accepts_seed, seed_from

MOST_WEIGHTS = 6_000_000  # of logistic regression, whose solver holds some twenty copies
FEW_CLASSES = 30


@accepts_seed
def default_model(dataset: Dataset, *, random_state: RandomState = 0) -> Any:
    """A fresh scikit-learn classifier for a `Dataset`.

    ========  ==========================================================================
    kind      model
    ========  ==========================================================================
    table     skrub's table vectorizer and gradient boosting
    text      TF-IDF of words and pairs of words (of characters where there are no words that recur), logistic regression;
              with very many classes the nearest mean of a class
    images    a small convolutional network
    cells     standardised expression, logistic regression
    arrays    standardised features, logistic regression; the network where items are pictures
    ========  ==========================================================================
    """
    if dataset.kind == "table":
        import skrub

        return skrub.tabular_pipeline(
            HistGradientBoostingClassifier(learning_rate=0.06, max_iter=120, random_state=seed_from(random_state))
        )
    if dataset.kind == "text":
        words = vectorizer_for(dataset.x)
        if _weights(dataset, words) > MOST_WEIGHTS:
            warnings.warn(
                f"{len(dataset.classes):,} classes are too many for logistic regression on texts; each is told by the mean of its "
                "texts.",
                LabelproofWarning,
                stacklevel=3,
            )
            return make_pipeline(words, CentroidClassifier())
        return make_pipeline(words, LogisticRegression(C=5.0, max_iter=1000))
    if getattr(dataset.x, "ndim", 2) > 2:
        from labelproof.estimators.noisy_label_classifier.noisy_label_classifier import (
            NoisyLabelClassifier,  # torch, of which other data have no need
        )

        return NoisyLabelClassifier("cross-entropy", epochs=14, random_state=seed_from(random_state))
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def _weights(dataset: Dataset, words: Any) -> int:
    """Weights that logistic regression would have: classes times words."""
    k = len(dataset.classes)
    return 0 if k <= FEW_CLASSES else k * len(clone(words).fit(dataset.x).vocabulary_)
