"""Auditing boxes: which are missing, extra, displaced or of the wrong class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.auditing.boxes.checks import PIXELS, UNIT, Checked, check
from labelproof.auditing.boxes.doubts import of_checks, of_predictions, without_predictions
from labelproof.auditing.boxes.evidence import evidence_of
from labelproof.auditing.boxes.geometry import area
from labelproof.auditing.boxes.planted import GIVEN, learn
from labelproof.auditing.boxes.rates import Rates, cell_of, rates_of
from labelproof.auditing.boxes.scene import Predictions, Scene, predictions_of
from labelproof.auditing.doubts.base import Doubt
from labelproof.auditing.findings import ErrorRate, Findings
from labelproof.auditing.kinds.base import Auditor, Judged
from labelproof.errors import BadInput
from labelproof.labels.boxes import ABSENT, EDGES, KINDS_OF_ERROR, REASONS, Boxes, json_of_pictures
from labelproof.noise.boxes import BoxNoise, Rate, expected_of
from labelproof.validation import AnyArray, IntArray, Json

LEAST_SHOWN = 0.1  # error probability above which a site gets a description of the error
PROBABLE = 0.5  # above which the suggested boxes of a picture include it
MISSING, EXTRA, DISPLACED, CLASS = range(len(KINDS_OF_ERROR))
AS_KIND = np.array([KINDS_OF_ERROR.index(kind) for kind in GIVEN[1:]])

Floats = npt.NDArray[np.float64]


class Seen(NamedTuple):
    """Evidence from predictions about given boxes, and predicted boxes that nobody gave."""

    given: Floats  #: (s, 3): displaced, extra, class
    box: Floats  #: (s, 4), the predicted box of each; NaN without one
    code: IntArray  #: (s,), the most probable other class; ABSENT without a prediction
    missing: Floats  #: (c,), of candidates
    owner: IntArray  #: (c,)
    box_of_missing: Floats  #: (c, 4)
    code_of_missing: IntArray  #: (c,)
    rates: dict[str, Rate]
    expected_missing: float
    doubts: list[Doubt]


class Sites(NamedTuple):
    """The results of each site, in the order of the labels with the missing ones."""

    labels: Boxes
    error: Floats
    suggested: IntArray
    box: Floats
    kind: IntArray
    reason: AnyArray


class AuditorOfBoxes(Auditor[Boxes]):
    """The error probability of each given box, and boxes that are missing, by the predictions of a detector.

    - Predictions are assigned to given boxes, one each at most, so that the sum of ``IoU + 0.3 score + 0.3 p(given class)`` is largest.
    - The audit learns what errors look like from planted ones. It removes, moves, relabels and adds boxes, and trees
    distinguish
      these from what was given (overlap, offsets, score, other predictions, shape and place), cross-fitted by picture. Scores need not be
      probabilities.
    - Rates by kind follow from how often given boxes look like the surest planted errors (`labelproof.auditing.boxes.rates`),
    by class and size from EM; ``p(kind | x) = rate · f_kind(x) / f_observed(x)``.
    - Boxes that cannot be right are found without predictions (`labelproof.auditing.boxes.checks`); ``reason`` names why.

    The error probability of a picture is that of any error in it, ``1 - Π (1 - error probability)``. ``audit.items`` has ``given_boxes`` and
    ``suggested_boxes``, JSON lists of ``[x1, y1, x2, y2, class]``; the latter changes boxes that are more likely wrong than
    right.

    Examples
    --------
    >>> import numpy as np, labelproof as lp
    >>> rng = np.random.default_rng(0)
    >>> corner = rng.uniform(0, 400, (200, 2, 2))
    >>> boxes = np.concatenate([corner, corner + rng.uniform(60, 200, (200, 2, 2))], axis=2)
    >>> given = [{"boxes": one, "labels": ["cat", "dog"]} for one in boxes]
    >>> predicted = [{"boxes": one + rng.normal(0, 2, (2, 4)), "labels": ["cat", "dog"], "scores": rng.uniform(0.6, 1, 2)} for one in boxes]
    >>> given[7] = {"boxes": boxes[7, :1], "labels": ["cat"]}
    >>> found = lp.audit(lp.Boxes(given), predicted)
    >>> found.issues.select("index", "kind", "suggested_label").row(0)
    (7, 'missing', 'dog')
    """

    needs_probs = False

    def judge(
        self, labels: Boxes, pred_probs: object, ids: AnyArray | None = None, *, classes: Sequence[object] | None = None
    ) -> Judged:
        """Find the boxes that are wrong.

        Parameters
        ----------
        labels : Boxes
        pred_probs : sequence of n dicts, optional
            Out-of-sample predictions of each picture: ``boxes`` (m, 4) with ``labels`` (m,) and ``scores`` (m,), or with ``probs`` (m, k). Low
            scores help too: give them down to about 0.01. By default only boxes that cannot be right are found.
        ids : ndarray, shape (n,), optional
        classes : sequence of length k, optional
            The classes in the order of the columns of ``probs``, or of the integers that label predictions.
        """
        if not len(labels.values):
            raise BadInput("There are no boxes, so there is nothing to audit. Check which file or field holds the boxes.")
        checked = check(labels)
        edges = np.quantile(area(labels.box), [1 / 3, 2 / 3])
        doubts = of_checks(checked)
        if pred_probs is None:
            seen = nothing_seen(labels)
            doubts.append(without_predictions())
        else:
            made = predictions_of(_pictures(pred_probs), labels.n, labels.classes, classes)
            seen = seen_in(labels, checked, made, edges)
        found = sites_of(labels, checked, seen)
        kinds = found.kind.copy()
        kinds[(found.error < LEAST_SHOWN)] = -1
        confidence = np.maximum(found.error, 1 - found.error).astype(np.float32)
        return Judged(
            Findings(found.error, found.suggested, confidence),
            noise_from(labels, checked, seen, edges),
            rate_of(labels, checked, seen),
            doubts + seen.doubts,
            items_of(found, seen),
            site_columns(found, kinds),
            found.labels,
        )

    def noise_of(self, summary: Json) -> BoxNoise:
        """Rates of each kind of error by class and size."""
        return BoxNoise.from_json(summary)


AUDITOR = AuditorOfBoxes()


def _pictures(predictions: object) -> Sequence[Mapping[str, Any]]:
    if not isinstance(predictions, Sequence | np.ndarray) or isinstance(predictions, str):
        raise BadInput(
            f"predictions is a {type(predictions).__name__}. Give a list with one dict for each picture: boxes, labels and scores."
        )
    return predictions  # type: ignore[return-value]


def nothing_seen(labels: Boxes) -> Seen:
    """Without predictions."""
    s = len(labels.values)
    none = np.empty(0, np.int64)
    return Seen(
        np.zeros((s, 3)), np.full((s, 4), np.nan), np.full(s, ABSENT), np.empty(0), none, np.empty((0, 4)), none, {}, 0.0, []
    )


def seen_in(labels: Boxes, checked: Checked, made: Predictions, edges: Floats) -> Seen:
    """Evidence from predictions. Boxes that cannot be right count as corrected, or not at all."""
    nothing = nothing_seen(labels)
    box = np.where((checked.reason == "duplicate")[:, None], labels.box, checked.box)
    rows = np.flatnonzero(~np.isnan(box).any(axis=1) & (area(box) > 0))
    if not len(made.box) or not len(rows):
        return nothing._replace(doubts=[without_predictions()])
    _same_unit(box[rows], made.box)
    scene = Scene(box[rows], labels.owner[rows], labels.values[rows], made, labels.n, len(labels.classes))
    evidence = evidence_of(scene)
    found: Rates = rates_of(scene, evidence, learn(scene, evidence), edges)
    nothing.given[rows] = found.given
    has = np.flatnonzero(evidence.match >= 0)
    nothing.box[rows[has]] = made.box[evidence.match[has]]
    nothing.code[rows[has]] = made.best_other(evidence.match[has], scene.code[has])
    at = evidence.candidate
    return nothing._replace(
        missing=found.missing,
        owner=made.owner[at],
        box_of_missing=made.box[at],
        code_of_missing=made.code[at],
        rates=found.of_kind,
        expected_missing=found.expected_missing,
        doubts=of_predictions(scene, evidence),
    )


def _same_unit(given: Floats, predicted: Floats) -> None:
    """BadInput if one of the two is in shares of the picture, and the other in pixels."""
    most = [float(np.nanmax(np.abs(box))) for box in (given, predicted)]
    for small, large, what in ((most[1], most[0], "predictions"), (most[0], most[1], "given boxes")):
        if small <= UNIT < PIXELS < large:
            raise BadInput(
                f"The {what} go up to {small:.3g} and the {'given boxes' if what == 'predictions' else 'predictions'} up to {large:,.0f}: one is in "
                "shares of the picture, the other in pixels. Multiply the shares by its width and height."
            )


def sites_of(labels: Boxes, checked: Checked, seen: Seen) -> Sites:
    """Given and missing boxes, with the suggestion for each."""
    error = seen.given.sum(axis=1)
    kind = AS_KIND[seen.given.argmax(axis=1)]
    moved, other = np.isfinite(seen.box[:, 0]), (seen.code != ABSENT) & (seen.code != labels.values)
    # without a suggestion the next kind counts: a box without a prediction may only be extra
    kind = np.where(((kind == DISPLACED) & ~moved) | ((kind == CLASS) & ~other), EXTRA, kind)
    surer = checked.probability > error
    kind = np.where(surer, checked.kind, kind)
    shown = np.maximum(error, checked.probability) >= LEAST_SHOWN
    box, code = labels.box.copy(), labels.values.copy()
    moves = shown & (kind == DISPLACED)
    box[moves] = np.where(surer[:, None], checked.box, seen.box)[moves]
    box[shown & (kind == EXTRA)], code[shown & (kind == EXTRA)] = np.nan, ABSENT
    code[shown & (kind == CLASS)] = seen.code[shown & (kind == CLASS)]
    rows = np.flatnonzero(seen.missing >= LEAST_SHOWN)
    more, order = labels.with_missing(seen.owner[rows], seen.box_of_missing[rows])
    return Sites(
        more,
        np.r_[np.maximum(error, checked.probability), seen.missing[rows]][order],
        np.r_[code, seen.code_of_missing[rows]][order],
        np.concatenate([box, seen.box_of_missing[rows]])[order],
        np.r_[kind, np.full(len(rows), MISSING)][order],
        np.r_[checked.reason, np.full(len(rows), "", dtype="<U9")][order],
    )


def site_columns(found: Sites, kinds: IntArray) -> dict[str, pl.Series]:
    """Columns of the issues: the suggested box, the kind of error, and the reason."""
    edges = {f"suggested_{edge}": pl.Series(found.box[:, i]).fill_nan(None) for i, edge in enumerate(EDGES)}
    names = pl.Series(KINDS_OF_ERROR, dtype=pl.Enum(KINDS_OF_ERROR))
    reason = pl.Series(found.reason.tolist(), dtype=pl.String).replace("", None).cast(pl.Enum(REASONS))
    return {**edges, "kind": names.gather(pl.Series(kinds, dtype=pl.Int64).replace({-1: None})), "reason": reason}


def items_of(found: Sites, seen: Seen) -> dict[str, pl.Series]:
    """The results of each picture."""
    labels = found.labels
    with np.errstate(divide="ignore"):
        right = np.bincount(labels.owner, np.log1p(-found.error), minlength=labels.n)
    rest = seen.missing < LEAST_SHOWN
    right += np.bincount(seen.owner[rest], np.log1p(-seen.missing[rest]), minlength=labels.n)
    given = labels.values != ABSENT
    probable = found.error >= PROBABLE
    box = np.where(probable[:, None], found.box, labels.box)
    code = np.where(probable, found.suggested, labels.values)
    kept = (code != ABSENT) & ~np.isnan(box).any(axis=1)
    sizes = np.full((labels.n, 2), np.nan) if labels.sizes is None else labels.sizes
    return {
        "error_probability": pl.Series(-np.expm1(right)),
        "width": pl.Series(sizes[:, 0]).fill_nan(None),
        "height": pl.Series(sizes[:, 1]).fill_nan(None),
        "given_boxes": json_of_pictures(labels.owner[given], labels.box[given], labels.values[given], labels.classes, labels.n),
        "suggested_boxes": json_of_pictures(labels.owner[kept], box[kept], code[kept], labels.classes, labels.n),
    }


def noise_from(labels: Boxes, checked: Checked, seen: Seen, edges: Floats) -> BoxNoise:
    """Expected numbers of each kind of error."""
    k, given = len(labels.classes), seen.given.copy()
    for column, kind in enumerate(AS_KIND.tolist()):
        rows = checked.kind == kind
        given[rows, column] = np.maximum(given[rows, column], checked.probability[rows])
    rates = seen.rates or {kind: Rate(*3 * [float(given[:, i].mean())]) for i, kind in enumerate(GIVEN[1:3])}
    cells = cell_of(labels.values, labels.box, edges), cell_of(seen.code_of_missing, seen.box_of_missing, edges)
    confusion = np.zeros((k, k))
    wrong = given[:, GIVEN.index("class") - 1]
    np.add.at(confusion, (labels.values, labels.values), 1 - wrong - given[:, GIVEN.index("extra") - 1])
    rows = np.flatnonzero((seen.code != ABSENT) & (seen.code != labels.values))
    np.add.at(confusion, (seen.code[rows], labels.values[rows]), wrong[rows])
    sides = np.sqrt(edges)
    expected = expected_of(given, cells[0], seen.missing, cells[1], k)
    return BoxNoise(rates, expected, np.maximum(confusion, 0), (float(sides[0]), float(sides[1])), labels.classes)


def rate_of(labels: Boxes, checked: Checked, seen: Seen) -> ErrorRate:
    """The share of given and missing boxes that are wrong."""
    s = len(labels.values)
    sure = float(checked.probability.sum()) / s
    own = [seen.rates[kind] for kind in GIVEN[1:] if kind in seen.rates]
    estimate = sum(rate.estimate for rate in own) + sure
    half = float(np.sqrt(sum((rate.high - rate.low) ** 2 for rate in own))) / 2
    missing = seen.rates.get("missing", Rate(0.0, 0.0, 0.0))
    ends = [
        (value / max(1 - value, 1e-9)) * seen.expected_missing / max(missing.estimate / max(1 - missing.estimate, 1e-9), 1e-9)
        for value in missing
    ]
    number, low, high = (end / s for end in ends)
    whole = (estimate + number) / (1 + number)
    off = float(np.hypot(half, (high - low) / 2)) / (1 + number)
    spread = 1.96 * float(np.sqrt(max(whole * (1 - whole), 0) / s))
    return ErrorRate(min(1.0, whole), max(0.0, whole - max(off, spread)), min(1.0, whole + max(off, spread)))
