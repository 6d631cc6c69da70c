"""Why missing rates of composed scenes are underestimated: what people omit is not what the classifier is surest of.

The tags that five people mention, who omit small digits, beside true tags of which as many are dropped at random. *Missing at the top* is the
share of true tags that are not given among the 30 items of each tag that score highest, out of sample: the estimate is read there. Gains are
in mean average precision over the same epochs without a noise network, paired by draw; ± is half of a 95 % interval by Student's t. Draws
that were measured are not measured again.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

import labelproof as lp
from _table import RESULTS, data_folder
from labelproof.experiments import nmn
from labelproof.experiments.record import Record, Row, averaged

SEEDS = 5
SCENES = 5000
HIGHEST = 30
PEOPLE, RANDOM = "small digits, by people", "at random"
Tags = npt.NDArray[np.int64]


class OmissionRecord(Record):
    """Draws averaged by what is omitted and by pooling."""

    def summary(self) -> list[Row]:
        """Means with half of their 95 % intervals."""
        rows = []
        for (omitted, pooling), seeds in self.groups("omitted", "pooling").items():
            row: Row = {"omitted": omitted, "pooling": pooling, "seeds": len(seeds)}
            for name in ("true_missing", "missing_at_top", "missing", "gain", "gain_true_rates"):
                row |= averaged(seeds, name)
            rows.append(row)
        return rows


def measured(problem: nmn.Tagging, given: Tags, pooling: str, seed: int) -> Row:
    """The rates, and what the noise network gains from them and from the true ones."""
    assert problem.truth is not None
    torch.manual_seed(seed)
    options: dict[str, Any] = {**problem.options, "backbone": problem.network(), "pooling": pooling, "random_state": seed}
    first, second = options.pop("stages")
    begun = lp.NoisyTagClassifier(noise="feature-independent", stages=(first, 0), **options).fit(problem.x, given)
    scores, true = begun.out_of_sample_, nmn.true_rates(problem, given)
    assert scores is not None
    found: Row = {"true_missing": float(np.nanmean(true.missing_rates)), "missing": float(begun.missing_.mean())}
    found["missing_at_top"] = at_the_top(scores.logits, given[scores.owner], problem.truth[scores.owner])
    reached = {}
    for name, noise, rates in (
        ("*", None, None),
        ("estimated", "feature-independent", None),
        ("true", "feature-independent", true),
    ):
        model = lp.NoisyTagClassifier(noise=noise, stages=(0, second), **options)
        model.fit(problem.x, given, pretrained=begun, rates=rates)
        reached[name] = 100 * lp.tag_precision(problem.true, model.decision_function(problem.test)).mean
    return found | {"gain": reached["estimated"] - reached["*"], "gain_true_rates": reached["true"] - reached["*"]}


def at_the_top(scores: npt.NDArray[np.float64], given: Tags, true: npt.NDArray[np.int8]) -> float:
    """Share of true tags that are not given, among the items of each tag that score highest."""
    top = np.argsort(-scores, axis=0, kind="stable")[:HIGHEST]
    own, there = np.take_along_axis(given, top, axis=0), np.take_along_axis(true, top, axis=0)
    return float((own[there == 1] == 0).mean())


def main(seeds: int = SEEDS) -> None:
    opened = OmissionRecord.open(RESULTS, "tag_omission")
    for seed in range(seeds):
        problem = nmn.composed_scenes(data_folder(), seed, SCENES)
        assert problem.truth is not None
        by_people = problem.noisy(0, seed).astype(int)
        share = float((by_people[problem.truth == 1] == 0).mean())
        at_random = lp.simulate.missing_tags(problem.truth, share, random_state=seed).labels
        for omitted, given in ((PEOPLE, by_people), (RANDOM, np.asarray(at_random, int))):
            for name, pooling in problem.poolings.items():
                key = {"omitted": omitted, "pooling": name, "seed": seed}
                if not opened.has(**key):
                    with opened.measuring(**key) as row:
                        row |= measured(problem, given, pooling, seed)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
