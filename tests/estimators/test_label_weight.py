"""How much M-VAE's classifier listens to the labels: what the weight stands for, and that held-out labels choose it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.metrics import average_precision_score

import labelproof as lp
from labelproof.data.rows import SparseRows
from labelproof.estimators.mislabeled_vae import label_weight
from labelproof.estimators.mislabeled_vae.mislabeled_module import MislabeledModule, Shape
from labelproof.noise.posterior import noisy_probs

QUICK = {"epochs": (8, 5, 15), "n_latent": 3, "accelerator": "cpu"}


@pytest.fixture(scope="module")
def hidden():
    """Two strong factors of no interest, and a class that three columns of 30 tell; a tenth of the labels are wrong."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 2, (1500, 2)) @ rng.normal(0, 1, (2, 30)) + rng.normal(0, 1, (1500, 30))
    true = rng.integers(0, 2, 1500)
    x[:, :3] += 3.0 * true[:, None]
    return x, true, np.where(rng.random(1500) < 0.1, 1 - true, true)


def test_what_is_weighted_is_the_likelihood_of_the_given_label():
    torch.manual_seed(0)
    noise = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]).double()
    module = MislabeledModule(Shape(features=4, classes=3), noise.log(), torch.full((3,), 1 / 3)).double()
    logits, given = torch.randn(8, 3).double(), torch.arange(8) % 4 - 1
    found = module.log_given(logits, given).numpy()
    expected = np.log(noisy_probs(logits.softmax(1).numpy(), noise.numpy()))[np.arange(8), given]
    assert np.allclose(found[given >= 0], expected[given >= 0], atol=1e-6)
    assert (found[given < 0] == 0).all()


def test_held_out_labels_ask_for_a_weight_where_the_clusters_are_not_the_classes(hidden):
    x, true, given = hidden
    alone = lp.MislabeledVAE(label_weight=0, **QUICK).fit(x, given)
    chosen = lp.MislabeledVAE(**QUICK).fit(x, given)
    assert alone.label_weight_ == 0
    assert chosen.label_weight_ > 0
    found = [average_precision_score(given != true, model.error_probability_) for model in (alone, chosen)]
    assert found[0] < 0.5
    assert found[1] > 0.9
    assert chosen.optimism_ > 0


def test_labels_learned_by_heart_are_as_likely_wrong_as_those_that_were_not_heard():
    rng = np.random.default_rng(0)
    heard, held = rng.beta(0.2, 2, 4000), rng.beta(0.4, 2, 1000)
    shift = label_weight.optimism(heard, held)
    moved = label_weight.more_likely_wrong(heard, shift)
    assert moved.mean() == pytest.approx(held.mean())
    assert (np.diff(moved[np.argsort(heard)]) >= 0).all()
    assert label_weight.optimism(held, heard) == 0
    assert label_weight.optimism(np.zeros(9), np.ones(9)) == label_weight.MOST_OPTIMISM
    probs, given = rng.dirichlet(np.ones(3), 50), np.arange(50) % 4 - 1
    found = label_weight.less_optimistic(probs, given, shift)
    own = np.flatnonzero(given >= 0)
    assert np.allclose(1 - found[own, given[own]], label_weight.more_likely_wrong(1 - probs[own, given[own]], shift))
    assert np.allclose(found[given < 0], probs[given < 0])
    assert np.allclose(found.sum(axis=1), 1)


def test_labels_that_say_nothing_get_no_weight(hidden):
    x, _, given = hidden
    assert lp.MislabeledVAE(**QUICK).fit(x, np.random.default_rng(1).permutation(given)).label_weight_ == 0


def test_few_labels_are_heard_by_the_bound_alone(hidden):
    x, _, given = hidden
    few = np.where(np.arange(1500) < 990, given, -1)
    one, other = (lp.MislabeledVAE(label_weight=weight, **QUICK).fit(x, few) for weight in ("auto", 0.0))
    assert one.label_weight_ == 0
    assert np.allclose(one.posterior_, other.posterior_, atol=1e-3)


def test_no_more_than_enough_labels_are_tried_and_counts_stay_sparse(monkeypatch):
    """Trials hear 120 labels; the networks that they begin with stay as they were."""
    rng = np.random.default_rng(0)
    x, given = csr_matrix(rng.poisson(1.0, (600, 8)).astype(np.float32)), rng.integers(0, 2, 600)
    monkeypatch.setattr(label_weight, "ENOUGH", 100)
    monkeypatch.setattr(label_weight, "MOST", 120)
    seen = []
    plain = label_weight.LabelTraining.__call__

    def watched(self, module, data, batch, weight):
        seen.append(
            (type(data.x), len(data), int((data.given >= 0).sum()), weight, module.state_dict()["encoder.0.weight"].clone())
        )
        return plain(self, module, data, batch, weight)

    monkeypatch.setattr(label_weight.LabelTraining, "__call__", watched)
    model = lp.MislabeledVAE(likelihood="nb", epochs=(1, 1, 1), accelerator="cpu").fit(x, given)
    *tried, last = seen
    assert {kind for kind, *_ in seen} == {SparseRows}
    assert {n for _, n, *_ in tried} == {120}
    assert all(80 < labelled < 112 for _, _, labelled, *_ in tried)  # a fifth is held out
    assert last[1:4] == (600, 600, model.label_weight_)
    assert all(torch.equal(weights, seen[0][-1]) for *_, weights in seen)


@pytest.mark.parametrize("weight", [-1.0, "much", float("nan")])
def test_bad_weights(weight, hidden):
    with pytest.raises(lp.BadInput, match=r"label_weight is .*Give 'auto' or a number, 0 or more"):
        lp.MislabeledVAE(label_weight=weight, epochs=(0, 1, 0)).fit(*(part[:50] for part in (hidden[0], hidden[2])))
