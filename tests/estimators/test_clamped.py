"""M2 on M1 as published: its two bounds, that M1 is held, that labels are the truth to it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given as of
from hypothesis import settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris
from torch.distributions import Categorical, Normal, kl_divergence

import labelproof as lp
from labelproof.estimators.mislabeled_vae.clamped import Clamped, m2_objective
from labelproof.estimators.mislabeled_vae.mislabeled_module import MislabeledModule, Shape
from labelproof.training.trainable import Batch

X, Y = load_iris(return_X_y=True)
QUICK = {"epochs": (20, 10, 10), "accelerator": "cpu"}


def module_of(k=3):
    torch.manual_seed(0)
    shape = Shape(features=4, classes=k, latent=2, class_latent=2, hidden=8, likelihood="gaussian", clamped=True)
    identity = torch.eye(k).double().clamp_min(1e-6).log()
    return MislabeledModule(shape, identity, torch.tensor([0.5, 0.3, 0.2])[:k]).double().eval()


def items(n=12):
    torch.manual_seed(1)
    return torch.randn(n, 4).double(), torch.arange(n) % 4 - 1


@settings(deadline=None, max_examples=30)
@of(seed=st.integers(0, 1000), k=st.integers(2, 6), alpha=st.floats(0, 50))
def test_where_y_is_summed_over_the_best_classifier_gives_the_log_of_the_sum(seed, k, alpha):
    """max over q of U = log sum over y of exp L(y), at q = softmax(L); any other q gives less."""
    torch.manual_seed(seed)
    bounds, logits, none = torch.randn(7, k).double() * 5, torch.randn(7, k).double(), torch.full((7,), -1)
    exact = torch.logsumexp(bounds, dim=1)
    assert torch.allclose(m2_objective(bounds, bounds, none, alpha), exact)
    found = m2_objective(bounds, logits, none, alpha)
    gap = kl_divergence(Categorical(logits=logits), Categorical(logits=bounds))
    assert torch.allclose(found, exact - gap)


def test_where_all_labels_are_given_it_is_the_bound_of_the_given_class_and_alpha_times_its_logarithm():
    """By hand: log p(z1 | z2, y) + log p(y) - KL(q(z2 | z1, y) || p(z2)) + α log q(y | z1)."""
    module, alpha = module_of(), 3.0
    x, _ = items()
    labels, rows = torch.arange(12) % 3, torch.arange(12)
    torch.manual_seed(5)
    step = Clamped(module, torch.zeros(12, dtype=torch.int64), alpha).loss(Batch(x, labels, rows))
    torch.manual_seed(5)
    q = module.infer(x, labels)
    z1 = q.mean + torch.randn_like(q.mean) * (0.5 * q.log_variance).exp()
    mean2, log_variance2 = (part[rows, labels] for part in module.z2_of_z1(z1[:, None]))
    z2 = mean2 + torch.randn(12, 3, 2, dtype=torch.float64)[rows, labels] * (0.5 * log_variance2).exp()
    mean1, log_variance1 = (part[rows, labels] for part in module.z1_of_z2(z2[:, None].expand(-1, 3, -1)))
    expected = (
        Normal(mean1, (0.5 * log_variance1).exp()).log_prob(z1).sum(1)
        + module.prior.double()[labels].log()
        - kl_divergence(Normal(mean2, (0.5 * log_variance2).exp()), Normal(0.0 * mean2, 1.0)).sum(1)
        + alpha * module.classifier(z1).log_softmax(1)[rows, labels]
    )
    assert math.isclose(step.loss.item(), -expected.mean().item(), rel_tol=1e-9)


def test_the_bound_of_a_clamped_model_observes_the_class():
    """Labelled: y is one class, -log p(y) is all that is left of its divergence; unlabelled: as with any M-VAE."""
    module = module_of()
    x, labels = items()
    torch.manual_seed(2)
    found = module.terms(x, labels)
    module.shape = Shape(**{**vars(module.shape), "clamped": False})
    onto = torch.nn.functional.one_hot(labels.clamp_min(0), 3).double()
    torch.manual_seed(2)
    observed = module.terms(x, labels, classes=onto)
    torch.manual_seed(2)
    free = module.terms(x, torch.full_like(labels, -1))
    given = labels >= 0
    assert torch.allclose(found.total[given], observed.total[given], atol=1e-9)
    assert torch.allclose(found.total[~given], free.total[~given])
    assert torch.allclose(found.y_kl[given], -module.prior.double()[labels[given]].log())
    assert torch.allclose(found.label, torch.zeros(12).double(), atol=1e-5)


def test_m1_hears_no_label_and_is_held():
    few = np.where(np.arange(150) % 5 == 0, Y, -1)
    one = lp.M1M2(5.0, labels="clamped", **QUICK).fit(X, few)
    other = lp.M1M2(5.0, labels="clamped", **QUICK).fit(X, np.where(few >= 0, (few + 1) % 3, -1))
    assert np.allclose(one.transform(X), other.transform(X), atol=1e-4)
    weights = one.module_.state_dict()
    assert one.pretrained_
    for name, before in one.pretrained_.items():
        assert torch.equal(weights[name], before), name
    assert not np.allclose(one.predict_proba(X), other.predict_proba(X), atol=0.1)
    taken = lp.M1M2(5.0, labels="clamped", **QUICK).fit(X, few, pretrained=lp.MislabeledVAE(0.1, **QUICK).fit(X, few))
    assert np.allclose(taken.predict_proba(X), one.predict_proba(X), atol=1e-3)  # M1 of M-VAE is the same


def test_labels_are_the_truth_to_it_and_the_others_follow():
    few = np.where(np.arange(150) % 5 == 0, Y, -1)
    model = lp.M1M2(5.0, labels="clamped", accelerator="cpu").fit(X, few)
    assert model.score(X, Y) > 0.85
    assert np.allclose(model.transition_.matrix, np.eye(3), atol=1e-5)
    assert np.allclose(model.transition_.prior, 1 / 3)
    assert np.nanmax(model.error_probability_) < 0.01
    assert np.array_equal(np.isnan(model.error_probability_), few < 0)
    assert np.isfinite(model.elbo_)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": "held"}, "labels is 'held'. Give 'penalty' or 'clamped'"),
        ({"labels": "clamped", "label_in_encoder": True}, "label_in_encoder does not apply with labels='clamped'"),
        ({"labels": "clamped", "prior": "learned"}, "prior='learned' does not apply with"),
        ({"labels": "clamped", "alpha": -1.0}, "alpha is -1"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(lp.BadInput, match=message):
        lp.M1M2(**options).fit(X, Y)
