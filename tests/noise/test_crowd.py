"""The model of a crowd: identities of its posterior, and what it recovers where the truth is known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labelproof as lp
from labelproof.auditing.kinds.votes import value_of_vote
from labelproof.noise.annotator_prior import Prior, choose, evidence, mean_of
from labelproof.noise.annotators import noise_of_crowd
from labelproof.noise.crowd import CrowdVotes, fit_crowd
from labelproof.noise.more_votes import with_votes


def coin(right, k):
    return right * np.eye(k) + (1 - right) * (1 - np.eye(k)) / (k - 1)


def crowd(matrices, n=600, each=3, seed=0):
    """True classes and a table of votes, -1 where there is none."""
    rng = np.random.default_rng(seed)
    k = len(matrices[0])
    true, table = rng.integers(0, k, n), np.full((n, len(matrices)), -1)
    for i, y in enumerate(true):
        for a in rng.choice(len(matrices), each, replace=False):
            table[i, a] = rng.choice(k, p=matrices[a][y])
    return true, table


def votes_of(table, k):
    owner, annotator = np.nonzero(table >= 0)
    return CrowdVotes(owner, annotator, table[owner, annotator], *table.shape, k)


def classifier(true, k, strength=2.5, seed=1):
    logits = np.random.default_rng(seed).normal(0, 1, (len(true), k)) + strength * np.eye(k)[true]
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.booleans())
def test_the_order_of_annotators_does_not_matter(seed, known):
    true, table = crowd([coin(q, 3) for q in (0.9, 0.7, 0.6, 0.5)], n=150, seed=seed)
    probs = classifier(true, 3, seed=seed) if known else None
    order = np.random.default_rng(seed).permutation(4)
    one, other = fit_crowd(votes_of(table, 3), probs), fit_crowd(votes_of(table[:, order], 3), probs)
    assert np.allclose(one.posterior, other.posterior, atol=1e-3)
    assert np.allclose(one.matrices[order], other.matrices, atol=1e-3)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000))
def test_long_and_matrix_forms_agree(seed):
    _, table = crowd([coin(q, 3) for q in (0.9, 0.7, 0.6)], n=60, each=2, seed=seed)
    owner, annotator = np.nonzero(table >= 0)
    shuffled = np.random.default_rng(seed).permutation(len(owner))
    first = np.argsort(owner[shuffled], kind="stable")  # items in the order of the matrix
    rows = shuffled[first]
    long = lp.Votes.from_long(
        owner[rows], np.array(["a", "b", "c"])[annotator[rows]], table[owner, annotator][rows], classes=range(3)
    )
    matrix = lp.Votes(table, classes=range(3), annotators=["a", "b", "c"])
    assert long == matrix
    assert lp.audit(long).issues.equals(lp.audit(matrix).issues)


def test_a_vote_at_random_moves_nothing():
    """Where the rows of an annotator's matrix are all alike, Bayes' rule leaves the posterior as it was."""
    true, table = crowd([coin(q, 4) for q in (0.85, 0.8, 0.75, 0.7)], n=1500)
    spam = np.random.default_rng(5).integers(0, 4, (len(true), 1))
    without, beside = fit_crowd(votes_of(table, 4)), fit_crowd(votes_of(np.hstack([table, spam]), 4))
    assert np.abs(beside.matrices[4] - 0.25).max() < 0.08
    assert np.abs(without.posterior - beside.posterior).mean() < 0.02
    assert (without.posterior.argmax(axis=1) == beside.posterior.argmax(axis=1)).mean() > 0.98


def test_the_posterior_is_bayes_rule():
    true, table = crowd([coin(q, 3) for q in (0.9, 0.7, 0.6, 0.5)], n=300)
    probs = classifier(true, 3)
    fit = fit_crowd(votes_of(table, 3), probs)
    sharp = probs**fit.classifier_power
    joint = (1 - fit.lost) * sharp / sharp.sum(axis=1, keepdims=True) + fit.lost * fit.prior
    for a, matrix in enumerate(fit.matrices):
        spoke = table[:, a] >= 0
        joint[spoke] *= matrix[:, table[spoke, a]].T ** fit.vote_power
    assert np.allclose(fit.posterior, joint / joint.sum(axis=1, keepdims=True), atol=2e-3)
    assert np.allclose(fit.matrices.sum(axis=2), 1)


def test_the_classifier_is_worth_what_the_votes_say():
    """A good classifier is sharpened; one that knows nothing is left aside, and the answer is that of the votes alone."""
    true, table = crowd([coin(q, 5) for q in np.linspace(0.5, 0.8, 20)], n=2000)
    truth = classifier(true, 5)
    flat = truth**0.4 / (truth**0.4).sum(axis=1, keepdims=True)
    good = fit_crowd(votes_of(table, 5), flat)
    assert 5 < good.classifier_power < 8  # the logits are those of a classifier at 2.5, flattened by 0.4: 6.25
    assert 2 < fit_crowd(votes_of(table, 5), truth).classifier_power < 3.2
    assert good.vote_power > 0.8
    nothing = fit_crowd(votes_of(table, 5), np.random.default_rng(0).dirichlet(np.ones(5), len(true)))
    alone = fit_crowd(votes_of(table, 5))
    assert nothing.classifier_power < 0.3 or nothing.lost > 0.5
    assert abs((nothing.posterior.argmax(axis=1) == true).mean() - (alone.posterior.argmax(axis=1) == true).mean()) < 0.01
    assert (good.posterior.argmax(axis=1) == true).mean() > (alone.posterior.argmax(axis=1) == true).mean() + 0.03


@pytest.mark.slow
def test_people_err_together_on_hard_pictures(real_data):
    """CIFAR-10N's three labels, of the pictures whose published probabilities are in the same order."""
    names, other = np.load(real_data / "cifar10n.npz"), np.load(real_data / "label_errors.npz")
    true = names["clean_label"][:9500].astype(int)
    said = np.stack([names[f"random_label{j}"][:9500] for j in (1, 2, 3)], axis=1).astype(int)
    probs = other["cifar10naggregate.resnet18.pred_probs"][:9500].astype(float)
    found = fit_crowd(votes_of(said, 10), probs)
    assert found.vote_power < 0.7  # three votes are worth less than three
    assert (found.posterior.argmax(axis=1) == true).mean() > 0.963
    assert abs((1 - found.posterior.max(axis=1)).mean() - (found.posterior.argmax(axis=1) != true).mean()) < 0.01
    apart = fit_crowd(votes_of(crowd([coin(0.8, 10)] * 3, n=3000)[1], 10), None)
    assert apart.vote_power > 0.9


