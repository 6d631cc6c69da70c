"""Training dynamics: evidence on labels from the course of training. Networks learn patterns first and memorise noise later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from labelproof.errors import BadInput
from labelproof.training.history import History
from labelproof.validation import BoolArray, IntArray

BLOCK = 65_536  # items at a time
FEWEST_REVIEWS = 10  # of each kind, for a detector that learns from them
Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Dynamics:
    """The course of training in one number each, shape (n,); NaN for items that were never seen.

    Attributes
    ----------
    area_under_margin : mean over epochs of the logit of the given label minus the highest other one
    mean_probability : mean over epochs of the probability of the given label
    variability : standard deviation of that probability over epochs
    early_probability : its mean over the first half of the epochs
    early_loss : mean of ``-log`` of it over the first half of the epochs
    forgetting : how often the network went from agreeing with the given label to another class
    agreement : share of the epochs in which it agreed

    References
    ----------
    Pleiss et al. (2020), Identifying mislabeled data using the area under the margin ranking; Swayamdipta et al. (2020), Dataset
    cartography (mean and variability); Toneva et al. (2019), An empirical study of example forgetting; Liu et al. (2020),
    Early-learning regularization prevents memorization of noisy labels.
    """

    area_under_margin: Vector
    mean_probability: Vector
    variability: Vector
    early_probability: Vector
    early_loss: Vector
    forgetting: Vector
    agreement: Vector

    def matrix(self) -> npt.NDArray[np.float64]:
        """All as columns, probabilities as logits, shape (n, 7)."""
        columns = [getattr(self, field.name) for field in fields(self)]
        for at in (1, 3):
            columns[at] = _log_odds(columns[at])
        return np.stack(columns, axis=1)


def dynamics_of(history: History, given: IntArray) -> Dynamics:
    """Reduce a history to `Dynamics`, a block of items at a time.

    Parameters
    ----------
    history : History
    given : ndarray of int, shape (n,)
        Codes of the given labels, as in training.
    """
    if len(given) != history.n:
        raise BadInput(f"given has {len(given)} rows but the history has {history.n} items. Give the labels of its items.")
    epochs = np.flatnonzero(history.seen())
    if not len(epochs):
        raise BadInput("history is empty: no epoch was recorded. Train with it first.")
    parts = [_block(history, epochs, given[rows], rows) for rows in _blocks(history.n)]
    return Dynamics(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _blocks(n: int) -> Iterator[slice]:
    for start in range(0, n, BLOCK):
        yield slice(start, min(start + BLOCK, n))


def _block(history: History, epochs: IntArray, given: IntArray, rows: slice) -> tuple[Vector, ...]:
    own = history.own_probability[epochs, rows].astype(np.float64)
    margin = history.margin[epochs, rows].astype(np.float64)
    agreed = history.predicted[epochs, rows] == given
    early = own[: max(1, len(epochs) // 2)]
    with np.errstate(invalid="ignore", divide="ignore"):
        seen = (~np.isnan(own)).any(axis=0)
        forgotten = (agreed[:-1] & ~agreed[1:]).sum(axis=0).astype(float)
        found = (
            _mean(margin), _mean(own), np.sqrt(_mean((own - _mean(own)) ** 2)), _mean(early),
            _mean(-np.log(np.clip(early, 1e-4, 1))), forgotten, agreed.mean(axis=0),
        )  # fmt: skip
    return tuple(np.where(seen, column, np.nan) for column in found)


def _mean(values: npt.NDArray[np.float64]) -> Vector:
    """Over the epochs in which an item was seen, shape (b,); by sampling with replacement an item may miss some."""
    known = ~np.isnan(values)
    return np.asarray(np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))


def _log_odds(probability: Vector) -> Vector:
    return np.asarray(logit(np.clip(probability, 1e-3, 1 - 1e-3)))


def error_probability_of(history: History, given: IntArray) -> Vector:
    """The probability that each given label is wrong, from the course of training alone.

    Area under the margin, mean and early probability (as log odds) are standardised and added; a mixture of two Gaussians is
    fitted to the sum. The probability of its lower component is multiplied by ``1 - (p / p')²``, with p the item's early
    probability and p' its mean in the upper component: an item whose label the network took up early is not wrong, however the
    mixture divides the items, as it must when no label is wrong.

    Parameters
    ----------
    history : History
    given : ndarray of int, shape (n,)

    Returns
    -------
    ndarray, shape (n,), in [0, 1]; NaN for unlabelled items
    """
    return wrong_by_mixture(dynamics_of(history, given))


def wrong_by_mixture(found: Dynamics) -> Vector:
    """See `error_probability_of`."""
    out = np.full(len(found.mean_probability), np.nan)
    known = ~np.isnan(found.mean_probability)
    columns = (found.area_under_margin, _log_odds(found.mean_probability), _log_odds(found.early_probability))
    score = sum((_standard(column[known]) for column in columns), np.zeros(int(known.sum())))
    if len(score) < 4 or np.ptp(score) < 1e-9:
        out[known] = np.clip(1 - found.mean_probability[known], 0, 1)
        return out
    mixture = GaussianMixture(2, reg_covar=1e-3, n_init=2, random_state=0).fit(score[:, None])
    lower = mixture.predict_proba(score[:, None])[:, int(mixture.means_[:, 0].argmin())]
    order = np.argsort(-score, kind="stable")
    lower[order] = np.maximum.accumulate(lower[order])  # the wider Gaussian would win again at the far end
    early = found.early_probability[known]
    upper = np.average(early, weights=1 - lower + 1e-9)
    out[known] = lower * (1 - np.clip(early / max(upper, 1e-9), 0, 1) ** 2)
    return out


def wrong_by_reviews(found: Dynamics, reviewed: BoolArray, is_error: BoolArray, start: Vector) -> Vector:
    """The probability that each label is wrong by a logistic regression on all dynamics, learned from reviewed items.

    Parameters
    ----------
    found : Dynamics
    reviewed : ndarray of bool, shape (n,)
    is_error : ndarray of bool, shape (n,)
        For reviewed items, whether the label is wrong.
    start : ndarray, shape (n,)
        The unsupervised probability, as a further feature; returned unchanged if the reviews are too few of either kind.

    Returns
    -------
    ndarray, shape (n,)
    """
    known = ~np.isnan(start)
    use = reviewed & known
    if min(int(is_error[use].sum()), int((~is_error[use]).sum())) < FEWEST_REVIEWS:
        return start
    features = np.column_stack([found.matrix()[known], _log_odds(start[known])])
    detector = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=1000))
    detector.fit(features[use[known]], is_error[use])
    out = start.copy()
    out[known] = detector.predict_proba(features)[:, 1]
    return out


def _standard(values: Vector) -> Vector:
    spread = values.std()
    return np.asarray((values - values.mean()) / (spread if spread > 0 else 1.0))
