"""
Audit a table
=============

Give a frame and name its label column. labelproof chooses a model for the other columns, cross-validates it, and returns findings that can be
joined to the frame.
"""

import matplotlib.pyplot as plt
import polars as pl
from sklearn.datasets import load_breast_cancer

import labelproof as lp

data = load_breast_cancer()
frame = pl.DataFrame(data.data, schema=data.feature_names.tolist())
frame = frame.with_columns(diagnosis=pl.Series(data.target_names[data.target].astype(str)))
noisy = lp.simulate.symmetric(frame["diagnosis"].to_numpy(), 0.08, random_state=0)
frame = frame.with_columns(diagnosis=pl.Series(noisy.labels))

# %%
# One call reads the frame, chooses the model and audits.

audit = lp.audit(frame, label="diagnosis")
joined = audit.join(frame)
print(joined.select("diagnosis", "mean radius", pl.col("^.*suggested.*$"), pl.col("^.*error_probability.*$")).head())

# %%
# Wrong labels lie on the wrong side of the border between the two classes. The size of a dot is its error probability.

figure, axis = plt.subplots(figsize=(7, 4.4))
error = audit.error_probability
for name, colour in (("benign", "tab:blue"), ("malignant", "tab:orange")):
    own = (frame["diagnosis"] == name).to_numpy()
    axis.scatter(
        frame["mean radius"].to_numpy()[own], frame["mean concave points"].to_numpy()[own],
        s=8 + 90 * error[own], color=colour, alpha=0.6, label=f"labelled {name}", linewidth=0,
    )  # fmt: skip
axis.set(xlabel="mean radius", ylabel="mean concave points", title="The larger the dot, the likelier its label is wrong")
axis.legend()
figure.tight_layout()
