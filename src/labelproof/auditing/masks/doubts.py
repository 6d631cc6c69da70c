"""Doubts about an audit of masks."""

from __future__ import annotations

from labelproof.auditing import fold
from labelproof.auditing.doubts.base import Doubt

OFTEN_WRONG = "the network is often wrong"
MOST_UNLIKE = 0.2  # share of the pixels


def of_predictions(pixels: fold.Sample) -> list[Doubt]:
    """Whether the network disagrees with so many pixels that it must itself be wrong.

    Parameters
    ----------
    pixels : Sample
        Probabilities and given classes of some pixels.
    """
    unlike = float((pixels.probs.argmax(axis=1) != pixels.given).mean()) if len(pixels.given) else 0.0
    if unlike <= MOST_UNLIKE:
        return []
    text = f"The network finds another class in {unlike:.0%} of the pixels. That is more than wrong labels explain: the network is wrong in whole regions, and often where it is sure. Train it longer or on more pictures, or use a pretrained one, and audit again. Until then treat findings as places to check, not as errors."
    return [Doubt(OFTEN_WRONG, text, {"unlike": unlike}, serious=True)]
