"""What can be measured, each case by its name, and how much of it."""

import math
import multiprocessing
import os
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench import inmemory, logs, scanning, storing, watching
from bench.feed import Load, LoadServer, measured_daemon, measured_peer
from bench.load import DEFAULT_KEYWORDS
from bench.logfiles import KEYWORDS as LOG_KEYWORDS
from bench.logfiles import WrittenLog
from bench.logweb import NGINX, LogWeb
from bench.machine import CHECKOUT
from bench.measured import Measured
from bench.processes import Cores

_PACE = 2000.0  # messages a second: what all logs together bring on a busy day
_KEYWORDS = 2000
_HITS = 0.01
_RARE_HITS = 0.001  # as rules make that somebody reads
BRANDS = CHECKOUT / "conf" / "brands.json"  # those that are shipped, some 60
# Many, so that the database's cache has its size within the first seconds.
_BLAST_HITS = 0.1


@dataclass(frozen=True, slots=True)
class Size:
    """
    How much of each case makes one measurement.

    Args:
        share: of the messages, frames and rows of a full run, above 0 and up to 1.
        hosts: in the table into which findings are stored.
        blast_s: length of the blast over which memory is watched.
        scan_timeout_s: how long a scanner, or `requests`, waits for a dead host.
        live_s: how long growing logs are followed.
    """

    share: float
    hosts: int
    blast_s: float
    scan_timeout_s: float
    live_s: float

    def of(self, full: int) -> int:
        """So many of what a full run has `full` of."""
        return math.ceil(full * self.share)

    def words(self) -> dict[str, float]:
        """What titles of rows name."""
        return asdict(self) | {
            "due_hosts": self.of(_SITES_DUE),
            "all_logs": _TILED_LOGS + _CLASSIC_LOGS,
            "millions": (
                _TILED_LOGS * self.of(_TILED_ENTRIES)
                + _CLASSIC_LOGS * self.of(_CLASSIC_ENTRIES)
            )
            / 1e6,
            "live_logs": _LIVE_LOGS,
            "own_rows": _OWN_ROWS,
            "own_domains": self.of(_OWN_DOMAINS),
            "own_certificates": _OWN_CERTIFICATES,
            "own_reported": self.of(_OWN_REPORTED) * _OWN_CERTIFICATES,
        }


FULL = Size(1.0, 1_000_000, 30.0, 5.0, 60.0)
QUICK = Size(0.2, 200_000, 8.0, 1.0, 30.0)

# What the daemon, and what the peer, gets in one round of a full run.
_MESSAGES = {"lite": 200_000, "full": 150_000, "domains": 500_000}
_PEER_MESSAGES = {"lite": 8_000, "full": 3_000, "domains": 60_000}
_PACED_MESSAGES = 20_000
_IN_MEMORY_S = 2
_ROWS_ORIGINAL = 4_000
_ROWS = 30_000
_FINDINGS = 15_000
_SITES = 2_000
_SITES_UP = 5_000
_SITES_ALONE = 500  # all of them up
_SITES_POOL = 512
_SITES_DEAD_ALONE = 12  # half of them dead, each for the whole time-out
_SITES_DUE = 100_000
_SITES_OF_DUE = 5_000
_POOL_THREADS = 64
# Entries of a log; multiples of 256, also a fifth of them. So many that what a run
# costs once, as 0.1 s for the first use of memory, is small beside them.
_TILED_ENTRIES = 204_800
_CLASSIC_ENTRIES = 128_000
# Followed at the same time: over ten million entries.
_TILED_LOGS = 46
_CLASSIC_LOGS = 8
_LIVE_LOGS = 40
_PARSED_ENTRIES = 25_600
_OWN_ROWS = 1_597  # of one domain, python.org in 2020
_OWN_DOMAINS = 100
_OWN_REPORTED = 10  # domains in a report
_OWN_CERTIFICATES = 2_000  # of each