def test_who_votes_at_random():
    matrices = [coin(q, 4) for q in (0.9, 0.8, 0.7, 0.6, 0.5, 0.85, 0.75)]
    matrices += [np.full((4, 4), 0.25), np.tile([0.85, 0.05, 0.05, 0.05], (4, 1))]
    _, table = crowd(matrices, n=2000, each=4)
    votes = votes_of(table, 4)
    noise = noise_of_crowd(fit_crowd(votes), votes, tuple("abcd"), tuple(f"w{i}" for i in range(9)))
    quality = {name: noise.quality[name].to_numpy() for name in ("votes", "quality", "low", "high", "random")}
    assert (quality["random"][:7] < 0.05).all()
    assert (quality["random"][7:] > 0.4).all()
    right = np.array([np.diag(matrix).mean() for matrix in matrices])
    assert ((quality["low"] <= right) & (right <= quality["high"])).sum() >= 7  # of nine intervals of 95 %
    assert (quality["low"] <= quality["quality"]).all()
    assert (quality["quality"] <= quality["high"]).all()
    assert quality["votes"].tolist() == (table >= 0).sum(axis=0).tolist()
    assert noise.of("w0").matrix.shape == (4, 4)
    with pytest.raises(lp.BadInput, match="no annotator 'w99'"):
        noise.of("w99")
    frame = noise.to_frame()
    assert frame.filter((pl.col("annotator") == "w3") & (pl.col("true") == "b"))["probability"].sum() == pytest.approx(
        1, abs=1e-5
    )


def test_annotators_with_few_votes_are_drawn_to_the_others():
    matrices = [coin(0.8, 3)] * 30
    _, table = crowd(matrices, n=100, each=3)
    fit = fit_crowd(votes_of(table, 3))
    own = np.diagonal(fit.matrices, axis1=1, axis2=2).mean(axis=1)
    assert own.std() < 0.07  # ten votes each would spread by 0.13


