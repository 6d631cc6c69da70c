"""The noise adaptation layer: a softmax over given labels for each true one, which may look at the item."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from labelproof.errors import BadInput
from labelproof.losses import cross_entropy
from labelproof.methods.base import Method, Task, scaled
from labelproof.training.trainable import Batch, Group, Step


class NoiseAdaptation(Method):
    r"""``p(z = j | x) = sum over i of p(y = i | x) T_ij(x)`` with ``T_i(x) = softmax(u_i h(x) + b_i)``.

    ``b_ij`` starts as the logarithm of the frequency of given label j among items that a warmed-up network predicts as i.
    ``u`` starts at 0, and stays there if the noise does not depend on the item. ``h`` is the input of the network's last
    layer.

    Parameters
    ----------
    features : bool
        Whether the noise depends on the item (the "complex" model; the "instance dependent transfer function" W = w(x)).
    warm_up : float in (0, 1)
        Share of the epochs with plain cross-entropy.

    References
    ----------
    Goldberger and Ben-Reuven (2017), Training deep neural-networks using a noise adaptation layer, equations 4 to 9.
    """

    purpose = "learns the noise, which may depend on the item"

    def __init__(self, features: bool = True, warm_up: float = 0.2) -> None:
        super().__init__()
        self.features = features
        self.warm_up = warm_up

    def build(self, task: Task) -> None:
        """Make network and layer; the last linear layer gives the width of h."""
        super().build(task)
        k = task.n_classes
        self.bias = nn.Parameter(torch.eye(k))
        last = last_linear(self.network)
        self.by_features = nn.Linear(last.in_features, k * k, bias=False) if self.features else None
        if self.by_features is not None:
            nn.init.zeros_(self.by_features.weight)
        self.register_buffer("warming", torch.tensor(True))

    def phases(self, epochs: int) -> list[int]:
        """Warm-up, then both."""
        warm = scaled(epochs, self.warm_up)
        return [warm, epochs - warm]

    def phase_start(self, phase: int) -> None:
        """After the warm-up, initialise the layer with the confusions of the network."""
        if phase == 1:
            k, given = self.task.n_classes, self.given
            counts = np.full((k, k), 1e-2)
            np.add.at(counts, (self.training_probs().argmax(axis=1), given), 1.0)
            log_rows = np.log(counts / counts.sum(axis=1, keepdims=True))
            with torch.no_grad():
                self.bias.copy_(torch.from_numpy(log_rows).float())
            self.get_buffer("warming").fill_(False)

    def transition(self) -> Tensor:
        """The part that does not depend on the item."""
        return self.bias.detach().softmax(dim=1)

    def loss(self, batch: Batch) -> Step:
        """Cross-entropy in the warm-up, then that of the adapted prediction."""
        seen: list[Tensor] = []
        hook = last_linear(self.network).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        logits = self.network(self.varied(batch.x))
        hook.remove()
        if self.get_buffer("warming"):
            return Step(cross_entropy(logits.float(), batch.given), logits)
        rows = self.bias.expand(len(logits), -1, -1)  # (b, k, k)
        if self.by_features is not None:
            rows = rows + self.by_features(seen[0].float()).view_as(rows)
        own = rows.log_softmax(dim=2).gather(2, batch.given[:, None, None].expand(-1, rows.shape[1], 1))[:, :, 0]  # (b, k)
        return Step(-torch.logsumexp(logits.float().log_softmax(dim=1) + own, dim=1), logits)

    def parameter_groups(self) -> list[Group]:
        """The layer starts from the counts and learns slowly."""
        layer = [self.bias, *(self.by_features.parameters() if self.by_features is not None else [])]
        return [{"params": list(self.network.parameters())}, {"params": layer, "weight_decay": 0.0, "lr_scale": 0.3}]


def last_linear(network: nn.Module) -> nn.Linear:
    """The last linear layer of a network, whose input provides the features of an item."""
    found = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if not found:
        raise BadInput("The network has no linear layer to take features from. Use features=False, or another backbone.")
    return found[-1]
