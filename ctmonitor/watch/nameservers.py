"""What the name servers are asked of certificates and names of watched domains."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

from ctmonitor.model.clock import from_utc_text, utc_text
from ctmonitor.model.own import DomainState, OwnCertificate
from ctmonitor.watch.caa import Caa, CaaVerdict
from ctmonitor.watch.issuers import caa_identifiers
from ctmonitor.watch.lookup import Lookup
from ctmonitor.watch.subdomains import resolve

# Names are looked up in each run of a day, but not every quarter of an hour.
_FRESH = timedelta(hours=6)
# Certificates: a first run has thousands, and each of 100 names takes 2 kB a name.
_AT_ONCE = 50


class NameServers:
    """See `watch.cycle.Dns`."""

    def __init__(self, lookup: Lookup, caa: Caa) -> None:
        self._lookup = lookup
        self._caa = caa

    async def caa(
        self, certificates: Sequence[OwnCertificate]
    ) -> Mapping[str, CaaVerdict]:
        """What CAA says now of each certificate, by its id."""
        found: dict[str, CaaVerdict] = {}
        for start in range(0, len(certificates), _AT_ONCE):
            some = certificates[start : start + _AT_ONCE]
            verdicts = await asyncio.gather(
                *(
                    self._caa.check(each.names, caa_identifiers(each.issuer))
                    for each in some
                )
            )
            ids = (each.id for each in some)
            found.update(zip(ids, verdicts, strict=True))
        return found

    async def resolve(self, state: DomainState, now: str) -> list[str]:
        """Looks the names of a domain up that were not for some hours."""
        moment = from_utc_text(now)
        fresh_from = utc_text(moment - _FRESH) if moment is not None else None
        return await resolve(
            state.names,
            self._lookup,
            now,
            domain=state.domain,
            fresh_from=fresh_from or "",
        )
