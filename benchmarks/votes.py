"""Votes of several annotators beside CROWDLAB and crowd-kit: CIFAR-10N's three labels an image, and crowds simulated on digits.

crowd-kit is no dependency: name the folder that holds it in PYTHONPATH. The features of an encoder are made once and kept in the
cache of features; 10,000 pictures take about eight minutes on one core.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from cleanlab.multiannotator import get_label_quality_multiannotator
from scipy.stats import spearmanr
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import labelproof as lp
from _table import data_folder, publish
from labelproof.data.picture_source import ArraySource
from labelproof.experiments.cifar10 import Archive
from labelproof.experiments.cifar10n import in_original_order
from labelproof.networks.encoders import open_encoder
from labelproof.networks.encoders.features import encode_pictures

ENCODED = 10_000
SEEDS = 2
SLOW, MOST_VOTES = ("crowd-kit GLAD", "crowd-kit MACE"), 40_000
SPEED = (333_334, 300, 10)  # items, annotators, classes of a million votes
WINDOW = 50  # rows that must all agree for the published probabilities to be joined


class Problem(NamedTuple):
    """Votes, what a classifier says, and the truth."""

    name: str
    votes: np.ndarray  # (n, m) codes, -1 where there is none
    probs: np.ndarray | None
    true: np.ndarray
    right: np.ndarray  # of each annotator


class Found(NamedTuple):
    """What a method says."""

    consensus: np.ndarray
    doubt: np.ndarray  # that the majority label is wrong
    quality: np.ndarray
    estimated_error: float = float("nan")  # of the consensus
    interval: tuple[np.ndarray, np.ndarray] | None = None  # of quality


def majority_of(votes: np.ndarray) -> np.ndarray:
    """The commonest class, ties broken at random."""
    k = votes.max() + 1
    counts = np.stack([(votes == y).sum(axis=1) for y in range(k)], axis=1)
    return np.asarray((counts + np.random.default_rng(0).random(counts.shape) / 2).argmax(axis=1))


def ours(problem: Problem, majority: np.ndarray, *, probs: bool) -> Found:
    audit = lp.audit(lp.Votes(problem.votes), problem.probs if probs else None)
    posterior = audit.items["posterior"].to_numpy()
    return Found(
        audit.items["consensus"].to_numpy(),
        1 - posterior[np.arange(len(majority)), majority],
        audit.noise.quality["quality"].to_numpy(),
        float(audit.items["error_probability"].mean()),
        (audit.noise.quality["low"].to_numpy(), audit.noise.quality["high"].to_numpy()),
    )


def crowdlab(problem: Problem, majority: np.ndarray) -> Found:
    table = pd.DataFrame(np.where(problem.votes < 0, np.nan, problem.votes))
    found = get_label_quality_multiannotator(table, problem.probs, verbose=False)
    detail = found["detailed_label_quality"].to_numpy()
    said = np.where(problem.votes == majority[:, None], detail, np.nan)  # the same for all who gave the label
    quality = found["annotator_stats"]["annotator_quality"]
    place = [int(str(name).split("_")[-1]) for name in quality.index]
    by_annotator = np.full(problem.votes.shape[1], np.nan)
    by_annotator[place] = quality.to_numpy()
    return Found(found["label_quality"]["consensus_label"].to_numpy(), 1 - np.nanmax(said, axis=1), by_annotator)


def crowd_kit(name: str, problem: Problem, majority: np.ndarray) -> Found:
    from crowdkit.aggregation import GLAD, MACE, DawidSkene

    model = {"DawidSkene": DawidSkene, "GLAD": GLAD, "MACE": MACE}[name]()
    task, worker = np.nonzero(problem.votes >= 0)
    model.fit(pd.DataFrame({"task": task, "worker": worker, "label": problem.votes[task, worker]}))
    n, m, k = *problem.votes.shape, problem.votes.max() + 1
    posterior = model.probas_.reindex(index=range(n), columns=range(k)).fillna(0.0).to_numpy()
    if name == "GLAD":
        quality = model.alphas_.reindex(range(m)).to_numpy()
    elif name == "MACE":
        quality = pd.Series(model.spamming_[:, 1], index=pd.unique(worker)).reindex(range(m)).to_numpy()  # of not guessing
    else:
        errors = model.errors_
        own = [[errors.loc[(a, y), y] if (a, y) in errors.index else np.nan for y in range(k)] for a in range(m)]
        quality = np.nanmean(np.array(own, float), axis=1)
    return Found(posterior.argmax(axis=1), 1 - posterior[np.arange(n), majority], quality)


METHODS: dict[str, Callable[[Problem, np.ndarray], Found]] = {
    "labelproof": partial(ours, probs=True),
    "labelproof, votes alone": partial(ours, probs=False),
    "CROWDLAB": crowdlab,
    **{f"crowd-kit {name}": partial(crowd_kit, name) for name in ("DawidSkene", "GLAD", "MACE")},
}


def joined() -> Problem:
    """CIFAR-10N with a ResNet's out-of-sample probabilities, of the rows where the two files are in the same order.

    They are in blocks; rows count where given label and error agree in all of a window of 50.
    """
    names = np.load(data_folder() / "cifar10n.npz")
    other = np.load(data_folder() / "label_errors.npz")
    set_ = "cifar10naggregate.resnet18"
    true, given = names["clean_label"].astype(int), names["aggre_label"]
    same = (other[f"{set_}.labels"] == given) & (other[f"{set_}.is_error"] == (given != true))
    rows = np.repeat(same.reshape(-1, WINDOW).all(axis=1), WINDOW)
    votes = np.stack([names[f"random_label{j}"] for j in (1, 2, 3)], axis=1).astype(int)
    right = (votes == true[:, None])[rows].mean(axis=0)
    return Problem("CIFAR-10N, ResNet", votes[rows], other[f"{set_}.pred_probs"][rows].astype(float), true[rows], right)


def encoded() -> Problem:
    """The first pictures of CIFAR-10N, with logistic regression on the features of an encoder, cross-validated on the majority."""
    names = np.load(data_folder() / "cifar10n.npz")
    true = names["clean_label"][:ENCODED].astype(int)
    pictures = in_original_order(Archive(data_folder()), true)
    x = encode_pictures(open_encoder("efficientnet-lite2", "images"), ArraySource(pictures))
    votes = np.stack([names[f"random_label{j}"] for j in (1, 2, 3)], axis=1)[:ENCODED].astype(int)
    probs = cross_validated(x, majority_of(votes), C=0.003)
    return Problem("CIFAR-10N, encoder", votes, probs, true, (votes == true[:, None]).mean(axis=0))


def cross_validated(x: np.ndarray, given: np.ndarray, C: float) -> np.ndarray:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=200))
    return np.asarray(cross_val_predict(model, x, given, cv=5, method="predict_proba"))


def crowds() -> Iterator[Problem]:
    """Crowds with a known truth on the 1,797 digits."""
    x, true = load_digits(return_X_y=True)
    for seed in range(SEEDS):
        for name, (matrices, each) in crowd_kinds(np.random.default_rng(seed), 10).items():
            votes = said(true, matrices, each, np.random.default_rng(100 + seed))
            probs = cross_validated(x, majority_of(votes), C=0.01)
            yield Problem(name, votes, probs, true, np.array([np.diag(matrix).mean() for matrix in matrices]))


def crowd_kinds(rng: np.random.Generator, k: int) -> dict[str, tuple[list[np.ndarray], int]]:
    """Annotators' matrices, and votes an item."""

    def coin(right: float) -> np.ndarray:
        return right * np.eye(k) + (1 - right) * (1 - np.eye(k)) / (k - 1)

    def habit(right: float) -> np.ndarray:  # takes each class for one other
        wrong = np.zeros((k, k))
        wrong[np.arange(k), (np.arange(k) + rng.integers(1, k, k)) % k] = 1
        return right * np.eye(k) + (1 - right) * (0.8 * wrong + 0.2 / k)

    def one_key() -> np.ndarray:
        return np.tile(0.9 * np.eye(k)[rng.integers(k)] + 0.1 / k, (k, 1))

    good = [coin(right) for right in rng.beta(6, 3, 200)]
    return {
        "one-coin, 30 annotators, 5 votes": (good[:30], 5),
        "one-coin, 200 annotators, 3 votes": (good, 3),
        "one-coin, 5 annotators, all vote": (good[:5], 5),
        "30 % spammers, 50 annotators, 3 votes": (
            [*good[:35], *[np.full((k, k), 1 / k)] * 8, *(one_key() for _ in range(7))],
            3,
        ),
        "biased, 20 annotators, 5 votes": ([habit(right) for right in rng.beta(5, 4, 20)], 5),
        "biased, 100 annotators, 2 votes": ([habit(right) for right in rng.beta(5, 3, 100)], 2),
        "one vote, 20 annotators": (good[:20], 1),
    }


