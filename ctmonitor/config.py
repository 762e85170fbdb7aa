"""The settings in force: an INI file, checked against `ctmonitor.settings`."""

import logging
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ctmonitor import advice, ini
from ctmonitor.addresses import (
    MASK,
    Destination,
    masked_destination,
    masked_service,
    masked_url,
)
from ctmonitor.errors import ConfigError
from ctmonitor.model.text import printable
from ctmonitor.problems import Problems
from ctmonitor.settings import LOG_LEVELS, SECTIONS, SETTINGS, Kind, Setting
from ctmonitor.sources.start import Start
from ctmonitor.values import Reading, parse, reading

__all__ = ["Config", "describe", "load", "masked_url"]


@dataclass(frozen=True, slots=True)
class Config:
    """
    Settings in force, one field for each row of the table, in its order.

    Texts, paths, addresses and lists that are absent are empty; `proxy_port` is None.
    Numbers have the unit of their row. Paths stand as in the file, relative to the
    working directory. Fields that may hold a secret are left out of repr(); for a
    person, use `describe`.

    Args:
        path: the file.
        weights: by key of [WEIGHTS].
        warnings: what is odd about the file and does not stop anything.
        from_environment: fields of which the value holds environment variables.
        from_secret: fields into which `%(Key)s` brought the value of a secret setting.
    """

    path: Path
    search_keywords: str
    blacklist_keywords: str
    detection_threshold: int
    regex_file: str
    allow_file: str
    brand_file: str
    popular_file: str
    popular_ranks: int
    alert_score: int
    weights: Mapping[str, float]
    source: frozenset[str]
    replay_file: str
    stall_seconds: float
    stale_minutes: float
    queue_messages: int
    max_message_mb: int
    retry_first_seconds: float
    max_retry_seconds: float
    failover_minutes: float
    log_list: str = field(repr=False)
    log_list_key: str
    cache_dir: str
    logs: tuple[str, ...]
    exclude_logs: tuple[str, ...]
    start: Start
    poll_seconds: float
    max_requests: int
    max_requests_operator: int
    verify: bool
    evidence_dir: str
    contact: str
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
    keep_days: int
    log_file: str
    log_level: int
    log_type: str
    alerts_dir: str
    export_file: str
    alert_monitor_timelapse: int
    notification_destination: tuple[Destination, ...]
    fallback_destination: str = field(repr=False)
    notify_on: str
    notify_tags: tuple[tuple[str, tuple[str, ...]], ...]
    alert_on: frozenset[str]
    digest_per_minute: int
    alert_tries: int
    hook: tuple[str, ...] = field(repr=False)
    hook_timeout: float
    heartbeat_url: str = field(repr=False)
    connect_proxy: str = field(repr=False)
    http_ua: str
    ua_file: str
    scan_resolvers: tuple[tuple[str, int], ...]
    scan_allow_private: tuple[str, ...]
    scan_concurrency: int
    scan_host_timeout: float
    scan_connect_timeout: float
    scan_run_timeout: float
    scan_ca_file: str
    scan_body_bytes: int
    scan_https_ports: tuple[int, ...]
    scan_http_ports: tuple[int, ...]
    scan_favicon: bool
    scan_revisit_hours: float
    scan_first_minutes: float
    scan_longest_hours: float
    enrich_asn: bool
    enrich_mmdb_file: str
    enrich_rdap_ip_url: str = field(repr=False)
    enrich_domain: bool
    enrich_rdap_bootstrap: str = field(repr=False)
    safe_browsing_api_key: str = field(repr=False)
    safe_browsing_api_url: str = field(repr=False)
    safe_browsing_daily_budget: int
    own_domains: tuple[str, ...]
    own_source: frozenset[str]
    own_crtsh_url: str = field(repr=False)
    own_crtsh_pause: float
    own_certspotter_url: str = field(repr=False)
    own_certspotter_key: str = field(repr=False)
    own_certspotter_hourly: int
    own_retry_seconds: float
    own_tries: int
    own_max_answer_mb: int
    own_authorised_cas: tuple[str, ...]
    own_keys: tuple[str, ...]
    own_short_lived_hours: float
    own_normal_issuers: tuple[str, ...]
    own_expiry_days: tuple[int, ...]
    own_quiet: frozenset[str]
    own_webhook: str = field(repr=False)
    own_webhook_format: str
    own_smtp_host: str
    own_smtp_port: int
    own_smtp_user: str
    own_smtp_pass: str = field(repr=False)
    own_email_from: tuple[str, ...]
    own_email_to: tuple[str, ...]
    own_digest_from: int
    own_state: str
    own_state_endpoint: str = field(repr=False)
    warnings: tuple[str, ...] = ()
    from_environment: frozenset[str] = frozenset()
    from_secret: frozenset[str] = frozenset()

    def value(self, setting: Setting) -> Any:
        """The value of one row of the table."""
        name, dot, key = setting.attribute.partition(".")
        value = getattr(self, name)
        return value[key] if dot else value

    def destinations_of(self, kind: str) -> tuple[int, ...]:
        """
        The destinations that are told of a kind of message: their places, from 0.

        Args:
            kind: as in Notify_Tags.
        """
        wanted = dict(self.notify_tags).get(kind)
        return tuple(
            place
            for place, one in enumerate(self.notification_destination)
            if wanted is None or not one.tags or not set(wanted).isdisjoint(one.tags)
        )


