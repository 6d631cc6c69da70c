"""Figure 4 of the NMN paper: which words a tagger gives to pictures, without and with the noise network.

Composed scenes with two of five training captions replaced, as in the paper; pooling by noisy-OR. The figure shows the first
test scenes for which the two taggers predict different words, without manual selection, and counts the words of all test
scenes.

References
----------
Jiang et al. (2019), Learning from noisy labels with noise modeling network, figure 4.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from labelproof.errors import BadInput
from labelproof.estimators.tagger.noisy_tag_classifier import NoisyTagClassifier
from labelproof.experiments.nmn import composed_scenes
from labelproof.experiments.record import Record
from labelproof.experiments.scenes import PICTURED
from labelproof.report.plots import words_beside_pictures

REPLACED, SHOWN = 2, 5
TAGGERS = {"baseline*": None, "NMN-FD": "feature-dependent"}


def run(record: Record, *, data: Path | None, seeds: int, quick: bool) -> Record:
    """Words by the baseline and by the noise network on the same first stage; of the first seed the figure."""
    if data is None:
        raise BadInput("nmn-figure-4 needs --data: the folder of real data.")
    for seed in range(seeds):
        if not all(record.has(tagger=name, seed=seed) for name in TAGGERS):
            _measure(record, data, seed, quick=quick)
    return record


def _measure(record: Record, data: Path, seed: int, *, quick: bool) -> None:
    problem = composed_scenes(data, seed, 100 if quick else 5000, described=True)
    given = problem.noisy(REPLACED, seed)
    torch.manual_seed(seed)
    options: dict[str, Any] = {**problem.options, "backbone": problem.network(), "pooling": "noisy-or", "random_state": seed}
    first, second = options.pop("stages")
    begun = NoisyTagClassifier(noise="feature-independent", stages=(first, 0), **options).fit(problem.x, given)
    said = {}
    for name, noise in TAGGERS.items():
        with record.measuring(tagger=name, seed=seed) as row:
            model = NoisyTagClassifier(noise=noise, stages=(0, second), **options).fit(problem.x, given, pretrained=begun)
            said[name] = model.predict(problem.test)
            row["incorrect"] = float(((said[name] == 1) & (problem.true == 0)).sum(axis=1).mean())
            row["missing"] = float(((said[name] == 0) & (problem.true == 1)).sum(axis=1).mean())
            row["scenes"] = len(problem.true)
    if seed == 0:
        _drawn(record, problem.test[:, 0], problem.true, said)


def _drawn(record: Record, pictures: npt.NDArray[Any], true: npt.NDArray[Any], said: dict[str, npt.NDArray[np.int64]]) -> None:
    first, second = said.values()
    rows = np.flatnonzero((first != second).any(axis=1))[:SHOWN]
    if not len(rows):
        return
    columns: dict[str, list[list[tuple[str, str]]]] = {"true": [[("", word) for word in _words(true[row])] for row in rows]}
    for name, tags in said.items():
        columns[name] = [_marked(tags[row], true[row]) for row in rows]
    words_beside_pictures(
        pictures[rows], columns, record.path.with_suffix(".png"),
        title="Words of test scenes, two of five training captions replaced",
        legend="✗ not true    + missing    The first scenes on which the two differ.",
    )  # fmt: skip


def _words(tags: npt.NDArray[Any]) -> list[str]:
    return [word for word, there in zip(PICTURED, tags, strict=True) if there]


def _marked(tags: npt.NDArray[Any], true: npt.NDArray[Any]) -> list[tuple[str, str]]:
    """Predicted words, with wrong ones marked; then the missing ones."""
    wrong, omitted = tags * (1 - true), true * (1 - tags)
    told = [("✗" if wrong[i] else "", word) for i, word in enumerate(PICTURED) if tags[i]]
    return told + [("+", word) for word in _words(omitted)]
