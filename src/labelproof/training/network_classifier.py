"""A scikit-learn classifier around the small convolutional network, for pictures as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from labelproof.backbones.convnet import SmallConvNet
from labelproof.training.loop import fit, predict_logits
from labelproof.validation import check_features


class NetworkClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A small convolutional network trained on pictures.

    Parameters
    ----------
    epochs : int
    width : int
        Channels of the first block.
    shift : int
        Largest random shift in pixels while training.
    seed : int

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> model = NetworkClassifier(epochs=3, width=8).fit(digits.images[:300], digits.target[:300])
    >>> model.predict_proba(digits.images[:5]).shape
    (5, 10)
    """

    def __init__(self, epochs: int = 14, width: int = 32, shift: int = 2, seed: int = 0) -> None:
        self.epochs = epochs
        self.width = width
        self.shift = shift
        self.seed = seed

    def fit(self, x: Any, y: Any) -> NetworkClassifier:
        """Train on pictures (n, height, width) or (n, height, width, channels), with labels (n,)."""
        images = check_features(x)
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        self.scale_ = 255.0 if images.dtype == np.uint8 else float(np.abs(images).max()) or 1.0
        pixels = self._tensor(images)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            module = SmallConvNet(len(self.classes_), pixels.shape[1], self.width)
        shift = min(self.shift, (min(pixels.shape[2:]) - 1) // 4)
        self.module_ = fit(
            module,
            pixels,
            torch.from_numpy(codes.astype(np.int64)),
            epochs=self.epochs,
            augment=(lambda batch, order: shifted(batch, shift, order)) if shift else None,
            seed=self.seed,
        )
        return self

    def predict_proba(self, x: Any) -> npt.NDArray[np.float64]:
        """Class probabilities, shape (n, k)."""
        check_is_fitted(self)
        logits = predict_logits(self.module_, self._tensor(check_features(x)))
        return np.asarray(torch.softmax(logits.double(), dim=1).numpy())

    def predict(self, x: Any) -> npt.NDArray[Any]:
        """The most probable class of each picture, shape (n,)."""
        return np.asarray(self.classes_[self.predict_proba(x).argmax(axis=1)])

    def _tensor(self, images: npt.NDArray[Any]) -> Tensor:
        scaled = torch.from_numpy(np.ascontiguousarray(images)).float() / self.scale_ - 0.5
        return scaled.unsqueeze(1) if scaled.ndim == 3 else scaled.permute(0, 3, 1, 2).contiguous()


def shifted(batch: Tensor, most: int, order: torch.Generator) -> Tensor:
    """The batch (b, c, h, w) moved by up to ``most`` pixels each way, edges repeated."""
    height, width = batch.shape[2:]
    padded = torch.nn.functional.pad(batch, (most, most, most, most), mode="replicate")
    down, right = torch.randint(0, 2 * most + 1, (2,), generator=order).tolist()
    return padded[:, :, down : down + height, right : right + width]
