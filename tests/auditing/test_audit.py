"""`audit`: what it finds, what it says, and that its answer does not depend on order or names."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labelproof as lp
from labelproof.auditing import fold
from labelproof.auditing.calibrate import fit_calibration
from labelproof.auditing.findings import ErrorRate, Findings
from labelproof.auditing.kinds.base import error_rate_of
from labelproof.auditing.kinds.classes import judged_from, known_noise, true_codes
from labelproof.auditing.loading import read_summary
from labelproof.auditing.sharpness import Sharpness, read_sharpness
from labelproof.auditing.verdicts import fall_of, head_of, lower, places, verdicts
from labelproof.labels.classes import Classes
from sources import tensor


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
    assert table.columns == [
        "index", "id", "given_label", "suggested_label", "error_probability", "verdict", "confidence"
    ]  # fmt: skip
    assert table["error_probability"].is_sorted(descending=True)
    assert table["error_probability"].is_between(0, 1).all()
    assert sorted(table["index"].to_list()) == list(range(600))
    assert all(i == f"item{n}" for n, i in table.select("index", "id").iter_rows())
    assert {"obvious", "ok"} <= set(table["verdict"].unique())
    assert (table["given_label"].to_numpy() == labels[table["index"].to_numpy()]).all()


def test_suggestions_are_the_argmax_of_the_posterior(noisy_problem):
    labels, probs, _ = noisy_problem()
    found = lp.audit(labels, probs)
    mean = read_sharpness(fold.sample(probs, labels, 0, 600), range(4)).noise.posterior(probs, labels)
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


@pytest.mark.parametrize("make", [lambda v: v.tolist(), pd.DataFrame, pl.DataFrame, tensor, np.float32])
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


def test_obvious_holds_at_the_lower_end_of_the_rate():
    error = np.array([0.999, 0.99, 0.96, 0.9, 0.2, 0.1, 0.05])
    likely = lower(error, fall_of(error, error.mean(), 0.3))
    assert likely.mean() == pytest.approx(0.3, abs=1e-6)
    shift = np.log(error / (1 - error)) - np.log(likely / (1 - likely))
    assert np.allclose(shift, shift[0])  # log odds less one number
    assert verdicts(error).to_list()[:3] == ["obvious"] * 3
    head = int((np.cumsum(likely) / np.arange(1, 8) >= 0.95).sum())
    assert 0 < head < 3
    assert verdicts(error, 0.3).to_list() == ["obvious"] * head + ["possible"] * (4 - head) + ["ok"] * 3
    assert "obvious" not in verdicts(error, 0.0).to_list()
    assert verdicts(error, 0.9).to_list() == verdicts(error).to_list()
    many = np.sort(np.random.default_rng(0).beta(0.2, 2, 100_000))[::-1]
    fall = fall_of(many[places(len(many))], many.mean(), 0.05)
    assert lower(many, fall).mean() == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize("fall", [0.0, 0.7, np.inf])
def test_the_head_is_the_same_however_the_list_is_cut(fall):
    error = np.sort(np.random.default_rng(1).beta(0.4, 1, 50_000))[::-1]
    whole = head_of([error], fall)
    assert (whole > 1000) == (fall < 1)
    for cuts in ([0, 1], [17, whole - 1, whole, whole + 1], range(0, 50_000, 999)):
        assert head_of(np.split(error, list(cuts)), fall) == whole


def test_the_limits_of_the_verdicts():
    assert verdicts(np.array([0.95, 0.95, 0.5, 0.4999])).to_list() == ["obvious", "obvious", "possible", "ok"]
    assert verdicts(np.array([1.0, 0.8, 0.3])).to_list() == ["obvious", "possible", "ok"]


def test_the_interval_of_the_error_rate_by_hand():
    e = np.array([0.1, 0.5, 0.9, 0.0, 1.0, 0.2])
    half = 1.96 * np.sqrt(0.09 + 0.25 + 0.09 + 0.16) / 6
    assert error_rate_of(e, np.array([2.0, 2.8, 3.0])) == pytest.approx((2.7 / 6, 2.0 / 6 - half, 3.0 / 6 + half))
    assert error_rate_of(e, np.array([1.0, 5.0])) == pytest.approx((2.7 / 6, 0.0, 1.0))
    assert isinstance(error_rate_of(e, np.array([2.0])), ErrorRate)


def test_findings_of_blocks_are_joined_in_order():
    def scores(*rows):
        error, suggested, confidence, expected = zip(*rows, strict=True)
        return fold.Scores(
            np.array(error), np.array(suggested, np.int32), np.array(confidence, np.float32), np.sum(expected, axis=0)
        )

    first = scores((0.1, 0, 0.9, (0.2, 0.0)), (np.nan, -1, np.nan, (0.0, 0.0)))
    second = scores((0.7, 2, 0.6, (0.8, 0.6)), (0.4, 1, 0.6, (0.3, 0.5)))
    given_ = np.array([0, -1, 1, 1])
    labels, noise = Classes.of_codes(given_, "abc"), Sharpness(known_noise(np.eye(3), np.array([1.0, 2.0, 0.0]), "abc"))
    few = fold.Sample(np.arange(2), np.eye(3)[:2], np.array([0, 1]), np.ones(3))
    judged = judged_from([first, second], labels, noise, few)
    found = judged.findings
    assert judged.error_rate == error_rate_of(found.error_probability, np.array([1.3, 1.1]))
    assert found.suggested.tolist() == [0, 2, 1]
    assert found.error_probability.tolist() == [0.1, 0.7, 0.4]
    assert found.confidence.tolist() == pytest.approx([0.9, 0.6, 0.6])
    whole = judged_from([second], Classes.of_codes(given_[2:], "abc"), noise, few)
    assert whole.findings.error_probability.tolist() == [0.7, 0.4]
    assert whole.error_rate == error_rate_of(whole.findings.error_probability, np.array([1.1, 1.1]))


def test_a_table_of_findings_by_hand(tmp_path):
    labels = Classes.of_codes(np.array([0, -1, 1, 1, -1, 0, -1]), ["a", "b", "c"])
    findings = Findings(
        np.array([0.2, 0.96, 0.2, 0.6]), np.array([0, 0, 2, 1], np.int32), np.array([0.8, 0.9, 0.7, 0.6], np.float32)
    )
    noise = lp.TransitionMatrix(np.eye(3), classes=["a", "b", "c"])
    ids = np.array(list("pxqryst"), dtype=object)
    found = lp.Audit(labels, findings, noise, ErrorRate(0.5, 0.49, 0.6), ids, skipped=[("t", "broken")])
    assert found.issues["index"].to_list() == [2, 5, 0, 3]  # ties in the order of the input
    assert found.issues["id"].to_list() == ["q", "s", "p", "r"]
    assert found.issues["given_label"].to_list() == ["b", "a", "a", "b"]
    assert found.issues["suggested_label"].to_list() == ["a", "b", "a", "c"]
    assert found.issues["verdict"].to_list() == ["obvious", "possible", "ok", "ok"]
    assert found.issues["confidence"].to_list() == pytest.approx([0.9, 0.6, 0.8, 0.7])
    assert found.counts == {"obvious": 1, "possible": 1, "ok": 2}
    assert found.suggested.tolist() == ["a", None, "a", "c", None, "b", None]
    assert np.array_equal(found.error_probability, [0.2, np.nan, 0.96, 0.2, np.nan, 0.6, np.nan], equal_nan=True)
    theirs = found.cleanlab_table()
    assert theirs["is_label_issue"].to_list() == [False, True, False, True]
    assert theirs["label_quality"].to_list() == pytest.approx([0.8, 0.04, 0.8, 0.4])
    assert theirs["predicted_label"].to_list() == ["a", "a", "c", "b"]
    assert theirs["given_label"].to_list() == ["a", "b", "b", "a"]
    summary = found.summary
    assert (summary["n"], summary["labelled"], summary["skipped"]) == (7, 4, [{"id": "t", "reason": "broken"}])
    assert found.items["index"].to_list() == list(range(7))
    assert found.items["id"].to_list() == list("pxqryst")
    assert np.array_equal(found.items["error_probability"], found.error_probability, equal_nan=True)
    assert found.noise.to_frame().filter(true="b")["probability"].to_list() == [0, 1, 0]
    found.save(tmp_path / "audit")
    again = lp.Audit.load(tmp_path / "audit")
    assert again.labels == labels
    assert again.issues.equals(found.issues)
    for name, values in findings._asdict().items():
        assert getattr(again.findings, name).tolist() == values.tolist()


def few_findings(noise):
    findings = Findings(np.array([0.2, 0.96, 0.3]), np.array([0, 0, 2], np.int32), np.array([0.8, 0.9, 0.7], np.float32))
    return lp.Audit(Classes(["a", "b", "c"]), findings, noise, ErrorRate(0.5, 0.4, 0.6))


def test_pooled_noise_is_saved_in_its_factors(tmp_path):
    noise = lp.TransitionMatrix.pooled([0.1, 0.2, 0.0], [0.5, 0.3, 0.2], prior=[0.2, 0.2, 0.6], classes=["a", "b", "c"])
    few_findings(noise).save(tmp_path / "audit")
    again = lp.Audit.load(tmp_path / "audit")
    assert again.summary["transition"] is None
    assert again.noise == noise
    assert [factor.tolist() for factor in again.noise.factors] == [[0.1, 0.2, 0.0], [0.5, 0.3, 0.2]]


def test_a_folder_with_other_columns_or_another_summary_is_damaged(tmp_path):
    audit = few_findings(lp.TransitionMatrix(np.eye(3), classes=["a", "b", "c"]))
    audit.save(tmp_path / "audit")
    for issues in (audit.issues.with_columns(more=1), audit.issues[:2]):
        issues.write_parquet(tmp_path / "audit" / "issues.parquet")
        with pytest.raises(lp.CorruptArtifact, match="does not belong to"):
            lp.Audit.load(tmp_path / "audit")
    for summary in ({"n": 3}, ["classes"], []):
        (tmp_path / "audit" / "summary.json").write_text(json.dumps(summary))
        with pytest.raises(lp.CorruptArtifact, match="is not that of an audit"):
            read_summary(tmp_path / "audit")


def test_ids_keep_their_type(noisy_problem):
    labels, probs, _ = noisy_problem(n=60)
    text = np.array([f"i{i}" for i in range(60)], dtype=object)
    numbers = np.arange(60, 120)
    kinds = [
        (text, pl.String),
        (text.astype(str), pl.String),
        (numbers, pl.Int64),
        (numbers.astype(object), pl.Int64),
        (None, pl.Int64),
    ]
    for ids, kind in kinds:
        assert lp.audit(labels, probs, ids=ids).issues["id"].dtype == kind


def test_known_noise_takes_the_prior_of_the_matrix_or_the_frequencies():
    counts = np.array([3.0, 1.0, 0.0])
    matrix = [[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.0, 0.0, 1.0]]
    fit = known_noise(matrix, counts, "abc")
    assert fit.transition.prior.tolist() == [0.75, 0.25, 0.0]
    (params,) = fit.components
    assert params.given_prior == pytest.approx([0.75, 0.25, 0.0])
    assert params.given_prior[2] > 0  # never given, but no division by zero
    assert (params.sharpness, params.ambiguity, params.class_weights.tolist()) == (1.0, 0.0, [1.0, 1.0, 1.0])
    own = known_noise(lp.TransitionMatrix(matrix, prior=[0.2, 0.3, 0.5]), counts, "abc")
    assert own.transition.prior.tolist() == [0.2, 0.3, 0.5]


def test_true_labels_by_row_or_by_id():
    assert true_codes(["b", None, "a"], ["a", "b"], None, 3).tolist() == [1, -1, 0]
    assert true_codes({2: "b"}, ["a", "b"], None, 4).tolist() == [-1, -1, 1, -1]
    assert true_codes({"y": "b", "w": "a"}, ["a", "b"], ["w", "x", "y"], 3).tolist() == [0, -1, 1]
    assert true_codes({}, ["a", "b"], None, 2).tolist() == [-1, -1]
    for nothing in ({1: None}, [None, None]):
        with pytest.raises(lp.BadInput, match="reviews has no label"):
            true_codes(nothing, ["a", "b"], None, 2)


def test_the_rate_after_reviews_by_hand(noisy_problem):
    """Reviewed labels are certain; of the others the mean of the recalibrated probabilities, with 95 % of its draws and chance."""
    labels, probs, wrong = noisy_problem(n=400)
    before = lp.audit(labels, probs).error_probability
    rows = np.argsort(-before)[::7][:50]
    true = np.full(400, -1)
    true[rows] = np.where(wrong[rows], (labels[rows] - 1) % 4, labels[rows])
    after = lp.audit(labels, probs, reviews=true)
    calibration = fit_calibration(before[rows], wrong[rows])
    rest = np.setdiff1d(np.arange(400), rows)
    left = calibration(before[rest])
    assert np.allclose(after.error_probability[rest], left)
    assert after.error_rate.estimate == pytest.approx((wrong[rows].sum() + left.sum()) / 400)
    low, high = np.quantile(calibration.sample_means(before[rest]), [0.025, 0.975])
    half = 1.96 * np.sqrt((left * (1 - left)).sum())
    assert after.error_rate.low == pytest.approx((wrong[rows].sum() + 350 * low - half) / 400)
    assert after.error_rate.high == pytest.approx((wrong[rows].sum() + 350 * high + half) / 400)
    assert (after.findings.confidence[rows] == 1).all()
    all_true = np.where(wrong, (labels - 1) % 4, labels)
    exact = lp.audit(labels, probs, reviews=all_true).error_rate
    assert exact == pytest.approx((wrong.mean(),) * 3)


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
    noisy = lp.simulate.symmetric(digits.target[:600], 0.1, random_state=0)
    data = lp.read_arrays(digits.data[:600], noisy.labels)
    found = lp.audit(data)
    flagged = found.error_probability > 0.5
    assert noisy.changed[flagged].mean() > 0.6
    assert flagged[noisy.changed].mean() > 0.8
    with pytest.raises(lp.BadInput, match="such labels have their own"):
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
