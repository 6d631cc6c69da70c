"""Tags: each item has any number of them, and each may be missing or incorrect."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from labelproof.auditing import fold
from labelproof.auditing.audit import error_rate_of
from labelproof.auditing.findings import ITEMS_FILE, SHOWN, ErrorRate, verdicts, write_findings
from labelproof.data.dataset import Shown
from labelproof.errors import BadInput
from labelproof.progress import track
from labelproof.saving.folders import atomic_folder
from labelproof.saving.version import VERSION
from labelproof.validation import AnyArray, FloatArray, check_ids, check_tag_probs, check_tags

LISTED = 0.1  # least error probability of a pair in the table of issues
NEIGHBOURS = 20  # tags that may say something about another
LEAST_PROBABILITY = 1e-3
Tags = npt.NDArray[np.int8]


@dataclass(frozen=True, repr=False)
class TagAudit:
    """Which tags are missing and which are incorrect.

    Attributes
    ----------
    error_probability : ndarray, shape (n, k)
        Probability that the given tag (or its absence) is wrong.
    tags : ndarray of 0/1, shape (n, k)
        The given tags.
    missing_rates, incorrect_rates : ndarray, shape (k,)
        ``p(given = 0 | true = 1)`` and ``p(given = 1 | true = 0)`` of each tag; NaN for a tag that is always or never given.
    error_rate : ErrorRate
        Share of the n x k entries that are wrong.
    names : tuple of length k
    ids : ndarray, shape (n,)
    source : dict
        Where the items can be read from again.
    """

    error_probability: npt.NDArray[np.float64]
    tags: Tags
    missing_rates: npt.NDArray[np.float64]
    incorrect_rates: npt.NDArray[np.float64]
    error_rate: ErrorRate
    names: tuple[Any, ...]
    ids: AnyArray
    source: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def item_score(self) -> npt.NDArray[np.float64]:
        """Probability of the item's most doubtful tag being wrong, shape (n,): the order in which to re-check items."""
        return np.asarray(self.error_probability.max(axis=1))

    @cached_property
    def issues(self) -> pl.DataFrame:
        """Pairs of item and tag with an error probability of at least 0.1, worst first.

        ``index``, ``id``, ``tag``, ``kind`` (``missing`` or ``incorrect``), ``given_label`` and ``suggested_label`` (0 or 1),
        ``error_probability``, ``verdict`` by the rule of `labelproof.audit`, ``confidence`` of the suggestion.
        """
        rows, columns = np.nonzero(self.error_probability >= LISTED)
        error = self.error_probability[rows, columns]
        order = np.argsort(-error, kind="stable")
        rows, columns, error = rows[order], columns[order], error[order]
        given = self.tags[rows, columns]
        suggested = np.where(error > 0.5, 1 - given, given).astype(np.int8)
        return pl.DataFrame(
            {
                "index": rows,
                "id": pl.Series(self.ids[rows].tolist()),
                "tag": pl.Series([str(name) for name in self.names]).gather(columns),
                "kind": pl.Series(["missing", "incorrect"], dtype=pl.Enum(["missing", "incorrect"])).gather(given),
                "given_label": given,
                "suggested_label": suggested,
                "error_probability": error,
                "verdict": verdicts(error),
                "confidence": np.maximum(error, 1 - error),
            }
        )

    @cached_property
    def items(self) -> pl.DataFrame:
        """One row per item, in the order of the input: ``index``, ``id``, the given ``tags`` by name, and the probability that
        at least one of them is wrong, ``1 - prod(1 - error_probability)``."""
        names = np.array([str(name) for name in self.names], dtype=object)
        return pl.DataFrame(
            {
                "index": np.arange(len(self.tags)),
                "id": pl.Series(self.ids.tolist()),
                "tags": pl.Series([names[row == 1].tolist() for row in self.tags], dtype=pl.List(pl.String)),
                "error_probability": 1 - np.prod(1 - self.error_probability, axis=1),
            }
        )

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of pairs of item and tag with each verdict but ``ok``."""
        found = dict(self.issues["verdict"].value_counts().iter_rows())
        return {verdict: int(found.get(verdict, 0)) for verdict in ("obvious", "possible")}

    @property
    def summary(self) -> dict[str, Any]:
        """What ``summary.json`` holds."""
        rates = {
            name: [None if np.isnan(v) else float(v) for v in getattr(self, name)]
            for name in ("missing_rates", "incorrect_rates")
        }
        return {
            "labelproof": VERSION,
            "kind": "tags",
            "n": len(self.tags),
            "classes": [str(name) for name in self.names],
            "error_rate": self.error_rate._asdict(),
            "verdicts": self.counts,
            **rates,
            "source": self.source,
        }

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write ``issues.parquet``, ``items.parquet`` and ``summary.json`` into a folder, whole or not at all."""
        with atomic_folder(folder, overwrite=overwrite) as partial:
            self.write_into(partial)

    def write_into(self, folder: Path) -> None:
        """Write the files of `save` into a folder that exists."""
        write_findings(folder, self.issues, self.summary)
        self.items.write_parquet(folder / ITEMS_FILE)

    def to_html(
        self, path: str | os.PathLike[str], *, title: str = "Tag audit", show: Callable[[int], Shown] | None = None
    ) -> None:
        """Write the report as one self-contained HTML file; ``show`` says how a row number is shown, a `Shown`."""
        SHOWN["tag report"](self, path, title=title, show=show)

    def _repr_html_(self) -> str:
        return str(SHOWN["tag notebook"](self))

    def __repr__(self) -> str:
        rate, counts = self.error_rate, self.counts
        return (
            f"Audit of {len(self.names)} tags of {len(self.tags):,} items: {rate.estimate:.1%} of the pairs wrong "
            f"(95 % interval {rate.low:.1%} to {rate.high:.1%}); {counts['obvious']:,} obvious, {counts['possible']:,} possible"
        )


