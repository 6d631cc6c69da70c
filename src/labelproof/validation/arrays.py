"""Arrays of every kind, ids, features, and rates."""

from __future__ import annotations

import itertools
from collections.abc import Sized
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.errors import BadInput

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
BoolArray = npt.NDArray[np.bool_]
AnyArray = npt.NDArray[Any]
Json = dict[str, Any]  # an object of JSON
ArrayLike = Sized  # an array, list, series, frame or tensor: whatever `to_numpy` takes


def to_numpy(values: object, name: str) -> AnyArray:
    """Return ``values`` as a numpy array without copying where possible.

    Parameters
    ----------
    values : array-like
        List, numpy array, pandas or polars series or frame, or torch tensor.
    name : str
        What to call it in a message.

    Raises
    ------
    BadInput
        For ragged lists and for things that are no arrays at all.
    """
    if hasattr(values, "detach"):  # torch, on any device
        values = _from_torch(values)
    elif type(values).__module__.startswith("pyarrow"):
        values = _from_arrow(values)
    elif hasattr(values, "to_numpy"):  # pandas, polars
        values = values.to_numpy()
    try:
        array: AnyArray = np.asanyarray(values)
    except ValueError as error:
        raise BadInput(f"{name} is ragged: its rows have different lengths. Give one row of equal length per item.") from error
    except TypeError as error:
        raise BadInput(
            f"{name} is {type(values).__name__!r}, which is not an array ({error}). Give one entry per item."
        ) from error
    if array.ndim == 0:
        raise BadInput(f"{name} is {type(values).__name__!r}, not an array. Give one entry per item.")
    return array


def _from_torch(tensor: Any) -> AnyArray:
    """A tensor on any device, sparse or dense, of any precision."""
    dense = tensor.detach().cpu()
    if str(dense.layout) != "torch.strided":
        dense = dense.to_dense()
    if str(dense.dtype) in ("torch.bfloat16", "torch.float8_e4m3fn", "torch.float8_e5m2"):
        dense = dense.float()
    return np.asarray(dense.numpy())


def _from_arrow(values: Any) -> object:
    """An Arrow array, chunked or dictionary-encoded, or a table, with nulls as None or NaN."""
    if hasattr(values, "to_pandas") and hasattr(values, "schema"):
        return values.to_pandas().to_numpy()
    return (
        np.array(values.to_pylist(), dtype=object)
        if values.null_count or not _is_number(values)
        else values.to_numpy(**({} if hasattr(values, "chunks") else {"zero_copy_only": False}))
    )


def _is_number(values: Any) -> bool:
    import pyarrow.types

    return bool(pyarrow.types.is_integer(values.type)) or bool(pyarrow.types.is_floating(values.type))


def check_pandas_index(**named: object) -> None:
    """Refuse pandas objects whose indices differ: joined by position they would pair the wrong rows."""
    indexed = [(name, value.index) for name, value in named.items() if hasattr(value, "index") and hasattr(value, "iloc")]
    for (name_a, index_a), (name_b, index_b) in itertools.pairwise(indexed):
        if len(index_a) == len(index_b) and not index_a.equals(index_b):
            row = int(np.argmax(np.asarray(index_a != index_b)))
            raise BadInput(
                f"{name_a} and {name_b} have different pandas indices: row {row} is {index_a[row]!r} in {name_a} and "
                f"{index_b[row]!r} in {name_b}. Align them, e.g. {name_b} = {name_b}.loc[{name_a}.index], "
                "or pass .to_numpy() of both if the order is already right."
            )


def check_ids(ids: object | None, n: int) -> AnyArray:
    """Check item ids: one per row, without repetition. Without ids the row numbers are used."""
    if ids is None:
        return np.arange(n)
    array = to_numpy(ids, "ids")
    if array.ndim != 1 or len(array) != n:
        raise BadInput(f"ids has shape {array.shape}. Give one id per item, shape ({n},).")
    values, counts = np.unique(array.astype(str), return_counts=True)
    if (counts > 1).any():
        twice = str(values[np.argmax(counts > 1)])
        rows = np.flatnonzero(array.astype(str) == twice)[:2]
        raise BadInput(f"ids has {twice!r} in rows {rows[0]} and {rows[1]}. Give unique ids, or omit them to use row numbers.")
    return array


def check_features(x: object, *, name: str = "x") -> FloatArray:
    """Check a numeric feature array with one row per item, e.g. (n, d) or (n, height, width)."""
    array = to_numpy(x, name)
    if array.ndim < 2 or len(array) == 0 or array.dtype.kind not in "biuf":
        raise BadInput(
            f"{name} has shape {array.shape} and dtype {array.dtype}. Give numbers, one row per item: shape (n, d) or more."
        )
    if array.dtype.kind == "f":
        bad = np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
        if len(bad):
            raise BadInput(f"{name} row {bad[0]} holds NaN or an infinite value. Fill it in or drop the row.")
    return array


def check_rate(value: float, *, name: str = "rate") -> float:
    """Check a probability."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating | np.integer) or not 0 <= float(value) <= 1:
        raise BadInput(f"{name} is {value!r}. Give a probability between 0 and 1.")
    return float(value)


def take_rows(x: Any, rows: npt.NDArray[np.int64]) -> Any:
    """Some items of an array, a frame or a list."""
    if hasattr(x, "iloc"):
        return x.iloc[rows]
    return [x[i] for i in rows] if isinstance(x, list | tuple) else x[rows]
