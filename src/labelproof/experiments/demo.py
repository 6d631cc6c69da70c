"""The demonstration: flip labels of scikit-learn's digits, find them again, and show what repairing them is worth."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from labelproof.auditing.audit import audit
from labelproof.auditing.default_models import linear
from labelproof.auditing.findings import Audit
from labelproof.data.readers.arrays import read_arrays
from labelproof.noise import simulate
from labelproof.report.html import write_report
from labelproof.saving.folders import atomic_folder
from labelproof.validation import AnyArray

RATE = 0.15


@dataclass(frozen=True)
class Demo:
    """The results of the demonstration."""

    audit: Audit
    flipped: int
    found: int
    missed: int
    false_alarms: int
    accuracy_dirty: float
    accuracy_repaired: float
    accuracy_clean: float


def pixels(pictures: AnyArray) -> AnyArray:
    """The encoder: pictures (n, h, w) as rows (n, h w). Digits of 8 x 8 need no other, and so no torch."""
    return pictures.reshape(len(pictures), -1)


def run(folder: str | os.PathLike[str], *, rate: float = RATE, seed: int = 0, overwrite: bool = False) -> Demo:
    """Flip labels of the digits by the pair rule, audit, repair, train, and write the audit with its report.

    Parameters
    ----------
    folder : path
        Gets ``issues.parquet``, ``summary.json`` and ``report.html``.
    rate : float
        Share of training labels that turn into the next digit (9 into 0).
    seed : int
    overwrite : bool

    Returns
    -------
    Demo
    """
    with atomic_folder(folder, overwrite=overwrite) as partial:
        digits = load_digits()
        train, test, clean, test_labels = train_test_split(
            digits.images, digits.target, test_size=0.3, random_state=seed, stratify=digits.target
        )
        noisy = simulate.pair(clean, rate, n_classes=10, random_state=seed)
        found = audit(read_arrays(train, noisy.labels), encoder=pixels, random_state=seed)
        flagged = found.error_probability >= 0.5
        repaired = np.where(flagged, found.suggested.astype(int), noisy.labels)

        def accuracy(labels: AnyArray) -> float:
            return float(linear(1.0).fit(pixels(train), labels).score(pixels(test), test_labels))

        result = Demo(
            audit=found,
            flipped=int(noisy.changed.sum()),
            found=int((flagged & noisy.changed).sum()),
            missed=int((~flagged & noisy.changed).sum()),
            false_alarms=int((flagged & ~noisy.changed).sum()),
            accuracy_dirty=accuracy(noisy.labels),
            accuracy_repaired=accuracy(repaired),
            accuracy_clean=accuracy(clean),
        )
        found.write_into(partial)
        write_report(found, partial / "report.html", title="Digits with 15 % of their labels flipped")
    return result
