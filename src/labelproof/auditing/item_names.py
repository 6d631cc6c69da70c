"""Names of items: expand values by item to sites, and back."""

from __future__ import annotations

import numpy as np
import polars as pl

from labelproof.labels.base import Labels
from labelproof.validation import AnyArray


def of_items(labels: Labels, of_sites: AnyArray) -> AnyArray | None:
    """The value of each item from its sites, shape (n,): ``None`` for an item without a site, or if it is the row number."""
    if np.array_equal(of_sites, labels.owner):
        return None
    whole = np.full(labels.n, None, dtype=object) if len(of_sites) < labels.n else np.empty(labels.n, of_sites.dtype)
    whole[labels.owner] = of_sites
    return whole


def series(values: AnyArray) -> pl.Series:
    """Names as a column, whatever their types."""
    return pl.Series(values.tolist() if values.dtype.kind == "O" else values)
