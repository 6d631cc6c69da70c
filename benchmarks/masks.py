"""Wrong masks beside cleanlab's segmentation: planted errors in CamVid, on the same probabilities.

Three kinds of probabilities: *easy* ones, the true masks with a blur of 4 pixels; *hard* ones, of which half of the mass is confused with three other
classes and the logarithms have noise that is alike within 9 pixels; and those of a small U-Net, trained on the wrong masks, out of fold by drive.

    python benchmarks/masks.py --seeds 5 --network-seeds 1 --probs FOLDER

``--probs`` names a folder in which the probabilities of the networks are kept from one run to the next.
"""

from __future__ import annotations

import argparse
import io
import time
import warnings
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from cleanlab.segmentation.rank import get_label_quality_scores
from PIL import Image
from scipy import ndimage
from sklearn.metrics import average_precision_score

import labelproof as lp
from _table import data_folder, publish
from labelproof.labels.run_length import decode
from labelproof.noise.masks.regions import regions_of
from labelproof.noise.simulate.masks import NoisyMasks

K, VOID = 11, 11
RATE, AREA = 0.03, (60, 1_500)
BLUR, CONFUSED, NOISE, LENGTH = 4.0, 0.5, 0.5, 9.0
LEAST = 12  # pixels of a region
KINDS = {
    "class": ("class", "extra"),
    "missing": ("drop",),
    "border": ("shift",),
}  # found, planted; an extra region may look like a wrong class
NOTE = (
    "CamVid, 367 pictures of 240 x 180, 11 classes; class, dropped, extra and shifted regions of 60 to 1,500 pixels planted in 3 % of such "
    "regions. Easy: true masks with a blur of 4 pixels; hard: half of the mass confused, noise alike within 9 pixels; network: a small U-Net, out of "
    "fold by drive. AP of pictures and of regions; expected and planted numbers of errors."
)


class Data(NamedTuple):
    """Pictures, true masks, and the drive of each."""

    pictures: np.ndarray
    masks: np.ndarray
    drive: np.ndarray


