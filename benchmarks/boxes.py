"""Wrong boxes beside cleanlab's object detection: errors planted in validated boxes, with the predictions of a real detector, on the same pictures.

- KITTI: 374 frames of which both validated boxes of pedestrians (a share of votes of 0.5 or more) and a Cascade R-CNN's predictions are
  known. It finds somewhat more than half of these boxes.
- Made up: pictures with five classes that differ in size, and a detector that confuses them and misses small ones.

cleanlab has the best of its scores by hindsight: all together, and each of the three it is made of.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from cleanlab.object_detection.rank import (
    compute_badloc_box_scores,
    compute_overlooked_box_scores,
    compute_swap_box_scores,
    get_label_quality_scores,
)
from scipy.stats import t as student
from sklearn.metrics import average_precision_score

import labelproof as lp
from _table import data_folder, publish

SEEDS = range(5)
SIZE = (1242, 375)  # of KITTI's pictures
NAMES = ("bus", "car", "person", "sign", "truck")
TYPICAL = np.array([[140, 110], [90, 60], [28, 70], [22, 22], [130, 90]])  # width and height
FREQUENCY = (0.06, 0.4, 0.3, 0.16, 0.08)
CONFUSED = ((75, 5, 0, 0, 20), (2, 90, 1, 0, 7), (0, 2, 95, 3, 0), (0, 1, 5, 94, 0), (15, 20, 0, 0, 65))
OF_KITTI = {
    "10 % missing, 10 % displaced, extra in 8 %": (0.1, 0.1, 0.08),
    "3 % of each": (0.03, 0.03, 0.03),
    "20 % of each": (0.2, 0.2, 0.2),
    "10 % missing": (0.1, 0, 0),
    "10 % displaced": (0, 0.1, 0),
    "extra in 8 %": (0, 0, 0.08),
    "none": (0, 0, 0),
}
MADE_UP = {
    "10 % missing, displaced, of another class, extra in 8 %": (0.1, 0.1, 0.08, 0.1),
    "3 % of each": (0.03, 0.03, 0.03, 0.03),
    "10 % of another class": (0, 0, 0, 0.1),
}
KINDS = ("missing", "displaced", "extra", "class")
SAME = 0.5  # intersection over union of a missing box that is found
WITHIN = 0.03
MANY, MANY_OF_CLEANLAB, PER_PICTURE = 100_000, 2_000, 10.0


class Problem(NamedTuple):
    """True boxes, predictions, and the size of the pictures."""

    true: list[dict[str, Any]]
    predicted: list[dict[str, Any]]
    size: tuple[int, int]
    classes: tuple[str, ...]


def kitti() -> tuple[Problem, list[np.ndarray]]:
    """With the boxes that people rejected, of each frame."""
    table = pl.read_csv(data_folder() / "kitti_pedestrians.csv")
    edges = ["xmin", "ymin", "xmax", "ymax"]
    parts = {kind: table.filter(pl.col("kind") == kind) for kind in ("validated", "prediction")}
    frames = sorted(set(parts["validated"]["filename"]) & set(parts["prediction"]["filename"]))
    true, predicted, rejected = [], [], []
    for name in frames:
        own, made = (part.filter(pl.col("filename") == name) for part in parts.values())
        kept = own.filter(pl.col("score") >= 0.5)
        true.append({"boxes": kept.select(edges).to_numpy(), "labels": ["Pedestrian"] * kept.height})
        predicted.append(
            {
                "boxes": made.select(edges).to_numpy(),
                "labels": ["Pedestrian"] * made.height,
                "scores": made["score"].to_numpy(),
            }
        )
        rejected.append(own.filter(pl.col("score") < 0.2).select(edges).to_numpy())
    return Problem(true, predicted, SIZE, ("Pedestrian",)), rejected


def made_up(n: int, per_picture: float, seed: int) -> Problem:
    """Five classes by size; a detector that misses small boxes, confuses classes, says some boxes twice and some that are none."""
    rng = np.random.default_rng(seed)
    true, predicted = [], []
    for _ in range(n):
        m = rng.poisson(per_picture)
        code = rng.choice(5, m, p=FREQUENCY)
        wh = TYPICAL[code] * np.exp(rng.normal(0, 0.45, (m, 1))) * np.exp(rng.normal(0, 0.12, (m, 2)))
        middle = rng.random((m, 2)) * [1000, 500]
        box = np.hstack([middle - wh / 2, middle + wh / 2])
        true.append({"boxes": box, "labels": [NAMES[c] for c in code]})
        predicted.append(_detected(box, code, wh, rng))
    return Problem(true, predicted, (1000, 500), NAMES)


def _detected(box: np.ndarray, code: np.ndarray, wh: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    clear = 1 / (1 + (18 / np.sqrt(wh.prod(axis=1))) ** 3)
    boxes, scores, codes = [], [], []
    for j in np.flatnonzero(rng.random(len(box)) < 0.5 + 0.5 * clear):
        sight = np.clip(clear[j] * np.exp(-rng.exponential(0.25)), 0.01, 0.99)
        off = rng.standard_t(4, 4) * 0.05 * (1.6 - sight) * np.tile(wh[j], 2)
        score = 1 / (1 + np.exp(-rng.normal(np.log(sight / (1 - sight)) + 1.5, 1)))
        for _ in range(1 + (rng.random() < 0.25)):
            boxes.append(box[j] + off)
            scores.append(score)
            codes.append(rng.choice(5, p=np.array(CONFUSED[code[j]]) / 100))
            off, score = off + rng.normal(0, 0.08, 4) * np.tile(wh[j], 2), score * rng.beta(1, 3)
    f = rng.poisson(4)
    more = rng.choice(5, f, p=FREQUENCY)
    wh = TYPICAL[more] * np.exp(rng.normal(0, 0.6, (f, 1)))
    middle = rng.random((f, 2)) * [1000, 500]
    return {
        "boxes": np.vstack([np.array(boxes).reshape(-1, 4), np.hstack([middle - wh / 2, middle + wh / 2])]),
        "labels": [NAMES[c] for c in [*codes, *more]],
        "scores": np.r_[scores, np.clip(rng.beta(0.4, 5, f), 0.011, 0.98)],
    }


def spoiled(problem: Problem, rates: tuple[float, ...], seed: int) -> Any:
    """Planted errors; extra ones in a share of the pictures, the others in a share of the boxes."""
    boxes = sum(len(one["boxes"]) for one in problem.true)
    of_kind = dict(zip(KINDS, rates, strict=False))
    of_kind["extra"] *= len(problem.true) / boxes
    sizes = np.tile(problem.size, (len(problem.true), 1))
    return lp.simulate.boxes(problem.true, of_kind, sizes=sizes, random_state=seed)


def with_rejected(problem: Problem, rejected: list[np.ndarray], seed: int) -> Any:
    """Boxes that people rejected added in 8 % of the pictures."""
    rng = np.random.default_rng(seed)
    usable = [i for i, some in enumerate(rejected) if len(some)]
    chosen = rng.choice(usable, round(0.08 * len(problem.true)), replace=False)
    labels, errors, changed = [dict(one) for one in problem.true], [], np.zeros(len(problem.true), bool)
    for i in chosen.tolist():
        box = rejected[i][rng.integers(len(rejected[i]))]
        own = labels[i]
        number = len(own["boxes"])
        labels[i] = {"boxes": np.vstack([own["boxes"], box]), "labels": [*own["labels"], "Pedestrian"]}
        errors.append(lp.simulate.BoxError(i, "extra", number, None, (*box.tolist(), "Pedestrian")))
        changed[i] = True
    return lp.simulate.NoisyBoxes(labels, changed, errors)


def cleanlab_scores(given: list[dict[str, Any]], problem: Problem) -> dict[str, np.ndarray]:
    """Quality of each picture: all together, and by each of its scores of boxes the least."""
    place = {name: i for i, name in enumerate(problem.classes)}
    labels = [
        {
            "bboxes": np.asarray(one["boxes"], float).reshape(-1, 4),
            "labels": np.array([place[name] for name in one["labels"]], int),
        }
        for one in given
    ]
    predictions = []
    for one in problem.predicted:
        code = np.array([place[name] for name in one["labels"]], int)
        rows = np.hstack([one["boxes"], one["scores"][:, None]])
        of_class = np.empty(len(place), dtype=object)
        of_class[:] = [rows[code == c] for c in range(len(place))]
        predictions.append(of_class)
    found = {"all": get_label_quality_scores(labels, predictions, verbose=False)}
    for name, score in (
        ("overlooked", compute_overlooked_box_scores),
        ("badloc", compute_badloc_box_scores),
        ("swap", compute_swap_box_scores),
    ):
        of_boxes = (np.asarray(some, float) for some in score(labels=labels, predictions=predictions))
        found[name] = np.array([min([1.0, *some[~np.isnan(some)]]) for some in of_boxes])
    return found


def iou(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    return shared / ((box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(axis=1) - shared)


def of_kinds(audit: lp.Audit, noisy: Any) -> dict[str, float]:
    """AP of boxes by kind, and of all sites; a missing box that no site tells of is never found."""
    sites = audit.issues.sort("index", "box")
    owner, number = sites["index"].to_numpy(), sites["box"].to_numpy()
    missing = sites["given_label"].is_null().to_numpy()
    error, box = sites["error_probability"].to_numpy(), sites.select("x1", "y1", "x2", "y2").to_numpy()
    row = {key: i for i, key in enumerate(zip(owner.tolist(), number.tolist(), strict=True))}
    what, unseen = np.full(len(error), "", dtype=object), 0
    for one in noisy.errors:
        if one.kind != "missing":
            what[row[one.picture, one.number]] = one.kind
            continue
        here = np.flatnonzero((owner == one.picture) & missing & (what == ""))
        overlap = iou(np.array(one.true[:4]), box[here]) if len(here) else np.zeros(1)
        if overlap.max() >= SAME:
            what[here[overlap.argmax()]] = "missing"
        else:
            unseen += 1
    found = {}
    for kind in KINDS:
        rows = missing if kind == "missing" else ~missing
        own, lost = what[rows] == kind, unseen if kind == "missing" else 0
        said = (sites["kind"] == kind).fill_null(False).to_numpy()[rows]  # a site of another kind comes after all of this one
        if own.any() or lost:
            found[kind] = _never_found(own, error[rows] + said, lost)
    wrong = what != ""
    return {"site": _never_found(wrong, error, unseen) if wrong.any() or unseen else np.nan, **found}


def _never_found(wrong: np.ndarray, score: np.ndarray, lost: int) -> float:
    """Average precision if further ``lost`` ones are wrong and in no list."""
    own = int(wrong.sum())
    return float(average_precision_score(wrong, score) * own / (own + lost)) if own else 0.0


def one_run(problem: Problem, noisy: Any) -> dict[str, Any]:
    """What both find, and the rates."""
    started = time.perf_counter()
    audit = lp.audit(lp.Boxes(noisy.labels, classes=problem.classes), problem.predicted)
    seconds = time.perf_counter() - started
    items = audit.items["error_probability"].to_numpy()
    theirs = cleanlab_scores(noisy.labels, problem)
    clean = sum(len(one["boxes"]) for one in problem.true)
    given = sum(len(one["boxes"]) for one in noisy.labels)
    planted = {kind: sum(one.kind == kind for one in noisy.errors) / (clean if kind == "missing" else given) for kind in KINDS}
    some = bool(noisy.changed.any())
    return {
        "ours": average_precision_score(noisy.changed, items) if some else np.nan,
        "cleanlab": {
            name: average_precision_score(noisy.changed, -score) if some else np.nan for name, score in theirs.items()
        },
        "wrong": float(noisy.changed.mean()),
        "said": float(items.mean()),
        "off": calibration(items, noisy.changed),
        "kinds": of_kinds(audit, noisy),
        "planted": planted,
        "estimated": {kind: rate.estimate for kind, rate in audit.noise.rates.items()},
        "low": {kind: rate.low for kind, rate in audit.noise.rates.items()},
        "high": {kind: rate.high for kind, rate in audit.noise.rates.items()},
        "seconds": seconds,
    }


def calibration(said: np.ndarray, wrong: np.ndarray) -> float:
    """Mean distance between what is said and the share that is wrong, in ten bins."""
    place = np.minimum((said * 10).astype(int), 9)
    return float(sum(abs(said[place == i].sum() - wrong[place == i].sum()) for i in range(10)) / len(said))


def half(values: list[float]) -> float:
    """Of a 95 % interval of the mean, by Student's t."""
    return float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))


