"""Visits to real sites on loopback, good and hostile; 127.0.9.x stands for within."""

import asyncio
import gc
import gzip
import hashlib
import ssl
import tracemalloc
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import pytest
from cryptography import x509

from ctmonitor.errors import ConfigError
from ctmonitor.model.site import DnsState, Presence, SiteReport
from ctmonitor.net.route import Proxy
from ctmonitor.scan.dialer import VisitFailure
from ctmonitor.scan.guard import Guard
from ctmonitor.scan.names import Names
from ctmonitor.scan.page import icon_hash
from ctmonitor.scan.session import Session
from ctmonitor.scan.visitor import Limits, SiteVisitor
from tests.fakes.dns import DnsServer, Script, says, silent
from tests.fakes.proxies import microsocks, tinyproxy
from tests.fakes.sites import (
    Sites,
    by_target,
    dripping,
    endless,
    page,
    raw,
    redirect,
    self_signed,
)
from tests.fakes.tls import Authority, authority_in

OUTSIDE, OTHER, INSIDE = "127.0.8.1", "127.0.8.2", "127.0.9.1"
SHORT = Limits(host_timeout_s=3.0, connect_timeout_s=1.0, body_bytes=64 * 1024)
LONG = Limits(host_timeout_s=30.0, connect_timeout_s=10.0, body_bytes=64 * 1024)
OK = b"HTTP/1.1 200 OK\r\n"
TABLE = {
    "x.test": {"A": [OUTSIDE]},
    "other.test": {"A": [OTHER]},
    "inside.test": {"A": [INSIDE]},
}


@pytest.fixture
def sites() -> Iterator[Sites]:
    with Sites() as running:
        yield running


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("authority"))


def trusted(authority: Authority, *names: str) -> ssl.SSLContext:
    return authority._issue("_".join(names), [x509.DNSName(name) for name in names])


def visit(
    sites: Sites,
    host: str = "x.test",
    *,
    table: Mapping[str, Mapping[str, Sequence[str]]] = TABLE,
    scripts: Mapping[str, Script] | None = None,
    **options: Any,
) -> SiteReport:
    return visit_all(sites, [host], table=table, scripts=scripts, **options)[0]


def visit_all(
    sites: Sites,
    hosts: Sequence[str],
    *,
    table: Mapping[str, Mapping[str, Sequence[str]]] = TABLE,
    scripts: Mapping[str, Script] | None = None,
    guard: Guard | None = None,
    **options: Any,
) -> list[SiteReport]:
    options.setdefault("limits", LONG)
    options.setdefault("wants_icons", False)

    async def run(names: Names) -> list[SiteReport]:
        visitor = SiteVisitor(
            names,
            guard or Guard(allowed=[ip_network("127.0.8.0/24")]),
            user_agent=lambda: "agent/1",
            https_ports=[sites.https_port],
            http_ports=[sites.http_port],
            **options,
        )
        async with visitor:
            return await asyncio.gather(*map(visitor.visit, hosts))

    with DnsServer(table, scripts) as server:
        return asyncio.run(run(Names([server.address], timeout_s=1.0)))


# What a good site shows


def test_a_site_with_https_is_up_and_http_is_not_asked(
    sites: Sites, authority: Authority
) -> None:
    body = b"<title>Sign in</title>"
    site = sites.tls(
        OUTSIDE, page(body, headers=["Server: nginx"]), trusted(authority, "x.test")
    )
    plain = sites.plain(OUTSIDE, page())
    report = visit(sites, ca_file=str(authority.ca_file))
    assert report.presence is Presence.UP
    assert report.url == f"https://x.test:{sites.https_port}/"
    assert (report.address, report.error, report.reason) == (OUTSIDE, "", "")
    assert report.dns.addresses == (OUTSIDE,)
    assert report.started <= report.finished
    assert report.page is not None
    assert (report.page.status, report.page.title) == (200, "Sign in")
    assert (report.page.server, report.page.content_type) == ("nginx", "text/html")
    assert report.page.body_sha256 == hashlib.sha256(body).hexdigest()
    assert (report.page.body_bytes, report.page.is_truncated) == (len(body), False)
    assert (site.connections, plain.connections) == (1, 0)


