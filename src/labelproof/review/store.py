"""The log of decisions: append-only, in SQLite or PostgreSQL, with the current decisions as a view of it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine

from labelproof.errors import BadInput, CorruptArtifact, MissingDependency

Action = Literal["keep", "relabel", "none", "unsure", "skip", "undo"]
DECISIONS = ("keep", "relabel", "none", "unsure")  # what ends an item; skip and undo do not
LEASE_SECONDS = 180.0
LOCK = 7_246_015  # of PostgreSQL's advisory locks, ours
CHUNK = 400  # items in one IN clause
CLAIM_CHUNK = 48  # items looked at together for a claim: mostly the first are free

_metadata = sa.MetaData()
EVENTS = sa.Table(
    "labelproof_events",
    _metadata,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("uid", sa.Text, nullable=False, unique=True),  # made by whoever decides: sending twice records once
    sa.Column("audit", sa.Text, nullable=False),  # fingerprint of the labels under review
    sa.Column("item", sa.Text, nullable=False),  # id
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


@dataclass(frozen=True)
class Decision:
    """What one reviewer said of one item.

    Attributes
    ----------
    item : str
        Id of the item, as text.
    reviewer : str
    action : {"keep", "relabel", "none", "unsure", "skip"}
        The given label is right; another class is; none of the classes is; the reviewer cannot tell; not now.
    label : str or None
        The true class by name, of keep and relabel; a JSON list of names for tags.
    uid : str
        Made by whoever decides; the same uid is recorded once, however often it is sent.
    decided_at : str
        ISO 8601 in UTC; the time of recording where empty.
    seconds : float or None
        Time that the person spent.
    source : str
        ``page``, ``csv`` or ``label-studio``.
    seq : int
        Place in the log; 0 before it is recorded.
    """

    item: str
    reviewer: str
    action: Action
    label: str | None
    uid: str
    decided_at: str = ""
    seconds: float | None = None
    source: str = "page"
    seq: int = 0


def utc_now() -> str:
    """The time as the log writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


