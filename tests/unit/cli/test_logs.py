"""Where log records go."""

import logging
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ctmonitor.cli import logs
from ctmonitor.config import Config, load
from ctmonitor.errors import ConfigError


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "x.conf"
    path.write_text("[SEARCH]\nSearchKeywords = x\n[SERVER]\nACTServer = ws://h/\n")
    return load(path, {})


@pytest.fixture(autouse=True)
def _root_logger_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers, raising = root.level, root.handlers[:], logging.raiseExceptions
    libraries = ["websocket", "urllib3", "botocore", "boto3"]
    levels = {name: logging.getLogger(name).level for name in libraries}
    yield
    for handler in root.handlers[:]:
        if handler not in handlers:
            root.removeHandler(handler)
            handler.close()
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    logging.raiseExceptions = raising


def test_syslog_gets_one_line_a_record(
    tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path / "log"
    monkeypatch.setattr(logs, "_SYSLOG", device)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(device))
        receiver.settimeout(10)
        where = logs.configure(replace(config, log_type="syslog"), verbose=False)
        assert where == "syslog"
        logging.getLogger("a.b").warning("a host: %s", "x\n\x1b[2J")
        datagram = receiver.recv(4096)
    assert b"certstreammonitor: WARNING a host: x\\x0a\\x1b[2J" in datagram


@pytest.mark.parametrize(
    ("log_type", "log_file"), [("syslog", ""), ("stderr", "x.log"), ("file", "")]
)
def test_without_anything_else_it_is_standard_error(
    tmp_path: Path,
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    log_type: str,
    log_file: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logs, "_SYSLOG", tmp_path / "absent")
    chosen = replace(config, log_type=log_type, log_file=log_file)
    assert logs.configure(chosen, verbose=False) == "standard error"
    logging.getLogger("a.b").info("seen")
    logging.getLogger("a.b").debug("not seen")
    assert capsys.readouterr().err.count("seen") == 1
    assert not (tmp_path / "x.log").exists()


def test_beside_a_file_only_warnings_are_shown(
    tmp_path: Path, config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new" / "x.log"
    chosen = replace(config, log_type="file", log_file=str(path), log_level=10)
    assert logs.configure(chosen, verbose=False) == str(path)
    for level in (logging.DEBUG, logging.INFO, logging.WARNING):
        logging.getLogger("a.b").log(level, "level %d", level)
    shown = capsys.readouterr().err
    assert [number for number in (10, 20, 30) if f"level {number}" in shown] == [30]
    written = path.read_text()
    assert [n for n in (10, 20, 30) if f"level {n}" in written] == [10, 20, 30]
    assert "[WARNING:a.b] " in written


def test_a_log_file_that_cannot_be_written_is_a_setting_to_be_changed(
    tmp_path: Path, config: Config
) -> None:
    path = tmp_path / "x.conf" / "x.log"
    chosen = replace(config, log_type="file", log_file=str(path))
    with pytest.raises(ConfigError, match=r"\[LOGGING\] LogFile: .*LogType = stderr"):
        logs.configure(chosen, verbose=False)


def test_libraries_do_not_tell_addresses_that_are_secrets(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(
        replace(config, log_type="stderr", log_level=logging.DEBUG), verbose=True
    )
    logging.getLogger("urllib3.connectionpool").debug("POST /services/SECRET")
    logging.getLogger("botocore.auth").debug("x-amz-security-token:SECRET")
    logging.getLogger("ctmonitor").debug("ours")
    err = capsys.readouterr().err
    assert "ours" in err
    assert "SECRET" not in err


def test_a_runtime_keeps_its_own_handlers(
    config: Config, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    before = logging.getLogger().handlers[:]
    to_file = replace(config, log_file=str(tmp_path / "x.log"), log_level=logging.INFO)
    for _ in range(2):  # a warm start
        logs.within_a_runtime(to_file)
    assert logging.getLogger().handlers == before
    assert logging.getLogger().level == logging.INFO
    assert not (tmp_path / "x.log").exists()


def test_without_a_handler_of_a_runtime_it_is_standard_error(
    config: Config, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    for _ in range(2):
        logs.within_a_runtime(replace(config, log_type="file"))
    logging.getLogger("a").error("once\n")
    assert capsys.readouterr().err.endswith(" ERROR once\\x0a\n")
    assert len(logging.getLogger().handlers) == 1
