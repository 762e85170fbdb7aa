"""The rows of the table: between which cases a ratio stands, and what it aims at."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.cases import Size
from bench.measured import Measured

Rounds = Sequence[Measured]
Figure = Callable[[Measured], float]


@dataclass(frozen=True, slots=True)
class Aim:
    """A limit, and on which side of it a value has to be."""

    limit: float
    at_least: bool

    def holds(self, value: float) -> bool:
        """Whether the aim is met; not by a value that could not be measured."""
        return value >= self.limit if self.at_least else value <= self.limit

    def written(self, unit: str) -> str:
        """`≥ 20 x`, `≤ 1 s`."""
        return f"{'≥' if self.at_least else '≤'} {written(self.limit, unit)}"


@dataclass(frozen=True, slots=True)
class Row:
    """
    One row.

    Args:
        name: for `--only`.
        title: what is done; it may name `Size.words`.
        case: what is measured; base: the case it is compared with, None for nothing.
        figure: what is compared.
        show: how absolute figures are written.
        against: what the base is, in words.
        aim: None where none was set.
        less_is_better: the ratio is that of the base to the case.
        worst: the highest value of all rounds counts, not the median.
    """

    name: str
    title: str
    case: str
    base: str | None
    figure: Figure
    show: Callable[[Rounds], str]
    aim: Aim | None
    unit: str = "x"
    against: str = ""
    less_is_better: bool = False
    worst: bool = False

    def values(self, rounds: Mapping[str, Rounds]) -> list[float]:
        """The ratio of each round, or the figure where nothing is compared."""
        if self.base is None:
            return [self.figure(measured) for measured in rounds[self.case]]
        pairs = zip(rounds[self.case], rounds[self.base], strict=True)
        ratios = [self.figure(case) / self.figure(base) for case, base in pairs]
        return [1 / ratio for ratio in ratios] if self.less_is_better else ratios


@dataclass(frozen=True, slots=True)
class Result:
    """A row with its figures, as it is shown and kept."""

    name: str
    title: str
    against: str
    value: float  # the median of `values`, or the highest
    values: Sequence[float]
    unit: str
    ours: str
    compared_with: str
    aim: str
    is_met: bool | None  # None where there is no aim
    flaws: Sequence[str]

    @property
    def verdict(self) -> str:
        """In a word, or in a sentence when something was wrong."""
        if self.flaws:
            return f"not valid: {'; '.join(self.flaws)}"
        if self.is_met is None:
            return ""
        return "yes" if self.is_met else "**no**"


def result(row: Row, rounds: Mapping[str, Rounds], size: Size) -> Result:
    """The row over all rounds."""
    values = row.values(rounds)
    value = max(values) if row.worst else median(values)
    cases = [row.case] if row.base is None else [row.case, row.base]
    flaws = {f"{c}: {flaw}" for c in cases for m in rounds[c] for flaw in m.flaws}
    return Result(
        name=row.name,
        title=row.title.format_map(size.words()),
        against=row.against,
        value=value,
        values=values,
        unit=row.unit,
        ours=row.show(rounds[row.case]),
        compared_with=row.show(rounds[row.base]) if row.base else "",
        aim=row.aim.written(row.unit) if row.aim else "",
        is_met=row.aim.holds(value) if row.aim else None,
        flaws=sorted(flaws),
    )


def written(value: float, unit: str) -> str:
    """`31 x`, `0.83 x`, `0.041 s`, `148 MB`."""
    if math.isnan(value):
        return "not measured"
    digits = 0 if value >= 20 else 1 if value >= 2 else 2 if value >= 0.1 else 3
    text = f"{value:,.{digits}f}"
    if digits:
        text = text.rstrip("0").rstrip(".")
    return f"{text} {unit}".strip()


def _rate(measured: Measured) -> float:
    return measured.rate


def _cpu_us(measured: Measured) -> float:
    return measured.cpu_us


def _p99_s(measured: Measured) -> float:
    return measured.p99_s


def _first_s(measured: Measured) -> float:
    return measured.first_s


def _rss_mb(measured: Measured) -> float:
    return measured.rss_mb


def _growth(measured: Measured) -> float:
    return measured.growth


def _whole_cpu_s(measured: Measured) -> float:
    return measured.cpu_s


def _core_share(measured: Measured) -> float:
    return 100 * measured.cpu_s / measured.seconds


def _rate_and_cpu(rounds: Rounds) -> str:
    return f"{_thousands(median(map(_rate, rounds)))}/s, {_cpu(rounds)}"


def _cpu(rounds: Rounds) -> str:
    return f"{written(median(map(_cpu_us, rounds)), 'µs')} of CPU"


def _cpu_s(rounds: Rounds) -> str:
    return f"{written(median(m.cpu_s for m in rounds), 's')} of CPU"


def _delays(rounds: Rounds) -> str:
    return f"half within {written(median(m.p50_s for m in rounds), 's')}"


def _alone(rounds: Rounds) -> str:
    return f"{written(median(map(_rate, rounds)), '')}/s"


def _memory(rounds: Rounds) -> str:
    return f"at most {written(max(m.rss_mb for m in rounds), 'MB')}"


def _thousands(rate: float) -> str:
    """Three digits that count."""
    digits = max(0, len(f"{rate:.0f}") - 3)
    return f"{round(rate, -digits):,.0f}"


ROWS = (
    Row(
        name="feed-lite",
        title="feed, lite messages, as fast as they come",
        against="certstream's client",
        case="feed-lite",
        base="peer-lite",
        figure=_rate,
        show=_rate_and_cpu,
        aim=Aim(20, at_least=True),
    ),
    Row(
        name="feed-full",
        title="feed, full messages, as fast as they come",
        against="certstream's client",
        case="feed-full",
        base="peer-full",
        figure=_rate,
        show=_rate_and_cpu,
        aim=Aim(50, at_least=True),
    ),
    Row(
        name="feed-domains",
        title="feed, domains-only messages, as fast as they come",
        against="certstream's client",
        case="feed-domains",
        base="peer-domains",
        figure=_rate,
        show=_rate_and_cpu,
        aim=None,
    ),
    Row(
        name="issuer",
        title="feed, lite, a keyword in 12 % of the issuers",
        against="row feed-lite",
        case="feed-issuer",
        base="feed-lite",
        figure=_rate,
        show=_rate_and_cpu,
        aim=Aim(0.8, at_least=True),
    ),
    Row(
        name="keywords",
        title="feed, lite, 2,000 keywords",
        against="row feed-lite, 5 keywords",
        case="feed-keywords",
        base="feed-lite",
        figure=_rate,
        show=_rate_and_cpu,
        aim=Aim(0.7, at_least=True),
    ),
    Row(
        name="brands",
        title="feed, lite, 0.1 % hits, look-alikes of 60 brands and 2,000 keywords",
        against="the same with 5 keywords alone",
        case="feed-brands",
        base="feed-rare",
        figure=_rate,
        show=_rate_and_cpu,
        aim=Aim(0.6, at_least=True),
    ),
    Row(
        name="brands-start",
        title="from start to the connection, look-alikes of 60 brands, 2,000 keywords",
        case="feed-brands",
        base=None,
        figure=_first_s,
        show=_rate_and_cpu,
        aim=Aim(3, at_least=False),
        unit="s",
    ),
    Row(
        name="brands-compiled",
        title="these rules made of their files, as at each reload",
        case="compiled",
        base=None,
        figure=_first_s,
        show=_cpu_s,
        aim=Aim(3, at_least=False),
        unit="s",
    ),
    Row(
        name="judged",
        title="one name with a look-alike judged in full, all these rules",
        case="judged",
        base=None,
        figure=_cpu_us,
        show=_alone,
        aim=Aim(60, at_least=False),
        unit="µs",
    ),
    Row(
        name="paced-lite",
        title="CPU a message, lite, at 2,000 messages/s",
        against="certstream's client at its own pace",
        case="paced-lite",
        base="peer-lite",
        figure=_cpu_us,
        show=_cpu,
        aim=Aim(6, at_least=True),
        less_is_better=True,
    ),
    Row(
        name="paced-full",
        title="CPU a message, full, at 2,000 messages/s",
        against="certstream's client at its own pace",
        case="paced-full",
        base="peer-full",
        figure=_cpu_us,
        show=_cpu,
        aim=Aim(12, at_least=True),
        less_is_better=True,
    ),
    Row(
        name="delay-lite",
        title="from frame sent to row stored, lite, at 2,000 messages/s, 99 of 100",
        case="paced-lite",
        base=None,
        figure=_p99_s,
        show=_delays,
        aim=Aim(1, at_least=False),
        unit="s",
    ),
    Row(
        name="delay-full",
        title="from frame sent to row stored, full, at 2,000 messages/s, 99 of 100",
        case="paced-full",
        base=None,
        figure=_p99_s,
        show=_delays,
        aim=Aim(1, at_least=False),
        unit="s",
    ),
    Row(
        name="prefilter",
        title="prefilter alone, lite messages in memory",
        against="json.loads",
        case="prefilter",
        base="json",
        figure=_cpu_us,
        show=_cpu,
        aim=Aim(15, at_least=True),
        less_is_better=True,
    ),
    Row(
        name="logs-tiled",
        title="static log over http, verified, 5 keywords, 1 % hits",
        against="every certificate parsed by `cryptography`, names matched by `re`",
        case="logs-tiled",
        base="peer-parsing",
        figure=_rate,
        show=_rate_and_cpu,
        aim=Aim(20, at_least=True),
    ),
    Row(
        name="logs-tls",
        title="the same over https, tiles compressed",
        against="row logs-tiled",
        case="logs-tls",
        base="logs-tiled",
        figure=_rate,
        show=_rate_and_cpu,
        aim=Aim(0.55, at_least=True),
    ),
    Row(
        name="logs-keywords",
        title="the same over http, 2,000 keywords",
        against="row logs-tiled",
        case="logs-keywords",
        base="logs-tiled",
        figure=_rate,
        show=_rate_and_cpu,
        aim=Aim(0.9, at_least=True),
    ),
    Row(
        name="logs-stored",
        title="the same, findings and position into a database",
        against="row logs-tiled, which stores nothing",
        case="logs-stored",
        base="logs-tiled",
        figure=_rate,
        show=_rate_and_cpu,
        aim=None,
    ),
    Row(
        name="logs-rfc6962",
        title="log of RFC 6962 over http, verified, 5 keywords, 1 % hits",
        against="certspotter",
        case="logs-rfc6962",
        base="peer-certspotter",
        figure=_rate,
        show=_rate_and_cpu,
        aim=Aim(12, at_least=True),
    ),
    Row(
        name="logs-brands",
        title="static log, 0.1 % hits, look-alikes of 60 brands and 2,000 keywords",
        against="the same with 5 keywords alone",
        case="logs-brands",
        base="logs-rare",
        figure=_rate,
        show=_rate_and_cpu,
        aim=Aim(0.6, at_least=True),
    ),
    Row(
        name="logs-rfc6962-brands",
        title="log of RFC 6962, the same rules",
        against="the same with 5 keywords alone",
        case="logs-rfc6962-brands",
        base="logs-rfc6962-rare",
        figure=_rate,
        show=_rate_and_cpu,
        aim=Aim(0.6, at_least=True),
    ),
    Row(
        name="logs-domains",
        title="`ctstream.py --domains-only`, static log over http, verified",
        against="every certificate parsed by `cryptography`",
        case="logs-domains",
        base="peer-parsing",
        figure=_rate,
        show=_rate_and_cpu,
        aim=Aim(5, at_least=True),
    ),
    Row(
        name="logs-memory",
        title="memory, {all_logs} logs, all behind, {millions:.1f} million entries",
        case="logs-backlog",
        base=None,
        figure=_rss_mb,
        show=_rate_and_cpu,
        aim=Aim(250, at_least=False),
        unit="MB",
        worst=True,
    ),
    Row(
        name="logs-growth",
        title="memory in the last tenth of that run, over the second tenth",
        case="logs-backlog",
        base=None,
        figure=_growth,
        show=_memory,
        aim=Aim(1.1, at_least=False),
    ),
    Row(
        name="logs-live",
        title="{live_logs} logs that grow by 2,000 entries/s together",
        case="logs-live",
        base=None,
        figure=_core_share,
        show=_rate_and_cpu,
        aim=Aim(10, at_least=False),
        unit="% of a core",
    ),
    Row(
        name="logs-start",
        title="from start to the first finding, {live_logs} logs half read",
        case="logs-start",
        base=None,
        figure=_first_s,
        show=_rate_and_cpu,
        aim=Aim(2, at_least=False),
        unit="s",
    ),
    Row(
        name="hosts",
        title="hosts stored into a table of {hosts:,}",
        against="SELECT, INSERT, commit a row",
        case="store-hosts",
        base="store-original",
        figure=_rate,
        show=_rate_and_cpu,
        aim=Aim(15, at_least=True),
    ),
    Row(
        name="findings",
        title="whole findings stored likewise (certificate, 3 names, 2 reasons)",
        against="the same: one row a host",
        case="store-findings",
        base="store-original",
        figure=_rate,
        show=_rate_and_cpu,
        aim=Aim(5, at_least=True),
    ),
    Row(
        name="memory",
        title="memory, blasted with full messages for {blast_s:.0f} s",
        case="blast",
        base=None,
        figure=_rss_mb,
        show=_rate_and_cpu,
        aim=Aim(150, at_least=False),
        unit="MB",
        worst=True,
    ),
    Row(
        name="growth",
        title="memory in the last third of that blast, over the first",
        case="blast",
        base=None,
        figure=_growth,
        show=_memory,
        aim=Aim(1.1, at_least=False),
    ),
    Row(
        name="scan-half",
        title="hosts visited, half of them dead, {scan_timeout_s:.0f} s to connect",
        against="`requests`, one after the other, of a sample",
        case="scan-half",
        base="requests-half",
        figure=_rate,
        show=_alone,
        aim=Aim(400, at_least=True),
    ),
    Row(
        name="scan-half-rate",
        title="the same, a second",
        case="scan-half",
        base=None,
        figure=_rate,
        show=_memory,
        aim=Aim(280, at_least=True),
        unit="hosts/s",
    ),
    Row(
        name="scan-pool",
        title="the same",
        against="`requests` in 64 threads, of a sample",
        case="scan-half",
        base="pool-half",
        figure=_rate,
        show=_alone,
        aim=None,
    ),
    Row(
        name="scan-memory",
        title="memory of that scanner, its dead hosts all in flight",
        case="scan-half",
        base=None,
        figure=_rss_mb,
        show=_rate_and_cpu,
        aim=Aim(250, at_least=False),
        unit="MB",
        worst=True,
    ),
    Row(
        name="scan-up",
        title="hosts visited, all of them up, titles read (`--dry-run`)",
        against="`requests`, one after the other, titles read",
        case="scan-up",
        base="requests-up",
        figure=_rate,
        show=_rate_and_cpu,
        aim=Aim(2, at_least=True),
    ),
    Row(
        name="scan-told",
        title="the same, each stored, told, and its alert written",
        against="the same",
        case="scan-told",
        base="requests-up",
        figure=_rate,
        show=_rate_and_cpu,
        aim=None,
    ),
    Row(
        name="scan-first",
        title="from start to the first connection, {due_hosts:,} hosts due",
        case="scan-due",
        base=None,
        figure=_first_s,
        show=_rate_and_cpu,
        aim=Aim(2, at_least=False),
        unit="s",
    ),
    Row(
        name="scan-growth",
        title="memory in the last third of that run, over the first",
        case="scan-due",
        base=None,
        figure=_growth,
        show=_memory,
        aim=Aim(1.1, at_least=False),
    ),
    Row(
        name="own-first",
        title="CPU for {own_rows:,} rows of crt.sh: one domain stored and judged",
        case="own-first",
        base=None,
        figure=_whole_cpu_s,
        show=_cpu,
        aim=Aim(1, at_least=False),
        unit="s",
    ),
    Row(
        name="own-original",
        title="the same, for each certificate",
        against="`json.loads`, and a row a name by `sqlite3`",
        case="own-first",
        base="own-original",
        figure=_cpu_us,
        show=_cpu,
        aim=None,
        less_is_better=True,
    ),
    Row(
        name="own-cycle",
        title="CPU of a run of `watchdomains.py`, {own_domains} domains with "
        "{own_certificates:,} certificates each, nothing new",
        case="own-cycle",
        base=None,
        figure=_whole_cpu_s,
        show=_cpu,
        aim=Aim(3, at_least=False),
        unit="s",
    ),
    Row(
        name="own-memory",
        title="memory of that run",
        case="own-cycle",
        base=None,
        figure=_rss_mb,
        show=_cpu_s,
        aim=Aim(150, at_least=False),
        unit="MB",
        worst=True,
    ),
    Row(
        name="own-directory",
        title="CPU of the same, the state in a directory",
        case="own-directory",
        base=None,
        figure=_whole_cpu_s,
        show=_memory,
        aim=Aim(3, at_least=False),
        unit="s",
    ),
    Row(
        name="own-report",
        title="CPU for a page of {own_reported:,} certificates",
        case="own-report",
        base=None,
        figure=_whole_cpu_s,
        show=_cpu,
        aim=Aim(5, at_least=False),
        unit="s",
    ),
)
