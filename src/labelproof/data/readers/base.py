"""The interface of readers: a reader owns a source of items and labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.data.dataset import Dataset, Shown
from labelproof.data.libraries.asked import NAME, Asked
from labelproof.data.libraries.base import Table
from labelproof.data.projection import Projection
from labelproof.data.raw_table import Path_
from labelproof.errors import BadInput
from labelproof.saving.files import existing
from labelproof.validation import AnyArray, IntArray, Json

VERSION = 1
Inputs = pl.DataFrame | AnyArray | Sequence[str]  # the input of a model, one row per item


@dataclass(frozen=True)
class ReadOptions:
    """The user's options for a source; a reader takes those that it has."""

    label: str | None = None
    text: str | None = None
    image: str | None = None
    id: str | None = None
    embeddings: object = None
    ignore: Sequence[str] = ()
    keep: Sequence[str] = ()
    missing: Sequence[object] | None = None
    encoding: str | None = None
    layer: str | None = None
    unlabeled_category: str | None = None
    group: str | None = None
    images: str | None = None
    sheet: str | None = None
    query: str | None = None
    item: str | None = None
    annotator: str | None = None
    label_kind: str | None = None
    classes: Sequence[str] | None = None
    void: Sequence[int] = ()

    @property
    def part(self) -> str | None:
        """The part of the source that is the table: a sheet of a workbook, or a query of a database."""
        return self.query if self.sheet is None else self.sheet

    def label_of(self, path: Path) -> str:
        """The column of labels, which must be named.

        Raises
        ------
        BadInput
        """
        if self.label is None:
            existing(path, "file")
            raise BadInput(f"--label is missing. Name the column of {str(path)!r} that holds the labels.")
        return self.label


class Items(NamedTuple):
    """Items that can be shown.

    Attributes
    ----------
    kind : {"table", "text", "images", "arrays", "cells", "sentences"}
    n : int
        Number of items, as the audit numbered them.
    show : callable
        Row number to `Shown`; pictures are at most 1,024 pixels wide or high.
    take : callable
        Row numbers to the input of a model: a frame, texts, or an array, with one row for each.
    mask : callable, optional
        For masks: row number to the given codes of a picture's pixels, shape (h, w).
    """

    kind: str
    n: int
    show: Callable[[int], Shown]
    take: Callable[[IntArray], Inputs]
    mask: Callable[[int], IntArray] | None = None


class Change(NamedTuple):
    """A new label in the form of a decision (``None``: none), and its reason."""

    label: str | None
    why: str


@dataclass(frozen=True)
class Audited:
    """What an audit records of a source, and the changes to make in it.

    Attributes
    ----------
    given : ndarray of str, shape (n,)
        The given label of each item in the form of a decision; ``None`` where unlabelled. For masks `labelproof.Masks.digest`.
    classes : sequence
    skipped : set of str
        Names of the items that could not be read.
    changes : mapping of item to Change
    explain : bool
        Whether to add the old label and the reason of each change.
    ids : ndarray of str, shape (n,), optional
        Names of the items; ``None`` for those without a name in the audit.
    """

    given: AnyArray
    classes: Sequence[object]
    changes: Mapping[int, Change]
    skipped: frozenset[str] = field(default_factory=frozenset)
    explain: bool = False
    ids: AnyArray | None = None


