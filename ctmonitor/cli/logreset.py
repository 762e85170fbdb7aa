"""certstreammonitor.py --reset-log: a log is begun anew, whatever was known of it."""

import asyncio
import re
from collections.abc import Mapping

from ctmonitor.cli import assemble, console, databases
from ctmonitor.config import Config
from ctmonitor.errors import ConfigError, FormatError, StoreError
from ctmonitor.model.log import Log
from ctmonitor.model.text import printable, shortened
from ctmonitor.sources.logcursor import PREFIX, LogCursor, cursor_name
from ctmonitor.sources.logselection import meant

_LOG_ID = re.compile(rf"(?:{PREFIX})?([0-9a-f]{{64}})", re.IGNORECASE)
_LOOK = "--list-logs shows names and positions."


def run(config: Config, wanted: str) -> int:
    """
    Set the position of one log aside; the exit code.

    Args:
        wanted: its id in hexadecimal, its name or address, or a part of them that no
            other log with a position has.

    Raises:
        ConfigError: it is no such log, or has no position.
        SourceError: there is no log list to look for the name in.
    """
    try:
        with databases.reader(config) as reader:
            stored = reader.cursors(PREFIX)
        name, label = _found(config, wanted, stored)
        with databases.store(config) as store:
            aside = store.set_cursor_aside(name)
    except StoreError as exc:
        raise ConfigError(str(exc)) from exc
    print(
        f"log {printable(label)}: {_was(stored[name])}; that is kept in ctm_cursor as "
        f"{aside}. The log begins anew, at Start = {config.start}, when the daemon is "
        "started next; stop one that runs."
    )
    return console.DONE


def _found(config: Config, wanted: str, stored: Mapping[str, str]) -> tuple[str, str]:
    """Under which name its position is stored, and its name for people."""
    if by_id := _LOG_ID.fullmatch(wanted.strip()):
        name = PREFIX + by_id[1].lower()
        if name not in stored:
            raise ConfigError(f"No position is stored of log {by_id[1]}. {_LOOK}")
        return name, by_id[1].lower()
    logs = asyncio.run(_listed(config))
    found = [log for log in meant(logs, wanted) if cursor_name(log) in stored]
    if not found:
        raise ConfigError(
            f"No position is stored of a log that {shortened(wanted)!r} means. {_LOOK}"
        )
    if len(found) > 1:
        names = ", ".join(sorted(log.name for log in found))
        raise ConfigError(
            f"{shortened(wanted)!r} means {len(found)} logs: {shortened(names, 500)}. "
            "Write the whole name of one, or its log id."
        )
    return cursor_name(found[0]), found[0].name


async def _listed(config: Config) -> tuple[Log, ...]:
    reading = assemble.log_reading(config, {}, console.complain, keeps=False)
    try:
        kept, _ = await reading.selection()
    finally:
        await reading.close()
    return tuple(kept.list.logs)


def _was(position: str) -> str:
    try:
        at = LogCursor.parse(position)
    except FormatError as exc:
        return f"its position could not be used ({exc})"
    size = "none" if at.head is None else f"one of {at.head.size} entries"
    return f"it was read up to entry {at.position}, and the head believed was {size}"
