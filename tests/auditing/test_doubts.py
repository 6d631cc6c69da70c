"""Columns that match the labels far better in another order are told; noise, however heavy, is not taken for that."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import labelproof as lp
from labelproof.auditing.doubts.of_probabilities import of_columns, of_reading
from labelproof.auditing.fold import sample


def doubts(given, probs, classes):
    return of_columns(sample(probs, given, 0, len(given)), classes, probs.argmax(axis=1))


def probs_of(codes, k):
    return np.where(np.eye(k, dtype=bool)[codes], 0.9, 0.1 / (k - 1))


def test_another_order_is_found_and_named():
    true = np.random.default_rng(0).integers(0, 3, 300)
    order = [2, 0, 1]  # column j stands for class order[j]
    probs = probs_of(true, 3)[:, order]
    (doubt,) = doubts(true, probs, ("high", "low", "mid"))
    assert doubt.kind == "columns in another order"
    assert doubt.evidence == {"agree_now": 0.0, "agree_best": 1.0, "order": ["mid", "high", "low"]}
    assert "classes=[mid, high, low]" in doubt.text
    names = np.array(["high", "low", "mid"])
    with pytest.warns(lp.DoubtWarning, match="another order"):
        lp.audit(names[true], probs)
    mended = lp.audit(names[true], probs, classes=["mid", "high", "low"])
    assert mended.doubts == []
    assert mended.error_rate.estimate < 0.05


def test_labels_that_count_from_one_with_the_last_class_absent():
    y = np.random.default_rng(0).integers(0, 2, 200)
    probs = np.c_[probs_of(y, 2) * 0.99, np.full(200, 0.01)]
    with pytest.warns(lp.DoubtWarning, match=r"count from 1: pass classes=\[1, 2, 3\]"):
        lp.audit(y + 1, probs)


def test_an_ordered_category_whose_columns_are_in_its_own_order():
    y = np.random.default_rng(0).integers(0, 3, 300)
    names = ["low", "mid", "high"]
    given = pd.Series(pd.Categorical(np.array(names)[y], categories=names, ordered=True))
    with pytest.warns(lp.DoubtWarning, match="stand for low, mid, high"):
        lp.audit(given, probs_of(y, 3))


@pytest.mark.parametrize("rate", [0.2, 0.45, 0.6])
def test_noise_is_no_other_order(rate):
    true = np.random.default_rng(1).integers(0, 4, 1000)
    noisy = lp.simulate.symmetric(true, rate, random_state=0).labels
    assert doubts(noisy, probs_of(true, 4), tuple(range(4))) == []


def test_random_probabilities_and_few_labels_are_no_other_order():
    rng = np.random.default_rng(2)
    assert doubts(rng.integers(0, 3, 500), rng.dirichlet(np.ones(3), 500), (0, 1, 2)) == []
    assert doubts(np.array([0, 1] * 5), probs_of(np.array([1, 0] * 5), 2), (0, 1)) == []


# ------------------------------------------------------------------------------------------- each raised, and not raised on sound data


def kinds_of(audit):
    return [doubt.kind for doubt in audit.doubts]


def sound(n=600, k=3, seed=0, rate=0.1):
    rng = np.random.default_rng(seed)
    true = rng.integers(0, k, n)
    logits = rng.normal(size=(n, k)) + 3 * np.eye(k)[true]
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return lp.simulate.symmetric(true, rate, n_classes=k, random_state=seed).labels, probs


@pytest.mark.parametrize("seed", range(5))
def test_sound_data_raise_none(seed):
    assert lp.audit(*sound(seed=seed)).doubts == []


def test_random_probabilities_are_no_estimate():
    rng = np.random.default_rng(0)
    with pytest.warns(lp.DoubtWarning, match="class frequencies"):
        found = lp.audit(rng.integers(0, 4, 800), rng.dirichlet(np.ones(4), 800))
    assert kinds_of(found) == ["no better than the class frequencies"]
    assert found.doubts[0].serious and not found.believed
    assert "cannot be estimated" in repr(found) and "cannot be estimated" in found._repr_html_()
    assert found.error_rate.estimate >= 0  # there are numbers all the same
    assert found.summary["doubts"][0]["serious"]


def test_rows_in_another_order_are_no_estimate():
    labels, probs = sound()
    with pytest.warns(lp.DoubtWarning, match="same order"):
        assert not lp.audit(labels, np.roll(probs, 7, axis=0)).believed


def test_a_weak_model_that_knows_something_is_believed():
    labels, probs = sound(n=1500)
    weak = 0.75 / 3 + 0.25 * probs
    assert lp.audit(labels, weak).believed


def test_two_classes_upside_down():
    rng = np.random.default_rng(0)
    given = rng.integers(0, 2, 400)
    score = rng.normal(size=400) - 0.7 * given  # the other way round, and too weakly for columns in another order
    probs = 1 / (1 + np.exp(-0.3 * np.c_[-score, score]))
    with pytest.warns(lp.DoubtWarning, match="worse than chance"):
        assert lp.audit(given, probs).doubts[0].kind == "worse than chance"


def test_a_forest_that_saw_its_labels():
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier

    x, y = make_classification(1500, 12, n_informative=8, class_sep=1.5, flip_y=0, random_state=0)
    given = lp.simulate.symmetric(y, 0.1, random_state=0).labels
    seen = RandomForestClassifier(100, random_state=0).fit(x, given).predict_proba(x)
    with pytest.warns(lp.DoubtWarning, match="just above one half"):
        found = lp.audit(given, seen)
    assert kinds_of(found) == ["probabilities look in-sample"] and not found.believed
    labels, probs = sound(rate=0.0, n=1000)
    sharper = probs**3 / (probs**3).sum(axis=1, keepdims=True)
    clean = np.where(probs.argmax(axis=1) == labels, labels, probs.argmax(axis=1))
    with pytest.warns(lp.DoubtWarning, match="Either nearly all labels are right"):
        found = lp.audit(clean, sharper)
    assert kinds_of(found) == ["probabilities look in-sample"] and found.believed


def test_a_class_of_few_labels_and_one_that_is_never_predicted():
    labels, probs = sound(n=900, k=4)
    few = np.where((labels == 3) & (np.cumsum(labels == 3) > 6), 2, labels)
    with pytest.warns(lp.DoubtWarning, match="has fewer than 10 labels"):
        assert "a class of few labels" in kinds_of(lp.audit(few, probs))
    never = probs * np.array([1, 1, 1, 0.001])
    never /= never.sum(axis=1, keepdims=True)
    with pytest.warns(lp.DoubtWarning, match="never predicts the class 3"):
        assert kinds_of(lp.audit(labels, never)) == ["a class is never predicted"]


def test_two_classes_that_look_alike():
    labels, probs = sound(n=1500, k=4)
    rng = np.random.default_rng(1)
    both = probs[:, 2] + probs[:, 3]
    share = rng.uniform(0.3, 0.7, 1500)
    alike = np.c_[probs[:, :2], both * share, both * (1 - share)]
    with pytest.warns(lp.DoubtWarning, match="cannot distinguish “2” from “3”"):
        found = lp.audit(labels, alike)
    assert kinds_of(found) == ["two classes that the model cannot tell apart"]
    assert [pair[:2] for pair in found.doubts[0].evidence["pairs"]] == [["2", "3"]]


def test_more_items_without_a_label_than_with_one():
    labels, probs = sound()
    some = np.where(np.arange(600) % 5 < 3, -1, labels)
    with pytest.warns(lp.DoubtWarning, match="360 of 600 items have no label"):
        assert kinds_of(lp.audit(some, probs)) == ["most items have no label"]
    assert lp.audit(np.where(np.arange(600) % 5 < 2, -1, labels), probs).doubts == []


def texts(labels, words):
    return pd.DataFrame({"text": words, "y": np.array(["a", "b", "c"])[labels]})


def test_items_that_are_empty_few_or_contradict_each_other():
    labels, probs = sound()
    empty = texts(labels, [f"word {i}" if i % 4 == 0 else "  …" for i in range(600)])
    with pytest.warns(lp.DoubtWarning, match="75% of the items are empty"):
        assert "most items are empty" in kinds_of(lp.audit(empty, probs, label="y", text="text"))
    repeated = texts(labels, [f"word {z} {i % 20}" for i, z in enumerate(labels)])
    with pytest.warns(lp.DoubtWarning, match="Only 60 of 600"):
        assert kinds_of(lp.audit(repeated, probs, label="y", text="text")) == ["few different items"]
    both = texts(labels, [f"word {i // 2}" for i in range(600)])
    with pytest.warns(lp.DoubtWarning, match="most copies of the same item|both sides|GroupKFold"):
        found = lp.audit(both, probs, label="y", text="text")
    assert "copies with different labels" in kinds_of(found) and not found.believed
    different = texts(labels, [f"word {i}" for i in range(600)])
    assert lp.audit(different, probs, label="y", text="text").doubts == []


def test_copies_that_may_be_on_both_sides_of_a_fold():
    labels, probs = sound()
    doubled = np.repeat(np.arange(300), 2)
    frame = texts(labels[doubled], [f"word {i}" for i in doubled])
    with pytest.warns(lp.DoubtWarning, match="GroupKFold"):
        assert kinds_of(lp.audit(frame, probs[doubled], label="y", text="text")) == ["copies may be on both sides of a fold"]


def test_serious_doubts_come_first_and_survive_saving(tmp_path):
    rng = np.random.default_rng(0)
    given = rng.integers(0, 3, 300)
    given[given == 2] = np.where(np.cumsum(given == 2)[given == 2] > 5, 0, 2)
    with pytest.warns(lp.DoubtWarning):
        found = lp.audit(given, rng.dirichlet(np.ones(3), 300))
    assert [doubt.serious for doubt in found.doubts] == [True, False]
    found.save(tmp_path / "a")
    again = lp.Audit.load(tmp_path / "a")
    assert again.doubts == found.doubts and not again.believed
    found.to_html(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "cannot be estimated" in page and "Read this first" in page


def test_data_unlike_any_that_were_simulated_and_a_wide_interval():
    rng = np.random.default_rng(0)
    given = np.repeat(np.arange(300), 25)
    probs = rng.random((7500, 300)) ** 8
    probs[np.arange(7500), given] += 8
    probs /= probs.sum(axis=1, keepdims=True)
    noisy = lp.simulate.symmetric(given, 0.1, random_state=0)
    with pytest.warns(lp.DoubtWarning, match="its interval was doubled"):
        found = lp.audit(noisy.labels, probs)
    assert kinds_of(found) == ["unlike anything simulated"]
    assert found.error_rate.low <= noisy.changed.mean() <= found.error_rate.high
    assert [doubt.kind for doubt in of_reading(0.1, 0.6, 0.0, 5000)] == ["a wide interval"]
    assert not list(of_reading(0.1, 0.5, 0.1, 5000)) and not list(of_reading(0.1, 0.6, 0.0, 500))


def test_edited_copies_in_several_folds_are_doubted_until_their_group_is_named():
    rng = np.random.default_rng(0)
    words = [[f"good{i}" for i in range(60)], [f"bad{i}" for i in range(60)]]
    true = rng.integers(0, 2, 150)
    given = np.where(rng.random(150) < 0.1, 1 - true, true)
    texts = [" ".join([*rng.choice(words[y], 6), *(f"name{i}x{j}" for j in range(8))]) for i, y in enumerate(true)]
    frame = pl.DataFrame(
        {
            "text": [f"{text} edition{copy}" for copy in range(8) for text in texts],
            "label": np.tile(given, 8),
            "document": np.tile(np.arange(150), 8),
        }
    )
    with pytest.warns(lp.DoubtWarning, match="Either nearly all labels are right, or similar items"):
        found = lp.audit(frame.drop("document"), label="label", text="text", encoder="none")
    assert kinds_of(found) == ["nearly all labels agree with the model"] and found.believed
    assert found.error_rate.estimate < 0.02  # every error has seven copies that vouch for it
    kept = lp.audit(frame, label="label", text="text", group="document", encoder="none")
    assert "nearly all labels agree with the model" not in kinds_of(kept)
    assert kept.error_rate.low < np.mean(given != true) < kept.error_rate.high
