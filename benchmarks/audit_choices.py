"""The two constants of the audit that simulations leave open, chosen on all sets but one and tried on that one.

How strong noise of hard items is (``HARD``), and how much better noise by class must explain the labels for all noise to be taken for such (``REGARDED``). On simulated
worlds no choice of the second changes average precision by more than 0.005.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score

import labelproof as lp
from _table import data_folder, publish
from audit_quality import SETS, f1
from labelproof.auditing import sharpness

CHOICES = tuple(product((0.5, 0.75, 1.0), (0.3, 0.6, 1.0)))  # HARD, REGARDED
FAMILY = {name: name.split(".")[0] for name in SETS}


def main() -> None:
    data = np.load(data_folder() / "label_errors.npz")
    default = (sharpness.HARD, sharpness.REGARDED)
    measured: dict[tuple[tuple[float, float], str], tuple[float, float]] = {}
    for choice in CHOICES:
        sharpness.HARD, sharpness.REGARDED = choice
        for name in SETS:
            labels, wrong = data[f"{name}.labels"].astype(int), data[f"{name}.is_error"]
            score = lp.audit(labels, data[f"{name}.pred_probs"]).error_probability
            measured[choice, name] = (average_precision_score(wrong, score), f1(score >= 0.5, wrong))
    sharpness.HARD, sharpness.REGARDED = default
    rows: list[dict[str, Any]] = []
    for name in SETS:
        others = [other for other in SETS if FAMILY[other] != FAMILY[name]]
        best = max(CHOICES, key=lambda c: sum(sum(measured[c, other]) for other in others))
        hindsight = max(CHOICES, key=lambda c: sum(measured[c, name]))
        row: dict[str, Any] = {"left_out": name, "chosen_on_others": f"{best[0]}, {best[1]}"}
        for label, choice in (("chosen", best), ("default", default), ("hindsight", hindsight)):
            row[f"AP_{label}"], row[f"F1_{label}"] = measured[choice, name]
        rows.append(row)
    publish("audit_choices", rows, "Sets of the same family are left out together; the choice maximises AP + F1 on the others.")


if __name__ == "__main__":
    main()
