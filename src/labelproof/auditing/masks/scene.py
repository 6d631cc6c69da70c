"""One picture: what its given mask leaves unexplained of the predictions, and how much a changed region would explain."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from labelproof.noise.masks.regions import Slices, grown
from labelproof.noise.masks.response import FLOOR, REACH, Response, blurred, centred_logs, pooled, shares_of
from labelproof.validation import BoolArray, FloatArray, IntArray

Floats = npt.NDArray[np.float32]
CLEAR = 4.0  # standard deviations
NEVER = np.float32(-1e6)  # the score of an unknown class, which no mask has
CORE = 0.8  # of the highest score nearby: an object thinner than the blur looks wider than it is


class Gain(NamedTuple):
    """Evidence of the predictions for a changed mask against the given one."""

    ratio: float  #: log likelihood ratio with independent pixels
    contrast: float  #: the same without the part that all pixels in the surroundings share
    apart: float  #: squared distance between the expectations under the two, without that part, on the scale of the noise


class Looks(NamedTuple):
    """The classes that pixels look like."""

    gains: Floats  #: (k, h, w), log likelihood ratio of the inside of each class against the given one
    shares: Floats  #: (k, h, w), `Scene.share_scores`
    solid: IntArray  #: (h, w), the class that a pixel looks like from inside; -1 where it looks as given
    thin: IntArray  #: (h, w), the class that a pixel seems to share in, at the cores of such areas; -1 elsewhere


class Scene:
    """The predictions of a picture and their expectation under its given mask.

    Parameters
    ----------
    mask : ndarray of int64, shape (h, w)
        Codes, -1 where void.
    probs : ndarray, shape (k, h, w)
    response : Response
    """

    def __init__(self, mask: IntArray, probs: FloatArray, response: Response) -> None:
        self.mask, self.response, k = mask, response, len(response.mean)
        step = response.step
        given = pooled(shares_of(mask, k), step)
        self.seen = (given.sum(axis=0) > 0.5).astype(np.float32)
        self.said = response.white(centred_logs(pooled(probs, step)))  # (d, h, w)
        self.expected = response.expected(given)  # (k, h, w)
        self.white = response.white(centred_logs(self.expected) + response.offset[:, None, None])
        self.left = (self.said - self.white) * self.seen
        self.inner = response.inner()  # (k, d)
        self.margin = int(np.ceil(REACH * response.blur / step)) + 1

    def _ways(self) -> tuple[Floats, Floats]:
        """The direction from the given expectation to that inside each class: the residual along it, and its squared length."""
        along = np.tensordot(self.inner, self.left, axes=1) - (self.white * self.left).sum(axis=0)
        far = (self.inner**2).sum(axis=1)[:, None, None] - 2 * np.tensordot(self.inner, self.white, axes=1)
        far += (self.white**2).sum(axis=0)
        return along, np.maximum(far, 1e-3)

    def look(self) -> Looks:
        """The class that each pixel looks like."""
        along, far = self._ways()
        length = np.sqrt(far)
        beyond = along / length - np.minimum(length / 2, np.maximum(length / 4, CLEAR))
        beyond *= self.seen
        beyond[~self.response.known] = NEVER
        solid = np.where(beyond.max(axis=0) > 0, beyond.argmax(axis=0), -1)
        share = self.share_scores()
        share[~self.response.known] = NEVER
        best = share.max(axis=0)
        near = ndimage.maximum_filter(best, size=2 * self.margin // 3 + 1)
        thin = np.where((best > CLEAR) & (best >= CORE * near) & (solid < 0), share.argmax(axis=0), -1)
        gains = (along - far / 2) * self.seen
        gains[~self.response.known] = NEVER
        return Looks(gains, share, solid, thin)

    def share_scores(self) -> Floats:
        """Score test of a small share of each class in each pixel, standard deviations, shape (k, h, w).

        The derivative of the log likelihood by the share, ``Σ_c (Q_yc - E_c) / E_c (Wᵀ left)_c``, over the root of its information.
        """
        response, shape = self.response, self.seen.shape
        k, d = len(response.mean), len(response.whiten)
        inverse = 1 / (self.expected.reshape(k, -1) + np.float32(FLOOR))
        weighed = (response.whiten.T @ self.left.reshape(d, -1)) * inverse
        slope = response.mean @ weighed - (self.expected.reshape(k, -1) * weighed).sum(axis=0)
        both = (response.mean[:, None, :] * response.whiten).reshape(k * d, k) @ inverse
        both = both.reshape(k, d, -1) - response.whiten @ (self.expected.reshape(k, -1) * inverse)
        scores = slope / np.sqrt(np.einsum("kdp,kdp->kp", both, both) + 1e-3)
        return np.asarray(scores.reshape(k, *shape) * self.seen)

    def weights(self, box: Slices, inside: BoolArray) -> tuple[Slices, Floats]:
        """Pooled pixels of a part of the picture, and the share of each that is inside."""
        return self._pooled_box(box), self._within(self._pooled_box(box), box, inside[None])[0]

    def gain(self, box: Slices, inside: BoolArray, code: int) -> Gain:
        """The gain if the pixels ``inside`` a box were of another class."""
        part = self.mask[box]
        codes = np.flatnonzero(np.bincount(part[inside], minlength=1))
        place = grown(self._pooled_box(box), self.margin, self.seen.shape)
        shares = inside & (part == codes[:, None, None])
        moved = blurred(self._within(place, box, shares), self.response.blur / self.response.step)
        mean, k, size = self.response.mean, len(self.expected), moved[0].size
        change = (mean[code] - mean[codes]).T @ moved.reshape(len(codes), size)
        whole = (slice(None), *place)
        after = np.maximum(self.expected[whole].reshape(k, size) + change, 0)
        seen = self.seen[place].ravel()
        before = self.white[whole].reshape(-1, size)
        away = (self.response.whiten @ centred_logs(after) - before) * seen  # (d, size)
        left = self.left[whole].reshape(-1, size)
        later = left - away
        ratio = 0.5 * (_square(left) - _square(later))
        n = max(float(seen.sum()), 1.0)
        common = 0.5 * (_square(left.sum(axis=1)) - _square(later.sum(axis=1))) / n
        return Gain(ratio, ratio - common, _square(away) - _square(away.sum(axis=1)) / n)

    def _pooled_box(self, box: Slices) -> Slices:
        step = self.response.step
        rows, columns = (slice(part.start // step, -(-part.stop // step)) for part in box)
        return rows, columns

    def _within(self, place: Slices, box: Slices, shares: BoolArray) -> Floats:
        """Channels on a box as shares of the pooled pixels of a place around it."""
        step, (rows, columns) = self.response.step, place
        whole = np.zeros((len(shares), (rows.stop - rows.start) * step, (columns.stop - columns.start) * step), np.float32)
        down, right = box[0].start - rows.start * step, box[1].start - columns.start * step
        whole[:, down : down + shares.shape[1], right : right + shares.shape[2]] = shares
        return pooled(whole, step)


def _square(values: Floats) -> float:
    return float(np.vdot(values, values))
