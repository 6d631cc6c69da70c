"""Nearest class means: probabilities by hand, the sharpness that leaving out favours, and many classes in little memory."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from labelproof.auditing.centroids import CentroidClassifier
from labelproof.auditing.default_models import default_model
from labelproof.data.dataset import Dataset, Shown
from labelproof.errors import LabelproofWarning
from labelproof.labels.classes import Classes


def test_probabilities_by_hand():
    x = csr_matrix(np.array([[1.0, 0], [1, 0], [0, 1]]))
    model = CentroidClassifier(temperatures=[2.0]).fit(x, ["a", "a", "b"])
    weights = np.array([[2 / 3 * np.exp(2.0), 1 / 3], [2 / 3 * np.exp(2 * 0.6), 1 / 3 * np.exp(2 * 0.8)]])
    expected = weights / weights.sum(axis=1, keepdims=True)
    assert np.allclose(model.predict_proba(csr_matrix(np.array([[1.0, 0], [0.6, 0.8]]))), expected)
    assert model.predict(x).tolist() == ["a", "a", "b"]


def test_the_sharpness_is_the_one_under_which_rows_left_out_are_likeliest():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 30)
    x = np.eye(3)[y] + rng.normal(0, 0.5, (90, 3))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    grid = [1.0, 3.0, 10.0, 30.0, 100.0]
    likelihood = []
    for t in grid:
        total = 0.0
        for i in range(90):
            sums = np.stack([x[(y == c) & (np.arange(90) != i)].sum(axis=0) for c in range(3)])
            scores = t * (sums / np.linalg.norm(sums, axis=1, keepdims=True)) @ x[i] + np.log(1 / 3)
            total += scores[y[i]] - np.log(np.exp(scores).sum())
        likelihood.append(total)
    assert CentroidClassifier(temperatures=grid).fit(csr_matrix(x), y).temperature_ == grid[int(np.argmax(likelihood))]


def test_texts_of_very_many_classes_are_told_by_means_and_it_is_said():
    k, each = 400, 5
    rng = np.random.default_rng(0)
    texts = np.array(
        [f"topic{c} " + " ".join(f"w{v}" for v in rng.integers(0, 30_000, 8)) for c in range(k) for _ in range(each)], object
    )
    data = Dataset(
        texts,
        Classes.of_codes(np.repeat(np.arange(k), each), range(k)),
        np.arange(k * each),
        lambda i: Shown(text=texts[i]),
        "text",
    )
    with pytest.warns(LabelproofWarning, match="400 classes are too many for logistic regression"):
        model = default_model(data)
    assert isinstance(model[-1], CentroidClassifier)
    assert model.fit(data.x, data.given).score(data.x, data.given) == 1.0
