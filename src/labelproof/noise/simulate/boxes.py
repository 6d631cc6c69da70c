"""Boxes of pictures made wrong on purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from labelproof.errors import BadInput
from labelproof.validation import BoolArray, IntArray, RandomState, accepts_seed, check_rate, rng_from
from labelproof.validation.box_lists import flat_boxes, flat_values, picture_sizes

KINDS = ("missing", "extra", "displaced", "class")
MOVED = (0.25, 0.5)  # of its width and height, that a displaced box is moved by

Box = tuple[float, float, float, float, Any]
Corners = npt.NDArray[np.float64]


class BoxError(NamedTuple):
    """A box with an error: its position in the picture (``None`` if it is missing), and its true and its given value."""

    picture: int
    kind: str
    number: int | None
    true: Box | None
    given: Box | None


class NoisyBoxes(NamedTuple):
    """The result of `boxes`."""

    labels: list[dict[str, Any]]  #: ``boxes`` and ``labels`` of each picture
    changed: BoolArray  #: (n,), whether the picture differs from the clean one
    errors: list[BoxError]


@accepts_seed
def boxes(
    given: Sequence[Mapping[str, Any]],
    rate: float | Mapping[str, float],
    *,
    kinds: Sequence[str] = KINDS,
    sizes: object = None,
    random_state: RandomState = None,
) -> NoisyBoxes:
    """Make a share of the boxes wrong: removed, moved, or given another class. Also add boxes where there is nothing.

    - A displaced box is moved by a quarter to a half of its size, in any direction.
    - An added box has the size and the class of some box of the data set, at a random position in a random picture.

    Parameters
    ----------
    given : sequence of dicts
        Clean boxes of each picture (`labelproof.Boxes`).
    rate : float in [0, 1], or dict of such by kind
        Errors for each clean box; a single rate is split equally over the kinds.
    kinds : sequence of {"missing", "extra", "displaced", "class"}
        The kinds, for a single rate.
    sizes : array-like, shape (n, 2), optional
        Width and height of each picture, for added boxes. If they are unknown, added boxes take positions of existing boxes.
    random_state : int, RandomState, Generator or None, default=None

    Returns
    -------
    NoisyBoxes

    Examples
    --------
    >>> clean = [{"boxes": [[0, 0, 10, 20]], "labels": ["cat"]}, {"boxes": [[5, 5, 25, 15]], "labels": ["dog"]}]
    >>> noisy = boxes(clean, {"class": 1.0}, random_state=0)
    >>> [one["labels"] for one in noisy.labels], noisy.changed.tolist(), noisy.errors[0].kind
    ([['dog'], ['cat']], [True, True], 'class')
    """
    rates = _rates(rate, kinds)
    flat = flat_boxes(given, "given")
    names = flat_values(given, "labels", flat, "given").tolist()
    classes = sorted(set(names))
    rng = rng_from(random_state)
    kind_of = _kinds(rates, len(flat.box), len(classes), rng)
    box, labels = flat.box.copy(), list(names)
    for i in np.flatnonzero(kind_of == "displaced").tolist():
        box[i] = _moved(box[i], rng)
    for i in np.flatnonzero(kind_of == "class").tolist():
        others = [name for name in classes if name != labels[i]]
        labels[i] = others[rng.integers(len(others))]
    owner, added, like = _added(flat.box, len(given), rates.get("extra", 0.0), picture_sizes(sizes, given, "given"), rng)
    rows: list[list[tuple[str, Box | None, Box | None]]] = [[] for _ in range(len(given))]
    for i, picture in enumerate(flat.owner.tolist()):
        before, after = _row(flat.box[i], names[i]), _row(box[i], labels[i])
        rows[picture].append((str(kind_of[i]), before, None if kind_of[i] == "missing" else after))
    for picture, new, one in zip(owner.tolist(), added, like.tolist(), strict=True):
        rows[picture].insert(int(rng.integers(len(rows[picture]) + 1)), ("extra", None, _row(new, names[one])))
    return _told(rows)


def _rates(rate: float | Mapping[str, float], kinds: Sequence[str]) -> dict[str, float]:
    named = list(rate) if isinstance(rate, Mapping) else list(kinds)
    if not named or any(kind not in KINDS for kind in named):
        raise BadInput(f"kinds is {named}. Give some of {', '.join(KINDS)}.")
    rates = dict(rate) if isinstance(rate, Mapping) else dict.fromkeys(kinds, check_rate(rate) / len(named))
    for kind, value in rates.items():
        check_rate(value, name=f"rate of {kind}")
    if sum(value for kind, value in rates.items() if kind != "extra") > 1 + 1e-9:
        raise BadInput(f"rates of missing, displaced and class sum to more than 1: {rates}. Give smaller rates.")
    return rates


def _kinds(rates: Mapping[str, float], m: int, k: int, rng: np.random.Generator) -> npt.NDArray[Any]:
    """The change of each box, mostly none."""
    own = [kind for kind in rates if kind != "extra" and not (kind == "class" and k < 2)]
    edges = np.cumsum([rates[kind] for kind in own])
    return np.array([*own, "none"], dtype=object)[np.searchsorted(edges, rng.random(m), side="right")]


def _moved(box: Corners, rng: np.random.Generator) -> Corners:
    size = box[2:] - box[:2]
    angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(*MOVED)
    moved: Corners = box + np.tile(far * size * np.array([np.cos(angle), np.sin(angle)]), 2)
    return moved


def _added(
    box: Corners, n: int, rate: float, sizes: Corners | None, rng: np.random.Generator
) -> tuple[IntArray, Corners, IntArray]:
    """Pictures, boxes, and the boxes of the data set that these resemble."""
    m = int(rng.binomial(len(box), rate)) if rate else 0
    owner, like = rng.integers(n, size=m), rng.integers(max(len(box), 1), size=m)
    size = box[like, 2:] - box[like, :2]
    edge = np.tile(box[:, 2:].max(axis=0), (n, 1)) if len(box) else np.zeros((n, 2))
    if sizes is not None:
        edge = np.where(np.isnan(sizes), edge, sizes)
    corner = rng.random((m, 2)) * np.maximum(edge[owner] - size, 0)
    return owner, np.hstack([corner, corner + size]), like


def _row(box: Corners, name: Any) -> Box:
    x1, y1, x2, y2 = box.tolist()
    return x1, y1, x2, y2, name


def _told(rows: Sequence[Sequence[tuple[str, Box | None, Box | None]]]) -> NoisyBoxes:
    labels, errors = [], []
    for picture, some in enumerate(rows):
        kept: list[Box] = []
        for kind, before, after in some:
            if kind != "none":
                errors.append(BoxError(picture, kind, None if after is None else len(kept), before, after))
            if after is not None:
                kept.append(after)
        labels.append({"boxes": np.array([box[:4] for box in kept]).reshape(-1, 4), "labels": [box[4] for box in kept]})
    changed = np.zeros(len(rows), bool)
    changed[[error.picture for error in errors]] = True
    return NoisyBoxes(labels, changed, errors)
