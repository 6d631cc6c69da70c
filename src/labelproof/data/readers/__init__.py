"""Readers: one file a source, one line here. The most particular come last and are asked first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from labelproof.data.tables import form_of
from labelproof.errors import BadInput
from labelproof.labels.registry import Registry
from labelproof.validation import Json

if TYPE_CHECKING:
    from labelproof.data.readers.base import Reader, ReadOptions

READERS: Registry[type[Reader]] = Registry(
    "reader",
    {
        "table": "labelproof.data.readers.table:TableReader",
        "text": "labelproof.data.readers.text:TextReader",
        "manifest": "labelproof.data.readers.manifest:ManifestReader",
        "images": "labelproof.data.readers.picture_folder:PictureFolderReader",
        "cells": "labelproof.data.readers.cells:CellsReader",
        "arrays": "labelproof.data.readers.arrays:ArraysReader",
        "tag arrays": "labelproof.data.readers.tag_arrays:TagArraysReader",
    },
)


def open_reader(path: str | os.PathLike[str], options: ReadOptions) -> Reader:
    """The reader that a path and what is said of it call for.

    Raises
    ------
    BadInput
        If a needed option is missing, or an option is of another reader.
    """
    source = os.fspath(path)
    form = form_of(source)
    if form is not None:
        options = form.completed(source, options)
    place = Path(source)
    found = next((READERS[name] for name in reversed(list(READERS)) if READERS[name].fits(place, options)), READERS["table"])
    if (options.ignore or options.keep) and found.kind != "table":
        raise BadInput("--ignore and --keep name columns of a table to learn from or not. Leave them out here.")
    return found.of(place, options)


def reader_of(source: Json | None) -> Reader | None:
    """The reader that an audit or a model remembers, by its JSON; ``None`` where it was made of what no file holds."""
    if not source or source.get("kind") is None:
        return None
    kind = str(source["kind"])
    if "version" not in source:  # as version 0.1 wrote it
        if kind == "images" and source.get("label") is not None:
            kind = "manifest"
        elif kind == "arrays" and source.get("tags") is not None:
            kind = "tag arrays"
    return READERS[kind].from_json(source)
