"""The multi-label classification network: a backbone, its scores at each place of each instance, and how they are pooled."""

from __future__ import annotations

import copy
import os
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from labelproof.data.encoding import Encoder
from labelproof.errors import BadInput
from labelproof.estimators.tagger.instance_pooling import max_pooling, noisy_or, pooling_of
from labelproof.networks.backbones import InputShape, make_backbone
from labelproof.networks.fcn_vgg16 import FCNVGG16
from labelproof.networks.places import at_each_place

SPLITTING = ("encode", "score")  # the two parts of a backbone


class Scores(NamedTuple):
    """The outputs of the network for some items."""

    logits: Tensor  # (n, k), of p(y = 1 | x)
    features: Tensor  # (n, c), pooled, for the noise network
    own_logits: Tensor  # (m, k), of the training units: the items, or single frames
    own_features: Tensor  # (m, c)
    owner: Tensor  # (m,), which item each is of


class TagNetwork(nn.Module):
    """Logits of every tag of items (n, ...), or of bags (n, m, ...) padded with NaN.

    Parameters
    ----------
    backbone : Module
        With ``encode``, from instances to vectors (n, c) or maps (n, c, h, w), and ``score``, from these to logits (n, k) or
        (n, k, h, w).
    item_dims : int
        Axes of one instance.
    pooling : str
        ``"none"``: a map's logits are averaged, and each instance of a bag is a separate item; the most certain one counts in
        predictions. Otherwise one of `labelproof.estimators.tagger.instance_pooling.POOLINGS`, over places and instances
        equally.
    """

    def __init__(self, backbone: nn.Module, item_dims: int, pooling: str = "none") -> None:
        super().__init__()
        self.backbone, self.item_dims = backbone, item_dims
        self.pool = None if pooling == "none" else pooling_of(pooling)

    def forward(self, x: Tensor) -> Scores:
        """Scores of a batch."""
        n, bags = len(x), x.ndim == self.item_dims + 2
        if bags:
            real = ~x.flatten(2)[..., 0].isnan()  # (n, m)
            instances, owner = x[real], real.nonzero()[:, 0]
        else:
            instances, owner = x, torch.arange(n, device=x.device)
        backbone: Any = self.backbone
        encoded = backbone.encode(instances)
        scores = backbone.score(encoded)
        vectors = encoded if encoded.ndim == 2 else encoded.mean(dim=(2, 3))  # (instances, c)
        places = scores[:, None] if scores.ndim == 2 else scores.flatten(2).transpose(1, 2)  # (instances, s, k)
        if not bags:
            logits = places.mean(dim=1) if self.pool is None else self.pool(places, None)
            return Scores(logits, vectors, logits, vectors, owner)
        size = real.sum(dim=1)
        features = vectors.new_zeros(n, vectors.shape[1]).index_add(0, owner, vectors) / size[:, None]
        if self.pool is None:
            own = places.mean(dim=1)
            together = own.new_zeros(n, real.shape[1], own.shape[1])
            together[real] = own
            return Scores(max_pooling(together, real), features, own, vectors, owner)
        whole = places.new_zeros(n, real.shape[1], *places.shape[1:])
        whole[real] = places
        mask = real[..., None].expand(-1, -1, places.shape[1]).flatten(1)
        logits = self.pool(whole.flatten(1, 2), mask)
        return Scores(logits, features, logits, features, torch.arange(n, device=x.device))


@torch.no_grad()
def begin_at(network: TagNetwork, x: Tensor, frequency: Tensor) -> int:
    """Initialise the last layer's bias to the frequency of each given tag; returns the length of the feature vector.

    If each of m instances has the tag with probability p, ``1 - (1 - p)^m`` is the frequency. From p = ½, a noisy-OR of
    many places would be one whatever they show, and nothing would be learned. Layers whose size depends on the data get it.

    Parameters
    ----------
    network : TagNetwork
    x : Tensor, shape (n, ...)
        Some items.
    frequency : Tensor, shape (k,)
        Frequency of each tag, above 0 and below 1.
    """
    was_training = network.training
    network.eval()
    features = int(network(x).features.shape[1])
    bags = x.ndim == network.item_dims + 2
    instances = x[~x.flatten(2)[..., 0].isnan()] if bags else x
    backbone: Any = network.backbone
    scores = backbone.score(backbone.encode(instances[:8]))
    places = scores[0, 0].numel() * len(instances) / len(x)
    biases = [getattr(part, "bias", None) for part in network.modules()]
    heads = [bias for bias in biases if isinstance(bias, nn.Parameter) and bias.shape == frequency.shape]
    if heads:
        each = -torch.expm1(torch.log1p(-frequency) / places) if network.pool is noisy_or else frequency
        heads[-1].copy_(torch.logit(each))
    network.train(was_training)
    return features


def backbone_of(backbone: str | nn.Module, weights: str | os.PathLike[str] | None, encoder: Encoder, tags: int) -> nn.Module:
    """A backbone in two parts, by name or a copy of the caller's own.

    Raises
    ------
    BadInput
        For a backbone that cannot be used for tags, or weights that it has not.
    """
    if not isinstance(backbone, str):
        own = copy.deepcopy(backbone)
        return own if all(hasattr(own, part) for part in SPLITTING) else WithHead(own, tags)
    made = make_backbone(backbone, InputShape(encoder.shape, encoder.cardinalities), tags)
    if not all(hasattr(made, part) for part in SPLITTING):
        raise BadInput(f"backbone {backbone!r} cannot be used for tags. Give mlp, convnet, resnet18 or fcn-vgg16.")
    if weights is not None:
        if not isinstance(made, FCNVGG16):
            raise BadInput(f"backbone {backbone!r} has no published weights. Give fcn-vgg16, or omit weights.")
        made.load_vgg16(weights)
    return made


class WithHead(nn.Module):
    """A network of the caller's own, from instances to vectors (n, c) or maps (n, c, h, w), and a linear head."""

    def __init__(self, encoder: nn.Module, tags: int) -> None:
        super().__init__()
        self.encoder, self.head = encoder, nn.LazyLinear(tags)

    def encode(self, x: Tensor) -> Tensor:
        """The output of the caller's network."""
        out: Tensor = self.encoder(x)
        return out

    def score(self, features: Tensor) -> Tensor:
        """Logits at each place."""
        return at_each_place(self.head, features)
