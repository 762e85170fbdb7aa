"""
The steps from an original file to the present tables: numbered, forward only.

A step never changes once it is released; what comes later is a further step. Its
tables are written out here, not taken from `schema`, which shows the last state.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, func, inspect, select

from ctmonitor.errors import StoreError
from ctmonitor.store.engine import Database
from ctmonitor.store.schema import MIGRATIONS, moment_text


@dataclass(frozen=True, slots=True)
class Migration:
    """One step; `apply` runs in the transaction that also records the version."""

    version: int
    description: str
    apply: Callable[[Connection], None]


# {text}: bytes decide on order, whatever the server's language. {number}: given by the
# database; {serial}: the same, and none is given twice. {clustered}: one tree for a
# table that is found by its key alone, instead of two.
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


# Hosts that are due are found by `is_stopped` and a time, in the order of the index.
_TABLES_2 = """
CREATE TABLE ctm_followup (
    host_id {id} NOT NULL PRIMARY KEY,
    is_stopped BOOLEAN NOT NULL,
    next_visit {text},
    lease_until {text} NOT NULL,
    lease_owner {text} NOT NULL,
    presence {text} NOT NULL,
    pending {text} NOT NULL,
    first_up {text},
    last_visit {text} NOT NULL,
    visits {id} NOT NULL,
    content {text} NOT NULL
);
CREATE INDEX ctm_followup_next_visit ON ctm_followup (is_stopped, next_visit, host_id);
CREATE INDEX ctm_followup_last_visit ON ctm_followup (is_stopped, last_visit, host_id);
CREATE INDEX ctm_followup_lease_owner ON ctm_followup (lease_owner)
    WHERE lease_owner <> '';
CREATE TABLE ctm_visit (
    host_id {id} NOT NULL,
    at {text} NOT NULL,
    presence {text} NOT NULL,
    events {text} NOT NULL,
    record {text} NOT NULL,
    PRIMARY KEY (host_id, at)
);
CREATE TABLE ctm_outbox (
    id {number} NOT NULL PRIMARY KEY,
    key {text} NOT NULL UNIQUE,
    channel {text} NOT NULL,
    destination {text} NOT NULL,
    payload {text} NOT NULL,
    state {text} NOT NULL,
    attempts {id} NOT NULL,
    next_attempt {text} NOT NULL,
    last_result {text} NOT NULL,
    created_at {text} NOT NULL,
    sent_at {text},
    lease_until {text} NOT NULL,
    lease_owner {text} NOT NULL
);
CREATE INDEX ctm_outbox_next_attempt ON ctm_outbox (state, next_attempt, id);
CREATE TABLE ctm_memory (
    kind {text} NOT NULL,
    key {text} NOT NULL,
    value {text} NOT NULL,
    expires_at {text} NOT NULL,
    PRIMARY KEY (kind, key)
);
CREATE INDEX ctm_memory_expires_at ON ctm_memory (expires_at);
CREATE TABLE ctm_budget (
    name {text} NOT NULL,
    day {text} NOT NULL,
    spent {id} NOT NULL,
    PRIMARY KEY (name, day)
) {clustered}
"""

# How many of a log were recorded today is counted by the index.
_TABLES_3 = """
CREATE TABLE ctm_malformed (
    log {text} NOT NULL,
    log_index {id} NOT NULL,
    kind {text} NOT NULL,
    detail {text} NOT NULL,
    recorded_at {text} NOT NULL,
    PRIMARY KEY (log, log_index)
) {clustered};
CREATE INDEX ctm_malformed_recorded_at ON ctm_malformed (log, recorded_at)
"""

# A program of the version before still writes these tables, without the new columns.
_TABLES_4 = """
ALTER TABLE ctm_reason ADD COLUMN brand {text} NOT NULL DEFAULT '';
ALTER TABLE ctm_outbox ADD COLUMN alarm {text} NOT NULL DEFAULT '';
CREATE INDEX ctm_outbox_alarm ON ctm_outbox (alarm, destination, state)
    WHERE alarm <> ''
"""

# Own domains. A sighting is sought by domain and number.
_TABLES_5 = """
CREATE TABLE ctm_own_state (
    name {text} NOT NULL PRIMARY KEY,
    document {bytes} NOT NULL,
    updated_at {text} NOT NULL
);
CREATE TABLE ctm_own_lock (
    name {text} NOT NULL PRIMARY KEY,
    owner {text} NOT NULL,
    lease_until {text} NOT NULL
);
CREATE TABLE ctm_own_sighting (
    number {serial},
    domain {text} NOT NULL,
    entry {text} NOT NULL,
    claim {text} NOT NULL,
    recorded_at {text} NOT NULL,
    UNIQUE (domain, entry)
);
CREATE INDEX ctm_own_sighting_number ON ctm_own_sighting (domain, number)
"""


def _change_tables(statements: str, connection: Connection) -> None:
    taken = set(inspect(connection).get_table_names())
    if double := sorted(
        taken.intersection(re.findall(r"CREATE TABLE (\w+)", statements))
    ):
        raise StoreError(
            f"The database already holds a table {double[0]} that this program did "
            "not make. Rename it, or use another database."
        )
    if connection.dialect.name == "postgresql":
        words = {"text": 'TEXT COLLATE "C"', "id": "BIGINT", "clustered": ""}
        words["number"] = "BIGINT GENERATED BY DEFAULT AS IDENTITY"
        words["serial"] = f"{words['number']} NOT NULL PRIMARY KEY"
        words["bytes"] = "BYTEA"
    else:
        words = {"text": "TEXT", "id": "INTEGER", "clustered": "WITHOUT ROWID"}
        words["number"] = "INTEGER"
        words["serial"] = "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT"
        words["bytes"] = "BLOB"
    for statement in statements.format(**words).split(";"):
        connection.exec_driver_sql(statement)


MIGRATIONS_IN_ORDER = (
    Migration(
        1, "our tables beside the promised one", partial(_change_tables, _TABLES_1)
    ),
    Migration(2, "what the scanner keeps", partial(_change_tables, _TABLES_2)),
    Migration(3, "malformed entries of logs", partial(_change_tables, _TABLES_3)),
    Migration(4, "brands, and alarms", partial(_change_tables, _TABLES_4)),
    Migration(5, "own domains", partial(_change_tables, _TABLES_5)),
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
