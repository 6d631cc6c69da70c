"""Recalibrating error probabilities from labels that a person has verified."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit, logit

from labelproof.errors import BadInput
from labelproof.validation import BoolArray, FloatArray

INTERCEPT_SD = 2.0
LOG_SLOPE_SD = 0.5
CLIP = 1e-9


@dataclass(frozen=True)
class Calibration:
    """``calibrated = expit(intercept + exp(log_slope) logit(error_probability))``.

    Attributes
    ----------
    intercept, log_slope : float
    covariance : ndarray, shape (2, 2)
        Covariance of ``(intercept, log_slope)``, from the curvature at the optimum.
    """

    intercept: float
    log_slope: float
    covariance: npt.NDArray[np.float64]

    def __call__(self, error_probability: FloatArray) -> npt.NDArray[np.float64]:
        """Calibrated error probabilities, same shape; the order of items is kept."""
        scores = logit(np.clip(error_probability, CLIP, 1 - CLIP))
        return np.asarray(expit(self.intercept + np.exp(self.log_slope) * scores))

    def sample_means(self, error_probability: FloatArray, draws: int = 200, random_state: int = 0) -> npt.NDArray[np.float64]:
        """Mean error probability under parameters drawn from their uncertainty, shape (draws,)."""
        rng = np.random.default_rng(random_state)
        scores = logit(np.clip(error_probability, CLIP, 1 - CLIP))
        if len(scores) > 20_000:  # a large set is reduced to quantiles
            scores = np.quantile(scores, (np.arange(20_000) + 0.5) / 20_000)
        parameters = rng.multivariate_normal([self.intercept, self.log_slope], self.covariance, draws)
        return np.array([expit(a + np.exp(b) * scores).mean() for a, b in parameters])


def fit_calibration(error_probability: FloatArray, is_error: BoolArray) -> Calibration:
    """Fit a calibration to reviewed items by penalised maximum likelihood.

    The logistic of Platt (1999) with Gaussian priors that hold it near the identity: few reviews change little. Choosing
    what to review by the error probability itself does no harm, because the fit is conditional on it.

    Parameters
    ----------
    error_probability : ndarray, shape (m,), in [0, 1]
        Of the reviewed items, before any review.
    is_error : ndarray of bool, shape (m,)
        Whether the given label turned out wrong.

    Returns
    -------
    Calibration

    References
    ----------
    Platt (1999), Probabilistic outputs for support vector machines.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.linspace(0.05, 0.95, 400)
    >>> wrong = np.random.default_rng(0).random(400) < p ** 2
    >>> calibrated = fit_calibration(p, wrong)
    >>> bool(abs(calibrated(np.array([0.5]))[0] - 0.25) < 0.08)
    True
    """
    if len(error_probability) == 0 or len(error_probability) != len(is_error):
        raise BadInput(
            f"{len(error_probability)} probabilities and {len(is_error)} reviews. Give one of each per reviewed item."
        )
    scores = logit(np.clip(error_probability, CLIP, 1 - CLIP))
    sign = np.where(is_error, 1.0, -1.0)

    def loss(parameters: npt.NDArray[np.float64]) -> float:
        intercept, log_slope = parameters
        penalty = 0.5 * (intercept / INTERCEPT_SD) ** 2 + 0.5 * (log_slope / LOG_SLOPE_SD) ** 2
        return float(penalty - log_expit(sign * (intercept + np.exp(log_slope) * scores)).sum())

    from scipy.optimize import minimize

    best = minimize(loss, np.zeros(2), method="L-BFGS-B").x
    return Calibration(float(best[0]), float(best[1]), np.asarray(np.linalg.inv(_curvature(best, scores)), np.float64))


def _curvature(parameters: npt.NDArray[np.float64], scores: FloatArray) -> npt.NDArray[np.float64]:
    """Expected second derivative of the loss (the Fisher information and the priors), shape (2, 2)."""
    slope = np.exp(parameters[1])
    chance = expit(parameters[0] + slope * scores)
    gradient = np.stack([np.ones_like(scores), slope * scores])  # (2, m)
    information = (gradient * (chance * (1 - chance))) @ gradient.T
    return np.asarray(information + np.diag([INTERCEPT_SD**-2, LOG_SLOPE_SD**-2]))