def test_authorities_of_a_file_are_trusted_beside_the_systems(
    sites: Sites, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sites.tls(OUTSIDE, page(), trusted(authority, "x.test"))
    other = authority_in(tmp_path, "another")
    certificate = visit(sites, ca_file=str(other.ca_file)).certificate
    assert certificate is not None
    assert certificate.problem
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    certificate = visit(sites, ca_file=str(other.ca_file)).certificate
    assert certificate is not None
    assert certificate.problem == ""


def test_the_served_certificate_is_kept(sites: Sites, authority: Authority) -> None:
    sites.tls(OUTSIDE, page(), trusted(authority, "x.test", "www.x.test"))
    certificate = visit(sites, ca_file=str(authority.ca_file)).certificate
    assert certificate is not None
    pem = (authority.directory / "x.test_www.x.test.pem").read_bytes()
    der = ssl.PEM_cert_to_DER_cert(pem[pem.index(b"-----BEGIN CERT") :].decode())
    parsed = x509.load_der_x509_certificate(der)
    assert certificate.sha1 == hashlib.sha1(der, usedforsecurity=False).hexdigest()
    assert certificate.sha256 == hashlib.sha256(der).hexdigest()
    assert certificate.tbs_sha256
    assert certificate.names == ("x.test", "www.x.test")
    assert certificate.subject_cn == "x.test_www.x.test test server"
    assert certificate.issuer_dn == "/CN=ctmonitor test authority"
    assert certificate.not_after == parsed.not_valid_after_utc
    assert certificate.not_before == parsed.not_valid_before_utc
    assert certificate.problem == ""


def test_the_certificate_of_the_first_connection_counts(
    sites: Sites, authority: Authority
) -> None:
    first = trusted(authority, "x.test", "first.test")
    later = trusted(authority, "x.test", "later.test")
    contexts = [first]

    def choose(opened: Any, name: Any, context: Any) -> None:
        opened.context = contexts.pop() if contexts else later

    first.sni_callback = choose

    def script(one: Any) -> None:
        (redirect("/a") if one.target == "/" else page())(one)  # then it closes

    site = sites.tls(OUTSIDE, script, first)
    certificate = visit(sites, ca_file=str(authority.ca_file)).certificate
    assert site.connections == 2
    assert certificate is not None
    assert certificate.names == ("x.test", "first.test")


def test_a_request_brings_nothing_of_anybody(sites: Sites) -> None:
    cookie = "Set-Cookie: a=b; Path=/"
    scripts = {
        "/": page(status="302 Found", headers=["Location: /x", cookie]),
        "/x": page(b"<title>end</title>", headers=[cookie]),
    }
    site = sites.plain(OUTSIDE, by_target(scripts))
    assert visit(sites).page is not None
    assert [one.target for one in site.visits] == ["/", "/x"]
    for one in site.visits:
        assert one.header("User-Agent") == "agent/1"
        assert one.header("Host") == f"x.test:{sites.http_port}"
        assert not one.header("Cookie")
        assert not one.header("Authorization")
        assert not one.header("Referer")


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oh", "304 Not Modified"])
def test_every_status_is_up(sites: Sites, status: str) -> None:
    sites.plain(OUTSIDE, page(status=status))
    report = visit(sites)
    assert report.presence is Presence.UP
    assert report.page is not None
    assert report.page.status == int(status[:3])


def test_the_icon_is_hashed(sites: Sites) -> None:
    icon = bytes(range(200))
    scripts = {
        "/": page(b"<link rel=icon href=/i.png><title>t</title>"),
        "/i.png": redirect("/j.png"),
        "/j.png": page(icon, content_type="image/png"),
    }
    site = sites.plain(OUTSIDE, by_target(scripts))
    found = visit(sites, wants_icons=True).page
    assert found is not None
    assert found.favicon_mmh3 == icon_hash(icon)
    assert site.connections == 1  # one connection for all of them


@pytest.mark.parametrize(
    "icon",
    [
        page(b"<html>no such icon", status="200 OK"),
        page(b"x", status="404 Not Found", content_type="image/png"),
        page(b"", content_type="image/png"),
        page(b"x" * 70_000, content_type="image/png"),
        redirect(f"http://{INSIDE}/"),
        raw(b"nonsense\r\n\r\n"),
    ],
    ids=["page", "missing", "empty", "large", "inside", "broken"],
)
def test_what_is_no_icon_is_left_out(sites: Sites, icon: Any) -> None:
    sites.plain(OUTSIDE, by_target({"/": page(b"x"), "/favicon.ico": icon}))
    report = visit(sites, wants_icons=True)
    assert report.presence is Presence.UP
    assert report.page is not None
    assert report.page.favicon_mmh3 is None


def test_gzip_and_deflate_are_read(sites: Sites) -> None:
    body = b"<title>packed</title>"
    raw_deflate = zlib.compress(body)[2:-4]
    for packed, encoding in [
        (gzip.compress(body), "gzip"),
        (zlib.compress(body), "deflate"),
        (raw_deflate, "Deflate"),
        (body, "identity"),
    ]:
        header = f"Content-Encoding: {encoding}"
        with Sites() as each:
            each.plain(OUTSIDE, page(packed, headers=[header]))
            found = visit(each).page
        assert found is not None
        assert found.title == "packed"
        assert found.body_sha256 == hashlib.sha256(body).hexdigest()


# TLS problems do not hide a site


def test_a_wrong_name_is_up_with_its_problem(
    sites: Sites, authority: Authority
) -> None:
    sites.tls(OUTSIDE, page(b"<title>t</title>"), authority.wrong_name())
    report = visit(sites, ca_file=str(authority.ca_file))
    assert report.presence is Presence.UP
    assert report.certificate is not None
    assert "Hostname mismatch" in report.certificate.problem
    assert report.certificate.names == ("elsewhere.invalid",)


def test_an_expired_certificate_is_up_with_its_problem(
    sites: Sites, authority: Authority
) -> None:
    sites.tls("127.0.0.1", page(), authority.expired())
    guard = Guard(allowed=[ip_network("127.0.0.1")])
    report = visit(sites, "localhost", guard=guard, ca_file=str(authority.ca_file))
    assert report.presence is Presence.UP
    assert report.certificate is not None
    assert "expired" in report.certificate.problem


def test_self_signed_and_unknown_authorities_are_up(
    sites: Sites, authority: Authority, tmp_path: Path
) -> None:
    sites.tls(OUTSIDE, page(), self_signed(tmp_path, ["x.test"]))
    sites.tls(OTHER, page(), trusted(authority, "other.test"))
    first, second = visit_all(sites, ["x.test", "other.test"])
    assert first.presence is second.presence is Presence.UP
    assert first.certificate is not None
    assert second.certificate is not None
    assert "self-signed" in first.certificate.problem
    assert "unable to get local issuer" in second.certificate.problem


def test_tls_of_yesterday_is_up_with_its_problem(
    sites: Sites, authority: Authority
) -> None:
    context = trusted(authority, "x.test")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.maximum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    sites.tls(OUTSIDE, page(), context)
    report = visit(sites, ca_file=str(authority.ca_file))
    assert report.presence is Presence.UP
    assert report.certificate is not None
    # Which of its faults is named is OpenSSL's choice, and differs by version.
    assert report.certificate.problem.startswith("TLS failed: ")


@pytest.mark.parametrize("count", [3000, 10_000])
def test_a_certificate_with_thousands_of_names_is_bounded(
    sites: Sites, tmp_path: Path, count: int
) -> None:
    """OpenSSL refuses a certificate over 100 kB; http is left then."""
    names = [f"name-{n}.example" for n in range(count)]
    sites.tls(OUTSIDE, page(), self_signed(tmp_path, names))
    sites.plain(OUTSIDE, page())
    report = visit(sites)
    assert report.presence is Presence.UP
    if count == 3000:
        assert report.certificate is not None
        assert len(report.certificate.names) == 1000
        assert report.url.startswith("https:")
    else:
        assert report.certificate is None
        assert report.url.startswith("http:")


def test_tls_that_never_ends_leaves_http(sites: Sites) -> None:
    silent_site = sites.holding(OUTSIDE)
    sites.plain(OUTSIDE, page(b"<title>plain</title>"))
    report = visit(sites, limits=SHORT)
    assert report.presence is Presence.UP
    assert report.url.startswith("http:")
    assert silent_site.connections == 1


def test_tls_that_never_ends_is_down(sites: Sites) -> None:
    sites.holding(OUTSIDE)
    report = visit(sites, limits=SHORT)
    assert (report.presence, report.error) == (Presence.DOWN, "Timeout")
    assert "https: TLS does not end" in report.reason


def test_a_host_that_drops_everything_costs_one_time_out(sites: Sites) -> None:
    """The http connection has until https gives up, so only https has a reason."""
    sites.dropping(OUTSIDE)
    report = visit(sites, limits=SHORT)
    assert (report.presence, report.error) == (Presence.DOWN, "Timeout")
    assert report.reason == "https: no connection within 1 s"
    assert report.url == f"http://x.test:{sites.http_port}/"


def test_no_tls_on_the_tls_port(sites: Sites) -> None:
    sites.holding(OUTSIDE, b"HTTP/1.1 400 Bad Request\r\n\r\n")
    report = visit(sites)
    assert (report.presence, report.error) == (Presence.DOWN, "SSL error")


# Redirects, and where they may not lead


def test_redirects_are_followed_to_their_end(
    sites: Sites, authority: Authority
) -> None:
    end = f"https://other.test:{sites.https_port}/in?a=b#part"
    sites.plain(OUTSIDE, by_target({"/": redirect("/a"), "/a": redirect(end)}))
    sites.tls(OTHER, page(b"<title>end</title>"), trusted(authority, "other.test"))
    report = visit(sites, ca_file=str(authority.ca_file))
    assert report.page is not None
    assert report.page.title == "end"
    assert report.page.url == f"https://other.test:{sites.https_port}/in?a=b"
    assert report.url == f"http://x.test:{sites.http_port}/"
    assert [(hop.status, hop.is_followed) for hop in report.hops] == [(302, True)] * 2
    assert report.hops[1].location == end
    assert report.certificate is None  # that of another host is not this host's


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://{inside}:{http}/", "loopback"),
        ("https://{inside}:{https}/", "loopback"),
        ("http://inside.test:{http}/", "loopback"),
        ("http://[::ffff:{inside}]:{http}/", "IPv6 form"),
        ("http://2130708737:{http}/", "loopback"),
        ("http://0x7f000901:{http}/", "loopback"),
        ("http://127.2305:{http}/", "loopback"),
        ("//{inside}:{http}/", "loopback"),
        ("http://localhost:{http}/", "loopback"),
        ("http://169.254.169.254/latest/meta-data/", "cloud metadata"),
        ("http://x.test:22/", "port 22"),
        ("http://user:pass@other.test:{http}/", "user info"),
        ("file:///etc/passwd", "scheme 'file'"),
        ("gopher://other.test/", "scheme 'gopher'"),
        ("javascript:alert(1)", "scheme 'javascript'"),
        ("http://[broken/", "no URL"),
        ("http://other.test:99999/", "no URL"),
        ("http://{long}/", "too long"),
        ("/", "leads back"),
        ("", "leads back"),
    ],
)
def test_a_redirect_is_recorded_and_not_followed(
    sites: Sites, location: str, reason: str
) -> None:
    """The canary inside listens on both ports and hears nothing."""
    canary = sites.plain(INSIDE, page(b"secret"))
    secure_canary = sites.holding(INSIDE)
    target = location.format(
        inside=INSIDE, http=sites.http_port, https=sites.https_port, long="a." * 150
    )
    other = sites.plain(OTHER, page())
    sites.plain(OUTSIDE, redirect(target))
    report = visit(sites)
    assert report.presence is Presence.UP
    assert report.page is not None
    assert report.page.status == 302
    (hop,) = report.hops
    assert not hop.is_followed
    assert reason in hop.reason
    assert hop.location == target
    assert canary.connections == secure_canary.connections == other.connections == 0


