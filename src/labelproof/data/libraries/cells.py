"""AnnData: cells by the names that it has for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from labelproof.data.dataset import Dataset
from labelproof.data.libraries.asked import Asked
from labelproof.data.libraries.base import Whole, is_of
from labelproof.data.libraries.pandas_frames import names_of, to_polars, with_columns
from labelproof.data.readers.cells import CellsReader, obs_column
from labelproof.errors import BadInput
from labelproof.validation import AnyArray


class Cells(Whole):
    """Cells in memory, or backed by their file."""

    @classmethod
    def holds(cls, given: object) -> bool:
        return is_of(given, "anndata", "AnnData")

    def __len__(self) -> int:
        return int(self.given.n_obs)

    @property
    def columns(self) -> list[str]:
        return [str(name) for name in self.given.obs.columns]

    @property
    def names(self) -> AnyArray:
        return names_of(self.given.obs_names)

    def column(self, name: str, option: str) -> pl.Series:
        return to_polars(obs_column(self.given, name)).alias(name)

    def read(self, asked: Asked) -> Dataset:
        if asked.label is None:
            raise BadInput(
                f"label is missing. Name the column of obs that holds the labels. It has: {', '.join(self.columns[:30])}."
            )
        replace(asked, group=None).only("an AnnData, whose features are its genes")
        return CellsReader("AnnData", asked.label, missing=asked.missing, group=asked.group).read_from(
            self.given, self.ids(asked.ids)
        )

    def joined(self, found: pl.DataFrame) -> Any:
        """A copy with further columns of ``obs``, names as categories, as files hold them."""
        copy = self.given.to_memory() if self.given.isbacked else self.given.copy()
        with_columns(copy.obs, found.with_columns(pl.col(pl.String).cast(pl.Categorical)))
        return copy
