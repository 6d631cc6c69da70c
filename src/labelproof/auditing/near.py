"""`Near`: the neighbours of items, as an audit keeps, shows and saves them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.validation import IntArray, Json

ALONE = -1
COLUMNS = ("duplicates", "exact_duplicate", "outlier", "neighbours_disagree", "neighbours")  # of the issues
KEPT = 5  # nearest items that are named
OUTLIER = 0.5  # score from which on an item counts as an outlier


@dataclass(frozen=True)
class Near:
    """Results from the neighbours of items; every array has a row for each of n items.

    Attributes
    ----------
    group : ndarray of int64, shape (n,)
        Number of the group of duplicates that an item is in, -1 for none.
    exact : ndarray of bool, shape (n,)
        Whether an item equals another of its group.
    outlier : ndarray of float32, shape (n,)
        How far an item is from its nearest ones, from 0 to 1; 0.5 is three robust standard deviations beyond the median of the logarithm. NaN
        without features.
    disagree : ndarray of float32, shape (n,)
        Share of the nearest labelled items that were given another label; NaN if it is unknown.
    nearest : ndarray of int32, shape (n, m)
        Row numbers of the nearest items, nearest first; no columns without features.
    features : str
        Description of the features that define nearness.
    """

    group: npt.NDArray[np.int64]
    exact: npt.NDArray[np.bool_]
    outlier: npt.NDArray[np.float32]
    disagree: npt.NDArray[np.float32]
    nearest: npt.NDArray[np.int32]
    features: str

    def columns(self, items: IntArray) -> dict[str, pl.Series]:
        """The columns of the issues for the items of some sites; null if unknown."""
        group = pl.Series(self.group[items])
        values = (
            group.set(group == ALONE, None),
            pl.Series(self.exact[items]),
            pl.Series(self.outlier[items]).fill_nan(None),
            pl.Series(self.disagree[items]).fill_nan(None),
            pl.Series(self.nearest[items], dtype=pl.Array(pl.Int32, self.nearest.shape[1])).arr.to_list()
            if self.nearest.shape[1]
            else pl.Series([None] * len(items), dtype=pl.List(pl.Int32)),
        )
        return dict(zip(COLUMNS, values, strict=True))

    @classmethod
    def of_columns(cls, sites: pl.DataFrame, owner: IntArray, n: int, features: str) -> Self:
        """The same again from the columns of sites; items without a site are empty."""
        found = sites.select(COLUMNS)
        group, exact = np.full(n, ALONE), np.zeros(n, bool)
        group[owner] = found["duplicates"].fill_null(ALONE).to_numpy()
        exact[owner] = found["exact_duplicate"].to_numpy()
        scores = []
        for name in ("outlier", "neighbours_disagree"):
            scores.append(np.full(n, np.nan, np.float32))
            scores[-1][owner] = found[name].fill_null(np.nan).to_numpy()
        width = int(found["neighbours"].list.len().max() or 0)  # type: ignore[arg-type]
        nearest = np.full((n, width), ALONE, np.int32)
        if width:
            nearest[owner] = np.array(found["neighbours"].to_list(), np.int32)
        return cls(group, exact, scores[0], scores[1], nearest, features)


def summary_of(features: str, issues: pl.DataFrame) -> Json:
    """The summary of neighbours in ``summary.json``: numbers of groups of duplicates, and of outliers among items."""
    groups = duplicates_of(issues).unique("group")
    return {
        "features": features,
        "duplicate_groups": groups.height,
        "with_different_labels": int(groups["different_labels"].sum()),
        "across_splits": int(groups["across_splits"].sum()),
        "outliers": outliers_of(issues)["index"].n_unique(),
    }


def duplicates_of(issues: pl.DataFrame) -> pl.DataFrame:
    """The groups of duplicates among issues, those with different labels first, then by their worst label."""
    if "duplicates" not in issues.columns:
        issues = issues.with_columns(duplicates=pl.lit(None, pl.Int64), exact_duplicate=pl.lit(None, pl.Boolean))
    given = pl.col("given_label").n_unique().over("duplicates")
    split = pl.col("split").n_unique().over("duplicates") > 1 if "split" in issues.columns else pl.lit(False)
    shown = ["index", "id", "given_label", "suggested_label", "error_probability", "verdict", "exact_duplicate"]
    return (
        issues.filter(pl.col("duplicates").is_not_null())
        .with_columns(
            pl.col("duplicates").alias("group"),
            pl.len().over("duplicates").alias("size"),
            (given > 1).alias("different_labels"),
            split.alias("across_splits"),
            pl.col("error_probability").max().over("duplicates").alias("worst"),
        )
        .sort("different_labels", "worst", "group", "index", descending=[True, True, False, False])
        .select("group", "size", "different_labels", "across_splits", *shown, *(["split"] if "split" in issues.columns else []))
    )


def outliers_of(issues: pl.DataFrame) -> pl.DataFrame:
    """The items that are far from all others, farthest first."""
    if "outlier" not in issues.columns:
        issues = issues.with_columns(outlier=pl.lit(None, pl.Float32), neighbours_disagree=pl.lit(None, pl.Float32))
    shown = ["index", "id", "given_label", "suggested_label", "error_probability", "verdict", "outlier", "neighbours_disagree"]
    return issues.filter(pl.col("outlier") > OUTLIER).sort("outlier", descending=True, maintain_order=True).select(shown)
