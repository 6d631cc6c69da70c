"""`MislabeledVAE` and `M1M2` as users meet them: arrays, AnnData, what they find, what they refuse."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.datasets import load_iris

import labelproof as lp
from labelproof.data.rows import SparseRows
from labelproof.estimators.mislabeled_vae.start import expected_transition, noise_aware_classes

QUICK = {"epochs": (20, 10, 10), "accelerator": "cpu"}


@pytest.fixture(scope="module")
def counts():
    """Counts of three kinds of cells, their kinds, and labels of 30 % of them, of which a fifth are wrong."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 600)
    profile = rng.gamma(0.4, 1.0, (3, 40))
    profile /= profile.sum(axis=1, keepdims=True)
    x = rng.poisson(profile[true] * rng.gamma(4, 25, (600, 1)))
    noise = np.array([[0.9, 0.1, 0.0], [0.3, 0.7, 0.0], [0.0, 0.2, 0.8]])
    given = np.array([rng.choice(3, p=noise[t]) for t in true])
    given[rng.random(600) < 0.7] = -1
    return x, true, given, noise


@pytest.fixture
def cells(counts):
    anndata = pytest.importorskip("anndata")
    x, _, given, _ = counts
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adata = anndata.AnnData(csr_matrix(x.astype(np.float32)))
    adata.obs["kind"] = np.array(["glia", "neuron", "stem", "unknown"])[given]
    adata.obs["donor"] = np.array(["d1", "d2"])[np.arange(600) % 2]
    return adata


def test_cells_end_to_end(counts, cells, tmp_path):
    _, true, given, noise = counts
    model = lp.MislabeledVAE(noise, **QUICK).fit(cells, labels_key="kind", unlabeled_category="unknown", batch_key="donor")
    names = np.array(["glia", "neuron", "stem"])
    assert model.classes_.tolist() == names.tolist()
    predicted = model.predict(cells)
    assert (predicted == names[true]).mean() > 0.95
    assert (cells.obs["labelproof_prediction"].astype(str).to_numpy() == predicted).mean() > 0.99
    error = cells.obs["labelproof_error_probability"].to_numpy()
    assert np.array_equal(np.isnan(error), given < 0)
    labelled = given >= 0
    assert ((error[labelled] > 0.5) == (given != true)[labelled]).mean() > 0.95
    assert cells.obsm["X_labelproof"].shape == (600, 10)
    assert np.allclose(cells.obsm["X_labelproof"], model.get_latent_representation(cells), atol=1e-5)
    assert np.allclose(cells.uns["labelproof"]["transition"], noise, atol=1e-5)
    expression = model.get_normalized_expression(cells[:50], library_size=1e4)
    assert expression.shape == (50, 40)
    assert np.allclose(expression.sum(axis=1), 1e4, rtol=1e-4)
    cells.write_h5ad(tmp_path / "cells.h5ad")  # what was written into it can be written down
    model.save(tmp_path / "m")
    again = lp.MislabeledVAE.load(tmp_path / "m")
    assert np.array_equal(again.predict_proba(cells), model.predict_proba(cells))


def test_arrays_cells_and_backed_files_are_one_model(counts, cells, tmp_path):
    anndata = pytest.importorskip("anndata")
    x, _, given, noise = counts
    options = {"likelihood": "nb", "epochs": (2, 2, 2), "accelerator": "cpu"}
    dense = lp.MislabeledVAE(noise, **options).fit(x, given)
    sparse = lp.MislabeledVAE(noise, **options).fit(csr_matrix(x), given)
    cells.write_h5ad(tmp_path / "cells.h5ad")
    backed = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    file = lp.MislabeledVAE(noise, **options).fit(backed, labels_key="kind", unlabeled_category="unknown")
    cells.layers["counts"], cells.X = cells.X.copy(), cells.X * 0.5
    layer = lp.MislabeledVAE(noise, **options).fit(cells, labels_key="kind", unlabeled_category="unknown", layer="counts")
    for other in (sparse, file, layer):
        assert np.array_equal(other.posterior_, dense.posterior_)
    assert dense.fit(x, given).elbo_ == sparse.elbo_  # the same seed, the same model
    backed.file.close()


def test_sparse_rows_are_dense_a_batch_at_a_time(counts, monkeypatch):
    x, _, given, noise = counts
    largest = []
    plain = SparseRows.__getitem__

    def watched(self, rows):
        block = plain(self, rows)
        largest.append(len(block))
        return block

    monkeypatch.setattr(SparseRows, "__getitem__", watched)
    for file in ("inputs", "label_weight", "regime"):
        monkeypatch.setattr(f"labelproof.estimators.mislabeled_vae.{file}.BLOCK", 500)
    many = csr_matrix(np.tile(x, (10, 1)))
    lp.MislabeledVAE(noise, likelihood="nb", epochs=(1, 1, 1), accelerator="cpu").fit(many, np.tile(given, 10))
    assert max(largest) <= 1000


