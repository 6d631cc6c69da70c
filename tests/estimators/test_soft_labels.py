"""The two identities of section 2.1, and δ from the outputs of a discriminator."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import labelproof as lp
from labelproof.estimators.nl_gan.regime import soft_label_cost
from labelproof.estimators.nl_gan.soft_labels import Shares, SoftLabels, mixture_labels, shares_of, soft_labels

SHARE = st.floats(0.51, 0.99)


def expectation(probs, logits, target, kind="cross-entropy"):
    return sum(p * soft_label_cost(logit[None], target, kind) for p, logit in zip(probs, logits, strict=True))


@settings(max_examples=40, deadline=None)
@given(SHARE, SHARE, st.integers(0, 2**31))
def test_noisy_labels_are_softened_clean_ones(positive, negative, seed):
    """Equation 2 equals equation 3 for any discriminator."""
    rng = np.random.default_rng(seed)
    p_positive, p_negative = rng.dirichlet(np.ones(6), 2)
    logits = torch.from_numpy(rng.normal(0, 3, 6))
    given_positive = positive * p_positive + (1 - positive) * p_negative
    given_negative = negative * p_negative + (1 - negative) * p_positive
    noisy = expectation(given_positive, logits, 0.0) + expectation(given_negative, logits, 1.0)
    aims = soft_labels(Shares(positive, negative))
    clean = (positive + 1 - negative) * expectation(p_positive, logits, aims.positive)
    clean += (1 - positive + negative) * expectation(p_negative, logits, aims.negative)
    assert float(noisy) == pytest.approx(float(clean), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(SHARE, SHARE)
def test_shares_follow_from_soft_labels(positive, negative):
    assert shares_of(soft_labels(Shares(positive, negative))) == pytest.approx((positive, negative), abs=1e-9)


@pytest.mark.parametrize("kind", ["cross-entropy", "squared"])
def test_the_best_discriminator_reaches_the_soft_labels(kind):
    """Four kinds of things, two positive and two negative, each with its own frequency."""
    shares = Shares(0.6, 0.8)
    p_positive, p_negative = np.array([0.7, 0.3, 0, 0]), np.array([0, 0, 0.9, 0.1])
    given_positive = shares.positive * p_positive + (1 - shares.positive) * p_negative
    given_negative = shares.negative * p_negative + (1 - shares.negative) * p_positive
    logits = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-14)

    def closure():
        optimizer.zero_grad()
        loss = expectation(given_positive, logits, 0.0, kind) + expectation(given_negative, logits, 1.0, kind)
        loss.backward()
        return loss

    optimizer.step(closure)
    aims = soft_labels(shares)
    expected = [aims.positive, aims.positive, aims.negative, aims.negative]
    assert torch.sigmoid(logits).tolist() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("shares", [Shares(0.5, 0.5), Shares(0.3, 0.6), Shares(0.0, 1.0)])
def test_labels_that_say_nothing_are_refused(shares):
    with pytest.raises(lp.BadInput, match="sum to more than 1"):
        soft_labels(shares)


def test_a_share_outside_0_to_1_is_refused():
    with pytest.raises(lp.BadInput, match=r"pi_n is 1.2"):
        soft_labels(Shares(0.9, 1.2))


def test_without_noise_the_aims_are_the_labels():
    assert soft_labels(Shares(1.0, 1.0)) == SoftLabels(0.0, 1.0)


def test_the_mixture_finds_both_means():
    rng = np.random.default_rng(0)
    outputs = np.concatenate([rng.normal(0.25, 0.05, 4000), rng.normal(0.7, 0.08, 3000)])
    assert mixture_labels(outputs) == pytest.approx((0.25, 0.7), abs=0.01)
