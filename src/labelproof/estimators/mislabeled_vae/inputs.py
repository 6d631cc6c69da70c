"""Items of generative models: rows in blocks, values that a likelihood can have, labels and batches as codes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from labelproof.data.rows import SparseRows
from labelproof.errors import BadInput
from labelproof.estimators.mislabeled_vae.likelihoods import LIKELIHOODS
from labelproof.validation import UNLABELLED, AnyArray, ArrayLike
from labelproof.validation.estimator_labels import coded_labels

BLOCK = 4096
Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Rows = Tensor | SparseRows


def blocks(rows: Rows) -> Iterator[tuple[int, Tensor]]:
    """First row and rows of each block."""
    for start in range(0, len(rows), BLOCK):
        yield start, rows[start : start + BLOCK]


def check_values(block: Tensor, start: int, likelihood: str) -> None:
    """Refuse values that the likelihood cannot produce."""
    if LIKELIHOODS[likelihood].counts:
        bad, allowed = (block < 0) | (block != block.floor()), "whole numbers, 0 or more"
    elif likelihood == "bernoulli":
        bad, allowed = (block < 0) | (block > 1), "numbers from 0 to 1"
    else:
        return
    if bad.any():
        row, column = (int(i) for i in bad.nonzero()[0])
        raise BadInput(
            f"X has {float(block[row, column]):g} in row {start + row}, column {column}, but likelihood {likelihood!r} "
            f"takes only {allowed}. Give counts, or likelihood='gaussian'."
        )


def few_labels(y: ArrayLike | None, n: int) -> tuple[Codes, AnyArray]:
    """Codes of the labels of n items, -1 for unlabelled, and the classes."""
    numbers = np.asarray(y)
    # a class to others, but not to models of few labels, as in scikit-learn's semi-supervised estimators
    if numbers.dtype.kind in "if" and (numbers == UNLABELLED).any():
        y = [None if value == UNLABELLED else value for value in numbers.tolist()]
    codes, classes = coded_labels(y)
    if len(codes) != n:
        raise BadInput(f"X has {n} rows but y has {len(codes)}. Give one label per item, or -1 for an unlabelled item.")
    k = len(classes)
    if k < 2:
        found = f"one class only, {classes[0]!r}" if k else "no label at all"
        raise BadInput(f"y has {found}. Give labels of 2 classes or more.")
    if k > max(2, n // 2):
        raise BadInput(
            f"y has {k} classes but only {n} items, and each class needs several. Check that it is a column of labels."
        )
    return codes, classes


def coded_batches(batch: ArrayLike | None, n: int) -> tuple[Codes, AnyArray]:
    """Codes of the batches and their names; one name without batches."""
    if batch is None:
        return np.zeros(n, np.int64), np.array(["all"])
    names, codes = np.unique(np.asarray(batch).astype(str), return_inverse=True)
    if len(codes) != n:
        raise BadInput(f"X has {n} rows but batch has {len(codes)}. Give one batch per item.")
    return codes.astype(np.int64), names


def known_batches(batch: ArrayLike | None, n: int, names: AnyArray) -> Codes:
    """Codes of the batches of new items."""
    if len(names) < 2:
        return np.zeros(n, np.int64)
    if batch is None:
        raise BadInput(
            f"batch is missing, and the model was trained with batches {', '.join(names[:8])}. Give one of these per item."
        )
    own = np.asarray(batch).astype(str)
    unknown = np.flatnonzero(~np.isin(own, names))
    if len(unknown):
        raise BadInput(
            f"batch is {str(own[unknown[0]])!r} in row {unknown[0]}, which the model does not know. Give one of {', '.join(names[:8])}."
        )
    return np.searchsorted(names, own).astype(np.int64)


def scales_of(rows: Rows, likelihood: str) -> tuple[Floats, Floats, tuple[float, float]]:
    """Mean and spread of each column (d,), 0 and 1 unless real numbers are standardised; median and variance of the log library.

    Raises
    ------
    BadInput
        For values that the likelihood cannot have.
    """
    d = rows.shape[1]
    total, square, library = np.zeros(d), np.zeros(d), []
    for start, block in blocks(rows):
        check_values(block, start, likelihood)
        exact = block.double()
        total += exact.sum(dim=0).numpy()
        square += exact.square().sum(dim=0).numpy()
        library.append(exact.sum(dim=1).numpy())
    mean, spread = np.zeros(d), np.ones(d)
    if likelihood == "gaussian":
        mean = total / len(rows)
        deviation = np.sqrt(np.maximum(square / len(rows) - mean**2, 0))
        spread = np.where(deviation > 1e-6, deviation, 1.0)
    logs = np.log(np.maximum(np.concatenate(library), 1.0)) if LIKELIHOODS[likelihood].counts else np.zeros(1)
    return mean.astype(np.float32), spread.astype(np.float32), (float(np.median(logs)), float(max(logs.var(), 1e-2)))


def standardised(rows: Rows, mean: Floats, spread: Floats) -> Tensor:
    """Rows with mean 0 and spread 1, dense."""
    dense = rows[slice(None)] if isinstance(rows, SparseRows) else rows
    return (dense - torch.from_numpy(mean)) / torch.from_numpy(spread)
