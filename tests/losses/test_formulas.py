"""Every loss equals its paper's formula, worked out item by item with the standard library, default settings included."""

from __future__ import annotations

from math import exp, log

import pytest
import torch

import labelproof as lp
from labelproof import losses
from labelproof.losses.ranking import rank_weight

SCORES = [[1.2, -0.3, 0.5], [-0.7, 0.4, 2.0], [0.3, 0.1, -0.2], [-1.5, 3.0, 0.0]]
GIVEN = [0, 1, 2, 1]
LOGITS, LABELS = torch.tensor(SCORES, dtype=torch.float64), torch.tensor(GIVEN)
NOISE = [[0.7, 0.2, 0.1], [0.05, 0.8, 0.15], [0.3, 0.1, 0.6]]
TRANSITION = torch.tensor(NOISE, dtype=torch.float64)


def softmax(scores):
    top = [exp(s) for s in scores]
    return [t / sum(top) for t in top]


def one_hot(z):
    return [float(j == z) for j in range(3)]


def mixed(z, p, beta):
    """The target ``β [j = z] + (1 - β) p_j``."""
    return [beta * own + (1 - beta) * q for own, q in zip(one_hot(z), p, strict=True)]


def cross(target, p):
    return -sum(t * log(q) for t, q in zip(target, p, strict=True))


def margin(f, z):
    return f[z] - max(s for j, s in enumerate(f) if j != z)


def symmetric(p, z, alpha, beta, log_zero):
    reverse = -sum(q * (0.0 if j == z else log_zero) for j, q in enumerate(p))  # log 1 = 0, log 0 = A
    return -alpha * log(p[z]) + beta * reverse


def nonlinear(p, z, weight, alpha, beta):
    transferred = softmax([sum(w * q for w, q in zip(row, p, strict=True)) for row in weight])
    return -alpha * log(transferred[z]) + (1 - alpha) * cross(mixed(z, p, 1 - beta), p)


