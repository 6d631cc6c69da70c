"""The noise model of `MislabeledVAE`: given or learned, and its estimate after the fit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from labelproof.errors import BadInput
from labelproof.estimators.mislabeled_vae.mislabeled_module import MislabeledModule
from labelproof.noise.transition import TransitionMatrix
from labelproof.validation import AnyArray, check_distribution, check_transition

SMALLEST = 1e-6  # of a noise probability: the logarithm of zero has no gradient


def assumed_noise(
    transition: TransitionMatrix | npt.ArrayLike | None, concentration: float, classes: AnyArray
) -> tuple[Tensor, bool]:
    """``log p(given | true)``, shape (k, k), and whether to learn it.

    Parameters
    ----------
    transition : array-like (k, k), TransitionMatrix, float, or None
        See `labelproof.MislabeledVAE`.
    concentration : float
        Pseudo-counts of the right label if the matrix is learned; it then starts at the mean of its prior.
    classes : ndarray, shape (k,)
    """
    k = len(classes)
    if transition is None:
        matrix = pseudo_counts(concentration, k)
        return torch.from_numpy(np.log(matrix / matrix.sum(axis=1, keepdims=True))), True
    if isinstance(transition, int | float):
        if not 0 < transition < 1:
            raise BadInput(f"transition is {transition!r}. Give a rate between 0 and 1, a matrix, or None to learn it.")
        matrix = np.full((k, k), transition / (k - 1))
        np.fill_diagonal(matrix, 1 - transition)
    else:
        matrix = check_transition(transition.matrix if isinstance(transition, TransitionMatrix) else transition)
    if len(matrix) != k:
        names = ", ".join(str(c) for c in classes[:8])
        raise BadInput(
            f"transition is {len(matrix)} x {len(matrix)} but there are {k} classes: {names}. Give one row and one column per class."
        )
    return torch.from_numpy(np.log(np.maximum(matrix, SMALLEST))), False


def noise_of(module: MislabeledModule, classes: AnyArray) -> TransitionMatrix:
    """The noise that networks hold, rows scaled to sum to one exactly."""
    matrix, prior = module.log_transition.double().exp().numpy(), module.prior.double().numpy()
    return TransitionMatrix(matrix / matrix.sum(axis=1, keepdims=True), prior=prior / prior.sum(), classes=classes.tolist())


def assumed_prior(prior: str | npt.ArrayLike, k: int) -> tuple[Tensor, str]:
    """``p(y)`` to begin with, shape (k,), and its course: ``"auto"``, ``"learned"`` or ``"held"``.

    Raises
    ------
    BadInput
        For other words than those of `labelproof.MislabeledVAE`, or numbers that are no distribution of k classes.
    """
    if not isinstance(prior, str):
        return torch.from_numpy(check_distribution(prior, k)), "held"
    if prior not in ("auto", "learned", "uniform"):
        raise BadInput(f"prior is {prior!r}. Give 'auto', 'uniform', 'learned' or {k} probabilities.")
    return torch.full((k,), 1 / k, dtype=torch.float64), "held" if prior == "uniform" else prior


def pseudo_counts(concentration: float, k: int) -> npt.NDArray[np.float64]:
    """The Dirichlet prior of each row, shape (k, k): ``concentration`` for the right label, one for all others together."""
    if not concentration > 0:
        raise BadInput(f"concentration is {concentration!r}. Give a number above 0.")
    matrix = np.full((k, k), 1 / (k - 1))
    np.fill_diagonal(matrix, concentration)
    return matrix
