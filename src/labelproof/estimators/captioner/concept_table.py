"""Concept probabilities of frames as a file: a tagger writes it and a captioner reads it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.data.bags import Bags
from labelproof.data.frames import read_frame, write_frame
from labelproof.data.raw_table import column
from labelproof.data.readers.captions import Captions
from labelproof.errors import BadInput

ITEM, FRAME = "item_id", "frame_number"


@dataclass(frozen=True)
class ConceptTable:
    """Items with the probabilities of every concept in each of their frames.

    Attributes
    ----------
    ids : tuple of n str
    frames : Bags
        Bags of vectors (k,), one per frame; a picture has one.
    numbers : ndarray of int64, shape (sum of frames,)
        Which frame of its item each is, counted from 0.
    names : tuple of k str
    """

    ids: tuple[str, ...]
    frames: Bags
    numbers: npt.NDArray[np.int64]
    names: tuple[str, ...]

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write one row per frame: ``item_id``, ``frame_number``, then one column per concept (.parquet, .csv, .tsv).

        Raises
        ------
        BadInput
            For a concept whose name is one of the first two columns.
        """
        taken = next((name for name in self.names if name in (ITEM, FRAME)), None)
        if taken is not None:
            raise BadInput(f"A concept has the name {taken!r}, the name of another column. Rename it.")
        columns: dict[str, Any] = {
            ITEM: np.repeat(np.array(self.ids, object), self.frames.sizes).astype(str),
            FRAME: self.numbers,
        }
        values = np.asarray(self.frames.instances, np.float32)
        columns |= {name: values[:, j] for j, name in enumerate(self.names)}
        write_frame(pl.DataFrame(columns), Path(path))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> ConceptTable:
        """Read what `write` wrote; the rows of an item must be consecutive.

        Raises
        ------
        BadInput
            For a missing column, no concept, a value that is no number, or an item in two places.
        """
        table = read_frame(path, text_columns=[ITEM])
        ids = column(table, ITEM, path, "the column of names").cast(pl.String)
        numbers = column(table, FRAME, path, "the column of frames")
        names = [name for name in table.columns if name not in (ITEM, FRAME)]
        if not names or not table.height:
            raise BadInput(
                f"{str(path)!r} has {table.height} rows and {len(names)} concepts. Make it with labelproof concepts."
            )
        for name in names:
            if not table[name].dtype.is_numeric() or table[name].null_count():
                raise BadInput(
                    f"concept {name!r} of {str(path)!r} has values that are not numbers. Give one probability per frame."
                )
        first = np.flatnonzero(np.concatenate([[True], (ids[1:] != ids[:-1]).to_numpy()]))
        own = tuple(ids.gather(first).to_list())
        twice = next((name for name, count in Counter(own).items() if count > 1), None)
        if twice is not None or None in own:
            raise BadInput(f"item {twice!r} of {str(path)!r} occurs twice, or has no name. Sort the rows by {ITEM}.")
        sizes = np.diff(np.append(first, table.height))
        values = table.select(names).to_numpy().astype(np.float32)
        return cls(own, Bags(values, sizes), numbers.to_numpy().astype(np.int64), tuple(names))

    def with_captions(self, captions: Captions) -> tuple[Bags, Captions, int]:
        """The items that have captions, in the order of this table, their captions, and the number of items without.

        An item's name is the name of a picture's file or of a video (`named`).

        Raises
        ------
        BadInput
            If no item has one.
        """
        place = {name: row for row, name in enumerate(named(captions))}
        kept = [row for row, name in enumerate(self.ids) if name in place]
        if not kept:
            raise BadInput(
                f"No item has a caption. The items are {_few(self.ids)}, and the captions are of {_few(list(place))}."
            )
        return self.frames.take(np.array(kept)), captions.take([place[self.ids[row]] for row in kept]), len(self) - len(kept)

    def __len__(self) -> int:
        return len(self.ids)


def named(captions: Captions) -> list[str]:
    """The name of an item of captions: its file name, if the captions have it, otherwise its id."""
    return [file or str(id_) for file, id_ in zip(captions.files, captions.ids, strict=True)]


def _few(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:3])) + (", …" if len(names) > 3 else "")
