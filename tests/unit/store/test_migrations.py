"""From an original file to the present tables, step by step; and newer versions."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, inspect, make_url, text

from ctmonitor.errors import StoreError
from ctmonitor.store.migrations import MIGRATIONS_IN_ORDER, Migration, migrate
from ctmonitor.store.schema import OUR_TABLES, promised_table
from ctmonitor.store.store import open_store
from tests.unit.store.making import NOON, TABLE, Place, finding

VECTORS = Path(__file__).parents[2] / "vectors" / "databases"
LATEST = MIGRATIONS_IN_ORDER[-1].version
# The columns of an original row, in its order.
OLD_ROWS = [
    (
        "login-paypal.example",
        "",
        "/C=US/CN=E7/O=Let's Encrypt",
        "AA:BB",
        "2019-06-12T15:54:31",
        "2019-06-12T16:00:00",
        None,
    ),
    (
        "up.example",
        "",
        "",
        "",
        "2019-06-12T15:54:31",
        "2019-06-12T16:00:01",
        "2019-06-13T10:00:00",
    ),
    (
        "given-up.example",
        "",
        "",
        "",
        "2019-06-12T15:54:31",
        "2019-06-12T16:00:02",
        "Stop checking on 2019-09-27",
    ),
]
NUMBERS = 'SELECT ctm_id FROM "CertMon"'
ORIGINAL_COLUMNS = (
    '"Domain", "SAN", "Issuer", "Fingerprint", "Startime", "FirstSeen", "StillInvestig"'
)


def engine_of(place: Place) -> Engine:
    if place.db_file is not None:
        return create_engine(f"sqlite:///{place.db_file}")
    return create_engine(make_url(place.url).set(drivername="postgresql+psycopg"))


def columns(connection: Connection, table: str) -> dict[str, tuple[Any, ...]]:
    inspector = inspect(connection)
    keys = inspector.get_pk_constraint(table)["constrained_columns"]
    return {
        column["name"]: (
            column["type"]._type_affinity,
            column["nullable"],
            column["name"] in keys,
        )
        for column in inspector.get_columns(table)
    }


def indexed(connection: Connection, table: str) -> set[tuple[str, ...]]:
    inspector = inspect(connection)
    found = {tuple(each["column_names"]) for each in inspector.get_indexes(table)}
    found |= {
        tuple(each["column_names"]) for each in inspector.get_unique_constraints(table)
    }
    return found


@pytest.fixture(params=sorted(path.name for path in VECTORS.glob("*.sqlite")))
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A copy of a file as an older version left it."""
    shutil.copy(VECTORS / request.param, tmp_path / "older.db")
    return Place(tmp_path / "older.db", "")


def test_there_is_a_file_of_each_version_before() -> None:
    names = {path.name for path in VECTORS.glob("version_*.sqlite")}
    assert names >= {f"version_{number}.sqlite" for number in range(LATEST)}


def test_a_file_of_each_version_opens_in_place_and_keeps_its_rows(older: Place) -> None:
    # The path of a place may be relative to nothing: the file is opened where it is.
    with older.open() as store:
        told = store.record([finding("login-paypal.example"), finding("new.example")])
        assert [each.novelty.value for each in told] == ["known", "new"]
        told = store.record([finding("given-up.example")])
        assert [each.novelty.value for each in told] == ["followed again"]
    rows = older.sql(f'SELECT {ORIGINAL_COLUMNS} FROM "CertMon" ORDER BY rowid')  # noqa: S608 - constant
    assert rows[:2] == OLD_ROWS[:2]
    assert [row[0] for row in rows] == [*(row[0] for row in OLD_ROWS), "new.example"]
    assert [reason.rule for reason in older.details()["login-paypal.example"].reasons]


def test_the_scanner_finds_the_hosts_of_a_file_of_each_version(older: Place) -> None:
    with older.open() as store:
        due = store.followups().claim(NOON, 10, 60, "a")
    assert [each.domain for each in due] == ["login-paypal.example", "up.example"]
    assert [each.state.visits for each in due] == [0, 0]
    # What another step made is as it was.
    assert older.count("CertMon") == len(OLD_ROWS)
    assert all(isinstance(number, int) for (number,) in older.sql(NUMBERS))


