"""Rates of tags from the two ends of out-of-sample scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelproof.noise.tag_plateaus import LEADING, plateau_rates


def tagged(seed: int, *, n: int = 3000, k: int = 6, missing: object = 0.4, incorrect: object = 0.1, blur: float = 0.2):
    rng = np.random.default_rng(seed)
    true = rng.random((n, k)) < 0.3
    z = np.where(true, rng.random((n, k)) >= missing, rng.random((n, k)) < incorrect).astype(int)
    return true + rng.normal(0, blur, (n, k)), z, true


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.2, 0.5, 0.8]), st.sampled_from([0.0, 0.05, 0.15]))
def test_both_ends_are_the_rates(seed, missing, incorrect):
    scores, z, _ = tagged(seed, missing=missing, incorrect=incorrect)
    found = plateau_rates(scores, z)
    assert -0.17 < found.missing.mean() - missing < 0.03  # a fit that may only rise ends a little high: by 0.07 on average
    assert abs(found.incorrect.mean() - incorrect) < 0.03


def test_only_the_order_of_the_scores_counts():
    scores, z, _ = tagged(0)
    plain, other = plateau_rates(scores, z), plateau_rates(np.exp(3 * scores), z)
    assert np.allclose(plain.missing, other.missing)
    assert np.allclose(plain.incorrect, other.incorrect)


def test_tags_that_differ_keep_their_own_rates_and_tags_that_do_not_share_one():
    each = np.array([0.05, 0.2, 0.35, 0.5, 0.65, 0.8])
    scores, z, _ = tagged(1, n=8000, missing=each)
    own = plateau_rates(scores, z).missing
    assert np.abs(own - each).max() < 0.22
    assert np.corrcoef(own, each)[0, 1] > 0.97
    spread = []
    for seed in range(5):
        scores, z, _ = tagged(seed, n=8000, missing=0.4)
        raw = [1 - z[np.argsort(-scores[:, tag])[:30], tag].mean() for tag in range(6)]
        spread.append((np.std(plateau_rates(scores, z).missing), np.std(raw)))
    assert np.mean(spread, axis=0)[0] < np.mean(spread, axis=0)[1] / 2  # drawn together, as they differ by chance alone


def test_one_tag_that_is_hardly_known_neither_keeps_its_own_rates_nor_loosens_those_of_others():
    scores, z, true = tagged(7, k=8, missing=0.1)
    scores[:, 7] = 0.5 * true[:, 7] + np.random.default_rng(0).normal(size=len(z))
    alone, joint = plateau_rates(scores[:, [7]], z[:, [7]]), plateau_rates(scores, z, resistant=True)
    assert alone.missing[0] > 0.3  # its highest scores belong to items without it
    assert joint.missing[7] < 0.2
    assert joint.missing[:7].std() < plateau_rates(scores[:, :7], z[:, :7]).missing.std() + 0.02
    assert plateau_rates(scores, z).missing[7] > 0.3  # an audit believes it
    assert np.abs(joint.incorrect - 0.1).max() < np.abs(alone.incorrect[0] - 0.1)


def test_tags_that_cannot_be_predicted_borrow_from_those_that_can():
    scores, z, _ = tagged(2, k=2 * LEADING, missing=0.3)
    scores[:, LEADING:] = np.random.default_rng(0).normal(size=(len(z), LEADING))  # says nothing
    found = plateau_rates(scores, z).missing
    assert np.abs(found[LEADING:] - 0.3).max() < 0.15
    assert abs(1 - z[:, LEADING:].mean() - found[LEADING:].mean()) > 0.3  # its own ends would have said this


def test_unknown_tags_are_not_counted():
    scores, z, _ = tagged(3)
    known = plateau_rates(scores[:2000], z[:2000])
    hidden = z.copy()
    hidden[2000:] = -1
    assert np.allclose(plateau_rates(scores, hidden).missing, known.missing)


def test_constant_and_single_tags():
    scores, z, _ = tagged(4, n=60, k=3)
    z[:, 0], z[:, 1] = 0, 1
    found = plateau_rates(scores, z)
    assert np.isfinite([found.missing, found.incorrect]).all()
    assert ((found.missing > 0) & (found.missing < 1) & (found.incorrect > 0) & (found.incorrect < 1)).all()
    assert plateau_rates(scores[:, 2:], z[:, 2:]).missing.shape == (1,)


def test_evidence_that_decides_who_is_mentioned_is_learned():
    rng = np.random.default_rng(5)
    size = rng.uniform(10, 20, (6000, 5))
    chance = 1 / (1 + np.exp(0.4 * (size - 14)))  # of not being mentioned
    scores, z, true = tagged(6, n=6000, k=5, missing=chance, incorrect=0.0)
    scores -= 0.8 * true * chance  # what is seldom mentioned scores low
    plain, found = plateau_rates(scores, z), plateau_rates(scores, z, size[..., None])
    assert found.slopes[0] == pytest.approx(-0.4, abs=0.1)
    learned = 1 / (1 + np.exp(-(np.log(found.missing / (1 - found.missing)) + found.slopes[0] * (size - found.centre[0]))))
    assert abs(learned[true].mean() - chance[true].mean()) < 0.08
    assert plain.missing.mean() < chance[true].mean() - 0.15  # the highest scores are the large ones


def test_evidence_that_decides_nothing_has_no_slope():
    scores, z, _ = tagged(6)
    found = plateau_rates(scores, z, np.random.default_rng(0).normal(size=(*z.shape, 2)))
    assert np.abs(found.slopes).max() < 0.15
    nothing = plateau_rates(scores, np.ones_like(z), np.ones((*z.shape, 1)))
    assert nothing.slopes.tolist() == [0.0]
