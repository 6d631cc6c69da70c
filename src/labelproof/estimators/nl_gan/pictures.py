"""Pictures as generators take and make them, and as their owner had them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.utils import Tags
from torch import Tensor

from labelproof.errors import BadInput
from labelproof.validation import AnyArray, ArrayLike, check_features

SMALLEST_SIDE = 4


@dataclass(frozen=True)
class PictureFormat:
    """The format of pictures.

    Attributes
    ----------
    shape : tuple of int
        Shape of one picture: (height, width) or (height, width, channels).
    whole : bool
        Bytes or other whole numbers from 0 to 255; otherwise real numbers from 0 to 1.
    """

    shape: tuple[int, ...]
    whole: bool

    @property
    def channels_first(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return (self.shape[2] if len(self.shape) == 3 else 1), self.shape[0], self.shape[1]

    @classmethod
    def of(cls, images: ArrayLike) -> tuple[AnyArray, PictureFormat]:
        """The pictures as an array, checked, and their format.

        Raises
        ------
        BadInput
            For pictures of several sizes, or values out of range, naming the first.
        """
        if isinstance(images, list | tuple):
            sizes = [np.shape(image) for image in images]
            for row, size in enumerate(sizes):
                if size != sizes[0]:
                    raise BadInput(
                        f"images have several sizes: {sizes[0]} in row 0, {size} in row {row}. Scale them to one size."
                    )
        array = check_features(images, name="images")
        if array.ndim not in (3, 4) or min(array.shape[1:3], default=0) < SMALLEST_SIDE:
            raise BadInput(
                f"images have the shape {array.shape}. Give (n, height, width) or (n, height, width, channels), "
                f"{SMALLEST_SIDE} pixels or more each way."
            )
        whole = array.dtype.kind in "iu"
        highest = 255 if whole else 1
        wrong = np.flatnonzero(((array < 0) | (array > highest)).reshape(len(array), -1).any(axis=1))
        if len(wrong):
            worst = array[wrong[0]]
            value = worst[(worst < 0) | (worst > highest)][0]
            raise BadInput(
                f"images have values out of range: {value} in row {wrong[0]} ({len(wrong)} of {len(array)} images). "
                f"Give {'whole numbers from 0 to 255' if whole else 'real numbers from 0 to 1'}."
            )
        return array, cls(tuple(array.shape[1:]), whole)

    def tensor(self, array: AnyArray) -> Tensor:
        """Float32 in [-1, 1], shape (n, channels, height, width)."""
        scaled = array.astype(np.float32) * np.float32(2 / 255 if self.whole else 2) - 1
        last = scaled if scaled.ndim == 4 else scaled[..., None]
        return torch.from_numpy(np.ascontiguousarray(last.transpose(0, 3, 1, 2)))

    def array(self, pictures: Tensor) -> AnyArray:
        """Back from `tensor`: bytes, or float32 from 0 to 1."""
        last = np.moveaxis(pictures.float().numpy(), 1, 3) / 2 + 0.5
        if len(self.shape) == 2:
            last = last[..., 0]
        return np.rint(last * 255).astype(np.uint8) if self.whole else np.ascontiguousarray(last.clip(0, 1))


def tags_of_pictures(tags: Tags) -> Tags:
    """scikit-learn's tags for estimators of pictures: they do not take rows of numbers."""
    tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
    tags.target_tags.required = True
    return tags
