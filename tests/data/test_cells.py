"""Cells from AnnData files: sparse and dense the same, marker genes, and what is wrong with a file."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_matrix

import labelproof as lp
from labelproof.review.candidates import open_candidates
from labelproof.review.exchange.apply import repair
from labelproof.review.log.store import Store


def cells(tmp_path, genes=20, n=120, sparse=True, name="c.h5ad"):
    """Two types of cells, of which the second expresses the last gene."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    counts = rng.poisson(1.0, (n, genes)).astype(np.float32)
    counts[:, -1] = rng.poisson(np.where(y == 1, 30, 0.1))
    kind = pd.Categorical.from_codes(y, ["astro", "micro"])
    adata = anndata.AnnData(
        csr_matrix(counts) if sparse else counts,
        obs=pd.DataFrame({"kind": kind}, index=[f"cell{i}" for i in range(n)]),
        var=pd.DataFrame(index=[f"gene{g}" for g in range(genes)]),
    )
    adata.layers["minus"] = -adata.X
    adata.obs.iloc[3, 0] = np.nan
    adata.write_h5ad(tmp_path / name)
    return tmp_path / name, y


def test_sparse_and_dense_are_the_same(tmp_path):
    path, _ = cells(tmp_path)
    data, dense = lp.read_cells(path, "kind"), lp.read_cells(cells(tmp_path, sparse=False, name="d.h5ad")[0], "kind")
    assert np.array_equal(data.x, dense.x)
    assert data.x.shape == (120, 20)
    assert data.classes == ("astro", "micro")
    assert data.ids[:2].tolist() == ["cell0", "cell1"]
    assert data.given[3] == -1
    total = np.expm1(data.x).sum(axis=1)
    assert np.allclose(total, np.median(total), rtol=1e-4)
    assert "gene19" in dict(data.show(1).fields)
    assert "gene19" not in dict(data.show(0).fields)
    assert data.show(1).fields[0][1].endswith(" sd")
    found = lp.audit(data)
    assert found.error_rate.estimate < 0.05


def test_many_genes_become_components(tmp_path):
    data = lp.read_cells(cells(tmp_path, genes=90)[0], "kind")
    assert data.x.shape == (120, 50)
    assert data.x.dtype == np.float32


def test_an_unlabeled_category(tmp_path):
    path, _ = cells(tmp_path)
    adata = anndata.read_h5ad(path)
    adata.obs["kind"] = adata.obs["kind"].cat.add_categories("unknown")
    adata.obs.iloc[:10, 0] = "unknown"
    adata.write_h5ad(tmp_path / "u.h5ad")
    data = lp.read_cells(tmp_path / "u.h5ad", "kind", unlabeled_category="unknown")
    assert (data.given[:10] == -1).all()
    assert data.classes == ("astro", "micro")


def test_what_is_wrong_with_a_file(tmp_path):
    path, _ = cells(tmp_path)
    with pytest.raises(lp.BadInput, match="Did you mean 'kind'"):
        lp.read_cells(path, "kin")
    with pytest.raises(lp.BadInput, match="layer 'raw' is not"):
        lp.read_cells(path, "kind", layer="raw")
    with pytest.raises(lp.BadInput, match=r"cell 'cell0' has the count -"):
        lp.read_cells(path, "kind", layer="minus")
    (tmp_path / "x.h5ad").write_bytes(b"nothing")
    with pytest.raises(lp.BadInput, match="not a readable"):
        lp.read_cells(tmp_path / "x.h5ad", "kind")


def test_reviewed_and_repaired(tmp_path):
    path, _ = cells(tmp_path)
    data = lp.read_cells(path, "kind")
    lp.audit(data).save(tmp_path / "audit")
    items = data.reader.reopen()
    assert items.show(1).fields == data.show(1).fields
    candidates, store = open_candidates(tmp_path / "audit"), Store(tmp_path / "s.sqlite")
    from labelproof.review.log.session import ReviewSession

    session = ReviewSession(candidates, store, budget=5)
    other = next(name for name in candidates.classes if name != candidates.part.given(0))
    session.decide("Ann", 0, "relabel", other, "uid-1")
    assert repair(candidates, store, tmp_path / "clean.csv").reviewed == 1
    clean = pl.read_csv(tmp_path / "clean.csv")
    row = int(candidates.index[0])
    assert (clean["kind"][row], clean["id"][row]) == (other, f"cell{row}")
    assert clean["kind"].null_count() == 1
    store.close()


def test_real_cells(real_data):
    data = lp.read_cells(real_data / "smfish_cortex.h5ad", "cell_type")
    assert len(data) == 4530
    assert len(data.classes) == 6
    found = lp.audit(lp.read_cells(real_data / "smfish_cortex.h5ad", "cell_type"))
    assert 0.02 < found.error_rate.estimate < 0.2
