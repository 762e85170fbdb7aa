"""CAA of the certificates of a run."""

import asyncio

import dns.asyncresolver

from ctmonitor.model.own import Issuer, OwnCertificate
from ctmonitor.watch.caa import Caa, Verdict
from ctmonitor.watch.lookup import Lookup
from ctmonitor.watch.nameservers import NameServers
from tests.fakes.dns import DnsServer


def issued(number: int, caa_domain: str) -> OwnCertificate:
    issuer = Issuer("O=A", "|a|", "A", caa_domains=(caa_domain,))
    names = [f"{name}{number}.x.test" for name in "abc"]
    return OwnCertificate(str(number), "2026-11-22T12:00:00", names, issuer)


def test_each_certificate_has_its_verdict_and_few_are_asked_for_at_once() -> None:
    """Of a first run with thousands all questions at once would take gigabytes."""
    certificates = [
        issued(number, "ca1.test" if number % 7 else "ca2.test")
        for number in range(130)
    ]
    most = 0

    async def run(server: DnsServer) -> dict[str, Verdict]:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = [server.address[0]]
        resolver.port = server.address[1]
        servers = NameServers(Lookup(None), Caa(resolver))
        asking = asyncio.ensure_future(servers.caa(certificates))
        nonlocal most
        while not asking.done():
            most = max(most, len(asyncio.all_tasks()))
            await asyncio.sleep(0)
        return {number: one.verdict for number, one in asking.result().items()}

    with DnsServer({"x.test": {"CAA": ['0 issue "ca1.test"']}}) as server:
        found = asyncio.run(run(server))
    assert found == {
        str(number): Verdict.ALLOWED if number % 7 else Verdict.FORBIDDEN
        for number in range(130)
    }
    assert most < 130 * 3