def load(
    path: str | Path,
    environ: Mapping[str, str],
    *,
    needs_source: bool = True,
    needs_rules: bool = True,
) -> Config:
    """
    The settings in the file at `path`.

    Args:
        environ: what `${NAME}` in a value is replaced from.
        needs_source: whether a file without ACTServer or Replay_File is refused.
        needs_rules: whether a file without SearchKeywords and other rules is refused.

    Raises:
        ConfigError: with all problems of the file, in the order of its lines, warnings
            among them; values of secret settings and of variables are never shown.
    """
    path = Path(path)
    problems = Problems(path)
    file = ini.read(path, problems)
    readings = {s.attribute: _reading(s, file, environ, problems) for s in SETTINGS}
    advice.check_looks(readings, problems)
    advice.check_required(
        readings, problems, needs_source=needs_source, needs_rules=needs_rules
    )
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
        **_fields(found),
    )


def _fields(found: Iterable[Reading]) -> dict[str, Any]:
    """The values by field of `Config`."""
    fields: dict[str, Any] = {}
    for each in found:
        name, dot, key = each.setting.attribute.partition(".")
        if dot:
            fields.setdefault(name, {})[key] = each.value
        else:
            fields[name] = each.value
    return fields


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
    value = config.value(setting)
    if value is None or value in ("", (), frozenset()):
        return ""
    parts = value if isinstance(value, tuple) else (value,)
    if setting.kind is Kind.SERVICE:
        return masked_service(value)
    if setting.kind is Kind.SERVICES:
        return " ".join(map(masked_destination, parts))
    if setting.secret or setting.attribute in config.from_secret:
        return MASK
    # A variable in an address or a command is there for its secret, wherever it stands.
    is_from_environment = setting.attribute in config.from_environment
    if setting.kind is Kind.COMMAND:
        return MASK if is_from_environment else shlex.join(parts)
    if setting.holds_secret:
        path = not (is_from_environment or setting.secret_path)
        return " ".join(_address(address, path=path) for address in parts)
    if setting.kind is Kind.LOG_LEVEL:
        name = logging.getLevelName(value)
        return name if name in LOG_LEVELS else str(value)
    if setting.kind is Kind.RESOLVERS:
        return " ".join(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            for host, port in parts
        )
    if setting.kind is Kind.LOGS:
        return ", ".join(value)
    if setting.kind is Kind.ROUTES:
        return " ".join(f"{kind}={','.join(tags)}" for kind, tags in parts)
    if setting.kind is Kind.WORDS:
        return " ".join(word for word in setting.choices if word in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return " ".join(map(str, parts))


def _address(address: str, *, path: bool) -> str:
    """An address without its secrets; the name of a file, which has none, as it is."""
    return masked_url(address, path=path) if "://" in address else address
