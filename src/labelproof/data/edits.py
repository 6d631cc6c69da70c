"""The changes in a copy of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from labelproof.validation import IntArray


@dataclass(frozen=True)
class Edits:
    """The changes in the copy.

    Attributes
    ----------
    column : str
        The column whose cells change.
    rows : ndarray of int64, shape (m,)
        Rows that change, rising.
    sources : ndarray of int64, shape (m,)
        For each, a row of the same column that holds the new value; -1: see ``names``.
    names : mapping of row to str or None
        New values that no row of the file has; ``None`` empties the cell.
    added : mapping of str to sequence of str or None
        Columns of text to add at the end, one entry per row of the file.
    numbers : bool
        Whether the values of ``names`` are numbers, for files that distinguish these from text.
    """

    column: str
    rows: IntArray
    sources: IntArray
    names: Mapping[int, str | None] = field(default_factory=dict)
    added: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    numbers: bool = False

    @property
    def nothing(self) -> bool:
        """Whether the copy equals the file."""
        return len(self.rows) == 0 and not self.added


def edits(
    column: str,
    codes: IntArray,
    classes: Sequence[object],
    new: Mapping[int, str | None],
    added: Mapping[str, Sequence[str | None]] | None = None,
) -> Edits:
    """Edits that write class names as the file itself writes them.

    Parameters
    ----------
    column : str
    codes : ndarray of int64, shape (n,)
        Codes of the labels of all rows of the file, into ``classes``.
    classes : sequence
    new : mapping of row to name or None
        New classes, as text.
    added : mapping, optional
        See `Edits`.
    """
    code_of = {str(name): code for code, name in enumerate(classes)}
    present, first = np.unique(codes, return_index=True)
    row_of = dict(zip(present.tolist(), first.tolist(), strict=True))
    rows = sorted(new)
    sources = [row_of.get(code_of.get(str(new[row]), -2), -1) if new[row] is not None else -1 for row in rows]
    names = {row: new[row] for row, source in zip(rows, sources, strict=True) if source < 0}
    return Edits(column, np.array(rows, np.int64), np.array(sources, np.int64), names, added or {})