def said(true: np.ndarray, matrices: list[np.ndarray], each: int, rng: np.random.Generator) -> np.ndarray:
    votes = np.full((len(true), len(matrices)), -1)
    for i, y in enumerate(true.tolist()):
        for a in rng.choice(len(matrices), each, replace=False):
            votes[i, a] = rng.choice(len(matrices[a]), p=matrices[a][y])
    return votes


def measured(problem: Problem, method: str) -> dict[str, Any]:
    majority = majority_of(problem.votes)
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = METHODS[method](problem, majority)
    seconds = time.perf_counter() - started
    print(f"{problem.name}, {method}: {seconds:.1f} s", flush=True)
    wrong = majority != problem.true
    rank = np.nan
    if len(problem.right) > 4:  # of three there is no rank correlation to speak of
        rank = spearmanr(found.quality, problem.right, nan_policy="omit").statistic
    holds = np.nan
    if found.interval is not None:
        low, high = found.interval
        holds = float(((low <= problem.right) & (problem.right <= high)).mean())
    return {
        "crowd": problem.name,
        "method": method,
        "majority_accuracy": float(1 - wrong.mean()),
        "accuracy": float((found.consensus == problem.true).mean()),
        "AP": float(average_precision_score(wrong, found.doubt)),
        "rank_correlation": float(rank),
        "error": float((found.consensus != problem.true).mean()),
        "estimated_error": found.estimated_error,
        "quality_interval_holds": holds,
        "seconds": seconds,
    }


