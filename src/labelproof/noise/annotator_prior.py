"""The prior of an annotator's confusions: a mean, and the strength of the shrinkage towards it.

The counts ``N_a[y, z]`` of annotator a are multinomial with rows ``M_a[y]``, and each row has the prior Dirichlet(s · mean_a[y]).
Three forms of the mean, from the least to the most of an annotator's own:

- ``pool``: all annotators have the same confusions.
- ``one-coin``: an annotator errs e_a times as often as the pool, with the pool's confusions.
- ``guessing``: a share θ_a of an annotator's votes does not depend on the item and has a distribution ξ_a; the others are like
the pool's (MACE, with the pool's confusions instead of none).

The form and the strength s have the highest evidence, the Dirichlet-multinomial likelihood of the counts.

References
----------
Hovy et al. (2013), Learning whom to trust with MACE.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

Matrix = npt.NDArray[np.float64]

FORMS = ("pool", "one-coin", "guessing")
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 1000.0)
START = 0.8  # share of right votes, before any is known
ALIKE = 20.0  # votes of a class that shrink its row of the pool to that of all classes
RELATIVE = 4.0  # expected wrong votes that draw e_a to one
GUESSES = 5.0  # votes that draw θ_a to the pool's share
OWN_GUESSES = 20.0  # votes that draw ξ_a to the pool's classes
SKILLED = 0.2  # share of the pool's confusions in those who do not guess, at first
STEPS = 15
MOST = 400  # annotators by whose counts form and strength are chosen
LEAST, FULL = 1e-6, 0.98


@dataclass(frozen=True)
class Prior:
    """The form of the mean and its strength.

    Attributes
    ----------
    form : {"pool", "one-coin", "guessing"}
    strength : float
        Weight of the mean, in votes, for each annotator and true class.
    """

    form: str = "pool"
    strength: float = 10.0

    def matrices(self, counts: Matrix) -> Matrix:
        """``p(given | true)`` of each annotator, the mean of the rows' posterior, shape (m, k, k)."""
        drawn = counts + self.strength * mean_of(self.form, counts)
        return np.asarray(drawn / drawn.sum(axis=2, keepdims=True))


def pooled(counts: Matrix) -> Matrix:
    """The pooled confusions of all annotators, shrunk for each class towards those of an annotator with one error rate."""
    total, k = counts.sum(axis=0), counts.shape[1]
    right = (np.trace(total) + START * k) / (total.sum() + k)
    drawn = total + ALIKE * (right * np.eye(k) + (1 - right) * (1 - np.eye(k)) / max(k - 1, 1))
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


def mean_of(form: str, counts: Matrix) -> Matrix:
    """The prior mean of each annotator's rows, shape (m, k, k) or, if it is the same for all, (1, k, k)."""
    pool = pooled(counts)
    if form == "pool":
        return pool[None]
    return _one_coin(counts, pool) if form == "one-coin" else _guessing(counts, pool)


def choose(counts: Matrix, strength: float | None = None) -> Prior:
    """Choose the form and strength with the highest evidence.

    Parameters
    ----------
    counts : ndarray, shape (m, k, k)
        Expected number of votes by annotator, true class and given class.
    strength : float, optional
        Given if the caller knows it.
    """
    every = np.linspace(0, len(counts) - 1, min(len(counts), MOST)).astype(int)
    some = counts[np.argsort(-counts.sum(axis=(1, 2)), kind="stable")[every]]  # of many votes and of few
    votes = some.sum(axis=(1, 2))
    wrong = some.sum(axis=2) @ (1 - np.diag(pooled(some)))
    # what fitting e_a or θ_a to the same votes gains by chance: half the logarithm of how far the votes outweigh its prior
    chance = {"pool": 0.0, "one-coin": _gain(wrong / RELATIVE), "guessing": _gain(votes / GUESSES)}
    found = []
    for form in FORMS:
        mean = mean_of(form, some)
        strengths = STRENGTHS if strength is None else (strength,)
        found += [(evidence(some, mean, s) - chance[form], form, s) for s in strengths]
    _, form, s = max(found)
    return Prior(form, s)


def _gain(weight: Matrix) -> float:
    return 0.5 * float(np.log1p(weight).sum())


def evidence(counts: Matrix, mean: Matrix, strength: float) -> float:
    """Log Dirichlet-multinomial likelihood of all rows, up to terms that do not depend on the prior."""
    drawn = np.maximum(strength * mean, LEAST)
    entries = (gammaln(counts + drawn) - gammaln(drawn)).sum()
    total = drawn.sum(axis=2)
    return float(entries + (gammaln(total) - gammaln(counts.sum(axis=2) + total)).sum())


def _one_coin(counts: Matrix, pool: Matrix) -> Matrix:
    """The pool's rows with errors e_a times as frequent, e_a shrunk towards one."""
    right = np.diagonal(counts, axis1=1, axis2=2)  # (m, k)
    wrong, error = counts.sum(axis=2) - right, 1 - np.diag(pool)
    relative = (wrong.sum(axis=1) + RELATIVE) / (counts.sum(axis=2) @ error + RELATIVE)  # (m,)
    rate = np.minimum(relative[:, None] * error, FULL)  # (m, k)
    errors = pool * (1 - np.eye(len(pool))) / np.maximum(error, LEAST)[:, None]
    return np.asarray(rate[:, :, None] * errors + (1 - rate)[:, :, None] * np.eye(len(pool)))


def _guessing(counts: Matrix, pool: Matrix) -> Matrix:
    """The pool's rows mixed with an annotator's distribution independent of the item, by EM over their votes."""
    said, votes = counts.sum(axis=1), counts.sum(axis=(1, 2))  # (m, k), (m,)
    share = (said.sum(axis=0) + 1) / (said.sum() + said.shape[1])
    own = np.repeat(share[None], len(counts), axis=0)
    rate, skilled = np.full(len(counts), 0.2), SKILLED * pool + (1 - SKILLED) * np.eye(len(pool))
    for _ in range(STEPS):
        mixed = (1 - rate)[:, None, None] * skilled + rate[:, None, None] * own[:, None, :]
        guessed = counts * (rate[:, None, None] * own[:, None, :] / mixed)
        usual = float(guessed.sum() / max(votes.sum(), LEAST))
        rate = (guessed.sum(axis=(1, 2)) + GUESSES * usual) / (votes + GUESSES)
        own = guessed.sum(axis=1) + OWN_GUESSES * share
        own /= own.sum(axis=1, keepdims=True)
        skilled = pooled(counts - guessed)
    return np.asarray((1 - rate)[:, None, None] * skilled + rate[:, None, None] * own[:, None, :])
