"""What a person's time buys: test accuracy after retraining with some labels reviewed, in our order, cleanlab's and at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from cleanlab.rank import get_label_quality_scores
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

import labelproof as lp
from _table import data_folder, publish
from labelproof.data.dataset import Dataset, Shown
from labelproof.experiments.problems import Problem, mnist
from labelproof.noise.simulate import Noisy
from labelproof.review.plan.queue import make_queue

REVIEWS = (0, 50, 100, 200, 500)
RATE, SEEDS, EPOCHS = 0.2, 3, 20
Learner = Callable[[Problem, np.ndarray, np.ndarray, int], float]


def trec() -> Problem:
    """The questions, their own split."""
    frame = pl.read_csv(data_folder() / "trec_questions.csv")
    names, codes = np.unique(frame["type"].to_numpy(), return_inverse=True)
    train = (frame["split"] == "train").to_numpy()
    text = frame["question"].to_numpy()
    numbers = TruncatedSVD(50, random_state=0).fit_transform(TfidfVectorizer().fit_transform(text[train]))
    return Problem("trec", text[train], codes[train], text[~train], codes[~train], len(names), numbers)


def logistic(problem: Problem, labels: np.ndarray, verified: np.ndarray, seed: int) -> float:
    """The default model of text."""
    model = lp.default_model(dataset_of(problem, labels), random_state=seed).fit(problem.train, labels)
    return float((model.predict(problem.test) == problem.test_labels).mean())


def network(method: str) -> Learner:
    """A multilayer perceptron by one of the methods."""

    def train(problem: Problem, labels: np.ndarray, verified: np.ndarray, seed: int) -> float:
        flat, test = (x.reshape(len(x), -1) for x in (problem.train, problem.test))
        model = lp.NoisyLabelClassifier(method, backbone="mlp", epochs=EPOCHS, random_state=seed)
        model.fit(flat, labels, verified=verified)
        return float((model.predict(test) == problem.test_labels).mean())

    return train


def dataset_of(problem: Problem, labels: np.ndarray) -> Dataset:
    kind = "text" if problem.name == "trec" else "arrays"
    x = problem.train if kind == "text" else problem.train.reshape(len(problem.train), -1)
    return Dataset(x, labels, tuple(range(problem.k)), np.arange(len(x)), lambda i: Shown(), kind)


def orders(noisy: Noisy, probs: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """In which order the labels are reviewed."""
    error = lp.audit(noisy.labels, probs).error_probability
    quality = get_label_quality_scores(noisy.labels, probs)
    return {
        "labelproof, hunt": np.argsort(-error, kind="stable"),
        "labelproof, queue": make_queue(error, max(REVIEWS), random_state=seed).rows,
        "cleanlab": np.argsort(quality, kind="stable"),
        "random": np.random.default_rng(seed).permutation(len(error)),
    }


def main() -> None:
    learners: list[tuple[Problem, str, Learner]] = [(trec(), "logistic regression", logistic)]
    digits = mnist(data_folder(), 5000)
    learners += [(digits, method, network(method)) for method in ("cross-entropy", "elr")]
    rows: list[dict[str, Any]] = []
    for problem, name, learn in learners:
        scores: dict[str, list[list[float]]] = {}
        fixed: dict[str, list[list[int]]] = {}
        for seed in range(SEEDS):
            noisy = lp.simulate.instance_dependent(
                problem.train_labels, problem.numbers, RATE, n_classes=problem.k, random_state=seed
            )
            probs = lp.out_of_sample_probs(dataset_of(problem, noisy.labels), random_state=seed)
            before = learn(problem, noisy.labels, np.zeros(len(probs), bool), seed)
            for order, items in orders(noisy, probs, seed).items():
                line, count = [before], [0]
                for m in REVIEWS[1:]:
                    labels, verified = noisy.labels.copy(), np.zeros(len(probs), bool)
                    labels[items[:m]] = problem.train_labels[items[:m]]
                    verified[items[:m]] = True
                    line.append(learn(problem, labels, verified, seed))
                    count.append(int(noisy.changed[items[:m]].sum()))
                scores.setdefault(order, []).append(line)
                fixed.setdefault(order, []).append(count)
            print(problem.name, name, seed, {order: lines[-1] for order, lines in scores.items()}, flush=True)
        for order, lines in scores.items():
            mean, corrected = np.mean(lines, axis=0), np.mean(fixed[order], axis=0)
            row: dict[str, Any] = {"data": problem.name, "model": name, "order": order}
            row |= {f"accuracy_{m}": float(value) for m, value in zip(REVIEWS, mean, strict=True)}
            row |= {f"corrected_{m}": float(value) for m, value in zip(REVIEWS, corrected, strict=True)}
            rows.append(row)
    publish(
        "review_retraining",
        rows,
        f"{RATE:.0%} instance-dependent noise, {SEEDS} seeds; test accuracy on clean labels after retraining with so many labels reviewed.",
    )


if __name__ == "__main__":
    main()
