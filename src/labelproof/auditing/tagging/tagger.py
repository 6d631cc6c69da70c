"""Out-of-sample probabilities of the tags of each token."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.auditing.folds import CrossValidation
from labelproof.auditing.model_used import ModelUsed
from labelproof.auditing.out_of_sample import OutOfSample
from labelproof.auditing.spans.tokens import states_of
from labelproof.auditing.tagging.crf import crf_probs
from labelproof.auditing.tagging.linear import hashed, linear_probs
from labelproof.auditing.tagging.words import features_of_all
from labelproof.data.dataset import Dataset
from labelproof.errors import BadInput, LabelproofWarning
from labelproof.extras import command, is_installed
from labelproof.labels.spans import Spans
from labelproof.threads import usable
from labelproof.validation import AnyArray, IntArray, is_missing, seed_from

LEAST = 1e-12
CRF = "pycrfsuite"
MANY_TOKENS = 20_000  # which take longer than processes to start
Matrix = npt.NDArray[np.float64]


def cross_validated_tags(dataset: Dataset, how: CrossValidation) -> OutOfSample:
    """Predict the tags of each token by two models that saw neither the sentence nor others of its group.

    A conditional random field (if python-crfsuite is installed) and multinomial logistic regression, over words, shapes,
    affixes, neighbours, the position in the sentence, and the spelling of the word elsewhere in the document.

    Parameters
    ----------
    dataset : Dataset
        Of `Spans`; its groups are documents.
    how : CrossValidation

    Returns
    -------
    OutOfSample
        ``probs`` has shape (models, tokens, 2 c + 1), of the states of `labelproof.auditing.spans.tokens`.

    Raises
    ------
    BadInput
        If there are fewer than two sentences or groups with a token.

    Warns
    -----
    LabelproofWarning
        If python-crfsuite is not installed.
    """
    started = time.perf_counter()
    labels = dataset.labels
    assert isinstance(labels, Spans)
    sizes = [len(one) for one in labels.tokens]
    offsets, states = np.r_[0, np.cumsum(sizes)].astype(np.int64), 2 * len(labels.classes) + 1
    codes = states_of(labels.owner, labels.start, labels.end, labels.values, offsets, len(labels.classes))
    fold = sentence_folds(labels, dataset.groups, how)
    documents = range(labels.n) if dataset.groups is None else dataset.groups.tolist()
    features = features_of_all(labels.tokens, documents)
    own = np.repeat(fold, sizes)
    members: dict[str, Callable[[int], Matrix]] = {}
    if is_installed(CRF):
        members["conditional random field"] = partial(
            _crf_fold, labels.tokens, documents, np.split(codes, offsets[1:-1]), fold, states
        )
    else:
        warnings.warn(
            f"python-crfsuite is not installed, so logistic regression tags the sentences. A conditional random field would find more errors. Run: {command(CRF)}",
            LabelproofWarning,
            stacklevel=2,
        )
    members["logistic regression"] = partial(_linear_fold, hashed(features), codes, own, states)
    folds = range(int(fold.max()) + 1)
    jobs = [partial(run, k) for run in members.values() for k in folds]
    probs = np.zeros((len(members), len(codes), states))
    for job, found in enumerate(_mapped(how, len(codes))(_done, jobs)):
        place, k = divmod(job, len(folds))
        probs[place, own == k] = found
    probs = np.maximum(probs, LEAST)
    probs /= probs.sum(axis=2, keepdims=True)
    mean = probs.mean(axis=0)
    model = ModelUsed(
        name=f"{' and '.join(members)} over words, shapes and contexts",
        encoder=None,
        accuracy=round(float((mean.argmax(axis=1) == codes).mean()), 4),
        loss=round(float(-np.log(mean[np.arange(len(codes)), codes]).mean()), 4),
        n_folds=len(folds),
        n_repeats=1,
        seconds=round(time.perf_counter() - started, 2),
    )
    return OutOfSample(probs, model)


def _mapped(how: CrossValidation, tokens: int) -> Any:
    """As requested; by default, many tokens are processed in as many processes as there are cores."""
    told = how.n_jobs is not None or how.map_folds is not map or tokens < MANY_TOKENS
    return how.mapped if told else CrossValidation(n_jobs=usable()).mapped


def _done(job: Callable[[], Matrix]) -> Matrix:
    return job()


def _linear_fold(x: Any, codes: IntArray, own: IntArray, states: int, k: int) -> Matrix:
    return linear_probs(x[own != k], codes[own != k], x[own == k], states)


def _crf_fold(sentences: list[list[str]], documents: Any, codes: list[IntArray], fold: IntArray, states: int, k: int) -> Matrix:
    """One fold; features are made again, which takes less time than to hand them to another process."""
    features = features_of_all(sentences, documents)
    train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
    tags = [[str(code) for code in codes[i].tolist()] for i in train]
    return crf_probs([features[i] for i in train], tags, [features[i] for i in test], [str(code) for code in range(states)])


def sentence_folds(labels: Spans, groups: AnyArray | None, how: CrossValidation) -> IntArray:
    """The fold of each sentence: groups, and sentences with the same words, stay in one; shape (n,)."""
    if groups is None:
        names = [" ".join(tokens) for tokens in labels.tokens]
    else:
        names = [f"\0{row}" if is_missing(group) else str(group) for row, group in enumerate(groups)]
    number = np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)[1]
    count = int(number.max()) + 1 if len(number) else 0
    if count < 2:
        raise BadInput("All sentences are in one group or are copies of one, so none is left to test on. Give pred_probs.")
    n_folds = min(how.n_folds, count)
    size = np.bincount(number, [len(tokens) for tokens in labels.tokens])
    order = np.random.default_rng(seed_from(how.random_state)).permutation(count)
    order = order[np.argsort(-size[order], kind="stable")]
    of_group = np.zeros(count, np.int64)  # dealt out by size back and forth, so that folds have similar sizes
    of_group[order] = np.r_[np.arange(n_folds), np.arange(n_folds)[::-1]][np.arange(count) % (2 * n_folds)]
    return of_group[number]
