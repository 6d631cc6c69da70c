"""`audit_dynamics`: an audit from training alone, without cross-validation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from labelproof.auditing.audit import audit
from labelproof.auditing.findings import Audit, ErrorRate, Findings
from labelproof.auditing.kinds.base import error_rate_of
from labelproof.auditing.kinds.classes import true_codes
from labelproof.errors import BadInput
from labelproof.labels.classes import Classes
from labelproof.noise.transition import TransitionMatrix
from labelproof.training.dynamics import BLOCK, dynamics_of, wrong_by_mixture, wrong_by_reviews
from labelproof.training.history import History
from labelproof.validation import IntArray, check_ids, check_labels

CLIP = 1e-4


def audit_dynamics(
    history: History,
    given: object,
    *,
    pred_probs: object = None,
    classes: Sequence[object] | None = None,
    missing: Sequence[object] | None = None,
    ids: object = None,
    reviews: object = None,
) -> Audit:
    """Find wrong labels from the course of training.

    Error probabilities come from `labelproof.training.dynamics.error_probability_of` or, with reviews of ten right and ten
    wrong labels, from a detector learned from them. The true class of a wrong label has the network's probabilities among the
    other classes. With ``pred_probs`` the log odds are averaged with those of `labelproof.audit`.

    Parameters
    ----------
    history : History
        Recorded while training on these labels, e.g. ``NoisyLabelClassifier(...).fit(x, given).history_``.
    given : array-like, shape (n,)
        Given labels, as in training.
    pred_probs : array-like, shape (n, k), optional
        Out-of-sample probabilities, as further evidence.
    classes : sequence of length k, optional
    missing : sequence, optional
        Labels that mean unlabelled; see `labelproof.validation.check_labels`.
    ids : array-like, shape (n,), optional
    reviews : array-like, shape (n,), or mapping of id to label, optional
        True labels that a person has verified; missing for unreviewed items.

    Returns
    -------
    Audit
        The interval of its error rate covers chance only, not what the network memorised.

    Raises
    ------
    BadInput

    Examples
    --------
    >>> import labelproof as lp
    >>> from sklearn.datasets import load_digits
    >>> x, true = load_digits(return_X_y=True)
    >>> noisy = lp.simulate.symmetric(true, 0.2, random_state=0)
    >>> model = lp.NoisyLabelClassifier("cross-entropy", epochs=15).fit(x, noisy.labels)
    >>> found = lp.audit_dynamics(model.history_, noisy.labels)
    >>> bool(noisy.changed[found.issues["index"][:200]].mean() > 0.95)
    True
    """
    coded = check_labels(given, classes=classes, missing=missing, name="given")
    codes, k = coded.codes, len(coded.classes)
    found = dynamics_of(history, codes)
    error = wrong_by_mixture(found)
    true = None
    if reviews is not None:
        true = true_codes(reviews, coded.classes, ids, len(codes))
        error = wrong_by_reviews(found, true >= 0, true != codes, error)
    other = None if pred_probs is None else audit(given, pred_probs, classes=classes, missing=missing)
    if other is not None:
        both = [logit(np.clip(part, CLIP, 1 - CLIP)) for part in (error, other.error_probability)]
        error = expit(np.mean(both, axis=0))
    rows = np.flatnonzero((codes >= 0) & ~np.isnan(error))
    if not len(rows):
        raise BadInput(
            "given has no label of an item in the history. Give the labels of the items that the model was trained on."
        )
    error = error[rows]
    if true is not None:
        seen = true[rows] >= 0
        error[seen] = (true != codes)[rows][seen]
    suggested, confidence, counts = _suggested(history, codes, rows, error, k)
    if other is not None:
        theirs = other.findings.suggested[np.searchsorted(other.labels.owner, rows)]
        suggested = np.where((error > 0.5) & (theirs != codes[rows]), theirs, suggested)
    if true is not None:
        suggested[seen], confidence[seen] = true[rows][seen], 1.0
    names = None if ids is None else check_ids(ids, len(codes))
    labels = Classes.of_sites(codes[rows], rows, len(codes), coded.classes)
    rate: ErrorRate = error_rate_of(error, np.array([error.sum()]))
    noise = TransitionMatrix.from_counts(counts, classes=coded.classes)
    return Audit(labels, Findings(error, suggested, confidence), noise, rate, names)


def _suggested(
    history: History, codes: IntArray, rows: IntArray, error: npt.NDArray[np.float64], k: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Most probable class, its probability, and the expected counts of true and given class (k, k)."""
    epochs = np.flatnonzero(history.seen())
    suggested, confidence = np.empty(len(rows), np.int32), np.empty(len(rows), np.float32)
    counts = np.zeros((k, k))
    step = max(1, min(BLOCK, 50_000_000 // max(1, k * 8)))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        at, own = np.arange(len(rows[part])), codes[rows[part]]
        votes = np.zeros((len(at), k))
        for epoch in epochs:
            said = history.predicted[epoch][rows[part]]
            known = said < k
            votes[at[known], said[known]] += 1
        votes[at, own] = 0
        votes += 1e-3
        votes[at, own] = 0
        true = error[part][:, None] * votes / votes.sum(axis=1, keepdims=True)
        true[at, own] = 1 - error[part]
        suggested[part], confidence[part] = true.argmax(axis=1), true.max(axis=1)
        np.add.at(counts.T, own, true)
    return suggested, confidence, counts
