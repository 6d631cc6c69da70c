"""Deep generative models of data and their noisy labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the estimator imports the other files of this folder
    from labelproof.estimators.mislabeled_vae.mislabeled_vae import MislabeledVAE as MislabeledVAE
