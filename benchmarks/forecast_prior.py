"""Learn, from simulated audits, how error probabilities turn out: the prior of the curve in labelproof/review/plan/curve.py.

``python benchmarks/forecast_prior.py FOLDER`` audits every world of the folder (``worlds.py`` makes them) whose model is right in more
than 60 % of cases, fits the logit of p(wrong | error probability) at the knots of each, and writes mean and covariance over
the worlds, by EM: the curve of a world is known as well as its items tell. No set of ``label_errors.npz`` takes part.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
from scipy.special import expit

import labelproof as lp
from labelproof.review.plan.curve import KNOTS, LEARNED, places_of
from worlds import load_file

FEWEST_ITEMS, LEAST_RIGHT = 300, 0.6
ROUNDS, NEWTON_STEPS = 10, 12
Data = list[tuple[np.ndarray, np.ndarray]]


def audits(folder: Path) -> Data:
    """Places between the knots, and whether the label is wrong, of the items of each world."""
    found = []
    for file in sorted(folder.glob("worlds-*.npz")):
        for world in load_file(file):
            if len(world.given) >= FEWEST_ITEMS and (world.probs.argmax(axis=1) == world.true).mean() > LEAST_RIGHT:
                error = lp.audit(world.given, world.probs).error_probability
                found.append((places_of(error), world.given != world.true))
        print(f"{file.name}: {len(found)} audits so far", flush=True)
    return found


def posterior(places: np.ndarray, wrong: np.ndarray, mean: np.ndarray, precision: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the curve of one world by Laplace's method."""
    at = mean.copy()
    for _ in range(NEWTON_STEPS):
        chance = expit(places @ at)
        information = precision + (places.T * (chance * (1 - chance))) @ places
        step = np.linalg.solve(information, places.T @ (wrong - chance) - precision @ (at - mean))
        at = at + step * min(1.0, 3 / np.abs(step).max())
    return at, np.linalg.inv(information)


def learn(data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of curves over the worlds."""
    near = np.exp(-0.5 * ((KNOTS[:, None] - KNOTS) / 3) ** 2)
    mean, covariance = 0.6 * KNOTS - 0.7, 3 + 0.1 * np.outer(KNOTS, KNOTS) + 0.5 * near + 0.01 * np.eye(len(KNOTS))
    for _ in range(ROUNDS):
        precision = np.linalg.inv(covariance)
        means, covariances = zip(*(posterior(*one, mean, precision) for one in data), strict=True)
        mean = np.mean(means, axis=0)
        covariance = np.mean(covariances, axis=0) + np.cov(np.array(means).T, bias=True)
    return mean, covariance


def main() -> None:
    warnings.simplefilter("ignore", lp.DoubtWarning)
    data = audits(Path(sys.argv[1]))
    mean, covariance = learn(data)
    np.savez(LEARNED, mean=mean, covariance=covariance, worlds=len(data))
    np.set_printoptions(precision=2, suppress=True, linewidth=160)
    print(f"{len(data)} worlds\nmean {mean}\nsd   {np.sqrt(np.diag(covariance))}")


if __name__ == "__main__":
    main()
