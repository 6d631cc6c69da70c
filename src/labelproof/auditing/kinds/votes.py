"""Auditing votes: the consensus of each item, the noise of each annotator, and the prediction of a model if there is one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.auditing.doubts.base import Doubt
from labelproof.auditing.findings import Findings
from labelproof.auditing.kinds.base import Auditor, Judged, error_rate_of
from labelproof.auditing.sources import open_source
from labelproof.errors import BadInput
from labelproof.labels.classes import Classes
from labelproof.labels.votes import Votes
from labelproof.noise.annotators import AnnotatorNoise, noise_of_crowd
from labelproof.noise.crowd import FEWEST_COMPARED, CrowdFit, CrowdVotes, fit_crowd
from labelproof.noise.posterior import error_probability
from labelproof.validation import UNLABELLED, AnyArray, Json, check_prob_rows

Matrix = npt.NDArray[np.float64]
ROUNDING = 1e-12
LEAST_GAIN = 0.02  # nats per vote that the other votes on its item add to the class frequencies


class AuditorOfVotes(Auditor[Votes]):
    """The true class of each item and the transition of each annotator by EM, from votes and predictions (`labelproof.noise.crowd`).

    A vote's error probability is one minus the posterior of its class, ``p(y | z_1 … z_m, x) ∝ p(y | x)^γ Π_a p(z_a | y)^β``.
    All votes on an item have the same suggestion, the *consensus*. ``audit.items`` has for each item:

    - ``consensus``: the most probable class, null for an item without any evidence;
    - ``error_probability``: that the consensus is wrong;
    - ``votes``: their number, and ``agreement``, the share of them that name the consensus;
    - ``value_of_vote``: by how much one more vote of the average annotator raises the probability that the consensus is right, if the
      consensus follows it;
    - ``posterior``: the probability of each class.

    ``audit.noise.quality`` has a row for each annotator.

    Examples
    --------
    >>> import labelproof as lp
    >>> votes = [["a", "a", "b"], ["b", "b", "b"], ["a", "a", "a"], ["b", None, "b"], ["a", "a", "b"]]
    >>> found = lp.audit(lp.Votes(votes, annotators=["Ann", "Bo", "Cem"]))
    >>> found.issues["annotator"].head(2).to_list(), found.issues["suggested_label"].head(2).to_list()
    (['Cem', 'Cem'], ['a', 'a'])
    >>> found.items["consensus"].to_list()
    ['a', 'b', 'a', 'b', 'a']
    """

    needs_probs = False

    def judge(
        self, labels: Votes, pred_probs: object = None, ids: AnyArray | None = None, *, strength: float | None = None
    ) -> Judged:
        """Fit all annotators at once.

        Parameters
        ----------
        labels : Votes
        pred_probs : array-like or path, shape (n, k), optional
            Out-of-sample class probabilities of a model, a row for each item. By default the class frequencies.
        ids : ndarray, shape (n,), optional
        strength : float, > 0, optional
            Weight of the prior of an annotator's confusions, in votes per class. By default chosen by the evidence.
        """
        if strength is not None and not strength > 0:
            raise BadInput(f"strength is {strength!r}. Give a number of votes above 0, or omit it.")
        if not len(labels.values):
            raise BadInput("There are no votes, so there is nothing to audit.")
        votes = crowd_of(labels)
        fit = fit_crowd(votes, None if pred_probs is None else _probs(pred_probs, labels), strength=strength)
        noise = noise_of_crowd(fit, votes, labels.classes, labels.annotators)
        true = fit.posterior[labels.owner]
        error = error_probability(true, labels.values)
        findings = Findings(error, true.argmax(axis=1), true.max(axis=1).astype(np.float32))
        items = items_of(labels, fit, noise, known=pred_probs is not None)
        doubts = doubts_of(labels, fit, known=pred_probs is not None)
        return Judged(findings, noise, error_rate_of(error, np.array([error.sum()])), doubts, items)

    def learned_from(self, labels: Votes) -> Classes:
        """The consensus by the votes alone."""
        best = fit_crowd(crowd_of(labels)).posterior.argmax(axis=1)
        voted = np.bincount(labels.owner, minlength=labels.n) > 0
        return Classes.of_codes(np.where(voted, best, UNLABELLED), labels.classes)

    def noise_of(self, summary: Json) -> AnnotatorNoise:
        """A transition for each annotator."""
        return AnnotatorNoise.from_json(summary)


AUDITOR = AuditorOfVotes()


def crowd_of(labels: Votes) -> CrowdVotes:
    """The votes as the noise model takes them."""
    return CrowdVotes(labels.owner, labels.annotator, labels.values, labels.n, len(labels.annotators), len(labels.classes))


def items_of(labels: Votes, fit: CrowdFit, noise: AnnotatorNoise, *, known: bool) -> dict[str, pl.Series]:
    """The results of each item; ``known`` is whether a model predicts items without a vote."""
    best, number = fit.posterior.argmax(axis=1), np.bincount(labels.owner, minlength=labels.n)
    silent = (number == 0) & (not known)
    agreeing = np.bincount(labels.owner, labels.values == best[labels.owner], minlength=labels.n)
    value = value_of_vote(fit.posterior, noise.average.matrix**fit.vote_power)
    named = labels.named(best)
    return {
        "consensus": named if not silent.any() else named.set(pl.Series(silent), None),
        "error_probability": pl.Series(np.where(silent, np.nan, error_probability(fit.posterior, best))),
        "votes": pl.Series(number),
        "agreement": pl.Series(agreeing / np.where(number, number, np.nan)),
        "value_of_vote": pl.Series(value),
        "posterior": pl.Series(fit.posterior.astype(np.float32), dtype=pl.Array(pl.Float32, len(labels.classes))),
    }


def doubts_of(labels: Votes, fit: CrowdFit, *, known: bool) -> list[Doubt]:
    """Whether votes can be compared at all, and whether they are informative about one another."""
    found = []
    compared = crowd_of(labels).compared
    if compared < FEWEST_COMPARED and not known:
        text = f"Only {compared:.0%} of the votes are on items with a second vote, and there is no model of the items, so nothing shows which votes are wrong. Have several annotators vote on some items, or give pred_probs or features."
        found.append(Doubt("votes that nothing can be compared with", text, {"compared": compared}))
    said = np.bincount(labels.values, minlength=len(labels.classes)) / len(labels.values)
    gain = float(np.mean(np.log(fit.expected / said[labels.values])))
    if gain < LEAST_GAIN and compared >= FEWEST_COMPARED:
        text = "Votes on the same item hardly agree more than by chance: annotators voted at random, or the columns of items and labels do not belong together. Do not rely on any consensus."
        found.append(Doubt("votes at random", text, {"gain": gain}))
    return found


def value_of_vote(posterior: Matrix, transition: Matrix) -> Matrix:
    """Expected gain in the probability that the most probable class is the true one, from one more vote, shape (n,).

    ``Σ_z max_y p(y) p(z | y) - max_y p(y)``: zero if no answer would change the consensus.

    Parameters
    ----------
    posterior : ndarray, shape (n, k)
    transition : ndarray, shape (k, k)
        Of the annotators; rows are scaled to sum to one.
    """
    said = transition / transition.sum(axis=1, keepdims=True)
    after = sum((posterior * said[:, z]).max(axis=1) for z in range(said.shape[1]))
    gain = after - posterior.max(axis=1)
    return np.where(gain > ROUNDING, gain, 0.0)


def _probs(pred_probs: object, labels: Votes) -> Matrix:
    source = open_source(pred_probs)
    k = len(labels.classes)
    if (source.n, source.k) != (labels.n, k):
        raise BadInput(
            f"pred_probs is {source.n:,} x {source.k} but there are {labels.n:,} items of {k} classes. Give a row for each item, in order of first appearance, and a column for each class, sorted."
        )
    blocks = [np.array(block, float) for block in source.blocks()]
    probs = np.concatenate(blocks)
    check_prob_rows(probs)
    return probs
