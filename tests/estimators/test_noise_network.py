"""The identities of the noise modeling network's paper."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

import labelproof as lp
from labelproof.estimators.tagger.noise_network import (
    NoiseNetwork,
    log_observed,
    noisy_cross_entropy,
    posterior_logits,
    transition_of,
)
from labelproof.estimators.tagger.stages import likeliest_rates
from labelproof.noise.posterior import posterior


def random_network(seed: int, *, dependent: bool = True, tags: int = 5) -> NoiseNetwork:
    torch.manual_seed(seed)
    net = NoiseNetwork(7, tags, feature_dependent=dependent).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return net


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.sampled_from([0.1, 3.0, 40.0]))
def test_the_gradient_at_the_logit_is_the_classifier_less_the_posterior(seed, scale):
    """Equation 12 of the appendix."""
    net = random_network(seed)
    logits = (scale * torch.randn(4, 5).double()).requires_grad_()
    tags = torch.randint(0, 2, (4, 5))
    odds = net(torch.randn(4, 7).double()).detach()
    noisy_cross_entropy(logits, tags, odds).sum().backward()
    rho = posterior_logits(logits, tags, odds).sigmoid()
    assert torch.allclose(logits.grad, (logits.sigmoid() - rho).detach(), atol=1e-6)


@pytest.mark.parametrize("dependent", [True, False])
def test_rows_sum_to_one_and_observed_probabilities_too(dependent):
    net = random_network(1, dependent=dependent)
    odds = net(torch.randn(9, 7).double())
    assert odds.shape == ((9 if dependent else 1), 5, 2)
    features = torch.randn(9, 7).double()
    q = transition_of(net(features))
    assert torch.allclose(q.sum(dim=-1), torch.ones(1).double())
    # equation 3 as it stands: four maps of each tag, a softmax over the given value; of those that differ by ours, any
    first, offset = torch.randn(5, 2, 7).double(), torch.randn(5, 2).double()
    ours = torch.zeros(5, 2, 7).double() if net.weight is None else net.weight.unflatten(0, (5, 2))
    maps, biases = torch.stack([first, first + ours], dim=2), torch.stack([offset, offset + net.bias], dim=2)
    scores = torch.einsum("ktgc,nc->nktg", maps, features) + biases
    assert torch.allclose(q.expand_as(scores), scores.softmax(dim=-1))
    logits = torch.randn(9, 5).double()
    seen = log_observed(logits, odds)
    assert torch.allclose(seen.exp().sum(dim=-1), torch.ones(9, 5).double())
    tags = torch.randint(0, 2, (9, 5))
    assert torch.allclose(-seen.gather(-1, tags[..., None])[..., 0], noisy_cross_entropy(logits, tags, odds))


def test_without_weights_features_say_nothing():
    dependent, independent = NoiseNetwork(7, 5, missing=0.3, incorrect=0.02), random_network(2, dependent=False).float()
    independent.load_state_dict({"bias": dependent.bias})
    assert torch.equal(dependent(torch.randn(3, 7)), independent(torch.randn(3, 7)).expand(3, -1, -1))
    rates = transition_of(independent(torch.zeros(1, 7)))[0]
    assert torch.allclose(rates[:, 1, 0], torch.tensor(0.3))
    assert torch.allclose(rates[:, 0, 1], torch.tensor(0.02))


def test_without_noise_it_is_plain_cross_entropy():
    net = NoiseNetwork(7, 5, missing=1e-12, incorrect=1e-12).double()
    logits, tags = 3 * torch.randn(6, 5).double(), torch.randint(0, 2, (6, 5))
    plain = functional.binary_cross_entropy_with_logits(logits, tags.double(), reduction="none")
    assert torch.allclose(noisy_cross_entropy(logits, tags, net(torch.randn(6, 7).double())), plain, atol=1e-6)


def test_the_posterior_is_that_of_all_of_labelproof():
    net = random_network(3, dependent=False)
    logits, tags = torch.randn(6, 5).double(), torch.randint(0, 2, (6, 5))
    odds = net(torch.zeros(1, 7).double()).detach()
    rho = posterior_logits(logits, tags, odds).sigmoid().numpy()
    for tag in range(5):
        probs = np.stack([1 - logits[:, tag].sigmoid().numpy(), logits[:, tag].sigmoid().numpy()], axis=1)
        expected = posterior(probs, tags[:, tag].numpy(), transition_of(odds)[0, tag].numpy())
        assert np.allclose(rho[:, tag], expected[:, 1], atol=1e-12)


def test_extreme_logits_and_rates_stay_finite():
    net = NoiseNetwork(7, 5, missing=1e-6, incorrect=1e-6)
    logits = torch.tensor([[-300.0, -40.0, 0.0, 40.0, 300.0]]).repeat(2, 1).requires_grad_()
    tags = torch.tensor([[1] * 5, [0] * 5])
    loss = noisy_cross_entropy(logits, tags, net(torch.randn(2, 7)))
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(logits.grad).all()
    assert loss.max() < 20  # the noise bounds what one tag can cost


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_step_of_expectation_maximisation_does_not_lower_the_likelihood(seed):
    """Groups of items whose classifier is a free probability: both M steps are exact, pseudo-counts apart."""
    rng = np.random.default_rng(seed)
    group = torch.from_numpy(rng.integers(0, 6, 400))
    tags = torch.from_numpy((rng.random((400, 3)) < rng.random((6, 3))[group.numpy()]).astype(int))
    share = torch.from_numpy(rng.uniform(0.05, 0.95, (6, 3)))
    net = NoiseNetwork(1, 3, feature_dependent=False, missing=rng.uniform(0.05, 0.4), incorrect=rng.uniform(0.01, 0.4)).double()
    before = None
    for _ in range(4):
        logits = torch.logit(share)[group]
        odds = net(torch.zeros(1, 1).double()).detach()
        cost = noisy_cross_entropy(logits, tags, odds).sum()
        assert before is None or cost <= before + 0.5  # a pseudo-count weighs as much as an item
        before = cost
        rho = posterior_logits(logits, tags, odds).sigmoid()
        size = torch.bincount(group, minlength=6)[:, None]
        share = (torch.zeros(6, 3).double().index_add(0, group, rho) / size).clamp(1e-9, 1 - 1e-9)
        net.start(*likeliest_rates(rho, tags))


def test_rates_must_be_rates():
    with pytest.raises(lp.BadInput, match="missing is 1"):
        NoiseNetwork(3, 2, missing=1.0)
