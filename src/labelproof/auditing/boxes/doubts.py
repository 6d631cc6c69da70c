"""Doubts about an audit of boxes."""

from __future__ import annotations

import numpy as np

from labelproof.auditing.boxes.checks import SEVERAL, Checked
from labelproof.auditing.boxes.evidence import Evidence
from labelproof.auditing.boxes.geometry import Floats, overlapping
from labelproof.auditing.boxes.planted import FOUND
from labelproof.auditing.boxes.scene import Scene
from labelproof.auditing.doubts.base import Doubt
from labelproof.auditing.doubts.of_probabilities import IN_SAMPLE

NO_PREDICTIONS = "no predictions"
ELSEWHERE = "predictions stand elsewhere"
OTHER_CLASSES = "predictions of other classes"
WRITTEN_OTHERWISE = "boxes written otherwise"
FEW_FOUND = 0.2  # share of the given boxes that predictions meet
EQUAL, LEAST_EQUAL = 0.999, 0.3  # intersection over union of equal boxes, and their share
MANY_WRONG = 0.2  # share of boxes with exchanged corners
FEW = 100  # given boxes
CLASSES_APART = "predictions have other classes"
FEW_BOXES = "few boxes"
NOT_PREDICTED = "pictures without predictions"
LEAST_ALIKE = 0.5  # share of the boxes that predictions meet
MOST_UNPREDICTED, MOST_UNPREDICTED_AT_ALL = 0.05, 0.3  # share of the pictures with boxes

TEXT = "No predictions were given, so the audit found only boxes that cannot be right: duplicates, boxes outside the picture or without area, and coordinates in the wrong order or unit. Give out-of-sample predictions of a detector, e.g. by cross-validation: for each picture a dict with boxes, labels and scores, low scores included."


def without_predictions() -> Doubt:
    """The doubt of an audit without predictions, and the remedy."""
    return Doubt(NO_PREDICTIONS, TEXT, serious=True)


def of_checks(checked: Checked) -> list[Doubt]:
    """Whether so many boxes have swapped corners that it must be the format."""
    wrong = checked.reason == "order"
    if wrong.sum() < SEVERAL or wrong.mean() <= MANY_WRONG:
        return []
    text = (
        f"{wrong.mean():.0%} of the boxes have an x2 less than their x1, or a y2 less than their y1: they may be written as x, y, width and height. "
        "Give corners x1, y1, x2, y2."
    )
    return [Doubt(WRITTEN_OTHERWISE, text, {"share": float(wrong.mean())}, serious=True)]


def of_predictions(scene: Scene, evidence: Evidence) -> list[Doubt]:
    """Whether predictions meet the given boxes, were made of boxes that the detector had not seen, and are of the same classes."""
    doubts: list[Doubt] = []
    made = scene.predictions
    met = float((evidence.iou >= FOUND).mean()) if len(scene.box) else 0.0
    if met < FEW_FOUND and len(scene.box) >= SEVERAL:
        hint = (
            "Check that predictions and labels are of the same pictures in the same order, and both in pixels of the same size"
        )
        if _met(scene, np.hstack([made.box[:, :2], made.box[:, :2] + made.box[:, 2:]])) > max(2 * met, FEW_FOUND):
            hint = "Read as x, y, width and height, they would match far more boxes. Give corners x1, y1, x2, y2"
        text = f"Only {met:.0%} of the given boxes match a prediction (intersection over union of 0.5 or more). {hint}."
        doubts.append(Doubt(ELSEWHERE, text, {"met": met}, serious=True))
    equal = float((evidence.iou >= EQUAL).mean()) if len(scene.box) else 0.0
    if equal > LEAST_EQUAL:
        text = f"{equal:.0%} of the given boxes are predicted to the pixel: the detector was trained on these boxes. Predict each picture by a detector that has not seen it, e.g. by cross-validation."
        doubts.append(Doubt(IN_SAMPLE, text, {"equal": equal}, serious=True))
    if scene.k > 1 and len(scene.box):
        rows = np.flatnonzero(evidence.iou >= FOUND)
        agree = float((made.code[evidence.match[rows]] == scene.code[rows]).mean()) if len(rows) else 1.0
        if agree < LEAST_ALIKE:
            text = f"Where predictions match given boxes, only {agree:.0%} have the given class. Check that both name or number the classes in the same way; one may count from 0 and the other from 1."
            doubts.append(Doubt(CLASSES_APART, text, {"agree": agree}, serious=True))
    doubts += _of_pictures(scene)
    if len(scene.box) < FEW:
        text = f"There are only {len(scene.box):,} boxes. The audit learns from planted errors and needs a few hundred boxes. Do not rely on its rates and probabilities."
        doubts.append(Doubt(FEW_BOXES, text, {"boxes": len(scene.box)}, serious=True))
    if made.unknown:
        names = ", ".join(f"{name} ({count:,})" for name, count in sorted(made.unknown.items(), key=lambda one: -one[1])[:8])
        text = f"Predictions of classes that the labels do not have are skipped: {names}. Rename those that mean a class of the labels."
        doubts.append(Doubt(OTHER_CLASSES, text, {"predictions": made.unknown}))
    return doubts


def _of_pictures(scene: Scene) -> list[Doubt]:
    """Whether pictures with boxes have no prediction at all, perhaps because nobody predicted them."""
    drawn, predicted = np.unique(scene.owner), np.unique(scene.predictions.owner)
    without = int(np.isin(drawn, predicted, invert=True).sum())
    if without < SEVERAL or without <= MOST_UNPREDICTED * len(drawn) or not len(predicted):
        return []
    text = (
        f"{without:,} of {len(drawn):,} pictures with boxes have no prediction at all, not even one with a low score. If they were not predicted, "
        "predict them, or audit only the others. Without predictions, every given box looks wrong."
    )
    return [Doubt(NOT_PREDICTED, text, {"pictures": without}, serious=without > MOST_UNPREDICTED_AT_ALL * len(drawn))]


def _met(scene: Scene, box: Floats) -> float:
    """Share of the given boxes that predictions would meet, were these their boxes."""
    pairs = overlapping(scene.box, scene.owner, box, scene.predictions.owner, FOUND)
    return len(np.unique(pairs.first)) / max(len(scene.box), 1)
