"""crt.sh is asked with patience, and believed only when it sends a list of rows."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.errors import FormatError, SourceError
from ctmonitor.model.own import Claim, OwnSource
from ctmonitor.net.client import Client
from ctmonitor.net.route import Route
from ctmonitor.sources import crtsh
from ctmonitor.sources.crtsh import CrtSh
from ctmonitor.sources.ownsource import Answer
from tests.data import VECTORS, shared
from tests.fakes.api import ApiServer, Reply
from tests.fakes.crtsh import FAULTS, FakeCrtSh, row

NOW = "2026-11-21T12:00:00"


class Clock:
    """Sleeps without taking time."""

    def __init__(self, stop_after: int = 10**9) -> None:
        self.slept: list[float] = []
        self._stop_after = stop_after

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def stopped(self) -> bool:
        return len(self.slept) >= self._stop_after


@contextmanager
def asking(
    server: ApiServer,
    clock: Clock,
    *,
    pause_s: float = 0,
    tries: int = 3,
    retry_s: float = 5,
    timeout_s: float = 5,
) -> Iterator[CrtSh]:
    client = Client(
        "ctmonitor-test",
        route=Route(use_environment=False),
        timeout_s=timeout_s,
        max_bytes=1_000_000,
        limited_by="[OWN] Max_Answer_MB",
        retries=0,
        threads=1,
    )
    with client:
        yield CrtSh(
            client,
            server.url,
            pause_s=pause_s,
            tries=tries,
            retry_s=retry_s,
            sleep=clock.sleep,
            stopped=clock.stopped,
            draw=lambda: 1.0,
        )


def answer_of(
    server: ApiServer, domain: str = "example.com", **asked: Any
) -> tuple[Answer, Clock]:
    clock = Clock()
    with server, asking(server, clock) as source:
        return source.answer(domain, **asked), clock


def served(*bodies: object) -> ApiServer:
    """Sends each of `bodies` once, as JSON or as the bytes they are; then `[]`."""
    left = list(bodies)

    def reply(_: object) -> Reply:
        body = left.pop(0) if left else []
        return Reply(body=body) if isinstance(body, bytes) else Reply.of(body)

    return ApiServer(reply)


def claims_of(*rows: object, domain: str = "example.com") -> tuple[Claim, ...]:
    return answer_of(served(list(rows)), domain)[0].claims


# What is asked, and what comes back


def test_the_domain_and_what_is_below_it_are_two_questions() -> None:
    server = FakeCrtSh({"example.com": []}, now=NOW)
    answer, clock = answer_of(server)
    assert answer == Answer(OwnSource.CRTSH, ())
    common = {"output": "json", "deduplicate": "Y"}
    assert server.questions == [
        {"q": "%.example.com", **common},
        {"q": "example.com", **common},
    ]
    assert server.requests[0].path.startswith("/?q=%25.example.com&")
    assert server.requests[0].headers["accept"] == "application/json"
    assert clock.slept == []


def test_one_name_alone_is_one_question() -> None:
    rows = [row("examp1e.com", "2026-11-01"), row("a.examp1e.com", "2026-11-01")]
    server = FakeCrtSh({"examp1e.com": rows}, now=NOW)
    answer, _ = answer_of(server, "examp1e.com", exact=True)
    assert [claim.names for claim in answer.claims] == [("examp1e.com",)]
    assert [question["q"] for question in server.questions] == ["examp1e.com"]


def test_a_row_of_today_is_a_claim() -> None:
    given = row(
        ["example.com", "*.dev.example.com", "www.example.org"],
        "2026-11-01T10:00:00",
        id=27925475296,
        serial="0005E3a3",
        logged="2026-11-01T10:58:31",
    )
    server = FakeCrtSh({"example.com": [given]}, now=NOW)
    answer, _ = answer_of(server)
    [claim] = answer.claims
    # Each of the two questions gave the name that matched it.
    assert set(claim.names) == {"example.com", "*.dev.example.com"}
    assert claim.issuer.organisation == "Let's Encrypt"
    assert claim.issuer.identity == "us|let's encrypt|e7"
    assert claim.issuer.ca_id == 295819
    assert (claim.serial, claim.ids) == ("5e3a3", ("27925475296",))
    assert claim.not_before == "2026-11-01T10:00:00"
    assert claim.not_after == "2027-01-30T09:59:59"
    assert claim.logged == "2026-11-01T10:58:31"
    assert claim.link == f"{server.url}/?id=27925475296"
    assert (claim.source, claim.is_revoked) == (OwnSource.CRTSH, None)


def test_names_of_others_mail_addresses_and_organisations_are_evidence_alone() -> None:
    given = row("x", "2026-11-01")
    given["name_value"] = (
        "WWW.example.com\nroot@example.com\nExample Inc\nevil.org\r\nnotexample.com\n"
        "bücher.example.com\n*.*.example.com\n\nwww.example.com"
    )
    given["common_name"] = "cn.example.com"
    [claim] = claims_of(given)
    assert claim.names == (
        *("www.example.com", "xn--bcher-kva.example.com", "cn.example.com"),
    )
    assert "root@example.com" in claim.all_names
    assert "Example Inc" in claim.all_names
    assert "evil.org" in claim.all_names
    assert claim.all_names.count("www.example.com") == 1


def test_a_certificate_without_a_host_of_the_domain_is_not_ours() -> None:
    given = row("x", "2026-11-01")
    given["name_value"] = "root@mail.example.com"
    given["common_name"] = "Jane Doe"
    assert claims_of(given, row("a.example.com", "2026-11-01"))[0].names == (
        "a.example.com",
    )


def test_the_evidence_is_bounded_and_safe_to_show_and_the_names_are_all_there() -> None:
    given = row([f"h{n}.example.com" for n in range(1000)], "2026-11-01")
    given["name_value"] += "\n\x1b[2J" + "z" * 5000
    [claim] = claims_of(given)
    assert len(claim.names) == 1000
    assert len(claim.all_names) == 200
    given["name_value"] = "a.example.com\n\x1b[2J" + "z" * 5000
    [claim] = claims_of(given)
    assert claim.all_names[1].startswith("\\x1b[2Jzz")
    assert len(claim.all_names[1]) == 300


# Rows of all ages


def test_rows_with_one_name_each_are_one_certificate() -> None:
    """Until spring 2020 an id came again for each name."""
    old = {
        "issuer_ca_id": 16418,
        "issuer_name": "C=US, O=Let's Encrypt, CN=Let's Encrypt Authority X3",
        "id": 7,
        "entry_timestamp": "2020-04-04T04:41:42.875",
        "not_before": "2020-04-04T03:41:42",
        "not_after": "2020-07-03T03:41:42",
    }
    names = ("a.example.com", "b.example.com")
    [claim] = claims_of(*({**old, "name_value": name} for name in names))
    assert (claim.names, claim.serial) == (names, "")


def test_rows_of_2018_name_the_smallest_id() -> None:
    older = {
        "issuer_ca_id": 16418,
        "issuer_name": "C=US, O=Let's Encrypt, CN=Let's Encrypt Authority X3",
        "name_value": "a.example.com",
        "min_cert_id": 304334444,
        "min_entry_timestamp": "2018-01-09T09:46:19.281",
        "not_before": "2018-01-09T08:46:18",
        "not_after": "2018-04-09T08:46:18",
    }
    [claim] = claims_of(older)
    assert claim.ids == ("304334444",)
    assert claim.logged == "2018-01-09T09:46:19"


def test_null_fields_are_not_known() -> None:
    empty = dict.fromkeys(row("a.example.com", "2026-11-01"))
    named = [{**empty, "name_value": name} for name in ("a.example.com", "example.com")]
    [claim] = claims_of(*named)
    assert claim == Claim(
        OwnSource.CRTSH,
        ("a.example.com", "example.com"),
        all_names=("a.example.com", "example.com"),
    )


def test_rows_without_an_id_are_told_apart_by_what_else_they_have() -> None:
    rows = [row("a.example.com", "2026-11-01", serial=text) for text in ("1", "2", "2")]
    claims = claims_of(*({**given, "id": None} for given in rows))
    assert [(claim.serial, claim.ids, claim.link) for claim in claims] == [
        *(("1", (), ""), ("2", (), "")),
    ]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("2026-11-01T10:58:31", "2026-11-01T10:58:31"),
        ("2026-11-01T10:58:31.1", "2026-11-01T10:58:31"),
        ("2026-11-01T10:58:31.999", "2026-11-01T10:58:31"),
        ("2026-11-01 10:58:31", "2026-11-01T10:58:31"),
        ("2026-11-01 10:58:31 UTC", "2026-11-01T10:58:31"),
        ("2026-11-01T10:58:31Z", "2026-11-01T10:58:31"),
        ("2026-11-01T10:58:31+02:00", "2026-11-01T08:58:31"),
        ("2026-11-01", "2026-11-01T00:00:00"),
        ("2026-13-01T10:58:31", ""),
        ("2026-11-01T25:58:31", ""),
        ("0001-01-01T00:00:00+14:00", ""),
        ("yesterday", ""),
        ("٢٠٢٦-11-01T10:58:31", ""),
        ("2026-11-01T10:58:31" + " " * 10**5, ""),
        ("", ""),
    ],
)
def test_times(written: str, told: str) -> None:
    given = row("a.example.com", "2026-11-01")
    given["not_before"] = given["not_after"] = given["entry_timestamp"] = written
    [claim] = claims_of(given)
    assert {claim.not_before, claim.not_after, claim.logged} == {told}


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("03b5914e", "3b5914e"),
        ("00A1", "a1"),
        ("0a:1b", "a1b"),
        ("00", "0"),
        ("", ""),
        ("0x12", ""),
        ("a" * 5000, ""),
    ],
)
def test_serials_have_no_leading_zeros(written: str, told: str) -> None:
    [claim] = claims_of(row("a.example.com", "2026-11-01", serial=written))
    assert claim.serial == told


@pytest.mark.parametrize(
    "bad",
    [
        1,
        None,
        "a.example.com",
        [],
        {},
        {"error": "x"},
        {"id": "seven", "name_value": "b.example.com"},
        {"id": -1, "name_value": "b.example.com"},
        {"id": 10**30, "name_value": "b.example.com"},
        {"id": 8, "name_value": ["b.example.com"]},
        {"id": 8, "name_value": None, "common_name": None},
    ],
    ids=repr,
)
def test_a_bad_row_is_counted_and_stops_no_other(bad: object) -> None:
    good = [row("a.example.com", "2026-11-01"), row("c.example.com", "2026-11-01")]
    answer, _ = answer_of(served([good[0], bad, good[1]]))
    assert [claim.names for claim in answer.claims] == [
        ("a.example.com",),
        ("c.example.com",),
    ]
    assert answer.notes == ("example.com: 1 rows of crt.sh could not be read",)


def test_half_a_character_in_a_name_spoils_no_other() -> None:
    rows = [{"id": 8, "name_value": "\ud800.example.com\na.example.com"}]
    [claim] = claims_of(*rows)
    assert claim.names == ("a.example.com",)
    assert claim.all_names == ("\\ud800.example.com", "a.example.com")


def test_what_is_known_is_left_out() -> None:
    rows = [row(f"h{n}.example.com", "2026-11-01", id=n) for n in range(5)]
    server = FakeCrtSh({"example.com": rows}, now=NOW)
    answer, _ = answer_of(server, known={"0", "1", "3", "4"})
    assert [claim.ids for claim in answer.claims] == [("2",)]
    assert (answer.is_full, answer.is_complete, answer.notes) == (True, True, ())


# When it fails


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"hang", "429 for hours"}))
def test_whatever_is_no_list_is_an_error_and_the_question_comes_again(
    fault: str,
) -> None:
    server = FakeCrtSh({"example.com": [row("a.example.com", "2026-11-01")]}, now=NOW)
    server.failures.append(FAULTS[fault])
    answer, _ = answer_of(server)
    assert [claim.names for claim in answer.claims] == [("a.example.com",)]
    # What is too long, or leads away, does so again: then less is asked for.
    is_refused = fault in {"200 MB", "endless", "elsewhere"}
    assert ("exclude" in server.questions[1]) is is_refused
    assert answer.is_full is not is_refused
    assert answer.is_complete
    assert answer.notes[0].startswith("example.com: crt.sh answered")


def test_pauses_grow_up_to_sixteen_times_the_first() -> None:
    server = FakeCrtSh({"example.com": []}, now=NOW)
    server.failures += [FAULTS["502"]] * 7
    clock = Clock()
    with server, asking(server, clock, tries=8, retry_s=2) as source:
        answer = source.answer("example.com")
    assert clock.slept == [2, 4, 8, 16, 32, 32, 32]
    assert answer.is_full
    assert answer.notes == (
        "example.com: crt.sh answered after failures: status 502 Bad Gateway (7 times)",
    )


def test_after_its_tries_it_asks_without_expired_certificates() -> None:
    rows = [
        row("old.example.com", "2020-01-01"),
        row("new.example.com", "2026-11-01"),
    ]
    server = FakeCrtSh({"example.com": rows}, now=NOW)
    server.wide_failure = FAULTS["502"]
    answer, _ = answer_of(server)
    assert [claim.names for claim in answer.claims] == [("new.example.com",)]
    assert (answer.is_full, answer.is_complete) == (False, True)
    assert [question.get("exclude", "") for question in server.questions] == [
        *("", "", "", "expired"),
        *("", "", "", "expired"),
    ]
    assert answer.notes == (
        "example.com: crt.sh answered only when asked without expired certificates; "
        "before: status 502 Bad Gateway (3 times)",
    )


def test_when_nothing_helps_the_error_tells_each_step() -> None:
    server = FakeCrtSh({}, now=NOW)
    server.failures += [FAULTS["502"], FAULTS["html with 200"], FAULTS["502"]]
    server.failure = FAULTS["an object"]
    with pytest.raises(SourceError) as caught:
        answer_of(server)
    told = str(caught.value)
    assert told.startswith("crt.sh does not answer for %.example.com, in 3 attempts: ")
    assert "status 502 Bad Gateway (2 times); no JSON where a list is due: " in told
    assert "it begins '<html> <head>" in told
    assert told.endswith(
        "; without expired certificates in 3 attempts: no list: it begins '{}' "
        "(3 times). The next run asks again"
    )
    assert len(server.requests) == 6


def test_nothing_at_all_is_called_so() -> None:
    server = FakeCrtSh({}, now=NOW)
    server.failure = FAULTS["empty body"]
    with pytest.raises(SourceError, match="an empty body where a JSON list is due"):
        answer_of(server)


def test_an_address_may_end_in_a_slash() -> None:
    server = FakeCrtSh({"example.com": [row("a.example.com", "2026-11-01", id=7)]})
    with server, Client("test", route=Route(use_environment=False)) as client:
        url = f"{server.url}/"
        source = CrtSh(client, url, pause_s=0, tries=1, retry_s=0)
        assert source.answer("example.com").claims[0].link == f"{url}?id=7"


def test_a_login_of_a_mirror_is_sent_there_and_stands_in_no_link() -> None:
    server = FakeCrtSh({"example.com": [row("a.example.com", "2026-11-01", id=7)]})
    with server, Client("test", route=Route(use_environment=False)) as client:
        url = server.url.replace("//", "//me:SECRET@")
        source = CrtSh(client, url, pause_s=0, tries=1, retry_s=0)
        assert source.answer("example.com").claims[0].link == f"{server.url}/?id=7"
        server.failure = FAULTS["502"]
        with pytest.raises(SourceError) as caught:
            source.answer("example.com")
    assert "SECRET" not in str(caught.value)
    assert server.requests[0].headers["authorization"].startswith("Basic ")


def test_it_waits_as_long_as_it_is_asked_to() -> None:
    server = FakeCrtSh({"example.com": []}, now=NOW)
    server.failures.append(FAULTS["429 for a minute"])
    _, clock = answer_of(server)
    assert [round(seconds) for seconds in clock.slept] == [60]


def test_it_waits_so_long_before_another_question_as_well() -> None:
    server = FakeCrtSh({"example.com": []}, now=NOW)
    server.failures += [FAULTS["429 for a minute"]] * 2
    clock = Clock()
    with server, asking(server, clock, tries=2) as source:
        assert not source.answer("example.com", exact=True).is_full
    assert [round(seconds) for seconds in clock.slept] == [60, 60]


def test_a_wait_of_hours_is_left_to_a_later_run() -> None:
    server = FakeCrtSh({"example.com": []}, now=NOW)
    server.failures.append(FAULTS["429 for hours"])
    with server, asking(server, Clock()) as source:
        for domain in ("example.com", "example.org"):
            with pytest.raises(SourceError, match="left alone for 14400 s") as caught:
                source.answer(domain)
            assert caught.value.retry_after_s == pytest.approx(14400, abs=60)
    assert len(server.requests) == 1


def test_a_server_that_hangs_costs_no_more_than_its_tries() -> None:
    server = FakeCrtSh({}, now=NOW)
    server.failure = FAULTS["hang"]
    clock = Clock()
    with (
        server,
        asking(server, clock, tries=2, timeout_s=0.1) as source,
        pytest.raises(SourceError, match=r"no complete answer within 0\.1 s"),
    ):
        source.answer("example.com")
    assert len(server.requests) == 4


def test_an_answer_that_is_too_long_is_refused_by_the_name_of_its_setting() -> None:
    server = FakeCrtSh({"example.com": []}, now=NOW)
    server.wide_failure = FAULTS["200 MB"]
    answer, _ = answer_of(server)
    assert "more than 1000000 bytes ([OWN] Max_Answer_MB)" in answer.notes[0]
    assert len(server.requests) == 4


def test_an_address_where_nobody_listens() -> None:
    with FakeCrtSh({}) as server:
        pass
    with (
        asking(server, Clock()) as source,
        pytest.raises(SourceError, match=r"cannot be read: .*refused"),
    ):
        source.answer("example.com")


# Pauses and limits


def test_a_pause_lies_between_all_questions_of_all_domains() -> None:
    server = FakeCrtSh({}, now=NOW)
    clock = Clock()
    with server, asking(server, clock, pause_s=1000) as source:
        source.answer("example.com")
        source.answer("example.org")
    # A quarter more, as chance will have it, less the moments since the last one.
    assert [round(seconds, -2) for seconds in clock.slept] == [1200, 1200, 1200]


def test_a_pause_after_a_failure_is_at_least_that_between_questions() -> None:
    server = FakeCrtSh({}, now=NOW)
    server.failures.append(FAULTS["502"])
    clock = Clock()
    with server, asking(server, clock, pause_s=1000) as source:
        source.answer("example.com", exact=True)
    assert [round(seconds, -2) for seconds in clock.slept] == [1200]


def test_it_can_be_stopped_while_it_waits() -> None:
    server = FakeCrtSh({}, now=NOW)
    server.failure = FAULTS["502"]
    clock = Clock(stop_after=1)
    with (
        server,
        asking(server, clock) as source,
        pytest.raises(SourceError, match="stopped"),
    ):
        source.answer("example.com")
    assert len(server.requests) == 1


@pytest.fixture
def small_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows stand for ten thousand."""
    monkeypatch.setattr(crtsh, "MOST_ROWS", 3)
    monkeypatch.setattr("tests.fakes.crtsh.MOST_ROWS", 3)


