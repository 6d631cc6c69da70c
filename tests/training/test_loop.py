"""The training loop learns, repeats, and stops at a loss that is no number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone

import labelproof as lp
from labelproof.training import NetworkClassifier, fit, predict_logits


def blobs(n: int = 300) -> tuple[torch.Tensor, torch.Tensor]:
    order = torch.Generator().manual_seed(0)
    given = torch.randint(0, 3, (n,), generator=order)
    return torch.randn(n, 4, generator=order) + 3 * torch.eye(4)[given], given


def linear() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Linear(4, 3)


def test_it_learns_and_leaves_the_callers_randomness_alone():
    x, given = blobs()
    module, before = linear(), torch.get_rng_state()
    trained = fit(module, x, given, epochs=20, learning_rate=0.05, accelerator="cpu")
    assert torch.equal(before, torch.get_rng_state())
    assert not trained.training
    assert (predict_logits(trained, x).argmax(dim=1) == given).float().mean() > 0.9


def test_the_same_seed_gives_the_same_weights_and_another_does_not():
    x, given = blobs()
    weights = [fit(linear(), x, given, epochs=2, seed=s, accelerator="cpu").weight for s in (0, 0, 1)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_loss_that_is_no_number_stops_training():
    x, given = blobs()
    x[5] = float("nan")
    with pytest.raises(lp.BadInput, match="in epoch 1"):
        fit(linear(), x, given, epochs=1, accelerator="cpu")


def test_no_batch_of_one_is_made():
    x, given = blobs(129)
    sizes: list[int] = []

    def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        sizes.append(len(labels))
        return torch.nn.functional.cross_entropy(logits, labels, reduction="none")

    fit(linear(), x, given, epochs=1, batch_size=64, loss=loss, accelerator="cpu")
    assert sum(sizes) == 129
    assert min(sizes) > 60


def test_the_network_classifier_reads_grey_and_colour_pictures(digits):
    grey, labels = digits.images[:400], np.array(list("abcdefghij"))[digits.target[:400]]
    colour = np.repeat((grey * 15).astype(np.uint8)[..., None], 3, axis=3)
    for pictures in (grey, colour):
        model = NetworkClassifier(epochs=20, width=16).fit(pictures, labels)
        assert model.score(pictures, labels) > 0.9
        assert np.allclose(model.predict_proba(pictures[:7]).sum(axis=1), 1.0)
    assert clone(model).get_params() == model.get_params()
