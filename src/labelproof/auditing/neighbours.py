"""Duplicates, outliers, and items whose neighbours disagree, from the available features."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.auditing.duplicates import LEAST_FEATURES, MOST_COPIES, equal_items, equal_rows
from labelproof.auditing.model_used import ModelUsed
from labelproof.auditing.near import ALONE, KEPT, Near
from labelproof.auditing.nearest import Nearest, nearest
from labelproof.data.dataset import Dataset
from labelproof.errors import BadInput
from labelproof.labels.base import Labels
from labelproof.labels.classes import Classes
from labelproof.validation import IntArray, check_features

FEWEST = 30  # items needed to recognise an outlier
MOST_UNASKED = 20_000  # items that take seconds
NEIGHBOURS = 10
SOUGHT = 20  # as many copies as a group may have
NEAR_SHARE = 0.35  # of the median distance to the nearest item, below which rows are near-duplicates
ROBUST = 1.4826  # of a median absolute deviation: a standard deviation, if the distribution is normal
THREE = 3.0
NAMES = {
    "arrays": "the arrays themselves", "images": "the pictures themselves", "cells": "the expression of genes",
    "table": "the columns of numbers", "text": "the texts themselves",
}  # fmt: skip
Space = npt.NDArray[np.float32]


class Features(NamedTuple):
    """Rows of numbers that define how similar items are.

    Attributes
    ----------
    values : ndarray of float32, shape (n, d)
    name : str
        A description for people.
    embedded : bool
        Whether directions are more informative than distances, as in the features of an encoder.
    pixels : bool
        Whether all columns are on one scale, so that directions identify duplicates.
    """

    values: Space
    name: str
    embedded: bool
    pixels: bool = False


def near_of(
    labels: Labels,
    dataset: Dataset | None,
    features: object,
    encoded: Space | None,
    model: ModelUsed | None,
    *,
    asked: bool,
) -> Near | None:
    """`neighbours_of` the available features: those that a caller gives, those of an encoder, or the items themselves.

    The items themselves are compared only for equality beyond 20,000 of them, unless more is ``asked`` for.

    Raises
    ------
    BadInput
        If the caller's features do not suit.
    """
    given = labels.codes if isinstance(labels, Classes) else None
    dataset = (
        None if dataset is not None and isinstance(dataset.x, list) else dataset
    )  # lists, as of tokens, are compared by features alone
    found: Features | None
    if features is not None:
        found = given_features(features, labels.n)
    elif encoded is not None and model is not None:
        found = Features(encoded, f"the features of {model.encoder}", embedded=encoded.shape[1] >= LEAST_FEATURES)
    else:
        found = None if dataset is None or (len(dataset) > MOST_UNASKED and not asked) else features_of(dataset)
    return neighbours_of(found, given, dataset)


def given_features(features: object, n: int) -> Features:
    """The features that a caller gives.

    Raises
    ------
    BadInput
        If they are not numbers, or not one row per item.
    """
    checked = check_features(features, name="features").astype(np.float32)
    values = checked.reshape(len(checked), -1)
    if len(values) != n:
        raise BadInput(f"features has {len(values):,} rows but there are {n:,} items. Give one row per item.")
    return Features(values, "the features given", values.shape[1] >= LEAST_FEATURES)


def features_of(dataset: Dataset) -> Features | None:
    """The items themselves as numbers: arrays, pictures, cells, and tables of numbers only; ``None`` for others."""
    x: Any = dataset.x
    if isinstance(x, pl.DataFrame):
        if not x.width or not all(dtype.is_numeric() or dtype == pl.Boolean for dtype in x.dtypes):
            return None
        x = x.select(pl.all().cast(pl.Float32)).to_numpy()
    if not hasattr(x, "dtype") or x.dtype.kind not in "fiub":
        return None
    values = np.asarray(x, np.float32).reshape(len(x), -1)
    if not values.shape[1] or not np.isfinite(values).all():
        return None
    many = values.shape[1] >= LEAST_FEATURES
    if dataset.kind == "cells" or (dataset.kind == "images" and x.ndim == 2):
        return Features(values, NAMES[dataset.kind], embedded=many)
    return Features(values, NAMES[dataset.kind], embedded=False, pixels=many and (x.ndim > 2 or x.dtype == np.uint8))


def neighbours_of(features: Features | None, given: IntArray | None, dataset: Dataset | None = None) -> Near | None:
    """Find duplicates and outliers, and compare labels with those of neighbours.

    Likeness is the angle of embeddings and pixels, and the distance of other rows, standardised. Items are duplicates if they are equal, as
    `labelproof.auditing.duplicates.copies_of` defines it, or nearer than 0.35 times the median distance of an item to its
    nearest one. What occurs more than 20 times is a value that recurs. An outlier is far from its tenth nearest item; pixels
    are standardised for that.

    Parameters
    ----------
    features : Features, optional
    given : ndarray of int, shape (n,), optional
        Codes of the given classes, -1 where unlabelled.
    dataset : Dataset, optional
        The items, which are compared directly.

    Returns
    -------
    Near or None
        ``None`` if there is nothing to compare.
    """
    if features is None and dataset is None:
        return None
    n = len(dataset) if dataset is not None else len(features.values)  # type: ignore[union-attr]
    equal = equal_items(dataset) if dataset is not None else None
    if equal is None and features is not None:
        equal = equal_rows(features.values)
    pairs = [] if equal is None else [equal]
    found = far = None
    if features is not None and n >= FEWEST:
        angles = features.embedded or features.pixels
        found = far = nearest(_unit(features.values) if angles else _standardised(features.values), SOUGHT)
        if features.pixels:
            far = nearest(_standardised(features.values), NEIGHBOURS)
    if found is not None:
        pairs.append(_near_pairs(found))
    if not pairs:
        return None
    group = _groups(pairs, n)
    exact = np.zeros(n, bool)
    if equal is not None:
        exact[np.concatenate(equal)] = True
    name = "equality alone" if found is None or features is None else features.name
    return Near(group, exact & (group != ALONE), _outlier(far, n), _disagree(found, group, given, n), _kept(found, n), name)


def _unit(values: Space) -> Space:
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12), np.float32)


def _standardised(values: Space) -> Space:
    centred = values - values.mean(axis=0)
    spread = centred.std(axis=0)
    return np.asarray(centred[:, spread > 0] / spread[spread > 0] if (spread > 0).any() else centred, np.float32)


def _near_pairs(found: Nearest) -> tuple[IntArray, IntArray]:
    """Pairs of near-duplicates among the nearest."""
    apart = found.distance[:, 0]
    limit = NEAR_SHARE * float(np.median(apart[apart > 0])) if (apart > 0).any() else 0.0
    row, column = np.nonzero(found.distance <= limit)
    return row, found.rows[row, column]


def _groups(pairs: list[tuple[IntArray, IntArray]], n: int) -> npt.NDArray[np.int64]:
    """Numbers of the groups that pairs make, in the order of their first items."""
    a, b = (np.concatenate(side) for side in zip(*pairs, strict=True))
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    _, component = connected_components(coo_matrix((np.ones(len(a)), (a, b)), shape=(n, n)), directed=False)
    size = np.bincount(component)[component]
    wanted = (size > 1) & (size <= MOST_COPIES)
    group = np.full(n, ALONE, np.int64)
    _, first, number = np.unique(component[wanted], return_index=True, return_inverse=True)
    group[wanted] = np.argsort(np.argsort(first))[number.ravel()]
    return group


def _outlier(found: Nearest | None, n: int) -> npt.NDArray[np.float32]:
    """``1 / (1 + exp(3 - z))`` with z the robust standard score of the logarithm of the distance to the tenth nearest item."""
    if found is None:
        return np.full(n, np.nan, np.float32)
    apart = found.distance[:, :NEIGHBOURS][:, -1].astype(np.float64)
    floor = apart[apart > 0].min() if (apart > 0).any() else 1.0
    log = np.log(np.maximum(apart, floor))
    middle = np.median(log)
    spread = max(ROBUST * float(np.median(np.abs(log - middle))), 1e-9)
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(THREE - (log - middle) / spread)), np.float32)


def _disagree(found: Nearest | None, group: IntArray, given: IntArray | None, n: int) -> npt.NDArray[np.float32]:
    """Share of the nearest labelled items, without duplicates, with another label."""
    if found is None or given is None:
        return np.full(n, np.nan, np.float32)
    near = found.rows[:, :NEIGHBOURS]
    counted = (given[near] >= 0) & ((group[near] != group[:, None]) | (group[near] == ALONE))
    other = counted & (given[near] != given[:, None])
    with np.errstate(invalid="ignore"):
        share = other.sum(axis=1) / counted.sum(axis=1)
    return np.where(given >= 0, share, np.nan).astype(np.float32)


def _kept(found: Nearest | None, n: int) -> npt.NDArray[np.int32]:
    return np.empty((n, 0), np.int32) if found is None else found.rows[:, :KEPT].astype(np.int32)
