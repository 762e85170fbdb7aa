"""`handler`, the function of AWS Lambda: its settings. Its work: tests/programs."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctmonitor.cli.watchdomains import handler
from ctmonitor.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    names = ["", "websocket", "urllib3", "botocore", "boto3"]
    levels = {name: logging.getLogger(name).level for name in names}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "OWN_DOMAINS is empty: name domains"),
        ({"OWN_DOMAINS": " "}, "OWN_DOMAINS is empty: name domains"),
        ({"OWN_DOMAINS": "example.com"}, "OWN_STATE is empty: name a place that lasts"),
        ({"OWN_DOMAINS": "example.com,co.uk"}, "OWN_DOMAINS: .*co.uk"),
        ({"OWN_DOMAINS": "example.com", "OWN_STATE": "s3://"}, "OWN_STATE: 's3://'"),
        (
            {"OWN_DOMAINS": "example.com", "OWN_SOURCE": "censys"},
            "OWN_SOURCE: .*'censys' is not accepted",
        ),
        (
            {"OWN_DOMAINS": "example.com", "OWN_WEBHOOK": "ftp://u:SECRET@h/SECRET"},
            "OWN_WEBHOOK: the value is not accepted",
        ),
        (
            {"OWN_DOMAINS": "example.com", "OWN_WEBHOOK_FORMAT": "discord"},
            "OWN_WEBHOOK_FORMAT: 'discord' is not accepted",
        ),
        (
            {"OWN_DOMAINS": "example.com", "OWN_CERTSPOTTER_URL": "certspotter"},
            "OWN_CERTSPOTTER_URL: the value is not accepted",
        ),
        (
            {
                "OWN_DOMAINS": "example.com",
                "OWN_STATE": "s3://bucket",
                "OWN_CERTSPOTTER_KEY": "SECRET\x07",
            },
            "OWN_CERTSPOTTER_KEY: the value is not accepted",
        ),
        ({"CTMONITOR_CONF": "/nowhere/own.conf"}, "/nowhere/own.conf"),
    ],
)
def test_settings_that_cannot_be_used_are_named(
    variables: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    with pytest.raises(ConfigError, match=sentence) as caught:
        handler({}, None)
    assert "SECRET" not in str(caught.value)


def test_a_file_without_domains_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.conf").write_text("[OWN]\nState = x\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CTMONITOR_CONF", "own.conf")
    monkeypatch.setenv("OWN_DOMAINS", "example.com")  # the file has all, or nothing
    with pytest.raises(ConfigError, match=r"own\.conf: \[OWN\] Domains is empty"):
        handler({}, None)


def test_a_directory_is_a_state_as_well(tmp_path: Path) -> None:
    """As one that a network file system brings; and what is not packed is told."""
    code = (
        "import sys\n"
        "from types import SimpleNamespace\n"
        "sys.modules['sqlalchemy'] = None\n"
        "from ctmonitor.cli.watchdomains import handler\n"
        "handler({}, SimpleNamespace(get_remaining_time_in_millis=lambda: 3000))\n"
    )
    variables = {
        "OWN_DOMAINS": "example.com",
        "OWN_STATE": str(tmp_path / "state"),
        "OWN_SOURCE": "logs",  # wants a database
    }
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert "has no sqlalchemy, which its settings need" in ended.stderr
