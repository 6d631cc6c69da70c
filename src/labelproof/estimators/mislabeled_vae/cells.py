"""AnnData for generative models: cells in, predictions into ``obs`` and ``obsm``."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from labelproof.data.readers.cells import annotation_of, counts_of, obs_column
from labelproof.data.rows import SparseRows
from labelproof.errors import BadInput
from labelproof.estimators.mislabeled_vae.likelihoods import LIKELIHOODS
from labelproof.validation import UNLABELLED, AnyArray

if TYPE_CHECKING:
    from anndata import AnnData
    from pandas import DataFrame

    from labelproof.estimators.mislabeled_vae import MislabeledVAE

PREFIX = "labelproof"


class Cells(NamedTuple):
    """The keys of an AnnData; see `labelproof.MislabeledVAE.fit`."""

    labels_key: str | None
    unlabeled_category: str | None
    layer: str | None
    batch_key: str | None

    def items(self, adata: AnnData, *, whole: bool) -> tuple[SparseRows, list[object], AnyArray | None]:
        """Counts, labels and batches."""
        if self.labels_key is None:
            raise BadInput(
                f"labels_key is missing. Name the column of obs that holds the labels. It has: {', '.join(adata.obs.columns)}."
            )
        given = annotation_of(adata, self.labels_key, self.unlabeled_category)
        return SparseRows(counts_of(adata, self.layer, whole=whole)), given, self._batches(adata)

    def new_items(self, adata: AnnData, features: int, *, whole: bool) -> tuple[SparseRows, AnyArray | None]:
        """Counts and batches of cells to predict."""
        if adata.n_vars != features:
            raise BadInput(
                f"The AnnData has {adata.n_vars} genes but the model was trained on {features}. Give the same genes."
            )
        return SparseRows(counts_of(adata, self.layer, whole=whole)), self._batches(adata)

    def _batches(self, adata: AnnData) -> AnyArray | None:
        return None if self.batch_key is None else obs_column(adata, self.batch_key).astype(str).to_numpy()


def told_cells(X: object, y: object, batch: object, where: Cells) -> Cells | None:
    """The keys of an AnnData; ``None`` for an array.

    Raises
    ------
    BadInput
        If what belongs to the one is given with the other.
    """
    if is_anndata(X):
        if y is not None or batch is not None:
            raise BadInput(
                "y and batch do not apply to an AnnData, where labels and batches are columns of obs. Give labels_key and batch_key."
            )
        return where
    if any(name is not None for name in where):
        raise BadInput("labels_key, unlabeled_category, layer and batch_key apply only to an AnnData. Give y and batch.")
    return None


def is_anndata(data: object) -> bool:
    """Whether it is an AnnData; does not import anndata."""
    module = sys.modules.get("anndata")
    return module is not None and isinstance(data, module.AnnData)


def write_results(
    adata: AnnData, model: MislabeledVAE, probs: npt.NDArray[np.float64], latent: npt.NDArray[np.float32]
) -> None:
    """``obs["labelproof_prediction"]``, ``…_confidence``, ``…_error_probability``, ``obsm["X_labelproof"]``, ``uns["labelproof"]``."""
    import pandas as pd

    codes = probs.argmax(axis=1)
    names = [str(name) for name in model.classes_]
    adata.obs[f"{PREFIX}_prediction"] = pd.Categorical.from_codes(codes, names)
    adata.obs[f"{PREFIX}_confidence"] = probs.max(axis=1).astype(np.float32)
    adata.obs[f"{PREFIX}_error_probability"] = model.error_probability_.astype(np.float32)
    adata.obsm[f"X_{PREFIX}"] = latent
    adata.uns[PREFIX] = {
        "classes": np.array(names, dtype=object),
        "transition": model.transition_.matrix,
        "prior": model.transition_.prior,
        "elbo": model.elbo_,
    }


@torch.no_grad()
def normalized_expression(model: MislabeledVAE, adata: AnnData, library_size: float) -> DataFrame:
    """See `labelproof.MislabeledVAE.get_normalized_expression`."""
    rows, codes = model._new(adata, None)
    if not LIKELIHOODS[model.likelihood_].counts:
        raise BadInput(
            f"likelihood is {model.likelihood_!r}, but only models of counts have normalised expression. Fit a likelihood of counts."
        )
    none, found = np.full(len(rows), UNLABELLED), []
    for x, z, b in model._parts(rows, none, codes):
        scale = torch.full((len(x), 1), math.log(library_size))
        found.append(model.module_.likelihood.mean(model.module_.decode(model.module_.infer(x, z, b).mean, b), scale))
    import pandas as pd

    return pd.DataFrame(torch.cat(found).numpy(), index=adata.obs_names, columns=adata.var_names)
