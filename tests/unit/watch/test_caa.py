"""RFC 8659 as a CA reads it: whose records count, and what they allow."""

import asyncio
import random
from collections.abc import Sequence

import dns.asyncresolver
import dns.message
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.model.text import printable
from ctmonitor.watch.caa import Caa, CaaVerdict, Property, Verdict, judge
from ctmonitor.watch.lookup import AROUND_PROXY, REST_S
from tests.fakes.dns import DnsServer, Script, nobody, says, silent

ALLOWED, FORBIDDEN, UNKNOWN = Verdict
OURS = ("ca1.example.net", "ca2.example.org")


def resolver(server: tuple[str, int]) -> dns.asyncresolver.Resolver:
    made = dns.asyncresolver.Resolver(configure=False)
    made.nameservers = [server[0]]
    made.port = server[1]
    return made


def check(
    server: DnsServer,
    *names: str,
    identifiers: Sequence[str] | None = OURS,
    timeout_s: float = 5.0,
) -> CaaVerdict:
    async def run() -> CaaVerdict:
        caa = Caa(resolver(server.address), timeout_s=timeout_s)
        return await caa.check(names, identifiers)

    return asyncio.run(run())


def caa(*records: str) -> dict[str, list[str]]:
    return {"CAA": list(records)}


@pytest.mark.parametrize(
    ("records", "host", "wildcard"),
    [
        (['0 issue "ca1.example.net"'], ALLOWED, ALLOWED),
        (['0 issue "ca3.example.net"'], FORBIDDEN, FORBIDDEN),
        (['0 issue ";"'], FORBIDDEN, FORBIDDEN),
        (['0 issue ""'], FORBIDDEN, FORBIDDEN),
        (['0 issue "%%%%%"'], FORBIDDEN, FORBIDDEN),
        (['0 issue "*"'], FORBIDDEN, FORBIDDEN),
        (['0 issue "ca1.example.net; account=230123"'], ALLOWED, ALLOWED),
        (['0 issue "\t ca1.example.net  ;"'], ALLOWED, ALLOWED),
        (['0 issue "CA1.Example.Net"'], ALLOWED, ALLOWED),
        (['0 ISSUE "ca3.example.net"'], FORBIDDEN, FORBIDDEN),
        (['0 issue "ca3.test"', '0 issue "ca2.example.org"'], ALLOWED, ALLOWED),
        (['0 issue ";"', '0 issue "ca1.example.net"'], ALLOWED, ALLOWED),
        (['0 iodef "mailto:a@x.test"'], ALLOWED, ALLOWED),
        (['0 issuewild "ca1.example.net"'], ALLOWED, ALLOWED),
        (['0 issuewild ";"'], ALLOWED, FORBIDDEN),
        (['0 issue "ca1.example.net"', '0 issuewild ";"'], ALLOWED, FORBIDDEN),
        (['0 issue ";"', '0 issuewild "ca1.example.net"'], FORBIDDEN, ALLOWED),
        (['0 issue "ca3.test"', '0 issuewild "ca1.example.net"'], FORBIDDEN, ALLOWED),
        (['0 issuemail ";"'], ALLOWED, ALLOWED),
        (['128 issue "ca1.example.net"'], ALLOWED, ALLOWED),
        (['128 iodef "mailto:a@x.test"'], ALLOWED, ALLOWED),
        (['128 tbs "Unknown"'], FORBIDDEN, FORBIDDEN),
        (['0 issue "ca1.example.net"', '128 tbs "Unknown"'], FORBIDDEN, FORBIDDEN),
        (['0 issue "ca1.example.net"', '0 tbs "Unknown"'], ALLOWED, ALLOWED),
        # A flag that people write for "critical"; only 128 is.
        (['0 issue "ca1.example.net"', '1 tbs "Unknown"'], ALLOWED, ALLOWED),
    ],
)
def test_what_records_allow(
    records: list[str], host: Verdict, wildcard: Verdict
) -> None:
    with DnsServer({"x.test": caa(*records)}) as server:
        assert check(server, "x.test").verdict is host
        assert check(server, "*.x.test").verdict is wildcard


def test_the_closest_name_with_records_counts() -> None:
    table = {
        "x.test": caa('0 issue "ca1.example.net"'),
        "b.x.test": caa('0 issue "ca3.example.net"'),
        "a.b.x.test": {"A": ["127.0.9.1"]},
    }
    with DnsServer(table) as server:
        # a.b: has none; b: has one. What does not exist is looked for above as well.
        assert check(server, "a.b.x.test").at == "b.x.test"
        assert check(server, "a.b.x.test").verdict is FORBIDDEN
        assert check(server, "*.b.x.test").at == "b.x.test"
        assert check(server, "none.c.x.test") == CaaVerdict(
            ALLOWED,
            '0 issue "ca1.example.net"',
            "x.test",
            "CAA of x.test allows certificates of ca1.example.net",
        )


