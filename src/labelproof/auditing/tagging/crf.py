"""A conditional random field over the tags of a sentence (python-crfsuite, the extra ``spans``)."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

ITERATIONS = 60  # of L-BFGS
PENALTY = 0.1  # of squared weights
LEAST_FREQUENCY = 2  # of a feature

Matrix = npt.NDArray[np.float64]


def crf_probs(train: Sequence[Any], tags: Sequence[Sequence[str]], test: Sequence[Any], columns: Sequence[str]) -> Matrix:
    """Marginal probability of each tag of the tokens of ``test``, shape (tokens, k).

    Parameters
    ----------
    train, test : sequence of lists of lists of str
        Names of the features of each token of each sentence.
    tags : sequence of sequences of str
        Tags of ``train``.
    columns : sequence of length k
        The tags in the order of the columns; one that ``train`` does not have gets zero.
    """
    import pycrfsuite

    trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
    for features, own in zip(train, tags, strict=True):
        if own:
            trainer.append(features, own)
    trainer.set_params({"c1": 0.0, "c2": PENALTY, "max_iterations": ITERATIONS, "feature.minfreq": LEAST_FREQUENCY})
    trainer.set_params({"feature.possible_transitions": True})
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "model.crf")
        trainer.train(file)
        tagger = pycrfsuite.Tagger()
        with tagger.open(file):
            return _marginals(tagger, test, columns)


def _marginals(tagger: Any, sentences: Sequence[Any], columns: Sequence[str]) -> Matrix:
    known = set(tagger.labels())
    found = []
    for features in sentences:
        if features:
            tagger.set(features)
        found += [[tagger.marginal(tag, place) if tag in known else 0.0 for tag in columns] for place in range(len(features))]
    return np.array(found, np.float64).reshape(-1, len(columns))
