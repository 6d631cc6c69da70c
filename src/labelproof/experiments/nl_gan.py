"""NL-GAN and rank pruning on few noisy pictures: table 1, figure 1 and figure 3 of the paper.

The classes are made of two digits each, {5; 7} against {2; 4} of MNIST, or car against airplane of CIFAR-10. All training
pictures get noisy labels, then the first 1000 or 100 are taken, equally many of each part. They are repeated to 10,000 per
epoch.

References
----------
Chiaroni, Rahal, Hueber, Dufaux (2019), Hallucinating a cleanly labeled augmented dataset from a noisy labeled dataset using
GAN, section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassifierMixin

from labelproof.errors import BadInput, did_you_mean
from labelproof.estimators.nl_gan.adversaries import filters_for
from labelproof.estimators.nl_gan.generative_cleaner import classifier_of_generated, second_stage
from labelproof.estimators.nl_gan.nl_gan import NLGAN
from labelproof.estimators.nl_gan.soft_labels import Shares, soft_labels
from labelproof.estimators.noisy_label_classifier.noisy_label_classifier import NoisyLabelClassifier
from labelproof.estimators.rank_pruning import RankPruning
from labelproof.experiments.cifar10 import Archive
from labelproof.experiments.record import Record, Row, averaged
from labelproof.noise.simulate import binary_purity
from labelproof.report.plots import histogram, picture_grids
from labelproof.saving.files import existing
from labelproof.training.augmentation import strength_for
from labelproof.validation import AnyArray, ArrayLike, Json

SHARES = (Shares(0.85, 0.85), Shares(0.7, 0.85), Shares(0.6, 0.65))
SIZES = (1000, 100)
EPOCH = 10_000  # pictures per epoch, after repeating
#: The paper's test accuracies: reference, and (NL-GAN, rank pruning) at each of `SHARES`.
PUBLISHED = {
    "mnist-1000": (0.97, (0.961, 0.965), (0.956, 0.948), (0.926, 0.809)),
    "mnist-100": (0.9, (0.909, 0.892), (0.881, 0.853), (0.814, 0.703)),
    "cifar10-1000": (0.878, (0.843, 0.833), (0.824, 0.794), (0.704, 0.659)),
    "cifar10-100": (0.789, (0.789, 0.761), (0.782, 0.739), (0.687, 0.64)),
}
EPOCHS = {"mnist": 40, "cifar10": 500}
#: Methods that generate, and how they differ from `labelproof.NLGAN`: plain has the paper's losses alone and separate generators.
GENERATIVE: dict[str, Json] = {"NL-GAN plain": {"coverage": 0.0, "shared": False}, "NL-GAN": {}}
#: Methods, and whether their training pictures are augmented; the paper augments nothing.
METHODS = (("PN", False), ("PN", True), ("RP", False), ("RP", True), *((name, True) for name in GENERATIVE))
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pictures:
    """Training pictures in their order, and test pictures, of two classes.

    Attributes
    ----------
    x, x_test : ndarray of uint8
    true, true_test : ndarray of int64
        1 for positive.
    part : ndarray of int64, shape (n,)
        Which digit or object a training picture shows.
    """

    x: npt.NDArray[np.uint8]
    true: Codes
    part: Codes
    x_test: npt.NDArray[np.uint8]
    true_test: Codes

    def first(self, n: int) -> npt.NDArray[np.int64]:
        """Rows of the first n training pictures, as many of each part."""
        parts = np.unique(self.part)
        return np.sort(np.concatenate([np.flatnonzero(self.part == part)[: n // len(parts)] for part in parts]))

    def given(self, shares: Shares, seed: int) -> Codes:
        """Given labels of all training pictures, with these shares of right ones."""
        return binary_purity(self.true, shares.positive, shares.negative, random_state=seed).labels


def digits(data: Path, positive: Sequence[int] = (5, 7), negative: Sequence[int] = (2, 4)) -> Pictures:
    """Digits of MNIST, some against others."""
    with np.load(existing(data / "mnist.npz", "the file of MNIST")) as file:
        arrays = {name: file[name] for name in ("x_train", "y_train", "x_test", "y_test")}
    wanted = [*positive, *negative]
    train, test = np.isin(arrays["y_train"], wanted), np.isin(arrays["y_test"], wanted)
    part, part_test = arrays["y_train"][train].astype(np.int64), arrays["y_test"][test].astype(np.int64)
    return Pictures(
        arrays["x_train"][train], np.isin(part, positive).astype(np.int64), part,
        arrays["x_test"][test], np.isin(part_test, positive).astype(np.int64),
    )  # fmt: skip


def objects(data: Path, positive: str = "automobile", negative: str = "airplane") -> Pictures:
    """Two kinds of things of CIFAR-10."""
    archive, names = Archive(data), [negative, positive]
    (x, true), test = archive.classes("train", names), archive.classes("test", names)
    return Pictures(x, true, true, *test)


class Repeated(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The second stage's classifier for rows of pixels, each repeated in an epoch; rank pruning prunes for it.

    Pictures are repeated after rank pruning's folds are made, because a picture in two folds would be known to both.
    """

    def __init__(
        self, shape: tuple[int, ...] = (28, 28), times: int = 1, random_state: int = 0, epochs: int = 25, augment: float = 0.0
    ) -> None:
        self.shape = shape
        self.times = times
        self.random_state = random_state
        self.epochs = epochs
        self.augment = augment

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Repeated:
        """Train on rows (n, pixels)."""
        rows = np.repeat(np.arange(len(X)), self.times)
        images = np.asarray(X, np.uint8)[rows].reshape(-1, *self.shape)
        weight = None if sample_weight is None else np.asarray(sample_weight)[rows]
        model = second_stage(images, self.random_state, self.epochs, self.augment)
        self.model_ = model.fit(images, np.asarray(y)[rows], sample_weight=weight)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X: ArrayLike) -> npt.NDArray[np.float64]:
        """Shape (n, k)."""
        return np.asarray(self.model_.predict_proba(np.asarray(X, np.uint8).reshape(-1, *self.shape)))

    def predict(self, X: ArrayLike) -> AnyArray:
        """Shape (n,)."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


@dataclass(frozen=True)
class Regime:
    """The length of all trainings, and the size of the networks."""

    adversarial: int
    second: int = 25
    epoch: int = EPOCH
    filters: tuple[int, ...] | None = None

    def key(self, pictures: Pictures) -> Row:
        """The key of NL-GAN's regime in a row: its epochs, and the filters of the discriminator."""
        used = self.filters or filters_for(*pictures.x.shape[1:3])
        return {"epochs": self.adversarial, "filters": ", ".join(str(number) for number in used)}


