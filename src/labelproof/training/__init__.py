"""Training torch modules, over Lightning Fabric."""

from labelproof.training.history import History
from labelproof.training.loop import fit
from labelproof.training.options import Options
from labelproof.training.trainable import Batch, Step, Trainable, TrainingData, predict_logits

__all__ = ["Batch", "History", "Options", "Step", "Trainable", "TrainingData", "fit", "predict_logits"]
