"""
Find the wrong labels of scanned digits
=======================================

We flip a tenth of the labels of scikit-learn's digits, cross-validate a classifier, and look at the worst findings.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

import labelproof as lp

digits = load_digits()
noisy = lp.simulate.symmetric(digits.target, 0.1, random_state=0)

# %%
# An audit needs the labels and the probabilities of each class. The probabilities must be *out-of-sample*: a model that has seen a
# wrong label repeats it. Cross-validation gives such probabilities.

model = LogisticRegression(max_iter=1000)
probs = cross_val_predict(model, digits.data / 16, noisy.labels, cv=5, method="predict_proba")
audit = lp.audit(noisy.labels, probs)
print(audit)

# %%
# ``audit.issues`` lists all labels, worst first. Each has an error probability, a suggestion and a verdict.

print(audit.issues.head())

# %%
# The sixteen worst, with the given label and the suggestion. A green title marks a label that we did flip.

figure, axes = plt.subplots(2, 8, figsize=(11, 3.4))
for axis, row in zip(axes.ravel(), audit.issues.head(16).iter_rows(named=True), strict=True):
    axis.imshow(digits.images[row["index"]], cmap="gray_r")
    right = noisy.changed[row["index"]]
    title = f"{row['given_label']} \u2192 {row['suggested_label']}" + ("" if right else "  ?")
    axis.set_title(title, color="tab:green" if right else "tab:red")
    axis.set_axis_off()
figure.suptitle("given label \u2192 suggestion")
figure.tight_layout()

# %%
# The error rate comes with an interval, and no clean label was needed for it.

rate = audit.error_rate
print(f"estimated {rate.estimate:.1%} ({rate.low:.1%} to {rate.high:.1%}), true {noisy.changed.mean():.1%}")
