"""Inputs of the cases, made without labelproof, so that they are the same whatever becomes of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 220)}


def real(name: str) -> Path:
    """A file of the real data."""
    return Path(os.environ["LABELPROOF_DATA"]) / name


def flipped(labels: Any, rate: float, seed: int = 0) -> Any:
    """Labels of which a share is another of the same labels."""
    rng = np.random.default_rng(seed)
    names = np.unique(labels)
    codes = np.searchsorted(names, labels)
    other = (codes + rng.integers(1, len(names), len(codes))) % len(names)
    return names[np.where(rng.random(len(codes)) < rate, other, codes)]


def some(frame: pl.DataFrame, n: int, seed: int = 0) -> pl.DataFrame:
    """Rows of a table, in its order."""
    return frame[np.sort(np.random.default_rng(seed).choice(frame.height, n, replace=False))]


def adult(n: int = 700) -> pl.DataFrame:
    """People and their income, by their ids; some of the incomes are wrong, and ``true`` says which."""
    people = some(pl.read_csv(real("adult.csv")), n).drop("fnlwgt")
    wrong = flipped(people["income"].to_numpy(), 0.1)
    return people.with_columns(pl.Series("income", wrong), true=people["income"], id=pl.Series([f"p{i}" for i in range(n)]))


def movies(n: int = 500) -> pl.DataFrame:
    """Sentences and their sentiment; some are wrong, and ``true`` says which."""
    texts = some(pl.read_csv(real("movie_reviews.csv")), n)
    wrong = flipped(texts["sentiment"].to_numpy(), 0.1)
    return texts.with_columns(pl.Series("sentiment", wrong), true=texts["sentiment"])


def shop(path: Path, n: int = 240) -> list[str]:
    """A file as offices write it: semicolons, decimal commas, dates, codes, gaps, quotes; the true labels of its rows."""
    rng = np.random.default_rng(0)
    names = np.array(["Garten", "Küche; Bad", "Büro"])
    y = rng.integers(0, 3, n)
    given = flipped(y, 0.12, 1)
    lines = ["Nummer;Preis;Datum;Lager;Text;Menge;Gruppe"]
    for i in range(n):
        price = f"{10 * (y[i] + 1) + rng.normal():.2f}".replace(".", ",")
        text = ("Rasen, grün", 'Topf "groß"', "Stift")[y[i]] if rng.random() < 0.8 else ""
        quoted = '"' + text.replace('"', '""') + '"' if text else ""
        group = '"Küche; Bad"' if given[i] == 1 else names[given[i]]
        cells = (
            f"{i:05d}",
            price,
            f"2024-{1 + i % 12:02d}-{1 + i % 28:02d}",
            ("ja", "nein")[i % 2],
            quoted,
            str(i % 7),
            group if i % 40 else "",
        )
        lines.append(";".join(cells))
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode("utf-8"))
    return [str(name) for name in names[y]]


def digit_labels(n: int) -> tuple[Any, Any]:
    """Digits as given, some of them wrong, and the true ones."""
    true = load_digits().target[:n]
    return flipped(true, 0.12), true


def picture_folder(root: Path, n: int = 200) -> dict[str, str]:
    """Scanned digits in class folders, one file no picture; the true class of each path."""
    given, true = digit_labels(n)
    found = {}
    for i, (pixels, own) in enumerate(zip(load_digits().images[:n], given, strict=True)):
        name = f"digit {own}/{i:04d}.png"
        save_picture(root / name, pixels * 15)
        found[name] = f"digit {true[i]}"
    (root / "digit 3" / "broken.png").write_bytes(b"no picture")
    return found


def save_picture(path: Path, pixels: Any) -> None:
    """Pixels as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels).astype(np.uint8)).resize((16, 16)).save(path)


