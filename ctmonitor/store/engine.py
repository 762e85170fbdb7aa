"""
Connections to the two databases, and their errors in our words.

Source: sqlite.org/rescode.html and sqlite.org/wal.html; PostgreSQL manual, appendix A
(error codes); SQLAlchemy manual, "SQLite", section on transactions with pysqlite.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Table,
    create_engine,
    event,
    func,
    inspect,
    make_url,
    select,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from ctmonitor.errors import StoreError, StoreUnavailable
from ctmonitor.model.text import shortened

if TYPE_CHECKING:  # loaded where there is such a server: a tenth of SQLAlchemy's time
    from sqlalchemy.dialects import postgresql

T = TypeVar("T")

# Any constant will do: it keeps two writers of ours apart, as the write lock of
# SQLite does. Under it the writer may look first and insert then.
_WRITER_LOCK = 0x63746D6F6E
# 16 MB: most inner pages of a table of a million hosts, in a daemon of 150 MB.
_CACHE_KIB = 16 * 1024
# Pages (of 4 kB) in the log before they are copied into the file: the default, 1,000,
# copies some pages of a large index again and again.
_CHECKPOINT_PAGES = 8000
_CONNECT_TIMEOUT_S = 10
_MANY = 500  # values in one `IN (...)`


@dataclass(frozen=True, slots=True)
class Database:
    """An engine, and how a message names what is behind it."""

    engine: Engine
    label: str  # without user and password

    @property
    def is_postgresql(self) -> bool:
        """True for a server, False for a file."""
        return self.engine.dialect.name == "postgresql"

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """
        One transaction, with no other writer of ours beside it.

        Raises:
            StoreUnavailable: nothing was written; the same again may succeed.
            StoreError: nothing was written, and waiting will not help.
        """
        with translated(self.label), self.engine.begin() as connection:
            if self.is_postgresql:
                connection.execute(select(func.pg_advisory_xact_lock(_WRITER_LOCK)))
            yield connection

    @contextmanager
    def sharing(self) -> Iterator[Connection]:
        """
        One transaction beside other writers, where the database allows it.

        A writer in it locks rows, and waits for none: who waits belongs in `writing`.

        Raises:
            StoreUnavailable, StoreError: as `writing`.
        """
        with translated(self.label), self.engine.begin() as connection:
            yield connection

    def insert(self, table: Table) -> "sqlite.Insert | postgresql.Insert":
        """An INSERT that has `on_conflict_do_nothing` and `on_conflict_do_update`."""
        if self.is_postgresql:
            from sqlalchemy.dialects import postgresql

            return postgresql.insert(table)
        return sqlite.insert(table)


@dataclass(frozen=True, slots=True)
class BatchInsert:
    """An INSERT that is compiled once and takes the rows of a batch as they are."""

    sql: str

    @classmethod
    def of(cls, database: Database, table: Table) -> "BatchInsert":
        """An INSERT of whole rows into `table`, which leaves out those it has."""
        statement = database.insert(table).on_conflict_do_nothing()
        dialect = database.engine.dialect
        if database.is_postgresql:
            from sqlalchemy.dialects import postgresql

            # Values by position, as `run` gives them; that of SQLite does so anyway.
            dialect = postgresql.dialect(paramstyle="format")  # type: ignore[no-untyped-call] # SQLAlchemy has it so
        return cls(str(statement.compile(dialect=dialect)))

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """
        The number of rows written.

        The driver gets the rows directly: what SQLAlchemy does to each of them takes
        longer than SQLite does, and text and integers need none of it.

        Args:
            rows: at least one, each with a value for every column, in their order.
        """
        return connection.exec_driver_sql(self.sql, list(rows)).rowcount


def sqlite_database(path: Path, busy_timeout_s: float) -> Database:
    """A file to write, with its log beside it (WAL)."""
    engine = create_engine(
        URL.create("sqlite", database=str(path.absolute())),
        connect_args={"timeout": busy_timeout_s, "check_same_thread": False},
        hide_parameters=True,  # names and issuers are a stranger's
        pool_size=1,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        try:
            _prepare(connection)
        except sqlite3.Error:
            connection.close()  # nobody else knows it yet
            raise

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later cannot wait for the lock:
        # its view may be outdated by then, and SQLite gives up at once.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return Database(engine, f"The database {path}")


def _prepare(connection: sqlite3.Connection) -> None:
    # The driver would begin transactions by rules of its own, and late.
    connection.isolation_level = None
    (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    # On a file system without shared memory the mode stays; only with WAL is NORMAL
    # safe against loss of power.
    level = "NORMAL" if mode == "wal" else "FULL"
    connection.execute(f"PRAGMA synchronous={level}")
    connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")


def sqlite_reading(path: Path, *, immutable: bool = False) -> Database:
    """
    A file to read alone; nothing is created.

    Args:
        immutable: take no locks; only for a file that nobody writes.
    """
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    if immutable:
        address += "&immutable=1"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            address, uri=True, timeout=_CONNECT_TIMEOUT_S, check_same_thread=False
        )
        # Other programs may have written bytes that are no UTF-8.
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        return connection

    engine = create_engine("sqlite://", creator=connect, hide_parameters=True)
    return Database(engine, f"The database {path}")


def postgresql_database(url: str, lock_timeout_s: float) -> Database:
    """
    A server's database.

    Args:
        url: `postgresql://user:password@host:port/database`.

    Raises:
        StoreError: the address cannot be read, or the driver is not installed.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Without the cause, which could show a password.
        raise StoreError(
            "The address in [DATABASE] URL cannot be read. Write it as "
            "postgresql://user:password@host:5432/database, special characters of the "
            "password as %XX."
        ) from None
    if parsed.drivername.partition("+")[0] not in ("postgresql", "postgres"):
        raise StoreError(
            f"[DATABASE] URL begins with {shortened(parsed.drivername)!r}, which is "
            "not supported. Write postgresql://..., or leave it empty and set DBFile."
        )
    arguments: dict[str, Any] = {
        "application_name": "ctmonitor",
        "client_encoding": "utf8",
        "connect_timeout": _CONNECT_TIMEOUT_S,
        "options": f"-c lock_timeout={int(lock_timeout_s * 1000)}",
    }
    try:
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            connect_args={k: v for k, v in arguments.items() if k not in parsed.query},
            hide_parameters=True,
        )
    except ImportError as exc:
        raise StoreError(
            "[DATABASE] URL names a PostgreSQL server, but its driver is not "
            f"installed ({exc}). Run: pip install ctmonitor[postgresql]"
        ) from exc
    host = parsed.host or parsed.query.get("host") or "localhost"
    return Database(
        engine, f"The database {parsed.database} on {host}:{parsed.port or 5432}"
    )


