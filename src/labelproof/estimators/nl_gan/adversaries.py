"""The networks of NL-GAN: a discriminator of pictures and two generators, after DCGAN."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.parametrizations import spectral_norm

NOISE = 100  # uniform numbers that a picture is made of
HIDDEN = 1024
SLOPE = 0.2  # of leaky rectifiers
SCALE = 0.02  # standard deviation of the first weights; with torch's own the generators make grids of pixels
MOST_FILTERS = 512


def filters_for(height: int, width: int) -> tuple[int, ...]:
    """Filters of each convolution: 64, 128 up to 31 pixels, 64, 128, 256 from 32, and one more each time the side doubles."""
    layers = max(2, int(math.log2(max(height, width, 1))) - 2)
    return tuple(min(64 * 2**layer, MOST_FILTERS) for layer in range(layers))


def _sides(side: int, layers: int) -> int:
    for _ in range(layers):
        side = -(-side // 2)
    return side


class Discriminator(nn.Module):
    """3x3 convolutions with stride 2 and spectral normalisation, 1024 hidden units with dropout 0.5, two outputs.

    Parameters
    ----------
    shape : (channels, height, width)
    filters : tuple of int, optional

    References
    ----------
    Chiaroni et al. (2019), section 3.1.
    """

    def __init__(self, shape: tuple[int, int, int], filters: tuple[int, ...] | None = None) -> None:
        super().__init__()
        channels, height, width = shape
        filters = filters or filters_for(height, width)
        parts: list[nn.Module] = []
        for before, after in itertools.pairwise((channels, *filters)):
            parts += [spectral_norm(nn.Conv2d(before, after, 3, stride=2, padding=1)), nn.LeakyReLU(SLOPE)]
        self.features = nn.Sequential(*parts, nn.Flatten())
        size = filters[-1] * _sides(height, len(filters)) * _sides(width, len(filters))
        self.hidden = nn.Sequential(nn.Linear(size, HIDDEN), nn.LeakyReLU(SLOPE), nn.Dropout(0.5))
        self.head = nn.Linear(HIDDEN, 2)
        _begin(self)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of pictures (n, channels, height, width) in [-1, 1], shape (n, 2): of negative, and of given, not generated."""
        logits: Tensor = self.head(self.hidden(self.features(x)))
        return logits

    def judged(self, x: Tensor) -> Tensor:
        """`forward` for those who train a generator: no dropout, and gradients reach the pictures alone."""
        was_training = self.training
        self.eval()
        held = {name: weight.detach() for name, weight in self.named_parameters()}
        logits: Tensor = functional_call(self, held, (x,))
        self.train(was_training)
        return logits


class Generators(nn.Module):
    """Positives and negatives from random numbers: two linear layers each, then transposed convolutions, batch normalisation between.

    Parameters
    ----------
    shape : (channels, height, width)
    filters : tuple of int, optional
        Filters of the discriminator, which the generator mirrors.
    shared : bool
        Whether both share all layers except the first. Two separate networks differ in things that do not depend on the class,
        and a classifier of their pictures learns these.
    """

    def __init__(self, shape: tuple[int, int, int], filters: tuple[int, ...] | None = None, *, shared: bool = True) -> None:
        super().__init__()
        self.first = nn.ModuleList(nn.Linear(NOISE, HIDDEN, bias=False) for _ in range(2))
        self.rest = nn.ModuleList(_Painter(shape, filters or filters_for(*shape[1:])) for _ in range(1 if shared else 2))
        _begin(self)

    def forward(self, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (n, channels, height, width) in [-1, 1] of either class, of numbers (n, 100) in [-1, 1]; n may differ, or be 0."""
        starts = [first(z) for first, z in zip(self.first, (positive, negative), strict=True)]
        if len(self.rest) == 1:
            both: Tensor = self.rest[0](torch.cat(starts))
            return both[: len(positive)], both[len(positive) :]
        made_positive, made_negative = (rest(start) for rest, start in zip(self.rest, starts, strict=True))
        return made_positive, made_negative


class _Painter(nn.Module):
    """All but the first layer of a generator."""

    def __init__(self, shape: tuple[int, int, int], filters: tuple[int, ...]) -> None:
        super().__init__()
        channels, self.height, self.width = shape
        start = filters[-1], _sides(self.height, len(filters)), _sides(self.width, len(filters))
        size = math.prod(start)
        parts: list[nn.Module] = [
            nn.BatchNorm1d(HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, size, bias=False), nn.BatchNorm1d(size), nn.ReLU(),
            nn.Unflatten(1, start),
        ]  # fmt: skip
        for before, after in itertools.pairwise(filters[::-1]):
            parts += [nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.layers = nn.Sequential(*parts, nn.ConvTranspose2d(filters[0], channels, 4, stride=2, padding=1), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.layers(x)
        return made[:, :, : self.height, : self.width]


def _begin(network: nn.Module) -> None:
    """Small normal weights and no bias, as DCGAN begins."""
    for name, weight in network.named_parameters():
        if weight.ndim > 1:
            nn.init.normal_(weight, 0.0, SCALE)
        elif name.endswith("bias"):
            nn.init.zeros_(weight)


def noise(n: int, device: torch.device) -> Tensor:
    """Uniform numbers in [-1, 1], shape (n, 100)."""
    return torch.rand(n, NOISE, device=device) * 2 - 1
