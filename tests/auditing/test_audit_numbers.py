"""Auditing numbers from predictions and from what describes the items."""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

import labelproof as lp
from labelproof.auditing.doubts.base import DoubtWarning
from labelproof.auditing.folds import NO_FOLD, CrossValidation
from labelproof.auditing.kinds.numbers import predictions_of
from labelproof.auditing.regression import cross_validate_numbers, folds_of
from labelproof.auditing.regression_models import Clipped
from labelproof.data.dataset import Dataset, Shown
from labelproof.labels.numbers import Numbers
from labelproof.noise.simulate.numbers import numbers


def table(n=600, seed=0):
    """A frame that numbers follow from, good numbers, and given ones."""
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "c": rng.choice(["x", "y"], n)})
    good = np.round(40 + 5 * frame["a"].to_numpy() + 8 * (frame["c"] == "x").to_numpy() + 0.5 * rng.normal(size=n), 1)
    return frame, good, numbers(good, 0.05, kinds=["factor", "shift"], random_state=seed)


def dataset(x, values, kind="table", groups=None):
    return Dataset(x, Numbers(values), np.arange(len(values)), lambda i: Shown(text=str(i)), kind, groups=groups)


def test_a_frame_is_predicted_and_its_wrong_numbers_are_found():
    frame, good, noisy = table()
    values = noisy.labels.copy()
    values[3] = np.nan
    found = lp.audit(dataset(frame, values), neighbours=False)
    wrong, known = noisy.changed, np.arange(len(good)) != 3
    assert found.model.accuracy > 0.7
    assert (found.error_probability[wrong & known] > 0.5).mean() > 0.9
    assert (found.error_probability[~wrong & known] > 0.5).mean() < 0.02
    assert np.isnan(found.error_probability[3])
    worst = found.issues.filter(pl.col("kind") == "factor")
    assert np.median(np.abs(worst["suggested_label"].to_numpy() - good[worst["index"]])) < 0.11
    assert set(Numbers.own_columns) <= set(found.issues.columns)
    right = found.issues.filter(pl.col("error_probability") < 0.5)
    assert right["kind"].null_count() == right.height
    assert (right["suggested_label"] == right["given_label"]).all()
    inside = (right["given_label"] >= right["suggested_low"]) & (right["given_label"] <= right["suggested_high"])
    assert 0.9 < inside.mean() <= 1


@pytest.mark.parametrize("kind", ["arrays", "text"])
def test_arrays_and_texts_are_predicted(kind):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 4))
    good = 30 + 6 * x[:, 0] + rng.normal(size=400) * 0.3
    words = [f"{'big ' * int(max(v, 0) * 3)}thing {'small ' * int(max(-v, 0) * 3)}" for v in x[:, 0]]
    given = numbers(good, 0.05, kinds=["factor"], random_state=0).labels
    out = cross_validate_numbers(dataset(x if kind == "arrays" else words, given, kind), CrossValidation(), encoder="none")
    assert np.median(np.abs(out.probs - good)) < (1.0 if kind == "arrays" else 3.0)
    assert out.model.accuracy > 0.5


def test_an_item_without_a_number_is_predicted_and_repeats_are_averaged():
    frame, good, _ = table(200)
    values = good.copy()
    values[:20] = np.nan
    how = CrossValidation(n_folds=3, n_repeats=2)
    out = cross_validate_numbers(dataset(frame.select("a"), values), how, estimator=LinearRegression())
    assert np.isfinite(out.probs).all()
    assert (out.model.n_folds, out.model.n_repeats, out.model.name) == (3, 2, "LinearRegression on table")


def test_a_group_is_in_one_fold():
    groups = np.repeat(np.arange(13), 10).astype(object)
    values = np.arange(130.0)
    values[5] = np.nan
    fold = folds_of(values, 5, 0, groups)
    assert fold[5] == NO_FOLD
    for group in range(13):
        assert len({f for f in fold[groups == group] if f != NO_FOLD}) == 1
    sizes = np.bincount(fold[fold != NO_FOLD])
    assert len(sizes) == 5
    assert sizes.max() - sizes.min() <= 10
    with pytest.raises(lp.BadInput, match="one group"):
        folds_of(values, 5, 0, np.full(130, "a", dtype=object))
    with pytest.raises(lp.BadInput, match="one number"):
        folds_of(np.array([1.0, np.nan]), 5, 0, None)


def test_clipped_regression_withstands_wrong_numbers():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 1))
    y = 3 * x[:, 0] + 0.1 * rng.normal(size=500)
    y[:40] *= 1000
    assert Clipped(LinearRegression(), steps=8).fit(x, y).predict([[1.0]])[0] == pytest.approx(3, abs=0.3)


def test_predictions_of_several_models_and_of_files(tmp_path):
    labels = Numbers([1.0, None, 3.0])
    np.save(tmp_path / "p.npy", np.array([1.0, 9.0, 2.0]))
    assert predictions_of(str(tmp_path / "p.npy"), labels).tolist() == [1.0, 2.0]
    three = [np.array([1.0, 0, 2]), np.array([2.0, 0, 5]), np.array([9.0, 0, 3])]
    assert predictions_of(three, labels).tolist() == [2.0, 3.0]
    assert predictions_of([1.0, 2.0, 3.0], labels).tolist() == [1.0, 3.0]


@pytest.mark.parametrize(
    ("predictions", "said"),
    [
        (np.zeros(4), "shape"),
        (np.zeros((5, 2)), "shape"),
        (np.array([0, 0, np.nan, 0, 0]), "row 2"),
        (np.array(["a"] * 5), "dtype"),
        ([np.zeros(5), np.zeros(3)], r"predictions\[1\]"),
    ],
)
def test_wrong_predictions_are_refused(predictions, said):
    with pytest.raises(lp.BadInput, match=said):
        lp.audit(Numbers(np.arange(5.0)), predictions)


def test_a_classifier_is_no_regressor():
    frame, good, _ = table(60)
    with pytest.raises(lp.BadInput, match="regressor"):
        cross_validate_numbers(dataset(frame, good), CrossValidation(), estimator=LogisticRegression())


def test_no_number_at_all():
    with pytest.raises(lp.BadInput, match="no number"):
        lp.audit(Numbers([np.nan, np.nan]), np.zeros(2))


def test_five_items_are_audited():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = lp.audit(Numbers([10, 11, 12, 130, 14]), [10, 11, 12, 13, 14])
    assert found.issues["index"][0] == 3
    assert np.isfinite(found.error_probability).all()


def test_predictions_that_tell_nothing_are_doubted():
    rng = np.random.default_rng(0)
    y = np.round(rng.gamma(3, 10, 500), 1)
    with pytest.warns(DoubtWarning, match="no nearer"):
        found = lp.audit(Numbers(y), rng.permutation(y))
    assert not found.believed
    with pytest.warns(DoubtWarning, match="to the last digit"):
        lp.audit(Numbers(y), y)


def test_features_and_groups_are_told():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 2))
    good = 20 + 4 * x[:, 0] + (0.2 + np.abs(x[:, 1])) * rng.normal(size=1000)
    found = lp.audit(Numbers(good), 20 + 4 * x[:, 0], features=x, neighbours=False)
    width = found.issues.sort("index").select(pl.col("suggested_high") - pl.col("suggested_low")).to_series().to_numpy()
    assert np.corrcoef(width, np.abs(x[:, 1]))[0, 1] > 0.7
