"""
Masks: regions of the wrong class
=================================

Maps with trees and lakes. An audit finds the regions that are missing or have another class, one picture at a time.
"""

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.colors import ListedColormap

import labelproof as lp

rng = np.random.default_rng(0)
true = np.zeros((60, 48, 64), int)
for mask in true:
    for kind in (1, 2):
        y, x, r = rng.integers(10, 38), rng.integers(10, 54), rng.uniform(5, 9)
        row, column = np.mgrid[:48, :64]
        mask[(row - y) ** 2 + (column - x) ** 2 < r**2] = kind
probs = np.where(np.arange(3)[:, None, None] == true[:, None], 0.8, 0.1) * rng.uniform(0.7, 1.3, (60, 3, 48, 64))
probs /= probs.sum(axis=1, keepdims=True)

given = true.copy()
given[5][given[5] == 2] = 1  # a lake labelled as a tree
given[8][given[8] == 1] = 0  # a missing tree
audit = lp.audit(lp.Masks(given, classes=["ground", "tree", "lake"]), probs)
found = audit.issues.filter(pl.col("error_probability") > 0.5)
print(found.select("index", "kind", "given_label", "suggested_label", "area", "error_probability"))

# %%
# Given masks next to the truth, for the pictures with findings.

rows = found["index"].unique().sort().to_list()[:3]
colours = ListedColormap(["#e8e4d8", "#4d9956", "#4f86c6"])
figure, axes = plt.subplots(2, len(rows), figsize=(3.4 * len(rows), 4.6), squeeze=False)
for column, i in enumerate(rows):
    for axis, mask, name in zip(axes[:, column], (given[i], true[i]), ("given", "true"), strict=True):
        axis.imshow(mask, cmap=colours, vmin=0, vmax=2)
        axis.set(title=f"picture {i}, {name}", xticks=[], yticks=[])
figure.tight_layout()
