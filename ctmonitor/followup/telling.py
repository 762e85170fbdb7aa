"""What is told of a visit: its alert, and the channels that the alert goes through."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ctmonitor.model.clock import utc_text
from ctmonitor.model.finding import HostDetail
from ctmonitor.model.followup import (
    Channel,
    DueHost,
    EventKind,
    OutboxItem,
    alarm_of,
)
from ctmonitor.model.site import SiteReport

RecordOf = Callable[
    [SiteReport, DueHost, HostDetail | None, EventKind], Mapping[str, Any]
]


@dataclass(frozen=True, slots=True)
class Telling:
    """
    What is told, and how.

    Args:
        events: the events that make an alert.
        destinations: by event the notification destinations that are told of it, as
            their places in the settings.
        has_hook: whether a program is started for each alert.
        record: makes the JSON alert.
        details: what the store knows of some hosts, by host; called from one thread.
    """

    record: RecordOf
    details: Callable[[Sequence[str]], Mapping[str, HostDetail]]
    events: frozenset[EventKind] = frozenset({EventKind.UP})
    destinations: Mapping[EventKind, Sequence[int]] = field(default_factory=dict)
    has_hook: bool = False

    def outbox(
        self, record: Mapping[str, Any], event: EventKind, report: SiteReport
    ) -> Iterable[OutboxItem]:
        """One item for each channel."""
        alert = f"{report.host}:{event.value}:{utc_text(report.finished)}"
        yield OutboxItem(f"{alert}:file", Channel.FILE, record)
        for number in self.destinations.get(event, ()):
            yield OutboxItem(
                f"{alert}:notify:{number}",
                Channel.NOTIFY,
                record,
                str(number),
                alarm=alarm_of(record),
            )
        if self.has_hook:
            yield OutboxItem(f"{alert}:hook", Channel.HOOK, record)