@dataclass(frozen=True)
class Asked:
    """The requested part of a study."""

    seeds: int
    quick: bool
    rows: Sequence[str]
    epochs: int | None
    filters: tuple[int, ...] | None

    def regime(self, kind: str) -> Regime:
        """For pictures of MNIST or CIFAR-10."""
        if self.quick:
            return Regime(1, 1, 500, self.filters)
        return Regime(self.epochs or EPOCHS[kind], filters=self.filters)


class TableRecord(Record):
    """Rows averaged over trainings, next to the published ones."""

    def summary(self) -> list[Row]:
        """A row for each line of the table, setting and method, with half of the 95 % interval over trainings."""
        columns, rows = ("row", "shares", "method", "augmented", "filters", "epochs"), []
        for key, runs in self.groups(*columns).items():
            shown = dict(zip(columns, key, strict=True)) | {"runs": len(runs)}
            shown["augmented"] = "yes" if shown["augmented"] else "no"
            shown |= averaged(runs, "accuracy") | {"agreement": averaged(runs, "agreement")["agreement"]}
            rows.append({**shown, "published": _published(*key[:3])})
        return rows


def _published(line: str, shares: str, method: str) -> float:
    reference, *settings = PUBLISHED[line]
    if method == "PN":
        return reference
    setting = settings[[_name(one) for one in SHARES].index(shares)]
    return setting[method == "RP"]


def _name(shares: Shares) -> str:
    return f"{shares.positive:g}/{shares.negative:g}"


