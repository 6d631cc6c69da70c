"""The labels of a data set as they stand in their source, and the source written again with some of them changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.data.arrays import from_file
from labelproof.data.cells import read_cells
from labelproof.data.copies import copy_table, edits
from labelproof.data.frames import RawTable, column, read_raw, table_suffix, write_frame
from labelproof.data.picture_files import copy_pictures, list_pictures
from labelproof.data.table import label_codes
from labelproof.errors import BadInput
from labelproof.saving.files import atomic_stream
from labelproof.validation import AnyArray, check_labels, to_numpy

New = Mapping[int, tuple[str | None, str]]  # row of the source to the new class and why


@dataclass(frozen=True)
class Original:
    """Labels as they stand in their source.

    Attributes
    ----------
    codes : ndarray of int64, shape (m,)
        By row of the source, -1 where unlabelled.
    classes : tuple
    rows : ndarray of int64, shape (n,)
        The row of the source of each item as the audit numbered them: all but those that could not be read.
    """

    codes: npt.NDArray[np.int64]
    classes: tuple[Any, ...]
    rows: npt.NDArray[np.int64]

    def write(self, target: Path, new: New, *, explain: bool, overwrite: bool) -> None:
        """Write the source again with new labels in some rows."""
        raise NotImplementedError


@dataclass(frozen=True)
class TableOriginal(Original):
    """A table, or a manifest of pictures."""

    raw: RawTable
    label: str

    def write(self, target: Path, new: New, *, explain: bool, overwrite: bool) -> None:
        """A copy in which nothing but these labels differs."""
        added: dict[str, Sequence[str | None]] = {}
        if explain:
            why = [""] * self.raw.frame.height
            for row, (_, reason) in new.items():
                why[row] = reason
            given = self.raw.frame[self.label].cast(pl.String).to_list()
            added = {f"{self.label}_given": given, f"{self.label}_change": why}
        names = {row: name for row, (name, _) in new.items()}
        copy_table(self.raw, target, edits(self.label, self.codes, self.classes, names, added))


@dataclass(frozen=True)
class FolderOriginal(Original):
    """A folder of class folders."""

    root: Path
    files: Sequence[Path]
    names: AnyArray

    def write(self, target: Path, new: New, *, explain: bool, overwrite: bool) -> None:
        """A copy of the folder with pictures moved; or a table of path and label."""
        if table_suffix(target) is None:
            moved = {str(self.names[row]): name for row, (name, _) in new.items()}
            copy_pictures(self.root, target, moved, overwrite=overwrite)
        else:
            write_frame(_table(self, "path", [str(file) for file in self.files], "label", new), target)


@dataclass(frozen=True)
class ListOriginal(Original):
    """Cells, or labels in an array: written as a table, since their own files hold much besides the labels."""

    ids: Sequence[Any]
    label: str
    array: AnyArray | None = None

    def write(self, target: Path, new: New, *, explain: bool, overwrite: bool) -> None:
        """A table of id and label; an array of the same type where the target ends in .npy."""
        if target.suffix == ".npy" and self.array is not None:
            self._write_array(target, self.array, new)
        else:
            write_frame(_table(self, "id", self.ids, self.label, new), target)

    def _write_array(self, target: Path, array: AnyArray, new: New) -> None:
        change = edits("label", self.codes, self.classes, {row: name for row, (name, _) in new.items()})
        if change.names:
            row, name = next(iter(change.names.items()))
            raise BadInput(
                f"row {row} {'has no label any more' if name is None else f'is {name!r} now'}, which stands nowhere in the array. "
                "Write to .csv or .parquet."
            )
        changed = array.copy()
        changed[change.rows] = array[change.sources]
        with atomic_stream(target) as out:
            np.save(out, changed, allow_pickle=False)


def _table(data: Original, key: str, ids: Sequence[Any], label: str, new: New) -> pl.DataFrame:
    """A table of ids and labels, with what each label was and why it changed."""
    names = [*map(str, data.classes), None]
    given = [names[code] for code in data.codes.tolist()]
    now, why = list(given), [""] * len(given)
    for row, (name, reason) in new.items():
        now[row], why[row] = name, reason
    typed: dict[str | None, Any] = {**dict(zip(names, [*data.classes, None], strict=True)), None: None}
    columns = {
        key: list(ids),
        label: [typed.get(n, n) for n in now],
        f"{label}_given": [typed[n] for n in given],
        f"{label}_change": why,
    }
    return pl.DataFrame(columns, strict=False)


def originals(source: Mapping[str, Any], skipped: set[str], classes: Sequence[Any]) -> Original:
    """The labels of a data set by the ``source`` that its audit remembers.

    Parameters
    ----------
    source : mapping
        ``Dataset.source``.
    skipped : set of str
        Names of the items that could not be read.
    classes : sequence
        Of the audit; they say what labels of arrays mean.

    Raises
    ------
    BadInput
        If a file is missing or cannot be read.
    """
    kind, missing = source["kind"], source.get("missing")
    if kind == "images" and source["label"] is None:
        found = list_pictures(Path(source["path"]), None, None, None, quiet=True)
        coded = check_labels(found.labels, name="labels of the pictures", missing=missing)
        return FolderOriginal(
            coded.codes, coded.classes, _kept(found.names, skipped), Path(source["path"]), found.files, found.names
        )
    if kind in ("table", "text", "images"):
        raw = read_raw(source["path"], encoding=source.get("encoding"), quiet=True)
        coded = label_codes(raw, source["label"], missing)
        name = (source["id"] or source.get("image")) if kind == "images" else None
        rows = np.arange(raw.frame.height) if name is None else _kept(column(raw.frame, name, raw.path, "--id"), skipped)
        return TableOriginal(coded.codes, coded.classes, rows, raw, source["label"])
    if kind == "cells":
        cells = read_cells(
            source["path"],
            source["label"],
            layer=source["layer"],
            unlabeled_category=source["unlabeled_category"],
            missing=source.get("missing"),
        )
        return ListOriginal(cells.given, cells.classes, np.arange(len(cells)), cells.ids.tolist(), source["label"])
    array = to_numpy(from_file(source["labels"], "labels"), "labels").reshape(-1)
    coded = check_labels(array, name="labels", classes=classes, missing=missing)
    return ListOriginal(coded.codes, coded.classes, np.arange(len(array)), np.arange(len(array)).tolist(), "label", array)


def _kept(names: Any, skipped: set[str]) -> npt.NDArray[np.int64]:
    return np.array([i for i, name in enumerate(names) if str(name) not in skipped], np.int64)
