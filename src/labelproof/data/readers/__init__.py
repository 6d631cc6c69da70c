"""Readers: one file a source, one line here. The most particular come last and are asked first."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from labelproof.data.tables import form_of
from labelproof.errors import BadInput
from labelproof.labels.registry import Registry
from labelproof.validation import Json

if TYPE_CHECKING:
    from labelproof.data.readers.base import Reader, ReadOptions
    from labelproof.data.tables.base import TableForm

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
        "votes": "labelproof.data.readers.votes:VotesReader",
        "spans": "labelproof.data.readers.spans:SpansReader",
        "boxes": "labelproof.data.readers.boxes:BoxesReader",
        "masks": "labelproof.data.readers.masks:MasksReader",
    },
)


def open_reader(path: str | os.PathLike[str], options: ReadOptions) -> Reader:
    """The reader for a path and its options.

    Raises
    ------
    BadInput
        If a needed option is missing, or an option belongs to another reader.
    """
    source = os.fspath(path)
    readers = [READERS[name] for name in reversed(list(READERS))]
    own = next((reader for reader in readers if reader.reads_itself and reader.fits(Path(source), options)), None)
    form = None if own is not None else form_of(source)
    _check_part(form, options)
    if form is not None:
        source = form.known_as(source)
        options = form.completed(source, options)
    place = Path(source)
    found = own or next((reader for reader in readers if reader.fits(place, options)), READERS["table"])
    known = {part.name for part in fields(found)}
    if (options.ignore or options.keep) and "ignore" not in known:
        raise BadInput("--ignore and --keep apply to the columns of a table. Omit them here.")
    if options.images is not None and "folder" not in known:
        raise BadInput("--images is the folder of the pictures that a table or an export names. Omit it here.")
    if options.group is not None and "group" not in known:
        raise BadInput(f"--group names a column, and {source!r} has none. Omit it.")
    if options.void and "void" not in known:
        raise BadInput("--void applies only to masks. Omit it here.")
    if options.label_kind is not None and options.label_kind not in found.label_kinds:
        raise BadInput(
            f"--kind is {options.label_kind!r}, and {source!r} is read as {found.kind}, which holds {' or '.join(found.label_kinds)}. "
            "Omit --kind, or name another source."
        )
    reader = found.of(place, options)
    return _of_url(reader, source) if "://" in source else reader


def for_new(reader: Reader, path: str | os.PathLike[str], options: ReadOptions) -> tuple[Reader, str | os.PathLike[str]]:
    """A reader for new items in a path, which may be another sheet or the result of another query; and the name of the path."""
    form = form_of(path)
    _check_part(form, options)
    if form is None:
        return reader, path
    place = form.known_as(os.fspath(path))
    if options.query is None and form.part == "--query":
        raise BadInput("--query is missing. Give the SELECT whose rows are the new items.")
    return reader if options.part is None else reader.of_part(options.part), place


def _of_url(reader: Reader, url: str) -> Reader:
    """The reader with an unchanged URL: a path would merge its two slashes."""
    from labelproof.data.readers.table import ColumnReader

    assert isinstance(reader, ColumnReader)
    return replace(reader, path=url)


def _check_part(form: TableForm | None, options: ReadOptions) -> None:
    for option, value, what in (
        ("--sheet", options.sheet, "workbooks (.xlsx, .ods)"),
        ("--query", options.query, "databases (--sql)"),
    ):
        if value is not None and (form is None or form.part != option):
            raise BadInput(f"{option} applies only to {what}. Omit it here.")


def reader_of(source: Json | None) -> Reader | None:
    """The reader in the JSON of an audit or a model; ``None`` if its data came from no file."""
    if not source or source.get("kind") is None:
        return None
    kind = str(source["kind"])
    if "version" not in source:  # as version 0.1 wrote it
        if kind == "images" and source.get("label") is not None:
            kind = "manifest"
        elif kind == "arrays" and source.get("tags") is not None:
            kind = "tag arrays"
    return READERS[kind].from_json(source)
