"""Doubts that the items raise, independent of the model."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import polars as pl

from labelproof.auditing.doubts.base import Doubt, some
from labelproof.auditing.duplicates import MOST_COPIES, content_keys
from labelproof.data.dataset import Dataset
from labelproof.data.leaks import Leak
from labelproof.labels.classes import AS_NUMBERS, are_numbers
from labelproof.validation import UNLABELLED

UNLABELLED_SHARE = "most items have no label"
EMPTY = "most items are empty"
FEW_ITEMS = "few different items"
CONTRADICTION = "copies with different labels"
NUMBERS = "numbers audited as classes"
ACROSS_FOLDS = "copies may be on both sides of a fold"

FEWEST = 20  # items
FEWEST_COLUMNS = 8  # of numbers, from which on equal rows are copies
MOST_EMPTY, LEAST_DIFFERENT, MOST_CONTRADICTED, MOST_COPIED = 0.5, 0.2, 0.2, 0.2  # shares of the items


def of_data(dataset: Dataset, *, probs_given: bool) -> list[Doubt]:
    """All of them.

    Parameters
    ----------
    dataset : Dataset
    probs_given : bool
        Whether the caller gave the probabilities, so that the folds are unknown.
    """
    found = of_leaks(dataset.leaks)
    if len(dataset) >= FEWEST and not dataset.labels.many_sites:
        found += list(of_emptiness(dataset)) or list(of_copies(dataset, probs_given=probs_given))
        found += of_numbers(dataset.classes)
    return found


def of_numbers(classes: Sequence[object]) -> Iterator[Doubt]:
    """Whether classes are so many numbers that they are a quantity rather than names."""
    if are_numbers(classes):
        text = f"The labels are {len(classes):,} different numbers, {some(classes, 6)}, audited as names of classes, so their order and distances do not count. {AS_NUMBERS}"
        yield Doubt(NUMBERS, text, {"classes": len(classes)})


def of_unlabelled(n: int, labelled: int) -> Iterator[Doubt]:
    """More items without a label than with one."""
    if n >= FEWEST and labelled < n / 2:
        text = f"{n - labelled:,} of {n:,} items have no label and were not audited. If they differ from the labelled ones, the results do not hold for them."
        yield Doubt(UNLABELLED_SHARE, text, {"items": n, "labelled": labelled})


def of_leaks(leaks: Iterable[Leak]) -> list[Doubt]:
    """Columns of a table that give the label away."""
    return [
        Doubt(f"a column {leak.kind}{'' if leak.kind == 'counts rows' else ' the label'}", leak.text,
              {"column": leak.column, "excluded": leak.excluded, **leak.evidence},
              serious=leak.kind == "equals" and not leak.excluded)
        for leak in leaks
    ]  # fmt: skip


def of_emptiness(dataset: Dataset) -> Iterator[Doubt]:
    """Texts of only spaces and punctuation, rows without a value, pictures of one and the same colour."""
    share = _empty(dataset)
    if share > MOST_EMPTY:
        text = f"{share:.0%} of the items are empty, so no model can predict their labels. Remove them, or name the column (or files) with the content that was labelled."
        yield Doubt(EMPTY, text, {"share": share}, serious=share > 0.9)


def _empty(dataset: Dataset) -> float:
    x = dataset.x
    if dataset.kind == "text":
        return float(np.mean([all(unicodedata.category(c)[0] in "CPZ" for c in str(text)) for text in x]))
    if isinstance(x, pl.DataFrame):
        return x.filter(pl.all_horizontal(pl.all().is_null())).height / max(x.height, 1) if x.width else 1.0
    if getattr(x, "ndim", 0) > 1 and isinstance(x, np.ndarray) and x.dtype != object:
        flat = x.reshape(len(x), -1)
        plain = flat[(flat == flat[:, :1]).all(axis=1), 0] if flat.shape[1] > 1 else flat.ravel()[:0]
        return float(
            np.unique(plain, return_counts=True)[1].max(initial=0) / len(x)
        )  # all of one colour; otherwise the colour distinguishes them
    return 0.0


def of_copies(dataset: Dataset, *, probs_given: bool) -> Iterator[Doubt]:
    """Duplicate items: too few distinct ones, copies with different labels, or copies in several folds.

    Rows of a table with few columns are often equal without being copies, so these are skipped. What occurs more than 20 times
    is a value that recurs.
    """
    if (
        not dataset.classes
        or dataset.kind == "table"
        or (getattr(dataset.x, "ndim", 1) == 2 and dataset.x.shape[1] < FEWEST_COLUMNS)
    ):
        return
    labelled = np.flatnonzero(dataset.given != UNLABELLED)
    keys, given = content_keys(dataset.x, dataset.kind), dataset.given[labelled]
    n = len(labelled)
    if keys is None or n < FEWEST:
        return
    _, of, sizes = np.unique(keys[labelled], return_inverse=True, return_counts=True)
    of, different = of.ravel(), len(sizes) / n
    n_classes = int(given.max()) + 1
    pair, together = np.unique(of.astype(np.int64) * n_classes + given, return_counts=True)
    most = np.zeros(len(sizes), np.int64)
    np.maximum.at(most, pair // n_classes, together)
    odd = float((sizes - most)[sizes <= MOST_COPIES].sum()) / n
    if odd > MOST_CONTRADICTED:
        text = f"{odd:.0%} of the labels differ from the label of most copies of the same item, and nothing in the items tells which is right. Find out why the same item has several labels. Until then the error rate cannot be estimated."
        yield Doubt(CONTRADICTION, text, {"odd": odd, "different_items": different}, serious=True)
    if different < LEAST_DIFFERENT:
        text = f"Only {len(sizes):,} of {n:,} labelled items are distinct. All copies of an item stay in one fold, so there is little to learn from. Audit the distinct items, or name the columns in which they differ."
        yield Doubt(FEW_ITEMS, text, {"different_items": different})
    elif probs_given and 1 - different > MOST_COPIED:
        text = f"{1 - different:.0%} of the items are copies of others. If copies were in different folds when the probabilities were made, the model had seen their labels, which hides errors. Keep copies in one fold, e.g. with GroupKFold, or let labelproof make the probabilities."
        yield Doubt(ACROSS_FOLDS, text, {"copies": 1 - different})
