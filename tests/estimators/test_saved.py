"""Everything that is saved: there and back with equal answers and an equal state, or an error that says what is wrong."""

from __future__ import annotations

import json
import shutil
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import labelproof as lp
from labelproof.estimators.inner import HOMES
from labelproof.saving.saveable import Saveable
from labelproof.saving.state import read_tensors, write_tensors

X, Y = load_iris(return_X_y=True)
X = X.astype(np.float32)
DIGITS = load_digits()
FEW = np.flatnonzero(DIGITS.target < 2)[:80]
IMAGES, BITS = DIGITS.images[FEW] / 16, DIGITS.target[FEW]
FRAMES = np.eye(3)[[[0, 1], [1, 2], [2, 0]]]
CPU = {"accelerator": "cpu"}
GAN = {"epochs": 1, "upsample": 80, "filters": (8, 16), **CPU}


def classifier():
    options = {"transition": lp.TransitionMatrix(np.eye(3) * 0.85 + 0.05)}
    model = lp.NoisyLabelClassifier(
        "forward", method_options=options, epochs=3, validation_fraction=0.2, calibration_fraction=0.3, **CPU
    )
    return model.fit(X, np.array(["a", "b", "c"])[Y]), lambda model: np.c_[model.predict_proba(X), model.predict_set(X, 0.8)]


def two_networks():
    return lp.NoisyLabelClassifier("co-teaching", epochs=3, **CPU).fit(X, Y), lambda model: model.predict_proba(X)


def tagger():
    model = lp.NoisyTagClassifier(stages=(1, 1), **CPU).fit(X, (X[:, :3] > X[:, :3].mean(axis=0)).astype(int))
    return model, lambda model: np.c_[model.decision_function(X), model.predict_given_proba(X)]


def vae():
    model = lp.MislabeledVAE(np.eye(3) * 0.7 + 0.1, epochs=(2, 1, 1), **CPU).fit(X, Y, batch=Y % 2)
    return model, lambda model: np.c_[model.predict_proba(X, batch=Y % 2), model.transform(X, batch=Y % 2)]


def m1m2():
    return lp.M1M2(2.0, epochs=(2, 1, 1), **CPU).fit(X, Y), lambda model: model.predict_proba(X)


def m2_on_m1():
    return lp.M1M2(2.0, labels="clamped", epochs=(2, 1, 1), **CPU).fit(X, Y), lambda model: model.predict_proba(X)


def gan():
    return lp.NLGAN(0.8, 0.8, **GAN).fit(IMAGES, BITS), lambda model: model.generate(6)[0]


def captioner():
    sizes = {"hidden": 8, "concept_size": 4, "word_size": 4, "min_count": 1, "epochs": 2}
    said = [["a dog then a cat"], ["a cat then a bird"], ["a bird then a dog"]]
    return lp.ConceptCaptioner(**sizes, **CPU).fit(FRAMES, said, names=list("abc")), lambda model: model.caption(FRAMES)


def cleaner():
    model = lp.GenerativeCleaner(lp.NLGAN(0.8, 0.8, **GAN), quick(epochs=1), n_generated=40).fit(IMAGES, BITS)
    return model, lambda model: model.predict_proba(IMAGES)


def pruning():
    return lp.RankPruning().fit(X[:100], Y[:100]), lambda model: model.predict_proba(X)


def ensemble():
    model = lp.BootstrapEnsemble(LogisticRegression(max_iter=500, C=2.0), n=3).fit(X, Y)
    return model, lambda model: model.members_proba(X)


def ensemble_of_networks():
    return lp.BootstrapEnsemble(quick(epochs=2), n=2).fit(X, Y), lambda model: model.members_proba(X)


def quick(**options):
    return lp.NoisyLabelClassifier("cross-entropy", **CPU, **options)