class Store:
    """The log of decisions of any number of audits.

    Every write is one transaction and is on disk when the call returns. Writers take turns (SQLite's write lock, an advisory lock
    on PostgreSQL), so places in the log are in the order in which they became visible.

    Parameters
    ----------
    where : path or str
        Path of a SQLite file, made where it does not exist, or a ``postgresql://`` URL.
    """

    def __init__(self, where: str | os.PathLike[str]) -> None:
        self.where = where if isinstance(where, str) and "://" in where else str(Path(where).resolve())
        self._engine = _engine(self.where)
        try:
            self._migrate()
        except sa.exc.DBAPIError as error:
            self._engine.dispose()
            raise self._broken(error) from error

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def record(self, audit: str, decisions: Sequence[Decision]) -> int:
        """Append decisions, in order; those whose uid is in the log already are left out. Returns how many were new.

        Raises
        ------
        BadInput
            If a uid stands for another decision in the log.
        """
        rows = [
            {
                "uid": d.uid, "audit": audit, "item": d.item, "reviewer": d.reviewer, "action": d.action, "label": d.label,
                "decided_at": d.decided_at or utc_now(), "seconds": d.seconds, "source": d.source, "undoes": None,
            }
            for d in decisions
        ]  # fmt: skip
        with self._writing() as connection:
            return sum(self._append(connection, row) for row in rows)

    def undo(self, audit: str, reviewer: str, uid: str) -> Decision | None:
        """Append an event that takes back a reviewer's last decision; returns it, or ``None`` where there is none to take back."""
        with self._writing() as connection:
            events = EVENTS.alias()
            own = (events.c.audit == audit, events.c.reviewer == reviewer)
            before = connection.execute(sa.select(events.c.undoes).where(*own, events.c.uid == uid)).scalar_one_or_none()
            if before is None:
                undone = sa.select(EVENTS.c.undoes).where(EVENTS.c.undoes == events.c.seq).exists()
                query = sa.select(events).where(*own, events.c.action != "undo", ~undone).order_by(events.c.seq.desc())
                last = connection.execute(query.limit(1)).first()
                if last is None:
                    return None
                row = {**last._asdict(), "uid": uid, "action": "undo", "label": None, "undoes": last.seq}
                row |= {"decided_at": utc_now(), "seconds": None, "source": "page"}
                del row["seq"]
                self._append(connection, row)
            else:  # this undo was sent before
                last = connection.execute(sa.select(events).where(events.c.seq == before)).one()
            return _decision(last)

    def current(self, audit: str, items: Sequence[str] | None = None) -> list[Decision]:
        """The decisions that stand, by place in the log; of some items where these are named."""
        query = sa.select(CURRENT).where(CURRENT.c.audit == audit).order_by(CURRENT.c.seq)
        with self._reading() as connection:
            if items is None:
                return [_decision(row) for row in connection.execute(query)]
            found = [
                _decision(row)
                for start in range(0, len(items), CHUNK)
                for row in connection.execute(query.where(CURRENT.c.item.in_(items[start : start + CHUNK])))
            ]
        return sorted(found, key=lambda d: d.seq)

    def changed_since(self, audit: str, seq: int) -> tuple[int, list[str]]:
        """The last place in the log, and the items of an audit with events after a place."""
        query = sa.select(EVENTS.c.seq, EVENTS.c.item).where(EVENTS.c.audit == audit, EVENTS.c.seq > seq)
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return max((row.seq for row in rows), default=seq), sorted({row.item for row in rows})

    def events(self, audit: str) -> list[dict[str, Any]]:
        """The whole log of an audit, undone decisions and undos included."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(EVENTS).where(EVENTS.c.audit == audit).order_by(EVENTS.c.seq))
            return [row._asdict() for row in rows]

    def audits(self) -> dict[str, int]:
        """Number of events of each audit in the log."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(EVENTS.c.audit, sa.func.count()).group_by(EVENTS.c.audit))
            return {row[0]: row[1] for row in rows}

    def claim(
        self, audit: str, reviewer: str, wanted: Sequence[tuple[str, int]], count: int, seconds: float = LEASE_SECONDS
    ) -> list[str]:
        """Lease items to a reviewer, so that nobody else is given them meanwhile.

        Parameters
        ----------
        wanted : sequence of (item, number of reviewers)
            In order of preference. An item is free where fewer others than that many, less one, hold or have decided it, and
            where this reviewer has not decided it.
        count : int
            How many to lease at most; those that the reviewer holds already count, and are leased anew.
        seconds : float
            After which a lease ends by itself.

        Returns
        -------
        list of str
            The items, in the order of ``wanted``.
        """
        now = time.time()
        taken: list[str] = []
        with self._writing() as connection:
            connection.execute(sa.delete(LEASES).where(LEASES.c.audit == audit, LEASES.c.until < now))
            for start in range(0, len(wanted), CLAIM_CHUNK):
                part = wanted[start : start + CLAIM_CHUNK]
                busy = self._busy(connection, audit, [item for item, _ in part])
                for item, needed in part:
                    others, done = busy.get(item, (set(), set()))
                    if reviewer not in done and len((others | done) - {reviewer}) < needed and len(taken) < count:
                        taken.append(item)
                if len(taken) == count:
                    break
            if taken:
                insert = _insert(self._engine)(LEASES)
                values = [{"audit": audit, "item": i, "reviewer": reviewer, "until": now + seconds} for i in taken]
                renewed = {"until": insert.excluded.until}
                connection.execute(
                    insert.on_conflict_do_update(index_elements=["audit", "item", "reviewer"], set_=renewed), values
                )
        return taken

    def release(self, audit: str, reviewer: str) -> None:
        """End a reviewer's leases."""
        with self._writing() as connection:
            connection.execute(sa.delete(LEASES).where(LEASES.c.audit == audit, LEASES.c.reviewer == reviewer))

    def _busy(self, connection: Connection, audit: str, items: list[str]) -> dict[str, tuple[set[str], set[str]]]:
        """Who holds and who has decided each item."""
        found: dict[str, tuple[set[str], set[str]]] = {}
        for place, table in enumerate((LEASES, CURRENT)):
            query = sa.select(table.c.item, table.c.reviewer).where(table.c.audit == audit, table.c.item.in_(items))
            if table is CURRENT:
                query = query.where(CURRENT.c.action.in_(DECISIONS))
            for row in connection.execute(query):
                found.setdefault(row.item, (set(), set()))[place].add(row.reviewer)
        return found

    def _append(self, connection: Connection, row: dict[str, Any]) -> int:
        insert = _insert(self._engine)(EVENTS).values(row).on_conflict_do_nothing(index_elements=["uid"])
        if connection.execute(insert.returning(EVENTS.c.seq)).first() is not None:
            ended = (LEASES.c.audit == row["audit"], LEASES.c.item == row["item"], LEASES.c.reviewer == row["reviewer"])
            connection.execute(sa.delete(LEASES).where(*ended))
            return 1
        known = connection.execute(sa.select(EVENTS).where(EVENTS.c.uid == row["uid"])).one()._asdict()
        same = ("audit", "item", "reviewer", "action", "label")
        if any(known[name] != row[name] for name in same):
            raise BadInput(f"the uid {row['uid']!r} stands for another decision already. Make a new one for each decision.")
        return 0

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._engine.connect().execution_options(labelproof_writes=True) as connection, connection.begin():
                if self._engine.dialect.name == "postgresql":
                    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
                yield connection
        except sa.exc.DBAPIError as error:
            raise self._broken(error) from error

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection, connection.begin():
                yield connection
        except sa.exc.DBAPIError as error:
            raise self._broken(error) from error

    def _broken(self, error: sa.exc.DBAPIError) -> CorruptArtifact:
        place = self._engine.url.render_as_string(hide_password=True)
        reason = (str(error.orig).strip().splitlines() or [type(error).__name__])[0]
        return CorruptArtifact(f"the reviews in {place!r} cannot be read or written: {reason}.")

    def _migrate(self) -> None:
        with self._writing() as connection:
            VERSION.create(connection, checkfirst=True)
            version = connection.execute(sa.select(sa.func.max(VERSION.c.version))).scalar() or 0
            if version > len(MIGRATIONS):
                raise CorruptArtifact(
                    f"the reviews in {self._engine.url.render_as_string(hide_password=True)!r} have schema version {version}; "
                    f"this labelproof knows {len(MIGRATIONS)}. Use the version that wrote them, or a newer one."
                )
            for number, step in enumerate(MIGRATIONS[version:], start=version + 1):
                step(connection)
                connection.execute(sa.insert(VERSION).values(version=number))


