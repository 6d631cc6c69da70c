"""The battery that every method passes, and what each one promises beyond it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.metrics import roc_auc_score

import labelproof as lp
from labelproof.methods import METHODS, Task, make_method
from labelproof.methods.cascade import cleaned_labels
from labelproof.methods.noise_layer import projected
from labelproof.networks import MLP
from labelproof.training import History, Options, TrainingData, fit, predict_logits

# Their loss resists noise less than it fits it once the network has seen every item often enough; nothing else holds them.
MEMORISE = {"cross-entropy"}
EPOCHS = 30
N = 2500  # digits on which the methods are trained


@pytest.fixture(scope="module")
def mnist(real_data):
    data = np.load(real_data / "mnist.npz")
    true = data["y_train"][:N].astype(int)
    noisy = lp.simulate.symmetric(true, 0.5, random_state=0)
    return data["x_train"][:N], true, noisy, data["x_test"], data["y_test"]


def classifier(method: str, **changes) -> lp.NoisyLabelClassifier:
    how = {"backbone": "mlp", "epochs": EPOCHS, "augment": None, "accelerator": "cpu"}
    return lp.NoisyLabelClassifier(method, **{**how, **changes})


@pytest.fixture(scope="module")
def fitted(mnist) -> Callable[[str], lp.NoisyLabelClassifier]:
    """Methods trained once on MNIST with half of the labels wrong."""
    x, _, noisy, _, _ = mnist
    return cache(lambda name: classifier(name).fit(x, noisy.labels))


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_on_mnist_with_half_of_the_labels_wrong(name, mnist, fitted):
    _, _, noisy, test, truth = mnist
    model = fitted(name)
    assert roc_auc_score(noisy.changed, model.error_probability_) > 0.9
    if name not in MEMORISE:
        assert model.score(test, truth) > fitted("cross-entropy").score(test, truth)


@pytest.fixture(scope="module")
def clean_floor(digits) -> float:
    return classifier("cross-entropy", epochs=25).fit(digits.images[:1200], digits.target[:1200]).score(
        digits.images[1200:], digits.target[1200:]
    )  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_it_learns_clean_data_as_well_as_cross_entropy(name, digits, clean_floor):
    model = classifier(name, epochs=25).fit(digits.images[:1200], digits.target[:1200])
    assert model.score(digits.images[1200:], digits.target[1200:]) > clean_floor - 0.03


class Stops(Exception):
    pass


def stopping(method, at: int) -> None:
    calls = [0]
    original: Callable = method.loss

    def loss(batch):
        calls[0] += 1
        if calls[0] == at:
            raise Stops
        return original(batch)

    method.loss = loss


@pytest.mark.parametrize("name", METHODS)
def test_it_goes_on_bit_for_bit_and_repeats_with_its_seed(name, digits, tmp_path):
    noisy = lp.simulate.symmetric(digits.target[:300], 0.3, random_state=0)
    x = torch.from_numpy(digits.data[:300] / 16).float()
    data = TrainingData(x, torch.from_numpy(noisy.labels))

    def made():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            method = make_method(name)
            method.build(Task(data, 10, 6, lambda: MLP(10, 64, hidden=(32,))))
        return method

    how = Options(epochs=6, batch_size=64, accelerator="cpu", checkpoint_minutes=0.0)
    whole, history = made(), History(300, 6)
    fit(whole, data, how, history=history)
    with pytest.raises(Stops):
        killed = made()
        stopping(killed, at=15)
        fit(killed, data, how, history=History(300, 6, tmp_path / "h"), folder=tmp_path)
    again, kept = made(), History(300, 6, tmp_path / "h")
    fit(again, data, how, history=kept, folder=tmp_path)
    for key, tensor in whole.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[key]), key
    assert np.array_equal(history.margin, kept.margin)
    other = made()
    fit(other, data, Options(epochs=6, batch_size=64, accelerator="cpu", seed=1))
    assert not torch.equal(predict_logits(other, x), predict_logits(whole, x))


def table(n: int = 400) -> tuple[pl.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    town, age = rng.choice(["Bonn", "Köln", "Ulm"], n), rng.normal(40, 10, n)
    label = np.where((town == "Ulm") | (age > 50), "leaves", "stays")
    frame = pl.DataFrame({"town": town, "age": age, "noise": rng.normal(size=n)})
    return frame.with_columns(pl.when(pl.int_range(n) % 17 == 0).then(None).otherwise(pl.col("age")).alias("age")), label


@pytest.mark.parametrize("name", METHODS)
def test_it_works_on_a_table_with_names_as_labels(name):
    frame, label = table()
    noisy = np.where(np.random.default_rng(1).random(400) < 0.1, np.where(label == "stays", "leaves", "stays"), label)
    model = lp.NoisyLabelClassifier(name, epochs=20, batch_size=32, accelerator="cpu").fit(frame, noisy)
    assert model.classes_.tolist() == ["leaves", "stays"]
    assert model.score(frame, label) > 0.85
    assert model.history_.n == 400
    verified = np.zeros(400, bool)
    verified[:100] = True
    helped = lp.NoisyLabelClassifier(name, epochs=6, batch_size=32, accelerator="cpu")
    helped.fit(frame, np.where(verified, label, noisy), verified=verified)
    assert (helped.error_probability_[:100] == 0).all()


@pytest.mark.parametrize("kind", ["em", "confident-joint", "anchor"])
def test_forward_estimates_the_transition(kind, mnist):
    x, true, _, _, _ = mnist
    noisy = lp.simulate.pair(true, 0.3, random_state=0)
    model = classifier("forward", method_options={"transition": kind}).fit(x, noisy.labels)
    assert np.abs(model.transition_.matrix - lp.TransitionMatrix.pair(10, 0.3).matrix).max() < (
        0.3 if kind == "anchor" else 0.2
    )
    assert (model.transition_.matrix.argmax(axis=1) == np.arange(10)).all()


def test_a_known_transition_is_used_as_it_is(digits):
    known = lp.TransitionMatrix.symmetric(10, 0.4)
    noisy = lp.simulate.by_transition(digits.target, known, random_state=0)
    for name in ("forward", "backward"):
        model = classifier(name, method_options={"transition": known}).fit(digits.images, noisy.labels)
        assert np.allclose(model.transition_.matrix, known.matrix, atol=1e-6)
    with pytest.raises(lp.BadInput, match="transition is 3 x 3 but there are 10 classes"):
        classifier("forward", method_options={"transition": np.eye(3)}).fit(digits.images, noisy.labels)
    with pytest.raises(lp.BadInput, match="Give one of em, confident-joint, anchor, or a matrix"):
        classifier("backward", method_options={"transition": "joint"}).fit(digits.images, noisy.labels)


def test_a_learned_matrix_stays_a_transition(digits):
    noisy = lp.simulate.pair(digits.target, 0.3, random_state=0)
    for name, options in (("forward", {"transition": "joint"}), ("noise-layer", {}), ("noise-adaptation", {"features": False})):
        matrix = classifier(name, epochs=5, method_options=options).fit(digits.images, noisy.labels).transition_.matrix
        assert np.allclose(matrix.sum(axis=1), 1)
        assert (matrix >= 0).all()
        assert not np.allclose(matrix, np.eye(10), atol=1e-3)


def test_projection_is_the_nearest_point_of_the_simplex():
    rows = torch.tensor([[2.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.2, 0.3, 0.5], [-1.0, 0.4, 0.2]])
    expected = torch.tensor([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.2, 0.3, 0.5], [0, 0.6, 0.4]])
    assert torch.allclose(projected(rows), expected, atol=1e-6)


@pytest.mark.parametrize("update", ["soft", "hard"])
def test_joint_optimisation_repairs_the_labels(update, mnist, fitted):
    x, true, noisy, _, _ = mnist
    hard = classifier("joint-optimization", method_options={"update": "hard"})
    model = fitted("joint-optimization") if update == "soft" else hard.fit(x, noisy.labels)
    labels = model.module_.labels
    assert torch.allclose(labels.sum(dim=1), torch.ones(N), atol=1e-4)
    assert (labels.argmax(dim=1).numpy() == true).mean() > 0.8
    assert ((labels == 0) | (labels == 1)).all().item() == (update == "hard")


def test_joint_optimisation_follows_the_papers_epochs():
    data = TrainingData(torch.randn(50, 2), torch.arange(50) % 2)
    method = make_method("joint-optimization")
    method.build(Task(data, 2, 333, lambda: MLP(2, 2, hidden=(4,))))
    assert method.phases(333) == [200, 133]
    assert method.first_update == 70
    assert len(method.recent) == 10


def test_oversampling_draws_classes_alike():
    given = torch.tensor([0] * 90 + [1] * 10)
    method = make_method("joint-optimization", {"oversample": True})
    method.build(Task(TrainingData(torch.randn(100, 2), given), 2, 10, lambda: MLP(2, 2, hidden=(4,))))
    weights = method.sampling_weights()
    assert weights[given == 0].sum() == pytest.approx(float(weights[given == 1].sum()))
    assert method.prior.tolist() == [0.5, 0.5]  # what the prior term is to find in batches so drawn


def test_unlabelled_items_help_where_the_method_can_use_them(digits):
    given = digits.target[:1200].astype(float)
    given[30:] = np.nan
    test = digits.images[1200:], digits.target[1200:]
    alone = classifier("cross-entropy").fit(digits.images[:1200], given)
    both = classifier("dividemix").fit(digits.images[:1200], given)
    assert alone.history_.n == 30
    assert both.history_.n == 1200
    assert np.isnan(both.error_probability_[30:]).all()
    assert both.score(*test) > alone.score(*test)


def test_co_teaching_estimates_how_much_to_forget(mnist, fitted):
    x, _, noisy, _, _ = mnist
    assert float(fitted("co-teaching").module_.rate) == pytest.approx(0.5, abs=0.2)
    known = classifier("co-teaching", epochs=4, method_options={"forget_rate": 0.3}).fit(x[:500], noisy.labels[:500])
    assert float(known.module_.forgotten) == pytest.approx(0.3)


def test_pruning_leaves_out_wrong_labels(mnist, fitted):
    noisy = mnist[2]
    for name in ("confident-learning", "rank-pruning"):
        dropped = fitted(name).module_.weight.numpy() == 0
        assert noisy.changed[dropped].mean() > 0.85
        assert dropped[noisy.changed].mean() > 0.6


def test_a_stage_of_the_cascade_replaces_sure_labels_and_softens_the_others():
    probs = torch.tensor([[0.9, 0.1], [0.7, 0.3], [0.85, 0.15], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]])
    given = torch.tensor([0, 0, 1, 1, 1, 0])  # called 0, 0, 0, 0, 1, 1: items 0, 1 and 4 are confirmed, half of all
    found = cleaned_labels(probs, given)  # so the thresholds are 0.8 and 0.8, and 2 d is 1
    assert found[[0, 2, 4]].tolist() == [[1, 0], [1, 0], [0, 1]]  # kept, replaced, kept
    for row in (1, 3, 5):
        p, z = probs[row].tolist(), int(given[row])
        weight, squares = max(p) / 0.8, [q * q for q in p]
        mixed = [weight * q / sum(squares) + (1 - weight) * (j == z) for j, q in enumerate(squares)]
        assert found[row].tolist() == pytest.approx(mixed, rel=1e-5)
    alone = cleaned_labels(probs, torch.ones(6, dtype=torch.int64))  # nobody confirms class 0: none of its calls is sure
    assert torch.allclose(alone[:4], torch.tensor([[0.0, 1.0]]))
    assert alone[4].tolist() == [0, 1]


def test_the_cascade_softens_little_where_few_labels_are_contradicted():
    probs = torch.tensor([[0.9, 0.1]] * 10 + [[0.1, 0.9]] * 9 + [[0.4, 0.6]])
    given = torch.tensor([0] * 10 + [1] * 9 + [0])
    assert cleaned_labels(probs, given)[-1, 0] > 0.95  # one in twenty is contradicted, and by no confident network


def test_the_cascade_repairs_labels_of_two_confused_classes(digits):
    true = digits.target[:1200]
    noisy = lp.simulate.pair(true, 0.35, random_state=0)
    verified = np.arange(1200) % 10 == 0
    model = classifier("cascade", epochs=40).fit(digits.images[:1200], noisy.labels, verified=verified)
    labels = model.module_.labels
    assert torch.allclose(labels.sum(dim=1), torch.ones(1200), atol=1e-5)
    assert (labels.argmax(dim=1).numpy() == true).mean() > 1 - noisy.changed.mean() + 0.1
    assert (labels[verified] == torch.eye(10)[noisy.labels[verified]]).all()  # also those that are wrong


@pytest.mark.parametrize(("epochs", "phases"), [(1, [1]), (2, [1, 1]), (4, [1, 1, 1, 1]), (30, [5, 5, 6, 5, 9])])
def test_the_cascade_has_as_many_stages_as_the_epochs_allow(epochs, phases):
    data = TrainingData(torch.randn(60, 2), torch.arange(60) % 2)
    method = make_method("cascade")
    method.build(Task(data, 2, epochs, lambda: MLP(2, 2, hidden=(4,))))
    before = [p.clone() for p in method.network.parameters()]
    assert method.phases(epochs) == phases
    fit(method, data, Options(epochs=epochs, accelerator="cpu"))
    assert any(not torch.equal(a, b) for a, b in zip(before, method.network.parameters(), strict=True))
    with pytest.raises(lp.BadInput, match="stages is 0"):
        make_method("cascade", {"stages": 0})


def test_unknown_names_and_options_are_refused():
    with pytest.raises(lp.BadInput, match="Did you mean 'dividemix'"):
        make_method("divide-mix")
    with pytest.raises(lp.BadInput, match="method 'elr' does not take these options"):
        make_method("elr", {"lambda": 3})
    with pytest.raises(lp.BadInput, match="Give 'soft' or 'hard'"):
        make_method("joint-optimization", {"update": "softly"})
