"""EfficientNet-Lite: the layout of EfficientNet without squeeze-and-excitation, with ReLU6 and a fixed stem and head."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval


class Stage(NamedTuple):
    """A row of the published table: inverted residual blocks of one resolution."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    width: int


STAGES = (
    Stage(1, 3, 1, 1, 16), Stage(2, 3, 2, 6, 24), Stage(2, 5, 2, 6, 40), Stage(3, 3, 2, 6, 80), Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192), Stage(1, 3, 1, 6, 320),
)  # fmt: skip
STEM, HEAD = 32, 1280
EPSILON = 1e-3  # of batch normalisation
SCALES = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2), 3: (1.2, 1.4), 4: (1.4, 1.8)}  # width, depth


class SameConv(nn.Module):
    """Convolution, batch normalisation and, if asked, ReLU6; padded so that the size is divided by the stride, more at the end."""

    def __init__(self, before: int, after: int, kernel: int, *, stride: int = 1, groups: int = 1, active: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, stride, groups=groups, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(after, eps=EPSILON)
        self.kernel, self.stride, self.active = kernel, stride, active

    def forward(self, x: Tensor) -> Tensor:
        across, down = (self._padding(size) for size in (x.shape[3], x.shape[2]))
        if across + down > 0:
            x = functional.pad(x, (across // 2, across - across // 2, down // 2, down - down // 2))
        x = self.norm(self.conv(x))
        return functional.relu6(x) if self.active else x

    def _padding(self, size: int) -> int:
        return max(0, (-(-size // self.stride) - 1) * self.stride + self.kernel - size)

    def fuse(self) -> None:
        """Put the normalisation into the convolution's weights."""
        assert isinstance(self.norm, nn.BatchNorm2d)
        self.conv, self.norm = fuse_conv_bn_eval(self.conv, self.norm), nn.Identity()


class Block(nn.Module):
    """Inverted residual: expand, filter each channel, project; added to the input if the shapes agree."""

    def __init__(self, before: int, after: int, stage: Stage, stride: int) -> None:
        super().__init__()
        wide = before * stage.expansion
        self.expand = SameConv(before, wide, 1) if stage.expansion > 1 else None
        self.depthwise = SameConv(wide, wide, stage.kernel, stride=stride, groups=wide)
        self.project = SameConv(wide, after, 1, active=False)
        self.residual = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x if self.expand is None else self.expand(x)
        y = self.project(self.depthwise(y))
        return x + y if self.residual else y


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite without its classifier: pictures to the mean of the last features.

    Parameters
    ----------
    scale : {0, 1, 2, 3, 4}
        Which of the published widths and depths.

    References
    ----------
    .. [1] Tan and Le, EfficientNet: rethinking model scaling for convolutional neural networks, ICML 2019, table 1.
    .. [2] TensorFlow, EfficientNet-Lite, 2020: what Lite omits, and that stem and head keep their widths.
    """

    def __init__(self, scale: int = 2) -> None:
        super().__init__()
        wide, deep = SCALES[scale]
        self.stem = SameConv(3, STEM, 3, stride=2)
        blocks: list[Block] = []
        before = STEM
        for place, stage in enumerate(STAGES):
            after = _divisible(stage.width * wide)
            fixed = place in (0, len(STAGES) - 1)
            for repeat in range(stage.repeats if fixed else math.ceil(stage.repeats * deep)):
                blocks.append(Block(before, after, stage, stage.stride if repeat == 0 else 1))
                before = after
        self.blocks = nn.Sequential(*blocks)
        self.head = SameConv(before, HEAD, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (n, 3, h, w), scaled by `pixels`, to features (n, 1280)."""
        features: Tensor = self.head(self.blocks(self.stem(x)))  # (n, 1280, h, w)
        return features.mean(dim=(2, 3))

    def load_published(self, state: Mapping[str, Tensor]) -> None:
        """Take weights by the names of the published PyTorch files.

        Raises
        ------
        KeyError, RuntimeError
            If a weight is missing or has another shape.
        """
        own: dict[str, Tensor] = {}

        def take(ours: str, conv: str, norm: str) -> None:
            own[f"{ours}.conv.weight"] = state[f"{conv}.weight"]
            for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
                own[f"{ours}.norm.{name}"] = state[f"{norm}.{name}"]

        take("stem", "_conv_stem", "_bn0")
        take("head", "_conv_head", "_bn1")
        for i, block in enumerate(self.blocks):
            theirs = f"_blocks.{i}"
            if block.expand is not None:
                take(f"blocks.{i}.expand", f"{theirs}._expand_conv", f"{theirs}._bn0")
            take(f"blocks.{i}.depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1")
            take(f"blocks.{i}.project", f"{theirs}._project_conv", f"{theirs}._bn2")
        self.load_state_dict(own)

    def fuse(self) -> EfficientNetLite:
        """Ready to encode: in eval mode, with normalisations in the convolutions' weights."""
        self.eval()
        for part in list(self.modules()):
            if isinstance(part, SameConv):
                part.fuse()
        return self


def pixels(pictures: Tensor) -> Tensor:
    """uint8 pictures (n, 3, h, w) as the network expects them: float32 from -1 to 1."""
    return (pictures.float() - 127.0) / 128.0


def _divisible(width: float, by: int = 8) -> int:
    """The nearest multiple, no less than nine tenths of the width."""
    near = max(by, int(width + by / 2) // by * by)
    return near + by if near < 0.9 * width else near
