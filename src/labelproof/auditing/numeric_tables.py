"""Features of purely numeric tables, like skrub's, without its slow import and its checks of every column."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from labelproof.validation import FloatArray

MOST = 5.0  # that a value approaches


def all_numbers(x: object) -> bool:
    """Whether it is a polars frame whose columns are numbers, all of them."""
    return isinstance(x, pl.DataFrame) and all(kind.is_integer() or kind.is_float() for kind in x.dtypes)


def of_numbers(model: Any, *, linear: bool) -> Any:
    """A pipeline with a model at its end, equal to ``skrub.tabular_pipeline(model)`` on frames of numbers.

    Parameters
    ----------
    model : scikit-learn classifier
    linear : bool
        Whether it takes no missing values and suffers from outliers: these are filled in, marked and squashed.
    """
    first = FunctionTransformer(_float32)
    return make_pipeline(first, SimpleImputer(add_indicator=True), Squashed(), model) if linear else make_pipeline(first, model)


def _float32(frame: pl.DataFrame) -> FloatArray:
    """Shape (n, d), NaN where a value is missing."""
    return frame.cast(pl.Float32).to_numpy()


class Squashed(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Numbers about their median in units of their interquartile range, bent smoothly to stay between -5 and 5.

    ``z / sqrt(1 + (z / 5)²)`` with ``z = (x - median) / (q75 - q25)``; if the quartiles are equal, half of the whole range is
    the unit. As skrub's ``SquashingScaler(max_absolute_value=5)``.
    """

    def fit(self, X: FloatArray, y: object = None) -> Squashed:
        """``X`` of shape (n, d), finite."""
        low, self.centre_, high = np.percentile(X, (25, 50, 75), axis=0)
        half = (X.max(axis=0) - X.min(axis=0)) / 2
        unit = np.where(high > low, high - low, half)
        self.unit_ = np.where(unit > 0, unit, np.inf)  # a constant column becomes zeros
        return self

    def transform(self, X: FloatArray) -> FloatArray:
        """Shape (n, d), between -5 and 5."""
        z = (X - self.centre_) / self.unit_
        return np.asarray(z / np.sqrt(1 + (z / MOST) ** 2))
