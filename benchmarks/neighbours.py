"""Planted duplicates and outliers beside cleanlab's Datalab, on the same features: precision and recall.

A twentieth of the items is copied, as it is or a little changed, and eight items of another data set are added. Pairs of duplicates
that the data had before count as false alarms of both.

``python benchmarks/neighbours.py`` encodes texts and pictures with the encoders of ``labelproof[offline]``.
"""

from __future__ import annotations

import contextlib
import io
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from cleanlab import Datalab
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.metrics import average_precision_score

from _table import data_folder, publish
from labelproof.auditing.neighbours import Features, neighbours_of
from labelproof.networks.encoders import open_encoder
from labelproof.networks.encoders.features import encode_texts

ITEMS, PICTURES = 1500, 500
COPIED, FOREIGN = 0.05, 8  # a share, and a number of items: fewer than would make a group of their own


class Planted(NamedTuple):
    """Features of items: as they came, then copies, then foreign ones."""

    features: Features
    of: np.ndarray  # the item that each copy was made of
    n: int  # items as they came
    foreign: int


def planted(name: str, items: list[Any], others: list[Any], change: Callable[[Any, int], Any], encode: Callable[..., Any],
            like: str, exact: bool) -> Planted:  # fmt: skip
    rng = np.random.default_rng(0)
    copied = rng.choice(len(items), round(COPIED * len(items)), replace=False)
    copies = [items[i] if exact else change(items[i], number) for number, i in enumerate(copied)]
    foreign = others[:FOREIGN]
    values = np.asarray(encode([*items, *copies, *foreign]), np.float32)
    return Planted(
        Features(values.reshape(len(values), -1), name, like == "embedded", like == "pixels"), copied, len(items), len(foreign)
    )


def problems(exact: bool) -> Iterator[Planted]:
    rng = np.random.default_rng(1)
    source = data_folder()
    mnist = np.load(source / "mnist.npz")["x_test"][:ITEMS].astype(np.float32)
    questions = pl.read_csv(source / "trec_questions.csv")["question"].unique(maintain_order=True).to_list()[:ITEMS]
    reviews = pl.read_csv(source / "movie_reviews.csv")["text"].to_list()
    pictures = photographs(PICTURES)
    digits, cancer = load_digits().images, load_breast_cancer().data
    odd = cancer.mean(axis=0) + cancer.std(axis=0) * rng.choice([-1, 1], (99, 30)) * rng.uniform(1, 4, (99, 30))
    yield planted(
        "cancer (30 numbers)", list(cancer), list(odd), lambda row, i: row * rng.normal(1, 1e-3, 30), np.array, "numbers", exact
    )
    mixed = [rng.permutation(picture.ravel()).reshape(8, 8) for picture in digits]
    yield planted(
        "digits (8 x 8 pixels)", list(digits), mixed, lambda p, i: p + rng.normal(0, 0.5, p.shape), np.array, "pixels", exact
    )
    grey = [np.asarray(p.convert("L").resize((28, 28)), np.float32) for p in pictures[::60]]
    yield planted(
        "mnist (28 x 28 pixels)", list(mnist), grey, lambda p, i: 0.9 * p + rng.normal(0, 8, p.shape), np.array, "pixels", exact
    )
    yield planted("trec (sentence embeddings)", questions, reviews, misspelt, texts, "embedded", exact)
    strange = [Image.fromarray(p.astype(np.uint8)).convert("RGB").resize((32, 32)) for p in mnist]
    yield planted("cifar-10 (picture embeddings)", pictures, strange, saved_again, embeddings, "embedded", exact)


