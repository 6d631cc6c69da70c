"""Choose a network by name, or use one of the user's own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from torch import nn

from labelproof.errors import BadInput, did_you_mean
from labelproof.networks.convnet import SmallConvNet
from labelproof.networks.fcn_vgg16 import FCNVGG16
from labelproof.networks.mlp import MLP
from labelproof.networks.resnet import ResNet18
from labelproof.networks.two_stage import TwoStageConvNet


@dataclass(frozen=True)
class InputShape:
    """The input of a network: numbers and codes in a row, or pictures.

    Attributes
    ----------
    shape : tuple of int
        Shape of one item: (d,) or (channels, height, width).
    cardinalities : tuple of int
        Numbers of categories of the last columns of a row.
    """

    shape: tuple[int, ...]
    cardinalities: tuple[int, ...] = ()


Backbone = str | nn.Module | Callable[[InputShape, int], nn.Module]


def _mlp(spec: InputShape, k: int) -> nn.Module:
    size = 1
    for side in spec.shape:
        size *= side
    return MLP(k, size - len(spec.cardinalities), spec.cardinalities)


BACKBONES: dict[str, Callable[[InputShape, int], nn.Module]] = {
    "mlp": _mlp,
    "convnet": lambda spec, k: SmallConvNet(k, spec.shape[0]),
    "resnet18": lambda spec, k: ResNet18(k, spec.shape[0]),
    "two-stage-convnet": lambda spec, k: TwoStageConvNet(k, spec.shape[0], spec.shape[1]),
    "fcn-vgg16": lambda spec, k: FCNVGG16(k, spec.shape[0]),
}


def make_backbone(name: str, spec: InputShape, n_classes: int) -> nn.Module:
    """A fresh network by name; ``"auto"`` is the MLP for rows and the small convolutional network for pictures.

    Raises
    ------
    BadInput
        For an unknown name, or a network of pictures for rows.
    """
    pictures = len(spec.shape) == 3
    if name == "auto":
        name = "convnet" if pictures else "mlp"
    if name not in BACKBONES:
        known: Sequence[str] = ["auto", *BACKBONES]
        raise BadInput(f"backbone is {name!r}. {did_you_mean(name, known)}Give one of {', '.join(known)}, or a torch module.")
    if name != "mlp" and not pictures:
        raise BadInput(f"backbone {name!r} takes pictures, but an item has the shape {spec.shape}. Give 'mlp' or 'auto'.")
    return BACKBONES[name](spec, n_classes)


def network_maker(backbone: Backbone, spec: InputShape, n_classes: int) -> Callable[[], nn.Module]:
    """The function that makes networks, for any backbone: a name, a callable ``(InputShape, k) -> Module``, or a module.

    For a module, the first network keeps its weights, which may be pre-trained; others get fresh ones.
    """
    if isinstance(backbone, str):
        return partial(make_backbone, backbone, spec, n_classes)
    if not isinstance(backbone, nn.Module):
        return partial(backbone, spec, n_classes)
    return _Copies(backbone)


class _Copies:
    """Copies of a network, the first with its weights."""

    def __init__(self, network: nn.Module) -> None:
        self.network, self.made = network, 0

    def __call__(self) -> nn.Module:
        made = copy.deepcopy(self.network)
        if self.made:
            for part in made.modules():
                if callable(reset := getattr(part, "reset_parameters", None)):
                    reset()
        self.made += 1
        return made