def spelling(connection: Connection, table: str) -> str | None:
    """`table` as the database spells it, None when it is not there."""
    names = inspect(connection).get_table_names()
    if table in names or connection.dialect.name == "postgresql":
        return table if table in names else None
    # SQLite finds a table without regard to case; reading its definition does not.
    return next((name for name in names if name.lower() == table.lower()), None)


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """`values` in pieces that fit into one statement."""
    for start in range(0, len(values), _MANY):
        yield values[start : start + _MANY]


@contextmanager
def translated(label: str) -> Iterator[None]:
    """What the libraries raise inside leaves as `StoreError` or `StoreUnavailable`."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as exc:
        raise _explained(exc, label) from exc


def check_file(path: Path) -> None:
    """
    Creates the directory of a database file and sees whether both can be written.

    Raises:
        StoreError: they cannot.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_directory, exists = path.is_dir(), path.exists()
    except (OSError, ValueError) as exc:
        raise StoreError(
            f"The directory {path.parent} of the database cannot be used: {exc}. "
            "Create it for the user of this program, or change [DATABASE] DBFile."
        ) from exc
    if is_directory:
        raise StoreError(
            f"The database {path} is a directory. Name a file in [DATABASE] DBFile."
        )
    if exists and not os.access(path, os.R_OK | os.W_OK):
        raise StoreError(
            f"The database {path} cannot be written by this user. Change its owner or "
            "mode, or start the program as its owner."
        )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise StoreError(
            f"The directory {path.parent} cannot be written by this user, and SQLite "
            "keeps two files beside the database. Change its owner or mode."
        )


