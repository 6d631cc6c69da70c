"""What networks see of pictures while they train."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import labelproof as lp
from labelproof.training.augmentation import affine, augmentation_of, shifted, strength_for


def test_fewer_pictures_are_augmented_more():
    assert [strength_for(n) for n in (1, 100, 1000, 10**6)] == [2, 2, 1, 1]
    assert 1 < strength_for(300) < strength_for(200) < 2


def test_each_picture_is_transformed_on_its_own():
    torch.manual_seed(0)
    x = torch.zeros(200, 1, 15, 11)
    x[:, :, 7, 5] = 1.0
    x.requires_grad_()
    seen = affine(x, 1.0)
    weight = seen.detach()[:, 0]
    down = (weight * torch.arange(15)[:, None]).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)) - 7
    right = (weight * torch.arange(11)).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)) - 5
    for moved, side in ((down, 15), (right, 11)):
        assert 0.06 * side < moved.abs().max() < 0.16 * side  # a tenth, and what turning and shearing add
        assert moved.mean().abs() < 0.02 * side
    seen.sum().backward()
    assert x.grad[:, :, 7, 5].gt(0).all()
    assert torch.equal(affine(x, 0.0), x)


def test_a_batch_is_moved_together():
    torch.manual_seed(0)
    x = torch.zeros(3, 1, 9, 9)
    x[:, :, 4, 4] = 1.0
    places = {tuple(shifted(x, 2)[:, 0].nonzero()[0].tolist()[1:]) for _ in range(200)}
    assert places == {(down, right) for down in range(2, 7) for right in range(2, 7)}


def test_names_and_numbers_stand_for_augmentations():
    shape = (1, 8, 8)
    assert augmentation_of("auto", (5,), 100, pictures=False) is None
    assert augmentation_of("auto", shape, 100, pictures=True).keywords == {"most": 1}
    assert augmentation_of("affine", shape, 100, pictures=True).keywords == {"strength": 2.0}
    assert augmentation_of(0.5, shape, 100, pictures=True).keywords == {"strength": 0.5}
    assert augmentation_of(0, (5,), 100, pictures=False) is None
    assert augmentation_of(torch.abs, (5,), 100, pictures=False) is torch.abs
    for wrong in ("flips", -1, float("nan"), float("inf")):
        with pytest.raises(lp.BadInput, match="Give 'auto', 'affine', a number"):
            augmentation_of(wrong, shape, 100, pictures=True)
    with pytest.raises(lp.BadInput, match="Give 'affine'"):
        augmentation_of("warp", shape, 100, pictures=True)
    with pytest.raises(lp.BadInput, match="only pictures can be transformed"):
        augmentation_of("affine", (5,), 100, pictures=False)


def test_a_model_with_affine_augmentation_is_saved_and_loaded(tmp_path):
    pictures = np.random.default_rng(0).random((40, 8, 8))
    model = lp.NoisyLabelClassifier("cross-entropy", epochs=1, augment="affine").fit(pictures, [0, 1] * 20)
    model.save(tmp_path / "model")
    loaded = lp.NoisyLabelClassifier.load(tmp_path / "model")
    assert loaded.augment == "affine"
    assert (loaded.predict_proba(pictures) == model.predict_proba(pictures)).all()