MAKERS = {
    make.__name__: make
    for make in (
        classifier,
        two_networks,
        tagger,
        vae,
        m1m2,
        m2_on_m1,
        gan,
        captioner,
        cleaner,
        pruning,
        ensemble,
        ensemble_of_networks,
    )
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model by name, what it says, and its folder; each is made once."""
    made = {}

    def of(name):
        if name not in made:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model, answer = MAKERS[name]()
            folder = tmp_path_factory.mktemp(name) / "model"
            model.save(folder)
            made[name] = model, answer, folder
        return made[name]

    return of


def same_state(one, other):
    assert one.kind == other.kind
    assert json.dumps(one.meta, sort_keys=True) == json.dumps(other.meta, sort_keys=True)
    assert one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        assert array.dtype == other.arrays[name].dtype, name
        assert np.array_equal(array, other.arrays[name], equal_nan=array.dtype.kind == "f"), name


@pytest.mark.parametrize("name", MAKERS)
def test_it_comes_back_the_same(saved, name):
    model, answer, folder = saved(name)
    again = type(model).load(folder)
    assert np.array_equal(answer(again), answer(model))
    same_state(again.to_state(), model.to_state())
    same_state(type(model).from_state(model.to_state()).to_state(), model.to_state())
    names = {path.name for path in folder.iterdir()} - {".labelproof", "history"}
    assert names == {"summary.json", "weights.safetensors"}
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["kind"], summary["labelproof"]) == (model.kind, lp.__version__)
    with pytest.raises(lp.BadInput, match="exists"):
        model.save(folder)
    fitted = {key for key in vars(model) if key.endswith("_") and not key.startswith("_")}
    assert fitted - {"history_"} <= set(vars(again))


def test_every_kind_has_a_row_here(saved):
    from labelproof import _HOME

    classes = [getattr(lp, name) for name, home in _HOME.items() if home.startswith("labelproof.estimators")]
    kinds = {owner.kind for owner in classes if isinstance(owner, type) and issubclass(owner, Saveable)}
    assert kinds == {type(saved(name)[0]).kind for name in MAKERS}
    assert set(HOMES) == kinds - {"noisy-tag-classifier", "concept-captioner"}  # which are in no other estimator


@pytest.fixture
def folder(saved, tmp_path):
    """A copy to damage, of every kind that has a file of its own to be damaged."""

    def of(name):
        return type(saved(name)[0]), shutil.copytree(saved(name)[2], tmp_path / "model")

    return of


@pytest.mark.parametrize("name", ["classifier", "tagger", "vae", "gan", "captioner", "pruning"])
def test_what_is_damaged_is_refused_and_can_be_made_again(folder, name):
    owner, place = folder(name)
    weights, summary = place / "weights.safetensors", place / "summary.json"
    for file in (weights, summary):
        whole = file.read_bytes()
        for changed in (whole[:-7] + bytes([whole[-7] ^ 1]) + whole[-6:], whole[:-9], b"", whole.replace(b'"kind"', b'"kine"')):
            file.write_bytes(changed)
            if changed != whole:
                with pytest.raises((lp.CorruptArtifact, lp.BadInput)):
                    owner.load(place)
        file.unlink()
        with pytest.raises(lp.CorruptArtifact, match=f"Fit {owner.__name__} and save it again"):
            owner.load(place)
        file.write_bytes(whole)
    owner.load(place)


def test_a_changed_number_in_the_summary_is_noticed(folder):
    owner, place = folder("classifier")
    summary = json.loads((place / "summary.json").read_text())
    (place / "summary.json").write_text(json.dumps({**summary, "temperature": summary["temperature"] * 2}))
    with pytest.raises(lp.CorruptArtifact, match=r"do not belong to the same classifier.*or run labelproof train"):
        owner.load(place)


def test_weights_of_another_model_are_noticed(folder, saved):
    owner, place = folder("ensemble")
    shutil.copy(saved("ensemble_of_networks")[2] / "weights.safetensors", place)
    with pytest.raises(lp.CorruptArtifact, match="do not belong to the same"):
        owner.load(place)


def test_a_foreign_kind_and_a_later_version_are_named(folder, tmp_path):
    owner, place = folder("vae")
    with pytest.raises(lp.BadInput, match="is a mislabeled-vae, not a classifier"):
        lp.NoisyLabelClassifier.load(place)
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "summary.json").write_text(json.dumps({"labelproof": lp.__version__, "n": 3}))
    with pytest.raises(lp.BadInput, match=r"without a model, not a mislabeled-vae.*Fit MislabeledVAE and save it again"):
        owner.load(tmp_path / "audit")
    summary = json.loads((place / "summary.json").read_text())
    (place / "summary.json").write_text(json.dumps({**summary, "labelproof": "9.1.0"}))
    with pytest.raises(lp.BadInput, match=r"written by labelproof 9\.1\.0.*pip install --upgrade labelproof"):
        owner.load(place)


@pytest.mark.parametrize("name", ["classifier", "tagger", "vae", "gan", "captioner"])
def test_a_folder_of_version_01_is_read(folder, saved, name):
    """It had no checksum in its summary, JSON in one of both files, and ``seed`` among the parameters."""
    model, answer, _ = saved(name)
    owner, place = folder(name)
    arrays, meta = read_tensors(place / "weights.safetensors")
    kept = {key: value for key, value in meta.items() if key not in ("kind", "labelproof", "n_features_in", "feature_names_in")}
    if name == "classifier":
        kept |= {key: meta[key] for key in ("n_features_in", "feature_names_in")}
    arrays = {key: array for key, array in arrays.items() if not key.startswith("pretrained/")}
    of_summary, of_weights = (kept, {}) if name == "classifier" else ({}, kept)
    (place / "summary.json").write_text(json.dumps({"kind": owner.kind, **of_summary}))
    write_tensors(place / "weights.safetensors", arrays, of_weights)
    assert np.array_equal(answer(owner.load(place)), answer(model))


def test_what_cannot_be_written_without_pickle_is_refused_before_anything_is_written(tmp_path):
    forest = lp.BootstrapEnsemble(RandomForestClassifier(5), n=2).fit(X, Y)
    with pytest.raises(lp.BadInput, match="RandomForestClassifier, which cannot be saved without pickle"):
        forest.save(tmp_path / "m")
    with pytest.raises(lp.BadInput, match=r"NoisyLabelClassifier\.checkpoints is a"):
        from labelproof.saving.saveable import plain_params

        plain_params(lp.NoisyLabelClassifier(checkpoints=object()))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="not fitted"):
        lp.MislabeledVAE().save(tmp_path / "m")
