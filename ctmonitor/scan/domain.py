"""
Since when a domain is registered, by whom, and whom to write to there: by RDAP.

Source: RFC 9082 section 3.1.3 (domain/<name>), RFC 9083 section 5.3.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from ctmonitor.errors import FormatError
from ctmonitor.model.clock import utc_text
from ctmonitor.model.site import Enrichment, EnrichmentStatus, SiteReport
from ctmonitor.model.suffix import suffixes
from ctmonitor.model.text import shortened
from ctmonitor.net.client import Answer, Client
from ctmonitor.scan import rdap
from ctmonitor.scan.bootstrap import IANA_URL, Bootstrap
from ctmonitor.scan.budget import Budget
from ctmonitor.scan.lookup import Lookup, NotOkError, RateLimited
from ctmonitor.scan.memory import Memory, Recall

_KEEP = timedelta(days=7)


class RegistrationEnricher:
    """
    Args:
        source: IANA's list of RDAP servers, as an address or a file.
        per_day, per_minute: questions to one registry.
        limit_s: for the question on one domain.
    """

    name = "domain"

    def __init__(
        self,
        memory: Memory,
        clock: Callable[[], datetime],
        client: Client,
        *,
        source: str | Path = IANA_URL,
        per_day: int = 2000,
        per_minute: int = 60,
        limit_s: float = 20.0,
    ) -> None:
        recall = Recall(memory)
        self._client = client
        self._bootstrap = Bootstrap(recall, clock, client, source)
        self._budget = Budget(
            recall, clock, "rdap", per_day=per_day, per_minute=per_minute
        )
        self._domains = Lookup(recall, clock, "domain", keep=_KEEP, limit_s=limit_s)

    async def enrich(self, reports: Sequence[SiteReport]) -> list[Enrichment]:
        """One result for each report; hosts of one domain share a question."""
        return await asyncio.gather(*(self._enriched(report) for report in reports))

    async def _enriched(self, report: SiteReport) -> Enrichment:
        domain = registrable(report.visited)
        if domain is None:
            return Enrichment(
                EnrichmentStatus.NOT_APPLICABLE,
                f"{shortened(report.visited)} is in no domain that can be registered",
            )
        try:
            known = await self._domains.find(domain, lambda: self._asked(domain))
        except NotOkError as exc:
            return exc.enrichment()
        data = dict(known)
        if problem := data.pop("problem"):
            return Enrichment(EnrichmentStatus.ERROR, problem, data)
        return Enrichment(EnrichmentStatus.OK, data=data)

    async def _asked(self, domain: str) -> Mapping[str, Any]:
        server = await self._bootstrap.server(domain)
        if server is None:
            top = domain.rpartition(".")[2]
            raise NotOkError(
                EnrichmentStatus.NOT_APPLICABLE, f"the registry of .{top} has no RDAP"
            )
        host = urlsplit(server).netloc
        if why := await self._budget.refusal(host):
            raise RateLimited(why)
        url = f"{server}domain/{quote(domain)}"
        answer = await self._client.get(url, accept=rdap.ACCEPT)
        if answer.status == 404:
            raise NotOkError(
                EnrichmentStatus.NOT_APPLICABLE, f"{host} knows no domain {domain}"
            )
        try:
            return {**registration(answer, domain), "source": host}
        except RateLimited as exc:
            await self._budget.pause(host, exc.retry_after_s)
            raise


def registration(answer: Answer, domain: str) -> dict[str, Any]:
    """
    What an answer says of `domain`, as JSON values; unknown ones are None.

    `problem` tells what could not be read beside it, and is empty otherwise.

    Raises:
        RateLimited, SourceError: it is no answer about the domain.
        FormatError: it has another form, or is about another domain.
    """
    found = rdap.an_object(rdap.content(answer), "domain")
    told = found.get("ldhName")
    if not isinstance(told, str) or told.lower().rstrip(".") != domain:
        raise FormatError(
            "not RDAP", f"asked for {domain}, told {shortened(str(told))!r}"
        )
    registrar = next(rdap.with_role("registrar", rdap.entities(found)), rdap.Entity())
    abuse = [one for one in rdap.with_role("abuse", registrar.inner)]
    emails = [email for one in abuse for email in one.emails]
    problems = [one.problem for one in (registrar, *abuse) if one.problem]
    return {
        "domain": domain,
        "registered": utc_text(rdap.event(found, "registration")),
        "expires": utc_text(rdap.event(found, "expiration")),
        "registrar": registrar.name or registrar.handle or None,
        "registrar_abuse_email": emails[0] if emails else None,
        "problem": f"the registrar's contact: {problems[0]}" if problems else "",
    }


def registrable(host: str) -> str | None:
    """
    The domain of `host` that somebody registered: `example.co.uk`; None without one.

    Names under a company's suffix count as that company's: `a.github.io` is in
    `github.io`, of which a registry knows.
    """
    name = host.lower().removeprefix("*.").rstrip(".")
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        if not name.isascii() or not name.isprintable() or "/" in name:
            return None
        labels = name.split(".")
        if "" in labels:
            return None
        at = suffixes().split(labels, only_icann=True).at
        return ".".join(labels[at - 1 :]) if at > 0 else None
    return None
