"""EfficientNet-Lite: its published layout and weights, and that it knows pictures it never saw."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from labelproof.data.picture_source import FileSource
from labelproof.networks.encoders.efficientnet_lite import EfficientNetLite, SameConv, pixels
from labelproof.networks.encoders.efficientnet_lite2 import FILE, PACKAGE
from labelproof.networks.encoders.features import encode_pictures
from labelproof.networks.encoders.weights import folder_of

PUBLISHED = {0: 4_652_008, 1: 5_416_680, 2: 6_092_072, 3: 8_197_096, 4: 13_006_568}  # weights, with the classifier of 1,000


@pytest.fixture(scope="module")
def state():
    return torch.load(folder_of(PACKAGE) / FILE, map_location="cpu", weights_only=True)


@pytest.fixture(scope="module")
def network(state):
    made = EfficientNetLite(2)
    made.load_published(state)
    return made.eval()


@pytest.mark.parametrize("scale", PUBLISHED)
def test_as_many_weights_as_published(scale):
    with torch.device("meta"):
        own = sum(weight.numel() for weight in EfficientNetLite(scale).parameters())
    assert own + 1280 * 1000 + 1000 == PUBLISHED[scale]


def test_every_published_weight_is_taken_but_the_classifier(state, network):
    left = {name for name in state if not name.startswith("_fc")}
    assert len(network.state_dict()) == len(left)
    assert sorted(tuple(w.shape) for w in network.state_dict().values()) == sorted(tuple(state[name].shape) for name in left)
    assert sum(w.double().sum().item() for w in network.state_dict().values()) == pytest.approx(
        sum(state[name].double().sum().item() for name in left)
    )
    for lacking in ("_conv_stem.weight", "_blocks.7._bn1.running_var"):
        with pytest.raises(KeyError):
            EfficientNetLite(2).load_published({name: weight for name, weight in state.items() if name != lacking})
    with pytest.raises(RuntimeError):
        EfficientNetLite(0).load_published(state)


@torch.inference_mode()
def test_fused_is_the_same_network(state, network):
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    fused = EfficientNetLite(2)
    fused.load_published(state)
    fused.fuse()
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in fused.modules())
    expected = network(x)
    assert expected.shape == (2, 1280)
    assert (fused(x) - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.mark.parametrize("size", [(7, 8), (9, 12), (224, 112), (5, 5)])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 2), (5, 1), (1, 1)])
@torch.inference_mode()
def test_padding_is_the_same_of_tensorflow(size, kernel, stride):
    """``total = max((ceil(n / s) - 1) s + k - n, 0)``, half before, the rest after."""
    layer = SameConv(2, 3, kernel, stride=stride, active=False).eval()
    layer.norm = torch.nn.Identity()
    x = torch.rand(1, 2, *size, generator=torch.Generator().manual_seed(0))
    totals = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in size]
    (top, bottom), (left, right) = ((total // 2, total - total // 2) for total in totals)
    expected = functional.conv2d(functional.pad(x, (left, right, top, bottom)), layer.conv.weight, stride=stride)
    assert torch.equal(layer(x), expected)
    assert layer(x).shape[2:] == tuple(-(-n // stride) for n in size)


def test_pictures_are_scaled_as_the_weights_expect():
    assert pixels(torch.tensor([0, 127, 255], dtype=torch.uint8)).tolist() == [-127 / 128, 0.0, 1.0]


def test_like_pictures_have_like_features(real_data, opened):
    """The nearest of 200 CIFAR-10 pictures has the same class far more often by these features than by pixels."""
    with zipfile.ZipFile(real_data / "cifar10-jpeg.zip") as archive:
        kinds = sorted({name.split("/")[1] for name in archive.namelist() if name.startswith("train/")} - {""})
        files = [archive.read(f"train/{kind}/{i:04d}.jpg") for kind in kinds for i in range(20)]
    pictures = np.stack([np.asarray(Image.open(io.BytesIO(file)).convert("RGB")) for file in files])
    kind = np.repeat(np.arange(10), 20)

    def right(features: np.ndarray) -> float:
        unit = features / np.linalg.norm(features, axis=1, keepdims=True)
        like = unit @ unit.T - 2 * np.eye(len(unit))
        return float((kind[like.argmax(axis=1)] == kind).mean())

    encoded = encode_pictures(opened("efficientnet-lite2"), FileSource([lambda file=file: file for file in files], range(200)))
    raw = pictures.reshape(200, -1) / 255.0
    assert right(encoded - encoded.mean(axis=0)) > max(right(raw), right(raw - raw.mean(axis=0))) + 0.25
