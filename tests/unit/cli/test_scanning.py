"""Settings of look-ups as they are used, on services of loopback."""

import asyncio
import gc
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from ctmonitor.cli import scanning
from ctmonitor.config import Config
from ctmonitor.model.site import (
    Dns,
    DnsState,
    Enrichment,
    EnrichmentStatus,
    Presence,
    SiteReport,
)
from tests.fakes.cymru import CymruServer
from tests.fakes.memory import InMemory
from tests.fakes.rdap import RdapServer
from tests.fakes.safebrowsing import SafeBrowsingServer
from tests.settings_files import NEEDED

Read = Callable[[str], Config]
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ADDRESS = "74.125.225.229"
HOST = "login-paypal.example"
SITE = SiteReport(
    HOST, HOST, NOW, NOW, Presence.UP, Dns(DnsState.FOUND, (ADDRESS,)), address=ADDRESS
)


def looked_up(config: Config) -> dict[str, Enrichment]:
    """What each enricher that is switched on says of the site."""
    found: dict[str, Enrichment] = {}

    async def ask() -> None:
        with scanning.client(config, None) as client:
            for each in scanning.enrichers(config, None, client, InMemory()):
                (found[each.name],) = await each.enrich([SITE])

    asyncio.run(ask())
    return found


@pytest.fixture
def collector() -> Iterator[None]:
    """A run sets the garbage collector of its process; ours gets its own back."""
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()


@pytest.mark.usefixtures("collector")
def test_the_end_of_a_connection_that_was_given_up_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work() -> int:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with theirs:
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
            for message in ("while open", "while closed"):
                failure = RuntimeError(message)
                loop.call_exception_handler(
                    {"message": message, "exception": failure, "transport": transport}
                )
                transport.abort()
            loop.call_exception_handler({"message": "of no connection"})
        return 0

    assert scanning.run(work()) == 0
    told = [record.getMessage().split("\n")[0] for record in caplog.records]
    assert told == ["while open", "of no connection"]


@pytest.mark.parametrize("path", ["", "/", "/v4/threatMatches:find"])
def test_safe_browsing_is_found_with_its_path_and_without(
    read: Read, path: str
) -> None:
    with SafeBrowsingServer("the-key") as service:
        config = read(
            f"{NEEDED}[ENRICH]\nASN = no\nDomain = no\n[SAFEBROWSING]\n"
            f"Safe_Browsing_API_Key = the-key\nAPI_URL = {service.url}{path}\n"
        )
        found = looked_up(config)
    assert list(found) == ["safe_browsing"]
    assert found["safe_browsing"].status is EnrichmentStatus.OK
    assert found["safe_browsing"].data["status"] == "not_listed"


@pytest.mark.parametrize("path", ["", "/", "/rdap", "/rdap/"])
def test_the_registry_is_asked_below_its_address(read: Read, path: str) -> None:
    origins = {"74.125.225.0/24": ["15169 | 74.125.224.0/20 | US | arin | 2007-03-13"]}
    with CymruServer(origins) as names, RdapServer() as registry:
        resolver = names.resolver()
        config = read(
            f"{NEEDED}[SCAN]\nResolver = {resolver.nameservers[0]}:{resolver.port}\n"
            f"[ENRICH]\nDomain = no\nRDAP_IP_URL = {registry.url}{path}\n"
        )
        looked_up(config)
        asked = registry.asked()
    assert asked == [f"{path.rstrip('/')}/ip/{ADDRESS}"]
