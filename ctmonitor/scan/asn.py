"""
Whose network a site stands in, and whom to write to there.

A file of networks or Cymru's DNS says who announces the address; the registry, by RDAP,
has the abuse contact. `ipwhois` knows the registries and reads their answers; its own
way to fetch them sleeps when a registry says 429, reads without bound and knows no
SOCKS, so that is done by `ctmonitor.net.client`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import quote

import dns.asyncresolver
import dns.exception
import dns.resolver
from ipwhois.net import Net  # it ships none
from ipwhois.rdap import RDAP, RIR_RDAP  # the same

from ctmonitor.errors import CTMonitorError, FormatError, SourceError
from ctmonitor.model.site import DnsState, Enrichment, EnrichmentStatus, SiteReport
from ctmonitor.net.client import Client
from ctmonitor.scan import cymru, rdap
from ctmonitor.scan.asnfile import FileNetwork, NetworkFile
from ctmonitor.scan.budget import Budget
from ctmonitor.scan.lookup import Lookup, NotOkError, RateLimited
from ctmonitor.scan.memory import Memory, Recall

_Address = IPv4Address | IPv6Address

_KEEP_ORIGIN = timedelta(days=3)
_KEEP_CONTACT = timedelta(days=14)
_KEEP_NAME = timedelta(days=30)
# Nothing longer is announced to the whole Internet, so one question serves such a
# block. A wider network cannot be asked for once: parts of it may be another's.
_BLOCK = {4: 24, 6: 48}
_SLOW = {"lacnic": 9}  # it blocks above 10 a minute

# What each registry's addresses begin with, as ipwhois has them.
REGISTRY_URLS: Mapping[str, str] = {
    registry: urls["ip_url"].removesuffix("ip/{0}")
    for registry, urls in RIR_RDAP.items()
}


class NetworkEnricher:
    """
    Args:
        resolver: for Cymru's DNS; None behind a proxy, which DNS would go around.
        file: asked first, where there is one.
        servers: other addresses of registries, ending in `/`, as REGISTRY_URLS.
        wants_contact: false leaves the registries alone.
        per_day: questions to one registry.
        limit_s: for each of the questions on one network.
    """

    name = "asn"

    def __init__(
        self,
        memory: Memory,
        clock: Callable[[], datetime],
        client: Client,
        resolver: dns.asyncresolver.Resolver | None,
        *,
        file: NetworkFile | None = None,
        servers: Mapping[str, str] | None = None,
        wants_contact: bool = True,
        per_day: int = 900,
        limit_s: float = 20.0,
        dns_queries: int = 32,
    ) -> None:
        recall = Recall(memory)
        self._client = client
        self._resolver = resolver
        self._file = file
        self._servers = {**REGISTRY_URLS, **(servers or {})}
        self._wants_contact = wants_contact
        self._budget = Budget(recall, clock, "rdap", per_day=per_day, slow=_SLOW)
        self._dns_slots = asyncio.Semaphore(dns_queries)

        def lookup(kind: str, keep: timedelta) -> Lookup:
            return Lookup(recall, clock, kind, keep=keep, limit_s=limit_s)

        self._origins = lookup("asn-origin", _KEEP_ORIGIN)
        self._names = lookup("asn-name", _KEEP_NAME)
        self._contacts = lookup("asn-contact", _KEEP_CONTACT)

    async def enrich(self, reports: Sequence[SiteReport]) -> list[Enrichment]:
        """One result for each report; whatever is known stands in it, ok or not."""
        return await asyncio.gather(*(self._enriched(report) for report in reports))

    async def _enriched(self, report: SiteReport) -> Enrichment:
        try:
            address = _public_address(report)
        except NotOkError as exc:
            return exc.enrichment()
        problems: list[NotOkError] = []
        on_file = self._file.find(address) if self._file else None
        origin: Mapping[str, Any] = {}
        if on_file is None or self._wants_contact:
            try:
                origin = await self._origin(address)
            except NotOkError as exc:
                problems.append(exc)
        data = _file_data(on_file, self._file) if on_file else _origin_data(origin)
        if not data:
            return problems[0].enrichment()
        if on_file is None:
            names = [await self._name(asn, problems) for asn in origin["asns"]]
            data["asn_description"] = _one_or_all(names)
        if origin and self._wants_contact:
            # The announced network is what a cache can be kept by.
            data["asn_cidr"] = origin["cidr"]
            try:
                emails = await self._contact(address, origin)
                data["asn_abuse_email"] = emails[0] if emails else None
                data["asn_abuse_emails"] = emails
            except NotOkError as exc:
                problems.append(exc)
        if problems:
            return problems[-1].enrichment(data)
        return Enrichment(EnrichmentStatus.OK, data=data)

    async def _origin(self, address: _Address) -> Mapping[str, Any]:
        block = ip_network((address, _BLOCK[address.version]), strict=False)

        async def ask() -> Mapping[str, Any]:
            texts = await self._texts(cymru.origin_name(address))
            if not texts:
                raise NotOkError(
                    EnrichmentStatus.NOT_APPLICABLE, f"nobody announces {address}"
                )
            found = cymru.origin(texts, str(address))
            return {
                "asns": list(found.asns),
                "cidr": found.cidr,
                "country": found.country,
                "registry": found.registry,
            }

        return await self._origins.find(
            str(block), ask, lambda known: address in ip_network(known["cidr"])
        )

    async def _name(self, asn: str, problems: list[NotOkError]) -> str | None:
        async def ask() -> Mapping[str, Any]:
            texts = await self._texts(cymru.as_name(asn))
            return {"name": cymru.description(texts[0]) if texts else ""}

        try:
            name: str = (await self._names.find(asn, ask))["name"]
        except NotOkError as exc:
            problems.append(exc)
            return None
        return name or None

    async def _texts(self, name: str) -> list[str]:
        """The TXT records of a name, in their order; none when it does not exist."""
        if self._resolver is None:
            raise NotOkError(
                EnrichmentStatus.NOT_APPLICABLE,
                "networks are looked up by DNS, which would go around the proxy",
                is_kept=False,
            )
        try:
            async with self._dns_slots:
                answer = await self._resolver.resolve(name, "TXT", search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError) as exc:
            raise SourceError(f"{name} TXT: {type(exc).__name__}") from exc
        return [b"".join(r.strings).decode("utf-8", "replace") for r in answer]

    async def _contact(self, address: _Address, origin: Mapping[str, Any]) -> list[str]:
        registry = origin["registry"]

        async def ask() -> Mapping[str, Any]:
            if not registry:
                raise FormatError("no registry", f"Cymru names none for {address}")
            if why := await self._budget.refusal(registry):
                raise RateLimited(why)
            server = _Registry(str(address), self._client, self._servers, registry)
            try:
                return {"emails": await self._client.run(server.abuse_emails)}
            except RateLimited as exc:
                await self._budget.pause(registry, exc.retry_after_s)
                raise

        emails: list[str] = (await self._contacts.find(origin["cidr"], ask))["emails"]
        return emails


class _Registry(Net):  # type: ignore[misc] # ipwhois ships no types
    """
    What ipwhois asks of the network, about one address and one registry.

    Its own constructor, which reads the system's DNS settings, is left out: of its
    fields the RDAP part uses `address_str` alone.
    """

    def __init__(
        self, address: str, client: Client, servers: Mapping[str, str], registry: str
    ) -> None:
        self.address_str = address
        self._client = client
        self._server = servers[registry]
        self._registry = registry

    def abuse_emails(self) -> list[str]:
        """
        Whom the registry names for abuse; blocks.

        Raises:
            RateLimited, SourceError, FormatError: as told by `rdap.content`.
        """
        try:
            raw = RDAP(self).lookup(
                inc_raw=True,
                retry_count=0,
                asn_data={"asn_registry": self._registry},
                # Asks for every entity without a card, which counts against the
                # registry's limit on personal data; one is enough.
                root_ent_check=False,
            )["raw"]
            named = list(rdap.with_role("abuse", rdap.entities(raw)))
            if named and not any(one.has_card for one in named):
                url = RIR_RDAP[self._registry]["entity_url"]
                full = self.get_http_json(url.format(quote(named[0].handle, safe="")))
                named = [rdap.entity(rdap.an_object(full, "entity"))]
        except CTMonitorError:
            raise
        except Exception as exc:  # odd JSON makes ipwhois raise anything
            where = f"{self._server}ip/{self.address_str}"
            raise FormatError("not RDAP", f"{where}: {type(exc).__name__}") from exc
        emails = dict.fromkeys(email for one in named for email in one.emails)
        if not emails and (broken := [one.problem for one in named if one.problem]):
            raise FormatError("no abuse contact", broken[0])
        return list(emails)

    def get_http_json(self, url: str, **_kwargs: object) -> Any:
        """The answer at `url`, by our client and from the server that is set."""
        path = url.removeprefix(REGISTRY_URLS[self._registry])
        headers = {"Accept": rdap.ACCEPT}
        return rdap.content(self._client.fetch(self._server + path, headers=headers))


def _public_address(report: SiteReport) -> _Address:
    """Raises NotOkError when the report has none that could be looked up."""
    if not report.address:
        why = (
            "the proxy alone knows the address"
            if report.dns.state is DnsState.NOT_APPLICABLE
            else "there is no address"
        )
        raise NotOkError(EnrichmentStatus.NOT_APPLICABLE, why)
    try:
        address: _Address = ip_address(report.address)
    except ValueError as exc:
        why = f"{report.address!r} is no address"
        raise NotOkError(EnrichmentStatus.ERROR, why) from exc
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if not address.is_global:
        raise NotOkError(
            EnrichmentStatus.NOT_APPLICABLE, f"{address} is in no public network"
        )
    return address


def _file_data(found: FileNetwork, file: NetworkFile | None) -> dict[str, Any]:
    return {
        "asn": found.asn,
        "asn_cidr": found.cidr,
        "asn_country_code": found.country or None,
        "asn_description": found.description or None,
        "asn_abuse_email": None,
        "asn_abuse_emails": [],
        "source": file.source if file else "",
    }


def _origin_data(origin: Mapping[str, Any]) -> dict[str, Any]:
    if not origin:
        return {}
    return {
        "asn": _one_or_all(origin["asns"]),
        "asn_cidr": origin["cidr"],
        "asn_country_code": origin["country"] or None,
        "asn_description": None,
        "asn_abuse_email": None,
        "asn_abuse_emails": [],
        "source": "origin.asn.cymru.com",
    }


def _one_or_all(values: list[Any]) -> Any:
    """The value itself where there is one, as scripts know it from the original."""
    return values[0] if len(values) == 1 else values
