"""The data set with its labels repaired, as a new table."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labelproof.auditing.verdicts import verdicts
from labelproof.data.readers import reader_of
from labelproof.data.readers.base import Audited, Change
from labelproof.errors import BadInput
from labelproof.review.candidates import Candidates
from labelproof.review.log.identity import standing
from labelproof.review.log.store import DECISIONS, Store
from labelproof.review.plan.resolve import Resolved


@dataclass(frozen=True)
class Repaired:
    """The result of `repair`: numbers of labels.

    Attributes
    ----------
    reviewed : int
        Labels changed by a reviewer, including emptied ones.
    emptied : int
        Items among them that are none of the classes.
    obvious : int
        Changed without a review.
    """

    reviewed: int
    emptied: int
    obvious: int


def can_repair(candidates: Candidates) -> bool:
    """Whether the labels can be written back: they are all in memory, and the audit knows where they came from."""
    return candidates.whole and reader_of(candidates.summary.get("source")) is not None


def is_reviewed(candidates: Candidates, store: Store) -> bool:
    """Whether any decision is in effect for an item of an audit."""
    return any(decision.action in DECISIONS for decision in standing(candidates, store))


def repair(
    candidates: Candidates,
    store: Store,
    target: str | os.PathLike[str],
    *,
    obvious: bool = False,
    explain: bool = False,
    overwrite: bool = False,
) -> Repaired:
    """Write the repaired data set; the original is never touched.

    A copy of a table differs only in the decided labels: delimited text byte for byte, Parquet with its
    schema and row groups. A folder of pictures is copied file by file, with pictures moved to the folder of their class, if
    ``target`` has no ending of a table. Otherwise arrays become a table of ``id`` and ``label``, pictures of ``path`` and
    ``label``, cells of ``id`` and the annotation, tags one column of 0 and 1 for each tag; votes become a row for each item with its consensus.

    Parameters
    ----------
    candidates : Candidates
    store : Store
        Its decisions come first; an item of several reviewers as `labelproof.review.plan.resolve` settles it.
    target : path of a .csv, .tsv or .parquet file; for arrays also .npy, for a folder of pictures also a folder
    obvious : bool
        Whether labels that nobody reviewed and whose verdict is ``obvious`` become the suggestion.
    explain : bool
        Whether to add to a copied table what each label was, ``<label>_given``, and why it changed, ``<label>_change``.
    overwrite : bool

    Raises
    ------
    BadInput
        If the data cannot be found, or their labels are not those that were audited.
    """
    if not candidates.whole:
        raise BadInput(
            f"The audit has {candidates.summary['sites']:,} labels, too many to write back from memory. Get the decisions by row number from labelproof.review.exchange.verified.read_verified, and change these rows."
        )
    reader = reader_of(candidates.summary.get("source"))
    if reader is None:
        raise BadInput("The audit does not record which file its labels came from. Audit the file with labelproof audit.")
    resolved = candidates.part.outcomes(standing(candidates, store))
    ranks = candidates.ranks_of(list(resolved))
    outcomes = {ranks[item]: found for item, found in resolved.items() if item in ranks}
    decided, result = _decided(candidates, outcomes, obvious)
    given = np.full(candidates.summary["n"], None, dtype=object)
    given[candidates.index] = candidates.part.given_texts().to_numpy()
    ids = np.full(candidates.summary["n"], None, dtype=object)
    ids[candidates.index] = candidates.table["id"].to_numpy()
    audited = Audited(
        given,
        candidates.summary["classes"],
        {int(candidates.index[rank]): change for rank, change in decided.items()},
        frozenset(str(row["id"]) for row in candidates.summary.get("skipped", [])),
        explain,
        ids,
    )
    reader.write_back(Path(target), audited, overwrite=overwrite)
    return result


def _decided(candidates: Candidates, outcomes: dict[int, Resolved], obvious: bool) -> tuple[dict[int, Change], Repaired]:
    """The new label and why, by rank, of each label that changes."""
    part = candidates.part
    decided: dict[int, Change] = {}
    emptied = 0
    for rank, found in outcomes.items():
        given = part.given(rank)
        if found.label != given and (found.label is not None or part.may_be_none):
            emptied += found.label is None
            what = "reviewed" if found.label is not None else "reviewed, none of the classes"
            decided[rank] = Change(found.label, f"{what} by {', '.join(found.reviewers)}; was {part.said(given)}")
    reviewed = len(decided)
    if obvious:
        error = candidates.error_probability
        for rank, label in part.suggestions(int((verdicts(error, part.error_rate().low) == "obvious").sum())):
            if rank not in outcomes:
                decided[rank] = Change(label, f"obvious, {error[rank]:.1%} wrong; was {part.said(part.given(rank))}")
    return decided, Repaired(reviewed, emptied, len(decided) - reviewed)
