"""Real text and pictures with a tenth of their labels flipped: what the encoders of the extra `offline` bring."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve

import labelproof as lp
from labelproof.data.dataset import Dataset


def best_f1(wrong: np.ndarray, error: np.ndarray) -> float:
    precision, recall, _ = precision_recall_curve(wrong, error)
    return float((2 * precision * recall / np.maximum(precision + recall, 1e-12)).max())


def scores(measure: Callable[..., float], data: Dataset, wrong: np.ndarray) -> dict[str, float]:
    """Of the encoder that is installed, and without one."""
    found = {name: lp.audit(data, encoder=name) for name in ("auto", "none")}
    assert found["auto"].model.encoder in ("minilm", "efficientnet-lite2")
    assert found["auto"].model.loss < found["none"].model.loss
    assert found["auto"].model.accuracy > found["none"].model.accuracy
    return {name: measure(wrong, audit.error_probability) for name, audit in found.items()}


@pytest.mark.slow
def test_questions(real_data, tmp_path):
    frame = pl.read_csv(real_data / "trec_questions.csv").sample(1000, seed=0)
    classes, codes = np.unique(frame["type"].to_numpy(), return_inverse=True)
    noisy = lp.simulate.symmetric(codes, 0.1, n_classes=len(classes), random_state=0)
    frame.with_columns(type=pl.Series(classes[noisy.labels])).write_csv(tmp_path / "dirty.csv")
    data = lp.read_text(tmp_path / "dirty.csv", "type", "question")
    best = scores(best_f1, data, noisy.changed)
    assert best["auto"] > best["none"] + 0.04


def flipped_jpegs(source: Path, folder: Path, per_class: int) -> np.ndarray:
    """Pictures of CIFAR-10, a tenth of them in the folder of another class; which, in the order of their paths."""
    rng, changed = np.random.default_rng(0), {}
    with zipfile.ZipFile(source) as archive:
        kinds = sorted({name.split("/")[1] for name in archive.namelist() if name.startswith("train/")} - {""})
        for kind in kinds:
            for i in range(per_class):
                flip = rng.random() < 0.1
                place = folder / (rng.choice([other for other in kinds if other != kind]) if flip else kind)
                place.mkdir(parents=True, exist_ok=True)
                (place / f"{kind}{i:04d}.jpg").write_bytes(archive.read(f"train/{kind}/{i:04d}.jpg"))
                changed[f"{place.name}/{kind}{i:04d}.jpg"] = flip
    return np.array([changed[name] for name in sorted(changed)])


@pytest.mark.slow
def test_pictures(real_data, tmp_path):
    wrong = flipped_jpegs(real_data / "cifar10-jpeg.zip", tmp_path / "jpegs", 20)
    data = lp.read_images(tmp_path / "jpegs")
    assert data.ids.tolist() == sorted(data.ids)
    precision = scores(average_precision_score, data, wrong)
    assert precision["auto"] > precision["none"] + 0.2
