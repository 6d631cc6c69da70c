"""Missing and incorrect tags are found, named by kind, and their rates estimated."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

import labelproof as lp
from labelproof.auditing.findings import ErrorRate, Findings
from labelproof.auditing.kinds.tags import with_dependence
from labelproof.noise.em import expectation_maximization, item_posterior


def problem(
    n: int = 1500, k: int = 4, missing: float = 0.2, incorrect: float = 0.1
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    true = (rng.random((n, k)) < 0.4).astype(int)
    probs = 1 / (1 + np.exp(-(6 * true - 3 + rng.normal(0, 1, (n, k)))))
    gone, wrong = (
        lp.simulate.missing_tags(true, missing, random_state=0),
        lp.simulate.incorrect_tags(true, incorrect, random_state=1),
    )
    given = np.where(gone.changed, 0, np.where(wrong.changed, 1, true))
    return given, probs, gone.changed, wrong.changed


def test_both_kinds_are_found_with_their_rates():
    given, probs, gone, wrong = problem()
    found = lp.audit_tags(given, probs, names=["sky", "sea", "sand", "sun"], ids=[f"i{i}" for i in range(1500)])
    flagged = found.error_probability > 0.5
    for changed in (gone, wrong):
        assert flagged[changed].mean() > 0.85
    assert (gone | wrong)[flagged].mean() > 0.85
    assert np.abs(found.noise.missing_rates - 0.2).max() < 0.1
    assert np.abs(found.noise.incorrect_rates - 0.1).max() < 0.06
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
    mean = expectation_maximization(given[:, 2], pair).posterior(pair, given[:, 2])
    assert np.allclose(found.error_probability[:, 2], 1 - mean[np.arange(len(pair)), given[:, 2]], atol=1e-6)


def small(error, tags, **more):
    n, k = np.shape(error)
    labels, e, none = lp.Tags(tags, names="abc"[:k]), np.ravel(error), np.full(k, np.nan)
    suggested = np.where(e > 0.5, 1 - labels.values, labels.values)
    findings, noise = Findings(e, suggested, np.maximum(e, 1 - e)), lp.TagRates(none, none, labels.classes)
    return lp.Audit(labels, findings, noise, ErrorRate(0.6, 0.6, 0.7), np.array(list("wxyz")[:n]), **more)


def test_a_table_of_tags_by_hand():
    found = small([[0.1, 0.99, 0.5], [0.0999, 0.97, 0.7]], [[1, 0, 1], [0, 1, 0]])
    assert found.issues["index"].to_list() == [0, 1, 1, 0, 0, 1]
    assert found.issues["tag"].to_list() == ["b", "b", "c", "c", "a", "a"]
    assert found.issues["id"].to_list() == ["w", "x", "x", "w", "w", "x"]
    assert found.issues["kind"].to_list() == ["missing", "incorrect", "missing", "incorrect", "incorrect", "missing"]
    assert found.issues["given_label"].to_list() == [0, 1, 0, 1, 1, 0]
    assert found.issues["suggested_label"].to_list() == [1, 0, 1, 1, 1, 0]
    assert found.issues["verdict"].to_list() == ["obvious", "obvious", "possible", "possible", "ok", "ok"]
    assert found.issues["confidence"].to_list() == pytest.approx([0.99, 0.97, 0.7, 0.5, 0.9, 0.9001])
    assert found.counts == {"obvious": 2, "possible": 2, "ok": 2}
    assert found.error_probability.shape == (2, 3)
    assert found.items["tags"].to_list() == [["a", "c"], ["b"]]
    assert found.items["index"].to_list() == [0, 1]
    assert found.items["error_probability"].to_list() == pytest.approx([1 - 0.9 * 0.01 * 0.5, 1 - 0.9001 * 0.03 * 0.3])
    assert small([[0.0]], [[1]]).counts == {"obvious": 0, "possible": 0, "ok": 1}
    summary = small([[0.0, 0.0]], [[1, 0]], source={"kind": "arrays"}).summary
    assert (summary["n"], summary["classes"], summary["missing_rates"]) == (1, ["a", "b"], [None, None])


def test_rates_are_those_of_each_tags_own_noise():
    given, probs, _, _ = problem(n=600)
    found = lp.audit_tags(given, probs, dependence=False)
    readings = np.zeros(2)
    for j in range(4):
        both = np.stack([1 - probs[:, j], probs[:, j]], axis=1)
        fit = expectation_maximization(given[:, j], both)
        assert found.noise.missing_rates[j] == pytest.approx(fit.transition.matrix[1, 0], abs=1e-6)
        assert found.noise.incorrect_rates[j] == pytest.approx(fit.transition.matrix[0, 1], abs=1e-6)
        each = [item_posterior(both, given[:, j], params)[np.arange(600), given[:, j]] for params in fit.components]
        readings += [(1 - own).sum() for own in each]
    e = found.error_probability
    assert found.error_rate.estimate == pytest.approx(e.mean())
    half = 1.96 * np.sqrt((e * (1 - e)).sum()) / e.size
    assert found.error_rate.low == pytest.approx(readings.min() / e.size - half, abs=1e-6)
    assert found.error_rate.high == pytest.approx(readings.max() / e.size + half, abs=1e-6)


def test_a_tag_listens_to_the_others_by_cross_validated_regression():
    """Of three tags, the second repeats the first and the third is its own: what an equal logistic regression says out of fold."""
    rng = np.random.default_rng(0)
    one = (rng.random(300) < 0.4).astype(np.int8)
    given = np.stack([one, np.where(rng.random(300) < 0.05, 1 - one, one), (rng.random(300) < 0.5).astype(np.int8)], axis=1)
    probs = np.clip(0.5 + 0.2 * (given - 0.5) + rng.normal(0, 0.1, given.shape), 0.0, 1.0)
    probs[0] = 0.0, 1.0, 0.5

    def held(p):
        return np.maximum(p, 1e-3)

    expected = np.empty(given.shape)
    for j, others in enumerate(([1, 2], [0, 2], [0, 1])):  # the order of the others does not matter to a regression
        logits = np.log(held(probs)) - np.log(held(1 - probs))
        model = LogisticRegression(C=0.1, max_iter=500)
        features = np.column_stack([logits[:, j], logits[:, others], given[:, others]])
        expected[:, j] = cross_val_predict(model, features, given[:, j], cv=5, method="predict_proba")[:, 1]
    assert np.allclose(with_dependence(given, probs), expected, atol=1e-3)  # better than the blurred ones: they replace them
    sharp = np.where(given == 1, 0.999, 0.001)
    averaged = with_dependence(given, sharp)
    assert ((2 * averaged - sharp)[given == 1] < 0.999).all()  # worse than the sharp ones: the mean of both
    assert ((2 * averaged - sharp)[given == 0] > 0.001).all()
    assert not np.allclose(averaged, sharp, atol=1e-3)


def test_a_single_tag_has_no_other_to_listen_to():
    given, probs, _, _ = problem(n=400, k=1)
    alone, listening = (lp.audit_tags(given, probs, dependence=d) for d in (False, True))
    assert np.array_equal(alone.error_probability, listening.error_probability)


def test_only_the_twenty_likest_tags_are_listened_to_and_rare_tags_to_none():
    rng = np.random.default_rng(0)
    given = (rng.random((400, 24)) < 0.5).astype(np.int8)
    given[:, 23] = 0
    given[0, 23] = 1  # once: no two folds
    probs = np.clip(rng.normal(0.5, 0.1, given.shape), 0.01, 0.99)
    found = with_dependence(given, probs)
    assert np.allclose(found[:, 23], probs[:, 23])  # as it is, also in a mean
    centred = given - given.mean(axis=0)
    likeness = np.abs(np.corrcoef(centred.T))
    others = [j for j in np.argsort(-likeness[0], kind="stable") if j != 0][:20]
    logits = np.log(probs) - np.log(1 - probs)
    model = LogisticRegression(C=0.1, max_iter=500)
    features = np.hstack([logits[:, [0, *others]], given[:, others]])
    listening = cross_val_predict(model, features, given[:, 0], cv=5, method="predict_proba")[:, 1]
    assert min(np.abs(found[:, 0] - listening).max(), np.abs(found[:, 0] - (listening + probs[:, 0]) / 2).max()) < 1e-6


def test_tags_that_belong_together_speak_for_one_another():
    rng = np.random.default_rng(0)
    one = (rng.random(2000) < 0.5).astype(int)
    true = np.stack([one, one, 1 - one], axis=1)
    gone = lp.simulate.missing_tags(true, 0.2, random_state=0)
    blind = np.clip(0.5 + 0.1 * (true - 0.5) + rng.normal(0, 0.1, true.shape), 0, 1)
    alone, together = (lp.audit_tags(gone.labels, blind, dependence=d).error_probability for d in (False, True))
    absent = gone.labels == 0
    assert roc_auc_score(gone.changed[absent], together[absent]) > roc_auc_score(gone.changed[absent], alone[absent]) + 0.1


def test_a_tag_that_never_varies_is_left_alone():
    given, probs, _, _ = problem()
    given[:, 1] = 0
    found = lp.audit_tags(given, probs)
    assert not found.error_probability[:, 1].any()
    assert np.isnan(found.noise.missing_rates[1])
    with pytest.raises(lp.BadInput, match="nothing to compare"):
        lp.audit_tags(np.zeros((5, 2), int), np.full((5, 2), 0.5))


def test_an_audit_of_tags_is_saved_and_loaded(tmp_path):
    given, probs, _, _ = problem(n=300)
    found = lp.audit_tags(pl.DataFrame(given), probs, names=["sky", "sea", "sand", "sun"], ids=[f"i{i}" for i in range(300)])
    found.save(tmp_path / "tags")
    assert pl.read_parquet(tmp_path / "tags" / "issues.parquet").equals(found.issues)
    assert pl.read_parquet(tmp_path / "tags" / "items.parquet").equals(found.items)
    assert json.loads((tmp_path / "tags" / "summary.json").read_text())["kind"] == "tags"
    again = lp.Audit.load(tmp_path / "tags")
    assert again.labels == found.labels
    assert again.issues.equals(found.issues)
    assert again.items.equals(found.items)
    assert again.noise.to_frame().equals(found.noise.to_frame())
    assert np.array_equal(again.error_probability, found.error_probability)
    assert again.summary == found.summary


def test_the_rates_of_tags_are_a_table():
    frame = lp.TagRates(np.array([0.2, np.nan]), np.array([0.1, np.nan]), ("sky", "sea")).to_frame()
    assert frame.filter(tag="sky")["probability"].to_list() == [0.9, 0.1, 0.2, 0.8]
    assert frame.columns == ["tag", "true", "given", "probability"]


def test_an_option_of_another_kind_is_refused():
    given, probs, _, _ = problem(n=300)
    with pytest.raises(lp.BadInput, match=r"'reviews' is no option of an audit of tags. .*It takes dependence"):
        lp.audit(lp.Tags(given), probs, reviews=[0])


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
