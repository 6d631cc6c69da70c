"""Auditing votes: each annotator's own noise, and a model's prediction where there is one."""

from __future__ import annotations

import numpy as np

from labelproof.auditing.findings import Findings
from labelproof.auditing.kinds.base import Auditor, Judged, error_rate_of
from labelproof.labels.votes import Votes
from labelproof.noise.posterior import error_probability
from labelproof.noise.transition import TransitionMatrix
from labelproof.noise.votes import AnnotatorNoise, dawid_skene
from labelproof.validation import AnyArray, Json, check_pred_probs


class AuditorOfVotes(Auditor[Votes]):
    """The truth of an item and the transition of each annotator by EM (Dawid and Skene), from votes and predictions.

    A vote's error probability is one minus the posterior of what it says, ``p(y | z_1 … z_m, x) ∝ p(y | x) Π_r p(z_r | y)``; all
    votes on an item have the same suggestion.

    Examples
    --------
    >>> import labelproof as lp
    >>> said = [["a", "a", "b"], ["b", "b", "b"], ["a", "a", "a"], ["b", None, "b"], ["a", "a", "b"]]
    >>> found = lp.audit(lp.Votes(said, annotators=["Ann", "Bo", "Cem"]))
    >>> found.issues["annotator"].head(2).to_list(), found.issues["suggested_label"].head(2).to_list()
    (['Cem', 'Cem'], ['a', 'a'])
    """

    needs_probs = False

    def judge(self, labels: Votes, pred_probs: object = None, ids: AnyArray | None = None, *, strength: float = 1.0) -> Judged:
        """Fit all annotators at once.

        Parameters
        ----------
        labels : Votes
        pred_probs : array-like, shape (n, k), optional
            Out-of-sample class probabilities of a model; the class frequencies where left out.
        ids : ndarray, shape (n,), optional
        strength : float, > 0, default=1.0
            Pseudo-items that draw each annotator to one who is right 80 times of 100.
        """
        voted, place = np.unique(labels.owner, return_inverse=True)
        probs = None if pred_probs is None else check_pred_probs(pred_probs)[voted]
        found = dawid_skene(labels.table[voted], probs, classes=range(len(labels.classes)), strength=strength)
        true = found.posterior[place]
        error = error_probability(true, labels.values)
        findings = Findings(error, true.argmax(axis=1), true.max(axis=1).astype(np.float32))
        noise = AnnotatorNoise(
            tuple(TransitionMatrix(own.matrix, prior=own.prior, classes=labels.classes) for own in found.reviewers),
            labels.annotators,
        )
        return Judged(findings, noise, error_rate_of(error, np.array([error.sum()])))

    def noise_of(self, summary: Json) -> AnnotatorNoise:
        """A transition for each annotator."""
        return AnnotatorNoise.from_json(summary)


AUDITOR = AuditorOfVotes()
