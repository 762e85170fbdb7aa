"""Where a log that was never read is begun."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # settings hold a Start, and their reader reads no log
    from ctmonitor.model.log import TreeHead
    from ctmonitor.sources.logclient import LogClient


@dataclass(frozen=True, slots=True)
class Start:
    """
    Args:
        back: entries before the first head; 0 is its end; None: see `since`.
        since: the first entry logged at this time or later; None: see `back`.

    With neither, the log's beginning.
    """

    back: int | None = 0
    since: datetime | None = None

    @classmethod
    def parse(cls, text: str) -> "Start":
        """
        `tip`, `beginning`, a number of entries back, or a date in ISO 8601 (UTC).

        Raises:
            ValueError: it is none of these; the sentence says what may be written.
        """
        word = text.strip().lower()
        if word == "tip":
            return cls()
        if word == "beginning":
            return cls(None)
        if word.isascii() and word.isdigit() and len(word) < 16:
            return cls(int(word))
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError:
            raise ValueError(
                f"{text!r} is neither tip, beginning, a number of entries back, nor a "
                "date such as 2026-11-01 or 2026-11-01T12:00:00"
            ) from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return cls(None, moment.astimezone(UTC))

    def check(self, now: datetime) -> None:
        """
        Raises ValueError for a time after `now`, of which no log has an entry yet.

        Read as the tip, it would put the position of each log where a slip of the pen
        has it, for good.
        """
        if self.since is not None and self.since > now:
            raise ValueError(
                f"{self.since.isoformat()} lies in the future: it is "
                f"{now.astimezone(UTC).isoformat(timespec='seconds')}. Write tip to "
                "read what comes from now on, or an earlier date, in UTC"
            )

    def __str__(self) -> str:
        if self.since is not None:
            return self.since.isoformat()
        if self.back is None:
            return "beginning"
        return str(self.back) if self.back else "tip"

    async def position(self, client: "LogClient", head: "TreeHead") -> int:
        """
        The first entry to be read under `head`.

        A time is looked for by halves. Timestamps of neighbours may lie a little out
        of order (a log puts entries in order when it merges them), so it is exact to
        a merge delay.
        """
        if self.back is not None:
            return max(0, head.size - self.back)
        if self.since is None:
            return 0
        wanted_ms = self.since.timestamp() * 1000
        low, high = 0, head.size
        while low < high:
            middle = (low + high) // 2
            if (await client.logged_ms(middle, head.size)) < wanted_ms:
                low = middle + 1
            else:
                high = middle
        return low
