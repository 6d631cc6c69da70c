"""Class labels made wrong on purpose, by every noise model that the field uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labelproof.errors import BadInput
from labelproof.noise.simulate.base import Noisy
from labelproof.noise.transition import TransitionMatrix
from labelproof.validation import (
    AnyArray,
    RandomState,
    accepts_seed,
    check_codes,
    check_features,
    check_rate,
    rng_from,
    to_numpy,
)


@accepts_seed
def by_transition(labels: object, transition: TransitionMatrix | Any, *, random_state: RandomState = None) -> Noisy:
    """Draw each given label from its row of a transition matrix."""
    noise = transition if isinstance(transition, TransitionMatrix) else TransitionMatrix(transition)
    raw, classes = _coded(labels)
    codes = check_codes(raw, noise.k)
    given = noise.sample(codes, random_state)
    return Noisy(_named(given, classes), given != codes)


@accepts_seed
def symmetric(labels: object, rate: float, *, n_classes: int | None = None, random_state: RandomState = None) -> Noisy:
    """Change each label with probability ``rate`` to any other class, all equally likely.

    Parameters
    ----------
    labels : array-like of int or str, shape (n,)
        Codes 0..k-1, or names of classes; the result has the same form.
    rate : float in [0, 1]
        Share of labels that change. (Some papers redraw over all k classes: their rate r is ``r (k - 1) / k`` here.)
    n_classes : int, optional
        Number of classes k. By default the largest code plus one.
    random_state : int, RandomState, Generator or None, default=None

    Examples
    --------
    >>> noisy = symmetric([0, 1, 2] * 1000, 0.3, random_state=0)
    >>> abs(float(noisy.changed.mean()) - 0.3) < 0.02
    True
    """
    return by_transition(labels, TransitionMatrix.symmetric(_n_classes(labels, n_classes), rate), random_state=random_state)


@accepts_seed
def pair(
    labels: object,
    rate: float,
    *,
    class_map: Mapping[int, int] | None = None,
    n_classes: int | None = None,
    random_state: RandomState = None,
) -> Noisy:
    """Change class ``i`` to ``class_map[i]`` (by default the next one) with probability ``rate``: asymmetric noise."""
    return by_transition(
        labels, TransitionMatrix.pair(_n_classes(labels, n_classes), rate, class_map), random_state=random_state
    )


@accepts_seed
def class_conditional(labels: object, rates: Sequence[float], *, random_state: RandomState = None) -> Noisy:
    """Change class ``i`` with probability ``rates[i]`` to any other class, all equally likely."""
    return by_transition(labels, TransitionMatrix.from_rates(rates), random_state=random_state)


@accepts_seed
def binary_purity(labels: object, pi_p: float, pi_n: float, *, random_state: RandomState = None) -> Noisy:
    """Make binary noise with a given purity of the *given* classes, the π_P and π_N of the NL-GAN paper.

    Afterwards a share ``pi_p`` of the items given 1 (positive) are positive, and ``pi_n`` of those given 0 are negative:
    ``p_given_positive = π_P p_P + (1 - π_P) p_N``, and likewise for N.

    Parameters
    ----------
    labels : array-like of 0/1, shape (n,)
    pi_p, pi_n : float, with ``pi_p + pi_n`` in (1, 2]
    random_state : int, RandomState, Generator or None, default=None

    Raises
    ------
    BadInput
        If no noise reaches these purities with this share of positives, which must be between ``1 - pi_n`` and ``pi_p``.

    References
    ----------
    Chiaroni et al. (2019), Hallucinating a cleanly labeled augmented dataset from a noisy labeled dataset using GANs, section 2.
    """
    codes = check_codes(labels, 2)
    pi_p, pi_n = check_rate(pi_p, name="pi_p"), check_rate(pi_n, name="pi_n")
    if pi_p + pi_n <= 1:
        raise BadInput(f"pi_p + pi_n is {pi_p + pi_n:g}. Give a sum above 1, so that most labels are right.")
    positive = float(codes.mean())
    given_positive = (positive - (1 - pi_n)) / (pi_p + pi_n - 1)  # p(given = 1) that keeps p(true = 1)
    if not 0 <= given_positive <= 1 or positive in (0.0, 1.0):
        raise BadInput(
            f"{positive:.1%} of the labels are positive, and no noise gives purities {pi_p:g} and {pi_n:g}. The share must be between {1 - pi_n:g} and {pi_p:g}. Balance the classes or choose other purities."
        )
    keep_p = min(pi_p * given_positive / positive, 1.0)
    keep_n = min(pi_n * (1 - given_positive) / (1 - positive), 1.0)
    return by_transition(codes, [[keep_n, 1 - keep_n], [1 - keep_p, keep_p]], random_state=random_state)


@accepts_seed
def instance_dependent(
    labels: object,
    features: object,
    rate: float,
    *,
    spread: float = 0.1,
    n_classes: int | None = None,
    random_state: RandomState = None,
) -> Noisy:
    """Change labels at a rate of each item, towards the class that its features suggest.

    The rate ``q_n`` of an item is drawn from a normal of mean ``rate`` and standard deviation ``spread``, truncated to
    [0, 1]. With a random projection ``W_y`` (d, k) for each true class, the wrong label is drawn from
    ``softmax(x_n W_y)`` over the classes except ``y``, scaled by ``q_n``.

    Parameters
    ----------
    labels : array-like of int or str, shape (n,)
    features : array-like, shape (n, ...)
        Flattened and standardised for the projection.
    rate : float in [0, 1]
        Mean share of labels that change. The truncation shifts it, by less than 0.01 for rates within [0.2, 0.8].
    spread : float, > 0
    n_classes : int, optional
    random_state : int, RandomState, Generator or None, default=None

    References
    ----------
    Xia et al. (2020), Part-dependent label noise: towards instance-dependent label noise, algorithm 2.
    """
    k, (raw, classes) = _n_classes(labels, n_classes), _coded(labels)
    codes = check_codes(raw, k)
    x = check_features(features, name="features").reshape(len(codes), -1).astype(float)
    check_rate(rate)
    if not spread > 0:
        raise BadInput(f"spread is {spread!r}. Give a standard deviation above 0.")
    rng = rng_from(random_state)
    scale = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.where(scale > 0, scale, 1.0) / np.sqrt(x.shape[1])
    from scipy.stats import truncnorm  # nearly a second to import, and only this needs it

    flip = truncnorm.rvs(-rate / spread, (1 - rate) / spread, loc=rate, scale=spread, size=len(codes), random_state=rng)
    given = codes.copy()
    for true in range(k):
        rows = np.flatnonzero(codes == true)
        scores = x[rows] @ rng.standard_normal((x.shape[1], k))  # (rows, k)
        scores[:, true] = -np.inf
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        probs = flip[rows, None] * weights / weights.sum(axis=1, keepdims=True)
        probs[:, true] = 1 - flip[rows]
        cumulative = np.cumsum(probs, axis=1)
        cumulative[:, -1] = 1.0
        given[rows] = (rng.random((len(rows), 1)) >= cumulative).sum(axis=1)
    return Noisy(_named(given, classes), given != codes)


@accepts_seed
def open_set(labels: object, known: Sequence[int], *, rate: float = 1.0, random_state: RandomState = None) -> Noisy:
    """Give items of classes outside ``known`` a label inside it: pictures that belong to no class of the task.

    Parameters
    ----------
    labels : array-like of int, shape (n,)
    known : sequence of int
        The classes of the task.
    rate : float in [0, 1]
        Share of the foreign items that are included. The others become unlabelled (-1); exclude them.
    random_state : int, RandomState, Generator or None, default=None

    Returns
    -------
    Noisy
        ``changed`` marks foreign items that now have a label of the task, drawn as often as the known classes occur.
    """
    codes = check_codes(labels, _n_classes(labels, None))
    kept = np.unique(to_numpy(known, "known"))
    check_rate(rate)
    inside = np.isin(codes, kept)
    if not inside.any():
        raise BadInput(f"known is {kept.tolist()}, but no label is one of these. Give some of the labels.")
    rng = rng_from(random_state)
    given = codes.copy()
    given[~inside] = rng.choice(codes[inside], size=int((~inside).sum()))
    given[~inside & (rng.random(len(codes)) >= rate)] = -1
    return Noisy(given, ~inside & (given >= 0))


def _n_classes(labels: object, n_classes: int | None) -> int:
    codes = _coded(labels)[0]
    return max(2, int(codes.max()) + 1) if n_classes is None else n_classes


def _coded(labels: object) -> tuple[AnyArray, AnyArray | None]:
    """Codes, unchanged; for names their positions in sorted order, and the names."""
    codes = to_numpy(labels, "labels")
    named = codes.dtype.kind in "UT" or (codes.dtype.kind == "O" and all(isinstance(label, str) for label in codes.ravel()))
    if not (named or codes.dtype.kind in "iu") or codes.ndim != 1 or len(codes) == 0:
        raise BadInput(
            f"labels has shape {codes.shape} and dtype {codes.dtype}. Give codes 0..k-1 or names of classes, shape (n,)."
        )
    if not named:
        return codes, None
    classes, places = np.unique(codes.astype(str), return_inverse=True)
    return places, classes


def _named(codes: AnyArray, classes: AnyArray | None) -> AnyArray:
    return codes if classes is None else classes[codes]
