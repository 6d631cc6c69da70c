"""
What a budget of reviews will find
==================================

A person can re-check only so many labels. Before the first review, labelproof says what a budget is expected to find.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

import labelproof as lp
from labelproof.review import forecast

digits = load_digits()
noisy = lp.simulate.symmetric(digits.target, 0.12, random_state=2)
probs = cross_val_predict(LogisticRegression(max_iter=1000), digits.data / 16, noisy.labels, cv=5, method="predict_proba")
audit = lp.audit(noisy.labels, probs)

# %%
# Expected findings for some budgets, with a band, at six seconds a label.

budgets = (25, 50, 100, 200, 300, 400, 600, 800)
table = forecast(audit, budgets=budgets, pace=6.0)
print(table)

# %%
# The band, and what reviews really find. The forecast is for the default queue, which spends part of a budget on measuring the error
# rate. Reviewing the worst first finds more and measures less.

worst = audit.issues["index"].to_numpy()
found = [noisy.changed[worst[:n]].sum() for n in budgets]
figure, axis = plt.subplots(figsize=(6.8, 4.2))
axis.fill_between(table["reviews"], table["low"], table["high"], alpha=0.25, label="forecast, 90 % band")
axis.plot(table["reviews"], table["found"], label="forecast")
axis.plot(budgets, found, "k.", markersize=9, label="found by reviewing the worst first")
axis.plot(budgets, noisy.changed.mean() * np.array(budgets), "--", color="grey", label="at random")
axis.set(xlabel="labels reviewed", ylabel="wrong labels found", title="Is it worth another hour?")
axis.legend()
figure.tight_layout()
