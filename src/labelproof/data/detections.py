"""Predictions of a detector in files: COCO results, tables, text files of YOLO and KITTI, predictions of Label Studio."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from labelproof.data.box_files.base import BoxedPictures, numbers_in, size_of
from labelproof.data.box_files.kitti import is_line, kitti_box
from labelproof.data.box_files.label_studio import rectangle
from labelproof.data.box_files.yolo import lines_of, yolo_box
from labelproof.data.frames import read_frame
from labelproof.data.tables.json_text import JsonText
from labelproof.data.targets import table_suffix
from labelproof.errors import BadInput, LabelproofWarning
from labelproof.labels.boxes import Box
from labelproof.saving.files import existing
from labelproof.validation import Json

MOST_COVERED = 0.5  # of a prediction, by a region without single labels
COLUMNS: Mapping[str, Sequence[str]] = {  # possible names of columns of a table, in lower case
    "picture": ("image_id", "image", "file_name", "filename", "path", "picture", "id"),
    "x1": ("x1", "xmin", "left", "xtl"),
    "y1": ("y1", "ymin", "top", "ytl"),
    "x2": ("x2", "xmax", "right", "xbr"),
    "y2": ("y2", "ymax", "bottom", "ybr"),
    "label": ("label", "class", "category", "category_id", "class_name", "name"),
    "score": ("score", "confidence", "conf", "probability"),
}


class Detection(NamedTuple):
    """One box that a detector found.

    Attributes
    ----------
    row : int
        Row of the picture.
    box : Box
    score : float
    """

    row: int
    box: Box
    score: float


def detections_from(path: str | Path, known: BoxedPictures) -> list[Json]:
    """The predictions of each picture, as `labelproof.audit` takes them.

    Pictures are identified by id or by the name of their file, with or without its ending. Predictions in crowds (COCO) and
    ``DontCare`` regions (KITTI) are no evidence and are skipped. Classes that no label has are skipped with a warning.

    Parameters
    ----------
    path : path
        A ``.json`` file of COCO results (``image_id``, ``category_id``, ``bbox``, ``score``) or an export of Label Studio with
        predictions; a table with columns such as ``image, x1, y1, x2, y2, label, score``; or a folder of text files of YOLO (with
        the confidence at the end of each line) or KITTI (with the score).
    known : BoxedPictures

    Raises
    ------
    BadInput
        If it has none of these formats, or names a picture that the labels do not have.
    """
    place = existing(path, "--predictions")
    if place.is_dir():
        found: Iterable[Detection | str] = _of_folder(place, known)
    elif table_suffix(place) is not None:
        found = _of_table(place, known)
    else:
        found = _of_json(place, known)
    rows: list[list[Detection]] = [[] for _ in known.names]
    unknown: Counter[str] = Counter()
    for one in found:
        if isinstance(one, str):
            unknown[one] += 1
        else:
            rows[one.row].append(one)
    for row, regions in known.ignored.items():
        rows[row] = [one for one in rows[row] if not _covered(one.box, regions)]
    if unknown:
        told = ", ".join(f"{name} ({count:,})" for name, count in unknown.most_common(5))
        if not any(rows):
            raise BadInput(
                f"--predictions {str(place)!r} has only classes that no label has: {told}. Name them as the labels do."
            )
        warnings.warn(
            f"--predictions {str(place)!r} has classes that no label has, which are skipped: {told}.",
            LabelproofWarning,
            stacklevel=2,
        )
    return [
        {
            "boxes": np.array([one.box[:4] for one in own], float).reshape(-1, 4),
            "labels": [one.box[4] for one in own],
            "scores": np.array([one.score for one in own], float),
        }
        for own in rows
    ]


def _covered(box: Box, regions: Sequence[tuple[float, float, float, float]]) -> bool:
    """Whether half of a box is in one of some regions."""
    area = max((box[2] - box[0]) * (box[3] - box[1]), 1e-9)
    for x1, y1, x2, y2 in regions:
        width, height = min(box[2], x2) - max(box[0], x1), min(box[3], y2) - max(box[1], y1)
        if width > 0 and height > 0 and width * height >= MOST_COVERED * area:
            return True
    return False


def _row_of(key: object, known: BoxedPictures, where: str) -> int:
    name = str(key)
    row = known.keys.get(name)
    if row is None:
        row = known.keys.get(Path(name).name, known.keys.get(Path(name).stem))
    if row is None:
        raise BadInput(f"{where} names picture {name!r}, which has no label. Predict only the pictures that are audited.")
    return row


def _of_json(path: Path, known: BoxedPictures) -> Iterator[Detection | str]:
    outer = JsonText.of(path).parsed()
    if isinstance(outer, dict) and isinstance(outer.get("annotations"), list):
        outer = outer["annotations"]
    if not isinstance(outer, list):
        raise BadInput(
            f"{str(path)!r} holds no list of predictions. Give COCO results: image_id, category_id, bbox and score of each."
        )
    for number, one in enumerate(outer):
        where = f"entry {number} of {str(path)!r}"
        if isinstance(one, dict) and "data" in one:
            yield from _of_task(one, known, where)
        else:
            yield _of_result(one, known, where)


def _of_result(one: Any, known: BoxedPictures, where: str) -> Detection | str:
    edges = one.get("bbox") if isinstance(one, dict) else None
    if not isinstance(edges, list) or len(edges) != 4 or "image_id" not in one or "score" not in one:
        raise BadInput(f"{where} is {str(one)[:80]!r}. Give image_id, category_id, bbox [x, y, width, height] and score.")
    x, y, width, height, score = numbers_in([*edges, one["score"]], where)
    row = _row_of(one["image_id"], known, where)
    name = str(one.get("category_id", one.get("category")))
    if name not in known.categories:
        return name
    return Detection(row, (x, y, x + width, y + height, known.categories[name]), score)


def _of_task(task: Json, known: BoxedPictures, where: str) -> Iterator[Detection | str]:
    """The predictions of a task of Label Studio; of several the latest."""
    made = [one for one in task.get("predictions") or [] if isinstance(one, dict)]
    if not made:
        return
    latest = max(made, key=lambda one: str(one.get("created_at") or one.get("id") or ""))
    row = _row_of(task.get("id"), known, where)
    for result in latest.get("result") or []:
        read = rectangle(result, where)
        if read is None:
            continue
        score = result.get("score", latest.get("score"))
        if score is None:
            raise BadInput(f"{where} has a prediction without a score. Give each rectangle its score.")
        box = read[0]
        yield Detection(row, box, float(score)) if box[4] in known.categories else box[4]


def _of_table(path: Path, known: BoxedPictures) -> Iterator[Detection | str]:
    frame = read_frame(path)
    small = {name.lower(): name for name in frame.columns}
    columns = {what: next((small[name] for name in names if name in small), None) for what, names in COLUMNS.items()}
    if len(known.labels.classes) == 1 and columns["label"] is None:
        frame = frame.with_columns(pl.lit(str(known.labels.classes[0])).alias("label"))
        columns["label"] = "label"
    lacking = [what for what, name in columns.items() if name is None]
    if lacking:
        raise BadInput(
            f"--predictions {str(path)!r} has no column for {', '.join(lacking)}. Give columns such as image, x1, y1, x2, y2, label, score."
        )
    table = frame.select(**{what: pl.col(str(name)) for what, name in columns.items()})
    for number, row in enumerate(table.iter_rows(named=True)):
        where = f"row {number} of {str(path)!r}"
        *edges, score = numbers_in([row[name] for name in ("x1", "y1", "x2", "y2", "score")], where)
        place, name = _row_of(row["picture"], known, where), str(row["label"])
        yield Detection(place, (*edges, known.categories[name]), score) if name in known.categories else name  # type: ignore[arg-type]


def _of_folder(path: Path, known: BoxedPictures) -> Iterator[Detection | str]:
    files = sorted(path.glob("*.txt")) or sorted(path.rglob("*.txt"))
    if not files:
        raise BadInput(
            f"--predictions {str(path)!r} holds no text files. Give a .txt for each picture, or COCO results (.json)."
        )
    classes = [known.categories[str(i)] for i in range(len(known.categories)) if str(i) in known.categories]
    for file in files:
        row = known.keys.get(file.stem)
        if row is None:
            raise BadInput(f"{str(file)!r} names a picture that has no label. Predict only the pictures that are audited.")
        for number, values in lines_of(file, None):
            where = f"{str(file)!r} line {number + 1}"
            if is_line(values):
                box, score = kitti_box(values, where)
            else:
                size = _size(known, row)
                box, score = yolo_box(values, size, classes or [str(name) for name in known.labels.classes], where)
            if score is None:
                raise BadInput(f"{where} has no score at the end. Save the predictions with their confidence.")
            yield Detection(row, box, score) if box[4] in known.categories else box[4]


def _size(known: BoxedPictures, row: int) -> tuple[float, float]:
    sizes = known.labels.sizes
    found = (float("nan"),) * 2 if sizes is None else tuple(sizes[row].tolist())
    return size_of(known.files[row]) if found[0] != found[0] else found
