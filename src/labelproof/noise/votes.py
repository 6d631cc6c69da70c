"""Several reviewers: the true labels, the accuracy of each, and their agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from labelproof.errors import BadInput
from labelproof.noise.posterior import TINY, scaled
from labelproof.noise.transition import TransitionMatrix
from labelproof.validation import UNLABELLED, AnyArray, check_pred_probs, check_vote_table, to_numpy

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Consensus:
    """The result of `dawid_skene`.

    Attributes
    ----------
    posterior : ndarray, shape (n, k)
        ``p(true | given by all reviewers)`` of each item.
    reviewers : tuple of TransitionMatrix
        ``p(given | true)`` of each reviewer.
    prior : ndarray, shape (k,)
    classes : tuple of length k, sorted
    """

    posterior: Matrix
    reviewers: tuple[TransitionMatrix, ...]
    prior: Matrix
    classes: tuple[object, ...]

    @property
    def labels(self) -> AnyArray:
        """The most probable class of each item, shape (n,)."""
        return np.asarray(np.array(self.classes, dtype=object)[self.posterior.argmax(axis=1)])

    @property
    def accuracies(self) -> Matrix:
        """Probability that a reviewer gives the true class, with class frequencies as in the prior, shape (m,)."""
        return np.array([float(self.prior @ np.diag(noise.matrix)) for noise in self.reviewers])


def dawid_skene(
    annotations: object,
    pred_probs: object = None,
    *,
    classes: Sequence[object] | None = None,
    strength: float = 1.0,
    max_iter: int = 200,
    tol: float = 1e-6,
) -> Consensus:
    """Estimate the true labels and each reviewer's noise by EM.

    ``p(y | z_1 … z_m) ∝ p(y) Π_r p(z_r | y)``, reviewers independent given the truth; the matrices ``p(z_r | y)`` are
    re-estimated from these posteriors until they converge. Starts from the majority vote.

    Parameters
    ----------
    annotations : array-like, shape (n, m)
        The label of each item by each of m reviewers; missing as in `labelproof.audit` (``None``, NaN, "" or -1).
    pred_probs : array-like, shape (n, k), optional
        Out-of-sample probabilities of a model for each item; they replace ``p(y)``.
    classes : sequence, optional
    strength : float, > 0
        Pseudo-items that shrink each reviewer's row towards a reviewer who is right 80 % of the time.
    max_iter, tol
        EM stops when no posterior changes by more than ``tol``.

    Returns
    -------
    Consensus

    Raises
    ------
    BadInput

    References
    ----------
    Dawid and Skene (1979), Maximum likelihood estimation of observer error-rates using the EM algorithm.

    Examples
    --------
    >>> found = dawid_skene([["a", "a", "b"], ["b", "b", "b"], ["a", "a", "a"], ["b", None, "b"], ["a", "a", "b"]])
    >>> found.labels.tolist()
    ['a', 'b', 'a', 'b', 'a']
    """
    codes, names = check_vote_table(annotations, classes)
    (n, m), k = codes.shape, len(names)
    if not strength > 0:
        raise BadInput(f"strength is {strength!r}. Give a number of pseudo-items above 0.")
    if (codes == UNLABELLED).all(axis=1).any():
        row = int(np.argmax((codes == UNLABELLED).all(axis=1)))
        raise BadInput(f"annotations row {row} has no label. Remove such items.")
    probs = None if pred_probs is None else np.maximum(_probs(pred_probs, n, k), TINY)
    votes = _votes(codes, k)
    belief = votes @ np.tile(np.eye(k), (m, 1))  # (n, k), number of votes for each class
    belief /= belief.sum(axis=1, keepdims=True)
    pull = strength * (0.8 * np.eye(k) + 0.2 * (1 - np.eye(k)) / (k - 1))
    for _ in range(max_iter):
        prior = (belief.sum(axis=0) + 1 / k) / (n + 1)
        counts = (votes.T @ belief).reshape(m, k, k).swapaxes(1, 2) + pull  # [reviewer, true, given]
        reviewers = counts / counts.sum(axis=2, keepdims=True)
        before, belief = belief, _posterior(prior if probs is None else probs, reviewers, votes)
        if np.abs(belief - before).max() < tol:
            break
    noises = tuple(TransitionMatrix(matrix, prior=prior, classes=names) for matrix in reviewers)
    return Consensus(belief, noises, prior, names)


def _votes(codes: npt.NDArray[np.int64], k: int) -> csr_matrix:
    """Shape (n, m k): a one in row i at column ``r k + z`` if reviewer r gave z to item i; sparse."""
    item, reviewer = np.nonzero(codes != UNLABELLED)
    column = reviewer * k + codes[item, reviewer]
    return csr_matrix((np.ones(len(item)), (item, column)), shape=(len(codes), codes.shape[1] * k))


def _probs(pred_probs: object, n: int, k: int) -> Matrix:
    probs = check_pred_probs(pred_probs)
    if probs.shape != (n, k):
        raise BadInput(
            f"pred_probs is {probs.shape[0]} x {probs.shape[1]} but there are {n} items of {k} classes. Give one row per item and one column per class."
        )
    return probs.astype(float)


def _posterior(prior: Matrix, reviewers: Matrix, votes: csr_matrix) -> Matrix:
    """Bayes' rule over all reviewers at once, in log space: ``log p(y) + Σ_r log p(z_r | y)``, rows scaled to sum to one."""
    said = reviewers.swapaxes(1, 2).reshape(votes.shape[1], -1)  # one row for each reviewer and given class
    return scaled(np.log(prior) + votes @ np.log(np.maximum(said, TINY)))


