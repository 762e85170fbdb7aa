"""certstreammonitor.py --list-logs: which logs are read, how far, and what waits."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ctmonitor.cli import assemble, console, databases
from ctmonitor.cli.logreading import LogReading
from ctmonitor.config import Config
from ctmonitor.errors import CTMonitorError, FormatError, StoreError
from ctmonitor.model.clock import utc_text
from ctmonitor.model.log import Log, TreeHead
from ctmonitor.model.text import printable, shortened
from ctmonitor.sources.logcursor import PREFIX, LogCursor, cursor_name
from ctmonitor.sources.logselection import cannot_be_followed, in_vain

if TYPE_CHECKING:  # loaded on a terminal alone
    from rich.table import Table

_HEAD_S = 10.0  # for all attempts to read one head

_COLUMNS = (
    "log",
    "operator",
    "kind",
    "state",
    "interval",
    "position",
    "head",
    "backlog",
    "note",
)
_NUMBERS = ("position", "head", "backlog")
_UNBOUNDED = 10_000  # columns


@dataclass(frozen=True, slots=True)
class Listed:
    """
    One log of the list, for people and programs.

    Args:
        kind: `rfc6962` or `static`.
        interval: expiry dates that it takes, `2026-01-01/2026-07-01`, half-open.
        position: next entry to be read; None when it was never read.
        head: entries of the tree now; None when it was not asked or did not answer.
        note: `followed`, or why not, or what is wrong with it.
    """

    log: str
    operator: str
    kind: str
    state: str
    interval: str
    position: int | None
    head: int | None
    backlog: int | None
    note: str
    log_id: str
    address: str
    is_followed: bool


def run(config: Config, *, as_json: bool) -> int:
    """
    Print the list; the exit code.

    Raises:
        SourceError: there is no log list.
    """
    listed, notes = asyncio.run(_listed(config, _positions(config)))
    for note in notes:
        console.complain(f"note: {printable(note)}")
    if as_json:
        for each in listed:
            print(json.dumps(asdict(each), ensure_ascii=False))
    elif sys.stdout.isatty():
        _print_whole(_table(listed))
    else:
        for line in _plain(listed):
            print(line)
    return console.DONE


def _positions(config: Config) -> dict[str, str]:
    """By cursor name; none when there is no database yet."""
    try:
        with databases.reader(config) as reader:
            return reader.cursors(PREFIX)
    except StoreError as exc:
        console.complain(f"note: no positions are shown: {exc}")
        return {}


async def _listed(
    config: Config, positions: Mapping[str, str]
) -> tuple[list[Listed], Sequence[str]]:
    cursors: dict[str, LogCursor] = {}
    broken: dict[str, str] = {}
    for name, text in positions.items():
        try:
            cursors[name] = LogCursor.parse(text)
        except FormatError as exc:
            broken[name] = str(exc)
    reading = assemble.log_reading(config, cursors, console.complain, keeps=False)
    try:
        kept, selection = await reading.selection()
        heads = await asyncio.gather(
            *(_head(reading, log, len(selection.chosen)) for log in selection.chosen)
        )
    finally:
        await reading.close()
    of_chosen = dict(zip(selection.chosen, heads, strict=True))
    why_not = dict(selection.left_out)
    result = []
    for log in kept.list.logs:
        head = of_chosen.get(log)
        note = why_not.get(log, "followed")
        if log in why_not:
            note = f"left out: {note}"
        elif isinstance(head, str):
            note = f"followed; {head}"
        name = cursor_name(log)
        if name in broken:
            note += f"; its position cannot be used: {broken[name]}"
        size = head.size if isinstance(head, TreeHead) else None
        result.append(_of(log, cursors.get(name), size, note, log in of_chosen))
    notes = [*kept.notes, *in_vain(selection)]
    if kept.list.left_out:
        notes.append(cannot_be_followed(kept.list.left_out))
    known = {cursor_name(log) for log in kept.list.logs}
    notes += [
        f"the list does not name log {name.removeprefix(PREFIX)}, of which a position "
        "is kept"
        for name in sorted(positions.keys() - known)
    ]
    return result, notes


async def _head(reading: LogReading, log: Log, how_many: int) -> TreeHead | str:
    """The head, or why there is none."""
    try:
        async with asyncio.timeout(_HEAD_S):
            return await reading.client_of(log, how_many).head()
    except TimeoutError:
        return f"no head within {_HEAD_S:g} s"
    except CTMonitorError as exc:
        return shortened(str(exc), 200)


def _of(
    log: Log, at: LogCursor | None, head: int | None, note: str, is_followed: bool
) -> Listed:
    position = None if at is None else at.position
    interval = ""
    if log.interval_start is not None and log.interval_end is not None:
        days = (log.interval_start, log.interval_end)
        interval = "/".join((utc_text(day) or "")[:10] for day in days)
    return Listed(
        log=log.name,
        operator=log.operator,
        kind="static" if log.is_tiled else "rfc6962",
        state=log.state or "unknown",
        interval=interval,
        position=position,
        head=head,
        backlog=None if head is None or position is None else max(0, head - position),
        note=note,
        log_id=log.log_id.hex(),
        address=log.address,
        is_followed=is_followed,
    )


def _cells(each: Listed) -> list[str]:
    values = (getattr(each, column) for column in _COLUMNS)
    return ["-" if value in (None, "") else printable(str(value)) for value in values]


def _table(listed: Sequence[Listed]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in _COLUMNS:
        is_number = column in _NUMBERS
        table.add_column(column, justify="right" if is_number else "left")
    for each in listed:
        style = "" if each.is_followed else "dim"
        # As Text: what a list says is no markup.
        table.add_row(*map(Text, _cells(each)), style=style)
    return table


def _print_whole(table: "Table") -> None:
    """Lines too long for the terminal are wrapped by it: no name is cut short."""
    from rich.console import Console

    terminal = Console()
    unbounded = terminal.options.update(max_width=_UNBOUNDED)
    needed = terminal.measure(table, options=unbounded).maximum
    Console(width=max(terminal.width, needed)).print(table)


def _plain(listed: Sequence[Listed]) -> list[str]:
    rows = [list(_COLUMNS), *(_cells(each) for each in listed)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if column in _NUMBERS else cell.ljust(width)
            for column, cell, width in zip(_COLUMNS, row, widths, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
