"""The interface of auditors of a kind of label."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypedDict, TypeVar

import numpy as np
import polars as pl

from labelproof.auditing.doubts.base import Doubt
from labelproof.auditing.findings import ErrorRate, Findings, Noise
from labelproof.auditing.near import Near
from labelproof.data.dataset import Dataset
from labelproof.labels.base import Labels
from labelproof.validation import AnyArray, FloatArray, Json

if TYPE_CHECKING:
    from labelproof.auditing.folds import CrossValidation
    from labelproof.auditing.out_of_sample import OutOfSample

L = TypeVar("L", bound=Labels)


@dataclass(frozen=True)
class Judged:
    """The results of the sites of labels, and the noise model.

    Attributes
    ----------
    findings : Findings
    noise : Noise
    error_rate : ErrorRate
    doubts : list of Doubt
    items : dict of str to Series of length n
        For some kinds: columns of the table of items, instead of ``error_probability`` computed from the sites.
    sites : dict of str to Series of length s
        For some kinds: columns of the issues, ``Labels.found_site_columns``.
    labels : Labels, optional
        The labels with further sites, such as missing ones that should have been given. The findings belong to these.
    """

    findings: Findings
    noise: Noise
    error_rate: ErrorRate
    doubts: list[Doubt] = field(default_factory=list)
    items: dict[str, pl.Series] = field(default_factory=dict)
    sites: dict[str, pl.Series] = field(default_factory=dict)
    labels: Labels | None = None


class Known(TypedDict):
    """The facts about the items that `labelproof.audit` passes to auditors whose ``judge`` has a parameter of that name.

    Attributes
    ----------
    x : rows
        The input of a model: the features that the caller gives, otherwise those of the data set.
    groups : ndarray, shape (n,)
        What items belong to.
    near : Near
        The neighbours of the items.
    """

    x: Any
    groups: AnyArray | None
    near: Near | None


class Auditor(ABC, Generic[L]):
    """Audits labels of one kind.

    Attributes
    ----------
    needs_probs : bool
        Whether predictions must be given.
    """

    needs_probs: ClassVar[bool] = True

    @abstractmethod
    def judge(self, labels: L, pred_probs: object, ids: AnyArray | None) -> Judged:
        """Find the sites that are wrong.

        A kind adds its own options as keyword arguments; `labelproof.audit` passes them on, and fills in those of `Known`.

        Parameters
        ----------
        labels : Labels
        pred_probs : array-like, path …
            The predictions that the kind takes.
        ids : ndarray, shape (n,), optional
            Names of the items.

        Raises
        ------
        BadInput
        """

    def dataset_of(self, labels: L) -> Dataset | None:
        """The items, if the labels themselves hold them."""
        return None

    def learned_from(self, labels: L) -> Labels:
        """The training data of a classifier of the items."""
        return labels

    def predict(self, dataset: Dataset, how: CrossValidation, *, estimator: object, encoder: object) -> OutOfSample:
        """Out-of-sample predictions, by default class probabilities; see `labelproof.out_of_sample_probs` for the parameters."""
        from labelproof.auditing.out_of_sample import cross_validate  # loads scikit-learn, which takes a second

        learned = replace(dataset, labels=self.learned_from(dataset.labels))  # type: ignore[arg-type]
        return cross_validate(learned, how, estimator=estimator, encoder=encoder)

    @abstractmethod
    def noise_of(self, summary: Json) -> Noise:
        """The noise of an audit, from its ``summary.json``."""


def error_rate_of(error_probability: FloatArray, expected_errors: FloatArray) -> ErrorRate:
    """Mean error probability, with an interval that spans the readings of the classifier's sharpness.

    If the probabilities of one reading are right, the number of wrong labels has variance ``sum e (1 - e)``. The interval
    reaches from the lowest reading less 1.96 standard deviations to the highest plus as much. What no reading can see,
    a model that has learned the annotators' own mistakes, is not in it; only reviews show that.

    Parameters
    ----------
    error_probability : ndarray, shape (s,)
    expected_errors : ndarray, shape (c,)
        Expected number of errors under each reading.
    """
    n = len(error_probability)
    return error_rate_from(float(error_probability.mean()), half_width(error_probability, n), expected_errors / n)


def error_rate_from(mean: float, half: float, readings: FloatArray) -> ErrorRate:
    """The same from the mean error probability, its half width, and the rate under each reading."""
    return ErrorRate(mean, max(0.0, float(readings.min()) - half), min(1.0, float(readings.max()) + half))


def half_width(error_probability: FloatArray, n: int) -> float:
    """1.96 standard deviations of the number of wrong labels among n, if each probability is right, as a share of n."""
    return 1.96 * float(np.sqrt(np.dot(error_probability, 1 - error_probability))) / n
