"""Missing and incorrect tags told by the noise modeling network's posterior, beside cleanlab, in one run.

One network for all: a perceptron with dropout. NMN: the error probability of the tags that it was trained on. audit_tags and
cleanlab's score of one tag (self-confidence): from probabilities of the same network without noise, out of sample in five folds.
AUROC among absent tags (which are missing?) and among present ones (which are incorrect?), means of three seeds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.model_selection import KFold

import labelproof as lp
from _table import data_folder, publish
from audit_tags import NOISES, kinds
from labelproof.networks import MLP

SEEDS = 3
OPTIONS: dict[str, Any] = {"learning_rate": 1e-3, "batch_size": 64, "accelerator": "cpu", "missing": 0.2, "incorrect": 0.1}


def network(x: np.ndarray, tags: np.ndarray, seed: int) -> MLP:
    torch.manual_seed(seed)
    return MLP(tags.shape[1], x.shape[1], hidden=(256,), dropout=0.5)


def trained(x: np.ndarray, tags: np.ndarray, seed: int, noise: str | None) -> lp.NoisyTagClassifier:
    return lp.NoisyTagClassifier(network(x, tags, seed), noise=noise, stages=(20, 20), random_state=seed, **OPTIONS).fit(
        x, tags
    )


def measured(x: np.ndarray, clean: np.ndarray, missing: float, incorrect: float, seed: int) -> dict[str, float]:
    gone = lp.simulate.missing_tags(clean, missing, random_state=seed).changed
    added = lp.simulate.incorrect_tags(clean, incorrect, random_state=seed + 100).changed
    given = np.where(gone, 0, np.where(added, 1, clean))
    probs = np.zeros(given.shape)
    for train, test in KFold(5, shuffle=True, random_state=seed).split(x):
        probs[test] = trained(x[train], given[train], seed, None).predict_proba(x[test])
    scores = {
        "NMN-FI": trained(x, given, seed, "feature-independent").error_probability_,
        "NMN-FD": trained(x, given, seed, "feature-dependent").error_probability_,
        "audit_tags": lp.audit(lp.Tags(given), probs).error_probability,
    }
    theirs, found = np.where(given == 1, 1 - probs, probs), {}
    for name, ours in scores.items():
        for key, value in kinds(given != clean, given, ours, theirs).items():
            kind, _, whose = key.partition("_AUROC")
            found[f"{kind}: {'cleanlab' if whose else name}"] = value
    return found


def main() -> None:
    rows = []
    for name in ("scene", "yeast"):
        with np.load(data_folder() / f"{name}.npz") as data:
            x, clean = data["x_train"].astype(np.float32), data["y_train"].astype(int)
        x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-6)
        for noise, (missing, incorrect) in NOISES.items():
            seeds = [measured(x, clean, missing, incorrect, seed) for seed in range(SEEDS)]
            rows.append(
                {"data": name, "noise": noise, **{key: float(np.mean([s[key] for s in seeds])) for key in sorted(seeds[0])}}
            )
    publish("tag_detection", rows, " ".join((__doc__ or "").split()))


if __name__ == "__main__":
    main()
