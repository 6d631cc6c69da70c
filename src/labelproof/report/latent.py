"""The latent map of a report: items as points in two dimensions, with suspect labels marked."""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.auditing.findings import Audit
from labelproof.auditing.verdicts import VERDICTS, verdicts

POINTS, SUSPECTS = 4000, 400
WIDTH, HEIGHT, MARGIN = 1000.0, 560.0, 16.0
# distinguishable for colour-blind readers, on light and on dark
COLOURS = ("#3b82c4", "#e08a1e", "#2a9d74", "#c2417c", "#8a6bd1", "#b8a21a", "#5aa9d6", "#a35a36", "#6f9e3c", "#d0605e")
OTHER = "#8b93a0"


@dataclass(frozen=True)
class Group:
    """The unsuspected items of one given label."""

    name: str
    colour: str
    path: str  # of zero-length strokes with round caps: an eighth of the bytes of circles


@dataclass(frozen=True)
class Suspect:
    """One label that is more likely wrong than right."""

    x: float
    y: float
    given: str  # colour of the given label
    suggested: str
    title: str


@dataclass(frozen=True)
class LatentMap:
    """What the template draws."""

    groups: list[Group]
    suspects: list[Suspect]
    method: str
    drawn: int
    items: int


def latent_map(audit: Audit) -> LatentMap | None:
    """Items on the plane: UMAP of the latent space if ``umap-learn`` is installed, else its first two principal components.

    Of many items a sample of 4,000 is drawn, and the 400 worst suspects. ``None`` where the audit has no latent space: it is
    `Audit.latent`, or what a model of cells learned from.
    """
    space = _space(audit)
    if space is None or len(space) < 3:
        return None
    given = audit.labels.as_given(audit.labels.values, -1)
    error = audit.findings.error_probability
    order = np.argsort(-error, kind="stable")
    verdict = verdicts(error[order], audit.error_rate.low).to_numpy()
    worst = order[verdict != VERDICTS[2]][:SUSPECTS]
    suspect = audit.labels.owner[worst]
    rest = np.setdiff1d(np.arange(audit.n), suspect)
    rng = np.random.default_rng(0)
    rest = np.sort(rng.choice(rest, min(POINTS, len(rest)), replace=False))
    place, method = _plane(space[np.concatenate([rest, suspect])])
    colours = _colours(audit)
    groups = [
        Group("no label" if code < 0 else str(audit.classes[code]), colours(code), _path(place[: len(rest)][given[rest] == code]))
        for code in [-1, *range(len(audit.classes))]
        if (given[rest] == code).any()
    ]  # fmt: skip
    ids = audit.ids
    suspects = [
        Suspect(
            float(x), float(y), colours(int(audit.labels.values[i])), colours(int(audit.findings.suggested[i])),
            f"{row if ids is None else ids[row]}: {audit.classes[audit.labels.values[i]]}, rather "
            f"{audit.classes[audit.findings.suggested[i]]} ({100 * error[i]:.0f} % wrong)",
        )
        for i, row, (x, y) in zip(worst, suspect, place[len(rest) :], strict=True)
    ]  # fmt: skip
    return LatentMap(groups, suspects[::-1], method, len(place), audit.n)


def _space(audit: Audit) -> npt.NDArray[np.float32] | None:
    if audit.latent is not None:
        return audit.latent
    cells = audit.dataset is not None and audit.dataset.kind == "cells"
    return np.asarray(audit.dataset.x, np.float32) if cells and audit.dataset is not None else None


def _plane(space: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float64], str]:
    """Two dimensions, scaled to the picture."""
    if importlib.util.find_spec("umap") is not None and len(space) > 15:
        import umap

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            flat, method = umap.UMAP(random_state=0).fit_transform(space), "UMAP"
    else:
        centred = space.astype(np.float64) - space.mean(axis=0)
        left, size, _ = np.linalg.svd(centred, full_matrices=False)
        flat, method = np.zeros((len(space), 2)), "first two principal components"
        flat[:, : min(2, len(size))] = (left * size)[:, :2]
    low, high = np.quantile(flat, [0.002, 0.998], axis=0)  # a stray point must not shrink the rest
    share = np.clip((flat - low) / np.maximum(high - low, 1e-12), 0, 1)
    return MARGIN + share * (np.array([WIDTH, HEIGHT]) - 2 * MARGIN), method


def _colours(audit: Audit) -> Any:
    """Colour of a class: the commonest given labels have their own."""
    commonest = np.argsort(-np.bincount(audit.labels.values, minlength=len(audit.classes)), kind="stable")[: len(COLOURS)]
    own = {int(code): colour for code, colour in zip(np.sort(commonest), COLOURS, strict=False)}
    return lambda code: own.get(code, OTHER)


def _path(places: npt.NDArray[np.float64]) -> str:
    return "".join(f"M{x:.0f} {y:.0f}h0" for x, y in places)
