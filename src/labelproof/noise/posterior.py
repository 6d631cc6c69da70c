"""The posterior of the true label, the one quantity that everything a user sees is read from.

    p(y | z, x)  ∝  p(z | y, x) · p(y | x)

Computed in log space, so that extreme probabilities neither underflow nor divide by zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.noise.transition import TransitionMatrix
from labelproof.validation import FloatArray, IntArray, check_transition

TINY = np.finfo(np.float64).tiny
Matrix = npt.NDArray[np.float64]


def posterior(
    pred_probs: FloatArray,
    given: IntArray,
    transition: TransitionMatrix | Any,
    *,
    random_rate: FloatArray | None = None,
    given_prior: FloatArray | None = None,
) -> Matrix:
    """Compute the posterior of the true label given the item and its label, by Bayes' rule.

    ``posterior[n, i] ∝ pred_probs[n, i] p(z_n | i, x_n)``, rows scaled to sum to one, with

        ``p(z | i, x_n) = (1 - ρ_n) transition[i, z] + ρ_n given_prior[z]``

    where ``ρ_n`` is the probability that the label of item n does not depend on its class.

    Parameters
    ----------
    pred_probs : ndarray of float, shape (n, k)
        ``p(y | x)``; rows sum to one.
    given : ndarray of int, shape (n,)
        Codes of the given labels; for -1 (unlabelled) the result is ``p(y | x)``.
    transition : TransitionMatrix or array-like, shape (k, k)
        ``p(given | true)``.
    random_rate : ndarray of float, shape (n,), optional
        ``ρ``. By default zero.
    given_prior : ndarray of float, shape (k,), optional
        ``p(z)``, needed with ``random_rate``.

    Returns
    -------
    ndarray of float64, shape (n, k)
        Rows sum to one. An entry whose noise probability is zero is zero. If the label is impossible under every class (its
        whole column is zero), the row is ``p(y | x)``.

    References
    ----------
    Jiang et al. (2019), Learning from noisy labels with noise modeling network, section 2 (the posterior ρ).

    Examples
    --------
    >>> import numpy as np
    >>> posterior(np.array([[0.9, 0.1]]), np.array([1]), [[0.8, 0.2], [0.1, 0.9]]).round(3)
    array([[0.667, 0.333]])
    """
    matrix = matrix_of(transition)
    labelled = given >= 0
    noise = matrix[:, np.where(labelled, given, 0)].T  # (n, k), p(z | i, x)
    if random_rate is not None and given_prior is not None:
        rate = np.asarray(random_rate)[:, None]
        noise = (1 - rate) * noise + rate * np.asarray(given_prior)[given][:, None]
    with np.errstate(divide="ignore"):
        log_noise = np.log(noise)
    log_noise[~labelled | np.isneginf(log_noise).all(axis=1)] = 0.0
    log_joint = np.log(np.maximum(np.asarray(pred_probs, np.float64), TINY)) + log_noise
    return scaled(log_joint)


def scaled(log_joint: FloatArray) -> Matrix:
    """Rows of ``log p(y, …)`` as distributions of y: Bayes' rule over any number of independent observations, shape (n, k)."""
    joint = np.exp(log_joint - log_joint.max(axis=1, keepdims=True))
    return np.asarray(joint / joint.sum(axis=1, keepdims=True))