def audit_tags(
    tags: Any,
    pred_probs: Any,
    *,
    names: Sequence[Any] | None = None,
    ids: Any = None,
    dependence: bool = True,
    source: dict[str, Any] | None = None,
) -> TagAudit:
    """Find missing and incorrect tags.

    Each tag has a noise model of its own, with two states and the rates ``p(given = 0 | true = 1)`` (missing) and
    ``p(given = 1 | true = 0)`` (incorrect), fitted as in `labelproof.audit`; the error probability of an entry is one minus
    its posterior. With ``dependence``, a tag is also predicted from the other given tags and probabilities of the item, by
    cross-validated logistic regression. Where these predict the given tags better than ``pred_probs`` they replace them;
    otherwise both are averaged.

    Parameters
    ----------
    tags : array-like of 0/1, shape (n, k)
        Given tags.
    pred_probs : array-like, shape (n, k)
        Out-of-sample probability of each tag, in [0, 1]; rows need not sum to one.
    names : sequence of length k, optional
    ids : array-like, shape (n,), optional
    dependence : bool
        Whether tags may speak for one another.
    source : dict, optional
        Where the items can be read from again, kept in the audit.

    Returns
    -------
    TagAudit

    Raises
    ------
    BadInput

    References
    ----------
    Jiang et al. (2019), Learning from noisy labels with noise modeling network, equation 4, for the two rates.

    Examples
    --------
    >>> import numpy as np, labelproof as lp
    >>> rng = np.random.default_rng(0)
    >>> true = (rng.random((500, 3)) < 0.4).astype(int)
    >>> probs = np.where(true == 1, 0.9, 0.1)
    >>> noisy = lp.simulate.missing_tags(true, 0.2, seed=0)
    >>> found = lp.audit_tags(noisy.labels, probs, dependence=False)
    >>> bool(((found.error_probability > 0.5) == noisy.changed).all())
    True
    >>> bool(np.abs(found.missing_rates - 0.2).max() < 0.1)
    True
    """
    given = check_tags(tags)
    probs = check_tag_probs(pred_probs, given.shape)
    labels = tuple(range(given.shape[1])) if names is None else tuple(names)
    if len(labels) != given.shape[1]:
        raise BadInput(f"names has {len(labels)} entries but there are {given.shape[1]} tags. Give one name per column.")
    if dependence and given.shape[1] > 1:
        probs = with_dependence(given, probs)
    error = np.zeros(given.shape)
    missing, incorrect = np.full(given.shape[1], np.nan), np.full(given.shape[1], np.nan)
    expected: list[FloatArray] = []
    for j in track(range(given.shape[1]), "auditing tags"):
        if given[:, j].min() == given[:, j].max():
            continue  # always or never given: nothing to compare
        both, own = np.stack([1 - probs[:, j], probs[:, j]], axis=1), given[:, j].astype(np.int64)
        noise = fold.fit(fold.sample(both, own, 0, len(own)), (0, 1))
        scores = fold.score(both, own, noise)
        error[:, j] = scores.error_probability
        expected.append(scores.expected_errors)
        missing[j], incorrect[j] = noise.transition.matrix[1, 0], noise.transition.matrix[0, 1]
    if not expected:
        raise BadInput("every tag is always or never given: there is nothing to compare. Give tags that vary.")
    rate = error_rate_of(error.ravel(), np.sum(expected, axis=0))
    return TagAudit(error, given, missing, incorrect, rate, labels, check_ids(ids, len(given)), source or {})


def with_dependence(given: Tags, probs: FloatArray) -> npt.NDArray[np.float64]:
    """Probability of each tag that also listens to the item's other tags, shape (n, k)."""
    logits = np.log(_held(probs)) - np.log(_held(1 - probs))
    centred = given - given.mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=0))
    likeness = np.abs(centred.T @ centred) / np.maximum(np.outer(scale, scale), 1e-12)
    np.fill_diagonal(likeness, -1.0)
    listening = np.array(probs, dtype=float)
    for j in track(range(given.shape[1]), "comparing tags"):
        folds = min(5, int(np.bincount(given[:, j], minlength=2).min()))
        if folds < 2:
            continue
        others = np.argsort(-likeness[j], kind="stable")[: min(NEIGHBOURS, given.shape[1] - 1)]
        features = np.hstack([logits[:, [j, *others]], given[:, others]])
        model = LogisticRegression(C=0.1, max_iter=500)
        listening[:, j] = cross_val_predict(model, features, given[:, j], cv=folds, method="predict_proba")[:, 1]
    better = _log_loss(listening, given) < _log_loss(probs, given)
    return listening if better else (listening + probs) / 2


def _held(probs: FloatArray) -> FloatArray:
    return np.clip(probs, LEAST_PROBABILITY, 1.0)


def _log_loss(probs: FloatArray, given: Tags) -> float:
    return float(-np.log(_held(np.where(given == 1, probs, 1 - probs))).mean())
