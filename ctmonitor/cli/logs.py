"""Where log records go: a rotating file, syslog, or standard error."""

import logging
import sys
from logging.handlers import RotatingFileHandler, SysLogHandler
from pathlib import Path

from ctmonitor.config import Config
from ctmonitor.errors import ConfigError
from ctmonitor.model.text import printable

_FILE_BYTES = 10_000_000
_FILES = 10
STANDARD_ERROR = "standard error"
_SYSLOG = Path("/dev/log")


class OneLine(logging.Formatter):
    """A record on one line, whatever a stranger put into it; tracebacks excepted."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = printable(record.message)
        return super().formatMessage(record)


def configure(config: Config, *, verbose: bool) -> str:
    """
    Set up logging; returns where it goes, in words.

    Args:
        verbose: everything from INFO on also to standard error.

    Raises:
        ConfigError: the log file cannot be written.
    """
    # A full disk must not fill the terminal with tracebacks of the logging itself.
    logging.raiseExceptions = False
    root = logging.getLogger()
    root.setLevel(min(config.log_level, logging.INFO) if verbose else config.log_level)
    handler, where = _handler(config)
    if handler is not None:
        handler.setLevel(config.log_level)
        root.addHandler(handler)
    screen = logging.StreamHandler(sys.stderr)
    to_screen_alone = handler is None
    level = config.log_level if to_screen_alone else logging.WARNING
    screen.setLevel(min(level, logging.INFO) if verbose else level)
    screen.setFormatter(OneLine("%(asctime)s %(levelname)s %(message)s"))
    root.addHandler(screen)
    _quieten_libraries()
    return where


def within_a_runtime(config: Config) -> None:
    """
    Set up logging where whoever calls us may have done it, as AWS Lambda has.

    It stays as it is but for the level; a file is not written in any case. May be
    called again.
    """
    root = logging.getLogger()
    root.setLevel(config.log_level)
    if not root.handlers:
        screen = logging.StreamHandler(sys.stderr)
        screen.setFormatter(OneLine("%(asctime)s %(levelname)s %(message)s"))
        root.addHandler(screen)
    _quieten_libraries()


def _quieten_libraries() -> None:
    # websocket-client tells again what the source says better.
    logging.getLogger("websocket").setLevel(logging.CRITICAL)
    # At DEBUG they tell secrets, paths of webhooks and tokens of AWS; at INFO, in each
    # run, where they found credentials.
    for name in ("urllib3", "botocore", "boto3"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _handler(config: Config) -> tuple[logging.Handler | None, str]:
    if config.log_type == "syslog" and _SYSLOG.exists():
        syslog = SysLogHandler(str(_SYSLOG))
        syslog.setFormatter(OneLine("certstreammonitor: %(levelname)s %(message)s"))
        return syslog, "syslog"
    if config.log_type != "file" or not config.log_file:
        return None, STANDARD_ERROR
    path = Path(config.log_file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = RotatingFileHandler(path, "a", _FILE_BYTES, _FILES, encoding="utf-8")
    except OSError as exc:
        raise ConfigError(
            f"{config.path}: [LOGGING] LogFile: {str(path)!r} cannot be written: "
            f"{exc.strerror}. Name another file, or set LogType = stderr."
        ) from exc
    file.setFormatter(OneLine("[%(levelname)s:%(name)s] %(asctime)s - %(message)s"))
    return file, str(path)