def digit_arrays(folder: Path, n: int = 400, pictures: bool = True) -> Any:
    """``x.npy``, ``y.npy`` and out-of-sample probabilities ``p.npy`` of digits; the true labels."""
    given, true = digit_labels(n)
    np.save(folder / "x.npy", load_digits().images[:n] if pictures else load_digits().data[:n])
    np.save(folder / "y.npy", given)
    model = LogisticRegression(C=0.01, max_iter=300)
    probs = cross_val_predict(model, load_digits().data[:n], given, cv=4, method="predict_proba")
    np.save(folder / "p.npy", probs)
    return true


def tag_arrays(folder: Path, n: int = 400) -> Any:
    """Scenes: ``x.npy``, noisy tags ``t.npy``, probabilities ``p.npy``; the names of the tags and the true ones."""
    with np.load(real("scene.npz"), allow_pickle=False) as scene:
        x, y, names = scene["x_train"][:n], scene["y_train"][:n].astype(np.int8), [str(v) for v in scene["label_names"]]
    rng = np.random.default_rng(0)
    noisy = np.where((y == 1) & (rng.random(y.shape) < 0.2), 0, np.where((y == 0) & (rng.random(y.shape) < 0.02), 1, y)).astype(
        np.int8
    )
    model = LogisticRegression(C=0.05, max_iter=300)
    probs = np.stack([cross_val_predict(model, x, own, cv=3, method="predict_proba")[:, 1] for own in noisy.T], axis=1)
    for name, array in (("x", x.astype(np.float32)), ("t", noisy), ("p", probs)):
        np.save(folder / f"{name}.npy", array)
    return names, y


def tagged_pictures(folder: Path, n: int = 60) -> None:
    """Pictures of two colours, one above the other, and ``tags.csv`` with their names, some of them missing."""
    rng = np.random.default_rng(0)
    names, lines = list(COLOURS), ["path,tags"]
    for i in range(n):
        own = rng.permutation(3)[:2]
        pixels = np.repeat(np.array([COLOURS[names[c]] for c in own])[:, None], 16, axis=1).repeat(8, axis=0)
        save_picture(folder / "pictures" / f"{i:03d}.png", np.clip(pixels + rng.normal(0, 12, pixels.shape), 0, 255))
        lines.append(f"pictures/{i:03d}.png,{'; '.join(sorted(names[c] for c in own if rng.random() > 0.15))}")
    (folder / "pictures" / "none.png").write_bytes(b"no picture")
    (folder / "tags.csv").write_text("\n".join([*lines, "pictures/none.png,red", ""]))


def films(folder: Path, n: int = 24) -> None:
    """Videos as folders of frames, of one colour then another, and ``videos.json`` with what is said of them."""
    rng = np.random.default_rng(0)
    names = list(COLOURS)
    videos: list[dict[str, str]] = []
    sentences: list[dict[str, str]] = []
    for i in range(n):
        first, second = (names[c] for c in rng.permutation(3)[:2])
        for frame in range(4):
            pixels = np.array(COLOURS[first if frame < 2 else second]) + rng.normal(0, 10, (20, 20, 3))
            save_picture(folder / "frames" / f"video{i}" / f"{frame:03}.png", np.clip(pixels, 0, 255))
        videos.append({"video_id": f"video{i}", "split": "train" if i < n - 4 else "test"})
        sentences += [{"video_id": f"video{i}", "caption": f"a {first} wall then a {second} wall"}] * 2
    videos.append({"video_id": "lost", "split": "train"})
    sentences.append({"video_id": "lost", "caption": "a red wall"})
    (folder / "videos.json").write_text(json.dumps({"videos": videos, "sentences": sentences}))


def cells(path: Path, n: int = 500) -> None:
    """Cells of the mouse cortex, a quarter unlabelled, some labels wrong, their right ones in ``true``."""
    import anndata

    whole = anndata.read_h5ad(real("smfish_cortex.h5ad"))
    adata = whole[np.sort(np.random.default_rng(0).choice(whole.n_obs, n, replace=False))].copy()
    true = adata.obs["cell_type"].to_numpy().astype(str)
    given = flipped(true, 0.1)
    given[np.random.default_rng(1).random(n) < 0.25] = "unknown"
    adata.obs["true"], adata.obs["cell_type"] = true, given
    adata.write_h5ad(path)
