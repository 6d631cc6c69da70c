"""Estimating how labels go wrong from given labels and predicted probabilities, with no clean label at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

from labelproof.errors import BadInput
from labelproof.noise.posterior import posterior, random_rate, sharpened
from labelproof.noise.transition import TransitionMatrix
from labelproof.validation import check_labels_and_probs, check_pred_probs, check_rate

Matrix = npt.NDArray[np.float64]

AMBIGUITY = 0.5
SHARPENINGS = (1.5, 4.0)  # a soft and a sharp reading of a calibrated classifier
TEMPERATURES = (0.2, 6.0)
STRENGTHS = np.array([3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0])  # pseudo-items a class
_FIRST_ERROR_RATE = 0.1
_SETTLING = 5  # iterations before the strength is chosen
_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class NoiseParams:
    """The parameters of ``p(z | y, x) p(y | x)`` that an E step needs, see `expectation_maximization`."""

    systematic: Matrix  #: (k, k), p(z | y) of a label that was given with regard to the class
    given_prior: Matrix  #: (k,), p(z)
    sharpness: float
    ambiguity: float


@dataclass(frozen=True)
class Expected:
    """What an E step returns: responsibilities summed over items. Adding two is the result for both sets of items."""

    systematic: Matrix  #: (k, k) by true and given class, of labels given with regard to the class
    random: Matrix  #: (k,) by true class, of labels given at random
    log_likelihood: float  #: summed, in nats
    n: int

    def __add__(self, other: Expected) -> Expected:
        return Expected(
            self.systematic + other.systematic,
            self.random + other.random,
            self.log_likelihood + other.log_likelihood,
            self.n + other.n,
        )


EStep = Callable[[NoiseParams], Expected]


@dataclass(frozen=True)
class NoiseFit:
    """What `expectation_maximization` found.

    Attributes
    ----------
    transition : TransitionMatrix
        ``p(given | true)``, labels given at random included, with ``p(true)`` as its prior.
    components : tuple of NoiseParams
        ``p(given | true, x)`` item by item, for each sharpness considered; they weigh alike.
    """

    transition: TransitionMatrix
    components: tuple[NoiseParams, ...]

    def posterior(self, pred_probs: Any, given: Any) -> Matrix:
        """Posterior of the true label of each item, averaged over the components, shape (n, k)."""
        each = [item_posterior(pred_probs, given, params) for params in self.components]
        return np.asarray(np.mean(each, axis=0))


def item_posterior(pred_probs: Any, given: Any, params: NoiseParams) -> Matrix:
    """Posterior of the true label under the noise model of `expectation_maximization`, shape (n, k)."""
    return posterior(
        sharpened(pred_probs, params.sharpness),
        given,
        params.systematic,
        random_rate=random_rate(pred_probs, params.ambiguity),
        given_prior=params.given_prior,
    )


def expectation_maximization(
    labels: Any,
    pred_probs: Any,
    *,
    classes: Sequence[Any] | None = None,
    strength: float | None = None,
    sharpness: float | None = None,
    ambiguity: float = AMBIGUITY,
) -> NoiseFit:
    """Fit how labels go wrong by EM on the given labels, the classifier held fixed up to its sharpness.

    The model of a given label, for an item x of true class y:

        ``p(y | x) ∝ pred_probs ** sharpness``
        ``p(z | y, x) = (1 - ρ(x)) T[y, z] + ρ(x) p(z)``,  ``ρ(x) = ambiguity (1 - max of pred_probs)``

    E step: ``r_ni = p(y = i, z given with regard to y | z_n, x_n)``. M step, with ``C_ij = sum of r_ni over items given j``:

        ``T_ij = (C_ij + strength m_ij) / sum over j``,  ``m_i = (1 - ε) e_i + ε q_i``

    where ``ε`` is the overall error rate ``1 - trace(C) / sum(C)`` and ``q_ij`` the frequency of the given label j among
    the others. The strength is the one with the highest evidence (a Dirichlet-multinomial with the counts ``C``), so that
    classes err alike unless the data say otherwise.

    A classifier that fits the noisy labels perfectly explains them without any error, so the likelihood cannot tell how
    sharp ``p(y | x)`` is. It can tell the temperature at which the classifier is calibrated for the *given* labels; from
    there a soft and a sharp reading (1.5 and 4 times that power) are both fitted, and their posteriors averaged.

    Parameters
    ----------
    labels : array-like, shape (n,)
        Given labels.
    pred_probs : array-like, shape (n, k)
        Out-of-sample ``p(z | x)``.
    classes : sequence, optional
        The class of each column.
    strength : float, >= 0, optional
        Dirichlet pseudo-items for each row of ``T``; chosen by the evidence where left out.
    sharpness : float, optional
        Power on ``pred_probs``; two readings are averaged where left out.
    ambiguity : float in [0, 1]
        How far an unsure prediction means a label drawn at random; 0 for noise that depends on the class alone.

    Returns
    -------
    NoiseFit

    References
    ----------
    Dempster, Laird and Rubin (1977) for EM; Bekker and Goldberger (2016), Training deep neural-networks based on
    unreliable labels, for EM over a transition matrix;
    Minka (2000), Estimating a Dirichlet distribution, for the evidence.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> true = rng.integers(0, 2, 4000)
    >>> probs = np.where(np.eye(2, dtype=bool)[true], 0.95, 0.05)
    >>> given = TransitionMatrix([[0.9, 0.1], [0.3, 0.7]]).sample(true, seed=0)
    >>> expectation_maximization(given, probs, strength=1, sharpness=1, ambiguity=0).transition.matrix.round(1)
    array([[0.9, 0.1],
           [0.3, 0.7]])
    """
    coded, probs = check_labels_and_probs(labels, pred_probs, classes=classes)
    probs, codes = probs[coded.codes >= 0], coded.codes[coded.codes >= 0]
    counts = np.bincount(codes, minlength=probs.shape[1]).astype(float)
    return fit_noise(
        lambda params: expected(np.asarray(probs, np.float64), codes, params),
        counts,
        coded.classes,
        strength=strength,
        sharpness=sharpness,
        ambiguity=ambiguity,
    )


def expected(probs: Matrix, codes: Any, params: NoiseParams) -> Expected:
    """The E step in plain numpy, the reference of the compiled one."""
    k = probs.shape[1]
    classifier = sharpened(probs, params.sharpness)  # (n, k)
    rate = random_rate(probs, params.ambiguity)  # (n,)
    at_random = rate * params.given_prior[codes]
    systematic = (1 - rate)[:, None] * params.systematic[:, codes].T  # (n, k)
    evidence = (classifier * (systematic + at_random[:, None])).sum(axis=1)
    true = item_posterior(probs, codes, params)
    share = systematic / np.maximum(systematic + at_random[:, None], _TINY)
    counts = np.zeros((k, k))
    np.add.at(counts.T, codes, true * share)
    likelihood = float(np.log(np.maximum(evidence, _TINY)).sum())
    return Expected(counts, (true * (1 - share)).sum(axis=0), likelihood, len(codes))


def fit_noise(
    e_step: EStep,
    given_counts: Matrix,
    classes: Sequence[Any],
    *,
    strength: float | None = None,
    sharpness: float | None = None,
    ambiguity: float = AMBIGUITY,
    max_iter: int = 200,
    tol: float = 1e-5,
) -> NoiseFit:
    """The EM of `expectation_maximization` over any source of E steps: arrays in memory, blocks of a file, a cluster.

    Parameters
    ----------
    e_step : callable
        `NoiseParams` to `Expected`, over all items.
    given_counts : ndarray, shape (k,)
        How often each class is given.
    classes : sequence of length k
    max_iter, tol
        EM stops when no entry of ``T`` changes by more than ``tol``.
    """
    if strength is not None and not strength >= 0:
        raise BadInput(f"strength is {strength!r}. Give a number of pseudo-items, 0 or more.")
    check_rate(ambiguity, name="ambiguity")
    if sharpness is not None and not sharpness > 0:
        raise BadInput(f"sharpness is {sharpness!r}. Give a positive power, 1 for the probabilities as they are.")
    frequency = given_counts / given_counts.sum()
    if sharpness is None:
        temperature = _calibrating_power(e_step, frequency)
        powers = [temperature * factor for factor in SHARPENINGS]
    else:
        powers = [float(sharpness)]
    components, joint = [], np.zeros((len(frequency), len(frequency)))
    for power in powers:
        params, found = _run(e_step, given_counts, frequency, power, ambiguity, strength, max_iter, tol)
        components.append(params)
        regarded = (found.systematic.sum(axis=1) + 1 / len(frequency))[:, None] * params.systematic
        joint += (regarded + found.random[:, None] * frequency) / len(powers)
    return NoiseFit(TransitionMatrix.from_counts(joint, classes=classes), tuple(components))


def _run(
    e_step: EStep,
    given_counts: Matrix,
    frequency: Matrix,
    power: float,
    ambiguity: float,
    strength: float | None,
    max_iter: int,
    tol: float,
) -> tuple[NoiseParams, Expected]:
    """EM at one sharpness."""
    mean = _pooled(frequency, _FIRST_ERROR_RATE)
    matrix = _shrunk(np.diag(given_counts), mean, 100.0 if strength is None else strength)
    for iteration in range(max_iter):
        found = e_step(NoiseParams(matrix, frequency, power, ambiguity))
        counts = found.systematic
        mean = _pooled(frequency, 1 - np.trace(counts) / max(counts.sum(), _TINY))
        pull = strength
        if pull is None:
            pull = 100.0 if iteration < _SETTLING else _best_strength(counts, mean)
        matrix, before = _shrunk(counts, mean, pull), matrix
        if iteration > _SETTLING and float(np.abs(matrix - before).max()) < tol:
            break
    return NoiseParams(matrix, frequency, power, ambiguity), found


def _calibrating_power(e_step: EStep, frequency: Matrix) -> float:
    """The power at which the classifier predicts the given labels best, taken as they are."""
    as_given = _shrunk(np.eye(len(frequency)), _pooled(frequency, 1.0), 1e-4)

    def loss(log_power: float) -> float:
        return -e_step(NoiseParams(as_given, frequency, float(np.exp(log_power)), 0.0)).log_likelihood

    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 0.01})
    return float(np.exp(found.x))


def _pooled(frequency: Matrix, error_rate: float) -> Matrix:
    """Every class errs at one rate, towards the others as often as they are given, shape (k, k)."""
    spread = np.repeat(frequency[None, :] + 1e-12, len(frequency), axis=0)
    np.fill_diagonal(spread, 0.0)
    mean = np.clip(error_rate, 1e-9, 1.0) * spread / spread.sum(axis=1, keepdims=True)
    np.fill_diagonal(mean, 1 - np.clip(error_rate, 1e-9, 1.0))
    return np.asarray(mean)


def _shrunk(counts: Matrix, mean: Matrix, strength: float) -> Matrix:
    total = counts + (strength + 1e-9) * mean
    return np.asarray(total / total.sum(axis=1, keepdims=True))


def _best_strength(counts: Matrix, mean: Matrix) -> float:
    """The strength with the highest Dirichlet-multinomial evidence of the counts."""
    evidence = []
    for strength in STRENGTHS:
        alpha = np.maximum(strength * mean, 1e-12)
        rows = gammaln(strength) - gammaln(strength + counts.sum(axis=1))
        evidence.append(float(rows.sum() + (gammaln(alpha + counts) - gammaln(alpha)).sum()))
    return float(STRENGTHS[int(np.argmax(evidence))])


def confident_joint(
    labels: Any, pred_probs: Any, *, classes: Sequence[Any] | None = None, calibrate: bool = True
) -> TransitionMatrix:
    """The confident joint: count items whose probability of a class passes that class's own average.

    ``t_j`` is the mean of ``pred_probs[:, j]`` over the items given j. An item given z counts for the true class
    ``argmax of pred_probs[n, j] over those j with pred_probs[n, j] >= t_j``; items that pass no threshold count nowhere.

    Parameters
    ----------
    labels : array-like, shape (n,)
    pred_probs : array-like, shape (n, k)
    classes : sequence, optional
    calibrate : bool
        Rescale the rows of each given label to the number of items with it, so that the counts add up to n.

    Returns
    -------
    TransitionMatrix
        With the estimated prior of the true classes.

    References
    ----------
    Northcutt, Jiang and Chuang (2021), Confident learning: estimating uncertainty in dataset labels, equations 1 to 3.
    """
    coded, probs = check_labels_and_probs(labels, pred_probs, classes=classes)
    probs, codes = probs[coded.codes >= 0], coded.codes[coded.codes >= 0]
    k = probs.shape[1]
    own = np.bincount(codes, weights=probs[np.arange(len(codes)), codes], minlength=k)
    given_counts = np.bincount(codes, minlength=k)
    thresholds = np.where(given_counts > 0, own / np.maximum(given_counts, 1), np.inf)
    masked = np.where(probs >= thresholds - 1e-6, probs, -1.0)
    best = masked.argmax(axis=1)
    confident = masked[np.arange(len(codes)), best] >= 0
    by_given = np.zeros((k, k))
    np.add.at(by_given, (codes[confident], best[confident]), 1.0)  # (given, true)
    if calibrate:
        empty = by_given.sum(axis=1) == 0
        by_given[empty, empty] = 1.0
        by_given *= (given_counts / by_given.sum(axis=1))[:, None]
    return TransitionMatrix.from_counts(by_given.T, classes=coded.classes)


def anchor_points(pred_probs: Any, *, quantile: float = 0.97, classes: Sequence[Any] | None = None) -> TransitionMatrix:
    """Row i of the transition is the noisy prediction at the item that is most surely of class i.

    ``transition[i] = p(z | x_i)`` with ``x_i`` the item whose ``p(z = i | x)`` is the given quantile of that column
    (the maximum would be an outlier).

    Parameters
    ----------
    pred_probs : array-like, shape (n, k)
        Noisy ``p(z | x)``, not yet sharpened.
    quantile : float in [0, 1]
    classes : sequence, optional

    References
    ----------
    Patrini et al. (2017), Making deep neural networks robust to label noise: a loss correction approach, equation 12.
    """
    probs = check_pred_probs(pred_probs)
    check_rate(quantile, name="quantile")
    rank = round(quantile * (len(probs) - 1))
    anchors = np.argpartition(probs, rank, axis=0)[rank]  # (k,)
    return TransitionMatrix(probs[anchors].astype(float), classes=classes)