def test_the_canary_can_be_heard(sites: Sites) -> None:
    """Where it is allowed, the same redirect reaches it: the test above can fail."""
    canary = sites.plain(INSIDE, page(b"secret"))
    sites.plain(OUTSIDE, redirect(f"http://{INSIDE}:{sites.http_port}/"))
    visit(sites, guard=Guard(allowed=[ip_network("127.0.8.0/23")]))
    assert canary.connections == 1


def test_a_dead_target_is_a_hop_with_its_reason(sites: Sites) -> None:
    sites.plain(OUTSIDE, redirect(f"http://other.test:{sites.http_port}/"))
    report = visit(sites)
    assert report.presence is Presence.UP
    (hop,) = report.hops
    assert hop.is_followed
    assert hop.reason.startswith("Connection error: ")


def test_a_target_that_breaks_off_is_a_hop_with_its_reason(sites: Sites) -> None:
    """On a connection that was used before, only the new answer counts."""
    scripts = {"/": redirect("/a"), "/a": raw(b"no http\r\n\r\n")}
    site = sites.plain(OUTSIDE, by_target(scripts))
    report = visit(sites)
    assert site.connections == 1
    assert report.page is not None
    assert (report.page.status, report.page.url) == (302, report.url)
    assert report.hops[0].reason.startswith("Connection error: ")


