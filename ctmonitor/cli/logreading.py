"""[SOURCES] becomes what reads the logs: their list, the selection, their clients."""

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ctmonitor.config import Config
from ctmonitor.ct.loglist import LOG_LIST_URL
from ctmonitor.errors import ConfigError, FormatError, SourceError
from ctmonitor.model.clock import now_utc
from ctmonitor.model.log import Log
from ctmonitor.net.route import Route
from ctmonitor.net.useragent import NO_CONTACT
from ctmonitor.sources.base import Scanner
from ctmonitor.sources.evidence import Evidence
from ctmonitor.sources.follower import LogStatus, Manner, Pace
from ctmonitor.sources.logclient import LogClient
from ctmonitor.sources.logcursor import PREFIX, LogCursor, cursor_name
from ctmonitor.sources.loglist import KeptList, LogListKeeper
from ctmonitor.sources.logs import LogsSource
from ctmonitor.sources.logselection import (
    Selection,
    describe,
    in_vain,
    select,
    unfinished,
)

if TYPE_CHECKING:
    from ctmonitor.sources.logclients import LogClients
    from ctmonitor.store.store import Store

log = logging.getLogger(__name__)

# A run that is to end does not wait for a cache to forget what contradicts, nor for
# long for who does not answer: 40 s, when a request is tried twice for 10 s.
_ONCE_DOUBT_S = 2.0
_ONCE_TRIES = 2
_LOOK = "look at [SOURCES] Logs and Exclude_Logs, and at --list-logs"


class LogReading:
    """
    The logs of one run; to be closed in its event loop.
    """

    def __init__(
        self,
        config: Config,
        route: Route,
        user_agent: str,
        resume: Mapping[str, LogCursor],
        say: Callable[[str], None],
        *,
        once: bool = False,
        keeps: bool = True,
    ) -> None:
        """
        Args:
            resume: by `cursor_name`, where earlier runs stopped.
            say: a line for the operator: which logs are followed.
            once: read each log to its present head, and end.
            keeps: whether the log list and evidence are written to their directories.

        Raises:
            ConfigError: Log_List_Key cannot be used.
        """
        self.is_once = once
        self._config = config
        self._positions = dict(resume)
        self._say = say
        self._route = route
        self._user_agent = user_agent
        self._list_key = _key(config)
        self._keeps = keeps
        pace = Pace(poll_s=config.poll_seconds)
        if once:
            pace = Pace(poll_s=config.poll_seconds, doubt_first_s=_ONCE_DOUBT_S)
        evidence = None
        if config.evidence_dir and keeps:
            evidence = Path(config.evidence_dir)
            _warn_of_unwritable(evidence)
        self._manner = Manner(
            config.start, pace, Evidence(evidence), once, tries=_ONCE_TRIES
        )
        self._clients: LogClients | None = None
        self._source: LogsSource | None = None
        self._told: list[str] | None = None
        self._warned: frozenset[str] = frozenset()

    def begin(
        self, positions: Mapping[str, str], filtered_by: Scanner | None
    ) -> LogsSource:
        """
        The logs as a source.

        Args:
            positions: by `cursor_name`, what became of them since the start of the run.
        """
        for name, text in positions.items():
            if name.startswith(PREFIX):
                self._positions[name] = LogCursor.parse(text)
        if not (self._config.contact or "logs" in self._config.source):
            # With `logs` the check of the file has told it at the start.
            log.warning(
                "[SOURCES] Contact is empty: %s. Add your e-mail address or web page.",
                NO_CONTACT,
            )
        self._source = LogsSource(
            self._logs, self.client_of, self._positions, self._manner, filtered_by
        )
        return self._source

    def given_up(self) -> list[LogStatus]:
        """With `once`: the logs that could not be read to the end."""
        return [] if self._source is None else self._source.given_up()

    async def close(self) -> None:
        """End all connections."""
        if self._clients is not None:
            await self._clients.close()

    async def selection(self) -> tuple[KeptList, Selection]:
        """
        The list as it is now, and what is read of it.

        Raises:
            SourceError: there is no list.
        """
        kept = await self._keeper.current()
        selection = select(
            kept.list.logs,
            self._config.logs,
            self._config.exclude_logs,
            now=now_utc(),
            unfinished=unfinished(kept.list.logs, self._backlogs(), self._positions),
        )
        return kept, selection

    def client_of(self, log_: Log, how_many: int) -> LogClient:
        """How to read a log, when so many are read."""
        return self._reached().client_of(log_, how_many)

    def _reached(self) -> "LogClients":
        if self._clients is None:
            # What speaks HTTP takes 9 MB, which a feed that never fails does not need.
            from ctmonitor.sources.logclients import LogClients

            self._clients = LogClients(
                self._route,
                self._user_agent,
                verify=self._config.verify,
                max_requests=self._config.max_requests,
                max_requests_operator=self._config.max_requests_operator,
            )
        return self._clients

    @cached_property
    def _keeper(self) -> LogListKeeper:
        config = self._config
        return self._reached().keeper(
            config.log_list,
            self._list_key,
            Path(config.cache_dir) if config.cache_dir and self._keeps else None,
        )

    async def _logs(self) -> Sequence[Log]:
        kept, selection = await self.selection()
        lines = describe(selection, kept.list.left_out)
        if self._told is None:
            self._tell_unlisted(kept.list.logs)
            for line in lines:
                self._say(line)
        else:
            for line in lines:
                if line not in self._told:
                    log.warning("log list: %s", line)
        self._told = lines
        notes = [*kept.notes, *in_vain(selection)]
        for note in notes:
            if note not in self._warned:
                log.warning("%s", note)
        if not selection.chosen:
            none = f"no log of {self._config.log_list} is to be read"
            if self.is_once:
                raise SourceError(f"{none}: {_LOOK}")
            if none not in self._warned:
                log.error("%s, so nothing is: %s", none, _LOOK)
            notes.append(none)
        self._warned = frozenset(notes)
        return selection.chosen

    def _backlogs(self) -> dict[bytes, int | None]:
        status = [] if self._source is None else self._source.status()
        return {each.log.log_id: each.backlog for each in status}

    def _tell_unlisted(self, listed: Iterable[Log]) -> None:
        known = {cursor_name(log_) for log_ in listed}
        gone = sorted(self._positions.keys() - known)
        if gone:
            log.warning(
                "log list: it no longer names %d of the logs that were read; their "
                "positions are kept: %s",
                len(gone),
                ", ".join(name.removeprefix(PREFIX) for name in gone),
            )