def test_no_records_up_to_the_top_restrict_nobody() -> None:
    with DnsServer({"x.test": {"A": ["127.0.9.1"]}}) as server:
        found = check(server, "*.a.x.test")
    why = "neither *.a.x.test nor a name above it has a CAA record"
    assert found == CaaVerdict(ALLOWED, why=why)
    assert server.questions == [(n, "CAA") for n in ("a.x.test", "x.test", "test")]


def test_the_records_of_a_top_level_domain_count() -> None:
    with DnsServer({"test": caa('0 issue ";"')}) as server:
        assert check(server, "x.test").verdict is FORBIDDEN


def test_an_alias_has_the_records_of_its_end() -> None:
    table = {
        "www.x.test": {"CNAME": ["edge.cdn.test."]},
        "edge.cdn.test": {"CNAME": ["n1.cdn.test."]},
        "n1.cdn.test": caa('0 issue "ca3.example.net"'),
        "x.test": caa('0 issue "ca1.example.net"'),
    }
    with DnsServer(table) as server:
        found = check(server, "www.x.test")
    assert (found.verdict, found.at) == (FORBIDDEN, "www.x.test")


@pytest.mark.parametrize("end", ["n1.cdn.test.", "gone.cdn.test."])
def test_behind_an_alias_without_records_our_own_parents_count(end: str) -> None:
    """RFC 8659 section 3; RFC 6844 asked those of the alias, too."""
    table = {
        "www.x.test": {"CNAME": [end]},
        "n1.cdn.test": {"A": ["127.0.9.1"]},
        "cdn.test": caa('0 issue ";"'),
        "x.test": caa('0 issue "ca1.example.net"'),
    }
    with DnsServer(table) as server:
        found = check(server, "www.x.test")
    assert (found.verdict, found.at) == (ALLOWED, "x.test")


def test_why_it_is_forbidden_is_told_the_same_each_time() -> None:
    records = ['0 issue "ca4.test"', '0 issue "ca3.test; a=b"', '0 iodef "mailto:a@x"']
    with DnsServer({"x.test": caa(*records)}) as server:
        found = {check(server, "x.test") for _ in range(5)}
    assert found == {
        CaaVerdict(
            FORBIDDEN,
            '0 issue "ca3.test; a=b"; 0 issue "ca4.test"',
            "x.test",
            "CAA of x.test allows certificates of ca3.test, ca4.test alone",
        )
    }


def test_nobody_and_unknown_properties_are_told_in_words() -> None:
    with DnsServer(
        {"a.test": caa('0 issue ";"'), "b.test": caa('128 tbs "?"')}
    ) as dns_:
        assert check(dns_, "*.a.test").why == "CAA of a.test allows wildcards of nobody"
        assert (
            "a critical property that no CA knows: 'tbs'" in check(dns_, "b.test").why
        )


def test_one_forbidden_name_is_enough_and_unknown_is_not_allowed() -> None:
    table = {
        "a.test": caa('0 issue "ca1.example.net"'),
        "b.test": caa('0 issue ";"'),
    }
    with DnsServer(table, {"c.test": says(dns.rcode.SERVFAIL)}) as server:
        assert check(server, "a.test", "c.test", "b.test").verdict is FORBIDDEN
        assert check(server, "a.test", "c.test").verdict is UNKNOWN
        assert check(server, "a.test", "www.a.test").verdict is ALLOWED


@pytest.mark.parametrize(
    "script",
    [
        says(dns.rcode.SERVFAIL),
        says(dns.rcode.REFUSED),
        silent,
        lambda query: b"",
        lambda query: b"\x00" * 40,
        lambda query: query.to_wire()[:2] + b"\xff" * 600,
    ],
    ids=["SERVFAIL", "REFUSED", "silent", "empty", "zeros", "garbage"],
)
def test_what_fails_is_unknown_and_is_not_climbed_over(script: Script) -> None:
    table = {"x.test": caa('0 issue "ca1.example.net"')}
    with DnsServer(table, {"www.x.test": script}) as server:
        found = check(server, "www.x.test", timeout_s=0.3)
    assert (found.verdict, found.at) == (UNKNOWN, "www.x.test")
    assert found.why.startswith("CAA of www.x.test: ")
    assert ("x.test", "CAA") not in server.questions


def test_an_alias_that_leads_to_itself_is_unknown() -> None:
    table = {"x.test": {"CNAME": ["y.test."]}, "y.test": {"CNAME": ["x.test."]}}
    with DnsServer(table) as server:
        assert check(server, "x.test").verdict is UNKNOWN


@pytest.mark.parametrize("identifiers", [None, ()])
def test_an_issuer_without_known_identifiers_is_unknown(
    identifiers: Sequence[str] | None,
) -> None:
    with DnsServer({"x.test": caa('0 issue ";"')}) as server:
        assert check(server, "x.test", identifiers=identifiers).verdict is UNKNOWN
    assert server.questions == []


