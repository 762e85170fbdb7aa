"""What goes out of a visit: the channels of each event, and what belongs together."""

from datetime import UTC, datetime

from ctmonitor.followup.telling import Telling
from ctmonitor.model.followup import Channel, EventKind
from ctmonitor.model.site import Dns, DnsState, Presence, SiteReport

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOST = "login.paypa1.example"
REPORT = SiteReport(HOST, HOST, NOON, NOON, Presence.UP, Dns(DnsState.FOUND))


def alarms(event: EventKind, brand: str) -> list[tuple[Channel, str]]:
    record = {
        "hostname": HOST,
        "event": event,
        "brand": brand,
        "registrable_domain": "paypa1.example",
    }
    told = Telling(
        lambda *_: record, lambda _: {}, destinations={event: (1,)}, has_hook=True
    )
    return [(one.channel, one.alarm) for one in told.outbox(record, event, REPORT)]


def test_the_message_of_a_look_alike_that_is_up_belongs_to_its_alarm() -> None:
    assert alarms(EventKind.UP, "PayPal") == [
        (Channel.FILE, ""),
        (Channel.NOTIFY, "up:paypa1.example:PayPal"),
        (Channel.HOOK, ""),
    ]


def test_other_messages_are_told_by_themselves() -> None:
    for event, brand in [(EventKind.UP, ""), (EventKind.DOWN, "PayPal")]:
        assert {alarm for _, alarm in alarms(event, brand)} == {""}
