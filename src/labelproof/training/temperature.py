"""Temperature scaling: one number that makes a network's confidence match its accuracy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from labelproof.noise.posterior import matrix_of
from labelproof.validation import FloatArray, IntArray

LOWEST, HIGHEST = 0.05, 20.0
LOG_SD = 0.5  # of the prior of log t: a few items that are all right do not make a network sure beyond measure


def fit_temperature(logits: FloatArray, given: IntArray, transition: object = None) -> float:
    """The temperature t that explains the given labels best, ``p = softmax(logits / t)``.

    Maximum a posteriori with ``log t`` normal about 0, standard deviation 0.5: with few items, or no wrong one, t stays
    near 1.

    Parameters
    ----------
    logits : ndarray, shape (n, k)
        Logits of items that were not trained on.
    given : ndarray of int, shape (n,)
    transition : TransitionMatrix or array (k, k), optional
        With it the likelihood is that of ``p @ transition``, so that p is calibrated for the true label.

    Returns
    -------
    float
        Above 1 if the network is too sure.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger (2017), On calibration of modern neural networks.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(0, 2, (4000, 3))
    >>> chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    >>> given = (chances.cumsum(axis=1) > rng.random((4000, 1))).argmax(axis=1)
    >>> bool(abs(fit_temperature(3 * logits, given) - 3) < 0.2)
    True
    """
    matrix = None if transition is None else np.log(np.maximum(matrix_of(transition), 1e-12))[:, given].T  # (n, k)
    rows = np.arange(len(given))

    def loss(log_t: float) -> float:
        logs = logits / np.exp(log_t)
        logs = logs - logsumexp(logs, axis=1, keepdims=True)
        own = logs[rows, given] if matrix is None else logsumexp(logs + matrix, axis=1)
        return 0.5 * (log_t / LOG_SD) ** 2 - float(own.sum())

    found = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded")
    return float(np.exp(found.x))


def entropy_of(probs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Predictive entropy in nats, ``-sum of p log p``, shape (n,)."""
    return np.asarray(-(probs * np.log(np.maximum(probs, 1e-300))).sum(axis=-1))
