"""Tags of which some are missing or incorrect, learned by a noise modeling network."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what the other files of this folder say of the estimator, which imports them
    from labelproof.estimators.tagger.noisy_tag_classifier import NoisyTagClassifier as NoisyTagClassifier
