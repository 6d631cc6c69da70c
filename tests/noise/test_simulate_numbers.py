"""Planted errors of numbers are what they are called."""

from __future__ import annotations

import numpy as np
import pytest

import labelproof as lp
from labelproof.noise.simulate.numbers import KINDS, numbers

CLEAN = np.round(np.random.default_rng(0).gamma(4, 10, 5000) + 1, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind(kind):
    made = numbers(CLEAN, 0.2, kinds=[kind], unit=(1.8, 32.0), sentinel=-999, random_state=0)
    rows = np.flatnonzero(made.changed)
    assert abs(made.changed.mean() - 0.2) < 0.02
    assert np.array_equal(made.changed, made.labels != CLEAN)
    assert set(made.kind[rows]) == {kind}
    assert set(made.kind[~made.changed]) == {""}
    clean, given = CLEAN[rows], made.labels[rows]
    if kind == "factor":
        assert np.isin(np.round(np.log10(np.maximum(given, 1e-3) / clean)), [-3, -2, -1, 1, 2, 3]).mean() > 0.95
    elif kind == "unit":
        assert np.allclose(given, np.round(1.8 * clean + 32, 1))
    elif kind == "sign":
        assert np.array_equal(given, -clean)
    elif kind == "sentinel":
        assert set(given) == {-999}
    elif kind == "copied":
        before, after = CLEAN[np.maximum(rows - 1, 0)], CLEAN[np.minimum(rows + 1, len(CLEAN) - 1)]
        assert ((given == before) | (given == after)).all()
    elif kind == "swapped digits":
        digits = [sorted(str(round(10 * value))) for value in clean]
        assert [sorted(f"{round(10 * value):0{len(d)}d}") for value, d in zip(given, digits, strict=True)] == digits
    else:
        assert (np.abs(given - clean) >= 0.99 * CLEAN.std()).all()


def test_missing_numbers_stay_and_the_seed_decides():
    values = CLEAN.copy()
    values[::7] = np.nan
    first, again = (numbers(values, 0.3, random_state=3) for _ in range(2))
    assert np.isnan(first.labels[::7]).all()
    assert not first.changed[::7].any()
    assert np.array_equal(first.labels, again.labels, equal_nan=True)
    assert np.array_equal(first.kind, again.kind)


@pytest.mark.parametrize("options", [{"rate": 2}, {"rate": 0.1, "kinds": ["typo"]}, {"rate": 0.1, "kinds": []}])
def test_wrong_options_are_refused(options):
    with pytest.raises(lp.BadInput):
        numbers(CLEAN, **options)