def test_ten_redirects_are_the_most(sites: Sites) -> None:
    def script(one: Any) -> bool | None:
        return redirect(f"/{int(one.target[1:] or 0) + 1}")(one)

    site = sites.plain(OUTSIDE, script)
    report = visit(sites)
    assert len(site.visits) == 11
    assert [hop.is_followed for hop in report.hops] == [True] * 10 + [False]
    assert "number 11" in report.hops[-1].reason


def test_a_loop_of_two_hosts_ends(sites: Sites) -> None:
    sites.plain(OUTSIDE, redirect(f"http://other.test:{sites.http_port}/"))
    sites.plain(OTHER, redirect(f"http://x.test:{sites.http_port}/"))
    report = visit(sites)
    assert [hop.is_followed for hop in report.hops] == [True, False]
    assert "leads back" in report.hops[-1].reason


def test_a_location_is_bounded_and_printable(sites: Sites) -> None:
    location = "http://other.test/" + "a" * 5000
    sites.plain(OUTSIDE, redirect(location))
    sites.plain(OTHER, redirect("/\xfc\u202e".encode().decode("latin-1")))
    first, second = visit_all(sites, ["x.test", "other.test"])
    assert len(first.hops[0].location) == 2000
    assert not first.hops[0].is_followed
    assert second.hops[0].location == "/\xfc\\u202e"


# Names


@pytest.mark.parametrize(
    ("host", "presence", "state", "error"),
    [
        ("missing.test", Presence.DOWN, DnsState.NXDOMAIN, "DNS NXDOMAIN"),
        ("mail.test", Presence.DOWN, DnsState.NO_ADDRESS, "DNS no address"),
        ("failing.test", Presence.UNKNOWN, DnsState.SERVFAIL, "DNS SERVFAIL"),
        ("silent.test", Presence.UNKNOWN, DnsState.TIMEOUT, "DNS timeout"),
        ("a b.test", Presence.DOWN, DnsState.NXDOMAIN, "DNS NXDOMAIN"),
        ("x" * 64 + ".test", Presence.DOWN, DnsState.NXDOMAIN, "DNS NXDOMAIN"),
        ("y." * 130 + "test", Presence.DOWN, DnsState.NXDOMAIN, "DNS NXDOMAIN"),
        ("", Presence.DOWN, DnsState.NXDOMAIN, "DNS NXDOMAIN"),
        ("inside.test", Presence.UNKNOWN, DnsState.FOUND, "Not allowed"),
        (INSIDE, Presence.UNKNOWN, DnsState.FOUND, "Not allowed"),
        ("localhost", Presence.UNKNOWN, DnsState.FOUND, "Not allowed"),
        ("2130708737", Presence.UNKNOWN, DnsState.FOUND, "Not allowed"),
        ("x.test", Presence.DOWN, DnsState.FOUND, "Connection error"),
    ],
)
def test_what_is_not_up_says_why(
    sites: Sites, host: str, presence: Presence, state: DnsState, error: str
) -> None:
    canary = sites.plain(INSIDE, page())
    table = {**TABLE, "mail.test": {"MX": ["10 mx.test."]}}
    scripts = {"failing.test": says(dns.rcode.SERVFAIL), "silent.test": silent}
    report = visit(sites, host, table=table, scripts=scripts)
    assert (report.presence, report.dns.state) == (presence, state)
    assert report.error == error
    assert report.reason
    assert report.page is None
    assert canary.connections == 0


