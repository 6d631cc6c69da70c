"""Match predictions to given boxes: an optimal assignment in each picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from labelproof.validation import IntArray

NONE = -1

Floats = npt.NDArray[np.float64]


def assign(first: IntArray, second: IntArray, value: Floats, n_first: int, n_second: int) -> IntArray:
    """The edge of each of the first, -1 without one, so that no two share one of the second and the sum of values is largest.

    Parameters
    ----------
    first, second : ndarray, shape (e,)
        Ends of the edges.
    value : ndarray, shape (e,)
        Above 0.
    n_first, n_second : int

    Returns
    -------
    ndarray, shape (n_first,)

    Examples
    --------
    >>> import numpy as np
    >>> assign(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([0.9, 0.8, 0.7]), 2, 2).tolist()
    [1, 2]
    """
    chosen = np.full(n_first, NONE)
    if not len(first):
        return chosen
    graph = coo_array((np.ones(len(first), np.int8), (first, second + n_first)), shape=(n_first + n_second,) * 2)
    _, component = connected_components(graph, directed=False)
    of_edge = component[first]
    order = np.lexsort((-value, of_edge))  # the best edge of each component comes first
    begins = np.flatnonzero(np.r_[True, np.diff(of_edge[order]) != 0])
    counts = np.diff(np.r_[begins, len(order)])
    stars = _is_star(first[order], begins) | _is_star(second[order], begins)
    best = order[begins[stars]]
    chosen[first[best]] = best
    for start, count in zip(begins[~stars].tolist(), counts[~stars].tolist(), strict=True):
        edges = order[start : start + count]
        rows, row = np.unique(first[edges], return_inverse=True)
        columns, column = np.unique(second[edges], return_inverse=True)
        table, edge_at = np.zeros((len(rows), len(columns))), np.full((len(rows), len(columns)), NONE)
        table[row, column], edge_at[row, column] = value[edges], edges
        at = linear_sum_assignment(table, maximize=True)
        chosen[rows[at[0]]] = edge_at[at]
    return chosen


def _is_star(end: IntArray, begins: IntArray) -> npt.NDArray[np.bool_]:
    """Whether all edges of a component share this end."""
    found: npt.NDArray[np.bool_] = np.minimum.reduceat(end, begins) == np.maximum.reduceat(end, begins)
    return found
