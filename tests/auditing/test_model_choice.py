"""The model that an audit uses: chosen by its loss out of sample, joined by what lowers it, and any small set has one."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

import labelproof as lp
from commands import run
from labelproof.auditing import model_choice
from labelproof.auditing.default_models import Candidate, Candidates
from labelproof.auditing.folds import CrossValidation, assign_folds
from labelproof.auditing.model_choice import choose, loss_of
from labelproof.auditing.naive_bayes_weights import NaiveBayesWeights
from labelproof.auditing.out_of_sample import cross_validate
from labelproof.data.dataset import Dataset, Shown
from labelproof.labels.classes import Classes

K = 3


class Says(ClassifierMixin, BaseEstimator):
    """Takes the rows that it is given for probabilities."""

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, x):
        return x[:, self.classes_]


def opinion(given: np.ndarray, sure: float, seed: int) -> np.ndarray:
    logits = sure * np.eye(K)[given] + np.random.default_rng(seed).normal(size=(len(given), K))
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@pytest.fixture
def given():
    return np.random.default_rng(0).integers(0, K, 300)


@pytest.fixture
def fold(given):
    return assign_folds(given, range(K), 5)


def chosen_from(views, groups, given, fold):
    tried: list = []
    found = Candidates(views, [[Candidate(f"model of {name}", name, Says()) for name in group] for group in groups])
    return choose(found, given, K, fold, map, tried), tried


def test_the_lowest_loss_is_chosen_of_each_group_and_all_are_listed(given, fold):
    views = {
        name: opinion(given, sure, seed) for seed, (name, sure) in enumerate([("poor", 0.2), ("good", 3.0), ("fair", 1.0)])
    }
    views["uniform"] = np.full((300, K), 1 / K)
    chosen, tried = chosen_from(views, [["poor", "good", "fair"], ["uniform"]], given, fold)
    assert [one.view for one, _ in chosen] == ["good"]
    assert np.allclose(chosen[0][1], views["good"])
    assert [one["name"] for one in tried] == [f"model of {name} on {name}" for name in ("poor", "good", "fair", "uniform")]
    for one in tried:
        expected = -np.log(views[one["name"].split()[-1]][np.arange(300), given]).mean()
        assert one["loss"] == pytest.approx(expected, abs=1e-4)


def test_only_members_that_lower_the_loss_of_the_mean_join(given, fold):
    views = {
        "a": opinion(given, 2.0, 1),
        "b": opinion(given, 1.9, 2),
        "c": opinion(given, 1.8, 3),
        "wrong": opinion(2 - given, 1, 4),
    }
    chosen, _ = chosen_from(views, [["wrong"], ["b"], ["a"], ["c"]], given, fold)
    names = [one.view for one, _ in chosen]
    losses = [loss_of(np.mean([views[v] for v in names[:i]], axis=0), given, np.arange(300)) for i in range(1, len(names) + 1)]
    assert "wrong" not in names
    assert len(names) >= 2
    assert losses == sorted(losses, reverse=True)
    assert names[0] == min("abc", key=lambda v: loss_of(views[v], given, np.arange(300)))


def test_a_probability_of_nothing_counts_as_a_millionth():
    assert loss_of(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 0]), np.array([0, 1])) == pytest.approx(-np.log(1e-6) / 2)


def directly(x, given, fold, estimator):
    """Probabilities by the plain definition."""
    probs, models = np.zeros((len(given), K)), []
    for number in range(fold.max() + 1):
        train, test = (fold != number) & (fold >= 0), fold == number
        models.append(clone(estimator).fit(x[train], given[train]))
        probs[test] = models[-1].predict_proba(x[test])
    probs[fold < 0] = np.mean([model.predict_proba(x[fold < 0]) for model in models], axis=0)
    return probs


@pytest.fixture
def problem():
    x, y = make_classification(400, 8, n_informative=6, n_classes=K, flip_y=0.1, class_sep=1.0, random_state=0)
    y[[3, 77, 200, 399]] = -1
    return x, y


@pytest.mark.parametrize("enough", [1, 100, 1000])
def test_the_choice_on_some_folds_gives_what_a_direct_computation_gives(enough, problem, monkeypatch):
    """Also of unlabelled items: the mean over the models of all folds, of those of the choice and of those after it."""
    monkeypatch.setattr(model_choice, "ENOUGH", enough)
    x, y = problem
    fold = assign_folds(y, range(K), 5)
    models = {"linear": LogisticRegression(), "bayes": GaussianNB(), "none": Says()}
    views = {"linear": x, "bayes": x[:, :3], "none": np.full((400, K), 1 / K)}
    found = Candidates(views, [[Candidate(name, name, model)] for name, model in models.items()])
    tried: list = []
    for one, probs in choose(found, y, K, fold, map, tried):
        assert np.allclose(probs, directly(views[one.view], y, fold, models[one.name]))
    assert len(tried) == 3
    seen = np.concatenate([np.flatnonzero(fold == number) for number in range({1: 1, 100: 2, 1000: 5}[enough])])
    expected = loss_of(directly(x, y, fold, LogisticRegression()), y, seen)
    assert tried[0]["loss"] == pytest.approx(expected, abs=1e-4)


def dataset(x, y, kind="arrays", groups=None):
    labels = Classes.of_codes(np.asarray(y), tuple(range(int(np.max(y)) + 1)))
    return Dataset(x, labels, np.arange(len(y)), lambda i: Shown(text=str(i)), kind, groups=groups)


def test_repeats_are_averaged(problem):
    x, y = problem
    data = dataset(x, y)
    once = [cross_validate(data, CrossValidation(random_state=seed), estimator=LogisticRegression()).probs for seed in range(3)]
    found = cross_validate(data, CrossValidation(n_repeats=3), estimator=LogisticRegression())
    assert np.allclose(found.probs, np.mean(once, axis=0))
    assert not np.allclose(found.probs, once[0])
    assert (found.model.n_folds, found.model.n_repeats) == (5, 3)
    assert "(5 folds, 3 times)" in found.model.said
    labelled = np.flatnonzero(y >= 0)
    assert found.model.accuracy == pytest.approx((found.probs.argmax(axis=1) == y)[labelled].mean(), abs=1e-4)
    assert found.model.loss == pytest.approx(loss_of(found.probs, y, labelled), abs=1e-4)
    assert found.model.tried == []  # there was no choice


def test_processes_give_the_same_answer(problem):
    data = dataset(*problem)
    assert np.array_equal(
        cross_validate(data, CrossValidation(n_jobs=2)).probs, cross_validate(data, CrossValidation(n_jobs=1)).probs
    )


class Odd(LogisticRegression):
    """Predicts NaN for some."""

    where = 0

    def predict_proba(self, x):
        found = super().predict_proba(x)
        found[np.asarray(x)[:, 0] > self.where] = np.nan
        return found


class Nothing(LogisticRegression):
    def predict_proba(self, x):
        return 0 * super().predict_proba(x)


@pytest.mark.parametrize("estimator", [Odd, Nothing])
def test_an_estimator_that_predicts_no_probabilities(estimator, problem):
    with pytest.raises(lp.BadInput, match=f"{estimator.__name__} predicts probabilities that are not finite"):
        lp.out_of_sample_probs(problem[0], problem[1], estimator=estimator(), missing=[-1])


def test_nan_for_an_unlabelled_item_is_told_too(problem):
    x, y = problem
    x[3, 0] = 100
    with pytest.raises(lp.BadInput, match="predicts probabilities that are not finite"):
        lp.out_of_sample_probs(x, y, estimator=type("Odd", (Odd,), {"where": 50})(), missing=[-1])


def test_a_class_that_the_other_groups_lack_gets_its_share_and_is_not_flagged():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    groups = rng.integers(0, 6, 300)
    y[groups == 5] = 2  # a class of one document
    x = rng.normal(size=(300, 4)) + 3 * np.eye(3, 4)[y]
    data = dataset(x, y, groups=groups)
    with pytest.warns(lp.LabelproofWarning, match=r"1 of the classes are in one group only \(2\)"):
        probs = lp.out_of_sample_probs(data, estimator=LogisticRegression())
    share = (y == 2).mean()
    assert np.allclose(probs[y == 2, 2], share)
    assert np.allclose(probs.sum(axis=1), 1)
    assert (probs[y != 2][:, 2] < 0.5).mean() > 0.95
    verdicts = lp.audit(data, probs).issues.filter(pl.col("given_label") == 2)["verdict"]
    assert (verdicts == "obvious").mean() == 0


def test_where_the_other_groups_have_one_class_only_it_is_said_of_all():
    y = np.repeat([0, 1], 30)
    probs = lp.out_of_sample_probs(np.arange(60.0)[:, None], y, estimator=LogisticRegression(), groups=y)
    assert np.allclose(probs, 0.5)


def test_neighbours_are_no_more_than_the_training_items():
    """One large group, one small one, and features of an encoder."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    x = (rng.normal(size=(200, 20)) + 2 * y[:, None]).astype(np.float32)
    data = dataset(np.array([f"text {i} {'sea' if c else 'wood'}" for i, c in enumerate(y)], dtype=object), y, "text",
                   groups=np.repeat([0, 1], [180, 20]))  # fmt: skip
    found = cross_validate(data, CrossValidation(), encoder=lambda _: x)
    assert any("nearest" in one["name"] for one in found.model.tried)
    assert found.model.accuracy > 0.9


