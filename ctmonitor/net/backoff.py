"""Growing pauses between attempts, drawn at random so that clients do not march."""

import random
from collections.abc import Callable


def pause_s(
    attempt: int,
    *,
    first_s: float = 1.0,
    most_s: float = 60.0,
    draw: Callable[[], float] = random.random,
) -> float:
    """
    Seconds to wait before attempt number `attempt`, counted from 0.

    Doubles from `first_s` to `most_s`; of that between a half and all is waited.
    """
    ceiling = min(most_s, first_s * 2.0 ** min(attempt, 30))
    return ceiling * (0.5 + 0.5 * draw())
