"""scanhost.py as a process, on sites, name servers and webhooks of loopback."""

import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.message
import dns.rcode
import pytest

from tests.fakes.api import ApiServer, Reply
from tests.fakes.dns import DnsServer, says, silent
from tests.fakes.proxies import microsocks, tinyproxy
from tests.fakes.rdap import RdapServer
from tests.fakes.safebrowsing import SafeBrowsingServer
from tests.fakes.sites import Site, Sites, Visit, page, redirect
from tests.fakes.webhook import Webhook
from tests.programs.program import (
    CHECKOUT,
    Result,
    environment,
    message,
    replaying,
    rows,
    run,
    settings,
)

HEAD = ["Test all domains in DB for Internet Presence:", "*" * 45]
LINE = re.compile(r"^\d\d:\d\d:\d\d - (SUCCESS|ERROR) - (.*)$")
ADDRESS, CLOSED = "127.0.8.1", "127.0.8.99"
TITLE = b"<title>Sign in</title>"
TODAY = datetime.now(UTC)
_TIMEOUT_S = 20.0


class World:
    """Sites, a name server, and a folder with settings and a database."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.sites = stack.enter_context(Sites())
        self.dns = stack.enter_context(DnsServer({}))
        self.site: Site = self.sites.plain(ADDRESS, page(TITLE))
        self._stack = stack
        self.configure()

    def configure(self, **more: str) -> None:
        values = {
            "DATABASE__TABLEname": "certstreammonitor",
            "SCAN__Resolver": "{}:{}".format(*self.dns.address),
            "SCAN__Allow_Private": "127.0.8.0/24",
            "SCAN__Http_Ports": str(self.sites.http_port),
            "SCAN__Https_Ports": str(self.sites.https_port),
            "SCAN__Host_Timeout": "10",
            "SCAN__Favicon": "no",
            "ENRICH__ASN": "no",
            "ENRICH__Domain": "no",
            "REPORTING__Alerts_dir": "alerts",
        }
        settings(self.folder, name="scan.conf", **(values | more))  # type: ignore[arg-type]

    def webhook(self) -> Webhook:
        return self._stack.enter_context(Webhook())

    def names(self, *hosts: str, address: str = ADDRESS) -> None:
        """The hosts exist, at one address."""
        for host in hosts:
            self.dns.table[host] = {"A": [address]}

    def hosts(
        self,
        *hosts: str,
        state: str | None = None,
        first_seen: datetime = TODAY,
    ) -> None:
        """The hosts are stored, as CertStreamMonitor stores them."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS certstreammonitor (Domain TEXT PRIMARY KEY "
                "NOT NULL, SAN TEXT, Issuer TEXT, Fingerprint TEXT, Startime TEXT, "
                "FirstSeen TEXT, StillInvestig TEXT)"
            )
            seen = first_seen.strftime("%Y-%m-%dT%H:%M:%S")
            connection.executemany(
                "INSERT INTO certstreammonitor (Domain, SAN, Issuer, Fingerprint, "
                "Startime, FirstSeen, StillInvestig) VALUES (?, '', '', 'AA', ?, ?, ?)",
                [(host, seen, seen, state) for host in hosts],
            )

    @property
    def database(self) -> Path:
        return self.folder / "found.sqlite3"

    def states(self) -> dict[str, str | None]:
        query = "SELECT Domain, StillInvestig FROM certstreammonitor"
        return dict(rows(self.database, query))

    def sql(self, statement: str) -> None:
        """What time or another program does to the database."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute(statement)

    def later(self) -> None:
        """An alert that failed is due again."""
        self.sql("UPDATE ctm_outbox SET next_attempt = ''")

    def content(self) -> list[str]:
        """All that the database holds."""
        with closing(sqlite3.connect(self.database)) as connection:
            return list(connection.iterdump())

    def alerts(self) -> dict[str, dict[str, object]]:
        """The alerts that were written, by path below Alerts_dir."""
        top = self.folder / "alerts"
        return {
            str(path.relative_to(top)): json.loads(path.read_bytes())
            for path in top.rglob("*")
            if path.is_file()
        }

    def scan(self, *arguments: str, ordinary_user: bool = False) -> Result:
        return run(
            "scanhost.py",
            *("-c", "scan.conf", *arguments),
            cwd=self.folder,
            ordinary_user=ordinary_user,
        )

    def start(self, *arguments: str, **more: object) -> "subprocess.Popen[str]":
        return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
            [sys.executable, CHECKOUT / "scanhost.py", "-c", "scan.conf", *arguments],
            cwd=self.folder,
            env=environment(),
            **{
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "text": True,
                **more,
            },
        )


@pytest.fixture
def world(folder: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(folder, stack)


def lines(result: Result) -> set[str]:
    """The status lines, without their times."""
    found = [LINE.match(line) for line in result.out.splitlines()]
    return {f"{one[1]} {one[2]}" for one in found if one}


def test_it_prints_what_the_original_prints(world: World) -> None:
    world.names("up.example")
    world.names("closed.example", address=CLOSED)
    world.hosts("up.example", "closed.example", "absent.example")
    result = world.scan()
    assert result.code == 0
    printed = result.out.splitlines()
    assert printed[:2] == HEAD
    assert lines(result) == {
        "SUCCESS HTTP 200 - up.example",
        "ERROR https://closed.example - Connection error",
        "ERROR https://absent.example - DNS NXDOMAIN",
    }
    (created,) = [line for line in printed if line.startswith("Creating ")]
    assert created.startswith("Creating alerts/up.example.json : {'hostname': 'up.exa")
    assert len(printed) == 6
    assert result.err == "visited=3 up=1 down=2 unknown=0 alerts=1\n"
    (alert,) = world.alerts().values()
    assert (alert["hostname"], alert["http_code"]) == ("up.example", 200)
    states = world.states()
    assert states["absent.example"] is None
    assert re.fullmatch(r"\d{4}(-\d\d){2}T\d\d(:\d\d){2}", states["up.example"] or "")
    assert not any(str(world.sites.http_port) in line for line in lines(result))


def test_directories_by_labels_top_label_first(world: World) -> None:
    world.names("login.paypal.example")
    world.hosts("login.paypal.example")
    assert world.scan("--fqdn-dirs").code == 0
    assert list(world.alerts()) == [
        "example/paypal/login/login.paypal.example.json",
    ]


def test_one_host_is_visited_without_a_database(world: World) -> None:
    world.names("xn--bcher-kva.example")
    result = world.scan("--host", "hxxps://B\u00fccher[.]example/login")
    assert result.code == 0
    assert lines(result) == {"SUCCESS HTTP 200 - xn--bcher-kva.example"}
    assert [path.name for path in world.folder.iterdir()] == ["scan.conf"]
    result = world.scan("--host", "absent.example", "--json")
    (report,) = map(json.loads, result.out.splitlines())
    assert (result.code, report["presence"]) == (0, "down")


def test_one_host_is_shown_with_the_evidence_of_an_alert(world: World) -> None:
    """Looked up with what the database knows, which stays as it is."""
    registered = {
        "objectClassName": "domain",
        "ldhName": "up.example",
        "events": [
            {"eventAction": "registration", "eventDate": "2026-11-20T04:00:00Z"}
        ],
    }
    with RdapServer() as registry, SafeBrowsingServer("the-key") as service:
        registry.answers["/domain/up.example"] = json.dumps(registered).encode()
        world.configure(
            ENRICH__Domain="yes",
            ENRICH__RDAP_Bootstrap=registry.bootstrap("example"),
            SAFEBROWSING__Safe_Browsing_API_Key="the-key",
            SAFEBROWSING__API_URL=service.url,
        )
        world.names("up.example", "other.example")
        alone = world.scan("--host", "up.example")
        assert alone.code == 0
        status, *evidence = alone.out.splitlines()
        assert status.endswith(" - SUCCESS - HTTP 200 - up.example")
        assert "Title: Sign in" in evidence
        assert "Domain registered: 2026-11-20" in evidence
        assert "Safe Browsing: not listed" in evidence
        assert [path.name for path in world.folder.iterdir()] == ["scan.conf"]
        world.hosts("up.example")
        assert world.scan().code == 0
        before = world.content()
        registry.requests.clear()
        shown = world.scan("--host", "up.example", "--json")
        (report,) = map(json.loads, shown.out.splitlines())
        found = {name: one["status"] for name, one in report["enrichments"].items()}
        assert found == {"domain": "ok", "safe_browsing": "ok"}
        assert registry.requests == [], "the database knows the answer"
        assert len(service.requests) == 3
        service.failure = Reply(500)
        failed = world.scan("--host", "other.example")
        assert failed.code == 0
        assert "safe_browsing: error: " in failed.out
        assert world.content() == before


def test_one_host_is_stored_on_demand(world: World) -> None:
    world.names("a.example", "b.example")
    world.hosts("a.example", "b.example", "\u00fcber.example")
    assert world.scan("--host", "a.example", "--store").code == 0
    assert [host for host, state in world.states().items() if state] == ["a.example"]
    assert list(world.alerts()) == ["a.example.json"]
    odd = world.scan("--host", "\u00fcber.example", "--store")
    assert lines(odd) == {"ERROR https://\u00fcber.example - DNS NXDOMAIN"}
    unknown = world.scan("--host", "c.example", "--store")
    assert unknown.code == 2
    assert "'c.example' is not stored" in unknown.err


def test_a_dry_run_stores_writes_and_sends_nothing(world: World) -> None:
    heard = world.webhook()
    world.configure(
        REPORTING__Notification_Destination=heard.address,
        REPORTING__Heartbeat_URL=f"http://127.0.0.1:{heard.port}/",
    )
    world.names("a.example")
    world.hosts("a.example", "old.example", first_seen=TODAY - timedelta(days=1))
    world.hosts("ancient.example", first_seen=TODAY - timedelta(days=999))
    result = world.scan("--dry-run")
    assert result.code == 0
    assert "SUCCESS HTTP 200 - a.example" in lines(result)
    assert set(world.states().values()) == {None}
    assert world.alerts() == {}
    assert heard.requests == []
    real = world.scan()
    assert real.code == 0
    assert lines(real) >= {"SUCCESS HTTP 200 - a.example"}, "it was left due"
    assert len(heard.requests) == 2, "a message and a heartbeat"


def test_a_limit_leaves_the_rest_due(world: World) -> None:
    hosts = [f"h{number}.example" for number in range(5)]
    world.hosts(*hosts)
    first, second = world.scan("--limit", "2"), world.scan()
    assert len(lines(first)) == 2
    assert lines(first) | lines(second) == {
        f"ERROR https://{host} - DNS NXDOMAIN" for host in hosts
    }
    assert len(lines(second)) == 3


def test_all_visits_hosts_that_are_not_due(world: World) -> None:
    world.names("up.example")
    world.hosts("up.example", "down.example")
    world.hosts("over.example", state="Stop checking on 2026-01-01")
    assert len(lines(world.scan())) == 2
    result = world.scan("--all")
    assert lines(result) == {
        "SUCCESS HTTP 200 - up.example",
        "ERROR https://down.example - DNS NXDOMAIN",
    }
    assert "Creating" not in result.out, "what is up is told once"


def test_json_is_all_that_standard_output_holds(world: World) -> None:
    world.site.script = page(b"<title>\xc3\xbc\x1b[2J \xe2\x80\xae</title>")
    world.names("a.example")
    world.hosts("a.example", "b.example")
    done = subprocess.run(
        [sys.executable, CHECKOUT / "scanhost.py", "-c", "scan.conf", "--json"],
        cwd=world.folder,
        env=environment(PYTHONIOENCODING="ascii"),
        capture_output=True,
        timeout=_TIMEOUT_S,
        check=True,
    )
    reports = {each["host"]: each for each in map(json.loads, done.stdout.splitlines())}
    assert reports["a.example"]["page"]["status"] == 200
    assert "\u00fc" in reports["a.example"]["page"]["title"]
    assert reports["a.example"]["started"].endswith("Z")
    assert reports["b.example"]["dns"]["state"] == "nxdomain"
    assert b"\x1b" not in done.stdout


def test_a_database_of_the_old_program_goes_on(world: World) -> None:
    """Wildcards, U-labels, control characters; NULL, '' and times in StillInvestig."""
    world.names("w.example", "xn--bcher-kva.example", "empty.example", "www.v.example")
    strange = "bad\x1b[31m\nname/../x.example"
    world.hosts("*.w.example", "*.v.example", "b\u00fccher.example", strange)
    world.hosts("empty.example", state="")
    world.hosts("up.example", state="2026-11-01T00:00:00")
    world.hosts("over.example", state="Stop checking on 2026-01-01")
    world.hosts("ancient.example", first_seen=TODAY - timedelta(days=181))
    result = world.scan("-v")
    assert result.code == 0
    assert {line for line in lines(result) if "bad" not in line} == {
        "SUCCESS HTTP 200 - *.w.example",
        "SUCCESS HTTP 200 - *.v.example",
        "SUCCESS HTTP 200 - b\u00fccher.example",
        "SUCCESS HTTP 200 - empty.example",
        "ERROR https://up.example - DNS NXDOMAIN",
    }
    assert "\x1b" not in result.out
    assert r"https://bad\x1b[31m\x0aname/../x.example - " in result.out
    states = world.states()
    assert states["ancient.example"] == f"Stop checking on {datetime.now(UTC).date()}"
    assert states["over.example"] == "Stop checking on 2026-01-01"
    assert states["up.example"] == "2026-11-01T00:00:00"
    assert states[strange] is None
    assert all(".." not in path for path in world.alerts())
    assert len(world.alerts()) == 4


def test_an_alert_waits_for_a_directory_that_can_be_written(world: World) -> None:
    (world.folder / "alerts").mkdir(mode=0o500)
    world.names("a.example")
    world.hosts("a.example")
    first = world.scan(ordinary_user=True)
    assert first.code == 1
    assert "Alerts_dir" in first.err
    assert world.states()["a.example"] is not None
    assert world.alerts() == {}
    waiting = world.scan("--flush", ordinary_user=True)
    assert waiting.code == 1
    assert "alerts that wait for their next attempt: 1" in waiting.err
    (world.folder / "alerts").chmod(0o700)
    world.later()
    later = world.scan(ordinary_user=True)
    assert later.code == 0
    assert "Creating alerts/a.example.json : {" in later.out
    assert list(world.alerts()) == ["a.example.json"]
    assert "Creating" not in world.scan().out


def test_flush_sends_what_a_destination_missed(world: World) -> None:
    heard = world.webhook()
    heard.answer = lambda _: Reply(503)
    world.configure(REPORTING__Notification_Destination=heard.address)
    world.names("a.example")
    world.hosts("a.example")
    failed = world.scan()
    assert failed.code == 1
    assert "destination 1 (json): " in failed.err
    assert "secret" not in failed.err
    again = world.scan("--flush")
    assert again.code == 1
    assert "destination 1 (json): " in again.err
    heard.answer = lambda _: Reply()
    heard.requests.clear()
    flushed = world.scan("--flush")
    assert (flushed.code, flushed.out, flushed.err) == (0, "", "")
    assert len(heard.told) == 1


def test_tags_lead_messages_to_their_destinations(world: World) -> None:
    soc, ops, everybody = (world.webhook() for _ in range(3))
    world.configure(
        REPORTING__Notification_Destination=f"soc,boss={soc.address} "
        f"ops={ops.address} {everybody.address}",
        REPORTING__Notify_Tags="up=soc",
    )
    world.names("a.example")
    world.hosts("a.example")
    assert world.scan().code == 0
    assert [len(one.told) for one in (soc, ops, everybody)] == [1, 0, 1]
    assert world.scan("--notify-test").code == 0
    assert [len(one.told) for one in (soc, ops, everybody)] == [2, 1, 2]


def test_a_message_to_try_each_channel(world: World) -> None:
    good, bad = world.webhook(), world.webhook()
    bad.answer = lambda _: Reply(500)
    assert world.scan("--notify-test").code == 2
    world.configure(
        REPORTING__Notification_Destination=f"{good.address} {bad.address}",
        REPORTING__Fallback_Destination=good.address,
    )
    result = world.scan("--notify-test")
    assert (result.code, len(good.told)) == (1, 2)
    assert "destination 1 (json): sent" in result.out
    assert "the fallback (json): sent" in result.out
    assert "destination 2 (json): FAILED" in result.out


def test_what_cannot_be_used_is_told_before_anything_begins(world: World) -> None:
    missing = world.scan()
    assert (missing.code, missing.out) == (2, "")
    assert "certstreammonitor.py first" in missing.err
    assert not world.database.exists()
    world.hosts("a.example", first_seen=TODAY - timedelta(days=999))
    for setting in ("SCAN__CA_File", "CONNECT__UAfile", "ENRICH__MMDB_File"):
        world.configure(ENRICH__ASN="yes", **{setting: "absent.file"})
        result = world.scan()
        assert (result.code, result.out) == (2, ""), setting
        assert "absent.file" in result.err
    assert world.states() == {"a.example": None}


@pytest.mark.parametrize("kind", ["http", "socks5h"])
def test_a_proxy_carries_a_run_and_nothing_goes_around_it(
    world: World, tmp_path: Path, kind: str
) -> None:
    """What would be asked of name servers is left out, and the alert says why."""
    world.names("named.example")
    world.hosts(ADDRESS, "named.example")
    carrying = tinyproxy if kind == "http" else microsocks
    with carrying(tmp_path, "me", "secret") as proxy:
        url = f"{kind}://me:secret@{proxy.host}:{proxy.port}"
        world.configure(CONNECT__Proxy=url, ENRICH__ASN="yes")
        result = world.scan()
        assert proxy.tunnels() >= 1
    assert result.code == 0
    assert f"SUCCESS HTTP 200 - {ADDRESS}" in lines(result)
    assert f"visits go through {kind}://{proxy.host}:{proxy.port}" in result.err
    assert world.dns.questions == []
    alert = world.alerts()[f"{ADDRESS}.json"]
    assert alert["dns"]["state"] == "not_applicable"  # type: ignore[index]
    network = alert["enrichment"]["asn"]  # type: ignore[index]
    assert network["status"] == "not_applicable"
    assert "proxy" in network["detail"]
    assert "secret" not in result.out + result.err


def test_visits_have_the_user_agent_of_the_settings(world: World) -> None:
    """That of http_UA, or one of UAfile at random."""
    world.names("one.example")
    world.hosts("one.example")
    world.configure(CONNECT__http_UA="Browser/1 (X11)")
    assert world.scan().code == 0
    assert [one.header("User-Agent") for one in world.site.visits] == [
        "Browser/1 (X11)"
    ]
    agents = {f"Browser/{number}" for number in (2, 3)}
    (world.folder / "agents.txt").write_text("\n \n".join(agents) + "\n")
    many = [f"h{number}.example" for number in range(40)]
    world.names(*many)
    world.hosts(*many)
    world.configure(CONNECT__http_UA="Browser/1 (X11)", CONNECT__UAfile="agents.txt")
    assert world.scan().code == 0
    assert {one.header("User-Agent") for one in world.site.visits[1:]} == agents


def test_the_guard_keeps_our_own_network_out(world: World) -> None:
    """A host that points at loopback, or sends us there, reaches nobody."""
    canary = world.sites.plain("127.0.0.1", page())
    port = world.sites.http_port
    world.site.script = redirect(f"http://127.0.0.1:{port}/")
    world.names("home.example", address="127.0.0.1")
    world.names("sends.example")
    world.hosts("home.example", "sends.example", "127.0.0.1", "2130706433")
    result = world.scan()
    assert result.code == 0
    assert "ERROR https://home.example - Not allowed" in lines(result)
    assert "SUCCESS HTTP 302 - sends.example" in lines(result)
    assert canary.connections == 0
    (alert,) = world.alerts().values()
    assert "followed" in json.dumps(alert["redirects"])
    world.configure(SCAN__Allow_Private="127.0.0.0/16 127.0.8.0/24")
    assert "SUCCESS HTTP 200 - home.example" in lines(world.scan("--all"))
    assert canary.connections > 0


def test_a_hook_reads_the_alert_and_a_heartbeat_follows(world: World) -> None:
    with ApiServer(lambda _: Reply()) as pulse:
        hook = world.folder / "hook.py"
        hook.write_text("import sys; open('hooked', 'a').write(sys.stdin.read())")
        world.configure(
            REPORTING__Hook=f"'{sys.executable}' '{hook}'",
            REPORTING__Heartbeat_URL=f"http://127.0.0.1:{pulse.port}/alive",
        )
        world.names("a.example")
        world.hosts("a.example")
        assert world.scan().code == 0
        hooked = json.loads((world.folder / "hooked").read_text())
        assert hooked == next(iter(world.alerts().values()))
        assert [one.path for one in pulse.requests] == ["/alive"]
        hook.write_text("raise SystemExit(3)")
        world.names("b.example")
        world.hosts("b.example")
        failed = world.scan()
        assert failed.code == 1
        assert "the hook ended with exit code 3" in failed.err
        assert len(pulse.requests) == 1, "a run that failed in part has no heartbeat"


def test_a_run_ends_when_its_time_is_over(world: World) -> None:
    world.configure(SCAN__Run_Timeout="0.5")
    world.dns.scripts["slow.example"] = silent
    world.hosts("slow.example")
    result = world.scan()
    assert result.code == 1
    assert "Run_Timeout of 0.5 s was reached" in result.err


def test_findings_of_the_daemon_are_visited_with_their_reasons(folder: Path) -> None:
    with ExitStack() as stack:
        world = World(folder, stack)
        config = replaying(folder, [message("paypal-login.example")])
        assert run("certstreammonitor.py", "-c", config.name, cwd=folder).code == 0
        world.configure(DATABASE__TABLEname="CertMon")
        world.names("paypal-login.example")
        assert world.scan().code == 0
        (alert,) = world.alerts().values()
        assert alert["names"] == ["paypal-login.example"]
        assert {one["rule"] for one in alert["reasons"]} == {"paypal", "login"}  # type: ignore[attr-defined]


# Runs that end early, and runs beside each other


def wait_for(happened: Callable[[], object]) -> None:
    end = time.monotonic() + _TIMEOUT_S
    while not happened():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def stuck(world: World) -> Site:
    """One host is up, and one keeps its visitor waiting for the whole of its time."""
    world.configure(SCAN__Host_Timeout="60", SCAN__Connect_Timeout="60")

    def say_nothing(visit: Visit) -> None:
        visit.stopping.wait()

    site = world.sites.plain("127.0.8.2", say_nothing)
    world.names("slow.example", address="127.0.8.2")
    world.names("up.example")
    world.hosts("slow.example", "up.example")
    return site


def until(process: "subprocess.Popen[str]", text: str) -> str:
    assert process.stdout is not None
    read = ""
    for line in process.stdout:
        read += line
        if text in line:
            return read
    raise AssertionError(f"{text!r} not in {read!r}")


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=_TIMEOUT_S)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def test_who_comes_up_is_told_while_others_are_visited(
    world: World, stuck: Site
) -> None:
    """And a signal then gives up the others, which stay due."""
    heard = world.webhook()
    world.configure(
        SCAN__Host_Timeout="60",
        SCAN__Connect_Timeout="60",
        REPORTING__Notification_Destination=heard.address,
        REPORTING__Heartbeat_URL=f"http://127.0.0.1:{heard.port}/alive",
    )
    with world.start() as process:
        until(process, "Creating alerts/up.example.json")
        wait_for(lambda: stuck.visits)
        process.send_signal(signal.SIGTERM)
        code, _, err = ended(process)
    assert code == 0
    assert "SIGTERM, ending" in err
    assert "visited=1 up=1" in err
    assert world.states()["up.example"] is not None
    assert world.states()["slow.example"] is None
    assert [one.method for one in heard.requests] == ["POST"], "no heartbeat"
    leases = "SELECT lease_owner FROM ctm_followup WHERE lease_owner != ''"
    assert rows(world.database, leases) == []


def test_a_second_signal_ends_at_once(world: World, stuck: Site) -> None:
    heard = world.webhook()
    heard.answer = lambda _: Reply(is_silent=True)
    world.configure(
        SCAN__Host_Timeout="60",
        SCAN__Connect_Timeout="60",
        REPORTING__Notification_Destination=heard.address,
    )
    with world.start() as process:
        until(process, "Creating")
        wait_for(lambda: heard.requests)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "SIGINT, ending" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(_TIMEOUT_S) == -signal.SIGINT


def test_two_runs_share_the_hosts(world: World) -> None:
    hosts = [f"h{number}.example" for number in range(300)]
    world.configure(
        SCAN__Concurrency="20", SCAN__Host_Timeout="60", SCAN__Connect_Timeout="60"
    )
    world.hosts(*hosts)
    both_began = threading.Event()

    def answer(query: dns.message.QueryMessage) -> bytes | None:
        both_began.wait(_TIMEOUT_S)
        time.sleep(0.002)
        return says(dns.rcode.NXDOMAIN)(query)

    world.dns.scripts |= dict.fromkeys(hosts, answer)
    with world.start() as first, world.start() as second:
        begun = [until(first, HEAD[0]), until(second, HEAD[0])]
        both_began.set()
        results = [Result(*ended(first)), Result(*ended(second))]
    assert len(begun) == 2
    assert [one.code for one in results] == [0, 0]
    seen = [line for one in results for line in lines(one)]
    assert sorted(seen) == sorted(f"ERROR https://{h} - DNS NXDOMAIN" for h in hosts)
    assert all("ERROR" in one.out for one in results), "both had a part"


def test_what_a_killed_run_had_is_visited_after_its_lease(
    world: World, stuck: Site
) -> None:
    with world.start() as killed:
        wait_for(lambda: stuck.visits)
        killed.kill()
        killed.communicate()
    stuck.script = page(TITLE)
    assert "slow.example" not in world.scan().out, "it is leased to the one killed"
    # As if the time of the lease had passed.
    world.sql("UPDATE ctm_followup SET lease_until = '2026-01-01T00:00:00'")
    assert "SUCCESS HTTP 200 - slow.example" in lines(world.scan())
    assert all(world.states().values())


# Where output goes


def at_terminal(world: World, python: str, *arguments: str) -> tuple[int, str]:
    """The exit code, and what stood on the terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [python, CHECKOUT / "scanhost.py", "-c", "scan.conf", *arguments],
        cwd=world.folder,
        env=environment(TERM="xterm", COLUMNS="200"),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # the terminal's end
            pass
        finally:
            os.close(ours)
        return process.wait(_TIMEOUT_S), shown.decode()


