"""Error rate from 200 reviews: how often the interval holds the truth, and how wide it is beside plain random sampling's."""

from __future__ import annotations

from typing import Any

import numpy as np

import labelproof as lp
from _table import data_folder, publish
from audit_quality import SETS
from labelproof.review import estimate_error_rate, plan_measurement

REVIEWS, TIMES = 200, 500


def main() -> None:
    data = np.load(data_folder() / "label_errors.npz")
    rows: list[dict[str, Any]] = []
    for name in SETS:
        wrong = data[f"{name}.is_error"]
        audit = lp.audit(data[f"{name}.labels"].astype(int), data[f"{name}.pred_probs"])
        e, rng = audit.error_probability, np.random.default_rng(0)
        held, plain_held, widths, plain_widths = 0, 0, [], []
        for seed in range(TIMES):
            plan = plan_measurement(e, REVIEWS, random_state=seed)
            rate = estimate_error_rate(e, plan, wrong[plan.index])
            held += rate.low <= wrong.mean() <= rate.high
            widths.append(rate.high - rate.low)
            found = wrong[rng.choice(len(wrong), REVIEWS, replace=False)].sum()  # Agresti and Coull's interval
            share = (found + 2) / (REVIEWS + 4)
            half = 1.96 * np.sqrt(share * (1 - share) / (REVIEWS + 4))
            plain_held += abs(share - wrong.mean()) <= half
            plain_widths.append(2 * half)
        rows.append(
            {
                "set": name,
                "coverage": held / TIMES,
                "width": float(np.mean(widths)),
                "coverage_plain": plain_held / TIMES,
                "width_plain": float(np.mean(plain_widths)),
                "narrower": 1 - float(np.mean(widths) / np.mean(plain_widths)),
            }
        )
    publish("review_estimate", rows, f"{TIMES} simulated reviews of {REVIEWS} labels; nominal coverage 0.95.")


if __name__ == "__main__":
    main()
