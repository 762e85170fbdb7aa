"""Settings become the objects of the daemon: rules, sources, and how to reach them."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from ctmonitor.config import Config
from ctmonitor.errors import ConfigError
from ctmonitor.model.batch import Cursor
from ctmonitor.net.route import Proxy, Route
from ctmonitor.rules.ruleset import Rules, RuleSet
from ctmonitor.sources.base import Scanner, Source
from ctmonitor.sources.certstream import CertstreamSource, Feed, shown
from ctmonitor.sources.message import MARKS
from ctmonitor.sources.replay import ReplaySource


def rules(config: Config) -> RuleSet:
    """The rules of [SEARCH]."""
    return RuleSet(
        Rules(
            config.search_keywords,
            config.blacklist_keywords,
            config.detection_threshold,
        )
    )


def scanner(ruleset: RuleSet) -> Scanner | None:
    """The prefilter for messages of a feed; None when it steps aside."""
    return ruleset.prefilter(MARKS)


def route(config: Config) -> Route:
    """
    How feeds are reached: [SERVER] Proxy_*, else [CONNECT] Proxy, else the environment.

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


def source(
    config: Config,
    filtered_by: Scanner | None,
    resume: Cursor | None,
    on_progress: Callable[[int], None] | None = None,
) -> Source:
    """
    The source that [SOURCES] names.

    Raises:
        ConfigError: it names a file that is not there, or authorities that are none.
    """
    max_bytes = config.max_message_mb * 1024 * 1024
    if config.source == "replay":
        path = replay_file(config)
        return ReplaySource(path, filtered_by, max_bytes, on_progress)
    feed = Feed(
        addresses=config.act_servers,
        stall_s=config.stall_seconds,
        stale_s=config.stale_minutes * 60,
        queue_messages=config.queue_messages,
        max_message_bytes=max_bytes,
        retry_first_s=config.retry_first_seconds,
        max_pause_s=config.max_retry_seconds,
    )
    return CertstreamSource(feed, route(config), filtered_by, resume)


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
    if config.source == "replay":
        replay_file(config)
        return
    way = route(config)
    for address in config.act_servers:
        parts = urlsplit(address)
        # A proxy of the environment that cannot be read is told now, too.
        way.proxy_for(parts.hostname or "", secure=parts.scheme == "wss")


def describe(config: Config, ruleset: RuleSet) -> list[str]:
    """What a run works with, a line each (keywords, threshold, source, database)."""
    blocked = "set" if config.blacklist_keywords else "empty, blocks nothing"
    lines = [
        ruleset.describe(),
        f"keywords: {len(ruleset)}, BlacklistKeywords: {blocked}",
    ]
    if config.source == "replay":
        lines.append(f"source: replay of {config.replay_file}")
    else:
        feeds = ", ".join(shown(address) for address in config.act_servers)
        lines.append(
            f"source: certstream {feeds} (connects anew after "
            f"{config.stall_seconds:g} s of silence, queue of "
            f"{config.queue_messages} messages)"
        )
        if (proxy := route(config).proxy) is not None:
            lines.append(f"proxy: {proxy}")
    if unfilterable := ruleset.unfilterable:
        lines.append(
            "note: every message is parsed, because no text is known that must occur "
            f"in what these match: {', '.join(unfilterable[:5])}"
            + (" ..." if len(unfilterable) > 5 else "")
        )
    return lines
