"""A bar on a terminal that shows how many hosts were visited."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

_REFRESHES_PER_S = 4  # a drawing takes milliseconds, in which nobody is visited


@contextmanager
def progress_bar(total: int) -> Iterator[Callable[[], None]]:
    """What moves the bar on by one of `total`; the bar is gone in the end."""
    bar = Progress(
        "visiting",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
        refresh_per_second=_REFRESHES_PER_S,
    )
    with bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)