@pytest.mark.parametrize("version", range(1, LATEST))
def test_a_file_of_an_older_version_keeps_what_our_tables_hold(
    version: int, tmp_path: Path
) -> None:
    shutil.copy(VECTORS / f"version_{version}.sqlite", tmp_path / "older.db")
    older = Place(tmp_path / "older.db", "")
    tables = ("issuance", "issuance_name", "host_issuance", "seen", "gap", "cursor")
    queries = [f"SELECT * FROM ctm_{name}" for name in tables]  # noqa: S608 - names of ours
    queries.append("SELECT host_id, kind, rule, weight FROM ctm_reason")
    before = [older.sql(query) for query in queries]
    assert all(before)
    older.open().close()
    assert [older.sql(query) for query in queries] == before
    versions = older.sql("SELECT version FROM ctm_migrations ORDER BY version")
    assert versions == [(number,) for number in range(1, LATEST + 1)]


def test_what_the_steps_create_is_what_the_statements_expect(place: Place) -> None:
    place.open().close()
    engine = engine_of(place)
    with engine.connect() as connection:
        for table in (*OUR_TABLES, promised_table(TABLE)):
            expected = {
                column.name: (
                    column.type._type_affinity,
                    column.nullable,
                    column.primary_key,
                )
                for column in table.c
            }
            found = columns(connection, table.name)
            assert list(found) == list(expected), table.name
            for name, (kind, nullable, is_key) in expected.items():
                assert found[name][1:] == (nullable, is_key), (table.name, name)
                # SQLite calls every integer INTEGER, PostgreSQL ours BIGINT.
                assert issubclass(kind, found[name][0].__mro__[0]) or issubclass(
                    found[name][0], kind
                ), (table.name, name)
            wanted = {(c.name,) for c in table.c if c.index or c.unique}
            assert wanted <= indexed(connection, table.name), table.name
        assert any(
            each["column_names"] == ["FirstSeen"]
            for each in inspect(connection).get_indexes(TABLE)
        )
    engine.dispose()


def test_a_new_database_has_the_latest_version_and_opens_again(place: Place) -> None:
    for _ in range(2):
        place.open().close()
        rows = place.sql("SELECT version, applied_at FROM ctm_migrations")
        at = "2026-11-21T12:00:00.000000+00:00"
        assert sorted(rows) == [(number, at) for number in range(1, LATEST + 1)]


def test_a_database_of_a_newer_version_is_refused(place: Place) -> None:
    place.open().close()
    place.sql(
        "INSERT INTO ctm_migrations (version, applied_at) VALUES (:version, 'then')",
        version=LATEST + 1,
    )
    with pytest.raises(StoreError, match=r"newer version .* Upgrade the program"):
        place.open()
    # Reading goes on as far as the columns are there.
    assert place.details() == {}


def _fail(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE half_done (x INTEGER)"))
    raise StoreError("the step failed")


def test_a_step_that_fails_leaves_the_steps_before_it_and_nothing_of_its_own(
    place: Place,
) -> None:
    with place.open() as store:
        failing = Migration(LATEST + 2, "fails", _fail)
        passing = Migration(
            LATEST + 1,
            "passes",
            lambda connection: connection.exec_driver_sql(
                "CREATE TABLE done (x INTEGER)"
            ).close(),
        )
        steps = (*MIGRATIONS_IN_ORDER, passing, failing)
        with pytest.raises(StoreError, match="the step failed"):
            migrate(store._database, lambda: NOON, steps)
    engine = engine_of(place)
    with engine.connect() as connection:
        names = inspect(connection).get_table_names()
    engine.dispose()
    assert "done" in names
    assert "half_done" not in names
    versions = place.sql("SELECT version FROM ctm_migrations ORDER BY version")
    assert versions == [(number,) for number in range(1, LATEST + 2)]


def test_a_table_of_somebody_else_under_our_name_is_not_touched(place: Place) -> None:
    place.sql("CREATE TABLE ctm_seen (x INTEGER)")
    with pytest.raises(StoreError, match="already holds a table ctm_seen"):
        place.open()
    assert place.sql("SELECT * FROM ctm_seen") == []


def test_versions_are_numbered_from_one_without_holes() -> None:
    numbers = [migration.version for migration in MIGRATIONS_IN_ORDER]
    assert numbers == list(range(1, len(numbers) + 1))


def test_columns_in_another_case_are_the_same_to_sqlite(file: Place) -> None:
    file.sql(
        "CREATE TABLE certmon (domain TEXT PRIMARY KEY, san TEXT, issuer TEXT, "
        "fingerprint TEXT, startime TEXT, firstseen TEXT, stillinvestig TEXT)"
    )
    with open_store(db_file=file.db_file, url="", table=TABLE) as store:
        store.record([finding("a.example")])
    assert list(file.details()) == ["a.example"]
