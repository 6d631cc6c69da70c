"""
Boxes: missing, displaced and extra ones
========================================

Boxes around discs and squares, and the predictions of a detector for the same pictures.
"""

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.patches import Rectangle

import labelproof as lp

rng = np.random.default_rng(0)
side = 200
true = []
for _ in range(150):
    n = rng.integers(2, 5)
    corner = np.stack([rng.permutation(4)[:n] % 2, rng.permutation(4)[:n] // 2], axis=1) * 100 + rng.uniform(5, 30, (n, 2))
    size = rng.uniform(35, 65, (n, 1)) * [1, 1]
    true.append(
        {"boxes": np.concatenate([corner, corner + size], axis=1), "labels": rng.choice(["disc", "square"], n).tolist()}
    )

# %%
# The detector predicts nearly the same boxes. The annotations have errors: each picture may lose, shift or gain a box.

predictions = [
    {**one, "boxes": one["boxes"] + rng.normal(0, 2, one["boxes"].shape), "scores": rng.uniform(0.6, 1, len(one["labels"]))}
    for one in true
]
noisy = lp.simulate.boxes(true, 0.06, sizes=[(side, side)] * len(true), random_state=0)
audit = lp.audit(lp.Boxes(noisy.labels), predictions)
found = audit.issues.filter(pl.col("error_probability") > 0.5)
print(found.select("index", "kind", "given_label", "suggested_label", "error_probability").head(8))

# %%
# Given boxes are solid and the suggestions are dashed.

figure, axes = plt.subplots(1, 5, figsize=(12, 2.9))
for axis, row in zip(axes, found.unique("kind", keep="first", maintain_order=True).iter_rows(named=True), strict=False):
    for x1, y1, x2, y2 in true[row["index"]]["boxes"]:
        axis.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, color="0.85"))
    for prefix, style in (("", "-"), ("suggested_", "--")):
        box = [row.get(f"{prefix}{name}") for name in ("x1", "y1", "x2", "y2")]
        if None not in box:
            x1, y1, x2, y2 = box
            colour = "tab:red" if style == "-" else "tab:blue"
            axis.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linestyle=style, linewidth=2))
    axis.set(xlim=(0, side), ylim=(side, 0), title=row["kind"], xticks=[], yticks=[], aspect="equal")
for axis in axes[found["kind"].n_unique() :]:
    axis.set_axis_off()
figure.tight_layout()
