"""
Tags: missing and incorrect ones
================================

Items with any number of tags. People omit some that belong, and add a few that do not.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.multioutput import MultiOutputClassifier

import labelproof as lp

names = ["sky", "sea", "sand", "sun", "tree", "rock"]
x, true = make_multilabel_classification(2000, 40, n_classes=6, n_labels=2, length=60, random_state=0)
missing = lp.simulate.missing_tags(true, 0.25, random_state=0)
added = lp.simulate.incorrect_tags(missing.labels, 0.05, random_state=1)
given = added.labels

# %%
# Out-of-sample probabilities of each tag.

model = MultiOutputClassifier(LogisticRegression(max_iter=500))
probs = np.stack([p[:, 1] for p in cross_val_predict(model, x, given, cv=5, method="predict_proba")], axis=1)
audit = lp.audit(lp.Tags(given, names=names), probs)
print(audit.issues.head().select("index", "tag", "kind", "error_probability"))

# %%
# How often each tag is missing, estimated and true.

figure, axis = plt.subplots(figsize=(7, 3.6))
place = np.arange(len(names))
truth = [(given[true[:, k] == 1, k] == 0).mean() for k in range(len(names))]
axis.bar(place - 0.2, audit.noise.missing_rates, 0.4, label="estimated")
axis.bar(place + 0.2, truth, 0.4, label="true")
axis.set_xticks(place, names)
axis.set(ylabel="share of true tags that are missing", title="Rates of missing tags")
axis.legend()
figure.tight_layout()
