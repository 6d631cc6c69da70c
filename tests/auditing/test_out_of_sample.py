"""Cross-validated probabilities: no item's own label reaches its prediction, rare classes are handled."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier

import labelproof as lp


def test_no_item_is_predicted_by_a_model_that_saw_it():
    """One nearest neighbour repeats the label of an item that it has seen; random labels must stay unpredictable."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 3)), rng.integers(0, 2, 400)
    probs = lp.out_of_sample_probs(x, y, estimator=KNeighborsClassifier(1))
    assert 0.35 < probs[np.arange(400), y].mean() < 0.65


def test_rare_classes_are_in_every_training_set():
    class Check(ClassifierMixin, BaseEstimator):
        def fit(self, x, y):
            self.classes_ = np.unique(y)
            assert len(self.classes_) == 3
            return self

        def predict_proba(self, x):
            return np.full((len(x), 3), 1 / 3)

    y = np.array(["common"] * 50 + ["other"] * 30 + ["rare"] * 2)
    assert lp.out_of_sample_probs(np.zeros((82, 1)), y, estimator=Check()).shape == (82, 3)


def test_a_class_with_one_example_is_refused_with_its_row():
    with pytest.raises(lp.BadInput, match=r"class 'lonely' has one example \(row 4\)"):
        lp.out_of_sample_probs(np.zeros((5, 1)), ["a", "a", "b", "b", "lonely"], estimator=LogisticRegression())


def test_unlabelled_items_are_predicted_too_and_seeds_repeat():
    rng = np.random.default_rng(0)
    x = np.vstack([rng.normal(-2, 1, (60, 2)), rng.normal(2, 1, (60, 2))])
    y = np.repeat([0.0, 1.0], 60)
    y[[0, 119]] = np.nan
    probs = lp.out_of_sample_probs(x, y, estimator=LogisticRegression())
    assert np.allclose(probs.sum(axis=1), 1)
    whole = LogisticRegression().fit(x[1:119], y[1:119]).predict_proba(x[[0, 119]])
    assert np.abs(probs[[0, 119]] - whole).max() < 0.1
    assert np.array_equal(lp.out_of_sample_probs(x, y, estimator=LogisticRegression()), probs)


def test_frames_and_lists_are_indexed_by_row():
    x = pl.DataFrame({"a": np.arange(40.0)})
    y = (np.arange(40) >= 20).astype(int)
    from_frame = lp.out_of_sample_probs(x, y, estimator=LogisticRegression())
    from_pandas = lp.out_of_sample_probs(x.to_pandas(), y, estimator=LogisticRegression())
    from_list = lp.out_of_sample_probs(x.to_numpy().tolist(), y, estimator=LogisticRegression())
    assert np.allclose(from_frame, from_list)
    assert np.allclose(from_pandas, from_list)


def test_bad_arguments():
    x, y = np.zeros((10, 1)), np.arange(10) % 2
    with pytest.raises(lp.BadInput, match="no predict_proba"):
        lp.out_of_sample_probs(x, y, estimator=RidgeClassifier())
    with pytest.raises(lp.BadInput, match="2 or more"):
        lp.out_of_sample_probs(x, y, estimator=LogisticRegression(), n_folds=1)
    with pytest.raises(lp.BadInput, match="labels and estimator"):
        lp.out_of_sample_probs(x, y)