def can(method: str, problem: Problem) -> bool:
    """Whether a method takes a problem, within minutes."""
    if method == "CROWDLAB":
        return int((problem.votes >= 0).sum(axis=1).max()) > 1  # it refuses one vote an item
    return method not in SLOW or int((problem.votes >= 0).sum()) <= MOST_VOTES


def million() -> dict[str, Any]:
    """A million votes: from arrays to the audit."""
    n, m, k = SPEED
    rng = np.random.default_rng(0)
    true = rng.integers(0, k, n)
    item, annotator = np.repeat(np.arange(n), 3), np.argsort(rng.random((n, 6)), axis=1)[:, :3].ravel() * (m // 6)
    annotator += rng.integers(0, m // 6, len(item))
    right = rng.beta(6, 3, m)
    label = np.where(rng.random(len(item)) < right[annotator], true[item], rng.integers(0, k, len(item)))
    started = time.perf_counter()
    audit = lp.audit(lp.Votes.from_long(item, annotator, label))
    seconds = time.perf_counter() - started
    return {
        "crowd": f"{len(item):,} votes",
        "method": "labelproof, votes alone",
        "accuracy": float((audit.items["consensus"].to_numpy() == true).mean()),
        "rank_correlation": float(spearmanr(audit.noise.quality["quality"], right).statistic),
        "seconds": seconds,
    }


def main() -> None:
    rows = [
        measured(problem, method) for problem in (joined(), encoded(), *crowds()) for method in METHODS if can(method, problem)
    ]
    table = pd.DataFrame(rows).groupby(["crowd", "method"], sort=False).mean().reset_index()  # over the seeds of a crowd
    publish(
        "votes",
        [*table.to_dict("records"), {**dict.fromkeys(table.columns, float("nan")), **million()}],
        "Accuracy of the consensus, AP of wrong majority labels, rank correlation of annotators' quality; simulated crowds: means of two draws.",
    )


if __name__ == "__main__":
    main()
