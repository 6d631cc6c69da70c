"""Labels as scikit-learn's estimators are given them, with what scikit-learn does not know: items without a label."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from labelproof.errors import BadInput
from labelproof.validation import AnyArray, check_labels


def coded_labels(y: Any) -> tuple[npt.NDArray[np.int64], AnyArray]:
    """Codes, -1 where unlabelled, and the sorted classes in the dtype that they were given in.

    ``None``, NaN, "" and -1 mean unlabelled, except where the labels are just -1 and 1, which are classes.

    Raises
    ------
    BadInput, ValueError
    """
    if y is None:
        raise BadInput("y is missing: this classifier requires y to be passed, but the target y is None.")
    if not has_gaps(y):
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
    plain = np.asarray(y)
    signs = plain.dtype.kind in "if" and set(np.unique(plain).tolist()) == {-1, 1}
    coded = check_labels(y, name="y", classes=[-1, 1] if signs else None, needed=0)
    classes = np.array(coded.classes)
    if classes.dtype.kind in "iu" and plain.dtype.kind in "iuf":
        classes = classes.astype(plain.dtype)
    return coded.codes, classes


def has_gaps(y: Any) -> bool:
    """Whether labels are missing as ``None`` or NaN, which scikit-learn's own checks refuse."""
    array = np.asarray(y)
    if array.dtype.kind not in "fO":
        return False
    return any(value is None or value != value for value in array.reshape(-1).tolist())
