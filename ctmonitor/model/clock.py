"""Times as they are written: UTC, ISO 8601 to the second, without zone."""

from datetime import UTC, datetime

_EPOCH_END = 253402300799  # 9999-12-31T23:59:59Z, the last second datetime can hold


def now_utc() -> datetime:
    """The present time, aware, in UTC."""
    return datetime.now(UTC)


def utc_text(moment: datetime | None) -> str | None:
    """`2019-06-12T15:54:31` for an aware time, None for None."""
    if moment is None:
        return None
    return moment.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat()


def from_utc_text(text: str | None) -> datetime | None:
    """The aware time that `utc_text` wrote; None for None, empty or unreadable."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def from_epoch(seconds: object) -> datetime | None:
    """
    The aware time of seconds since 1970, as feeds write it; None for anything else.

    Years outside 1..9999, NaN, booleans and strings give None: they are a stranger's.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    if not -62135596800 <= seconds <= _EPOCH_END:
        return None
    return datetime.fromtimestamp(seconds, UTC)
