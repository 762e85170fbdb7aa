"""Settings become the objects of the scanner: what visits, enriches, stores, tells."""

import asyncio
import gc
import importlib
import random
import secrets
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ctmonitor.alerts.hook import Hook
from ctmonitor.alerts.jsonfile import AlertFiles
from ctmonitor.alerts.notify import Notifier
from ctmonitor.alerts.outbox import Box, Sender
from ctmonitor.alerts.record import alert_record
from ctmonitor.config import Config
from ctmonitor.errors import ConfigError
from ctmonitor.followup.schedule import Schedule
from ctmonitor.followup.telling import Telling
from ctmonitor.model.clock import now_utc
from ctmonitor.model.finding import HostDetail
from ctmonitor.model.followup import EventKind
from ctmonitor.net.client import Client
from ctmonitor.net.route import Proxy, Route
from ctmonitor.net.useragent import user_agent
from ctmonitor.scan.base import Enricher
from ctmonitor.scan.guard import Guard
from ctmonitor.scan.memory import Memory
from ctmonitor.scan.names import Names
from ctmonitor.scan.safebrowsing import SafeBrowsingEnricher
from ctmonitor.scan.visitor import Limits, SiteVisitor

if TYPE_CHECKING:
    from ctmonitor.store.queries import Reader

_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
_COLLECT_EVERY = 50_000  # objects more than before; some 10 MB
_LOOKUP = "/v4/threatMatches:find"


def owner() -> str:
    """A name for this run in leases, unlike any other's."""
    return f"{socket.gethostname()}-{secrets.token_hex(8)}"


def user_agents(config: Config) -> Callable[[], str]:
    """
    A User-Agent for a visit: at random out of UAfile, else http_UA.

    Raises:
        ConfigError: UAfile cannot be read.
    """
    agents = [config.http_ua or _BROWSER]
    if config.ua_file:
        try:
            text = Path(config.ua_file).read_text("utf-8", "replace")
        except OSError as exc:
            raise ConfigError(
                f"{config.path}: [CONNECT] UAfile: {config.ua_file!r} cannot be read: "
                f"{exc.strerror}. Name a file with one User-Agent a line, or remove it."
            ) from exc
        lines = [line.strip() for line in text.splitlines()]
        usable = [line for line in lines if line.isprintable() and 0 < len(line) < 500]
        agents = usable or agents
    return lambda: random.choice(agents)  # noqa: S311  no secret


def visitor(config: Config, way: Proxy | None) -> SiteVisitor:
    """Visits hosts; raises ConfigError for settings that cannot be used."""
    names = None
    if way is None:
        names = Names(config.scan_resolvers, timeout_s=config.scan_connect_timeout)
    return SiteVisitor(
        names,
        Guard([ip_network(network) for network in config.scan_allow_private]),
        user_agent=user_agents(config),
        limits=Limits(
            config.scan_host_timeout,
            config.scan_connect_timeout,
            config.scan_body_bytes,
        ),
        https_ports=config.scan_https_ports,
        http_ports=config.scan_http_ports,
        proxy=way,
        ca_file=config.scan_ca_file,
        wants_icons=config.scan_favicon,
    )


def client(config: Config, way: Proxy | None) -> Client:
    """Asks registries and services, under our own name."""
    route = Route(way, config.scan_ca_file, trusts_system=True, use_environment=False)
    return Client(user_agent(config.contact), route=route)


