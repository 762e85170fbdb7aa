"""
The monitor: batches of a source are judged, stored in one transaction, then told.

    Source.batches() -> RuleSet.judge, RuleSet.own -> Recorder.record -> tell

A batch is finished before the next is asked for, so a cursor never runs ahead of the
findings. While the store cannot be used the batch at hand is kept and tried again;
what comes meanwhile waits in the source's bounded queue.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from ctmonitor.errors import StoreError
from ctmonitor.model.batch import Batch, Cursor, Gap, Malformed, Sighting
from ctmonitor.model.finding import Finding, Novelty, Recorded
from ctmonitor.model.name import host_key
from ctmonitor.model.own import OwnSighting
from ctmonitor.model.reasons import resemblances
from ctmonitor.model.text import shortened
from ctmonitor.model.verdict import Outcome, Reason, Verdict
from ctmonitor.monitor.own import own_sightings
from ctmonitor.monitor.tally import Tally
from ctmonitor.monitor.throttle import Throttle
from ctmonitor.net.backoff import pause_s
from ctmonitor.sources.base import Scanner, Source

log = logging.getLogger(__name__)

# Between two attempts to store; and after a signal, before giving up.
_STORE_PAUSE_S = 5.0
_LAST_ATTEMPTS_S = 10.0


class Judge(Protocol):
    """The rules, as the monitor uses them."""

    timeouts: dict[str, int]

    def judge(self, names: Iterable[str]) -> Verdict:
        """The verdict on the names of one sighting."""
        ...

    def own(self, names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Own domain -> those of a sighting's names that lie in it."""
        ...


class Recorder(Protocol):
    """The store, as the monitor uses it; called from one thread."""

    def record(
        self,
        findings: Sequence[Finding],
        gaps: Sequence[Gap] = (),
        cursor: Cursor | None = None,
        *,
        malformed: Sequence[Malformed] = (),
        own: Sequence[OwnSighting] = (),
    ) -> list[Recorded]:
        """
        Store all of it or nothing; what was told before is `KNOWN`.

        Raises:
            StoreError: nothing was stored; the same call may be made again.
        """
        ...


class Forgetful:
    """The recorder of a dry run: stores nothing, remembers the last hosts."""

    _MOST = 100_000

    def __init__(self) -> None:
        self._hosts: OrderedDict[str, None] = OrderedDict()

    def record(
        self,
        findings: Sequence[Finding],
        gaps: Sequence[Gap] = (),
        cursor: Cursor | None = None,
        *,
        malformed: Sequence[Malformed] = (),
        own: Sequence[OwnSighting] = (),
    ) -> list[Recorded]:
        recorded = []
        for finding in findings:
            for verdict in finding.verdict.findings:
                host = host_key(verdict.name)
                known = host in self._hosts
                self._hosts[host] = None
                novelty = Novelty.KNOWN if known else Novelty.NEW
                recorded.append(Recorded(host, novelty, finding))
        while len(self._hosts) > self._MOST:
            self._hosts.popitem(last=False)
        return recorded