def run(
    record: Record,
    *,
    data: Path | None,
    seeds: int,
    quick: bool,
    rows: Sequence[str] = (),
    epochs: int | None = None,
    filters: tuple[int, ...] | None = None,
) -> Record:
    """Table 1, figure 1 or figure 3, by the record's name.

    ``rows`` of the table are of ``mnist-1000``, ``mnist-100``, ``cifar10-1000``, ``cifar10-100``, those of figure 3 of
    ``5 against 7``, ``5, 7 against 2, 4``, ``car against airplane``; ``epochs`` are adversarial ones, ``filters`` the
    discriminator's instead of the paper's.
    """
    if data is None:
        raise BadInput(f"{record.path.stem} needs --data: the folder of real data, with mnist.npz and cifar10-jpeg.zip.")
    which = {"nl-gan-table-1": _table, "nl-gan-figure-1": _figure_1, "nl-gan-figure-3": _figure_3}[record.path.stem]
    return which(record, data, Asked(seeds, quick, rows, epochs, filters))


def _table(record: Record, data: Path, asked: Asked) -> Record:
    record = TableRecord(record.path, record.rows, record.skipped)
    chosen = _chosen(asked.rows, list(PUBLISHED), "the table", asked.quick)
    loaded: dict[str, tuple[Pictures, NoisyLabelClassifier]] = {}
    for number in range(asked.seeds):
        for line in chosen:
            kind, size = line.rsplit("-", 1)
            regime = asked.regime(kind)
            if kind not in loaded:
                pictures = digits(data) if kind == "mnist" else objects(data)
                if asked.quick:
                    pictures = replace(pictures, x_test=pictures.x_test[:400], true_test=pictures.true_test[:400])
                loaded[kind] = pictures, _judge(pictures, asked.quick)
            pictures, judge = loaded[kind]
            own = pictures.first(int(size))
            for method, augmented in METHODS:
                for shares in SHARES[: 1 if method == "PN" or asked.quick else None]:
                    key: Row = {
                        "row": line,
                        "shares": "1/1" if method == "PN" else _name(shares),
                        "method": method,
                        "augmented": augmented,
                        "run": number,
                    }
                    if method in GENERATIVE:
                        key |= regime.key(pictures)
                    if record.has(**key):
                        continue
                    with record.measuring(**key) as row:
                        given = pictures.true[own] if method == "PN" else pictures.given(shares, number)[own]
                        row |= _measured(method, augmented, pictures, own, given, shares, number, regime, judge)
    return record


def _chosen(rows: Sequence[str], names: list[str], what: str, quick: bool) -> list[str]:
    """The requested rows; by default all, or the first for a quick look."""
    for name in rows:
        if name not in names:
            raise BadInput(f"{name!r} is not a row of {what}. {did_you_mean(name, names)}There are: {'; '.join(names)}.")
    return list(rows) or names[: 1 if quick else None]


def _judge(pictures: Pictures, quick: bool) -> NoisyLabelClassifier:
    """A classifier of all clean training pictures, to decide which of the generated ones have the right label."""
    from labelproof.estimators.noisy_label_classifier.noisy_label_classifier import NoisyLabelClassifier

    own = pictures.first(500) if quick else slice(None)
    model = NoisyLabelClassifier("cross-entropy", backbone="convnet", epochs=2 if quick else 4)
    return model.fit(pictures.x[own], pictures.true[own])


