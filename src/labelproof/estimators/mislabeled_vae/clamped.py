"""M2 as published: on draws of M1's z1, with given labels treated as the truth."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from labelproof.estimators.mislabeled_vae.mislabeled_module import MislabeledModule
from labelproof.training.trainable import Batch, Group, Step, Trainable


class Clamped(Trainable):
    """M2 on z1, whose networks (M1) are held. No noise model has a part in it.

    Parameters
    ----------
    module : MislabeledModule
        With the weights of M1.
    batch : Tensor of int64, shape (n,)
        Codes of the batch covariate.
    alpha : float
        Weight of `m2_objective`.
    """

    batch_codes: Tensor

    def __init__(self, module: MislabeledModule, batch: Tensor, alpha: float) -> None:
        super().__init__()
        self.module, self.alpha = module, alpha
        self.register_buffer("batch_codes", batch)

    def parameter_groups(self) -> list[Group]:
        """The parameters of M2 alone."""
        module = self.module
        return [{"params": [p for part in (module.classifier, module.z2_of_z1, module.z1_of_z2) for p in part.parameters()]}]

    def loss(self, batch: Batch) -> Step:
        """Minus the objective, an item's average, at a new draw of z1."""
        module = self.module
        with torch.no_grad():
            z1 = module.infer(batch.x, batch.given, self.batch_codes[batch.index]).draw()
        logits = module.classifier(z1)
        fit, z2_kl = module.by_class(z1)
        bounds = fit - z2_kl + module.prior.log()
        return Step(-m2_objective(bounds, logits, batch.given, self.alpha).mean(), logits)


def m2_objective(bounds: Tensor, logits: Tensor, given: Tensor, alpha: float) -> Tensor:
    """The objective of M2 for each item, shape (n,).

    ``L(z1, y) + α log q(y | z1)`` if y is given, otherwise ``U(z1) = sum over y of q(y | z1) (L(z1, y) - log q(y | z1))``.

    Parameters
    ----------
    bounds : Tensor, shape (n, k)
        ``L(z1, y)``: of ``log p(z1, y)``, for every y.
    logits : Tensor, shape (n, k)
        Logits of ``q(y | z1)``.
    given : Tensor of int64, shape (n,)
        -1 where unlabelled.
    alpha : float
        Weight of one labelled item.

    References
    ----------
    Kingma, Mohamed, Rezende, Welling, Semi-supervised Learning with Deep Generative Models, NeurIPS 2014, equations 6, 7 and 9.
    """
    log_q = functional.log_softmax(logits, dim=1)
    of_given = (bounds + alpha * log_q).gather(1, given.clamp_min(0)[:, None])[:, 0]
    return torch.where(given >= 0, of_given, (log_q.exp() * (bounds - log_q)).sum(dim=1))
