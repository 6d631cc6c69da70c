"""The two constants of the audit (ambiguity, sharpenings) chosen on all sets but one and tried on that one."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score

import labelproof as lp
from _table import data_folder, publish
from audit_quality import SETS, f1
from labelproof.noise import em

AMBIGUITIES = (0.25, 0.35, 0.5, 0.75, 1.0)
SHARPENINGS = ((1.25, 4.0), (1.5, 3.0), (1.5, 4.0), (2.0, 4.0), (2.5,))
FAMILY = {name: name.split(".")[0] for name in SETS}


def main() -> None:
    data = np.load(data_folder() / "label_errors.npz")
    default = (em.AMBIGUITY, em.SHARPENINGS)
    measured: dict[tuple[Any, str], tuple[float, float, float]] = {}
    for choice in product(AMBIGUITIES, SHARPENINGS):
        em.SHARPENINGS = choice[1]
        for name in SETS:
            labels, wrong = data[f"{name}.labels"].astype(int), data[f"{name}.is_error"]
            found = lp.audit(labels, data[f"{name}.pred_probs"], ambiguity=choice[0])
            score = found.error_probability
            measured[choice, name] = (average_precision_score(wrong, score), f1(score >= 0.5, wrong), found.error_rate.estimate)
    em.SHARPENINGS = default[1]
    rows: list[dict[str, Any]] = []
    for name in SETS:
        others = [other for other in SETS if FAMILY[other] != FAMILY[name]]
        best = max(product(AMBIGUITIES, SHARPENINGS), key=lambda c: sum(sum(measured[c, o][:2]) for o in others))
        hindsight = max(product(AMBIGUITIES, SHARPENINGS), key=lambda c: sum(measured[c, name][:2]))
        row: dict[str, Any] = {"left_out": name, "chosen_on_others": f"{best[0]}, {best[1]}"}
        for label, choice in (("chosen", best), ("default", default), ("hindsight", hindsight)):
            row[f"AP_{label}"], row[f"F1_{label}"], row[f"rate_{label}"] = measured[choice, name]
        rows.append(row | {"true_rate": float(data[f"{name}.is_error"].mean())})
    publish("audit_choices", rows, "Sets of the same family are left out together; the choice maximises AP + F1 on the others.")


if __name__ == "__main__":
    main()
