"""Does a noise network that reads features learn noise that depends on them? What people omit because it is small.

Composed scenes, tagged with the digits that one person mentions: of the smallest 15 %, of the largest 85 %. For comparison,
scenes with three of five captions from another scene, which depends on no feature: there the two kinds of noise network should
tie. The evidence of a tag is the size of the digit, whichever it is, at the place where the classifier finds the tag most
likely; so it is known for absent digits too.

References
----------
Jiang et al. (2019), Learning from noisy labels with noise modeling network, sections 2.2 and 3.1: they report that
feature-dependent noise does best.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from labelproof.errors import BadInput
from labelproof.estimators.tagger.noisy_tag_classifier import NoisyTagClassifier
from labelproof.estimators.tagger.precision import tag_precision
from labelproof.estimators.tagger.reading import parts
from labelproof.experiments.nmn import pixels_of
from labelproof.experiments.record import Record, Row, averaged, gained, half_interval
from labelproof.experiments.scenes import SIDE, SIZES, Scenes, compose, scene_network
from labelproof.noise.simulate import caption_replacement
from labelproof.report.plots import lines

OMITTED, REPLACED = "one person's tags", "three of five captions replaced"
FI, FD, SEES = "NMN-FI", "NMN-FD", "NMN-FD, size"
METHODS = {"*": None, FI: "feature-independent", FD: "feature-dependent", SEES: "feature-dependent"}
AT = np.arange(SIZES[0], SIZES[1] + 1)
STAGES = (8, 4)
BLOCK, SOME = 256, 500
FIRST = "feature-independent"  # its rates are estimated with the first stage, and its noise network is not trained there
Values = npt.NDArray[np.float64]
Tags = npt.NDArray[np.int8]


@dataclass(frozen=True)
class _Case:
    """Training scenes with given tags, and test scenes."""

    name: str
    train: Scenes
    test: Scenes
    given: Tags


class EvidenceRecord(Record):
    """Rows averaged over seeds."""

    def summary(self) -> list[Row]:
        """Means with the half-width of their 95 % intervals, and paired gains on the baseline and on feature-independent noise."""
        found, rows = self.groups("case", "method"), []
        for (case, method), seeds in found.items():
            row: Row = {"case": case, "method": method, "seeds": len(seeds)} | averaged(seeds, "mean_ap")
            for name, base in (("gain", "*"), ("beyond_FI", FI)):
                paired = gained(seeds, "mean_ap", {one["seed"]: one for one in found.get((case, base), [])})
                row |= {name: paired["gain"], f"{name}_±": paired["gain_±"]}
            for name in ("missing", "true_missing", "incorrect", "true_incorrect"):
                row[name] = averaged(seeds, name)[name]
            rows.append(row)
        return rows


def run(record: Record, *, data: Path | None, seeds: int, quick: bool) -> Record:
    """Four second stages on two kinds of noise; ten seeds or more distinguish them."""
    if data is None:
        raise BadInput("nmn-evidence needs --data: the folder of real data.")
    record = EvidenceRecord(record.path, record.rows, record.skipped)
    for seed in range(seeds):
        for name in (OMITTED, REPLACED):
            if not all(record.has(case=name, method=method, seed=seed) for method in METHODS):
                _measure(record, _case(data, name, seed, 120 if quick else 3000), seed, (1, 1) if quick else STAGES)
    _drawn(record)
    return record


def _case(data: Path, name: str, seed: int, n: int) -> _Case:
    train, test = compose(data, n, seed=seed), compose(data, max(100, n // 3), seed=seed, test=True)
    replaced = np.asarray(caption_replacement(train.captions, 3, random_state=seed).labels, np.int8)
    return _Case(name, train, test, train.captions[:, 0] if name == OMITTED else replaced)


def _measure(record: EvidenceRecord, case: _Case, seed: int, stages: tuple[int, int]) -> None:
    """All rows of one case and seed: the first stage and the folds are trained once."""
    torch.manual_seed(seed)
    options: dict[str, Any] = {
        "backbone": scene_network(), "pooling": "noisy-or", "batch_size": 32, "random_state": seed, "accelerator": "cpu",
    }  # fmt: skip
    x, test = pixels_of(case.train.x), pixels_of(case.test.x)
    first = NoisyTagClassifier(noise=FIRST, stages=(stages[0], 0), **options).fit(x, case.given)
    sizes = sizes_at(_maps(first, x), case.train.places)
    true, truth = case.train.true, case.test.true
    for method, noise in METHODS.items():
        if record.has(case=case.name, method=method, seed=seed):
            continue
        with record.measuring(case=case.name, method=method, seed=seed) as row:
            seen = sizes if method == SEES else None
            model = NoisyTagClassifier(noise=noise, stages=(0, stages[1]), **options)
            model.fit(x, case.given, pretrained=first, evidence=seen)
            row["mean_ap"] = 100 * tag_precision(truth, model.decision_function(test)).mean
            row["true_missing"], row["true_incorrect"] = _share(case.given[true == 1] == 0), _share(case.given[true == 0] == 1)
            if noise is not None:
                row["missing"], row["incorrect"] = float(np.nanmean(model.missing_)), float(np.nanmean(model.incorrect_))
            if seen is not None:
                row["learned"], row["true"] = _learned(model, x), _counted(case.given, true, sizes)


def sizes_at(maps: npt.NDArray[np.float32], places: Values) -> Values:
    """Size of the digit that is nearest to where each tag scores highest, shape (n, k), in pixels.

    Parameters
    ----------
    maps : ndarray, shape (n, k, h, w)
        Scores of each tag at each place.
    places : ndarray, shape (n, m, 3)
        Places of `Scenes`.
    """
    n, k, _, w = maps.shape
    best = maps.reshape(n, k, -1).argmax(axis=2)
    step = SIDE / w
    at = np.stack([best // w, best % w], axis=-1) * step + step / 2
    far = ((at[:, :, None] - places[:, None, :, :2]) ** 2).sum(axis=-1)
    nearest = np.where(np.isnan(far), np.inf, far).argmin(axis=2)
    return np.asarray(np.take_along_axis(places[:, :, 2], nearest, axis=1))


@torch.no_grad()
def _maps(model: NoisyTagClassifier, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    backbone: Any = model.module_.network.eval().backbone
    blocks = (torch.from_numpy(x[start : start + BLOCK]) for start in range(0, len(x), BLOCK))
    return np.concatenate([backbone.score(backbone.encode(block)).numpy() for block in blocks])


def _learned(model: NoisyTagClassifier, x: npt.NDArray[np.float32]) -> list[float]:
    """``q(missing | size)`` at each size, a mean over tags and items, as if all digits had that size."""
    some, k = torch.from_numpy(x[:SOME]), len(model.classes_)
    found = []
    for size in AT:
        told = torch.full((len(some), k, 1), float(size))
        found.append(float(torch.cat([(-odds[..., 1]).sigmoid() for _, odds in parts(model.module_, some, told)]).mean()))
    return found


def _counted(given: Tags, true: Tags, sizes: Values) -> list[float]:
    """The share of true tags that were not given, by the size that the noise network reads."""
    return [_share(given[(true == 1) & (sizes == size)] == 0) for size in AT]


def _share(which: npt.NDArray[np.bool_]) -> float:
    return float(which.mean()) if len(which) else float("nan")


def _drawn(record: EvidenceRecord) -> None:
    """Omitted tags by size, learned and counted."""
    panels = {}
    for case in (OMITTED, REPLACED):
        rows = [row for row in record.rows if row["case"] == case and row["method"] == SEES]
        if rows:
            values = {name: np.array([row[name] for row in rows], float) for name in ("learned", "true")}
            panels[case] = {name: np.stack([own.mean(axis=0), _intervals(own)]) for name, own in values.items()}
    lines(
        panels,
        record.path.with_suffix(".png"),
        title="Share of true tags that are not given, by size",
        x="size of the digit, pixels",
        y="q(missing | size)",
        at=AT.tolist(),
    )


def _intervals(values: Values) -> Values:
    return np.array([half_interval(column) for column in values.T])
