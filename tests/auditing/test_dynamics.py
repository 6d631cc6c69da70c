"""An audit from training alone: what it makes of a history, item by item, from histories made by hand."""

from __future__ import annotations

import numpy as np
import pytest

import labelproof as lp
from labelproof.auditing import dynamics
from labelproof.training import History
from labelproof.training.dynamics import dynamics_of, error_probability_of, wrong_by_mixture, wrong_by_reviews

N, EPOCHS, K = 60, 5, 3


def made(seed=0):
    """A history of random predictions, its last epoch not trained; item 3 is unlabelled, every fifth item looks wrong."""
    rng = np.random.default_rng(seed)
    given = rng.integers(0, K, N)
    doubtful = np.arange(N) % 5 == 0
    history = History(N, EPOCHS)
    own = np.where(doubtful, rng.uniform(0.05, 0.4, (EPOCHS, N)), rng.uniform(0.6, 0.99, (EPOCHS, N)))
    history.own_probability[:] = own
    history.margin[:] = 4 * own - 2
    history.loss[:] = -np.log(own)
    history.predicted[:] = np.where(own > 0.5, given, rng.integers(0, K, (EPOCHS, N)))
    for column in (history.own_probability, history.margin, history.loss):
        column[-1], column[:, 3] = np.nan, np.nan
    history.predicted[-1] = 65_535
    given[3] = -1
    return history, given


def by_votes(history, given, error):
    """p(true class) of each item: of an error, by how often the network said each other class."""
    found = []
    for i in range(N):
        votes = [sum(history.predicted[:, i] == y) + 1e-3 if y != given[i] else 0.0 for y in range(K)]
        found.append([1 - error[i] if y == given[i] else error[i] * votes[y] / sum(votes) for y in range(K)])
    return np.array(found)


@pytest.mark.parametrize("block", [65_536, 7])
def test_the_true_class_is_what_the_network_said(monkeypatch, block):
    monkeypatch.setattr(dynamics, "BLOCK", block)
    history, given = made()
    found = lp.audit_dynamics(history, given, missing=[-1])
    error = error_probability_of(history, given)
    rows = np.flatnonzero(given >= 0)
    assert np.allclose(found.error_probability[rows], error[rows])
    assert np.isnan(found.error_probability[3])
    assert (error[rows] > 0.5).sum() >= 8
    true = by_votes(history, given, error)[rows]
    assert found.labels.owner.tolist() == rows.tolist()
    assert found.suggested[rows].tolist() == true.argmax(axis=1).tolist()
    assert np.allclose(found.findings.confidence, true.max(axis=1), atol=1e-6)
    counts = np.array([[true[given[rows] == j, i].sum() for j in range(K)] for i in range(K)])
    assert np.allclose(found.noise.joint, counts / counts.sum(), atol=1e-9)
    mean, half = error[rows].mean(), 1.96 * np.sqrt((error[rows] * (1 - error[rows])).sum()) / len(rows)
    assert found.error_rate == pytest.approx((mean, max(0.0, mean - half), mean + half))
    assert found.n == N


def test_names_and_ids():
    history, given = made()
    names = [None if z < 0 else "abc"[z] for z in given]
    found = lp.audit_dynamics(history, names, ids=[f"i{i}" for i in range(N)])
    assert found.classes == ("a", "b", "c")
    assert found.issues["id"].to_list() == [f"i{i}" for i in found.issues["index"]]
    plain = lp.audit_dynamics(history, given, missing=[-1])
    assert [None if s is None else "abc"[s] for s in plain.suggested] == found.suggested.tolist()


def test_probabilities_are_heard_as_much_as_training():
    history, given = made()
    rng = np.random.default_rng(1)
    probs = rng.dirichlet(np.full(K, 0.2), N)
    probs[:3] = np.eye(K)
    rows = np.flatnonzero(given >= 0)
    error = error_probability_of(history, given)[rows]
    with pytest.warns(lp.DoubtWarning, match="class frequencies"):
        other = lp.audit(given, probs, missing=[-1])

    def odds(p):
        p = np.clip(p, 1e-4, 1 - 1e-4)
        return p / (1 - p)

    both = np.sqrt(odds(error) * odds(other.error_probability[rows]))
    with pytest.warns(lp.DoubtWarning, match="class frequencies"):
        found = lp.audit_dynamics(history, given, missing=[-1], pred_probs=probs)
    fused = found.error_probability[rows]
    assert np.allclose(fused, both / (1 + both))
    theirs = other.suggested[rows].astype(int)
    ours = by_votes(history, given, found.error_probability)[rows].argmax(axis=1)
    expected = [t if e > 0.5 and t != z else o for t, e, z, o in zip(theirs, fused, given[rows], ours, strict=True)]
    assert found.suggested[rows].tolist() == expected
    assert any(e > 0.5 and t != z and t != o for t, e, z, o in zip(theirs, fused, given[rows], ours, strict=True))


def test_reviews_are_certain_and_teach_a_detector():
    history, given = made()
    true = given.copy()
    true[::5] = (given[::5] + 1) % K
    reviews = np.full(N, -1)
    reviews[:55] = true[:55]
    reviews[3] = -1
    found = lp.audit_dynamics(history, given, missing=[-1], reviews=reviews)
    reduced = dynamics_of(history, given)
    learned = wrong_by_reviews(reduced, reviews >= 0, reviews != given, wrong_by_mixture(reduced))
    assert not np.allclose(learned[55:], wrong_by_mixture(reduced)[55:], atol=1e-3)
    assert np.allclose(found.error_probability[55:], learned[55:])
    seen = np.setdiff1d(np.arange(55), [3])
    assert found.error_probability[seen].tolist() == (true != given)[seen].astype(float).tolist()
    assert found.suggested[seen].tolist() == true[seen].tolist()
    at = {row: place for place, row in enumerate(found.labels.owner.tolist())}
    assert all(found.findings.confidence[at[row]] == 1.0 for row in seen)
    some = lp.audit_dynamics(
        history, given, missing=[-1], ids=[f"i{i}" for i in range(N)], reviews={"i5": int(true[5]), "i6": int(true[6])}
    )
    assert some.error_probability[[5, 6]].tolist() == [1.0, 0.0]
    assert np.allclose(np.delete(some.error_probability, [3, 5, 6]), np.delete(error_probability_of(history, given), [3, 5, 6]))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_history_of_nothing_labelled_is_refused():
    history, given = made()
    history.own_probability[:] = np.nan
    with pytest.raises(lp.BadInput, match="no label of an item"):
        lp.audit_dynamics(history, given, missing=[-1])
