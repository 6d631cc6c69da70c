"""The findings of an audit as columns of the frame that was audited."""

from __future__ import annotations

import warnings
from typing import Protocol

import numpy as np
import polars as pl

from labelproof.data.label_columns import LABEL_COLUMNS
from labelproof.data.libraries import held
from labelproof.data.libraries.base import Held, repeated
from labelproof.errors import BadInput, LabelproofWarning
from labelproof.labels.base import Labels
from labelproof.validation import AnyArray, IntArray, Json, check_ids

COLUMNS = ("given_label", "suggested_label", "error_probability", "verdict", "confidence")
NOWHERE = -1  # an item that could not be read


class Audited(Protocol):
    """The part of `labelproof.Audit` that joining needs."""

    @property
    def labels(self) -> Labels: ...
    @property
    def n(self) -> int: ...
    @property
    def ids(self) -> AnyArray | None: ...
    @property
    def issues(self) -> pl.DataFrame: ...
    @property
    def items(self) -> pl.DataFrame: ...
    @property
    def skipped(self) -> list[tuple[str, str]]: ...
    @property
    def source(self) -> Json: ...


def join(audit: Audited, frame: object, *, ids: object = None, prefix: str = "") -> object:
    """See `labelproof.Audit.join`."""
    table = held(frame)
    found = columns_of(audit)
    found.columns = [prefix + name for name in found.columns]
    clash = [name for name in found.columns if name in table.columns]
    if clash:
        raise BadInput(
            f"The frame already has a column {clash[0]!r}. Drop or rename it, or give a prefix, e.g. prefix='found_'."
        )
    rows = rows_of(audit, table, ids)
    return table.joined(found[pl.Series([None if row == NOWHERE else row for row in rows.tolist()], dtype=pl.UInt32)])


def columns_of(audit: Audited) -> pl.DataFrame:
    """The findings of each item, in the order of the input; null if it has no label."""
    if audit.labels.many_sites:
        return audit.items.select(pl.col("error_probability").fill_nan(None))
    sites = audit.issues.select("index", *COLUMNS)
    return audit.items.select("index").join(sites, on="index", how="left", maintain_order="left").select(COLUMNS)


def rows_of(audit: Audited, table: Held, ids: object) -> IntArray:
    """The item of an audit for each row of a frame, by its name or, without names, by its position.

    Raises
    ------
    BadInput
        If a row is no item of the audit, or if by their places they have other labels.
    """
    remembered = audit.source.get("ids") if "kind" not in audit.source else None
    if ids is None and remembered is not None:
        if not _has(table, str(remembered)):
            raise BadInput(f"The audit names its items by the column {remembered!r}, which the frame does not have. Give ids=.")
        ids = remembered
    if ids is not None:
        return _by_name(audit, table.ids(ids))
    names = table.names
    if names is not None and repeated(names) is None:
        known = {str(name) for name in _names(audit)}
        if any(str(name) in known for name in names.tolist()):
            return _by_name(audit, names)
    n = audit.n + len(audit.skipped)
    if len(table) != n:
        raise BadInput(
            f"The frame has {len(table):,} rows but {n:,} items were audited, and nothing names its rows. Give the frame that was audited, or name its rows by ids= (if none were given: row numbers of that frame)."
        )
    if audit.skipped:
        return _by_name(audit, np.arange(n))
    rows = np.arange(n)
    _check_labels(audit, table)
    return rows


def _names(audit: Audited) -> AnyArray:
    """Names of all items, those that could not be read at the end."""
    own = np.arange(audit.n) if audit.ids is None else audit.ids
    return np.array([*own.tolist(), *(name for name, _ in audit.skipped)], dtype=object)


def _by_name(audit: Audited, names: AnyArray) -> IntArray:
    known = _names(audit).tolist()
    places = {str(name): row if row < audit.n else NOWHERE for row, name in enumerate(known) if name is not None}
    unknown = [name for name in names.tolist() if str(name) not in places]
    if len(unknown) > known.count(None):  # a saved audit does not name the items without a label
        raise BadInput(
            f"The frame has the row {unknown[0]!r}, which is no item of the audit. Give the frame that was audited or a part of it, or name its rows by ids=."
        )
    return np.array([places.get(str(name), NOWHERE) for name in check_ids(names, len(names)).tolist()], np.int64)


def _has(table: Held, name: str) -> bool:
    try:
        table.column(name, "ids")
    except BadInput:
        return False
    return True


def _check_labels(audit: Audited, table: Held) -> None:
    """Refuse a frame whose rows, identified only by their order, have other labels than the audited ones."""
    label = audit.source.get("label")
    if label not in table.columns or audit.labels.kind not in LABEL_COLUMNS:
        return
    kind = LABEL_COLUMNS[audit.labels.kind]
    given = kind.texts_of(audit.labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabelproofWarning)  # the audit has already warned
        now = kind.of_series(table.column(label, "label"), f"label column {label!r}", None).texts
    differs = [row for row, (a, b) in enumerate(zip(given, now, strict=True)) if a is not None and a != b]
    if differs:
        row = differs[0]
        raise BadInput(
            f"row {row} of the frame is {now[row]!r} but was {given[row]!r} when it was audited: its rows have changed or moved. Give the frame as it was. If only the labels were changed, give ids=range({audit.n})."
        )
