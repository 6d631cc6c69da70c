"""Auditing numbers: each compared with its expected value, as a good one or as one of the usual errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.auditing.doubts.base import Doubt
from labelproof.auditing.doubts.of_probabilities import IN_SAMPLE
from labelproof.auditing.findings import ErrorRate, Findings
from labelproof.auditing.folds import CrossValidation
from labelproof.auditing.kinds.base import Auditor, Judged, error_rate_of
from labelproof.auditing.out_of_sample import OutOfSample
from labelproof.data.dataset import Dataset
from labelproof.data.prediction_files import predictions_from
from labelproof.errors import BadInput
from labelproof.labels.numbers import Numbers
from labelproof.noise.numbers.fit import NumbersFound, find_wrong
from labelproof.noise.numbers.hypotheses import KINDS
from labelproof.noise.numbers.noise import NumberNoise
from labelproof.validation import AnyArray, IntArray, Json, to_numpy

Floats = npt.NDArray[np.float64]
MOST_FEATURES = 300
FEWEST = 20  # numbers needed to raise any doubt
NO_BETTER = "no better than the median"
BARELY = 0.95  # of the mean distance from the median
EQUAL = 0.3  # share of the predictions that equal the number given
FEW_VALUES = 10
SURE = 0.99
BOUND = 10  # typical distances that a large one counts as


class AuditorOfNumbers(Auditor[Numbers]):
    """Compare each number with its expected value (`labelproof.noise.numbers.fit.find_wrong`).

    The issues have ``kind`` (of error: ``factor``, ``sign``, ``unit``, ``swapped digits``, ``copied``, ``sentinel`` or ``other``; null where
    the number is more probably right), ``prediction`` (the expected value) and ``suggested_low`` and ``suggested_high``,
    between which 95 % of good numbers lie. The suggestion is the number before the error, if the kind of error determines it;
    otherwise the prediction.

    Examples
    --------
    >>> import numpy as np, labelproof as lp
    >>> rng = np.random.default_rng(0)
    >>> expected = rng.uniform(10, 50, 500)
    >>> given = np.round(expected + rng.normal(size=500), 1)
    >>> given[7] *= 10
    >>> worst = lp.audit(lp.Numbers(given), expected).issues.row(0, named=True)
    >>> worst["index"], worst["kind"], worst["given_label"], worst["suggested_label"]
    (7, 'factor', 373.0, 37.3)
    """

    def judge(
        self, labels: Numbers, pred_probs: object, ids: AnyArray | None = None, *, x: Any = None, groups: AnyArray | None = None
    ) -> Judged:
        """Find the numbers that are wrong.

        Parameters
        ----------
        labels : Numbers
        pred_probs : array-like or path, shape (n,), or a list of these
            Out-of-sample predictions of a regression; of several models the median, of two the mean.
        ids : ndarray, shape (n,), optional
        x : array or frame, shape (n, d), optional
            Features, which show where predictions are off and how far good numbers scatter.
        groups : ndarray, shape (n,), optional
            Rows of different groups are not neighbours.
        """
        if not len(labels.values):
            raise BadInput("There are no numbers, so there is nothing to audit.")
        predicted = predictions_of(pred_probs, labels)
        rows = None if groups is None and len(labels.values) == labels.n else _places(labels, groups)
        features = features_of(x, labels)
        found = find_wrong(labels.values, predicted, owner=rows, x=features)
        kinds = pl.Series(KINDS, dtype=pl.Enum(KINDS)).gather(found.kind)
        suggested = np.where(found.error_probability >= 0.5, labels.rounded(found.suggested), labels.values)
        sites = {
            "kind": kinds.set(pl.Series(found.error_probability < 0.5), None),
            "prediction": pl.Series(found.centre),
            "suggested_low": pl.Series(found.low),
            "suggested_high": pl.Series(found.high),
        }
        return Judged(
            Findings(found.error_probability, suggested, found.confidence),
            found.noise,
            rate_of(found),
            doubts_of(labels.values, predicted, found),
            sites=sites,
        )

    def predict(self, dataset: Dataset, how: CrossValidation, *, estimator: object, encoder: object) -> OutOfSample:
        """Out-of-sample predictions by `labelproof.auditing.regression.cross_validate_numbers`."""
        from labelproof.auditing.regression import cross_validate_numbers  # loads scikit-learn, which takes a second

        return cross_validate_numbers(dataset, how, estimator=estimator, encoder=encoder)

    def noise_of(self, summary: Json) -> NumberNoise:
        """Shares of the kinds of error."""
        return NumberNoise.from_json(summary)


AUDITOR = AuditorOfNumbers()


def rate_of(found: NumbersFound) -> ErrorRate:
    """As for other kinds, but at least the share of numbers that are surely wrong, such as ten times the expected value."""
    rate = error_rate_of(found.error_probability, found.expected_errors)
    sure = found.error_probability[found.error_probability > SURE]
    least = (float(sure.sum()) - 1.96 * float(np.sqrt(np.dot(sure, 1 - sure)))) / len(found.error_probability)
    return rate._replace(low=min(rate.estimate, max(rate.low, least)))


def predictions_of(predictions: object, labels: Numbers) -> Floats:
    """The predictions of models for each given number, shape (s,).

    Raises
    ------
    BadInput
    """
    many = (
        predictions
        if isinstance(predictions, list | tuple) and len(predictions) and not np.isscalar(predictions[0])
        else [predictions]
    )
    each = [_one(one, f"predictions[{i}]" if len(many) > 1 else "predictions", labels) for i, one in enumerate(many)]
    return each[0] if len(each) == 1 else np.median(np.stack(each), axis=0)


def _one(predictions: object, name: str, labels: Numbers) -> Floats:
    found = to_numpy(predictions_from(predictions, name), name)
    if found.shape not in ((labels.n,), (labels.n, 1)) or found.dtype.kind not in "fiu":
        raise BadInput(
            f"{name} has shape {found.shape} and dtype {found.dtype} but there are {labels.n:,} items. Give one predicted number for each "
            "item, in the same order."
        )
    chosen = found.reshape(-1)[labels.owner].astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(chosen))
    if len(bad):
        raise BadInput(
            f"{name} row {labels.owner[bad[0]]} is {chosen[bad[0]]}. Predict a finite number for every item that has one."
        )
    return chosen


def features_of(x: Any, labels: Numbers) -> npt.NDArray[np.float32] | None:
    """The numeric columns of the features, for items with a number; none if there are too many."""
    if isinstance(x, pl.DataFrame):
        x = x.select(pl.selectors.numeric(), pl.selectors.boolean().cast(pl.Float32))
        x = x.cast(pl.Float32).to_numpy() if x.width else None
    if x is None or getattr(x, "ndim", 0) != 2 or not hasattr(x, "dtype") or not hasattr(x, "__array__"):
        return None
    if not 0 < x.shape[1] <= MOST_FEATURES or len(x) != labels.n or x.dtype.kind not in "biuf":
        return None
    return np.asarray(x, np.float32)[labels.owner]


def _places(labels: Numbers, groups: AnyArray | None) -> IntArray:
    """Row numbers, with a gap where another group begins."""
    if groups is None:
        return labels.owner
    names = np.array([str(group) for group in groups])
    begins: IntArray = np.r_[0, np.cumsum(names[1:] != names[:-1])]
    return labels.owner + 3 * begins[labels.owner]


def doubts_of(given: Floats, predicted: Floats, found: NumbersFound) -> list[Doubt]:
    """Whether predictions are informative, and were made for numbers that the model had not seen."""
    if len(given) < FEWEST:
        return []
    doubts, around = [], np.abs(given - np.median(given))
    bound = BOUND * float(np.median(around)) or np.inf
    least = min(float(np.minimum(np.abs(given - one), bound).mean()) for one in (predicted, found.centre))
    from_median = float(np.minimum(around, bound).mean())
    if least >= BARELY * from_median:
        text = "The predictions are no nearer to the given numbers than their median is, so only extreme errors can be found. Check that predictions and labels are in the same order, or train a better model."
        doubts.append(Doubt(NO_BETTER, text, {"distance": least, "from_median": from_median}, serious=True))
    equal = float(np.mean(given == predicted))
    if equal > EQUAL and len(np.unique(given)) > FEW_VALUES:
        text = f"{equal:.0%} of the predictions equal the given number to the last digit: the model was trained on these very labels. Predict each item by a model that has not seen it, e.g. by cross-validation."
        doubts.append(Doubt(IN_SAMPLE, text, {"equal": equal}, serious=True))
    return doubts
