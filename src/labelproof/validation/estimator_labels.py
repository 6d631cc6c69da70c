"""Labels as scikit-learn's estimators receive them, with items without a label, which scikit-learn does not know."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from labelproof.errors import BadInput
from labelproof.validation import AnyArray, check_labels, is_missing, to_numpy


def coded_labels(y: object) -> tuple[npt.NDArray[np.int64], AnyArray]:
    """Codes, -1 where unlabelled, and the sorted classes in the dtype of the input.

    `labelproof.validation.check_labels` decides what means unlabelled: ``None``, NaN, "" and their like, not -1.

    Raises
    ------
    BadInput, ValueError
    """
    if y is None:
        raise BadInput("y is missing: this classifier requires y to be passed, but the target y is None.")
    if not has_gaps(y):
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
    plain = to_numpy(y, "y")
    coded = check_labels(y, name="y", needed=0)
    classes = np.array(coded.classes)
    if classes.dtype.kind in "iu" and plain.dtype.kind in "iuf":
        classes = classes.astype(plain.dtype)
    return coded.codes, classes


def has_gaps(y: object) -> bool:
    """Whether labels are missing as ``None`` or NaN, which scikit-learn's own checks refuse."""
    try:
        array = to_numpy(y, "y")
    except BadInput:  # scikit-learn raises it in its own words
        return False
    return array.dtype.kind in "fO" and any(is_missing(value) for value in array.reshape(-1).tolist())
