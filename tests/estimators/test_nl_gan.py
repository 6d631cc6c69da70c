"""Generated pictures with clean labels."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import labelproof as lp
from labelproof.experiments.nl_gan import digits

SMALL = {
    "epochs": 12, "upsample": 1000, "filters": (16, 32), "batch_size": 32, "accelerator": "cpu", "learning_rate": 5e-4, "augment": 0.3,
}  # fmt: skip
pytestmark = pytest.mark.filterwarnings("ignore::labelproof.errors.LabelproofWarning")  # small and short: little variety


def small_digits(*shown: int) -> tuple[np.ndarray, np.ndarray]:
    """Real digits of 8 x 8 bytes, and which of the digits each shows, from 0 on."""
    digits = load_digits()
    rows = np.isin(digits.target, shown)
    return (digits.images[rows] * 15.9).astype(np.uint8), np.searchsorted(shown, digits.target[rows])


def judged(images: np.ndarray, *shown: int) -> np.ndarray:
    """Which of the digits a picture shows, by its nearest clean neighbours."""
    x, true = small_digits(*shown)
    neighbours = KNeighborsClassifier(3).fit(x.reshape(len(x), -1), true)
    return np.asarray(neighbours.predict(images.reshape(len(images), -1)))


@pytest.fixture(scope="module")
def noisy():
    images, true = small_digits(5, 7)
    return images, lp.simulate.binary_purity(true, 0.75, 0.75, random_state=1).labels, true


@pytest.fixture(scope="module")
def fitted(noisy):
    return lp.NLGAN(0.75, 0.75, **SMALL).fit(noisy[0], noisy[1])


def test_generated_labels_are_cleaner_than_the_given_ones(fitted, noisy):
    images, labels = fitted.generate(400)
    assert images.shape == (400, 8, 8)
    assert images.dtype == np.uint8
    assert (judged(images, 5, 7) == labels).mean() > 0.93 > (noisy[1] == noisy[2]).mean()


def test_the_same_seed_gives_the_same_pictures(noisy):
    once, again = (lp.NLGAN(0.75, 0.75, **{**SMALL, "epochs": 2, "upsample": 300}).fit(*noisy[:2]) for _ in range(2))
    assert np.array_equal(again.generate(20)[0], once.generate(20)[0])
    assert not np.array_equal(once.generate(20, random_state=5)[0], once.generate(20)[0])


def test_pictures_of_one_class_on_request(fitted):
    _, labels = fitted.generate(5, label=1)
    assert labels.tolist() == [1] * 5
    with pytest.raises(lp.BadInput, match="Give one of"):
        fitted.generate(5, label=7)


def test_a_killed_run_goes_on_to_the_same_end(noisy, tmp_path, monkeypatch):
    from labelproof.estimators.nl_gan.regime import AdversarialRegime

    images, given, _ = noisy
    how = {**SMALL, "epochs": 3, "upsample": 200, "pretraining_epochs": 2}
    whole = lp.NLGAN(**how).fit(images, given)
    compare = AdversarialRegime._compare

    def killed(self, epoch):
        if epoch == 1:
            raise KeyboardInterrupt
        compare(self, epoch)

    monkeypatch.setattr(AdversarialRegime, "_compare", killed)
    with pytest.raises(KeyboardInterrupt):
        lp.NLGAN(**how, checkpoints=tmp_path).fit(images, given)
    monkeypatch.setattr(AdversarialRegime, "_compare", compare)
    resumed = lp.NLGAN(**how, checkpoints=tmp_path).fit(images, given)
    assert np.array_equal(resumed.generate(20)[0], whole.generate(20)[0])
    assert resumed.contests_[1].soft_labels == whole.contests_[1].soft_labels


@pytest.mark.parametrize("seed", [0, 1])
def test_the_noise_is_estimated_where_it_is_not_given(seed):
    images, true = small_digits(0, 1)
    given = lp.simulate.binary_purity(true, 0.7, 0.7, random_state=seed).labels
    model = lp.NLGAN(**{**SMALL, "epochs": 0, "augment": 1.0}).fit(images, given)
    contest = model.contests_[1]
    assert contest.shares == pytest.approx((true[given == 1].mean(), 1 - true[given == 0].mean()), abs=0.06)  # 360 pictures
    assert len(contest.outputs) == 1000
    with pytest.raises(lp.BadInput, match="no generator was trained"):
        model.generate(2)


def test_several_classes_are_one_against_the_rest():
    images, true = small_digits(0, 1, 4)
    names = np.array(["four", "one", "zero"])[[2, 1, 0]]
    given = names[lp.simulate.symmetric(true, 0.15, random_state=0).labels]
    shares = dict.fromkeys(names, 0.85), dict.fromkeys(names, 0.92)
    model = lp.NLGAN(*shares, **{**SMALL, "epochs": 6, "upsample": 600}).fit(images, given)
    made, labels = model.generate(300)
    assert sorted(model.contests_) == sorted(names)
    assert (names[judged(made, 0, 1, 4)] == labels).mean() > 0.93


def test_real_numbers_come_back_as_real_numbers(noisy):
    images, given, _ = noisy
    colour = np.repeat(images[..., None] / 255, 3, axis=3)
    made, _ = lp.NLGAN(0.75, 0.75, **{**SMALL, "epochs": 1}).fit(colour, given).generate(3)
    assert made.shape == (3, 8, 8, 3)
    assert made.dtype == np.float32
    assert 0 <= made.min() <= made.max() <= 1


def test_unlabelled_pictures_are_left_out(noisy):
    images, given, _ = noisy
    how = {**SMALL, "epochs": 1}
    part = np.where(np.arange(len(given)) < 100, given, np.nan)
    few = lp.NLGAN(0.75, 0.75, **how).fit(images, part).generate(4)[0]
    assert np.array_equal(few, lp.NLGAN(0.75, 0.75, **how).fit(images[:100], given[:100]).generate(4)[0])


def test_mode_collapse_is_noticed():
    rng = np.random.default_rng(0)
    images = np.where(rng.random((60, 8, 8)) < 0.5, 0, 255).astype(np.uint8)  # a generator that hardly trains is duller
    with pytest.warns(lp.LabelproofWarning, match=r"class [01] collapsed"):
        lp.NLGAN(0.8, 0.8, **{**SMALL, "epochs": 1, "learning_rate": 1e-6}).fit(images, np.arange(60) % 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pi_p": 0.4, "pi_n": 0.5}, "sum to more than 1"),
        ({"pi_n": None}, "Give both"),
        ({"pi_p": {0: 0.9}}, "no entry for class 1"),
        ({"loss": "hinge"}, "cross-entropy, squared"),
        ({"alpha": 0.0}, "alpha is 0.0"),
        ({"coverage": -0.1}, "coverage is -0.1"),
        ({"epochs": -1}, "epochs is -1"),
        ({"augment": 3}, "augment is 3"),
        ({"epochs": 0}, "nothing to train"),
        ({"images": lambda x: x[:5]}, "5 images but 361 labels"),
        ({"images": lambda x: x[:, 0]}, "Give \\(n, height, width\\)"),
        ({"images": lambda x: x / 100}, "values out of range: .* in row"),
        ({"images": lambda x: x.astype(int) - 1}, "values out of range: -1 in row"),
        ({"images": lambda x: [*x[:-1], x[0][:4]]}, "several sizes: .* in row 360"),
        ({"labels": lambda y: y * 0}, "only one class"),
        ({"labels": lambda y: np.where(np.arange(361) == 3, 1, 0)}, "class 1 has 1 image"),
    ],
)
def test_bad_input_is_explained(noisy, change, message):
    images, given, _ = noisy
    images = change.get("images", lambda x: x)(images)
    given = change.get("labels", lambda y: y)(given)
    options = {"pi_p": 0.75, "pi_n": 0.75, **SMALL}
    options |= {name: value for name, value in change.items() if name not in ("images", "labels")}
    with pytest.raises(lp.BadInput, match=message):
        lp.NLGAN(**options).fit(images, given)


def test_a_classifier_of_generated_pictures_beats_the_given_labels():
    images, true = small_digits(0, 1)
    given = lp.simulate.binary_purity(true, 0.7, 0.7, random_state=0).labels
    rows = FunctionTransformer(lambda x: x.reshape(len(x), -1))
    classifier = make_pipeline(rows, StandardScaler(), LogisticRegression(max_iter=1000))
    plain = clone(classifier).fit(images[:200], given[:200]).score(images[200:], true[200:])
    gan = lp.NLGAN(0.7, 0.7, **{**SMALL, "epochs": 24})
    cleaner = lp.GenerativeCleaner(gan, classifier, n_generated=1000).fit(images[:200], given[:200])
    assert cleaner.score(images[200:], true[200:]) > max(0.93, plain + 0.05)  # .975 to .994 in four draws, plain .67 to .86
    assert np.allclose(cleaner.predict_proba(images[200:]).sum(axis=1), 1)
    assert cleaner.classes_.tolist() == [0, 1]


def test_few_pictures_are_augmented_more_and_the_second_stage_augments_too():
    images, true = small_digits(0, 1)
    given = lp.simulate.binary_purity(true, 0.8, 0.8, random_state=0).labels
    options = {**SMALL, "augment": None, "epochs": 1, "upsample": 128}
    cleaner = lp.GenerativeCleaner(lp.NLGAN(0.8, 0.8, **options), n_generated=40).fit(images[:80], given[:80])
    assert cleaner.generator_.augment_ == 2.0
    assert cleaner.classifier_.augment == 1.0
    paper = {**options, "augment": 0.0}
    plain = lp.GenerativeCleaner(lp.NLGAN(0.8, 0.8, **paper), n_generated=40).fit(images[:80], given[:80])
    assert plain.classifier_.augment == 0.0


@pytest.mark.slow
def test_the_mixture_recovers_the_noise_of_real_digits(real_data):
    """Figure 1: 5 against 7, 30 % of the labels of each wrong."""
    pictures = digits(real_data, (5,), (7,))
    own = pictures.first(4000)
    given = lp.simulate.binary_purity(pictures.true[own], 0.7, 0.7, random_state=0).labels
    how = {"pretraining_epochs": 6, "upsample": 4000, "filters": (16, 32), "accelerator": "cpu"}
    model = lp.NLGAN(epochs=0, **how).fit(pictures.x[own], given)
    assert model.contests_[1].shares == pytest.approx((0.7, 0.7), abs=0.05)
