"""Votes that reviewers add to items with much prior evidence."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labelproof.noise.posterior import scaled
from labelproof.validation import FloatArray, IntArray

TRUST, STRENGTH = 0.95, 20.0  # a reviewer is assumed right 19 times of 20, until this many votes suggest otherwise
DOUBT = 0.01  # probability that the earlier posterior is worthless: two reviewers who agree override it
STEPS = 20


def with_votes(
    posterior: FloatArray, owner: IntArray, reviewer: IntArray, values: IntArray
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Update a posterior by further votes, ``∝ p(y | before) Π_r p(z_r | y)``, and estimate how often each reviewer is right.

    A reviewer errs equally in all classes (one coin), at a rate that is estimated with the posterior by EM.

    Parameters
    ----------
    posterior : ndarray, shape (n, k)
        The posterior before these votes.
    owner, reviewer, values : ndarray of int, shape (r,)
        Item, reviewer and class of each.

    Returns
    -------
    ndarray, shape (n, k), and ndarray, shape (m,)

    Examples
    --------
    >>> import numpy as np
    >>> after, right = with_votes(np.array([[0.6, 0.4], [0.9, 0.1]]), np.array([0]), np.array([0]), np.array([1]))
    >>> after.round(2).tolist()
    [[0.07, 0.93], [0.9, 0.1]]
    """
    k, m = posterior.shape[1], int(reviewer.max(initial=-1)) + 1
    before = np.log((1 - DOUBT) * np.asarray(posterior, float) + DOUBT / k)
    number, right, after = np.bincount(reviewer, minlength=m), np.full(m, TRUST), np.asarray(posterior, float)
    for _ in range(STEPS):
        odds = np.zeros_like(before)  # of the given class against any other
        np.add.at(odds, (owner, values), np.log(right * (k - 1) / (1 - right))[reviewer])
        after = scaled(before + odds)
        agreed = np.bincount(reviewer, after[owner, values], minlength=m)
        right = (agreed + STRENGTH * TRUST) / (number + STRENGTH)
    return after, right
