"""Settings become the objects of the daemon: sources, and how to reach them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ctmonitor.cli import logreading
from ctmonitor.cli.logreading import LogReading
from ctmonitor.config import Config, masked_url
from ctmonitor.errors import ConfigError
from ctmonitor.model.batch import Cursor
from ctmonitor.net import useragent
from ctmonitor.net.route import Proxy, Route
from ctmonitor.rules.ruleset import RuleSet
from ctmonitor.sources.base import Scanner, Source
from ctmonitor.sources.both import BothSources
from ctmonitor.sources.certstream import CertstreamSource, Feed, shown
from ctmonitor.sources.entryscreen import LEAF_MARKS, ODD_NAMES
from ctmonitor.sources.failover import FailoverSource
from ctmonitor.sources.logcursor import LogCursor
from ctmonitor.sources.message import MARKS
from ctmonitor.sources.replay import ReplaySource

_DOMAINS_SHOWN = 5


def reads_feed(config: Config) -> bool:
    """Whether a certstream feed is read."""
    return not config.source or "certstream" in config.source


def fails_over(config: Config) -> bool:
    """Whether the logs are read in the place of a feed that is gone."""
    return not config.source and config.failover_minutes > 0


def reads_logs(config: Config) -> bool:
    """Whether the logs are read, now or in the place of a feed that is gone."""
    return "logs" in config.source or fails_over(config)


def scanner(config: Config, ruleset: RuleSet) -> Scanner | None:
    """The prefilter for what the sources bring; None when it steps aside."""
    marks: list[bytes] = []
    odd: tuple[bytes, ...] = ()
    # Each source has its own: in DER the two bytes of a feed's come by chance.
    if reads_logs(config):
        marks += LEAF_MARKS
        odd = ODD_NAMES
    if reads_feed(config) or "replay" in config.source:
        marks += MARKS
    return ruleset.prefilter(marks, odd)


def user_agent(config: Config) -> str:
    """What logs and services that are asked see of us."""
    return useragent.user_agent(config.contact)


def route(config: Config) -> Route:
    """
    The way to feeds and logs: [SERVER] Proxy_*, else [CONNECT] Proxy, else the
    environment's.

    Raises:
        ConfigError: CA_File cannot be used.
    """
    proxy = None
    if config.proxy_host:
        proxy = Proxy(
            config.proxy_type,
            config.proxy_host,
            config.proxy_port or 0,
            config.proxy_username,
            config.proxy_password,
        )
    elif config.connect_proxy:
        proxy = Proxy.from_url(config.connect_proxy)
    result = Route(proxy, config.ca_file)
    _ = result.tls  # a bad CA_File is told now and not at the first connection
    return result


def log_reading(
    config: Config,
    resume: Mapping[str, LogCursor],
    say: Callable[[str], None],
    *,
    once: bool = False,
    keeps: bool = True,
) -> LogReading:
    """The logs of [SOURCES]; see `LogReading`."""
    return LogReading(
        config,
        route(config),
        user_agent(config),
        resume,
        say,
        once=once,
        keeps=keeps,
    )


def source(
    config: Config,
    filtered_by: Scanner | None,
    resume: Cursor | None,
    logs: LogReading | None,
    on_progress: Callable[[int], None] | None = None,
) -> Source:
    """
    The source that [SOURCES] names.

    Args:
        resume: of the feed.
        logs: as `log_reading` gives them where `reads_logs`; None leaves them out.

    Raises:
        ConfigError: it names a file that is not there, or authorities that are none.
    """
    max_bytes = config.max_message_mb * 1024 * 1024
    if "replay" in config.source:
        path = replay_file(config)
        return ReplaySource(path, filtered_by, max_bytes, on_progress)
    if logs is not None and (logs.is_once or not reads_feed(config)):
        return logs.begin({}, filtered_by)
    feed = Feed(
        addresses=config.act_servers,
        stall_s=config.stall_seconds,
        stale_s=config.stale_minutes * 60,
        queue_messages=config.queue_messages,
        max_message_bytes=max_bytes,
        retry_first_s=config.retry_first_seconds,
        max_pause_s=config.max_retry_seconds,
    )
    reader = CertstreamSource(feed, route(config), filtered_by, resume)
    if logs is None:
        return reader
    if fails_over(config):
        after_s = config.failover_minutes * 60
        return FailoverSource(reader, logs.begin, filtered_by, after_s)
    return BothSources(reader, logs.begin({}, filtered_by))


def replay_file(config: Config) -> Path:
    """The file to be replayed; raises ConfigError when it cannot be read."""
    path = Path(config.replay_file)
    try:
        with path.open("rb"):
            return path
    except OSError as exc:
        raise ConfigError(
            f"{config.path}: [SOURCES] Replay_File: {str(path)!r} cannot be read: "
            f"{exc.strerror}. Name a file of recorded messages, one JSON object a line."
        ) from exc


def check(config: Config) -> None:
    """
    Raises ConfigError when what the settings point at is unusable; connects nowhere.
    """
    if "replay" in config.source:
        replay_file(config)
        return
    if reads_logs(config):
        logreading.check(config)
    way = route(config)
    for address in config.act_servers:
        parts = urlsplit(address)
        # A proxy of the environment that cannot be read is told now, too.
        way.proxy_for(parts.hostname or "", secure=parts.scheme == "wss")


def log_list(config: Config) -> str:
    """Which list of logs is used, in words without secrets."""
    is_address = "://" in config.log_list
    return masked_url(config.log_list) if is_address else config.log_list


def own_domains(config: Config) -> list[str]:
    """What becomes of certificates for own domains, in a line; empty without any."""
    if not config.own_domains:
        return []
    some = ", ".join(config.own_domains[:_DOMAINS_SHOWN])
    more = len(config.own_domains) - _DOMAINS_SHOWN
    line = f"own domains: {some}" + (f" and {more} more" if more > 0 else "")
    line += "; what is seen of them is kept for watchdomains.py"
    if "logs" not in config.own_source:
        line += ", which takes it up with [OWN] Source = logs"
    return [line]


def describe(config: Config, ruleset: RuleSet, files: Sequence[str]) -> list[str]:
    """
    What a run works with, a line each (rules, thresholds, source).

    Args:
        files: a line for each file of rules.
    """
    blocked = "set" if config.blacklist_keywords else "empty, blocks nothing"
    lines = [
        ruleset.describe(),
        f"keywords: {len(ruleset)}, BlacklistKeywords: {blocked}",
        *files,
    ]
    if ruleset.rules.brands:
        lines.append(f"look-alikes: findings from a score of {config.alert_score} on")
    lines += own_domains(config)
    if "replay" in config.source:
        lines.append(f"source: replay of {config.replay_file}")
    if reads_feed(config):
        feeds = ", ".join(shown(address) for address in config.act_servers)
        lines.append(
            f"source: certstream {feeds} (connects anew after "
            f"{config.stall_seconds:g} s of silence, queue of "
            f"{config.queue_messages} messages)"
        )
    if fails_over(config):
        lines.append(
            f"source: logs, when no feed could be read for "
            f"{config.failover_minutes:g} minutes, by {log_list(config)}"
        )
    elif reads_logs(config):
        lines.append(
            f"source: logs of {log_list(config)} (new ones from Start = "
            f"{config.start}, asked each {config.poll_seconds:g} s, "
            f"{'verified' if config.verify else 'NOT verified'})"
        )
    if "replay" not in config.source and (proxy := route(config).proxy) is not None:
        lines.append(f"proxy: {proxy}")
    if unfilterable := ruleset.unfilterable:
        lines.append(
            "note: every message is parsed, because no text is known that must occur "
            f"in what these match: {', '.join(unfilterable[:5])}"
            + (" ..." if len(unfilterable) > 5 else "")
        )
    return lines
