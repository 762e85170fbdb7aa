"""Own domains, from settings and options to what is printed, reported and kept."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ctmonitor.cli.watchdomains import main
from tests.fakes.certspotter import FakeCertSpotter, issuance
from tests.fakes.crtsh import FakeCrtSh, row
from tests.fakes.dns import DnsServer
from tests.programs.program import run
from tests.programs.watching import (
    BAD_CA,
    PROGRAM,
    day,
    own_settings,
    table,
    told,
    types,
    watch,
    when,
)

ID = re.compile(r"[0-9a-f]{16}")


def report(folder: Path, name: str = "r.json") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / name).read_text("utf-8"))
    return found


def test_the_first_run_is_silent_and_each_later_one_tells_what_came(
    folder: Path,
) -> None:
    rows = [
        row("www.example.com", when(-10)),
        row(["*.example.com", "dev.example.com"], when(-20), issuer=BAD_CA),
        row("old.example.com", when(-400)),
    ]
    with FakeCrtSh({"example.com": rows}) as crtsh:
        own_settings(folder, Crtsh_URL=crtsh.url, Authorised_CAs="Let's Encrypt")
        first = watch(folder, "--report", "r.json", "-v")
        assert first.code == 0
        assert first.out == "example.com: 3 certificates, watched from now on\n"
        listed = report(folder)
        assert (listed["alerts"], listed["partial"], listed["errors"]) == (
            [],
            False,
            [],
        )
        assert sorted(one["type"] for one in listed["baseline"]) == [
            "unauthorized_ca",
            "wildcard_certificate",
        ]
        assert len(listed["certificates"]) == 3
        assert {one["name"] for one in listed["subdomains"]} == {
            "www.example.com",
            "dev.example.com",
            "old.example.com",
        }
        crtsh.rows["example.com"] += [
            row("new.example.com", when(-1)),
            row(["*.example.com", "dev.example.com"], when(-1), issuer=BAD_CA),
            row("late.example.com", when(-300)),  # it has expired
            row("mail@example.com", when(-1)),
        ]
        second = watch(folder, "--report", "r.json")
        assert second.code == 0
        assert "example.com: 6 certificates, 3 new\n" in second.out
        listed = report(folder)
        # The renewal of a wildcard is none that was not there; the name of the
        # certificate that has ended is recorded, and not told.
        assert types(listed) == [
            "new_certificate",
            "new_certificate",
            "new_subdomain",
            "unauthorized_ca",
        ]
        assert "late.example.com" in {one["name"] for one in listed["subdomains"]}
        worst = listed["alerts"][0]
        assert worst["type"] == "unauthorized_ca"
        assert worst["severity"] == "critical"
        assert worst["names"] == ["*.example.com", "dev.example.com"]
        assert worst["issuer"] == BAD_CA[1]
        assert worst["source"] == "crtsh"
        assert worst["link"].startswith(f"{crtsh.url}/?id=")
        assert worst["acknowledged"] is False
        assert ID.fullmatch(worst["id"])
        for alert in listed["alerts"]:
            assert f"{alert['severity'].upper():8}  {alert['id']}" in second.out
            assert alert["next_step"] in second.out
        third = watch(folder, "--format", "json", "--report", "r.html")
    assert told(third) == {
        "alerts": [],
        "domains": {"example.com": {"certificates": 6, "new": 0, "is_first": False}},
        "errors": [],
        "notes": [],
        "partial": False,
    }
    page = (folder / "r.html").read_text("utf-8")
    assert "new.example.com" in page
    assert worst["id"] in page


def test_alerts_are_listed_and_acknowledged_by_later_commands(folder: Path) -> None:
    domains = {"example.com": [row("www.example.com", when(-80))], "example.org": []}
    with FakeCrtSh(domains) as crtsh:
        own_settings(folder, Crtsh_URL=crtsh.url, domains="example.com, EXAMPLE.org.")
        assert watch(folder).code == 0
        assert types(told(watch(folder, "--list", "--format", "json")), new=False) == [
            "certificate_expiring"
        ]
        crtsh.rows["example.org"].append(row("example.org", when(-1)))
        ran = watch(folder, "--format", "csv")
        (printed,) = table(ran.out)
        assert (printed["type"], printed["domain"]) == (
            "new_certificate",
            "example.org",
        )
    # Nothing is asked from here on: crt.sh is gone.
    listed = {
        one["type"]: one
        for one in table(watch(folder, "--list", "--format", "csv").out)
    }
    assert set(listed) == {"certificate_expiring", "new_certificate"}
    ids = [listed[each]["id"] for each in sorted(listed)]
    done = watch(folder, "--ack", ids[0].upper(), "0123456789abcdef", "\x1b[2J'; --")
    assert done.code == 1
    assert done.out.startswith(f"acknowledged {ids[0]}: ")
    assert "'0123456789abcdef'; --list shows all" in done.err
    assert "\x1b" not in done.err
    text = watch(folder, "--list").out
    assert re.search(rf"MEDIUM +{ids[0]} +acknowledged", text)
    assert re.search(rf"INFO +{ids[1]} +open", text)
    again = watch(folder, "--ack", ",".join(ids))
    assert (again.code, again.err) == (0, "")
    record = told(watch(folder, "--list", "--format", "json"))
    assert [one["acknowledged"] for one in record["alerts"]] == [True, True]


def test_authorities_are_added_by_hand_or_from_what_is_there(folder: Path) -> None:
    rows = {
        "example.com": [row("www.example.com", when(-10))],
        "example.org": [row("www.example.org", when(-10), issuer=BAD_CA)],
    }
    with FakeCrtSh(rows) as crtsh:
        own_settings(folder, Crtsh_URL=crtsh.url, domains="example.com example.org")
        added = watch(folder, "--add-ca", "Example  CA", "4711", "--add-ca", "Two", "5")
        assert added.code == 0
        assert added.out == (
            "authorised: Example CA, CA 4711 at crt.sh\n"
            "authorised: Two, CA 5 at crt.sh\n"
        )
        assert crtsh.requests == []
        first = watch(folder, "--auto-baseline")
        assert "authorised for example.com: Let's Encrypt\n" in first.out
        assert "authorised for example.org: Sectigo Limited\n" in first.out
        crtsh.rows["example.com"] += [
            row("a.example.com", when(-1)),
            row("b.example.com", when(-1), issuer=(4711, "C=XX, O=Other, CN=X")),
            row("c.example.com", when(-1), issuer=(9, "C=XX, O=Two, CN=X")),
            row("d.example.com", when(-1), issuer=BAD_CA),
        ]
        crtsh.rows["example.org"].append(row("d.example.org", when(-1), issuer=BAD_CA))
        second = told(watch(folder, "--format", "json"))
    accused = [one for one in second["alerts"] if one["type"] == "unauthorized_ca"]
    assert [one["names"] for one in accused] == [["d.example.com"]]
    assert accused[0]["detail"] == {"contact": ""}


def test_every_type_of_alert_is_told(folder: Path) -> None:
    """By Cert Spotter, with keys, revocations and CAA; nothing of them twice."""
    base = issuance(1, "www.example.com", not_before=day(-30), not_after=day(60))
    other_key = "ab" * 32
    records = {
        "example.com": {"CAA": ['0 issue "letsencrypt.org"']},
        "www.example.com": {"A": ["127.0.0.1"], "AAAA": ["::1"]},
        "gone.example.com": {"CNAME": ["gone.hoster.example."]},
        "exmple.com": {"A": ["127.0.0.9"]},
    }
    squat = issuance(77, "exmple.com", not_before=day(-1), not_after=day(89))
    with (
        FakeCertSpotter({"example.com": [base], "exmple.com": [squat]}) as spotter,
        DnsServer(records) as dns,
    ):
        own_settings(
            folder,
            Certspotter_URL=spotter.url,
            Source="certspotter",
            Certspotter_Hourly="20",
            Authorised_CAs="Let's Encrypt",
            Own_Keys=base["pubkey_sha256"],
            SCAN__Resolver="{}:{}".format(*dns.address),
        )
        first = watch(folder, "--typosquats", "--report", "r.json", dns=True)
        assert first.code == 0
        record = report(folder)
        assert types(record) == ["typosquat_detected"]
        assert record["alerts"][0]["names"] == ["exmple.com"]
        assert record["alerts"][0]["detail"]["kind"] == "omission"
        assert "typosquats were asked for; the next run goes on there" in first.err
        spotter.issuances["example.com"][0] = {**base, "revoked": True}
        spotter.issuances["example.com"] += [
            issuance(
                2,
                "gone.example.com",
                not_before=day(-1),
                not_after=day(89),
                organisation="Evil CA",
                caa_domains=["evil.example"],
                pubkey_sha256=other_key,
            ),
            issuance(
                3,
                "*.example.com",
                not_before=day(-0.1),
                not_after=day(0.5),
                pubkey_sha256=other_key,
            ),
            issuance(
                4,
                "end.example.com",
                not_before=day(-84),
                not_after=day(6),
            ),
            issuance(
                5,
                "pulled.example.com",
                not_before=day(-1),
                not_after=day(89),
                revoked=True,
            ),
        ]
        own_settings(
            folder,
            Certspotter_URL=spotter.url,
            Source="certspotter",
            Certspotter_Hourly="0",
            Authorised_CAs="Let's Encrypt",
            Own_Keys=base["pubkey_sha256"],
            SCAN__Resolver="{}:{}".format(*dns.address),
        )
        second = watch(folder, "--format", "json", "--report", "r.json", dns=True)
        assert (second.code, second.err) == (0, "report: r.json\n")
        third = watch(folder, "--format", "json", dns=True)
    found = sorted(
        (one["severity"], one["type"], one["names"][0])
        for one in told(second)["alerts"]
    )
    assert found == [
        ("critical", "unauthorized_ca", "gone.example.com"),
        ("high", "caa_violation", "gone.example.com"),
        ("high", "certificate_expiring", "end.example.com"),
        ("high", "short_lived_certificate", "*.example.com"),
        ("high", "unknown_key", "*.example.com"),
        ("high", "unknown_key", "gone.example.com"),
        ("high", "wildcard_certificate", "*.example.com"),
        ("info", "new_certificate", "*.example.com"),
        ("info", "new_certificate", "gone.example.com"),
        ("medium", "new_subdomain", "end.example.com"),
        ("medium", "new_subdomain", "gone.example.com"),
        ("medium", "new_subdomain", "pulled.example.com"),
        ("medium", "revoked", "pulled.example.com"),
    ]
    (violation,) = (
        one for one in told(second)["alerts"] if one["type"] == "caa_violation"
    )
    assert "letsencrypt.org" in violation["detail"]["record"]
    names = {one["name"]: one for one in report(folder)["subdomains"]}
    assert names["www.example.com"]["addresses"] == ["127.0.0.1", "::1"]
    assert names["gone.example.com"]["cname"] == "gone.hoster.example"
    assert names["gone.example.com"]["dangling"] is True
    assert told(third)["alerts"] == []


def test_wrong_use_is_refused_before_anything_is_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, with each wrong thing by its name, and nothing is written."""
    with FakeCrtSh({}) as crtsh:
        own_settings(folder, Crtsh_URL=crtsh.url, domains="")
        nothing = watch(folder)
        assert nothing.code == 2
        assert "give domains of yours" in nothing.err
        many = watch(
            folder,
            "--domains",
            *("example.com", "co.uk", "https://user:pw@shop.example.org/x?y=1"),
            *("github.io", "no domain", "192.0.2.1", "com", "\x1b.com"),
        )
        assert many.code == 2
        for bad in ("'co.uk'", "'github.io'", "'no domain'", "'192.0.2.1'", "'com'"):
            assert bad in many.err
        assert "example.com" not in many.err.replace("write example.com", "")
        assert "\x1b" not in many.err
        own_settings(folder, Crtsh_URL=crtsh.url, domains="example.com, co.uk, net")
        listed = watch(folder)
        assert listed.code == 2
        assert "own.conf" in listed.err
        assert "'co.uk' is a public suffix" in listed.err
        assert "'net' is a public suffix" in listed.err
        own_settings(folder, Crtsh_URL=crtsh.url, Authorised_CAs="co.uk: X")
        # Ten more starts of Python would take as long as all else here.
        monkeypatch.chdir(folder)
        for arguments, says in {
            (): "'co.uk' is a public suffix",
            ("--list", "--ack", "1"): "do not go together",
            ("--add-ca", "Name", "no number"): "'no number' is no number of a CA",
            ("--report", "report.pdf"): "ends in none of .json, .csv, .html",
            ("--interval", "0"): "no number of seconds",
            ("--smtp-port", "70000"): "no port",
            ("--source", "crtsh", "nobody"): "invalid choice",
            ("--list",): "is not there yet",
            ("--webhook", "ftp://secret.example/word"): "--webhook: ",
            ("--email-to", "a@example.com"): "co.uk",
        }.items():
            try:
                code: object = main(["-c", "own.conf", *arguments])
            except SystemExit as exc:  # of argparse
                code = exc.code
            printed = capsys.readouterr()
            assert (code, printed.out) == (2, ""), arguments
            assert says in printed.err
            assert "secret" not in printed.err
        assert crtsh.requests == []
    assert [each.name for each in folder.iterdir()] == ["own.conf"]


