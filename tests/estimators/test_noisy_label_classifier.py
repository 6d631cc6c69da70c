"""`NoisyLabelClassifier` and `BootstrapEnsemble` as scikit-learn users meet them."""

from __future__ import annotations

import pickle
import re
import warnings

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import labelproof as lp


def quick(method: str = "elr", **changes) -> lp.NoisyLabelClassifier:
    return lp.NoisyLabelClassifier(method, **{"epochs": 15, "batch_size": 64, "accelerator": "cpu", **changes})


def test_pictures_grey_and_coloured(digits):
    grey, labels = digits.images[:400], np.array(list("abcdefghij"))[digits.target[:400]]
    colour = np.repeat((grey * 15).astype(np.uint8)[..., None], 3, axis=3)
    for pictures in (grey, colour):
        model = quick("cross-entropy").fit(pictures, labels)
        assert model.score(pictures, labels) > 0.9
        assert np.allclose(model.predict_proba(pictures[:7]).sum(axis=1), 1.0)
    assert clone(model).get_params() == model.get_params()


def test_texts_and_how_they_come_back(tmp_path, real_data):
    frame = pl.read_csv(real_data / "trec_questions.csv")
    train, test = frame.filter(pl.col("split") == "train"), frame.filter(pl.col("split") == "test")
    model = quick("elr", epochs=10).fit(train["question"].to_list(), train["type"].to_list())
    assert model.score(test["question"].to_list(), test["type"].to_list()) > 0.75
    model.save(tmp_path / "m")
    again = lp.NoisyLabelClassifier.load(tmp_path / "m")
    questions = test["question"].to_list()[:50]
    assert np.array_equal(again.predict_proba(questions), model.predict_proba(questions))


def mixed(n: int = 300) -> tuple[pl.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, n)
    columns = {
        "number": rng.normal(label, 1.0),
        "town": np.where(rng.random(n) < 0.8, np.array(["Bonn", "Ulm"])[label], "Köln"),
        "name": [f"{'anna' if c else 'bert'} number {i}" for i, c in enumerate(label)],
        "day": np.datetime64("2024-01-01") + rng.integers(0, 300, n).astype("timedelta64[D]"),
        "flag": rng.random(n) < 0.5,
    }
    frame = pl.DataFrame(columns)
    holes = pl.int_range(n) % 11 == 0
    return frame.with_columns(pl.when(holes).then(None).otherwise(pl.col(c)).alias(c) for c in ("number", "town", "day")), label


def test_frames_with_every_kind_of_column(tmp_path):
    frame, label = mixed()
    for table in (frame, frame.to_pandas()):
        model = quick().fit(table, label)
        assert model.score(table, label) > 0.85
    strange = frame[:5].with_columns(pl.lit("Paris").alias("town"), pl.lit(None).cast(pl.Float64).alias("number"))
    assert np.isfinite(model.predict_proba(strange)).all()
    model.save(tmp_path / "m")
    again = lp.NoisyLabelClassifier.load(tmp_path / "m")
    assert np.array_equal(again.predict_proba(frame), model.predict_proba(frame))
    with pytest.raises(lp.BadInput, match="Column 'town', which the model was trained on, is missing"):
        model.predict(frame.drop("town"))


def test_the_history_is_saved_with_it(tmp_path, digits):
    model = quick("elr").fit(digits.data[:300], digits.target[:300])
    model.save(tmp_path / "m")
    again = lp.NoisyLabelClassifier.load(tmp_path / "m")
    assert np.array_equal(again.history_.margin, model.history_.margin)
    (tmp_path / "m" / "history" / "loss.npy").unlink()
    with pytest.raises(lp.CorruptArtifact, match="no complete training history"):
        lp.NoisyLabelClassifier.load(tmp_path / "m")


