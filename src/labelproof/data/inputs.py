"""New items without labels, read as the training data was."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from labelproof.data.arrays import from_file
from labelproof.data.cells import new_cells
from labelproof.data.frames import label_values, read_raw
from labelproof.data.images import decode_each
from labelproof.data.picture_files import SUFFIXES, pictures_below
from labelproof.data.projection import Projection
from labelproof.data.schema import Schema
from labelproof.data.text import texts_of
from labelproof.errors import BadInput
from labelproof.saving.files import existing
from labelproof.validation import AnyArray, check_features, check_ids


def read_inputs(
    source: dict[str, Any],
    path: str | os.PathLike[str],
    projection: Projection | None = None,
    *,
    encoding: str | None = None,
) -> tuple[Any, AnyArray]:
    """Items and their ids.

    Parameters
    ----------
    source : dict
        ``Dataset.source`` of the training data: its kind and columns.
    path : path
        A table with the same columns (the label may be missing), an .h5ad file, a folder of pictures, or an array.

    projection : Projection, optional
        ``Dataset.projection`` of training data that were cells.
    encoding : str, optional
        Of a text file; that of the training data where left out.

    Raises
    ------
    BadInput
        If a column is missing, a value does not fit its type, or a picture cannot be read.
    """
    kind, encoding = source.get("kind"), encoding or source.get("encoding")
    if kind == "images" and not source.get("embeddings"):
        return _pictures(source, Path(path), encoding)
    if kind in ("arrays", "images"):
        x = check_features(from_file(path, "data"), name="data")
        return x, np.arange(len(x))
    if kind == "cells":
        if projection is None:
            raise BadInput(
                "the model was trained by a version of labelproof that did not keep how cells become features. Train again."
            )
        return new_cells(path, source.get("layer"), projection)
    if kind not in ("table", "text"):
        raise BadInput("the model was not trained from a file, so it is not known how to read one. Use it from Python.")
    name = source.get("id")
    raw = read_raw(path, encoding=encoding)
    ids = check_ids(label_values(raw.frame[name], "the id") if name in raw.frame.columns else None, raw.frame.height)
    if kind == "text":
        return texts_of(raw.column(source["text"], "the text column")).tolist(), ids
    if "schema" not in source:
        raise BadInput(
            "the model was trained by a version of labelproof that did not keep the types of its columns. Train again."
        )
    return Schema.from_json(source["schema"]).convert(raw.frame, repr(str(path))), ids


def _pictures(source: dict[str, Any], root: Path, encoding: str | None) -> tuple[Any, AnyArray]:
    existing(root, "pictures")
    if root.is_dir():
        files = pictures_below(root)
        names = [p.relative_to(root).as_posix() for p in files]
    elif root.suffix.lower() in SUFFIXES:
        files, names = [root], [root.name]
    else:
        if source.get("image") is None:
            raise BadInput(f"{str(root)!r} is no folder of pictures. Give one.")
        names = read_raw(root, encoding=encoding).column(source["image"], "the picture column").to_list()
        files = [root.parent / name for name in names]
    if not files:
        raise BadInput(f"no pictures in {str(root)!r} ({', '.join(sorted(SUFFIXES))}).")
    return decode_each(files, names, source["size"]), np.array(names, dtype=object)
