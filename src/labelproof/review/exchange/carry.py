"""Decisions about one audit carried over to another, item by item."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from labelproof.errors import BadInput
from labelproof.review.candidates import Candidates
from labelproof.review.log.identity import data_of, known_class, standing
from labelproof.review.log.store import Decision, Store


@dataclass(frozen=True)
class Carried:
    """The result of `carry`: numbers of decisions.

    Attributes
    ----------
    recorded : int
    known : int
        That the new audit had already.
    relabelled : int
        Left behind, because the label is another now and not the one that was decided for.
    absent : int
        Left behind, because the new audit has no such item, or not the class that was decided for.
    """

    recorded: int
    known: int
    relabelled: int
    absent: int


def carry(before: Candidates, old: Store, after: Candidates, new: Store) -> Carried:
    """Record the decisions in effect for one audit in another, by the ids of the items.

    A decision is carried over if the item was given the same label in both audits, or if the given label is now the decided
    one: then it confirms the label. Reviewer, time and order are kept; doing it twice records nothing twice.

    Parameters
    ----------
    before, after : Candidates
        Both of the same kind of label.
    old, new : Store
        Stores of their decisions; may be the same, such as a database.

    Raises
    ------
    BadInput
        If the kinds differ, or only row numbers name the items.
    """
    if before.part.kind != after.part.kind:
        raise BadInput(f"The audits are of {before.part.kind} and of {after.part.kind}. Give two audits of the same kind.")
    if not (before.has_ids and after.has_ids) and before.fingerprint != after.fingerprint:
        raise BadInput("Only row numbers identify the items, and rows may have moved. Audit both with ids (--id COLUMN, ids=).")
    data = data_of(after, new)
    decisions = standing(before, old)
    if old.where == new.where and data_of(before, old) == data:  # they are already about the same data
        return Carried(0, len(decisions), 0, 0)
    was, ranks, fits = (
        dict(zip(before.table["id"], before.part.given_texts(), strict=True)),
        after.ranks_of([decision.item for decision in decisions]),
        known_class(after),
    )
    present = [d for d in decisions if d.item in ranks and fits(d)]
    kept = list(_still_true(present, was, {item: after.part.given(rank) for item, rank in ranks.items()}))
    recorded = new.record(data, [replace(d, uid=_uid(d.uid, data), seq=0) for d in kept])
    return Carried(recorded, len(kept) - recorded, len(present) - len(kept), len(decisions) - len(present))


def _still_true(decisions: list[Decision], was: dict[str, str], now: dict[str, str]) -> Iterator[Decision]:
    """The decisions in effect for the current labels."""
    for decision in decisions:
        if decision.label is not None and decision.label == now[decision.item]:
            yield replace(decision, action="keep")
        elif was[decision.item] == now[decision.item]:
            yield decision


def _uid(uid: str, data: str) -> str:
    """The same for the same decision and the same data, and no other's."""
    return f"carried-{hashlib.sha256(f'{uid} {data}'.encode()).hexdigest()[:40]}"
