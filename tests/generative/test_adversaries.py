"""Networks and losses of NL-GAN."""

from __future__ import annotations

import pytest
import torch
from torch.nn.utils import parametrize

from labelproof.generative.adversarial_regime import AdversarialRegime
from labelproof.generative.adversaries import Discriminator, Generator, filters_for, noise
from labelproof.generative.soft_labels import SoftLabels
from labelproof.training.trainable import TrainingData


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 17, 23), (3, 8, 5), (1, 64, 48)])
def test_any_size_goes_through(shape):
    made = Generator(shape).train()(noise(4, torch.device("cpu")))
    assert made.shape == (4, *shape)
    assert made.abs().max() <= 1
    assert Discriminator(shape)(made).shape == (4,)


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


def test_each_network_has_gradients_of_its_own_equation_alone():
    """Without α and β the discriminator has none; the generators' do not depend on them."""
    x, given = torch.rand(8, 1, 12, 12) * 2 - 1, torch.tensor([1, 0] * 4)
    found = {}
    for alpha, beta in ((5.0, 0.5), (1e-30, 1e-30)):
        torch.manual_seed(0)
        data = TrainingData(x, given)
        how = {"alpha": alpha, "beta": beta, "loss": "cross-entropy", "augment": 0.0, "filters": (8, 16)}
        regime = AdversarialRegime(data, torch.zeros(8, dtype=torch.int64), SoftLabels(0.2, 0.8), (0, 1), **how)
        torch.manual_seed(1)
        regime.train().loss(data.batch(torch.arange(8), lambda t: t)).loss.backward()
        found[alpha] = {name: weight.grad.clone() for name, weight in regime.named_parameters()}
    for name, gradient in found[5.0].items():
        if name.startswith("discriminator"):
            assert gradient.abs().max() > 1e-4
            assert found[1e-30][name].abs().max() < 1e-20
        else:
            assert torch.allclose(gradient, found[1e-30][name], atol=1e-7)
