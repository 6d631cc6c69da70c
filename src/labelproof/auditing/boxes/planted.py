"""Learn what wrong boxes look like from errors that are planted in the given boxes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

from labelproof.auditing.boxes.evidence import Evidence, evidence_of
from labelproof.auditing.boxes.geometry import iou_of
from labelproof.auditing.boxes.scene import Scene
from labelproof.validation import IntArray

GIVEN = ("good", "displaced", "extra", "class")  # kinds of given boxes; good means as given
FREE = ("nothing", "missing", "displaced")  # origins of a free prediction; the last is a box that was moved away
RATE = 0.12  # of each kind of planted error
MOST_BOXES, MOST_ROUNDS = 30_000, 8  # that errors are planted in, and how many times
FEWEST = 40  # right boxes needed to learn from
FOLDS = 5
FAR, SIDE = (0.2, 0.5), 0.5  # of its size: how far a box is moved, and how far a side of it
SIDES = 0.2  # share of displaced boxes that have single sides moved
STILL_GOOD = 0.75  # intersection over union, with its original, of a box that is not displaced
FOUND = 0.5  # with its prediction, of a box that the detector surely found
# shares of extra boxes at the position of a box of another picture, next to and on top of another box, and anywhere
PLACES = (0.4, 0.2, 0.4)
MOST_CLASSES = 200  # that the trees distinguish

Floats = npt.NDArray[np.float64]


class Planted(NamedTuple):
    """A scene with errors."""

    scene: Scene
    kind: IntArray  #: of each given box, a number of GIVEN
    missing: IntArray  #: which boxes of the clean scene are removed
    moved: IntArray  #: which are displaced


class Ratios(NamedTuple):
    """Likelihood ratio of evidence under an error of each kind and as observed, ``f_kind(x) / f_observed(x)``.

    ``planted``, ``kind``, ``code`` and ``box`` belong to the planted errors. Their ratios come from models that did not see
    them. Kind 0 is the row as observed.
    """

    at: Floats  #: (s, kinds)
    planted: Floats  #: (t, kinds)
    kind: IntArray  #: (t,)
    code: IntArray  #: (t,)
    box: Floats  #: (t, 4)


class Learned(NamedTuple):
    """Ratios of given boxes (displaced, extra, class) and of candidates (missing, displaced)."""

    given: Ratios
    free: Ratios


def plant(scene: Scene, rng: np.random.Generator) -> Planted:
    """Plant errors of each kind at the same rate: boxes removed, moved, given another class, and added."""
    m = len(scene.box)
    edges = np.cumsum([RATE, RATE, RATE if scene.k > 1 else 0.0])
    what = np.searchsorted(edges, rng.random(m), side="right")  # 0 missing, 1 displaced, 2 class, 3 good
    moved = _moved(scene.box, rng)
    what[(what == 1) & (iou_of(moved, scene.box) > STILL_GOOD)] = 3
    box = np.where((what == 1)[:, None], moved, scene.box)
    code = np.where(what == 2, _other(scene.code, scene.k, rng), scene.code)
    kept = what != 0
    extra, owner, like = _extra(scene, rng)
    kind = np.array([0, GIVEN.index("displaced"), GIVEN.index("class"), 0])[what[kept]]
    owners = np.r_[scene.owner[kept], owner]
    order = np.argsort(owners, kind="stable")
    spoiled = Scene(
        np.vstack([box[kept], extra])[order],
        owners[order],
        np.r_[code[kept], scene.code[like]][order],
        scene.predictions,
        scene.n,
        scene.k,
    )
    kinds = np.r_[kind, np.full(len(extra), GIVEN.index("extra"))][order]
    return Planted(spoiled, kinds, np.flatnonzero(what == 0), np.flatnonzero(what == 1))


def learn(scene: Scene, evidence: Evidence, seed: int = 0) -> Learned:
    """Trees that distinguish planted errors from given boxes, cross-fitted by picture."""
    rng = np.random.default_rng(seed)
    fold = rng.permutation(scene.n) % FOLDS
    kept = _sampled(scene, rng)
    part = scene.of_pictures(kept)
    own = evidence if kept.all() else evidence_of(part)
    given, free = _examples(part, own, fold[kept], rng)
    candidates = scene.predictions.owner[evidence.candidate]
    return Learned(
        _ratios(given, evidence.given, fold[scene.owner], len(GIVEN), scene.k),
        _ratios(free, evidence.free, fold[candidates], len(FREE), scene.k),
    )


class _Examples(NamedTuple):
    x: Floats
    kind: IntArray
    fold: IntArray
    code: IntArray
    box: Floats


def _examples(scene: Scene, evidence: Evidence, fold: IntArray, rng: np.random.Generator) -> tuple[_Examples, _Examples]:
    rounds = int(np.clip(MOST_BOXES // max(len(scene.box), 1), 1, MOST_ROUNDS))
    given, free = [], []
    made = scene.predictions
    for _ in range(rounds):
        planted = plant(scene, rng)
        seen = evidence_of(planted.scene)
        spoiled = planted.scene
        given.append(_Examples(seen.given, planted.kind, fold[spoiled.owner], spoiled.code, spoiled.box))
        what = np.zeros(len(made.box), np.int64)
        for rows, kind in ((planted.missing, FREE.index("missing")), (planted.moved, FREE.index("displaced"))):
            rows = rows[evidence.match[rows] >= 0]
            what[evidence.match[rows]] = np.where(evidence.iou[rows] >= FOUND, kind, -1)
        rows, x = seen.candidate[what[seen.candidate] >= 0], seen.free[what[seen.candidate] >= 0]
        free.append(_Examples(x, what[rows], fold[made.owner[rows]], made.code[rows], made.box[rows]))
    return _joined(given), _joined(free)


def _joined(some: list[_Examples]) -> _Examples:
    return _Examples(*(np.concatenate(column) for column in zip(*some, strict=True)))


def _sampled(scene: Scene, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Pictures in which errors are planted."""
    kept = np.zeros(scene.n, bool)
    order = rng.permutation(scene.n)
    size = np.cumsum(np.bincount(scene.owner, minlength=scene.n)[order])
    kept[order[: int(np.searchsorted(size, MOST_BOXES)) + 1]] = True
    return kept


