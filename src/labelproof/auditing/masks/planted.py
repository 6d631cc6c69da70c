"""What an error of a mask looks like, learned from errors that are planted in the given masks.

Nobody says which regions are wrong. But what is planted is known: a copy of a mask in which some regions are given another class, dropped,
added or shifted (`labelproof.simulate.masks`), and a model that tells `Candidate` changes that undo a planted error from those that the given
masks have. Its odds order these as the posterior odds of being wrong do. Every picture is judged by models that did not see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from labelproof.auditing.masks.candidates import Candidate, candidates
from labelproof.auditing.masks.scene import Scene
from labelproof.noise.masks.regions import EIGHT, regions_of
from labelproof.noise.masks.response import Response
from labelproof.noise.simulate.masks import KINDS, spoiled
from labelproof.validation import FloatArray, IntArray

AREA = (20, 4_000)  # pixels of what is planted
RATE = 0.2  # of regions of that area
MOST_PICTURES = 150  # in which errors are planted
FOLDS = 3
FEWEST = 40  # planted errors that are seen, to learn from
LEAST_LOG_ODDS = -12.0
HIT = 0.5  # share of a candidate's pixels that were changed

Matrix = npt.NDArray[np.float64]


class Planted(NamedTuple):
    """Errors planted in one picture: of each the candidates that would undo it, none where it is not seen."""

    features: list[list[list[float]]]

    @property
    def count(self) -> int:
        """How many."""
        return len(self.features)


class Learned(NamedTuple):
    """What the planted errors taught."""

    log_odds: list[Matrix]  #: of the candidates of each picture
    planted: Matrix  #: the highest log odds among the candidates of each planted error, ascending; `LEAST_LOG_ODDS` where it is not seen


def plant(mask: IntArray, probs: FloatArray, response: Response, seed: int) -> Planted:
    """Plant errors in a mask, and find them again."""
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    noisy, errors = spoiled(mask, RATE, KINDS, AREA, np.arange(len(response.mean)), rng)
    if not errors:
        return Planted([])
    number = np.full(mask.size, -1)
    for place, error in enumerate(errors):
        number[error.pixels] = place
    number = number.reshape(mask.shape)
    found: list[list[list[float]]] = [[] for _ in errors]
    where = ndimage.binary_erosion(number >= 0, EIGHT) | (number >= 0)
    for one in candidates(Scene(noisy, probs, response), regions_of(noisy), where):
        own = number.T.ravel()[one.runs.places()]
        hit = own[own >= 0]
        if len(hit) >= HIT * len(own):
            found[int(np.bincount(hit).argmax())].append(one.features(response.together))
    return Planted(found)


def can_learn(planted: Sequence[Planted]) -> bool:
    """Whether enough planted errors are seen, in enough pictures."""
    return sum(bool(one) for picture in planted for one in picture.features) >= FEWEST and (
        sum(picture.count > 0 for picture in planted) >= 2 * FOLDS
    )


def learn(found: Sequence[Sequence[Candidate]], planted: Sequence[Planted], keys: Sequence[int], together: float) -> Learned:
    """Learn to tell planted errors from what the given masks have, and judge that.

    Parameters
    ----------
    found : sequence of length n
        Candidates of each picture.
    planted : sequence of length n
        Nothing where nothing was planted.
    keys : sequence of int, length n
        Of the pictures, by which they are dealt into folds and put in order.
    """
    given = [np.array([one.features(together) for one in some], np.float64) for some in found]
    order = np.argsort(np.array(keys), kind="stable").tolist()
    odds = [np.full(len(some), LEAST_LOG_ODDS) for some in found]
    highest: list[float] = []
    for fold in range(FOLDS):
        train = [i for i in order if keys[i] % FOLDS != fold]
        right = [row for i in train for row in given[i].tolist()]
        wrong = [row for i in train for error in planted[i].features for row in error]
        model = _fitted(np.array([*right, *wrong]), np.r_[np.zeros(len(right)), np.ones(len(wrong))])
        for i in order:
            if keys[i] % FOLDS == fold:
                if len(given[i]):
                    odds[i] = np.maximum(model.decision_function(given[i]), LEAST_LOG_ODDS)
                highest += [
                    max(model.decision_function(np.array(error)).max(), LEAST_LOG_ODDS) if error else LEAST_LOG_ODDS
                    for error in planted[i].features
                ]
    return Learned(odds, np.sort(np.array(highest)))


def _fitted(x: Matrix, wrong: Matrix) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.1,
        max_leaf_nodes=8,
        min_samples_leaf=20,
        l2_regularization=5.0,
        early_stopping=False,
        random_state=0,
    )
    return model.fit(x, wrong)
