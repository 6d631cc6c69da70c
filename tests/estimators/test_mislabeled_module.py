"""M-VAE's bound: the identities of the paper, and that it is a bound."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given as of
from hypothesis import settings
from hypothesis import strategies as st
from torch.distributions import Categorical, Normal, kl_divergence

from labelproof.estimators.mislabeled_vae.likelihoods import LIKELIHOODS
from labelproof.estimators.mislabeled_vae.mislabeled_module import (
    Elbo,
    MislabeledModule,
    Shape,
    alpha_of_epsilon,
    epsilon_of_alpha,
    log_uniform_noise,
)


def module_of(k=3, likelihood="gaussian", transition=None, seed=0, **sizes):
    torch.manual_seed(seed)
    shape = Shape(
        **{"features": 4, "classes": k, "latent": 2, "class_latent": 2, "hidden": 8, "likelihood": likelihood, **sizes}
    )
    matrix = torch.full((k, k), 1.0 / k).double() if transition is None else transition
    return MislabeledModule(shape, matrix.clamp_min(1e-6).log(), torch.full((k,), 1 / k)).double().eval()


def items(n=20, k=3, counts=False):
    torch.manual_seed(1)
    x = torch.poisson(torch.full((n, 4), 3.0)).double() if counts else torch.randn(n, 4).double()
    return x, torch.randint(-1, k, (n,))


@settings(deadline=None, max_examples=30)
@of(epsilon=st.floats(1e-4, 0.9), k=st.integers(2, 7), seed=st.integers(0, 100))
def test_with_uniform_noise_the_label_term_is_alpha_times_the_given_class(epsilon, k, seed):
    """Section 4: Ψ = f(ε) q(y' | z1) + log(ε / (k - 1))."""
    alpha = alpha_of_epsilon(epsilon, k)
    module = module_of(k, seed=seed)
    module.log_transition.copy_(log_uniform_noise(alpha, k))
    x, _ = items(12, k)
    labels = torch.arange(12) % k
    torch.manual_seed(seed)
    terms, logits = module.terms_and_logits(x, labels)
    own = logits.softmax(dim=1)[torch.arange(12), labels]
    assert torch.allclose(terms.label, alpha * own + math.log(epsilon / (k - 1)), atol=1e-6)
    assert math.isclose(epsilon_of_alpha(alpha, k), epsilon, rel_tol=1e-9)
    assert torch.allclose(log_uniform_noise(alpha, k).exp().sum(dim=1), torch.ones(k).double())


def test_any_weight_of_the_penalty_is_a_noise():
    for alpha in (0.0, 3.0, 1000.0):
        assert torch.isfinite(log_uniform_noise(alpha, 3)).all()
    assert torch.allclose(log_uniform_noise(0.0, 4), torch.full((4, 4), math.log(0.25)).double())


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("library", [False, True])
def test_the_bound_is_a_lower_bound_of_the_likelihood(likelihood, library):
    if library and not LIKELIHOODS[likelihood].counts:
        pytest.skip("no library")
    noise = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]).double()
    module = module_of(3, likelihood, noise, latent_library=library)
    x, labels = items(counts=LIKELIHOODS[likelihood].counts)
    x = (x > 0).double() if likelihood == "bernoulli" else x
    with torch.no_grad():
        bound = torch.stack([module.terms(x, labels).total for _ in range(200)])
        exact = module.log_likelihood(x, labels, draws=1000)
    spread = bound.std(dim=0) / 14
    assert (bound.mean(dim=0) < exact + 4 * spread).all()
    assert (bound.mean(dim=0) < exact).double().mean() > 0.9


def test_with_the_identity_and_all_labels_given_it_is_the_supervised_bound():
    """With q(y | z1) on the given class: E log p(x | z1) + log p(z1 | z2, y') + log p(y') - log q(z1 | x) - KL(z2)."""
    module = module_of(3, transition=torch.eye(3).double())
    x, _ = items()
    labels = torch.arange(20) % 3
    onto = torch.nn.functional.one_hot(labels, 3).double()
    torch.manual_seed(5)
    found = module.terms(x, labels, classes=onto).total
    torch.manual_seed(5)
    q = module.infer(x, labels)
    z1 = q.mean + torch.randn_like(q.mean) * (0.5 * q.log_variance).exp()
    mean2, log_variance2 = (part[torch.arange(20), labels] for part in module.z2_of_z1(z1[:, None]))
    noise2 = torch.randn(20, 3, 2, dtype=torch.float64)[torch.arange(20), labels]
    z2 = mean2 + noise2 * (0.5 * log_variance2).exp()
    mean1, log_variance1 = (part[torch.arange(20), labels] for part in module.z1_of_z2(z2[:, None].expand(-1, 3, -1)))
    q1, q2 = Normal(q.mean, (0.5 * q.log_variance).exp()), Normal(mean2, (0.5 * log_variance2).exp())
    expected = (
        module.likelihood.log_prob(x, module.decode(z1), q.log_library)
        + Normal(mean1, (0.5 * log_variance1).exp()).log_prob(z1).sum(1)
        + math.log(1 / 3)
        - q1.log_prob(z1).sum(1)
        - kl_divergence(q2, Normal(0.0 * mean2, 1.0)).sum(1)
    )
    assert torch.allclose(found, expected, atol=1e-9)


def test_the_class_term_is_the_divergence_of_torch():
    module = module_of(3)
    module.prior.copy_(torch.tensor([0.5, 0.3, 0.2]))
    x, labels = items()
    terms, logits = module.terms_and_logits(x, labels)
    expected = kl_divergence(Categorical(logits=logits), Categorical(probs=module.prior.expand(20, 3)))
    assert torch.allclose(terms.y_kl, expected)


def test_unlabelled_items_have_no_label_term_and_the_others_are_the_same():
    module = module_of(3, transition=torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]).double())
    x, labels = items()
    torch.manual_seed(2)
    with_labels = module.terms(x, labels)
    torch.manual_seed(2)
    without = module.terms(x, torch.full_like(labels, -1))
    assert (without.label == 0).all()
    assert (with_labels.label[labels < 0] == 0).all()
    assert (with_labels.label[labels >= 0] < 0).all()
    for name in set(Elbo._fields) - {"label"}:
        assert torch.equal(getattr(with_labels, name), getattr(without, name))


@pytest.mark.parametrize("likelihood", ["nb", "zinb"])
@pytest.mark.parametrize("library", [False, True])
def test_gradients_of_empty_cells_are_finite(likelihood, library):
    module = module_of(3, likelihood, latent_library=library, batches=2).train()
    x = torch.zeros(6, 4).double()
    x[5] = 1e5
    terms = module.terms(x, torch.tensor([-1, 0, 1, 2, -1, 0]), torch.tensor([0, 1, 0, 1, 0, 1]))
    (-terms.total.mean()).backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
