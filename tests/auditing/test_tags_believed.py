"""Tags: what an audit says of its own model, what forms it takes, and whether its interval holds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_matrix
from scipy.special import expit
from test_tags import problem

import labelproof as lp
from labelproof.auditing.doubts.base import DoubtWarning
from labelproof.auditing.doubts.of_probabilities import IN_SAMPLE, NO_BETTER, OTHER_ORDER, WORSE
from labelproof.auditing.doubts.of_tags import UNPREDICTED


def test_tied_scores_are_counted_alike_in_any_order_of_the_rows():
    rng = np.random.default_rng(0)
    true = (rng.random((600, 1)) < 0.3).astype(int)
    given = np.where(rng.random(true.shape) < 0.2, 0, true)
    hard = np.where(np.where(rng.random(true.shape) < 0.95, true, 1 - true) == 1, 0.9, 0.1)
    order = np.argsort(-given[:, 0], kind="stable")
    rates = [lp.audit(lp.Tags(given[own]), hard[own]).error_rate for own in (order, order[::-1])]
    assert rates[0].low == rates[1].low == 0.0  # how pure the upper end is cannot be seen
    assert rates[0].high == pytest.approx(rates[1].high)


@pytest.mark.parametrize("k", [4, 15])
def test_rows_and_columns_in_another_order_have_the_same_findings(k):
    rng = np.random.default_rng(0)
    true = (rng.random((400, k)) < 0.3).astype(int)
    given = np.where(true == 1, rng.random(true.shape) >= 0.2, 0).astype(int)
    probs = expit(6 * true - 3 + rng.normal(0, 1.5, true.shape))
    rows, columns = rng.permutation(400), rng.permutation(k)
    plain, other = (
        lp.audit(lp.Tags(g), p, dependence=k == 4)
        for g, p in ((given, probs), (given[rows][:, columns], probs[rows][:, columns]))
    )
    assert np.allclose(plain.error_probability[rows][:, columns], other.error_probability, atol=1e-3)  # lbfgs stops there
    assert plain.error_rate.low == pytest.approx(other.error_rate.low, abs=1e-4)


@pytest.mark.parametrize(("n", "k"), [(50, 3), (100, 8)])
def test_the_interval_holds_the_rate_of_few_items(n, k):
    held = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        true = (rng.random((n, k)) < 0.3).astype(int)
        given = np.where(true == 1, rng.random(true.shape) >= 0.2, 0).astype(int)
        rate = lp.audit(lp.Tags(given), expit(6 * true - 3 + rng.normal(0, 1, true.shape)), dependence=False).error_rate
        held.append(rate.low <= (given != true).mean() <= rate.high)
    assert np.mean(held) >= 0.85


def useless(name: str, true: np.ndarray, probs: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(1)
    return {
        "constant": np.full(probs.shape, 0.3),
        "random": rng.random(probs.shape),
        "upside down": 1 - probs,
        "rows": probs[rng.permutation(len(probs))],
        "columns": probs[:, [1, 0, 2, 3]],
        "one column": np.where(np.arange(4) == 2, 1 - probs, probs),
        "in sample": np.where(true == 1, 0.9, 0.1),
    }[name]


@pytest.mark.parametrize(
    ("name", "kind", "serious"),
    [
        ("constant", NO_BETTER, True),
        ("random", NO_BETTER, True),
        ("rows", NO_BETTER, True),
        ("upside down", WORSE, True),
        ("columns", OTHER_ORDER, True),
        ("one column", UNPREDICTED, False),
        ("in sample", IN_SAMPLE, False),
    ],
)
def test_useless_probabilities_are_doubted(name, kind, serious):
    rng = np.random.default_rng(0)
    true = (rng.random((600, 4)) < [0.2, 0.3, 0.4, 0.3]).astype(int)
    given = np.where(true == 1, rng.random(true.shape) > 0.2, 0).astype(int)
    probs = np.clip(0.8 * true + 0.1 + rng.normal(0, 0.2, true.shape), 0, 1)
    assert lp.audit(lp.Tags(given), probs, dependence=False).doubts == []
    with pytest.warns(DoubtWarning):
        found = lp.audit(lp.Tags(given), useless(name, given, probs), dependence=False)
    assert [(doubt.kind, doubt.serious) for doubt in found.doubts] == [(kind, serious)]
    assert found.believed != serious


def test_tags_of_few_items_are_doubted_and_a_perfect_model_says_none_is_missing():
    rng = np.random.default_rng(0)
    true = np.zeros((1000, 3), int)
    for j, number in enumerate((3, 6, 9)):
        true[:number, j] = 1
    with pytest.warns(DoubtWarning, match=r"3 tags \(0, 1, 2\) are given to fewer than 10 items"):
        found = lp.audit(lp.Tags(true), np.where(true == 1, 0.95, 0.02 * rng.random(true.shape)))
    assert found.noise.missing_rates.max() < 0.01
    assert found.error_rate.estimate < 1e-3


def test_frames_name_the_tags_and_are_matched_by_name():
    given, probs, _, _ = problem(n=300)
    names = ["sky", "sea", "sand", "sun"]
    tags, frame = pd.DataFrame(given, columns=names), pd.DataFrame(probs, columns=names)
    found = lp.audit(lp.Tags(tags), frame[["sun", "sky", "sand", "sea"]])
    assert found.labels.classes == tuple(names)
    plain = lp.audit(lp.Tags(given, names=names), probs)
    assert np.array_equal(found.error_probability, plain.error_probability)
    polars = lp.audit(lp.Tags(pl.DataFrame(tags)), pl.DataFrame(frame)[["sun", "sky", "sand", "sea"]])
    assert np.array_equal(polars.error_probability, plain.error_probability)
    with pytest.raises(lp.BadInput, match="different pandas indices: row 0"):
        lp.audit(lp.Tags(tags), frame.sample(frac=1, random_state=0))
    with pytest.raises(lp.BadInput, match=r"a column 'see', which is no tag. Did you mean 'sea'\?"):
        lp.audit(lp.Tags(tags), frame.rename(columns={"sea": "see"}))
    with pytest.raises(lp.BadInput, match="pred_probs has a column twice"):
        lp.audit(lp.Tags(tags), frame.rename(columns={"sea": "sky"}))


def test_lists_of_names_sparse_matrices_and_numpy_names(tmp_path):
    lists = lp.Tags([["sky"], ["sea", "sun"], []])
    assert (lists.classes, lists.matrix.tolist()) == (("sea", "sky", "sun"), [[0, 1, 0], [1, 0, 1], [0, 0, 0]])
    assert lp.Tags(pd.Series([["sky"], ["sea"]]), names=["sky", "sea"]).matrix.tolist() == [[1, 0], [0, 1]]
    with pytest.raises(lp.BadInput, match=r"'skyy', which is not in names. Did you mean 'sky'"):
        lp.Tags([["skyy"]], names=["sky", "sea"])
    given, probs, _, _ = problem(n=300)
    sparse = lp.audit(lp.Tags(csr_matrix(given)), csr_matrix(probs))
    assert np.array_equal(sparse.error_probability, lp.audit(lp.Tags(given), probs).error_probability)
    lp.audit(lp.Tags(given, names=np.arange(4)), probs).save(tmp_path / "numbers")
    assert lp.Audit.load(tmp_path / "numbers").labels.classes == (0, 1, 2, 3)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([("a", 1), "b", "c", "d"], r"names holds \('a', 1\), a tuple"),
        ({"a", "b", "c", "d"}, "names is 'set'. Give a list"),
        (5, "names is 'int'"),
        ("abcd", "names is 'str'"),
        (["a", "", "b", "c"], "empty name for tag 1"),
    ],
)
def test_names_that_cannot_be_read_back_are_refused(names, message):
    with pytest.raises(lp.BadInput, match=message):
        lp.Tags(np.eye(4, dtype=int), names=names)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g, p: (pd.DataFrame(g).astype("Int64").mask(pd.DataFrame(g) == 1), p), "is <NA>. A tag is 1"),
        (lambda g, p: (g, pd.DataFrame(p).astype("Float64").mask(pd.DataFrame(p) > 0.9)), "is <NA>. Give probabilities"),
        (lambda g, p: (g, np.full(g.shape, "x")), "row 0, column 0 is 'x'"),
        (lambda g, p: (g, p.astype(complex)), r"column 0 is \(0"),
        (lambda g, p: (g, np.ma.masked_array(p, p > 0.9)), r"pred_probs row \d+ is masked"),
        (lambda g, p: (np.ma.masked_array(g, g == 1), p), r"tags row \d+ is masked"),
    ],
)
def test_values_that_are_no_numbers_are_named(change, message):
    given, probs, _, _ = problem(n=100)
    with pytest.raises(lp.BadInput, match=message):
        lp.audit_tags(*change(given, probs))