@pytest.mark.usefixtures("small_cap")
def test_rows_left_out_by_crtsh_are_made_good_by_asking_for_valid_ones() -> None:
    rows = [
        *(row(f"old{n}.example.com", "2020-01-01") for n in range(3)),
        *(row(f"new{n}.example.com", "2026-11-01") for n in range(2)),
    ]
    answer, _ = answer_of(FakeCrtSh({"example.com": rows}, now=NOW))
    assert len(answer.claims) == 5
    assert (answer.is_full, answer.is_complete) == (False, True)
    assert answer.notes == (
        "example.com: crt.sh gives 3 rows for %.example.com, as many as it ever does, "
        "so expired certificates may be missing",
    )


@pytest.mark.usefixtures("small_cap")
def test_when_even_the_valid_ones_are_too_many_the_answer_is_not_complete() -> None:
    rows = [row(f"new{n}.example.com", "2026-11-01") for n in range(4)]
    answer, _ = answer_of(FakeCrtSh({"example.com": rows}, now=NOW))
    assert len(answer.claims) == 3
    assert (answer.is_full, answer.is_complete) == (False, False)
    assert "name domains below example.com in [OWN] Domains" in answer.notes[1]


@pytest.mark.usefixtures("small_cap")
def test_when_the_valid_ones_are_not_told_that_is_no_answer() -> None:
    """What the next run finds more would look like new certificates."""
    rows = [row(f"new{n}.example.com", "2026-11-01") for n in range(4)]
    server = FakeCrtSh({"example.com": rows}, now=NOW)
    server.narrow_failure = FAULTS["502"]
    with pytest.raises(SourceError, match="3 rows, the most it gives"):
        answer_of(server)


