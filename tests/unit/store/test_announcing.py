"""Alerts on findings: stored with them or not at all; both databases."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import pytest

from ctmonitor.errors import StoreError
from ctmonitor.model.batch import Cursor
from ctmonitor.model.finding import Recorded
from ctmonitor.model.followup import OutboxItem
from tests.unit.store.making import NOON, Place, finding
from tests.unit.store.visiting import item

LATER = NOON + timedelta(days=200)


def alerts(told: Sequence[Recorded], at: datetime) -> Iterable[OutboxItem]:
    for each in told:
        novelty = each.novelty.value
        yield item(f"{each.host}:{at:%j}", payload={"novelty": novelty})


def waiting(place: Place) -> dict[str, str]:
    """Novelty by the key of an item."""
    with place.open() as store:
        due = store.outbox().due(LATER, 10_000, 60, "reader")
        store.outbox().release("reader")
    return {each.key: each.payload["novelty"] for each in due}


def test_hosts_that_are_told_have_their_alert_and_known_ones_have_none(
    place: Place,
) -> None:
    with place.open() as store:
        store.record([finding("a.example", "b.example")], outbox_of=alerts)
        assert waiting(place) == {"a.example:325": "new", "b.example:325": "new"}
        store.record([finding("a.example"), finding("c.example")], outbox_of=alerts)
        store.record([finding("c.example", "C.example")], outbox_of=alerts)
    assert sorted(waiting(place)) == ["a.example:325", "b.example:325", "c.example:325"]


def test_a_host_followed_again_is_alerted_again(place: Place) -> None:
    with place.open() as store:
        store.record([finding("a.example")], outbox_of=alerts)
    place.sql('UPDATE "CertMon" SET "StillInvestig" = \'Stop checking on 2027-05-20\'')
    with place.open(now=lambda: LATER) as store:
        for _ in range(2):
            store.record([finding("a.example")], outbox_of=alerts)
    assert waiting(place) == {"a.example:325": "new", "a.example:160": "followed again"}


def test_nobody_asked_for_alerts(place: Place) -> None:
    with place.open() as store:
        store.record([finding("a.example")])
    assert waiting(place) == {}


def test_finding_cursor_and_alert_are_stored_together_or_not_at_all(
    place: Place,
) -> None:
    with place.open() as store:
        place.sql("ALTER TABLE ctm_outbox RENAME TO away")
        told = [finding("a.example")]
        with pytest.raises(StoreError):
            store.record(told, cursor=Cursor("s", "1"), outbox_of=alerts)
        assert place.count("CertMon") == 0
        assert store.cursor("s") is None
        place.sql("ALTER TABLE away RENAME TO ctm_outbox")
        # The monitor does the same again, and the host is still new.
        store.record(told, cursor=Cursor("s", "1"), outbox_of=alerts)
    assert waiting(place) == {"a.example:325": "new"}


def test_more_alerts_than_one_statement_takes(place: Place) -> None:
    hosts = [f"h{number}.example" for number in range(1201)]
    with place.open() as store:
        store.record([finding(*hosts)], outbox_of=alerts)
    assert len(waiting(place)) == 1201
