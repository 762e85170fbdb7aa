"""What came of a delivery."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    Args:
        detail: what the channel answered, or why it failed; without secrets, bounded.
    """

    is_ok: bool
    detail: str = ""
