"""The log of decisions: append-only, in SQLite or PostgreSQL, with the current decisions as a view of it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine

from labelproof.errors import BadInput, CorruptArtifact, LabelproofError
from labelproof.review.log.database import BUSY_SECONDS, check_in_place, explained, locked, open_engine
from labelproof.review.log.schema import AUDITS, CURRENT, EVENTS, LEASES, MIGRATIONS, VERSION
from labelproof.validation import Json

Action = Literal["keep", "relabel", "none", "unsure", "skip", "undo"]
DECISIONS = ("keep", "relabel", "none", "unsure")  # actions that settle an item; skip and undo do not
LEASE_SECONDS = 180.0
Place = tuple[int, str]  # in the log: number and uid of an event
BEGINNING: Place = (0, "")
LOCK = 7_246_015  # of PostgreSQL's advisory locks, ours
CHUNK = 400  # items in one IN clause
CLAIM_CHUNK = 48  # items looked at together for a claim: mostly the first are free


@dataclass(frozen=True)
class Decision:
    """One reviewer's decision on one item.

    Attributes
    ----------
    item : str
        Id of the item, as text.
    reviewer : str
    action : {"keep", "relabel", "none", "unsure", "skip"}
        The given label is right; another class is; none of the classes is; the reviewer does not know; not now.
    label : str or None
        The true class by name, for keep and relabel; a JSON list of names for tags.
    uid : str
        Made by the client that decides; the same uid is recorded once, however often it is sent.
    decided_at : str
        ISO 8601 in UTC; by default the time of recording.
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
        Path of a SQLite file, made if it does not exist, or a ``postgresql://`` URL.
    """

    def __init__(self, where: str | os.PathLike[str]) -> None:
        self.where = where if isinstance(where, str) and "://" in where else str(Path(where).resolve())
        self._engine, self._lock = open_engine(self.where), threading.Lock()
        try:
            self._migrate()
        except LabelproofError:
            self._engine.dispose()
            raise

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def record(self, audit: str, decisions: Sequence[Decision]) -> int:
        """Append decisions, in order; those whose uid is already in the log are skipped. Returns the number of new ones.

        Raises
        ------
        BadInput
            If a uid belongs to another decision in the log.
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
        """Append an event that takes back a reviewer's last decision; returns it, or ``None`` if there is none to take back."""
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
        """The decisions in effect, by position in the log; of the named items, by default all."""
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

    def changed_since(self, audit: str, place: Place) -> tuple[Place, list[str]]:
        """The last place in the log, and the items of an audit with events after a place.

        Raises
        ------
        LookupError
            If the log has no such position: another file has replaced it.
        """
        query = sa.select(EVENTS.c.seq, EVENTS.c.uid, EVENTS.c.item).where(EVENTS.c.audit == audit, EVENTS.c.seq > place[0])
        with self._reading() as connection:
            if place != BEGINNING:
                known = connection.execute(sa.select(EVENTS.c.uid).where(EVENTS.c.seq == place[0])).scalar_one_or_none()
                if known != place[1]:
                    raise LookupError(place)
            rows = connection.execute(query.order_by(EVENTS.c.seq)).all()
        return (rows[-1].seq, rows[-1].uid) if rows else place, sorted({row.item for row in rows})

    def events(self, audit: str) -> list[Json]:
        """The whole log of an audit, undone decisions and undos included."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(EVENTS).where(EVENTS.c.audit == audit).order_by(EVENTS.c.seq))
            return [row._asdict() for row in rows]

    def audits(self) -> dict[str, int]:
        """Number of events by the data that they are about."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(EVENTS.c.audit, sa.func.count()).group_by(EVENTS.c.audit))
            return {row[0]: row[1] for row in rows}

    def known_as(self, audit: str) -> str | None:
        """Under which data an audit was entered, if it was."""
        with self._reading() as connection:
            return connection.execute(sa.select(AUDITS.c.data).where(AUDITS.c.audit == audit)).scalar_one_or_none()

    def enter(self, audit: str, scope: str, sample: str, choose: Callable[[Sequence[tuple[str, str]]], str | None]) -> str:
        """Enter an audit and find out which data it is of.

        Parameters
        ----------
        audit : str
            Fingerprint of its ids and labels.
        scope : str
            Only audits of the same scope can be of the same data.
        sample : str
            JSON of the labels of some of its items.
        choose : callable
            Receives (data, sample) of the earlier audits, latest first; returns the data that this audit is of, or ``None``.

        Returns
        -------
        str
            Under which the decisions about the data are kept: the first of its audits.
        """
        with self._writing() as connection:
            known = connection.execute(sa.select(AUDITS.c.data).where(AUDITS.c.audit == audit)).scalar_one_or_none()
            if known is not None:
                return str(known)
            earlier = sa.select(AUDITS.c.data, AUDITS.c.sample).where(AUDITS.c.scope == scope).order_by(AUDITS.c.seen_at.desc())
            data = choose([(row.data, row.sample) for row in connection.execute(earlier)]) or audit
            row = {"audit": audit, "data": data, "scope": scope, "sample": sample, "seen_at": utc_now()}
            connection.execute(sa.insert(AUDITS).values(row))
            return data

    def claim(
        self, audit: str, reviewer: str, wanted: Sequence[tuple[str, int]], count: int, seconds: float = LEASE_SECONDS
    ) -> list[str]:
        """Lease items to a reviewer, so that nobody else gets them in the meantime.

        Parameters
        ----------
        wanted : sequence of (item, number of reviewers)
            In order of preference. An item is free if fewer others than that many, minus one, hold or have decided it, and
            this reviewer has not decided it.
        count : int
            How many to lease at most; those that the reviewer already holds count, and are leased again.
        seconds : float
            After which a lease ends by itself, independent of the clock that set it.

        Returns
        -------
        list of str
            The items, in the order of ``wanted``.
        """
        taken: list[str] = []
        with self._writing() as connection:
            now = self._now(connection)
            late = (LEASES.c.audit == audit, LEASES.c.until > now + seconds)  # set by a clock that runs ahead
            connection.execute(sa.update(LEASES).where(*late).values(until=now + seconds))
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

    def _now(self, connection: Connection) -> float:
        """The clock for leases: that of the database if several machines share one."""
        if self._engine.dialect.name == "postgresql":
            return float(connection.execute(sa.text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
        return time.time()

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

    def _append(self, connection: Connection, row: Json) -> int:
        insert = _insert(self._engine)(EVENTS).values(row).on_conflict_do_nothing(index_elements=["uid"])
        if connection.execute(insert.returning(EVENTS.c.seq)).first() is not None:
            ended = (LEASES.c.audit == row["audit"], LEASES.c.item == row["item"], LEASES.c.reviewer == row["reviewer"])
            connection.execute(sa.delete(LEASES).where(*ended))
            return 1
        known = connection.execute(sa.select(EVENTS).where(EVENTS.c.uid == row["uid"])).one()._asdict()
        named = ("keep", "relabel")  # which of the two it is depends on the label given at the time
        same = known["action"] == row["action"] or (known["action"] in named and row["action"] in named)
        if not same or any(known[name] != row[name] for name in ("audit", "item", "reviewer", "label")):
            raise BadInput(f"The uid {row['uid']!r} already belongs to another decision. Make a new one for each decision.")
        return 0

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._turn(), self._engine.connect().execution_options(labelproof_writes=True) as connection:
            with connection.begin():
                if self._engine.dialect.name == "postgresql":
                    connection.execute(sa.text(f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'"))
                    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
                yield connection
            check_in_place(connection)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._turn(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Threads take turns at a SQLite file, because SQLite makes waiting threads sleep for too long."""
        alone = self._engine.dialect.name == "sqlite"
        if alone and not self._lock.acquire(timeout=BUSY_SECONDS):
            raise locked(self.where)  # another thread waits for it as well
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise explained(error, self._engine, self.where) from error
        finally:
            if alone:
                self._lock.release()

    def _migrate(self) -> None:
        with self._writing() as connection:
            VERSION.create(connection, checkfirst=True)
            version = connection.execute(sa.select(sa.func.max(VERSION.c.version))).scalar() or 0
            if version > len(MIGRATIONS):
                raise CorruptArtifact(
                    f"The reviews in {self._engine.url.render_as_string(hide_password=True)!r} have schema version {version}, but this labelproof knows only {len(MIGRATIONS)}. Use the version that wrote them, or a newer one."
                )
            for number, step in enumerate(MIGRATIONS[version:], start=version + 1):
                step(connection)
                connection.execute(sa.insert(VERSION).values(version=number))


def _decision(row: Any) -> Decision:
    return Decision(
        item=row.item, reviewer=row.reviewer, action=row.action, label=row.label, uid=row.uid, decided_at=row.decided_at,
        seconds=row.seconds, source=row.source, seq=row.seq,
    )  # fmt: skip


def _insert(engine: Engine) -> Any:
    return postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