# Recorded answers


@pytest.fixture(scope="module")
def python_org() -> bytes:
    return shared("apis/crtsh/python.org_2020-04_output_json.json").read_bytes()


def test_the_recorded_answer_for_python_org(python_org: bytes) -> None:
    answer, _ = answer_of(served(python_org), "python.org")
    rows = json.loads(python_org)
    assert len({given["id"] for given in rows}) == 1597
    assert len(answer.claims) == 1596  # one is for psf@python.org
    assert answer.notes == ()
    first = answer.claims[0]
    assert (first.names, first.ids) == (("mail.python.org",), ("2665115201",))
    assert first.not_after == "2020-07-03T03:41:42"
    assert all(
        (
            claim.issuer.identity
            and claim.not_before
            and claim.not_after
            and claim.logged
        )
        for claim in answer.claims
    )
    names = {name for given in rows for name in given["name_value"].split("\n")}
    assert {name for claim in answer.claims for name in claim.names} == (
        names - {"psf@python.org"}
    )


def test_a_recorded_answer_with_a_common_name_of_another_domain() -> None:
    body = (VECTORS / "own" / "crtsh_2020-03_nmap.json").read_bytes()
    answer, _ = answer_of(served(body), "nmap.org")
    [claim] = answer.claims
    hosts = ("issues.nmap.org", "nmap.org", "svn.nmap.org", "www.nmap.org")
    assert claim.names == hosts
    assert claim.all_names == (*hosts, "insecure.com")
    assert claim.serial == "3b5914e5f28724457a5a51ad2c494d040f6"
    assert answer.notes == ()


