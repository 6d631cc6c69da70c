"""The data set with its labels repaired, as a new table."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.auditing.findings import verdicts
from labelproof.data.arrays import from_file
from labelproof.data.cells import read_cells
from labelproof.data.files import check_table_target, plain_values, read_frame, write_frame
from labelproof.data.images import list_pictures
from labelproof.errors import BadInput
from labelproof.review.candidates import Candidates, tags_text
from labelproof.review.identity import standing
from labelproof.review.resolve import Resolved, resolve
from labelproof.review.store import Store


@dataclass(frozen=True)
class Repaired:
    """What `repair` changed: numbers of labels.

    Attributes
    ----------
    reviewed : int
        Changed because a person said so, those emptied included.
    emptied : int
        Of these, items that are none of the classes.
    obvious : int
        Changed without a review.
    """

    reviewed: int
    emptied: int
    obvious: int


def repair(
    candidates: Candidates,
    store: Store,
    target: str | os.PathLike[str],
    *,
    obvious: bool = False,
    overwrite: bool = False,
) -> Repaired:
    """Write the repaired data set; the original is never touched.

    The columns are those of the original, with the repaired labels, the old ones in ``<label>_given``, and in ``<label>_change``
    why a label changed. Arrays become a table of ``id`` and ``label``, pictures of ``path`` and ``label``, cells of ``id`` and the annotation, tags one column of
    0 and 1 for each tag.

    Parameters
    ----------
    candidates : Candidates
    store : Store
        Its decisions come first; an item of several reviewers as `labelproof.review.resolve` settles it.
    target : path of a .csv, .tsv or .parquet file
    obvious : bool
        Whether labels that nobody reviewed and whose verdict is ``obvious`` become the suggestion.
    overwrite : bool

    Raises
    ------
    BadInput
        If the data cannot be found, or their labels are not those that were audited.
    """
    source = candidates.summary.get("source") or {}
    original = source.get("path") or source.get("labels") or source.get("tags")
    if original is None:
        raise BadInput("the audit does not say which file its labels came from. Audit the file with labelproof audit.")
    goal = check_table_target(target, overwrite=overwrite, source=original)
    resolved = resolve(standing(candidates, store))
    ranks = candidates.ranks_of(list(resolved))
    outcomes = {ranks[item]: found for item, found in resolved.items() if item in ranks}
    if candidates.has_tags:
        frame, result = _repaired_tags(candidates, outcomes)
    else:
        frame, result = _repaired_labels(candidates, outcomes, source, obvious)
    write_frame(frame, goal)
    return result


def _repaired_labels(
    candidates: Candidates, outcomes: dict[int, Resolved], source: dict[str, Any], obvious: bool
) -> tuple[pl.DataFrame, Repaired]:
    frame, label, rows = _original(candidates, source)
    new = [None if value is None else str(value) for value in plain_values(frame[label]).tolist()]
    place = rows[candidates.index]  # row of the file, by rank
    given = pl.Series(candidates.classes).gather(candidates.given).to_list()
    differs = next((rank for rank, row in enumerate(place.tolist()) if new[row] != given[rank]), None)
    if differs is not None:
        raise BadInput(
            f"row {place[differs]} of the data is {new[place[differs]]!r} now but was {given[differs]!r} when it was audited. "
            "The file has changed; audit it again."
        )
    change = [""] * len(new)
    reviewed = emptied = flipped = 0
    for rank, found in outcomes.items():
        if found.label != given[rank]:
            reviewed += 1
            emptied += found.label is None
            new[place[rank]] = found.label
            what = "reviewed" if found.label is not None else "reviewed, none of the classes"
            change[place[rank]] = f"{what} by {', '.join(found.reviewers)}; was {given[rank]}"
    if obvious:
        suggested = pl.Series(candidates.classes).gather(candidates.table["suggested_label"]).to_list()
        error = candidates.error_probability
        head = int((verdicts(error) == "obvious").sum())
        for rank in range(head):
            if rank not in outcomes and suggested[rank] != given[rank]:
                flipped += 1
                new[place[rank]] = suggested[rank]
                change[place[rank]] = f"obvious, {error[rank]:.1%} wrong; was {given[rank]}"
    for name in (f"{label}_given", f"{label}_change"):
        if name in frame.columns:
            raise BadInput(f"the data have a column {name!r} already, which would be written. Rename it.")
    repaired = frame.with_columns(
        _as_column(new, frame[label], candidates),
        frame[label].alias(f"{label}_given"),
        pl.Series(f"{label}_change", change, dtype=pl.String),
    )
    return repaired, Repaired(reviewed, emptied, flipped)


def _as_column(names: list[str | None], original: pl.Series, candidates: Candidates) -> pl.Series:
    """Class names as values of the type that the column had."""
    if original.dtype == pl.String:
        return pl.Series(original.name, names, dtype=pl.String)
    typed = {str(value): value for value in candidates.summary["classes"]}
    values = [None if name is None else typed[name] for name in names]
    return pl.Series(original.name, values, dtype=original.dtype, strict=False)


def _original(candidates: Candidates, source: dict[str, Any]) -> tuple[pl.DataFrame, str, npt.NDArray[np.int64]]:
    """The data as a table, its label column, and the row of the table for each item as the audit numbered them."""
    kind = source["kind"]
    if kind in ("table", "text") or (kind == "images" and source["label"] is not None):
        columns = [source[name] for name in ("label", "id", "text", "image") if source.get(name)]
        frame, label = read_frame(source["path"], text_columns=columns), source["label"]
        name = source["id"] or source.get("image") if kind == "images" else None
        names = frame[name].cast(pl.String) if name else None
    elif kind == "images":
        files, labels, paths = list_pictures(Path(source["path"]), None, None, None)
        root, label = Path(source["path"]), "label"
        names = pl.Series(paths.tolist())
        frame = pl.DataFrame({"path": [str(root / file) for file in files], "label": labels.tolist()})
    elif kind == "cells":
        cells = read_cells(
            source["path"], source["label"], layer=source["layer"], unlabeled_category=source["unlabeled_category"]
        )
        label, names = source["label"], None
        frame = pl.DataFrame({"id": cells.ids.tolist(), label: cells.labels.tolist()})
    else:
        labels = np.asarray(from_file(source["labels"], "labels"))
        frame, label, names = pl.DataFrame({"id": np.arange(len(labels)), "label": labels.tolist()}), "label", None
    skipped = {str(row["id"]) for row in candidates.summary.get("skipped", [])}
    kept = np.arange(frame.height) if names is None or not skipped else np.flatnonzero(~names.is_in(list(skipped)).to_numpy())
    if len(kept) != candidates.summary["n"]:
        raise BadInput(
            f"the data have {len(kept):,} items now but had {candidates.summary['n']:,} when they were audited. Audit them again."
        )
    return frame, label, kept


def _repaired_tags(candidates: Candidates, outcomes: dict[int, Resolved]) -> tuple[pl.DataFrame, Repaired]:
    table = candidates.table.with_row_index("rank").sort("index")
    tags = [row.to_list() for row in table["tags"]]
    change = [""] * len(tags)
    reviewed = 0
    for row, rank in enumerate(table["rank"].to_list()):
        found = outcomes.get(rank)
        if found is None or found.label is None or found.label == tags_text(tags[row]):
            continue
        reviewed += 1
        change[row] = f"reviewed by {', '.join(found.reviewers)}; was {', '.join(tags[row]) or 'without tags'}"
        tags[row] = [str(name) for name in json.loads(found.label)]
    held = [set(names) for names in tags]
    columns = {name: pl.Series([int(name in row) for row in held], dtype=pl.Int8) for name in candidates.classes}
    return pl.DataFrame({"id": table["id"], **columns, "tags_change": change}), Repaired(reviewed, 0, 0)
