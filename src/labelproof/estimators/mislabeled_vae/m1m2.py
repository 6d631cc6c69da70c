"""`M1M2`: M1+M2 with its classification penalty, as the special case of M-VAE that it is, or as it was published."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from torch import Tensor

from labelproof.errors import BadInput
from labelproof.estimators.mislabeled_vae.assumed_noise import assumed_noise
from labelproof.estimators.mislabeled_vae.clamped import Clamped
from labelproof.estimators.mislabeled_vae.mislabeled_module import Shape, log_uniform_noise
from labelproof.estimators.mislabeled_vae.mislabeled_vae import MislabeledVAE
from labelproof.estimators.mislabeled_vae.regime import LabelTraining
from labelproof.training.loop import fit
from labelproof.training.trainable import TrainingData
from labelproof.validation import RandomState, accepts_seed


@accepts_seed
class M1M2(MislabeledVAE):
    r"""M1+M2 with a classification penalty of weight α: as a special case of `MislabeledVAE`, or as published.

    ``labels="penalty"``: the penalty ``α q(y' | z1)`` is, up to a constant, the label term of an M-VAE whose labels are wrong
    with one probability ε for all classes, ``α = f(ε) = log(1 - ε) - log(ε / (k - 1))`` (Langevin et al., section 4). It is
    trained like M-VAE, whose classes are initialised by a classifier that knows ε.

    ``labels="clamped"``: M1 is an autoencoder of x without labels. M2 is then trained on draws of ``q(z1 | x)``, with
    M1 fixed, and without a noise model (Kingma et al., equations 6 to 9). A given label y *is* the class, others are summed
    over:

        ``L(z1, y) = E log p(z1 | z2, y) + log p(y) - KL(q(z2 | z1, y) || p(z2))``,
        ``U(z1) = sum over y of q(y | z1) (L(z1, y) - log q(y | z1))``,

    and the objective is ``sum over labelled items of (L(z1, y) + α log q(y | z1)) + sum over the others of U(z1)``.

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalty of one labelled item. With ``labels="penalty"``, 0 does not use the labels at all. Kingma et al. give
        the mean penalty of the labelled items the weight ``0.1 n``; that is an ``alpha`` of ``0.1 n / number of labels`` here.
    labels : {"penalty", "clamped"}, default="penalty"
        Whether a label is an observation of the class, or the class itself. If clamped, ``error_probability_`` is about 0 for
        every item; ``predict_proba`` uses x only.
    **options
        As in `MislabeledVAE`, except ``transition``, ``concentration`` and ``label_weight``. With ``labels="clamped"`` the
        prior ``"auto"`` is uniform, and M2 is trained for as many epochs as phases two and three have together.

    See Also
    --------
    MislabeledVAE : With any transition, or one that is learned.

    References
    ----------
    Kingma, Mohamed, Rezende, Welling, Semi-supervised Learning with Deep Generative Models, NeurIPS 2014.
    Langevin, Mehlman, Regier, Lopez, Jordan, Yosef, A Deep Generative Model for Semi-Supervised Classification with Noisy
    Labels.

    Examples
    --------
    >>> import labelproof as lp, numpy as np
    >>> from sklearn.datasets import load_iris
    >>> x, true = load_iris(return_X_y=True)
    >>> few = np.where(np.arange(150) % 5 == 0, true, -1)             # ten labels of each class, all of them right
    >>> model = lp.M1M2(5.0, labels="clamped").fit(x, few)
    >>> bool(model.score(x, true) > 0.85)
    True
    """

    kind = "m1-m2"

    def __init__(self, alpha: float = 1.0, *, labels: str = "penalty", prior: str | npt.ArrayLike = "auto", likelihood: str = "auto",
                 n_latent: int = 10, n_class_latent: int = 5, n_hidden: int = 64, n_layers: int = 1, latent_library: bool = False,
                 label_in_encoder: bool = False, beta: float = 0.3, epochs: tuple[int, int, int] | None = None, batch_size: int = 128,
                 learning_rate: float = 3e-3, random_state: RandomState = 0, accelerator: str = "auto", devices: int = 1,
                 precision: str | int = "32-true") -> None:  # fmt: skip
        super().__init__(
            prior=prior, likelihood=likelihood, n_latent=n_latent, n_class_latent=n_class_latent, n_hidden=n_hidden,
            n_layers=n_layers, latent_library=latent_library, label_in_encoder=label_in_encoder, beta=beta, label_weight=0.0,
            epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, random_state=random_state, accelerator=accelerator,
            devices=devices, precision=precision,
        )  # fmt: skip
        self.alpha = alpha
        self.labels = labels

    def _noise(self) -> tuple[Tensor, bool]:
        if not self.alpha >= 0:
            raise BadInput(f"alpha is {self.alpha!r}. Give 0 or more.")
        if self.labels == "penalty":
            return log_uniform_noise(self.alpha, len(self.classes_)), False
        if self.labels != "clamped":
            raise BadInput(f"labels is {self.labels!r}. Give 'penalty' or 'clamped'.")
        if self.label_in_encoder or (isinstance(self.prior, str) and self.prior == "learned"):
            name = "label_in_encoder" if self.label_in_encoder else "prior='learned'"
            raise BadInput(f"{name} does not apply with labels='clamped'. Omit it, or give labels='penalty'.")
        return assumed_noise(np.eye(len(self.classes_)), self.concentration, self.classes_)

    def _shape(self, features: int) -> Shape:
        return replace(super()._shape(features), clamped=self.labels == "clamped")

    def _hear(self, data: TrainingData, batch: Tensor, training: LabelTraining) -> None:
        if self.labels == "penalty":
            super()._hear(data, batch, training)
        else:
            fit(Clamped(self.module_, batch, self.alpha), data, training.options)
