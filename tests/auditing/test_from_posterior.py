"""An audit from a posterior as it is, and from M-VAE on a file of cells."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import labelproof as lp
from commands import run
from labelproof.data.dataset import Dataset
from labelproof.labels.classes import Classes


def test_it_is_the_posterior(noisy_problem):
    labels, probs, _ = noisy_problem()
    noise = lp.TransitionMatrix.symmetric(4, 0.2)
    from labelproof.noise.posterior import posterior

    own = posterior(probs, labels, noise)
    some = labels.copy()
    some[::5] = -1
    found = lp.audit_posterior(some, own, noise, ids=[f"i{n}" for n in range(600)])
    expected = 1 - own[np.arange(600), labels]
    assert np.allclose(found.error_probability[some >= 0], expected[some >= 0])
    assert np.isnan(found.error_probability[::5]).all()
    assert found.issues.height == 480
    assert found.issues["error_probability"].is_sorted(descending=True)
    assert found.issues["id"][0] == f"i{found.issues['index'][0]}"
    assert abs(found.error_rate.estimate - expected[some >= 0].mean()) < 1e-12
    assert found.noise is noise


def test_findings_by_hand():
    noise = lp.TransitionMatrix([[0.9, 0.1], [0.2, 0.8]], classes=["b", "a"])  # in the order of the model
    probs = [[0.97, 0.03], [0.6, 0.4], [0.5, 0.5], [0.3, 0.7]]
    found = lp.audit_posterior(["a", "b", None, "a"], probs, noise, ids=list("wxyz"), latent=[[0], [1], [2], [3]])
    assert found.labels.owner.tolist() == [0, 1, 3]
    assert found.findings.error_probability.tolist() == pytest.approx([0.97, 0.4, 0.3])
    assert found.labels.values.tolist() == [1, 0, 1]
    assert found.suggested.tolist() == ["b", "b", None, "a"]
    assert found.findings.confidence.tolist() == pytest.approx([0.97, 0.6, 0.7])
    assert found.issues["id"].to_list() == ["w", "x", "z"]
    assert found.n == 4
    half = 1.96 * np.sqrt(0.97 * 0.03 + 0.24 + 0.21) / 3
    assert found.error_rate == pytest.approx((1.67 / 3, max(0.0, 1.67 / 3 - half), min(1.0, 1.67 / 3 + half)))
    assert found.latent.tolist() == [[0.0], [1.0], [2.0], [3.0]]
    for wrong, message in (
        ({"latent": [[0.0]] * 5}, "latent has 5 rows but there are 4 labels"),
        ({"latent": [[0.0]]}, "latent has 1 rows but there are 4 labels"),
        ({"ids": ["w"]}, "ids"),
    ):
        with pytest.raises(lp.BadInput, match=message):
            lp.audit_posterior(["a", "b", None, "a"], probs, noise, **wrong)


@pytest.mark.parametrize("classes", [("a", "c"), ("a", "b", "c"), ("A", "b")])
def test_data_of_other_classes_are_refused(classes):
    noise = lp.TransitionMatrix([[0.9, 0.1], [0.2, 0.8]], classes=["a", "b"])
    given = np.array([0, 1])
    data = Dataset(np.zeros((2, 1)), Classes.of_codes(given, classes), np.arange(2), str, "arrays")
    with pytest.raises(lp.BadInput, match="Give the noise and data of one model"):
        lp.audit_posterior(data, [[0.9, 0.1], [0.5, 0.5]], noise)
    found = lp.audit_posterior(replace(data, labels=Classes.of_codes(given, ("a", "b"))), [[0.9, 0.1], [0.5, 0.5]], noise)
    assert found.error_probability.tolist() == pytest.approx([0.1, 0.5])


def test_what_does_not_fit_is_refused():
    noise = lp.TransitionMatrix.symmetric(2, 0.2)
    with pytest.raises(lp.BadInput, match="posterior is 2 x 2 but there are 3 labels of 2 classes"):
        lp.audit_posterior([0, 1, 1], np.full((2, 2), 0.5), noise)
    with pytest.raises(lp.BadInput, match="posterior is 2 x 3 but there are 2 labels of 2 classes"):
        lp.audit_posterior([0, 1], np.full((2, 3), 1 / 3), noise)
    with pytest.raises(lp.BadInput, match="row 1 sums to"):
        lp.audit_posterior([0, 1], [[0.5, 0.5], [0.5, 0.4]], noise)
    with pytest.raises(lp.BadInput, match="no label"):
        lp.audit_posterior([None, None], np.full((2, 2), 0.5), noise)


def test_cells_by_the_command(tmp_path):
    anndata = pytest.importorskip("anndata")
    rng = np.random.default_rng(0)
    true = rng.integers(0, 2, 300)
    profile = rng.gamma(0.4, 1.0, (2, 30))
    counts = rng.poisson(120 * (profile / profile.sum(axis=1, keepdims=True))[true]).astype(np.float32)
    given = np.where(rng.random(300) < 0.15, 1 - true, true)
    names = np.array(["glia", "neuron", "unknown"])[np.where(np.arange(300) % 3 == 0, 2, given)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adata = anndata.AnnData(counts * 0.5)
    adata.layers["raw"] = counts
    adata.obs["type"] = names
    adata.write_h5ad(tmp_path / "c.h5ad")
    command = ["audit", tmp_path / "c.h5ad", "--label", "type", "--unlabeled", "unknown"]
    done = run(*command, "--layer", "raw", "--model", "mislabeled-vae", "--out", tmp_path / "audit")
    assert done.returncode == 0, done.stderr
    assert "100 items have no label" in done.stdout
    issues = pl.read_parquet(tmp_path / "audit" / "issues.parquet")
    assert (tmp_path / "audit" / "report.html").read_text().count("<circle") > 10
    wrong = {str(i) for i in np.flatnonzero(given != true) if i % 3}
    assert len(wrong & set(issues["id"].head(len(wrong)).to_list())) > 0.9 * len(wrong)
    assert run(*command, "--layer", "raw", "--out", tmp_path / "plain").returncode == 0
    for more, message in (
        (["--layer", "rw", "--model", "mislabeled-vae"], "Did you mean 'raw'"),
        (["--model", "mislabeled-vae"], "layer 'raw' holds such"),
        (["--model", "vae"], "Give mislabeled-vae"),
        (["--batch-key", "donor"], "--batch-key needs --model"),
    ):
        bad = run(*command, *more, "--out", tmp_path / "bad")
        assert bad.returncode == 2
        assert message in bad.stderr
    bad = run("audit", tmp_path / "t.csv", "--label", "y", "--layer", "raw", "--out", tmp_path / "bad")
    assert "--layer is for single cells only" in bad.stderr
    assert not (tmp_path / "bad").exists()
