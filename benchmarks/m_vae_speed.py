"""Time of M-VAE beside scANVI's on the same cells in one run, and what an epoch costs as cells become many.

scANVI (scvi-tools) trains 100 epochs without labels and 50 with them, as its makers propose for few cells. Both run on one
thread of a CPU; balanced accuracy over all cells is that of the true matrix for M-VAE.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score

import labelproof as lp
from _table import data_folder, publish
from labelproof.experiments import m_vae

ROUNDS, LABELS, P1 = 3, 25, 0.4
SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
GENES = 1_000

SCALE = """
import json, resource, sys, time
import numpy as np, torch
from scipy.sparse import csr_matrix, vstack
import labelproof as lp
torch.set_num_threads(1)
n, genes = int(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(0)
profile = rng.gamma(0.1, 1.0, (5, genes)) + 1e-3
profile /= profile.sum(axis=1, keepdims=True)
true = rng.integers(0, 5, n)
parts = [csr_matrix(rng.poisson(500 * profile[true[s : s + 5000]]).astype(np.float32)) for s in range(0, n, 5000)]
cells = vstack(parts, format="csr"); del parts
given = np.where(rng.random(n) < 0.1, true, -1)
def fit(epochs, rows=None):
    began = time.perf_counter()
    lp.MislabeledVAE(0.2, likelihood="nb", label_weight=0.0, epochs=epochs, accelerator="cpu").fit(cells[:rows], given[:rows])
    return time.perf_counter() - began
fit((1, 1, 1), 500)  # loads
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
one, three = fit((1, 1, 1)), fit((3, 3, 3))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"nonzero_genes": cells.nnz / cells.shape[0], "epoch_s": (three - one) / 6, "rest_s": one - (three - one) / 2,
                  "data_mb": (cells.data.nbytes + cells.indices.nbytes + cells.indptr.nbytes) / 2**20, "peak_mb": peak,
                  "fit_adds_mb": peak - before}))
"""


def beside_scanvi() -> list[dict[str, Any]]:
    rows = []
    methods = m_vae.methods_of()
    if "scANVI" not in methods:
        raise SystemExit("scANVI is measured beside: pip install scvi-tools")
    for cells in m_vae.pairs(data_folder()):
        matrix = np.array([[1 - m_vae.P0, m_vae.P0], [P1, 1 - P1]])
        found: dict[str, list[tuple[float, float]]] = {}
        for seed in range(ROUNDS):
            task = m_vae.Task(cells, m_vae.few_labels(cells.true, matrix, LABELS, seed), matrix, seed)
            for name in ("M-VAE, true matrix", "scANVI"):
                began = time.perf_counter()
                made = methods[name](task)
                seconds = time.perf_counter() - began
                predicted = made[0] if isinstance(made, tuple) else made
                found.setdefault(name, []).append((seconds, balanced_accuracy_score(cells.true, predicted)))
        (ours, own), (theirs, other) = (np.array(found[name]).T for name in ("M-VAE, true matrix", "scANVI"))
        row = {
            "what": cells.name,
            "cells": len(cells.true),
            "M-VAE_s": float(np.median(ours)),
            "scANVI_s": float(np.median(theirs)),
        }
        row["times_faster"] = statistics.median((theirs / ours).tolist())
        rows.append({**row, "M-VAE_balanced_accuracy": float(own.mean()), "scANVI_balanced_accuracy": float(other.mean())})
    return rows


def scaling() -> list[dict[str, Any]]:
    rows = []
    for n in SIZES:
        done = subprocess.run([sys.executable, "-c", SCALE, str(n), str(GENES)], capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        rows.append(
            {"what": f"simulated, {GENES:,} genes", "cells": n, **found, "epoch_us_per_cell": 1e6 * found["epoch_s"] / n}
        )
    return rows


def main() -> None:
    torch.set_num_threads(1)
    lp.MislabeledVAE(epochs=(1, 1, 1), accelerator="cpu").fit(np.eye(20), np.arange(20) % 2)  # loads
    rows = beside_scanvi() + scaling()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    publish("m_vae_speed", [{name: row.get(name) for name in columns} for row in rows], " ".join(__doc__.split()))


if __name__ == "__main__":
    main()
