"""Scores of tags by networks that were not trained on the items, and the rates that the noise network begins with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from sklearn.model_selection import KFold
from torch import Tensor

from labelproof.data.picture_rows import PictureRows
from labelproof.errors import BadInput
from labelproof.estimators.tagger.network import TagNetwork
from labelproof.estimators.tagger.noise_network import NoiseNetwork
from labelproof.noise.tag_plateaus import Plateaus, plateau_rates
from labelproof.noise.tag_rates import TagRates

AUTO = "auto"
BLOCK = 256
GivenTags = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Scores of items, or of the instances that are trained on as items.

    Attributes
    ----------
    logits : ndarray, shape (m, k)
    owner : ndarray of int, shape (m,)
        The item of each row.
    """

    logits: Values
    owner: npt.NDArray[np.int64]


def out_of_sample(
    train: Callable[[Tensor, GivenTags], TagNetwork], x: Tensor, given: GivenTags, folds: int, seed: int
) -> Scores:
    """Logits of the given tags by cross-fitting: each fold is scored by the network that was trained on the others.

    Parameters
    ----------
    train : callable
        Items and their given tags to a trained network.
    x : Tensor, or what gives rows as one does
    given : ndarray, shape (n, k)
    folds : int
    seed : int

    Raises
    ------
    BadInput
        For fewer than two folds or items.
    """
    if folds < 2 or len(given) < 2:
        raise BadInput(
            f"rates cannot be estimated from {folds} folds of {len(given)} items. Give 2 or more of both, or give the rates."
        )
    found: list[tuple[Values, npt.NDArray[np.int64]]] = []
    for rest, fold in KFold(min(folds, len(given)), shuffle=True, random_state=seed).split(given):
        network = train(_taken(x, rest), given[rest])
        network.eval()
        with torch.no_grad():
            for start in range(0, len(fold), BLOCK):
                rows = fold[start : start + BLOCK]
                scores = network(x[torch.from_numpy(rows)])
                found.append((scores.own_logits.double().numpy(), rows[scores.owner.numpy()]))
    logits, owner = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(owner, kind="stable")
    return Scores(logits[order], owner[order])


def _taken(x: Tensor, rows: npt.NDArray[np.int64]) -> Tensor:
    return cast(Tensor, x.take_rows(rows)) if isinstance(x, PictureRows) else x[torch.from_numpy(rows)]


def known_rates(rates: TagRates, k: int) -> tuple[Tensor, Tensor]:
    """``p(z = 0 | y = 1)`` and ``p(z = 1 | y = 0)`` that a noise network can begin at, (k,) each.

    Raises
    ------
    BadInput
        For rates of another number of tags.
    """
    found = np.stack([rates.missing_rates, rates.incorrect_rates])
    if found.shape[1] != k:
        raise BadInput(f"rates are of {found.shape[1]} tags but y has {k}. Give the rates of each tag.")
    missing, incorrect = torch.from_numpy(np.clip(np.nan_to_num(found, nan=0.05), 1e-5, 1 - 1e-5)).float()
    return missing, incorrect


@dataclass(frozen=True)
class Assumed:
    """The user's choice of the rates: ``"auto"`` to estimate one, or a share (see `labelproof.NoisyTagClassifier`)."""

    missing: float | str
    incorrect: float | str

    def __post_init__(self) -> None:
        for name in ("missing", "incorrect"):
            value = getattr(self, name)
            if value != AUTO and (isinstance(value, str) or not 0 < value < 1):
                raise BadInput(f"{name} is {value!r}. Give 'auto', or a share above 0 and below 1.")

    @property
    def estimated(self) -> bool:
        """Whether a rate has to be estimated."""
        return AUTO in (self.missing, self.incorrect)

    def start(self, noise: NoiseNetwork, given: GivenTags, scores: Scores | None, evidence: Values | None) -> None:
        """Initialise a noise network at these rates.

        Parameters
        ----------
        noise : NoiseNetwork
        given : ndarray, shape (n, k)
        scores : Scores, optional
            Out-of-sample scores, if a rate has to be estimated.
        evidence : ndarray, shape (n, k, e), optional
        """
        found = None
        if scores is not None:
            own = None if evidence is None else evidence[scores.owner]
            found = plateau_rates(scores.logits, given[scores.owner], own, resistant=True)
        missing, incorrect = self._rates(given, found)
        noise.start(torch.from_numpy(missing).float(), torch.from_numpy(incorrect).float())
        if found is not None and noise.slope is not None:
            noise.start_evidence(torch.from_numpy(found.slopes).float(), torch.from_numpy(found.centre).float())

    def _rates(self, given: GivenTags, found: Plateaus | None) -> tuple[Values, Values]:
        """``p(z = 0 | y = 1)`` and ``p(z = 1 | y = 0)`` of each tag, (k,)."""
        k = given.shape[1]
        missing = found.missing if self.missing == AUTO and found is not None else np.full(k, float(self.missing))
        if self.incorrect == AUTO and found is not None:
            return missing, found.incorrect
        frequency = ((given == 1).sum(axis=0) + 0.5) / ((given >= 0).sum(axis=0) + 1)
        share = float(self.incorrect)
        true = np.minimum((1 - share) * frequency / (1 - missing), 0.99)
        return missing, np.clip(share * frequency / (1 - true), 1e-6, 0.5)
