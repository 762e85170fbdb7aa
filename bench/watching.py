"""
The watch over own domains measured, and the script that people have for it.

All read the answers of bench/crtsh.py; one domain in this process, many of them by the
real watchdomains.py.
"""

import json
import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import requests

from bench.crtsh import CA, domain
from bench.measured import Measured
from bench.processes import BenchError, Child, Cores
from ctmonitor.model.clock import now_utc, utc_text
from ctmonitor.model.own import Authority, DomainState
from ctmonitor.net.client import Client
from ctmonitor.sources.crtsh import CrtSh
from ctmonitor.store.store import open_store
from ctmonitor.watch import report
from ctmonitor.watch.inventory import take
from ctmonitor.watch.judge import Policy, expiring, judge

_SAMPLE_EVERY_S = 0.02
_LONGEST_RUN_S = 300.0
_POLICY = Policy(authorities=(Authority(organisation=CA),))


class CrtShServer(Child):
    """bench/crtsh.py while it runs, ready for connections."""

    def __init__(self, core: int | None) -> None:
        super().__init__(("-m", "bench.crtsh"), core)
        try:
            self._port: int = self.told()["port"]
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def url(self, certificates: int) -> str:
        """Where each domain has so many certificates."""
        return f"http://127.0.0.1:{self._port}/{certificates}"


def stored(url: str, folder: Path, certificates: int) -> Measured:
    """One domain that is new: asked for, joined, judged and stored in a database."""
    with (
        Client("ctmonitor bench", max_bytes=2**26, retries=0) as client,
        open_store(db_file=folder / "own.sqlite3", url="", table="CertMon") as store,
    ):
        states = store.own_states()
        source = CrtSh(client, url, pause_s=0, tries=1, retry_s=1)
        with states.lock("bench", 600.0):
            began_s, began_cpu_s = time.monotonic(), time.process_time()
            now = utc_text(now_utc()) or ""
            state = DomainState(domain(0))
            changes = take(state, source.answer(state.domain), now)
            judge(state, changes, _POLICY, now, {})
            expiring(state, _POLICY, now)
            states.save(state)
            return _since(began_s, began_cpu_s, len(state.certificates), certificates)


def original(url: str, folder: Path, certificates: int) -> Measured:
    """
    What scripts do: `json.loads`, and a row for each name of each certificate.

    In one transaction, which is in their favour, as is that nothing is judged.
    """
    name = domain(0)
    with closing(sqlite3.connect(folder / "script.sqlite3")) as connection:
        connection.execute(
            "CREATE TABLE certificates (id INTEGER, name TEXT, issuer TEXT,"
            " serial TEXT, not_before TEXT, not_after TEXT, PRIMARY KEY (id, name))"
        )
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        for pattern in (f"%.{name}", name):
            query = {"q": pattern, "output": "json"}
            rows = json.loads(requests.get(f"{url}/", query, timeout=60).content)
            connection.executemany(
                "INSERT OR IGNORE INTO certificates VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (
                        row["id"],
                        each,
                        row["issuer_name"],
                        row["serial_number"],
                        row["not_before"],
                        row["not_after"],
                    )
                    for row in rows
                    for each in row["name_value"].split("\n")
                ),
            )
        connection.commit()
        count = "SELECT count(DISTINCT id) FROM certificates"
        done: int = connection.execute(count).fetchone()[0]
        return _since(began_s, began_cpu_s, done, certificates)


def reported(url: str, folder: Path, certificates: int, domains: int) -> Measured:
    """The page of a report on so many domains, from their states to the disk."""
    now = now_utc()
    text = utc_text(now) or ""
    states = [DomainState(domain(number)) for number in range(domains)]
    with Client("ctmonitor bench", max_bytes=2**26, retries=0) as client:
        source = CrtSh(client, url, pause_s=0, tries=1, retry_s=1)
        for state in states:
            judge(state, take(state, source.answer(state.domain), text), _POLICY, text)
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    facts = report.Facts(now - timedelta(minutes=1), authorities=_POLICY.authorities)
    report.write(report.report(states, facts, now), str(folder / "own.html"))
    count = sum(len(state.certificates) for state in states)
    return _since(began_s, began_cpu_s, count, domains * certificates)


class Watched:
    """
    Domains that watchdomains.py knows, in a folder of their own.

    Args:
        is_directory: the state is in a directory, not in the database.

    Raises:
        BenchError: it could not read them.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        cores: Cores,
        *,
        domains: int,
        certificates: int,
        is_directory: bool,
    ) -> None:
        folder.mkdir()
        self._cores = cores
        self._names = [domain(number) for number in range(domains)]
        self._certificates = certificates
        self._config = folder / "own.conf"
        self._config.write_text(
            "[DATABASE]\n"
            f"DBFile = {folder / 'own.sqlite3'}\n"
            "[LOGGING]\n"
            f"LogFile = {folder / 'own.log'}\n"
            "[OWN]\n"
            f"Domains = {' '.join(self._names)}\n"
            "Source = crtsh\n"
            f"Crtsh_URL = {url}\n"
            "Crtsh_Pause = 0\n"
            f"Authorised_CAs = {CA}\n"
            + (f"State = {folder / 'state'}\n" if is_directory else ""),
            encoding="utf-8",
        )
        first = self._run("watched from now on")
        if first.flaws:
            raise BenchError(f"watchdomains.py: {'; '.join(first.flaws)}")

    def cycle(self) -> Measured:
        """One run of watchdomains.py, which finds nothing new."""
        return self._run("0 new")

    def _run(self, came: str) -> Measured:
        lines: list[str] = []
        script: list[str | Path] = ["watchdomains.py", "-c", self._config]
        script.append("--no-resolve-dns")
        began_s = time.monotonic()
        with Child(script, self._cores.measured, lines.append) as program:
            rss_mb = 0.0
            while not program.has_ended():
                if time.monotonic() - began_s > _LONGEST_RUN_S:
                    raise BenchError(f"it did not end\n{program.errors()}")
                rss_mb = max(rss_mb, program.rss_mb(highest=True))
                time.sleep(_SAMPLE_EVERY_S)
            seconds, cpu_s = time.monotonic() - began_s, program.cpu_s()
            code = program.end()
        expected = {
            f"{name}: {self._certificates} certificates, {came}" for name in self._names
        }
        missing = expected.difference(line.strip() for line in lines)
        flaws = [f"exit code {code}"] if code else []
        flaws += [f"not told: {each}" for each in sorted(missing)[:3]]
        done = len(self._names) * self._certificates
        return Measured(done, seconds, cpu_s, rss_mb=rss_mb, flaws=tuple(flaws))


def _since(began_s: float, began_cpu_s: float, done: int, expected: int) -> Measured:
    elapsed_s, cpu_s = time.monotonic() - began_s, time.process_time() - began_cpu_s
    flaw = f"{done} certificates instead of {expected}"
    flaws = () if done == expected else (flaw,)
    return Measured(done, elapsed_s, cpu_s, flaws=flaws)
