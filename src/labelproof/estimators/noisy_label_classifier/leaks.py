"""Warn of columns that reveal the label, where a frame is fitted without a reader that would exclude them."""

from __future__ import annotations

import warnings
from typing import Any

from labelproof.data.encoding import as_frame
from labelproof.data.leaks import find_leaks
from labelproof.errors import LabelproofWarning
from labelproof.validation import IntArray


def warn_of_leaks(x: Any, given: IntArray, kind: str) -> None:
    """Warn of columns of a frame that reveal the label: the classifier would copy the labels from them."""
    for leak in find_leaks(as_frame(x), given) if kind == "frame" else ():
        warnings.warn(
            f"The column {leak.column!r} reveals the label. The classifier copies the labels from it, wrong ones included. Drop it from X.",
            LabelproofWarning,
            stacklevel=4,
        )
