"""Missing and incorrect tags are found, named by kind, and their rates estimated."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold, PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import labelproof as lp
from labelproof.auditing.findings import ErrorRate, Findings
from labelproof.auditing.kinds.tags import with_dependence
from labelproof.noise.tag_plateaus import plateau_rates
from labelproof.noise.tag_posterior import error_probabilities


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


def likeliest(scores: np.ndarray, given: np.ndarray, missing: float, incorrect: float) -> np.ndarray:
    """Error probabilities by another optimiser, from probabilities instead of standardised log-odds."""
    z = given == 1

    def cost(v: np.ndarray) -> float:
        said = incorrect + (1 - incorrect - missing) * expit(v[0] * logit(scores) + v[1])
        return float(-np.log(np.where(z, said, 1 - said)).mean())

    slope, offset = minimize(cost, np.array([1.0, 0.0]), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10}).x
    y = expit(slope * logit(scores) + offset)
    joint = np.where(z, [(1 - missing) * y, incorrect * (1 - y)], [missing * y, (1 - incorrect) * (1 - y)])
    true = joint[0] / joint.sum(axis=0)
    return np.where(z, 1 - true, true)


def test_an_entry_is_the_posterior_with_the_rates_of_its_tag():
    given, probs, _, _ = problem()
    found = lp.audit_tags(given, probs, dependence=False)
    for j in range(4):
        own = probs[:, j], given[:, j]
        rates = found.noise.missing_rates[j], found.noise.incorrect_rates[j]
        assert np.array_equal(found.error_probability[:, j], error_probabilities(*own, *rates))
        assert np.abs(error_probabilities(*own, 0.2, 0.1) - likeliest(*own, 0.2, 0.1)).mean() < 1e-3


def test_without_missing_and_incorrect_tags_nothing_is_wrong_and_without_information_the_share_decides():
    given, probs, _, _ = problem()
    assert not error_probabilities(probs[:, 0], given[:, 0], 0.0, 0.0).any()
    z = given[:, 0]
    blind = error_probabilities(np.full(len(z), 0.3), z, 0.5, 0.1)
    share = (z.mean() - 0.1) / 0.4  # that is true, if scores say nothing
    assert blind[z == 0] == pytest.approx(0.5 * share / (0.5 * share + 0.9 * (1 - share)), abs=0.01)
    assert np.isfinite(error_probabilities(probs[:, 0], z, 0.9, 0.6)).all()


def small(error, tags, **more):
    n, k = np.shape(error)
    labels, e, none = lp.Tags(tags, names=tuple("abc"[:k])), np.ravel(error), np.full(k, np.nan)
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


def test_rates_are_read_from_the_scores_with_and_without_the_other_tags_and_the_lower_count():
    given, probs, _, _ = problem(n=600)
    found, codes = lp.audit_tags(given, probs), given.astype(np.int64)
    both = [plateau_rates(own, codes) for own in (probs, with_dependence(given, probs))]
    rates = np.min([[own.missing, own.incorrect] for own in both], axis=0)
    assert np.allclose([found.noise.missing_rates, found.noise.incorrect_rates], rates)
    e = found.error_probability
    assert found.error_rate.estimate == pytest.approx(e.mean())
    half = 1.96 * np.sqrt((e * (1 - e)).sum()) / e.size
    assert found.error_rate.low < e.mean() - half
    assert found.error_rate.high > e.mean() + half


@pytest.mark.parametrize(("missing", "incorrect"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.1), (0.2, 0.05)])
def test_the_error_rate_of_real_tags_is_within_its_interval(missing, incorrect, real_data):
    """Scene by logistic regression: tags as they are, and with missing and incorrect ones."""
    with np.load(real_data / "scene.npz") as file:
        x, true = file["x_train"].astype(float), file["y_train"].astype(int)
    gone = lp.simulate.missing_tags(true, missing, random_state=0).changed
    added = lp.simulate.incorrect_tags(true, incorrect, random_state=1).changed
    given = np.where(gone, 0, np.where(added, 1, true))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))
    folds = KFold(5, shuffle=True, random_state=0)
    weak, strong = (
        lp.audit_tags(
            given,
            np.stack([cross_val_predict(model, some, own, cv=folds, method="predict_proba")[:, 1] for own in given.T], axis=1),
        )
        for some in (x[:, ::60], x)
    )
    wrong = (given != true).mean()
    assert strong.error_rate.low <= wrong <= strong.error_rate.high
    assert abs(strong.error_rate.estimate - wrong) < 0.015
    assert strong.error_rate.high - strong.error_rate.low < 0.12
    assert weak.error_rate.low < wrong + 0.025  # five columns: what looks wrong may be the model's fault
    assert weak.error_rate.high > wrong


def other_tags(given: np.ndarray, probs: np.ndarray, tag: int, others: list[int]) -> np.ndarray:
    """What an equal logistic regression says out of fold."""
    logits = np.log(np.maximum(probs, 1e-3)) - np.log(np.maximum(1 - probs, 1e-3))
    x, z, fold = np.column_stack([logits[:, tag], given[:, others]]), given[:, tag], np.empty(len(given), int)
    for value in (0, 1):  # of the items with the tag, and of those without, every fifth, by their scores
        of_value = sorted(np.flatnonzero(z == value), key=lambda row: (logits[row].sum(), given[row].sum()))
        fold[of_value] = np.arange(1, len(of_value) + 1) % 5
    model = LogisticRegression(C=0.1, max_iter=500)
    return cross_val_predict(model, x, z, cv=PredefinedSplit(fold), method="predict_proba")[:, 1]


def test_a_tag_listens_to_the_others_by_cross_validated_regression():
    """Of three tags, the second repeats the first and the third is its own."""
    rng = np.random.default_rng(0)
    one = (rng.random(300) < 0.4).astype(np.int8)
    given = np.stack([one, np.where(rng.random(300) < 0.05, 1 - one, one), (rng.random(300) < 0.5).astype(np.int8)], axis=1)
    probs = np.clip(0.5 + 0.2 * (given - 0.5) + rng.normal(0, 0.1, given.shape), 0.0, 1.0)
    probs[0] = 0.0, 1.0, 0.5
    found = with_dependence(given, probs)
    for tag, others in enumerate(([1, 2], [0, 2])):  # the order of the others does not matter to a regression
        assert np.allclose(found[:, tag], other_tags(given, probs, tag, others), atol=1e-3)
    assert np.array_equal(found[:, 2], probs[:, 2])  # the others say nothing about it
    sharp = np.where(given == 1, 0.999, 0.001)
    assert np.array_equal(with_dependence(given, sharp), sharp)  # nothing to gain


def test_a_single_tag_has_no_other_to_listen_to():
    given, probs, _, _ = problem(n=400, k=1)
    alone, listening = (lp.audit_tags(given, probs, dependence=d) for d in (False, True))
    assert np.array_equal(alone.error_probability, listening.error_probability)


def test_only_the_twenty_likest_tags_are_listened_to_and_rare_tags_to_none():
    rng = np.random.default_rng(0)
    given = (rng.random((400, 24)) < 0.5).astype(np.int8)
    given[:, 0] = np.where(rng.random(400) < 0.1, given[:, 0], given[:, 5])
    given[:, 23] = 0
    given[0, 23] = 1  # once: no two folds
    probs = np.clip(rng.normal(0.5, 0.1, given.shape), 0.01, 0.99)
    found = with_dependence(given, probs)
    assert np.array_equal(found[:, 23], probs[:, 23])
    likeness = np.abs(np.corrcoef((given - given.mean(axis=0)).T))
    others = [j for j in np.argsort(-likeness[0], kind="stable") if j != 0][:20]
    assert np.allclose(found[:, 0], other_tags(given, probs, 0, others), atol=1e-6)


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
        (lambda g, p: (g + 1, p), "row 0, column 1 is 2. A tag is 1 if it is given"),
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