def test_each_name_is_asked_for_once_in_a_run() -> None:
    async def run(server: DnsServer) -> None:
        one = Caa(resolver(server.address), timeout_s=5)
        names = [f"n{number % 10}.x.test" for number in range(60)]
        await asyncio.gather(*(one.check([name], OURS) for name in names))
        await one.check(["n1.x.test", "bad.x.test"], OURS)
        await one.check(["*.n2.x.test", "bad.x.test"], OURS)

    failing = {"bad.x.test": says(dns.rcode.SERVFAIL)}
    with DnsServer({"x.test": caa('0 issue ";"')}, failing) as server:
        asyncio.run(run(server))
    asked = sorted(name for name, _ in server.questions)
    assert asked == [
        "bad.x.test",
        *(f"n{number}.x.test" for number in range(10)),
        "x.test",
    ]


def test_when_nobody_answers_the_rest_is_unknown_at_once() -> None:
    async def run(server: tuple[str, int]) -> list[CaaVerdict]:
        one = Caa(resolver(server), timeout_s=0.05, at_once=5)
        names = [f"n{number}.x.test" for number in range(200)]
        return await asyncio.gather(*(one.check([name], OURS) for name in names))

    with nobody() as address:
        found = asyncio.run(run(address))
    assert {one.verdict for one in found} == {UNKNOWN}
    given_up = [one for one in found if one.why.startswith("no name server answers")]
    assert 145 < len(given_up) <= 150


def test_the_next_run_asks_anew() -> None:
    async def run(server: DnsServer) -> list[Verdict]:
        now_s = 0.0
        one = Caa(resolver(server.address), clock=lambda: now_s)
        found = []
        for moment_s in (0.0, REST_S - 1, REST_S):
            now_s = moment_s
            found.append((await one.check(["x.test"], OURS)).verdict)
            server.table["x.test"] = caa('0 issue ";"')
        return found

    with DnsServer({"x.test": caa('0 issue "ca1.example.net"')}) as server:
        assert asyncio.run(run(server)) == [ALLOWED, ALLOWED, FORBIDDEN]


def test_nothing_is_asked_around_a_proxy() -> None:
    found = asyncio.run(Caa(None).check(["x.test"], OURS))
    assert (found.verdict, found.why) == (UNKNOWN, AROUND_PROXY)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 255),
            st.sampled_from(["issue", "issuewild", "iodef", "tbs", "", "\x00\n"]),
            st.text(max_size=20),
        ),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
)
def test_any_records_give_a_verdict(
    records: list[tuple[int, str, str]], is_wildcard: bool
) -> None:
    found = [Property(*each, text=repr(each)) for each in records]
    verdict = judge(found, "x.test", frozenset(OURS), is_wildcard=is_wildcard)
    assert verdict.verdict in (ALLOWED, FORBIDDEN)
    assert printable(verdict.why) == verdict.why
    assert printable(verdict.record) == verdict.record


def with_record(rdata: bytes) -> Script:
    """Answers with one record of any bytes."""

    def script(query: dns.message.QueryMessage) -> bytes:
        response = dns.message.make_response(query)
        kind = (dns.rdataclass.IN, dns.rdatatype.CAA)
        record = dns.rdata.GenericRdata(*kind, rdata)
        name = query.question[0].name
        response.answer.append(dns.rrset.from_rdata(name, 60, record))
        return response.to_wire()

    return script


def test_any_bytes_of_a_record_give_a_verdict() -> None:
    rng = random.Random(7)
    wires = [
        b"",
        b"\x00",
        b"\x00\x00",
        b"\x00\x05issu",
        b"\x00\xffissue",
        b"\x00\x05issue\xff\x00\n\x1b[2J",
        b"\x80\x05iss-e;",
        b"\x00\x05issue" + b"a" * 60_000,
        *(rng.randbytes(rng.randrange(40)) for _ in range(50)),
    ]
    scripts = {f"n{at}.test": with_record(wire) for at, wire in enumerate(wires)}

    async def run(server: DnsServer) -> list[CaaVerdict]:
        one = Caa(resolver(server.address), timeout_s=0.5)
        return await asyncio.gather(*(one.check([name], OURS) for name in scripts))

    with DnsServer({}, scripts) as server:
        found = asyncio.run(run(server))
    assert len(found) == len(wires)
    for each in found:
        assert each.verdict is not ALLOWED or "restricts no CA" in each.why
        assert printable(each.why) == each.why
        assert len(each.why) < 500
        assert len(each.record) <= 300
    # With a sound tag and any value it is a record like others.
    assert found[5].verdict is FORBIDDEN
    assert found[7].verdict is FORBIDDEN
