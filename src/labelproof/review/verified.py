"""Labels that a person has verified, from a table, brought into a data set."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.data.dataset import Dataset
from labelproof.data.files import column, plain_values, read_frame
from labelproof.errors import BadInput
from labelproof.validation import check_labels, did_you_mean


def read_verified(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Verified labels by id, from a table with the columns ``id`` and ``label``; rows without a label are left out.

    Raises
    ------
    BadInput
        If a column is missing, or an id has two different labels.
    """
    frame = read_frame(path, text_columns=["id", "label"])
    ids = plain_values(column(frame, "id", path, "--reviews: the column")).tolist()
    labels = plain_values(column(frame, "label", path, "--reviews: the column")).tolist()
    found: dict[str, Any] = {}
    for row, (key, label) in enumerate(zip(ids, labels, strict=True)):
        if label is None or label == "":
            continue
        if str(key) in found and found[str(key)] != label:
            raise BadInput(f"--reviews row {row}: {key!r} is {label!r} here and {found[str(key)]!r} above. Keep one of them.")
        found[str(key)] = label
    return found


def with_verified(dataset: Dataset, labels: Mapping[str, Any]) -> tuple[Dataset, npt.NDArray[np.bool_]]:
    """The data set with verified labels in place of the given ones, and where they are, shape (n,).

    Raises
    ------
    BadInput
        For an id that the data set has not, or a label that is none of its classes.
    """
    verified = np.zeros(len(dataset), bool)
    if not labels:
        return dataset, verified
    places = {str(key): row for row, key in enumerate(dataset.ids.tolist())}
    unknown = next((key for key in labels if key not in places), None)
    if unknown is not None:
        raise BadInput(
            f"the reviews name the item {unknown!r}, which the data has not. {did_you_mean(unknown, list(places)[:10_000])}"
            "Is --id the same column as in the audit?"
        )
    given, rows = dataset.given.copy(), np.array([places[key] for key in labels])
    given[rows] = check_labels(list(labels.values()), classes=dataset.classes, name="reviews", needed=0).codes
    verified[rows] = True
    return dataclasses.replace(dataset, given=given), verified
