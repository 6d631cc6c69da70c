"""
Single cells: few labels, some of them wrong
============================================

A simulated count matrix with three kinds of cells, of which only a few are annotated. One kind is often mistaken for another. M-VAE learns
the kinds, a latent space and the confusion together. Needs ``pip install 'labelproof[torch]'``.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

import labelproof as lp

rng = np.random.default_rng(0)
kind = rng.integers(0, 3, 600)
profile = rng.gamma(0.6, 1.0, (3, 40))
counts = rng.poisson(120 * (profile / profile.sum(axis=1, keepdims=True))[kind])
confusion = np.array([[0.9, 0.05, 0.05], [0.4, 0.55, 0.05], [0.05, 0.05, 0.9]])
given = np.array([rng.choice(3, p=confusion[k]) for k in kind])
given[90:] = -1  # 90 annotated cells, the others unknown

# %%
# -1 means no label. The model predicts the kind of every cell, annotated or not.

model = lp.MislabeledVAE(likelihood="nb", epochs=(60, 30, 30), random_state=0).fit(counts, given)
print(f"right: {(model.predict(counts) == kind).mean():.1%} of all cells")
print(f"right among the annotations: {(given[:90] == kind[:90]).mean():.1%}")

# %%
# Cells in the latent space; rings are annotations with an error probability above one half.

place = PCA(2).fit_transform(model.transform(counts))
figure, axis = plt.subplots(figsize=(6.5, 4.6))
for k in range(3):
    axis.scatter(*place[model.predict(counts) == k].T, s=10, alpha=0.6, label=f"predicted kind {k}")
annotated = np.arange(90)
suspect = annotated[model.posterior_[annotated, given[:90]] < 0.5]
axis.scatter(*place[suspect].T, s=90, facecolor="none", edgecolor="black", label="annotation probably wrong")
axis.set(xticks=[], yticks=[], title="Latent space of M-VAE, two principal components")
axis.legend(fontsize=8)
figure.tight_layout()
