"""Joint optimisation: network and labels are learned in turn, then the network again on the new labels."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from labelproof.errors import BadInput
from labelproof.losses import entropy, prior_divergence, soft_label_divergence
from labelproof.methods.base import Method, Task, scaled
from labelproof.training.trainable import Batch, Step

PAPER_EPOCHS, PAPER_START, PAPER_WINDOW = 200, 70, 10  # of the first stage
FIRST_STAGE = 0.6  # of all epochs; 200 of 320 in the paper


class JointOptimization(Method):
    """First stage: ``L = L_c(Y | X) + α L_p + β L_e`` with a high learning rate; predictions replace the labels Y.

    From epoch 70 on, at the end of every epoch, the label of each item becomes the mean of the network's probabilities over
    the last 10 epochs (soft), or the class with the highest mean (hard). Second stage: a fresh network learns these labels
    with ``L_c`` alone and a falling rate. Runs shorter than the paper's 200 epochs scale both numbers.

    Parameters
    ----------
    alpha, beta : float
        Weights of the prior and the entropy term.
    update : {"soft", "hard"}
    start, window : int, optional
        First epoch with new labels, and number of epochs to average.
    prior : sequence of k floats, optional
        The distribution of the true classes in a batch. By default that of the given labels, or uniform with ``oversample``.
    oversample : bool
        Draw all classes equally often, by their current labels: for unbalanced data, because the prior term needs every class
        in a batch.

    References
    ----------
    Tanaka, Ikami, Yamasaki and Aizawa (2018), Joint optimization framework for learning with noisy labels.
    """

    purpose = "repairs the labels while it learns; strong noise"
    needs = "alpha higher for more noise; balanced classes, or oversample"
    cost = "1"
    uses_unlabelled = True
    suggested: ClassVar[dict[str, str]] = {"schedule": "cosine"}

    def __init__(
        self,
        alpha: float = 1.2,
        beta: float = 0.8,
        update: str = "soft",
        start: int | None = None,
        window: int | None = None,
        prior: list[float] | None = None,
        oversample: bool = False,
    ) -> None:
        super().__init__()
        if update not in ("soft", "hard"):
            raise BadInput(f"update is {update!r}. Give 'soft' or 'hard'.")
        self.alpha, self.beta, self.update = alpha, beta, update
        self.start, self.window, self.known_prior, self.oversample = start, window, prior, oversample

    def build(self, task: Task) -> None:
        """Make the network, the labels (n, k), and the probabilities of the last epochs (window, n, k)."""
        super().build(task)
        k, given = task.n_classes, task.data.given
        labels = functional.one_hot(given.clamp_min(0), k).float()
        labels[given < 0] = 1 / k
        frequency = torch.full((k,), 1 / k) if self.oversample else labels[given >= 0].mean(dim=0)
        self.register_buffer("labels", labels)
        self.register_buffer("prior", frequency if self.known_prior is None else torch.tensor(self.known_prior).float())
        first = self.phases(task.epochs)[0]
        # one stage of constant rate: longer warm-ups would memorise before labels are replaced
        self.first_update = scaled(first, PAPER_START / PAPER_EPOCHS) if self.start is None else self.start
        window = min(PAPER_WINDOW, max(2, self.first_update // 2)) if self.window is None else self.window
        self.register_buffer("recent", labels.expand(window, *labels.shape).clone().to(torch.float16))
        self.register_buffer("stage", torch.tensor(0))
        self.register_buffer("slot", torch.tensor(0))  # of the window, which the current epoch fills

    def phases(self, epochs: int) -> list[int]:
        """The two stages."""
        first = scaled(epochs, FIRST_STAGE)
        return [first, epochs - first]

    def phase_start(self, phase: int) -> None:
        """The second stage starts with a fresh network."""
        if phase == 1:
            self.get_buffer("stage").fill_(1)
            self.network.load_state_dict(self.task.make_network().state_dict())

    def loss(self, batch: Batch) -> Step:
        """Equation 3 in the first stage, ``L_c`` in the second."""
        logits = self.network(self.varied(batch.x))
        exact = logits.float()
        fitting = soft_label_divergence(exact, self.get_buffer("labels")[batch.index])
        if self.get_buffer("stage"):
            return Step(fitting, logits)
        self.remember(self.get_buffer("recent")[int(self.get_buffer("slot"))], batch.index, exact.softmax(dim=1))
        prior = prior_divergence(exact, self.get_buffer("prior"))
        return Step(fitting + self.alpha * prior + self.beta * entropy(exact), logits)

    def epoch_start(self, epoch: int) -> None:
        """Choose the slot of the window that this epoch fills."""
        self.get_buffer("slot").fill_(epoch % len(self.get_buffer("recent")))

    def epoch_end(self, epoch: int) -> None:
        """Replace the labels, except verified ones."""
        if self.get_buffer("stage") or epoch + 1 < self.first_update:
            return
        found = self.get_buffer("recent").float().mean(dim=0)
        if self.update == "hard":
            found = functional.one_hot(found.argmax(dim=1), found.shape[1]).float()
        verified = self.task.data.verified
        if verified is not None:
            rows = verified.to(found.device)
            found[rows] = self.get_buffer("labels")[rows]
        self.get_buffer("labels").copy_(found / found.sum(dim=1, keepdim=True))

    def sampling_weights(self) -> Tensor | None:
        """Every class equally often, by current labels."""
        if not self.oversample:
            return None
        now = self.get_buffer("labels").argmax(dim=1)
        weights: Tensor = 1 / torch.bincount(now, minlength=self.task.n_classes).clamp_min(1)[now]
        return weights
