"""Bad arrays are named, with the row and the mend; good ones of every kind are accepted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from labelproof.errors import BadInput, LabelproofWarning, did_you_mean
from labelproof.validation import (
    check_features,
    check_ids,
    check_labels,
    check_labels_and_probs,
    check_pred_probs,
    check_rate,
    check_tags,
    check_transition,
    to_numpy,
)
from sources import tensor

P = np.array([[0.7, 0.3], [0.2, 0.8], [0.5, 0.5]])


@pytest.mark.parametrize(
    "make",
    [list, np.asarray, pd.Series, pl.Series, tensor, lambda v: pd.DataFrame({"y": v}), lambda v: np.array(v)[:, None]],
)
def test_labels_of_every_kind_of_container(make):
    coded = check_labels(make([1, 0, 1]))
    assert coded.codes.tolist() == [1, 0, 1]
    assert coded.classes == (0, 1)


@pytest.mark.parametrize("make", [lambda v: v.tolist(), pd.DataFrame, pl.DataFrame, tensor, np.float32])
def test_probabilities_of_every_kind_of_container(make):
    assert np.allclose(check_pred_probs(make(P)), P)


@pytest.mark.parametrize(
    ("labels", "classes", "codes"),
    [
        (["b", "a", "b"], ("a", "b"), [1, 0, 1]),
        ([1, 2, 1], (1, 2), [0, 1, 0]),
        ([10, 30, 10], (10, 30), [0, 1, 0]),
        ([True, False, True], (False, True), [1, 0, 1]),
        ([1.0, 0.0, np.nan], (0, 1), [1, 0, -1]),
        ([1, 0, -1], (-1, 0, 1), [2, 1, 0]),
        ([-1, 1, 1], (-1, 1), [0, 1, 1]),
        (np.array([2**63 + 5, 1, 2**63 + 5], np.uint64), ("1", str(2**63 + 5)), [1, 0, 1]),
        (np.array(["2020-01-02", "NaT", "2020-01-01"], "M8[D]"), ("2020-01-01", "2020-01-02"), [1, -1, 0]),
        (pd.Series(["x", pd.NA, "y"], dtype="string"), ("x", "y"), [0, -1, 1]),
        (pd.Series([1, pd.NA, 0], dtype="Int64"), (0, 1), [1, -1, 0]),
        (pd.Series([True, pd.NA, False], dtype="boolean"), (False, True), [1, -1, 0]),
        (pd.Series(["b", None, "a"], dtype="category"), ("a", "b"), [1, -1, 0]),
        (pl.Series(["b", None, "a"], dtype=pl.Categorical), ("a", "b"), [1, -1, 0]),
        (pl.Series(["b", None, "a"], dtype=pl.Enum(["b", "a"])), ("a", "b"), [1, -1, 0]),
        (pa.array(["b", None, "a"]), ("a", "b"), [1, -1, 0]),
        (pa.array([1, None, 0]), (0, 1), [1, -1, 0]),
        (pa.chunked_array([["b"], ["a"]]).dictionary_encode(), ("a", "b"), [1, 0]),
        (pa.array([True, None, False]), (False, True), [1, -1, 0]),
        (np.array([1, 0, 1], np.float16), (0, 1), [1, 0, 1]),
        (["a", "", "b"], ("a", "b"), [0, -1, 1]),
        (["a", None, "b"], ("a", "b"), [0, -1, 1]),
        ([1, None, 0], (0, 1), [1, -1, 0]),
        ([True, None, False], (False, True), [1, -1, 0]),
    ],
)
def test_labels_are_coded_into_sorted_classes(labels, classes, codes):
    coded = check_labels(labels)
    assert coded.classes == classes
    assert coded.codes.tolist() == codes


def test_integers_within_the_columns_are_column_numbers_so_a_class_may_be_absent():
    coded = check_labels([0, 2, 0], n_classes=4)
    assert coded.classes == (0, 1, 2, 3)
    assert coded.codes.tolist() == [0, 2, 0]


def test_minus_one_is_unlabelled_unless_it_is_a_class():
    assert check_labels([0, -1, 1], classes=[0, 1]).codes.tolist() == [0, -1, 1]
    assert check_labels([1, -1, 1], classes=[-1, 1]).codes.tolist() == [1, 0, 1]


def test_minus_one_is_unlabelled_where_the_columns_leave_no_other_reading():
    assert check_labels([-1, 0, 1], n_classes=2).codes.tolist() == [-1, 0, 1]
    assert check_labels([-1, 0, 1], n_classes=3).classes == (-1, 0, 1)
    assert check_labels([-1, 0, 1], n_classes=4).codes.tolist() == [-1, 0, 1]
    assert check_labels([-1, 0, 1], missing=[-1]).classes == (0, 1)
    with pytest.warns(LabelproofWarning, match="--missing -1"):
        assert check_labels([-1, 0, 1, 2]).classes == (-1, 0, 1, 2)


def test_words_for_a_missing_label_are_told_and_can_be_kept():
    given = ["a", "NA", "b", "n/a", "Null"]
    with pytest.warns(LabelproofWarning, match=r"'NA', 'Null', 'n/a' means no label here \(3 items\).*--missing ''"):
        assert check_labels(given).codes.tolist() == [0, -1, 1, -1, -1]
    assert check_labels(given, missing=()).classes == ("NA", "Null", "a", "b", "n/a")
    assert check_labels(given, missing=["b"]).codes.tolist() == [2, 0, -1, 3, 1]
    with pytest.warns(LabelproofWarning):
        assert check_labels(given, classes=["NA", "a", "b"]).codes.tolist() == [1, 0, 2, -1, -1]


@pytest.mark.parametrize(
    "make", [lambda v: pa.table({"a": v[:, 0], "b": v[:, 1]}), lambda v: tensor(v).bfloat16(), lambda v: tensor(v).to_sparse(),
             lambda v: v.astype(np.float16), lambda v: v.astype(np.longdouble)])  # fmt: skip
def test_probabilities_of_other_libraries_and_precisions(make):
    probs = check_pred_probs(make(np.array([[0.75, 0.25], [0.0, 1.0]])))
    assert probs.dtype in (np.float32, np.float64)
    assert probs.tolist() == [[0.75, 0.25], [0.0, 1.0]]


def test_labels_from_one_map_to_columns_from_zero():
    coded, _ = check_labels_and_probs([1, 2, 1], P)
    assert coded.codes.tolist() == [0, 1, 0]


def test_columns_follow_the_order_of_classes():
    coded, probs = check_labels_and_probs(["b", "a", "a"], P, classes=["b", "a"])
    assert coded.classes == ("a", "b")
    assert np.allclose(probs, P[:, ::-1])


def test_columns_follow_the_names_of_a_frame():
    frame = pd.DataFrame(P, columns=["dog", "cat"])
    coded, probs = check_labels_and_probs(["cat", "dog", "cat"], frame)
    assert coded.classes == ("cat", "dog")
    assert np.allclose(probs, P[:, ::-1])
    _, probs = check_labels_and_probs(["cat", "dog", "cat"], pl.DataFrame({"dog": P[:, 0], "cat": P[:, 1]}))
    assert np.allclose(probs, P[:, ::-1])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "empty"),
        (["a", "a"], "only 'a'"),
        ([np.nan, np.nan], "no label at all"),
        (np.eye(3), "one-hot"),
        (np.array([[1, 1, 0], [0, 1, 1]]), "tag matrix"),
        (np.zeros((2, 3, 4)), "shape"),
        ([0.5, 1.0], "row 0 is 0.5"),
        (np.array([b"a", b"b"]), "holds bytes"),
        (np.array([b"a", b"b"], object), "row 0 is a bytes"),
        (np.array([["a"], ["b", "c"]], dtype=object), "row 0 is a list"),
        (np.arange(24) / 7, "24 different values in 24 items"),
        ([f"id{i}" for i in range(24)], "24 different values in 24 items"),
        ([[1], [1, 2]], "ragged"),
        ("cat", "not an array"),
    ],
)
def test_bad_labels(labels, message):
    with pytest.raises(BadInput, match=message):
        check_labels(labels)


def test_a_label_outside_the_classes_names_row_and_nearest_class():
    with pytest.raises(BadInput, match=r"row 1 is 'catt'.*Did you mean 'cat'"):
        check_labels(["dog", "catt"], classes=["cat", "dog"])
    with pytest.raises(BadInput, match=r"label 7, outside 0\.\.2"):
        check_labels_and_probs([0, 7, 7], np.full((3, 3), 1 / 3))
    with pytest.raises(BadInput, match="3 different labels"):
        check_labels_and_probs(["a", "b", "c"], P)


@pytest.mark.parametrize(
    ("probs", "message"),
    [
        (np.empty((0, 2)), "empty"),
        (np.ones((3, 1)), "for two classes or more"),
        (np.array([0.2, 0.8]), "column_stack"),
        (np.array([[0.5, 0.5], [np.nan, 1.0]]), "row 1, column 0 is nan"),
        (np.array([[0.5, 0.5], [0.5, 0.6]]), r"row 1 sums to 1\.1000"),
        (np.array([[2.0, -1.0]]), "softmax"),
        (np.array([["a", "b"]]), "dtype"),
    ],
)
def test_bad_probabilities(probs, message):
    with pytest.raises(BadInput, match=message):
        check_pred_probs(probs)


def test_row_sums_may_be_off_by_a_thousandth_and_no_more():
    check_pred_probs([[0.5, 0.5009]])
    with pytest.raises(BadInput, match="sums to"):
        check_pred_probs([[0.5, 0.5011]])


def test_the_first_bad_row_is_named_past_the_first_block():
    probs = np.full((70_000, 2), 0.5)
    probs[69_000] = (0.5, 0.9)
    with pytest.raises(BadInput, match="row 69000 sums"):
        check_pred_probs(probs)


def test_lengths_indices_and_class_counts_must_agree():
    with pytest.raises(BadInput, match="labels has 2 rows but pred_probs has 3"):
        check_labels_and_probs([0, 1], P)
    with pytest.raises(BadInput, match="3 entries but pred_probs has 2 columns"):
        check_labels_and_probs([0, 1, 1], P, classes=[0, 1, 2])
    with pytest.raises(BadInput, match="different pandas indices: row 0"):
        check_labels_and_probs(pd.Series([0, 1, 1], index=[2, 1, 0]), pd.DataFrame(P))
    with pytest.raises(BadInput, match="2 different ones"):
        check_labels([0, 1], classes=[0, 1, 1])


def test_a_memory_mapped_matrix_is_not_copied(tmp_path):
    np.save(tmp_path / "p.npy", P.astype(np.float32))
    mapped = np.load(tmp_path / "p.npy", mmap_mode="r")
    checked = check_pred_probs(mapped)
    assert np.shares_memory(checked, mapped)
    assert checked.dtype == np.float32


def test_transposed_transitions_are_recognised():
    matrix = np.array([[0.9, 0.3], [0.1, 0.7]])
    with pytest.raises(BadInput, match="transpose it"):
        check_transition(matrix)
    assert np.allclose(check_transition(matrix.T), matrix.T)
    with pytest.raises(BadInput, match="square"):
        check_transition(np.ones((2, 3)) / 3)
    with pytest.raises(BadInput, match="row 0"):
        check_transition([[1.5, -0.5], [0, 1]])


def test_ids_must_be_unique():
    assert check_ids(None, 3).tolist() == [0, 1, 2]
    with pytest.raises(BadInput, match="'a' in rows 0 and 2"):
        check_ids(["a", "b", "a"], 3)
    with pytest.raises(BadInput, match=r"shape \(3,\)"):
        check_ids(["a"], 3)


def test_rates_tags_and_features():
    assert check_rate(np.float32(0.5)) == 0.5
    for bad in (-0.1, 1.1, True, "x"):
        with pytest.raises(BadInput, match="between 0 and 1"):
            check_rate(bad)
    with pytest.raises(BadInput, match="row 1"):
        check_tags([[0, 1], [2, 0]])
    with pytest.raises(BadInput, match="row 1 holds NaN"):
        check_features(np.array([[1.0], [np.inf]]))


def test_nearest_names():
    assert did_you_mean("sentimnt", ["text", "sentiment"]) == "Did you mean 'sentiment'? "
    assert did_you_mean("zzz", ["text"]) == ""


def test_tensors_of_any_precision_and_with_a_gradient():
    coded = check_labels(tensor([1.0, 0.0, 1.0]).bfloat16())
    assert (coded.codes.tolist(), coded.classes) == ([1, 0, 1], (0, 1))
    assert to_numpy(tensor([1.0, 1.0], requires_grad=True), "x").tolist() == [1.0, 1.0]
