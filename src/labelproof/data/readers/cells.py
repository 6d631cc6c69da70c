"""Single cells: counts of genes and an annotation, from an AnnData file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, vstack

from labelproof.data.dataset import Dataset, Shown
from labelproof.data.label_columns.classes import ClassColumn
from labelproof.data.projection import Projection
from labelproof.data.raw_table import Path_
from labelproof.data.readers.base import Audited, Reader, ReadOptions, check_same, words
from labelproof.data.readers.lists import write_list
from labelproof.data.targets import check_table_target
from labelproof.errors import BadInput, did_you_mean
from labelproof.extras import needed_by
from labelproof.labels.classes import Classes
from labelproof.saving.files import damaged, existing
from labelproof.validation import AnyArray, check_ids, check_labels

BLOCK = 4096  # cells
MARKERS = 12


@dataclass(frozen=True)
class CellsReader(Reader):
    """Cells of an ``.h5ad`` file; see `read_cells` for its fields."""

    kind = "cells"

    path: str
    label: str
    layer: str | None = None
    unlabeled_category: str | None = None
    missing: Sequence[object] | None = None
    group: str | None = None

    @classmethod
    def fits(cls, path: Path, options: ReadOptions) -> bool:
        """Whether the ending is .h5ad."""
        return path.suffix.lower() == ".h5ad"

    @classmethod
    def of(cls, path: Path, options: ReadOptions) -> Self:
        return cls(str(path), options.label_of(path), options.layer, options.unlabeled_category, options.missing, options.group)

    def read(self) -> Dataset:
        return self.read_from(None)

    def read_from(self, adata: Any, ids: AnyArray | None = None) -> Dataset:
        """`read`, for an AnnData that was already read from the file; ``ids`` replace its names of the cells."""
        adata = read_adata(self.path) if adata is None else adata
        counts = counts_of(adata, self.layer)
        given = annotation_of(adata, self.label, self.unlabeled_category)
        coded = check_labels(given, name=f"obs column {self.label!r}", missing=self.missing)
        genes = np.asarray(adata.var_names, dtype=str)
        projection, logs = Projection.fit(counts, genes)
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
            x=projection.apply(logs),
            labels=Classes.of_codes(coded.codes, coded.classes),
            ids=check_ids(np.asarray(adata.obs_names, dtype=object) if ids is None else ids, adata.n_obs),
            show_item=show,
            kind="cells",
            projection=projection,
            groups=None if self.group is None else np.asarray(obs_column(adata, self.group), dtype=object),
            reader=replace(self, path=str(Path(self.path).resolve()), missing=words(self.missing)),
        )

    def read_new(
        self, path: Path_, *, encoding: str | None = None, projection: Projection | None = None
    ) -> tuple[npt.NDArray[np.float32], AnyArray]:
        """Features and names of cells of another file, which needs no annotation."""
        if projection is None:
            raise BadInput(
                "The model was saved by a version of labelproof that did not record how cells become features. Train again."
            )
        adata = read_adata(path)
        genes = np.asarray(adata.var_names, dtype=str)
        x = projection.features(counts_of(adata, self.layer), genes, repr(str(path)))
        return x, check_ids(np.asarray(adata.obs_names, dtype=object), adata.n_obs)

    def write_back(self, target: Path, audited: Audited, *, overwrite: bool) -> None:
        """A table of cell and annotation: the file itself holds much besides."""
        check_table_target(target, overwrite=overwrite, source=self.path)
        adata = read_adata(self.path)
        given = annotation_of(adata, self.label, self.unlabeled_category)
        labels = ClassColumn.of_array(given, f"obs column {self.label!r}", self.missing)
        rows = np.arange(adata.n_obs)
        check_same(labels.texts, rows, audited)
        write_list(target, labels, "id", np.asarray(adata.obs_names, dtype=object).tolist(), self.label, rows, audited)


def read_cells(
    path: Path_,
    label: str,
    *,
    layer: str | None = None,
    unlabeled_category: str | None = None,
    missing: Sequence[object] | None = None,
    adata: Any = None,
) -> Dataset:
    """Read cells and their annotation from an ``.h5ad`` file (extra ``cells``).

    Counts are divided by the cell's total, scaled to the median total, and transformed by ``log(1 + ·)``. With more than 50
    genes, a truncated singular value decomposition keeps 50 components, so that sparse counts are never made dense. A person
    sees the cell's marker genes: those with the highest expression above the average cell, in standard deviations.

    Parameters
    ----------
    path : path of an .h5ad file
    label : str
        Column of ``obs`` with the annotation; a missing value is unlabelled.
    layer : str, optional
        Layer that holds the counts. By default ``X``.
    unlabeled_category : str, optional
        Annotation that means unlabelled.
    missing : sequence, optional
        Annotations that mean unlabelled; see `labelproof.validation.check_labels`.
    adata : AnnData, optional
        The result of `read_adata` for the file, if it is already read.

    Returns
    -------
    Dataset
        ``x`` is float32 of shape (n, min(genes, 50)).

    Raises
    ------
    BadInput
        For a file that is no AnnData, an unknown column or layer, or counts that are negative or not numbers.
    MissingDependency
        If anndata is not installed.
    """
    return CellsReader(str(path), label, layer, unlabeled_category, missing).read_from(adata)


def counts_of(adata: Any, layer: str | None = None, *, whole: bool = False) -> csr_matrix:
    """The counts of an AnnData as sparse float32 rows, shape (n, genes), read and checked block by block.

    Parameters
    ----------
    adata : AnnData
        In memory or backed by its file.
    layer : str, optional
        By default ``X``.
    whole : bool
        Whether counts must be whole numbers.

    Raises
    ------
    BadInput
        Naming the first cell whose counts are negative, no numbers, or not whole, and a layer whose counts are.
    """
    if layer is not None and layer not in adata.layers:
        near = did_you_mean(layer, list(adata.layers))
        raise BadInput(f"layer {layer!r} is not in the AnnData. {near}It has: {', '.join(adata.layers) or 'none'}.")
    values = adata.X if layer is None else adata.layers[layer]
    if values is None:
        raise BadInput(
            f"The AnnData has no X. Name the layer that holds the counts: {', '.join(adata.layers) or 'it has none'}."
        )
    parts = []
    for start in range(0, adata.n_obs, BLOCK):
        part = csr_matrix(values[start : start + BLOCK], dtype=np.float32)
        bad = np.flatnonzero(_no_counts(part.data, whole))
        if len(bad):
            cell = start + int(np.searchsorted(part.indptr, bad[0], side="right")) - 1
            what = "whole numbers, 0 or more" if whole else "0 or more"
            raise BadInput(
                f"cell {str(adata.obs_names[cell])!r} has the count {part.data[bad[0]]:g} in "
                f"{'X' if layer is None else f'layer {layer!r}'}. Counts are {what}; {_other_layer(adata, layer, whole)}"
            )
        parts.append(part)
    return csr_matrix(vstack(parts, format="csr")) if parts else csr_matrix((0, adata.n_vars), dtype=np.float32)


def annotation_of(adata: Any, key: str, unlabeled_category: str | None = None) -> list[Any]:
    """The annotation of each cell in a column of ``obs``; ``None`` if missing or of the unlabelled category.

    Raises
    ------
    BadInput
        If there is no such column (with the nearest name), or no cell of that category.
    """
    column = obs_column(adata, key)
    given = column.astype(object).where(column.notna(), None).tolist()
    if unlabeled_category is None:
        return list(given)
    if unlabeled_category not in given:
        known = sorted({str(name) for name in given if name is not None})
        raise BadInput(
            f"unlabeled_category {unlabeled_category!r} is not in obs column {key!r}. {did_you_mean(unlabeled_category, known)}"
            f"It has: {', '.join(known[:12])}."
        )
    return [None if name == unlabeled_category else name for name in given]


def obs_column(adata: Any, key: str) -> Any:
    """A column of ``obs``."""
    if key not in adata.obs.columns:
        columns = [str(name) for name in adata.obs.columns]
        raise BadInput(f"{key!r} is not a column of obs. {did_you_mean(key, columns)}It has: {', '.join(columns) or 'none'}.")
    return adata.obs[key]


def _no_counts(values: Any, whole: bool) -> Any:
    return ~(np.isfinite(values) & (values >= 0) & ((values == np.floor(values)) if whole else True))


def _other_layer(adata: Any, layer: str | None, whole: bool) -> str:
    for name in adata.layers:
        if name != layer and not _no_counts(csr_matrix(adata.layers[name][:BLOCK]).data, whole).any():
            return f"layer {name!r} holds such."
    return "name the layer that holds them."


def read_adata(path: Path_) -> Any:
    """The AnnData of an ``.h5ad`` file.

    Raises
    ------
    BadInput
        If there is no such file, or it is another kind of file.
    MissingDependency
        If anndata is not installed.
    """
    file = existing(path, "file")
    with needed_by("an .h5ad file"):
        import anndata
    with damaged(file, ".h5ad file"):
        return anndata.read_h5ad(file)


def _moments(logs: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and standard deviation of each gene, of sparse rows."""
    mean = np.asarray(logs.mean(axis=0), float).ravel()
    square = np.asarray(logs.multiply(logs).mean(axis=0), float).ravel()
    return mean, np.sqrt(np.maximum(square - mean**2, 0)) + 1e-6
