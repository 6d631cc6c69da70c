"""torch: a map-style ``Dataset`` of ``(x, y)``, or any other sequence of such pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from labelproof.data.dataset import Dataset, Shown
from labelproof.data.images import SIZE, decode_all, thumbnail
from labelproof.data.libraries.asked import NAME, Asked
from labelproof.data.libraries.base import Whole, is_of
from labelproof.data.pictures import Opened
from labelproof.data.readers.arrays import show_array
from labelproof.data.values import is_picture, picture_of
from labelproof.errors import BadInput
from labelproof.labels.classes import Classes
from labelproof.progress import track
from labelproof.validation import AnyArray, check_features, check_ids, check_labels, to_numpy

PAIR = "Its items must be pairs (x, y) of a picture, a text or a row of numbers, and a label."


class Pairs(Whole):
    """Items that are read one at a time."""

    def __init__(self, given: Any) -> None:
        if not hasattr(given, "__len__") or not hasattr(given, "__getitem__"):
            raise BadInput(f"{NAME} is a {type(given).__name__}, which has no length or no items by number. {PAIR}")
        super().__init__(given)

    @classmethod
    def holds(cls, given: object) -> bool:
        """A torch Dataset, or a sequence whose first item is a pair that begins with something to learn from."""
        if is_of(given, "torch.utils.data", "Dataset"):
            return True
        if isinstance(given, str | bytes | Mapping) or hasattr(given, "dtype") or not hasattr(given, "__getitem__"):
            return False
        try:
            first = given[0] if len(given) else None  # type: ignore[arg-type]
        except Exception:  # of a class without known names
            return False
        return isinstance(first, tuple) and len(first) == 2 and (isinstance(first[0], str) or _is_array(first[0]))

    def __len__(self) -> int:
        return len(self.given)

    @property
    def columns(self) -> list[str]:
        return []

    def column(self, name: str, option: str) -> pl.Series:
        raise BadInput(f"{option} {name!r}: {NAME} is a {type(self.given).__name__}, which has no columns. Give an array.")

    def read(self, asked: Asked) -> Dataset:
        asked.only(f"a {type(self.given).__name__} of pairs (x, y)", label=True)
        if len(self) == 0:
            raise BadInput(f"{NAME} has no items. {PAIR}")
        ids = self.ids(asked.ids)
        if not asked.learn:
            labels = self._labels([y for _, y in self._all()], asked)
            return Dataset(np.empty((len(self), 0)), labels, ids, lambda i: _shown(self._pair(i)[0]), "arrays")
        first = self._pair(0)[0]
        if isinstance(first, str):
            return self._texts(ids, asked)
        if is_picture(first):
            return self._pictures(ids, asked)
        return self._rows(ids, asked)

    def joined(self, found: pl.DataFrame) -> object:
        raise BadInput(
            f"A {type(self.given).__name__} has no columns to join. Join a frame of the items: audit.join(pl.DataFrame({{'row': range(n)}}))."
        )

    def _pair(self, row: int) -> tuple[Any, Any]:
        item = self.given[row]
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise BadInput(f"item {row} of {NAME} is a {type(item).__name__}, not a pair. {PAIR}")
        return item[0], item[1]

    def _all(self) -> Iterator[tuple[Any, Any]]:
        for row in track(range(len(self)), "reading items"):
            yield self._pair(row)

    def _labels(self, given: Sequence[object], asked: Asked) -> Classes:
        """The given labels, by name if the data set has names of classes."""
        values: list[Any] = [_plain(value, row) for row, value in enumerate(given)]
        names = _class_names(self.given)
        if names and all(isinstance(value, int) and -1 <= value < len(names) for value in values if value is not None):
            values = [None if value is None or value == -1 else names[value] for value in values]
        coded = check_labels(np.array(values, dtype=object), name="y", missing=asked.missing)
        return Classes.of_codes(coded.codes, coded.classes)

    def _texts(self, ids: AnyArray, asked: Asked) -> Dataset:
        pairs = list(self._all())
        x = np.array([text for text, _ in pairs], dtype=object)
        return Dataset(x, self._labels([y for _, y in pairs], asked), ids, lambda i: Shown(text=str(x[i])), "text")

    def _rows(self, ids: AnyArray, asked: Asked) -> Dataset:
        rows: list[AnyArray] = []
        given: list[object] = []
        for number, (x, y) in enumerate(self._all()):
            row = _row(x)
            if rows and row.shape != rows[0].shape:
                raise BadInput(
                    f"x of item {number} has shape {row.shape}, but that of item 0 {rows[0].shape}. Give all items the same shape."
                )
            rows.append(row)
            given.append(y)
        features = check_features(np.stack(rows), name="x")
        return Dataset(features, self._labels(given, asked), ids, lambda i: show_array(features[i]), "arrays")

    def _pictures(self, ids: AnyArray, asked: Asked) -> Dataset:
        """Each item is read once, for its picture and its label; to show it to a person, it is read again."""
        given: list[object] = [None] * len(self)

        def opened(row: int) -> Opened:
            picture, given[row] = self._pair(row)
            return picture_of(picture)

        files: list[Callable[[], Opened]] = [partial(opened, row) for row in range(len(self))]
        pixels, kept, skipped = decode_all(files, ids, SIZE)
        if not kept:
            raise BadInput(f"None of the {len(self)} pictures of {NAME} can be read. The first {skipped[0][1]}.")
        labels = self._labels([given[row] for row in kept], asked)
        shown = [files[row] for row in kept]
        return Dataset(
            pixels[: len(kept)],
            labels,
            check_ids(ids[kept], len(kept)),
            lambda i: Shown(image=thumbnail(shown[i])),
            "images",
            skipped=skipped,
        )


def _shown(x: Any) -> Shown:
    if is_picture(x):
        return Shown(image=thumbnail(lambda: picture_of(x)))
    return Shown(text=x) if isinstance(x, str) else show_array(_row(x))


def _row(x: Any) -> AnyArray:
    return to_numpy(x, "x") if hasattr(x, "__len__") else np.array([x])


def _is_array(value: object) -> bool:
    return hasattr(value, "shape") or is_picture(value)


def _plain(value: Any, row: int) -> object:
    """A label as a Python value."""
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        return value.item()
    if getattr(value, "ndim", 0):
        raise BadInput(f"y of item {row} has shape {tuple(value.shape)}. A label is one class; audit tags by labelproof.Tags.")
    return value


def _class_names(given: Any) -> list[str]:
    """Names of the classes, from the data set or the one that it is a part of."""
    while given is not None:
        names = getattr(given, "classes", None)
        if isinstance(names, list | tuple):
            return [str(name) for name in names]
        given = getattr(given, "dataset", None)
    return []
