"""Every item labelled, a tenth or a fifth of the labels wrong: M-VAE's audit beside that of cross-validated logistic regression.

A wrong label is any of the other classes, each alike. AP is the average precision of the error probability for wrong labels. `M-VAE, bound
alone` has `label_weight=0`, `M-VAE` the weight that it chooses by held-out labels. osmFISH (33 genes; three draws of the noise),
5,000 MNIST digits (784 pixels) and simulated counts of 1,000 genes (one draw each).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import labelproof as lp
from _table import RESULTS, data_folder, publish
from labelproof.data.readers.cells import counts_of, read_adata
from labelproof.experiments.m_vae import FILE, Cells, _normalised

NAME = "m_vae_full_labels"
RATES = (0.1, 0.2)


def osmfish() -> Cells:
    adata = read_adata(data_folder() / FILE)
    _, true = np.unique(adata.obs["cell_type"].astype(str).to_numpy(), return_inverse=True)
    return Cells("osmFISH, six kinds, 33 genes", counts_of(adata, whole=True), true)


def digits() -> Cells:
    with np.load(data_folder() / "mnist.npz") as file:
        x, y = file["x_train"][:5000], file["y_train"][:5000].astype(np.int64)
    return Cells("MNIST, 5,000 digits", x.reshape(len(x), -1).astype(np.float32) / 255, y, "bernoulli")


def simulated() -> Cells:
    """Five kinds that differ in a tenth of 1,000 genes, 300 counts a cell."""
    rng = np.random.default_rng(0)
    profile = np.tile(rng.gamma(0.5, 1.0, 1000), (5, 1))
    changed = rng.random((5, 1000)) < 0.1
    profile[changed] *= np.exp(rng.normal(0, 0.7, changed.sum()))
    profile /= profile.sum(axis=1, keepdims=True)
    true = rng.integers(0, 5, 4000)
    counts = rng.poisson(300 * profile[true] * rng.gamma(8, 1 / 8, (4000, 1)))
    return Cells("simulated, five kinds, 1,000 genes", counts.astype(np.float32), true)


def logistic(cells: Cells, given: Any, seed: int) -> dict[str, Any]:
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    found = lp.audit(given, cross_val_predict(model, _normalised(cells), given, cv=folds, method="predict_proba"))
    return {"error": found.error_probability, "rate": found.error_rate.estimate, "weight": None}


def m_vae(weight: float | str) -> Callable[[Cells, Any, int], dict[str, Any]]:
    def audited(cells: Cells, given: Any, seed: int) -> dict[str, Any]:
        model = lp.MislabeledVAE(likelihood=cells.likelihood, label_weight=weight, random_state=seed, accelerator="cpu")
        error = model.fit(cells.counts, given).error_probability_
        return {"error": error, "rate": float(error.mean()), "weight": model.label_weight_}

    return audited


METHODS = {"logistic regression": logistic, "M-VAE, bound alone": m_vae(0.0), "M-VAE": m_vae("auto")}


def main() -> None:
    torch.set_num_threads(1)
    file = RESULTS / f"{NAME}.json"
    rows: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.exists() else []
    for cells, draws in ((osmfish(), 3), (digits(), 1), (simulated(), 1)):
        k = int(cells.true.max()) + 1
        for seed in range(draws):
            for rate in RATES:
                given = lp.simulate.symmetric(cells.true, rate, random_state=seed).labels
                wrong = given != cells.true
                for method, audited in METHODS.items():
                    key = {"data": cells.name, "items": len(given), "classes": k, "noise": rate, "seed": seed, "method": method}
                    if any(all(row[name] == value for name, value in key.items()) for row in rows):
                        continue
                    began = time.perf_counter()
                    found = audited(cells, given, seed)
                    row = {**key, "AP": float(average_precision_score(wrong, found["error"])), "rate": found["rate"]}
                    row |= {"true_rate": float(wrong.mean()), "weight": found["weight"], "seconds": time.perf_counter() - began}
                    rows.append(row)
                    publish(NAME, rows, " ".join(str(__doc__).split()))


if __name__ == "__main__":
    main()
