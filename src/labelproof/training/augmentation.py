"""Augmentation of training pictures: random shifts, or random affine transforms."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from labelproof.errors import BadInput

Augment = str | float | Callable[[Tensor], Tensor] | None
LARGEST = (0.2, 0.2, 0.3, 0.3, 0.15)  # shift across and down in half sides, rotation in radians, shear, scale


def augmentation_of(augment: Augment, shape: tuple[int, ...], n: int, *, pictures: bool) -> Callable[[Tensor], Tensor] | None:
    """The function behind the ``augment`` of an estimator.

    Parameters
    ----------
    augment : "auto", "affine", float, callable or None
        See `labelproof.NoisyLabelClassifier`.
    shape : tuple of int
        Shape of an item.
    n : int
        Number of training items.
    pictures : bool
        Whether the items are pictures, of shape (channels, height, width).
    """
    if augment is None or callable(augment):
        return augment
    if augment == "auto":
        most = min(2, (min(shape[1:]) - 1) // 4) if pictures else 0
        return partial(shifted, most=most) if most else None
    strength = strength_for(n) if augment == "affine" else augment
    if augment == "warp":
        raise BadInput("augment 'warp' is now called 'affine'. Give 'affine'.")
    if isinstance(strength, str) or not 0 <= strength < math.inf:
        raise BadInput(f"augment is {augment!r}. Give 'auto', 'affine', a number (0 or more), a callable or None.")
    if strength and not pictures:
        raise BadInput(
            f"augment is {augment!r}, but only pictures can be transformed, and an item has the shape {shape}. Give 'auto'."
        )
    return partial(affine, strength=float(strength)) if strength else None


def shifted(batch: Tensor, most: int) -> Tensor:
    """Shift the batch (b, c, h, w) by up to ``most`` pixels each way. Pixels beyond the edge repeat it."""
    height, width = batch.shape[2:]
    padded = functional.pad(batch, (most, most, most, most), mode="replicate")
    down, right = torch.randint(0, 2 * most + 1, (2,)).tolist()
    return padded[:, :, down : down + height, right : right + width]


def affine(pictures: Tensor, strength: float) -> Tensor:
    """Apply a random affine transform to each picture (n, c, h, w): shift, rotation, shear and scale.

    Pixels beyond the edge repeat it. Gradients pass through.

    Parameters
    ----------
    pictures : Tensor, shape (n, c, h, w)
    strength : float
        Scale of the transforms. At 1 they shift by up to a tenth of the side, rotate by up to 17 degrees, shear by up to 0.3 and
        scale by up to 15 %. At 0 the pictures are returned unchanged.
    """
    if not strength:
        return pictures
    most = strength * torch.tensor(LARGEST, device=pictures.device)
    across, down, turn, shear, scale = ((torch.rand(len(pictures), 5, device=pictures.device) * 2 - 1) * most).unbind(1)
    cosine, sine = turn.cos() * (1 + scale), turn.sin() * (1 + scale)
    rows = torch.stack([cosine, shear - sine, across], 1), torch.stack([sine, cosine, down], 1)
    grid = functional.affine_grid(torch.stack(rows, 1), list(pictures.shape), align_corners=False)
    return functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def strength_for(n: int) -> float:
    """Strength of the affine transforms for n given pictures: 1 from 1000 on, 2 up to 100, linear in log n in between."""
    return min(2.0, max(1.0, 4 - math.log10(max(n, 1))))
