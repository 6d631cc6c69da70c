"""Prediction sets that hold the true label, calibrated on partly wrong labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelproof.errors import BadInput
from labelproof.noise.posterior import matrix_of
from labelproof.validation import BoolArray, FloatArray, IntArray

MOST_CONDITION = 1e4  # of a transition that can be undone
Array = npt.NDArray[np.float64]


def true_coverage(scores: FloatArray, given: IntArray, transition: object, at: FloatArray) -> Array:
    """Estimate, from given labels, the share of true labels whose score is at most t.

    With ``F_z^k(t)`` the share of the items given class z whose score of class k is at most t, the noise mixes
    ``p(z) F_z^k = sum over y of p(y) transition[y, z] F_y^k``. Its inverse W recovers the true ones, so

        ``F(t) = sum over k of p(y = k) F_k^k(t) = 1/n  sum over items i, classes k of  W[z_i, k] 1[score_ik <= t]``.

    Parameters
    ----------
    scores : ndarray, shape (n, k)
        Scores of every class for each item; lower means a better fit.
    given : ndarray of int, shape (n,)
    transition : TransitionMatrix or array-like, shape (k, k)
        ``p(given | true)``.
    at : ndarray, shape (m,)
        Thresholds t.

    Returns
    -------
    ndarray of float64, shape (m,)
        Unbiased at each t; it need not be monotonic, and may leave [0, 1].

    Raises
    ------
    BadInput
        If the noise is so strong that the transition has no inverse.

    References
    ----------
    Sesia, Wang and Tong (2025), Adaptive conformal classification with noisy labels, theorem 1 and section 3; Bortolotti et al. (2025),
    Noise-adaptive conformal classification with marginal coverage.
    """
    order = np.argsort(scores, axis=None, kind="stable")
    total = np.concatenate([[0.0], np.cumsum(_undone(transition)[given].reshape(-1)[order])])
    places = np.searchsorted(scores.reshape(-1)[order], at, side="right")
    return np.asarray(total[places] / len(given))


def conformal_threshold(scores: FloatArray, given: IntArray, transition: object, coverage: float) -> float:
    """The least threshold above which the estimated coverage of the true label stays at a level.

    The level is ``coverage (n + 1) / n``; without noise this is split conformal prediction. It is never above the threshold that
    covers the given labels: a label that is wrong at random fits worse than the true one.

    Parameters
    ----------
    scores, given, transition
        See `true_coverage`; for items that the model was not trained on.
    coverage : float in (0, 1)

    Returns
    -------
    float
        Infinity if there are too few items.
    """
    level = coverage * (len(given) + 1) / len(given)
    plain = _first_held(np.sort(scores[np.arange(len(given)), given]), level)
    at = np.unique(scores)
    low = np.flatnonzero(true_coverage(scores, given, transition, at) < level - 1e-9)
    adapted = at[0] if not len(low) else at[low[-1] + 1] if low[-1] + 1 < len(at) else np.inf
    return float(min(plain, adapted))


@dataclass(frozen=True)
class ConformalSets:
    """Sets of classes that hold the true label with a probability that the user chooses later.

    Attributes
    ----------
    probs : ndarray of float64, shape (n, k)
        ``p(y | x)`` of calibration items, out-of-sample.
    given : ndarray of int64, shape (n,)
        Their given labels.
    transition : ndarray of float64, shape (k, k)
        ``p(given | true)``.
    """

    probs: Array
    given: npt.NDArray[np.int64]
    transition: Array

    def __call__(self, probs: FloatArray, coverage: float) -> BoolArray:
        """Whether each class is in the set of an item, shape (m, k); the most probable class always is.

        Raises
        ------
        BadInput
            If the coverage is no share.
        """
        if not 0 < coverage < 1:
            raise BadInput(f"coverage is {coverage!r}. Give a probability above 0 and below 1, e.g. 0.9.")
        threshold = conformal_threshold(1 - self.probs, self.given, self.transition, coverage)
        sets = 1 - probs <= threshold + 1e-12
        sets[np.arange(len(probs)), probs.argmax(axis=1)] = True
        return np.asarray(sets)


def _first_held(ordered: FloatArray, level: float) -> float:
    """The least of ordered scores that a share of them does not exceed."""
    place = int(np.ceil(level * len(ordered) - 1e-9)) - 1
    return float(ordered[place]) if place < len(ordered) else np.inf


def _undone(transition: object) -> Array:
    """The inverse of the noise."""
    matrix = matrix_of(transition)
    if np.linalg.cond(matrix) > MOST_CONDITION:
        raise BadInput("transition makes some classes indistinguishable, so it has no inverse. Give one with less noise.")
    return np.asarray(np.linalg.inv(matrix))