def read() -> Data:
    with zipfile.ZipFile(data_folder() / "camvid-small.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.startswith("masks/"))

        def opened(name: str) -> np.ndarray:
            return np.asarray(Image.open(io.BytesIO(archive.read(name))))

        pictures = [opened(name.replace("masks/", "images/").replace(".png", ".jpg")) for name in names]
        masks = [opened(name) for name in names]
    drives = np.unique([name.split("/")[1].split("_")[0] for name in names], return_inverse=True)[1]
    return Data(np.stack(pictures), np.stack(masks), drives)


def easy(masks: np.ndarray, seed: int) -> np.ndarray:
    return np.stack([_blurred(mask) for mask in masks])


def hard(masks: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    confusion = np.zeros((K, K), np.float32)
    for c in range(K):
        confusion[c, rng.choice(np.delete(np.arange(K), c), 3, replace=False)] = rng.dirichlet(np.ones(3))
    found = np.empty((len(masks), K, *masks.shape[1:]), np.float32)
    for probs, mask in zip(found, masks, strict=True):
        soft = _blurred(mask)
        mixed = (1 - CONFUSED) * soft + CONFUSED * np.tensordot(confusion.T, soft, axes=1)
        field = ndimage.gaussian_filter(rng.standard_normal(soft.shape).astype(np.float32), (0, LENGTH, LENGTH), mode="wrap")
        logits = np.log(mixed + 1e-3) + NOISE * field / field.std()
        np.exp(logits - logits.max(axis=0), out=probs)
        probs /= probs.sum(axis=0)
    return found


def _blurred(mask: np.ndarray) -> np.ndarray:
    shares = (mask == np.arange(K)[:, None, None]).astype(np.float32)
    soft = ndimage.gaussian_filter(shares, (0, BLUR, BLUR)) + np.float32(1e-6)
    return soft / soft.sum(axis=0)


def network(data: Data, given: np.ndarray, seed: int, folder: Path | None) -> np.ndarray:
    """Probabilities of the network, from the folder where they are there."""
    from _unet import out_of_fold

    kept = None if folder is None else folder / f"unet_{seed}.npz"
    if kept is not None and kept.exists():
        with np.load(kept) as file:
            assert np.array_equal(file["given"], given), "the folder holds probabilities of other masks"
            probs = file["probs"]
    else:
        probs = out_of_fold(data.pictures, given, data.drive, K, VOID, seed)
        if kept is not None:
            np.savez_compressed(kept, probs=probs, given=given)
    found = probs.astype(np.float32)
    found /= found.sum(axis=1, keepdims=True)
    return found


def compared(name: str, seed: int, noisy: NoisyMasks, probs: np.ndarray) -> dict[str, Any]:
    given = np.stack(noisy.labels)
    best = probs.argmax(axis=1)
    labels = np.where(given == VOID, best, given)  # cleanlab knows no void: such pixels are given what is predicted
    started = time.perf_counter()
    scores, pixels = get_label_quality_scores(labels, probs, verbose=False)
    of_cleanlab = time.perf_counter() - started
    started = time.perf_counter()
    audit = lp.audit(lp.Masks(given, void=VOID), probs)
    seconds = time.perf_counter() - started
    changed = np.zeros(given.shape, bool)
    for error in noisy.errors:
        changed[error.picture].ravel()[error.pixels] = True
    items = audit.items["error_probability"].to_numpy()
    ours, peer = (average_precision_score(noisy.changed, score) for score in (items, -scores))
    row = {
        "probs": name,
        "seed": seed,
        "wrong_pictures": int(noisy.changed.sum()),
        "expected_pictures": float(items.sum()),
        "cleanlab_AP": peer,
        "AP": ours,
        "difference": ours - peer,
        "cleanlab_region_AP": region_ap(*of_pixels(labels, best, pixels, changed), noisy, changed),
        "region_AP": region_ap(*of_regions(audit, changed), noisy, changed),
        **by_kind(audit, noisy),
        "cleanlab_seconds": of_cleanlab,
        "seconds": seconds,
        "ratio": seconds / of_cleanlab,
    }
    print(row, flush=True)
    return row


Found = tuple[list[bool], list[float], np.ndarray]  # whether each region is wrong, its score, and the pixels of all


def of_regions(audit: lp.Audit, changed: np.ndarray) -> Found:
    """The regions that are suggested to change."""
    wrong, score, touched = [], [], np.zeros(changed.shape, bool)
    height, width = changed.shape[1:]
    shown = audit.issues.filter(pl.col("kind").is_not_null())
    for i, rle, error in shown.select("index", "rle", "error_probability").iter_rows():
        pixels = decode(rle, height, width)
        wrong.append(bool(changed[i][pixels].mean() >= 0.5))
        score.append(error)
        touched[i] |= pixels
    return wrong, score, touched


def of_pixels(labels: np.ndarray, best: np.ndarray, pixels: np.ndarray, changed: np.ndarray) -> Found:
    """Connected pixels of one predicted class that is not the given one, by the mean of one minus cleanlab's pixel score."""
    wrong, score, touched = [], [], np.zeros(changed.shape, bool)
    for i in range(len(labels)):
        regions = regions_of(np.where(best[i] == labels[i], -1, best[i]))
        large = np.flatnonzero(regions.area >= LEAST)
        shares = ndimage.mean(changed[i], regions.number, large)
        wrong += (np.atleast_1d(shares) >= 0.5).tolist()
        score += np.atleast_1d(ndimage.mean(1 - pixels[i], regions.number, large)).tolist()
        touched[i] |= np.isin(regions.number, large)
    return wrong, score, touched


def region_ap(wrong: list[bool], score: list[float], touched: np.ndarray, noisy: NoisyMasks, changed: np.ndarray) -> float:
    """AP in which errors of which less than half is in any region are never found."""
    missed = sum(touched[error.picture].ravel()[error.pixels].mean() < 0.5 for error in noisy.errors)
    found = sum(wrong)
    return float(average_precision_score(wrong, score) * found / (found + missed)) if found else 0.0


def by_kind(audit: lp.Audit, noisy: NoisyMasks) -> dict[str, float]:
    """Expected and planted numbers of errors."""
    shown = audit.issues.filter(pl.col("kind").is_not_null())
    found = {}
    for kind, planted in KINDS.items():
        own = (kind, "extra") if kind == "class" else (kind,)
        found[f"{kind}_expected"] = float(shown.filter(pl.col("kind").is_in(own))["error_probability"].sum())
        found[f"{kind}_planted"] = sum(error.kind in planted for error in noisy.errors)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--network-seeds", type=int, default=1)
    parser.add_argument("--probs", type=Path)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    data, rows = read(), []
    for name, made in (("hard", hard), ("easy", easy)):
        for seed in range(asked.seeds):
            noisy = lp.simulate.masks(data.masks, RATE, void=VOID, area=AREA, random_state=seed)
            rows.append(compared(name, seed, noisy, made(data.masks, seed)))
    for seed in range(asked.network_seeds):
        noisy = lp.simulate.masks(data.masks, RATE, void=VOID, area=AREA, random_state=seed)
        rows.append(compared("network", seed, noisy, network(data, np.stack(noisy.labels), seed, asked.probs)))
    publish("masks", rows, NOTE)


if __name__ == "__main__":
    main()
