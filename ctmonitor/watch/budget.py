"""How often Cert Spotter may be asked in an hour, counted over all runs."""

from collections.abc import Callable
from datetime import datetime, timedelta

from ctmonitor.model.clock import from_utc_text, utc_text
from ctmonitor.model.own import SharedState
from ctmonitor.sources.ownsource import BudgetSpent

_HOUR = timedelta(hours=1)


class HourlyBudget:
    """
    Args:
        shared: where the questions of the last hour are kept.
        hourly: questions in any hour; 0: as many as one likes, and none is kept.
        save: makes `shared` durable; called for each question, before it is asked.
        spared: of those, how many are left for other questions.
    """

    def __init__(
        self,
        shared: SharedState,
        hourly: int,
        save: Callable[[SharedState], None],
        *,
        spared: int = 0,
    ) -> None:
        self._shared = shared
        self._hourly = hourly
        self._spared = spared
        self._save = save

    def take(self, now: datetime) -> None:
        """
        Counts one question.

        Raises:
            BudgetSpent: the hour has had its questions.
            StoreError: it could not be noted; then it must not be asked.
        """
        if not self._hourly:
            return
        asked = sorted(
            moment
            for moment in map(from_utc_text, self._shared.queries)
            # One of the future was written by a clock that was wrong.
            if moment is not None and now - _HOUR < moment <= now
        )
        most = self._hourly - self._spared
        if len(asked) >= most:
            frees = asked[-most] + _HOUR if most > 0 else now + _HOUR
            again = (frees - now).total_seconds()
            allowed = f"[OWN] Certspotter_Hourly = {self._hourly} allows"
            if self._spared:
                allowed += f" beside {self._spared} for own domains"
            raise BudgetSpent(
                f"Cert Spotter was asked {len(asked)} times in the last hour, which is "
                f"all that {allowed}; in {again / 60:.0f} minutes it can be asked "
                "again",
                retry_after_s=max(0.0, again),
            )
        self._shared.queries = [
            text for moment in (*asked, now) if (text := utc_text(moment))
        ]
        self._save(self._shared)
