"""Predictions as a table: the predicted class, its probability, and whether the model abstains."""

from __future__ import annotations

from typing import Any

import polars as pl

from labelproof.estimators.noisy_label_classifier.noisy_label_classifier import NoisyLabelClassifier
from labelproof.training.temperature import entropy_of
from labelproof.validation import AnyArray, ArrayLike

MOST_COLUMNS = 200  # classes with a column of probabilities each


def prediction_table(model: NoisyLabelClassifier, x: ArrayLike, ids: AnyArray, *, sure: float = 0.5) -> pl.DataFrame:
    """One row per item, in the order of the input.

    Parameters
    ----------
    model : NoisyLabelClassifier
    x : items as it was trained on
    ids : array, shape (n,)
    sure : float in [0, 1]
        An item whose most probable class is less probable than this is marked ``dont_know``.

    Returns
    -------
    polars.DataFrame
        ``id``, ``prediction``, ``probability`` (of it), ``entropy`` (in nats, of all classes), ``dont_know``, and the
        probability of each class, ``p_<class>``, for at most 200 classes.
    """
    probs = model.predict_proba(x)
    names = pl.Series(model.classes_.tolist())
    best = probs.argmax(axis=1)
    highest = probs.max(axis=1)
    columns: dict[str, Any] = {
        "id": pl.Series(ids.tolist()),
        "prediction": names.gather(best),
        "probability": highest,
        "entropy": entropy_of(probs),
        "dont_know": highest < sure,
    }
    if len(names) <= MOST_COLUMNS:
        columns |= {f"p_{name}": probs[:, j] for j, name in enumerate(names)}
    return pl.DataFrame(columns)