@dataclass(frozen=True)
class Reader(ABC):
    """A source of items and labels. It reads the source, opens it again, reads new items like it, and writes it with other
    labels.

    Its fields are saved with audits and models by `to_json`.

    Attributes
    ----------
    kind : str
        The name under which the reader is registered in `labelproof.data.readers.READERS`.
    label_kinds : tuple of str
        The kinds of label that it reads.
    reads_itself : bool
        Whether it reads files in formats of its own, which are not tables.
    takes_classes : bool
        Whether the user names the classes when it reads; otherwise the columns of the predictions do.
    """

    kind: ClassVar[str]
    label_kinds: ClassVar[tuple[str, ...]] = ("classes",)
    reads_itself: ClassVar[bool] = False
    takes_classes: ClassVar[bool] = False

    @classmethod
    def fits(cls, path: Path, options: ReadOptions) -> bool:
        """Whether a path is such a source, by its content and ending."""
        return False

    @classmethod
    def of(cls, path: Path, options: ReadOptions) -> Self:
        """The reader of a path that fits.

        Raises
        ------
        BadInput
            If an option is missing.
        """
        raise NotImplementedError

    @classmethod
    def of_frame(cls, table: Table, asked: Asked) -> Dataset:
        """The items of a frame in memory, for readers with ``reads_itself``.

        Raises
        ------
        BadInput
        """
        raise BadInput(f"{cls.kind} are not read from {NAME}.")

    @abstractmethod
    def read(self) -> Dataset:
        """The items and their labels.

        Raises
        ------
        BadInput
        """

    def reopen(self, skipped: Sequence[str] = ()) -> Items | None:
        """The items of an audit again, read one by one as they are shown; ``None`` if there are only labels.

        Parameters
        ----------
        skipped : sequence of str
            Names of the items that the audit could not read.

        Raises
        ------
        BadInput
            If a file is missing, or has changed.
        """
        dataset = self.read()
        return Items(dataset.kind, len(dataset), dataset.show, lambda rows: dataset.x[rows])

    def read_new(
        self, path: Path_, *, encoding: str | None = None, projection: Projection | None = None
    ) -> tuple[Inputs, AnyArray]:
        """Read new items without labels, and their ids, in the way of the source.

        Parameters
        ----------
        path : path, or URL of a database
        encoding : str, optional
            Encoding of a text file. By default that of the source.
        projection : Projection, optional
            ``Dataset.projection`` of training data that are cells.

        Raises
        ------
        BadInput
            If a column is missing, a value does not fit its type, or a picture cannot be read.
        """
        raise BadInput(f"Items of this kind ({self.kind}) cannot be read from a file. Use the model from Python.")

    def predictions(self, path: Path_, dataset: Dataset) -> object:
        """Predictions of the items in a file; by default the path, which the auditor opens.

        Parameters
        ----------
        path : path
        dataset : Dataset
            The result of `read`.

        Raises
        ------
        BadInput
        """
        return path

    def of_part(self, part: str) -> Self:
        """The same for another sheet, or another query."""
        raise BadInput(
            f"Items of this kind ({self.kind}) cannot be read from a sheet or by a query. Omit --sheet, --sql and --query."
        )

    @abstractmethod
    def write_back(self, target: Path, audited: Audited, *, overwrite: bool) -> None:
        """Write a copy of the source in which only the changed labels differ.

        Raises
        ------
        BadInput
            If a file is missing, its labels are not those that were audited, or the target cannot be written.
        """

    def to_json(self) -> Json:
        """Its fields, in the form of JSON."""
        told = {name: value for name, value in asdict(self).items() if value is not None and value is not False}
        return {"kind": self.kind, "version": VERSION, **told}

    @classmethod
    def from_json(cls, source: Json) -> Self:
        """A reader from the result of `to_json`.

        Raises
        ------
        BadInput
            If a later version of labelproof wrote it.
        """
        if source.get("version", VERSION) > VERSION:
            raise BadInput("The audit or model was made by a later version of labelproof. Update labelproof, or make it again.")
        known = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in source.items() if name in known})


def words(missing: Sequence[object] | None) -> list[str] | None:
    """Labels that mean unlabelled, in the form of JSON."""
    return None if missing is None else [str(word) for word in missing]


def check_same(now: AnyArray, rows: IntArray, audited: Audited) -> None:
    """Refuse a source whose labels are not the audited ones.

    Parameters
    ----------
    now : ndarray of str, shape (m,)
        Labels by row of the source, in the form of a decision; ``None`` for none.
    rows : ndarray, shape (n,)
        The row of each item.
    audited : Audited

    Raises
    ------
    BadInput
        Naming the first row that differs.
    """
    if len(rows) != len(audited.given):
        raise BadInput(
            f"The data now have {len(rows):,} items but had {len(audited.given):,} when they were audited. Audit them again."
        )
    found = now[rows]
    differs = np.flatnonzero(found != audited.given)
    if len(differs):
        item = int(differs[0])
        raise BadInput(
            f"row {rows[item]} of the data is now {found[item]!r} but was {audited.given[item]!r} when it was audited. "
            "The file has changed; audit it again."
        )


def check_same_ids(now: AnyArray, rows: IntArray, audited: Audited) -> None:
    """Refuse a source whose items do not have the audited names.

    Parameters
    ----------
    now : ndarray, shape (m,)
        Names by row of the source.
    rows : ndarray, shape (n,)
        The row of each item.
    audited : Audited

    Raises
    ------
    BadInput
        Naming the first row that differs.
    """
    if audited.ids is None:
        return
    for row, name in zip(rows.tolist(), audited.ids.tolist(), strict=True):
        if name is not None and str(now[row]) != name:
            raise BadInput(
                f"row {row} of the data is now the item {str(now[row])!r} but was {name!r} when it was audited. The file has changed; audit "
                "it again."
            )


def kept(names: Iterable[object], skipped: frozenset[str]) -> npt.NDArray[np.int64]:
    """Rows whose items could be read."""
    return np.array([i for i, name in enumerate(names) if str(name) not in skipped], np.int64)
