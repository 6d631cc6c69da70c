"""Assign items to folds: every class in every fold; groups and copies each in one fold."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labelproof.errors import BadInput, LabelproofWarning
from labelproof.labels.classes import AS_NUMBERS, are_numbers
from labelproof.validation import UNLABELLED, AnyArray, IntArray, RandomState, is_missing

if TYPE_CHECKING:
    from sklearn.model_selection import StratifiedKFold  # a second to load, which audits of probabilities are spared

NO_FOLD = -1
BLOCKS_A_FOLD = 4  # so that each fold has rows of several times
MapFolds = Callable[..., Iterable[Any]]


@dataclass(frozen=True)
class CrossValidation:
    """The options of a cross-validation; see `labelproof.out_of_sample_probs`."""

    n_folds: int = 5
    n_repeats: int = 1
    n_jobs: int | None = None
    random_state: RandomState = 0
    map_folds: MapFolds = map

    def __post_init__(self) -> None:
        for name, value, least in (("n_folds", self.n_folds, 2), ("n_repeats", self.n_repeats, 1)):
            if not isinstance(value, int | np.integer) or value < least:
                raise BadInput(f"{name} is {value!r}. Give a whole number, {least} or more.")
        if self.n_jobs is not None and (not isinstance(self.n_jobs, int | np.integer) or self.n_jobs == 0):
            raise BadInput(
                f"n_jobs is {self.n_jobs!r}. Give the number of folds to fit at a time (--jobs), or -1 for one per core."
            )

    @property
    def mapped(self) -> MapFolds:
        """Runs the folds as requested, otherwise one after the other, or in processes."""
        if self.map_folds is not map or self.n_jobs in (None, 1):
            return self.map_folds

        def in_processes(function: Any, *columns: Iterable[Any]) -> Iterable[Any]:
            from joblib import Parallel, delayed

            jobs = (delayed(function)(*row) for row in zip(*columns, strict=True))
            return Parallel(n_jobs=self.n_jobs, return_as="generator")(jobs)  # type: ignore[no-any-return]

        return in_processes


def assign_folds(
    given: IntArray,
    classes: Sequence[object],
    n_folds: int,
    *,
    seed: int = 0,
    groups: AnyArray | None = None,
    copies: IntArray | None = None,
) -> IntArray:
    """Stratified folds.

    Parameters
    ----------
    given : ndarray of int64, shape (n,)
        Codes, -1 where unlabelled.
    classes : sequence of length k
        For messages.
    n_folds : int
        At least 2; fewer are made if no class has so many items.
    seed : int, default=0
    groups : ndarray, shape (n,), optional
        Rows of a group stay in one fold.
    copies : ndarray of int64, shape (n,), optional
        Rows with the same number are copies of one another and also stay in one fold, if every class can still be learned and
        there are enough items for the folds.

    Returns
    -------
    ndarray of int64, shape (n,)
        -1 where unlabelled.

    Raises
    ------
    BadInput
        If a class has a single item (no model could both learn it and be tested on it), or there are fewer groups than two.
    """
    labelled = np.flatnonzero(given != UNLABELLED)
    counts = np.bincount(given[labelled], minlength=len(classes))
    if (counts == 1).any():
        alone = int(np.argmax(counts == 1))
        row = int(labelled[np.argmax(given[labelled] == alone)])
        raise BadInput(
            f"class {classes[alone]!r} has one example (row {row}), so no model can be both trained and tested on it. Add examples, merge the class with another, or remove this label."
            + (f" {AS_NUMBERS}" if are_numbers(classes) else "")
        )
    n_folds, own = min(n_folds, int(counts.max())), given[labelled]
    same = None if copies is None else copies[labelled]
    fold = np.full(len(given), NO_FOLD, np.int64)
    if groups is not None:
        fold[labelled] = _of_groups(own, n_folds, seed, groups[labelled], same)
    else:
        from sklearn.model_selection import StratifiedKFold

        splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
        found = None if same is None else _of_copies(own, splitter, same)
        fold[labelled] = _split(splitter, own) if found is None else found
    return fold


def blocks_of(n: int, n_folds: int) -> IntArray:
    """Number of the block of each row, shape (n,): blocks of consecutive rows, four for each fold."""
    return np.arange(n) * min(BLOCKS_A_FOLD * n_folds, n) // max(n, 1)


def check_groups(given: IntArray, groups: AnyArray, classes: Sequence[object]) -> None:
    """Whether each class is in two groups, so that some model has learned it when it is tested.

    Raises
    ------
    BadInput
        If no class is.

    Warns
    -----
    LabelproofWarning
        If some are not.
    """
    names = np.array([str(group) for group in groups])
    labelled = np.unique(given[given != UNLABELLED])
    if len(np.unique(names[given != UNLABELLED])) < 2:
        return  # which is refused when folds are made
    alone = [c for c in labelled if len(np.unique(names[given == c])) == 1]
    if len(alone) == len(labelled) > 1:
        raise BadInput(
            "Each class is in one group only, so no model has seen the class that it is tested on. Name another column of groups."
        )
    if alone:
        told = ", ".join(str(classes[c]) for c in alone[:5])
        warnings.warn(
            f"{len(alone)} of the classes are in one group only ({told}), so no model has seen them before it is tested on them. Do not rely on findings there.",
            LabelproofWarning,
            stacklevel=4,
        )


def _of_groups(given: IntArray, n_folds: int, seed: int, groups: AnyArray, copies: IntArray | None) -> IntArray:
    """Folds of whole groups, and of whole copies unless these tie so many groups together that folds are lost."""
    names = [
        f"\0row {row}" if is_missing(group) else str(group) for row, group in enumerate(groups)
    ]  # no group: one of its own
    number = np.unique(np.array(names), return_inverse=True)[1].astype(np.int64)
    n_groups = int(number.max()) + 1
    if n_groups < 2:
        raise BadInput("All labelled rows are in one group, so none is left to test on. Name another column of groups.")
    n_folds = min(n_folds, n_groups)
    joined = number if copies is None else _joined(number, copies)
    if joined.max() + 1 < n_folds:
        joined = number
    from sklearn.model_selection import StratifiedGroupKFold

    found = _split(StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed), given, joined)
    return np.unique(found, return_inverse=True)[1].astype(np.int64)  # some may have got no group


def _of_copies(given: IntArray, splitter: StratifiedKFold, copies: IntArray) -> IntArray | None:
    """Folds of whole copies; ``None`` if there are too few distinct items for the folds."""
    _, first, of = np.unique(copies, return_index=True, return_inverse=True)
    chosen = given[first]
    if np.bincount(chosen).max() < splitter.n_splits:
        return None
    fold = _split(splitter, chosen)[of]
    for c in np.unique(given):
        rows = np.flatnonzero(given == c)
        if len(np.unique(fold[rows])) == 1:  # it must be in two folds, or no model learns the class
            fold[rows] = (fold[rows] + np.arange(len(rows))) % splitter.n_splits
    return fold


def _split(splitter: StratifiedKFold, given: IntArray, groups: IntArray | None = None) -> IntArray:
    fold = np.empty(len(given), np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        for number, (_, test) in enumerate(splitter.split(given, given, groups)):
            fold[test] = number
    return fold


def _joined(groups: IntArray, copies: IntArray) -> IntArray:
    """Groups by number; those that share a copy are one."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    _, copy = np.unique(copies, return_inverse=True)
    n_groups = int(groups.max()) + 1
    size = n_groups + int(copy.max()) + 1
    links = csr_matrix((np.ones(len(groups)), (groups, n_groups + copy)), shape=(size, size))
    _, part = connected_components(links, directed=False)
    return np.unique(part[groups], return_inverse=True)[1].astype(np.int64)
