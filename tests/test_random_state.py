"""``random_state`` as scikit-learn has it, and its old name."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import labelproof as lp
from labelproof.validation import accepts_seed, rng_from, seed_from

X, Y = load_iris(return_X_y=True)
ESTIMATORS = (
    lp.NoisyLabelClassifier, lp.NoisyTagClassifier, lp.MislabeledVAE, lp.M1M2, lp.NLGAN, lp.ConceptCaptioner,
    lp.GenerativeCleaner, lp.RankPruning, lambda **options: lp.BootstrapEnsemble(LogisticRegression(), **options),
)  # fmt: skip


@pytest.mark.parametrize("make", ESTIMATORS)
def test_seed_is_the_old_name_of_every_estimator(make):
    with pytest.warns(lp.LabelproofWarning, match=r"seed of \w+ is now called random_state.*version 0\.3"):
        old = make(seed=3)
    assert old.random_state == 3
    assert clone(old).random_state == 3
    assert clone(old).get_params().keys() == make(random_state=3).get_params().keys()
    assert "seed" not in old.get_params()
    with pytest.warns(lp.LabelproofWarning):
        assert old.set_params(seed=4).random_state == 4
    with pytest.raises(lp.BadInput, match="both seed and random_state"):
        make(seed=1, random_state=1)
    assert make().random_state == 0


def test_a_function_takes_the_old_name_too():
    @accepts_seed
    def drawn(n, *, random_state=None):
        return rng_from(random_state).random(n)

    with pytest.warns(lp.LabelproofWarning, match="seed of .*drawn is now called random_state"):
        assert np.array_equal(drawn(3, seed=1), drawn(3, random_state=1))


def test_numbers_generators_and_none():
    assert seed_from(7) == seed_from(np.int64(7)) == 7
    for kind in (np.random.RandomState, np.random.default_rng):
        first, second = kind(0), kind(0)
        drawn = [seed_from(first), seed_from(first)]
        assert drawn == [seed_from(second), seed_from(second)]
        assert drawn[0] != drawn[1]
    assert seed_from(None) != seed_from(None)
    assert not np.array_equal(rng_from(0).random(3), np.random.default_rng(0).random(3))
    assert np.array_equal(rng_from(np.random.RandomState(1)).random(3), rng_from(np.random.RandomState(1)).random(3))
    for wrong in (-1, 2**32, True, "a", 0.5):
        with pytest.raises(lp.BadInput, match="random_state is"):
            seed_from(wrong)


def test_fits_follow_the_generator():
    def probs(random_state):
        return lp.NoisyLabelClassifier("gce", epochs=1, random_state=random_state).fit(X, Y).predict_proba(X)

    generator = np.random.RandomState(5)
    first, second = probs(generator), probs(generator)
    assert not np.array_equal(first, second)
    assert np.array_equal(first, probs(np.random.RandomState(5)))
    assert not np.array_equal(probs(None), probs(None))
