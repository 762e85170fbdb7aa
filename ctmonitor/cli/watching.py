"""Settings become the objects of the watch over own domains."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ctmonitor.alerts.notify import Notifier
from ctmonitor.alerts.outbox import Sender
from ctmonitor.alerts.webhook import Webhook
from ctmonitor.cli import databases
from ctmonitor.cli.routes import connect_proxy
from ctmonitor.config import Config
from ctmonitor.errors import AlertError, ConfigError, FormatError, StoreError
from ctmonitor.model.clock import now_utc
from ctmonitor.model.domain import watched_domain
from ctmonitor.model.own import (
    AlertType,
    Authority,
    DomainState,
    OwnSource,
    SharedState,
)
from ctmonitor.net.client import Client
from ctmonitor.net.route import Route
from ctmonitor.net.useragent import user_agent
from ctmonitor.sources.certspotter import CertSpotter
from ctmonitor.sources.crtsh import CrtSh
from ctmonitor.sources.ownsource import Answer
from ctmonitor.watch.asking import Asking, Asks
from ctmonitor.watch.authorities import without_doubles
from ctmonitor.watch.budget import HourlyBudget
from ctmonitor.watch.judge import Policy

if TYPE_CHECKING:
    from ctmonitor.alerts.mail import Mail
    from ctmonitor.store.ownsightings import OwnSightings
    from ctmonitor.store.ownstate import StateStore
    from ctmonitor.store.store import Store
    from ctmonitor.watch.lookup import Lookup
    from ctmonitor.watch.nameservers import NameServers

_MEGABYTE = 1024 * 1024
_WEBHOOK_S = 30.0
_TRIES = 20  # times Alert_Tries
_DNS_S = 5.0
_DNS_BYTES = 1232  # DNS flag day 2020: what comes through in one piece
_SIGHTINGS = 100_000  # of a domain in one run
_FOR_DOMAIN = re.compile(r"([\w.*-]+\.[\w-]+)\s*:\s*(.+)")


def route(config: Config) -> Route:
    """The way to sources and to those who are told."""
    way = connect_proxy(config)
    return Route(way, config.scan_ca_file, trusts_system=True, use_environment=False)


def client(config: Config, timeout_s: float) -> Client:
    """
    Asks sources, once each: they have ladders of their own.

    Raises:
        ConfigError: CA_File cannot be used.
    """
    way = route(config)
    # A bad file is told now and not at the first connection. Whoever else takes this
    # way reads it at need: the authorities of a system take 25 ms.
    _ = way.tls
    return Client(
        user_agent(config.contact),
        route=way,
        timeout_s=timeout_s,
        max_bytes=config.own_max_answer_mb * _MEGABYTE,
        limited_by="[OWN] Max_Answer_MB",
        retries=0,
        threads=2,
    )


def store(config: Config) -> "Store | None":
    """
    The database, where it is needed: for the state, or for what the daemon has seen.

    Raises:
        ConfigError: it cannot be used.
    """
    if config.own_state and OwnSource.LOGS not in config.own_source:
        return None
    try:
        return databases.store(config)
    except StoreError as exc:
        raise ConfigError(str(exc)) from exc


def states(config: Config, opened: "Store | None") -> "StateStore":
    """
    Where watched domains are remembered.

    Raises:
        ConfigError: it cannot be used.
    """
    if not config.own_state:
        if opened is None:
            raise ConfigError("No database is open for the state of watched domains.")
        return opened.own_states()
    from ctmonitor.store.ownplace import open_states

    way = connect_proxy(config)
    if config.own_state.startswith("s3://") and way is not None and way.kind != "http":
        raise ConfigError(
            f"[OWN] State = {config.own_state}: S3 cannot be reached through {way}; it "
            "needs a proxy of http, or none."
        )
    try:
        return open_states(
            config.own_state,
            config.own_state_endpoint,
            # That of the environment is found by boto3, with its exceptions.
            proxy=config.connect_proxy if way is not None else "",
        )
    except StoreError as exc:
        raise ConfigError(str(exc)) from exc


class Sources:
    """
    Who is asked; open until `close`.

    Args:
        sleep: pauses; may end early.
    """

    def __init__(
        self,
        config: Config,
        timeout_s: float,
        opened: "Store | None",
        sleep: Callable[[float], object],
        stopped: Callable[[], bool],
    ) -> None:
        self._config = config
        self._client = client(config, timeout_s)
        self._sightings: OwnSightings | None = None
        if opened is not None and OwnSource.LOGS in config.own_source:
            self._sightings = opened.own_sightings()
        self._sleep = sleep
        self._stopped = stopped
        self._crtsh = CrtSh(
            self._client,
            config.own_crtsh_url,
            pause_s=config.own_crtsh_pause,
            tries=config.own_tries,
            retry_s=config.own_retry_seconds,
            sleep=sleep,
            stopped=stopped,
        )

    def close(self) -> None:
        self._client.close()

    def asking(self, shared: SharedState, states: "StateStore") -> Asking:
        """Who is asked in a run, with the budget that all runs share."""
        spotter = self._spotter(shared, states)
        asks: dict[OwnSource, Asks] = {
            OwnSource.CRTSH: lambda state, after: self._crtsh.answer(
                state.domain, known=_known_ids(state, OwnSource.CRTSH)
            ),
            OwnSource.CERTSPOTTER: lambda state, after: spotter.answer(
                state.domain, after
            ),
            OwnSource.LOGS: self._seen,
        }
        chosen = tuple(each for each in OwnSource if each in self._config.own_source)
        return Asking(asks, chosen, now_utc)

    def typosquats(
        self, shared: SharedState, states: "StateStore"
    ) -> Callable[[str], Answer]:
        """Who is asked for misspelt domains, a name at a time."""
        if OwnSource.CRTSH in self._config.own_source:
            return lambda name: self._crtsh.answer(name, exact=True)
        # Half of what the hour has is for our own domains, which may wait for no squat.
        hourly = self._config.own_certspotter_hourly
        spotter = self._spotter(shared, states, spared=hourly - hourly // 2)
        return lambda name: spotter.answer(name, exact=True)

    def _spotter(
        self, shared: SharedState, states: "StateStore", *, spared: int = 0
    ) -> CertSpotter:
        config = self._config
        return CertSpotter(
            self._client,
            config.own_certspotter_url,
            key=config.own_certspotter_key,
            budget=HourlyBudget(
                shared,
                config.own_certspotter_hourly,
                states.save_shared,
                spared=spared,
            ),
            tries=config.own_tries,
            retry_s=config.own_retry_seconds,
            certificate_url=config.own_crtsh_url,
            sleep=self._sleep,
            stopped=self._stopped,
        )

    def _seen(self, state: DomainState, after: str) -> Answer:
        """What the daemon has noted of a domain since it was taken up last."""
        if self._sightings is None:
            raise FormatError("no database", "what the daemon has seen is in one")
        number = int(after) if after.isdecimal() else 0
        # The state that says so was stored: what it holds is needed no more.
        self._sightings.forget(number, [state.domain])
        found = self._sightings.after(number, [state.domain], _SIGHTINGS)
        last = found[-1].number if found else number
        return Answer(
            OwnSource.LOGS,
            tuple(sighting.claim for sighting in found),
            position=str(last),
            # As long as there are more, a first reading is not over.
            is_complete=len(found) < _SIGHTINGS,
        )


def _known_ids(state: DomainState, source: OwnSource) -> set[str]:
    return {
        each
        for certificate in state.certificates
        if (seen := certificate.seen_by.get(source)) is not None
        for each in seen.ids
    }


def authorities(config: Config) -> list[Authority]:
    """Those of [OWN] Authorised_CAs; raises ConfigError for a domain that is none."""
    found = []
    for written in config.own_authorised_cas:
        domain = ""
        if (parts := _FOR_DOMAIN.fullmatch(written)) is not None:
            domain, written = parts.groups()
            try:
                domain = watched_domain(domain)
            except FormatError as exc:
                raise ConfigError(
                    f"{config.path}: [OWN] Authorised_CAs: {exc.detail}."
                ) from exc
        if written.isascii() and written.isdigit():
            found.append(Authority(ca_id=int(written), domain=domain))
        else:
            found.append(Authority(organisation=written, domain=domain))
    return found


def policy(config: Config, shared: SharedState) -> Policy:
    """What is held to be wrong."""
    return Policy(
        authorities=tuple(without_doubles(authorities(config), shared.authorities)),
        own_keys=frozenset(config.own_keys),
        short_lived_hours=config.own_short_lived_hours,
        normal_issuers=frozenset(config.own_normal_issuers),
        expiry_days=config.own_expiry_days,
        quiet=frozenset(map(AlertType, config.own_quiet)),
    )


def name_servers(config: Config) -> "tuple[Lookup, NameServers, Callable[[], None]]":
    """
    Who is asked for names and CAA, and what ends it; to be called in the event loop.

    Raises:
        ConfigError: no name server is known.
    """
    import dns.asyncresolver

    from ctmonitor.scan.dnsclient import DnsClient
    from ctmonitor.scan.names import system_servers
    from ctmonitor.watch.caa import Caa
    from ctmonitor.watch.lookup import Lookup
    from ctmonitor.watch.nameservers import NameServers

    if connect_proxy(config) is not None:
        lookup = Lookup(None)
        return lookup, NameServers(lookup, Caa(None)), lambda: None
    servers = config.scan_resolvers or system_servers()
    client = DnsClient(servers, _DNS_S)
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [server for server, _ in servers]
    resolver.nameserver_ports = dict(servers)
    resolver.use_edns(0, 0, _DNS_BYTES)  # long sets of CAA records without TCP
    lookup = Lookup(client)
    return lookup, NameServers(lookup, Caa(resolver, timeout_s=_DNS_S)), client.close


def destinations(config: Config) -> tuple[int, ...]:
    """The places of the notification destinations that are told of own domains."""
    return config.destinations_of("own")


def webhook_client(config: Config) -> Client:
    """Sends each message to a webhook once; the outbox sends it again."""
    return Client(
        user_agent(config.contact),
        route=route(config),
        timeout_s=_WEBHOOK_S,
        retries=0,
        threads=1,
    )


def sender(
    config: Config, states: "StateStore", client: Client, owned_by: str
) -> Sender:
    """
    Delivers what waits in the outbox of the states.

    Args:
        client: of `webhook_client`.

    Raises:
        ConfigError: a setting of a channel cannot be used.
    """
    way = connect_proxy(config)
    webhook = None
    if config.own_webhook:
        webhook = Webhook(client, config.own_webhook, config.own_webhook_format)
    return Sender(
        states.box(),
        _no_files,
        Notifier(
            [one.url for one in config.notification_destination],
            config.fallback_destination,
            proxy=way,
            ca_file=config.scan_ca_file,
        ),
        None,
        webhook=webhook,
        mail=mail(config),
        owner=owned_by,
        digest_per_minute=config.digest_per_minute,
        digest_from=config.own_digest_from,
        # Runs are rare: with the tries of the scanner, whose sender is at work each
        # minute, messages would be given up in an afternoon.
        tries=config.alert_tries * _TRIES,
    )


def mail(config: Config) -> "Mail | None":
    """
    Sends mails; None when nobody gets any.

    Raises:
        ConfigError: what a mail needs is missing.
    """
    if not config.own_email_to:
        return None
    if not config.own_smtp_host:
        raise ConfigError(
            "Mails need a mail server: give --smtp-host, or [OWN] Smtp_Host."
        )
    if len(config.own_email_from) != 1:
        raise ConfigError(
            "Mails need one sender: give --email-from, or [OWN] Email_From."
        )
    from ctmonitor.alerts.mail import Mail

    return Mail(
        config.own_smtp_host,
        config.own_smtp_port,
        config.own_smtp_user,
        config.own_smtp_pass,
        config.own_email_from[0],
        config.own_email_to,
        route=route(config),
    )


def _no_files(alerts: Sequence[Mapping[str, object]]) -> list[Path | AlertError]:
    """Nothing of own domains is written as a file for itself: the report has all."""
    return [AlertError("alerts on own domains have no files") for _ in alerts]


def pause(seconds: float, stopped: Callable[[], bool]) -> None:
    """Sleeps, in a thread, and wakes soon after a stop was asked for."""
    end = time.monotonic() + seconds
    while not stopped() and (left := end - time.monotonic()) > 0:
        time.sleep(min(0.2, left))
