"""Missing and incorrect tags are found, named by kind, and their rates estimated."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

import labelproof as lp


def problem(
    n: int = 1500, k: int = 4, missing: float = 0.2, incorrect: float = 0.1
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    true = (rng.random((n, k)) < 0.4).astype(int)
    probs = 1 / (1 + np.exp(-(6 * true - 3 + rng.normal(0, 1, (n, k)))))
    gone, wrong = lp.simulate.missing_tags(true, missing, seed=0), lp.simulate.incorrect_tags(true, incorrect, seed=1)
    given = np.where(gone.changed, 0, np.where(wrong.changed, 1, true))
    return given, probs, gone.changed, wrong.changed


def test_both_kinds_are_found_with_their_rates():
    given, probs, gone, wrong = problem()
    found = lp.audit_tags(given, probs, names=["sky", "sea", "sand", "sun"], ids=[f"i{i}" for i in range(1500)])
    flagged = found.error_probability > 0.5
    for changed in (gone, wrong):
        assert flagged[changed].mean() > 0.85
    assert (gone | wrong)[flagged].mean() > 0.85
    assert np.abs(found.missing_rates - 0.2).max() < 0.1
    assert np.abs(found.incorrect_rates - 0.1).max() < 0.06
    assert abs(found.error_rate.estimate - (gone | wrong).mean()) < 0.05
    table = found.issues
    assert table["error_probability"].is_sorted(descending=True)
    for row in table.head(50).iter_rows(named=True):
        column = ["sky", "sea", "sand", "sun"].index(row["tag"])
        assert row["kind"] == ("incorrect" if given[row["index"], column] else "missing")
        assert row["suggested_label"] == 1 - row["given_label"]
        assert row["id"] == f"i{row['index']}"


def test_an_entry_is_the_posterior_of_a_noise_model_of_two_states():
    given, probs, _, _ = problem()
    found = lp.audit_tags(given, probs, dependence=False)
    pair = np.stack([1 - probs[:, 2], probs[:, 2]], axis=1)
    assert np.allclose(found.error_probability[:, 2], lp.audit(given[:, 2], pair).error_probability)


def test_tags_that_belong_together_speak_for_one_another():
    rng = np.random.default_rng(0)
    one = (rng.random(2000) < 0.5).astype(int)
    true = np.stack([one, one, 1 - one], axis=1)
    gone = lp.simulate.missing_tags(true, 0.2, seed=0)
    blind = np.clip(0.5 + 0.1 * (true - 0.5) + rng.normal(0, 0.1, true.shape), 0, 1)
    alone, together = (lp.audit_tags(gone.labels, blind, dependence=d).error_probability for d in (False, True))
    absent = gone.labels == 0
    assert roc_auc_score(gone.changed[absent], together[absent]) > roc_auc_score(gone.changed[absent], alone[absent]) + 0.1


def test_a_tag_that_never_varies_is_left_alone():
    given, probs, _, _ = problem()
    given[:, 1] = 0
    found = lp.audit_tags(given, probs)
    assert not found.error_probability[:, 1].any()
    assert np.isnan(found.missing_rates[1])
    with pytest.raises(lp.BadInput, match="nothing to compare"):
        lp.audit_tags(np.zeros((5, 2), int), np.full((5, 2), 0.5))


def test_the_item_score_is_its_most_doubtful_tag(tmp_path):
    given, probs, _, _ = problem(n=300)
    found = lp.audit_tags(pl.DataFrame(given), probs)
    assert np.array_equal(found.item_score, found.error_probability.max(axis=1))
    found.save(tmp_path / "tags")
    assert pl.read_parquet(tmp_path / "tags" / "issues.parquet").equals(found.issues)
    assert json.loads((tmp_path / "tags" / "summary.json").read_text())["kind"] == "tags"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g, p: (g + 1, p), "other than 0 and 1"),
        (lambda g, p: (g, p[:, :-1]), r"shape \(300, 3\) but tags has \(300, 4\)"),
        (lambda g, p: (g, np.where(p > 0.9, np.nan, p)), "is nan"),
        (lambda g, p: (g, p + 1), "between 0 and 1"),
        (lambda g, p: (g[:, 0], p), "one row per item and one column per tag"),
    ],
)
def test_bad_input(change, message):
    given, probs, _, _ = problem(n=300)
    with pytest.raises(lp.BadInput, match=message):
        lp.audit_tags(*change(given, probs))
