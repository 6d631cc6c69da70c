"""Deep generative models of data and their noisy labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what the other files of this folder say of the estimator, which imports them
    from labelproof.estimators.mislabeled_vae.mislabeled_vae import MislabeledVAE as MislabeledVAE
