"""A review: who is given what, what is recorded, and what the reviews say about all labels."""

from __future__ import annotations

import numpy as np
import pytest

import labelproof as lp
from labelproof.review.log.store import Decision, Store


def answer(session, rank, true, reviewer="ann", uid=None):
    label = str(true[session.candidates.index[rank]])
    return session.decide(reviewer, rank, "relabel", label, uid or f"{reviewer}-{rank}", 1.0)


def review(session, true, count, reviewer="ann"):
    done = []
    while len(done) < count:
        ranks = session.next(reviewer, 3)
        if not ranks:
            break
        answer(session, ranks[0], true, reviewer)
        done.append(ranks[0])
    return done


def test_reviews_find_the_wrong_labels_and_the_figures_tell_the_truth(audit_of, session_of):
    folder, given, true = audit_of(600)
    session = session_of(folder, 200)
    done = review(session, true, 200)
    assert len(set(done)) == 200
    assert session.left() == 0
    assert session.next("ann", 3) == []
    wrong = given != true
    figures = session.figures()
    index = session.candidates.index[done]
    assert (figures.reviewed, figures.wrong) == (200, wrong[index].sum())
    assert wrong[index].sum() > 0.8 * wrong.sum()  # a third of the labels looked at
    assert figures.from_reviews
    assert figures.error_rate.low <= wrong.mean() <= figures.error_rate.high
    assert figures.error_rate.low >= figures.wrong / 600
    assert abs(figures.wrong + figures.errors_left - wrong.sum()) < 0.35 * wrong.sum()
    assert figures.forecast.at(50)[0] < 25
    assert wrong.sum() - figures.wrong <= figures.left_below
    assert figures.advice.startswith(("You can stop", "Continue if"))
    curve = session.curve()
    assert curve[-1]["reviewed"] == 200
    rates = {row["class"]: row for row in session.class_rates()}
    assert set(rates) == {str(c) for c in range(10)}
    assert sum(row["reviewed"] for row in rates.values()) == 200


def test_before_twenty_reviews_there_is_the_audit_alone(audit_of, session_of):
    folder, _, true = audit_of()
    session = session_of(folder)
    before = session.figures()
    assert before.error_rate == lp.Audit.load(folder).error_rate
    assert not before.from_reviews
    review(session, true, 10)
    assert session.figures().advice.startswith("After 20 reviews")


def test_the_queue_goes_on_where_it_was(audit_of, session_of, tmp_path):
    folder, _, true = audit_of()
    first = session_of(folder, 60)
    done = review(first, true, 25)
    second = session_of(folder, 60)
    assert second.left() == 35
    more = review(second, true, 60)
    assert not set(done) & set(more)
    assert len(more) == 35
    assert len(second.curve()) > 5  # the past is in the curve
    third = session_of(folder, 80)
    assert third.left() == 20


def test_two_reviewers_never_get_the_same_item_but_where_overlap_is_asked_for(audit_of, session_of):
    folder, _, true = audit_of()
    session, other = session_of(folder, 60), session_of(folder, 60)
    both = [set(), set()]
    for _ in range(15):
        for name, mine, where in (("ann", both[0], session), ("bob", both[1], other)):
            mine |= set(review(where, true, 1, name))
    assert not both[0] & both[1]
    for name in ("ann", "bob"):
        session.store.release(session.candidates.fingerprint, name)
    shared = session_of(folder, 90, overlap=1.0)
    for name in ("cy", "di"):
        review(shared, true, 90, name)
    counts = {}
    for decision in shared.decisions:
        counts.setdefault(decision.item, set()).add(decision.reviewer)
    assert max(map(len, counts.values())) == 2
    assert shared.left() == 0
    found = shared.people()["agreement"]
    assert found["items"] > 10
    assert found["kappa"] == 1.0