def shared_posterior(pred_probs: FloatArray, own: FloatArray, group: IntArray, same: FloatArray | float = 1.0) -> Matrix:
    """Compute the posterior of the true label of items that are copies of one another and so share it.

    For a group with given labels z_i, each of which depends only on the one truth,

        ``p(y | z, x) ∝ p(y | x) · Π_i p(z_i | y, x)``,

    with p(y | x) the geometric mean of the predictions of its items, and ``p(z_i | y, x)`` in the ratio of their own posteriors to them.

    Parameters
    ----------
    pred_probs : ndarray of float, shape (n, k)
        ``p(y | x)`` before the label was known.
    own : ndarray of float, shape (n, k)
        `posterior` of each item by itself.
    group : ndarray of int, shape (n,)
        Number of the group of each item.
    same : float or ndarray of shape (n,), in [0, 1], default=1.0
        Probability that the items of a group share their truth; otherwise each item keeps its own posterior.

    Returns
    -------
    ndarray of float64, shape (n, k)
        Rows sum to one; ``own`` for a group of one item.

    Examples
    --------
    >>> import numpy as np
    >>> seen, noise = np.array([[0.5, 0.5]] * 3), [[0.8, 0.2], [0.2, 0.8]]
    >>> own = posterior(seen, np.array([0, 0, 1]), noise)
    >>> shared_posterior(seen, own, np.array([7, 7, 7])).round(3)
    array([[0.8, 0.2],
           [0.8, 0.2],
           [0.8, 0.2]])
    """
    _, number, size = np.unique(group, return_inverse=True, return_counts=True)
    log_seen, log_own = (np.log(np.maximum(np.asarray(p, np.float64), TINY)) for p in (pred_probs, own))
    total = np.zeros((len(size), log_own.shape[1]))
    np.add.at(total, number, log_own - log_seen + log_seen / size[number][:, None])
    total -= total.max(axis=1, keepdims=True)
    shared = np.exp(total)
    shared /= shared.sum(axis=1, keepdims=True)
    weight = np.broadcast_to(np.asarray(same, np.float64), (len(number),))[:, None]
    return np.asarray(weight * shared[number] + (1 - weight) * np.asarray(own, np.float64))


def error_probability(posterior_probs: FloatArray, given: IntArray) -> Matrix:
    """``1 - p(y = z | z, x)``: the probability that a given label is wrong.

    Parameters
    ----------
    posterior_probs : ndarray of float, shape (n, k)
    given : ndarray of int, shape (n,)
        -1 (unlabelled) gives NaN.

    Returns
    -------
    ndarray of float64, shape (n,), in [0, 1] or NaN
    """
    own = np.take_along_axis(posterior_probs, np.maximum(given, 0)[:, None], axis=1)[:, 0]
    return np.where(given >= 0, np.clip(1.0 - own, 0.0, 1.0), np.nan)


def noisy_probs(pred_probs: FloatArray, transition: TransitionMatrix | Any) -> Matrix:
    """``p(z | x) = p(y | x) @ transition``: what a model of the true label predicts for the given one, shape (n, k)."""
    return np.asarray(pred_probs @ matrix_of(transition))


def sharpened(pred_probs: FloatArray, sharpness: float) -> Matrix:
    """Estimate ``p(y | x)`` from a classifier that was trained on the noisy labels: ``∝ pred_probs ** sharpness``.

    Such a classifier predicts ``p(z | x)``, which is flatter than ``p(y | x)``; a power above one undoes that.

    Parameters
    ----------
    pred_probs : ndarray of float, shape (n, k)
    sharpness : float, > 0

    Returns
    -------
    ndarray of float64, shape (n, k); rows sum to one
    """
    probs = np.maximum(np.asarray(pred_probs, np.float64), 0.0)  # rounding may have left a tiny negative
    powered = (probs / probs.max(axis=1, keepdims=True)) ** sharpness
    return np.asarray(powered / powered.sum(axis=1, keepdims=True))


def random_rate(pred_probs: FloatArray, ambiguity: float) -> Matrix:
    """``ρ_n = ambiguity (1 - max over y of pred_probs[n, y])``, shape (n,): the harder an item, the less informative its label.

    Pictures that belong to no class, or to several, are labelled almost at random, whatever the classes' usual confusions.
    """
    return np.asarray(ambiguity * (1 - np.minimum(np.asarray(pred_probs, np.float64).max(axis=1), 1.0)))


def matrix_of(transition: TransitionMatrix | Any) -> Matrix:
    """The checked matrix (k, k) of a transition, in any of its forms."""
    return transition.matrix if isinstance(transition, TransitionMatrix) else check_transition(transition)
