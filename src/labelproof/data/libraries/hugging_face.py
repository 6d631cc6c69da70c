"""Hugging Face ``datasets``: class labels by their names, pictures decoded one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from labelproof.data.libraries.asked import NAME
from labelproof.data.libraries.base import Table, is_of
from labelproof.errors import BadInput

MEDIA = ("Image", "Audio", "Video", "Pdf", "Nifti")  # features that are no columns of a table


class HuggingFaceTable(Table):
    """A ``datasets.Dataset``."""

    def __init__(self, given: Any) -> None:
        if is_of(given, "datasets", "DatasetDict") or is_of(given, "datasets", "IterableDatasetDict"):
            raise BadInput(f"{NAME} is a {type(given).__name__} of several splits. Give one: {', '.join(map(repr, given))}.")
        if is_of(given, "datasets", "IterableDataset"):
            raise BadInput(f"{NAME} is an IterableDataset, which has no rows to name. Give a datasets.Dataset.")
        super().__init__(given)
        self._arrow = given.with_format("arrow")

    @classmethod
    def holds(cls, given: object) -> bool:
        return any(
            is_of(given, "datasets", name) for name in ("Dataset", "DatasetDict", "IterableDataset", "IterableDatasetDict")
        )

    def __len__(self) -> int:
        return len(self.given)

    @property
    def columns(self) -> list[str]:
        return list(self.given.column_names)

    def frame(self, names: Sequence[str]) -> pl.DataFrame:
        """Columns with the names of classes instead of their numbers (-1 is none), without pictures and sounds."""
        features = self.given.features
        wanted = [name for name in names if type(features[name]).__name__ not in MEDIA or len(names) == 1]
        frame = pl.from_arrow(self._arrow.select_columns(wanted)[:])
        assert isinstance(frame, pl.DataFrame)
        return frame.with_columns(
            _named(frame[name], found.names) for name in wanted if (found := _class_label(features[name])) is not None
        )

    def cell(self, name: str, row: int) -> object:
        """The stored form: a picture as its bytes or its path."""
        return self._arrow.select_columns([name])[row : row + 1][name][0].as_py()

    def joined(self, found: pl.DataFrame) -> Any:
        whole = self.given
        for series in found:
            whole = whole.add_column(series.name, series.to_list())
        return whole


def _class_label(feature: Any) -> Any:
    """The names of the classes of a column, or of the lists that it holds."""
    while hasattr(feature, "feature") and not hasattr(feature, "names"):
        feature = feature.feature
    return feature if type(feature).__name__ == "ClassLabel" else None


def _named(codes: pl.Series, names: Sequence[str]) -> pl.Series:
    if isinstance(codes.dtype, pl.List):
        return pl.Series(codes.name, [None if own is None else [names[code] for code in own] for own in codes.to_list()])
    known = codes.is_between(0, len(names) - 1)
    return pl.Series(codes.name, names, dtype=pl.String).gather(codes.set(~known.fill_null(False), None))
