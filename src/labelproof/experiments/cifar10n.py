"""CIFAR-10 with the labels that people really gave (CIFAR-10N), all of it for machines with a GPU.

Published accuracies for "worst" labels, ResNet-34: cross-entropy 77.69 (83.9 with stronger augmentation), ELR 83.58 (87.9), SOP
(83.7), DivideMix 92.56 (93.1). Here ResNet-18 on JPEGs of the pictures. ``cifar10n-reduced`` is for a CPU: a multilayer perceptron on
`efficientnet-lite2` features of the first 5,000 pictures, which compares methods there, but not with published figures.

References
----------
Wei et al. (2022), Learning with noisy labels revisited: a study using real-world human annotations.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from labelproof.data.picture_source import ArraySource
from labelproof.errors import BadInput
from labelproof.estimators.noisy_label_classifier.noisy_label_classifier import NoisyLabelClassifier
from labelproof.experiments.cifar10 import Archive
from labelproof.experiments.record import Record, Row, averaged, gained
from labelproof.networks.encoders import open_encoder
from labelproof.networks.encoders.base import Features
from labelproof.networks.encoders.features import encode_pictures
from labelproof.report.plots import dots
from labelproof.saving.files import existing
from labelproof.training.augmentation import shifted
from labelproof.validation import AnyArray

METHODS = ("cross-entropy", "forward", "elr", "sop", "dividemix")
LABELS = ("worse_label", "aggre_label")
PUBLISHED = {"cross-entropy": 0.839, "elr": 0.879, "sop": 0.837, "dividemix": 0.931}  # on worse_label
EPOCHS, BATCH = 12, 256  # a fit is minutes of a GPU; published results are of 100 epochs and more
REDUCED = "cifar10n-reduced"
REDUCED_METHODS = ("cross-entropy", "gce", "forward", "elr", "sop", "cascade")
REDUCED_PICTURES, REDUCED_TEST = 5000, 200  # the latter of each class


class LabelsRecord(Record):
    """Rows averaged over seeds."""

    def summary(self) -> list[Row]:
        """Means with half of their 95 % intervals, and the gain in accuracy over cross-entropy, paired by seed."""
        shown, found = [], self.groups("labels", "method")
        for (labels, method), rows in found.items():
            base = {row["seed"]: row for row in found.get((labels, "cross-entropy"), [])}
            scores = averaged(rows, "accuracy") | averaged(rows, "auroc") | gained(rows, "accuracy", base)
            shown.append({"labels": labels, "method": method, "seeds": len(rows), **scores, "published": rows[0]["published"]})
        return shown


def run(record: Record, *, data: Path | None, seeds: int, quick: bool) -> Record:
    """Methods on the worst and on the aggregated labels: a ResNet-18 on all pictures, or a perceptron on features of the first 5,000."""
    record = LabelsRecord(record.path, record.rows, record.skipped)
    reduced = record.path.stem == REDUCED
    if data is None:
        raise BadInput(f"{record.path.stem} needs --data, a folder with cifar10-jpeg.zip and cifar10n.npz.")
    if not quick and not reduced and not torch.cuda.is_available():
        raise BadInput(
            f"cifar10n needs a GPU, because a CPU would take weeks. Run {REDUCED}, or add --quick to see that it works."
        )
    archive, labels = Archive(data), np.load(existing(data / "cifar10n.npz", "the labels of CIFAR-10N"))
    clean = labels["clean_label"][: 600 if quick else REDUCED_PICTURES if reduced else None].astype(int)
    pictures = in_original_order(archive, clean)
    shown, truth = archive.classes("test", archive.names, 10 if quick else REDUCED_TEST if reduced else None)
    train, test = (features_of(pictures), features_of(shown)) if reduced else (pictures, shown)
    for kind in LABELS[:1] if quick else LABELS:
        given = labels[kind][: len(train)].astype(int)
        for seed in range(seeds):
            for method in REDUCED_METHODS if reduced else METHODS:
                key = {"labels": kind, "method": method, "seed": seed}
                if record.has(**key):
                    continue
                with record.measuring(**key, noise_rate=float((given != clean).mean())) as row:
                    model = (on_features if reduced else classifier)(method, seed, quick=quick).fit(train, given)
                    row["accuracy"] = float(model.score(test, truth))
                    row["auroc"] = float(roc_auc_score(given != clean, model.error_probability_))
                    row["published"] = PUBLISHED.get(method) if kind == "worse_label" and not reduced else None
    _drawn(record)
    return record


def _drawn(record: Record) -> None:
    panels: dict[str, list[tuple[str, float, float]]] = {}
    for row in record.summary():
        panels.setdefault(row["labels"], []).append((row["method"], row["accuracy"], row["accuracy_±"]))
    title = "CIFAR-10N: accuracy on the test set"
    dots(panels, record.path.with_suffix(".png"), title=title, columns=2, marked="cross-entropy")


def on_features(method: str, seed: int, *, quick: bool = False) -> NoisyLabelClassifier:
    """A method with the default network and options, on rows of numbers."""
    return NoisyLabelClassifier(method, backbone="mlp", epochs=3 if quick else 30, random_state=seed)


def features_of(pictures: npt.NDArray[np.uint8]) -> Features:
    """ImageNet features of pictures (n, 32, 32, 3), shape (n, 1280)."""
    return encode_pictures(open_encoder("efficientnet-lite2", "images"), ArraySource(pictures))


def classifier(method: str, seed: int, *, quick: bool = False) -> NoisyLabelClassifier:
    """A method with the options used here."""
    return NoisyLabelClassifier(
        method, backbone="convnet" if quick else "resnet18", epochs=2 if quick else EPOCHS, batch_size=BATCH, random_state=seed,
        augment=flipped_and_shifted, optimizer="sgd", learning_rate=0.05, weight_decay=5e-4, schedule="cosine",
        precision="32-true" if quick else "bf16-mixed",
    )  # fmt: skip


def flipped_and_shifted(batch: Tensor) -> Tensor:
    """Half of the pictures (b, c, h, w) mirrored, all moved by up to four pixels."""
    mirrored = torch.rand(len(batch), 1, 1, 1, device=batch.device) < 0.5
    return shifted(torch.where(mirrored, batch.flip(3), batch), 4)


def in_original_order(archive: Archive, clean: AnyArray) -> npt.NDArray[np.uint8]:
    """Training pictures of these classes, one after the other, shape (n, 32, 32, 3)."""
    seen, found = [0] * len(archive.names), []
    for label in clean.astype(int).tolist():
        found.append(archive.picture("train", archive.names[label], seen[label]))
        seen[label] += 1
    return np.stack(found)
