"""The daemon keeps what it sees of own domains, from feeds and from logs."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from ctmonitor.ct.certificate import key_sha256, tbs_sha256
from ctmonitor.model.own import OwnSighting, OwnSource
from ctmonitor.store.store import open_store
from tests.data import vector_messages
from tests.fakes.feed import FeedServer
from tests.fakes.log import FakeLog
from tests.fakes.logentries import entries_for, many_entries
from tests.fakes.logserver import Front, LogServer
from tests.programs.program import (
    SUMMARY,
    Daemon,
    Tap,
    encoded,
    message,
    message_object,
    replaying,
    rows,
    run,
    settings,
)

DAEMON = "certstreammonitor.py"
OWN: dict[str, Any] = {"OWN__Domains": "example.com example.org"}
NAMES_ALONE = (
    b'{"data":["example.com","*.Dev.example.com","x.test"],'
    b'"message_type":"dns_entries"}'
)


def kept(folder: Path, *domains: str) -> list[OwnSighting]:
    """What `watchdomains.py` is going to read."""
    file = folder / "found.sqlite3"
    with open_store(db_file=file, url="", table="CertMon") as store:
        sightings = store.own_sightings()
        return sightings.after(0, domains or ("example.com", "example.org"), 1000)


def test_own_names_of_a_feed_are_kept_at_once_and_not_printed(folder: Path) -> None:
    """With own domains alone: no keyword, no brand."""
    tap = Tap()
    with FeedServer(tap) as server:
        config = settings(
            folder,
            SEARCH__SearchKeywords="",
            SERVER__ACTServer=server.url,
            LOGGING__LogLevel="DEBUG",
            **OWN,
        )
        with Daemon(config) as daemon:
            daemon.wait_for_out("own domains: example.com, example.org; ")
            tap.put(
                message("www.example.com", "x.test", index=7),
                message("x.test", "example.com.x.test", index=8),
            )
            daemon.wait_for_err("own domain example.com: www.example.com")
            (first,) = kept(folder)
            tap.put(NAMES_ALONE)
            daemon.wait_for_err("own domain example.com: example.com *.dev.example.com")
            assert len(kept(folder)) == 2
            result = daemon.stop()
    assert result.code == 0
    assert "www.example.com" not in result.out
    assert result.tally["messages"] == 3
    assert (result.tally["candidates"], result.tally["findings"]) == (3, 0)
    assert "\nown domains: sightings=2\n" in result.out
    claim = first.claim
    assert claim.source is OwnSource.LOGS
    assert claim.ids == ("https://log.example/one:7",)
    assert claim.names == ("www.example.com",)
    assert claim.all_names == ("www.example.com", "x.test")
    assert (claim.issuer.organisation, claim.serial) == ("Test CA", "7")
    assert claim.issuer.identity == "us|test ca|e7"
    assert claim.not_before == "2026-11-21T11:14:45"
    _, alone = kept(folder)
    assert alone.claim.names == ("example.com", "*.dev.example.com")
    assert (alone.claim.issuer.dn, alone.claim.serial, alone.claim.ids) == ("", "", ())
    assert rows(folder / "found.sqlite3", "SELECT Domain FROM CertMon") == []


@pytest.mark.parametrize("is_tiled", [True, False], ids=["static", "classic"])
def test_own_names_of_logs_are_kept_and_the_log_is_read_on(
    folder: Path, is_tiled: bool
) -> None:
    own = [
        *entries_for([["www.example.com", "x.test"]], "precert"),
        *entries_for([["WWW.example.org"]], "cert"),
    ]
    log = FakeLog("one.example", [*many_entries(60), *own, *many_entries(20)])
    with LogServer(Front(log, "one", is_tiled=is_tiled)) as server:
        (folder / "logs.json").write_bytes(server.log_list())
        config = settings(
            folder,
            SOURCES__Source="logs",
            SOURCES__Log_List="logs.json",
            SOURCES__Start="beginning",
            **OWN,
        )
        result = run(DAEMON, "-c", config.name, "--once", cwd=folder)
        assert (result.code, result.found) == (0, [])
        assert result.tally["messages"] == len(log.entries)
    places = [
        index
        for index, entry in enumerate(log.entries)
        if {"www.example.com", "WWW.example.org"} & {*entry.names}
    ]
    found = {seen.domain: seen.claim for seen in kept(folder)}
    assert sorted(claim.ids[0].rpartition(":")[2] for claim in found.values()) == [
        str(place) for place in places
    ]
    assert found["example.com"].names == ("www.example.com",)
    assert found["example.org"].names == ("www.example.org",)
    for place, domain in zip(places, ("example.com", "example.org"), strict=True):
        der = log.entries[place].certificate
        assert found[domain].tbs_sha256 == tbs_sha256(der)
        assert found[domain].key_sha256 == key_sha256(der)


def test_what_several_logs_hold_is_taken_up_as_one_certificate(folder: Path) -> None:
    """Precertificate and certificate, each in two logs."""
    both = entries_for([["www.example.com"]], "both")
    logs = [FakeLog(name, [*many_entries(10), *both]) for name in ("one", "two")]
    fronts = [Front(logs[0], "one"), Front(logs[1], "two", is_tiled=False)]
    with LogServer(*fronts) as server:
        (folder / "logs.json").write_bytes(server.log_list())
        config = settings(
            folder,
            SOURCES__Source="logs",
            SOURCES__Log_List="logs.json",
            SOURCES__Start="beginning",
            SOURCES__Contact="soc@example.org",
            OWN__Source="logs",
            OWN__Domains="example.com",
        )
        watch = ("watchdomains.py", "-c", config.name, "--no-resolve-dns")
        first = run(*watch, "--format", "json", cwd=folder)
        assert run(DAEMON, "-c", config.name, "--once", cwd=folder).code == 0
    assert first.code == 0
    assert len(kept(folder)) == 4
    told = run(*watch, "--report", "own.json", cwd=folder)
    assert told.code == 0
    report = json.loads((folder / "own.json").read_text())
    (certificate,) = report["certificates"]
    assert certificate["names"] == ["www.example.com"]
    alerts = [(alert["type"], alert["source"]) for alert in report["alerts"]]
    assert sorted(alerts) == [("new_certificate", "logs"), ("new_subdomain", "logs")]


def test_a_full_message_tells_the_hashes_of_certificate_and_key(folder: Path) -> None:
    recorded = vector_messages("rust_live_ct_full.jsonl")[0]
    config = replaying(folder, [recorded], OWN__Domains="dragonjar.org")
    assert run(DAEMON, "-c", config.name, cwd=folder).code == 0
    (seen,) = kept(folder, "dragonjar.org")
    assert seen.claim.names == ("portal.dragonjar.org",)
    assert seen.claim.issuer.organisation == "Google Trust Services"
    assert seen.claim.key_sha256.startswith("ce45f48da0439091")
    assert len(seen.claim.tbs_sha256) == 64


def test_lists_of_rules_say_nothing_of_own_domains(folder: Path) -> None:
    """What they allow or block is no finding, and is kept; a finding is both."""
    (folder / "allow.txt").write_text("allowed.example.com\n")
    config = replaying(
        folder,
        [
            message("login.allowed.example.com", index=1),
            message("login-blocked.example.com", index=2),
            message("login.example.com", index=3),
            message("login.example.com", index=3),  # the same entry
            message("login.test", index=4),
        ],
        keywords="login",
        SEARCH__DetectionThreshold="1",
        SEARCH__BlacklistKeywords="blocked",
        SEARCH__AllowFile="allow.txt",
        **OWN,
    )
    result = run(DAEMON, "-c", config.name, cwd=folder)
    assert result.found == ["login.example.com", "login.test"]
    assert [seen.claim.names[0] for seen in kept(folder)] == [
        "login.allowed.example.com",
        "login-blocked.example.com",
        "login.example.com",
    ]


def test_names_of_strangers_do_not_stop_it(folder: Path) -> None:
    """A message with an own name and fields of any kind; nothing of it is lost."""
    bad: dict[str, Any] = message_object("www.example.com", index=1)
    leaf = bad["data"]["leaf_cert"]
    leaf["all_domains"] += ["a\ud800.example.com", "x\0.example.com", "\n.example.com"]
    leaf["issuer"] = {"O": "\0\ud800\x1b[2J", "CN": 7, "aggregated": "/O=\0"}
    leaf["serial_number"] = "no number"
    bad["data"]["cert_link"] = "\0" * 10_000
    config = replaying(folder, [encoded(bad), b'{"data":'], **OWN)
    result = run(DAEMON, "-c", config.name, cwd=folder)
    assert result.code == 0
    (seen,) = kept(folder)
    assert seen.claim.names == ("www.example.com",)
    assert seen.claim.issuer.organisation == "\\x00\\ud800\\x1b[2J"


def test_a_dry_run_keeps_nothing(folder: Path) -> None:
    config = replaying(folder, [message("www.example.com")], **OWN)
    result = run(DAEMON, "-c", config.name, "--dry-run", cwd=folder)
    assert "\nown domains: sightings=1\n" in result.out
    assert SUMMARY.search(result.out)
    assert not (folder / "found.sqlite3").exists()


def test_domains_that_are_added_are_watched_after_sighup(folder: Path) -> None:
    tap = Tap()
    with FeedServer(tap) as server:
        more: dict[str, Any] = {
            "SERVER__ACTServer": server.url,
            "LOGGING__LogLevel": "DEBUG",
        }
        config = settings(folder, **more, **OWN)
        with Daemon(config) as daemon:
            tap.put(message("www.example.com"))
            daemon.wait_for_err("own domain example.com: www.example.com")
            settings(folder, **more, OWN__Domains="example.net")
            daemon.send(signal.SIGHUP)
            daemon.wait_for_err("own domains: example.net; ")
            tap.put(message("a.example.com", index=2))
            tap.put(message("www.example.net", index=3))
            daemon.wait_for_err("own domain example.net: www.example.net")
            assert daemon.stop().code == 0
    found = kept(folder, "example.com", "example.net")
    assert [seen.claim.names[0] for seen in found] == [
        "www.example.com",
        "www.example.net",
    ]


def test_the_check_of_settings_tells_of_own_domains(folder: Path) -> None:
    many = " ".join(f"d{number}.example.net" for number in range(8))
    config = settings(
        folder,
        SEARCH__SearchKeywords="",
        SERVER__ACTServer="ws://127.0.0.1:1/",
        OWN__Domains=many,
    )
    told = run(DAEMON, "-c", config.name, "--check-config", cwd=folder)
    assert (told.code, told.err) == (0, "")
    (line,) = [line for line in told.out.splitlines() if "# own domains: " in line]
    assert line == (
        "# own domains: d0.example.net, d1.example.net, d2.example.net, "
        "d3.example.net, d4.example.net and 3 more; what is seen of them is kept for "
        "watchdomains.py, which takes it up with [OWN] Source = logs"
    )


def test_json_output_stays_for_programs(folder: Path) -> None:
    config = replaying(
        folder, [message("www.example.com"), message("paypal-login.test")], **OWN
    )
    result = run(DAEMON, "-c", config.name, "--json", cwd=folder)
    assert [json.loads(line)["host"] for line in result.out.splitlines()] == [
        "paypal-login.test"
    ]
    assert "own domains: sightings=1" in result.err
