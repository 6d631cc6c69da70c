"""Initial classes of M-VAE: a Bayesian classifier on z1 with a noise model of the labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from labelproof.noise.posterior import noisy_probs, posterior

Matrix = npt.NDArray[np.float64]
PRIOR_LOGIT_VARIANCE = 2.0  # of a class's logit, over the items
EM_STEPS = 20


def noise_aware_classes(
    latent: Matrix, given: npt.NDArray[np.int64], transition: Matrix | None, concentration: Matrix
) -> tuple[Matrix, Matrix]:
    """Class probabilities of every item from a few noisy labels, and the transition.

    Multinomial logistic regression of the *true* class on the latent space, by the likelihood of the *given* labels,

        ``sum over labelled n of log sum over y of softmax(W z_n)_y transition[y, z'_n]  -  |W|² / 2 v``,

    with ``v`` such that a logit varies by 2 over the items. If a label is uninformative, because the rows of the transition
    are equal, only the prior is left, and the classifier is appropriately unsure. An unknown transition is estimated by
    expectation-maximisation under a Dirichlet prior.

    Parameters
    ----------
    latent : ndarray, shape (n, d)
    given : ndarray of int, shape (n,)
        -1 where unlabelled.
    transition : ndarray, shape (k, k), or None
    concentration : ndarray, shape (k, k)
        Parameters of the Dirichlet prior of each row.

    Returns
    -------
    probs : ndarray, shape (n, k)
    transition : ndarray, shape (k, k)
    """
    k = len(concentration)
    centred = latent - latent.mean(axis=0)
    scale = np.sqrt(PRIOR_LOGIT_VARIANCE / max(np.square(centred).sum(axis=1).mean(), 1e-12))
    features = np.column_stack([scale * centred, np.ones(len(latent))])
    rows = np.flatnonzero(given >= 0)
    weights = np.zeros((features.shape[1], k))
    matrix = concentration / concentration.sum(axis=1, keepdims=True) if transition is None else transition
    for _ in range(1 if transition is not None else EM_STEPS):
        weights = _fit(features[rows], given[rows], matrix, weights)
        if transition is None:
            true = posterior(_softmax(features[rows] @ weights), given[rows], matrix)
            matrix = expected_transition(true, given[rows], concentration)
    return _softmax(features @ weights), matrix


def expected_transition(true: Matrix, given: npt.NDArray[np.int64], concentration: Matrix) -> Matrix:
    """Posterior mean of the transition from the probabilities of the true classes, shape (k, k)."""
    counts = np.array(concentration, np.float64)
    np.add.at(counts.T, given, true)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def _fit(features: Matrix, given: npt.NDArray[np.int64], transition: Matrix, start: Matrix) -> Matrix:
    """Weights (d, k) at the maximum; the gradient at the logits is ``p(y | x) - p(y | z, x)``."""
    at = np.arange(len(given))

    def cost(flat: Matrix) -> tuple[float, Matrix]:
        weights = flat.reshape(start.shape)
        probs = _softmax(features @ weights)
        likely = np.maximum(noisy_probs(probs, transition)[at, given], 1e-300)
        slope = features.T @ (probs - posterior(probs, given, transition)) + weights
        return float(-np.log(likely).sum() + 0.5 * np.square(weights).sum()), slope.ravel()

    found = minimize(cost, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return np.asarray(found.x.reshape(start.shape))


def _softmax(logits: Matrix) -> Matrix:
    exact = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exact / exact.sum(axis=1, keepdims=True))