class Cases:
    """
    The cases of a run. Load servers and tables are made when first used, and kept.

    All of it is ended, and nothing remains in `folder` to be kept, at the end of the
    `with` block of `cases`.
    """

    def __init__(
        self, size: Size, cores: Cores, folder: Path, stack: ExitStack
    ) -> None:
        self._size = size
        self._cores = cores
        self._folder = folder
        self._stack = stack
        self._servers: dict[Load, LoadServer] = {}
        self._site_server: scanning.SiteServer | None = None
        self._log_webs: dict[float, LogWeb] = {}
        self._crtsh_server: watching.CrtShServer | None = None
        self._watched: dict[bool, watching.Watched] = {}
        self._tables: dict[str, Path] = {}
        self._runs = 0
        lite = self._load("lite")
        self._by_name: dict[str, Callable[[], Measured]] = {
            "prefilter": lambda: self._apart(inmemory.prefilter, self._in_memory_s),
            "json": lambda: self._apart(inmemory.json_loads, self._in_memory_s),
            "store-original": lambda: self._stored(storing.original, _ROWS_ORIGINAL),
            "store-hosts": lambda: self._stored(storing.hosts, _ROWS),
            "store-findings": lambda: self._stored(storing.findings, _FINDINGS),
            "feed-lite": lambda: self._daemon(lite),
            "feed-full": lambda: self._daemon(self._load("full")),
            "feed-domains": lambda: self._daemon(self._load("domains")),
            "feed-issuer": lambda: self._daemon(replace(lite, issuer_noise=0.12)),
            "feed-keywords": lambda: self._daemon(
                replace(lite, keywords=self._keywords())
            ),
            "feed-rare": lambda: self._daemon(replace(lite, hits=_RARE_HITS)),
            "feed-brands": lambda: self._daemon(
                replace(lite, hits=_RARE_HITS, keywords=self._keywords(), brands=BRANDS)
            ),
            "judged": lambda: self._apart(
                inmemory.judged, self._in_memory_s, self._words(), BRANDS
            ),
            "compiled": lambda: self._apart(inmemory.compiled, self._words(), BRANDS),
            "peer-lite": lambda: self._peer("lite"),
            "peer-full": lambda: self._peer("full"),
            "peer-domains": lambda: self._peer("domains"),
            "paced-lite": lambda: self._daemon(self._paced("lite")),
            "paced-full": lambda: self._daemon(self._paced("full")),
            "blast": lambda: self._daemon(
                Load("full", seconds=size.blast_s, hits=_BLAST_HITS)
            ),
            "scan-up": lambda: self._scan(
                scanning.ALL_UP, size.of(_SITES_UP), options=("--dry-run",)
            ),
            "scan-told": lambda: self._scan(scanning.ALL_UP, size.of(_SITES_UP)),
            "scan-half": lambda: self._scan(scanning.HALF_DEAD, size.of(_SITES)),
            "scan-due": lambda: self._scan(
                scanning.ALL_UP, size.of(_SITES_DUE), size.of(_SITES_OF_DUE)
            ),
            "requests-up": lambda: self._requests(
                scanning.ALL_UP, size.of(_SITES_ALONE)
            ),
            "requests-half": lambda: self._requests(
                scanning.HALF_DEAD, _SITES_DEAD_ALONE
            ),
            "pool-half": lambda: self._requests(
                scanning.HALF_DEAD, size.of(_SITES_POOL), _POOL_THREADS
            ),
            "logs-tiled": lambda: self._logs(self._read_tiled),
            "logs-tls": lambda: self._logs(self._read_tls),
            "logs-stored": lambda: self._logs(self._read_stored),
            "logs-keywords": lambda: self._logs(self._read_keywords),
            "logs-rare": lambda: self._logs(self._read_tiled, _RARE_HITS),
            "logs-brands": lambda: self._logs(self._read_brands, _RARE_HITS),
            "logs-rfc6962": lambda: self._logs(self._read_classic),
            "logs-rfc6962-rare": lambda: self._logs(self._read_classic, _RARE_HITS),
            "logs-rfc6962-brands": lambda: self._logs(
                self._read_classic_brands, _RARE_HITS
            ),
            "logs-domains": lambda: self._logs(self._stream_domains),
            "logs-backlog": lambda: self._logs(self._read_all),
            "logs-live": lambda: self._logs(self._follow),
            "logs-start": lambda: self._logs(self._start_again),
            "peer-parsing": lambda: self._logs(self._parse_all),
            "peer-certspotter": lambda: self._logs(self._spot),
            "own-first": lambda: self._own(watching.stored, _OWN_ROWS),
            "own-original": lambda: self._own(watching.original, _OWN_ROWS),
            "own-cycle": lambda: self._own_cycle(is_directory=False),
            "own-directory": lambda: self._own_cycle(is_directory=True),
            "own-report": lambda: self._own(
                watching.reported, _OWN_CERTIFICATES, size.of(_OWN_REPORTED)
            ),
        }

    def measure(self, name: str) -> Measured:
        """One measurement; raises BenchError when it cannot be made."""
        self._runs += 1
        return self._by_name[name]()

    # The feed

    def _load(self, kind: str) -> Load:
        return Load(kind, messages=self._size.of(_MESSAGES[kind]))

    def _paced(self, kind: str) -> Load:
        messages = self._size.of(_PACED_MESSAGES)
        return Load(kind, messages=messages, rate=_PACE, timestamped=True)

    def _server(self, load: Load) -> LoadServer:
        if load not in self._servers:
            server = LoadServer(load, self._cores.load)
            self._servers[load] = self._stack.enter_context(server)
        return self._servers[load]

    def _daemon(self, load: Load) -> Measured:
        folder = self._folder / f"daemon-{self._runs}"
        folder.mkdir()
        return measured_daemon(self._server(load), folder, self._cores)

    def _peer(self, kind: str) -> Measured:
        server = self._server(self._load(kind))
        messages = self._size.of(_PEER_MESSAGES[kind])
        return measured_peer(server, messages, self._cores)

    def _keywords(self) -> Path:
        """The usual five and many more, all as long and as plain as names of brands."""
        path = self._folder / "keywords.txt"
        if not path.exists():
            chosen = random.Random(1)
            words = set(DEFAULT_KEYWORDS)
            while len(words) < _KEYWORDS:
                pairs = range(chosen.choice((3, 4, 4, 5)))
                pick = chosen.choice
                words.add(
                    "".join(pick("bcdfghjklmnprstvwz") + pick("aeiou") for _ in pairs)
                )
            path.write_text("\n".join(sorted(words)), encoding="utf-8")
        return path

    def _words(self) -> list[str]:
        return self._keywords().read_text("utf-8").split()

    # The logs

    def _logs(
        self, work: Callable[[LogWeb, Path], Measured], hit_rate: float = _HITS
    ) -> Measured:
        """`work` on the logs, with a folder of its own; a flaw without a web server."""
        if NGINX is None:
            missing = "nginx is not installed: apt-get install nginx-light"
            return Measured(1, math.nan, math.nan, flaws=(missing,))
        if hit_rate not in self._log_webs:
            folder = self._folder / f"logs-of-{hit_rate}"
            folder.mkdir()
            web = LogWeb(
                folder,
                self._cores.load,
                tiled_entries=self._size.of(_TILED_ENTRIES),
                classic_entries=self._size.of(_CLASSIC_ENTRIES),
                tiled_logs=_TILED_LOGS,
                classic_logs=_CLASSIC_LOGS,
                hit_rate=hit_rate,
            )
            self._log_webs[hit_rate] = self._stack.enter_context(web)
        folder = self._folder / f"logs-{self._runs}"
        folder.mkdir()
        return work(self._log_webs[hit_rate], folder)

    def _read_tiled(self, web: LogWeb, folder: Path) -> Measured:
        reading = logs.Reading([web.tiled(0)], LOG_KEYWORDS)
        return self._all_found(reading, web.tiled_tree, folder)

    def _read_tls(self, web: LogWeb, folder: Path) -> Measured:
        listed = [web.tiled(0, secure=True)]
        reading = logs.Reading(listed, LOG_KEYWORDS, ca_file=web.ca_file)
        return self._all_found(reading, web.tiled_tree, folder)

    def _read_stored(self, web: LogWeb, folder: Path) -> Measured:
        reading = logs.Reading([web.tiled(0)], LOG_KEYWORDS, is_stored=True)
        return self._all_found(reading, web.tiled_tree, folder)

    def _read_keywords(self, web: LogWeb, folder: Path) -> Measured:
        reading = logs.Reading([web.tiled(0)], logs.many_keywords(_KEYWORDS))
        return self._all_found(reading, web.tiled_tree, folder)

    def _read_brands(self, web: LogWeb, folder: Path) -> Measured:
        words = logs.many_keywords(_KEYWORDS)
        reading = logs.Reading([web.tiled(0)], words, brands=BRANDS)
        return self._all_found(reading, web.tiled_tree, folder)

    def _read_classic_brands(self, web: LogWeb, folder: Path) -> Measured:
        words = logs.many_keywords(_KEYWORDS)
        reading = logs.Reading([web.classic(0)], words, brands=BRANDS)
        return self._all_found(reading, web.classic_tree, folder)

    def _read_classic(self, web: LogWeb, folder: Path) -> Measured:
        reading = logs.Reading([web.classic(0)], LOG_KEYWORDS)
        return self._all_found(reading, web.classic_tree, folder)

    def _all_found(
        self, reading: logs.Reading, tree: WrittenLog, folder: Path
    ) -> Measured:
        hosts = logs.hosts_of(tree.hits)
        return logs.measured_reading(reading, tree.size, hosts, folder, self._cores)

    def _read_all(self, web: LogWeb, folder: Path) -> Measured:
        listed = [web.tiled(number) for number in range(_TILED_LOGS)]
        listed += [web.classic(number) for number in range(_CLASSIC_LOGS)]
        entries = _TILED_LOGS * web.tiled_tree.size
        entries += _CLASSIC_LOGS * web.classic_tree.size
        reading = logs.Reading(listed, LOG_KEYWORDS)
        return logs.measured_reading(reading, entries, None, folder, self._cores)

    def _follow(self, web: LogWeb, folder: Path) -> Measured:
        tree = web.tiled_tree.directory
        with logs.GrowingLogs(tree, _LIVE_LOGS, _PACE, self._cores.load) as growing:
            seconds = self._size.live_s
            return logs.measured_live(
                growing, seconds, LOG_KEYWORDS, folder, self._cores
            )

    def _start_again(self, web: LogWeb, folder: Path) -> Measured:
        return logs.measured_start(web, _LIVE_LOGS, LOG_KEYWORDS, folder, self._cores)

    def _stream_domains(self, web: LogWeb, folder: Path) -> Measured:
        return logs.measured_domains(web, folder, self._cores)

    def _parse_all(self, web: LogWeb, folder: Path) -> Measured:
        return logs.measured_parsing(web, self._size.of(_PARSED_ENTRIES), self._cores)

    def _spot(self, web: LogWeb, folder: Path) -> Measured:
        return logs.measured_certspotter(web, folder, self._cores)

    # The scanner

    def _sites(self) -> scanning.SiteServer:
        if self._site_server is None:
            server = scanning.SiteServer(self._folder / "sites", self._cores.load)
            self._site_server = self._stack.enter_context(server)
        return self._site_server

    def _scan(
        self,
        kinds: Sequence[str],
        count: int,
        limit: int = 0,
        options: Sequence[str] = (),
    ) -> Measured:
        folder = self._folder / f"scan-{self._runs}"
        folder.mkdir()
        return scanning.measured_scan(
            self._sites(),
            folder,
            self._cores,
            scanning.names(kinds, count),
            timeout_s=self._size.scan_timeout_s,
            limit=limit,
            options=options,
        )

    def _requests(self, kinds: Sequence[str], count: int, threads: int = 1) -> Measured:
        return scanning.measured_requests(
            self._sites(),
            self._cores,
            scanning.names(kinds, count),
            timeout_s=self._size.scan_timeout_s,
            threads=threads,
        )

    # Own domains

    def _crtsh(self, certificates: int) -> str:
        if self._crtsh_server is None:
            server = watching.CrtShServer(self._cores.load)
            self._crtsh_server = self._stack.enter_context(server)
        return self._crtsh_server.url(certificates)

    def _own(
        self, work: Callable[..., Measured], certificates: int, *arguments: object
    ) -> Measured:
        folder = self._folder / f"own-{self._runs}"
        folder.mkdir()
        url = self._crtsh(certificates)
        return self._apart(work, url, folder, certificates, *arguments)

    def _own_cycle(self, *, is_directory: bool) -> Measured:
        if is_directory not in self._watched:
            self._watched[is_directory] = watching.Watched(
                self._crtsh(_OWN_CERTIFICATES),
                self._folder / f"own-{self._runs}",
                self._cores,
                domains=self._size.of(_OWN_DOMAINS),
                certificates=_OWN_CERTIFICATES,
                is_directory=is_directory,
            )
        return self._watched[is_directory].cycle()

    # In a process of its own

    @property
    def _in_memory_s(self) -> float:
        return _IN_MEMORY_S * self._size.share

    def _apart(self, work: Callable[..., Measured], *arguments: object) -> Measured:
        """`work` in a fresh process, alone on the core of what is measured."""
        with ProcessPoolExecutor(
            1,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_settle,
            initargs=(self._cores.measured,),
        ) as executor:
            return executor.submit(work, *arguments).result()

    def _stored(self, work: Callable[..., Measured], full: int) -> Measured:
        table = self._table(work.__name__)
        return self._apart(work, table, self._size.of(full), self._runs)

    def _table(self, name: str) -> Path:
        if not self._tables:
            self._tables[""] = self._folder / "table.sqlite3"
            storing.make_table(self._tables[""], self._size.hosts)
        if name not in self._tables:
            self._tables[name] = self._folder / f"{name}.sqlite3"
            storing.copy_table(self._tables[""], self._tables[name])
        return self._tables[name]


def _settle(core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})


@contextmanager
def cases(size: Size, cores: Cores, folder: Path) -> Iterator[Cases]:
    """
    The cases of a run.

    Args:
        folder: an empty one for databases and logs; who made it removes it.
    """
    with ExitStack() as stack:
        yield Cases(size, cores, folder, stack)
