"""The settings in force: an INI file, checked against `ctmonitor.settings`."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ctmonitor import advice, ini
from ctmonitor.addresses import MASK, masked_services, masked_url
from ctmonitor.errors import ConfigError
from ctmonitor.model.text import printable
from ctmonitor.problems import Problems
from ctmonitor.settings import LOG_LEVELS, SECTIONS, SETTINGS, Kind, Setting
from ctmonitor.values import Reading, parse, reading

__all__ = ["Config", "describe", "load", "masked_url"]


@dataclass(frozen=True, slots=True)
class Config:
    """
    Settings in force, one field for each row of the table, in its order.

    Texts, paths and addresses that are absent are empty; `proxy_port` is None. Paths
    stand as in the file, relative to the working directory. Fields that may hold a
    secret are left out of repr(); for a person, use `describe`.

    Args:
        path: the file.
        warnings: what is odd about the file and does not stop anything.
        from_environment: fields of which the value holds environment variables.
        from_secret: fields into which `%(Key)s` brought the value of a secret setting.
    """

    path: Path
    search_keywords: str
    blacklist_keywords: str
    detection_threshold: int
    source: str
    replay_file: str
    stall_seconds: float
    stale_minutes: float
    queue_messages: int
    max_message_mb: int
    retry_first_seconds: float
    max_retry_seconds: float
    act_servers: tuple[str, ...] = field(repr=False)
    proxy_host: str
    proxy_port: int | None
    proxy_username: str
    proxy_password: str = field(repr=False)
    proxy_type: str
    ca_file: str
    db_file: str
    table_name: str
    database_url: str = field(repr=False)
    log_file: str
    log_level: int
    log_type: str
    alerts_dir: str
    alert_monitor_timelapse: int
    notification_destination: str = field(repr=False)
    connect_proxy: str = field(repr=False)
    http_ua: str
    ua_file: str
    safe_browsing_api_key: str = field(repr=False)
    warnings: tuple[str, ...] = ()
    from_environment: frozenset[str] = frozenset()
    from_secret: frozenset[str] = frozenset()


def load(
    path: str | Path, environ: Mapping[str, str], *, needs_source: bool = True
) -> Config:
    """
    The settings in the file at `path`.

    Args:
        environ: what `${NAME}` in a value is replaced from.
        needs_source: whether a file without ACTServer or Replay_File is refused.

    Raises:
        ConfigError: with all problems of the file, in the order of its lines, warnings
            among them; values of secret settings and of variables are never shown.
    """
    path = Path(path)
    problems = Problems(path)
    file = ini.read(path, problems)
    readings = {s.key: _reading(s, file, environ, problems) for s in SETTINGS}
    advice.check_looks(readings, problems)
    advice.check_required(readings, problems, needs_source=needs_source)
    advice.check_combinations(readings, problems)
    advice.check_unknown(file, problems)
    if problems.has_errors:
        raise ConfigError(problems.all())
    found = readings.values()
    return Config(
        path=path,
        warnings=problems.all(),
        from_environment=frozenset(
            r.setting.attribute for r in found if r.is_from_environment
        ),
        from_secret=frozenset(r.setting.attribute for r in found if r.is_secret),
        **{r.setting.attribute: r.value for r in found},
    )


def _reading(
    setting: Setting,
    file: ini.IniFile,
    environ: Mapping[str, str],
    problems: Problems,
) -> Reading:
    """What the file says; after a problem the default, so that reading goes on."""
    try:
        return reading(setting, file, environ)
    except ConfigError as exc:
        entry = file.entry(setting.section, setting.key)
        for problem in exc.problems:
            problems.error(
                None if entry is None else entry.line,
                f"[{setting.section}] {setting.key}: {problem}",
            )
        default = parse(setting, setting.default)
        return Reading(setting, default, entry, is_refused=True)


def describe(config: Config) -> list[str]:
    """
    What is in force as `[SECTION]` and `Key = value` lines, secrets masked.
    """
    lines: list[str] = []
    for section in SECTIONS:
        lines.append(f"[{section}]")
        for setting in SETTINGS:
            if setting.section == section:
                shown = printable(_shown(setting, config))
                lines.append(f"{setting.key} = {shown}".rstrip())
    return lines


def _shown(setting: Setting, config: Config) -> str:
    value = getattr(config, setting.attribute)
    if value is None or value == "" or value == ():
        return ""
    if setting.kind is Kind.APPRISE:
        return masked_services(value)
    if setting.secret or setting.attribute in config.from_secret:
        return MASK
    if setting.holds_secret:
        # A variable in an address is there for its secret, wherever that stands.
        path = setting.attribute not in config.from_environment
        addresses = value if isinstance(value, tuple) else (value,)
        return " ".join(masked_url(address, path=path) for address in addresses)
    if setting.kind is Kind.LOG_LEVEL:
        name = logging.getLevelName(value)
        return name if name in LOG_LEVELS else str(value)
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value)
