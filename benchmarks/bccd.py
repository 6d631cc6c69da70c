"""Cells that were not annotated: pictures of blood (BCCD), audited with a small detector that is made from what is there.

Colour and shape propose cells, a small classifier tells which are cells and of which class, out of fold. The 50 most
probable missing boxes go to a contact sheet; ``--count`` takes what a person saw on it.
"""

from __future__ import annotations

import argparse
import io
import json
import time
import warnings
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from PIL import Image, ImageDraw
from scipy import ndimage
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import Ridge

import labelproof as lp
from _table import RESULTS, data_folder, publish

CLASSES = ("Platelets", "RBC", "WBC")
FOLDS = 5
SHRINK = 2  # pictures are looked at in half of their size
SIDE, AROUND = 14, 1.3  # of the thumbnails of proposals, and how much of what is around them is seen
SAME, TWICE = 0.5, 0.4  # intersection over union of a proposal with what is annotated, and with a better one
LEAST = 0.02  # probability of any class
SHOWN, COLUMNS, TILE = 50, 10, 128
SHEET = Path(__file__).parent.parent / "docs" / "pictures" / "bccd-missing.png"


class Picture(NamedTuple):
    """One picture with what is annotated."""

    name: str
    pixels: np.ndarray
    boxes: np.ndarray
    labels: list[str]


def read() -> list[Picture]:
    found = []
    with zipfile.ZipFile(data_folder() / "bccd.zip") as files:
        for name in sorted(one for one in files.namelist() if one.endswith(".xml")):
            objects = ET.fromstring(files.read(name)).findall("object")
            boxes = [
                [float(one.findtext(f"bndbox/{edge}", "nan")) for edge in ("xmin", "ymin", "xmax", "ymax")] for one in objects
            ]
            picture = files.read(name.replace("annotations", "images").replace(".xml", ".jpg"))
            pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
            labels = [str(one.findtext("name")) for one in objects]
            found.append(Picture(Path(name).stem, pixels, np.array(boxes).reshape(-1, 4), labels))
    return found


def threshold(values: np.ndarray) -> float:
    """Between two groups of values, where their variance is least (Otsu)."""
    counts, edges = np.histogram(values, 128)
    middle, below = (edges[1:] + edges[:-1]) / 2, np.cumsum(counts)
    sums = np.cumsum(counts * middle)
    above = below[-1] - below
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(middle[np.nanargmax(apart)])


