"""Labels that a person has verified, from a table, merged into a data set."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.data.dataset import Dataset
from labelproof.data.frames import read_frame
from labelproof.data.raw_table import column, label_values
from labelproof.errors import BadInput, did_you_mean
from labelproof.labels.classes import Classes
from labelproof.review.candidates import open_candidates
from labelproof.review.log.identity import standing
from labelproof.review.log.store import Store
from labelproof.validation import Json, check_labels


def read_verified(path: str | os.PathLike[str], database: str | None = None) -> Json:
    """Verified labels by id.

    Parameters
    ----------
    path : path
        An audit folder: the decisions of its reviewers, ``None`` for an item that is none of the classes. Or a table with the
        columns ``id`` and ``label``; rows without a label are skipped.
    database : str, optional
        The database with the decisions of an audit folder, if they are not next to it.

    Raises
    ------
    BadInput
        If a column is missing, or an id has two different labels.
    """
    if Path(path).is_dir():
        return _decided(Path(path), database)
    frame = read_frame(path, text_columns=["id", "label"])
    ids = label_values(column(frame, "id", path, "--reviews: the column")).tolist()
    labels = label_values(column(frame, "label", path, "--reviews: the column")).tolist()
    found: Json = {}
    for row, (key, label) in enumerate(zip(ids, labels, strict=True)):
        if label is None or label == "":
            continue
        if str(key) in found and found[str(key)] != label:
            raise BadInput(f"--reviews row {row}: {key!r} is {label!r} here and {found[str(key)]!r} above. Keep one of them.")
        found[str(key)] = label
    return found


def _decided(folder: Path, database: str | None) -> Json:
    candidates = open_candidates(folder)
    if not candidates.part.one_choice:
        raise BadInput(f"--reviews {str(folder)!r} is an audit of {candidates.part.kind}. Give one of classes.")
    store = open_store(folder, database, must_exist=True)
    typed = {str(value): value for value in candidates.summary["classes"]}
    found = candidates.part.outcomes(standing(candidates, store))
    store.close()
    if not found:
        raise BadInput(f"--reviews {str(folder)!r} has no decision yet. Review some labels with labelproof review first.")
    return {item: None if outcome.label is None else typed[outcome.label] for item, outcome in found.items()}


def with_verified(dataset: Dataset, labels: Mapping[str, Any]) -> tuple[Dataset, npt.NDArray[np.bool_]]:
    """The data set with verified labels instead of the given ones, and their positions, shape (n,).

    An item that is verified to be none of the classes loses its label.

    Raises
    ------
    BadInput
        For an id that the data set does not have, or a label that is not one of its classes.
    """
    verified = np.zeros(len(dataset), bool)
    if not labels:
        return dataset, verified
    places = {str(key): row for row, key in enumerate(dataset.ids.tolist())}
    unknown = next((key for key in labels if key not in places), None)
    if unknown is not None:
        raise BadInput(
            f"The reviews name the item {unknown!r}, which the data do not have. {did_you_mean(unknown, list(places)[:10_000])}"
            "Check that --id is the same column as in the audit."
        )
    given, rows = dataset.given.copy(), np.array([places[key] for key in labels])
    given[rows] = check_labels(list(labels.values()), classes=dataset.classes, name="reviews", needed=0).codes
    verified[rows] = given[rows] >= 0
    return dataclasses.replace(dataset, labels=Classes.of_codes(given, dataset.classes)), verified


def open_store(folder: str | os.PathLike[str], database: str | None = None, *, must_exist: bool = False) -> Store:
    """The decisions of an audit folder: from a database, or from a SQLite file next to it, which a new audit does not
    overwrite.

    Raises
    ------
    BadInput
        If there is no such file and ``must_exist``.
    """
    place = Path(folder).resolve()
    beside = place.with_name(f"{place.name}.reviews.sqlite")
    if must_exist and database is None and not beside.exists():
        raise no_reviews(folder, f"{str(beside)!r} does not exist")
    return Store(database or beside)


def no_reviews(folder: str | os.PathLike[str], why: str) -> BadInput:
    """The error that an audit folder has no decision."""
    return BadInput(
        f"{str(folder)!r} has no reviews yet: {why}. Review it with labelproof review; labelproof apply --obvious needs no review."
    )
