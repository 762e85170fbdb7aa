"""The scanner measured: the real scanhost.py, and `requests`, on the same sites."""

import re
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.feed import growth
from bench.measured import Measured
from bench.processes import BenchError, Child, Cores
from bench.sites import NETWORK, host, is_up
from ctmonitor.store.store import open_store

# Half of the hosts are dead, and half of those say nothing at all.
HALF_DEAD = ("up", "hang", "up", "drop")
ALL_UP = ("up",)

_SAMPLE_EVERY_S = 0.05
_LONGEST_RUN_S = 300.0
_ROW = "INSERT INTO CertMon VALUES (?, ?, ?, ?, ?, ?, NULL)"


class SiteServer(Child):
    """bench/sites.py while it runs, ready for connections."""

    def __init__(self, folder: Path, core: int | None) -> None:
        folder.mkdir()
        super().__init__(("-m", "bench.sites", folder), core)
        self.ca_file = folder / "ca.pem"
        try:
            self.ports: dict[str, int] = self.told()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def counts(self) -> dict[str, Any]:
        """What came since the last call; `first_s` is on the clock of `monotonic`."""
        self.go()
        return self.told()


def names(kinds: Sequence[str], count: int) -> list[str]:
    """Hosts of these kinds in turn."""
    return [host(kinds[number % len(kinds)], number) for number in range(count)]


def make_database(path: Path, hosts: Sequence[str]) -> None:
    """
    A database with hosts found an hour ago, all of them due and none visited.

    Written by the original, and opened once by our store, as the daemon does.
    """
    found = (datetime.now(UTC) - timedelta(hours=1)).replace(tzinfo=None)
    seen = found.isoformat(timespec="seconds")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE CertMon (Domain TEXT PRIMARY KEY, SAN TEXT, Issuer TEXT,"
            " Fingerprint TEXT, Startime TEXT, FirstSeen TEXT, StillInvestig TEXT)"
        )
        rows = ((name, name, "/O=Bench CA", "00", seen, seen) for name in hosts)
        connection.executemany(_ROW, rows)
        connection.commit()
    with open_store(db_file=path, url="", table="CertMon"):
        pass


@dataclass(frozen=True, slots=True)
class Scan:
    """
    One run of the scanner.

    Args:
        tally: its summary line.
        seconds: from the start of its process to the end of it.
        first_s: from that start to the first connection at a site.
        rss_mb: memory over that time, evenly spaced.
        served: what the sites counted meanwhile.
        printed: the hosts of its lines, in their order.
        log: what it wrote on standard error.
    """

    tally: dict[str, int]
    seconds: float
    first_s: float
    cpu_s: float
    rss_mb: Sequence[float]
    highest_rss_mb: float
    served: dict[str, Any]
    printed: Sequence[str]
    code: int
    log: str

    def flaws(self, hosts: Sequence[str]) -> tuple[str, ...]:
        """In words, what forbids to compare a run over `hosts`."""
        up = sum(map(is_up, hosts))
        expected = {"visited": len(hosts), "up": up, "down": len(hosts) - up}
        found = [
            f"{name} {self.tally.get(name)} instead of {number}"
            for name, number in expected.items()
            if self.tally.get(name) != number
        ]
        if self.code != 0:
            found.append(f"exit code {self.code}")
        return tuple(found)


