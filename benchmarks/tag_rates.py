"""Where a noise network should begin: rates from scores in sample and out of sample, and what training makes of them.

Scene, captions of other items in place of one or three of five, means of three draws. *Gain* is in mean average precision over the same
number of epochs without a noise network.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import labelproof as lp
from _table import data_folder, publish
from labelproof.experiments import nmn
from labelproof.noise.tag_plateaus import plateau_rates

SEEDS = 3
SETTINGS: dict[str, dict[str, Any]] = {
    "from estimated rates": {},
    "from .3 and .3": {"missing": 0.3, "incorrect": 0.3},
    "100 times the learning rate": {"noise_lr": 100.0},
    "30 epochs": {"stages": (0, 30)},
}


def measured(replaced: int, seed: int) -> dict[str, tuple[float, float, float | None]]:
    """Missing and incorrect rates, means over tags, and the gain where a network was trained."""
    problem = nmn.tagged_set(data_folder(), "scene", seed)
    given = problem.noisy(replaced, seed).astype(int)
    torch.manual_seed(seed)
    options: dict[str, Any] = {**problem.options, "backbone": problem.network(), "random_state": seed}
    first, second = options.pop("stages")
    begun = lp.NoisyTagClassifier(noise="feature-independent", stages=(first, 0), **options).fit(problem.x, given)
    found: dict[str, tuple[float, float, float | None]] = {}
    true = nmn.true_rates(problem, given)
    found["true"] = float(np.nanmean(true.missing_rates)), float(np.nanmean(true.incorrect_rates)), None
    scores = begun.out_of_sample_
    assert scores is not None
    for name, own in (("scores in sample", begun.decision_function(problem.x)), ("scores out of sample", scores.logits)):
        rates = plateau_rates(own, given, resistant=True)
        found[name] = float(rates.missing.mean()), float(rates.incorrect.mean()), None
    for name, setting in SETTINGS.items():
        chosen = {**options, "stages": (0, second), **setting}
        model = lp.NoisyTagClassifier(noise="feature-independent", **chosen).fit(problem.x, given, pretrained=begun)
        plain = lp.NoisyTagClassifier(noise=None, **{**options, "stages": chosen["stages"]}).fit(
            problem.x, given, pretrained=begun
        )
        gain = [100 * lp.tag_precision(problem.true, m.decision_function(problem.test)).mean for m in (model, plain)]
        found[name] = float(np.nanmean(model.missing_)), float(np.nanmean(model.incorrect_)), gain[0] - gain[1]
    return found


def main() -> None:
    rows = []
    for replaced in (1, 3):
        draws = [measured(replaced, seed) for seed in range(SEEDS)]
        for name in draws[0]:
            own = [draw[name] for draw in draws]
            gains = [gain for _, _, gain in own if gain is not None]
            rows.append(
                {
                    "replaced": 20 * replaced,
                    "what": name,
                    "missing": float(np.mean([one[0] for one in own])),
                    "incorrect": float(np.mean([one[1] for one in own])),
                    "gain": float(np.mean(gains)) if gains else None,
                }
            )
    publish("tag_rates", rows, " ".join((__doc__ or "").split()))


if __name__ == "__main__":
    main()