def positions(store: "Store", start: object) -> dict[str, LogCursor]:
    """
    Where earlier runs stopped; what cannot be used is set aside, and told.

    Args:
        start: where a log begins then, for people.
    """
    found: dict[str, LogCursor] = {}
    for name, text in store.cursors(PREFIX).items():
        try:
            found[name] = LogCursor.parse(text)
        except FormatError as exc:
            aside = store.set_cursor_aside(name)
            log.error(
                "log %s: its stored position cannot be used (%s); it is kept in "
                "ctm_cursor as %s, and the log is begun anew, at Start = %s",
                name.removeprefix(PREFIX),
                exc,
                aside,
                start,
            )
    return found


def check(config: Config) -> None:
    """
    Raises ConfigError when Start or the files of the log list cannot be used; connects
    nowhere.
    """
    try:
        config.start.check(now_utc())
    except ValueError as exc:
        raise ConfigError(f"{config.path}: [SOURCES] Start: {exc}.") from exc
    _key(config)
    if "://" in config.log_list:
        return
    try:
        with Path(config.log_list).open("rb"):
            return
    except OSError as exc:
        raise ConfigError(
            f"{config.path}: [SOURCES] Log_List: {config.log_list!r} cannot be read: "
            f"{exc.strerror}. Name a log list of schema v3: a file, or an address such "
            f"as {LOG_LIST_URL}"
        ) from exc


def _warn_of_unwritable(evidence: Path) -> None:
    """When a log lies it is too late."""
    there = next(
        path for path in (evidence, *evidence.absolute().parents) if path.exists()
    )
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        log.warning(
            "[SOURCES] Evidence_dir: %s cannot be written by this user, so evidence "
            "against logs could not be kept. Change its owner or mode, or name another "
            "directory.",
            there,
        )


def _key(config: Config) -> str | None:
    if not config.log_list_key:
        return None
    try:
        text = Path(config.log_list_key).read_text("ascii")
        load_pem_public_key(text.encode())
    except (OSError, ValueError, UnsupportedAlgorithm) as exc:
        why: str | None = "it holds no public key in PEM"
        if isinstance(exc, OSError):
            why = exc.strerror
        raise ConfigError(
            f"{config.path}: [SOURCES] Log_List_Key: {config.log_list_key!r} cannot be "
            f"used: {why}. Name a PEM file with the public key that signs Log_List."
        ) from exc
    return text
