"""Taggers on data whose true tags are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from torch import nn

import labelproof as lp
from labelproof.data.picture_rows import PictureRows
from labelproof.estimators.tagger.network import TagNetwork
from labelproof.estimators.tagger.noise_network import NoiseNetwork
from labelproof.estimators.tagger.stages import Stages
from labelproof.losses import warp, warp_tags
from labelproof.networks import SmallConvNet
from labelproof.noise.tag_rates import TagRates
from labelproof.training.trainable import TrainingData

QUICK = {"stages": (15, 25), "batch_size": 64, "accelerator": "cpu", "backbone": nn.Linear(6, 16)}


@pytest.fixture(scope="module")
def tagged():
    """Six features, eight tags; a third of the true tags forgotten, a few added."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (900, 6)).astype(np.float32)
    true = (x @ rng.normal(0, 1, (6, 8)) > 1.2).astype(int)
    forgotten = (true == 1) & (rng.random(true.shape) < 0.35)
    added = (true == 0) & (rng.random(true.shape) < 0.03)
    return x, true, np.where(forgotten, 0, np.where(added, 1, true))


@pytest.mark.parametrize("noise", ["feature-independent", "feature-dependent", "em"])
def test_noise_is_learned_and_wrong_tags_are_found(tagged, noise):
    x, true, given = tagged
    options = {
        **QUICK,
        "noise": noise,
        "missing": 0.2,
        "incorrect": 0.1,
        "noise_lr": 3.0 if noise != "feature-dependent" else 1.0,
    }
    model = lp.NoisyTagClassifier(**options).fit(x, given)
    plain = lp.NoisyTagClassifier(**{**options, "noise": None}).fit(x, given)
    recall = [float(m.predict(x)[true == 1].mean()) for m in (model, plain)]
    assert recall[0] > recall[1] + 0.02  # forgotten tags had held it back
    assert model.error_probability_.shape == given.shape
    wrong = given != true
    assert roc_auc_score(wrong[given == 0], model.error_probability_[given == 0]) > 0.95
    assert roc_auc_score(wrong[given == 1], model.error_probability_[given == 1]) > 0.9
    if noise != "feature-dependent":
        assert 0.15 < np.mean(model.missing_) < 0.45
        assert np.mean(model.incorrect_) < 0.08
    seen = model.predict_given_proba(x)
    assert abs(seen.mean() - given.mean()) < 0.03  # what people would say is what they said
    assert model.predict_proba(x).mean() > seen.mean()


def test_the_conventions_of_multi_label_estimators(tagged):
    x, true, given = tagged
    model = lp.NoisyTagClassifier(**{**QUICK, "stages": (2, 1)})
    assert clone(model).get_params()["stages"] == (2, 1)
    model.fit(x, given, names=list("abcdefgh"))
    assert model.predict(x).shape == (900, 8)
    assert set(np.unique(model.predict(x))) <= {0, 1}
    assert np.array_equal(model.predict(x), (model.decision_function(x) > 0).astype(int))
    assert np.allclose(model.predict_proba(x), 1 / (1 + np.exp(-model.decision_function(x))))
    assert 0 <= model.score(x, true) <= 1
    assert model.classes_.tolist() == list("abcdefgh")
    again = clone(model).fit(x, given)
    assert np.array_equal(again.decision_function(x), model.decision_function(x))  # the same seed
    other = clone(model).set_params(random_state=1).fit(x, given)
    assert not np.array_equal(other.decision_function(x), model.decision_function(x))


def test_unknown_and_constant_tags(tagged):
    x, _, given = tagged
    given = given.astype(float)
    given[:, 2], given[:, 5] = 0, 1
    given[:300, 0] = np.nan
    model = lp.NoisyTagClassifier(**QUICK).fit(x, given)
    assert model.constant_ == [2, 5]
    assert np.isnan(model.error_probability_[:300, 0]).all()
    assert np.isfinite(model.error_probability_[300:, 0]).all()
    assert not model.predict(x)[:, 2].any()
    assert model.predict(x)[:, 5].all()
    assert np.isnan(model.missing_[2])
    assert (model.error_probability_[:, [2, 5]] == 0).all()


