"""ResNet-18 for pictures of 32 x 32."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from labelproof.networks.places import at_each_place


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a way past them."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        same = stride == 1 and before == after
        self.shortcut: nn.Module = (
            nn.Identity() if same else nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n, after, h / stride, w / stride)."""
        out = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(out + self.shortcut(x))


class ResNet18(nn.Module):
    """Four groups of two residual blocks with 64 to 512 channels, after a 3x3 convolution of stride 1; global mean; linear.

    References
    ----------
    He, Zhang, Ren and Sun (2016), Deep residual learning for image recognition, in the variant for 32 x 32 pictures that the
    literature on noisy labels uses.

    Examples
    --------
    >>> import torch
    >>> ResNet18(10)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(self, n_classes: int, in_channels: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(in_channels, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU())
        blocks: list[nn.Module] = []
        before = 64
        for after, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            blocks += [BasicBlock(before, after, stride), BasicBlock(after, after, 1)]
            before = after
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(512, n_classes)

    def encode(self, x: Tensor) -> Tensor:
        """The feature map, shape (n, 512, height / 8, width / 8)."""
        out: Tensor = self.blocks(self.stem(x))
        return out

    def score(self, features: Tensor) -> Tensor:
        """Logits of feature vectors (n, c), or of each place of feature maps (n, c, h, w)."""
        return at_each_place(self.head, features)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (n, n_classes), of pictures (n, channels, height, width)."""
        return self.score(self.encode(x).mean(dim=(2, 3)))