@pytest.mark.parametrize(
    ("name", "domain", "certificates", "serials"),
    [
        (
            "2020-11_icheck.lbapps.com_2",
            "lbapps.com",
            2,
            {
                "3ffeea57322e24cd6fd207682f59ead324f",
                "62d0a79bc5b32f9953489598013637d6",
            },
        ),
        (
            "2026-07_bolnews.com_first4",
            "bolnews.com",
            4,
            {
                "5e3a32fa27096fe00ecf39b8077799f4b5e",
                "53f8d77bf308f7b7620fad8e5a3f7deeff8",
            },
        ),
    ],
)
def test_recorded_rows_of_other_years(
    name: str, domain: str, certificates: int, serials: set[str]
) -> None:
    body = shared(f"apis/crtsh/{name}.json").read_bytes()
    answer, _ = answer_of(served(body), domain)
    assert len(answer.claims) == certificates
    assert {claim.serial for claim in answer.claims} == serials
    assert answer.notes == ()


@pytest.mark.parametrize("status", [404, 429, 502])
def test_recorded_error_pages(status: int) -> None:
    body = shared(f"apis/crtsh/error_{status}.html").read_bytes()
    for sent in (status, 200):
        server = ApiServer(lambda _, sent=sent: Reply(sent, body))
        with pytest.raises(SourceError, match="does not answer"):
            answer_of(server)


