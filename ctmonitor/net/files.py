"""How many connections this process may have open at the same time."""

import contextlib
import logging
import resource

log = logging.getLogger(__name__)

_FOR_OURSELVES = 64  # database, logs, libraries
_EACH = 3  # a visit's connection, its name servers', and one that is being closed


def raise_file_limit(concurrency: int) -> int:
    """
    `concurrency`, or as much of it as open files allow after raising their limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = concurrency * _EACH + _FOR_OURSELVES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        # Some systems have a limit of their own below the hard one, and refuse.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return concurrency
    lowered = max(1, (soft - _FOR_OURSELVES) // _EACH)
    log.warning(
        "[SCAN] Concurrency is lowered from %d to %d: this process may open only %d "
        "files (ulimit -n)",
        concurrency,
        lowered,
        soft,
    )
    return lowered
