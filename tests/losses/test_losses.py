"""The battery that every loss passes, and the identities of the papers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

import labelproof as lp
from labelproof import losses
from labelproof.losses.ranking import rank_weight
from labelproof.noise import posterior

N, K = 7, 5
EVERY = {
    **losses.LOSSES,
    "forward": lambda f, z: losses.forward_correction(f, z, noise(f)),
    "backward": lambda f, z: losses.backward_correction(f, z, noise(f)),
    "outside log": lambda f, z: losses.transition_outside_log(f, z, noise(f)),
    "nnaqc": lambda f, z: losses.nonlinear_noise_aware_quasi_clustering(f, z, 3 * torch.eye(f.shape[1], dtype=f.dtype)),
    "soft labels": lambda f, z: losses.soft_label_divergence(f, torch.nn.functional.one_hot(z, f.shape[1]).to(f.dtype)),
    "entropy": lambda f, z: losses.entropy(f),
}


def noise(like: torch.Tensor) -> torch.Tensor:
    k = like.shape[1]
    return (0.7 * torch.eye(k) + 0.2 * torch.roll(torch.eye(k), 1, 1) + 0.1 / k).to(like.dtype)


def problem(seed: int = 0, n: int = N, k: int = K, scale: float = 2.0) -> tuple[torch.Tensor, torch.Tensor]:
    order = torch.Generator().manual_seed(seed)
    return scale * torch.randn(n, k, generator=order, dtype=torch.float64), torch.randint(0, k, (n,), generator=order)


@pytest.mark.parametrize("name", EVERY)
def test_one_loss_per_item_each_with_a_right_gradient(name):
    logits, labels = problem()
    assert EVERY[name](logits, labels).shape == (N,)
    assert torch.autograd.gradcheck(lambda f: EVERY[name](f, labels).sum(), logits.requires_grad_())


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_at_extreme_logits_with_finite_gradients(name, dtype):
    logits = (1e4 * torch.tensor([[1.0, -1, 0], [-1, 1, 1], [0, 0, 0], [-1, -1, -1]], dtype=dtype)).requires_grad_()
    for labels in (torch.tensor([0, 0, 1, 2]), torch.tensor([1, 2, 0, 0])):
        loss = EVERY[name](logits, labels)
        assert torch.isfinite(loss).all()
        (gradient,) = torch.autograd.grad(loss.sum(), logits)
        assert torch.isfinite(gradient).all()


@settings(max_examples=30)
@drawn(st.integers(0, 10_000))
def test_limits_in_which_a_loss_is_cross_entropy(seed):
    logits, labels = problem(seed)
    plain, identity = losses.cross_entropy(logits, labels), torch.eye(K, dtype=logits.dtype)
    for same in (
        losses.forward_correction(logits, labels, identity),
        losses.backward_correction(logits, labels, identity),
        losses.transition_outside_log(logits, labels, identity),
        losses.bootstrap_soft(logits, labels, beta=1.0),
        losses.bootstrap_hard(logits, labels, beta=1.0),
        losses.symmetric_cross_entropy(logits, labels, alpha=1.0, beta=0.0),
        losses.quasi_clustering(logits, labels, beta=0.0),
        losses.soft_label_divergence(logits, torch.nn.functional.one_hot(labels, K).to(logits.dtype)),
    ):
        assert torch.allclose(same, plain, atol=1e-9)
    assert torch.allclose(losses.generalized_cross_entropy(logits, labels, q=1e-6), plain, atol=1e-3)
    assert torch.allclose(losses.generalized_cross_entropy(logits, labels, q=1.0), losses.mean_absolute_error(logits, labels))


@settings(max_examples=30)
@drawn(st.integers(0, 10_000))
def test_the_symmetric_condition(seed):
    """Summed over all labels, these losses are constant, which makes them robust to symmetric noise."""
    logits, _ = problem(seed)
    every = [torch.full((N,), z) for z in range(K)]
    assert torch.allclose(sum(losses.mean_absolute_error(logits, z) for z in every), torch.tensor(K - 1.0, dtype=logits.dtype))
    assert torch.allclose(sum(losses.unhinged(logits, z) for z in every), torch.tensor(float(K), dtype=logits.dtype))
    total = sum(losses.cross_entropy(logits, z) for z in every)
    assert not torch.allclose(total, total[0].expand(N))


@settings(max_examples=30)
@drawn(st.integers(0, 10_000))
def test_backward_correction_is_unbiased(seed):
    logits, true = problem(seed)
    transition = noise(logits)
    mean = sum(transition[true, z] * losses.backward_correction(logits, torch.full((N,), z), transition) for z in range(K))
    assert torch.allclose(mean, losses.cross_entropy(logits, true), atol=1e-9)
    with pytest.raises(lp.BadInput, match="no inverse"):
        losses.backward_correction(logits, true, torch.full((K, K), 1 / K, dtype=logits.dtype))


@settings(max_examples=30)
@drawn(st.integers(0, 10_000))
def test_forward_correction_trains_towards_the_posterior(seed):
    """Its gradient at the logit is p(y | x) - p(y | z, x)."""
    logits, labels = problem(seed)
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(losses.forward_correction(logits, labels, noise(logits)).sum(), logits)
    probs = logits.detach().softmax(dim=1).numpy()
    expected = probs - posterior(probs, labels.numpy(), noise(logits).numpy())
    assert np.allclose(gradient.numpy(), expected, atol=1e-6)


def test_bounded_losses():
    logits, labels = problem(n=500, scale=50)
    assert ((losses.ramp(logits, labels) >= 0) & (losses.ramp(logits, labels) <= 1)).all()
    assert losses.mean_absolute_error(logits, labels).max() <= 1
    assert losses.mean_squared_error(logits, labels).max() <= 2
    right = torch.tensor([[3.0, 0.0, 0.0]])
    assert losses.ramp(right, torch.tensor([0])).item() == 0
    assert losses.ramp(right, torch.tensor([1])).item() == 1


def test_the_divergence_of_a_zero_label_entry_is_zero():
    """The question what if y_ij = 0: 0 log 0 is 0, and the gradient is finite."""
    logits = torch.tensor([[0.3, -0.2, 1.0]], requires_grad=True)
    loss = losses.soft_label_divergence(logits, torch.tensor([[0.0, 0.5, 0.5]]))
    p = logits.softmax(dim=1)[0]
    assert torch.isclose(loss[0], (0.5 * (0.5 / p[1]).log() + 0.5 * (0.5 / p[2]).log()).detach(), atol=1e-6)
    loss.sum().backward()
    assert torch.isfinite(logits.grad).all()


def test_the_prior_term_is_zero_only_where_predictions_match_the_prior():
    logits = torch.log(torch.tensor([[0.2, 0.8], [0.4, 0.6]]))
    assert losses.prior_divergence(logits, torch.tensor([0.3, 0.7])).abs() < 1e-6
    collapsed = torch.tensor([[20.0, -20.0]] * 4)
    assert losses.prior_divergence(collapsed, torch.tensor([0.5, 0.5])) > 5
    assert torch.isfinite(losses.prior_divergence(torch.tensor([[1e4, -1e4]]), torch.tensor([0.0, 1.0])))


def test_entropy_is_highest_for_even_predictions():
    assert torch.allclose(losses.entropy(torch.zeros(1, 4)), torch.tensor(4.0).log())
    assert losses.entropy(torch.tensor([[100.0, 0.0]])).item() < 1e-6


def test_soft_labels_stop_the_updates_that_the_entropy_term_goes_on_with():
    """L_c has no gradient where the label is the prediction; L_e draws the most probable class up."""
    logits = torch.tensor([[0.3, -0.2, 1.0]], dtype=torch.float64, requires_grad=True)
    label = logits.detach().softmax(dim=1)
    (stopped,) = torch.autograd.grad(losses.soft_label_divergence(logits, label).sum(), logits)
    assert torch.allclose(stopped, torch.zeros(1, 3, dtype=torch.float64), atol=1e-12)
    (going_on,) = torch.autograd.grad(losses.entropy(logits).sum(), logits)
    assert going_on[0, 2] < -0.1 < 0 < going_on[0, :2].min()


def test_noise_aware_by_hand():
    logits, labels = problem()
    weight = torch.arange(float(K * K), dtype=logits.dtype).reshape(K, K) / 10
    for i in range(N):
        inner = logits[i].softmax(dim=0)
        outer = torch.stack([(weight[j] * inner).sum() for j in range(K)]).softmax(dim=0)
        assert torch.isclose(losses.noise_aware(logits, labels, weight)[i], -outer[labels[i]].log())


def warp_by_hand(scores: np.ndarray, z: int) -> float:
    violators = [i for i in range(len(scores)) if i != z and 1 + scores[i] > scores[z]]
    if not violators:
        return 0.0
    weight = sum(1 / j for j in range(1, len(violators) + 1))
    return sum(weight * (1 - scores[z] + scores[i]) / len(violators) for i in violators)


@settings(max_examples=50)
@drawn(st.integers(0, 10_000))
def test_warp_equals_its_definition(seed):
    logits, labels = problem(seed)
    by_hand = [warp_by_hand(row, z) for row, z in zip(logits.numpy(), labels.tolist(), strict=True)]
    assert np.allclose(losses.warp(logits, labels).numpy(), by_hand)


def test_warp_is_zero_when_the_given_class_leads_by_the_margin():
    logits = torch.tensor([[3.0, 1.0, 0.0], [1.5, 1.0, 0.0]])
    assert losses.warp(logits, torch.tensor([0, 0]))[0] == 0
    assert losses.warp(logits, torch.tensor([0, 0]))[1] == pytest.approx(0.5)
    assert rank_weight(torch.tensor([0, 1, 3])).tolist() == pytest.approx([0, 1, 1 + 1 / 2 + 1 / 3])


def test_sampled_warp_converges_to_the_exact_one():
    logits, labels = problem(n=4, k=8)
    order = torch.Generator().manual_seed(0)
    many, repeated = logits.repeat(40_000, 1), labels.repeat(40_000)
    mean = losses.warp_sampled(many, repeated, generator=order, known_rank=True).reshape(-1, 4).mean(dim=0)
    assert torch.allclose(mean, losses.warp(logits, labels), rtol=0.02)


def test_sampled_warp_with_the_papers_estimate_of_the_rank_is_nearly_unbiased():
    order = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(6, 10, generator=order), torch.randint(0, 10, (6,), generator=order)
    sampled = losses.warp_sampled(logits.repeat(20_000, 1), labels.repeat(20_000), generator=order).reshape(-1, 6).mean(dim=0)
    assert torch.allclose(sampled, losses.warp(logits, labels), rtol=0.05)


def test_the_rank_estimate_of_sampled_warp():
    """At its N-th draw a violator is taken for one of (k - 1) / N."""
    logits = torch.full((20_000, 9), -10.0)
    logits[:, 0], logits[:, 3] = 0.0, 5.0  # one violator among eight: N is geometric with mean 8
    labels = torch.zeros(20_000, dtype=torch.int64)
    loss = losses.warp_sampled(logits, labels, generator=torch.Generator().manual_seed(0))
    chance = [(1 / 8) * (7 / 8) ** (n - 1) for n in range(1, 9)]
    weights = [6.0 * sum(1 / j for j in range(1, 8 // n + 1)) for n in range(1, 9)]
    assert loss.mean().item() == pytest.approx(sum(c * w for c, w in zip(chance, weights, strict=True)), rel=0.03)
    assert losses.warp_sampled(-logits * 0, labels[:0].new_zeros(20_000), generator=None).min() > 0  # ties violate
