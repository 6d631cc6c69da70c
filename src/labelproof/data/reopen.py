"""The items of an audit opened again, one by one: what a person is shown, without decoding what nobody looks at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labelproof.data.arrays import rows_of_file, show_array
from labelproof.data.cells import read_cells
from labelproof.data.dataset import Shown
from labelproof.data.images import Decoded, decode_all, thumbnail
from labelproof.data.picture_files import list_pictures
from labelproof.data.table import read_table
from labelproof.data.text import read_text
from labelproof.errors import BadInput
from labelproof.validation import IntArray

PICTURE_PIXELS = 1024


@dataclass(frozen=True)
class Items:
    """Items that can be looked at.

    Attributes
    ----------
    kind : {"table", "text", "images", "arrays", "cells"}
    n : int
        Number of items, as the audit numbered them.
    show : callable
        Row number to `Shown`; pictures are at most 1,024 pixels wide or high.
    take : callable
        Row numbers to what a model would learn from: a frame, texts, or an array, with one row for each.
    """

    kind: str
    n: int
    show: Callable[[int], Shown]
    take: Callable[[IntArray], Any]


def reopen(source: dict[str, Any], skipped: Sequence[str] = ()) -> Items | None:
    """Open the data that an audit was made of.

    Parameters
    ----------
    source : dict
        ``source`` of the audit's summary.
    skipped : sequence of str
        Names of the pictures that the audit could not read.

    Returns
    -------
    Items or None
        ``None`` where the audit was made of labels and probabilities alone.

    Raises
    ------
    BadInput
        If a file is missing, or is not what it was.
    """
    kind = source.get("kind")
    if kind == "images":
        return _pictures(source, set(skipped))
    if kind in ("table", "text"):
        how = {"id": source["id"], "missing": source.get("missing"), "encoding": source.get("encoding")}
        dataset = (
            read_table(source["path"], source["label"], features=source["features"], schema=source.get("schema"), **how)
            if kind == "table"
            else read_text(source["path"], source["label"], source["text"], quiet=True, **how)
        )
        return Items(kind, len(dataset), dataset.show, lambda rows: dataset.x[rows])
    if kind == "cells":
        cells = read_cells(
            source["path"],
            source["label"],
            layer=source["layer"],
            unlabeled_category=source["unlabeled_category"],
            missing=source.get("missing"),
        )
        return Items("cells", len(cells), cells.show, lambda rows: cells.x[rows])
    if kind == "arrays" and source.get("features"):
        x = rows_of_file(source["features"], "features")
        return Items("arrays", len(x), lambda i: show_array(x[np.array([i])][0]), lambda rows: x[rows])
    return None


def _pictures(source: dict[str, Any], skipped: set[str]) -> Items:
    """Pictures wherever their manifest says they are, inside its folder or not, as the audit read them."""
    found = list_pictures(
        Path(source["path"]), source["label"], source["image"], source["id"], encoding=source.get("encoding"), quiet=True
    )
    files = [file for file, name in zip(found.files, found.names, strict=True) if str(name) not in skipped]

    def show(i: int) -> Shown:
        try:
            return Shown(image=thumbnail(files[i], PICTURE_PIXELS))
        except BadInput as reason:
            raise BadInput(f"picture {files[i].name!r} {reason}.") from reason

    def take(rows: IntArray) -> Decoded:
        pixels, kept, _ = decode_all([files[i] for i in rows], [str(i) for i in rows], source["size"])
        if len(kept) < len(rows):
            raise BadInput("some pictures cannot be read any more.")
        return pixels

    return Items("images", len(files), show, take)
