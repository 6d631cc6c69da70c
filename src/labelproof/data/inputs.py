"""New items without labels, read as the training data was."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from labelproof.data.arrays import from_file
from labelproof.data.files import column, existing, plain_values, read_frame
from labelproof.data.images import SUFFIXES, decode_each
from labelproof.errors import BadInput
from labelproof.validation import AnyArray, check_features, check_ids


def read_inputs(source: dict[str, Any], path: str | os.PathLike[str]) -> tuple[Any, AnyArray]:
    """Items and their ids.

    Parameters
    ----------
    source : dict
        ``Dataset.source`` of the training data: its kind and columns.
    path : path
        A table with the same columns (the label may be missing), a folder of pictures, or an array.

    Raises
    ------
    BadInput
        If a column is missing, or a picture cannot be read.
    """
    kind = source.get("kind")
    if kind == "images" and not source.get("embeddings"):
        return _pictures(source, Path(path))
    if kind in ("arrays", "images"):
        x = check_features(from_file(path, "data"), name="data")
        return x, np.arange(len(x))
    if kind not in ("table", "text"):
        raise BadInput("the model was not trained from a file, so it is not known how to read one. Use it from Python.")
    name = source.get("id")
    frame = read_frame(path, text_columns=[c for c in (name, source.get("text")) if c])
    ids = check_ids(plain_values(frame[name]) if name in frame.columns else None, frame.height)
    if kind == "text":
        return column(frame, source["text"], path, "the text column").cast(pl.String).fill_null("").to_list(), ids
    for feature in source["features"]:
        column(frame, feature, path, "the feature")
    return frame.select(source["features"]), ids


def _pictures(source: dict[str, Any], root: Path) -> tuple[Any, AnyArray]:
    existing(root, "pictures")
    if root.is_dir():
        files = sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        names = [p.relative_to(root).as_posix() for p in files]
    elif root.suffix.lower() in SUFFIXES:
        files, names = [root], [root.name]
    else:
        if source.get("image") is None:
            raise BadInput(f"{str(root)!r} is no folder of pictures. Give one.")
        frame = read_frame(root, text_columns=[source["image"]])
        names = column(frame, source["image"], root, "the picture column").to_list()
        files = [root.parent / name for name in names]
    if not files:
        raise BadInput(f"no pictures in {str(root)!r} ({', '.join(sorted(SUFFIXES))}).")
    return decode_each(files, names, source["size"]), np.array(names, dtype=object)
