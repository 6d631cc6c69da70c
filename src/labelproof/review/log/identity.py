"""The data that a decision is about: computed here and nowhere else.

A decision names its item by id. If the ids come from the data, they name the same items in every audit of these data, whatever
has been relabelled, added, removed or reordered since. If an item is only a row number, it is the same item as long as all
labels are the same. Audits of the same data share their decisions under one name, the fingerprint of the first of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from contextlib import suppress

import polars as pl

from labelproof.errors import BadInput
from labelproof.review.candidates import Candidates
from labelproof.review.log.store import Decision, Store

SAMPLE, MOST_LABELS = 400, 100  # items by which data are recognised, and distinct labels among them
LEAST_PRESENT = 0.5  # share of these that still exist
LEAST_AGREEMENT = 0.6  # share of their labels that are still the same, each label counting equally


def data_of(candidates: Candidates, store: Store) -> str:
    """Under which name a store keeps the decisions about the data of an audit."""
    if not candidates.has_ids:
        return candidates.fingerprint
    kind = candidates.part.kind
    scope = json.dumps([kind, (candidates.summary.get("source") or {}).get("label")])

    def choose(earlier: Sequence[tuple[str, str]]) -> str | None:
        return next((data for data, sample in earlier if _same(candidates, json.loads(sample))), None)

    return store.known_as(candidates.fingerprint) or store.enter(
        candidates.fingerprint, scope, json.dumps(_sample(candidates), ensure_ascii=False), choose
    )


def is_about(candidates: Candidates, store: Store, audit: str) -> bool:
    """Whether a decision made in an audit, named by its fingerprint, is about the data of this one."""
    if audit == candidates.fingerprint:
        return True
    return candidates.has_ids and store.known_as(audit) == data_of(candidates, store)


def standing(candidates: Candidates, store: Store) -> list[Decision]:
    """The decisions in effect for the items of an audit, by position in the log.

    Those for an item that the audit does not have, or with a class that it does not know, are skipped.
    """
    found = store.current(data_of(candidates, store))
    present, fits = candidates.ranks_of([decision.item for decision in found]), known_class(candidates)
    return [decision for decision in found if decision.item in present and fits(decision)]


def known_class(candidates: Candidates) -> Callable[[Decision], bool]:
    """Checks whether the classes of a decision, if any, are those of an audit."""
    part = candidates.part
    known: dict[str | None, bool] = {None: True}  # a label is checked once

    def fits(decision: Decision) -> bool:
        if decision.label not in known:
            with suppress(BadInput):
                part.checked(part.labels.from_text(str(decision.label)))
                known[decision.label] = True
        return known.setdefault(decision.label, False)

    return fits


def _sample(candidates: Candidates) -> dict[str, str]:
    """Labels by id of some items, as many of each of the commonest labels as there are."""
    table = _labels(candidates)
    commonest = table["label"].value_counts(sort=True).head(MOST_LABELS)["label"]
    each = max(4, SAMPLE // len(commonest))
    chosen = (
        table.filter(pl.col("label").is_in(commonest.implode()))
        .sort("id")
        .with_columns(pl.int_range(pl.len()).over("label").alias("place"), pl.len().over("label").alias("of"))
        .filter(pl.col("place") * each // pl.col("of") != (pl.col("place") - 1) * each // pl.col("of"))
    )
    return dict(chosen.select("id", "label").iter_rows())


def _same(candidates: Candidates, sample: dict[str, str]) -> bool:
    """Whether an audit is of the data that a sample was taken from: most ids are there, and labels agree far beyond chance."""
    now = dict(_labels(candidates).filter(pl.col("id").is_in(list(sample))).iter_rows())
    if not now or len(now) < LEAST_PRESENT * len(sample):
        return False
    by_label: dict[str, list[bool]] = {}
    for item, label in now.items():
        by_label.setdefault(sample[item], []).append(label == sample[item])
    agreement = sum(sum(same) / len(same) for same in by_label.values()) / len(by_label)
    return agreement >= min(1.0, max(LEAST_AGREEMENT, 0.5 + 1.5 / math.sqrt(len(now))))


def _labels(candidates: Candidates) -> pl.DataFrame:
    """``id`` and ``label``, both text."""
    return pl.DataFrame({"id": candidates.table["id"], "label": candidates.part.texts()})