def test_naive_bayes_weights_are_the_ratio_of_wang_and_manning():
    """For two classes: ``|log((p / |p|) / (q / |q|))|`` with ``p = 1 + Σ_{i: y=1} f_i``."""
    rng = np.random.default_rng(0)
    x, y = (rng.random((60, 9)) < 0.3).astype(float), rng.integers(0, 2, 60)
    p, q = 1 + x[y == 1].sum(axis=0), 1 + x[y == 0].sum(axis=0)
    expected = np.abs(np.log((p / p.sum()) / (q / q.sum())))
    found = NaiveBayesWeights().fit(x, y)
    assert np.allclose(found.weights_, expected)
    assert np.allclose(found.transform(2 * x).toarray(), 2 * x * expected)
    swapped = NaiveBayesWeights().fit(x, 1 - y)
    assert np.allclose(swapped.weights_, expected)


SMALL = [
    *((kind, n, "auto") for kind in ("text", "one column", "table") for n in (10, 24, 60)),
    *(("text", n, "none") for n in (10, 24, 60)),
    *(pytest.param("pictures", n, "auto", marks=pytest.mark.needs("torch")) for n in (10, 24, 60)),
    pytest.param("pictures", 10, "none", marks=pytest.mark.needs("torch")),
]


@pytest.mark.parametrize(("kind", "n", "encoder"), SMALL)
def test_small_sets_have_an_answer(kind, n, encoder, tmp_path):
    """Few items, few distinct values, two or three classes."""
    rng = np.random.default_rng(n)
    names = np.array(["cat", "dog", "owl"])[np.arange(n) % (2 if n == 10 else 3)]
    if kind == "pictures":
        for i, name in enumerate(names):
            (tmp_path / "in" / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8)).save(tmp_path / "in" / name / f"{i}.png")
        arguments = [tmp_path / "in"]
    else:
        columns = {
            "text": [f"the {name} said {'hello' if i % 2 else 'nothing at all'}" for i, name in enumerate(names)],
            "one column": (names == "cat").tolist(),
            "table": rng.normal(size=n),
        }
        extra = {"more": rng.choice(["x", "y"], n)} if kind == "table" else {}
        pl.DataFrame({"kind": names, "what": columns[kind], **extra}).write_csv(tmp_path / "in.csv")
        arguments = [tmp_path / "in.csv", "--label", "kind", *(["--text", "what"] if kind == "text" else [])]
    done = run("audit", *arguments, "--encoder", encoder, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = lp.Audit.load(tmp_path / "out")
    assert found.n == n
    assert np.isfinite(found.error_probability).all()
    assert 0 <= found.model.accuracy <= 1
