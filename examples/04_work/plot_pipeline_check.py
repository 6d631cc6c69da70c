"""
Fail a build when labels get worse
==================================

``lp.check`` compares the error rate of a data set with a limit, and ``lp.compare`` says what changed since the last audit. Both have commands for
pipelines, ``labelproof check`` and ``labelproof compare``.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

import labelproof as lp

digits = load_digits()
ids = [f"scan {i}" for i in range(len(digits.target))]
noisy = lp.simulate.symmetric(digits.target, 0.12, random_state=0)


def audited(labels: np.ndarray) -> lp.Audit:
    probs = cross_val_predict(LogisticRegression(max_iter=1000), digits.data / 16, labels, cv=5, method="predict_proba")
    return lp.audit(labels, probs, ids=ids)


# %%
# The first delivery fails the check.

audits = {"delivered": audited(noisy.labels)}
checked = lp.check(audits["delivered"], max_error_rate=0.05)
print(checked.passed, checked.reasons)

# %%
# Half of the labels are repaired, then the other half. We audit again each time.

labels = noisy.labels.copy()
for name, rows in (("half repaired", slice(0, 900)), ("repaired", slice(900, None))):
    labels[rows] = digits.target[rows]
    audits[name] = audited(labels.copy())
print(lp.compare(audits["delivered"], audits["repaired"]).counts)

# %%
# The estimated rate of each delivery with its interval, and the limit.

figure, axis = plt.subplots(figsize=(6.8, 3.6))
rates = [audit.error_rate for audit in audits.values()]
place = np.arange(len(rates))
middle = np.array([rate.estimate for rate in rates])
spread = np.array([[rate.estimate - rate.low, rate.high - rate.estimate] for rate in rates]).T
axis.errorbar(place, 100 * middle, yerr=100 * spread, fmt="o", capsize=5)
axis.axhline(5, color="tab:red", linestyle="--", label="limit of the check")
axis.set_xticks(place, list(audits))
axis.set(ylabel="estimated error rate, %", ylim=(0, None), title="Three deliveries of one data set")
axis.legend()
figure.tight_layout()
