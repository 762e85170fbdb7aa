"""The feed measured: the real daemon, and the peer, each fed by the load server."""

import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.load import DEFAULT_KEYWORDS
from bench.measured import Measured
from bench.processes import BenchError, Child, Cores, wait_until

_SENT_US = re.compile(r"-(\d{16})\.example\.com ")
_SAMPLE_EVERY_S = 0.1
_LOAD_TIMEOUT_S = 60.0
_PEER_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Load:
    """
    What a load server sends, each field but `brands` an option of bench/load.py.

    Args:
        rate: messages a second, 0 for as fast as the client reads.
        messages, seconds: of one connection, 0 for no limit.
        keywords: a file with one a line; None for the usual five.
        brands: a file for the daemon's `BrandFile`; None for none.
    """

    kind: str = "lite"
    messages: int = 0
    seconds: float = 0.0
    rate: float = 0.0
    hits: float = 0.01
    issuer_noise: float = 0.0
    keywords: Path | None = None
    brands: Path | None = None
    timestamped: bool = False

    def arguments(self) -> list[str]:
        """The command line behind the name of the Python interpreter."""
        options: dict[str, object] = {
            "kind": self.kind,
            "messages": self.messages,
            "seconds": self.seconds,
            "rate": self.rate,
            "hits": self.hits,
            "issuer-noise": self.issuer_noise,
            "keywords": self.keywords or "default",
        }
        found = ["-m", "bench.load", "--hold"]
        for name, value in options.items():
            found += [f"--{name}", str(value)]
        return found + (["--timestamped"] if self.timestamped else [])


class LoadServer(Child):
    """bench/load.py while it runs, ready for a connection."""

    def __init__(self, load: Load, core: int | None) -> None:
        super().__init__(load.arguments(), core)
        self.load = load
        try:
            self.port: int = self.told(_LOAD_TIMEOUT_S)["port"]
        except BaseException:
            self.__exit__(None, None, None)
            raise

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"ws://127.0.0.1:{self.port}/"


@dataclass(slots=True)
class _Findings:
    """What the daemon prints, with the time at which each line came."""

    hosts: int = 0
    last_s: float = 0.0
    delays_s: list[float] = field(default_factory=list)
    summary: str = ""

    def take(self, line: str) -> None:
        if line.startswith("["):
            self.hosts += 1
            self.last_s = time.monotonic()
            if sent := _SENT_US.search(line):
                self.delays_s.append(time.time() - int(sent.group(1)) / 1e6)
        elif line.startswith("messages="):
            self.summary = line

    def tally(self) -> dict[str, int]:
        return tally_of(self.summary)


@dataclass(frozen=True, slots=True)
class DaemonRun:
    """
    One connection of the daemon, from the first message sent to its end.

    Args:
        sent: what the load server told: messages, hits, seconds.
        tally: the daemon's summary line.
        seconds: from the first byte sent to the last finding stored and printed.
        start_s: from the start of its process to its connection.
        rss_mb: memory over the time of sending, evenly spaced.
        delays_s: of each finding, from frame sent to row stored and line printed.
        log: what the daemon wrote into its log and on standard error.
    """

    sent: dict[str, Any]
    tally: dict[str, int]
    seconds: float
    start_s: float
    cpu_s: float
    rss_mb: Sequence[float]
    highest_rss_mb: float
    delays_s: Sequence[float]
    code: int
    log: str

    def flaws(self) -> tuple[str, ...]:
        """In words, what forbids to compare this run; nothing, if all is well."""
        expected = {
            "messages": self.sent["messages"],
            "findings": self.sent["hits"],
            "dropped": 0,
            "malformed": 0,
        }
        found = [
            f"{name} {self.tally[name]} instead of {number}"
            for name, number in expected.items()
            if self.tally[name] != number
        ]
        if self.code != 0:
            found.append(f"exit code {self.code}")
        return tuple(found)


def tally_of(summary: str) -> dict[str, int]:
    """The numbers of the daemon's summary line."""
    return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", summary)}