def test_batches_leave_the_latent_space(counts):
    """Half of the cells were measured with a third of the genes lost: a covariate takes that out of z1."""
    x, true, given, noise = counts
    rng = np.random.default_rng(1)
    donor = np.arange(600) % 2
    lossy = x.copy()
    lossy[donor == 1, :13] = rng.binomial(lossy[donor == 1, :13], 0.1)

    def separation(batch):
        model = lp.MislabeledVAE(noise, likelihood="nb", **QUICK).fit(lossy, given, batch=batch)
        z = model.transform(lossy, batch=batch)
        gaps = [np.linalg.norm(z[(true == c) & (donor == 0)].mean(0) - z[(true == c) & (donor == 1)].mean(0)) for c in range(3)]
        return np.mean(gaps) / z.std()

    assert separation(donor) < 0.5 * separation(None)


def test_the_transition_is_learned_and_wrong_labels_are_found(counts):
    x, true, _, noise = counts
    rng = np.random.default_rng(2)
    given = np.array([rng.choice(3, p=noise[t]) for t in true])
    model = lp.MislabeledVAE(likelihood="nb", **QUICK).fit(x, given)
    assert np.abs(model.transition_.matrix - noise).max() < 0.1
    wrong = given != true
    assert model.error_probability_[wrong].mean() > 0.9
    assert model.error_probability_[~wrong].mean() < 0.05


def test_other_likelihoods_and_options(digits):
    x, y = digits.data[:500], digits.target[:500].copy()
    y[100:] = -1
    bits = lp.MislabeledVAE(0.1, likelihood="bernoulli", epochs=(80, 30, 30), accelerator="cpu").fit(x / 16, y)
    assert bits.score(x[100:] / 16, digits.target[100:500]) > 0.6
    drawn = bits.sample([3, 3, 8])
    assert drawn.shape == (3, 64)
    assert set(np.unique(drawn)) == {0.0, 1.0}
    iris, kind = load_iris(return_X_y=True)
    longer = {"epochs": (120, 40, 40), "accelerator": "cpu"}
    for options in ({"label_in_encoder": True}, {"prior": [0.2, 0.3, 0.5]}, {"prior": "learned", "n_layers": 2}):
        assert lp.MislabeledVAE(0.1, **options, **longer).fit(iris, kind).score(iris, kind) > 0.8
    drawn = lp.MislabeledVAE(0.1, **longer).fit(iris, kind).sample(np.repeat([0, 2], 200), random_state=1)
    assert np.abs(drawn[:200].mean(0) - iris[kind == 0].mean(0)).max() < 0.6
    assert np.array_equal(lp.MislabeledVAE(0.1, epochs=(1, 1, 1)).fit(iris, kind).sample([0], random_state=3).shape, (1, 4))
    counted = lp.MislabeledVAE(0.1, likelihood="zinb", latent_library=True, epochs=(3, 3, 3)).fit(np.floor(x), y)
    assert np.isfinite(counted.elbo_)
    assert (counted.sample([1] * 5) % 1 == 0).all()


def test_m1m2_is_the_special_case():
    x, y = load_iris(return_X_y=True)
    options = {"epochs": (3, 3, 3), "accelerator": "cpu"}
    alpha = float(np.log(0.8) - np.log(0.1))  # ε = 0.2 of three classes
    one, other = lp.M1M2(alpha, **options).fit(x, y), lp.MislabeledVAE(0.2, **options).fit(x, y)
    assert np.allclose(one.posterior_, other.posterior_, atol=1e-4)
    assert "transition" not in one.get_params()
    with pytest.raises(lp.BadInput, match="alpha is -1"):
        lp.M1M2(-1.0).fit(x, y)


def test_the_beginning_hears_labels_through_their_noise():
    """Six in ten labels of a cluster are wrong: the noise says so, and the cluster keeps its class."""
    rng = np.random.default_rng(0)
    true = np.arange(400) % 2
    z = rng.normal(0, 1, (400, 5)) + 4 * true[:, None]
    noise = np.array([[0.8, 0.2], [0.6, 0.4]])
    given = np.full(400, -1)
    given[:120] = np.where(rng.random(120) < noise[true[:120], 1], 1, 0)
    probs, kept = noise_aware_classes(z, given, noise, np.ones((2, 2)))
    assert kept is noise
    assert (probs.argmax(1) == true).mean() > 0.98
    plain, _ = noise_aware_classes(z, given, np.eye(2) * 0.98 + 0.01, np.ones((2, 2)))
    assert (plain.argmax(1) == true).mean() < 0.85
    mute, _ = noise_aware_classes(z, given, np.array([[0.7, 0.3], [0.7, 0.3]]), np.ones((2, 2)))
    assert np.allclose(mute, 0.5, atol=1e-6)
    assert np.allclose(
        expected_transition(np.eye(2)[[0, 0, 1]], np.array([0, 1, 1]), np.ones((2, 2))), [[0.5, 0.5], [1 / 3, 2 / 3]]
    )


