"""What a tagger is given: items and bags of them, and tags, 0, 1, or -1 where nobody knows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from labelproof.data.bags import Bags
from labelproof.data.encoding import ENCODERS, Encoder, RawEncoder, kind_of
from labelproof.data.picture_rows import PictureRows
from labelproof.errors import BadInput
from labelproof.validation import AnyArray, ArrayLike

UNKNOWN = -1


def given_tags(y: ArrayLike | None, names: Iterable[object] | None) -> tuple[npt.NDArray[np.int64], AnyArray]:
    """0, 1, or -1 where unknown, shape (n, k), and the names of the tags, or their numbers, shape (k,).

    Raises
    ------
    BadInput
    """
    if y is None:
        raise BadInput("y is missing: this classifier requires y to be passed, but the target y is None.")
    if names is None and hasattr(y, "columns"):
        names = list(y.columns)
    given = np.asarray(y.toarray() if hasattr(y, "toarray") else y)
    if given.ndim != 2 or 0 in given.shape or given.dtype.kind not in "biuf":
        raise BadInput(f"y has shape {given.shape}. Give 0/1 of shape (n, k), a row per item and a column per tag.")
    given = np.where(np.isnan(given), UNKNOWN, given) if given.dtype.kind == "f" else given
    bad = np.argwhere(~np.isin(given, (0, 1, UNKNOWN)))
    if len(bad):
        row, column = bad[0]
        raise BadInput(f"y is {given[row, column]!r} in row {row}, column {column}. Give 0, 1, or -1 where unknown.")
    classes = np.arange(given.shape[1]) if names is None else np.asarray(list(names))
    if classes.shape != (given.shape[1],):
        raise BadInput(f"names has {classes.size} entries but y has {given.shape[1]} columns. Give one name per tag.")
    return given.astype(np.int64), classes


def fitted_encoder(X: ArrayLike, *, raw: bool) -> Encoder:
    """The encoder of these items, or of the instances of these bags; ``raw``: numbers are handed on as they are."""
    if isinstance(X, PictureRows):
        return RawEncoder().fit(np.zeros((1, *X.shape[-3:]), np.float32))
    items = X.instances if isinstance(X, Bags) else X
    kind = kind_of(items)
    return RawEncoder().fit(items) if raw and kind in ("numbers", "pictures") else ENCODERS[kind]().fit(items)


def encoded(X: ArrayLike, encoder: Encoder) -> Tensor:
    """A tensor, or what gives rows as one does."""
    if isinstance(X, PictureRows):
        return cast(Tensor, X)
    if isinstance(X, Bags):
        return torch.from_numpy(X.padded(encoder.transform))
    return torch.from_numpy(encoder.transform(X))
