"""The tables of the store of decisions, in SQLite or PostgreSQL, and how a store of an earlier version becomes one of today."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

_metadata = sa.MetaData()
EVENTS = sa.Table(
    "labelproof_events",
    _metadata,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("uid", sa.Text, nullable=False, unique=True),  # made by the client that decides: sending twice records once
    sa.Column("audit", sa.Text, nullable=False),  # the data: fingerprint of the first audit of them
    sa.Column("item", sa.Text, nullable=False),  # id, or the row number if there is none
    sa.Column("reviewer", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("label", sa.Text),  # of keep and relabel
    sa.Column("decided_at", sa.Text, nullable=False),  # ISO 8601, UTC
    sa.Column("seconds", sa.Float),
    sa.Column("source", sa.Text, nullable=False),  # page, csv, label-studio
    sa.Column("undoes", sa.BigInteger().with_variant(sa.Integer, "sqlite"), unique=True),
    sa.Index("labelproof_events_item", "audit", "item", "reviewer", "seq"),
    sa.Index("labelproof_events_audit", "audit", "seq"),
)
LEASES = sa.Table(
    "labelproof_leases",
    _metadata,
    sa.Column("audit", sa.Text, primary_key=True),
    sa.Column("item", sa.Text, primary_key=True),
    sa.Column("reviewer", sa.Text, primary_key=True),
    sa.Column("until", sa.Float, nullable=False),  # seconds since 1970
)
AUDITS = sa.Table(
    "labelproof_audits",
    sa.MetaData(),
    sa.Column("audit", sa.Text, primary_key=True),  # fingerprint of ids and labels
    sa.Column("data", sa.Text, nullable=False),  # under which the decisions about these data are kept
    sa.Column("scope", sa.Text, nullable=False),  # which question about the items: kind and name of the labels
    sa.Column("sample", sa.Text, nullable=False),  # JSON: label by id of some items
    sa.Column("seen_at", sa.Text, nullable=False),
)
VERSION = sa.Table("labelproof_version", sa.MetaData(), sa.Column("version", sa.Integer, primary_key=True))
CURRENT = sa.table("labelproof_current", *(sa.column(c.name, c.type) for c in EVENTS.columns))

_VIEW = """
CREATE VIEW labelproof_current AS
SELECT e.* FROM labelproof_events e
WHERE e.action <> 'undo'
  AND NOT EXISTS (SELECT 1 FROM labelproof_events u WHERE u.undoes = e.seq)
  AND NOT EXISTS (
    SELECT 1 FROM labelproof_events l
    WHERE l.audit = e.audit AND l.item = e.item AND l.reviewer = e.reviewer AND l.seq > e.seq AND l.action <> 'undo'
      AND NOT EXISTS (SELECT 1 FROM labelproof_events u WHERE u.undoes = l.seq))
"""
_APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER labelproof_no_{verb.lower()} BEFORE {verb} ON labelproof_events "
        "BEGIN SELECT RAISE(ABORT, 'the log of decisions is append-only'); END"
        for verb in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        "CREATE FUNCTION labelproof_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the log of decisions is append-only'; END $$",
        "CREATE TRIGGER labelproof_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON labelproof_events "
        "FOR EACH STATEMENT EXECUTE FUNCTION labelproof_refuse()",
    ],
}


def _first_schema(connection: Connection) -> None:
    _metadata.create_all(connection)
    for statement in (_VIEW, *_APPEND_ONLY[connection.dialect.name]):
        connection.execute(sa.text(statement))


def _audits(connection: Connection) -> None:
    AUDITS.create(connection)


MIGRATIONS = [
    _first_schema,
    _audits,
]  # the k-th brings a store of version k - 1 to version k; a step that has shipped never changes
