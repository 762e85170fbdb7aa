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
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import pytest

from tests.fakes.api import ApiServer, Reply
from tests.fakes.dns import DnsServer, silent
from tests.fakes.sites import Site, Sites, page, redirect
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
