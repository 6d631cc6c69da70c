"""The network classifier of the methods against noisy labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the estimator imports the other files of this folder
    from labelproof.estimators.noisy_label_classifier.noisy_label_classifier import NoisyLabelClassifier as NoisyLabelClassifier
