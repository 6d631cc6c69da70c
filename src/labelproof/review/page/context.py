"""The context of an item: similar trusted items, and which of its values are unusual."""

from __future__ import annotations

import threading
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.data.readers.base import Items
from labelproof.review.candidates import Candidates
from labelproof.validation import IntArray

POOL = 300  # trusted items of a class among which similar ones are sought
TRUSTED = 0.1  # highest error probability of an item that is shown as an example of its label
SHOWN = 4
FIT_ROWS = 3_000
STATISTICS_ROWS = 5_000  # of a class
UNUSUAL = 0.01  # a value in this tail of its class, on either side, or in this share of it
FEWEST_ROWS = 50


class Context:
    """Similar items and unusual values, computed class by class on first use.

    Parameters
    ----------
    candidates : Candidates
        With one class per item.
    items : Items
    """

    def __init__(self, candidates: Candidates, items: Items) -> None:
        self._candidates, self._items = candidates, items
        self._given = candidates.table["given_label"].to_numpy()
        self._pools: dict[int, tuple[npt.NDArray[np.int64], Any]] = {}
        self._usual: dict[int, dict[str, tuple[float, float] | set[str]]] = {}
        self._encoder: Any = None
        self._lock = threading.Lock()

    def similar(self, rank: int, code: int) -> list[int]:
        """Ranks of the trusted items of a class that are most like an item, nearest first.

        Trusted items have low error probabilities; similarity is the cosine of features.
        """
        with self._lock:
            ranks, vectors = self._pool(code)
            if not len(ranks):
                return []
            own = self._encode(np.array([self._candidates.index[rank]]))
        likeness = np.asarray((vectors @ own.T).todense() if hasattr(vectors, "todense") else vectors @ own.T).ravel()
        likeness[ranks == rank] = -np.inf
        best = np.argsort(-likeness, kind="stable")[:SHOWN]
        return [int(ranks[i]) for i in best if np.isfinite(likeness[i])]

    def unusual(self, rank: int, code: int) -> set[str]:
        """Names of the columns in which a table row is unlike the others of a class."""
        if self._items.kind != "table":
            return set()
        with self._lock:
            usual = self._usual_of(code)
        row = self._rows(np.array([self._candidates.index[rank]])).row(0, named=True)
        found = set()
        for name, limits in usual.items():
            value = row[name]
            if value is None:
                continue
            if isinstance(limits, set):
                if limits and str(value) not in limits:
                    found.add(name)
            elif not limits[0] <= float(value) <= limits[1]:
                found.add(name)
        return found

    def _rows(self, rows: IntArray) -> pl.DataFrame:
        """Rows of a table."""
        return cast(pl.DataFrame, self._items.take(rows))

    def _pool(self, code: int) -> tuple[npt.NDArray[np.int64], Any]:
        if code not in self._pools:
            trusted = (self._given == code) & (self._candidates.error_probability < TRUSTED)
            ranks = np.flatnonzero(trusted)[::-1][:POOL]
            self._pools[code] = (ranks, self._encode(self._candidates.index[ranks]) if len(ranks) else None)
        return self._pools[code]

    def _encode(self, rows: IntArray) -> Any:
        """Unit vectors of items, by row number in the data."""
        if self._encoder is None:
            self._encoder = self._make_encoder()
        return self._encoder(self._items.take(rows))

    def _make_encoder(self) -> Any:
        from sklearn.preprocessing import StandardScaler, normalize

        if self._items.kind == "text":
            from sklearn.feature_extraction.text import HashingVectorizer

            return HashingVectorizer(ngram_range=(1, 2), n_features=2**18, alternate_sign=False).transform
        every = max(1, len(self._candidates) // FIT_ROWS)
        sample = self._items.take(np.sort(self._candidates.index[::every][:FIT_ROWS]))
        if self._items.kind == "table":
            from sklearn.pipeline import make_pipeline
            from skrub import TableVectorizer

            fitted = make_pipeline(TableVectorizer(), StandardScaler()).fit(sample)
            return lambda frame: normalize(np.nan_to_num(np.asarray(fitted.transform(frame))))
        scaler = StandardScaler().fit(np.asarray(sample, np.float32).reshape(len(sample), -1))
        return lambda x: normalize(np.nan_to_num(scaler.transform(x.reshape(len(x), -1).astype(np.float32))))

    def _usual_of(self, code: int) -> dict[str, tuple[float, float] | set[str]]:
        if code not in self._usual:
            ranks = np.flatnonzero(self._given == code)
            ranks = ranks[:: max(1, len(ranks) // STATISTICS_ROWS)]
            frame = self._rows(self._candidates.index[ranks])
            self._usual[code] = {} if frame.height < FEWEST_ROWS else {c.name: _usual_values(c) for c in frame.get_columns()}
        return self._usual[code]


def _usual_values(column: pl.Series) -> tuple[float, float] | set[str]:
    """Ends of the bulk of a numeric column, or the values of another that are not rare."""
    if column.dtype.is_numeric():
        bulk = column.drop_nulls().cast(pl.Float64)
        if bulk.is_empty():
            return (-np.inf, np.inf)
        ends = bulk.quantile(UNUSUAL), bulk.quantile(1 - UNUSUAL)
        return (float(ends[0] or 0.0), float(ends[1] or 0.0))
    shares = column.drop_nulls().cast(pl.String).value_counts(normalize=True, name="share")
    if shares.height > column.len() / 4:
        return set()  # nearly every value is its own: rare means nothing
    return set(shares.filter(pl.col("share") >= UNUSUAL)[column.name])
