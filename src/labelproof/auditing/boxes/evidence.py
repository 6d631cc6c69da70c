"""Evidence from predictions about each given box, and about each prediction that no given box explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelproof.auditing.boxes.geometry import Pairs, overlapping
from labelproof.auditing.boxes.matching import NONE, assign
from labelproof.auditing.boxes.scene import Predictions, Scene
from labelproof.validation import BoolArray, IntArray

TOUCH = 0.05  # intersection over union of boxes that may be of one object
SAME = 0.4  # that is evidence for one object
TWICE = 0.5  # of overlapping predictions, of which only the better one counts
NOTHING = 1e-4  # the score of objects that were not predicted
SCORE, CLASS = 0.3, 0.3  # weight of score and class, next to the overlap, in the assignment

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """Evidence on given boxes and on candidates, as numbers.

    Attributes
    ----------
    given : ndarray, shape (s, d)
    match : ndarray of int64, shape (s,)
        The prediction of each given box, -1 without one.
    iou : ndarray, shape (s,)
        Its intersection over union with the given box, 0 without one.
    candidate : ndarray of int64, shape (c,)
        Predictions of no given box, the best one of each object.
    free : ndarray, shape (c, e)
        Evidence on candidates.
    """

    given: Floats
    match: IntArray
    iou: Floats
    candidate: IntArray
    free: Floats


def evidence_of(scene: Scene) -> Evidence:
    """The evidence.

    Predictions are assigned to given boxes, one each at most, so that the sum of ``IoU + 0.3 score + 0.3 p(given class)`` is largest.
    """
    made, s = scene.predictions, len(scene.box)
    edges = overlapping(scene.box, scene.owner, made.box, made.owner, TOUCH)
    same = made.of_class(edges.second, scene.code[edges.first])
    value = edges.iou + SCORE * made.score[edges.second] + CLASS * same
    edge = assign(edges.first, edges.second, value, s, len(made.box))
    has = edge >= 0
    match, iou = np.full(s, NONE), np.zeros(s)
    match[has], iou[has] = edges.second[edge[has]], edges.iou[edge[has]]
    candidate, free = _candidates(scene, edges, match)
    return Evidence(_of_given(scene, edges, same, match, iou), match, iou, candidate, free)


def shape_of(box: Floats) -> Floats:
    """Logarithms of width, height and their ratio, and the lower edge, shape (m, 4).

    Position across the picture is not included: if all omitted boxes are on one side, a model would learn that as normal there.
    """
    width, height = (np.maximum(box[:, i + 2] - box[:, i], 1e-6) for i in (0, 1))
    found: Floats = np.c_[np.log(width), np.log(height), np.log(width / height), box[:, 3]]
    return found


def log_odds(score: Floats) -> Floats:
    """Log odds of scores, bounded."""
    inside = np.clip(score, NOTHING, 1 - NOTHING)
    found: Floats = np.log(inside / (1 - inside))
    return found


def most(rows: IntArray, values: Floats, n: int) -> Floats:
    """The largest value of each of n rows, 0 without one."""
    found = np.zeros(n)
    np.maximum.at(found, rows, values)
    return found


def _of_given(scene: Scene, edges: Pairs, same: Floats, match: IntArray, iou: Floats) -> Floats:
    made, s, has = scene.predictions, len(scene.box), match >= 0
    row, near = edges.first, edges.iou >= SAME
    score = made.score[edges.second]
    weight = np.bincount(row, score, minlength=s)
    mean_iou = np.divide(np.bincount(row, edges.iou * score, minlength=s), weight, out=np.zeros(s), where=weight > 0)
    twins = overlapping(scene.box, scene.owner, scene.box, scene.owner, TOUCH)
    apart = twins.first != twins.second
    away = _offsets(scene.box, made, match)
    columns = [
        iou,
        np.where(has, log_odds(made.score[np.maximum(match, 0)]) if len(made.score) else 0.0, log_odds(np.zeros(s))),
        *np.abs(away).T,
        *away.T,
        log_odds(most(row[near], score[near], s)),
        log_odds(most(row, score, s)),
        most(row, edges.iou, s),
        np.bincount(row, minlength=s),
        mean_iou,
        most(twins.first[apart], twins.iou[apart], s),
        *shape_of(scene.box).T,
    ]
    if scene.k > 1:
        others = made.of_others(edges.second, scene.code[row])
        own, other = most(row[near], same[near], s), most(row[near], others[near], s)
        of_shape = shape_of(scene.box)
        twin_class = scene.code[twins.first] == scene.code[twins.second]
        columns += [
            log_odds(own),
            log_odds(other),
            log_odds(own) - log_odds(other),
            *(_typical(of_shape[:, i], scene.code, scene.k) for i in (1, 2)),
            most(twins.first[apart & twin_class], twins.iou[apart & twin_class], s),
            scene.code,
        ]
    return np.stack([np.asarray(column, np.float64) for column in columns], axis=1)


def _offsets(box: Floats, made: Predictions, match: IntArray) -> Floats:
    """Distance of the centre of a given box from that of its prediction, in sizes of the latter, and the log ratio of sizes."""
    away = np.full((len(box), 4), np.nan)
    rows = np.flatnonzero(match >= 0)
    given, other = box[rows], made.box[match[rows]]
    size, size_of_other = given[:, 2:] - given[:, :2], np.maximum(other[:, 2:] - other[:, :2], 1e-6)
    away[rows, :2] = (given[:, :2] + given[:, 2:] - other[:, :2] - other[:, 2:]) / 2 / size_of_other
    away[rows, 2:] = np.log(np.maximum(size, 1e-6) / size_of_other)
    return away


def _typical(values: Floats, code: IntArray, k: int) -> Floats:
    """Values minus the mean of their class, in standard deviations."""
    count = np.maximum(np.bincount(code, minlength=k), 1)
    mean = np.bincount(code, values, minlength=k) / count
    spread = np.sqrt(np.bincount(code, (values - mean[code]) ** 2, minlength=k) / count)
    return (values - mean[code]) / np.maximum(spread[code], 1e-3)


def _candidates(scene: Scene, edges: Pairs, match: IntArray) -> tuple[IntArray, Floats]:
    made, m = scene.predictions, len(scene.predictions.box)
    free = np.ones(m, bool)
    free[match[match >= 0]] = False
    pairs = overlapping(made.box, made.owner, made.box, made.owner, TOUCH)
    apart = pairs.first != pairs.second
    first, second, iou = (part[apart] for part in pairs)
    score = made.score
    better = (score[second] > score[first]) | ((score[second] == score[first]) & (second < first))
    again = free.copy()
    again[first[better & free[second] & (iou >= TWICE)]] = False
    rows = np.flatnonzero(again)
    alone = match[edges.first] == NONE
    taken = ~free[second]
    columns = [
        log_odds(score),
        most(edges.second, edges.iou, m),
        most(edges.second[alone], edges.iou[alone], m),
        _nearest(scene, match, free),
        most(first[better], iou[better], m),
        most(first[better], score[second[better]] * iou[better], m),
        most(first[taken], iou[taken], m),
        most(first[~better], score[second[~better]] * iou[~better], m),
        *shape_of(made.box).T,
    ]
    if scene.k > 1:
        alike = scene.code[edges.first] == made.code[edges.second]
        every = np.arange(m)
        columns += [
            most(edges.second[alike], edges.iou[alike], m),
            log_odds(score) - log_odds(made.of_others(every, made.code)),
            made.code,
        ]
    return rows, np.stack([np.asarray(column, np.float64) for column in columns], axis=1)[rows]


def _nearest(scene: Scene, match: IntArray, free: BoolArray) -> Floats:
    """Nearness of a given box without a prediction to each free prediction: the overlap after doubling all boxes."""
    made = scene.predictions
    alone, rows = np.flatnonzero(match == NONE), np.flatnonzero(free)
    wide = overlapping(_grown(made.box[rows]), made.owner[rows], _grown(scene.box[alone]), scene.owner[alone], TOUCH)
    found = np.zeros(len(made.box))
    found[rows] = most(wide.first, wide.iou, len(rows))
    return found


def _grown(box: Floats) -> Floats:
    half = (box[:, 2:] - box[:, :2]) / 2
    return np.hstack([box[:, :2] - half, box[:, 2:] + half])
