"""What 200 reviews of the queue bring where the truth is known: errors found, the flagged set, and the error rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from cleanlab.rank import get_label_quality_scores

import labelproof as lp
from _table import data_folder, publish
from audit_quality import SETS, f1
from labelproof.auditing.calibrate import fit_calibration
from labelproof.report.plots import lines
from labelproof.review.plan.estimate import estimate_error_rate
from labelproof.review.plan.queue import MEASURE, make_queue

REVIEWS, TIMES = 200, 500
PICTURE = Path(__file__).parent.parent / "docs" / "images" / "review-corrections.png"
POINTS = (25, 50, 100, 150, 200)


def main() -> None:
    data = np.load(data_folder() / "label_errors.npz")
    rows: list[dict[str, Any]] = []
    panels: dict[str, dict[str, np.ndarray]] = {}
    counted = np.arange(1, REVIEWS + 1)
    for name in SETS:
        probs, labels, wrong = data[f"{name}.pred_probs"], data[f"{name}.labels"].astype(int), data[f"{name}.is_error"]
        error = lp.audit(labels, probs).error_probability
        ranked = wrong[np.argsort(-error, kind="stable")]
        found = np.cumsum(ranked)
        best = float((2 * found / (np.arange(1, len(wrong) + 1) + wrong.sum())).max())
        quality = get_label_quality_scores(labels, probs)
        theirs = np.cumsum(wrong[np.argsort(quality, kind="stable")][:REVIEWS])
        mixed, held, widths, flagged = [], [], [], []
        for seed in range(TIMES):
            queue = make_queue(error, REVIEWS, random_state=seed)
            plan = queue.sample_of(queue.rows)
            rate = estimate_error_rate(error, plan, wrong[plan.index])
            held.append(rate.low <= wrong.mean() <= rate.high)
            widths.append(rate.high - rate.low)
            mixed.append(np.cumsum(wrong[queue.rows]))
            if seed < 50:
                calibrated = fit_calibration(error[queue.rows], wrong[queue.rows])(error)
                calibrated[queue.rows] = wrong[queue.rows]
                flagged.append(f1(calibrated >= 0.5, wrong))
        panels[name] = {
            "labelproof, hunt": found[None, :REVIEWS] / counted,
            "labelproof, queue": np.array(mixed) / counted,
            "cleanlab": theirs[None] / counted,
            "random": np.full((1, REVIEWS), wrong.mean()),
        }
        rows.append(
            {
                "set": name,
                "truth": float(wrong.mean()),
                **{f"hunt_{m}": int(found[m - 1]) for m in POINTS},
                **{f"queue_{m}": float(np.mean([curve[m - 1] for curve in mixed])) for m in POINTS},
                **{f"cleanlab_{m}": int(theirs[m - 1]) for m in POINTS},
                **{f"random_{m}": float(m * wrong.mean()) for m in POINTS},
                "coverage": float(np.mean(held)),
                "width": float(np.mean(widths)),
                "F1_best_threshold": best,
                "F1_before": f1(error >= 0.5, wrong),
                "F1_after": float(np.mean(flagged)),
            }
        )
    title = "Share of the reviews that found a wrong label"
    lines(panels, PICTURE, title=title, x="reviews", y="wrong labels found / reviews")
    publish(
        "review_corrections",
        rows,
        f"{REVIEWS} reviews; queue: the default of labelproof review, {MEASURE:.0%} of it measuring, mean of {TIMES} draws; hunt: "
        "without measuring; cleanlab: by its default quality score; F1 of the flagged set, 50 draws.",
    )


if __name__ == "__main__":
    main()
