"""The first part of M-VAE's training: an autoencoder of x alone (M1), without labels."""

from __future__ import annotations

from torch import Tensor

from labelproof.estimators.mislabeled_vae.mislabeled_module import MislabeledModule
from labelproof.training.loop import fit
from labelproof.training.options import Options
from labelproof.training.trainable import Batch, Step, Trainable, TrainingData

OF_CLASSES = ("classifier", "z2_of_z1", "z1_of_z2", "log_transition", "prior")  # names of what belongs to the classes


class Pretraining(Trainable):
    """A variational autoencoder with ``z1 ~ N(0, 1)``, so that z1 shows the clusters.

    Parameters
    ----------
    module : MislabeledModule
    batch : Tensor of int64, shape (n,)
        Codes of the batch covariate.
    beta : float
        Weight of the divergence from the prior.
    """

    batch_codes: Tensor

    def __init__(self, module: MislabeledModule, batch: Tensor, beta: float) -> None:
        super().__init__()
        self.module, self.beta = module, beta
        self.register_buffer("batch_codes", batch)

    def loss(self, batch: Batch) -> Step:
        """Minus the bound of ``log p(x)``, an item's average."""
        bound = self.module.plain(batch.x, batch.given, self.batch_codes[batch.index], beta=self.beta)
        return Step(-bound.mean(), bound.new_zeros(len(bound), self.module.shape.classes))


def pretrained_weights(
    module: MislabeledModule, data: TrainingData, batch: Tensor, beta: float, options: Options
) -> dict[str, Tensor]:
    """Train the networks of x and z1 in place; another model of the same items can reuse their weights."""
    fit(Pretraining(module, batch, beta), data, options)
    weights = module.state_dict().items()
    return {name: tensor.detach().cpu().clone() for name, tensor in weights if not name.startswith(OF_CLASSES)}
