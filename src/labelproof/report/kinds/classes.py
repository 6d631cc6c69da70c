"""The report on classes: which are worst, how they go wrong, and where the wrong labels lie."""

from __future__ import annotations

import numpy as np
import polars as pl

from labelproof.auditing.findings import Audit
from labelproof.noise.transition import TransitionMatrix
from labelproof.report.kinds.base import ReportPart
from labelproof.report.latent import latent_map
from labelproof.report.page import percent
from labelproof.validation import Json

HEAT_MAP_CLASSES = 24
CONFUSIONS = 15


class ReportOfClasses(ReportPart):
    """The transition as a heat map and a list."""

    template = "kinds/classes.html.jinja"
    tested = "In simulations, such intervals held the truth in 95 % of the data sets."

    def values(self, audit: Audit) -> dict[str, object]:
        """The transition, the classes, and the map of the latent space."""
        noise = noise_of(audit)
        return {
            "heat_map": _heat_map(noise),
            "confusions": _confusions(noise, audit.sites),
            "by_class": _by_class(audit),
            "latent": latent_map(audit),
        }

    def why(self, audit: Audit, given: str, suggested: str, error: float, confidence: float) -> str:
        """With what labels of this class usually should be."""
        if suggested == given:
            return f"No class fits well; the probability that “{given}” is right is {percent(1 - error)}."
        noise = noise_of(audit)
        names = [str(name) for name in noise.classes]
        habit = 0.0 if noise.factors is not None else noise.inverse[names.index(given), names.index(suggested)]
        usual = f" Of all labels “{given}” here, about {percent(habit)} should be “{suggested}”." if habit >= 0.0005 else ""
        return super().why(audit, given, suggested, error, confidence) + usual


def noise_of(audit: Audit) -> TransitionMatrix:
    """The noise of an audit of classes."""
    assert isinstance(audit.noise, TransitionMatrix)
    return audit.noise


REPORT = ReportOfClasses()


def _heat_map(noise: TransitionMatrix) -> list[Json]:
    if len(noise.classes) > HEAT_MAP_CLASSES:
        return []
    wrong = noise.matrix.copy()
    np.fill_diagonal(wrong, 0.0)
    most = max(float(wrong.max()), 1e-12)
    return [
        {
            "name": str(name),
            "cells": [
                # off the diagonal the colour is scaled to the worst confusion, or nothing would be seen
                {"value": float(value), "own": i == j, "shade": float(value if i == j else np.sqrt(value / most))}
                for j, value in enumerate(row)
            ],
        }
        for i, (name, row) in enumerate(zip(noise.classes, noise.matrix, strict=True))
    ]


def _confusions(noise: TransitionMatrix, n: int) -> list[Json]:
    """The commonest ways a label goes wrong, by expected number of labels."""
    if noise.factors is not None:  # thousands of classes, no pair of which has a rate of its own
        return []
    joint = noise.joint
    np.fill_diagonal(joint, 0.0)
    order = np.argsort(-joint, axis=None)[:CONFUSIONS]
    rows = []
    for flat in order:
        i, j = divmod(int(flat), len(noise.classes))
        expected = joint[i, j] * n
        if expected >= 1:
            true, given = str(noise.classes[i]), str(noise.classes[j])
            rows.append({"true": true, "given": given, "items": round(expected), "share": noise.matrix[i, j]})
    return rows


def _by_class(audit: Audit) -> list[Json]:
    table = (
        audit.issues.lazy()
        .group_by("given_label")
        .agg(
            pl.len().alias("n"),
            pl.col("error_probability").mean().alias("rate"),
            (pl.col("verdict") == "obvious").sum().alias("obvious"),
        )
        .sort("rate", "given_label", descending=[True, False])
        .collect(engine="streaming")
    )
    most = max(float(table["rate"].max() or 0.0), 1e-12)  # type: ignore[arg-type]
    return [{**row, "width": 100 * row["rate"] / most} for row in table.head(40).iter_rows(named=True)]
