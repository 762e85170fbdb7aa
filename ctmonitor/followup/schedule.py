"""When a host is visited again, and what an observation changes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from ctmonitor.model.followup import EventKind, HostState
from ctmonitor.model.site import Presence, SiteReport

# A host that is a minute old is visited again in minutes, one that is a week old each
# day: the pause is this share of its age.
_SHARE_OF_AGE = 0.25


@dataclass(frozen=True, slots=True)
class Schedule:
    """
    The distances between visits.

    Args:
        shortest: between two visits of a host, and before a change is confirmed.
        longest: between two visits of a host that never came up.
        revisit: between two visits of a host that came up; zero for no more visits.
        follow: how long after it was first seen a host is followed.
    """

    shortest: timedelta = timedelta(minutes=10)
    longest: timedelta = timedelta(hours=24)
    revisit: timedelta = timedelta(hours=24)
    follow: timedelta = timedelta(days=180)

    def next_visit(
        self, state: HostState, first_seen: datetime | None, now: datetime
    ) -> datetime | None:
        """
        When a host visited at `now` is due again; None when it is not followed on.

        Args:
            first_seen: None for a row of the old program that has no readable time.
        """
        age = now - first_seen if first_seen is not None else self.longest
        if state.pending is not None:
            pause = self.shortest
        elif state.first_up is None:
            pause = min(max(age * _SHARE_OF_AGE, self.shortest), self.longest)
        elif self.revisit:
            pause = self.revisit
        else:
            return None
        if state.first_up is not None and age + pause > self.follow:
            return None
        return now + pause


def observe(
    state: HostState, report: SiteReport
) -> tuple[HostState, tuple[EventKind, ...]]:
    """
    The memory of a host after a visit, and what the visit showed.

    A host that is up for the first time is told at once. Going down and coming back
    take two observations that agree; one that nobody can tell (DNS failed) is none.
    """
    seen = report.presence
    state = replace(state, visits=state.visits + 1, last_visit=report.finished)
    if seen is Presence.UNKNOWN:
        return state, ()
    content = content_key(report)
    if state.first_up is None:
        if seen is Presence.DOWN:
            return replace(state, presence=seen), ()
        up = replace(state, presence=seen, first_up=report.finished, content=content)
        return up, (EventKind.UP,)
    if seen is not state.presence and seen is not state.pending:
        return replace(state, pending=seen), ()
    events: list[EventKind] = []
    if seen is not state.presence:
        events.append(EventKind.BACK if seen is Presence.UP else EventKind.DOWN)
    if seen is Presence.UP and content != state.content:
        if state.content:
            events.append(EventKind.CHANGED)
        state = replace(state, content=content)
    return replace(state, presence=seen, pending=None), tuple(events)


def content_key(report: SiteReport) -> str:
    """
    What is compared to tell whether a site changed: status, address, title, favicon.

    Not the body: most pages bear a time or a token, so that no two answers are equal.
    """
    page = report.page
    if page is None:
        return ""
    parts: Sequence[object] = (page.status, page.url, page.title, page.favicon_mmh3)
    return sha256("\0".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()
