"""
A visit to a host as a browser would make it: https, else http, and where they lead.

Up is who gives an HTTP answer of any status. Where https says nothing for a while,
http is asked beside it, since most hosts that are dead are dead by silence; an answer
over https is preferred as long as it may come.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Self

from yarl import URL

from ctmonitor.model.clock import now_utc
from ctmonitor.model.site import Dns, DnsState, Presence, SiteReport
from ctmonitor.net.route import Proxy
from ctmonitor.scan.dialer import TIMEOUT, Dialer, VisitFailure
from ctmonitor.scan.guard import Guard, literal_address
from ctmonitor.scan.names import Names, ascii_host
from ctmonitor.scan.session import Session, dns_failure
from ctmonitor.scan.trail import Trail
from ctmonitor.scan.transport import Transport

_log = logging.getLogger(__name__)

_BEGIN_AT_ONCE = 8  # some milliseconds of work
_HEAD_START = 0.2  # of the time to connect, before http is asked beside https
_NOT_ASKED = Dns(DnsState.NOT_APPLICABLE, detail="the proxy resolves names")
_NOT_IN_TIME = Dns(DnsState.TIMEOUT, detail="the time for the host was over")
_TELLING = (Presence.DOWN, Presence.UNKNOWN, Presence.UP)


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What one host may cost.

    Args:
        host_timeout_s: for everything, DNS and redirects included.
        connect_timeout_s: for one connection: TCP, proxy and TLS.
        body_bytes: of a body after decoding; also of an icon.
    """

    host_timeout_s: float = 15.0
    connect_timeout_s: float = 5.0
    body_bytes: int = 512 * 1024


