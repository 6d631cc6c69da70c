"""Items that are copies of one another, exactly or nearly."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.data.dataset import Dataset
from labelproof.validation import IntArray

SIGNS = re.compile(r"[\W_]+")
NEAR = 0.97  # cosine of centred features from which on two items are copies
LEAST_FEATURES = 16  # above it, unrelated items hardly point the same way by chance
MOST_ITEMS = 50_000  # compared with each other by their features
MOST_COPIES = 20  # what occurs more often is a value that recurs, such as "ok", and no copy
BLOCK = 2_000
PROJECTED, MARGIN = 256, 0.05  # a cosine of 0.97 is off by 0.004 in the mean after a projection to 256 directions


def copies_of(dataset: Dataset, features: npt.NDArray[np.float32] | None = None) -> IntArray:
    """Number of the group of copies that each item is in, shape (n,).

    Texts are copies if they have the same letters and digits in the same order, whatever their case, spacing and signs; pictures
    and rows of a table if they are equal; and all of these if the cosine of their features is at least 0.97 around their mean (of
    16 features and more, up to 50,000 items).
    A key that occurs more than 20 times counts as a value that recurs: its items are in groups of their own.

    Parameters
    ----------
    dataset : Dataset
    features : ndarray of float32, shape (n, d), optional
        What an encoder made of the items.
    """
    n = len(dataset)
    pairs = [equal_items(dataset)]
    if features is not None and n <= MOST_ITEMS and features.shape[1] >= LEAST_FEATURES:
        pairs.append(_near(features))
    a, b = (np.concatenate(side) for side in zip(*pairs, strict=True))
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    _, group = connected_components(coo_matrix((np.ones(len(a)), (a, b)), shape=(n, n)), directed=False)
    sizes = np.bincount(group)
    often = sizes[group] > MOST_COPIES
    found: IntArray = group.astype(np.int64)
    found[often] = found.max() + 1 + np.arange(int(often.sum()))
    return found


def equal_items(dataset: Dataset) -> tuple[IntArray, IntArray]:
    """Pairs of each item with the first that equals it; see `copies_of`."""
    key = content_keys(dataset.x, dataset.kind)
    if key is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return _first_of(key)


def equal_rows(rows: npt.NDArray[Any]) -> tuple[IntArray, IntArray]:
    """The same of the rows of an array, shape (n, d)."""
    return _first_of(_bytes(rows))


def _first_of(key: npt.NDArray[Any]) -> tuple[IntArray, IntArray]:
    """The same for one key per item, shape (n,)."""
    _, first, of = np.unique(key, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[of.ravel()] != np.arange(len(key)))
    return again, first[of.ravel()][again]


def content_keys(x: Any, kind: str) -> npt.NDArray[Any] | None:
    """A key that is equal for equal items, shape (n,); ``None`` if items cannot be compared."""
    if kind == "text":
        words = [SIGNS.sub(" ", str(text).casefold()).strip() for text in x]
        return pl.Series([a or str(b) for a, b in zip(words, x, strict=True)]).hash(0).to_numpy()
    if isinstance(x, pl.DataFrame):
        return x.hash_rows(0).to_numpy()
    rows = np.ascontiguousarray(x).reshape(len(x), -1)
    return _bytes(rows) if rows.dtype != object else None


def _bytes(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    whole = np.ascontiguousarray(rows)
    return whole.view(np.dtype((np.void, whole.dtype.itemsize * whole.shape[1]))).ravel()


def _near(features: npt.NDArray[np.float32]) -> tuple[IntArray, IntArray]:
    """Pairs of items whose cosine is high: first among random projections, which are quicker to compare, then themselves."""
    from sklearn.preprocessing import normalize

    unit = normalize(features - features.mean(axis=0))
    rough, margin = unit, 0.0
    if unit.shape[1] > 2 * PROJECTED:
        directions = np.random.default_rng(0).normal(size=(unit.shape[1], PROJECTED)).astype(np.float32)
        rough, margin = normalize(unit @ directions), MARGIN
    a, b = [], []
    for start in range(0, len(unit), BLOCK):
        some, other = np.nonzero(rough[start : start + BLOCK] @ rough[start:].T >= NEAR - margin)
        some, other = some[other > some] + start, other[other > some] + start
        for part in range(0, len(some), BLOCK * 10):  # no more rows at a time than fit into memory
            one, two = some[part : part + BLOCK * 10], other[part : part + BLOCK * 10]
            near = np.einsum("ij,ij->i", unit[one], unit[two]) >= NEAR
            a.append(one[near])
            b.append(two[near])
    return np.concatenate([np.zeros(0, np.int64), *a]), np.concatenate([np.zeros(0, np.int64), *b])