def cohen_kappa(first: object, second: object) -> float:
    """Measure the agreement of two reviewers beyond chance, over the items that both labelled: 1 is perfect, 0 is chance.

    Parameters
    ----------
    first, second : array-like, shape (n,)

    References
    ----------
    Cohen (1960), A coefficient of agreement for nominal scales.
    """
    one, two = _column(first, "first"), _column(second, "second")
    codes, names = check_vote_table(np.stack([one, two], axis=1), needed=1)
    both = (codes != UNLABELLED).all(axis=1)
    if not both.any():
        raise BadInput("first and second have no item in common. Give items that both reviewers labelled.")
    if len(np.unique(codes[both])) == 1:
        return 1.0  # only one class, and always the same: perfect, although nothing could have gone wrong
    from sklearn.metrics import cohen_kappa_score  # a second to import, and the review page has no use for it

    return float(cohen_kappa_score(codes[both, 0], codes[both, 1], labels=range(len(names))))


def fleiss_kappa(annotations: object) -> float:
    """Measure the agreement of any number of reviewers beyond chance; items may have different numbers of labels, at least two.

    ``κ = (P̄ - P̄_e) / (1 - P̄_e)``, with ``P_i`` the share of agreeing pairs of item i, weighted by its number of pairs, and
    ``P̄_e`` the sum of the squared class frequencies.

    Parameters
    ----------
    annotations : array-like, shape (n, m)

    References
    ----------
    Fleiss (1971), Measuring nominal scale agreement among many raters.
    """
    codes, names = check_vote_table(annotations, needed=1)
    votes = np.stack([(codes == y).sum(axis=1) for y in range(len(names))], axis=1).astype(float)
    votes = votes[votes.sum(axis=1) >= 2]
    if not len(votes):
        raise BadInput("No item has two labels. Give items that two reviewers labelled.")
    total = votes.sum(axis=1)
    observed = (votes * (votes - 1)).sum() / (total * (total - 1)).sum()
    frequency = votes.sum(axis=0) / votes.sum()
    chance = float((frequency**2).sum())
    return 1.0 if chance == 1 else float((observed - chance) / (1 - chance))


def _column(values: object, name: str) -> AnyArray:
    column = to_numpy(values, name)
    if column.ndim != 1:
        raise BadInput(f"{name} has shape {column.shape}. Give one label per item.")
    return column.astype(object)