class Monitor:
    """One run from a source to its end."""

    def __init__(
        self,
        source: Source,
        judge: Judge,
        recorder: Recorder,
        tell: Callable[[Recorded], None],
    ) -> None:
        """
        Args:
            tell: called for each host that is new or followed again, after it was
                stored; not for known ones.
        """
        self.tally = Tally()
        self._source = source
        self._judge = judge
        self._recorder = recorder
        self._tell = tell
        self._stopped_s: float | None = None
        self._stop = asyncio.Event()
        self._malformed = Throttle(20, 60.0)
        self._slow_rules: set[str] = set()

    def stop(self) -> None:
        """Stop reading; what was received is judged, stored and told before `run` ends.

        For a signal handler of the event loop.
        """
        self._stopped_s = time.monotonic()
        self._stop.set()
        self._source.stop()

    def exchange(self, judge: Judge, scanner: Scanner | None) -> None:
        """
        Judge by other rules from the next batch on; no message is lost.

        To be called in the event loop. From the filter to the choice of the judge a
        batch takes one step of the loop, so each is judged by the rules it was
        filtered by.
        """
        self._judge = judge
        self._slow_rules.clear()
        self._source.use(scanner)

    async def run(self) -> Tally:
        """
        Run until the source ends or `stop` is called.

        Raises:
            SourceError: the source failed for good; what it gave before is stored.
            StoreError: the store failed for good, or still fails after a stop.
        """
        # One thread for rules and store: a slow expression or a transaction that waits
        # for a lock takes its time, and signals are to be heard meanwhile.
        with ThreadPoolExecutor(1, thread_name_prefix="store") as worker:
            async for batch in self._source.batches():
                await self._process(batch, worker)
        return self.tally

    async def _process(self, batch: Batch, worker: ThreadPoolExecutor) -> None:
        judged = _Judged()
        recorded: list[Recorded] = []
        if batch.sightings:
            judge = self._judge
            loop = asyncio.get_running_loop()
            judged = await loop.run_in_executor(worker, _judged, judge, batch.sightings)
            self._name_slow_rules(judge)
        news = judged.findings or judged.own or batch.gaps or batch.malformed_entries
        if news or batch.cursor is not None:
            recorded = await self._record(judged, batch, worker)
        self.tally.add(batch)
        self.tally.own += judged.own_count
        for seen in judged.own:
            names = shortened(" ".join(seen.claim.names), 1000)
            log.debug("own domain %s: %s", seen.domain, names)
        for host in recorded:
            if host.novelty is not Novelty.KNOWN:
                self.tally.findings += 1
                self._tell(host)
        for sample in batch.samples:
            if self._malformed.admits():
                log.warning("malformed: %s", sample)
        if batch.samples and (more := self._malformed.held_back()):
            log.info("malformed: %d more, not shown", more)

    def _name_slow_rules(self, judge: Judge) -> None:
        for rule in judge.timeouts.keys() - self._slow_rules:
            self._slow_rules.add(rule)
            log.error(
                "[SEARCH] %s takes too long on some names and was given up on them; "
                "simplify nested repetitions such as (a+)+",
                rule,
            )

    async def _record(
        self, judged: "_Judged", batch: Batch, worker: ThreadPoolExecutor
    ) -> list[Recorded]:
        loop = asyncio.get_running_loop()
        record = partial(
            self._recorder.record,
            judged.findings,
            batch.gaps,
            batch.cursor,
            malformed=batch.malformed_entries,
            own=judged.own,
        )
        attempt = 0
        while True:
            try:
                recorded = await loop.run_in_executor(worker, record)
            except StoreError as exc:
                if self._stopped_s is not None:
                    if time.monotonic() - self._stopped_s > _LAST_ATTEMPTS_S:
                        raise
                    await asyncio.sleep(0.5)
                else:
                    if attempt == 0:
                        log.error(
                            "%s Findings are kept and stored when it is usable again.",
                            exc,
                        )
                    await self._pause(pause_s(attempt, most_s=_STORE_PAUSE_S))
                attempt += 1
            else:
                if attempt:
                    log.warning("the store can be used again, nothing was lost")
                return recorded

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until a stop is asked for."""
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return


@dataclass(slots=True)
class _Judged:
    """
    What a batch bears that is to be stored.

    Args:
        findings: sightings with a name to be stored and told.
        own: of names in own domains; own_count: of how many sightings.
    """

    findings: list[Finding] = field(default_factory=list)
    own: list[OwnSighting] = field(default_factory=list)
    own_count: int = 0


def _judged(judge: Judge, sightings: Sequence[Sighting]) -> _Judged:
    judged = _Judged()
    for sighting in sightings:
        verdict = judge.judge(sighting.names)
        if verdict.findings:
            judged.findings.append(Finding(sighting, verdict))
        if own := judge.own(sighting.names):
            judged.own += own_sightings(sighting, own)
            judged.own_count += 1
        for name in verdict.names:
            if name.outcome is Outcome.BELOW:
                log.debug(
                    "detection threshold not reached: %s (%s)",
                    shortened(name.name, 300),
                    shortened("; ".join(_why(name.reasons)), 1000),
                )
    return judged


def _why(reasons: Sequence[Reason]) -> list[str]:
    rules = ", ".join(reason.rule for reason in reasons if not reason.brand)
    return [*filter(None, [rules]), *resemblances(reasons)]
