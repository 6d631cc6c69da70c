"""Wrong spans beside cleanlab's token classification: errors of people in CoNLL-2003, and planted ones, on the same probabilities.

Two taggers, cross-validated by document over everything: logistic regression over words, shapes and neighbours, as a user may have at
hand, and the default tagger. cleanlab has its best of six scores by hindsight, on the mean of the default tagger's models.
"""

from __future__ import annotations

import gzip
import itertools
import json
import time
import warnings
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from cleanlab.token_classification.rank import get_label_quality_scores
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

import labelproof as lp
from _table import data_folder, publish
from labelproof.auditing.folds import CrossValidation
from labelproof.auditing.kinds import AUDITORS
from labelproof.validation.span_schemes import to_spans

TOKEN_SCORES = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
SENTENCE_SCORES = ("min", "softmin")
RATES = (0.03, 0.1)
FOLDS = 3  # of the plain tagger
PLANTED = 3_000  # sentences of the training part


class Problem(NamedTuple):
    """Sentences with given tags, true ones, and where they come from."""

    tokens: list[list[str]]
    given: list[list[str]]
    true: list[list[str]]
    document: np.ndarray
    test: np.ndarray


def read() -> Problem:
    with gzip.open(data_folder() / "conll_ner.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return Problem(
        [row["tokens"] for row in rows],
        [row["given"] for row in rows],
        [row.get("true", row["given"]) for row in rows],
        np.array([f"{row['split']} {row['document']}" for row in rows], dtype=object),
        np.array([row["split"] == "test" for row in rows]),
    )


def taken(problem: Problem, rows: np.ndarray) -> Problem:
    return Problem(*([part[i] for i in rows] for part in problem[:3]), problem.document[rows], problem.test[rows])


def plain_probs(problem: Problem, train: np.ndarray) -> list[np.ndarray]:
    """What a plain linear tagger says of the tags, in sorted order; it may not have seen a sentence that it is asked about."""
    names = [
        [
            [f"{o}={words[i + o].lower() if 0 <= i + o < len(words) else '#'}" for o in (-2, -1, 0, 1, 2)] + _shape(words, i)
            for i in range(len(words))
        ]
        for words in problem.tokens
    ]
    hasher = FeatureHasher(2**18, input_type="string")
    x = hasher.transform(token for sentence in names for token in sentence)
    tags, y = np.unique([tag for one in problem.given for tag in one], return_inverse=True)
    sizes = [len(one) for one in problem.tokens]
    model = LogisticRegression(max_iter=60, tol=1e-3).fit(x[np.repeat(train, sizes)], y[np.repeat(train, sizes)])
    assert len(model.classes_) == len(tags)
    return np.split(model.predict_proba(x), np.cumsum(sizes)[:-1])


def _shape(words: list[str], i: int) -> list[str]:
    word = words[i]
    outline = "".join("X" if c.isupper() else "x" if c.islower() else "d" if c.isdigit() else c for c in word)
    return [f"s={outline}", f"i={i == 0}", *(f"p={word[:n]}" for n in (2, 3)), *(f"e={word[-n:]}" for n in (2, 3))]


def cleanlab_best(problem: Problem, probs: list[np.ndarray], wrong: np.ndarray) -> tuple[float, float, str]:
    """Highest AP of sentences, and of tokens, over all its scores; and which of sentences."""
    place = {tag: i for i, tag in enumerate(sorted({tag for one in problem.given for tag in one}))}
    codes = [[place[tag] for tag in one] for one in problem.given]
    tokens = np.concatenate([np.array(a) != np.array(b) for a, b in zip(problem.given, problem.true, strict=True)])
    found: list[tuple[float, float, str]] = []
    for token, sentence in itertools.product(TOKEN_SCORES, SENTENCE_SCORES):
        scores, each = get_label_quality_scores(codes, probs, token_score_method=token, sentence_score_method=sentence)
        of_tokens = average_precision_score(tokens, -np.concatenate([np.asarray(one) for one in each]))
        found.append((average_precision_score(wrong, -scores), of_tokens, f"{token}, {sentence}"))
    best = max(found)
    return best[0], max(one[1] for one in found), best[2]


def ours(audit: lp.Audit, problem: Problem, rows: np.ndarray) -> dict[str, Any]:
    """AP of sentences and of spans, and the share of wrong sentences beside the truth, of some of the sentences."""
    wrong = np.array([a != b for a, b in zip(problem.given, problem.true, strict=True)])
    items = audit.items["error_probability"].to_numpy()
    estimate, low, high = audit.noise.wrong_sentences
    is_error, error = spans_of(audit, problem, rows)
    return {
        "AP": average_precision_score(wrong[rows], items[rows]),
        "span_AP": average_precision_score(is_error, error),
        "wrong": float(wrong[rows].mean()),
        "mean_error_probability": float(items[rows].mean()),
        "estimate": estimate,
        "low": low,
        "high": high,
    }


