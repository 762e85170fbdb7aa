"""Pauses between attempts: growing, drawn at random, or as long as a server asks."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# A pause as long as a year is nobody's wish; a number larger than that is a mistake.
_MOST_ASKED_S = 366 * 86400.0


def pause_s(
    attempt: int,
    *,
    first_s: float = 1.0,
    most_s: float = 60.0,
    draw: Callable[[], float] = random.random,
) -> float:
    """
    Seconds to wait before attempt number `attempt`, counted from 0.

    Doubles from `first_s` to `most_s`; of that between a half and all is waited, so
    that clients that lost the same server do not come back in step.
    """
    ceiling = min(most_s, first_s * 2.0 ** min(attempt, 30))
    return ceiling * (0.5 + 0.5 * draw())


def retry_after_s(text: str, now: datetime) -> float | None:
    """
    Seconds that a Retry-After header asks for, 0 or more; None when it says nothing.

    Source: RFC 9110 section 10.2.3 (a number of seconds, or a date).
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:20])
    else:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - now).total_seconds()
    return min(max(seconds, 0.0), _MOST_ASKED_S)
