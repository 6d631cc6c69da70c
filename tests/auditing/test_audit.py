"""`audit`: what it finds, what it says, and that its answer does not depend on order or names."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import labelproof as lp
from labelproof.auditing.findings import ISSUE_COLUMNS, verdicts
from labelproof.noise import expectation_maximization


def test_it_finds_wrong_labels_and_suggests_the_right_ones(noisy_problem):
    labels, probs, wrong = noisy_problem(n=2000)
    found = lp.audit(labels, probs)
    flagged = found.error_probability > 0.5
    assert flagged[wrong].mean() > 0.9
    assert wrong[flagged].mean() > 0.9
    right = (labels[wrong] - 1) % 4  # the pair rule undone
    assert (found.suggested[wrong].astype(int) == right).mean() > 0.9
    assert found.error_rate.low <= wrong.mean() <= found.error_rate.high


def test_the_table_is_worst_first_and_complete(noisy_problem):
    labels, probs, _ = noisy_problem()
    table = lp.audit(labels, probs, ids=[f"item{i}" for i in range(600)]).issues
    assert table.columns == list(ISSUE_COLUMNS)
    assert table["error_probability"].is_sorted(descending=True)
    assert table["error_probability"].is_between(0, 1).all()
    assert sorted(table["index"].to_list()) == list(range(600))
    assert all(i == f"item{n}" for n, i in table.select("index", "id").iter_rows())
    assert set(table["verdict"].unique()) == {"obvious", "possible", "ok"}
    assert (table["given_label"].to_numpy() == labels[table["index"].to_numpy()]).all()


def test_suggestions_are_the_argmax_of_the_posterior(noisy_problem):
    labels, probs, _ = noisy_problem()
    found = lp.audit(labels, probs)
    mean = expectation_maximization(labels, probs).posterior(probs, labels)
    assert np.allclose(found.error_probability, 1 - mean[np.arange(600), labels], atol=1e-6)
    assert np.array_equal(found.suggested.astype(int), mean.argmax(axis=1))
    confidence = found.issues.sort("index")["confidence"].to_numpy()
    assert np.allclose(confidence, mean.max(axis=1), atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 5), st.randoms(use_true_random=False))
def test_invariant_under_permuting_rows_and_relabelling_classes(noisy_problem, seed, k, random):
    labels, probs, _ = noisy_problem(n=120, k=k, seed=seed)
    plain = lp.audit(labels, probs)
    rows = np.array(random.sample(range(120), 120))
    permuted = lp.audit(labels[rows], probs[rows])
    assert np.allclose(permuted.error_probability, plain.error_probability[rows], atol=1e-9)
    names = random.sample("abcdefgh", k)
    renamed = lp.audit([names[z] for z in labels], probs, classes=names)
    assert np.allclose(renamed.error_probability, plain.error_probability, atol=1e-9)
    sure = plain.issues.sort("index")["confidence"].to_numpy() > 0.51  # elsewhere two classes may tie
    assert [names[z] for z in plain.suggested[sure]] == renamed.suggested[sure].tolist()


@pytest.mark.parametrize("make", [lambda v: v.tolist(), pd.DataFrame, pl.DataFrame, torch.tensor, np.float32])
def test_every_kind_of_array_gives_the_same_findings(noisy_problem, make):
    labels, probs, _ = noisy_problem()
    assert np.allclose(lp.audit(labels, make(probs)).error_probability, lp.audit(labels, probs).error_probability, atol=1e-5)


def test_with_the_identity_as_known_transition_nothing_is_wrong(noisy_problem):
    labels, probs, _ = noisy_problem()
    assert np.array_equal(lp.audit(labels, probs, transition=np.eye(4)).error_probability, np.zeros(600))


def test_a_known_transition_is_bayes_rule(noisy_problem):
    labels, probs, _ = noisy_problem()
    noise = lp.TransitionMatrix.pair(4, 0.15)
    joint = probs * noise.matrix[:, labels].T
    expected = 1 - joint[np.arange(600), labels] / joint.sum(axis=1)
    assert np.allclose(lp.audit(labels, probs, transition=noise).error_probability, expected, atol=1e-9)
    with pytest.raises(lp.BadInput, match="3 x 3 but there are 4 classes"):
        lp.audit(labels, probs, transition=np.eye(3))


def test_unlabelled_items_are_counted_and_left_out(noisy_problem):
    labels, probs, _ = noisy_problem()
    some = np.where(np.arange(600) % 10 == 0, -1, labels)
    found = lp.audit(some, probs)
    assert found.issues.height == 540
    assert found.n == 600
    assert np.isnan(found.error_probability[::10]).all()
    assert found.suggested[0] is None
    rest = np.arange(600) % 10 != 0
    assert np.allclose(found.error_probability[rest], lp.audit(labels[rest], probs[rest]).error_probability)


def test_obvious_is_the_longest_head_of_expected_precision():
    error = np.array([1.0, 0.95, 0.92, 0.91, 0.6, 0.5, 0.49])
    assert np.cumsum(error)[2] / 3 >= 0.95 > np.cumsum(error)[3] / 4
    assert verdicts(error).to_list() == ["obvious"] * 3 + ["possible"] * 3 + ["ok"]
    assert verdicts(np.array([0.9])).to_list() == ["possible"]
    assert verdicts(np.array([])).to_list() == []


def test_clean_labels_raise_few_alarms(noisy_problem):
    labels, probs, _ = noisy_problem(n=3000, rate=0.0)
    assert (lp.audit(labels, probs).error_probability > 0.5).mean() < 0.02


def test_save_and_load(noisy_problem, tmp_path):
    labels, probs, _ = noisy_problem()
    found = lp.audit(np.array(list("abcd"))[labels], probs)
    found.save(tmp_path / "audit")
    again = lp.Audit.load(tmp_path / "audit")
    assert again.issues.equals(found.issues)
    assert again.noise == found.noise
    assert again.error_rate == found.error_rate
    assert np.array_equal(again.error_probability, found.error_probability)
    summary = json.loads((tmp_path / "audit" / "summary.json").read_text())
    assert summary["n"] == 600
    assert summary["classes"] == list("abcd")
    assert set(summary["error_rate"]) == {"estimate", "low", "high"}
    assert sum(summary["verdicts"].values()) == 600
    assert summary["labelproof"] == lp.__version__
    with pytest.raises(lp.BadInput, match="overwrite"):
        found.save(tmp_path / "audit")
    found.save(tmp_path / "audit", overwrite=True)


def test_a_damaged_folder_is_recognised(noisy_problem, tmp_path):
    labels, probs, _ = noisy_problem()
    found = lp.audit(labels, probs)
    for name, harm in (
        ("gone", lambda f: (f / "issues.parquet").unlink()),
        ("cut", lambda f: (f / "issues.parquet").write_bytes((f / "issues.parquet").read_bytes()[:100])),
        ("json", lambda f: (f / "summary.json").write_text("{")),
        ("other", lambda f: found.issues.head(5).write_parquet(f / "issues.parquet")),
    ):
        found.save(tmp_path / name)
        harm(tmp_path / name)
        with pytest.raises(lp.CorruptArtifact, match="Run the audit again"):
            lp.Audit.load(tmp_path / name)


def test_a_dataset_is_audited_with_a_model_of_its_own(digits):
    noisy = lp.simulate.symmetric(digits.target[:600], 0.1, seed=0)
    data = lp.read_arrays(digits.data[:600], noisy.labels)
    found = lp.audit(data)
    flagged = found.error_probability > 0.5
    assert noisy.changed[flagged].mean() > 0.6
    assert flagged[noisy.changed].mean() > 0.8
    with pytest.raises(lp.BadInput, match="come from the Dataset"):
        lp.audit(data, classes=range(10))
    with pytest.raises(lp.BadInput, match="pred_probs is missing"):
        lp.audit(noisy.labels)


def test_a_dataset_with_unlabelled_items(digits):
    labels = digits.target[:400].astype(object)
    labels[::8] = None
    found = lp.audit(lp.read_arrays(digits.data[:400], labels))
    assert found.issues.height == 350
    assert np.isnan(found.error_probability[::8]).all()


def test_labelled_sets_of_one_class_or_wrong_size_are_refused(noisy_problem):
    labels, probs, _ = noisy_problem()
    with pytest.raises(lp.BadInput, match="nothing to compare"):
        lp.audit(np.zeros(600, int), probs)
    with pytest.raises(lp.BadInput, match="599 rows"):
        lp.audit(labels[:-1], probs)
    assert "wrong" in repr(lp.audit(labels, probs))