FORMULAS = {
    "cross_entropy": lambda f, p, z: -log(p[z]),
    "mean_absolute_error": lambda f, p, z: sum(abs(q - own) for q, own in zip(p, one_hot(z), strict=True)) / 2,
    "mean_squared_error": lambda f, p, z: sum((q - own) ** 2 for q, own in zip(p, one_hot(z), strict=True)),
    "ramp": lambda f, p, z: min(1.0, max(0.0, (1 - margin(f, z)) / 2)),
    "unhinged": lambda f, p, z: 1 - f[z] + sum(f) / 3,
    "generalized_cross_entropy": lambda f, p, z: (1 - p[z] ** 0.7) / 0.7,
    "symmetric_cross_entropy": lambda f, p, z: symmetric(p, z, 0.1, 1.0, -4.0),
    "bootstrap_soft": lambda f, p, z: cross(mixed(z, p, 0.95), p),
    "bootstrap_hard": lambda f, p, z: -0.8 * log(p[z]) - 0.2 * log(max(p)),
    "quasi_clustering": lambda f, p, z: cross(mixed(z, p, 0.8), p),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_loss_is_its_formula(name):
    by_hand = [FORMULAS[name](f, softmax(f), z) for f, z in zip(SCORES, GIVEN, strict=True)]
    assert getattr(losses, name)(LOGITS, LABELS).tolist() == pytest.approx(by_hand, rel=1e-9)


def test_settings_other_than_the_defaults():
    def rows(formula):
        return pytest.approx([formula(softmax(f), z) for f, z in zip(SCORES, GIVEN, strict=True)], rel=1e-9)

    sce = losses.symmetric_cross_entropy(LOGITS, LABELS, alpha=0.6, beta=0.25, log_zero=-6.0)
    assert sce.tolist() == rows(lambda p, z: symmetric(p, z, 0.6, 0.25, -6.0))
    assert losses.generalized_cross_entropy(LOGITS, LABELS, q=0.4).tolist() == rows(lambda p, z: (1 - p[z] ** 0.4) / 0.4)
    assert losses.bootstrap_soft(LOGITS, LABELS, beta=0.3).tolist() == rows(lambda p, z: cross(mixed(z, p, 0.3), p))
    hard = losses.bootstrap_hard(LOGITS, LABELS, beta=0.3)
    assert hard.tolist() == rows(lambda p, z: -0.3 * log(p[z]) - 0.7 * log(max(p)))
    assert losses.quasi_clustering(LOGITS, LABELS, beta=0.6).tolist() == rows(lambda p, z: cross(mixed(z, p, 0.4), p))


def test_losses_corrected_by_a_transition():
    pairs = [(softmax(f), z) for f, z in zip(SCORES, GIVEN, strict=True)]
    forward = [-log(sum(p[y] * NOISE[y][z] for y in range(3))) for p, z in pairs]
    assert losses.forward_correction(LOGITS, LABELS, TRANSITION).tolist() == pytest.approx(forward, rel=1e-9)
    outside = [cross(NOISE[z], p) for p, z in pairs]
    assert losses.transition_outside_log(LOGITS, LABELS, TRANSITION).tolist() == pytest.approx(outside, rel=1e-9)
    # the inverse of [[1 - a, a], [b, 1 - b]] is [[1 - b, -a], [-b, 1 - a]] / (1 - a - b)
    two = torch.tensor([[0.4, -0.9]], dtype=torch.float64)
    p, noise = softmax([0.4, -0.9]), torch.tensor([[0.9, 0.1], [0.3, 0.7]], dtype=torch.float64)
    backward = [-(0.7 * log(p[0]) - 0.1 * log(p[1])) / 0.6, -(-0.3 * log(p[0]) + 0.9 * log(p[1])) / 0.6]
    both = losses.backward_correction(two.repeat(2, 1), torch.tensor([0, 1]), noise)
    assert both.tolist() == pytest.approx(backward, rel=1e-9)
    with pytest.raises(lp.BadInput, match="no inverse"):
        losses.backward_correction(two, torch.tensor([0]), torch.full((2, 2), 0.5, dtype=torch.float64))


def test_the_three_terms_of_joint_optimisation():
    soft = [[0.2, 0.5, 0.3], [1.0, 0.0, 0.0], [0.1, 0.1, 0.8], [0.25, 0.25, 0.5]]
    probs = [softmax(f) for f in SCORES]
    divergence = [sum(y * log(y / q) for y, q in zip(row, p, strict=True) if y > 0) for row, p in zip(soft, probs, strict=True)]
    assert losses.soft_label_divergence(LOGITS, torch.tensor(soft, dtype=torch.float64)).tolist() == pytest.approx(divergence)
    assert losses.entropy(LOGITS).tolist() == pytest.approx([cross(p, p) for p in probs])
    prior, mean = [0.5, 0.3, 0.2], [sum(p[j] for p in probs) / 4 for j in range(3)]
    expected = sum(a * log(a / m) for a, m in zip(prior, mean, strict=True))
    assert losses.prior_divergence(LOGITS, torch.tensor(prior, dtype=torch.float64)).item() == pytest.approx(expected, rel=1e-6)


def test_the_nonlinear_noise_aware_loss():
    weight = [[2.0, 0.3, 0.0], [0.1, 1.5, 0.4], [0.0, 0.7, 3.0]]
    pairs = [(softmax(f), z) for f, z in zip(SCORES, GIVEN, strict=True)]
    matrix = torch.tensor(weight, dtype=torch.float64)
    found = losses.nonlinear_noise_aware_quasi_clustering(LOGITS, LABELS, matrix)
    assert found.tolist() == pytest.approx([nonlinear(p, z, weight, 0.9, 0.2) for p, z in pairs], rel=1e-9)
    found = losses.nonlinear_noise_aware_quasi_clustering(LOGITS, LABELS, matrix, alpha=0.4, beta=0.7)
    assert found.tolist() == pytest.approx([nonlinear(p, z, weight, 0.4, 0.7) for p, z in pairs], rel=1e-9)


def test_warp_of_tags_is_warp_against_the_absent_tags():
    scores = [[0.2, 1.0, -0.5, 0.9], [2.0, 0.5, 0.1, -3.0], [0.0, 0.0, 0.0, 0.0]]
    tags = [[1, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    by_hand = []
    for f, present in zip(scores, tags, strict=True):
        total = 0.0
        for z in (j for j in range(4) if present[j]):
            hinge = [1 - f[z] + f[j] for j in range(4) if not present[j] and 1 - f[z] + f[j] > 0]
            total += sum(1 / (r + 1) for r in range(len(hinge))) * sum(hinge) / max(len(hinge), 1)
        by_hand.append(total)
    found = losses.warp_tags(torch.tensor(scores, dtype=torch.float64), torch.tensor(tags))
    assert found.tolist() == pytest.approx(by_hand, rel=1e-6)
    assert by_hand[1] > 0
    assert found[2] == 0


def test_the_weight_of_a_rank_is_harmonic():
    assert rank_weight(torch.arange(6)).tolist() == pytest.approx([0, 1, 3 / 2, 11 / 6, 25 / 12, 137 / 60])
    assert rank_weight(torch.zeros(0, dtype=torch.int64)).shape == (0,)


def test_sampled_warp_of_two_classes_draws_the_other_one():
    logits, labels = torch.tensor([[0.3, 0.1], [2.0, 0.0], [0.1, 0.7]]), torch.tensor([0, 0, 0])
    by_hand = pytest.approx([0.8, 0.0, 1.6], rel=1e-6)  # 1 - f_z + f_i where above zero, of rank 1
    assert losses.warp_sampled(logits, labels).tolist() == by_hand
    assert losses.warp_sampled(logits, labels, known_rank=True).tolist() == by_hand
    assert losses.warp_sampled(logits.flip(1), 1 - labels).tolist() == by_hand


def test_sampled_warp_never_draws_the_given_class():
    """Of three classes whose given one leads the two others by less than the margin, the first draw is always a violator."""
    for z in range(3):
        logits = torch.zeros(300, 3)
        logits[:, z] = 0.5
        loss = losses.warp_sampled(logits, torch.full((300,), z))
        assert loss.tolist() == pytest.approx([1.5 * 0.5] * 300)  # rank 2 // 1, L(2) = 3/2, hinge 1/2


@pytest.mark.parametrize("z", range(4))
def test_sampled_warp_draws_every_other_class_alike(z):
    scores = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    loss = losses.warp_sampled(scores.repeat(9000, 1), torch.full((9000,), z), generator=torch.Generator().manual_seed(0))
    costs = [11 / 6 * (1 - scores[z] + scores[i]).item() for i in range(4) if i != z]  # found at once: rank 3
    shares = [torch.isclose(loss, torch.tensor(cost, dtype=torch.float64), rtol=1e-6).double().mean().item() for cost in costs]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.025)


def test_sampled_warp_without_a_violator_is_zero():
    logits = torch.tensor([[5.0, 0.0, 1.0], [9.0, 2.0, 0.0]])
    for known_rank in (False, True):
        assert losses.warp_sampled(logits, torch.tensor([0, 0]), known_rank=known_rank).tolist() == [0.0, 0.0]
