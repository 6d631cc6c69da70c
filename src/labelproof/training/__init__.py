"""Training torch modules, over Lightning Fabric.

Names are loaded on first use: reading a `History` and computing temperatures do not need torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labelproof.extras import handed_on

if TYPE_CHECKING:
    from labelproof.training.history import History as History
    from labelproof.training.loop import fit as fit
    from labelproof.training.options import Options as Options
    from labelproof.training.trainable import Batch as Batch
    from labelproof.training.trainable import Step as Step
    from labelproof.training.trainable import Trainable as Trainable
    from labelproof.training.trainable import TrainingData as TrainingData
    from labelproof.training.trainable import predict_logits as predict_logits

_TRAINABLE = ("Batch", "Step", "Trainable", "TrainingData", "predict_logits")
_HOME = dict.fromkeys(_TRAINABLE, "labelproof.training.trainable") | {
    "History": "labelproof.training.history",
    "Options": "labelproof.training.options",
    "fit": "labelproof.training.loop",
}


def __getattr__(name: str) -> Any:
    return handed_on(__name__, _HOME, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