def enrichers(
    config: Config, way: Proxy | None, asks: Client, memory: Memory
) -> list[Enricher]:
    """All that is switched on, in the order of the alert."""
    result: list[Enricher] = []
    # What is switched off need not be loaded.
    if config.enrich_asn:
        import dns.asyncresolver

        from ctmonitor.scan.asn import REGISTRY_URLS, NetworkEnricher
        from ctmonitor.scan.asnfile import NetworkFile

        resolver = None
        if way is None:
            resolver = dns.asyncresolver.Resolver(configure=not config.scan_resolvers)
            if config.scan_resolvers:
                resolver.nameservers = [server for server, _ in config.scan_resolvers]
                resolver.nameserver_ports = dict(config.scan_resolvers)
        registry = config.enrich_rdap_ip_url
        if registry and not registry.endswith("/"):
            registry += "/"
        result.append(
            NetworkEnricher(
                memory,
                now_utc,
                asks,
                resolver,
                file=(
                    NetworkFile(Path(config.enrich_mmdb_file))
                    if config.enrich_mmdb_file
                    else None
                ),
                servers=dict.fromkeys(REGISTRY_URLS, registry) if registry else None,
            )
        )
    if config.enrich_domain:
        from ctmonitor.scan.domain import RegistrationEnricher

        source = config.enrich_rdap_bootstrap
        is_address = urlsplit(source).scheme in ("http", "https")
        result.append(
            RegistrationEnricher(
                memory, now_utc, asks, source=source if is_address else Path(source)
            )
        )
    result.append(
        SafeBrowsingEnricher(
            memory,
            now_utc,
            asks,
            config.safe_browsing_api_key,
            api_url=config.safe_browsing_api_url.rstrip("/").removesuffix(_LOOKUP),
            per_day=config.safe_browsing_daily_budget,
        )
    )
    return result


def schedule(config: Config) -> Schedule:
    """When hosts are visited."""
    return Schedule(
        shortest=timedelta(minutes=config.scan_first_minutes),
        longest=timedelta(hours=config.scan_longest_hours),
        revisit=timedelta(hours=config.scan_revisit_hours),
        follow=timedelta(days=config.alert_monitor_timelapse),
    )


def notifier(config: Config, way: Proxy | None) -> Notifier:
    """Sends notifications to the destinations of [REPORTING]."""
    return Notifier(
        [one.url for one in config.notification_destination],
        config.fallback_destination,
        proxy=way,
        ca_file=config.scan_ca_file,
    )


def telling(config: Config, reader: "Reader") -> Telling:
    """What is told of a visit, and through how many channels."""

    def details(hosts: Sequence[str]) -> Mapping[str, HostDetail]:
        return {detail.host.domain: detail for detail in reader.named(hosts)}

    told = EventKind if config.notify_on in ("up", "both") else ()
    return Telling(
        record=alert_record,
        details=details,
        events=frozenset({EventKind.UP, *map(EventKind, config.alert_on)}),
        destinations={event: config.destinations_of(event) for event in told},
        has_hook=bool(config.hook),
    )


def sender(
    config: Config,
    box: Box,
    way: Proxy | None,
    owned_by: str,
    on_file: Callable[[Path, Mapping[str, object]], None],
    *,
    fqdn_dirs: bool,
) -> Sender:
    """Delivers what is in the outbox."""
    hook = Hook(config.hook, timeout_s=config.hook_timeout) if config.hook else None
    return Sender(
        box,
        AlertFiles(config.alerts_dir, fqdn_dirs=fqdn_dirs).write,
        notifier(config, way),
        hook,
        owner=owned_by,
        digest_per_minute=config.digest_per_minute,
        tries=config.alert_tries,
        on_file=on_file,
    )


def run(work: Coroutine[Any, Any, int]) -> int:
    """What `work` gives, on the loop of `uvloop` where that is installed."""
    # What was loaded stays, and what a visit leaves is freed without the collector:
    # it would look at everything again and again, for a tenth of all the work.
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY)
    try:
        new_loop = importlib.import_module("uvloop").new_event_loop
    except ImportError:
        new_loop = None
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.get_loop().set_exception_handler(_note)
        return runner.run(work)


def _note(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """
    Logs what the event loop can tell nobody.

    Not that a connection was closed: uvloop says so, with a traceback, of TLS that gets
    an answer in the moment in which a visit gives it up.
    """
    transport = context.get("transport")
    if transport is None or not transport.is_closing():
        loop.default_exception_handler(context)
