"""Evidence on each token and its tag, as numbers from which a model learns what an error looks like."""

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

    It must not reveal planted errors: it contains no count of given tags, because these exclude planted ones.

    Parameters
    ----------
    tokens : Tokens
    """

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.mean = tokens.mean
        self.best = self.mean.argmax(axis=1)
        self._document = in_other_sentences(tokens)
        self._fixed = self._of_any()

    def of(self, states: IntArray) -> npt.NDArray[np.float32]:
        """Evidence on a sequence of tags, shape (t, f)."""
        row, outside = np.arange(len(states)), self.mean.shape[1] - 1
        columns = [states == outside, states < outside // 2, states == self.best]
        for probs in self.tokens.probs:
            own = np.log(probs[row, states] + SMOOTHED)
            columns += [own, np.log(probs.max(axis=1)) - own, self._beside(own, -1), self._beside(own, 1)]
        total = self._document.sum(axis=1) + PSEUDO_COUNT
        columns += [np.log((self._document[row, which] + PSEUDO_SHARE) / total) for which in (states, self.best)]
        surprise = -np.log(self.mean[row, states] + SMOOTHED)
        columns.append(self._of_sentence(surprise) - surprise)
        return np.hstack([self._fixed, np.stack(columns, axis=1)], dtype=np.float32)

    def _of_any(self) -> Matrix:
        """The features that do not depend on the given tags: how sure models are, and the spelling of token and sentence."""
        doubts = [np.log(1 - probs.max(axis=1) + SMOOTHED) for probs in self.tokens.probs]
        doubt = np.log(1 - self.mean.max(axis=1) + SMOOTHED)
        size = np.diff(self.tokens.offsets)[self.tokens.owner]
        capital = self.tokens.capital.astype(float)
        columns = [*doubts, self._beside(doubt, -1), self._beside(doubt, 1), np.log1p(self._document.sum(axis=1))]
        return np.stack([*columns, capital, self._of_sentence(capital) / size, size], axis=1)

    def _of_sentence(self, values: Matrix) -> Matrix:
        """The sum over its sentence, for each token."""
        return np.asarray(np.bincount(self.tokens.owner, values, minlength=self.tokens.n)[self.tokens.owner])

    def _beside(self, values: Matrix, offset: int) -> Matrix:
        """Values of the token before or after in the same sentence, 0 at its ends."""
        moved, owner = np.roll(values, -offset), np.roll(self.tokens.owner, -offset)
        ends = owner != self.tokens.owner
        ends[-1 if offset > 0 else 0] = True
        return np.where(ends, 0.0, moved)


def in_other_sentences(tokens: Tokens) -> Matrix:
    """How often models expect each state of the same word in other sentences of its document, shape (t, 2 c + 1)."""
    in_document, in_sentence = (_pairs(tokens.form, other) for other in (tokens.document[tokens.owner], tokens.owner))
    return np.maximum(_sums(tokens.mean, in_document) - _sums(tokens.mean, in_sentence), 0.0)


def _pairs(one: IntArray, other: IntArray) -> IntArray:
    pairs = one.astype(np.int64) * (int(other.max()) + 1) + other
    return np.asarray(np.unique(pairs, return_inverse=True)[1], np.int64)


def _sums(rows: Matrix, key: IntArray) -> Matrix:
    """The sum over all rows with the same key, for each row."""
    return np.stack([np.bincount(key, column)[key] for column in rows.T], axis=1)
