"""Learn tags that are partly missing or incorrect, by a noise modeling network."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the estimator imports the other files of this folder
    from labelproof.estimators.tagger.noisy_tag_classifier import NoisyTagClassifier as NoisyTagClassifier
