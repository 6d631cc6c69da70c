"""Blocks of items are encoded by the workers of a cluster, to the same features."""

from __future__ import annotations

import os

import numpy as np
import polars as pl
import pytest
from PIL import Image

import labelproof as lp
import tiny_models
from commands import run
from labelproof.auditing import encoded as own
from labelproof.auditing.encoded import encoded
from labelproof.distributed import connect, ray_map
from labelproof.networks.encoders import features

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
N = 120


@pytest.fixture(scope="module", autouse=True)
def _cluster():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    connect()
    yield
    ray.shutdown()


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(own, "BLOCK_ITEMS", 7)
    monkeypatch.setattr(features, "SPREAD_ITEMS", 16)


@pytest.fixture(scope="module")
def reviews():
    rng = np.random.default_rng(0)
    words = {"good": ["good", "great", "bright"], "bad": ["bad", "poor", "dull"]}
    kind = np.array(["bad", "good"])[np.arange(N) % 2]
    body = [f"the {rng.choice(words[k])} film " * int(rng.integers(1, 9)) + str(i // 2) for i, k in enumerate(kind)]
    return pl.DataFrame({"body": body, "kind": kind})


@pytest.fixture
def texts(reviews):
    return lp.read_frame(reviews, "kind", text="body")


@pytest.fixture
def pictures(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(40):
        place = tmp_path / "pictures" / ("light" if i % 2 else "dark")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 90 + 100 * (i % 2), (10, 12, 3)).astype(np.uint8)).save(place / f"{i:02d}.png")
    return tmp_path / "pictures"


def test_a_function_is_given_blocks_in_several_processes(texts):
    def lengths(some: list[str]) -> np.ndarray:
        import time

        time.sleep(0.05)
        return np.array([[len(text), os.getpid(), len(some)] for text in some])

    found = encoded(texts, lengths, map_blocks=ray_map).features
    assert found[:, 0].tolist() == [len(text) for text in texts.x]
    assert len(np.unique(found[:, 1])) > 1
    assert os.getpid() not in found[:, 1]
    assert found[:, 2].max() == 7
    assert encoded(texts, lengths).features[:, 2].tolist() == [N] * N


def test_a_transformer_learns_from_all_items(texts):
    from sklearn.feature_extraction.text import TfidfVectorizer

    model = TfidfVectorizer()
    assert np.array_equal(encoded(texts, model, map_blocks=ray_map).features, encoded(texts, model).features)


@pytest.mark.parametrize("make", [tiny_models.sentences, tiny_models.bert, tiny_models.onnx_text])
def test_texts_are_encoded_as_on_one_machine(make, texts, tmp_path):
    family = {"sentences": "st", "bert": "hf", "onnx_text": "onnx"}[make.__name__]
    name = f"{family}:{make(tmp_path / 'model')}"
    one = encoded(texts, name, cache=False)
    many = encoded(texts, name, cache=False, map_blocks=ray_map)
    assert many.encoder == one.encoder
    assert np.array_equal(many.features, one.features)


def test_pictures_are_encoded_as_on_one_machine_and_kept(pictures, tmp_path):
    dataset = lp.read_file(pictures)
    name = f"onnx:{tiny_models.onnx_pictures(tmp_path / 'model')}"
    one = encoded(dataset, name, cache=False).features
    calls = []

    def counted(function, *columns):
        for found in ray_map(function, *columns):
            calls.append(len(found))
            yield found

    for _ in range(2):  # the second time from the cache
        assert np.array_equal(encoded(dataset, name, map_blocks=counted).features, one)
    assert calls == [16, 16, 8]
    arrays = lp.read_arrays(np.random.default_rng(0).random((20, 8, 8)), np.arange(20) % 2)
    many = encoded(arrays, name, cache=False, map_blocks=ray_map).features
    assert np.array_equal(many, encoded(arrays, name, cache=False).features)


def test_an_error_of_an_encoder_comes_in_its_own_words(texts):
    def broken(some: list[str]) -> np.ndarray:
        raise KeyError("no such word")

    with pytest.raises(lp.BadInput, match=r"encoder broken failed on the items: .*KeyError.*no such word"):
        encoded(texts, broken, map_blocks=ray_map)


def test_the_command(reviews, tmp_path):
    reviews.write_csv(tmp_path / "reviews.csv")
    name = f"st:{tiny_models.sentences(tmp_path / 'model')}"
    for out, more in (("one", []), ("many", ["--ray", "local"])):
        done = run(
            "audit",
            tmp_path / "reviews.csv",
            "--label",
            "kind",
            "--text",
            "body",
            "--encoder",
            name,
            "--out",
            tmp_path / out,
            *more,
        )
        assert done.returncode == 0, done.stderr
    one, many = (lp.Audit.load(tmp_path / out) for out in ("one", "many"))
    assert many.model.encoder == one.model.encoder == name
    assert many.issues.equals(one.issues)