def scenes(n, seed, *, side=12):
    """Small bright squares of three textures at random places; a tag for each texture."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(0, 0.1, (n, side, side)).astype(np.float32), (rng.random((n, 3)) < 0.4).astype(int)
    textures = np.array([[[1, 1], [1, 1]], [[1, -1], [-1, 1]], [[1, 1], [-1, -1]]], np.float32)
    for i, j in np.argwhere(y):
        row, column = rng.integers(0, side - 2, 2)
        x[i, row : row + 2, column : column + 2] = textures[j]
    return x, y


def test_places_of_a_picture_are_instances():
    torch.manual_seed(0)
    encoder = nn.Sequential(
        nn.Unflatten(1, (1, 12)), nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 16, 1), nn.ReLU()
    )
    x, y = scenes(600, 0)
    new, true = scenes(300, 1)
    options = {
        "backbone": encoder,
        "noise": None,
        "stages": (8, 4),
        "batch_size": 32,
        "learning_rate": 1e-2,
        "accelerator": "cpu",
    }
    found = {
        pooling: (lp.NoisyTagClassifier(pooling=pooling, **options).fit(x, y).predict(new) == true).mean()
        for pooling in ("noisy-or", "none")
    }
    assert found["noisy-or"] > 0.93
    assert found["noisy-or"] > found["none"]


def test_bags_and_frames():
    """A bag has a tag if one of its instances does: pooled, or every instance as an item of its own."""
    rng = np.random.default_rng(0)
    bags, tags = [], []
    for _ in range(500):
        size = rng.integers(1, 6)
        what = rng.integers(0, 4, size)  # 3: nothing
        bags.append(np.eye(4)[what] + rng.normal(0, 0.1, (size, 4)))
        tags.append([int((what == j).any()) for j in range(3)])
    x, y = lp.Bags.of(bags), np.array(tags)
    options = {"noise": "feature-independent", "stages": (15, 5), "batch_size": 32, "accelerator": "cpu"}
    for pooling, least in (("noisy-or", 0.97), ("max", 0.97), ("none", 0.6)):
        model = lp.NoisyTagClassifier(pooling=pooling, **options).fit(x, y)
        assert (model.predict(x) == y).mean() > least, pooling
        one = lp.Bags.of([np.eye(4)[[1, 1, 3]]])
        assert model.predict_proba(one)[0].argmax() == 1
        assert model.error_probability_.shape == y.shape


def test_tags_of_each_frame_from_memory_and_from_files(tmp_path):
    """A network sees the same in frames that are held in memory and in files that are decoded when they are asked for."""
    rng, files, tags = np.random.default_rng(0), [], []
    for video in range(12):
        tag = video % 2
        own = [tmp_path / f"{video}_{frame}.png" for frame in range(2 + video % 3)]
        for frame, file in enumerate(own):
            pixels = rng.integers(0, 60, (16, 16, 3), dtype=np.uint8)
            pixels[4:12, 4:12, 0] = 255 if tag and frame == 1 else 0
            Image.fromarray(pixels).save(file)
        files.append(own)
        tags.append([tag])
    rows = PictureRows(files, 16)
    model = lp.NoisyTagClassifier(SmallConvNet(1, 3, 8), noise=None, pooling="noisy-or", stages=(40, 0), batch_size=4)
    found = model.fit(rows, np.array(tags)).predict_instance_proba(rows)
    assert found.sizes.tolist() == [len(own) for own in files]
    held = lp.Bags.of([rows[torch.tensor([i])][0, : len(own)].numpy() for i, own in enumerate(files)])
    assert np.allclose(found.instances, model.predict_instance_proba(held).instances, atol=1e-5)
    frame = np.concatenate([np.arange(len(own)) for own in files])
    shown = (frame == 1) & np.repeat([tag for (tag,) in tags], found.sizes).astype(bool)
    assert found.instances[shown, 0].min() > found.instances[~shown, 0].max()
    with pytest.raises(lp.BadInput, match="only these have instances"):
        model.predict_instance_proba(np.zeros((2, 3, 16, 16), np.float32))


def test_published_weights_are_of_one_network(tagged):
    x, _, given = tagged
    with pytest.raises(lp.BadInput, match="backbone 'mlp' has no published weights"):
        lp.NoisyTagClassifier("mlp", weights="vgg16.pth").fit(x, given)


def test_weights_of_the_noise_learn_as_fast_as_its_biases():
    """Log-odds that a hundred weights make together must not run away from what a bias does."""
    data = TrainingData(torch.zeros(0), torch.zeros(0))
    noise = NoiseNetwork(100, 3)
    _, bias, weight = Stages(TagNetwork(SmallConvNet(3), 3), noise, data, [1, 1], noise_lr=2.0).parameter_groups()
    assert bias["lr_scale"] == 2.0
    assert weight["lr_scale"] == pytest.approx(0.02)


def test_warp_ranks_tags(tagged):
    x, true, given = tagged
    model = lp.NoisyTagClassifier(**{**QUICK, "noise": None, "loss": "warp"}).fit(x, given)
    ranked = np.mean([roc_auc_score(true[:, j], model.decision_function(x)[:, j]) for j in range(8)])
    assert ranked > 0.85
    logits = torch.randn(7, 5, requires_grad=True)
    label = torch.randint(0, 5, (7,))
    one = torch.nn.functional.one_hot(label, 5)
    assert torch.allclose(warp_tags(logits, one), warp(logits, label))
    two = one.clone()
    two[0] = 1  # nothing is absent, nothing can be violated
    assert warp_tags(logits, two)[0] == 0
    warp_tags(logits, two).sum().backward()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise": "feature dependent"}, "Did you mean 'feature-dependent'"),
        ({"pooling": "noisyor"}, "Did you mean 'noisy-or'"),
        ({"loss": "warp"}, "Give noise=None"),
        ({"stages": (0, 0)}, "two numbers of epochs"),
        ({"missing": 0.0}, "missing is 0.0"),
        ({"incorrect": "none"}, "Give 'auto'"),
        ({"noise_lr": 0}, "noise_lr is 0"),
    ],
)
def test_options_that_cannot_be(tagged, options, message):
    x, _, given = tagged
    with pytest.raises(lp.BadInput, match=message):
        lp.NoisyTagClassifier(**{**QUICK, **options}).fit(x, given)


def test_data_that_cannot_be(tagged):
    x, _, given = tagged
    model = lp.NoisyTagClassifier(**QUICK)
    bad = given.copy()
    bad[7, 3] = 2
    for y, message in (
        (bad, "row 7, column 3"),
        (given[:5], "900 items but y has 5 rows"),
        (np.zeros_like(given), "nothing can be learned"),
        (given[:, 0], "a column per tag"),
    ):
        with pytest.raises(lp.BadInput, match=message):
            model.fit(x, y)
    hole = x.copy()
    hole[4, 1] = np.nan
    with pytest.raises(lp.BadInput, match="row 4 holds NaN"):
        model.fit(hole, given)
    with pytest.raises(lp.BadInput, match="names has 2 entries"):
        model.fit(x, given, names=["a", "b"])
    with pytest.raises(lp.BadInput, match="cannot be used for tags"):
        lp.NoisyTagClassifier("two-stage-convnet").fit(np.zeros((20, 28, 28), np.uint8), given[:20])


def test_a_first_stage_is_shared(tagged):
    x, _, given = tagged
    options = {**QUICK, "stages": (5, 0), "noise": None}
    first = lp.NoisyTagClassifier(**options).fit(x, given)
    second = lp.NoisyTagClassifier(**{**options, "stages": (5, 3), "noise": "feature-independent"}).fit(
        x, given, pretrained=first
    )
    assert not np.allclose(second.decision_function(x), first.decision_function(x))
    again = lp.NoisyTagClassifier(**{**options, "stages": (7, 0), "learning_rate": 1e-12}).fit(x, given)
    assert not np.allclose(again.decision_function(x), first.decision_function(x), atol=0.1)
    with pytest.raises(lp.BadInput, match="another network"):
        lp.NoisyTagClassifier(**{**options, "backbone": nn.Linear(6, 4), "stages": (0, 1)}).fit(x, given, pretrained=first)


@pytest.mark.parametrize("noise", [None, "feature-independent", "feature-dependent"])
def test_a_saved_model_says_the_same(tagged, tmp_path, noise):
    x, _, given = tagged
    given = given.copy()
    given[:, 1] = 0
    named = lp.NoisyTagClassifier(noise=noise, stages=(1, 1), accelerator="cpu").fit(x, given, names=list("abcdefgh"))
    named.save(tmp_path / "m")
    again = lp.NoisyTagClassifier.load(tmp_path / "m")
    assert np.array_equal(again.decision_function(x), named.decision_function(x))
    assert np.array_equal(again.predict_given_proba(x), named.predict_given_proba(x))
    assert np.array_equal(again.error_probability_, named.error_probability_)
    assert again.constant_ == ["b"]
    assert again.get_params() == named.get_params()


def test_a_saved_network_of_ones_own_is_handed_in_again(tagged, tmp_path):
    x, _, given = tagged
    own = lp.NoisyTagClassifier(**{**QUICK, "stages": (1, 1)}).fit(x, given)
    own.save(tmp_path / "m")
    with pytest.raises(lp.BadInput, match="backbone="):
        lp.NoisyTagClassifier.load(tmp_path / "m")
    with pytest.raises(lp.CorruptArtifact, match="does not fit"):
        lp.NoisyTagClassifier.load(tmp_path / "m", backbone=nn.Linear(6, 3))
    again = lp.NoisyTagClassifier.load(tmp_path / "m", backbone=nn.Linear(6, 16))
    assert np.array_equal(again.decision_function(x), own.decision_function(x))


def test_rates_are_estimated_from_items_that_a_network_has_not_seen(tagged):
    x, true, given = tagged
    options = {**QUICK, "noise": "feature-independent", "stages": (15, 5)}
    model = lp.NoisyTagClassifier(**options).fit(x, given)
    assert abs(model.missing_.mean() - (given[true == 1] == 0).mean()) < 0.1
    assert abs(model.incorrect_.mean() - (given[true == 0] == 1).mean()) < 0.03
    assert model.out_of_sample_.logits.shape == given.shape
    assert model.out_of_sample_.owner.tolist() == list(range(len(x)))
    told = lp.NoisyTagClassifier(**{**options, "missing": 0.7, "incorrect": 0.2}).fit(x, given)
    assert told.out_of_sample_ is None  # nothing is to be estimated
    assert told.missing_.mean() > 0.5


def test_known_rates_are_taken_and_a_first_stage_hands_its_scores_on(tagged):
    x, _, given = tagged
    options = {**QUICK, "noise": "feature-independent", "stages": (3, 0)}
    first = lp.NoisyTagClassifier(**options).fit(x, given)
    second = lp.NoisyTagClassifier(**{**options, "stages": (0, 1)}).fit(x, given, pretrained=first)
    assert second.out_of_sample_ is first.out_of_sample_
    known = TagRates(np.full(8, 0.6), np.full(8, 0.1), tuple(range(8)))
    still = lp.NoisyTagClassifier(**{**options, "noise_lr": 1e-9}).fit(x, given, rates=known)
    assert np.allclose(still.missing_, 0.6, atol=1e-4)
    assert np.allclose(still.incorrect_, 0.1, atol=1e-4)
    with pytest.raises(lp.BadInput, match="rates are of 2 tags but y has 8"):
        first.fit(x, given, rates=TagRates(np.full(2, 0.1), np.full(2, 0.1), (0, 1)))


def test_evidence_tells_which_tags_are_omitted():
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (3000, 6)).astype(np.float32)
    true = (x @ rng.normal(0, 1, (6, 4)) > 0.5).astype(int)
    size = rng.uniform(0, 1, true.shape)
    given = np.where(rng.random(true.shape) < 0.8 * (1 - size), 0, true)
    options = {**QUICK, "stages": (10, 3), "noise": "feature-dependent"}
    model = lp.NoisyTagClassifier(**options).fit(x, given, evidence=size)
    assert model.module_.noise.slope[1, 0] > 1  # the larger, the likelier it is given
    small, large = (model.predict_given_proba(x, evidence=np.full(true.shape, at)) for at in (0.0, 1.0))
    assert large[true == 1].mean() > small[true == 1].mean() + 0.3
    assert np.allclose(
        model.predict_given_proba(x), model.predict_given_proba(x, evidence=np.full(true.shape, model.module_.noise.centre))
    )
    again = lp.NoisyTagClassifier.from_state(model.to_state(), backbone=nn.Linear(6, 16))
    assert np.array_equal(again.predict_given_proba(x, evidence=size), model.predict_given_proba(x, evidence=size))
    for wrong, options_, message in (
        (size[:5], {}, "evidence has shape"),
        (size, {"noise": "feature-independent"}, "evidence applies only to noise='feature-dependent'"),
        (np.where(size > 0.9, np.nan, size), {}, "evidence row"),
    ):
        with pytest.raises(lp.BadInput, match=message):
            lp.NoisyTagClassifier(**{**options, **options_}).fit(x, given, evidence=wrong)


def test_frames_on_their_own_are_scored_on_their_own():
    rng = np.random.default_rng(0)
    bags = lp.Bags.of([rng.normal(size=(1 + i % 3, 4)) for i in range(60)])
    y = (rng.random((60, 2)) < 0.5).astype(int)
    model = lp.NoisyTagClassifier(noise="feature-independent", stages=(1, 1), accelerator="cpu").fit(bags, y)
    assert model.out_of_sample_.logits.shape == (bags.sizes.sum(), 2)
    assert np.array_equal(model.out_of_sample_.owner, np.repeat(np.arange(60), bags.sizes))
    with pytest.raises(lp.BadInput, match="Give 2 or more"):
        lp.NoisyTagClassifier(folds=1, stages=(1, 1), accelerator="cpu").fit(bags, y)
