"""What several reviewers say together."""

from __future__ import annotations

import numpy as np

from labelproof.review.resolve import agreement, resolve
from labelproof.review.store import Decision


def said(item, reviewer, label, action="relabel", seq=0):
    return Decision(item, reviewer, action, label, f"{item}-{reviewer}", seq=seq)


def test_agreement_settles_and_silence_says_nothing():
    found = resolve(
        [
            said("i", "a", "cat"),
            said("i", "b", "cat"),
            said("j", "a", None, "unsure"),
            said("k", "a", None, "none"),
            said("l", "a", None, "skip"),
        ]
    )
    assert set(found) == {"i", "k"}
    assert (found["i"].label, found["i"].agreed, found["i"].reviewers) == ("cat", True, ("a", "b"))
    assert found["k"].label is None


def test_the_reliable_reviewers_win():
    rng = np.random.default_rng(0)
    decisions = []
    for i in range(200):
        true = int(rng.integers(3))
        for name, accuracy in (("good", 0.98), ("fine", 0.97), ("poor", 0.4)):
            label = true if rng.random() < accuracy else int(rng.integers(3))
            decisions.append(said(f"{i}:{true}", name, str(label)))
    found = resolve(decisions)
    assert np.mean([outcome.label == item.split(":")[1] for item, outcome in found.items()]) > 0.96
    how = agreement(decisions)
    assert how.items == 200
    assert how.accuracies["good"] > how.accuracies["poor"] + 0.3
    assert 0 < how.kappa < 1


def test_without_shared_items_there_is_no_agreement():
    assert agreement([said("i", "a", "x"), said("j", "b", "y")]).kappa is None


def test_very_many_labels_are_put_to_the_vote():
    decisions = [said(f"i{n}", "a", f"label {n}", seq=n) for n in range(300)]
    decisions += [said("i0", "b", "x", seq=301), said("i0", "c", "x", seq=302), said("i1", "b", "later", seq=303)]
    found = resolve(decisions)
    assert found["i0"].label == "x"
    assert found["i1"].label == "later"
    assert not found["i0"].agreed
