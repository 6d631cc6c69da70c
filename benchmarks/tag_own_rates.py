"""Why tags borrow rates from each other: gains from rates that each tag reads by itself, that are drawn together, and from the true ones.

Composed scenes without MIL, one caption of five replaced. Gains are in average precision over the same epochs without a noise network: of all
tags, and of the tag that the first stage predicts worst. Draws that were measured are not measured again.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score

import labelproof as lp
from _table import RESULTS, data_folder
from labelproof.estimators.tagger.out_of_sample import Scores
from labelproof.experiments import nmn
from labelproof.experiments.record import Record, Row, averaged
from labelproof.noise.tag_plateaus import plateau_rates

SEEDS = 5
SCENES = 5000
OWN, TOGETHER, TRUE = "each tag's own", "drawn together", "true"
MEASURED = ("gain", "gain_worst", "missing_worst", "true_missing_worst", "incorrect_worst", "true_incorrect_worst")


class OwnRecord(Record):
    """Draws averaged by the rates."""

    def summary(self) -> list[Row]:
        """Means with half of their 95 % intervals."""
        rows = []
        for (rates,), draws in self.groups("rates").items():
            row: Row = {"rates": rates, "draws": len(draws)}
            for name in MEASURED:
                row |= averaged(draws, name)
            rows.append(row)
        return rows


def rates_of(scores: Scores, given: np.ndarray, true: lp.TagRates) -> dict[str, lp.TagRates]:
    """The three readings of the same out-of-sample scores."""
    tags, z = true.classes, given[scores.owner]
    each = [plateau_rates(scores.logits[:, [j]], z[:, [j]]) for j in range(z.shape[1])]
    joint = plateau_rates(scores.logits, z, resistant=True)
    own = lp.TagRates(np.concatenate([one.missing for one in each]), np.concatenate([one.incorrect for one in each]), tags)
    return {OWN: own, TOGETHER: lp.TagRates(joint.missing, joint.incorrect, tags), TRUE: true}


def first_stage(problem: nmn.Tagging, given: np.ndarray, options: dict[str, Any], epochs: int) -> lp.NoisyTagClassifier:
    return lp.NoisyTagClassifier(noise="feature-independent", stages=(epochs, 0), **options).fit(problem.x, given)


def measured(seed: int) -> list[Row]:
    """What each reading of the rates gains in one draw."""
    problem = nmn.composed_scenes(data_folder(), seed, SCENES)
    given = problem.noisy(1, seed).astype(int)
    torch.manual_seed(seed)
    pooling = problem.poolings["no MIL"]
    options: dict[str, Any] = {**problem.options, "backbone": problem.network(), "pooling": pooling, "random_state": seed}
    first, second = options.pop("stages")
    begun, true = first_stage(problem, given, options, first), nmn.true_rates(problem, given)

    def reached(rates: lp.TagRates | None) -> np.ndarray:
        noise = None if rates is None else "feature-independent"
        model = lp.NoisyTagClassifier(noise=noise, stages=(0, second), **options)
        scores = model.fit(problem.x, given, pretrained=begun, rates=rates).decision_function(problem.test)
        return 100 * average_precision_score(problem.true, scores, average=None)

    assert begun.out_of_sample_ is not None
    plain, rows = reached(None), []
    worst = int(np.argmin(plain))
    for name, rates in rates_of(begun.out_of_sample_, given, true).items():
        gains = reached(rates) - plain
        row: Row = {"seed": seed, "rates": name, "gain": float(gains.mean()), "gain_worst": float(gains[worst])}
        for kind in ("missing", "incorrect"):
            row[f"{kind}_worst"] = float(getattr(rates, f"{kind}_rates")[worst])
            row[f"true_{kind}_worst"] = float(getattr(true, f"{kind}_rates")[worst])
        rows.append(row | {"precision_worst": float(plain[worst])})
    return rows


def main(seeds: int = SEEDS) -> None:
    opened = OwnRecord.open(RESULTS, "tag_own_rates")
    for seed in range(seeds):
        if not opened.has(seed=seed):
            opened.rows += measured(seed)
            opened.write()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
