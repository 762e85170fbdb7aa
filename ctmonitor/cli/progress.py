"""Bars on a terminal: how many hosts were visited, how much of a file was read."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TimeRemainingColumn,
)

_REFRESHES_PER_S = 4  # a drawing takes milliseconds, in which nobody is visited


@contextmanager
def progress_bar(total: int) -> Iterator[Callable[[], None]]:
    """What moves the bar on by one of `total`; the bar is gone in the end."""
    bar = _bar("visiting", MofNCompleteColumn())
    with bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)


@contextmanager
def reading_bar(
    size_bytes: int, what: str = "reading"
) -> Iterator[Callable[[int], None]]:
    """What moves the bar to so many bytes of the file; the bar is gone in the end."""
    bar = _bar(what, DownloadColumn())
    with bar:
        task = bar.add_task("", total=size_bytes)
        yield lambda done: bar.update(task, completed=done)


def _bar(what: str, amount: ProgressColumn) -> Progress:
    return Progress(
        what,
        BarColumn(),
        amount,
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
        refresh_per_second=_REFRESHES_PER_S,
    )
