"""The expected predictions of a model for each pixel, given the true mask."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from labelproof.validation import AnyArray, FloatArray, IntArray

Floats = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]
BLURS = (0.0, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0)  # pixels
FLOOR = 1e-3  # probabilities below are uninformative
LEAST_SCALE = 0.05  # of log probabilities
REACH = 3.0  # standard deviations of a blur
MOST_DENSE = 512  # pixels on a side up to which a blur is a product of matrices


class Picture(NamedTuple):
    """A picture, pooled by ``step``: shares of the classes, and predictions."""

    given: Floats  #: (k, h, w), share of each pixel's classes; all zero where void
    logs: Floats  #: (k, h, w), centred log probabilities


@dataclass(frozen=True)
class Response:
    """The log probabilities of a model for pixels with known true classes.

    ``log p(x) ~ Normal(F(m)(x), S)`` with ``F(m) = log(B(m) Q)``, centred: ``B`` blurs the indicators of the classes, and ``Q[y]`` is the mean
    prediction inside of class y.

    Attributes
    ----------
    blur : float
        Standard deviation of ``B`` in pixels: how uncertain borders are.
    mean : ndarray, shape (k, k)
        ``Q``; rows are true classes.
    offset : ndarray, shape (k,)
        Mean residual of the log probabilities.
    whiten : ndarray, shape (d, k)
        ``W`` with ``Wᵀ W`` the inverse of ``S``.
    together : float
        Pixels per independent observation: the integral of the autocorrelation of residuals.
    step : int
        Number of pixels that are pooled, on either axis.
    known : ndarray of bool, shape (k,)
        Classes that any mask has; others are unknown.
    """

    blur: float
    mean: Floats
    offset: Floats
    whiten: Floats
    together: float
    step: int
    known: npt.NDArray[np.bool_]

    def expected(self, given: Floats) -> Floats:
        """Mean predictions ``B(m) Q`` of the pixels, shape (k, h, w)."""
        return expected_probs(given, self.mean, self.blur / self.step)

    def white(self, logs: Floats) -> Floats:
        """Centred log probabilities on the scale of the noise, shape (d, h, w)."""
        return np.tensordot(self.whiten, logs - self.offset[:, None, None], axes=1)

    def inner(self) -> Floats:
        """The expected prediction inside each class, on the scale of the noise, shape (k, d)."""
        return np.asarray((self.whiten @ centred_logs(self.mean.T)).T)


def centred_logs(probs: FloatArray) -> Floats:
    """``log p`` minus its mean over the classes, the first axis."""
    logs = np.log(probs.astype(np.float32, copy=False) + np.float32(FLOOR))
    return np.asarray(logs - logs.mean(axis=0, dtype=np.float32), np.float32)


def shares_of(mask: IntArray, k: int) -> npt.NDArray[np.bool_]:
    """Indicators of the classes, shape (k, h, w)."""
    return np.asarray(mask[None] == np.arange(k)[:, None, None])


def pooled(values: AnyArray, step: int) -> Floats:
    """Means of blocks of the last two axes, float32; blocks at the edge are smaller."""
    if step == 1:
        return values.astype(np.float32)
    bottom, right = (-side % step for side in values.shape[-2:])
    if bottom or right:
        values = np.pad(values, [(0, 0)] * (values.ndim - 2) + [(0, bottom), (0, right)], mode="edge")
    first, *others = (values[..., down::step, across::step] for down in range(step) for across in range(step))
    total = first.astype(np.float32)
    for one in others:  # sooner than a mean over two short axes
        np.add(total, one, out=total)
    return np.asarray(total * np.float32(1 / step**2))


def blurred(channels: Floats, width: float) -> Floats:
    """Channels (c, h, w) with a Gaussian blur, without padding from beyond the edge."""
    if width <= 0:
        return channels
    if max(channels.shape[1:]) > MOST_DENSE:
        return np.asarray(ndimage.gaussian_filter(channels, (0, width, width), mode="constant", truncate=REACH))
    down, across = (_band(size, float(width)) for size in channels.shape[1:])
    return np.asarray(down @ channels @ across.T)


@lru_cache(1024)
def _band(size: int, width: float) -> Floats:
    away = np.arange(size)[:, None] - np.arange(size)
    weights = np.exp(-0.5 * (away / width) ** 2)
    weights[np.abs(away) > REACH * width + 1] = 0.0
    return np.asarray(weights / (np.sqrt(2 * np.pi) * width), np.float32)


def expected_probs(given: Floats, mean: Floats, width: float) -> Floats:
    """``B(m) Q``, shape (k, h, w); if the surroundings are void, the mean of all classes."""
    present = np.flatnonzero(given.reshape(len(given), -1).any(axis=1))
    soft = blurred(given[present], width)
    weight = soft.sum(axis=0)
    soft /= np.maximum(weight, 1e-3)
    found = np.tensordot(mean[present].T, soft, axes=1)
    return np.asarray(found)