def mean(values: list[float]) -> float:
    known = [value for value in values if value == value]
    return float(np.mean(known)) if known else float("nan")


def row_of(data: str, errors: str, runs: list[dict[str, Any]], kinds: tuple[str, ...]) -> dict[str, Any]:
    scores = {name: mean([run["cleanlab"][name] for run in runs]) for name in ("all", "overlooked", "badloc", "swap")}
    best = max(scores, key=lambda name: scores[name])
    ahead = [run["ours"] - run["cleanlab"][best] for run in runs]
    cells = [(kind, abs(run["estimated"][kind] - run["planted"][kind])) for run in runs for kind in kinds]
    covered = [run["low"][kind] <= run["planted"][kind] <= run["high"][kind] for run in runs for kind in kinds]
    row: dict[str, Any] = {
        "data": data,
        "errors": errors,
        "seeds": len(runs),
        "wrong_pictures": mean([run["wrong"] for run in runs]),
        "AP": mean([run["ours"] for run in runs]),
        "cleanlab_AP": scores[best],
        "cleanlab_score": best,
        "ahead": mean(ahead),
        "ahead_half": half(ahead),
        **{f"cleanlab_{name}": value for name, value in scores.items()},
        "site_AP": mean([run["kinds"]["site"] for run in runs]),
    }
    for kind in KINDS:
        row[f"{kind}_AP"] = mean([run["kinds"].get(kind, float("nan")) for run in runs])
        row[f"{kind}_planted"] = mean([run["planted"][kind] for run in runs])
        row[f"{kind}_estimated"] = mean([run["estimated"].get(kind, float("nan")) for run in runs])
    return {
        **row,
        "rates_within_3_points": float(np.mean([distance <= WITHIN for _, distance in cells])),
        "rates_in_interval": float(np.mean(covered)),
        "said_wrong_pictures": mean([run["said"] for run in runs]),
        "calibration_error": mean([run["off"] for run in runs]),
        "seconds": mean([run["seconds"] for run in runs]),
    }


