"""
PostgreSQL for tests: each test gets a database of its own.

The server's address stands in CTMONITOR_TEST_POSTGRESQL, with a user who may create
databases, such as `postgresql://user:password@127.0.0.1:5433/postgres`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from sqlalchemy import make_url

VARIABLE = "CTMONITOR_TEST_POSTGRESQL"


def server_address() -> str:
    """The address of the server; without one the test is skipped, or fails in CI."""
    address = os.environ.get(VARIABLE, "")
    if not address:
        reason = f"{VARIABLE} is not set: no PostgreSQL server to test with"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return address


@contextmanager
def fresh_database(encoding: str = "UTF8") -> Iterator[str]:
    """The address of an empty database, which is removed afterwards."""
    import psycopg

    address = server_address()
    name = f"ctm_test_{uuid4().hex[:12]}"
    with psycopg.connect(address, autocommit=True) as server:
        server.execute(
            f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' "
            "LC_CTYPE 'C' TEMPLATE template0"
        )
        try:
            url = make_url(address).set(database=name)
            yield url.render_as_string(hide_password=False)
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
