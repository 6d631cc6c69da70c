"""What can be seen of each token and its tag: numbers from which it is learned what an error looks like."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labelproof.auditing.spans.tokens import Tokens
from labelproof.validation import IntArray

SMOOTHED = 1e-6  # added to probabilities before the logarithm
PSEUDO_SHARE, PSEUDO_COUNT = 0.3, 1.5  # of the tags of the same word elsewhere

Matrix = npt.NDArray[np.float64]


class Evidence:
    """Evidence on the tags of tokens, whichever are given.

    Parameters
    ----------
    tokens : Tokens
    """

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.mean = tokens.mean
        self.best = self.mean.argmax(axis=1)
        self.corpus, self.document = elsewhere(tokens)

    def of(self, states: IntArray) -> npt.NDArray[np.float32]:
        """Evidence on a sequence of tags, shape (t, f)."""
        row, (c2,) = np.arange(len(states)), (self.mean.shape[1] - 1,)
        columns = []
        for probs in self.tokens.probs:
            top = probs.max(axis=1)
            own = np.log(probs[row, states] + SMOOTHED)
            columns += [own, np.log(top) - own, np.log(1 - top + SMOOTHED)]
            columns += [self._beside(own, offset) for offset in (-1, 1)]
        columns += [states == c2, states < c2 // 2]
        for counts in (self.corpus, self.document):
            total = counts.sum(axis=1)
            columns += [np.log((counts[row, which] + PSEUDO_SHARE) / (total + PSEUDO_COUNT)) for which in (states, self.best)]
            columns.append(np.log1p(total))
        surprise = -np.log(self.mean[row, states] + SMOOTHED)
        of_sentence = np.bincount(self.tokens.owner, surprise, minlength=self.tokens.n)
        columns.append(of_sentence[self.tokens.owner] - surprise)
        return np.stack(columns, axis=1).astype(np.float32)

    def _beside(self, values: Matrix, offset: int) -> Matrix:
        """Values of the token before or after in the same sentence, 0 at its ends."""
        moved, owner = np.roll(values, -offset), np.roll(self.tokens.owner, -offset)
        ends = owner != self.tokens.owner
        ends[-1 if offset > 0 else 0] = True
        return np.where(ends, 0.0, moved)


def elsewhere(tokens: Tokens) -> tuple[Matrix, Matrix]:
    """How the same word is tagged in other documents, and how models tag it in other sentences of its document; each (t, 2 c + 1)."""
    states = tokens.probs.shape[2]
    document = tokens.document[tokens.owner]
    in_document, in_sentence = (_pairs(tokens.form, other) for other in (document, tokens.owner))
    given, mean = np.eye(states)[tokens.given], tokens.mean
    return (
        _sums(given, tokens.form) - _sums(given, in_document),
        np.maximum(_sums(mean, in_document) - _sums(mean, in_sentence), 0.0),
    )


def _pairs(one: IntArray, other: IntArray) -> IntArray:
    return np.unique(one.astype(np.int64) * (int(other.max()) + 1) + other, return_inverse=True)[1]


def _sums(rows: Matrix, key: IntArray) -> Matrix:
    """Of all rows with the same key, for each row."""
    return np.stack([np.bincount(key, column)[key] for column in rows.T], axis=1)
