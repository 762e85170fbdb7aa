"""What the follow-up asks of a scanner and of an enricher."""

from collections.abc import Sequence
from typing import Protocol

from ctmonitor.model.site import Enrichment, SiteReport


class Visitor(Protocol):
    """Visits hosts; many at the same time."""

    async def visit(self, host: str) -> SiteReport:
        """
        The report on one host, within one time limit for everything.

        Never raises for what a site, a name server or a network does.
        """
        ...


class Enricher(Protocol):
    """
    Adds to reports on hosts that are up; one file in `scan` for each.

    A failing enricher says so in its result and never holds an alert back.
    """

    name: str  # key in `SiteReport.enrichments`

    async def enrich(self, reports: Sequence[SiteReport]) -> list[Enrichment]:
        """
        One result for each report, in order. Never raises for what a service does.
        """
        ...
