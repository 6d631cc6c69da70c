"""What several reviewers say together."""

from __future__ import annotations

import numpy as np
import pytest

from labelproof.review import dawid_skene
from labelproof.review.log.store import Decision
from labelproof.review.plan.resolve import agreement, resolve


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


def test_who_answered_and_which_decision_settled_it():
    found = resolve([said("i", "b", "cat", seq=4), said("i", "a", "cat", seq=9), said("j", "c", None, "none", seq=7)])
    assert (found["i"].seq, found["i"].reviewers, found["i"].agreed) == (9, ("a", "b"), True)
    assert (found["j"].seq, found["j"].label, found["j"].agreed) == (7, None, True)
    kept = resolve([said("i", "a", "dog", "keep"), said("i", "b", "dog")])
    assert (kept["i"].label, kept["i"].agreed) == ("dog", True)


def test_a_reviewer_who_decides_again_has_one_answer_the_last():
    found = resolve([said("i", "a", "cat", seq=1), said("i", "a", "dog", seq=2)])
    assert (found["i"].label, found["i"].reviewers, found["i"].seq) == ("dog", ("a",), 2)


def test_a_dispute_is_settled_by_dawid_and_skene_over_all_items():
    """Two reviewers agree on nine items and differ on one; of the third answers, two stand with the first reviewer."""
    decisions = [said(f"i{n}", name, "xy"[n % 2]) for n in range(9) for name in ("a", "b", "c")]
    decisions += [said("odd", "a", "x", seq=1), said("odd", "b", "y", seq=2), said("odd", "c", "x", seq=3)]
    found = resolve(decisions)["odd"]
    assert (found.label, found.agreed, found.seq, found.reviewers) == ("x", False, 3, ("a", "b", "c"))
    none = [said(f"i{n}", name, "x") for n in range(4) for name in ("a", "b", "c")]
    none += [said(f"j{n}", name, None, "none") for n in range(4) for name in ("a", "b", "c")]
    none += [said("odd", name, None, "none") for name in ("a", "b")] + [said("odd", "c", "x")]
    assert resolve(none)["odd"].label is None  # "none of these" is an answer like another


@pytest.mark.parametrize("label", ["", "-1", "nan", "NA", "None", "null", "7"])
def test_no_name_of_a_class_is_taken_for_a_missing_answer(label):
    decisions = [said(f"i{n}", name, [label, "x"][n % 2]) for n in range(8) for name in ("a", "b", "c")]
    decisions += [said("odd", "a", label), said("odd", "b", label), said("odd", "c", "x")]
    assert resolve(decisions)["odd"].label == label
    assert agreement(decisions).items == 9
    assert agreement(decisions).kappa == pytest.approx((25 / 27 - (14**2 + 13**2) / 27**2) / (1 - (14**2 + 13**2) / 27**2))


def test_agreement_is_over_the_items_that_several_answered():
    decisions = [
        said("i", "a", "x"),
        said("i", "b", "x"),
        said("j", "a", "x"),
        said("j", "b", "y"),
        said("k", "a", "y"),
        said("k", "b", "y"),
    ]
    alone = [said("m", "c", "x"), said("n", "a", "y")]
    how = agreement(decisions + alone)
    assert how.items == 3
    chance = (3 / 6) ** 2 * 2
    assert how.kappa == (2 / 3 - chance) / (1 - chance)
    fitted = dawid_skene([["x", "x"], ["x", "y"], ["y", "y"]])
    assert list(how.accuracies) == ["a", "b"]
    assert np.allclose(list(how.accuracies.values()), fitted.accuracies)
    same = agreement([said("i", "a", "x"), said("i", "b", "x")])
    assert (same.items, same.kappa, same.accuracies) == (1, 1.0, {})


def test_without_shared_items_there_is_no_agreement():
    how = agreement([said("i", "a", "x"), said("j", "b", "y")])
    assert (how.items, how.kappa, how.accuracies) == (0, None, {})


def test_very_many_labels_are_put_to_the_vote():
    decisions = [said(f"i{n}", "a", f"label {n}", seq=n) for n in range(300)]
    decisions += [said("i0", "b", "x", seq=301), said("i0", "c", "x", seq=302), said("i1", "b", "later", seq=303)]
    found = resolve(decisions)
    assert found["i0"].label == "x"
    assert found["i1"].label == "later"
    assert not found["i0"].agreed


def test_two_hundred_labels_are_still_fitted_and_one_more_is_not():
    """By Dawid and Skene the answer of the reviewer who agrees with another holds against one who is known to say late for it."""
    for labels, expected in ((200, "label 0"), (201, "late")):
        decisions = [said(f"i{n}", name, f"label {n}", seq=n) for n in range(1, labels - 1) for name in ("a", "b")]
        for item in ("one", "two", "three"):
            decisions += [
                said(item, "a", "label 0", seq=800),
                said(item, "b", "label 0", seq=801),
                said(item, "c", "late", seq=802),
            ]
        decisions += [said("odd", "a", "label 0", seq=900), said("odd", "c", "late", seq=901)]
        assert resolve(decisions)["odd"].label == expected


def test_the_vote_takes_none_of_these_for_an_answer():
    decisions = [said(f"i{n}", "a", f"label {n}", seq=n) for n in range(300)]
    decisions += [said("i5", "b", None, "none", seq=400), said("i5", "c", None, "none", seq=401)]
    decisions += [said("i6", "b", None, "none", seq=402)]
    found = resolve(decisions)
    assert found["i5"].label is None
    assert found["i6"].label is None  # a tie goes to the latest
