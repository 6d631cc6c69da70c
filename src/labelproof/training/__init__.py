"""Training torch modules, over Lightning Fabric."""

from labelproof.training.history import History
from labelproof.training.loop import Options, fit
from labelproof.training.trainable import Batch, Step, Trainable, TrainingData, predict_logits

__all__ = ["Batch", "History", "Options", "Step", "Trainable", "TrainingData", "fit", "predict_logits"]
