"""
The steps from an original file to the present tables: numbered, forward only.

A step never changes once it is released; what comes later is a further step. Its
tables are written out here, not taken from `schema`, which shows the last state.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, inspect, select

from ctmonitor.errors import StoreError
from ctmonitor.store.engine import Database
from ctmonitor.store.schema import MIGRATIONS, OUR_TABLES, moment_text


@dataclass(frozen=True, slots=True)
class Migration:
    """One step; `apply` runs in the transaction that also records the version."""

    version: int
    description: str
    apply: Callable[[Connection], None]


# {text}: bytes decide on order, whatever the server's language. {clustered}: one tree
# for a table that is found by its key alone, instead of two.
_TABLES_1 = """
CREATE TABLE ctm_migrations (
    version INTEGER NOT NULL PRIMARY KEY,
    applied_at {text} NOT NULL
);
CREATE TABLE ctm_counter (
    name {text} NOT NULL PRIMARY KEY,
    value {id} NOT NULL
);
CREATE TABLE ctm_issuance (
    id {id} NOT NULL PRIMARY KEY,
    identity {text} NOT NULL UNIQUE,
    tbs_sha256 {text} NOT NULL,
    authority_key_id {text} NOT NULL,
    issuer_id {text} NOT NULL,
    serial {text} NOT NULL,
    issuer_dn {text} NOT NULL,
    not_before {text},
    not_after {text},
    sha1 {text} NOT NULL,
    sha256 {text} NOT NULL,
    as_precert BOOLEAN NOT NULL,
    as_certificate BOOLEAN NOT NULL,
    first_seen {text} NOT NULL
);
CREATE INDEX ctm_issuance_serial ON ctm_issuance (serial);
CREATE TABLE ctm_issuance_name (
    issuance_id {id} NOT NULL,
    name {text} NOT NULL,
    PRIMARY KEY (issuance_id, name)
) {clustered};
CREATE TABLE ctm_host_issuance (
    host_id {id} NOT NULL,
    issuance_id {id} NOT NULL,
    PRIMARY KEY (host_id, issuance_id)
) {clustered};
CREATE INDEX ctm_host_issuance_issuance_id ON ctm_host_issuance (issuance_id);
CREATE TABLE ctm_reason (
    host_id {id} NOT NULL,
    kind {text} NOT NULL,
    rule {text} NOT NULL,
    weight {id} NOT NULL,
    PRIMARY KEY (host_id, kind, rule)
) {clustered};
CREATE TABLE ctm_seen (
    issuance_id {id} NOT NULL,
    host_id {id} NOT NULL,
    feed {text} NOT NULL,
    log {text} NOT NULL,
    log_index {id} NOT NULL,
    entry_type {text} NOT NULL,
    log_name {text} NOT NULL,
    link {text} NOT NULL,
    seen_at {text},
    logged_at {text},
    recorded_at {text} NOT NULL,
    PRIMARY KEY (issuance_id, host_id, feed, log, log_index, entry_type)
) {clustered};
CREATE TABLE ctm_gap (
    feed {text} NOT NULL,
    cause {text} NOT NULL,
    started_at {text} NOT NULL,
    log {text} NOT NULL,
    index_start {id} NOT NULL,
    index_end {id},
    ended_at {text},
    lost {id},
    detail {text} NOT NULL,
    PRIMARY KEY (feed, cause, started_at, log, index_start)
);
CREATE TABLE ctm_cursor (
    source {text} NOT NULL PRIMARY KEY,
    position {text} NOT NULL,
    updated_at {text} NOT NULL
)
"""


def _create_our_tables(connection: Connection) -> None:
    taken = set(inspect(connection).get_table_names())
    if double := sorted(taken & {table.name for table in OUR_TABLES}):
        raise StoreError(
            f"The database already holds a table {double[0]} that this program did "
            "not make. Rename it, or use another database."
        )
    if connection.dialect.name == "postgresql":
        words = {"text": 'TEXT COLLATE "C"', "id": "BIGINT", "clustered": ""}
    else:
        words = {"text": "TEXT", "id": "INTEGER", "clustered": "WITHOUT ROWID"}
    for statement in _TABLES_1.format(**words).split(";"):
        connection.exec_driver_sql(statement)


MIGRATIONS_IN_ORDER = (
    Migration(1, "our tables beside the promised one", _create_our_tables),
)


def schema_version(connection: Connection) -> int:
    """The last step that was taken; 0 for an empty or an original database."""
    if not inspect(connection).has_table(MIGRATIONS.name):
        return 0
    version = connection.execute(select(func.max(MIGRATIONS.c.version))).scalar()
    return version or 0


def migrate(
    database: Database,
    now: Callable[[], datetime],
    steps: tuple[Migration, ...] = MIGRATIONS_IN_ORDER,
) -> None:
    """
    Takes the steps that are missing, each in a transaction with its record.

    Raises:
        StoreError: the database was written by a newer version, or a step failed;
            the steps before it stay.
    """
    latest = steps[-1].version
    while True:
        with database.writing() as connection:
            version = schema_version(connection)
            if version > latest:
                raise StoreError(
                    f"{database.label} was written by a newer version of ctmonitor "
                    f"(tables of version {version}; this program knows {latest}). "
                    "Upgrade the program, or use another database."
                )
            if version == latest:
                return
            step = next(step for step in steps if step.version > version)
            step.apply(connection)
            connection.execute(
                MIGRATIONS.insert(),
                {"version": step.version, "applied_at": moment_text(now())},
            )
