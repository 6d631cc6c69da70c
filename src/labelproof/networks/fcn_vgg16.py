"""VGG16 made fully convolutional: a map of class scores instead of one vector."""

from __future__ import annotations

import os
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from labelproof.errors import BadInput

CHANNELS = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512, "pool")
FULLY_CONNECTED = {"classifier.0": (4096, 512, 7, 7), "classifier.3": (4096, 4096, 1, 1)}


class FCNVGG16(nn.Module):
    """Thirteen 3x3 convolutions and five poolings, two convolutions instead of VGG16's fully connected layers, and a 1x1 head.

    ``features`` and ``classifier`` have the state-dict keys of the published VGG16 weights, so that a file of them loads
    (`load_vgg16`); fully connected weights are reshaped into 7x7 and 1x1 convolutions.

    Parameters
    ----------
    n_classes : int
    in_channels : int
    width : int, optional
        Channels of the two convolutions after ``pool5``; 4096 in VGG16.

    References
    ----------
    Jiang et al. (2019), Learning from noisy labels with noise modeling network, section 2.3 and figure 2 (15 convolutions, 5
    max-poolings, then a convolution with K kernels of 1x1).

    Examples
    --------
    >>> import torch
    >>> net = FCNVGG16(20, width=32)
    >>> net(torch.zeros(1, 3, 64, 64)).shape, net.score(net.encode(torch.zeros(1, 3, 64, 64))).shape
    (torch.Size([1, 20]), torch.Size([1, 20, 2, 2]))
    """

    def __init__(self, n_classes: int, in_channels: int = 3, width: int = 4096) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = in_channels
        for step in CHANNELS:
            if isinstance(step, int):
                layers += [nn.Conv2d(before, step, 3, padding=1), nn.ReLU(inplace=True)]
                before = step
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Conv2d(512, width, 7, padding=3), nn.ReLU(inplace=True), nn.Dropout(0.5),
            nn.Conv2d(width, width, 1), nn.ReLU(inplace=True), nn.Dropout(0.5),
        )  # fmt: skip
        self.head = nn.Conv2d(width, n_classes, 1)

    def encode(self, x: Tensor) -> Tensor:
        """The feature map after the fifth pooling, ``pool5``, shape (n, 512, h / 32, w / 32)."""
        out: Tensor = self.features(x)
        return out

    def score(self, features: Tensor) -> Tensor:
        """Class logits of each place of that map, shape (n, n_classes, h / 32, w / 32)."""
        out: Tensor = self.head(self.classifier(features))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (n, n_classes): the mean over the places."""
        return self.score(self.encode(x)).mean(dim=(2, 3))

    def load_vgg16(self, weights: Mapping[str, Tensor] | str | os.PathLike[str]) -> None:
        """Load published VGG16 weights: all but the last layer.

        Parameters
        ----------
        weights : mapping of name to Tensor, or path
            With the keys ``features.0.weight`` … ``classifier.3.bias``; or the path of a .safetensors or .pth file, from which
            no pickled code is run. The file of torchvision's VGG16 ("IMAGENET1K_V1") is available from pytorch.org.

        Raises
        ------
        BadInput
            If a key is missing or has another shape.
        """
        if not isinstance(weights, Mapping):
            weights = _read(os.fspath(weights))
        own = {name: tensor for name, tensor in self.state_dict().items() if not name.startswith("head.")}
        taken = {}
        for name, tensor in own.items():
            if name not in weights:
                raise BadInput(
                    f"weights has no {name!r}, a key of VGG16. Give the state dict of the plain VGG16 (no batch norm)."
                )
            found = weights[name]
            layer = name.rpartition(".")[0]
            if layer in FULLY_CONNECTED and name.endswith("weight") and found.ndim == 2:
                found = found.reshape(FULLY_CONNECTED[layer])
            if found.shape != tensor.shape:
                raise BadInput(
                    f"weights {name!r} has shape {tuple(found.shape)}, not {tuple(tensor.shape)}. Give the weights of VGG16."
                )
            taken[name] = found
        self.load_state_dict(taken, strict=False)


def _read(path: str) -> Mapping[str, Tensor]:
    if path.endswith(".safetensors"):
        from safetensors.torch import load_file

        return load_file(path)
    loaded: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return loaded
