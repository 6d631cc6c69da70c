"""
Train on noisy labels: methods side by side
===========================================

A network memorises wrong labels if it is trained long enough. Methods for noisy labels prevent that in different ways. Needs
``pip install 'labelproof[torch]'``.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import labelproof as lp

digits = load_digits()
x, x_test, y, y_test = train_test_split(digits.data / 16, digits.target, test_size=500, random_state=0)
noisy = lp.simulate.symmetric(y, 0.4, random_state=0)

# %%
# All methods have one interface, that of a scikit-learn classifier.

methods = ["cross-entropy", "gce", "forward", "co-teaching", "elr", "joint-optimization"]
accuracy = {}
for method in methods:
    model = lp.NoisyLabelClassifier(method, epochs=20, random_state=0).fit(x, noisy.labels)
    accuracy[method] = (model.predict(x_test) == y_test).mean()
    print(f"{method:20} {accuracy[method]:.1%}")

# %%
# 40 % of the training labels are wrong; the test labels are right.

ranked = sorted(accuracy, key=accuracy.get)
figure, axis = plt.subplots(figsize=(7, 3.2))
place = np.arange(len(ranked))
axis.hlines(place, min(accuracy.values()) - 0.05, [accuracy[m] for m in ranked], color="0.8")
axis.plot([accuracy[m] for m in ranked], place, "o", markersize=8)
axis.set_yticks(place, ranked)
axis.set(xlabel="accuracy on clean test digits", title="Trained on labels of which 40 % are wrong (one draw)")
figure.tight_layout()
