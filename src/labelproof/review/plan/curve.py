"""How often labels of a given error probability turn out wrong: a curve with its uncertainty, before and during a review."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit, logit

from labelproof.auditing.findings import ErrorRate
from labelproof.validation import BoolArray, FloatArray

Floats = npt.NDArray[np.float64]
KNOTS = np.array([-9.0, -6.5, -4.5, -3.0, -1.5, 0.0, 1.5, 3.0, 4.5, 6.5, 9.0])  # logits of error probabilities
LEARNED = Path(__file__).with_name("curve.npz")  # of simulated audits, by benchmarks/forecast_prior.py
LEAST_SD = 0.3  # in logits, of an audit's error rate: some kinds of label have intervals of their sampling alone
EXTREME_RATE = 1e-4
BINS = 300
STEPS = 40
SMALL_STEP = 1e-3
CLIP = 1e-9


class Binned(NamedTuple):
    """Items of about the same error probability, counted together: ``places`` (b, j) between the knots, ``counts`` (b,)."""

    places: Floats
    counts: Floats


@dataclass(frozen=True)
class Curve:
    """A posterior of the curve ``p(wrong | error probability)``, in logits at `KNOTS`, straight between them.

    Attributes
    ----------
    mean : ndarray, shape (j,)
    root : ndarray, shape (j, j)
        Its product with its transpose is the covariance.
    """

    mean: Floats
    root: Floats

    def chances(self, error_probability: FloatArray) -> Floats:
        """The mean curve's ``p(wrong)`` of items, same shape."""
        return np.asarray(expit(np.interp(_logits(error_probability), KNOTS, self.mean)))

    def draws(self, number: int, rng: np.random.Generator) -> Floats:
        """Curves at the knots, shape (number, j)."""
        return np.asarray(self.mean + rng.standard_normal((number, len(self.mean))) @ self.root.T)


def places_of(error_probability: FloatArray) -> Floats:
    """Weights of the knots for each item, shape (m, j): their product with a curve is its logit there."""
    at = np.clip(_logits(error_probability), KNOTS[0], KNOTS[-1])
    left = np.clip(np.searchsorted(KNOTS, at, side="right") - 1, 0, len(KNOTS) - 2)
    share = (at - KNOTS[left]) / (KNOTS[left + 1] - KNOTS[left])
    places = np.zeros((len(at), len(KNOTS)))
    rows = np.arange(len(at))
    places[rows, left], places[rows, left + 1] = 1 - share, share
    return places


def _logits(error_probability: FloatArray) -> Floats:
    return np.asarray(logit(np.clip(error_probability, CLIP, 1 - CLIP)))


def binned(error_probability: FloatArray) -> Binned:
    """All items in bins of equal width between the logits of the knots."""
    ends = np.linspace(KNOTS[0], KNOTS[-1], BINS + 1)
    place = np.searchsorted(expit(ends[1:-1]), error_probability, side="right")
    counts = np.bincount(place, minlength=BINS).astype(float)
    return Binned(places_of(expit((ends[1:] + ends[:-1]) / 2)), counts)


def fit_curve(error_probability: FloatArray, is_error: BoolArray, every: Binned, rate: ErrorRate, slip: float = 0.0) -> Curve:
    """The posterior of the curve given the audit's interval of the error rate and the reviews, by Laplace's method.

    ``logit p(wrong | e) = f(logit e)`` with a Gaussian prior on f at the knots, which was learned from simulated audits: mean and
    covariance over data sets, models and kinds of noise. The mean of p(wrong) over all items is tied to the audit's error
    rate, in logits, by a standard deviation from its interval. A review finds "wrong" with probability ``s + (1 - 2 s) p``
    for reviewers who slip at rate s. Items may be chosen by their error probability, because f is conditional on it.

    Parameters
    ----------
    error_probability : ndarray, shape (m,)
        Error probabilities of the reviewed items.
    is_error : ndarray of bool, shape (m,)
        Whether the label was found wrong.
    every : Binned
        All items.
    rate : ErrorRate
        By the audit.
    slip : float, default=0.0
        In [0, 0.5): how often a decision is wrong.

    Returns
    -------
    Curve

    References
    ----------
    Rasmussen and Williams (2006), Gaussian processes for machine learning, section 3.4.
    """
    target = _Target(places_of(error_probability), np.asarray(is_error, bool), every, rate, slip)
    at = target.mean.copy()
    value = target.value(at)
    for _ in range(STEPS):
        gradient, information = target.slopes(at)
        step, share = np.linalg.solve(information, gradient), 1.0
        while (new := target.value(at + share * step)) < value and share > SMALL_STEP:
            share /= 2
        if new <= value:  # as high as it gets
            break
        at, gained, value = at + share * step, new - value, new
        if gained < 1e-8:
            break
    covariance = np.linalg.inv(target.slopes(at)[1])
    return Curve(at, np.asarray(np.linalg.cholesky((covariance + covariance.T) / 2), np.float64))


class _Target:
    """The logarithm of the posterior density of a curve."""

    def __init__(self, places: Floats, wrong: BoolArray, every: Binned, rate: ErrorRate, slip: float) -> None:
        self.places, self.wrong, self.every, self.slip = places, wrong, every, slip
        self.mean, self.precision = _learned()
        self._rate = [float(logit(np.clip(end, EXTREME_RATE, 1 - EXTREME_RATE))) for end in rate]

    def value(self, curve: Floats) -> float:
        off = curve - self.mean
        score = self.places @ curve
        if self.slip:
            said = self.slip + (1 - 2 * self.slip) * expit(score)
            likelihood = np.log(np.where(self.wrong, said, 1 - said)).sum()
        else:
            likelihood = log_expit(np.where(self.wrong, score, -score)).sum()
        return float(likelihood - off @ self.precision @ off / 2 - self._off_rate(curve)[0] ** 2 / 2)

    def slopes(self, curve: Floats) -> tuple[Floats, Floats]:
        """Gradient and expected information, shapes (j,) and (j, j)."""
        chance = expit(self.places @ curve)
        said = np.clip(self.slip + (1 - 2 * self.slip) * chance, 1e-12, 1 - 1e-12)
        rise = (1 - 2 * self.slip) * chance * (1 - chance)  # derivative of the answer by the logit
        weight = rise / (said * (1 - said))
        off, slope = self._off_rate(curve)
        gradient = self.places.T @ ((self.wrong - said) * weight) - self.precision @ (curve - self.mean) - off * slope
        information = (self.places.T * (rise * weight)) @ self.places + self.precision + np.outer(slope, slope)
        return np.asarray(gradient), np.asarray(information)

    def _off_rate(self, curve: Floats) -> tuple[float, Floats]:
        """The deviation of the implied error rate from the audit's, in standard deviations, and its slope."""
        share = self.every.counts / self.every.counts.sum()
        chance = expit(self.every.places @ curve)
        implied = float(np.clip(share @ chance, EXTREME_RATE, 1 - EXTREME_RATE))
        estimate, low, high = self._rate
        off = float(logit(implied)) - estimate
        sd = max(LEAST_SD, abs((high if off > 0 else low) - estimate) / 1.96)
        slope = (share * chance * (1 - chance)) @ self.every.places / (implied * (1 - implied))
        return off / sd, np.asarray(slope / sd)


@cache
def _learned() -> tuple[Floats, Floats]:
    """Mean and precision of curves at the knots."""
    with np.load(LEARNED) as arrays:
        return arrays["mean"].astype(float), np.linalg.inv(arrays["covariance"].astype(float))
