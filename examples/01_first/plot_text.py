"""
Audit texts
===========

Short reviews with a sentiment, some of them with the wrong one. Without a pretrained encoder labelproof compares words and
characters, which is enough here.
"""

import matplotlib.pyplot as plt
import numpy as np
import polars as pl

import labelproof as lp

rng = np.random.default_rng(0)
things = ["film", "plot", "cast", "ending", "soundtrack", "book", "camera", "dialogue"]
words = {
    "good": ["wonderful", "moving", "clever", "delightful", "gripping", "superb", "charming"],
    "bad": ["dreadful", "boring", "clumsy", "tedious", "predictable", "awful", "lifeless"],
}
other = {"good": "bad", "bad": "good"}


def review(sentiment: str) -> str:
    """Two things please or displease, and a third may be the other way round."""
    a, b, c = rng.choice(things, 3, replace=False)
    first, second = rng.choice(words[sentiment], 2, replace=False)
    third = rng.choice(words[other[sentiment]])
    rest = f", only the {c} is {third}" if rng.random() < 0.7 else ""
    return f"The {a} is {first} and the {b} {second}{rest}."


true = rng.choice(["good", "bad"], 600)
texts = [review(sentiment) for sentiment in true]
noisy = lp.simulate.symmetric(true, 0.1, random_state=0)
frame = pl.DataFrame({"review": texts, "sentiment": noisy.labels})

# %%
# The command line does the same: ``labelproof audit reviews.csv --label sentiment --text review --out audit/``.

audit = lp.audit(frame, label="sentiment", text="review", encoder=None)
for row in audit.issues.head(5).iter_rows(named=True):
    print(f"{row['given_label']:>4} -> {row['suggested_label']:<4}  {texts[row['index']]}")

# %%
# How the error probabilities of right and wrong labels are spread.

figure, axis = plt.subplots(figsize=(7, 3.6))
bins = np.linspace(0, 1, 26)
for changed, label in ((False, "right labels"), (True, "labels that we turned")):
    axis.hist(audit.error_probability[noisy.changed == changed], bins, alpha=0.7, label=label)
axis.set(xlabel="error probability", ylabel="texts", yscale="symlog", title="An audit separates the two")
axis.legend()
figure.tight_layout()
