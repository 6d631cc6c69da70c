"""Average precision of tags: of each, of groups such as parts of speech, and of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score

from labelproof.errors import BadInput
from labelproof.validation import ArrayLike, check_tags


@dataclass(frozen=True)
class TagPrecision:
    """Average precisions, from 0 to 1.

    Attributes
    ----------
    each : ndarray, shape (k,)
        NaN for a tag that no item has.
    groups : dict of str to float
        Mean over the tags of each group, in the order in which the groups first occur.
    sizes : dict of str to int
        How many tags of each group were counted.
    mean : float
        Over all tags that some item has.
    """

    each: npt.NDArray[np.float64]
    groups: dict[str, float]
    sizes: dict[str, int]
    mean: float


def tag_precision(true: ArrayLike, scores: ArrayLike, *, groups: Sequence[str] | None = None) -> TagPrecision:
    """Compute average precision as in tables 1 to 3 of the NMN paper.

    Parameters
    ----------
    true : array-like of 0/1, shape (n, k)
    scores : array-like, shape (n, k)
        Higher means more likely; only their order in each column matters.
    groups : sequence of length k, optional

    Raises
    ------
    BadInput
        For shapes that differ, scores that are not numbers, or if no item has a tag.

    Examples
    --------
    >>> tag_precision([[1, 0], [0, 1], [1, 0]], [[3, 1], [2, 2], [1, 3]], groups=["NN", "VB"]).groups
    {'NN': 0.8333333333333333, 'VB': 0.5}
    """
    tags, values = check_tags(true, name="true"), np.asarray(scores, np.float64)
    if values.shape != tags.shape or not np.isfinite(values).all():
        raise BadInput(f"scores has shape {values.shape} but true has {tags.shape}. Give one finite number per item and tag.")
    names = ["all"] * tags.shape[1] if groups is None else [str(group) for group in groups]
    if len(names) != tags.shape[1]:
        raise BadInput(f"groups has {len(names)} entries but there are {tags.shape[1]} tags. Give one per tag.")
    present = tags.any(axis=0)
    if not present.any():
        raise BadInput("No item has a tag, so there is nothing to find. Give items with tags.")
    each = np.full(tags.shape[1], np.nan)
    each[present] = [average_precision_score(tags[:, j], values[:, j]) for j in np.flatnonzero(present)]
    means, sizes = {}, {}
    for group in dict.fromkeys(names):
        own = present & np.array([name == group for name in names])
        sizes[group] = int(own.sum())
        means[group] = float(each[own].mean()) if own.any() else float("nan")
    return TagPrecision(each, means, sizes, float(each[present].mean()))