def _measured(
    method: str,
    augmented: bool,
    pictures: Pictures,
    own: npt.NDArray[np.int64],
    given: Codes,
    shares: Shares,
    seed: int,
    regime: Regime,
    judge: NoisyLabelClassifier,
) -> Row:
    """The result of one training of one method on the test pictures."""
    x, strength = pictures.x[own], strength_for(len(own)) if augmented else 0.0
    row: Row = {}
    if method in GENERATIVE:
        gan = NLGAN(
            shares.positive, shares.negative, epochs=regime.adversarial, augment=strength, upsample=regime.epoch,
            filters=regime.filters, random_state=seed, **GENERATIVE[method],
        ).fit(x, given)  # fmt: skip
        images, labels = gan.generate(regime.epoch)
        row["agreement"] = float((judge.predict(images) == labels).mean())
        row["diversity"] = [round(float(ratio), 3) for ratio in gan.contests_[1].diversity[-1]]
        model: Any = classifier_of_generated(images, gan, seed, regime.second).fit(images, labels)
        return {**row, "accuracy": float(model.score(pictures.x_test, pictures.true_test))}
    times = max(1, regime.epoch // len(own))
    model = Repeated(x.shape[1:], times, random_state=seed, epochs=regime.second, augment=strength)
    if method == "RP":
        model = RankPruning(model, n_folds=3, random_state=seed)
    flat_test = pictures.x_test.reshape(len(pictures.x_test), -1)
    model.fit(x.reshape(len(x), -1), given)
    if method == "RP":
        row["estimated"] = [round(float(rate), 3) for rate in (model.transition_.matrix[1, 0], model.transition_.matrix[0, 1])]
    return {**row, "accuracy": float(model.score(flat_test, pictures.true_test))}


def _figure_1(record: Record, data: Path, asked: Asked) -> Record:
    """The output of a discriminator for 5 and 7 with 30 % wrong labels each, after 15 epochs; and the mixture's two means."""
    shares, pictures = Shares(0.7, 0.7), digits(data, (5,), (7,))
    shown = None
    for seed in range(asked.seeds):
        if record.has(seed=seed):
            continue
        with record.measuring(seed=seed, true_aims=list(soft_labels(shares)), true_shares=list(shares)) as row:
            length = 2 if asked.quick else asked.epochs or 15
            epoch = 1000 if asked.quick else EPOCH
            gan = NLGAN(epochs=0, pretraining_epochs=length, upsample=epoch, filters=asked.filters, random_state=seed)
            own = pictures.first(1000) if asked.quick else np.arange(len(pictures.x))
            found = gan.fit(pictures.x[own], pictures.given(shares, seed)[own]).contests_[1]
            row["aims"] = [round(value, 4) for value in found.soft_labels]
            row["shares"] = [round(value, 4) for value in found.shares]
            shown = shown or found
    if shown is not None:
        marks = {"mixture": shown.soft_labels, "theory": soft_labels(shares)}
        histogram(
            shown.outputs, marks, record.path.with_suffix(".png"),
            title="5 against 7, 30 % of the labels of each wrong", x="output of the discriminator for pictures it was not trained on",
        )  # fmt: skip
    return record


def _figure_3(record: Record, data: Path, asked: Asked) -> Record:
    """Noisy pictures next to generated ones."""
    cases: dict[str, tuple[Callable[[], Pictures], Shares, str]] = {
        "5 against 7": (partial(digits, data, (5,), (7,)), Shares(0.6, 0.65), "mnist"),
        "5, 7 against 2, 4": (partial(digits, data), Shares(0.7, 0.85), "mnist"),
        "car against airplane": (partial(objects, data), Shares(0.85, 0.85), "cifar10"),
    }
    grids = {}
    for name in _chosen(asked.rows, list(cases), "the figure", asked.quick):
        load, shares, kind = cases[name]
        regime = asked.regime(kind)
        if kind == "cifar10" and not torch.cuda.is_available() and not asked.epochs:
            record.skipped.append(f"{name}: 500 epochs need a GPU, or give --epochs.")
            continue
        pictures = load()
        own = pictures.first(1000)
        given = pictures.given(shares, 0)[own]
        with record.measuring(case=name, shares=_name(shares), **regime.key(pictures)) as row:
            gan = NLGAN(
                shares.positive, shares.negative, epochs=regime.adversarial, upsample=regime.epoch, filters=regime.filters
            ).fit(pictures.x[own], given)
            images, labels = gan.generate(EPOCH)
            row["agreement"] = float((_judge(pictures, asked.quick).predict(images) == labels).mean())
        for label, word in ((1, "positive"), (0, "negative")):
            grids[f"{name}: given {word}"] = pictures.x[own][given == label][:36]
            grids[f"{name}: generated {word}"] = images[labels == label][:36]
        picture_grids(grids, record.path.with_suffix(".png"), title="Noisy labels, and what NL-GAN makes of them", columns=4)
    return record
