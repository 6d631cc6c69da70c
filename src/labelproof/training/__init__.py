"""Training torch modules, over Lightning Fabric."""

from labelproof.training.loop import fit, predict_logits
from labelproof.training.network_classifier import NetworkClassifier

__all__ = ["NetworkClassifier", "fit", "predict_logits"]