def photographs(count: int) -> list[Image.Image]:
    with zipfile.ZipFile(data_folder() / "cifar10-jpeg.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.startswith("test/") and name.endswith(".jpg"))
        return [Image.open(io.BytesIO(archive.read(name))).convert("RGB") for name in names[:: len(names) // count][:count]]


def misspelt(text: str, number: int) -> str:
    """Two letters swapped, or a word doubled, or all in capitals."""
    rng = np.random.default_rng(number)
    if number % 3 == 0:
        return text.upper()
    words = text.split()
    place = int(rng.integers(len(words)))
    if number % 3 == 1:
        return " ".join([*words[:place], words[place], *words[place:]])
    word = words[place]
    cut = int(rng.integers(max(len(word) - 1, 1)))
    words[place] = word[:cut] + word[cut + 1 : cut + 2] + word[cut : cut + 1] + word[cut + 2 :]
    return " ".join(words)


def saved_again(picture: Image.Image, number: int) -> Image.Image:
    """Compressed anew."""
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=85)
    return Image.open(held).convert("RGB")


def texts(items: list[str]) -> np.ndarray:
    return encode_texts(open_encoder("minilm", "text"), items)


def embeddings(items: list[Image.Image]) -> np.ndarray:
    encoder = open_encoder("efficientnet-lite2", "images")
    sized = [np.asarray(item.resize((encoder.size, encoder.size), Image.Resampling.BICUBIC)) for item in items]
    batches = [np.stack(sized[start : start + 32]) for start in range(0, len(items), 32)]
    return np.concatenate([encoder.encode(encoder.prepare(batch)) for batch in batches])


def theirs(features: np.ndarray) -> tuple[set[tuple[int, int]], np.ndarray, np.ndarray]:
    """Pairs of near duplicates, outlier scores (higher is odder), and which items Datalab calls outliers."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lab = Datalab({"x": list(range(len(features)))})
        lab.find_issues(features=features, issue_types={"near_duplicate": {}, "outlier": {}})
    near, far = lab.get_issues("near_duplicate"), lab.get_issues("outlier")
    pairs = {
        (min(i, int(j)), max(i, int(j)))
        for i, (found, others) in enumerate(zip(near["is_near_duplicate_issue"], near["near_duplicate_sets"], strict=True))
        if found
        for j in others
    }
    return pairs, 1 - far["outlier_score"].to_numpy(), far["is_outlier_issue"].to_numpy()


def ours(features: Features) -> tuple[set[tuple[int, int]], np.ndarray, np.ndarray]:
    found = neighbours_of(features, None)
    assert found is not None
    pairs = set()
    for number in range(int(found.group.max()) + 1):
        rows = np.flatnonzero(found.group == number)
        pairs |= {(int(a), int(b)) for a in rows for b in rows if a < b}
    return pairs, found.outlier, found.outlier > 0.5


def share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def main() -> None:
    rows: list[dict[str, Any]] = []
    for exact in (False, True):
        for problem in problems(exact):
            copies = {(int(i), problem.n + number) for number, i in enumerate(problem.of)}
            odd = np.zeros(len(problem.features.values), bool)
            odd[-problem.foreign :] = True
            row: dict[str, Any] = {"data": problem.features.name, "planted": "copies" if exact else "near copies"}
            for name, find in (("labelproof", ours), ("datalab", theirs)):
                started = time.perf_counter()
                pairs, score, called = find(problem.features) if name == "labelproof" else find(problem.features.values)
                row[f"{name}_duplicates_precision"] = share(len(pairs & copies), len(pairs))
                row[f"{name}_duplicates_recall"] = share(len(pairs & copies), len(copies))
                row[f"{name}_outliers_precision"] = share(int((called & odd).sum()), int(called.sum()))
                row[f"{name}_outliers_recall"] = share(int((called & odd).sum()), int(odd.sum()))
                row[f"{name}_outliers_AP"] = average_precision_score(odd, score)
                row[f"{name}_seconds"] = time.perf_counter() - started
            rows.append(row)
    publish("neighbours", rows, "planted duplicates (5 %) and 8 foreign items; pairs that the data had before count as false")


if __name__ == "__main__":
    main()
