"""`compare`: new, solved and changed findings from one audit to another."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from labelproof.auditing.findings import Audit
from labelproof.auditing.paired import Difference, paired
from labelproof.auditing.verdicts import VERDICT, VERDICTS
from labelproof.errors import BadInput
from labelproof.validation import Json

STATUSES = ("new", "solved", "changed", "same")
STATUS = pl.Enum(STATUSES)
SIDES = ("before", "after")
COMPARED = ("given", "suggested", "error", "verdict")
TURN = "turn"  # distinguishes a site of an item that has no other key


@dataclass(frozen=True)
class Comparison:
    """Two audits side by side. A *finding* is a label whose verdict is not ``ok``.

    Attributes
    ----------
    before, after : Audit
    findings : polars.DataFrame
        A row for each finding of either audit: ``id``, further keys of the label (for tags ``tag``, for votes ``annotator``),
        ``status``, and ``given``, ``suggested``, ``error``, ``verdict`` of both audits, ``given_before``, ``given_after`` …,
        null if an audit has no such label. ``status`` is ``new`` (a finding only after), ``solved`` (only before), ``changed``
        (in both, with another given label, suggestion or verdict) or ``same``. Rows are in this order, then by error
        probability.
    difference : Difference
        Difference of the true error rates, after minus before: estimate and 95 % interval, paired by label
        (`labelproof.auditing.paired.paired`).
    disagreement : Difference
        How many more of the same labels the second audit calls wrong. These labels have one truth, so this is no change of the
        data.
    shared, relabelled, only_before, only_after : int
        Labels in both audits, those of them that differ, and labels in one audit only.
    """

    before: Audit = field(repr=False)
    after: Audit = field(repr=False)
    findings: pl.DataFrame = field(repr=False)
    difference: Difference
    disagreement: Difference
    shared: int
    relabelled: int
    only_before: int
    only_after: int

    @property
    def counts(self) -> dict[str, int]:
        """Number of findings of each status."""
        found = dict(self.findings["status"].value_counts().iter_rows())
        return {status: int(found.get(status, 0)) for status in STATUSES}

    def to_json(self) -> Json:
        """The content of ``labelproof compare --json``; findings that are the same in both are counted and not listed."""
        return {
            "kind": self.before.labels.kind,
            **{
                name: {"labels": a.sites, "error_rate": a.error_rate._asdict(), "verdicts": a.counts}
                for name, a in (("before", self.before), ("after", self.after))
            },
            "difference": self.difference._asdict(),
            "disagreement": self.disagreement._asdict(),
            **{name: getattr(self, name) for name in ("shared", "relabelled", "only_before", "only_after")},
            "counts": self.counts,
            "findings": self.findings.filter(pl.col("status") != "same").to_dicts(),
        }


def compare(before: Audit | str | os.PathLike[str], after: Audit | str | os.PathLike[str]) -> Comparison:
    """Compare two audits: before and after a repair, by two models, or of two versions of the data.

    Labels are joined by the ids of their items.

    Parameters
    ----------
    before, after : Audit, or path of an audit folder
        Both of the same kind of label.

    Returns
    -------
    Comparison

    Raises
    ------
    BadInput
        If the kinds differ, or if only row numbers name the items and their numbers differ.
    CorruptArtifact
        If a folder is not a complete audit.

    Examples
    --------
    >>> import numpy as np, labelproof as lp
    >>> true = np.arange(300) % 3
    >>> probs = np.where(np.eye(3, dtype=bool)[true], 0.9, 0.05)
    >>> noisy = lp.simulate.symmetric(true, 0.1, random_state=0)
    >>> repaired = np.where(np.arange(300) < 150, true, noisy.labels)
    >>> done = lp.compare(lp.audit(noisy.labels, probs), lp.audit(repaired, probs))
    >>> int(noisy.changed[:150].sum()), done.counts["solved"], done.difference.high < 0
    (11, 11, True)
    """
    a, b = (found if isinstance(found, Audit) else Audit.load(found) for found in (before, after))
    _check_alike(a, b)
    keys = ["id", *a.labels.key_columns, TURN]
    joined = _sites(a, "before", keys).join(
        _sites(b, "after", keys), on=keys, how="full", coalesce=True, maintain_order="right_left"
    )
    joined = joined.with_columns((pl.col("given_before") == pl.col("given_after")).alias("same"))
    there = {side: joined[f"error_{side}"].is_not_null() for side in SIDES}
    both = there["before"] & there["after"]
    rates = paired(joined, a.error_rate, b.error_rate)
    return Comparison(
        a, b, _findings(joined).drop("same", TURN), rates.difference, rates.disagreement,
        shared=int(both.sum()),
        relabelled=int((both & ~joined["same"].fill_null(True)).sum()),
        only_before=int((~there["after"]).sum()),
        only_after=int((~there["before"]).sum()),
    )  # fmt: skip


def _check_alike(a: Audit, b: Audit) -> None:
    for audit in (a, b):
        if not isinstance(audit.issues, pl.DataFrame):
            raise BadInput(
                f"An audit of {audit.sites:,} labels is too large to compare in memory. Join the issues of both lazily by index (audit.issues)."
            )
    if a.labels.kind != b.labels.kind:
        raise BadInput(f"The audits are of {a.labels.kind} and of {b.labels.kind}. Compare two audits of the same kind.")
    if (a.ids is None or b.ids is None) and a.n != b.n:
        raise BadInput(
            f"The audits have {a.n:,} and {b.n:,} items that only row numbers identify, and rows may have moved. Audit both with ids (--id COLUMN, ids=)."
        )


def _sites(audit: Audit, side: str, keys: list[str]) -> pl.DataFrame:
    """The labels of one audit by key, in the order of the sites, with columns named by its side."""
    sites = type(audit.labels).sites_of(audit.issues, audit.summary)
    return sites.with_columns(pl.col("id").cast(pl.String), *(pl.col(key).cast(pl.String) for key in keys[1:-1])).select(
        *keys[:-1],
        pl.int_range(pl.len()).over(keys[:-1]).alias(TURN),
        pl.col("given_label").cast(pl.String).alias(f"given_{side}"),
        pl.col("suggested_label").cast(pl.String).alias(f"suggested_{side}"),
        pl.col("error_probability").alias(f"error_{side}"),
        pl.col("verdict").cast(VERDICT).alias(f"verdict_{side}"),
    )


def _findings(joined: pl.DataFrame) -> pl.DataFrame:
    """The labels that either audit doubts, with how that changed."""
    ok = VERDICTS[2]
    old, new = (pl.col(f"verdict_{side}").fill_null(ok) != ok for side in SIDES)
    moved: Any = pl.any_horizontal(pl.col(f"{name}_before") != pl.col(f"{name}_after") for name in COMPARED if name != "error")
    arose = pl.when(new & ~old).then(pl.lit("new")).when(old & ~new).then(pl.lit("solved"))
    status = arose.when(moved).then(pl.lit("changed")).otherwise(pl.lit("same"))
    worst = pl.max_horizontal("error_before", "error_after")
    paired_columns = [f"{name}_{side}" for name in COMPARED for side in SIDES]
    found = joined.filter(old | new).with_columns(status.cast(STATUS).alias("status"))
    others = [name for name in found.columns if name not in (*paired_columns, "status")]
    return found.sort(pl.col("status").to_physical(), worst, descending=[False, True], maintain_order=True).select(
        *others, "status", *paired_columns
    )
