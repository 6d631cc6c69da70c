"""Fits what `labelproof.auditing.sharpness` brings to simulated worlds, and measures it on data sets and kinds of noise that it did not see.

``python benchmarks/worlds.py FOLDER 0 3000`` (and ``6000 9000``) makes the worlds, hours on one core; ``python benchmarks/sharpness_fit.py
FOLDER`` fits the forest, minutes. ``--keep`` writes it into the package.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import GroupKFold

from _table import RESULTS, publish
from labelproof.auditing import fold, sharpness
from labelproof.auditing.forest import QuantileForest, quantiles
from worlds import load_file

TREES, LEAF, FEATURES = 80, 5, 1.0
LEAST_ACCURACY = 0.65  # of the models that are learned from: a prior, that people audit with models that are mostly right
OUTER = 0.002  # share of the worlds whose summary counts as outside what was simulated


def summaries(folder: Path) -> dict[str, np.ndarray]:
    """Summary and truth of each world, made once for each file."""
    parts: list[dict[str, np.ndarray]] = []
    for path in sorted(folder.glob("worlds-*.npz")):
        kept = path.with_name(path.name.replace("worlds-", f"summary{len(sharpness.PAIRS)}-"))
        if not kept.exists():
            rows: list[dict[str, Any]] = []
            for world in load_file(path):
                probs = world.probs.astype(float)
                probs /= probs.sum(axis=1, keepdims=True)
                given = world.given.astype(np.int64)
                found = sharpness.summary(fold.sample(probs, given, 0, len(given)))
                rows.append(
                    {
                        "vector": found.vector, "differ": found.differ, "rate": (given != world.true).mean(),
                        "accuracy": (probs.argmax(axis=1) == world.true).mean(),
                        **{name: getattr(world, name) for name in ("seed", "data", "noise", "model", "n")},
                    }
                )  # fmt: skip
            np.savez(kept, **{name: np.array([row[name] for row in rows]) for name in rows[0]})
        with np.load(kept) as data:
            parts.append({name: data[name] for name in data.files})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def forest(x: np.ndarray, ratio: np.ndarray) -> QuantileForest:
    x = x.astype(np.float32)
    fitted = ExtraTreesRegressor(TREES, min_samples_leaf=LEAF, max_features=FEATURES, random_state=0, n_jobs=2).fit(x, ratio)
    return QuantileForest.of_sklearn(fitted, x, ratio[:, None])


def predicted(found: QuantileForest, x: np.ndarray) -> np.ndarray:
    """Mean, and the ends of the interval, shape (n, 3)."""
    rows = []
    for one in x:
        weights = found.weights(one)
        rows.append([weights @ found.targets[:, 0], *quantiles(found.targets[:, 0], weights, sharpness.LEVELS)])
    return np.array(rows)


def measured(name: str, rate: np.ndarray, differ: np.ndarray, made: np.ndarray) -> dict[str, Any]:
    estimate, low, high = (made[:, j] * differ for j in range(3))
    return {
        "worlds": name, "number": len(rate), "holds": float(((rate >= low - 1e-3) & (rate <= high + 1e-3)).mean()),
        "width": float((high - low).mean()), "within_2.5_points": float((abs(estimate - rate) <= 0.025).mean()),
        "mean_error": float(abs(estimate - rate).mean()), "mean_rate": float(rate.mean()), "mean_estimate": float(estimate.mean()),
    }  # fmt: skip


def out_of_group(x: np.ndarray, ratio: np.ndarray, groups: np.ndarray, use: np.ndarray) -> np.ndarray:
    made = np.zeros((len(x), 3))
    for train, test in GroupKFold(min(10, len(np.unique(groups)))).split(x, ratio, groups):
        train = train[use[train]]
        made[test] = predicted(forest(x[train], ratio[train]), x[test])
    return made


def main() -> None:
    started = time.monotonic()
    s = summaries(Path(sys.argv[1]))
    told = s["differ"] > sharpness.LEAST_TOLD
    s = {name: values[told] for name, values in s.items()}
    ratio, use = np.clip(s["rate"] / s["differ"], 0.0, 1.5), s["accuracy"] > LEAST_ACCURACY
    made = out_of_group(s["vector"], ratio, s["data"], use)
    good = s["accuracy"] >= 0.7
    rows = [measured("right in 70 %, by data set", s["rate"][good], s["differ"][good], made[good])]
    for name, part in (
        ("right in 85 %", s["accuracy"] >= 0.85), ("right in 55 to 70 %", (s["accuracy"] > 0.55) & ~good),
        ("no noise, right in 95 %", (s["rate"] == 0) & (s["accuracy"] > 0.95)),
        ("fewer than 1,000 items", good & (s["n"] < 1000)), ("with items of no class", good & np.char.endswith(s["noise"], "foreign items")),
        *((kind, good & (s["noise"] == kind)) for kind in np.unique(s["noise"]) if not kind.endswith("foreign items")),
        *((kind, good & (s["data"] == kind)) for kind in np.unique(s["data"])),
    ):  # fmt: skip
        if part.sum() >= 5:
            rows.append(measured(name, s["rate"][part], s["differ"][part], made[part]))
    by_noise = out_of_group(s["vector"], ratio, np.char.partition(s["noise"], " + ")[:, 0], use)
    rows.append(measured("right in 70 %, by kind of noise", s["rate"][good], s["differ"][good], by_noise[good]))
    publish("sharpness_fit", rows, f"Cross-validated forest on {int(use.sum())} worlds; {time.monotonic() - started:.0f} s.")
    if "--keep" in sys.argv:
        found = forest(s["vector"][use], ratio[use])
        edges = np.quantile(s["vector"][use], [OUTER, 1 - OUTER], axis=0).astype(np.float32)
        with sharpness.FOREST_FILE.open("wb") as file:
            np.savez_compressed(file, **vars(found), lowest=edges[0], highest=edges[1])
        print(f"{sharpness.FOREST_FILE.name}: {sharpness.FOREST_FILE.stat().st_size / 1e6:.2f} MB")
        kept = {name: s[name] for name in ("seed", "data", "noise", "model", "n", "accuracy", "differ", "rate")}
        np.savez_compressed(RESULTS / "worlds.npz", vector=s["vector"].astype(np.float16), **kept)


if __name__ == "__main__":
    main()