def run_daemon(
    server: LoadServer,
    folder: Path,
    core: int | None,
    *,
    queue_messages: int = 5000,
    before_sending: Callable[[], None] = lambda: None,
) -> DaemonRun:
    """
    Runs certstreammonitor.py against a load server until that has sent all it should.

    Start-up is not in the figures: the load server holds back until the daemon is
    connected. When all is sent, the daemon reads up to the server's close frame, and
    gets SIGTERM; the clock stops at its last finding, the processor's at its summary.

    Args:
        folder: an empty one, for settings, database and log; kept.
        queue_messages: the daemon's `Queue_Messages`.
        before_sending: called once the daemon is connected.

    Raises:
        BenchError: the daemon or the load server failed.
    """
    config = _write_settings(server, folder, queue_messages)
    out = _Findings()
    script = ("certstreammonitor.py", "-c", config)
    started_s = time.monotonic()
    with Child(script, core, out.take) as daemon:
        _told_while_alive(server, daemon)  # that it is connected
        start_s = time.monotonic() - started_s
        before_sending()
        began_cpu_s = daemon.cpu_s()
        server.go()
        rss_mb: list[float] = []
        sent = _told_while_alive(server, daemon, lambda: rss_mb.append(daemon.rss_mb()))
        highest_mb = daemon.rss_mb(highest=True)
        daemon.stop()
        wait_until(lambda: bool(out.summary), "the summary of the daemon")
        cpu_s = daemon.cpu_s() - began_cpu_s
        code = daemon.end()
        errors = daemon.errors()
    return DaemonRun(
        sent=sent,
        tally=out.tally(),
        seconds=out.last_s - sent["began_s"],
        start_s=start_s,
        cpu_s=cpu_s,
        rss_mb=rss_mb,
        highest_rss_mb=highest_mb,
        delays_s=out.delays_s,
        code=code,
        log=(folder / "daemon.log").read_text("utf-8") + errors,
    )


def _told_while_alive(
    server: LoadServer, daemon: Child, meanwhile: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """What the load server tells next; raises BenchError when the daemon ends."""
    while (told := server.told_within(_SAMPLE_EVERY_S)) is None:
        if daemon.process.poll() is not None:
            raise BenchError(f"the daemon ended early\n{daemon.errors()}")
        meanwhile()
    return told


def _write_settings(server: LoadServer, folder: Path, queue_messages: int) -> Path:
    words: Sequence[str] = DEFAULT_KEYWORDS
    if server.load.keywords is not None:
        words = server.load.keywords.read_text("utf-8").split()
    path = folder / "daemon.conf"
    path.write_text(
        "[SEARCH]\n"
        f"SearchKeywords = {'|'.join(words)}\n"
        "DetectionThreshold = 2\n"
        f"BrandFile = {server.load.brands or ''}\n"
        "AlertScore = 1000\n"  # the findings are those of the keywords
        "[SOURCES]\n"
        f"Queue_Messages = {queue_messages}\n"
        "[SERVER]\n"
        f"ACTServer = {server.url}\n"
        "[DATABASE]\n"
        f"DBFile = {folder / 'found.sqlite3'}\n"
        "[LOGGING]\n"
        f"LogFile = {folder / 'daemon.log'}\n",
        encoding="utf-8",
    )
    return path


def measured_daemon(server: LoadServer, folder: Path, cores: Cores) -> Measured:
    """`run_daemon` as figures of the bench."""
    run = run_daemon(server, folder, cores.measured)
    delays_s = sorted(run.delays_s)
    return Measured(
        done=run.sent["messages"],
        seconds=run.seconds,
        cpu_s=run.cpu_s,
        rss_mb=run.highest_rss_mb,
        growth=growth(run.rss_mb),
        p50_s=_percentile(delays_s, 0.50),
        p99_s=_percentile(delays_s, 0.99),
        first_s=run.start_s,
        flaws=run.flaws(),
    )


def growth(rss_mb: Sequence[float]) -> float:
    """
    Memory in the last third of a run, in shares of that in the first third.

    The first quarter of the samples is left out of it: caches fill.
    """
    settled = rss_mb[len(rss_mb) // 4 :]
    third = len(settled) // 3
    if not third:
        return math.nan
    return median(settled[-third:]) / median(settled[:third])


def _percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[int(share * (len(ordered) - 1))] if ordered else math.nan


def measured_peer(server: LoadServer, messages: int, cores: Cores) -> Measured:
    """
    certstream's own client on so many messages of a load server.

    Raises:
        BenchError: the peer or the load server failed.
    """
    script = ("-m", "bench.peer", "--url", server.url)
    limits = ("--messages", str(messages), "--seconds", str(_PEER_LIMIT_S))
    with Child([*script, *limits], cores.measured) as peer:
        server.told()  # that it is connected
        server.go()
        told = peer.told()
        peer.end()
        server.told()  # what it sent; the peer has left before the end
    return Measured(
        done=told["messages"],
        seconds=told["seconds"],
        cpu_s=told["cpu_seconds"],
        rss_mb=told["max_rss_kb"] / 1024,
        flaws=() if told["hits"] else ("the peer found no hit",),
    )