# Primary result codes: class, what is wrong, next step.
_SQLITE_ERRORS: dict[int, tuple[type[StoreError], str, str]] = {
    sqlite3.SQLITE_BUSY: (
        StoreUnavailable,
        "is locked by another program",
        "Find who holds it (`fuser` names the processes) or try again.",
    ),
    sqlite3.SQLITE_LOCKED: (
        StoreUnavailable,
        "is locked by another connection",
        "Try again.",
    ),
    sqlite3.SQLITE_FULL: (
        StoreUnavailable,
        "cannot grow, the disk is full",
        "Free some space.",
    ),
    sqlite3.SQLITE_IOERR: (
        StoreUnavailable,
        "cannot be read or written now",
        "Look for a full disk, a quota, a file size limit, or a failing disk.",
    ),
    sqlite3.SQLITE_NOMEM: (StoreUnavailable, "got no memory", "Free some memory."),
    sqlite3.SQLITE_READONLY: (
        StoreError,
        "is read-only",
        "Let this user write the file, its directory, and the files -wal and -shm.",
    ),
    sqlite3.SQLITE_PERM: (
        StoreError,
        "may not be used",
        "Let this user write the file and its directory.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        StoreError,
        "cannot be opened",
        "Let this user read and write the file, its directory, and the files -wal "
        "and -shm.",
    ),
    sqlite3.SQLITE_NOTADB: (
        StoreError,
        "is not an SQLite database",
        "Name another file in [DATABASE] DBFile, or restore this one.",
    ),
    sqlite3.SQLITE_CORRUPT: (
        StoreError,
        "is damaged",
        "Restore a copy, or save what can be read: sqlite3 FILE .recover",
    ),
}

# Beginnings of SQLSTATE, the longest first.
_SERVER_ERRORS: dict[str, tuple[type[StoreError], str, str]] = {
    "28P01": (StoreError, "refused the password", "Correct [DATABASE] URL."),
    "28": (StoreError, "refused the user", "Correct [DATABASE] URL, or pg_hba.conf."),
    "3D": (StoreError, "does not exist", "Create it: createdb -E UTF8 NAME"),
    "42501": (
        StoreError,
        "denied a right",
        "Grant the user CREATE and USAGE on the schema and all rights on the tables.",
    ),
    "55P03": (
        StoreUnavailable,
        "is locked by another program",
        "Find who holds it (pg_locks) or try again.",
    ),
    "40": (StoreUnavailable, "rolled back because of another program", "Try again."),
    "08": (StoreUnavailable, "cannot be reached", "See whether the server runs."),
    "53": (StoreUnavailable, "is out of space or connections", "Free some."),
    "57P": (StoreUnavailable, "is shutting down or starting", "Try again."),
    "58": (StoreUnavailable, "reports a failing disk", "Look into the server's log."),
    "25006": (StoreError, "is read-only", "Name the primary in [DATABASE] URL."),
}

# The driver gives no SQLSTATE when the server refuses a login; libpq's sentence does.
_LOGIN_ERRORS = (
    ("password authentication failed", "28P01"),
    ("no password supplied", "28P01"),
    ("no pg_hba.conf entry", "28"),
    ("authentication failed", "28"),
    ("role ", "28"),
    ("database ", "3D"),
)


def _explained(exc: Exception, label: str) -> StoreError:
    cause = exc.orig if isinstance(exc, DBAPIError) and exc.orig else exc
    detail = shortened(" ".join(str(cause).split()), 300).rstrip(".")
    code = getattr(cause, "sqlite_errorcode", None)
    if isinstance(code, int):
        found = _SQLITE_ERRORS.get(code & 0xFF)
    else:
        found = _server_error(exc, cause, detail)
    if found is None:
        return StoreError(
            f"{label} refused a statement: {detail}. If it is not of your making, "
            "please report this sentence."
        )
    error_class, problem, next_step = found
    return error_class(f"{label} {problem}: {detail}. {next_step}")


def _server_error(
    exc: Exception, cause: BaseException, detail: str
) -> tuple[type[StoreError], str, str] | None:
    state = getattr(cause, "sqlstate", None)
    if not state and isinstance(exc, DBAPIError) and not exc.connection_invalidated:
        state = next((s for text, s in _LOGIN_ERRORS if f"FATAL: {text}" in detail), "")
    if state:
        for length in (5, 3, 2):
            if found := _SERVER_ERRORS.get(state[:length]):
                return found
    if isinstance(exc, DBAPIError) and (
        exc.connection_invalidated or type(cause).__name__ == "OperationalError"
    ):
        return _SERVER_ERRORS["08"]
    return None
