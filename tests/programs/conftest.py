"""What all tests of programs share."""

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with a space in its name."""
    path = tmp_path / "a folder"
    path.mkdir()
    return path
