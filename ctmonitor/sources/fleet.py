"""
All logs of a log list, each followed by a task of its own.

The list is read again every few hours: new logs start, read-only ones are drained to
their final head, and those that are no longer chosen are closed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from ctmonitor.errors import FormatError, IntegrityError, SourceError
from ctmonitor.model.log import Log
from ctmonitor.net.backoff import pause_s
from ctmonitor.sources.follower import Follower, LogStatus, Manner, Outlet
from ctmonitor.sources.logclient import LogClient
from ctmonitor.sources.logcursor import LogCursor, cursor_name

log = logging.getLogger(__name__)

_REFRESH_S = 6 * 3600.0
_RESTART_S = 60.0


class Fleet:
    """The followers of one run."""

    def __init__(
        self,
        logs: Callable[[], Awaitable[Sequence[Log]]],
        client_of: Callable[[Log, int], LogClient],
        resume: Mapping[str, LogCursor],
        outlet: Outlet,
        manner: Manner,
        refresh_s: float = _REFRESH_S,
    ) -> None:
        """
        Args:
            logs: the logs to be followed, by the present list.
            client_of: how to read a log, when so many are read.
            resume: by `cursor_name`, where earlier runs stopped.
        """
        self._logs = logs
        self._client_of = client_of
        self._resume = dict(resume)
        self._outlet = outlet
        self._manner = manner
        self._refresh_s = refresh_s
        self._followers: dict[bytes, Follower] = {}
        self._tasks: dict[bytes, asyncio.Task[None]] = {}
        self._failed: set[bytes] = set()

    def status(self) -> list[LogStatus]:
        """A snapshot of each log, by name."""
        found = [follower.status for follower in self._followers.values()]
        return sorted(found, key=lambda status: status.log.name)

    def given_up(self) -> list[LogStatus]:
        """With `once`: the logs that could not be read to the end."""
        return [status for status in self.status() if status.log.log_id in self._failed]

    async def run(self) -> None:
        """
        Follow until cancelled; with `once` until each log was read or given up.

        Raises:
            SourceError: with `once`, the log list cannot be had.
        """
        logs = await self._first_list()
        try:
            async with asyncio.TaskGroup() as group:
                self._arrange(logs, group)
                if self._manner.once:
                    return
                while True:
                    await asyncio.sleep(self._refresh_s)
                    await self._refresh(group)
        except BaseExceptionGroup as exc:
            # Followers keep themselves alive: it is one defect of ours, told as it is.
            raise exc.exceptions[0] from None

    async def _refresh(self, group: asyncio.TaskGroup) -> None:
        try:
            logs = await self._logs()
        except (SourceError, FormatError, IntegrityError) as exc:
            log.warning("log list: %s; the logs at hand are followed on", exc)
            return
        self._arrange(logs, group)

    async def _first_list(self) -> Sequence[Log]:
        attempt = 0
        while True:
            try:
                return await self._logs()
            except (SourceError, FormatError, IntegrityError) as exc:
                if self._manner.once:
                    raise SourceError(str(exc)) from exc
                if attempt == 0:
                    log.error("log list: %s; tried again until it can be read", exc)
            await asyncio.sleep(pause_s(attempt, most_s=300.0))
            attempt += 1

    def _arrange(self, logs: Sequence[Log], group: asyncio.TaskGroup) -> None:
        wanted = {log_.log_id: log_ for log_ in logs}
        for log_id, follower in list(self._followers.items()):
            status = follower.status
            if log_id not in wanted:
                log.warning(
                    "log %s: closed at entry %s of %s, it is followed no more",
                    status.log.name,
                    status.position,
                    status.head_size,
                )
            elif wanted[log_id].address == status.log.address:
                follower.describe(wanted[log_id])
                continue
            # Should it come back, or be read elsewhere, it goes on where it was.
            if follower.at is not None:
                self._resume[cursor_name(status.log)] = follower.at
            self._tasks.pop(log_id).cancel()
            del self._followers[log_id]
        for log_id, log_ in wanted.items():
            if log_id in self._followers:
                continue
            follower = Follower(
                log_,
                self._client_of(log_, len(wanted)),
                self._resume.pop(cursor_name(log_), None),
                self._outlet,
                self._manner,
            )
            self._followers[log_id] = follower
            self._tasks[log_id] = group.create_task(self._kept_alive(log_, follower))

    async def _kept_alive(self, log_: Log, follower: Follower) -> None:
        while True:
            try:
                if not await follower.run():
                    self._failed.add(log_.log_id)
                return
            except Exception:
                log.exception("log %s: its reader failed", log_.name)
                if self._manner.once:
                    self._failed.add(log_.log_id)
                    return
            await asyncio.sleep(_RESTART_S)
