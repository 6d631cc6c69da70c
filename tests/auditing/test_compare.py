"""Two audits beside each other: what became of each finding, and the difference of the rates."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

import labelproof as lp
from commands import run
from labelproof.auditing.findings import ErrorRate
from labelproof.auditing.paired import paired


def audit_of(error, *, ids=None, given=None):
    """An audit of classes with these error probabilities."""
    labels = given or ["ab"[row % 2] for row in range(len(error))]
    right = np.array([label == "a" for label in labels])
    first = np.where(right, 1 - np.asarray(error, float), error)  # the probability of a
    noise = lp.TransitionMatrix(np.eye(2) * 0.8 + 0.1, classes=["a", "b"])
    return lp.audit_posterior(labels, np.column_stack([first, 1 - first]), noise, ids=ids)


def test_new_solved_changed_and_same():
    before = audit_of([0.99, 0.9, 0.1, 0.2, 0.6], ids=["p", "q", "r", "s", "t"], given=list("abbaa"))
    after = audit_of([0.1, 0.9, 0.8, 0.2, 0.97], ids=["p", "q", "r", "s", "u"], given=list("abbaa"))
    done = lp.compare(before, after)
    found = {row["id"]: row["status"] for row in done.findings.to_dicts()}
    assert found == {"r": "new", "u": "new", "p": "solved", "t": "solved", "q": "same"}
    assert done.findings["id"].to_list() == ["u", "r", "p", "t", "q"]  # by status, then the worst first
    assert done.counts == {"new": 2, "solved": 2, "changed": 0, "same": 1}
    assert (done.shared, done.relabelled, done.only_before, done.only_after) == (4, 0, 1, 1)
    row = done.findings.filter(id="t").row(0, named=True)
    assert row["given_before"] == "a" and row["given_after"] is None and row["error_before"] == pytest.approx(0.6)


def test_another_label_or_suggestion_is_a_change():
    before = audit_of([0.7, 0.7, 0], ids=[1, 2, 3], given=["a", "a", "b"])
    after = audit_of([0.7, 0.7, 0], ids=[2, 1, 3], given=["a", "b", "b"])  # 1 is b now
    assert {row["id"]: row["status"] for row in lp.compare(before, after).findings.to_dicts()} == {"1": "changed", "2": "same"}
    assert lp.compare(before, after).relabelled == 1


def test_an_audit_and_itself_differ_by_nothing():
    one = audit_of([0.9, 0.4, 0.01] * 20, ids=range(60))
    done = lp.compare(one, one)
    assert tuple(done.difference) == tuple(done.disagreement) == (0, 0, 0)
    assert done.counts["new"] == done.counts["solved"] == done.counts["changed"] == 0


def test_two_models_of_the_same_labels_disagree_and_the_rate_does_not_change():
    rng = np.random.default_rng(0)
    error = rng.beta(0.3, 2, 400)
    done = lp.compare(audit_of(error, ids=range(400)), audit_of(np.minimum(error + 0.02, 1), ids=range(400)))
    assert done.difference.estimate == 0
    assert done.disagreement.estimate == pytest.approx(0.02, abs=2e-3)
    assert done.difference.low <= -done.disagreement.estimate and done.difference.high >= done.disagreement.estimate


def test_the_formula_of_the_difference():
    joined = pl.DataFrame(
        {"error_before": [0.2, 0.9, 0.5, None], "error_after": [0.4, 0.1, None, 0.3], "same": [True, False, None, None]}
    )
    rate = ErrorRate(0.5, 0.4, 0.7)
    found = paired(joined, rate, ErrorRate(0.3, 0.2, 0.3)).difference
    assert found.estimate == pytest.approx((0.1 + 0.3) / 3 - (0.9 + 0.5) / 3)  # m = n: what is the same adds nothing
    sampling = (0.1 + 0.9 - 0.8**2) / 9
    own = (0.2 / 3) ** 2 + (0.2 / 3) ** 2 + (0.3 / 2 / 3) ** 2 + (0.1 / 2 / 3) ** 2
    assert found.high - found.estimate == pytest.approx(np.sqrt(1.96**2 * sampling + own))
    more = pl.concat([joined, joined.filter(pl.col("error_before").is_null())])  # n = 4
    assert paired(more, rate, rate).difference.estimate == pytest.approx(0.3 * (1 / 4 - 1 / 3) + 0.7 / 4 - 1.4 / 3)


@pytest.mark.slow
def test_the_interval_of_the_difference_holds_after_a_repair(digits):
    held = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        noisy = lp.simulate.pair(digits.target, 0.15, n_classes=10, random_state=seed)
        names = np.array([f"d{i}" for i in range(len(digits.target))])
        model = LogisticRegression(max_iter=300, C=1.0)
        before = lp.audit(noisy.labels, lp.out_of_sample_probs(digits.data / 16, noisy.labels, estimator=model), ids=names)
        worst = np.argsort(-before.error_probability)[: rng.integers(20, 250)]
        repaired = noisy.labels.copy()
        repaired[worst] = digits.target[worst]
        kept = rng.random(len(names)) < (1.0, 0.9, 0.6)[seed % 3]
        probs = lp.out_of_sample_probs(digits.data[kept] / 16, repaired[kept], estimator=model)
        found = lp.compare(before, lp.audit(repaired[kept], probs, ids=names[kept])).difference
        truth = (repaired != digits.target)[kept].mean() - noisy.changed.mean()
        held.append(found.low <= truth <= found.high)
        assert found.high < 0
    assert sum(held) >= 5


def test_sites_of_tags_and_votes_are_told_apart():
    tags = np.array([[1, 0, 1], [0, 1, 0]] * 20)
    probs = np.where(tags == 1, 0.9, 0.1)
    other = tags.copy()
    other[3, 2] = 1 - other[3, 2]
    one, two = (
        lp.audit(lp.Tags(given, names=["x", "y", "z"]), probs, ids=[f"t{i}" for i in range(40)]) for given in (tags, other)
    )
    done = lp.compare(one, two)
    assert (done.shared, done.relabelled, done.only_before) == (120, 1, 0)
    assert done.findings.filter(pl.col("status") == "new")["tag"].to_list() == ["z"]
    votes = lp.Votes([["a", "b", "b"], ["a", "a", None]] * 10, annotators=["Ann", "Bo", "Cy"])
    assert lp.compare(lp.audit(votes), lp.audit(votes)).shared == 50


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(lp.BadInput, match="of classes and of votes"):
        lp.compare(audit_of([0.5, 0.1]), lp.audit(lp.Votes([["a", "b"], ["a", "a"], ["b", "b"]] * 9)))
    with pytest.raises(lp.BadInput, match="only row numbers identify"):
        lp.compare(audit_of([0.5, 0.1]), audit_of([0.5, 0.1, 0.1]))


def test_the_command(tmp_path):
    audit_of([0.99, 0.9, 0.1] + [0.01] * 97, ids=[f"i{n}" for n in range(100)]).save(tmp_path / "a")
    audit_of([0.1, 0.9, 0.8] + [0.01] * 97, ids=[f"i{n}" for n in range(100)]).save(tmp_path / "b")
    done = run("compare", tmp_path / "a", tmp_path / "b", "--json", tmp_path / "c.json")
    assert done.returncode == 0, done.stderr
    assert "1 new, 1 solved, 0 changed findings; 1 the same" in done.stdout
    assert "99.0% → 10.0%" in done.stdout
    told = json.loads((tmp_path / "c.json").read_text())
    assert {row["id"]: row["status"] for row in told["findings"]} == {"i2": "new", "i0": "solved"}
    assert run("compare", tmp_path / "a", tmp_path / "absent").returncode == 2
    assert run("compare", tmp_path / "a", tmp_path / "b", "--database", "x").returncode == 2
    assert run("compare", tmp_path / "a", tmp_path / "b", "--json", tmp_path / "a" / "summary.json").returncode == 2
