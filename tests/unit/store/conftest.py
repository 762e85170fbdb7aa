"""`place`: an empty SQLite file, and an empty database of a PostgreSQL server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import fresh_database
from tests.unit.store.making import Place


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database of each kind, not yet opened."""
    if request.param == "sqlite":
        yield Place(tmp_path / "certs.db", "")
        return
    with fresh_database() as url:
        yield Place(None, url)


@pytest.fixture
def file(tmp_path: Path) -> Place:
    """An SQLite file that does not exist yet."""
    return Place(tmp_path / "certs.db", "")


@pytest.fixture
def server() -> Iterator[Place]:
    """An empty database of the PostgreSQL server."""
    with fresh_database() as url:
        yield Place(None, url)
