"""Bags: what they have, from what their instances have."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import labelproof as lp
from labelproof.data.bags import Bags, evenly
from labelproof.estimators.tagger.instance_pooling import POOLINGS, max_pooling, mean_pooling, noisy_or, pooling_of


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), m=st.integers(1, 12), scale=st.sampled_from([0.3, 3.0]))
def test_noisy_or_is_the_direct_product(seed, m, scale):
    torch.manual_seed(seed)
    logits = scale * torch.randn(4, m, 3).double()
    p = logits.sigmoid()
    assert torch.allclose(noisy_or(logits).sigmoid(), 1 - (1 - p).prod(dim=1), atol=1e-12)
    assert torch.allclose(mean_pooling(logits).sigmoid(), p.mean(dim=1), atol=1e-12)
    assert torch.equal(max_pooling(logits), logits.amax(dim=1))


def test_ten_thousand_instances_do_not_underflow():
    logits = torch.full((1, 10_000, 3), -20.0)
    logits[..., 1] = 5.0
    logits[..., 2] = -100.0
    logits.requires_grad_()
    pooled = noisy_or(logits)
    assert torch.isfinite(pooled).all()
    assert abs(pooled[0, 0].item() - (np.log(10_000) - 20)) < 1e-3  # each of them as likely as e^-20
    assert pooled[0, 1] > 40_000  # a probability of one, but still a logit
    pooled.sum().backward()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", list(POOLINGS))
def test_masked_instances_are_not_there(name):
    torch.manual_seed(0)
    logits = torch.randn(3, 5, 4)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 1, 0, 0, 1]]).bool()
    pool = pooling_of(name)
    found = pool(logits.clone().masked_fill(~mask[..., None], 1e4).requires_grad_(), mask)
    for row in range(3):
        assert torch.allclose(found[row], pool(logits[row][mask[row]][None], None)[0], atol=1e-5)
    found.sum().backward()


def test_bags_of_any_size():
    bags = Bags.of([np.ones((2, 3)), np.zeros((4, 3)), np.full((1, 3), 7)])
    padded = bags.padded()
    assert padded.shape == (3, 4, 3)
    assert np.isnan(padded[..., 0]).sum(axis=1).tolist() == [2, 0, 3]
    assert np.array_equal(bags.take(np.array([2, 0])).padded()[0, 0], [7, 7, 7])
    assert np.array_equal(padded[0, :2], np.ones((2, 3)))
    with pytest.raises(lp.BadInput, match="bag 'b' has shape"):
        Bags.of([np.ones((2, 3)), np.zeros((0, 3))], ids=["a", "b"])
    with pytest.raises(lp.BadInput, match=r"instances of bag 1 have shape \(2,\)"):
        Bags.of([np.ones((2, 3)), np.zeros((4, 2))])
    with pytest.raises(lp.BadInput, match="pooling is 'noisy or'"):
        pooling_of("noisy or")


def test_frames_are_spread_evenly():
    assert evenly(26, 26).tolist() == list(range(26))
    assert evenly(5, 26).tolist() == [0, 1, 2, 3, 4]
    chosen = evenly(260, 26)
    assert len(chosen) == 26
    assert set(np.diff(chosen).tolist()) == {10}
    assert (chosen[0], chosen[-1]) == (5, 255)
