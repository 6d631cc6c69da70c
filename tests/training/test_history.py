"""History: exact columns, little memory, whole or refused; and what dynamics make of it."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

import labelproof as lp
from labelproof.training import History
from labelproof.training.dynamics import dynamics_of, error_probability_of


def filled(n: int = 40, epochs: int = 5, k: int = 4, folder=None) -> tuple[History, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    logits, given = rng.normal(0, 2, (epochs, n, k)), rng.integers(0, k, n)
    history = History(n, epochs, folder)
    for epoch in range(epochs):
        for rows in np.array_split(rng.permutation(n), 3):
            own = torch.from_numpy(given[rows])
            values = torch.from_numpy(logits[epoch, rows])
            history.record(epoch, torch.from_numpy(rows), own, values, torch.full((len(rows),), 0.5))
    return history, logits, given


def test_columns_are_what_their_names_say(tmp_path):
    for folder in (None, tmp_path):
        history, logits, given = filled(folder=folder)
        own = np.take_along_axis(softmax(logits, axis=2), given[None, :, None], axis=2)[..., 0]
        others = np.where(np.eye(4, dtype=bool)[given][None], -np.inf, logits).max(axis=2)
        margin = np.take_along_axis(logits, given[None, :, None], axis=2)[..., 0] - others
        assert np.allclose(history.own_probability, own, atol=1e-3)
        assert np.allclose(history.margin, margin, rtol=2e-3, atol=2e-3)
        assert np.array_equal(history.predicted, logits.argmax(axis=2))
        assert (history.loss == 0.5).all()


def test_dynamics_are_their_definitions():
    history, logits, given = filled()
    found = dynamics_of(history, given)
    own = history.own_probability.astype(float)
    agreed = logits.argmax(axis=2) == given
    assert np.allclose(found.area_under_margin, history.margin.astype(float).mean(axis=0))
    assert np.allclose(found.variability, own.std(axis=0))
    assert np.allclose(found.early_probability, own[:2].mean(axis=0))
    assert np.array_equal(found.forgetting, (agreed[:-1] & ~agreed[1:]).sum(axis=0))
    assert np.allclose(found.agreement, agreed.mean(axis=0))


def test_unlabelled_and_unseen_items_stay_nan():
    history = History(4, 2)
    history.record(0, torch.tensor([0, 1]), torch.tensor([1, -1]), torch.randn(2, 3), torch.ones(2))
    assert np.isnan(history.own_probability[0]).tolist() == [False, True, True, True]
    assert history.seen().tolist() == [True, False]
    error = error_probability_of(history, np.array([1, -1, 0, 0]))
    assert np.isnan(error).tolist() == [False, True, True, True]


def test_it_is_saved_loaded_copied_and_refused_when_damaged(tmp_path):
    history, _, _ = filled(folder=tmp_path / "made")
    history.save(tmp_path / "h")
    for other in (History.load(tmp_path / "h"), copy.deepcopy(history), pickle.loads(pickle.dumps(history))):
        assert np.array_equal(other.margin, history.margin)
    (tmp_path / "h" / "loss.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(lp.CorruptArtifact, match="no complete training history"):
        History.load(tmp_path / "h")
    with pytest.raises(lp.BadInput, match="given has 3 rows but the history has 40 items"):
        dynamics_of(history, np.zeros(3, int))
    with pytest.raises(lp.BadInput, match="history is empty"):
        dynamics_of(History(3, 2), np.zeros(3, int))


@pytest.mark.slow
def test_a_million_items_by_a_hundred_epochs_need_less_than_a_gigabyte(tmp_path):
    script = (
        "import sys, resource, torch, numpy as np\n"
        "from labelproof.training import History\n"
        "from labelproof.training.dynamics import error_probability_of\n"
        "n, base = 1_000_000, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "history = History(n, 100, sys.argv[1])\n"
        "rows = torch.randperm(n)\n"
        "given = torch.randint(0, 2, (n,))\n"
        "for epoch in range(100):\n"
        "    for part in (rows.split(250_000) if epoch % 25 == 0 else [rows[:2000]]):\n"
        "        history.record(epoch, part, given[part], torch.randn(len(part), 2), torch.rand(len(part)))\n"
        "history.flush()\n"
        "error = error_probability_of(history, given.numpy())\n"
        "def private():\n"
        "    return sum(int(l.split()[1]) for l in open('/proc/self/status') if l.startswith(('RssAnon', 'RssShmem')))\n"
        "print(len(error), private() // 1024, history.own_probability.nbytes)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    items, megabytes, size = map(int, done.stdout.split())
    assert items == 1_000_000
    assert size == 200_000_000
    assert megabytes < 1000


def test_an_audit_from_training_alone(digits):
    noisy = lp.simulate.symmetric(digits.target, 0.3, random_state=0)
    names = np.array(list("abcdefghij"))[noisy.labels]
    model = lp.NoisyLabelClassifier("cross-entropy", epochs=20).fit(digits.data, names)
    found = lp.audit_dynamics(model.history_, names, ids=[f"n{i}" for i in range(len(names))])
    assert roc_auc_score(noisy.changed, found.error_probability) > 0.97
    assert abs(found.error_rate.estimate - noisy.changed.mean()) < 0.05
    wrong = found.issues.filter(found.issues["verdict"] == "obvious")
    truth = np.array(list("abcdefghij"))[digits.target]
    assert (truth[wrong["index"].to_numpy()] == wrong["suggested_label"].to_numpy()).mean() > 0.9
    assert wrong["id"][0] == f"n{wrong['index'][0]}"
    assert np.allclose(model.error_probability_, found.error_probability)


def test_reviews_and_probabilities_sharpen_it(real_data):
    data = np.load(real_data / "mnist.npz")
    x, true = data["x_train"][:3000].reshape(3000, -1) / 255, data["y_train"][:3000].astype(int)
    noisy = lp.simulate.pair(true, 0.4, random_state=0)
    model = lp.NoisyLabelClassifier("cross-entropy", epochs=30).fit(x, noisy.labels)
    alone = lp.audit_dynamics(model.history_, noisy.labels)
    rng = np.random.default_rng(0)
    seen = rng.choice(3000, 300, replace=False)
    reviews = np.full(3000, -1)
    reviews[seen] = true[seen]
    learned = lp.audit_dynamics(model.history_, noisy.labels, reviews=reviews)
    rest = np.setdiff1d(np.arange(3000), seen)
    score = {
        name: roc_auc_score(noisy.changed[rest], found.error_probability[rest])
        for name, found in (("alone", alone), ("learned", learned))
    }
    assert score["learned"] > score["alone"] - 0.01
    assert np.array_equal(learned.error_probability[seen] == 1, noisy.changed[seen])
    brier = [((found.error_probability - noisy.changed)[rest] ** 2).mean() for found in (alone, learned)]
    assert brier[1] < brier[0]
    probs = lp.out_of_sample_probs(x, noisy.labels, estimator=lp.NoisyLabelClassifier("elr", epochs=10))
    fused = lp.audit_dynamics(model.history_, noisy.labels, pred_probs=probs)
    assert roc_auc_score(noisy.changed, fused.error_probability) > roc_auc_score(noisy.changed, alone.error_probability)
