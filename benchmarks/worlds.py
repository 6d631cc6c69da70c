"""Worlds: data sets whose labels were made wrong in many ways, with the probabilities that a model makes of them.

What an audit must tell without a clean label, how sharp the model is and what kind of noise there is, is learned from these
(``sharpness_fit.py``). Each world is a data set, a kind of noise, a rate, and a model that was cross-validated on the noisy labels:

- data: Gaussian clusters of 2 to 100 classes, digits, MNIST, breast cancer, adult, TREC and movie reviews (words, and an encoder),
  and CIFAR-10 (features of an encoder) with its three real human labels of each picture;
- from world 9,000 on models are good ones, on data that can be told apart, as those are that people audit with;
- items: in worlds 6,000 to 9,000, and a quarter of later ones, some belong to no class (half one thing and half another, or no thing at all) and are labelled all the same;
- noise: none, symmetric, asymmetric, annotators who see the items through degraded features (one vote, the majority or the worst of three),
  growing with ambiguity, by cluster, and mixtures of these;
- models: logistic regression, boosting, forests, neighbours, networks, and means of two; weak, strong, over- and under-confident;
- 300 to 50,000 items, of which 4,000 are kept at most.

``python benchmarks/worlds.py FOLDER FIRST LAST`` writes one file for every hundred worlds; a file that is there is not made again.
"""

from __future__ import annotations

import csv
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.cluster import MiniBatchKMeans
from sklearn.datasets import load_breast_cancer, load_digits, make_blobs, make_classification
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from _table import data_folder

KEPT = 4000
PER_FILE = 100
FOREIGN_FROM = 6000  # the first world with items of no class
GOOD_FROM = 9000  # the first world of good models
NOTHING = -1  # their true label
PICTURES = 1000  # of each class of CIFAR-10
DATA = {
    "clusters": 0.26, "digits": 0.07, "mnist": 0.16, "cancer": 0.03, "adult": 0.08, "trec": 0.07, "trec, encoder": 0.08,
    "reviews": 0.05, "reviews, encoder": 0.07, "cifar-10, encoder": 0.13,
}  # fmt: skip
NOISE = {
    "none": 0.08, "symmetric": 0.13, "asymmetric": 0.13, "annotators": 0.22, "ambiguity": 0.12, "clusters": 0.1,
    "annotators + asymmetric": 0.07, "annotators + symmetric": 0.07, "annotators + clusters": 0.08,
}  # fmt: skip
GOOD_DATA = {
    "clusters": 0.25, "digits": 0.1, "mnist": 0.2, "cancer": 0.05, "adult": 0.05, "trec, encoder": 0.12, "reviews, encoder": 0.05,
    "cifar-10, encoder": 0.18,
}  # fmt: skip
GOOD_MODELS = {"logistic": 0.35, "trees": 0.1, "network": 0.35, "two": 0.2}
MODELS = {"logistic": 0.26, "forest": 0.1, "trees": 0.13, "boosting": 0.1, "neighbours": 0.06, "network": 0.25, "two": 0.1}


@dataclass(frozen=True)
class World:
    """What an audit sees, and what it does not."""

    seed: int
    data: str
    noise: str
    model: str
    n: int
    probs: np.ndarray  # (m, k) float32
    given: np.ndarray  # (m,)
    true: np.ndarray  # (m,)


def choice(rng: np.random.Generator, shares: dict[str, float]) -> str:
    share = np.array(list(shares.values()))
    return str(rng.choice(list(shares), p=share / share.sum()))


# ---------------------------------------------------------------------------------------------------------------------- data


