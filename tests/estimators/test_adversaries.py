"""Networks and losses of NL-GAN."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.utils import parametrize

import labelproof as lp
from labelproof.estimators.nl_gan.adversaries import Discriminator, Generators, filters_for, noise
from labelproof.estimators.nl_gan.regime import AdversarialRegime
from labelproof.estimators.nl_gan.soft_labels import Shares
from labelproof.training.trainable import TrainingData

CPU = torch.device("cpu")


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 17, 23), (3, 8, 5), (1, 64, 48)])
def test_any_size_goes_through(shape, shared):
    positives, negatives = Generators(shape, shared=shared).train()(noise(4, CPU), noise(3, CPU))
    assert (positives.shape, negatives.shape) == ((4, *shape), (3, *shape))
    assert positives.abs().max() <= 1
    assert Discriminator(shape)(positives).shape == (4, 2)


@pytest.mark.parametrize("shared", [True, False])
def test_a_class_alone_is_made_as_beside_the_other(shared):
    generators = Generators((1, 12, 12), (8, 16), shared=shared).eval()
    z = noise(5, CPU)
    both = generators(z, z)
    assert torch.allclose(generators(z, z[:0])[0], both[0], atol=1e-6)
    assert torch.allclose(generators(z[:0], z)[1], both[1], atol=1e-6)
    assert not torch.allclose(*both)


def test_the_filters_are_the_papers():
    assert filters_for(28, 28) == (64, 128)
    assert filters_for(32, 32) == (64, 128, 256)


def test_convolutions_have_a_spectral_norm_of_about_one():
    network = Discriminator((1, 28, 28)).train()
    for _ in range(30):  # iterations of the power method
        network(torch.rand(2, 1, 28, 28))
    convolutions = [part for part in network.modules() if isinstance(part, torch.nn.Conv2d)]
    assert len(convolutions) == 2
    for part in convolutions:
        assert parametrize.is_parametrized(part)
        assert torch.linalg.matrix_norm(part.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


def test_a_generator_is_judged_without_dropout_and_without_gradients_of_the_judge():
    torch.manual_seed(0)
    network = Discriminator((1, 12, 12)).train()
    x = torch.rand(3, 1, 12, 12, requires_grad=True)
    judged = network.judged(x)
    assert torch.equal(judged, network.judged(x))  # dropout would differ
    assert network.training
    judged.sum().backward()
    assert x.grad.abs().sum() > 0
    assert all(weight.grad is None for weight in network.parameters())
    network.eval()
    assert torch.allclose(judged, network(x))


WEIGHTS = {"alpha": 5.0, "beta": 0.5, "shared": True}


def regime_of(data: TrainingData, shares: Shares, lengths: tuple[int, int], **how: float | bool) -> AdversarialRegime:
    """Small, of pictures that are seen as they are."""
    fold = torch.zeros(len(data), dtype=torch.int64)
    return AdversarialRegime(data, fold, shares, lengths, loss="cross-entropy", augment=0.0, filters=(8, 16), **how)


def four_pictures() -> TrainingData:
    return TrainingData(torch.rand(4, 1, 12, 12), torch.tensor([1, 0, 1, 0]))


def gradients(**how: float | bool) -> dict[str, torch.Tensor]:
    """Of each weight, after one step on the same pictures and random numbers."""
    torch.manual_seed(0)
    data = TrainingData(torch.rand(8, 1, 12, 12) * 2 - 1, torch.tensor([1, 0] * 4))
    regime = regime_of(data, Shares(0.8, 0.8), (0, 4), **how)
    regime.train().epoch_start(0)
    torch.manual_seed(1)
    regime.loss(data.batch(torch.arange(8), lambda t: t)).loss.backward()
    return {name: weight.grad.clone() for name, weight in regime.named_parameters()}


@pytest.mark.parametrize("shared", [True, False])
def test_each_network_has_gradients_of_its_own_equation_alone(shared):
    """Without α, β and coverage the discriminator has none; the generators' do not depend on α and β."""
    found = {alpha: gradients(alpha=alpha, beta=alpha / 10, coverage=0.0, shared=shared) for alpha in (5.0, 1e-30)}
    for name, gradient in found[5.0].items():
        if name.startswith("discriminator"):
            assert gradient.abs().max() > 1e-4
            assert found[1e-30][name].abs().max() < 1e-20
        else:
            assert torch.allclose(gradient, found[1e-30][name], atol=1e-7)


def test_coverage_counts_more_and_more_for_generators_and_alike_for_the_discriminator():
    none, some, more = (gradients(**WEIGHTS, coverage=weight) for weight in (0.0, 0.4, 0.8))
    for name, gradient in some.items():
        if name.startswith("discriminator"):
            assert torch.allclose(gradient, more[name], atol=1e-6)
        else:
            assert torch.allclose(2 * (gradient - none[name]), more[name] - none[name], atol=1e-6)
    assert not torch.allclose(some["generators.first.0.weight"], none["generators.first.0.weight"], atol=1e-5)
    regime, resumed = (regime_of(four_pictures(), Shares(0.7, 0.85), (3, 8), **WEIGHTS, coverage=0.4) for _ in range(2))
    weights = []
    for epoch in (3, 4, 6, 7, 10):
        regime.epoch_start(epoch)
        weights.append(regime.covering)
    assert weights == pytest.approx([0.05, 0.15, 0.35, 0.4, 0.4])
    regime.epoch_start(4)
    resumed.load_state_dict(regime.state_dict())
    assert resumed.covering == regime.covering


def test_both_classes_together_are_the_parts_that_equation_3_says():
    """As many given positives as negatives, of a noise whose shares are known, hold true classes in these parts."""
    true = np.repeat([1, 0], [40_000, 60_000])
    given = lp.simulate.binary_purity(true, 0.7, 0.85, random_state=0).labels
    held = [sum((true[given == label] == one).mean() for label in (1, 0)) for one in (1, 0)]
    regime = regime_of(four_pictures(), Shares(0.7, 0.85), (0, 1), **WEIGHTS, coverage=0.4)
    assert regime.parts.tolist() == pytest.approx(held, abs=0.01)
