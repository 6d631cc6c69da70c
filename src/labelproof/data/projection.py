"""Counts of genes as features, so that cells of another file become the same ones."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack

from labelproof.errors import BadInput, LabelproofWarning

COMPONENTS = 50


@dataclass(frozen=True)
class Projection:
    """The map from counts of genes to features, so that cells of another file get the same ones.

    Attributes
    ----------
    genes : ndarray of str, shape (g,)
    total : float
        What each cell's counts are scaled to: the median total.
    axes : ndarray of float32, shape (c, g)
        Components; no rows if the genes themselves are the features.
    """

    genes: npt.NDArray[np.str_]
    total: float
    axes: npt.NDArray[np.float32]

    @classmethod
    def fit(cls, counts: csr_matrix, genes: npt.NDArray[np.str_]) -> tuple[Projection, csr_matrix]:
        """The projection of these cells, and their scaled logarithms, sparse of shape (n, g)."""
        totals = np.asarray(counts.sum(axis=1)).ravel()
        middle = float(np.median(totals[totals > 0])) if (totals > 0).any() else 1.0
        logs = _scaled(counts, middle)
        axes = np.empty((0, len(genes)), np.float32)
        if len(genes) > COMPONENTS and min(logs.shape) > 1:
            from sklearn.decomposition import TruncatedSVD

            axes = TruncatedSVD(min(COMPONENTS, len(genes) - 1), random_state=0).fit(logs).components_.astype(np.float32)
        return cls(genes, middle, axes), logs

    def apply(self, logs: csr_matrix) -> npt.NDArray[np.float32]:
        """Features of scaled logarithms, shape (n, c), or (n, g) without components."""
        return np.asarray(logs @ self.axes.T if len(self.axes) else logs.todense(), np.float32)

    def features(self, counts: csr_matrix, genes: npt.NDArray[np.str_], where: str) -> npt.NDArray[np.float32]:
        """Features of the cells of another file, whose genes may have another order.

        Raises
        ------
        BadInput
            If most of the genes are not there.
        """
        place = {name: i for i, name in enumerate(genes.tolist())}
        absent = [name for name in self.genes.tolist() if name not in place]
        if 2 * len(absent) > len(self.genes):
            raise BadInput(
                f"{where} lacks {len(absent):,} of the {len(self.genes):,} genes that the model was trained on, e.g. {absent[0]!r}. "
                "Name the genes as in the training data."
            )
        if absent:
            warnings.warn(
                f"{where} lacks {len(absent):,} genes of the training data, e.g. {absent[0]!r}. They are taken as not expressed.",
                LabelproofWarning,
                stacklevel=3,
            )
        padded = hstack([counts, csr_matrix((counts.shape[0], 1), dtype=np.float32)], format="csc")
        return self.apply(_scaled(csr_matrix(padded[:, [place.get(name, counts.shape[1]) for name in self.genes]]), self.total))


def _scaled(counts: csr_matrix, total: float) -> csr_matrix:
    """``log(1 + counts)``, with each cell's counts scaled to one total."""
    own = np.asarray(counts.sum(axis=1)).ravel()
    logs = counts.copy()
    logs.data = np.log1p(logs.data * np.repeat(total / np.maximum(own, 1e-12), np.diff(counts.indptr)).astype(np.float32))
    return csr_matrix(logs)
