"""The study of M-VAE's figure 1, in small."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from commands import run
from labelproof.experiments.m_vae import BEST, CurveRecord, few_labels, pairs


@pytest.mark.slow
def test_the_figure_is_drawn_and_goes_on(real_data, tmp_path):
    command = ["reproduce", "m-vae-figure-1", "--quick", "--seeds", 1, "--data", real_data, "--out", tmp_path]
    done = run(*command)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "m-vae-figure-1.json").read_text())
    rows = content["rows"]
    assert {row["p1"] for row in rows} == {0.0, 0.6}
    assert all(0 <= row["balanced_accuracy"] <= 1 for row in rows)
    assert Image.open(tmp_path / "m-vae-figure-1.png").width > 400
    again = run(*command)
    assert again.returncode == 0
    assert json.loads((tmp_path / "m-vae-figure-1.json").read_text())["rows"] == rows
    missing = run("reproduce", "m-vae-figure-1", "--data", tmp_path, "--out", tmp_path / "b")
    assert missing.returncode == 2
    assert "smfish_cortex.h5ad" in missing.stderr


def test_the_best_penalty_is_chosen_at_each_point(tmp_path):
    point = {"problem": "a", "labels": 25, "p1": 0.2}
    made = [("M1+M2, α = 1", 0.7), ("M1+M2, α = 1", 0.9), ("M1+M2, α = 4", 0.85), ("M1+M2, α = 4", 0.85), ("scANVI", 0.6)]
    rows = [
        {**point, "method": name, "seed": place % 2, "accuracy": value, "balanced_accuracy": value}
        for place, (name, value) in enumerate(made)
    ]
    best = {row["method"]: row for row in CurveRecord(tmp_path / "x.json", rows).summary()}
    assert best[BEST]["balanced_accuracy"] == 0.85
    assert best["scANVI"]["seeds"] == 1
    assert not any(row["ahead"] for row in best.values())  # one seed in common says nothing


def test_labels_are_drawn_through_the_noise():
    true = np.repeat([0, 1], 5000)
    given = few_labels(true, np.array([[0.8, 0.2], [0.6, 0.4]]), 2000, 0)
    assert (
        (given >= 0).sum(),
        abs((given[true == 0] == 1).sum() - 400) < 60,
        abs((given[true == 1] == 0).sum() - 1200) < 80,
    ) == (
        4000,
        True,
        True,
    )


def test_an_atlas_with_other_names_is_read_by_path(tmp_path):
    """Kinds as Zeisel et al. 2015 name them."""
    anndata = pytest.importorskip("anndata")
    names = ["microglia", "endothelial-mural", "interneurons", "oligodendrocytes", "pyramidal CA1"]
    adata = anndata.AnnData(np.random.default_rng(0).poisson(1.0, (50, 6)).astype(np.float32))
    adata.obs["level1class"] = np.array(names)[np.arange(50) % 5]
    adata.write_h5ad(tmp_path / "zeisel.h5ad")
    (found,) = pairs(tmp_path / "zeisel.h5ad")
    assert found.name == "microglia / endothelial"
    assert found.counts.shape == (20, 6)
    assert np.array_equal(found.true, np.tile([1, 0], 10))
