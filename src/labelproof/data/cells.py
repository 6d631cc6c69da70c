"""Single cells: counts of genes and an annotation, from an AnnData file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from labelproof.data.dataset import Dataset, Shown
from labelproof.data.files import existing
from labelproof.data.table import Path_
from labelproof.errors import BadInput, MissingDependency
from labelproof.validation import check_ids, check_labels, did_you_mean

COMPONENTS = 50
MARKERS = 12


def read_cells(path: Path_, label: str, *, layer: str | None = None, unlabeled_category: str | None = None) -> Dataset:
    """Read cells and their annotation from an ``.h5ad`` file (extra ``cells``).

    Counts are divided by the cell's total, scaled to the median total, and ``log(1 + ·)`` taken; with more than 50 genes a
    truncated singular value decomposition keeps 50 components, so that sparse counts are never made dense. A person is shown the
    cell's marker genes: those that it expresses most above the average cell, in standard deviations.

    Parameters
    ----------
    path : path of an .h5ad file
    label : str
        Column of ``obs`` with the annotation; a missing value is unlabelled.
    layer : str, optional
        Layer that holds the counts; ``X`` where left out.
    unlabeled_category : str, optional
        Annotation that means unlabelled.

    Returns
    -------
    Dataset
        ``x`` is float32 of shape (n, min(genes, 50)).

    Raises
    ------
    BadInput
        For a file that is no AnnData, an unknown column or layer, or counts that are negative or no numbers.
    MissingDependency
        If anndata is not installed.
    """
    file = existing(path, "file")
    adata = _read(file)
    if label not in adata.obs.columns:
        near = did_you_mean(label, list(adata.obs.columns))
        raise BadInput(
            f"--label {label!r} is not a column of obs in {str(file)!r}. {near}It has: {', '.join(adata.obs.columns)}."
        )
    if layer is not None and layer not in adata.layers:
        raise BadInput(f"layer {layer!r} is not in {str(file)!r}. It has: {', '.join(adata.layers) or 'none'}.")
    counts = csr_matrix(adata.X if layer is None else adata.layers[layer], dtype=np.float32)
    bad = np.flatnonzero(~(np.isfinite(counts.data) & (counts.data >= 0)))
    if len(bad):
        cell = int(np.searchsorted(counts.indptr, bad[0], side="right")) - 1
        raise BadInput(
            f"cell {adata.obs_names[cell]!r} has the count {counts.data[bad[0]]}. Counts are 0 or more; name the layer that holds them."
        )
    given = adata.obs[label].astype(object).where(adata.obs[label].notna(), None).tolist()
    if unlabeled_category is not None:
        given = [None if name == unlabeled_category else name for name in given]
    coded = check_labels(given, name=f"obs column {label!r}")
    logs = _normalised(counts)
    genes = np.asarray(adata.var_names, dtype=str)
    mean, spread = _moments(logs)

    def show(i: int) -> Shown:
        own = np.asarray(logs[i].todense()).ravel()
        above = (own - mean) / spread
        best = [g for g in np.argsort(-above, kind="stable")[:MARKERS] if own[g] > 0]
        number = np.asarray(counts[i].todense()).ravel()
        return Shown(
            fields=tuple((str(genes[g]), f"{number[g]:g} counts, {above[g]:+.1f} sd") for g in best) or (("total", "0"),)
        )

    return Dataset(
        x=_components(logs),
        given=coded.codes,
        classes=coded.classes,
        ids=check_ids(np.asarray(adata.obs_names, dtype=object), adata.n_obs),
        show_item=show,
        kind="cells",
        source={
            "kind": "cells",
            "path": str(file.resolve()),
            "label": label,
            "layer": layer,
            "unlabeled_category": unlabeled_category,
        },
    )


def _read(file: Path) -> Any:
    try:
        import anndata
    except ImportError as error:
        raise MissingDependency("cells are read by anndata. Install labelproof[cells].") from error
    try:
        return anndata.read_h5ad(file)
    except Exception as error:  # h5py and anndata raise many kinds
        raise BadInput(f"{str(file)!r} is not a readable .h5ad file ({str(error).splitlines()[0][:160]}).") from error


def _normalised(counts: Any) -> Any:
    total = np.asarray(counts.sum(axis=1)).ravel()
    middle = float(np.median(total[total > 0])) if (total > 0).any() else 1.0
    logs = counts.copy()
    logs.data = np.log1p(logs.data * np.repeat(middle / np.maximum(total, 1e-12), np.diff(counts.indptr)).astype(np.float32))
    return logs


def _moments(logs: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and standard deviation of each gene, of sparse rows."""
    mean = np.asarray(logs.mean(axis=0), float).ravel()
    square = np.asarray(logs.multiply(logs).mean(axis=0), float).ravel()
    return mean, np.sqrt(np.maximum(square - mean**2, 0)) + 1e-6


def _components(logs: Any) -> npt.NDArray[np.float32]:
    if logs.shape[1] <= COMPONENTS:
        return np.asarray(logs.todense(), np.float32)
    from sklearn.decomposition import TruncatedSVD

    return np.asarray(TruncatedSVD(COMPONENTS, random_state=0).fit_transform(logs), np.float32)
