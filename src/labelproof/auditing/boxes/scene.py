"""Given boxes and predictions of all pictures, flat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.errors import BadInput
from labelproof.validation import AnyArray, BoolArray, IntArray, to_numpy
from labelproof.validation.box_lists import FlatBoxes, flat_boxes, flat_values, label_codes

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Predictions:
    """The predictions of a detector for all pictures.

    Attributes
    ----------
    box : ndarray, shape (m, 4)
    owner : ndarray of int64, shape (m,), ascending
    code : ndarray of int64, shape (m,)
        The most probable class.
    score : ndarray, shape (m,)
        In [0, 1].
    probs : ndarray, shape (m, k), or None
        Probability of each class, if the detector gives them.
    unknown : dict of str to int
        Skipped predictions of classes that the labels do not have, by class.
    """

    box: Floats
    owner: IntArray
    code: IntArray
    score: Floats
    probs: Floats | None
    unknown: dict[str, int]

    def of_class(self, rows: IntArray, code: IntArray) -> Floats:
        """The probability of a class at each of some predictions."""
        if self.probs is not None:
            return self.probs[rows, code]
        return np.where(self.code[rows] == code, self.score[rows], 0.0)

    def of_others(self, rows: IntArray, code: IntArray) -> Floats:
        """The probability of the most probable other class."""
        if self.probs is None:
            return np.where(self.code[rows] == code, 0.0, self.score[rows])
        table = self.probs[rows]
        table[np.arange(len(rows)), code] = 0.0
        found: Floats = table.max(axis=1, initial=0.0)
        return found

    def best_other(self, rows: IntArray, code: IntArray) -> IntArray:
        """The most probable other class."""
        if self.probs is None:
            return self.code[rows]
        table = self.probs[rows]
        table[np.arange(len(rows)), code] = -1.0
        found: IntArray = table.argmax(axis=1)
        return found

    def of_pictures(self, kept: BoolArray, number: IntArray) -> Predictions:
        """Those of some pictures, renumbered."""
        rows = kept[self.owner]
        probs = None if self.probs is None else self.probs[rows]
        return Predictions(self.box[rows], number[self.owner[rows]], self.code[rows], self.score[rows], probs, self.unknown)


@dataclass(frozen=True)
class Scene:
    """Boxes and predictions of n pictures.

    Attributes
    ----------
    box : ndarray, shape (s, 4)
        With area.
    owner, code : ndarray of int64, shape (s,)
    predictions : Predictions
    n, k : int
        Numbers of pictures and of classes.
    """

    box: Floats
    owner: IntArray
    code: IntArray
    predictions: Predictions
    n: int
    k: int

    def of_pictures(self, kept: BoolArray) -> Scene:
        """Some pictures, renumbered."""
        number = np.cumsum(kept) - 1
        rows = kept[self.owner]
        predictions = self.predictions.of_pictures(kept, number)
        return Scene(self.box[rows], number[self.owner[rows]], self.code[rows], predictions, int(kept.sum()), self.k)


def predictions_of(
    given: Sequence[Mapping[str, Any]], n: int, own: Sequence[object], classes: Sequence[object] | None
) -> Predictions:
    """The predictions that an audit receives, checked.

    Parameters
    ----------
    given : sequence of n dicts
        ``boxes`` with ``labels`` and ``scores``, or with ``probs``.
    n : int
    own : sequence of length k
        The classes of the labels.
    classes : sequence, optional
        The class of each column of ``probs``, and of each integer label. By default the classes of the labels.

    Raises
    ------
    BadInput
    """
    name = "predictions"
    flat = flat_boxes(given, name)
    if len(given) != n:
        raise BadInput(
            f"predictions cover {len(given):,} pictures but labels cover {n:,}. Give one dict for each picture, in the same order."
        )
    columns = tuple(own if classes is None else classes)
    place = {str(one): code for code, one in enumerate(own)}
    at = np.array([place.get(str(one), -1) for one in columns], np.int64)
    if not (at >= 0).any():
        raise BadInput(
            f"classes of the predictions ({', '.join(map(str, columns))[:100]}) are none of the labels' ({', '.join(place)[:100]}). "
            "Give classes=, the names that the labels have, in the order of the predictions."
        )
    probs, score, code, names = None, None, None, None
    if any("probs" in one for one in given):
        probs = _checked_probs(flat_values(given, "probs", flat, name), len(columns), flat)
        code, score = at[probs.argmax(axis=1)] if len(probs) else np.empty(0, np.int64), probs.max(axis=1, initial=0.0)
        names = [str(columns[i]) for i in probs.argmax(axis=1).tolist()] if len(probs) else []
        arranged = np.zeros((len(probs), len(own)))
        arranged[:, at[at >= 0]] = probs[:, at >= 0]
        probs = arranged
    else:
        labels = flat_values(given, "labels", flat, name)
        raw, _ = label_codes(labels, flat, columns, name)
        code = np.where(raw >= 0, at[np.maximum(raw, 0)], -1)
        names = [str(label) for label in labels.tolist()]
    if score is None or any("scores" in one for one in given):
        score = _checked_scores(flat_values(given, "scores", flat, name), flat)
    rows = code >= 0
    if len(rows) and not rows.any():
        raise BadInput(
            f"predictions have no class of the labels ({', '.join(place)[:100]}); the first has {names[0]!r}. Give classes=, the names "
            "that the labels have, in the order of the predictions' integers."
        )
    lost, counts = np.unique([one for one, known in zip(names, rows.tolist(), strict=True) if not known], return_counts=True)
    unknown = dict(zip(lost.tolist(), counts.tolist(), strict=True))
    return Predictions(
        flat.box[rows], flat.owner[rows], code[rows], score[rows], None if probs is None else probs[rows], unknown
    )


def _checked_scores(values: AnyArray, flat: FlatBoxes) -> Floats:
    found = to_numpy(values, "scores")
    if found.ndim != 1 or (len(found) and found.dtype.kind not in "fiu"):
        raise BadInput(
            f"scores of predictions have shape {found.shape} and dtype {found.dtype}. Give one number from 0 to 1 for each box."
        )
    score = found.astype(np.float64)
    _refuse(~((score >= 0) & (score <= 1)), score, flat, "score")
    return score


def _checked_probs(values: AnyArray, k: int, flat: FlatBoxes) -> Floats:
    if not len(values):
        return np.empty((0, k))
    if values.ndim != 2 or values.shape[1] != k or values.dtype.kind not in "fiu":
        raise BadInput(
            f"probs of predictions have {values.shape[1:]} columns for each box but there are {k} classes. Give one for each class."
        )
    probs = values.astype(np.float64)
    _refuse(np.any(~((probs >= 0) & (probs <= 1)), axis=1), probs, flat, "probs")
    return probs


def _refuse(bad: BoolArray, values: Floats, flat: FlatBoxes, what: str) -> None:
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        raise BadInput(
            f"{what} of box {flat.number[i]} of picture {flat.owner[i]} in predictions is {values[i].tolist()}. Give numbers from 0 to 1."
        )
