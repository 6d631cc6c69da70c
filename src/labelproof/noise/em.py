"""EM: how labels go wrong, from given labels and predicted probabilities, with no clean label at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from labelproof.errors import BadInput
from labelproof.noise.e_step import EStep, Expected, NoiseParams, spread
from labelproof.noise.posterior import posterior, random_rate, sharpened
from labelproof.noise.transition import TransitionMatrix
from labelproof.validation import FloatArray, IntArray, check_labels_and_probs, check_rate

Matrix = npt.NDArray[np.float64]

AMBIGUITY = 0.5
DENSE_CLASSES = 256  # up to here every pair of classes has a rate of its own
SHARPENINGS = (1.5, 4.0)  # a soft and a sharp reading of a calibrated classifier
MOST_QUARTERS = 24  # highest temperature power, in quarters
STRENGTHS = np.array([3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0])  # pseudo-items per class
_FIRST_ERROR_RATE = 0.1
_REVIEW = 4  # iterations between two choices of the strength
_SETTLING = 5  # iterations before strength and class weights are updated
_AGAIN = 2  # least number of further iterations, if a run starts from an earlier one
FEW_CELLS = 250_000  # probabilities from which on EM begins on some of the items
_TINY = np.finfo(np.float64).tiny


Step = Callable[[Sequence[NoiseParams]], Sequence[Expected]]
Runs = Sequence[tuple[NoiseParams, Expected]]  # of EM


@dataclass(frozen=True)
class Reading:
    """One reading of a classifier that was trained on the given labels: its sharpness and the kind of noise."""

    sharpness: float  #: the power that makes ``p(y | x)`` of its probabilities
    ambiguity: float  #: how far an unsure prediction means a label drawn at random
    share: float = 1.0  #: how much it weighs among others

    def __post_init__(self) -> None:
        check_rate(self.ambiguity, name="ambiguity")
        if not self.sharpness > 0:
            raise BadInput(f"sharpness is {self.sharpness!r}. Give a positive power, 1 for the probabilities as they are.")


@dataclass(frozen=True)
class NoiseFit:
    """The result of `expectation_maximization`.

    Attributes
    ----------
    transition : TransitionMatrix
        ``p(given | true)``, including labels given at random, with ``p(true)`` as its prior.
    components : tuple of NoiseParams
        ``p(given | true, x)`` for each item, one for each reading of the classifier and kind of noise.
    shares : tuple of float, optional
        Weight of each of them. By default equal.
    """

    transition: TransitionMatrix
    components: tuple[NoiseParams, ...]
    shares: tuple[float, ...] | None = None

    @property
    def weights(self) -> Matrix:
        """Weights of the components, shape (c,); they sum to one."""
        shares = np.ones(len(self.components)) if self.shares is None else np.array(self.shares)
        return np.asarray(shares / shares.sum())

    def posterior(self, pred_probs: Any, given: Any) -> Matrix:
        """Posterior of the true label of each item, averaged over the components, shape (n, k)."""
        each = [item_posterior(pred_probs, given, params) for params in self.components]
        return np.asarray(np.average(each, axis=0, weights=self.weights))


def classifier_probs(pred_probs: Any, params: NoiseParams) -> Matrix:
    """``p(y | x) ∝ class_weights[y] pred_probs[y] ** sharpness``, shape (n, k).

    A classifier that saw few items of a class, or many wrong ones, gives the class too low or too high probabilities
    everywhere. The weights bring the mean of ``p(y | x)`` in line with the mean posterior.
    """
    weighted = sharpened(pred_probs, params.sharpness) * params.class_weights
    return np.asarray(weighted / weighted.sum(axis=1, keepdims=True))


def item_posterior(pred_probs: Any, given: Any, params: NoiseParams) -> Matrix:
    """Posterior of the true label under the noise model of `expectation_maximization`, shape (n, k)."""
    return posterior(
        classifier_probs(pred_probs, params),
        given,
        params.matrix,
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
    """Fit the noise model by EM on the given labels, with the classifier fixed up to its sharpness.

    The model of a given label, for an item x of true class y:

        ``p(y | x) ∝ v_y pred_probs ** sharpness``
        ``p(z | y, x) = (1 - ρ(x)) T[y, z] + ρ(x) p(z)``,  ``ρ(x) = ambiguity (1 - max of pred_probs)``

    E step: ``r_ni = p(y = i, z depends on y | z_n, x_n)``. M step, with ``C_ij = sum of r_ni over items given j``:

        ``T_ij = (C_ij + strength m_ij) / sum over j``,  ``m_i = (1 - ε) e_i + ε q_i``

    where ``ε`` is the overall error rate ``1 - trace(C) / sum(C)`` and ``q_ij`` the frequency of the given label j among the
    others. The class weights ``v_y`` are multiplied by the mean posterior of class y over the mean of ``p(y | x)`` (not with
    two classes, where they cannot be distinguished from the error rates). The strength is the one with the highest evidence (a
    Dirichlet-multinomial with the counts ``C``), so that classes have equal error rates unless the data suggest otherwise.

    A classifier that fits the noisy labels perfectly explains them without any error, so the likelihood does not determine the
    sharpness of ``p(y | x)``. It determines the temperature at which the classifier is calibrated for the *given* labels. From
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
        Dirichlet pseudo-items for each row of ``T``. By default chosen by the evidence.
    sharpness : float, optional
        Power on ``pred_probs``. By default two readings are averaged.
    ambiguity : float in [0, 1]
        How strongly an uncertain prediction means a random label; 0 for noise that depends only on the class.

    Returns
    -------
    NoiseFit

    References
    ----------
    Dempster, Laird and Rubin (1977) for EM; Bekker and Goldberger (2016), Training deep neural-networks based on
    unreliable labels, for EM over a transition matrix;
    Minka (2000), Estimating a Dirichlet distribution, for the evidence; Saerens, Latinne and Decaestecker (2002), Adjusting
    the outputs of a classifier to new a priori probabilities, for the class weights.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> true = rng.integers(0, 2, 4000)
    >>> probs = np.where(np.eye(2, dtype=bool)[true], 0.95, 0.05)
    >>> given = TransitionMatrix([[0.9, 0.1], [0.3, 0.7]]).sample(true, random_state=0)
    >>> expectation_maximization(given, probs, strength=1, sharpness=1, ambiguity=0).transition.matrix.round(1)
    array([[0.9, 0.1],
           [0.3, 0.7]])
    """
    coded, probs = check_labels_and_probs(labels, pred_probs, classes=classes)
    labelled = coded.codes >= 0
    codes = coded.codes[labelled]
    counts = np.bincount(codes, minlength=probs.shape[1]).astype(float)
    e_step = EStep(np.asarray(probs[labelled], np.float64), codes)

    readings = [Reading(sharpness, ambiguity)] if sharpness is not None else two_readings(e_step, counts, ambiguity)
    return fit_noise(e_step, counts, coded.classes, readings, strength=strength)


def two_readings(e_step: Step, given_counts: Matrix, ambiguity: float = AMBIGUITY) -> list[Reading]:
    """Make a soft and a sharp reading of the classifier, from the power at which it is calibrated for the given labels."""
    temperature = calibrating_power(e_step, given_counts)
    return [Reading(quarter(temperature * factor), ambiguity) for factor in SHARPENINGS]


def fit_noise(
    e_step: Step,
    given_counts: Matrix,
    classes: Sequence[Any],
    readings: Sequence[Reading],
    *,
    strength: float | None = None,
    max_iter: int = 60,
    tol: float = 2e-4,
) -> NoiseFit:
    """Run the EM of `expectation_maximization` over any source of E steps: arrays in memory, blocks of a file, a cluster.

    Parameters
    ----------
    e_step : callable
        `NoiseParams` to `Expected`, over all items.
    given_counts : ndarray, shape (k,)
        Number of labels of each class.
    max_iter, tol
        EM stops when no entry of ``T`` changes by more than ``tol``, and no class weight by a share of ten times that.
    """
    runs = run_em(e_step, given_counts, readings, strength=strength, max_iter=max_iter, tol=tol)
    return joined(runs, [reading.share for reading in readings], classes)


def em_of(
    probs: FloatArray, given: IntArray, given_counts: Matrix, readings: Sequence[Reading], strength: float | None = None
) -> Runs:
    """`run_em` over items in memory; for many, first over some of them, so that a few iterations over all suffice."""
    every, start = max(1, -(-probs.size // FEW_CELLS)), None
    if every > 1:
        start = run_em(EStep(probs, given, 2 * every), given_counts, readings, strength=strength)
    return run_em(EStep(probs, given), given_counts, readings, strength=strength, start=start)


def joined(runs: Runs, shares: Sequence[float], classes: Sequence[Any]) -> NoiseFit:
    """Several runs of EM as one noise model, weighted by their shares."""
    overall = _overall_pooled if runs[0][0].pooled else _overall
    return NoiseFit(overall(runs, shares, classes), tuple(params for params, _ in runs), tuple(shares))


@dataclass(frozen=True)
class _Shape:
    """The form of ``systematic``: up to `DENSE_CLASSES` classes in full, beyond that short."""

    classes: int
    spread: Matrix | None  # how the labels that a class loses fall on the others, shape (k, k)

    @classmethod
    def of(cls, frequency: Matrix) -> _Shape:
        return cls(len(frequency), spread(frequency) if len(frequency) <= DENSE_CLASSES else None)

    def mean(self, error_rates: Matrix) -> Matrix:
        """One error rate for all classes, towards the others by their given frequencies; one matrix per rate (r,)."""
        rates = np.clip(error_rates, 1e-9, 1.0)
        if self.spread is None:
            return np.repeat(np.stack([1 - rates, rates], axis=1)[:, None], self.classes, axis=1)
        mean = rates[:, None, None] * self.spread
        diagonal = np.arange(self.classes)
        mean[:, diagonal, diagonal] = (1 - rates)[:, None]
        return np.asarray(mean)

    def right(self, counts: Matrix) -> Matrix:
        """The number of right labels, shape (r,)."""
        return np.asarray(counts[:, :, 0].sum(axis=1) if self.spread is None else np.trace(counts, axis1=1, axis2=2))


def quarter(power: float) -> float:
    """The nearest multiple of a quarter: such powers need no logarithm."""
    return max(1, round(4 * power)) / 4


def run_em(
    e_step: Step,
    given_counts: Matrix,
    readings: Sequence[Reading],
    *,
    strength: float | None = None,
    max_iter: int = 60,
    tol: float = 2e-4,
    start: Runs | None = None,
) -> Runs:
    """EM under each of r readings of the classifier, in parallel; the results do not depend on one another.

    It may ``start`` from earlier results on some of the items.
    """
    if strength is not None and not strength >= 0:
        raise BadInput(f"strength is {strength!r}. Give a number of pseudo-items, 0 or more.")
    frequency = given_counts / given_counts.sum()
    k, shape = len(frequency), _Shape.of(frequency)
    systematic = shape.mean(np.full(len(readings), _FIRST_ERROR_RATE))  # (r, k, k) or (r, k, 2)
    weights, pull = np.ones((len(readings), k)), np.full(len(readings), 100.0 if strength is None else strength)
    first, least = 0, _SETTLING + _REVIEW
    if start is not None:
        systematic, weights = (np.array([getattr(one, name) for one, _ in start]) for name in ("systematic", "class_weights"))
        first, least = _SETTLING, _SETTLING + _AGAIN
    done: dict[int, tuple[NoiseParams, Expected]] = {}
    for iteration in range(first, max_iter):
        found = e_step(_params(systematic, frequency, weights, readings))
        counts, before = np.array([one.systematic for one in found]), (systematic, weights)
        mass = counts.sum(axis=2)  # (r, k)
        mean = shape.mean(1 - shape.right(counts) / np.maximum(mass.sum(axis=1), _TINY))
        if strength is None and iteration >= _SETTLING and (iteration - _SETTLING) % _REVIEW == 0:
            pull = np.array([_best_strength(*one) for one in zip(counts, mean, strict=True)])
        systematic = _shrunk(counts, mean, pull)
        if iteration >= _SETTLING and k > 2:
            random, classifier = (np.array([getattr(one, name) for one in found]) for name in ("random", "classifier"))
            weights = weights * (mass + random + 1) / (classifier + 1)
            weights = weights / np.exp(np.log(weights).mean(axis=1, keepdims=True))
        change = np.abs(systematic - before[0]).max(axis=(1, 2))
        if weights is not before[1]:
            change = np.maximum(change, 0.1 * np.abs(np.log(weights / before[1])).max(axis=1))
        still = (change < tol) & (iteration >= least) | (iteration == max_iter - 1)
        if still.any():
            now = _params(systematic, frequency, weights, readings)
            done = {r: (now[r], found[r]) for r in np.flatnonzero(still).tolist()} | done
        if len(done) == len(readings):
            break
    return [done[r] for r in range(len(readings))]


def _params(systematic: Matrix, frequency: Matrix, weights: Matrix, readings: Sequence[Reading]) -> list[NoiseParams]:
    each = zip(systematic, weights, readings, strict=True)
    return [NoiseParams(one, frequency, weight, reading.sharpness, reading.ambiguity) for one, weight, reading in each]


def calibrating_power(e_step: Step, given_counts: Matrix) -> float:
    """The power at which the classifier predicts the given labels best.

    The likelihood is concave in the power. Bisection finds the best quarter, and a parabola refines it.
    """
    frequency = given_counts / given_counts.sum()
    as_given, even = _Shape.of(frequency).mean(np.array([1e-4]))[0], np.ones(len(frequency))

    @cache
    def likelihood(quarters: int) -> float:
        return e_step([NoiseParams(as_given, frequency, even, quarters / 4, 0.0)])[0].log_likelihood

    low, high = 1, MOST_QUARTERS
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if likelihood(middle + 1) > likelihood(middle) else (low, middle)
    if not 1 < low < MOST_QUARTERS:
        return low / 4
    before, best, after = likelihood(low - 1), likelihood(low), likelihood(low + 1)
    bend = before - 2 * best + after
    return (low + (0.5 * (before - after) / bend if bend < 0 else 0.0)) / 4


def _overall(runs: Runs, shares: Sequence[float], classes: Sequence[Any]) -> TransitionMatrix:
    """p(given | true) with the labels given at random, averaged over the components."""
    joint = np.zeros_like(runs[0][0].systematic)
    for (params, found), share in zip(runs, shares, strict=True):
        regarded = found.systematic.sum(axis=1) + 1 / len(joint)
        joint += share * (regarded[:, None] * params.systematic + found.random[:, None] * params.given_prior)
    return TransitionMatrix.from_counts(joint, classes=classes)


def _overall_pooled(runs: Runs, shares: Sequence[float], classes: Sequence[Any]) -> TransitionMatrix:
    kept, mass = np.zeros(len(classes)), np.zeros(len(classes))
    for (params, found), share in zip(runs, shares, strict=True):
        regarded = found.systematic.sum(axis=1) + 1 / len(classes)
        kept += share * (regarded * params.systematic[:, 0] + found.random * params.given_prior)
        mass += share * (regarded + found.random)
    given_prior = runs[0][0].given_prior
    return TransitionMatrix.pooled(1 - kept / mass, given_prior, prior=mass / mass.sum(), classes=classes)


def _shrunk(counts: Matrix, mean: Matrix, strength: Matrix) -> Matrix:
    total = counts + (strength + 1e-9)[:, None, None] * mean
    return np.asarray(total / total.sum(axis=2, keepdims=True))


def _best_strength(counts: Matrix, mean: Matrix) -> float:
    """The strength with the highest Dirichlet-multinomial evidence of the counts."""
    alpha = np.maximum(STRENGTHS[:, None, None] * mean, 1e-12)  # (s, k, k)
    rows = gammaln(STRENGTHS)[:, None] - gammaln(STRENGTHS[:, None] + counts.sum(axis=1))
    evidence = rows.sum(axis=1) + (gammaln(alpha + counts) - gammaln(alpha)).sum(axis=(1, 2))
    return float(STRENGTHS[int(np.argmax(evidence))])
