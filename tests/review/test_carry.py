"""Decisions go along to another audit where they still hold."""

from __future__ import annotations

import numpy as np
import pytest

import labelproof as lp
from commands import run
from labelproof.review.candidates import open_candidates
from labelproof.review.exchange.carry import Carried, carry
from labelproof.review.log.identity import standing
from labelproof.review.log.session import ReviewSession
from labelproof.review.log.store import Store

NAMES = [f"i{n}" for n in range(12)]


def saved(folder, given, ids=NAMES, classes=("a", "b", "c")):
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(len(classes)), len(given))
    noise = lp.TransitionMatrix(
        np.full((len(classes),) * 2, 0.1) + np.eye(len(classes)) * (1 - 0.1 * len(classes)), classes=classes
    )
    lp.audit_posterior(list(given), probs, noise, ids=ids).save(folder)
    return open_candidates(folder)


def decided(candidates, store, said):
    """Record what was said of some items: an action and a label by id."""
    session = ReviewSession(candidates, store, budget=12)
    for number, (item, (action, label)) in enumerate(said.items()):
        session.decide("Ann", session.rank_of(item), action, label, f"decision-{number}")


def test_only_what_still_holds_goes_along(tmp_path):
    before = saved(tmp_path / "a", "aaaabbbbcccc")
    old = Store(tmp_path / "a.sqlite")
    said = {"i0": ("keep", None), "i1": ("relabel", "b"), "i2": ("relabel", "c"), "i3": ("none", None), "i4": ("unsure", None),
            "i5": ("relabel", "c"), "i11": ("keep", None)}  # fmt: skip
    decided(before, old, said)
    after = saved(tmp_path / "b", "abba" + "abb" + "ccc", [*NAMES[:7], *NAMES[7:10]])  # i2 and i4 are others, i1 is as decided
    new = Store(tmp_path / "b.sqlite")
    assert carry(before, old, after, new) == Carried(recorded=4, known=0, relabelled=2, absent=1)
    assert {d.item: (d.action, d.label) for d in standing(after, new)} == {
        "i0": ("keep", "a"), "i1": ("keep", "b"), "i3": ("none", None), "i5": ("relabel", "c"),
    }  # fmt: skip
    assert [d.reviewer for d in standing(after, new)] == ["Ann"] * 4
    assert carry(before, old, after, new) == Carried(0, 4, 2, 1)
    assert len(standing(before, old)) == 7  # of the first audit nothing changed


def test_an_unknown_class_stays_behind(tmp_path):
    before, old = saved(tmp_path / "a", "aabbcc", NAMES[:6]), Store(tmp_path / "a.sqlite")
    decided(before, old, {"i0": ("relabel", "c"), "i1": ("keep", None)})
    after = saved(tmp_path / "b", "aabbbb", NAMES[:6], classes=("a", "b"))
    assert carry(before, old, after, Store(tmp_path / "b.sqlite")) == Carried(1, 0, 0, 1)


def test_one_store_of_the_same_data_has_nothing_to_carry(tmp_path):
    names = [f"i{n}" for n in range(90)]
    before, store = saved(tmp_path / "a", "abc" * 30, names), Store(tmp_path / "one.sqlite")
    decided(before, store, {"i0": ("keep", None)})
    assert carry(before, store, saved(tmp_path / "b", "abc" * 29 + "aba", names), store) == Carried(0, 1, 0, 0)


def test_row_numbers_name_nothing(tmp_path):
    before, after = saved(tmp_path / "a", "aabbcc", None), saved(tmp_path / "b", "aabbca", None)
    with pytest.raises(lp.BadInput, match="Only row numbers"):
        carry(before, Store(tmp_path / "a.sqlite"), after, Store(tmp_path / "b.sqlite"))


def test_the_command(tmp_path):
    before = saved(tmp_path / "a", "aaaabbbbcccc")
    saved(tmp_path / "b", "aaaabbbbccca")
    refused = run("compare", tmp_path / "a", tmp_path / "b", "--carry")
    assert refused.returncode == 2 and "no reviews yet" in refused.stderr
    decided(before, Store(tmp_path / "a.reviews.sqlite"), {"i0": ("keep", None), "i11": ("keep", None)})
    done = run("compare", tmp_path / "a", tmp_path / "b", "--carry")
    assert done.returncode == 0, done.stderr
    assert "1 decisions copied, 0 already known. Not copied: 1 whose label has changed" in done.stdout
    assert [d.item for d in standing(open_candidates(tmp_path / "b"), Store(tmp_path / "b.reviews.sqlite"))] == ["i0"]
