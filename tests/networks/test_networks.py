"""Every backbone: shapes, gradients, and the published names of VGG16's weights."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

import labelproof as lp
from labelproof.networks import BACKBONES, FCNVGG16, MLP, InputShape, ResNet18, make_backbone


@pytest.mark.parametrize("name", BACKBONES)
def test_it_maps_a_batch_to_logits_with_gradients_everywhere(name):
    rows = name == "mlp"
    spec = InputShape((6,), (3, 4)) if rows else InputShape((3, 32, 32))
    net = make_backbone(name, spec, 5) if name != "fcn-vgg16" else FCNVGG16(5, width=16)
    x = (
        torch.cat([torch.randn(4, 4), torch.tensor([[0.0, 3], [1, 0], [2, 1], [2, 2]])], dim=1)
        if rows
        else torch.randn(4, 3, 32, 32)
    )
    logits = net(x)
    assert logits.shape == (4, 5)
    logits.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


def test_a_category_changes_the_prediction_by_its_embedding_alone():
    net = MLP(2, n_numbers=1, cardinalities=[3]).eval()
    a, b = net(torch.tensor([[0.5, 1.0]])), net(torch.tensor([[0.5, 2.0]]))
    assert not torch.allclose(a, b)
    with torch.no_grad():
        net.embeddings[0].weight[2] = net.embeddings[0].weight[1]
    assert torch.allclose(a, net(torch.tensor([[0.5, 2.0]])))


def test_resnet18_has_its_published_size():
    assert sum(p.numel() for p in ResNet18(10).parameters()) == 11_173_962


def test_vgg16_weights_load_by_their_published_names(tmp_path):
    layers = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128), 12: (256, 256), 14: (256, 256)}
    layers |= {17: (512, 256), 19: (512, 512), 21: (512, 512), 24: (512, 512), 26: (512, 512), 28: (512, 512)}
    published = {f"features.{i}.weight": torch.randn(out, before, 3, 3) for i, (out, before) in layers.items()}
    published |= {f"features.{i}.bias": torch.randn(out) for i, (out, _) in layers.items()}
    first = torch.randn(4096, 512 * 7 * 7)
    published |= {"classifier.0.weight": first, "classifier.0.bias": torch.zeros(4096)}
    published |= {"classifier.3.weight": torch.randn(4096, 4096), "classifier.3.bias": torch.zeros(4096)}
    published |= {"classifier.6.weight": torch.randn(1000, 4096), "classifier.6.bias": torch.zeros(1000)}
    net = FCNVGG16(20)
    save_file(published, tmp_path / "vgg16.safetensors")
    net.load_vgg16(tmp_path / "vgg16.safetensors")
    assert torch.equal(net.features[28].weight, published["features.28.weight"])
    map_, flat = torch.randn(1, 512, 7, 7), first
    centre = torch.nn.functional.conv2d(map_, net.classifier[0].weight)[0, :, 0, 0]
    assert torch.allclose(centre, flat @ map_.flatten(), rtol=1e-3, atol=0.05)
    del published["features.5.bias"]
    with pytest.raises(lp.BadInput, match=r"no 'features\.5\.bias'"):
        net.load_vgg16(published)


def test_a_wrong_name_or_kind_is_refused():
    with pytest.raises(lp.BadInput, match="Did you mean 'resnet18'"):
        make_backbone("resnet-18", InputShape((3, 32, 32)), 2)
    with pytest.raises(lp.BadInput, match="takes pictures"):
        make_backbone("convnet", InputShape((7,)), 2)
