"""Average precision of tags and of groups of them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

import labelproof as lp


def test_groups_are_means_of_their_tags():
    rng = np.random.default_rng(0)
    true, scores = (rng.random((50, 5)) < 0.3).astype(int), rng.normal(size=(50, 5))
    true[:, 3] = 0  # a tag that nobody has counts nowhere
    found = lp.tag_precision(true, scores, groups=["NN", "VB", "NN", "VB", "NN"])
    own = [average_precision_score(true[:, j], scores[:, j]) for j in (0, 1, 2, 4)]
    assert np.isnan(found.each[3])
    assert found.groups == {"NN": pytest.approx(np.mean([own[0], own[2], own[3]])), "VB": pytest.approx(own[1])}
    assert found.sizes == {"NN": 3, "VB": 1}
    assert found.mean == pytest.approx(np.mean(own))


def test_what_cannot_be_measured():
    for true, scores, groups, message in (
        ([[1, 0]], [[1, 2, 3]], None, "Give one finite number"),
        ([[1, 0]], [[1, np.nan]], None, "Give one finite number"),
        ([[0, 0]], [[1, 2]], None, "No item has a tag"),
        ([[1, 0]], [[1, 2]], ["a"], "groups has 1 entries"),
    ):
        with pytest.raises(lp.BadInput, match=message):
            lp.tag_precision(true, scores, groups=groups)