def _ratios(some: _Examples, x: Floats, fold: IntArray, n_kinds: int, k: int) -> Ratios:
    """Ratios of x, and of the examples, by models that saw neither."""
    at, own = np.zeros((len(x), n_kinds - 1)), np.zeros((len(some.x), n_kinds - 1))
    if (some.kind == 0).sum() < FEWEST or not len(x):  # no errors to distinguish: all look the same
        return Ratios(at, own, some.kind, some.code, some.box)
    for number in range(FOLDS):
        train = some.fold != number
        counts = np.bincount(some.kind[train], minlength=n_kinds)
        if not counts[0] or not counts[1:].any():
            continue
        unknown = np.isnan(some.x[train]).all(axis=0)  # e.g. the displacement of predictions, if none meets a box
        model = _trees(x.shape[1], k).fit(np.where(unknown, 0.0, some.x[train]), some.kind[train])
        for target, rows, values in ((at, fold == number, x), (own, ~train, some.x)):
            if not rows.any():
                continue
            p = model.predict_proba(np.where(unknown, 0.0, values[rows]))
            ratio = np.zeros((len(p), n_kinds))
            ratio[:, model.classes_] = p / counts[model.classes_]
            target[rows] = np.log(np.maximum(ratio[:, 1:], 1e-300)) - np.log(np.maximum(ratio[:, :1], 1e-300))
    return Ratios(at, own, some.kind, some.code, some.box)


def _trees(d: int, k: int) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.1,
        max_leaf_nodes=8,
        min_samples_leaf=30,
        l2_regularization=5.0,
        early_stopping=False,
        categorical_features=[d - 1] if 2 < k <= MOST_CLASSES else None,
        random_state=0,
    )


def _moved(box: Floats, rng: np.random.Generator) -> Floats:
    """Each moved in some direction, or some of its sides."""
    m, size = len(box), box[:, 2:] - box[:, :2]
    angle, far = rng.uniform(0, 2 * np.pi, m), rng.uniform(*FAR, m)
    shift = np.tile(np.c_[np.cos(angle), np.sin(angle)] * far[:, None], 2)
    sides = rng.uniform(-SIDE, SIDE, (m, 4)) * (rng.random((m, 4)) < 0.5)
    found = box + np.where((rng.random(m) < SIDES)[:, None], sides, shift) * np.tile(size, 2)
    return np.hstack([np.minimum(found[:, :2], found[:, 2:]), np.maximum(found[:, :2], found[:, 2:])])


def _other(code: IntArray, k: int, rng: np.random.Generator) -> IntArray:
    return (code + rng.integers(1, max(k, 2), len(code))) % max(k, 1)


def _extra(scene: Scene, rng: np.random.Generator) -> tuple[Floats, IntArray, IntArray]:
    m = int(np.ceil(RATE * len(scene.box)))
    like, owner = rng.integers(len(scene.box), size=m), rng.integers(scene.n, size=m)
    box = scene.box[like]
    half = (box[:, 2:] - box[:, :2]) / 2
    across, down = (scene.box[rng.integers(len(scene.box), size=m)] for _ in range(2))
    beside = np.c_[across[:, 0] + across[:, 2], down[:, 1] + down[:, 3]] / 2
    low, high = np.quantile(scene.box[:, :2], 0.01, axis=0), np.quantile(scene.box[:, 2:], 0.99, axis=0)
    anywhere = low + half + rng.random((m, 2)) * np.maximum(high - low - 2 * half, 0)
    how = rng.choice(3, m, p=PLACES)[:, None]
    middle = np.select([how == 0, how == 1], [(box[:, :2] + box[:, 2:]) / 2, beside], anywhere)
    return np.hstack([middle - half, middle + half]), owner, like
