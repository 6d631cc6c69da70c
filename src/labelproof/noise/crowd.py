"""The true class of each item from the votes on it and a classifier, and each annotator's own noise, by EM.

    p(y | z_1 … z_m, x)  ∝  q(y | x) · Π_a p(z_a | y)^β,    q(y | x)  =  (1 - ε) · p(y | x)^γ / Σ_y' p(y' | x)^γ  +  ε · p(y)

γ and ε measure how much the classifier knows, ε how often it knows nothing although it is sure. β measures how far votes on an
item are independent: annotators err together on hard items, and then m votes are worth less than m. All three are chosen so
that each vote is best predicted from the others on its item and from the classifier. So the votes themselves measure the value
of the classifier, without a clean label. Without a classifier q is the prior p(y).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from labelproof.errors import BadInput
from labelproof.noise.annotator_prior import STRENGTHS, Prior, choose
from labelproof.noise.posterior import TINY, scaled
from labelproof.validation import FloatArray, IntArray

Matrix = npt.NDArray[np.float64]

LEAST_PROBABILITY = 1e-6  # of a classifier that is sure: no power makes it certain
POWERS = (0.02, 8.0)  # of the classifier
VOTE_POWERS = (0.1, 1.0)
LOST = (1e-5, 1.0)  # ε
USUAL, SPREAD = (1.5, 1.0, 0.02), 1.0  # a weak prior for the logarithms of γ, β and ε, for few votes
BLOCK = 200_000  # votes at a time
SAMPLE = 20_000  # votes by which the powers are chosen
ROUNDS = 3  # of EM, each followed by another choice of form, strength and powers
STEPS, LAST_STEPS, STILL = 15, 60, 1e-4
FEWEST_COMPARED = 0.1  # share of compared votes below which annotators are not distinguished
MOST_ENTRIES = 30_000_000  # of all annotators' matrices


@dataclass(frozen=True)
class CrowdVotes:
    """Votes: item, annotator and class of each.

    Attributes
    ----------
    owner, annotator, values : ndarray of int, shape (s,)
        Item, annotator and class of each vote; ``owner`` ascending.
    n, m, k : int
        Numbers of items, annotators and classes.
    """

    owner: IntArray
    annotator: IntArray
    values: IntArray
    n: int
    m: int
    k: int

    @property
    def compared(self) -> float:
        """Share of the votes that are on an item with another vote."""
        number = np.bincount(self.owner, minlength=self.n)
        return float((number[self.owner] > 1).mean())

    @property
    def indicator(self) -> csr_matrix:
        """Shape (n, m k): a one in row i at column ``a k + z`` if annotator a gave z to item i; sparse."""
        column = self.annotator.astype(np.int64) * self.k + self.values
        return csr_matrix((np.ones(len(column)), (self.owner, column)), shape=(self.n, self.m * self.k))


@dataclass(frozen=True)
class CrowdFit:
    """The result of `fit_crowd`.

    Attributes
    ----------
    posterior : ndarray, shape (n, k)
        ``p(y | z_1 … z_m, x)``; for an item without a vote the classifier's probabilities, or the prior.
    matrices : ndarray, shape (m, k, k)
        ``p(given | true)`` of each annotator.
    prior : ndarray, shape (k,)
    annotator_prior : Prior
        The form and strength with the highest evidence.
    classifier_power, vote_power, lost : float
        γ, β and ε.
    expected : ndarray, shape (s,)
        Probability of each vote given the others on its item and the classifier, for the average annotator.
    """

    posterior: Matrix
    matrices: Matrix
    prior: Matrix
    annotator_prior: Prior
    classifier_power: float
    vote_power: float
    lost: float
    expected: Matrix


def fit_crowd(votes: CrowdVotes, probs: FloatArray | None = None, *, strength: float | None = None) -> CrowdFit:
    """Fit the noise of all annotators, the form of their prior and both powers.

    Parameters
    ----------
    votes : CrowdVotes
    probs : ndarray, shape (n, k), optional
        ``p(y | x)`` of a model that never saw an item's votes.
    strength : float, optional
        Weight of the prior mean of an annotator's row, in votes. By default chosen by the evidence.

    Raises
    ------
    BadInput
        If the annotators' matrices do not fit into memory.

    References
    ----------
    Dawid and Skene (1979), Maximum likelihood estimation of observer error-rates using the EM algorithm.
    """
    if votes.m * votes.k**2 > MOST_ENTRIES:
        raise BadInput(
            f"{votes.m:,} annotators of {votes.k:,} classes need {votes.m * votes.k**2:,} confusion rates, above the limit of "
            f"{MOST_ENTRIES:,}. Give fewer classes, or fewer annotators: put those with few votes under one name."
        )
    model = _Crowd(votes, probs)
    form = Prior()
    if probs is None and votes.compared < FEWEST_COMPARED:  # nothing to learn from: votes are trusted
        form = Prior("pool", STRENGTHS[-1])
        model.run(form, 1)
    else:
        for _ in range(ROUNDS):
            model.run(form, STEPS)
            form = choose(model.counts, strength)
            model.choose_powers(form)
        model.run(form, LAST_STEPS)
    matrices = form.matrices(model.counts)
    power, vote_power, lost = model.powers
    power, lost = (0.0, 1.0) if probs is None else (power, lost)  # q is the prior
    return CrowdFit(model.posterior, matrices, model.prior, form, power, vote_power, lost, model.expected(matrices))


class _Crowd:
    """The state of EM: the posterior, the prior and the powers."""

    def __init__(self, votes: CrowdVotes, probs: FloatArray | None) -> None:
        self.votes, self._said = votes, votes.indicator
        self._voted = np.diff(self._said.indptr) > 0  # (n,)
        self._log_probs = None if probs is None else np.log(np.maximum(np.asarray(probs, float), LEAST_PROBABILITY))
        self.powers = USUAL
        shares = self._said @ np.tile(np.eye(votes.k), (votes.m, 1)) + 1 / votes.k
        start = shares / shares.sum(axis=1, keepdims=True)
        self.posterior = start if probs is None else scaled(np.log(start) + self._log_probs)
        self._settle()

    def _settle(self) -> None:
        """The parameters that follow from the posterior."""
        k, m = self.votes.k, self.votes.m
        belief = self.posterior[self._voted]
        self.prior = (belief.sum(axis=0) + 1 / k) / (len(belief) + 1)
        self.counts = (self._said.T @ self.posterior).reshape(m, k, k).swapaxes(1, 2)  # [annotator, true, given]

    def base(self, sharp: Matrix | None, lost: float) -> Matrix:
        """``log q(y | x)`` from the sharpened classifier, shape (r, k) or (1, k)."""
        prior = self.prior[None]
        return _log(prior if sharp is None else (1 - lost) * sharp + lost * prior)

    def sharp(self, rows: IntArray | slice, power: float) -> Matrix | None:
        """The classifier to a power, shape (r, k)."""
        return None if self._log_probs is None else scaled(power * self._log_probs[rows])

    def run(self, form: Prior, steps: int) -> None:
        """EM until no posterior moves."""
        power, vote_power, lost = self.powers
        sharp = self.sharp(slice(None), power)
        for _ in range(steps):
            said = (
                _log(form.matrices(self.counts)).swapaxes(1, 2).reshape(-1, self.votes.k)
            )  # a row for each annotator and class
            before = self.posterior
            self.posterior = scaled(self.base(sharp, lost) + vote_power * (self._said @ said))
            self._settle()
            if np.abs(self.posterior - before).max() < STILL:
                break

    def choose_powers(self, form: Prior) -> None:
        """Those under which votes are best predicted by the others on their item and by the classifier."""
        matrices, sample = form.matrices(self.counts), self._sample()
        spoken = _log(matrices)[self.votes.annotator[sample], :, self.votes.values[sample]]  # (r, k)
        others = (self._said @ _log(matrices).swapaxes(1, 2).reshape(-1, self.votes.k))[self.votes.owner[sample]] - spoken
        rows, probability = self.votes.owner[sample], np.exp(spoken)

        def loss(logs: Matrix) -> float:
            power, vote_power, lost = _powers(logs)
            known = scaled(self.base(self.sharp(rows, power), lost) + vote_power * others)
            usual = (logs - np.log(USUAL)) / SPREAD
            return float(-np.log((known * probability).sum(axis=1)).sum() + 0.5 * (usual**2).sum())

        found = minimize(loss, np.log(self.powers), method="Nelder-Mead", options={"xatol": 0.02, "fatol": 0.1, "maxfev": 120})
        self.powers = _powers(found.x)

    def _sample(self) -> IntArray:
        """Votes, all of them or a few at random, the same each time."""
        s = len(self.votes.values)
        return np.arange(s) if s <= SAMPLE else np.sort(np.random.default_rng(0).choice(s, SAMPLE, replace=False))

    def expected(self, matrices: Matrix) -> Matrix:
        """Probability of each vote given the others on its item, had the average annotator given it, shape (s,).

        The posterior without a vote is the posterior divided by that vote's likelihood.
        """
        votes, found = self.votes, []
        average = self.counts.sum(axis=0) + 1e-9
        average /= average.sum(axis=1, keepdims=True)
        for start in range(0, len(votes.values), BLOCK):
            own = slice(start, start + BLOCK)
            spoken = matrices[votes.annotator[own], :, votes.values[own]]  # (r, k)
            known = np.log(np.maximum(self.posterior[votes.owner[own]], TINY))
            without = scaled(known - self.powers[1] * _log(spoken))
            found.append((without * average[:, votes.values[own]].T).sum(axis=1))
        return np.concatenate(found)


def _powers(logs: Matrix) -> tuple[float, float, float]:
    least, most = np.log([POWERS, VOTE_POWERS, LOST]).T
    power, vote_power, lost = np.exp(np.clip(logs, least, most))
    return float(power), float(vote_power), float(lost)


def _log(probabilities: Matrix) -> Matrix:
    return np.asarray(np.log(np.maximum(probabilities, TINY)))
