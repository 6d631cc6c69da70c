"""A small convolutional network for small pictures, quick enough for two cores."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from labelproof.networks.places import at_each_place


class SmallConvNet(nn.Module):
    """Three blocks of 3x3 convolution, batch norm, ReLU and 2x2 max pooling; global mean; linear.

    Parameters
    ----------
    n_classes : int
    in_channels : int
    width : int
        Channels of the first block; each further block has twice as many.

    Examples
    --------
    >>> import torch
    >>> SmallConvNet(10)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(self, n_classes: int, in_channels: int = 3, width: int = 32) -> None:
        super().__init__()
        channels = [in_channels, width, 2 * width, 4 * width]
        blocks: list[nn.Module] = []
        for before, after in pairwise(channels):
            convolution = nn.Conv2d(before, after, 3, padding=1, bias=False)
            blocks += [convolution, nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)]
        self.features = nn.Sequential(*blocks)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(channels[-1], n_classes))

    def encode(self, x: Tensor) -> Tensor:
        """The feature map, shape (n, 4 width, height / 8, width / 8)."""
        out: Tensor = self.features(x.contiguous(memory_format=torch.channels_last))  # pooling and norms take half the time so
        return out

    def score(self, features: Tensor) -> Tensor:
        """Logits of feature vectors (n, c), or of each place of feature maps (n, c, h, w)."""
        return at_each_place(self.head, features)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (n, n_classes), of pictures (n, channels, height, width)."""
        return self.score(self.encode(x).mean(dim=(2, 3)))