def test_a_network_of_ones_own(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    signals = rng.normal(size=(200, 2, 16)).astype(np.float32) + y[:, None, None]
    torch.manual_seed(0)  # its weights are drawn here, not by the estimator
    net = torch.nn.Sequential(torch.nn.Conv1d(2, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(56, 2))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    for method in ("elr", "co-teaching", "noise-adaptation"):
        model = quick(method, backbone=net, epochs=40, learning_rate=0.02).fit(signals, y)
        assert model.score(signals, y) > 0.9
        assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    model.save(tmp_path / "m")
    with pytest.raises(lp.BadInput, match="Pass backbone="):
        lp.NoisyLabelClassifier.load(tmp_path / "m")
    again = lp.NoisyLabelClassifier.load(tmp_path / "m", backbone=net)
    assert np.array_equal(again.predict(signals), model.predict(signals))
    made = quick(
        "co-teaching", epochs=40, backbone=lambda spec, k: torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(32, k))
    )
    assert made.fit(signals, y).score(signals, y) > 0.8


@pytest.mark.slow
def test_two_processes_share_what_a_method_remembers_of_each_item(digits):
    noisy = lp.simulate.symmetric(digits.target[:600], 0.4, random_state=0)
    how = {"epochs": 20, "batch_size": 60, "devices": 2}
    model = quick("joint-optimization", **how).fit(digits.images[:600], noisy.labels)
    labels = model.module_.labels
    assert torch.allclose(labels.sum(dim=1), torch.ones(600), atol=1e-4)
    changed = labels.argmax(dim=1).numpy() != noisy.labels
    assert changed[noisy.changed].mean() > 0.5  # in both halves of the items
    assert min(changed[noisy.changed & (np.arange(600) % 2 == half)].mean() for half in (0, 1)) > 0.4
    assert np.isfinite(model.history_.margin.astype(float)).all()


def test_pipelines_grid_search_and_parallel_jobs(digits):
    x, y = digits.data[:300], digits.target[:300]
    pipe = make_pipeline(StandardScaler(), quick(epochs=4))
    search = GridSearchCV(pipe, {"noisylabelclassifier__method": ["cross-entropy", "gce"]}, cv=2, n_jobs=2).fit(x, y)
    assert search.best_score_ > 0.5
    copied = pickle.loads(pickle.dumps(search.best_estimator_))
    assert np.array_equal(copied.predict(x), search.predict(x))


def test_the_same_seed_repeats_and_weights_of_zero_leave_out(digits):
    x, y = digits.data[:300], digits.target[:300].copy()
    first, second, other = (quick(random_state=s).fit(x, y).predict_proba(x) for s in (0, 0, 1))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    weight = np.ones(300)
    weight[100:] = 0
    assert np.array_equal(
        quick().fit(x, y, sample_weight=weight).predict_proba(x), quick().fit(x[:100], y[:100]).predict_proba(x)
    )


def test_validation_items_set_the_temperature_and_stop_early(digits):
    noisy = lp.simulate.symmetric(digits.target, 0.2, random_state=0)
    model = quick("cross-entropy", epochs=60, validation_fraction=0.2, patience=5).fit(digits.data, noisy.labels)
    assert model.history_.seen().sum() < 60
    assert model.temperature_ > 1  # it memorised
    assert len(model.history_index_) == pytest.approx(0.8 * len(digits.target), abs=10)
    assert np.isnan(model.error_probability_).mean() == pytest.approx(0.2, abs=0.01)


def test_a_killed_fit_goes_on(digits, tmp_path):
    x, y = digits.data[:300], digits.target[:300]
    whole = quick().fit(x, y)
    calls = [0]

    def breaks(batch):
        calls[0] += 1
        if calls[0] == 20:
            raise KeyboardInterrupt
        return batch

    with pytest.raises(KeyboardInterrupt):
        quick(checkpoints=tmp_path, augment=breaks).fit(x, y)
    again = quick(checkpoints=tmp_path, augment=lambda batch: batch).fit(x, y)
    assert np.array_equal(again.predict_proba(x), whole.predict_proba(x))
    assert np.array_equal(again.history_.margin, whole.history_.margin)
    with pytest.raises(lp.BadInput, match="unfinished run with method 'elr', now 'gce'"):
        quick("gce", checkpoints=tmp_path, augment=breaks).fit(x, y)


@pytest.mark.parametrize(
    ("change", "x", "y", "message"),
    [
        ({"method": "elrr"}, [[0.0], [1.0]], [0, 1], "Did you mean 'elr'"),
        ({}, [[0.0], [float("nan")]], [0, 1], "NaN"),
        ({}, [[0.0], [float("inf")]], [0, 1], "infinity"),
        ({}, [[0.0], [1.0]], [1, 1], "only one class"),
        ({}, [[0.0], [1.0]], [0.5, 1.0], "Unknown label type"),
        ({}, [[0.0], [1.0], [2.0]], [0, 1], "inconsistent numbers of samples"),
        ({"patience": 3}, [[0.0], [1.0]], [0, 1], "Give validation_fraction"),
        ({"backbone": "resnet"}, [[0.0], [1.0]], [0, 1], "Did you mean 'resnet18'"),
        ({"augment": "flips"}, [[0.0], [1.0]], [0, 1], "augment is 'flips'"),
        ({"learning_rate": 0}, [[0.0], [1.0]], [0, 1], "learning_rate is 0"),
        ({"learning_rate": 1e30, "optimizer": "sgd"}, [[0.0], [1.0]] * 50, [0, 1] * 50, "in epoch .*Lower learning_rate"),
    ],
)
def test_bad_input(change, x, y, message):
    with pytest.raises(ValueError, match=message):
        quick(**change).fit(np.array(x), np.array(y))


def test_bad_pictures_and_labels():
    pictures = np.zeros((6, 8, 8))
    pictures[2, 3, 3] = np.nan
    with pytest.raises(lp.BadInput, match="row 2 holds NaN"):
        quick().fit(pictures, [0, 1] * 3)
    with pytest.raises(lp.BadInput, match=re.escape("Items of x have shape (1, 9, 9), but the model was trained on (1, 8, 8)")):
        quick(epochs=1).fit(np.zeros((6, 8, 8)), [0, 1] * 3).predict(np.zeros((2, 9, 9)))
    with pytest.raises(lp.BadInput, match="verified has 2 rows"):
        quick().fit(np.zeros((4, 2)), [0, 1, 0, 1], verified=[True, False])


def test_batches_of_one_train(digits):
    model = quick(epochs=1, batch_size=1).fit(digits.data[:60], digits.target[:60])
    assert model.history_.n == 60
    assert np.isfinite(model.predict_proba(digits.data[:5])).all()


def test_a_class_is_never_lost_to_the_validation_items(digits):
    rare = np.r_[np.flatnonzero(digits.target != 9)[:200], np.flatnonzero(digits.target == 9)[:1]]
    model = quick(validation_fraction=0.6).fit(digits.data[rare], digits.target[rare])
    assert 9 in digits.target[rare][model.history_index_]
    assert model.predict_proba(digits.data[:3]).shape == (3, 10)


def test_missing_labels_are_unlabelled():
    x = np.array([[0.0], [1.0], [0.1], [0.9], [0.5]])
    model = quick().fit(x, [0, 1, 0, 1, None])
    assert model.classes_.tolist() == [0, 1]
    assert np.isnan(model.error_probability_).tolist() == [False] * 4 + [True]
    named = quick().fit(x, np.array(["a", "b", "a", None, "b"], dtype=object))
    assert named.classes_.tolist() == ["a", "b"]
    assert quick().fit(x, [-1, 1, -1, 1, 1]).classes_.tolist() == [-1, 1]
    assert quick().fit(x, [-1, 1, 0, 1, 1]).classes_.tolist() == [-1, 0, 1]
    with pytest.warns(lp.LabelproofWarning, match="-1, which is taken as a class"):
        assert quick().fit(x, [-1, 3, 0, 3, 0]).classes_.tolist() == [-1, 0, 3]


def test_the_ensemble_tells_what_it_cannot_know(digits):
    noisy = lp.simulate.symmetric(digits.target, 0.2, random_state=0)
    x = digits.data / 16
    ensemble = lp.BootstrapEnsemble(LogisticRegression(C=10, max_iter=200), n=8).fit(x[:1500], noisy.labels[:1500])
    assert ensemble.score(x[1500:], digits.target[1500:]) > 0.8
    strange = np.random.default_rng(0).random((200, 64))
    assert ensemble.epistemic(strange).mean() > 1.5 * ensemble.epistemic(x[1500:]).mean()
    assert (ensemble.entropy(x) <= np.log(10) + 1e-9).all()
    known = ~np.isnan(ensemble.error_probability_)
    assert known.mean() > 0.9
    from sklearn.metrics import roc_auc_score

    assert roc_auc_score(noisy.changed[:1500][known], ensemble.error_probability_[known]) > 0.95
    networks = lp.BootstrapEnsemble(quick(epochs=4), n=2).fit(digits.images[:300], digits.target[:300])
    assert networks.members_proba(digits.images[:5]).shape == (2, 5, 10)
    assert not np.array_equal(*networks.members_proba(digits.images[:5]))


def test_a_column_that_reveals_the_label_is_warned_of():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    frame = pl.DataFrame({"a": y + rng.normal(0, 0.5, 200), "code": np.array(["X", "D"])[y]})
    with pytest.warns(lp.LabelproofWarning, match="'code' reveals the label"):
        lp.NoisyLabelClassifier("cross-entropy", epochs=1).fit(frame, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", lp.LabelproofWarning)
        lp.NoisyLabelClassifier("cross-entropy", epochs=1).fit(frame[["a"]], y)