def test_private_addresses_among_a_hundred_are_left_out(sites: Sites) -> None:
    inside = [f"127.0.9.{n}" for n in range(1, 100)]
    canaries = [sites.plain(address, page()) for address in inside[:20]]
    site = sites.plain(OUTSIDE, page())
    report = visit(sites, table={"x.test": {"A": [*inside, OUTSIDE]}})
    assert report.presence is Presence.UP
    assert report.address == OUTSIDE
    assert len(report.dns.addresses) == 100
    assert site.connections == 1
    assert sum(canary.connections for canary in canaries) == 0


def test_an_answer_that_changes_after_the_check_leads_nowhere(sites: Sites) -> None:
    """DNS rebinding: outside for the first question, inside for all later ones."""
    asked: list[str] = []

    def rebinding(query: dns.message.QueryMessage) -> bytes:
        response = dns.message.make_response(query)
        if query.question[0].rdtype == 1:
            asked.append("A")
            address = OUTSIDE if len(asked) == 1 else INSIDE
            records = dns.rrset.from_text(query.question[0].name, 0, "IN", "A", address)
            response.answer.append(records)
        return response.to_wire()

    canary = sites.plain(INSIDE, page())
    site = sites.plain(OUTSIDE, by_target({"/": redirect("/a"), "/a": page()}))
    report = visit(sites, scripts={"x.test": rebinding}, wants_icons=True)
    assert report.presence is Presence.UP
    assert [one.target for one in site.visits] == ["/", "/a", "/favicon.ico"]
    assert len(asked) == 1
    assert canary.connections == 0


def test_a_wildcard_is_visited_as_its_parent_then_as_www(sites: Sites) -> None:
    sites.plain(OTHER, page(b"<title>www</title>"))
    table = {"x.test": {"A": [OUTSIDE]}, "www.x.test": {"A": [OTHER]}}
    report = visit(sites, "*.x.test", table=table)
    assert (report.host, report.visited) == ("*.x.test", "www.x.test")
    assert report.presence is Presence.UP
    sites.plain(OUTSIDE, page())
    report = visit(sites, "*.x.test", table=table)
    assert (report.host, report.visited) == ("*.x.test", "x.test")


def test_a_dead_wildcard_tells_what_is_least_sure(sites: Sites) -> None:
    scripts = {"www.x.test": says(dns.rcode.SERVFAIL)}
    report = visit(sites, "*.x.test", scripts=scripts)
    assert (report.presence, report.visited) == (Presence.UNKNOWN, "www.x.test")
    report = visit(sites, "*.x.test", table={})
    assert (report.presence, report.visited) == (Presence.DOWN, "x.test")


def test_names_in_unicode_and_with_underscores(
    sites: Sites, authority: Authority
) -> None:
    names = ["xn--mller-kva.test", "a_b.test"]
    sites.tls(OUTSIDE, page(), trusted(authority, *names))
    reports = visit_all(
        sites,
        ["m\u00fcller.test", "a_b.test"],
        table={name: {"A": [OUTSIDE]} for name in names},
        ca_file=str(authority.ca_file),
    )
    for report in reports:
        assert report.presence is Presence.UP
        assert report.certificate is not None
        assert report.certificate.problem == ""
    assert reports[0].visited == "m\u00fcller.test"


# Answers that do not end, or are none


def test_a_gzip_bomb_is_unpacked_as_far_as_it_is_kept(sites: Sites) -> None:
    """100 MB in 100 kB; what is held at the same time stays far below."""
    bomb = gzip.compress(b"<title>boom</title>" + bytes(100 << 20), 9)
    sites.plain(OUTSIDE, page(bomb, headers=["Content-Encoding: gzip"]))
    tracemalloc.start()
    try:
        report = visit(sites)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.page is not None
    assert report.page.title == "boom"
    assert (report.page.body_bytes, report.page.is_truncated) == (64 * 1024, True)
    assert peak_bytes < 20 << 20


