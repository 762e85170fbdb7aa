"""
The tables, as statements see them; `migrations` creates ours.

The promised table keeps the columns of CertStreamMonitor, whose programs may read and
write the same SQLite file; one column of ours comes after them. Our tables stand beside
it and, like the column, begin with `ctm_`.

Times of ours are UTC text with microseconds (`2026-11-21T14:00:00.000000+00:00`); the
promised table's, and a certificate's validity, are UTC text to the second, without
zone. Both sort as text. What is unknown is empty or -1 in columns that are part of a
key, since NULL is never equal to NULL.

No foreign keys: rows of the promised table may be removed by other programs, and an
issuance's rows are only ever written or moved together, in one transaction.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

# PostgreSQL cuts longer names without a word.
MAX_TABLE_NAME_BYTES = 63
NO_ISSUANCE = -1  # ctm_seen.issuance_id of a sighting without a certificate
NO_HOST = -1  # ctm_seen.host_id of a sighting with one
NO_INDEX = -1
HOST_ID = "ctm_id"
STOP_CHECKING = "Stop checking"  # how StillInvestig of a host given up begins

_METADATA = MetaData()
_BIG = BigInteger().with_variant(Integer(), "sqlite")

MIGRATIONS = Table(
    "ctm_migrations",
    _METADATA,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("applied_at", Text, nullable=False),
)

# Numbers given last, by what they count; a writer is alone while it gives some.
COUNTER = Table(
    "ctm_counter",
    _METADATA,
    Column("name", Text, primary_key=True),
    Column("value", _BIG, nullable=False),
)
HOST_COUNTER = "host"

ISSUANCE = Table(
    "ctm_issuance",
    _METADATA,
    Column("id", _BIG, primary_key=True, autoincrement=False),
    Column("identity", Text, nullable=False, unique=True),
    Column("tbs_sha256", Text, nullable=False),
    Column("authority_key_id", Text, nullable=False),
    Column("issuer_id", Text, nullable=False),
    Column("serial", Text, nullable=False, index=True),  # hex
    Column("issuer_dn", Text, nullable=False),
    Column("not_before", Text),
    Column("not_after", Text),
    Column("sha1", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("as_precert", Boolean, nullable=False),
    Column("as_certificate", Boolean, nullable=False),
    Column("first_seen", Text, nullable=False),
)

ISSUANCE_NAME = Table(
    "ctm_issuance_name",
    _METADATA,
    Column("issuance_id", _BIG, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
)

HOST_ISSUANCE = Table(
    "ctm_host_issuance",
    _METADATA,
    Column("host_id", _BIG, primary_key=True, autoincrement=False),
    Column("issuance_id", _BIG, primary_key=True, autoincrement=False, index=True),
)

REASON = Table(
    "ctm_reason",
    _METADATA,
    Column("host_id", _BIG, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("weight", _BIG, nullable=False),
    Column("brand", Text, nullable=False),  # empty: no look-alike
)

# A sighting with a certificate bears issuance_id, one without bears host_id.
SEEN = Table(
    "ctm_seen",
    _METADATA,
    Column("issuance_id", _BIG, primary_key=True, autoincrement=False),
    Column("host_id", _BIG, primary_key=True, autoincrement=False),
    Column("feed", Text, primary_key=True),
    Column("log", Text, primary_key=True),
    Column("log_index", _BIG, primary_key=True, autoincrement=False),
    Column("entry_type", Text, primary_key=True),
    Column("log_name", Text, nullable=False),
    Column("link", Text, nullable=False),
    Column("seen_at", Text),
    Column("logged_at", Text),
    Column("recorded_at", Text, nullable=False),
)

GAP = Table(
    "ctm_gap",
    _METADATA,
    Column("feed", Text, primary_key=True),
    Column("cause", Text, primary_key=True),
    Column("started_at", Text, primary_key=True),
    Column("log", Text, primary_key=True),
    Column("index_start", _BIG, primary_key=True, autoincrement=False),
    Column("index_end", _BIG),
    Column("ended_at", Text),
    Column("lost", _BIG),
    Column("detail", Text, nullable=False),
)

# Entries of logs of which something could not be read; as many a day as `store` says.
MALFORMED = Table(
    "ctm_malformed",
    _METADATA,
    Column("log", Text, primary_key=True),
    Column("log_index", _BIG, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("recorded_at", Text, nullable=False),
)

CURSOR = Table(
    "ctm_cursor",
    _METADATA,
    Column("source", Text, primary_key=True),
    Column("position", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
)

# One row for each host of the promised table, made when a scanner first meets it.
FOLLOWUP = Table(
    "ctm_followup",
    _METADATA,
    Column("host_id", _BIG, primary_key=True, autoincrement=False),
    Column("is_stopped", Boolean, nullable=False),  # StillInvestig begins so
    Column("next_visit", Text),  # empty: at once; NULL: no more
    Column("lease_until", Text, nullable=False),  # empty: nobody has it
    Column("lease_owner", Text, nullable=False),
    Column("presence", Text, nullable=False),
    Column("pending", Text, nullable=False),  # empty: nothing
    Column("first_up", Text),
    Column("last_visit", Text, nullable=False),  # empty: never
    Column("visits", _BIG, nullable=False),
    Column("content", Text, nullable=False),
)

# What visits showed; one that showed nothing new has no row.
VISIT = Table(
    "ctm_visit",
    _METADATA,
    Column("host_id", _BIG, primary_key=True, autoincrement=False),
    Column("at", Text, primary_key=True),
    Column("presence", Text, nullable=False),
    Column("events", Text, nullable=False),  # separated by commas
    Column("record", Text, nullable=False),  # JSON
)

OUTBOX = Table(
    "ctm_outbox",
    _METADATA,
    Column("id", _BIG, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("channel", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("payload", Text, nullable=False),  # JSON
    Column("state", Text, nullable=False),  # due, sent, dead
    Column("attempts", _BIG, nullable=False),
    Column("next_attempt", Text, nullable=False),  # empty: at once
    Column("last_result", Text, nullable=False),  # of the last attempt, for people
    Column("created_at", Text, nullable=False),
    Column("sent_at", Text),
    Column("lease_until", Text, nullable=False),  # empty: nobody has it
    Column("lease_owner", Text, nullable=False),
    # Of a message: those with the same one are told together. Empty: by itself.
    Column("alarm", Text, nullable=False),
)

MEMORY = Table(
    "ctm_memory",
    _METADATA,
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),  # JSON
    Column("expires_at", Text, nullable=False, index=True),
)

BUDGET = Table(
    "ctm_budget",
    _METADATA,
    Column("name", Text, primary_key=True),
    Column("day", Text, primary_key=True),  # 2026-11-21, UTC
    Column("spent", _BIG, nullable=False),
)

# Watched domains; beside them what they share, and documents that were set aside.
OWN_STATE = Table(
    "ctm_own_state",
    _METADATA,
    Column("name", Text, primary_key=True),
    Column("document", LargeBinary, nullable=False),  # JSON, gzip
    Column("updated_at", Text, nullable=False),
)

OWN_LOCK = Table(
    "ctm_own_lock",
    _METADATA,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("lease_until", Text, nullable=False),
)

# Certificates for watched domains, as the daemon saw them; numbers are never given
# twice, whatever was removed.
OWN_SIGHTING = Table(
    "ctm_own_sighting",
    _METADATA,
    Column("number", _BIG, primary_key=True),
    Column("domain", Text, nullable=False),
    Column("entry", Text, nullable=False),  # SHA-256 of what is the same again
    Column("claim", Text, nullable=False),  # JSON
    Column("recorded_at", Text, nullable=False),
)

OUR_TABLES = tuple(_METADATA.sorted_tables)


def promised_table(name: str) -> Table:
    """The table of host names, as CertStreamMonitor made it, under its name."""
    # Byte order on both databases, so that times compare and hosts sort alike.
    text = Text().with_variant(Text(collation="C"), "postgresql")
    return Table(
        name,
        MetaData(),
        Column("Domain", text, primary_key=True),
        Column("SAN", text),
        Column("Issuer", text),
        Column("Fingerprint", text),
        Column("Startime", text),
        Column("FirstSeen", text),
        Column("StillInvestig", text),
        # Ours, and last: NULL in a row of another program until we have to do with it.
        # Rows of our tables bear this number instead of the name, so that those of a
        # batch share a few pages at the end; by name, each row would touch a page of
        # its own. (The row number of SQLite does not survive a VACUUM.)
        Column(HOST_ID, _BIG),
    )


def moment_text(moment: datetime | None) -> str | None:
    """`2026-11-21T14:00:00.000000+00:00` for an aware time, None for None."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def json_text(value: Mapping[str, Any]) -> str:
    """`value` as JSON in ASCII, which each database can hold whatever is in it."""
    with suppress(UnicodeEncodeError):  # a lone surrogate
        quick = msgspec.json.encode(value)
        if quick.isascii():
            return quick.decode("ascii")
    return json.dumps(dict(value), separators=(",", ":"))


def from_json_text(text: str) -> Any:
    """The value that `json_text` wrote."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:  # a lone surrogate
        return json.loads(text)
