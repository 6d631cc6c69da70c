"""Auditing tags: a noise model for each tag, and dependence between tags."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from labelproof.auditing import fold
from labelproof.auditing.findings import Findings
from labelproof.auditing.kinds.base import Auditor, Judged, error_rate_of
from labelproof.errors import BadInput
from labelproof.labels.tags import Tags
from labelproof.noise.tag_rates import TagRates
from labelproof.progress import track
from labelproof.validation import AnyArray, FloatArray, Json, check_tag_probs

NEIGHBOURS = 20  # tags that may be informative about another
LEAST_PROBABILITY = 1e-3


class AuditorOfTags(Auditor[Tags]):
    """Each tag has a noise model of its own, with two states.

    The rates ``p(given = 0 | true = 1)`` (missing) and ``p(given = 1 | true = 0)`` (incorrect) are fitted as the transition of
    classes is; the error probability of a tag is one minus its posterior.

    References
    ----------
    Jiang et al. (2019), Learning from noisy labels with noise modeling network, equation 4, for the two rates.

    Examples
    --------
    >>> import numpy as np, labelproof as lp
    >>> rng = np.random.default_rng(0)
    >>> true = (rng.random((500, 3)) < 0.4).astype(int)
    >>> probs = np.where(true == 1, 0.9, 0.1)
    >>> noisy = lp.simulate.missing_tags(true, 0.2, random_state=0)
    >>> found = lp.audit(lp.Tags(noisy.labels), probs, dependence=False)
    >>> bool(((found.error_probability > 0.5) == noisy.changed).all())
    True
    >>> bool(np.abs(found.noise.missing_rates - 0.2).max() < 0.1)
    True
    """

    def judge(self, labels: Tags, pred_probs: object, ids: AnyArray | None = None, *, dependence: bool = True) -> Judged:
        """Fit each tag that varies; one that is always or never given has no error that can be found.

        Parameters
        ----------
        labels : Tags
        pred_probs : array-like, shape (n, k)
            Out-of-sample probability of each tag, in [0, 1]; rows need not sum to one.
        ids : ndarray, shape (n,), optional
        dependence : bool, default=True
            Whether a tag is also predicted from the other given tags and probabilities of the item, by cross-validated logistic
            regression. If these predict the given tags better than ``pred_probs`` they replace them; otherwise both are
            averaged.
        """
        given = labels.matrix
        probs = check_tag_probs(pred_probs, given.shape)
        if dependence and given.shape[1] > 1:
            probs = with_dependence(given, probs)
        error = np.zeros(given.shape)
        missing, incorrect = np.full(given.shape[1], np.nan), np.full(given.shape[1], np.nan)
        expected: list[FloatArray] = []
        for j in track(range(given.shape[1]), "auditing tags"):
            if given[:, j].min() == given[:, j].max():
                continue  # always or never given, so there is nothing to compare
            both, own = np.stack([1 - probs[:, j], probs[:, j]], axis=1), given[:, j].astype(np.int64)
            noise = fold.fit(fold.sample(both, own, 0, len(own)), (0, 1))
            scores = fold.score(both, own, noise)
            error[:, j] = scores.error_probability
            expected.append(scores.expected_errors)
            missing[j], incorrect[j] = noise.transition.matrix[1, 0], noise.transition.matrix[0, 1]
        if not expected:
            raise BadInput("Every tag is always or never given, so there is nothing to compare. Give tags that vary.")
        suggested = np.where(error > 0.5, 1 - given, given).astype(np.int8)
        findings = Findings(error.ravel(), suggested.ravel(), np.maximum(error, 1 - error).ravel())
        rate = error_rate_of(findings.error_probability, np.sum(expected, axis=0))
        return Judged(findings, TagRates(missing, incorrect, labels.classes), rate)

    def noise_of(self, summary: Json) -> TagRates:
        """Two rates for each tag."""
        return TagRates.from_json(summary)


AUDITOR = AuditorOfTags()


def with_dependence(given: npt.NDArray[np.int8], probs: FloatArray) -> npt.NDArray[np.float64]:
    """Probability of each tag that also listens to the item's other tags, shape (n, k)."""
    logits = np.log(_held(probs)) - np.log(_held(1 - probs))
    centred = given - given.mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=0))
    likeness = np.abs(centred.T @ centred) / np.maximum(np.outer(scale, scale), 1e-12)
    np.fill_diagonal(likeness, -1.0)
    listening = np.array(probs, dtype=float)
    for j in track(range(given.shape[1]), "comparing tags"):
        folds = min(5, int(np.bincount(given[:, j], minlength=2).min()))
        if folds < 2:
            continue
        others = np.argsort(-likeness[j], kind="stable")[: min(NEIGHBOURS, given.shape[1] - 1)]
        features = np.hstack([logits[:, [j, *others]], given[:, others]])
        model = LogisticRegression(C=0.1, max_iter=500)
        listening[:, j] = cross_val_predict(model, features, given[:, j], cv=folds, method="predict_proba")[:, 1]
    better = _log_loss(listening, given) < _log_loss(probs, given)
    return listening if better else (listening + probs) / 2


def _held(probs: FloatArray) -> FloatArray:
    return np.clip(probs, LEAST_PROBABILITY, 1.0)


def _log_loss(probs: FloatArray, given: npt.NDArray[np.int8]) -> float:
    return float(-np.log(_held(np.where(given == 1, probs, 1 - probs))).mean())