class SiteVisitor:
    """
    Visits hosts; see `scan.base.Visitor`. An async context manager.

    Args:
        names: asked for addresses; not used with a proxy, which resolves names itself.
        guard: judges every address and redirect; the ports below are added to its own.
        user_agent: called once for each host.
        proxy: carries every connection.
        ca_file: PEM file of authorities that are trusted beside the system's.
        wants_icons: whether the icon of a page is asked for.

    Raises:
        ConfigError: `ca_file` cannot be used.
    """

    def __init__(
        self,
        names: Names | None,
        guard: Guard,
        *,
        user_agent: Callable[[], str],
        limits: Limits | None = None,
        https_ports: Sequence[int] = (443,),
        http_ports: Sequence[int] = (80,),
        proxy: Proxy | None = None,
        ca_file: str = "",
        wants_icons: bool = True,
        now: Callable[[], datetime] = now_utc,
    ) -> None:
        self._names = names if proxy is None else None
        if proxy is None and names is None:
            raise ValueError("without a proxy somebody has to resolve names")
        self._guard = replace(guard, ports=(*guard.ports, *https_ports, *http_ports))
        self._user_agent = user_agent
        self._limits = limits or Limits()
        self._https_ports = tuple(https_ports)
        self._http_ports = tuple(http_ports)
        self._transport = Transport(
            Dialer(proxy), self._limits.connect_timeout_s, ca_file
        )
        self._wants_icons = wants_icons
        self._now = now
        self._beginning = asyncio.Semaphore(_BEGIN_AT_ONCE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._names is not None:
            self._names.close()
        # Aborted connections are closed in the next rounds of the event loop.
        for _ in range(3):
            await asyncio.sleep(0)

    async def visit(self, host: str) -> SiteReport:
        """
        The report on one host; on `*.x.com` as x.com or, if that is not up, www.x.com.

        Never raises for what a site, a name server or a network does.
        """
        # A few begin in each round of the event loop, so that what came for others is
        # read first. A thousand that begin at once would wait for us, not for sites.
        async with self._beginning:
            await asyncio.sleep(0)
        deadline_s = asyncio.get_running_loop().time() + self._limits.host_timeout_s
        name = host
        while name.startswith("*."):
            name = name[2:]
        report = await self._visit(host, name, deadline_s)
        if name == host or report.presence is Presence.UP:
            return report
        other = await self._visit(host, f"www.{name}", deadline_s)
        return max(report, other, key=lambda one: _TELLING.index(one.presence))

    async def _visit(self, host: str, name: str, deadline_s: float) -> SiteReport:
        started = self._now()
        session = Session(
            self._transport,
            self._guard,
            self._names,
            user_agent=self._user_agent(),
            deadline_s=deadline_s,
            body_bytes=self._limits.body_bytes,
        )
        trails = [
            Trail(self._urls(scheme, name, ports), session)
            for scheme, ports in (
                ("https", self._https_ports),
                ("http", self._http_ports),
            )
        ]
        failure: VisitFailure | None = None
        async with session:
            try:
                async with asyncio.timeout_at(deadline_s):
                    await self._look(name, session, *trails)
            except TimeoutError:
                limit_s = self._limits.host_timeout_s
                failure = VisitFailure(TIMEOUT, f"no answer within {limit_s:g} s")
            except VisitFailure as exc:
                failure = exc.alone()
            # One strange host must not end the visits to all others.
            except Exception as exc:  # noqa: BLE001
                _log.exception("a visit failed by a mistake of ours: %r", host)
                failure = VisitFailure("Internal error", repr(exc), is_known=False)
        for trail in trails:
            trail.settle()
        no_dns = _NOT_ASKED if self._names is None else _NOT_IN_TIME
        report = partial(
            SiteReport,
            host,
            name,
            started,
            self._now(),
            dns=session.dns.get(ascii_host(name), no_dns),
            certificate=session.certificates.get(ascii_host(name)),
        )
        return _told(report, trails, failure)

    async def _look(
        self, name: str, session: Session, secure: Trail, plain: Trail
    ) -> None:
        if self._names is not None:
            session.dns[ascii_host(name)] = dns = await self._lookup(name, self._names)
            if (failure := dns_failure(dns)) is not None:
                raise failure
        elif not ascii_host(name):
            raise VisitFailure("DNS NXDOMAIN", "not a host name")
        trail = await self._first(secure, plain)
        if self._wants_icons and trail.has_answered:
            await trail.add_icon()

    async def _lookup(self, name: str, names: Names) -> Dns:
        try:
            literal = literal_address(name)
        except ValueError:
            literal = None  # the guard refuses it later
        if literal is not None:
            return Dns(DnsState.FOUND, (str(literal),))
        return await names.lookup(name)

    async def _first(self, secure: Trail, plain: Trail) -> Trail:
        """The trail that has an answer, https before http."""
        loop = asyncio.get_running_loop()
        second: asyncio.Task[None] | None = None

        def ask_beside() -> None:
            nonlocal second
            second = loop.create_task(plain.walk())

        head_start_s = _HEAD_START * self._limits.connect_timeout_s
        timer = loop.call_later(head_start_s, ask_beside)
        try:
            await secure.walk()
            timer.cancel()
            was_silent = secure.failure is not None and secure.failure.error == TIMEOUT
            if secure.has_answered or (was_silent and not plain.is_connected):
                # In the second case nobody let us connect in the time for it.
                return secure if secure.has_answered else plain
            await (second or plain.walk())
        finally:
            timer.cancel()
            if second is not None:
                second.cancel()
                await asyncio.wait([second])
        return plain

    def _urls(self, scheme: str, name: str, ports: Sequence[int]) -> list[URL]:
        host = ascii_host(name)
        if not host:
            return []
        return [URL.build(scheme=scheme, host=host, port=p, path="/") for p in ports]


def _told(
    report: Callable[..., SiteReport],
    trails: Sequence[Trail],
    failure: VisitFailure | None,
) -> SiteReport:
    """The report with what the trails found, or why they found nothing."""
    for trail in trails:
        if trail.page is not None:
            return report(
                presence=Presence.UP,
                url=str(trail.url),
                address=trail.address,
                page=trail.page,
                hops=tuple(trail.hops),
                reason=trail.flaw,
            )
    url = next((str(t.url) for t in reversed(trails) if t.url is not None), "")
    failures = {t.url.scheme: t.failure for t in trails if t.url and t.failure}
    if failure is not None:
        reasons = [str(failure)]
    else:
        reasons = [f"{scheme}: {each}" for scheme, each in failures.items()]
    every = [failure] if failure is not None else list(failures.values())
    telling = next((each for each in every if not each.is_known), every[0])
    return report(
        presence=Presence.DOWN if telling.is_known else Presence.UNKNOWN,
        url=url,
        error=telling.error,
        reason="; ".join(reasons),
    )