def test_a_broken_gzip_keeps_what_was_read(sites: Sites) -> None:
    packed = gzip.compress(b"<title>half</title>" + bytes(range(256)) * 90)
    broken = packed[: len(packed) // 2] + b"\xff" * 50
    sites.plain(OUTSIDE, page(broken, headers=["Content-Encoding: gzip"]))
    found = visit(sites).page
    assert found is not None
    assert found.is_truncated


def test_an_endless_body_is_cut(sites: Sites) -> None:
    sites.plain(OUTSIDE, endless(OK + b"\r\n<title>on and on</title>"))
    found = visit(sites).page
    assert found is not None
    assert (found.title, found.body_bytes) == ("on and on", 64 * 1024)
    assert found.is_truncated


def test_a_slow_body_leaves_what_was_read(sites: Sites) -> None:
    sites.plain(OUTSIDE, dripping(OK + b"\r\n<title>slow</title>", b"x"))
    report = visit(sites, limits=SHORT)
    assert report.presence is Presence.UP
    assert report.page is not None
    assert (report.page.title, report.page.is_truncated) == ("slow", True)


def test_a_body_cut_short_leaves_what_was_read(sites: Sites) -> None:
    sites.plain(OUTSIDE, raw(OK + b"Content-Length: 999\r\n\r\n<title>cut</title>"))
    found = visit(sites).page
    assert found is not None
    assert (found.title, found.is_truncated) == ("cut", True)


@pytest.mark.parametrize(
    "script",
    [
        dripping(OK, b"X"),
        endless(OK, b"X-Flood: 1\r\n" * 1000),
        endless(OK + b"X-Long: ", b"x" * 65536),
        raw(OK + b"no header at all\r\n\r\n"),
        raw(OK + b"Content-Length: many\r\n\r\n"),
        raw(OK),
    ],
    ids=["slow", "flood", "long", "none", "length", "cut"],
)
def test_headers_that_never_end_do_not_hide_a_site(sites: Sites, script: Any) -> None:
    """It began to answer in HTTP: it is up, and no more is known of it."""
    sites.plain(OUTSIDE, script)
    report = visit(sites, limits=SHORT)
    assert report.presence is Presence.UP
    assert report.page is not None
    assert report.page.status == 200
    assert report.reason


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc Hm\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"\x00" * 5000,
        b"220 mail.test ESMTP\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_what_is_not_http_is_down(sites: Sites, answer: bytes) -> None:
    sites.plain(OUTSIDE, raw(answer))
    report = visit(sites)
    assert report.presence is Presence.DOWN
    assert report.error == "Connection error"
    assert "http: " in report.reason


def test_a_site_that_says_nothing_is_down_in_time(sites: Sites) -> None:
    sites.plain(OUTSIDE, dripping(b"", b""))
    report = visit(sites, limits=SHORT)
    assert (report.presence, report.error) == (Presence.DOWN, "Timeout")
    assert "no answer within 3 s" in report.reason


def test_titles_of_strangers_are_one_line(sites: Sites) -> None:
    title = "<b>\x1b[2J\r\nlogin\u202e" + "x" * 1000
    body = f"<title>{title}</title>".encode("utf-16")
    sites.plain(OUTSIDE, page(body, headers=["Server: \x1b[2Jevil"]))
    found = visit(sites).page
    assert found is not None
    assert found.title.startswith("<b>\\x1b[2J login\\u202exxx")
    assert len(found.title) == 300
    assert "\x1b" not in found.server


def test_many_hostile_sites_at_the_same_time(sites: Sites) -> None:
    hosts = [f"h{n}.test" for n in range(60)]
    scripts = [page(), endless(OK + b"\r\n"), raw(b"no"), redirect("/")]
    for n, script in enumerate(scripts):
        sites.plain(f"127.0.8.{n + 1}", script)
    table = {host: {"A": [f"127.0.8.{n % 5 + 1}"]} for n, host in enumerate(hosts)}
    reports = visit_all(sites, hosts, table=table)
    ups = [report.presence is Presence.UP for report in reports]
    assert ups == [n % 5 in (0, 1, 3) for n in range(60)]


# Proxies: no name is asked of anybody but the proxy


@pytest.mark.parametrize("kind", ["http", "socks5", "socks5h"])
def test_a_proxy_carries_everything(
    sites: Sites, authority: Authority, tmp_path: Path, kind: str
) -> None:
    """The proxies resolve `127.0.8.1`; the name server is never asked anything."""
    scripts = {"/": redirect("/a"), "/a": page(b"<title>through</title>")}
    sites.tls(OUTSIDE, by_target(scripts), authority.wrong_name())
    run = tinyproxy if kind == "http" else microsocks
    with run(tmp_path, "me", "secret") as running, DnsServer(TABLE) as canary:
        proxy = Proxy(kind, running.host, running.port, "me", "secret")
        report = visit_through(proxy, canary, sites, OUTSIDE, wants_icons=True)
        assert canary.questions == []
        assert running.tunnels() == 2  # the second without verification
    assert report.presence is Presence.UP
    assert report.page is not None
    assert report.page.title == "through"
    assert report.dns.state is DnsState.NOT_APPLICABLE
    assert report.address == ""
    assert report.certificate is not None
    assert report.certificate.problem


def visit_through(
    proxy: Proxy, dns_server: DnsServer, sites: Sites, host: str, **options: Any
) -> SiteReport:
    options.setdefault("limits", LONG)

    async def run() -> SiteReport:
        visitor = SiteVisitor(
            Names([dns_server.address]),
            Guard(allowed=[ip_network("127.0.8.0/24")]),
            user_agent=lambda: "agent/1",
            https_ports=[sites.https_port],
            http_ports=[sites.http_port],
            proxy=proxy,
            **options,
        )
        async with visitor:
            return await visitor.visit(host)

    return asyncio.run(run())


@pytest.mark.parametrize("kind", ["http", "socks5h"])
@pytest.mark.parametrize("host", ["x.invalid", "127.0.8.77"])
def test_a_dead_site_behind_a_proxy_is_down(
    sites: Sites, tmp_path: Path, kind: str, host: str
) -> None:
    """What the proxy says of it never counts as the site's answer."""
    run = tinyproxy if kind == "http" else microsocks
    with run(tmp_path) as running, DnsServer(TABLE) as canary:
        proxy = Proxy(kind, running.host, running.port)
        report = visit_through(proxy, canary, sites, host)
        assert canary.questions == []
    assert (report.presence, report.error) == (Presence.DOWN, "Connection error")
    assert "proxy" in report.reason


@pytest.mark.parametrize("why", ["absent", "refused", "silent", "reset"])
def test_a_visit_that_failed_is_freed_without_the_collector(
    sites: Sites, why: str
) -> None:
    """Half of all hosts are dead, and the collector comes late."""
    if why == "silent":
        sites.holding(OUTSIDE)
    elif why == "reset":
        sites.plain(OUTSIDE, raw(b""))
    gc.collect()
    gc.disable()
    try:
        report = visit(sites, "a.test" if why == "absent" else "x.test", limits=SHORT)
        held = [o for o in gc.get_objects() if isinstance(o, Session | VisitFailure)]
    finally:
        gc.enable()
    assert report.presence is Presence.DOWN
    assert held == []


@pytest.mark.parametrize("kind", ["http", "socks5h"])
def test_a_proxy_that_refuses_us_says_nothing_of_the_site(
    sites: Sites, tmp_path: Path, kind: str
) -> None:
    run = tinyproxy if kind == "http" else microsocks
    with run(tmp_path, "me", "secret") as running, DnsServer(TABLE) as canary:
        proxy = Proxy(kind, running.host, running.port, "me", "wrong")
        report = visit_through(proxy, canary, sites, OUTSIDE)
    assert report.presence is Presence.UNKNOWN
    proxy = Proxy(kind, running.host, running.port)
    with DnsServer(TABLE) as canary:
        report = visit_through(proxy, canary, sites, OUTSIDE)
    assert report.presence is Presence.UNKNOWN
    assert "cannot be used" in report.reason


# Proxies that make tunnels to port 443 alone, as they come out of the box


def visit_relayed(
    sites: Sites,
    directory: Path,
    *,
    host: str = OUTSIDE,
    login: Sequence[str] = (),
    settings: Sequence[str] = (),
    **options: Any,
) -> SiteReport:
    options.setdefault("wants_icons", False)
    stock = tinyproxy(directory, *login, connect_ports=[443], settings=settings)
    with stock as running, DnsServer(TABLE) as canary:
        proxy = Proxy("http", running.host, running.port, *login)
        report = visit_through(proxy, canary, sites, host, **options)
        assert canary.questions == []
    return report


def test_a_proxy_without_tunnels_relays_plain_http(
    sites: Sites, tmp_path: Path
) -> None:
    scripts = {
        "/": redirect("/a?b=%C3%A9"),
        "/a?b=%C3%A9": page(b"<title>relayed</title>", headers=["Set-Cookie: a=b"]),
        "/favicon.ico": page(b"icon", content_type="image/png"),
    }
    site = sites.plain(OUTSIDE, by_target(scripts))
    report = visit_relayed(sites, tmp_path, login=("me", "secret"), wants_icons=True)
    assert (report.presence, report.address) == (Presence.UP, "")
    assert report.url == f"http://{OUTSIDE}:{sites.http_port}/"
    assert report.page is not None
    assert (report.page.status, report.page.title) == (200, "relayed")
    assert report.page.favicon_mmh3 == icon_hash(b"icon")
    # One connection each: tinyproxy would pass on the password in a second request.
    assert [visit.target for visit in site.visits] == list(scripts)
    assert site.connections == len(scripts)
    for visit in site.visits:
        assert not visit.header("Proxy-Authorization")
        assert not visit.header("Cookie")
    log = (tmp_path / "tinyproxy.log").read_text()
    assert log.count(f"CONNECT {OUTSIDE}:{sites.http_port}") == 1


@pytest.mark.parametrize("host", ["x.invalid", "127.0.8.77"])
def test_what_a_relaying_proxy_says_of_a_dead_site_is_no_answer(
    sites: Sites, tmp_path: Path, host: str
) -> None:
    report = visit_relayed(sites, tmp_path, host=host)
    assert (report.presence, report.page) == (Presence.UNKNOWN, None)
    assert "http: proxy http://127.0.0.1:" in report.reason
    assert "says 500 Unable to connect" in report.reason


@pytest.mark.parametrize(
    ("status", "presence"),
    [
        ("404 Not Found", Presence.UP),
        ("501 Not Implemented", Presence.UP),
        ("403 Forbidden", Presence.UNKNOWN),  # as the proxy says to CONNECT
        ("407 Who are you", Presence.UNKNOWN),
        ("502 Bad Gateway", Presence.UNKNOWN),
        ("503 Service Unavailable", Presence.UNKNOWN),
        ("504 Gateway Timeout", Presence.UNKNOWN),
    ],
)
def test_a_relayed_answer_counts_unless_it_may_be_of_the_proxy(
    sites: Sites, tmp_path: Path, status: str, presence: Presence
) -> None:
    sites.plain(OUTSIDE, page(status=status))
    report = visit_relayed(sites, tmp_path)
    assert report.presence is presence
    if presence is Presence.UNKNOWN:
        assert f"says {status}" in report.reason
    assert ("[CONNECT] Proxy" in report.reason) == status.startswith("407")


@pytest.mark.parametrize("status", ["403 Forbidden", "503 Service Unavailable"])
def test_squid_marks_what_is_its_own_so_all_else_counts(
    sites: Sites, tmp_path: Path, status: str
) -> None:
    headers = ["Via: 1.1 proxy.example (squid/5.7)"]
    sites.plain(OUTSIDE, page(status=status, headers=headers))
    assert visit_relayed(sites, tmp_path).presence is Presence.UP
    headers.append("X-Squid-Error: ERR_CONNECT_FAIL 111")
    sites.plain("127.0.8.2", page(status=status, headers=headers))
    report = visit_relayed(sites, tmp_path, host="127.0.8.2")
    assert report.presence is Presence.UNKNOWN


def test_a_relayed_answer_that_is_not_http_says_nothing_of_the_site(
    sites: Sites, tmp_path: Path
) -> None:
    sites.plain(OUTSIDE, raw(b"no HTTP at all\r\n\r\n"))
    report = visit_relayed(sites, tmp_path)
    assert (report.presence, report.page) == (Presence.UNKNOWN, None)


def test_a_site_that_the_proxy_forbids_is_unknown(sites: Sites, tmp_path: Path) -> None:
    site = sites.plain(OUTSIDE, page())
    (tmp_path / "forbidden").write_text("127.0.8.1\n")
    settings = [f'Filter "{tmp_path / "forbidden"}"']
    report = visit_relayed(sites, tmp_path, settings=settings)
    assert (report.presence, site.connections) == (Presence.UNKNOWN, 0)
    assert "says 403 Filtered" in report.reason


def test_tls_is_never_relayed(
    sites: Sites, authority: Authority, tmp_path: Path
) -> None:
    site = sites.tls(OUTSIDE, page(), authority.wrong_name())
    report = visit_relayed(sites, tmp_path)
    assert (report.presence, site.connections) == (Presence.UNKNOWN, 0)
    assert "https: proxy" in report.reason
    assert "says 403" in report.reason


def test_redirects_of_relayed_answers_are_judged(sites: Sites, tmp_path: Path) -> None:
    canary_site = sites.plain(INSIDE, page())
    sites.plain(OUTSIDE, redirect(f"http://0x7f.0.9.1:{sites.http_port}/"))
    report = visit_relayed(sites, tmp_path)
    assert report.presence is Presence.UP
    assert not report.hops[0].is_followed
    assert canary_site.connections == 0


@pytest.mark.parametrize(
    "host", [INSIDE, "localhost", "127.2305", "intranet", "metadata.google.internal"]
)
def test_a_proxy_is_not_asked_for_what_is_inside(
    sites: Sites, tmp_path: Path, host: str
) -> None:
    canary_site = sites.plain(INSIDE, page())
    with microsocks(tmp_path) as running, DnsServer(TABLE) as canary:
        proxy = Proxy("socks5h", running.host, running.port)
        report = visit_through(proxy, canary, sites, host)
        assert running.tunnels() == 0
    assert (report.presence, report.error) == (Presence.UNKNOWN, "Not allowed")
    assert canary_site.connections == 0


def test_redirects_behind_a_proxy_are_judged(sites: Sites, tmp_path: Path) -> None:
    canary_site = sites.plain(INSIDE, page())
    sites.plain(OUTSIDE, redirect(f"http://0x7f.0.9.1:{sites.http_port}/"))
    with tinyproxy(tmp_path) as running, DnsServer(TABLE) as canary:
        proxy = Proxy("http", running.host, running.port)
        report = visit_through(proxy, canary, sites, OUTSIDE)
    assert not report.hops[0].is_followed
    assert canary_site.connections == 0


def test_a_ca_file_that_is_none_is_a_mistake_of_the_settings(tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate")
    for path in (broken, tmp_path / "missing.pem"):
        with pytest.raises(ConfigError, match="CA_File"):
            SiteVisitor(
                Names([("127.0.0.1", 53)]),
                Guard(),
                user_agent=str,
                ca_file=str(path),
            )
