"""Estimators of the transition by counting: the confident joint and anchor points. EM has a file of its own, `em`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelproof.noise.transition import TransitionMatrix
from labelproof.validation import check_labels_and_probs, check_pred_probs, check_rate


def confident_joint(
    labels: object, pred_probs: object, *, classes: Sequence[object] | None = None, calibrate: bool = True
) -> TransitionMatrix:
    """Estimate the transition by the confident joint: count items whose probability of a class exceeds that class's average.

    ``t_j`` is the mean of ``pred_probs[:, j]`` over the items given j. An item given z counts for the true class
    ``argmax of pred_probs[n, j] over those j with pred_probs[n, j] >= t_j``. Items that exceed no threshold are not counted.

    Parameters
    ----------
    labels : array-like, shape (n,)
    pred_probs : array-like, shape (n, k)
    classes : sequence, optional
    calibrate : bool
        Rescale the rows of each given label to the number of items with it, so that the counts add up to n.

    Returns
    -------
    TransitionMatrix
        With the estimated prior of the true classes.

    References
    ----------
    Northcutt, Jiang and Chuang (2021), Confident learning: estimating uncertainty in dataset labels, equations 1 to 3.
    """
    coded, probs = check_labels_and_probs(labels, pred_probs, classes=classes)
    probs, codes = probs[coded.codes >= 0], coded.codes[coded.codes >= 0]
    k = probs.shape[1]
    own = np.bincount(codes, weights=probs[np.arange(len(codes)), codes], minlength=k)
    given_counts = np.bincount(codes, minlength=k)
    thresholds = np.where(given_counts > 0, own / np.maximum(given_counts, 1), np.inf)
    masked = np.where(probs >= thresholds - 1e-6, probs, -1.0)
    best = masked.argmax(axis=1)
    confident = masked[np.arange(len(codes)), best] >= 0
    by_given = np.zeros((k, k))
    np.add.at(by_given, (codes[confident], best[confident]), 1.0)  # (given, true)
    if calibrate:
        empty = by_given.sum(axis=1) == 0
        by_given[empty, empty] = 1.0
        by_given *= (given_counts / by_given.sum(axis=1))[:, None]
    return TransitionMatrix.from_counts(by_given.T, classes=coded.classes)


def anchor_points(pred_probs: object, *, quantile: float = 0.97, classes: Sequence[object] | None = None) -> TransitionMatrix:
    """Estimate each row i of the transition by the noisy prediction at an anchor point, an item that is surely of class i.

    ``transition[i] = p(z | x_i)`` with ``x_i`` the item whose ``p(z = i | x)`` is the given quantile of that column
    (the maximum would be an outlier).

    Parameters
    ----------
    pred_probs : array-like, shape (n, k)
        Noisy ``p(z | x)``, not yet sharpened.
    quantile : float in [0, 1]
    classes : sequence, optional

    References
    ----------
    Patrini et al. (2017), Making deep neural networks robust to label noise: a loss correction approach, equation 12.
    """
    probs = check_pred_probs(pred_probs)
    check_rate(quantile, name="quantile")
    rank = round(quantile * (len(probs) - 1))
    anchors = np.argpartition(probs, rank, axis=0)[rank]  # (k,)
    return TransitionMatrix(probs[anchors].astype(float), classes=classes)
