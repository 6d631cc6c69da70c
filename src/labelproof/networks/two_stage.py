"""The classifier that NL-GAN and rank pruning train in their second stage."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TwoStageConvNet(nn.Module):
    """Two 3x3 convolutions of 32 filters without padding, 2x2 max pooling, dropout, 128 hidden units, dropout, linear.

    Parameters
    ----------
    n_classes, in_channels : int
    size : int
        Height and width of the pictures.

    References
    ----------
    Northcutt, Wu and Chuang (2017), Learning with confident examples, section 4, after the MNIST example of Keras; named as
    the second-stage classifier by Chiaroni et al. (2019), section 3.1.

    Examples
    --------
    >>> import torch
    >>> TwoStageConvNet(2, in_channels=1, size=28)(torch.zeros(3, 1, 28, 28)).shape
    torch.Size([3, 2])
    """

    def __init__(self, n_classes: int, in_channels: int = 1, size: int = 28) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 32, 3), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)
        )  # fmt: skip
        self.hidden = nn.Sequential(nn.Linear(32 * ((size - 4) // 2) ** 2, 128), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear(128, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (n, n_classes), of pictures (n, channels, size, size)."""
        logits: Tensor = self.head(self.hidden(torch.flatten(self.features(x), 1)))
        return logits
