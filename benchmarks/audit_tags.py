"""Missing and incorrect tags beside cleanlab's multi-label scores, on scene and yeast with simulated noise; and the error rate, with its
interval, by a strong and by a weak model (every sixtieth column alone)."""

from __future__ import annotations

from typing import Any

import numpy as np
from cleanlab.multilabel_classification import get_label_quality_scores
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import KFold

import labelproof as lp
from _table import data_folder, publish

RATES = {"none": (0.0, 0.0), "missing 10 %, incorrect 1 %": (0.1, 0.01), "missing 40 %, incorrect 10 %": (0.4, 0.1)}
NOISES = {"missing 20 %, incorrect 5 %": (0.2, 0.05), "missing 30 %": (0.3, 0.0), "incorrect 10 %": (0.0, 0.1)}
ITEM_SCORES: dict[str, dict[str, Any]] = {
    "cleanlab_moving_average": {},
    "cleanlab_softmin": {"aggregator_kwargs": {"method": "softmin", "temperature": 0.1}},
}


def rates(x: np.ndarray, clean: np.ndarray, name: str) -> list[dict[str, Any]]:
    """The estimated error rate of each noise by two models."""
    rows = []
    for noise, (missing, incorrect) in (RATES | NOISES).items():
        gone = lp.simulate.missing_tags(clean, missing, random_state=0).changed
        added = lp.simulate.incorrect_tags(clean, incorrect, random_state=1).changed
        given = np.where(gone, 0, np.where(added, 1, clean))
        for model, some in (("strong", x), ("weak", x[:, ::60])):
            rate = lp.audit(lp.Tags(given), out_of_sample(some, given)).error_rate
            true = float((given != clean).mean())
            rows.append(
                {
                    "data": name,
                    "noise": noise,
                    "model": model,
                    "estimate": rate.estimate,
                    "low": rate.low,
                    "high": rate.high,
                    "true": true,
                }
            )
    return rows


def out_of_sample(x: np.ndarray, tags: np.ndarray) -> np.ndarray:
    probs = np.zeros(tags.shape)
    for train, test in KFold(5, shuffle=True, random_state=0).split(x):
        trees = ExtraTreesClassifier(200, min_samples_leaf=3, random_state=0, n_jobs=-1).fit(x[train], tags[train])
        probs[test] = np.stack([p[:, 1] for p in trees.predict_proba(x[test])], axis=1)
    return probs


def main() -> None:
    rows: list[dict[str, Any]] = []
    found_rates: list[dict[str, Any]] = []
    for name in ("scene", "yeast"):
        data = np.load(data_folder() / f"{name}.npz")
        x, clean = data["x_train"].astype(float), data["y_train"].astype(int)
        found_rates += rates(x, clean, name)
        for noise, (missing, incorrect) in NOISES.items():
            gone = lp.simulate.missing_tags(clean, missing, random_state=0).changed
            added = lp.simulate.incorrect_tags(clean, incorrect, random_state=1).changed
            given = np.where(gone, 0, np.where(added, 1, clean))
            wrong = given != clean
            probs = out_of_sample(x, given)
            found = lp.audit(lp.Tags(given), probs)
            alone = lp.audit(lp.Tags(given), probs, dependence=False)
            own = np.where(given == 1, 1 - probs, probs)  # cleanlab's score of one tag: self-confidence
            items = wrong.any(axis=1)
            names = [list(np.flatnonzero(row)) for row in given]
            theirs = {key: -get_label_quality_scores(names, probs, **options) for key, options in ITEM_SCORES.items()}
            rows.append(
                {
                    "data": name,
                    "noise": noise,
                    "tag_AP": average_precision_score(wrong.ravel(), found.error_probability.ravel()),
                    "tag_AP_without_dependence": average_precision_score(wrong.ravel(), alone.error_probability.ravel()),
                    "tag_AP_cleanlab": average_precision_score(wrong.ravel(), own.ravel()),
                    **kinds(wrong, given, found.error_probability, own),
                    "item_AP": average_precision_score(items, found.items["error_probability"]),
                    **{f"item_AP_{key}": average_precision_score(items, score) for key, score in theirs.items()},
                }
            )
    publish("tag_error_rates", found_rates, "Error rate of tags with its 95 % interval, beside the true one.")
    publish("audit_tags", rows, "Average precision over all (item, tag) entries, and over items with any wrong tag.")


def kinds(wrong: np.ndarray, given: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> dict[str, float]:
    """AUROC among absent tags (which are missing?) and among present ones (which are incorrect?)."""
    out = {}
    for kind, value in (("missing", 0), ("incorrect", 1)):
        here = given == value
        for whose, score in (("", ours), ("_cleanlab", theirs)):
            out[f"{kind}_AUROC{whose}"] = roc_auc_score(wrong[here], score[here]) if wrong[here].any() else float("nan")
    return out


if __name__ == "__main__":
    main()