@cache
def source(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Standardised features and true labels of a real data set, shape (n, d) and (n,)."""
    folder = data_folder()
    if name == "digits":
        x, y = load_digits(return_X_y=True)
    elif name == "cancer":
        x, y = load_breast_cancer(return_X_y=True)
    elif name == "mnist":
        with np.load(folder / "mnist.npz") as data:
            x = PCA(50, random_state=0).fit_transform(data["x_train"].reshape(60000, -1) / 255.0)
            y = data["y_train"].astype(int)
    elif name == "adult":
        x, y = _adult(folder)
    elif name == "cifar-10, encoder":
        x, y = _encoded("cifar"), np.load(folder / "cifar10n.npz")["clean_label"].astype(int)[cifar_rows()]
    else:
        x, y = _texts(folder, *name.partition(", ")[::2])
    return StandardScaler().fit_transform(x).astype(np.float32), y


def cifar_rows() -> np.ndarray:
    """The first pictures of each class, by their place in CIFAR-10N."""
    clean = np.load(data_folder() / "cifar10n.npz")["clean_label"]
    rank = np.zeros(len(clean), int)
    for y in range(10):
        rank[clean == y] = np.arange((clean == y).sum())
    return np.flatnonzero(rank < PICTURES)


def _adult(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    import pandas as pd

    frame = pd.read_csv(folder / "adult.csv").fillna("?")
    y = np.unique(frame.pop("income"), return_inverse=True)[1]
    return PCA(40, random_state=0).fit_transform(StandardScaler().fit_transform(pd.get_dummies(frame).astype(float))), y


def _texts(folder: Path, name: str, encoder: str) -> tuple[np.ndarray, np.ndarray]:
    text, label = ("question", "type") if name == "trec" else ("text", "sentiment")
    file = {"trec": "trec_questions.csv", "reviews": "movie_reviews.csv"}[name]
    with (folder / file).open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    y = np.unique([row[label] for row in rows], return_inverse=True)[1]
    if encoder:
        return _encoded(name), y
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit_transform([row[text] for row in rows])
    return TruncatedSVD(100, random_state=0).fit_transform(words), y


def _encoded(name: str) -> np.ndarray:
    """Features of an encoder, the hundred strongest directions; made once, in the folder ``LABELPROOF_FEATURES``."""
    x = np.load(Path(os.environ["LABELPROOF_FEATURES"]) / f"{name}.npy")
    return PCA(100, random_state=0, whiten=False).fit_transform(x)


def drawn_data(name: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Some rows of a data set, as features, true labels and the numbers of the rows."""
    most = 50_000 if rng.random() < 0.04 else 8000
    n = int(np.exp(rng.uniform(np.log(300), np.log(most))))
    if name == "clusters":
        x, y = _clusters(n, rng)
        return x, y, np.arange(len(y))
    x, y = source(name)
    rows = rng.permutation(len(y))[:n]
    if rng.random() < 0.25:  # a table of other class frequencies
        weight = rng.dirichlet(np.full(y.max() + 1, 1.5))[y[rows]]
        rows = rows[rng.random(len(rows)) < weight / weight.max()]
    return x[rows], y[rows], rows


def _clusters(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    k = int(rng.choice([2, 3, 4, 6, 10, 20, 40, 100], p=[0.22, 0.15, 0.13, 0.13, 0.15, 0.1, 0.07, 0.05]))
    n, seed = max(n, 40 * k), int(rng.integers(2**31))
    if rng.random() < 0.5:
        shares = rng.dirichlet(np.full(k, rng.choice([3.0, 50.0])))
        hard, per_class = float(rng.uniform(0.7, 4.0)), int(rng.integers(1, 3))
        return make_classification(
            n, 24, n_informative=14, n_redundant=3, n_classes=k, n_clusters_per_class=per_class, class_sep=hard, flip_y=0,
            weights=shares, random_state=seed,
        )  # fmt: skip
    x, y = make_blobs(n, int(rng.choice([5, 15, 30])), centers=k, cluster_std=1.0, center_box=(-2, 2), random_state=seed)
    return x + rng.normal(size=x.shape) * rng.choice([0.0, 0.3, 0.6]), y


# --------------------------------------------------------------------------------------------------------------------- noise


def drawn_classes(probs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One class a row."""
    cut = probs.cumsum(axis=1)
    return np.minimum((cut < rng.random(len(probs))[:, None] * cut[:, -1:]).sum(axis=1), probs.shape[1] - 1)


def symmetric(y: np.ndarray, k: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    hit = rng.random(len(y)) < rate
    return np.where(hit, (y + rng.integers(1, k, len(y))) % k, y)


def asymmetric(y: np.ndarray, k: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Each class errs at its own rate, towards classes of its own."""
    rates = np.minimum(rate * k * rng.dirichlet(np.full(k, rng.choice([1.0, 4.0]))), 0.7 if k > 2 else 0.45)
    towards = rng.dirichlet(np.full(k, rng.choice([0.2, 1.0])), k) + 1e-9
    np.fill_diagonal(towards, 0)
    wrong = drawn_classes(towards[y], rng)
    return np.where(rng.random(len(y)) < rates[y], wrong, y)


def seen_by_people(x: np.ndarray, y: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """What the classes look like through degraded features to a model that knows the truth, shape (n, k), log probabilities."""
    blurred = x + rng.normal(size=x.shape).astype(np.float32) * rng.choice([0.0, 0.4, 0.8, 1.2])
    seen = cross_validated(lambda: LogisticRegression(C=0.05, max_iter=60), blurred, y, k, 2, rng)
    if rng.random() < 0.5:
        trees = ExtraTreesClassifier(40, min_samples_leaf=3, random_state=int(rng.integers(2**31)))
        seen = 0.5 * (seen + cross_validated(lambda: trees, blurred, y, k, 2, rng))
    return np.log(np.maximum(seen, 1e-6))


def annotators(seen: np.ndarray, y: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """People draw from what they see, knowing more of the truth than the features tell; one vote, or three put together."""
    n, own = len(y), np.arange(len(y))
    spread, temper = rng.normal(size=n) * rng.choice([0.0, 0.7, 1.5]), rng.choice([0.6, 1.0, 1.6])
    together = str(rng.choice(["one", "majority", "worst"], p=[0.45, 0.35, 0.2]))
    seed = int(rng.integers(2**31))

    def given(knowledge: float) -> np.ndarray:
        again, scores = np.random.default_rng(seed), seen / temper
        scores[own, y] += knowledge + spread
        belief = softmax(scores, axis=1)
        if together == "one":
            return drawn_classes(belief, again)
        votes = np.stack([drawn_classes(belief, again) for _ in range(3)])
        if together == "worst":
            wrong = (votes != y).argmax(axis=0)
            return votes[wrong, own]
        agree = (votes[:, None] == votes[None]).sum(axis=1).argmax(axis=0)
        return votes[agree, own]

    low, high = -6.0, 14.0
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if (given(middle) != y).mean() > rate else (low, middle)
    return given((low + high) / 2)


def by_ambiguity(seen: np.ndarray, y: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Labels go wrong where classes are hard to tell apart, towards the classes that look alike."""
    belief, own = np.exp(seen), np.arange(len(y))
    hard = 1 - belief[own, y] if rng.random() < 0.5 else 1 - belief.max(axis=1)
    hard = (hard + 0.01) ** rng.choice([0.5, 1.0, 1.5]) * np.exp(rng.normal(size=len(y)) * rng.choice([0.0, 0.6]))
    low, high = 0.0, 50.0 / hard.mean()
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if np.minimum(middle * hard, 0.9).mean() < rate else (low, middle)
    others = belief ** rng.choice([0.5, 1.0, 1.5])
    others[own, y] = 0
    hit = rng.random(len(y)) < np.minimum(low * hard, 0.9)
    return np.where(hit, drawn_classes(others + 1e-12 * (others > 0), rng), y)


def by_cluster(x: np.ndarray, y: np.ndarray, k: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Whole regions of a class get another label: a rule of somebody, a broken import."""
    regions = int(min(max(len(y) // 20, 2), rng.choice([15, 50, 120])))
    blurred = x + rng.normal(size=x.shape) * rng.choice([0.0, 0.4, 0.8])
    region = MiniBatchKMeans(regions, n_init=1, random_state=int(rng.integers(2**31))).fit_predict(blurred)
    given, share, wrong = y.copy(), rng.uniform(0.4, 1.0), 0
    for cell in rng.permutation(regions * k):
        members = np.flatnonzero((region == cell // k) & (y == cell % k))
        if not len(members) or len(members) > 0.5 * (y == cell % k).sum():
            continue
        if wrong >= rate * len(y):
            break
        others = np.bincount(y[region == cell // k], minlength=k) + 0.3
        others[cell % k] = 0
        hit = members[rng.random(len(members)) < share]
        given[hit] = rng.choice(k, p=others / others.sum())
        wrong += len(hit)
    return given


def made_noisy(kind: str, x: np.ndarray, y: np.ndarray, k: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    if kind == "none" or rate == 0:
        return y.copy()
    first, _, second = kind.partition(" + ")
    share = rng.uniform(0.3, 0.7) if second else 1.0
    if first in ("annotators", "ambiguity"):
        seen = seen_by_people(x, y, k, rng)
        given = (annotators if first == "annotators" else by_ambiguity)(seen, y, rate * share, rng)
    elif first == "clusters":
        given = by_cluster(x, y, k, rate, rng)
    else:
        given = {"symmetric": symmetric, "asymmetric": asymmetric}[first](y, k, rate, rng)
    if second == "clusters":
        other = by_cluster(x, y, k, rate * (1 - share), rng)
    elif second:
        other = {"symmetric": symmetric, "asymmetric": asymmetric}[second](y, k, rate * (1 - share), rng)
    return np.where(other != y, other, given) if second else given


def with_foreign_items(
    x: np.ndarray, y: np.ndarray, given: np.ndarray, k: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Some items made into a mean of two, or into features that do not belong together; labelled by chance, or by what they resemble."""
    n = len(y)
    hit = rng.random(n) < rng.choice([0.01, 0.03, 0.06, 0.12])
    size = int(hit.sum())
    if not size:
        return x, y, given
    one, other = rng.integers(n, size=(2, size))
    if rng.random() < 0.6:
        share = rng.uniform(0.3, 0.7, size)[:, None]
        foreign = (share * x[one] + (1 - share) * x[other]).astype(x.dtype)
    else:
        foreign = np.stack([x[rng.integers(n, size=size), j] for j in range(x.shape[1])], axis=1)
    x, true, given = x.copy(), y.copy(), given.copy()
    x[hit], true[hit] = foreign, NOTHING
    by_chance = given[rng.integers(n, size=size)]
    given[hit] = np.where(rng.random(size) < rng.uniform(0, 1), by_chance, y[one])
    return x, true, given


def labelled_by_people(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The human labels of CIFAR-10N."""
    kind = str(rng.choice(["aggre_label", "worse_label", "random_label1", "random_label2", "random_label3"]))
    return np.load(data_folder() / "cifar10n.npz")[kind].astype(int)[cifar_rows()][rows]


# -------------------------------------------------------------------------------------------------------------------- models


def cross_validated(
    make: Callable[[], Any], x: np.ndarray, z: np.ndarray, k: int, folds: int, rng: np.random.Generator
) -> np.ndarray:
    probs = np.zeros((len(z), k))
    for train, test in KFold(folds, shuffle=True, random_state=int(rng.integers(2**31))).split(x):
        fitted = make().fit(x[train], z[train])
        probs[np.ix_(test, fitted.classes_)] = fitted.predict_proba(x[test])
    probs = np.maximum(probs, 1e-7)
    return probs / probs.sum(axis=1, keepdims=True)


def model(kind: str, n: int, k: int, rng: np.random.Generator) -> Callable[[], Any]:
    seed = int(rng.integers(2**31))
    if kind == "logistic":
        strength = float(10 ** rng.uniform(-3.5, 0.5))
        return lambda: LogisticRegression(C=strength, max_iter=80)
    if kind == "forest":
        leaf = int(rng.choice([1, 3, 10]))
        return lambda: RandomForestClassifier(40, min_samples_leaf=leaf, random_state=seed)
    if kind == "trees":
        leaf = int(rng.choice([1, 2, 5]))
        return lambda: ExtraTreesClassifier(60, min_samples_leaf=leaf, random_state=seed)
    if kind == "boosting" and k * n < 30_000:
        rounds = int(rng.choice([15, 40]))
        return lambda: HistGradientBoostingClassifier(
            max_iter=rounds, max_leaf_nodes=8, learning_rate=0.15, early_stopping=False, random_state=seed
        )
    if kind == "neighbours" and n < 20_000:
        near = int(rng.choice([10, 25, 60]))
        return lambda: KNeighborsClassifier(min(near, n // 3))
    rounds, decay = int(rng.choice([8, 20, 60])), float(10 ** rng.uniform(-4, 0.3))
    rounds = min(max(rounds, 20_000 // n), max(4, 250_000 // n))
    return lambda: MLPClassifier((64,), max_iter=rounds, batch_size=min(128, n // 4), alpha=decay, random_state=seed)


def world(seed: int) -> World:
    rng = np.random.default_rng(seed)
    good = seed >= GOOD_FROM
    data = choice(rng, GOOD_DATA if good else DATA)
    x, y, rows = drawn_data(data, rng)
    enough = np.isin(y, np.flatnonzero(np.bincount(y) >= 8))
    x, rows, (names, y) = x[enough], rows[enough], np.unique(y[enough], return_inverse=True)
    k, n = len(names), len(y)
    noise = choice(rng, NOISE)
    rate = float(rng.choice([0.02, 0.05, 0.1, 0.2, 0.4])) if rng.random() < 0.5 else float(np.exp(rng.normal(np.log(0.1), 0.8)))
    rate = min(rate, 0.3 if k == 2 else 0.5)
    if data == "cifar-10, encoder" and k == 10 and rng.random() < 0.5:
        noise, given = "people", labelled_by_people(rows, rng)
    else:
        given = made_noisy(noise, x, y, k, rate, rng)
    true = y
    if FOREIGN_FROM <= seed < GOOD_FROM or (good and rng.random() < 0.25):
        x, true, given = with_foreign_items(x, y, given, k, rng)
        noise = f"{noise}, foreign items"
    kind = choice(rng, GOOD_MODELS if good else MODELS)
    folds = int(rng.choice([3, 5]))
    if not good and rng.random() < (0.12 if seed < FOREIGN_FROM else 0.03):  # a model that sees part of what there is to see
        x = x[:, rng.random(x.shape[1]) < rng.uniform(0.1, 0.6)] if x.shape[1] > 10 else x
        x = x if x.shape[1] else rng.normal(size=(n, 1))
    if kind == "two":
        pair = [model(str(rng.choice(["logistic", "trees", "network", "boosting"])), n, k, rng) for _ in range(2)]
        probs = sum(cross_validated(make, x, given, k, folds, rng) for make in pair) / 2
    else:
        probs = cross_validated(model(kind, n, k, rng), x, given, k, folds, rng)
    if rng.random() < 0.5:
        probs = probs ** np.exp(rng.normal() * 0.4)
        probs = probs / probs.sum(axis=1, keepdims=True)
    kept = rng.permutation(n)[:KEPT]
    return World(
        seed, data, noise, kind, n, probs[kept].astype(np.float32), given[kept].astype(np.int16), true[kept].astype(np.int16)
    )


def save(path: Path, worlds: list[World]) -> None:
    arrays: dict[str, np.ndarray] = {
        name: np.array([getattr(one, name) for one in worlds]) for name in ("seed", "data", "noise", "model", "n")
    }
    for one in worlds:
        arrays |= {f"{one.seed}.{name}": getattr(one, name) for name in ("probs", "given", "true")}
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, **arrays)
    part.rename(path)


def load_file(path: Path) -> list[World]:
    """The worlds of one file."""
    with np.load(path) as data:
        meta = zip(*(data[name].tolist() for name in ("seed", "data", "noise", "model", "n")), strict=True)
        return [World(*one, *(data[f"{one[0]}.{name}"] for name in ("probs", "given", "true"))) for one in meta]


def main() -> None:
    warnings.filterwarnings("ignore")
    folder, first, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    started = time.monotonic()
    for start in range(first, last, PER_FILE):
        path = folder / f"worlds-{start:06d}.npz"
        if path.exists():
            continue
        worlds = []
        for seed in range(start, min(start + PER_FILE, last)):
            try:
                worlds.append(world(seed))
            except ValueError as error:  # a class that is in one fold alone, say: no world
                print(f"{seed}: {error}"[:160], flush=True)
        save(path, worlds)
        print(f"{start} {len(worlds)} worlds, {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