def test_undo_skip_unsure_and_none(audit_of, session_of):
    folder, _, true = audit_of()
    session = session_of(folder, 10)
    first = session.next("ann", 1)[0]
    session.decide("ann", first, "skip", None, "uid-skip")
    assert session.left() == 10
    review(session, true, 8)
    assert session.left() == 2
    second = session.next("ann", 2)
    assert first in second  # a skipped item comes back at the end
    session.decide("ann", first, "unsure", None, "uid-unsure")
    assert session.left() == 1
    assert session.figures().reviewed == 8
    assert session.undo("ann", "uid-undo") == first
    assert session.left() == 2
    session.decide("ann", first, "none", None, "uid-none")
    figures = session.figures()
    assert figures.reviewed == 9
    assert session.undo("bob", "uid-bob") is None


def test_choosing_the_given_label_is_keeping_it(audit_of, session_of):
    folder, given, _ = audit_of()
    session = session_of(folder)
    name = str(given[session.candidates.index[3]])
    assert session.decide("ann", 3, "relabel", name, "uid-1").action == "keep"
    assert session.decide("ann", 3, "keep", None, "uid-2").label == name


@pytest.mark.parametrize(
    ("rank", "action", "label", "problem"),
    [
        (300, "keep", None, "does not exist"),
        (-1, "keep", None, "does not exist"),
        (0, "delete", None, "unknown"),
        (0, "relabel", "cat", "not one of the classes"),
        (0, "relabel", None, "not one of the classes"),
        (0, "relabel", ["1"], "not one of the classes"),
    ],
)
def test_bad_decisions_are_refused_and_not_recorded(audit_of, session_of, rank, action, label, problem):
    session = session_of(audit_of()[0])
    with pytest.raises(lp.BadInput, match=problem):
        session.decide("ann", rank, action, label, "uid-1")
    assert session.decisions == []


def test_reviews_of_other_labels_do_not_count(audit_of, session_of, tmp_path):
    folder, _, true = audit_of()
    review(session_of(folder), true, 5)
    data = lp.read_arrays(tmp_path / "audit.x.npy", tmp_path / "audit.y.npy")
    probs = np.full((300, 10), 0.1)
    lp.audit(data, probs).save(tmp_path / "again")  # the same labels by another model
    assert len(session_of(tmp_path / "again").decisions) == 5
    labels = np.load(tmp_path / "audit.y.npy")
    labels[0] = (labels[0] + 1) % 10
    np.save(tmp_path / "other.y.npy", labels)
    lp.audit(lp.read_arrays(tmp_path / "audit.x.npy", tmp_path / "other.y.npy"), probs).save(tmp_path / "other")
    assert session_of(tmp_path / "other").decisions == []


def test_decisions_of_another_process_arrive(audit_of, session_of, tmp_path):
    folder, _, _ = audit_of()
    session = session_of(folder)
    store = Store(tmp_path / "session.sqlite")
    item = session.candidates.table["id"][250]
    store.record(session.candidates.fingerprint, [Decision(item, "bob", "none", None, "uid-1")])
    session.sync()
    assert [d.item for d in session.decisions] == [item]
    assert session.figures().wrong == 1
    store.close()


def test_tags(tmp_path, session_of):
    rng = np.random.default_rng(0)
    true = (rng.random((200, 3)) < 0.4).astype(int)
    given = lp.simulate.missing_tags(true, 0.2, random_state=0).labels
    lp.audit_tags(given, np.where(true == 1, 0.9, 0.1), names=["sky", "sea", "sun"]).save(tmp_path / "tags")
    session = session_of(tmp_path / "tags", 50)
    assert session.candidates.part.kind == "tags"
    names = np.array(["sky", "sea", "sun"])
    found = 0
    for _ in range(50):
        rank = session.next("ann", 1)[0]
        row = session.candidates.index[rank]
        session.decide("ann", rank, "relabel", names[true[row] == 1].tolist()[::-1], f"uid-{rank}")
        found += (true[row] != given[row]).any()
    figures = session.figures()
    assert figures.wrong == found
    assert found > 15
    with pytest.raises(lp.BadInput, match="list of known tags"):
        session.decide("ann", 0, "relabel", ["moon"], "uid-x")
