"""The inputs of a tagger: items and bags of them, and tags, 0, 1, or -1 for unknown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from labelproof.data.bags import Bags
from labelproof.data.encoding import ENCODERS, Encoder, RawEncoder, kind_of, n_dims
from labelproof.data.picture_rows import PictureRows
from labelproof.errors import BadInput, did_you_mean
from labelproof.validation import AnyArray, ArrayLike, check_features

UNKNOWN = -1
NOISES = ("feature-independent", "feature-dependent", "em")
LOSSES = ("cross-entropy", "warp")


def check_options(noise: str | None, loss: str, stages: tuple[int, int], noise_lr: float) -> None:
    """Check what `labelproof.NoisyTagClassifier` was given.

    Raises
    ------
    BadInput
    """
    for name, value, known in (("noise", noise, NOISES), ("loss", loss, LOSSES)):
        if value not in known and not (name == "noise" and value is None):
            raise BadInput(f"{name} is {value!r}. {did_you_mean(value, list(known))}Give one of {', '.join(known)}.")
    if loss == "warp" and noise is not None:
        raise BadInput("loss 'warp' ranks tags and has no probabilities that a noise model could change. Give noise=None.")
    if len(stages) != 2 or min(stages) < 0 or not sum(stages):
        raise BadInput(f"stages is {stages!r}. Give two numbers of epochs, 0 or more.")
    if not noise_lr > 0:
        raise BadInput(f"noise_lr is {noise_lr!r}. Give a number above 0.")


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
        raise BadInput(f"y is {given[row, column]!r} in row {row}, column {column}. Give 0, 1, or -1 for unknown.")
    classes = np.arange(given.shape[1]) if names is None else np.asarray(list(names))
    if classes.shape != (given.shape[1],):
        raise BadInput(f"names has {classes.size} entries but y has {given.shape[1]} columns. Give one name per tag.")
    return given.astype(np.int64), classes


def of_numbers(X: ArrayLike) -> bool:
    """Whether items are rows of numbers, which scikit-learn checks."""
    return not isinstance(X, Bags | PictureRows) and kind_of(X) == "numbers" and n_dims(X) < 3


def evidence_of(evidence: ArrayLike, shape: tuple[int, ...], noise: str | None) -> npt.NDArray[np.float64]:
    """The evidence that the mention of each tag may depend on, shape (n, k, e).

    Raises
    ------
    BadInput
        For another shape than ``shape``, (n, k), or a noise that reads no evidence.
    """
    if noise != "feature-dependent":
        raise BadInput(
            f"evidence applies only to noise='feature-dependent', but noise is {noise!r}. Omit evidence, or change noise."
        )
    found = check_features(evidence, name="evidence")
    if found.shape[:2] != shape or found.ndim > 3:
        raise BadInput(
            f"evidence has shape {found.shape} but y has {shape}. Give one value, or a vector of e values, for each item and tag."
        )
    return np.asarray(found if found.ndim == 3 else found[..., None], np.float64)


def fitted_encoder(X: ArrayLike, *, raw: bool) -> Encoder:
    """The encoder of these items, or of the instances of these bags; ``raw``: numbers are passed on unchanged."""
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
