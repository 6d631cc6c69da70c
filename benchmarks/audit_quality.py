"""How well wrong labels are ranked, flagged and counted, beside cleanlab's scores and filters, where the truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.metrics import average_precision_score, roc_auc_score

import labelproof as lp
from _table import data_folder, publish

SETS = ("cifar10.resnet18", "cifar10naggregate.resnet18", "romannumeral.resnet18", "romannumeral.swin")
SCORES = {
    "self-confidence": {"method": "self_confidence"},
    "normalized margin": {"method": "normalized_margin"},
    "confidence-weighted entropy": {"method": "confidence_weighted_entropy"},
    "self-confidence, adjusted": {"method": "self_confidence", "adjust_pred_probs": True},
    "normalized margin, adjusted": {"method": "normalized_margin", "adjust_pred_probs": True},
}
FILTERS = ("prune_by_noise_rate", "prune_by_class", "both", "confident_learning")


def f1(flagged: np.ndarray, wrong: np.ndarray) -> float:
    return float(2 * (flagged & wrong).sum() / (flagged.sum() + wrong.sum()))


def calibration_error(probability: np.ndarray, wrong: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error over bins of equal width."""
    place = np.minimum((probability * bins).astype(int), bins - 1)
    return float(sum(abs(probability[place == b].sum() - wrong[place == b].sum()) for b in range(bins)) / len(wrong))


def reviewed_mnist() -> dict[str, Any]:
    """The 100 labels of MNIST's test images that five people each re-checked: were they wrong, by four votes or more?"""
    data = np.load(data_folder() / "mnist_test_reviews.npz")
    found = lp.audit(data["mnist.labels"], data["mnist.pred_probs"])
    rejected = data["mnist.votes_given"] <= 1
    score = found.error_probability[data["mnist.reviewed_index"]]
    return {
        "set": "mnist, 100 reviewed",
        "method": "labelproof",
        "AP": average_precision_score(rejected, score),
        "AUROC": roc_auc_score(rejected, score),
        "F1": float("nan"),
        "error_rate": float("nan"),
        "true_rate": float(rejected.mean()),
        "ECE": calibration_error(score, rejected),
    }


def main() -> None:
    data = np.load(data_folder() / "label_errors.npz")
    rows: list[dict[str, Any]] = []
    for name in SETS:
        probs, labels, wrong = data[f"{name}.pred_probs"], data[f"{name}.labels"].astype(int), data[f"{name}.is_error"]
        found = lp.audit(labels, probs)
        ours, verdict = found.error_probability, found.issues.sort("index")["verdict"]
        rows.append(
            {
                "set": name,
                "method": "labelproof",
                "AP": average_precision_score(wrong, ours),
                "AUROC": roc_auc_score(wrong, ours),
                "F1": f1((verdict != "ok").to_numpy(), wrong),
                "error_rate": found.error_rate.estimate,
                "true_rate": float(wrong.mean()),
                "ECE": calibration_error(ours, wrong),
                "low": found.error_rate.low,
                "high": found.error_rate.high,
                "obvious": int((verdict == "obvious").sum()),
                "obvious_right": float(wrong[(verdict == "obvious").to_numpy()].mean())
                if (verdict == "obvious").any()
                else float("nan"),
            }
        )
        blank = {"AP": float("nan"), "AUROC": float("nan"), "F1": float("nan"), "error_rate": float("nan")}
        tail = {"true_rate": float(wrong.mean()), "ECE": float("nan")}
        for score, options in SCORES.items():
            try:
                quality = get_label_quality_scores(labels, probs, **options)
            except ValueError:  # the adjusted entropy does not exist
                continue
            measured = {"AP": average_precision_score(wrong, -quality), "AUROC": roc_auc_score(wrong, -quality)}
            rows.append({"set": name, "method": f"cleanlab {score}", **blank, **measured, **tail})
        for rule in FILTERS:
            flagged = find_label_issues(labels, probs, filter_by=rule, n_jobs=1)
            measured = {"F1": f1(flagged, wrong), "error_rate": float(flagged.mean())}
            rows.append({"set": name, "method": f"cleanlab {rule}", **blank, **measured, **tail})
        rows.append(
            {"set": name, "method": "argmax != given", **blank, "F1": f1(probs.argmax(axis=1) != labels, wrong), **tail}
        )
    rows.append(reviewed_mnist())
    publish("audit_quality", rows, "Average precision, AUROC, F1 of the flagged set, estimated error rate, calibration error.")


if __name__ == "__main__":
    main()
