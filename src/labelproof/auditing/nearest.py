"""The nearest items of each item: exact by scikit-learn, beyond 50,000 items approximate by faiss."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from labelproof.errors import LabelproofWarning
from labelproof.extras import command, is_installed

MOST_EXACT = 50_000  # items
MOST_DIMENSIONS = 128  # whose distances are computed at first; more are projected
CONNECTIONS, BUILD, SEARCH = 16, 64, 64  # of the graph (HNSW)
BLOCK = 4_096
Space = npt.NDArray[np.float32]


class Nearest(NamedTuple):
    """Row numbers (n, m) of the nearest other items, and their distances."""

    rows: npt.NDArray[np.int64]
    distance: npt.NDArray[np.float32]


def nearest(space: Space, m: int) -> Nearest | None:
    """The m nearest other items of each, by Euclidean distance.

    Vectors with many dimensions are projected at random to 128. The search there takes three times as many candidates and then
    computes their full distances.

    Parameters
    ----------
    space : ndarray of float32, shape (n, d)
    m : int
        Fewer if there are fewer items.

    Returns
    -------
    Nearest or None
        ``None`` for more than 50,000 items without faiss (``labelproof[neighbours]``), with a warning.
    """
    n, d = space.shape
    m = min(m, n - 1)
    if n > MOST_EXACT and not is_installed("faiss"):
        warnings.warn(
            f"No neighbours are searched among {n:,} items: above {MOST_EXACT:,} items the search needs faiss. Run: {command('faiss')}",
            LabelproofWarning,
            stacklevel=4,
        )
        return None
    rough, wanted = space, m + 1
    if d > MOST_DIMENSIONS:
        directions = np.random.default_rng(0).normal(size=(d, MOST_DIMENSIONS)) / np.sqrt(MOST_DIMENSIONS)
        rough, wanted = space @ directions.astype(np.float32), min(3 * m + 1, n)
    found = _exact(rough, wanted) if n <= MOST_EXACT else _approximate(rough, wanted)
    return _settled(space, found, m)


def _exact(space: Space, m: int) -> npt.NDArray[np.int64]:
    from sklearn.neighbors import NearestNeighbors

    made = NearestNeighbors(n_neighbors=m, algorithm="brute").fit(space)
    return np.asarray(made.kneighbors(space, return_distance=False), np.int64)


def _approximate(space: Space, m: int) -> npt.NDArray[np.int64]:
    """A navigable graph (HNSW)."""
    import faiss

    graph: Any = faiss.IndexHNSWFlat(space.shape[1], CONNECTIONS)
    graph.hnsw.efConstruction, graph.hnsw.efSearch = BUILD, max(SEARCH, m)
    whole = np.ascontiguousarray(space, np.float32)
    graph.add(whole)
    return np.asarray(graph.search(whole, m)[1], np.int64)


def _settled(space: Space, found: npt.NDArray[np.int64], m: int) -> Nearest:
    """The m nearest of the candidates, by their distances in full, without the item itself."""
    n = len(space)
    index, distance = np.empty((n, m), np.int64), np.empty((n, m), np.float32)
    for start in range(0, n, BLOCK):
        rows = np.arange(start, min(start + BLOCK, n))
        own = found[rows]
        missing = own < 0  # a graph may find fewer
        apart = np.empty(own.shape, np.float32)
        for column in range(own.shape[1]):
            apart[:, column] = np.linalg.norm(space[rows] - space[own[:, column]], axis=1)
        apart[missing | (own == rows[:, None])] = np.inf
        order = np.argsort(apart, axis=1, kind="stable")[:, :m]
        index[rows], distance[rows] = np.take_along_axis(own, order, axis=1), np.take_along_axis(apart, order, axis=1)
    return Nearest(index, distance)