def test_domains_are_taken_as_people_write_them(folder: Path) -> None:
    with FakeCrtSh({}) as crtsh:
        own_settings(folder, Crtsh_URL=crtsh.url, domains="")
        ran = watch(
            folder,
            "--format",
            "json",
            "--domains",
            *("EXAMPLE.com.", "*.example.com", "https://www.example.org:8443/path"),
            "b\u00fccher.example",
            *("--domains", "xn--bcher-kva.example,example[.]net"),
        )
        assert ran.code == 0
    assert list(told(ran)["domains"]) == [
        "example.com",
        "www.example.org",
        "xn--bcher-kva.example",
        "example.net",
    ]


def test_a_newcomer_needs_no_settings(folder: Path) -> None:
    """The options alone; the database lies where --db says."""
    done = run(
        PROGRAM,
        *("--domains", "example.com", "--source", "logs", "--db", "mine.sqlite3"),
        *("--no-resolve-dns", "--report", "new/folder/r.csv"),
        cwd=folder,
    )
    assert done.code == 0
    assert done.out == "example.com: 0 certificates, watched from now on\n"
    # It is said at the start, once, and in the report.
    notes = [line for line in done.err.splitlines() if line.startswith("note: ")]
    assert "unauthorized_ca is off" in notes[-1]
    assert done.err.count("unauthorized_ca is off") == 1
    assert done.err.index("unauthorized_ca is off") < done.err.index("report: ")
    assert (folder / "mine.sqlite3").exists()
    assert (folder / "new/folder/r.csv").exists()
    listed = run(PROGRAM, "--list", "--db", "mine.sqlite3", cwd=folder)
    assert (listed.code, listed.out) == (0, "")
    assert listed.err.startswith("no alerts in ")


def test_state_that_is_unusable_is_told_before_anything_is_asked(folder: Path) -> None:
    with FakeCrtSh({}) as crtsh:
        own_settings(folder, Crtsh_URL=crtsh.url)
        (folder / "found.sqlite3").write_bytes(b"no database at all, " * 200)
        bad = watch(folder)
        assert bad.code == 2
        assert "found.sqlite3" in bad.err
        (folder / "file").write_bytes(b"")
        other = watch(folder, "--state", "file/below")
        assert other.code == 2
        assert "file" in other.err
        third = watch(folder, "--state", "s3://Not_A_Bucket!/x")
        assert third.code == 2
        assert "--state" in third.err or "s3://" in third.err
        assert crtsh.requests == []
