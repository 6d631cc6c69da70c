"""Expectation-maximisation beside end-to-end training of the same noise model: likelihood, rates, accuracy and time.

Scene, captions of other items in place of one or three of five, five draws. Both start at one first stage, and at estimated rates or at .3
and .3. *Likelihood* is the mean logarithm of the probability of a given tag, over the training items (in sample). The gain is in mean average
precision over the same epochs without a noise network. ± is half of a 95 % interval of the paired difference, by Student's t. Each epoch
of expectation-maximisation has an expectation step over all items.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

import labelproof as lp
from _table import data_folder, publish
from labelproof.experiments import nmn
from labelproof.experiments.record import half_interval

SEEDS = 5
EPOCHS = 5, 40
STARTS: dict[str, dict[str, float]] = {"estimated rates": {}, ".3 and .3": {"missing": 0.3, "incorrect": 0.3}}
METHODS = {"end to end": "feature-independent", "EM": "em", "baseline*": None}


def measured(replaced: int, seed: int) -> dict[tuple[str, int], dict[str, dict[str, float]]]:
    """By start and epochs: the figures of each method."""
    problem = nmn.tagged_set(data_folder(), "scene", seed)
    given = problem.noisy(replaced, seed).astype(int)
    torch.manual_seed(seed)
    options: dict[str, Any] = {**problem.options, "backbone": problem.network(), "random_state": seed}
    first, _ = options.pop("stages")
    begun = lp.NoisyTagClassifier(noise="feature-independent", stages=(first, 0), **options).fit(problem.x, given)
    found: dict[tuple[str, int], dict[str, dict[str, float]]] = {}
    for start, rates in STARTS.items():
        for epochs in EPOCHS:
            own = found[start, epochs] = {}
            for name, noise in METHODS.items():
                model = lp.NoisyTagClassifier(noise=noise, stages=(0, epochs), **options, **rates)
                began = time.perf_counter()
                model.fit(problem.x, given, pretrained=begun)
                seconds = time.perf_counter() - began
                own[name] = {
                    "seconds": seconds,
                    "mean_ap": 100 * lp.tag_precision(problem.true, model.decision_function(problem.test)).mean,
                    **({} if noise is None else _noise(model, problem.x, given)),
                }
    return found


def _noise(model: lp.NoisyTagClassifier, x: Any, given: Any) -> dict[str, float]:
    said = np.clip(model.predict_given_proba(x), 1e-7, 1 - 1e-7)
    likelihood = np.where(given == 1, np.log(said), np.log1p(-said)).mean()
    return {
        "likelihood": float(likelihood),
        "missing": float(model.missing_.mean()),
        "incorrect": float(model.incorrect_.mean()),
    }


def _row(draws: list[dict[str, dict[str, float]]], method: str) -> dict[str, float]:
    columns = {name: np.array([draw[method][name] for draw in draws]) for name in draws[0][method]}
    row = {name: float(columns[name].mean()) for name in ("likelihood", "missing", "incorrect")}
    gain = columns["mean_ap"] - np.array([draw["baseline*"]["mean_ap"] for draw in draws])
    behind = columns["likelihood"] - np.array([draw["end to end"]["likelihood"] for draw in draws])
    row |= {"gain": float(gain.mean()), "gain_±": half_interval(gain)}
    row |= {"likelihood_beyond": float(behind.mean()), "likelihood_beyond_±": half_interval(behind)}
    return row | {"times": float(np.median(columns["seconds"] / [draw["end to end"]["seconds"] for draw in draws]))}


def main() -> None:
    rows: list[dict[str, Any]] = []
    for replaced in (1, 3):
        draws = [measured(replaced, seed) for seed in range(SEEDS)]
        for start, epochs in draws[0]:
            own = [draw[start, epochs] for draw in draws]
            rows += [
                {"replaced": 20 * replaced, "start": start, "epochs": epochs, "method": method, **_row(own, method)}
                for method in ("end to end", "EM")
            ]
    publish("tag_em", rows, " ".join((__doc__ or "").split()))


if __name__ == "__main__":
    main()
