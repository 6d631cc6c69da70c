"""Decisions from elsewhere: their common part, and spreadsheets."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from labelproof.data.frames import read_frame, write_frame
from labelproof.data.raw_table import column
from labelproof.errors import BadInput, did_you_mean
from labelproof.review.log.session import ReviewSession
from labelproof.review.log.store import DECISIONS, Decision
from labelproof.review.page.describe import Describer
from labelproof.review.page.guard import reviewer_name
from labelproof.validation import Json

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets run
QUOTE = "'"
SHOWN_CHARACTERS = 1000
ACTIONS = ("", *DECISIONS, "skip")


@dataclass(frozen=True)
class Imported:
    """The result of an import: numbers of decisions.

    Attributes
    ----------
    recorded, known : int
        New in the log, and in it already.
    empty : int
        Rows or tasks without a decision.
    """

    recorded: int
    known: int
    empty: int


def record_imported(session: ReviewSession, decisions: Iterable[Decision], empty: int) -> Imported:
    """Record decisions from elsewhere, except those already in the log: importing twice changes nothing."""
    session.sync()
    standing = {(d.item, d.reviewer): d for d in session.decisions}
    logged = {event["uid"] for event in session.store.events(session.data)}
    fresh, known = [], 0
    for decision in sorted(decisions, key=lambda d: d.decided_at):
        own = standing.get((decision.item, decision.reviewer))
        if decision.uid in logged or (own is not None and (own.action, own.label) == (decision.action, decision.label)):
            known += 1
        else:
            fresh.append(decision)
    session.store.record(session.data, fresh)
    session.sync()
    return Imported(len(fresh), known, empty)


def uid_of(*parts: object) -> str:
    """A uid that the same decision gets each time it is imported."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:40]


def checked_time(text: object, where: str) -> str:
    """A time as the log writes it: ISO 8601 in UTC; the empty string for none."""
    if text is None or str(text).strip() == "":
        return ""
    try:
        when = datetime.fromisoformat(str(text).strip().replace("Z", "+00:00"))
    except ValueError as error:
        raise BadInput(f"{where}: {str(text)[:60]!r} is not a time. Write it as 2026-01-31T12:00:00Z.") from error
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="microseconds")


def checked_seconds(value: Any, where: str) -> float | None:
    """Seconds that a person spent, or ``None``."""
    if value is None or str(value).strip() == "":
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise BadInput(f"{where}: {str(value)[:60]!r} is not a number of seconds.")
    return seconds


def write_csv(session: ReviewSession, target: str | os.PathLike[str], overwrite: bool = False) -> int:
    """Write the queue as a table for a spreadsheet: one line for each decision, and one for each item still open.

    A person fills in ``label``, or writes ``keep``, ``none``, ``unsure`` or ``skip`` under ``decision``. Cells that a spreadsheet would
    run as a formula begin with an apostrophe; `read_csv` takes it off again. Returns the number of lines.
    """
    goal = Path(target)
    if goal.exists() and not overwrite:
        raise BadInput(f"{str(goal)!r} exists. Add --overwrite to replace it, or choose another --out.")
    if goal.suffix.lower() not in (".csv", ".tsv"):
        raise BadInput(f"--out {str(goal)!r} ends in {goal.suffix!r}. Write to .csv or .tsv.")
    candidates, describer = session.candidates, Describer(session.candidates)
    part = candidates.part
    said: dict[str, list[Decision | None]] = {}
    for standing in session.decisions:
        said.setdefault(standing.item, []).append(standing)
    nobody: list[Decision | None] = [None]
    rows: list[Json] = []
    for rank in session.queue.rows.tolist():
        item = candidates.table["id"][rank]
        for decision in said.get(item, nobody):
            label = None if decision is None else decision.label
            rows.append(
                {
                    "id": _guarded(item),
                    "item": _guarded(describer.text(rank)[:SHOWN_CHARACTERS]),
                    "given_label": _guarded(part.to_cell(part.given(rank))),
                    "suggested_label": _guarded(part.suggested_cell(rank)),
                    "error_probability": round(float(candidates.error_probability[rank]), 4),
                    "label": "" if label is None else _guarded(part.to_cell(label)),
                    "decision": "" if decision is None else decision.action,
                    "reviewer": "" if decision is None else _guarded(decision.reviewer),
                    "decided_at": "" if decision is None else decision.decided_at,
                    "seconds": None if decision is None else decision.seconds,
                    "audit": candidates.fingerprint,
                }
            )
    write_frame(pl.DataFrame(rows, infer_schema_length=None), goal)
    return len(rows)


