"""Duplicates, outliers and neighbours: planted ones are found, and different labels of one item are told apart."""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np
import polars as pl
import pytest

import labelproof as lp
from labelproof.auditing.nearest import MOST_EXACT, nearest
from labelproof.auditing.neighbours import Features, features_of, neighbours_of
from labelproof.noise.posterior import posterior, shared_posterior


@pytest.fixture(scope="module")
def cloud():
    """Four classes of embeddings, the true labels, and what a good model says of them."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 4, 400)
    features = (3 * rng.normal(size=(4, 24))[true] + rng.normal(size=(400, 24))).astype(np.float32)
    probs = np.where(np.eye(4, dtype=bool)[true], 0.85, 0.05)
    return features, true, probs


def test_planted_duplicates_are_grouped(cloud):
    features, _, _ = cloud
    near = features[[5, 5, 9]] * np.array([[1.0], [1.001], [1.0]], np.float32)
    near[2] += 1e-3
    found = neighbours_of(Features(np.concatenate([features, near]), "x", embedded=True), None)
    assert found.group[[5, 400, 401]].tolist() == [0, 0, 0]
    assert found.group[[9, 402]].tolist() == [1, 1]
    assert (found.group == -1).sum() == 398
    assert found.exact[[5, 400, 401, 9, 402]].tolist() == [True, True, False, False, False]
    assert (found.nearest[400] == 5).any()


def test_a_value_that_recurs_is_no_duplicate(cloud):
    features, _, _ = cloud
    many = np.concatenate([features, np.repeat(features[:1], 25, axis=0)])
    found = neighbours_of(Features(many, "x", embedded=True), None)
    assert (found.group == -1).all()
    assert not found.exact.any()


def test_rows_of_numbers_on_any_scale():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(300, 4)) * [1, 1000, 1e-3, 5]
    rows = np.concatenate([rows, rows[:3] * 1.0001, [[0, 0, 0.02, 0]]])
    found = neighbours_of(Features(rows.astype(np.float32), "x", embedded=False), None)
    assert [set(np.flatnonzero(found.group == g)) for g in range(3)] == [{0, 300}, {1, 301}, {2, 302}]
    assert found.outlier.argmax() == 303
    assert found.outlier[303] > 0.9
    assert (found.outlier > 0.5).sum() < 8


def test_neighbours_that_disagree_are_counted_without_copies(cloud):
    features, true, _ = cloud
    given = true.copy()
    given[7] = (true[7] + 1) % 4
    doubled = np.concatenate([features, features[[7]]])
    found = neighbours_of(Features(doubled, "x", embedded=True), np.concatenate([given, given[[7]]]))
    assert found.disagree[7] == found.disagree[400] == 1  # its copy, which agrees, does not count
    assert np.nanmedian(found.disagree) == 0
    unlabelled = given.copy()
    unlabelled[3] = -1
    assert np.isnan(neighbours_of(Features(features, "x", embedded=True), unlabelled).disagree[3])


@pytest.mark.filterwarnings("ignore:Only .* differ:labelproof.DoubtWarning")  # nearly no label is wrong
def test_the_odd_one_out_is_more_probably_wrong(cloud):
    features, true, probs = cloud
    given, unsure = true.copy(), probs.copy()
    copies = np.concatenate([features, features[[0, 0, 1]]])
    given = np.concatenate([given, true[[0, 0, 1]]])
    given[400] = (true[0] + 1) % 4  # of three copies one is odd
    unsure = np.concatenate([unsure, unsure[[0, 0, 1]]])
    unsure[[0, 400, 401]] = 0.25  # of which the model knows nothing
    alone, together = (lp.audit(given, unsure, features=copies, neighbours=on) for on in (False, None))
    assert together.error_probability[400] > alone.error_probability[400] + 0.15
    assert together.error_probability[[0, 401]].max() < alone.error_probability[[0, 401]].min()
    assert together.suggested[400] == true[0]
    assert together.error_probability[1] == alone.error_probability[1]  # copies that agree are left as they are
    assert alone.near is None and "duplicates" not in alone.issues.columns


def test_the_shared_posterior_is_the_product_over_labels():
    rng = np.random.default_rng(2)
    seen = np.repeat(rng.dirichlet(np.ones(3), 1), 3, axis=0)
    noise, given = rng.dirichlet(np.ones(3), 3), np.array([0, 2, 2])
    expected = seen[0] * noise[:, 0] * noise[:, 2] ** 2
    found = shared_posterior(seen, posterior(seen, given, noise), np.zeros(3, int))
    assert found == pytest.approx(np.tile(expected / expected.sum(), (3, 1)))
    own = posterior(seen, given, noise)
    assert shared_posterior(seen, own, np.array([1, 2, 3])) == pytest.approx(own)
    assert shared_posterior(seen, own, np.zeros(3, int), 0.0) == pytest.approx(own)


def test_copies_with_unrelated_labels_do_not_share_a_truth():
    rng = np.random.default_rng(3)
    x = np.repeat(rng.normal(size=(150, 20)), 2, axis=0).astype(np.float32)  # equal pairs, labelled by chance
    given = rng.integers(0, 2, 300)
    probs = np.full((300, 2), 0.5) + rng.normal(0, 0.01, (300, 1)) * [1, -1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lp.DoubtWarning)
        alone, together = (lp.audit(given, probs, features=x, neighbours=on) for on in (False, None))
    assert np.abs(together.error_probability - alone.error_probability).mean() < 0.02


@pytest.mark.filterwarnings("ignore:Only .* differ:labelproof.DoubtWarning")  # nearly no label is wrong
def test_frames_saving_and_loading(cloud, tmp_path):
    features, true, probs = cloud
    given = np.concatenate([true, true[[0, 1]]]).astype(object)
    given[400], given[50] = (true[0] + 1) % 4, None
    far = np.concatenate([features, features[[0, 1]]])
    far[60] = -40 * far[60]
    audit = lp.audit(given, np.concatenate([probs, probs[[0, 1]]]), features=far, ids=[f"i{n}" for n in range(402)])
    assert audit.duplicates["id"].to_list() == ["i0", "i400", "i1", "i401"]
    assert audit.duplicates["different_labels"].to_list() == [True, True, False, False]
    assert audit.summary["neighbours"]["duplicate_groups"] == 2
    assert audit.summary["neighbours"]["with_different_labels"] == 1
    audit.save(tmp_path / "a")
    again = lp.Audit.load(tmp_path / "a")
    assert again.issues.equals(audit.issues)
    assert again.duplicates.equals(audit.duplicates) and again.outliers.equals(audit.outliers)
    assert json.dumps(again.summary) == json.dumps(audit.summary)
    plain = lp.audit(true, probs)
    assert plain.duplicates.is_empty() and plain.outliers.is_empty()
    assert plain.duplicates.columns == audit.duplicates.columns


def test_texts_are_equal_whatever_their_case_and_duplicates_cross_splits():
    texts = [f"question number {n} about {'cats' if n % 2 else 'dogs'}" for n in range(60)]
    texts[41] = "Question number 1 about CATS!"
    frame = pl.DataFrame({"text": texts, "kind": ["cat" if n % 2 else "dog" for n in range(60)]})
    audit = lp.audit(frame, label="kind", text="text", encoder=None)
    assert sorted(audit.duplicates["index"]) == [1, 41]
    assert audit.outliers.is_empty()
    dataset = lp.read_arrays(np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2)
    assert features_of(dataset).embedded is False


def test_approximate_neighbours_are_the_exact_ones():
    pytest.importorskip("faiss")
    from labelproof.auditing.nearest import _approximate, _exact

    space = np.random.default_rng(0).normal(size=(3000, 8)).astype(np.float32)
    same = [len(set(a) & set(b)) / 11 for a, b in zip(_approximate(space, 11), _exact(space, 11), strict=True)]
    assert np.mean(same) > 0.99


def test_many_items_without_an_index_are_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.warns(lp.LabelproofWarning, match="labelproof\\[neighbours\\]"):
        assert nearest(np.zeros((MOST_EXACT + 1, 1), np.float32), 3) is None


def test_features_that_do_not_suit_are_refused(cloud):
    features, true, probs = cloud
    with pytest.raises(lp.BadInput, match="399 rows but there are 400"):
        lp.audit(true, probs, features=features[:-1])
    with pytest.raises(lp.BadInput, match="features"):
        lp.audit(true, probs, features=np.full_like(features, np.nan))


def test_distances_of_projected_items_are_worked_out_in_full():
    rng = np.random.default_rng(0)
    space = rng.normal(size=(500, 300)).astype(np.float32)
    found = nearest(space, 5)
    i = 17
    apart = np.linalg.norm(space - space[i], axis=1)
    assert found.distance[i] == pytest.approx(apart[found.rows[i]], rel=1e-5)
    assert (np.diff(found.distance, axis=1) >= 0).all()
    assert i not in found.rows[i]
