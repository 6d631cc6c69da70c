"""Cross-validated probabilities: no item's own label reaches its prediction, rare classes are handled."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier

import labelproof as lp
from labelproof.data.dataset import Dataset
from labelproof.labels.classes import Classes


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


class Told(ClassifierMixin, BaseEstimator):
    """Says how often it saw each class, and keeps what it was fitted on."""

    fits: list = []  # noqa: RUF012

    def fit(self, x, y):
        self.classes_, counts = np.unique(y, return_counts=True)
        self.share_ = counts / counts.sum()
        Told.fits.append((np.asarray(x)[:, 0].tolist(), y.tolist()))
        return self

    def predict_proba(self, x):
        return np.tile(self.share_, (len(x), 1))


@pytest.mark.parametrize(("n_folds", "folds"), [(5, 5), (3, 3), (20, 12)])
def test_each_fold_is_predicted_from_the_others_and_the_unlabelled_by_all(n_folds, folds):
    y = np.array([0] * 12 + [1] * 10 + [-1] * 3)
    Told.fits.clear()
    x = np.arange(25.0)[:, None]
    probs = lp.out_of_sample_probs(x, y, estimator=Told(), missing=[-1], n_folds=n_folds)
    assert len(Told.fits) == folds  # no more than the largest class has items
    left_out = [sorted(set(range(22)) - set(map(int, rows))) for rows, _ in Told.fits]
    assert sorted(row for rows in left_out for row in rows) == list(range(22))
    for rows, (_, labels) in zip(left_out, Told.fits, strict=True):
        share = labels.count(0) / len(labels)
        assert np.allclose(probs[rows], [share, 1 - share])
    mean = np.mean([labels.count(0) / len(labels) for _, labels in Told.fits])
    assert np.allclose(probs[22:], [mean, 1 - mean])
    other = lp.out_of_sample_probs(x, y, estimator=Told(), missing=[-1], n_folds=n_folds, random_state=1)
    assert folds == 12 or not np.array_equal(Told.fits[0], Told.fits[folds])
    assert other.shape == probs.shape


def test_a_class_that_a_fold_did_not_see_has_no_probability_there():
    """Two of a rare class in five folds: each model has seen one at least; a model of two classes fills their columns."""

    class Binary(Told):
        def fit(self, x, y):
            super().fit(x, y)
            self.classes_, self.share_ = np.array([0, 2]), np.array([0.25, 0.75])
            return self

    probs = lp.out_of_sample_probs(np.zeros((20, 1)), ["a"] * 10 + ["b"] * 4 + ["c"] * 4 + [None] * 2, estimator=Binary())
    assert np.allclose(probs, [0.25, 0.0, 0.75])


def test_five_folds_unless_asked_otherwise_and_rows_of_one():
    class Twice(Told):
        def predict_proba(self, x):
            return 2 * super().predict_proba(x)

    Told.fits.clear()
    y = np.arange(40) % 2
    assert np.allclose(lp.out_of_sample_probs(np.zeros((40, 1)), y, estimator=Twice()), 0.5)
    assert len(Told.fits) == 5


def test_a_frame_is_given_to_the_model_as_a_frame_and_a_list_as_an_array():
    kinds = set()

    class Kind(Told):
        def fit(self, x, y):
            kinds.add(type(x))
            return super().fit(x, y)

    y = np.arange(20) % 2
    lp.out_of_sample_probs(pl.DataFrame({"a": np.arange(20.0)}), y, estimator=Kind())
    lp.out_of_sample_probs([[float(i)] for i in range(20)], y, estimator=Kind())
    assert kinds == {pl.DataFrame, np.ndarray}


def test_a_class_without_an_item_is_no_class_with_one():
    data = Dataset(
        np.arange(12.0)[:, None],
        Classes.of_codes(np.array([1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]), ("none", "b", "c")),
        np.arange(12),
        str,
        "arrays",
    )
    probs = lp.out_of_sample_probs(data, estimator=Told())
    assert np.allclose(probs, [0.0, 0.5, 0.5], atol=0.1)
    assert (probs[:, 0] == 0).all()
    data = Dataset(
        np.arange(7.0)[:, None],
        Classes.of_codes(np.array([1, 1, 1, 3, 3, 2, 3]), ("none", "b", "lonely", "d")),
        np.arange(7),
        str,
        "arrays",
    )
    with pytest.raises(lp.BadInput, match=r"class 'lonely' has one example \(row 5\)"):
        lp.out_of_sample_probs(data, estimator=Told())


def test_folds_run_where_the_caller_says():
    calls = []

    def mapped(function, *arguments):
        calls.append(function)
        return [function(*each) for each in zip(*arguments, strict=False)]

    x, y = np.arange(20.0)[:, None], np.arange(20) % 2
    there = lp.out_of_sample_probs(x, y, estimator=LogisticRegression(), map_folds=mapped)
    assert len(calls) == 1
    assert np.array_equal(there, lp.out_of_sample_probs(x, y, estimator=LogisticRegression()))
    assert not np.array_equal(there, lp.out_of_sample_probs(x, y, estimator=LogisticRegression(), random_state=3))


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
    assert lp.out_of_sample_probs(x, y, estimator=LogisticRegression(), n_folds=2).shape == (10, 2)
    for lacking in ({"labels": y}, {"estimator": LogisticRegression()}):
        with pytest.raises(lp.BadInput, match="labels or estimator"):
            lp.out_of_sample_probs(x, **lacking)
