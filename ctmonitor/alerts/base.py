"""What came of a delivery."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    Args:
        detail: what the channel answered, or why it failed; without secrets, bounded.
        retry_after_s: of a failure, how long the channel asks us to wait.
    """

    is_ok: bool
    detail: str = ""
    retry_after_s: float = 0.0
