"""Logs measured: the real daemon on many entries, and the others on the same."""

import json
import math
import random
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.feed import tally_of
from bench.logfiles import KEYWORDS
from bench.logweb import LogWeb, log_list
from bench.measured import Measured
from bench.processes import BenchError, Child, Cores, wait_until
from ctmonitor.ct.loglist import parse_log_list
from ctmonitor.model.log import TreeHead
from ctmonitor.model.name import host_key
from ctmonitor.sources.logcursor import LogCursor
from ctmonitor.store.store import open_store

_SAMPLE_EVERY_S = 0.1
_LONGEST_RUN_S = 600.0
_FOLLOWED = " followed: "  # in the line before the first request to a log
_WATCHED = 5  # domains that certspotter looks for, as we for five keywords


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What the daemon is to do.

    Args:
        logs: members of a log list.
        keywords: of the configuration; brands: its `BrandFile`, None for none.
        once: to the heads of now; else as a daemon.
        start: for logs without a position.
        is_stored: into a database of its own; else nothing is.
    """

    logs: Sequence[dict[str, Any]]
    keywords: Sequence[str]
    brands: Path | None = None
    ca_file: Path | None = None
    once: bool = True
    start: str = "beginning"
    is_stored: bool = False

    def command(self, folder: Path) -> list[str | Path]:
        """The command line behind the name of the Python interpreter."""
        listed = log_list(folder / "logs.json", self.logs)
        settings = folder / "daemon.conf"
        settings.write_text(
            "[SEARCH]\n"
            f"SearchKeywords = {'|'.join(self.keywords)}\n"
            "DetectionThreshold = 1\n"
            f"BrandFile = {self.brands or ''}\n"
            "AlertScore = 1000\n"  # the findings are those of the keywords
            "[SOURCES]\n"
            "Source = logs\n"
            f"Log_List = {listed}\n"
            f"Start = {self.start}\n"
            f"Evidence_dir = {folder / 'evidence'}\n"
            f"Cache_dir = {folder / 'cache'}\n"
            "[SERVER]\n"
            f"CA_File = {self.ca_file or ''}\n"
            "[DATABASE]\n"
            f"DBFile = {folder / 'found.sqlite3'}\n"
            "[LOGGING]\n"
            f"LogFile = {folder / 'daemon.log'}\n",
            encoding="utf-8",
        )
        command: list[str | Path] = ["certstreammonitor.py", "-c", settings]
        command += ["--once"] if self.once else []
        return command + ([] if self.is_stored else ["--dry-run"])


class _Daemon(Child):
    """The daemon while it runs, with the moments at which it said something."""

    def __init__(self, reading: Reading, folder: Path, core: int | None) -> None:
        self.began_s = math.nan  # it knew its logs, and asked none yet
        self.began_cpu_s = math.nan
        self.first_s = math.nan  # the first finding
        self.ended_s = math.nan  # the summary
        self.ended_cpu_s = math.nan
        self.findings = 0
        self.summary = ""
        self._log = folder / "daemon.log"
        super().__init__(reading.command(folder), core, self._take)

    def _take(self, line: str) -> None:
        if line.startswith("["):
            if not self.findings:
                self.first_s = time.monotonic()
            self.findings += 1
        elif _FOLLOWED in line:
            self.began_s, self.began_cpu_s = time.monotonic(), self.cpu_s()
        elif line.startswith("messages="):
            self.ended_s, self.ended_cpu_s = time.monotonic(), self.cpu_s()
            self.summary = line

    def tally(self) -> dict[str, int]:
        if not self.summary:
            raise BenchError(f"the daemon told no summary\n{self.said()}")
        return tally_of(self.summary)

    def said(self) -> str:
        """What it complained of, and the end of its log."""
        logged = self._log.read_text("utf-8") if self._log.exists() else ""
        return self.errors() + logged[-1000:]


def measured_reading(
    reading: Reading, entries: int, hosts: int | None, folder: Path, cores: Cores
) -> Measured:
    """
    The daemon with `--once`, from when it knows its logs to its summary.

    Args:
        entries: that there are; hosts: that it has to find, None for any number.
        folder: an empty one.
    """
    rss_mb: list[float] = []
    with _Daemon(reading, folder, cores.measured) as daemon:
        deadline_s = time.monotonic() + _LONGEST_RUN_S
        highest_mb = 0.0
        # Its memory is 0 when it has ended.
        while memory_mb := daemon.rss_mb():
            rss_mb.append(memory_mb)
            highest_mb = max(highest_mb, daemon.rss_mb(highest=True))
            if time.monotonic() > deadline_s:
                raise BenchError(f"the daemon took too long\n{daemon.said()}")
            time.sleep(_SAMPLE_EVERY_S)
        code = daemon.end()
        tally = daemon.tally()
        expected = {"messages": entries, "malformed": 0}
        expected |= {} if hosts is None else {"findings": hosts}
        flaws = [
            f"{name} {tally[name]} instead of {number}"
            for name, number in expected.items()
            if tally[name] != number
        ]
        if code != 0:
            flaws.append(f"exit code {code}: {daemon.said()}")
        return Measured(
            done=tally["messages"],
            seconds=daemon.ended_s - daemon.began_s,
            cpu_s=daemon.ended_cpu_s - daemon.began_cpu_s,
            rss_mb=highest_mb,
            growth=_growth(rss_mb),
            flaws=tuple(flaws),
        )


def measured_start(
    web: LogWeb, logs: int, keywords: Sequence[str], folder: Path, cores: Cores
) -> Measured:
    """From the start of its process to its first finding; many logs are half read."""
    reading = Reading(
        [web.tiled(number) for number in range(logs)],
        keywords,
        once=False,
        is_stored=True,
    )
    listed = parse_log_list(log_list(folder / "logs.json", reading.logs).read_bytes())
    with open_store(db_file=folder / "found.sqlite3", url="", table="CertMon") as store:
        for number, log in enumerate(listed.logs):
            head = web.tiled_log(number).head
            believed = TreeHead(head.size, head.root, head.timestamp_ms)
            half = head.size // 2 - head.size // 2 % 256
            store.record([], cursor=LogCursor(half, believed).cursor(log))
    begun_s = time.monotonic()
    with _Daemon(reading, folder, cores.measured) as daemon:
        wait_until(lambda: daemon.findings > 0, "a finding of the daemon", 60.0)
        return Measured(
            done=daemon.findings,
            seconds=daemon.first_s - begun_s,
            cpu_s=daemon.cpu_s(),
            first_s=daemon.first_s - begun_s,
        )


def measured_live(
    web: "GrowingLogs",
    seconds: float,
    keywords: Sequence[str],
    folder: Path,
    cores: Cores,
) -> Measured:
    """The daemon on logs that grow, without its start."""
    reading = Reading(web.logs, keywords, once=False, start="tip")
    with _Daemon(reading, folder, cores.measured) as daemon:
        wait_until(
            lambda: not math.isnan(daemon.began_s) or daemon.process.poll() is not None,
            "the logs of the daemon",
        )
        web.go()
        time.sleep(seconds)
        cpu_s = daemon.cpu_s() - daemon.began_cpu_s
        took_s = time.monotonic() - daemon.began_s
        highest_mb = daemon.rss_mb(highest=True)
        daemon.stop()
        code = daemon.end()
        tally = daemon.tally()
        flaws = [] if code == 0 else [f"exit code {code}: {daemon.said()}"]
        # The last poll was up to 15 s ago, and the tile that still grows is left.
        least = web.rate * (took_s - 20.0) - 256 * len(web.logs)
        if tally["messages"] < least:
            flaws.append(f"{tally['messages']} messages, at least {least:.0f} expected")
        return Measured(
            done=tally["messages"],
            seconds=took_s,
            cpu_s=cpu_s,
            rss_mb=highest_mb,
            flaws=tuple(flaws),
        )


class GrowingLogs(Child):
    """
    bench/growing.py while it runs: logs that grow from `go` on.

    Args:
        rate: entries a second of all of them together.
    """

    def __init__(self, tree: Path, count: int, rate: float, core: int | None) -> None:
        command = ("-m", "bench.growing", tree, str(count), str(rate))
        super().__init__(command, core)
        self.rate = rate
        try:
            self.logs: list[dict[str, Any]] = self.told()["logs"]
        except BaseException:
            self.__exit__(None, None, None)
            raise


class _Stream(Child):
    """ctstream.py while it runs."""

    def __init__(self, arguments: Sequence[str | Path], core: int | None) -> None:
        self.lines = 0
        self.began_s = math.nan  # its first line
        self.began_cpu_s = math.nan
        super().__init__(("ctstream.py", *arguments), core, self._take)

    def _take(self, _: str) -> None:
        if not self.lines:
            self.began_s, self.began_cpu_s = time.monotonic(), self.cpu_s()
        self.lines += 1


def measured_domains(web: LogWeb, folder: Path, cores: Cores) -> Measured:
    """`ctstream.py --domains-only`, from its first name to the end of its process."""
    listed = log_list(folder / "logs.json", [web.tiled(0)])
    arguments = ("--domains-only", "--once", "--start", "beginning", "--log-list")
    with _Stream((*arguments, listed), cores.measured) as stream:
        wait_until(lambda: not stream.rss_mb(), "ctstream.py")
        seconds = time.monotonic() - stream.began_s
        cpu_s = stream.cpu_s() - stream.began_cpu_s
        code = stream.end()
        flaws = [] if code == 0 else [f"exit code {code}: {stream.errors()}"]
        names = stream.lines
    entries = web.tiled_tree.size
    if names < entries:
        flaws.append(f"{names} names of {entries} entries")
    return Measured(entries, seconds, cpu_s, flaws=tuple(flaws))


def many_keywords(count: int) -> list[str]:
    """
    The usual five, and others that occur in no name of our logs, so that the work
    behind the prefilter stays the same: those names have no j, q or x before a vowel.
    """
    chosen = random.Random(1)
    words = set(KEYWORDS)
    while len(words) < count:
        pairs = [
            chosen.choice("bcdfghklmnprstvw") + chosen.choice("aeiou")
            for _ in range(chosen.choice((3, 4, 4, 5)))
        ]
        at = chosen.randrange(len(pairs))
        pairs[at] = chosen.choice("jqx") + pairs[at][1]
        words.add("".join(pairs))
    return sorted(words)


def measured_parsing(web: LogWeb, entries: int, cores: Cores) -> Measured:
    """Every certificate parsed by `cryptography`, and matched by `re`."""
    command = ("-m", "bench.parsing", web.url("tiled0"), str(entries))
    with Child(command, cores.measured) as peer:
        told = peer.told()
        peer.end()
    expected = sum(1 for index in web.tiled_tree.hits if index < told["entries"])
    flaws = []
    if told["hits"] != expected:
        flaws.append(f"{told['hits']} hits instead of {expected}")
    return Measured(
        done=told["entries"],
        seconds=told["seconds"],
        cpu_s=told["cpu_seconds"],
        rss_mb=told["max_rss_kb"] / 1024,
        flaws=tuple(flaws),
    )


def measured_certspotter(web: LogWeb, folder: Path, cores: Cores) -> Measured:
    """certspotter of the distribution, from its start until it verified the head."""
    program = shutil.which("certspotter")
    if program is None:
        missing = "certspotter is not installed: apt-get install certspotter"
        return Measured(1, math.nan, math.nan, flaws=(missing,))
    listed = log_list(folder / "logs.json", [web.classic(0)])
    watched = sorted(set(web.classic_tree.hits.values()))[:_WATCHED]
    names = [name.removeprefix("*.") for name in watched]
    (folder / "watched").write_text("".join(f".{name}\n" for name in names))
    state = folder / "state"
    command: list[str | Path] = [
        "-logs",
        listed,
        "-watchlist",
        folder / "watched",
        "-state_dir",
        state,
    ]
    command += ["-stdout"]
    found: list[str] = []
    size = web.classic_tree.size
    began_s = time.monotonic()
    with Child(command, cores.measured, found.append, program=program) as peer:
        wait_until(
            lambda: _verified_size(state) == size or peer.process.poll() is not None,
            "certspotter",
        )
        seconds = time.monotonic() - began_s
        cpu_s = peer.cpu_s()
        highest_mb = peer.rss_mb(highest=True)
        verified = _verified_size(state)
    seen = [name for name in names if any(name in line for line in found)]
    flaws = [] if verified == size else [f"certspotter verified {verified} entries"]
    if len(seen) != len(names):
        flaws.append(f"certspotter found {len(seen)} of {len(names)} names")
    return Measured(size, seconds, cpu_s, rss_mb=highest_mb, flaws=tuple(flaws))


def hosts_of(hits: dict[int, str]) -> int:
    """How many hosts are to be found, when these are the names."""
    return len({host_key(name) for name in hits.values()})


def _verified_size(state: Path) -> int:
    for file in state.glob("logs/*/state.json"):
        try:
            kept = json.loads(file.read_bytes())
        except ValueError:
            continue  # it is being written
        if kept.get("verified_sth"):
            return int(kept["verified_sth"]["tree_size"])
    return -1


def _growth(rss_mb: Sequence[float]) -> float:
    """Memory in the last tenth of a run, in shares of that in the second tenth."""
    running = [value for value in rss_mb if value]
    tenth = len(running) // 10
    if not tenth:
        return math.nan
    return median(running[-tenth:]) / median(running[tenth : 2 * tenth])
