"""The response of a model to true masks, fitted to given ones, most of whose pixels are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labelproof.noise.masks.response import (
    BLURS,
    LEAST_SCALE,
    Floats,
    Response,
    blurred,
    centred_logs,
    expected_probs,
    pooled,
    shares_of,
)
from labelproof.validation import FloatArray, IntArray

LEAST_KNOWN = 1.0  # pixel of a class that is sampled
SAMPLED = 3_000  # pixels of a picture
BLURRED_PICTURES = 10  # pictures that determine the blur
LEAST_MEAN = 1e-5  # probability of a class inside of another
NEGLIGIBLE = 0.01  # of the largest variance of log probabilities; directions below are uninformative
UNRELATED = 0.05  # autocorrelation
ROUNDS, KEPT = 3, 0.96  # number of fits, and share of the pixels with the smallest residuals, which are kept
SHRUNK = 1e-4  # share of the pixels by which least squares are held to the mean

Pair = tuple[IntArray, FloatArray]  # a mask (h, w) and probabilities (k, h, w)
Matrix = npt.NDArray[np.float64]


class _Pixels(NamedTuple):
    """Some pixels of a picture: blurred shares of the classes, and the predictions."""

    shares: Floats  #: (k, m)
    probs: Floats  #: (k, m)


def fit_response(pictures: Sequence[Pair], k: int) -> Response:
    """Fit the blur, the mean predictions inside classes, and the residuals.

    The blur is the one that leaves the least variance of the log probabilities. Pixels are then pooled to half of it.

    Parameters
    ----------
    pictures : sequence of (mask, probs)
        Codes (h, w), -1 where void, and probabilities (k, h, w); read one by one.
    k : int
        Number of classes.
    """
    first = min(len(pictures), BLURRED_PICTURES)
    tried = list(zip(*(_sampled(*pictures[i], k, BLURS) for i in range(first)), strict=True))
    blur = BLURS[int(np.argmin([_fitted(pixels)[2].trace() for pixels in tried]))]
    pixels = [*tried[BLURS.index(blur)], *(_sampled(*pictures[i], k, (blur,))[0] for i in range(first, len(pictures)))]
    step = max(1, int(np.ceil(blur / 2)))
    mean, offset, covariance = _fitted(pixels)
    values, vectors = np.linalg.eigh(covariance)
    kept = values > max(NEGLIGIBLE * float(values.max()), 1e-12)
    scale = np.sqrt(np.maximum(values[kept], LEAST_SCALE**2))
    whiten = (vectors[:, kept] / scale).T.astype(np.float32)
    known = sum(part.shares.sum(axis=1) for part in pixels) > LEAST_KNOWN
    response = Response(blur, mean, offset, whiten, 1.0, step, known)
    return replace(response, together=_together([pictures[i] for i in range(first)], response))


def _sampled(mask: IntArray, probs: FloatArray, k: int, blurs: Sequence[float]) -> list[_Pixels]:
    """Pixels on a grid, under each blur."""
    found = []
    seen = np.flatnonzero(mask.ravel() >= 0)
    rows = seen[:: max(1, len(seen) // SAMPLED)]
    shares = shares_of(mask, k).astype(np.float32)
    said = probs.reshape(k, -1)[:, rows]
    present = np.flatnonzero(shares.any(axis=(1, 2)))
    for blur in blurs:
        soft = np.zeros((k, len(rows)), np.float32)
        soft[present] = blurred(shares[present], blur).reshape(len(present), -1)[:, rows]
        found.append(_Pixels(soft / np.maximum(soft.sum(axis=0), 1e-3), said))
    return found


def _fitted(pixels: Sequence[_Pixels]) -> tuple[Floats, Floats, Matrix]:
    """``Q`` by least squares of the predictions on the shares, the mean of the residuals of the log probabilities, and their
    covariance.

    Pixels with the largest residuals are then removed, because some labels are wrong, and the model is fitted again.
    """
    shares, probs = (np.concatenate(part, axis=1) for part in zip(*pixels, strict=True))
    for _ in range(ROUNDS):
        mean = _inside(shares, probs)
        left = centred_logs(probs) - centred_logs(mean.T @ shares)
        offset = left.mean(axis=1)
        left -= offset[:, None]
        size, own = (left**2).sum(axis=0), shares.argmax(axis=0)
        kept = np.ones(len(size), bool)
        for code in np.unique(own):  # by class, as a rare one would be taken out altogether
            rows = np.flatnonzero(own == code)
            kept[rows] = size[rows] <= np.quantile(size[rows], KEPT)
        shares, probs = shares[:, kept], probs[:, kept]
    return mean, offset.astype(np.float32), (left @ left.T / left.shape[1]).astype(np.float64)


def _inside(shares: Floats, probs: Floats) -> Floats:
    """Mean prediction inside of each class, shape (k, k)."""
    k, m = shares.shape
    held = SHRUNK * m / k
    within = shares @ shares.T + held * np.eye(k, dtype=np.float32)
    mean = np.linalg.solve(within.astype(np.float64), (shares @ probs.T + held * probs.mean(axis=1)).astype(np.float64))
    mean = np.maximum(mean, LEAST_MEAN)
    return np.asarray(mean / mean.sum(axis=1, keepdims=True), np.float32)


def _together(pictures: Sequence[Pair], response: Response) -> float:
    """Pooled pixels per independent observation: the autocorrelation of the residuals, summed over a disc within its reach."""
    profile = np.zeros(2**12)
    for mask, probs in pictures:
        given = pooled(shares_of(mask, len(response.mean)), response.step)
        seen = given.sum(axis=0) > 0.5
        expected = expected_probs(given, response.mean, response.blur / response.step)
        left = response.white(centred_logs(pooled(probs, response.step))) - response.white(
            centred_logs(expected) + response.offset[:, None, None]
        )
        left *= seen
        power = (np.abs(np.fft.rfft2(left)) ** 2).sum(axis=0)
        found = np.fft.irfft2(power, s=seen.shape)
        reach = max(1, min(min(seen.shape) // 2, len(profile)))
        profile[:reach] += (found[0, :reach] + found[:reach, 0]) / 2
    profile = profile / max(profile[0], 1e-12)
    end = int(np.argmax(profile < UNRELATED))
    return max(1.0, float((2 * np.pi * np.arange(end) * profile[:end]).sum()))
