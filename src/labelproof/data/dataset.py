"""The one shape that every reader makes and everything above takes."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from labelproof.data.leaks import Leak
from labelproof.data.picture_source import PictureSource
from labelproof.data.projection import Projection
from labelproof.errors import BadInput
from labelproof.labels.base import Labels
from labelproof.validation import UNLABELLED, AnyArray, Json

Kind = Literal["table", "text", "images", "arrays", "cells", "sentences"]


@dataclass(frozen=True)
class Shown:
    """The display of one item for a person; exactly one of the three is filled.

    Attributes
    ----------
    text : str
    fields : tuple of (name, value)
        A table row, the first entries of a feature vector, or the marker genes of a cell.
    image : bytes
        A PNG or JPEG file.
    """

    text: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    image: bytes = b""


def media_type(image: bytes) -> str:
    """``image/png`` or ``image/jpeg``, by the content of a file."""
    return "image/png" if image.startswith(b"\x89PNG") else "image/jpeg"


def data_url(image: bytes) -> str:
    """The file as a URL that contains it; empty without a file."""
    return f"data:{media_type(image)};base64,{base64.b64encode(image).decode('ascii')}" if image else ""


class Remembered(Protocol):
    """The reader of a data set: a `labelproof.data.readers.base.Reader`."""

    def to_json(self) -> Json: ...

    def predictions(self, path: str | os.PathLike[str], dataset: Dataset) -> object: ...


@dataclass(frozen=True)
class Dataset:
    """Items, their given labels, and a way to show an item to a person.

    Attributes
    ----------
    x : array, frame or sequence with n rows
        The input of a model.
    labels : Labels
        The given labels.
    ids : ndarray, shape (n,)
        Stable names of the items, from the file.
    show_item : callable
        Row number to `Shown`.
    kind : {"table", "text", "images", "arrays", "cells", "sentences"}
        Chooses the default model.
    skipped : list of (id, reason)
        Items that could not be read.
    reader : Reader, optional
        The reader of the data, which can open them again and write them back.
    projection : Projection, optional
        For cells: how counts become features.
    split : ndarray of str, shape (n,), optional
        For pictures in folders ``train``, ``val`` …: the folder of each.
    leaks : tuple of Leak
        Columns of a table that give the label away.
    pictures : PictureSource, optional
        The original pictures, for encoders.
    groups : ndarray, shape (n,), optional
        The group of each item, such as a document or a patient: a group stays in one fold of a cross-validation.
    """

    x: Any
    labels: Labels
    ids: AnyArray
    show_item: Callable[[int], Shown]
    kind: Kind
    skipped: list[tuple[str, str]] = field(default_factory=list)
    reader: Remembered | None = None
    projection: Projection | None = field(default=None, repr=False, compare=False)
    split: AnyArray | None = None
    leaks: tuple[Leak, ...] = ()
    pictures: PictureSource | None = field(default=None, repr=False, compare=False)
    groups: AnyArray | None = None

    def __post_init__(self) -> None:
        sizes = {"x": len(self.x), "labels": len(self.labels), "ids": len(self.ids)}
        if self.groups is not None:
            sizes["groups"] = len(self.groups)
        if len(set(sizes.values())) != 1:
            raise BadInput(f"A Dataset needs one row of each per item, but got {sizes}.")

    def __len__(self) -> int:
        return len(self.labels)

    def show(self, i: int) -> Shown:
        """What a person sees of item ``i``, by row number."""
        return self.show_item(i)

    @property
    def source(self) -> Json:
        """The reader as JSON, for saving; empty without a reader."""
        return {} if self.reader is None else self.reader.to_json()

    @property
    def classes(self) -> tuple[object, ...]:
        """Sorted class names."""
        return self.labels.classes

    @property
    def given(self) -> npt.NDArray[np.int64]:
        """Codes of the given classes, -1 where unlabelled, shape (n,)."""
        return self.labels.as_given(self.labels.values, UNLABELLED).astype(np.int64, copy=False)

    @property
    def given_names(self) -> AnyArray:
        """The given classes by name, shape (n,); ``None`` where unlabelled."""
        return np.asarray(np.array([*self.classes, None], dtype=object)[self.given])