def _first_schema(connection: Connection) -> None:
    _metadata.create_all(connection)
    for statement in (_VIEW, *_APPEND_ONLY[connection.dialect.name]):
        connection.execute(sa.text(statement))


MIGRATIONS = [_first_schema]  # the k-th brings a store of version k - 1 to version k; a step that has shipped never changes


def _decision(row: Any) -> Decision:
    return Decision(
        item=row.item, reviewer=row.reviewer, action=row.action, label=row.label, uid=row.uid, decided_at=row.decided_at,
        seconds=row.seconds, source=row.source, seq=row.seq,
    )  # fmt: skip


def _insert(engine: Engine) -> Any:
    return postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert


def _engine(where: str) -> Engine:
    if "://" not in where:
        engine = sa.create_engine(f"sqlite:///{where}", connect_args={"timeout": 30, "check_same_thread": False}, pool_size=16)
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        url = sa.make_url(where)
    except sa.exc.ArgumentError as error:
        raise BadInput("--database is no database URL. Write it as postgresql://user@host/name.") from error
    if url.get_backend_name() != "postgresql":
        raise BadInput(
            f"--database is of kind {url.get_backend_name()!r}. Give a postgresql:// URL, or leave it out for SQLite."
        )
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise MissingDependency("reviews in PostgreSQL need psycopg. Install labelproof[postgres].") from error
    return sa.create_engine(url.set(drivername="postgresql+psycopg"), pool_size=16, pool_pre_ping=True)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    for setting in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {setting}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("labelproof_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
