"""
Audit the probabilities of your own model
=========================================

Any model will do. labelproof needs labels and out-of-sample probabilities. Here two models audit the same labels, and the better model
finds more of the errors.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import precision_recall_curve
from sklearn.model_selection import cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC

import labelproof as lp

digits = load_digits()
noisy = lp.simulate.symmetric(digits.target, 0.15, random_state=1)
models = {"naive Bayes": GaussianNB(var_smoothing=1e-2), "support vector machine": SVC(probability=True, random_state=0)}

# %%
# Files work too: ``pred_probs`` can be the path of a ``.npy`` file or of a folder of Parquet files.

figure, axis = plt.subplots(figsize=(6.5, 4.2))
for name, model in models.items():
    probs = cross_val_predict(model, digits.data, noisy.labels, cv=5, method="predict_proba")
    audit = lp.audit(noisy.labels, probs)
    precision, recall, _ = precision_recall_curve(noisy.changed, audit.error_probability)
    rate = audit.error_rate
    print(f"{name}: estimated error rate {rate.estimate:.1%} ({rate.low:.1%} to {rate.high:.1%})")
    axis.plot(recall, precision, label=name, linewidth=2)
    chosen = np.asarray(audit.error_probability) > 0.5
    axis.plot(noisy.changed[chosen].sum() / noisy.changed.sum(), noisy.changed[chosen].mean(), "o", color="black")
print(f"true: {noisy.changed.mean():.1%}")

axis.set(xlabel="share of the wrong labels that are found", ylabel="share of the findings that are wrong labels")
axis.set(xlim=(0, 1.02), ylim=(0, 1.02), title="Two models, one audit; dots: error probability above one half")
axis.legend(loc="lower left")
figure.tight_layout()
