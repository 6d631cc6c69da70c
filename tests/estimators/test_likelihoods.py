"""What decoders say of data: against scipy and torch.distributions, and finite where data are extreme."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Normal, kl_divergence

from labelproof.estimators.mislabeled_vae.likelihoods import LIKELIHOODS, nb_log_prob, normal_kl, normal_log_prob


@pytest.mark.parametrize("mean", [1e-4, 0.3, 7.0, 4000.0])
@pytest.mark.parametrize("theta", [0.05, 1.0, 300.0])
def test_the_negative_binomial_is_scipys(mean, theta):
    x = np.array([0.0, 1.0, 5.0, 300.0, 10_000.0])
    ours = nb_log_prob(*(torch.tensor(v, dtype=torch.float64) for v in (x, np.log(mean), np.log(theta))))
    assert np.allclose(ours.numpy(), stats.nbinom.logpmf(x, theta, theta / (theta + mean)), rtol=1e-9, atol=1e-9)


def test_zero_inflation_moves_probability_to_zero_and_the_rest_still_sums_to_one():
    torch.manual_seed(0)
    layer = LIKELIHOODS["zinb"](4, 3).double()
    hidden, library = torch.randn(1, 4).double(), torch.full((1, 1), 2.0).double()
    x = torch.arange(2000.0).double()
    pi = torch.sigmoid(layer.dropout(hidden))[0]
    log_mean = (layer.log_share(hidden) + library)[0]
    for gene in range(3):
        plain = nb_log_prob(x, log_mean[gene], layer.log_theta[gene]).exp()
        expected = (1 - pi[gene]) * plain
        expected[0] += pi[gene]
        others = torch.zeros(2000, 3).double()
        others[:, gene] = x
        base = layer.log_prob(torch.zeros(1, 3).double(), hidden, library)
        found = (layer.log_prob(others, hidden, library) - base).exp() * expected[0]
        assert torch.allclose(found, expected, atol=1e-10)
        assert abs(found.sum().item() - 1) < 1e-6


def test_gaussians_are_those_of_torch():
    torch.manual_seed(0)
    x, mean, log_variance = torch.randn(3, 7, 5).double()
    other = Normal(mean, (0.5 * log_variance).exp())
    assert torch.allclose(normal_log_prob(x, mean, log_variance), other.log_prob(x).sum(-1))
    assert torch.allclose(normal_kl(mean, log_variance), kl_divergence(other, Normal(0.0 * mean, 1.0)).sum(-1))


def test_bernoulli_and_gaussian_layers():
    torch.manual_seed(0)
    hidden, library = torch.randn(6, 4), torch.zeros(6, 1)
    bits = LIKELIHOODS["bernoulli"](4, 3)
    x = torch.randint(0, 2, (6, 3)).float()
    expected = torch.distributions.Bernoulli(logits=bits.logit(hidden)).log_prob(x).sum(-1)
    assert torch.allclose(bits.log_prob(x, hidden, library), expected, atol=1e-5)
    reals = LIKELIHOODS["gaussian"](4, 3)
    torch.nn.init.constant_(reals.log_variance, -1.0)
    y = torch.randn(6, 3)
    assert torch.allclose(
        reals.log_prob(y, hidden, library), Normal(reals.mean(hidden, library), np.exp(-0.5)).log_prob(y).sum(-1), atol=1e-5
    )


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_draws_have_the_mean_that_is_promised(name):
    torch.manual_seed(0)
    layer = LIKELIHOODS[name](4, 3)
    hidden, library = torch.randn(1, 4).expand(40_000, 4), torch.full((40_000, 1), 3.0)
    with torch.no_grad():
        drawn, mean = layer.sample(hidden, library), layer.mean(hidden, library)[0]
    assert torch.allclose(drawn.mean(dim=0), mean, atol=5 * float(drawn.std(dim=0).max()) / 200)


@pytest.mark.parametrize("name", ["nb", "zinb"])
def test_gradients_are_finite_for_empty_and_for_huge_cells(name):
    torch.manual_seed(0)
    layer = LIKELIHOODS[name](4, 6)
    x = torch.zeros(3, 6)
    x[2] = 1e6
    hidden = (20 * torch.randn(3, 4)).requires_grad_()
    layer.log_prob(x, hidden, x.sum(1, keepdim=True).clamp_min(1).log()).sum().backward()
    for tensor in (hidden, *layer.parameters()):
        assert torch.isfinite(tensor.grad).all()


def test_the_gradient_of_the_negative_binomial_is_that_of_differences():
    torch.manual_seed(0)
    x = torch.poisson(torch.full((4, 5), 1.5)).double()
    log_mean, log_theta = torch.randn(4, 5).double().requires_grad_(), torch.randn(5).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda m, t: nb_log_prob(x, m, t), (log_mean, log_theta))
    rows = torch.randn(5, 4).double()  # strides that are not those of the counts
    assert torch.equal(nb_log_prob(x, rows.T, log_theta), nb_log_prob(x, rows.T.contiguous(), log_theta))
