"""
The internet of the demo: name server, web sites, services, all on loopback.

    with Neighbourhood(Path("demo")) as around:
        around.settings()    # by section, for the settings of `scanhost.py`
        around.received()    # notifications that came so far

Sites of many kinds stand behind names that the recorded feed holds; every other name
does not exist. Each site has an address of its own in 127.0.0.0/8.
"""

import gzip
import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import dns.rcode
from cryptography import x509

from tests.fakes.api import ApiServer, Reply, Request
from tests.fakes.dns import DnsServer, says
from tests.fakes.rdap import RdapServer
from tests.fakes.sites import Script, Sites, endless, page, redirect, self_signed
from tests.fakes.tls import Authority

_SIGN_IN = "www.login-apple.com"
_LISTED = "paypal-verify-account.com"
_KEY = "key-of-the-demo"
_SAFE_BROWSING_PATH = "/v4/threatMatches:find"

_METADATA = "http://169.254.169.254/latest/meta-data/"
_BOMB = gzip.compress(b"\0" * 100_000_000, 9)
_CHUNK = b"10000\r\n" + b"x" * 65536 + b"\r\n"

# What the page says of itself; the second one would clear a terminal.
_TITLES = {
    _SIGN_IN: b"<title>Sign in &ndash; Your account</title>",
    "login-appleid-support.com": b"<title>\x1b[2JSupport\n&#8238;moc.elppa</title>",
    _LISTED: b"<title>Verify your account</title>",
}
_REGISTRATION = {
    "objectClassName": "domain",
    "ldhName": "login-apple.com",
    "events": [
        {"eventAction": "registration", "eventDate": "2026-11-20T17:03:55Z"},
        {"eventAction": "expiration", "eventDate": "2027-11-20T17:03:55Z"},
    ],
    "entities": [
        {
            "objectClassName": "entity",
            "roles": ["registrar"],
            "vcardArray": ["vcard", [["fn", {}, "text", "Example Registrar"]]],
            "entities": [
                {
                    "objectClassName": "entity",
                    "roles": ["abuse"],
                    "vcardArray": [
                        "vcard",
                        [["email", {}, "text", "abuse@registrar.example"]],
                    ],
                }
            ],
        }
    ],
}


class Neighbourhood:
    """
    Args:
        directory: keys and certificates are written there.
    """

    def __init__(self, directory: Path) -> None:
        self._authority = Authority.create(directory, "Authority of the demo")
        self._directory = directory
        self._open = ExitStack()
        self._addresses: dict[str, str] = {}
        self._sites = Sites()
        self._names = DnsServer({})
        self._registry = RdapServer()
        self._safe_browsing = ApiServer(_safe_browsing)
        self._webhook = ApiServer(lambda _: Reply())

    def __enter__(self) -> Self:
        servers = (self._names, self._registry, self._safe_browsing, self._webhook)
        with self._open as opening:
            for server in servers:
                opening.enter_context(server)
            opening.enter_context(self._sites)
            self._build()
            self._open = opening.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def settings(self) -> dict[str, dict[str, str]]:
        """What `scanhost.py` has to be told of where everything is."""
        host, port = self._names.address
        return {
            "SCAN": {
                "Resolver": f"{host}:{port}",
                "Https_Ports": str(self._sites.https_port),
                "Http_Ports": str(self._sites.http_port),
                "CA_File": str(self._authority.ca_file),
            },
            "ENRICH": {"RDAP_Bootstrap": self._registry.bootstrap("com")},
            "SAFEBROWSING": {
                "Safe_Browsing_API_Key": _KEY,
                "API_URL": self._safe_browsing.url + _SAFE_BROWSING_PATH,
            },
            "REPORTING": {
                "Notification_Destination": f"json://127.0.0.1:{self._webhook.port}/"
            },
        }

    def received(self) -> list[dict[str, Any]]:
        """The notifications, as Apprise sent them."""
        return [request.json() for request in self._webhook.requests]

    def _build(self) -> None:
        # Up, each in another way.
        self._secure(_SIGN_IN, page(_TITLES[_SIGN_IN], headers=["Server: nginx"]))
        self._self_signed("login-appleid-support.com")
        self._plain(_LISTED, page(_TITLES[_LISTED]))
        self._plain("vodafonesecure-login.com", page(b"", status="404 Not Found"))
        there = f"https://{_SIGN_IN}:{self._sites.https_port}/session?id=1"
        self._plain("account-appleid-apple.com", redirect(there))
        self._plain("www.paypal.account-support-servicesid.com", redirect(_METADATA))
        # Up, and hostile: 100 MB of zeros in 100 kB, and a page without an end.
        bomb = page(_BOMB, headers=["Content-Encoding: gzip"])
        self._secure("login-unlockyourapple.com", bomb)
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        self._plain("securemyapplapple.com", endless(head, _CHUNK))
        # Down, or nobody can tell.
        self._sites.holding(self._address("www.activationpaypalaccount.com"))
        self._address("www.ilogin-apple.com")  # where nobody listens
        table = self._names.table
        table["www.itunesaccountlogin.com"] = {"A": ["10.0.0.1"]}
        mail = ["10 mail.service-appleinfo-unlock-account-update.com."]
        table["service-appleinfo-unlock-account-update.com"] = {"MX": mail}
        failing = says(dns.rcode.SERVFAIL)
        self._names.scripts["secure2account-myaccountwebappid.com"] = failing
        self._registry.answers["/domain/login-apple.com"] = json.dumps(
            _REGISTRATION
        ).encode()

    def _address(self, name: str) -> str:
        """A new address, for which the name stands from now on."""
        address = f"127.0.9.{len(self._addresses) + 1}"
        self._addresses[name] = address
        self._names.table[name] = {"A": [address]}
        return address

    def _plain(self, name: str, script: Script) -> None:
        self._sites.plain(self._address(name), script)

    def _secure(self, name: str, script: Script) -> None:
        context = self._authority._issue(name, [x509.DNSName(name)])
        self._sites.tls(self._address(name), script, context)

    def _self_signed(self, name: str) -> None:
        context = self_signed(self._directory, [name])
        self._sites.tls(self._address(name), page(_TITLES[name]), context)


def _safe_browsing(request: Request) -> Reply:
    """A service that suspects one site of all."""
    if not request.path.endswith(_SAFE_BROWSING_PATH):
        return Reply.of({"error": {"code": 404, "message": "Not found"}}, 404)
    entries: list[Mapping[str, str]] = request.json()["threatInfo"]["threatEntries"]
    found = [
        {
            "threatType": "SOCIAL_ENGINEERING",
            "platformType": "ANY_PLATFORM",
            "threatEntryType": "URL",
            "threat": {"url": entry["url"]},
            "cacheDuration": "300s",
        }
        for entry in entries
        if entry["url"].partition("://")[2].startswith(_LISTED)
    ]
    return Reply.of({"matches": found} if found else {})