def run_scanner(
    server: SiteServer,
    folder: Path,
    core: int | None,
    *,
    timeout_s: float,
    options: Sequence[str] = (),
    concurrency: int = 1000,
    longest_s: float = _LONGEST_RUN_S,
) -> Scan:
    """
    Runs scanhost.py on `found.sqlite3` in a folder, until it ends.

    Args:
        folder: settings and alerts go there too; kept.
        timeout_s: to connect, for each host.
        options: further ones of scanhost.py.

    Raises:
        BenchError: it did not end in time.
    """
    config = _write_settings(server, folder, timeout_s, concurrency)
    server.counts()
    lines: list[str] = []
    script: list[str | Path] = ["scanhost.py", "-c", config, *options]
    began_s = time.monotonic()
    with Child(script, core, lines.append) as scanner:
        rss_mb: list[float] = []
        highest_mb = 0.0
        while not scanner.has_ended():
            if time.monotonic() - began_s > longest_s:
                raise BenchError(f"scanhost.py did not end\n{scanner.errors()}")
            rss_mb.append(scanner.rss_mb())
            highest_mb = max(highest_mb, scanner.rss_mb(highest=True))
            time.sleep(_SAMPLE_EVERY_S)
        seconds, cpu_s = time.monotonic() - began_s, scanner.cpu_s()
        code = scanner.end()
        errors = scanner.errors()
    served = server.counts()
    printed = [found[1] for line in lines if (found := _VISITED.match(line))]
    return Scan(
        tally={name: int(number) for name, number in _TALLY.findall(errors)},
        seconds=seconds,
        first_s=served["first_s"] - began_s,
        cpu_s=cpu_s,
        rss_mb=rss_mb,
        highest_rss_mb=highest_mb,
        served=served,
        printed=printed,
        code=code,
        log=errors,
    )


_VISITED = re.compile(r"[\d:]{8} - (?:SUCCESS - HTTP \d+ - |ERROR - https://)([\w.-]+)")
_TALLY = re.compile(r"(visited|up|down|unknown|alerts)=(\d+)")


def _write_settings(
    server: SiteServer, folder: Path, timeout_s: float, concurrency: int
) -> Path:
    path = folder / "scan.conf"
    path.write_text(
        "[SEARCH]\n"
        "SearchKeywords = login\n"
        "[DATABASE]\n"
        f"DBFile = {folder / 'found.sqlite3'}\n"
        "[LOGGING]\n"
        f"LogFile = {folder / 'scan.log'}\n"
        "[REPORTING]\n"
        f"Alerts_dir = {folder / 'alerts'}\n"
        "[SCAN]\n"
        f"Resolver = 127.0.0.1:{server.ports['dns']}\n"
        f"Allow_Private = {NETWORK}\n"
        f"Https_Ports = {server.ports['https']}\n"
        f"Http_Ports = {server.ports['http']}\n"
        f"CA_File = {server.ca_file}\n"
        f"Concurrency = {concurrency}\n"
        f"Connect_Timeout = {timeout_s:g}\n"
        "Favicon = no\n"
        "[ENRICH]\n"
        "ASN = no\n"
        "Domain = no\n",
        encoding="utf-8",
    )
    return path


def measured_scan(
    server: SiteServer,
    folder: Path,
    cores: Cores,
    hosts: Sequence[str],
    *,
    timeout_s: float,
    limit: int = 0,
    options: Sequence[str] = (),
) -> Measured:
    """`run_scanner` over hosts, or over the first `limit` of them, as figures."""
    make_database(folder / "found.sqlite3", hosts)
    run = run_scanner(
        server,
        folder,
        cores.measured,
        timeout_s=timeout_s,
        options=(*options, "--limit", str(limit)) if limit else options,
    )
    return Measured(
        done=run.tally.get("visited", 0) or 1,
        seconds=run.seconds,
        cpu_s=run.cpu_s,
        rss_mb=run.highest_rss_mb,
        growth=growth(run.rss_mb),
        first_s=run.first_s,
        flaws=run.flaws(hosts[: limit or None]),
    )


def measured_requests(
    server: SiteServer,
    cores: Cores,
    hosts: Sequence[str],
    *,
    timeout_s: float,
    threads: int = 1,
) -> Measured:
    """bench/visiting.py over hosts; raises BenchError when it fails."""
    settings = {
        "port": server.ports["https"],
        "ca": server.ca_file,
        "timeout": timeout_s,
        "threads": threads,
    }
    script = ["-m", "bench.visiting"]
    for name, value in settings.items():
        script += [f"--{name}", str(value)]
    with Child([*script, *hosts], cores.measured) as peer:
        told = peer.told(_LONGEST_RUN_S)
        peer.end()
    up = sum(map(is_up, hosts))
    flaw = f"{told['up']} hosts were up instead of {up}"
    return Measured(
        done=told["hosts"],
        seconds=told["seconds"],
        cpu_s=told["cpu_seconds"],
        rss_mb=told["max_rss_kb"] / 1024,
        flaws=() if told["up"] == up else (flaw,),
    )
