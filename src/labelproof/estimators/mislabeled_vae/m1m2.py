"""`M1M2`: M1+M2 with its classification penalty, as the special case of M-VAE that it is."""

from __future__ import annotations

import numpy.typing as npt
from torch import Tensor

from labelproof.errors import BadInput
from labelproof.estimators.mislabeled_vae.mislabeled_module import log_uniform_noise
from labelproof.estimators.mislabeled_vae.mislabeled_vae import MislabeledVAE
from labelproof.validation import RandomState, accepts_seed


@accepts_seed
class M1M2(MislabeledVAE):
    """M1+M2 with a classification penalty of weight α, as the special case of `MislabeledVAE` that it is.

    The penalty ``α q(y' | z1)`` is, up to a constant, the label term of an M-VAE whose labels are wrong with one probability ε
    for all classes, ``α = f(ε) = log(1 - ε) - log(ε / (k - 1))`` (section 4).

    Parameters
    ----------
    alpha : float, default=1.0
        With 0 the labels are not used at all.
    **options
        As `MislabeledVAE`, but for ``transition``.

    See Also
    --------
    MislabeledVAE : With any transition, or one that is learned.
    """

    kind = "m1-m2"

    def __init__(self, alpha: float = 1.0, *, prior: str | npt.ArrayLike = "auto", likelihood: str = "auto", n_latent: int = 10,
                 n_class_latent: int = 5, n_hidden: int = 64, n_layers: int = 1, latent_library: bool = False,
                 label_in_encoder: bool = False, beta: float = 0.3, epochs: tuple[int, int, int] | None = None, batch_size: int = 128,
                 learning_rate: float = 3e-3, random_state: RandomState = 0, accelerator: str = "auto", devices: int = 1,
                 precision: str | int = "32-true") -> None:  # fmt: skip
        super().__init__(
            prior=prior, likelihood=likelihood, n_latent=n_latent, n_class_latent=n_class_latent, n_hidden=n_hidden,
            n_layers=n_layers, latent_library=latent_library, label_in_encoder=label_in_encoder, beta=beta, epochs=epochs,
            batch_size=batch_size, learning_rate=learning_rate, random_state=random_state, accelerator=accelerator, devices=devices,
            precision=precision,
        )  # fmt: skip
        self.alpha = alpha

    def _noise(self) -> tuple[Tensor, bool]:
        if not self.alpha >= 0:
            raise BadInput(f"alpha is {self.alpha!r}. Give 0 or more.")
        return log_uniform_noise(self.alpha, len(self.classes_)), False