def refusals():
    x = np.arange(40.0).reshape(10, 4) % 7
    y = np.arange(10) % 2
    bad, nan = x.copy(), x.copy()
    bad[3, 1], nan[2, 0] = -1, np.nan
    nb = {"likelihood": "nb"}
    return {
        "negative": (nb, (bad, y), r"X has -1 in row 3, column 1, but likelihood 'nb' takes only whole numbers"),
        "fraction": (nb, (x + 0.5, y), "X has 0.5 in row 0"),
        "bits": ({"likelihood": "bernoulli"}, (x, y), "numbers from 0 to 1"),
        "nan": ({}, (nan, y), "NaN"),
        "no label": ({}, (x, np.full(10, -1)), "no label at all"),
        "one class": ({}, (x, np.where(y == 0, -1, 1)), "one class only"),
        "rows": ({}, (x, y[:9]), "X has 10 rows but y has 9"),
        "classes": ({"transition": np.eye(3)}, (x, y), "transition is 3 x 3 but there are 2 classes: 0, 1"),
        "rate": ({"transition": 1.5}, (x, y), "Give a rate between 0 and 1"),
        "likelihood": ({"likelihood": "gausian"}, (x, y), "Did you mean 'gaussian'"),
        "prior": ({"prior": "flat"}, (x, y), "prior is 'flat'"),
        "epochs": ({"epochs": (1, 2)}, (x, y), "three numbers of epochs"),
        "names": ({}, (x, [f"cell {i}" for i in range(10)]), "10 classes but only 10 items"),
        "concentration": ({"concentration": 0.0}, (x, y), "concentration is 0.0"),
    }


@pytest.mark.parametrize("case", refusals())
def test_bad_arrays(case):
    options, data, message = refusals()[case]
    with pytest.raises(ValueError, match=message):
        lp.MislabeledVAE(**options).fit(*data)


def test_bad_cells(cells):
    model = lp.MislabeledVAE(0.1, epochs=(1, 1, 1))
    with pytest.raises(lp.BadInput, match="labels_key is missing"):
        model.fit(cells)
    with pytest.raises(lp.BadInput, match="Did you mean 'kind'"):
        model.fit(cells, labels_key="kid")
    with pytest.raises(lp.BadInput, match=r"'unknwon' is not in obs column 'kind'. Did you mean 'unknown'"):
        model.fit(cells, labels_key="kind", unlabeled_category="unknwon")
    with pytest.raises(lp.BadInput, match="Did you mean 'donor'"):
        model.fit(cells, labels_key="kind", unlabeled_category="unknown", batch_key="doner")
    with pytest.raises(lp.BadInput, match="columns of obs"):
        model.fit(cells, np.zeros(600))
    with pytest.raises(lp.BadInput, match="apply only to an AnnData"):
        model.fit(np.zeros((9, 2)), np.arange(9) % 2, labels_key="kind")
    cells.layers["raw"] = cells.X.copy()
    cells.X = cells.X * 0.5
    with pytest.raises(lp.BadInput, match=r"cell '\d+' has the count .*whole numbers, 0 or more; layer 'raw' holds such"):
        model.fit(cells, labels_key="kind", unlabeled_category="unknown")
    model.fit(cells, labels_key="kind", unlabeled_category="unknown", layer="raw", batch_key="donor")
    with pytest.raises(lp.BadInput, match="trained on 40"):
        model.predict(cells[:, :30])
    other = cells[:20].copy()
    other.obs["donor"] = "d3"
    with pytest.raises(lp.BadInput, match=r"batch is 'd3' in row 0, which the model does not know\. Give one of d1, d2"):
        model.predict(other)


def test_the_prior_follows_the_labels_as_far_as_they_are_many():
    rng = np.random.default_rng(0)
    true = (rng.random(600) < 0.2).astype(int)
    x = rng.normal(0, 1, (600, 4)) + 4 * true[:, None]
    few = np.full(600, -1)
    few[np.concatenate([np.flatnonzero(true == c)[:5] for c in (0, 1)])] = np.repeat([0, 1], 5)
    options = {"epochs": (8, 2, 1), "accelerator": "cpu"}
    common = {
        name: lp.MislabeledVAE(0.1, prior=prior, **options).fit(x, labels).transition_.prior[0]
        for name, prior, labels in (("many", "auto", true), ("few", "auto", few), ("uniform", "uniform", true))
    }
    assert common["uniform"] == pytest.approx(0.5)
    assert 0.68 < common["many"] < 0.82  # 600 labels beside 50 pseudo-counts of each class
    assert 0.5 < common["few"] < 0.56
