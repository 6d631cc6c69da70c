"""Connections to the store of decisions: a SQLite file that must not be moved, or a PostgreSQL server."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from labelproof.errors import BadInput, CorruptArtifact, LabelproofError, MissingDependency, Unavailable
from labelproof.extras import needed_by
from labelproof.saving.files import first_line

BUSY_SECONDS = 5  # how long a write waits for others
CONNECTIONS = 16
LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
FILE = "labelproof_file"  # which file a connection writes to
PATH = "labelproof_path"


def open_engine(where: str) -> Engine:
    """Connections to a SQLite file, made if there is none, or to a ``postgresql://`` URL; nothing is read yet.

    Raises
    ------
    BadInput
        For another kind of URL.
    MissingDependency
        For PostgreSQL without psycopg.
    """
    if "://" not in where:
        return _sqlite(Path(where))
    try:
        url = sa.make_url(where)
    except sa.exc.ArgumentError as error:
        raise BadInput("--database is not a database URL. Write it as postgresql://user@host/name.") from error
    if url.get_backend_name() != "postgresql":
        raise BadInput(f"--database is of kind {url.get_backend_name()!r}. Give a postgresql:// URL, or omit it for SQLite.")
    try:
        with needed_by("a review in PostgreSQL"):
            return sa.create_engine(url.set(drivername="postgresql+psycopg"), pool_size=CONNECTIONS, pool_pre_ping=True)
    except MissingDependency:
        raise
    except ImportError as error:  # psycopg without the library of PostgreSQL
        raise MissingDependency(
            f"--database needs psycopg, which cannot be imported ({first_line(error)}). Install it again."
        ) from error


def check_in_place(connection: Connection) -> None:
    """Check that a commit is in the file of that name; a deleted file can be written to for a long time.

    Raises
    ------
    Unavailable
        If the file of a SQLite store was deleted or replaced.
    """
    info = connection.connection.info
    if FILE in info and _file(info[PATH]) != info[FILE]:
        raise _gone(info[PATH])


def explained(error: sa.exc.DBAPIError, engine: Engine, where: str) -> LabelproofError:
    """The error message, without a password."""
    reason = (str(error.orig).strip().splitlines() or [type(error).__name__])[0]
    if engine.dialect.name == "sqlite":
        if not Path(where).exists():
            return _gone(where)
        if (getattr(error.orig, "sqlite_errorcode", 0) or 0) & 0xFF in LOCKED:
            return locked(where)
    place = where if engine.dialect.name == "sqlite" else engine.url.render_as_string(hide_password=True)
    kind = Unavailable if isinstance(error, sa.exc.OperationalError) else CorruptArtifact
    return kind(f"The reviews in {place!r} cannot be read or written: {reason}.")


def locked(where: str) -> Unavailable:
    """The error if others lock a SQLite file for too long."""
    return Unavailable(f"Another program has locked the reviews in {where!r}. Close it; nothing has been lost.")


def _sqlite(path: Path) -> Engine:
    with suppress(OSError):  # if it cannot be made, opening it raises the error
        path.touch()

    def connect() -> sqlite3.Connection:  # never makes a file: one that has vanished must not be replaced by an empty one
        address = f"{path.as_uri()}?mode=rw"
        return sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)

    def prepare(connection: sqlite3.Connection, record: Any) -> None:
        record.info[PATH], record.info[FILE] = str(path), _file(str(path))
        # After a commit, everything is in the one file, so a copy has every decision. A write-ahead log would not give that.
        try:
            for setting in ("journal_mode=TRUNCATE", "synchronous=FULL"):
                connection.execute(f"PRAGMA {setting}")
        except UnicodeDecodeError as error:  # sqlite3 quotes values that it cannot read, and those are no text
            raise sqlite3.DatabaseError("the file is damaged") from error

    def check(_connection: Any, record: Any, _proxy: Any) -> None:
        if _file(str(path)) != record.info[FILE]:
            raise sa.exc.InvalidatePoolError("the file was replaced")  # the pool reopens it

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.pool.QueuePool, pool_size=CONNECTIONS)
    sa.event.listen(engine, "connect", prepare)
    sa.event.listen(engine, "checkout", check)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("labelproof_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _file(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _gone(path: str) -> Unavailable:
    return Unavailable(
        f"The file of reviews {path!r} was deleted or replaced while it was in use. Put it back, or start labelproof review again."
    )