def test_the_evidence_chooses_the_form():
    rng = np.random.default_rng(0)

    def counts(matrices, votes):
        return np.array([[rng.multinomial(votes, row) for row in matrix] for matrix in matrices], float)

    alike = counts([coin(0.7, 4)] * 40, 50)
    assert np.abs(choose(alike).matrices(alike) - coin(0.7, 4)).mean() < 0.02  # fifty votes alone would be off by 0.04
    assert choose(counts([coin(q, 4) for q in np.linspace(0.3, 0.95, 40)], 50)).form in ("one-coin", "guessing")
    keys = [np.tile(np.eye(4)[i % 4] * 0.9 + 0.025, (4, 1)) for i in range(10)]
    assert choose(counts([*([coin(0.8, 4)] * 30), *keys], 50)).form == "guessing"
    own = [np.stack([rng.dirichlet(2 * np.eye(4)[y] + 0.5) for y in range(4)]) for _ in range(40)]
    assert choose(counts(own, 200)).strength < 100
    every = counts([coin(0.7, 4)] * 3, 50)
    assert evidence(every, mean_of("pool", every), 10.0) > evidence(every, mean_of("pool", every)[:, ::-1], 10.0)
    assert Prior("pool", 1e9).matrices(every) == pytest.approx(np.repeat(mean_of("pool", every), 3, axis=0), abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_the_value_of_a_vote(seed):
    """By enumeration: what is expected of the best class after a vote, and never less than nothing."""
    rng = np.random.default_rng(seed)
    post, said = rng.dirichlet(np.ones(3), 5), rng.dirichlet(np.ones(3), 3)
    expected = [sum((p * said[:, z]).max() for z in range(3)) - p.max() for p in post]
    assert value_of_vote(post, said) == pytest.approx(np.maximum(expected, 0), abs=1e-12)
    assert value_of_vote(np.eye(3), said) == pytest.approx(0)
    assert value_of_vote(post, np.full((3, 3), 1 / 3)) == pytest.approx(0)  # whoever votes at random
    assert value_of_vote(post, np.eye(3)) == pytest.approx(1 - post.max(axis=1))  # who is always right


def test_further_votes_by_hand():
    before = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])
    after, right = with_votes(before, np.array([0, 0]), np.array([0, 1]), np.array([1, 1]))
    assert after[1] == pytest.approx(before[1], abs=0.01)  # nobody voted again
    odds = right * 2 / (1 - right)
    joint = (0.99 * before[0] + 0.01 / 3) * [1, odds[0] * odds[1], 1]
    assert after[0] == pytest.approx(joint / joint.sum(), abs=1e-3)
    assert (right > 0.94).all()


def test_a_reviewer_who_is_always_against_is_trusted_less():
    before = np.tile([0.9, 0.05, 0.05], (200, 1))
    rows = np.arange(200)
    _, right = with_votes(
        before, np.r_[rows, rows], np.r_[np.zeros(200, int), np.ones(200, int)], np.r_[rows * 0, rows * 0 + 1]
    )
    assert right[0] > 0.95
    assert right[1] < 0.3


def test_one_vote_an_item_is_taken_at_its_word():
    true, table = crowd([coin(q, 3) for q in (0.9, 0.7, 0.5)], n=300, each=1)
    votes = votes_of(table, 3)
    assert (fit_crowd(votes).posterior.argmax(axis=1) == votes.values).all()
    heard = fit_crowd(votes, classifier(true, 3))
    assert (heard.posterior.argmax(axis=1) == true).mean() > 0.85
    assert np.argsort(-np.diagonal(heard.matrices, axis1=1, axis2=2).mean(axis=1)).tolist() == [0, 1, 2]


def test_bad_input():
    with pytest.raises(lp.BadInput, match="confusion rates"):
        fit_crowd(CrowdVotes(np.array([0]), np.array([0]), np.array([0]), 1, 4000, 100))
    with pytest.raises(lp.BadInput, match="strength"):
        lp.audit(lp.Votes([["a", "b"], ["b", "b"]]), strength=0)