def test_a_terminal_gets_colours_and_a_bar(world: World) -> None:
    (world.folder / ".hues.yml").write_text("labels: [broken")
    world.names("a.example")
    world.hosts("a.example", "b.example")
    code, shown = at_terminal(world, sys.executable)
    assert "Traceback" not in shown
    assert code == 0
    assert "visiting" in shown, "the bar"
    (world.folder / ".hues.yml").unlink()
    code, shown = at_terminal(world, sys.executable, "--all")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert re.search(r"\d\d:\d\d:\d\d - SUCCESS - HTTP 200 - a\.example\s", plain)
    assert re.search(r"- ERROR - https://b\.example - DNS NXDOMAIN\s", plain)
    assert re.search(r"\x1b\[[0-9;]*32m.*SUCCESS", shown), "green"


def test_who_stops_reading_does_not_stop_the_run(world: World) -> None:
    world.names("a.example")
    world.hosts("a.example", *(f"h{number}.example" for number in range(300)))
    with world.start() as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == "visited=301 up=1 down=300 unknown=0 alerts=1\n"
        assert process.wait(_TIMEOUT_S) == 0
    assert list(world.alerts()) == ["a.example.json"]


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", ">/dev/full"])
def test_nowhere_to_print_to(world: World, closed: str) -> None:
    world.names("a.example")
    world.hosts("a.example")
    command = f'"$@" {closed}'
    done = subprocess.run(
        [
            "sh",
            "-c",
            command,
            "sh",
            sys.executable,
            CHECKOUT / "scanhost.py",
            "-cscan.conf",
        ],
        cwd=world.folder,
        env=environment(),
        stderr=subprocess.PIPE,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    is_full = "full" in closed
    assert done.returncode == is_full
    assert (b"standard output cannot be written: No space" in done.stderr) == is_full
    assert list(world.alerts()) == ["a.example.json"]
    assert world.states()["a.example"] is not None
