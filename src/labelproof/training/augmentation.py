"""What a network sees of a picture while it trains: moved, or warped, at random."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from labelproof.errors import BadInput

Augment = str | float | Callable[[Tensor], Tensor] | None
WARPS = (0.2, 0.2, 0.3, 0.3, 0.15)  # across and down in half sides, turn in radians, shear, scale


def augmentation_of(augment: Augment, shape: tuple[int, ...], n: int, *, pictures: bool) -> Callable[[Tensor], Tensor] | None:
    """What an estimator's ``augment`` stands for.

    Parameters
    ----------
    augment : "auto", "warp", float, callable or None
        See `labelproof.NoisyLabelClassifier`.
    shape : tuple of int
        Of an item.
    n : int
        Items to train on.
    pictures : bool
        Whether the items are pictures, of shape (channels, height, width).
    """
    if augment is None or callable(augment):
        return augment
    if augment == "auto":
        most = min(2, (min(shape[1:]) - 1) // 4) if pictures else 0
        return partial(shifted, most=most) if most else None
    strength = strength_for(n) if augment == "warp" else augment
    if isinstance(strength, str) or not 0 <= strength < math.inf:
        raise BadInput(f"augment is {augment!r}. Give 'auto', 'warp', a number from 0, a callable or None.")
    if strength and not pictures:
        raise BadInput(
            f"augment is {augment!r}, but only pictures can be warped, and an item has the shape {shape}. Give 'auto'."
        )
    return partial(warped, strength=float(strength)) if strength else None


def shifted(batch: Tensor, most: int) -> Tensor:
    """The batch (b, c, h, w) moved by up to ``most`` pixels each way, edges repeated."""
    height, width = batch.shape[2:]
    padded = functional.pad(batch, (most, most, most, most), mode="replicate")
    down, right = torch.randint(0, 2 * most + 1, (2,)).tolist()
    return padded[:, :, down : down + height, right : right + width]


def warped(pictures: Tensor, strength: float) -> Tensor:
    """Each picture (n, c, h, w) moved, turned, sheared and scaled a little on its own, edges repeated; gradients pass through.

    Parameters
    ----------
    pictures : Tensor, shape (n, c, h, w)
    strength : float
        At 1 by up to a tenth of the side, 17 degrees, 0.3 and 15 %; at 0 they are returned as they are.
    """
    if not strength:
        return pictures
    most = strength * torch.tensor(WARPS, device=pictures.device)
    across, down, turn, shear, scale = ((torch.rand(len(pictures), 5, device=pictures.device) * 2 - 1) * most).unbind(1)
    cosine, sine = turn.cos() * (1 + scale), turn.sin() * (1 + scale)
    rows = torch.stack([cosine, shear - sine, across], 1), torch.stack([sine, cosine, down], 1)
    grid = functional.affine_grid(torch.stack(rows, 1), list(pictures.shape), align_corners=False)
    return functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def strength_for(n: int) -> float:
    """How strongly to warp n given pictures: 1 from 1000 on, 2 for 100 or fewer, in between by their logarithm."""
    return min(2.0, max(1.0, 4 - math.log10(max(n, 1))))