def speed() -> dict[str, Any]:
    """Seconds for 1,000 pictures with 10 boxes each, of both; of cleanlab measured on fewer pictures."""
    part = made_up(MANY_OF_CLEANLAB, PER_PICTURE, 0)
    noisy = spoiled(part, (0.1, 0.1, 0.08, 0.1), 0)
    started = time.perf_counter()
    get_label_quality = cleanlab_scores(noisy.labels, part)["all"]
    theirs = (time.perf_counter() - started) / 2  # all together, and the three again
    copies = MANY // MANY_OF_CLEANLAB
    labels = lp.Boxes(noisy.labels * copies)
    started = time.perf_counter()
    lp.audit(labels, part.predicted * copies)
    ours = time.perf_counter() - started
    assert len(get_label_quality) == MANY_OF_CLEANLAB
    per_thousand = (1000 * ours / MANY, 1000 * theirs / MANY_OF_CLEANLAB)
    return {
        "pictures": MANY,
        "seconds": ours,
        "cleanlab_seconds_per_1000": per_thousand[1],
        "seconds_per_1000": per_thousand[0],
    }


def main() -> None:
    warnings.simplefilter("ignore")
    rows = []
    real, rejected = kitti()
    for name, rates in OF_KITTI.items():
        runs = [one_run(real, spoiled(real, rates, seed)) for seed in SEEDS]
        rows.append(row_of("KITTI", name, runs, KINDS[:3]))
        show(rows[-1])
    runs = [one_run(real, with_rejected(real, rejected, seed)) for seed in SEEDS]
    rows.append(row_of("KITTI", "boxes that people rejected added in 8 %", runs, KINDS[:3]))
    show(rows[-1])
    for name, of_kind in MADE_UP.items():
        runs = []
        for seed in SEEDS:
            problem = made_up(400, 5.0, seed)
            runs.append(one_run(problem, spoiled(problem, of_kind, seed)))
        rows.append(row_of("made up", name, runs, KINDS))
        show(rows[-1])
    many = speed()
    last = dict.fromkeys(rows[0], float("nan")) | {
        "data": "made up",
        "errors": f"{many['pictures']:,} pictures with 10 boxes each",
        "cleanlab_score": f"{many['cleanlab_seconds_per_1000']:.3g} s for 1,000 pictures",
        "seeds": 1,
        "seconds": many["seconds"],
    }
    for row in rows:
        row["times_faster"] = float("nan")
    rows.append({**last, "times_faster": many["cleanlab_seconds_per_1000"] / many["seconds_per_1000"]})
    publish(
        "boxes",
        rows,
        "AP of wrong pictures over five seeds; ahead is paired, half of its 95 % interval by Student's t. Rates of missing boxes are of true ones, others of given.",
    )


def show(row: Mapping[str, Any]) -> None:
    print(
        {name: round(value, 3) if isinstance(value, float) else value for name, value in row.items()},
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    main()