def test_the_fake_serves_recorded_rows(python_org: bytes) -> None:
    rows = json.loads(python_org)
    server = FakeCrtSh({"python.org": rows}, now="2020-04-05T00:00:00")
    answer, _ = answer_of(server, "python.org")
    assert len(answer.claims) == 1596
    server = FakeCrtSh({"python.org": rows}, now="2020-04-05T00:00:00")
    server.wide_failure = FAULTS["hang"]
    with server, asking(server, Clock(), tries=1, timeout_s=0.2) as source:
        assert 0 < len(source.answer("python.org").claims) < 1596


# Hostile input


VALUE = (
    st.none()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["a.example.com", "\ud800.example.com", [], {}, True])
)
FIELD = st.sampled_from(sorted(row("a", "2026-11-01")))


@given(
    st.binary()
    | st.lists(st.dictionaries(FIELD, VALUE) | VALUE, max_size=5).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_any_body_gives_claims_or_our_error(body: bytes) -> None:
    reading = crtsh._Reading("example.com", frozenset())
    try:
        reading.add(crtsh._rows(body))
    except FormatError:
        return
    for claim in reading.answer("https://crt.sh").claims:
        assert claim.names
        json.dumps(claim.all_names, ensure_ascii=False).encode()
        for name in claim.names:
            assert name == "example.com" or name.endswith(".example.com")


def test_after_two_domains_in_vain_each_is_asked_for_once_until_one_answers() -> None:
    server = FakeCrtSh({}, now=NOW)
    server.failure = FAULTS["502"]
    with server, asking(server, Clock(), tries=3) as source:

        def questions(domain: str) -> int:
            before = len(server.questions)
            with suppress(SourceError):
                source.answer(domain)
            return len(server.questions) - before

        assert [questions(f"{name}.example") for name in "abc"] == [6, 6, 2]
        server.failure = None
        assert questions("d.example") == 2  # both patterns, at once
        server.failure = FAULTS["502"]
        assert questions("e.example") == 6
