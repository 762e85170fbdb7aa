"""
Settings become the store; apart, since some commands need nothing else of it all.

It is loaded when it is opened: SQLAlchemy takes as long as all else of a start.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from ctmonitor.config import Config, masked_url

if TYPE_CHECKING:
    from ctmonitor.store.queries import Reader
    from ctmonitor.store.store import Store


def store(config: Config) -> "Store":
    """The store of [DATABASE], made ready; raises StoreError when it is unusable."""
    from ctmonitor.store.store import open_store

    return open_store(
        db_file=None if config.database_url else Path(config.db_file),
        url=config.database_url,
        table=config.table_name,
    )


def reader(config: Config) -> "Reader":
    """The store for queries, which never changes it; raises StoreError."""
    from ctmonitor.store.queries import open_reader

    return open_reader(
        db_file=None if config.database_url else Path(config.db_file),
        url=config.database_url,
        table=config.table_name,
    )


def database(config: Config) -> str:
    """Where findings are stored, in words without secrets."""
    where = masked_url(config.database_url) if config.database_url else config.db_file
    return f"{where}, table {config.table_name}"