def proposals(pixels: np.ndarray) -> np.ndarray:
    """Boxes where a cell may be: purple regions, and middles of what is darker than the background."""
    small = np.asarray(Image.fromarray(pixels).resize((pixels.shape[1] // SHRINK, pixels.shape[0] // SHRINK))).astype(float)
    _, green, blue = np.moveaxis(small, 2, 0)
    boxes = []
    purple = ndimage.gaussian_filter(blue - green, 1.5)
    for level in (threshold(purple), 0.5 * (threshold(purple) + np.percentile(purple, 99.5))):
        named, _ = ndimage.label(ndimage.binary_opening(purple > level, iterations=1))
        for rows, columns in ndimage.find_objects(named):
            if min(rows.stop - rows.start, columns.stop - columns.start) >= 7:
                boxes.append([columns.start, rows.start, columns.stop, rows.stop])
    dark = ndimage.gaussian_filter(green, 1.5)
    cells = ndimage.binary_fill_holes(ndimage.binary_opening(dark < threshold(dark), iterations=2))
    # cells at an edge go on behind it
    depth = ndimage.distance_transform_edt(np.pad(cells, 30, mode="edge"))
    depth = ndimage.gaussian_filter(depth, 2)
    peak = (depth == ndimage.maximum_filter(depth, 17)) & (depth > 9)
    for y, x in np.argwhere(peak) - 30:
        halves = {round(float(depth[y + 30, x + 30]) + 2), 22, 26, 30}
        boxes.extend([x - half, y - half, x + half, y + half] for half in sorted(halves))
    table = np.array(boxes, float).reshape(-1, 4) * SHRINK
    table[:, 0::2] = np.clip(table[:, 0::2], 0, pixels.shape[1])
    table[:, 1::2] = np.clip(table[:, 1::2], 0, pixels.shape[0])
    return table[(table[:, 2] - table[:, 0] >= 12) & (table[:, 3] - table[:, 1] >= 12)]


def seen(pixels: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Thumbnails and shapes of proposals, one row each."""
    picture, rows = Image.fromarray(pixels), []
    for x1, y1, x2, y2 in boxes:
        half = np.array([x2 - x1, y2 - y1]) / 2 * AROUND
        middle = np.array([x1 + x2, y1 + y2]) / 2
        crop = picture.crop((*(middle - half).astype(int), *(middle + half).astype(int))).resize(
            (SIDE, SIDE), Image.Resampling.BILINEAR
        )
        rows.append(np.r_[np.asarray(crop).ravel() / 255.0, x2 - x1, y2 - y1, x1 == 0, y1 == 0, x2 == 640, y2 == 480])
    return np.array(rows).reshape(len(boxes), -1)


def overlap(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of each with each."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area = [(one[:, 2:] - one[:, :2]).prod(axis=1) for one in (boxes, others)]
    return shared / np.maximum(area[0][:, None] + area[1][None] - shared, 1e-9)


def detected(pictures: list[Picture]) -> list[dict[str, Any]]:
    """Predictions of each picture by models that have not seen it."""
    boxes = [proposals(one.pixels) for one in pictures]
    x = [seen(one.pixels, own) for one, own in zip(pictures, boxes, strict=True)]
    code, target = [], []
    for one, own in zip(pictures, boxes, strict=True):
        table = overlap(own, one.boxes) if len(one.boxes) else np.zeros((len(own), 1))
        best = table.argmax(axis=1)
        code.append(np.where(table.max(axis=1) >= SAME, [CLASSES.index(one.labels[i]) if one.labels else -1 for i in best], -1))
        size = np.tile(own[:, 2:] - own[:, :2], 2)
        target.append((one.boxes[best] - own) / size if len(one.boxes) else np.zeros((len(own), 4)))
    fold = np.random.default_rng(0).permutation(len(pictures)) % FOLDS
    found: list[dict[str, Any]] = [{}] * len(pictures)
    for number in range(FOLDS):
        train = np.flatnonzero(fold != number)
        features, y, goal = (np.concatenate([part[i] for i in train]) for part in (x, code, target))
        shape = PCA(40, random_state=0).fit(features[:, :-6])
        model = HistGradientBoostingClassifier(max_iter=150, learning_rate=0.08, random_state=0).fit(_with(shape, features), y)
        mover = Ridge(10.0).fit(_with(shape, features)[y >= 0], goal[y >= 0])
        for i in np.flatnonzero(fold == number).tolist():
            own = _with(shape, x[i])
            probs = model.predict_proba(own)[:, 1:]
            moved = boxes[i] + np.clip(mover.predict(own), -0.3, 0.3) * np.tile(boxes[i][:, 2:] - boxes[i][:, :2], 2)
            moved[:, 0::2], moved[:, 1::2] = np.clip(moved[:, 0::2], 0, 640), np.clip(moved[:, 1::2], 0, 480)
            kept = best_ones(moved, probs)
            found[i] = {"boxes": moved[kept], "probs": probs[kept]}
    return found


def _with(shape: PCA, features: np.ndarray) -> np.ndarray:
    return np.hstack([shape.transform(features[:, :-6]), features[:, -6:]])


def best_ones(boxes: np.ndarray, probs: np.ndarray) -> list[int]:
    """Without those that overlap a better one of the same class."""
    score, code = probs.max(axis=1), probs.argmax(axis=1)
    table, kept = overlap(boxes, boxes), []
    for i in np.argsort(-score).tolist():
        if score[i] >= LEAST and not any(table[i, j] > TWICE and code[i] == code[j] for j in kept):
            kept.append(i)
    return kept


def sheet(pictures: list[Picture], missing: pl.DataFrame) -> Image.Image:
    """Crops around the suggested boxes (red), with what is annotated (green)."""
    rows = -(-missing.height // COLUMNS)
    whole = Image.new("RGB", (COLUMNS * TILE, rows * TILE), "white")
    for place, (index, name, *box) in enumerate(missing.select("index", "suggested_label", "x1", "y1", "x2", "y2").iter_rows()):
        one = pictures[index]
        half = max(box[2] - box[0], box[3] - box[1]) * 0.95 + 14
        left, top = (box[0] + box[2]) / 2 - half, (box[1] + box[3]) / 2 - half
        tile = (
            Image.fromarray(one.pixels)
            .crop((int(left), int(top), int(left + 2 * half), int(top + 2 * half)))
            .resize((TILE - 2, TILE - 2))
        )
        draw, scale = ImageDraw.Draw(tile), (TILE - 2) / (2 * half)
        for other in one.boxes:
            draw.rectangle([(value - (left, top)[i % 2]) * scale for i, value in enumerate(other)], outline=(0, 140, 0))
        draw.rectangle([(value - (left, top)[i % 2]) * scale for i, value in enumerate(box)], outline=(220, 0, 0), width=2)
        draw.rectangle((0, 0, 14 + 6 * len(name) + 12, 12), fill="white")
        draw.text((3, 1), f"{place + 1} {name}", fill=(0, 0, 160))
        whole.paste(tile, (place % COLUMNS * TILE, place // COLUMNS * TILE))
    return whole


def counted(no_cell: set[int]) -> None:
    """Write what a person saw on the sheet beside the rows that are there."""
    content = json.loads((RESULTS / "bccd.json").read_text(encoding="utf-8"))
    rows = [
        {**row, "really_missing": sum(int(number) not in no_cell for number in row["numbers"].split(", ") if number)}
        for row in content["rows"]
    ]
    publish("bccd", rows, content["note"])


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", help="of the sheet that is there, the numbers that are no missing cells, e.g. 3,17")
    asked = parser.parse_args()
    if asked.count is not None:
        counted({int(number) for number in asked.count.split(",") if number})
        return
    pictures = read()
    started = time.perf_counter()
    predicted = detected(pictures)
    seconds = time.perf_counter() - started
    labels = lp.Boxes([{"boxes": one.boxes, "labels": one.labels, "size": (640, 480)} for one in pictures], classes=CLASSES)
    audit = lp.audit(labels, predicted, ids=[one.name for one in pictures])
    every = audit.issues.filter(pl.col("kind") == "missing")
    missing = every.head(SHOWN)
    SHEET.parent.mkdir(exist_ok=True)
    sheet(pictures, missing).quantize(128).save(SHEET, optimize=True)
    rate, rows = audit.noise.rates["missing"], []
    for name in ("all", *CLASSES):
        numbers = [i + 1 for i, one in enumerate(missing["suggested_label"].to_list()) if name in ("all", one)]
        rows.append(
            {
                "class": name,
                "shown": len(numbers),
                "really_missing": float("nan"),
                "least_error_probability": float(missing["error_probability"].min()),
                "missing_sites": every.height,
                "missing_rate": rate.estimate,
                "missing_low": rate.low,
                "missing_high": rate.high,
                "annotated": len(labels.values) if name == "all" else int((labels.values == CLASSES.index(name)).sum()),
                "detector_seconds": seconds,
                "numbers": ", ".join(map(str, numbers)),
            }
        )
    print(audit, audit.doubts)
    publish(
        "bccd", rows, "364 pictures; the 50 most probable missing boxes, looked at by eye (docs/pictures/bccd-missing.png)."
    )


if __name__ == "__main__":
    main()
