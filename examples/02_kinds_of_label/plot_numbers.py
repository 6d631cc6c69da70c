"""
Numbers: decimal points, units and signs
========================================

The targets of a regression can be wrong too. An audit names the kind of error and proposes the number that was meant.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import cross_val_predict

import labelproof as lp

x, y = make_friedman1(1500, noise=0.6, random_state=0)
noisy = lp.simulate.numbers(np.round(y, 1), 0.06, random_state=0)
model = HistGradientBoostingRegressor(loss="absolute_error", random_state=0)
expected = cross_val_predict(model, x, noisy.labels, cv=5)

# %%
# The audit needs the numbers and out-of-sample predictions of a model.

audit = lp.audit(lp.Numbers(noisy.labels), expected)
print(audit.issues.head(8).select("index", "given_label", "suggested_label", "kind", "error_probability"))

# %%
# Given against expected. Colours are the kind of error that the audit names.

figure, axis = plt.subplots(figsize=(6.5, 5))
issues = audit.issues.sort("index")
wrong = issues["error_probability"].to_numpy() > 0.5
axis.plot(expected[~wrong], noisy.labels[~wrong], ".", color="lightgrey", label="right")
kinds = issues["kind"].to_numpy()
for kind in sorted({str(kind) for kind in kinds[wrong]}):
    own = wrong & (kinds == kind)
    axis.plot(expected[own], noisy.labels[own], "o", markersize=5, label=f"{kind} ({own.sum()})")
axis.set_yscale("symlog", linthresh=30)
axis.set(xlabel="expected", ylabel="given", title="Wrong numbers, by kind of error")
axis.legend()
figure.tight_layout()
