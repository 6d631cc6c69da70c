"""Networks: torch modules from inputs to logits. A new one is a file, a line in `BACKBONES` and a row in the tests.

Names are loaded on first use: encoders, which live here too, need not torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labelproof.extras import handed_on

if TYPE_CHECKING:
    from labelproof.networks.backbones import BACKBONES as BACKBONES
    from labelproof.networks.backbones import Backbone as Backbone
    from labelproof.networks.backbones import InputShape as InputShape
    from labelproof.networks.backbones import make_backbone as make_backbone
    from labelproof.networks.backbones import network_maker as network_maker
    from labelproof.networks.convnet import SmallConvNet as SmallConvNet
    from labelproof.networks.fcn_vgg16 import FCNVGG16 as FCNVGG16
    from labelproof.networks.mlp import MLP as MLP
    from labelproof.networks.resnet import ResNet18 as ResNet18
    from labelproof.networks.two_stage import TwoStageConvNet as TwoStageConvNet

_BACKBONES = ("BACKBONES", "Backbone", "InputShape", "make_backbone", "network_maker")
_HOME = dict.fromkeys(_BACKBONES, "labelproof.networks.backbones") | {
    "FCNVGG16": "labelproof.networks.fcn_vgg16",
    "MLP": "labelproof.networks.mlp",
    "ResNet18": "labelproof.networks.resnet",
    "SmallConvNet": "labelproof.networks.convnet",
    "TwoStageConvNet": "labelproof.networks.two_stage",
}


def __getattr__(name: str) -> Any:
    return handed_on(__name__, _HOME, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