def read_csv(session: ReviewSession, path: str | os.PathLike[str], reviewer: str | None = None) -> Imported:
    """Record the decisions of a table with the columns ``id`` and ``label``, made by `write_csv` or by a person.

    ``decision``, ``reviewer``, ``decided_at`` and ``seconds`` are read if present. An empty ``label`` without a decision is an
    item not reviewed; with *keep* it is the given label, if ``given_label`` still names it. A label takes precedence over a
    ``decision`` of keep or relabel. The name of a class under ``decision`` is a label, unless ``label`` is filled in or the name
    is that of a decision. ``audit``, if present, identifies the labels that the table was made from; if items have no ids,
    ``given_label`` does as well.

    Raises
    ------
    BadInput
        For a table made of other data, for an unknown id, class, decision, time or number, with its line; nothing is recorded then.
    """
    known = ("id", "label", "decision", "reviewer", "decided_at", "seconds", "audit", "given_label", "suggested_label", "item")
    frame = read_frame(path, text_columns=known)
    column(frame, "id", path, "the column")
    column(frame, "label", path, "the column")
    rows = frame.select([name for name in known[:8] if name in frame.columns]).cast(pl.String).to_dicts()
    ids = [_bare(row["id"] or "") for row in rows]
    ranks = session.candidates.ranks_of(ids)
    about = {audit: not audit or session.is_about(audit) for audit in {row.get("audit") for row in rows}}
    decisions, empty, part = [], 0, session.candidates.part
    for line, (row, item) in enumerate(zip(rows, ids, strict=True), start=2):
        where = f"{str(path)!r} line {line}"
        label, written = _bare((row["label"] or "").strip()), (row.get("decision") or "").strip()
        action = written.lower()
        if not label and action not in ACTIONS and part.one_choice and _bare(written) in session.candidates.classes:
            label, action = _bare(written), "relabel"
        if not label and not action:
            empty += 1
            continue
        if item not in ranks:
            raise BadInput(
                f"{where}: The audit has no item {item!r}. {did_you_mean(item, session.candidates.table['id'].head(10_000).to_list())}"
            )
        given = None if session.candidates.has_ids or row.get("audit") else _bare(row.get("given_label") or "")
        if not about[row.get("audit")] or (given and given != part.to_cell(part.given(ranks[item]))):
            raise BadInput(
                f"{where} belongs to other data, or the labels have changed since. Export the audit again and fill in the new file."
            )
        if not label and action == "keep":
            label = _kept(part.to_cell(part.given(ranks[item])), row, where)
        if not label and action == "relabel" and part.may_be_none:
            raise BadInput(f"{where}: The decision is {action!r} but the label is empty. Fill in the label.")
        if action not in ACTIONS:
            raise BadInput(
                f"{where}: The decision is {written!r}. Use keep, none, unsure or skip, or leave it empty and fill in the label. "
                f"{did_you_mean(written, session.candidates.classes)}".strip()
            )
        name = _bare(row.get("reviewer") or "") or reviewer
        if not name:
            raise BadInput(f"{where} has no reviewer. Fill in that column, or give --reviewer.")
        when = checked_time(row.get("decided_at"), where)
        seconds = checked_seconds(row.get("seconds"), where)
        named = action not in ("none", "unsure", "skip")
        value = part.from_cell(label)
        uid = uid_of(session.data, "csv", item, name, label, action, when)
        try:
            made = session.checked(reviewer_name(name), ranks[item], "relabel" if named else action, value, uid, seconds)  # type: ignore[arg-type]
        except BadInput as error:
            near = did_you_mean(label, session.candidates.classes)
            raise BadInput(f"{where}: {error} {near}".strip()) from error
        decisions.append(Decision(**{**vars(made), "decided_at": when, "source": "csv"}))
    return record_imported(session, decisions, empty)


def _kept(now: str, row: Json, where: str) -> str:
    """The given label as a cell, if it is the one that the reviewer of a row saw and kept."""
    if "given_label" not in row:
        raise BadInput(
            f"{where}: The decision is 'keep' but the label is empty and there is no column given_label. Fill in the label."
        )
    seen = _bare(row["given_label"] or "")
    if seen != now:
        raise BadInput(
            f"{where}: The decision is 'keep', but the given label is {seen[:60]!r} here and {now[:60]!r} in the audit. Export the "
            "audit again, or fill in the label."
        )
    return now


def _guarded(text: str) -> str:
    return QUOTE + text if text.startswith((*FORMULA, QUOTE)) else text


def _bare(text: str) -> str:
    return text[1:] if text.startswith(QUOTE) else text
