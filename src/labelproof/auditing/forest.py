"""A quantile forest as arrays: fitted with scikit-learn when labelproof is made, read with numpy when it is used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
LEAF = -1


@dataclass(frozen=True)
class QuantileForest:
    """Trees whose leaves remember which examples they were fitted to, so that a prediction is a distribution.

    An input weighs example i by ``w_i = mean over trees of [i is in its leaf] / (examples in its leaf)``.

    Attributes
    ----------
    root : ndarray of int32, shape (t,)
        The first node of each tree.
    feature : ndarray of int16, shape (m,)
        The feature that a node tests, -1 at a leaf.
    threshold : ndarray of float32, shape (m,)
        Inputs up to it go left.
    left, right : ndarray of int32, shape (m,)
        For a leaf: where its examples begin and end in ``members``.
    members : ndarray of uint16, shape (s,)
        Examples of the leaves, by number.
    targets : ndarray of float32, shape (e, d)
        Targets of each example.

    References
    ----------
    Meinshausen (2006), Quantile regression forests.
    """

    root: npt.NDArray[np.int32]
    feature: npt.NDArray[np.int16]
    threshold: npt.NDArray[np.float32]
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    members: npt.NDArray[np.uint16]
    targets: npt.NDArray[np.float32]

    def weights(self, x: Floats) -> Floats:
        """The weight of each example for one input of shape (f,); shape (e,), sums to one."""
        node = self.root.copy()
        while True:
            asked = self.feature[node]
            inner = asked >= 0
            if not inner.any():
                break
            at = node[inner]
            goes_left = x[asked[inner]].astype(np.float32) <= self.threshold[at]
            node[inner] = np.where(goes_left, self.left[at], self.right[at])
        sizes = self.right[node] - self.left[node]
        members = np.concatenate([self.members[a:b] for a, b in zip(self.left[node], self.right[node], strict=True)])
        weights = np.bincount(members, np.repeat(1 / sizes, sizes), len(self.targets))
        return np.asarray(weights / len(self.root))

    def save(self, path: Path) -> None:
        """Write the arrays."""
        with path.open("wb") as file:
            np.savez_compressed(file, **vars(self))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as data:
            return cls(**{name: data[name] for name in cls.__dataclass_fields__})

    @classmethod
    def of_sklearn(cls, fitted: Any, x: Floats, targets: npt.NDArray[Any]) -> Self:
        """The arrays of a fitted ``ExtraTreesRegressor`` or ``RandomForestRegressor``, with the examples ``x`` (e, f) in its leaves."""
        root, feature, threshold, left, right, members = [], [], [], [], [], []
        nodes = filled = 0
        for tree, leaf_of in zip(fitted.estimators_, fitted.apply(x).T, strict=True):
            inner = tree.tree_.children_left != LEAF
            order = np.argsort(leaf_of, kind="stable")
            starts = np.searchsorted(leaf_of[order], np.arange(len(inner)), side="left") + filled
            ends = np.searchsorted(leaf_of[order], np.arange(len(inner)), side="right") + filled
            root.append(nodes)
            feature.append(np.where(inner, tree.tree_.feature, LEAF))
            threshold.append(np.where(inner, tree.tree_.threshold, 0))
            left.append(np.where(inner, tree.tree_.children_left + nodes, starts))
            right.append(np.where(inner, tree.tree_.children_right + nodes, ends))
            members.append(order)
            nodes, filled = nodes + len(inner), filled + len(order)
        return cls(
            np.array(root, np.int32),
            np.concatenate(feature).astype(np.int16),
            np.concatenate(threshold).astype(np.float32),
            np.concatenate(left).astype(np.int32),
            np.concatenate(right).astype(np.int32),
            np.concatenate(members).astype(np.uint16),
            np.asarray(targets, np.float32),
        )


def quantiles(values: npt.NDArray[Any], weights: Floats, at: Any) -> Floats:
    """Quantiles of weighted values, shape of ``at``."""
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weights[order])
    place = np.searchsorted(share, np.asarray(at) * share[-1])
    return np.asarray(values[order][np.minimum(place, len(values) - 1)], dtype=np.float64)
