"""Reading the folder of an audit."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from labelproof.auditing.doubts.base import Doubt
from labelproof.auditing.findings import ISSUES_FILE, ITEMS_FILE, SITE_COLUMNS, SPLIT, Audit, ErrorRate, Findings
from labelproof.auditing.item_names import of_items
from labelproof.auditing.kinds import AUDITORS
from labelproof.auditing.model_used import ModelUsed
from labelproof.auditing.near import COLUMNS as NEAR_COLUMNS
from labelproof.auditing.near import Near
from labelproof.data.frames import read_parquet
from labelproof.errors import CorruptArtifact
from labelproof.labels import KINDS
from labelproof.labels.base import Labels
from labelproof.saving.files import existing
from labelproof.saving.folders import SUMMARY
from labelproof.validation import Json


def load_audit(place: Path) -> Audit:
    """Read what `Audit.save` wrote.

    Raises
    ------
    CorruptArtifact
        If a file is missing, damaged or disagrees with the other.
    """
    summary = read_summary(place)
    try:
        kind = KINDS[summary.get("kind", "classes")]
        issues = read_parquet(place / ISSUES_FILE)
        damaged = issues.height != summary.get("sites", summary.get("labelled")) or (
            {*issues.columns} - {SPLIT, *NEAR_COLUMNS} != {*SITE_COLUMNS, *kind.own_columns}
        )
        loaded = None if damaged else _of_files(kind, issues, summary, place)
    except (OSError, KeyError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise CorruptArtifact(f"{str(place)!r} is not a complete audit folder ({error}). Run the audit again.") from error
    if loaded is None:
        raise CorruptArtifact(f"{str(place)!r}: {ISSUES_FILE} does not belong to {SUMMARY}. Run the audit again.")
    return loaded


def _of_files(kind: type[Labels], issues: pl.DataFrame, summary: Json, place: Path) -> Audit:
    noise = AUDITORS[kind.kind].noise_of(summary)
    index = issues["index"]
    if issues.height and not (index.min() >= 0 and index.max() < summary["n"]):  # type: ignore[operator]
        raise ValueError(f"{ISSUES_FILE} has row numbers beyond the {summary['n']} items")
    sites = kind.sites_of(issues, summary)
    labels = kind.from_issues(sites, summary)
    suggested = kind.codes_of(sites["suggested_label"], noise.classes)
    findings = Findings(sites["error_probability"].to_numpy(), suggested, sites["confidence"].to_numpy())
    return Audit(
        labels,
        findings,
        noise,
        ErrorRate(**summary["error_rate"]),
        ids=of_items(labels, sites["id"].to_numpy()),
        skipped=[(row["id"], row["reason"]) for row in summary["skipped"]],
        source=summary["source"],
        doubts=[Doubt(**doubt) for doubt in summary.get("doubts", [])],
        split=of_items(labels, sites[SPLIT].to_numpy()) if SPLIT in sites.columns else None,
        model=ModelUsed(**summary["model"]) if "model" in summary else None,
        found_of_items=read_parquet(place / ITEMS_FILE, kind.found_columns).to_dict() if kind.found_columns else {},
        found_of_sites=sites.select(kind.found_site_columns).to_dict(),
        near=Near.of_columns(sites, labels.owner, labels.n, summary["neighbours"]["features"])
        if "neighbours" in summary
        else None,
    )


def read_summary(folder: Path) -> Json:
    """Read ``summary.json`` of an audit folder.

    Raises
    ------
    CorruptArtifact
        If it is missing or damaged.
    """
    existing(folder, "audit folder")
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        if not isinstance(summary, dict) or "classes" not in summary:
            raise ValueError(f"{SUMMARY} is not that of an audit")
    except (OSError, ValueError) as error:
        raise CorruptArtifact(f"{str(folder)!r} is not a complete audit folder ({error}). Run the audit again.") from error
    return summary
