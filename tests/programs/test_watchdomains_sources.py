"""Sources of watchdomains.py that fail, lie, or answer without an end."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.api import ApiServer, Reply, Request
from tests.fakes.certspotter import (
    MISBEHAVIOURS,
    FakeCertSpotter,
    issuance,
    refusal,
)
from tests.fakes.crtsh import FAULTS, FakeCrtSh, row
from tests.programs.watching import (
    BAD_CA,
    day,
    own_settings,
    told,
    types,
    watch,
    when,
)

KEY = "k3y-0f-c3rtsp0tter-51"


def errors(record: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["source"], one["domain"]) for one in record["errors"]]


def without_secrets(folder: Path, *printed: str) -> None:
    """No key stands in what was printed, nor in any file but the settings."""
    texts = [
        (path.name, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and path.name != "own.conf"
    ]
    texts += [("printed", text.encode()) for text in printed]
    for name, text in texts:
        assert KEY.encode() not in text, name


def test_crtsh_is_asked_again_then_for_less_then_another_in_its_place(
    folder: Path,
) -> None:
    rows = {
        "example.com": [
            row("a.example.com", when(-10)),
            row("old.example.com", when(-400)),
        ]
    }
    listed = {
        "example.com": [
            issuance(1, "b.example.com", not_before=day(-9), not_after=day(80))
        ]
    }
    with FakeCrtSh(rows) as crtsh, FakeCertSpotter(listed) as spotter:
        own_settings(folder, Crtsh_URL=crtsh.url, Certspotter_URL=spotter.url)
        # Each kind of answer that is none, once; then one that is.
        crtsh.failures += [FAULTS["502"]]
        first = told(watch(folder, "--format", "json", "--report", "r.json"))
        assert (first["partial"], first["domains"]["example.com"]["certificates"]) == (
            False,
            2,
        )
        assert "status 502" in " ".join(first["notes"])
        # The wide question fails: the narrow one is enough.
        crtsh.rows["example.com"] += [row("c.example.com", when(-1))]
        crtsh.wide_failure = FAULTS["html with 200"]
        crtsh.requests.clear()
        second = watch(folder, "--format", "json")
        assert second.code == 0
        assert types(told(second)) == ["new_certificate", "new_subdomain"]
        assert [one.get("exclude") for one in crtsh.questions] == [
            *(None, None, "expired"),
            *(None, None, "expired"),
        ]
        assert spotter.requests == []
        # Nothing of crt.sh: Cert Spotter stands in, and is silent on what it had.
        crtsh.failure = FAULTS["an object"]
        third = watch(folder, "--format", "json")
        assert (third.code, types(told(third))) == (0, [])
        assert told(third)["domains"]["example.com"]["certificates"] == 4
        assert "Cert Spotter was asked in its place" in third.err
        # From then on it tells; and what it told is told once.
        spotter.issuances["example.com"].append(
            issuance(2, "d.example.com", not_before=day(-1), not_after=day(80))
        )
        fourth = watch(folder, "--format", "json", "--report", "r.json")
        assert types(told(fourth)) == ["new_certificate", "new_subdomain"]
        assert told(fourth)["alerts"][0]["source"] == "certspotter"
        # Both fail: partial, with both reasons, and the report says so.
        spotter.failure = MISBEHAVIOURS["bad gateway"]
        fifth = watch(folder, "--format", "json", "--report", "r.json")
        assert fifth.code == 1
        assert told(fifth)["partial"] is True
        assert errors(told(fifth)) == [
            ("crtsh", "example.com"),
            ("certspotter", "example.com"),
        ]
        assert "no list" in fifth.err
        assert "502" in fifth.err
        report = json.loads((folder / "r.json").read_text("utf-8"))
        assert (report["partial"], errors(report)) == (True, errors(told(fifth)))
        # A later run completes it.
        crtsh.failure = crtsh.wide_failure = None
        crtsh.rows["example.com"].append(row("e.example.com", when(-1)))
        sixth = told(watch(folder, "--format", "json"))
        assert (sixth["partial"], types(sixth)) == (
            False,
            ["new_certificate", "new_subdomain"],
        )


def test_no_answer_of_crtsh_but_a_list_means_anything(folder: Path) -> None:
    """A first run over twelve domains, each of which fails in its own way."""
    kinds = [
        "html with 200",
        "an object",
        "an error",
        "empty body",
        "rows of another kind",
        "cut off",
        "cut list",
        "deeply nested",
        "404",
        "503",
        "200 MB",
        "endless",
        "elsewhere",
        "hang",
        "empty list",
        "429 for hours",  # nobody is asked after that
        "empty list",
    ]
    answers = {**FAULTS, "empty list": Reply.of([])}
    domains = {f"d{number}.example": kind for number, kind in enumerate(kinds)}

    def answer(request: Request) -> Reply:
        pattern = dict(parse_qsl(urlsplit(request.path).query))["q"]
        return answers[domains[pattern.removeprefix("%.")]]

    with ApiServer(answer) as crtsh, FakeCertSpotter({}) as spotter:
        spotter.failure = MISBEHAVIOURS["forbidden"]
        own_settings(
            folder,
            domains=" ".join(domains),
            Crtsh_URL=crtsh.url,
            Certspotter_URL=spotter.url,
            Certspotter_Hourly="0",
            Tries="1",
            Max_Answer_MB="1",
        )
        ran = watch(folder, "--format", "json", "--timeout", "0.5")
    assert ran.code == 1
    record = told(ran)
    assert list(record["domains"]) == [*domains]
    reasons = {
        error["domain"]: error["reason"]
        for error in record["errors"]
        if error["source"] == "crtsh"
    }
    assert reasons.keys() == domains.keys() - {"d14.example"}
    for domain, part in {
        "d0.example": "no JSON where a list is due",
        "d1.example": "no list",
        "d3.example": "an empty body",
        "d8.example": "404",
        "d10.example": "[OWN] Max_Answer_MB",
        "d11.example": "[OWN] Max_Answer_MB",
        "d12.example": "redirect",
        "d13.example": "0.5 s",
        "d15.example": "14400 s",
        "d16.example": "left alone",
    }.items():
        assert part in reasons[domain], (domain, reasons[domain])
    for domain, count in record["domains"].items():
        assert count["is_first"] == (domain == "d14.example")
    assert len(spotter.requests) == 16  # in place of each


def test_rows_of_every_shape_are_one_certificate_each(folder: Path) -> None:
    new = row(["www.example.com", "example.com"], when(-10), id=1000, serial="00ab12")
    precert = {**new, "id": 1001}
    old = {
        "issuer_ca_id": 5,
        "issuer_name": BAD_CA[1],
        "min_cert_id": 7,
        "min_entry_timestamp": "2019-01-01T00:00:00",
        "not_before": "2019-01-01 00:00:00",
        "not_after": "2020-01-01T00:00:00.5",
    }
    nulls = dict.fromkeys(new) | {
        "id": 9,
        "name_value": "nulls.example.com\nother.example.org\na@example.com\nA B",
    }
    rows = [
        new,
        precert,
        new,  # the same id again
        {**old, "name_value": "old.example.com"},
        {**old, "name_value": "older.example.com"},
        nulls,
        {**new, "id": "no number"},
        {
            **new,
            "id": 10,
            "common_name": "\0",
            "not_before": "yesterday",
            "serial_number": "xyz",
            "name_value": "*.example.com\nx y.example.com\n<b>.example.com",
        },
        None,
        17,
    ]
    tbs_same = issuance(
        5,
        "www.example.com",
        "example.com",
        not_before=day(-10),
        not_after=day(-10) + timedelta(days=90, seconds=-1),
        serial=0xAB12,
    )
    with (
        ApiServer(lambda _: Reply.of(rows)) as crtsh,
        FakeCertSpotter({"example.com": [tbs_same]}) as spotter,
    ):
        own_settings(
            folder,
            Source="crtsh, certspotter",
            Crtsh_URL=crtsh.url,
            Certspotter_URL=spotter.url,
        )
        ran = watch(folder, "--format", "json", "--report", "r.json")
        again = watch(folder, "--format", "json")
    assert ran.code == 0
    assert "rows of crt.sh could not be read" in ran.err
    assert told(again)["domains"]["example.com"]["new"] == 0
    report = json.loads((folder / "r.json").read_text("utf-8"))
    found = {tuple(one["names"]): one for one in report["certificates"]}
    assert sorted(found) == [
        ("*.example.com",),
        ("example.com", "www.example.com"),
        ("nulls.example.com",),
        ("old.example.com", "older.example.com"),
    ]
    joined = found["example.com", "www.example.com"]
    assert joined["serial"] == "ab12"
    assert {one["source"]: one["ids"] for one in joined["sources"]} == {
        "crtsh": ["1000", "1001"],
        "certspotter": ["5"],
    }
    assert [one["name"] for one in report["subdomains"]] == [
        "nulls.example.com",
        "old.example.com",
        "older.example.com",
        "www.example.com",
    ]


def test_a_source_switched_on_later_tells_nothing_from_before(folder: Path) -> None:
    rows = {"example.com": [row("www.example.com", when(-10))]}
    listed = {
        "example.com": [
            issuance(
                number, f"s{number}.example.com", not_before=day(-9), not_after=day(80)
            )
            for number in range(1, 4)
        ]
    }
    with FakeCrtSh(rows) as crtsh, FakeCertSpotter(listed, page=2) as spotter:
        addresses = {"Crtsh_URL": crtsh.url, "Certspotter_URL": spotter.url}
        own_settings(folder, **addresses)
        assert watch(folder).code == 0
        own_settings(folder, Source="crtsh certspotter", **addresses)
        second = told(watch(folder, "--format", "json"))
        assert (types(second), second["domains"]["example.com"]["certificates"]) == (
            [],
            4,
        )
        spotter.issuances["example.com"].append(
            issuance(4, "s4.example.com", not_before=day(-1), not_after=day(80))
        )
        spotter.requests.clear()
        third = told(watch(folder, "--format", "json"))
        assert types(third) == ["new_certificate", "new_subdomain"]
        assert [one.get("after") for one in spotter.questions()] == [["3"], ["4"]]
        # The other one brings it later: nothing is told twice.
        crtsh.rows["example.com"].append(
            row(
                "s4.example.com",
                spotter.issuances["example.com"][3]["not_before"].removesuffix("Z"),
                days=(day(80) - day(-1)).days,
                serial="04",
                issuer=(295_819, "C=US, O=Let's Encrypt, CN=E7"),
            )
        )
        fourth = told(watch(folder, "--format", "json", "--report", "r.json"))
    assert (types(fourth), fourth["domains"]["example.com"]["certificates"]) == ([], 5)
    report = json.loads((folder / "r.json").read_text("utf-8"))
    both = [
        [each["source"] for each in one["sources"]]
        for one in report["certificates"]
        if one["names"] == ["s4.example.com"]
    ]
    assert both == [["certspotter", "crtsh"]]


def test_the_hours_budget_of_cert_spotter_is_kept_over_runs(folder: Path) -> None:
    listed = {
        f"d{number}.example": [
            issuance(
                number, f"www.d{number}.example", not_before=day(-9), not_after=day(80)
            )
        ]
        for number in range(1, 5)
    }
    with FakeCertSpotter(listed, key=KEY) as spotter:
        own_settings(
            folder,
            domains=" ".join(listed),
            Source="certspotter",
            Certspotter_URL=spotter.url,
            Certspotter_Hourly="5",
        )
        env = {"OWN_CERTSPOTTER_KEY": KEY}
        first = watch(folder, "--format", "json", "--report", "r.json", "-v", env=env)
        assert (first.code, len(spotter.requests)) == (0, 5)
        assert "Certspotter_Hourly = 5" in first.err
        begun = [
            name for name, one in told(first)["domains"].items() if one["is_first"]
        ]
        assert begun == ["d1.example", "d2.example"]
        second = watch(folder, "--format", "json", env=env)
        assert (second.code, len(spotter.requests)) == (0, 5)
        assert "it waits for the next run" in second.err
        assert {request.headers["authorization"] for request in spotter.requests} == {
            f"Bearer {KEY}"
        }
        without_secrets(folder, first.out, first.err, second.out, second.err)
        own_settings(
            folder,
            domains=" ".join(listed),
            Source="certspotter",
            Certspotter_URL=spotter.url,
            Certspotter_Hourly="0",
        )
        third = told(watch(folder, "--format", "json", env=env))
        # Who had no turn comes first, and nobody's first reading was torn in two.
        assert next(iter(third["domains"])) == "d4.example"
        assert types(third) == []
        assert all(one["certificates"] == 1 for one in third["domains"].values())


def test_typosquats_leave_questions_for_own_domains(folder: Path) -> None:
    listed = {
        "b.example": [issuance(1, "b.example", not_before=day(-9), not_after=day(80))]
    }
    with FakeCertSpotter(listed) as spotter:
        own_settings(
            folder,
            domains="a.example b.example",
            Source="certspotter",
            Certspotter_URL=spotter.url,
            Certspotter_Hourly="10",
        )
        first = watch(folder, "--typosquats", "--format", "json")
        assert first.code == 0
        asked = [one["domain"][0] for one in spotter.questions()]
    assert len(asked) <= 10
    assert "b.example" in asked
    assert told(first)["domains"]["b.example"]["certificates"] == 1


def test_what_cert_spotter_refuses_is_told_as_what_it_is(folder: Path) -> None:
    """The key goes to no other host, and into no message."""
    answers = {
        "payment.example": MISBEHAVIOURS["payment"],
        "long.example": MISBEHAVIOURS["200 MB"],
        "object.example": MISBEHAVIOURS["object"],
        "moved.example": Reply(302),
        "key.example": refusal(401, "unauthorized", f"Nobody has the key {KEY}"),
        "later.example": Reply.of([]),
    }

    def answer(request: Request) -> Reply:
        assert request.headers["authorization"] == f"Bearer {KEY}"
        return answers[dict(parse_qsl(urlsplit(request.path).query))["domain"]]

    with (
        ApiServer(lambda _: Reply.of([])) as thief,
        ApiServer(answer) as spotter,
    ):
        elsewhere = thief.url.replace("127.0.0.1", "localhost")
        answers["moved.example"] = Reply(302, headers={"Location": f"{elsewhere}/v1"})
        own_settings(
            folder,
            domains=" ".join(answers),
            Source="certspotter",
            Certspotter_URL=spotter.url,
            Certspotter_Hourly="0",
            Certspotter_Key=KEY,
            Max_Answer_MB="1",
            LOGGING__LogFile="own.log",
            LOGGING__LogType="file",
            LOGGING__LogLevel="DEBUG",
        )
        first = watch(folder, "-v", "--format", "json", "--report", "r.html")
        assert first.code == 1
        reasons = {one["domain"]: one["reason"] for one in told(first)["errors"]}
        for domain, part in {
            "payment.example": "has to be paid for",
            "long.example": "[OWN] Max_Answer_MB",
            "object.example": "with no list in JSON",
            "moved.example": "redirect",
            "key.example": "does not know this key: check [OWN] Certspotter_Key",
            # Nobody is asked with a key that is wrong.
            "later.example": "does not know this key",
        }.items():
            assert part in reasons[domain], reasons
        assert len(spotter.requests) == 6  # one of them twice
        # Too many questions: the rest waits, as with our own limit.
        answers |= dict.fromkeys(answers, MISBEHAVIOURS["too many"])
        second = watch(folder, "-v", "--report", "r.json")
        assert second.code == 0
        assert "it can be asked again in 60 minutes" in second.err
        assert len(spotter.requests) == 7
        assert thief.requests == []
    without_secrets(folder, first.out, first.err, second.out, second.err)


def test_pages_without_an_end_or_that_go_back_end_the_answer(folder: Path) -> None:
    listed = {
        "example.com": [
            issuance(number, f"s{number}.example.com", has_der=False)
            for number in range(1, 4)
        ]
    }
    with FakeCertSpotter(listed, page=2) as spotter:
        spotter.goes_round = True
        asked = {"Source": "certspotter", "Certspotter_URL": spotter.url}
        own_settings(folder, Certspotter_Hourly="0", **asked)
        ran = watch(folder, "--format", "json")
        assert ran.code == 1
        assert "does not go on" in ran.err
        assert told(ran)["domains"]["example.com"]["certificates"] == 3
        assert len(spotter.requests) < 10
        # One without an end is read as far as an hour's questions go.
        spotter.goes_round, spotter.never_ends = False, True
        spotter.requests.clear()
        own_settings(folder, Certspotter_Hourly="8", **asked)
        endless = watch(folder, "--format", "json")
        assert (endless.code, len(spotter.requests)) == (0, 8)
        assert "the rest comes in a later run" in endless.err
        assert told(endless)["domains"]["example.com"]["certificates"] == 19
        assert types(told(endless)) == []
        own_settings(folder, Certspotter_Hourly="0", **asked)
        # It ends one day: the first reading is over, and was silent as a whole.
        spotter.never_ends = False
        ended = told(watch(folder, "--format", "json"))
        assert (ended["partial"], types(ended)) == (False, [])
        spotter.issuances["example.com"] = [
            issuance(10**9, "late.example.com", not_before=day(-1), not_after=day(80))
        ]
        last = told(watch(folder, "--format", "json"))
    assert types(last) == ["new_certificate", "new_subdomain"]
