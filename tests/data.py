"""Finds test data: vectors kept in this repository, and the optional recorded data."""

import gzip
import os
from pathlib import Path
from typing import NoReturn

import pytest

_CHECKOUT = Path(__file__).resolve().parent.parent
VECTORS = _CHECKOUT / "tests" / "vectors"


def missing(what: str, next_step: str) -> NoReturn:
    """Skips the test by name; with CI=true fails it, since CI has to provide all."""
    message = f"{what}: {next_step}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def shared(path: str) -> Path:
    """
    A file or folder of the recorded data, which is too large for this repository.

    It lies where the environment variable CTMONITOR_DATA says, else in `../shared/data`
    beside the checkout. The test is skipped by name where the file is absent, and
    fails when CI=true.

    Args:
        path: relative to the data folder, as `certstream/go_1.9_full.jsonl`.
    """
    named = os.environ.get("CTMONITOR_DATA")
    folder = Path(named) if named else _CHECKOUT.parent / "shared" / "data"
    found = folder / path
    if not found.exists():
        missing(
            f"recorded data {path!r} is not in {folder}",
            "set CTMONITOR_DATA to the folder that holds it",
        )
    return found


def messages(path: Path) -> list[bytes]:
    """
    The feed messages of a file, each without its line's end.

    `.json` is one message, which may be pretty-printed; `.jsonl` and `.jsonl.gz` hold
    one message a line.
    """
    raw = path.read_bytes()
    if path.suffix == ".gz":
        raw = gzip.decompress(raw)
    if path.suffix == ".json":
        return [raw]
    return raw.splitlines()


def vector_messages(name: str) -> list[bytes]:
    """The messages of `tests/vectors/certstream/<name>`, which is always there."""
    return messages(VECTORS / "certstream" / name)
