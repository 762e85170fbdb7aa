"""
`place`: an empty SQLite file, and an empty database of a PostgreSQL server. `kept`: the
same, an empty directory and an empty bucket, for the states of watched domains.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.s3 import ENVIRONMENT, S3Server
from tests.postgres import fresh_database
from tests.unit.store.making import Place
from tests.unit.store.watching import Kept


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


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    """An S3 server, started when the first test needs it."""
    with S3Server() as server:
        yield server


@pytest.fixture
def s3(moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The S3 server, and an environment in which its clients find their keys."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return moto


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        "directory",
        "s3",
    ]
)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    """A place for states of each kind, not yet opened."""
    if request.param == "sqlite":
        place = Place(tmp_path / "certs.db", "")
        place.open().close()
        yield Kept(place)
    elif request.param == "postgresql":
        with fresh_database() as url:
            place = Place(None, url)
            place.open().close()
            yield Kept(place)
    elif request.param == "directory":
        (tmp_path / "own").mkdir()
        yield Kept(directory=tmp_path / "own")
    else:
        server = request.getfixturevalue("s3")
        yield Kept(s3=server, bucket=server.bucket())
