"""Settings become the store; apart, since some commands need nothing else of it all."""

from pathlib import Path

from ctmonitor.config import Config, masked_url
from ctmonitor.store.queries import Reader, open_reader
from ctmonitor.store.store import Store, open_store


def store(config: Config) -> Store:
    """The store of [DATABASE], made ready; raises StoreError when it is unusable."""
    return open_store(
        db_file=None if config.database_url else Path(config.db_file),
        url=config.database_url,
        table=config.table_name,
    )


def reader(config: Config) -> Reader:
    """The store for queries, which never changes it; raises StoreError."""
    return open_reader(
        db_file=None if config.database_url else Path(config.db_file),
        url=config.database_url,
        table=config.table_name,
    )


def database(config: Config) -> str:
    """Where findings are stored, in words without secrets."""
    where = masked_url(config.database_url) if config.database_url else config.db_file
    return f"{where}, table {config.table_name}"
