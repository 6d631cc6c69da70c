"""Tables of numbers alone: the features are those of skrub, value by value."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import skrub
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

import labelproof as lp
from labelproof.auditing.default_models import default_model
from labelproof.auditing.numeric_tables import all_numbers, of_numbers


@pytest.fixture
def frame():
    """Columns with outliers, gaps, mostly zeros, one value, whole numbers, and of any size."""
    rng = np.random.default_rng(0)
    n = 400
    plain = rng.normal(size=n)
    return pl.DataFrame(
        {
            "plain": plain,
            "outliers": np.where(rng.random(n) < 0.05, 1e6, rng.normal(size=n)),
            "gaps": [None if i % 7 == 0 else float(v) for i, v in enumerate(rng.normal(5, 2, n))],
            "mostly zero": np.where(rng.random(n) < 0.1, rng.exponential(size=n), 0.0),
            "constant": np.full(n, 3.5),
            "whole": rng.integers(0, 50, n),
            "large": rng.normal(1e7, 1e5, n),
        }
    ), (plain + rng.normal(0, 0.5, n) > 0).astype(int)


def test_features_and_answers_are_those_of_skrub(frame):
    x, y = frame
    ours, theirs = (
        make(LogisticRegression(max_iter=300))
        for make in (lambda model: of_numbers(model, linear=True), skrub.tabular_pipeline)
    )
    ours.fit(x[:300], y[:300])
    theirs.fit(x[:300], y[:300])
    made, expected = ours[:-1].transform(x[300:]), np.asarray(theirs[:-1].transform(x[300:]))
    assert made.shape == expected.shape
    assert np.allclose(made, expected, rtol=1e-5, atol=1e-6)
    assert np.abs(made).max() < 5
    boosted = HistGradientBoostingClassifier(max_iter=20, random_state=0)
    ours, theirs = of_numbers(clone(boosted), linear=False), skrub.tabular_pipeline(clone(boosted))
    found = [pipeline.fit(x[:300], y[:300]).predict_proba(x[300:]) for pipeline in (ours, theirs)]
    assert np.array_equal(*found)


def test_other_tables_are_left_to_skrub(frame):
    x, _ = frame
    assert all_numbers(x)
    assert not all_numbers(x.with_columns(word=pl.lit("a")))
    assert not all_numbers(x.with_columns(yes=pl.lit(True)))
    assert not all_numbers(x.to_pandas())
    assert not all_numbers(x.to_numpy())


def test_an_audit_of_numbers_imports_no_skrub(frame, tmp_path):
    x, y = frame
    x.drop("constant").with_columns(y=y).write_csv(tmp_path / "t.csv")
    data = lp.read_table(tmp_path / "t.csv", "y")
    assert default_model(data).fit(data.x, y).predict_proba(data.x).shape == (400, 2)
    code = (
        f"import sys, labelproof as lp; lp.audit(lp.read_table({str(tmp_path / 't.csv')!r}, 'y'));"
        "print([m for m in ('skrub', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
