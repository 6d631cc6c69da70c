"""Networks: torch modules from inputs to logits."""

from labelproof.backbones.convnet import SmallConvNet

__all__ = ["SmallConvNet"]