def spans_of(audit: lp.Audit, problem: Problem, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each site whether it is wrong, and its error probability; a missing span that no site tells of has probability 0."""
    true = [set(to_spans(problem.true[i], "IOB2")[0]) if rows[i] else set() for i in range(len(problem.true))]
    wrong, error = [], []
    columns = (
        "index",
        "start",
        "end",
        "given_label",
        "suggested_start",
        "suggested_end",
        "suggested_label",
        "error_probability",
    )
    for i, start, end, given, a, b, suggested, probability in audit.issues.select(columns).iter_rows():
        if not rows[i]:
            continue
        here = (start, end, given)
        hit = (a, b, suggested) in true[i] if given is None else here not in true[i]
        wrong.append(hit)
        error.append(probability)
        true[i] -= {here if given is not None and not hit else (a, b, suggested)}
    given_spans = [to_spans(tags, "IOB2")[0] for tags in problem.given]
    left = sum(not any(a < d and c < b for c, d, _ in given_spans[i]) for i, some in enumerate(true) for a, b, _ in some)
    return np.array(wrong + [True] * left), np.array(error + [0.0] * left)


def compared(
    name: str, problem: Problem, probs: list[np.ndarray], audit: lp.Audit, seconds: float, rows: np.ndarray
) -> dict[str, Any]:
    some = np.flatnonzero(rows)
    part = taken(problem, some)
    wrong = np.array([a != b for a, b in zip(part.given, part.true, strict=True)])
    best, tokens, how = cleanlab_best(part, [probs[i] for i in some], wrong)
    found = ours(audit, problem, rows)
    row = {"errors": name, "cleanlab_AP": best, "ratio": found["AP"] / best, "cleanlab_token_AP": tokens, "cleanlab_score": how}
    print(name, row, found, f"{seconds:.0f} s", flush=True)
    return {**row, **found, "seconds": seconds}


def by_document(problem: Problem) -> list[np.ndarray]:
    """What the plain tagger says, cross-validated by document."""
    names, number = np.unique(problem.document.astype(str), return_inverse=True)
    fold = np.random.default_rng(0).permutation(len(names))[number] % FOLDS
    each = [plain_probs(problem, fold != k) for k in range(FOLDS)]
    return [each[k][i] for i, k in enumerate(fold.tolist())]


def audited(problem: Problem, probs: list[np.ndarray]) -> tuple[lp.Audit, float]:
    """The audit with probabilities that are given, and how long it took."""
    started = time.perf_counter()
    audit = lp.audit(dataset_of(problem), probs)
    return audit, time.perf_counter() - started


def dataset_of(problem: Problem) -> lp.Dataset:
    made = AUDITORS["spans"].dataset_of(lp.Spans(problem.tokens, problem.given))
    assert made is not None
    return replace(made, groups=problem.document)


def of_default(problem: Problem) -> tuple[lp.Audit, list[np.ndarray], float]:
    """The audit by the default tagger, cross-validated by document, and the mean of its probabilities."""
    started = time.perf_counter()
    dataset = dataset_of(problem)
    probs = AUDITORS["spans"].predict(dataset, CrossValidation(), estimator=None, encoder="auto").probs
    audit = lp.audit(dataset, probs)
    seconds = time.perf_counter() - started
    return audit, np.split(probs.mean(axis=0), np.cumsum([len(one) for one in problem.tokens])[:-1]), seconds


def main() -> None:
    warnings.simplefilter("ignore")
    problem = read()
    rows = []
    probs = by_document(problem)
    part = np.flatnonzero(problem.test)
    test, own = taken(problem, part), [probs[i] for i in part]
    every = np.ones(len(part), bool)
    rows.append(compared("of people, plain tagger, test part alone", test, own, *audited(test, own), every))
    rows.append(compared("of people, plain tagger", problem, probs, *audited(problem, probs), problem.test))
    found, probs, seconds = of_default(problem)
    rows.append(compared("of people, default tagger", problem, probs, found, seconds, problem.test))
    clean = taken(problem, np.flatnonzero(~problem.test)[:PLANTED])
    for rate in RATES:
        noisy = lp.simulate.spans(clean.given, rate, tokens=clean.tokens, random_state=0)
        spoiled = clean._replace(given=noisy.labels, true=clean.given)
        found, probs, seconds = of_default(spoiled)
        rows.append(
            compared(
                f"planted in {rate:.0%} of spans, default tagger",
                spoiled,
                probs,
                found,
                seconds,
                np.ones(len(clean.tokens), bool),
            )
        )
    publish(
        "spans",
        rows,
        "CoNLL-2003: 1,770 test sentences with errors of people, cross-validated with 14,041 others; AP of wrong sentences and of wrong spans.",
    )


if __name__ == "__main__":
    main()
