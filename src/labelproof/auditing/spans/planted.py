"""Learn what an error looks like from errors that are planted in the given spans.

Nobody knows which of the given spans are wrong. But planted errors are known: in a copy of the given spans, some are dropped,
moved, given another type or added (`labelproof.simulate.spans`), and a model distinguishes planted from given tags by the
`Evidence`. Its odds are

    p(planted | e) / p(given | e) = r / (1 - r) · f_wrong(e) / f_given(e)

so that they order the given tags as the posterior odds of being wrong do. Every token is judged by models that were fitted to other sentences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.auditing.spans.evidence import Evidence
from labelproof.auditing.spans.tokens import Tokens, states_of_spans
from labelproof.labels.spans import Spans
from labelproof.noise.simulate.spans import spoiled
from labelproof.validation import IntArray

RATE = 0.15  # planted errors a span
KINDS = ("drop", "drop", "type", "type", "boundary", "extra")  # people forget and confuse more than they add
DRAWS = 4
FOLDS = 5
SURE = 0.002  # a tag is not judged if it is the models' best one and they doubt it less than this
EVERY = 10  # of such tokens, the model learns from one in this many
LEAST_LOG_ODDS = -12.0
FEWEST_SPANS, FEWEST_SENTENCES, FEWEST_TOKENS = 300, 200, 500

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Learned:
    """The results from the planted errors.

    Attributes
    ----------
    log_odds : ndarray, shape (t,)
        Log odds of each given tag.
    planted : ndarray, shape (e,), ascending
        The highest log odds among the tokens of each planted error, by models that did not see it.
    """

    log_odds: Matrix
    planted: Matrix

    def threshold(self, share: float) -> float:
        """The log odds that a share of the planted errors reaches."""
        return float(np.quantile(self.planted, 1 - share))


def can_learn(labels: Spans, tokens: Tokens) -> bool:
    """Whether there are enough spans to plant errors in, and enough documents to learn from some and judge others."""
    return (
        len(labels.values) >= FEWEST_SPANS
        and labels.n >= FEWEST_SENTENCES
        and len(tokens.given) >= FEWEST_TOKENS
        and int(tokens.document.max()) + 1 >= 2 * FOLDS
    )


def learn(labels: Spans, tokens: Tokens, evidence: Evidence) -> Learned:
    """Plant errors, learn to recognise them, and judge the given tags; repeated and averaged."""
    given, doubt = tokens.given, 1 - evidence.mean.max(axis=1)
    fold = np.random.default_rng(0).permutation(int(tokens.document.max()) + 1)[tokens.document][tokens.owner] % FOLDS
    x_given = evidence.of(given)
    told = np.flatnonzero((doubt > SURE) | (evidence.best != given))
    total, planted = np.zeros(len(told)), []
    for draw in range(DRAWS):
        states, error = plant(labels, tokens, draw)
        wrong = states != given
        x = evidence.of(states)
        shown = (doubt > SURE) | (evidence.best != states) | (np.arange(len(states)) % EVERY == 0)
        odds = np.full(len(given), LEAST_LOG_ODDS)
        for k in range(FOLDS):
            train, test, own = (np.flatnonzero(part) for part in (shown & (fold != k), shown & (fold == k), fold[told] == k))
            model = _fitted(x[train], wrong[train])
            odds[test] = _log_odds(model, x[test])
            total[own] += _log_odds(model, x_given[told[own]])
        of_error = np.full(int(error.max()) + 1, LEAST_LOG_ODDS)
        np.maximum.at(of_error, error[wrong], odds[wrong])
        planted.append(of_error[np.unique(error[wrong])])
    log_odds = np.full(len(given), LEAST_LOG_ODDS)
    log_odds[told] = total / DRAWS
    return Learned(log_odds, np.sort(np.concatenate(planted)))


def plant(labels: Spans, tokens: Tokens, draw: int) -> tuple[IntArray, IntArray]:
    """States with planted errors, and the number of the error of each token; -1 for none."""
    clean, sizes = labels.given_spans(), np.diff(tokens.offsets)
    outside = tokens.given == tokens.probs.shape[2] - 1
    at = outside & tokens.capital if (outside & tokens.capital).any() else outside
    places = [np.flatnonzero(part).tolist() for part in np.split(at, tokens.offsets[1:-1])]
    noisy, errors = spoiled(clean, sizes.tolist(), RATE, KINDS, places, np.random.default_rng(draw))
    states = states_of_spans(noisy, tokens.offsets, labels.classes)
    number = np.full(len(states), -1)
    for i, error in enumerate(errors):
        for span in (error.true, error.given):
            if span is not None:
                begin, end = tokens.offsets[error.sentence : error.sentence + 2]
                number[begin + span[0] : min(begin + span[1] + 1, end)] = i  # and the token after, which may have begun another
    return states, np.where(states != tokens.given, number, -1)


def _fitted(x: npt.NDArray[np.float32], wrong: npt.NDArray[np.bool_]) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=80,
        learning_rate=0.08,
        max_leaf_nodes=12,
        min_samples_leaf=40,
        l2_regularization=5.0,
        early_stopping=False,
        random_state=0,
    )
    return model.fit(x, wrong)


def _log_odds(model: Any, x: npt.NDArray[np.float32]) -> Matrix:
    return np.maximum(model.decision_function(x), LEAST_LOG_ODDS) if len(x) else np.zeros(0)
