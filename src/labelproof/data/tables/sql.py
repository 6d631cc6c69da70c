"""The result of a query, by SQLAlchemy: read only, and without the password once it is read."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from labelproof.data.raw_table import RawTable
from labelproof.data.tables.base import TableForm
from labelproof.data.tables.json_text import typed
from labelproof.errors import BadInput, MissingDependency, Unavailable
from labelproof.extras import needed_by
from labelproof.saving.files import existing, first_line

if TYPE_CHECKING:
    import sqlalchemy as sa

    from labelproof.data.edits import Edits
    from labelproof.data.readers.base import ReadOptions

WHOLE_URL = "LABELPROOF_SQL_URL"  # the environment variable that holds the URL with its password
SECRET = re.compile(r"(?i)pass|pwd|secret|token|key|credential")
ORDERED = re.compile(r"(?i)\border\s+by\b")
TEMPORAL = (date, datetime, time, timedelta)
_whole: dict[str, str] = {}  # URLs with passwords, as given to this process, by their saved form


class SqlQuery(TableForm):
    """Rows of a query. The database is never written to: decided labels go into a table of their own."""

    part = "--query"

    @classmethod
    def fits(cls, place: str) -> bool:
        """Whatever looks like a URL."""
        return "://" in place

    def known_as(self, place: str) -> str:
        """The URL without passwords, which stay in the memory of this process; of a SQLite file with its whole path."""
        url = _parsed(place)
        if url.get_backend_name() == "sqlite":
            if not url.database or url.database == ":memory:":
                raise BadInput("--sql names no file. Write it as sqlite:///FILE.")
            url = url.set(database=str(Path(url.database).resolve()))
        query = {name: value for name, value in url.query.items() if not SECRET.search(name)}
        safe = url.create(url.drivername, url.username, None, url.host, url.port, url.database, query)
        known = safe.render_as_string(hide_password=False)
        _whole[known] = url.render_as_string(hide_password=False)
        return known

    def completed(self, place: str, options: ReadOptions) -> ReadOptions:
        if options.query is None:
            raise BadInput('--query is missing. Give e.g. --query "select id, body, label from reviews order by id".')
        if not ORDERED.search(options.query):
            raise BadInput(
                "--query has no ORDER BY, so its rows may come in another order next time, but an audit identifies rows by their order. Add ORDER BY with the columns that identify a row."
            )
        return options

    def read(self, place: str, *, encoding: str | None = None, part: str | None = None, quiet: bool = False) -> RawTable:
        if part is None:
            raise BadInput(f"{place!r} is a database. Give a query as well.")
        with _connected(place) as connection:
            result = connection.exec_driver_sql(_driver_words(part, connection))
            if not result.returns_rows:
                raise BadInput("--query gives no rows. Write a SELECT.")
            names = list(result.keys())
            rows = result.fetchall()
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if twice is not None:
            raise BadInput(f"--query has two columns named {twice!r}. Name one with AS.")
        if not rows:
            raise BadInput("--query finds no rows. Give one per item.")
        columns = [_column(name, [row[i] for row in rows]) for i, name in enumerate(names)]
        return RawTable(pl.DataFrame(columns), None, Path(place), form=self)

    def takes(self, target: Path) -> bool:
        """Nothing to do: the database is not written to."""
        return False

    def copy(self, raw: RawTable, target: Path, change: Edits, *, overwrite: bool) -> None:
        raise AssertionError("no target is a database")


def _parsed(place: str) -> sa.URL:
    import sqlalchemy as sa

    try:
        return sa.make_url(place)
    except (sa.exc.ArgumentError, ValueError):
        raise BadInput("--sql is not a database URL. Write it as sqlite:///FILE or postgresql://user@host/name.") from None


@contextmanager
def _connected(place: str) -> Iterator[sa.Connection]:
    """A connection that reads only, whose transaction is rolled back."""
    import sqlalchemy as sa

    given, known = os.environ.get(WHOLE_URL, ""), _whole.get(place)
    if known is None and given and SqlQuery().known_as(given) == place:
        known = given
    url = _parsed(known or place)
    try:
        engine = _engine(url)
        with engine.connect().execution_options(stream_results=True) as connection:
            yield connection
            connection.rollback()
        engine.dispose()
    except sa.exc.DBAPIError as error:
        reason = first_line(error.orig or error)
        for secret in [url.password, *(url.query[name] for name in url.query if SECRET.search(name))]:
            reason = reason.replace(str(secret), "***") if secret else reason
        kept = url.get_backend_name() == "sqlite" or url.password is not None
        mend = "Check query and server." if kept else f"Passwords are not kept: set {WHOLE_URL} to the whole URL."
        kind = Unavailable if isinstance(error, sa.exc.OperationalError) and url.get_backend_name() != "sqlite" else BadInput
        raise kind(f"{place!r} does not answer the query: {reason}. {mend}") from None


def _engine(url: sa.URL) -> sa.Engine:
    import sqlalchemy as sa

    if url.get_backend_name() == "sqlite":
        file = existing(str(url.database), "database").resolve()

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)

        return sa.create_engine("sqlite://", creator=connect, poolclass=sa.pool.NullPool)
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    try:
        with needed_by("a database of PostgreSQL"):
            engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    except sa.exc.NoSuchModuleError:
        raise BadInput(
            f"--sql is of kind {url.drivername!r}, which SQLAlchemy does not know. Write sqlite:///FILE or postgresql://user@host/name."
        ) from None
    except MissingDependency:
        raise
    except ImportError as error:
        raise MissingDependency(
            f"{url.drivername!r} needs a driver that cannot be imported ({first_line(error)}). Install it."
        ) from None
    return engine.execution_options(postgresql_readonly=True) if url.get_backend_name() == "postgresql" else engine


def _driver_words(query: str, connection: sa.Connection) -> str:
    """The query as the driver wants it: some take % for the mark of a parameter."""
    return query.replace("%", "%%") if connection.dialect.paramstyle in ("format", "pyformat") else query


def _column(name: str, values: Sequence[Any]) -> pl.Series:
    plain = [float(value) if isinstance(value, Decimal) else value for value in values]
    kinds = {type(value) for value in plain if value is not None}
    if len(kinds) == 1 and issubclass(next(iter(kinds)), TEMPORAL):
        return pl.Series(name, plain)
    if kinds and kinds <= {bytes, memoryview}:
        return pl.Series(name, [None if value is None else bytes(value) for value in values], dtype=pl.Binary)
    return typed(name, [_json(value) for value in plain])


def _json(value: Any) -> Any:
    """A value that JSON has, or its text."""
    if value is None or isinstance(value, bool | int | float | str | list):
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
