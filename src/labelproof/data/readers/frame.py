"""Frames and data sets in memory, of any library; an audit saves only the names of their columns of labels and items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from labelproof.data.dataset import Dataset
from labelproof.data.label_columns import LABEL_COLUMNS
from labelproof.data.libraries import held
from labelproof.data.libraries.asked import NAME, Asked
from labelproof.data.libraries.base import Table, Whole, repeated
from labelproof.data.picture_files import PictureFiles
from labelproof.data.raw_table import Path_, RawTable, label_values
from labelproof.data.readers import READERS
from labelproof.data.readers.base import Reader
from labelproof.data.readers.pictures import PictureReader
from labelproof.data.readers.table import ColumnReader, TableReader, show_row
from labelproof.data.readers.text import TextReader
from labelproof.errors import BadInput
from labelproof.validation import AnyArray, Json

if TYPE_CHECKING:
    from labelproof.data.libraries.base import Table, Whole, repeated

JOINED = "\n\n"  # between several columns of text


@dataclass(frozen=True)
class Remembered:
    """The options of a frame, saved with an audit, which cannot open the frame again."""

    label: str | None
    ids: str | None

    def to_json(self) -> Json:
        return {name: value for name, value in vars(self).items() if value is not None}

    def predictions(self, path: Path_, dataset: Dataset) -> object:
        """The path."""
        return path


@dataclass(frozen=True)
class FrameReader(ColumnReader):
    """A frame is read like a Parquet file."""

    frame: pl.DataFrame = field(default_factory=pl.DataFrame, compare=False)
    names: AnyArray = field(default_factory=lambda: np.arange(0), compare=False)

    def raw(self, *, quiet: bool) -> RawTable:
        return RawTable(self.frame, None, Path(NAME))

    def ids(self, raw: RawTable) -> AnyArray:
        return self.names


@dataclass(frozen=True)
class FrameTableReader(FrameReader, TableReader):
    """Its columns are the features."""


@dataclass(frozen=True)
class FrameTextReader(FrameReader, TextReader):
    """A column of it is the text."""


@dataclass(frozen=True)
class FramePictureReader(PictureReader):
    """A column of it holds pictures."""

    found: PictureFiles = field(default_factory=lambda: PictureFiles([], np.arange(0), np.arange(0)), compare=False)

    def files(self, *, quiet: bool) -> PictureFiles:
        return self.found

    def write_back(self, *_: object, **__: object) -> None:
        raise BadInput(f"{NAME} was in memory, so there is no file to write to. Join the findings to it: audit.join(frame).")


def read_frame(
    frame: object,
    label: str | None = None,
    *,
    text: str | Sequence[str] | None = None,
    image: str | None = None,
    ids: object = None,
    features: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    keep: Sequence[str] = (),
    missing: Sequence[object] | None = None,
    learn: bool = True,
    group: str | None = None,
    kind: str | None = None,
) -> Dataset:
    """Read a frame or a data set in memory. For files, see `read_table`, `read_text` and `read_images`.

    Parameters
    ----------
    frame : frame or data set
        A polars DataFrame or LazyFrame, a pandas DataFrame, an Arrow table or record batch, another frame that exports its
        columns as Arrow; a ``datasets.Dataset``; an AnnData; a torch ``Dataset``, or a sequence, of pairs ``(x, y)``, where x is
        a picture, a text, or a row of numbers.
    label : str, optional
        The column of given labels (for an AnnData: of ``obs``); a missing value is unlabelled, and so is -1 among class labels
        that have names. Required if there are columns.
    text : str or sequence of str, optional
        The column of text to learn from, or several, which are concatenated.
    image : str, optional
        The column of pictures to learn from: paths, bytes, opened pictures or arrays. URLs are refused: nothing is downloaded.
        Without ``text`` and ``image`` all other columns are learned from.
    ids : str or array-like, shape (n,), optional
        Unique names of the items, or the column of them. By default the index of a pandas frame or the names of cells,
        otherwise row numbers (from 0).
    features, ignore, keep : sequence of str, optional
        As in `read_table`; not with ``text`` or ``image``.
    missing : sequence, optional
        Labels that mean unlabelled; see `labelproof.validation.check_labels`.
    learn : bool, default=True
        Whether features are required; not if probabilities are ready-made.
    group : str, optional
        A column, such as a document or a patient: rows with the same value are in one fold of a cross-validation.
    kind : {"classes", "numbers", "spans"}, optional
        The kind of labels in the column. By default classes. For spans, ``label`` holds lists of tags and ``text`` lists of
        tokens.

    Returns
    -------
    Dataset
        It cannot be written back (`labelproof apply` needs a file), but `labelproof.Audit.join` joins the findings to the frame.

    Raises
    ------
    BadInput

    Warns
    -----
    LabelproofWarning
        If the index has a name twice; items are then named by row number.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"size": [1.0, 2.0, 1.1, 2.1], "kind": ["a", "b", "a", None]}, index=["w", "x", "y", "z"])
    >>> data = read_frame(frame, "kind")
    >>> data.ids.tolist(), data.given_names.tolist()
    (['w', 'x', 'y', 'z'], ['a', 'b', 'a', None])
    """
    asked = Asked(label, text, image, ids, features, ignore, keep, missing, learn, group, kind)
    source = held(frame)
    assert isinstance(source, Table | Whole)
    dataset = source.read(asked) if isinstance(source, Whole) else read_columns(source, asked)
    return replace(dataset, reader=Remembered(label, ids if isinstance(ids, str) else None))


def read_columns(table: Table, asked: Asked) -> Dataset:
    """Items and labels of a frame of columns.

    Raises
    ------
    BadInput
    """
    twice = repeated(table.columns)
    if twice is not None:
        raise BadInput(f"{NAME} has two columns named {twice!r}. Rename one.")
    if asked.label_kind is not None and asked.label_kind not in LABEL_COLUMNS:
        return _of_kind(asked.label_kind).of_frame(table, asked)
    if asked.label is None:
        raise BadInput(
            f"label is missing. Name the column of {NAME} that holds the labels. It has: {', '.join(table.columns[:30])}."
        )
    if len(table) == 0:
        raise BadInput(f"{NAME} has no rows. Give one row per item.")
    if asked.text is not None and asked.image is not None:
        raise BadInput("text and image are both given. Give only the one to learn from.")
    if (asked.text or asked.image) and (asked.features is not None or asked.ignore or asked.keep):
        raise BadInput(
            "features, ignore and keep choose the columns of a table to learn from. Omit them when you give text or image."
        )
    names = table.ids(asked.ids)
    if asked.image is not None:
        return _pictures(table, names, asked)
    if asked.text is not None:
        return _texts(table, names, asked)
    frame = table.frame(table.columns) if asked.label in table.columns else table.column(str(asked.label), "label").to_frame()
    id = asked.ids if isinstance(asked.ids, str) and asked.ids in frame.columns else None
    reader = FrameTableReader(
        NAME, str(asked.label), id, asked.missing, features=asked.features, ignore=asked.ignore, keep=asked.keep,
        group=asked.group, label_kind=asked.label_kind, frame=frame, names=names,
    )  # fmt: skip
    if asked.learn:
        return reader.read()
    labels = reader.labels(reader.raw(quiet=True)).labels
    shown = frame.drop(str(asked.label))
    return Dataset(np.empty((len(names), 0)), labels, names, lambda i: show_row(shown, i), "arrays")


def _of_kind(kind: str) -> type[Reader]:
    """The reader of labels with more than one value per item."""
    readers = (READERS[name] for name in READERS if READERS[name].reads_itself)
    found = next((reader for reader in readers if kind in reader.label_kinds), None)
    if found is None:
        raise BadInput(
            f"kind is {kind!r}, which {NAME} does not hold. Give {', '.join(LABEL_COLUMNS)} or spans, or the labels themselves."
        )
    return found


def _texts(table: Table, names: AnyArray, asked: Asked) -> Dataset:
    chosen = [asked.text] if isinstance(asked.text, str) else list(asked.text or ())
    columns = [table.column(name, "text") for name in chosen]
    label = table.column(str(asked.label), "label")
    body = columns[0]
    if len(columns) > 1:
        strings = pl.DataFrame([c.cast(pl.String) for c in columns])
        body = strings.select(pl.concat_str(pl.all(), separator=JOINED, ignore_nulls=True)).to_series()
        body = body.alias(JOINED.join(chosen))
    own: dict[str | None, pl.Series] = {} if asked.group is None else {asked.group: table.column(asked.group, "group")}
    frame = pl.DataFrame({**own, asked.label: label, body.name: body})
    reader = FrameTextReader(
        NAME,
        str(asked.label),
        None,
        asked.missing,
        group=asked.group,
        label_kind=asked.label_kind,
        frame=frame,
        names=names,
        text=body.name,
    )
    return reader.read()


def _pictures(table: Table, names: AnyArray, asked: Asked) -> Dataset:
    labels = label_values(table.column(str(asked.label), "label"), "label")
    found = PictureFiles(table.pictures(str(asked.image)), labels, names)
    groups = None if asked.group is None else label_values(table.column(asked.group, "group"), "group")
    return FramePictureReader(NAME, missing=asked.missing, found=replace(found, groups=groups)).read()
