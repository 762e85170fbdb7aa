"""Files of settings, read in one line."""

import re
from pathlib import Path

import pytest

from ctmonitor.config import Config, load
from ctmonitor.errors import ConfigError


@pytest.fixture
def read(tmp_path: Path):
    """Reads settings from text or bytes, with the environment given."""

    def _read(content: str | bytes, **environ: str) -> Config:
        path = tmp_path / "a.conf"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load(path, environ)

    return _read


@pytest.fixture
def problems(read):
    """The problems of a file that cannot be used, without the path before each."""

    def _problems(content: str | bytes, **environ: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            read(content, **environ)
        assert caught.value.problems
        assert all("a.conf" in problem for problem in caught.value.problems)
        return [re.sub(r"^.*?a\.conf(?:, |: )", "", p) for p in caught.value.problems]

    return _problems
