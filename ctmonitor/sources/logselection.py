"""Which logs of a list are followed, and why the others are not."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from ctmonitor.model.log import Log, LogState
from ctmonitor.sources.logcursor import LogCursor, cursor_name

# Pending logs hold copies at most: no browser takes their SCTs, so a certificate that
# is believed stands in another log, too. Logs without state are those of lists that
# know no states: a local file, crt.sh's.
DEFAULT_STATES = frozenset(
    {LogState.USABLE, LogState.QUALIFIED, LogState.READONLY, LogState.UNKNOWN}
)

# A log takes no certificate that expires after its range, and may merge late what it
# took: after both, with a day for clocks, nothing comes.
_MARGIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Selection:
    """
    Args:
        chosen: in the list's order; left_out: each with its reason, for people.
        unmatched: patterns that no log of the list meets.
    """

    chosen: tuple[Log, ...]
    left_out: tuple[tuple[Log, str], ...]
    unmatched: tuple[str, ...]


def select(
    logs: Iterable[Log],
    include: Sequence[str],
    exclude: Sequence[str],
    states: Collection[LogState] = DEFAULT_STATES,
    *,
    now: datetime,
    unfinished: Collection[bytes] = frozenset(),
) -> Selection:
    """
    The logs that are followed.

    A pattern is `operator:NAME`, `state:NAME` (`state:unknown` where the list names
    none), or a name: a part of the log's name or origin, or with `*` and `?` all of
    it; upper and lower case are the same. `exclude` goes before `include`.

    States that are not among `states` are left out unless a pattern `state:` includes
    them, shards whose range is over always. A log whose whole name stands in `include`
    is followed, whatever its state and range.

    Args:
        include: patterns; none: all logs.
        unfinished: ids of logs that were begun and not read to their end: they are
            drained, whatever became of their state and range.
    """
    chosen, left_out = [], []
    unmatched = dict.fromkeys((*include, *exclude))
    for log in logs:
        included = [pattern for pattern in include if _meets(log, pattern)]
        excluded = [pattern for pattern in exclude if _meets(log, pattern)]
        for pattern in (*included, *excluded):
            unmatched.pop(pattern, None)
        reason = ""
        if excluded:
            reason = f"excluded by {excluded[0]!r}"
        elif include and not included:
            reason = "not among those that are named"
        elif log.log_id not in unfinished and not _is_named(log, included):
            reason = _why_not(log, included, states, now)
        if reason:
            left_out.append((log, reason))
        else:
            chosen.append(log)
    return Selection(tuple(chosen), tuple(left_out), tuple(unmatched))


def unfinished(
    logs: Iterable[Log],
    backlogs: Mapping[bytes, int | None],
    stored: Mapping[str, LogCursor],
) -> set[bytes]:
    """
    Ids of logs of which something waits, as far as that is known; for `select`.

    Args:
        backlogs: by id, of logs that are followed.
        stored: by `cursor_name`, where earlier runs stopped.
    """
    found = set()
    for log in logs:
        at = stored.get(cursor_name(log))
        if log.log_id in backlogs:
            if backlogs[log.log_id]:
                found.add(log.log_id)
        elif at is not None and at.head is not None:
            end = at.head.size if log.final_size is None else log.final_size
            if at.position < end:
                found.add(log.log_id)
    return found


def way_out(log: Log, now: datetime) -> str:
    """
    What to do about a log that cannot be read, and is over; else empty.

    It is read for as long as entries of it are left, which nobody may serve any more.
    """
    reason = _why_not(log, (), DEFAULT_STATES, now)
    if not reason:
        return ""
    return (
        f"{reason}: when it was switched off for good, name it in [SOURCES] "
        "Exclude_Logs"
    )


def describe(selection: Selection, unusable: Sequence[str] = ()) -> list[str]:
    """
    Lines for the operator: what is followed, what is not and why (L12).

    Args:
        unusable: what the list itself has to say of logs that cannot be followed.
    """
    names = ", ".join(log.name for log in selection.chosen)
    lines = [f"{_logs(len(selection.chosen))} followed: {names or 'none'}"]
    by_reason: dict[str, list[str]] = {}
    for log, reason in selection.left_out:
        by_reason.setdefault(reason, []).append(log.name)
    for reason, left in by_reason.items():
        lines.append(f"{_logs(len(left))} left out, {reason}: {', '.join(left)}")
    if unusable:
        lines.append(cannot_be_followed(unusable))
    return lines


def cannot_be_followed(unusable: Sequence[str]) -> str:
    """A line for the operator; `unusable` as for `describe`."""
    many = _logs(len(unusable))
    return f"{many} of the list cannot be followed: {'; '.join(unusable)}"


def in_vain(selection: Selection) -> list[str]:
    """A warning for each pattern that no log meets."""
    return [
        f"no log of the list is meant by {pattern!r}: look for its name in --list-logs"
        for pattern in selection.unmatched
    ]


def meant(logs: Iterable[Log], pattern: str) -> list[Log]:
    """The logs that a pattern means: that of just this name or address, else all."""
    found = [log for log in logs if _meets(log, pattern)]
    return [log for log in found if _is_named(log, [pattern])] or found


def _why_not(
    log: Log, included: Sequence[str], states: Collection[LogState], now: datetime
) -> str:
    by_state = any(_kind(pattern)[0] == "state" for pattern in included)
    if log.state not in states and not by_state:
        return f"state {log.state or 'unknown'}"
    if log.interval_end is not None:
        try:
            last = log.interval_end + timedelta(seconds=log.mmd_s) + _MARGIN
        except OverflowError:  # a shard of the year 9999
            return ""
        if last <= now:
            return "the range of expiry dates is over"
    return ""


def _meets(log: Log, pattern: str) -> bool:
    kind, wanted = _kind(pattern)
    if kind == "operator":
        return _like(log.operator, wanted)
    if kind == "state":
        return (log.state or "unknown") == wanted
    return _like(log.name, wanted) or _like(log.origin, wanted)


def _is_named(log: Log, patterns: Iterable[str]) -> bool:
    whole = log.name.casefold(), log.origin.casefold()
    return any(pattern.strip().casefold() in whole for pattern in patterns)


def _kind(pattern: str) -> tuple[str, str]:
    """`operator`, `state` or nothing, and what follows it, folded."""
    folded = pattern.strip().casefold()
    kind, colon, wanted = folded.partition(":")
    if colon and kind in ("operator", "state"):
        return kind, wanted.strip()
    return "", folded


def _like(text: str, wanted: str) -> bool:
    text = text.casefold()
    if "*" in wanted or "?" in wanted:
        return fnmatchcase(text, wanted.replace("[", "[[]"))
    return bool(wanted) and wanted in text


def _logs(number: int) -> str:
    return "1 log" if number == 1 else f"{number} logs"
